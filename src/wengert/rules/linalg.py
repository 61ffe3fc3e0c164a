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

from wengert.core.combinators import (
    General,
    NonDifferentiable,
    align,
    broadcast_to,
    conjugate,
    real,
    reduce_sum,
    reshape,
    shifted,
    strong_scale,
)
from wengert.core.values import dtype_of, representative, shape_of
from wengert.rules.contraction import matmul, swap_last
from wengert.rules.elementwise import absolute, equal, less, multiply, square, where
from wengert.rules.indexing import ARRAY, index


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


def _inverse(a: Any, *, check: bool) -> Any:
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
inverse = Stacked(_inverse, jvp=_inverse_jvp, vjp=_inverse_vjp, keep="out", name="inv")


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


# Determinants --------------------------------------------------------------------------------------------------------


def _cofactors(a: Any) -> Any:
    out = np.linalg.det(a)[..., None, None] * np.swapaxes(_inverse(a, check=False), -1, -2)
    for i in map(tuple, np.argwhere(~np.isfinite(out).all(axis=(-2, -1)))):
        if np.isfinite(a[i]).all():
            u, s, vh = np.linalg.svd(a[i])
            others = np.array([np.prod(np.delete(s, k)) for k in range(s.size)], s.dtype)
            out[i] = np.linalg.det(u) * np.linalg.det(vh) * ((u * others) @ vh).conj()
    return out


def _cofactors_along(a: Any, b: Any) -> Any:
    a, b = np.broadcast_arrays(a, b)
    n = a.shape[-1]
    x = _inverse(a, check=False)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled, c = x @ b, _cofactors(a)
        out = np.trace(scaled, axis1=-2, axis2=-1)[..., None, None] * c - c @ np.swapaxes(scaled, -1, -2)
        size = np.sqrt(np.sum(abs(a) ** 2, axis=(-2, -1)) * np.sum(abs(x) ** 2, axis=(-2, -1)))
        regular = size < 1 / np.cbrt(np.finfo(x.dtype).eps)
    for i in map(tuple, np.argwhere(~regular)):
        if np.isfinite(a[i]).all() and n:
            # Of a diagonal matrix: products of all its entries but two, without a division.
            u, s, vh = np.linalg.svd(a[i])
            inside = u.conj().T @ b[i] @ vh.conj().T
            k = np.arange(n)
            product = np.ones((n, n), s.dtype)
            for m in range(n):
                product *= np.where((k[:, None] == m) | (k == m), s.dtype.type(1), s[m])
            turned = -inside.T * product
            np.fill_diagonal(product, 0)
            np.fill_diagonal(turned, product @ np.diagonal(inside))
            out[i] = np.linalg.det(u) * np.linalg.det(vh) * (u.conj() @ turned @ vh.conj())
    return out


def _third_derivative(a: Any, b: Any, d: Any) -> Any:
    """The matrix m for which Σ m·x is the third derivative of det along b, d and x; NaN where a is (nearly) singular."""
    x = inverse(a, check=False)
    size = matrix_sum(square(absolute(a))) * matrix_sum(square(absolute(x)))
    limit = float(np.finfo(dtype_of(x)).eps) ** (-2 / 3)
    p, q, c = matmul(x, b), matmul(x, d), cofactors(a)
    axis = (len(shape_of(p)) - 2,)
    trace_p, trace_q = (as_matrix(reduce_sum(diagonal(y), axis=axis)) for y in (p, q))
    pq = matmul(p, q)
    both = as_matrix(reduce_sum(diagonal(pq), axis=axis))
    mixed = pq + matmul(q, p) - trace_p * q - trace_q * p
    out = (trace_p * trace_q - both) * c + matmul(c, swap_last(mixed))
    return where(as_matrix(less(size, limit)), out, np.nan)


def _along_jvp(tangents: Sequence[Any], out: Any, a: Any, b: Any) -> Any:
    da, db = tangents
    still = equal(as_matrix(matrix_sum(absolute(da))), 0)
    return cofactors_along(a, db) + where(still, 0.0, _third_derivative(a, b, da))


def _along_vjp(ct: Any, out: Any, a: Any, b: Any) -> tuple[Any, Any]:
    c = conjugate(ct)
    return conjugate(_third_derivative(a, b, c)), conjugate(cofactors_along(a, c))


#: Partial derivatives of the determinant, also of singular matrices.
cofactors = Stacked(
    _cofactors,
    jvp=lambda tangents, out, a: cofactors_along(a, tangents[0]),
    vjp=lambda ct, out, a: (conjugate(cofactors_along(a, conjugate(ct))),),
    keep="args",
    name="cofactors",
)
#: Derivative of the cofactors of a along b, also of singular matrices; its own derivative with respect to a is NaN
#: there.
cofactors_along = Stacked(_cofactors_along, jvp=_along_jvp, vjp=_along_vjp, keep="args", name="cofactors_along")
#: Determinant of matrices that are not singular.
nonsingular_det = Stacked(
    np.linalg.det,
    jvp=lambda tangents, out, a: matrix_sum(cofactors(a) * tangents[0]),
    vjp=lambda ct, out, a: (conjugate(cofactors(a)) * as_matrix(ct),),
    keep="args",
    name="det",
)


_FEW = 8


def _nullity(a: Any) -> Any:
    n = a.shape[-1]
    if a.size == 0:
        return np.intp(0)
    eps = np.finfo(a.dtype).eps
    size = np.sqrt(np.sum(abs(a) ** 2, axis=(-2, -1)))
    with np.errstate(invalid="ignore", over="ignore"):
        inverse_size = np.sqrt(np.sum(abs(_inverse(a, check=False)) ** 2, axis=(-2, -1)))
        if np.all(size * inverse_size < 1 / np.cbrt(eps)):
            return np.intp(0)  # cheaper than singular values, whose ratio is at most this product
    finite = np.isfinite(a).all(axis=(-2, -1), keepdims=True)
    s = np.linalg.svd(np.where(finite, a, np.eye(n, dtype=a.dtype)), compute_uv=False)
    for threshold in (np.cbrt(eps), n * eps):
        count = (s <= threshold * s[..., :1]).sum(axis=-1).max()
        if count <= _FEW:
            break
    return np.intp(count)


def _nullity_batch(size: int, args: Sequence[Any], batched: Sequence[bool]) -> Any:
    return broadcast_to(nullity(args[0]), shape=(size,))


#: How many singular values are nearly zero, at most in a stack; under vmap at most in the whole batch. A few may be
#: taken out generously; many only if they are zero up to rounding.
nullity = NonDifferentiable(_nullity, name="nullity", batch=_nullity_batch)
#: Unitary factors of a singular value decomposition, as constants.
left_factor = NonDifferentiable(
    lambda a: np.linalg.svd(a)[0], name="left_factor", batch=lambda size, args, batched: left_factor(args[0])
)
right_factor = NonDifferentiable(
    lambda a: np.linalg.svd(a)[2], name="right_factor", batch=lambda size, args, batched: right_factor(args[0])
)


def det(a: Any) -> Any:
    """Determinant, with derivatives of every order also at singular matrices.

    Where a is (nearly) singular, it is turned by constant unitary matrices (those of its singular value decomposition)
    into a block matrix [[p, q], [r, s]] in which p has full rank and s is as large as the null space. Then
    det a = ± det p · det(s - r p⁻¹ q). The second factor, mostly of a 1 × 1 matrix, is computed as a polynomial: its
    argument is zero up to rounding, and the inverse in the usual derivative would blow that up.

    In a program that is being recorded, nothing is known about a: first and second derivatives are right there as well,
    higher ones are NaN at singular matrices.
    """
    n = shape_of(a)[-1]
    zeros = int(representative(nullity(a)))
    if zeros == 0:
        return nonsingular_det(a)
    if zeros == n:
        return _division_free_det(a)
    u, vh = left_factor(a), right_factor(a)
    sign = nonsingular_det(u) * nonsingular_det(vh)
    turned = matmul(adjoint(u), matmul(a, adjoint(vh)))
    top, bottom = rows(turned, None, n - zeros), rows(turned, n - zeros, None)
    p, q = columns(top, None, n - zeros), columns(top, n - zeros, None)
    r, s = columns(bottom, None, n - zeros), columns(bottom, n - zeros, None)
    schur = s - matmul(r, solve(p, q))
    # For larger null spaces the usual formula is cheaper, and exact up to derivatives of that order.
    rest = _division_free_det(schur) if zeros <= _FEW else det(schur)
    return sign * nonsingular_det(p) * rest


def _division_free_det(a: Any) -> Any:
    """Bird, "A simple division-free algorithm for computing determinants", Inf. Process. Lett. 111 (2011).

    Without subtractions on the diagonal matrices that `det` comes down to, for their entries are not negative.
    """
    n = shape_of(a)[-1]
    later = np.tri(n, k=-1, dtype=real_dtype(a))
    eye = np.eye(n, dtype=real_dtype(a))
    x = a
    for _ in range(n - 1):
        tails = matmul(diagonal(x), later)
        x = matmul(upper(x, 0.0) - as_row(tails) * eye, a)
    corner = index(x, spec=(Ellipsis, 0, 0))
    return corner if n % 2 else -corner


def _slogdet_jvp(tangents: Sequence[Any], out: Any, a: Any) -> tuple[Any, Any]:
    rate = matrix_sum(strong_scale(swap_last(inverse(a, check=False)), tangents[0]))
    if dtype_of(a).kind != "c":
        return None, rate
    return out[0] * (rate - real(rate)), real(rate)


def _slogdet_vjp(ct: Any, out: Any, a: Any) -> tuple[Any]:
    c_sign, c_log = ct
    rate = c_log
    if dtype_of(a).kind == "c":
        turning = conjugate(out[0]) * c_sign
        rate = rate + (turning - real(turning))
    return (strong_scale(adjoint(inverse(a, check=False)), as_matrix(rate)),)


#: Sign (a complex unit) and logarithm of the absolute value of the determinant.
slogdet = Stacked(
    lambda a: tuple(np.linalg.slogdet(a)), jvp=_slogdet_jvp, vjp=_slogdet_vjp, multiple=True, name="slogdet"
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


def _unit(out: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """x / ‖x‖, and 0 at the origin."""
    zero = equal(out, 0)
    size = where(zero, 1.0, out)
    shape = tuple(1 if i in axis else n for i, n in enumerate(shape_of(x)))
    return where(reshape(zero, shape=shape), 0.0, x / reshape(size, shape=shape))


def _norm_jvp(tangents: Sequence[Any], out: Any, x: Any, *, axis: tuple[int, ...]) -> Any:
    rate = conjugate(_unit(out, x, axis)) * tangents[0]
    return reduce_sum(real(rate) if dtype_of(rate).kind == "c" else rate, axis=axis)


def _norm_vjp(ct: Any, out: Any, x: Any, *, axis: tuple[int, ...]) -> tuple[Any]:
    shape = tuple(1 if i in axis else n for i, n in enumerate(shape_of(x)))
    return (_unit(out, x, axis) * reshape(ct, shape=shape),)


#: √Σ|x|², with derivative 0 at the origin.
euclidean_norm = General(
    _norm,
    jvp=_norm_jvp,
    vjp=_norm_vjp,
    name="norm",
    batch=lambda size, args, batched, *, axis: euclidean_norm(args[0], axis=shifted(axis)),
)
