"""What the Python array API standard adds to NumPy's functions, and the attributes it wants of arrays.

``x.__array_namespace__()`` of an Array is `wengert.numpy`; with it, code that is written for the standard
(https://data-apis.org/array-api) runs on Arrays, SciPy's included. The standard counts on everything in one namespace;
here integers and truth values that are computed from Arrays are plain ndarrays, which every function takes as well.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from wengert.array import Array, unwrap, wrap_owned
from wengert.core.values import Value, dtype_of, is_transforming, shape_of
from wengert.errors import ConcretizationError, fail
from wengert.numpy.dispatch import as_array, check_device, implements, normalise_axis
from wengert.numpy.joining import concatenate
from wengert.numpy.reductions import cumprod, cumsum
from wengert.numpy.sets import unique
from wengert.numpy.shaping import at_least, copy_of, moveaxis, ordered

# Cumulative functions ------------------------------------------------------------------------------------------------


def _cumulative(scan: Any, first: int, x: Any, axis: int | None, dtype: Any, include_initial: bool) -> Any:
    """A scan along an axis that has to be named unless there is only one; `first` may come before the elements."""
    x = at_least(x, 1)
    shape = shape_of(x)
    if axis is None and len(shape) > 1:
        raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
    axis = normalise_axis(0 if axis is None else axis, len(shape))
    out = scan(x, axis=axis, dtype=dtype)
    if not include_initial:
        return out
    start = np.full((*shape[:axis], 1, *shape[axis + 1 :]), first, dtype_of(out))
    return ordered(concatenate([start, out], axis=axis), "K", out)


@implements(np.cumulative_sum)
def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """Sums of the first elements."""
    return _cumulative(cumsum, 0, x, axis, dtype, include_initial)


@implements(np.cumulative_prod)
def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """Products of the first elements; right derivatives, of any order, also where elements are zero."""
    return _cumulative(cumprod, 1, x, axis, dtype, include_initial)


# Sets, parts ---------------------------------------------------------------------------------------------------------


class UniqueAllResult(NamedTuple):
    """Result of `unique_all`."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCountsResult(NamedTuple):
    """Result of `unique_counts`."""

    values: Any
    counts: Any


class UniqueInverseResult(NamedTuple):
    """Result of `unique_inverse`."""

    values: Any
    inverse_indices: Any


@implements(np.unique_all)
def unique_all(x: Any) -> Any:
    """The derivative of each element goes to its first occurrence."""
    return UniqueAllResult(*unique(x, True, True, True, equal_nan=False))


@implements(np.unique_counts)
def unique_counts(x: Any) -> Any:
    """The derivative of each element goes to its first occurrence."""
    return UniqueCountsResult(*unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def unique_inverse(x: Any) -> Any:
    """The derivative of each element goes to its first occurrence."""
    return UniqueInverseResult(*unique(x, return_inverse=True, equal_nan=False))


@implements(np.unique_values)
def unique_values(x: Any) -> Any:
    """The derivative of each element goes to its first occurrence. Sorted."""
    return unique(x, equal_nan=False)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> Any:
    """The parts along an axis."""
    x = as_array(x)
    if not shape_of(x):
        raise ValueError("Input array must be at least 1-d.")
    parts = moveaxis(x, normalise_axis(axis, len(shape_of(x))), 0)
    return tuple(parts[i] for i in range(shape_of(parts)[0]))


# Exchange with other libraries ---------------------------------------------------------------------------------------


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """`numpy.from_dlpack`: arrays of other libraries become constants, an Array stays what it is, traced or not."""
    check_device(device)
    if isinstance(x, (Array, Value)):
        return copy_of(as_array(x)) if copy else x
    if not is_transforming():
        return np.from_dlpack(x, device=device, copy=copy)
    if copy is False:
        raise ValueError("inside a transform, from_dlpack returns an Array, which is a copy; copy=False cannot be met.")
    return wrap_owned(np.array(np.from_dlpack(x)))


def _namespace(self: Any, *, api_version: Any = None) -> ModuleType:
    """Return `wengert.numpy`; a ValueError for versions of the standard that NumPy does not support."""
    np.empty(0).__array_namespace__(api_version=api_version)
    return sys.modules["wengert.numpy"]


def _to_device(self: Any, device: Any, /, *, stream: Any = None) -> Any:
    """Return the array itself: there is only the CPU."""
    np.empty(0).to_device(device, stream=stream)  # NumPy's error for any other
    return self


def _dlpack(self: Any, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None) -> Any:
    """Export a copy of the numbers; a traced array raises `ConcretizationError`."""
    value = unwrap(self)
    if isinstance(value, Value):
        fail(
            ConcretizationError,
            "a traced array was to be handed to another library through DLPack, which would lose its derivative. Pass "
            "wengert.stop_gradient(x), or give the function that needs it a rule (wengert.custom_vjp).",
        )
    if copy is False:
        raise BufferError("an Array does not share its memory; export it with copy=None or copy=True.")
    return np.array(value).__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device)


def attach() -> None:
    """Give `Array` and `Value` the attributes that the standard wants of arrays."""
    for kind in (Array, Value):
        kind.__array_namespace__ = _namespace  # type: ignore[attr-defined]
        kind.__dlpack__ = _dlpack  # type: ignore[attr-defined]
        kind.__dlpack_device__ = lambda self: np.empty(0).__dlpack_device__()  # type: ignore[attr-defined]
        kind.device = property(lambda self: "cpu", doc="Always 'cpu'.")  # type: ignore[attr-defined]
        kind.to_device = _to_device  # type: ignore[attr-defined]


attach()

__all__ = [
    "cumulative_prod",
    "cumulative_sum",
    "from_dlpack",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unstack",
]
