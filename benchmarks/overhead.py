"""What one elementary operation costs, next to NumPy, HIPS autograd, PyTorch and JAX (all eager).

    make bench          or          python benchmarks/overhead.py [--write]

Each tool runs the same chain of operations, in turn within each round, so that a slow moment of the machine hits all of
them; the figure is the median over the rounds. Read the ratios, not the microseconds. --write puts the table into
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from side_by_side import store

import wengert

OPERATIONS = 1000


def chain(x: Any, sin: Callable[[Any], Any], n: int = OPERATIONS) -> Any:
    """Two thirds arithmetic, one third sines, on values and derivatives that neither grow nor vanish."""
    for _ in range(n // 3):
        y = sin(x)
        x = y * x - y
    return x


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def numpy_cases(x: Any) -> dict[str, Callable[[], Any]]:
    return {"evaluate": lambda: chain(x, np.sin)}


def wengert_cases(x: Any) -> dict[str, Callable[[], Any]]:
    sin = wengert.numpy.sin
    total = wengert.numpy.sum

    def function(x: Any) -> Any:
        return total(chain(x, sin))

    gradient = wengert.grad(function)
    one = np.ones_like(x)[()]
    return {
        "record + sweep": lambda: gradient(x),
        "jvp": lambda: wengert.jvp(lambda x: chain(x, sin), (x,), (one,)),
    }


def autograd_cases(x: Any) -> dict[str, Callable[[], Any]]:
    import autograd
    import autograd.numpy as anp

    gradient = autograd.grad(lambda x: anp.sum(chain(x, anp.sin)))
    push = autograd.make_jvp(lambda x: chain(x, anp.sin))
    one = np.ones_like(x)[()]
    return {"record + sweep": lambda: gradient(x), "jvp": lambda: push(x)(one)}


def torch_cases(x: Any) -> dict[str, Callable[[], Any]]:
    import torch

    torch.set_num_threads(1)

    def gradient() -> Any:
        leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        torch.sum(chain(leaf, torch.sin)).backward()
        return leaf.grad

    def push() -> Any:
        primal = torch.tensor(x, dtype=torch.float64)
        return torch.func.jvp(lambda t: chain(t, torch.sin), (primal,), (torch.ones_like(primal),))

    return {"record + sweep": gradient, "jvp": push}


def jax_cases(x: Any) -> dict[str, Callable[[], Any]]:
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    # JAX is slow enough without jit that a tenth of the chain is measured and scaled.
    start = jnp.asarray(x)
    gradient = jax.grad(lambda x: jnp.sum(chain(x, jnp.sin, OPERATIONS // 10)))
    one = jnp.ones_like(start)
    return {
        "record + sweep": lambda: gradient(start).block_until_ready(),
        "jvp": lambda: jax.jvp(lambda x: chain(x, jnp.sin, OPERATIONS // 10), (start,), (one,))[1].block_until_ready(),
    }


TOOLS: dict[str, Callable[[Any], dict[str, Callable[[], Any]]]] = {
    "numpy": numpy_cases,
    "wengert": wengert_cases,
    "autograd": autograd_cases,
    "torch": torch_cases,
    "jax": jax_cases,
}


def measure(x: Any, rounds: int) -> dict[tuple[str, str], float]:
    """Microseconds per operation for each (case, tool), medians over rounds in which the tools take turns."""
    cases: dict[tuple[str, str], Callable[[], Any]] = {}
    for tool, make in TOOLS.items():
        try:
            for case, function in make(x).items():
                cases[case, tool] = function
        except ImportError:
            print(f"({tool} is not installed)")
    for function in cases.values():
        function()
    times: dict[tuple[str, str], list[float]] = {key: [] for key in cases}
    for _ in range(rounds):
        for key, function in cases.items():
            gc.collect()
            times[key].append(seconds(function))
    per_operation = {key: statistics.median(t) / OPERATIONS * 1e6 for key, t in times.items()}
    return {key: t * (10 if key[1] == "jax" else 1) for key, t in per_operation.items()}


def table(results: dict[str, dict[tuple[str, str], float]]) -> str:
    """Markdown: microseconds per operation, and the ratio to Wengert."""
    lines = [
        "| µs per operation (ratio to Wengert) | " + " | ".join(TOOLS) + " |",
        "|---|" + "---|" * len(TOOLS),
    ]
    for label, result in results.items():
        for case in ("record + sweep", "jvp"):
            own = result[case, "wengert"]
            cells = []
            for tool in TOOLS:
                t = result.get(("evaluate" if tool == "numpy" else case, tool))
                cells.append("–" if t is None else f"{t:.2f} ({t / own:.2f})")
            lines.append(f"| {label}, {case} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def growth() -> str:
    """Cost of record + sweep per operation against the length of the list."""
    lines = ["| operations | 1,000 | 10,000 | 60,000 |", "|---|---|---|---|"]
    sizes = (999, 9_999, 60_000)
    sin, total = wengert.numpy.sin, wengert.numpy.sum
    functions = {"wengert": [wengert.grad(lambda x, n=n: total(chain(x, sin, n))) for n in sizes]}
    try:
        import autograd
        import autograd.numpy as anp

        functions["autograd"] = [autograd.grad(lambda x, n=n: anp.sum(chain(x, anp.sin, n))) for n in sizes]
    except ImportError:
        pass
    for tool, gradients in functions.items():
        gradients[0](0.5)
        cells = []
        for n, gradient in zip(sizes, gradients, strict=True):
            runs = [seconds(lambda g=gradient: g(0.5)) for _ in range(5)]
            cells.append(f"{statistics.median(runs) / n * 1e6:.2f}")
        lines.append(f"| {tool}, record + sweep, µs per operation | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def versions() -> str:
    found = []
    for package in ("wengert", "numpy", "autograd", "torch", "jax"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return f"{datetime.date.today()}, Python {platform.python_version()}, {platform.machine()}; " + ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="store the tables in benchmarks/README.md")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    results = {
        "scalar": measure(0.5, options.rounds),
        "array(8)": measure(np.linspace(0.1, 0.8, 8), options.rounds),
    }
    text = f"{versions()}\n\n{table(results)}\n\n{growth()}\n"
    print(text)
    if options.write:
        store("overhead", text)


if __name__ == "__main__":
    main()
