"""`numpy.emath`: functions that turn to complex numbers where real arguments leave the domain.

Whether they do is a question about the numbers, so none of them works under `vmap` or in a compiled program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.values import dtype_of
from wengert.numpy import ufuncs
from wengert.numpy.dispatch import as_array, concrete, implements
from wengert.numpy.shaping import cast


def _widened(x: Any, leaves: Callable[[Any], Any], name: str) -> Any:
    """Make the argument complex if real elements leave the domain."""
    x = as_array(x)
    plain = concrete(x, f"emath.{name}")
    if not np.any(np.isreal(plain) & leaves(plain)) or dtype_of(x).kind == "c":
        return x
    return cast(x, np.complex64 if dtype_of(x).char in "fbhBH" else np.complex128)


def _positive(x: Any, name: str) -> Any:
    return _widened(x, lambda x: x < 0, name)


def _inside(x: Any, name: str) -> Any:
    return _widened(x, lambda x: abs(x) > 1, name)


@implements(np.emath.sqrt)
def sqrt(x: Any) -> Any:
    """Complex for negative numbers."""
    return ufuncs.sqrt(_positive(x, "sqrt"))


@implements(np.emath.log)
def log(x: Any) -> Any:
    """Complex for negative numbers."""
    return ufuncs.log(_positive(x, "log"))


@implements(np.emath.log2)
def log2(x: Any) -> Any:
    """Complex for negative numbers."""
    return ufuncs.log2(_positive(x, "log2"))


@implements(np.emath.log10)
def log10(x: Any) -> Any:
    """Complex for negative numbers."""
    return ufuncs.log10(_positive(x, "log10"))


@implements(np.emath.logn)
def logn(n: Any, x: Any) -> Any:
    """Logarithm to base n, complex for negative numbers; the base may be traced."""
    return log(x) / log(n)


@implements(np.emath.power)
def power(x: Any, p: Any) -> Any:
    """Complex for negative bases; of integers no negative power is taken as an integer."""
    p = as_array(p)
    if dtype_of(p).kind in "iu" and np.any(concrete(p, "emath.power") < 0):
        p = cast(p, float)
    return ufuncs.power(_positive(x, "power"), p)


@implements(np.emath.arccos)
def arccos(x: Any) -> Any:
    """Complex outside of [-1, 1]."""
    return ufuncs.arccos(_inside(x, "arccos"))


@implements(np.emath.arcsin)
def arcsin(x: Any) -> Any:
    """Complex outside of [-1, 1]."""
    return ufuncs.arcsin(_inside(x, "arcsin"))


@implements(np.emath.arctanh)
def arctanh(x: Any) -> Any:
    """Complex outside of [-1, 1]."""
    return ufuncs.arctanh(_inside(x, "arctanh"))


__all__ = ["arccos", "arcsin", "arctanh", "log", "log2", "log10", "logn", "power", "sqrt"]
