"""Reductions and scans: sums, products, extrema, means, truth values. Those that leave out NaNs are in `missing`."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.array import Array, contains_traced
from wengert.core.combinators import reduce_sum
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import (
    as_array,
    call,
    concrete,
    given,
    implements,
    no_value,
    normalise_axes,
    normalise_axis,
    on_axis,
)
from wengert.numpy.joining import concatenate
from wengert.numpy.shaping import broadcast_to, cast, cast_kept, ravel, reshape, with_axis
from wengert.numpy.ufuncs import blend, maximum, minimum, not_equal, sqrt, square, subtract
from wengert.numpy.universal import ACCUMULATIONS, REDUCTIONS
from wengert.rules import reductions as r


def reduced_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes of a reduction; NumPy lets scalars be reduced over axis 0 and -1."""
    if ndim == 0 and axis in (0, -1):
        return ()
    return normalise_axes(axis, ndim)


def restore_axes(out: Any, shape: tuple[int, ...], axis: Any, keepdims: Any) -> Any:
    """Put reduced axes back with length 1 if `keepdims` says so."""
    if not keepdims or keepdims is no_value:
        return out
    axes = reduced_axes(axis, len(shape))
    return reshape(out, tuple(1 if i in axes else n for i, n in enumerate(shape))) if shape else out


def _initial(x: Any, like: Any) -> Any:
    """The first operand of a reduction, of the type that is computed with."""
    if not contains_traced(x) and np.iscomplexobj(x) and dtype_of(like).kind != "c":
        raise TypeError("float() argument must be a string or a real number, not 'complex'")
    return cast_kept(x, dtype_of(like))


def _reduce(primitive: Callable[..., Any], a: Any, axis: Any, keepdims: Any) -> Any:
    shape = shape_of(a)
    if not shape and isinstance(a, Array) and a.is_mutable:
        a = a[()]  # NumPy reduces an array without axes to a scalar
    return restore_axes(call(primitive, a, axis=reduced_axes(axis, len(shape))), shape, axis, keepdims)


def _masked(a: Any, mask: Any, replacement: Any) -> Any:
    """Replace what the reduction's where= leaves out."""
    return a if mask is True or mask is no_value else blend(mask, a, replacement)


def prepared(a: Any, dtype: Any) -> Any:
    """Return the argument as an array of the dtype that is to be computed with."""
    return as_array(a) if dtype is None else cast(as_array(a), dtype)


def _of_dtype(result: Any, dtype: Any) -> Any:
    """The result in the dtype that was asked for: NumPy sums up small integers in larger ones otherwise."""
    return result if dtype is None else cast(result, dtype)


@implements(np.sum, pure=True)
def sum(  # noqa: A001
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = no_value,
    initial: Any = no_value,
    where: Any = True,
) -> Any:
    """Sum over axes."""
    total = _reduce(reduce_sum, _masked(prepared(a, dtype), where, 0), axis, keepdims)
    return _of_dtype(total + _initial(initial, total) if given(initial) else total, dtype)


@implements(np.prod, pure=True)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = no_value,
    initial: Any = no_value,
    where: Any = True,
) -> Any:
    """Right derivatives, of any order, also where elements are zero."""
    product = _reduce(r.reduce_prod, _masked(prepared(a, dtype), where, 1), axis, keepdims)
    return _of_dtype(product * _initial(initial, product) if given(initial) else product, dtype)


def counted_in(a: Any, dtype: Any) -> bool:
    """Whether an average of floating-point numbers is to be computed in integers: then it is piecewise constant."""
    return dtype is not None and np.dtype(dtype).kind in "biu" and dtype_of(a).kind in "fc"


def _count(shape: tuple[int, ...], axis: Any, where: Any, keepdims: Any, dtype: Any) -> Any:
    """Number of elements that are averaged, of a type that does not promote the sum that is divided by it."""
    axes = reduced_axes(axis, len(shape)) if where is not True else normalise_axes(axis, len(shape))
    if where is True or where is no_value:
        return float(np.prod([shape[i] for i in axes]))
    counts = _reduce(reduce_sum, broadcast_to(as_array(where), shape), axis, keepdims)
    return cast(counts, dtype.type(0).real.dtype if dtype.kind in "fc" else float)


@implements(np.mean, pure=True)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = no_value, *, where: Any = True
) -> Any:
    """Mean over axes."""
    if counted_in(as_array(a), dtype):
        return np.mean(concrete(a, "mean"), axis=axis, dtype=dtype, keepdims=keepdims, where=where)
    a = prepared(a, dtype)
    if dtype is None and dtype_of(a).kind in "biu":
        a = cast(a, np.dtype(float))  # a sum of integers could overflow
    total = sum(a, axis=axis, keepdims=keepdims, where=where)
    return total / _count(shape_of(a), axis, where, keepdims, dtype_of(a))


_mean = mean


@implements(np.var, pure=True)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = no_value,
    *,
    where: Any = True,
    mean: Any = no_value,
    correction: Any = no_value,
) -> Any:
    """Variance over axes."""
    if counted_in(as_array(a), dtype):
        ddof = ddof if correction is no_value else correction
        return np.var(concrete(a, "var"), axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims, where=where)
    real = dtype_of(as_array(a)).kind != "c"
    a = prepared(a, dtype)
    deviation = a - (_mean(a, axis=axis, keepdims=True, where=where) if mean is no_value else as_array(mean))
    parts = (deviation.real, deviation.imag) if dtype_of(deviation).kind == "c" else (deviation,)
    squares = builtins.sum(map(square, parts[1:]), start=square(parts[0]))
    free = _count(shape_of(a), axis, where, keepdims, dtype_of(a)) - (ddof if correction is no_value else correction)
    total = sum(squares, axis=axis, keepdims=keepdims, where=where)
    result = total / (builtins.max(free, 0.0) if isinstance(free, float) else maximum(free, 0))
    return cast(result, dtype_of(a)) if real and dtype_of(a).kind == "c" else result


@implements(np.std, pure=True)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = no_value,
    *,
    where: Any = True,
    mean: Any = no_value,
    correction: Any = no_value,
) -> Any:
    """Standard deviation over axes. As for a norm, the derivative at 0 (equal elements) is 0."""
    if counted_in(as_array(a), dtype):
        ddof = ddof if correction is no_value else correction
        return np.std(concrete(a, "std"), axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims, where=where)
    return root_of_square(
        var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction),
    )


def root_of_square(x: Any) -> Any:
    """Square root with derivative 0 at 0."""
    zero = x == 0
    return blend(zero, x, sqrt(blend(zero, 1, x)))


def _extremum(primitive: Any, ufunc: Any, lowest: float, a: Any, axis: Any, keepdims: Any, initial: Any, where: Any):
    a = as_array(a)
    if where is not True and where is not no_value:
        if not given(initial):
            raise ValueError(
                f"reduction operation '{ufunc.__name__}' does not have an identity, so to use a where mask one has to "
                "specify 'initial'"
            )
        a = blend(where, a, lowest)
    if given(initial):
        shape = shape_of(a)
        if 0 in (shape[i] for i in reduced_axes(axis, len(shape))):
            axes = reduced_axes(axis, len(shape))
            kept = tuple(n for i, n in enumerate(shape) if i not in axes)
            return restore_axes(broadcast_to(_initial(initial, a), kept)[()], shape, axis, keepdims)
        return ufunc(_reduce(primitive, a, axis, keepdims), _initial(initial, a))
    return _reduce(primitive, a, axis, keepdims)


@implements(np.max, np.amax, pure=True)
def max(  # noqa: A001
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = no_value, initial: Any = no_value, where: Any = True
) -> Any:
    """The derivative is shared equally between ties."""
    return _extremum(r.reduce_max, maximum, -np.inf, a, axis, keepdims, initial, where)


@implements(np.min, np.amin, pure=True)
def min(  # noqa: A001
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = no_value, initial: Any = no_value, where: Any = True
) -> Any:
    """The derivative is shared equally between ties."""
    return _extremum(r.reduce_min, minimum, np.inf, a, axis, keepdims, initial, where)


amax, amin = max, min


@implements(np.ptp, pure=True)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = no_value) -> Any:
    """Maximum minus minimum."""
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


@implements(np.all, pure=True)
def all(a: Any, axis: Any = None, out: Any = None, keepdims: Any = no_value, *, where: Any = True) -> Any:  # noqa: A001
    """A truth value: no derivative."""
    return _reduce(r.reduce_all, _masked(as_array(a), where, 1), axis, keepdims)


@implements(np.any, pure=True)
def any(a: Any, axis: Any = None, out: Any = None, keepdims: Any = no_value, *, where: Any = True) -> Any:  # noqa: A001
    """A truth value: no derivative."""
    return _reduce(r.reduce_any, _masked(as_array(a), where, 0), axis, keepdims)


@implements(np.count_nonzero, pure=True)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """A count: no derivative."""
    return sum(not_equal(a, 0), axis=axis, dtype=np.intp, keepdims=keepdims)


# Indices of extrema --------------------------------------------------------------------------------------------------


def _along(primitive: Callable[..., Any], a: Any, axis: Any) -> Any:
    """Apply a function along one axis, of the flattened array for None."""
    a, axis = with_axis(a, axis, scalars=True)
    return call(primitive, a, axis=axis)


@implements(np.argmax, pure=True)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = no_value) -> Any:
    """An index: no derivative."""
    return restore_axes(_along(r.argmax, a, axis), shape_of(as_array(a)), axis, keepdims)


@implements(np.argmin, pure=True)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = no_value) -> Any:
    """An index: no derivative."""
    return restore_axes(_along(r.argmin, a, axis), shape_of(as_array(a)), axis, keepdims)


# Scans ---------------------------------------------------------------------------------------------------------------


@implements(np.cumsum, pure=True)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """Cumulative sum."""
    return _of_dtype(_along(r.cumsum, prepared(a, dtype), axis), dtype)


@implements(np.cumprod, pure=True)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """Right derivatives, of any order, also where elements are zero."""
    return _of_dtype(_along(r.cumprod, prepared(a, dtype), axis), dtype)


def _plain_diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = no_value, append: Any = no_value) -> Any:
    """NumPy's function; None stands for what is not given, too, as in the array API standard."""
    return np.diff(a, n, axis, *(x if given(x) else no_value for x in (prepend, append)))


@implements(np.diff, plain=_plain_diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = no_value, append: Any = no_value) -> Any:
    """Differences of neighbours, n times."""
    a = as_array(a)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if n == 0:
        return a
    if not shape_of(a):
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalise_axis(axis, len(shape_of(a)))

    def side(x: Any) -> list[Any]:
        if not given(x):
            return []
        x = as_array(x)
        shape = shape_of(a)
        return [x if shape_of(x) else broadcast_to(x, (*shape[:axis], 1, *shape[axis + 1 :]))]

    pieces = [*side(prepend), a, *side(append)]
    result = concatenate(pieces, axis=axis) if len(pieces) > 1 else a
    step: Any = not_equal if dtype_of(result).kind == "b" else subtract
    for _ in range(n):
        result = step(result[on_axis(axis, slice(1, None))], result[on_axis(axis, slice(None, -1))])
    return result


@implements(np.ediff1d, pure=True)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours of the flattened array, with values put before and after them."""
    a = ravel(as_array(ary))
    result = subtract(a[1:], a[:-1])
    pieces = [*([] if to_begin is None else [ravel(as_array(to_begin))]), result]
    pieces += [] if to_end is None else [ravel(as_array(to_end))]
    return concatenate(pieces, dtype=dtype_of(result))


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

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "diff",
    "ediff1d",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]
