"""Conventions where a derivative does not exist or is not unique, in both modes and in second order.

They are documented in docs/kinks-and-conventions.md; the samples of the registry state more of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
from wengert import derivative, grad, hessian, jacfwd, jacrev, jvp, vmap

inf, nan = np.inf, np.nan


@pytest.fixture(autouse=True)
def _quiet():
    """NumPy warns about values at poles, with or without Wengert."""
    with np.errstate(all="ignore"):
        yield


def first(f: Callable[[Any], Any], x: float) -> float:
    """The derivative, which has to be the same by all transforms."""
    forward = jvp(f, (x,), (1.0,))[1]
    np.testing.assert_array_equal(grad(f)(x), forward)
    np.testing.assert_array_equal(wengert.linearize(f, x)[1](1.0), forward)
    np.testing.assert_array_equal(vmap(grad(f))(np.array([x, 1.5]))[0], forward)
    np.testing.assert_array_equal(vmap(lambda t: derivative(f, t))(np.array([x, 1.5]))[0], forward)
    np.testing.assert_array_equal(grad(lambda t: np.sum(f(t * np.ones(1))))(x), forward)
    return float(forward)


def second(f: Callable[[Any], Any], x: float) -> float:
    """The second derivative, the same by all combinations."""
    forward = derivative(f, x, order=2)
    np.testing.assert_array_equal(jvp(grad(f), (x,), (1.0,))[1], forward)
    np.testing.assert_array_equal(grad(lambda t: jvp(f, (t,), (1.0,))[1])(x), forward)
    np.testing.assert_array_equal(grad(grad(f))(x), forward)
    return float(forward)


# Kinks: |x|, ties ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [np.abs, np.fabs, abs, lambda x: np.maximum(x, -x)])
def test_absolute_value_has_derivative_0_at_0(f: Any):
    assert first(f, 0.0) == 0.0
    assert first(f, -0.0) == 0.0
    assert second(f, 0.0) == 0.0
    assert first(f, -2.0) == -1.0


def test_relu_is_one_half_at_0():
    """By the rule that ties are shared; np.where(x > 0, x, 0) is 0 there."""
    assert first(lambda x: np.maximum(x, 0.0), 0.0) == 0.5
    assert first(lambda x: np.minimum(x, 0.0), 0.0) == 0.5
    assert first(lambda x: np.maximum(0, x), 0.0) == 0.5
    assert first(lambda x: np.where(x > 0, x, 0.0), 0.0) == 0.0
    assert first(lambda x: np.where(x >= 0, x, 0.0), 0.0) == 1.0
    assert second(lambda x: np.maximum(x, 0.0), 0.0) == 0.0
    assert second(lambda x: np.maximum(x, 0.0) ** 2, 1.0) == 2.0


def test_a_tie_with_itself():
    assert first(lambda x: np.maximum(x, x), 3.0) == 1.0
    assert first(lambda x: np.minimum(x, -x), 0.0) == 0.0
    assert first(lambda x: np.max(np.stack([x, x, 3.0 * x])), 0.0) == pytest.approx(5 / 3)


def test_ties_are_shared_equally():
    x = np.array([2.0, 5.0, 5.0, 1.0, 5.0])
    for jac in (jacfwd, jacrev):
        np.testing.assert_allclose(jac(np.max)(x), [0, 1 / 3, 1 / 3, 0, 1 / 3])
        np.testing.assert_allclose(jac(np.min)(-x), [0, 1 / 3, 1 / 3, 0, 1 / 3])
    table = np.array([[1.0, 1.0], [0.0, 1.0]])
    for jac in (jacfwd, jacrev):
        np.testing.assert_allclose(jac(lambda a: a.max(axis=0))(table), [[[1, 0], [0, 0]], [[0, 0.5], [0, 0.5]]])
        np.testing.assert_allclose(jac(lambda a: np.max(a))(table), np.array([[1, 1], [0, 1]]) / 3)
        np.testing.assert_allclose(jac(lambda a: np.ptp(a))(table), np.array([[1, 1], [-3, 1]]) / 3)
    np.testing.assert_allclose(hessian(lambda x: np.max(x) ** 2)(x)[1], np.array([0, 2, 2, 0, 2]) / 9)
    np.testing.assert_allclose(grad(np.max)(np.full(4, inf)), [0.25] * 4)


def test_extrema_with_nan_have_nan_derivatives():
    x = np.array([1.0, nan, 2.0])
    assert np.all(np.isnan(grad(np.max)(x)))
    assert np.isnan(jvp(np.min, (x,), (np.ones(3),))[1])
    assert np.isnan(first(lambda x: np.maximum(x, 1.0), nan))
    assert first(lambda x: np.fmax(x, 1.0), nan) == 0.0
    assert first(lambda x: np.fmax(nan, x), 2.0) == 1.0


@pytest.mark.parametrize("f", [np.floor, np.ceil, np.rint, np.trunc, np.sign, lambda x: x // 1.0, np.round])
def test_steps_have_derivative_0(f: Any):
    for x in (0.0, 1.0, 0.5, -2.5):
        assert first(f, x) == 0.0
        assert second(lambda t: t * f(t), x) == 0.0


# Roots, inverse functions, poles -------------------------------------------------------------------------------------


def test_infinite_derivatives_are_infinite():
    assert first(np.sqrt, 0.0) == inf
    assert first(np.cbrt, 0.0) == inf
    assert first(np.log, 0.0) == inf
    assert first(np.log1p, -1.0) == inf
    assert first(np.arcsin, 1.0) == inf
    assert first(np.arcsin, -1.0) == inf
    assert first(np.arccos, 1.0) == -inf
    assert first(np.arctanh, 1.0) == inf
    assert first(np.arccosh, 1.0) == inf
    assert first(lambda x: 1.0 / x, 0.0) == -inf
    assert first(lambda x: x**0.5, 0.0) == inf
    assert first(lambda x: x**-1, 0.0) == -inf
    assert second(np.sqrt, 0.0) == -inf
    assert second(np.log, 0.0) == -inf


def test_division_by_zero_follows_numpy():
    f = lambda x, y: x / y
    np.testing.assert_array_equal(grad(f, argnums=(0, 1))(1.0, 0.0), (inf, -inf))
    np.testing.assert_array_equal(grad(f, argnums=(0, 1))(-1.0, 0.0), (inf, inf))
    np.testing.assert_array_equal(grad(f, argnums=(0, 1))(0.0, 0.0), (inf, nan))
    assert first(lambda x: x / 2, 0.0) == 0.5
    assert first(lambda x: 0.0 / x, 3.0) == 0.0


# Powers --------------------------------------------------------------------------------------------------------------

EXPONENTS = {
    "int": int,
    "float": float,
    "numpy float": np.float64,
    "array": lambda n: np.array(float(n)),
    "integer array": lambda n: np.array(int(n)) if n == int(n) else np.array(n),
}


@pytest.mark.parametrize("kind", EXPONENTS)
def test_powers_at_zero(kind: str):
    """x⁰, x¹, x² … have at 0 the derivatives of polynomials, at any order."""
    make = EXPONENTS[kind]
    for n, slope, curvature in [(0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 0, 0)]:
        f = lambda x, n=n: x ** make(n)
        assert first(f, 0.0) == slope
        assert second(f, 0.0) == curvature
        g = lambda x, n=n: np.power(x, make(n))
        assert first(g, 0.0) == slope
        assert second(g, 0.0) == curvature
    assert derivative(lambda x: x ** make(3), 0.0, order=3) == 6.0
    assert derivative(lambda x: x ** make(4), 0.0, order=5) == 0.0


@pytest.mark.parametrize("kind", EXPONENTS)
def test_powers_of_negative_numbers(kind: str):
    make = EXPONENTS[kind]
    assert first(lambda x: x ** make(3), -2.0) == 12.0
    assert first(lambda x: x ** make(2), -2.0) == -4.0
    assert second(lambda x: x ** make(3), -2.0) == -12.0
    assert first(lambda x: x ** make(1), -2.0) == 1.0
    assert first(lambda x: x ** make(0), -2.0) == 0.0
    assert first(lambda x: x ** float(-1), -2.0) == -0.25


def test_powers_of_zero():
    assert first(lambda y: 0.0**y, 2.0) == 0.0
    assert first(lambda y: np.power(0.0, y), 0.5) == 0.0
    assert first(lambda y: 0.0**y, 0.0) == 0.0
    assert second(lambda y: 0.0**y, 2.0) == 0.0
    assert first(lambda y: 2.0**y, 3.0) == pytest.approx(8 * np.log(2))
    assert grad(lambda x, y: x**y, argnums=(0, 1))(0.0, 2.0) == (0.0, 0.0)
    assert grad(lambda x, y: x**y, argnums=(0, 1))(0.0, 1.0) == (1.0, 0.0)
    assert np.isnan(grad(lambda x, y: x**y, argnums=1)(-2.0, 3.0))
    assert first(lambda x: x**x, 1.0) == 1.0


def test_powers_of_arrays_with_zeros():
    x, n = np.array([0.0, 0.0, 0.0, -1.5]), np.array([0.0, 1.0, 2.0, 2.0])
    f = lambda x: np.sum(x**n)
    np.testing.assert_array_equal(grad(f)(x), [0.0, 1.0, 0.0, -3.0])
    np.testing.assert_array_equal(np.diag(hessian(f)(x)), [0.0, 0.0, 2.0, 2.0])
    np.testing.assert_array_equal(grad(lambda n: np.sum(x[:3] ** n))(n[:3]), [0.0, 0.0, 0.0])


# Products and norms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_products_with_zeros(zeros: int):
    x = np.array([2.0, 3.0, -1.0, 5.0])
    x[:zeros] = 0.0
    n = len(x)
    others = np.array([np.prod(np.delete(x, i)) for i in range(n)])
    for jac in (jacfwd, jacrev):
        np.testing.assert_array_equal(jac(np.prod)(x), others)
    pairs = np.array([[np.prod(np.delete(x, [i, j])) if i != j else 0.0 for j in range(n)] for i in range(n)])
    for outer in (jacfwd, jacrev):
        for inner in (jacfwd, jacrev):
            np.testing.assert_array_equal(outer(inner(np.prod))(x), pairs)
    scan = np.array([[np.prod(np.delete(x[: k + 1], i)) if i <= k else 0.0 for i in range(n)] for k in range(n)])
    np.testing.assert_array_equal(jacfwd(np.cumprod)(x), scan)
    np.testing.assert_array_equal(jacrev(np.cumprod)(x), scan)


def test_third_derivative_of_a_product_of_zeros():
    d = jacfwd(hessian(np.prod))(np.zeros(3))
    assert d[0, 1, 2] == d[2, 0, 1] == 1.0
    assert np.sum(d) == 6.0


def test_norms_at_the_origin():
    for f in (np.linalg.norm, lambda x: np.hypot(x[0], x[1])):
        np.testing.assert_array_equal(grad(f)(np.zeros(2)), [0.0, 0.0])
        assert jvp(f, (np.zeros(2),), (np.ones(2),))[1] == 0.0
    np.testing.assert_array_equal(grad(np.std)(np.full(3, 2.0)), np.zeros(3))
    assert grad(np.abs)(0j) == 0j


# Strong zeros --------------------------------------------------------------------------------------------------------

GUARDED: dict[str, Callable[[Any], Any]] = {
    "sqrt": lambda x: np.where(x > 0, np.sqrt(x), 0.0),
    "log": lambda x: np.where(x > 0, np.log(x), 0.0),
    "reciprocal": lambda x: np.where(x > 0, 1.0 / x, 0.0),
    "division": lambda x: np.where(x > 0, x / x, 0.0),
    "power": lambda x: np.where(x > 0, x**0.5, 0.0),
    "power of itself": lambda x: np.where(x > 0, x**x, 0.0),
    "arcsin": lambda x: np.where(x > 0, np.arcsin(0.3 * x + 1.0 - 0.3 * x * x), 0.0),
    "x log x": lambda x: np.where(x > 0, x * np.log(x), 0.0),
    "sqrt log": lambda x: np.where(x > 0, np.sqrt(np.log(x)), 0.0),
    "exp of pole": lambda x: np.where(x > 0, np.exp(-1.0 / x), 0.0),
    "norm": lambda x: np.where(x > 0, np.sqrt(x * x + 0.0 * x), 0.0),
    "select": lambda x: np.select([x > 0], [np.sqrt(x)], 0.0),
    "arctan2": lambda x: np.where(x > 0, np.arctan2(x, x), 0.0),
}


_POLE = pytest.param("exp of pole", marks=pytest.mark.xfail(reason="reverse over reverse meets 0 · ∞ at order two"))


@pytest.mark.parametrize("name", [_POLE if name == "exp of pole" else name for name in GUARDED])
def test_branches_not_taken_do_no_harm(name: str):
    """np.where(x > 0, f(x), 0) at x = 0: zero, in first and second order and in every combination of modes."""
    f = GUARDED[name]
    assert first(f, 0.0) == 0.0
    assert second(f, 0.0) == 0.0
    x = np.array([0.0, 2.0, -1.0])
    g = grad(lambda x: np.sum(f(x)))(x)
    assert g[0] == g[2] == 0.0
    assert np.isclose(g[1], grad(f)(2.0))
    h = hessian(lambda x: np.sum(f(x)))(x)
    assert np.all(np.isfinite(h[[0, 2]]))
    assert np.isclose(h[1, 1], derivative(f, 2.0, order=2))


def test_writes_hide_poles_as_well():
    def f(x: Any) -> Any:
        y = np.sqrt(x)
        y[x <= 0] = 0.0
        return np.sum(y)

    x = np.array([0.0, 4.0])
    np.testing.assert_array_equal(grad(f)(x), [0.0, 0.25])
    np.testing.assert_array_equal(jvp(f, (x,), (np.ones(2),))[1], 0.25)
    np.testing.assert_array_equal(hessian(f)(x), [[0.0, 0.0], [0.0, -1 / 32]])


def test_elements_that_are_not_used_do_no_harm():
    x = np.array([0.0, 4.0])
    np.testing.assert_array_equal(grad(lambda x: np.sqrt(x)[1])(x), [0.0, 0.25])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.log(x)[1:]))(x), [0.0, 0.25])
    np.testing.assert_array_equal(grad(lambda x: np.max(np.sqrt(x)))(x), [0.0, 0.25])
    assert jvp(lambda x: np.sum(np.sqrt(x)), (x,), (np.array([0.0, 1.0]),))[1] == 0.25


def test_zero_and_infinity_meet():
    """The zero wins if it comes first: as a cotangent in reverse mode, as a tangent in forward mode."""
    f: Any = lambda x: 0.0 * np.sqrt(x)
    assert grad(f)(0.0) == 0.0
    assert np.isnan(jvp(f, (0.0,), (1.0,))[1])
    f = lambda x: np.sqrt(x * x)
    assert np.isnan(grad(f)(0.0))
    assert jvp(f, (0.0,), (1.0,))[1] == 0.0


# Overflow and large arguments ----------------------------------------------------------------------------------------


def test_derivatives_do_not_overflow_where_functions_do_not():
    assert first(np.tanh, 1e4) == 0.0
    assert first(lambda x: np.logaddexp(x, 0.0), 1e4) == 1.0
    assert first(lambda x: np.logaddexp(x, 0.0), -1e4) == 0.0
    assert first(np.arctan, 1e200) == 0.0
    assert first(lambda x: np.hypot(x, 1e200), 1e200) == pytest.approx(np.sqrt(0.5))
    assert first(np.sinc, 1e-200) == pytest.approx(0.0)
    assert second(np.sinc, 0.0) == pytest.approx(-(np.pi**2) / 3)
    assert derivative(np.sinc, 0.0, order=4) == pytest.approx(np.pi**4 / 5)
    assert first(lambda x: np.exp(-x), 1e4) == 0.0
    assert first(np.arcsinh, 1e200) == pytest.approx(1e-200)
