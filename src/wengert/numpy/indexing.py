"""Selecting elements: take, diagonals, triangles, compress, and where conditions hold."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.array import Array, normalise_key, take_view, unwrap, wrap_owned
from wengert.array.steps import DiagonalStep
from wengert.core import combinators
from wengert.core.values import Value, dtype_of, shape_of
from wengert.numpy.dispatch import (
    as_array,
    common_dtype,
    concrete,
    has_traced,
    implements,
    is_concrete,
    normalise_axes,
    normalise_axis,
    on_axis,
)
from wengert.numpy.joining import stack
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import as_shape, broadcast_arrays, cast, in_order, ravel, reshape, with_axis
from wengert.numpy.ufuncs import clip, remainder, where
from wengert.rules.indexing import diagonal as diagonal_value
from wengert.rules.indexing import index


def getitem(x: Any, key: Any) -> Any:
    """x[key] for an immutable value."""
    spec, arrays, expand = normalise_key(key, x, unwrap)
    if expand:
        x = combinators.reshape(x, shape=(1, *shape_of(x)))
    return index(x, *arrays, spec=spec)


def in_range(indices: Any, n: int, mode: str) -> Any:
    """Apply the mode of take, put and choose to indices into an axis of length n."""
    if mode == "wrap":
        return remainder(indices, n)
    if mode == "clip":
        return clip(indices, 0, n - 1)
    if mode != "raise":
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    return indices


def _readable(a: Any, indices: Any) -> Any:
    """Return an array that can be indexed by these indices: an ndarray takes no traced ones."""
    a = as_array(a)
    return wrap_owned(a) if isinstance(a, np.ndarray) and isinstance(indices, (Array, Value)) else a


@implements(np.take, pure=True)
@in_order("C")
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    """The indices have no derivative."""
    indices = as_array(indices) if np.size(indices) or has_traced((indices,), {}) else np.asarray(indices, np.intp)
    if dtype_of(indices).kind not in "biu":
        raise TypeError(
            f"Cannot cast array data from {dtype_of(indices)!r} to dtype('int64') according to the rule 'safe'"
        )
    indices = cast(indices, np.intp) if dtype_of(indices).kind == "b" else indices
    a = _readable(a, indices)
    a, axis = with_axis(a, axis, scalars=True)
    return a[on_axis(axis, in_range(indices, shape_of(a)[axis], mode))]


def key_along_axis(shape: tuple[int, ...], indices: Any, axis: int) -> tuple[Any, ...]:
    """Return the key that take_along_axis reads and put_along_axis writes."""
    if len(shape_of(as_array(indices))) != len(shape):
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    grids: list[Any] = [
        np.arange(n).reshape((1,) * i + (n,) + (1,) * (len(shape) - i - 1)) for i, n in enumerate(shape)
    ]
    grids[axis] = indices
    return tuple(grids)


@implements(np.take_along_axis, pure=True)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """The indices have no derivative."""
    a, axis = with_axis(_readable(arr, indices), axis)
    return a[key_along_axis(shape_of(a), indices, axis)]


@implements(np.compress, pure=True)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """Select slices where a condition holds."""
    condition = concrete(condition, "compress")
    if condition.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    return take(a, np.flatnonzero(condition), axis=axis)


@implements(np.extract, pure=True)
def extract(condition: Any, arr: Any) -> Any:
    """Elements where a condition holds."""
    return take(ravel(as_array(arr)), np.flatnonzero(concrete(condition, "extract")))


@implements(np.choose, pure=True)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Take each element from one of several arrays."""
    dtype = common_dtype(*choices)
    picked, *arrays = broadcast_arrays(a, *(cast(c, dtype) for c in choices))
    if mode == "raise" and is_concrete(picked):
        plain = concrete(picked, "choose")
        if np.any((plain < 0) | (plain >= len(arrays))):
            raise ValueError("invalid entry in choice array")
    picked = in_range(picked, len(arrays), mode)
    return take_along_axis(stack(arrays), picked[None], 0)[0]


@implements(np.select, pure=True)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The first choice whose condition holds; the others contribute exactly zero to derivatives."""
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError("list of cases must be same length as list of conditions, and not empty")
    choices = [as_array(c) for c in (*choicelist, default)]
    dtype = common_dtype(*choicelist, default)
    for i, condition in enumerate(condlist):
        if dtype_of(as_array(condition)).kind != "b":
            raise TypeError(f"invalid entry {i} in condlist: should be boolean ndarray")
    result = cast(choices[-1], dtype)
    for condition, choice in zip(reversed(condlist), reversed(choices[:-1]), strict=True):
        result = where(condition, cast(choice, dtype), result)
    return result


# Where conditions hold: indices, without derivatives -----------------------------------------------------------------


@implements(np.nonzero, pure=True)
def nonzero(a: Any) -> Any:
    """Indices: no derivative. Not under vmap, where their number would differ between examples."""
    return np.nonzero(concrete(a, "nonzero"))


@implements(np.flatnonzero, pure=True)
def flatnonzero(a: Any) -> Any:
    """Indices: no derivative."""
    return np.flatnonzero(concrete(a, "flatnonzero"))


@implements(np.argwhere, pure=True)
def argwhere(a: Any) -> Any:
    """Indices: no derivative."""
    return np.argwhere(concrete(a, "argwhere"))


@implements(np.unravel_index, pure=True)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    """Indices: no derivative. Under vmap, without a check of their range."""
    if is_concrete(indices):
        return np.unravel_index(concrete(indices, "unravel_index"), shape, order)  # type: ignore[call-overload]
    rest, found = as_array(indices), []
    for n in reversed(as_shape(shape)) if order == "C" else as_shape(shape):
        rest, place = divmod(rest, n)
        found.append(place)
    return tuple(reversed(found)) if order == "C" else tuple(found)


@implements(np.ravel_multi_index, pure=True)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    """Indices: no derivative. Under vmap, without a check of their range."""
    dims = as_shape(dims)
    if is_concrete(multi_index):
        plain = tuple(concrete(i, "ravel_multi_index") for i in multi_index)
        return np.ravel_multi_index(plain, dims, mode, order)  # type: ignore[call-overload]
    modes = (mode,) * len(dims) if isinstance(mode, str) else mode
    digits = [(in_range(i, n, m), n) for i, n, m in zip(multi_index, dims, modes, strict=True)]
    number: Any = 0
    for place, n in digits if order == "C" else reversed(digits):
        number = number * n + place
    return number


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """A view without the zeros at the front ("f") and back ("b") of the given axes."""
    a = as_array(filt)
    sides, rank = set(trim.lower()), len(shape_of(a))
    if sides not in ({"f"}, {"b"}, {"f", "b"}):
        raise ValueError(f"unexpected character(s) in `trim`: {trim!r}")
    places = np.argwhere(concrete(a, "trim_zeros"))
    key = [slice(None)] * rank
    for i in normalise_axes(axis, rank):
        if not len(places):
            key[i] = slice(0, 0)
        else:
            start, stop = places[:, i].min(), places[:, i].max() + 1
            key[i] = slice(int(start) if "f" in sides else None, int(stop) if "b" in sides else None)
    return a[tuple(key)]


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """Indices of the diagonal of an array of this shape."""
    return np.diag_indices_from(_of_shape(arr))


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """Indices of the lower triangle of an array of this shape."""
    return np.tril_indices_from(_of_shape(arr), k)


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """Indices of the upper triangle of an array of this shape."""
    return np.triu_indices_from(_of_shape(arr), k)


def _of_shape(a: Any) -> np.ndarray:
    """Something of the same shape, for NumPy to look at."""
    return np.broadcast_to(np.float64(0), shape_of(as_array(a)))


# Diagonals and triangles ---------------------------------------------------------------------------------------------


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Diagonals, as the last axis: a read-only view."""
    a = as_array(a)
    n = len(shape_of(a))
    if n < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    i, j = normalise_axis(axis1, n), normalise_axis(axis2, n)
    if i == j:
        raise ValueError("axis1 and axis2 cannot be the same")
    offset = operator.index(offset)
    return take_view(a, DiagonalStep(offset, i, j)) if isinstance(a, Array) else diagonal_value(a, offset, i, j)


@implements(np.trace, pure=True)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    """Sum of the diagonal."""
    return sum_(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """Extract a diagonal, or make a diagonal matrix."""
    a = as_array(v)
    shape = shape_of(a)
    if len(shape) == 2:
        return diagonal(a, k)
    if len(shape) != 1:
        raise ValueError("Input must be 1- or 2-d.")
    k = operator.index(k)
    n = shape[0] + abs(k)
    zero = np.zeros((), dtype_of(a))
    if not shape[0]:
        empty = np.zeros((n, n), dtype_of(a))
        return wrap_owned(empty) if isinstance(a, Array) else empty
    rows = a[np.clip(np.arange(n) + min(k, 0), 0, shape[0] - 1)]
    return where(np.eye(n, n, k, dtype=bool), reshape(rows, (n, 1)), zero)


@implements(np.diagflat, pure=True)
def diagflat(v: Any, k: int = 0) -> Any:
    """Make a diagonal matrix from a flattened array."""
    return diag(reshape(v, (-1,)), k)


def _triangle(m: Any, k: int) -> tuple[Any, Any, Any]:
    a = as_array(m)
    mask = np.tri(*shape_of(a)[-2:], k=k, dtype=bool)
    return mask, a, np.zeros((), dtype_of(a))


@implements(np.tril, pure=True)
def tril(m: Any, k: int = 0) -> Any:
    """Lower triangle."""
    mask, a, zero = _triangle(m, k)
    return where(mask, a, zero)


@implements(np.triu, pure=True)
def triu(m: Any, k: int = 0) -> Any:
    """Upper triangle."""
    mask, a, zero = _triangle(m, k - 1)
    return where(mask, zero, a)


__all__ = [
    "argwhere",
    "choose",
    "compress",
    "diag",
    "diag_indices_from",
    "diagflat",
    "diagonal",
    "extract",
    "flatnonzero",
    "nonzero",
    "ravel_multi_index",
    "select",
    "take",
    "take_along_axis",
    "trace",
    "tril",
    "tril_indices_from",
    "trim_zeros",
    "triu",
    "triu_indices_from",
    "unravel_index",
]
