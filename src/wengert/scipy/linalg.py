"""The part of `scipy.linalg` that Gaussian computations need. SciPy's own functions do not take Arrays."""

from __future__ import annotations

from typing import Any

import scipy.linalg as sl

from wengert.core.values import shape_of
from wengert.numpy import linalg
from wengert.numpy.dispatch import as_array, call, implements
from wengert.numpy.ufuncs import conj
from wengert.rules import linalg as r


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
    """Solution of a triangular system; only the triangle that is read has a derivative."""
    a, b = as_array(a), as_array(b)
    if trans in (1, "T", 2, "C"):
        a, lower = linalg.matrix_transpose(a), not lower
        a = conj(a) if trans in (2, "C") else a
    vector = len(shape_of(b)) == 1
    x = call(r.solve_triangular, a, b[:, None] if vector else b, lower=bool(lower), unit_diagonal=bool(unit_diagonal))
    return x[..., 0] if vector else x


@implements(sl.cho_solve)
def cho_solve(c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Solution of a @ x = b given (Cholesky factor of a, whether it is the lower one)."""
    c, lower = c_and_lower
    first, second = (0, "C") if lower else ("C", 0)
    return solve_triangular(c, solve_triangular(c, b, trans=first, lower=lower), trans=second, lower=lower)


@implements(sl.cholesky)
def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Upper factor by default, unlike NumPy's; differentiated as a function of the triangle that is read."""
    return linalg.cholesky(a, upper=not lower)


@implements(sl.cho_factor)
def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Cholesky factor and `lower`, for `cho_solve`; the other triangle is zero, unlike SciPy's."""
    return cholesky(a, lower=lower), lower
