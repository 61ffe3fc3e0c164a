"""Distributions of vectors, for `wengert.scipy.stats`: densities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.core.values import shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.indexing import diagonal
from wengert.numpy.joining import concatenate
from wengert.numpy.linalg import cholesky, matrix_transpose
from wengert.numpy.reductions import all as all_
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import reshape, squeeze
from wengert.numpy.ufuncs import blend, exp, floor, log, log1p
from wengert.scipy.checks import refuse_unless
from wengert.scipy.distributions import INFINITY, Distribution, real_numbers, scalar_if_plain
from wengert.scipy.equations import solve_triangular
from wengert.scipy.special import gammaln, xlogy


class _Multivariate(Distribution):
    """Parameters are checked by each distribution itself."""

    def _parameters(self, args: tuple[Any, ...], kwds: dict[str, Any]) -> list[Any]:
        return []

    def _logarithm(self, x: Any, args: tuple[Any, ...], kwds: dict[str, Any]) -> Any:
        with np.errstate(all="ignore"):
            return scalar_if_plain(self._logpdf(real_numbers(x, "the argument"), *args, **kwds))

    def _logpdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        raise NotImplementedError


class _WithDensity(_Multivariate):
    def _logarithm(self, x: Any, args: tuple[Any, ...], kwds: dict[str, Any]) -> Any:
        return scalar_if_plain(squeeze(super()._logarithm(x, args, kwds)))  # without axes of length one, as in SciPy

    def logpdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the density."""
        return self._logarithm(x, args, kwds)

    def pdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Density."""
        return exp(self._logarithm(x, args, kwds))


def _location_and_spread(x: Any, mean: Any, cov: Any, name: str) -> tuple[Any, Any, Any, int]:
    """Return x, mean and a matrix of matching sizes, and the dimension, as SciPy fills them in."""
    mean = None if mean is None else real_numbers(mean, "the mean")
    cov = real_numbers(1.0 if cov is None else cov, name)
    dim = math.prod((shape_of(cov) or (1,))[:1] if mean is None else shape_of(mean))
    mean = np.zeros(dim) if mean is None else reshape(mean, (dim,))
    if len(shape_of(cov)) < 2:
        cov = np.eye(dim) * (cov if not shape_of(cov) else cov[:, None])
    if shape_of(cov) != (dim, dim):
        if len(shape_of(cov)) > 2:
            raise ValueError(f"Array '{name}' must be at most two-dimensional, but {name}.ndim = {len(shape_of(cov))}")
        raise ValueError(
            f"Array '{name}' must be square and of the size of 'mean', but it is of shape {shape_of(cov)}."
        )
    if not shape_of(x):
        x = reshape(x, (1,))
    elif len(shape_of(x)) == 1 and dim == 1:
        x = x[:, None]
    return x, mean, cov, dim


def _log_det(cov: Any) -> tuple[Any, Any]:
    """Return the Cholesky factor of a covariance matrix, and the logarithm of its determinant."""
    # Half of either triangle: the derivative with respect to a symmetric matrix is symmetric then.
    factor = cholesky(0.5 * (cov + matrix_transpose(cov)))
    return factor, 2 * sum_(log(diagonal(factor)))


def _whitened(x: Any, mean: Any, cov: Any, dim: int) -> tuple[Any, Any]:
    """Return the squared length of x - mean in the metric of cov⁻¹, and log det cov."""
    factor, log_det = _log_det(cov)
    deviation = x - mean
    lead = shape_of(deviation)[:-1]
    z = solve_triangular(factor, matrix_transpose(reshape(deviation, (-1, dim))), lower=True)
    return reshape(sum_(z * z, axis=0), lead), log_det


class MultivariateNormal(_WithDensity):
    """Normal distribution of vectors, with a covariance matrix that is positive definite."""

    def _logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        if allow_singular:
            fail(
                UnsupportedOperationError,
                "multivariate_normal has no derivative with allow_singular=True: on which subspace the density is "
                "concentrated changes with the matrix. Add a small multiple of the unit matrix to it.",
            )
        x, mean, cov, dim = _location_and_spread(x, mean, cov, "cov")
        squares, log_det = _whitened(x, mean, cov, dim)
        return -0.5 * (dim * math.log(2 * math.pi) + log_det + squares)

    def entropy(self, mean: Any = None, cov: Any = 1) -> Any:
        """Differential entropy."""
        _, _, cov, dim = _location_and_spread(np.zeros(()), mean, cov, "cov")
        return scalar_if_plain(0.5 * (dim * (math.log(2 * math.pi) + 1) + _log_det(cov)[1]))


class MultivariateT(_WithDensity):
    """Student's t distribution of vectors, with a shape matrix that is positive definite."""

    def _logpdf(self, x: Any, loc: Any = None, shape: Any = 1, df: Any = 1) -> Any:
        x, loc, shape, dim = _location_and_spread(x, loc, shape, "shape")
        df = real_numbers(df, "df")
        squares, log_det = _whitened(x, loc, shape, dim)
        constant = gammaln(0.5 * (df + dim)) - gammaln(0.5 * df) - 0.5 * dim * log(df * math.pi) - 0.5 * log_det
        return constant - 0.5 * (df + dim) * log1p(squares / df)


class Dirichlet(_WithDensity):
    """Dirichlet distribution; the last component of x may be left out. x has its components along the first axis."""

    def _logpdf(self, x: Any, alpha: Any) -> Any:
        alpha = real_numbers(alpha, "alpha")
        if len(shape_of(alpha)) != 1:
            raise ValueError(f"Parameter vector 'a' must be one dimensional, but a.shape = {shape_of(alpha)}.")
        size = shape_of(alpha)[0]
        if not shape_of(x) or shape_of(x)[0] not in (size - 1, size):
            raise ValueError(
                "Vector 'x' must have either the same number of entries as, or one entry fewer than, parameter vector "
                f"'a', but alpha.shape = {shape_of(alpha)} and x.shape = {shape_of(x)}."
            )
        if shape_of(x)[0] == size - 1:
            x = concatenate([x, 1 - sum_(x, axis=0, keepdims=True)])
        refuse_unless(alpha > 0, "All parameters must be greater than 0")
        refuse_unless((x >= 0) & (x <= 1), "Each entry in 'x' must be between 0 and 1.")
        refuse_unless(abs(sum_(x, axis=0) - 1.0) < 1e-9, "The input vector 'x' must lie within the normal simplex.")
        column = reshape(alpha, (size,) + (1,) * (len(shape_of(x)) - 1))
        return gammaln(sum_(alpha)) - sum_(gammaln(alpha)) + sum_(xlogy(column - 1, x), axis=0)


class Multinomial(_Multivariate):
    """Multinomial distribution: counts along the last axis; no derivative with respect to these."""

    def logpmf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the probability."""
        return self._logarithm(x, args, kwds)

    def pmf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Probability."""
        return exp(self._logarithm(x, args, kwds))

    def _logpdf(self, x: Any, n: Any, p: Any) -> Any:
        n, p = real_numbers(n, "n"), real_numbers(p, "p")
        # As in SciPy, the last probability is what the others leave.
        p = concatenate([p[..., :-1], 1.0 - sum_(p[..., :-1], axis=-1, keepdims=True)], axis=-1)
        whole = floor(x)
        inside = all_((whole == x) & (x >= 0), axis=-1) & (sum_(whole, axis=-1) == n)
        counts = blend(inside[..., None], whole, 0.0)
        out = gammaln(n + 1) + sum_(xlogy(counts, p) - gammaln(counts + 1), axis=-1)
        valid = all_((p >= 0) & (p <= 1), axis=-1) & (n >= 0) & (n == floor(n))
        return blend(valid, blend(inside, out, -INFINITY), np.nan)


multivariate_normal = MultivariateNormal("multivariate_normal")
multivariate_t = MultivariateT("multivariate_t")
dirichlet = Dirichlet("dirichlet")
multinomial = Multinomial("multinomial")
