"""What operations on complex numbers do with the parts of these.

`PARTS` has a function for each operation, of the parts of its operands (`Pair`) and of its parameters, which gives the
parts of the result, or a real result. The formulas, and what becomes of infinities and NaN, are NumPy's own: the
algorithm of Smith (1962) for quotients, and for functions those of the C library.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import itertools
import operator
import platform
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler.lowering import LOWERINGS, Emitter, Lowering, Register
from wengert.compiler.native import ROUTINES
from wengert.core import combinators as c
from wengert.core.primitive import Primitive
from wengert.core.values import Value, dtype_of, shape_of
from wengert.rules import contraction, indexing, joining, reductions, structural
from wengert.rules import elementwise as e

_PART_DTYPES = {"c8": np.dtype(np.float32), "c16": np.dtype(np.float64)}
#: An `einsum` with more operands than this is left to NumPy.
_FEW_OPERANDS = 3


class Pair(NamedTuple):
    """A complex number or array as its parts; numbers are Python's, so that they take on the type of the others."""

    re: Any
    im: Any


def part_dtype(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Dtype of the parts of complex numbers; None for other dtypes."""
    return _PART_DTYPES.get(dtype.str[1:]) if dtype.isnative else None


def pair(x: Any) -> Pair:
    """Parts of a value or number; those of a real one are itself and zero, as when NumPy converts it."""
    if isinstance(x, Value):
        return Pair(c.real(x), c.imag(x)) if dtype_of(x).kind == "c" else Pair(x, 0.0)
    return Pair(x.real, x.imag) if isinstance(x, (complex, np.complexfloating)) else Pair(x, 0.0)


# Formulas ------------------------------------------------------------------------------------------------------------


def _multiply(x: Pair, y: Pair) -> Pair:
    return Pair(x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re)


def _strong_multiply(x: Pair, y: Pair) -> Pair:
    product = _multiply(x, y)
    zero = e.logical_or(_is_zero(x), _is_zero(y))
    return Pair(e.where(zero, 0.0, product.re), e.where(zero, 0.0, product.im))


def _is_zero(x: Pair) -> Any:
    return e.logical_and(e.equal(x.re, 0.0), e.equal(x.im, 0.0))


def _divide(x: Pair, y: Pair) -> Pair:
    """Divide by the larger part of the divisor first, so that squares do not overflow."""
    swap = e.less(e.absolute(y.re), e.absolute(y.im))
    large, small = e.where(swap, y.im, y.re), e.where(swap, y.re, y.im)
    zero = _is_zero(y)
    ratio = small / e.where(zero, 1.0, large)
    scale = 1.0 / (large + small * ratio)
    re = (e.where(swap, x.im, x.re) + e.where(swap, x.re, x.im) * ratio) * scale
    im = e.where(swap, x.im * ratio - x.re, x.im - x.re * ratio) * scale
    norm = e.absolute(y.re)
    return Pair(e.where(zero, x.re / norm, re), e.where(zero, x.im / norm, im))


def _reciprocal(x: Pair) -> Pair:
    swap = e.less(e.absolute(x.re), e.absolute(x.im))
    large, small = e.where(swap, x.im, x.re), e.where(swap, x.re, x.im)
    ratio = small / large
    scale = large + small * ratio
    one, other = 1.0 / scale, ratio / scale
    return Pair(e.where(swap, other, one), -e.where(swap, one, other))


def _exp(x: Pair) -> Pair:
    """e^re · (cos im + i sin im); e^re alone may overflow, and an infinite angle has no cosine."""
    number = dtype_of(x.re).type
    most = number(709.0 if number is np.float64 else 88.0)
    large = e.greater(x.re, most)
    size = e.exp(e.where(large, x.re - most, x.re))
    rest = e.where(large, np.exp(most), number(1.0))
    on_axis, wild = e.equal(x.im, 0.0), e.logical_not(e.isfinite(x.im))
    vanishes = e.logical_and(wild, e.equal(x.re, -np.inf))
    grows = e.logical_and(wild, e.equal(x.re, np.inf))
    re = size * e.cos(x.im) * rest
    im = size * e.sin(x.im) * rest
    re = e.where(on_axis, size * rest, e.where(vanishes, 0.0, e.where(grows, np.inf, re)))
    return Pair(re, e.where(on_axis, x.im, e.where(vanishes, 0.0, im)))


def _expm1(x: Pair) -> Pair:
    half = e.sin(x.im * 0.5)
    return Pair(e.expm1(x.re) * e.cos(x.im) - 2.0 * half * half, e.exp(x.re) * e.sin(x.im))


def _log1p(x: Pair) -> Pair:
    shifted = x.re + 1.0
    return Pair(e.log(e.hypot(shifted, x.im)), e.arctan2(x.im, shifted))


def _sign(x: Pair) -> Pair:
    norm = e.hypot(x.re, x.im)
    wild, zero = e.isinf(norm), e.equal(norm, 0.0)
    both = e.logical_and(e.isinf(x.re), e.isinf(x.im))

    def part(x: Any, norm: Any) -> Any:
        unit = e.where(e.isinf(x), e.sign(x), 0.0)
        return e.where(wild, e.where(both, np.nan, unit), e.where(zero, 0.0, x / norm))

    nan = e.isnan(norm)
    return Pair(e.where(nan, np.nan, part(x.re, norm)), e.where(nan, np.nan, part(x.im, norm)))


def _power(x: Pair, y: Pair) -> Pair | None:
    """As NumPy: 1, 2, 3 by products, -1 and 0.5 in ways of their own; 0ʸ is 0 where Re y > 0, else NaN; x⁰ is 1."""
    zero = _is_zero(x)
    products = {1: x, 2: _multiply(x, x), 3: _multiply(x, _multiply(x, x))}
    if not isinstance(y.re, Value) and y.im == 0 and y.re in (-1, 0.5, *products):
        if y.re == -1:
            return _reciprocal(x)
        result = products[y.re] if y.re in products else _function(e.sqrt)(x)
        return result and Pair(e.where(zero, 0.0, result.re), e.where(zero, 0.0, result.im))
    result = _function(e.power)(x, y)
    if result is None:
        return None
    at_zero = e.where(e.greater(y.re, 0.0), 0.0, np.nan)
    choices = [(e.logical_and(e.equal(y.re, n), e.equal(y.im, 0.0)), power) for n, power in products.items()]
    for chosen, power in [*choices, (zero, Pair(at_zero, at_zero)), (_is_zero(y), Pair(1.0, 0.0))]:
        result = Pair(e.where(chosen, power.re, result.re), e.where(chosen, power.im, result.im))
    return result


def _compare(first: Callable[..., Any]) -> Callable[[Pair, Pair], Any]:
    """Order by the real part, then by the imaginary one; a NaN in the imaginary part is not in order with anything."""

    def compare(x: Pair, y: Pair) -> Any:
        strict = e.less if first in (e.less, e.less_equal) else e.greater
        known = e.logical_not(e.logical_or(e.isnan(_array(x.im)), e.isnan(_array(y.im))))
        return e.logical_or(
            e.logical_and(strict(x.re, y.re), known), e.logical_and(e.equal(x.re, y.re), first(x.im, y.im))
        )

    return compare


def _extremum(first: Primitive) -> Callable[[Pair, Pair], Pair]:
    """The first in this order, and a NaN before everything else."""
    before = _compare(first)

    def extremum(x: Pair, y: Pair) -> Pair:
        wins = e.logical_or(before(x, y), e.logical_or(e.isnan(_array(x.re)), e.isnan(_array(x.im))))
        return Pair(e.where(wins, x.re, y.re), e.where(wins, x.im, y.im))

    return extremum


def _array(x: Any) -> Any:
    return x if isinstance(x, Value) else np.float64(x)


def _matmul(x: Pair, y: Pair) -> Pair:
    """Up to four products of real matrices; none with what is zero because an operand is real."""
    zeros = [not isinstance(z.im, Value) for z in (x, y)]
    if zeros[0]:
        return Pair(contraction.matmul(x.re, y.re), contraction.matmul(x.re, y.im))
    if zeros[1]:
        return Pair(contraction.matmul(x.re, y.re), contraction.matmul(x.im, y.re))
    re = contraction.matmul(x.re, y.re) - contraction.matmul(x.im, y.im)
    return Pair(re, contraction.matmul(x.re, y.im) + contraction.matmul(x.im, y.re))


def _einsum(*operands: Pair, subscripts: str, **params: Any) -> Pair | None:
    """A sum of products of parts for each choice of parts; for many operands these are too many."""
    if len(operands) > _FEW_OPERANDS:
        return None
    terms_of: list[list[Any]] = [[], []]  # of the real and the imaginary part, with their signs
    for choice in range(2 ** len(operands)):
        imaginary = [bool(choice >> k & 1) for k in range(len(operands))]
        chosen = [x.im if i else x.re for x, i in zip(operands, imaginary, strict=True)]
        if all(isinstance(x, Value) or x != 0 for x in chosen):
            product = contraction.einsum(*chosen, subscripts=subscripts, **params)
            turns = sum(imaginary)  # iᵏ
            terms_of[turns % 2].append(-product if turns % 4 > 1 else product)
    return Pair(*(functools.reduce(operator.add, terms, 0.0) for terms in terms_of))


# Functions of the C library ------------------------------------------------------------------------------------------

_LIBRARY = {
    e.log: "clog", e.sqrt: "csqrt", e.sin: "csin", e.cos: "ccos", e.tan: "ctan", e.arcsin: "casin", e.arccos: "cacos",
    e.arctan: "catan", e.sinh: "csinh", e.cosh: "ccosh", e.tanh: "ctanh", e.arcsinh: "casinh", e.arccosh: "cacosh",
    e.arctanh: "catanh", e.power: "cpow",
}  # fmt: skip
_DOUBLE = ir.DoubleType()
_COMPLEX = ir.LiteralStructType([_DOUBLE, _DOUBLE])


def _is_callable() -> bool:
    """Whether complex numbers are passed as two numbers here: not on Windows, and not on processors we do not know."""
    return sys.platform != "win32" and platform.machine().lower() in ("x86_64", "amd64", "aarch64", "arm64")


def _part_of_function(function: Primitive, number: int) -> Primitive:
    """One part of what a function of the C library gives, as an operation on parts."""
    name = f"wengert.{_LIBRARY[function]}"

    def fun(*parts: Any) -> Any:
        z = function.fun(*map(e.from_parts.fun, parts[::2], parts[1::2]))
        return z.imag if number else z.real

    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        b = em.builder
        called = b.module.globals.get(name)
        if called is None:
            called = ir.Function(b.module, ir.FunctionType(_COMPLEX, [_DOUBLE] * len(x)), name)
            # Two calls for the two parts are one call.
            called.attributes.add("nounwind")
            called.attributes.add("readnone")
        z = b.call(called, [em.convert(v, dtype, np.dtype(float)) for v in x])
        return em.convert(b.extract_value(z, number), np.dtype(float), dtype)

    primitive = c.NonDifferentiable(fun, name=f"{function.name}.{'imag' if number else 'real'}")
    LOWERINGS[primitive] = Lowering("out", emit, "f")
    return primitive


def _address(name: str) -> int:
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


#: The functions of the C library: the operations that give the parts of their results.
FUNCTIONS: dict[Primitive, tuple[Primitive, Primitive]] = {}
if _is_callable():
    for _primitive, _name in _LIBRARY.items():
        FUNCTIONS[_primitive] = _part_of_function(_primitive, 0), _part_of_function(_primitive, 1)
        ROUTINES[f"wengert.{_name}"] = functools.partial(_address, _name)


def _function(primitive: Primitive, factor: float = 1.0) -> Callable[..., Pair | None]:
    def parts(*operands: Pair) -> Pair | None:
        if primitive not in FUNCTIONS:
            return None
        result = [part(*itertools.chain(*operands)) for part in FUNCTIONS[primitive]]
        return Pair(*result) if factor == 1.0 else Pair(result[0] * factor, result[1] * factor)

    return parts


# The table -----------------------------------------------------------------------------------------------------------


def _each(primitive: Primitive) -> Callable[..., Pair]:
    """What moves or adds elements does so for each part."""

    def parts(*operands: Any, **params: Any) -> Pair:
        res = [x.re if isinstance(x, Pair) else x for x in operands]
        ims = [_full_imaginary(x) if isinstance(x, Pair) else x for x in operands]
        return Pair(primitive(*res, **params), primitive(*ims, **params))

    return parts


def _full_imaginary(x: Pair) -> Any:
    """The imaginary part as an array, if the real one is."""
    if isinstance(x.im, Value) or not isinstance(x.re, Value):
        return x.im
    dtype = dtype_of(x.re)
    return c.broadcast_to(dtype.type(0) if dtype.kind == "f" else 0.0, shape=shape_of(x.re))


def _both(test: Callable[[Any], Any], combine: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *operands: combine(
        *(test(*parts) for parts in zip(*((x.re, _full_imaginary(x)) for x in operands), strict=True))
    )


def _astype(x: Pair, *, dtype: np.dtype[Any]) -> Any:
    part = part_dtype(dtype)
    if part is not None:
        return Pair(c.astype(x.re, dtype=part), c.astype(_full_imaginary(x), dtype=part))
    if dtype.kind == "b":
        return e.logical_not(_is_zero(x))
    return c.astype(x.re, dtype=dtype)


#: For each operation, a function of the parts of its operands (of all, or of the first few or last few as the slice
#: says: the others are masks and indices), which gives the parts of the result, a real result, or None.
PARTS: dict[Primitive, tuple[Callable[..., Any], slice]] = {
    e.where: (_each(e.where), slice(1, None)),
    indexing.index: (_each(indexing.index), slice(0, 1)),
    indexing.index_add: (_each(indexing.index_add), slice(0, 2)),
    indexing.index_update: (_each(indexing.index_update), slice(0, 2)),
}
_of_all: tuple[tuple[Any, Callable[..., Any]], ...] = (
    (e.add, lambda x, y: Pair(x.re + y.re, x.im + y.im)),
    (e.subtract, lambda x, y: Pair(x.re - y.re, x.im - y.im)),
    (e.multiply, _multiply),
    (c.tangent_product, _multiply),
    (c.strong_multiply, _strong_multiply),
    (e.divide, _divide),
    (e.negative, lambda x: Pair(-x.re, -x.im)),
    (e.positive, lambda x: x),
    (c.conj, lambda x: Pair(x.re, -x.im)),
    (e.reciprocal, _reciprocal),
    (e.square, lambda x: _multiply(x, x)),
    (e.power, _power),
    (e.absolute, lambda x: e.hypot(x.re, x.im)),
    (e.sign, _sign),
    (e.exp, _exp),
    (e.expm1, _expm1),
    (e.log1p, _log1p),
    (e.log2, _function(e.log, float(np.log2(np.e)))),
    (e.log10, _function(e.log, float(np.log10(np.e)))),
    *((primitive, _function(primitive)) for primitive in _LIBRARY if primitive is not e.power),
    (e.rint, lambda x: Pair(e.rint(x.re), e.rint(x.im))),
    (e.isnan, _both(e.isnan, e.logical_or)),
    (e.isinf, _both(e.isinf, e.logical_or)),
    (e.isfinite, _both(e.isfinite, e.logical_and)),
    (e.equal, _both(e.equal, e.logical_and)),
    (e.not_equal, _both(e.not_equal, e.logical_or)),
    (e.less, _compare(e.less)),
    (e.less_equal, _compare(e.less_equal)),
    (e.greater, _compare(e.greater)),
    (e.greater_equal, _compare(e.greater_equal)),
    (e.maximum, _extremum(e.greater_equal)),
    (e.minimum, _extremum(e.less_equal)),
    (e.logical_not, _is_zero),
    (e.logical_and, lambda x, y: e.logical_not(e.logical_or(_is_zero(x), _is_zero(y)))),
    (e.logical_or, lambda x, y: e.logical_not(e.logical_and(_is_zero(x), _is_zero(y)))),
    (e.logical_xor, lambda x, y: e.logical_xor(_is_zero(x), _is_zero(y))),
    (c.astype, _astype),
    (c.reduce_sum, _each(c.reduce_sum)),
    (c.broadcast_to, _each(c.broadcast_to)),
    (structural.transpose, _each(structural.transpose)),
    (joining.concatenate, _each(joining.concatenate)),
    (joining.stack, _each(joining.stack)),
    (reductions.cumsum, _each(reductions.cumsum)),
    (reductions.reduce_any, lambda x, **params: reductions.reduce_any(e.logical_not(_is_zero(x)), **params)),
    (reductions.reduce_all, lambda x, **params: reductions.reduce_all(e.logical_not(_is_zero(x)), **params)),
    (contraction.matmul, _matmul),
    (contraction.einsum, _einsum),
)
PARTS.update((primitive, (function, slice(None))) for primitive, function in _of_all)
