"""Least-squares fits of polynomials: what `polyfit` and the fits of `numpy.polynomial` have in common."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, known_numbers
from wengert.numpy.linalg import lstsq
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.ufuncs import absolute, blend, sqrt


def least_squares_fit(
    x: Any, y: Any, matrix: Callable[[Any], Any], rcond: Any, w: Any, *, warn: bool
) -> tuple[Any, Any, Any, Any, Any]:
    """Return coefficients, residuals, rank, singular values and tolerance, as NumPy's fits compute them."""
    x, y = as_array(x) + 0.0, as_array(y) + 0.0
    if len(shape_of(x)) != 1:
        raise TypeError("expected 1D vector for x")
    if shape_of(x)[0] == 0:
        raise TypeError("expected non-empty vector for x")
    if not 1 <= len(shape_of(y)) <= 2:
        raise TypeError("expected 1D or 2D array for y")
    if shape_of(x)[0] != shape_of(y)[0]:
        raise TypeError("expected x and y to have same length")
    if rcond is None:
        rcond = shape_of(x)[0] * np.finfo(dtype_of(x)).eps
    left, right = matrix(x), y
    if w is not None:
        w = as_array(w) + 0.0
        if len(shape_of(w)) != 1:
            raise TypeError("expected a 1-d array for weights")
        if shape_of(w)[0] != shape_of(y)[0]:
            raise TypeError("expected w and y to have the same length")
        left, right = left * w[:, None], right * (w[:, None] if len(shape_of(y)) == 2 else w)
    squares = sum_(absolute(left) ** 2, axis=0)
    scale = sqrt(blend(squares == 0, 1.0, squares))
    c, residuals, rank, s = lstsq(left / scale, right, rcond)
    numbers = known_numbers(rank) if warn else None
    if numbers is not None and np.any(numbers < shape_of(left)[1]):
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=4)
    return c / (scale[:, None] if len(shape_of(c)) == 2 else scale), residuals, rank, s, rcond
