"""Functions that call a function of the user: piecewise, apply_along_axis, fromfunction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.array import Array
from wengert.core.values import shape_of
from wengert.numpy.creation import indices, zeros_like
from wengert.numpy.dispatch import as_array, concrete, implements, normalise_axis
from wengert.numpy.joining import stack
from wengert.numpy.shaping import moveaxis, reshape


def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """Differentiable `numpy.fromfunction`. Call a function on the coordinate grids of a shape."""
    return function(*indices(shape, dtype=dtype), **kwargs)


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Each function is evaluated where its condition holds, the last condition winning."""
    x = as_array(x)
    if np.isscalar(condlist) or (not isinstance(condlist[0], (list, np.ndarray, Array)) and shape_of(x)):
        condlist = [condlist]
    conditions = [np.broadcast_to(concrete(c, "piecewise"), shape_of(x)).astype(bool) for c in condlist]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    elif len(funclist) != len(conditions):
        n = len(conditions)
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")
    y = zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            y[condition] = function
        elif condition.any():
            y[condition] = function(x[condition], *args, **kw)
    return y


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function of vectors for each vector along an axis."""
    a = as_array(arr)
    axis = normalise_axis(axis, len(shape_of(a)))
    moved = moveaxis(a, axis, -1)
    rest = shape_of(moved)[:-1]
    results = [as_array(func1d(moved[i], *args, **kwargs)) for i in np.ndindex(rest)]
    if not results:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    part = shape_of(results[0])
    out = reshape(stack(results), rest + part)
    return moveaxis(out, range(len(rest), len(rest) + len(part)), range(axis, axis + len(part)))


__all__ = ["apply_along_axis", "fromfunction", "piecewise"]
