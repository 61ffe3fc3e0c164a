"""Determinants, with derivatives also of singular matrices. Notation as in `rules.linalg`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import NonDifferentiable, broadcast_to, conjugate, real, reduce_sum, strong_scale
from wengert.core.values import dtype_of, representative, shape_of
from wengert.rules.contraction import matmul, swap_last
from wengert.rules.elementwise import absolute, equal, less, square, where
from wengert.rules.indexing import index
from wengert.rules.linalg import (
    Stacked,
    adjoint,
    as_matrix,
    as_row,
    columns,
    diagonal,
    inverse,
    matrix_sum,
    numpy_inverse,
    real_dtype,
    rows,
    solve,
    upper,
)


def _cofactors(a: Any) -> Any:
    out = np.linalg.det(a)[..., None, None] * np.swapaxes(numpy_inverse(a, check=False), -1, -2)
    for i in map(tuple, np.argwhere(~np.isfinite(out).all(axis=(-2, -1)))):
        if np.isfinite(a[i]).all():
            u, s, vh = np.linalg.svd(a[i])
            others = np.array([np.prod(np.delete(s, k)) for k in range(s.size)], s.dtype)
            out[i] = np.linalg.det(u) * np.linalg.det(vh) * ((u * others) @ vh).conj()
    return out


def _cofactors_along(a: Any, b: Any) -> Any:
    a, b = np.broadcast_arrays(a, b)
    n = a.shape[-1]
    x = numpy_inverse(a, check=False)
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
    """The matrix m for which Σ m·x is the third derivative of det along b, d and x; NaN if a is nearly singular."""
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
        inverse_size = np.sqrt(np.sum(abs(numpy_inverse(a, check=False)) ** 2, axis=(-2, -1)))
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
