"""Multiple eigenvalues and singular values: where there is a derivative, where NaN; higher derivatives of values."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from wengert import check_grads, grad, hessian, jacfwd, jacrev, jit, jvp, vmap

la = np.linalg
_rng = np.random.default_rng(11)


def _r(*shape):
    return _rng.normal(size=shape)


A, C = _r(4, 4), _r(4, 4) + 1j * _r(4, 4)


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def both_hessians(f, x):
    """By forward over reverse and by reverse over reverse."""
    first, second = jacfwd(jacrev(f))(x), jacrev(jacrev(f))(x)
    np.testing.assert_allclose(first, second, atol=1e-12)
    return first


def along(hessian, d, e):
    return np.einsum("ijkl,ij,kl", hessian, d, e)


def curvature(f, x, d, e, h=1e-4):
    return (f(x + h * (d + e)) - f(x + h * (d - e)) - f(x - h * (d - e)) + f(x - h * (d + e))) / (4 * h * h)


DEGENERATE = {"unit": np.eye(3), "pair": np.diag([1.0, 2.0, 2.0]), "regular": A[:3, :3]}
WITH_EQUAL_WEIGHTS = {
    "sum of eigvalsh": (lambda a: np.sum(la.eigvalsh(a)), 0.0),
    "sum of eigvals": (lambda a: np.sum(la.eigvals(a)).real, 0.0),
    "nuclear norm": (lambda a: la.norm(a, "nuc"), None),
}


@pytest.mark.parametrize("name", WITH_EQUAL_WEIGHTS)
@pytest.mark.parametrize("kind", DEGENERATE)
def test_second_derivatives_of_sums_of_values(name, kind):
    (f, expected), x = WITH_EQUAL_WEIGHTS[name], DEGENERATE[kind]
    h = both_hessians(f, x)
    if expected is not None:
        np.testing.assert_allclose(h, expected, atol=1e-12)
    for d, e in _r(3, 2, 3, 3):
        np.testing.assert_allclose(along(h, d, e), curvature(f, x, d, e), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(vmap(hessian(f))(np.stack([x, x])), [h, h], atol=1e-12)
    if name != "sum of eigvals":  # whose dtype depends on the numbers
        np.testing.assert_allclose(jit(hessian(f))(x), h, atol=1e-10)


@pytest.mark.parametrize(
    "x", [2 * np.eye(4, 3), 2 * np.eye(3, 4), 2 * np.eye(4, 3) + 0j], ids=["tall", "wide", "complex"]
)
def test_second_derivative_of_the_nuclear_norm(x):
    f = lambda a: la.norm(a, "nuc")
    for d, e in _r(3, 2, *x.shape) * (1 if x.dtype == float else 1 + 1j):
        twice = jvp(grad(f), (x,), (d,))[1]
        np.testing.assert_allclose(np.sum((np.conj(twice) * e).real), curvature(f, x, d, e), rtol=1e-4, atol=1e-4)


VALUES = {
    "eigvalsh": lambda a: np.sum(np.sin(la.eigvalsh(a))),
    "eigvalsh, one": lambda a: la.eigvalsh(a)[1],
    "eigvals": lambda a: np.sum(np.abs(la.eigvals(a)) ** 3),
    "svdvals": lambda a: np.sum(np.sin(la.svdvals(a))),
    "spectral norm": lambda a: la.norm(a, 2),
    "condition": la.cond,
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_second_derivatives_of_values(name, kind):
    x = (A + A.T if kind == "real" else C + adjoint(C)) + np.diag([0.0, 3.0, 6.0, 9.0])
    check_grads(VALUES[name], (x[:3, :3],), order=2)
    if kind == "real":
        f = VALUES[name]
        third = [o(m(i(f)))(x[:2, :2]) for o in (jacfwd, jacrev) for m in (jacfwd, jacrev) for i in (jacfwd, jacrev)]
        for other in third[1:]:
            np.testing.assert_allclose(other, third[0], rtol=1e-7, atol=1e-7)


MATRIX_FUNCTIONS = {
    "eigh": lambda a: (lambda w, v: (v * np.exp(w)) @ v.T)(*la.eigh(a)),
    "eig": lambda a: (lambda w, v: ((v * np.exp(w)) @ la.inv(v)).real)(*la.eig(a)),
    "svd": lambda a: (lambda u, s, vh: (u * np.exp(s)) @ vh)(*la.svd(a)),
}


@pytest.mark.parametrize("name", MATRIX_FUNCTIONS)
def test_functions_of_values_and_vectors_at_multiple_values(name):
    """They have a derivative, but it cannot be seen from the cotangents: NaN, never a wrong number."""
    f = MATRIX_FUNCTIONS[name]
    x = np.diag([2.0, 1.0, 1.0])
    assert np.isnan(grad(lambda a: f(a)[1, 2])(x)).any()
    assert np.isnan(hessian(lambda a: np.sum(np.sin(la.eigvalsh(a))))(x)).any()
    regular = np.diag([3.0, 2.0, 1.0])
    assert np.isfinite(grad(lambda a: f(a)[1, 2])(regular)).all()
    if name != "eig":  # forward mode is right along directions that do not turn the vectors
        np.testing.assert_allclose(jvp(f, (x,), (np.eye(3),))[1], scipy.linalg.expm(x), rtol=1e-12)


def test_reconstruction_from_a_singular_value_decomposition_of_low_rank():
    x = np.diag([2.0, 1.0, 0.0])[:, :2] @ np.diag([1.0, 0.0])
    rebuilt = lambda a: (lambda u, s, vh: (u * s) @ vh)(*la.svd(a, full_matrices=False))
    weights = _r(*x.shape)
    assert np.isnan(grad(lambda a: np.sum(weights * rebuilt(a)))(x)).any()
    regular = x + 0.1 * _r(*x.shape)
    np.testing.assert_allclose(grad(lambda a: np.sum(weights * rebuilt(a)))(regular), weights, rtol=1e-9)


def test_projections_on_multiple_eigenvalues():
    x = np.diag([1.0, 4.0, 4.0])
    projection = lambda a: (lambda v: v @ v.T)(la.eigh(a)[1][:, 1:])
    moved = np.zeros((3, 3))
    moved[1, 0] = moved[0, 1] = 1 / 3
    np.testing.assert_allclose(jacrev(lambda a: projection(a)[1, 0])(x)[1, 0], 1 / 3, rtol=1e-12)
    np.testing.assert_allclose(
        jvp(projection, (x,), (np.eye(3)[[1, 0, 2]] * [[0, 1, 0], [1, 0, 0], [0, 0, 0]],))[1], moved
    )
