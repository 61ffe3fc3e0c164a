"""Exponential, trigonometric and hyperbolic integrals, inverse functions of x·exp(x) (DLMF 4.13, 6, 8.19, 25.12)."""

from __future__ import annotations

import math
from typing import Any

from wengert.core.combinators import Elementwise
from wengert.rules.elementwise import cos, cosh, exp, less_equal, maximum, sinc, where
from wengert.rules.special.common import by_ufunc, in_last, several, sp
from wengert.rules.special.hypergeometric import hyp0f1
from wengert.rules.special.logistic import log1p_ratio

expi = Elementwise(sp.expi, lambda x: exp(x) / x, singular=True)
exp1 = Elementwise(sp.exp1, lambda x: -exp(-x) / x, singular=True)
expn = in_last(sp.expn, lambda x, y: _expn_partial(x, y), "its order", singular=True)
sici = several(sp.sici, lambda out, x: (sinc(x / math.pi), cos(x) / x))
shichi = several(sp.shichi, lambda out, x: (hyp0f1(1.5, 0.25 * x * x), cosh(x) / x))  # sinh(x)/x (DLMF 10.39.9)
spence = Elementwise(sp.spence, lambda x: -log1p_ratio(x - 1), singular=True)

lambertw = Elementwise(
    by_ufunc(lambda x, k, tol: sp.lambertw(x, k, tol), "_lambertw"),
    lambda out: exp(-out) / (1 + out),
    None,
    None,
    singular=True,
    name="lambertw",
)
wrightomega = Elementwise(sp.wrightomega, lambda out: out / (1 + out), singular=True)


def _expn_partial(n: Any, x: Any) -> Any:
    """-E_{n-1}(x), where E_{-1}(x) = exp(-x)·(1 + 1/x)/x."""
    lowest = less_equal(n, 0)
    t = where(lowest, x, 1.0)
    return where(lowest, -exp(-t) * (1 + t) / (t * t), -expn(maximum(n, 1) - 1, x))
