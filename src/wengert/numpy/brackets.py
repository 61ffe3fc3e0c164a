"""`r_` and `c_`: join what stands between brackets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.core.values import shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.creation import linspace
from wengert.numpy.dispatch import as_array, common_dtype, concrete, has_traced
from wengert.numpy.joining import concatenate
from wengert.numpy.shaping import reshape, transpose


class Concatenator:
    """np.r_ or np.c_.

    Parameters
    ----------
    numpy_object
        What plain arguments go to.
    axis, rank, place
        Along which axis the parts are joined, to how many axes they are brought, and where the axes of a part with
        fewer ones go (-1: to the end). A string as the first part says all three, as in ``r_["0,2,-1", x, y]``.
    """

    def __init__(self, numpy_object: Any, axis: int, rank: int, place: int) -> None:
        self._numpy = numpy_object
        self._directions = (axis, rank, place)

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        bounds = [(p.start, p.stop, p.step) for p in parts if isinstance(p, slice)]
        if not has_traced(parts, {}) and not any(has_traced(b, {}) for b in bounds):
            return self._numpy[key]
        axis, rank, place = self._directions
        if isinstance(parts[0], str):
            axis, rank, place = _directions(parts[0], self._directions)
            parts = parts[1:]
        dtype = common_dtype(*(_values(p) if isinstance(p, slice) else p for p in parts))
        return concatenate([_brought_to(_values(p), rank, place, p) for p in parts], axis=axis, dtype=dtype)

    def __len__(self) -> int:
        return 0


def _directions(text: str, default: tuple[int, int, int]) -> tuple[int, int, int]:
    if text in ("r", "c"):
        fail(UnsupportedOperationError, "np.matrix is not supported: leave out the 'r' or 'c', or use np.stack.")
    try:
        given = [int(n) for n in text.split(",")]
    except ValueError:
        raise ValueError(f"unknown special directive {text!r}") from None
    axis, rank, place = (*given, *default[len(given) :])[:3]
    return axis, rank, place


def _values(part: Any) -> Any:
    """An array; of a slice the numbers that it stands for: start:stop:step, or start:stop:number·1j."""
    if not isinstance(part, slice):
        return as_array(part)
    start, stop, step = 0 if part.start is None else part.start, part.stop, 1 if part.step is None else part.step
    if isinstance(step, complex):
        return linspace(start, stop, int(abs(step)))
    if has_traced((start, stop, step), {}):
        count = math.ceil(concrete((stop - start) / step, "r_"))
        return start + step * np.arange(max(count, 0))
    return np.arange(start, stop, step)


def _brought_to(x: Any, rank: int, place: int, part: Any) -> Any:
    """Add axes of length 1 until there are `rank`."""
    missing = rank - len(shape_of(x))
    if missing <= 0:
        return x
    moved = len(shape_of(x)) and place != -1
    x = reshape(x, (1,) * missing + shape_of(x))
    if not moved:
        return x
    if isinstance(part, slice):
        axes = list(range(rank))
        axes[-1], axes[place] = axes[place], axes[-1]
        return transpose(x, axes)
    start = place + missing + 1 if place < 0 else place
    axes = list(range(rank))
    return transpose(x, axes[:start] + axes[missing:] + axes[start:missing])


r_ = Concatenator(np.r_, axis=0, rank=1, place=-1)
c_ = Concatenator(np.c_, axis=-1, rank=2, place=0)

__all__ = ["c_", "r_"]
