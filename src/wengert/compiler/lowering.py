"""How one element of each elementwise primitive is computed in LLVM: a table of primitive to emitter.

An emitter gets an `Emitter` (the instruction builder with its math library), the operands converted to the dtype that
the operation computes in, and that dtype. bool is i1 here; in memory it is a byte.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.vector_math import MathLibrary
from wengert.core import combinators as c
from wengert.core.primitive import Primitive
from wengert.rules import elementwise as e

#: An operand of an LLVM instruction. llvmlite's classes have no type hints.
Register = Any

_TYPES: dict[str, Any] = {
    "f8": ir.DoubleType(),
    "f4": ir.FloatType(),
    "i8": ir.IntType(64),
    "i4": ir.IntType(32),
    "i2": ir.IntType(16),
    "i1": ir.IntType(8),
    "u8": ir.IntType(64),
    "u4": ir.IntType(32),
    "u2": ir.IntType(16),
    "u1": ir.IntType(8),
    "b1": ir.IntType(1),
}


def llvm_type(dtype: np.dtype[Any]) -> Any:
    """LLVM type of a value in a register."""
    return _TYPES[dtype.str[1:]]


def memory_type(dtype: np.dtype[Any]) -> Any:
    """LLVM type of a value in memory."""
    return ir.IntType(8) if dtype.kind == "b" else llvm_type(dtype)


@functools.cache
def is_lowerable_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype can live in registers (complex and exotic ones cannot yet)."""
    return dtype.str[1:] in _TYPES and dtype.isnative


class Emitter:
    """An instruction builder and the functions that it may call."""

    def __init__(self, builder: Any, library: MathLibrary) -> None:
        self.builder = builder
        self.library = library

    def math(self, name: str, *args: Register) -> Register:
        """Call an elementary function."""
        return self.library.call(self.builder, name, args)

    def constant(self, value: Any, dtype: np.dtype[Any]) -> Register:
        """A number as an operand."""
        if dtype.kind == "f":
            return ir.Constant(llvm_type(dtype), float(dtype.type(value)))
        if dtype.kind == "b":
            return ir.Constant(llvm_type(dtype), int(bool(value)))
        if not _fits(value, dtype):  # np.where and assignment cast it, as C does
            value = np.asarray(value).astype(dtype)
        return ir.Constant(llvm_type(dtype), int(value))

    def convert(self, x: Register, own: np.dtype[Any], to: np.dtype[Any]) -> Register:
        """Cast as NumPy's astype does."""
        if own == to:
            return x
        b, target = self.builder, llvm_type(to)
        if to.kind == "b":
            zero = ir.Constant(x.type, 0 if own.kind != "f" else 0.0)
            return b.fcmp_unordered("!=", x, zero) if own.kind == "f" else b.icmp_unsigned("!=", x, zero)
        if own.kind == "f":
            if to.kind == "f":
                return b.fpext(x, target) if to.itemsize > own.itemsize else b.fptrunc(x, target)
            return b.fptosi(x, target) if to.kind == "i" else b.fptoui(x, target)
        if to.kind == "f":
            return b.sitofp(x, target) if own.kind == "i" else b.uitofp(x, target)
        if target == x.type:
            return x
        if target.width < x.type.width:
            return b.trunc(x, target)
        return b.sext(x, target) if own.kind == "i" else b.zext(x, target)


Emit = Callable[[Emitter, Sequence[Register], np.dtype[Any]], Register]


def _arithmetic(float_name: str, integer_name: str) -> Emit:
    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        name = float_name if dtype.kind == "f" else integer_name
        flags = ("contract",) if dtype.kind == "f" else ()
        return getattr(em.builder, name)(x[0], x[1], flags=flags)

    return emit


def _compare(sign: str) -> Emit:
    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        if dtype.kind == "f":
            compare = em.builder.fcmp_unordered if sign == "!=" else em.builder.fcmp_ordered
        else:
            compare = em.builder.icmp_signed if dtype.kind == "i" else em.builder.icmp_unsigned
        return compare(sign, x[0], x[1])

    return emit


def _library(name: str) -> Emit:
    return lambda em, x, dtype: em.math(name, *x)


def _negative(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    return em.builder.fneg(x[0]) if dtype.kind == "f" else em.builder.neg(x[0])


def _square(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    return MULTIPLY(em, (x[0], x[0]), dtype)


def _reciprocal(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    return em.builder.fdiv(em.constant(1.0, dtype), x[0])


def _strong_multiply(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    b, zero = em.builder, em.constant(0.0, dtype)
    is_zero = b.or_(b.fcmp_ordered("==", x[0], zero), b.fcmp_ordered("==", x[1], zero))
    return b.select(is_zero, zero, b.fmul(x[0], x[1]))


def _logical(name: str) -> Emit:
    return lambda em, x, dtype: getattr(em.builder, name)(x[0], x[1])


def _is_special(kind: str) -> Emit:
    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        b = em.builder
        if dtype.kind != "f":
            return ir.Constant(ir.IntType(1), int(kind == "isfinite"))
        if kind == "isnan":
            return b.fcmp_unordered("uno", x[0], x[0])
        infinite = b.fcmp_ordered("==", em.math("absolute", x[0]), ir.Constant(x[0].type, float("inf")))
        if kind == "isinf":
            return infinite
        return b.fcmp_ordered("<", em.math("absolute", x[0]), ir.Constant(x[0].type, float("inf")))

    return emit


def _deg2rad(factor: float) -> Emit:
    return lambda em, x, dtype: em.builder.fmul(x[0], em.constant(factor, dtype))


def _absolute(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    if dtype.kind == "f":
        return em.math("absolute", x[0])
    if dtype.kind != "i":
        return x[0]
    b = em.builder
    return b.select(b.icmp_signed("<", x[0], ir.Constant(x[0].type, 0)), b.neg(x[0]), x[0])


def _extremum(name: str) -> Emit:
    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        if dtype.kind == "f":
            return em.math(name, *x)
        compare = em.builder.icmp_signed if dtype.kind == "i" else em.builder.icmp_unsigned
        return em.builder.select(compare(">" if name == "maximum" else "<", x[0], x[1]), x[0], x[1])

    return emit


def _sign(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    if dtype.kind == "f":
        return em.math("sign", x[0])
    b, zero = em.builder, ir.Constant(x[0].type, 0)
    if dtype.kind == "u":
        return b.zext(b.icmp_unsigned("!=", x[0], zero), x[0].type)
    positive = b.zext(b.icmp_signed(">", x[0], zero), x[0].type)
    return b.sub(positive, b.zext(b.icmp_signed("<", x[0], zero), x[0].type))


def _signbit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    b = em.builder
    if dtype.kind not in "if":
        return ir.Constant(ir.IntType(1), 0)
    bits = b.bitcast(x[0], ir.IntType(dtype.itemsize * 8)) if dtype.kind == "f" else x[0]
    return b.icmp_signed("<", bits, ir.Constant(bits.type, 0))


def _logaddexp(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """max + log1p(exp(-|x - y|)), and the common value plus log 2 for equal infinities."""
    b = em.builder
    gap = em.math("absolute", b.fsub(x[0], x[1]))
    out = b.fadd(em.math("maximum", *x), em.math("log1p", em.math("exp", b.fneg(gap))))
    equal = b.fcmp_ordered("==", x[0], x[1])
    return b.select(equal, b.fadd(x[0], em.constant(np.log(2.0), dtype)), out)


def _floor_divide(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """Of integers: rounded down, 0 if the divisor is, and the smallest number if it is divided by -1."""
    b, zero, one = em.builder, ir.Constant(x[0].type, 0), ir.Constant(x[0].type, 1)
    by_zero = b.icmp_signed("==", x[1], zero)
    divisor = b.select(by_zero, one, x[1])
    if dtype.kind == "u":
        return b.select(by_zero, zero, b.udiv(x[0], divisor))
    by_minus_one = b.icmp_signed("==", divisor, ir.Constant(x[0].type, -1))
    safe = b.select(by_minus_one, one, divisor)
    quotient = b.sdiv(x[0], safe)
    inexact = b.icmp_signed("!=", b.mul(quotient, safe), x[0])
    opposite = b.icmp_signed("<", b.xor(x[0], safe), zero)
    down = b.select(b.and_(inexact, opposite), b.sub(quotient, one), quotient)
    return b.select(by_zero, zero, b.select(by_minus_one, b.neg(x[0]), down))


MULTIPLY = _arithmetic("fmul", "mul")

#: What an operation computes in: "out" the dtype of its result, "in" the common dtype of its operands.
LOWERINGS: dict[Primitive, tuple[str, Emit]] = {
    e.add: ("out", _arithmetic("fadd", "add")),
    e.subtract: ("out", _arithmetic("fsub", "sub")),
    e.multiply: ("out", MULTIPLY),
    c.tangent_product: ("out", MULTIPLY),
    e.divide: ("float", lambda em, x, dtype: em.builder.fdiv(x[0], x[1])),
    e.negative: ("out", _negative),
    e.positive: ("out", lambda em, x, dtype: x[0]),
    e.reciprocal: ("float", _reciprocal),
    e.square: ("out", _square),
    e.power: ("float", _library("power")),
    c.strong_multiply: ("float", _strong_multiply),
    e.absolute: ("out", _absolute),
    e.maximum: ("out", _extremum("maximum")),
    e.minimum: ("out", _extremum("minimum")),
    e.sign: ("out", _sign),
    e.signbit: ("in", _signbit),
    e.logaddexp: ("float", _logaddexp),
    e.deg2rad: ("float", _deg2rad(np.pi / 180)),
    e.rad2deg: ("float", _deg2rad(180 / np.pi)),
    e.isnan: ("in", _is_special("isnan")),
    e.isinf: ("in", _is_special("isinf")),
    e.isfinite: ("in", _is_special("isfinite")),
    e.equal: ("in", _compare("==")),
    e.not_equal: ("in", _compare("!=")),
    e.less: ("in", _compare("<")),
    e.less_equal: ("in", _compare("<=")),
    e.greater: ("in", _compare(">")),
    e.greater_equal: ("in", _compare(">=")),
    e.logical_and: ("bool", _logical("and_")),
    e.logical_or: ("bool", _logical("or_")),
    e.logical_xor: ("bool", _logical("xor")),
    e.logical_not: ("bool", lambda em, x, dtype: em.builder.not_(x[0])),
    e.bitwise_and: ("out", _logical("and_")),
    e.bitwise_or: ("out", _logical("or_")),
    e.bitwise_xor: ("out", _logical("xor")),
    e.floor_divide: ("out", _floor_divide),
    e.invert: ("out", lambda em, x, dtype: em.builder.not_(x[0])),
}
for _primitive in (
    e.exp, e.exp2, e.expm1, e.log, e.log2, e.log10, e.log1p, e.sin, e.cos, e.tan, e.arcsin, e.arccos, e.arctan,
    e.arctan2, e.sinh, e.cosh, e.tanh, e.arcsinh, e.arccosh, e.arctanh, e.sqrt, e.cbrt, e.hypot, e.floor, e.ceil,
    e.trunc, e.rint, e.copysign, e.fmod, e.remainder, e.fmax, e.fmin,
):  # fmt: skip
    LOWERINGS[_primitive] = ("float", _library(_primitive.name))


_SIGNS: dict[Primitive, str] = {
    e.equal: "==",
    e.not_equal: "!=",
    e.less: "<",
    e.less_equal: "<=",
    e.greater: ">",
    e.greater_equal: ">=",
}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def _compare_integers(em: Emitter, sign: str, operands: Sequence[tuple[Register, np.dtype[Any], Any]]) -> Register:
    """Compare exactly, as NumPy does: also int64 with uint64, and with Python numbers out of range."""
    dtypes = [own for _, own, _ in operands]
    for k, (value, _, number) in enumerate(operands):
        if value is not None or isinstance(number, np.generic):
            continue
        fitting = [d for d in (dtypes[1 - k], np.dtype(np.int64), np.dtype(np.uint64)) if _fits(number, d)]
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


def _fits(number: int, dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" and np.iinfo(dtype).min <= number <= np.iinfo(dtype).max


def is_lowerable(primitive: Primitive, in_dtypes: Sequence[np.dtype[Any]], out_dtype: np.dtype[Any]) -> bool:
    """Whether an operation on operands of these dtypes has a native form."""
    return _is_lowerable(primitive, tuple(in_dtypes), out_dtype)


@functools.cache
def _is_lowerable(primitive: Primitive, in_dtypes: tuple[np.dtype[Any], ...], out_dtype: np.dtype[Any]) -> bool:
    if not all(map(is_lowerable_dtype, (*in_dtypes, out_dtype))):
        return False
    if primitive is e.where or primitive is c.astype or primitive is c.real or primitive is c.conj:
        return primitive is not c.astype or not (in_dtypes[0].kind == "f" and out_dtype.kind in "iu")
    row = LOWERINGS.get(primitive)
    if row is None:
        return False
    if row[0] == "float":
        return out_dtype.kind == "f" and out_dtype.itemsize >= 4
    if primitive is e.floor_divide:
        return out_dtype.kind in "iu"
    return not (out_dtype.kind == "b" and primitive in (e.add, e.multiply, e.subtract, e.negative))


def emit_element(
    em: Emitter,
    primitive: Primitive,
    operands: Sequence[tuple[Register, np.dtype[Any], Any]],
    out_dtype: np.dtype[Any],
) -> Register:
    """Compute one element.

    An operand is (value, dtype, number): a value in a register, or a literal number with value None.
    """

    def read(operand: tuple[Register, np.dtype[Any], Any], dtype: np.dtype[Any]) -> Register:
        value, own, number = operand
        if value is None:
            return em.constant(number, dtype)
        return value if own is dtype else em.convert(value, own, dtype)

    if primitive in _SIGNS and all(own.kind in "biu" for _, own, _ in operands):
        return _compare_integers(em, _SIGNS[primitive], operands)
    if primitive is e.where:
        mask = read(operands[0], np.dtype(bool))
        return em.builder.select(mask, read(operands[1], out_dtype), read(operands[2], out_dtype))
    if primitive in (c.astype, c.real, c.conj):
        return read(operands[0], out_dtype)
    kind, emit = LOWERINGS[primitive]
    if kind in ("out", "float"):
        dtype = out_dtype
    elif kind == "bool":
        dtype = np.dtype(bool)
    else:
        dtype = np.result_type(
            *(own if value is not None or isinstance(n, np.generic) else n for value, own, n in operands)
        )
    return emit(em, [read(o, dtype) for o in operands], dtype)
