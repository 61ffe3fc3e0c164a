"""Random numbers: NumPy's values, derivatives at fixed quantiles, state under the transforms, errors."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest
import scipy.special
import scipy.stats

import wengert.numpy as wnp
from wengert import check_grads, errors, grad, hessian, jacfwd, jit, jvp, program, stop_gradient, vmap
from wengert.core.values import representative
from wengert.numpy.random import Generator, default_rng
from wengert.rules import implicit, implicit_noncentral

COV = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 1.5]])

#: Samplers with a formula in standard numbers: finite differences of draws from one seed hold.
FORMULAS = {
    "uniform": (1.0, 3.0),
    "normal": (1.0, 2.0),
    "lognormal": (0.1, 0.5),
    "exponential": (2.0,),
    "laplace": (1.0, 2.0),
    "logistic": (1.0, 2.0),
    "gumbel": (1.0, 2.0),
    "rayleigh": (2.0,),
    "weibull": (1.5,),
    "pareto": (2.5,),
    "power": (1.5,),
    "triangular": (0.0, 1.0, 3.0),
}
#: Samplers that keep quantiles: scipy.stats says where these are.
QUANTILES = {
    "standard_gamma": ((0.7,), lambda q, a: scipy.stats.gamma.ppf(q, a)),
    "gamma": ((1.7, 2.0), lambda q, a, s: scipy.stats.gamma.ppf(q, a, scale=s)),
    "chisquare": ((3.0,), lambda q, df: scipy.stats.chi2.ppf(q, df)),
    "beta": ((0.6, 2.0), lambda q, a, b: scipy.stats.beta.ppf(q, a, b)),
    "f": ((3.0, 4.5), lambda q, m, n: scipy.stats.f.ppf(q, m, n)),
    "standard_t": ((2.5,), lambda q, nu: scipy.stats.t.ppf(q, nu)),
    "wald": ((1.0, 2.0), lambda q, m, s: scipy.stats.invgauss.ppf(q, m / s, scale=s)),
    "noncentral_chisquare": ((2.5, 1.5), lambda q, k, c: scipy.stats.ncx2.ppf(q, k, c)),
    "noncentral_f": ((3.0, 4.5, 2.0), lambda q, m, n, c: scipy.stats.ncf.ppf(q, m, n, c)),
}
CDF = {
    "standard_gamma": lambda z, a: scipy.stats.gamma.cdf(z, a),
    "gamma": lambda z, a, s: scipy.stats.gamma.cdf(z, a, scale=s),
    "chisquare": lambda z, df: scipy.stats.chi2.cdf(z, df),
    "beta": lambda z, a, b: scipy.stats.beta.cdf(z, a, b),
    "f": lambda z, m, n: scipy.stats.f.cdf(z, m, n),
    "standard_t": lambda z, nu: scipy.stats.t.cdf(z, nu),
    "wald": lambda z, m, s: scipy.stats.invgauss.cdf(z, m / s, scale=s),
    "noncentral_chisquare": lambda z, k, c: scipy.stats.ncx2.cdf(z, k, c),
    "noncentral_f": lambda z, m, n, c: scipy.stats.ncf.cdf(z, m, n, c),
}
OTHERS = {
    "vonmises": (0.5, 2.0),
    "dirichlet": (np.array([0.5, 1.0, 2.0]),),
    "multivariate_normal": (np.array([1.0, 2.0, 3.0]), COV),
}
ALL = {**FORMULAS, **{name: args for name, (args, _) in QUANTILES.items()}, **OTHERS}


def draw(name, *args, seed=1, **kwargs):
    return getattr(default_rng(seed), name)(*args, **kwargs)


# Values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [None, 3, (2, 3), 0, ()])
def test_values_are_numpys(name, size):
    args = ALL[name]
    ours, theirs = default_rng(5), np.random.default_rng(5)
    expected = getattr(theirs, name)(*args, size=size)
    plain = getattr(ours, name)(*args, size=size)
    assert type(plain) is type(expected)
    np.testing.assert_array_equal(plain, expected)
    assert ours.bit_generator.state == theirs.bit_generator.state
    traced = default_rng(5)
    value, _ = jvp(lambda *a: getattr(traced, name)(*a, size=size), args, args)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    assert np.shape(value) == np.shape(expected)
    assert traced.bit_generator.state == theirs.bit_generator.state


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("dirichlet", "multivariate_normal")])
def test_parameters_that_are_arrays(name):
    args = tuple(np.asarray(x) * np.linspace(1.0, 1.2, 3)[:, None] ** (i == 0) for i, x in enumerate(ALL[name]))
    for size in (None, (3, 1), (2, 3, 4)):
        expected = getattr(np.random.default_rng(2), name)(*args, size=size)
        value, dots = jvp(lambda *a, size=size: draw(name, *a, seed=2, size=size), args, args)
        np.testing.assert_allclose(value, expected, rtol=1e-14)
        assert dots.shape == expected.shape
    with pytest.raises(ValueError):  # noqa: PT011
        jvp(lambda *a: draw(name, *a, size=(2, 2)), args, args)


@pytest.mark.parametrize("name", ["normal", "standard_gamma", "beta"])
def test_single_precision_parameters(name):
    args = tuple(np.float32(x) for x in ALL[name])
    value, dot = jvp(lambda *a: draw(name, *a, size=2), args, args)
    assert value.dtype == dot.dtype == np.float64
    assert grad(lambda *a: np.sum(draw(name, *a, size=2)))(*args).dtype == np.float32


def test_dtype_and_out_of_standard_gamma():
    value, dot = jvp(lambda a: draw("standard_gamma", a, 3, np.float32), (1.5,), (1.0,))
    np.testing.assert_array_equal(value, np.random.default_rng(1).standard_gamma(1.5, 3, np.float32))
    assert dot.dtype == np.float32

    def into(a):
        out = wnp.zeros(3)
        default_rng(1).standard_gamma(a, out=out)
        return np.sum(out)

    assert grad(into)(1.5) == pytest.approx(grad(lambda a: np.sum(draw("standard_gamma", a, size=3)))(1.5))


# Derivatives ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_against_finite_differences(name):
    check_grads(lambda *a: draw(name, *a, size=4), FORMULAS[name])


@pytest.mark.parametrize("name", QUANTILES)
def test_derivatives_are_those_of_quantiles(name):
    """First derivatives, and second ones by finite differences of the first along the quantile."""
    args, ppf = QUANTILES[name]
    for seed in range(6):
        z = draw(name, *args, seed=seed)
        q = CDF[name](z, *args)
        for k in range(len(args)):
            h = 1e-4 * args[k]
            shift = lambda i, k=k, h=h: tuple(a + i * h * (j == k) for j, a in enumerate(args))
            points = {i: ppf(q, *shift(i)) for i in (-2, -1, 1, 2)}
            expected = (8 * (points[1] - points[-1]) - points[2] + points[-2]) / (12 * h)
            actual = grad(lambda *a: draw(name, *a, seed=seed), argnums=k)(*args)  # noqa: B023
            np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-8 * max(1.0, abs(z)))


RATES = {
    "gamma": (implicit.gamma_point, lambda q, a: scipy.stats.gamma.ppf(q, a), (0.6,)),
    "gamma, large": (implicit.gamma_point, lambda q, a: scipy.stats.gamma.ppf(q, a), (40.0,)),
    "beta": (implicit.beta_point, lambda q, a, b: scipy.stats.beta.ppf(q, a, b), (0.6, 2.0)),
    "beta, large": (implicit.beta_point, lambda q, a, b: scipy.stats.beta.ppf(q, a, b), (30.0, 20.0)),
    "t": (
        implicit.t_point,
        lambda q, nu: np.arcsinh(scipy.stats.t.ppf(q, nu) / np.sqrt(nu)),
        (2.5,),
    ),
    "von Mises": (implicit.von_mises_point, lambda q, k: scipy.stats.vonmises.ppf(q, k), (2.0,)),
    "wald": (implicit.wald_point, lambda q, m, s: scipy.stats.invgauss.ppf(q, m / s, scale=s), (1.0, 2.0)),
    "noncentral": (
        implicit_noncentral.noncentral_gamma_point,
        lambda q, a, h: 0.5 * scipy.stats.ncx2.ppf(q, 2 * a, 2 * h),
        (1.2, 3.0),
    ),
    "noncentral ratio": (
        implicit_noncentral.noncentral_ratio_point,
        lambda q, a, b, h: a / b * scipy.stats.ncf.ppf(q, 2 * a, 2 * b, 2 * h),
        (1.2, 3.0, 2.0),
    ),
}


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize("q", [0.03, 0.4, 0.8, 0.97])
def test_second_derivatives_are_those_of_quantiles(kind, q):
    """d²z/dθ² at a fixed quantile: the first derivative, evaluated along the quantile, by central differences."""
    from wengert.numpy.dispatch import call

    point, ppf, args = RATES[kind]
    n = len(args)

    def first(args, i):
        z = ppf(q, *args)
        return grad(lambda *a: call(point, *a, z), argnums=i)(*args)

    z = ppf(q, *args)
    exact = hessian(lambda v: call(point, *(v[i] for i in range(n)), z))(np.array(args))
    for i, j in itertools.product(range(n), repeat=2):
        h = 1e-4 * args[j]
        up, down = (tuple(a + s * h * (k == j) for k, a in enumerate(args)) for s in (1, -1))
        numeric = (first(up, i) - first(down, i)) / (2 * h)
        np.testing.assert_allclose(exact[i, j], numeric, rtol=1e-4, atol=1e-6)


REFERENCE = {
    # With mpmath 1.3, 30 digits: -(∂F/∂a)/p.
    "gamma": [
        (0.001, 6.912934354184663e-98, 1.5425824019211622e-92),
        (0.3, 6.97269909640939e-21, 1.0747972581453881e-18),
        (0.3, 0.07313113586695198, 0.642064162445568),
        (0.3, 10.984835632108625, 5.6458591069129795),
        (1.5, 0.5025870065261746, 0.6096003963910239),
        (1.5, 5.6724333650721865, 2.0136807338237657),
        (30, 18.742425764901892, 0.7874983298609682),
        (30, 34.48603436958552, 1.077264979744378),
        (3000.0, 2746.8042844294746, 0.956613870475091),
        (3000.0, 2999.66667325183, 0.9999999978046784),
        (3000.0, 3267.5910330802803, 1.0433865887253657),
    ],
    "beta": [
        (0.01, 0.3, 1.7698696349383021e-99, 4.074378784646728e-95),
        (0.01, 1, 7.888609052210105e-31, 5.467967123079097e-27),
        (0.01, 4, 1.2697926013776034e-31, 8.802386044164588e-28),
        (0.01, 2000.0, 2.233320232945731e-34, 1.5482014783604505e-30),
        (0.3, 1, 0.00046415888336127784, 0.011875170284538227),
        (0.3, 4, 8.843870482363649e-05, 0.0023076345710061528),
        (0.3, 2000.0, 1.618503336040878e-17, 1.6666511867749618e-15),
        (0.3, 2000.0, 0.0033423175673244656, 0.0025191505983498163),
        (3, 1, 0.046415888336127795, 0.047500681138152916),
        (3, 4, 0.017324669852269207, 0.020143384356724525),
        (3, 4, 0.9480988016187746, 0.012038059516166478),
        (3, 2000.0, 0.0026562965541572837, 0.000691501373288502),
        (1000.0, 1, 0.9977000638225533, 2.297289294237063e-06),
        (1000.0, 4, 0.998259358883253, 1.7365234597968548e-06),
        (1000.0, 2000.0, 0.34438611178643086, 0.00022218365600295984),
    ],
}


@pytest.mark.parametrize(("a", "z", "expected"), REFERENCE["gamma"])
def test_gamma_against_multiple_precision(a, z, expected):
    np.testing.assert_allclose(implicit.gamma_rate(a, z), expected, rtol=1e-11)


@pytest.mark.parametrize(("a", "b", "z", "expected"), REFERENCE["beta"])
def test_beta_against_multiple_precision(a, b, z, expected):
    np.testing.assert_allclose(implicit.beta_rate(a, b, z, 1 - z), expected, rtol=1e-9)


BESSEL_RATIO = scipy.special.iv(1, 2.0) / scipy.special.iv(0, 2.0)
#: E f(x) and its derivatives in closed form.
EXPECTATIONS = [
    ("gamma", (1.5, 2.0), lambda x: x**2, lambda a, s: (s**2 * (2 * a + 1), 2 * s * a * (a + 1))),
    ("beta", (0.6, 2.0), lambda x: x, lambda a, b: (b / (a + b) ** 2, -a / (a + b) ** 2)),
    ("wald", (1.0, 2.0), lambda x: x**2, lambda m, s: (2 * m + 3 * m**2 / s, -(m**3) / s**2)),
    ("standard_t", (9.0,), lambda x: x**2, lambda nu: (-2 / (nu - 2) ** 2,)),
    (
        "vonmises",
        (0.3, 2.0),
        lambda x: np.cos(x - 0.3),
        lambda mu, k: (0.0, 1 - BESSEL_RATIO / k - BESSEL_RATIO**2),
    ),
    ("normal", (0.5, 2.0), lambda x: x**2, lambda m, s: (2 * m, 2 * s)),
    ("noncentral_chisquare", (1.5, 2.0), lambda x: x**2, lambda k, c: (2 + 2 * (k + c), 4 + 2 * (k + c))),
    (
        "noncentral_f",
        (3.0, 9.0, 2.0),
        lambda x: x,
        lambda m, n, c: (-n * c / (m * m * (n - 2)), -2 * (m + c) / (m * (n - 2) ** 2), n / (m * (n - 2))),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "f", "expected"), EXPECTATIONS, ids=[e[0] for e in EXPECTATIONS])
def test_derivatives_of_expectations(name, args, f, expected):
    n = 2_000 if name.startswith("noncentral") else 40_000

    def estimate(*a):
        values = f(draw(name, *a, size=n))
        return np.mean(values), values

    for k, exact in enumerate(expected(*args)):
        tangents = tuple(float(i == k) for i in range(len(args)))
        _, (dot, dots) = jvp(estimate, args, tangents)
        assert abs(dot - exact) < 5 * np.std(dots) / np.sqrt(n)


def test_dirichlet():
    alpha = np.array([0.5, 1.0, 2.0])
    total = alpha.sum()
    samples, dots = jvp(lambda a: draw("dirichlet", a, size=40_000), (alpha,), (np.array([1.0, 0.0, 0.0]),))
    np.testing.assert_allclose(samples.sum(axis=-1), 1.0)
    np.testing.assert_allclose(dots.sum(axis=-1), 0.0, atol=1e-12)
    exact = np.array([total - alpha[0], -alpha[1], -alpha[2]]) / total**2
    assert np.all(np.abs(dots.mean(axis=0) - exact) < 5 * dots.std(axis=0) / 200)
    # Two components are a beta distribution.
    pair, dots = jvp(lambda a: draw("dirichlet", a, size=5), (np.array([0.3, 2.0]),), (np.array([1.0, 0.0]),))
    np.testing.assert_allclose(dots[:, 0], implicit.beta_rate(0.3, 2.0, pair[:, 0], pair[:, 1]), rtol=1e-9)


def test_dirichlet_with_tiny_components():
    alpha = np.array([1e-2, 2e-2, 3e-2])
    samples, dots = jvp(lambda a: draw("dirichlet", a, size=(4, 5)), (alpha,), (alpha,))
    np.testing.assert_array_equal(samples, np.random.default_rng(1).dirichlet(alpha, (4, 5)))
    assert np.all(np.isfinite(dots))


@pytest.mark.parametrize("method", ["svd", "eigh", "cholesky"])
def test_multivariate_normal(method):
    mean = np.array([1.0, 2.0, 3.0])
    direction = np.diag([1.0, 0.0, 2.0]) + 0.1

    def sample(mean, cov):
        return default_rng(3).multivariate_normal(mean, cov, 4, method=method)

    value, dots = jvp(sample, (mean, COV), (np.ones(3), direction))
    np.testing.assert_allclose(value, np.random.default_rng(3).multivariate_normal(mean, COV, 4, method=method))
    # d(x xᵀ) averages to d(cov): with x = L·w and d(L Lᵀ) = dC.
    big, moved = jvp(lambda c: default_rng(3).multivariate_normal(mean, c, 50_000, method=method), (COV,), (direction,))
    outer = (big - mean)[:, :, None] * moved[:, None, :]
    np.testing.assert_allclose(np.mean(outer + np.swapaxes(outer, 1, 2), axis=0), direction, atol=0.05)
    np.testing.assert_allclose(jvp(lambda m: sample(m, COV), (mean,), (np.ones(3),))[1], np.ones((4, 3)))
    assert dots.shape == (4, 3)
    g = grad(lambda c: np.sum(sample(mean, c)))(np.eye(3))  # equal eigenvalues do no harm
    np.testing.assert_allclose(g, g.T)
    assert np.all(np.isfinite(g))
    kind = np.linalg.LinAlgError if method == "cholesky" else errors.UnsupportedOperationError
    with pytest.raises(kind, match="positive definite"):
        grad(lambda c: np.sum(sample(mean, c)))(np.ones((3, 3)))
    np.testing.assert_allclose(  # a constant singular one is fine
        jacfwd(lambda m: default_rng(0).multivariate_normal(m, np.ones((3, 3))))(mean), np.eye(3)
    )


#: a, h, z; dz/da and dz/dh, with mpmath 1.3, 30 digits: -(∂F/∂θ)/p of the mixture.
NONCENTRAL = [
    (0.05, 0.3, 0.001, 0.12761480999576486, 0.019886379381259357),
    (0.05, 0.3, 0.2, 3.0277199295471562, 1.893805153107994),
    (0.5, 0.001, 0.1, 0.50970557406049907, 0.19997333759930933),
    (1.25, 0.75, 1.0, 0.87319676471659366, 0.6436096714603213),
    (1.25, 0.75, 6.0, 1.5412046874253674, 2.308248200461107),
    (3.0, 50.0, 40.0, 0.93353305613444082, 0.86963918062969375),
    (3.0, 50.0, 75.0, 1.0953787713476392, 1.1998992201763094),
    (20.0, 5.0, 25.0, 1.0084210529686021, 1.005527236380811),
    (2.0, 1000.0, 1050.0, 1.0119604637050802, 1.0239451681312638),
]


@pytest.mark.parametrize(("a", "h", "z", "by_shape", "by_mean"), NONCENTRAL)
def test_noncentral_against_multiple_precision(a, h, z, by_shape, by_mean):
    np.testing.assert_allclose(implicit_noncentral.noncentral_gamma_rate(a, h, z), by_shape, rtol=1e-13)
    np.testing.assert_allclose(implicit_noncentral.noncentral_gamma_rate_mean(a, h, z), by_mean, rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "central", "args"), [("noncentral_chisquare", "chisquare", (0.7,)), ("noncentral_f", "f", (3.0, 4.5))]
)
def test_noncentrality_zero(name, central, args):
    """The derivatives of the central distribution; one with respect to the noncentrality; no jump at zero."""
    gradient = grad(lambda *a: draw(name, *a), argnums=tuple(range(len(args) + 1)))(*args, 0.0)
    np.testing.assert_allclose(
        gradient[:-1], grad(lambda *a: draw(central, *a), argnums=tuple(range(len(args))))(*args)
    )
    z = draw(central, *args)
    np.testing.assert_allclose(gradient[-1], z / args[0], rtol=1e-12)
    second = hessian(lambda v: draw(name, *(v[i] for i in range(len(args) + 1))))(np.array([*args, 0.0]))
    np.testing.assert_allclose(second, second.T, rtol=1e-8)
    assert np.all(np.isfinite(second))
    if name == "noncentral_chisquare":  # z·₀F₁(k/2 + 1; λz/4)/(k·₀F₁(k/2; λz/4)) is the slope for all λ
        k = args[0]
        np.testing.assert_allclose(second[-1, -1], _slope_of_ratio(k, z) + gradient[-1] * gradient[-1] / z, rtol=1e-9)


def _slope_of_ratio(k, z):
    """∂/∂λ of z·₀F₁(k/2 + 1; λz/4)/(k·₀F₁(k/2; λz/4)) at λ = 0, for constant z."""
    return z / k * (z / 4) * (1 / (k / 2 + 1) - 1 / (k / 2))


def test_third_order_and_mixed_modes():
    def f(a):
        return np.sum(draw("gamma", a, size=3) ** 2)

    second = jvp(grad(f), (1.5,), (1.0,))[1]
    assert second == pytest.approx(grad(grad(f))(1.5), rel=1e-10)
    assert grad(lambda a: jvp(f, (a,), (1.0,))[1])(1.5) == pytest.approx(second, rel=1e-10)
    h = 1e-3  # third derivative: of the second one, along the quantiles
    z = draw("gamma", 1.5, size=3)
    q = scipy.special.gammainc(1.5, z)
    along = [scipy.special.gammaincinv(a, q) for a in (1.5 - h, 1.5 + h)]
    from wengert.numpy.dispatch import call

    seconds = [
        grad(grad(lambda a: np.sum(call(implicit.gamma_point, a, y) ** 2)))(1.5 + s * h)  # noqa: B023
        for s, y in zip((-1, 1), along, strict=True)
    ]
    third = grad(grad(grad(f)))(1.5)
    assert third == pytest.approx((seconds[1] - seconds[0]) / (2 * h), rel=1e-3)


def test_samples_at_the_ends():
    """A shape so small that samples underflow: the derivative is zero, not NaN."""
    z, dot = jvp(lambda a: draw("gamma", a, size=50), (1e-3,), (1.0,))
    assert np.any(z == 0)
    assert np.all(np.isfinite(dot))
    z, dot = jvp(lambda a: draw("beta", a, 1e-3, size=50), (1e-3,), (1.0,))
    assert np.all(np.isfinite(dot))
    assert np.all(np.isfinite(jvp(lambda s: draw("normal", 1.0, s, size=3), (0.0,), (1.0,))[1]))
    assert jvp(lambda a: draw("weibull", a), (0.0,), (1.0,))[0] == 0.0
    for name in ("gamma", "standard_t", "chisquare", "normal"):
        value, dot = jvp(lambda a, n=name: draw(n, a), (np.nan,), (1.0,))
        assert np.isnan(value)
        assert name == "normal" or np.isnan(dot)
    big = jvp(lambda a: draw("gamma", a, size=5), (1e8,), (1.0,))[1]
    np.testing.assert_allclose(big, 1.0, atol=1e-3)


# State ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("dirichlet", "multivariate_normal")])
def test_vmap_is_a_loop(name):
    """A function that makes its generator: later draws too, also where a draw takes a varying amount of bits."""

    def f(*args):
        rng = default_rng(3)
        first = getattr(rng, name)(*args, size=2)
        return first, rng.normal(size=2), rng.standard_gamma(args[-1] + 0.1 * first[0] ** 2), rng.random()

    batches = tuple(np.asarray(x) * np.linspace(1.0, 1.3, 5) ** (i == 0) for i, x in enumerate(ALL[name]))
    expected = [np.stack(column) for column in zip(*(f(*x) for x in zip(*batches, strict=True)), strict=True)]
    for actual, e in zip(vmap(f)(*batches), expected, strict=True):
        np.testing.assert_allclose(actual, e, rtol=1e-13)
    gradients = vmap(grad(lambda *a: np.sum(f(*a)[0])))(*batches)
    loop = [grad(lambda *a: np.sum(f(*a)[0]))(*x) for x in zip(*batches, strict=True)]
    np.testing.assert_allclose(gradients, loop, rtol=1e-10)
    total = grad(lambda a, *rest: np.sum(vmap(f)(a, *rest)[0]))(*batches)
    np.testing.assert_allclose(total, loop, rtol=1e-10)


WITHOUT_PARAMETERS = {
    "random": lambda r: r.random(),
    "integers": lambda r: r.integers(5, size=2),
    "choice of a range": lambda r: r.choice(3, 2),
    "choice": lambda r: r.choice(np.arange(3.0), 2, replace=False),
    "permutation of a range": lambda r: r.permutation(3),
    "permutation": lambda r: r.permutation(np.arange(4.0).reshape(2, 2)),
    "permuted": lambda r: r.permuted(np.arange(4.0)),
    "standard": lambda r: (r.standard_cauchy(2), r.standard_exponential(), r.standard_normal(3)),
    "discrete": lambda r: (r.poisson(3.0), r.binomial(5, 0.3, 2), r.multinomial(4, [0.2, 0.8])),
    "several": lambda r: r.multivariate_normal(np.zeros(2), np.eye(2)),
}


@pytest.mark.parametrize("name", WITHOUT_PARAMETERS)
def test_draws_without_parameters_follow_the_states_of_the_examples(name):
    """After a draw that took a varying amount of random bits, every other draw differs between examples too."""

    def f(a):
        rng = default_rng(1)
        return rng.gamma(a), WITHOUT_PARAMETERS[name](rng), rng.random()

    def flat(results):
        return [leaf for r in results for leaf in (flat(r) if isinstance(r, tuple) else [r])]

    shapes = np.array([0.1, 0.5, 3.0])
    expected = [np.stack(column) for column in zip(*(flat(f(a)) for a in shapes), strict=True)]
    for actual, e in zip(flat(vmap(f)(shapes)), expected, strict=True):
        np.testing.assert_array_equal(actual, e)


def test_nested_vmap():
    def f(a, b):
        rng = default_rng(3)
        return rng.standard_gamma(a) + rng.standard_gamma(b) + rng.normal()

    a, b = np.linspace(0.3, 2.0, 4), np.linspace(0.5, 3.0, 3)
    expected = [[f(x, y) for y in b] for x in a]
    np.testing.assert_allclose(vmap(lambda x: vmap(lambda y: f(x, y))(b))(a), expected)


def test_a_generator_from_outside():
    rng = default_rng(3)
    state = copy.deepcopy(rng.bit_generator.state)
    shared = vmap(lambda mu: rng.normal(mu, size=2))(np.zeros(3))
    np.testing.assert_array_equal(shared[0], shared[1])
    np.testing.assert_array_equal(shared[0], np.random.default_rng(3).normal(size=2))
    after = rng.bit_generator.state
    reference = np.random.default_rng(3)
    reference.normal(size=2)
    assert after == reference.bit_generator.state
    rng.bit_generator.state = state
    vmap(lambda a: rng.gamma(a, size=10))(np.linspace(0.2, 3.0, 5))  # examples end at different states
    later = [rng.normal() for _ in range(3)]
    rng.bit_generator.state = state
    vmap(lambda a: rng.gamma(a, size=10))(np.linspace(0.2, 3.0, 5))
    assert later == [rng.normal() for _ in range(3)]
    assert later[0] not in np.random.default_rng(3).normal(size=1000)


def test_vmap_over_nothing():
    assert vmap(lambda a: default_rng(0).gamma(a, size=2))(np.zeros(0)).shape == (0, 2)


def test_discrete_samples_under_vmap():
    rates = np.array([1.0, 5.0, 20.0])
    expected = [np.random.default_rng(4).poisson(r, 3) for r in rates]
    np.testing.assert_array_equal(vmap(lambda r: default_rng(4).poisson(r, 3))(rates), expected)


def test_generators_as_objects():
    rng = default_rng(7)
    assert isinstance(rng, np.random.Generator)
    assert default_rng(rng) is rng
    theirs = np.random.default_rng(7)
    assert default_rng(theirs).bit_generator is theirs.bit_generator
    for other in (pickle.loads(pickle.dumps(rng)), copy.deepcopy(rng)):
        assert type(other) is Generator
        assert other.normal() == default_rng(7).normal()
    assert type(rng.spawn(1)[0]) is Generator
    assert scipy.stats.norm.rvs(size=2, random_state=default_rng(1)).shape == (2,)
    assert wnp.random.default_rng is default_rng
    assert wnp.random.seed is np.random.seed
    value = jvp(lambda m: Generator(np.random.MT19937(1)).normal(m), (1.0,), (1.0,))[0]
    assert value == np.random.Generator(np.random.MT19937(1)).normal(1.0)


# Selections ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda rng, x: rng.choice(x, 5),
        lambda rng, x: rng.choice(x, (2, 2), replace=False, axis=1),
        lambda rng, x: rng.choice(x, 3, p=[0.1, 0.2, 0.7]),
        lambda rng, x: rng.choice(x),
        lambda rng, x: rng.permutation(x),
        lambda rng, x: rng.permutation(x, axis=1),
        lambda rng, x: rng.permuted(x),
        lambda rng, x: rng.permuted(x, axis=1),
        lambda rng, x: rng.choice(x[0], 3),
        lambda rng, x: rng.permutation(x[0]),
        lambda rng, x: (rng.shuffle(x), x)[1],
        lambda rng, x: (rng.shuffle(x, axis=1), x)[1],
        lambda rng, x: (lambda y: (rng.shuffle(y), y)[1])(x[0]),
    ],
)
def test_selections_carry_derivatives(f):
    x = np.arange(12.0).reshape(3, 4)
    ours, theirs = default_rng(5), np.random.default_rng(5)
    expected = f(theirs, x.copy())
    value, dot = jvp(lambda x: f(ours, x), (x,), (10 * x,))
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(dot, 10 * expected)
    assert ours.bit_generator.state == theirs.bit_generator.state
    stacked = np.stack([x, x + 1])
    batched = vmap(lambda x: f(default_rng(5), x))(stacked)
    np.testing.assert_array_equal(batched, [expected, expected + 1])


def test_lists_are_shuffled_as_python_objects():
    def f(x):
        items = [x[0], 2 * x[1], 3 * x[2]]
        default_rng(5).shuffle(items)
        return np.stack(items)

    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(jvp(f, (x,), (x,))[1], f(x))


# Errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda rng, p: rng.binomial(5, p),
        lambda rng, p: rng.poisson(p),
        lambda rng, p: rng.poisson(lam=p),
        lambda rng, p: rng.geometric(p),
        lambda rng, p: rng.multinomial(5, [p, 1 - p]),
        lambda rng, p: rng.choice(2, p=np.stack([p, 1 - p])),
        lambda rng, p: rng.negative_binomial(3, p),
    ],
)
def test_discrete_distributions_refuse_traced_parameters(f):
    with pytest.raises(errors.UnsupportedOperationError, match="stop_gradient"):
        grad(lambda p: 1.0 * np.sum(f(default_rng(0), p)))(0.3)
    assert grad(lambda p: p * np.sum(f(default_rng(0), stop_gradient(p))))(0.3) == np.sum(
        f(np.random.default_rng(0), 0.3)
    )


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("normal", (0.0, -1.0)),
        ("exponential", (-1.0,)),
        ("gamma", (-1.0,)),
        ("gamma", (1.0, -1.0)),
        ("beta", (0.0, 1.0)),
        ("pareto", (0.0,)),
        ("triangular", (0.0, 2.0, 1.0)),
        ("uniform", (2.0, 1.0)),
        ("dirichlet", (np.array([1.0, -1.0]),)),
        ("wald", (0.0, 1.0)),
        ("multivariate_normal", (np.zeros(2), np.eye(3))),
    ],
)
def test_errors_are_numpys(name, args):
    with pytest.raises(ValueError) as theirs:  # noqa: PT011
        getattr(np.random.default_rng(0), name)(*args)
    with pytest.raises(ValueError) as ours:  # noqa: PT011
        jvp(lambda *a: draw(name, *a), args, args)
    assert str(theirs.value) in str(ours.value)


def test_complex_parameters():
    with pytest.raises(TypeError, match="real"):
        jvp(lambda x: default_rng(0).normal(x), (1j,), (1.0,))


@pytest.mark.parametrize("draws", [lambda r, x: r.normal(x), lambda r, x: r.random(3), lambda r, x: r.permutation(3)])
def test_drawing_is_refused_while_a_program_is_recorded(draws):
    with pytest.raises(errors.UnsupportedOperationError, match="outside"):
        jit(lambda x: x * np.sum(draws(default_rng(0), x)))(1.0)
    with pytest.raises(errors.UnsupportedOperationError, match="outside"):
        program(grad(lambda x: x * np.sum(draws(default_rng(0), x))))(1.0)
    noise = default_rng(0).normal(size=3)
    assert jit(lambda x, noise: np.sum(x * noise))(2.0, noise) == pytest.approx(2 * noise.sum())


def test_functions_on_the_hidden_state():
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.normal(size=2)  # noqa: NPY002
    wnp.random.seed(3)
    np.testing.assert_array_equal(wnp.random.normal(size=2), expected)
    with pytest.raises(errors.UnsupportedOperationError, match="default_rng"):
        grad(lambda x: wnp.random.normal(x))(1.0)
    with pytest.raises(errors.UnsupportedOperationError, match="outside"):
        jit(lambda x: x * wnp.random.rand())(1.0)
    assert all(hasattr(wnp.random, name) for name in dir(np.random) if not name.startswith("_"))


def test_samplers_inside_containers_of_values():
    """Hand-made duals and values between levels."""
    from wengert import Dual

    out = default_rng(1).gamma(Dual(1.5, 1.0))
    assert representative(out) == np.random.default_rng(1).gamma(1.5)
    assert out.tangent == pytest.approx(grad(lambda a: default_rng(1).gamma(a))(1.5))
