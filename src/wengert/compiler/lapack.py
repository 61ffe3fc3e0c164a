"""Linear systems and factorisations as calls of LAPACK from native code, through the pointers that SciPy exports.

LAPACK stores matrices by columns, NumPy by rows: what is written here works on the transposes. The Cholesky factor U of
Uᵀ U in columns is L = Uᵀ in rows; A X = B is Xᵀ Aᵀ = Bᵀ; and the inverse of the transpose is the transpose of the
inverse. Stacks of matrices, products of such stacks among them, are done one after the other. A matrix that has no
factor or inverse ends the call with a status, from which `numpy.linalg.LinAlgError` is made.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import scipy.linalg.cython_blas as cython_blas
import scipy.linalg.cython_lapack as cython_lapack
from llvmlite import ir

from wengert.compiler import capsules
from wengert.compiler.frame import FIRST_OPERATION, Memory, Unit, begin
from wengert.compiler.lowering import Emitter, Register, memory_type
from wengert.compiler.sequential import Sequential
from wengert.core.program import Operation, Variable
from wengert.core.values import ArrayType
from wengert.rules import contraction, determinants, linalg

_I8P = ir.IntType(8).as_pointer()
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_LETTERS = {"f8": "d", "f4": "s", "c16": "z", "c8": "c"}
_LAPACK = ("potrf", "getrf", "getrs", "getri")
_PRIMITIVES = (
    contraction.matmul,
    linalg.cholesky,
    linalg.solve_triangular,
    linalg.solve,
    linalg.inverse,
    determinants.slogdet,
    determinants.nonsingular_det,
)
_SCALARS = (determinants.slogdet, determinants.nonsingular_det)
_WORK = 64  # columns of the work space of the inverse: LAPACK's block size


@functools.cache
def symbols() -> dict[str, int]:
    """Addresses of the routines by the names under which compiled code calls them."""
    libraries = dict.fromkeys(_LAPACK, cython_lapack) | dict.fromkeys(("trsm", "gemm"), cython_blas)
    return {
        f"wengert.lapack.{letter}{name}": capsules.address(letter + name, library)
        for letter in _LETTERS.values()
        for name, library in libraries.items()
        if letter in "ds" or name == "trsm"
    }


def is_native(op: Operation) -> bool:
    """Whether an operation is one of those that are done here."""
    if op.primitive not in _PRIMITIVES or not all(isinstance(a, Variable) for a in op.inputs):
        return False
    types = [a.type for a in (*op.inputs, *op.outputs)]  # type: ignore[union-attr]
    dtype = types[0].dtype
    if dtype.str[1:] not in _LETTERS or not dtype.isnative or any(t.dtype != dtype or 0 in t.shape for t in types):
        return False
    if dtype.kind == "c" and op.primitive is not linalg.solve_triangular:
        return False
    if op.primitive is contraction.matmul:
        x, y, out = types
        return (
            len(out.shape) > 2
            and len(x.shape) >= 2 <= len(y.shape)
            and {x.shape[:-2], y.shape[:-2]} <= {out.shape[:-2], ()}
        )
    stacks = {t.shape[:-2] for t in types[: len(op.inputs)]}
    return stacks == {op.outputs[0].type.shape if op.primitive in _SCALARS else op.outputs[0].type.shape[:-2]}


class LapackWriter:
    """Writes one operation as an LLVM function ``void name(pointers of operands…, pointer of the result, status)``."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.leaves: list[Any] = list(dict.fromkeys(operation.inputs))
        self.results = list(operation.outputs)
        self.function: Any = None

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        op: Any = self.operation
        self.function, builder, self.frame, pointers = begin(unit, name, (*self.leaves, *self.results), noalias=False)
        writer = self.writer = Sequential(Emitter(builder, unit.scalar_library), self.frame)
        out = op.outputs[0]
        self.number = memory_type(out.type.dtype)
        self.dtype = out.type.dtype
        self.parts = 2 if self.dtype.kind == "c" else 1  # numbers in memory that an element consists of
        self.size = op.inputs[0].type.shape[-1]
        self.em = writer.em
        stack = math.prod(out.type.shape if op.primitive in _SCALARS else out.type.shape[:-2])
        for i in writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, stack)):
            if op.primitive in _SCALARS:
                self._determinant(self._matrix(pointers[op.inputs[0]], op.inputs[0].type, i), pointers, i)
                continue
            matrices = [self._matrix(pointers[v], v.type, i) for v in (*op.inputs, out)]
            if op.primitive is contraction.matmul:
                self._product(*matrices)
            elif op.primitive is linalg.cholesky:
                self._cholesky(*matrices)
            elif op.primitive is linalg.solve_triangular:
                self._solve_triangular(*matrices, **op.params)
            elif op.primitive is linalg.solve:
                self._solve(*matrices)
            else:
                self._inverse(*matrices, **op.params)
        self.frame.finish()

    def _matrix(self, pointer: Register, type_: ArrayType, i: Register) -> Memory:
        """Matrix i of a stack."""
        shape = type_.shape[-2:]
        b = self.writer.builder
        offset = b.mul(i, ir.Constant(_I64, math.prod(shape) * self.parts if len(type_.shape) > 2 else 0))
        return Memory(b.gep(pointer, [offset], inbounds=True), ArrayType(shape, type_.dtype), True)

    def _product(self, x: Memory, y: Memory, out: Memory) -> None:
        (rows, inner), columns = x.type.shape, y.type.shape[1]
        sizes = columns, rows, inner
        self._call("gemm", "N", "N", *sizes, 1.0, y, columns, x, inner, 0.0, out, columns, with_info=False)

    def _determinant(self, a: Memory, pointers: dict[Variable, Register], i: Register) -> None:
        """By the logarithms of the pivots, as NumPy does it."""
        writer, b, n, one = self.writer, self.writer.builder, self.size, ir.Constant(_I64, 1)
        factors, pivots, info = self._factors(a)
        zero, minus = ir.Constant(self.number, 0.0), ir.Constant(self.number, -1.0)
        sign, log = self.frame.slot(self.number), self.frame.slot(self.number)
        b.store(ir.Constant(self.number, 1.0), sign)
        b.store(zero, log)
        for k in writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, n)):
            pivot = writer.load(factors, b.mul(k, ir.Constant(_I64, n + 1)))
            own_row = b.icmp_signed("==", b.sext(writer.load(pivots, k), _I64), b.add(k, one))
            turned = b.xor(b.fcmp_ordered("<", pivot, zero), b.not_(own_row))
            b.store(b.fmul(b.load(sign), b.select(turned, minus, ir.Constant(self.number, 1.0))), sign)
            b.store(b.fadd(b.load(log), self.em.math("log", self.em.math("absolute", pivot))), log)
        failed = b.icmp_signed(">", info, ir.Constant(_I32, 0))
        nan = self._nan_unless_finite(a)
        s = b.select(b.and_(failed, b.fcmp_ordered("==", nan, zero)), zero, b.load(sign))
        logarithm = b.fadd(b.select(failed, ir.Constant(self.number, float("-inf")), b.load(log)), nan)
        if self.operation.primitive is determinants.slogdet:
            results = [s, logarithm]
        else:
            results = [b.fmul(s, self.em.math("exp", logarithm))]
        for v, value in zip(self.results, results, strict=True):
            writer.store(Memory(pointers[v], v.type, True), i, value)

    def _nan_unless_finite(self, a: Memory) -> Register:
        """0, or NaN if the matrix has elements that are infinite or NaN."""
        writer, b = self.writer, self.writer.builder
        total = self.frame.slot(self.number)
        b.store(ir.Constant(self.number, 0.0), total)
        for k in writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, math.prod(a.type.shape))):
            x = writer.load(a, k)
            b.store(b.fadd(b.load(total), b.fsub(x, x)), total)
        return b.load(total)

    def _cholesky(self, a: Memory, out: Memory) -> None:
        writer, b, n = self.writer, self.writer.builder, self.size
        writer.in_memory(a, a.type, out)
        self._stop_if_failed(self._call("potrf", "U", n, out, n))
        zero, length = ir.Constant(_I64, 0), ir.Constant(_I64, n)
        for row in writer.counting(zero, length):  # LAPACK leaves the other triangle as it was
            for column in writer.counting(b.add(row, ir.Constant(_I64, 1)), length):
                writer.store(out, b.add(b.mul(row, length), column), self.dtype.type(0))

    def _solve_triangular(self, a: Memory, y: Memory, out: Memory, *, lower: bool, unit_diagonal: bool = False) -> None:
        writer, b, n = self.writer, self.writer.builder, self.size
        if not unit_diagonal:
            for i in writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, n)):
                first = b.mul(i, ir.Constant(_I64, (n + 1) * self.parts))
                pivots = [writer.load(a, b.add(first, ir.Constant(_I64, k))) for k in range(self.parts)]
                zeros = [b.fcmp_ordered("==", x, ir.Constant(self.number, 0.0)) for x in pivots]
                self._stop_if(functools.reduce(b.and_, zeros))
        writer.in_memory(y, y.type, out)
        columns = y.type.shape[1]
        letters = ("R", "U" if lower else "L", "N", "U" if unit_diagonal else "N")
        self._call("trsm", *letters, columns, n, 1.0, a, n, out, columns, with_info=False)

    def _solve(self, a: Memory, y: Memory, out: Memory) -> None:
        writer, b, n = self.writer, self.writer.builder, self.size
        factors, pivots, info = self._factors(a)
        self._stop_if_failed(info)
        columns = y.type.shape[1]
        if columns == 1:
            writer.in_memory(y, y.type, out)
            self._call("getrs", "T", n, 1, factors, n, pivots, out, n)
            return
        turned = self.frame.allocate(b, ArrayType((columns, n), self.dtype))
        self._transpose(y, turned)
        self._call("getrs", "T", n, columns, factors, n, pivots, turned, n)
        self._transpose(turned, out)

    def _inverse(self, a: Memory, out: Memory, *, check: bool) -> None:
        writer, b, n = self.writer, self.writer.builder, self.size
        writer.in_memory(a, a.type, out)
        pivots = self.frame.allocate(b, ArrayType((n,), np.dtype(np.int32)))
        failed = b.icmp_signed("!=", self._call("getrf", n, n, out, n, pivots), ir.Constant(_I32, 0))
        if check:
            self._stop_if(failed)
        work = self.frame.allocate(b, ArrayType((_WORK * n,), self.dtype))
        self._call("getri", n, out, n, pivots, work, _WORK * n)
        if not check:
            with b.if_then(failed):
                for i in writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, n * n)):
                    writer.store(out, i, self.dtype.type(np.nan))

    def _factors(self, a: Memory) -> tuple[Memory, Memory, Register]:
        """The triangular factors of the transpose, the exchanges of rows, and whether a pivot is 0."""
        b, n = self.writer.builder, self.size
        factors = self.frame.allocate(b, a.type)
        pivots = self.frame.allocate(b, ArrayType((n,), np.dtype(np.int32)))
        self.writer.in_memory(a, a.type, factors)
        return factors, pivots, self._call("getrf", n, n, factors, n, pivots)

    def _transpose(self, x: Memory, out: Memory) -> None:
        writer, b = self.writer, self.writer.builder
        rows, columns = x.type.shape
        for i in writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, rows)):
            for j in writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, columns)):
                value = writer.load(x, b.add(b.mul(i, ir.Constant(_I64, columns)), j))
                writer.store(out, b.add(b.mul(j, ir.Constant(_I64, rows)), i), value)

    def _stop_if_failed(self, info: Register) -> None:
        self._stop_if(self.writer.builder.icmp_signed("!=", info, ir.Constant(_I32, 0)))

    def _stop_if(self, failed: Register) -> None:
        number = self.frame.numbers[id(self.operation)]
        self.frame.stop_if(self.writer.builder, failed, FIRST_OPERATION + number)

    def _call(self, name: str, *args: Any, with_info: bool = True) -> Register:
        """Call a routine, which takes everything by address: letters, integers, numbers, arrays; return its `info`."""
        b, frame = self.writer.builder, self.frame
        passed: list[Any] = []
        for x in args:
            if isinstance(x, Memory):
                passed.append(b.bitcast(x.pointer, _I8P))
                continue
            if isinstance(x, str):
                value = ir.Constant(ir.IntType(8), ord(x))
            else:
                value = ir.Constant(_I32, x) if isinstance(x, int) else ir.Constant(self.number, x)
            slot = frame.slot(value.type, 2)
            b.store(value, slot)
            if isinstance(x, float) and self.parts == 2:
                b.store(ir.Constant(self.number, 0.0), b.gep(slot, [ir.Constant(_I64, 1)]))
            passed.append(b.bitcast(slot, _I8P))
        info = frame.slot(_I32)
        if with_info:
            passed.append(b.bitcast(info, _I8P))
        symbol = f"wengert.lapack.{_LETTERS[self.dtype.str[1:]]}{name}"
        signature = ir.FunctionType(ir.VoidType(), [_I8P] * len(passed))
        routine = frame.module.globals.get(symbol) or ir.Function(frame.module, signature, symbol)
        b.call(routine, passed)
        return b.load(info) if with_info else ir.Constant(_I32, 0)
