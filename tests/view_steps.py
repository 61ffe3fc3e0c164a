"""Linear functions of an array that return views, copies or results, and functions that write: for random programs.

Everything is NumPy as users write it; Arrays find their way through NumPy's protocols.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import wengert.numpy as wnp

as_strided = wnp.lib.stride_tricks.as_strided
_sliding_window_view = np.lib.stride_tricks.sliding_window_view


def _alternating(h: Any) -> np.ndarray:
    """A condition of the shape of an array, in C order."""
    return (np.arange(np.size(h)) % 3 > 0).reshape(np.shape(h))


def _factors(h: Any) -> np.ndarray:
    """Numbers of the shape of an array, in C order."""
    return (np.arange(np.size(h)) % 3 - 1.0).reshape(np.shape(h))


#: What gives a view in NumPy, at least for some layouts and types.
VIEWS: dict[str, Callable[[Any], Any]] = {
    "T": lambda h: h.T,
    "mT": lambda h: h.mT,
    "transpose": lambda h: np.transpose(h, (1, 0, *range(2, np.ndim(h)))),
    "permute_dims": lambda h: np.permute_dims(h),
    "matrix_transpose": lambda h: np.matrix_transpose(h),
    "swapaxes": lambda h: np.swapaxes(h, 0, -1),
    "moveaxis": lambda h: np.moveaxis(h, 0, -1),
    "rollaxis": lambda h: np.rollaxis(h, -1),
    "ravel": lambda h: h.ravel(),
    "ravel-F": lambda h: np.ravel(h, order="F"),
    "ravel-K": lambda h: h.ravel("K"),
    "ravel-A": lambda h: h.ravel(order="A"),
    "reshape": lambda h: h.reshape(-1),
    "reshape-column": lambda h: np.reshape(h, (-1, 1)),
    "reshape-pairs": lambda h: h.reshape(2, -1),
    "reshape-back": lambda h: h.reshape(np.shape(h)[::-1]),
    "reshape-more": lambda h: h.reshape((1, *np.shape(h))),
    "reshape-0d": lambda h: h.reshape(()),
    "reshape-F": lambda h: h.reshape((-1, 2), order="F"),
    "reshape-A": lambda h: np.reshape(h, (2, -1), order="A"),
    "squeeze": lambda h: h.squeeze(),
    "squeeze-axis": lambda h: np.squeeze(h, 0),
    "expand_dims": lambda h: np.expand_dims(h, (0, -1)),
    "atleast_1d": lambda h: np.atleast_1d(h),
    "atleast_2d": lambda h: np.atleast_2d(h),
    "atleast_3d": lambda h: np.atleast_3d(h),
    "flip": lambda h: np.flip(h),
    "fliplr": lambda h: np.fliplr(h),
    "flipud": lambda h: np.flipud(h),
    "rot90": lambda h: np.rot90(h),
    "rot180": lambda h: np.rot90(h, 2),
    "backwards": lambda h: h[::-1],
    "every": lambda h: h[::1],
    "every-second": lambda h: h[..., ::2],
    "diagonal": lambda h: h.diagonal(),
    "diagonal-last": lambda h: np.diagonal(h, 1, -1, -2),
    "diag": lambda h: np.diag(h),
    # NumPy reads beyond the end of empty arrays; strides differ for other layouts
    "einsum": lambda h: np.einsum("ii->i", h) if np.size(h) and h.flags.c_contiguous else h[...],
    "einsum-transpose": lambda h: np.einsum("ij...->ji...", h) if np.size(h) else h[...],
    "real": lambda h: h.real,
    "imag": lambda h: h.imag,
    "np.real": lambda h: np.real(h),
    "np.imag": lambda h: np.imag(h) if h.dtype.kind == "c" else np.real(h),
    "broadcast_to": lambda h: np.broadcast_to(h, (2, *np.shape(h))),
    "windows": lambda h: _sliding_window_view(h, 2, axis=-1),
    "as_strided": lambda h: as_strided(h, np.shape(h)[::-1], h.strides[::-1]),
    "as_strided-diagonal": lambda h: as_strided(h, (min(np.shape(h)),), (sum(h.strides),)),
    "as_strided-back": lambda h: as_strided(h[-1:], np.shape(h), (-h.strides[0], *h.strides[1:])),
    "as_strided-read-only": lambda h: as_strided(h, (*np.shape(h), 2), (*h.strides, 0), writeable=False),
    "windows-of-1": lambda h: _sliding_window_view(h, 1, axis=0, writeable=True),
    "split": lambda h: np.array_split(h, 2)[1],
    "split-last": lambda h: np.split(h, [1], axis=-1)[0],
    "hsplit": lambda h: np.hsplit(h, [1])[1],
    "vsplit": lambda h: np.vsplit(h, [1])[1],
    "dsplit": lambda h: np.dsplit(h, [1])[0],
    "unstack": lambda h: np.unstack(h)[-1],
    "unstack-last": lambda h: np.unstack(h, axis=-1)[0],
    "iteration": lambda h: (*h,)[0],
    "meshgrid": lambda h: np.meshgrid(h, np.zeros(2), copy=False, sparse=True)[0],
    "asarray": lambda h: wnp.asarray(h),
    "view": lambda h: h.view(),
    "astype": lambda h: h.astype(h.dtype, copy=False),
    "nan_to_num": lambda h: np.nan_to_num(h, copy=False),
    "real_if_close": lambda h: h if h.dtype.kind == "c" else np.real_if_close(h),
}

#: What makes a new array, whose layout in memory depends on that of the old one.
RESULTS: dict[str, Callable[[Any], Any]] = {
    "copy": lambda h: h.copy(),
    "copy-F": lambda h: h.copy("F"),
    "copy-K": lambda h: np.copy(h),
    "copy-A": lambda h: h.copy(order="A"),
    "flatten": lambda h: h.flatten(),
    "flatten-F": lambda h: h.flatten("F"),
    "flatten-K": lambda h: h.flatten("K"),
    "flat": lambda h: h.flat[:],
    "flat-part": lambda h: h.flat[::2],
    "astype": lambda h: h.astype(h.dtype),
    "astype-C": lambda h: h.astype(h.dtype, order="C"),
    "astype-F": lambda h: h.astype(h.dtype, order="F"),
    "negative": lambda h: -h,
    "conj": lambda h: np.conj(h),
    "times": lambda h: h * _factors(h),
    "times-before": lambda h: _factors(h) * h,
    "divide": lambda h: h / 2.0,
    "where": lambda h: np.where(_alternating(h), h, 0.0),
    "concatenate": lambda h: np.concatenate([h, h]),
    "concatenate-last": lambda h: np.concatenate([h, h], axis=-1),
    "append": lambda h: np.append(h, h, axis=0),
    "stack": lambda h: np.stack([h, h]),
    "stack-last": lambda h: np.stack([h, h], axis=-1),
    "vstack": lambda h: np.vstack([h, h]),
    "column_stack": lambda h: np.column_stack([h, h]),
    "take": lambda h: np.take(h, [0, -1], axis=0),
    "take-last": lambda h: np.take(h, [0, -1], axis=-1),
    "take_along_axis": lambda h: np.take_along_axis(h, np.zeros((1,) * np.ndim(h), int), axis=0),
    "roll": lambda h: np.roll(h, 1),
    "roll-axis": lambda h: np.roll(h, 1, axis=-1),
    "tile": lambda h: np.tile(h, 2),
    "repeat": lambda h: np.repeat(h, 2, axis=-1),
    "resize": lambda h: np.resize(h, (2, 3)),
    "cumsum": lambda h: np.cumsum(h, axis=0),
    "cumsum-last": lambda h: np.cumsum(h, axis=-1),
    "diff": lambda h: np.diff(h, axis=0),
    "sum": lambda h: np.sum(h, axis=0),
    "sum-last": lambda h: h.sum(axis=-1, keepdims=True),
    "trace": lambda h: np.trace(h),
    "tril": lambda h: np.tril(h),
    "triu": lambda h: np.triu(h, 1),
    "diag": lambda h: np.diag(h.ravel()),
    "pad": lambda h: np.pad(h, 1),
    "delete": lambda h: np.delete(h, 0, axis=0),
    "insert": lambda h: np.insert(h, 1, 0.0, axis=0),
    "compress": lambda h: np.compress([True, False], h, axis=0),
    "matmul": lambda h: h @ np.ones((np.shape(h)[-1], 2)),
    "matmul-before": lambda h: np.ones((2, np.shape(h)[-2])) @ h,
    "tensordot": lambda h: np.tensordot(h, np.eye(np.shape(h)[0]), (0, 0)),
    "einsum": lambda h: np.einsum("ij...,j->i...", h, np.ones(np.shape(h)[1])),
    "outer": lambda h: np.multiply.outer(h, np.arange(2.0)),
    "kron": lambda h: np.kron(np.arange(2.0), h),
    "apply_along_axis": lambda h: np.apply_along_axis(np.cumsum, 0, h),
    "zeros_like": lambda h: np.zeros_like(h),
    "block": lambda h: np.block([h, h]),
    "ix_": lambda h: h[np.ix_([0, 1], [1, 0])],
    "nan_to_num": lambda h: np.nan_to_num(h),
    "linspace": lambda h: np.linspace(h, 3.0 * h, 3),
}

#: (h, other, number, mask): writes to h. The number is zero where derivatives are computed.
WRITES: dict[str, Callable[[Any, Any, float, np.ndarray], Any]] = {
    "fill": lambda h, other, c, mask: h.fill(c),
    "flat": lambda h, other, c, mask: h.flat.__setitem__(slice(1, None, 2), c),
    "flat-integer": lambda h, other, c, mask: h.flat.__setitem__(0, c),
    "flat-all": lambda h, other, c, mask: setattr(h, "flat", c * np.arange(3.0)),
    "put": lambda h, other, c, mask: np.put(h, [0, -1], [c, 2.0 * c]),
    "put-clip": lambda h, other, c, mask: h.put([0, 99], other, mode="clip"),
    "place": lambda h, other, c, mask: np.place(h, mask, [c, 3.0 * c]),
    "putmask": lambda h, other, c, mask: np.putmask(h, mask, 2.0 * other),
    "copyto": lambda h, other, c, mask: np.copyto(h, other),
    "copyto-where": lambda h, other, c, mask: np.copyto(h, 2.0 * other, where=mask),
    "copyto-number": lambda h, other, c, mask: np.copyto(h, c, where=mask),
    "fill_diagonal": lambda h, other, c, mask: np.fill_diagonal(h, c),
    "fill_diagonal-wrap": lambda h, other, c, mask: np.fill_diagonal(h, c, wrap=True),
    "put_along_axis": lambda h, other, c, mask: np.put_along_axis(h, np.zeros((1,) * np.ndim(h), int), c, axis=-1),
    "add.at": lambda h, other, c, mask: np.add.at(h, [0, 0, -1], c),
    "add.at-mask": lambda h, other, c, mask: np.add.at(h, mask, c),
    "subtract.at": lambda h, other, c, mask: np.subtract.at(h, (Ellipsis, [0, 0]), 2.0 * c),
    "negative.at": lambda h, other, c, mask: np.negative.at(h, [0]),
    "multiply.at": lambda h, other, c, mask: np.multiply.at(h, [0, 0], 2.0),
    "out": lambda h, other, c, mask: np.add(h, other, out=h),
    "out-backwards": lambda h, other, c, mask: np.negative(h, out=h[::-1]),
    "out-shifted": lambda h, other, c, mask: np.add(h[1:], h[:-1], out=h[1:]),
    "out-shifted-back": lambda h, other, c, mask: np.subtract(h[1:], h[:-1], out=h[:-1]),
    "out-transposed": lambda h, other, c, mask: np.add(h, 2.0 * h.T, out=h),
    "out-broadcast": lambda h, other, c, mask: np.add(h[0], c, out=h),
    "out-where": lambda h, other, c, mask: np.multiply(h, 2.0, out=h, where=mask),
    "out-positional": lambda h, other, c, mask: np.multiply(h, 2.0, h),
    "out-cumsum": lambda h, other, c, mask: np.cumsum(h, axis=0, out=h),
    "out-sum": lambda h, other, c, mask: np.sum(h, axis=0, out=h[0]),
    "out-accumulate": lambda h, other, c, mask: np.add.accumulate(h, axis=-1, out=h),
    "out-matmul": lambda h, other, c, mask: np.matmul(h, np.eye(np.shape(h)[-1])[::-1], out=h),
    "out-concatenate": lambda h, other, c, mask: np.concatenate([h[1:], 2.0 * h[:1]], out=h),
    "out-conj": lambda h, other, c, mask: np.conj(h[::-1], out=h),
    "iteration": lambda h, other, c, mask: [row.__setitem__(Ellipsis, c) for row in h],
    "real": lambda h, other, c, mask: setattr(h, "real", c),
    "imag": lambda h, other, c, mask: setattr(h, "imag", h.real),
    "row-swap": lambda h, other, c, mask: h.__setitem__([0, 1], h[[1, 0]]),
    "mask": lambda h, other, c, mask: h.__setitem__(mask, c),
    "mask-in-place": lambda h, other, c, mask: h.__setitem__(mask, h[mask] * 2.0),
    "nested": lambda h, other, c, mask: h[..., ::-1][1:].__setitem__(Ellipsis, c),
    "aliased": lambda h, other, c, mask: h.__setitem__(Ellipsis, h.T),
    "in-place-other": lambda h, other, c, mask: operator.iadd(h, 2.0 * other),
    "in-place-overlap": lambda h, other, c, mask: operator.iadd(h[1:], h[:-1]),
    "in-place-overlap-back": lambda h, other, c, mask: operator.isub(h[:-1], 2.0 * h[1:]),
    "in-place-backwards": lambda h, other, c, mask: operator.iadd(h, h[::-1]),
}
