"""Samples of the functions of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.rules import decompositions as d
from wengert.rules import determinants, spectra
from wengert.rules import linalg as r

from .sample import Sample

_rng = np.random.default_rng(7)


def _r(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


def _c(*shape: int) -> np.ndarray:
    return _r(*shape) + 1j * _r(*shape)


def _regular(*shape: int, entries: Any = _r) -> np.ndarray:
    """Well-conditioned matrices."""
    return 0.3 * entries(*shape) + 2 * np.eye(shape[-2], shape[-1])


def _spread(*shape: int, entries: Any = _r) -> np.ndarray:
    """Hermitian positive definite matrices with eigenvalues well apart."""
    n = shape[-1]
    x = 0.2 * entries(*shape)
    return x + np.swapaxes(x, -1, -2).conj() + np.diag(3.0 + 2 * np.arange(n))


def _tall(*shape: int, entries: Any = _r) -> np.ndarray:
    """Rectangular matrices with singular values well apart and columns well conditioned."""
    x = 0.2 * entries(*shape)
    k = min(shape[-2:])
    x[..., np.arange(k), np.arange(k)] += 1.5 + np.arange(k)
    return x


def _single(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex64 if x.dtype.kind == "c" else np.float32)


def _singular(n: int, rank: int, entries: Any = _r) -> np.ndarray:
    return entries(n, rank) @ entries(rank, n)


def _spectrum(a: np.ndarray, kind: str, constant: bool) -> Sample:
    """The pullback of values, whose derivative is not that of its value: test_linalg has second derivatives."""
    params = {"constant": constant}
    if kind == "svd":
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        args = (a, _r(*s.shape[:-1], 1, s.shape[-1]), u, s[..., None, :], vh)
        return Sample(spectra.singular_spectrum, args, params, wrt=(0, 1), smooth=False, note=str(constant))
    w, v = (np.linalg.eigh if kind == "eigh" else np.linalg.eig)(a)
    c = (_r if w.dtype.kind == "f" else _c)(*w.shape[:-1], 1, w.shape[-1])
    primitive = spectra.hermitian_spectrum if kind == "eigh" else spectra.general_spectrum
    return Sample(primitive, (a, c, w[..., None, :], v), params, wrt=(0, 1), smooth=False, note=str(constant))


SAMPLES = [
    *(
        _spectrum(a, kind, constant)
        for kind, matrices in {
            "eigh": [_spread(3, 3), _spread(2, 2, 2), _spread(2, 2, entries=_c)],
            "eig": [_tall(3, 3), _tall(2, 2, 2), _c(2, 2)],
            "svd": [_tall(3, 3), _tall(4, 2), _tall(2, 4), _tall(2, 3, 2), _tall(3, 2, entries=_c)],
        }.items()
        for a in matrices
        for constant in (True, False)
    ),
    *(
        Sample(r.solve, args)
        for args in [
            (_regular(3, 3), _r(3, 2)),
            (_regular(3, 3, entries=_c), _c(3, 2)),
            (_regular(3, 3, entries=_c), _r(3, 1)),
            (_regular(2, 3, 3), _r(3, 2)),
            (_regular(3, 3), _r(2, 3, 2)),
            (_regular(4, 1, 2, 2), _r(3, 2, 1)),
            (np.zeros((0, 0)), np.zeros((0, 2))),
            (_regular(3, 3), np.zeros((3, 0))),
            (_single(_regular(2, 2)), _single(_r(2, 2))),
        ]
    ),
    *(
        Sample(r.solve_triangular, args, params)
        for args, params in [
            ((_regular(3, 3), _r(3, 2)), {"lower": True}),
            ((_regular(3, 3), _r(3, 2)), {"lower": False}),
            ((_regular(3, 3), _r(3, 2)), {"lower": False, "unit_diagonal": True}),
            ((_regular(3, 3, entries=_c), _c(3, 2)), {"lower": True}),
            ((_regular(2, 3, 3), _r(3, 2)), {"lower": True}),
            ((_regular(2, 3, 3), _r(2, 3, 2)), {"lower": True, "unit_diagonal": True}),
            ((np.zeros((0, 0)), np.zeros((0, 2))), {"lower": True}),
            ((_single(_regular(2, 2)), _single(_r(2, 2))), {"lower": True}),
        ]
    ),
    *(
        Sample(r.inverse, (a,), {"check": check})
        for a in [
            _regular(3, 3),
            _regular(3, 3, entries=_c),
            _regular(2, 3, 3),
            np.zeros((0, 0)),
            _single(_regular(2, 2)),
        ]
        for check in (True, False)
    ),
    *(
        Sample(r.pseudo_inverse, (a,), {"tolerance": 1e-14}, rtol=1e-5, nan=False)
        for a in [_tall(4, 2), _tall(2, 4), _tall(3, 3), _tall(4, 2, entries=_c), _tall(2, 3, 2)]
    ),
    *(
        Sample(determinants.nonsingular_det, (a,), analytic=a.dtype == float)
        for a in [
            _regular(3, 3),
            _regular(3, 3, entries=_c),
            _regular(2, 3, 3),
            _regular(1, 1),
            np.zeros((0, 0)),
            _single(_regular(2, 2)),
        ]
    ),
    *(
        Sample(determinants.cofactors, (a,))
        for a in [_regular(3, 3), _regular(3, 3, entries=_c), _regular(2, 3, 3), _regular(1, 1), np.zeros((0, 0))]
    ),
    *(Sample(determinants.cofactors, (_singular(3, k),), order=1) for k in (0, 1, 2)),
    *(
        Sample(determinants.cofactors_along, (a, b))
        for a, b in [
            (_regular(3, 3), _r(3, 3)),
            (_regular(3, 3, entries=_c), _c(3, 3)),
            (_regular(2, 3, 3), _r(3, 3)),
            (_regular(1, 1), _r(1, 1)),
            (np.zeros((0, 0)), np.zeros((0, 0))),
            (_single(_regular(3, 3)), _single(_r(3, 3))),
        ]
    ),
    *(Sample(determinants.cofactors_along, (_singular(3, k), _r(3, 3)), wrt=(1,), order=1) for k in (0, 1, 2)),
    Sample(determinants.cofactors_along, (_singular(3, 1, entries=_c), _c(3, 3)), wrt=(1,), order=1),
    Sample(determinants.nullity, (np.diag([1.0, 0.0, 2.0, 0.0]),)),
    Sample(determinants.nullity, (np.stack([np.eye(2), np.zeros((2, 2))]),)),
    Sample(determinants.left_factor, (_tall(3, 3),)),
    Sample(determinants.right_factor, (_tall(3, 3),)),
    *(
        Sample(determinants.slogdet, (a,))
        for a in [
            _regular(3, 3),
            -_regular(3, 3),
            _regular(3, 3, entries=_c),
            _regular(2, 3, 3),
            np.zeros((0, 0)),
            _single(_regular(2, 2)),
        ]
    ),
    *(
        Sample(r.cholesky, (a,), nan=False)
        for a in [
            _spread(3, 3),
            _spread(3, 3, entries=_c),
            _spread(2, 3, 3),
            _spread(1, 1),
            np.zeros((0, 0)),
            _single(_spread(2, 2)),
        ]
    ),
    *(
        Sample(r.euclidean_norm, (x,), {"axis": axis})
        for x, axis in [
            (_r(3), (0,)),
            (_r(2, 3), (0,)),
            (_r(2, 3), (0, 1)),
            (_c(2, 3), (1,)),
            (_r(3, 0), (0,)),
            (_r(2, 3), ()),
            (_single(_r(3)), (0,)),
        ]
    ),
    Sample(r.euclidean_norm, (np.zeros(3),), {"axis": (0,)}, smooth=False, expected=[np.zeros(3)]),
    Sample(r.euclidean_norm, (np.zeros((0, 3)),), {"axis": (0,)}, smooth=False, note="no elements"),
    *(
        Sample(d.eigh, (a,), nan=False)
        for a in [_spread(3, 3), _spread(2, 3, 3), _spread(1, 1), np.zeros((0, 0)), _single(_spread(2, 2))]
    ),
    # The phases of complex vectors are NumPy's to choose: test_linalg has functions that do not depend on them.
    Sample(d.eigh, (_spread(3, 3, entries=_c),), nan=False, smooth=False, note="complex"),
    *(
        Sample(d.eig, (a,), nan=False)
        for a in [_tall(3, 3), _tall(2, 3, 3), _tall(1, 1), np.zeros((0, 0)), _single(_tall(2, 2))]
    ),
    Sample(d.eig, (_c(3, 3),), nan=False, smooth=False, note="complex"),
    Sample(d.eig, (np.array([[1.0, 2.0], [-2.0, 1.0]]),), nan=False, smooth=False, note="complex pair"),
    *(
        Sample(d.svd, (a,), {"full": full}, nan=False)
        for a in [_tall(3, 3), _tall(2, 3, 3), _tall(1, 1), _single(_tall(2, 2))]
        for full in (True, False)
    ),
    *(
        Sample(d.svd, (a,), {"full": False}, nan=False)
        for a in [_tall(4, 2), _tall(2, 4), _tall(2, 3, 2), np.zeros((0, 2))]
    ),
    *(
        Sample(d.svd, (a,), {"full": full}, nan=False, smooth=False, note="complex")
        for a in [_tall(4, 2, entries=_c), _tall(2, 4, entries=_c)]
        for full in (True, False)
    ),
    *(
        Sample(d.qr, (a,))
        for a in [
            _tall(3, 3),
            _tall(4, 2),
            _tall(4, 2, entries=_c),
            _tall(3, 3, entries=_c),
            _tall(2, 4, 2),
            _tall(1, 1),
            np.zeros((0, 0)),
            np.zeros((3, 0)),
            _single(_tall(3, 2)),
        ]
    ),
]
