"""Samples as functions of the parameters of their distribution: implicit reparametrisation.

A sample z of a distribution with distribution function F(z; θ) and density p(z; θ) is taken to move with θ such that
F(z; θ) stays what it is. Hence dz/dθ = -(∂F/∂θ)/p: Figurnov, Mohamed & Mnih, "Implicit reparameterization gradients"
(NeurIPS 2018). How the sample was drawn does not matter, rejection included.

The distributions here have, in a coordinate y on the whole line, a density ∝ exp E(y; θ), where E is linear in θ with
∂E/∂θ = T(y) and E[T] = μ(θ). Since the integral of p·(T - μ) over the whole line is zero,

    dy/dθ = ∫_y^∞ exp(E(s) - E(y)) (T(s) - μ) ds = -∫_-∞^y exp(E(s) - E(y)) (T(s) - μ) ds,

and one of the two integrals has an integrand of one sign, so that nothing cancels. It is computed by Gauss-Legendre
quadrature, up to where the exponential is negligible. The quadrature is made of primitives: derivatives of any order
are right without more rules.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.combinators import Elementwise, NonDifferentiable, broadcast_to, reduce_sum
from wengert.core.residuals import derivative_arithmetic
from wengert.core.values import shape_of
from wengert.rules.elementwise import (
    absolute,
    cos,
    exp,
    expm1,
    greater,
    less,
    less_equal,
    log,
    log1p,
    logaddexp,
    logical_or,
    sin,
    sinh,
    sqrt,
    where,
)
from wengert.rules.special.bessel import i0e, i1e
from wengert.rules.special.common import COMPILED
from wengert.rules.special.error_functions import erfcx
from wengert.rules.special.gammas import digamma

#: Where exponentials are cut off: exp(-40) is far below the rounding errors of the rest.
_NEGLIGIBLE = 40.0
#: The series that raises small exponents has that many terms.
_SHIFT = 10
_BLOCK = 1 << 19


@functools.cache
def _rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1), 0.5 * weights


def _integral(integrand: Callable[[Any], Any], length: Any, rank: int, order: int = 64) -> Any:
    """Integrate from 0 to `length` (of either sign), elementwise; the nodes are a leading axis, a block at a time."""
    nodes, weights = _rule(order)
    count = max(1, _BLOCK // max(1, math.prod(shape_of(length))))
    total = 0.0
    for start in range(0, nodes.size, count):
        u, w = (x[start : start + count].reshape((-1,) + (1,) * rank) for x in (nodes, weights))
        total = total + reduce_sum(w * integrand(u * length), axis=(0,))
    return total * length


def quietly(rate: Callable[..., Any]) -> Callable[..., Any]:
    """Derivatives may be infinite or NaN without a warning."""

    @functools.wraps(rate)
    def quiet(*args: Any) -> Any:
        with derivative_arithmetic():
            return rate(*args)

    return quiet


def _rank(*args: Any) -> int:
    return max(len(shape_of(x)) for x in args)


def _extent(exponent: Callable[[Any], Any], slope: Callable[[Any], Any], sign: Any) -> Any:
    """How far to go, in the direction `sign`, until a concave exponent has fallen to a negligible value.

    Newton's method from beyond stays beyond.
    """
    length = np.ones_like(exponent(0.0 * sign))
    with np.errstate(all="ignore"):
        for _ in range(60):
            short = exponent(sign * length) > -_NEGLIGIBLE
            if not np.any(short):
                break
            length = np.where(short, 2 * length, length)
        for _ in range(80):
            excess = exponent(sign * length) + _NEGLIGIBLE
            if not np.any(excess < -0.1 * _NEGLIGIBLE):
                break
            length = length - excess / (sign * slope(sign * length))
    return (sign * length)[()]


# Gamma distribution: y = log z, E = a·y - exp(y), T = y, μ = ψ(a) -----------------------------------------------------


@quietly
def gamma_rate(a: Any, z: Any) -> Any:
    """dz/da of a sample z of the standard gamma distribution with shape a."""
    null = less_equal(z, 0)  # from underflow
    z = where(null, 1.0, z)
    log_z, psi = log(z), digamma(a + 1)
    below = less_equal(log_z, psi)
    b = where(below, a + _SHIFT, a)
    mean = digamma(b)
    length = gamma_extent(b, z, where(below, -1.0, 1.0))
    tail = z * _integral(lambda x: exp(b * x - z * expm1(x)) * (log_z + x - mean), length, _rank(a, z), order=32)
    # From P(a, z) = P(a + 1, z) + zᵃ exp(-z)/Γ(a + 1), DLMF 8.8.5: where a is small, the lower tail is long and thin.
    raised, inner = tail, where(below, z, 0.0)
    psis = [psi]
    for k in range(1, _SHIFT):
        psis.append(psis[-1] + 1 / (a + k))
    for k in reversed(range(_SHIFT)):
        raised = inner / (a + k) * (psis[k] - log_z + raised)
    return where(null, 0.0, where(below, raised, tail))


gamma_extent = NonDifferentiable(
    lambda a, z, sign: _extent(lambda x: a * x - z * np.expm1(x), lambda x: a - z * np.exp(x), sign),
    name="gamma_extent",
)

# Beta distribution: y = log(z/(1 - z)), E = a·log z + b·log(1 - z), T = log z, μ = ψ(a) - ψ(a + b) --------------------


@quietly
def beta_rate(a: Any, b: Any, z: Any, rest: Any) -> Any:
    """dz/da of a sample z = 1 - rest of the beta distribution with parameters a and b."""
    end = logical_or(less_equal(z, 0), less_equal(rest, 0))
    z, rest = where(end, 0.5, z), where(end, 0.5, rest)
    log_z = where(less(rest, 0.5), log1p(-where(less(rest, 0.5), rest, 0.5)), log(z))
    psi, total = digamma(a + 1), digamma(a + b)
    below = less_equal(log_z, psi - total)
    c = where(below, a + _SHIFT, a)
    mean = digamma(c) - digamma(c + b)
    length = beta_extent(c, b, z, rest, where(below, -1.0, 1.0))

    def integrand(x: Any) -> Any:
        growth = _log_of_mean(x, z, rest)
        return exp(c * x - (c + b) * growth) * (log_z + x - growth - mean)

    tail = z * rest * _integral(integrand, length, _rank(a, b, z))
    # From I(a, b) = I(a + 1, b) + zᵃ (1 - z)ᵇ/(a·B(a, b)), DLMF 8.17.20.
    raised, inner = tail, where(below, z, 0.0)
    gaps = [psi - total]
    for k in range(1, _SHIFT):
        gaps.append(gaps[-1] + 1 / (a + k) - 1 / (a + b + (k - 1)))
    for k in reversed(range(_SHIFT)):
        raised = inner / (a + k) * (rest * (gaps[k] - log_z) + (a + b + k) * raised)
    return where(end, 0.0, where(below, raised, tail))


def _log_of_mean(x: Any, z: Any, rest: Any) -> Any:
    """log(1 - z + z·exp(x)), without cancellation."""
    change = z * expm1(x)
    near = greater(change, -0.5)
    return where(near, log1p(where(near, change, 0.0)), log(where(near, 1.0, rest + z * exp(x))))


def _beta_extent(a: Any, b: Any, z: Any, rest: Any, sign: Any) -> Any:
    def slope(x: Any) -> Any:
        return a - (a + b) * z / (z + rest * np.exp(-x))

    return _extent(lambda x: a * x - (a + b) * _log_of_mean(x, z, rest), slope, sign)


beta_extent = NonDifferentiable(_beta_extent, name="beta_extent")

# Student's t: z = √ν·sinh y, E = -ν·log cosh y, T = -log cosh y, μ = (ψ(ν/2) - ψ((ν + 1)/2))/2 ------------------------


def _log_cosh(y: Any) -> Any:
    return logaddexp(y, -y) - math.log(2)


@quietly
def t_rate(nu: Any, y: Any) -> Any:
    """dy/dν, where √ν·sinh y is a sample of Student's t distribution with ν degrees of freedom."""
    start = _log_cosh(y)
    mean = 0.5 * (digamma(0.5 * nu) - digamma(0.5 * nu + 0.5))
    length = where(less(start, -mean), -y, t_extent(nu, y))  # towards the centre, where the integral over T - μ is zero

    def integrand(x: Any) -> Any:
        value = _log_cosh(y + x)
        return exp(nu * (start - value)) * (-value - mean)

    return _integral(integrand, length, _rank(nu, y))


def _t_extent(nu: Any, y: Any) -> Any:
    sign = np.where(y < 0, -1.0, 1.0)
    return _extent(lambda x: nu * (_log_cosh(y) - _log_cosh(y + x)), lambda x: -nu * np.tanh(y + x), sign)


t_extent = NonDifferentiable(_t_extent, name="t_extent")

# Von Mises distribution: E = κ·cos y, T = cos y, μ = I₁(κ)/I₀(κ), on [-π, π] ------------------------------------------


@quietly
def von_mises_rate(kappa: Any, y: Any) -> Any:
    """dy/dκ of a sample y of the von Mises distribution around 0 with concentration κ."""
    mean = i1e(kappa) / i0e(kappa)
    cut = von_mises_extent(kappa, y)
    end = where(less(y, 0), -math.pi, math.pi)
    outwards = where(less(absolute(cut), absolute(end - y)), cut, end - y)
    length = where(greater(cos(y), mean), -y, outwards)

    def integrand(x: Any) -> Any:
        return exp(-2 * kappa * sin(y + 0.5 * x) * sin(0.5 * x)) * (cos(y + x) - mean)

    return _integral(integrand, length, _rank(kappa, y))


def _von_mises_extent(kappa: Any, y: Any) -> Any:
    with np.errstate(divide="ignore"):
        lowest = np.cos(y) - np.divide(_NEGLIGIBLE, kappa)
    reach = np.where(lowest > -1, np.arccos(np.maximum(lowest, -1)) - np.abs(y), np.inf)
    return (np.where(y < 0, -1.0, 1.0) * reach)[()]


von_mises_extent = NonDifferentiable(_von_mises_extent, name="von_mises_extent")

# Inverse Gaussian (Wald) distribution: closed form --------------------------------------------------------------------


def _wald_mills(mean: Any, scale: Any, z: Any) -> Any:
    """(1 - Φ(b))/φ(b) at b = √(λ/z)·(z/μ + 1).

    With it F = Φ(√(λ/z)(z/μ - 1)) + exp(2λ/μ)·Φ(-b) has the partial derivatives ∂F/∂μ = -2λ/μ²·φ·mills and
    ∂F/∂λ = φ·(2/μ·mills - 1/√(λz)), and the density is √(λ/z³)·φ.
    """
    b = sqrt(scale / z) * (z / mean + 1)
    return math.sqrt(math.pi / 2) * erfcx(b / math.sqrt(2))


@quietly
def wald_rate_mean(mean: Any, scale: Any, z: Any) -> Any:
    return 2 * sqrt(scale * z) * z / (mean * mean) * _wald_mills(mean, scale, z)


@quietly
def wald_rate_scale(mean: Any, scale: Any, z: Any) -> Any:
    return z / scale - 2 * z / mean * sqrt(z / scale) * _wald_mills(mean, scale, z)


# The primitives: the value of the last argument, moving with the others -----------------------------------------------


def _last(*args: Any) -> Any:
    z = args[-1]
    shape = np.broadcast_shapes(*map(np.shape, args))
    return z if np.shape(z) == shape else np.broadcast_to(z, shape)


#: gamma_point(a, z): a sample z of the standard gamma distribution, as a function of its shape.
gamma_point = Elementwise(_last, lambda out, x: gamma_rate(x, out), None, name="gamma_point")
#: beta_point(a, b, z).
beta_point = Elementwise(
    _last,
    lambda out, x, y: beta_rate(x, y, out, 1 - out),
    lambda out, x, y: -beta_rate(y, x, 1 - out, out),
    None,
    name="beta_point",
)
#: t_point(ν, y): √ν·sinh y is a sample of Student's distribution.
t_point = Elementwise(_last, lambda out, x: t_rate(x, out), None, name="t_point")
#: von_mises_point(κ, y): a sample y around 0.
von_mises_point = Elementwise(_last, lambda out, x: von_mises_rate(x, out), None, name="von_mises_point")
#: wald_point(mean, scale, z).
wald_point = Elementwise(
    _last,
    lambda out, x, y: wald_rate_mean(x, y, out),
    lambda out, x, y: wald_rate_scale(x, y, out),
    None,
    name="wald_point",
)
#: stand_in(x, z): the number z, with the derivative of x.
stand_in = Elementwise(_last, 1, None, name="stand_in")
COMPILED.update(
    dict.fromkeys(
        (gamma_point, beta_point, t_point, von_mises_point, wald_point, stand_in),
        lambda *args: broadcast_to(args[-1], shape=np.broadcast_shapes(*map(shape_of, args))),
    )
)


def t_sample(nu: Any, y: Any) -> Any:
    """The sample of Student's t distribution at y, moving with ν."""
    return sqrt(nu) * sinh(t_point(nu, y))


def beta_pair(a: Any, b: Any, z: Any, rest: Any) -> tuple[Any, Any]:
    """A sample z of the beta distribution and rest = 1 - z, both precise where they are small, moving with a and b."""
    flip = less(rest, z)
    part = beta_point(where(flip, b, a), where(flip, a, b), where(flip, rest, z))
    return where(flip, 1 - part, part), where(flip, part, 1 - part)
