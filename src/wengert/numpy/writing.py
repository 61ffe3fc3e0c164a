"""Functions that write into an array: put, place, copyto, fill_diagonal and the like.

The target has to be an `Array` where traced values are written; plain ndarrays cannot hold them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.array import Array, contains_traced
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, concrete, implements, normalise_axis, target
from wengert.numpy.indexing import in_range, key_along_axis
from wengert.numpy.shaping import broadcast_to, cast, cast_kept, ravel, reshape
from wengert.numpy.ufuncs import where


def _cycled(values: Any, count: int, dtype: Any) -> Any:
    """Repeat the flattened values, in the given dtype, until there are `count` of them."""
    v = ravel(cast_kept(values, dtype))
    length = shape_of(v)[0]
    return v[:count] if length >= count else v[np.arange(count) % length]


def _put(a: Any, positions: np.ndarray, values: Any) -> None:
    """Write at positions of the flattened array."""
    if positions.size and math.prod(shape_of(as_array(values))):
        v = _cycled(values, positions.size, dtype_of(a))
        if shape_of(a):
            a[np.unravel_index(positions, shape_of(a))] = v
        else:
            a[...] = v[-1]


def _check_mask(mask: Any, a: Any, values: Any, name: str) -> None:
    """Raise NumPy's errors for a mask of another size and for values of a type that does not fit."""
    if isinstance(values, (np.ndarray, np.generic, Array)) and not np.can_cast(values.dtype, a.dtype):
        raise TypeError(f"Cannot cast array data from {values.dtype!r} to {a.dtype!r} according to the rule 'safe'")
    if math.prod(shape_of(as_array(mask))) != math.prod(shape_of(a)):
        raise ValueError(f"{name}: mask and data must be the same size")


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Write at positions of the flattened array."""
    a = target(a, "put", v)
    size = math.prod(shape_of(a))
    positions = concrete(in_range(ind, size, mode), "put").ravel()
    if positions.size and not size:
        raise IndexError("cannot replace elements of an empty array")
    if not math.prod(shape_of(as_array(v))):
        return
    if positions.size and not (-size <= positions.min() and positions.max() < size):
        raise IndexError(f"index is out of bounds for axis 0 with size {size}")
    _put(a, positions % max(size, 1), v)


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Write the values one after the other where a mask holds."""
    arr = target(arr, "place", vals)
    _check_mask(mask, arr, vals, "place")
    if concrete(mask, "place").any() and not math.prod(shape_of(as_array(vals))):
        raise ValueError("Cannot insert from an empty array!")
    _put(arr, np.flatnonzero(concrete(mask, "place")), vals)


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """Write where a mask holds, each value at its own position."""
    a = target(a, "putmask", values, mask)
    _check_mask(mask, a, values, "putmask")
    if math.prod(shape_of(as_array(values))):
        v = reshape(_cycled(values, math.prod(shape_of(a)), dtype_of(a)), shape_of(a))
        a[...] = where(reshape(mask, shape_of(a)), v, a)


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Overwrite an array, or the part of it where a mask holds."""
    dst = target(dst, "copyto", src, where)
    dtype = np.result_type(src, dst.dtype) if type(src) in (int, float, complex) else dtype_of(as_array(src))
    if not np.can_cast(dtype, dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"Cannot cast array data from {dtype} to {dst.dtype} according to the rule '{casting}'")
    if not contains_traced(src):
        src = cast(src, dst.dtype)
    dst[...] = src if where is True else _where(where, src, dst)


_where = where


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """Write where take_along_axis would read."""
    arr = target(arr, "put_along_axis", values, indices)
    if axis is None:
        if len(shape_of(as_array(indices))) != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        return put(arr, indices, broadcast_to(as_array(values), shape_of(as_array(indices))))
    arr[key_along_axis(shape_of(arr), indices, normalise_axis(axis, len(shape_of(arr))))] = values
    return None


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Write on the main diagonal."""
    a = target(a, "fill_diagonal", val)
    shape = shape_of(a)
    if len(shape) < 2:
        raise ValueError("array must be at least 2-d")
    if len(shape) > 2 and len(set(shape)) != 1:
        raise ValueError("All dimensions of input must be of equal length")
    step = sum(math.prod(shape[i + 1 :]) for i in range(len(shape)))
    end = None if wrap or len(shape) > 2 else shape[1] * shape[1]
    _put(a, np.arange(math.prod(shape))[:end:step], val)


__all__ = ["copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"]
