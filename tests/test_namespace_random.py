"""Random calls of selections, shapes, statistics, sets and writes: NumPy's result or NumPy's kind of error.

Each function has a list of choices for each argument, good ones and bad ones; a call gets at most one bad one, so that
the kind of error is determined. Results are compared as to value, dtype, shape and scalar or array, for traced arrays
and for untraced ones made inside a transform; derivatives by the adjoint identity.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import wengert.numpy as wnp
from wengert import jvp, vjp

from .test_namespace import assert_same, differentiable, leaves, like, plain_value, real_inner

_TIMES = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 1
_SHAPES = ((), (1,), (3,), (4,), (2, 3), (3, 2), (2, 3, 2), (0,), (0, 3), (2, 0))


@dataclass(frozen=True)
class Case:
    """A function and what its arguments are drawn from; a callable among the choices is given the array."""

    name: str
    good: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    bad: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = _SHAPES
    dtypes: str = "ddddffDFli?"
    body: Callable[..., Any] | None = None
    finite: bool = False  # NumPy's own results for NaNs depend on how they come about

    def __call__(self, namespace: Any, x: Any, kwargs: dict[str, Any]) -> Any:
        if self.body is not None:
            return self.body(namespace, x, **kwargs)
        function = namespace
        for part in self.name.split("."):
            function = getattr(function, part)
        return function(x, **kwargs)


def case(
    name: str,
    shapes: Any = _SHAPES,
    dtypes: str = "ddddffDFli?",
    body: Any = None,
    finite: bool = False,
    **choices: Any,
) -> Case:
    """Good choices are a tuple, or a pair of tuples: good and bad ones."""
    good, bad = {}, {}
    for key, values in choices.items():
        pair = isinstance(values, tuple) and len(values) == 2 and all(isinstance(v, tuple) for v in values)
        good[key], bad[key] = values if pair else (values, ())
    return Case(name, good, bad, shapes, dtypes, body, finite)


def _mask(x: np.ndarray) -> np.ndarray:
    return np.arange(x.size).reshape(x.shape) % 2 == 0


_AT_LEAST_1D = tuple(s for s in _SHAPES if s)
_AT_LEAST_2D = tuple(s for s in _SHAPES if len(s) >= 2)
_FULL = tuple(s for s in _AT_LEAST_1D if 0 not in s)
_REAL = "ddddffli?"
_AXIS = (None, -1, np.int64(-1)), (5, 1.5)
_AXES = (None, -1, (-1,), ()), (5, (0, 0), "a")
_KEEP = (True, False)
_WEIGHTS = (None, lambda x: np.arange(1.0, 1.0 + x.size).reshape(x.shape))
_METHODS = (
    "linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
    "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased",
)  # fmt: skip
_Q = (0.3, 1, np.float64(0.5), [0.1, 0.9], np.array([[0.2]]))


def _written(function: str) -> Callable[..., Any]:
    def body(namespace: Any, x: Any, **kwargs: Any) -> Any:
        x = namespace.array(x)
        assert getattr(namespace, function)(x, **kwargs) is None
        return x

    return body


def _parted(namespace: Any, x: Any, kth: Any, axis: Any) -> Any:
    """The elements whose place partition determines."""
    result = namespace.partition(x, kth, axis=axis)
    return namespace.take(result, np.atleast_1d(kth), axis=0 if axis is None else axis)


CASES: list[Case] = [
    *(
        case(n, axis=_AXES, keepdims=_KEEP, where=(True, _mask), dtype=(None, np.float64))
        for n in ("sum", "prod", "mean", "nansum", "nanprod", "nanmean")
    ),
    *(case(n, axis=_AXES, keepdims=_KEEP, initial=(0, 2.5, np.float32(-1))) for n in ("sum", "prod", "nansum")),
    *(case(n, axis=_AXES, ddof=(0, 1, 0.5), where=(True, _mask)) for n in ("var", "std", "nanvar", "nanstd")),
    *(case(n, _FULL, axis=_AXES, keepdims=_KEEP) for n in ("max", "min", "ptp", "nanmax", "nanmin", "median")),
    *(case(n, dtypes=_REAL, axis=_AXES, initial=(1, -2.0), where=(True, _mask)) for n in ("max", "min")),
    *(case(n, _FULL, axis=_AXIS, keepdims=_KEEP) for n in ("argmax", "argmin")),
    *(case(n, axis=_AXES, keepdims=_KEEP, where=(True, _mask)) for n in ("all", "any")),
    *(case(n, _AT_LEAST_1D, axis=_AXIS) for n in ("cumsum", "cumprod", "nancumsum", "nancumprod")),
    case("count_nonzero", axis=_AXES, keepdims=_KEEP),
    case("average", _FULL, axis=((None, -1), (5,)), weights=_WEIGHTS, returned=_KEEP, keepdims=_KEEP),
    *(
        case(
            n,
            _FULL,
            _REAL.replace("?", ""),
            q=(_Q if n == "quantile" else _Q[:-1], (1.5, [-1.0])),
            axis=_AXES,
            method=(_METHODS, ("cubic",)),
            finite=True,
        )
        for n in ("quantile", "nanquantile")
    ),
    *(
        case(
            n,
            _FULL,
            _REAL.replace("?", ""),
            q=((30, [10.0, 90.0]), (101,)),
            method=("inverted_cdf",),
            weights=_WEIGHTS,
            finite=True,
        )
        for n in ("percentile", "nanpercentile")
    ),
    case("nanmedian", _FULL, axis=((None, -1, (-1,)), (5, (0, 0)))),
    case("cov", _FULL[:-1], _REAL, rowvar=_KEEP, bias=_KEEP, ddof=(None, 0, 1)),
    case("corrcoef", _AT_LEAST_2D[:2], "ddfD", rowvar=_KEEP),
    case("diff", _AT_LEAST_1D, n=((0, 1, 2), (-1,)), axis=((-1, 0), (5,))),
    case("diff", _FULL, "ddffD", prepend=(0, 1.5), append=(0, 2.5)),
    case("ediff1d", dtypes="ddffD", to_end=(None, 1.5, [1.0, 2.0]), to_begin=(None, 0.5)),
    case("gradient", ((3,), (4,), (3, 4)), "ddffD", edge_order=((1, 2), (3,)), axis=((None, -1, (0,)), (5,))),
    case("trapezoid", _FULL, "ddffD", dx=(1.0, 0.5), axis=((-1, 0), (5,))),
    case(
        "histogram",
        dtypes="dddf",
        bins=((3, "auto", [-2.0, 0.0, 2.0]), (0, [1, 0])),
        range=((None, (-2, 2)), ((1, 0),)),
    ),
    case("histogram", _FULL, "dddf", bins=(2,), range=((-2, 2),), weights=_WEIGHTS, density=_KEEP),
    # order
    case("sort", _AT_LEAST_1D, axis=_AXIS, kind=(None, "stable")),
    case("argsort", axis=((None, -1), (5,)), kind=("stable",)),
    case("partition", _FULL, body=_parted, kth=((0, -1, [0, -1]), (7, 1.5)), axis=(None, -1)),
    case("sort_complex", _AT_LEAST_1D),
    case("searchsorted", ((3,), (4,)), "ddf", v=(0.5, [0.0, 1.0], np.float32(2.0)), side=(("left", "right"), ("up",))),
    case("digitize", dtypes=_REAL, bins=(([-1.0, 0.0, 1.0], [1.0, 0.0]), ([0.0, 2.0, 1.0], [[1.0]])), right=_KEEP),
    case("unique", return_index=_KEEP, return_inverse=_KEEP, return_counts=_KEEP, equal_nan=_KEEP),
    case("unique", _FULL, _REAL, axis=((0, -1), (5,)), return_index=_KEEP, return_inverse=_KEEP),
    *(
        case(n, dtypes="dddfD", body=lambda ns, x, other, n=n: getattr(ns, n)(x, other), other=([1.0, 0.0], [], 2.0))
        for n in ("union1d", "intersect1d", "setdiff1d", "setxor1d", "isin")
    ),
    # selection
    case(
        "take",
        _FULL,
        indices=((0, -1, [0, 0], np.array([[0], [-1]])), (9, np.array([1.5]))),
        axis=(None, -1),
        mode=("raise",),
    ),
    case("take", _FULL, indices=(7, [-5, 9]), axis=_AXIS, mode=(("wrap", "clip"), ("turn",))),
    case("compress", body=lambda ns, x, c, axis: ns.compress(c, x, axis), c=(([True], []), ([[True]],)), axis=_AXIS),
    case("extract", body=lambda ns, x, c: ns.extract(c, x), c=(_mask,)),
    case(
        "choose", ((3,), (2, 3)), "ddfD", body=lambda ns, x, p: ns.choose(p, [x, 2.0]), p=(([0, 1, 1], 1), ([0, 2, 0],))
    ),
    case("select", body=lambda ns, x, c, d: ns.select([c, ~c], [x, 2], d), c=(_mask,), d=(0, 1.5, np.float32(2))),
    case("where", body=lambda ns, x, c, y: ns.where(c, x, y), c=(_mask, True), y=(0, 1.5, np.float32(2), 1j)),
    case(
        "take_along_axis",
        _FULL,
        body=lambda ns, x, axis: ns.take_along_axis(x, ns.argsort(x, axis), axis),
        axis=(-1, 0),
    ),
    case("diagonal", _AT_LEAST_2D, offset=((0, 1, -1, 5), (0.5,)), axis1=((0,), (7,)), axis2=((1, -1), (0,))),
    case("trace", _AT_LEAST_2D, offset=(0, 1, -1), axis1=(0,), axis2=((1,), (0,))),
    case("diag", ((3,), (0,), (2, 3), (3, 2)), k=((0, 1, -2), (0.5,))),
    case("diag", ((), (2, 3, 2))),
    *(case(n, _AT_LEAST_1D, k=(0, 1, -1, 0.5)) for n in ("tril", "triu")),
    case("trim_zeros", _AT_LEAST_1D[:3], trim=(("f", "b", "fb", "BF"), ("x", ""))),
    # shapes
    case("reshape", shape=((-1, (-1, 1), lambda x: x.shape[::-1]), ((-1, -1), 7)), order=(("C", "F", "A"), ("K", "X"))),
    case("ravel", order=(("C", "F", "A", "K"), ("X",))),
    case("transpose", _AT_LEAST_2D[:2], axes=((None, (1, 0), (-1, 0)), ((0, 0), (0,), (0, 5)))),
    case("moveaxis", _AT_LEAST_2D, source=((0, -1), (5,)), destination=((0, -1), (5,))),
    case("swapaxes", _AT_LEAST_2D, axis1=((0, -1), (5,)), axis2=((0, 1), (-9,))),
    case("rollaxis", _AT_LEAST_2D, axis=((0, -1), (5,)), start=((0, 1, 2), (9,))),
    case("expand_dims", axis=((0, -1, (0, 1)), (9, (0, 0)))),
    case("squeeze", ((1,), (2, 1), (1, 1), ()), axis=((None, -1), (5,))),
    case("broadcast_to", ((), (1,), (3,), (2, 1)), shape=((lambda x: (2, *x.shape), lambda x: x.shape), ((5, 7), -1))),
    case("flip", axis=((None, ()), (5,))),
    case("rot90", _AT_LEAST_2D, k=(0, 1, 2, -1), axes=(((0, 1), (1, 0), (-1, 0)), ((0, 0), (0,), (0, 9)))),
    case("tile", reps=(2, (2, 1), (), (0, 2), 0)),
    case("repeat", repeats=((2, 0, [2]), (-1, [1, 2, 3, 4, 5])), axis=_AXIS),
    case("roll", shift=(0, 2, -7), axis=((None, -1), (5,)), shapes=_AT_LEAST_1D),
    case("resize", new_shape=((5, (2, 2), (), 0), (-1,))),
    case("append", values=(1.5, [1.0, 2.0], np.float32(3)), axis=((None,), (5,))),
    case("delete", _FULL, obj=((0, -1, [0], slice(None, None, 2), []), (9, [1.5])), axis=((None, -1), (5,))),
    case("insert", _FULL, "ddffD", obj=((0, -1, [0, 0]), (9, [9, 0])), values=(1.5, np.float32(2), 3), axis=(None, -1)),
    case("split", ((4,), (2, 3), (0, 3)), indices_or_sections=((1, 2, [1], [0, 5]), (3, 0)), axis=(0,)),
    case("array_split", _AT_LEAST_1D, indices_or_sections=((1, 3, [1], [-1]), (0, -1)), axis=((0, -1), (5,))),
    *(case(n) for n in ("atleast_1d", "atleast_2d", "atleast_3d", "nonzero", "argwhere", "flatnonzero", "copy")),
    *(case(n, body=lambda ns, x, n=n: getattr(ns, n)([x, x])) for n in ("hstack", "vstack", "dstack", "column_stack")),
    case("stack", body=lambda ns, x, axis: ns.stack([x, x], axis), axis=((0, -1), (5,))),
    case("concatenate", body=lambda ns, x, axis: ns.concatenate([x, x], axis), axis=((None,), (5,))),
    case("concatenate", body=lambda ns, x: ns.concatenate([x, 2.0, 3], axis=None)),
    case("block", body=lambda ns, x: ns.block([[x, x], [x, x]])),
    case(
        "meshgrid", body=lambda ns, x, **k: ns.meshgrid(x, [1, 2], **k), indexing=(("xy", "ij"), ("yx",)), sparse=_KEEP
    ),
    case("nan_to_num", nan=(0.0, 2), posinf=(None, 3.0), neginf=(None, -3.0)),
    case(
        "r_", dtypes="dddff", body=lambda ns, x, d: ns.r_[d, x, x[::-1]], d=("0,1", "-1", "0,3", "0,3,0"), shapes=_FULL
    ),
    case(
        "pad",
        pad_width=((0, 1, (1, 3), {0: 2}), (-1, 1.5, (1, 2, 3))),
        mode=("edge", "wrap", "symmetric"),
        shapes=_FULL,
    ),
    *(
        case("pad", _FULL, "dddffD", pad_width=(2, (1, 3)), mode=(m,), **{k: values})
        for m, k, values in (
            ("constant", "constant_values", ((0, (1, 2.5), [[1]]), ((1, 2, 3),))),
            ("linear_ramp", "end_values", (0, (1, 2.5))),
            ("maximum", "stat_length", ((None, 1, (1, 2)), (-1, 0))),
            ("mean", "stat_length", ((None, 2), (-1,))),
            ("median", "stat_length", (None, 2)),
            ("reflect", "reflect_type", ("even",)),
            ("edge", "nonsense", ((), (1,))),
        )
    ),
    # writing
    case("put", body=_written("put"), ind=((0, [0, -1], []), (9,)), v=(1, [1, 0]), shapes=_FULL),
    case("put", body=_written("put"), ind=(7, [-5, 9]), v=(1,), mode=(("wrap", "clip"), ("turn",)), shapes=_FULL),
    case("place", body=_written("place"), mask=(_mask,), vals=((1, [1, 0]), ([],)), shapes=_FULL, dtypes="dddffD"),
    case("putmask", body=_written("putmask"), mask=(_mask,), values=(1, [1, 0], []), shapes=_FULL, dtypes="dddffD"),
    case("copyto", body=_written("copyto"), src=(1, True), where=(True, _mask), casting=("same_kind", "unsafe")),
    case("fill_diagonal", ((2, 3), (3, 2), (2, 2, 2)), body=_written("fill_diagonal"), val=(1, [1, 2]), wrap=_KEEP),
    case("fill_diagonal", ((3,), (2, 3, 2)), body=_written("fill_diagonal"), val=(1,)),
]


@st.composite
def calls(draw: Any) -> tuple[Case, np.ndarray, dict[str, Any]]:
    """A function, an array with ties and special values in it, and arguments of which at most one is bad."""
    chosen = draw(st.sampled_from(CASES))
    dtype = np.dtype(draw(st.sampled_from(chosen.dtypes)))
    shape = draw(st.sampled_from(chosen.shapes))
    if dtype.kind in "fc":
        numbers = st.sampled_from([0.0, 1.0, -1.0, 0.5, -2.25, 3.0, 1.75])
        special = draw(st.sampled_from([None, None, None, np.nan] + [np.inf] * (dtype.kind == "f")))
        values = draw(hnp.arrays(np.float64, shape, elements=numbers))
        if special is not None and values.size and not chosen.finite:
            values.flat[draw(st.integers(0, values.size - 1))] = special
        if dtype.kind == "c":
            values = values + 1j * np.arange(values.size).reshape(shape)
        x = np.asarray(values).astype(dtype)
    else:
        x = draw(hnp.arrays(dtype, shape, elements=st.integers(0, 1 if dtype.kind == "b" else 4).map(dtype.type)))
    names = [name for name in chosen.good if chosen.bad.get(name)]
    wrong = draw(st.sampled_from(names)) if names and draw(st.integers(0, 3)) == 0 else None
    kwargs = {}
    for name, choices in chosen.good.items():
        pool = chosen.bad[name] if name == wrong else choices
        if pool:
            value = pool[draw(st.integers(0, len(pool) - 1))]
            kwargs[name] = value(x) if callable(value) and not isinstance(value, type) else value
    return chosen, x, kwargs


@settings(max_examples=300 * _TIMES, deadline=None)
@given(calls())
def test_results_and_errors(drawn: tuple[Case, np.ndarray, dict[str, Any]]):
    chosen, x, kwargs = drawn
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        seen: list[Any] = []

        def run(x: Any) -> float:
            seen.append(chosen(wnp, x, kwargs))
            return 1.0

        runs = [lambda: jvp(lambda _: run(wnp.array(x)), (1.0,), (1.0,))]
        if x.dtype.kind in "fc":
            runs += [lambda: jvp(run, (x,), (x,)), lambda: vjp(run, x)]
        try:
            expected = chosen(np, x.copy(), kwargs)
        except Exception as error:
            for each in runs:
                with pytest.raises(type(error)):
                    each()
            return
        for each in runs:
            each()
            assert_same(plain_value(seen[-1]), expected)


@settings(max_examples=200 * _TIMES, deadline=None)
@given(calls())
def test_derivatives(drawn: tuple[Case, np.ndarray, dict[str, Any]]):
    """⟨Jv, w⟩ = ⟨v, Jᵀw⟩ wherever the values are finite."""
    chosen, x, kwargs = drawn
    if x.dtype.kind not in "fc" or not np.all(np.isfinite(x)):
        return
    rng = np.random.default_rng(3)

    def f(x: Any) -> Any:
        return differentiable(chosen(wnp, x, kwargs)) or 1.0

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            chosen(np, x.copy(), kwargs)
        except Exception:
            return
        v = like(x, rng)
        out, dots = jvp(f, (x,), (v,))
        if not all(np.all(np.isfinite(a)) for a in leaves([out, dots])):
            return
        _, pullback = vjp(f, x)
        w = like(out, rng) if out != 1.0 else 1.0
        (ct,) = pullback(w)
    low = x.dtype.itemsize // (2 if x.dtype.kind == "c" else 1) == 4
    np.testing.assert_allclose(
        real_inner(dots, w), real_inner(v, ct), rtol=1e-3 if low else 1e-9, atol=1e-3 if low else 1e-9
    )
