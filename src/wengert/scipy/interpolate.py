"""`scipy.interpolate`, differentiable in the argument, the values and the knots.

The classes are Wengert's own, with SciPy's interface and values (to rounding); SciPy's take no Arrays. Which piece an
argument falls into is piecewise constant: at a knot, the derivative is that of the piece on the right. A condition on
numbers (increasing knots, arguments within bounds) is checked where these are known, not under `jit` and `vmap`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from wengert.array import contains_traced
from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, call, normalise_axis
from wengert.numpy.indexing import take
from wengert.numpy.joining import stack
from wengert.numpy.reductions import diff
from wengert.numpy.shaping import broadcast_arrays, cast, flip, moveaxis, reshape
from wengert.numpy.sorting import argsort, searchsorted
from wengert.numpy.ufuncs import blend, clip, isnan
from wengert.rules.indexing import ARRAY, index
from wengert.scipy.checks import refuse_unless
from wengert.scipy.piecewise import (
    Akima1DInterpolator,
    CubicHermiteSpline,
    CubicSpline,
    PchipInterpolator,
    PPoly,
    as_floats,
)


def pchip_interpolate(xi: Any, yi: Any, x: Any, der: Any = 0, axis: int = 0) -> Any:
    """Values, or derivatives of one or several orders, of a `PchipInterpolator`."""
    p = PchipInterpolator(xi, yi, axis=axis)
    return p(x, nu=der) if np.ndim(der) == 0 else [p(x, nu=d) for d in der]


class interp1d:
    """Interpolation of one-dimensional data by constants, straight lines or a cubic spline.

    Parameters
    ----------
    x : array_like
        The n knots.
    y : array_like
        Values at the knots, which lie along `axis`.
    kind : {'linear', 'slinear', 'nearest', 'nearest-up', 'previous', 'next', 'zero', 'cubic'}
        The derivative of steps is 0. 'cubic' is a spline without a knot at the second and the last but one place.
    axis : int
        Axis of y along which the knots are.
    copy : bool
        Accepted and ignored.
    bounds_error : bool, optional
        Whether an argument outside of the knots is an error; by default unless `fill_value` is given.
    fill_value : array_like, pair or 'extrapolate'
        Value outside, on both sides or on each.
    assume_sorted : bool
        Whether the knots are in increasing order already.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.scipy.interpolate import interp1d
    >>> grad(interp1d([0.0, 1.0, 3.0], [0.0, 2.0, 3.0]))(2.0)
    np.float64(0.5)
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        kind: str = "linear",
        axis: int = -1,
        copy: bool = True,
        bounds_error: bool | None = None,
        fill_value: Any = np.nan,
        assume_sorted: bool = False,
    ) -> None:
        if kind not in ("linear", "slinear", "nearest", "nearest-up", "previous", "next", "zero", "cubic"):
            fail(
                UnsupportedOperationError,
                f"interp1d(kind={kind!r}) has no derivative. Use kind='linear', a kind of steps, or CubicSpline.",
            )
        x, y = as_floats(x), as_floats(y)
        if len(shape_of(x)) != 1:
            raise ValueError("the x array must have exactly one dimension.")
        if not shape_of(y):
            raise ValueError("the y array must have at least one dimension.")
        self.axis = normalise_axis(axis, len(shape_of(y)))
        y = moveaxis(y, self.axis, 0)
        if shape_of(x)[0] != shape_of(y)[0]:
            raise ValueError("x and y arrays must be equal in length along interpolation axis.")
        minimum = 4 if kind == "cubic" else 1
        if shape_of(x)[0] < minimum:
            raise ValueError(f"x and y arrays must have at least {minimum} entries")
        if not assume_sorted:
            order = argsort(x, kind="mergesort")
            x, y = take(x, order), take(y, order, axis=0)
        self.x, self.y, self.kind = x, y, kind
        self.extrapolate = isinstance(fill_value, str) and fill_value == "extrapolate"
        if self.extrapolate and bounds_error:
            raise ValueError("Cannot extrapolate and raise at the same time.")
        given = self.extrapolate or isinstance(fill_value, tuple) or contains_traced([fill_value])
        given = given or not np.all(np.isnan(np.asarray(fill_value)))
        self.bounds_error = not given if bounds_error is None else bounds_error
        self.below, self.above = fill_value if isinstance(fill_value, tuple) else (fill_value, fill_value)
        self._spline = CubicSpline(x, y) if kind == "cubic" else None

    def __call__(self, x: Any) -> Any:
        """Value at x."""
        x = as_floats(x)
        shape, rest = shape_of(x), shape_of(self.y)[1:]
        flat = reshape(x, (-1,))
        low, high = flat < self.x[0], flat > self.x[-1]
        if self.bounds_error:
            refuse_unless(~low, "A value in x_new is below the interpolation range.")
            refuse_unless(~high, "A value in x_new is above the interpolation range.")
        out = self._inner(flat, len(rest))
        column = (-1,) + (1,) * len(rest)
        if not self.extrapolate:
            out = blend(reshape(low, column), self.below, blend(reshape(high, column), self.above, out))
        elif self.kind in ("previous", "zero"):
            out = blend(reshape(low, column), np.nan, out)
        elif self.kind == "next":
            out = blend(reshape(high, column), np.nan, out)
        out = blend(reshape(isnan(flat), column), np.nan, out)
        out = reshape(out, shape + rest)
        return moveaxis(out, range(len(shape)), range(self.axis, self.axis + len(shape)))

    def _inner(self, x: Any, rank: int) -> Any:
        n = shape_of(self.x)[0]
        if self._spline is not None:
            return self._spline(x)
        if n == 1 or self.kind not in ("linear", "slinear"):
            match self.kind:
                case "previous" | "zero":
                    i = searchsorted(self.x, x, side="right") - 1
                case "next":
                    i = searchsorted(self.x, x, side="left")
                case _:
                    middle = 0.5 * self.x[1:] + 0.5 * self.x[:-1]
                    i = searchsorted(middle, x, side="left" if self.kind == "nearest" else "right")
            return take(self.y, clip(i, 0, n - 1), axis=0)
        i = clip(searchsorted(self.x, x, side="right") - 1, 0, n - 2)
        slope = diff(self.y, axis=0) / reshape(diff(self.x), (-1,) + (1,) * rank)
        step = reshape(x - take(self.x, i), (-1,) + (1,) * rank)
        return take(slope, i, axis=0) * step + take(self.y, i, axis=0)


class RegularGridInterpolator:
    """Interpolation in data on a grid of any number of dimensions.

    Parameters
    ----------
    points : sequence of array_like
        Coordinates of the grid along each of its dimensions, strictly increasing or decreasing.
    values : array_like
        Values on the grid, which has the leading axes.
    method : {'linear', 'nearest'}
        Multilinear, or the value at the nearest place, with derivative 0 with respect to the argument.
    bounds_error : bool
        Whether an argument outside of the grid is an error.
    fill_value : number or None
        Value outside; None extrapolates.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.scipy.interpolate import RegularGridInterpolator
    >>> x, y = np.arange(3.0), np.arange(4.0)
    >>> f = RegularGridInterpolator((x, y), x[:, None] * y)
    >>> grad(lambda p: f(p)[0])(np.array([0.5, 2.5]))
    array([2.5, 0.5])
    """

    def __init__(
        self, points: Any, values: Any, method: str = "linear", bounds_error: bool = True, fill_value: Any = np.nan
    ) -> None:
        self.method = _grid_method(method)
        values = as_array(values)
        values = values if dtype_of(values).kind in "fc" else cast(values, np.float64)
        if len(points) > len(shape_of(values)):
            raise ValueError(f"There are {len(points)} point arrays, but values has {len(shape_of(values))} dimensions")
        grid = []
        for k, p in enumerate(points):
            p = as_floats(p)
            if len(shape_of(p)) != 1:
                raise ValueError(f"The points in dimension {k} must be 1-dimensional")
            n = shape_of(values)[k]
            if shape_of(p)[0] != n:
                raise ValueError(f"There are {shape_of(p)[0]} points and {n} values in dimension {k}")
            if n > 1 and _is_falling(p):
                p, values = p[::-1], flip(values, axis=k)
            refuse_unless(diff(p) > 0, f"The points in dimension {k} must be strictly ascending or descending")
            grid.append(p)
        self.grid, self.values = grid, values
        self.bounds_error, self.fill_value = bounds_error, fill_value

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """Value at places, which are along the last axis."""
        method = self.method if method is None else _grid_method(method)
        rank = len(self.grid)
        xi = _places(xi, rank)
        if shape_of(xi)[-1] != rank:
            raise ValueError(
                f"The requested sample points xi have dimension {shape_of(xi)[-1]} but this "
                f"RegularGridInterpolator has dimension {rank}"
            )
        shape, rest = shape_of(xi)[:-1], shape_of(self.values)[rank:]
        shape = shape or (1,)
        flat = reshape(xi, (-1, rank))
        corners, weights, outside = self._corners(flat, method)
        total: Any = 0.0
        column = (-1,) + (1,) * len(rest)
        for choice in itertools.product(*(range(len(c)) for c in corners)):
            places = [c[j] for c, j in zip(corners, choice, strict=True)]
            value = call(index, self.values, *places, spec=(ARRAY,) * rank)
            for w, j in zip(weights, choice, strict=True):
                value = value * reshape(w[j], column)
            total = total + value
        if self.fill_value is not None:
            total = blend(reshape(outside, column), self.fill_value, total)
        total = blend(reshape(isnan(flat).any(axis=-1), column), np.nan, total)
        return reshape(total, shape + rest)

    def _corners(self, flat: Any, method: str) -> tuple[list[list[Any]], list[list[Any]], Any]:
        """Places on the grid around each point, along each dimension, their weights, and which points are outside."""
        outside: Any = False
        corners, weights = [], []
        for k, g in enumerate(self.grid):
            x, n = flat[:, k], shape_of(g)[0]
            beyond = (x < g[0]) | (x > g[-1])
            if self.bounds_error:
                refuse_unless(~beyond, f"One of the requested xi is out of bounds in dimension {k}")
            outside = outside | beyond
            if n == 1:
                i = searchsorted(g, x) * 0
                corners.append([i, i])
                weights.append([1.0 + 0.0 * x, 0.0 * x])
                continue
            i = clip(searchsorted(g, x, side="right") - 1, 0, n - 2)
            t = (x - take(g, i)) / (take(g, i + 1) - take(g, i))
            corners.append([i, i + 1] if method == "linear" else [i + (t > 0.5) * 1])
            weights.append([1 - t, t] if method == "linear" else [1.0 + 0.0 * x])
        return corners, weights, outside


def _grid_method(method: str) -> str:
    if method in ("cubic", "quintic", "pchip"):
        fail(
            UnsupportedOperationError,
            f"RegularGridInterpolator(method={method!r}) has no derivative. Use method='linear'; on a grid of equal "
            "steps scipy.ndimage.map_coordinates interpolates by splines.",
        )
    if method not in ("linear", "nearest", "slinear"):
        raise ValueError(f"Method '{method}' is not defined")
    return "linear" if method == "slinear" else method


def _is_falling(p: Any) -> bool:
    try:
        refuse_unless(p[0] <= p[-1], "")
    except ValueError:
        return True
    return False


def _places(xi: Any, rank: int) -> Any:
    if isinstance(xi, tuple):
        return stack(broadcast_arrays(*(as_floats(x) for x in xi)), axis=-1)
    xi = as_floats(xi)
    if not shape_of(xi):
        xi = reshape(xi, (1,))
    return xi[:, None] if len(shape_of(xi)) == 1 and rank == 1 else xi


def interpn(
    points: Any, values: Any, xi: Any, method: str = "linear", bounds_error: bool = True, fill_value: Any = np.nan
) -> Any:
    """Interpolation in data on a grid, as by `RegularGridInterpolator`."""
    if method not in ("linear", "nearest"):
        fail(
            UnsupportedOperationError,
            f"interpn(method={method!r}) has no derivative. Use method='linear' or 'nearest'.",
        )
    return RegularGridInterpolator(points, values, method, bounds_error, fill_value)(xi)


__all__ = [
    "Akima1DInterpolator",
    "CubicHermiteSpline",
    "CubicSpline",
    "PPoly",
    "PchipInterpolator",
    "RegularGridInterpolator",
    "interp1d",
    "interpn",
    "pchip_interpolate",
]
