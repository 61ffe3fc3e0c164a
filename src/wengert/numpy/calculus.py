"""Calculus on samples: interpolation, finite differences, integrals, convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.array import contains_traced
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, call, implements, known_numbers, normalise_axes, normalise_axis, on_axis
from wengert.numpy.indexing import take
from wengert.numpy.joining import concatenate
from wengert.numpy.reductions import diff
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import broadcast_to, cast, flip, in_order, ordered, reshape
from wengert.numpy.sorting import argsort, searchsorted
from wengert.numpy.ufuncs import absolute, blend, clip, conj, equal, greater, less
from wengert.rules import contraction


@implements(np.interp)
@in_order("C")
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """Piecewise linear interpolation; all arguments may be traced. At a knot the derivative of the right-hand piece."""
    x, xp, fp = (cast(a, np.result_type(dtype_of(as_array(a)), np.float64)) for a in (x, xp, fp))
    if len(shape_of(xp)) != 1 or shape_of(xp) != shape_of(fp):
        raise ValueError(
            "Data points must be 1-D sequences of the same length"
            if len(shape_of(xp)) == 1
            else "Data points must be 1-D sequences"
        )
    if not shape_of(xp)[0]:
        raise ValueError("array of sample points is empty")
    if period is not None:
        if np.any(known_numbers(period) == 0):
            raise ValueError("period must be a non-zero value")
        period = absolute(period)
        x, xp = x % period, xp % period
        order = argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    last = shape_of(xp)[0] - 1
    if last == 0:
        inner = fp[0] + 0.0 * x
    else:
        i = clip(searchsorted(xp, x, side="right") - 1, 0, last - 1)
        start, end, low, high = take(xp, i), take(xp, i + 1), take(fp, i), take(fp, i + 1)
        width = blend(equal(start, end), 1.0, end - start)
        inner = low + (x - start) * ((high - low) / width)
        inner = blend(equal(start, end), high, inner)
    inner = blend(greater(x, xp[last]), fp[last] if right is None else right, inner)
    return blend(less(x, xp[0]), fp[0] if left is None else left, inner)


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integral by the trapezoidal rule; all arguments may be traced."""
    y = as_array(y)
    number = normalise_axis(axis, len(shape_of(y)))
    if x is not None:
        x = as_array(x)
        if len(shape_of(x)) == 1:
            dx = reshape(diff(x), (-1,) + (1,) * (len(shape_of(y)) - number - 1))
        else:
            dx = diff(x, axis=axis)
    middle = y[on_axis(number, slice(1, None))] + y[on_axis(number, slice(None, -1))]
    return sum_(dx * middle / 2.0, axis=axis)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences inside, one-sided ones at the ends; samples and spacings may be traced."""
    f = as_array(f)
    if dtype_of(f).kind == "b":
        raise TypeError("gradient of truth values is not defined; cast them to float first")
    if dtype_of(f).kind not in "fc":
        f = cast(f, float)
    axes = normalise_axes(axis, len(shape_of(f)))
    spacings = [as_array(v) for v in (varargs or (1.0,))]
    if len(spacings) == 1 and not shape_of(spacings[0]):
        spacings = spacings * len(axes)
    if len(spacings) != len(axes):
        raise TypeError("invalid number of arguments")
    results = [
        ordered(cast(_gradient_along(f, h, ax, edge_order), dtype_of(f)), "K", f)
        for h, ax in zip(spacings, axes, strict=True)
    ]
    return results[0] if len(results) == 1 else tuple(results)


def _gradient_along(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    n = shape_of(f)[axis]
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
            "required."
        )
    if len(shape_of(spacing)) == 1 and shape_of(spacing)[0] != n:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")

    def along(x: Any, start: int | None, stop: int | None) -> Any:
        return x[on_axis(axis, slice(start, stop))]

    left, middle, right = along(f, None, -2), along(f, 1, -1), along(f, 2, None)
    steps = diff(spacing) if len(shape_of(spacing)) == 1 else broadcast_to(spacing, (n - 1,))
    uniform = not shape_of(spacing) or (not contains_traced(steps) and np.all(steps == steps[0]))
    h = reshape(steps, (n - 1,) + (1,) * (len(shape_of(f)) - axis - 1))
    before, after = h[:-1], h[1:]
    if uniform:  # the element in the middle has no weight, and may be infinite or NaN
        inner = (right - left) / (2.0 * before)
    else:
        inner = _combined(before, after, (left, middle, right), (-after, after - before, before))
    if edge_order == 1:
        first = (along(f, 1, 2) - along(f, 0, 1)) / h[:1]
        last = (along(f, -1, None) - along(f, -2, -1)) / h[-1:]
    else:  # the slope at the end of the parabola through the last three points
        d, e = h[:1], h[1:2]
        first = _combined(d, e, [along(f, i, i + 1) for i in range(3)], (-(2.0 * d + e), d + e, -d))
        d, e = h[-2:-1], h[-1:]
        last = _combined(d, e, [along(f, n - i, n - i + 1) for i in (3, 2, 1)], (e, -(d + e), 2.0 * e + d))
    return concatenate([first, inner, last], axis=axis)


def _combined(d: Any, e: Any, values: Any, weights: Any) -> Any:
    """Slope from three neighbours at distances d and e, with the given numerators of their weights."""
    x, y, z = values
    u, v, w = weights
    return u / (d * (d + e)) * x + v / (d * e) * y + w / (e * (d + e)) * z


def _vector(x: Any) -> Any:
    x = as_array(x)
    if len(shape_of(x)) > 1:
        raise ValueError("object too deep for desired array")
    return reshape(x, (-1,))


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Discrete convolution of two vectors."""
    a, v = _vector(a), _vector(v)
    n, m = shape_of(a)[0], shape_of(v)[0]
    if n == 0 or m == 0:
        raise ValueError(("a" if n == 0 else "v") + " cannot be empty")
    short, long = sorted((n, m))
    match mode:
        case "full":
            return call(contraction.convolve, a, v)
        case "same":
            return call(contraction.convolve, a, v)[(short - 1) // 2 :][:long]
        case "valid":
            a, v = (a, v) if n >= m else (v, a)
            return call(contraction.window_sums, a, flip(v))
    raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")


@implements(np.correlate)
@in_order("C")
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Cross-correlation of two vectors, the second of them conjugated."""
    a, v = _vector(a), conj(_vector(v))
    if mode == "same" and shape_of(a)[0] < shape_of(v)[0]:
        return flip(convolve(flip(a), v, mode))
    return convolve(a, flip(v), mode)


__all__ = ["convolve", "correlate", "gradient", "interp", "trapezoid"]
