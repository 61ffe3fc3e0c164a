"""Numbers and arrays in little space."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.values import Value
from wengert.transforms.batch import Batched

_WHOLE = 4  # arrays of one axis up to this length are shown whole


def brief(x: Any) -> str:
    """Write a value in at most about 30 characters.

    Examples
    --------
    >>> import numpy as np
    >>> brief(np.float64(1) / 3), brief(np.array([1.0, 2.5])), brief(np.zeros((64, 10)))
    ('0.333333', '[1, 2.5]', '[0, 0, … 0] (64×10)')
    """
    x = bottom(x)
    if x.ndim == 0:
        return number(x[()])
    if x.ndim == 1 and x.size <= _WHOLE:
        return f"[{', '.join(number(e) for e in x)}]"
    shape = "×".join(str(n) for n in x.shape) if x.ndim > 1 else f"{x.size} elements"
    if x.size <= _WHOLE:
        return f"[{', '.join(number(e) for e in x.flat)}] ({shape})"
    first, second, last = x.flat[0], x.flat[1], x.flat[-1]
    return f"[{number(first)}, {number(second)}, … {number(last)}] ({shape})"


def number(x: Any) -> str:
    """Write one number with six digits."""
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    if isinstance(x, (complex, np.complexfloating)):
        return f"{x.real + 0.0:.6g}{x.imag + 0.0:+.6g}j"
    return f"{x + 0:.6g}" if isinstance(x, (int, float, np.number)) else str(x)


def bottom(x: Any) -> np.ndarray:
    """The plain array at the bottom of a traced value (the whole batch, under vmap)."""
    while isinstance(x, Value):
        x = x.value if isinstance(x, Batched) else x.payload
    return np.asarray(x)


def aligned(rows: list[list[str]], gap: str = "   ") -> list[str]:
    """Pad the cells of a table to columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [gap.join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
