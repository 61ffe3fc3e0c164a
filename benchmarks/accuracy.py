"""Measure the error of the elementary functions in compiled loops; writes the tables of docs/accuracy.md.

python benchmarks/accuracy.py                     # print the tables
python benchmarks/accuracy.py --write             # put them into docs/accuracy.md
python benchmarks/accuracy.py --count 1000000     # more arguments of each kind
"""

import argparse
import pathlib
import re
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.ulp import BINARY, SPECIAL, UNARY, worst  # noqa: E402
from wengert.compiler.formulas import FORMULAS  # noqa: E402
from wengert.compiler.vector_math import _COMPOSITE, _INTRINSICS, library_symbols  # noqa: E402

BEGIN, END = "<!-- measured by benchmarks/accuracy.py -->", "<!-- end -->"


def source(name, dtype):
    """Where the code comes from."""
    if name in FORMULAS and dtype == np.float64:
        return "formula"
    if name in _INTRINSICS or name in _COMPOSITE - {"gammaln"}:
        return "instructions"
    own = {"gamma": "tgamma", "gammaln": "lgamma"}.get(name, name)
    own = own.replace("arc", "a").replace("power", "pow") + ("f" if dtype == np.float32 else "")
    return (
        "vector library" if any(s.startswith("_ZGV") and s.endswith(f"_{own}") for s in library_symbols()) else "libm"
    )


def table(dtype, count):
    """Rows of a Markdown table: function, source, largest error for each number of lanes."""
    lanes = (2, 4, 8) if dtype == np.float64 else (4, 8, 16)
    lines = [
        f"| {np.dtype(dtype)} | code | " + " | ".join(f"{n} lanes" for n in lanes) + " | largest error at |",
        "| --- | --- | " + "--- | " * len(lanes) + "--- |",
    ]
    for name in UNARY + BINARY:
        results = [worst(name, dtype, count, n) for n in lanes]
        place = max(results, key=lambda r: r[0])[1]
        where = "" if max(r[0] for r in results) == 0 else ", ".join(f"{float(x):.6g}" for x in place)
        errors = " | ".join("exact" if r[0] == 0 else f"{r[0]:.2f}" for r in results)
        lines.append(f"| {name} | {source(name, dtype)} | {errors} | {where} |")
        print(lines[-1], file=sys.stderr)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="arguments of each of 13 kinds")
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md")
    options = parser.parse_args()
    points = 13 * options.count + 2 * len(SPECIAL)
    text = f"Largest errors in ulp over {points:,} arguments or pairs for each function.\n\n"
    text += "\n\n".join(table(dtype, options.count) for dtype in (np.float64, np.float32))
    if not options.write:
        print(text)
        return
    page = ROOT / "docs" / "accuracy.md"
    old = page.read_text()
    new = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{text}\n\n{END}", old, flags=re.DOTALL)
    page.write_text(new)


if __name__ == "__main__":
    main()
