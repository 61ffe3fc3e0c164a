"""How one element of each elementwise primitive is computed in LLVM: a table of primitive to emitter.

An emitter gets an `Emitter` (the instruction builder with its math library), the operands converted to the dtype that
the operation computes in, and that dtype. bool is i1 here; in memory it is a byte.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler import bits, inner_loops, integers, ufuncs
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


def memory_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Dtype of what is in memory: of the parts of complex numbers."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def memory_type(dtype: np.dtype[Any]) -> Any:
    """LLVM type of a value in memory; of complex numbers that of a part."""
    return ir.IntType(8) if dtype.kind == "b" else llvm_type(memory_dtype(dtype))


@functools.cache
def is_lowerable_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype can live in registers; complex numbers are pairs of those that can."""
    return dtype.str[1:] in _TYPES and dtype.isnative


def is_loadable_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype can be loaded from memory, complex numbers as their parts."""
    return is_lowerable_dtype(dtype) or (dtype.str[1:] in ("c8", "c16") and dtype.isnative)


def is_about_parts(primitive: Primitive, in_dtypes: Sequence[np.dtype[Any]], out_dtype: np.dtype[Any]) -> bool:
    """Whether an operation takes complex numbers apart, or puts them together, and has a native form."""
    if primitive is e.from_parts:
        return is_loadable_dtype(out_dtype) and all(map(is_lowerable_dtype, in_dtypes))
    return primitive in (c.real, c.imag) and in_dtypes[0].kind == "c" and is_loadable_dtype(in_dtypes[0])


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
        if not integers.fits(value, dtype):  # np.where and assignment cast it, as C does
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
            return self._to_integer(x, own, to)
        if to.kind == "f":
            return b.sitofp(x, target) if own.kind == "i" else b.uitofp(x, target)
        if target == x.type:
            return x
        if target.width < x.type.width:
            return b.trunc(x, target)
        return b.sext(x, target) if own.kind == "i" else b.zext(x, target)

    def _to_integer(self, x: Register, own: np.dtype[Any], to: np.dtype[Any]) -> Register:
        """Cast a float as C does on x86-64: to int32 or int64, of which the last bits are taken; there is no other way.

        What does not fit becomes the smallest number. From 2⁶³ on an uint64 is cast without its first bit.
        """
        b, target = self.builder, llvm_type(to)
        if to.str[1:] == "u8":
            half = self.constant(2.0**63, own)
            large = b.fcmp_ordered(">=", x, half)
            bits = self._truncated(b.select(large, b.fsub(x, half), x), own, target)
            return b.select(large, b.xor(bits, ir.Constant(target, 1 << 63)), bits)
        bits = self._truncated(x, own, _TYPES["i8" if to.str[1:] in ("i8", "u4") else "i4"])
        return bits if bits.type == target else b.trunc(bits, target)

    def _truncated(self, x: Register, own: np.dtype[Any], type_: Any) -> Register:
        """Round towards zero, and take the smallest integer for what is out of range."""
        b, limit = self.builder, 2.0 ** (type_.width - 1)
        fits = b.and_(
            b.fcmp_ordered(">=", x, self.constant(-limit, own)), b.fcmp_ordered("<", x, self.constant(limit, own))
        )
        whole = b.fptosi(b.select(fits, x, self.constant(0.0, own)), type_)
        return b.select(fits, whole, ir.Constant(type_, -(1 << (type_.width - 1))))


Emit = Callable[[Emitter, Sequence[Register], np.dtype[Any]], Register]


def _by_kind(of_floats: Emit, of_others: Emit) -> Emit:
    """One emitter for floats, and one for integers and truth values."""
    return lambda em, x, dtype: (of_floats if dtype.kind == "f" else of_others)(em, x, dtype)


def _arithmetic(float_name: str, integer_name: str, bool_name: str = "") -> Emit:
    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        if dtype.kind == "f":
            return getattr(em.builder, float_name)(x[0], x[1], flags=("contract",))
        return getattr(em.builder, bool_name if dtype.kind == "b" else integer_name)(x[0], x[1])

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


def _strong_multiply(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    if dtype.kind != "f":
        return MULTIPLY(em, x, dtype)
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
    return em.math("absolute", x[0]) if dtype.kind == "f" else integers.magnitude(em, x[0], dtype)


def _extremum(name: str) -> Emit:
    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        if dtype.kind == "f":
            return em.math(name, *x)
        compare = em.builder.icmp_signed if dtype.kind == "i" else em.builder.icmp_unsigned
        return em.builder.select(compare(">" if "max" in name else "<", x[0], x[1]), x[0], x[1])

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


def _logaddexp(exp: str, unit: float) -> Emit:
    """max + log(1 + base^-|x - y|), and the common value plus log 2 for equal infinities; `unit` is log e."""

    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        b = em.builder
        gap = em.math("absolute", b.fsub(x[0], x[1]))
        rest = em.math("log1p", em.math(exp, b.fneg(gap)))
        if unit != 1:
            rest = b.fmul(rest, em.constant(unit, dtype))
        out = b.fadd(em.math("maximum", *x), rest)
        double = b.fadd(x[0], em.constant(e.LOG2 if unit == 1 else 1.0, dtype))
        return b.select(b.fcmp_ordered("==", x[0], x[1]), double, out)

    return emit


def _sinc(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    """sin(πx)/(πx), where NumPy takes a tiny number for 0."""
    b = em.builder
    y = b.fmul(x[0], em.constant(np.pi, dtype))
    y = b.select(b.fcmp_ordered("==", y, em.constant(0.0, dtype)), em.constant(np.finfo(dtype).eps, dtype), y)
    return b.fdiv(em.math("sin", y), y)


def _zero_times(log: str) -> Emit:
    """x·log(y), and 0 for x = 0 unless y is NaN."""

    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        b, zero = em.builder, em.constant(0.0, dtype)
        is_zero = b.and_(b.fcmp_ordered("==", x[0], zero), b.fcmp_ordered("ord", x[1], x[1]))
        return b.select(is_zero, zero, b.fmul(x[0], em.math(log, x[1])))

    return emit


def _same(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
    return x[0]


class Lowering(NamedTuple):
    """What an operation computes in, how, and for which kinds of dtypes.

    It computes in the dtype of its result ("out") or the common dtype of its operands ("in"), in "bool", or in a
    float that holds its operand ("float").
    """

    where: str
    emit: Emit
    kinds: str = "fiub"


MULTIPLY = _arithmetic("fmul", "mul", "and_")

LOWERINGS: dict[Primitive, Lowering] = {
    e.add: Lowering("out", _arithmetic("fadd", "add", "or_")),
    e.subtract: Lowering("out", _arithmetic("fsub", "sub"), "fiu"),
    e.multiply: Lowering("out", MULTIPLY),
    c.tangent_product: Lowering("out", MULTIPLY),
    c.strong_multiply: Lowering("out", _strong_multiply),
    e.divide: Lowering("out", lambda em, x, dtype: em.builder.fdiv(x[0], x[1]), "f"),
    e.negative: Lowering("out", _negative, "fiu"),
    e.positive: Lowering("out", _same),
    e.reciprocal: Lowering(
        "out",
        _by_kind(lambda em, x, dtype: em.builder.fdiv(em.constant(1.0, dtype), x[0]), integers.reciprocal),
        "fiu",
    ),
    e.square: Lowering("out", _square),
    e.power: Lowering("out", _by_kind(_library("power"), integers.power), "fiu"),
    e.floor_divide: Lowering("out", _by_kind(bits.floor_divide, integers.floor_divide), "fiu"),
    e.remainder: Lowering("out", _by_kind(_library("remainder"), integers.remainder), "fiu"),
    e.fmod: Lowering("out", _by_kind(_library("fmod"), integers.fmod), "fiu"),
    e.absolute: Lowering("out", _absolute),
    e.sign: Lowering("out", _sign, "fiu"),
    e.signbit: Lowering("in", _signbit),
    e.heaviside: Lowering("out", bits.heaviside, "f"),
    e.nextafter: Lowering("out", bits.nextafter, "f"),
    e.spacing: Lowering("out", bits.spacing, "f"),
    e.ldexp: Lowering("out", bits.ldexp, "f"),
    e.exponent: Lowering("float", bits.exponent),
    e.logaddexp: Lowering("out", _logaddexp("exp", 1.0), "f"),
    e.logaddexp2: Lowering("out", _logaddexp("exp2", 1 / e.LOG2), "f"),
    e.sinc: Lowering("out", _sinc, "f"),
    e.deg2rad: Lowering("out", _deg2rad(np.pi / 180), "f"),
    e.rad2deg: Lowering("out", _deg2rad(180 / np.pi), "f"),
    e.isnan: Lowering("in", _is_special("isnan")),
    e.isinf: Lowering("in", _is_special("isinf")),
    e.isfinite: Lowering("in", _is_special("isfinite")),
    e.equal: Lowering("in", _compare("==")),
    e.not_equal: Lowering("in", _compare("!=")),
    e.less: Lowering("in", _compare("<")),
    e.less_equal: Lowering("in", _compare("<=")),
    e.greater: Lowering("in", _compare(">")),
    e.greater_equal: Lowering("in", _compare(">=")),
    e.logical_and: Lowering("bool", _logical("and_")),
    e.logical_or: Lowering("bool", _logical("or_")),
    e.logical_xor: Lowering("bool", _logical("xor")),
    e.logical_not: Lowering("bool", lambda em, x, dtype: em.builder.not_(x[0])),
    e.bitwise_and: Lowering("out", _logical("and_")),
    e.bitwise_or: Lowering("out", _logical("or_")),
    e.bitwise_xor: Lowering("out", _logical("xor")),
    e.bitwise_count: Lowering("in", integers.bitwise_count),
    e.invert: Lowering("out", lambda em, x, dtype: em.builder.not_(x[0])),
    e.left_shift: Lowering("out", integers.left_shift),
    e.right_shift: Lowering("out", integers.right_shift),
    e.gcd: Lowering("out", integers.gcd),
    e.lcm: Lowering("out", integers.lcm),
    c.imag: Lowering("out", lambda em, x, dtype: em.constant(0, dtype)),
}
for _primitive in (
    e.exp, e.exp2, e.expm1, e.log, e.log2, e.log10, e.log1p, e.sin, e.cos, e.tan, e.arcsin, e.arccos, e.arctan,
    e.arctan2, e.sinh, e.cosh, e.tanh, e.arcsinh, e.arccosh, e.arctanh, e.sqrt, e.cbrt, e.hypot, e.rint, e.copysign,
):  # fmt: skip
    LOWERINGS[_primitive] = Lowering("out", _library(_primitive.name), "f")
for _primitive in (e.floor, e.ceil, e.trunc):
    LOWERINGS[_primitive] = Lowering("out", _by_kind(_library(_primitive.name), _same))
for _primitive, _name in ((e.maximum, "maximum"), (e.minimum, "minimum"), (e.fmax, "fmax"), (e.fmin, "fmin")):
    LOWERINGS[_primitive] = Lowering("out", _extremum(_name))
#: The same for special functions that have a form of their own here, by name: their modules are imported when used.
_SPECIAL = {
    "xlogy": Lowering("out", _zero_times("log"), "f"),
    "xlog1py": Lowering("out", _zero_times("log1p"), "f"),
}


def _row(primitive: Primitive) -> Lowering | None:
    return LOWERINGS.get(primitive) or (_SPECIAL.get(primitive.name) if primitive.is_own else None)


_SIGNS: dict[Primitive, str] = {
    e.equal: "==",
    e.not_equal: "!=",
    e.less: "<",
    e.less_equal: "<=",
    e.greater: ">",
    e.greater_equal: ">=",
}


def is_lowerable(primitive: Primitive, in_dtypes: Sequence[np.dtype[Any]], out_dtype: np.dtype[Any]) -> bool:
    """Whether an operation on operands of these dtypes has a native form."""
    return _is_lowerable(primitive, tuple(in_dtypes), out_dtype)


@functools.cache
def _is_lowerable(primitive: Primitive, in_dtypes: tuple[np.dtype[Any], ...], out_dtype: np.dtype[Any]) -> bool:
    if not all(map(is_lowerable_dtype, (*in_dtypes, out_dtype))):
        return False
    if primitive in (e.where, c.astype, c.real, c.conj):
        return True
    row = _row(primitive)
    if row is None:
        return ufuncs.find(primitive, in_dtypes, out_dtype) is not None
    if row.where == "out" and out_dtype.kind not in row.kinds:
        return False
    # NumPy refuses negative exponents.
    return primitive is not e.power or out_dtype.kind in "fu" or in_dtypes[1].kind in "ub"


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
        return integers.compare(em, _SIGNS[primitive], operands)
    if primitive is e.where:
        mask = read(operands[0], np.dtype(bool))
        return em.builder.select(mask, read(operands[1], out_dtype), read(operands[2], out_dtype))
    if primitive in (c.astype, c.real, c.conj):
        return read(operands[0], out_dtype)
    row = _row(primitive)
    if row is None:
        return inner_loops.emit(em, primitive, [(read(o, o[1]), o[1]) for o in operands], out_dtype)
    where, emit, _ = row
    if primitive is e.ldexp:
        return emit(em, [read(operands[0], out_dtype), read(operands[1], np.dtype(np.int64))], out_dtype)
    if where == "out":
        dtype = out_dtype
    elif where == "bool":
        dtype = np.dtype(bool)
    else:
        dtype = np.result_type(
            *(own if value is not None or isinstance(n, np.generic) else n for value, own, n in operands)
        )
        if where == "float" and dtype.kind != "f":
            dtype = np.dtype(np.float64)
    return emit(em, [read(o, dtype) for o in operands], dtype)
