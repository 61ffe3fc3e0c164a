"""The window for spectral analysis that has a parameter, and the Bessel function that it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.values import dtype_of
from wengert.numpy.dispatch import as_array, call, implements
from wengert.numpy.shaping import cast
from wengert.rules import special


@implements(np.i0)
def i0(x: Any) -> Any:
    """Modified Bessel function of order 0."""
    x = as_array(x)
    if dtype_of(x).kind == "c":
        raise TypeError("i0 not supported for complex values")
    return call(special.bessel.i0, x if dtype_of(x).kind == "f" else cast(x, float))


@implements(np.kaiser)
def kaiser(M: Any, beta: Any) -> Any:
    """Differentiable in the shape parameter beta."""
    count = int(M)
    if count < 2:
        return np.ones(max(count, 0)) + 0.0 * beta
    half = (count - 1) / 2.0
    position = (np.arange(count) - half) / half
    return i0(beta * np.sqrt(1 - position**2)) / i0(1.0 * beta)


__all__ = ["i0", "kaiser"]
