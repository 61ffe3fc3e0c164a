"""Samples of sums, extrema, products and scans."""

from __future__ import annotations

import numpy as np

from wengert.core import combinators as core
from wengert.rules import reductions as r

from .sample import Sample

_X = np.random.default_rng(3).normal(size=(2, 3, 4))
_Z = _X[0] + 1j * _X[1]
_F32 = _X.astype(np.float32)
_ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 5.0], [4.0, 0.5, -1.0]])
_TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.0, -0.0, -1.0]])

SAMPLES: list[Sample] = [
    *(Sample(core.reduce_sum, (_X,), {"axis": axis}) for axis in [(), (0,), (1, 2), (0, 2), (0, 1, 2)]),
    Sample(core.reduce_sum, (_Z,), {"axis": (1,)}),
    Sample(core.reduce_sum, (_F32,), {"axis": (0, 1, 2)}),
    Sample(core.reduce_sum, (np.zeros((0, 3)),), {"axis": (0,)}, note="empty"),
    Sample(core.reduce_sum, (np.zeros((0, 3)),), {"axis": (1,)}, note="empty"),
    Sample(core.reduce_sum, (np.float64(3.0),), {"axis": ()}, note="0-d"),
    *(
        Sample(p, (x,), {"axis": axis})
        for p in (r.reduce_max, r.reduce_min)
        for x, axis in [(_X, (0,)), (_X, (0, 2)), (_X, (0, 1, 2)), (_F32, (1,)), (np.float64(1.0), ())]
    ),
    *(Sample(p, (np.zeros((0, 3)),), {"axis": (1,)}, note="empty") for p in (r.reduce_max, r.reduce_min)),
    Sample(
        r.reduce_max,
        (_TIES,),
        {"axis": (1,)},
        note="ties",
        smooth=False,
        expected=[[[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]]],
    ),
    Sample(
        r.reduce_min,
        (-_TIES,),
        {"axis": (1,)},
        note="ties",
        smooth=False,
        expected=[[[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]]],
    ),
    *(
        Sample(r.reduce_prod, (x,), {"axis": axis})
        for x, axis in [
            (_X, (1,)),
            (_X, (0, 2)),
            (_X, (0, 1, 2)),
            (_X, ()),
            (_Z, (0,)),
            (_F32, (2,)),
            (np.float64(3.0), ()),
        ]
    ),
    *(Sample(r.reduce_prod, (_ZEROS,), {"axis": axis}, note="zeros") for axis in [(0,), (1,), (0, 1)]),
    Sample(r.reduce_prod, (np.zeros((0, 3)),), {"axis": (0,)}, note="empty"),
    Sample(r.reduce_prod, (np.zeros((0, 3)),), {"axis": (1,)}, note="empty"),
    *(
        Sample(p, (x,), {"axis": axis})
        for p in (r.cumsum, r.cumprod)
        for x, axis in [(_X, 0), (_X, 2), (_Z, 1), (_F32, 1), (_ZEROS, 0), (_ZEROS, 1)]
    ),
    *(Sample(p, (np.zeros((0, 3)),), {"axis": a}, note="empty") for p in (r.cumsum, r.cumprod) for a in (0, 1)),
    *(Sample(p, (_X[0, 0, :1],), {"axis": 0}, note="one") for p in (r.cumsum, r.cumprod)),
    *(Sample(p, (_X,), {"axis": axis}) for p in (r.argmax, r.argmin, r.argsort) for axis in (0, 2)),
    *(
        Sample(
            r.argpartition,
            (np.array([[2.0, 3.0, 0.0, 1.0], [5.0, 3.0, 4.0, 6.0]]).T[:, k],),
            {"kth": (0, 1, 2), "axis": 0},
        )
        for k in (0, [0, 1])
    ),
    *(Sample(p, (_X > 0,), {"axis": axis}) for p in (r.reduce_all, r.reduce_any) for axis in [(0,), (0, 2), ()]),
    *(Sample(r.searchsorted, (np.sort(_X[0, 0]), v), {"side": "left"}) for v in (_X[1], np.float64(0.1))),
    Sample(
        r.searchsorted, (np.array([0.0, 1.0, 1.0, 2.0]), np.array([1.0, 5.0, -1.0])), {"side": "right"}, note="ties"
    ),
    *(Sample(r.searchsorted, (np.sort(_X[0]), v), {"side": "left", "batch": 1}) for v in (_X[1], _X[1, :, 0])),
]
