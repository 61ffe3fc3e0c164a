"""Linear and matrix equations, for `wengert.scipy.linalg`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as sl

from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy import fft, linalg
from wengert.numpy.dispatch import as_array, call, concrete, implements
from wengert.numpy.matrix_products import adjoint, matrix_transpose
from wengert.numpy.norms import as_inexact, as_matrices, as_square
from wengert.numpy.reductions import max as max_
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import broadcast_to, moveaxis, reshape
from wengert.numpy.ufuncs import absolute, conj, matmul
from wengert.rules import linalg as r
from wengert.rules import matrix_functions as m
from wengert.scipy.matrices import toeplitz

_STRUCTURES = {
    None: "general",
    "gen": "general",
    "general": "general",
    "banded": "general",
    "sym": "symmetric",
    "symmetric": "symmetric",
    "her": "hermitian",
    "hermitian": "hermitian",
    "pos": "positive definite",
    "positive definite": "positive definite",
    "diagonal": "diagonal",
    "tridiagonal": "tridiagonal",
    "upper triangular": "upper triangular",
    "lower triangular": "lower triangular",
}


def _structure(assume_a: str | None) -> str:
    if assume_a not in _STRUCTURES:
        raise ValueError(f"{assume_a} is not a recognized matrix structure")
    return _STRUCTURES[assume_a]


def _entries_read(a: Any, structure: str, lower: bool) -> Any:
    """The matrix that SciPy solves with, as a function of the entries that it reads."""
    if structure in ("symmetric", "hermitian", "positive definite"):
        half = matrix_transpose(a) if not lower else a
        if structure == "symmetric":
            part = call(r.lower, half, diagonal=0.5)
            return part + matrix_transpose(part)
        return call(r.hermitian, conj(half) if not lower else half)
    n = shape_of(a)[-1]
    distance = np.arange(n) - np.arange(n)[:, None]
    match structure:
        case "diagonal":
            return a * (distance == 0)
        case "tridiagonal":
            return a * (abs(distance) <= 1)
        case "upper triangular":
            return a * (distance >= 0)
        case "lower triangular":
            return a * (distance <= 0)
    return a


def _checked(a: Any, b: Any) -> tuple[Any, Any, bool]:
    """Return a, b as matrices, and whether b was a vector."""
    a, b = as_square(a), as_inexact(b)
    vector = len(shape_of(b)) == 1
    rows = shape_of(b)[-1 if vector else -2]
    if rows != shape_of(a)[-1]:
        raise ValueError(f"shapes of a {shape_of(a)} and b {shape_of(b)} are incompatible")
    return a, b[:, None] if vector else b, vector


@implements(sl.solve)
def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """A structure that is assumed says which entries are read, and differentiated."""
    a, b, vector = _checked(a, b)
    structure = _structure(assume_a)
    if transposed and structure == "hermitian" and dtype_of(a).kind == "c":
        raise NotImplementedError(
            "scipy.linalg.solve can currently not solve a^T x = b or a^H x = b for complex matrices."
        )
    a = _entries_read(a, structure, lower)
    a = matrix_transpose(a) if transposed else a
    x = cho_solve((linalg.cholesky(a), True), b) if structure == "positive definite" else call(r.solve, a, b)
    return x[..., 0] if vector else x


@implements(sl.inv)
def inv(
    a: Any, overwrite_a: bool = False, check_finite: bool = True, *, assume_a: str | None = None, lower: bool = False
) -> Any:
    """A structure that is assumed says which entries are read, and differentiated."""
    return linalg.inv(_entries_read(as_square(a), _structure(assume_a), lower))


@implements(sl.solve_triangular)
def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Only the triangle that is read has a derivative."""
    a, b, vector = _checked(a, b)
    if trans in (1, "T", 2, "C"):
        a, lower = matrix_transpose(a), not lower
        a = conj(a) if trans in (2, "C") else a
    x = call(r.solve_triangular, a, b, lower=bool(lower), unit_diagonal=bool(unit_diagonal))
    return x[..., 0] if vector else x


@implements(sl.cho_solve)
def cho_solve(c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Solution of a @ x = b given (Cholesky factor of a, whether it is the lower one)."""
    c, lower = c_and_lower
    first, second = (0, "C") if lower else ("C", 0)
    return solve_triangular(c, solve_triangular(c, b, trans=first, lower=lower), trans=second, lower=lower)


@implements(sl.lu_solve)
def lu_solve(
    lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """Solution of a @ x = b (aᵀ for trans=1, aᴴ for trans=2) given the factors of a by `lu_factor`."""
    packed, pivots = lu_and_piv
    packed, b, vector = _checked(packed, b)
    order = call(m.permutation, as_array(pivots), size=shape_of(packed)[-1])
    if trans == 0:
        b = call(m.permute_rows, b, order)
        x = solve_triangular(packed, b, lower=True, unit_diagonal=True)
        x = solve_triangular(packed, x)
    else:
        x = solve_triangular(packed, b, trans=trans)
        x = solve_triangular(packed, x, trans=trans, lower=True, unit_diagonal=True)
        x = call(lambda x, order: m.permute_rows(x, m.inverse_permutation(order)), x, order)
    return x[..., 0] if vector else x


@implements(sl.solve_banded)
def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """One matrix, in LAPACK's form; places of `ab` outside of it have derivative 0."""
    below, above = (int(k) for k in l_and_u)
    ab, b = as_inexact(ab), as_inexact(b)
    if shape_of(ab)[-1] != shape_of(b)[0]:
        raise ValueError("shapes of ab and b are not compatible.")
    if below + above + 1 != shape_of(ab)[0]:
        raise ValueError(
            f"invalid values for the number of lower and upper diagonals: l+u+1 ({below + above + 1}) does not equal "
            f"ab.shape[0] ({shape_of(ab)[0]})"
        )
    vector = len(shape_of(b)) == 1
    x = call(m.solve_banded, ab, b[:, None] if vector else b, below=below, above=above)
    return x[:, 0] if vector else x


@implements(sl.solveh_banded)
def solveh_banded(
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
) -> Any:
    """One Hermitian matrix, of which `ab` has the diagonals on one side; an indefinite one is not refused."""
    ab = as_inexact(ab)
    bands = shape_of(ab)[0] - 1
    if not lower:
        ab = call(lambda ab: m.transposed_band(ab, bands), ab)
    return solve_banded((bands, bands), call(m.both_sides, ab), b)


@implements(sl.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """The matrix is made in full for traced arguments."""
    c, row = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)
    return solve(toeplitz(c, row), b)


@implements(sl.solve_circulant)
def solve_circulant(
    c: Any, b: Any, singular: str = "raise", tol: Any = None, caxis: int = -1, baxis: int = 0, outaxis: int = 0
) -> Any:
    """By division of Fourier coefficients; for singular="raise", and infinite or NaN where SciPy raises."""
    if singular != "raise":
        fail(UnsupportedOperationError, 'solve_circulant has derivatives for singular="raise" only.')
    c, b = moveaxis(np.atleast_1d(as_array(c)), caxis, -1), moveaxis(np.atleast_1d(as_array(b)), baxis, -1)
    n = shape_of(c)[-1]
    if n != shape_of(b)[-1]:
        raise ValueError(f"Shapes of c {shape_of(c)} and b {shape_of(b)} are incompatible")
    x = fft.ifft(fft.fft(b) / fft.fft(c))
    if dtype_of(c).kind != "c" and dtype_of(b).kind != "c":
        x = x.real
    return moveaxis(x, -1, outaxis)


@implements(sl.pinv)
def pinv(a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False, check_finite: bool = True) -> Any:
    """The derivative holds at constant rank, which singular values below the tolerance do not count for."""
    a = as_matrices(a)
    if (atol is not None and atol < 0) or (rtol is not None and rtol < 0):
        raise ValueError("atol and rtol values must be positive.")
    if rtol is None:
        rtol = max(shape_of(a)[-2:]) * np.finfo(dtype_of(a)).eps if atol is None else 0.0
    cutoff, s = rtol, linalg.svdvals(a) if atol is not None or return_rank else None
    if atol is not None:
        largest = concrete(max_(s, axis=-1, initial=0.0), "pinv(atol=…)")
        cutoff = rtol + atol / np.where(largest > 0, largest, 1.0)
    out = linalg.pinv(a, rcond=cutoff)
    if not return_rank:
        return out
    values = concrete(s, "pinv(return_rank=True)")
    return out, np.sum(values > np.expand_dims(cutoff * values.max(axis=-1, initial=0.0), -1), axis=-1)


@implements(sl.pinvh)
def pinvh(
    a: Any,
    atol: Any = None,
    rtol: Any = None,
    lower: bool = True,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """Of the Hermitian matrix that has the triangle which is read."""
    return pinv(_entries_read(as_square(a), "hermitian", lower), atol=atol, rtol=rtol, return_rank=return_rank)


@implements(sl.lstsq)
def lstsq(
    a: Any,
    b: Any,
    cond: Any = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: str | None = None,
) -> Any:
    """One problem, through the pseudo-inverse; the derivative holds at constant rank."""
    a, b = as_matrices(a), as_inexact(b)
    rows, columns = shape_of(a)
    if shape_of(b)[0] != rows:
        raise ValueError(f"Shape mismatch: a and b should have the same number of rows ({rows} != {shape_of(b)[0]}).")
    s = linalg.svdvals(a)
    relative = np.finfo(dtype_of(a)).eps if cond is None else cond
    values = concrete(s, "lstsq")
    rank = int(np.sum(values > relative * values.max(initial=0.0)))
    x = matmul(linalg.pinv(a, relative), b)
    residues = np.empty(0, r.real_dtype(a))
    if rows > columns and rank == columns:
        residues = sum_(absolute(b - matmul(a, x)) ** 2, axis=0)
    return x, residues, rank, None if lapack_driver == "gelsy" else s


# Sylvester and Lyapunov equations ------------------------------------------------------------------------------------


def _of_one_kind(function: Callable[..., Any], matrices: int) -> Callable[..., Any]:
    """Make all matrices complex if one is: SciPy 1.17 hands a real Schur form to a solver for complex triangles."""

    @functools.wraps(function)
    def on_plain(*args: Any, **kwargs: Any) -> Any:
        if any(np.iscomplexobj(a) for a in args[:matrices]):
            args = (*(np.asarray(a, complex) for a in args[:matrices]), *args[matrices:])
        return function(*args, **kwargs)

    return on_plain


@implements(_of_one_kind(sl.solve_sylvester, 3))
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Solution of a @ x + x @ b = q. No derivative (NaN) where a and -b have an eigenvalue in common."""
    return call(m.sylvester, as_square(a), as_square(b), as_matrices(q), strict=False)


@implements(_of_one_kind(sl.solve_continuous_lyapunov, 2))
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """Solution of a @ x + x @ aᴴ = q."""
    a, q = as_square(a), as_square(q)
    if shape_of(a)[-2:] != shape_of(q)[-2:]:
        raise ValueError("Matrix a and q should have the same shape.")
    return solve_sylvester(a, adjoint(a), q)


solve_lyapunov = solve_continuous_lyapunov


@implements(_of_one_kind(sl.solve_discrete_lyapunov, 2))
def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Any:
    """Solution of a @ x @ aᴴ - x + q = 0."""
    a, q = as_square(a), as_square(q)
    n = shape_of(a)[-1]
    if n != shape_of(q)[-1]:
        raise ValueError("Matrix a and q should have the same shape.")
    method = (method or ("bilinear" if n >= 10 else "direct")).lower()
    if method == "direct":
        if len(shape_of(a)) > 2 or len(shape_of(q)) > 2:
            a, q = (broadcast_to(x, np.broadcast_shapes(shape_of(a), shape_of(q))) for x in (a, q))
        pairs = a[..., :, None, :, None] * conj(a)[..., None, :, None, :]
        system = np.eye(n * n) - reshape(pairs, (*shape_of(a)[:-2], n * n, n * n))
        return reshape(linalg.solve(system, reshape(q, (*shape_of(q)[:-2], n * n, 1))), shape_of(q))
    if method == "bilinear":
        eye, ah = np.eye(n), adjoint(a)
        turned = matmul(ah - eye, linalg.inv(ah + eye))
        middle = matmul(linalg.inv(a + eye), matmul(q, linalg.inv(ah + eye)))
        return solve_continuous_lyapunov(adjoint(turned), -2 * middle)
    raise ValueError(f"Unknown solver {method}")
