"""NumPy's ufuncs: one row each."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core import combinators
from wengert.core.values import dtype_of
from wengert.numpy.dispatch import Ufunc, as_array, call, implements
from wengert.rules import contraction
from wengert.rules import elementwise as e

# Arithmetic
add = Ufunc(np.add, e.add)
subtract = Ufunc(np.subtract, e.subtract)
multiply = Ufunc(np.multiply, e.multiply)
divide = Ufunc(np.divide, e.divide)
true_divide = divide
negative = Ufunc(np.negative, e.negative)
positive = Ufunc(np.positive, e.positive)
reciprocal = Ufunc(np.reciprocal, e.reciprocal)
square = Ufunc(np.square, e.square)
power = Ufunc(np.power, e.power)
float_power = Ufunc(np.float_power, lambda x, y: power(x, y))
sqrt = Ufunc(np.sqrt, e.sqrt)
cbrt = Ufunc(np.cbrt, e.cbrt)
remainder = Ufunc(np.remainder, e.remainder)
mod = remainder
fmod = Ufunc(np.fmod, e.fmod)
floor_divide = Ufunc(np.floor_divide, e.floor_divide)
divmod = Ufunc(np.divmod, lambda x, y: (floor_divide(x, y), remainder(x, y)))  # noqa: A001
modf = Ufunc(np.modf, lambda x: (fmod(x, 1.0), trunc(x)))
matmul = Ufunc(np.matmul, contraction.matmul)

# Exponentials and logarithms
exp = Ufunc(np.exp, e.exp)
exp2 = Ufunc(np.exp2, e.exp2)
expm1 = Ufunc(np.expm1, e.expm1)
log = Ufunc(np.log, e.log)
log2 = Ufunc(np.log2, e.log2)
log10 = Ufunc(np.log10, e.log10)
log1p = Ufunc(np.log1p, e.log1p)
logaddexp = Ufunc(np.logaddexp, e.logaddexp)
logaddexp2 = Ufunc(np.logaddexp2, e.logaddexp2)

# Trigonometric and hyperbolic functions
sin = Ufunc(np.sin, e.sin)
cos = Ufunc(np.cos, e.cos)
tan = Ufunc(np.tan, e.tan)
arcsin = Ufunc(np.arcsin, e.arcsin)
arccos = Ufunc(np.arccos, e.arccos)
arctan = Ufunc(np.arctan, e.arctan)
arctan2 = Ufunc(np.arctan2, e.arctan2)
sinh = Ufunc(np.sinh, e.sinh)
cosh = Ufunc(np.cosh, e.cosh)
tanh = Ufunc(np.tanh, e.tanh)
arcsinh = Ufunc(np.arcsinh, e.arcsinh)
arccosh = Ufunc(np.arccosh, e.arccosh)
arctanh = Ufunc(np.arctanh, e.arctanh)
deg2rad = Ufunc(np.deg2rad, e.deg2rad)
radians = Ufunc(np.radians, e.deg2rad)
rad2deg = Ufunc(np.rad2deg, e.rad2deg)
degrees = Ufunc(np.degrees, e.rad2deg)
hypot = Ufunc(np.hypot, e.hypot)
asin, acos, atan, atan2, asinh, acosh, atanh = arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh
pow = power  # noqa: A001


def _absolute(x: Any) -> Any:
    """|x|, through real and imaginary part for complex x: it is not holomorphic."""
    x = as_array(x)
    if dtype_of(x).kind == "c":
        return hypot(call(combinators.real, x), call(combinators.imag, x))
    return call(e.absolute, x)


def _sign(x: Any) -> Any:
    """x / |x| for complex x, which has a derivative; piecewise constant for real x."""
    x = as_array(x)
    if dtype_of(x).kind != "c":
        return call(e.sign, x)
    norm = _absolute(x)
    zero = norm == 0
    return call(e.where, zero, 0.0, x / call(e.where, zero, 1.0, norm))


absolute = Ufunc(np.absolute, _absolute)
abs = absolute  # noqa: A001
fabs = Ufunc(np.fabs, e.absolute)
sign = Ufunc(np.sign, _sign)
conjugate = Ufunc(np.conjugate, combinators.conj)
conj = conjugate

# Extrema, selection of sign, rounding
maximum = Ufunc(np.maximum, e.maximum)
minimum = Ufunc(np.minimum, e.minimum)
fmax = Ufunc(np.fmax, e.fmax)
fmin = Ufunc(np.fmin, e.fmin)
copysign = Ufunc(np.copysign, e.copysign)
heaviside = Ufunc(np.heaviside, e.heaviside)
floor = Ufunc(np.floor, e.floor)
ceil = Ufunc(np.ceil, e.ceil)
trunc = Ufunc(np.trunc, e.trunc)
rint = Ufunc(np.rint, e.rint)
nextafter = Ufunc(np.nextafter, e.nextafter)
spacing = Ufunc(np.spacing, e.spacing)
ldexp = Ufunc(np.ldexp, lambda x, n: x * exp2(1.0 * n))
frexp = Ufunc(np.frexp, lambda x: _frexp(x))


def _frexp(x: Any) -> Any:
    """Mantissa (scaled by a constant power of two) and exponent."""
    from wengert.array import plain_bool

    exponent = np.frexp(plain_bool(x))[1]
    return x * np.exp2(-exponent.astype(float)), exponent


# Comparisons and tests
equal = Ufunc(np.equal, e.equal)
not_equal = Ufunc(np.not_equal, e.not_equal)
less = Ufunc(np.less, e.less)
less_equal = Ufunc(np.less_equal, e.less_equal)
greater = Ufunc(np.greater, e.greater)
greater_equal = Ufunc(np.greater_equal, e.greater_equal)
isnan = Ufunc(np.isnan, e.isnan)
isinf = Ufunc(np.isinf, e.isinf)
isfinite = Ufunc(np.isfinite, e.isfinite)
signbit = Ufunc(np.signbit, e.signbit)
logical_and = Ufunc(np.logical_and, e.logical_and)
logical_or = Ufunc(np.logical_or, e.logical_or)
logical_xor = Ufunc(np.logical_xor, e.logical_xor)
logical_not = Ufunc(np.logical_not, e.logical_not)
bitwise_and = Ufunc(np.bitwise_and, e.bitwise_and)
bitwise_or = Ufunc(np.bitwise_or, e.bitwise_or)
bitwise_xor = Ufunc(np.bitwise_xor, e.bitwise_xor)
invert = Ufunc(np.invert, e.invert)
bitwise_not = invert
left_shift = Ufunc(np.left_shift, e.left_shift)
right_shift = Ufunc(np.right_shift, e.right_shift)
gcd = Ufunc(np.gcd, e.gcd)
lcm = Ufunc(np.lcm, e.lcm)


# Functions that NumPy writes in Python and that behave as ufuncs
@implements(np.sinc)
def sinc(x: Any) -> Any:
    """The normalised one, sin(πx)/(πx)."""
    return call(e.sinc, x)


@implements(np.real)
def real(val: Any) -> Any:
    """A view where NumPy's is."""
    return as_array(val).real


@implements(np.imag)
def imag(val: Any) -> Any:
    """A view where NumPy's is."""
    return as_array(val).imag


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """Derivative undefined (NaN) at 0."""
    z = as_array(z)
    a = arctan2(imag(z), real(z))
    return a * (180 / np.pi) if deg else a


@implements(np.where)
def where(condition: Any, *args: Any) -> Any:
    """With three arguments; a branch that is not selected contributes exactly zero to derivatives."""
    if not args:
        return np.nonzero(np.asarray(as_array(condition)))
    return call(e.where, condition, *args)


@implements(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:  # noqa: A002
    """Derivative 1 inside, 0 outside, shared at the bounds."""
    low, high = a_min if a_min is not None else min, a_max if a_max is not None else max
    out = as_array(a)
    if low is not None:
        out = maximum(out, low)
    return out if high is None else minimum(out, high)


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Replaced elements have derivative zero."""
    x = as_array(x)
    info = np.finfo(dtype_of(x))
    out = where(isnan(x), nan, x)
    out = where(isinf(x) & (x > 0), info.max if posinf is None else posinf, out)
    return where(isinf(x) & (x < 0), info.min if neginf is None else neginf, out)


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0) -> Any:  # noqa: A001
    """Piecewise constant: derivative zero."""
    scale = 10.0**decimals
    return rint(a) if decimals == 0 else rint(as_array(a) * scale) / scale * 1.0


around = round


@implements(np.fix)
def fix(x: Any) -> Any:
    """Piecewise constant: derivative zero."""
    return trunc(x)
