"""Samples of the primitives that rearrange, cast and join arrays."""

from __future__ import annotations

import numpy as np

from wengert.core import combinators as core
from wengert.rules import joining, structural

from .sample import Sample

_X = np.random.default_rng(1).normal(size=(2, 3, 4))
_Z = _X[0] + 1j * _X[1]
_F32 = _X.astype(np.float32)
_EMPTY = np.zeros((0, 3))

SAMPLES: list[Sample] = [
    Sample(core.broadcast_to, (_X[0, 0],), {"shape": (2, 3, 4)}),
    Sample(core.broadcast_to, (_X[:, :1],), {"shape": (5, 2, 3, 4)}),
    Sample(core.broadcast_to, (np.float64(1.5),), {"shape": (2, 2)}),
    Sample(core.broadcast_to, (np.float64(1.5),), {"shape": ()}, note="0-d"),
    Sample(core.broadcast_to, (np.ones((1, 3)),), {"shape": (0, 3)}, note="empty"),
    Sample(core.broadcast_to, (_EMPTY,), {"shape": (2, 0, 3)}, note="empty"),
    Sample(core.broadcast_to, (_Z[:, :1],), {"shape": (3, 4)}),
    Sample(core.broadcast_to, (_F32[0],), {"shape": (2, 3, 4)}),
    Sample(core.reshape, (_X,), {"shape": (4, 6)}),
    Sample(core.reshape, (_X.transpose(2, 0, 1),), {"shape": (4, 6)}, note="strided"),
    Sample(core.reshape, (np.float64(2.0),), {"shape": (1, 1)}, note="0-d"),
    Sample(core.reshape, (np.ones((1, 1)),), {"shape": ()}, note="to 0-d"),
    Sample(core.reshape, (_EMPTY,), {"shape": (3, 0, 2)}, note="empty"),
    Sample(core.reshape, (_Z,), {"shape": (12,)}),
    Sample(core.reshape, (_F32,), {"shape": (24,)}),
    Sample(core.astype, (_X,), {"dtype": np.dtype(np.float32)}, rtol=1e-4),
    Sample(core.astype, (_F32,), {"dtype": np.dtype(np.float64)}),
    Sample(core.astype, (_X,), {"dtype": np.dtype(complex)}),
    Sample(core.astype, (np.float64(2.0),), {"dtype": np.dtype(np.float32)}, rtol=1e-4),
    Sample(core.astype, (_EMPTY,), {"dtype": np.dtype(np.float32)}, note="empty"),
    Sample(core.astype, (_X,), {"dtype": np.dtype(int)}, note="to integers", smooth=False, expected=[0 * _X]),
    *(
        Sample(primitive, (x,))
        for primitive in (core.real, core.imag, core.conj)
        for x in (_X, _Z, _Z[0, 0], _Z.astype(np.complex64), _F32, np.zeros((0, 2), complex), _Z.T)
    ),
    Sample(structural.transpose, (_X,), {"axes": (2, 0, 1)}),
    Sample(structural.transpose, (_X,), {"axes": (0, 1, 2)}, note="identity"),
    Sample(structural.transpose, (_Z,), {"axes": (1, 0)}),
    Sample(structural.transpose, (_F32,), {"axes": (1, 0, 2)}),
    Sample(structural.transpose, (_EMPTY,), {"axes": (1, 0)}, note="empty"),
    Sample(structural.transpose, (np.float64(3.0),), {"axes": ()}, note="0-d"),
    Sample(joining.concatenate, (_X, _X[:, :1] + 1, _X[:, :0]), {"axis": 1}),
    Sample(joining.concatenate, (_X,), {"axis": 0}, note="one"),
    Sample(joining.concatenate, (_Z, _X[0]), {"axis": 0}, note="complex and real"),
    Sample(joining.concatenate, (_F32, _X), {"axis": 2}, note="mixed"),
    Sample(joining.concatenate, (_F32, _F32), {"axis": 2}),
    Sample(joining.concatenate, (_EMPTY, _EMPTY), {"axis": 0}, note="empty"),
    Sample(joining.concatenate, (_X[0, 0], np.array([1, 2])), {"axis": 0}, note="with integers"),
    Sample(joining.stack, (_X[0], _X[1], _X[0]), {"axis": 2}),
    Sample(joining.stack, (_X[0], _X[1])),
    Sample(joining.stack, (np.float64(1.0), np.float64(2.0)), note="scalars"),
    Sample(joining.stack, (_Z, _X[0]), {"axis": 1}, note="complex and real"),
    Sample(joining.stack, (_F32[0], _F32[1])),
    Sample(joining.stack, (_EMPTY, _EMPTY), {"axis": 1}, note="empty"),
]
