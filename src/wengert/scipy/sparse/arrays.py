"""`csr_array`, a sparse matrix whose entries may be traced, and functions that make one."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as ss

from wengert.array import contains_traced
from wengert.core.containers import register_container
from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, call
from wengert.numpy.indexing import take
from wengert.numpy.joining import concatenate
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import reshape
from wengert.numpy.ufuncs import conj, negative
from wengert.rules import sparse as r
from wengert.rules.indexing import ARRAY, index, index_add


class Pattern:
    """Where the entries of a matrix are: compressed rows, with columns in increasing order and no place twice."""

    __slots__ = ("columns", "rows", "shape", "starts")

    def __init__(self, rows: Any, columns: Any, shape: tuple[int, int]) -> None:
        self.rows, self.columns, self.shape = rows, columns, shape
        self.starts = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(columns.dtype)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Pattern)
            and self.shape == other.shape
            and np.array_equal(self.rows, other.rows)
            and np.array_equal(self.columns, other.columns)
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.rows.size))


class csr_array:
    """A sparse matrix whose entries may be traced.

    Parameters
    ----------
    arg : sparse matrix of SciPy, array_like, (data, (i, j)) or (data, indices, indptr)
        What the matrix is made of, as in SciPy; only `data` may be traced. Entries at the same place are added.
    shape : pair of ints, optional
        Size of the matrix.

    Attributes
    ----------
    data
        The entries, row by row.
    indices, indptr
        Column of each entry, and where each row begins.
    shape, ndim, nnz, dtype, T
        As in SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.scipy.sparse import csr_array
    >>> a = csr_array(([2.0, 3.0, 4.0], ([0, 1, 1], [0, 0, 2])), shape=(2, 3))
    >>> x = np.array([1.0, 5.0, 2.0])
    >>> a @ x
    array([ 2., 11.])
    >>> grad(lambda a: np.sum(a @ x))(a).data
    array([1., 1., 2.])
    """

    __array_ufunc__ = None  # an ndarray on the left leaves products to this class
    __array_priority__ = 300.0
    format, ndim = "csr", 2

    def __init__(self, arg: Any, shape: tuple[int, int] | None = None) -> None:
        if isinstance(arg, csr_array):
            self.data, self.pattern = arg.data, arg.pattern
            return
        if isinstance(arg, tuple) and len(arg) == 2 and isinstance(arg[1], (tuple, list)):
            data, (i, j) = arg
            self._from_places(data, i, j, shape)
        elif isinstance(arg, tuple) and len(arg) == 3:
            data, columns, starts = (as_array(a) for a in arg)
            counts: Any = np.diff(np.asarray(starts))
            size = (len(counts), int(np.max(columns, initial=-1)) + 1) if shape is None else shape
            self._from_places(data, np.repeat(np.arange(len(counts)), counts), columns, size)
        else:
            if contains_traced(arg):
                fail(
                    UnsupportedOperationError,
                    "csr_array of a traced dense matrix: its zeros would have to be known. Pass "
                    "(data, (rows, columns)) with the places of the entries.",
                )
            if not ss.issparse(arg) and np.ndim(arg) != 2:
                raise ValueError("a sparse array must have two dimensions")
            plain = ss.coo_array(arg)
            i, j = plain.coords
            self._from_places(plain.data, i, j, shape or plain.shape)

    def _from_places(self, data: Any, i: Any, j: Any, shape: Any) -> None:
        data, i, j = as_array(data), np.asarray(i), np.asarray(j)
        if shape_of(data) != i.shape or i.shape != j.shape or i.ndim != 1:
            raise ValueError("row, column, and data array must all be the same length")
        if shape is None:
            shape = (int(np.max(i, initial=-1)) + 1, int(np.max(j, initial=-1)) + 1)
        rows, columns = (int(n) for n in shape)
        if i.size and (i.min() < 0 or j.min() < 0 or i.max() >= rows or j.max() >= columns):
            raise ValueError(f"an index exceeds matrix dimensions {(rows, columns)}, or is negative")
        places, number = np.unique(i.astype(np.int64) * columns + j, return_inverse=True)
        kind = np.int32 if max(places.size, rows, columns) < 2**31 else np.int64
        self.pattern = Pattern(
            (places // max(columns, 1)).astype(kind), (places % max(columns, 1)).astype(kind), (rows, columns)
        )
        if places.size < number.size:
            zero = np.zeros(places.size, dtype_of(data))
            self.data = call(index_add, zero, data, number, spec=(ARRAY,), donate=False)
        elif np.all(number[1:] >= number[:-1]):
            self.data = data
        else:
            self.data = take(data, np.argsort(number))

    @classmethod
    def _of(cls, data: Any, pattern: Pattern) -> csr_array:
        new = cls.__new__(cls)
        new.data, new.pattern = data, pattern
        return new

    def __repr__(self) -> str:
        return f"<wengert csr_array of shape {self.shape} with {self.nnz} entries of type {self.dtype}>"

    @property
    def shape(self) -> tuple[int, int]:
        """Size."""
        return self.pattern.shape

    @property
    def indices(self) -> np.ndarray:
        """Column of each entry."""
        return self.pattern.columns

    @property
    def indptr(self) -> np.ndarray:
        """Where each row begins."""
        return self.pattern.starts

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return int(self.pattern.rows.size)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the entries."""
        return dtype_of(self.data)

    @property
    def T(self) -> csr_array:
        """The transposed matrix."""
        p = self.pattern
        return csr_array((self.data, (p.columns, p.rows)), (p.shape[1], p.shape[0]))

    def transpose(self) -> csr_array:
        """The transposed matrix."""
        return self.T

    def conj(self) -> csr_array:
        """The complex conjugate."""
        return self._of(conj(self.data), self.pattern)

    def toarray(self) -> Any:
        """The dense matrix."""
        p = self.pattern
        zero = np.zeros(p.shape, self.dtype)
        return call(index_add, zero, self.data, p.rows, p.columns, spec=(ARRAY, ARRAY), donate=False)

    todense = toarray

    def to_scipy(self) -> Any:
        """SciPy's matrix with these entries, which must not be traced."""
        return ss.csr_array((np.asarray(self.data), self.indices, self.indptr), shape=self.shape)

    def diagonal(self) -> Any:
        """Main diagonal."""
        p = self.pattern
        on = np.flatnonzero(p.rows == p.columns)
        zero = np.zeros(min(p.shape), self.dtype)
        return call(index_add, zero, take(self.data, on), p.rows[on], spec=(ARRAY,), donate=False)

    def sum(self, axis: int | None = None) -> Any:
        """Sum of all entries, or of each column (axis 0) or row (axis 1)."""
        if axis is None:
            return sum_(self.data)
        return self._times(np.ones(self.shape[axis], self.dtype), transposed=axis % 2 == 0)

    def _times(self, x: Any, transposed: bool) -> Any:
        p = self.pattern
        return call(r.product, self.data, x, p.rows, p.columns, p.starts, shape=p.shape, transposed=transposed)

    def _product(self, x: Any, transposed: bool) -> Any:
        if isinstance(x, csr_array) or ss.issparse(x):
            fail(
                UnsupportedOperationError,
                "the product of two sparse matrices is not differentiable here. Multiply by vectors, or use toarray().",
            )
        x = as_array(x)
        length = self.shape[0 if transposed else 1]
        if len(shape_of(x)) not in (1, 2) or shape_of(x)[0] != length:
            raise ValueError(f"matmul: dimension mismatch with signature {self.shape} and {shape_of(x)}")
        return self._times(x, transposed)

    def __matmul__(self, x: Any) -> Any:
        return self._product(x, False)

    def dot(self, x: Any) -> Any:
        """Product with a vector or a dense matrix."""
        return self._product(x, False)

    def __rmatmul__(self, x: Any) -> Any:
        x = as_array(x)
        return self._product(x.T, True).T if len(shape_of(x)) == 2 else self._product(x, True)

    def multiply(self, other: Any) -> csr_array:
        """Product of the elements, with a number or a dense matrix (which broadcasts)."""
        if isinstance(other, csr_array) or ss.issparse(other):
            fail(
                UnsupportedOperationError,
                "the elementwise product of two sparse matrices is not there. Multiply by other.toarray().",
            )
        other = as_array(other)
        if shape_of(other):
            shape = (1,) * (2 - len(shape_of(other))) + shape_of(other)
            if np.broadcast_shapes(shape, self.shape) != self.shape:
                raise ValueError("inconsistent shapes")
            p = self.pattern
            i, j = (k if n > 1 else 0 * k for k, n in zip((p.rows, p.columns), shape, strict=True))
            other = call(index, reshape(other, shape), i, j, spec=(ARRAY, ARRAY))
        return self._of(self.data * other, self.pattern)

    def __mul__(self, other: Any) -> csr_array:
        return self.multiply(other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> csr_array:
        return self.multiply(1.0 / as_array(other))

    def __neg__(self) -> csr_array:
        return self._of(negative(self.data), self.pattern)

    def __add__(self, other: Any) -> csr_array:
        if not (isinstance(other, csr_array) or ss.issparse(other)):
            fail(UnsupportedOperationError, "a sparse matrix plus something dense is dense: use toarray().")
        other = csr_array(other)
        if self.shape != other.shape:
            raise ValueError("inconsistent shapes")
        p, q = self.pattern, other.pattern
        if p == q:
            return self._of(self.data + other.data, p)
        i, j = np.concatenate([p.rows, q.rows]), np.concatenate([p.columns, q.columns])
        return csr_array((concatenate([self.data, other.data]), (i, j)), self.shape)

    __radd__ = __add__

    def __sub__(self, other: Any) -> csr_array:
        return self + (-other)

    def __rsub__(self, other: Any) -> csr_array:
        return -self + other


register_container(
    csr_array, lambda a: ((a.data,), a.pattern), lambda pattern, data: csr_array._of(next(iter(data)), pattern)
)


def coo_array(arg: Any, shape: tuple[int, int] | None = None) -> csr_array:
    """The matrix with entries `data` at places (i, j), given as (data, (i, j)); entries at the same place are added.

    Parameters
    ----------
    arg, shape
        As for `csr_array`.

    Returns
    -------
    csr_array
        Compressed rows: the only format here.
    """
    return csr_array(arg, shape)


def csc_array(arg: Any, shape: tuple[int, int] | None = None) -> csr_array:
    """The matrix with compressed columns (data, indices, indptr).

    Parameters
    ----------
    arg, shape
        As for `csr_array`, but `indices` are rows, and `indptr` says where columns begin.

    Returns
    -------
    csr_array
        Compressed rows: the only format here.
    """
    if isinstance(arg, tuple) and len(arg) == 3:
        return csr_array(arg, None if shape is None else (shape[1], shape[0])).T
    return csr_array(arg, shape)


def diags_array(diagonals: Any, *, offsets: Any = 0, shape: tuple[int, int] | None = None) -> csr_array:
    """The matrix with given diagonals.

    Parameters
    ----------
    diagonals : sequence of array_like, or one array_like if `offsets` is a number
        Diagonals, each as long as it is in the matrix, or of length 1.
    offsets : int or sequence of ints
        How far each is above the main diagonal.
    shape : pair of ints, optional
        Size; by default square, just large enough for the diagonals.

    Returns
    -------
    csr_array
        The matrix.
    """
    numbers = [int(offsets)] if np.ndim(offsets) == 0 else [int(k) for k in offsets]
    parts = [as_array(diagonals)] if np.ndim(offsets) == 0 else [as_array(d) for d in diagonals]
    if len(parts) != len(numbers):
        raise ValueError("Different number of diagonals and offsets.")
    if shape is None:
        size = shape_of(parts[0])[0] + abs(numbers[0])
        shape = (size, size)
    data, rows, columns = [], [], []
    for d, k in zip(parts, numbers, strict=True):
        length = min(shape[0] + min(k, 0), shape[1] - max(k, 0))
        if shape_of(d)[0] != length:
            if shape_of(d)[0] != 1:
                raise ValueError(
                    f"Diagonal length (index {len(data)}: {shape_of(d)[0]} at offset {k}) does not agree with array "
                    f"size ({shape[0]}, {shape[1]})."
                )
            d = d * np.ones(length)
        data.append(d)
        rows.append(np.arange(length) - min(k, 0))
        columns.append(np.arange(length) + max(k, 0))
    return csr_array((concatenate(data), (np.concatenate(rows), np.concatenate(columns))), shape)
