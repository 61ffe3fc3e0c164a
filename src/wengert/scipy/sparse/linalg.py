"""Linear systems with sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, call
from wengert.numpy.shaping import cast
from wengert.rules import sparse as r
from wengert.scipy.sparse.arrays import csr_array


def spsolve(A: Any, b: Any, permc_spec: str | None = None, use_umfpack: bool = True) -> Any:
    """Solution of A @ x = b, differentiable in the entries of A and in b.

    Parameters
    ----------
    A : csr_array or sparse matrix of SciPy
        The n×n matrix.
    b : array_like
        One right-hand side of shape (n,), or several of shape (n, k); dense.
    permc_spec : str, optional
        How SuperLU orders the columns, as in SciPy.
    use_umfpack : bool
        Accepted and ignored: SuperLU is used.

    Returns
    -------
    array
        The solution, of the shape of b. NaN with a warning where A is singular, as in SciPy. (SciPy returns a vector
        for k = 1.)

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.scipy.sparse import diags_array
    >>> from wengert.scipy.sparse.linalg import spsolve
    >>> f = lambda d: np.sum(spsolve(diags_array([d, [1.0, 1.0]], offsets=[0, 1]), np.ones(3)))
    >>> f(np.array([2.0, 2.0, 4.0])), grad(f)(np.array([2.0, 2.0, 4.0]))
    (np.float64(0.9375), array([-0.15625 , -0.09375 , -0.046875]))
    """
    a, b = csr_array(A), as_array(b)
    n, m = a.shape
    if n != m:
        raise ValueError(f"matrix must be square (has shape {a.shape})")
    if len(shape_of(b)) not in (1, 2) or shape_of(b)[0] != n:
        raise ValueError(f"matrix - rhs dimension mismatch ({a.shape} - {shape_of(b)[:1]})")
    data, b = (x if dtype_of(x).kind in "fc" else cast(x, np.float64) for x in (a.data, b))
    p = a.pattern
    return call(r.solve, data, b, p.rows, p.columns, p.starts, shape=p.shape, transposed=False, order=permc_spec)


__all__ = ["spsolve"]
