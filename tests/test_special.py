"""Special functions through SciPy's names and through wengert.scipy.special: conventions, extremes, errors.

What holds at regular points for each primitive is in test_registry.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.special as sp

import wengert as wg
from wengert import check_grads, derivative, grad, hessian, jvp, vjp, vmap
from wengert.errors import ConcretizationError, UnsupportedOperationError
from wengert.numpy.universal import Ufunc
from wengert.scipy import special as wsp

from .samples import ALL

_rng = np.random.default_rng(13)
INF = np.inf


def _r(*shape):
    return _rng.normal(size=shape)


UFUNCS = sorted(
    name for name, f in vars(wsp).items() if isinstance(f, Ufunc) and isinstance(getattr(sp, name, 0), np.ufunc)
)
#: Ufuncs whose primitives have other names.
_PRIMITIVES = {"ellipj": "ellipj_sn", "jn": "jv", "psi": "digamma", "round": "rint"}


@pytest.mark.parametrize("name", UFUNCS)
def test_scipys_own_ufuncs_take_arrays(name):
    """With the arguments of the sample: SciPy's values, and derivatives that agree with differences of them."""
    ours, theirs = getattr(wsp, name), getattr(sp, name)
    primitive = _PRIMITIVES.get(name, name)
    sample = next(s for s in ALL if s.primitive.name == primitive)
    args, active = list(sample.args), sample.active
    expected = theirs(*args)
    assert type(ours(*args)) is type(expected)
    if not active:
        assert np.shape(ours(*args)) == np.shape(expected)
        return

    def moved(f, h):
        return f(*(a + h if k in active else a for k, a in enumerate(args)))

    for f in (ours, theirs):
        out, dot = jvp(lambda h, f=f: moved(f, h), (0.0,), (1.0,))
        assert type(out) is type(expected)
        if not isinstance(out, tuple):
            out, dot = (out,), (dot,)
        more, less = moved(theirs, 1e-5), moved(theirs, -1e-5)
        for k, (o, d) in enumerate(zip(out, dot, strict=True)):
            e, m, n = (x[k] if isinstance(expected, tuple) else x for x in (expected, more, less))
            np.testing.assert_allclose(o, e, rtol=4e-16)
            np.testing.assert_allclose(d, (m - n) / 2e-5, rtol=1e-4, atol=1e-7)


def test_every_function_of_scipy_is_there():
    """Implemented, or in the table that says why it is not, with SciPy's values for plain arguments."""
    known = {*wsp.__all__, *wsp.missing.REASONS}
    removed = {"btdtr", "btdtri", "clpmn", "lpmn", "lpn", "sph_harm"}  # by SciPy 1.17
    assert sorted(set(sp.__all__) - known - removed) == []
    assert not set(wsp.__all__) & set(wsp.missing.REASONS)
    for name in known & set(sp.__all__):
        assert callable(getattr(wsp, name))
    np.testing.assert_array_equal(wsp.roots_legendre(3), sp.roots_legendre(3))
    assert wsp.stirling2(wg.numpy.array(5), 2) == 15
    with pytest.raises(AttributeError):
        wsp.no_such_function  # noqa: B018


@pytest.mark.parametrize(
    "f",
    [
        lambda x: wsp.ellip_harm(5, 8, 2, 1, x),
        lambda x: wsp.lmbda(1, x)[0],
        lambda x: wsp.roots_jacobi(3, x, 1.0)[0],
        lambda x: wsp.mathieu_even_coef(2, x),
    ],
)
def test_functions_without_a_rule_say_why(f):
    with pytest.raises(UnsupportedOperationError, match="has no derivative rule: "):
        grad(f)(0.5)


# Reference values below were computed with mpmath, with 500 digits.


def test_higher_derivatives():
    assert derivative(sp.erf, 0.5, order=3) == pytest.approx(-0.8787825789354448, rel=1e-13)
    assert derivative(sp.gammaln, 2.5, order=4) == pytest.approx(0.2239058488172521, rel=1e-13)
    assert derivative(sp.j0, 1.5, order=3) == pytest.approx(0.4032113931472898, rel=1e-13)
    assert derivative(lambda x: sp.iv(0.5, x), 1.5, order=2) == pytest.approx(0.8278660742869198, rel=1e-13)


# Far out -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "first", "second"),
    [
        (-1e6, 1000000.000001, -0.999999999999),
        (-1e3, 1000.000999998, -0.99999900000599995),
        (-40.0, 40.024968847207264, -0.99937733162140861),
        (-20.0, 20.049753068527851, -0.99753673838494784),
        (0.0, 0.79788456080286536, -0.63661977236758134),
        (3.0, 0.0044378390421256638, -0.013333211541740806),
        (30.0, 1.4736461348785475e-196, -4.4209384046356426e-195),
    ],
)
def test_log_ndtr_far_out(x, first, second):
    """Relative accuracy where density and distribution function underflow."""
    assert derivative(sp.log_ndtr, x) == pytest.approx(first, rel=1e-12)
    assert derivative(sp.log_ndtr, x, order=2) == pytest.approx(second, rel=1e-11)


@pytest.mark.parametrize(
    ("x", "expit", "log_expit"),
    [
        (-700.0, 9.8596765437597709e-305, 1.0),
        (-50.0, 1.9287498479639178e-22, 1.0),
        (-1.0, 0.19661193324148185, 0.73105857863000488),
        (0.0, 0.25, 0.5),
        (40.0, 4.248354255291589e-18, 4.248354255291589e-18),
        (700.0, 9.8596765437597709e-305, 9.8596765437597709e-305),
    ],
)
def test_logistic_functions_far_out(x, expit, log_expit):
    assert derivative(sp.expit, x) == pytest.approx(expit, rel=1e-13)
    assert derivative(sp.log_expit, x) == pytest.approx(log_expit, rel=1e-13)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0.5, -0.5126888229025867),
        (19.9, -0.0014193225647191465),
        (20.1, -0.0013913213114440525),
        (1000.0, -5.6418873726549667e-7),
    ],
)
def test_erfcx_far_out(x, expected):
    assert derivative(sp.erfcx, x) == pytest.approx(expected, rel=1e-12)


def test_digamma_at_a_zero_of_the_gamma_functions_derivative():
    assert derivative(sp.gamma, 1.4616321449683623) == pytest.approx(0.0, abs=1e-15)


# Strong zeros, ends of domains ---------------------------------------------------------------------------------------


def test_entropy_of_a_distribution_with_zeros():
    p = np.array([0.5, 0.5, 0.0])
    used = np.array([True, True, False])
    g = grad(lambda p: np.sum(np.where(used, sp.entr(p), 0.0)))(p)
    np.testing.assert_allclose(g, [-np.log(0.5) - 1, -np.log(0.5) - 1, 0.0])
    np.testing.assert_array_equal(grad(lambda q: np.sum(sp.xlogy(0.0, q)))(np.array([0.0, 2.0])), [0.0, 0.0])
    np.testing.assert_array_equal(grad(lambda q: np.sum(sp.rel_entr(p, q)))(np.array([0.5, 0.25, 0.0])), [-1, -2, 0])
    np.testing.assert_array_equal(grad(lambda q: np.sum(sp.kl_div(p, q)))(np.array([0.5, 0.25, 0.0])), [0, -1, 1])
    assert jvp(sp.xlogy, (0.0, 0.0), (0.0, 1.0)) == (0.0, 0.0)
    assert jvp(sp.xlog1py, (0.0, -1.0), (0.0, 1.0)) == (0.0, 0.0)


def test_the_mixed_derivative_of_xlogy_at_zero():
    h = hessian(lambda v: sp.xlogy(v[0], v[1]))(np.array([0.0, 2.0]))
    np.testing.assert_array_equal(h, [[0.0, 0.5], [0.5, 0.0]])


def test_bessel_functions_at_zero():
    assert derivative(sp.i1, 0.0) == derivative(sp.j1, 0.0) == derivative(sp.i1e, 0.0) == 0.5
    assert derivative(sp.i0, 0.0) == derivative(sp.j0, 0.0) == 0.0
    assert derivative(lambda x: sp.jv(3, x), 0.0, order=3) == pytest.approx(1 / 8)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda v: sp.stdtr(v, 1), 0.7),
        (lambda a: sp.gammainc(a, 2), 0.7),
        (lambda a: sp.gdtr(1, a, 2), 0.7),
        (lambda a: sp.betainc(a, 3, 0.3), 0.7),
        (lambda shape: sp.tklmbda(1, shape), 0.7),
        (lambda s: sp.voigt_profile(1, s, 2), 0.7),
        (lambda k: sp.binom(5, k), 2.3),
        (lambda x: sp.elliprj(0, 1, 2, x), 0.7),
        (lambda m: sp.ellipj(2, m)[2], 0.7),
    ],
)
def test_other_arguments_that_are_integers(f, x):
    assert derivative(f, x) == pytest.approx((f(x + 1e-5) - f(x - 1e-5)) / 2e-5, rel=1e-7)
    assert jvp(f, (np.float32(x),), (np.float32(1),))[1].dtype == f(np.float32(x)).dtype


def test_elliptic_integrals_at_equal_arguments_and_both_orders():
    """Where Legendre's formulas, and Carlson's reductions, divide 0 by 0."""
    assert derivative(sp.ellipk, 0.0, order=3) == pytest.approx(np.pi / 2 * 6 * (5 / 16) ** 2, rel=1e-13)
    assert derivative(sp.ellipe, 0.0, order=2) == pytest.approx(-3 * np.pi / 64, rel=1e-13)
    assert derivative(lambda a: sp.agm(a, 2.0), 2.0, order=2) == pytest.approx(-1 / 16, rel=1e-12)
    third = hessian(lambda v: sp.elliprj(v[0], v[1], v[2], v[3]))(np.ones(4))
    # R_J = R_{-3/2}(1/2, 1/2, 1/2, 1; ·): second moments of a Dirichlet distribution (DLMF 19.16.9, 19.18.4)
    b = np.array([0.5, 0.5, 0.5, 1.0])
    moments = (np.outer(b, b) + np.diag(b)) / (b.sum() * (b.sum() + 1))
    np.testing.assert_allclose(third, 1.5 * 2.5 * moments, rtol=1e-12)


# Log-sum-exp, softmax ------------------------------------------------------------------------------------------------


X = _r(3, 4)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_reductions(name, axis):
    ours, theirs = getattr(wsp, name), getattr(sp, name)
    np.testing.assert_allclose(jvp(lambda x: ours(x, axis), (X,), (X,))[0], theirs(X, axis), rtol=1e-13)
    check_grads(lambda x: ours(x, axis), (X,))
    stacked = np.stack([X, 2 * X])
    np.testing.assert_allclose(vmap(lambda x: ours(x, axis))(stacked), [theirs(x, axis) for x in stacked], rtol=1e-13)


def test_logsumexp_options():
    b = np.array([0.5, 2.0, 0.3, 1.5])
    for keywords in ({"b": b}, {"b": b, "keepdims": True}, {"b": -b, "return_sign": True}, {"return_sign": True}):
        expected = sp.logsumexp(X, axis=1, **keywords)
        out = jvp(lambda x, k=keywords: wsp.logsumexp(x, axis=1, **k), (X,), (X,))[0]
        for a, e in zip(out, expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-14)
        check_grads(lambda x, k=keywords: wsp.logsumexp(x, axis=1, **k), (X,))
    check_grads(lambda x, b: wsp.logsumexp(x, 1, b), (X, b))
    check_grads(lambda b: wsp.logsumexp(X, 1, b), (b,))
    check_grads(wsp.logsumexp, (X + 1j * _r(3, 4),))
    assert np.isnan(jvp(lambda x: wsp.logsumexp(x, b=-b[:3, None]), (X,), (X,))[0])


def test_logsumexp_with_infinities_and_ties():
    f = grad(wsp.logsumexp)
    np.testing.assert_array_equal(f(np.array([0.0, -INF])), [1.0, 0.0])
    np.testing.assert_array_equal(f(np.array([-INF, -INF])), [0.0, 0.0])
    np.testing.assert_array_equal(f(np.array([1e4, 1e4])), [0.5, 0.5])
    np.testing.assert_array_equal(f(np.array([-1e300, 1e300])), [0.0, 1.0])
    assert np.isnan(f(np.array([INF, 0.0]))[0])
    assert np.all(np.isfinite(hessian(wsp.logsumexp)(np.array([0.0, -INF, 1.0]))))
    g = grad(lambda x: np.sum(wsp.logsumexp(x, axis=1)))(np.array([[0.0, 0.0], [-INF, -INF]]))
    np.testing.assert_array_equal(g, [[0.5, 0.5], [0.0, 0.0]])
    np.testing.assert_array_equal(grad(lambda b: wsp.logsumexp(np.zeros(2), b=b))(np.array([1.0, 0.0])), [1.0, 1.0])


def test_logsumexp_over_nothing():
    assert grad(wsp.logsumexp)(3.0) == 1.0
    out, dot = jvp(lambda x: wsp.logsumexp(x, axis=(), b=2.0), (X,), (X,))
    np.testing.assert_allclose(out, X + np.log(2.0))
    np.testing.assert_allclose(dot, X)
    assert jvp(wsp.logsumexp, (np.zeros(0),), (np.zeros(0),)) == (-INF, 0.0)
    assert vjp(lambda x: wsp.logsumexp(x, axis=1), np.zeros((2, 0)))[1](np.ones(2))[0].shape == (2, 0)
    assert grad(lambda x: wsp.logsumexp([x, 2.0]))(2.0) == 0.5


def test_softmax_extremes():
    x = np.array([1e6, 1e6 - 40.0, -INF])
    out, dot = jvp(wsp.log_softmax, (x,), (np.array([1.0, 0.0, 0.0]),))
    np.testing.assert_allclose(out, sp.log_softmax(x), atol=1e-16)
    np.testing.assert_allclose(dot[:2], [0.0, -1.0], atol=1e-16)
    np.testing.assert_array_equal(jvp(wsp.softmax, (x,), (np.array([0.0, 0.0, 1.0]),))[1], np.zeros(3))


def test_polygamma_and_multigammaln():
    x = np.array([0.7, 2.5])
    for n in (0, 1, 3):
        np.testing.assert_allclose(jvp(lambda x, n=n: wsp.polygamma(n, x), (x,), (x,))[0], sp.polygamma(n, x))
        check_grads(lambda x, n=n: wsp.polygamma(n, x), (x,))
    np.testing.assert_allclose(jvp(lambda a: wsp.multigammaln(a, 3), (x + 2,), (x,))[0], sp.multigammaln(x + 2, 3))
    check_grads(lambda a: wsp.multigammaln(a, 3), (x + 2,))


# Errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda v: sp.jv(v, 1.0), 0.5),
        (lambda a: sp.hyp1f1(a, 1.0, 0.5), 0.5),
        (lambda a: sp.nctdtr(a, 1.0, 0.5), 0.5),
        (lambda n: sp.eval_legendre(n, 0.5), 0.5),
        (lambda n: wsp.polygamma(n, 1.0), 1.0),
    ],
)
def test_orders_have_no_derivative(f, x):
    for differentiate in (grad(f), lambda x: jvp(f, (x,), (1.0,))):
        with pytest.raises(UnsupportedOperationError, match="stop_gradient"):
            differentiate(x)


def test_complex_arguments_without_a_rule():
    z = np.array([0.5 + 0.2j])
    for f in (lambda z: sp.airye(z)[0], lambda z: wsp.logsumexp(z, b=np.ones(1))):
        with pytest.raises(UnsupportedOperationError, match="complex"):
            jvp(f, (z,), (z,))
    with pytest.raises(UnsupportedOperationError, match="real arguments"):
        jvp(sp.digamma, (z,), (z,))
    check_grads(sp.loggamma, (z,), order=1)


@pytest.mark.parametrize("name", ["jve", "yve", "ive"])
def test_scaled_bessel_functions_of_complex_numbers(name):
    """Their factors are real functions of the real or imaginary part, which are not holomorphic."""
    f = getattr(sp, name)
    z = np.array([0.7 + 0.5j, -0.7 + 0.5j, 0.7 - 0.5j, -0.7 - 0.5j])
    np.testing.assert_allclose(jvp(lambda z: f(1.5, z), (z,), (z,))[0], f(1.5, z), rtol=1e-15)
    check_grads(lambda z: f(1.5, z), (z,))
    check_grads(lambda z: f(1.5, z), (50 * z,), order=1)


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_python_functions_of_scipy_say_what_to_call(name):
    with pytest.raises(ConcretizationError):
        grad(lambda x: np.sum(getattr(sp, name)(x)))(X)
    np.testing.assert_array_equal(getattr(wsp, name)(X), getattr(sp, name)(X))


def test_the_array_api_mode_of_scipy():
    """There, SciPy's functions are wrappers that refuse Arrays; those of Wengert work."""
    program = "from wengert import grad; from wengert.scipy import special; print(grad(special.erf)(0.0))"
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert float(run.stdout) == pytest.approx(2 / np.sqrt(np.pi))
