"""Writes scipy-array-api.md: which of SciPy's functions work on Arrays by the array API standard, by trying them.

The calls are those of `tests/scipy_calls.py`. Every function that SciPy says supports the standard, other than by going
through NumPy, has to be among them.

    python -m docs.generate_scipy             write the page; `make docs` does it
    python -m docs.generate_scipy --check     only say whether it is up to date; a test does it
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import scipy

from docs.generate_coverage import table
from tests import scipy_calls

PAGE = Path(__file__).parent / "scipy-array-api.md"
#: Functions of the standard without floating-point results, without array arguments, or with nothing to differentiate.
LEFT_OUT = {
    "cluster.hierarchy": "correspond is_isomorphic is_monotonic is_valid_im is_valid_linkage num_obs_linkage "
    "to_mlab_linkage to_tree",
    "fft": "fftfreq rfftfreq",
    "signal": "besselap bode buttap cheb1ap cheb2ap choose_conv_method ellipap gammatone get_window iircomb iirdesign "
    "iirnotch iirpeak impulse place_poles savgol_coeffs",
}
INTRODUCTION = """\
# SciPy's functions on Arrays

<!-- written by docs/generate_scipy.py, which tries the functions; do not edit -->

Parts of SciPy are written for any array library that follows the
[array API standard](https://data-apis.org/array-api), if the environment variable `SCIPY_ARRAY_API` is set to 1 *before
SciPy is imported*. `wengert.numpy` follows it, so those functions work on Wengert's Arrays, unmodified, and are
differentiated through:

```
$ SCIPY_ARRAY_API=1 python
>>> import numpy as np, scipy.stats, wengert as wg
>>> wg.grad(scipy.stats.skew)(np.array([0.3, 0.5, 0.9, 1.2]))
array([ 1.41019544, -1.05764658, -1.76274431,  1.41019544])
```

Things to know:

* SciPy refuses a mixture of libraries ("Multiple namespaces for array inputs"). Make constants Arrays *inside* the
  differentiated function: `scipy.special.logsumexp(x, b=wengert.numpy.array(weights))`.
* With the variable set, integers and truth values that are computed from Arrays are Arrays as well
  (`wengert.config.array_api`); without it, plain ndarrays.
* Functions that hand their arguments to compiled code raise a `ConcretizationError`. Many of them have a differentiable
  version in [`wengert.scipy`](scipy.md), with which nothing of this is needed.
* The ufuncs of `scipy.special` that have a rule work with and without the variable;
  [which ones do](coverage.md).
"""


def capabilities() -> dict[str, list[str]]:
    """Names of the functions that SciPy says support the standard natively, by module."""
    table = importlib.import_module("scipy._lib._array_api").xp_capabilities_table
    found: dict[str, list[str]] = {}
    modules = {module for module, _ in scipy_calls.table()} - {"special", "spatial.transform"}
    for module in sorted(modules):
        holder = importlib.import_module(f"scipy.{module}")
        for name in sorted(getattr(holder, "__all__", [])):
            function = getattr(holder, name)
            known = table.get(function) if callable(function) else None
            if known and not (known["cpu_only"] or known["np_only"] or known["out_of_scope"]):
                found.setdefault(module, []).append(name)
    return found


def name_of(call: str) -> tuple[str, str]:
    """Module and function of a call."""
    module = max((m for m, _ in scipy_calls.table() if call.startswith(f"{m}.")), key=len)
    expression = call[len(module) + 1 :].lstrip("(")
    found = re.match(r"\w+(\.from_\w+)?", expression)
    assert found
    name = found[0]
    method = re.search(r"\)\.(\w+)\(", expression)
    return module, f"{name.split('.')[0]}.{method[1]}" if method and name[0].isupper() else name


def without_calls(results: Iterable[str]) -> list[str]:
    """Functions of the standard that no call tries."""
    tried = {name_of(call) for call in results}
    return [
        f"{module}.{name}"
        for module, names in capabilities().items()
        for name in names
        if (module, name) not in tried and name not in LEFT_OUT.get(module, "").split()
    ]


def run() -> dict[str, list[str]]:
    """What becomes of each call and what it goes through, from a process in which SciPy uses the standard."""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    command = [sys.executable, "-m", "tests.scipy_calls"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=PAGE.parent.parent)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def wrapped(names: list[str]) -> str:
    """A list of names, in lines of 118 characters."""
    lines, line = [], ""
    for i, name in enumerate(names):
        name, _, star = name.partition(" ")
        word = f"`{name}`" + star.replace("*", "\\*") + ("," if i + 1 < len(names) else "")
        if line and len(line) + 1 + len(word) > 118:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def page(found: dict[str, list[str]]) -> str:
    """Text of the page."""
    results = {call: outcome[0] for call, outcome in found.items()}
    limited = {name_of(call) for call, (result, *further) in found.items() if result == "ok" and "jit" not in further}
    groups: dict[str, dict[str, dict[str, None]]] = {"ok": {}, "ok, derivative zero": {}, scipy_calls.CONVERTED: {}}
    others: dict[tuple[str, str], str] = {}
    good = {name_of(call) for call, result in results.items() if result == "ok"}
    for call, result in results.items():
        module, name = name_of(call)
        if result in groups:
            if result == "ok" or (module, name) not in good:
                groups[result].setdefault(module, {})[name] = None
        else:
            expression = call[len(module) + 1 :]
            others[module, f"`{expression}`" if (module, name) in good else f"`{name}`"] = result
    works, zero, converted = groups.values()
    parts = [
        INTRODUCTION,
        f"Tried with SciPy {scipy.__version__}: {sum(map(len, works.values()))} functions are differentiated, in both "
        "modes and to second order, as finite differences confirm.\n",
        "## What works\n\nThose with a star branch on the numbers, and so work neither under `jit` nor under `vmap`.\n",
    ]
    for module, names in works.items():
        marked = [f"{name} *" if (module, name) in limited else name for name in names]
        parts.append(f"**scipy.{module}**\n\n{wrapped(marked)}\n")
    parts.append("## Piecewise constant\n\nThese work, and their derivative is zero (ranks, counts, orders).\n")
    for module, names in zero.items():
        parts.append(f"**scipy.{module}**\n\n{wrapped(list(names))}\n")
    parts.append("## What raises an error\n\nThese convert their arguments to ndarrays, for code in C or Fortran:\n")
    for module, names in converted.items():
        parts.append(f"**scipy.{module}**\n\n{wrapped(list(names))}\n")
    if others:
        rows = [[f"scipy.{module}", call, reason(text)] for (module, call), text in others.items()]
        parts.append(f"And for other reasons:\n\n{table(['', '', ''], rows)}\n")
    return "\n".join(parts)


def reason(text: str) -> str:
    """An outcome, as the page says it."""
    if "Multiple namespaces" in text:
        return "mixes Arrays with ndarrays of its own"
    return re.sub(r"^\w+Error: ", "", text.split(". ")[0])


def main(arguments: list[str]) -> Any:
    """Write or check the page; returns what is wrong."""
    results = run()
    missing = without_calls(results)
    bad = ("another", "the modes", "fails", "no float")
    wrong = {c: r for c, found in results.items() for r in found if r.startswith(bad)}
    if missing or wrong:
        return f"without a call in tests/scipy_calls.py: {missing}; calls that are wrong: {wrong}"
    text = page(results)
    if arguments == ["--check"]:
        return None if PAGE.read_text(encoding="utf-8") == text else f"{PAGE.name} is out of date: make docs"
    PAGE.write_text(text, encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
