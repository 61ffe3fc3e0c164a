"""The methods of ndarray, attached to `Array` and to the immutable values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from wengert.array import Array, call_numpy_function, call_ufunc, unwrap, wrap
from wengert.core.values import Value, dtype_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy import contraction, indexing, joining, reductions, shaping, sorting, ufuncs, writing
from wengert.numpy.dispatch import concrete


def _variadic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method take its tuple argument also as separate arguments: x.reshape(2, 3)."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not args:
            return function(self, **kwargs)
        return function(self, args[0] if len(args) == 1 else args, **kwargs)

    method.__doc__ = function.__doc__
    return method


def _astype(
    self: Any, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
) -> Any:
    """Cast to another dtype."""
    if not np.can_cast(dtype_of(self), dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"Cannot cast array from {dtype_of(self)!r} to {np.dtype(dtype)!r} according to '{casting}'")
    same = dtype_of(self) == np.dtype(dtype)
    if same and not copy and (order not in ("C", "F") or not isinstance(self, Array) or self.flags[order]):
        return self
    return shaping.ordered(shaping.astype(self, dtype), order, self)


def _conjugate(self: Any, out: Any) -> Any:
    """Complex conjugate; unlike np.conj the array itself if it is real."""
    return self if out is None and dtype_of(self).kind != "c" else ufuncs.conj(self, out=out)


#: Method name -> function of the namespace, for methods that leave the array as it is.
METHODS: dict[str, Callable[..., Any]] = {
    "all": reductions.all,
    "any": reductions.any,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "argpartition": sorting.argpartition,
    "argsort": sorting.argsort,
    "astype": _astype,
    "choose": indexing.choose,
    "clip": ufuncs.clip,
    "compress": lambda self, condition, axis=None, out=None: indexing.compress(condition, self, axis, out),
    "conj": lambda self, out=None: _conjugate(self, out),
    "conjugate": lambda self, out=None: _conjugate(self, out),
    "copy": lambda self, order="C": shaping.copy_of(self, order),  # of a scalar a scalar, unlike np.copy
    "cumprod": reductions.cumprod,
    "cumsum": reductions.cumsum,
    "diagonal": indexing.diagonal,
    "dot": contraction.dot,
    "flatten": lambda self, order="C": shaping.copy(shaping.ravel(self, order)),
    "max": reductions.max,
    "mean": reductions.mean,
    "min": reductions.min,
    "nonzero": indexing.nonzero,
    "prod": reductions.prod,
    "ravel": shaping.ravel,
    "repeat": joining.repeat,
    "reshape": _variadic(shaping.reshape),
    "round": ufuncs.round,
    "searchsorted": sorting.searchsorted,
    "squeeze": shaping.squeeze,
    "std": reductions.std,
    "sum": reductions.sum,
    "swapaxes": shaping.swapaxes,
    "take": indexing.take,
    "trace": indexing.trace,
    "transpose": _variadic(shaping.transpose),
    "var": reductions.var,
}


# Methods that change the array, and those that an Array cannot have --------------------------------------------------


def _sort(self: Array, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    """Sort in place."""
    self[...] = sorting.sort(self, axis, kind, order, stable=stable)


def _partition(self: Array, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> None:
    """Partition in place."""
    self[...] = sorting.partition(self, kth, axis, kind, order)


def _view(self: Array, dtype: Any = None, type: Any = None) -> Array:  # noqa: A002
    """Return a view of the whole array."""
    if (dtype is not None and dtype != self.dtype) or type is not None:
        fail(
            UnsupportedOperationError,
            f"view({dtype}) reinterprets the bytes of a traced array, which has no derivative. Use astype, or .real "
            "and .imag for the parts of complex numbers.",
        )
    return self[...] if self.is_mutable else self


def _refused(name: str, instead: str) -> Callable[..., NoReturn]:
    def method(self: Array, *args: Any, **kwargs: Any) -> NoReturn:
        fail(UnsupportedOperationError, f"the method {name} of a traced array is not supported. {instead}")

    method.__doc__ = "Not supported: raises `UnsupportedOperationError`."
    return method


def _of_bytes(name: str) -> Callable[..., Any]:
    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        return getattr(np.asarray(self), name)(*args, **kwargs)  # a traced Array raises here, and says why

    method.__doc__ = "Only for arrays that are not traced."
    return method


#: Method name -> function, for the methods that only `Array` has.
ARRAY_METHODS: dict[str, Callable[..., Any]] = {
    "partition": _partition,
    "put": writing.put,
    "sort": _sort,
    "view": _view,
    "resize": _refused("resize", "Use np.resize or np.concatenate, which make a new array."),
    "byteswap": _refused("byteswap", "It has no derivative."),
    "setfield": _refused("setfield", "Use item assignment."),
    "getfield": _refused("getfield", "Use indexing, .real or .imag."),
    "setflags": _refused("setflags", "Arrays are always writable; hand out copies instead."),
    "dump": _of_bytes("dump"),
    "dumps": _of_bytes("dumps"),
    "tobytes": _of_bytes("tobytes"),
    "tofile": _of_bytes("tofile"),
}


# What Python's own functions ask of numbers ---------------------------------------------------------------------------


def _number(self: Any, name: str) -> Any:
    """The plain number behind a scalar, for what is piecewise constant in it."""
    plain = concrete(self, name)
    if plain.ndim:
        raise TypeError(
            f"{name}() is for scalars; an array of shape {plain.shape} was given, for which NumPy has np.{name}"
        )
    return plain.item()


def _round(self: Any, digits: Any = None) -> Any:
    """round(x) is an integer; round(x, digits) stays what it is, with derivative zero."""
    return round(_number(self, "round")) if digits is None else ufuncs.round(self, digits)


_INTEGERS: dict[str, Callable[[Any], int]] = {"floor": math.floor, "ceil": math.ceil, "trunc": math.trunc}


def _to_integer(name: str) -> Callable[[Any], int]:
    return lambda self: _INTEGERS[name](_number(self, name))


class Flat:
    """The elements of an Array in C order, to be read and written: ``x.flat[::2] = 0``."""

    def __init__(self, array: Array) -> None:
        self.base = array if array.is_mutable else array[...]  # NumPy writes to a copy of a number, too
        self.index = 0

    @property
    def coords(self) -> tuple[int, ...]:
        """Index of the element that comes next."""
        return tuple(int(i) for i in np.unravel_index(self.index, self.base.shape))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self.index >= self.base.size:
            self.index = 0
            raise StopIteration
        self.index += 1
        return shaping.ravel(self.base)[self.index - 1]

    def __len__(self) -> int:
        return self.base.size

    def __getitem__(self, key: Any) -> Any:
        return shaping.copy(shaping.ravel(self.base)[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        positions = np.arange(self.base.size)[key]
        writing.put(self.base, positions, value)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        args = [shaping.ravel(a.base) if isinstance(a, Flat) else a for a in args]
        return func(*args, **kwargs)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*(x.copy() if isinstance(x, Flat) else x for x in inputs), **kwargs)

    def copy(self) -> Any:
        """Return a flat copy."""
        return shaping.copy(shaping.ravel(self.base))


def _compared(name: str) -> Callable[[Flat, Any], Any]:
    return lambda self, other: getattr(self.copy(), name)(other.copy() if isinstance(other, Flat) else other)


for _name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
    setattr(Flat, _name, _compared(_name))


def _set_flat(self: Array, value: Any) -> None:
    Flat(self)[:] = value


def _values(x: Any) -> Any:
    return list(map(_values, x)) if isinstance(x, list) else unwrap(x)


def _as_method(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    # A plain function, so that it binds to the instance.
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = function.__doc__ or f"See `numpy.ndarray.{name}`."
    return method


def attach() -> None:
    """Give `Array` and `Value` NumPy's methods and protocols."""
    for name, function in METHODS.items():
        setattr(Array, name, _as_method(name, function))
        setattr(Value, name, _as_method(name, function))
    for name, function in ARRAY_METHODS.items():
        setattr(Array, name, _as_method(name, function))
    Array.flat = property(Flat, _set_flat, doc="The elements in C order.")
    for kind in (Array, Value):
        kind.__round__ = _round  # type: ignore[attr-defined]
        for name in _INTEGERS:
            setattr(kind, f"__{name}__", _to_integer(name))
        kind.is_integer = lambda self: float(_number(self, "is_integer")).is_integer()  # type: ignore[attr-defined]
        kind.__divmod__ = lambda self, other: ufuncs.divmod(self, other)  # type: ignore[attr-defined]
        kind.__rdivmod__ = lambda self, other: ufuncs.divmod(other, self)  # type: ignore[attr-defined]
    Value.item = lambda self, *args: unwrap(wrap(self).item(*args))  # type: ignore[attr-defined]
    Value.tolist = lambda self: _values(wrap(self).tolist())  # type: ignore[attr-defined]
    Value.T = property(shaping.transpose)  # type: ignore[attr-defined]
    Value.mT = property(shaping.matrix_transpose)  # type: ignore[attr-defined]
    Value.__getitem__ = indexing.getitem  # type: ignore[attr-defined]
    Value.__len__ = lambda self: Array.__len__(self)  # type: ignore[attr-defined]
    Value.__iter__ = lambda self: Array.__iter__(self)  # type: ignore[attr-defined]
    Value.__array_ufunc__ = lambda self, ufunc, method, *inputs, **kwargs: call_ufunc(  # type: ignore[attr-defined]
        ufunc, method, inputs, kwargs
    )
    Value.__array_function__ = lambda self, func, types, args, kwargs: call_numpy_function(  # type: ignore[attr-defined]
        func, args, kwargs
    )


attach()
