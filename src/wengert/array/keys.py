"""Indices as users write them, brought into the form of `wengert.rules.indexing`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.staging import Staged
from wengert.core.values import Value
from wengert.errors import ConcretizationError, UnsupportedOperationError, fail
from wengert.rules.indexing import ARRAY


def normalise_key(
    key: Any, x: Any, unwrap: Callable[[Any], Any], *, writing: bool = False
) -> tuple[Any, list[Any], bool]:
    """Turn an index into (spec, index arrays, expand) as `rules.indexing` wants them.

    `unwrap` turns what the user wrote into a value. `expand` says that a 0-d boolean index asked for a new first axis.
    A spec of None stands for a batched mask of the shape of `x`, which can only be written through.
    """
    if type(key) is int:
        return (key,), [], False
    parts = key if type(key) is tuple else (key,)
    spec: list[Any] = []
    arrays: list[Any] = []
    expand = False
    for part in parts:
        if type(part) is int or isinstance(part, slice) or part is None or part is Ellipsis:
            spec.append(_plain_slice(part) if isinstance(part, slice) else part)
            continue
        given, part = part, unwrap(part)
        if isinstance(part, Value):
            if writing and part.dtype.kind == "b" and len(parts) == 1 and part.shape == x.shape:
                return None, [part], False
            _check_value(part)
            spec.append(ARRAY)
            arrays.append(part)
            continue
        part = np.asarray(part)
        if part.dtype.kind == "b":
            if part.ndim == 0:
                expand = True
                spec.insert(0, ARRAY)
                arrays.insert(0, np.zeros(int(part), np.intp))
                continue
            _check_mask(part, spec, x)
            found = np.nonzero(part)
            spec.extend([ARRAY] * len(found))
            arrays.extend(found)
        elif part.size == 0 and isinstance(given, (list, tuple)):
            spec.append(ARRAY)
            arrays.append(part.astype(np.intp))
        elif part.dtype.kind not in "iu":
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays "
                "are valid indices"
            )
        elif part.ndim == 0 and not isinstance(given, np.ndarray):  # a 0-d array selects a copy, an int a view
            spec.append(int(part))
        else:
            spec.append(ARRAY)
            arrays.append(part.copy())
    return tuple(spec), arrays, expand


def _plain_slice(s: slice) -> slice:
    """A slice whose bounds are Python ints or None."""
    if all(type(v) is int or v is None for v in (s.start, s.stop, s.step)):
        return s
    return slice(*(None if v is None else operator.index(v) for v in (s.start, s.stop, s.step)))


def _check_value(part: Value) -> None:
    """Raise an error for a traced index that is no integer."""
    if part.dtype.kind == "b" and isinstance(part, Staged):
        fail(
            ConcretizationError,
            "a boolean mask that is computed by the program selects a number of elements that is not known when it is "
            "recorded. Use np.where(mask, a, b) instead, or a mask from outside the function.",
        )
    if part.dtype.kind == "b":
        fail(
            UnsupportedOperationError,
            "a boolean mask that depends on a vmapped value selects a different number of elements for each example. "
            "Use np.where(mask, a, b) instead.",
        )
    if part.dtype.kind not in "iu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")


def _check_mask(mask: np.ndarray, spec: list[Any], x: Any) -> None:
    """Raise NumPy's error for a mask that does not fit the axes it indexes."""
    if Ellipsis in spec:
        return
    first = sum(s is not None for s in spec)
    expected = x.shape[first : first + mask.ndim]
    if mask.shape != expected:
        raise IndexError(
            f"boolean index did not match indexed array: its shape is {mask.shape}, the indexed axes have {expected}"
        )
