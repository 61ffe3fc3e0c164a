"""`wengert.scipy.stats`: values are SciPy's, derivatives of all parameters finite differences; edges of the support."""

from __future__ import annotations

import copy
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import scipy.stats as ss

from wengert import check_grads, grad, jit, vmap
from wengert.errors import InputTypeError, UnsupportedOperationError
from wengert.scipy import stats as ws

# Parameters, and methods whose derivative with respect to these is not known (of incomplete gamma and beta functions).
CONTINUOUS = {
    "norm": (),
    "laplace": (),
    "logistic": (),
    "cauchy": (),
    "gumbel_r": (),
    "gumbel_l": (),
    "expon": (),
    "halfnorm": (),
    "halfcauchy": (),
    "rayleigh": (),
    "uniform": (),
    "lognorm": (0.7,),
    "weibull_min": (1.8,),
    "invgauss": (0.8,),
    "pareto": (2.5,),
    "truncnorm": (-0.5, 2.0),
    "t": (3.5,),
    "gamma": (2.3,),
    "invgamma": (2.3,),
    "chi2": (3.5,),
    "chi": (3.5,),
    "f": (4.5, 6.0),
    "beta": (2.5, 1.5),
    "skewnorm": (1.5,),
    "vonmises": (2.0,),
}
DENSITY_ONLY = {"skewnorm", "vonmises"}
INCOMPLETE = {"gamma", "invgamma", "chi2", "chi", "f", "beta", "t"}  # of the parameters of distribution functions
DISCRETE = {
    "bernoulli": (0.3,),
    "binom": (5, 0.3),
    "nbinom": (3.5, 0.4),
    "betabinom": (5, 1.5, 2.5),
    "geom": (0.3,),
    "poisson": (2.5,),
}
FUNCTIONS = ("logpdf", "pdf", "cdf", "logcdf", "sf", "logsf")
X = np.concatenate([np.linspace(-4, 4, 33), [0.0, 1.0, 1e-9, 30.0, -30.0, np.inf, -np.inf, np.nan]])


def methods_of(name, wanted):
    d = getattr(ws, name)
    if name in DENSITY_ONLY:
        return [m for m in wanted if "pdf" in m]
    return [m for m in wanted if not (m in ("ppf", "isf") and not hasattr(type(d), "_ppf"))]


@pytest.mark.parametrize("name", CONTINUOUS)
def test_values_are_scipys(name):
    ours, theirs, shapes = getattr(ws, name), getattr(ss, name), CONTINUOUS[name]
    with np.errstate(all="ignore"):
        for method in methods_of(name, FUNCTIONS):
            for args in (shapes, (*shapes, 0.3, 2.0), (*shapes, np.array([[0.1], [-1.0]]), np.array([[1.0], [-2.0]]))):
                a, e = getattr(ours, method)(X, *args), getattr(theirs, method)(X, *args)
                assert a.shape == e.shape
                assert a.dtype == e.dtype
                if "pdf" in method:
                    e = np.where(np.isinf(X) & np.isnan(e), np.log(0.0) if method == "logpdf" else 0.0, e)
                    if len(args) > len(shapes):
                        e = np.where(np.broadcast_to(np.asarray(args[-1]) < 0, e.shape), np.nan, e)
                np.testing.assert_allclose(a, e, rtol=2e-11, atol=1e-300, err_msg=f"{method} {args}")
        q = np.array([0.0, 1e-9, 0.1, 0.5, 0.7, 1 - 1e-9, 1.0, -0.1, 1.1, np.nan])
        for method in methods_of(name, ("ppf", "isf")):
            np.testing.assert_allclose(
                getattr(ours, method)(q, *shapes, 0.3, 2.0),
                getattr(theirs, method)(q, *shapes, 0.3, 2.0),
                rtol=1e-8,
                atol=1e-15,
            )
    scalar = ours.logpdf(0.5, *shapes)
    assert type(scalar) is np.float64
    assert ours.logpdf(np.float32(0.5), *shapes).dtype == np.float64
    if shapes:
        assert np.all(np.isnan(ours.pdf(X[:3], *(np.nan for _ in shapes))))
        assert np.isnan(ours.logpdf(0.5, *(np.nan for _ in shapes)))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_derivatives(name):
    d, shapes = getattr(ws, name), CONTINUOUS[name]
    x = np.array([0.35, 0.6, 0.8]) + (1.0 if name == "pareto" else 0.0)
    loc, scale = np.float64(0.05), np.float64(1.3)
    for method in methods_of(name, FUNCTIONS):
        f = getattr(d, method)
        if method in ("logpdf", "pdf") or name not in INCOMPLETE:
            check_grads(f, (x * scale + loc, *map(np.float64, shapes), loc, scale), order=2, rtol=1e-4)
        else:
            check_grads(lambda x, loc, scale, f=f: f(x, *shapes, loc, scale), (x, loc, scale), order=2, rtol=1e-4)
    for method in methods_of(name, ("ppf", "isf")):
        f = getattr(d, method)
        args = () if name in INCOMPLETE else tuple(map(np.float64, shapes))
        g = (lambda q, loc, scale, f=f: f(q, *shapes, loc, scale)) if name in INCOMPLETE else f
        check_grads(g, (np.array([0.2, 0.6]), *args, loc, scale), order=2, rtol=1e-4)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_no_derivative_outside_and_no_nan_next_to_it(name):
    d, shapes = getattr(ws, name), CONTINUOUS[name]
    inside = 1.35 if name == "pareto" else 0.35
    x = np.array([-1e5, inside, 1e5, np.nan, -np.inf, np.inf])
    for method in methods_of(name, FUNCTIONS):
        if method.startswith("log") and method != "logpdf":
            continue  # -∞ has a rate of change of its own
        f = getattr(d, method)
        total = lambda x, loc, f=f: np.sum(np.where(np.isfinite(x), f(x, *shapes, loc), 0.0)[1])
        gx, gl = grad(total, argnums=(0, 1))(x, np.float64(0.0))
        assert np.isfinite(gl)
        assert gx[1] == -gl
        np.testing.assert_array_equal(np.delete(gx, 1), 0.0)
        with np.errstate(all="ignore"):
            low, high = getattr(ss, name).support(*shapes)
            outside = grad(lambda x, f=f: np.sum(f(x, *shapes)))(np.array([low - 1.0, high + 1.0]))
        np.testing.assert_array_equal(outside[~np.isfinite([low, high])] * 0, 0.0)
        np.testing.assert_array_equal(outside[np.isfinite([low, high])], 0.0)


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_distributions(name):
    ours, theirs, shapes = getattr(ws, name), getattr(ss, name), DISCRETE[name]
    k = np.array([-1, 0, 1, 2, 3, 5, 6, 40])
    odd = np.array([0.5, np.nan, -np.inf, 2.0])
    methods = ("logpmf", "pmf") if name == "betabinom" else ("logpmf", "pmf", "cdf", "sf", "logcdf", "logsf")
    with np.errstate(all="ignore"):
        for method in methods:
            for x in (k, odd, k[:, None] + 0.0):
                for args in (shapes, (*shapes, 1), tuple(-s for s in shapes)):
                    if args[0] < 0 and method in ("logcdf", "logsf"):
                        continue  # where parameters make no sense, SciPy gives 0 or NaN
                    a, e = getattr(ours, method)(x, *args), getattr(theirs, method)(x, *args)
                    np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-15, err_msg=f"{method} {x} {args}")
    k = np.arange(1, 4)
    free = {"binom": 1, "betabinom": 1, "nbinom": 1}.get(name, 0)  # a number of trials is an integer
    start = 0 if name == "nbinom" else free
    for method in methods:
        if name == "bernoulli":
            k = np.array([0, 1])
        if method.startswith("log") and method != "logpmf":
            k = k[k < 1] if name == "bernoulli" else k
        first = start if "pmf" in method else free
        if first < len(shapes):
            f = lambda *s, m=method, n=first, k=k: getattr(ours, m)(k, *shapes[:n], *s)
            if name == "bernoulli" and method == "logsf":
                f = lambda p: ours.logsf(np.zeros(1), p)
            check_grads(f, tuple(map(np.float64, shapes[first:])), order=2, rtol=1e-4)
    assert grad(lambda x: ours.logpmf(x, *shapes))(1.0) == 0.0


def test_edges_of_probabilities():
    for p in (0.0, 1.0):
        np.testing.assert_array_equal(ws.bernoulli.pmf([0, 1], p), [1 - p, p])
        np.testing.assert_array_equal(ws.binom.pmf([0, 2], 2, p), [1 - p, p])
    assert ws.poisson.pmf(0, 0.0) == 1.0
    assert grad(lambda mu: ws.poisson.logpmf(0, mu))(0.0) == -1.0
    assert ws.t.logpdf(0.3, np.inf) == pytest.approx(ws.norm.logpdf(0.3))
    assert grad(lambda x: ws.t.logpdf(x, np.inf))(0.3) == pytest.approx(-0.3)
    np.testing.assert_allclose(ws.f.cdf(1e14, 2.0, 0.02), ss.f.cdf(1e14, 2.0, 0.02), rtol=1e-10)
    np.testing.assert_allclose(ws.truncnorm.logpdf(41.0, 40.0, 42.0), ss.truncnorm.logpdf(41.0, 40.0, 42.0))
    np.testing.assert_allclose(ws.truncnorm.logsf([9.0, 1.0], 0.0, np.inf), ss.truncnorm.logsf([9.0, 1.0], 0, np.inf))
    assert np.isfinite(grad(lambda a: ws.truncnorm.logpdf(41.0, a, 42.0))(40.0))
    assert np.isfinite(grad(lambda a: ws.truncnorm.logpdf(1.0, a, np.inf))(-1.0))


def test_parameters_by_name_and_frozen():
    x = np.array([0.3, 1.2])
    np.testing.assert_array_equal(ws.gamma.logpdf(x, a=2.0, scale=3.0), ws.gamma(2.0, scale=3.0).logpdf(x))
    g = grad(lambda s: np.sum(ws.norm(0.0, s).logpdf(x)))(2.0)
    np.testing.assert_allclose(g, np.sum(x**2) / 8 - 1)
    assert copy.deepcopy(ws.norm).name == "norm"
    for call, message in [
        (lambda: ws.gamma.pdf(x), "missing the parameter a"),
        (lambda: ws.gamma(2.0, 0.0, 1.0, 4.0), "at most 3"),
        (lambda: ws.norm.pdf(x, mean=2.0), "unexpected"),
        (lambda: ws.norm.pdf(x, 0.0, loc=2.0), "multiple"),
    ]:
        with pytest.raises(TypeError, match=message):
            call()
    for call, message in [
        (lambda: ws.norm.rvs(), "norm has no 'rvs'"),
        (lambda: ws.invgauss.ppf(0.5, 1.0), "invgauss has no 'ppf'"),
        (lambda: ws.norm().fit(x), "no 'fit'"),
    ]:
        with pytest.raises(AttributeError, match=message):
            call()
    with pytest.raises(InputTypeError, match="real numbers"):
        ws.norm.pdf(1j)


def test_transforms():
    x = np.linspace(0.1, 0.9, 5)
    for name, shapes in CONTINUOUS.items():
        logpdf, start = getattr(ws, name).logpdf, 1.0 if name == "pareto" else 0.0
        f = grad(lambda y, logpdf=logpdf, start=start, s=shapes: logpdf(y + start, *s))
        each = np.array([f(y) for y in x])
        np.testing.assert_allclose(vmap(f)(x), each, rtol=1e-12)
    f = grad(ws.beta(2.5, 1.5).logpdf)
    np.testing.assert_allclose(jit(f)(0.3), f(0.3), rtol=1e-12)


# Vectors -------------------------------------------------------------------------------------------------------------


def test_multivariate_normal():
    rng = np.random.default_rng(0)
    b = rng.normal(size=(3, 3))
    cov, mean = b @ b.T + np.eye(3), rng.normal(size=3)
    x = rng.normal(size=(2, 4, 3))
    for args in [
        (x, mean, cov),
        (x[0, 0], mean, cov),
        (x[:1, :1], mean, cov),  # SciPy drops axes of length one
        (x[:1], mean, cov),
        (x, mean, 2.0),
        (x, mean, np.array([1.0, 2.0, 3.0])),
        (x, None, cov),
        (x[0, 0], 0.5, 2.0),
        (0.3, 0.5, 2.0),
        (np.float64(0.3),),
    ]:
        for method in ("logpdf", "pdf"):
            a = getattr(ws.multivariate_normal, method)(*args)
            e = getattr(ss.multivariate_normal, method)(*args)
            assert np.shape(a) == np.shape(e)
            np.testing.assert_allclose(a, e, rtol=1e-12)
    check_grads(lambda x, m, b: ws.multivariate_normal.logpdf(x, m, b @ b.T + np.eye(3)), (x[0], mean, b), order=2)
    g = grad(lambda c: ws.multivariate_normal(mean, c).logpdf(x[0, 0]))(cov)
    d = x[0, 0] - mean
    inverse = np.linalg.inv(cov)
    np.testing.assert_allclose(g, 0.5 * (np.outer(inverse @ d, inverse @ d) - inverse), rtol=1e-10)
    np.testing.assert_allclose(ws.multivariate_normal.entropy(mean, cov), ss.multivariate_normal.entropy(mean, cov))
    np.testing.assert_allclose(grad(lambda c: ws.multivariate_normal(mean, c).entropy())(cov), 0.5 * inverse)
    f = grad(lambda y: ws.multivariate_normal.logpdf(y, mean, cov))
    np.testing.assert_allclose(vmap(f)(x[0]), np.stack([f(y) for y in x[0]]))
    for bad in (-cov, np.ones((2, 3)), np.eye(2), np.ones((1, 3, 3))):
        with pytest.raises(ValueError):  # noqa: PT011
            ss.multivariate_normal.logpdf(x, mean, bad)
        with pytest.raises(ValueError):  # noqa: PT011
            ws.multivariate_normal.logpdf(x, mean, bad)
    with pytest.raises(UnsupportedOperationError, match="allow_singular"):
        ws.multivariate_normal.logpdf(x, mean, cov, allow_singular=True)
    t = partial(ws.multivariate_t.logpdf, df=np.float64(3.5))
    for y in (x, x[:, :1], x[:1, :1]):
        expected = ss.multivariate_t.logpdf(y, mean, cov, 3.5)
        np.testing.assert_allclose(t(y, mean, cov), expected, rtol=1e-12)
        assert np.shape(t(y, mean, cov)) == np.shape(expected)
    check_grads(lambda m, b, df: ws.multivariate_t.logpdf(x[0], m, b @ b.T + np.eye(3), df), (mean, b, 3.5), order=2)


def test_dirichlet_and_multinomial():
    alpha, x = np.array([2.5, 1.0, 3.5]), np.array([[0.2, 0.1], [0.3, 0.0], [0.5, 0.9]])
    for y in (x, x[:-1], x[:, 0], x[:, :1]):
        assert np.shape(ws.dirichlet.pdf(y, alpha)) == np.shape(ss.dirichlet.pdf(y, alpha))
        np.testing.assert_allclose(ws.dirichlet.logpdf(y, alpha), ss.dirichlet.logpdf(y, alpha))
        np.testing.assert_allclose(ws.dirichlet.pdf(y, alpha), ss.dirichlet.pdf(y, alpha))
    check_grads(lambda a: ws.dirichlet.logpdf(x[:, 0], a), (alpha,), order=2)
    check_grads(lambda y: ws.dirichlet.logpdf(y, alpha), (x[:-1, 0],), order=2)
    for y, a in ((x, -alpha), (x * 2, alpha), (x[:1], alpha), (-x, alpha), (x, x)):
        with pytest.raises(ValueError):  # noqa: PT011
            ss.dirichlet.logpdf(y, a)
        with pytest.raises(ValueError):  # noqa: PT011
            grad(lambda a, y=y: np.sum(ws.dirichlet.logpdf(y, a)))(a)
    p, counts = np.array([0.2, 0.3, 0.5]), np.array([[1, 2, 3], [6, 0, 0], [1, 1, 1]])
    np.testing.assert_allclose(ws.multinomial.logpmf(counts, 6, p), ss.multinomial.logpmf(counts, 6, p))
    np.testing.assert_allclose(ws.multinomial.pmf(counts, 6, p), ss.multinomial.pmf(counts, 6, p))
    check_grads(lambda q: ws.multinomial.logpmf(counts[:2], 6, np.concatenate([q, q[:1]])), (p[:2],), order=2)


def test_scipys_module_is_not_imported():
    code = "import sys; from wengert.scipy import stats; stats.norm.pdf(0.3); print('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
