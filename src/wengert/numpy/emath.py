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


def _declared(name: str, leaves: Callable[[Any], Any], doc: str) -> Callable[[Any], Any]:
    def implementation(x: Any) -> Any:
        return getattr(ufuncs, name)(_widened(x, leaves, name))

    implementation.__doc__ = doc
    return implements(getattr(np.emath, name))(implementation)


def _is_negative(x: Any) -> Any:
    return x < 0


def _is_outside(x: Any) -> Any:
    return abs(x) > 1


sqrt = _declared("sqrt", _is_negative, "Complex for negative numbers.")
log = _declared("log", _is_negative, "Complex for negative numbers.")
log2 = _declared("log2", _is_negative, "Complex for negative numbers.")
log10 = _declared("log10", _is_negative, "Complex for negative numbers.")
arccos = _declared("arccos", _is_outside, "Complex outside of [-1, 1].")
arcsin = _declared("arcsin", _is_outside, "Complex outside of [-1, 1].")
arctanh = _declared("arctanh", _is_outside, "Complex outside of [-1, 1].")


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
    return ufuncs.power(_widened(x, _is_negative, "power"), p)


__all__ = ["arccos", "arcsin", "arctanh", "log", "log2", "log10", "logn", "power", "sqrt"]
