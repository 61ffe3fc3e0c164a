"""Functions of float64 and float32 that look at how a number is stored, or that round it in a way of their own.

Each is an emitter of the table in `lowering.py`. A float is a sign, a biased exponent and a fraction, in this order
from the most significant bit on, so that the next larger magnitude is the next integer (IEEE 754, section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from llvmlite import ir

if TYPE_CHECKING:
    from wengert.compiler.lowering import Emitter, Register

_I64 = ir.IntType(64)
_F64 = np.dtype(np.float64)


class _Layout(NamedTuple):
    integer: Any  # LLVM's type of the same size
    fraction: int  # number of bits
    bias: int
    smallest: float

    @staticmethod
    def of(dtype: np.dtype[Any]) -> _Layout:
        info = np.finfo(dtype)
        width = dtype.itemsize * 8
        return _Layout(ir.IntType(width), info.nmant, int(info.maxexp) - 1, float(info.smallest_subnormal))


def nextafter(em: Emitter, operands: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """The neighbour of x on the side of y; y if they are equal."""
    b, layout, zero = em.builder, _Layout.of(dtype), em.constant(0.0, dtype)
    x, y = operands
    grows = b.xor(b.fcmp_ordered("<", x, y), b.fcmp_ordered("<", x, zero))
    step = b.select(grows, ir.Constant(layout.integer, 1), ir.Constant(layout.integer, -1))
    next_ = b.bitcast(b.add(b.bitcast(x, layout.integer), step), x.type)
    smallest = em.math("copysign", em.constant(layout.smallest, dtype), y)
    next_ = b.select(b.fcmp_ordered("==", x, zero), smallest, next_)
    next_ = b.select(b.fcmp_ordered("==", x, y), y, next_)
    return b.select(b.fcmp_unordered("uno", x, y), b.fadd(x, y), next_)


def spacing(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """Distance to the neighbour of larger magnitude, with the sign of x; NaN for infinities."""
    b, layout = em.builder, _Layout.of(dtype)
    bits = b.bitcast(x[0], layout.integer)
    next_ = b.bitcast(b.add(bits, ir.Constant(layout.integer, 1)), x[0].type)
    distance = b.fsub(next_, x[0])
    is_zero = b.fcmp_ordered("==", x[0], em.constant(0.0, dtype))
    # After infinity comes a NaN, and after the NaN of all ones a zero.
    distance = b.select(b.fcmp_unordered("uno", x[0], x[0]), x[0], distance)
    return b.select(is_zero, em.constant(layout.smallest, dtype), distance)


def exponent(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """The n of x = m·2ⁿ with ½ ≤ |m| < 1, as int32; 0 for 0, infinities and NaN."""
    b, layout = em.builder, _Layout.of(dtype)
    size = em.math("absolute", x[0])
    tiny = b.fcmp_ordered("<", size, em.constant(np.finfo(dtype).smallest_normal, dtype))
    scale = layout.fraction + 2
    scaled = b.select(tiny, b.fmul(size, em.constant(2.0**scale, dtype)), size)
    biased = b.lshr(b.bitcast(scaled, layout.integer), ir.Constant(layout.integer, layout.fraction))
    offset = [ir.Constant(layout.integer, n) for n in (layout.bias - 1 + scale, layout.bias - 1)]
    n = em.convert(b.sub(biased, b.select(tiny, *offset)), np.dtype(f"i{dtype.itemsize}"), np.dtype(np.int32))
    finite = b.fcmp_ordered("<", size, em.constant(np.inf, dtype))
    regular = b.and_(finite, b.fcmp_ordered("!=", size, em.constant(0.0, dtype)))
    return b.select(regular, n, ir.Constant(ir.IntType(32), 0))


def _power_of_two(em: Emitter, n: Register) -> Register:
    """2ⁿ as a float64, for its normal numbers."""
    biased = em.builder.add(n, ir.Constant(_I64, 1023))
    return em.builder.bitcast(em.builder.shl(biased, ir.Constant(_I64, 52)), ir.DoubleType())


def ldexp(em: Emitter, operands: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """x·2ⁿ, rounded once; n is an int64."""
    b, (x, n) = em.builder, operands

    def clamped(most: int) -> Register:
        least = b.select(b.icmp_signed(">", n, ir.Constant(_I64, -most)), n, ir.Constant(_I64, -most))
        return b.select(b.icmp_signed("<", least, ir.Constant(_I64, most)), least, ir.Constant(_I64, most))

    if dtype.itemsize == 4:
        return em.convert(b.fmul(em.convert(x, dtype, _F64), _power_of_two(em, clamped(300))), _F64, dtype)
    # At most two factors come before the last one. Those that make smaller leave so much for it that whatever they
    # round (subnormal numbers only) becomes 0 with it.
    n = clamped(2100)
    one, none = em.constant(1.0, dtype), ir.Constant(_I64, 0)
    for _ in range(2):
        above, below = b.icmp_signed(">", n, ir.Constant(_I64, 1023)), b.icmp_signed("<", n, ir.Constant(_I64, -1022))
        factor = b.select(below, em.constant(2.0**-969, dtype), one)
        x = b.fmul(x, b.select(above, em.constant(2.0**1023, dtype), factor))
        taken = b.select(below, ir.Constant(_I64, -969), none)
        n = b.sub(n, b.select(above, ir.Constant(_I64, 1023), taken))
    return b.fmul(x, _power_of_two(em, n))


def floor_divide(em: Emitter, operands: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """The integer nearest to (x - fmod(x, y))/y, corrected to be the quotient rounded down: as NumPy does it."""
    b, zero, one = em.builder, em.constant(0.0, dtype), em.constant(1.0, dtype)
    x, y = operands
    rest = em.math("fmod", x, y)
    quotient = b.fdiv(b.fsub(x, rest), y)
    opposite = b.xor(b.fcmp_ordered("<", y, zero), b.fcmp_ordered("<", rest, zero))
    opposite = b.and_(opposite, b.fcmp_ordered("!=", rest, zero))
    quotient = b.select(opposite, b.fsub(quotient, one), quotient)
    below = em.math("floor", quotient)
    too_low = b.fcmp_ordered(">", b.fsub(quotient, below), em.constant(0.5, dtype))
    whole = b.select(too_low, b.fadd(below, one), below)
    direct = b.fdiv(x, y)
    whole = b.select(b.fcmp_ordered("==", quotient, zero), em.math("copysign", zero, direct), whole)
    return b.select(b.fcmp_ordered("==", y, zero), direct, whole)


def heaviside(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """0 for negative x, 1 for positive ones, and the second argument at 0."""
    b, zero = em.builder, em.constant(0.0, dtype)
    out = b.select(b.fcmp_ordered(">", x[0], zero), em.constant(1.0, dtype), x[0])
    out = b.select(b.fcmp_ordered("<", x[0], zero), zero, out)
    return b.select(b.fcmp_ordered("==", x[0], zero), x[1], out)
