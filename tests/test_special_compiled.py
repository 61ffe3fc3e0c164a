"""Special functions in compiled programs: SciPy's numbers bit for bit; registers, loops, threads; what is missing."""

from __future__ import annotations

import ctypes
import importlib
import pkgutil
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.special

import wengert as wg
from wengert import config
from wengert.compiler import lowering, ufuncs, unroll
from wengert.core.primitive import PRIMITIVES, Primitive
from wengert.numpy.dispatch import call
from wengert.rules import special as rules
from wengert.scipy import special

for _module in pkgutil.iter_modules(rules.__path__):
    importlib.import_module(f"{rules.__name__}.{_module.name}")

_SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.5, 30.0, 1e300, 5e-324, -1e-310]
#: SciPy's functions crash, or take for ever, for infinite or huge numbers.
_FRAGILE = ("hyp1f1", "lpmv", "mathieu", "pbdv", "pbvv", "pbwa", "pro_", "obl_")
_COUNT = 37  # four vectors, and a part of one


@pytest.fixture(autouse=True)
def _without_files(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "cache_directory", None)


@pytest.fixture(params=["unrolled", "loops"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", 6000 if request.param == "unrolled" else -1)
    monkeypatch.setattr(unroll, "MOST_AT_ONCE", 10**6)
    return request.param


def assert_same(actual: Any, expected: Any, what: str = "") -> None:
    """The same bits, but for those of NaN."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype, what
    np.testing.assert_array_equal(actual, expected, err_msg=what)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(actual)[numbers], np.signbit(expected)[numbers], err_msg=what)


def rows() -> Iterator[tuple[Primitive, str, ufuncs.Loop]]:
    """Every primitive that calls an inner loop, with each of the loops that it can call."""
    for primitive in PRIMITIVES:
        ufunc, part, in_double = ufuncs.ufunc_of(primitive)
        if ufunc is None or primitive.multiple or lowering._row(primitive):
            continue
        for signature in ufunc.types:
            operands, results = signature.split("->")
            loop = ufuncs.find(primitive, list(map(np.dtype, operands)), np.dtype(results[part]))
            if loop is not None:
                yield primitive, f"{primitive.name} {signature}", loop
            else:
                assert set(signature) - set("dfl->") or (in_double and "f" in signature), signature


_ROWS = list(rows())


def operands_for(loop: ufuncs.Loop, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Random numbers and special ones, in all combinations."""
    numbers = [x for x in _SPECIAL if not loop.name.startswith(_FRAGILE) or abs(x) < 30]
    found = []
    for c in loop.operands:
        if c == "l":
            found.append(rng.integers(-1, 6, count))
            continue
        x = np.where(rng.random(count) < 0.5, rng.choice(numbers, count), rng.uniform(0.1, 3, count))
        with np.errstate(over="ignore"):
            found.append(x.astype(c))
    return found


def test_functions_of_single_numbers():
    loops = {loop.name: loop for _, _, loop in _ROWS if loop.operands.strip("d") == ""}
    for name in ("gammaln", "psi", "erf", "ndtr", "log_ndtr", "expit", "j0", "betaln", "eval_legendre", "gammainc"):
        assert bool(loops[name].single) == (name in ufuncs.SINGLE), name
    assert all(not loop.single for _, _, loop in _ROWS if loop.operands.strip("d"))


def test_a_function_of_single_numbers_that_differs_is_not_called(monkeypatch: pytest.MonkeyPatch):
    others = ufuncs._functions()
    monkeypatch.setattr(ufuncs, "_functions", lambda: {"erf": others["erfc"], "erfc": others["erf"] + others["erfc"]})
    ufuncs._single.cache_clear()
    assert not ufuncs._single(scipy.special.erf)
    assert ufuncs._single(scipy.special.erfc)
    ufuncs._single.cache_clear()


def test_there_are_rows():
    names = {loop.name for _, _, loop in _ROWS}
    assert len(names) > 180
    assert names >= {
        "gammaln", "psi", "erf", "ndtr", "expit", "j0", "jv", "betainc", "hyp2f1", "ellipj", "_zeta", "smirnov",
    }  # fmt: skip
    assert {loop.operands for _, _, loop in _ROWS if loop.name == "expn"} == {"ld", "ff", "dd"}


@pytest.mark.parametrize("start", range(0, len(_ROWS), 60))
def test_every_inner_loop(start: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", -1)
    some, rng = _ROWS[start : start + 60], np.random.default_rng(start)
    args = [operands_for(loop, rng, _COUNT) for _, _, loop in some]
    compiled = wg.jit(lambda args: [call(p, *x) for (p, _, _), x in zip(some, args, strict=True)])
    with warnings.catch_warnings(action="ignore"):  # of numbers that should be integers
        assert compiled.inspect(args).fallbacks == []
        results = compiled(args)
        for (primitive, name, loop), x, result in zip(some, args, results, strict=True):
            expected = ufuncs.ufunc_of(primitive)[0](*x)  # type: ignore[misc]
            assert_same(result, expected[loop.part] if isinstance(expected, tuple) else expected, name)


def complex_rows() -> Iterator[tuple[Primitive, np.ufunc, str]]:
    """Every primitive that calls an inner loop for complex numbers, with the operands of each of these loops."""
    for primitive in PRIMITIVES:
        ufunc, part, _ = ufuncs.ufunc_of(primitive)
        if ufunc is None or part or primitive.name in ("jve", "yve", "ive", "airye", "polygamma"):  # of real numbers
            continue
        yield from ((primitive, ufunc, s.split("->")[0]) for s in ufunc.types if set(s) & {"D", "F"} and "g" not in s)


_COMPLEX_ROWS = list(complex_rows())


@pytest.mark.parametrize("start", range(0, len(_COMPLEX_ROWS), 40))
def test_complex_numbers(start: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", -1)
    some, rng = _COMPLEX_ROWS[start : start + 40], np.random.default_rng(start)
    args = []
    for *_, operands in some:
        columns = []
        for c in operands:
            x = rng.uniform(0.1, 0.9, _COUNT) + (1j * rng.normal(size=_COUNT) if c in "DF" else 0)
            x[:3] = 0.0, -0.0, 1.0
            columns.append((4 * x).astype(c) if c == "l" else x.astype(c))
        args.append(columns)
    compiled = wg.jit(lambda args: [call(p, *x) for (p, _, _), x in zip(some, args, strict=True)])
    assert compiled.inspect(args).fallbacks == []
    for (primitive, ufunc, operands), x, result in zip(some, args, compiled(args), strict=True):
        expected = ufunc(*x)
        several = isinstance(expected, tuple) and primitive.multiple
        for a, b in zip(result, expected, strict=True) if several else [(result, expected)]:
            for part in (np.real, np.imag):
                assert_same(part(a), part(b), f"{primitive.name} {operands}")


@pytest.mark.parametrize("name", ["kerp", "berp", "voigt_profile", "modfresnelp", "lambertw"])
def test_derivatives_by_complex_numbers(name: str, path: str):
    def f(x: Any) -> Any:
        if name == "voigt_profile":
            return np.sum(scipy.special.voigt_profile(x - 1, 0.4, x))
        out = getattr(special, name)(x)
        return np.sum(np.real(out[1] if name == "modfresnelp" else out))

    compiled = wg.jit(wg.grad(f))
    assert compiled.inspect(_X).fallbacks == []
    np.testing.assert_allclose(compiled(_X), wg.grad(f)(_X), rtol=1e-12)


def test_complex_numbers_in_a_loop():
    def f(z: Any) -> Any:
        return wg.for_loop(3, lambda i, y: scipy.special.erf(y) * z, z)

    for z in (0.3 + 0.2j, _X[:5] + 1j, _X + 1j):
        compiled = wg.jit(f)
        assert compiled.inspect(z).fallbacks == []
        np.testing.assert_allclose(compiled(z), f(z), rtol=1e-13)


_X = np.random.default_rng(0).uniform(0.1, 3, _COUNT)
_ORDERS = np.arange(_COUNT) % 5

#: Functions of one array that are SciPy's own.
_VALUES: dict[str, Any] = {
    "one": scipy.special.gammaln,
    "float32": lambda x: scipy.special.erf(x.astype(np.float32)),
    "number and array": lambda x: scipy.special.jv(2, x),
    "float32 and a number": lambda x: scipy.special.gammainc(2.5, x.astype(np.float32)),
    "integers": lambda x: scipy.special.kn(_ORDERS[: len(x)], x),
    "other integers": lambda x: scipy.special.eval_legendre(_ORDERS[: len(x)].astype(np.int32), x),
    "integers as numbers": lambda x: scipy.special.binom(_ORDERS[: len(x)], 2),
    "bool": lambda x: scipy.special.expit(x > 1),
    "mixed": lambda x: scipy.special.beta(x.astype(np.float32), x),
    "broadcast": lambda x: scipy.special.betaln(x[:, np.newaxis], x[:3]),
    "matrix": lambda x: scipy.special.digamma(np.stack([x, x + 1]).T),
    "backwards": lambda x: scipy.special.ndtr(x[::-2]),
    "two results": lambda x: scipy.special.sici(x),
    "one of four": lambda x: scipy.special.airy(x)[2],
    "results in float32": lambda x: scipy.special.fresnel(x.astype(np.float32)),
    "four results": lambda x: scipy.special.ellipj(x, 0.3),
}


@pytest.mark.parametrize("name", _VALUES)
@pytest.mark.parametrize("count", [1, 5, _COUNT])
def test_values(name: str, count: int, path: str):
    f, x = _VALUES[name], _X[:count]
    compiled = wg.jit(f)
    assert compiled.inspect(x).fallbacks == []
    results, expected = compiled(x), f(x)
    for a, b in zip(results, expected, strict=True) if isinstance(expected, tuple) else [(results, expected)]:
        assert_same(a, b)


@pytest.mark.parametrize("n", [0, 1, 2, 3.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_polygamma_and_zeta(n: Any, dtype: Any, path: str):
    x = _X.astype(dtype)
    orders = np.full(_COUNT, n)
    compiled = wg.jit(
        lambda x, orders: (
            special.polygamma(n, x),
            special.polygamma(orders, x),
            special.zeta(n + 1.5, x),
            special.zeta(x + 1),
        )
    )
    assert compiled.inspect(x, orders).fallbacks == []
    expected = scipy.special.polygamma(n, x)
    results = compiled(x, orders)
    np.testing.assert_array_equal(results[0], expected)
    np.testing.assert_allclose(results[1], expected, rtol=1e-15)
    assert_same(results[2], scipy.special.zeta(n + 1.5, x))
    assert_same(results[3], scipy.special.zeta(x + 1))


def test_functions_only_for_double_precision():
    x = _X.astype(np.float32)
    compiled = wg.jit(lambda x: special.pro_cv(1, 2, x))
    assert compiled.inspect(x).fallbacks == []
    assert_same(compiled(x), scipy.special.pro_cv(1, 2, x.astype(float)).astype(np.float32))


def test_elements_beyond_the_end_are_not_computed(path: str):
    # SciPy's function does not end at -infinity, which is what the rest of the last vector could be.
    x = np.linspace(0.5, 1.0, 11)
    compiled = wg.jit(lambda x: scipy.special.hyp1f1(2.0, 3.0, -1 / x))
    np.testing.assert_array_equal(compiled(x), scipy.special.hyp1f1(2.0, 3.0, -1 / x))


def test_one_call_for_all_results(path: str):
    compiled = wg.jit(lambda x: sum(scipy.special.airy(x)))
    ir = compiled.inspect(_X[:1]).optimized_llvm_ir
    assert len(re.findall(r" call .*@wengert.ufunc.airy.d_dddd.call", ir)) == 1
    long = np.tile(_X, 10)  # for which LLVM does little
    ir = compiled.inspect(long).optimized_llvm_ir
    assert len(re.findall(r" call .*@wengert.ufunc.airy.d_dddd.call", ir)) == (len(long) if path == "unrolled" else 1)
    np.testing.assert_allclose(compiled(_X), sum(scipy.special.airy(_X)), rtol=1e-15)


def poisson(w: Any, x: Any, k: Any) -> Any:
    rate = w[0] + np.exp(w[1] * x)
    return np.sum(scipy.special.xlogy(k, rate) - rate - scipy.special.gammaln(k + w[0]))


def beta_likelihood(w: Any, x: Any, k: Any) -> Any:
    y = scipy.special.expit(x - 1)
    return np.sum((w[0] - 1) * np.log(y) - scipy.special.betaln(w[0], w[1] + k)) + np.sum(scipy.special.ndtr(w * k[:2]))


@pytest.mark.parametrize("f", [poisson, beta_likelihood])
@pytest.mark.parametrize(
    "transform", [wg.grad, wg.hessian, lambda f: lambda w, *a: wg.jvp(lambda w: f(w, *a), (w,), (w,))]
)
def test_derivatives(f: Any, transform: Any, path: str):
    w, k = np.array([1.3, 0.7]), np.floor(3 * _X)
    compiled = wg.jit(transform(f))
    assert compiled.inspect(w, _X, k).fallbacks == []
    for a, b in zip(*map(np.atleast_1d, (compiled(w, _X, k), transform(f)(w, _X, k))), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def dirichlet(a: Any, x: Any) -> Any:
    return scipy.special.gammaln(np.sum(a)) - np.sum(scipy.special.gammaln(a)) + np.sum((a - 1) * np.log(x))


@pytest.mark.parametrize("count", [3, 501])
def test_vmap(count: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", 1500)
    rng = np.random.default_rng(1)
    a, x = rng.uniform(0.1, 3, (2, count, 3))
    f = wg.vmap(wg.grad(dirichlet, argnums=(0, 1)))
    compiled = wg.jit(f)
    report = compiled.inspect(a, x)
    assert report.fallbacks == []
    assert count == 3 or f"loop over {count} examples" in report.kernels
    for actual, expected in zip(compiled(a, x), f(a, x), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-13)


def quantile(p: Any) -> Any:
    """The normal quantile by Newton's method."""

    def better(x: Any) -> Any:
        return x - (scipy.special.ndtr(x) - p) / (np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi))

    return wg.while_loop(lambda x: np.abs(scipy.special.ndtr(x) - p) > 1e-13, better, 0.0 * p)


def test_while_loop():
    compiled = wg.jit(quantile)
    assert compiled.inspect(0.3).fallbacks == []
    np.testing.assert_allclose(compiled(0.3), scipy.special.ndtri(0.3), rtol=1e-12)
    np.testing.assert_allclose(compiled(0.9), scipy.special.ndtri(0.9), rtol=1e-12)


@pytest.mark.parametrize("count", [2, 1000])
def test_for_loop(count: int):
    def f(x: Any) -> Any:
        return np.sum(wg.for_loop(7, lambda i, y: scipy.special.digamma(y + 1) + scipy.special.jv(i, x), x))

    x = np.linspace(0.5, 2, count)
    compiled = wg.jit(wg.value_and_grad(f))
    assert compiled.inspect(x).fallbacks == []
    (value, gradient), (expected, slope) = compiled(x), wg.value_and_grad(f)(x)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-10)


# Threads, errors -----------------------------------------------------------------------------------------------------


def large(x: Any) -> Any:
    return np.exp(-x) + scipy.special.gammaln(x), np.sum(scipy.special.hyp2f1(0.5, 1.5, 2.0, x))


def test_threads(monkeypatch: pytest.MonkeyPatch):
    x = np.random.default_rng(2).uniform(-3, 1, 30_001)
    compiled = wg.jit(large)
    monkeypatch.setattr(config, "threads", 1)
    alone = compiled(x)
    monkeypatch.setattr(config, "threads", 2)
    assert "threads" in compiled.inspect(x).llvm_ir
    for _ in range(5):
        shared = compiled(x)
        assert_same(shared[0], alone[0])
        np.testing.assert_allclose(shared[1], alone[1], rtol=1e-12)
    np.testing.assert_allclose(alone[0], np.exp(-x) + scipy.special.gammaln(x), rtol=1e-12)


@pytest.mark.parametrize("count", [1, 100, 30_001])
@pytest.mark.parametrize("between", [False, True])
def test_errors_that_were_asked_for(count: int, between: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "threads", 2)
    x = np.full(count, 0.5)
    poles = x + 0.5  # of the hypergeometric function, in every thread
    f = (lambda x: large(x)[1] * x.astype(np.float16)) if between else large
    compiled = wg.jit(f)
    assert bool(compiled.inspect(x).fallbacks) == between
    result = compiled(x)
    with scipy.special.errstate(all="warn"):
        with pytest.warns(scipy.special.SpecialFunctionWarning, match="hyp2f1"):
            compiled(poles)
        with pytest.raises(scipy.special.SpecialFunctionWarning):
            compiled(poles)
    with scipy.special.errstate(all="raise"), pytest.raises(scipy.special.SpecialFunctionError):
        compiled(poles)
    np.testing.assert_array_equal(compiled(x)[0], result[0])


# What is missing -----------------------------------------------------------------------------------------------------


@pytest.fixture
def without_erf(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As if the inner loops of erf were not found."""
    address = ufuncs.address_of

    def clear() -> None:
        ufuncs._find.cache_clear()
        lowering._is_lowerable.cache_clear()

    monkeypatch.setattr(ufuncs, "address_of", lambda u, number: None if u.__name__ == "erf" else address(u, number))
    clear()
    yield monkeypatch
    monkeypatch.undo()
    clear()


def test_what_has_no_inner_loop_is_left_to_scipy(without_erf: pytest.MonkeyPatch, path: str):
    def f(x: Any) -> Any:
        return np.exp(scipy.special.erf(x)) + scipy.special.erfc(x)

    compiled = wg.jit(f)
    assert [x.operation for x in compiled.inspect(_X).fallbacks] == ["erf"]
    np.testing.assert_allclose(compiled(_X), f(_X), rtol=1e-15)
    loop = wg.jit(lambda x: wg.for_loop(3, lambda i, y: scipy.special.erf(y), x))
    np.testing.assert_array_equal(loop(_X), scipy.special.erf(scipy.special.erf(scipy.special.erf(_X))))


def test_saved_code_is_not_used_where_an_inner_loop_is_missing(
    tmp_path: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, path: str
):
    monkeypatch.setattr(config, "cache_directory", tmp_path)

    def f(x: Any) -> Any:
        return scipy.special.erf(x) + 1

    def compiled() -> tuple[bool, bool]:
        report = wg.jit(f).inspect(_X)
        np.testing.assert_array_equal(wg.jit(f)(_X), f(_X))
        return report.from_cache, bool(report.fallbacks)

    assert compiled() == (False, False)
    assert compiled() == (True, False)
    request.getfixturevalue("without_erf")
    assert compiled() == (False, True)
    assert compiled() == (True, True)


def test_an_object_that_is_laid_out_in_another_way_is_not_used(monkeypatch: pytest.MonkeyPatch):
    class Moved(ctypes.Structure):
        _fields_ = (("more", ctypes.c_byte * 8), *ufuncs._Struct._fields_)

    assert ufuncs.address_of(scipy.special.erf, 0) is not None
    monkeypatch.setattr(ufuncs, "_Struct", Moved)
    assert ufuncs.address_of(scipy.special.erf, 0) is None
