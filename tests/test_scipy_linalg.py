"""`wengert.scipy.linalg`: values are SciPy's, derivatives of both modes and second order are finite differences."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
import scipy.linalg as sl

from wengert import check_grads, grad, jacobian, jit, jvp, vmap
from wengert.errors import UnsupportedOperationError
from wengert.scipy import linalg as wsl

RNG = np.random.default_rng(3)


def r(*shape):
    return RNG.normal(size=shape)


def c(*shape):
    return r(*shape) + 1j * r(*shape)


def definite(a):
    return a @ np.swapaxes(a, -1, -2).conj() + np.eye(a.shape[-1])


A, B, C = r(4, 4) + 3 * np.eye(4), r(4, 2), c(4, 4) + 3 * np.eye(4)
S = definite(r(4, 4)) + np.diag([0.0, 2.0, 5.0, 9.0])
A2, S2, C2 = A[:2, :2], S[:2, :2], C[:2, :2]
BAND = np.array([[0.0, 0.3, -0.2, 0.5], [4.0, 5.0, 6.0, 7.0], [0.4, -0.3, 0.6, 0.0]])


def leaves(out):
    return list(out) if isinstance(out, tuple) else [out]


CASES = [
    ("solve", (A, B), {}),
    ("solve", (A, B[:, 0]), {"transposed": True}),
    ("solve", (C, B), {"assume_a": "gen"}),
    ("solve", (np.stack([A, A + 1]), B), {}),
    *(("solve", (S, B), {"assume_a": how, "lower": low}) for how in ("sym", "her", "pos") for low in (True, False)),
    *(
        ("solve", (A, B), {"assume_a": how})
        for how in ("diagonal", "tridiagonal", "upper triangular", "lower triangular")
    ),
    ("solve", (definite(C), B), {"assume_a": "her"}),
    ("inv", (A,), {}),
    ("inv", (S,), {"assume_a": "pos"}),
    ("det", (A,), {}),
    ("det", (np.stack([A, C]),), {}),
    ("cholesky", (S,), {}),
    ("cholesky", (definite(C),), {"lower": True}),
    ("lu_factor", (A,), {}),
    *(("lu", (x,), {"permute_l": p}) for x in (A, r(5, 3), r(3, 5), C, np.stack([A, r(4, 4)])) for p in (True, False)),
    ("lu", (r(5, 3),), {"p_indices": True}),
    ("qr", (A,), {}),
    ("qr", (r(5, 3),), {"mode": "economic"}),
    ("qr", (r(5, 3),), {"mode": "r"}),
    ("qr", (r(3, 5),), {}),
    ("qr", (r(5, 3),), {"mode": "economic", "pivoting": True}),
    ("svdvals", (r(4, 3),), {}),
    ("svd", (A,), {"compute_uv": False}),
    ("polar", (A,), {}),
    ("polar", (r(4, 3),), {}),
    ("polar", (r(3, 4),), {"side": "left"}),
    ("eigh", (S,), {}),
    ("eigh", (S,), {"lower": False, "subset_by_index": [1, 2]}),
    ("eigvalsh", (S,), {"subset_by_value": [3.0, 100.0]}),
    *(("eigh", (S, definite(A)), {"type": k}) for k in (1, 2, 3)),
    ("eigvalsh", (definite(C) + np.diag(np.arange(4.0) * 9), definite(C)), {"lower": False}),
    ("eigvalsh", (np.stack([S, 2 * S]), definite(A)), {}),
    ("eigvals", (np.diag(np.arange(1.0, 5.0)) + 0.1 * A,), {}),
    ("expm", (A2,), {}),
    ("expm", (np.stack([C2, A2]) / 3,), {}),
    ("expm", (np.zeros((2, 2)),), {}),
    ("expm_frechet", (A2, r(2, 2)), {}),
    ("logm", (S2,), {}),
    ("logm", (C2,), {}),
    ("sqrtm", (S2,), {}),
    ("sqrtm", (C2,), {}),
    *((name, (0.3 * x,), {}) for name in ("cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm") for x in (A2, C2)),
    ("solve_sylvester", (A, definite(r(2, 2)), B), {}),
    ("solve_sylvester", (C, definite(r(2, 2)), B), {}),
    ("solve_continuous_lyapunov", (A, r(4, 4)), {}),
    ("solve_continuous_lyapunov", (C, c(4, 4)), {}),
    *(
        ("solve_discrete_lyapunov", (0.2 * x, r(4, 4)), {"method": how})
        for x in (A, C)
        for how in ("direct", "bilinear")
    ),
    ("block_diag", (r(2, 3), r(2), r(1, 1)), {}),
    ("toeplitz", (r(3), r(4)), {}),
    ("toeplitz", (c(3),), {}),
    ("toeplitz", (r(2, 3), r(4)), {}),
    ("circulant", (r(4),), {}),
    ("circulant", (r(2, 3),), {}),
    ("hankel", (r(4),), {}),
    ("hankel", (r(3), r(4)), {}),
    ("companion", (r(4),), {}),
    ("companion", (r(2),), {}),
    *(("convolution_matrix", (r(n), 3), {"mode": how}) for n in (2, 5) for how in ("full", "same", "valid")),
    ("khatri_rao", (r(2, 3), r(4, 3)), {}),
    ("diagsvd", (r(3), 5, 3), {}),
    ("diagsvd", (r(3), 3, 4), {}),
    ("matmul_toeplitz", (r(4), r(4, 2)), {}),
    ("solve_toeplitz", (r(4) + np.array([4.0, 0, 0, 0]), r(4)), {}),
    ("solve_circulant", (r(4) + np.array([4.0, 0, 0, 0]), r(4)), {}),
    ("pinv", (r(4, 3),), {}),
    ("pinv", (r(3, 4),), {"atol": 1e-3, "return_rank": True}),
    ("pinv", (r(2, 4, 3),), {}),
    ("pinvh", (S,), {}),
    ("norm", (r(3, 3), "fro"), {}),
    ("lstsq", (r(5, 3), r(5, 2)), {}),
    ("lstsq", (r(5, 3), r(5)), {}),
    ("solveh_banded", (BAND[:2], B), {}),
    ("solveh_banded", (BAND[1:], B[:, 0]), {"lower": True}),
    ("solveh_banded", (BAND[1:] + np.array([[0], [0.2j]]), B), {"lower": True}),
]


def split(args):
    """Differentiated arguments, and a function that puts the others back."""
    active = [k for k, x in enumerate(args) if isinstance(x, np.ndarray)]

    def full(xs):
        out = list(args)
        for k, x in zip(active, xs, strict=True):
            out[k] = x
        return out

    return tuple(args[k] for k in active), full


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=[f"{k}-{c[0]}" for k, c in enumerate(CASES)])
def test_values_and_derivatives(name, args, kwargs):
    primals, full = split(args)
    ours, theirs = getattr(wsl, name), getattr(sl, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        expected = leaves(theirs(*args, **kwargs))
        traced = leaves(jvp(lambda *a: ours(*full(a), **kwargs), primals, tuple(map(np.zeros_like, primals)))[0])
    for a, e in zip(traced, expected, strict=True):
        if e is None:
            assert a is None
            continue
        assert np.shape(a) == np.shape(e)
        if not isinstance(e, int):
            assert np.asarray(a).dtype == np.asarray(e).dtype
        if name == "eigh":  # vectors are defined up to a sign
            a, e = abs(a), abs(e)
        np.testing.assert_allclose(a, e, rtol=1e-9, atol=1e-9)

    def smooth(*a):
        out = [x for x in leaves(ours(*full(a), **kwargs)) if x is not None and np.result_type(x).kind in "fc"]
        return [out[0], out[1] * out[1][:1]] if name == "eigh" else out

    check_grads(smooth, primals, order=2 if sum(x.size for x in primals) < 20 and name != "logm" else 1, rtol=1e-4)


def test_factors_solve():
    for x in (A, C, np.stack([A, A[::-1]])):
        for trans in (0, 1, 2):
            expected = (
                np.stack([sl.lu_solve(sl.lu_factor(y), B, trans) for y in x])
                if x.ndim == 3
                else sl.lu_solve(sl.lu_factor(x), B, trans)
            )
            f = lambda a, b, trans=trans: wsl.lu_solve(wsl.lu_factor(a), b, trans)
            np.testing.assert_allclose(jvp(f, (x, B), (x, B))[0], expected)
            check_grads(f, (x, B), order=2 if x is A and trans == 0 else 1)
    np.testing.assert_array_equal(wsl.lu_solve(wsl.lu_factor(A), B), sl.lu_solve(sl.lu_factor(A), B))


def test_banded_systems():
    rows = np.stack([*BAND, [0.2, 0.1, 0.0, 0.0]])
    for above, below, ab in ((1, 1, BAND), (1, 2, rows), (2, 0, BAND[[0, 0, 1]]), (0, 0, BAND[1:2])):
        for b in (B, B[:, 0], c(4, 3)):
            f = partial(wsl.solve_banded, (below, above))
            np.testing.assert_allclose(jvp(f, (ab, b), (ab, b))[0], sl.solve_banded((below, above), ab, b))
            check_grads(f, (ab, b), order=2)
    # What LAPACK does not read has no influence.
    g = jacobian(lambda ab: wsl.solve_banded((1, 1), ab, B))(BAND)
    assert not np.any(g[..., 0, 0])
    assert not np.any(g[..., 2, 3])
    with pytest.raises(ValueError, match="does not equal"):
        grad(lambda ab: np.sum(wsl.solve_banded((2, 1), ab, B)))(BAND)


def test_matrix_equations_with_real_and_complex_matrices():
    """SciPy itself solves another equation if a real matrix has complex eigenvalues and only q is complex."""
    a, b, q = np.array([[1.0, 2.0], [-2.0, 1.0]]), np.array([[2.0, 1.0], [-1.0, 2.0]]), c(2, 2)
    for solve, residual in (
        (lambda q: wsl.solve_sylvester(a, b, q), lambda x: a @ x + x @ b - q),
        (lambda q: wsl.solve_continuous_lyapunov(a, q), lambda x: a @ x + x @ a.T - q),
        (lambda q: wsl.solve_discrete_lyapunov(a / 4, q, "bilinear"), lambda x: a @ x @ a.T / 16 - x + q),
    ):
        np.testing.assert_allclose(residual(solve(q)), 0.0, atol=1e-13)
        np.testing.assert_allclose(residual(jvp(solve, (q,), (q,))[0]), 0.0, atol=1e-13)
        check_grads(solve, (q,))


def test_vmap_and_jit():
    xs = np.stack([S, S + 0.1, S + np.eye(4)])
    for f in (
        wsl.expm,
        wsl.logm,
        wsl.sqrtm,
        wsl.cosm,
        lambda a: wsl.lu_solve(wsl.lu_factor(a), B),
        wsl.eigvalsh,
        wsl.pinv,
    ):
        g = grad(lambda a, f=f: np.sum(f(a / 4) ** 2))
        expected = np.stack([g(x) for x in xs])
        np.testing.assert_allclose(vmap(g)(xs), expected, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(jit(g)(xs[1]), expected[1], rtol=1e-8, atol=1e-10)


def test_logarithm_undoes_the_exponential():
    both = lambda a: wsl.logm(wsl.expm(a))
    np.testing.assert_allclose(jacobian(both)(0.3 * A).reshape(16, 16), np.eye(16), atol=1e-10)
    np.testing.assert_allclose(jvp(wsl.expm, (np.zeros((2, 2)),), (np.eye(2) * 1e9,))[1], np.eye(2) * 1e9)


def test_real_matrices_with_complex_functions():
    x = -A2  # negative eigenvalues
    for name in ("logm", "sqrtm"):
        f = getattr(wsl, name)
        assert jvp(f, (x,), (x,))[0].dtype == complex
        check_grads(f, (x,), order=2)


def test_no_derivative_where_there_is_none():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(jvp(wsl.sqrtm, (np.diag([1.0, 0.0]),), (np.eye(2),))[1]).all()
        zero = np.zeros((2, 2))
        assert np.isnan(jvp(lambda q: wsl.solve_sylvester(zero, zero, q), (np.eye(2),), (np.eye(2),))[1]).all()
    for f in (lambda a: wsl.qr(a)[0], lambda a: wsl.qr(a, mode="raw")[1]):
        with pytest.raises(UnsupportedOperationError, match="economic"):
            grad(lambda a, f=f: np.sum(f(a)))(r(4, 3))
    with pytest.raises(UnsupportedOperationError, match="singular"):
        grad(lambda a: np.sum(wsl.solve_circulant(a, r(3), singular="lstsq")))(r(3))


def test_errors_are_scipys():
    bad = [
        ("solve", (r(3, 2), r(3))),
        ("solve", (r(3, 3), r(4))),
        ("solve", (np.zeros((2, 2)), r(2))),
        ("inv", (np.zeros((2, 2)),)),
        ("cholesky", (-np.eye(2),)),
        ("eigh", (r(2, 3),)),
        ("eigh", (np.eye(2), np.eye(3))),
        ("eigh", (np.eye(2), -np.eye(2))),
        ("qr", (r(2, 2), False, None, "all")),
        ("polar", (r(2, 2), "up")),
        ("companion", (r(1),)),
        ("solve_discrete_lyapunov", (np.eye(2) / 2, np.eye(2), "guess")),
        ("diagsvd", (r(2), 3, 4)),
        ("khatri_rao", (r(2, 2), r(2, 3))),
        ("expm", (r(3),)),
        ("lstsq", (r(3, 2), r(2))),
    ]
    for name, args in bad:
        with pytest.raises(Exception) as expected:  # noqa: PT011
            getattr(sl, name)(*args)
        kind = np.linalg.LinAlgError if isinstance(expected.value, np.linalg.LinAlgError) else expected.type
        with pytest.raises(kind):
            jvp(lambda a, name=name, args=args: getattr(wsl, name)(a, *args[1:]), (args[0],), (args[0],))


def test_single_precision_stays():
    x, b = S.astype(np.float32), B.astype(np.float32)
    for f in (wsl.expm, wsl.inv, lambda a: wsl.lu(a)[1], wsl.eigvalsh, wsl.sqrtm, lambda a: wsl.solve(a, b)):
        out, dot = jvp(f, (x / 9,), (x,))
        assert out.dtype == dot.dtype == np.float32
        assert grad(lambda a, f=f: np.sum(f(a)))(x / 9).dtype == np.float32
