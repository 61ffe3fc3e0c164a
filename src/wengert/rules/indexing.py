"""Reading and writing by index: `index` (x[key]), `index_add` (x[key] += v), `index_update` (x[key] = v).

A key is a tuple `spec` of ints, slices, None, Ellipsis, and the placeholder `ARRAY` for each integer index array; the
index arrays themselves are positional arguments. Boolean masks have been turned into integer arrays before.

`donate=True` says that nobody else refers to the buffer of `x`, which may then be overwritten: this is what makes a
loop of n writes cost O(n), forwards and in the reverse sweep. The caller vouches for it. `copy=True` makes `index`
return a copy where NumPy would return a view, so that the reader does not share the buffer.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import Linear, NonDifferentiable, broadcast_to, reshape
from wengert.core.values import Value, shape_of, zeros_of
from wengert.rules.elementwise import where
from wengert.rules.structural import move_axis, transpose


class _Placeholder(enum.Enum):
    ARRAY = "array"

    def __repr__(self) -> str:
        return "[…]"


ARRAY = _Placeholder.ARRAY


def make_key(spec: tuple[Any, ...], arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Put the index arrays where the placeholders are."""
    if not arrays:
        return spec
    rest = iter(arrays)
    return tuple(next(rest) if s is ARRAY else s for s in spec)


def _index(x: Any, *arrays: Any, spec: tuple[Any, ...], copy: bool = False) -> Any:
    part = x[make_key(spec, arrays)]
    return part.copy("K") if copy and isinstance(part, np.ndarray) else part


def _writable(x: Any, donate: bool) -> np.ndarray:
    if donate and isinstance(x, np.ndarray) and x.flags.writeable:
        return x
    return np.array(x)


def _index_add(x: Any, v: Any, *arrays: Any, spec: tuple[Any, ...], donate: bool) -> Any:
    out = _writable(x, donate)
    if arrays:
        np.add.at(out, make_key(spec, arrays), v)
    else:
        out[spec] += v
    return out


def _index_update(x: Any, v: Any, *arrays: Any, spec: tuple[Any, ...], donate: bool) -> Any:
    out = _writable(x, donate)
    out[make_key(spec, arrays)] = v
    return out


def _add_into(buffer: Any, ct: Any, *arrays: Any, spec: tuple[Any, ...], donate: bool, copy: bool = False) -> Any:
    return index_add(buffer, ct, *arrays, spec=spec, donate=donate)


def _update_transpose_v(ct: Any, x: Any, v: Any, *arrays: Any, spec: tuple[Any, ...], donate: bool) -> Any:
    taken = index(ct, *arrays, spec=spec, copy=True)  # a copy, for the buffer of ct is overwritten next
    if all(shape_of(a) == () for a in arrays):
        return taken  # one place, written once
    if any(isinstance(a, Value) for a in arrays):
        return where(last_writers(*arrays, shape=x.shape, spec=spec), taken, 0.0)
    winners = _last_writers(x.shape, arrays, spec)
    return taken if winners is None else where(winners, taken, 0.0)


def _batch_index(
    size: int, args: Sequence[Any], batched: Sequence[bool], *, spec: tuple[Any, ...], copy: bool = False
) -> Any:
    x, *arrays = args
    before, adjacent = layout(spec, len(shape_of(x)) - batched[0])
    if not any(batched[1:]):
        out = index(x, *arrays, spec=(slice(None), *spec), copy=copy)
        return out if adjacent else move_axis(out, np.broadcast(*arrays).ndim, 0)
    rank = max(len(shape_of(a)) - b for a, b in zip(arrays, batched[1:], strict=True))
    arrays = [
        reshape(a, shape=(size,) + (1,) * (rank - len(shape_of(a)) + 1) + shape_of(a)[1:]) if b else a
        for a, b in zip(arrays, batched[1:], strict=True)
    ]
    if not batched[0]:
        return move_axis(index(x, *arrays, spec=spec), before if adjacent else 0, 0)
    lanes = np.arange(size).reshape((size,) + (1,) * rank)
    out = index(x, lanes, *arrays, spec=(ARRAY, *spec))
    # (batch, index axes, axes before them, axes after them), unless the index axes came first anyway
    if adjacent and before:
        n = len(shape_of(out))
        moved = 1 + rank + before
        out = transpose(out, axes=(0, *range(1 + rank, moved), *range(1, 1 + rank), *range(moved, n)))
    return out


def _batch_write(write: str, size: int, args: Sequence[Any], batched: Sequence[bool], **params: Any) -> Any:
    primitive = index_update if write == "update" else index_add
    x, v, *arrays = args
    spec = params["spec"]
    if not batched[0]:
        x = broadcast_to(x, shape=(size, *shape_of(x)))
    rank = len(shape_of(x)) - 1
    if any(batched[2:]) or not layout(spec, rank)[1]:
        looped = {**params, "donate": False}
        return primitive.loop_over_batch(size, [x, v, *arrays], [True, *batched[1:]], looped)
    if batched[1]:
        known = [np.zeros(a.shape, a.dtype) if isinstance(a, Value) else a for a in arrays]  # only shapes matter
        selected = np.broadcast_to(False, shape_of(x)[1:])[make_key(spec, known)].ndim
        example = shape_of(v)[1:]
        if len(example) > selected and set(example[: len(example) - selected]) <= {1}:
            example = example[len(example) - selected :]  # assignment ignores extra leading axes of length 1
        v = reshape(v, shape=(size,) + (1,) * (selected - len(example)) + example)
    return primitive(x, v, *arrays, **{**params, "spec": (slice(None), *spec)})


def layout(spec: tuple[Any, ...], ndim: int) -> tuple[int, bool]:
    """Return how many result axes precede those of the index arrays, and whether the arrays are adjacent.

    NumPy's rule: the axes of adjacent index arrays replace the axes they index; if anything stands between two index
    arrays they come first. Next to an index array an int counts as one.
    """
    if ARRAY not in spec:
        return 0, True
    advanced = [i for i, s in enumerate(spec) if s is ARRAY or isinstance(s, int)]
    adjacent = advanced[-1] - advanced[0] + 1 == len(advanced)
    consumed = sum(s is not None and s is not Ellipsis for s in spec)
    before = sum(ndim - consumed if s is Ellipsis else 1 for s in spec[: advanced[0]])
    return (before if adjacent else 0), adjacent


def _last_writers(shape: tuple[int, ...], arrays: Sequence[np.ndarray], spec: tuple[Any, ...]) -> np.ndarray | None:
    """Mask of the selected elements whose write is not overwritten by a later duplicate; None without duplicates."""
    consumed = sum(s is not None and s is not Ellipsis for s in spec)
    sizes, axis = [], 0
    for s in spec:
        if s is ARRAY:
            sizes.append(shape[axis])
        axis += len(shape) - consumed if s is Ellipsis else s is not None
    index_arrays = np.broadcast_arrays(*arrays)
    flat = np.zeros(index_arrays[0].shape, np.intp)
    for a, n in zip(index_arrays, sizes, strict=True):
        flat = flat * n + np.where(a < 0, a + n, a)
    flat = flat.ravel()
    unique, last = np.unique(flat[::-1], return_index=True)
    if unique.size == flat.size:
        return None
    winners = np.zeros(flat.size, bool)
    winners[flat.size - 1 - last] = True
    selected = np.broadcast_to(False, shape)[make_key(spec, arrays)].ndim
    before, _ = layout(spec, len(shape))
    rank = index_arrays[0].ndim
    return winners.reshape(index_arrays[0].shape + (1,) * (selected - before - rank))


def _writer_mask(*arrays: Any, shape: tuple[int, ...], spec: tuple[Any, ...]) -> Any:
    winners = _last_writers(shape, arrays, spec)
    return np.broadcast_to(
        True if winners is None else winners, np.broadcast_to(False, shape)[make_key(spec, arrays)].shape
    )


# The mask as a primitive, for index arrays that differ between the examples of a batch.
last_writers = NonDifferentiable(
    _writer_mask,
    name="last_writers",
    batch=lambda size, args, batched, **params: last_writers.loop_over_batch(size, args, batched, params),
)
index = Linear(
    _index,
    lambda ct, x, *arrays, spec, copy=False: index_add(zeros_of(x), ct, *arrays, spec=spec, donate=True),
    None,
    name="index",
    batch=_batch_index,
    into=_add_into,
)
index_add = Linear(
    _index_add,
    lambda ct, x, v, *arrays, spec, donate: ct,
    lambda ct, x, v, *arrays, spec, donate: index(ct, *arrays, spec=spec, copy=True),  # x gets the buffer
    None,
    name="index_add",
    batch=functools.partial(_batch_write, "add"),
)
index_update = Linear(
    _index_update,
    lambda ct, x, v, *arrays, spec, donate: index_update(ct, 0.0, *arrays, spec=spec, donate=donate),
    _update_transpose_v,
    None,
    name="index_update",
    batch=functools.partial(_batch_write, "update"),
)


# Read by index: what NumPy does with strides --------------------------------------------------------------------------


def slice_axis(x: Any, axis: int, start: int | None, stop: int | None, step: int | None = None) -> Any:
    """x[..., start:stop:step, ...] along one axis."""
    return index(x, spec=(slice(None),) * axis + (slice(start, stop, step),))


def flip(x: Any, *axes: int) -> Any:
    """Turn axes round."""
    return index(x, spec=tuple(slice(None, None, -1 if k in axes else None) for k in range(max(axes, default=-1) + 1)))


def diagonal(x: Any, offset: int, axis1: int, axis2: int) -> Any:
    """Diagonals of the matrices along two axes, as the last axis.

    With the two axes merged into one a diagonal is evenly spaced, so this is a slice and needs no gather.
    """
    shape = shape_of(x)
    order = [a for a in range(len(shape)) if a != axis2]
    axis = order.index(axis1)
    order.insert(axis + 1, axis2)
    rows, columns = shape[axis1], shape[axis2]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    start = max(offset, 0) - min(offset, 0) * columns if length else 0
    rest = [shape[a] for a in order]
    x = x if order == sorted(order) else transpose(x, axes=tuple(order))
    x = reshape(x, shape=(*rest[:axis], rows * columns, *rest[axis + 2 :]))
    stop = start + (length - 1) * (columns + 1) + 1 if length else 0
    x = slice_axis(x, axis, start, stop, columns + 1)
    return move_axis(x, axis, len(shape) - 2)


def sliding_windows(x: Any, lengths: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """All windows of the given lengths along axes, as new last axes."""
    for axis, length in zip(axes, lengths, strict=True):
        count = shape_of(x)[axis] - length + 1
        positions = np.arange(count)[:, None] + np.arange(length)
        x = index(x, positions, spec=(slice(None),) * axis + (ARRAY,))
        x = move_axis(x, axis + 1, len(shape_of(x)) - 1)
    return x
