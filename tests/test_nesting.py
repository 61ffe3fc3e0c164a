"""Transforms inside transforms: perturbation confusion, closures, mixed modes, higher order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
from wengert import derivative, grad, hessian, jacfwd, jacobian, jacrev, jvp, linearize, vjp, vmap

# Ways to differentiate a function of one scalar; all have to mean the same in every position.
WAYS: dict[str, Callable[[Callable[[Any], Any]], Callable[[Any], Any]]] = {
    "jvp": lambda f: lambda x: jvp(f, (x,), (1.0,))[1],
    "derivative": lambda f: lambda x: derivative(f, x),
    "grad": grad,
    "vjp": lambda f: lambda x: vjp(f, x)[1](1.0)[0],
    "linearize": lambda f: lambda x: linearize(f, x)[1](1.0),
    "jacfwd": jacfwd,
    "jacrev": jacrev,
    "jacobian": jacobian,
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(np.stack([x, x]))[1],
    "grad of vmap": lambda f: lambda x: grad(lambda y: vmap(f)(np.stack([y, 2.0 * y]))[0])(x),
    "vmap of jvp": lambda f: lambda x: vmap(lambda y: jvp(f, (y,), (1.0,))[1])(np.stack([x, x]))[0],
    "checkpoint": lambda f: grad(wengert.checkpoint(f)),
}
FEW = ["jvp", "grad", "linearize", "vmap of grad", "checkpoint"]

pairs = pytest.mark.parametrize(("outer", "inner"), list(itertools.product(WAYS, WAYS)))
triples = pytest.mark.parametrize("ways", list(itertools.product(FEW, FEW, FEW)), ids="-".join)


@pairs
def test_perturbation_confusion(outer: str, inner: str):
    """d/dx (x · d/dy (x + y)) is 1, not 2 (Siskind and Pearlmutter, 2005)."""
    D, d = WAYS[outer], WAYS[inner]
    assert D(lambda x: x * d(lambda y: x + y)(2.0))(3.0) == 1.0
    assert D(lambda x: d(lambda y: y + x)(2.0) * x)(3.0) == 1.0
    assert D(lambda x: x * d(lambda y: y - x)(x))(3.0) == 1.0


@pairs
def test_outer_variable_in_the_inner_function(outer: str, inner: str):
    D, d = WAYS[outer], WAYS[inner]
    # g(x) = d/dy [x y² + sin(x) y] at y = x: 2 x² + sin x
    g = lambda x: d(lambda y: x * y * y + np.sin(x) * y)(x)
    assert np.isclose(g(0.7), 2 * 0.49 + np.sin(0.7), rtol=1e-14)
    assert np.isclose(D(g)(0.7), 4 * 0.7 + np.cos(0.7), rtol=1e-14)
    g = lambda x: d(lambda y: y * y * x + y * np.sin(x))(x)  # the outer variable on the right
    assert np.isclose(D(g)(0.7), 4 * 0.7 + np.cos(0.7), rtol=1e-14)
    g = lambda x: d(lambda y: np.sum(np.stack([y * y, y]) * np.stack([x, np.sin(x)])))(x)
    assert np.isclose(D(g)(0.7), 4 * 0.7 + np.cos(0.7), rtol=1e-14)


@pairs
def test_inner_derivative_at_a_function_of_the_outer_variable(outer: str, inner: str):
    D, d = WAYS[outer], WAYS[inner]
    # x · (d/dy y³ at y = x²) = 3 x⁵
    assert np.isclose(D(lambda x: x * d(lambda y: y**3)(x * x))(1.3), 15 * 1.3**4, rtol=1e-13)


@pairs
def test_inner_function_that_ignores_its_argument(outer: str, inner: str):
    D, d = WAYS[outer], WAYS[inner]
    assert D(lambda x: d(lambda y: x * x)(1.0))(3.0) == 0.0
    assert D(lambda x: x * d(lambda y: 5.0 * y)(x))(3.0) == 5.0
    assert d(lambda y: 3.0)(1.0) == 0.0


@triples
def test_three_levels(ways: tuple[str, str, str]):
    A, B, C = (WAYS[w] for w in ways)
    # x · d/dy (y · d/dz (x y z² + z)) at z = y, y = x: inner 2 x y z + 1 → h(y) = y (2 x y² + 1), h' = 6 x y² + 1
    f = lambda x: x * B(lambda y: y * C(lambda z: x * y * z * z + z)(y))(x)
    # y (2 x y z + 1) at z = y, with y also in z: d/dy [2 x y³ + y] = 6 x y² + 1; f = 6 x⁴ + x
    assert np.isclose(f(1.1), 6 * 1.1**4 + 1.1, rtol=1e-12)
    assert np.isclose(A(f)(1.1), 24 * 1.1**3 + 1, rtol=1e-12)


@triples
def test_third_derivative(ways: tuple[str, str, str]):
    A, B, C = (WAYS[w] for w in ways)
    f = lambda x: np.exp(2.0 * x) * x + x**4
    expected = 8 * np.exp(1.0) * 0.5 + 12 * np.exp(1.0) + 24 * 0.5
    assert np.isclose(A(B(C(f)))(0.5), expected, rtol=1e-12)


def test_high_orders():
    assert np.isclose(derivative(np.sin, 0.3, order=8), math.sin(0.3), rtol=1e-11)
    f: Any = lambda x: x**7
    g: Any = lambda x: np.sin(x) * np.exp(x)
    for k in range(6):
        assert np.isclose(f(1.5), math.prod(range(7 - k + 1, 8)) * 1.5 ** (7 - k), rtol=1e-11)
        assert np.isclose(g(0.4), 2 ** (k / 2) * math.exp(0.4) * math.sin(0.4 + k * math.pi / 4), rtol=1e-10)
        way = list(WAYS.values())[k]
        f, g = way(f), way(g)


def test_functions_that_return_functions():
    """A closure over a value of a running transform, used inside another one."""

    def multiply_by(x: Any) -> Callable[[Any], Any]:
        return lambda y: x * x * y

    for D, d in itertools.product(WAYS.values(), WAYS.values()):
        assert D(lambda x, d=d: d(multiply_by(x))(5.0))(3.0) == 6.0
        assert D(lambda x, d=d: d(lambda y: multiply_by(y)(x))(x))(3.0) == 12.0  # 2 x²


def test_curried_derivative():
    """The function that an inner derivative returns is differentiated with an outer variable in it (Manzyuk et al.)."""

    def shift(h: Any) -> Any:
        return lambda f: lambda x: f(x + h)

    # Derivative of h ↦ shift(h)(f)(y) at 0 is f'(y); applied twice it must be f''(y).
    for D in (WAYS["jvp"], WAYS["grad"]):
        d = lambda f, D=D: lambda y: D(lambda h: shift(h)(f)(y))(0.0)
        assert np.isclose(d(d(np.exp))(1.0), np.exp(1.0))


@pytest.mark.parametrize("name", WAYS)
def test_nested_loops_and_writes(name: str):
    """An array of the outer level that is written to by the inner one."""
    D = WAYS[name]

    def f(x: Any) -> Any:
        a = wengert.numpy.zeros(3)
        a[0] = x
        a[1] = x * a[0]

        def inner(y: Any) -> Any:
            b = wengert.numpy.array(a)
            b[2] = y * a[1]
            b[0] += y
            return b[0] * b[2]  # (x + y) y x²

        return grad(inner)(x) + a[1]  # (x + 2 y) x² at y = x, plus x²

    assert np.isclose(f(1.2), 3 * 1.2**3 + 1.2**2)
    assert np.isclose(D(f)(1.2), 9 * 1.2**2 + 2 * 1.2)


MATRIX = np.array([[2.0, 0.3, -1.0], [0.3, 1.5, 0.4], [-1.0, 0.4, 3.0]])


def energy(x: Any) -> Any:
    return 0.5 * x @ MATRIX @ x + np.sum(np.sin(x)) + x[0] * x[1] ** 2 * x[2]


def hessian_of_energy(x: np.ndarray) -> np.ndarray:
    h = MATRIX - np.diag(np.sin(x))
    a, b, c = x
    return h + np.array([[0, 2 * b * c, b * b], [2 * b * c, 2 * a * c, 2 * a * b], [b * b, 2 * a * b, 0]])


X = np.array([0.3, -0.7, 1.1])
JACOBIANS = {"jacfwd": jacfwd, "jacrev": jacrev, "jacobian": jacobian}


@pytest.mark.parametrize(("a", "b"), list(itertools.product(JACOBIANS, JACOBIANS)))
def test_hessians_in_all_mixtures(a: str, b: str):
    np.testing.assert_allclose(JACOBIANS[a](JACOBIANS[b](energy))(X), hessian_of_energy(X), rtol=1e-12)
    np.testing.assert_allclose(hessian(energy)(X), hessian_of_energy(X), rtol=1e-12)
    third = JACOBIANS[a](JACOBIANS[b](grad(energy)))(X)
    assert third.shape == (3, 3, 3)
    for axes in itertools.permutations(range(3)):
        np.testing.assert_allclose(third, third.transpose(axes), atol=1e-12)
    assert np.isclose(third[0, 1, 1], 2 * X[2])
    assert np.isclose(third[2, 2, 2], -np.cos(X[2]))


def test_vmap_of_hessians_and_hessians_of_vmap():
    xs = np.stack([X, 2 * X, -X])
    expected = np.stack([hessian_of_energy(x) for x in xs])
    np.testing.assert_allclose(vmap(hessian(energy))(xs), expected, rtol=1e-12)
    np.testing.assert_allclose(vmap(jacrev(jacrev(energy)))(xs), expected, rtol=1e-12)
    full = hessian(lambda xs: np.sum(vmap(energy)(xs)))(xs)
    for i, j in itertools.product(range(3), range(3)):
        np.testing.assert_allclose(full[i, :, j], expected[i] if i == j else np.zeros((3, 3)), atol=1e-12)


def test_nested_vmaps():
    xs, ys = np.linspace(0.1, 1.0, 4), np.linspace(-1.0, 1.0, 3)
    f = lambda x, y: x * np.sin(x * y)
    table = vmap(lambda x: vmap(lambda y: f(x, y))(ys))(xs)
    np.testing.assert_allclose(table, f(xs[:, None], ys[None]))
    # the same with the inner derivative of a product over both batches
    d = vmap(lambda x: vmap(lambda y: grad(lambda t: f(t, y))(x))(ys))(xs)
    exact = np.sin(xs[:, None] * ys) + xs[:, None] * ys * np.cos(xs[:, None] * ys)
    np.testing.assert_allclose(d, exact, rtol=1e-13)
    g = grad(lambda xs: np.sum(vmap(lambda x: vmap(lambda y: f(x, y))(ys))(xs)))(xs)
    np.testing.assert_allclose(g, exact.sum(axis=1), rtol=1e-13)


def test_vmap_with_outer_variables():
    """The batch of one level and the perturbation of another do not mix."""
    xs = np.linspace(0.2, 1.0, 5)
    f = lambda t: np.sum(vmap(lambda x: x * t * t)(xs))
    assert np.isclose(grad(f)(3.0), 6 * xs.sum())
    assert np.isclose(derivative(f, 3.0), 6 * xs.sum())
    assert np.isclose(derivative(f, 3.0, order=2), 2 * xs.sum())
    confusion = vmap(lambda x: x * derivative(lambda y: x + y, x))(xs)
    np.testing.assert_allclose(confusion, xs)


def test_outer_value_written_into_an_array_of_the_inner_level():
    def f(x: Any) -> Any:
        def g(y: Any) -> Any:
            z = np.stack([y, y, y])
            z[0] = x * x
            z[1:] *= x
            return np.prod(z)  # x² (x y)² = x⁴ y²

        return grad(g)(2.0)  # 4 x⁴

    assert np.isclose(grad(f)(1.5), 16 * 1.5**3)
    assert np.isclose(derivative(f, 1.5), 16 * 1.5**3)
    np.testing.assert_allclose(vmap(f)(np.array([1.0, 1.5])), [4.0, 4 * 1.5**4])


def test_same_function_differentiated_inside_itself():
    """Recursion: f calls a derivative of itself of lower order."""

    def f(x: Any, n: int) -> Any:
        return np.exp(2 * x) if n == 0 else x * derivative(lambda t: f(t, n - 1), x)

    def exact(x: float, n: int) -> float:
        # the operator x·d/dx applied n times to exp(2x), by series
        return sum(k**n * (2 * x) ** k / math.factorial(k) for k in range(40))

    for n in range(5):
        assert np.isclose(f(0.4, n), exact(0.4, n), rtol=1e-12)
    assert np.isclose(grad(lambda x: f(x, 3))(0.4), exact(0.4, 4) / 0.4, rtol=1e-12)


def test_vjp_and_linearize_of_different_levels_interleaved():
    """Pullbacks that are used inside other transforms, after their own recording has ended."""
    out, pull = vjp(lambda x: np.sin(x) * x, 0.8)
    assert out == np.sin(0.8) * 0.8
    g = lambda w: pull(w * w)[0]
    slope = np.cos(0.8) * 0.8 + np.sin(0.8)
    assert np.isclose(g(3.0), 9 * slope)
    assert np.isclose(grad(g)(3.0), 6 * slope)
    assert np.isclose(derivative(g, 3.0), 6 * slope)
    np.testing.assert_allclose(vmap(g)(np.array([1.0, 2.0])), [slope, 4 * slope])
    _, push = linearize(lambda x: np.sin(x) * x, 0.8)
    h = lambda t: push(t * t)
    assert np.isclose(grad(h)(3.0), 6 * slope)
    np.testing.assert_allclose(vmap(grad(h))(np.array([1.0, 2.0])), [2 * slope, 4 * slope])


def test_pullback_made_inside_a_derivative():
    def f(x: Any) -> Any:
        out, pull = vjp(lambda y: y * y * x, x)
        return out + pull(x)[0]  # x³ + 2 x² · x

    assert np.isclose(grad(f)(1.3), 9 * 1.3**2)
    assert np.isclose(derivative(f, 1.3), 9 * 1.3**2)
    assert np.isclose(grad(grad(f))(1.3), 18 * 1.3)


def test_hypergradient():
    """The derivative of an inner optimisation by gradient descent with respect to its step size."""

    def final_loss(step: Any) -> Any:
        x = np.array([1.0, -2.0, 0.5])
        for _ in range(5):
            x = x - step * grad(energy)(x)
        return energy(x)

    h = 1e-4
    ahead, behind = [(final_loss(0.05 + k * h) - final_loss(0.05 - k * h)) / (2 * k * h) for k in (1, 2)]
    numeric = (4 * ahead - behind) / 3
    assert np.isclose(grad(final_loss)(0.05), numeric, rtol=1e-7)
    assert np.isclose(derivative(final_loss, 0.05), numeric, rtol=1e-7)
