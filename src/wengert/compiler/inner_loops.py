"""Calls of the inner loops of ufuncs, and of functions of single numbers, as LLVM IR.

An inner loop is wrapped in a function of one element, which has **vector forms**: functions of 2, 4, 8 … elements and a
mask, which LLVM calls in its place where it makes vectors of the loop around. They store the elements on the stack, for
one call of the inner loop. So a special function does not keep what is around it from being done in vectors. Complex
numbers are pairs of numbers outside, and side by side in memory.

SciPy may be told to warn about poles and the like, or to raise (`scipy.special.errstate`). Inner loops do that, then,
with the interpreter lock, which therefore must be free where they run in several threads.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.ufuncs import PARTS, Loop, find, flat
from wengert.compiler.vector_math import MathLibrary, vector_bytes
from wengert.core.primitive import Primitive

_TYPES: dict[str, Any] = {"d": "double", "f": "float", "l": "i64" if struct.calcsize("l") == 8 else "i32"}
_LLVM: dict[str, Any] = {
    "double": ir.DoubleType(),
    "float": ir.FloatType(),
    "i64": ir.IntType(64),
    "i32": ir.IntType(32),
}


class _Defined(ir.Function):
    """A function, as the text of its definition, and the names of its vector forms."""

    text = ""

    def __init__(self, module: ir.Module, type_: ir.FunctionType, name: str) -> None:
        super().__init__(module, type_, name)
        self.variants: list[str] = []
        self.calls: dict[Any, Any] = {}  # what calls gave, by block and operands

    def descr(self, buf: list[str]) -> None:
        names = ",".join(self.variants)
        buf.append(self.text.replace(" VARIANTS ", f' "vector-function-abi-variant"="{names}" ' if names else " "))


def emit(em: Any, primitive: Primitive, operands: Sequence[tuple[Any, np.dtype[Any]]], out: np.dtype[Any]) -> Any:
    """Emit the call for one element, given the operands in registers and their dtypes."""
    loop = find(primitive, [dtype for _, dtype in operands], out)
    assert loop is not None
    values = [value for value, _ in operands]
    function = _function(em.library, loop)
    if len(flat(loop.results)) == 1:
        return em.builder.call(function, values)
    # One call for all parts: LLVM would see to it, too, where it has the time.
    key = id(em.builder.block), *(value.get_reference() for value in values)
    if key not in function.calls:
        function.calls[key] = em.builder.call(function, values)
    return em.builder.extract_value(function.calls[key], loop.part)


def _function(library: MathLibrary, loop: Loop) -> _Defined:
    """The function of one element; with vector forms, if the code around is to be vectorised."""
    module, name = library.module, f"{loop.symbol}.call"
    types = [_LLVM[_TYPES[c]] for c in flat(loop.operands)]
    results = [_LLVM[_TYPES[c]] for c in flat(loop.results)]
    function: Any = module.globals.get(name)
    if function is None:
        if loop.single:
            ir.Function(module, ir.FunctionType(results[0], [*types, ir.IntType(32)]), f"{loop.symbol}.single")
        else:
            pointer = ir.IntType(8).as_pointer()
            ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer] * 4), loop.symbol)
        if loop.data and not loop.single:
            ir.GlobalVariable(module, ir.IntType(8), f"{loop.symbol}.data")
        function = _Defined(module, ir.FunctionType(_together(results), types), name)
        function.text = _text(loop, 1)
    if library.vectorise and not function.variants:
        library.keep(function)  # as it is: LLVM would leave out parameters that are always the same
        widest = max(_bytes(c) for c in flat(loop.operands + loop.results))
        for lanes in (size // widest for size in vector_bytes()):
            vectors = [ir.VectorType(t, lanes) for t in (*types, ir.IntType(1))]
            out = _together([ir.VectorType(t, lanes) for t in results])
            variant = _Defined(module, ir.FunctionType(out, vectors), f"{name}.{lanes}")
            variant.text = _text(loop, lanes)
            library.keep(variant)
            function.variants.append(f"_ZGV_LLVM_M{lanes}{'v' * len(types)}_{name}({name}.{lanes})")
    return function


def _together(types: Sequence[Any]) -> Any:
    return types[0] if len(types) == 1 else ir.LiteralStructType(types)


def _bytes(character: str) -> int:
    return 8 if _TYPES[character] in ("double", "i64") else 4


@functools.cache
def _text(loop: Loop, lanes: int) -> str:
    """LLVM IR of the function of one element, or of a vector with a mask.

    Elements that are masked off, of whatever value, never get to the function: not all of them end for all numbers. The
    elements up to the last one that is wanted are computed, with the first one in place of those in between.
    """
    name = f"{loop.symbol}.call" + (f".{lanes}" if lanes > 1 else "")
    operands, results = ([_TYPES[c] for c in flat(part)] for part in (loop.operands, loop.results))
    parameters = [f"{_vector(t, lanes)} %x{k}" for k, t in enumerate(operands)]
    lines, given = [], "%x"
    if lanes > 1:
        parameters.append(f"{_vector('i1', lanes)} %mask")
        lines, given = _masked(operands, lanes), "%wanted"
    lines += _by_single(loop, lanes) if loop.single else _by_loop(loop, lanes, given)
    out, result = _vector(results[0], lanes), "%out0"
    if len(results) > 1:
        out, result = f"{{{', '.join(_vector(t, lanes) for t in results)}}}", "poison"
        for k, t in enumerate(results):
            lines.append(f"%result{k} = insertvalue {out} {result}, {_vector(t, lanes)} %out{k}, {k}")
            result = f"%result{k}"
    body = "\n  ".join(["start:", *lines, f"ret {out} {result}"])
    attributes = "noinline nounwind willreturn memory(none)"
    return f'define internal {out} @"{name}"({", ".join(parameters)}) {attributes} VARIANTS {{\n{body}\n}}\n'


def _vector(type_: str, lanes: int) -> str:
    return f"<{lanes} x {type_}>" if lanes > 1 else type_


def _masked(operands: Sequence[str], lanes: int) -> list[str]:
    """The %number of elements to compute, and these."""
    lines = [
        f"%bits = bitcast <{lanes} x i1> %mask to i{lanes}",
        f"%before = call i{lanes} @llvm.cttz.i{lanes}(i{lanes} %bits, i1 false)",
        f"%after = call i{lanes} @llvm.ctlz.i{lanes}(i{lanes} %bits, i1 false)",
        f"%last = sub i{lanes} {lanes}, %after",
        f"%number = zext i{lanes} %last to i64",
    ]
    for k, t in enumerate(operands):
        v = _vector(t, lanes)
        lines += [
            f"%first{k} = extractelement {v} %x{k}, i{lanes} %before",
            f"%one{k} = insertelement {v} poison, {t} %first{k}, i64 0",
            f"%all{k} = shufflevector {v} %one{k}, {v} poison, <{lanes} x i32> zeroinitializer",
            f"%wanted{k} = select {_vector('i1', lanes)} %mask, {v} %x{k}, {v} %all{k}",
        ]
    return lines


def _by_single(loop: Loop, lanes: int) -> list[str]:
    """Call the function of single numbers for one after the other."""
    count = len(loop.operands)

    def call(name: str) -> str:
        args = ", ".join(f"double {name}{k}" for k in range(count))
        return f'call double @"{loop.symbol}.single"({args}, i32 0)'

    if lanes == 1:
        return [f"%out0 = {call('%x')}"]
    v = _vector("double", lanes)
    lines = [f"%place{k} = alloca {v}" for k in range(count + 1)]
    lines += [f"store {v} %wanted{k}, ptr %place{k}" for k in range(count)]
    lines += ["%none = icmp eq i64 %number, 0", "br i1 %none, label %done, label %each", "each:"]
    lines.append("%i = phi i64 [ 0, %start ], [ %next, %each ]")
    lines += [f"%at{k} = getelementptr double, ptr %place{k}, i64 %i" for k in range(count + 1)]
    lines += [f"%number{k} = load double, ptr %at{k}" for k in range(count)]
    lines += [f"%value = {call('%number')}", f"store double %value, ptr %at{count}", "%next = add i64 %i, 1"]
    lines += ["%left = icmp ult i64 %next, %number", "br i1 %left, label %each, label %done", "done:"]
    return [*lines, f"%out0 = load {v}, ptr %place{count}"]


def _by_loop(loop: Loop, lanes: int, given: str) -> list[str]:
    """Call the inner loop for all elements at once."""
    characters = loop.operands + loop.results
    count, first = len(characters), len(loop.operands)
    types = [_vector(_TYPES[PARTS.get(c, c)], lanes * (2 if c in PARTS else 1)) for c in characters]
    lines = [f"%place{k} = alloca {t}" for k, t in enumerate(types)]
    lines += [f"%table = alloca [{count} x ptr]", f"%steps = alloca [{count} x i64]", "%count = alloca i64"]
    lines.append(f"store i64 {'%number' if lanes > 1 else 1}, ptr %count")
    n = 0
    for k, c in enumerate(loop.operands):
        if c in PARTS:
            part, order = _vector(_TYPES[PARTS[c]], lanes), [i + j for i in range(lanes) for j in (0, lanes)]
            if lanes > 1:
                pair = f"shufflevector {part} {given}{n}, {part} {given}{n + 1}, {_order(order)}"
            else:
                lines.append(f"%re{k} = insertelement {types[k]} poison, {part} {given}{n}, i64 0")
                pair = f"insertelement {types[k]} %re{k}, {part} {given}{n + 1}, i64 1"
            lines += [f"%pair{k} = {pair}", f"store {types[k]} %pair{k}, ptr %place{k}"]
        else:
            lines.append(f"store {types[k]} {given}{n}, ptr %place{k}")
        n += len(flat(c))
    for k, c in enumerate(characters):
        lines += [
            f"%table{k} = getelementptr ptr, ptr %table, i64 {k}",
            f"store ptr %place{k}, ptr %table{k}",
            f"%steps{k} = getelementptr i64, ptr %steps, i64 {k}",
            f"store i64 {sum(map(_bytes, flat(c)))}, ptr %steps{k}",
        ]
    data = f'@"{loop.symbol}.data"' if loop.data else "null"
    lines.append(f'call void @"{loop.symbol}"(ptr %table, ptr %count, ptr %steps, ptr {data})')
    n = 0
    for k, c in enumerate(loop.results, first):
        if c not in PARTS:
            lines.append(f"%out{n} = load {types[k]}, ptr %place{k}")
            n += 1
            continue
        lines.append(f"%pair{k} = load {types[k]}, ptr %place{k}")
        for j in range(2):
            if lanes > 1:
                order = _order(range(j, 2 * lanes, 2))
                lines.append(f"%out{n} = shufflevector {types[k]} %pair{k}, {types[k]} poison, {order}")
            else:
                lines.append(f"%out{n} = extractelement {types[k]} %pair{k}, i64 {j}")
            n += 1
    return lines


def _order(numbers: Sequence[int]) -> str:
    return f"<{len(numbers)} x i32> <{', '.join(f'i32 {n}' for n in numbers)}>"
