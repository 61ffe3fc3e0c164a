"""Scans, extrema, sorting and searching in compiled programs: as straight-line code, in loops over lanes, and in loops.

NumPy says what is right, to the last bit: the order of additions, the first NaN, NaNs at the end, both zeros.
"""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import wengert.numpy as wnp
from wengert import config, for_loop, grad, jit, vmap, while_loop
from wengert.compiler import unroll
from wengert.numpy.dispatch import call
from wengert.rules import reductions
from wengert.rules.indexing import ARRAY, index_update, last_writers

DTYPES = ("float64", "float32", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool")
SPECIAL = (0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, 5e-324)
SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "cache_directory", None)


@pytest.fixture(params=["unrolled", "loops"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "loops":
        monkeypatch.setattr(unroll, "MAX_ELEMENTS", -1)
    return request.param


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, kind: str) -> np.ndarray:
    """Random numbers: few different ones, special ones among them, or as many as there are."""
    d = np.dtype(dtype)
    if d.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if d.kind in "iu":
        info = np.iinfo(d)
        few = kind != "all"
        return rng.integers(0 if few else info.min, 3 if few else info.max, shape, d, endpoint=True)
    if kind == "few":
        return (rng.integers(-2, 3, shape) / 2).astype(d)
    x = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)
    if kind == "special":
        chosen = rng.random(shape) < 0.3
        x = np.where(chosen, rng.choice(SPECIAL, shape), x)
    return np.asarray(x).astype(d)


def assert_equal(actual: Any, expected: Any, what: object) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), what
    np.testing.assert_array_equal(actual, expected, err_msg=repr(what))
    if actual.dtype.kind == "f":
        known = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(actual)[known], np.signbit(expected)[known], err_msg=repr(what))


def assert_partitioned(order: Any, x: np.ndarray, kth: tuple[int, ...], axis: int) -> None:
    """Element k is where sorting would put it, smaller ones are before and larger ones after it."""
    order, right = np.asarray(order), np.argsort(x, axis=axis, kind="stable")
    assert_equal(np.sort(order, axis=axis), np.sort(right, axis=axis), "a permutation")
    for k in kth:
        for part in (range(k), range(k, k + 1)):
            ours, theirs = (np.take_along_axis(x, np.take(o, part, axis), axis) for o in (order, right))
            assert_equal(np.sort(np.abs(ours), axis=axis), np.sort(np.abs(theirs), axis=axis), (x, kth))


def along(x: Any, axis: int) -> list[Any]:
    """Everything that there is along an axis."""
    n = x.shape[axis]
    results = [
        call(reductions.cumsum, x, axis=axis),
        call(reductions.cumprod, x, axis=axis),
        call(reductions.argsort, x, axis=axis, kind="stable"),
    ]
    if n:
        results += [call(reductions.argmax, x, axis=axis), call(reductions.argmin, x, axis=axis)]
        results += [call(reductions.argpartition, x, axis=axis, kth=(n // 2,))]
    return results


def check_along(x: np.ndarray, axis: int, straight: bool) -> None:
    compiled = jit(lambda x: along(x, axis))
    with np.errstate(all="ignore"):
        actual, expected = compiled(x), along(x, axis)
    for a, e in zip(actual[:5], expected[:5], strict=True):
        assert_equal(a, e, (x, axis))
    if x.shape[axis]:
        assert_partitioned(actual[5], x, (x.shape[axis] // 2,), axis)
    report = compiled.inspect(x)
    assert report.fallbacks == []
    assert ("straight-line" in report.kernels) == straight


@pytest.mark.parametrize("dtype", DTYPES)
def test_along_any_axis(dtype: str, path: str):
    shapes = ((1,), (5,), (2, 3), (3, 4), (2, 3, 2), (16,), (0,), (0, 3), (3, 0))

    @settings(SETTINGS, max_examples=6)
    @given(st.integers(0, 1000), st.sampled_from(shapes), st.sampled_from(("few", "special", "all")), st.data())
    def check(seed: int, shape: tuple[int, ...], kind: str, data: Any) -> None:
        axis = data.draw(st.integers(0, len(shape) - 1))
        check_along(numbers(np.random.default_rng(seed), shape, dtype, kind), axis, path == "unrolled")

    check()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint32", "int16", "uint8", "bool"])
def test_long_lanes(dtype: str):
    """Vectors of candidates, digits of 8 and 11 bits, selection of one element."""
    rng = np.random.default_rng(3)
    places = [((33,), 0), ((7001,), 0), ((40, 3), 0), ((3, 300), 1), ((2, 3100), 1)]
    compiled = jit(lambda xs: [along(x, axis) for x, (_, axis) in zip(xs, places, strict=True)])
    rows = [[numbers(rng, s, dtype, kind) for s, _ in places] for kind in ("few", "special", "all")]
    rows.append([np.zeros(s, dtype) for s, _ in places])
    rows.append([np.arange(np.prod(s)).reshape(s).astype(dtype) for s, _ in places])
    rows.append([x[::-1].copy() for x in rows[-1]])
    for xs in rows:
        with np.errstate(all="ignore"):
            for x, (_, axis), actual in zip(xs, places, compiled(xs), strict=True):
                for a, e in zip(actual[:5], along(x, axis), strict=False):
                    assert_equal(a, e, (x.shape, axis))
                assert_partitioned(actual[5], x, (x.shape[axis] // 2,), axis)


@pytest.mark.parametrize("n", [9, 700])
def test_first_of_several_extrema(n: int, path: str):
    if path == "unrolled" and n > 9:
        pytest.skip("the same loops")
    rng = np.random.default_rng(n)
    both = jit(lambda x: (np.argmax(x), np.argmin(x)))
    for dtype in (np.float64, np.float32):
        for _ in range(60):
            x = rng.integers(-2, 3, n).astype(dtype)
            x[rng.integers(0, n, 3)] = rng.choice([np.nan, -0.0, np.inf, -np.inf], 3)
            assert both(x) == (np.argmax(x), np.argmin(x)), x


@pytest.mark.parametrize("kth", [(0,), (4999,), (2500,), (2499, 2500), (17, 4000), (1, 2, 3)])
@pytest.mark.parametrize("kind", ["few", "special", "all"])
def test_partition_of_long_lanes(kth: tuple[int, ...], kind: str):
    x = numbers(np.random.default_rng(5), (5000,), "float64", kind)
    order = jit(lambda x: np.argpartition(x, kth))(x)
    assert_partitioned(order, x, kth, 0)
    # Equal elements: the same ones as in a stable sort.
    assert_equal(np.asarray(order)[list(kth)], np.argsort(x, kind="stable")[list(kth)], kth)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("own", ["float64", "float32", "int64", "uint64", "int8", "bool"])
def test_search(own: str, side: Any, path: str):
    rng = np.random.default_rng(2)
    cases = []
    for wanted in ("float64", "int64", "uint64", "bool"):
        for n in (0, 1, 3, 16, 40):
            for kind in ("few", "special", "all"):
                a = np.sort(numbers(rng, (n,), own, kind))
                v = numbers(rng, ((), (7,), (2, 3), (0,))[len(cases) % 4], wanted, kind)
                cases.append((a, v))
                if n and wanted == "float64" and own in ("float64", "float32"):
                    cases.append((a, a[::-1].astype(wanted)))
    compiled = jit(lambda cases: [np.searchsorted(a, v, side=side) for a, v in cases])
    for part in (cases[i : i + 24] for i in range(0, len(cases), 24)):
        for (a, v), found in zip(part, compiled(part), strict=True):
            assert_equal(found, np.searchsorted(a, v, side=side), (a, v))


@pytest.mark.parametrize("shared", ["table", "elements", "neither"])
def test_search_under_vmap(shared: str):
    """One search for all examples, whatever they share, and the same code for equal searches."""
    rng = np.random.default_rng(4)
    a, v = np.sort(rng.normal(size=(2, 5, 30)), axis=-1), rng.normal(size=(2, 5, 3))
    a, v = (a[0, 0] if shared == "table" else a), (v[0, 0] if shared == "elements" else v)
    axes = (None if shared == "table" else 0, None if shared == "elements" else 0)
    f = lambda a, v: np.searchsorted(a, v, side="right") + np.searchsorted(a, v, side="left")
    g = vmap(vmap(f, in_axes=axes), in_axes=axes)
    full = [np.broadcast_to(x, (2, 5, x.shape[-1])) for x in (a, v)]
    expected = np.stack([[f(*pair) for pair in zip(*row, strict=True)] for row in zip(*full, strict=True)])
    compiled = jit(g)
    assert_equal(g(a, v), expected, shared)
    assert_equal(compiled(a, v), expected, shared)
    report = compiled.inspect(a, v)
    assert report.fallbacks == []
    assert report.kernels.count("searchsorted lane by lane") == 2


def test_equal_work_is_written_once():
    def f(x: Any) -> Any:
        for _ in range(20):
            x = np.cumsum(x / 100)
        return x

    x = np.linspace(0, 1, 500)
    report = jit(f).inspect(x)
    assert report.llvm_ir.count('define internal void @"lanes.') == 1
    assert_agree(jit(f)(x), f(x))


def test_shared_by_threads(monkeypatch: pytest.MonkeyPatch):
    x = np.random.default_rng(1).normal(size=(300, 1200))

    def everything(x: Any) -> list[Any]:
        table = np.sort(x, axis=1)
        batched = vmap(lambda a, v: np.searchsorted(a, v, side="left"))(table, x)
        found = [np.searchsorted(table[0], x), batched, table, np.argmax(table, axis=1)]
        return [*found, np.cumsum(x, axis=1), np.cumsum(x.reshape(300, 20, 60), axis=1)]

    monkeypatch.setattr(config, "threads", 3)
    compiled = jit(everything)
    for a, e in zip(compiled(x), everything(x), strict=True):
        assert_equal(a, e, "threads")
    assert ".threads" in compiled.inspect(x).llvm_ir


@pytest.mark.parametrize("v", [0.1, 3, True, np.float32(0.1), np.nan, -1, 2**40])
def test_search_for_a_number(v: Any, path: str):
    for a in (np.array([0.1, 0.2], np.float32), np.array([1, 3, 5]), np.array([0, 1, 255], np.uint8), np.arange(99.0)):
        assert_equal(jit(lambda a: np.searchsorted(a, v))(a), np.searchsorted(a, v), (a, v))


def test_extrema_of_truth_values(path: str):
    x = np.random.default_rng(0).random((4, 5)) < 0.5
    compiled = jit(lambda x: (np.max(x, axis=0), np.min(x, axis=1), np.max(x)))
    for a, e in zip(compiled(x), (np.max(x, axis=0), np.min(x, axis=1), np.max(x)), strict=True):
        assert_equal(a, e, x)
    assert compiled.inspect(x).fallbacks == []


@pytest.mark.parametrize("f", [np.sum, np.prod, np.cumsum, np.cumprod])
def test_dtype_of_sums(f: Any, path: str):
    x = np.random.default_rng(0).integers(0, 300, (3, 4))
    for dtype in (np.int8, np.uint16, np.int32, bool, np.float32):
        g = lambda row, dtype=dtype: f(row, dtype=dtype)
        expected = np.stack([g(row) for row in x])
        assert_equal(vmap(g)(x), expected, dtype)
        assert_equal(jit(vmap(g))(x), expected, dtype)


@pytest.mark.parametrize("dtype", ["complex128", "float16"])
def test_other_numbers(dtype: str):
    x = (np.random.default_rng(0).normal(size=(6, 2)) * (1 + 1j if dtype == "complex128" else 1)).astype(dtype)
    for a, e in zip(jit(lambda x: along(x, 0))(x), along(x, 0), strict=True):
        np.testing.assert_array_equal(a, e)


# Derivatives ----------------------------------------------------------------------------------------------------------

KNOTS = np.sort(np.random.default_rng(8).normal(size=30))
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sort": lambda x: np.sum(np.sort(np.sin(x)) * np.arange(1.0, x.shape[0] + 1)),
    "sort descending": lambda x: np.sum(wnp.sort(x**3, descending=True) * np.arange(1.0, x.shape[0] + 1)),
    "ties": lambda x: np.sum(np.sort(np.round(x)) * np.arange(1.0, x.shape[0] + 1) * np.sort(x * 0 + 1)),
    "partition": lambda x: np.sum(np.partition(np.cos(x), 2)[:3] ** 2),
    "median": lambda x: np.median(np.exp(x)),
    "quantile": lambda x: np.sum(np.quantile(x * x, [0.2, 0.75])),
    "nanmedian": lambda x: np.nanmedian(np.where(x > 0, x, np.nan)) if np.ndim(x) else x,
    "cumsum": lambda x: np.sum(np.cumsum(x * x) ** 2),
    "cumprod": lambda x: np.sum(np.cumprod(1 + 0.1 * np.tanh(x))),
    "argmax": lambda x: np.sum(np.take(x * x, np.argmax(np.sin(x))) * x),
    "argmin": lambda x: (x**3)[np.argmin(x)] * (x**2)[np.argmax(x)],
    "interp": lambda x: np.sum(np.interp(x, KNOTS, np.sin(KNOTS)) * x),
    "interp knots": lambda x: np.sum(np.interp(KNOTS, np.sort(x), np.cos(x))),
}


def assert_agree(actual: Any, expected: Any) -> None:
    scale = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-11 * scale)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name: str, path: str):
    f = FUNCTIONS[name]
    n = 11 if path == "unrolled" else 50
    x = np.random.default_rng(n).normal(size=n)
    g = grad(f) if path == "unrolled" else grad(lambda x: np.sum(grad(f)(x) ** 2))
    compiled = jit(g)
    assert_agree(compiled(x), g(x))
    assert compiled.inspect(x).fallbacks == []
    examples = np.stack([x, -x, x * x])
    assert_agree(jit(vmap(grad(f)))(examples), np.stack([grad(f)(row) for row in examples]))


# In loops -------------------------------------------------------------------------------------------------------------

STEPS: dict[str, Callable[[Any], Any]] = {
    "sort": lambda a: np.sort(np.sin(3 * a)) + a / 2,
    "scans": lambda a: np.cumsum(a) / len(a) + np.cumprod(1 + a / 10),
    "extrema": lambda a: a * 0.9 + np.argmax(a) / 100 - a[np.argmin(a)] / 50,
    "median": lambda a: np.tanh(a - np.median(a)) + 0.1,
    "order": lambda a: a[np.argsort(np.cos(a), kind="stable")] * 0.9,
    "search": lambda a: np.interp(a, KNOTS, np.sin(KNOTS)) + np.searchsorted(KNOTS, a) / 100,
    "search short": lambda a: a * 0.9 + np.searchsorted(np.array([-0.5, 0.0, 0.5]), a, side="right") / 10,
}


@pytest.mark.parametrize("size", [6, 40])
@pytest.mark.parametrize("name", STEPS)
def test_in_loops(name: str, size: int):
    """With all of the state in registers, and as loops over arrays."""
    step = STEPS[name]
    x = np.random.default_rng(size).normal(size=size)

    def counted(x: Any) -> Any:
        return for_loop(4, lambda i, a: step(a), x)

    def until(x: Any) -> Any:
        a, _ = while_loop(lambda s: s[1] < 3, lambda s: (step(s[0]), s[1] + 1), (x, 0))
        return a

    for f in (until, grad(lambda x: np.sum(counted(x) ** 2))):
        compiled = jit(f)
        assert_agree(compiled(x), f(x))
        assert compiled.inspect(x).fallbacks == []


@pytest.mark.parametrize("name", STEPS)
def test_in_loops_over_examples(name: str):
    x = np.random.default_rng(9).normal(size=(4, 5))

    def f(x: Any) -> Any:
        return for_loop(3, lambda i, a: STEPS[name](a), x)

    g = vmap(grad(lambda x: np.sum(f(x) ** 2)))
    assert_agree(jit(g)(x), g(x))


def test_table_in_a_loop():
    """A table that is too long for registers, looked up by a state that is in registers."""
    table = np.sort(np.random.default_rng(1).normal(size=500))
    f = lambda s, t: for_loop(50, lambda i, s: s + 0.1 * np.interp(s, t, np.sin(t)), s)
    compiled = jit(f)
    for start in (-0.3, np.nan, 1e9):
        assert_agree(compiled(start, table), f(start, table))
    assert compiled.inspect(0.3, table).fallbacks == []


# The last of several writes -------------------------------------------------------------------------------------------

_ALL = slice(None)
WRITES = [
    ((5,), (ARRAY,), [(4,)]),
    ((5,), (ARRAY,), [(2, 3)]),
    ((4, 3), (ARRAY, ARRAY), [(6,), (6,)]),
    ((4, 3), (ARRAY, ARRAY), [(2, 1), (1, 3)]),
    ((4, 3), (_ALL, ARRAY), [(7,)]),
    ((4, 3), (ARRAY, slice(0, 2)), [(7,)]),
    ((4, 3, 2), (ARRAY, _ALL, ARRAY), [(7,), (7,)]),
    ((4, 3, 2), (_ALL, ARRAY, None, 1), [(7,)]),
    ((4, 3, 2), (Ellipsis, ARRAY), [(7,)]),
    ((4, 3, 2), (ARRAY, Ellipsis, 1), [(2, 2)]),
    ((4, 3), (ARRAY,), [()]),
    ((4, 3), (ARRAY,), [(0,)]),
    ((300,), (ARRAY,), [(900,)]),
]


@pytest.mark.parametrize(("shape", "spec", "shapes"), WRITES)
def test_last_writers(shape: tuple[int, ...], spec: tuple[Any, ...], shapes: list[tuple[int, ...]]):
    chosen = _indexed_axes(shape, spec)
    rng = np.random.default_rng(len(shape))
    arrays = [rng.integers(-shape[k], shape[k], s) for k, s in zip(chosen, shapes, strict=True)]
    compiled = jit(lambda *arrays: call(last_writers, *arrays, shape=shape, spec=spec))
    assert_equal(compiled(*arrays), last_writers.fun(*arrays, shape=shape, spec=spec), arrays)
    assert compiled.inspect(*arrays).fallbacks == []


def _indexed_axes(shape: tuple[int, ...], spec: tuple[Any, ...]) -> list[int]:
    consumed = sum(s is not None and s is not Ellipsis for s in spec)
    found, axis = [], 0
    for s in spec:
        if s is ARRAY:
            found.append(axis)
        axis += len(shape) - consumed if s is Ellipsis else s is not None
    return found


def test_last_writers_out_of_range():
    compiled = jit(lambda i: call(last_writers, i, shape=(3,), spec=(ARRAY,)))
    with pytest.raises(IndexError, match="out of bounds for an array of shape"):
        compiled(np.array([0, 3]))


def test_derivative_of_repeated_writes():
    def f(x: Any, v: Any, i: Any) -> Any:
        return np.sum(call(index_update, x, v, i, spec=(ARRAY,), donate=False) ** 2)

    x, v, i = np.arange(4.0), np.arange(1.0, 6.0), np.array([1, 1, -1, 0, 1])
    compiled = jit(grad(f, (0, 1)))
    for a, e in zip(compiled(x, v, i), grad(f, (0, 1))(x, v, i), strict=True):
        assert_agree(a, e)
    assert compiled.inspect(x, v, i).fallbacks == []
