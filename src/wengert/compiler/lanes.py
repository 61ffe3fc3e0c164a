"""Scans, positions of extrema, and searching: serial work along one axis, for each lane of the other axes.

Results are NumPy's: sums and products are added up from the first element to the last, and the first NaN is the largest
and the smallest element. `LaneWriter` is also the base of what sorts lanes (`wengert.compiler.sorting`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

from llvmlite import ir

from wengert.compiler import ordering, parallel
from wengert.compiler.frame import Memory, Unit, begin, hand_on
from wengert.compiler.lowering import Emitter, Register, llvm_type, memory_type
from wengert.compiler.ordering import common_dtype, has_native_form, is_before, is_better, search
from wengert.compiler.sequential import Sequential
from wengert.core.program import Literal, Operation, Variable
from wengert.core.values import ArrayType
from wengert.rules import reductions

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
#: Bytes of the vectors of candidates for an extremum, the number of vectors in a block, and the length from which it is
#: looked for like this.
_VECTOR_BYTES = 128
_ROWS = 8
_LONG = 256


def is_native(op: Operation) -> bool:
    """Whether a loop over lanes does an operation."""
    return has_native_form(op) and max(op.inputs[0].type.shape) < 1 << 31  # type: ignore[union-attr]


class LaneWriter:
    """Writes one operation as an LLVM function ``void name(pointers of operands…, pointer of the result, status)``.

    Attributes
    ----------
    x, out : Memory
        The (first) operand, and the result.
    outer, length, inner : int
        The number of positions on the axes before, the length of the axis, and the number of positions on those after.
    """

    outer: int
    length: int
    inner: int
    #: For each unit of work, roughly.
    nanoseconds = 1.0

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.leaves = list(dict.fromkeys(a for a in operation.inputs if isinstance(a, Variable)))
        self.results = list(operation.outputs)
        self.function: Any = None
        self.builder: Any = None

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        (a, *_), (result,) = self.operation.inputs, self.results
        assert isinstance(a, Variable)
        # Equal work is written once.
        name, known = f"lanes.{self._signature()}", unit.module.globals
        self.function = known.get(f"{name}.threads") or known.get(name)
        if self.function is not None:
            return
        shape = a.type.shape
        axis = self.operation.params.get("axis", -1) % len(shape)
        self.outer, self.length, self.inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        parts = self.parts(result.type)
        split = parallel.choose_split((parts,), self.nanoseconds * ordering.work(self.operation))
        variables = (*self.leaves, result)
        self.function, self.builder, self.frame, self.pointers = begin(unit, name, variables, split=split is not None)
        self.writer = Sequential(Emitter(self.builder, unit.scalar_library), self.frame)
        self.x = Memory(self.pointers[a], a.type, False)
        self.out = Memory(self.pointers[result], result.type, True)
        status, *part = self.function.args[len(variables) :]
        self.part = part or [ir.Constant(_I64, 0), ir.Constant(_I64, parts)]
        if 0 not in result.type.shape:
            self.emit()
        if split is None:
            self.frame.finish()
        else:
            self.frame.finish(lambda builder: hand_on(builder, self.frame.status, status))
            self.function = parallel.write_launcher(unit.module, self.function, split)

    def _signature(self) -> str:
        """A digest of all that the function depends on."""
        op = self.operation
        operands = [
            (self.leaves.index(a), a.type) if isinstance(a, Variable) else (type(a.value), a.value) for a in op.inputs
        ]
        text = repr((op.primitive.name, sorted(op.params.items()), operands, op.outputs[0].type))
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def emit(self) -> None:
        """Emit the body of the function, for results that are not empty."""
        raise NotImplementedError

    def parts(self, result: ArrayType) -> int:
        """What can be shared by threads."""
        return self.outer

    def shared(self) -> Iterator[Register]:
        """Emit a loop over the part of that which is to be done here."""
        return self.writer.counting(*self.part)

    def count(self, low: int, high: int) -> Iterator[Register]:
        """Emit a counted loop around what the caller emits while this generator is suspended."""
        if high - low == 1:
            yield ir.Constant(_I64, low)
        else:
            yield from self.writer.counting(ir.Constant(_I64, low), ir.Constant(_I64, high))

    def times(self, i: Register, n: int) -> Register:
        """A multiple."""
        return self.builder.mul(i, ir.Constant(_I64, n), flags=("nsw",))

    def load(self, offset: Register) -> Register:
        """An element of the operand; truth values as bytes."""
        return self.builder.load(self.builder.gep(self.x.pointer, [offset], inbounds=True))

    def lanes(self) -> Iterator[tuple[Register, Register]]:
        """Emit loops over the lanes: the offset of the first element of each, and the number of the lane."""
        b = self.builder
        for o in self.shared():
            for j in self.count(0, self.inner):
                yield b.add(self.times(o, self.length * self.inner), j), b.add(self.times(o, self.inner), j)


class ScanWriter(LaneWriter):
    """Sums or products of all elements up to each one."""

    def emit(self) -> None:
        """Emit the body of the function."""
        b, writer, to = self.builder, self.writer, self.out.type.dtype
        add, multiply = (b.fadd, b.fmul) if to.kind == "f" else (b.add, b.mul)
        combine = add if self.operation.primitive is reductions.cumsum else multiply

        def operand(offset: Register) -> Register:
            return writer.em.convert(writer.load(self.x, offset), self.x.type.dtype, to)

        if self.inner == 1:
            total = self.frame.slot(llvm_type(to))
            for lane, _ in self.lanes():
                first = operand(lane)
                b.store(first, total)
                writer.store(self.out, lane, first)
                for i in self.count(1, self.length):
                    offset = b.add(lane, i)
                    value = combine(b.load(total), operand(offset))
                    b.store(value, total)
                    writer.store(self.out, offset, value)
            return
        for o in self.shared():  # many lanes at once: each row and the one before it
            start = self.times(o, self.length * self.inner)
            for j in self.count(0, self.inner):
                offset = b.add(start, j)
                writer.store(self.out, offset, operand(offset))
            for i in self.count(1, self.length):
                row = b.add(start, self.times(i, self.inner))
                for j in self.count(0, self.inner):
                    offset = b.add(row, j)
                    before = writer.load(self.out, b.sub(offset, ir.Constant(_I64, self.inner)))
                    writer.store(self.out, offset, combine(before, operand(offset)))


class ExtremumWriter(LaneWriter):
    """Positions of the largest or smallest elements."""

    nanoseconds = 0.3

    def emit(self) -> None:
        """Emit the body of the function."""
        self.dtype, self.largest = self.x.type.dtype, self.operation.primitive is reductions.argmax
        if self.inner > 1:
            self._in_rows()
            return
        b = self.builder
        value, position = self.frame.slot(memory_type(self.dtype)), self.frame.slot(_I64)
        for lane, number in self.lanes():
            if self.length >= _LONG:
                self._by_vectors(lane, value, position)
            else:
                b.store(self.load(lane), value)
                b.store(ir.Constant(_I64, 0), position)
                for i in self.count(1, self.length):
                    new, old = self.load(b.add(lane, i)), b.load(value)
                    found = self._is_better(new, old)
                    b.store(b.select(found, new, old), value)
                    b.store(b.select(found, i, b.load(position)), position)
            self.writer.store(self.out, number, b.load(position))

    def _is_better(self, new: Register, old: Register) -> Register:
        return is_better(self.builder, self.dtype, self.largest, new, old)

    def _in_rows(self) -> None:
        """Many lanes at once: each row and the best elements so far."""
        b = self.builder
        best = self.frame.allocate(b, ArrayType((self.inner,), self.dtype))
        for o in self.shared():
            start, result = self.times(o, self.length * self.inner), self.times(o, self.inner)
            for j in self.count(0, self.inner):
                b.store(self.load(b.add(start, j)), b.gep(best.pointer, [j], inbounds=True))
                self.writer.store(self.out, b.add(result, j), ir.Constant(_I64, 0))
            for i in self.count(1, self.length):
                row = b.add(start, self.times(i, self.inner))
                for j in self.count(0, self.inner):
                    new, own = self.load(b.add(row, j)), b.add(result, j)
                    place = b.gep(best.pointer, [j], inbounds=True)
                    old = b.load(place)
                    found = self._is_better(new, old)
                    b.store(b.select(found, new, old), place)
                    self.writer.store(self.out, own, b.select(found, i, self.writer.load(self.out, own)))

    def _by_vectors(self, lane: Register, value: Register, position: Register) -> None:
        """Find the extremum of a lane, in blocks of which the last one may overlap with the one before.

        For each element of a vector, the best one of all blocks and the start of its block are kept; the place in the
        block is looked for in the end.
        """
        b, is_float = self.builder, self.dtype.kind == "f"
        count = _VECTOR_BYTES // max(4, self.dtype.itemsize)
        vector, words = ir.VectorType(memory_type(self.dtype), count), ir.VectorType(_I32, count)
        size = count * _ROWS
        last = ir.Constant(_I64, self.length - size)

        def load(offset: Register) -> Register:
            place = b.bitcast(b.gep(self.x.pointer, [offset], inbounds=True), vector.as_pointer())
            return b.load(place, align=self.dtype.itemsize)

        best, where, own = self.frame.slot(vector), self.frame.slot(words), self.frame.slot(vector)
        invalid = self.frame.slot(ir.VectorType(_I1, count))  # where there are NaNs in the block
        b.store(load(lane), best)
        b.store(ir.Constant(words, None), where)
        for k in self.count(0, -(-self.length // size)):
            start = self.times(k, size)
            start = b.select(b.icmp_signed("<", start, last), start, last)
            row = b.add(lane, start)
            b.store(load(row), own)
            if is_float:
                b.store(b.fcmp_unordered("uno", b.load(own), b.load(own)), invalid)
            for i in self.count(1, _ROWS):
                new, old = load(b.add(row, self.times(i, count))), b.load(own)
                if is_float:
                    found = b.fcmp_ordered(">" if self.largest else "<", new, old)
                    b.store(b.or_(b.load(invalid), b.fcmp_unordered("uno", new, new)), invalid)
                else:
                    found = self._is_better(new, old)
                b.store(b.select(found, new, old), own)
            new, old = b.load(own), b.load(best)
            if is_float:
                new = b.select(b.load(invalid), ir.Constant(vector, [float("nan")] * count), new)
            found = self._is_better(new, old)
            b.store(b.select(found, new, old), best)
            undefined = ir.Constant(words, ir.Undefined)
            number = b.insert_element(undefined, b.trunc(start, _I32), ir.Constant(_I32, 0))
            number = b.shuffle_vector(number, undefined, ir.Constant(words, None))
            b.store(b.select(found, number, b.load(where)), where)
        candidates = []
        for slot in (best, where):
            copy = self.frame.slot(slot.type.pointee)
            b.store(b.load(slot), copy)
            candidates.append(b.bitcast(copy, slot.type.pointee.element.as_pointer()))
        for k in self.count(0, count):  # the best one of them; of equal ones, that of the first block
            new, number = (b.load(b.gep(p, [k], inbounds=True)) for p in candidates)
            block = b.zext(number, _I64)
            old, before = b.load(value), b.load(position)
            tied = b.and_(b.not_(self._is_better(old, new)), b.icmp_signed("<", block, before))
            taken = b.or_(b.icmp_signed("==", k, ir.Constant(_I64, 0)), b.or_(self._is_better(new, old), tied))
            b.store(b.select(taken, new, old), value)
            b.store(b.select(taken, block, before), position)
        self._go_to(lane, b.load(value), position)

    def _go_to(self, lane: Register, value: Register, position: Register) -> None:
        """Increase a position to that of the next element that is equal to a value."""
        b = self.builder
        look, following, done = (b.append_basic_block(name) for name in ("look", "following", "done"))
        b.branch(look)
        b.position_at_end(look)
        place = b.load(position)
        x = self.load(b.add(lane, place))
        if self.dtype.kind == "f":
            both = b.and_(b.fcmp_unordered("uno", x, x), b.fcmp_unordered("uno", value, value))
            found = b.or_(b.fcmp_ordered("==", x, value), both)
        else:
            found = b.icmp_unsigned("==", x, value)
        b.cbranch(found, done, following)
        b.position_at_end(following)
        b.store(b.add(place, ir.Constant(_I64, 1)), position)
        b.branch(look)
        b.position_at_end(done)


class SearchWriter(LaneWriter):
    """Places in sorted arrays."""

    nanoseconds = 1.5

    def parts(self, result: ArrayType) -> int:
        """The places are found one by one."""
        return math.prod(result.shape)

    def emit(self) -> None:
        """Emit the body of the function."""
        b, writer, em = self.builder, self.writer, self.writer.em
        wanted, side, dtype = self.operation.inputs[1], self.operation.params["side"], common_dtype(self.operation)
        each = ir.Constant(_I64, math.prod(self.out.type.shape[self.operation.params.get("batch", 0) :]))
        for i in self.shared():
            lane = ir.Constant(_I64, 0) if self.outer == 1 else self.times(b.sdiv(i, each), self.length)
            if isinstance(wanted, Literal):
                v = em.constant(wanted.value, dtype)
            else:
                own = Memory(self.pointers[wanted], wanted.type, False)
                v = em.convert(writer.load(own, i), wanted.type.dtype, dtype)

            def before(k: Register, lane: Register = lane, v: Register = v) -> Register:
                a = em.convert(writer.load(self.x, b.add(lane, k)), self.x.type.dtype, dtype)
                return is_before(b, dtype, side, a, v)

            writer.store(self.out, i, search(b, self.length, before))
