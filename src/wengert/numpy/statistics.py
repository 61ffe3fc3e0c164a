"""Weighted averages and covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.array import contains_traced
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, implements, no_value, normalise_axes
from wengert.numpy.indexing import diag
from wengert.numpy.joining import concatenate
from wengert.numpy.reductions import mean
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import at_least, broadcast_to, cast, copy_of, moveaxis, reshape
from wengert.numpy.ufuncs import conj, matmul, maximum, multiply, sqrt


@implements(np.average, pure=True)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = no_value) -> Any:
    """Weighted mean; the weights may be traced."""
    a = as_array(a)
    if weights is None:
        result = mean(a, axis=axis, keepdims=keepdims)
        count = float(np.prod(shape_of(a)) / max(np.prod(shape_of(result)), 1))
        total = np.full(shape_of(result), count, dtype_of(result))[()]
        return (result, total) if returned else result
    w = aligned_weights(weights, shape_of(a), axis)
    if axis is not None:
        axis = normalise_axes(axis, len(shape_of(a)))
    total = sum_(w, axis=axis, keepdims=keepdims, dtype=np.result_type(dtype_of(a), dtype_of(w)))
    if not contains_traced(total) and np.any(total == 0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    result = sum_(multiply(a, w), axis=axis, keepdims=keepdims) / total
    if not returned:
        return result
    return result, total if shape_of(total) == shape_of(result) else copy_of(broadcast_to(total, shape_of(result)))


def aligned_weights(weights: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """Bring weights of samples along some axes to the shape of the samples."""
    w = as_array(weights)
    if shape_of(w) == shape:
        return w
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = normalise_axes(axis, len(shape))
    if shape_of(w) != tuple(shape[i] for i in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    w = moveaxis(w, range(len(axes)), [sorted(axes).index(i) for i in axes])
    return broadcast_to(reshape(w, tuple(n if i in axes else 1 for i, n in enumerate(shape))), shape)


# Covariance ----------------------------------------------------------------------------------------------------------


@implements(np.cov, pure=True)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Covariance matrix; the weights may be traced."""

    def variables(x: Any) -> Any:
        x = as_array(x)
        if len(shape_of(x)) > 2:
            raise ValueError("m has more than 2 dimensions")
        x = at_least(x, 2)
        return x.T if not rowvar and shape_of(x)[0] != 1 else x

    x = variables(m) if y is None else concatenate([variables(m), variables(y)], axis=0)
    x = cast(x, np.result_type(dtype_of(x), np.float64) if dtype is None else dtype)
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is not None:
            _check_weights(name, given, shape_of(x)[1])
    w = None if fweights is None else cast(fweights, float)
    if aweights is not None:
        w = cast(aweights, float) if w is None else w * cast(aweights, float)
    free = (0 if bias else 1) if ddof is None else ddof
    center = average(x, axis=1, weights=w)
    total = 0.0 if w is None else sum_(w)
    if w is None:
        factor = float(shape_of(x)[1]) - free
    elif free == 0:
        factor = total
    elif aweights is None:
        factor = total - free
    else:
        factor = total - free * sum_(w * as_array(aweights)) / total
    if not shape_of(x)[0]:
        return np.empty((0, 0), dtype_of(x))
    factor = maximum(factor, 0.0)
    x = x - center[:, None]
    weighted = x if w is None else x * w
    result = matmul(x, conj(weighted.T)) / factor
    return reshape(result, tuple(n for n in shape_of(result) if n != 1))


def _check_weights(name: str, weights: Any, count: int) -> None:
    """Raise NumPy's errors for weights of observations that are none."""
    w = as_array(weights)
    if len(shape_of(w)) > 1:
        raise RuntimeError(f"cannot handle multidimensional {name}")
    if shape_of(w) != (count,):
        raise RuntimeError(f"incompatible numbers of samples and {name}")
    if name == "fweights" and not contains_traced(w) and not np.all(w == np.around(w)):
        raise TypeError("fweights must be integer")
    negative = w < 0
    if not contains_traced(negative) and np.any(negative):
        raise ValueError(f"{name} cannot be negative")


@implements(np.corrcoef, pure=True)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Matrix of correlation coefficients."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not shape_of(c):
        return c / c
    spread = sqrt(diag(c).real)
    return c / spread[:, None] / spread[None, :]


__all__ = [
    "average",
    "corrcoef",
    "cov",
]
