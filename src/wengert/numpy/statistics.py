"""Order statistics, weighted averages and covariances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.array import contains_traced
from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, given, implements, no_value, normalise_axes
from wengert.numpy.indexing import diag
from wengert.numpy.joining import concatenate
from wengert.numpy.reductions import count_nonzero, mean, reduced_axes
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import at_least, broadcast_to, cast, copy_of, moveaxis, reshape
from wengert.numpy.sorting import sort
from wengert.numpy.ufuncs import blend, ceil, clip, conj, floor, isnan, matmul, maximum, minimum, multiply, rint, sqrt


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = no_value) -> Any:
    """Weighted mean; the weights may be traced."""
    a = as_array(a)
    if weights is None:
        result = mean(a, axis=axis, keepdims=keepdims)
        count = float(np.prod(shape_of(a)) / max(np.prod(shape_of(result)), 1))
        total = np.full(shape_of(result), count)[()]
        return (result, total) if returned else result
    w = as_array(weights)
    if shape_of(w) != shape_of(a):
        if axis is None:
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        axes = reduced_axes(axis, len(shape_of(a)))
        if shape_of(w) != tuple(shape_of(a)[i] for i in axes):
            raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
        w = moveaxis(w, range(len(axes)), [sorted(axes).index(i) for i in axes])
        w = broadcast_to(reshape(w, tuple(n if i in axes else 1 for i, n in enumerate(shape_of(a)))), shape_of(a))
    total = sum_(w, axis=axis, keepdims=keepdims)
    if not contains_traced(total) and np.any(total == 0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    result = sum_(multiply(a, w), axis=axis, keepdims=keepdims) / total
    if not returned:
        return result
    return result, total if shape_of(total) == shape_of(result) else copy_of(broadcast_to(total, shape_of(result)))


# Order statistics ----------------------------------------------------------------------------------------------------

#: How the methods of np.quantile choose between the neighbours: position of the sample -> weight of the upper one.
_METHODS = {
    "linear": lambda position: position - floor(position),
    "lower": lambda position: 0.0 * position,
    "higher": lambda position: ceil(position) - floor(position),
    "midpoint": lambda position: 0.5 * (ceil(position) - floor(position)),
    "nearest": lambda position: rint(position) - floor(position),
}


def _quantile(a: Any, q: Any, axis: Any, keepdims: Any, method: str, *, skip_nan: bool) -> Any:
    """Interpolate between the sorted elements at position q·(n - 1)."""
    if method not in _METHODS:
        fail(
            UnsupportedOperationError,
            f"quantiles by method={method!r} have no derivative rule; use one of {', '.join(_METHODS)}.",
        )
    a = as_array(a)
    weak = type(q) in (int, float)
    q = as_array(q)
    a = a if dtype_of(a).kind in "fc" else cast(a, float)
    if not contains_traced(q) and not np.all((q >= 0) & (q <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    axes = normalise_axes(axis, len(shape_of(a)))
    moved = moveaxis(a, axes, range(len(axes)))
    rest = shape_of(moved)[len(axes) :]
    flat = sort(reshape(moved, (math.prod(shape_of(moved)[: len(axes)]), *rest)), axis=0)
    n = shape_of(flat)[0]
    kept = tuple(1 if i in axes else m for i, m in enumerate(shape_of(a))) if given(keepdims) and keepdims else rest
    if n == 0:
        return np.full(shape_of(q) + kept, np.nan, dtype_of(a))[()]
    count = n - count_nonzero(isnan(flat), axis=0) if skip_nan else n
    position = reshape(q, shape_of(q) + (1,) * len(rest)) * clip(count - 1, 0, None) + np.zeros(rest)
    below = cast(floor(position), np.intp)
    above = minimum(below + 1, n - 1)
    grids = np.indices(rest, sparse=True)
    low, high = flat[(below, *grids)], flat[(above, *grids)]
    real_type = np.finfo(dtype_of(a)).dtype
    weight = cast(_METHODS[method](position), real_type if weak else np.result_type(real_type, dtype_of(q)))
    exact = weight == 0  # then the upper neighbour, which may be infinite or NaN, does not count
    result = blend(exact, low, (1 - weight) * low + weight * blend(exact, low, high))
    if not skip_nan:
        result = blend(isnan(flat[-1]), np.nan, result)
    return result if kept == rest else reshape(result, shape_of(q) + kept)


@implements(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    """The derivative goes to the element in the middle, or half to each of two."""
    return _quantile(a, 0.5, axis, keepdims, "midpoint", skip_nan=False)


@implements(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = no_value
) -> Any:
    """NaNs are left out."""
    return _quantile(a, 0.5, axis, keepdims, "midpoint", skip_nan=True)


def _without_weights(weights: Any) -> None:
    if weights is not None:
        fail(UnsupportedOperationError, "quantiles with weights have no derivative rule yet.")


@implements(np.quantile)
def quantile(
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
    """Methods linear, lower, higher, midpoint and nearest; `q` may be traced."""
    _without_weights(weights)
    return _quantile(a, q, axis, keepdims, method, skip_nan=False)


@implements(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = no_value,
    *,
    weights: Any = None,
) -> Any:
    """NaNs are left out."""
    _without_weights(weights)
    return _quantile(a, q, axis, keepdims, method, skip_nan=True)


@implements(np.percentile)
def percentile(
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
    """Methods linear, lower, higher, midpoint and nearest; `q` may be traced."""
    return quantile(
        a,
        q / 100 if type(q) in (int, float) else as_array(q) / 100,
        axis,
        None,
        overwrite_input,
        method,
        keepdims,
        weights=weights,
    )


@implements(np.nanpercentile)
def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = no_value,
    *,
    weights: Any = None,
) -> Any:
    """NaNs are left out."""
    return nanquantile(
        a,
        q / 100 if type(q) in (int, float) else as_array(q) / 100,
        axis,
        None,
        overwrite_input,
        method,
        keepdims,
        weights=weights,
    )


# Covariance ----------------------------------------------------------------------------------------------------------


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Covariance matrix; the weights may be traced."""

    def variables(x: Any) -> Any:
        x = as_array(x)
        if len(shape_of(x)) > 2:
            raise ValueError("m has more than 2 dimensions")
        x = at_least(x, 2)
        return x.T if not rowvar and shape_of(x)[0] != 1 else x

    x = variables(m) if y is None else concatenate([variables(m), variables(y)], axis=0)
    x = cast(x, np.result_type(dtype_of(x), np.float64) if dtype is None else dtype)
    w = None if fweights is None else cast(fweights, float)
    if aweights is not None:
        w = cast(aweights, float) if w is None else w * cast(aweights, float)
    free = (0 if bias else 1) if ddof is None else ddof
    center = average(x, axis=1, weights=w)
    total = 0.0 if w is None else sum_(w)
    if w is None:
        factor = float(shape_of(x)[1]) - free
    elif free == 0:
        factor = total
    elif aweights is None:
        factor = total - free
    else:
        factor = total - free * sum_(w * as_array(aweights)) / total
    if not shape_of(x)[0]:
        return np.empty((0, 0), dtype_of(x))
    factor = maximum(factor, 0.0)
    x = x - center[:, None]
    weighted = x if w is None else x * w
    result = matmul(x, conj(weighted.T)) / factor
    return reshape(result, tuple(n for n in shape_of(result) if n != 1))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Matrix of correlation coefficients."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not shape_of(c):
        return c / c
    spread = sqrt(diag(c).real)
    return c / spread[:, None] / spread[None, :]


__all__ = [
    "average",
    "corrcoef",
    "cov",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]
