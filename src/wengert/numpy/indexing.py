"""Selecting elements: diagonals, triangles, take, compress, and the like."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.array import Array, normalise_key, plain_bool, wrap
from wengert.core import combinators
from wengert.core.values import dtype_of, shape_of
from wengert.errors import ConcretizationError, fail
from wengert.numpy.dispatch import as_array, implements, normalise_axis
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import moveaxis, reshape
from wengert.numpy.ufuncs import where
from wengert.rules.indexing import index
from wengert.transforms.batch import Batched


def getitem(x: Any, key: Any) -> Any:
    """x[key] for an immutable value."""
    spec, arrays, expand = normalise_key(key, x)
    if expand:
        x = combinators.reshape(x, shape=(1, *shape_of(x)))
    return index(x, *arrays, spec=spec)


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """The indices have no derivative."""
    a = as_array(a)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    axis = normalise_axis(axis, len(shape_of(a)))
    n = shape_of(a)[axis]
    if mode == "wrap":
        indices = np.asarray(indices) % n
    elif mode == "clip":
        indices = np.clip(indices, 0, n - 1)
    return a[(slice(None),) * axis + (indices,)]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """The indices have no derivative."""
    a = as_array(arr)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    shape = shape_of(a)
    axis = normalise_axis(axis, len(shape))
    key: list[Any] = [
        np.arange(n).reshape((1,) * i + (n,) + (1,) * (len(shape) - i - 1)) for i, n in enumerate(shape)
    ]
    key[axis] = indices
    return a[tuple(key)]


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """Select slices where a condition holds."""
    a = as_array(a)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    return take(a, np.nonzero(np.asarray(condition))[0], axis=axis)


@implements(np.nonzero)
def nonzero(a: Any) -> Any:
    """Indices: no derivative. Not under vmap, where their number would differ between examples."""
    a = as_array(a)
    value = a.immutable_value if isinstance(a, Array) else a
    if isinstance(value, Batched):
        fail(
            ConcretizationError,
            "nonzero (or where with one argument) of a vmapped value has a different size for each example. Use "
            "np.where(condition, a, b).",
        )
    return np.nonzero(plain_bool(wrap(value)))


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Diagonals, as the last axis."""
    a = as_array(a)
    n = len(shape_of(a))
    i, j = normalise_axis(axis1, n), normalise_axis(axis2, n)
    moved = moveaxis(a, (i, j), (0, 1))
    rows, columns = shape_of(moved)[:2]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    steps = np.arange(length)
    return moveaxis(moved[steps - min(offset, 0), steps + max(offset, 0)], 0, -1)


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
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
    n = shape[0] + abs(k)
    mask = np.eye(n, n, k, dtype=bool)
    positions = np.clip(np.arange(n) + min(k, 0), 0, max(shape[0] - 1, 0))
    rows = a[positions] if shape[0] else np.zeros(n)
    return where(mask, reshape(rows, (n, 1)), np.zeros((), dtype_of(a)))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """Make a diagonal matrix from a flattened array."""
    return diag(reshape(v, (-1,)), k)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """Lower triangle."""
    a = as_array(m)
    return where(np.tri(*shape_of(a)[-2:], k=k, dtype=bool), a, np.zeros((), dtype_of(a)))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """Upper triangle."""
    a = as_array(m)
    return where(np.tri(*shape_of(a)[-2:], k=k - 1, dtype=bool), np.zeros((), dtype_of(a)), a)
