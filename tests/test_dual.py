"""Dual numbers as objects of their own."""

from __future__ import annotations

import copy
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
import wengert.numpy as wnp
from wengert import Dual, derivative, grad, jvp
from wengert.errors import InputTypeError

X = Dual(3.0, 1.0)


def parts(d: Any) -> tuple[Any, Any]:
    """Primal and tangent; a plain number has tangent 0."""
    return (d.primal, d.tangent) if isinstance(d, Dual) else (d, 0.0)


# Arithmetic ----------------------------------------------------------------------------------------------------------

# expression: (primal, tangent) at x = 3 + ε
EXPRESSIONS: dict[str, tuple[Callable[[Any], Any], tuple[float, float]]] = {
    "+x": (lambda x: +x, (3, 1)),
    "-x": (lambda x: -x, (-3, -1)),
    "abs": (abs, (3, 1)),
    "abs of negative": (lambda x: abs(-x), (3, 1)),
    "x + 2": (lambda x: x + 2, (5, 1)),
    "2 + x": (lambda x: 2 + x, (5, 1)),
    "x - 2": (lambda x: x - 2, (1, 1)),
    "2 - x": (lambda x: 2 - x, (-1, -1)),
    "x * 2": (lambda x: x * 2, (6, 2)),
    "2 * x": (lambda x: 2 * x, (6, 2)),
    "x / 2": (lambda x: x / 2, (1.5, 0.5)),
    "2 / x": (lambda x: 2 / x, (2 / 3, -2 / 9)),
    "x + x": (lambda x: x + x, (6, 2)),
    "x * x": (lambda x: x * x, (9, 6)),
    "x / x": (lambda x: x / x, (1, 0)),
    "x - x": (lambda x: x - x, (0, 0)),
    "x ** 2": (lambda x: x**2, (9, 6)),
    "x ** 2.0": (lambda x: x**2.0, (9, 6)),
    "x ** -1": (lambda x: x**-1, (1 / 3, -1 / 9)),
    "x ** 0": (lambda x: x**0, (1, 0)),
    "x ** 1": (lambda x: x**1, (3, 1)),
    "x ** 0.5": (lambda x: x**0.5, (math.sqrt(3), 0.5 / math.sqrt(3))),
    "2 ** x": (lambda x: 2**x, (8, 8 * math.log(2))),
    "2.0 ** x": (lambda x: 2.0**x, (8, 8 * math.log(2))),
    "1 ** x": (lambda x: 1**x, (1, 0)),
    "x ** x": (lambda x: x**x, (27, 27 * (math.log(3) + 1))),
    "(-x) ** 2": (lambda x: (-x) ** 2, (9, 6)),
    "(-x) ** 3": (lambda x: (-x) ** 3, (-27, -27)),
    "(-x) ** -2": (lambda x: (-x) ** -2, (1 / 9, -2 / 27)),
    "(x - 3) ** 2": (lambda x: (x - 3) ** 2, (0, 0)),
    "(x - 3) ** 1": (lambda x: (x - 3) ** 1, (0, 1)),
    "(x - 3) ** 0": (lambda x: (x - 3) ** 0, (1, 0)),
    "(x - 3) ** 3": (lambda x: (x - 3) ** 3, (0, 0)),
    "0 ** x": (lambda x: 0**x, (0, 0)),
    "0.0 ** x": (lambda x: 0.0**x, (0, 0)),
    "x // 2": (lambda x: x // 2, (1, 0)),
    "x % 2": (lambda x: x % 2, (1, 1)),
    "7 % x": (lambda x: 7 % x, (1, -2)),
    "x + True": (lambda x: x + True, (4, 1)),
    "numpy scalar on the left": (lambda x: np.float64(2) * x, (6, 2)),
    "numpy scalar on the right": (lambda x: x * np.float64(2), (6, 2)),
    "numpy integer": (lambda x: np.int64(2) + x, (5, 1)),
    "numpy scalar power": (lambda x: np.float64(2) ** x, (8, 8 * math.log(2))),
    "0-d array": (lambda x: np.array(2.0) * x, (6, 2)),
    "polynomial": (lambda x: 2 * x**3 - x / 4 + 1, (54.25, 53.75)),
    "max": (lambda x: max(x, 1.0), (3, 1)),
    "sum": (lambda x: sum([x, x, 1.0]), (7, 2)),
    "pow": (lambda x: pow(x, 2), (9, 6)),
    "divmod": (lambda x: divmod(x, 2)[1], (1, 1)),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_arithmetic(name: str):
    f, expected = EXPRESSIONS[name]
    np.testing.assert_allclose(parts(f(X)), expected, rtol=1e-14)
    x = 3.0
    assert np.isclose(jvp(f, (x,), (1.0,))[1], expected[1])


def test_two_duals():
    a, b = Dual(2.0, 1.0), Dual(5.0, -3.0)
    for op, expected in [
        (operator.add, (7, -2)),
        (operator.sub, (-3, 4)),
        (operator.mul, (10, -1)),
        (operator.truediv, (0.4, 0.44)),
        (operator.pow, (32, 80 - 96 * math.log(2))),
    ]:
        np.testing.assert_allclose(parts(op(a, b)), expected, rtol=1e-14)


def test_in_place_operators_rebind():
    x = Dual(2.0, 1.0)
    y = x
    x += 1
    x *= x
    assert parts(x) == (9.0, 6.0)
    assert parts(y) == (2.0, 1.0)


def test_arrays():
    x = Dual(np.array([1.0, 2.0]), np.array([1.0, -1.0]))
    c = np.array([3.0, 4.0])
    for out in (x * c, c * x):
        assert type(out) is Dual
        np.testing.assert_array_equal(out.primal, [3.0, 8.0])
        np.testing.assert_array_equal(out.tangent, [3.0, -4.0])
    np.testing.assert_array_equal((c - x).tangent, [-1.0, 1.0])
    np.testing.assert_array_equal((c / x).tangent, [-3.0, 1.0])
    np.testing.assert_allclose((c**x).tangent, [3 * np.log(3), -16 * np.log(4)])
    np.testing.assert_array_equal((x**c).tangent, [3.0, -32.0])
    np.testing.assert_array_equal((x @ c).tangent, -1.0)
    np.testing.assert_array_equal((c @ x).primal, 11.0)
    assert (x.shape, x.ndim, x.size, x.dtype) == ((2,), 1, 2, np.dtype(float))
    assert len(x) == 2
    assert parts(x[1]) == (2.0, -1.0)
    assert parts(np.sum(x)) == (3.0, 0.0)
    out = Dual(2.0, 1.0) * c
    np.testing.assert_array_equal(out.primal, [6.0, 8.0])
    np.testing.assert_array_equal(out.tangent, [3.0, 4.0])
    matrix = c[:, None] * x
    assert matrix.shape == (2, 2)
    np.testing.assert_array_equal(matrix.tangent, [[3.0, -3.0], [4.0, -4.0]])
    np.testing.assert_array_equal(np.stack([x, x])[1].tangent, [1.0, -1.0])
    np.testing.assert_array_equal(np.where(c > 3, x, 0.0).tangent, [0.0, -1.0])


def test_division_by_zero_is_numpys():
    with np.errstate(all="ignore"):
        assert parts(Dual(1.0, 1.0) / 0.0) == (np.inf, np.inf)
        assert parts(1.0 / Dual(0.0, 1.0)) == (np.inf, -np.inf)
        assert parts(Dual(1.0, 0.0) / Dual(0.0, 1.0)) == (np.inf, -np.inf)
        np.testing.assert_array_equal(parts(Dual(0.0, 1.0) / Dual(0.0, 1.0)), (np.nan, np.nan))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        1.0 / Dual(0.0, 1.0)


# Elementary functions ------------------------------------------------------------------------------------------------

FUNCTIONS = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "cbrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "absolute",
    "fabs",
    "negative",
    "positive",
    "deg2rad",
    "rad2deg",
    "degrees",
    "radians",
    "sinc",
]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("namespace", [np, wnp], ids=["numpy", "wengert.numpy"])
def test_elementary_functions(namespace: Any, name: str):
    f = getattr(namespace, name)
    a = 1.3 if name == "arccosh" else 0.4
    h = 1e-3
    out = f(Dual(a, 2.0))
    g = getattr(np, name)
    numeric = (8 * (g(a + h) - g(a - h)) - (g(a + 2 * h) - g(a - 2 * h))) / (12 * h)
    assert type(out) is Dual
    assert out.primal == g(a)
    assert np.isclose(out.tangent, 2 * numeric, rtol=1e-8)


@pytest.mark.parametrize("name", ["arctan2", "hypot", "logaddexp", "maximum", "minimum", "power", "remainder", "fmod"])
def test_functions_of_two_arguments(name: str):
    f = getattr(np, name)
    a, b, h = 1.7, 0.6, 1e-4
    dx = (f(a + h, b) - f(a - h, b)) / (2 * h)
    dy = (f(a, b + h) - f(a, b - h)) / (2 * h)
    assert np.isclose(f(Dual(a, 1.0), b).tangent, dx, rtol=1e-7)
    assert np.isclose(parts(f(a, Dual(b, 1.0)))[1], dy, rtol=1e-7, atol=1e-8)
    assert np.isclose(f(Dual(a, 2.0), Dual(b, -3.0)).tangent, 2 * dx - 3 * dy, rtol=1e-7)


@pytest.mark.parametrize("name", ["sign", "floor", "ceil", "rint", "trunc", "isnan", "isfinite", "signbit"])
def test_piecewise_constant_functions_return_plain_numbers(name: str):
    out = getattr(np, name)(Dual(-1.5, 1.0))
    assert not isinstance(out, Dual)
    assert out == getattr(np, name)(-1.5)


def test_special_functions():
    from scipy import special

    assert np.isclose(special.erf(Dual(0.3, 1.0)).tangent, 2 / np.sqrt(np.pi) * np.exp(-0.09))
    assert np.isclose(special.expit(Dual(0.0, 1.0)).tangent, 0.25)


def test_the_functions_of_math_raise():
    with pytest.raises((TypeError, wengert.errors.ConcretizationError)):
        math.sin(X)
    with pytest.raises((TypeError, wengert.errors.ConcretizationError)):
        float(X)


# Comparisons, equality, hash -----------------------------------------------------------------------------------------


def test_comparisons_look_at_the_primal():
    assert X > 2
    assert X > 2
    assert X >= 3.0
    assert Dual(3.0, -5.0) >= X
    assert not X < 3
    assert X == 3.0
    assert Dual(3.0, 7.0) == X
    assert Dual(3.0, 7.0) != Dual(4.0, 7.0)
    assert X != 2
    assert min(Dual(1.0, 5.0), X).tangent == 5.0
    assert sorted([X, Dual(1.0, 0.0), Dual(2.0, 0.0)])[0].primal == 1.0
    np.testing.assert_array_equal(Dual(np.array([1.0, 4.0]), 1.0) > 2, [False, True])
    assert bool(X)
    assert not Dual(0.0, 1.0)
    assert X != "three"
    assert (X == None) is False  # noqa: E711
    with pytest.raises(TypeError):
        X < "three"  # noqa: B015


def test_hash_agrees_with_equality():
    assert hash(X) == hash(Dual(3.0, -1.0)) == hash(3.0)
    assert {X: "a"}[Dual(3.0, 5.0)] == "a"
    assert {X: "a"}[3.0] == "a"
    with pytest.raises(TypeError, match="unhashable"):
        hash(Dual(np.zeros(2), 1.0))


# Attributes, printing ------------------------------------------------------------------------------------------------


def test_parts():
    assert X.primal == 3.0
    assert X.tangent == X.dual == 1.0
    assert Dual(2.0).tangent == 0.0
    assert X.shape == ()
    assert X.ndim == 0
    x = Dual(np.zeros((2, 3)), 1.0)
    np.testing.assert_array_equal(x.tangent, np.ones((2, 3)))
    x = Dual([1, 2], [3, 4])
    assert x.dtype == float
    assert Dual(1, 2).primal.dtype == float
    assert Dual(np.float32(1), np.float32(2)).dtype == np.float32


def test_real_and_imag_keep_numpys_meaning():
    z = Dual(1.0 + 2.0j, 3.0 - 1.0j)
    assert parts(z.real) == (1.0, 3.0)
    assert parts(z.imag) == (2.0, -1.0)
    assert parts(z.conj()) == (1.0 - 2.0j, 3.0 + 1.0j)
    assert X.real.primal == 3.0
    assert X.real.tangent == 1.0
    assert parts(X.imag) == (0.0, 0.0)
    w = z * z
    assert parts(w) == ((1 + 2j) ** 2, 2 * (1 + 2j) * (3 - 1j))


@pytest.mark.parametrize(
    ("dual", "text"),
    [
        (Dual(3.0, 1.0), "3.0 + 1.0ε"),
        (Dual(3, -1), "3.0 + -1.0ε"),
        (Dual(0.5), "0.5 + 0.0ε"),
        (Dual(np.array([1.0, 2.0]), 1.0), "[1. 2.] + [1. 1.]ε"),
        (Dual(1j, 1.0), "1j + 1.0ε"),
        (Dual(Dual(3.0, 1.0), Dual(1.0, 0.0)), "(3.0 + 1.0ε) + (1.0 + 0.0ε)ε₂"),
    ],
)
def test_printed_form(dual: Dual, text: str):
    assert repr(dual) == str(dual) == f"{dual}" == text


def test_arguments_are_copied():
    a, t = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    x = Dual(a, t)
    a[0], t[0] = 9.0, 9.0
    np.testing.assert_array_equal(x.primal, [1.0, 2.0])
    np.testing.assert_array_equal(x.tangent, [1.0, 0.0])


def test_wrong_arguments():
    for bad in ("a", None, object(), [1.0, "b"]):
        with pytest.raises((InputTypeError, ValueError)):
            Dual(bad, 1.0)
    with pytest.raises(ValueError, match="broadcast"):
        Dual(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="broadcast"):
        Dual(1.0, np.zeros(3))
    with pytest.raises(TypeError):
        X + "a"
    with pytest.raises(TypeError):
        X + None


def test_duals_are_immutable():
    x = Dual(np.array([1.0, 2.0]), 1.0)
    with pytest.raises(TypeError):
        x[0] = 1.0


def test_copies():
    assert parts(copy.copy(X)) == parts(copy.deepcopy(X)) == (3.0, 1.0)
    assert parts(copy.deepcopy({"x": X})["x"] * X) == (9.0, 6.0)
    assert pickle  # pickling would need levels that outlive a process; see the next test
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.loads(pickle.dumps(X)) * X


# Nesting -------------------------------------------------------------------------------------------------------------


def nested(a: float, order: int) -> Dual:
    """The dual number a + ε₁ + ε₂ + …, which carries all derivatives up to `order`."""
    x: Any = Dual(a, 1.0)
    for _ in range(order - 1):
        one: Any = 1.0
        x = Dual(x, one)
    return x


def highest(d: Any, order: int) -> Any:
    for _ in range(order):
        d = d.tangent if isinstance(d, Dual) else 0.0
    return d


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_duals_of_duals_are_higher_derivatives(order: int):
    for f in (
        lambda x: x**3 * np.sin(x),
        lambda x: np.exp(x * x) / (1 + x),
        lambda x: np.sqrt(x) ** x,
        lambda x: np.arctan2(x, 2.0) + np.hypot(x, 1.0),
        lambda x: 2.0 ** np.tanh(x),
    ):
        out = f(nested(0.7, order))
        assert np.isclose(highest(out, order), derivative(f, 0.7, order=order), rtol=1e-12)


def test_second_derivatives_by_hand():
    x = Dual(Dual(3.0, 1.0), Dual(1.0, 0.0))
    y = x * x * x
    assert y.primal.primal == 27.0
    assert y.primal.tangent == y.tangent.primal == 27.0
    assert y.tangent.tangent == 18.0
    mixed = Dual(Dual(2.0, 1.0), 0.0) * Dual(Dual(5.0, 0.0), 1.0)  # ∂²(x y)/∂x∂y
    assert mixed.tangent.tangent == 1.0


def test_inside_of_derivatives():
    """A hand-made dual inside of jvp or grad has an ε of its own."""
    f = lambda x: (Dual(x, 1.0) ** 3).tangent if isinstance(x, float) else Dual(x, 1.0).tangent * 3 * x**2
    assert np.isclose(f(2.0), 12.0)

    def g(x: Any) -> Any:
        return (Dual(x, 1.0) ** 3).tangent  # 3 x²

    assert jvp(g, (2.0,), (1.0,)) == (12.0, 12.0)
    assert grad(g)(2.0) == 12.0
    assert derivative(g, 2.0, order=2) == 6.0


def test_taylor_of_a_loop():
    """A program with branches and loops, on duals."""

    def newton(a: Any) -> Any:
        x = a
        while abs(x * x - a) > 1e-14:
            x = (x + a / x) / 2
        return x

    out = newton(Dual(2.0, 1.0))
    assert np.isclose(out.primal, math.sqrt(2))
    assert np.isclose(out.tangent, 0.5 / math.sqrt(2))


def test_derivative_of_any_order():
    assert derivative(lambda x: x**5, 2.0, order=0) == 32.0
    assert [derivative(lambda x: x**3, 2.0, order=k) for k in range(5)] == [8.0, 12.0, 12.0, 6.0, 0.0]
    assert derivative(lambda x: 7.0, 2.0) == 0.0
    np.testing.assert_allclose(derivative(lambda t: np.stack([t, t**2]), 3.0), [1.0, 6.0])
    assert derivative(lambda t: {"a": t * t}, 3.0) == {"a": 6.0}
    with pytest.raises(InputTypeError):
        derivative(np.sin, 1.0, order=-1)
    with pytest.raises(InputTypeError):
        derivative(np.sin, np.zeros(2))
    with pytest.raises(InputTypeError, match=r"3\.0"):
        derivative(np.sin, 3)
