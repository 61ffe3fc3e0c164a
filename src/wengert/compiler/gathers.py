"""Reading and writing by arrays of indices, by indices that are computed, and writing to slices with steps.

All of it is a loop over the selected elements.

Indices count from the end if they are negative, and are checked; one out of range ends the call with a status, from
which `wengert.compiler.frame.describe_problem` makes an `IndexError`. Elements are written one after the other in
C order, so that of several writes to one place the last one stays, as in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.frame import Memory, Uniform, Unit, begin
from wengert.compiler.lowering import Emitter, Register, is_lowerable_dtype
from wengert.compiler.sequential import Sequential
from wengert.compiler.writes import full_spec
from wengert.core.program import Literal, Operation, Variable
from wengert.core.values import ArrayType, dtype_of, shape_of
from wengert.rules import elementwise as e
from wengert.rules import indexing

_I64 = ir.IntType(64)


def is_native(op: Operation) -> bool:
    """Whether reading or writing by index has a form of this kind."""
    if op.primitive is indexing.last_writers:
        dtypes = [dtype_of(a.value) if isinstance(a, Literal) else a.type.dtype for a in op.inputs]
        return all(is_lowerable_dtype(d) and d.kind in "iu" for d in dtypes)
    if op.primitive not in (indexing.index, indexing.index_add, indexing.index_update):
        return False
    split = 1 if op.primitive is indexing.index else 2
    base = op.inputs[0]
    dtypes = [dtype_of(a.value) if isinstance(a, Literal) else a.type.dtype for a in op.inputs]
    return (
        isinstance(base, Variable)
        and base.type.dtype == op.outputs[0].type.dtype
        and all(map(is_lowerable_dtype, dtypes))
        and all(d.kind in "iu" for d in dtypes[split:])
    )


class IndexWriter:
    """Writes one operation as an LLVM function ``void name(pointers of operands…, pointer of the result, status)``.

    `over` says that the result begins in the memory of the first operand.
    """

    def __init__(self, operation: Operation, over: dict[Variable, Variable]) -> None:
        self.operation = operation
        self.in_place = bool(over)
        variables = dict.fromkeys(a for a in operation.inputs if isinstance(a, Variable))
        self.leaves = [v for v in variables if v not in over.values()]
        self.results = list(operation.outputs)
        self.function: Any = None

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        op = self.operation
        reads = op.primitive is indexing.index
        self.function, builder, frame, pointers = begin(unit, name, (*self.leaves, *self.results))
        writer = self.writer = Sequential(Emitter(builder, unit.scalar_library), frame)
        out = self.results[0]
        result = Memory(pointers[out], out.type, True)
        base_variable: Any = op.inputs[0]
        base = result if self.in_place else Memory(pointers[base_variable], base_variable.type, False)

        def operand(atom: Any) -> Any:
            if isinstance(atom, Literal):
                return Uniform(atom.value, ArrayType(shape_of(atom.value), dtype_of(atom.value)))
            return base if atom is base_variable else Memory(pointers[atom], atom.type, False)

        if not reads and not self.in_place:
            writer.in_memory(base, out.type, result)
        arrays = [operand(a) for a in op.inputs[1 if reads else 2 :]]
        value = None if reads else operand(op.inputs[1])
        selection = _Selection(op, base_variable.type.shape, [x.type.shape for x in arrays])
        self._nest(selection, [], None, (base, result, value, arrays))
        frame.finish()

    def _nest(self, selection: _Selection, at: list[Register], computed: Any, operands: tuple[Any, ...]) -> None:
        """Emit the loops over the axes of the selection from the next one on."""
        writer = self.writer
        base, result, value, arrays = operands
        if computed is None and len(at) == selection.last:
            computed = self._computed(selection, at, arrays)
        if len(at) < len(selection.shape):
            n = selection.shape[len(at)]
            if n == 1:
                self._nest(selection, [*at, ir.Constant(_I64, 0)], computed, operands)
                return
            for i in writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, n)):
                self._nest(selection, [*at, i], computed, operands)
            return
        b = writer.builder
        offset = computed
        for axis, start, step in selection.sliced:
            stride = selection.strides[selection.axis_of[axis]] * step
            offset = b.add(offset, b.mul(at[axis], ir.Constant(_I64, stride), flags=("nsw",)), flags=("nsw",))
            offset = b.add(
                offset, ir.Constant(_I64, start * selection.strides[selection.axis_of[axis]]), flags=("nsw",)
            )
        own = self._offset(at, selection.shape, selection.shape)
        if value is None:
            writer.store(result, own, writer.load(base, offset))
            return
        dtype = result.type.dtype
        shape = value.type.shape[max(0, len(value.type.shape) - len(selection.shape)) :]
        x = (
            value.element
            if isinstance(value, Uniform)
            else writer.load(value, self._offset(at, selection.shape, shape))
        )
        (x,) = writer.converted(_one(x), value.type.dtype, dtype)
        if self.operation.primitive is indexing.index_add:
            x = writer.element(e.add, (dtype, dtype), dtype, writer.load(result, offset), x)
        writer.store(result, offset, x)

    def _computed(self, selection: _Selection, at: Sequence[Register], arrays: Sequence[Any]) -> Register:
        """The part of the offset that the index arrays give, and that of fixed indices."""
        writer, b = self.writer, self.writer.builder
        total: Any = ir.Constant(_I64, selection.fixed)
        own = at[selection.first : selection.last]
        shape = selection.shape[selection.first : selection.last]
        for x, axis in zip(arrays, selection.indexed, strict=True):
            n = selection.base_shape[axis]
            i = x.element if isinstance(x, Uniform) else writer.load(x, self._offset(own, shape, x.type.shape))
            (i,) = writer.as_indices(_one(i), x.type.dtype)
            i = writer.checked(self.operation, i, n)
            register = i if isinstance(i, ir.values.Value) else ir.Constant(_I64, int(i))
            total = b.add(
                total, b.mul(register, ir.Constant(_I64, selection.strides[axis]), flags=("nsw",)), flags=("nsw",)
            )
        return total

    def _offset(self, at: Sequence[Register], space: Sequence[int], shape: Sequence[int]) -> Register:
        """Offset in an array of this shape, which is broadcast over a space, of its element at a place."""
        b = self.writer.builder
        total: Any = ir.Constant(_I64, 0)
        stride = 1
        for n, i in zip(reversed(shape), reversed(at), strict=False):
            if n != 1:
                term = i if stride == 1 else b.mul(i, ir.Constant(_I64, stride), flags=("nsw",))
                total = b.add(total, term, flags=("nsw",))
            stride *= n
        return total


class MaskWriter(IndexWriter):
    """Writes `last_writers`: all places are written to by the number of the writer, and then read."""

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        op, out = self.operation, self.results[0]
        self.function, builder, frame, pointers = begin(unit, name, (*self.leaves, out))
        self.writer = Sequential(Emitter(builder, unit.scalar_library), frame)
        self.mask = Memory(pointers[out], out.type, True)
        self.arrays = [
            Uniform(a.value, ArrayType(shape_of(a.value), dtype_of(a.value)))
            if isinstance(a, Literal)
            else Memory(pointers[a], a.type, False)
            for a in op.inputs
        ]
        shape: tuple[int, ...] = op.params["shape"]
        self.selection = _Selection(op, shape, [x.type.shape for x in self.arrays])
        self.writers = frame.allocate(builder, ArrayType((math.prod(shape),), np.dtype(np.int64)))
        self._mark([ir.Constant(_I64, 0)] * self.selection.first)
        self._compare([], None)
        frame.finish()

    def _number(self, at: Sequence[Register]) -> Register:
        shape = self.selection.shape[self.selection.first : self.selection.last]
        return self._offset(at[self.selection.first : self.selection.last], shape, shape)

    def _mark(self, at: list[Register]) -> None:
        """Emit the loops over the axes of the index arrays, from the next one on."""
        if len(at) < self.selection.last:
            n = ir.Constant(_I64, self.selection.shape[len(at)])
            for i in self.writer.counting(ir.Constant(_I64, 0), n):
                self._mark([*at, i])
            return
        self.writer.store(self.writers, self._computed(self.selection, at, self.arrays), self._number(at))

    def _compare(self, at: list[Register], last: Any) -> None:
        """Emit the loops over the axes of the selection, from the next one on."""
        writer, selection = self.writer, self.selection
        if len(at) == selection.last:
            writer_there = writer.load(self.writers, self._computed(selection, at, self.arrays))
            last = writer.builder.icmp_signed("==", writer_there, self._number(at))
        if len(at) < len(selection.shape):
            n = ir.Constant(_I64, selection.shape[len(at)])
            for i in writer.counting(ir.Constant(_I64, 0), n):
                self._compare([*at, i], last)
            return
        writer.store(self.mask, self._offset(at, selection.shape, selection.shape), last)


def index_writer(operation: Operation, over: dict[Variable, Variable]) -> IndexWriter:
    """What writes an operation of this kind."""
    return (MaskWriter if operation.primitive is indexing.last_writers else IndexWriter)(operation, over)


def _one(x: Any) -> Any:
    boxed = np.empty((), object)
    boxed[()] = x
    return boxed.reshape(1)


class _Selection:
    """The axes of what an index selects, and how they relate to those of the array.

    Attributes
    ----------
    shape : list of int
        Lengths of the axes of the selection.
    first, last : int
        Those from `first` up to `last` are the axes of the index arrays, broadcast against each other.
    sliced : list of (axis, start, step)
        The axes of the selection that run along an axis of the array, ``axis_of[axis]``.
    indexed : list of int
        The axes of the array that the index arrays choose from.
    fixed : int
        The part of the offset that comes from fixed indices.
    """

    def __init__(self, op: Operation, base_shape: tuple[int, ...], shapes: Sequence[tuple[int, ...]]) -> None:
        spec = op.params["spec"]
        before, _ = indexing.layout(spec, len(base_shape))
        common = np.broadcast_shapes(*shapes)
        self.base_shape = base_shape
        self.strides = [math.prod(base_shape[k + 1 :]) for k in range(len(base_shape))]
        self.indexed: list[int] = []
        self.fixed = 0
        others: list[tuple[int, int, int, int]] = []  # length, axis of the array, start, step
        axis = 0
        for s in full_spec(spec, len(base_shape)):
            if s is None:
                others.append((1, -1, 0, 0))
                continue
            if s is indexing.ARRAY:
                self.indexed.append(axis)
            elif isinstance(s, slice):
                numbers = range(base_shape[axis])[s]
                others.append((len(numbers), axis, numbers.start, numbers.step))
            else:
                self.fixed += (s % base_shape[axis]) * self.strides[axis]
            axis += 1
        self.first, self.last = before, before + len(common)
        self.shape = [n for n, *_ in others[:before]] + list(common) + [n for n, *_ in others[before:]]
        self.axis_of: dict[int, int] = {}
        self.sliced: list[tuple[int, int, int]] = []
        for k, (_, base_axis, start, step) in enumerate(others):
            place = k if k < before else k + len(common)
            if base_axis >= 0:
                self.axis_of[place] = base_axis
                self.sliced.append((place, start, step))
