"""Integrals of samples as in `scipy.integrate`, differentiable in the samples and where they are taken.

`odeint`, which integrates differential equations, is in a module of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.integrate as si

from wengert.core.values import dtype_of, shape_of
from wengert.numpy import calculus
from wengert.numpy.dispatch import as_array, implements, normalise_axis
from wengert.numpy.joining import concatenate
from wengert.numpy.reductions import cumsum, diff
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import broadcast_to, cast, moveaxis
from wengert.numpy.ufuncs import blend
from wengert.scipy.checks import refuse_unless
from wengert.scipy.odeint import odeint


@implements(si.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """As `numpy.trapezoid`."""
    return calculus.trapezoid(y, x, dx, axis)


def _samples(y: Any, x: Any, axis: int, what: str) -> tuple[Any, Any]:
    """Return samples and the distances between them with the axis last; no distances if there are no places."""
    y = as_array(y)
    axis = normalise_axis(axis, len(shape_of(y)))
    y = moveaxis(y if dtype_of(y).kind in "fc" else cast(y, np.float64), axis, -1)
    if x is None:
        return y, None
    x = as_array(x)
    if len(shape_of(x)) == len(shape_of(y)) > 1:
        x = moveaxis(x, axis, -1)
    elif len(shape_of(x)) != 1:
        raise ValueError("If given, shape of x must be 1-D or the same as y.")
    if shape_of(x)[-1] != shape_of(y)[-1]:
        raise ValueError(f"If given, length of x along axis must be the same as y ({what}).")
    return y, diff(x, axis=-1)


def _ratio(x: Any, y: Any) -> Any:
    """x / y, and 0 where y is."""
    zero = y == 0
    return blend(zero, 0.0, x / blend(zero, 1.0, y))


def _pairs(y: Any, h: Any, dx: Any, stop: int) -> Any:
    """Simpson's rule over pairs of intervals that begin before `stop`."""
    y0, y1, y2 = (y[..., k : stop + k : 2] for k in range(3))
    if h is None:
        return sum_(y0 + 4.0 * y1 + y2, axis=-1) * (dx / 3.0)
    h0, h1 = h[..., 0:stop:2], h[..., 1 : stop + 1 : 2]
    total, ratio = h0 + h1, _ratio(h0, h1)
    weighted = y0 * (2.0 - _ratio(1.0, ratio)) + y1 * (total * _ratio(total, h0 * h1)) + y2 * (2.0 - ratio)
    return sum_(total / 6.0 * weighted, axis=-1)


@implements(si.simpson)
def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """Simpson's rule; with a correction for the last interval if the number of samples is even."""
    y, h = _samples(y, x, axis, "simpson")
    n = shape_of(y)[-1]
    if n % 2:
        return _pairs(y, h, dx, n - 2)
    last = dx if h is None else h[..., -1]
    if n == 2:
        return 0.5 * last * (y[..., 0] + y[..., 1])
    before = dx if h is None else h[..., -2]
    alpha = _ratio(2 * last**2 + 3 * before * last, 6 * (before + last))
    beta = _ratio(last**2 + 3 * before * last, 6 * before)
    eta = _ratio(last**3, 6 * before * (before + last))
    return _pairs(y, h, dx, n - 3) + alpha * y[..., -1] + beta * y[..., -2] - eta * y[..., -3]


@implements(si.cumulative_trapezoid)
def cumulative_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None) -> Any:
    """Integrals up to each sample, by the trapezoidal rule."""
    y, h = _samples(y, x, axis, "cumulative_trapezoid")
    if shape_of(y)[-1] == 0:
        raise ValueError("At least one point is required along `axis`.")
    out = cumsum((dx if h is None else h) * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)
    if initial is not None:
        if initial != 0:
            raise ValueError("`initial` must be `None` or `0`.")
        out = concatenate([np.zeros((*shape_of(out)[:-1], 1), dtype_of(out)), out], axis=-1)
    return moveaxis(out, -1, axis)


def _first_intervals(y: Any, h: Any) -> Any:
    """Integrals over the first of two neighbouring intervals, of the parabola through three samples."""
    y0, y1, y2, h0 = y[..., :-2], y[..., 1:-1], y[..., 2:], h[..., :-1]
    a = h0 / (h0 + h[..., 1:])
    b = a * (h0 / h[..., 1:])
    return h0 / 6 * ((3 - a) * y0 + (3 + b + a) * y1 - b * y2)


@implements(si.cumulative_simpson)
def cumulative_simpson(y: Any, *, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None) -> Any:
    """Integrals up to each sample, by Simpson's rule."""
    number = axis
    y, h = _samples(y, x, axis, "cumulative_simpson")
    n = shape_of(y)[-1]
    if h is not None:
        refuse_unless(h > 0, "Input x must be strictly increasing.")
    else:
        h = as_array(dx)
        h = moveaxis(h, number, -1) if len(shape_of(h)) > 1 else h
        h = broadcast_to(h, (*shape_of(y)[:-1], n - 1) if n else shape_of(y))
    if n < 3:
        out = cumsum(h * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)
    else:
        h = broadcast_to(h, (*shape_of(y)[:-1], n - 1))
        ahead = _first_intervals(y, h)
        behind = _first_intervals(y[..., ::-1], h[..., ::-1])[..., ::-1]
        # Each parabola serves two intervals, and the last one what is left over.
        i = np.arange(n - 1)
        choice = np.where(i % 2 == 0, i, n - 2 + i - 1)
        choice[-1] = 2 * (n - 2) - 1
        out = cumsum(concatenate([ahead, behind], axis=-1)[..., choice], axis=-1)
    if initial is not None:
        start = as_array(initial)
        start = moveaxis(start, number, -1) if len(shape_of(start)) else start
        start = broadcast_to(start, (*shape_of(out)[:-1], 1))
        out = concatenate([start, out + start], axis=-1)
    return moveaxis(out, -1, number)


@implements(si.romb)
def romb(y: Any, dx: Any = 1.0, axis: int = -1, show: bool = False) -> Any:
    """Romberg's rule for 2ᵏ + 1 samples at equal distances."""
    y, _ = _samples(y, None, axis, "romb")
    intervals = shape_of(y)[-1] - 1
    k = intervals.bit_length() - 1
    if intervals < 1 or 1 << k != intervals:
        raise ValueError("Number of samples must be one plus a non-negative power of 2.")
    row: list[Any] = []
    for level in range(k + 1):
        part = y[..., :: 1 << (k - level)]
        sums = sum_(part, axis=-1) - 0.5 * (part[..., 0] + part[..., -1])
        new = [sums * (dx * (1 << (k - level)))]
        for j, coarser in enumerate(row):
            new.append(new[j] + (new[j] - coarser) / (4 ** (j + 1) - 1))
        row = new
    return row[-1]


__all__ = ["cumulative_simpson", "cumulative_trapezoid", "odeint", "romb", "simpson", "trapezoid"]
