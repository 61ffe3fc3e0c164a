"""`scipy.special`, differentiable.

Ufuncs are rows, which also make SciPy's own functions of the same names take Arrays. `logsumexp`, `softmax`,
`log_softmax`, `polygamma` and `multigammaln` are Python functions in SciPy, which convert their arguments to plain
arrays: those have to be called from here (SciPy's own raise a `ConcretizationError` on traced arrays).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, call, implements, normalise_axes
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import broadcast_arrays, reshape
from wengert.numpy.ufuncs import exp, where
from wengert.numpy.universal import Ufunc
from wengert.rules import elementwise as e
from wengert.rules import special as r
from wengert.rules.special import sp

# Error functions and the normal distribution
erf = Ufunc(sp.erf, r.erf)
erfc = Ufunc(sp.erfc, r.erfc)
erfi = Ufunc(sp.erfi, r.erfi)
erfcx = Ufunc(sp.erfcx, r.erfcx)
erfinv = Ufunc(sp.erfinv, r.erfinv)
erfcinv = Ufunc(sp.erfcinv, r.erfcinv)
dawsn = Ufunc(sp.dawsn, r.dawsn)
ndtr = Ufunc(sp.ndtr, r.ndtr)
log_ndtr = Ufunc(sp.log_ndtr, r.log_ndtr)
ndtri = Ufunc(sp.ndtri, r.ndtri)

# Gamma and beta functions
gamma = Ufunc(sp.gamma, r.gamma)
gammaln = Ufunc(sp.gammaln, r.gammaln)
loggamma = Ufunc(sp.loggamma, r.loggamma)
digamma = Ufunc(sp.digamma, r.digamma)
psi = Ufunc(sp.psi, r.digamma)
beta = Ufunc(sp.beta, r.beta)
betaln = Ufunc(sp.betaln, r.betaln)
gammainc = Ufunc(sp.gammainc, r.gammainc)
gammaincc = Ufunc(sp.gammaincc, r.gammaincc)
betainc = Ufunc(sp.betainc, r.betainc)

# Logistic functions, entropies
expit = Ufunc(sp.expit, r.expit)
log_expit = Ufunc(sp.log_expit, r.log_expit)
logit = Ufunc(sp.logit, r.logit)
xlogy = Ufunc(sp.xlogy, r.xlogy)
xlog1py = Ufunc(sp.xlog1py, r.xlog1py)
entr = Ufunc(sp.entr, r.entr)
rel_entr = Ufunc(sp.rel_entr, r.rel_entr)
kl_div = Ufunc(sp.kl_div, r.kl_div)
huber = Ufunc(sp.huber, r.huber)

# Bessel functions
j0 = Ufunc(sp.j0, r.j0)
j1 = Ufunc(sp.j1, r.j1)
y0 = Ufunc(sp.y0, r.y0)
y1 = Ufunc(sp.y1, r.y1)
i0 = Ufunc(sp.i0, r.i0)
i1 = Ufunc(sp.i1, r.i1)
k0 = Ufunc(sp.k0, r.k0)
k1 = Ufunc(sp.k1, r.k1)
i0e = Ufunc(sp.i0e, r.i0e)
i1e = Ufunc(sp.i1e, r.i1e)
k0e = Ufunc(sp.k0e, r.k0e)
k1e = Ufunc(sp.k1e, r.k1e)
jv = Ufunc(sp.jv, r.jv)
yv = Ufunc(sp.yv, r.yv)
iv = Ufunc(sp.iv, r.iv)
kv = Ufunc(sp.kv, r.kv)
ive = Ufunc(sp.ive, r.ive)
kve = Ufunc(sp.kve, r.kve)

# Others
expm1 = Ufunc(sp.expm1, e.expm1)
log1p = Ufunc(sp.log1p, e.log1p)
exp2 = Ufunc(sp.exp2, e.exp2)
exp10 = Ufunc(sp.exp10, r.exp10)
cbrt = Ufunc(sp.cbrt, e.cbrt)
cosm1 = Ufunc(sp.cosm1, r.cosm1)
expi = Ufunc(sp.expi, r.expi)
exp1 = Ufunc(sp.exp1, r.exp1)


@implements(scipy.special.polygamma)
def polygamma(n: Any, x: Any) -> Any:
    """Derivatives of `digamma`, for real x; itself differentiable in x."""
    return call(r.polygamma, n, x)


@implements(scipy.special.multigammaln)  # pyright: ignore[reportAttributeAccessIssue]
def multigammaln(a: Any, d: int) -> Any:
    """Logarithm of the multivariate gamma function."""
    a = as_array(a)
    halves = 0.5 * np.arange(int(d))
    return 0.25 * d * (d - 1) * math.log(math.pi) + sum_(gammaln(a[..., None] - halves), axis=-1)


@implements(scipy.special.logsumexp)
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """Stable, also with entries of -inf; differentiable in a and in the weights b."""
    a = as_array(a)
    signs = None
    if axis == () or (axis is None and not shape_of(a)):
        a, b = a[..., None], None if b is None else as_array(b)[..., None]
        return logsumexp(a, -1, b, return_sign=return_sign)
    if b is not None or (return_sign and dtype_of(a).kind != "c"):
        a, b = broadcast_arrays(a, 1.0 if b is None else as_array(b))
        if "c" in (dtype_of(a).kind, dtype_of(b).kind):
            fail(UnsupportedOperationError, "logsumexp has no derivative for complex arguments with b=.")
        axes = normalise_axes(axis, len(shape_of(a)))
        out, signs = call(r.weighted_logsumexp, a, b, axis=axes)
        if not return_sign:
            out = where(signs < 0, np.nan, out)
    elif return_sign:
        fail(UnsupportedOperationError, "logsumexp has no derivative for complex arguments with return_sign=True.")
    else:
        axes = normalise_axes(axis, len(shape_of(a)))
        out = call(r.logsumexp, a, axis=axes)
    if keepdims:
        shape = tuple(1 if i in axes else n for i, n in enumerate(shape_of(a)))
        out, signs = reshape(out, shape), None if signs is None else reshape(signs, shape)
    return (out, signs) if return_sign else out


@implements(scipy.special.softmax)
def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / Σ exp(x)."""
    return exp(log_softmax(x, axis))


@implements(scipy.special.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """x - logsumexp(x), without cancellation where x is large."""
    x = as_array(x)
    axes = normalise_axes(axis, len(shape_of(x)))
    x = x - call(r.shift, x, axis=axes)
    return x - logsumexp(x, axes, keepdims=True)
