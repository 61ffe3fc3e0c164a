"""Sorting and searching: the order is piecewise constant, the values pass through."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, call, concrete, implements, is_concrete
from wengert.numpy.indexing import take, take_along_axis
from wengert.numpy.shaping import cast, cast_kept, in_order, with_axis
from wengert.numpy.ufuncs import invert, negative
from wengert.rules import indexing, reductions


def _in_any_version(numpy_function: Any) -> Any:
    """NumPy's function for plain arrays; before NumPy 2.5, which has `descending`, ours does that."""
    knows_descending = "descending" in inspect.signature(numpy_function).parameters

    def function(*args: Any, descending: Any = None, **kwargs: Any) -> Any:
        if knows_descending:
            return numpy_function(*args, descending=descending, **kwargs)
        if not descending:
            return numpy_function(*args, **kwargs)
        ours: Any = argsort if numpy_function is np.argsort else sort
        return ours.__wrapped__(*args, descending=True, **kwargs)

    return function


@implements(np.argsort, plain=_in_any_version(np.argsort), pure=True)
def argsort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None, descending: Any = None
) -> Any:
    """Indices: no derivative. In descending order NaNs come last, too, and equal elements keep their order."""
    a, axis = with_axis(a, axis, scalars=True)
    if descending:  # ~a reverses the order of integers without overflow
        a, stable = (invert(a) if dtype_of(a).kind in "iub" else negative(a)), True
    return call(reductions.argsort, a, axis=axis, kind="stable" if stable else kind)


@implements(np.sort, plain=_in_any_version(np.sort), pure=True)
@in_order("K")
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None, descending: Any = None
) -> Any:
    """The derivative goes with each element to its new place. Without a `kind`, equal elements keep their order."""
    a, axis = with_axis(a, axis)
    return take_along_axis(a, argsort(a, axis, kind or "stable", stable=stable, descending=descending), axis)


@implements(np.argpartition, pure=True)
def argpartition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """Indices: no derivative. The order within the parts is left open."""
    a, axis = with_axis(a, axis, scalars=True)
    n = shape_of(a)[axis]
    places = concrete(kth, "partition").ravel()
    if places.dtype.kind not in "iu":
        raise TypeError("Partition index must be integer")
    for k in places:
        if not -n <= k < n:
            raise ValueError(f"kth(={k}) out of bounds ({n})")
    return call(reductions.argpartition, a, kth=tuple(int(k) % n for k in places), axis=axis)


@implements(np.partition, pure=True)
@in_order("K")
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """The derivative goes with each element to its new place. The order within the parts is left open."""
    a, axis = with_axis(a, axis)
    return take_along_axis(a, argpartition(a, kth, axis), axis)


@implements(np.sort_complex, pure=True)
def sort_complex(a: Any) -> Any:
    """Sorted by the real part, then the imaginary part."""
    result = sort(a)
    return result if dtype_of(result).kind == "c" else cast(result, complex)


@implements(np.lexsort, pure=True)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """Indices: no derivative."""
    if is_concrete(keys):
        return np.lexsort(concrete(keys, "lexsort"), axis)
    first, *others = (as_array(key) for key in keys)
    order = argsort(first, axis, stable=True)
    for key in others:  # each one more important than those before it
        order = take_along_axis(order, argsort(take_along_axis(key, order, axis), axis, stable=True), axis)
    return order


@implements(np.searchsorted, pure=True)
def searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    """Indices: no derivative."""
    if sorter is not None:
        a = take(a, sorter)
    return call(reductions.searchsorted, as_array(a), as_array(v), side=side)


@implements(np.digitize, pure=True)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """Indices: no derivative."""
    edges = concrete(bins, "digitize")
    if is_concrete(x):
        return np.digitize(concrete(x, "digitize"), edges, right)
    np.digitize(0.0, edges)  # raises NumPy's errors
    side = "left" if right else "right"
    if edges.size and edges[0] > edges[-1]:
        return edges.size - searchsorted(edges[::-1].copy(), x, side=side)
    return searchsorted(edges, x, side=side)


@implements(np.bincount, pure=True)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """The weights may be traced."""
    positions = concrete(x, "bincount")
    if weights is None:
        return np.bincount(positions, minlength=minlength)
    if positions.ndim != 1 or shape_of(as_array(weights)) != positions.shape:
        raise ValueError("The weights and list don't have the same length.")
    count = np.bincount(positions, minlength=minlength).size
    w = cast_kept(as_array(weights), np.dtype(float))
    return call(lambda v: indexing.index_add(np.zeros(count), v, positions, spec=(indexing.ARRAY,), donate=False), w)


__all__ = [
    "argpartition",
    "argsort",
    "bincount",
    "digitize",
    "lexsort",
    "partition",
    "searchsorted",
    "sort",
    "sort_complex",
]
