"""Samples of the Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.rules.fourier import fft, ifft, irfft, rfft

from .sample import Sample

_rng = np.random.default_rng(8)


def _r(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


def _c(*shape: int) -> np.ndarray:
    return _r(*shape) + 1j * _r(*shape)


_NORMS = ("backward", "ortho", "forward")

SAMPLES: list[Any] = [
    *(
        Sample(primitive, (x,), {"axis": axis, "norm": norm}, note=norm)
        for primitive in (fft, ifft)
        for x, axis in [
            (_r(4), 0),
            (_c(5), 0),
            (_c(2, 3), 1),
            (_c(2, 3, 2), 1),
            (_c(1), 0),
            (np.zeros((0, 3)), 1),
            (_r(4).astype(np.float32), 0),
            (_c(4).astype(np.complex64), 0),
        ]
        for norm in _NORMS
    ),
    *(
        Sample(rfft, (x,), {"axis": axis, "norm": norm}, note=norm)
        for x, axis in [
            (_r(4), 0),
            (_r(5), 0),
            (_r(1), 0),
            (_r(2), 0),
            (_r(3, 2), 0),
            (_r(2, 3, 4), 1),
            (np.zeros((0, 3)), 1),
            (_r(4).astype(np.float32), 0),
        ]
        for norm in _NORMS
    ),
    *(
        Sample(irfft, (x,), {"n": n, "axis": axis, "norm": norm}, note=f"{n}, {norm}")
        for x, n, axis in [
            (_c(3), 4, 0),
            (_c(3), 5, 0),
            (_c(1), 1, 0),
            (_c(2), 2, 0),
            (_r(3), 4, 0),
            (_c(3, 2), 5, 0),
            (_c(2, 3, 4), 4, 1),
            (np.zeros((0, 2), complex), 3, 1),
            (_c(3).astype(np.complex64), 4, 0),
        ]
        for norm in _NORMS
    ),
]
