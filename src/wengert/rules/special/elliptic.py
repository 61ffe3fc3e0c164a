"""Elliptic integrals and functions, and the arithmetic-geometric mean (DLMF 19, 22).

Everything goes back to Carlson's symmetric integrals (DLMF 19.18, 19.25): their derivatives are integrals of positive
functions, which do not cancel where Legendre's forms do, at m = 0 or for equal means.
"""

from __future__ import annotations

import math
from typing import Any

from wengert.core.combinators import Elementwise, real
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
from wengert.rules.special.common import is_complex, part, sp

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
    lambda x, y, z: -0.5 * _mixed(x, y, z),
    lambda x, y, z: -0.5 * _mixed(y, x, z),
    lambda out, x, y, z: (0.5 * (_mixed(x, y, z, times_x=True) + _mixed(y, x, z, times_x=True)) - 1.5 * out) / z,
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
    lambda out, x, y: _elliprc_partial_x(out, x, y),
    lambda out, x, y: _elliprc_partial_y(out, x, y),
    singular=True,
)
elliprj = Elementwise(
    sp.elliprj,
    lambda out, x, y, z, w: _elliprj_partial(out, y, z, x, w),
    lambda out, x, y, z, w: _elliprj_partial(out, x, z, y, w),
    lambda out, x, y, z, w: _elliprj_partial(out, x, y, z, w),
    lambda out, x, y, z, w: _elliprj_partial_p(out, x, y, z, w),
    singular=True,
)


def _mixed(x: Any, y: Any, z: Any, times_x: bool = False) -> Any:
    """(R_D(y, z, x) - R_D(x, y, z))/(z - x) = 3/2 ∫ dt (t+x)^(-3/2) (t+y)^(-1/2) (t+z)^(-3/2), perhaps times x.

    By Carlson's duplication (DLMF 19.26.18, 19.26.20): each step adds a positive term and brings the arguments nearer
    to each other by a factor of 4, at last they are as good as equal.
    """
    factor = x if times_x else 1.0
    total: Any = 0.0
    weight = 1.0
    for step in range(12):
        a, b, c = sqrt(x), sqrt(y), sqrt(z)
        shift = a * b + b * c + a * c
        u, v = x + shift, z + shift
        term = 3 * weight * (x + z + a * c + shift) / ((a + c) * c * u * v)
        total = total + (a * term if times_x and step == 0 else factor * (term / a))  # x/√x is √x, at 0, too
        x, y, z = u, y + shift, v
        weight *= 2
    mean = (3 * x + y + 3 * z) / 7
    rest = 0.6 * weight / (square(mean) * sqrt(mean))
    return total + factor * rest


def _elliprg_partial(y: Any, z: Any, x: Any) -> Any:
    """The partial derivative of R_G with respect to x (its homogeneity and DLMF 19.21.10)."""
    return 0.25 * (elliprf(x, y, z) - x * elliprd(y, z, x) / 3)


def _elliprc_partial_x(out: Any, x: Any, y: Any) -> Any:
    """R_C(x, y) = R_F(x, y, y), for negative y its principal value, which R_D does not have."""
    regular = greater(real(y) if is_complex(y) else y, 0.0)
    u, v = where(regular, x, 1.0), where(regular, y, 1.0)
    s, t = where(regular, 1.0, x), where(regular, 2.0, y)
    return where(regular, -elliprd(v, v, u) / 6, 0.5 * (elliprc(s, t) - reciprocal(sqrt(s))) / (t - s))


def _elliprc_partial_y(out: Any, x: Any, y: Any) -> Any:
    regular = greater(real(y) if is_complex(y) else y, 0.0)
    u, v = where(regular, x, 1.0), where(regular, y, 1.0)
    s, t = where(regular, 1.0, x), where(regular, 2.0, y)
    root = sqrt(s)
    principal = -0.5 * (elliprc(s, t) + (s * elliprc(s, t) - root) / (t - s)) / t
    return where(regular, -elliprd(u, v, v) / 3, principal)


def _elliprj_partial(out: Any, x: Any, y: Any, z: Any, p: Any) -> Any:
    """With respect to z; at p = z by the derivative of R_D(x, y, z) = R_J(x, y, z, z)."""
    same = equal(p, z)
    distance = where(same, 1.0, p - z)
    quotient = 0.5 * (out - elliprd(x, y, z)) / distance
    return where(same, elliprd.partials[2](out, x, y, z) / 3, quotient)


def _elliprj_partial_p(out: Any, x: Any, y: Any, z: Any, p: Any) -> Any:
    """From the others, as R_J is homogeneous of degree -3/2."""
    total = 1.5 * out
    for a, b, c in ((y, z, x), (x, z, y), (x, y, z)):
        zero = equal(c, 0.0)
        safe = where(zero, 1.0, c)
        total = total + where(zero, 0.0, safe * _elliprj_partial(out, a, b, safe, p))
    return -total / p


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
