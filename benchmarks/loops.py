"""Loops and their derivatives next to hand-written C adjoints, JAX, PyTorch and autograd; first calls; memory.

    python benchmarks/loops.py [--write] [--rounds N] [--quick] [--only WORD]

Every case is a value and a gradient. The tools take turns within each round, on one thread; a figure is the median over
the rounds. Before a tool is timed its numbers are compared with Wengert's. PyTorch and autograd run Python's loop at
every call: they are given fewer iterations, and their times are multiplied accordingly. Tools that are not installed
are left out; so is C without gcc. --write puts the tables into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from compiled import Tools
from side_by_side import Call, Case, Goal, Results, goals_table, limit_threads, measure, store, times_table, versions

UNITS = 64
CELLS = 1000
#: JAX and C, where there are several ways.
SCAN, FORI, WHILE, ASSOCIATIVE = "JAX, scan", "JAX, fori_loop", "JAX, while_loop", "JAX, associative_scan"
FORWARD = "JAX, while_loop: forward mode, as it has no reverse mode"
C, ALLOCATING, FAST = "C", "C, allocating", "C, -ffast-math"


class Sizes(NamedTuple):
    """Numbers of iterations."""

    rk4: int = 10_000
    lstm: int = 1_000
    thomas: int = 10_000
    heat: int = 1_000
    newton: int = 1_000
    prefix: int = 1_000_000
    short: int = 200  # at most so many for the tools that run Python's loop
    memory: tuple[int, ...] = (1_000, 10_000, 100_000)


QUICK = Sizes(50, 10, 50, 10, 5, 50, 10, (100,))


# What is the same for all tools ---------------------------------------------------------------------------------------


def step_rk4(p: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """One step of the Lotka-Volterra equations."""
    a, b, c, d = p[0], p[1], p[2], p[3]
    h = 1e-3

    def slope(x: Any, y: Any) -> tuple[Any, Any]:
        return a * x - b * x * y, d * x * y - c * y

    k1 = slope(x, y)
    k2 = slope(x + h / 2 * k1[0], y + h / 2 * k1[1])
    k3 = slope(x + h / 2 * k2[0], y + h / 2 * k2[1])
    k4 = slope(x + h * k3[0], y + h * k3[1])
    return (
        x + h / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0]),
        y + h / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1]),
    )


def step_lstm(m: Any, w: Any, u: Any, b: Any, h: Any, c: Any, x: Any) -> tuple[Any, Any]:
    """One step of an LSTM with diagonal recurrent weights."""
    gates = [w[k] * x + u[k] * h + b[k] for k in range(4)]
    i, f, o = (1 / (1 + m.exp(-z)) for z in gates[:3])
    c = f * c + i * m.tanh(gates[3])
    return o * m.tanh(c), c


def step_newton(m: Any, e: Any, anomaly: Any, x: Any) -> tuple[Any, Any]:
    """One step for Kepler's equation x - e sin x = anomaly: the new x, and the change."""
    change = (x - e * m.sin(x) - anomaly) / (1 - e * m.cos(x))
    return x - change, change


def thomas_lists(a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    """The solution of a tridiagonal system, element by element."""
    n = len(b)
    e, f = [c[0] / b[0]], [d[0] / b[0]]
    for i in range(1, n):
        pivot = b[i] - a[i] * e[-1]
        e.append(c[i] / pivot)
        f.append((d[i] - a[i] * f[-1]) / pivot)
    x = [f[-1]]
    for i in range(n - 2, -1, -1):
        x.append(f[i] - e[i] * x[-1])
    return x


# Data -----------------------------------------------------------------------------------------------------------------


def lstm_data(n: int) -> tuple[Any, ...]:
    import numpy as np

    rng = np.random.default_rng(0)
    return *(rng.normal(size=(4, UNITS)) * 0.5 for _ in range(3)), rng.normal(size=(n, UNITS))


def thomas_data(n: int) -> tuple[Any, ...]:
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.uniform(size=n), 4 + rng.uniform(size=n), rng.uniform(size=n), rng.normal(size=n)


def heat_data() -> tuple[Any, ...]:
    import numpy as np

    return np.random.default_rng(0).normal(size=CELLS), np.float64(0.2)


def newton_data(n: int) -> tuple[Any, ...]:
    import numpy as np

    rng = np.random.default_rng(0)
    e, anomaly = rng.uniform(0.1, 0.8, size=n), rng.uniform(0.2, 3, size=n)
    return (e, anomaly) if n > 1 else (e[0], anomaly[0])


def prefix_data(n: int) -> tuple[Any, ...]:
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.uniform(-0.9, 0.9, size=n), rng.normal(size=n)


# Wengert --------------------------------------------------------------------------------------------------------------


def own_rk4(n: int) -> Callable[..., Any]:
    import wengert as wg

    def function(p: Any) -> Any:
        x, y = wg.for_loop(n, lambda i, s: step_rk4(p, *s), (1.0, 1.0))
        return x * x + y * y

    return function


def own_lstm(n: int) -> Callable[..., Any]:
    import numpy as np

    import wengert as wg

    def function(w: Any, u: Any, b: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            return step_lstm(np, w, u, b, *s, x), None

        (h, _), _ = wg.scan(step, (np.zeros(UNITS), np.zeros(UNITS)), xs)
        return np.sum(h * h)

    return function


def own_thomas(n: int) -> Callable[..., Any]:
    import numpy as np

    import wengert as wg

    def function(a: Any, b: Any, c: Any, d: Any) -> Any:
        e, f, x = wg.numpy.zeros(n), wg.numpy.zeros(n), wg.numpy.zeros(n)
        e[0], f[0] = c[0] / b[0], d[0] / b[0]

        def forwards(k: Any, s: Any) -> Any:
            e, f = s
            i = k + 1
            pivot = b[i] - a[i] * e[i - 1]
            e[i] = c[i] / pivot
            f[i] = (d[i] - a[i] * f[i - 1]) / pivot
            return e, f

        e, f = wg.for_loop(n - 1, forwards, (e, f))
        x[n - 1] = f[n - 1]

        def backwards(k: Any, x: Any) -> Any:
            i = n - 2 - k
            x[i] = f[i] - e[i] * x[i + 1]
            return x

        return np.sum(wg.for_loop(n - 1, backwards, x) ** 2)

    return function


def own_heat(n: int) -> Callable[..., Any]:
    import numpy as np

    import wengert as wg

    def function(u: Any, k: Any) -> Any:
        def step(i: Any, u: Any) -> Any:
            u[1:-1] += k * (u[2:] - 2 * u[1:-1] + u[:-2])
            return u

        return np.sum(wg.for_loop(n, step, u) ** 2)

    return function


def own_newton(n: int) -> Callable[..., Any]:
    import numpy as np

    import wengert as wg

    def solve(e: Any, anomaly: Any) -> Any:
        def goes_on(s: Any) -> Any:
            return abs(s[1]) > 1e-12

        return wg.while_loop(goes_on, lambda s: step_newton(np, e, anomaly, s[0]), (anomaly, 1.0))[0]

    return solve if n == 1 else lambda e, anomaly: np.sum(wg.vmap(solve)(e, anomaly))


def own_prefix(n: int) -> Callable[..., Any]:
    import numpy as np

    import wengert as wg

    def function(a: Any, b: Any) -> Any:
        def step(i: Any, s: Any) -> Any:
            s[i] = a[i] * s[i - 1] + b[i]
            return s

        return np.sum(wg.for_loop(n, step, wg.numpy.zeros(n)))

    return function


# JAX ------------------------------------------------------------------------------------------------------------------


def jax_rk4(jax: Any, n: int) -> dict[str, Callable[..., Any]]:
    def scan(p: Any) -> Any:
        (x, y), _ = jax.lax.scan(lambda s, _: (step_rk4(p, *s), None), (1.0, 1.0), None, length=n)
        return x * x + y * y

    def fori(p: Any) -> Any:
        x, y = jax.lax.fori_loop(0, n, lambda i, s: step_rk4(p, *s), (1.0, 1.0))
        return x * x + y * y

    return {SCAN: scan, FORI: fori}


def jax_lstm(jax: Any, n: int) -> dict[str, Callable[..., Any]]:
    m = jax.numpy

    def scan(w: Any, u: Any, b: Any, xs: Any) -> Any:
        def step(s: Any, x: Any) -> Any:
            return step_lstm(m, w, u, b, *s, x), None

        (h, _), _ = jax.lax.scan(step, (m.zeros(UNITS), m.zeros(UNITS)), xs)
        return m.sum(h * h)

    def fori(w: Any, u: Any, b: Any, xs: Any) -> Any:
        h, _ = jax.lax.fori_loop(0, n, lambda i, s: step_lstm(m, w, u, b, *s, xs[i]), (m.zeros(UNITS), m.zeros(UNITS)))
        return m.sum(h * h)

    return {SCAN: scan, FORI: fori}


def jax_thomas(jax: Any, n: int) -> dict[str, Callable[..., Any]]:
    def scan(a: Any, b: Any, c: Any, d: Any) -> Any:
        def forwards(s: Any, row: Any) -> Any:
            a, b, c, d = row
            e, f = s
            pivot = b - a * e
            new = c / pivot, (d - a * f) / pivot
            return new, new

        first = c[0] / b[0], d[0] / b[0]
        _, (e, f) = jax.lax.scan(forwards, first, (a[1:], b[1:], c[1:], d[1:]))
        e, f = (jax.numpy.concatenate([x[None], y]) for x, y in zip(first, (e, f), strict=True))

        def backwards(x: Any, row: Any) -> Any:
            x = row[1] - row[0] * x
            return x, x

        _, x = jax.lax.scan(backwards, f[-1], (e[:-1], f[:-1]), reverse=True)
        return jax.numpy.sum(x**2) + f[-1] ** 2

    return {SCAN: scan}


def jax_heat(jax: Any, n: int) -> dict[str, Callable[..., Any]]:
    def step(u: Any, k: Any) -> Any:
        return u.at[1:-1].add(k * (u[2:] - 2 * u[1:-1] + u[:-2]))

    def scan(u: Any, k: Any) -> Any:
        return jax.numpy.sum(jax.lax.scan(lambda u, _: (step(u, k), None), u, None, length=n)[0] ** 2)

    def fori(u: Any, k: Any) -> Any:
        return jax.numpy.sum(jax.lax.fori_loop(0, n, lambda i, u: step(u, k), u) ** 2)

    return {SCAN: scan, FORI: fori}


def jax_newton(jax: Any, n: int) -> dict[str, Callable[..., Any]]:
    m = jax.numpy

    def solve(e: Any, anomaly: Any) -> Any:
        def goes_on(s: Any) -> Any:
            return abs(s[1]) > 1e-12

        return jax.lax.while_loop(goes_on, lambda s: step_newton(m, e, anomaly, s[0]), (anomaly, 1.0))[0]

    if n == 1:
        return {WHILE: solve}
    return {WHILE: lambda e, anomaly: m.sum(jax.vmap(solve)(e, anomaly))}


def jax_newton_forwards(jax: Any, n: int) -> Callable[..., Any]:
    """Value and gradient by forward mode."""
    solve = jax_newton(jax, 1)[WHILE]

    def both(e: Any, anomaly: Any) -> Any:
        by_e, by_anomaly = (jax.jvp(solve, (e, anomaly), dots) for dots in ((1.0, 0.0), (0.0, 1.0)))
        return by_e[0], (by_e[1], by_anomaly[1])

    if n == 1:
        return both

    def all_of_them(e: Any, anomaly: Any) -> Any:
        value, gradients = jax.vmap(both)(e, anomaly)
        return jax.numpy.sum(value), gradients

    return all_of_them


def jax_prefix(jax: Any, n: int) -> dict[str, Callable[..., Any]]:
    def scan(a: Any, b: Any) -> Any:
        def step(s: Any, row: Any) -> Any:
            s = row[0] * s + row[1]
            return s, s

        return jax.numpy.sum(jax.lax.scan(step, 0.0, (a, b))[1])

    def associative(a: Any, b: Any) -> Any:
        def combine(x: Any, y: Any) -> Any:
            return x[0] * y[0], y[0] * x[1] + y[1]

        return jax.numpy.sum(jax.lax.associative_scan(combine, (a, b))[1])

    return {SCAN: scan, ASSOCIATIVE: associative}


# PyTorch and autograd: `m` is the namespace ---------------------------------------------------------------------------


def python_rk4(m: Any, n: int) -> Callable[..., Any]:
    def function(p: Any) -> Any:
        x, y = 1.0, 1.0
        for _ in range(n):
            x, y = step_rk4(p, x, y)
        return x * x + y * y

    return function


def python_lstm(m: Any, n: int) -> Callable[..., Any]:
    def function(w: Any, u: Any, b: Any, xs: Any) -> Any:
        h, c = 0 * xs[0], 0 * xs[0]
        for i in range(n):
            h, c = step_lstm(m, w, u, b, h, c, xs[i])
        return m.sum(h * h)

    return function


def python_thomas(m: Any, n: int) -> Callable[..., Any]:
    def function(a: Any, b: Any, c: Any, d: Any) -> Any:
        return sum(x**2 for x in thomas_lists(a, b, c, d))

    return function


def python_heat(m: Any, n: int) -> Callable[..., Any]:
    join = getattr(m, "cat", None) or m.concatenate

    def function(u: Any, k: Any) -> Any:
        for _ in range(n):
            u = join([u[:1], u[1:-1] + k * (u[2:] - 2 * u[1:-1] + u[:-2]), u[-1:]])
        return m.sum(u**2)

    return function


def python_newton(m: Any, n: int) -> Callable[..., Any]:
    def solve(e: Any, anomaly: Any) -> Any:
        x, change = anomaly, 1.0
        while abs(change) > 1e-12:
            x, change = step_newton(m, e, anomaly, x)
        return x

    if n == 1:
        return solve
    return lambda e, anomaly: sum(solve(e[j], anomaly[j]) for j in range(n))


def python_prefix(m: Any, n: int) -> Callable[..., Any]:
    def function(a: Any, b: Any) -> Any:
        s = total = 0.0
        for i in range(n):
            s = a[i] * s + b[i]
            total = total + s
        return total

    return function


# Cases ----------------------------------------------------------------------------------------------------------------


class Problem(NamedTuple):
    """A function in all tools."""

    title: str
    source: str  # in benchmarks/c
    n: int
    data: Callable[[int], tuple[Any, ...]]
    argnums: tuple[int, ...]
    own: Callable[[int], Callable[..., Any]]
    jax: Callable[[Any, int], dict[str, Callable[..., Any]]]
    python: Callable[[Any, int], Callable[..., Any]]
    flags: tuple[str, ...] = (C, ALLOCATING)


def problems(sizes: Sizes) -> list[Problem]:
    import numpy as np

    one = (np.array([1.5, 1.0, 3.0, 1.0]),)
    return [
        Problem(
            f"Runge-Kutta, {sizes.rk4:,} steps", "rk4", sizes.rk4, lambda n: one, (0,), own_rk4, jax_rk4, python_rk4,
        ),
        Problem(
            f"LSTM, {UNITS} units, {sizes.lstm:,} steps", "lstm", sizes.lstm, lstm_data, (0, 1, 2), own_lstm, jax_lstm,
            python_lstm, (C, ALLOCATING, FAST),
        ),
        Problem(
            f"tridiagonal system, n = {sizes.thomas:,}", "thomas", sizes.thomas, thomas_data, (0, 1, 2, 3), own_thomas,
            jax_thomas, python_thomas,
        ),
        Problem(
            f"heat, {CELLS:,} cells, {sizes.heat:,} steps", "heat", sizes.heat, lambda n: heat_data(), (0, 1), own_heat,
            jax_heat, python_heat,
        ),
        Problem("Newton's iteration", "newton", 1, newton_data, (0, 1), own_newton, jax_newton, python_newton, (C,)),
        Problem(
            f"Newton's iteration × {sizes.newton:,}", "newton", sizes.newton, newton_data, (0, 1), own_newton,
            jax_newton, python_newton, (C,),
        ),
        Problem(
            f"recurrence, n = {sizes.prefix:,}", "prefix", sizes.prefix, prefix_data, (0, 1), own_prefix, jax_prefix,
            python_prefix,
        ),
    ]  # fmt: skip


def gradient(own: Callable[..., Any], argnums: tuple[int, ...]) -> Callable[..., Any]:
    """Value and gradients, as one tuple: what C called through the same entry returns."""
    import wengert as wg

    both = wg.value_and_grad(own, argnums)

    def flat(*args: Any) -> tuple[Any, ...]:
        value, gradients = both(*args)
        return value, *gradients

    return wg.jit(flat)


def c_call(tools: Tools, problem: Problem, label: str, ins: Sequence[Any]) -> Call | None:
    """Compiled C: on memory that is there for all calls, or through the entry of compiled programs."""
    import numpy as np

    shapes = [(), *(np.shape(ins[j]) for j in problem.argnums)]
    flags = {C: "", ALLOCATING: "-DALLOCATE", FAST: "-ffast-math"}[label]
    call = tools.c(problem.source, "value_and_gradient", problem.n, ins, shapes, flags)
    if call is None or label == ALLOCATING or not np.shape(ins[0]):
        return call
    library = ctypes.CDLL(str(pathlib.Path(tools.directory) / f"{problem.source}{problem.n}{flags}.so"))
    arrays = [*map(np.asarray, ins), *map(np.empty, shapes)]
    buffers = (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))
    return Call(library.value_and_gradient, (buffers,), "", lambda: arrays[len(ins) :])


def fast_cases(tools: Tools, sizes: Sizes, only: str) -> dict[str, Case]:
    """Tools that compile."""
    cases: dict[str, Case] = {}
    for p in problems(sizes):
        if only not in p.title:
            continue
        data = p.data(p.n)
        case: Case = {"Wengert": Call(gradient(p.own(p.n), p.argnums), data)}
        for label in p.flags:
            c = c_call(tools, p, label, data)
            if c:
                case[label] = c
        if tools.jax:
            jax = tools.jax
            arguments = tuple(map(jax.numpy.asarray, data))
            for label, f in p.jax(jax, p.n).items():
                if label == WHILE:
                    case[FORWARD] = Call(jax.jit(jax_newton_forwards(jax, p.n)), arguments, "[0].block_until_ready()")
                    with contextlib.suppress(ValueError):  # "Reverse-mode differentiation does not work …"
                        jax.jit(jax.value_and_grad(f, p.argnums))(*arguments)
                        raise SystemExit("JAX has a reverse mode through while_loop now: measure it")
                    continue
                both = jax.jit(jax.value_and_grad(f, p.argnums))
                case[label] = Call(both, arguments, "[0].block_until_ready()")
        cases[p.title] = case
    return cases


def slow_cases(tools: Tools, sizes: Sizes, only: str) -> tuple[dict[str, Case], dict[str, float]]:
    """Tools that run Python's loop, and how much of the work they are given."""
    cases: dict[str, Case] = {}
    share: dict[str, float] = {}
    for p in problems(sizes):
        if only not in p.title:
            continue
        n = min(p.n, sizes.short)
        data = p.data(n)
        case: Case = {"Wengert": Call(gradient(p.own(n), p.argnums), data)}
        if tools.torch:
            case["PyTorch"] = Call(torch_gradient(tools.torch, p.python(tools.torch, n), p.argnums), data)
        with contextlib.suppress(ImportError):
            import autograd

            f = autograd.value_and_grad(p.python(autograd.numpy, n), p.argnums)
            case["autograd"] = Call(f, data)
        cases[p.title] = case
        share[p.title] = p.n / n
    return cases, share


def torch_gradient(torch: Any, function: Callable[..., Any], argnums: tuple[int, ...]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        tensors = [torch.tensor(x, requires_grad=j in argnums) for j, x in enumerate(arguments)]
        out = function(*tensors)
        return out.detach(), torch.autograd.grad(out, [tensors[j] for j in argnums])

    return call


def first_calls(tools: Tools, sizes: Sizes, only: str) -> dict[str, Case]:
    """Each call compiles a function that has not been seen before, and runs it."""
    cases: dict[str, Case] = {}
    for p in problems(sizes):
        if only not in p.title:
            continue
        data = p.data(p.n)

        def own(p: Problem = p, data: Any = data) -> Any:
            return gradient(p.own(p.n), p.argnums)(*data)

        case = {"Wengert": Call(own)}
        if tools.jax and WHILE not in p.jax(tools.jax, p.n):
            jax = tools.jax
            arguments = tuple(map(jax.numpy.asarray, data))

            def other(p: Problem = p, arguments: Any = arguments, jax: Any = jax) -> Any:
                jax.clear_caches()
                f = next(iter(p.jax(jax, p.n).values()))
                return jax.block_until_ready(jax.jit(jax.value_and_grad(f, p.argnums))(*arguments))

            case[SCAN] = Call(other)
        cases[f"first call: {p.title}"] = case
    return cases


# Memory ---------------------------------------------------------------------------------------------------------------

MEMORY = """
import ctypes, gc, json, sys
import numpy as np, wengert as wg
n, slots = map(int, sys.argv[1:])
wg.config.cache_directory = None
loop = wg.checkpoint(wg.for_loop, slots=slots) if slots else wg.for_loop
def function(u):
    return np.sum(loop(n, lambda i, u: u + 1e-3 * np.sin(u), u))
def status(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return 1024 * int(line.split()[1])
call, u = wg.jit(wg.grad(function)), np.linspace(0.0, 1.0, 1000)
call.inspect(u)  # compiles
gc.collect()
ctypes.CDLL(None).malloc_trim(0)  # so that the call cannot use what compiling has left behind
open("/proc/self/clear_refs", "w").write("5")  # the peak is now what is used at present
before = status("VmRSS")
call(u)
print(json.dumps(status("VmHWM") - before))
"""


def memory_table(sizes: Sizes, slots: Sequence[int] = (10, 100, 1000)) -> str:
    """What a gradient needs beyond what is there before the call: n iterations on 1000 numbers, in fresh processes."""

    if not pathlib.Path("/proc/self/clear_refs").exists():
        return "Peak memory: measured on Linux only."

    def run(n: int, count: int) -> float:
        command = [sys.executable, "-c", MEMORY, str(n), str(count)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout) / 1e6

    heads = " | ".join(f"{n:,} iterations" for n in sizes.memory)
    lines = [f"| peak memory | {heads} |", "|---|" + "---|" * len(sizes.memory)]
    for count in (0, *slots):
        label = f"`checkpoint(for_loop, slots={count})`" if count else "`for_loop`"
        lines.append(f"| {label} | " + " | ".join(f"{run(n, count):.1f} MB" for n in sizes.memory) + " |")
    return "\n".join(lines)


# Goals ----------------------------------------------------------------------------------------------------------------


def goals(results: Results) -> list[Goal]:
    rows = []
    for case, row in results.items():
        if case.startswith("first call"):
            rows.append(Goal(3, case, 0.3))
            continue
        rows += [Goal(1, case, 1.5, tool) for tool in row if tool.startswith("C")]
        rows += [Goal(2, case, 1 / 3, tool) for tool in row if tool.startswith("JAX")]
    return sorted(rows, key=lambda goal: goal.number)


def measure_all(rounds: int, sizes: Sizes, only: str) -> Results:
    limit_threads(1)
    import wengert

    wengert.config.threads = 1
    wengert.config.cache_directory = None  # so that first calls compile
    with tempfile.TemporaryDirectory() as directory:
        tools = Tools(1, directory)
        results = measure(fast_cases(tools, sizes, only), rounds)
        slow, share = slow_cases(tools, sizes, only)
        for title, times in measure(slow, max(1, rounds // 5)).items():
            results[title] |= {tool: t * share[title] for tool, t in times.items() if tool != "Wengert"}
        return results | measure(first_calls(tools, sizes, only), max(1, rounds // 3), once=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="store the tables in benchmarks/README.md")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--quick", action="store_true", help="small sizes and one round: only to see that it runs")
    parser.add_argument("--only", default="", help="cases with this in their title, without memory")
    options = parser.parse_args(arguments)
    sizes, rounds = (QUICK, 1) if options.quick else (Sizes(), options.rounds)
    results = measure_all(rounds, sizes, options.only)
    tables = [versions(), goals_table({1: results}, goals(results)), times_table(results, 1)]
    if not options.only:
        tables.append(memory_table(sizes))
    text = "\n\n".join(tables) + "\n"
    print(text)
    if options.write:
        store("loops", text)


if __name__ == "__main__":
    main()
