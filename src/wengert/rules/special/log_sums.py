"""log Σ exp and the constant that softmax subtracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import General, NonDifferentiable, along_axis, reduce_sum, restore, shifted
from wengert.core.values import shape_of
from wengert.rules.elementwise import exp
from wengert.rules.joining import as_batch
from wengert.rules.reductions import reduction
from wengert.rules.special.common import ratio, sp


def _terms(x: Any, b: Any, axis: tuple[int, ...]) -> Any:
    """exp(x) / Σ b·exp(x), without the rounding of exp(x - log Σ …); 0 where all terms are exp(-∞)."""
    e = exp(x - shift(x, axis=axis))
    return ratio(e, restore(reduce_sum(e if b is None else b * e, axis=axis), shape_of(e), axis))


logsumexp = reduction(
    lambda x, *, axis: sp.logsumexp(x, axis=axis),
    lambda out, x, axis: _terms(x, None, axis),
    name="logsumexp",
    keep="args",
)


def _weighted(x: Any, b: Any, *, axis: tuple[int, ...]) -> tuple[Any, Any]:
    out, signs = sp.logsumexp(x, b=b, axis=axis, return_sign=True)
    return out, signs


def _weighted_jvp(tangents: Sequence[Any], out: Any, x: Any, b: Any, *, axis: tuple[int, ...]) -> tuple[Any, None]:
    dx, db = tangents
    return reduce_sum(_terms(x, b, axis) * (b * dx + db), axis=axis), None


def _weighted_vjp(ct: Any, out: Any, x: Any, b: Any, *, axis: tuple[int, ...]) -> tuple[Any, Any]:
    c = _terms(x, b, axis) * restore(ct[0], shape_of(x), axis)
    return b * c, c


#: log |Σ b·exp(x)| and the sign of that sum, for x and b of one shape.
weighted_logsumexp = General(
    _weighted,
    jvp=_weighted_jvp,
    vjp=_weighted_vjp,
    multiple=True,
    keep="args",
    name="weighted_logsumexp",
    batch=lambda size, args, batched, *, axis: weighted_logsumexp(
        *map(as_batch, (size, size), args, batched), axis=shifted(axis)
    ),
)


def _largest(x: Any, *, axis: tuple[int, ...]) -> Any:
    out = np.max(x.real, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(out), out, out.dtype.type(0))


#: Maximum with axes kept, 0 where it is not finite: a constant to subtract before exponentiating.
shift = NonDifferentiable(_largest, name="shift", batch=along_axis(lambda: shift))
