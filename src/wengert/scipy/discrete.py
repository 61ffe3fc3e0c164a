"""Distributions on integers: formulas for location 0 (see `distributions`)."""

from __future__ import annotations

from typing import Any

from wengert.numpy.ufuncs import exp, expm1, floor, log, maximum
from wengert.scipy import special as sp
from wengert.scipy.distributions import INFINITY, Discrete
from wengert.scipy.special import xlog1py, xlogy


def _is_probability(p: Any) -> Any:
    return (p >= 0) & (p <= 1)


class Bernoulli(Discrete):
    """1 with probability p, else 0."""

    shapes, support = ("p",), (0.0, 1.0)

    def _valid(self, p: Any) -> Any:
        return _is_probability(p)

    _logpmf = staticmethod(lambda k, p: xlogy(k, p) + xlog1py(1 - k, -p))
    _cdf = staticmethod(lambda k, p: 1 - p + 0.0 * k)
    _sf = staticmethod(lambda k, p: p + 0.0 * k)


class Binom(Discrete):
    """Successes among n trials of probability p."""

    shapes, typical_shapes = ("n", "p"), (1.0, 0.5)

    def _valid(self, n: Any, p: Any) -> Any:
        return (n >= 0) & (n == floor(n)) & _is_probability(p)

    def _ends(self, n: Any, p: Any) -> tuple[Any, Any]:
        return 0.0, n

    @staticmethod
    def _logpmf(k: Any, n: Any, p: Any) -> Any:
        ways = sp.gammaln(n + 1) - sp.gammaln(k + 1) - sp.gammaln(n - k + 1)
        return ways + xlogy(k, p) + xlog1py(n - k, -p)

    _cdf = staticmethod(lambda k, n, p: sp.betaincc(k + 1, maximum(n - k, 0.5), p))
    _sf = staticmethod(lambda k, n, p: sp.betainc(k + 1, maximum(n - k, 0.5), p))


class NBinom(Discrete):
    """Failures before the n-th success."""

    shapes, typical_shapes = ("n", "p"), (1.0, 0.5)

    def _valid(self, n: Any, p: Any) -> Any:
        return (n > 0) & (p > 0) & (p <= 1)

    @staticmethod
    def _logpmf(k: Any, n: Any, p: Any) -> Any:
        return sp.gammaln(n + k) - sp.gammaln(k + 1) - sp.gammaln(n) + n * log(p) + xlog1py(k, -p)

    _cdf = staticmethod(lambda k, n, p: sp.betainc(n, k + 1, p))
    _sf = staticmethod(lambda k, n, p: sp.betaincc(n, k + 1, p))


class BetaBinom(Discrete):
    """Binomial distribution with a beta distributed probability; its probabilities only."""

    shapes, typical_shapes = ("n", "a", "b"), (1.0, 1.0, 1.0)

    def _valid(self, n: Any, a: Any, b: Any) -> Any:
        return (n >= 0) & (n == floor(n)) & (a > 0) & (b > 0)

    def _ends(self, n: Any, a: Any, b: Any) -> tuple[Any, Any]:
        return 0.0, n

    @staticmethod
    def _logpmf(k: Any, n: Any, a: Any, b: Any) -> Any:
        return -log(n + 1) - sp.betaln(n - k + 1, k + 1) + sp.betaln(k + a, n - k + b) - sp.betaln(a, b)


class Geom(Discrete):
    """Trials until the first success."""

    shapes, support = ("p",), (1.0, INFINITY)

    def _valid(self, p: Any) -> Any:
        return (p > 0) & (p <= 1)

    _logpmf = staticmethod(lambda k, p: xlog1py(k - 1, -p) + log(p))
    _cdf = staticmethod(lambda k, p: -expm1(xlog1py(k, -p)))
    _sf = staticmethod(lambda k, p: exp(xlog1py(k, -p)))


class Poisson(Discrete):
    """Poisson distribution."""

    shapes, typical_shapes = ("mu",), (1.0,)

    def _valid(self, mu: Any) -> Any:
        return mu >= 0

    _logpmf = staticmethod(lambda k, mu: xlogy(k, mu) - sp.gammaln(k + 1) - mu)
    _cdf = staticmethod(lambda k, mu: sp.gammaincc(k + 1, mu))
    _sf = staticmethod(lambda k, mu: sp.gammainc(k + 1, mu))
