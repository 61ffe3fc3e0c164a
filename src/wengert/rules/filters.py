"""Convolution along several axes, and recursive filters. `rules.contraction.convolve` is NumPy's, of two vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.signal

from wengert.core.combinators import General, Multilinear, conjugate, reduce_sum, reshape, shifted
from wengert.core.values import dtype_of, shape_of
from wengert.rules.indexing import flip, index, slice_axis
from wengert.rules.joining import concatenate, stack

# Convolution: in full, or (mode "valid") where the second factor lies inside of the first -----------------------------


def _convolution(x: np.ndarray, y: np.ndarray, *, axes: tuple[int, ...], mode: str, method: str) -> np.ndarray:
    """Convolve along `axes`; the other axes broadcast."""
    others = [k for k in range(x.ndim) if k not in axes]
    lead = np.broadcast_shapes(*(tuple(a.shape[k] for k in others) for a in (x, y)))
    lengths = [x.shape[k] + (y.shape[k] - 1) * (1 if mode == "full" else -1) for k in axes]
    if not x.size or not y.size or 0 in lengths:
        shape = dict(zip([*axes, *others], [*(max(n, 0) for n in lengths), *lead], strict=True))
        return np.zeros([shape[k] for k in range(x.ndim)], np.result_type(x, y))
    if method == "fft":
        return scipy.signal.fftconvolve(x, y, mode, axes=axes)
    if all(y.shape[k] == 1 for k in others):  # along an axis of length 1 a convolution is a product
        return scipy.signal.convolve(x, y, mode, "direct")
    first, second = (np.moveaxis(a, others, range(len(others))) for a in (x, y))
    first, second = (np.broadcast_to(a, lead + a.shape[len(lead) :]) for a in (first, second))
    parts = [scipy.signal.convolve(first[i], second[i], mode, "direct") for i in np.ndindex(lead)]
    return np.moveaxis(np.stack(parts).reshape(lead + parts[0].shape), range(len(others)), others)


def _other_mode(ct: Any, other: Any, axes: tuple[int, ...], mode: str, method: str) -> Any:
    other_mode = "valid" if mode == "full" else "full"
    return convolution(ct, flip(other, *axes), axes=axes, mode=other_mode, method=method)


def _transpose_y(ct: Any, x: Any, y: Any, *, axes: tuple[int, ...], mode: str, method: str) -> Any:
    if mode == "full":
        return _other_mode(ct, x, axes, mode, method)
    return flip(convolution(x, flip(ct, *axes), axes=axes, mode="valid", method=method), *axes)


def _convolution_batch(size: int, args: Any, batched: Sequence[bool], *, axes: tuple[int, ...], **params: Any) -> Any:
    x, y = (a if b else reshape(a, shape=(1, *shape_of(a))) for a, b in zip(args, batched, strict=True))
    return convolution(x, y, axes=shifted(axes), **params)


convolution = Multilinear(
    _convolution,
    lambda ct, x, y, *, axes, mode, method: _other_mode(ct, y, axes, mode, method),
    _transpose_y,
    name="convolution",
    batch=_convolution_batch,
)


# Recursive filters: the y with Σₖ a[k]·y[n - k] = x[n] ----------------------------------------------------------------


def _delayed(x: Any, count: int, axis: int) -> list[Any]:
    """x[n], x[n - 1], …: the array, and the array moved on by one place after the other, zeros coming in."""
    n = shape_of(x)[axis]
    shape = list(shape_of(x))
    out = [x]
    for k in range(1, count):
        shape[axis] = min(k, n)
        zeros = np.zeros(shape, dtype_of(x))
        out.append(concatenate(zeros, slice_axis(x, axis, None, max(n - k, 0)), axis=axis))
    return out


def _recursion_jvp(tangents: Sequence[Any], out: Any, a: Any, x: Any, *, axis: int) -> Any:
    da, dx = tangents
    for k, y in enumerate(_delayed(out, shape_of(a)[0], axis)):
        dx = dx - index(da, spec=(k,)) * y
    return recursion(a, dx, axis=axis)


def _recursion_vjp(ct: Any, out: Any, a: Any, x: Any, *, axis: int) -> tuple[Any, Any]:
    cx = flip(recursion(conjugate(a), flip(ct, axis), axis=axis), axis)
    every = tuple(range(len(shape_of(out))))
    past = _delayed(conjugate(out), shape_of(a)[0], axis)
    return stack(*(-reduce_sum(y * cx, axis=every) for y in past)), cx


def _recursion_batch(size: int, args: Any, batched: Sequence[bool], *, axis: int) -> Any:
    if batched[0]:
        return recursion.loop_over_batch(size, args, batched, {"axis": axis})
    return recursion(args[0], args[1], axis=axis + 1)


def _recursion(a: np.ndarray, x: np.ndarray, *, axis: int) -> Any:
    return scipy.signal.lfilter(np.ones(1, np.result_type(a, x, np.float32)), a, x, axis=axis)


recursion = General(
    _recursion,
    jvp=_recursion_jvp,
    vjp=_recursion_vjp,
    name="recursion",
    batch=_recursion_batch,
)
