"""Compiled functions against eager mode: special values, integers, composition of transforms, calls, inputs, results,
errors, threads, lifetime.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from wengert import config, grad, hessian, jacfwd, jacrev, jit, jvp, vjp, vmap
from wengert.compiler import generate, unroll
from wengert.core.containers import flatten
from wengert.errors import ConcretizationError, InputTypeError, WengertError

from .test_program import same_bits

_NAN, _INF = np.nan, np.inf


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "cache_directory", None)


@pytest.fixture(params=["unrolled", "loops"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "loops":
        monkeypatch.setattr(unroll, "MAX_ELEMENTS", -1)
    return request.param


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was compiled since."""
    made: list[Any] = []
    original = generate.generate

    def counting(program: Any) -> Any:
        made.append(program)
        return original(program)

    monkeypatch.setattr("wengert.compiler.jit.generate", counting)
    return made


def assert_same(actual: Any, expected: Any, ulps: float = 4, sign: bool = True) -> None:
    """Equal containers, shapes and dtypes; values within some ulps of the element; NaN, infinities, signs of zeros."""
    (xs, structure), (ys, wanted) = flatten(actual), flatten(expected)
    assert structure == wanted
    for x, y in zip(xs, ys, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        if y.dtype.kind not in "fc":
            np.testing.assert_array_equal(x, y)
            continue
        np.testing.assert_allclose(x, y, rtol=ulps * float(np.finfo(y.dtype).eps), atol=0)
        if sign and y.dtype.kind == "f":
            zeros = y == 0
            np.testing.assert_array_equal(np.signbit(x)[zeros], np.signbit(y)[zeros])


# Special values ------------------------------------------------------------------------------------------------------

_FLOATS = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 7.25, 1e300, -1e-300, 5e-324, -5e-324, _INF, -_INF, _NAN])
_UNARY = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh",
    "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "sqrt", "cbrt", "reciprocal", "square", "negative", "positive",
    "absolute", "sign", "floor", "ceil", "trunc", "rint", "isnan", "isinf", "isfinite", "deg2rad", "rad2deg", "sinc",
    "logical_not", "conj", "spacing",
)  # fmt: skip
_BINARY = (
    "add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "fmax", "fmin", "arctan2", "hypot", "less",
    "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_xor",
    "floor_divide", "remainder", "fmod", "copysign", "logaddexp", "logaddexp2", "heaviside", "nextafter",
)  # fmt: skip
# The sign of a zero that NumPy itself leaves to chance (which of two equal ones is the larger).
_ANY_ZERO = {"maximum", "minimum", "fmax", "fmin"}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_special_values(dtype: Any, path: str):
    with np.errstate(all="ignore"):
        x = _FLOATS.astype(dtype)
    a, b = (part.ravel() for part in np.meshgrid(x, x))
    if path == "unrolled":  # straight-line code of all pairs takes LLVM long; `test_elements` has the others
        a, b = a[::13], b[::13]

    def unary(x):
        return {name: getattr(np, name)(x) for name in _UNARY}

    # NumPy's float32 functions are good to 4 ulp, too.
    assert_same(jit(unary)(x), unary(x), 8)
    for name in _BINARY:
        f = getattr(np, name)
        compiled = jit(lambda a, b, f=f: f(a, b))
        for x, y in zip(np.split(a, 4), np.split(b, 4), strict=True):  # few enough to be written out
            assert_same(compiled(x, y), f(x, y), 8, sign=name not in _ANY_ZERO)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_special_values_in_reductions(path: str):
    rows = np.array(
        [[1.0, _NAN, 2.0], [_INF, -_INF, 1.0], [-0.0, -0.0, -0.0], [_INF, 1.0, _INF], [1e308, 1e308, -1e308]]
    )

    def f(x):
        out = []
        for axis in (0, 1, None):
            out += [np.max(x, axis=axis), np.min(x, axis=axis), np.prod(x, axis=axis), np.any(x, axis), np.all(x, axis)]
        return out

    assert_same(jit(f)(rows), f(rows), sign=False)
    assert_same(jit(lambda x: np.sum(x, axis=1))(rows[:4]), np.sum(rows[:4], axis=1))


_INTEGERS = {
    np.int8: [0, 1, -1, 127, -128, 5, 64],
    np.int16: [0, 1, -1, 2**15 - 1, -(2**15), 7],
    np.int32: [0, 1, -1, 2**31 - 1, -(2**31), 7],
    np.int64: [0, 1, -1, 2**63 - 1, -(2**63), 7, 3_000_000_000],
    np.uint8: [0, 1, 255, 128, 7],
    np.uint16: [0, 1, 2**16 - 1, 2**15],
    np.uint32: [0, 1, 2**32 - 1, 2**31, 7],
    np.uint64: [0, 1, 2**64 - 1, 2**63, 7],
    np.bool_: [False, True],
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", _INTEGERS)
def test_integers(dtype: Any, path: str):
    x = np.array(_INTEGERS[dtype], dtype)
    a, b = (part.ravel() for part in np.meshgrid(x, x))
    names = ["add", "multiply", "maximum", "minimum", "divide", "less", "equal", "greater_equal", "not_equal"]
    names += ["bitwise_and", "bitwise_or", "bitwise_xor", "logical_and", "arctan2", "floor_divide", "remainder"]
    if dtype is not np.bool_:
        names += ["subtract", "left_shift", "right_shift", "gcd"]

    def f(x, a, b):
        out = {name: getattr(np, name)(a, b % 8 if "shift" in name else b) for name in names}
        out |= {
            name: getattr(np, name)(x) for name in ("absolute", "square", "sqrt", "exp", "isnan", "signbit", "invert")
        }
        if dtype is not np.bool_:
            out |= {"negative": -x, "sign": np.sign(x), "power": np.power(x, 3), "weak": x * 3 - 1}
        out |= {"sum": np.sum(x), "prod": np.prod(x), "cumsum": np.cumsum(x), "max": np.max(x)}
        out |= {"mean": np.mean(np.maximum(x, 0))}  # without terms that cancel, so that their order does not matter
        out |= {f"to {t}": x.astype(t) for t in ("bool", "int8", "uint8", "int64", "uint64", "float32", "float64")}
        out |= {"half": x * 0.5, "float32": x + np.float32(1), "int8": x + np.int8(1), "true": x + True}
        out |= {"where": np.where(x > 0, x, 1.5), "literal": x > 1, "ints": np.where(x, 2, 3), "complex": x * 1j}
        return out

    with np.errstate(all="ignore"):
        assert_same(jit(f)(x, a, b), f(x, a, b), 8, sign=False)


def test_comparisons_of_signed_with_unsigned(path: str):
    i, u = np.array([2**63 - 1, -1, 0]), np.array([2**63, 2**64 - 1, 0], np.uint64)

    def f(i, u):
        return [i == u, i < u, i >= u, u != i, u > 300, i.astype(np.int8) < 300, u == -1, i < 2**40]

    assert_same(jit(f)(i, u), f(i, u))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_complex_numbers(path: str):
    z = np.array([1 + 2j, -0.5j, complex(_INF, 1), complex(_NAN, 0), 0j])

    def f(z):
        return [z * z, np.exp(z), np.abs(z), z.real, z.imag, np.conj(z), z.astype(np.complex64), np.sum(z), 1j * z.real]

    assert_same(jit(f)(z), f(z), sign=False)
    assert_same(jit(f)(z.astype(np.complex64)), f(z.astype(np.complex64)), sign=False)
    g = grad(lambda z: np.sum(np.abs(z * z[0]) ** 2))
    assert_same(jit(g)(z[:2]), g(z[:2]), 16)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.clongdouble])
def test_dtypes_that_only_numpy_knows(dtype: Any, path: str):
    x = np.array([0.5, 1.5, -2.0], dtype)

    def f(x):
        y = np.concatenate([x * 2, x[::-1]])
        y[1:3] += x[0]
        return y, np.sum(y), np.where(y == 1, y, 0).astype(float) if dtype is np.float16 else y, x.reshape(3, 1).T

    assert_same(jit(f)(x), f(x))


# Composition ---------------------------------------------------------------------------------------------------------


def _scalar(x):
    return np.sum(np.sin(x[:-1]) * np.exp(x[1:])) + np.prod(x) ** 2


def _vector(x):
    return np.tanh(np.outer(x, x) @ x) * x[0]


_X = np.array([0.3, -0.7, 1.1])
_COMPOSITIONS = {
    "jit(grad)": (lambda f, j: j(grad(f)), _scalar),
    "grad(jit)": (lambda f, j: grad(j(f)), _scalar),
    "jit(grad(jit))": (lambda f, j: j(grad(j(f))), _scalar),
    "hessian(jit)": (lambda f, j: hessian(j(f)), _scalar),
    "jit(hessian)": (lambda f, j: j(hessian(f)), _scalar),
    "grad(sum(jit(grad)))": (lambda f, j: grad(lambda x: np.sum(j(grad(f))(x) ** 2)), _scalar),
    "third": (lambda f, j: jacfwd(jacrev(grad(j(f)))), _scalar),
    "jit(vmap)": (lambda f, j: lambda x: j(vmap(f))(np.stack([x, 2 * x])), _scalar),
    "vmap(jit)": (lambda f, j: lambda x: vmap(j(f))(np.stack([x, 2 * x])), _scalar),
    "vmap(grad(jit))": (lambda f, j: lambda x: vmap(grad(j(f)))(np.stack([x, 2 * x])), _scalar),
    "grad(vmap(jit))": (lambda f, j: grad(lambda x: np.sum(vmap(j(f))(np.stack([x, 2 * x])))), _scalar),
    "vmap(vmap(jit))": (lambda f, j: lambda x: vmap(vmap(j(f)))(np.stack([x, x]).reshape(1, 2, 3)), _scalar),
    "jacfwd(jit)": (lambda f, j: jacfwd(j(f)), _vector),
    "jacrev(jit)": (lambda f, j: jacrev(j(f)), _vector),
    "jit(jacrev(jit))": (lambda f, j: j(jacrev(j(f))), _vector),
    "jvp(jit)": (lambda f, j: lambda x: jvp(j(f), (x,), (x,)), _vector),
    "vjp(jit)": (lambda f, j: lambda x: vjp(j(f), x)[1](x), _vector),
    "jit(jit)": (lambda f, j: j(j(f)), _vector),
    "vmap(jacfwd(jit))": (lambda f, j: lambda x: vmap(jacfwd(j(f)))(np.stack([x, -x])), _vector),
    "jit(vmap(jacrev))": (lambda f, j: lambda x: j(vmap(jacrev(f)))(np.stack([x, -x])), _vector),
}


@pytest.mark.parametrize("name", _COMPOSITIONS)
def test_compositions(name: str, path: str):
    make, f = _COMPOSITIONS[name]
    expected = make(f, lambda g: g)(_X)
    compiled = make(f, jit)
    for _ in range(2):
        actual = compiled(_X)
        for a, b in zip(flatten(actual)[0], flatten(expected)[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_a_jitted_function_between_levels(path: str):
    inner = jit(lambda x, y: x * y + np.sin(y))
    f = lambda x: grad(lambda y: inner(x, y) * y)(2.0 * x)
    g = lambda x: grad(lambda y: (x * y + np.sin(y)) * y)(2.0 * x)
    np.testing.assert_allclose(grad(f)(0.7), grad(g)(0.7), rtol=1e-14)
    # No perturbation confusion: d/dx (x · d/dy (x + y)) = 1
    add = jit(lambda x, y: x + y)
    assert grad(lambda x: x * grad(lambda y: add(x, y))(1.0))(1.0) == 1.0


def test_a_closure_over_a_traced_value(path: str):
    def f(x):
        return np.sum(jit(lambda y: y * x)(np.arange(3.0)))

    np.testing.assert_allclose(grad(f)(np.ones(3)), np.arange(3.0))
    np.testing.assert_allclose(vmap(f)(np.ones((2, 3))), [3.0, 3.0])
    np.testing.assert_allclose(jit(grad(f))(np.ones(3)), np.arange(3.0))


def test_integer_arguments_and_results_have_no_derivative(path: str):
    f = jit(lambda x, n: (np.sum(x[:2]) * n, np.argmax(x), x > 0))
    x = np.array([1.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: f(x, 3)[0])(x), [3.0, 3.0])
    out, dot = jvp(lambda x: f(x, 3), (x,), (x,))
    assert_same(out, (np.float64(12.0), np.int64(1), np.array([True, True])))
    assert float(dot[0]) == 12.0


def test_partially_used_arguments(path: str):
    f = jit(lambda x, y: x**2)
    assert grad(f, argnums=1)(3.0, 4.0) == 0.0
    assert grad(lambda x: f(x, x))(3.0) == 6.0
    assert hessian(f, argnums=(0, 1))(3.0, 4.0)[0][0] == 2.0


# Calls ---------------------------------------------------------------------------------------------------------------

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Box:
    low: Any
    high: Any


def test_containers(path: str):
    def f(d, p, *, box, scale=2.0):
        return {"sum": d["a"] + p.x, "box": Box(box.low * scale, [box.high, (p.y, None)])}, p

    args = ({"a": np.arange(3.0)}, Point(1.0, np.float32(2.0)))
    for kwargs in ({"box": Box(1, 2.0)}, {"box": Box(1, 2.0), "scale": 3.0}):
        g = jit(f)
        for _ in range(3):
            assert_same(g(*args, **kwargs), f(*args, **kwargs))


def test_keyword_arguments_in_any_order(path: str, compilations: list[Any]):
    f = jit(lambda x, y=1.0, *, z: x - 10 * y + 100 * z)
    assert f(1.0, z=2.0, y=3.0) == f(1.0, y=3.0, z=2.0) == f(1.0, 3.0, z=2.0) == 171.0
    assert f(1.0, z=2.0) == 191.0


def test_one_program_for_all_values(path: str, compilations: list[Any]):
    f = jit(lambda x, n: x * n + 1)
    for x, n in itertools.product([0.5, np.float64(2.0), np.array(3.0), 1e300], [1, 2, -5, np.int64(7)]):
        assert_same(f(x, n), np.float64(x * n + 1))
    assert len(compilations) == 1
    f(np.ones(2), 1)
    f(np.float32(1), 1)
    f(True, 1)
    f(np.ones(2) * 5, 3)
    assert len(compilations) == 4


def test_every_type_gets_its_program(path: str):
    f = jit(lambda x: (x * 2, x.dtype.itemsize * x.ndim))
    for _ in range(2):
        for dtype in (np.float64, np.float32, np.int8, np.uint8, np.int64, bool, np.complex64):
            for shape in ((), (1,), (3,), (2, 2), (0,), (0, 3)):
                x = np.ones(shape, dtype)
                out, number = f(x)
                assert_same(out, x * 2 if shape else (x * 2)[()])
                assert number == x.dtype.itemsize * x.ndim


def test_the_structure_of_the_result_can_depend_on_the_types():
    f = jit(lambda x: {"a": x, "b": [x]} if x.ndim else (x,))
    for _ in range(2):
        assert_same(f(np.ones(2)), {"a": np.ones(2), "b": [np.ones(2)]})
        assert_same(f(np.float64(1.0)), (np.float64(1.0),))


def test_static_arguments(path: str, compilations: list[Any]):
    f = jit(lambda x, n, mode: x**n if mode == "power" else x * n, static_argnums=(1, 2))
    x = np.array([2.0, 3.0])
    assert_same(f(x, 3, "power"), x**3, 4)
    assert_same(f(x, 3, "times"), x * 3)
    assert_same(f(x, 4, "times"), x * 4)
    f(x * 2, 4, "times")
    assert len(compilations) == 3
    y = np.array([2, 3])
    assert_same(f(y, 3, "times"), y * 3)
    assert_same(f(y, 3.0, "times"), y * 3.0)  # 3 == 3.0
    assert_same(f(y, True, "times"), y * True)
    last = jit(lambda x, n: x + n, static_argnums=-1)
    assert last(1.0, 2) == 3.0
    with pytest.raises(TypeError):
        f(x, [3], "times")


def test_python_runs_once_per_type():
    calls = []

    @jit
    def f(x):
        """Double."""
        calls.append(x)
        return 2 * x

    for k in range(5):
        assert f(float(k)) == 2.0 * k
    assert len(calls) == 1
    assert f.__name__ == "f"
    assert f.__doc__ == "Double."


def test_errors_of_the_function_are_its_own(path: str):
    tries = []

    @jit
    def f(x):
        tries.append(1)
        if len(tries) < 3:
            raise KeyError("not yet")
        return x

    for _ in range(2):
        with pytest.raises(KeyError, match="not yet"):
            f(1.0)
    assert f(1.0) == 1.0
    with pytest.raises(ZeroDivisionError):
        jit(lambda x: x * (1 // 0))(1.0)


def test_wrong_arguments():
    f = jit(lambda x: x)
    f(1.0)
    for bad in ("a", object(), np.array(["a"]), np.array([object()]), {1, 2}, b"x", np.datetime64("2020-01-01")):
        with pytest.raises((InputTypeError, TypeError)):
            f(bad)
    with pytest.raises(TypeError):
        f()
    with pytest.raises(TypeError):
        f(1.0, 2.0)
    with pytest.raises(TypeError):
        f(y=1.0)
    assert f(2.0) == 2.0


def test_control_flow_on_values_names_the_line():
    def f(x):
        return x if x > 0 else -x

    with pytest.raises(ConcretizationError, match="test_compiled"):
        jit(f)(1.0)
    assert jit(f, static_argnums=0)(-1.0) == 1.0


# Inputs and results --------------------------------------------------------------------------------------------------


def _layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = buffer[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    wide = np.zeros((x.shape[0], 2 * x.shape[1]), x.dtype)
    wide[:, ::2] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    return {
        "F order": np.asfortranarray(x),
        "transposed": x.T.copy().T,
        "strided": wide[:, ::2],
        "reversed": x[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": read_only,
        "big-endian": x.astype(x.dtype.newbyteorder(">")),
        "little-endian": x.astype(x.dtype.newbyteorder("<")),
        "unaligned": unaligned,
        "masked away": x.view(type("Sub", (np.ndarray,), {})),
        "strided big-endian": wide.astype(wide.dtype.newbyteorder(">"))[:, ::2],
    }


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, np.complex128, np.float16, bool])
def test_memory_layouts_of_inputs(dtype: Any, path: str):
    x = (np.arange(12).reshape(3, 4) - 4).astype(dtype)

    def f(x, y):
        return x, x + y, x.T[1:], np.sum(x, axis=0), x.reshape(-1)[::5], x

    g = jit(f)
    expected = f(x, x)
    assert_same(g(x, x), expected)
    for first, second in itertools.product(["F order", "strided", "unaligned", "big-endian"], _layouts(x)):
        layouts = _layouts(x)
        assert_same(g(layouts[first], layouts[second]), expected)
    np.testing.assert_array_equal(x, (np.arange(12).reshape(3, 4) - 4).astype(dtype))


def test_broadcast_inputs(path: str):
    x = np.broadcast_to(np.float64(2.0), (3, 4))
    assert_same(jit(lambda x: (x * 2, x))(x), (x * 2, x))


@pytest.mark.parametrize("size", [3, 10_000])
def test_results_never_alias_inputs_or_each_other(size: int):
    captured = np.ones(size)

    def f(x, y):
        return x, x, x[1:], x.reshape(1, -1), y, captured, captured, x.T, x + 0.0, np.broadcast_to(y, (2, size))

    x, y = np.arange(float(size)), np.ones(size)
    expected = [np.array(o) for o in f(x, y)]
    g = jit(f)
    for _ in range(3):
        outs = g(x, y)
        for o in outs:
            assert o.flags.writeable
            assert o.flags.owndata or o.base is not None
        for a, b in itertools.combinations((*outs, x, y, captured), 2):
            assert not np.shares_memory(a, b) or (a is x) == (b is x) == False  # noqa: E712
        for o, e in zip(outs, expected, strict=True):
            np.testing.assert_array_equal(o, e)
            o[...] = -1.0  # the caller may overwrite results
    np.testing.assert_array_equal(captured, 1.0)
    np.testing.assert_array_equal(x, np.arange(float(size)))


def test_writes_to_arguments_stay_inside(path: str):
    @jit
    def f(x):
        x[0] = 5.0
        x += 1.0
        return x

    x = np.zeros(3)
    np.testing.assert_array_equal(f(x), [6.0, 1.0, 1.0])
    np.testing.assert_array_equal(x, 0.0)


def test_literal_and_repeated_results(path: str):
    def f(x):
        return (
            1.5,
            x,
            x,
            np.float32(2),
            True,
            3,
            2j,
            np.full(2, 7),
            x * 0 + 1,
            np.complex64(1j),
            np.float16(1),
            x.shape[0],
        )

    x = np.arange(3.0)
    expected = [np.asarray(o)[()] for o in f(x)]
    assert_same(list(jit(f)(x)), expected)
    assert_same(jit(lambda x: 2.5)(x), np.float64(2.5))
    assert_same(jit(lambda: 2.5)(), np.float64(2.5))
    assert_same(jit(lambda: np.arange(3))(), np.arange(3))


def test_many_inputs_and_results(path: str):
    def f(*xs):
        return [a + b for a, b in itertools.pairwise(xs)] + [xs[0]] * 3

    xs = [np.float64(k) for k in range(200)]
    assert_same(jit(f)(*xs), f(*xs))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_empty_arrays(path: str):
    def f(x, y):
        z = np.concatenate([x, y[:0]])
        z[:] = 3.0
        return (
            x,
            x + 1,
            np.sum(x),
            np.prod(x, axis=0),
            x @ x,
            np.stack([x, x]),
            z,
            np.sum(np.outer(x, y), axis=0),
            y[5:],
        )

    args = np.zeros(0), np.arange(3.0)
    assert_same(jit(f)(*args), f(*args))
    assert_same(jit(grad(lambda x: np.sum(x**2)))(np.zeros((0, 3))), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="zero-size"):
        jit(lambda x: np.max(x))(np.zeros(0))


def test_0d_arrays_and_numbers(path: str):
    def f(x):
        return x + 1, np.sum(x), np.stack([x, x]), x.reshape(1, 1), np.broadcast_to(x, (2,)), x[None], x[()], x[...]

    for x in (np.array(0.5), np.float64(0.5), 0.5):
        actual = jit(f)(x)
        for a, b in zip(actual, f(np.float64(0.5)), strict=True):
            np.testing.assert_array_equal(a, b)
            assert type(a) is type(np.asarray(b)[()])


def test_overlapping_writes(path: str):
    def f(x, y):
        x[1:] = x[:-1]
        x[::2] += y[::-1][:3]
        x[:4], x[1:5] = x[1:5] * 2, x[:4].copy()
        y[:,] = x[: len(y)][::-1]
        view = x[1:]
        view[1:] -= view[:-1]
        x[[0, 0, 1]] += 1.0
        np.add.at(x, [0, 0, 1], 1.0)
        return x, y, view

    args = np.arange(5.0), np.linspace(0, 1, 4)
    assert_same(jit(f)(*args), f(*(a.copy() for a in args)))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 31, 64, 65, 1000, 4097])
def test_lengths_around_the_width_of_vectors(n: int, path: str):
    """Nothing is read or written outside of the buffers: results in the middle of guarded memory come out right."""
    x = np.random.default_rng(n).normal(size=n)

    def f(x):
        y = np.exp(x) * np.sin(x)
        return y, np.cumsum(y), y[::-1], y[1:] - y[:-1], np.concatenate([y[n // 2 :], x[: n // 2]])

    with np.errstate(all="ignore"):
        for a, b in zip(jit(f)(x), f(x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_code_stays_inside_its_buffers(path: str):
    """Native code runs between pages that must not be touched."""
    code = """
    import ctypes, mmap, sys
    import numpy as np
    from wengert import config, grad, program
    from wengert.compiler import unroll
    from wengert.compiler.generate import generate
    from wengert.compiler.simplify import simplify
    config.cache_directory = None
    config.threads = 1
    unroll.MAX_ELEMENTS = int(sys.argv[1])
    libc = ctypes.CDLL(None)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    page = mmap.PAGESIZE
    keep = []

    def guarded(nbytes, at_end):
        # memory that ends (or begins) at a page without access
        size = -(-max(nbytes, 1) // page) * page
        area = mmap.mmap(-1, size + 2 * page)
        keep.append(area)
        address = ctypes.addressof(ctypes.c_char.from_buffer(area))
        for end in (address, address + page + size):
            assert libc.mprotect(end, page, 0) == 0
        return address + page + ((size - nbytes) if at_end else 0)

    def f(x, w, n):
        y = np.tanh(x) @ w
        y[1:, 1:] += n * x[:-1, ::-1][:, 1:]
        z = np.concatenate([y, y[::-1] * 2.0, np.ones((1, y.shape[1]))])
        return np.sum(z, axis=0), z[1:, -1], np.max(z), z > 0, np.sum(np.where(z > 0.5, z, 0.0) ** 2)

    def everything(x, w, n):
        return *f(x, w, n), grad(lambda x: f(x, w, n)[-1])(x)

    for rows, columns in ((3, 3), (5, 9), (17, 4), (1, 1), (2, 33)):
        x = np.random.default_rng(0).normal(size=(rows, columns))
        w = np.random.default_rng(1).normal(size=(columns, columns))
        args = (x, w, np.int64(3))
        e = generate(simplify(program(everything)(*args)))
        assert not e.calls, e.calls
        expected = everything(*args)
        (name,) = e.segments
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(e.native.address(name))
        for at_end in (True, False):
            ins = [np.ascontiguousarray(a) for a in args]
            where = [guarded(a.nbytes, at_end) for a in ins]
            for a, p in zip(ins, where):
                ctypes.memmove(p, a.ctypes.data, a.nbytes)
            sizes = [int(np.prod(t.shape)) * t.dtype.itemsize for t in e.out_types]
            outs = [guarded(s, at_end) for s in sizes]
            work = guarded(-(-e.workspace // 64) * 64, at_end)
            status = (ctypes.c_int64 * 2)(0, 0)
            table = (ctypes.c_void_p * (len(ins) + len(outs) + 2))(*where, *outs, work, ctypes.addressof(status))
            run(ctypes.addressof(table))
            for t, p, want in zip(e.out_types, outs, expected):
                size = int(np.prod(t.shape)) * t.dtype.itemsize
                got = np.frombuffer(ctypes.string_at(p, size), t.dtype).reshape(t.shape)
                np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    print("inside")
    """
    limit = "6000" if path == "unrolled" else "-1"
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code), limit], capture_output=True, text=True)
    assert run.stdout.strip() == "inside", run.stderr


# Errors, memory, interrupts ------------------------------------------------------------------------------------------


def test_constant_indices_out_of_range(path: str):
    x = np.arange(3.0)
    for index in (3, -4, [0, 3], np.array([-4])):
        with pytest.raises(IndexError):
            jit(lambda x, index=index: x[index])(x)
    with pytest.raises(IndexError):
        jit(lambda x: x[0, 0])(x)
    with pytest.raises(IndexError):
        jit(lambda x: x.reshape(1, 3)[1:2, 3])(x)


def test_computed_indices_out_of_range(path: str):
    f = jit(lambda x, i: x[i])
    g = jit(_written)
    x = np.arange(3.0)
    assert_same(f(x, np.array([2, -1, 0])), x[[2, -1, 0]])
    assert_same(g(x, np.array([2, -1])), _written(x.copy(), np.array([2, -1])))
    for i in ([3], [-4], [0, 2**40], [-(2**63)], [2**63 - 1]):
        with pytest.raises(IndexError, match="out of bounds"):
            f(x, np.array(i))
        with pytest.raises(IndexError, match="out of bounds"):
            g(x, np.array(i))
    assert_same(f(x, np.array([1])), x[[1]])


def _written(x, i):
    x[i] = 7.0
    return x


def test_numpys_exceptions_arrive_as_they_are(path: str):
    f = jit(lambda a: np.linalg.inv(a) + 1)
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError):
            f(np.zeros((2, 2)))
        assert_same(f(np.eye(2)), np.eye(2) + 1)
    with pytest.raises(np.linalg.LinAlgError):
        jit(lambda a: np.linalg.cholesky(a) * 2)(-np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        jit(grad(lambda a: np.sum(np.linalg.inv(a))))(np.zeros((2, 2)))


def test_too_large_for_the_memory():
    f = jit(lambda x, n: np.broadcast_to(x, (2**45, 3)) + 1.0, static_argnums=1)
    with pytest.raises(MemoryError):
        f(np.arange(3.0), 0)
    with pytest.raises((MemoryError, ValueError)):
        jit(lambda x: np.broadcast_to(x, (2**62, 3)) + 1.0)(np.arange(3.0))
    # A temporary array that is too large
    with pytest.raises(MemoryError):
        jit(lambda x: np.sum(np.sort(np.broadcast_to(x, (2**45, 3)) + x)))(np.arange(3.0))
    assert jit(lambda x: np.sum(x))(np.arange(3.0)) == 3.0


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) >= "2.5.0", reason="eigvals is always complex there")
def test_results_whose_dtype_depends_on_values():
    f = jit(lambda a: np.linalg.eigvals(a))
    assert_same(np.sort(f(np.diag([1.0, 2.0]))), np.array([1.0, 2.0]))
    with pytest.raises(WengertError, match="eig"):
        f(np.array([[0.0, 1.0], [-1.0, 0.0]]))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the interrupt came in a __del__
def test_interrupts():
    """Ctrl-C during compilation or a long run gives KeyboardInterrupt, and the function still works afterwards."""

    def f(x):
        for _ in range(60):
            x = np.sin(x) * np.exp(-x) + x
        return x

    x = np.linspace(0, 1, 1000)
    expected = f(x)
    for delay in (0.005, 0.02, 0.05, 0.1, 0.2):
        g = jit(f)
        timer = threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        try:
            while timer.is_alive():
                g(x)
            time.sleep(0.05)
        except KeyboardInterrupt:
            pass
        timer.join()
        np.testing.assert_allclose(g(x), expected, rtol=1e-10)


# Threads, processes, lifetime ----------------------------------------------------------------------------------------


def test_threads_share_a_function():
    f = jit(lambda x, k: np.sum(np.sin(x) * k, axis=-1))
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        barrier.wait()
        for _ in range(60):
            x = rng.normal(size=[(5,), (2, 3), (300,), (100, 40)][rng.integers(4)])
            np.testing.assert_allclose(f(x, float(number)), np.sum(np.sin(x) * number, axis=-1), rtol=1e-9, atol=1e-9)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))  # raises what is raised in a thread


def test_threads_compile_at_once():
    barrier = threading.Barrier(6)

    def work(number: int) -> Any:
        barrier.wait()
        g = jit(grad(lambda x: np.sum(np.sin(x * number) ** 2)))
        return g(np.arange(20.0 + number))

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(work, range(6)))
    for n, r in enumerate(results):
        eager = grad(lambda x, n=n: np.sum(np.sin(x * n) ** 2))(np.arange(20.0 + n))
        np.testing.assert_allclose(r, eager, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_fork_after_compiling():
    code = """
    import os, sys, warnings
    warnings.simplefilter("ignore")
    import numpy as np
    from wengert import config, grad, jit
    config.cache_directory = None
    f = jit(lambda x: np.sum(np.sin(x)))
    x = np.arange(1e6)
    expected = f(x)
    child = os.fork()
    if child == 0:
        ok = f(x) == expected and np.allclose(jit(grad(f))(np.arange(3.0)), np.cos(np.arange(3.0)))
        os._exit(0 if ok else 1)
    _, status = os.waitpid(child, 0)
    assert f(x) == expected
    print(os.waitstatus_to_exitcode(status))
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "0", run.stderr


def test_deleted_functions_free_their_code(path: str):
    codes = []

    def collecting(program: Any, original: Any = generate.generate) -> Any:
        executable = original(program)
        codes.append(weakref.ref(executable.native))
        return executable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wengert.compiler.jit.generate", collecting)
        f = jit(lambda x: np.sum(np.sin(x)))
        f(np.ones(3))
        f(np.ones((2, 3)))
        grad(f)(np.ones(3))
        vmap(f)(np.ones((2, 3)))
    assert len(codes) >= 4
    gc.collect()
    assert all(c() is not None for c in codes)
    del f
    gc.collect()
    assert [c() for c in codes] == [None] * len(codes)


def _multiply_by_constants() -> Any:
    w = np.arange(1000.0).reshape(10, 100)
    return lambda x: w @ x


def test_captured_arrays_live_as_long_as_the_code(path: str):
    f = jit(_multiply_by_constants())
    x = np.ones(100)
    expected = f(x)
    gc.collect()
    junk = [np.full(1000, _NAN) for _ in range(100)]
    assert_same(f(x), expected)
    del junk


def test_captured_arrays_are_taken_when_compiled(path: str):
    w = np.ones(3)
    f = jit(lambda x: x * w)
    assert_same(f(np.ones(3)), np.ones(3))
    w[:] = 2.0
    assert_same(f(np.ones(3)), np.ones(3))


def test_literals_promote_as_in_numpy(path: str):
    def f(x):
        return x * 2.0, x + 1, x * np.float64(2), np.where(x > 0, x, 0.0), x**2, 1 / x, np.maximum(x, 0), x == 0.1

    x = np.array([0.1, 2.0, -3.0], np.float32)
    assert_same(jit(f)(x), f(x), 2)
    for a, b in zip(jit(f)(x), f(x), strict=True):
        if b.dtype == bool:
            assert same_bits(a, b)


def test_many_seams(path: str):
    """Arrays put together from more parts than one loop nest can have seams."""
    x = np.random.default_rng(0).normal(size=90)
    grid = x.reshape(9, 10)

    def parts(x):
        y = np.concatenate([x[k : k + 2] * k for k in range(70)])
        z = np.zeros_like(x) * x
        for i in range(0, 90, 3):
            z[i] += x[i] * 2
        return y, z, [np.concatenate([x[k : k + 1] * j for k in range(0, 90, j + 1)]) for j in range(2)]

    def grids(g):
        by_rows = np.concatenate([g[i : i + 1] * i for i in range(9)])
        return by_rows * np.concatenate([g[:, j : j + 1] * j for j in range(10)], axis=1), by_rows

    assert_same(jit(parts)(x), parts(x))
    assert_same(jit(grids)(grid), grids(grid))
    for f, args in ((parts, x), (grids, grid)):
        g = grad(lambda x, f=f: sum(np.sum(y**2) for y in flatten(f(x))[0]))
        np.testing.assert_allclose(jit(g)(args), g(args), rtol=1e-12, atol=1e-12)
