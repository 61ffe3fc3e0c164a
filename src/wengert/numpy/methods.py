"""The methods of ndarray, attached to `Array` and to the immutable values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wengert.array import Array, call_numpy_function, call_ufunc
from wengert.core.values import Value
from wengert.numpy import contraction, indexing, reductions, shaping, sorting, ufuncs


def _variadic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method take its tuple argument also as separate arguments: x.reshape(2, 3)."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not args:
            return function(self, **kwargs)
        return function(self, args[0] if len(args) == 1 else args, **kwargs)

    return method


#: Method name -> function of the namespace.
METHODS: dict[str, Callable[..., Any]] = {
    "sum": reductions.sum,
    "prod": reductions.prod,
    "mean": reductions.mean,
    "var": reductions.var,
    "std": reductions.std,
    "max": reductions.max,
    "min": reductions.min,
    "ptp": reductions.ptp,
    "all": reductions.all,
    "any": reductions.any,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "argsort": sorting.argsort,
    "searchsorted": sorting.searchsorted,
    "cumsum": reductions.cumsum,
    "cumprod": reductions.cumprod,
    "clip": ufuncs.clip,
    "round": ufuncs.round,
    "conj": ufuncs.conj,
    "conjugate": ufuncs.conj,
    "dot": contraction.dot,
    "trace": indexing.trace,
    "diagonal": indexing.diagonal,
    "take": indexing.take,
    "compress": indexing.compress,
    "nonzero": indexing.nonzero,
    "reshape": _variadic(shaping.reshape),
    "transpose": _variadic(shaping.transpose),
    "ravel": shaping.ravel,
    "flatten": lambda self, order="C": shaping.copy(shaping.ravel(self, order=order)),
    "swapaxes": shaping.swapaxes,
    "squeeze": shaping.squeeze,
    "repeat": shaping.repeat,
    "astype": lambda self, dtype, order="K", casting="unsafe", subok=True, copy=True: shaping.astype(
        self, dtype
    ),
    "copy": shaping.copy,
}


def attach() -> None:
    """Give `Array` and `Value` NumPy's methods and protocols."""
    for name, function in METHODS.items():
        # A plain function, so that it binds to the instance.
        setattr(Array, name, _as_method(function))
        setattr(Value, name, _as_method(function))
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


def _as_method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = getattr(function, "__name__", "method")
    method.__doc__ = function.__doc__
    return method


attach()
