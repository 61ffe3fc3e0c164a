"""Products of matrices and vectors in `wengert.numpy.linalg`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.values import shape_of
from wengert.numpy import contraction, indexing
from wengert.numpy.dispatch import as_array, implements
from wengert.numpy.shaping import moveaxis, swapaxes
from wengert.numpy.ufuncs import conjugate, matmul


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any], *, out: Any = None) -> Any:
    """In the order that takes the fewest multiplications."""
    xs = [as_array(x) for x in arrays]
    if len(xs) < 2:
        raise ValueError("Expecting at least two arrays.")
    first, last = len(shape_of(xs[0])) == 1, len(shape_of(xs[-1])) == 1
    if first:
        xs[0] = xs[0][None, :]
    if last:
        xs[-1] = xs[-1][:, None]
    for x in xs:
        if len(shape_of(x)) != 2:
            raise np.linalg.LinAlgError(f"{len(shape_of(x))}-dimensional array given. Array must be two-dimensional")
    product = _multiply_chain(xs, _best_splits([shape_of(xs[0])[0], *(shape_of(x)[1] for x in xs)]), 0, len(xs) - 1)
    if first:
        product = product[0]
    return product[..., 0] if last else product


def _best_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each part of a chain of matrices (Cormen et al., "Introduction to Algorithms", chapter 15.2)."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    split = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = {k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)}
            split[i, j] = min(options, key=lambda k: options[k])
            cost[i, j] = options[split[i, j]]
    return split


def _multiply_chain(xs: list[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return xs[i]
    k = split[i, j]
    return matmul(_multiply_chain(xs, split, i, k), _multiply_chain(xs, split, k + 1, j))


@implements(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Cross product of vectors of length 3."""
    a, b = moveaxis(as_array(x1), axis, -1), moveaxis(as_array(x2), axis, -1)
    if shape_of(a)[-1] != 3 or shape_of(b)[-1] != 3:
        raise ValueError(
            "Both input arrays must be (arrays of) 3-dimensional vectors, "
            f"but they are {shape_of(a)[-1]} and {shape_of(b)[-1]} dimensional instead."
        )
    right, left = [1, 2, 0], [2, 0, 1]
    return moveaxis(a[..., right] * b[..., left] - a[..., left] * b[..., right], -1, axis)


@implements(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    """All products of two vectors."""
    a, b = as_array(x1), as_array(x2)
    if len(shape_of(a)) != 1 or len(shape_of(b)) != 1:
        raise ValueError(
            "Input arrays must be one-dimensional, "
            f"but they are {len(shape_of(a))}- and {len(shape_of(b))}-dimensional instead."
        )
    return a[:, None] * b[None, :]


@implements(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Of the last two axes."""
    return indexing.diagonal(x, offset, -2, -1)


@implements(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Of the last two axes."""
    return indexing.trace(x, offset, -2, -1, dtype=dtype)


@implements(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """As `numpy.tensordot`."""
    return contraction.tensordot(x1, x2, axes=axes)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As `numpy.vecdot`."""
    return contraction.vecdot(x1, x2, axis=axis)


@implements(np.linalg.matmul)
def _matmul(x1: Any, x2: Any, /) -> Any:
    """As `numpy.matmul`."""
    return matmul(x1, x2)


@implements(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """A view."""
    return swapaxes(x, -1, -2)


def adjoint(a: Any) -> Any:
    """Conjugate transpose."""
    return conjugate(swapaxes(a, -1, -2))
