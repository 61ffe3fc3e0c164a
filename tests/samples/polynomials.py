"""Samples of the roots of polynomials; tests/test_polynomials.py has the functions made of other primitives."""

from __future__ import annotations

import numpy as np

from wengert.rules import polynomials as r

from .sample import Sample

_CUBIC = np.array([2.0, 0.5, 0.3, 1.0])

SAMPLES = [
    *(
        Sample(r.roots, (c,), {"basis": "numpy"}, nan=False)
        for c in [
            _CUBIC,
            np.array([2.0, 1.0, 3.0]),
            np.array([2.0, 3.0]),
            np.array([2.0 + 1j, 1.0, 3.0 - 1j]),
            np.array([2.0, 1.0, 3.0], np.float32),
        ]
    ),
    *(
        Sample(r.roots, (c,), {"basis": basis}, nan=False)
        for basis in ("polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre")
        for c in [np.array([0.3, -1.0, 0.2, 1.0]), np.array([2.0, 3.0])]
    ),
    Sample(r.roots, (np.array([1.0, -2.0, 1.0]),), {"basis": "numpy"}, smooth=False, nan=False, note="double root"),
]
