"""Noncentral distribution functions and their inverse functions.

In a noncentrality λ the distribution is a Poisson mixture in λ/2, and the derivative is, but for the sign, a density
with one more term of the shape parameter (Johnson, Kotz, Balakrishnan: Continuous Univariate Distributions, chapters 29
to 31). Degrees of freedom have no derivative.
"""

from __future__ import annotations

import math
from typing import Any

from wengert.core.combinators import Elementwise
from wengert.rules.elementwise import exp, less, log, reciprocal, sqrt, square, where
from wengert.rules.special.bessel import ive
from wengert.rules.special.common import sp, typed, unknown, without_rule
from wengert.rules.special.distributions import f_density
from wengert.rules.special.gammas import betaln, gamma_density, gammaln
from wengert.rules.special.hypergeometric import hyp0f1, hyp1f1, pbdv
from wengert.rules.special.logistic import xlogy

_ROOT_TWO_PI = math.sqrt(2 * math.pi)


def _freedom(name: str) -> Any:
    return unknown(name, "its degrees of freedom")


chndtr = Elementwise(
    sp.chndtr,
    lambda x, y, z: _noncentral_chi_square(x, y, z),
    _freedom("chndtr"),
    lambda x, y, z: -_noncentral_chi_square(x, y + 2, z),
    singular=True,
)
chndtrix = Elementwise(
    sp.chndtrix,
    lambda out, y, z: reciprocal(_noncentral_chi_square(out, y, z)),
    _freedom("chndtrix"),
    lambda out, y, z: _noncentral_chi_square(out, y + 2, z) / _noncentral_chi_square(out, y, z),
    singular=True,
)
chndtrinc = Elementwise(
    sp.chndtrinc,
    lambda out, x, y: _noncentral_chi_square(x, y, out) / _noncentral_chi_square(x, y + 2, out),
    _freedom("chndtrinc"),
    lambda out, x, y: -reciprocal(_noncentral_chi_square(x, y + 2, out)),
    singular=True,
)
chndtridf = without_rule(sp.chndtridf)
ncfdtr = Elementwise(
    sp.ncfdtr,
    _freedom("ncfdtr"),
    _freedom("ncfdtr"),
    lambda x, y, z, w: _noncentral_f_partial(x, y, z, w),
    lambda x, y, z, w: _noncentral_f_density(x, y, z, w),
    singular=True,
)
ncfdtri = Elementwise(
    sp.ncfdtri,
    _freedom("ncfdtri"),
    _freedom("ncfdtri"),
    lambda out, x, y, z: -_noncentral_f_partial(x, y, z, out) / _noncentral_f_density(x, y, z, out),
    lambda out, x, y, z: reciprocal(_noncentral_f_density(x, y, z, out)),
    singular=True,
)
ncfdtrinc = Elementwise(
    sp.ncfdtrinc,
    _freedom("ncfdtrinc"),
    _freedom("ncfdtrinc"),
    lambda out, x, y, w: reciprocal(_noncentral_f_partial(x, y, out, w)),
    lambda out, x, y, w: -_noncentral_f_density(x, y, out, w) / _noncentral_f_partial(x, y, out, w),
    singular=True,
)
ncfdtridfd = without_rule(sp.ncfdtridfd)
ncfdtridfn = without_rule(sp.ncfdtridfn)
nctdtr = Elementwise(
    sp.nctdtr,
    _freedom("nctdtr"),
    lambda x, y, z: typed(-_noncentral_t(x, y, z, 0), y),
    lambda x, y, z: typed(_noncentral_t(x, y, z, 1), z),
)
nctdtrit = Elementwise(
    sp.nctdtrit,
    _freedom("nctdtrit"),
    lambda out, x, y: typed(_noncentral_t(x, y, out, 0) / _noncentral_t(x, y, out, 1), y),
    lambda out, x, y: typed(reciprocal(_noncentral_t(x, y, out, 1)), out),
    singular=True,
)
nctdtrinc = Elementwise(
    sp.nctdtrinc,
    _freedom("nctdtrinc"),
    lambda out, x, z: -reciprocal(_noncentral_t(x, out, z, 0)),
    lambda out, x, z: _noncentral_t(x, out, z, 1) / _noncentral_t(x, out, z, 0),
    singular=True,
)
nctdtridf = without_rule(sp.nctdtridf)


def _noncentral_chi_square(x: Any, v: Any, nc: Any) -> Any:
    """The density, with the exponential of its Bessel function split off where the argument is not small."""
    order = 0.5 * v - 1
    product = x * nc
    small = less(product, 1.0)
    s, t = where(small, 1.0, x), where(small, 1.0, nc)
    bessel = exp(-0.5 * square(sqrt(s) - sqrt(t)) + 0.5 * order * log(s / t)) * ive(order, sqrt(s * t))
    series = gamma_density(order + 1, 0.5 * x) * exp(-0.5 * nc) * hyp0f1(order + 1, 0.25 * where(small, product, 0.0))
    return 0.5 * where(small, series, bessel)


# The Poisson mixtures are confluent hypergeometric functions, after Kummer's transformation (DLMF 13.2.39) in range.


def _noncentral_f_parts(m: Any, n: Any, f: Any) -> tuple[Any, ...]:
    scale = n + m * f
    return 0.5 * m, 0.5 * n, m * f / scale, n / scale


def _noncentral_f_density(m: Any, n: Any, nc: Any, f: Any) -> Any:
    a, b, x, y = _noncentral_f_parts(m, n, f)
    return typed(f_density(m, n, f) * exp(-0.5 * nc * y) * hyp1f1(-b, a, -0.5 * nc * x), f)


def _noncentral_f_partial(m: Any, n: Any, nc: Any, f: Any) -> Any:
    """Derivative in the noncentrality."""
    a, b, x, y = _noncentral_f_parts(m, n, f)
    central = exp(xlogy(a, x) + xlogy(b, y) - betaln(a, b) - 0.5 * nc * y) / a
    return typed(-0.5 * central * hyp1f1(1 - b, a + 1, -0.5 * nc * x), nc)


def _noncentral_t(v: Any, nc: Any, t: Any, k: int) -> Any:
    """E[S^k φ(tS - δ)] for S² = χ²/ν, by DLMF 12.5.1: the density for k = 1, minus the derivative in δ for k = 0."""
    scale = v + square(t)
    y = t * nc / sqrt(scale)
    exponent = (
        0.25 * square(y)
        - 0.5 * square(nc)
        + gammaln(v + k)
        - gammaln(0.5 * v)
        + 0.5 * v * log(0.5 * v)
        - 0.5 * (v + k) * log(scale)
    )
    return 2 / _ROOT_TWO_PI * exp(exponent) * pbdv(-v - k, -y)
