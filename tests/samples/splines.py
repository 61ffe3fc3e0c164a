"""Samples of the spline filter."""

from __future__ import annotations

import numpy as np

from wengert.rules import splines as s

from .sample import Sample

_X = np.random.default_rng(2).normal(size=(4, 5))

SAMPLES = [
    Sample(s.spline_filter, (np.random.default_rng(3).normal(size=40),), {"axis": 0, "order": 3, "mode": "reflect"}),
    *(
        Sample(s.spline_filter, (x,), {"axis": axis, "order": order, "mode": mode}, nan=False)
        for mode in ("mirror", "reflect", "grid-wrap")
        for order in (2, 3, 5)
        for x, axis in [(_X, 0), (_X, 1), (_X[0], 0), (_X[0, :2], 0), (_X[:1], 0)]
    ),
    Sample(s.spline_filter, (_X + 1j * _X[::-1],), {"axis": 0, "order": 3, "mode": "mirror"}),
    Sample(s.spline_filter, (_X.astype(np.float32),), {"axis": 0, "order": 3, "mode": "reflect"}),
    Sample(s.spline_filter, (np.zeros((2, 0)),), {"axis": 0, "order": 3, "mode": "reflect"}),
]
