"""Functions of square matrices: solving, inverse, determinant, Cholesky factor; also pseudo-inverse and Euclidean norm.

Matrices are the last two axes; leading axes are stacks, which broadcast. Eigenvalues, singular values and QR are in
`rules.decompositions`. Derivatives follow Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), and Murray, "Differentiation of the Cholesky decomposition" (arXiv:1602.07527).

A function that reads one triangle of a Hermitian matrix (`cholesky`, `eigh`) is differentiated as just that: the
derivative with respect to the other triangle is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg

from wengert.core.combinators import General, align, conjugate, reduce_sum, reshape, restore
from wengert.core.values import dtype_of, shape_of
from wengert.rules.contraction import matmul, swap_last
from wengert.rules.elementwise import equal, multiply, where
from wengert.rules.indexing import ARRAY, index
from wengert.rules.reductions import reduction


class Stacked(General):
    """A function of matrices that maps over leading axes, so that a batch is one more of them."""

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Align the stacks of the examples and apply to all at once."""
        return self.bind(*align(args, batched), **params)


# Notation ------------------------------------------------------------------------------------------------------------


def adjoint(x: Any) -> Any:
    """Conjugate transpose."""
    return conjugate(swap_last(x))


def real_dtype(x: Any) -> np.dtype[Any]:
    """Dtype of the real part."""
    return np.finfo(dtype_of(x)).dtype


def lower(x: Any, diagonal: float) -> Any:
    """The strictly lower triangle, and the diagonal times a factor."""
    n = shape_of(x)[-1]
    weights = np.tri(n, k=-1, dtype=real_dtype(x))
    np.fill_diagonal(weights, diagonal)
    return multiply(x, weights)


def upper(x: Any, diagonal: float) -> Any:
    """The strictly upper triangle, and the diagonal times a factor."""
    n = shape_of(x)[-1]
    weights = np.tri(n, k=-1, dtype=real_dtype(x)).T.copy()
    np.fill_diagonal(weights, diagonal)
    return multiply(x, weights)


def hermitian(x: Any) -> Any:
    """The Hermitian matrix that has the lower triangle of `x`."""
    half = lower(x, 0.5)
    return half + adjoint(half)


def hermitian_transpose(ct: Any) -> Any:
    """The adjoint of `hermitian`."""
    return lower(ct + adjoint(ct), 0.5)


def as_row(x: Any) -> Any:
    """(…, n) as (…, 1, n): scales columns."""
    return reshape(x, shape=(*shape_of(x)[:-1], 1, shape_of(x)[-1]))


def as_column(x: Any) -> Any:
    """(…, n) as (…, n, 1): scales rows."""
    return reshape(x, shape=(*shape_of(x), 1))


def as_matrix(x: Any) -> Any:
    """(…) as (…, 1, 1): scales matrices."""
    return reshape(x, shape=(*shape_of(x), 1, 1))


def diagonal(x: Any) -> Any:
    """Main diagonals of square matrices."""
    i = np.arange(shape_of(x)[-1])
    return index(x, i, i, spec=(Ellipsis, ARRAY, ARRAY))


def columns(x: Any, start: int | None, stop: int | None) -> Any:
    """Some of the columns."""
    return index(x, spec=(Ellipsis, slice(start, stop)))


def rows(x: Any, start: int | None, stop: int | None) -> Any:
    """Some of the rows."""
    return index(x, spec=(Ellipsis, slice(start, stop), slice(None)))


def matrix_sum(x: Any) -> Any:
    """Sum over the last two axes."""
    n = len(shape_of(x))
    return reduce_sum(x, axis=(n - 2, n - 1))


# Linear systems -----------------------------------------------------------------------------------------------------


def _solve_jvp(tangents: Sequence[Any], out: Any, a: Any, b: Any) -> Any:
    da, db = tangents
    return solve(a, db - matmul(da, out))


def _solve_vjp(ct: Any, out: Any, a: Any, b: Any) -> tuple[Any, Any]:
    cb = solve(adjoint(a), ct)
    return -matmul(cb, adjoint(out)), cb


#: x with a @ x = b, for matrices b.
solve = Stacked(np.linalg.solve, jvp=_solve_jvp, vjp=_solve_vjp, name="solve")


def _solve_triangular(a: Any, b: Any, *, lower: bool, unit_diagonal: bool = False) -> Any:
    if a.ndim == 2 and b.ndim == 2 and a.size and b.size:
        # On a row-major matrix, SciPy solves with the transpose instead of copying.
        return scipy.linalg.solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal, check_finite=False)
    triangle = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        triangle = np.where(np.eye(a.shape[-1], dtype=bool), triangle.dtype.type(1), triangle)
    return np.linalg.solve(triangle, b)


def _triangle(x: Any, is_lower: bool, unit_diagonal: bool) -> Any:
    keep = 0.0 if unit_diagonal else 1.0
    return lower(x, keep) if is_lower else upper(x, keep)


def _solve_triangular_jvp(
    tangents: Sequence[Any], out: Any, a: Any, b: Any, *, lower: bool, unit_diagonal: bool = False
) -> Any:
    da, db = tangents
    right = db - matmul(_triangle(da, lower, unit_diagonal), out)
    return solve_triangular(a, right, lower=lower, unit_diagonal=unit_diagonal)


def _solve_triangular_vjp(
    ct: Any, out: Any, a: Any, b: Any, *, lower: bool, unit_diagonal: bool = False
) -> tuple[Any, Any]:
    cb = solve_triangular(adjoint(a), ct, lower=not lower, unit_diagonal=unit_diagonal)
    return -_triangle(matmul(cb, adjoint(out)), lower, unit_diagonal), cb


#: x with triangle(a) @ x = b, for matrices b.
solve_triangular = Stacked(
    _solve_triangular, jvp=_solve_triangular_jvp, vjp=_solve_triangular_vjp, name="solve_triangular"
)


def numpy_inverse(a: Any, *, check: bool) -> Any:
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        if check:
            raise
    out = np.full(a.shape, np.nan, np.result_type(a, np.float32) if a.dtype.kind not in "fc" else a.dtype)
    for i in np.ndindex(a.shape[:-2]):
        try:
            out[i] = np.linalg.inv(a[i])
        except np.linalg.LinAlgError:
            continue
    return out


def _inverse_jvp(tangents: Sequence[Any], out: Any, a: Any, *, check: bool) -> Any:
    return -matmul(out, matmul(tangents[0], out))


def _inverse_vjp(ct: Any, out: Any, a: Any, *, check: bool) -> tuple[Any]:
    x = adjoint(out)
    return (-matmul(x, matmul(ct, x)),)


#: Inverse matrices. With check=False the inverse of a singular matrix is NaN; else NumPy raises.
inverse = Stacked(numpy_inverse, jvp=_inverse_jvp, vjp=_inverse_vjp, keep="out", name="inv")


def _pseudo_inverse_jvp(tangents: Sequence[Any], out: Any, a: Any, *, tolerance: Any) -> Any:
    da = adjoint(tangents[0])
    p, q = out, adjoint(out)
    first = matmul(matmul(p, q), da - matmul(da, matmul(a, p)))
    second = matmul(da - matmul(p, matmul(a, da)), matmul(q, p))
    return first + second - matmul(p, matmul(tangents[0], p))


def _pseudo_inverse_vjp(ct: Any, out: Any, a: Any, *, tolerance: Any) -> tuple[Any]:
    c, p, q = adjoint(ct), out, adjoint(out)
    first = matmul(c - matmul(a, matmul(p, c)), matmul(p, q))
    second = matmul(matmul(q, p), c - matmul(matmul(c, p), a))
    return (first + second - matmul(q, matmul(ct, q)),)


#: Moore-Penrose inverse, with the derivative at constant rank of Golub & Pereyra, SIAM J. Numer. Anal. 10 (1973).
pseudo_inverse = Stacked(
    lambda a, *, tolerance: np.linalg.pinv(a, tolerance),
    jvp=_pseudo_inverse_jvp,
    vjp=_pseudo_inverse_vjp,
    name="pinv",
)


# Cholesky ------------------------------------------------------------------------------------------------------------


def _cholesky_jvp(tangents: Sequence[Any], out: Any, a: Any) -> Any:
    half = solve_triangular(out, hermitian(tangents[0]), lower=True)
    return matmul(out, lower(solve_triangular(out, adjoint(half), lower=True), 0.5))


def _cholesky_vjp(ct: Any, out: Any, a: Any) -> tuple[Any]:
    factor = adjoint(out)
    half = solve_triangular(factor, lower(matmul(factor, ct), 0.5), lower=False)
    return (hermitian_transpose(solve_triangular(factor, adjoint(half), lower=False)),)


#: Lower Cholesky factor of the Hermitian matrix in the lower triangle of the argument.
cholesky = Stacked(lambda a: np.linalg.cholesky(a), jvp=_cholesky_jvp, vjp=_cholesky_vjp, keep="out", name="cholesky")


# Euclidean norm ------------------------------------------------------------------------------------------------------


def _norm(x: Any, *, axis: tuple[int, ...]) -> Any:
    squares = x * x if x.dtype.kind != "c" else x.real * x.real + x.imag * x.imag
    return np.sqrt(np.add.reduce(squares, axis=axis))


def _norm_partial(out: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """The conjugate of x / ‖x‖, and 0 at the origin."""
    zero, shape = equal(out, 0), shape_of(x)
    size = where(zero, 1.0, out)
    return where(restore(zero, shape, axis), 0.0, conjugate(x) / restore(size, shape, axis))


#: √Σ|x|², with derivative 0 at the origin.
euclidean_norm = reduction(_norm, _norm_partial, name="norm")
