"""Bessel functions and their relatives: Hankel, Airy, Kelvin, Struve, and integrals of them (DLMF 9 to 11).

The derivatives are differences of neighbouring orders rather than quotients by the argument, which is why they hold at
the origin, too. Derivatives with respect to the order are not of closed form.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import scipy.special

from wengert.core.combinators import Elementwise, imag, real
from wengert.core.primitive import Primitive
from wengert.rules.elementwise import absolute, equal, exp, less, maximum, power, sign, sqrt, square, where
from wengert.rules.special.common import in_last, lower, real_only, several, sp, typed, unknown
from wengert.rules.special.gammas import rgamma

# Bessel functions (DLMF 10.6, 10.29) ----------------------------------------------------------------------------------

j0 = Elementwise(sp.j0, lambda x: -j1(x))
j1 = Elementwise(sp.j1, lambda x: 0.5 * (j0(x) - jv(2, x)))
y0 = Elementwise(sp.y0, lambda x: -y1(x))
y1 = Elementwise(sp.y1, lambda x: 0.5 * (y0(x) - yv(2, x)))
i0 = Elementwise(sp.i0, lambda x: i1(x))
i1 = Elementwise(sp.i1, lambda x: 0.5 * (i0(x) + iv(2, x)))
k0 = Elementwise(sp.k0, lambda x: -k1(x))
k1 = Elementwise(sp.k1, lambda x: -0.5 * (k0(x) + kv(2, x)))
i0e = Elementwise(sp.i0e, lambda out, x: i1e(x) - sign(x) * out)
i1e = Elementwise(sp.i1e, lambda out, x: 0.5 * (i0e(x) + ive(2, x)) - sign(x) * out)
k0e = Elementwise(sp.k0e, lambda out, x: out - k1e(x))
k1e = Elementwise(sp.k1e, lambda out, x: out - 0.5 * (k0e(x) + kve(2, x)))
jv = in_last(sp.jv, lambda x, y: 0.5 * (jv(x - 1, y) - jv(x + 1, y)), "its order")
yv = in_last(sp.yv, lambda x, y: 0.5 * (yv(x - 1, y) - yv(x + 1, y)), "its order")
iv = in_last(sp.iv, lambda x, y: 0.5 * (iv(x - 1, y) + iv(x + 1, y)), "its order")
kv = in_last(sp.kv, lambda x, y: -0.5 * (kv(x - 1, y) + kv(x + 1, y)), "its order")
yn = in_last(sp.yn, lambda x, y: 0.5 * (yn(x - 1, y) - yn(x + 1, y)), "its order")
kn = in_last(sp.kn, lambda x, y: -0.5 * (kn(x - 1, y) + kn(x + 1, y)), "its order")
jve = in_last(real_only(sp.jve), lambda x, y: 0.5 * (jve(x - 1, y) - jve(x + 1, y)), "its order")
yve = in_last(real_only(sp.yve), lambda x, y: 0.5 * (yve(x - 1, y) - yve(x + 1, y)), "its order")
ive = in_last(real_only(sp.ive), lambda out, x, y: 0.5 * (ive(x - 1, y) + ive(x + 1, y)) - sign(y) * out, "its order")
kve = in_last(sp.kve, lambda out, x, y: out - 0.5 * (kve(x - 1, y) + kve(x + 1, y)), "its order")
hankel1 = in_last(sp.hankel1, lambda x, y: 0.5 * (hankel1(x - 1, y) - hankel1(x + 1, y)), "its order")
hankel2 = in_last(sp.hankel2, lambda x, y: 0.5 * (hankel2(x - 1, y) - hankel2(x + 1, y)), "its order")
hankel1e = in_last(
    sp.hankel1e, lambda out, x, y: 0.5 * (hankel1e(x - 1, y) - hankel1e(x + 1, y)) - 1j * out, "its order"
)
hankel2e = in_last(
    sp.hankel2e, lambda out, x, y: 0.5 * (hankel2e(x - 1, y) - hankel2e(x + 1, y)) + 1j * out, "its order"
)

# For complex z the factors exp(-|Im z|) of jve and yve, and exp(-|Re z|) of ive, are not holomorphic. With exp(iσz) and
# exp(-σz) instead, which differ from them by a phase, the functions are; σ is the sign of Im z or Re z.


def upward(z: Any) -> Any:
    """The phase of jve and yve relative to their holomorphic forms."""
    return exp(-1j * sign(imag(z)) * real(z))


def sideways(z: Any) -> Any:
    """The phase of ive relative to its holomorphic form."""
    return exp(1j * sign(real(z)) * imag(z))


jve_holomorphic = Elementwise(
    lambda v, z: sp.jve(v, z) / upward(z),
    unknown("jve", "its order"),
    lambda out, x, y: 0.5 * (jve_holomorphic(x - 1, y) - jve_holomorphic(x + 1, y)) + 1j * sign(imag(y)) * out,
    name="jve_holomorphic",
)
yve_holomorphic = Elementwise(
    lambda v, z: sp.yve(v, z) / upward(z),
    unknown("yve", "its order"),
    lambda out, x, y: 0.5 * (yve_holomorphic(x - 1, y) - yve_holomorphic(x + 1, y)) + 1j * sign(imag(y)) * out,
    name="yve_holomorphic",
)
ive_holomorphic = Elementwise(
    lambda v, z: sp.ive(v, z) / sideways(z),
    unknown("ive", "its order"),
    lambda out, x, y: 0.5 * (ive_holomorphic(x - 1, y) + ive_holomorphic(x + 1, y)) - sign(real(y)) * out,
    name="ive_holomorphic",
)


# Spherical Bessel functions (DLMF 10.51) ------------------------------------------------------------------------------


def _spherical(function: Any, sign: int, outer: int = 1) -> tuple[Primitive, Callable[[Any, Any], Any]]:
    """SciPy's Python function of an integer order, without its flag, and the derivative."""

    def slope(n: Any, z: Any) -> Any:
        total = n * value(lower(n), z) + sign * (n + 1) * value(n + 1, z)
        return (total if outer == 1 else -total) / (2 * n + 1)

    value = in_last(lambda n, z: function(n, z), lambda x, y: slope(x, y), "its order", name=function.__name__)
    return value, slope


spherical_jn, spherical_jn_slope = _spherical(scipy.special.spherical_jn, -1)
spherical_yn, spherical_yn_slope = _spherical(scipy.special.spherical_yn, -1)
spherical_in, spherical_in_slope = _spherical(scipy.special.spherical_in, 1)
spherical_kn, spherical_kn_slope = _spherical(scipy.special.spherical_kn, 1, -1)

# Airy functions (DLMF 9.2) --------------------------------------------------------------------------------------------

airy = several(sp.airy, lambda out, x: (out[1], x * out[0], out[3], x * out[2]))
airye = several(real_only(sp.airye), lambda out, x: _scaled_airy(out, x, sqrt(maximum(x, 0.0))))
itairy = several(sp.itairy, lambda out, x: (airy(x)[0], airy(x)[2], airy(-x)[0], airy(-x)[2]))


def _scaled_airy(out: Any, x: Any, root: Any) -> tuple[Any, ...]:
    """The factors are exp(±2/3·x^(3/2)) for x ≥ 0; there is none below, where SciPy leaves out the first two."""
    return (
        out[1] + root * out[0],
        x * out[0] + root * out[1],
        out[3] - root * out[2],
        x * out[2] - root * out[3],
    )


# Kelvin functions: ber + i·bei is J₀ of x·exp(3πi/4), ker + i·kei is K₀ of x·exp(πi/4) (DLMF 10.61) -------------------

_J_RAY = cmath.exp(0.75j * math.pi)
_K_RAY = cmath.exp(0.25j * math.pi)

ber = Elementwise(sp.ber, lambda x: berp(x))
bei = Elementwise(sp.bei, lambda x: beip(x))
ker = Elementwise(sp.ker, lambda x: kerp(x), singular=True)
kei = Elementwise(sp.kei, lambda x: keip(x))
berp = Elementwise(sp.berp, lambda x: real(_second_ber(x)))
beip = Elementwise(sp.beip, lambda x: imag(_second_ber(x)))
kerp = Elementwise(sp.kerp, lambda x: real(_second_ker(x)), singular=True)
keip = Elementwise(sp.keip, lambda x: imag(_second_ker(x)), singular=True)
kelvin = several(sp.kelvin, lambda out, x: (out[2], out[3], _second_ber(x), _second_ker(x)))


def _second_ber(x: Any) -> Any:
    z = _J_RAY * x
    return 0.5j * (jv(0, z) - jv(2, z))


def _second_ker(x: Any) -> Any:
    z = _K_RAY * x
    return 0.5j * (kv(0, z) + kv(2, z))


# Struve functions (DLMF 11.4) -----------------------------------------------------------------------------------------

struve = in_last(sp.struve, lambda x, y: _struve_slope(x, y, struve, -1), "its order")
modstruve = in_last(sp.modstruve, lambda x, y: _struve_slope(x, y, modstruve, 1), "its order")


def _struve_slope(v: Any, x: Any, function: Any, sign: int) -> Any:
    """With neighbouring orders; for v = 0 with v + 1 alone, as functions of negative order have poles at 0."""
    zero = equal(v, 0)
    order = where(zero, 1.0, v)
    term = power(0.5 * x, order) * rgamma(order + 1.5) / math.sqrt(math.pi)
    at_zero = sign * function(1, x) + 2 / math.pi
    return typed(where(zero, at_zero, 0.5 * (function(order - 1, x) + sign * function(order + 1, x) + term)), x)


# Integrals of Bessel and Struve functions -----------------------------------------------------------------------------

itj0y0 = several(sp.itj0y0, lambda out, x: (j0(x), y0(x)))
iti0k0 = several(sp.iti0k0, lambda out, x: (i0(x), k0(x)))
it2j0y0 = several(sp.it2j0y0, lambda out, x: (_near_one(x, -1), -y0(x) / x))
it2i0k0 = several(sp.it2i0k0, lambda out, x: (_near_one(x, 1), -k0(x) / x))
itstruve0 = Elementwise(sp.itstruve0, lambda x: typed(struve(0, x), x))
it2struve0 = Elementwise(sp.it2struve0, lambda x: typed(-_struve_over(x), x))
itmodstruve0 = Elementwise(sp.itmodstruve0, lambda x: typed(modstruve(0, x), x))
besselpoly = Elementwise(
    sp.besselpoly,
    lambda x, y, z: besselpoly(x, y + 1, z - 1) - besselpoly(x, y + 1, z + 1),
    unknown("besselpoly", "its power"),
    unknown("besselpoly", "its order"),
)


def _struve_over(x: Any) -> Any:
    """H₀(x)/x, 2/π at 0."""
    zero = equal(x, 0.0)
    t = where(zero, 1.0, x)
    return where(zero, 2 / math.pi, struve(0, t) / t)


def _near_one(x: Any, kind: int) -> Any:
    """(I₀(x) - 1)/x for kind 1, (1 - J₀(x))/x for kind -1, by the power series near 0 (DLMF 10.8.1)."""
    near = less(absolute(x), 1.0)
    u = kind * 0.25 * square(where(near, x, 0.0))
    series: Any = 0.0
    for k in range(9, 0, -1):
        series = (1.0 + u * series) / (k * k) if k > 1 else 1.0 + u * series
    far = where(near, 1.0, x)
    quotient = (i0(far) - 1) / far if kind == 1 else (1 - j0(far)) / far
    return where(near, 0.25 * x * series, quotient)
