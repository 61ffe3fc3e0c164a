"""Order statistics: medians, quantiles and percentiles, with and without NaNs.

All are a choice of one or two elements and, between two, a linear interpolation. How the methods differ in that is in
`_neighbours`; R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50
(1996), describes nine of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.array import any_traced, contains_traced
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, call, given, implements, no_value, normalise_axes, on_plain
from wengert.numpy.indexing import take_along_axis
from wengert.numpy.reductions import all as all_
from wengert.numpy.reductions import any as any_
from wengert.numpy.reductions import count_nonzero, cumsum, restore_axes
from wengert.numpy.shaping import broadcast_to, cast, merge_axes, reshape
from wengert.numpy.statistics import aligned_weights
from wengert.numpy.ufuncs import blend, ceil, clip, equal, floor, isnan, less, logical_not, minimum, rint
from wengert.rules import reductions

#: The methods that interpolate at n·q + α + q·(1 - α - β) - 1: name -> (α, β). "linear" is (1, 1).
_SHIFTS = {
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
#: The methods that choose one element.
_DISCRETE = {
    "lower": lambda n, q: floor((n - 1) * q),
    "higher": lambda n, q: ceil((n - 1) * q),
    "nearest": lambda n, q: rint((n - 1) * q),
    "inverted_cdf": lambda n, q: clip(ceil(n * q - 1), 0, None),
    "closest_observation": lambda n, q: clip(_half_to_odd(n * q - 1), 0, None),
}
METHODS = ("linear", *_SHIFTS, "averaged_inverted_cdf", "midpoint", *_DISCRETE)


def _half_to_odd(position: Any) -> Any:
    """Round to the nearest integer, to the odd one in the middle."""
    below = floor(position - 0.5)
    return blend(equal(position - 0.5, below) & equal(below % 2, 1), below, below + 1)


def _neighbours(method: str, n: Any, q: Any) -> tuple[Any, Any, Any]:
    """Numbers of the lower and upper neighbour in sorted order, and the weight of the upper one (None: it is equal).

    `n` counts the elements, `q` may be traced: between two elements a quantile is differentiable in it.
    """
    if method == "linear" and dtype_of(q).kind in "biu":
        return cast((n - 1) * q, np.intp), None, None
    if method in _DISCRETE:
        return cast(_DISCRETE[method](n, q), np.intp), None, None
    if method == "linear":
        position = (n - 1) * q
    elif method == "averaged_inverted_cdf":
        position = n * q - 1
    elif method == "midpoint":
        position = 0.5 * (floor((n - 1) * q) + ceil((n - 1) * q))
    else:
        a, b = _SHIFTS[method]
        position = n * q + (a + q * (1 - a - b)) - 1
    below = floor(position)
    if method == "averaged_inverted_cdf":
        weight = blend(equal(position, below), 0.5, 1.0)
    elif method == "midpoint":
        weight = blend(equal(position, below), 0.0, 0.5)
    else:
        weight = position - below
    upper, lower = position >= n - 1, position < 0
    low = blend(upper, n - 1, blend(lower, 0, below))
    high = blend(upper, n - 1, blend(lower, 0, below + 1))
    return cast(low, np.intp), cast(high, np.intp), weight


def _interpolated(low: Any, high: Any, weight: Any) -> Any:
    """Between two values, from the nearer one, so that the ends are met exactly."""
    step = high - low
    return blend(weight >= 0.5, high - step * (1 - weight), low + step * weight)


def _chosen(flat: Any, places: Any, order: Any = None) -> Any:
    """Elements of each column that come at the given places (for each column) in sorted order."""
    if order is None:
        if contains_traced(places):
            order = call(reductions.argsort, flat, axis=0)
        else:
            kth = tuple(int(k) for k in np.unique(places))
            order = call(reductions.argpartition, flat, kth=kth, axis=0)
    return take_along_axis(flat, take_along_axis(order, places, 0), 0)


def _all_nan(flat: Any) -> Any:
    """Whether a column has NaNs only."""
    return all_(isnan(flat), axis=0)


def _true(x: Any) -> bool:
    """Whether a truth value is known, and true: under vmap and jit it is not known."""
    return not contains_traced(x) and bool(np.any(x))


# Medians -------------------------------------------------------------------------------------------------------------


def _median(function: Any, a: Any, axis: Any, keepdims: Any, *, skip_nan: bool) -> Any:
    a = as_array(a)
    shape = shape_of(a)
    if not any_traced(a) or 0 in shape:
        return on_plain(function, a if 0 not in shape else np.empty(shape, dtype_of(a)), axis=axis, keepdims=keepdims)
    axes = normalise_axes(axis, len(shape))
    flat = merge_axes(a, axes)
    rest = shape_of(flat)[1:]
    n: Any = count_nonzero(logical_not(isnan(flat)), axis=0) if skip_nan else shape_of(flat)[0]
    low, high = (broadcast_to(as_array(clip(i, 0, None)), (1, *rest)) for i in ((n - 1) // 2, n // 2))
    if skip_nan:
        high = minimum(high, shape_of(flat)[0] - 1)
        order = call(reductions.argsort, flat, axis=0)
    else:
        order = call(reductions.argpartition, flat, kth=((n - 1) // 2, n // 2), axis=0)
    lower, upper = (_chosen(flat, i, order)[0] for i in (low, high))
    middle = lower if not skip_nan and n % 2 else blend(equal(low, high)[0], lower, (lower + upper) / 2)
    if not skip_nan:
        middle = blend(any_(isnan(flat), axis=0), np.nan, middle)
    return restore_axes(middle, shape, axis, keepdims)


@implements(np.median, pure=True)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    """The derivative goes to the element in the middle, or half to each of two."""
    return _median(np.median, a, axis, keepdims, skip_nan=False)


@implements(np.nanmedian, pure=True)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = no_value
) -> Any:
    """NaNs are left out."""
    return _median(np.nanmedian, a, axis, keepdims, skip_nan=True)


# Quantiles -----------------------------------------------------------------------------------------------------------


def _quantile(
    function: Any, a: Any, q: Any, axis: Any, keepdims: Any, method: str, weights: Any, *, skip_nan: bool
) -> Any:
    """Quantiles of traced samples or for traced `q`; `function` is NumPy's, for all that is not traced."""
    a = as_array(a)
    shape = shape_of(a)
    if not any_traced((a, q)) or 0 in shape:
        plain = a if 0 not in shape else np.empty(shape, dtype_of(a))
        q, weights = (x if not any_traced(x) else np.full(shape_of(as_array(x)), 0.5) for x in (q, weights))
        return on_plain(function, plain, q, axis=axis, method=method, keepdims=keepdims, weights=weights)
    if dtype_of(a).kind == "c":
        raise TypeError("a must be an array of real numbers")
    weak = type(q) in (int, float)
    q = _fractions(q, percent=function in (np.percentile, np.nanpercentile))
    axes = normalise_axes(axis, len(shape))
    if weights is not None and method != "inverted_cdf":
        raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
    if method not in METHODS:
        raise ValueError(f"{method!r} is not a valid method. Use one of: {', '.join(METHODS)}")
    if len(shape_of(q)) > 2:
        raise ValueError("q must be a scalar or 1d")
    flat = merge_axes(a, axes)
    rest = shape_of(flat)[1:]
    points = reshape(q, (math.prod(shape_of(q)),) + (1,) * len(rest))
    if weights is None:
        result = _unweighted(flat, points, method, weak, skip_nan=skip_nan)
    else:
        w = aligned_weights(weights, shape, axis)
        if _true(less(w, 0)):
            raise ValueError("Weights must be non-negative.")
        w = merge_axes(w, axes)
        result = _chosen(flat, *_weighted_places(flat, w, points, skip_nan=skip_nan))
    lost = _all_nan(flat) if skip_nan else any_(isnan(flat), axis=0)
    result = blend(lost, np.nan, result)
    kept = tuple(1 if i in axes else m for i, m in enumerate(shape)) if given(keepdims) and keepdims else rest
    result = reshape(result, shape_of(q) + kept)
    return result if shape_of(result) or weights is not None else result[()]


def _fractions(q: Any, *, percent: bool) -> Any:
    q = as_array(q) / 100 if percent else as_array(q)
    if _true(logical_not((q >= 0) & (q <= 1))):
        raise ValueError(
            f"{'Percentiles' if percent else 'Quantiles'} must be in the range [0, {100 if percent else 1}]"
        )
    return q


def _unweighted(flat: Any, points: Any, method: str, weak: bool, *, skip_nan: bool) -> Any:
    """One row of results for each of the points, which broadcast against the columns."""
    n: Any = count_nonzero(logical_not(isnan(flat)), axis=0) if skip_nan else shape_of(flat)[0]
    if skip_nan and dtype_of(points).kind == "f":
        n = cast(n, dtype_of(points))
    low, high, weight = _neighbours(method, n, points)
    places = (shape_of(points)[0], *shape_of(flat)[1:])
    low = broadcast_to(clip(low, 0, shape_of(flat)[0] - 1), places)
    if high is None:
        return _chosen(flat, low)
    high = broadcast_to(clip(high, 0, shape_of(flat)[0] - 1), places)
    if contains_traced(low) or skip_nan:
        order = call(reductions.argsort, flat, axis=0)
    else:
        kth = tuple(int(k) for k in np.unique(np.stack([low, high])))
        order = call(reductions.argpartition, flat, kth=kth, axis=0)
    if weak:
        weight = cast(weight, np.result_type(dtype_of(flat), np.float16))
    return _interpolated(_chosen(flat, low, order), _chosen(flat, high, order), weight)


def _weighted_places(flat: Any, w: Any, points: Any, *, skip_nan: bool) -> tuple[Any, Any]:
    """Where in the order of each column the weights reach the given share of their sum, and that order."""
    if skip_nan:
        w = blend(isnan(flat), 0, w)
    order = call(reductions.argsort, flat, axis=0)
    share = cumsum(take_along_axis(w, order, 0), axis=0, dtype=float)
    share = share / share[-1]
    if _true(isnan(share[-1]) & logical_not(_all_nan(flat))):
        raise ValueError("Weights included NaN, inf or were all zero.")
    if dtype_of(points).kind == "f":
        share = cast(share, dtype_of(points))
    share = blend(equal(share, 0), -1, share)  # elements without weight at the start do not count
    before = count_nonzero(less(share, points[:, None]), axis=1)
    return minimum(before, shape_of(flat)[0] - 1), order


def _declared(function: Callable[..., Any], doc: str, *, skip_nan: bool) -> Callable[..., Any]:
    def implementation(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
    ) -> Any:
        return _quantile(function, a, q, axis, keepdims, method, weights, skip_nan=skip_nan)

    implementation.__doc__ = doc
    return implements(function, pure=True)(implementation)


quantile = _declared(
    np.quantile,
    "All methods; differentiable in `q`, too, where the method interpolates. The choice by weights is constant.",
    skip_nan=False,
)
nanquantile = _declared(np.nanquantile, "NaNs are left out.", skip_nan=True)
percentile = _declared(np.percentile, "Quantiles of q/100.", skip_nan=False)
nanpercentile = _declared(np.nanpercentile, "NaNs are left out.", skip_nan=True)

__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]
