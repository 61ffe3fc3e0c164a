"""Joining, splitting and inserting: functions whose result has other axis lengths than their arguments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.array import Array, wrap_owned
from wengert.core import combinators
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import (
    as_array,
    call,
    common_dtype,
    concrete,
    has_traced,
    implements,
    normalise_axis,
    on_axis,
)
from wengert.numpy.shaping import (
    as_shape,
    at_least,
    broadcast_to,
    cast_kept,
    copy_of,
    in_order,
    moveaxis,
    ordered,
    ravel,
    reshape,
    with_axis,
)
from wengert.rules.joining import concatenate as concatenate_primitive
from wengert.rules.joining import stack as stack_primitive

# Joining -------------------------------------------------------------------------------------------------------------


def _cast_all(xs: Sequence[Any], dtype: Any, casting: str) -> list[Any]:
    """Cast values to their common dtype (or the one asked for), as NumPy's joining functions do."""
    common = np.result_type(*(dtype_of(x) for x in xs)) if dtype is None else np.dtype(dtype)
    for x in xs:
        if not np.can_cast(dtype_of(x), common, casting):  # type: ignore[arg-type]
            raise TypeError(
                f"Cannot cast array data from {dtype_of(x)!r} to {common!r} according to the rule '{casting}'"
            )
    return [x if dtype_of(x) == common else combinators.astype(x, dtype=common) for x in xs]


@implements(np.concatenate, np.concat, pure=True)
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Join along an existing axis."""
    if axis is None and dtype is None:
        dtype = common_dtype(*arrays)
    xs = [as_array(a) for a in arrays]
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    if not xs:
        raise ValueError("need at least one array to concatenate")
    if shape_of(xs[0]):
        axis = normalise_axis(axis, len(shape_of(xs[0])))
    if any(not shape_of(x) for x in xs):
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    return call(lambda *values: concatenate_primitive(*_cast_all(values, dtype, casting), axis=axis), *xs)


concat = concatenate


@implements(np.stack, pure=True)
def stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join along a new axis."""
    xs = [as_array(a) for a in arrays]
    if not xs:
        raise ValueError("need at least one array to stack")
    if len({shape_of(x) for x in xs}) != 1:
        raise ValueError("all input arrays must have the same shape")
    axis = normalise_axis(axis, len(shape_of(xs[0])) + 1)
    return call(lambda *values: stack_primitive(*_cast_all(values, dtype, casting), axis=axis), *xs)


@implements(np.vstack, pure=True)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join rows."""
    return concatenate([at_least(a, 2) for a in tup], axis=0, dtype=dtype, casting=casting)


@implements(np.hstack, pure=True)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join along the second axis, the first for vectors."""
    xs = [at_least(a, 1) for a in tup]
    axis = 0 if xs and len(shape_of(xs[0])) == 1 else 1
    return concatenate(xs, axis=axis, dtype=dtype, casting=casting)


@implements(np.dstack, pure=True)
def dstack(tup: Any) -> Any:
    """Join along the third axis."""
    return concatenate([at_least(a, 3) for a in tup], axis=2)


@implements(np.column_stack, pure=True)
def column_stack(tup: Any) -> Any:
    """Join vectors as columns."""
    xs = [as_array(a) for a in tup]
    return concatenate([x if len(shape_of(x)) > 1 else reshape(x, (-1, 1)) for x in xs], axis=1)


@implements(np.block, pure=True)
def block(arrays: Any) -> Any:
    """Assemble a matrix from nested lists of blocks."""

    def depth(x: Any) -> int:
        if not isinstance(x, list):
            return 0
        depths = {depth(y) for y in x}
        if len(depths) != 1:
            raise ValueError("List depths are mismatched (or a list is empty)")
        return 1 + depths.pop()

    def largest(x: Any) -> int:
        return max(map(largest, x)) if isinstance(x, list) else len(shape_of(as_array(x)))

    levels = depth(arrays)
    rank = max(levels, largest(arrays))

    def join(x: Any, level: int) -> Any:
        if isinstance(x, list):
            return concatenate([join(y, level - 1) for y in x], axis=-level)
        x = as_array(x)
        return reshape(x, (1,) * (rank - len(shape_of(x))) + shape_of(x))

    return join(arrays, levels) if levels else copy_of(as_array(arrays))


def extended(x: Any, length: int, axis: int = -1) -> Any:
    """Put zeros behind an array, up to a length along an axis."""
    shape = list(shape_of(x))
    shape[axis] = length - shape[axis]
    return concatenate([x, np.zeros(shape, dtype_of(x))], axis=axis) if shape[axis] else x


# Splitting -----------------------------------------------------------------------------------------------------------


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Views."""
    a = as_array(ary)
    axis = normalise_axis(axis, len(shape_of(a)))
    n = shape_of(a)[axis]
    if not shape_of(as_array(indices_or_sections)):
        indices_or_sections = int(indices_or_sections)
        if indices_or_sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, extra = divmod(n, int(indices_or_sections))
        bounds = [each * i + min(i, extra) for i in range(int(indices_or_sections) + 1)]
    else:
        bounds = [0, *as_shape(indices_or_sections), n]
    return [a[on_axis(axis, slice(i, j))] for i, j in itertools.pairwise(bounds)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Views."""
    n = shape_of(as_array(ary))[axis]
    if not shape_of(as_array(indices_or_sections)) and n % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Views."""
    if not shape_of(as_array(ary)):
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 0 if len(shape_of(as_array(ary))) == 1 else 1)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Views."""
    if len(shape_of(as_array(ary))) < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Views."""
    if len(shape_of(as_array(ary))) < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


# Moving, repeating, inserting, deleting ------------------------------------------------------------------------------


@implements(np.roll, pure=True)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Shift elements cyclically."""
    a = as_array(a)
    if axis is None:
        return ordered(reshape(roll(reshape(a, (-1,)), shift, 0), shape_of(a)), "C")
    result = a
    for s, ax in np.broadcast(shift, axis):
        ax = normalise_axis(int(ax), len(shape_of(a)))
        n = shape_of(a)[ax]
        s = int(s) % n if n else 0
        if s:
            pieces = [result[on_axis(ax, slice(n - s, None))], result[on_axis(ax, slice(None, n - s))]]
            result = concatenate(pieces, axis=ax)
    return copy_of(a) if result is a else ordered(result, "K", a)


@implements(np.repeat, pure=True)
@in_order("C")
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Repeat each element."""
    a, axis = with_axis(a, axis, scalars=True)
    positions = np.repeat(np.arange(shape_of(a)[axis]), concrete(repeats, "repeat"))
    return a[on_axis(axis, positions)]


@implements(np.append, pure=True)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Join at the end; flattened without an axis."""
    if axis is None:
        return concatenate([ravel(as_array(arr)), ravel(as_array(values))])
    return concatenate([arr, values], axis=axis)


@implements(np.delete, pure=True)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Leave out slices."""
    a, axis = with_axis(arr, axis)
    obj = concrete(obj, "delete") if has_traced((obj,), {}) else obj
    result = a[on_axis(axis, np.delete(np.arange(shape_of(a)[axis]), obj))]
    single = not isinstance(obj, slice) and np.size(obj) == 1 and np.asarray(obj).dtype.kind in "iu"
    return ordered(result, "A", a) if single or isinstance(obj, slice) else result


@implements(np.insert, pure=True)
@in_order("A")
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Insert slices before the given indices."""
    (a, axis), v = with_axis(arr, axis), as_array(values)
    shape = shape_of(a)
    obj = obj if isinstance(obj, slice) else concrete(obj, "insert")
    v = cast_kept(v, dtype_of(a))
    v = reshape(v, (1,) * (len(shape) - len(shape_of(v))) + shape_of(v))
    if isinstance(obj, slice):
        count = len(range(*obj.indices(shape[axis])))
    elif obj.dtype.kind == "b":
        count = int(np.count_nonzero(obj))
    elif obj.size == 1:  # one index, before which the whole of the values goes
        v = moveaxis(v, 0, axis) if obj.ndim == 0 else v
        count = shape_of(v)[axis]
        obj = np.full(count, obj.item())
    else:
        count = obj.size
    v = broadcast_to(v, (*shape[:axis], count, *shape[axis + 1 :]))
    order = np.insert(np.arange(shape[axis]), obj, shape[axis] + np.arange(count))
    return concatenate([a, v], axis=axis)[on_axis(axis, order)]


@implements(np.resize, pure=True)
def resize(a: Any, new_shape: Any) -> Any:
    """Repeat the elements as often as the new shape needs."""
    a, shape = ravel(as_array(a)), as_shape(new_shape)
    if min(shape, default=0) < 0:
        raise ValueError("all elements of `new_shape` must be non-negative")
    count = math.prod(shape)
    if shape_of(a)[0] == 0 or count == 0:
        zeros = np.zeros(shape, dtype_of(a))
        return wrap_owned(zeros) if isinstance(a, Array) else zeros
    return reshape(a[np.arange(count) % shape_of(a)[0]], shape)


__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "concat",
    "concatenate",
    "delete",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "insert",
    "repeat",
    "resize",
    "roll",
    "split",
    "stack",
    "vsplit",
    "vstack",
]
