"""Functions of `scipy.special` that are Python functions there, and convert their arguments to plain arrays.

SciPy's own raise a `ConcretizationError` on traced arrays: these have to be called from here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from wengert.core.values import dtype_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, call, implements
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.ufuncs import sinc, where
from wengert.rules.special import bessel, gammas, integrals, orthogonal
from wengert.scipy.special import ufuncs as u
from wengert.scipy.special.wave_functions import eval_genlaguerre, eval_legendre

# Gamma functions ------------------------------------------------------------------------------------------------------


@implements(scipy.special.polygamma)
def polygamma(n: Any, x: Any) -> Any:
    """Derivatives of `digamma`, for real x; itself differentiable in x."""
    return call(gammas.polygamma, n, x)


@implements(scipy.special.multigammaln)  # pyright: ignore[reportAttributeAccessIssue]
def multigammaln(a: Any, d: int) -> Any:
    """Logarithm of the multivariate gamma function."""
    a = as_array(a)
    halves = 0.5 * np.arange(int(d))
    return 0.25 * d * (d - 1) * math.log(math.pi) + sum_(u.gammaln(a[..., None] - halves), axis=-1)


@implements(scipy.special.zeta)
def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """Differentiable in q. There is no closed form for the derivative in x, Riemann's zeta function included."""
    return call(gammas.riemann_zeta, x) if q is None else call(gammas.zeta, x, q)


def _counted(values: Any, n: Any, k: Any) -> Any:
    """0 outside of 0 ≤ k ≤ n."""
    n, k = as_array(n), as_array(k)
    return where((k <= n) & (n >= 0) & (k >= 0), values, 0.0)


def _inexact(exact: bool, name: str) -> None:
    if exact:
        fail(UnsupportedOperationError, f"{name} with exact=True counts with Python's integers. Leave it out.")


@implements(scipy.special.comb)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """Binomial coefficients, differentiable as those of real numbers inside of 0 ≤ k ≤ N."""
    _inexact(exact, "comb")
    N, k = as_array(N), as_array(k)
    if repetition:
        return where((k == 0) & (N >= 0), 1.0, u.binom(N + k - 1, k))
    return _counted(u.binom(N, k), N, k)


@implements(scipy.special.perm)
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """Γ(N+1)/Γ(N-k+1), differentiable inside of 0 ≤ k ≤ N."""
    _inexact(exact, "perm")
    N, k = as_array(N), as_array(k)
    return _counted(u.poch(N - k + 1, k), N, k)


@implements(scipy.special.factorial)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """Γ(n+1), differentiable for n > -1; 0 for n < 0."""
    _inexact(exact, "factorial")
    n = as_array(n)
    if extend != "zero" or dtype_of(n).kind == "c":
        return u.gamma(n + 1)
    negative = n < 0
    return where(negative, 0.0, u.gamma(where(negative, 1.0, n + 1)))


# Lambert's function ---------------------------------------------------------------------------------------------------


@implements(scipy.special.lambertw)
def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """Solution w of w·exp(w) = z on the branch k, complex; its derivative is infinite at the branch point -1/e."""
    return call(integrals.lambertw, z, k, tol)


# Bessel functions -----------------------------------------------------------------------------------------------------


def _spherical(function: Any, primitive: Any, slope: Any) -> Callable[..., Any]:
    @implements(function)
    def spherical(n: Any, z: Any, derivative: bool = False) -> Any:
        """Differentiable in z, real or complex."""
        return call(slope if derivative else primitive, np.asarray(as_array(n), int)[()], z)

    return spherical


spherical_jn = _spherical(scipy.special.spherical_jn, bessel.spherical_jn, bessel.spherical_jn_slope)
spherical_yn = _spherical(scipy.special.spherical_yn, bessel.spherical_yn, bessel.spherical_yn_slope)
spherical_in = _spherical(scipy.special.spherical_in, bessel.spherical_in, bessel.spherical_in_slope)
spherical_kn = _spherical(scipy.special.spherical_kn, bessel.spherical_kn, bessel.spherical_kn_slope)


def _nth_derivative(function: Any, ufunc: Any, sign: int, outer: int = 1) -> Callable[..., Any]:
    """Derivatives of Bessel functions by binomial sums over orders (DLMF 10.6.7, 10.29.5)."""

    @implements(function)
    def derivative(v: Any, z: Any, n: int = 1) -> Any:
        """Derivative of order n, itself differentiable in z."""
        n = operator.index(n)
        if n < 0:
            raise ValueError("n must be a non-negative integer.")
        v = as_array(v)
        total = ufunc(v - n, z)
        for i in range(1, n + 1):
            total = total + sign**i * math.comb(n, i) * ufunc(v - n + 2 * i, z)
        return outer**n * total / 2**n

    return derivative


jvp = _nth_derivative(scipy.special.jvp, u.jv, -1)
yvp = _nth_derivative(scipy.special.yvp, u.yv, -1)
ivp = _nth_derivative(scipy.special.ivp, u.iv, 1)
kvp = _nth_derivative(scipy.special.kvp, u.kv, 1, -1)
h1vp = _nth_derivative(scipy.special.h1vp, u.hankel1, -1)
h2vp = _nth_derivative(scipy.special.h2vp, u.hankel2, -1)


# Polynomials and Legendre functions -----------------------------------------------------------------------------------


@implements(scipy.special.assoc_laguerre)
def assoc_laguerre(x: Any, n: Any, k: Any = 0.0) -> Any:
    """`eval_genlaguerre` with its arguments in another order."""
    return eval_genlaguerre(n, k, x)


@implements(scipy.special.diric)
def diric(x: Any, n: Any) -> Any:
    """Periodic sinc function sin(nx/2)/(n·sin(x/2))."""
    return call(orthogonal.diric, x, n)


def _without_options(name: str, options: dict[str, Any]) -> None:
    defaults = {"diff_n": 0, "branch_cut": 2, "norm": False}
    given = [k for k, v in options.items() if k not in defaults or np.any(v != defaults[k])]
    if given:
        fail(
            UnsupportedOperationError,
            f"{name} with {', '.join(given)}= has no derivative rule. Leave it out, and take derivatives with wengert.",
        )


if hasattr(scipy.special, "sph_harm_y"):  # SciPy 1.15

    @implements(scipy.special.legendre_p)
    def legendre_p(n: Any, z: Any, **options: Any) -> Any:
        """Legendre polynomial, with an axis in front, as in SciPy, where it is for derivatives."""
        _without_options("legendre_p", options)
        return as_array(eval_legendre(n, z))[None]

    @implements(scipy.special.assoc_legendre_p)
    def assoc_legendre_p(n: Any, m: Any, z: Any, **options: Any) -> Any:
        """Associated Legendre function, with an axis in front, as in SciPy, where it is for derivatives."""
        _without_options("assoc_legendre_p", options)
        return as_array(call(orthogonal.assoc_legendre_p, n, m, z))[None]

    @implements(scipy.special.sph_legendre_p)
    def sph_legendre_p(n: Any, m: Any, theta: Any, **options: Any) -> Any:
        """Spherical Legendre function, with an axis in front, as in SciPy, where it is for derivatives."""
        _without_options("sph_legendre_p", options)
        return as_array(call(orthogonal.sph_legendre_p, n, m, theta))[None]

    @implements(scipy.special.sph_harm_y)
    def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, **options: Any) -> Any:
        """Spherical harmonics, differentiable in both angles, at the poles, too."""
        _without_options("sph_harm_y", options)
        return call(orthogonal.sph_harm_y, n, m, theta, phi)


__all__ = [
    "assoc_laguerre",
    "comb",
    "diric",
    "factorial",
    "h1vp",
    "h2vp",
    "ivp",
    "jvp",
    "kvp",
    "lambertw",
    "multigammaln",
    "perm",
    "polygamma",
    "sinc",
    "spherical_in",
    "spherical_jn",
    "spherical_kn",
    "spherical_yn",
    "yvp",
    "zeta",
]
if hasattr(scipy.special, "sph_harm_y"):
    __all__ += ["assoc_legendre_p", "legendre_p", "sph_harm_y", "sph_legendre_p"]
