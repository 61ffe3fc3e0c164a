"""Incomplete gamma and beta functions and their inverse functions (DLMF 8.8, 8.17).

They are distribution functions F(z; a), and their inverse functions quantiles. The derivative in the variable is the
density p. In a parameter there is no closed form, but an integral that does not cancel, of how fast the quantile moves:
∂F/∂a = -p·dz/da (`wengert.rules.implicit`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.combinators import Elementwise
from wengert.rules.elementwise import (
    equal,
    greater,
    greater_equal,
    isfinite,
    less,
    logical_and,
    logical_or,
    reciprocal,
    where,
)
from wengert.rules.implicit import beta_rate, gamma_rate
from wengert.rules.special.common import sp, typed
from wengert.rules.special.gammas import beta_density, gamma_density

gammainc = Elementwise(
    sp.gammainc, lambda x, y: typed(gamma_shape(x, y), x), lambda x, y: gamma_density(x, y), singular=True
)
gammaincc = Elementwise(
    sp.gammaincc, lambda x, y: typed(-gamma_shape(x, y), x), lambda x, y: -gamma_density(x, y), singular=True
)
gammaincinv = Elementwise(
    sp.gammaincinv,
    lambda out, x: typed(gamma_rate(x, out), x),
    lambda out, x: reciprocal(gamma_density(x, out)),
    singular=True,
)
gammainccinv = Elementwise(
    sp.gammainccinv,
    lambda out, x: typed(gamma_rate(x, out), x),
    lambda out, x: -reciprocal(gamma_density(x, out)),
    singular=True,
)
betainc = Elementwise(
    sp.betainc,
    lambda x, y, z: typed(beta_shape(x, y, z), x),
    lambda x, y, z: typed(beta_other_shape(x, y, z), y),
    lambda x, y, z: beta_density(x, y, z),
    singular=True,
)
betaincc = Elementwise(
    sp.betaincc,
    lambda x, y, z: typed(-beta_shape(x, y, z), x),
    lambda x, y, z: typed(-beta_other_shape(x, y, z), y),
    lambda x, y, z: -beta_density(x, y, z),
    singular=True,
)
betaincinv = Elementwise(
    sp.betaincinv,
    lambda out, x, y: typed(beta_rate(x, y, out, 1 - out), x),
    lambda out, x, y: typed(-beta_rate(y, x, 1 - out, out), y),
    lambda out, x, y: reciprocal(beta_density(x, y, out)),
    singular=True,
)
betainccinv = Elementwise(
    sp.betainccinv,
    lambda out, x, y: typed(beta_rate(x, y, out, 1 - out), x),
    lambda out, x, y: typed(-beta_rate(y, x, 1 - out, out), y),
    lambda out, x, y: -reciprocal(beta_density(x, y, out)),
    singular=True,
)


def gamma_shape(a: Any, x: Any) -> Any:
    """The partial derivative of `gammainc` in a; 0 at the ends."""
    inside = logical_and(greater(x, 0.0), isfinite(x))
    t = where(inside, x, 1.0)
    return where(inside, -gamma_density(a, t) * gamma_rate(a, t), where(greater_equal(x, 0.0), 0.0, np.nan))


def beta_shape(a: Any, b: Any, x: Any) -> Any:
    """The partial derivative of `betainc` in a."""
    return _inside(x, lambda t: -beta_density(a, b, t) * beta_rate(a, b, t, 1 - t))


def beta_other_shape(a: Any, b: Any, x: Any) -> Any:
    """The partial derivative of `betainc` in b: it is 1 - betainc(b, a, 1 - x)."""
    return _inside(x, lambda t: beta_density(a, b, t) * beta_rate(b, a, 1 - t, t))


def _inside(x: Any, formula: Callable[[Any], Any]) -> Any:
    """The formula between 0 and 1; 0 at both, NaN outside."""
    inside = logical_and(greater(x, 0.0), less(x, 1.0))
    t = where(inside, x, 0.5)
    return where(inside, formula(t), where(logical_or(equal(x, 0.0), equal(x, 1.0)), 0.0, np.nan))
