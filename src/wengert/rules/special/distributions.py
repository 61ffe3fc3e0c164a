"""Distribution functions of statistics and their inverse functions.

The derivative in the variable is the density; that of the inverse function is its reciprocal. Shapes and degrees of
freedom go by the incomplete gamma and beta functions. Functions that solve for a parameter have the derivatives of an
implicit function.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import scipy.special

from wengert.core.combinators import Elementwise
from wengert.rules.elementwise import (
    absolute,
    arcsinh,
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
from wengert.rules.implicit import gamma_rate, t_rate
from wengert.rules.special.common import in_last, sp, typed, unknown
from wengert.rules.special.error_functions import erf, ndtri
from wengert.rules.special.gammas import beta_density, betaln, gamma_density
from wengert.rules.special.incomplete import beta_other_shape, beta_shape, gamma_shape
from wengert.rules.special.logistic import exprel_slope, xlogy

_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_FIRST, _SECOND = (f"its {which} argument, an integer" for which in ("first", "second"))


# Gamma, chi-square and Poisson distributions --------------------------------------------------------------------------

gdtr = Elementwise(
    sp.gdtr,
    lambda x, y, z: z * gamma_density(y, x * z),
    lambda x, y, z: typed(gamma_shape(y, x * z), y),
    lambda x, y, z: x * gamma_density(y, x * z),
    singular=True,
)
gdtrc = Elementwise(
    sp.gdtrc,
    lambda x, y, z: -z * gamma_density(y, x * z),
    lambda x, y, z: typed(-gamma_shape(y, x * z), y),
    lambda x, y, z: -x * gamma_density(y, x * z),
    singular=True,
)
gdtria = Elementwise(
    sp.gdtria,
    lambda out, y, z: reciprocal(z * gamma_density(y, out * z)),
    lambda out, y, z: typed(gamma_rate(y, out * z) / z, y),
    lambda out, z: -out / z,
    singular=True,
)
gdtrib = Elementwise(
    sp.gdtrib,
    lambda out, x, z: typed(-z * gamma_density(out, x * z) / gamma_shape(out, x * z), x),
    lambda out, x, y, z: typed(reciprocal(gamma_shape(out, x * z)), y),
    lambda out, x, z: typed(-x * gamma_density(out, x * z) / gamma_shape(out, x * z), z),
    singular=True,
)
gdtrix = Elementwise(
    sp.gdtrix,
    lambda out, x: -out / x,
    lambda out, x, y: typed(gamma_rate(y, x * out) / x, y),
    lambda out, x, y: reciprocal(x * gamma_density(y, x * out)),
    singular=True,
)
chdtr = Elementwise(
    sp.chdtr, lambda x, y: typed(_chi_square_freedom(x, y), x), lambda x, y: _chi_square(x, y), singular=True
)
chdtrc = Elementwise(
    sp.chdtrc, lambda x, y: typed(-_chi_square_freedom(x, y), x), lambda x, y: -_chi_square(x, y), singular=True
)
chdtri = Elementwise(
    sp.chdtri,
    lambda out, x: typed(gamma_rate(0.5 * x, 0.5 * out), x),
    lambda out, x: -reciprocal(_chi_square(x, out)),
    singular=True,
)
chdtriv = Elementwise(
    sp.chdtriv,
    lambda out, x, y: typed(reciprocal(_chi_square_freedom(out, y)), x),
    lambda out, y: typed(-_chi_square(out, y) / _chi_square_freedom(out, y), y),
    singular=True,
)
pdtr = Elementwise(sp.pdtr, None, lambda x, y: -gamma_density(floor(x) + 1, y), singular=True)
pdtrc = Elementwise(sp.pdtrc, None, lambda x, y: gamma_density(floor(x) + 1, y), singular=True)
pdtri = in_last(sp.pdtri, lambda out, x: -reciprocal(gamma_density(x + 1, out)), _FIRST, singular=True)
pdtrik = Elementwise(
    sp.pdtrik,
    lambda out, x, y: typed(-reciprocal(gamma_shape(out + 1, y)), x),
    lambda out, y: typed(-gamma_density(out + 1, y) / gamma_shape(out + 1, y), y),
    singular=True,
)


def _chi_square(v: Any, x: Any) -> Any:
    return 0.5 * gamma_density(0.5 * v, 0.5 * x)


def _chi_square_freedom(v: Any, x: Any) -> Any:
    return 0.5 * gamma_shape(0.5 * v, 0.5 * x)


# Beta, F, binomial and negative binomial distributions ----------------------------------------------------------------

btdtria = Elementwise(
    sp.btdtria,
    lambda out, x, y, z: typed(reciprocal(beta_shape(out, y, z)), x),
    lambda out, y, z: typed(-beta_other_shape(out, y, z) / beta_shape(out, y, z), y),
    lambda out, y, z: typed(-beta_density(out, y, z) / beta_shape(out, y, z), z),
    singular=True,
)
btdtrib = Elementwise(
    sp.btdtrib,
    lambda out, x, z: typed(-beta_shape(x, out, z) / beta_other_shape(x, out, z), x),
    lambda out, x, y, z: typed(reciprocal(beta_other_shape(x, out, z)), y),
    lambda out, x, z: typed(-beta_density(x, out, z) / beta_other_shape(x, out, z), z),
    singular=True,
)
bdtr = Elementwise(sp.bdtr, None, unknown("bdtr", _SECOND), lambda x, y, z: -_binomial_density(x, y, z), singular=True)
bdtrc = Elementwise(
    sp.bdtrc, None, unknown("bdtrc", _SECOND), lambda x, y, z: _binomial_density(x, y, z), singular=True
)
bdtri = Elementwise(
    sp.bdtri,
    None,
    unknown("bdtri", _SECOND),
    lambda out, x, y: -reciprocal(_binomial_density(x, y, out)),
    singular=True,
)
bdtrik = Elementwise(
    sp.bdtrik,
    lambda out, x, y, z: typed(reciprocal(_binomial_count(out, y, z)), x),
    lambda out, y, z: typed(beta_other_shape(out + 1, y - out, z) / _binomial_count(out, y, z), y),
    lambda out, y, z: typed(beta_density(out + 1, y - out, z) / _binomial_count(out, y, z), z),
    singular=True,
)
bdtrin = Elementwise(
    sp.bdtrin,
    lambda out, x, z: typed(_binomial_count(x, out, z) / beta_other_shape(x + 1, out - x, z), x),
    lambda out, x, y, z: typed(-reciprocal(beta_other_shape(x + 1, out - x, z)), y),
    lambda out, x, z: typed(-beta_density(x + 1, out - x, z) / beta_other_shape(x + 1, out - x, z), z),
    singular=True,
)
nbdtr = in_last(sp.nbdtr, lambda x, y, z: beta_density(y, x + 1, z), _FIRST, _SECOND, singular=True)
nbdtrc = in_last(sp.nbdtrc, lambda x, y, z: -beta_density(y, x + 1, z), _FIRST, _SECOND, singular=True)
nbdtri = in_last(sp.nbdtri, lambda out, x, y: reciprocal(beta_density(y, x + 1, out)), _FIRST, _SECOND, singular=True)
nbdtrik = Elementwise(
    sp.nbdtrik,
    lambda out, x, y, z: typed(reciprocal(beta_other_shape(y, out + 1, z)), x),
    lambda out, y, z: typed(-beta_shape(y, out + 1, z) / beta_other_shape(y, out + 1, z), y),
    lambda out, y, z: typed(-beta_density(y, out + 1, z) / beta_other_shape(y, out + 1, z), z),
    singular=True,
)
nbdtrin = Elementwise(
    sp.nbdtrin,
    lambda out, x, z: typed(-beta_other_shape(out, x + 1, z) / beta_shape(out, x + 1, z), x),
    lambda out, x, y, z: typed(reciprocal(beta_shape(out, x + 1, z)), y),
    lambda out, x, z: typed(-beta_density(out, x + 1, z) / beta_shape(out, x + 1, z), z),
    singular=True,
)
fdtr = Elementwise(
    sp.fdtr,
    lambda x, y, z: typed(_f_freedom(x, y, z), x),
    lambda x, y, z: typed(_f_other_freedom(x, y, z), y),
    lambda x, y, z: f_density(x, y, z),
    singular=True,
)
fdtrc = Elementwise(
    sp.fdtrc,
    lambda x, y, z: typed(-_f_freedom(x, y, z), x),
    lambda x, y, z: typed(-_f_other_freedom(x, y, z), y),
    lambda x, y, z: -f_density(x, y, z),
    singular=True,
)
fdtri = Elementwise(
    sp.fdtri,
    lambda out, x, y: typed(-_f_freedom(x, y, out) / f_density(x, y, out), x),
    lambda out, x, y: typed(-_f_other_freedom(x, y, out) / f_density(x, y, out), y),
    lambda out, x, y: reciprocal(f_density(x, y, out)),
    singular=True,
)
fdtridfd = Elementwise(
    sp.fdtridfd,
    lambda out, x, z: typed(-_f_freedom(x, out, z) / _f_other_freedom(x, out, z), x),
    lambda out, x, y, z: typed(reciprocal(_f_other_freedom(x, out, z)), y),
    lambda out, x, z: typed(-f_density(x, out, z) / _f_other_freedom(x, out, z), z),
    singular=True,
)


def _binomial_density(k: Any, n: Any, p: Any) -> Any:
    """Minus the derivative of the distribution function in p."""
    k = floor(k)
    return beta_density(k + 1, n - k, p)


def _binomial_count(k: Any, n: Any, p: Any) -> Any:
    """The derivative of the distribution function I(n-k, k+1; 1-p) in k, if that is not rounded."""
    return beta_other_shape(k + 1, n - k, p) - beta_shape(k + 1, n - k, p)


def _f_freedom(m: Any, n: Any, x: Any) -> Any:
    return 0.5 * beta_shape(0.5 * m, 0.5 * n, m * x / (n + m * x)) + f_density(m, n, x) * x / m


def _f_other_freedom(m: Any, n: Any, x: Any) -> Any:
    return 0.5 * beta_other_shape(0.5 * m, 0.5 * n, m * x / (n + m * x)) - f_density(m, n, x) * x / n


def f_density(m: Any, n: Any, x: Any) -> Any:
    scale = n + m * x
    a, b = 0.5 * m, 0.5 * n
    logarithm = xlogy(a - 1, m * x / scale) + xlogy(b - 1, n / scale) - betaln(a, b)
    return typed(exp(logarithm) * (m / scale) * (n / scale), x)


# Student's t, normal and other distributions --------------------------------------------------------------------------

stdtr = Elementwise(sp.stdtr, lambda x, y: typed(-_student(x, y) * _student_rate(x, y), x), lambda x, y: _student(x, y))
stdtrit = Elementwise(
    sp.stdtrit,
    lambda out, x: typed(_student_rate(x, out), x),
    lambda out, x: reciprocal(_student(x, out)),
    singular=True,
)
stdtridf = Elementwise(
    sp.stdtridf,
    lambda out, x, y: typed(-reciprocal(_student(out, y) * _student_rate(out, y)), x),
    lambda out, y: typed(reciprocal(_student_rate(out, y)), y),
    singular=True,
)
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
smirnov = in_last(sp.smirnov, lambda x, y: typed(smirnov_slope(x, y, 1), y), _FIRST)
smirnovi = in_last(sp.smirnovi, lambda out, x: typed(reciprocal(smirnov_slope(x, out, 1)), out), _FIRST, singular=True)
#: smirnov_slope(n, d, k): the derivative of order k.
smirnov_slope = Elementwise(
    lambda n, d, k: _smirnov_derivative(n, d, k),
    unknown("smirnov", _FIRST),
    lambda x, y, z: smirnov_slope(x, y, z + 1),
    None,
    name="smirnov_slope",
)


def _student_rate(v: Any, t: Any) -> Any:
    """How fast a quantile t = √ν·sinh y moves with ν."""
    return 0.5 * t / v + sqrt(v + square(t)) * t_rate(v, arcsinh(t / sqrt(v)))


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


@functools.partial(np.vectorize, otypes=[float])
def _smirnov_derivative(n: int, d: float, k: int) -> float:
    """The derivative of order k of d Σ C(n, j) (d+j/n)^(j-1) (1-d-j/n)^(n-j) over j ≤ n(1-d) (Birnbaum & Tingey 1951).

    With u = d + j/n the terms are d·u^(j-1) = u^j - (j/n)·u^(j-1) times (1-u)^(n-j).
    """
    if not 0 < d < 1:
        return math.nan if math.isnan(d) else 0.0
    j = np.arange(math.floor(n * (1 - d)) + 1)
    j = j[d + j / n < 1 - 1e-14]  # at a kink the derivative from the right, as in SciPy
    u, q = d + j / n, n - j
    log_u, log_v = np.log(u), np.log(1 - u)
    log_binomial = scipy.special.gammaln(n + 1) - scipy.special.gammaln(j + 1) - scipy.special.gammaln(q + 1)
    total = 0.0
    for p, factor in ((j, np.ones(j.size)), (np.maximum(j - 1, 0), -j / n)):
        for i in range(k + 1):
            falling = np.ones(j.size)
            for m in range(i):
                falling *= p - m
            for m in range(k - i):
                falling *= q - m
            sign = math.comb(k, i) * (-1) ** (k - i)
            terms = np.exp(log_binomial + (p - i) * log_u + (q - k + i) * log_v)
            total += sign * float(np.sum(np.where(falling == 0, 0.0, falling * factor * terms)))
    return total


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
