"""`wengert.scipy.sparse`: against dense matrices and SciPy's; `linear_sum_assignment`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as ss
import scipy.sparse.linalg as ssl

import wengert as wg
from wengert import check_grads, grad, hessian, jit, jvp, vmap
from wengert.errors import UnsupportedOperationError
from wengert.scipy import sparse
from wengert.scipy.optimize import linear_sum_assignment
from wengert.scipy.sparse.linalg import spsolve

RNG = np.random.default_rng(6)
ROWS, COLUMNS = np.array([2, 0, 1, 0, 2, 2]), np.array([0, 2, 1, 0, 2, 0])  # one place twice
DATA = np.array([-0.6, 0.3, 5.0, 4.0, 3.0, 0.1])
DENSE = np.zeros((3, 3))
np.add.at(DENSE, (ROWS, COLUMNS), DATA)
X, M = RNG.normal(size=3), RNG.normal(size=(3, 2))


def make(data):
    return sparse.csr_array((data, (ROWS, COLUMNS)), shape=(3, 3))


def test_construction():
    plain = ss.csr_array(DENSE)
    for a in (
        make(DATA),
        sparse.csr_array(DENSE),
        sparse.csr_array(plain),
        sparse.csr_array(ss.csc_matrix(DENSE)),
        sparse.csr_array((plain.data, plain.indices, plain.indptr)),
        sparse.csc_array((plain.T.tocsr().data, plain.T.tocsr().indices, plain.T.tocsr().indptr), (3, 3)),
        sparse.coo_array((DATA, (ROWS, COLUMNS))),
        sparse.csr_array(make(DATA)),
    ):
        np.testing.assert_allclose(a.toarray(), DENSE)
        assert a.shape == (3, 3)
        assert a.nnz == 5
        np.testing.assert_allclose(a.to_scipy().toarray(), DENSE)
    d = sparse.diags_array([[1.0, 2.0, 3.0], [4.0], [5.0]], offsets=[0, 1, -2], shape=(3, 4))
    expected = ss.diags_array([[1.0, 2.0, 3.0], [4.0], [5.0]], offsets=[0, 1, -2], shape=(3, 4))
    np.testing.assert_array_equal(d.toarray(), expected.toarray())
    np.testing.assert_array_equal(sparse.diags_array(X).toarray(), np.diag(X))
    empty = sparse.csr_array(np.zeros((2, 0)))
    np.testing.assert_array_equal(empty @ np.zeros(0), np.zeros(2))
    assert empty.T.shape == (0, 2)


def test_products_and_sums():
    def all_of(data, x, m):
        a = make(data)
        b = 2.0 * a + a.T - sparse.csr_array(ss.eye_array(3)) / 4
        return [
            a @ x, a @ m, x @ a, m.T @ a, a.dot(x), a.T @ x, a.toarray(), b.toarray(), (-b) @ x, a.diagonal(), a.sum(),
            a.sum(axis=0), a.sum(axis=1), a.multiply(x).toarray(), a.multiply(x[:, None]) @ x, (a * x[0]) @ m,
        ]  # fmt: skip

    def dense(data, x, m):
        a = np.zeros((3, 3))
        np.add.at(a, (ROWS, COLUMNS), data)
        b = 2 * a + a.T - np.eye(3) / 4
        return [
            a @ x, a @ m, x @ a, m.T @ a, a @ x, a.T @ x, a, b, -b @ x, np.diagonal(a), np.sum(a), a.sum(0), a.sum(1),
            a * x, (a * x[:, None]) @ x, (a * x[0]) @ m,
        ]  # fmt: skip

    plain, expected = all_of(DATA, X, M), dense(DATA, X, M)
    traced = jvp(all_of, (DATA, X, M), (DATA, X, M))[0]
    for p, t, e in zip(plain, traced, expected, strict=True):
        np.testing.assert_allclose(p, e, atol=1e-14)
        np.testing.assert_allclose(t, e, atol=1e-14)
    check_grads(all_of, (DATA, X, M), order=2)
    check_grads(
        lambda d, x: [make(d) @ x, x @ make(d), make(d).conj() @ x], (DATA + 1j * DATA[::-1], X + 0.5j), order=2
    )


def test_operators_with_traced_arrays():
    f = lambda x: (2 * make(DATA) * x).toarray() + (x * make(DATA)).toarray() + make(DATA) @ x + x @ make(DATA)
    expected = 3 * DENSE * X + DENSE @ X + X @ DENSE
    np.testing.assert_allclose(jvp(f, (X,), (X,))[0], expected)
    np.testing.assert_allclose(f(X), expected)


def test_systems():
    for b in (X, M, M[:, :1], M[:, :0]):
        expected = np.linalg.solve(DENSE, b)
        np.testing.assert_allclose(spsolve(make(DATA), b), expected)
        np.testing.assert_allclose(spsolve(ss.csc_array(DENSE), b), expected)
        np.testing.assert_allclose(jvp(lambda d, b: spsolve(make(d), b), (DATA, b), (DATA, b))[0], expected)
        check_grads(lambda d, b: spsolve(make(d), b), (DATA, b), order=2)
    check_grads(lambda d, b: spsolve(make(d).T, b), (DATA + 0.5j, X), order=2)
    check_grads(lambda b: spsolve(ss.csc_array(DENSE), b, "NATURAL"), (X,))
    np.testing.assert_allclose(spsolve(make(DATA), [1, 2, 3]), np.linalg.solve(DENSE, [1, 2, 3]))


def test_large_systems_stay_sparse():
    """A chain of springs: the derivative with respect to each stiffness, by one more solve with the same matrix."""
    n = 20_000

    def tip(k):
        a = sparse.diags_array([k + np.append(k[1:], 0.0), -k[1:], -k[1:]], offsets=[0, 1, -1])
        return spsolve(a, np.eye(1, n, n - 1)[0])[-1]

    k = np.linspace(1.0, 2.0, n)
    np.testing.assert_allclose(tip(k), np.sum(1 / k), rtol=1e-9)
    np.testing.assert_allclose(grad(tip)(k), -1 / k**2, rtol=1e-6)


def test_matrices_as_containers():
    a = make(DATA)
    g = grad(lambda a: np.sum((a @ X) ** 2))(a)
    assert isinstance(g, sparse.csr_array)
    np.testing.assert_allclose(g.toarray(), np.where(DENSE != 0, np.outer(2 * DENSE @ X, X), 0.0))
    _, dot = jvp(lambda a: a @ X, (a,), (g,))
    np.testing.assert_allclose(dot, g @ X)
    moved = wg.optim.ravel(a)[1](wg.optim.ravel(a)[0] * 2) if hasattr(wg.optim, "ravel") else a * 2.0
    np.testing.assert_allclose(moved.toarray(), 2 * DENSE)
    assert hash(a.pattern) == hash(make(2 * DATA).pattern)
    assert a.pattern == make(2 * DATA).pattern
    assert a.pattern != sparse.csr_array(np.eye(3)).pattern


def test_transforms():
    f = lambda d, x: np.sum(spsolve(make(d), make(d) @ x * 2) ** 2) + np.sum(x @ make(d))
    ds, xs = np.stack([DATA, DATA + 0.1]), np.stack([X, 2 * X])
    g = grad(f, argnums=(0, 1))
    for axes, args in (((0, 0), (ds, xs)), ((None, 0), (DATA, xs)), ((0, None), (ds, X))):
        rows = [g(*(a if ax is None else a[k] for a, ax in zip(args, axes, strict=True))) for k in range(2)]
        for out, parts in zip(vmap(g, in_axes=axes)(*args), zip(*rows, strict=True), strict=True):
            np.testing.assert_allclose(out, np.stack(parts), atol=1e-12)
    for out, part in zip(jit(g)(DATA, X), g(DATA, X), strict=True):
        np.testing.assert_allclose(out, part)
    np.testing.assert_allclose(vmap(lambda m: make(DATA) @ m)(np.stack([M, M + 1])), DENSE @ np.stack([M, M + 1]))
    h = hessian(lambda d: np.sum(spsolve(make(d), X)))(DATA)
    np.testing.assert_allclose(h, h.T)


def test_single_precision_stays():
    d, x = DATA.astype(np.float32), X.astype(np.float32)
    for f in (lambda d, x: make(d) @ x, lambda d, x: spsolve(make(d), x)):
        out, dots = jvp(f, (d, x), (d, x))
        assert out.dtype == dots.dtype == np.float32


def test_errors():
    for bad in (
        lambda: sparse.csr_array(np.ones(3)),
        lambda: sparse.csr_array((DATA, (ROWS, COLUMNS)), shape=(2, 2)),
        lambda: sparse.csr_array((DATA[:2], (ROWS, COLUMNS))),
        lambda: sparse.csr_array((DATA, (-ROWS, COLUMNS))),
        lambda: make(DATA) @ np.ones(4),
        lambda: make(DATA) @ np.float64(2.0),
        lambda: np.ones(4) @ make(DATA),
        lambda: make(DATA) + sparse.csr_array(np.eye(2)),
        lambda: make(DATA).multiply(np.ones(4)),
        lambda: spsolve(make(DATA), np.ones(4)),
        lambda: spsolve(sparse.csr_array(np.ones((2, 3))), np.ones(2)),
        lambda: sparse.diags_array([[1.0, 2.0]], offsets=[0, 1]),
        lambda: sparse.diags_array([[1.0, 2.0], [1.0, 2.0]], offsets=[0, 1]),
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            bad()
    for bad, message in (
        (lambda d: make(d) @ make(d), "two sparse"),
        (lambda d: make(d) * make(d), "two sparse"),
        (lambda d: make(d) + np.ones((3, 3)), "toarray"),
        (lambda d: sparse.csr_array(make(d).toarray()), "zeros"),
    ):
        with pytest.raises(UnsupportedOperationError, match=message):
            grad(lambda d, bad=bad: np.sum(bad(d).data))(DATA)
    with pytest.warns(ssl.MatrixRankWarning):
        assert np.isnan(jvp(lambda d: spsolve(make(d), X), (0 * DATA,), (DATA,))[0]).all()


# Assignments ---------------------------------------------------------------------------------------------------------


def test_assignments():
    cost = RNG.normal(size=(4, 5))
    for c in (cost, cost.T):
        for maximize in (False, True):
            i, j = scipy.optimize.linear_sum_assignment(c, maximize)

            def total(c, maximize=maximize):
                rows, columns = linear_sum_assignment(c, maximize)
                return np.sum(c[rows, columns] ** 2)

            expected = np.zeros_like(c)
            expected[i, j] = 2 * c[i, j]
            np.testing.assert_allclose(grad(total)(c), expected)
            np.testing.assert_allclose(jit(grad(total))(c), expected)
            np.testing.assert_allclose(vmap(grad(total))(np.stack([c, c]))[1], expected)
    with pytest.raises(ValueError, match="2-D"):
        grad(lambda c: c[linear_sum_assignment(c)[0]][0])(cost[0])
    with pytest.raises(ValueError, match="invalid numeric"):
        grad(lambda c: c[linear_sum_assignment(c)][0])(cost * np.nan)
