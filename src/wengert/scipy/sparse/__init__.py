"""Sparse matrices that are differentiable in their entries: `csr_array`, and functions that make one.

SciPy's own sparse matrices hold plain numbers and take no Arrays. ``csr_array(matrix)`` makes one of these
differentiable, ``a.to_scipy()`` gives one back. Where the entries are is fixed; products, sums, transposes and
`linalg.spsolve` are differentiable in the entries and in whatever they are combined with. A `csr_array` is a container
of its entries for all of Wengert's functions: the gradient with respect to one has derivatives in the same places.
"""

from wengert.scipy.sparse import linalg as linalg
from wengert.scipy.sparse.arrays import coo_array, csc_array, csr_array, diags_array

__all__ = ["coo_array", "csc_array", "csr_array", "diags_array", "linalg"]
