"""Making arrays: zeros, full, arange, linspace, array and their kin.

Outside any transform these return what NumPy returns. While a transform runs in this thread they return an `Array`
that owns its buffer, so that traced values can be written into it. The same happens for ``np.zeros(3, like=x)`` with
an Array `x`, and for the ``*_like`` functions of an Array. Traced arguments (``full(3, x)``, ``linspace(a, b)``,
``array([x, y])``) are differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from wengert import config
from wengert.array import NUMPY_FUNCTIONS, Array, any_traced, layout_of, unwrap, wrap_array, wrap_owned
from wengert.core import combinators
from wengert.core.values import Value, dtype_of, is_transforming, representative, shape_of
from wengert.errors import ConcretizationError, fail
from wengert.numpy.dispatch import as_array, check_device, common_dtype, concrete, describe, has_traced, is_concrete
from wengert.numpy.joining import concatenate
from wengert.numpy.shaping import astype, broadcast_to, cast, copy_of, expand_dims, moveaxis, reshape
from wengert.numpy.ufuncs import floor, power

F = TypeVar("F", bound=Callable[..., Any])


def _owned(result: Any) -> Any:
    """Turn what NumPy has just made into Arrays that own their buffers; scalars and non-numbers stay."""
    if isinstance(result, (tuple, list)):
        return type(result)(_owned(r) for r in result)
    if isinstance(result, np.ndarray) and result.dtype.kind in "biufc":
        return wrap_owned(result if result.flags.writeable and result.base is None else result.copy())
    return result


def _plain(x: Any) -> Any:
    """A shape or the like, with Arrays that are not traced replaced by their contents."""
    if isinstance(x, Array):
        return np.asarray(x)
    return type(x)(_plain(y) for y in x) if type(x) in (list, tuple) else x


def _declared(numpy_function: F, make: Callable[..., Any], traced: Callable[..., Any] | None) -> F:
    """A constructor, by ``make(args, kwargs, own)``: `own` says that an Array is wanted."""

    def function(*args: Any, like: Any = None, **kwargs: Any) -> Any:
        if like is not None and not isinstance(like, (Array, Value)):
            kwargs["like"] = like
        return make(args, kwargs, is_transforming() or isinstance(like, (Array, Value)))

    # NumPy's protocol leads here only if a traced array was given as like= or among the arguments.
    NUMPY_FUNCTIONS[numpy_function] = lambda *args, **kwargs: make(args, kwargs, True)
    return describe(function, numpy_function, traced)  # type: ignore[return-value]


def _constructor(numpy_function: F, traced: Callable[..., Any] | None = None, *, views: bool = False) -> F:
    """Declare a constructor: NumPy's function, and what it does with traced arguments (an error, if nothing).

    `views` says that results may be views of arguments, so that all Arrays count as traced.
    """
    name = numpy_function.__name__

    def make(args: tuple[Any, ...], kwargs: dict[str, Any], own: bool) -> Any:
        if has_traced(args, kwargs):
            if views or any_traced((args, kwargs)):
                if traced is None:
                    fail(
                        ConcretizationError,
                        f"{name} got a traced value, on which the shape or layout of the new array would depend. "
                        f"Pass plain numbers; for evenly spaced traced values write start + step * arange(n).",
                    )
                return traced(*args, **kwargs)
            args, kwargs = _plain(args), {k: _plain(v) for k, v in kwargs.items()}
        result = numpy_function(*args, **kwargs)
        return _owned(result) if own else result

    return _declared(numpy_function, make, traced)


# By shape ------------------------------------------------------------------------------------------------------------


def _full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None) -> Any:
    """The array is filled with the value, which may be traced."""
    check_device(device)
    fill = as_array(fill_value)
    out = wrap_owned(np.empty(_plain(shape), dtype_of(fill) if dtype is None else dtype))
    out[...] = fill
    return out


zeros = _constructor(np.zeros)
ones = _constructor(np.ones)
empty = _constructor(np.empty)
full = _constructor(np.full, _full)
eye = _constructor(np.eye)
identity = _constructor(np.identity)
tri = _constructor(np.tri)
indices = _constructor(np.indices)
fromiter = _constructor(np.fromiter)
frombuffer = _constructor(np.frombuffer)


# Like another array --------------------------------------------------------------------------------------------------


def _like(numpy_function: F, traced: Callable[..., Any]) -> F:
    """Declare zeros_like and its kin, which make an Array of an Array and inside a transform."""

    def function(*args: Any, **kwargs: Any) -> Any:
        if has_traced(args, kwargs):
            return traced(*args, **kwargs)
        result = numpy_function(*args, **kwargs)
        return _owned(result) if is_transforming() else result

    NUMPY_FUNCTIONS[numpy_function] = function
    return describe(function, numpy_function, traced)  # type: ignore[return-value]


def _full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """An Array gives an Array that can be written to; the value may be traced."""
    check_device(device)
    out = _empty_like(a, dtype, order, shape=shape)
    out[...] = fill_value
    return out


def _empty_like(
    prototype: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """An Array gives an Array that can be written to."""
    check_device(device)
    a = as_array(prototype)
    layout = layout_of(a) if isinstance(a, Array) else None
    if not isinstance(layout, np.ndarray) or layout.shape != shape_of(a):
        layout = np.broadcast_to(np.zeros((), dtype_of(a)), shape_of(a))
    out = np.empty_like(layout, dtype=dtype, order=order, shape=_plain(shape))  # type: ignore[call-overload]
    out.fill(0)
    return wrap_owned(out)


def _zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """An Array gives an Array that can be written to."""
    return _full_like(a, 0, dtype, order, shape=shape, device=device)


def _ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """An Array gives an Array that can be written to."""
    return _full_like(a, 1, dtype, order, shape=shape, device=device)


empty_like = _like(np.empty_like, _empty_like)
zeros_like = _like(np.zeros_like, _zeros_like)
ones_like = _like(np.ones_like, _ones_like)
full_like = _like(np.full_like, _full_like)


# From data -----------------------------------------------------------------------------------------------------------


def _array(
    object: Any,  # noqa: A002
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
) -> Any:
    """A copy; nested sequences may contain traced values."""
    handles = is_transforming() or not isinstance(object, Value)
    if isinstance(object, Array) and not object.is_mutable:
        object = object[...]  # noqa: A001 (of a number, an array without axes)
    value = unwrap(object)
    same = dtype is None or dtype_of(value) == np.dtype(dtype)
    if not same:
        value = unwrap(astype(value, dtype))
    missing = ndmin - len(shape_of(value))
    if missing > 0:
        value = combinators.reshape(value, shape=(1,) * missing + shape_of(value))
    if isinstance(object, Array) and not copy and same and missing <= 0 and _is_ordered(object, order):
        return object
    if copy is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    if not isinstance(value, Value):
        return wrap_owned(np.array(value, order=order))  # type: ignore[call-overload]
    if not handles:
        return value
    plain = layout_of(object) if isinstance(object, Array) else representative(value)
    plain = np.reshape(plain, (1,) * max(missing, 0) + np.shape(plain))
    return wrap_array(value, np.empty_like(plain, dtype_of(value), order).strides)  # type: ignore[call-overload]


def _is_ordered(x: Array, order: str) -> bool:
    """Whether this is an array, and no scalar, whose elements lie in memory as asked for."""
    return x.is_mutable and (order not in ("C", "F") or layout_of(x).flags[order + "_CONTIGUOUS"])


def _asarray(a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: bool | None = None) -> Any:
    """An Array is returned as it is, unless its dtype (or the order of its elements in memory) has to change."""
    check_device(device)
    return _array(a, dtype, copy=copy, order=order or "K")


def _from_data(numpy_function: F, traced: Callable[..., Any]) -> F:
    """Declare a constructor that may return its argument: then it has to stay the user's own ndarray."""

    def make(args: tuple[Any, ...], kwargs: dict[str, Any], own: bool) -> Any:
        if has_traced(args, kwargs):
            return traced(*args, **kwargs)
        result = numpy_function(*args, **kwargs)
        source = args[0] if args else kwargs.get("object", kwargs.get("a"))
        shared = isinstance(source, np.ndarray) and np.may_share_memory(source, result)
        if own and shared and config.array_api:
            return _owned(result.copy())
        return _owned(result) if own and not shared else result

    return _declared(numpy_function, make, traced)


array = _from_data(np.array, _array)
asarray = _from_data(np.asarray, _asarray)
asanyarray = _from_data(np.asanyarray, _asarray)
ascontiguousarray = _from_data(
    np.ascontiguousarray, lambda a, dtype=None: _array(a, dtype, copy=None, order="C", ndmin=1)
)
asfortranarray = _from_data(np.asfortranarray, lambda a, dtype=None: _array(a, dtype, copy=None, order="F"))


def _asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """An error for infinities and NaNs, except under vmap and jit."""
    array = _asarray(a, dtype, order)
    if is_concrete(array) and not np.all(np.isfinite(concrete(array, "asarray_chkfinite"))):
        raise ValueError("array must not contain infs or NaNs")
    return array


def _require(a: Any, dtype: Any = None, requirements: Any = None) -> Any:
    """A copy only where the dtype or the order of the elements in memory has to change."""
    wanted = {r.upper()[0] for r in ([requirements] if isinstance(requirements, str) else requirements or ())}
    if {"C", "F"} <= wanted:
        raise ValueError('Cannot specify both "C" and "F" order')
    return _asarray(a, dtype, "C" if "C" in wanted else "F" if "F" in wanted else None)


asarray_chkfinite = _from_data(np.asarray_chkfinite, _asarray_chkfinite)
require = _from_data(np.require, _require)


# Ranges --------------------------------------------------------------------------------------------------------------

arange = _constructor(np.arange)


def _end(x: Any) -> Any:
    """An end of a range in floating point; Python's own numbers stay weakly typed."""
    return (x if type(x) in (int, float, complex) else as_array(x)) * 1.0


def _real_type(*ends: Any) -> np.dtype[Any]:
    return np.finfo(common_dtype(*ends)).dtype


def _linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """The ends may be traced."""
    check_device(device)
    start, stop = _end(start), _end(stop)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    divisions = num - 1 if endpoint else num
    shape = np.broadcast_shapes(shape_of(start), shape_of(stop))
    count = cast(np.arange(float(num)).reshape((num,) + (1,) * len(shape)), _real_type(start, stop))
    step = (stop - start) / divisions if divisions > 0 else np.nan * (stop - start)
    out = count * step + start if divisions > 0 else count * (stop - start) + start
    if endpoint and num > 1:
        out = concatenate([out[:-1], expand_dims(broadcast_to(stop, shape), 0)], dtype=dtype_of(out))
    if dtype is not None:
        out = astype(floor(out) if np.issubdtype(dtype, np.integer) else out, dtype)
    if axis != 0:
        out = moveaxis(out, 0, axis)
    return (out, step) if retstep else out


def _logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """The ends and the base may be traced."""
    exponents = _linspace(start, stop, num, endpoint, axis=axis)
    if len(shape_of(as_array(base))):
        base = expand_dims(base, axis)
    out = power(base, exponents)
    return out if dtype is None else astype(out, dtype)


def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """The ends may be traced."""
    start, stop = _end(start), _end(stop)
    if any(isinstance(x, (float, complex)) and x == 0 for x in (start, stop)):
        raise ValueError("Geometric sequence cannot include zero")
    shape = np.broadcast_shapes(shape_of(start), shape_of(stop))
    divisions = num - 1 if endpoint else num
    fraction = (np.arange(float(num)) / max(divisions, 1)).reshape((num,) + (1,) * len(shape))
    fraction = cast(fraction, _real_type(start, stop))
    out = start * power(stop / start, fraction)
    if endpoint and num > 1:
        out = concatenate([out[:-1], expand_dims(broadcast_to(stop, shape), 0)], dtype=dtype_of(out))
    if dtype is not None:
        out = astype(out, dtype)
    return moveaxis(out, 0, axis) if axis != 0 else out


linspace = _constructor(np.linspace, _linspace)
logspace = _constructor(np.logspace, _logspace)
geomspace = _constructor(np.geomspace, _geomspace)


# Grids ---------------------------------------------------------------------------------------------------------------


def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """The coordinates may be traced."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    xs = [as_array(x) for x in xi]
    grids = [reshape(x, (1,) * i + (-1,) + (1,) * (n - i - 1)) for i, x in enumerate(xs)]
    if indexing == "xy" and n > 1:
        grids[0] = reshape(grids[0], (1, -1) + (1,) * (n - 2))
        grids[1] = reshape(grids[1], (-1, 1) + (1,) * (n - 2))
    if not sparse:
        shape = np.broadcast_shapes(*(shape_of(g) for g in grids))
        grids = [broadcast_to(g, shape) for g in grids]
    return tuple(copy_of(g, "C") for g in grids) if copy else tuple(grids)


meshgrid = _constructor(np.meshgrid, _meshgrid, views=True)

__all__ = [
    "arange",
    "array",
    "asanyarray",
    "asarray",
    "asarray_chkfinite",
    "ascontiguousarray",
    "asfortranarray",
    "empty",
    "empty_like",
    "eye",
    "frombuffer",
    "fromiter",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "indices",
    "linspace",
    "logspace",
    "meshgrid",
    "ones",
    "ones_like",
    "require",
    "tri",
    "zeros",
    "zeros_like",
]
