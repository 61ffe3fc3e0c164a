"""Shape manipulation. Where NumPy returns a view of an array, so do these for an Array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.array import Array, from_sequence, take_broadcast, take_reshape, take_transpose, unwrap, wrap
from wengert.core import combinators
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, call, implements, normalise_axes, normalise_axis
from wengert.rules import structural
from wengert.rules.joining import concatenate as concatenate_primitive


def _resolve_shape(size: int, newshape: Any) -> tuple[int, ...]:
    """Replace the -1 of a shape."""
    shape = tuple(int(n) for n in newshape) if isinstance(newshape, Sequence) else (int(newshape),)
    if shape.count(-1) > 1:
        raise ValueError("can only specify one unknown dimension")
    if -1 in shape:
        known = int(np.prod([n for n in shape if n != -1]))
        if known == 0 or size % known:
            raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
        shape = tuple(size // known if n == -1 else n for n in shape)
    if int(np.prod(shape)) != size:
        raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
    return shape


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """A view where NumPy returns one."""
    a = as_array(a)
    shape = _resolve_shape(int(np.prod(shape_of(a))), shape)
    if order == "F":
        return transpose(reshape(transpose(a), shape[::-1]))
    if isinstance(a, Array):
        return (
            take_reshape(a, shape) if not copy else wrap(combinators.reshape(a.immutable_value, shape=shape))
        )
    return combinators.reshape(a, shape=shape)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """A view where NumPy returns one."""
    return reshape(a, (-1,), order="F" if order == "F" else "C")


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    """A view."""
    a = as_array(a)
    n = len(shape_of(a))
    order = tuple(range(n))[::-1] if axes is None else normalise_axes(axes, n)
    if len(order) != n:
        raise ValueError("axes don't match array")
    return take_transpose(a, order) if isinstance(a, Array) else structural.transpose(a, axes=order)


permute_dims = transpose


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """A view."""
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """A view."""
    a = as_array(a)
    n = len(shape_of(a))
    i, j = normalise_axis(axis1, n), normalise_axis(axis2, n)
    order = list(range(n))
    order[i], order[j] = order[j], order[i]
    return transpose(a, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """A view."""
    a = as_array(a)
    n = len(shape_of(a))
    sources, destinations = normalise_axes(source, n), normalise_axes(destination, n)
    if len(sources) != len(destinations):
        raise ValueError("`source` and `destination` arguments must have the same number of elements")
    order = [i for i in range(n) if i not in sources]
    for d, s in sorted(zip(destinations, sources, strict=True)):
        order.insert(d, s)
    return transpose(a, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """A view."""
    a = as_array(a)
    n = len(shape_of(a))
    axis = normalise_axis(axis, n)
    start = start + n if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """A view."""
    a = as_array(a)
    shape = shape_of(a)
    axes = normalise_axes(axis, len(shape) + (len(axis) if isinstance(axis, Sequence) else 1))
    rest = iter(shape)
    return reshape(a, tuple(1 if i in axes else next(rest) for i in range(len(shape) + len(axes))))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """A view."""
    a = as_array(a)
    shape = shape_of(a)
    axes = [i for i, n in enumerate(shape) if n == 1] if axis is None else normalise_axes(axis, len(shape))
    for i in axes:
        if shape[i] != 1:
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return reshape(a, tuple(n for i, n in enumerate(shape) if i not in axes))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """A read-only view."""
    a = as_array(array)
    shape = tuple(int(n) for n in shape) if isinstance(shape, Sequence) else (int(shape),)
    own = shape_of(a)
    if np.broadcast_shapes(own, shape) != shape:
        raise ValueError(f"operands could not be broadcast together with remapped shapes {own} and {shape}")
    return take_broadcast(a, shape) if isinstance(a, Array) else combinators.broadcast_to(a, shape=shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    """Read-only views."""
    xs = [as_array(a) for a in args]
    shape = np.broadcast_shapes(*(shape_of(x) for x in xs))
    return tuple(broadcast_to(x, shape) for x in xs)


def _at_least(a: Any, n: int) -> Any:
    """Insert axes as np.atleast_1d, 2d and 3d do."""
    a = as_array(a)
    shape = shape_of(a)
    if len(shape) >= n:
        return a
    padded = {0: (1,) * n, 1: (1, *shape, 1)[-n if n == 3 else 0 : None if n == 3 else 2], 2: (*shape, 1)}[
        len(shape)
    ]
    return reshape(a, padded)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """Views."""
    out = tuple(_at_least(a, 1) for a in arys)
    return out[0] if len(out) == 1 else out


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """Views."""
    out = tuple(_at_least(a, 2) for a in arys)
    return out[0] if len(out) == 1 else out


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """Views."""
    out = tuple(_at_least(a, 3) for a in arys)
    return out[0] if len(out) == 1 else out


# Joining and splitting -----------------------------------------------------------------------------------------------


def _common_dtype(xs: Sequence[Any], dtype: Any = None) -> list[Any]:
    """Cast values to their common dtype, as NumPy's joining functions do."""
    common = np.result_type(*(dtype_of(x) for x in xs)) if dtype is None else np.dtype(dtype)
    return [x if dtype_of(x) == common else combinators.astype(x, dtype=common) for x in xs]


@implements(np.concatenate, np.concat)
def concatenate(arrays: Any, /, axis: int | None = 0, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join along an existing axis."""
    xs = [as_array(a) for a in (arrays if not isinstance(arrays, Array) else list(arrays))]
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    if not xs:
        raise ValueError("need at least one array to concatenate")
    axis = normalise_axis(axis, len(shape_of(xs[0])))

    def join(*values: Any) -> Any:
        return concatenate_primitive(*_common_dtype(values, dtype), axis=axis)

    return call(join, *xs)


concat = concatenate


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join along a new axis."""
    xs = [as_array(a) for a in arrays]
    if not xs:
        raise ValueError("need at least one array to stack")
    if len({shape_of(x) for x in xs}) != 1:
        raise ValueError("all input arrays must have the same shape")
    axis = normalise_axis(axis, len(shape_of(xs[0])) + 1)
    return concatenate([expand_dims(x, axis) for x in xs], axis=axis, dtype=dtype)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join rows."""
    return concatenate([_at_least(a, 2) for a in tup], axis=0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join along the second axis, the first for vectors."""
    xs = [_at_least(a, 1) for a in tup]
    return concatenate(xs, axis=0 if len(shape_of(xs[0])) == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """Join along the third axis."""
    return concatenate([_at_least(a, 3) for a in tup], axis=2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Join vectors as columns."""
    xs = [as_array(a) for a in tup]
    return concatenate([x if len(shape_of(x)) > 1 else reshape(x, (-1, 1)) for x in xs], axis=1)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Views."""
    a = as_array(ary)
    axis = normalise_axis(axis, len(shape_of(a)))
    n = shape_of(a)[axis]
    parts = np.array_split(np.arange(n), indices_or_sections)
    if isinstance(indices_or_sections, (int, np.integer)):
        bounds = [0, *np.cumsum([len(p) for p in parts])]
    else:
        bounds = [0, *(int(i) for i in indices_or_sections), n]
    key = (slice(None),) * axis
    return [a[(*key, slice(int(i), int(j)))] for i, j in zip(bounds[:-1], bounds[1:], strict=True)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Views."""
    n = shape_of(as_array(ary))[axis]
    if isinstance(indices_or_sections, (int, np.integer)) and n % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Views."""
    return split(ary, indices_or_sections, 0 if len(shape_of(as_array(ary))) == 1 else 1)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Views."""
    return split(ary, indices_or_sections, 0)


# Rearranging ---------------------------------------------------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """A view."""
    a = as_array(m)
    axes = normalise_axes(axis, len(shape_of(a)))
    return a[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(len(shape_of(a))))]


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """A view."""
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """A view."""
    return flip(m, 1)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """A view."""
    a = as_array(m)
    i, j = normalise_axes(axes, len(shape_of(a)))
    k %= 4
    if k == 2:
        return flip(a, (i, j))
    if k == 1:
        return swapaxes(flip(a, j), i, j)
    return flip(swapaxes(a, i, j), j) if k == 3 else a


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Shift elements cyclically."""
    a = as_array(a)
    if axis is None:
        return reshape(roll(reshape(a, (-1,)), shift, 0), shape_of(a))
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    shifts = np.broadcast_to(shift, (len(axes),))
    for s, ax in zip(shifts, axes, strict=True):
        ax = normalise_axis(ax, len(shape_of(a)))
        n = shape_of(a)[ax]
        key = (slice(None),) * ax
        s = int(s) % n if n else 0
        if s:
            a = concatenate([a[(*key, slice(n - s, None))], a[(*key, slice(None, n - s))]], axis=ax)
    return a


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Repeat each element."""
    a = as_array(a)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    axis = normalise_axis(axis, len(shape_of(a)))
    positions = np.repeat(np.arange(shape_of(a)[axis]), np.asarray(repeats))
    return a[(slice(None),) * axis + (positions,)]


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """Repeat the whole array."""
    a = as_array(A)
    counts = tuple(reps) if isinstance(reps, (Sequence, np.ndarray)) else (reps,)
    rank = max(len(counts), len(shape_of(a)))
    counts = (1,) * (rank - len(counts)) + tuple(int(c) for c in counts)
    shape = (1,) * (rank - len(shape_of(a))) + shape_of(a)
    doubled = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    spread = broadcast_to(reshape(a, tuple(n for s in shape for n in (1, s))), doubled)
    return reshape(spread, tuple(c * n for c, n in zip(counts, shape, strict=True)))


# Conversion ----------------------------------------------------------------------------------------------------------


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """A cast to a real or complex floating-point type keeps derivatives; one to an integer type ends them."""
    target = np.dtype(dtype)
    if dtype_of(x).kind == "c" and target.kind in "biuf":
        x = x.real
    return call(combinators.astype, x, dtype=target)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """An independent Array."""
    return wrap(a.immutable_value) if isinstance(a, Array) else a


def array_from(obj: Any, dtype: Any = None) -> Any:
    """Return a new Array from an Array, a value or a nested sequence that contains some."""
    value = unwrap(obj) if not isinstance(obj, (list, tuple)) else from_sequence(obj)
    if dtype is not None and dtype_of(value) != np.dtype(dtype):
        value = combinators.astype(value, dtype=np.dtype(dtype))
    return wrap(value)
