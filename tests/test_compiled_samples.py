"""Every sample of the registry, compiled, against eager mode: value, batch, both modes, second order, batched gradient.

What belongs to one sample is compiled as one program, once as straight-line code and once as loops. The first sample of
each primitive is always tested so; the others are marked slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import wengert
from wengert import config
from wengert.compiler import unroll
from wengert.compiler.jit import jit
from wengert.numpy.dispatch import call

from .samples import ALL
from .samples.sample import Sample
from .test_registry import DIFFERENTIABLE, directions_of, function_of, is_single_cast, primals_of, random_like, rng_of
from .test_registry import variant as variant_of

Job = tuple[str, Callable[..., Any], tuple[Any, ...]]

#: Results that depend on the values in a way that a program cannot express; what happens instead is tested elsewhere.
_VALUE_DEPENDENT = {"eig(2x2)d[complex pair]"}
#: Derivatives are differences of nearly equal numbers: right relative to those, which are of the order of one.
_CANCELLING = {"erfcx", "det", "cofactors"}
#: Of matrices that are nearly singular among others, from inverses, by other factors than those of NumPy.
_FROM_INVERSES = {"cofactors", "cofactors_along"}
_SAMPLES = [s for s in ALL if s.id not in _VALUE_DEPENDENT]


@pytest.fixture(params=["unrolled", "loops"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(config, "cache_directory", None)
    # Straight-line code of more elements than this takes LLVM seconds, and tests nothing new.
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", 1500 if request.param == "unrolled" else -1)
    return request.param


def variant(x: Any, k: int) -> Any:
    return x if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic) else variant_of(x, k)


def stacked(examples: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(np.stack(column) for column in zip(*examples, strict=True))


def values_of(sample: Sample) -> Iterator[Job]:
    """The primitive on all of its arrays, and on batches of them."""
    moving = [k for k, x in enumerate(sample.args) if isinstance(x, (np.ndarray, np.generic))]

    def value(*arrays: Any) -> Any:
        full = list(sample.args)
        for k, x in zip(moving, arrays, strict=True):
            full[k] = x
        return call(sample.primitive, *full, **sample.params)

    arrays = tuple(sample.args[k] for k in moving)
    yield "value", value, arrays
    if sample.batch and arrays:
        yield "vmap", wengert.vmap(value), stacked([tuple(variant(x, k) for x in arrays) for k in range(2)])


def derivatives_of(sample: Sample) -> Iterator[Job]:
    f, primals, rng = function_of(sample), primals_of(sample), rng_of(sample)
    with np.errstate(all="ignore"):
        out = f(*primals)
    v = directions_of(sample, rng)
    w = tuple(random_like(rng, o) for o in out)

    def pushed(p: Any, t: Any) -> Any:
        return wengert.jvp(f, p, t)[1]

    def pulled(p: Any, ct: Any) -> Any:
        return wengert.vjp(f, *p)[1](ct)

    yield "jvp", pushed, (primals, v)
    yield "vjp", pulled, (primals, w)
    if not sample.smooth:
        return
    if sample.order >= 2:

        def pushed_pulled(p: Any, t: Any, ct: Any) -> Any:
            return wengert.jvp(lambda *x: pulled(x, ct), p, t)[1]

        yield "second order", pushed_pulled, (primals, v, w)
    if sample.batch:
        examples = stacked([tuple(variant(x, k) for x in primals) for k in range(2)])
        yield "vmap of vjp", wengert.vmap(pulled, in_axes=(0, None)), (examples, w)


def leaves(x: Any) -> list[Any]:
    return [y for part in x for y in leaves(part)] if isinstance(x, (tuple, list)) else [x]


def is_single(sample: Sample) -> bool:
    return is_single_cast(sample) or any(np.asarray(x).dtype.char in "fF" for x in sample.args)


def assert_agree(actual: Any, expected: Any, rtol: float, what: str, floor: float = 0.0) -> None:
    """The same types, and values that are close relative to the largest of them; NaN and infinities where they were."""
    actual, expected = leaves(actual), leaves(expected)
    assert len(actual) == len(expected), what
    for a, b in zip(actual, expected, strict=True):
        assert np.shape(a) == np.shape(b), what
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype, what
        if b.dtype.kind not in "fc":
            np.testing.assert_array_equal(a, b, err_msg=what)
            continue
        scale = np.max(np.abs(b[np.isfinite(b)]), initial=floor)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale, err_msg=what)


def check(samples: list[Sample], jobs_of: Callable[[Sample], Iterator[Job]], ulps: float) -> None:
    """Compile everything as one program, and compare."""
    jobs = [(s, *job) for s in samples for job in jobs_of(s)]

    def everything(args: list[tuple[Any, ...]]) -> list[Any]:
        return [f(*a) for (_, _, f, _), a in zip(jobs, args, strict=True)]

    args = [a for *_, a in jobs]
    with np.errstate(all="ignore"):
        expected = everything(args)
        actual = jit(everything)(args)
    for (sample, name, _, _), a, e in zip(jobs, actual, expected, strict=True):
        eps = float(np.finfo(np.float32 if is_single(sample) else float).eps)
        floor = 1.0 if sample.primitive.name in _CANCELLING else 0.0
        assert_agree(a, e, ulps * eps, f"{name} of {sample.id}", floor)


def _by_primitive(samples: list[Sample]) -> Any:
    groups: dict[str, list[Sample]] = {}
    for s in samples:
        groups.setdefault(s.primitive.name, []).append(s)
    return pytest.mark.parametrize("samples", groups.values(), ids=groups.keys())


@_by_primitive(_SAMPLES)
def test_values(samples: list[Sample], path: str):
    for k in range(0, len(samples), 16):
        check(samples[k : k + 16], values_of, 512 if samples[k].primitive.name in _FROM_INVERSES else 8)


def _with_slow_marks(samples: list[Sample]) -> Any:
    seen: set[str] = set()
    params = []
    for s in samples:
        params.append(pytest.param(s, marks=[pytest.mark.slow] if s.primitive.name in seen else [], id=s.id))
        seen.add(s.primitive.name)
    return pytest.mark.parametrize("sample", params)


@_with_slow_marks([s for s in DIFFERENTIABLE if s.id not in _VALUE_DEPENDENT and "no derivative" not in s.note])
def test_derivatives(sample: Sample, path: str):
    # Second derivatives of what cancels lose digits in either mode.
    check([sample], derivatives_of, 256)
