"""Gamma and beta functions and the zeta function (DLMF 5.2, 5.15, 25.11)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from wengert.core.combinators import Elementwise, NonDifferentiable, cast, real_part
from wengert.core.values import dtype_of
from wengert.rules.elementwise import (
    cos,
    equal,
    exp,
    floor,
    less,
    less_equal,
    logical_and,
    logical_or,
    power,
    sin,
    where,
)
from wengert.rules.special.common import (
    COMPILED,
    by_ufunc,
    in_last,
    real_only,
    sp,
    typed,
    unknown,
    without_rule,
)
from wengert.rules.special.logistic import xlog1py, xlogy

gammaln = Elementwise(sp.gammaln, lambda x: digamma(x))
loggamma = Elementwise(sp.loggamma, lambda x: digamma(x))
gamma = Elementwise(sp.gamma, lambda out, x: out * digamma(x))
rgamma = Elementwise(sp.rgamma, lambda out, x: _rgamma_slope(out, x))
gammasgn = NonDifferentiable(sp.gammasgn)
digamma = Elementwise(sp.digamma, lambda x: cast(polygamma(1, x), dtype_of(x)), name="digamma")
polygamma = in_last(real_only(sp.polygamma), lambda x, y: polygamma(x + 1, y), "its order")
poch = Elementwise(sp.poch, lambda out, x, y: _poch_partial(out, x, y), lambda out, x, y: out * digamma(x + y))
binom = Elementwise(
    sp.binom, lambda out, x, y: _binom_partial_n(out, x, y), lambda out, x, y: _binom_partial_k(out, x, y)
)

beta = Elementwise(
    sp.beta,
    lambda out, x, y: out * (digamma(x) - digamma(x + y)),
    lambda out, x, y: out * (digamma(y) - digamma(x + y)),
)
betaln = Elementwise(sp.betaln, lambda x, y: digamma(x) - digamma(x + y), lambda x, y: digamma(y) - digamma(x + y))

zeta = in_last(
    by_ufunc(lambda x, q: scipy.special.zeta(x, q), "_zeta"),
    lambda x, y: -x * zeta(x + 1, y),
    "its first argument",
    name="zeta",
)
riemann_zeta = Elementwise(
    by_ufunc(lambda x: scipy.special.zeta(x), "_riemann_zeta"),
    unknown("zeta", "its first argument"),
    name="riemann_zeta",
)
zetac = without_rule(sp.zetac)


def _polygamma(n: Any, x: Any) -> Any:
    """SciPy's own steps."""
    if isinstance(n, (int, float, np.generic)):
        if n == 0:
            return digamma(x)
        order = np.asarray(n) + 1
        return (-1.0) ** order * sp.gamma(np.asarray(n) + 1.0) * zeta(order[()], x)
    return where(equal(n, 0), digamma(x), power(-1.0, n + 1) * gamma(n + 1.0) * zeta(n + 1, x))


COMPILED[polygamma] = _polygamma


def gamma_density(a: Any, x: Any) -> Any:
    """Density of the gamma distribution with shape a."""
    return typed(exp(xlogy(a - 1, x) - x - gammaln(a)), x)


def beta_density(a: Any, b: Any, x: Any) -> Any:
    return typed(exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b)), x)


def _rgamma_slope(out: Any, x: Any) -> Any:
    """-ψ(x)/Γ(x), in the left half plane, which has the poles of ψ, by reflection: 1/Γ(x) = sin(πx)·Γ(1-x)/π."""
    left = less(real_part(x), 0.5)
    t, u = where(left, x, 0.0), where(left, 0.5, x)
    angle = math.pi * t
    reflected = gamma(1 - t) * (cos(angle) - sin(angle) * digamma(1 - t) / math.pi)
    return where(left, reflected, -out * digamma(u))


def _is_pole(x: Any) -> Any:
    return logical_and(less_equal(x, 0.0), equal(x, floor(x)))


def _poch_partial(out: Any, x: Any, y: Any) -> Any:
    """(ψ(x+y) - ψ(x))·Γ(x+y)/Γ(x), also where x is a pole of both ψ and Γ."""
    pole = _is_pole(x)
    u, v = where(pole, 1.0, x), where(pole, x, 1.0)
    total = v + y
    inverse = rgamma(v)
    at_pole = gamma(total) * (digamma(total) * inverse + _rgamma_slope(inverse, v))
    return where(pole, at_pole, out * (digamma(u + y) - digamma(u)))


def _binom_parts(n: Any, k: Any) -> tuple[Any, ...]:
    """Whether the binomial coefficient is zero at a pole of a gamma function; the arguments with and without such."""
    pole = logical_or(_is_pole(n - k + 1), _is_pole(k + 1))
    return pole, where(pole, n, 0.0), where(pole, k, 0.0), where(pole, 0.0, n), where(pole, 0.0, k)


def _binom_partial_n(out: Any, n: Any, k: Any) -> Any:
    pole, n, k, u, v = _binom_parts(n, k)
    d = n - k + 1
    inverse = rgamma(d)
    at_pole = gamma(n + 1) * rgamma(k + 1) * (digamma(n + 1) * inverse + _rgamma_slope(inverse, d))
    return typed(where(pole, at_pole, out * (digamma(u + 1) - digamma(u - v + 1))), n)


def _binom_partial_k(out: Any, n: Any, k: Any) -> Any:
    pole, n, k, u, v = _binom_parts(n, k)
    c, d = k + 1, n - k + 1
    inverse_c, inverse_d = rgamma(c), rgamma(d)
    at_pole = gamma(n + 1) * (_rgamma_slope(inverse_c, c) * inverse_d - inverse_c * _rgamma_slope(inverse_d, d))
    return typed(where(pole, at_pole, out * (digamma(u - v + 1) - digamma(v + 1))), k)
