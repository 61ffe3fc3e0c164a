"""Shape manipulation. Where NumPy returns a view of an array, so do these for an Array."""

from __future__ import annotations

import functools
import math
import operator
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from wengert.array import Array, layout_of, take_broadcast, take_reshape, take_transpose, wrap, wrap_array, wrap_owned
from wengert.core import combinators
from wengert.core.values import Value, dtype_of, representative, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, call, check_device, implements, normalise_axes, normalise_axis
from wengert.rules import structural

F = TypeVar("F", bound=Callable[..., Any])


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape given as an int or a sequence of ints as a tuple."""
    return tuple(operator.index(n) for n in (shape if isinstance(shape, Iterable) else (shape,)))


def _resolve_shape(size: int, newshape: Any) -> tuple[int, ...]:
    """Replace the -1 of a shape."""
    shape = as_shape(newshape)
    if shape.count(-1) > 1:
        raise ValueError("can only specify one unknown dimension")
    known = math.prod([n for n in shape if n != -1])
    if -1 in shape and known and size % known == 0:
        shape = tuple(size // known if n == -1 else n for n in shape)
    if min(shape, default=0) < 0 or math.prod(shape) != size:
        raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
    return shape


def _memory_order(a: Any, order: str) -> str:
    """Replace the orders A and K, which depend on the layout in memory, by C or F."""
    if order not in ("C", "F", "A", "K"):
        raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")
    if order in ("A", "K"):
        plain = _layout(a)
        return "F" if isinstance(plain, np.ndarray) and plain.flags.fnc else "C"
    return order


def _layout(a: Any) -> Any:
    """Return something plain that lies in memory as `a` does in NumPy."""
    return layout_of(a) if isinstance(a, Array) else representative(a)


def ordered(result: Any, order: str, like: Any = None) -> Any:
    """Let a new array lie in memory as NumPy's does: in an order, "A" and "K" meaning that of another array."""
    if not isinstance(result, Array) or not result.ndim:
        return result
    plain = np.empty(()) if order == "C" else _layout(like)
    plain = np.empty_like(plain, result.dtype, order, shape=result.shape)  # type: ignore[call-overload]
    return wrap_array(result.immutable_value, plain.strides)


def in_order(order: str) -> Callable[[F], F]:
    """Declare in which order a function lays out its results: "A" and "K" mean that of the first argument."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def in_that_order(a: Any, *args: Any, **kwargs: Any) -> Any:
            return ordered(function(a, *args, **kwargs), order, as_array(a))

        return in_that_order  # type: ignore[return-value]

    return decorate


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """A view where NumPy returns one."""
    a = as_array(a)
    if order == "K":
        raise ValueError("order 'K' is not permitted for reshaping")
    shape = _resolve_shape(math.prod(shape_of(a)), shape)
    if _memory_order(a, order) == "F":
        return transpose(reshape(transpose(a), shape[::-1], copy=copy))
    if not isinstance(a, Array):
        return combinators.reshape(a, shape=shape)
    if copy:
        return take_reshape(copy_of(a), shape)
    view = take_reshape(a, shape)
    if copy is False and type(view) is Array:
        raise ValueError("Unable to avoid creating a copy while reshaping.")
    return view


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """A view where NumPy returns one."""
    a = as_array(a)
    if order == "K" and len(shape_of(a)) > 1:
        plain = _layout(a)
        if 0 in plain.strides and plain.size:  # iterators have their own opinion about where such axes belong
            plain = np.nditer([plain, None]).operands[1]
        steps = [-abs(s) for s in plain.strides]
        return ravel(transpose(a, [int(i) for i in np.argsort(steps, kind="stable")]))
    order = _memory_order(a, order)
    flat = reshape(a, (-1,), order=order)
    if isinstance(a, Array) and a.is_mutable:
        flags = layout_of(a).flags
        if not (flags.f_contiguous if order == "F" else flags.c_contiguous):
            return copy_of(flat)  # unlike reshape, which returns a view also of evenly spaced elements
    return flat


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
    x = as_array(x)
    if len(shape_of(x)) < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {len(shape_of(x))}")
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
    start = normalise_axis(start, n + 1) if start >= 0 else normalise_axis(start, n)
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
    if not shape and isinstance(a, Array) and not a.is_mutable:
        return a
    if axis is None or (not shape and axis in (0, -1)):
        axes: Sequence[int] = [i for i, n in enumerate(shape) if n == 1]
    else:
        axes = normalise_axes(axis, len(shape))
    for i in axes:
        if shape[i] != 1:
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return reshape(a, tuple(n for i, n in enumerate(shape) if i not in axes))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """A read-only view."""
    a = as_array(array)
    shape = as_shape(shape)
    own = shape_of(a)
    if np.broadcast_shapes(own, shape) != shape:
        raise ValueError(f"operands could not be broadcast together with remapped shapes {own} and {shape}")
    return take_broadcast(a, shape) if isinstance(a, Array) else combinators.broadcast_to(a, shape=shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    """Read-only views; the arguments themselves, where all have one shape."""
    xs = [as_array(a) for a in args]
    shape = np.broadcast_shapes(*(shape_of(x) for x in xs))
    if all(shape_of(x) == shape for x in xs):
        return tuple(x if isinstance(x, Array) and x.is_mutable else x[...] for x in xs)
    return tuple(broadcast_to(x, shape) for x in xs)


def at_least(a: Any, n: int) -> Any:
    """Insert axes as np.atleast_1d, 2d and 3d do."""
    a = as_array(a)
    shape = shape_of(a)
    if len(shape) >= n:
        return a
    if n == 3 and len(shape) == 2:
        return reshape(a, (*shape, 1))
    row = shape or (1,)
    return reshape(a, (row, (1, *row), (1, *row, 1))[n - 1])


def _each_at_least(n: int, arys: Sequence[Any]) -> Any:
    out = tuple(at_least(a, n) for a in arys)
    return out[0] if len(out) == 1 else out


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """Views."""
    return _each_at_least(1, arys)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """Views."""
    return _each_at_least(2, arys)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """Views."""
    return _each_at_least(3, arys)


def with_axis(a: Any, axis: Any, *, scalars: bool = False) -> tuple[Any, int]:
    """Return an array and the number of one of its axes; for None the flattened array, and 0.

    `scalars` says that what has no axes counts as flattened, too.
    """
    a = as_array(a)
    if axis is None or (scalars and not shape_of(a)):
        return reshape(a, (-1,)), normalise_axis(axis or 0, 1)
    return a, normalise_axis(axis, len(shape_of(a)))


def merge_axes(x: Any, axes: Sequence[int]) -> Any:
    """Make the given axes one, and the first."""
    moved = moveaxis(x, axes, range(len(axes)))
    return reshape(moved, (math.prod(shape_of(moved)[: len(axes)]), *shape_of(moved)[len(axes) :]))


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
    if len(axes) != 2:
        raise ValueError("len(axes) must be 2.")
    i, j = normalise_axes(axes, len(shape_of(a)))
    k %= 4
    if k == 0:
        return a[:]
    if k == 2:
        return flip(a, (i, j))
    return swapaxes(flip(a, j), i, j) if k == 1 else flip(swapaxes(a, i, j), j)


@implements(np.tile, pure=True)
@in_order("C")
def tile(A: Any, reps: Any) -> Any:
    """Repeat the whole array."""
    a = as_array(A)
    counts = as_shape(reps)
    rank = max(len(counts), len(shape_of(a)))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - len(shape_of(a))) + shape_of(a)

    def repeated(x: Any) -> Any:
        spread = combinators.reshape(x, shape=tuple(n for s in shape for n in (1, s)))
        pairs = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
        spread = combinators.broadcast_to(spread, shape=pairs)
        return combinators.reshape(spread, shape=tuple(c * n for c, n in zip(counts, shape, strict=True)))

    return call(repeated, a)


# Conversion ----------------------------------------------------------------------------------------------------------


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """A cast to a real or complex floating-point type keeps derivatives; one to an integer type ends them."""
    check_device(device)
    x = as_array(x)
    target = np.dtype(dtype)
    if not copy and dtype_of(x) == target:
        return x
    if dtype_of(x).kind == "c" and target.kind in "iuf":
        warnings.warn(
            "Casting complex values to real discards the imaginary part", np.exceptions.ComplexWarning, stacklevel=3
        )
        x = x.real
    result = call(combinators.astype, x, dtype=target)
    if isinstance(result, Array) and not result.ndim and isinstance(x, Array) and x.is_mutable:
        return wrap_array(result.immutable_value)  # no scalar, also in a batch
    return result


def cast(x: Any, dtype: Any) -> Any:
    """Cast an array, scalar or number; without the checks and warnings of `astype`."""
    x = as_array(x)
    return x if dtype_of(x) == dtype else call(combinators.astype, x, dtype=np.dtype(dtype))


def cast_kept(x: Any, dtype: np.dtype[Any]) -> Any:
    """Cast what is to become part of an array of that dtype; an error if that would cut off a derivative."""
    x = as_array(x)
    traced = isinstance(x._peek() if isinstance(x, Array) else x, Value)
    if traced and dtype_of(x).kind in "fc" and dtype.kind not in ("fc" if dtype_of(x).kind == "f" else "c"):
        fail(
            UnsupportedOperationError,
            f"a traced {dtype_of(x)} value was to become part of an array of dtype {dtype}, which would cut off its "
            "derivative (or its imaginary part). Make the array with dtype float or complex.",
        )
    if dtype_of(x).kind == "c" and dtype.kind in "iuf":
        raise TypeError("float() argument must be a string or a real number, not 'complex'")
    return cast(x, dtype)


def copy_of(a: Any, order: Any = "K") -> Any:
    """Return an Array (or value) that shares nothing with `a`."""
    if not isinstance(a, Array):
        return a if isinstance(a, Value) else np.array(a, order=order)[()]
    value = a.immutable_value
    if isinstance(value, np.ndarray):
        return wrap_owned(np.array(value, order=order))
    return wrap_array(value, np.empty_like(layout_of(a), order=order).strides) if a.is_mutable else wrap(value)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """An independent Array; a scalar becomes a 0-d array."""
    a = as_array(a)
    if isinstance(a, Array) and not a.is_mutable:
        return a[...]
    return copy_of(a, order)


__all__ = [
    "astype",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "copy",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "ravel",
    "reshape",
    "rollaxis",
    "rot90",
    "squeeze",
    "swapaxes",
    "tile",
    "transpose",
]
