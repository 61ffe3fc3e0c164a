"""Error functions, Fresnel integrals and the normal distribution (DLMF 7.2, 7.10, 7.12)."""

from __future__ import annotations

import cmath
import math
from typing import Any

from wengert.core.combinators import Elementwise, imag, real
from wengert.rules.elementwise import (
    absolute,
    cos,
    equal,
    exp,
    from_parts,
    greater,
    less,
    reciprocal,
    sin,
    square,
    where,
)
from wengert.rules.special.common import is_complex, several, sp, typed

# Python floats, which leave single precision single.
_ROOT_PI = math.sqrt(math.pi)
_TWO_OVER_ROOT_PI = 2 / _ROOT_PI
_ROOT_TWO = math.sqrt(2)
_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_HALF_PI = math.pi / 2
_EIGHTH = cmath.exp(-0.25j * math.pi)

erf = Elementwise(sp.erf, lambda x: _TWO_OVER_ROOT_PI * exp(-square(x)))
erfc = Elementwise(sp.erfc, lambda x: -_TWO_OVER_ROOT_PI * exp(-square(x)))
erfi = Elementwise(sp.erfi, lambda x: _TWO_OVER_ROOT_PI * exp(square(x)))
erfcx = Elementwise(sp.erfcx, lambda x: _erfcx_slope(x))
erfinv = Elementwise(sp.erfinv, lambda out: exp(square(out)) / _TWO_OVER_ROOT_PI, singular=True)
erfcinv = Elementwise(sp.erfcinv, lambda out: -exp(square(out)) / _TWO_OVER_ROOT_PI, singular=True)
dawsn = Elementwise(sp.dawsn, lambda out, x: _dawsn_slope(out, x))
wofz = Elementwise(sp.wofz, lambda x: -1j * _erfcx_slope(-1j * x))
voigt_profile = Elementwise(
    sp.voigt_profile,
    lambda x, y, z: typed(real(_voigt_slope(x, y, z)), x),
    lambda x, y, z: typed(_voigt_partial_sigma(x, y, z), y),
    lambda x, y, z: typed(-imag(_voigt_slope(x, y, z)), z),
)

ndtr = Elementwise(sp.ndtr, lambda x: exp(-0.5 * square(x)) / _ROOT_TWO_PI)
log_ndtr = Elementwise(sp.log_ndtr, lambda x: 2 / _ROOT_TWO_PI / erfcx(x / -_ROOT_TWO), singular=True)
ndtri = Elementwise(sp.ndtri, lambda out: _ROOT_TWO_PI * exp(0.5 * square(out)), singular=True)
ndtri_exp = Elementwise(sp.ndtri_exp, lambda out: 0.5 * _ROOT_TWO_PI * erfcx(out / -_ROOT_TWO), singular=True)

fresnel = several(sp.fresnel, lambda out, x: (sin(_HALF_PI * square(x)), cos(_HALF_PI * square(x))))
#: Of the second result, which is erfcx(x·exp(∓iπ/4))/2, too, the derivative would cancel if written with itself.
modfresnelp = several(sp.modfresnelp, lambda out, x: (-exp(1j * square(x)), 0.5 * _EIGHTH * _erfcx_slope(_EIGHTH * x)))
modfresnelm = several(
    sp.modfresnelm,
    lambda out, x: (-exp(-1j * square(x)), 0.5 / _EIGHTH * _erfcx_slope(x / _EIGHTH)),
)

# Terms of Σ (-1)^k (2k+1)!! u^(k+1) with u = 1/(2x²), the expansion of -√π/2·erfcx'(x) for large x (DLMF 7.12.1).
_TERMS = 8


def _horner(u: Any, order: int, sign: int) -> Any:
    """Σ sign^k (2k+1)!! (k+1)^order u^(k+1)."""
    total: Any = 0.0
    for k in reversed(range(_TERMS)):
        total = u * (sign**k * math.prod(range(1, 2 * k + 2, 2)) * float(k + 1) ** order + total)
    return total


def _half_inverse_square(x: Any) -> Any:
    return 0.5 * reciprocal(square(x))


def _erfcx_slope(x: Any) -> Any:
    """2x·erfcx(x) - 2/√π, by its asymptotic series where the two terms are nearly equal.

    In the left half plane erfcx(x) = 2exp(x²) - erfcx(-x).
    """
    if not is_complex(x):
        far = greater(x, 20.0)
        series = -_TWO_OVER_ROOT_PI * _horner(_half_inverse_square(where(far, x, 20.0)), 0, -1)
        near = where(far, 0.0, x)
        return where(far, series, 2 * near * erfcx(near) - _TWO_OVER_ROOT_PI)
    left = less(real(x), 0.0)
    z = where(left, -x, x)
    far = greater(absolute(z), 20.0)
    series = -_TWO_OVER_ROOT_PI * _horner(_half_inverse_square(where(far, z, 20.0)), 0, -1)
    near = where(far, 0.0, z)
    right = where(far, series, 2 * near * erfcx(near) - _TWO_OVER_ROOT_PI)
    x = where(left, x, 0.0)
    return right + 4 * x * exp(square(x))


def _erfcx_curvature(x: Any) -> Any:
    """The second derivative of erfcx for complex x in the right half plane."""
    far = greater(absolute(x), 20.0)
    z = where(far, x, 20.0)
    series = 2 * _TWO_OVER_ROOT_PI / z * _horner(_half_inverse_square(z), 1, -1)
    near = where(far, 0.0, x)
    return where(far, series, 2 * erfcx(near) + 2 * near * _erfcx_slope(near))


def _dawsn_slope(out: Any, x: Any) -> Any:
    """1 - 2x·dawsn(x), which cancels for large real x."""
    if is_complex(x):
        return 1 - 2 * x * out
    far = greater(absolute(x), 20.0)
    series = -_horner(_half_inverse_square(where(far, x, 20.0)), 0, 1)
    return where(far, series, 1 - 2 * where(far, 0.0, x) * out)


# The Voigt profile is the real part of F(ζ) = w(ζ/(σ√2))/(σ√(2π)) with ζ = x + iγ and w(z) = erfcx(-iz); for σ = 0 of
# i/(πζ). It solves the heat equation ∂V/∂σ = σ·∂²V/∂x².


def _voigt_slope(x: Any, y: Any, z: Any) -> Any:
    """F'(ζ)."""
    sharp = equal(y, 0.0)
    sigma = where(sharp, 1.0, y)
    zeta = from_parts(x, z)
    s = -1j * zeta / (_ROOT_TWO * sigma)
    lorentz = -1j / (math.pi * square(where(sharp, zeta, 1.0)))
    return where(sharp, lorentz, -1j * _erfcx_slope(s) / (2 * _ROOT_PI * square(sigma)))


def _voigt_partial_sigma(x: Any, y: Any, z: Any) -> Any:
    """σ·Re F''(ζ)."""
    sharp = equal(y, 0.0)
    sigma = where(sharp, 1.0, y)
    s = -1j * from_parts(x, z) / (_ROOT_TWO * sigma)
    return where(sharp, 0.0, -real(_erfcx_curvature(s)) / (2 * _ROOT_TWO_PI * square(sigma)))
