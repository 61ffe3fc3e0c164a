"""`Builder`: llvmlite's instruction builder, several times faster for the instructions that programs consist of.

llvmlite keeps an object with names, operands and attributes for each instruction, and writes them all out in the end.
The common instructions have no use for that: here each is a `Line`, whose text is ready when it is made.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

_I1 = ir.IntType(1)
_RELATIONS = {">": "gt", "<": "lt", "==": "eq", "!=": "ne", ">=": "ge", "<=": "le"}
_VOID = ir.VoidType()


class Line(ir.values.Value):
    """An instruction, as its text, and the value that it computes."""

    __slots__ = ("_reference", "opname", "text", "type")

    def __init__(self, type_: Any, reference: str, text: str, opname: str) -> None:
        self.type, self._reference, self.text, self.opname = type_, reference, text, opname

    def get_reference(self) -> str:
        """What other instructions call it."""
        return self._reference

    def __str__(self) -> str:
        return self.text


#: Text of a type.
_text: Callable[[Any], str] = functools.cache(str)


def _binary(opname: str) -> Any:
    def method(self: Builder, lhs: Any, rhs: Any, name: str = "", flags: Sequence[str] = ()) -> Any:
        words = " ".join((opname, *flags)) if flags else opname
        return self._add(lhs.type, f"{words} {_text(lhs.type)} {lhs.get_reference()}, {rhs.get_reference()}", opname)

    return method


def _cast(opname: str) -> Any:
    def method(self: Builder, value: Any, typ: Any, name: str = "") -> Any:
        if value.type == typ:
            return value
        return self._add(typ, f"{opname} {_text(value.type)} {value.get_reference()} to {_text(typ)}", opname)

    return method


def _bool_like(type_: Any) -> Any:
    return ir.VectorType(_I1, type_.count) if isinstance(type_, ir.VectorType) else _I1


class Builder(ir.IRBuilder):
    """An instruction builder. What is not defined here is done by llvmlite."""

    _block: Any  # llvmlite's: where instructions go

    def __init__(self, block: ir.Block) -> None:
        super().__init__(block)
        function = block.parent
        if not hasattr(function, "line_numbers"):
            function.line_numbers = itertools.count()
        self._numbers = function.line_numbers

    def _add(self, type_: Any, text: str, opname: str) -> Line:
        reference = f"%x{next(self._numbers)}"
        line = Line(type_, reference, f"{reference} = {text}", opname)
        self._block.instructions.insert(self._anchor, line)
        self._anchor += 1
        return line

    add, sub, mul = _binary("add"), _binary("sub"), _binary("mul")
    fadd, fsub, fmul, fdiv = _binary("fadd"), _binary("fsub"), _binary("fmul"), _binary("fdiv")
    udiv, urem, shl, lshr = _binary("udiv"), _binary("urem"), _binary("shl"), _binary("lshr")
    and_, or_, xor = _binary("and"), _binary("or"), _binary("xor")
    trunc, zext, sext, bitcast = _cast("trunc"), _cast("zext"), _cast("sext"), _cast("bitcast")
    fptrunc, fpext, uitofp, sitofp = _cast("fptrunc"), _cast("fpext"), _cast("uitofp"), _cast("sitofp")
    fptoui, fptosi = _cast("fptoui"), _cast("fptosi")

    def fneg(self, arg: Any, name: str = "", flags: Sequence[str] = ()) -> Any:
        """Change the sign."""
        return self._add(arg.type, f"fneg {_text(arg.type)} {arg.get_reference()}", "fneg")

    def _compare(self, opname: str, relation: str, lhs: Any, rhs: Any) -> Line:
        text = f"{opname} {relation} {_text(lhs.type)} {lhs.get_reference()}, {rhs.get_reference()}"
        return self._add(_bool_like(lhs.type), text, opname)

    def icmp_signed(self, cmpop: str, lhs: Any, rhs: Any, name: str = "") -> Any:
        """Compare integers."""
        return self._compare("icmp", ("" if cmpop in ("==", "!=") else "s") + _RELATIONS[cmpop], lhs, rhs)

    def icmp_unsigned(self, cmpop: str, lhs: Any, rhs: Any, name: str = "") -> Any:
        """Compare integers without signs, or pointers."""
        return self._compare("icmp", ("" if cmpop in ("==", "!=") else "u") + _RELATIONS[cmpop], lhs, rhs)

    def fcmp_ordered(self, cmpop: str, lhs: Any, rhs: Any, name: str = "", flags: Sequence[str] = ()) -> Any:
        """Compare; false for NaN."""
        return self._compare("fcmp", f"o{_RELATIONS[cmpop]}" if cmpop in _RELATIONS else cmpop, lhs, rhs)

    def fcmp_unordered(self, cmpop: str, lhs: Any, rhs: Any, name: str = "", flags: Sequence[str] = ()) -> Any:
        """Compare; true for NaN."""
        return self._compare("fcmp", f"u{_RELATIONS[cmpop]}" if cmpop in _RELATIONS else cmpop, lhs, rhs)

    def select(self, cond: Any, lhs: Any, rhs: Any, name: str = "", flags: Sequence[str] = ()) -> Any:
        """Take one of two values."""
        own = _text(lhs.type)
        return self._add(
            lhs.type,
            f"select {_text(cond.type)} {cond.get_reference()}, {own} {lhs.get_reference()}, "
            f"{own} {rhs.get_reference()}",
            "select",
        )

    def load(self, ptr: Any, name: str = "", align: int | None = None, typ: Any = None) -> Any:
        """Read from memory."""
        type_ = typ or ptr.type.pointee
        place = f"{_text(ptr.type)} {ptr.get_reference()}"
        end = "" if align is None else f", align {align}"
        return self._add(type_, f"load {_text(type_)}, {place}{end}", "load")

    def gep(self, ptr: Any, indices: Any, inbounds: bool = False, name: str = "", source_etype: Any = None) -> Any:
        """Address of an element."""
        if len(indices) != 1 or source_etype is not None:
            return super().gep(ptr, indices, inbounds=inbounds, name=name, source_etype=source_etype)
        (i,) = indices
        start = "getelementptr inbounds" if inbounds else "getelementptr"
        place = f"{_text(ptr.type)} {ptr.get_reference()}"
        text = f"{start} {_text(ptr.type.pointee)}, {place}, {_text(i.type)} {i.get_reference()}"
        return self._add(ptr.type, text, "getelementptr")

    def call(self, fn: Any, args: Any, *rest: Any, **options: Any) -> Any:
        """Call a function."""
        if rest or options or fn.function_type.return_type == _VOID or fn.function_type.var_arg:
            return super().call(fn, args, *rest, **options)
        out = fn.function_type.return_type
        operands = ", ".join([f"{_text(a.type)} {a.get_reference()}" for a in args])
        return self._add(out, f"call {_text(out)} {fn.get_reference()}({operands})", "call")
