"""Decompositions of matrices: eigenvalues of Hermitian matrices, singular values, QR.

Notation as in Giles (2008), see `rules.linalg`. Eigenvectors are defined up to a phase (a sign, if real): derivatives
hold for the choice in which they turn as little as possible, which is the derivative of what NumPy returns if that is
real, and the right one for everything that does not depend on the phases. Where eigenvalues or singular values
coincide, vectors have no derivative: it comes out as infinity or NaN. A function of the vectors alone that does not
depend on the choice of them, such as the projection on all those of a multiple eigenvalue, has its right derivative;
one of values and vectors has NaN in reverse mode. Coinciding values themselves have a kink: a function that treats them
alike, such as their sum, has its right derivative; any other that of the vectors which NumPy happens to return. Second
derivatives of values alone are in `rules.spectra`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import conjugate, real_part, reduce_sum, strong_scale
from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.rules.contraction import matmul
from wengert.rules.elementwise import equal, reciprocal, where
from wengert.rules.joining import concatenate
from wengert.rules.linalg import (
    Stacked,
    adjoint,
    as_column,
    as_row,
    columns,
    diagonal,
    hermitian,
    hermitian_transpose,
    lower,
    rows,
    solve,
    solve_triangular,
    upper,
)
from wengert.rules.spectra import Decomposition, eig_values_vjp, eigh_values_vjp, svd_values_vjp


def _inverse_gaps(values: Any) -> Any:
    """1 / (vⱼ - vᵢ) in row i and column j, zero on the diagonal."""
    eye = np.eye(shape_of(values)[-1], dtype=bool)
    return where(eye, 0.0, reciprocal(where(eye, 1.0, as_row(values) - as_column(values))))


def _coinciding(values: Any) -> Any:
    """Which different columns have equal values."""
    eye = np.eye(shape_of(values)[-1], dtype=bool)
    return where(eye, False, equal(as_row(values), as_column(values)))


def _undefined(x: Any, places: Any, with_values: bool) -> Any:
    """NaN at some places, if the function uses values and vectors.

    A function of the vectors that has a derivative does not depend on how they turn within the space of a multiple
    value: the zero there is right. A function of both, such as V·g(W)·Vᴴ, does not say by its cotangents how it
    depends on the matrix there.
    """
    return where(places, np.nan, x) if with_values else x


# Eigenvalues of Hermitian matrices -----------------------------------------------------------------------------------


def _eigh_jvp(tangents: Sequence[Any], out: Any, a: Any, *, upper: bool = False) -> tuple[Any, Any]:
    w, v = out
    turned = matmul(adjoint(v), matmul(hermitian(tangents[0]), v))
    return real_part(diagonal(turned)), matmul(v, strong_scale(_inverse_gaps(w), turned))


def _eigh_vjp(ct: Any, out: Any, a: Any, with_values: bool, *, upper: bool = False) -> Any:
    (w, v), (cw, cv) = out, ct
    # Only the skew part of vᴴ·cv turns eigenvectors against each other.
    turning = matmul(adjoint(v), cv)
    inner = strong_scale(_inverse_gaps(w), 0.5 * (turning - adjoint(turning)))
    inner = _undefined(inner, _coinciding(w), with_values)
    return hermitian_transpose(matmul(matmul(v, inner) + v * as_row(cw), adjoint(v)))


def _numpy_eigh(a: Any, *, upper: bool = False) -> Any:
    return tuple(np.linalg.eigh(np.conj(np.swapaxes(a, -1, -2)), "U") if upper else np.linalg.eigh(a))


#: Eigenvalues and eigenvectors of the Hermitian matrix in the lower triangle of the argument. With upper=True it is
#: handed to LAPACK as the upper triangle of the adjoint, which may choose other phases.
eigh = Decomposition(_numpy_eigh, jvp=_eigh_jvp, vjp=_eigh_vjp, multiple=True, name="eigh")
eigh.values_vjp = eigh_values_vjp


# Eigenvalues of any square matrix ------------------------------------------------------------------------------------


def _without_own(x: Any, v: Any) -> Any:
    """Take out of each column of x what is parallel to that column of the unit vectors v."""
    return x - v * as_row(reduce_sum(conjugate(v) * x, axis=(len(shape_of(x)) - 2,)))


def _eig_jvp(tangents: Sequence[Any], out: Any, a: Any) -> tuple[Any, Any]:
    w, v = out
    turned = solve(v, matmul(tangents[0], v))
    return diagonal(turned), _without_own(matmul(v, strong_scale(_inverse_gaps(w), turned)), v)


def _eig_vjp(ct: Any, out: Any, a: Any, with_values: bool) -> Any:
    (w, v), (cw, cv) = out, ct
    vh = adjoint(v)
    inner = strong_scale(conjugate(_inverse_gaps(w)), matmul(vh, _without_own(cv, v)))
    inner = _undefined(inner, _coinciding(w), with_values)
    eye = np.eye(shape_of(w)[-1], dtype=bool)
    return solve(vh, matmul(inner + where(eye, as_row(cw), 0.0), vh))


#: Eigenvalues and unit eigenvectors of a square matrix; real if all of them are real, as in NumPy.
eig = Decomposition(lambda a: tuple(np.linalg.eig(a)), jvp=_eig_jvp, vjp=_eig_vjp, multiple=True, name="eig")
eig.values_vjp = eig_values_vjp


# Singular values -----------------------------------------------------------------------------------------------------


def _svd_weights(s: Any) -> tuple[Any, Any]:
    """Return 1 / (sⱼ - sᵢ), zero on the diagonal, and 1 / (sⱼ + sᵢ)."""
    return _inverse_gaps(s), reciprocal(as_row(s) + as_column(s))


def _svd_jvp(tangents: Sequence[Any], out: Any, a: Any, *, full: bool) -> tuple[Any, Any, Any]:
    (da,), (u_all, s, vh_all) = tangents, out
    m, k, n = shape_of(u_all)[-2], shape_of(s)[-1], shape_of(vh_all)[-1]
    u, vh = columns(u_all, None, k), rows(vh_all, None, k)
    v, uh = adjoint(vh), adjoint(u)
    dav, dahu = matmul(da, v), matmul(adjoint(da), u)
    dp = matmul(uh, dav)
    gaps, sums = _svd_weights(s)
    even = strong_scale(gaps, 0.5 * (dp + adjoint(dp)))
    odd = strong_scale(sums, 0.5 * (dp - adjoint(dp)))
    du, dv = matmul(u, even + odd), matmul(v, even - odd)
    scale = as_row(reciprocal(s))
    if m > k:
        du = du + strong_scale(scale, dav - matmul(u, dp))
    if n > k:
        dv = dv + strong_scale(scale, dahu - matmul(v, adjoint(dp)))
    ds = where(equal(s, 0), 0.0, real_part(diagonal(dp)))
    if full and m > k:
        rest = columns(u_all, k, None)
        du = _beside(du, -matmul(u, matmul(adjoint(du), rest)))
    if full and n > k:
        rest = adjoint(rows(vh_all, k, None))
        dv = _beside(dv, -matmul(v, matmul(adjoint(dv), rest)))
    return du, ds, adjoint(dv)


def _svd_vjp(ct: Any, out: Any, a: Any, with_values: bool, *, full: bool) -> Any:
    (cu, cs, cvh), (u_all, s, vh_all) = ct, out
    m, k, n = shape_of(u_all)[-2], shape_of(s)[-1], shape_of(vh_all)[-1]
    u, vh = columns(u_all, None, k), rows(vh_all, None, k)
    v, uh, cv = adjoint(vh), adjoint(u), adjoint(cvh)
    if full and m > k:
        cu = _fold_complement(cu, u, columns(u_all, k, None), k)
    if full and n > k:
        cv = _fold_complement(cv, v, adjoint(rows(vh_all, k, None)), k)
    qu, qv = matmul(uh, cu), matmul(vh, cv)
    gaps, sums = _svd_weights(s)
    inner = strong_scale(gaps, _skew(qu + qv)) + strong_scale(sums, _skew(qu - qv))
    null = equal(s, 0)
    inner = _undefined(inner, _coinciding(s), with_values)
    if dtype_of(a).kind == "c":  # the phase of what grows from a singular value 0
        inner = _undefined(inner, where(np.eye(k, dtype=bool), as_row(null), False), with_values)
    cs = where(equal(s, 0), 0.0, cs)
    left = matmul(u, inner) + u * as_row(cs)
    scale = reciprocal(s)
    if m > k:
        beside = strong_scale(as_row(scale), cu - matmul(u, qu))
        left = left + _undefined(beside, as_row(null), with_values)
    ca = matmul(left, vh)
    if n > k:
        beside = strong_scale(as_column(scale), adjoint(cv - matmul(v, qv)))
        ca = ca + matmul(u, _undefined(beside, as_column(null), with_values))
    return ca


def _skew(x: Any) -> Any:
    return 0.5 * (x - adjoint(x))


def _beside(x: Any, y: Any) -> Any:
    return concatenate(x, y, axis=len(shape_of(x)) - 1)


def _fold_complement(c: Any, u: Any, rest: Any, k: int) -> Any:
    """Cotangent of u, given that of [u, rest] where d(rest) = -u·duᴴ·rest keeps the columns orthonormal."""
    return columns(c, None, k) - matmul(rest, matmul(adjoint(columns(c, k, None)), u))


#: u, s, vᴴ. Singular values have derivative 0 where they are 0, as |x| has.
svd = Decomposition(
    lambda a, *, full: tuple(np.linalg.svd(a, full_matrices=full)),
    jvp=_svd_jvp,
    vjp=_svd_vjp,
    multiple=True,
    name="svd",
)
svd.which, svd.values_vjp = 1, svd_values_vjp


# QR ------------------------------------------------------------------------------------------------------------------


def _divide(r: Any, x: Any, *, lower: bool) -> Any:
    """Solve with a triangular matrix r, or say why that is impossible."""
    try:
        return solve_triangular(r, x, lower=lower)
    except np.linalg.LinAlgError:
        fail(
            UnsupportedOperationError,
            "qr has no derivative at a matrix with linearly dependent columns. Use svd, or pass independent columns.",
        )


def _qr_jvp(tangents: Sequence[Any], out: Any, a: Any) -> tuple[Any, Any]:
    q, r = out
    scaled = adjoint(_divide(adjoint(r), adjoint(tangents[0]), lower=True))  # da·r⁻¹
    c = matmul(adjoint(q), scaled)
    growth = upper(c, 0.5) + adjoint(lower(c, 0.5))  # dr·r⁻¹; the rest of c turns q
    return scaled - matmul(q, growth), matmul(growth, r)


def _qr_vjp(ct: Any, out: Any, a: Any) -> tuple[Any]:
    (q, r), (cq, cr) = out, ct
    half = upper(matmul(cr, adjoint(r)) - matmul(adjoint(q), cq), 0.5)
    c = cq + matmul(q, half + adjoint(half))
    return (adjoint(_divide(r, adjoint(c), lower=False)),)


#: Reduced QR decomposition of matrices with at least as many rows as columns.
qr = Stacked(lambda a: tuple(np.linalg.qr(a)), jvp=_qr_jvp, vjp=_qr_vjp, multiple=True, keep="out", name="qr")
