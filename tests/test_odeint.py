"""`wengert.scipy.integrate.odeint`: values are SciPy's, derivatives those of solutions in closed form."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.integrate as si

import wengert as wg
from wengert.errors import ConcretizationError, InputTypeError, UnsupportedOperationError
from wengert.scipy.integrate import odeint

RNG = np.random.default_rng(11)
TS = np.array([0.2, 0.5, 1.1, 1.7])
TIGHT = {"rtol": 1e-10, "atol": 1e-10}


def decay(y, t, rate):
    return -rate * y


def close(actual, expected, tolerance=2e-7):
    wg_leaves, expected_leaves = (wg.core.containers.flatten(x)[0] for x in (actual, expected))
    assert len(wg_leaves) == len(expected_leaves)
    for a, e in zip(wg_leaves, expected_leaves, strict=True):
        assert np.shape(a) == np.shape(e)
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


# Equations with known solutions: right-hand side, solution as a function of (y0, ts, args), arguments -----------------


def oscillator(y, t, frequency, damping):
    return [y[1], -(frequency**2) * y[0] - 2 * damping * y[1]]


def oscillation(y0, ts, frequency, damping):
    w = np.sqrt(frequency**2 - damping**2)
    s = ts - ts[0]
    e, c, d = np.exp(-damping * s), np.cos(w * s), np.sin(w * s)
    x = e * (y0[0] * c + (y0[1] + damping * y0[0]) / w * d)
    v = e * (y0[1] * c - (frequency**2 * y0[0] + damping * y0[1]) / w * d)
    return np.stack([x, v], axis=1)


def driven(y, t, p):  # depends on time by itself
    return p["a"] * y * np.cos(t) + 0.0 * p["b"][0]


EQUATIONS = {
    "decay": (
        decay,
        lambda y0, ts, k: y0 * np.exp(-k * (ts - ts[0])[:, None]),
        (np.array([1.0, 2.0]), np.array([0.5, 1.5])),
    ),
    "oscillator": (oscillator, oscillation, (np.array([1.0, -0.5]), 2.0, 0.3)),
    "logistic": (
        lambda y, t, r, K: r * y * (1 - y / K),
        lambda y0, ts, r, K: K / (1 + (K / y0 - 1) * np.exp(-r * (ts - ts[0])[:, None])),
        (np.array([0.1]), 2.0, 1.3),
    ),
    "driven": (
        driven,
        lambda y0, ts, p: y0 * np.exp(p["a"] * (np.sin(ts) - np.sin(ts[0]))[:, None]),
        (np.array([0.7, 0.1]), {"a": np.float64(0.8), "b": [np.ones(1)]}),
    ),
}
COMPILED = {f: wg.jit(f) for f, _, _ in EQUATIONS.values()}
MODES = {"eager": lambda f: f, "compiled": wg.jit}


@pytest.fixture(params=EQUATIONS)
def equation(request):
    f, solution, (y0, *args) = EQUATIONS[request.param]
    return f, solution, y0, args


@pytest.mark.parametrize("make", MODES.values(), ids=MODES.keys())
def test_values_and_first_derivatives(equation, make):
    f, solution, y0, args = equation
    g = make(f)
    ours = lambda y0, ts, *args: odeint(g, y0, ts, args=args, **TIGHT)
    np.testing.assert_allclose(
        ours(y0, TS, *args), si.odeint(f, y0, TS, args=tuple(args), **TIGHT), rtol=1e-14, atol=1e-14
    )
    numbers = tuple(range(2 + len(args)))
    expected = wg.jacrev(solution, argnums=numbers)(y0, TS, *args)
    close(wg.jacrev(ours, argnums=numbers)(y0, TS, *args), expected)
    close(wg.jacfwd(ours, argnums=numbers)(y0, TS, *args), expected)


@pytest.mark.parametrize(("outer", "inner"), [("fwd", "rev"), ("rev", "rev"), ("rev", "fwd"), ("fwd", "fwd")])
def test_second_derivatives(equation, outer, inner):
    f, solution, y0, args = equation
    f = f if f is decay else COMPILED[f]
    ts = TS[::2]
    weights = RNG.normal(size=(len(ts), len(y0)))
    numbers = tuple(range(2 + len(args)))

    def second(solve):
        loss = lambda *a: np.sum(weights * solve(*a) ** 2)
        take = lambda which: getattr(wg, f"jac{which}")
        return take(outer)(take(inner)(loss, argnums=numbers), argnums=numbers)(y0, ts, *args)

    close(second(lambda y0, ts, *args: odeint(f, y0, ts, args=args, **TIGHT)), second(solution), 1e-6)


def test_values_are_those_of_scipy():
    y0, k = np.array([1.0, 2.0]), np.array([0.5, 1.5])
    expected = si.odeint(decay, y0, TS, args=(k,))
    assert np.array_equal(odeint(decay, y0, TS, args=(k,)), expected)
    assert np.array_equal(odeint(decay, y0, TS, args=(k,), Dfun=False), expected)
    assert np.array_equal(wg.jvp(lambda k: odeint(decay, y0, TS, args=(k,)), (k,), (k,))[0], expected)
    assert np.array_equal(wg.vjp(lambda k: odeint(decay, y0, TS, args=(k,)), k)[0], expected)
    both = wg.vmap(lambda k: odeint(decay, y0, TS, args=(k,)))(np.stack([k, 2 * k]))
    assert np.array_equal(both, [expected, si.odeint(decay, y0, TS, args=(2 * k,))])
    assert np.array_equal(wg.jit(lambda k: odeint(decay, y0, TS, args=(k,)))(k), expected)
    assert type(odeint(decay, wg.numpy.ones(2), [0, 1], args=(1,))) is np.ndarray


def test_adjoint_identity_and_finite_differences():
    """Of a nonlinear system without closed solution, that depends on time, for all arguments at once."""

    @wg.jit
    def lotka(y, t, p):
        x, z = y
        return [p[0] * x - p[1] * x * z * np.cos(t), -p[2] * z + p[3] * x * z]

    f = lambda y0, ts, p: odeint(lotka, y0, ts, args=(p,), rtol=1e-11, atol=1e-11)
    at = (np.array([1.5, 1.0]), TS, np.array([1.1, 0.6, 0.9, 0.4]))
    v = tuple(RNG.normal(size=x.shape) for x in at)
    w = RNG.normal(size=(4, 2))
    dot = wg.jvp(f, at, v)[1]
    back = wg.vjp(f, *at)[1](w)
    np.testing.assert_allclose(np.sum(w * dot), sum(np.sum(a * b) for a, b in zip(v, back, strict=True)), rtol=1e-8)
    h = 1e-4
    plus, minus = (f(*(x + s * d for x, d in zip(at, v, strict=True))) for s in (h, -h))
    np.testing.assert_allclose(dot, (plus - minus) / (2 * h), rtol=1e-5, atol=1e-6)
    wg.check_grads(f, at, order=2)


def test_stays_precise_for_small_cotangents_and_tangents():
    """Tolerances are relative to the size of what is integrated."""
    slope = wg.grad(lambda k: np.sum(odeint(decay, 1.0, TS, args=(k,))))(1.0)
    tiny = wg.grad(lambda k: 1e-12 * np.sum(odeint(decay, 1.0, TS, args=(k,))))(1.0)
    np.testing.assert_allclose(tiny, 1e-12 * slope, rtol=1e-7)
    dot = lambda v: wg.jvp(lambda k: odeint(decay, 1.0, TS, args=(k,)), (1.0,), (v,))[1]
    np.testing.assert_allclose(dot(1e-12), 1e-12 * dot(1.0), rtol=1e-6)


# Arguments -----------------------------------------------------------------------------------------------------------


@dataclass
class Rates:
    birth: Any
    death: Any
    name: str = "rates"


def test_containers_and_constants_in_args():
    def f(y, t, rates, order, table):
        assert (rates.name, type(order), type(table["scale"])) == ("rates", int, float)
        return (rates.birth - rates.death[0]) * y**order * table["scale"]

    table = {"scale": 0.5, "nothing": None, "text": "x"}
    final = lambda rates: odeint(f, 2.0, [0.0, 1.0], args=(rates, 1, table), **TIGHT)[-1, 0]
    g = wg.grad(lambda b, d: final(Rates(b, [d])), argnums=(0, 1))(0.7, 0.2)
    close(g, (np.exp(0.25), -np.exp(0.25)))


@pytest.mark.parametrize("make", MODES.values(), ids=MODES.keys())
def test_time_first_and_jacobian(make):
    f = make(lambda t, y, k: -k * y * (1 + t))
    solution = lambda k: 2.0 * np.exp(-k * 1.5)
    for dfun in (None, True, lambda t, y, k: np.diag(-k * (1 + t) * np.ones(len(y)))):
        final = lambda k, d=dfun: odeint(f, 2.0, [0.0, 1.0], args=(k,), tfirst=True, Dfun=d, **TIGHT)[-1, 0]
        close(wg.value_and_grad(final)(0.7), wg.value_and_grad(solution)(0.7))
        close(wg.jacfwd(wg.grad(final))(0.7), wg.jacfwd(wg.grad(solution))(0.7))


def test_jacobian_goes_to_scipy():
    """The exact matrix, in the right orientation: a stiff system takes fewer evaluations with it."""
    f = lambda y, t, k: [-k * y[0] + 5.0 * y[1], -2.0 * y[1]]
    count = lambda **options: odeint(f, [1.0, 1.0], [0.0, 10.0], args=(1000.0,), full_output=True, **options)
    y, info = count(Dfun=True)
    given, theirs = count(Dfun=lambda y, t, k: [[-k, 5.0], [0.0, -2.0]])
    by_column, _ = count(Dfun=lambda y, t, k: [[-k, 0.0], [5.0, -2.0]], col_deriv=True)
    assert info["nfe"][0] == theirs["nfe"][0] < count()[1]["nfe"][0]
    assert np.array_equal(y, given)
    assert np.array_equal(y, by_column)


def test_dtypes_and_shapes():
    loss = lambda y, k: np.sum(odeint(decay, y, TS, args=(k,)))
    y32, k32 = np.ones(2, np.float32), np.float32(0.5)
    value, (gy, gk) = wg.value_and_grad(loss, argnums=(0, 1))(y32, k32)
    assert (value.dtype, gy.dtype, gk.dtype) == (np.float64, np.float32, np.float32)
    close((gy, gk), wg.grad(loss, argnums=(0, 1))(np.ones(2), 0.5), 1e-6)
    assert odeint(decay, 1, [0, 1], args=(1,)).shape == (2, 1)
    close(wg.grad(lambda y: odeint(decay, y, [0, 1], args=(1,))[1, 0])(2.0), np.exp(-1.0))
    close(wg.grad(lambda a: odeint(decay, [a, 1.0], [0.0, a], args=(1.0,))[1, 0])(2.0), -np.exp(-2.0))
    constant = lambda y: odeint(lambda y, t: [1, 2], y, TS)  # integers, and independent of y
    close(wg.jacrev(constant)(np.zeros(2)), np.broadcast_to(np.eye(2), (4, 2, 2)))
    close(wg.jacfwd(constant)(np.zeros(2)), np.broadcast_to(np.eye(2), (4, 2, 2)))
    for mode in (wg.jacrev, wg.jacfwd):
        none = mode(lambda y: odeint(lambda y, t: -y, y, TS))(np.zeros(0))
        assert none.shape == (4, 0, 0)


def test_complex_arguments():
    final = lambda z: odeint(lambda y, t, z: -np.real(z * z) * y, 1.0, [0.0, 1.0], args=(z,), **TIGHT)[-1, 0]
    exact = lambda z: np.exp(-np.real(z * z))
    close(wg.grad(final)(1 + 0.5j), wg.grad(exact)(1 + 0.5j))
    close(wg.jvp(final, (1 + 0.5j,), (0.3 - 1j,)), wg.jvp(exact, (1 + 0.5j,), (0.3 - 1j,)))


@pytest.mark.parametrize("ts", [TS[::-1], [0.0, 0.0, 0.5, 0.5, 1.0], [0.3, 0.3], [0.3], []], ids=str)
def test_times(ts):
    ts = np.array(ts, float)
    exact = lambda y0, ts, k: (
        y0 * np.exp(-k * (ts - ts[:1]))[:, None]
        if len(ts) > 1
        else y0 + np.zeros((len(ts), 1)) * np.sum(k + np.sum(ts))
    )
    ours = lambda y0, ts, k: odeint(decay, y0, ts, args=(k,), **TIGHT)
    at = (2.0, ts, 0.7)
    expected = wg.jacrev(exact, argnums=(0, 1, 2))(*at)
    close(ours(*at), exact(*at))
    close(wg.jacrev(ours, argnums=(0, 1, 2))(*at), expected)
    close(wg.jacfwd(ours, argnums=(0, 1, 2))(*at), expected)


def test_settings():
    def gradient(**options):
        return wg.grad(lambda k: np.sum(odeint(decay, np.ones(2), TS, args=(k,), **options)))(np.array([1.0]))

    expected = -2 * np.sum((TS - TS[0]) * np.exp(-(TS - TS[0])))
    loose, tight = (abs(gradient(rtol=r, atol=r) - expected)[0] for r in (1e-4, 1e-11))
    assert tight < 1e-9 < 1e-7 < loose < 1e-2
    vectors = {"rtol": [1e-10, 1e-11], "atol": np.array([1e-10, 1e-11])}
    for options in (vectors, {"h0": 1e-3, "hmax": 0.1, "hmin": 1e-12}, {"ml": 0, "mu": 0}, {"mxordn": 5, "mxords": 2}):
        np.testing.assert_allclose(gradient(**options), expected, rtol=1e-6)
        dots = wg.jacfwd(lambda k, o=options: np.sum(odeint(decay, np.ones(2), TS, args=(k,), **o)))(np.array([1.0]))
        np.testing.assert_allclose(dots, [expected], rtol=1e-6)
    backwards = wg.grad(lambda k: odeint(decay, 1.0, [1.0, 0.0], args=(k,), h0=-1e-3)[-1, 0])(1.0)
    close(backwards, np.exp(1.0))
    with pytest.warns(si.ODEintWarning, match="successful"):
        odeint(decay, 1.0, TS, args=(1.0,), printmessg=True)


def test_critical_times_have_forward_mode_only():
    kick = lambda y, t, k: k * np.where(t < 0.5, 0.0, 1.0) + 0.0 * y
    final = lambda k: odeint(kick, 0.0, [0.0, 1.0], args=(k,), tcrit=[0.5])[-1, 0]
    close(wg.jvp(final, (2.0,), (1.0,)), (1.0, 0.5), 1e-5)
    with pytest.raises(UnsupportedOperationError, match="tcrit"):
        wg.grad(final)(2.0)


def test_full_output():
    def with_statistics(k):
        y, info = odeint(decay, 1.0, TS, args=(k,), full_output=True)
        return y[-1, 0], info

    (value, info), slope = wg.value_and_grad(with_statistics, has_aux=True)(1.0)
    _, theirs = si.odeint(decay, 1.0, TS, args=(1.0,), full_output=True)
    assert (list(info["nfe"]), info["message"]) == (list(theirs["nfe"]), theirs["message"])
    close((value, slope), (np.exp(-1.5), -1.5 * np.exp(-1.5)))
    for transform in (wg.vmap, wg.jit):
        with pytest.raises(UnsupportedOperationError, match="full_output"):
            transform(with_statistics)(np.array([1.0]))


# Transforms ----------------------------------------------------------------------------------------------------------


def test_vmap_and_jit():
    final = lambda k: odeint(decay, 1.0, TS, args=(k,), **TIGHT)[-1, 0]
    ks = np.array([0.5, 1.0, 2.0])
    slopes = -1.5 * np.exp(-1.5 * ks)
    close(wg.vmap(wg.grad(final))(ks), slopes)
    close(wg.grad(lambda ks: np.sum(wg.vmap(final)(ks)))(ks), slopes)
    close(wg.jit(wg.vmap(wg.grad(final)))(ks), slopes)
    close(wg.jit(wg.jacfwd(wg.grad(final)))(1.0), 2.25 * np.exp(-1.5))
    close(wg.vmap(lambda t: odeint(decay, 1.0, t, args=(1.0,))[1, 0])(np.array([[0.0, 1], [1, 3]])), np.exp([-1.0, -2]))
    assert wg.vmap(lambda k: odeint(decay, 1.0, TS, args=(k,)))(np.zeros(0)).shape == (0, 4, 1)
    looped = lambda k: wg.for_loop(2, lambda i, s: s * final(k), 1.0)
    close(wg.jit(wg.grad(looped))(1.0), -3.0 * np.exp(-3.0))
    close(wg.grad(wg.checkpoint(final))(1.0), -1.5 * np.exp(-1.5))


def test_compiled_functions_are_compiled_once():
    calls = []
    g = wg.jit(lambda y, t, k: -np.sum(k) * y)

    @wg.jit
    def f(y, t, k, n):
        calls.append(1)
        return [-k["rate"] * y[0] * n, y[0]]

    loss = lambda k: np.sum(odeint(f, [1.0, 0.0], TS, args=({"rate": k}, 1)) ** 2)
    slopes = [wg.grad(loss)(k) for k in (0.5, 0.5)]
    recorded = len(calls)
    assert slopes[0] == slopes[1] != wg.grad(loss)(0.6)
    assert len(calls) == recorded
    for shape in ((1,), (3,), (2, 2)):  # arguments of another shape have another adjoint
        k = np.full(shape, 0.5)
        slope = wg.grad(lambda k: odeint(g, 1.0, TS, args=(k,))[-1, 0])(k)
        close(slope, np.full(shape, -1.5 * np.exp(-1.5 * np.sum(k))))
    eager = lambda k: np.sum(odeint(f.__wrapped__, [1.0, 0.0], TS, args=({"rate": k}, 1)) ** 2)
    close(slopes[0], wg.grad(eager)(0.5))


def test_functions_around_compiled_ones():
    """A wrapper and a method are other functions than the compiled one inside."""
    compiled = wg.jit(lambda y, t, k: -k * y)

    @functools.wraps(compiled)
    def twice(y, t, k):
        return 2 * compiled(y, t, k)

    class Model:
        @functools.partial(wg.jit, static_argnums=0)
        def rate(self, y, t, k):
            return -2 * k * y

        def __call__(self, y, t, k):
            return -2 * k * y

    for f in (twice, Model().rate, Model(), functools.partial(lambda a, y, t, k: -a * k * y, 2.0)):
        final = lambda k, f=f: odeint(f, 1.0, [0.0, 1.0], args=(k,), **TIGHT)[-1, 0]
        close(wg.value_and_grad(final)(0.7), (np.exp(-1.4), -2 * np.exp(-1.4)))
        close(wg.jacfwd(final)(0.7), -2 * np.exp(-1.4))


def test_values_from_the_surroundings():
    """Traced values that the function uses without getting them keep their derivatives."""
    exact = lambda k: np.exp(-np.sin(k) * (TS - TS[0]))
    ours = lambda k: odeint(lambda y, t: -np.sin(k) * y, 1.0, TS, **TIGHT)[:, 0]
    at = 0.6
    close(wg.jacrev(ours)(at), wg.jacrev(exact)(at))
    close(wg.jacfwd(ours)(at), wg.jacrev(exact)(at))
    close(wg.jacrev(wg.jacrev(ours))(at), wg.jacrev(wg.jacrev(exact))(at))
    close(wg.jit(wg.jacrev(ours))(at), wg.jacrev(exact)(at))
    close(wg.vmap(wg.jacrev(ours))(np.array([0.6, 0.7])), wg.vmap(wg.jacrev(exact))(np.array([0.6, 0.7])))
    assert wg.vmap(ours)(np.zeros(0)).shape == (0, 4)
    close(wg.grad(lambda k: np.sum(odeint(lambda y, t: [-k * y[0], k], [0.0, 1.0], TS)))(1.0), np.sum(TS - TS[0]))
    k = wg.variable(0.6)
    np.sum(odeint(lambda y, t: -np.sin(k) * y, 1.0, TS, **TIGHT)).backward()
    close(k.grad, np.sum(wg.jacrev(exact)(at)))
    d = wg.Dual(0.6, 1.0)
    dual = odeint(lambda y, t: -np.sin(d) * y, 1.0, TS, **TIGHT)
    close(dual.tangent[:, 0], wg.jacfwd(exact)(at))


@pytest.mark.parametrize("late", [False, True])
def test_branches_need_their_values_as_arguments(late):
    def loss(k):
        return odeint(lambda y, t: -k * y if (t > 0.5) is late else -y, 1.0, [0.0, 1.0])[-1, 0]

    for transform in (wg.grad, wg.jit, wg.vmap):
        with pytest.raises(UnsupportedOperationError, match=r"<lambda> .*line \d+.*\n?.*args=\(value,\)"):
            transform(loss)(np.ones(2) if transform is wg.vmap else 1.0)
    passed = lambda k: odeint(lambda y, t, k: -k * y if t > 0.5 else -y, 1.0, [0.0, 1.0], args=(k,))[-1, 0]
    close(wg.grad(passed)(1.0), -0.5 * np.exp(-1.0), 1e-5)
    close(wg.jit(wg.grad(passed))(1.0), -0.5 * np.exp(-1.0), 1e-5)


def test_later_writes_do_not_change_derivatives():
    def loss(k):
        scale = np.ones(2)
        out = odeint(lambda y, t, k, s: -k * s * y, scale, TS, args=(k, scale))
        scale[:] = 100.0
        return np.sum(out)

    close(wg.grad(loss)(1.0), -2 * np.sum((TS - TS[0]) * np.exp(-(TS - TS[0]))))


# Trouble -------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::scipy.integrate.ODEintWarning")
def test_derivatives_of_a_failed_integration_are_nan():
    """The solution 1/(1 - kt) ends at t = 1/k."""
    ts = [0.0, 0.5, 0.9, 1.5, 2.0]
    ours = lambda k: odeint(lambda y, t, k: k * y * y, 1.0, ts, args=(k,))[:, 0]
    expected = [0.0, 2.0, 90.0, np.nan, np.nan]
    assert list(np.isnan(ours(1.0))) == [False, False, False, True, True]
    np.testing.assert_allclose(wg.jacrev(ours)(1.0), expected, rtol=1e-4)
    np.testing.assert_allclose(wg.jacfwd(ours)(1.0), expected, rtol=1e-4)
    np.testing.assert_allclose(wg.jit(wg.jacrev(ours))(1.0), expected, rtol=1e-4)
    assert np.isnan(wg.grad(lambda k: np.sum(ours(k)))(1.0))
    assert np.isnan(wg.grad(lambda k: np.sum(odeint(decay, 1.0, TS, args=(k,), mxstep=5)))(1.0))


def test_failure_warns():
    with pytest.warns(si.ODEintWarning, match="Excess work"):
        odeint(lambda y, t: y * y, 1.0, [0.0, 2.0])


def test_stiff_systems_backwards():
    """Errors of y would grow by a factor of exp(50) on the way back, but for points in between."""
    f = wg.jit(lambda y, t, k: [-50.0 * (y[0] - y[1] ** 2), -k * y[1] + 0.3 * y[0] ** 2])
    final = lambda k: odeint(f, [1.0, 1.5], [0.0, 1.0], args=(k,))[-1, 1]
    close(wg.grad(final)(1.0), wg.jvp(final, (1.0,), (1.0,))[1], 1e-6)
    close(wg.vmap(wg.grad(final))(np.array([1.0, 1.1]))[0], wg.grad(final)(1.0), 1e-6)
    fast = lambda k: odeint(decay, 1.0, [0.0, 1.0], args=(k,))[-1, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert abs(wg.grad(fast)(100.0)) < 1e-8


def test_a_way_back_that_goes_astray_is_noticed(monkeypatch):
    from wengert.scipy import solutions

    monkeypatch.setattr(solutions, "_pieces", lambda rates, length: 1)
    f = lambda y, t, k: [-20.0 * (y[0] - y[1] ** 2), -k * y[1] + 0.3 * y[0] ** 2]
    final = lambda k: odeint(f, [1.0, 1.5], [0.0, 1.0], args=(k,))[-1, 1]
    with pytest.warns(si.ODEintWarning, match="may be wrong"):
        wg.grad(final)(1.0)
    assert np.isnan(wg.jit(wg.grad(final))(1.0))  # no numbers to warn about while recording


def test_nested_calls_are_refused():
    inner = lambda y, t: odeint(lambda z, s: -z, y, [0.0, 1.0])[-1]
    with pytest.raises(UnsupportedOperationError, match="nested"):
        odeint(inner, 1.0, [0.0, 1.0])
    close(odeint(decay, 1.0, [0.0, 1.0], args=(1.0,))[1], np.exp([-1.0]))


def test_errors():
    with pytest.raises(InputTypeError, match=r"np\.concatenate"):
        odeint(decay, 1j, TS, args=(1.0,))
    with pytest.raises(TypeError, match="complex"):
        odeint(lambda y, t: 1j * y, 1.0, TS)
    with pytest.raises(InputTypeError, match="args="):
        odeint(decay, 1.0, TS, args=1.0)
    with pytest.raises(InputTypeError, match="Dfun"):
        odeint(decay, 1.0, TS, args=(1.0,), Dfun=np.eye(1))
    with pytest.raises(ValueError, match="y0 must be one-dimensional"):
        odeint(decay, np.ones((2, 2)), TS, args=(1.0,))
    with pytest.raises(ValueError, match="t must be one-dimensional"):
        odeint(decay, 1.0, 1.0, args=(1.0,))
    with pytest.raises(ValueError, match="monotonically"):
        wg.grad(lambda y: odeint(decay, y, [0.0, 1.0, 0.5], args=(1.0,))[-1, 0])(1.0)
    with pytest.raises(RuntimeError, match="does not match the size of y0"):
        wg.grad(lambda k: np.sum(odeint(lambda y, t, k: k * np.ones(3), 1.0, TS, args=(k,))))(1.0)
    with pytest.raises(RuntimeError, match="ndim=2"):
        odeint(lambda y, t: np.ones((1, 1)), 1.0, TS)
    with pytest.raises(ZeroDivisionError):
        odeint(lambda y, t: [1 // 0], 1.0, TS)
    with pytest.raises(ConcretizationError, match=r"wengert\.numpy"):
        wg.grad(lambda k: odeint(lambda y, t, k: np.array([k * y[0]]), 1.0, TS, args=(k,))[-1, 0])(1.0)
    for of_scipy in (lambda k: si.odeint(decay, 1.0, TS, args=(k,)), lambda k: si.odeint(decay, k, TS, args=(1.0,))):
        with pytest.raises(ConcretizationError, match=r"wengert\.scipy"):
            wg.grad(lambda k, f=of_scipy: f(k)[-1, 0])(1.0)
