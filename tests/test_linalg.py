"""Linear algebra through NumPy's names: derivatives, conventions, singular and degenerate matrices, errors.

What holds at regular points for each primitive is in test_registry; here are the functions built on them.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg

import wengert.numpy as wnp
from wengert import check_grads, grad, hessian, jacfwd, jacrev, jit, jvp, vjp, vmap
from wengert.errors import ConcretizationError, UnsupportedOperationError
from wengert.scipy import linalg as wsl

la = np.linalg
_rng = np.random.default_rng(11)


def _r(*shape):
    return _rng.normal(size=shape)


A, C = _r(4, 4), _r(4, 4) + 1j * _r(4, 4)
TALL, WIDE, STACK = _r(5, 3), _r(3, 5), _r(3, 4, 4)
TALL_C = _r(5, 3) + 1j * _r(5, 3)
B = _r(4)
SQUARE = {"real": A, "complex": C, "stack": STACK}
RECTANGULAR = {"tall": TALL, "wide": WIDE, "complex": TALL_C}


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def definite(x):
    return x @ adjoint(x) + np.eye(x.shape[-1])


def agrees(f, *args):
    """NumPy's value from the differentiated function, right derivatives up to order 2, and vmap as a loop."""
    expected = f(*args)
    actual = jvp(f, args, args)[0]
    for a, e in zip(_tuple(actual), _tuple(expected), strict=True):
        assert np.shape(a) == np.shape(e)
        assert np.asarray(a).dtype == np.asarray(e).dtype
        np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-12)
    check_grads(f, args)
    stacked = [np.stack([x, 1.1 * x]) for x in args]
    loop = [_tuple(f(*(x[i] for x in stacked))) for i in range(2)]
    for a, e in zip(_tuple(vmap(f)(*stacked)), zip(*loop, strict=True), strict=True):
        np.testing.assert_allclose(a, np.stack(e), rtol=1e-10, atol=1e-12)


def _tuple(x):
    return tuple(x) if isinstance(x, tuple) else (x,)


# Norms ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [None, "fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf])
@pytest.mark.parametrize("x", [A, C, TALL], ids=["real", "complex", "tall"])
def test_matrix_norms(x, order):
    agrees(lambda m: la.norm(m, order), x)


@pytest.mark.parametrize("order", ["fro", "nuc", 2, 1, np.inf])
@pytest.mark.parametrize("axis", [(0, 2), (2, 0), (-1, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_matrix_norms_over_axes(order, axis, keepdims):
    agrees(lambda m: la.norm(m, order, axis=axis, keepdims=keepdims), STACK)


@pytest.mark.parametrize("order", [None, 2, 1, np.inf, -np.inf, 0, 3, 2.5, 0.5, -1])
@pytest.mark.parametrize("x", [A, C], ids=["real", "complex"])
def test_vector_norms(x, order):
    agrees(lambda v: la.norm(v, order, axis=1), x)
    agrees(lambda v: la.norm(v[0], order), x)
    agrees(lambda v: la.norm(v, order, axis=-2, keepdims=True), x)


def test_norms_of_the_array_api():
    agrees(la.vector_norm, STACK)
    agrees(lambda x: la.vector_norm(x, axis=(0, 2), ord=3, keepdims=True), STACK)
    agrees(lambda x: la.matrix_norm(x, ord="nuc"), STACK)
    agrees(lambda x: la.norm(x, keepdims=True), STACK)


@pytest.mark.parametrize("order", [1, 2, 3, 1.5, 0.5, 0, np.inf, -np.inf])
def test_vector_norms_have_derivative_zero_at_the_origin(order):
    np.testing.assert_array_equal(grad(lambda x: la.norm(x, order))(np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("order", ["fro", "nuc", 2, -2, 1, np.inf])
def test_matrix_norms_have_derivative_zero_at_the_origin(order):
    np.testing.assert_array_equal(grad(lambda x: la.norm(x, order))(np.zeros((3, 2))), np.zeros((3, 2)))


def test_norm_conventions():
    np.testing.assert_array_equal(grad(la.norm)(np.zeros(2, complex)), np.zeros(2))
    np.testing.assert_array_equal(hessian(la.norm)(np.zeros(2)), np.zeros((2, 2)))
    np.testing.assert_array_equal(grad(lambda x: la.norm(x, np.inf))(np.array([3.0, -3.0, 1.0])), [0.5, -0.5, 0.0])
    np.testing.assert_allclose(grad(lambda x: la.norm(x, 2))(np.eye(2)), np.eye(2) / 2, atol=1e-15)
    np.testing.assert_allclose(grad(lambda x: la.norm(x, "nuc"))(np.eye(3)), np.eye(3), atol=1e-15)
    z = np.array([3.0 + 4.0j])
    np.testing.assert_allclose(grad(la.norm)(z), z / 5)
    assert grad(la.norm)(np.float64(-3.0)) == -1.0
    assert grad(la.norm)(np.zeros(0)).shape == (0,)
    assert jvp(lambda x: la.norm(x, np.inf), (np.zeros(0),), (np.zeros(0),)) == (0.0, 0.0)


def test_one_zero_row_does_not_harm_the_others():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(grad(lambda m: np.sum(la.norm(m, axis=1)))(x), [[0.6, 0.8], [0.0, 0.0]])


# Determinants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SQUARE)
def test_functions_of_square_matrices(kind):
    x = SQUARE[kind]
    agrees(la.det, x)
    agrees(lambda a: tuple(la.slogdet(a)), x)
    agrees(la.inv, x)
    agrees(la.cond, x)
    for n in (-2, 0, 1, 3):
        agrees(lambda a, n=n: la.matrix_power(a, n), x)
    if kind != "stack":
        agrees(lambda a: la.cond(a, 1), x)


@pytest.mark.parametrize("p", [None, -2, 1, "fro"])
@pytest.mark.parametrize("x", [np.zeros((2, 2)), np.stack([np.eye(2), np.zeros((2, 2))]), np.diag([1.0, np.nan])])
def test_condition_number_of_singular_matrices(x, p):
    with np.errstate(all="ignore"):
        try:
            expected = la.cond(x, p)
        except la.LinAlgError:
            with pytest.raises(la.LinAlgError):
                jvp(lambda a: la.cond(a, p), (x,), (x,))
            return
        np.testing.assert_array_equal(jvp(lambda a: la.cond(a, p), (x,), (x,))[0], expected)


def hessian_of_det(x):
    """By expansion along two rows."""
    n = x.shape[0]
    out = np.zeros((n, n, n, n))
    for i, j, k, m in itertools.product(range(n), repeat=4):
        if i != k and j != m:
            minor = x.copy()
            minor[[i, k]] = 0.0
            minor[i, j] = minor[k, m] = 1.0
            out[i, j, k, m] = la.det(minor)
    return out


SINGULAR = {
    "rank 3 of 4": TALL[:4] @ WIDE[:, :4],
    "rank 2 of 4": TALL[:4, :2] @ WIDE[:2, :4],
    "rank 1": np.ones((4, 4)),
    "zero": np.zeros((3, 3)),
    "1 x 1": np.zeros((1, 1)),
    "graded": np.diag([1e5, 1.0, 1.0, 0.0]),
    "nearly": la.qr(A)[0] @ np.diag([1.0, 2.0, 3.0, 1e-11]) @ la.qr(A.T)[0],
}


@pytest.mark.parametrize("kind", SINGULAR)
def test_det_of_singular_matrices(kind):
    x = SINGULAR[kind]
    n = x.shape[0]
    cofactors = [[(-1) ** (i + j) * la.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(n)] for i in range(n)]
    scale = max(1.0, np.abs(x).max())
    np.testing.assert_allclose(grad(la.det)(x), cofactors, rtol=1e-9, atol=1e-12 * scale)
    exact = hessian_of_det(x)
    for outer, inner in itertools.product((jacfwd, jacrev), repeat=2):
        np.testing.assert_allclose(outer(inner(la.det))(x), exact, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("kind", SINGULAR)
def test_det_of_singular_matrices_in_programs(kind):
    """First and second derivatives, where the program cannot look at the matrix."""
    x = SINGULAR[kind]
    scale = max(1.0, np.abs(x).max()) ** max(1, x.shape[0] - 2)
    np.testing.assert_allclose(jit(grad(la.det))(x), grad(la.det)(x), rtol=1e-8, atol=1e-10 * scale)
    np.testing.assert_allclose(jit(hessian(la.det))(x), hessian_of_det(x), rtol=1e-8, atol=1e-10 * scale)
    np.testing.assert_allclose(jit(jacrev(jacrev(la.det)))(x), hessian_of_det(x), rtol=1e-8, atol=1e-10 * scale)


def test_third_derivative_of_det_at_zero():
    third = jacfwd(hessian(la.det))(np.zeros((3, 3)))
    assert third[0, 0, 1, 1, 2, 2] == 1.0
    assert third[0, 1, 1, 0, 2, 2] == -1.0


def test_det_of_a_stack_with_singular_matrices():
    x = np.stack([np.eye(3), np.ones((3, 3)), np.diag([1.0, 2.0, 0.0]), np.zeros((3, 3))])
    expected = [np.eye(3), np.zeros((3, 3)), np.diag([0.0, 0.0, 2.0]), np.zeros((3, 3))]
    np.testing.assert_allclose(grad(lambda a: np.sum(la.det(a)))(x), expected, atol=1e-15)
    np.testing.assert_allclose(vmap(grad(la.det))(x), expected, atol=1e-15)
    np.testing.assert_allclose(grad(lambda a: np.sum(vmap(la.det)(a)))(x), expected, atol=1e-15)
    check_grads(la.det, (np.outer(C[0], C[1]),))


@pytest.mark.parametrize("n", [20, 60])
def test_det_with_a_large_null_space(n):
    """Zero to all orders that are asked for, in a time that does not explode."""
    t = np.linspace(0, 1, n)
    for x in (np.zeros((20, 20)), np.ones((20, 20)), np.exp(-5 * (t[:, None] - t) ** 2)):
        g = grad(la.det)(x)
        assert np.all(np.isfinite(g))
        assert np.abs(g).max() < 1e-12


def test_det_at_the_edges():
    np.testing.assert_allclose(grad(la.det)(np.ones((2, 2), np.float32)), [[1, -1], [-1, 1]], rtol=1e-6)
    assert grad(la.det)(np.ones((2, 2), np.float32)).dtype == np.float32
    assert grad(la.det)(np.zeros((0, 0))).shape == (0, 0)
    assert vjp(la.det, np.ones((0, 2, 2)))[1](np.ones(0))[0].shape == (0, 2, 2)
    with np.errstate(invalid="ignore"):
        assert np.all(np.isnan(grad(la.det)(np.full((2, 2), np.nan))))


def test_slogdet_where_there_is_no_derivative():
    assert np.all(np.isnan(grad(lambda a: la.slogdet(a)[1])(np.ones((2, 2)))))
    x = np.stack([2 * np.eye(2), np.ones((2, 2))])
    chosen = grad(lambda a: np.sum(np.where([True, False], la.slogdet(a)[1], 0.0)))(x)
    np.testing.assert_array_equal(chosen, [np.eye(2) / 2, np.zeros((2, 2))])


# Linear systems ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SQUARE)
@pytest.mark.parametrize("b", [B, _r(4, 2), _r(3, 4, 2), _r(4, 0)], ids=["vector", "matrix", "stack", "empty"])
def test_solve(kind, b):
    agrees(la.solve, SQUARE[kind], b)


def test_solve_under_vmap():
    bs = _r(3, 4)
    expected = np.stack([la.solve(A, b) for b in bs])
    np.testing.assert_allclose(vmap(la.solve, in_axes=(None, 0))(A, bs), expected)
    np.testing.assert_allclose(vmap(la.solve, in_axes=(0, None))(STACK, B), np.stack([la.solve(a, B) for a in STACK]))


@pytest.mark.parametrize("kind", RECTANGULAR)
def test_pseudo_inverses_and_least_squares(kind):
    x = RECTANGULAR[kind]
    agrees(la.pinv, x)
    check_grads(lambda a: la.pinv(a, rtol=1e-3), (x,))
    check_grads(lambda a: la.lstsq(a, np.ones(a.shape[0]))[0], (x,))
    b = _r(x.shape[0], 2)
    for a, e in zip(jvp(la.lstsq, (x, b), (x, b))[0], la.lstsq(x, b), strict=True):
        np.testing.assert_allclose(a, e, atol=1e-12)
    check_grads(lambda a, b: (la.lstsq(a, b)[0], la.lstsq(a, b)[1]), (x, b))


def test_pinv_of_a_matrix_without_full_rank():
    """Along directions that keep the rank, as f(x) = pinv(u vᵀ) does."""
    check_grads(lambda u, v: la.pinv(u @ v, rtol=1e-8), (_r(4, 2), _r(2, 5)))
    np.testing.assert_array_equal(grad(lambda a: np.sum(la.pinv(a)))(np.zeros((2, 3))), np.zeros((2, 3)))
    check_grads(lambda a: la.pinv(a, hermitian=True), (A + A.T,))


def test_tensor_equations():
    agrees(la.tensorinv, _r(2, 3, 6))
    agrees(la.tensorsolve, _r(2, 3, 6), _r(2, 3))
    check_grads(lambda a, b: la.tensorsolve(a, b, axes=(0,)), (_r(6, 2, 3), _r(2, 3)))


def test_functions_of_scipy():
    lower, b = np.tril(A) + 4 * np.eye(4), _r(4, 2)
    for trans, low in itertools.product((0, "T", "C"), (True, False)):
        x = lower if low else lower.T
        f = lambda a, b, trans=trans, low=low: wsl.solve_triangular(a, b, trans=trans, lower=low)
        np.testing.assert_allclose(jvp(f, (x, b), (x, b))[0], scipy.linalg.solve_triangular(x, b, trans, low))
        check_grads(f, (x, b[:, 0]))
    for low in (True, False):
        solved = jvp(lambda a, low=low: wsl.cho_solve(wsl.cho_factor(a, lower=low), B), (definite(A),), (A,))[0]
        np.testing.assert_allclose(solved, la.solve(definite(A), B))
        check_grads(lambda a, low=low: wsl.cho_solve((wsl.cholesky(a, lower=low), low), B), (definite(A),))


# Decompositions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SQUARE)
@pytest.mark.parametrize("upper", [False, True])
def test_cholesky(kind, upper):
    agrees(lambda a: la.cholesky(a, upper=upper), definite(SQUARE[kind]))
    check_grads(lambda a: la.cholesky(definite(a), upper=upper), (SQUARE[kind],))


def test_functions_of_one_triangle_are_differentiated_as_such():
    x = definite(A)
    other = np.triu(np.ones((4, 4)), 1) > 0
    for f in (la.cholesky, la.eigvalsh):
        assert np.all(grad(lambda a, f=f: np.sum(f(a)))(x)[other] == 0)
    # In a symmetric direction it makes no difference: d log det A = tr A⁻¹ dA.
    g = grad(lambda a: 2 * np.sum(np.log(np.diagonal(la.cholesky(a)))))(x)
    np.testing.assert_allclose(g + g.T, 2 * (la.inv(x)))


@pytest.mark.parametrize("kind", SQUARE)
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigenvalues_and_projections(kind, uplo):
    def projection(a):
        w, v = la.eigh(a, uplo)
        return (v[..., :2] * w[..., None, :2]) @ adjoint(v[..., :2])

    agrees(lambda a: la.eigvalsh(a, uplo), SQUARE[kind])
    agrees(projection, SQUARE[kind])


@pytest.mark.parametrize("kind", SQUARE)
def test_eigenvalues_of_general_matrices(kind):
    def spectral_function(a):
        w, v = la.eig(a)
        return (v * np.exp(w)[..., None, :]) @ la.inv(v)

    check_grads(la.eigvals, (SQUARE[kind],))
    check_grads(spectral_function, (SQUARE[kind],))


@pytest.mark.parametrize("kind", [*SQUARE, *RECTANGULAR])
@pytest.mark.parametrize("full", [True, False])
def test_singular_values_and_projections(kind, full):
    x = {**RECTANGULAR, **SQUARE}[kind]
    k = min(x.shape[-2:])

    def functions(a):
        u, s, vh = la.svd(a, full_matrices=full)
        rest = u[..., k:] @ adjoint(u[..., k:]), adjoint(vh[..., k:, :]) @ vh[..., k:, :]
        return (u[..., :2] * s[..., None, :2] ** 2) @ vh[..., :2, :], u[..., :k] @ vh[..., :k, :], *rest

    agrees(la.svdvals, x)
    agrees(functions, x)
    assert la.svd(x, full_matrices=full)._fields == jvp(lambda a: la.svd(a, full), (x,), (x,))[0]._fields


def test_hermitian_svd():
    agrees(lambda a: la.svd(a, compute_uv=False, hermitian=True), A + A.T)


@pytest.mark.parametrize("kind", [*SQUARE, *RECTANGULAR])
def test_qr(kind):
    x = {**RECTANGULAR, **SQUARE}[kind]
    agrees(lambda a: tuple(la.qr(a)), x)
    agrees(lambda a: la.qr(a, "r"), x)
    if x.shape[-2] <= x.shape[-1]:
        agrees(lambda a: tuple(la.qr(a, "complete")), x)


def test_results_are_named():
    out, dots = jvp(la.eigh, (A,), (A,))
    assert out._fields == dots._fields == la.eigh(A)._fields
    assert jvp(la.qr, (A,), (A,))[0]._fields == la.qr(A)._fields
    assert jvp(la.slogdet, (A,), (A,))[0]._fields == la.slogdet(A)._fields
    assert jvp(la.eig, (A,), (A,))[0]._fields == la.eig(A)._fields


# Coinciding values ---------------------------------------------------------------------------------------------------


def test_values_only_at_coinciding_values():
    eye = np.eye(3)
    np.testing.assert_allclose(grad(lambda a: np.sum(la.eigvalsh(a) ** 2))(2 * eye), 4 * eye, atol=1e-14)
    np.testing.assert_allclose(grad(lambda a: np.sum(la.svdvals(a) ** 2))(2 * eye), 4 * eye, atol=1e-14)
    np.testing.assert_allclose(grad(lambda a: np.real(np.sum(la.eigvals(a) ** 2)))(2 * eye), 4 * eye, atol=1e-14)
    np.testing.assert_allclose(jvp(lambda a: np.sum(la.eigvalsh(a)), (eye,), (A[:3, :3],))[1], np.trace(A[:3, :3]))


def test_vectors_of_coinciding_values_have_no_finite_derivative():
    weights = np.array([[0.0, 1.0], [2.0, 0.0]])
    for vectors in (lambda a: la.eigh(a)[1], lambda a: la.svd(a)[0], lambda a: la.svd(a)[2], lambda a: la.eig(a)[1]):
        g = grad(lambda a, vectors=vectors: np.real(np.sum(weights * vectors(a))))(np.eye(2))
        assert not np.all(np.isfinite(g))
        assert not np.all(np.isfinite(jvp(vectors, (np.eye(2),), (A[:2, :2],))[1]))


def test_matrices_of_which_one_in_a_stack_is_degenerate():
    x = np.stack([np.diag([1.0, 2.0]), np.eye(2)])
    weights = np.array([[0.0, 1.0], [2.0, 0.0]])
    g = grad(lambda a: np.sum(weights * la.eigh(a)[1][0]))(x)
    assert np.all(np.isfinite(g))
    np.testing.assert_array_equal(g[1], 0.0)


# Products ------------------------------------------------------------------------------------------------------------


def test_products():
    agrees(lambda a, b, c: la.multi_dot([a, b, c]), B, A, _r(4, 1))
    agrees(lambda a, b, c, d: la.multi_dot([a, b, c, d]), A, TALL[:4], WIDE, _r(5))
    agrees(la.cross, _r(2, 3), _r(3))
    agrees(lambda a, b: la.cross(a, b, axis=0), _r(3, 2), _r(3, 2))
    agrees(la.trace, STACK)
    agrees(lambda a: la.trace(a, offset=1), STACK)
    agrees(lambda a: la.diagonal(a, offset=-1), STACK)
    agrees(la.outer, B, _r(3))
    agrees(la.vecdot, C, C[0])
    agrees(lambda a, b: la.tensordot(a, b, axes=1), A, C)
    agrees(la.matrix_transpose, STACK)
    agrees(la.matmul, STACK, A)


def test_multi_dot_needs_few_multiplications():
    from wengert.numpy.matrix_products import _best_splits

    assert _best_splits([30, 35, 15, 5, 10, 20, 25])[0, 5] == 2  # Cormen et al., section 15.2


def test_rank():
    assert jvp(lambda a: la.matrix_rank(a) * np.sum(a), (np.ones((3, 3)),), (np.eye(3),)) == (9.0, 3.0)
    np.testing.assert_array_equal(vmap(la.matrix_rank)(np.stack([np.eye(2), np.ones((2, 2))])), [2, 1])
    for keywords in ({}, {"tol": 0.5}, {"rtol": 0.5}, {"hermitian": True}):
        expected = la.matrix_rank(definite(A), **keywords)
        assert (
            jvp(lambda a, k=keywords: la.matrix_rank(a, **k) * a[0, 0], (definite(A),), (A,))[1] == expected * A[0, 0]
        )


# The namespace -------------------------------------------------------------------------------------------------------


def test_every_function_is_there():
    names = {n for n in la.__all__ if callable(getattr(la, n))}
    assert {n for n in names if not hasattr(wnp.linalg, n)} == set()
    assert wnp.linalg.det([[1.0, 2.0], [3.0, 4.0]]) == la.det([[1.0, 2.0], [3.0, 4.0]])
    assert type(wnp.linalg.eigh(A).eigenvalues) is np.ndarray
    assert grad(lambda x: wnp.linalg.det([[x, 1.0], [2.0, x]]))(3.0) == pytest.approx(6.0)


def test_integers_under_vmap_become_floats():
    np.testing.assert_allclose(vmap(la.det)(np.arange(8).reshape(2, 2, 2)), [-2.0, -2.0])


@pytest.mark.parametrize(
    ("f", "x", "error"),
    [
        (la.det, np.ones((2, 3)), la.LinAlgError),
        (la.det, np.ones(3), la.LinAlgError),
        (la.inv, np.ones((2, 2)), la.LinAlgError),
        (la.cholesky, -np.eye(2), la.LinAlgError),
        (lambda a: la.solve(a, np.ones(3)), np.eye(2), ValueError),
        (lambda a: la.norm(a, "x"), np.eye(2), ValueError),
        (lambda a: la.norm(a, 3), np.eye(2), ValueError),
        (lambda a: la.norm(a, "fro", axis=0), np.eye(2), ValueError),
        (lambda a: la.norm(a, 2), np.ones((2, 2, 2)), ValueError),
        (lambda a: la.norm(a, axis=(0, 0)), np.ones((2, 2)), ValueError),
        (lambda a: la.norm(a, axis=5), np.ones((2, 2)), np.exceptions.AxisError),
        (lambda a: la.norm(a, -np.inf), np.ones(0), ValueError),
        (lambda a: la.eigh(a, "X")[0], np.eye(2), ValueError),
        (lambda a: la.qr(a, "x")[0], np.eye(2), ValueError),
        (lambda a: la.matrix_power(a, 2.0), np.eye(2), TypeError),
        (lambda a: la.cross(a, a), np.ones(2), ValueError),
        (lambda a: la.multi_dot([a]), np.eye(2), ValueError),
        (la.cond, np.zeros((0, 0)), la.LinAlgError),
        (lambda a: la.pinv(a, hermitian=True), TALL, la.LinAlgError),
        (lambda a: la.lstsq(a, np.ones(4))[0], TALL, la.LinAlgError),
        (lambda a: la.lstsq(a, np.ones(4))[0], STACK, la.LinAlgError),
        (lambda a: la.matrix_norm(a), np.ones(3), np.exceptions.AxisError),
        (lambda a: np.convolve(a, a), np.eye(2), ValueError),
        (lambda a: np.matvec(a, a), np.ones(2), ValueError),
        (lambda a: np.vecmat(a, a), np.ones(2), ValueError),
        (lambda a: la.qr(a, "complete")[0], TALL, UnsupportedOperationError),
        (lambda a: la.qr(a, "raw")[0], A, UnsupportedOperationError),
        (lambda a: la.qr(a)[0], np.zeros((3, 2)), UnsupportedOperationError),
        (lambda a: la.qr(a)[0], np.zeros((2, 3, 2)), UnsupportedOperationError),
    ],
)
def test_errors(f, x, error):
    with pytest.raises(error):
        grad(lambda a: np.sum(f(a)))(x)


def test_least_squares_under_vmap():
    a, b = _r(2, 3, 3), _r(3)
    np.testing.assert_allclose(vmap(lambda a: la.lstsq(a, b)[0])(a), [la.solve(m, b) for m in a])
    tall = _r(2, 3, 2)
    np.testing.assert_allclose(vmap(lambda a: la.lstsq(a, b)[1])(tall), [la.lstsq(m, b)[1] for m in tall])
    assert vmap(lambda a: la.lstsq(a, b)[1])(0 * tall).shape == (2, 0)
    with pytest.raises(ConcretizationError, match="lstsq"):
        vmap(lambda a: la.lstsq(a, b)[1])(tall * np.array([0.0, 1.0])[:, None, None])
    np.testing.assert_allclose(jit(lambda a: la.lstsq(a, b)[1])(tall[0]), la.lstsq(tall[0], b)[1])


def test_details_are_numpys():
    """Phases and order of vectors, dtypes, empty arrays, errors."""
    for x in (A, C, A.astype(np.float32)):
        for f in (
            lambda a: tuple(la.eigh(a, "U")),
            lambda a: tuple(la.svd(a, hermitian=True)),
            lambda a: la.svd(a, hermitian=True, compute_uv=False),
        ):
            for actual, expected in zip(_tuple(jvp(f, (x,), (x,))[0]), _tuple(f(x)), strict=True):
                np.testing.assert_allclose(actual, expected, rtol=1e-4 if x.dtype == np.float32 else 1e-11, atol=1e-5)
    check_grads(lambda a: la.svd(a, hermitian=True)[1], (A,))
    check_grads(lambda a: la.svd(a, hermitian=True)[0] ** 2, (A,))
    check_grads(lambda a: la.eigh(a, "U")[1] ** 2, (A,))
    a, b = TALL.astype(np.float32), _r(5)
    seen = []
    jvp(lambda a: (seen.append(la.lstsq(a, b)), np.sum(a))[1], (a,), (a,))
    assert [x.dtype for x in seen[0]] == [x.dtype for x in la.lstsq(a, b)]
    empty = np.zeros((0, 0))
    assert jvp(lambda a: la.matrix_rank(a) + np.sum(a), (empty,), (empty,))[0] == 0
    one = np.ones((1, 1))
    assert jvp(la.tensorsolve, (one, one), (one, one))[0].shape == la.tensorsolve(one, one).shape


# Nesting, writing ----------------------------------------------------------------------------------------------------

SCALAR = {
    "det": la.det,
    "slogdet": lambda a: la.slogdet(a)[1],
    "inv": lambda a: np.sum(np.sin(la.inv(a))),
    "cholesky": lambda a: np.sum(la.cholesky(a) ** 3),
    "eigh": lambda a: np.sum(la.eigh(a)[1][:, 0] ** 2 * np.arange(3)),
    "svd": lambda a: np.sum(la.svd(a)[0][:, 0] ** 2 * np.arange(3)),
    "qr": lambda a: np.sum(la.qr(a)[0] ** 3),
    "pinv": lambda a: np.sum(la.pinv(a) ** 2),
    "norm": lambda a: la.norm(a) ** 3,
    "solve": lambda a: np.sum(la.solve(a, a.T @ a)),
    "cho_solve": lambda a: np.sum(wsl.cho_solve(wsl.cho_factor(a, lower=True), a[0])),
}


@pytest.mark.parametrize("name", SCALAR)
def test_nesting(name):
    f, xs, v = SCALAR[name], definite(_r(3, 3, 3)), _r(3, 3, 3)
    loop = np.stack([hessian(f)(x) for x in xs])
    for outer, inner in itertools.product((jacfwd, jacrev), repeat=2):
        np.testing.assert_allclose(outer(inner(f))(xs[0]), loop[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(vmap(hessian(f))(xs), loop, rtol=1e-9, atol=1e-9)
    gradients = [grad(f)(x) for x in xs]
    np.testing.assert_allclose(grad(lambda x: np.sum(vmap(f)(x)))(xs), gradients, rtol=1e-9, atol=1e-9)
    products = [jvp(grad(f), (x,), (t,))[1] for x, t in zip(xs, v, strict=True)]
    np.testing.assert_allclose(jvp(vmap(grad(f)), (xs,), (v,))[1], products, rtol=1e-9, atol=1e-9)
    check_grads(grad(f), (xs[0],))


def test_writing_into_results_and_into_arrays_that_were_used():
    a, b = definite(_r(2, 2)), np.ones(2)

    def overwrites_result(a):
        factor = la.cholesky(a)
        total = np.sum(factor**2)
        factor[0, 0] = 7.0
        return total + factor[1, 0]

    np.testing.assert_allclose(
        grad(overwrites_result)(a), grad(lambda a: np.sum(la.cholesky(a) ** 2) + la.cholesky(a)[1, 0])(a)
    )

    def overwrites_constant(a):
        x = la.solve(a, b)
        b[:] = 5.0
        return np.sum(x**2)

    np.testing.assert_allclose(grad(overwrites_constant)(a), grad(lambda a: np.sum(la.solve(a, np.ones(2)) ** 2))(a))
