"""Questions about arrays: shapes and types, closeness, equality. The answers carry no derivative."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.array import Array, any_traced, layout_of
from wengert.core.values import Value, dtype_of, shape_of
from wengert.numpy.dispatch import as_array, concrete, implements, normalise_axes
from wengert.numpy.reductions import all as all_
from wengert.numpy.ufuncs import absolute, equal, imag, isfinite, isnan, less_equal, where


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """Axis lengths."""
    return shape_of(as_array(a))


@implements(np.ndim)
def ndim(a: Any) -> int:
    """Number of axes."""
    return len(shape(a))


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """Number of elements, in all or along axes."""
    lengths = shape(a)
    return math.prod([lengths[i] for i in normalise_axes(axis, len(lengths))])


def isscalar(element: Any) -> bool:
    """Whether this is a number (`numpy.isscalar`): also the traced ones that reductions and x[i] return."""
    if isinstance(element, Array):
        return not element.is_mutable and not element.shape
    return np.isscalar(element)


def _typed(x: Any) -> Any:
    """Return what stands for an argument in a question about dtypes."""
    return dtype_of(as_array(x)) if isinstance(x, (Array, Value)) else x


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """Dtype of a computation with all of these."""
    return np.result_type(*(_typed(x) for x in arrays_and_dtypes))


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> np.dtype[Any]:
    """The smallest dtype that holds a number; the dtype of an array."""
    return dtype_of(as_array(a)) if shape(a) else np.min_scalar_type(concrete(a, "min_scalar_type"))


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """Whether a cast is allowed."""
    return np.can_cast(_typed(from_), to, casting)


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    """Floating-point type that all arrays can be cast to."""
    return np.common_type(*(np.empty(0, dtype_of(as_array(a))) for a in arrays))


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex."""
    return dtype_of(as_array(x)).kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex."""
    return not iscomplexobj(x)


@implements(np.isfortran)
def isfortran(a: Any) -> bool:
    """Whether the elements lie in Fortran order in memory, and not in C order as well."""
    plain = layout_of(a) if isinstance(a, Array) else None
    return isinstance(plain, np.ndarray) and plain.flags.fnc


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """Where the imaginary part is zero."""
    return equal(imag(x), 0)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """Where the imaginary part is not zero."""
    return ~isreal(x)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Where |a - b| ≤ atol + rtol·|b|."""
    a, b = as_array(a), as_array(b)
    finite = isfinite(b)
    with np.errstate(invalid="ignore"):
        near = less_equal(absolute(a - b), atol + rtol * absolute(b))
    result = where(finite, near, equal(a, b)) != 0
    return result | (isnan(a) & isnan(b)) if equal_nan else result


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all elements are close."""
    return _truth(isclose(a, b, rtol, atol, equal_nan))


def _truth(conditions: Any) -> Any:
    """Whether all hold: a bool, unless they are traced."""
    result = all_(conditions)
    return result if any_traced(result) else bool(result)


def _broadcastable(a: Any, b: Any) -> bool:
    try:
        np.broadcast_shapes(shape(a), shape(b))
    except ValueError:
        return False
    return True


def _all_equal(a: Any, b: Any, equal_nan: bool) -> Any:
    same = equal(a, b)
    return _truth(same | (isnan(a) & isnan(b)) if equal_nan else same)


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether shapes and elements are equal."""
    a1, a2 = as_array(a1), as_array(a2)
    return shape(a1) == shape(a2) and _all_equal(a1, a2, equal_nan)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether elements are equal after broadcasting."""
    a1, a2 = as_array(a1), as_array(a2)
    return _broadcastable(a1, a2) and _all_equal(a1, a2, equal_nan=False)


@implements(np.may_share_memory)
def may_share_memory(a: Any, b: Any, /, max_work: Any = 0) -> bool:
    """Whether writing to one may change the other."""
    return shares_memory(a, b)


@implements(np.shares_memory)
def shares_memory(a: Any, b: Any, /, max_work: Any = -1) -> bool:
    """Whether writing to one changes the other: for an Array, whether both are views of one Array."""
    if not (isinstance(a, Array) and isinstance(b, Array)):
        return False
    base = getattr(a, "_base", a)
    if getattr(b, "_base", b) is not base:
        return False
    numbers: Any = np.arange(base.size).reshape(base.shape)  # each element has one, and each imaginary part
    if base.dtype.kind == "c":
        numbers = numbers + 1j * (numbers + base.size)
    return bool(np.isin(_numbers(a, numbers), _numbers(b, numbers)).any())


def _numbers(x: Array, numbers: Any) -> Any:
    """Take the view that `x` is of its base, of the numbers of the elements there."""
    for step in getattr(x, "_steps", ()):
        numbers = step.forward(numbers)
    return np.concatenate([numbers.real.ravel(), numbers.imag.ravel()]) if numbers.dtype.kind == "c" else numbers


@implements(np.array2string)
def array2string(
    a: Any,
    max_line_width: Any = None,
    precision: Any = None,
    suppress_small: Any = None,
    separator: str = " ",
    prefix: str = "",
    **options: Any,
) -> str:
    """The values as text, without what belongs to derivatives."""
    plain = concrete(a, "array2string")
    return np.array2string(plain, max_line_width, precision, suppress_small, separator, prefix, **options)


@implements(np.array_repr)
def array_repr(arr: Any, max_line_width: Any = None, precision: Any = None, suppress_small: Any = None) -> str:
    """The Array as text."""
    return repr(arr)


@implements(np.array_str)
def array_str(a: Any, max_line_width: Any = None, precision: Any = None, suppress_small: Any = None) -> str:
    """The Array as text."""
    return str(a)


__all__ = [
    "allclose",
    "array2string",
    "array_equal",
    "array_equiv",
    "array_repr",
    "array_str",
    "can_cast",
    "common_type",
    "isclose",
    "iscomplex",
    "iscomplexobj",
    "isfortran",
    "isreal",
    "isrealobj",
    "isscalar",
    "may_share_memory",
    "min_scalar_type",
    "ndim",
    "result_type",
    "shape",
    "shares_memory",
    "size",
]
