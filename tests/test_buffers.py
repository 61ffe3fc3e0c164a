"""Memory of compiled programs: what shares it, and what is written in place."""

import itertools
import math
import os
from typing import Any

import numpy as np
import pytest

from wengert import config, grad, jit, value_and_grad
from wengert.compiler import unroll, writes
from wengert.compiler.buffers import ALIGNMENT, Place, lay_out, nbytes
from wengert.compiler.loops import KernelWriter
from wengert.compiler.writes import Accesses, full_spec, order
from wengert.core.program import Variable
from wengert.core.values import ArrayType

#: Random programs for each case; WENGERT_RANDOM_WRITES=1000 tries more.
LONG = int(os.environ.get("WENGERT_RANDOM_WRITES", "1"))
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _loops_without_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_directory", None)
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", -1)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many elements each loop that is compiled from now on stores."""
    counts: list[int] = []
    original = KernelWriter._emit

    def emit(self: KernelWriter) -> None:
        for box, uses in self.uses.items():
            volume = math.prod(high - low for low, high in box)
            kept = [v for v in self.kernel.stores if v in self.over and uses.unchanged.get(v) is self.over[v]]
            counts.append(volume * (len(self.kernel.stores) - len(kept)))
        original(self)

    monkeypatch.setattr(KernelWriter, "_emit", emit)
    return counts


def same(f: Any, *args: Any, rtol: float = 1e-12) -> Any:
    """The compiled function has the results of the function, and leaves its arguments alone; return the report."""
    before = [np.copy(a) for a in args]
    compiled = jit(f)
    for _ in range(2):
        actual, expected = compiled(*args), f(*map(np.copy, args))
        pairs = zip(actual, expected, strict=True) if isinstance(expected, tuple) else [(actual, expected)]
        for a, e in pairs:
            np.testing.assert_allclose(a, e, rtol=rtol, atol=1e-12)
        for a, b in zip(args, before, strict=True):
            np.testing.assert_array_equal(a, b)
    return compiled.inspect(*args)


# How much memory -----------------------------------------------------------------------------------------------------


def products(a, x):
    for _ in range(100):
        x = a @ x
    return x


def test_a_chain_of_products_needs_two_arrays():
    a, x = np.eye(40) * 0.99, RNG.normal(size=(40, 40))
    report = same(products, a, x)
    assert report.unshared_bytes == 99 * x.nbytes
    assert report.workspace_bytes <= 2 * x.nbytes


def test_elementwise_steps_are_in_place():
    def f(a, x):
        for _ in range(50):
            x = np.tanh(a @ x)
        return x

    report = same(f, np.eye(40) * 0.99, RNG.normal(size=(40, 40)))
    assert len(report.in_place) == 50
    assert report.workspace_bytes <= 2 * 40 * 40 * 8


@pytest.mark.parametrize("depth", [5, 20])
def test_gradient_of_a_deep_network(depth):
    width = 32

    def loss(w, x):
        for k in range(depth):
            x = np.tanh(x @ w[k])
        return np.sum(x**2)

    w, x = RNG.normal(size=(depth, width, width)) / 6, RNG.normal(size=(16, width))
    report = same(value_and_grad(loss), w, x, rtol=1e-9)
    layer = x.nbytes
    weights = width * width * 8
    # The activation of each layer is needed on the way back; besides, a few of them and of the weights.
    assert report.workspace_bytes <= (depth + 4) * layer + (depth + 2) * weights
    assert report.workspace_bytes < report.unshared_bytes


def test_the_memory_of_later_results_is_used():
    def f(a, x):
        y = a @ (a @ x)
        return np.sum(y), a @ y

    a, x = RNG.normal(size=(40, 40)), RNG.normal(size=(40, 40))
    report = same(f, a, x)
    assert report.unshared_bytes == 2 * x.nbytes
    assert report.workspace_bytes == x.nbytes
    assert "memory of result 1" in report.buffers


def test_the_report_says_so():
    report = jit(lambda a, x: np.tanh(a @ x) @ a).inspect(np.eye(40), np.eye(40))
    assert "in place of" in report.buffers
    assert "in place" in report.kernels
    report = jit(products).inspect(np.eye(40), np.eye(40))
    assert f"({report.unshared_bytes:,} if no memory were used twice)" in report.buffers


# Writing parts -------------------------------------------------------------------------------------------------------


def fill(x, n):
    y = np.zeros(len(x), like=x)
    for i in range(n):
        y[i] = np.sin(x[i]) + i
    return y


def recur(x, n):
    y = np.zeros(len(x), like=x)
    y[0] = x[0]
    for i in range(1, n):
        y[i] = 0.9 * np.sin(y[i - 1]) + x[i]
    return y


def rows(x, n):
    y = x * 1.0
    for i in range(1, n):
        y[i] = np.sin(y[i - 1]) + x[i]
    return y


def backwards(x, n):
    for i in range(n - 1, 0, -1):
        x[i - 1 : i + 1] += np.cos(x[i + 1]) * 0.1
    return x


def columns(x, n):
    y = x.copy()
    for i in range(1, n):
        y[:, -i] -= 0.5 * y[:, -i - 1]
    return y


SEQUENCES = {"fill": fill, "recur": recur, "rows": rows, "backwards": backwards, "columns": columns}


@pytest.mark.parametrize("name", SEQUENCES)
def test_each_write_stores_its_part(name, stored):
    """n writes cost O(size + sum of the parts), also those to arguments (which are copied once)."""
    f = SEQUENCES[name]
    n = 100
    x = RNG.normal(size={"rows": (200, 30), "columns": (40, 200)}.get(name, (5000,)))
    same(lambda x: f(x, n), x)
    part = {"rows": 30, "columns": 40, "backwards": 2}.get(name, 1)
    assert sum(stored) <= 2 * x.size + 2 * n * part


@pytest.mark.parametrize("name", ["fill", "recur", "backwards"])
def test_gradients_of_writes(name, stored):
    f = SEQUENCES[name]
    n, x = 70, RNG.normal(size=4000)
    report = same(grad(lambda x: np.sum(np.square(f(x, n)) * np.arange(1.0, 4001))), x)
    assert sum(stored) <= 8 * x.size + 20 * n
    assert report.workspace_bytes <= 3 * x.nbytes + 20 * n * ALIGNMENT


def test_the_sequence_is_in_the_memory_of_the_result():
    report = same(lambda x: fill(x, 80), RNG.normal(size=3000))
    assert report.workspace_bytes == 0
    assert len(report.in_place) == 79


def test_a_base_that_is_needed_later_is_copied():
    def f(x):
        y = recur(x, 80)
        z = y * 1.0
        for i in range(70):
            z[i] = y[i + 1] * 2
        first = z.copy()
        for i in range(70):
            z[i] = z[i + 1] - y[i]
        return y, first, z

    same(f, RNG.normal(size=3000))


def test_two_continuations_of_one_array():
    def f(x):
        y = recur(x, 80)
        a, b = y.copy(), y.copy()
        for i in range(70):
            a[i] = i
            b[-i] = a[i + 1]
        return a, b

    same(f, RNG.normal(size=3000))


def test_numbers_read_before_they_are_overwritten(stored):
    def f(x):
        y, total = x * 2.0, 0.0
        taken = []
        for i in range(100):
            taken.append(y[i])
            y[i] = y[i + 1] + 1.0
        for t in taken:
            total = total * 0.5 + t
        return y, total

    x = RNG.normal(size=5000)
    same(f, x)
    assert sum(stored) <= 2 * x.size + 400


def test_a_step_over_a_whole_array_between():
    def f(x):
        y = recur(x, 70)
        y = y[::-1] + y
        for i in range(70):
            y[i] = y[i + 1] * y[-i]
        return y * 2.0, np.sum(y)

    same(f, RNG.normal(size=2000))


def test_a_product_is_changed_in_place(stored):
    def f(a):
        b = a @ a
        b[0] = 0.0
        b[:, 3] += 1.0
        return b @ a

    a = RNG.normal(size=(100, 100))
    report = same(f, a)
    assert len(report.in_place) == 1
    assert sum(stored) == 199


def test_reversed_reads_are_not_in_place():
    def f(a):
        for _ in range(3):
            a = np.sin((a @ a)[::-1, ::-1])
        return a

    assert same(f, RNG.normal(size=(40, 40))).in_place == []
    assert same(lambda a: np.sin((a @ a).T) @ a, RNG.normal(size=(40, 40))).in_place == []


def test_dtypes_of_another_size_are_not_in_place():
    def f(a):
        b = a @ a
        small = (b > 0.5).astype(np.float32)
        return np.cumsum(small, axis=0), np.cumsum(b, axis=0)

    same(f, RNG.normal(size=(40, 40)))


def test_a_reshaped_array_is_overwritten_only_when_nobody_reads_it():
    def f(a):
        b = a @ a
        flat = b.reshape(-1)
        c = np.sin(flat)
        d = np.sort(c)
        return c.reshape(40, 40) @ a, d, np.cumsum(flat)

    same(f, RNG.normal(size=(40, 40)))


def test_index_arrays(stored):
    """NumPy writes to parts given by index arrays: in place, too."""
    where = RNG.integers(0, 4000, size=(20, 7))

    def f(x):
        y = x * 2.0
        for w in where:
            y[w] = np.sin(y[w[::-1]])
            np.add.at(y, w, 1.0)
        return y

    report = same(f, RNG.normal(size=4000))
    assert len(report.in_place) >= 40


def test_index_arrays_that_are_written_to():
    def f(x, n):
        y, m = x * 2.0, n * 1
        y[n] = y  # what is written is read as well
        np.add.at(y, n[::-1], y)
        m[m] = m[::-1] * 1
        np.add.at(m, m, m)
        return y, m

    same(f, RNG.normal(size=50), RNG.permutation(50) // 2)


def test_complex_numbers():
    def f(x):
        y = x * 2.0
        for i in range(20):
            y[i] = y[i + 1] * y[-i]
            y[::3] += 1.0
        return y, np.abs(y)

    same(f, RNG.normal(size=300) + 1j)


def test_callbacks_keep_what_they_got():
    import wengert

    kept = []

    @wengert.custom_vjp
    def look(x):
        kept.append(x)
        return np.array(x, copy=True) if float(np.sum(x)) > -np.inf else x

    look.defvjp(lambda x: (look(x), None), lambda _, ct: (ct,))

    def f(a):
        for _ in range(4):
            a = look(np.tanh(a @ a)) * 0.5
        return a

    a = RNG.normal(size=(40, 40))
    expected = f(a)
    wanted = [np.array(k) for k in kept]
    kept.clear()
    np.testing.assert_allclose(jit(f)(a), expected)
    for k, w in zip(kept[-4:], wanted, strict=True):
        np.testing.assert_allclose(k, w)


def test_results_are_apart():
    def f(x):
        y = recur(x, 70)
        first = y.copy()
        y[0] = 5.0
        return y, first, y, x, y.reshape(-1, 10), 1.0

    x = RNG.normal(size=2000)
    same(f, x)
    outs = jit(f)(x)
    for a, b in itertools.combinations([x, *outs[:5]], 2):
        assert not np.shares_memory(a, b)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_in_place(threads, monkeypatch):
    monkeypatch.setattr(config, "threads", threads)

    def f(a, x):
        b = a @ x
        b = np.tanh(b) + np.exp(-np.square(b)) * np.sin(b)
        b[1:-1] = np.arctan(b[1:-1]) * np.cos(b[1:-1]) + np.log1p(b[1:-1] ** 2)
        return b @ a

    a, x = RNG.normal(size=(500, 500)) / 30, RNG.normal(size=(500, 500))
    assert same(f, a, x).in_place


# The passes by themselves --------------------------------------------------------------------------------------------


def random_schedule(rng: np.random.Generator) -> tuple[list[Accesses], dict[Any, Any]]:
    variables: list[Variable] = []
    steps = []
    for _ in range(rng.integers(1, 30)):
        reads = [variables[i] for i in rng.integers(0, len(variables), rng.integers(0, 4))] if variables else []
        new = []
        for _ in range(rng.integers(1, 3)):
            shape = (int(rng.choice([0, 1, 8, 600, 700])),)
            new.append(Variable(len(variables) + len(new), ArrayType(shape, np.dtype(float))))
        variables += new
        steps.append(Accesses(reads, new))
    outs = rng.permutation(len(variables))[: rng.integers(0, 4)]
    return steps, {variables[i]: Place("out", n) for n, i in enumerate(outs)}


@pytest.mark.parametrize("seed", range(200))
def test_layouts(seed):
    """Simulate: what a step reads is what was stored."""
    rng = np.random.default_rng(seed)
    steps, wanted = random_schedule(rng)
    homes = {place: nbytes(v) for v, place in wanted.items()}
    layout = lay_out(steps, lambda n, v, x: bool((v.number + x.number + seed) % 3), wanted=wanted, homes=homes)
    memory: dict[Any, Any] = {}

    def cells(v: Variable) -> list[Any]:
        kind, start = layout.places[v]
        if kind == "out":
            return [(kind, start, i) for i in range(nbytes(v) // 8)]
        assert start % ALIGNMENT == 0
        assert start + nbytes(v) <= layout.workspace
        return [(kind, start // 8 + i) for i in range(nbytes(v) // 8)]

    for n, step in enumerate(steps):
        for v in step.reads:
            assert all(memory[c] is v for c in cells(v))
        for v in step.stores:
            kind = layout.places[v].kind
            assert kind == "temp" or nbytes(v) <= homes[layout.places[v]]
            for x in step.reads:
                if layout.in_place.get(v) is x:
                    assert cells(v) == cells(x)
                    assert all(x not in later.reads for later in steps[n + 1 :])
                elif not any(layout.in_place.get(w) is x for w in step.stores):
                    assert not set(cells(v)) & set(cells(x))
            memory.update(dict.fromkeys(cells(v), v))
        for v in step.stores:
            assert all(memory[c] is v for c in cells(v))
    for v, place in wanted.items():
        assert layout.places[v] == place
        assert all(memory[c] is v for c in cells(v))
    assert layout.workspace <= layout.separate


def test_carried_arrays_are_updated_in_place():
    """The body of a loop: a, b → a', b', where b' is made from b alone, and b is still needed when a' is made."""
    t = ArrayType((100,), np.dtype(float))
    a, b, a_next, b_next, work = (Variable(i, t) for i in range(5))
    here, there = Place("carried", 0), Place("carried", 1)
    steps = [Accesses([a], [work]), Accesses([work, b], [a_next]), Accesses([b], [b_next])]
    layout = lay_out(
        steps,
        lambda n, v, x: True,
        given={a: here, b: there},
        wanted={a_next: here, b_next: there},
        homes={here: 800, there: 800},
    )
    assert layout.places == {a: here, b: there, work: here, a_next: here, b_next: there}
    assert layout.workspace == 0
    # Where a is needed to the end, what follows it has to wait elsewhere.
    late = [Accesses([a], [a_next]), Accesses([a, b], [b_next])]
    layout = lay_out(
        late,
        lambda n, v, x: True,
        given={a: here, b: there},
        wanted={a_next: here, b_next: there},
        homes={here: 800, there: 800},
    )
    assert layout.places[a_next].kind == "temp"
    assert layout.places[b_next] == there


@pytest.mark.parametrize("seed", range(100))
def test_orders(seed):
    rng = np.random.default_rng(seed)
    steps, _ = random_schedule(rng)
    bases = {n: s.reads[0] for n, s in enumerate(steps) if s.reads and rng.random() < 0.5}
    result = order(steps, bases)
    assert sorted(result) == list(range(len(steps)))
    stored: set[Any] = set()
    for n in result:
        assert stored.issuperset(steps[n].reads)
        stored.update(steps[n].stores)
    assert order(steps, {}) == list(range(len(steps)))


def test_a_write_waits_for_the_readers_of_its_base():
    t = ArrayType((100,), np.dtype(float))
    x, y, r, s, u = (Variable(i, t) for i in range(5))
    write, read, more = Accesses([x], [y]), Accesses([x, s], [r]), Accesses([], [s])
    steps = [Accesses([], [x]), write, more, read]
    assert order(steps, {1: x}) == [0, 2, 3, 1]
    # Not where the reader needs the write.
    steps = [Accesses([], [x]), write, more, read, Accesses([x, y], [u])]
    assert order(steps, {1: x}) == [0, 2, 3, 1, 4]


def test_full_spec():
    assert full_spec((1, Ellipsis, None), 3) == [1, slice(None), slice(None), None]
    assert full_spec((), 2) == [slice(None)] * 2


# Random programs -----------------------------------------------------------------------------------------------------


def random_writes(seed: int) -> tuple[Any, list[Any]]:
    """A function that writes to parts of a few arrays, from parts of them, and copies them now and then."""
    rng = np.random.default_rng(seed)
    shape = [(30,), (6, 7), (3, 4, 5)][rng.integers(3)]
    commands: list[Any] = []

    def part() -> tuple[list[int], Any]:
        """A part of an array: its shape, and where it begins on each axis."""
        size = [int(rng.integers(1, n + 1)) if rng.random() < 0.5 else 1 for n in shape]
        return size, rng.random(len(shape))

    def place(size: list[int]) -> Any:
        starts = [int(rng.integers(0, n - k + 1)) for n, k in zip(shape, size, strict=True)]
        return tuple(slice(a, a + k) for a, k in zip(starts, size, strict=True))

    for _ in range(rng.integers(5, 40)):
        size, _ = part()
        names = rng.integers(0, 3, 4)
        spots = [place(size) for _ in range(3)]
        kind = rng.choice(["set", "add", "set", "add", "mix", "flip", "copy", "whole", "sum", "product", "fill"])
        commands.append((kind, names, spots, float(rng.normal())))
    results = rng.integers(0, 3, rng.integers(1, 4))

    def f(*args: Any) -> Any:
        arrays = list(args)
        total: Any = 0.0
        for kind, (a, b, c, d), (p, q, r), number in commands:
            if kind == "set":
                arrays[a][p] = np.sin(arrays[b][q]) + number * arrays[c][r]
            elif kind == "add":
                arrays[a][p] += 0.5 * arrays[b][q]
            elif kind == "mix":
                arrays[a][p] = arrays[a][p] * number - np.cos(arrays[a][q])
            elif kind == "flip":
                arrays[a][p] = arrays[b][q][::-1] * 0.5
            elif kind == "copy":
                arrays[a] = arrays[b].copy()
            elif kind == "whole":
                arrays[a] = np.tanh(arrays[b] - number * arrays[c])
            elif kind == "sum":
                total = total * 0.5 + np.sum(arrays[b][q]) + arrays[d].ravel()[0]
            elif kind == "product":
                rows = arrays[b].reshape(shape[0], -1)
                arrays[a] = np.tanh((rows @ rows.T) @ rows * 0.1).reshape(shape)
            else:
                arrays[a][p] = total * 0.01 + number
        return (*(arrays[n] for n in results), total)

    return f, [rng.normal(size=shape) for _ in range(3)]


@pytest.mark.parametrize("eager_writes", [False, True])
@pytest.mark.parametrize("seeds", range(12))
def test_random_writes(seeds, eager_writes, monkeypatch):
    if eager_writes:  # store every write
        monkeypatch.setattr(writes, "SMALL", 0)
        monkeypatch.setattr(writes._Sequence, "is_long", lambda self: True)
    for seed in range(LONG * seeds, LONG * seeds + LONG):
        f, args = random_writes(seed)
        same(f, *args, rtol=1e-9)
