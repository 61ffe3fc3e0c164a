"""Functions of matrices and signals in terms of those that have a native form: for `wengert.compiler.expand`.

Each function here computes what the operation's own NumPy code does, in the same way. `numpy.linalg` computes in double
precision and converts its results; so does what takes its place here. Where that code looks at numbers, to mend the few
results that are not finite, the program gets a branch, so that it costs nothing where there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.compiler import gufuncs, lapack
from wengert.core.combinators import astype, broadcast_to, conjugate, imag, real, reduce_sum
from wengert.core.primitive import Primitive
from wengert.core.program import Operation, Variable
from wengert.core.staging import record
from wengert.core.values import ArrayType, dtype_of, shape_of, type_of
from wengert.rules.contraction import matmul, swap_last
from wengert.rules.decompositions import svd
from wengert.rules.determinants import cofactors, cofactors_along, nonsingular_det
from wengert.rules.elementwise import (
    absolute,
    greater,
    isfinite,
    less,
    logical_and,
    logical_not,
    reciprocal,
    sqrt,
    square,
    where,
)
from wengert.rules.fourier import fft, ifft, irfft, rfft
from wengert.rules.linalg import (
    adjoint,
    as_column,
    as_matrix,
    as_row,
    diagonal,
    euclidean_norm,
    inverse,
    matrix_sum,
    pseudo_inverse,
    real_dtype,
    solve,
    solve_triangular,
)
from wengert.rules.reductions import reduce_all, reduce_any, reduce_max, reduce_prod
from wengert.rules.spectra import general_spectrum, hermitian_spectrum, singular_spectrum
from wengert.transforms.branches import branch

#: What computes an operation, given its operands; None if there is nothing simpler.
Form = Callable[..., Any] | None
_CONVERTED = ("?", "f", "d", "F", "D", *np.typecodes["AllInteger"])


def _types(op: Operation) -> list[ArrayType] | None:
    """Types of the operands, if all of them are arrays of numbers with elements."""
    types = [a.type for a in op.inputs if isinstance(a, Variable)]
    if len(types) < len(op.inputs) or any(t.dtype.char not in _CONVERTED or 0 in t.shape for t in types):
        return None
    return types


def _in(dtype: np.dtype[Any], op: Operation) -> Form:
    """The same operation on operands of another dtype, with its results as they should be."""
    outs = [v.type.dtype for v in op.outputs]

    def form(*values: Any) -> Any:
        found = op.primitive.bind(*(_cast(x, dtype) for x in values), **op.params)
        results = [_cast(x, d) for x, d in zip(found if op.primitive.multiple else [found], outs, strict=True)]
        return results if op.primitive.multiple else results[0]

    return form


def _cast(x: Any, dtype: np.dtype[Any]) -> Any:
    return x if dtype_of(x) == dtype else astype(x, dtype=dtype)


def _in_double(op: Operation) -> Form:
    types = _types(op)
    if types is None or lapack.is_native(op):
        return None
    dtype = np.dtype(complex if any(t.dtype.kind == "c" for t in types) else float)
    return None if all(t.dtype == dtype for t in types) else _in(dtype, op)


def _triangular(op: Operation) -> Form:
    """With as many matrices on both sides, all of one type."""
    types = _types(op)
    if types is None or lapack.is_native(op):
        return None
    (out,) = (v.type for v in op.outputs)
    shapes = [(*out.shape[:-2], *t.shape[-2:]) for t in types]

    def form(*values: Any) -> Any:
        operands = [_cast(x, out.dtype) for x in values]
        full = [x if shape_of(x) == s else broadcast_to(x, shape=s) for x, s in zip(operands, shapes, strict=True)]
        return solve_triangular(*full, **op.params)

    return None if all(t == (s, out.dtype) for t, s in zip(types, shapes, strict=True)) else form


def _as_signal(op: Operation) -> Form:
    """A transform of numbers of the kind that NumPy converts them to."""
    types = _types(op)
    dtype = None if types is None else gufuncs.transformed_dtype(op)
    return None if dtype is None or types is None or types[0].dtype == dtype else _in(dtype, op)


def _floats_only(function: Callable[..., Any]) -> Callable[[Operation], Form]:
    """A form for operands that are floating-point numbers."""

    def form(op: Operation) -> Form:
        types = _types(op)
        if types is None or any(t.dtype.kind not in "fc" for t in types):
            return None
        shape = op.outputs[0].type.shape

        def full(*values: Any) -> Any:
            out = function(*values, **op.params)
            return out if shape_of(out) == shape else broadcast_to(out, shape=shape)

        return full

    return form


# Norm, pseudo-inverse, derivatives of spectra ------------------------------------------------------------------------


def _norm(x: Any, *, axis: tuple[int, ...]) -> Any:
    squares = real(x) * real(x) + imag(x) * imag(x) if dtype_of(x).kind == "c" else x * x
    return sqrt(reduce_sum(squares, axis=axis))


def _pseudo_inverse(a: Any, *, tolerance: Any) -> Any:
    u, s, vh = svd(conjugate(a), full=False)
    largest = as_column(reduce_max(s, axis=(len(shape_of(s)) - 1,)))
    large = greater(s, np.asarray(tolerance)[..., None] * largest)
    inverted = where(large, reciprocal(where(large, s, 1.0)), 0.0)
    return matmul(swap_last(vh), as_column(inverted) * swap_last(u))


def _hermitian_spectrum(a: Any, c: Any, w: Any, v: Any, *, constant: bool) -> Any:
    return matmul(v * c, adjoint(v))


def _general_spectrum(a: Any, c: Any, w: Any, v: Any, *, constant: bool) -> Any:
    return solve(adjoint(v), swap_last(c) * adjoint(v))


def _singular_spectrum(a: Any, c: Any, u: Any, s: Any, vh: Any, *, constant: bool) -> Any:
    return matmul(u * c, vh)


# Derivatives of determinants -----------------------------------------------------------------------------------------


def _all_of_matrix(x: Any) -> Any:
    n = len(shape_of(x))
    return as_matrix(reduce_all(x, axis=(n - 2, n - 1)))


def _where_needed(out: Any, a: Any, wanted: Any, mend: Callable[..., Any], *others: Any) -> Any:
    """``out``, but what ``mend(matrices, *others)`` gives where a flag for each matrix says so."""

    def mended(out: Any, a: Any, wanted: Any, *others: Any) -> list[Any]:
        eye = np.eye(shape_of(a)[-1], dtype=dtype_of(a))
        return [where(wanted, mend(where(wanted, a, eye), *others), out)]

    operands = (out, a, wanted, *others)
    types = list(map(type_of, operands))
    cases = record(lambda out, *rest: [out], types, "finite"), record(mended, types, "mended")
    some = reduce_any(wanted, axis=tuple(range(len(shape_of(wanted)))))
    return branch.bind(astype(some, dtype=np.dtype(np.int64)), *operands, branches=cases)[0]


def _from_singular_values(a: Any) -> Any:
    """Products of all singular values but one."""
    u, s, vh = svd(a, full=True)
    n = shape_of(s)[-1]
    others = reduce_prod(where(np.eye(n, dtype=bool), 1.0, as_row(s)), axis=(len(shape_of(s)),))
    signs = as_matrix(nonsingular_det(u) * nonsingular_det(vh))
    return conjugate(signs * matmul(u * as_row(others), vh))


def _cofactors(a: Any) -> Any:
    out = as_matrix(nonsingular_det(a)) * swap_last(inverse(a, check=False))
    wanted = logical_and(logical_not(_all_of_matrix(isfinite(out))), _all_of_matrix(isfinite(a)))
    return _where_needed(out, a, wanted, _from_singular_values)


def _along_from_singular_values(a: Any, b: Any) -> Any:
    """Of a diagonal matrix: products of all its entries but two."""
    u, s, vh = svd(a, full=True)
    inside = matmul(adjoint(u), matmul(b, adjoint(vh)))
    n = shape_of(s)[-1]
    k = np.arange(n)
    left_out = (k[:, None, None] == k) | (k[None, :, None] == k)  # of the product in row i and column j
    every = as_matrix(s) if n == 0 else as_row(as_row(s))
    products = reduce_prod(where(left_out, 1.0, every), axis=(len(shape_of(s)) + 1,))
    eye = np.eye(n, dtype=bool)
    between = where(eye, 0.0, products)
    along = matmul(between, as_column(diagonal(inside)))
    turned = where(eye, along, -swap_last(inside) * products)
    signs = as_matrix(nonsingular_det(u) * nonsingular_det(vh))
    return signs * matmul(conjugate(u), matmul(turned, conjugate(vh)))


def _cofactors_along(a: Any, b: Any) -> Any:
    shape = np.broadcast_shapes(shape_of(a), shape_of(b))
    a, b = (x if shape_of(x) == shape else broadcast_to(x, shape=shape) for x in (a, b))
    x, c = inverse(a, check=False), cofactors(a)
    scaled = matmul(x, b)
    trace = as_matrix(reduce_sum(diagonal(scaled), axis=(len(shape) - 2,)))
    out = trace * c - matmul(c, swap_last(scaled))
    size = sqrt(matrix_sum(square(absolute(a))) * matrix_sum(square(absolute(x))))
    regular = as_matrix(less(size, real_dtype(a).type(1 / np.cbrt(np.finfo(real_dtype(a)).eps))))
    wanted = logical_and(logical_not(regular), _all_of_matrix(isfinite(a)))
    return _where_needed(out, a, wanted, _along_from_singular_values, b)


#: For each operation, what gives its form.
FORMS: dict[Primitive, Callable[[Operation], Form]] = {
    **dict.fromkeys(gufuncs.LINEAR_ALGEBRA, _in_double),
    **dict.fromkeys((fft, ifft, rfft, irfft), _as_signal),
    solve_triangular: _triangular,
    euclidean_norm: _floats_only(_norm),
    pseudo_inverse: _floats_only(_pseudo_inverse),
    hermitian_spectrum: _floats_only(_hermitian_spectrum),
    general_spectrum: _floats_only(_general_spectrum),
    singular_spectrum: _floats_only(_singular_spectrum),
    cofactors: _floats_only(_cofactors),
    cofactors_along: _floats_only(_cofactors_along),
}
