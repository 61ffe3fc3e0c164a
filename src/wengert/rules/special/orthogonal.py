"""Orthogonal polynomials, Legendre functions and spherical harmonics (DLMF 14.10, 18.9).

The derivative of a Jacobi, Gegenbauer or Laguerre polynomial is one of the next lower degree with higher parameters,
which holds for real degrees, too. There are no derivatives in degrees and parameters.
"""

from __future__ import annotations

from typing import Any

from wengert.core.combinators import Elementwise
from wengert.rules.elementwise import cos, equal, exp, less, maximum, sin, sqrt, square, where
from wengert.rules.special.common import in_last, lower, sp, typed, unknown

_JACOBI = ("its degree", "its parameters", "its parameters")


def _unless_constant(n: Any, derivative: Any) -> Any:
    """0 for the polynomial of degree 0."""
    if isinstance(n, (int, float)):
        return derivative if n else 0.0 * derivative
    return where(equal(n, 0), 0.0, derivative)


eval_jacobi = in_last(
    sp.eval_jacobi,
    lambda x, y, z, w: _unless_constant(x, 0.5 * (x + y + z + 1) * eval_jacobi(lower(x), y + 1, z + 1, w)),
    *_JACOBI,
)
eval_sh_jacobi = in_last(sp.eval_sh_jacobi, lambda x, y, z, w: x * eval_sh_jacobi(lower(x), y + 2, z + 1, w), *_JACOBI)
eval_gegenbauer = in_last(
    sp.eval_gegenbauer, lambda x, y, z: _unless_constant(x, 2 * y * eval_gegenbauer(lower(x), y + 1, z)), *_JACOBI[:2]
)
eval_legendre = in_last(sp.eval_legendre, lambda x, y: _legendre_slope(x, y), "its degree")
eval_sh_legendre = in_last(sp.eval_sh_legendre, lambda x, y: 2 * _legendre_slope(x, 2 * y - 1), "its degree")
eval_chebyt = in_last(sp.eval_chebyt, lambda x, y: x * eval_chebyu(lower(x), y), "its degree")
eval_chebyu = in_last(
    sp.eval_chebyu, lambda x, y: _unless_constant(x, 2 * eval_gegenbauer(lower(x), 2.0, y)), "its degree"
)
eval_chebyc = in_last(sp.eval_chebyc, lambda x, y: x * eval_chebys(lower(x), y), "its degree")
eval_chebys = in_last(
    sp.eval_chebys, lambda x, y: _unless_constant(x, eval_gegenbauer(lower(x), 2.0, 0.5 * y)), "its degree"
)
eval_sh_chebyt = in_last(sp.eval_sh_chebyt, lambda x, y: 2 * x * eval_sh_chebyu(lower(x), y), "its degree")
eval_sh_chebyu = in_last(
    sp.eval_sh_chebyu, lambda x, y: _unless_constant(x, 4 * eval_gegenbauer(lower(x), 2.0, 2 * y - 1)), "its degree"
)
eval_genlaguerre = in_last(
    sp.eval_genlaguerre, lambda x, y, z: _unless_constant(x, -eval_genlaguerre(lower(x), y + 1, z)), *_JACOBI[:2]
)
eval_laguerre = in_last(
    sp.eval_laguerre, lambda x, y: _unless_constant(x, -eval_genlaguerre(lower(x), 1.0, y)), "its degree"
)
eval_hermite = in_last(sp.eval_hermite, lambda x, y: 2 * x * eval_hermite(lower(x), y), "its degree")
eval_hermitenorm = in_last(sp.eval_hermitenorm, lambda x, y: x * eval_hermitenorm(lower(x), y), "its degree")


def _legendre_slope(n: Any, x: Any) -> Any:
    """The derivative of a Legendre polynomial, which is the Jacobi polynomial with zero parameters."""
    return _unless_constant(n, 0.5 * (n + 1) * eval_jacobi(lower(n), 1.0, 1.0, x))


# Legendre functions: order m, degree v. SciPy puts an axis in front, for derivatives. ---------------------------------

lpmv = in_last(
    sp.lpmv,
    lambda out, x, y, z: _legendre_partial(x, y, z, out, lambda degree: lpmv(x, degree, z)),
    "its order",
    "its degree",
    singular=True,
)
assoc_legendre_p = in_last(
    lambda n, m, z: sp.assoc_legendre_p(n, m, z)[0],
    lambda out, x, y, z: _legendre_partial(y, x, z, out, lambda degree: assoc_legendre_p(degree, y, z)),
    "its degree",
    "its order",
    singular=True,
    name="assoc_legendre_p",
)


def _legendre_partial(m: Any, n: Any, z: Any, out: Any, function: Any) -> Any:
    """((m+n)·P_{n-1} - n·z·P_n)/(1-z²), and for order 0 the derivative of a polynomial, which holds at ±1, too."""
    zero = equal(m, 0)
    w = where(zero, 0.5, z)
    general = ((m + n) * function(lower(n)) - n * w * out) / (1 - square(w))
    return typed(where(zero, _legendre_slope(n, where(zero, z, 0.5)), general), out)


def _ladder(n: Any, m: Any) -> Any:
    """The factor of the operator that raises m to m + 1, of numbers that may be plain integers."""
    return sqrt(maximum(1.0 * ((n - m) * (n + m + 1)), 0.0))


def _sheet(theta: Any) -> Any:
    """1/2, and -1/2 outside of 0 ≤ θ ≤ π, where SciPy goes by |sin θ|."""
    return where(less(sin(theta), 0.0), -0.5, 0.5)


sph_legendre_p = in_last(
    lambda n, m, theta: sp.sph_legendre_p(n, m, theta)[0],
    lambda out, x, y, z: typed(
        _sheet(z) * (_ladder(x, y) * sph_legendre_p(x, y + 1, z) - _ladder(x, -y) * sph_legendre_p(x, y - 1, z)), out
    ),
    "its degree",
    "its order",
    name="sph_legendre_p",
)
sph_harm_y = Elementwise(
    lambda n, m, theta, phi: sp.sph_harm_y(n, m, theta, phi),
    unknown("sph_harm_y", "its degree"),
    unknown("sph_harm_y", "its order"),
    lambda out, x, y, z, w: typed(
        _sheet(z)
        * (
            _ladder(x, y) * exp(-1j * w) * sph_harm_y(x, y + 1, z, w)
            - _ladder(x, -y) * exp(1j * w) * sph_harm_y(x, y - 1, z, w)
        ),
        out,
    ),
    lambda out, y: 1j * y * out,
    name="sph_harm_y",
)

# The Dirichlet function is U_{n-1}(cos(x/2))/n.
diric = Elementwise(
    lambda x, n: sp.diric(x, n),
    lambda x, y: -sin(0.5 * x) * eval_gegenbauer(y - 2, 2.0, cos(0.5 * x)) / y,
    unknown("diric", "its second argument"),
    name="diric",
)
