"""Linear algebra in native code: against NumPy, in loops, and where matrices are singular."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert as wg
import wengert.numpy as wnp
from wengert.scipy.linalg import solve_triangular

rng = np.random.default_rng(7)
SIZES = [1, 3, 40]


def check(f: Any, *args: Any, native: bool = True, tol: float = 1e-11) -> None:
    """Values and gradients, compiled against eager; and that nothing was left to NumPy."""
    compiled = wg.jit(f)
    value, expected = compiled(*args), f(*args)
    assert np.asarray(value).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(value, expected, rtol=tol, atol=tol)
    g = wg.grad(lambda *args: wnp.sum(f(*args) ** 2), tuple(range(len(args))))
    compiled_gradient = wg.jit(g)
    for x, y in zip(compiled_gradient(*args), g(*args), strict=True):
        np.testing.assert_allclose(x, y, rtol=10 * tol, atol=10 * tol)
    if native:
        assert [c.operation for c in compiled.inspect(*args).fallbacks] == []
        assert [c.operation for c in compiled_gradient.inspect(*args).fallbacks] == []


def regular(*shape: int) -> Any:
    return rng.normal(size=shape) + 3 * shape[-1] * np.eye(shape[-1])


def definite(*shape: int) -> Any:
    a = rng.normal(size=shape)
    return a @ a.swapaxes(-1, -2) + shape[-1] * np.eye(shape[-1])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("stack", [(), (2,), (2, 3)])
def test_against_numpy(n: int, stack: tuple[int, ...]):
    check(wnp.linalg.cholesky, definite(*stack, n, n))
    check(wnp.linalg.inv, regular(*stack, n, n))
    check(wnp.linalg.solve, regular(*stack, n, n), rng.normal(size=(*stack, n, 4)))
    check(lambda a: wnp.linalg.slogdet(a)[1], rng.normal(size=(*stack, n, n)), tol=1e-9)
    check(lambda a: wnp.linalg.slogdet(a)[0], rng.normal(size=(*stack, n, n)))
    check(wnp.linalg.det, rng.normal(size=(*stack, n, n)) / np.sqrt(n), native=False, tol=1e-9)
    check(lambda a, b: a @ b, rng.normal(size=(*stack, 3, n)), rng.normal(size=(*stack, n, 2)))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("unit_diagonal", [False, True])
def test_triangular_systems(n: int, lower: bool, unit_diagonal: bool):
    a = regular(n, n) / 3
    a -= unit_diagonal * (a - np.diag(np.diag(a))) * (1 - 1 / n)
    for trans in (0, 1):
        options = {"lower": lower, "trans": trans, "unit_diagonal": unit_diagonal}
        check(lambda a, b: solve_triangular(a, b, **options), a, rng.normal(size=(n, 3)))  # noqa: B023
        check(lambda a, b: solve_triangular(a, b, **options), a, rng.normal(size=n))  # noqa: B023


def test_products_with_a_stack_on_one_side():
    check(lambda a, b: a @ b, rng.normal(size=(4, 3, 5)), rng.normal(size=(5, 2)))
    check(lambda a, b: a @ b, rng.normal(size=(3, 5)), rng.normal(size=(2, 4, 5, 2)))


def test_single_precision():
    a = definite(5, 5).astype(np.float32)
    check(wnp.linalg.cholesky, a, tol=1e-5)
    check(wnp.linalg.inv, a, tol=1e-5)


SINGULAR = {
    "cholesky": (wnp.linalg.cholesky, -np.eye(3)),
    "inv": (wnp.linalg.inv, np.zeros((3, 3))),
    "solve": (lambda a: wnp.linalg.solve(a, np.ones(3)), np.zeros((3, 3))),
    "solve_triangular": (lambda a: solve_triangular(a, np.ones(3)), np.zeros((3, 3))),
    "in a stack": (wnp.linalg.inv, np.stack([np.eye(3), np.zeros((3, 3))])),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_singular_matrices(name: str):
    f, bad = SINGULAR[name]
    good = np.broadcast_to(np.eye(3), bad.shape)
    compiled = wg.jit(f)
    for _ in range(2):
        np.testing.assert_allclose(compiled(good), f(good))
        for g in (f, compiled):
            with pytest.raises(np.linalg.LinAlgError):
                g(bad)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_determinants_of_matrices_that_are_not_finite(bad):
    a = np.eye(3)
    a[1, 2] = bad
    assert np.isnan(wg.jit(wnp.linalg.det)(a))
    sign, logarithm = wg.jit(wnp.linalg.slogdet)(a)
    assert abs(sign) == 1
    assert np.isnan(logarithm)


def test_determinants_of_singular_matrices():
    a = np.zeros((3, 3))
    a[0, 1] = 1.0
    assert wg.jit(wnp.linalg.det)(a) == 0.0
    assert tuple(wg.jit(wnp.linalg.slogdet)(a)) == (0.0, -np.inf)


def test_a_loop_with_linear_systems():
    """A Kalman filter, by native loops in both directions."""

    def likelihood(noise: Any, observations: Any) -> Any:
        move, look = wnp.array([[1.0, 1.0], [0.0, 1.0]]), wnp.array([[1.0, 0.0]])

        def step(state: Any, y: Any) -> Any:
            x, p, total = state
            x, p = move @ x, move @ p @ move.T + noise * np.eye(2)
            s = look @ p @ look.T + 1.0
            root = wnp.linalg.cholesky(s)
            gain = wnp.linalg.solve(s, look @ p).T
            rest = y - look @ x
            scaled = solve_triangular(root, rest, lower=True)
            total = total - 0.5 * wnp.sum(scaled**2) - wnp.sum(wnp.log(wnp.diagonal(root)))
            return (x + gain @ rest, p - gain @ look @ p, total), None

        return wg.scan(step, (wnp.zeros(2), wnp.eye(2), 0.0), observations)[0][2]

    check(likelihood, 0.1, rng.normal(size=(30, 1)))
