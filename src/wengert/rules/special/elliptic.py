"""Elliptic integrals and functions, and the arithmetic-geometric mean (DLMF 19, 22).

Everything goes back to Carlson's symmetric integrals (DLMF 19.18, 19.25): their derivatives are integrals of positive
functions, which do not cancel where Legendre's forms do, at m = 0 or for equal means.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import Elementwise, General, align, conjugate, real_part, strong_scale
from wengert.rules.elementwise import (
    cos,
    equal,
    greater,
    power,
    reciprocal,
    rint,
    sin,
    sqrt,
    square,
    where,
)
from wengert.rules.special.common import part, sp, typed

# Carlson's integrals --------------------------------------------------------------------------------------------------

elliprf = Elementwise(
    sp.elliprf,
    lambda x, y, z: -elliprd(y, z, x) / 6,
    lambda x, y, z: -elliprd(x, z, y) / 6,
    lambda x, y, z: -elliprd(x, y, z) / 6,
    singular=True,
)
elliprd = Elementwise(
    sp.elliprd,
    lambda x, y, z: -0.75 * _integral(x, y, z, (3, 1, 3, 0)),
    lambda x, y, z: -0.75 * _integral(x, y, z, (1, 3, 3, 0)),
    lambda x, y, z: -2.25 * _integral(x, y, z, (1, 1, 5, 0)),
    singular=True,
)
elliprg = Elementwise(
    sp.elliprg,
    lambda x, y, z: _elliprg_partial(y, z, x),
    lambda x, y, z: _elliprg_partial(x, z, y),
    lambda x, y, z: _elliprg_partial(x, y, z),
    singular=True,
)
elliprc = Elementwise(
    sp.elliprc,
    lambda x, y: typed(_elliprc_partial_x(x, y), x),
    lambda x, y: typed(_elliprc_partial_y(x, y), y),
    singular=True,
)
elliprj = Elementwise(
    sp.elliprj,
    lambda x, y, z, w: typed(_elliprj_partial(y, z, x, w), x),
    lambda x, y, z, w: typed(_elliprj_partial(x, z, y, w), y),
    lambda x, y, z, w: typed(_elliprj_partial(x, y, z, w), z),
    lambda x, y, z, w: typed(_elliprj_partial_p(x, y, z, w), w),
    singular=True,
)


# Derivatives of R_D and R_J are integrals of the same kind with higher powers. Formulas that reduce them to those
# divide by differences of the arguments, which may be equal. So the integrals are a function of their own.


def _evaluate(x: Any, y: Any, z: Any, p: Any, *, powers: tuple[int, int, int, int]) -> Any:
    """∫₀^∞ (t+x)^(-a/2) (t+y)^(-b/2) (t+z)^(-c/2) (t+p)^(-d/2) dt, by the trapezoidal rule in log t.

    It converges exponentially, at a rate that the distance of the arguments from the negative axis determines.
    """
    operands = np.broadcast_arrays(x, y, z, p)
    dtype = np.result_type(x, y, z, p)
    wide = np.stack([np.asarray(o).reshape(-1) for o in operands]).astype(np.result_type(dtype, np.float64))
    relevant = np.array(powers) > 0
    half = 0.5 * np.array(powers)[:, None]
    out = np.empty(wide.shape[1], wide.dtype)
    with np.errstate(all="ignore"):
        for start in range(0, out.size, _BLOCK):
            args = wide[:, start : start + _BLOCK]
            sizes = np.where(relevant[:, None], np.abs(args), 0.0)
            scale = sizes.max(axis=0)
            sizes = sizes / scale
            lowest = np.min(sizes, initial=1.0, where=(sizes > 0) & np.isfinite(sizes))
            singular = np.any((sizes == 0) & relevant[:, None] & (half > 0))
            step = 0.125 if wide.dtype.kind == "c" else 0.5
            u = np.arange(np.log(lowest) - (80 if singular else 40), 30.0, step)
            t = np.exp(u)[:, None]
            total = np.zeros(scale.shape, wide.dtype)
            factors = np.broadcast_to(t, (u.size, scale.size)).astype(wide.dtype)
            for k in np.flatnonzero(relevant):
                factors = factors * (t + args[k] / scale) ** -half[k]
            total = step * factors.sum(axis=0) * scale ** (1 - half.sum())
            diverges = np.any((args == 0) & (half >= 1), axis=0)
            out[start : start + _BLOCK] = np.where(diverges, np.inf, total)
    return out.reshape(operands[0].shape).astype(dtype)[()]


_BLOCK = 1024


def _raised(powers: tuple[int, ...], k: int) -> tuple[int, ...]:
    return tuple(n + 2 * (i == k) for i, n in enumerate(powers))


def _partials(args: Sequence[Any], powers: tuple[int, ...]) -> list[Any]:
    """Partial derivatives: the integral with one power raised."""
    return [-0.5 * n * carlson(*args, powers=_raised(powers, k)) if n else None for k, n in enumerate(powers)]


def _carlson_jvp(tangents: Sequence[Any], out: Any, *args: Any, powers: tuple[int, ...]) -> Any:
    terms = [strong_scale(p, t) for p, t in zip(_partials(args, powers), tangents, strict=True) if p is not None]
    return functools.reduce(lambda a, b: a + b, terms)


def _carlson_vjp(ct: Any, out: Any, *args: Any, powers: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(None if p is None else strong_scale(conjugate(p), ct) for p in _partials(args, powers))


carlson = General(
    _evaluate,
    jvp=_carlson_jvp,
    vjp=_carlson_vjp,
    keep="args",
    name="carlson",
    batch=lambda size, args, batched, *, powers: carlson(*align(args, batched), powers=powers),
)


def _integral(x: Any, y: Any, z: Any, powers: tuple[int, ...], p: Any = 1.0) -> Any:
    return carlson(x, y, z, p, powers=powers)


def _elliprg_partial(y: Any, z: Any, x: Any) -> Any:
    """The partial derivative of R_G with respect to x (its homogeneity and DLMF 19.21.10)."""
    zero = equal(x, 0.0)
    return 0.25 * (elliprf(x, y, z) - where(zero, 0.0, x * elliprd(y, z, where(zero, 1.0, x)) / 3))


def _elliprc_partial_x(x: Any, y: Any) -> Any:
    """R_C(x, y) = R_F(x, y, y), for negative y its principal value, which R_D does not have."""
    regular = greater(real_part(y), 0.0)
    u, v = where(regular, x, 1.0), where(regular, y, 1.0)
    s, t = where(regular, 1.0, x), where(regular, 2.0, y)
    return where(regular, -elliprd(v, v, u) / 6, 0.5 * (elliprc(s, t) - reciprocal(sqrt(s))) / (t - s))


def _elliprc_partial_y(x: Any, y: Any) -> Any:
    regular = greater(real_part(y), 0.0)
    u, v = where(regular, x, 1.0), where(regular, y, 1.0)
    s, t = where(regular, 1.0, x), where(regular, 2.0, y)
    root = sqrt(s)
    principal = -0.5 * (elliprc(s, t) + (s * elliprc(s, t) - root) / (t - s)) / t
    return where(regular, -elliprd(u, v, v) / 3, principal)


def _elliprj_partial(x: Any, y: Any, z: Any, p: Any) -> Any:
    """With respect to z. For negative p, where R_J is a principal value, by partial fractions."""
    regular = greater(real_part(p), 0.0)
    q = where(regular, -1.0, p)
    quotient = 0.5 * (elliprj(x, y, z, q) - elliprd(x, y, z)) / (q - z)
    return where(regular, -0.75 * _integral(x, y, z, (1, 1, 3, 2), where(regular, p, 1.0)), quotient)


def _elliprj_partial_p(x: Any, y: Any, z: Any, p: Any) -> Any:
    """For negative p by the others, as R_J is homogeneous of degree -3/2."""
    regular = greater(real_part(p), 0.0)
    q = where(regular, -1.0, p)
    total = 1.5 * elliprj(x, y, z, q)
    for a, b, c in ((y, z, x), (x, z, y), (x, y, z)):
        zero = equal(c, 0.0)
        safe = where(zero, 1.0, c)
        quotient = 0.5 * (elliprj(a, b, safe, q) - elliprd(a, b, safe)) / (q - safe)
        total = total + where(zero, 0.0, safe * quotient)
    return where(regular, -1.5 * _integral(x, y, z, (1, 1, 1, 4), where(regular, p, 1.0)), -total / q)


# Legendre's integrals -------------------------------------------------------------------------------------------------

ellipk = Elementwise(sp.ellipk, lambda x: elliprd(0.0, 1.0, 1 - x) / 6, singular=True)
ellipkm1 = Elementwise(sp.ellipkm1, lambda x: -elliprd(0.0, 1.0, x) / 6, singular=True)
ellipe = Elementwise(sp.ellipe, lambda x: -elliprd(0.0, 1 - x, 1.0) / 6, singular=True)
ellipkinc = Elementwise(
    sp.ellipkinc,
    lambda x, y: reciprocal(sqrt(1 - y * square(sin(x)))),
    lambda x, y: _incomplete_partial(x, y, ellipkinc),
    singular=True,
)
ellipeinc = Elementwise(
    sp.ellipeinc,
    lambda x, y: sqrt(1 - y * square(sin(x))),
    lambda x, y: _incomplete_partial(x, y, ellipeinc),
    singular=True,
)


def _incomplete_partial(phi: Any, m: Any, function: Any) -> Any:
    """∂F/∂m = sin³φ·R_D(cos²φ, 1, 1 - m·sin²φ)/6 for |φ| ≤ π/2, and so many times twice that of the whole integral.

    For E the last two arguments change places, and the sign.
    """
    halves = rint(phi / math.pi)
    phi = phi - math.pi * halves
    s, c = sin(phi), cos(phi)
    delta = 1 - m * square(s)
    none = equal(halves, 0.0)
    whole = where(none, 0.0, m)
    if function is ellipkinc:
        first, rest = elliprd(square(c), 1.0, delta), elliprd(0.0, 1.0, 1 - whole)
    else:
        first, rest = -elliprd(square(c), delta, 1.0), -elliprd(0.0, 1 - whole, 1.0)
    return (power(s, 3) * first + where(none, 0.0, 2 * halves * rest)) / 6


# Jacobi's functions: sn, cn and dn are sin φ, cos φ and √(1 - m·sin²φ) for the amplitude φ, that is F(φ, m) = u -------

ellipj_sn = Elementwise(
    part(sp.ellipj, 0),
    lambda x, y: ellipj_cn(x, y) * ellipj_dn(x, y),
    lambda x, y: ellipj_cn(x, y) * _amplitude_partial(x, y),
    name="ellipj_sn",
)
ellipj_cn = Elementwise(
    part(sp.ellipj, 1),
    lambda x, y: -ellipj_sn(x, y) * ellipj_dn(x, y),
    lambda x, y: -ellipj_sn(x, y) * _amplitude_partial(x, y),
    name="ellipj_cn",
)
ellipj_dn = Elementwise(
    part(sp.ellipj, 2),
    lambda x, y: -y * ellipj_sn(x, y) * ellipj_cn(x, y),
    lambda out, x, y: (
        -(0.5 * square(ellipj_sn(x, y)) + y * ellipj_sn(x, y) * ellipj_cn(x, y) * _amplitude_partial(x, y)) / out
    ),
    name="ellipj_dn",
)
ellipj_am = Elementwise(
    part(sp.ellipj, 3), lambda x, y: ellipj_dn(x, y), lambda x, y: _amplitude_partial(x, y), name="ellipj_am"
)


def _amplitude_partial(u: Any, m: Any) -> Any:
    return -ellipj_dn(u, m) * _incomplete_partial(ellipj_am(u, m), m, ellipkinc)


# π/(2·R_F(0, a², b²)), with the arguments divided by the mean so that squares stay in range (DLMF 19.22.8).
agm = Elementwise(
    sp.agm, lambda out, x, y: _agm_partial(x / out, y / out), lambda out, x, y: _agm_partial(y / out, x / out)
)


def _agm_partial(a: Any, b: Any) -> Any:
    return 2 / (3 * math.pi) * a * elliprd(0.0, square(b), square(a))
