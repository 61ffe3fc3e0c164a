"""What derivatives cost, as counts and growth ratios: operations recorded, bytes copied, memory; never as times.

Operations are counted by an outer Wengert list: whatever a transform computes from a value of that list appears on it.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
from wengert import grad, hvp, jacobian, jvp, linearize, value_and_grad, vjp, vmap
from wengert.array import wrap
from wengert.core.primitive import PRIMITIVES, Primitive
from wengert.rules import indexing
from wengert.transforms.reverse import Tape


def operations(f: Callable[[Any], Any], x: Any) -> int:
    """How many operations f performs on values that depend on x."""
    with Tape() as tape:
        f(wrap(tape.input(np.array(x))))
    return sum(entry is not None for entry in tape.entries)


def list_of(f: Callable[..., Any], *args: Any) -> Tape:
    """The Wengert list of f with respect to all its arguments."""
    with Tape() as tape:
        f(*(wrap(tape.input(np.array(x)[()])) for x in args))
    return tape


def chain(n: int) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        for _ in range(n):
            x = np.sin(x) * 1.01
        return np.sum(x)

    return f


def mixture(x: Any) -> Any:
    """A function of an array that uses most kinds of operations."""
    y = np.exp(-x * x) + x / 3.0
    y = y @ np.ones((len(x), len(x))) * 0.01
    y[1:] += y[:-1]
    z = np.stack([y, np.tanh(x)]).T.reshape(-1)[::2]
    w = np.where(z > 0.1, z**2, np.abs(z))
    return np.sum(np.maximum(w, 0.2) * np.cumsum(x)) + np.max(z) + np.linalg.norm(x)


X = np.linspace(0.1, 1.5, 8)


# Counts --------------------------------------------------------------------------------------------------------------


def test_one_entry_for_each_operation():
    tape = list_of(chain(100), X)
    assert len(tape.entries) == 1 + 200 + 1  # the input, the sines and products, the sum
    assert tape.entries[0] is None


def test_plain_computations_leave_no_entries():
    c = np.linspace(0.0, 1.0, 8)

    def f(x: Any) -> Any:
        d = np.exp(c) * 3.0 + c @ c
        for _ in range(10):
            d = np.sin(d)
        return x * d

    assert len(list_of(f, X).entries) == 2


def test_arguments_that_are_not_differentiated_cost_nothing():
    """Neither entries nor saved values: x·c keeps c only, and nothing about c is ever computed."""
    f = lambda x, c: np.sum(x * np.exp(c)) * c[0]
    c = np.ones(8)
    with Tape() as tape:
        f(wrap(tape.input(X)), c)
    assert len(tape.entries) == 4
    (_, parents, saved, _) = tape.entries[1]
    assert parents == (0, -1)
    assert sum(isinstance(s, np.ndarray) for s in saved) == 1
    assert len(list_of(f, X, c).entries) == 2 + 5


def test_partial_derivatives_save_only_what_they_need():
    for f, arrays in [
        (lambda x: x + 1.0, 0),
        (lambda x: x - np.ones(8), 0),
        (lambda x: -x, 0),
        (lambda x: x * np.ones(8), 1),
        (lambda x: x * x, 2),
        (lambda x: np.exp(x), 1),
        (lambda x: np.sin(x), 1),
        (lambda x: np.tanh(x), 1),
        (lambda x: np.sum(x), 0),
        (lambda x: x[2:4], 0),
        (lambda x: x.reshape(2, 4), 0),
        (lambda x: np.concatenate([x, x]), 0),
        (lambda x: x @ np.ones((8, 3)), 1),
        (lambda x: np.cumsum(x), 0),
    ]:
        entry = list_of(f, X).entries[-1]
        assert sum(isinstance(s, np.ndarray) for s in entry[2]) == arrays


def test_zero_cotangents_skip_work(monkeypatch: pytest.MonkeyPatch):
    """Operations that the result does not depend on are not pulled back through."""
    pulled: list[str] = []
    for primitive in set(PRIMITIVES):
        pull = primitive.pull

        def counted(*args: Any, pull: Any = pull, primitive: Primitive = primitive) -> None:
            pulled.append(primitive.name)
            pull(*args)

        monkeypatch.setattr(primitive, "pull", counted)

    def f(x: Any) -> Any:
        unused = x
        for _ in range(50):
            unused = np.sin(unused)
        dead = np.exp(x)
        dead[0] = unused[0]
        return np.sum(np.cos(x))

    np.testing.assert_allclose(grad(f)(X), -np.sin(X))
    assert sorted(pulled) == ["cos", "sum"]


def test_zero_tangents_skip_work():
    """A plain argument has no tangent; jvp with respect to x does not compute with that of c."""
    f = lambda x, c: np.sum(x * np.exp(np.sin(c)))
    assert operations(lambda t: jvp(lambda x: f(x, X), (X,), (t,))[1], X) <= 2


def test_the_backward_sweep_costs_a_small_multiple():
    """Operations of value and gradient together, against those of the function alone."""
    for f, bound in [(chain(50), 3.1), (mixture, 5.0), (lambda x: np.sum(np.sin(x) * np.exp(x) / (1 + x * x)), 5.0)]:
        assert operations(value_and_grad(f), X) <= bound * operations(f, X) + 5


def test_the_sweep_does_not_grow_with_the_number_of_inputs():
    counts = {n: operations(grad(mixture), np.linspace(0.1, 1.5, n)) for n in (4, 8, 64)}
    assert counts[8] == counts[64]
    assert counts[4] <= counts[8]


def test_jvp_costs_a_small_multiple():
    for f in (chain(50), mixture):
        assert operations(lambda x, f=f: jvp(f, (x,), (np.ones(8),)), X) <= 4 * operations(f, X)


def test_linearize_does_not_evaluate_the_function_again():
    calls: list[int] = []

    def f(x: Any) -> Any:
        calls.append(1)
        return mixture(x)

    _, pushforward = linearize(f, X)
    _, pullback = vjp(f, X)
    for _ in range(3):
        pushforward(X)
        pullback(1.0)
    assert len(calls) == 2


def test_hessian_vector_products_cost_a_few_gradients():
    """Independently of the number of variables."""
    for f, bound in [(chain(50), 4.0), (mixture, 6.0)]:
        gradient = operations(grad(f), X)
        assert operations(lambda x, f=f: hvp(f, (x,), (np.ones(8),)), X) <= bound * gradient
    counts = [operations(lambda x: hvp(mixture, (x,), (np.ones(x.shape),)), np.linspace(0.1, 1, n)) for n in (8, 64)]
    assert counts[0] == counts[1]


def test_jacobians_record_the_function_once():
    calls: list[int] = []

    def f(x: Any) -> Any:
        calls.append(1)
        return np.tanh(x[:3]) * np.sum(x)

    jacobian(f)(X)
    wengert.jacrev(f)(X)
    assert len(calls) == 2
    wengert.jacfwd(f)(X)
    assert len(calls) == 3


def test_vmap_does_not_grow_with_the_batch(monkeypatch: pytest.MonkeyPatch):
    """One operation on the whole batch for each operation of the example, without loops."""

    def refuse(self: Primitive, *_: Any) -> Any:
        raise AssertionError(f"{self.name} loops over the batch")

    monkeypatch.setattr(Primitive, "loop_over_batch", refuse)
    counts = {n: operations(vmap(mixture), np.linspace(0.1, 1.5, 8 * n).reshape(n, 8)) for n in (2, 20)}
    assert counts[2] == counts[20]
    assert counts[2] <= 3 * operations(mixture, X)
    counts = {n: operations(vmap(grad(mixture)), np.linspace(0.1, 1.5, 8 * n).reshape(n, 8)) for n in (2, 20)}
    assert counts[2] == counts[20]


# Reads and writes in loops -------------------------------------------------------------------------------------------


def loop(x: Any) -> Any:
    """n item reads and n item writes."""
    n = len(x)
    y = wengert.numpy.zeros(n)
    y[0] = x[0]
    for i in range(1, n):
        y[i] = 0.5 * y[i - 1] + x[i] * x[i]
    return np.sum(y * y)


def loop_on_the_argument(x: Any) -> Any:
    for i in range(1, len(x)):
        x[i] += 0.5 * x[i - 1]
    return np.sum(x * x)


def loop_on_rows(x: Any) -> Any:
    a = x.reshape(-1, 4) * 1.0
    for i in range(1, len(a)):
        a[i] = a[i - 1] * 0.5 + a[i]
        a[i, 1] *= 2.0
    return np.sum(a * a)


def loop_on_columns(x: Any) -> Any:
    a = np.stack([x, 2.0 * x])
    for i in range(1, len(x)):
        a[:, i] += a[::-1, i - 1] * 0.5
    return np.sum(a * a)


def loop_in_place(x: Any) -> Any:
    y = x * 1.0
    for i in range(len(x)):
        y[i : i + 1] *= x[i]
    return np.sum(y)


def loop_through_views(x: Any) -> Any:
    y = x * 1.0
    u, v = y[: len(x) // 2], y[len(x) // 2 :][::-1]
    for i in range(1, len(u)):
        u[i] += 0.5 * v[i - 1]
        v[i] = u[i] * v[i]
    table = y.reshape(-1, 4).T
    for row in table:
        for j in range(1, len(row)):
            row[j] += 0.1 * row[j - 1]
    flat = table.T.ravel()
    for i in range(1, len(x)):
        flat[i] *= 0.9 + 0.1 * flat[i - 1]
    return np.sum(y * y)


def reads_only(x: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        total = total + x[i] * x[-i - 1]
    return total


LOOPS = [loop, loop_on_the_argument, loop_on_rows, loop_on_columns, loop_in_place, loop_through_views, reads_only]
MODES: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "grad": grad,
    "jvp": lambda f: lambda x: jvp(f, (x,), (np.ones(len(x)),))[1],
    "linearize": lambda f: lambda x: linearize(f, x)[1](np.ones(len(x))),
    "vmap": lambda f: lambda x: vmap(f)(np.stack([x, 2 * x])),
    "hvp": lambda f: lambda x: hvp(f, (x,), (np.ones(len(x)),)),
    "grad of grad": lambda f: grad(lambda x: np.sum(grad(f)(x) ** 2)),
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(np.stack([x, 2 * x])),
}


def bytes_copied(run: Callable[[Any], Any], x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes of the arrays that writes by index copied because they did not own them."""
    copied = [0]
    writable = indexing._writable

    def counting(x: Any, donate: bool) -> Any:
        out = writable(x, donate)
        if out is not x:
            copied[0] += out.nbytes
        return out

    with monkeypatch.context() as m:
        m.setattr(indexing, "_writable", counting)
        run(x)
    return copied[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("f", LOOPS, ids=lambda f: f.__name__)
def test_loops_copy_a_linear_amount(f: Any, mode: str, monkeypatch: pytest.MonkeyPatch):
    run = MODES[mode](f)
    small = bytes_copied(run, np.linspace(0.5, 1.0, 64), monkeypatch)
    large = bytes_copied(run, np.linspace(0.5, 1.0, 256), monkeypatch)
    assert large <= 5 * small + 256 * 64


def peak(run: Callable[[Any], Any], x: Any) -> int:
    run(x)
    gc.collect()
    tracemalloc.start()
    run(x)
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return size


@pytest.mark.parametrize("mode", ["grad", "jvp", "vmap"])
@pytest.mark.parametrize("f", LOOPS, ids=lambda f: f.__name__)
def test_loops_use_a_linear_amount_of_memory(f: Any, mode: str):
    run = MODES[mode](f)
    small, large = (peak(run, np.linspace(0.5, 1.0, n)) for n in (64, 256))
    assert large <= 5 * small


# Long lists ----------------------------------------------------------------------------------------------------------


def long_list(n: int, x: Any) -> Tape:
    with Tape() as tape:
        y = wrap(tape.input(x))
        for _ in range(n // 2):
            y = np.sin(y) * 1.0001
    return tape


def test_entries_are_out_of_the_garbage_collectors_sight():
    """The cost per operation would grow with the length of the list if the collector had to walk through it."""
    for tape in (long_list(1000, np.float64(0.5)), long_list(1000, X)):
        gc.collect()
        assert not any(gc.is_tracked(e) for e in tape.entries)


@pytest.mark.parametrize("x", [np.float64(0.5), X], ids=["scalar", "array"])
def test_memory_per_entry_does_not_grow(x: Any):
    sizes = {}
    for n in (1_000, 10_000, 60_000):
        gc.collect()
        tracemalloc.start()
        tape = long_list(n, x)
        sizes[n] = tracemalloc.get_traced_memory()[0] / n
        tracemalloc.stop()
        assert len(tape.entries) == n + 1
        del tape
    assert sizes[60_000] <= 1.15 * sizes[10_000] <= 1.3 * sizes[1_000]
    assert sizes[60_000] <= (400 if x.shape == () else 700)


def test_long_chains_do_not_recurse():
    n = 60_000
    f = lambda x: chain(n // 2)(x)
    g = grad(f)(np.float64(0.3))
    assert 0 < g < 1
    assert np.isclose(jvp(f, (np.float64(0.3),), (1.0,))[1], g, rtol=1e-9)


def test_the_list_is_freed_with_the_pullback():
    """No cycle keeps a list alive: it goes when the last reference to the pullback goes."""
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(3):
            _, pullback = vjp(chain(500), np.ones(1000))
            pullback(1.0)
            del pullback, _
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    finally:
        gc.enable()
    assert size < 500 * 8000 * 2  # less than one list of 1000 saved arrays


def test_cotangents_are_freed_during_the_sweep():
    """The sweep holds the cotangents that are still needed, not all of them."""
    x = np.ones(10_000)
    _, pullback = vjp(chain(200), x)
    gc.collect()
    tracemalloc.start()
    pullback(1.0)
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size < 12 * x.nbytes
