"""`WengertList`: a recorded computation as data, as a table, and as a graph."""

from __future__ import annotations

import dataclasses
import html
import os
import shutil
import subprocess
from typing import Any

from wengert.display.formatting import aligned, brief

# Longer lists are printed without their middle, and not drawn.
_PRINTED_STEPS = 200
_DRAWN_STEPS = 300
_HIDDEN = "·"


@dataclasses.dataclass(frozen=True)
class Step:
    """One line of a Wengert list.

    Attributes
    ----------
    name : str
        What the value is called: ``v₁``, or the name of an argument or result of the function.
    formula : str
        How it is computed, ``x · y``; empty for an argument.
    operation : str
        Name of the primitive; ``"input"`` or ``"output"`` for arguments and results.
    operands : tuple of str
        Names of the values that it is computed from, constants left out.
    primal, tangent, adjoint : ndarray, NumPy scalar or None
        The value, its derivative in the direction of the tangents, and the derivative of the output with respect to
        it. None where it has not been computed.
    location : tuple (file, line, source) or None
        Where in the user's code it was computed.
    """

    name: str
    formula: str
    operation: str
    operands: tuple[str, ...]
    primal: Any
    tangent: Any
    adjoint: Any
    location: tuple[str, int, str] | None


class WengertList:
    """A recorded computation, as `trace` returns it: print it, or look at its `steps`.

    Attributes
    ----------
    steps : list of Step
        Arguments, operations in the order of their execution, results.
    """

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps

    def __len__(self) -> int:
        return len(self.steps)

    def __str__(self) -> str:
        rows = self.rows()
        header, body = rows[0], rows[1:]
        if len(body) > _PRINTED_STEPS:
            half = _PRINTED_STEPS // 2
            skipped = [f"… {len(body) - 2 * half} more …", *[""] * (len(header) - 1)]
            body = [*body[:half], skipped, *body[-half:]]
        lines = aligned([header, *body])
        return "\n".join([lines[0], "─" * max(len(line) for line in lines), *lines[1:]])

    def __repr__(self) -> str:
        return f"<WengertList of {sum(s.operation not in ('input', 'output') for s in self.steps)} operations>"

    def rows(self) -> list[list[str]]:
        """Return the cells of the table, its header first."""
        adjoints = any(s.adjoint is not None for s in self.steps)
        header = ["step", "primal", "tangent", *(["adjoint"] if adjoints else []), "line"]
        rows = [header]
        for s in self.steps:
            row = [f"{s.name} = {s.formula}" if s.formula else s.name, brief(s.primal), _optional(s.tangent)]
            if adjoints:
                row.append(_optional(s.adjoint))
            rows.append([*row, _place(s.location)])
        return rows

    def to_dot(self) -> str:
        r"""Return the computational graph in Graphviz's language.

        Examples
        --------
        >>> from wengert import trace
        >>> print(trace(lambda x: x * x)(3.0).to_dot())
        digraph {
          rankdir=LR
          node [shape=box style=rounded fontname="Helvetica"]
          n0 [label="x\n3" shape=ellipse]
          n1 [label="v₁ = x · x\n9"]
          n2 [label="y = v₁\n9" shape=ellipse]
          n0 -> n1
          n0 -> n1
          n1 -> n2
        }
        """
        number = {s.name: i for i, s in enumerate(self.steps) if s.operation != "output"}
        nodes, edges = [], []
        for i, s in enumerate(self.steps):
            label = f"{s.name} = {s.formula}" if s.formula else s.name
            text = f"{_quoted(label)}\\n{_quoted(brief(s.primal))}"
            shape = " shape=ellipse" if s.operation in ("input", "output") else ""
            nodes.append(f'  n{i} [label="{text}"{shape}]')
            edges += [f"  n{number[o]} -> n{i}" for o in s.operands]
        style = '  rankdir=LR\n  node [shape=box style=rounded fontname="Helvetica"]'
        return "\n".join(["digraph {", style, *nodes, *edges, "}"])

    def to_svg(self) -> str | None:
        """Return the graph as SVG, None if Graphviz's program ``dot`` is not installed or fails."""
        dot = shutil.which("dot")
        if dot is None:
            return None
        done = subprocess.run(
            [dot, "-Tsvg"], input=self.to_dot(), capture_output=True, text=True, encoding="utf-8", check=False
        )
        return done.stdout[done.stdout.index("<svg") :] if done.returncode == 0 and "<svg" in done.stdout else None

    def _repr_html_(self) -> str:
        header, *body = self.rows()
        if len(body) > _PRINTED_STEPS:
            return f"<pre>{html.escape(str(self))}</pre>"
        cell = '<td style="text-align:left">{}</td>'
        lines = ["<table>", "<tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in header) + "</tr>"]
        lines += ["<tr>" + "".join(cell.format(html.escape(c)) for c in row) + "</tr>" for row in body]
        lines.append("</table>")
        svg = self.to_svg() if len(self) <= _DRAWN_STEPS else None
        return "\n".join([*lines, *([svg] if svg else [])])


def _optional(x: Any) -> str:
    return _HIDDEN if x is None else brief(x)


def _place(location: tuple[str, int, str] | None) -> str:
    return "" if location is None else f"{os.path.basename(location[0])}:{location[1]}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
