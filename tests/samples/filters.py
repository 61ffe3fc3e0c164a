"""Samples of convolution along several axes and of recursive filters."""

from __future__ import annotations

import numpy as np

from wengert.rules import filters as f

from .sample import Sample

_rng = np.random.default_rng(11)


def _r(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


_A = np.array([1.3, -0.4, 0.2])

SAMPLES = [
    *(
        Sample(f.convolution, (x, y), {"axes": axes, "mode": mode, "method": method})
        for method in ("direct", "fft")
        for x, y, axes in [
            (_r(5), _r(3), (0,)),
            (_r(4, 5), _r(2, 3), (0, 1)),
            (_r(2, 5), _r(1, 3), (1,)),
            (_r(2, 5), _r(2, 3), (1,)),
            (_r(5, 1), _r(3, 2), (0,)),
            (_r(4) + 1j * _r(4), _r(2), (0,)),
            (_r(4), _r(2) + 1j * _r(2), (0,)),
            (_r(1), _r(1), (0,)),
            (np.zeros((0, 4)), _r(1, 3), (1,)),
            (_r(5).astype(np.float32), _r(3).astype(np.float32), (0,)),
        ]
        for mode in ("full", "valid")
    ),
    *(
        Sample(f.recursion, (a, x), {"axis": axis})
        for a, x, axis in [
            (_A, _r(6), 0),
            (_A, _r(2, 4), 1),
            (_A, _r(4, 2), 0),
            (_A, _r(2), 0),
            (_A, np.zeros(0), 0),
            (np.array([2.0]), _r(3), 0),
            (_A + 0.2j * _r(3), _r(4), 0),
            (_A, _r(4) + 1j * _r(4), 0),
            (_A.astype(np.float32), _r(4).astype(np.float32), 0),
        ]
    ),
]
