"""Views by strides: of all windows, and of elements at any distances in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.array import Array, layout_of, take_strided, take_view, unwrap, wrap
from wengert.array.steps import WindowStep
from wengert.core.values import Value, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, implements, normalise_axis
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


def as_strided(x: Any, shape: Any = None, strides: Any = None, subok: bool = False, writeable: bool = True) -> Any:
    """Return a view of elements at any distances in memory, as `numpy.lib.stride_tricks.as_strided` does.

    NumPy has no protocol for this function: call it by this name. A plain array goes to NumPy.

    Parameters
    ----------
    x : array
        The array. The view has to stay within it (and the array that it is a view of).
    shape : sequence of int, optional
        Shape of the view.
    strides : sequence of int, optional
        Distances along its axes, in bytes: multiples of those that the array has, ``x.strides``.
    subok : bool, optional
        For plain arrays.
    writeable : bool, optional
        Whether the view can be written to, which it can where no element of the array is written more than once.

    Returns
    -------
    array
        The view.

    Raises
    ------
    ValueError
        Shape and strides do not belong together.
    UnsupportedOperationError
        The view leads out of the array.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.numpy.lib.stride_tricks import as_strided
    >>> def f(x):
    ...     pairs = as_strided(x, (3, 2), (x.strides[0], x.strides[0]))
    ...     return np.sum(pairs[:, 0] * pairs[:, 1])
    >>> grad(f)(np.array([1.0, 2.0, 3.0, 4.0]))
    array([2., 4., 6., 3.])
    """
    if not isinstance(x, (Array, Value)):
        a = as_array(x)
        if not isinstance(a, (Array, Value)):
            return np.lib.stride_tricks.as_strided(a, shape, strides, subok, writeable)
        x = a
    if isinstance(x, Value):
        return unwrap(as_strided(wrap(x), shape, strides, subok, writeable))
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


__all__ = ["as_strided", "sliding_window_view"]
