"""NumPy's ufuncs: one row each."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from wengert.array import Array, wrap_array
from wengert.core import combinators
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import (
    as_array,
    call,
    concrete,
    given,
    implements,
    known_numbers,
    no_value,
    normalise_axis,
    on_axis,
)
from wengert.numpy.shaping import cast, copy_of
from wengert.numpy.universal import Ufunc
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
float_power = Ufunc(np.float_power, lambda x, y: power(cast(x, np.result_type(dtype_of(x), float)), y))
sqrt = Ufunc(np.sqrt, e.sqrt)
cbrt = Ufunc(np.cbrt, e.cbrt)
remainder = Ufunc(np.remainder, e.remainder)
mod = remainder
fmod = Ufunc(np.fmod, e.fmod)
floor_divide = Ufunc(np.floor_divide, e.floor_divide)
divmod = Ufunc(np.divmod, lambda x, y: (floor_divide(x, y), remainder(x, y)))  # noqa: A001
modf = Ufunc(np.modf, lambda x: _modf(x))
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


def _sign(x: Any) -> Any:
    """x / |x| for complex x, which has a derivative; piecewise constant for real x."""
    x = as_array(x)
    if dtype_of(x).kind != "c":
        return call(e.sign, x)
    norm = absolute(x)
    zero = norm == 0
    return blend(zero, 0.0, x / blend(zero, 1.0, norm))


absolute = Ufunc(np.absolute, e.absolute)
abs = absolute  # noqa: A001
fabs = Ufunc(np.fabs, lambda x: _fabs(x))
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
ldexp = Ufunc(np.ldexp, e.ldexp)
frexp = Ufunc(np.frexp, lambda x: _frexp(x))


def _frexp(x: Any) -> Any:
    """Mantissa (scaled by a constant power of two) and exponent."""
    x = as_array(x)
    exponent = call(e.exponent, x)
    return ldexp(x, -exponent), exponent


def _modf(x: Any) -> Any:
    """Fractional part, which has derivative 1, and whole part."""
    x = as_array(x)
    x = rint(x) if dtype_of(x).kind in "biu" else x  # in the float dtype that NumPy takes for them
    return blend(isinf(x), copysign(0.0, x), fmod(x, 1.0)), trunc(x)


def _fabs(x: Any) -> Any:
    """|x| of real numbers, as a floating-point number."""
    x = as_array(x)
    if dtype_of(x).kind == "c":
        raise TypeError("ufunc 'fabs' not supported for complex numbers")
    return absolute(x if dtype_of(x).kind == "f" else cast(x, float))


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
invert = bitwise_not = bitwise_invert = Ufunc(np.invert, e.invert)
left_shift = bitwise_left_shift = Ufunc(np.left_shift, e.left_shift)
right_shift = bitwise_right_shift = Ufunc(np.right_shift, e.right_shift)
bitwise_count = Ufunc(np.bitwise_count, e.bitwise_count)
gcd = Ufunc(np.gcd, e.gcd)
lcm = Ufunc(np.lcm, e.lcm)


# Functions that NumPy writes in Python and that behave as ufuncs ------------------------------------------------------


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


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """The real part, if the imaginary parts are about zero everywhere; under jit the argument as it is."""
    a = as_array(a)
    if isinstance(a, Array) and not a.is_mutable:
        a = a[...]  # NumPy makes a 0-d array of a number
    if dtype_of(a).kind != "c":
        return a
    limit = tol * np.finfo(dtype_of(a)).eps if tol > 1 else tol
    numbers: Any = known_numbers(a)  # of all examples of a batch
    return a.real if numbers is not None and np.all(np.absolute(numbers.imag) < limit) else a


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """Derivative 0 for real numbers, undefined (NaN) at 0."""
    z = as_array(z)
    a = arctan2(z.imag, z.real) if dtype_of(z).kind == "c" else arctan2(0, z)
    return a * (180 / np.pi) if deg else a


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """With three arguments; a branch that is not selected contributes exactly zero to derivatives."""
    if x is None and y is None:
        return np.nonzero(concrete(condition, "where with one argument"))
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    condition = as_array(condition)
    if dtype_of(condition).kind != "b":
        condition = not_equal(condition, 0)
    result = call(e.where, condition, x, y)
    return wrap_array(result.immutable_value) if isinstance(result, Array) and not result.ndim else result


def blend(condition: Any, x: Any, y: Any) -> Any:
    """Return where(condition, x, y), as a scalar if all three are scalars: what functions other than where return."""
    result = where(condition, x, y)
    return result if shape_of(result) else result[()]


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = no_value,
    a_max: Any = no_value,
    out: Any = None,
    *,
    min: Any = no_value,  # noqa: A002
    max: Any = no_value,  # noqa: A002
    **kwargs: Any,
) -> Any:
    """Derivative 1 inside, 0 outside, shared equally at the bounds."""
    if a_min is no_value and a_max is no_value:
        a_min, a_max = min, max
    elif min is not no_value or max is not no_value:
        raise ValueError("Passing `min` or `max` keyword argument when `a_min` and `a_max` are provided is forbidden.")
    clipped = as_array(a)
    if kwargs.get("dtype") is not None:
        clipped = cast(clipped, kwargs.pop("dtype"))
    if not given(a_min) and not given(a_max):
        return copy_of(clipped)
    if given(a_min):
        clipped = maximum(clipped, a_min, **kwargs)
    return minimum(clipped, a_max, **kwargs) if given(a_max) else clipped


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Replaced elements have derivative zero."""
    a = as_array(x)
    if dtype_of(a).kind == "c":
        result = call(e.from_parts, *(nan_to_num(p, True, nan, posinf, neginf) for p in (a.real, a.imag)))
    elif dtype_of(a).kind != "f":
        result = copy_of(a)
    else:
        info = np.finfo(dtype_of(a))
        result = blend(isnan(a), nan, a)
        result = blend(equal(a, np.inf), info.max if posinf is None else posinf, result)
        result = cast(blend(equal(a, -np.inf), info.min if neginf is None else neginf, result), dtype_of(a))
    if not copy:
        if isinstance(a, Array) and not a.is_mutable:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        a[...] = result
        result = a
    return result if shape_of(a) else result[()]


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Any:  # noqa: A001
    """Piecewise constant: derivative zero."""
    a = as_array(a)
    if dtype_of(a).kind == "c":
        return call(e.from_parts, round(a.real, decimals), round(a.imag, decimals))
    if dtype_of(a).kind != "f":
        return np.round(concrete(a, "round"), decimals)[()]
    if decimals == 0:
        return rint(a)
    scale = 10.0 ** builtins.abs(decimals)
    return rint(a * scale) / scale if decimals > 0 else rint(a / scale) * scale


around = round


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """Piecewise constant: derivative zero."""
    return trunc(x)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    """What is added is a piecewise constant multiple of the period, which may be traced, too."""
    p = as_array(p)
    axis = normalise_axis(axis, len(shape_of(p)))
    later, earlier = on_axis(axis, slice(1, None)), on_axis(axis, slice(None, -1))
    steps = p[later] - p[earlier]
    whole = dtype_of(steps).kind in "iu" and dtype_of(as_array(period)).kind in "iu"
    half = period // 2 if whole else period / 2
    wrapped = remainder(steps + half, period) - half
    if not whole or half * 2 == period:
        wrapped = where((wrapped == -half) & (steps > 0), half, wrapped)
    added = where(absolute(steps) < (half if discont is None else discont), 0, wrapped - steps)
    corrected = p[later] + np.cumsum(added, axis=axis)
    return np.concatenate([p[on_axis(axis, slice(0, 1))], corrected], axis=axis)


@implements(np.packbits)
def packbits(a: Any, /, axis: int | None = None, bitorder: str = "big") -> Any:
    """Integers: no derivative."""
    return np.packbits(concrete(a, "packbits"), axis, bitorder)  # type: ignore[call-overload]


@implements(np.unpackbits)
def unpackbits(a: Any, /, axis: int | None = None, count: int | None = None, bitorder: str = "big") -> Any:
    """Integers: no derivative."""
    return np.unpackbits(concrete(a, "unpackbits"), axis, count, bitorder)  # type: ignore[call-overload]


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    """A truth value: no derivative."""
    return equal(_ordered(x), np.inf)


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    """A truth value: no derivative."""
    return equal(_ordered(x), -np.inf)


def _ordered(x: Any) -> Any:
    x = as_array(x)
    if dtype_of(x).kind == "c":
        raise TypeError("This operation is not supported for complex values because it would be ambiguous.")
    return x


__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "around", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_count", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "cbrt", "ceil", "clip",
    "conj", "conjugate", "copysign", "cos", "cosh", "deg2rad", "degrees", "divide", "divmod", "equal", "exp", "exp2",
    "expm1", "fabs", "fix", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frexp", "gcd", "greater",
    "greater_equal", "heaviside", "hypot", "imag", "invert", "isfinite", "isinf", "isnan", "isneginf", "isposinf",
    "lcm", "ldexp", "left_shift", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2",
    "logical_and", "logical_not", "logical_or", "logical_xor", "matmul", "maximum", "minimum", "mod", "modf",
    "multiply", "nan_to_num", "negative", "nextafter", "not_equal", "packbits", "positive", "pow", "power", "rad2deg",
    "radians", "real", "real_if_close", "reciprocal", "remainder", "right_shift", "rint", "round", "sign", "signbit",
    "sin", "sinc", "sinh", "spacing", "sqrt", "square", "subtract", "tan", "tanh", "true_divide", "trunc",
    "unpackbits", "unwrap", "where",
]  # fmt: skip
