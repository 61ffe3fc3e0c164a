"""`logsumexp` and the softmax family."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, call, implements, normalise_axes
from wengert.numpy.reductions import restore_axes
from wengert.numpy.shaping import broadcast_arrays
from wengert.numpy.ufuncs import exp, logaddexp, where
from wengert.rules.special import log_sums as rules


@implements(scipy.special.logsumexp)
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """Stable, also with entries of -inf; differentiable in a and in the weights b."""
    a = as_array(a)
    signs = None
    if axis == () or (axis is None and not shape_of(a)):
        a, b = a[..., None], None if b is None else as_array(b)[..., None]
        return logsumexp(a, -1, b, return_sign=return_sign)
    if b is not None or (return_sign and dtype_of(a).kind != "c"):
        a, b = broadcast_arrays(a, 1.0 if b is None else as_array(b))
        if "c" in (dtype_of(a).kind, dtype_of(b).kind):
            fail(UnsupportedOperationError, "logsumexp has no derivative for complex arguments with b=.")
        axes = normalise_axes(axis, len(shape_of(a)))
        out, signs = call(rules.weighted_logsumexp, a, b, axis=axes)
        if not return_sign:
            out = where(signs < 0, np.nan, out)
    elif return_sign:
        fail(UnsupportedOperationError, "logsumexp has no derivative for complex arguments with return_sign=True.")
    else:
        axes = normalise_axes(axis, len(shape_of(a)))
        out = call(rules.logsumexp, a, axis=axes)
    out = restore_axes(out, shape_of(a), axes, keepdims)
    return (out, restore_axes(signs, shape_of(a), axes, keepdims)) if return_sign else out


@implements(scipy.special.softmax)
def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / Σ exp(x)."""
    return exp(log_softmax(x, axis))


@implements(scipy.special.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """x - logsumexp(x), without cancellation where x is large."""
    x = as_array(x)
    axes = normalise_axes(axis, len(shape_of(x)))
    x = x - call(rules.shift, x, axis=axes)
    return x - logsumexp(x, axes, keepdims=True)


if hasattr(scipy.special, "softplus"):  # SciPy 1.17

    @implements(scipy.special.softplus)
    def softplus(x: Any, **kwargs: Any) -> Any:
        """log(1 + exp(x)), without overflow."""
        return logaddexp(0.0, x, **kwargs)


__all__ = ["log_softmax", "logsumexp", "softmax"]
if hasattr(scipy.special, "softplus"):
    __all__ += ["softplus"]
