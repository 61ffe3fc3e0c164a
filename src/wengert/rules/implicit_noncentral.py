"""Samples of noncentral distributions as functions of their parameters: implicit reparametrisation of mixtures.

The noncentral chi-square distribution is a mixture of central ones, with k + 2J degrees of freedom where J is a Poisson
number of mean λ/2 (Johnson, Kotz & Balakrishnan, "Continuous univariate distributions", volume 2, chapters 29 and 30);
likewise the noncentral F distribution. A sample moves such that its distribution function F = Σ wⱼ Fⱼ stays what it is:

    dz/dθ = -(∂F/∂θ)/p = Σ πⱼ (dz/dθ)ⱼ,    πⱼ = wⱼ pⱼ(z)/Σ wᵢ pᵢ(z),

the mean of the rates of the central distributions, weighted by how probable J = j is for this sample. A shift of the
Poisson mean h turns Fⱼ into Fⱼ₊₁, and Fⱼ - Fⱼ₊₁ is elementary (DLMF 8.8.5 and 8.17.20): dz/dh = Σ πⱼ (Fⱼ - Fⱼ₊₁)/pⱼ.
All terms are positive. This has derivatives of every order, in λ = 0 too, and does not jump where NumPy changes its way
of drawing (at one degree of freedom); it is the mean over all ways in which the sample may have come about, with less
variance than the derivative of one of them.

The πⱼ are a smooth function of j with one peak. Only the neighbourhood of the peak is summed up; where it is wide, in
steps of more than one, which is as good as exact (the trapezoidal rule).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from wengert.core.combinators import Elementwise, NonDifferentiable, broadcast_to, reduce_sum
from wengert.core.values import Value, shape_of
from wengert.rules.elementwise import exp, log, maximum
from wengert.rules.implicit import _last, beta_rate, gamma_rate, quietly
from wengert.rules.special.common import COMPILED
from wengert.rules.special.gammas import gammaln

#: At most that many terms; more where the left end of the sum is not negligible are never needed.
_TERMS = 128
#: Terms below exp(-40) of the largest one are left out.
_NEGLIGIBLE = 40.0
#: Added to what may be zero: nothing, but derivatives at zero are right.
_TINY = 1e-60


# The neighbourhood of the peak: log πⱼ = j·log u - log j! - log Γ(a + j) + log Γ(a + b + j), if b > 0


def _log_weight(j: Any, a: Any, b: Any, u: Any) -> Any:
    more = np.where(b > 0, scipy.special.gammaln(a + b + j), 0.0)
    return j * np.log(u) - scipy.special.gammaln(j + 1) - scipy.special.gammaln(a + j) + more


def _mode(a: Any, b: Any, u: Any) -> Any:
    """Where terms stop to grow: (j + 1)(a + j) = u, or u·(a + b + j)."""
    middle = np.where(b > 0, a + 1 - u, a + 1)
    root = middle * middle - 4 * (a - u * np.where(b > 0, a + b, 1.0))
    return np.floor(np.maximum(0.0, 0.5 * (np.sqrt(np.maximum(root, 0.0)) - middle)))


def _end(a: Any, b: Any, u: Any, sign: int) -> Any:
    """The first number on one side of the peak whose term is negligible."""
    found = u
    with np.errstate(all="ignore"):
        u = np.maximum(u, 1.0)  # some terms beyond the first are for derivatives
        mode = _mode(a, b, u)
        least = _log_weight(mode, a, b, u) - _NEGLIGIBLE
        distance = np.full_like(mode, 8.0)
        for _ in range(100):
            found = np.maximum(mode + sign * distance, 0.0)
            short = (_log_weight(found, a, b, u) > least) & (found > 0)
            if not np.any(short):
                break
            distance = np.where(short, np.ceil(1.2 * distance), distance)
    return found


mixture_mode = NonDifferentiable(lambda a, b, u: _mode(a, b, u)[()], name="mixture_mode")
mixture_start = NonDifferentiable(lambda a, b, u: _end(a, b, u, -1)[()], name="mixture_start")
mixture_stop = NonDifferentiable(lambda a, b, u: _end(a, b, u, 1)[()], name="mixture_stop")


def _count(width: Any) -> int:
    """How many terms a sum needs: as many as it may have, where numbers are not known (in programs)."""
    while isinstance(width, Value):
        if not width.parts:
            return _TERMS
        width = width.parts[0]
    return 1 + int(np.min([np.max(np.where(np.isnan(width), 0.0, width), initial=0.0), _TERMS - 1]))


def _mean(term: Callable[[Any], Any], a: Any, b: Any, u: Any) -> Any:
    """Σ πⱼ·term(j), elementwise; the numbers j are a leading axis."""
    rank = max(len(shape_of(x)) for x in (a, b, u))
    start = mixture_start(a, b, u)
    width = mixture_stop(a, b, u) - start
    count = _count(width)
    steps = np.arange(float(count)).reshape((count,) + (1,) * rank)
    j = start + steps * maximum(1.0, width / (count - 1.0)) if count > 1 else start + steps

    def log_weight(j: Any) -> Any:
        result = j * log(u + _TINY) - gammaln(j + 1) - gammaln(a + j)
        return result if b is _NONE else result + gammaln(a + b + j)

    weights = exp(log_weight(j) - log_weight(mixture_mode(a, b, u)))
    return reduce_sum(weights * term(j), axis=(0,)) / reduce_sum(weights, axis=(0,))


_NONE = np.float64(0.0)


# Gamma distributions with shapes a + J --------------------------------------------------------------------------------


@quietly
def noncentral_gamma_rate(a: Any, h: Any, z: Any) -> Any:
    """dz/da of a sample z of the mixture of gamma distributions with shapes a + J, for a Poisson number J of mean h."""
    return _mean(lambda j: gamma_rate(a + j, z), a, _NONE, h * z)


@quietly
def noncentral_gamma_rate_mean(a: Any, h: Any, z: Any) -> Any:
    """dz/dh of a sample z of that mixture."""
    return z * _mean(lambda j: 1 / (a + j), a, _NONE, h * z)


# Ratios of two gamma distributed numbers, the first one with a shape a + J --------------------------------------------


@quietly
def noncentral_ratio_rate(a: Any, b: Any, h: Any, r: Any) -> Any:
    """dr/da of a ratio r of gamma distributed numbers with shapes a + J and b."""
    rest = 1 / (1 + r)
    z = r * rest
    return _mean(lambda j: beta_rate(a + j, b, z, rest), a, b, h * z) / (rest * rest)


@quietly
def noncentral_ratio_rate_other(a: Any, b: Any, h: Any, r: Any) -> Any:
    """dr/db of that ratio."""
    rest = 1 / (1 + r)
    z = r * rest
    return -_mean(lambda j: beta_rate(b, a + j, rest, z), a, b, h * z) / (rest * rest)


@quietly
def noncentral_ratio_rate_mean(a: Any, b: Any, h: Any, r: Any) -> Any:
    """dr/dh of that ratio."""
    return r * _mean(lambda j: 1 / (a + j), a, b, h * (r / (1 + r)))


#: noncentral_gamma_point(a, h, z): a sample z, as a function of the parameters of its distribution.
noncentral_gamma_point = Elementwise(
    _last,
    lambda out, x, y: noncentral_gamma_rate(x, y, out),
    lambda out, x, y: noncentral_gamma_rate_mean(x, y, out),
    None,
    name="noncentral_gamma_point",
)
#: noncentral_ratio_point(a, b, h, r).
noncentral_ratio_point = Elementwise(
    _last,
    lambda out, x, y, z: noncentral_ratio_rate(x, y, z, out),
    lambda out, x, y, z: noncentral_ratio_rate_other(x, y, z, out),
    lambda out, x, y, z: noncentral_ratio_rate_mean(x, y, z, out),
    None,
    name="noncentral_ratio_point",
)
COMPILED.update(
    dict.fromkeys(
        (noncentral_gamma_point, noncentral_ratio_point),
        lambda *args: broadcast_to(args[-1], shape=np.broadcast_shapes(*map(shape_of, args))),
    )
)
