"""Measure the calls of several tools in turn, after comparing their numbers; tables and goals as Markdown."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

CLOCK = time.perf_counter


def limit_threads(count: int) -> None:
    """Let every tool use `count` threads; must come before they are imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
        os.environ[name] = str(count)
    if count == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


# Measuring ------------------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """A call to be timed: function(*arguments), and what follows to wait for the result of an asynchronous tool."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    wait: str = ""
    result: Callable[[], Any] | None = None  # what is compared with the other tools, if it is not what the call returns

    def timer(self) -> timeit.Timer:
        names = {f"a{i}": a for i, a in enumerate(self.arguments)}
        return timeit.Timer(f"f({', '.join(names)}){self.wait}", timer=CLOCK, globals={"f": self.function, **names})

    def numbers(self) -> list[Any]:
        import numpy as np
        import optree

        out = self.function(*self.arguments)
        return [np.asarray(leaf) for leaf in optree.tree_leaves(out if self.result is None else self.result())]


Case = dict[str, Call]  # by tool


Results = dict[str, dict[str, float]]  # seconds, by case and tool


def check(name: str, case: Case) -> None:
    """Stop if the tools do not compute the same."""
    import numpy as np

    (first, own), *rest = ((tool, call.numbers()) for tool, call in case.items())
    for tool, numbers in rest:
        same = len(own) == len(numbers) and all(
            x.shape == y.shape and np.allclose(x, y, rtol=1e-7, atol=1e-9) for x, y in zip(own, numbers, strict=True)
        )
        if not same:
            raise SystemExit(f"{name}: {first} and {tool} disagree: {own} and {numbers}")


def measure(cases: dict[str, Case], rounds: int, once: bool = False) -> Results:
    """Seconds per call: medians over rounds, in which the tools take turns."""
    results: Results = {}
    for name, case in cases.items():
        check(name, case)
        timers = {tool: call.timer() for tool, call in case.items()}
        counts = dict.fromkeys(timers, 1)
        if not once:
            for tool, timer in timers.items():
                timer.timeit(1)
                counts[tool] = max(1, int(0.02 / max(timer.timeit(3) / 3, 1e-7)))
        times: dict[str, list[float]] = {tool: [] for tool in timers}
        for _ in range(rounds):
            for tool, timer in timers.items():
                if not once:  # the caches and the memory that the tool before left are not this one's to pay for
                    timer.timeit(1)
                times[tool].append(timer.timeit(counts[tool]) / counts[tool])
        results[name] = {tool: statistics.median(t) for tool, t in times.items()}
        print(name, {tool: show(t) for tool, t in results[name].items()}, file=sys.stderr, flush=True)
    return results


# Goals ----------------------------------------------------------------------------------------------------------------


class Goal(NamedTuple):
    """Wengert's time for a case is at most `limit` times that of another tool, of another case, or of a second."""

    number: int
    case: str
    limit: float
    tool: str = ""  # none: the limit is in seconds
    other: str = ""  # case that is compared with; none: the same

    def value(self, results: Results) -> float | None:
        own = results[self.case]["Wengert"]
        if not self.tool:
            return own
        other = results[self.other or self.case].get(self.tool)
        if self.case == "import" and other is not None:
            return own - other
        return None if other is None else own / other

    def show(self, value: float | None) -> str:
        if value is None:
            return "–"
        seconds = not self.tool or self.case == "import"
        text = show(value) if seconds else f"{value:.2f}"
        return text if value <= self.limit else f"**{text}**"

    def describe(self) -> str:
        if self.case == "import":
            return f"import: at most {show(self.limit)} more than {self.tool}"
        if not self.tool:
            return f"{self.case}: at most {show(self.limit)}"
        against = self.tool if not self.other else f"“{self.other.rpartition(': ')[2]}”"
        return f"{self.case}: at most {self.limit:g} × {against}"


# Output ---------------------------------------------------------------------------------------------------------------


def show(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def times_table(results: Results, threads: int) -> str:
    """Markdown: time for each case and tool, and its ratio to Wengert's."""
    tools = list(dict.fromkeys(tool for name, row in results.items() if name != "import" for tool in row))
    heading = f"{threads} thread{'s' * (threads > 1)} (ratio to Wengert)"
    lines = [f"| {heading} | " + " | ".join(tools) + " |", "|---|" + "---|" * len(tools)]
    for name, row in results.items():
        if name == "import":
            continue
        cells = []
        for tool in tools:
            ratio = "" if tool == "Wengert" or tool not in row else f" ({row[tool] / row['Wengert']:.2f})"
            cells.append(f"{show(row[tool])}{ratio}" if tool in row else "–")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def goals_table(by_threads: dict[int, Results], goals: Sequence[Goal]) -> str:
    """Markdown: each goal and what was reached; bold where it was missed."""
    heads = " | ".join(f"{n} thread{'s' * (n > 1)}" for n in by_threads)
    lines = [f"| | goal | {heads} |", "|---|---|" + "---|" * len(by_threads)]
    for goal in goals:
        cells = " | ".join(goal.show(goal.value(results)) for results in by_threads.values())
        lines.append(f"| {goal.number} | {goal.describe()} | {cells} |")
    return "\n".join(lines)


def store(name: str, text: str) -> None:
    """Put a text between the marks of its section in README.md."""
    readme = pathlib.Path(__file__).parent / "README.md"
    head, begin, rest = readme.read_text(encoding="utf-8").partition(f"<!-- {name}: begin -->\n")
    _, end, tail = rest.partition(f"<!-- {name}: end -->")
    readme.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def versions() -> str:
    found = [f"{datetime.date.today()}", f"Python {platform.python_version()}", f"{processor()}"]
    for package in ("wengert", "numpy", "scipy", "llvmlite", "jax", "torch", "casadi"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    gcc = shutil.which("gcc")
    if gcc:
        found.append(f"gcc {subprocess.run([gcc, '-dumpfullversion'], capture_output=True, text=True).stdout.strip()}")
    return ", ".join(found)


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.machine()
