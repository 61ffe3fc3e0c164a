"""Loops and branches: values and derivatives, as they run in Python, compiled, and under every transform."""

from __future__ import annotations

import functools
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import wengert as wg
import wengert.numpy as wnp
from tests.control_cases import CASES
from wengert.core.program import Program
from wengert.core.values import Value
from wengert.errors import ContainerMismatchError, ImpureFunctionError, InputTypeError
from wengert.scipy.linalg import expm
from wengert.transforms.loop_checkpoints import fewest_repetitions

cases = pytest.mark.parametrize("name", CASES)


def scalar(f: Any) -> Any:
    """A scalar function that depends on every result, each in another way."""

    def total(*args: Any) -> Any:
        out = f(*args)
        weights = np.cos(np.arange(np.size(np.zeros(np.shape(out))))).reshape(np.shape(out)) + 1.5
        return wnp.sum(out * weights)

    return total


def assert_same(a: Any, b: Any, tol: float = 1e-10) -> None:
    a, b = (x if isinstance(x, tuple) else (x,) for x in (a, b))
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, rtol=tol, atol=tol)


def every(args: Any) -> tuple[int, ...]:
    return tuple(range(len(args)))


def tangents(args: Any) -> tuple[Any, ...]:
    return tuple(np.cos(np.arange(np.size(a)) + 0.3).reshape(np.shape(a))[()] for a in args)


@cases
def test_values(name: str):
    f, args = CASES[name]
    assert_same(wg.jit(f)(*args), f(*args))


@cases
def test_eager_derivatives(name: str):
    f, args = CASES[name]
    wg.check_grads(scalar(f), args, order=1, rtol=1e-4, atol=1e-5)


@cases
def test_compiled_derivatives(name: str):
    f, args = CASES[name]
    g = wg.value_and_grad(scalar(f), every(args))
    assert_same(wg.jit(g)(*args)[1], g(*args)[1])
    push = lambda *args: wg.jvp(f, args, tangents(args))
    assert_same(wg.jit(push)(*args), push(*args))
    assert_same(wg.grad(wg.jit(scalar(f)), every(args))(*args), g(*args)[1])


@cases
def test_second_order(name: str):
    f, args = CASES[name]
    forward_over_reverse = lambda *args: wg.jvp(wg.grad(scalar(f), every(args)), args, tangents(args))[1]
    expected = forward_over_reverse(*args)
    assert_same(wg.jit(forward_over_reverse)(*args), expected, 1e-8)

    def along(*args: Any) -> Any:
        gradient = wg.grad(scalar(f), every(args))(*args)
        return sum(wnp.sum(g * t) for g, t in zip(gradient, tangents(args), strict=True))

    assert_same(wg.jit(wg.grad(along, every(args)))(*args), expected, 1e-8)


@cases
def test_examples_of_a_batch(name: str):
    f, args = CASES[name]
    batch = [np.stack([a, a * 1.1, a * 0.7]) for a in args]
    rows = list(zip(*batch, strict=True))
    values = np.stack([f(*row) for row in rows])
    assert_same(wg.vmap(f)(*batch), values)
    assert_same(wg.jit(wg.vmap(f))(*batch), values)
    g = wg.grad(scalar(f), every(args))
    gradients = tuple(np.stack(column) for column in zip(*(g(*row) for row in rows), strict=True))
    assert_same(wg.vmap(g)(*batch), gradients)
    assert_same(wg.jit(wg.vmap(g))(*batch), gradients)
    total = lambda *batch: wnp.sum(wg.vmap(scalar(f))(*batch))
    assert_same(wg.grad(total, every(args))(*batch), gradients)
    assert_same(wg.jit(wg.grad(total, every(args)))(*batch), gradients)


@pytest.mark.parametrize("name", ["power", "newton", "recurrence", "two states, long", "early exit"])
def test_some_arguments_the_same_for_all_examples(name: str):
    f, args = CASES[name]
    first = np.stack([args[0], args[0] * 1.1])
    g = lambda x: wg.vmap(lambda x: f(x, *map(wnp.array, args[1:])))(x)
    assert_same(wg.jit(g)(first), np.stack([f(x, *args[1:]) for x in first]))


def test_chunks_of_tangents():
    f, args = CASES["recurrence, long"]
    for chunk in (1, 7, None):
        jacobian = wg.jacfwd(f, chunk_size=chunk)
        assert_same(wg.jit(jacobian)(*args), jacobian(*args))


def test_third_order():
    f, (a,) = CASES["newton"]
    for derive in (wg.jit(wg.grad(wg.grad(wg.grad(f)))), wg.jit(wg.jacfwd(wg.grad(wg.jacfwd(f))))):
        np.testing.assert_allclose(derive(a), 3 / 8 * a**-2.5, rtol=1e-8)


def test_the_number_of_iterations_can_be_computed():
    f = lambda n, x: wg.for_loop(n, lambda i, y: y * x + i, 1.0)
    g = wg.jit(wg.value_and_grad(f, 1))
    for n in (-3, 0, 1, 7):
        assert_same(g(n, 1.1), wg.value_and_grad(f, 1)(n, 1.1))
    batch = np.array([0, 3, 5]), np.full(3, 1.1)
    assert_same(wg.jit(wg.vmap(wg.grad(f, 1)))(*batch), wg.vmap(wg.grad(f, 1))(*batch))


def test_stacks_grow():
    def f(x: Any) -> Any:
        return wg.while_loop(lambda s: s[1] < 100_000, lambda s: (s[0] + 1e-5 * wnp.sin(s[0]), s[1] + 1), (x, 0))[0]

    exact = 2 * np.arctan(np.exp(1.0) * np.tan(0.5))  # the solution of y′ = sin y at 1, but for the step
    g = wg.jit(wg.value_and_grad(f))
    value, slope = g(1.0)
    np.testing.assert_allclose(value, exact, rtol=1e-4)
    np.testing.assert_allclose(slope, np.sin(exact) / np.sin(1.0), rtol=1e-4)


def test_dtypes():
    x = np.arange(3, dtype=np.float32)
    f = lambda x: wg.for_loop(3, lambda i, s: s + x[i], 0.0)
    for h in (f, wg.jit(f)):
        assert h(x).dtype == np.float32
    g = lambda x: wg.for_loop(3, lambda i, s: s + 0.5 * x, 0)
    assert_same(wg.jit(g)(1.0), g(1.0))
    assert wg.jit(lambda n: wg.for_loop(n, lambda i, s: s + i, 0))(5) == 10


def test_the_state_is_not_changed_and_may_be_written_to():
    u = np.zeros(4)

    def step(i: Any, u: Any) -> Any:
        u[i] = i + 1.0
        return u

    assert_same(wg.for_loop(4, step, u), np.array([1.0, 2, 3, 4]))
    assert_same(u, np.zeros(4))
    assert_same(wg.jit(lambda u: wg.for_loop(4, step, u))(u), np.array([1.0, 2, 3, 4]))
    assert_same(u, np.zeros(4))


@pytest.mark.parametrize("run", [lambda f: f, wg.jit, lambda f: lambda *args: wg.jvp(f, args, args)[0]])
def test_writes_reach_no_other_array(run: Any):
    """What an iteration returns may be an array from outside, one of them twice, or parts of one another."""

    def write(x: Any) -> Any:
        x[0] += 1.0
        return x

    a, b = np.array([1.0, 2.0]), np.array([5.0, 6.0])

    def from_outside(a: Any, b: Any) -> Any:
        out = wg.for_loop(2, lambda i, s: (write(s), b)[1], a)
        return write(out), a, b

    def twice(a: Any, b: Any) -> Any:
        def step(i: Any, s: Any) -> Any:
            write(s[0])
            return s[0], s[0], s[0][::-1]

        return wg.for_loop(2, step, (a, b, b))

    def stacked(a: Any, b: Any) -> Any:
        return wg.scan(lambda s, x: (write(s), s), a, b)

    def dynamic(a: Any, b: Any) -> Any:
        return wg.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, (write(s[1]), b)[1]), (0, a))[1], b

    def operands(a: Any, b: Any) -> Any:
        return write(wg.cond(True, write, write, a)), write(wg.switch(0, [lambda x: b], a)), a, b

    expected = {
        from_outside: ([6.0, 6.0], a, b),
        twice: ([3.0, 2.0], [3.0, 2.0], [2.0, 3.0]),
        stacked: ([3.0, 2.0], [[2.0, 2.0], [3.0, 2.0]]),
        dynamic: (b, b),
        operands: ([3.0, 2.0], [6.0, 6.0], a, b),
    }
    for f, outs in expected.items():
        assert_same(run(f)(a, b), outs)
    assert_same((a, b), (np.array([1.0, 2.0]), np.array([5.0, 6.0])))


def test_views_at_computed_places():
    """A row at a traced integer is a view, as one at an integer is."""

    def f(q: Any) -> Any:
        def step(i: Any, q: Any) -> Any:
            row = q[i]
            q[i, 0] = 5.0 + q[i, 1]
            row[1:] += row[0]
            q[:, i] *= 2.0
            q[i] += 1.0
            q[1 - i, ::-1][1:][-1] = q[0, 0] ** 2
            return q

        return wg.for_loop(2, step, q)

    q = np.arange(6.0).reshape(2, 3) / 7
    expected = f(q)
    assert_same(wg.jit(f)(q), expected)
    assert_same(wg.vmap(f)(np.stack([q, q])), np.stack([expected, expected]))
    total = lambda q: wnp.sum(f(q) ** 2)
    wg.check_grads(total, (q,), order=1)
    assert_same(wg.jit(wg.grad(total))(q), wg.grad(total)(q))

    def write(q: Any, i: Any) -> Any:
        q[i][0] = 9.0
        return q

    batch, rows = np.stack([q, q]), np.array([1, 0])
    for g in (wg.vmap(write), wg.jit(wg.vmap(write))):
        assert_same(g(batch, rows), np.stack([write(q.copy(), i) for i in rows]))


def test_results_of_scan_hold_traced_values():
    def f(x: Any, w: Any) -> Any:
        _, made = wg.scan(lambda s, e: (s, e), 0.0, w)
        made[0] = x
        return wnp.sum(made * made)

    w = np.array([1.0, 2.0])
    assert wg.grad(f)(3.0, w) == wg.jit(wg.grad(f))(3.0, w) == 6.0


def test_empty_arrays():
    carry, ys = wg.scan(lambda c, x: (c + x, c * x), 1.0, np.zeros(0))
    assert (carry, ys.shape) == (1.0, (0,))
    f = wg.jit(lambda xs: wg.scan(lambda c, x: (c + wnp.sum(x), c * x), 1.0, xs))
    carry, ys = f(np.zeros((0, 3)))
    assert (carry, ys.shape) == (1.0, (0, 3))
    assert_same(wg.jit(wg.grad(lambda xs: wnp.sum(f(xs)[0])))(np.zeros((0, 3))), np.zeros((0, 3)))


def test_infinity_and_nan():
    f = lambda x: wg.while_loop(lambda y: y < np.inf, lambda y: y * 10.0, x)
    assert wg.jit(f)(1.0) == f(1.0) == np.inf
    assert np.isnan(wg.jit(f)(np.nan))


# Memory and time as counts -------------------------------------------------------------------------------------------


def kept_bytes(report: Any) -> list[int]:
    return [int(line.split()[1].replace(",", "")) for line in report.kernels.splitlines() if line.split()[0] == "keeps"]


def test_what_is_kept():
    a, b = np.ones(1000), np.ones(1000)
    total = lambda name: lambda *args: wnp.sum(CASES[name][0](*args))
    # s[i-1] only: not the arrays, and nothing for b.
    assert kept_bytes(wg.jit(wg.grad(total("recurrence"), (0, 1))).inspect(a, b)) == [8]
    assert kept_bytes(wg.jit(wg.grad(total("recurrence"), 1)).inspect(a, b)) == []
    # A linear step is its own derivative.
    assert kept_bytes(wg.jit(wg.grad(total("heat"), 0)).inspect(a, 0.1)) == []
    # The state, from which the rest is computed again.
    ode = lambda x: wg.for_loop(100, lambda i, s: (s[0] * s[1] * 0.1, s[0] * s[0] - s[1] * 3.0 / s[0]), (x, x))[0]
    assert kept_bytes(wg.jit(wg.grad(ode)).inspect(1.0)) == [16]
    # What is added up is not kept.
    assert kept_bytes(wg.jit(wg.grad(lambda x: wg.for_loop(100, lambda i, s: s + x[i], 0.0))).inspect(a)) == []


def test_programs_do_not_grow_with_the_number_of_iterations():
    f = wg.jit(wg.grad(lambda x: wnp.sum(CASES["recurrence"][0](x, x))))
    short, long = f.inspect(np.ones(30)), f.inspect(np.ones(30_000))
    assert len(short.simplified.operations) == len(long.simplified.operations)
    assert len(long.llvm_ir) < 1.1 * len(short.llvm_ir)


# Checkpoints ---------------------------------------------------------------------------------------------------------


@functools.cache
def best_schedule(steps: int, slots: int) -> tuple[int, int]:
    """The fewest iterations to be run forwards, and the farthest first snapshot with which that is possible."""
    if slots == 1:
        return steps * (steps - 1) // 2, 0
    splits = [(m + best_schedule(steps - m, slots - 1)[0] + best_schedule(m, slots)[0], -m) for m in range(1, steps)]
    count, m = min(splits, default=(0, 0))
    return count, -m


def test_the_binomial_schedule_is_the_best():
    for slots in range(1, 7):
        for steps in range(1, 40):
            assert fewest_repetitions(steps, slots) == best_schedule(steps, slots)[0]


def last_snapshot(steps: int, slots: int) -> int:
    """The iteration of the last snapshot of the first sweep."""
    place = 0
    while slots > 1 and steps - place > 1:
        place, slots = place + best_schedule(steps - place, slots)[1], slots - 1
    return place


def iterations_done(monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    """A list that has an entry for each iteration that is done from now on; recording one does not count."""
    done: list[Program] = []
    evaluate = Program.evaluate

    def counting(self: Program, *args: Any) -> Any:
        if not any(isinstance(a, Value) for a in args) and any(o.primitive.name == "arctan" for o in self.operations):
            done.append(self)  # the marked operation is done once in each iteration
        return evaluate(self, *args)

    monkeypatch.setattr(Program, "evaluate", counting)
    return done


@pytest.mark.parametrize(("steps", "slots"), [(1, 1), (2, 1), (7, 1), (10, 2), (20, 3), (33, 4), (12, 12), (9, 30)])
def test_repeated_iterations(steps: int, slots: int, monkeypatch: pytest.MonkeyPatch):
    loop = wg.checkpoint(wg.for_loop, slots=slots)
    f = lambda x: loop(steps, lambda i, y: wnp.arctan(y) * 1.1, x)
    expected = wg.grad(lambda x: wg.for_loop(steps, lambda i, y: wnp.arctan(y) * 1.1, x))(0.7)
    runs = iterations_done(monkeypatch)
    assert_same(wg.grad(f)(0.7), expected)
    # Each iteration once to find the value, and what the schedule repeats after its first sweep.
    assert len(runs) == steps + best_schedule(steps, slots)[0] - last_snapshot(steps, slots)


def online_snapshots(steps: int, slots: int) -> list[int]:
    """The iterations before which an online schedule has snapshots in the end."""
    kept: list[int] = []
    place, distance = 0, 1 if slots > 1 else steps
    while place < steps:
        if len(kept) == slots:
            kept, distance = kept[::2], 2 * distance
        kept.append(place)
        place += distance
    return kept


@pytest.mark.parametrize(("steps", "slots"), [(1, 1), (6, 1), (7, 2), (10, 3), (33, 4), (20, 5), (5, 9)])
def test_repeated_iterations_of_an_online_schedule(steps: int, slots: int, monkeypatch: pytest.MonkeyPatch):
    def f(loop: Any) -> Any:
        step = lambda s: (wnp.arctan(s[0]) * 1.1, s[1] + 1)
        return lambda x: loop(lambda s: s[1] < steps, step, (x, 0))[0]

    expected = wg.grad(f(wg.while_loop))(0.7)
    runs = iterations_done(monkeypatch)
    assert_same(wg.grad(f(wg.checkpoint(wg.while_loop, slots=slots)))(0.7), expected)
    # Each part between two snapshots is reversed by the best schedule for the slots that are free by then.
    ends = [*online_snapshots(steps, slots), steps]
    parts = [end - begin for begin, end in itertools.pairwise(ends)]
    assert len(runs) == steps + sum(best_schedule(part, slots - k)[0] for k, part in enumerate(parts))


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 20])
def test_checkpointed_loops(slots: int):
    x = np.array([0.3, 1.2, 0.7])
    counted = lambda loop: lambda x: wnp.sum(loop(20, lambda i, y: y + 0.1 * wnp.sin(y) * x * (i + 1), x))
    dynamic = lambda loop: lambda x: wnp.sum(loop(lambda y: wnp.sum(y) < 50, lambda y: y * 1.05 + 0.01 * x * y, x))
    for make, loop in ((counted, wg.for_loop), (dynamic, wg.while_loop)):
        expected = wg.grad(make(loop))(x)
        g = wg.grad(make(wg.checkpoint(loop, slots=slots)))
        assert_same(g(x), expected)
        assert_same(wg.jit(g)(x), expected)
        batch = np.stack([x, 2 * x])
        assert_same(wg.jit(wg.vmap(g))(batch), np.stack([wg.grad(make(loop))(row) for row in batch]))


@pytest.mark.parametrize("reverse", [False, True])
def test_checkpointed_scan(reverse: bool):
    x, xs = np.array([0.3, 1.2, 0.7]), np.random.default_rng(0).normal(size=(9, 3))

    def make(scan: Any) -> Any:
        def f(x: Any, xs: Any) -> Any:
            carry, ys = scan(lambda c, z: (wnp.sin(c + z), c * z), x, xs, reverse=reverse)
            return wnp.sum(carry) + wnp.sum(ys**2)

        return f

    expected = wg.grad(make(wg.scan), (0, 1))(x, xs)
    g = wg.grad(make(wg.checkpoint(wg.scan, memory=100)), (0, 1))
    assert_same(g(x, xs), expected)
    assert_same(wg.jit(g)(x, xs), expected)


def test_second_derivatives_of_a_checkpointed_loop():
    x = np.array([0.3, 1.2])
    make = lambda loop: lambda x: wnp.sum(loop(9, lambda i, y: y + 0.1 * wnp.sin(y) * x, x))
    h = wg.hessian(make(wg.checkpoint(wg.for_loop, slots=3)))
    assert_same(wg.jit(h)(x), wg.hessian(make(wg.for_loop))(x))


def test_snapshots_bound_the_memory():
    def workspace(steps: int, slots: int) -> int:
        loop = wg.checkpoint(wg.for_loop, slots=slots)
        f = wg.jit(wg.grad(lambda x: wnp.sum(loop(steps, lambda i, y: wnp.sin(y) * 1.01, x))))
        return f.inspect(np.ones(1000)).workspace_bytes

    assert workspace(10_000, 5) == workspace(100, 5)
    assert workspace(100, 5) < 20 * 8000


def test_checkpoint_refuses_what_it_cannot_do():
    for arguments in ({"slots": 0}, {"slots": 2, "memory": 100}, {"memory": -1}):
        with pytest.raises(InputTypeError, match="either slots or memory"):
            wg.checkpoint(wg.for_loop, **arguments)
    with pytest.raises(InputTypeError, match="any other function"):
        wg.checkpoint(np.sin, slots=3)


# Problems ------------------------------------------------------------------------------------------------------------


def test_indices_out_of_range():
    def f(x: Any, shift: Any) -> Any:
        def step(i: Any, s: Any) -> Any:
            s[i] = s[i + shift]
            return s

        return wg.for_loop(3, step, x)

    for x in (np.arange(3.0), np.arange(30.0)):
        g = wg.jit(f)
        assert_same(g(x, -3), f(x, -3))
        for _ in range(3):
            with pytest.raises(IndexError, match="out of bounds"):
                g(x, 30)
            with pytest.raises(IndexError):
                f(x, 30)
            assert_same(g(x, 0), f(x, 0))
    with pytest.raises(IndexError, match="out of bounds"):
        wg.jit(lambda x, i: x[i])(np.arange(3.0), np.array([0, 3]))
    with pytest.raises(IndexError, match="out of bounds"):
        wg.jit(lambda x, i: x[i])(np.arange(3.0), np.array([0, -4]))


def test_out_of_range_ends_a_loop_that_would_never_end():
    f = wg.jit(lambda x: wg.while_loop(lambda s: s[1] < 1.0, lambda s: (s[0] + 1, x[s[0]]), (0, 0.0))[1])
    with pytest.raises(IndexError):
        f(np.zeros(5))


def test_no_memory_for_stacks():
    f = lambda x: wg.for_loop(1 << 50, lambda i, y: y * y, x)
    g = wg.jit(wg.grad(lambda n, x: wg.for_loop(n, lambda i, y: y * y, x), 1))
    del f
    for _ in range(3):
        with pytest.raises(MemoryError):
            g(1 << 60, 1.0)
    assert g(2, 3.0) == 4 * 3.0**3


@pytest.mark.parametrize("compiled", [False, True])
def test_states_that_do_not_fit(compiled: bool):
    run = wg.jit if compiled else lambda f: f
    with pytest.raises(ContainerMismatchError, match="keeps its shape"):
        run(lambda x: wg.for_loop(3, lambda i, s: wnp.stack([s, s]), x))(1.0)
    with pytest.raises(ContainerMismatchError, match="same structure"):
        run(lambda x: wg.for_loop(3, lambda i, s: (s, s), x))(1.0)
    with pytest.raises(ContainerMismatchError, match="pair"):
        run(lambda x: wg.scan(lambda c, x: c, 0.0, x))(np.ones(3))
    with pytest.raises(ContainerMismatchError, match="lengths"):
        run(lambda x: wg.scan(lambda c, x: (c, c), 0.0, (x, x[1:])))(np.ones(3))
    with pytest.raises(InputTypeError, match="one boolean"):
        run(lambda x: wg.while_loop(lambda s: s, lambda s: s - 1, x))(3.0)
    with pytest.raises(InputTypeError, match="one integer"):
        run(lambda x: wg.for_loop(x, lambda i, s: s, 1.0))(3.0)
    with pytest.raises(InputTypeError, match="one boolean"):
        run(lambda x: wg.cond(x, lambda x: x, lambda x: x, x))(1.0)


def test_writes_to_arrays_from_outside():
    """They would happen once, while the function is recorded."""

    def in_a_case(x: Any) -> Any:
        c = wnp.array(x * 1.0)

        def case(s: Any) -> Any:
            c[0] = 10.0
            return s

        return wg.cond(x[0] > 5, case, lambda s: s, x[1]) + wnp.sum(c)

    def in_a_round(x: Any) -> Any:
        c = wnp.zeros(3)

        def step(i: Any, s: Any) -> Any:
            c[0] = c[0] + 1.0
            return s + c[0]

        return wg.for_loop(3, step, x[0])

    def in_a_condition(x: Any) -> Any:
        c = wnp.zeros(3)

        def goes_on(s: Any) -> Any:
            c[:1] += 1.0
            return s < 3.0

        return wg.while_loop(goes_on, lambda s: s + 1.0, x[0])

    x = np.linspace(0.3, 1.2, 5)
    for f in (in_a_case, in_a_round, in_a_condition):
        with pytest.raises(ImpureFunctionError, match="from outside"):
            wg.jit(f)(x)

    def its_own(x: Any) -> Any:
        def step(i: Any, s: Any) -> Any:
            c = wnp.zeros(3)
            view = c[1:]
            view[i % 2] = s[i]
            s[i] = wnp.sum(c)
            later = lambda: c
            return s * later()[1]

        return wg.for_loop(3, step, x)

    assert_same(wg.jit(its_own)(x), its_own(x))


def test_cases_that_do_not_fit():
    with pytest.raises(ContainerMismatchError, match="same structure and shapes"):
        wg.jit(lambda x: wg.cond(x > 0, lambda x: x, lambda x: (x, x), x))(1.0)
    with pytest.raises(ContainerMismatchError, match="same structure and shapes"):
        wg.jit(lambda x: wg.switch(wnp.argmax(x), [lambda x: x, lambda x: x[:1]], x))(np.ones(3))
    with pytest.raises(InputTypeError, match="at least one"):
        wg.switch(0, [], 1.0)


def test_switch_takes_the_nearest_case():
    f = lambda n: wg.switch(n, [lambda: 0.0, lambda: 1.0, lambda: 2.0])
    for n, value in ((-5, 0.0), (0, 0.0), (1, 1.0), (2, 2.0), (9, 2.0)):
        assert f(n) == wg.jit(f)(n) == value
    assert_same(wg.vmap(f)(np.array([-5, 1, 9])), np.array([0.0, 1.0, 2.0]))


def test_cases_that_nobody_wants():
    """Of a batch, only the second example has no Cholesky factor, and it is not asked for one."""
    matrices, flags = np.stack([2 * np.eye(3), -np.eye(3)]), np.array([True, False])
    factor = lambda a: wnp.linalg.cholesky(a)[0, 0] + wnp.linalg.inv(a)[1, 1]
    f = lambda a, flag: wg.cond(flag, factor, lambda a: a[0, 0], a)
    nested = lambda a, flag: wg.cond(flag, lambda a: wg.cond(a[0, 0] > 0, factor, factor, a), lambda a: a[0, 0], a)
    for g in (f, nested):
        expected = [np.sqrt(2.0) + 0.5, -1.0]
        assert_same(wg.vmap(g)(matrices, flags), np.array(expected))
        assert_same(wg.jit(wg.vmap(g))(matrices, flags), np.array(expected))
        gradient = wg.jit(wg.vmap(wg.grad(g)))(matrices, flags)
        assert_same(gradient[:, 0, 0], np.array([0.5 / np.sqrt(2.0), 1.0]))


def test_threads():
    f = wg.jit(wg.grad(CASES["newton"][0]))
    f(2.0)

    def work(k: int) -> list[Any]:
        return [f(float(k + 2)) for _ in range(300)]

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(work, range(8)))
    for k, values in enumerate(results):
        np.testing.assert_allclose(values, 0.5 / np.sqrt(k + 2.0), rtol=1e-9)


def test_operations_without_a_native_form():
    """Loops with them run in the interpreter, and are right."""

    def f(a: Any) -> Any:
        step = lambda i, a: expm((a + a.T) * 0.1) * 0.1 + a
        return wnp.sum(wg.for_loop(3, step, a) ** 2)

    a = np.random.default_rng(1).normal(size=(3, 3)) + 3 * np.eye(3)
    assert_same(wg.jit(f)(a), f(a))
    assert_same(wg.jit(wg.grad(f))(a), wg.grad(f)(a))
    assert "loop" in [c.operation for c in wg.jit(f).inspect(a).fallbacks]

    def dynamic(a: Any) -> Any:
        step = lambda a: expm((a + a.T) * 0.1) + a * a
        return wnp.sum(wg.while_loop(lambda a: wnp.sum(a) < 300.0, step, a) ** 2)

    assert_same(wg.jit(wg.grad(dynamic))(a), wg.grad(dynamic)(a))


def test_complex_state():
    f = lambda z: wg.for_loop(4, lambda i, w: w * z + 1.0, z)
    assert_same(wg.jit(f)(0.3 + 0.4j), f(0.3 + 0.4j))
    g = wg.grad(lambda z: abs(f(z)))
    assert_same(wg.jit(g)(0.3 + 0.4j), g(0.3 + 0.4j))


def test_unsigned_numbers_that_are_too_large_do_not_turn_negative() -> None:
    def doubled(x: Any, k: Any) -> Any:
        def step(i: Any, state: Any) -> Any:
            y, j = state
            y[j] = 2.0 * y[j]
            return y, j * np.uint64(1)

        return wg.for_loop(2, step, (x, k))[0]

    compiled = wg.jit(doubled)
    for n in (5, 50):
        with pytest.raises(IndexError):
            compiled(np.ones(n), np.uint64(2**64 - 1))
        assert compiled(np.ones(n), np.uint64(4))[4] == 4.0
    chosen = wg.jit(lambda x, k: wg.switch(k, [np.sin, np.cos, np.log], x))
    assert chosen(0.5, np.uint64(2**64 - 1)) == pytest.approx(np.log(0.5))


def test_checkpointed_scan_over_nothing() -> None:
    scan = wg.checkpoint(wg.scan, slots=2)

    def f(x: Any) -> Any:
        carry, ys = scan(lambda c, y: (c * y, np.sin(c)), x[0], x[:0])
        return carry + np.sum(ys)

    x = np.array([2.0, 3.0])
    np.testing.assert_array_equal(wg.grad(f)(x), [1.0, 0.0])
    np.testing.assert_array_equal(wg.jit(wg.grad(f))(x), [1.0, 0.0])
