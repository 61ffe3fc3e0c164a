"""Reductions that leave out NaNs."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.array import contains_traced
from wengert.core.values import dtype_of, shape_of
from wengert.numpy import reductions as r
from wengert.numpy.dispatch import as_array, given, implements, no_value
from wengert.numpy.reductions import prepared, root_of_square
from wengert.numpy.shaping import broadcast_to
from wengert.numpy.ufuncs import blend, isnan
from wengert.numpy.universal import REDUCTIONS


def _valid(a: Any, where: Any) -> Any:
    """Mask of the elements that take part."""
    mask = ~isnan(a)
    return mask if where is no_value or where is True else mask & as_array(where)


@implements(np.nansum, pure=True)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = no_value,
    initial: Any = no_value,
    where: Any = no_value,
) -> Any:
    """NaNs count as 0."""
    return r.sum(a, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=_valid(as_array(a), where))


@implements(np.nanprod, pure=True)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = no_value,
    initial: Any = no_value,
    where: Any = no_value,
) -> Any:
    """NaNs count as 1."""
    return r.prod(a, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=_valid(as_array(a), where))


@implements(np.nancumsum, pure=True)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """NaNs count as 0."""
    a = as_array(a)
    return r.cumsum(blend(isnan(a), 0, a), axis=axis, dtype=dtype)


@implements(np.nancumprod, pure=True)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """NaNs count as 1."""
    a = as_array(a)
    return r.cumprod(blend(isnan(a), 1, a), axis=axis, dtype=dtype)


def _inexact(a: Any, dtype: Any) -> Any:
    if r.counted_in(as_array(a), dtype):
        raise TypeError("If a is inexact, then dtype must be inexact")
    return prepared(a, dtype)


def _nan_extremum(function: Any, worst: float, a: Any, axis: Any, keepdims: Any, initial: Any, where: Any) -> Any:
    a = as_array(a)
    if dtype_of(a).kind not in "fc":
        return function(a, axis=axis, keepdims=keepdims, initial=initial, where=where is no_value or where)
    result = function(
        blend(isnan(a), worst, a),
        axis=axis,
        keepdims=keepdims,
        initial=initial,
        where=True if where is no_value else where,
    )
    return result if given(initial) else blend(r.all(isnan(a), axis=axis, keepdims=keepdims), np.nan, result)


@implements(np.nanmax, pure=True)
def nanmax(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = no_value, initial: Any = no_value, where: Any = no_value
) -> Any:
    """NaN only if all elements are."""
    return _nan_extremum(r.max, -np.inf, a, axis, keepdims, initial, where)


@implements(np.nanmin, pure=True)
def nanmin(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = no_value, initial: Any = no_value, where: Any = no_value
) -> Any:
    """NaN only if all elements are."""
    return _nan_extremum(r.min, np.inf, a, axis, keepdims, initial, where)


@implements(np.nanmean, pure=True)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = no_value, *, where: Any = no_value
) -> Any:
    """NaNs are left out."""
    a = _inexact(a, dtype)
    return r.mean(a, axis=axis, keepdims=keepdims, where=_valid(a, where))


@implements(np.nanvar, pure=True)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = no_value,
    *,
    where: Any = no_value,
    mean: Any = no_value,
    correction: Any = no_value,
) -> Any:
    """NaNs are left out."""
    a = _inexact(a, dtype)
    valid = _valid(a, where)
    clean = blend(isnan(a), 0, a)
    result = r.var(clean, axis, None, None, ddof, keepdims, where=valid, mean=mean, correction=correction)
    free = r.sum(broadcast_to(valid, shape_of(a)), axis=axis, keepdims=keepdims)
    return blend(free <= (ddof if correction is no_value else correction), np.nan, result)


@implements(np.nanstd, pure=True)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = no_value,
    *,
    where: Any = no_value,
    mean: Any = no_value,
    correction: Any = no_value,
) -> Any:
    """NaNs are left out."""
    return root_of_square(nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction))


def _nan_argument(function: Any, worst: float, a: Any, axis: Any, keepdims: Any) -> Any:
    a = as_array(a)
    axis = axis if axis is None else operator.index(axis)
    empty = r.all(isnan(a), axis=axis)
    if not contains_traced(empty) and np.any(empty):
        raise ValueError("All-NaN slice encountered")
    return function(blend(isnan(a), worst, a), axis=axis, keepdims=keepdims)


@implements(np.nanargmax, pure=True)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = no_value) -> Any:
    """An index: no derivative."""
    return _nan_argument(r.argmax, -np.inf, a, axis, keepdims)


@implements(np.nanargmin, pure=True)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = no_value) -> Any:
    """An index: no derivative."""
    return _nan_argument(r.argmin, np.inf, a, axis, keepdims)


REDUCTIONS.update({np.fmax: nanmax, np.fmin: nanmin})

__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]
