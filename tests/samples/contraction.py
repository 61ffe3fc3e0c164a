"""Samples of matmul, einsum, convolve and window_sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.rules.contraction import convolve, einsum, matmul, window_sums

from .sample import Sample

_rng = np.random.default_rng(4)


def _r(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


def _c(*shape: int) -> np.ndarray:
    return _r(*shape) + 1j * _r(*shape)


def _window_sums(a: Any, v: Any) -> Any:
    return np.correlate(a, np.conj(v), "valid")


def _einsum(*operands: Any, subscripts: str, optimize: Any = False) -> Any:
    return np.einsum(subscripts, *operands, optimize=optimize)


_SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((4, 1, 2, 3), (5, 3, 1)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((0,), (0,)),
    ((3, 1), (1, 3)),
]
_SUBSCRIPTS: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk->ik", ((2, 3), (3, 4))),
    ("ij->ji", ((2, 3),)),
    ("ij->", ((2, 3),)),
    ("ij->j", ((2, 3),)),
    ("ii->i", ((3, 3),)),
    ("ii->", ((3, 3),)),
    ("iij->j", ((3, 3, 2),)),
    ("i,j->ij", ((2,), (3,))),
    ("i,i,i->i", ((3,), (3,), (3,))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))),
    ("ijk,ij->k", ((2, 3, 4), (2, 3))),
    ("ij,kl->", ((2, 3), (2, 2))),
    ("ii,i->i", ((3, 3), (3,))),
    (",ij->ij", ((), (2, 3))),
    ("i,i->", ((0,), (0,))),
    ("ij,j->i", ((2, 0), (0,))),
]

SAMPLES: list[Sample] = [
    *(Sample(matmul, (_r(*a), _r(*b))) for a, b in _SHAPES),
    *(Sample(matmul, (_c(*a), _c(*b))) for a, b in _SHAPES[:9]),
    Sample(matmul, (_c(2, 3), _r(3, 2)), note="complex and real"),
    Sample(matmul, (_r(3), _c(3)), note="real and complex"),
    Sample(matmul, (_r(2, 3).astype(np.float32), _r(3).astype(np.float32))),
    Sample(matmul, (_r(2, 3).astype(np.float32), _r(3)), note="mixed"),
    Sample(matmul, (_r(2, 3), _r(3)), wrt=(0,), note="first"),
    Sample(matmul, (_r(2, 3), _r(3)), wrt=(1,), note="second"),
    Sample(matmul, (_r(2, 3), np.array([1, 2, 3])), note="with integers"),
    *(
        Sample(
            einsum, tuple(_r(*s) for s in shapes), {"subscripts": subscripts}, note=subscripts, numpy_function=_einsum
        )
        for subscripts, shapes in _SUBSCRIPTS
    ),
    *(
        Sample(
            einsum, tuple(_c(*s) for s in shapes), {"subscripts": subscripts}, note=subscripts, numpy_function=_einsum
        )
        for subscripts, shapes in _SUBSCRIPTS[:13]
    ),
    Sample(einsum, (_r(3, 3).astype(np.float32),), {"subscripts": "ii->i"}, note="float32", numpy_function=_einsum),
    Sample(einsum, (_c(2, 3), _r(3)), {"subscripts": "ij,j->i"}, note="complex and real", numpy_function=_einsum),
    Sample(
        einsum,
        (_r(2, 3), _r(3, 4), _r(4)),
        {"subscripts": "ij,jk,k->i", "optimize": True},
        note="optimize",
        numpy_function=_einsum,
    ),
    *(Sample(convolve, (_r(n), _r(m))) for n, m in [(4, 2), (2, 4), (3, 3), (1, 1), (5, 1)]),
    *(Sample(convolve, (_c(n), _c(m))) for n, m in [(4, 2), (2, 4)]),
    Sample(convolve, (_r(3), _c(2)), note="real and complex"),
    Sample(convolve, (_r(3).astype(np.float32), _r(2).astype(np.float32))),
    Sample(convolve, (_r(3), np.array([1, 2])), note="with integers"),
    *(Sample(window_sums, (_r(n), _r(m)), numpy_function=_window_sums) for n, m in [(4, 2), (3, 3), (5, 1), (1, 1)]),
    *(Sample(window_sums, (_c(n), _c(m)), numpy_function=_window_sums) for n, m in [(4, 2), (3, 3)]),
    Sample(window_sums, (_c(3), _r(2)), note="real and complex", numpy_function=_window_sums),
    Sample(window_sums, (_r(3).astype(np.float32), _r(2).astype(np.float32)), numpy_function=_window_sums),
]
