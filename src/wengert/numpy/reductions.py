"""Sums, means, extrema, products, norms over axes, and scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.combinators import reduce_sum
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import (
    ACCUMULATIONS,
    REDUCTIONS,
    as_array,
    astype,
    call,
    implements,
    normalise_axes,
    normalise_axis,
    reshape,
)
from wengert.rules import reductions as r
from wengert.rules.elementwise import where as where_primitive

_no_value = np._NoValue  # type: ignore[attr-defined]


def _reduce(primitive: Callable[..., Any], a: Any, axis: Any, keepdims: Any) -> Any:
    """Reduce over axes given as users give them."""
    a = as_array(a)
    shape = shape_of(a)
    axes = normalise_axes(axis, len(shape))
    out = call(primitive, a, axis=axes)
    if keepdims and keepdims is not _no_value:
        out = reshape(out, tuple(1 if i in axes else n for i, n in enumerate(shape)))
    return out


def _masked(a: Any, mask: Any, replacement: Any) -> Any:
    """Replace what the reduction's where= leaves out."""
    if mask is True or mask is _no_value:
        return a
    return call(where_primitive, mask, a, replacement)


def _given(initial: Any) -> bool:
    return initial is not _no_value and initial is not None


@implements(np.sum)
def sum(  # noqa: A001
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    keepdims: Any = False,
    initial: Any = _no_value,
    where: Any = True,
) -> Any:
    """Sum over axes."""
    a = as_array(a) if dtype is None else astype(a, dtype)
    out = _reduce(reduce_sum, _masked(a, where, 0), axis, keepdims)
    return out + initial if _given(initial) else out


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    keepdims: Any = False,
    initial: Any = _no_value,
    where: Any = True,
) -> Any:
    """Right derivatives, of any order, also where elements are zero."""
    a = as_array(a) if dtype is None else astype(a, dtype)
    out = _reduce(r.reduce_prod, _masked(a, where, 1), axis, keepdims)
    return out * initial if _given(initial) else out


def _count(shape: tuple[int, ...], axis: Any, where: Any, keepdims: Any) -> Any:
    """Number of elements that are averaged."""
    if where is True or where is _no_value:
        return float(np.prod([shape[i] for i in normalise_axes(axis, len(shape))]))
    mask = np.broadcast_to(np.asarray(where), shape)
    return np.add.reduce(mask, axis=normalise_axes(axis, len(shape)), keepdims=bool(keepdims), dtype=float)


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    """Mean over axes."""
    a = as_array(a)
    keep = bool(keepdims) and keepdims is not _no_value
    return sum(a, axis=axis, dtype=dtype, keepdims=keep, where=where) / _count(shape_of(a), axis, where, keep)


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    ddof: float = 0,
    keepdims: Any = False,
    where: Any = True,
    mean: Any = _no_value,
    correction: Any = _no_value,
) -> Any:
    """Variance over axes."""
    a = as_array(a) if dtype is None else astype(a, dtype)
    keep = bool(keepdims) and keepdims is not _no_value
    center = _mean(a, axis=axis, keepdims=True, where=where) if mean is _no_value else mean
    deviation = a - center
    squares = deviation**2 if dtype_of(a).kind != "c" else deviation.real**2 + deviation.imag**2
    free = correction if correction is not _no_value else ddof
    count = _count(shape_of(a), axis, where, keep)
    return sum(squares, axis=axis, keepdims=keep, where=where) / np.maximum(count - free, 0)


_mean = mean


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    ddof: float = 0,
    keepdims: Any = False,
    where: Any = True,
    mean: Any = _no_value,
    correction: Any = _no_value,
) -> Any:
    """Standard deviation over axes."""
    return np.sqrt(
        var(
            a,
            axis=axis,
            dtype=dtype,
            ddof=ddof,
            keepdims=keepdims,
            where=where,
            mean=mean,
            correction=correction,
        )
    )


@implements(np.max, np.amax)
def max(a: Any, axis: Any = None, keepdims: Any = False, initial: Any = _no_value, where: Any = True) -> Any:  # noqa: A001
    """The derivative is shared equally between ties."""
    out = _reduce(r.reduce_max, _masked(as_array(a), where, -np.inf), axis, keepdims)
    return np.maximum(out, initial) if _given(initial) else out


@implements(np.min, np.amin)
def min(a: Any, axis: Any = None, keepdims: Any = False, initial: Any = _no_value, where: Any = True) -> Any:  # noqa: A001
    """The derivative is shared equally between ties."""
    out = _reduce(r.reduce_min, _masked(as_array(a), where, np.inf), axis, keepdims)
    return np.minimum(out, initial) if _given(initial) else out


amax, amin = max, min


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Maximum minus minimum."""
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


@implements(np.all)
def all(a: Any, axis: Any = None, keepdims: Any = False, where: Any = True) -> Any:  # noqa: A001
    """A truth value: no derivative."""
    return _reduce(r.reduce_all, _masked(as_array(a), where, 1), axis, keepdims)


@implements(np.any)
def any(a: Any, axis: Any = None, keepdims: Any = False, where: Any = True) -> Any:  # noqa: A001
    """A truth value: no derivative."""
    return _reduce(r.reduce_any, _masked(as_array(a), where, 0), axis, keepdims)


def _along(primitive: Callable[..., Any], a: Any, axis: Any) -> Any:
    """Apply a function along one axis, of the flattened array for None."""
    a = as_array(a)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    return call(primitive, a, axis=normalise_axis(axis, len(shape_of(a))))


def _arg_extremum(primitive: Callable[..., Any], a: Any, axis: Any, keepdims: Any) -> Any:
    out = _along(primitive, a, axis)
    if keepdims and keepdims is not _no_value:
        shape = shape_of(as_array(a))
        axes = normalise_axes(axis, len(shape))
        return reshape(out, tuple(1 if i in axes else n for i, n in enumerate(shape)))
    return out


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """An index: no derivative."""
    return _arg_extremum(r.argmax, a, axis, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """An index: no derivative."""
    return _arg_extremum(r.argmin, a, axis, keepdims)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Cumulative sum."""
    return _along(r.cumsum, a if dtype is None else astype(a, dtype), axis)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Right derivatives, of any order, also where elements are zero."""
    return _along(r.cumprod, a if dtype is None else astype(a, dtype), axis)


REDUCTIONS.update(
    {
        np.add: sum,
        np.multiply: prod,
        np.maximum: max,
        np.minimum: min,
        np.logical_and: all,
        np.logical_or: any,
    }
)
ACCUMULATIONS.update({np.add: cumsum, np.multiply: cumprod})
