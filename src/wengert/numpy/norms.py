"""Norms of vectors and matrices, for `wengert.numpy.linalg`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, call, implements, normalise_axes
from wengert.numpy.reductions import max as max_
from wengert.numpy.reductions import min as min_
from wengert.numpy.reductions import restore_axes
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import astype, moveaxis
from wengert.numpy.ufuncs import absolute, where
from wengert.rules import decompositions as d
from wengert.rules import linalg as r


def as_inexact(x: Any) -> Any:
    """Return an array of floating-point or complex numbers."""
    x = as_array(x)
    return x if dtype_of(x).kind in "fc" else astype(x, np.float64)


def as_matrices(a: Any) -> Any:
    """Return an array of floating-point matrices, or raise NumPy's error."""
    a = as_inexact(a)
    if len(shape_of(a)) < 2:
        raise np.linalg.LinAlgError(
            f"{len(shape_of(a))}-dimensional array given. Array must be at least two-dimensional"
        )
    return a


def as_square(a: Any) -> Any:
    """Return an array of square matrices, or raise NumPy's error."""
    a = as_matrices(a)
    if shape_of(a)[-1] != shape_of(a)[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    return a


def _singular_values(x: Any) -> Any:
    return call(d.svd, x, full=False)[1]


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    """All orders. The derivative at the origin is 0; where a maximum is attained several times it is shared."""
    x = as_inexact(x)
    shape = shape_of(x)
    if axis is None:
        axes = tuple(range(len(shape)))
        if ord is None:
            return restore_axes(_euclidean(x, axes), shape, axes, keepdims)
    else:
        axes = normalise_axes(axis, len(shape))
    if len(axes) == 1:
        out = _vector_norm(x, 2 if ord is None else ord, axes)
    elif len(axes) == 2:
        out = _matrix_norm(moveaxis(x, axes, (-2, -1)), "fro" if ord is None else ord)
    else:
        raise ValueError("Improper number of dimensions to norm.")
    return restore_axes(out, shape, axes, keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:  # noqa: A002
    """Over any number of axes, as one vector."""
    x = as_inexact(x)
    axes = normalise_axes(axis, len(shape_of(x)))
    return restore_axes(_vector_norm(x, ord, axes), shape_of(x), axes, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:  # noqa: A002
    """Over the last two axes."""
    return norm(as_inexact(x), ord=ord, axis=(-2, -1), keepdims=keepdims)


def _euclidean(x: Any, axes: tuple[int, ...]) -> Any:
    return call(r.euclidean_norm, x, axis=axes)


def _extremum(extremum: Callable[..., Any], x: Any, axis: Any) -> Any:
    """The maximum of nothing is 0 here; the minimum of nothing is NumPy's error."""
    empty = extremum is max_ and 0 in [shape_of(x)[i] for i in normalise_axes(axis, len(shape_of(x)))]
    return sum_(x, axis=axis) if empty else extremum(x, axis=axis)


def _vector_norm(x: Any, order: Any, axes: tuple[int, ...]) -> Any:
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order '{order}' for vectors")
    if order == 2:
        return _euclidean(x, axes)
    if order == 0:
        return sum_(astype(x != 0, r.real_dtype(x)), axis=axes)
    size = absolute(x)
    if order == math.inf:
        return _extremum(max_, size, axes)
    if order == -math.inf:
        return _extremum(min_, size, axes)
    if order == 1:
        return sum_(size, axis=axes)
    order = float(order)
    total = sum_(size**order, axis=axes)
    if order < 0:
        return total ** (1 / order)
    zero = total == 0
    return where(zero, 0.0, where(zero, 1.0, total) ** (1 / order))


def _matrix_norm(x: Any, order: Any) -> Any:
    last = len(shape_of(x)) - 1
    if order in ("fro", "f"):
        return _euclidean(x, (last - 1, last))
    if order == "nuc":
        return sum_(_singular_values(x), axis=-1)
    if isinstance(order, str) or abs(order) not in (1, 2, math.inf):
        raise ValueError("Invalid norm order for matrices.")
    extremum = max_ if order > 0 else min_
    if abs(order) == 2:
        return _extremum(extremum, _singular_values(x), -1)
    return _extremum(extremum, sum_(absolute(x), axis=-2 if abs(order) == 1 else -1), -1)
