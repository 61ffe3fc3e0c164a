"""Samples of loops and branches, with recorded programs of a few operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.staging import record
from wengert.core.values import ArrayType
from wengert.rules.elementwise import cos, less, sin, tanh
from wengert.rules.indexing import ARRAY, index, index_update
from wengert.transforms.branches import branch
from wengert.transforms.loops import loop

from .sample import Sample

_rng = np.random.default_rng(12)
_COUNTER = ArrayType((), np.dtype(np.int64))
_NUMBER = ArrayType((), np.dtype(float))
_VECTOR = ArrayType((4,), np.dtype(float))


def _program(function: Callable[..., Sequence[Any]], *types: ArrayType) -> Any:
    return record(function, types, "sample")


def _loop(
    body: Any,
    args: Sequence[Any],
    *,
    constants: int,
    state: int,
    trips: int | None = None,
    condition: Any = None,
    reverse: bool = False,
    slots: int | None = None,
    note: str = "",
) -> Sample:
    params = {
        "body": body, "condition": condition, "trips": trips, "constants": constants, "state": state,
        "reverse": reverse, "axis": 0, "slots": slots,
    }  # fmt: skip
    return Sample(loop, tuple(args), params, note=note)


def _powers(i: Any, c: Any, s: Any) -> list[Any]:
    return [s * c + sin(s)]


def _recurrence(i: Any, c: Any, s: Any) -> list[Any]:
    """Write to one element in each iteration."""
    new = sin(index(s, i - 1, spec=(ARRAY,))) * index(c, i, spec=(ARRAY,))
    return [index_update(s, new, i, spec=(ARRAY,), donate=False)]


def _scan(i: Any, c: Any, s: Any, x: Any) -> list[Any]:
    new = tanh(s * c + x)
    return [new, new * x]


def _halving(i: Any, c: Any, s: Any) -> list[Any]:
    return [s * 0.5 + 0.1 * sin(c)]


def _large(c: Any, s: Any) -> list[Any]:
    return [less(0.3, s)]


_POWERS = _program(_powers, _COUNTER, _NUMBER, _NUMBER)
_RECURRENCE = _program(_recurrence, _COUNTER, _VECTOR, _VECTOR)
_SCAN = _program(_scan, _COUNTER, _NUMBER, _VECTOR, _VECTOR)
_HALVING = _program(_halving, _COUNTER, _NUMBER, _NUMBER)
_LARGE = _program(_large, _NUMBER, _NUMBER)
_CASES = tuple(_program(lambda x, y, f=f: [f(x * y), x], _VECTOR, _NUMBER) for f in (sin, cos, tanh))
_x, _c = _rng.normal(size=4), 0.7

SAMPLES = [
    _loop(_POWERS, (_c, 0.4), constants=1, state=1, trips=3),
    _loop(_POWERS, (_c, 0.4), constants=1, state=1, trips=0, note="no iteration"),
    _loop(_POWERS, (np.int64(4), _c, 0.4), constants=1, state=1, note="computed number"),
    _loop(_POWERS, (np.int64(-2), _c, 0.4), constants=1, state=1, note="computed number, none"),
    _loop(_POWERS, (_c, 0.4), constants=1, state=1, trips=5, slots=2, note="snapshots"),
    _loop(_RECURRENCE, (_x, _rng.normal(size=4)), constants=1, state=1, trips=4, note="elements"),
    _loop(_SCAN, (_c, _x, _rng.normal(size=(3, 4))), constants=1, state=1, trips=3, note="stacks"),
    _loop(_SCAN, (_c, _x, _rng.normal(size=(3, 4))), constants=1, state=1, trips=3, reverse=True, note="reversed"),
    _loop(_HALVING, (np.int64(100), _c, 5.0), constants=1, state=1, condition=_LARGE, note="condition"),
    _loop(_HALVING, (np.int64(100), _c, 0.2), constants=1, state=1, condition=_LARGE, note="never"),
    *(Sample(branch, (np.int64(case), _x, _c), {"branches": _CASES}, note=f"case {case}") for case in (-1, 0, 1, 2, 7)),
]
