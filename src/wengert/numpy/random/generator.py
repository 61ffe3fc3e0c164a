"""`Generator`: NumPy's, with samplers that are differentiable in their parameters.

Two ways lead from parameters to samples. *Standard numbers* are transformed (normal, uniform, exponential …), by the
formula that NumPy itself uses. Where NumPy draws by rejection (the gamma family, von Mises …) its sample is taken, and
moved with the parameters such that its quantile stays the same (`wengert.rules.implicit`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, call, contains_traced, write_out
from wengert.numpy.random.selection import SelectingGenerator
from wengert.numpy.random.state import is_differentiated, wrapped
from wengert.rules import elementwise as e
from wengert.rules import implicit
from wengert.rules import implicit_noncentral as noncentral
from wengert.rules.contraction import matmul
from wengert.rules.indexing import index
from wengert.rules.joining import concatenate
from wengert.rules.linalg import adjoint, as_column, cholesky, swap_last
from wengert.rules.reductions import cumprod

_numpy: Any = np.random.Generator


def _shape(size: Any, *parameters: Any) -> tuple[int, ...]:
    """Shape of a sample."""
    if size is None:
        return np.broadcast_shapes(*map(np.shape, parameters))
    return tuple(size) if isinstance(size, (tuple, list)) else (int(size),)


class Generator(SelectingGenerator):
    """A generator of random numbers whose samples have derivatives with respect to their parameters.

    It is NumPy's generator in all other respects: the same numbers from the same seed, the same methods. With
    parameters that are not traced the methods are NumPy's own.

    Parameters
    ----------
    bit_generator : numpy.random.BitGenerator
        The source of random bits. Usually a generator is made by `default_rng`.

    Raises
    ------
    UnsupportedOperationError
        When numbers are drawn while a program is recorded (`jit`), or a parameter of a discrete distribution is
        differentiated.

    Notes
    -----
    Differentiable are `uniform`, `normal`, `lognormal`, `exponential`, `laplace`, `logistic`, `gumbel`, `rayleigh`,
    `weibull`, `pareto`, `power`, `triangular`, `multivariate_normal` (a formula in standard random numbers), and
    `standard_gamma`, `gamma`, `chisquare`, `beta`, `dirichlet`, `f`, `standard_t`, `vonmises`, `wald`,
    `noncentral_chisquare`, `noncentral_f` (implicit reparametrisation, Figurnov et al. 2018: the derivative at a fixed
    value of the distribution function). Derivatives have any order and mode.

    A draw is a function of the generator's state and of the parameters. Under `vmap` all examples start from the same
    state, as in a loop over a function that makes its own generator; so they share their standard random numbers. For
    independent ones draw them outside and map over them too.

    Examples
    --------
    The derivative of an expectation is the mean of the derivatives of samples. That of E[x²] = a² + a for the gamma
    distribution with shape a is 2a + 1:

    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.numpy.random import default_rng
    >>> def second_moment(a):
    ...     return np.mean(default_rng(0).gamma(a, size=100_000) ** 2)
    >>> np.round(grad(second_moment)(1.5), 1)
    np.float64(4.0)
    """

    # Formulas in standard numbers ------------------------------------------------------------------------------------

    def _transformed(
        self, name: str, formula: Callable[..., Any], noise: Callable[..., Any], size: Any, *parameters: Any
    ) -> Any:
        method = getattr(_numpy, name)
        if self.takes(*parameters):
            return method(self, *parameters, size)
        _refuse_complex(name, *parameters)

        def sample(*numbers: Any) -> Any:
            shape = _shape(size, *numbers)
            method(self, *numbers, (0, *shape))  # checks the parameters, and draws nothing
            return noise(self, size=shape)

        return wrapped(call(formula, self.draw(sample, *parameters), *parameters), *parameters)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Uniform distribution between two bounds."""
        return self._transformed("uniform", lambda u, a, b: a + (b - a) * u, _numpy.random, size, low, high)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Normal distribution."""
        return self._transformed("normal", _scaled, _numpy.standard_normal, size, loc, scale)

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Any:
        """Exponential function of a normal distribution."""
        return self._transformed(
            "lognormal", lambda x, m, s: e.exp(m + s * x), _numpy.standard_normal, size, mean, sigma
        )

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Exponential distribution."""
        return self._transformed("exponential", lambda x, s: s * x, _numpy.standard_exponential, size, scale)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Laplace distribution."""
        return self._transformed("laplace", _scaled, _numpy.laplace, size, loc, scale)

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Logistic distribution."""
        return self._transformed("logistic", _scaled, _numpy.logistic, size, loc, scale)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Gumbel distribution."""
        return self._transformed("gumbel", _scaled, _numpy.gumbel, size, loc, scale)

    def rayleigh(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Rayleigh distribution."""
        return self._transformed("rayleigh", lambda x, s: s * x, _numpy.rayleigh, size, scale)

    def weibull(self, a: Any, size: Any = None) -> Any:
        """Weibull distribution with shape a."""
        return self._transformed("weibull", _root, _numpy.standard_exponential, size, a)

    def pareto(self, a: Any, size: Any = None) -> Any:
        """Pareto (Lomax) distribution with shape a."""
        return self._transformed("pareto", lambda x, a: e.expm1(x / a), _numpy.standard_exponential, size, a)

    def power(self, a: Any, size: Any = None) -> Any:
        """Power distribution with density a·x^(a-1) on [0, 1]."""
        return self._transformed("power", lambda x, a: _root(-e.expm1(-x), a), _numpy.standard_exponential, size, a)

    def triangular(self, left: Any, mode: Any, right: Any, size: Any = None) -> Any:
        """Triangular distribution."""
        return self._transformed("triangular", _triangular, _numpy.random, size, left, mode, right)

    # Samples that keep their quantile --------------------------------------------------------------------------------

    def _moved(
        self, name: str, formula: Callable[..., Any], prepare: Callable[..., Any], size: Any, *parameters: Any
    ) -> Any:
        """NumPy's sample, and derivatives from ``formula(*prepare(sample, *numbers), *parameters)``."""
        method = getattr(_numpy, name)
        if self.takes(*parameters):
            return method(self, *parameters, size)
        _refuse_complex(name, *parameters)

        def sample(*numbers: Any) -> tuple[Any, ...]:
            z = np.asarray(method(self, *numbers, size))[()]
            return z, *prepare(z, *numbers)

        z, *prepared = self.draw(sample, *parameters)
        return wrapped(call(lambda *p: implicit.stand_in(formula(*prepared, *p), z), *parameters), *parameters)

    def standard_gamma(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, shape: Any, size: Any = None, dtype: Any = np.float64, out: Any = None
    ) -> Any:
        """Gamma distribution with scale 1."""
        if self.takes(shape, out):
            return super().standard_gamma(shape, size, dtype, out)
        if out is not None and size is None:
            size = shape_of(out)
        _refuse_complex("standard_gamma", shape)
        z = self.draw(lambda a: _numpy.standard_gamma(self, a, size, dtype), shape)
        result = wrapped(call(lambda a: implicit.gamma_point(a, z), shape), shape)
        return result if out is None else write_out(out, result)

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> Any:
        """Gamma distribution."""
        return self._moved(
            "gamma",
            lambda z, a, scale: scale * implicit.gamma_point(a, z),
            lambda z, a, scale: (np.divide(z, scale, out=np.zeros_like(z), where=np.not_equal(scale, 0)),),
            size,
            shape,
            scale,
        )

    def chisquare(self, df: Any, size: Any = None) -> Any:
        """Chi-square distribution."""
        return self._moved(
            "chisquare", lambda z, df: 2 * implicit.gamma_point(0.5 * df, z), lambda z, df: (0.5 * z,), size, df
        )

    def beta(self, a: Any, b: Any, size: Any = None) -> Any:
        """Beta distribution."""
        return self._moved("beta", lambda z, a, b: implicit.beta_point(a, b, z), lambda z, a, b: (z,), size, a, b)

    def f(self, dfnum: Any, dfden: Any, size: Any = None) -> Any:
        """F distribution."""

        def prepare(z: Any, m: Any, n: Any) -> tuple[Any, Any]:
            total = m * z + n
            return m * z / total, n / total

        def formula(v: Any, w: Any, m: Any, n: Any) -> Any:
            v, w = implicit.beta_pair(0.5 * m, 0.5 * n, v, w)
            return n * v / (m * w)

        return self._moved("f", formula, prepare, size, dfnum, dfden)

    def standard_t(self, df: Any, size: Any = None) -> Any:
        """Student's t distribution."""
        return self._moved(
            "standard_t",
            lambda y, nu: implicit.t_sample(nu, y),
            lambda z, nu: (np.arcsinh(z / np.sqrt(nu)),),
            size,
            df,
        )

    def vonmises(self, mu: Any, kappa: Any, size: Any = None) -> Any:
        """Von Mises distribution on the circle, between -π and π."""
        return self._moved(
            "vonmises",
            lambda y, mu, kappa: mu + implicit.von_mises_point(kappa, y),
            lambda z, mu, kappa: (np.remainder(z - mu + np.pi, 2 * np.pi) - np.pi,),
            size,
            mu,
            kappa,
        )

    def wald(self, mean: Any, scale: Any, size: Any = None) -> Any:
        """Wald (inverse Gaussian) distribution."""
        return self._moved(
            "wald", lambda z, m, s: implicit.wald_point(m, s, z), lambda z, m, s: (z,), size, mean, scale
        )

    def noncentral_chisquare(self, df: Any, nonc: Any, size: Any = None) -> Any:
        """Noncentral chi-square distribution."""
        return self._moved(
            "noncentral_chisquare",
            lambda z, df, nonc: 2 * noncentral.noncentral_gamma_point(0.5 * df, 0.5 * nonc, z),
            lambda z, df, nonc: (0.5 * z,),
            size,
            df,
            nonc,
        )

    def noncentral_f(self, dfnum: Any, dfden: Any, nonc: Any, size: Any = None) -> Any:
        """Noncentral F distribution."""
        return self._moved(
            "noncentral_f",
            lambda r, m, n, nonc: n / m * noncentral.noncentral_ratio_point(0.5 * m, 0.5 * n, 0.5 * nonc, r),
            lambda z, m, n, nonc: (m / n * z,),
            size,
            dfnum,
            dfden,
            nonc,
        )

    # Vectors ---------------------------------------------------------------------------------------------------------

    def dirichlet(self, alpha: Any, size: Any = None) -> Any:
        """Dirichlet distribution: successive shares of what is left are independent, with beta distributions."""

        def prepare(z: Any, alpha: Any) -> tuple[Any, Any]:
            left = np.cumsum(z[..., ::-1], axis=-1)[..., ::-1]
            whole = np.where(left > 0, left, 1.0)[..., :-1]
            return z[..., :-1] / whole, left[..., 1:] / whole

        def formula(v: Any, w: Any, alpha: Any) -> Any:
            behind = np.tri(shape_of(alpha)[-1], k=-1)[:, :-1]
            v, w = implicit.beta_pair(index(alpha, spec=(slice(-1),)), matmul(alpha, behind), v, w)
            ones = np.ones((*shape_of(w)[:-1], 1))
            left = concatenate(ones, cumprod(w, axis=len(shape_of(w)) - 1), axis=len(shape_of(w)) - 1)
            return left * concatenate(v, ones, axis=len(shape_of(v)) - 1)

        alpha = as_array(alpha) if contains_traced(alpha) else alpha
        return self._moved("dirichlet", formula, prepare, size, alpha)

    def multivariate_normal(
        self,
        mean: Any,
        cov: Any,
        size: Any = None,
        check_valid: Any = "warn",
        tol: float = 1e-8,
        *,
        method: Any = "svd",
    ) -> Any:
        """Multivariate normal distribution; the derivative is that of mean + Cholesky factor · noise.

        The covariance matrix is taken to be symmetric, and must be positive definite to be differentiated.
        """
        if self.takes(mean, cov):
            return super().multivariate_normal(mean, cov, size, check_valid, tol, method=method)
        _refuse_complex("multivariate_normal", mean, cov)
        mean, cov = as_array(mean), as_array(cov)
        moves = is_differentiated(cov)

        def sample(cov: Any) -> Any:
            centre = np.zeros(shape_of(mean))
            z = _numpy.multivariate_normal(self, centre, cov, size, check_valid, tol, method=method)
            return (z, _whitened(z, cov)) if moves else z

        drawn = self.draw(sample, cov)
        if not moves:
            return wrapped(call(lambda z, mean: mean + z, drawn, mean), mean)
        z, noise = drawn

        def formula(mean: Any, cov: Any) -> Any:
            factor = cholesky(0.5 * (cov + swap_last(cov)))
            return mean + implicit.stand_in(matmul(noise, adjoint(factor)), z)

        return wrapped(call(formula, mean, cov), mean, cov)


def _scaled(x: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * x


def _root(x: Any, a: Any) -> Any:
    """x^(1/a), and 0 for a = 0."""
    zero = e.equal(a, 0)
    return e.where(zero, 0.0, e.power(x, 1 / e.where(zero, 1.0, a)))


def _triangular(u: Any, left: Any, mode: Any, right: Any) -> Any:
    base = right - left
    lower = left + e.sqrt(u * ((mode - left) * base))
    upper = right - e.sqrt((1 - u) * ((right - mode) * base))
    return e.where(e.less_equal(u, (mode - left) / base), lower, upper)


def _whitened(z: Any, cov: Any) -> Any:
    """The standard normal numbers that the Cholesky factor turns into z."""
    try:
        factor = np.linalg.cholesky(0.5 * (cov + np.swapaxes(cov, -1, -2)))
    except np.linalg.LinAlgError:
        fail(
            UnsupportedOperationError,
            "multivariate_normal has a derivative with respect to positive definite covariance matrices only; this one "
            "is singular. Add a small multiple of the unit matrix, or write mean + factor @ noise.",
        )
    return np.linalg.solve(factor, as_column(z))[..., 0]


def _refuse_complex(name: str, *parameters: Any) -> None:
    for p in parameters:
        if dtype_of(as_array(p)).kind == "c":
            raise TypeError(f"parameters of {name} must be real, not complex")
