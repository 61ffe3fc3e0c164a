"""Products with sparse matrices and linear systems, for matrices in compressed rows.

A matrix a is given by the values of its entries, and, as integer arrays, the row and the column of each and where each
row begins. With transposed=True everything is about aᵀ, which needs no other arrays: compressed columns of aᵀ are
compressed rows of a.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg

from wengert.core.combinators import General, Multilinear, conjugate, reduce_sum, reshape
from wengert.core.values import ArrayType, shape_of
from wengert.rules.indexing import ARRAY, index
from wengert.rules.structural import move_axis


def _matrix(data: Any, columns: Any, starts: Any, shape: tuple[int, int], transposed: bool) -> Any:
    kind = sparse.csc_array if transposed else sparse.csr_array
    return kind((np.ascontiguousarray(data), columns, starts), shape=shape[::-1] if transposed else shape)


def _take(x: Any, places: Any) -> Any:
    return index(x, places, spec=(ARRAY,))


def _entries(ct: Any, x: Any, rows: Any, columns: Any, transposed: bool) -> Any:
    """Cotangents of the entries of a, where ct is that of a @ x."""
    first, second = (columns, rows) if transposed else (rows, columns)
    terms = _take(ct, first) * _take(x, second)
    return reduce_sum(terms, axis=(1,)) if len(shape_of(terms)) > 1 else terms


def _product_batch(size: int, args: Sequence[Any], batched: Sequence[bool], **params: Any) -> Any:
    data, x, *pattern = args
    if batched[0] or any(batched[2:]) or len(shape_of(x)) > 3:
        return product.loop_over_batch(size, args, batched, params)
    if len(shape_of(x)) == 2:  # vectors become columns
        return move_axis(product(data, move_axis(x, 0, 1), *pattern, **params), 1, 0)
    n, k = shape_of(x)[1:]
    side_by_side = reshape(move_axis(x, 0, 1), shape=(n, size * k))
    out = product(data, side_by_side, *pattern, **params)
    return move_axis(reshape(out, shape=(shape_of(out)[0], size, k)), 1, 0)


#: a @ x, for a vector or a matrix x.
product = Multilinear(
    lambda data, x, rows, columns, starts, *, shape, transposed: _matrix(data, columns, starts, shape, transposed) @ x,
    lambda ct, data, x, rows, columns, starts, *, shape, transposed: _entries(ct, x, rows, columns, transposed),
    lambda ct, data, x, rows, columns, starts, *, shape, transposed: product(
        data, ct, rows, columns, starts, shape=shape, transposed=not transposed
    ),
    name="sparse_product",
    batch=_product_batch,
)


def _solve(data: Any, b: Any, rows: Any, columns: Any, starts: Any, *, shape: Any, transposed: bool, order: Any) -> Any:
    if not b.size:
        return np.zeros(b.shape, np.result_type(data, b))
    a = _matrix(data, columns, starts, shape, transposed)
    x: Any = scipy.sparse.linalg.spsolve(a, b, permc_spec=order)
    return np.reshape(x, b.shape)


def _solve_jvp(
    tangents: Sequence[Any], out: Any, data: Any, b: Any, *pattern: Any, shape: Any, transposed: bool, order: Any
) -> Any:
    change = product(tangents[0], out, *pattern, shape=shape, transposed=transposed)
    return solve(data, tangents[1] - change, *pattern, shape=shape, transposed=transposed, order=order)


def _solve_vjp(
    ct: Any,
    out: Any,
    data: Any,
    b: Any,
    rows: Any,
    columns: Any,
    starts: Any,
    *,
    shape: Any,
    transposed: bool,
    order: Any,
) -> tuple[Any, ...]:
    cb = solve(conjugate(data), ct, rows, columns, starts, shape=shape, transposed=not transposed, order=order)
    return -_entries(cb, conjugate(out), rows, columns, transposed), cb, None, None, None


class _Solve(General):
    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> ArrayType:
        """Without trying: a made-up matrix would be singular."""
        return ArrayType(args[1].shape, np.result_type(args[0].dtype, args[1].dtype))


#: x with a @ x = b, for a vector or a matrix b.
solve = _Solve(_solve, jvp=_solve_jvp, vjp=_solve_vjp, name="sparse_solve")
