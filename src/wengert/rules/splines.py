"""Coefficients of interpolating splines on a regular grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage

from wengert.core.combinators import Linear, along_axis
from wengert.core.values import ArrayType, shape_of
from wengert.rules.contraction import matmul
from wengert.rules.structural import move_axis


def _spline_filter(x: Any, *, axis: int, order: int, mode: str) -> Any:
    output: Any = np.complex128 if x.dtype.kind == "c" else np.float64
    return scipy.ndimage.spline_filter1d(x.astype(output), order, axis, output, mode)


_FEW = 32


def _transpose(ct: Any, x: ArrayType, *, axis: int, order: int, mode: str) -> Any:
    n, last = x.shape[axis], len(shape_of(ct)) - 1
    if mode == "reflect" and n < _FEW:
        # SciPy's start of the recursion is not exact for few samples, and neither is the symmetry.
        matrix = _spline_filter(np.eye(n), axis=0, order=order, mode=mode)
        return move_axis(matmul(move_axis(ct, axis, last), matrix), last, axis)
    if mode != "mirror":  # the matrix of values of B-splines is symmetric
        return spline_filter(ct, axis=axis, order=order, mode=mode)
    # It is symmetric up to a factor 1/2 for both ends, which are reflected once and not twice.
    ends = np.ones(n)
    if n > 1:
        ends[[0, -1]] = 0.5
    ends = ends.reshape((n,) + (1,) * (last - axis))
    return ends * spline_filter(ct / ends, axis=axis, order=order, mode=mode)


#: Coefficients of the spline through x along an axis, continued by one of the modes "mirror", "reflect", "grid-wrap".
spline_filter = Linear(_spline_filter, _transpose, name="spline_filter", batch=along_axis(lambda: spline_filter))
