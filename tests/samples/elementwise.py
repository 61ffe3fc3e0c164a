"""Samples of the elementwise primitives, `where` included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core import combinators as core
from wengert.rules import elementwise as e

from .sample import Sample

_rng = np.random.default_rng(0)

_ANYWHERE = np.array([[-2.1, -0.7, 0.3], [0.9, 1.4, 2.6]])
_POSITIVE = np.array([[0.2, 0.8, 1.0], [1.7, 2.5, 40.0]])
_INSIDE = np.array([[-0.9, -0.3, 0.1], [0.4, 0.7, 0.95]])
_COMPLEX = np.array([0.3 + 0.4j, -0.8 + 0.2j, 1.1 - 0.7j, 2.0 + 0.5j])

# primitive: (points of its domain, whether it is holomorphic)
_UNARY: dict[Any, tuple[np.ndarray, bool]] = {
    e.negative: (_ANYWHERE, True),
    e.positive: (_ANYWHERE, True),
    e.reciprocal: (_ANYWHERE, True),
    e.square: (_ANYWHERE, True),
    e.sqrt: (_POSITIVE, True),
    e.cbrt: (_ANYWHERE, False),
    e.exp: (_ANYWHERE, True),
    e.exp2: (_ANYWHERE, True),
    e.expm1: (_ANYWHERE, True),
    e.log: (_POSITIVE, True),
    e.log2: (_POSITIVE, True),
    e.log10: (_POSITIVE, True),
    e.log1p: (_INSIDE, True),
    e.sin: (_ANYWHERE, True),
    e.cos: (_ANYWHERE, True),
    e.tan: (_ANYWHERE, True),
    e.arcsin: (_INSIDE, True),
    e.arccos: (_INSIDE, True),
    e.arctan: (_ANYWHERE, True),
    e.sinh: (_ANYWHERE, True),
    e.cosh: (_ANYWHERE, True),
    e.tanh: (_ANYWHERE, True),
    e.arcsinh: (_ANYWHERE, True),
    e.arccosh: (_POSITIVE + 1.5, True),
    e.arctanh: (_INSIDE, True),
    e.deg2rad: (_ANYWHERE, False),
    e.rad2deg: (_ANYWHERE, False),
    e.sinc: (_ANYWHERE, False),
    e.absolute: (_ANYWHERE, False),
}


def _unary(primitive: Any, points: np.ndarray, analytic: bool) -> list[Sample]:
    samples = [
        Sample(primitive, (points,), analytic=analytic),
        Sample(primitive, (points[0, 1],), analytic=analytic),
        Sample(primitive, (np.array(points[1, 1]),), note="0-d array", analytic=analytic),
        Sample(primitive, (np.zeros((0, 3)),), note="empty"),
        Sample(primitive, (points.astype(np.float32),)),
        Sample(primitive, (points[0, 2].astype(np.float32),)),
        Sample(primitive, (points.T,), note="F-ordered"),
    ]
    if analytic or primitive is e.absolute:
        samples += [
            Sample(primitive, (_COMPLEX,)),
            Sample(primitive, (_COMPLEX[0],)),
            Sample(primitive, (_COMPLEX.astype(np.complex64),)),
        ]
    return samples


def _special(
    primitive: Any, args: Sequence[Any], expected: Sequence[Any], note: str = "special", **more: Any
) -> Sample:
    """A point where finite differences do not hold, with the derivatives that Wengert promises."""
    args = tuple(np.asarray(x, float) for x in args)
    expected = [None if x is None else np.asarray(x, float) for x in expected]
    return Sample(primitive, args, smooth=False, expected=expected, note=note, **more)


_inf, _nan = np.inf, np.nan
_KINKS = [
    _special(e.absolute, [[0.0, -0.0]], [[0.0, 0.0]]),
    _special(e.sqrt, [[0.0]], [[_inf]]),
    _special(e.cbrt, [[0.0]], [[_inf]]),
    _special(e.log, [[0.0]], [[_inf]]),
    _special(e.log2, [[0.0]], [[_inf]]),
    _special(e.log10, [[0.0]], [[_inf]]),
    _special(e.log1p, [[-1.0]], [[_inf]]),
    _special(e.arcsin, [[1.0, -1.0]], [[_inf, _inf]]),
    _special(e.arccos, [[1.0, -1.0]], [[-_inf, -_inf]]),
    _special(e.arccosh, [[1.0]], [[_inf]]),
    _special(e.arctanh, [[1.0, -1.0]], [[_inf, _inf]]),
    _special(e.reciprocal, [[0.0]], [[-_inf]]),
    _special(e.sinc, [[0.0, 1e-160, 1.0]], [[0.0, -(np.pi**2) / 3 * 1e-160, -1.0]]),
    _special(e.arctan, [[_inf, -_inf, 1e200]], [[0.0, 0.0, 0.0]]),
    _special(e.tanh, [[_inf, -_inf, 1e200]], [[0.0, 0.0, 0.0]]),
    _special(e.exp, [[-_inf, -1e4]], [[0.0, 0.0]]),
    _special(e.divide, [[1.0, 0.0], [_inf, 5.0]], [[0.0, 0.2], [-0.0, -0.0]]),
    _special(e.hypot, [[0.0], [0.0]], [[0.0], [0.0]]),
    _special(e.maximum, [[1.0, 0.0, _inf, 3.0], [1.0, -0.0, _inf, 2.0]], [[0.5, 0.5, 0.5, 1], [0.5, 0.5, 0.5, 0]]),
    _special(e.minimum, [[1.0, 0.0, _inf, 3.0], [1.0, -0.0, _inf, 2.0]], [[0.5, 0.5, 0.5, 0], [0.5, 0.5, 0.5, 1]]),
    _special(e.maximum, [[_nan, 1.0], [1.0, _nan]], [[_nan, _nan], [_nan, _nan]], note="nan"),
    _special(e.minimum, [[_nan, 1.0], [1.0, _nan]], [[_nan, _nan], [_nan, _nan]], note="nan"),
    _special(e.fmax, [[1.0, 3.0, _nan, 4.0], [1.0, 2.0, 2.0, _nan]], [[0.5, 1, 0, 1], [0.5, 0, 1, 0]]),
    _special(e.fmin, [[1.0, 3.0, _nan, 4.0], [1.0, 2.0, 2.0, _nan]], [[0.5, 0, 0, 1], [0.5, 1, 1, 0]]),
    _special(e.copysign, [[-2.0, 2.0, 2.0], [1.0, -3.0, -0.0]], [[-1.0, -1.0, -1.0]], wrt=(0,)),
    # x**y: x⁰ is constant, 0ⁿ has the derivatives of a polynomial, ∂/∂y of 0^y is 0
    _special(
        e.power,
        [[0.0, 0.0, 0.0, 0.0, 0.0, 5.0], [0.0, 1.0, 2.0, 3.0, 0.5, 0.0]],
        [[0.0, 1.0, 0.0, 0.0, _inf, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, np.log(5.0)]],
    ),
    _special(e.power, [[0.0, 0.0, -2.0, -2.0], [1.0, 2.0, 3.0, -1.0]], [[1.0, 0.0, 12.0, -0.25]], wrt=(0,)),
    _special(e.logaddexp, [[1000.0, -1000.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]),
    _special(e.logaddexp, [[-_inf, 0.0], [1.0, -_inf]], [[0.0, 1.0], [1.0, 0.0]]),
    _special(e.logaddexp2, [[3000.0, -3000.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]),
    _special(e.remainder, [[6.0, -6.0], [4.0, 4.0]], [[1.0, 1.0], [-1.0, 2.0]]),
    _special(e.fmod, [[6.0, -6.0], [4.0, 4.0]], [[1.0, 1.0], [-1.0, 1.0]]),
    _special(core.strong_multiply, [[0.0, 2.0, 0.0], [_inf, 0.0, 3.0]], [[_inf, 0.0, 3.0], [0.0, 2.0, 0.0]]),
]

_X = np.array([[0.5, 1.7, 2.3], [3.1, 0.8, 1.2]])
_Y = np.array([[1.5, 0.6, 2.9], [1.1, 2.2, 0.45]])

# primitive: whether it is holomorphic
_BINARY: dict[Any, bool] = {
    e.add: True,
    e.subtract: True,
    e.multiply: True,
    e.divide: True,
    e.power: True,
    e.remainder: False,
    e.fmod: False,
    e.logaddexp: False,
    e.logaddexp2: False,
    e.arctan2: False,
    e.hypot: False,
    e.maximum: False,
    e.minimum: False,
    e.fmax: False,
    e.fmin: False,
    core.strong_multiply: True,
    core.tangent_product: True,
}


def _binary(primitive: Any, analytic: bool) -> list[Sample]:
    f32 = np.float32
    z, w = _COMPLEX, _COMPLEX[::-1] * (0.7 + 0.1j) + 1.3
    samples = [
        Sample(primitive, (_X, _Y), analytic=analytic),
        Sample(primitive, (_X[0, 0], _Y[0, 0]), analytic=analytic),
        Sample(primitive, (_X, _Y[0]), note="broadcast"),
        Sample(primitive, (_X[:, :1], _Y), note="broadcast"),
        Sample(primitive, (_X[0, 2], _Y), note="broadcast"),
        Sample(primitive, (_X[:, :1], _Y[:1]), note="broadcast both"),
        Sample(primitive, (_X[None, :, :, None], _Y[:, None, :1]), note="broadcast ranks"),
        Sample(primitive, (_X, _Y), wrt=(0,), note="first"),
        Sample(primitive, (_X, _Y[0]), wrt=(1,), note="second"),
        Sample(primitive, (np.zeros((0, 3)), _Y[0]), note="empty"),
        Sample(primitive, (np.array(_X[0, 0]), np.array(_Y[0, 0])), note="0-d arrays"),
        Sample(primitive, (_X.astype(f32), _Y.astype(f32))),
        Sample(primitive, (_X.astype(f32), _Y), note="mixed"),
        Sample(primitive, (_X, np.array([1, 2, 3])), wrt=(0,), note="with integers"),
        Sample(primitive, (2.0, _Y), wrt=(1,), note="with a number"),
        Sample(primitive, (2.0, _Y.astype(f32)), wrt=(1,), note="with a number"),
        Sample(primitive, (_X.astype(f32), 2.0), wrt=(0,), note="with a number"),
    ]
    if analytic:
        c64 = np.complex64
        samples += [
            Sample(primitive, (z, w)),
            Sample(primitive, (z[0], w[0])),
            Sample(primitive, (z, w[:, None]), note="broadcast"),
            Sample(primitive, (z, _X[0, 1]), note="complex and real"),
            Sample(primitive, (_X[0], w[:, None]), note="real and complex"),
            Sample(primitive, (z.astype(c64), w.astype(c64))),
            Sample(primitive, (z.astype(c64), _X[0, :1].astype(f32)), note="complex and real"),
        ]
    return samples


_MASK = np.array([True, False, True])
_WHERE = [
    Sample(e.where, (_MASK, _X, _Y)),
    Sample(e.where, (np.array(True), _X[0, 0], _Y[0, 0]), note="scalar"),
    Sample(e.where, (_MASK[:, None, None], _X, _Y[0]), note="broadcast"),
    Sample(e.where, (_MASK, _X, 0.0), wrt=(1,), note="with a number"),
    Sample(e.where, (_MASK, 0.0, _Y), wrt=(2,), note="with a number"),
    Sample(e.where, (_MASK[:2], _COMPLEX[:2], _X[0, :2]), note="complex and real"),
    Sample(e.where, (_MASK, _X.astype(np.float32), 0.0), wrt=(1,)),
    Sample(e.where, (_MASK, _X.astype(np.float32), _Y), note="mixed"),
    Sample(e.where, (np.zeros((0, 3), bool), _X[0], _Y[0]), note="empty"),
    Sample(e.ldexp, (_X, np.array([1, -2, 0]))),
    Sample(e.ldexp, (_X[0, 0], 3)),
    Sample(e.ldexp, (_X.astype(np.float32), 3)),
    Sample(e.ldexp, (np.array([1e-10, 1e300]), np.array([1030, -1040])), smooth=False, note="no overflow"),
    Sample(e.exponent, (_X,)),
    Sample(e.exponent, (np.array([0.0, np.inf, np.nan, 5e-324]),), wrt=()),
]

_copysign = [
    Sample(e.copysign, (_ANYWHERE, _Y * [1, -1, 1]), wrt=(0,)),
    Sample(e.copysign, (_ANYWHERE.astype(np.float32), -1.0), wrt=(0,)),
    Sample(e.copysign, (_ANYWHERE[0], _Y * [1, -1, 1]), wrt=(0,), note="broadcast"),
    Sample(e.copysign, (_ANYWHERE, -_Y), note="both"),
]
_INTS = np.array([[6, 4], [9, 1]])
_NON_DIFFERENTIABLE = [
    *(
        Sample(p, (_ANYWHERE,))
        for p in (e.sign, e.floor, e.ceil, e.trunc, e.rint, e.isnan, e.isinf, e.isfinite, e.signbit, e.spacing)
    ),
    *(Sample(p, (np.zeros((0, 2), np.float32),), note="empty") for p in (e.floor, e.rint, e.isnan)),
    *(
        Sample(p, (_X, _Y[0]))
        for p in (
            e.floor_divide,
            e.heaviside,
            e.equal,
            e.not_equal,
            e.less,
            e.less_equal,
            e.greater,
            e.greater_equal,
            e.nextafter,
        )
    ),
    Sample(e.logical_not, (_MASK,)),
    *(Sample(p, (_MASK, _MASK[::-1, None])) for p in (e.logical_and, e.logical_or, e.logical_xor)),
    Sample(e.invert, (_INTS,)),
    Sample(e.bitwise_count, (_INTS,)),
    *(
        Sample(p, (_INTS, _INTS[0]))
        for p in (e.bitwise_and, e.bitwise_or, e.bitwise_xor, e.left_shift, e.right_shift, e.gcd, e.lcm)
    ),
]

_FROM_PARTS = [
    Sample(e.from_parts, (_X, _Y)),
    Sample(e.from_parts, (_X, _Y[0]), note="broadcast"),
    Sample(e.from_parts, (_X[0, 0], _Y[0, 0])),
    Sample(e.from_parts, (_X.astype(np.float32), _Y.astype(np.float32))),
    Sample(e.from_parts, (np.zeros((0, 3)), _Y[0]), note="empty"),
    Sample(e.from_parts, (_X, 1.0), wrt=(0,), note="with a number"),
]
SAMPLES: list[Sample] = [
    *(s for primitive, (points, analytic) in _UNARY.items() for s in _unary(primitive, points, analytic)),
    *(s for primitive, analytic in _BINARY.items() for s in _binary(primitive, analytic)),
    *_copysign,
    *_WHERE,
    *_FROM_PARTS,
    *_KINKS,
    *_NON_DIFFERENTIABLE,
]
