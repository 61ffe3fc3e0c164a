"""Discrete Fourier transforms along one axis: linear, those of real signals over the reals only.

Cropping, padding and transforms over several axes are ordinary code in `wengert.numpy.fft`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.combinators import Linear, along_axis, conj, conjugate
from wengert.core.values import ArrayType, dtype_of, shape_of

#: The normalisation under which the transform the other way has the same factor.
DUAL = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


# The matrix of a discrete Fourier transform is symmetric, so the transform is its own transpose.
fft = Linear(
    lambda x, *, axis, norm: np.fft.fft(x, axis=axis, norm=norm),
    lambda ct, x, *, axis, norm: fft(ct, axis=axis, norm=norm),
    name="fft",
    batch=along_axis(lambda: fft),
)
ifft = Linear(
    lambda x, *, axis, norm: np.fft.ifft(x, axis=axis, norm=norm),
    lambda ct, x, *, axis, norm: ifft(ct, axis=axis, norm=norm),
    name="ifft",
    batch=along_axis(lambda: ifft),
)


def _multiplicity(x: Any, n: int, axis: int) -> np.ndarray:
    """How often each of the n // 2 + 1 frequencies occurs in a real signal of length n: once or as a conjugate pair."""
    count = np.full(n // 2 + 1, 2, np.finfo(dtype_of(x)).dtype)
    count[0] = 1
    if n % 2 == 0:
        count[-1] = 1
    return count.reshape((-1,) + (1,) * (len(shape_of(x)) - axis - 1))


# `Linear` conjugates cotangents before and after a transpose; the real transforms are linear over the reals only, so
# their adjoints are conjugated once more to come out right.
def _rfft_transpose(ct: Any, x: ArrayType, *, axis: int, norm: str) -> Any:
    n = x.shape[axis]
    return irfft(conj(ct) / _multiplicity(ct, n, axis), n=n, axis=axis, norm=DUAL[norm])


def _irfft_transpose(ct: Any, x: ArrayType, *, n: int, axis: int, norm: str) -> Any:
    spectrum = rfft(ct, axis=axis, norm=DUAL[norm])
    return conjugate(spectrum * _multiplicity(spectrum, n, axis))


#: Real signal to the non-negative half of its spectrum.
rfft = Linear(
    lambda x, *, axis, norm: np.fft.rfft(x, axis=axis, norm=norm),
    _rfft_transpose,
    name="rfft",
    batch=along_axis(lambda: rfft),
)
#: The non-negative half of a spectrum, of length n // 2 + 1, to a real signal of length n.
irfft = Linear(
    lambda x, *, n, axis, norm: np.fft.irfft(x, n, axis=axis, norm=norm),
    _irfft_transpose,
    name="irfft",
    batch=along_axis(lambda: irfft),
)
