"""How each primitive is written in a Wengert list: ``v₁ · v₂``, ``sin v₁``, ``v₁ with [i] ← v₂``.

One table for all: a row is a function of the operands' names, the parameters and the shape of the output. A primitive
without a row is written as a call, ``einsum(v₁, v₂, subscripts='ij,j')``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert.rules.indexing import ARRAY

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
# Parameters that say how something is computed and not what.
_SILENT = {"donate", "copy", "rule"}

Operands = Sequence[str]
Row = Callable[[Operands, Mapping[str, Any], tuple[int, ...]], str]


def subscript(number: int) -> str:
    """Write a number below the line."""
    return str(number).translate(_SUBSCRIPTS)


def formula(name: str, operands: Operands, params: Mapping[str, Any], shape: tuple[int, ...]) -> str:
    """Write one operation.

    Parameters
    ----------
    name : str
        Name of the primitive.
    operands : sequence of str
        What its arguments are called.
    params : mapping
        Its parameters.
    shape : tuple of int
        Shape of its output.
    """
    row = SYMBOLS.get(name)
    return _call(name)(operands, params, shape) if row is None else row(operands, params, shape)


def _infix(symbol: str) -> Row:
    return lambda o, p, s: f"{o[0]} {symbol} {o[1]}"


def _word(word: str) -> Row:
    return lambda o, p, s: f"{word} {o[0]}"


def _around(before: str, after: str) -> Row:
    return lambda o, p, s: f"{before}{o[0]}{after}"


def _call(name: str) -> Row:
    def write(o: Operands, params: Mapping[str, Any], shape: tuple[int, ...]) -> str:
        shown = [f"{k}={v!r}" for k, v in params.items() if k not in _SILENT and v is not None]
        return f"{name}({', '.join([*o, *shown])})"

    return write


def _power(o: Operands, params: Mapping[str, Any], shape: tuple[int, ...]) -> str:
    exponent = o[1].strip("()")
    if exponent.lstrip("-").isdigit():
        return o[0] + exponent.translate(_SUPERSCRIPTS)
    return f"{o[0]} ^ {o[1]}"


def _over_axes(symbol: str) -> Row:
    def write(o: Operands, params: Mapping[str, Any], shape: tuple[int, ...]) -> str:
        axis = params.get("axis")
        if shape == () or axis is None:
            return f"{symbol} {o[0]}"
        axes = ", ".join(str(a) for a in (axis if isinstance(axis, tuple) else (axis,)))
        return f"{symbol} {o[0]} over axis {axes}"

    return write


def key_text(spec: tuple[Any, ...], arrays: Operands) -> str:
    """Write an index as Python would."""
    rest = iter(arrays)

    def part(s: Any) -> str:
        if s is ARRAY:
            return next(rest, "…")
        if isinstance(s, slice):
            ends = ["" if e is None else str(e) for e in (s.start, s.stop, s.step)]
            return ":".join(ends if ends[2] else ends[:2])
        return "…" if s is Ellipsis else str(s)

    return f"[{', '.join(part(s) for s in spec)}]"


def _transpose(o: Operands, params: Mapping[str, Any], shape: tuple[int, ...]) -> str:
    axes = params.get("axes")
    if len(shape) == 2 and axes in (None, (1, 0)):
        return f"{o[0]}ᵀ"
    return f"{o[0]} with axes {axes}"


SYMBOLS: dict[str, Row] = {
    "add": _infix("+"),
    "subtract": _infix("−"),
    "multiply": _infix("·"),
    "divide": _infix("/"),
    "matmul": _infix("@"),
    "remainder": _infix("mod"),
    "power": _power,
    "negative": _around("−", ""),
    "positive": _around("+", ""),
    "square": _around("", "²"),
    "reciprocal": _around("1 / ", ""),
    "sqrt": _around("√", ""),
    "cbrt": _around("∛", ""),
    "absolute": _around("|", "|"),
    "conj": _around("conj ", ""),
    "real": _around("Re ", ""),
    "imag": _around("Im ", ""),
    "exp": _word("exp"),
    "log": _word("log"),
    "sin": _word("sin"),
    "cos": _word("cos"),
    "tan": _word("tan"),
    "arcsin": _word("arcsin"),
    "arccos": _word("arccos"),
    "arctan": _word("arctan"),
    "sinh": _word("sinh"),
    "cosh": _word("cosh"),
    "tanh": _word("tanh"),
    "sum": _over_axes("Σ"),
    "prod": _over_axes("Π"),
    "max": _over_axes("max"),
    "min": _over_axes("min"),
    "cumsum": lambda o, p, s: f"cumsum {o[0]} along axis {p['axis']}",
    "cumprod": lambda o, p, s: f"cumprod {o[0]} along axis {p['axis']}",
    "where": lambda o, p, s: f"{o[1]} where {o[0]} else {o[2]}",
    "index": lambda o, p, s: o[0] + key_text(p["spec"], o[1:]),
    "index_update": lambda o, p, s: f"{o[0]} with {key_text(p['spec'], o[2:])} ← {o[1]}",
    "index_add": lambda o, p, s: f"{o[0]} with {key_text(p['spec'], o[2:])} += {o[1]}",
    "reshape": lambda o, p, s: f"{o[0]} in shape {s}",
    "broadcast_to": lambda o, p, s: f"{o[0]} spread to {s}",
    "transpose": _transpose,
    "astype": lambda o, p, s: f"{o[0]} as {np.dtype(p['dtype'])}",
    "custom_call": lambda o, p, s: _call(p["rule"].name)(o, {}, s),
    "odeint": lambda o, p, s: _call("odeint")((str(p["system"]), *o), {}, s),
}
