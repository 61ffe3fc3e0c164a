"""Every primitive at every sample: value, both modes against each other and finite differences, vmap, dtypes.

Cotangents and tangents are compared in the real inner product ⟨v, w⟩ = Re Σ conj(v)·w.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
from wengert.core.combinators import NonDifferentiable
from wengert.core.primitive import PRIMITIVES
from wengert.numpy.dispatch import call

from .samples import ALL
from .samples.sample import Sample

# Functions as primitives: what they do depends on the user's function, and tests of their own check it.
_OF_USERS = {"checkpoint", "custom_call", "jit", "map_program", "odeint", "stop_gradient"}

_LIST = """
import importlib, pkgutil, wengert
for module in pkgutil.walk_packages(wengert.__path__, "wengert."):
    importlib.import_module(module.name)
from wengert.core.primitive import PRIMITIVES
print(*(p.name for p in PRIMITIVES), sep="\\n")
"""


def declared_names() -> list[str]:
    """Names of the primitives that the package declares, by a fresh interpreter in which no test added one."""
    run = subprocess.run([sys.executable, "-c", _LIST], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_every_primitive_has_samples():
    names = declared_names()
    assert len(names) == len(set(names)), "two primitives have the same name"
    assert len(names) > 90
    sampled = {s.primitive.name for s in ALL}
    assert sorted(set(names) - sampled - _OF_USERS) == []
    assert all(s.primitive in PRIMITIVES for s in ALL)


# Functions, directions and inner products ----------------------------------------------------------------------------


def function_of(sample: Sample, args: tuple[Any, ...] | None = None) -> Callable[..., tuple[Any, ...]]:
    """The sample as a function of its differentiated arguments, returning a tuple."""
    args = sample.args if args is None else args

    def function(*active: Any) -> tuple[Any, ...]:
        full = list(args)
        for k, x in zip(sample.active, active, strict=True):
            full[k] = x
        out = call(sample.primitive, *full, **sample.params)
        return tuple(out) if isinstance(out, tuple) else (out,)

    return function


def primals_of(sample: Sample) -> tuple[Any, ...]:
    return tuple(sample.args[k] for k in sample.active)


def random_like(rng: np.random.Generator, x: Any) -> Any:
    x = np.asarray(x)
    out = rng.normal(size=x.shape)
    if x.dtype.kind == "c":
        out = out + 1j * rng.normal(size=x.shape)
    return np.asarray(out, x.dtype if x.dtype.kind in "fc" else float)[()]


def directions_of(sample: Sample, rng: np.random.Generator) -> tuple[Any, ...]:
    v = [random_like(rng, x) for x in primals_of(sample)]
    return tuple(v if sample.project is None else sample.project(v))


def rng_of(sample: Sample) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(sample.id.encode()))


def inner(v: tuple[Any, ...], w: tuple[Any, ...]) -> float:
    terms = (np.sum((np.conj(a).astype(complex) * b).real) for a, b in zip(v, w, strict=True))
    return float(sum(terms))


def norm(v: tuple[Any, ...]) -> float:
    return float(np.sqrt(sum(np.sum(np.abs(np.asarray(a, complex)) ** 2) for a in v)))


def assert_all_close(actual: Any, expected: Any, rtol: float, scale: float = 0.0) -> None:
    for a, b in zip(actual, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        size = max(np.max(np.abs(b[np.isfinite(b)]), initial=0.0), scale, 1.0)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * size)


def is_single_cast(sample: Sample) -> bool:
    dtype = sample.params.get("dtype")
    return isinstance(dtype, np.dtype) and dtype.char in "fF"


def exact(sample: Sample) -> float:
    """Tolerance of identities that hold up to rounding."""
    single = is_single_cast(sample) or any(np.asarray(x).dtype.char in "fF" for x in sample.args)
    return 3e-5 if single else 1e-10


def approximate(sample: Sample) -> float:
    """Tolerance of finite differences (computed in double precision)."""
    return sample.rtol if sample.rtol is not None else 1e-4 if exact(sample) > 1e-9 else 1e-7


def doubled(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Single precision turned into double, for finite differences."""
    wide = {"f": np.float64, "F": np.complex128}
    return tuple(np.asarray(x).astype(wide.get(np.asarray(x).dtype.char, np.asarray(x).dtype))[()] for x in args)


def finite_difference(f: Callable[..., tuple[Any, ...]], x: tuple[Any, ...], v: tuple[Any, ...]) -> tuple[Any, ...]:
    """Directional derivative by the five-point central difference."""
    h = 2e-3
    values = {
        k: [np.asarray(o) for o in f(*(np.asarray(a + k * h * b)[()] for a, b in zip(x, v, strict=True)))]
        for k in (-2, -1, 1, 2)
    }
    return tuple(
        (8 * (p1 - m1) - (p2 - m2)) / (12 * h)
        for m2, m1, p1, p2 in zip(values[-2], values[-1], values[1], values[2], strict=True)
    )


def small(v: tuple[Any, ...]) -> tuple[Any, ...]:
    """A direction whose entries are below one, so that finite differences stay in the domain."""
    largest = max((np.max(np.abs(a), initial=0.0) for a in v), default=0.0)
    return tuple(np.asarray(0.5 * a / max(largest, 1e-3)).astype(np.asarray(a).dtype)[()] for a in v)


def of(samples: Any) -> Any:
    samples = list(samples)
    names: dict[str, int] = {}
    ids = []
    for s in samples:
        n = names[s.id] = names.get(s.id, 0) + 1
        ids.append(s.id if n == 1 else f"{s.id}#{n}")
    return pytest.mark.parametrize("sample", samples, ids=ids)


DIFFERENTIABLE = [s for s in ALL if not isinstance(s.primitive, NonDifferentiable) and s.active]
SMOOTH = [s for s in DIFFERENTIABLE if s.smooth]
KINKED = [s for s in DIFFERENTIABLE if not s.smooth]


# Values --------------------------------------------------------------------------------------------------------------


def check_outputs(actual: Any, expected: Any) -> None:
    actual = actual if isinstance(actual, tuple) else (actual,)
    expected = tuple(expected) if isinstance(expected, tuple) else (expected,)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


@of(ALL)
def test_value_is_numpys(sample: Sample):
    with np.errstate(all="ignore"):
        expected = (sample.numpy_function or sample.primitive.fun)(*sample.args, **sample.params)
        check_outputs(sample.primitive(*sample.args, **sample.params), expected)
        primals = primals_of(sample)
        if not primals:
            return
        f = function_of(sample)
        check_outputs(wengert.jvp(f, primals, primals)[0], expected)
        check_outputs(wengert.vjp(f, *primals)[0], expected)


@of([s for s in ALL if isinstance(s.primitive, NonDifferentiable) and s.active])
def test_piecewise_constant_functions_have_zero_derivative(sample: Sample):
    f, primals = function_of(sample), primals_of(sample)
    out, dots = wengert.jvp(f, primals, primals)
    for o, d in zip(out, dots, strict=True):
        assert np.shape(o) == np.shape(d)
        assert not np.any(d)
    out, pullback = wengert.vjp(f, *primals)
    for x, c in zip(primals, pullback(tuple(random_like(rng_of(sample), o) for o in out)), strict=True):
        assert np.shape(x) == np.shape(c)
        assert not np.any(c)


# First order ---------------------------------------------------------------------------------------------------------


def check_types(values: Any, like: Any) -> None:
    for v, x in zip(values, like, strict=True):
        assert np.shape(v) == np.shape(x)
        kind = np.asarray(x).dtype if np.asarray(x).dtype.kind in "fc" else np.dtype(float)
        assert np.asarray(v).dtype == kind


@of(DIFFERENTIABLE)
def test_modes_agree_and_keep_types(sample: Sample):
    """⟨Jv, w⟩ = ⟨v, Jᵀw⟩; linearize is jvp; tangents have the types of outputs and cotangents those of inputs."""
    f, primals, rng = function_of(sample), primals_of(sample), rng_of(sample)
    v = directions_of(sample, rng)
    with np.errstate(all="warn" if sample.smooth else "ignore"):
        check_modes(sample, f, primals, v, rng)


def check_modes(sample: Sample, f: Any, primals: Any, v: Any, rng: np.random.Generator) -> None:
    out, dots = wengert.jvp(f, primals, v)
    check_types(dots, out)
    w = tuple(random_like(rng, o) for o in out)
    _, pullback = wengert.vjp(f, *primals)
    cts = pullback(w)
    check_types(cts, primals)
    _, pushforward = wengert.linearize(f, *primals)
    check_types(pushforward(*v), out)
    for a, b in zip(pushforward(*v), dots, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(pullback(w), cts, strict=True):  # a second pull gives the same
        np.testing.assert_array_equal(a, b)
    if sample.smooth:
        assert abs(inner(dots, w) - inner(v, cts)) <= exact(sample) * max(1.0, norm(dots) * norm(w))


@of(SMOOTH)
def test_first_order_against_finite_differences(sample: Sample):
    primals = doubled(primals_of(sample))
    f = function_of(sample, doubled(sample.args))
    v = small(doubled(directions_of(sample, rng_of(sample))))
    _, dots = wengert.jvp(f, primals, v)
    numeric = finite_difference(f, primals, v)
    assert_all_close(dots, numeric, approximate(sample))


@of([s for s in SMOOTH if s.analytic and all(np.asarray(x).dtype == float for x in primals_of(s))])
def test_first_order_against_complex_step(sample: Sample):
    primals = primals_of(sample)
    v = small(directions_of(sample, rng_of(sample)))
    h = 1e-20
    f = sample.numpy_function or sample.primitive.fun
    full = list(sample.args)
    for k, x, t in zip(sample.active, primals, v, strict=True):
        full[k] = x + 1j * h * t
    numeric = np.imag(f(*full, **sample.params)) / h
    _, (dot,) = wengert.jvp(function_of(sample), primals, v)
    np.testing.assert_allclose(dot, numeric, rtol=1e-11, atol=1e-11)


@of([s for s in KINKED if s.expected is not None])
def test_derivative_by_convention(sample: Sample):
    """At kinks and poles: the stated partial derivatives, from both modes."""
    f, primals = function_of(sample), primals_of(sample)
    expected = [np.broadcast_to(e, np.shape(x)) for e, x in zip(sample.expected, primals, strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):  # NumPy's own warnings about the values
        (out,), pullback = wengert.vjp(f, *primals)
    ones = np.ones(np.shape(out))
    for c, e in zip(pullback((ones,)), expected, strict=True):
        np.testing.assert_allclose(c, e, rtol=1e-14)
    for k, e in enumerate(expected):
        # One direction for each element, for sums of an infinity and a NaN would hide what belongs to whom.
        gradient = np.zeros(np.shape(primals[k]))
        for i in np.ndindex(gradient.shape):
            v = tuple(np.zeros(np.shape(x)) for x in primals)
            v[k][i] = 1.0
            with np.errstate(divide="ignore", invalid="ignore"):
                (dot,) = wengert.jvp(f, primals, v)[1]
            gradient[i] = np.sum(dot)
        np.testing.assert_allclose(gradient, e, rtol=1e-14)


# Second order --------------------------------------------------------------------------------------------------------


@of([s for s in SMOOTH if s.order >= 2])
def test_second_order(sample: Sample):
    """Forward over reverse and reverse over forward against finite differences, reverse over reverse by the adjoint."""
    primals = doubled(primals_of(sample))
    f, rng = function_of(sample, doubled(sample.args)), rng_of(sample)
    v, u = small(doubled(directions_of(sample, rng))), small(doubled(directions_of(sample, rng)))
    w = tuple(random_like(rng, o) for o in f(*primals))
    tolerance = 10 * approximate(sample)

    def forward(*x: Any) -> tuple[Any, ...]:
        return wengert.jvp(f, x, v)[1]

    def reverse(*x: Any) -> tuple[Any, ...]:
        return wengert.vjp(f, *x)[1](w)

    scale = norm(v) * norm(w)
    for first in (forward, reverse):
        out, second = wengert.jvp(first, primals, u)
        check_types(second, out)
        assert_all_close(second, finite_difference(first, primals, u), tolerance)
        _, pullback = wengert.vjp(first, *primals)
        z = tuple(random_like(rng, o) for o in out)
        cts = pullback(z)
        check_types(cts, primals)
        bound = max(exact(sample), 1e-9) * max(1.0, norm(second) * norm(z), scale)
        assert abs(inner(second, z) - inner(u, cts)) <= bound


# vmap ----


def variant(x: Any, k: int) -> Any:
    """Another value of an argument in the same domain: reals shrink a little, integers and masks change places."""
    x = np.asarray(x)
    if x.dtype.kind in "fc":
        return (x * (1 - 0.01 * k)).astype(x.dtype)[()]
    return np.roll(x, k)[()]


def batches_of(sample: Sample) -> Any:
    """Each subset of arguments, as (flags, examples of the arguments)."""
    arrays = [
        k for k, x in enumerate(sample.args) if not isinstance(x, (int, float, complex)) or isinstance(x, np.generic)
    ]
    for count in range(1, len(arrays) + 1):
        for chosen in itertools.combinations(arrays, count):
            flags = [k in chosen for k in range(len(sample.args))]
            if len(arrays) > 3 and 1 < count < len(arrays):
                continue
            yield (
                flags,
                [[variant(x, k) if b else x for x, b in zip(sample.args, flags, strict=True)] for k in range(3)],
            )


def as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple) else (x,)


@of([s for s in ALL if s.batch])
def test_vmap_is_a_loop(sample: Sample):
    primitive, params = sample.primitive, sample.params
    with np.errstate(all="ignore"):
        for flags, examples in batches_of(sample):
            outs = [as_tuple(primitive(*args, **params)) for args in examples]
            stacked = [
                np.stack(column) if b else column[0]
                for column, b in zip(zip(*examples, strict=True), flags, strict=True)
            ]
            axes = tuple(0 if b else None for b in flags)
            actual = as_tuple(wengert.vmap(lambda *a: call(primitive, *a, **params), in_axes=axes)(*stacked))
            expected = [np.stack(column) for column in zip(*outs, strict=True)]
            for a, e in zip(actual, expected, strict=True):
                assert a.dtype == e.dtype
            assert_all_close(actual, expected, 1e-5 if exact(sample) > 1e-9 else 1e-12)


@of([s for s in SMOOTH if s.batch])
def test_vmap_of_vjp_and_jvp(sample: Sample):
    rng = rng_of(sample)
    out = function_of(sample)(*primals_of(sample))
    cts = [tuple(random_like(rng, o) for o in out) for _ in range(3)]
    v = directions_of(sample, rng)

    def pulled(w: Any, *args: Any) -> Any:
        return wengert.vjp(function_of(sample, args), *(args[k] for k in sample.active))[1](w)

    def pushed(w: Any, *args: Any) -> Any:
        return wengert.jvp(function_of(sample, args), tuple(args[k] for k in sample.active), v)[1]

    tolerance = 1e-4 if exact(sample) > 1e-9 else 1e-11
    for flags, examples in batches_of(sample):
        stacked = [
            np.stack(column) if b else column[0] for column, b in zip(zip(*examples, strict=True), flags, strict=True)
        ]
        w = tuple(np.stack(column) for column in zip(*cts, strict=True))
        axes = (0, *(0 if b else None for b in flags))
        for f in (pulled, pushed):
            actual = wengert.vmap(f, in_axes=axes)(w, *stacked)
            expected = [
                np.stack(column) for column in zip(*(f(c, *e) for c, e in zip(cts, examples, strict=True)), strict=True)
            ]
            for a, e in zip(actual, expected, strict=True):
                assert a.dtype == e.dtype
                assert a.shape == e.shape
            assert_all_close(actual, expected, tolerance)


@of([s for s in SMOOTH if s.batch and s.order >= 2])
def test_derivatives_of_vmap(sample: Sample):
    """vmap inside the derivative: the vjp of a vmapped function is the vmap of its vjp."""
    f, primals, rng = function_of(sample), primals_of(sample), rng_of(sample)
    examples = [tuple(variant(x, k) for x in primals) for k in range(3)]
    stacked = tuple(np.stack(column) for column in zip(*examples, strict=True))
    out, pullback = wengert.vjp(wengert.vmap(f), *stacked)
    w = tuple(random_like(rng, o) for o in out)
    expected = [wengert.vjp(f, *e)[1](tuple(c[k] for c in w)) for k, e in enumerate(examples)]
    tolerance = 1e-4 if exact(sample) > 1e-9 else 1e-11
    assert_all_close(pullback(w), [np.stack(column) for column in zip(*expected, strict=True)], tolerance)


# NaN -----------------------------------------------------------------------------------------------------------------


@of([s for s in SMOOTH if s.nan and any(np.size(x) for x in primals_of(s))])
def test_nan_comes_out_as_nan(sample: Sample):
    """A NaN in an argument gives NumPy's result, and derivatives without an exception."""
    f, primals = function_of(sample), primals_of(sample)
    for k, x in enumerate(primals):
        if not np.size(x):
            continue
        poisoned = np.array(x)
        poisoned.flat[0] = np.nan
        args = (*primals[:k], poisoned if isinstance(x, np.ndarray) else poisoned[()], *primals[k + 1 :])
        full = list(sample.args)
        for i, a in zip(sample.active, args, strict=True):
            full[i] = a
        with np.errstate(all="ignore"):
            check_outputs(f(*args), (sample.numpy_function or sample.primitive.fun)(*full, **sample.params))
            out, dots = wengert.jvp(f, args, tuple(np.ones_like(a) for a in args))
            _, pullback = wengert.vjp(f, *args)
            cts = pullback(tuple(np.ones_like(o) for o in out))
        check_types(dots, out)
        check_types(cts, args)
