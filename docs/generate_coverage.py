"""Writes compiler-coverage.md: how the compiler carries out each primitive, as the compiler itself says.

The samples of the test suite, of which every primitive has some, are the forms that are looked at. Each is recorded as
a program of one operation, for operands of each class of dtypes, and simplified and planned like any program.

    python -m docs.generate_coverage             write the page; `make docs` does it
    python -m docs.generate_coverage --check     only say whether it is up to date; a test does it
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import wengert
from tests.samples import ALL
from tests.samples.sample import Sample
from wengert.compiler import unroll
from wengert.compiler.complex_formulas import FUNCTIONS
from wengert.compiler.plan import Call, Product, make_plan
from wengert.compiler.simplify import simplify
from wengert.core.primitive import PRIMITIVES, Primitive
from wengert.core.program import Program
from wengert.core.staging import Stage
from wengert.core.values import type_of
from wengert.rules.indexing import index, index_add, index_update

PARTS_OF_FUNCTIONS = {part for parts in FUNCTIONS.values() for part in parts}
PAGE = Path(__file__).parent / "compiler-coverage.md"
CLASSES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "integers": np.dtype(np.int64),
    "bool": np.dtype(bool),
    "complex": np.dtype(np.complex128),
    "float16": np.dtype(np.float16),
}
# Where primitives are declared: the heading, and the module.
FAMILIES = {
    "wengert.core.combinators": "Basic operations",
    "wengert.rules.elementwise": "Elementwise operations",
    "wengert.rules.structural": "Structure",
    "wengert.rules.indexing": "Indexing and writing",
    "wengert.rules.joining": "Joining",
    "wengert.rules.contraction": "Products",
    "wengert.rules.reductions": "Reductions, scans, sorting",
    "wengert.rules.fourier": "Fourier transforms",
    "wengert.rules.linalg": "Linear algebra",
    "wengert.rules.decompositions": "Decompositions",
    "wengert.rules.matrix_functions": "Functions of matrices",
    "wengert.rules.filters": "Filters",
    "wengert.rules.splines": "Splines",
    "wengert.rules.sparse": "Sparse matrices",
    "wengert.rules.assignment": "Assignments",
    "wengert.rules.special.error_functions": "Error functions",
    "wengert.rules.special.gammas": "Gamma, beta and zeta functions",
    "wengert.rules.special.incomplete": "Incomplete gamma and beta functions",
    "wengert.rules.special.bessel": "Bessel functions",
    "wengert.rules.special.elliptic": "Elliptic integrals and functions",
    "wengert.rules.special.integrals": "Exponential and trigonometric integrals",
    "wengert.rules.special.hypergeometric": "Hypergeometric and wave functions",
    "wengert.rules.special.orthogonal": "Orthogonal polynomials, Legendre functions",
    "wengert.rules.special.logistic": "Logistic functions, entropies, transforms",
    "wengert.rules.special.distributions": "Distributions",
    "wengert.rules.special.noncentral": "Noncentral distributions",
    "wengert.rules.special.log_sums": "Sums of exponentials",
}
INTRODUCTION = """\
# What is compiled

<!-- written by docs/generate_coverage.py from what the compiler says; do not edit -->

How `jit` carries out each primitive operation, for operands of each kind. Functions of NumPy that are not listed are
combinations of those that are: `np.mean` of `sum` and `divide`, `np.clip` of `maximum` and `minimum`. For a program of
your own ask [`inspect`](compiling.md#looking-inside). {numpy_only}

| word    | meaning                                                                                                |
|---------|--------------------------------------------------------------------------------------------------------|
| native  | machine code: in loops, and written out element by element in small programs                          |
| loops   | machine code in loops; a program with it is never written out                                         |
| small   | machine code in programs that are small enough to be written out; else NumPy does it                   |
| BLAS    | machine code calls BLAS, or multiplies itself where that is faster; in small programs it is written out |
| NumPy   | NumPy or SciPy does it, [between two pieces of machine code](compiling.md#numpy-in-between)             |
| free    | the operation disappears                                                                               |
| ·       | not defined for these operands                                                                         |

Several words: it depends on the form, see [below](#forms). Arrays are taken to have elements; some reductions of empty
arrays are left to NumPy. Integers are int64 here; the other sizes are like it.
"""


def classify(program: Program) -> str:
    """Say how a program is carried out."""
    program = simplify(program)
    if not program.operations:
        return "free"
    steps = make_plan(program).steps
    if any(isinstance(step, Call) for step in steps):
        return "small" if unroll.can_unroll(program) else "NumPy"
    if any(isinstance(step, Product) for step in steps):
        return "BLAS"
    return "native" if unroll.can_unroll(program) else "loops"


def operands(sample: Sample, dtype: np.dtype[Any]) -> list[Any]:
    """The arguments of a sample with its numbers, but not its indices and conditions, in another dtype."""
    kinds = [np.asarray(x).dtype.kind for x in sample.args]
    numbers = "fc" if any(k in "fc" for k in kinds) else "iub"
    return [np.ones(np.shape(x), dtype) if kind in numbers else x for x, kind in zip(sample.args, kinds, strict=True)]


def record_sample(sample: Sample, dtype: np.dtype[Any], constant_indices: bool) -> Program | None:
    """A program that applies the primitive to arguments of this dtype; None if that is not defined."""
    inputs = [np.asarray(x) for x in operands(sample, dtype)]
    try:
        with Stage() as stage:
            values = [
                x if constant_indices and np.asarray(a).dtype.kind in "iu" else stage.input(type_of(x))
                for x, a in zip(inputs, sample.args, strict=True)
            ]
            out = sample.primitive.bind(*values, **sample.params)
            return stage.program(sample.primitive.name, out if sample.primitive.multiple else [out])
    except (TypeError, ValueError, IndexError, OverflowError):  # whatever NumPy says to operands like these
        return None


def forms(sample: Sample) -> Iterator[tuple[str, bool]]:
    """Names of the forms that a sample stands for, and whether indices are constants in them."""
    if sample.primitive in (index, index_add, index_update):
        if len(sample.args) > (1 if sample.primitive is index else 2):
            yield "index arrays that are constants", True
            yield "index arrays that are computed", False
        else:
            yield f"`[{', '.join(map(show_index, sample.params['spec']))}]`", False
    elif sample.params:
        yield sample.note or ", ".join(f"{name}={value}" for name, value in sample.params.items()), False
    else:
        yield ", ".join("×".join(map(str, np.shape(x))) or "a number" for x in sample.args), False


def show_index(s: Any) -> str:
    """Write a part of an index as in a program."""
    if isinstance(s, slice):
        parts = ["" if p is None else str(p) for p in (s.start, s.stop, s.step)]
        return ":".join(parts[:2] if s.step is None else parts)
    return "…" if s is Ellipsis else "newaxis" if s is None else str(s)


Ways = dict[str, list[str]]  # how something is carried out: the forms of which that holds


def survey() -> dict[Primitive, dict[str, Ways]]:
    """For each primitive and class of dtypes, how its forms are carried out."""
    found: dict[Primitive, dict[str, Ways]] = {}
    for sample in ALL:
        has_python_numbers = any(not isinstance(x, (np.ndarray, np.generic)) for x in sample.args)
        # Parts of complex functions occur in compiled programs only; loops and branches hold programs of one type.
        if sample.primitive in PARTS_OF_FUNCTIONS or any(isinstance(x, Program) for x in sample.params.values()):
            continue
        if has_python_numbers or any(np.size(x) == 0 for x in sample.args):
            continue
        for kind, dtype in CLASSES.items():
            ways = found.setdefault(sample.primitive, {}).setdefault(kind, {})
            for name, constant in forms(sample):
                with warnings.catch_warnings(action="ignore"):  # about the numbers that stand for types
                    program = record_sample(sample, dtype, constant)
                way = None if program is None else classify(program)
                if way is not None and name not in ways.setdefault(way, []):
                    ways[way].append(name)
    for rows in found.values():
        for ways in rows.values():
            if len(ways) > 1:
                ways.pop("free", None)
    return found


def functions() -> dict[str, Program]:
    """Programs with what is made of functions."""

    @wengert.custom_jvp
    def custom(x: Any) -> Any:
        return np.exp(x)

    @custom.defjvp
    def custom_rule(primals: Any, tangents: Any) -> Any:
        return custom(primals[0]), custom(primals[0]) * tangents[0]

    x = np.ones((8, 3))
    return {
        "a function under `jit`": wengert.program(wengert.jit(np.exp))(x),
        "`vmap` of a small function": wengert.program(wengert.vmap(lambda x: np.exp(x) * x))(x),
        "the gradient of a function under `checkpoint`": wengert.program(
            wengert.grad(lambda x: np.sum(wengert.checkpoint(np.exp)(x)))
        )(x),
        "a function with a custom rule": wengert.program(custom)(x),
        "the derivative of a function with a custom rule": wengert.program(
            lambda x: wengert.jvp(custom, (x,), (x,))[1]
        )(x),
        "`stop_gradient`": wengert.program(lambda x: wengert.stop_gradient(x) * x)(x),
    }


def family(primitive: Primitive) -> str:
    """Heading under which a primitive is listed: that of the first module that knows it."""
    for name, heading in FAMILIES.items():
        if any(value is primitive for value in vars(importlib.import_module(name)).values()):
            return heading
    return "Others"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Write a table of Markdown."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = ["| " + " | ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)) + " |" for row in (header, *rows)]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def page() -> str:
    """Text of the page."""
    found = survey()
    numpy_only = [k for k in CLASSES if all(set(ways.get(k, {})) <= {"NumPy", "free"} for ways in found.values())]
    kinds = [k for k in CLASSES if k not in numpy_only]
    sentence = f"All operations on {' and '.join(numpy_only)} numbers are left to NumPy." if numpy_only else ""
    parts = [INTRODUCTION.format(numpy_only=sentence)]
    headings = {p: family(p) for p in PRIMITIVES if p in found}
    for heading in dict.fromkeys([*FAMILIES.values(), "Others"]):
        rows = [
            [f"`{p.name}`", *(", ".join(found[p].get(k, {})) or "·" for k in kinds)]
            for p in headings
            if headings[p] == heading
        ]
        if rows:
            parts.append(f"## {heading}\n\n{table(['', *kinds], rows)}\n")
    rows = [[name, classify(program)] for name, program in functions().items()]
    parts.append(f"## Functions\n\n{table(['', 'float64'], rows)}\n")
    parts.append("(forms)=\n## What depends on the form\n\nFor float64:\n")
    for p in headings:
        ways = found[p].get("float64", {})
        if len(ways) > 1:
            parts.append(f"`{p.name}`\n" + "".join(f": {way}: {'; '.join(names)}\n" for way, names in ways.items()))
    return "\n".join(parts)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(None if PAGE.read_text(encoding="utf-8") == page() else f"{PAGE.name} is out of date: make docs")
    PAGE.write_text(page(), encoding="utf-8")
