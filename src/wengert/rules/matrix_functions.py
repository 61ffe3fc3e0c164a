"""What `scipy.linalg` has and NumPy has not: functions of matrices, Sylvester equations, LU, banded systems.

For a primary function of a matrix, such as exp and log, the derivative L(a, e) at a in the direction e is the upper
right block of f([[a, e], [0, a]]) (Higham, "Functions of Matrices", 2008, chapter 3). The trace of x·L(a, e) is that of
L(a, x)·e, so its adjoint is L(a, ·ᴴ)ᴴ. The derivative of L itself is the same block for [[a, e], [0, a]] in place of a:
there are derivatives of every order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg

from wengert.core.combinators import General, NonDifferentiable, broadcast_to, conjugate, real_part, reduce_sum
from wengert.core.values import ArrayType, dtype_of, shape_of
from wengert.rules.contraction import matmul
from wengert.rules.decompositions import eigh as numpy_eigh
from wengert.rules.indexing import ARRAY, index
from wengert.rules.joining import concatenate, stack
from wengert.rules.linalg import (
    Stacked,
    adjoint,
    columns,
    lower,
    real_dtype,
    rows,
    solve_triangular,
    upper,
)
from wengert.rules.reductions import argsort
from wengert.rules.spectra import Decomposition, eigh_values_vjp


def over_stacks(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """Apply a function of matrices to each one of stacks that broadcast against each other."""
    lead = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
    if not lead:
        return function(*arrays)
    stacks = [np.broadcast_to(x, lead + x.shape[-2:]) for x in arrays]
    # Without any matrix a made-up one tells shapes and dtypes.
    made_up = [[np.eye(*x.shape[-2:], dtype=x.dtype) for x in arrays]] if 0 in lead else []
    results = [function(*xs) for xs in made_up or ([x[i] for x in stacks] for i in np.ndindex(lead))]
    if isinstance(results[0], tuple):
        return tuple(_stacked(column, lead) for column in zip(*results, strict=True))
    return _stacked(results, lead)


def _stacked(results: Sequence[np.ndarray], lead: tuple[int, ...]) -> np.ndarray:
    if 0 in lead:
        return np.zeros(lead + results[0].shape, results[0].dtype)
    return np.stack(results).reshape(lead + results[0].shape)


# Primary functions of a matrix ---------------------------------------------------------------------------------------


def _block(a: Any, b: Any, lead: tuple[int, ...]) -> Any:
    """[[a, b], [0, a]]."""
    a, b = (broadcast_to(x, shape=lead + shape_of(x)[-2:]) for x in (a, b))
    n = len(shape_of(a))
    below = concatenate(np.zeros(shape_of(a), dtype_of(a)), a, axis=n - 1)
    return concatenate(concatenate(a, b, axis=n - 1), below, axis=n - 2)


def _corner(x: Any) -> Any:
    """Upper right block."""
    n = shape_of(x)[-1] // 2
    return columns(rows(x, None, n), n, None)


def _lead(*xs: Any) -> tuple[int, ...]:
    return np.broadcast_shapes(*(shape_of(x)[:-2] for x in xs))


class _Derivative(Stacked):
    """L(a, e): the derivative of a primary function of matrices at a in the direction e."""

    def __init__(self, function: Callable[[np.ndarray], np.ndarray], name: str) -> None:
        def evaluate(a: np.ndarray, e: np.ndarray) -> np.ndarray:
            single = np.result_type(a, e).char in "fF"
            a, e = (x.astype(np.result_type(x, np.float64)) for x in (a, e))
            # It is linear in e, which is brought to the size of a: a huge block would cost accuracy.
            size, length = (np.abs(x).sum(axis=-1).max(axis=-1, initial=0.0)[..., None, None] for x in (a, e))
            scale = np.where((length > 0) & np.isfinite(length), length / np.where(size > 0, size, 1.0), 1.0)
            out = scale * _corner(function(_block(a, e / scale, _lead(a, e))))
            return out.astype(np.complex64 if out.dtype.kind == "c" else np.float32) if single else out

        super().__init__(evaluate, jvp=self._second, vjp=self._adjoint, keep="args", name=name)

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> ArrayType:
        """Found at a unit matrix: a logarithm warns about made-up ones, which are singular."""
        a, e = args
        eye = [np.eye(1, dtype=x.dtype) for x in args]
        return ArrayType(np.broadcast_shapes(a.shape, e.shape), self.fun(*eye).dtype)

    def _second(self, tangents: Sequence[Any], out: Any, a: Any, e: Any) -> Any:
        da, de = tangents
        lead = _lead(a, e, da, de)
        return _corner(self(_block(a, e, lead), _block(da, de, lead)))

    def _adjoint(self, ct: Any, out: Any, a: Any, e: Any) -> tuple[Any, Any]:
        direction, lead = adjoint(ct), _lead(a, e, ct)
        zero = np.zeros(shape_of(direction), dtype_of(direction))
        ca = _corner(self(_block(a, e, lead), _block(direction, zero, lead)))
        return adjoint(ca), adjoint(self(a, direction))


class _MatrixFunction(Stacked):
    """A function of square matrices, with a matrix of the same size as its value."""

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> ArrayType:
        """Found at a unit matrix, as above."""
        return ArrayType(args[0].shape, self.fun(np.eye(1, dtype=args[0].dtype)).dtype)


def _primary(function: Callable[[np.ndarray], np.ndarray], derivative: _Derivative, name: str) -> Stacked:
    return _MatrixFunction(
        function,
        jvp=lambda tangents, out, a: derivative(a, tangents[0]),
        vjp=lambda ct, out, a: (adjoint(derivative(a, adjoint(ct))),),
        keep="args",
        name=name,
    )


def _logm(a: np.ndarray) -> np.ndarray:
    return over_stacks(scipy.linalg.logm, a)


def _log_of_block(x: np.ndarray) -> np.ndarray:
    """The logarithm of [[a, e], [0, a]], in a basis in which a is triangular.

    Without it rounding may turn a double negative eigenvalue into two complex ones, on both sides of the branch cut.
    """

    def log(x: np.ndarray) -> np.ndarray:
        z, is_real = _triangular_basis(x)
        t = np.triu(z.conj().T @ x @ z)
        eigenvalues: Any = np.diagonal(t)
        on_cut = is_real & (eigenvalues.real < 0) & (abs(eigenvalues.imag) < 1e-13 * abs(eigenvalues))
        np.fill_diagonal(t, np.where(on_cut, eigenvalues.real, eigenvalues))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what SciPy warns of, it has warned of when the value was computed
            out: Any = z @ scipy.linalg.logm(t) @ z.conj().T
        return out if x.dtype.kind == "c" or on_cut.any() else out.real

    return over_stacks(log, x)


def _triangular_basis(a: np.ndarray) -> tuple[np.ndarray, bool]:
    """Unitary vectors of a Schur form, and whether the innermost block is real."""
    n = a.shape[-1] // 2
    if n and 2 * n == a.shape[-1] and not a[n:, :n].any() and np.array_equal(a[:n, :n], a[n:, n:]):
        z, is_real = _triangular_basis(a[:n, :n])
        return np.kron(np.eye(2), z), is_real
    return scipy.linalg.schur(a, output="complex")[1], not np.imag(a).any()


expm_derivative = _Derivative(scipy.linalg.expm, "expm_derivative")
logm_derivative = _Derivative(_log_of_block, "logm_derivative")
expm = _primary(scipy.linalg.expm, expm_derivative, "expm")
#: Principal logarithm; complex for a real matrix with negative eigenvalues, as in SciPy.
logm = _primary(_logm, logm_derivative, "logm")


# Sylvester equations, square roots -----------------------------------------------------------------------------------


def _sylvester(a: np.ndarray, b: np.ndarray, q: np.ndarray, *, strict: bool) -> np.ndarray:
    """Bartels & Stewart, "Solution of the matrix equation AX + XB = C", CACM 15 (1972)."""

    def solve(a: np.ndarray, b: np.ndarray, q: np.ndarray) -> np.ndarray:
        if not q.size:
            return np.zeros(q.shape, np.result_type(a, b, q, np.float32))
        # Of all three: LAPACK would take a real quasi-triangular factor next to complex numbers for a triangular one.
        output = "complex" if "c" in (a.dtype.kind, b.dtype.kind, q.dtype.kind) else "real"
        r, u = scipy.linalg.schur(a, output=output)[:2]
        s, v = scipy.linalg.schur(b.conj().T, output=output)[:2]
        f = u.conj().T @ q @ v
        (trsyl,) = scipy.linalg.get_lapack_funcs(("trsyl",), (r, s, f))
        y, scale, info = trsyl(r, s, f, tranb="C")
        return np.full_like(f, np.nan) if info and strict else u @ (scale * y) @ v.conj().T

    return over_stacks(solve, a, b, q)


def _sylvester_jvp(tangents: Sequence[Any], out: Any, a: Any, b: Any, q: Any, *, strict: bool) -> Any:
    da, db, dq = tangents
    return sylvester(a, b, dq - matmul(da, out) - matmul(out, db), strict=True)


def _sylvester_vjp(ct: Any, out: Any, a: Any, b: Any, q: Any, *, strict: bool) -> tuple[Any, Any, Any]:
    cq, x = sylvester(adjoint(a), adjoint(b), ct, strict=True), adjoint(out)
    return -matmul(cq, x), -matmul(x, cq), cq


#: x with a @ x + x @ b = q. If eigenvalues of a and -b coincide there is none: NaN with strict=True, else what LAPACK
#: returns for perturbed eigenvalues.
sylvester = Stacked(_sylvester, jvp=_sylvester_jvp, vjp=_sylvester_vjp, name="sylvester")

#: Principal square root; complex for a real matrix with negative eigenvalues. No derivative (NaN) at singular matrices.
sqrtm = _MatrixFunction(
    lambda a: over_stacks(scipy.linalg.sqrtm, a),
    jvp=lambda tangents, out, a: sylvester(out, out, tangents[0], strict=True),
    vjp=lambda ct, out, a: (sylvester(adjoint(out), adjoint(out), ct, strict=True),),
    keep="out",
    name="sqrtm",
)


# LU ------------------------------------------------------------------------------------------------------------------


def _lu(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    def factor(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not a.size:
            return a.copy(), np.arange(min(a.shape), dtype=np.int32)
        (getrf,) = scipy.linalg.get_lapack_funcs(("getrf",), (a,))
        packed, pivots, _ = getrf(a)
        return packed, pivots

    return over_stacks(factor, a)


def _permutation(pivots: np.ndarray, *, size: int) -> np.ndarray:
    """The order of rows that exchanging row i with row pivots[i], one after the other, leads to."""
    order = np.broadcast_to(np.arange(size), (*pivots.shape[:-1], size)).copy()
    for lead in np.ndindex(pivots.shape[:-1]):
        row = order[lead]
        for i, j in enumerate(pivots[lead]):
            row[i], row[j] = row[j], row[i]
    return order


permutation = NonDifferentiable(
    _permutation, name="permutation", batch=lambda size_, args, batched, *, size: permutation(args[0], size=size)
)


def inverse_permutation(order: Any) -> Any:
    """The order that undoes an order."""
    return argsort(order, axis=len(shape_of(order)) - 1)


def permute_rows(x: Any, order: Any) -> Any:
    """Take the rows of matrices in another order, given for each matrix of a stack."""
    lead = shape_of(order)[:-1]
    grids = [np.arange(n).reshape((n,) + (1,) * (len(lead) - k)) for k, n in enumerate(lead)]
    x = broadcast_to(x, shape=lead + shape_of(x)[-2:]) if lead != shape_of(x)[:-2] else x
    return index(x, *grids, order, spec=(ARRAY,) * (len(lead) + 1))


def unit_lower(packed: Any) -> Any:
    """The factor l of packed l and u."""
    n, k, dtype = shape_of(packed)[-2], min(shape_of(packed)[-2:]), real_dtype(packed)
    return columns(packed, None, k) * np.tri(n, k, -1, dtype) + np.eye(n, k, dtype=dtype)


def upper_of(packed: Any) -> Any:
    """The factor u of packed l and u."""
    k, n = min(shape_of(packed)[-2:]), shape_of(packed)[-1]
    return rows(packed, None, k) * np.tri(n, k, dtype=real_dtype(packed)).T


def _divided(x: Any, u: Any) -> Any:
    """x·u⁻¹ for an upper triangular u."""
    return adjoint(solve_triangular(adjoint(u), adjoint(x), lower=True))


def _lu_parts(out: Any) -> tuple[Any, Any, Any, Any, Any, int]:
    packed, pivots = out
    m, n = shape_of(packed)[-2:]
    k = min(m, n)
    square = columns(rows(packed, None, k), None, k)
    order = permutation(pivots, size=m)
    return square, unit_lower(square), upper_of(square), packed, order, k


def _lu_jvp(tangents: Sequence[Any], out: Any, a: Any) -> tuple[Any, None]:
    _, l1, u1, packed, order, k = _lu_parts(out)
    da = permute_rows(tangents[0], order)
    top = rows(da, None, k)
    growth = _divided(solve_triangular(l1, columns(top, None, k), lower=True, unit_diagonal=True), u1)
    dl, du = matmul(l1, lower(growth, 0.0)), matmul(upper(growth, 1.0), u1)
    change, ndim = dl + du, len(shape_of(packed))
    if shape_of(packed)[-1] > k:
        right = columns(top, k, None) - matmul(dl, columns(packed, k, None))
        right = solve_triangular(l1, right, lower=True, unit_diagonal=True)
        change = concatenate(change, right, axis=ndim - 1)
    if shape_of(packed)[-2] > k:
        below = _divided(rows(da, k, None) - matmul(rows(packed, k, None), du), u1)
        change = concatenate(change, below, axis=ndim - 2)
    return change, None


def _lu_vjp(ct: Any, out: Any, a: Any) -> tuple[Any]:
    _, l1, u1, packed, order, k = _lu_parts(out)
    c, ndim = ct[0], len(shape_of(packed))
    top = rows(c, None, k)
    cl, cu = lower(columns(top, None, k), 0.0), upper(columns(top, None, k), 1.0)
    l1h = adjoint(l1)
    below = right = None
    if shape_of(packed)[-2] > k:
        below = adjoint(solve_triangular(u1, adjoint(rows(c, k, None)), lower=False))
        cu = cu - matmul(adjoint(rows(packed, k, None)), below)
    if shape_of(packed)[-1] > k:
        right = solve_triangular(l1h, columns(top, k, None), lower=False, unit_diagonal=True)
        cl = cl - matmul(right, adjoint(columns(packed, k, None)))
    inner = lower(matmul(l1h, cl), 0.0) + upper(matmul(cu, adjoint(u1)), 1.0)
    half = adjoint(solve_triangular(u1, adjoint(inner), lower=False))
    ca = solve_triangular(l1h, half, lower=False, unit_diagonal=True)
    if right is not None:
        ca = concatenate(ca, right, axis=ndim - 1)
    if below is not None:
        ca = concatenate(ca, below, axis=ndim - 2)
    return (permute_rows(ca, inverse_permutation(order)),)


#: LAPACK's factors of a with rows exchanged: l below the diagonal and u packed into one matrix, and which row was
#: exchanged with each row. The derivative holds while the exchanges stay the same.
lu = Stacked(_lu, jvp=_lu_jvp, vjp=_lu_vjp, multiple=True, keep="out", name="lu")


# Symmetric eigenvalue problems ---------------------------------------------------------------------------------------

#: `decompositions.eigh` with SciPy's choice of LAPACK's functions, which may turn vectors the other way.
eigh = Decomposition(
    lambda a, *, driver: over_stacks(lambda a: scipy.linalg.eigh(a, driver=driver, check_finite=False), a),
    jvp=lambda tangents, out, a, *, driver: numpy_eigh._jvp(tangents, out, a),
    vjp=lambda ct, out, a, with_values, *, driver: numpy_eigh._vjp(ct, out, a, with_values),
    multiple=True,
    name="scipy_eigh",
)
eigh.values_vjp = lambda c, out, a, *, driver: eigh_values_vjp(c, out, a)


# Banded matrices: a[i, j] is in row above + i - j and column j of `ab` -----------------------------------------------


def shifted_by(x: Any, steps: int) -> Any:
    """Move x[i] to place i + steps of the first axis, zeros coming in."""
    n = shape_of(x)[0]
    steps = max(-n, min(n, steps))
    zeros = np.zeros((abs(steps), *shape_of(x)[1:]), dtype_of(x))
    if steps > 0:
        return concatenate(zeros, rows_from(x, None, n - steps), axis=0)
    return concatenate(rows_from(x, -steps, None), zeros, axis=0) if steps else x


def rows_from(x: Any, start: int | None, stop: int | None) -> Any:
    """Part of the first axis."""
    return index(x, spec=(slice(start, stop),))


def _band(ab: Any, row: int) -> Any:
    return index(ab, spec=(row,))


def _band_product(ab: Any, x: Any, above: int) -> Any:
    """a @ x."""
    terms = [shifted_by(index(ab, spec=(r, slice(None), None)) * x, r - above) for r in range(shape_of(ab)[0])]
    return sum(terms[1:], start=terms[0])


def transposed_band(ab: Any, above: int) -> Any:
    """The conjugate transpose of a banded matrix, as a banded matrix."""
    return stack(*(conjugate(shifted_by(_band(ab, r), r - above)) for r in reversed(range(shape_of(ab)[0]))))


def _solve_banded_jvp(tangents: Sequence[Any], out: Any, ab: Any, b: Any, *, below: int, above: int) -> Any:
    return solve_banded(ab, tangents[1] - _band_product(tangents[0], out, above), below=below, above=above)


def _solve_banded_vjp(ct: Any, out: Any, ab: Any, b: Any, *, below: int, above: int) -> tuple[Any, Any]:
    cb = solve_banded(transposed_band(ab, above), ct, below=above, above=below)
    x = conjugate(out)
    return stack(*(reduce_sum(-x * shifted_by(cb, above - r), axis=(1,)) for r in range(below + above + 1))), cb


#: x with a @ x = b, for a banded matrix in LAPACK's form and a matrix b.
solve_banded = General(
    lambda ab, b, *, below, above: scipy.linalg.solve_banded((below, above), ab, b, check_finite=False),
    jvp=_solve_banded_jvp,
    vjp=_solve_banded_vjp,
    name="solve_banded",
)


def both_sides(ab: Any) -> Any:
    """The Hermitian matrix whose diagonals from the main one downwards are the rows of `ab`, as a banded matrix."""
    below = [_band(ab, k) for k in range(shape_of(ab)[0])]
    below[0] = real_part(below[0])
    above = [conjugate(shifted_by(below[k], k)) for k in range(len(below) - 1, 0, -1)]
    return stack(*above, *below)
