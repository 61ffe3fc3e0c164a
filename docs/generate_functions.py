"""Writes coverage.md: what Wengert does with each public function of NumPy and of scipy.special, by trying it.

The calls are those of `tests/function_calls.py`. Values are compared with NumPy's and SciPy's, derivatives with finite
differences and the modes with each other, batches with loops; whether a function is compiled is what the compiler says.

    python -m docs.generate_functions             write the page; `make docs` does it
    python -m docs.generate_functions --check     only say whether it is up to date; a test does it
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy

import wengert
from docs.generate_coverage import table
from docs.generate_scipy import wrapped
from tests import function_calls
from tests.function_attempts import COLUMNS, Attempt, Row, joined
from wengert.numpy.absent import ABSENT

PAGE = Path(__file__).parent / "coverage.md"
_MAX_CALLS = 4  # of one function; more are in the tests
INTRODUCTION = """\
# What is differentiated

<!-- written by docs/generate_functions.py, which tries the functions; do not edit -->

Every public function of `numpy`, `numpy.linalg`, `numpy.fft` and `scipy.special`, called with traced arrays; the rest
of SciPy is listed at the end. Made by trying them with NumPy {numpy} and SciPy {scipy}: values are compared with
theirs, derivatives with finite differences and the two modes with each other.

| column       | meaning                                                                                          |
|--------------|--------------------------------------------------------------------------------------------------|
| value        | the function takes traced arrays, and returns NumPy's result                                     |
| jvp, vjp     | derivatives in forward and reverse mode; *zero*: the function is piecewise constant              |
| second order | derivatives of derivatives                                                                       |
| vmap         | `vmap` of it is a loop over the examples                                                         |
| complex      | value and derivatives for complex arguments                                                      |
| compiled     | by `jit`: *native* code; *partly*; *callback*: NumPy or SciPy does it ([more](compiler-coverage.md)) |

A dot stands where a question does not arise: no complex form, nothing to differentiate.

{summary}
"""


def survey(module: str) -> tuple[dict[str, Row], list[str], list[str]]:
    """A row for each function; functions with nothing to differentiate; functions without a call."""
    known = function_calls.trials(module)
    nothing = set(function_calls.NOTHING[module].split())
    rows, idle, missing = {}, [], []
    for name in function_calls.functions(module):
        chosen = known.get(name, [])
        if name in nothing:
            idle.append(name)
        elif not chosen:
            missing.append(f"{module}.{name}")
        else:
            chosen = sorted(chosen, key=lambda t: not t.smooth)[:_MAX_CALLS]
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                rows[name] = joined([Attempt(module, name, t).run() for t in chosen])
    return rows, idle, missing


def is_declared(function: Any) -> bool:
    """Whether a name of a module without a list of its names belongs to wengert.scipy."""
    return getattr(function, "__module__", "").startswith("wengert.scipy")


def others() -> str:
    """The functions in the rest of wengert.scipy, which the tests try."""
    parts = []
    for name in sorted(module.name for module in pkgutil.iter_modules(wengert.scipy.__path__)):
        if name == "special" or importlib.util.find_spec(f"scipy.{name}") is None:
            continue
        ours, theirs = (importlib.import_module(f"{package}.{name}") for package in ("wengert.scipy", "scipy"))
        names = getattr(ours, "__all__", None) or [n for n, f in vars(ours).items() if is_declared(f)]
        names = [n for n in names if n in theirs.__all__]
        if names:
            parts.append(f"**scipy.{name}**\n\n{wrapped(sorted(names, key=str.lower))}\n")
    return "\n".join(["## The rest of wengert.scipy\n\nThe test suite tries these.\n", *parts])


def page(found: dict[str, tuple[dict[str, Row], list[str], list[str]]]) -> str:
    """Text of the page."""
    summary = []
    parts = []
    for module, (rows, idle, _) in found.items():
        counts = []
        for column in COLUMNS:
            cells = [r.cells[column] for r in rows.values()]
            asked = sum(c != "·" for c in cells)
            fine = sum(c not in ("·", "no") for c in cells)
            counts.append(f"{fine} of {asked}")
        summary.append([f"`{module}`", str(len(rows)), *counts])
        body = [[f"`{name}`", *row.cells.values(), row.reason] for name, row in rows.items()]
        rest = table(["", *COLUMNS, "where there is a no"], body)
        parts.append(f"## {module}\n\n{re.sub(' +[|]$', ' |', rest, flags=re.MULTILINE)}\n")
        absent = [n for n in idle if module == "numpy" and n in ABSENT]
        if idle:
            parts.append(f"Without anything to differentiate:\n\n{wrapped([n for n in idle if n not in absent])}\n")
        if absent:
            reasons = "\n".join(f"* `{n}`: {ABSENT[n]}" for n in absent)
            parts.append(f"Not in `wengert.numpy`:\n\n{reasons}\n")
    head = table(["", "functions", *COLUMNS], summary)
    return "\n".join(
        [INTRODUCTION.format(numpy=np.__version__, scipy=scipy.__version__, summary=head), *parts, others()]
    )


def main(arguments: list[str]) -> Any:
    """Write or check the page; returns what is wrong."""
    found = {module: survey(module) for module in function_calls.MODULES}
    missing = [name for _, _, names in found.values() for name in names]
    wrong = [f"{m}.{n}: {w}" for m, (rows, _, _) in found.items() for n, row in rows.items() for w in row.wrong]
    if missing or wrong:
        return "\n".join([f"functions without a call in tests/function_calls.py: {missing}", "wrong:", *wrong])
    text = page(found)
    if arguments == ["--check"]:
        return None if PAGE.read_text(encoding="utf-8") == text else f"{PAGE.name} is out of date: make docs"
    PAGE.write_text(text, encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
