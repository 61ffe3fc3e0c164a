"""Matrices of special form, for `wengert.scipy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, implements
from wengert.numpy.joining import concatenate
from wengert.numpy.shaping import broadcast_to, reshape
from wengert.numpy.ufuncs import conj, matmul


def as_vectors(x: Any) -> Any:
    """Return an array of at least one axis."""
    x = as_array(x)
    return x if shape_of(x) else reshape(x, (1,))


def zeros(shape: tuple[int, ...], like: Any) -> np.ndarray:
    """Zeros of the dtype of an array."""
    return np.zeros(shape, dtype_of(like))


@implements(sl.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """Constant along diagonals: first column c, first row r (conj(c), if not given)."""
    c = as_vectors(c)
    r = conj(c) if r is None else as_vectors(r)
    lead = np.broadcast_shapes(shape_of(c)[:-1], shape_of(r)[:-1])
    c, r = (broadcast_to(x, lead + shape_of(x)[-1:]) for x in (c, r))
    rows, columns = shape_of(c)[-1], shape_of(r)[-1]
    entries = concatenate([c[..., ::-1], r[..., 1:]], axis=-1)
    return entries[..., np.arange(columns) - np.arange(rows)[:, None] + rows - 1]


@implements(sl.circulant)
def circulant(c: Any) -> Any:
    """Each column is the one before, shifted by one place."""
    c = as_vectors(c)
    n = shape_of(c)[-1]
    return c[..., (np.arange(n)[:, None] - np.arange(n)) % max(n, 1)]


@implements(sl.hankel)
def hankel(c: Any, r: Any = None) -> Any:
    """Constant along antidiagonals: first column c, last row r (zeros, if not given)."""
    c = reshape(as_array(c), (-1,))
    r = zeros(shape_of(c), c) if r is None else reshape(as_array(r), (-1,))
    rows, columns = shape_of(c)[0], shape_of(r)[0]
    return concatenate([c, r[1:]])[np.arange(rows)[:, None] + np.arange(columns)]


@implements(sl.companion)
def companion(a: Any) -> Any:
    """The matrix whose characteristic polynomial has the coefficients a."""
    a = as_array(a)
    n = shape_of(a)[-1] if shape_of(a) else 0
    if n < 2:
        raise ValueError("The length of `a` along the last axis must be at least 2.")
    first = (-a[..., 1:] / a[..., :1])[..., None, :]
    return concatenate([first, broadcast_to(np.eye(n - 2, n - 1), (*shape_of(a)[:-1], n - 2, n - 1))], axis=-2)


@implements(sl.block_diag)
def block_diag(*arrs: Any) -> Any:
    """Matrices along the diagonal, zeros elsewhere; vectors count as rows."""
    blocks = [as_array(a) for a in arrs]
    blocks = [reshape(a, (1,) * (2 - len(shape_of(a))) + shape_of(a)) if len(shape_of(a)) < 2 else a for a in blocks]
    lead = np.broadcast_shapes(*(shape_of(a)[:-2] for a in blocks))
    dtype = np.result_type(*(dtype_of(a) for a in blocks))
    width, start, parts = sum(shape_of(a)[-1] for a in blocks), 0, []
    for a in blocks:
        rows, columns = shape_of(a)[-2:]
        left, right = (np.zeros((*lead, rows, k), dtype) for k in (start, width - start - columns))
        parts.append(concatenate([left, broadcast_to(a, (*lead, rows, columns)), right], axis=-1))
        start += columns
    return concatenate(parts, axis=-2)


@implements(sl.convolution_matrix)
def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """The Toeplitz matrix that convolves a vector of length n with a."""
    if n <= 0:
        raise ValueError("n must be a positive integer.")
    if mode not in ("full", "valid", "same"):
        raise ValueError("'mode' argument must be one of ('full', 'valid', 'same')")
    a = as_array(a)
    length = shape_of(a)[-1]
    lead = shape_of(a)[:-1]
    column = concatenate([a, zeros((*lead, n - 1), a)], axis=-1)
    row = concatenate([a[..., :1], zeros((*lead, n - 1), a)], axis=-1)
    full = toeplitz(column, row)
    if mode == "full":
        return full
    size = max(length, n) - (min(length, n) - 1 if mode == "valid" else 0)
    start = min(length, n) - 1 if mode == "valid" else (min(length, n) - 1) // 2
    return full[..., start : start + size, :]


@implements(sl.khatri_rao)
def khatri_rao(a: Any, b: Any) -> Any:
    """Kronecker products of the columns."""
    a, b = as_array(a), as_array(b)
    if not (len(shape_of(a)) >= 2 and len(shape_of(b)) >= 2):
        raise ValueError("The both arrays should be 2-dimensional.")
    if shape_of(a)[-1] != shape_of(b)[-1]:
        raise ValueError("The number of columns for both arrays should be equal.")
    out = a[..., :, None, :] * b[..., None, :, :]
    shape = shape_of(out)
    return reshape(out, (*shape[:-3], shape[-3] * shape[-2], shape[-1]))


@implements(sl.diagsvd)
def diagsvd(s: Any, M: int, N: int) -> Any:
    """The M×N matrix with s on its diagonal."""
    s = as_array(s)
    k = shape_of(s)[-1]
    if k not in (M, N):
        raise ValueError("Length of s must be M or N.")
    square = s[..., :, None] * np.eye(k, dtype=dtype_of(s))
    lead = shape_of(s)[:-1]
    if k == M:
        return concatenate([square, zeros((*lead, M, N - M), s)], axis=-1)
    return concatenate([square, zeros((*lead, M - N, N), s)], axis=-2)


@implements(sl.matmul_toeplitz)
def matmul_toeplitz(c_or_cr: Any, x: Any, check_finite: bool = False, workers: Any = None) -> Any:
    """Product with a Toeplitz matrix, which is made in full for traced arguments."""
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)
    return matmul(toeplitz(c, r), as_array(x))
