"""Samples of the special functions."""

from __future__ import annotations

import numpy as np

from wengert.rules.special import bessel, error_functions, gammas, incomplete, integrals, log_sums, logistic

from .sample import Sample

_rng = np.random.default_rng(9)


def _u(low: float, high: float, *shape: int) -> np.ndarray:
    return _rng.uniform(low, high, size=shape)


_INF = np.inf
_ROOT_PI = np.sqrt(np.pi)

#: Functions of one real variable: primitive, interval of smooth points, whether SciPy's takes complex numbers.
_UNARY = [
    (error_functions.erf, -2, 2, True),
    (error_functions.erfc, -2, 2, True),
    (error_functions.erfi, -1.5, 1.5, True),
    (error_functions.erfcx, -2, 19, False),
    (error_functions.erfinv, -0.8, 0.8, False),
    (error_functions.erfcinv, 0.3, 1.6, False),
    (error_functions.dawsn, -2, 2, True),
    (error_functions.ndtr, -2, 2, True),
    (error_functions.log_ndtr, -5, 2, False),
    (error_functions.ndtri, 0.2, 0.8, False),
    (gammas.gammaln, 0.8, 5, False),
    (gammas.gammaln, -0.7, -0.3, False),
    (gammas.loggamma, 0.8, 5, False),
    (gammas.gamma, 0.8, 4, False),
    (gammas.gamma, -0.7, -0.3, False),
    (gammas.digamma, 0.8, 5, False),
    (logistic.expit, -4, 4, False),
    (logistic.log_expit, -4, 4, False),
    (logistic.logit, 0.2, 0.8, False),
    (logistic.entr, 0.3, 3, False),
    (bessel.j0, -3, 3, False),
    (bessel.j1, -3, 3, False),
    (bessel.y0, 0.8, 4, False),
    (bessel.y1, 0.8, 4, False),
    (bessel.i0, -2, 2, False),
    (bessel.i1, -2, 2, False),
    (bessel.k0, 0.8, 3, False),
    (bessel.k1, 0.8, 3, False),
    (bessel.i0e, 0.3, 3, False),
    (bessel.i1e, -3, -0.3, False),
    (bessel.k0e, 0.8, 3, False),
    (bessel.k1e, 0.8, 3, False),
    (logistic.exp10, -0.5, 0.5, False),
    (logistic.cosm1, -2, 2, False),
    (integrals.expi, 0.5, 2, False),
    (integrals.expi, -2, -0.5, False),
    (integrals.exp1, 0.5, 2, False),
]
#: Functions of two real variables: primitive, intervals.
_BINARY = [
    (gammas.beta, (0.8, 3), (0.8, 3)),
    (gammas.betaln, (0.8, 3), (0.8, 3)),
    (logistic.xlogy, (-2, 2), (0.5, 3)),
    (logistic.xlog1py, (-2, 2), (-0.5, 3)),
    (logistic.rel_entr, (0.5, 2), (0.5, 2)),
    (logistic.kl_div, (0.5, 2), (0.5, 2)),
    (logistic.huber, (1, 2), (-0.9, 0.9)),
    (logistic.huber, (0.3, 1), (1.1, 3)),
]
#: Functions whose first argument is a constant: primitive, orders, interval.
_ORDERED = [
    (gammas.polygamma, (1, 2, 3), (0.9, 4)),
    (incomplete.gammainc, (0.5, 1.0, 3.0), (0.5, 4)),
    (incomplete.gammaincc, (0.5, 1.0, 3.0), (0.5, 4)),
    *((f, (0, 1, 2.5), (0.8, 3)) for f in (bessel.jv, bessel.yv, bessel.iv, bessel.kv, bessel.ive, bessel.kve)),
]

SAMPLES = [
    *(
        Sample(f, (x,), analytic=analytic)
        for f, low, high, analytic in _UNARY
        for x in [_u(low, high, 3), _u(low, high), np.zeros((0, 2)) + low, _u(low, high, 2).astype(np.float32)]
    ),
    *(
        Sample(f, (x + 1j * _u(-0.5, 0.5, 2),), note="complex")
        for f, x in [(error_functions.erf, _u(-1, 1, 2)), (integrals.exp1, _u(1, 2, 2))]
    ),
    *(
        Sample(f, args)
        for f, x, y in _BINARY
        for args in [
            (_u(*x), _u(*y)),
            (_u(*x, 2, 1), _u(*y, 3)),
            (_u(*x, 0) + x[0], _u(*y)),
            (_u(*x, 2).astype(np.float32), _u(*y, 2).astype(np.float32)),
        ]
    ),
    *(
        Sample(f, (np.array(order), _u(*x, 3)), wrt=(1,), nan=f is not gammas.polygamma)
        for f, orders, x in _ORDERED
        for order in orders
    ),
    Sample(incomplete.betainc, (np.array([2.0, 0.7]), np.array([1.5, 1.0]), np.array([0.3, 0.6])), wrt=(2,)),
    # Strong zeros, poles and ends of domains
    Sample(logistic.xlogy, (0.0, 0.0), smooth=False, expected=[-_INF, 0.0]),
    Sample(logistic.xlogy, (0.0, 2.0), note="0 times a finite logarithm"),
    Sample(logistic.xlog1py, (0.0, -1.0), smooth=False, expected=[-_INF, 0.0]),
    Sample(logistic.entr, (0.0,), smooth=False, expected=[_INF]),
    Sample(logistic.rel_entr, (0.0, 2.0), smooth=False, expected=[-_INF, 0.0]),
    Sample(logistic.kl_div, (0.0, 2.0), smooth=False, expected=[-_INF, 1.0]),
    Sample(logistic.logit, (np.array([0.0, 1.0]),), smooth=False, expected=[np.array([_INF, _INF])]),
    Sample(error_functions.erfinv, (np.array([-1.0, 1.0]),), smooth=False, expected=[np.array([_INF, _INF])]),
    Sample(bessel.i1e, (0.0,), smooth=False, expected=[0.5]),
    Sample(logistic.huber, (1.0, 0.0), note="0"),
    Sample(
        error_functions.log_ndtr,
        (np.array([-1000.0, 0.0, 40.0]),),
        smooth=False,
        expected=[np.array([1000.0009999980001, 2 / np.sqrt(2 * np.pi), 0.0])],
    ),
    Sample(
        logistic.expit,
        (np.array([-50.0, 0.0, 50.0]),),
        smooth=False,
        expected=[np.array([1.928749847963918e-22, 0.25, 1.928749847963918e-22])],
    ),
    Sample(error_functions.erfcx, (np.array([30.0, 100.0]),)),
    *(
        Sample(log_sums.logsumexp, (x,), {"axis": axis})
        for x, axis in [
            (_u(-1, 1, 3), (0,)),
            (_u(-1, 1, 2, 3), (1,)),
            (_u(-1, 1, 2, 3), (0, 1)),
            (_u(-1, 1, 3) + 1j * _u(-1, 1, 3), (0,)),
            (np.array([1e3, 1e3 + 1]), (0,)),
            (np.array([0.0, 0.0]), (0,)),
            (np.zeros((2, 0)), (0,)),
            (_u(-1, 1, 3).astype(np.float32), (0,)),
        ]
    ),
    Sample(
        log_sums.logsumexp, (np.array([0.0, -_INF]),), {"axis": (0,)}, smooth=False, expected=[np.array([1.0, 0.0])]
    ),
    Sample(log_sums.logsumexp, (np.full(2, -_INF),), {"axis": (0,)}, smooth=False, expected=[np.zeros(2)]),
    *(
        Sample(log_sums.weighted_logsumexp, (x, b), {"axis": axis})
        for x, b, axis in [
            (_u(-1, 1, 3), _u(0.5, 2, 3), (0,)),
            (_u(-1, 1, 3), np.array([0.5, -4.0, 0.3]), (0,)),
            (_u(-1, 1, 2, 3), _u(0.5, 2, 2, 3), (1,)),
            (_u(-1, 1, 2, 3), _u(0.5, 2, 2, 3), (0, 1)),
        ]
    ),
    Sample(log_sums.shift, (np.array([[1.0, 3.0], [-_INF, -_INF]]),), {"axis": (1,)}),
]
