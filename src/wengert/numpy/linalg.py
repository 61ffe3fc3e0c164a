"""NumPy's `linalg`, differentiable.

Matrices are the last two axes, leading axes are stacks. All of it is ordinary code over the primitives of
`rules.linalg` and `rules.decompositions`, whose docstrings state the conventions where matrices are singular, values
coincide, or a function reads one triangle only.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.errors import ConcretizationError, UnsupportedOperationError, fail
from wengert.numpy import shaping
from wengert.numpy.dispatch import as_array, call, concrete, implements, known_numbers, no_value, normalise_axes
from wengert.numpy.indexing import take_along_axis
from wengert.numpy.matrix_products import (
    adjoint,
    cross,
    diagonal,
    matrix_transpose,
    multi_dot,
    outer,
    tensordot,
    trace,
    vecdot,
)
from wengert.numpy.norms import as_inexact, as_matrices, as_square, matrix_norm, norm, vector_norm
from wengert.numpy.reductions import max as max_
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import reshape, swapaxes
from wengert.numpy.sorting import argsort
from wengert.numpy.ufuncs import absolute, isnan, matmul, sign, where
from wengert.rules import decompositions as d
from wengert.rules import determinants
from wengert.rules import linalg as r

LinAlgError = np.linalg.LinAlgError


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


# Determinant, inverse, linear systems ---------------------------------------------------------------------------------


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """Right derivatives, of every order, also at singular matrices."""
    return call(determinants.det, as_square(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Sign and logarithm of the determinant; no derivative (NaN) at singular matrices."""
    return SlogdetResult(*call(determinants.slogdet, as_square(a)))


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """Inverse."""
    return call(r.inverse, as_square(a), check=True)


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Solution of a @ x = b; a one-dimensional b is one vector, every other b a stack of matrices."""
    a, b = as_square(a), as_array(b)
    if len(shape_of(b)) == 1:
        return call(r.solve, a, b[:, None])[..., 0]
    return call(r.solve, a, b)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = no_value) -> Any:
    """The derivative holds at constant rank, which singular values below the tolerance do not count for."""
    a = as_square(a) if hermitian else as_matrices(a)
    if rcond is not None and rtol is not no_value:
        raise ValueError("`rtol` and `rcond` can't be both set.")
    if rcond is None:
        rcond = 1e-15 if rtol is no_value else rtol
    if rcond is None:
        rcond = max(shape_of(a)[-2:]) * np.finfo(dtype_of(a)).eps
    if hermitian:
        a = call(r.hermitian, a)
    return call(r.pseudo_inverse, a, tolerance=concrete(rcond, "the tolerance of pinv"))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """Least squares through the pseudo-inverse; the derivative holds at constant rank."""
    a, b = as_matrices(a), as_inexact(b)
    if len(shape_of(a)) != 2 or len(shape_of(b)) not in (1, 2):
        raise LinAlgError("lstsq takes one matrix, and one vector or matrix")
    m, n = shape_of(a)
    if m != shape_of(b)[0]:
        raise LinAlgError("Incompatible dimensions")
    dtype = np.result_type(dtype_of(a), dtype_of(b))
    a, b = shaping.cast(a, dtype), shaping.cast(b, dtype)
    if rcond is None:
        rcond = max(m, n) * np.finfo(dtype).eps
    s = svdvals(a)
    rank = sum_((s > rcond * max_(s, axis=-1, keepdims=True, initial=0.0)) * 1)
    x = matmul(pinv(a, rcond), b)
    if m > n and _has_full_rank(rank, n):
        residual = b - matmul(a, x)
        squares = sum_(absolute(residual) ** 2, axis=0)
        residuals = reshape(squares, (-1,))
    else:
        residuals = np.empty(0, r.real_dtype(a))
    return x, residuals, shaping.cast(rank, np.intc), s


def _has_full_rank(rank: Any, n: int) -> bool:
    """Whether lstsq returns residuals, which it does at full rank; a program that is being recorded assumes so."""
    numbers = known_numbers(rank)
    if numbers is None:
        return True
    full = numbers == n
    if np.any(full) and not np.all(full):
        fail(
            ConcretizationError,
            "lstsq returns residuals of matrices of full rank only; under vmap some examples have full rank and some "
            "not. Compute them from the solution: np.sum(np.abs(b - a @ x) ** 2, axis=0).",
        )
    return bool(np.all(full))


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """Inverse of the linear map that `a` is with its first `ind` axes as output."""
    a = as_array(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = shape_of(a)
    size = math.prod(shape[ind:])
    return reshape(inv(reshape(a, (-1, size))), shape[ind:] + shape[:ind])


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Solution x of tensordot(a, x, x.ndim) = b."""
    a, b = as_array(a), as_array(b)
    if axes is not None:
        kept = [k for k in range(len(shape_of(a))) if k not in normalise_axes(axes, len(shape_of(a)))]
        a = shaping.transpose(a, (*kept, *axes))
    shape = shape_of(a)[-(len(shape_of(a)) - len(shape_of(b))) :]
    size = math.prod(shape)
    if size**2 != math.prod(shape_of(a)):
        raise LinAlgError("Input arrays must satisfy prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])")
    return reshape(solve(reshape(a, (size, size)), reshape(b, (-1,))), shape)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Condition number: infinite for singular matrices, without a derivative there."""
    x = as_matrices(x)
    if 0 in shape_of(x)[-2:]:
        raise LinAlgError("cond is not defined on empty arrays")
    if p in (None, 2, -2):
        s = svdvals(x)
        out = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        inverse = call(r.inverse, as_square(x), check=False)
        out = norm(x, p, axis=(-2, -1)) * norm(inverse, p, axis=(-2, -1))
    return where(isnan(out) & ~isnan(sum_(absolute(x), axis=(-2, -1))), np.inf, out)


# Decompositions -------------------------------------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Reads one triangle, and is differentiated as a function of that triangle."""
    a = as_square(a)
    return swapaxes(call(r.cholesky, swapaxes(a, -1, -2)), -1, -2) if upper else call(r.cholesky, a)


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Reads one triangle, and is differentiated as a function of that triangle.

    Vectors that belong to equal eigenvalues have no derivative.
    """
    if UPLO.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    a = as_square(a)
    if UPLO.upper() == "L":
        return EighResult(*call(d.eigh, a))
    return EighResult(*call(d.eigh, adjoint(a), upper=True))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Reads one triangle, and is differentiated as a function of that triangle."""
    return eigh(a, UPLO).eigenvalues


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Real or complex as in NumPy; no derivative where eigenvalues coincide."""
    return EigResult(*call(d.eig, as_square(a)))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Real or complex as in NumPy; no derivative at defective matrices."""
    return eig(a).eigenvalues


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Vectors that belong to equal singular values have no derivative.

    The vectors that complete a basis, with full_matrices=True, are NumPy's to choose; derivatives hold for the choice
    in which they turn as little as possible.
    """
    a = as_matrices(a)
    if hermitian:
        w, v = eigh(as_square(a))
        order = argsort(absolute(w), axis=-1)[..., ::-1]
        w, v = take_along_axis(w, order, -1), take_along_axis(v, order[..., None, :], -1)
        return SVDResult(v, absolute(w), adjoint(v * sign(w)[..., None, :])) if compute_uv else absolute(w)
    out = call(d.svd, a, full=bool(full_matrices and compute_uv))
    return SVDResult(*out) if compute_uv else out[1]


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Derivative 0 of singular values that are 0."""
    return svd(x, compute_uv=False)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """For modes "reduced" and "r", and "complete" where it is the same as "reduced"."""
    a = as_matrices(a)
    m, n = shape_of(a)[-2:]
    if mode not in ("reduced", "r", "complete", "raw"):
        raise ValueError(f"Unrecognized mode '{mode}'")
    if mode == "raw" or (mode == "complete" and m > n):
        fail(
            UnsupportedOperationError,
            f"qr(mode={mode!r}) of a {m}×{n} matrix has no derivative: "
            + ("it returns LAPACK's internals. " if mode == "raw" else "the additional columns of q are arbitrary. ")
            + 'Use mode="reduced".',
        )
    if m >= n:
        q, upper = call(d.qr, a)
    else:
        q, left = call(d.qr, a[..., :m])
        upper = np.concatenate([left, matmul(adjoint(q), a[..., m:])], axis=-1)
    return upper if mode == "r" else QRResult(q, upper)


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """An integer: no derivative."""
    a = as_inexact(A)
    if len(shape_of(a)) < 2:
        return (~(a == 0).all()) * 1
    s = svd(a, compute_uv=False, hermitian=hermitian)
    if tol is None:
        scale = max(shape_of(a)[-2:]) * np.finfo(dtype_of(s)).eps if rtol is None else as_array(rtol)[..., None]
        tol = scale * max_(s, axis=-1, keepdims=True, initial=0.0)
    else:
        tol = as_array(tol)[..., None]
    return sum_((s > tol) * 1, axis=-1)


# Powers ---------------------------------------------------------------------------------------------------------------


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """By repeated squaring, of the inverse for negative n."""
    a = as_square(a)
    n = int(n) if isinstance(n, np.integer) else n
    if not isinstance(n, int):
        raise TypeError("exponent must be an integer")
    if n == 0:
        eye = np.eye(shape_of(a)[-1], dtype=dtype_of(a))
        return shaping.broadcast_to(eye, shape_of(a)) + 0 * a
    if n < 0:
        a, n = inv(a), -n
    result = None
    while n:
        if n & 1:
            result = a if result is None else matmul(result, a)
        n >>= 1
        if n:
            a = matmul(a, a)
    return result


__all__ = [
    "EigResult",
    "EighResult",
    "LinAlgError",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
