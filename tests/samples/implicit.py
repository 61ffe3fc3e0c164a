"""Samples of the primitives behind random numbers: values that stay, with derivatives at a fixed quantile.

Their derivatives are not those of the values, so finite differences do not apply: tests/test_random.py has quantiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.rules import implicit as r
from wengert.rules import implicit_noncentral as nc

from .sample import Sample

_rng = np.random.default_rng(8)


def _u(low: float, high: float, *shape: int) -> np.ndarray:
    return _rng.uniform(low, high, size=shape)


def _point(primitive: Any, *args: Any, expected: Any = None, note: str = "") -> Sample:
    n = len(args) - 1
    return Sample(primitive, args, wrt=tuple(range(n)), smooth=False, expected=expected, note=note)


def _beta(a: Any, b: Any, z: Any) -> Sample:
    return _point(
        r.beta_point, a, b, z, expected=[r.beta_rate(a, b, z, 1 - z), -r.beta_rate(b, a, 1 - z, z)], note="regular"
    )


def _noncentral(a: Any, h: Any, z: Any) -> Sample:
    expected = [nc.noncentral_gamma_rate(a, h, z), nc.noncentral_gamma_rate_mean(a, h, z)]
    return _point(nc.noncentral_gamma_point, a, h, z, expected=expected, note="regular")


SAMPLES = [
    *(
        _point(p, x, z)
        for p in (r.gamma_point, r.t_point, r.von_mises_point)
        for x, z in [
            (_u(0.5, 3, 3), _u(0.2, 2, 3)),
            (_u(0.5, 3), _u(0.2, 2)),
            (_u(0.5, 3), _u(0.2, 2, 2, 2)),
            (np.zeros((0, 2)), np.zeros((0, 2))),
            (_u(0.5, 3, 2).astype(np.float32), _u(0.2, 2, 2)),
        ]
    ),
    *(
        _point(p, *args)
        for p in (r.beta_point, r.wald_point)
        for args in [
            (_u(0.5, 3, 3), _u(0.5, 3, 3), _u(0.2, 0.8, 3)),
            (_u(0.5, 3), _u(0.5, 3), _u(0.2, 0.8)),
            (_u(0.5, 3), _u(0.5, 3, 2, 1), _u(0.2, 0.8, 2, 2)),
            (_u(0.5, 3, 2).astype(np.float32), _u(0.5, 3, 2).astype(np.float32), _u(0.2, 0.8, 2)),
        ]
    ),
    *(
        _point(p, *args)
        for p, lengths in ((nc.noncentral_gamma_point, 3), (nc.noncentral_ratio_point, 4))
        for args in [
            tuple(_u(0.5, 2, 2) for _ in range(lengths)),
            tuple(_u(0.5, 2) for _ in range(lengths)),
            (_u(0.5, 2), *(_u(0.5, 2, 2, 1) for _ in range(lengths - 2)), _u(0.5, 2, 2)),
            (*(_u(0.5, 2, 2).astype(np.float32) for _ in range(lengths - 1)), _u(0.5, 2, 2)),
        ]
    ),
    _noncentral(1.25, 0.75, 6.0),
    _point(nc.noncentral_gamma_point, 0.5, 0.0, 0.3, expected=[r.gamma_rate(0.5, 0.3), 0.6], note="central"),
    _point(nc.noncentral_gamma_point, 0.1, 2.0, 0.0, expected=[0.0, 0.0], note="underflow"),
    Sample(nc.mixture_mode, (_u(0.5, 3, 3), np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 50.0])), wrt=()),
    Sample(nc.mixture_start, (_u(0.5, 3, 3), np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 900.0])), wrt=()),
    Sample(nc.mixture_stop, (_u(0.5, 3, 3), np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 50.0])), wrt=()),
    _point(r.gamma_point, 1.0, 1.0, expected=[1.1735630272247249], note="exponential"),
    _point(r.gamma_point, 1e-3, 0.0, expected=[0.0], note="underflow"),
    _beta(2.0, 0.7, 0.3),
    _point(r.beta_point, 0.1, 0.1, 0.0, expected=[0.0, 0.0], note="underflow"),
    _point(r.beta_point, 0.1, 0.1, 1.0, expected=[0.0, 0.0], note="rounded to 1"),
    _point(r.t_point, 2.5, 0.0, expected=[0.0], note="centre"),
    _point(r.von_mises_point, 0.0, np.array([0.0, 1.0, -2.0]), note="uniform"),
    _point(r.stand_in, _u(0, 1, 3), _u(0, 1, 3), expected=[np.ones(3)]),
    Sample(r.gamma_extent, (_u(0.5, 3, 3), _u(0.2, 2, 3), np.array([1.0, -1.0, 1.0])), wrt=()),
    Sample(r.beta_extent, (np.array([12.0, 0.5]), np.array([1.5, 2.0]), 0.4, 0.6, np.array([-1.0, 1.0])), wrt=()),
    Sample(r.t_extent, (_u(0.5, 3, 3), _u(-2, 2, 3)), wrt=()),
    Sample(r.von_mises_extent, (np.array([0.0, 1.0, 500.0]), _u(-2, 2, 3)), wrt=()),
]
