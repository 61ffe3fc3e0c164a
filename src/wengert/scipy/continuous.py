"""Continuous distributions: formulas for location 0 and scale 1 (see `distributions`)."""

from __future__ import annotations

import math
from typing import Any

from wengert.numpy.ufuncs import absolute, arctan2, blend, exp, expm1, log, log1p, maximum, minimum, sqrt, tan
from wengert.scipy import special as sp
from wengert.scipy.distributions import INFINITY, Continuous
from wengert.scipy.special import xlog1py, xlogy

_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)
_ROOT_TWO = math.sqrt(2)


def _log1mexp(x: Any) -> Any:
    """log(1 - exp(x)) for x < 0 (Mächler, "Accurately computing log(1 - exp(-|a|))", 2012)."""
    near = x > -0.6931471805599453
    return blend(near, log(-expm1(blend(near, x, -1.0))), log1p(-exp(blend(near, -1.0, x))))


# Continuous, on the whole line ---------------------------------------------------------------------------------------


class Norm(Continuous):
    """Normal distribution."""

    _logpdf = staticmethod(lambda y: -0.5 * y * y - _LOG_ROOT_TWO_PI)
    _cdf = staticmethod(lambda y: sp.ndtr(y))
    _sf = staticmethod(lambda y: sp.ndtr(-y))
    _logcdf = staticmethod(lambda y: sp.log_ndtr(y))
    _logsf = staticmethod(lambda y: sp.log_ndtr(-y))
    _ppf = staticmethod(lambda q: sp.ndtri(q))
    _isf = staticmethod(lambda q: -sp.ndtri(q))


class Laplace(Continuous):
    """Laplace (double exponential) distribution."""

    @staticmethod
    def _logpdf(y: Any) -> Any:
        return -math.log(2) - absolute(y)

    @staticmethod
    def _cdf(y: Any) -> Any:
        tail = 0.5 * exp(-absolute(y))
        return blend(y > 0, 1.0 - tail, tail)

    @classmethod
    def _sf(cls, y: Any) -> Any:
        return cls._cdf(-y)

    @staticmethod
    def _logcdf(y: Any) -> Any:
        return blend(y > 0, log1p(-0.5 * exp(-absolute(y))), -math.log(2) + minimum(y, 0.0))

    @classmethod
    def _logsf(cls, y: Any) -> Any:
        return cls._logcdf(-y)

    @staticmethod
    def _ppf(q: Any) -> Any:
        upper = q > 0.5
        tail = log(2.0 * blend(upper, 1.0 - q, q))
        return blend(upper, -tail, tail)

    @classmethod
    def _isf(cls, q: Any) -> Any:
        return -cls._ppf(q)


class Logistic(Continuous):
    """Logistic distribution."""

    @staticmethod
    def _logpdf(y: Any) -> Any:
        return sp.log_expit(y) + sp.log_expit(-y)

    _cdf = staticmethod(lambda y: sp.expit(y))
    _sf = staticmethod(lambda y: sp.expit(-y))
    _logcdf = staticmethod(lambda y: sp.log_expit(y))
    _logsf = staticmethod(lambda y: sp.log_expit(-y))
    _ppf = staticmethod(lambda q: sp.logit(q))
    _isf = staticmethod(lambda q: -sp.logit(q))


class Cauchy(Continuous):
    """Cauchy distribution."""

    _logpdf = staticmethod(lambda y: -math.log(math.pi) - log1p(y * y))
    _cdf = staticmethod(lambda y: arctan2(1.0, -y) / math.pi)
    _sf = staticmethod(lambda y: arctan2(1.0, y) / math.pi)

    @staticmethod
    def _ppf(q: Any) -> Any:
        upper = q > 0.5
        tail = 1.0 / tan(math.pi * blend(upper, 1.0 - q, q))
        return blend(upper, tail, -tail)

    @classmethod
    def _isf(cls, q: Any) -> Any:
        return -cls._ppf(q)


class GumbelR(Continuous):
    """Gumbel distribution of maxima."""

    _logpdf = staticmethod(lambda y: -y - exp(-y))
    _cdf = staticmethod(lambda y: exp(-exp(-y)))
    _sf = staticmethod(lambda y: -expm1(-exp(-y)))
    _logcdf = staticmethod(lambda y: -exp(-y))
    _ppf = staticmethod(lambda q: -log(-log(q)))
    _isf = staticmethod(lambda q: -log(-log1p(-q)))


class GumbelL(Continuous):
    """Gumbel distribution of minima."""

    _logpdf = staticmethod(lambda y: y - exp(y))
    _cdf = staticmethod(lambda y: -expm1(-exp(y)))
    _sf = staticmethod(lambda y: exp(-exp(y)))
    _logsf = staticmethod(lambda y: -exp(y))
    _ppf = staticmethod(lambda q: log(-log1p(-q)))
    _isf = staticmethod(lambda q: log(-log(q)))


class T(Continuous):
    """Student's t distribution; normal for infinite df."""

    shapes = ("df",)

    @staticmethod
    def _logpdf(y: Any, df: Any) -> Any:
        normal = df == INFINITY
        n = blend(normal, 1.0, df)
        out = -sp.betaln(0.5 * n, 0.5) - 0.5 * log(n) - 0.5 * (n + 1) * log1p(y * y / n)
        return blend(normal, Norm._logpdf(y), out)

    _cdf = staticmethod(lambda y, df: sp.stdtr(df, y))
    _sf = staticmethod(lambda y, df: sp.stdtr(df, -y))
    _ppf = staticmethod(lambda q, df: sp.stdtrit(df, q))
    _isf = staticmethod(lambda q, df: -sp.stdtrit(df, q))


class SkewNorm(Continuous):
    """Skew normal distribution, its density only."""

    shapes = ("a",)

    def _valid(self, a: Any) -> Any:
        return absolute(a) < INFINITY

    @staticmethod
    def _logpdf(y: Any, a: Any) -> Any:
        return math.log(2) + Norm._logpdf(y) + sp.log_ndtr(a * y)


class VonMises(Continuous):
    """Von Mises distribution on a circle, its density only."""

    shapes = ("kappa",)

    def _valid(self, kappa: Any) -> Any:
        return kappa >= 0

    @staticmethod
    def _logpdf(y: Any, kappa: Any) -> Any:
        return kappa * sp.cosm1(y) - 2 * _LOG_ROOT_TWO_PI - log(sp.i0e(kappa))


# Continuous, on positive numbers -------------------------------------------------------------------------------------


class _Positive(Continuous):
    support = (0.0, INFINITY)


class Expon(_Positive):
    """Exponential distribution."""

    _logpdf = staticmethod(lambda y: -y)
    _cdf = staticmethod(lambda y: -expm1(-y))
    _sf = staticmethod(lambda y: exp(-y))
    _logsf = staticmethod(lambda y: -y)
    _ppf = staticmethod(lambda q: -log1p(-q))
    _isf = staticmethod(lambda q: -log(q))


class HalfNorm(_Positive):
    """Absolute value of a normal number."""

    _logpdf = staticmethod(lambda y: 0.5 * math.log(2 / math.pi) - 0.5 * y * y)
    _cdf = staticmethod(lambda y: sp.erf(y / _ROOT_TWO))
    _sf = staticmethod(lambda y: 2.0 * sp.ndtr(-y))
    _ppf = staticmethod(lambda q: sp.ndtri(0.5 * (1.0 + q)))
    _isf = staticmethod(lambda q: -sp.ndtri(0.5 * q))

    @staticmethod
    def _logsf(y: Any) -> Any:
        return blend(y < 1, log1p(-sp.erf(minimum(y, 1.0) / _ROOT_TWO)), math.log(2) + sp.log_ndtr(-y))


class HalfCauchy(_Positive):
    """Absolute value of a Cauchy number."""

    _logpdf = staticmethod(lambda y: math.log(2 / math.pi) - log1p(y * y))
    _cdf = staticmethod(lambda y: 2 / math.pi * arctan2(y, 1.0))
    _sf = staticmethod(lambda y: 2 / math.pi * arctan2(1.0, y))
    _ppf = staticmethod(lambda q: tan(0.5 * math.pi * q))
    _isf = staticmethod(lambda q: 1.0 / tan(0.5 * math.pi * q))


class Rayleigh(_Positive):
    """Length of a vector of two normal numbers."""

    _logpdf = staticmethod(lambda y: log(y) - 0.5 * y * y)
    _cdf = staticmethod(lambda y: -expm1(-0.5 * y * y))
    _sf = staticmethod(lambda y: exp(-0.5 * y * y))
    _logsf = staticmethod(lambda y: -0.5 * y * y)
    _ppf = staticmethod(lambda q: sqrt(-2.0 * log1p(-q)))
    _isf = staticmethod(lambda q: sqrt(-2.0 * log(q)))


class LogNorm(_Positive):
    """Exponential of a normal number of deviation s."""

    shapes = ("s",)

    @staticmethod
    def _logpdf(y: Any, s: Any) -> Any:
        zero = y == 0
        z = log(blend(zero, 1.0, y)) / s
        return blend(zero, -INFINITY, -0.5 * z * z - log(s * blend(zero, 1.0, y)) - _LOG_ROOT_TWO_PI)

    _cdf = staticmethod(lambda y, s: sp.ndtr(log(y) / s))
    _sf = staticmethod(lambda y, s: sp.ndtr(-log(y) / s))
    _logcdf = staticmethod(lambda y, s: sp.log_ndtr(log(y) / s))
    _logsf = staticmethod(lambda y, s: sp.log_ndtr(-log(y) / s))
    _ppf = staticmethod(lambda q, s: exp(s * sp.ndtri(q)))
    _isf = staticmethod(lambda q, s: exp(-s * sp.ndtri(q)))


class WeibullMin(_Positive):
    """Weibull distribution."""

    shapes = ("c",)

    _logpdf = staticmethod(lambda y, c: log(c) + xlogy(c - 1, y) - y**c)
    _cdf = staticmethod(lambda y, c: -expm1(-(y**c)))
    _sf = staticmethod(lambda y, c: exp(-(y**c)))
    _logsf = staticmethod(lambda y, c: -(y**c))
    _ppf = staticmethod(lambda q, c: (-log1p(-q)) ** (1 / c))
    _isf = staticmethod(lambda q, c: (-log(q)) ** (1 / c))


class Gamma(_Positive):
    """Gamma distribution."""

    shapes = ("a",)

    _logpdf = staticmethod(lambda y, a: xlogy(a - 1, y) - y - sp.gammaln(a))
    _cdf = staticmethod(lambda y, a: sp.gammainc(a, y))
    _sf = staticmethod(lambda y, a: sp.gammaincc(a, y))
    _ppf = staticmethod(lambda q, a: sp.gammaincinv(a, q))
    _isf = staticmethod(lambda q, a: sp.gammainccinv(a, q))


class InvGamma(_Positive):
    """Reciprocal of a gamma number."""

    shapes = ("a",)

    @staticmethod
    def _logpdf(y: Any, a: Any) -> Any:
        zero = y == 0
        z = blend(zero, 1.0, y)
        return blend(zero, -INFINITY, -(a + 1) * log(z) - sp.gammaln(a) - 1 / z)

    _cdf = staticmethod(lambda y, a: sp.gammaincc(a, 1 / y))
    _sf = staticmethod(lambda y, a: sp.gammainc(a, 1 / y))
    _ppf = staticmethod(lambda q, a: 1 / sp.gammainccinv(a, q))
    _isf = staticmethod(lambda q, a: 1 / sp.gammaincinv(a, q))


class Chi2(_Positive):
    """Sum of df squares of normal numbers."""

    shapes = ("df",)

    @staticmethod
    def _logpdf(y: Any, df: Any) -> Any:
        return xlogy(0.5 * df - 1, y) - 0.5 * y - sp.gammaln(0.5 * df) - 0.5 * math.log(2) * df

    _cdf = staticmethod(lambda y, df: sp.gammainc(0.5 * df, 0.5 * y))
    _sf = staticmethod(lambda y, df: sp.gammaincc(0.5 * df, 0.5 * y))
    _ppf = staticmethod(lambda q, df: 2 * sp.gammaincinv(0.5 * df, q))
    _isf = staticmethod(lambda q, df: 2 * sp.gammainccinv(0.5 * df, q))


class Chi(_Positive):
    """Length of a vector of df normal numbers."""

    shapes = ("df",)

    @staticmethod
    def _logpdf(y: Any, df: Any) -> Any:
        return math.log(2) * (1 - 0.5 * df) - sp.gammaln(0.5 * df) + xlogy(df - 1, y) - 0.5 * y * y

    _cdf = staticmethod(lambda y, df: sp.gammainc(0.5 * df, 0.5 * y * y))
    _sf = staticmethod(lambda y, df: sp.gammaincc(0.5 * df, 0.5 * y * y))
    _ppf = staticmethod(lambda q, df: sqrt(2 * sp.gammaincinv(0.5 * df, q)))
    _isf = staticmethod(lambda q, df: sqrt(2 * sp.gammainccinv(0.5 * df, q)))


class F(_Positive):
    """Ratio of two mean squares of normal numbers."""

    shapes = ("dfn", "dfd")

    @staticmethod
    def _logpdf(y: Any, n: Any, m: Any) -> Any:
        constant = 0.5 * (n * log(n) + m * log(m)) - sp.betaln(0.5 * n, 0.5 * m)
        return constant + xlogy(0.5 * n - 1, y) - 0.5 * (n + m) * log(m + n * y)

    _cdf = staticmethod(lambda y, n, m: sp.fdtr(n, m, y))
    _sf = staticmethod(lambda y, n, m: sp.fdtrc(n, m, y))
    _ppf = staticmethod(lambda q, n, m: sp.fdtri(n, m, q))


class InvGauss(_Positive):
    """Inverse Gaussian (Wald) distribution."""

    shapes = ("mu",)

    @staticmethod
    def _logpdf(y: Any, mu: Any) -> Any:
        zero = y == 0
        z = blend(zero, 1.0, y)
        return blend(zero, -INFINITY, -_LOG_ROOT_TWO_PI - 1.5 * log(z) - ((z - mu) / mu) ** 2 / (2 * z))

    @staticmethod
    def _logcdf(y: Any, mu: Any) -> Any:
        root = 1 / sqrt(y)
        direct = sp.log_ndtr(root * (y / mu - 1))
        return direct + log1p(exp(2 / mu + sp.log_ndtr(-root * (y / mu + 1)) - direct))

    @staticmethod
    def _logsf(y: Any, mu: Any) -> Any:
        root = 1 / sqrt(y)
        direct = sp.log_ndtr(-root * (y / mu - 1))
        return direct + _log1mexp(2 / mu + sp.log_ndtr(-root * (y / mu + 1)) - direct)

    @classmethod
    def _cdf(cls, y: Any, mu: Any) -> Any:
        return exp(cls._logcdf(y, mu))

    @classmethod
    def _sf(cls, y: Any, mu: Any) -> Any:
        return exp(cls._logsf(y, mu))


class Pareto(Continuous):
    """Pareto distribution."""

    shapes, support, typical = ("b",), (1.0, INFINITY), 2.0

    _logpdf = staticmethod(lambda y, b: log(b) - (b + 1) * log(y))
    _cdf = staticmethod(lambda y, b: -expm1(-b * log(y)))
    _sf = staticmethod(lambda y, b: y**-b)
    _logsf = staticmethod(lambda y, b: -b * log(y))
    _ppf = staticmethod(lambda q, b: exp(-log1p(-q) / b))
    _isf = staticmethod(lambda q, b: q ** (-1 / b))


# Continuous, on an interval ------------------------------------------------------------------------------------------


class Uniform(Continuous):
    """Uniform distribution on [loc, loc + scale]."""

    support = (0.0, 1.0)

    _logpdf = staticmethod(lambda y: 0.0 * y)
    _cdf = staticmethod(lambda y: y)
    _ppf = staticmethod(lambda q: q)


class Beta(Continuous):
    """Beta distribution."""

    shapes, support = ("a", "b"), (0.0, 1.0)

    _logpdf = staticmethod(lambda y, a, b: xlogy(a - 1, y) + xlog1py(b - 1, -y) - sp.betaln(a, b))
    _cdf = staticmethod(lambda y, a, b: sp.betainc(a, b, y))
    _sf = staticmethod(lambda y, a, b: sp.betaincc(a, b, y))
    _ppf = staticmethod(lambda q, a, b: sp.betaincinv(a, b, q))
    _isf = staticmethod(lambda q, a, b: 1 - sp.betaincinv(b, a, q))


class TruncNorm(Continuous):
    """Normal distribution, cut off at a and b."""

    shapes, typical_shapes = ("a", "b"), (0.0, 1.0)

    def _valid(self, a: Any, b: Any) -> Any:
        return a < b

    def _ends(self, a: Any, b: Any) -> tuple[Any, Any]:
        return a, b

    @staticmethod
    def _log_mass(a: Any, b: Any) -> Any:
        """log(Φ(b) - Φ(a)), from the tail that is the smaller."""
        flip = a > 0
        low, high = blend(flip, -b, a), blend(flip, -a, b)
        far = sp.log_ndtr(high)
        ratio = blend(low == -INFINITY, -INFINITY, sp.log_ndtr(low) - far)
        ratio = blend(high > low, ratio, -INFINITY)
        return far + blend(low == -INFINITY, 0.0, _log1mexp(blend(low == -INFINITY, -1.0, ratio)))

    @classmethod
    def _logpdf(cls, y: Any, a: Any, b: Any) -> Any:
        return Norm._logpdf(y) - cls._log_mass(a, b)

    @classmethod
    def _logcdf(cls, y: Any, a: Any, b: Any) -> Any:
        return cls._log_mass(a, maximum(y, a)) - cls._log_mass(a, b)

    @classmethod
    def _logsf(cls, y: Any, a: Any, b: Any) -> Any:
        return cls._log_mass(minimum(y, b), b) - cls._log_mass(a, b)

    @classmethod
    def _cdf(cls, y: Any, a: Any, b: Any) -> Any:
        return exp(cls._logcdf(y, a, b))

    @classmethod
    def _sf(cls, y: Any, a: Any, b: Any) -> Any:
        return exp(cls._logsf(y, a, b))
