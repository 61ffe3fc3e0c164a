"""Gradient clipping: functions from gradient to gradient, for `wengert.optim.chain` or on their own."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.containers import flatten, map_leaves
from wengert.core.values import dtype_of, shape_of
from wengert.errors import InputTypeError, fail


def global_norm(tree: Any) -> Any:
    """Compute the Euclidean norm of all elements of a container.

    Parameters
    ----------
    tree : array_like or container
        Real or complex.

    Returns
    -------
    scalar
        The norm; scaled inside, so that it overflows only if it is itself too large.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> optim.global_norm({"a": np.array([3.0, 0.0]), "b": 4.0})
    np.float64(5.0)
    """
    leaves = [x for x in flatten(tree)[0] if math.prod(shape_of(x))]
    if not leaves:
        return np.float64(0.0)
    magnitudes = [np.abs(x) for x in leaves]
    largest = functools.reduce(np.maximum, [np.max(x) for x in magnitudes])
    scale = np.where((largest == 0) | np.isinf(largest), np.ones_like(largest), largest)[()]
    return scale * np.sqrt(functools.reduce(operator.add, [np.sum((x / scale) ** 2) for x in magnitudes]))


def clip_by_global_norm(limit: float) -> Callable[[Any], Any]:
    """Return a function that shortens a gradient to the length `limit`, keeping its direction.

    Parameters
    ----------
    limit : float
        Largest `global_norm` that is let through unchanged; positive.

    Returns
    -------
    callable
        Maps a gradient (a container of arrays) to the clipped one. NaN stays NaN.

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> optim.clip_by_global_norm(1.0)({"a": np.array([3.0]), "b": np.array([4.0])})
    {'a': array([0.6]), 'b': array([0.8])}
    """
    _positive(limit, "clip_by_global_norm")

    def clip(gradient: Any) -> Any:
        norm = global_norm(gradient)
        factor = limit / np.maximum(norm, limit)
        return map_leaves(lambda g: g * _in_dtype_of(g, factor), gradient)

    return clip


def clip_by_value(limit: float) -> Callable[[Any], Any]:
    """Return a function that clips each element of a gradient to [-limit, limit].

    Parameters
    ----------
    limit : float
        Positive.

    Returns
    -------
    callable
        Maps a gradient (a container of real arrays) to the clipped one. NaN stays NaN.

    Raises
    ------
    InputTypeError
        By that function: the gradient is complex.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> optim.clip_by_value(1.0)(np.array([-3.0, 0.5]))
    array([-1. ,  0.5])
    """
    _positive(limit, "clip_by_value")

    def clip(g: Any) -> Any:
        if dtype_of(g).kind == "c":
            fail(
                InputTypeError,
                "clip_by_value got a complex gradient, whose elements have no order; use clip_by_global_norm.",
            )
        return np.clip(g, -limit, limit)

    return lambda gradient: map_leaves(clip, gradient)


def _in_dtype_of(g: Any, factor: Any) -> Any:
    """Cast a real factor to the precision of `g`, so that one float64 leaf does not promote the others."""
    dtype = getattr(g, "dtype", None)
    return factor if dtype is None or dtype.kind not in "fc" else factor.astype(np.finfo(dtype).dtype)


def _positive(limit: float, name: str) -> None:
    if not limit > 0:
        raise ValueError(f"{name} got limit={limit}; it must be positive")
