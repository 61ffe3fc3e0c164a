"""NumPy's protocols: how its functions and ufuncs find Wengert's when an Array is among their arguments."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.array.handle import Array
from wengert.core.values import Value
from wengert.errors import UnsupportedOperationError, fail

#: NumPy function or ufunc -> the function of `wengert.numpy` (or `wengert.scipy`) that takes over when an argument is
#: an Array or a value. Filled by `wengert.numpy.dispatch`.
NUMPY_FUNCTIONS: dict[Any, Callable[..., Any]] = {}
#: Modules with more of them, imported when an Array meets a function that is not in the table.
LAZY: list[str] = []


def _of_lazy_modules(function: Any) -> Callable[..., Any] | None:
    for module in LAZY:
        importlib.import_module(module)
    return NUMPY_FUNCTIONS.get(function)


def call_numpy_function(func: Any, args: Any, kwargs: Any) -> Any:
    """Serve NumPy's __array_function__ protocol."""
    ours = NUMPY_FUNCTIONS.get(func) or _of_lazy_modules(func)
    if ours is None:
        if not any_traced((args, kwargs)):
            return func(*_plain_copies(args), **_plain_copies(kwargs))
        name = f"{getattr(func, '__module__', 'numpy')}.{getattr(func, '__name__', func)}"
        fail(
            UnsupportedOperationError,
            f"{name} has no derivative rule yet. Write it with other NumPy functions, give it a rule with "
            "wengert.custom_jvp or custom_vjp, or, if its derivative is not wanted, pass wengert.stop_gradient(x).",
        )
    return ours(*args, **kwargs)


def any_traced(x: Any) -> bool:
    """Whether there is a traced value inside; Arrays made by wengert.numpy.zeros and the like may hold none."""
    if isinstance(x, Array):
        return isinstance(x._peek(), Value)
    if isinstance(x, (list, tuple)):
        return any(map(any_traced, x))
    return any(map(any_traced, x.values())) if isinstance(x, dict) else isinstance(x, Value)


def _plain_copies(x: Any) -> Any:
    """Replace Arrays by copies of their contents, read-only so that a function that writes to them raises."""
    if isinstance(x, Array):
        copy = np.array(x._peek())
        copy.flags.writeable = False
        return copy
    if isinstance(x, (list, tuple)):
        return type(x)(_plain_copies(y) for y in x) if type(x) in (list, tuple) else x
    return {k: _plain_copies(v) for k, v in x.items()} if isinstance(x, dict) else x


def call_ufunc(ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Serve NumPy's __array_ufunc__ protocol."""
    ours = NUMPY_FUNCTIONS.get(ufunc) or _of_lazy_modules(ufunc)
    if ours is None:
        if not any_traced((inputs, kwargs)):
            return getattr(ufunc, method)(*_plain_copies(inputs), **_plain_copies(kwargs))
        fail(
            UnsupportedOperationError,
            f"the ufunc '{ufunc.__name__}' has no derivative rule yet. Give it one with wengert.custom_jvp, or, if its "
            "derivative is not wanted, pass wengert.stop_gradient(x).",
        )
    out = kwargs.get("out")
    if isinstance(out, tuple) and len(out) == 1:
        kwargs = {**kwargs, "out": out[0]}
    return (ours if method == "__call__" else getattr(ours, method))(*inputs, **kwargs)


def _array_function(self: Array, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    return call_numpy_function(func, args, kwargs)


def _array_ufunc(self: Array, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    return call_ufunc(ufunc, method, inputs, kwargs)


Array.__array_function__ = _array_function
Array.__array_ufunc__ = _array_ufunc
