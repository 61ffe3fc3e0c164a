"""Samples of products and systems with sparse matrices, and of assignments."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.rules import assignment as a
from wengert.rules import sparse as s

from .sample import Sample

_rng = np.random.default_rng(13)


def _r(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


# [[p, 0, q], [0, r, 0], [s, 0, 0], [0, 0, 0]] and [[p, 0, q], [0, r, 0], [s, 0, t]]
_TALL = (np.array([0, 0, 1, 2]), np.array([0, 2, 1, 0]), np.array([0, 2, 3, 4, 4]))
_SQUARE = (np.array([0, 0, 1, 2, 2]), np.array([0, 2, 1, 0, 2]), np.array([0, 2, 3, 5]))
_NONE = (np.zeros(0, int), np.zeros(0, int), np.zeros(3, int))
_ENTRIES = np.array([4.0, 0.3, 5.0, -0.6, 3.0])


def _system(data: Any, b: Any, transposed: bool) -> Sample:
    return Sample(
        s.solve, (data, b, *_SQUARE), {"shape": (3, 3), "transposed": transposed, "order": None}, batch=False, nan=False
    )


SAMPLES = [
    *(
        Sample(s.product, (data, x, *pattern), {"shape": shape, "transposed": transposed}, batch=False)
        for data, x, pattern, shape, transposed in [
            (_r(4), _r(3), _TALL, (4, 3), False),
            (_r(4), _r(3, 2), _TALL, (4, 3), False),
            (_r(4), _r(4), _TALL, (4, 3), True),
            (_r(4), _r(4, 1), _TALL, (4, 3), True),
            (_r(4) + 1j * _r(4), _r(3), _TALL, (4, 3), False),
            (_r(4), _r(3) + 1j * _r(3), _TALL, (4, 3), False),
            (_r(4).astype(np.float32), _r(3).astype(np.float32), _TALL, (4, 3), False),
            (np.zeros(0), _r(3), _NONE, (2, 3), False),
        ]
    ),
    *(
        _system(data, b, transposed)
        for transposed in (False, True)
        for data, b in [
            (_ENTRIES, _r(3)),
            (_ENTRIES, _r(3, 2)),
            (_ENTRIES + 0.3j, _r(3)),
            (_ENTRIES, _r(3) + 1j * _r(3)),
            (_ENTRIES.astype(np.float32), _r(3).astype(np.float32)),
        ]
    ),
    *(
        Sample(a.assignment, (_r(*shape),), {"maximize": up})
        for up in (False, True)
        for shape in [(3, 3), (2, 4), (4, 2)]
    ),
    Sample(a.assignment, (np.zeros((0, 2)),), {"maximize": False}),
]
