"""What loops are compiled to: where their state is, and what they keep for the way back."""

import re

import numpy as np
import pytest

import wengert


def kept_bytes(inspection):
    return [int(n.replace(",", "")) for n in re.findall(r"keeps\s+([\d,]+) bytes", str(inspection.kernels))]


def newton(e, anomaly):
    def step(s):
        x, _ = s
        change = (x - e * np.sin(x) - anomaly) / (1 - e * np.cos(x))
        return x - change, change

    return wengert.while_loop(lambda s: abs(s[1]) > 1e-12, step, (anomaly, 1.0))[0]


def test_equal_values_are_kept_once():
    f = wengert.jit(wengert.grad(newton, (0, 1)))
    e, anomaly = 0.3, 1.1
    x = newton(e, anomaly)
    slope = 1 - e * np.cos(x)  # of x - e sin x = anomaly
    np.testing.assert_allclose(f(e, anomaly), (np.sin(x) / slope, 1 / slope), rtol=1e-12)
    assert kept_bytes(f.inspect(e, anomaly))[0] <= 32  # x or the change, its quotient, sine and cosine: one cosine


def gated(w, u, xs):
    def step(h, x):
        z = 1 / (1 + np.exp(-(w * x + u * h)))
        return z * h + (1 - z) * np.tanh(x), None

    return np.sum(wengert.scan(step, np.zeros(w.shape), xs)[0] ** 2)


def test_state_of_many_numbers_is_iterated_by_vector_loops():
    rng = np.random.default_rng(0)
    w, u, xs = rng.normal(size=64), rng.normal(size=64), rng.normal(size=(7, 64))
    gradient = wengert.grad(gated, (0, 1, 2))
    f = wengert.jit(gradient)
    for own, eager in zip(f(w, u, xs), gradient(w, u, xs), strict=True):
        np.testing.assert_allclose(own, eager, rtol=1e-12, atol=1e-15)
    small = wengert.jit(gradient)
    arguments = [x[..., :4] for x in (w, u, xs)]
    sizes = [len(g.inspect(*a).optimized_llvm_ir) for g, a in ((f, (w, u, xs)), (small, arguments))]
    assert sizes[0] < 4 * sizes[1]  # not written out 64 times


def test_state_takes_over_a_cotangent_that_nobody_else_reads():
    def heat(u, k):
        def step(i, u):
            u[1:-1] += k * (u[2:] - 2 * u[1:-1] + u[:-2])
            return u

        return np.sum(wengert.for_loop(10, step, u) ** 2)

    u = np.random.default_rng(0).normal(size=1000)
    own, eager = (f(u, 0.2) for f in (wengert.jit(wengert.grad(heat, (0, 1))), wengert.grad(heat, (0, 1))))
    for x, y in zip(own, eager, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 128, 129, 1000])
def test_stacks_grow(n):
    def count(x, most):
        def step(s):
            y, i = s
            return 0.99 * y + 0.01 * np.sin(y * x), i + 1

        return np.sum(wengert.while_loop(lambda s: s[1] < most, step, (x, 0))[0])

    for x in (np.float64(0.7), np.linspace(0.0, 1.0, 100)):
        gradient = wengert.grad(count)
        np.testing.assert_allclose(wengert.jit(gradient)(x, n), gradient(x, n), rtol=1e-12)
