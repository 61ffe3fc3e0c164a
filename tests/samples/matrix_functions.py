"""Samples of the functions of matrices that SciPy has and NumPy has not."""

from __future__ import annotations

import numpy as np

from wengert.rules import matrix_functions as m

from .linalg import _c, _r, _regular, _single, _spread
from .sample import Sample

_BAND = np.array([[0.0, 0.3, -0.2, 0.5], [4.0, 5.0, 6.0, 7.0], [0.4, -0.3, 0.6, 0.0]])

SAMPLES = [
    *(
        Sample(primitive, (a,), nan=primitive is m.expm)
        for primitive in (m.expm, m.logm, m.sqrtm)
        for a in [_spread(3, 3), _regular(3, 3), _regular(2, 2, entries=_c), _regular(2, 2, 2), _spread(1, 1)]
    ),
    *(Sample(p, (np.zeros((0, 0)),)) for p in (m.expm, m.sqrtm)),
    *(Sample(p, (_single(_spread(2, 2)),), nan=p is m.expm) for p in (m.expm, m.sqrtm)),
    *(
        Sample(p, (a, e), nan=p is m.expm_derivative)
        for p in (m.expm_derivative, m.logm_derivative)
        for a, e in [
            (_spread(3, 3), _r(3, 3)),
            (_regular(2, 2), _c(2, 2)),
            (_regular(2, 2, entries=_c), _c(2, 2)),
            (_regular(2, 2, 2), _r(2, 2)),
            (_single(_spread(2, 2)), _single(_r(2, 2))),
        ]
    ),
    *(
        Sample(m.sylvester, args, {"strict": strict}, nan=False)
        for strict in (True, False)
        for args in [
            (_regular(3, 3), _spread(2, 2), _r(3, 2)),
            (_regular(3, 3, entries=_c), _spread(2, 2), _c(3, 2)),
            (_regular(2, 2), _regular(2, 2), _c(2, 2)),
            (_regular(2, 2, 2), _regular(2, 2), _r(2, 2)),
            (np.zeros((0, 0)), _spread(2, 2), np.zeros((0, 2))),
            (_single(_regular(2, 2)), _single(_spread(2, 2)), _single(_r(2, 2))),
        ]
    ),
    *(
        Sample(m.lu, (a,))
        for a in [
            _r(3, 3),
            _r(4, 2),
            _r(2, 4),
            _c(3, 3),
            _r(2, 3, 3),
            np.zeros((0, 0)),
            np.zeros((0, 2)),
            _single(_regular(2, 2)),
        ]
    ),
    Sample(m.permutation, (np.array([2, 2, 2]),), {"size": 4}),
    Sample(m.permutation, (np.array([[1, 1], [0, 1]]),), {"size": 2}),
    *(
        Sample(m.eigh, (a,), {"driver": driver}, nan=False)
        for a, driver in [(_spread(3, 3), "evd"), (_spread(2, 2, 2), "ev"), (np.zeros((0, 0)), None)]
    ),
    # MRRR, SciPy's choice, gives vectors whose signs change with the last digits.
    Sample(m.eigh, (_spread(3, 3),), {"driver": None}, nan=False, smooth=False, note="signs at random"),
    *(
        Sample(m.solve_banded, args, {"below": below, "above": above})
        for args, below, above in [
            ((_BAND, _r(4, 2)), 1, 1),
            ((_BAND + 0.3j * _r(3, 4), _r(4, 2)), 1, 1),
            ((_BAND[[0, 0, 1]], _c(4, 1)), 0, 2),
            ((_BAND[1:2], _r(4, 0)), 0, 0),
            ((_single(_BAND), _single(_r(4, 1))), 1, 1),
        ]
    ),
]
