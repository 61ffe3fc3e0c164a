"""Distribution functions of statistics and their inverse functions.

The derivative in the variable is the density; that of the inverse function is its reciprocal. Of the parameters those
have a derivative that scale or shift, and noncentralities: with a noncentrality λ the distribution is a Poisson mixture
in λ/2, and the derivative is, but for the sign, a density with one more term of the shape parameter (Johnson, Kotz,
Balakrishnan: Continuous Univariate Distributions, chapters 29 to 31). Degrees of freedom and shapes have none.
"""

from __future__ import annotations

import math
from typing import Any

from wengert.core.combinators import Elementwise
from wengert.rules.elementwise import (
    absolute,
    exp,
    floor,
    isinf,
    less,
    less_equal,
    log,
    log1p,
    logical_or,
    power,
    reciprocal,
    sqrt,
    square,
    where,
)
from wengert.rules.special.bessel import ive
from wengert.rules.special.common import sp, typed, unknown, without_rule
from wengert.rules.special.error_functions import erf, ndtri
from wengert.rules.special.gammas import beta_density, betaln, gamma_density, gammaln
from wengert.rules.special.hypergeometric import hyp0f1, hyp1f1, pbdv
from wengert.rules.special.logistic import exprel_slope, xlogy

_ROOT_TWO_PI = math.sqrt(2 * math.pi)


def _freedom(name: str) -> Any:
    return unknown(name, "its degrees of freedom")


def _integer(name: str, which: str) -> Any:
    return unknown(name, f"its {which} argument, an integer")


# Gamma, chi-square and Poisson distributions --------------------------------------------------------------------------

gdtr = Elementwise(
    sp.gdtr,
    lambda x, y, z: z * gamma_density(y, x * z),
    unknown("gdtr", "its shape"),
    lambda x, y, z: x * gamma_density(y, x * z),
    singular=True,
)
gdtrc = Elementwise(
    sp.gdtrc,
    lambda x, y, z: -z * gamma_density(y, x * z),
    unknown("gdtrc", "its shape"),
    lambda x, y, z: -x * gamma_density(y, x * z),
    singular=True,
)
gdtria = Elementwise(
    sp.gdtria,
    lambda out, y, z: reciprocal(z * gamma_density(y, out * z)),
    unknown("gdtria", "its shape"),
    lambda out, z: -out / z,
    singular=True,
)
gdtrib = without_rule(sp.gdtrib)
gdtrix = Elementwise(
    sp.gdtrix,
    lambda out, x: -out / x,
    unknown("gdtrix", "its shape"),
    lambda out, x, y: reciprocal(x * gamma_density(y, x * out)),
    singular=True,
)
chdtr = Elementwise(sp.chdtr, _freedom("chdtr"), lambda x, y: _chi_square(x, y), singular=True)
chdtrc = Elementwise(sp.chdtrc, _freedom("chdtrc"), lambda x, y: -_chi_square(x, y), singular=True)
chdtri = Elementwise(sp.chdtri, _freedom("chdtri"), lambda out, x: -reciprocal(_chi_square(x, out)), singular=True)
chdtriv = without_rule(sp.chdtriv)
pdtr = Elementwise(sp.pdtr, None, lambda x, y: -gamma_density(floor(x) + 1, y), singular=True)
pdtrc = Elementwise(sp.pdtrc, None, lambda x, y: gamma_density(floor(x) + 1, y), singular=True)
pdtri = Elementwise(
    sp.pdtri, _integer("pdtri", "first"), lambda out, x: -reciprocal(gamma_density(x + 1, out)), singular=True
)
pdtrik = without_rule(sp.pdtrik)


def _chi_square(v: Any, x: Any) -> Any:
    return 0.5 * gamma_density(0.5 * v, 0.5 * x)


# Beta, F, binomial and negative binomial distributions ----------------------------------------------------------------

btdtria = without_rule(sp.btdtria)
btdtrib = without_rule(sp.btdtrib)
bdtr = Elementwise(
    sp.bdtr, None, _integer("bdtr", "second"), lambda x, y, z: -_binomial_density(x, y, z), singular=True
)
bdtrc = Elementwise(
    sp.bdtrc, None, _integer("bdtrc", "second"), lambda x, y, z: _binomial_density(x, y, z), singular=True
)
bdtri = Elementwise(
    sp.bdtri,
    None,
    _integer("bdtri", "second"),
    lambda out, x, y: -reciprocal(_binomial_density(x, y, out)),
    singular=True,
)
bdtrik = without_rule(sp.bdtrik)
bdtrin = without_rule(sp.bdtrin)
nbdtr = Elementwise(
    sp.nbdtr,
    _integer("nbdtr", "first"),
    _integer("nbdtr", "second"),
    lambda x, y, z: beta_density(y, x + 1, z),
    singular=True,
)
nbdtrc = Elementwise(
    sp.nbdtrc,
    _integer("nbdtrc", "first"),
    _integer("nbdtrc", "second"),
    lambda x, y, z: -beta_density(y, x + 1, z),
    singular=True,
)
nbdtri = Elementwise(
    sp.nbdtri,
    _integer("nbdtri", "first"),
    _integer("nbdtri", "second"),
    lambda out, x, y: reciprocal(beta_density(y, x + 1, out)),
    singular=True,
)
nbdtrik = without_rule(sp.nbdtrik)
nbdtrin = without_rule(sp.nbdtrin)
fdtr = Elementwise(sp.fdtr, _freedom("fdtr"), _freedom("fdtr"), lambda x, y, z: _f_density(x, y, z), singular=True)
fdtrc = Elementwise(sp.fdtrc, _freedom("fdtrc"), _freedom("fdtrc"), lambda x, y, z: -_f_density(x, y, z), singular=True)
fdtri = Elementwise(
    sp.fdtri,
    _freedom("fdtri"),
    _freedom("fdtri"),
    lambda out, x, y: reciprocal(_f_density(x, y, out)),
    singular=True,
)
fdtridfd = without_rule(sp.fdtridfd)


def _binomial_density(k: Any, n: Any, p: Any) -> Any:
    """Minus the derivative of the distribution function in p."""
    k = floor(k)
    return beta_density(k + 1, n - k, p)


def _f_density(m: Any, n: Any, x: Any) -> Any:
    scale = n + m * x
    a, b = 0.5 * m, 0.5 * n
    logarithm = xlogy(a - 1, m * x / scale) + xlogy(b - 1, n / scale) - betaln(a, b)
    return typed(exp(logarithm) * (m / scale) * (n / scale), x)


# Student's t, normal and other distributions --------------------------------------------------------------------------

stdtr = Elementwise(sp.stdtr, _freedom("stdtr"), lambda x, y: _student(x, y))
stdtrit = Elementwise(sp.stdtrit, _freedom("stdtrit"), lambda out, x: reciprocal(_student(x, out)), singular=True)
stdtridf = without_rule(sp.stdtridf)
nrdtrimn = Elementwise(
    sp.nrdtrimn,
    lambda x, y: -y * _ROOT_TWO_PI * exp(0.5 * square(ndtri(x))),
    lambda x, y: typed(-ndtri(x), y),
    1,
    singular=True,
)
nrdtrisd = Elementwise(
    sp.nrdtrisd,
    lambda x, y: typed(-reciprocal(ndtri(y)), x),
    lambda out, y: -out / ndtri(y) * _ROOT_TWO_PI * exp(0.5 * square(ndtri(y))),
    lambda y, z: typed(reciprocal(ndtri(y)), z),
    singular=True,
)
owens_t = Elementwise(
    sp.owens_t,
    lambda x, y: -exp(-0.5 * square(x)) * erf(x * y / math.sqrt(2)) / (2 * _ROOT_TWO_PI),
    lambda x, y: typed(exp(-0.5 * square(x) * (1 + square(y))) / (2 * math.pi * (1 + square(y))), y),
)
tklmbda = Elementwise(
    sp.tklmbda,
    lambda out, x, y: _tukey_partial(out, x, y, by_shape=False),
    lambda out, x, y: _tukey_partial(out, x, y, by_shape=True),
    singular=True,
)
kolmogorov = Elementwise(sp.kolmogorov, lambda x: -_kolmogorov_density(x))
kolmogi = Elementwise(sp.kolmogi, lambda out: -reciprocal(_kolmogorov_density(out)), singular=True)
smirnov = without_rule(sp.smirnov)
smirnovi = without_rule(sp.smirnovi)


def _student(v: Any, t: Any) -> Any:
    normal = isinf(v)
    u = where(normal, 1.0, v)
    tail = exp(-0.5 * (u + 1) * log1p(square(t) / u) - betaln(0.5, 0.5 * u)) / sqrt(u)
    return typed(where(normal, exp(-0.5 * square(t)) / _ROOT_TWO_PI, tail), t)


def _tukey_partial(p: Any, x: Any, shape: Any, by_shape: bool) -> Any:
    """The quantile function is g(log p) - g(log(1 - p)) with g(s) = s·exprel(λs); for λ > 0 it ends at ±1/λ."""
    inside = logical_or(less_equal(shape, 0.0), less(absolute(x * shape), 1.0))
    p = where(inside, p, 0.5)
    density = reciprocal(power(p, shape - 1) + power(1 - p, shape - 1))
    if not by_shape:
        return where(inside, density, 0.0)
    s, t = log(p), log1p(-p)
    quantile_partial = square(s) * exprel_slope(shape * s) - square(t) * exprel_slope(shape * t)
    return where(inside, -quantile_partial * density, 0.0)


def _kolmogorov_density(x: Any) -> Any:
    """8x Σ (-1)^(k-1) k² exp(-2k²x²), for small x by its transform (DLMF 20.7.32)."""
    near = less(x, 1.0)
    t = where(near, 1.0, x)
    far_sum = sum((-1) ** (k - 1) * k * k * exp(-2 * k * k * square(t)) for k in range(1, 5))
    u = reciprocal(where(near, x, 1.0))
    v = square(u)
    terms = [((2 * k - 1) * math.pi) ** 2 / 4 for k in range(1, 4)]
    near_sum = sum((c * v - 1) * exp(-0.5 * c * v) for c in terms)
    return where(near, where(less(0.02, x), _ROOT_TWO_PI * v * near_sum, 0.0), 8 * t * far_sum)


# Noncentral distributions ---------------------------------------------------------------------------------------------

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
    return typed(_f_density(m, n, f) * exp(-0.5 * nc * y) * hyp1f1(-b, a, -0.5 * nc * x), f)


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
