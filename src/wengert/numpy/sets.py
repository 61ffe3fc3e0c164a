"""Sets of numbers. Which elements are equal is piecewise constant; the values pass through.

Where several elements are equal, the derivative goes to the first of them: of the first array, for two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, concrete, implements, is_concrete
from wengert.numpy.indexing import take
from wengert.numpy.joining import concatenate
from wengert.numpy.reductions import any as any_
from wengert.numpy.shaping import cast, ravel, reshape
from wengert.numpy.ufuncs import equal, logical_not


@implements(np.unique, pure=True)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,  # noqa: A002
) -> Any:
    """The derivative of each element goes to its first occurrence."""
    a = as_array(ar)
    _, first, *others = np.unique(concrete(a, "unique"), True, return_inverse, return_counts, axis, equal_nan=equal_nan)
    values = take(ravel(a), first) if axis is None else take(a, first, axis=axis)
    result = (values, *([first] if return_index else []), *others)
    return result if len(result) > 1 else values


@implements(np.union1d, pure=True)
def union1d(ar1: Any, ar2: Any) -> Any:
    """Elements of at least one of the arrays."""
    return unique(concatenate([ar1, ar2], axis=None))


@implements(np.intersect1d, pure=True)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """Elements of both arrays; their derivatives are those in the first."""
    a, b = as_array(ar1), as_array(ar2)
    plain = concrete(a, "intersect1d"), concrete(b, "intersect1d")
    _, first, second = np.intersect1d(*plain, assume_unique, return_indices=True)
    values = cast(take(ravel(a), first), np.result_type(dtype_of(a), dtype_of(b)))
    return (values, first, second) if return_indices else values


@implements(np.setdiff1d, pure=True)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Elements of the first array only."""
    a = ravel(as_array(ar1)) if assume_unique else unique(ar1)
    return take(a, np.flatnonzero(~np.isin(concrete(a, "setdiff1d"), concrete(ar2, "setdiff1d"))))


@implements(np.setxor1d, pure=True)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Elements of exactly one of the arrays."""
    both = concatenate([ar1, ar2] if assume_unique else [unique(ar1), unique(ar2)], axis=None)
    plain = concrete(both, "setxor1d")
    order = np.argsort(plain, kind="stable")
    changes = np.concatenate([[True], plain[order[1:]] != plain[order[:-1]], [True]])
    return take(both, order[changes[1:] & changes[:-1]] if order.size else order)


@implements(np.isin, pure=True)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Any:
    """Truth values: no derivative."""
    if is_concrete((element, test_elements)):
        plain = concrete(element, "isin"), concrete(test_elements, "isin")
        return np.isin(*plain, assume_unique=assume_unique, invert=invert, kind=kind)
    x = as_array(element)
    found = any_(equal(reshape(x, (*shape_of(x), 1)), reshape(test_elements, (-1,))), axis=-1)
    return logical_not(found) if invert else found


__all__ = ["intersect1d", "isin", "setdiff1d", "setxor1d", "union1d", "unique"]
