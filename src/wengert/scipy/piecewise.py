"""Piecewise polynomials and the ways of choosing them, for `wengert.scipy.interpolate`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, normalise_axis
from wengert.numpy.indexing import take
from wengert.numpy.joining import concatenate, stack
from wengert.numpy.reductions import cumsum, diff
from wengert.numpy.reductions import max as max_
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import broadcast_to, cast, moveaxis, reshape
from wengert.numpy.sorting import searchsorted
from wengert.numpy.ufuncs import absolute, blend, clip, floor, isfinite, sign
from wengert.scipy.checks import refuse_unless
from wengert.scipy.equations import solve_banded


def as_floats(x: Any) -> Any:
    """Return an array in double precision, complex or not."""
    x = as_array(x)
    return cast(x, np.complex128 if dtype_of(x).kind == "c" else np.float64)


def wide(h: Any, like: Any) -> Any:
    """(n,) as (n, 1, …), to go with an array of more axes."""
    return reshape(h, (-1,) + (1,) * (len(shape_of(like)) - 1))


class PPoly:
    """Piecewise polynomial: on piece i, Σₖ c[k, i]·(x - x[i])^(K - 1 - k).

    Parameters
    ----------
    c : array_like
        Coefficients of shape (K, n, ...), highest power first.
    x : array_like
        The n + 1 ends of the pieces, in increasing order.
    extrapolate : bool or 'periodic', optional
        Whether the first and the last piece go on outside; NaN there, if not.
    axis : int
        Where the axes of the argument go in the result.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.scipy.interpolate import PPoly
    >>> p = PPoly(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([0.0, 1.0, 3.0]))
    >>> p(2.0), grad(p)(2.0)
    (np.float64(3.0), np.float64(2.0))
    """

    def __init__(self, c: Any, x: Any, extrapolate: Any = None, axis: int = 0) -> None:
        self.c, self.x = as_floats(c), as_floats(x)
        if len(shape_of(self.x)) != 1 or shape_of(self.x)[0] < 2:
            raise ValueError("x must be a vector of at least 2 breakpoints")
        if len(shape_of(self.c)) < 2:
            raise ValueError("c must have at least 2 dimensions")
        if shape_of(self.c)[1] != shape_of(self.x)[0] - 1:
            raise ValueError(f"number of coefficients != len(x)-1: {shape_of(self.c)[1]} and {shape_of(self.x)[0]}")
        self.extrapolate = True if extrapolate is None else extrapolate
        self.axis = normalise_axis(axis, len(shape_of(self.c)) - 1)

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """Value, or derivative of order nu, at x."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        x = as_floats(x)
        shape, rest = shape_of(x), shape_of(self.c)[2:]
        flat = reshape(x, (-1,))
        if extrapolate == "periodic":
            length = self.x[-1] - self.x[0]
            flat = flat - length * floor((flat - self.x[0]) / length)
        pieces = shape_of(self.c)[1]
        i = clip(searchsorted(self.x, flat, side="right") - 1, 0, pieces - 1)
        step = reshape(flat - take(self.x, i), (-1,) + (1,) * len(rest))
        degree = shape_of(self.c)[0] - 1
        out: Any = 0.0 * step + np.zeros(rest)
        for k in range(max(degree - nu + 1, 0)):
            out = out * step + take(self.c[k], i, axis=0) * math.perm(degree - k, nu)
        if not extrapolate:
            inside = reshape((flat >= self.x[0]) & (flat <= self.x[-1]), shape_of(step))
            out = blend(inside, out, np.nan)
        out = reshape(out, shape + rest)
        if self.axis and shape:
            out = moveaxis(out, range(len(shape)), range(self.axis, self.axis + len(shape)))
        return out[()] if type(out) is np.ndarray else out

    def derivative(self, nu: int = 1) -> PPoly:
        """The derivative, as a piecewise polynomial."""
        if nu < 0:
            return self.antiderivative(-nu)
        degree = shape_of(self.c)[0] - 1
        kept = max(degree - nu + 1, 0)
        factors = np.array([math.perm(degree - k, nu) for k in range(kept)], float)
        c = self.c[:kept] * wide(factors, self.c) if kept else 0.0 * self.c[:1]
        return PPoly(c, self.x, self.extrapolate, self.axis)

    def antiderivative(self, nu: int = 1) -> PPoly:
        """The integral from the first end on, as a piecewise polynomial."""
        if nu <= 0:
            return self.derivative(-nu)
        degree = shape_of(self.c)[0] - 1
        c = self.c / wide(np.arange(degree + 1, 0.0, -1), self.c)
        length = wide(diff(self.x), c[0])
        area: Any = 0.0
        for k in range(degree + 1):
            area = (area + c[k]) * length
        start = concatenate([np.zeros((1, *shape_of(area)[1:])), cumsum(area, axis=0)[:-1]])
        kind = False if self.extrapolate == "periodic" else self.extrapolate
        return PPoly(concatenate([c, start[None]]), self.x, kind, self.axis).antiderivative(nu - 1)

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from a to b."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        a, b = as_floats(a), as_floats(b)
        whole = self.antiderivative()
        if extrapolate != "periodic":
            return whole(b, extrapolate=extrapolate) - whole(a, extrapolate=extrapolate)
        start, length = self.x[0], self.x[-1] - self.x[0]

        def up_to(x: Any) -> Any:
            turns = floor((x - start) / length)
            return whole(x - turns * length, extrapolate=True) + turns * whole(self.x[-1], extrapolate=True)

        return up_to(b) - up_to(a)


def prepared(x: Any, y: Any, axis: int, dydx: Any = None) -> tuple[Any, Any, Any, int]:
    """Return the knots, the values with the axis of interpolation first, derivatives likewise, and the axis."""
    x, y = as_floats(x), as_floats(y)
    if dtype_of(x).kind == "c":
        raise ValueError("`x` must contain real values.")
    axis = normalise_axis(axis, len(shape_of(y)))
    y = moveaxis(y, axis, 0)
    if len(shape_of(x)) != 1:
        raise ValueError("`x` must be 1-dimensional.")
    if shape_of(x)[0] < 2:
        raise ValueError("`x` must contain at least 2 elements.")
    if shape_of(x)[0] != shape_of(y)[0]:
        raise ValueError(f"The length of `y` along `axis`={axis} doesn't match the length of `x`")
    if dydx is not None:
        dydx = moveaxis(as_floats(dydx), axis, 0)
        if shape_of(dydx) != shape_of(y):
            raise ValueError("The shapes of `y` and `dydx` must be identical.")
        refuse_unless(isfinite(dydx), "`dydx` must contain only finite values.")
    refuse_unless(isfinite(x), "`x` must contain only finite values.")
    refuse_unless(isfinite(y), "`y` must contain only finite values.")
    refuse_unless(diff(x) > 0, "`x` must be strictly increasing sequence.")
    return x, y, dydx, axis


class CubicHermiteSpline(PPoly):
    """Piecewise cubic polynomial with given values and derivatives at the knots.

    Parameters
    ----------
    x : array_like
        The n knots, in increasing order.
    y, dydx : array_like
        Values and derivatives at the knots, which lie along `axis`.
    axis : int
        Axis of y along which the knots are.
    extrapolate : bool or 'periodic', optional
        Whether the first and the last piece go on outside; NaN there, if not.
    """

    def __init__(self, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None) -> None:
        x, y, dydx, axis = prepared(x, y, axis, dydx)
        self._choose(x, y, dydx, axis, extrapolate)

    def _choose(self, x: Any, y: Any, s: Any, axis: int, extrapolate: Any) -> None:
        h = wide(diff(x), y)
        slope = diff(y, axis=0) / h
        t = (s[:-1] + s[1:] - 2 * slope) / h
        c = stack([t / h, (slope - s[:-1]) / h - t, s[:-1], y[:-1]])
        PPoly.__init__(self, c, x, extrapolate, axis)


class PchipInterpolator(CubicHermiteSpline):
    """Piecewise cubic polynomial that is monotonic where the data are (Fritsch & Butland, SIAM J. Sci. Comp. 5, 1984).

    Parameters are those of `CubicSpline`, without boundary conditions. Where neighbouring slopes change their sign, the
    derivative at the knot is 0, and so is its derivative with respect to the data.
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, extrapolate: Any = None) -> None:
        x, y, _, axis = prepared(x, y, axis)
        if dtype_of(y).kind == "c":
            raise ValueError("`PchipInterpolator` only works with real values for `y`.")
        h = wide(diff(x), y)
        m = diff(y, axis=0) / h
        if shape_of(x)[0] == 2:
            s = concatenate([m, m])
        else:
            turning = (sign(m[1:]) != sign(m[:-1])) | (m[1:] == 0) | (m[:-1] == 0)
            w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
            before, after = (blend(turning, 1.0, part) for part in (m[:-1], m[1:]))
            inner = blend(turning, 0.0, (w1 + w2) / (w1 / before + w2 / after))
            s = concatenate([_end_slope(h, m), inner, _end_slope(h[::-1], m[::-1])])
        self._choose(x, y, s, axis, extrapolate)


def _end_slope(h: Any, m: Any) -> Any:
    """Three-point formula, bounded so that the shape is kept."""
    d = ((2 * h[:1] + h[1:2]) * m[:1] - h[:1] * m[1:2]) / (h[:1] + h[1:2])
    wrong = sign(d) != sign(m[:1])
    steep = (sign(m[:1]) != sign(m[1:2])) & (absolute(d) > 3 * absolute(m[:1]))
    return blend(wrong, 0.0, blend(steep, 3 * m[:1], d))


class Akima1DInterpolator(CubicHermiteSpline):
    """Akima's piecewise cubic polynomial ("A new method of interpolation", J. ACM 17, 1970), or its modification.

    Parameters
    ----------
    x, y, axis, extrapolate
        As for `CubicSpline`; outside there is NaN by default.
    method : {'akima', 'makima'}
        The second one avoids overshooting where several values are equal.
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, *, method: str = "akima", extrapolate: Any = None) -> None:
        if method not in ("akima", "makima"):
            raise NotImplementedError(f"`method`={method} is unsupported.")
        x, y, _, axis = prepared(x, y, axis)
        if dtype_of(y).kind == "c":
            raise ValueError("`Akima1DInterpolator` only works with real values for `y`.")
        m = diff(y, axis=0) / wide(diff(x), y)
        if shape_of(x)[0] == 2:
            s = concatenate([m, m])
        else:
            m1, n1 = 2 * m[:1] - m[1:2], 2 * m[-1:] - m[-2:-1]
            m = concatenate([2 * m1 - m[:1], m1, m, n1, 2 * n1 - m[-1:]])
            change = absolute(diff(m, axis=0))
            if method == "makima":
                change = change + 0.5 * absolute(m[1:] + m[:-1])
            f1, f2 = change[2:], change[:-2]
            total = f1 + f2
            known = total > 1e-9 * max_(total, initial=-np.inf)
            weight = f2 / blend(known, total, 1.0)
            s = blend(known, m[1:-2] + weight * (m[2:-1] - m[1:-2]), 0.5 * (m[3:] + m[:-3]))
        self._choose(x, y, s, axis, False if extrapolate is None else extrapolate)


class CubicSpline(CubicHermiteSpline):
    """Piecewise cubic polynomial with two continuous derivatives, differentiable in the argument and the data.

    Parameters
    ----------
    x : array_like
        The n knots, in increasing order.
    y : array_like
        Values at the knots, which lie along `axis`.
    axis : int
        Axis of y along which the knots are.
    bc_type : str or pair
        Condition at both ends or at each: 'not-a-knot', 'clamped', 'natural', (1, first derivative), (2, second
        derivative); or 'periodic'.
    extrapolate : bool or 'periodic', optional
        Whether the first and the last piece go on outside; NaN there, if not. Default True, or 'periodic' for a
        periodic spline.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.scipy.interpolate import CubicSpline
    >>> x = np.linspace(0, np.pi, 9)
    >>> grad(CubicSpline(x, np.sin(x)))(1.0).round(3)
    np.float64(0.54)
    >>> grad(lambda y: CubicSpline(x, y, bc_type="natural")(1.0))(np.sin(x)).round(2)
    array([ 0.02, -0.11,  0.54,  0.66, -0.13,  0.04, -0.01,  0.  , -0.  ])
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: Any = None) -> None:
        x, y, _, axis = prepared(x, y, axis)
        start, end = _conditions(bc_type, y)
        if extrapolate is None:
            extrapolate = "periodic" if start == "periodic" else True
        n, dx = shape_of(x)[0], diff(x)
        h = wide(dx, y)
        slope = diff(y, axis=0) / h
        if n == 2:
            start, end = ((1, slope[0]) if c in ("not-a-knot", "periodic") else c for c in (start, end))
        if n == 3 and start == end == "not-a-knot":  # a parabola
            bend = (slope[1:] - slope[:1]) / (h[:1] + h[1:])
            s = concatenate([slope[:1] - bend * h[:1], slope[:1] + bend * h[:1], slope[1:] + bend * h[1:]])
        elif n == 3 and start == "periodic":
            s = broadcast_to(sum_(slope / h, axis=0) / sum_(1 / h, axis=0), shape_of(y))
        elif start == "periodic":
            s = _periodic_slopes(dx, h, slope)
        else:
            s = _slopes(dx, h, slope, start, end, y)
        self._choose(x, y, s, axis, extrapolate)


def _conditions(bc_type: Any, y: Any) -> tuple[Any, Any]:
    """Both boundary conditions as 'not-a-knot', 'periodic' or (order, value)."""
    if isinstance(bc_type, str):
        pair = (bc_type, bc_type)
    else:
        if len(bc_type) != 2:
            raise ValueError("`bc_type` must contain 2 elements to specify start and end conditions.")
        if "periodic" in [c for c in bc_type if isinstance(c, str)]:
            raise ValueError(
                "'periodic' `bc_type` is defined for both curve ends and cannot be used with other conditions."
            )
        pair = tuple(bc_type)
    if pair[0] == "periodic":
        message = "The first and last `y` point must be identical (within machine precision) when bc_type='periodic'."
        refuse_unless(absolute(y[0] - y[-1]) <= 1e-15 + 1e-15 * absolute(y[-1]), message)
        return pair
    out: list[Any] = []
    for condition in pair:
        if isinstance(condition, str):
            known = {"not-a-knot": "not-a-knot", "clamped": (1, 0.0), "natural": (2, 0.0)}
            if condition not in known:
                raise ValueError(f"bc_type={condition} is not allowed.")
            out.append(known[condition])
            continue
        try:
            order, value = condition
        except Exception as error:
            raise ValueError("A specified derivative value must be given in the form (order, value).") from error
        if order not in (1, 2):
            raise ValueError("The specified derivative order must be 1 or 2.")
        value = as_floats(value)
        if shape_of(value) != shape_of(y)[1:]:
            raise ValueError(f"`deriv_value` shape {shape_of(value)} is not the expected one - {shape_of(y)[1:]}.")
        out.append((order, value))
    return out[0], out[1]


def _end_equation(condition: Any, dx: Any, h: Any, slope: Any, sign_: float) -> tuple[Any, Any, Any]:
    """The first row of the system: diagonal, its neighbour and the right side; for the last row everything reversed."""
    zero = 0.0 * slope[0]
    if condition == "not-a-knot":
        d = dx[0] + dx[1]
        right = ((h[0] + 2 * d) * h[1] * slope[0] + h[0] ** 2 * slope[1]) / d
        return dx[1], d, right
    order, value = condition
    if order == 1:
        return 0.0 * dx[0] + 1.0, 0.0 * dx[0], value + zero
    return 2 * dx[0], dx[0], -0.5 * sign_ * value * h[0] ** 2 + 3 * slope[0] * h[0]


def _slopes(dx: Any, h: Any, slope: Any, start: Any, end: Any, y: Any) -> Any:
    """Derivatives at the knots, from a tridiagonal system (de Boor, "A Practical Guide to Splines", 1978, ch. IV)."""
    first, beside_first, right_first = _end_equation(start, dx, h, slope, 1.0)
    last, beside_last, right_last = _end_equation(end, dx[::-1], h[::-1], slope[::-1], -1.0)
    none = 0.0 * dx[:1]
    ab = stack(
        [
            concatenate([none, beside_first[None], dx[:-1]]),
            concatenate([first[None], 2 * (dx[:-1] + dx[1:]), last[None]]),
            concatenate([dx[1:], beside_last[None], none]),
        ]
    )
    inner = 3 * (h[1:] * slope[:-1] + h[:-1] * slope[1:])
    right = concatenate([right_first[None], inner, right_last[None]])
    n = shape_of(y)[0]
    return reshape(solve_banded((1, 1), ab, reshape(right, (n, -1))), shape_of(y))


def _periodic_slopes(dx: Any, h: Any, slope: Any) -> Any:
    """The same for a periodic spline: a cyclic system, which differs by a matrix of rank one from a tridiagonal one."""
    before, h_before, slope_before = (concatenate([a[-1:], a[:-1]]) for a in (dx, h, slope))
    n = shape_of(dx)[0]
    right = reshape(3 * (h * slope_before + h_before * slope), (n, -1))
    diagonal, upper, lower = 2 * (before + dx), before, dx
    # Rows 0 and n - 1 also have the entries lower[0] in the last and upper[-1] in the first column.
    pivot = -diagonal[:1]
    changed = concatenate([diagonal[:1] - pivot, diagonal[1:-1], diagonal[-1:] - upper[-1:] * lower[:1] / pivot])
    none = 0.0 * dx[:1]
    ab = stack([concatenate([none, upper[:-1]]), changed, concatenate([lower[1:], none])])
    column = concatenate([pivot, np.zeros(n - 2), upper[-1:]])
    solved = solve_banded((1, 1), ab, concatenate([right, column[:, None]], axis=1))
    z, q = solved[:, :-1], solved[:, -1:]
    ratio = lower[:1] / pivot
    s = z - q * (z[:1] + ratio * z[-1:]) / (1 + q[:1] + ratio * q[-1:])
    return reshape(concatenate([s, s[:1]]), (n + 1, *shape_of(slope)[1:]))
