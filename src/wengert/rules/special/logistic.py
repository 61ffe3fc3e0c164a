"""Logistic functions, entropies, Box-Cox transforms, and what else is made of logarithms, powers and angles."""

from __future__ import annotations

import math
from typing import Any

from wengert.core.combinators import Elementwise
from wengert.rules.elementwise import (
    absolute,
    equal,
    greater,
    hypot,
    less,
    less_equal,
    log,
    log1p,
    log_or_zero,
    maximum,
    power,
    power_partial_base,
    reciprocal,
    sign,
    sin,
    square,
    where,
)
from wengert.rules.special.common import ratio, sp, typed
from wengert.rules.special.hypergeometric import hyp1f1, hyp2f1

_LOG10 = math.log(10)
_DEGREE = math.pi / 180

expit = Elementwise(sp.expit, lambda x: expit(x) * expit(-x))
log_expit = Elementwise(sp.log_expit, lambda x: expit(-x))
logit = Elementwise(sp.logit, lambda x: reciprocal(x * (1 - x)), singular=True)
xlogy = Elementwise(sp.xlogy, lambda y: log(y), lambda x, y: ratio(x, y), singular=True)
xlog1py = Elementwise(sp.xlog1py, lambda y: log(1 + y), lambda x, y: ratio(x, 1 + y), singular=True)
entr = Elementwise(sp.entr, lambda x: -log(x) - 1, singular=True)
rel_entr = Elementwise(sp.rel_entr, lambda x, y: log(x / y) + 1, lambda x, y: -ratio(x, y), singular=True)
kl_div = Elementwise(sp.kl_div, lambda x, y: log(x / y), lambda x, y: 1 - ratio(x, y), singular=True)
huber = Elementwise(
    sp.huber, lambda x, y: maximum(abs(y) - x, 0.0), lambda x, y: where(less_equal(abs(y), x), y, x * sign(y))
)
pseudo_huber = Elementwise(
    sp.pseudo_huber, lambda x, y: _pseudo_huber_partial(x, y), lambda x, y: x * ratio(y, hypot(x, y))
)

exp10 = Elementwise(sp.exp10, lambda out: out * _LOG10)
cosm1 = Elementwise(sp.cosm1, lambda x: -sin(x))
exprel = Elementwise(sp.exprel, lambda x: exprel_slope(x))
powm1 = Elementwise(
    sp.powm1,
    lambda x, y: power_partial_base(x, y),
    lambda x, y: log_or_zero(x, power(x, y)) * power(x, y),
    singular=True,
)
boxcox = Elementwise(
    sp.boxcox, lambda x, y: power(x, y - 1), lambda x, y: typed(_boxcox_partial(log(x), x, y), y), singular=True
)
boxcox1p = Elementwise(
    sp.boxcox1p,
    lambda x, y: power(1 + x, y - 1),
    lambda x, y: typed(_boxcox_partial(log1p(x), 1 + x, y), y),
    singular=True,
)
inv_boxcox = Elementwise(
    sp.inv_boxcox,
    lambda out, x, y: out / (1 + x * y),
    lambda out, x, y: typed(out * square(x) * log1p_ratio_slope(x * y), y),
    singular=True,
)
inv_boxcox1p = Elementwise(
    sp.inv_boxcox1p,
    lambda out, x, y: (out + 1) / (1 + x * y),
    lambda out, x, y: typed((out + 1) * square(x) * log1p_ratio_slope(x * y), y),
    singular=True,
)

sindg = Elementwise(sp.sindg, lambda x: _DEGREE * cosdg(x))
cosdg = Elementwise(sp.cosdg, lambda x: -_DEGREE * sindg(x))
tandg = Elementwise(sp.tandg, lambda out: _DEGREE * (1 + square(out)))
cotdg = Elementwise(sp.cotdg, lambda out: -_DEGREE * (1 + square(out)))
radian = Elementwise(sp.radian, lambda: _DEGREE, lambda: _DEGREE / 60, lambda: _DEGREE / 3600)


def _pseudo_huber_partial(delta: Any, r: Any) -> Any:
    """(h - δ)²/h with h = hypot(δ, r), and h - δ = r²/(h + δ)."""
    h = hypot(delta, r)
    excess = r * ratio(r, h + delta)
    return excess * ratio(excess, h)


def exprel_slope(x: Any) -> Any:
    """The derivative of (exp(x) - 1)/x, at all orders without cancellation (DLMF 13.6.1, 13.3.15)."""
    x = where(greater(x, 1e3), 1e3, where(less(x, -1e30), -1e30, x))  # SciPy's does not end for infinity
    return 0.5 * hyp1f1(2.0, 3.0, x)


def log1p_ratio(u: Any) -> Any:
    """log(1 + u)/u with derivatives that do not cancel near 0 (DLMF 15.4.1)."""
    near = less_equal(absolute(u), 0.5)
    t = where(near, 1.0, u)
    return where(near, typed(hyp2f1(1.0, 1.0, 2.0, -where(near, u, 0.0)), u), log(1 + t) / t)


def log1p_ratio_slope(u: Any) -> Any:
    """The derivative of log(1 + u)/u."""
    near = less_equal(absolute(u), 0.5)
    t = where(near, 1.0, u)
    series = typed(-0.5 * hyp2f1(2.0, 2.0, 3.0, -where(near, u, 0.0)), u)
    return where(near, series, (reciprocal(1 + t) - log1p(t) / t) / t)


def _boxcox_partial(logarithm: Any, x: Any, power_: Any) -> Any:
    """log²x · exprel'(λ log x), and 1/λ² at x = 0 < λ."""
    zero = equal(x, 0.0)
    t = where(zero, 0.0, logarithm)
    at_zero = reciprocal(square(where(greater(power_, 0.0), power_, 0.0)))
    return where(zero, at_zero, square(t) * exprel_slope(power_ * t))
