"""Special functions of `scipy.special`: partial derivatives, in the form that does not cancel.

Formulas are those of the NIST Digital Library of Mathematical Functions (https://dlmf.nist.gov), whose equation numbers
the comments give. Derivatives with respect to the order of a Bessel function, or to the parameters of incomplete gamma
and beta functions, have no closed form: asking for one is an error.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import scipy.special

from wengert.core.combinators import (
    Elementwise,
    General,
    NonDifferentiable,
    _cast,
    broadcast_to,
    conjugate,
    reduce_sum,
    shifted,
)
from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.rules.elementwise import (
    equal,
    exp,
    greater,
    less_equal,
    log,
    logical_and,
    maximum,
    reciprocal,
    sign,
    sin,
    square,
    where,
)
from wengert.rules.reductions import restore


class SciPyFunctions:
    """The functions of scipy.special, as ufuncs also under SCIPY_ARRAY_API=1, where the public ones are wrappers."""

    def __getattr__(self, name: str) -> Any:
        return inspect.unwrap(getattr(scipy.special, name))


sp = SciPyFunctions()

# Python floats, which leave single precision single.
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
_ROOT_TWO = math.sqrt(2)
_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_LOG10 = math.log(10)


def _unknown(name: str, what: str) -> Callable[[Any], NoReturn]:
    """A partial derivative that nobody has a formula for."""

    def partial(x: Any) -> NoReturn:
        fail(
            UnsupportedOperationError,
            f"{name} has no derivative with respect to {what}. Pass a constant there (wengert.stop_gradient), or "
            "give a rule with wengert.custom_jvp.",
        )

    return partial


def _real_only(function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse complex arguments, for which the derivative given here would be wrong."""

    def checked(*args: Any) -> Any:
        if any(np.iscomplexobj(a) for a in args):
            fail(
                UnsupportedOperationError,
                f"{function.__name__} has a derivative rule for real arguments only; this one is complex.",
            )
        return function(*args)

    checked.__name__ = function.__name__
    return checked


# Error functions and the normal distribution (DLMF 7.2, 7.10) ---------------------------------------------------------

erf = Elementwise(sp.erf, lambda x: _TWO_OVER_ROOT_PI * exp(-square(x)))
erfc = Elementwise(sp.erfc, lambda x: -_TWO_OVER_ROOT_PI * exp(-square(x)))
erfi = Elementwise(sp.erfi, lambda x: _TWO_OVER_ROOT_PI * exp(square(x)))
erfcx = Elementwise(_real_only(sp.erfcx), lambda out, x: _erfcx_partial(out, x))
erfinv = Elementwise(sp.erfinv, lambda out: exp(square(out)) / _TWO_OVER_ROOT_PI, singular=True)
erfcinv = Elementwise(sp.erfcinv, lambda out: -exp(square(out)) / _TWO_OVER_ROOT_PI, singular=True)
dawsn = Elementwise(sp.dawsn, lambda out, x: 1 - 2 * x * out)
ndtr = Elementwise(sp.ndtr, lambda x: exp(-0.5 * square(x)) / _ROOT_TWO_PI)
log_ndtr = Elementwise(_real_only(sp.log_ndtr), lambda x: 2 / _ROOT_TWO_PI / erfcx(x / -_ROOT_TWO), singular=True)
ndtri = Elementwise(sp.ndtri, lambda out: _ROOT_TWO_PI * exp(0.5 * square(out)), singular=True)


def _erfcx_partial(out: Any, x: Any) -> Any:
    """2x·erfcx(x) - 2/√π, by its asymptotic series where the two terms are nearly equal (DLMF 7.12.1)."""
    far = greater(x, 20.0)
    u = 0.5 * reciprocal(square(where(far, x, 20.0)))
    series = u * (1 - 3 * u * (1 - 5 * u * (1 - 7 * u * (1 - 9 * u * (1 - 11 * u)))))
    return where(far, -_TWO_OVER_ROOT_PI * series, 2 * x * out - _TWO_OVER_ROOT_PI)


# Gamma and beta functions (DLMF 5.2, 5.15, 8.8, 8.17) -----------------------------------------------------------------

gammaln = Elementwise(sp.gammaln, lambda x: digamma(x))
loggamma = Elementwise(sp.loggamma, lambda x: digamma(x))
gamma = Elementwise(sp.gamma, lambda out, x: out * digamma(x))
digamma = Elementwise(sp.digamma, lambda x: _cast(polygamma(1, x), dtype_of(x)), name="digamma")
polygamma = Elementwise(
    _real_only(sp.polygamma), _unknown("polygamma", "its order"), lambda x, y: polygamma(x + 1, y), name="polygamma"
)
beta = Elementwise(
    sp.beta,
    lambda out, x, y: out * (digamma(x) - digamma(x + y)),
    lambda out, x, y: out * (digamma(y) - digamma(x + y)),
)
betaln = Elementwise(sp.betaln, lambda x, y: digamma(x) - digamma(x + y), lambda x, y: digamma(y) - digamma(x + y))
gammainc = Elementwise(
    sp.gammainc, _unknown("gammainc", "its first argument"), lambda x, y: _gamma_density(x, y), singular=True
)
gammaincc = Elementwise(
    sp.gammaincc, _unknown("gammaincc", "its first argument"), lambda x, y: -_gamma_density(x, y), singular=True
)
betainc = Elementwise(
    sp.betainc,
    _unknown("betainc", "its first argument"),
    _unknown("betainc", "its second argument"),
    lambda x, y, z: exp(xlogy(x - 1, z) + xlog1py(y - 1, -z) - betaln(x, y)),
    singular=True,
)


def _gamma_density(a: Any, x: Any) -> Any:
    return exp(xlogy(a - 1, x) - x - gammaln(a))


# Logistic functions, entropies ----------------------------------------------------------------------------------------

expit = Elementwise(sp.expit, lambda x: expit(x) * expit(-x))
log_expit = Elementwise(sp.log_expit, lambda x: expit(-x))
logit = Elementwise(sp.logit, lambda x: reciprocal(x * (1 - x)), singular=True)
xlogy = Elementwise(sp.xlogy, lambda y: log(y), lambda x, y: _ratio(x, y), singular=True)
xlog1py = Elementwise(sp.xlog1py, lambda y: log(1 + y), lambda x, y: _ratio(x, 1 + y), singular=True)
entr = Elementwise(sp.entr, lambda x: -log(x) - 1, singular=True)
rel_entr = Elementwise(sp.rel_entr, lambda x, y: log(x / y) + 1, lambda x, y: -_ratio(x, y), singular=True)
kl_div = Elementwise(sp.kl_div, lambda x, y: log(x / y), lambda x, y: 1 - _ratio(x, y), singular=True)
huber = Elementwise(
    sp.huber, lambda x, y: maximum(abs(y) - x, 0.0), lambda x, y: where(less_equal(abs(y), x), y, x * sign(y))
)


def _ratio(x: Any, y: Any) -> Any:
    """x / y, and 0 at (0, 0), where these functions are constantly 0 in y."""
    both = logical_and(equal(x, 0), equal(y, 0))
    return where(both, 0.0, x / where(both, 1.0, y))


# Bessel functions (DLMF 10.6, 10.29) ----------------------------------------------------------------------------------

j0 = Elementwise(sp.j0, lambda x: -j1(x))
j1 = Elementwise(sp.j1, lambda x: 0.5 * (j0(x) - jv(2, x)))
y0 = Elementwise(sp.y0, lambda x: -y1(x))
y1 = Elementwise(sp.y1, lambda x: 0.5 * (y0(x) - yv(2, x)))
i0 = Elementwise(sp.i0, lambda x: i1(x))
i1 = Elementwise(sp.i1, lambda x: 0.5 * (i0(x) + iv(2, x)))
k0 = Elementwise(sp.k0, lambda x: -k1(x))
k1 = Elementwise(sp.k1, lambda x: -0.5 * (k0(x) + kv(2, x)))
i0e = Elementwise(sp.i0e, lambda out, x: i1e(x) - sign(x) * out)
i1e = Elementwise(sp.i1e, lambda out, x: 0.5 * (i0e(x) + ive(2, x)) - sign(x) * out)
k0e = Elementwise(sp.k0e, lambda out, x: out - k1e(x))
k1e = Elementwise(sp.k1e, lambda out, x: out - 0.5 * (k0e(x) + kve(2, x)))
jv = Elementwise(sp.jv, _unknown("jv", "its order"), lambda x, y: 0.5 * (jv(x - 1, y) - jv(x + 1, y)))
yv = Elementwise(sp.yv, _unknown("yv", "its order"), lambda x, y: 0.5 * (yv(x - 1, y) - yv(x + 1, y)))
iv = Elementwise(sp.iv, _unknown("iv", "its order"), lambda x, y: 0.5 * (iv(x - 1, y) + iv(x + 1, y)))
kv = Elementwise(sp.kv, _unknown("kv", "its order"), lambda x, y: -0.5 * (kv(x - 1, y) + kv(x + 1, y)))
ive = Elementwise(
    _real_only(sp.ive),
    _unknown("ive", "its order"),
    lambda out, x, y: 0.5 * (ive(x - 1, y) + ive(x + 1, y)) - sign(y) * out,
)
kve = Elementwise(sp.kve, _unknown("kve", "its order"), lambda out, x, y: out - 0.5 * (kve(x - 1, y) + kve(x + 1, y)))

# Others ---------------------------------------------------------------------------------------------------------------

exp10 = Elementwise(sp.exp10, lambda out: out * _LOG10)
cosm1 = Elementwise(sp.cosm1, lambda x: -sin(x))
expi = Elementwise(sp.expi, lambda x: exp(x) / x, singular=True)
exp1 = Elementwise(sp.exp1, lambda x: -exp(-x) / x, singular=True)


# log Σ exp -----------------------------------------------------------------------------------------------------------


def _terms(x: Any, b: Any, axis: tuple[int, ...]) -> Any:
    """exp(x) / Σ b·exp(x), without the rounding of exp(x - log Σ …); 0 where all terms are exp(-∞)."""
    e = exp(x - shift(x, axis=axis))
    return _ratio(e, restore(reduce_sum(e if b is None else b * e, axis=axis), shape_of(e), axis))


def _logsumexp_jvp(tangents: Sequence[Any], out: Any, x: Any, *, axis: tuple[int, ...]) -> Any:
    return reduce_sum(_terms(x, None, axis) * tangents[0], axis=axis)


def _logsumexp_vjp(ct: Any, out: Any, x: Any, *, axis: tuple[int, ...]) -> tuple[Any]:
    return (conjugate(_terms(x, None, axis)) * restore(ct, shape_of(x), axis),)


logsumexp = General(
    lambda x, *, axis: sp.logsumexp(x, axis=axis),
    jvp=_logsumexp_jvp,
    vjp=_logsumexp_vjp,
    keep="args",
    name="logsumexp",
    batch=lambda size, args, batched, *, axis: logsumexp(args[0], axis=shifted(axis)),
)


def _weighted(x: Any, b: Any, *, axis: tuple[int, ...]) -> tuple[Any, Any]:
    out, signs = sp.logsumexp(x, b=b, axis=axis, return_sign=True)
    return out, signs


def _weighted_jvp(tangents: Sequence[Any], out: Any, x: Any, b: Any, *, axis: tuple[int, ...]) -> tuple[Any, None]:
    dx, db = tangents
    return reduce_sum(_terms(x, b, axis) * (b * dx + db), axis=axis), None


def _weighted_vjp(ct: Any, out: Any, x: Any, b: Any, *, axis: tuple[int, ...]) -> tuple[Any, Any]:
    c = _terms(x, b, axis) * restore(ct[0], shape_of(x), axis)
    return b * c, c


#: log |Σ b·exp(x)| and the sign of that sum, for x and b of one shape.
weighted_logsumexp = General(
    _weighted,
    jvp=_weighted_jvp,
    vjp=_weighted_vjp,
    multiple=True,
    keep="args",
    name="weighted_logsumexp",
    batch=lambda size, args, batched, *, axis: weighted_logsumexp(
        *(x if flag else broadcast_to(x, shape=(size, *shape_of(x))) for x, flag in zip(args, batched, strict=True)),
        axis=shifted(axis),
    ),
)


def _largest(x: Any, *, axis: tuple[int, ...]) -> Any:
    out = np.max(x.real, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(out), out, out.dtype.type(0))


#: Maximum with axes kept, 0 where it is not finite: a constant to subtract before exponentiating.
shift = NonDifferentiable(
    _largest, name="shift", batch=lambda size, args, batched, *, axis: shift(args[0], axis=shifted(axis))
)
