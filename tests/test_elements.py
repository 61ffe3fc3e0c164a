"""Elementwise operations on every dtype, compiled, against NumPy: special values, and all pairs of them.

As loops, whose last elements are the rest of a vector, and as straight-line code for fewer values. Nothing may be left
to NumPy, except where it computes in float16.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import wengert
from wengert import config, jit
from wengert.compiler import unroll
from wengert.compiler.plan import make_plan
from wengert.compiler.simplify import simplify

from .test_compiled import assert_same

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

_NAN, _INF = np.nan, np.inf
_FLOATS = [0.0, 1.0, 0.5, 2.5, 3.0, 7.25, 1e16, 1e300, 1e-300, 5e-324, 2.2e-308, 1.7976931348623157e308, 1e-45, 3e38]
_FLOATS += [1e-20, 1.5e-39, 0.1, 0.3, 1 - 2**-53, 1 + 2**-52, 2.0**31, 2.0**63, 1e19, 255.5, 128.0, 65536.0, _INF, _NAN]
VALUES: dict[str, list[Any]] = {
    "bool": [False, True],
    "int8": [0, 1, 2, 3, 5, 7, 8, 100, 127, -1, -2, -3, -7, -8, -100, -127, -128],
    "uint8": [0, 1, 2, 3, 7, 8, 9, 100, 128, 254, 255],
    "int16": [0, 1, 2, 3, 15, 16, 255, 2**15 - 1, -1, -2, -7, -255, -(2**15) + 1, -(2**15)],
    "uint16": [0, 1, 2, 3, 15, 16, 255, 2**15, 2**16 - 1],
    "int32": [0, 1, 2, 3, 31, 32, 46341, 2**31 - 1, -1, -2, -7, -32, -46341, -(2**31) + 1, -(2**31)],
    "uint32": [0, 1, 2, 3, 31, 32, 65536, 2**31, 2**32 - 1],
    "int64": [0, 1, 2, 3, 63, 64, 2**53 + 1, 2**62, 2**63 - 1, -1, -2, -7, -64, -(2**53) - 1, -(2**63) + 1, -(2**63)],
    "uint64": [0, 1, 2, 3, 63, 64, 2**53 + 1, 2**63, 2**64 - 1],
    "float32": [s * x for x in _FLOATS for s in (1, -1)],
    "float64": [s * x for x in _FLOATS for s in (1, -1)],
}
UNARY = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh",
    "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "sqrt", "cbrt", "reciprocal", "square", "negative", "positive",
    "absolute", "sign", "floor", "ceil", "trunc", "rint", "isnan", "isinf", "isfinite", "deg2rad", "rad2deg", "sinc",
    "logical_not", "conj", "spacing", "signbit", "invert", "bitwise_count", "imag", "real",
)  # fmt: skip
BINARY = (
    "add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "fmax", "fmin", "arctan2", "hypot", "less",
    "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_xor",
    "floor_divide", "remainder", "fmod", "copysign", "logaddexp", "logaddexp2", "heaviside", "nextafter", "gcd", "lcm",
    "left_shift", "right_shift", "bitwise_and", "bitwise_or", "bitwise_xor", "ldexp",
)  # fmt: skip
# The sign of a zero that NumPy itself leaves to chance (which of two equal ones is the larger).
_ANY_ZERO = {"maximum", "minimum", "fmax", "fmin"}
#: Units in the last place: these are a few operations one after the other.
_ULPS = {"sinc": 8, "logaddexp": 8, "logaddexp2": 8}
Functions = dict[str, Callable[..., Any]]


@pytest.fixture(params=["loops", "unrolled"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(config, "cache_directory", None)
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", -1 if request.param == "loops" else 10**6)
    monkeypatch.setattr(unroll, "MOST_AT_ONCE", 10**6)
    return request.param


def values(dtype: str) -> Any:
    with np.errstate(all="ignore"):
        return np.array(VALUES[dtype]).astype(dtype) if "float" in dtype else np.array(VALUES[dtype], dtype)


def pairs(first: str, second: str) -> tuple[Any, Any]:
    a, b = np.meshgrid(values(first), values(second))
    return a.ravel(), b.ravel()


def some(arrays: tuple[Any, ...], path: str, count: int = 5) -> tuple[Any, ...]:
    """A few of the values for straight-line code."""
    if path == "loops" or len(arrays[0]) <= count:
        return arrays
    chosen = np.random.default_rng(0).permutation(len(arrays[0]))[:count]
    return tuple(a[chosen] for a in arrays)


def is_defined(function: Callable[..., Any], *args: Any) -> bool:
    """Whether NumPy has a function for these arguments, and does not compute it in float16."""
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        try:
            return function(*args).dtype != np.float16
        except (TypeError, ValueError):
            return False


def numpy_functions(names: tuple[str, ...], *args: Any) -> Functions:
    """The functions that NumPy has for these arguments, and does not compute in float16."""
    found = {name: getattr(np, name) for name in names}
    return {name: f for name, f in found.items() if is_defined(f, *args)}


def check(functions: Functions, args: tuple[Any, ...], native: bool = True) -> None:
    """Compile all functions as one program, and compare each."""

    def everything(*args: Any) -> dict[str, Any]:
        return {name: function(*args) for name, function in functions.items()}

    if native:
        # Each by itself: which of them is left to NumPy?
        called = [name for name, f in functions.items() if make_plan(simplify(wengert.program(f)(*args))).calls]
        assert called == []
    with np.errstate(all="ignore"):
        expected, actual = everything(*args), jit(everything)(*args)
    for name, want in expected.items():
        try:
            assert_same(actual[name], want, _ULPS.get(name, 4), sign=name not in _ANY_ZERO)
        except AssertionError as error:
            raise AssertionError(f"{name} of {', '.join(str(a.dtype) for a in args)}: {error}") from None


@pytest.mark.parametrize("dtype", VALUES)
def test_unary(dtype: str, path: str):
    (x,) = some((values(dtype),), path)
    check(numpy_functions(UNARY, x), (x,))


@pytest.mark.parametrize("dtype", VALUES)
def test_binary(dtype: str, path: str):
    a, b = some(pairs(dtype, dtype), path)
    names = BINARY
    if dtype.startswith("int"):
        names = tuple(n for n in names if n not in ("power", "ldexp"))  # of negative numbers: NumPy refuses
    check(numpy_functions(names, a, b), (a, b))


#: One operand of each kind and size, in pairs of different dtypes.
MIXED = [
    ("int8", "uint8"), ("int8", "int64"), ("uint8", "int32"), ("int16", "uint16"), ("uint32", "int32"),
    ("int32", "uint64"), ("int64", "uint64"), ("uint64", "int8"), ("bool", "int8"), ("uint8", "bool"),
    ("float32", "int16"), ("float32", "int64"), ("int32", "float32"), ("float64", "int64"), ("uint64", "float64"),
    ("float32", "float64"), ("float64", "float32"), ("bool", "float64"), ("float32", "bool"),
]  # fmt: skip


@pytest.mark.parametrize("dtypes", MIXED, ids="-".join)
def test_operands_of_different_dtypes(dtypes: tuple[str, str], path: str):
    a, b = some(pairs(*dtypes), path)
    names = BINARY
    if "int" in np.result_type(a, b).name:
        names = tuple(n for n in names if n != "power" or b.dtype.kind in "ub")
    functions = numpy_functions(names, a, b)
    if dtypes == ("int64", "uint64") or dtypes == ("int32", "uint64") or dtypes == ("uint64", "int8"):
        # NumPy compares these exactly; as float64, whatever else it does.
        functions = {n: f for n, f in functions.items() if n not in ("maximum", "minimum", "fmax", "fmin")}
    check(functions, (a, b))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "uint32", "int64", "uint64"])
def test_numbers_as_operands(dtype: str, path: str):
    (x,) = some((values(dtype),), path, 4)
    numbers = {"1": 1, "3": 3, "7": np.int8(7), "250": np.uint8(250), "200": np.int64(200), "true": True}
    if np.dtype(dtype).kind != "u":
        numbers |= {"-1": np.int8(-1), "-3": np.int32(-3)}
    names = ("add", "multiply", "floor_divide", "remainder", "fmod", "left_shift", "right_shift", "maximum", "fmin")
    functions = {}
    for name in names:
        for text, number in numbers.items():
            function = getattr(np, name)
            functions[f"{name} x {text}"] = lambda x, f=function, n=number: f(x, n)
            functions[f"{name} {text} x"] = lambda x, f=function, n=number: f(n, x)
    if dtype != "bool":
        functions |= {"gcd": lambda x: np.gcd(x, 12), "lcm": lambda x: np.lcm(6, x)}
    check({name: f for name, f in functions.items() if is_defined(f, x)}, (x,))


@pytest.mark.parametrize("dtype", [d for d in VALUES if "float" not in d])
def test_whole_powers(dtype: str, path: str):
    x = values(dtype)
    exponents = [0, 1, 2, 3, 7, 64, 100, True, np.int8(3), np.uint16(5), np.full(x.shape, 3, np.uint8)]
    functions = {f"{n!r}": lambda x, n=n: np.power(x, n) for n in exponents}
    functions["of 3"] = lambda x: np.power(3, x != 0)
    check(functions, (x,))


def test_negative_exponents_are_refused():
    x = np.arange(1, 6)
    with pytest.raises(ValueError, match="negative integer powers"):
        jit(lambda x, n: x**n)(x, np.array([0, 1, 2, -1, 3]))
    np.testing.assert_array_equal(jit(lambda x, n: x**n)(x, x), x**x)


@pytest.mark.parametrize("dtype", VALUES)
def test_casts(dtype: str, path: str):
    x = values(dtype)
    if "float" in dtype:
        (x,) = some((np.concatenate([x, _around_the_ranges_of_integers().astype(dtype)]),), path, 30)
    if "float" in dtype and platform.machine().lower() not in ("x86_64", "amd64"):
        x = x[np.abs(x) < 100]  # out of range C leaves to the machine what happens, and we do not
    functions = {to: lambda x, to=to: x.astype(to) for to in VALUES}

    def one_by_one(x: Any, to: str) -> Any:
        # NumPy's vectors cast what does not fit into uint32 in another way than its rest of an array.
        return np.concatenate([x[i : i + 1].astype(to) for i in range(len(x))])

    with np.errstate(all="ignore"):
        actual = jit(lambda x: {to: f(x) for to, f in functions.items()})(x)
        for to in VALUES:
            assert not make_plan(simplify(wengert.program(functions[to])(x))).calls
            np.testing.assert_array_equal(actual[to], one_by_one(x, to), err_msg=f"{dtype} to {to}")


def _around_the_ranges_of_integers() -> Any:
    ends = np.array([2.0**n for n in (7, 8, 15, 16, 31, 32, 33, 62, 63, 64, 70)])
    near = [ends, np.nextafter(ends, 0), np.nextafter(ends, np.inf), ends + 0.5, ends - 0.5, ends - 1, ends + 7]
    return np.concatenate([*near, *(-x for x in near)])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "int64", "uint64", "bool", "int8"])
def test_exponents_and_fractions(dtype: str, path: str):
    (x,) = some((values(dtype),), path, 20)
    exponent = {"exponent": lambda x: np.frexp(x)[1]}
    parts = {"fraction": lambda x: np.frexp(x)[0], "rest": lambda x: np.modf(x)[0], "whole": lambda x: np.modf(x)[1]}
    check(exponent, (x,))
    check(parts, (x,), native=is_defined(parts["fraction"], x))


@pytest.mark.parametrize("integer", ["int8", "int32", "int64", "bool"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_scaling_by_powers_of_two(dtype: str, integer: str, path: str):
    steps = [-5000, -2099, -2098, -2000, -1100, -1075, -1074, -1073, -1022, -1023, -149, -127, -60, 1, 60, 1023, 1024]
    n = values(integer)
    if integer in ("int32", "int64"):
        n = np.concatenate([n, np.array([*steps, 2000, 2098, 5000], integer)])
    a, b = (part.ravel() for part in np.meshgrid(values(dtype), n))
    check({"ldexp": np.ldexp}, some((a, b), path, 30))


@pytest.mark.parametrize("dtype", VALUES)
def test_zero_times_logarithm(dtype: str, path: str):
    a, b = some(pairs(dtype, dtype), path, 30)
    ulps = 16  # of the product; near 1 the logarithm is good to so many
    with np.errstate(all="ignore"):
        for function in (scipy.special.xlogy, scipy.special.xlog1py):
            assert not make_plan(simplify(wengert.program(function)(a, b))).calls
            assert_same(jit(function)(a, b), function(a, b), ulps)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13, 16, 31, 100])
def test_lengths_around_the_width_of_vectors(n: int, path: str):
    if path == "unrolled" and n > 8:
        pytest.skip("straight-line code has no vectors")
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n) * 1e3, rng.normal(size=n)
    i, j = rng.integers(-200, 200, n), rng.integers(-9, 9, n)
    small = i.astype(np.int8)
    functions = {
        "floats": lambda x, y, *_: [x // y, x % y, np.nextafter(x, y), np.sinc(y), np.ldexp(x, 3), np.frexp(x)[1]],
        "integers": lambda x, y, i, j, k: [i // j, i % j, np.fmod(i, j), np.gcd(i, j), i << j, i >> j, i**3, k**5],
        "casts": lambda x, y, i, j, k: [x.astype(t) for t in ("int8", "uint8", "int32", "uint32", "int64", "uint64")],
        "truth": lambda x, y, i, j, k: [
            (i > 0) + (j > 0),
            (i > 0) * (j > 0),
            np.fmax(i > 0, k > 0),
            (i > 0) ** (j > 0),
        ],
    }
    check(functions, (x, y, i, j, small))


def test_derivatives_pass_through():
    # Of what has no derivative itself: the rules use it, and so do functions that are compiled with their gradient.
    x, y = np.linspace(-3.0, 4.0, 41), np.linspace(1.0, 2.0, 41)

    def f(x: Any, y: Any) -> Any:
        whole = (x // y).astype(int)
        return np.sum(np.remainder(x, y) * np.ldexp(y, whole % 3) + np.sinc(x) * np.heaviside(x, 0.5) ** 2)

    g = wengert.grad(f, argnums=(0, 1))
    assert_same(jit(g)(x, y), g(x, y), 256)
    assert "all native" in str(jit(g).inspect(x, y))
