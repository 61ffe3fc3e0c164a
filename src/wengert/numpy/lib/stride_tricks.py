"""Views by strides: of all windows, and of elements at any distances in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.array import Array, layout_of, take_strided, take_view, unwrap, wrap
from wengert.array.steps import WindowStep
from wengert.core.values import Value, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, describe, implements, normalise_axis
from wengert.numpy.shaping import as_shape
from wengert.rules.indexing import sliding_windows


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """A view of all windows of a shape, as new last axes; with ``writeable=True`` windows that can be written to."""
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
    if not isinstance(a, Array):
        return sliding_windows(a, lengths, axes)
    if writeable:
        windows = np.lib.stride_tricks.sliding_window_view(np.asarray(layout_of(a)), lengths, axes)
        return _strided(a, windows.shape, windows.strides, True)
    return take_view(a, WindowStep(lengths, axes))


def _as_strided(x: Any, shape: Any = None, strides: Any = None, subok: bool = False, writeable: bool = True) -> Any:
    """A view of elements at any distances in memory, in bytes: those that the array has in NumPy, its `strides`.

    It has to stay within the array (and the one that it is a view of). Writing is possible where no element of the
    array is written more than once. A plain array goes to NumPy, which has no protocol for this function: write
    `wengert.numpy.lib.stride_tricks.as_strided`.
    """
    if not isinstance(x, (Array, Value)):
        a = as_array(x)
        if not isinstance(a, (Array, Value)):
            return np.lib.stride_tricks.as_strided(a, shape, strides, subok, writeable)
        x = a
    if isinstance(x, Value):
        return unwrap(_as_strided(wrap(x), shape, strides, subok, writeable))
    x = x if x.is_mutable else x[...]
    own = np.asarray(layout_of(x))
    shape = own.shape if shape is None else as_shape(shape)
    strides = own.strides if strides is None else as_shape(strides)
    if len(shape) != len(strides) or min(shape, default=0) < 0:
        raise ValueError(f"there are no arrays of shape {shape} with strides {strides}")
    return _strided(x, shape, strides, writeable)


def _strided(x: Array, shape: tuple[int, ...], strides: tuple[int, ...], writeable: bool) -> Any:
    view = take_strided(x, shape, strides, writeable)
    if view is None:
        fail(
            UnsupportedOperationError,
            f"an array of shape {shape} with strides {strides} reaches memory outside of the elements of the traced "
            f"array of shape {x.shape} with strides {layout_of(x).strides}. Use the strides of the array, x.strides, "
            "and a shape that stays inside.",
        )
    return view


as_strided = describe(_as_strided, np.lib.stride_tricks.as_strided, _as_strided)


__all__ = ["as_strided", "sliding_window_view"]
