"""Calls of the inner loops of NumPy's gufuncs: what `wengert.compiler.gufuncs` finds, written as LLVM functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler.frame import COMPLEX_RESULT, FIRST_OPERATION, Memory, Unit, begin
from wengert.compiler.gufuncs import LINEAR_ALGEBRA, ROWS, VALUES, Loop, factor, loops_of, values_loop
from wengert.compiler.lowering import Emitter, Register, memory_dtype, memory_type
from wengert.compiler.sequential import Sequential
from wengert.core.program import Operation, Variable
from wengert.core.values import ArrayType
from wengert.rules import decompositions

_I8P, _I32, _I64 = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)
_I64P = _I64.as_pointer()
_LOOP = ir.FunctionType(ir.VoidType(), [_I8P.as_pointer(), _I64P, _I64P, _I8P])
_FLAG_TYPES = {
    "wengert.clear_flags": ir.FunctionType(ir.VoidType(), []),
    "wengert.get_flags": ir.FunctionType(_I32, []),
}
_INVALID = 8  # NumPy's number for the flag


class _Array(NamedTuple):
    """An operand or result: its address, its lengths and strides in bytes, of which the last few are the gufunc's."""

    pointer: Register
    lengths: tuple[int, ...]
    strides: tuple[int, ...]
    axes: int


class GufuncWriter:
    """Writes one operation as an LLVM function ``void name(pointers of operands…, of results…, status)``.

    `needed` are the results that somebody reads.
    """

    def __init__(self, operation: Operation, needed: Collection[Variable]) -> None:
        self.operation = operation
        self.needed = needed
        self.leaves: list[Any] = list(dict.fromkeys(operation.inputs))
        self.results = list(operation.outputs)
        self.function: Any = None

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        op, self.name, self.constants = self.operation, name, 0
        self.function, self.builder, self.frame, pointers = begin(unit, name, (*self.leaves, *self.results))
        self.writer = Sequential(Emitter(self.builder, unit.scalar_library), self.frame)
        inputs = [Memory(pointers[v], v.type, False) for v in op.inputs]  # type: ignore[union-attr,index]
        outputs = [Memory(pointers[v], v.type, True) for v in self.results]
        loops = loops_of(op)
        assert loops is not None
        if op.primitive not in LINEAR_ALGEBRA:
            self._transform(loops[0], inputs[0], outputs[0])
            self.frame.finish()
            return
        values = values_loop(op)
        if values is not None:
            wanted = [k for k, v in enumerate(self.results) if v in self.needed]
            if wanted == [VALUES[op.primitive][1]]:
                loops, outputs = [values], [outputs[wanted[0]]]
        checked = any(row.checked for row in ROWS[op.primitive](op))
        if checked:
            self._flag("wengert.clear_flags")
        if op.primitive is decompositions.qr:
            self._qr(loops, inputs[0], *outputs)
        elif op.primitive is decompositions.eig:
            self._eig(loops[0], inputs[0], outputs)
        elif op.params.get("upper"):
            self._call(loops[0], [self._adjoint(inputs[0]), *map(self._array, outputs, loops[0].axes[1:])])
        else:
            self._call(loops[0], list(map(self._array, (*inputs, *outputs), loops[0].axes)))
        if checked:
            self._stop_if_invalid()
        self.frame.finish()

    # What differs from a plain call ----------------------------------------------------------------------------------

    def _transform(self, loop: Loop, x: Memory, out: Memory) -> None:
        axis = self.operation.params["axis"]
        real = memory_dtype(x.type.dtype)
        number = self._constant(memory_type(real), [float(factor(self.operation, real))])
        operand, result = (self._array(y, ("",), axis) for y in (x, out))
        self._call(loop, [operand, _Array(number, (), (), 0), result])

    def _qr(self, loops: Sequence[Loop], a: Memory, q: Memory, r: Memory) -> None:
        """LAPACK leaves the triangular factor, and what q is made from, in place of the matrix."""
        b, writer, shape = self.builder, self.writer, a.type.shape
        k = min(shape[-2:])
        both = writer.in_memory(a, a.type)
        scales = self.frame.allocate(b, ArrayType((*shape[:-2], k), a.type.dtype))
        self._call(loops[0], list(map(self._array, (both, scales), loops[0].axes)))
        self._call(loops[1], list(map(self._array, (both, scales, q), loops[1].axes)))
        parts = 2 if a.type.dtype.kind == "c" else 1
        width = shape[-1] * parts
        zero = ir.Constant(memory_type(a.type.dtype), 0.0)
        for s in self._count(math.prod(shape[:-2])):
            for i in self._count(k):
                below = self._times(i, parts)
                for j in self._count(width):
                    x = writer.load(both, b.add(self._times(s, shape[-2] * width), b.add(self._times(i, width), j)))
                    place = b.add(self._times(s, k * width), b.add(self._times(i, width), j))
                    writer.store(r, place, b.select(b.icmp_signed("<", j, below), zero, x))

    def _eig(self, loop: Loop, a: Memory, outputs: Sequence[Memory]) -> None:
        """Of a real matrix, real eigenvalues and vectors, if all of them are real; else the program stops.

        From NumPy 2.5 on they are always complex.
        """
        b, writer, number = self.builder, self.writer, FIRST_OPERATION + self.frame.numbers[id(self.operation)]
        for i in self._count(_parts(a.type)):
            x = writer.load(a, i)
            self.frame.stop_if(b, b.fcmp_unordered("!=", b.fsub(x, x), ir.Constant(x.type, 0.0)), number)
        if outputs[0].type.dtype.kind == "c":
            self._call(loop, list(map(self._array, (a, *outputs), loop.axes)))
            return
        whole = [self.frame.allocate(b, x.type._replace(dtype=np.dtype(complex))) for x in outputs]
        self._call(loop, list(map(self._array, (a, *whole), loop.axes)))
        self._stop_if_invalid()
        for k, (x, out) in enumerate(zip(whole, outputs, strict=True)):
            for i in self._count(_parts(out.type)):
                place = self._times(i, 2)
                if k == 0:
                    imaginary = writer.load(x, b.add(place, ir.Constant(_I64, 1)))
                    self.frame.stop_if(
                        b, b.fcmp_unordered("!=", imaginary, ir.Constant(imaginary.type, 0.0)), COMPLEX_RESULT - number
                    )
                writer.store(out, i, writer.load(x, place))

    def _adjoint(self, a: Memory) -> _Array:
        """The adjoint matrices: a copy, if they are complex, for the imaginary parts."""
        b, writer = self.builder, self.writer
        if a.type.dtype.kind == "c":
            conjugate = self.frame.allocate(b, a.type)
            for i in self._count(_parts(a.type) // 2):
                place = self._times(i, 2)
                writer.store(conjugate, place, writer.load(a, place))
                place = b.add(place, ir.Constant(_I64, 1))
                writer.store(conjugate, place, b.fneg(writer.load(a, place)))
            a = conjugate
        array = self._array(a, ("m", "m"))
        return array._replace(strides=(*array.strides[:-2], array.strides[-1], array.strides[-2]))

    # Calls -----------------------------------------------------------------------------------------------------------

    def _array(self, x: Memory, axes: Sequence[str], axis: int | None = None) -> _Array:
        """An array in memory, the last axes of which (or one that is given) are the gufunc's."""
        shape, size = x.type.shape, x.type.dtype.itemsize
        strides = [size * math.prod(shape[k + 1 :]) for k in range(len(shape))]
        order = list(range(len(shape)))
        if axis is not None:
            order.append(order.pop(axis))
        pointer = self.builder.bitcast(x.pointer, _I8P)
        return _Array(pointer, tuple(shape[k] for k in order), tuple(strides[k] for k in order), len(axes))

    def _call(self, loop: Loop, arrays: Sequence[_Array]) -> None:
        """Call an inner loop for all matrices or signals."""
        own = [len(a.lengths) - a.axes for a in arrays]
        outer = np.broadcast_shapes(*(a.lengths[:n] for a, n in zip(arrays, own, strict=True)))
        rows = []  # how far apart the items of each array are along an axis of the stack
        for a, n in zip(arrays, own, strict=True):
            padded = (0,) * (len(outer) - n) + tuple(
                s if length > 1 else 0 for length, s in zip(a.lengths[:n], a.strides[:n], strict=True)
            )
            rows.append(padded)
        axes: list[tuple[int, tuple[int, ...]]] = []
        for length, *steps in zip(outer, *rows, strict=True):
            if length == 1:
                continue
            if axes and all(s == t * length for s, t in zip(axes[-1][1], steps, strict=True)):
                axes[-1] = axes[-1][0] * length, tuple(steps)
            else:
                axes.append((length, tuple(steps)))
        count, steps = axes.pop() if axes else (1, (0,) * len(arrays))
        sizes: dict[str, int] = {}
        for a, n, names in zip(arrays, own, loop.axes, strict=True):
            sizes |= dict(zip(names, a.lengths[n:], strict=True))
        strides = [*steps, *(s for a, n in zip(arrays, own, strict=True) for s in a.strides[n:])]
        dimensions = self._constant(_I64, [count, *sizes.values()])
        table = self.frame.slot(_I8P, len(arrays))
        module = self.frame.module
        function = module.globals.get(loop.symbol) or ir.Function(module, _LOOP, loop.symbol)
        arguments = [table, dimensions, self._constant(_I64, strides), self._data(loop)]
        self._nest(axes, [a.pointer for a in arrays], table, lambda: self.builder.call(function, arguments))

    def _nest(
        self,
        axes: Sequence[tuple[int, tuple[int, ...]]],
        pointers: Sequence[Register],
        table: Register,
        call: Callable[[], Any],
    ) -> None:
        """Emit loops over axes of the stack around a call, which advances the pointers in its table."""
        b = self.builder
        if not axes:
            for k, pointer in enumerate(pointers):
                b.store(pointer, b.gep(table, [ir.Constant(_I64, k)]))
            call()
            return
        length, steps = axes[0]
        for i in self._count(length):
            moved = [b.gep(p, [self._times(i, s)]) for p, s in zip(pointers, steps, strict=True)]
            self._nest(axes[1:], moved, table, call)

    def _data(self, loop: Loop) -> Register:
        """What the inner loop is passed besides."""
        if not loop.data:
            return ir.Constant(_I8P, None)
        module, name = self.frame.module, f"{loop.symbol}.data"
        return module.globals.get(name) or ir.GlobalVariable(module, ir.IntType(8), name)

    def _constant(self, type_: Any, numbers: Sequence[float]) -> Register:
        """The address of numbers in memory."""
        array = ir.ArrayType(type_, len(numbers))
        variable: Any = ir.GlobalVariable(self.frame.module, array, f"{self.name}.numbers{self.constants}")
        self.constants += 1
        variable.linkage, variable.global_constant = "internal", True
        variable.initializer = ir.Constant(array, list(numbers))
        return self.builder.bitcast(variable, _I64P if type_ is _I64 else _I8P)

    def _flag(self, name: str) -> Register:
        module = self.frame.module
        return self.builder.call(module.globals.get(name) or ir.Function(module, _FLAG_TYPES[name], name), [])

    def _stop_if_invalid(self) -> None:
        b = self.builder
        invalid = b.and_(self._flag("wengert.get_flags"), ir.Constant(_I32, _INVALID))
        number = FIRST_OPERATION + self.frame.numbers[id(self.operation)]
        self.frame.stop_if(b, b.icmp_signed("!=", invalid, ir.Constant(_I32, 0)), number)

    def _count(self, high: int) -> Any:
        return self.writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, high))

    def _times(self, i: Register, n: int) -> Register:
        b: Any = self.builder
        return b.mul(i, ir.Constant(_I64, n), flags=("nsw",))


def _parts(type_: ArrayType) -> int:
    """How many real numbers an array consists of."""
    return math.prod(type_.shape) * (2 if type_.dtype.kind == "c" else 1)
