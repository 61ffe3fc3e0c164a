"""Arithmetic of integers in LLVM, as NumPy does it: overflow wraps around, and a division by zero is 0.

Each function is an emitter of the table in `lowering.py`: it gets the operands in the dtype that it computes in. LLVM
leaves undefined what a division by zero or a shift by too much is, so operands are made harmless before, and the result
is corrected after. Powers and greatest common divisors are loops, in small functions of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from wengert.compiler.vector_math import Declared

if TYPE_CHECKING:
    from wengert.compiler.lowering import Emitter, Register

_F64 = np.dtype(np.float64)


def _division(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> tuple[Register, Register, Register]:
    """A harmless divisor, and whether the given one is 0; a division by -1 becomes one by 1."""
    b = em.builder
    zero, one = ir.Constant(x[1].type, 0), ir.Constant(x[1].type, 1)
    by_zero = b.icmp_unsigned("==", x[1], zero)
    safe = b.select(by_zero, one, x[1])
    if dtype.kind == "u":
        return safe, by_zero, ir.Constant(ir.IntType(1), 0)
    by_minus_one = b.icmp_signed("==", x[1], ir.Constant(x[1].type, -1))  # the smallest number over it overflows
    return b.select(by_minus_one, one, safe), by_zero, by_minus_one


def floor_divide(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """Rounded down, 0 if the divisor is, and the smallest number if it is divided by -1."""
    b, zero = em.builder, ir.Constant(x[0].type, 0)
    safe, by_zero, by_minus_one = _division(em, x, dtype)
    if dtype.kind == "u":
        return b.select(by_zero, zero, b.udiv(x[0], safe))
    quotient = b.sdiv(x[0], safe)
    inexact = b.icmp_signed("!=", b.mul(quotient, safe), x[0])
    opposite = b.icmp_signed("<", b.xor(x[0], safe), zero)
    down = b.select(b.and_(inexact, opposite), b.sub(quotient, ir.Constant(x[0].type, 1)), quotient)
    return b.select(by_zero, zero, b.select(by_minus_one, b.neg(x[0]), down))


def fmod(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """The rest of a division rounded towards zero."""
    b = em.builder
    safe, by_zero, _ = _division(em, x, dtype)
    rest = b.urem(x[0], safe) if dtype.kind == "u" else b.srem(x[0], safe)
    return b.select(by_zero, ir.Constant(x[0].type, 0), rest)


def remainder(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """The rest of a division rounded down."""
    rest = fmod(em, x, dtype)
    if dtype.kind == "u":
        return rest
    b, zero = em.builder, ir.Constant(x[0].type, 0)
    opposite = b.icmp_signed("<", b.xor(rest, x[1]), zero)
    return b.select(b.and_(opposite, b.icmp_signed("!=", rest, zero)), b.add(rest, x[1]), rest)


def reciprocal(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """1/x as a float64, cast to the dtype."""
    one = em.constant(1.0, _F64)
    return em.convert(em.builder.fdiv(one, em.convert(x[0], dtype, _F64)), _F64, dtype)


def _shift(em: Emitter, x: Sequence[Register], outside: Callable[[], Register], opname: str) -> Register:
    """Shift by a number of bits from 0 to less than all; else the result is `outside`."""
    b = em.builder
    fits = b.icmp_unsigned("<", x[1], ir.Constant(x[1].type, x[1].type.width))
    count = b.select(fits, x[1], ir.Constant(x[1].type, 0))
    return b.select(fits, getattr(b, opname)(x[0], count), outside())


def left_shift(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """Bits to the left; none remains if the number of places is negative or too large."""
    return _shift(em, x, lambda: ir.Constant(x[0].type, 0), "shl")


def right_shift(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """Bits to the right; only the sign remains if the number of places is negative or too large."""
    last = ir.Constant(x[0].type, x[0].type.width - 1)
    if dtype.kind == "u":
        return _shift(em, x, lambda: ir.Constant(x[0].type, 0), "lshr")
    return _shift(em, x, lambda: em.builder.ashr(x[0], last), "ashr")


def bitwise_count(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """Number of ones in the absolute value, as uint8."""
    count = em.builder.ctpop(magnitude(em, x[0], dtype))
    width, byte = count.type.width, ir.IntType(8)
    return count if width == 8 else em.builder.trunc(count, byte) if width > 8 else em.builder.zext(count, byte)


def magnitude(em: Emitter, x: Register, dtype: np.dtype[Any]) -> Register:
    """|x|; the smallest number stays, which is right if read without a sign."""
    if dtype.kind != "i":
        return x
    b = em.builder
    return b.select(b.icmp_signed("<", x, ir.Constant(x.type, 0)), b.neg(x), x)


def gcd(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """Greatest common divisor, not negative; of zeros 0."""
    return _routine(em, "gcd", _gcd_body, [magnitude(em, v, dtype) for v in x])


def lcm(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """Least common multiple of the magnitudes; 0 if one is."""
    b, zero = em.builder, ir.Constant(x[0].type, 0)
    parts = [magnitude(em, v, dtype) for v in x]
    divisor = _routine(em, "gcd", _gcd_body, parts)
    none = b.icmp_unsigned("==", divisor, zero)
    quotient = b.udiv(parts[0], b.select(none, ir.Constant(x[0].type, 1), divisor))
    return b.mul(quotient, parts[1])


def power(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """x to the power y, which must not be negative."""
    return _routine(em, "power", _power_body, x)


def _routine(em: Emitter, name: str, body: Callable[..., None], args: Sequence[Register]) -> Register:
    """Call a function of two integers, written once per module."""
    type_, module = args[0].type, em.library.module
    symbol = f"wengert.{name}.{type_}"
    if symbol not in module.globals:
        function = Declared(module, ir.FunctionType(type_, [type_, type_]), symbol)
        function.linkage = "internal"
        function.extra = "memory(none) nounwind willreturn"
        body(ir.IRBuilder(function.append_basic_block("entry")), *function.args)
    return em.builder.call(module.globals[symbol], args)


def _gcd_body(b: Any, x: Register, y: Register) -> None:
    """Euclid's algorithm: while x: x, y = y % x, x."""
    type_, before = x.type, b.block
    head, body, done = (b.append_basic_block(name) for name in ("head", "body", "done"))
    b.branch(head)
    b.position_at_end(head)
    divisor, dividend = b.phi(type_), b.phi(type_)
    b.cbranch(b.icmp_unsigned("==", divisor, ir.Constant(type_, 0)), done, body)
    b.position_at_end(body)
    rest = b.urem(dividend, divisor)
    b.branch(head)
    for phi, first, next_ in ((divisor, x, rest), (dividend, y, divisor)):
        phi.add_incoming(first, before)
        phi.add_incoming(next_, body)
    b.position_at_end(done)
    b.ret(dividend)


def _power_body(b: Any, x: Register, y: Register) -> None:
    """Square for each binary digit of y, and multiply where it is 1."""
    type_, before = x.type, b.block
    one = ir.Constant(type_, 1)
    body, done = b.append_basic_block("body"), b.append_basic_block("done")
    b.branch(body)
    b.position_at_end(body)
    product, base, digits = (b.phi(type_) for _ in range(3))
    larger = b.select(b.trunc(digits, ir.IntType(1)), b.mul(product, base), product)
    left = b.lshr(digits, one)
    for phi, first, next_ in ((product, one, larger), (base, x, b.mul(base, base)), (digits, y, left)):
        phi.add_incoming(first, before)
        phi.add_incoming(next_, body)
    b.cbranch(b.icmp_unsigned("==", left, ir.Constant(type_, 0)), done, body)
    b.position_at_end(done)
    b.ret(larger)


# Comparison -----------------------------------------------------------------------------------------------------------

_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def compare(em: Emitter, sign: str, operands: Sequence[tuple[Register, np.dtype[Any], Any]]) -> Register:
    """Compare exactly, as NumPy does: also int64 with uint64, and with Python numbers out of range."""
    dtypes = [own for _, own, _ in operands]
    for k, (value, _, number) in enumerate(operands):
        if value is not None or isinstance(number, np.generic):
            continue
        fitting = [d for d in (dtypes[1 - k], np.dtype(np.int64), np.dtype(np.uint64)) if fits(number, d)]
        if not fitting:  # larger or smaller than every integer
            other_is_less = (number > 0) == (k == 1)
            true = sign == "!=" or (sign in ("<", "<=") if other_is_less else sign in (">", ">="))
            return ir.Constant(ir.IntType(1), int(true))
        dtypes[k] = fitting[0]
    common = np.result_type(*dtypes)
    mixed = common.kind == "f"  # int64 with uint64
    wide = [np.dtype(f"{d.kind}8") for d in dtypes] if mixed else [common, common]
    x, y = (
        em.constant(number, d) if value is None else em.convert(value, own, d)
        for (value, own, number), d in zip(operands, wide, strict=True)
    )
    b = em.builder
    if not mixed:
        return (b.icmp_signed if common.kind == "i" else b.icmp_unsigned)(sign, x, y)
    if wide[1].kind == "i":
        x, y, sign = y, x, _MIRRORED.get(sign, sign)
    negative = b.icmp_signed("<", x, ir.Constant(x.type, 0))
    unsigned = b.icmp_unsigned(sign, x, y)
    return b.or_(negative, unsigned) if sign in ("<", "<=", "!=") else b.and_(b.not_(negative), unsigned)


def fits(number: int, dtype: np.dtype[Any]) -> bool:
    """Whether a number is one of an integer dtype."""
    return dtype.kind in "iu" and np.iinfo(dtype).min <= number <= np.iinfo(dtype).max
