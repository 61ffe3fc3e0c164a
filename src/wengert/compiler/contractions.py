"""`einsum`, `matmul` and `convolve` in terms of products of two matrices, elementwise products and sums.

A sum of products over named axes is done two operands at a time. Of each operand, axes that nothing else mentions are
summed first. What is left of a pair are axes of four kinds, each of which becomes one: those that both have and the
result, too (the batch), those that are summed, those of the first operand and those of the second::

    "bij,bjk->bik"    batch b, summed j, of the first i, of the second k:  a product of matrices for each b

Without summed axes it is an elementwise product, which needs no memory. Products of matrices go to BLAS; those of
integers and truth values, for which there is none, are sums of elementwise products in loops of our own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.compiler.lowering import is_lowerable_dtype
from wengert.core.combinators import astype, broadcast_to, reduce_sum, reshape
from wengert.core.program import Literal, Operation
from wengert.core.values import ArrayType, dtype_of, shape_of, type_of
from wengert.rules.contraction import matmul, split_subscripts
from wengert.rules.elementwise import add, multiply
from wengert.rules.indexing import ARRAY, index, index_add
from wengert.rules.joining import stack
from wengert.rules.reductions import reduce_any
from wengert.rules.structural import transpose

#: Longest factor of a convolution that is written out; its sums are cut into a dozen loops.
_MOST_SHIFTS = 16

#: An operand, and the letters of its axes.
Term = tuple[Any, str]


def _types(op: Operation) -> list[ArrayType]:
    return [type_of(a.value) if isinstance(a, Literal) else a.type for a in (*op.inputs, *op.outputs)]


def _is_native(types: Sequence[ArrayType]) -> bool:
    return all(is_lowerable_dtype(t.dtype) for t in types)


def _nothing(types: Sequence[ArrayType]) -> Callable[..., Any] | None:
    """Zeros, if there is nothing to add up or no result."""
    out = types[-1]
    return (lambda *_: np.zeros(out.shape, out.dtype)) if any(0 in t.shape for t in types) else None


def _cast(x: Any, dtype: np.dtype[Any]) -> Any:
    return x if dtype_of(x) == dtype else astype(x, dtype=dtype)


def _summed(x: Any, axis: tuple[int, ...]) -> Any:
    """Sum in the dtype of x; of truth values whether any is true."""
    if not axis:
        return x
    return reduce_any(x, axis=axis) if dtype_of(x).kind == "b" else _cast(reduce_sum(x, axis=axis), dtype_of(x))


# matmul --------------------------------------------------------------------------------------------------------------


def matrix_product(op: Operation) -> Callable[..., Any] | None:
    """What does a `matmul` by means of one for which there is a routine; None if this is such a one."""
    types = _types(op)
    if not _is_native(types):
        return None
    if (nothing := _nothing(types)) is not None:
        return nothing
    (shape, dtype), first, second = types[-1], types[0].shape, types[1].shape
    if dtype.kind in "biu":
        return lambda x, y: _sum_of_products(_cast(x, dtype), _cast(y, dtype))
    if any(t.dtype != dtype for t in types):
        return lambda x, y: matmul(_cast(x, dtype), _cast(y, dtype))
    if len(first) > 2 >= len(second):
        rows = (math.prod(first[:-1]), first[-1])
        return lambda x, y: reshape(matmul(reshape(x, shape=rows), y), shape=shape)
    if len(second) > 2 and len(first) == 1:
        return lambda x, y: reshape(matmul(reshape(x, shape=(1, *first)), y), shape=shape)
    batch = shape[:-2]
    if len(second) > 2 and not {first[:-2], second[:-2]} <= {batch, ()}:
        x_shape, y_shape = (*batch, *first[-2:]), (*batch, *second[-2:])
        return lambda x, y: matmul(broadcast_to(x, shape=x_shape), broadcast_to(y, shape=y_shape))
    return None


def _sum_of_products(x: Any, y: Any) -> Any:
    x_shape, y_shape = shape_of(x), shape_of(y)
    if len(y_shape) == 1:  # along the last axis of both
        return _summed(multiply(x, y), (len(x_shape) - 1,))
    if len(x_shape) > 1:
        y = reshape(y, shape=(*y_shape[:-2], 1, *y_shape[-2:]))
    terms = multiply(reshape(x, shape=(*x_shape, 1)), y)
    return _summed(terms, (len(shape_of(terms)) - 2,))


# einsum --------------------------------------------------------------------------------------------------------------


def pairwise_products(op: Operation) -> Callable[..., Any] | None:
    """What does an `einsum` by products of two operands each."""
    types = _types(op)
    if not _is_native(types):
        return None
    if (nothing := _nothing(types)) is not None:
        return nothing
    terms, output = split_subscripts(op.params["subscripts"])
    order, dtype = _order(op.params["subscripts"], [t.shape for t in types[:-1]]), types[-1].dtype

    def function(*operands: Any) -> Any:
        known = [_simple(_cast(x, dtype), t) for x, t in zip(operands, terms, strict=True)]
        for group in order:
            members = [known[i] for i in group]
            known = [t for i, t in enumerate(known) if i not in group]
            while len(members) > 1:
                first, second, *members = members
                kept = set(output).union(*(letters for _, letters in (*known, *members)))
                members = [_pair(first, second, kept), *members]
            known += members
        ((x, letters),) = known
        x, letters = _without_others(x, letters, set(output))
        # Axes of length 1 have been dropped.
        missing = "".join(c for c in output if c not in letters)
        x = reshape(x, shape=(*shape_of(x), *(1 for _ in missing))) if missing else x
        return _arranged(x, letters + missing, output)

    return function


def _order(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> Sequence[tuple[int, ...]]:
    """Which operands are multiplied in turn; each product goes to the end of the list."""
    if len(shapes) <= 2:
        return [tuple(range(len(shapes)))]
    path, _ = np.einsum_path(subscripts, *(np.broadcast_to(0, s) for s in shapes), optimize="greedy")
    return path[1:]


def _simple(x: Any, letters: str) -> Term:
    """Without repeated letters, which mean diagonals, and without axes of length 1."""
    distinct = "".join(dict.fromkeys(letters))
    if len(distinct) < len(letters):
        sizes = [max(n for n, c in zip(shape_of(x), letters, strict=True) if c == d) for d in distinct]
        place = dict(zip(distinct, np.indices(sizes, sparse=True), strict=True))
        arrays = [place[c] % n for c, n in zip(letters, shape_of(x), strict=True)]
        x = index(x, *arrays, spec=(ARRAY,) * len(letters))
    long = "".join(c for c, n in zip(distinct, shape_of(x), strict=True) if n > 1)
    if len(long) < len(distinct):
        x = reshape(x, shape=tuple(n for n in shape_of(x) if n > 1))
    return x, long


def _without_others(x: Any, letters: str, kept: set[str]) -> Term:
    """Sum over the axes that nothing else mentions."""
    axis = tuple(i for i, c in enumerate(letters) if c not in kept)
    return _summed(x, axis), "".join(c for c in letters if c in kept)


def _arranged(x: Any, letters: str, order: str) -> Any:
    """Transpose to another order of the axes."""
    return x if letters == order else transpose(x, axes=tuple(letters.index(c) for c in order))


def _pair(first: Term, second: Term, kept: set[str]) -> Term:
    """The product of two operands, summed over the axes that are not kept."""
    (x, xs), (y, ys) = _without_others(*first, kept | set(second[1])), _without_others(*second, kept | set(first[1]))
    sizes = dict(zip(xs + ys, (*shape_of(x), *shape_of(y)), strict=True))
    batch, inner, rows, columns = _kinds(xs, ys, kept)
    if not inner or (batch and not (rows and columns)) or not (rows or columns):
        letters = batch + rows + columns + inner
        x, y = (_spread(a, s, letters) for a, s in ((x, xs), (y, ys)))
        return _without_others(multiply(x, y), letters, set(batch + rows + columns))
    b, k, m, n = ([sizes[c] for c in group] for group in (batch, inner, rows, columns))
    x = _matrix(x, xs, batch, rows, inner, (*b, math.prod(m), math.prod(k)))
    y = _matrix(y, ys, batch, inner, columns, (*b, math.prod(k), math.prod(n)))
    out = matmul(x, y) if columns else matmul(x, reshape(y, shape=shape_of(y)[:-1]))
    if not rows:
        out = reshape(out, shape=shape_of(out)[1:])
    return reshape(out, shape=(*b, *m, *n)), batch + rows + columns


def _kinds(xs: str, ys: str, kept: set[str]) -> tuple[str, str, str, str]:
    """Letters of the batch, and those that are summed, only the first operand's, and only the second's."""
    both = [c for c in xs if c in ys]
    groups = ([c for c in both if c in kept], [c for c in both if c not in kept], [c for c in xs if c not in ys])
    batch, inner, rows = map("".join, groups)
    return batch, inner, rows, "".join(c for c in ys if c not in xs)


def _spread(x: Any, letters: str, order: str) -> Any:
    """Axes in another order, with length 1 where x has none."""
    x = _arranged(x, letters, "".join(c for c in order if c in letters))
    sizes = iter(shape_of(x))
    return reshape(x, shape=tuple(next(sizes) if c in letters else 1 for c in order))


def _matrix(x: Any, letters: str, batch: str, rows: str, columns: str, shape: tuple[int, ...]) -> Any:
    """One axis for each kind. A matrix that is stored by columns is transposed last, which costs BLAS nothing."""
    if not batch and letters == columns + rows and rows:
        return transpose(reshape(x, shape=shape[::-1]), axes=(1, 0))
    return reshape(_arranged(x, letters, batch + rows + columns), shape=shape)


# convolve ------------------------------------------------------------------------------------------------------------


def sum_of_shifts(op: Operation) -> Callable[..., Any] | None:
    """What does a `convolve` with a short factor: adds the other one at each place, times an element of it."""
    types = _types(op)
    dtype, lengths = types[-1].dtype, [math.prod(t.shape) for t in types[:-1]]
    if not _is_native(types) or not 0 < min(lengths) <= _MOST_SHIFTS:
        return None

    def function(x: Any, y: Any) -> Any:
        if lengths[1] > lengths[0]:
            x, y = y, x
        x, y = _cast(x, dtype), _cast(y, dtype)
        total, n = np.zeros(types[-1].shape, dtype), max(lengths)
        for i in range(min(lengths)):
            total = index_add(total, multiply(x, index(y, spec=(i,))), spec=(slice(i, i + n),), donate=False)
        return total

    return function


def sum_of_slices(op: Operation) -> Callable[..., Any] | None:
    """What does `window_sums` with a short factor or a short result."""
    types = _types(op)
    (m,), (length,), dtype = types[1].shape, types[2].shape, types[2].dtype
    if not _is_native(types) or min(m, length) > _MOST_SHIFTS:
        return None

    def by_elements(x: Any, y: Any) -> Any:
        terms = [multiply(_slice(x, i, length), index(y, spec=(i,))) for i in range(m)]
        return functools.reduce(add, terms)

    def by_results(x: Any, y: Any) -> Any:
        return stack(*(_summed(multiply(_slice(x, k, m), y), (0,)) for k in range(length)), axis=0)

    function = by_elements if m <= length else by_results
    return lambda x, y: function(_cast(x, dtype), _cast(y, dtype))


def _slice(x: Any, start: int, length: int) -> Any:
    return index(x, spec=(slice(start, start + length),))
