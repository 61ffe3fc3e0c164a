"""Elementwise primitives: NumPy's arithmetic, exponential, trigonometric and rounding ufuncs.

Conventions at kinks are listed in the documentation ("Kinks and conventions") and tested there.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.core.combinators import Elementwise, Linear, NonDifferentiable, align, cast, conj, imag, real
from wengert.core.primitive import Primitive
from wengert.core.values import dtype_of

LOG2, LOG10 = float(np.log(2.0)), float(np.log(10.0))  # Python floats keep float32 what it is

# Arithmetic. On NumPy scalars the operators are several times faster than the ufuncs of the same meaning.
add = Elementwise(operator.add, 1, 1, name="add")
subtract = Elementwise(operator.sub, 1, -1, name="subtract")
multiply = Elementwise(operator.mul, lambda y: y, lambda x: x, name="multiply")
divide = Elementwise(operator.truediv, lambda y: _inverse(y), lambda out, y: -out / y, singular=True, name="divide")
negative = Elementwise(operator.neg, -1, name="negative")
positive = Elementwise(np.positive, 1)
reciprocal = Elementwise(np.reciprocal, lambda out: -out * out, singular=True)
square = Elementwise(np.square, lambda x: 2 * x)
power = Elementwise(
    np.power, lambda x, y: power_partial_base(x, y), lambda out, x: log_or_zero(x, out) * out, singular=True
)
sqrt = Elementwise(np.sqrt, lambda out: 0.5 / out, singular=True)
cbrt = Elementwise(np.cbrt, lambda out: 1 / (3 * square(out)), singular=True)
remainder = Elementwise(np.remainder, 1, lambda x, y: -floor(x / y), name="remainder")
fmod = Elementwise(np.fmod, 1, lambda x, y: -trunc(x / y))

# Exponentials and logarithms
exp = Elementwise(np.exp, lambda out: out)
exp2 = Elementwise(np.exp2, lambda out: out * LOG2)
expm1 = Elementwise(np.expm1, lambda out: out + 1)
log = Elementwise(np.log, lambda x: reciprocal(x), singular=True)
log2 = Elementwise(np.log2, lambda x: reciprocal(x) / LOG2, singular=True)
log10 = Elementwise(np.log10, lambda x: reciprocal(x) / LOG10, singular=True)
log1p = Elementwise(np.log1p, lambda x: reciprocal(1 + x), singular=True)
logaddexp = Elementwise(np.logaddexp, lambda x, y: _sigmoid(x - y), lambda x, y: _sigmoid(y - x))
logaddexp2 = Elementwise(np.logaddexp2, lambda x, y: _sigmoid((x - y) * LOG2), lambda x, y: _sigmoid((y - x) * LOG2))

# Trigonometric and hyperbolic functions
sin = Elementwise(np.sin, lambda x: cos(x))
cos = Elementwise(np.cos, lambda x: -sin(x))
tan = Elementwise(np.tan, lambda out: 1 + square(out))
arcsin = Elementwise(np.arcsin, lambda x: reciprocal(_root_of_one_minus_square(x)), singular=True)
arccos = Elementwise(np.arccos, lambda x: -reciprocal(_root_of_one_minus_square(x)), singular=True)
arctan = Elementwise(np.arctan, lambda x: reciprocal(1 + square(x)), singular=True)
arctan2 = Elementwise(
    np.arctan2, lambda x, y: y / _squared_norm(x, y), lambda x, y: -(x / _squared_norm(x, y)), singular=True
)
sinh = Elementwise(np.sinh, lambda x: cosh(x))
cosh = Elementwise(np.cosh, lambda x: sinh(x))
tanh = Elementwise(np.tanh, lambda out: 1 - square(out))
arcsinh = Elementwise(np.arcsinh, lambda x: reciprocal(sqrt(_plus_one(square(x)))), singular=True)
arccosh = Elementwise(np.arccosh, lambda x: reciprocal(sqrt(x - 1) * sqrt(_plus_one(x))), singular=True)
arctanh = Elementwise(np.arctanh, lambda x: reciprocal((1 - x) * (1 + x)), singular=True)
deg2rad = Elementwise(np.deg2rad, lambda: np.pi / 180)
rad2deg = Elementwise(np.rad2deg, lambda: 180 / np.pi)
hypot = Elementwise(np.hypot, lambda out, x: _over_norm(x, out), lambda out, y: _over_norm(y, out))
sinc = Elementwise(np.sinc, lambda x: _sinc_partial(x))

# Kinks: |x|' = 0 at 0, ties of maximum and minimum are shared equally.
absolute = Elementwise(np.absolute, lambda x: _absolute_partial(x))
maximum = Elementwise(np.maximum, lambda x, y: _share(x, y, greater), lambda x, y: _share(y, x, greater))
minimum = Elementwise(np.minimum, lambda x, y: _share(x, y, less), lambda x, y: _share(y, x, less))
fmax = Elementwise(np.fmax, lambda x, y: _share_of_number(x, y, greater), lambda x, y: _share_of_number(y, x, greater))
fmin = Elementwise(np.fmin, lambda x, y: _share_of_number(x, y, less), lambda x, y: _share_of_number(y, x, less))
nextafter = Elementwise(np.nextafter, 1, None)
copysign = Elementwise(np.copysign, lambda out, x: sign(out) * sign(x), None)

# Selection: linear in what is selected, strong zeros included.
where = Linear(
    np.where,
    None,
    lambda ct, mask, x, y: where(mask, ct, 0.0),
    lambda ct, mask, x, y: where(mask, 0.0, ct),
    name="where",
    batch=lambda size, args, batched: where(*align(args, batched)),
)


# x·2ⁿ, without overflow where the power of two alone would overflow.
ldexp = Linear(
    np.ldexp,
    lambda ct, x, n: ldexp(ct, n),
    None,
    name="ldexp",
    batch=lambda size, args, batched: ldexp(*align(args, batched)),
)


def _from_parts(x: Any, y: Any) -> Any:
    dtype = np.result_type(np.result_type(x, y), np.complex64)  # of two Python numbers it is complex128
    shape = np.broadcast_shapes(np.shape(x), np.shape(y))
    out = np.empty_like(x if np.shape(x) == shape else y, dtype, shape=shape)  # in the memory order of x
    out.real, out.imag = x, y
    return out


# x + iy, exact also where a part is infinite (1j·∞ has a NaN as its real part).
from_parts = Linear(
    _from_parts,
    lambda ct, x, y: real(ct),
    lambda ct, x, y: -imag(ct),
    name="from_parts",
    batch=lambda size, args, batched: from_parts(*align(args, batched)),
)

# Piecewise constant or boolean
sign = NonDifferentiable(np.sign)
floor = NonDifferentiable(np.floor)
ceil = NonDifferentiable(np.ceil)
trunc = NonDifferentiable(np.trunc)
rint = NonDifferentiable(np.rint)
floor_divide = NonDifferentiable(np.floor_divide)
heaviside = NonDifferentiable(np.heaviside)
equal = NonDifferentiable(operator.eq, name="equal")
not_equal = NonDifferentiable(operator.ne, name="not_equal")
less = NonDifferentiable(operator.lt, name="less")
less_equal = NonDifferentiable(operator.le, name="less_equal")
greater = NonDifferentiable(operator.gt, name="greater")
greater_equal = NonDifferentiable(operator.ge, name="greater_equal")
isnan = NonDifferentiable(np.isnan)
isinf = NonDifferentiable(np.isinf)
isfinite = NonDifferentiable(np.isfinite)
signbit = NonDifferentiable(np.signbit)
logical_not = NonDifferentiable(np.logical_not)
logical_and = NonDifferentiable(np.logical_and)
logical_or = NonDifferentiable(np.logical_or)
logical_xor = NonDifferentiable(np.logical_xor)
spacing = NonDifferentiable(np.spacing)
exponent = NonDifferentiable(lambda x: np.frexp(x)[1], name="exponent")
bitwise_and = NonDifferentiable(np.bitwise_and)
bitwise_or = NonDifferentiable(np.bitwise_or)
bitwise_xor = NonDifferentiable(np.bitwise_xor)
bitwise_count = NonDifferentiable(np.bitwise_count)
invert = NonDifferentiable(np.invert)
left_shift = NonDifferentiable(np.left_shift)
right_shift = NonDifferentiable(np.right_shift)
gcd = NonDifferentiable(np.gcd)
lcm = NonDifferentiable(np.lcm)


def _inverse(y: Any) -> Any:
    """1 / y in floating point, also for integers; Python's own numbers stay weakly typed."""
    if type(y) in (int, float, complex) and y == 0:
        return np.inf
    return 1 / y


def power_partial_base(x: Any, y: Any) -> Any:
    """y·x^(y-1), and 0 for the constant x⁰ even at x = 0."""
    if isinstance(y, (int, float)):
        return y * x if y == 2 else y * power(x, y - 1) if y != 0 else 0.0
    zero = equal(y, 0)
    return where(zero, 0.0, y * power(x, where(zero, 1.0, y - 1)))


def log_or_zero(x: Any, out: Any) -> Any:
    """Derivative of 0^y in y is 0 for y > 0; this extends it to y = 0."""
    positive_base = where(equal(x, 0), 1.0, x)
    return cast(log(positive_base), dtype_of(out))


def _sigmoid(x: Any) -> Any:
    return 0.5 * (tanh(0.5 * x) + 1)


def _plus_one(x: Any) -> Any:
    """x + 1, for complex numbers with the sign of a zero imaginary part: on which side of a branch cut x lies."""
    return -(-x - 1) if dtype_of(x).kind == "c" else x + 1  # subtracting 1 keeps the sign, adding it does not


def _root_of_one_minus_square(x: Any) -> Any:
    """√(1 - x²)."""
    if dtype_of(x).kind == "c":
        return sqrt(-(x - 1)) * sqrt(_plus_one(x))
    return sqrt((1 - x) * (1 + x))


def _squared_norm(x: Any, y: Any) -> Any:
    x, y = _floating(x), _floating(y)
    return x * x + y * y  # not square, which would turn a Python number into a float64


def _floating(x: Any) -> Any:
    """Integers as floats, so that formulas neither overflow nor wrap around."""
    return x if isinstance(x, (float, complex)) or dtype_of(x).kind in "fc" else 1.0 * x


def _over_norm(x: Any, norm: Any) -> Any:
    """x / norm, and 0 at the origin."""
    zero = equal(norm, 0)
    return where(zero, 0.0, x / where(zero, 1.0, norm))


def _sinc_partial(x: Any) -> Any:
    """Derivative of sin(πx)/(πx): a Taylor polynomial near 0, where the closed form cancels."""
    near = less(absolute(x), 1e-2)
    u = np.pi * where(near, 1.0, x)
    v = square(np.pi * where(near, x, 0.0))
    series = -np.pi * np.pi * x / 3 * (1 - v / 10 * (1 - v / 28 * (1 - v / 54)))
    return where(near, series, np.pi * (cos(u) - sin(u) / u) / u)


def _absolute_partial(x: Any) -> Any:
    """sign x; for complex numbers the conjugate of x/|x|, so that d|x| = Re(conj(x/|x|)·dx)."""
    return conj(_over_norm(x, absolute(x))) if dtype_of(x).kind == "c" else sign(x)


def _share(x: Any, y: Any, wins: Primitive) -> Any:
    """1 where x wins, 1/2 where both are equal, 0 where y wins, NaN where one is NaN; in the dtype of x."""
    winner, loser, tie = wins(x, y), wins(y, x), equal(x, y)
    weight = where(winner, 1.0, where(tie, 0.5, where(loser, 0.0, np.nan)))
    return cast(weight, dtype_of(x))


def _share_of_number(x: Any, y: Any, wins: Primitive) -> Any:
    """Like `_share`, but NaN loses against a number; two NaNs share."""
    x_lost, y_lost = isnan(x), isnan(y)
    weight = where(y_lost, where(x_lost, 0.5, 1.0), where(x_lost, 0.0, _share(x, y, wins)))
    return cast(weight, dtype_of(x))
