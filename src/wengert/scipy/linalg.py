"""SciPy's `linalg`, differentiable. SciPy's own functions do not take Arrays; with plain arguments they are called.

As in SciPy, matrices are the last two axes and leading axes are stacks; a one-dimensional right-hand side is a vector.
`overwrite_a`, `check_finite` and the like are accepted and ignored for traced arguments. Matrices of special form are
in `matrices`, equations in `equations`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy import linalg
from wengert.numpy.contraction import kron
from wengert.numpy.dispatch import as_array, call, concrete, implements
from wengert.numpy.joining import extended
from wengert.numpy.linalg import LinAlgError
from wengert.numpy.matrix_products import adjoint
from wengert.numpy.norms import as_matrices, as_square
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import astype
from wengert.numpy.ufuncs import absolute, exp, imag, matmul, real, sqrt, square
from wengert.rules import linalg as r
from wengert.rules import matrix_functions as m
from wengert.scipy.equations import (
    cho_solve,
    inv,
    lstsq,
    lu_solve,
    pinv,
    pinvh,
    solve,
    solve_banded,
    solve_circulant,
    solve_continuous_lyapunov,
    solve_discrete_lyapunov,
    solve_lyapunov,
    solve_sylvester,
    solve_toeplitz,
    solve_triangular,
    solveh_banded,
)
from wengert.scipy.matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    diagsvd,
    hankel,
    khatri_rao,
    matmul_toeplitz,
    toeplitz,
)


@implements(sl.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Right derivatives, of every order, also at singular matrices."""
    return linalg.det(a)


@implements(sl.norm)
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True) -> Any:  # noqa: A002
    """As `numpy.linalg.norm`."""
    return linalg.norm(a, ord=ord, axis=axis, keepdims=keepdims)


# Factors --------------------------------------------------------------------------------------------------------------


@implements(sl.cholesky)
def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Upper factor by default, unlike NumPy's; differentiated as a function of the triangle that is read."""
    return linalg.cholesky(a, upper=not lower)


@implements(sl.cho_factor)
def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Cholesky factor and `lower`, for `cho_solve`; the other triangle is zero, unlike SciPy's."""
    return cholesky(a, lower=lower), lower


@implements(sl.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Both factors in one matrix, and the exchanges of rows; the derivative holds while these stay the same."""
    return call(m.lu, as_matrices(a))


@implements(sl.lu)
def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True, p_indices: bool = False
) -> Any:
    """The derivative holds while the order of rows, which p says, stays the same."""
    a = as_matrices(a)
    packed, pivots = call(m.lu, a)
    rows = shape_of(a)[-2]
    place = call(lambda pivots: m.inverse_permutation(m.permutation(pivots, size=rows)), pivots)
    left, right = call(m.unit_lower, packed), call(m.upper_of, packed)
    if permute_l:
        return call(m.permute_rows, left, place), right
    if p_indices:
        return astype(place, np.int32), left, right
    return astype((as_array(place)[..., None] == np.arange(rows)), r.real_dtype(a)), left, right


@implements(sl.qr)
def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    """For modes "economic", "r" and, where it is the same, "full"; with pivots, which count as constants."""
    if mode not in ("full", "qr", "r", "economic", "raw"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic', 'raw']")
    a = as_matrices(a)
    rows, columns = shape_of(a)[-2:]
    if mode == "raw" or (rows > columns and mode in ("full", "qr")):
        fail(
            UnsupportedOperationError,
            f"qr(mode={mode!r}) of a {rows}×{columns} matrix has no derivative: "
            + ("it returns LAPACK's internals. " if mode == "raw" else "the additional columns of q are arbitrary. ")
            + 'Use mode="economic".',
        )
    order: tuple[Any, ...] = ()
    if pivoting:
        pivots = sl.qr(concrete(a, "qr(pivoting=True)"), mode="r", pivoting=True, check_finite=False)[-1]
        a = np.take_along_axis(a, pivots[..., None, :], axis=-1)
        order = (pivots,)
    q, upper = linalg.qr(a)
    if mode == "r" and rows > columns:
        upper = extended(upper, rows, -2)
    return (*((upper,) if mode == "r" else (q, upper)), *order)


@implements(sl.svd)
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """Vectors that belong to equal singular values have no derivative."""
    out = linalg.svd(a, full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(out) if compute_uv else out


@implements(sl.svdvals)
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Derivative 0 of singular values that are 0."""
    return linalg.svdvals(a)


@implements(sl.polar)
def polar(a: Any, side: str = "right") -> Any:
    """Through the singular value decomposition; no derivative at matrices without full rank."""
    if side not in ("right", "left"):
        raise ValueError("`side` must be either 'right' or 'left'")
    w, s, vh = linalg.svd(a, full_matrices=False)
    p = matmul(adjoint(vh) * s[..., None, :], vh) if side == "right" else matmul(w * s[..., None, :], adjoint(w))
    return matmul(w, vh), p


# Eigenvalues ----------------------------------------------------------------------------------------------------------


def _reduced(a: Any, b: Any, kind: int) -> tuple[Any, Any]:
    """The standard problem that a generalised one comes down to, and the map of its vectors to those of the other."""
    lower = linalg.cholesky(b)
    if kind == 1:
        half = solve_triangular(lower, a, lower=True)
        reduced = solve_triangular(lower, adjoint(half), lower=True)
    else:
        reduced = matmul(adjoint(lower), matmul(a, lower))
    return reduced, lambda y: matmul(lower, y) if kind == 3 else solve_triangular(lower, y, trans="C", lower=True)


@implements(sl.eigh)
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,  # noqa: A002
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Standard and generalised problems; a and b are differentiated as functions of the triangle that is read.

    Vectors that belong to equal eigenvalues have no derivative. A subset is taken of all eigenvalues.
    """
    a = as_square(a)
    if not lower:
        a = adjoint(a)
    back = None
    if b is not None:
        b = as_square(b)
        if type not in (1, 2, 3):
            raise ValueError('"type" keyword only accepts 1, 2, and 3.')
        if shape_of(b)[-2:] != shape_of(a)[-2:]:
            raise ValueError(f"wrong b dimensions {shape_of(b)}, should be {shape_of(a)}")
        a, back = _reduced(call(r.hermitian, a), b if lower else adjoint(b), type)
        driver = "evd"  # what LAPACK's functions for generalised problems use
    if subset_by_index is not None and subset_by_value is not None:
        raise ValueError("Either index or value subset can be requested.")
    w, v = call(m.eigh, a, driver=driver)
    v = v if back is None else back(v)
    if subset_by_index is not None:
        low, high = (int(i) for i in subset_by_index)
        if not 0 <= low <= high < shape_of(w)[-1]:
            raise ValueError(f"Requested eigenvalue indices are not valid: {subset_by_index}")
        w, v = w[..., low : high + 1], v[..., :, low : high + 1]
    if subset_by_value is not None:
        values = concrete(w, "eigh(subset_by_value=…)")
        chosen = np.flatnonzero((values > subset_by_value[0]) & (values <= subset_by_value[1]))
        w, v = w[chosen], v[:, chosen]
    return w if eigvals_only else (w, v)


@implements(sl.eigvalsh)
def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,  # noqa: A002
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Eigenvalues of `eigh`."""
    return eigh(
        a,
        b,
        lower=lower,
        eigvals_only=True,
        type=type,
        subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
        driver=driver,
    )


@implements(sl.eig)
def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """For b that is not singular. No derivative where eigenvalues coincide."""
    a = as_square(a)
    if homogeneous_eigvals:
        fail(
            UnsupportedOperationError,
            "eig(homogeneous_eigvals=True) has no derivative. Use the eigenvalues themselves.",
        )
    w, v = linalg.eig(a if b is None else linalg.solve(as_square(b), a))
    w = w + 0j
    if not left:
        return (w, v) if right else w
    basis = v if b is None else matmul(b, v)
    rows = adjoint(linalg.inv(basis))
    vl = rows / sqrt(sum_(square(absolute(rows)), axis=-2, keepdims=True))
    return (w, vl, v) if right else (w, vl)


@implements(sl.eigvals)
def eigvals(
    a: Any,
    b: Any = None,
    overwrite_a: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Complex. No derivative at defective matrices."""
    return eig(a, b, right=False, homogeneous_eigvals=homogeneous_eigvals)


# Functions of matrices ------------------------------------------------------------------------------------------------


@implements(sl.expm)
def expm(A: Any) -> Any:
    """Derivatives of every order, of twice the size each."""
    a = as_array(A)
    if len(shape_of(a)) < 2:
        if shape_of(a) not in ((), (1,)):
            raise LinAlgError("The input array must be at least two-dimensional")
        return exp(a.reshape((1, 1)))
    return call(m.expm, as_square(a))


@implements(sl.expm_frechet)
def expm_frechet(A: Any, E: Any, method: Any = None, compute_expm: bool = True, check_finite: bool = True) -> Any:
    """Derivative of the exponential at A in the direction E; itself differentiable."""
    a, e = as_square(A), as_square(E)
    if shape_of(a)[-2:] != shape_of(e)[-2:]:
        raise ValueError("expected A and E to be the same shape")
    change = call(m.expm_derivative, a, e)
    return (expm(a), change) if compute_expm else change


@implements(sl.logm)
def logm(A: Any, disp: Any = True) -> Any:
    """Principal logarithm; complex for real matrices with negative eigenvalues."""
    return call(m.logm, as_square(A))


@implements(sl.sqrtm)
def sqrtm(A: Any, disp: Any = True, blocksize: Any = 64) -> Any:
    """Principal square root; no derivative (NaN) at singular matrices."""
    return call(m.sqrtm, as_square(A))


def _turned(a: Any) -> Any:
    """exp(i a)."""
    return expm(1j * a)


@implements(sl.cosm)
def cosm(A: Any) -> Any:
    """Cosine of a matrix."""
    a = as_square(A)
    return real(_turned(a)) if dtype_of(a).kind != "c" else 0.5 * (_turned(a) + _turned(-a))


@implements(sl.sinm)
def sinm(A: Any) -> Any:
    """Sine of a matrix."""
    a = as_square(A)
    return imag(_turned(a)) if dtype_of(a).kind != "c" else -0.5j * (_turned(a) - _turned(-a))


@implements(sl.tanm)
def tanm(A: Any) -> Any:
    """Tangent of a matrix."""
    return linalg.solve(cosm(A), sinm(A))


@implements(sl.coshm)
def coshm(A: Any) -> Any:
    """Hyperbolic cosine of a matrix."""
    a = as_square(A)
    return 0.5 * (expm(a) + expm(-a))


@implements(sl.sinhm)
def sinhm(A: Any) -> Any:
    """Hyperbolic sine of a matrix."""
    a = as_square(A)
    return 0.5 * (expm(a) - expm(-a))


@implements(sl.tanhm)
def tanhm(A: Any) -> Any:
    """Hyperbolic tangent of a matrix."""
    return linalg.solve(coshm(A), sinhm(A))


__all__ = [
    "LinAlgError", "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "companion", "convolution_matrix",
    "coshm", "cosm", "det", "diagsvd", "eig", "eigh", "eigvals", "eigvalsh", "expm", "expm_frechet", "hankel", "inv",
    "khatri_rao", "kron", "logm", "lstsq", "lu", "lu_factor", "lu_solve", "matmul_toeplitz", "norm", "pinv", "pinvh",
    "polar", "qr", "sinhm", "sinm", "solve", "solve_banded", "solve_circulant", "solve_continuous_lyapunov",
    "solve_discrete_lyapunov", "solve_lyapunov", "solve_sylvester", "solve_toeplitz", "solve_triangular",
    "solveh_banded", "sqrtm", "svd", "svdvals", "tanhm", "tanm", "toeplitz",
]  # fmt: skip
