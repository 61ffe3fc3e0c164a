"""Reductions and scans: max, min, prod, cumsum, cumprod, and the argument-finding ones. `sum` is in `core.combinators`.

Axes are tuples of non-negative ints for reductions and one non-negative int for scans; reduced axes disappear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import (
    General,
    Linear,
    NonDifferentiable,
    along_axis,
    broadcast_to,
    conjugate,
    reduce_sum,
    reshape,
    restore,
)
from wengert.core.values import shape_of
from wengert.rules.elementwise import equal
from wengert.rules.indexing import flip, slice_axis
from wengert.rules.joining import concatenate
from wengert.rules.structural import transpose


def reduction(
    fun: Callable[..., Any], partial: Callable[[Any, Any, tuple[int, ...]], Any], *, name: str, keep: str = "out args"
) -> General:
    """A function of one array that reduces axes, by its partial derivatives ``partial(out, x, axis)``."""

    def jvp(tangents: Sequence[Any], out: Any, x: Any, *, axis: tuple[int, ...]) -> Any:
        return reduce_sum(partial(out, x, axis) * tangents[0], axis=axis)

    def vjp(ct: Any, out: Any, x: Any, *, axis: tuple[int, ...]) -> tuple[Any]:
        return (conjugate(partial(out, x, axis)) * restore(ct, shape_of(x), axis),)

    primitive = General(fun, jvp=jvp, vjp=vjp, name=name, keep=keep, batch=along_axis(lambda: primitive))
    return primitive


# max and min: the derivative is shared equally between ties -----------------------------------------------------------


def _extremum_weights(out: Any, x: Any, axis: tuple[int, ...]) -> Any:
    ties = equal(x, restore(out, shape_of(x), axis)) * 1.0
    return ties / restore(reduce_sum(ties, axis=axis), shape_of(x), axis)


reduce_max = reduction(lambda x, *, axis: np.maximum.reduce(x, axis=axis), _extremum_weights, name="max")
reduce_min = reduction(lambda x, *, axis: np.minimum.reduce(x, axis=axis), _extremum_weights, name="min")


# Products -------------------------------------------------------------------------------------------------------------


def _ones_like_slice(x: Any, axis: int, length: int) -> Any:
    shape = list(shape_of(x))
    shape[axis] = length
    return np.ones(shape)


def affine_scan(a: Any, b: Any, axis: int) -> Any:
    """s[k] = a[k]·s[k-1] + b[k] with s[-1] = 0, by doubling: log₂(n) vectorised steps, differentiable at any order.

    Hillis and Steele, "Data parallel algorithms", CACM 29 (1986): combining the affine maps of neighbours.
    """
    n = shape_of(b)[axis]
    step = 1
    while step < n:
        a_old, b_old = slice_axis(a, axis, None, n - step), slice_axis(b, axis, None, n - step)
        a_new, b_new = slice_axis(a, axis, step, None), slice_axis(b, axis, step, None)
        b = concatenate(slice_axis(b, axis, None, step), a_new * b_old + b_new, axis=axis)
        a = concatenate(slice_axis(a, axis, None, step), a_new * a_old, axis=axis)
        step *= 2
    return b


def product_before(x: Any, axis: int) -> Any:
    """Product of all earlier elements along an axis (1 for the first), right also where elements are zero."""
    n = shape_of(x)[axis]
    p = concatenate(_ones_like_slice(x, axis, min(n, 1)), slice_axis(x, axis, None, max(n - 1, 0)), axis=axis)
    step = 1
    while step < n:
        p = concatenate(
            slice_axis(p, axis, None, step),
            slice_axis(p, axis, step, None) * slice_axis(p, axis, None, n - step),
            axis=axis,
        )
        step *= 2
    return p


def _others(x: Any, axis: tuple[int, ...]) -> Any:
    """Product of all other elements along the reduced axes."""
    shape = shape_of(x)
    kept = tuple(i for i in range(len(shape)) if i not in axis)
    order = (*kept, *axis)
    flat = reshape(transpose(x, axes=order), shape=(*(shape[i] for i in kept), int(np.prod([shape[i] for i in axis]))))
    last = len(kept)
    products = product_before(flat, last) * flip(product_before(flip(flat, last), last), last)
    back = tuple(int(i) for i in np.argsort(order))
    return transpose(reshape(products, shape=tuple(shape[i] for i in order)), axes=back)


reduce_prod = reduction(
    lambda x, *, axis: np.multiply.reduce(x, axis=axis),
    lambda out, x, axis: _others(x, axis),
    name="prod",
    keep="args",
)


def _reverse_cumsum(ct: Any, x: Any, *, axis: int) -> Any:
    return flip(cumsum(flip(ct, axis), axis=axis), axis)


cumsum = Linear(
    lambda x, *, axis: np.add.accumulate(x, axis=axis),
    _reverse_cumsum,
    name="cumsum",
    batch=along_axis(lambda: cumsum),
)


def _cumprod_jvp(tangents: Sequence[Any], out: Any, x: Any, *, axis: int) -> Any:
    return affine_scan(x, product_before(x, axis) * tangents[0], axis)


def _cumprod_vjp(ct: Any, out: Any, x: Any, *, axis: int) -> tuple[Any]:
    n = shape_of(x)[axis]
    x = conjugate(x)
    following = concatenate(slice_axis(x, axis, min(n, 1), None), _ones_like_slice(x, axis, min(n, 1)), axis=axis)
    later = affine_scan(flip(following, axis), flip(ct, axis), axis)
    return (product_before(x, axis) * flip(later, axis),)


cumprod = General(
    lambda x, *, axis: np.multiply.accumulate(x, axis=axis),
    jvp=_cumprod_jvp,
    vjp=_cumprod_vjp,
    keep="args",
    name="cumprod",
    batch=along_axis(lambda: cumprod),
)


# Functions whose result is an index or a truth value ------------------------------------------------------------------

argmax = NonDifferentiable(lambda x, *, axis: np.argmax(x, axis=axis), name="argmax", batch=along_axis(lambda: argmax))
argmin = NonDifferentiable(lambda x, *, axis: np.argmin(x, axis=axis), name="argmin", batch=along_axis(lambda: argmin))
argsort = NonDifferentiable(
    lambda x, *, axis, kind=None: np.argsort(x, axis=axis, kind=kind),
    name="argsort",
    batch=along_axis(lambda: argsort),
)
argpartition = NonDifferentiable(
    lambda x, *, kth, axis: np.argpartition(x, kth, axis=axis),
    name="argpartition",
    batch=along_axis(lambda: argpartition),
)
reduce_all = NonDifferentiable(
    lambda x, *, axis: np.logical_and.reduce(x, axis=axis), name="all", batch=along_axis(lambda: reduce_all)
)
reduce_any = NonDifferentiable(
    lambda x, *, axis: np.logical_or.reduce(x, axis=axis), name="any", batch=along_axis(lambda: reduce_any)
)


def _searchsorted(a: Any, v: Any, *, side: Any, batch: int = 0) -> Any:
    """Places in sorted arrays; both operands begin with the same `batch` axes, of examples."""
    if not batch:
        return np.searchsorted(a, v, side=side)
    out = np.empty(np.shape(v), np.intp)
    for i in np.ndindex(out.shape[:batch]):
        out[i] = np.searchsorted(a[i], v[i], side=side)
    return out


def _batch_searchsorted(size: int, args: Sequence[Any], batched: Sequence[bool], *, side: str, batch: int = 0) -> Any:
    """The sorted array is usually the same for all examples: then one search answers them all."""
    if not batched[0] and not batch:
        return searchsorted(*args, side=side)
    a, v = (x if b else broadcast_to(x, shape=(size, *shape_of(x))) for x, b in zip(args, batched, strict=True))
    return searchsorted(a, v, side=side, batch=batch + 1)


searchsorted = NonDifferentiable(_searchsorted, name="searchsorted", batch=_batch_searchsorted)
