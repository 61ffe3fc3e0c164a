"""Functions with loops and branches: what the tests of control flow, and the random programs, are checked on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import wengert as wg
import wengert.numpy as wnp

rng = np.random.default_rng(20)


def power(x: Any) -> Any:
    return wg.for_loop(5, lambda i, y: y * x, 1.0)


def no_iterations(x: Any) -> Any:
    return wg.for_loop(0, lambda i, y: y * x, x + 1.0) * 2.0


def counter(x: Any) -> Any:
    return wg.for_loop(4, lambda i, y: y * x + i, 1.0)


def two_states(x: Any, y: Any) -> Any:
    def step(i: Any, state: Any) -> Any:
        return {"a": state["b"] * 0.9, "b": wnp.sin(state["a"]) + state["b"]}

    out = wg.for_loop(6, step, {"a": x, "b": y})
    return out["a"] * out["b"]


def recurrence(a: Any, b: Any) -> Any:
    def step(i: Any, s: Any) -> Any:
        s[i] = a[i] * s[i - 1] + b[i]
        return s

    return wg.for_loop(a.shape[0], step, wnp.zeros(a.shape))


def thomas(a: Any, b: Any, c: Any, d: Any) -> Any:
    n = b.shape[0]
    upper, rest, x = wnp.zeros(n), wnp.zeros(n), wnp.zeros(n)
    upper[0] = c[0] / b[0]
    rest[0] = d[0] / b[0]

    def forward(i: Any, state: Any) -> Any:
        upper, rest = state
        pivot = b[i + 1] - a[i + 1] * upper[i]
        upper[i + 1] = c[i + 1] / pivot
        rest[i + 1] = (d[i + 1] - a[i + 1] * rest[i]) / pivot
        return upper, rest

    upper, rest = wg.for_loop(n - 1, forward, (upper, rest))
    x[-1] = rest[-1]

    def backward(i: Any, x: Any) -> Any:
        j = n - 2 - i
        x[j] = rest[j] - upper[j] * x[j + 1]
        return x

    return wg.for_loop(n - 1, backward, x)


def heat(u: Any, k: Any) -> Any:
    def step(i: Any, u: Any) -> Any:
        u[1:-1] += k * (u[2:] - 2 * u[1:-1] + u[:-2])
        return u

    return wg.for_loop(5, step, u)


def nonlinear_heat(u: Any, k: Any) -> Any:
    def step(i: Any, u: Any) -> Any:
        u[1:-1] += k * wnp.sin(u[2:] - u[:-2]) * u[1:-1]
        return u

    return wg.for_loop(5, step, u)


def lstm(w: Any, x: Any) -> Any:
    def step(state: Any, inputs: Any) -> Any:
        h, c = state
        gate = 1 / (1 + wnp.exp(-(w[0] * inputs + w[1] * h)))
        c = gate * c + (1 - gate) * wnp.tanh(w[2] * inputs)
        return (wnp.tanh(c) * w[3], c), c * h

    zeros = wnp.zeros(w.shape[1])
    (h, _), outs = wg.scan(step, (zeros, zeros), x)
    return h + wnp.sum(outs, axis=0)


def dense(w: Any, x: Any) -> Any:
    h, outs = wg.scan(lambda h, x: (wnp.tanh(w @ h + x),) * 2, wnp.zeros(w.shape[0]), x, reverse=True)
    return wnp.sum(outs * outs) + h


def newton(a: Any) -> Any:
    def step(state: Any) -> Any:
        x, _ = state
        new = 0.5 * (x + a / x)
        return new, abs(new - x)

    return wg.while_loop(lambda state: state[1] > 1e-10, step, (a, 1.0))[0]


def never(x: Any) -> Any:
    return wg.while_loop(lambda y: y < -100.0, lambda y: y * y, x * x)


def collatz_like(x: Any) -> Any:
    def step(state: Any) -> Any:
        y, n = state
        return wg.cond(y > 2.0, lambda y: y / 2, lambda y: 3 * y + x, y), n + 1

    return wg.while_loop(lambda s: (s[1] < 10) & (s[0] < 50.0), step, (x, 0))[0]


def early_exit(x: Any) -> Any:
    """The first partial sum above 2, squared; by a loop that ends at the latest with the array."""

    def step(state: Any) -> Any:
        i, total = state
        return i + 1, total + x[i]

    n = x.shape[0]
    return wg.while_loop(lambda s: (s[0] < n) & (s[1] < 2.0), step, (0, 0.0))[1] ** 2


def branches(x: Any) -> Any:
    y = wg.cond(wnp.sum(x) > 0, wnp.sin, lambda x: x**2, x)
    return wg.switch(2, [wnp.cos, wnp.exp, wnp.tanh], y) + wg.cond(True, lambda x: x, lambda x: -x, x)


def piecewise(x: Any) -> Any:
    number = wnp.where(x > 1, 2, wnp.where(x > 0, 1, 0))
    return wg.switch(number, [lambda x: x**3, wnp.sin, lambda x: wnp.log(x) * 5], x)


def triangle(x: Any) -> Any:
    """A loop whose inner loop depends on the counter of the outer one."""
    outer = lambda i, y: wg.for_loop(i, lambda j, y: y * x + j, y) + x
    return wg.for_loop(4, outer, 0.5)


def nested(x: Any, w: Any) -> Any:
    def outer(i: Any, s: Any) -> Any:
        def inner(j: Any, s: Any) -> Any:
            s[j] = s[j] * w[j] + wnp.sin(s[i])
            return s

        return wg.for_loop(x.shape[0], inner, s)

    return wg.for_loop(3, outer, x)


def three_deep(x: Any) -> Any:
    def outer(i: Any, y: Any) -> Any:
        def middle(y: Any) -> Any:
            return wg.for_loop(2, lambda j, z: z * 0.9 + wnp.cos(z) * x, y) + 2.0

        return wg.while_loop(lambda y: y < 3.0 + i, middle, y)

    return wg.for_loop(2, outer, x)


def while_of_arrays(x: Any) -> Any:
    return wg.while_loop(lambda y: wnp.max(wnp.abs(y)) > 0.5, lambda y: y * 0.8 * wnp.cos(y), x)


def mapped(x: Any) -> Any:
    return wg.map(lambda row: wnp.sum(row) * row[0], x)


def fixed(a: Any) -> Any:
    return wg.fixed_point(lambda x: wnp.cos(a * x), 0.7, tol=1e-13)


def swapped(x: Any, y: Any) -> Any:
    return wg.for_loop(5, lambda i, s: (s[1], wnp.sin(s[0]) + s[1]), (x, y))[0]


def writes_at_computed_places(x: Any, v: Any) -> Any:
    n = x.shape[0]

    def step(i: Any, s: Any) -> Any:
        place = (3 * i + 1) % n if isinstance(i, int) else wnp.mod(3 * i + 1, n)
        s[place] += v[i] * s[i]
        s[-1 - i] = s[i] * 0.5
        return s

    return wg.for_loop(n, step, x)


def rows(x: Any, w: Any) -> Any:
    def step(i: Any, s: Any) -> Any:
        s[i] = wnp.tanh(s[i - 1] * w)
        s[i, 1:] += s[i, :-1]
        return s

    return wg.for_loop(x.shape[0], step, x)


def crosses(x: Any) -> Any:
    """Rows, columns and elements of a matrix, written at the counter."""

    def step(i: Any, a: Any) -> Any:
        a[i, :] = x * i
        a[:, i] += x
        a[i, i] = 2.0
        a[1:3, i] = a[i, 2:4]
        return a

    return wg.for_loop(x.shape[0], step, wnp.zeros((x.shape[0], x.shape[0])))


def round_and_round(x: Any) -> Any:
    """State that changes places, is forgotten, or is the same twice."""

    def step(i: Any, state: Any) -> Any:
        a, b, c, d, e = state
        return b, c, a * x, np.ones(np.shape(x)), d * x + e

    a, b, c, _, e = wg.for_loop(4, step, (x, x * 2, x * 3, x, x))
    both = wg.for_loop(2, lambda i, s: (s[0] * x + s[1],) * 2, (a, b))
    return both[0] + c * e


def writes_in_a_branch(x: Any) -> Any:
    def step(i: Any, s: Any) -> Any:
        def write(s: Any) -> Any:
            s[i] = s[i] * x[0]
            return s

        return wg.cond(x[i] > 0, write, lambda s: s, s)

    return wg.for_loop(x.shape[0], step, x * x)


#: The arguments of each case; those longer than a few elements make the compiler plan kernels.
CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "power": (power, (1.3,)),
    "no iterations": (no_iterations, (1.3,)),
    "counter": (counter, (0.7,)),
    "two states": (two_states, (0.3, 0.8)),
    "two states, arrays": (two_states, (rng.normal(size=3), rng.normal(size=3))),
    "two states, long": (two_states, (rng.normal(size=40), rng.normal(size=40))),
    "recurrence": (recurrence, (rng.normal(size=4), rng.normal(size=4))),
    "recurrence, long": (recurrence, (rng.normal(size=30) / 2, rng.normal(size=30))),
    "thomas": (thomas, tuple(rng.uniform(1, 2, 20) + 4 * (k == 1) for k in range(4))),
    "heat": (heat, (rng.normal(size=8), 0.2)),
    "heat, long": (heat, (rng.normal(size=60), 0.2)),
    "nonlinear heat, long": (nonlinear_heat, (rng.normal(size=40), 0.2)),
    "lstm": (lstm, (rng.normal(size=(4, 3)), rng.normal(size=(5, 3)))),
    "lstm, long": (lstm, (rng.normal(size=(4, 20)), rng.normal(size=(5, 20)))),
    "dense": (dense, (rng.normal(size=(3, 3)) / 2, rng.normal(size=(4, 3)))),
    "dense, long": (dense, (rng.normal(size=(20, 20)) / 5, rng.normal(size=(4, 20)))),
    "newton": (newton, (5.0,)),
    "never": (never, (1.5,)),
    "collatz-like": (collatz_like, (1.7,)),
    "early exit": (early_exit, (np.array([0.3, 0.9, 0.5, 0.7, 0.2]),)),
    "no early exit": (early_exit, (np.array([0.3, 0.1, 0.5]),)),
    "branches": (branches, (np.array([0.4, 0.3]),)),
    "branches, other case": (branches, (np.array([-0.4, 0.3]),)),
    "branches, long": (branches, (rng.uniform(size=30),)),
    "piecewise": (piecewise, (1.8,)),
    "triangle": (triangle, (0.9,)),
    "nested": (nested, (rng.normal(size=4), rng.uniform(size=4))),
    "nested, long": (nested, (rng.normal(size=20), rng.uniform(size=20))),
    "three deep": (three_deep, (0.4,)),
    "while of arrays": (while_of_arrays, (rng.normal(size=3),)),
    "while of arrays, long": (while_of_arrays, (rng.normal(size=30),)),
    "map": (mapped, (rng.normal(size=(4, 2)),)),
    "fixed point": (fixed, (0.8,)),
    "swapped": (swapped, (rng.normal(size=3), rng.normal(size=3))),
    "swapped, long": (swapped, (rng.normal(size=30), rng.normal(size=30))),
    "computed places": (writes_at_computed_places, (rng.normal(size=7), rng.normal(size=7))),
    "computed places, long": (writes_at_computed_places, (rng.normal(size=25), rng.normal(size=25))),
    "crosses": (crosses, (rng.normal(size=4),)),
    "crosses, long": (crosses, (rng.normal(size=20),)),
    "round and round": (round_and_round, (rng.normal(size=3),)),
    "round and round, long": (round_and_round, (rng.normal(size=30),)),
    "writes in a branch": (writes_in_a_branch, (rng.normal(size=4),)),
    "writes in a branch, long": (writes_in_a_branch, (rng.normal(size=20),)),
    "rows": (rows, (rng.normal(size=(4, 3)), rng.normal(size=3))),
    "rows, long": (rows, (rng.normal(size=(4, 20)), rng.normal(size=20))),
}
