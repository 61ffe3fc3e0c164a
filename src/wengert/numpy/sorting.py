"""Sorting and searching: the order is piecewise constant, the values pass through."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.array import Array, plain_bool
from wengert.core.values import shape_of
from wengert.numpy.dispatch import as_array, call, implements, normalise_axis
from wengert.numpy.indexing import take_along_axis
from wengert.numpy.shaping import reshape
from wengert.rules import reductions


@implements(np.argsort)
def argsort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """Indices: no derivative."""
    a = as_array(a)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    return call(
        reductions.argsort, a, axis=normalise_axis(axis, len(shape_of(a))), kind="stable" if stable else kind
    )


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """The derivative goes with each element to its new place."""
    a = as_array(a)
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    return take_along_axis(a, argsort(a, axis, kind, stable=stable), axis)


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Indices: no derivative."""
    plain = [plain_bool(x) if isinstance(x, Array) else x for x in (a, v)]
    return np.searchsorted(*plain, side=side, sorter=sorter)  # type: ignore[call-overload]
