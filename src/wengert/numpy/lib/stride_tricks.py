"""Sliding windows. `as_strided`, which works on addresses in memory, cannot follow traced values."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.array import Array, take_view
from wengert.array.steps import WindowStep
from wengert.core.values import shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, implements, normalise_axis
from wengert.numpy.shaping import as_shape
from wengert.rules.indexing import sliding_windows


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """A read-only view of all windows of a shape, as new last axes."""
    if writeable:
        fail(
            UnsupportedOperationError,
            "windows of a traced array that can be written to, one write changing several windows, are not supported. "
            "Write to the array itself.",
        )
    a = as_array(x)
    shape = shape_of(a)
    lengths = as_shape(window_shape)
    if min(lengths, default=0) < 0:
        raise ValueError("`window_shape` cannot contain negative values")
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(normalise_axis(i, len(shape)) for i in axes)
    if len(axes) != len(lengths):
        raise ValueError(
            f"Must provide matching length window_shape and axis; got {len(lengths)} window_shape elements and "
            f"{len(axes)} axes elements."
        )
    rest = list(shape)
    for i, length in zip(axes, lengths, strict=True):
        rest[i] -= length - 1
        if rest[i] <= 0:
            raise ValueError("window shape cannot be larger than input array shape")
    return take_view(a, WindowStep(lengths, axes)) if isinstance(a, Array) else sliding_windows(a, lengths, axes)


__all__ = ["sliding_window_view"]
