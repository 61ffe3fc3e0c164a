"""`scipy.ndimage`, differentiable: interpolation in images, in the image and in the coordinates, and linear filters.

Interpolation of order n is a spline of degree n: the derivative with respect to coordinates is the slope of the spline,
zero for order 0, that of the piece on the right at the knots of order 1. SciPy's own functions do not take Arrays; with
plain arguments they are called.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import scipy.ndimage as nd

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, call, implements, normalise_axis
from wengert.numpy.joining import stack
from wengert.numpy.padding import pad
from wengert.numpy.shaping import cast, reshape
from wengert.numpy.ufuncs import blend, clip, floor, isfinite, matmul, minimum
from wengert.rules import splines as r
from wengert.rules.indexing import ARRAY, index
from wengert.scipy.image_filters import (
    as_image,
    checked_mode,
    convolve,
    convolve1d,
    correlate,
    correlate1d,
    finished,
    gaussian_filter,
    gaussian_filter1d,
    uniform_filter,
    uniform_filter1d,
)

_PREFILTERS = {"reflect": "reflect", "grid-mirror": "reflect", "nearest": "reflect", "grid-wrap": "grid-wrap"}
_PADDING = 12  # SciPy's, for modes without a prefilter of their own


def _check(order: int, mode: str) -> None:
    if not 0 <= order <= 5:
        raise RuntimeError("spline order not supported")
    checked_mode(mode)


@implements(nd.spline_filter1d)
def spline_filter1d(input: Any, order: int = 3, axis: int = -1, output: Any = np.float64, mode: str = "mirror") -> Any:  # noqa: A002
    """Coefficients of the spline that goes through the samples along an axis."""
    _check(order, mode)
    x, dtype = as_image(input, output)
    dtype = np.result_type(dtype, np.complex64) if dtype_of(x).kind == "c" else dtype
    if order > 1:
        axis = normalise_axis(axis, len(shape_of(x)))
        x = call(r.spline_filter, x, axis=axis, order=order, mode=_PREFILTERS.get(mode, "mirror"))
    return finished(x, dtype, output)


@implements(nd.spline_filter)
def spline_filter(input: Any, order: int = 3, output: Any = np.float64, mode: str = "mirror") -> Any:  # noqa: A002
    """Coefficients of the spline that goes through the samples along all axes."""
    if not 2 <= order <= 5:
        raise RuntimeError("spline order not supported")
    for axis in range(len(shape_of(as_array(input)))):
        input = spline_filter1d(input, order, axis, output, mode)  # noqa: A001
    return input


def _weights(t: Any, order: int) -> list[Any]:
    """The B-splines that are not zero at a point, t being how far it is behind the last knot (0 ≤ t < 1).

    De Boor's recursion for equidistant knots ("A Practical Guide to Splines", 1978, chapter X).
    """
    weights: list[Any] = [1.0 + 0.0 * t]
    for j in range(1, order + 1):
        saved, new = 0.0 * t, []
        for i, w in enumerate(weights):
            new.append(saved + (i + 1 - t) * w / j)
            saved = (t + j - 1 - i) * w / j
        weights = [*new, saved]
    return weights


def _mapped(x: Any, n: int, mode: str) -> Any:
    """A coordinate for which the image has the same value as it is continued to have at one outside.

    It need not be inside of the image: `_taps` does the rest. Which of two equal ones it is matters for order 0, which
    rounds it, and where the continuation jumps.
    """
    if mode in ("reflect", "grid-mirror"):
        period, low, high, half = 2.0 * n, -n, n, 1.0
    elif mode == "mirror" and n > 1:
        period, low, high, half = 2.0 * n - 2.0, 1 - n, n, 0.0
    elif mode == "wrap" and n > 1:
        below = x + (n - 1) * (floor(-x / (n - 1)) + 1)
        return blend(x < 0, below, blend(x > n - 1, x - (n - 1) * floor(x / (n - 1)), x))
    else:
        return 0.0 * x if mode in ("mirror", "wrap") else x
    below = x + period * floor(-x / period)
    turn = below <= low if mode == "mirror" else below < low
    below = blend(turn, below + period, -below - half)
    above = x - period * floor(x / period)
    above = blend(above >= high, period - above - half, above)
    return blend(x < 0, below, blend(x > n - 1, above, x))


def _taps(i: Any, n: int, mode: str) -> Any:
    """Numbers of samples inside of the image that stand for those outside."""
    if mode in ("reflect", "grid-mirror"):
        i = i % (2 * n)
        return minimum(i, 2 * n - 1 - i)
    if mode == "grid-wrap":
        return i % n
    if mode in ("nearest", "grid-constant"):
        return clip(i, 0, n - 1)
    if n == 1:
        return i * 0
    i = i % (2 * n - 2)
    return minimum(i, 2 * n - 2 - i)


@implements(nd.map_coordinates)
def map_coordinates(
    input: Any,  # noqa: A002
    coordinates: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Any:
    """Values of the spline through an image at coordinates (one row per axis); NaN where a coordinate is not finite."""
    _check(order, mode)
    image, dtype = as_image(input, output)
    points = as_array(coordinates)
    if dtype_of(points).kind == "c":
        raise TypeError("Complex type not supported")
    rank = len(shape_of(image))
    if len(shape_of(points)) < 1 or shape_of(points)[0] != rank or rank < 1:
        raise RuntimeError("invalid shape for coordinate array")
    points = cast(points, np.float64)
    finite = isfinite(points).all(axis=0)
    points = blend(finite, points, 0.0)
    inside: Any = finite
    if mode == "constant":
        for k, n in enumerate(shape_of(image)):
            inside = inside & (points[k] >= 0) & (points[k] <= n - 1)
        points = blend(inside, points, 0.0)
    if order > 1 and prefilter:
        if mode in ("nearest", "grid-constant"):
            options = {"constant_values": cval} if mode == "grid-constant" else {}
            image = pad(image, _PADDING, mode="edge" if mode == "nearest" else "constant", **options)  # type: ignore[arg-type]
            points = points + _PADDING
        image = spline_filter(image, order, dtype_of(image), mode)
    total = _interpolated(image, points, order, mode, cval)
    if mode == "constant":
        total = blend(inside, total, cval)
    return finished(blend(finite, total, np.nan), dtype, output)


def _interpolated(image: Any, points: Any, order: int, mode: str, cval: Any) -> Any:
    """Sums of coefficients of the spline, in `image`, with the weights that the B-splines have at the points."""
    rank = len(shape_of(image))
    places, weights, known = [], [], []
    for k, n in enumerate(shape_of(image)):
        x = _mapped(points[k], n, mode)
        start = floor(x if order % 2 else x + 0.5)
        t = x - start if order % 2 else x - start + 0.5
        taps = [cast(start, np.int64) + (j - order // 2) for j in range(order + 1)]
        weights.append(_weights(t, order))
        places.append([_taps(i, n, mode) for i in taps])
        known.append([(i >= 0) & (i < n) for i in taps])
    total: Any = 0.0
    for choice in itertools.product(range(order + 1), repeat=rank):
        value = call(index, image, *(p[j] for p, j in zip(places, choice, strict=True)), spec=(ARRAY,) * rank)
        if mode == "grid-constant":
            exists: Any = True
            for e, j in zip(known, choice, strict=True):
                exists = exists & e[j]
            value = blend(exists, value, cval)
        for w, j in zip(weights, choice, strict=True):
            value = value * w[j]
        total = total + value
    return total


@implements(nd.affine_transform)
def affine_transform(
    input: Any,  # noqa: A002
    matrix: Any,
    offset: Any = 0.0,
    output_shape: Any = None,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Any:
    """The value at place o is that of the image at matrix @ o + offset."""
    x, matrix, offset = as_array(input), as_array(matrix), as_array(offset)
    rank = len(shape_of(x))
    size = shape_of(x) if output_shape is None else tuple(output_shape)
    if len(shape_of(matrix)) == 2 and shape_of(matrix)[1] == rank + 1:
        matrix, offset = matrix[:rank, :rank], matrix[:rank, rank]
    if len(shape_of(matrix)) not in (1, 2) or set(shape_of(matrix)) != {rank}:
        raise RuntimeError("improper number of rows or columns in the affine matrix")
    grid = np.indices(size, dtype=float).reshape(rank, -1)
    points = matmul(matrix, grid) if len(shape_of(matrix)) == 2 else matrix[:, None] * grid
    points = points + (offset[:, None] if shape_of(offset) else offset)
    return map_coordinates(x, reshape(points, (rank, *size)), output, order, mode, cval, prefilter)


@implements(nd.shift)
def shift(
    input: Any,  # noqa: A002
    shift: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Any:
    """Move an image, by fractions of a sample."""
    x, by = as_array(input), as_array(shift)
    rank = len(shape_of(x))
    by = by if shape_of(by) else stack([by] * rank)
    if shape_of(by) != (rank,):
        raise RuntimeError("sequence argument must have length equal to input rank")
    grid = np.indices(shape_of(x), dtype=float)
    points = grid - reshape(by, (rank,) + (1,) * rank)
    return map_coordinates(x, points, output, order, mode, cval, prefilter)


__all__ = [
    "affine_transform",
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "map_coordinates",
    "shift",
    "spline_filter",
    "spline_filter1d",
    "uniform_filter",
    "uniform_filter1d",
]
