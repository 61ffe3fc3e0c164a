"""Sorting along an axis, for each lane of the other axes: `argsort`, which is always stable, and `argpartition`.

Sorted are pairs of a key, an unsigned integer that is ordered as the elements are, and a position: by insertion if
there are few, else by counting digits, the last digit first (H. H. Seward, "Information sorting in the application of
electronic digital computers to business operations", MIT 1954; D. E. Knuth, "The Art of Computer Programming", volume
3, section 5.2.5). Digits that all keys have in common are skipped, so that small integers are sorted fast. To put one
or two elements of a long lane in their places, their keys are found digit by digit, the first digit first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.lanes import ExtremumWriter, LaneWriter, ScanWriter, SearchWriter
from wengert.compiler.lowering import Register
from wengert.compiler.ordering import sort_key
from wengert.core.primitive import Primitive
from wengert.core.program import Operation
from wengert.core.values import ArrayType
from wengert.rules import reductions

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
#: Longest lane that is sorted by insertion, and longest one with digits of 8 bits instead of 11.
_INSERTION = 32
_SHORT_DIGITS = 6000
#: A few elements are looked for, instead of sorting all, in lanes longer than this.
_SELECTION = 3000


class OrderWriter(LaneWriter):
    """Positions in sorted order."""

    nanoseconds = 0.5

    def emit(self) -> None:
        """Emit the body of the function."""
        b, n = self.builder, self.length
        self.dtype = self.x.type.dtype
        bits = self.dtype.itemsize * 8
        self.key_type = ir.IntType(bits)
        self.width = min(8 if n <= _SHORT_DIGITS else 11, bits)  # of a digit
        self.digits = -(-bits // self.width)
        kth = sorted(set(self.operation.params.get("kth", ())))
        selects = 0 < len(kth) <= 2 and n > _SELECTION
        sort: Callable[[Register], Register]
        if selects:
            sort = lambda lane: self._select(lane, kth)
        else:
            sort = self._insert if n <= _INSERTION else self._count_digits
        self.buffers = [
            (self._array(n, f"u{bits // 8}"), self._array(n, "i4"))
            for _ in range(1 if selects or n <= _INSERTION else 2)
        ]
        self.counts = self._array((1 if selects else self.digits) << self.width, "i4") if n > _INSERTION else None
        for lane, number in self.lanes():
            positions = sort(lane)
            if self.inner == 1:
                target = lane
            else:
                inner = ir.Constant(_I64, self.inner)
                target = b.add(self.times(b.sdiv(number, inner), n * self.inner), b.srem(number, inner))
            for i in self.count(0, n):
                position = b.load(b.gep(positions, [i], inbounds=True))
                self.writer.store(self.out, b.add(target, self.times(i, self.inner)), b.sext(position, _I64))

    def _array(self, n: int, dtype: str) -> Register:
        return self.frame.allocate(self.builder, ArrayType((n,), np.dtype(dtype))).pointer

    def _key(self, lane: Register, i: Register) -> Register:
        """The key of an element of a lane."""
        return sort_key(self.builder, self.load(self.builder.add(lane, self.times(i, self.inner))), self.dtype)

    # Insertion -------------------------------------------------------------------------------------------------------

    def _insert(self, lane: Register) -> Register:
        """Sort by insertion; return the positions in order."""
        b, ((keys, positions),) = self.builder, self.buffers
        slot = self.frame.slot(_I64)
        for i in self.count(0, self.length):
            key = self._key(lane, i)
            b.store(i, slot)
            self._move_larger(key, slot)
            place = b.load(slot)
            b.store(key, b.gep(keys, [place], inbounds=True))
            b.store(b.trunc(i, _I32), b.gep(positions, [place], inbounds=True))
        return positions

    def _move_larger(self, key: Register, slot: Register) -> None:
        """Move the pairs with larger keys before a place one up; leave the free place in the slot."""
        b, ((keys, positions),) = self.builder, self.buffers
        header, look, move, done = (b.append_basic_block(name) for name in ("header", "look", "move", "done"))
        b.branch(header)
        b.position_at_end(header)
        place = b.load(slot)
        b.cbranch(b.icmp_signed(">", place, ir.Constant(_I64, 0)), look, done)
        b.position_at_end(look)
        before = b.sub(place, ir.Constant(_I64, 1))
        other = b.load(b.gep(keys, [before], inbounds=True))
        b.cbranch(b.icmp_unsigned(">", other, key), move, done)
        b.position_at_end(move)
        b.store(other, b.gep(keys, [place], inbounds=True))
        position = b.load(b.gep(positions, [before], inbounds=True))
        b.store(position, b.gep(positions, [place], inbounds=True))
        b.store(before, slot)
        b.branch(header)
        b.position_at_end(done)

    # Digits ----------------------------------------------------------------------------------------------------------

    def _clear_counts(self, count: int) -> None:
        b, bytes_ = self.builder, _I8.as_pointer()
        fill = self.frame.module.declare_intrinsic("llvm.memset", [bytes_, _I64])
        size = ir.Constant(_I64, 4 * count << self.width)
        b.call(fill, [b.bitcast(self.counts, bytes_), ir.Constant(_I8, 0), size, ir.Constant(ir.IntType(1), 0)])

    def _shift(self, number: Register) -> Register:
        """How far the digit of a number is from the end of a key; digit 0 is the last one."""
        return self._as_key(self.times(number, self.width))

    def _as_key(self, i: Register) -> Register:
        return i if self.key_type.width == 64 else self.builder.trunc(i, self.key_type)

    def _digit(self, key: Register, shift: Register) -> Register:
        """A digit of a key."""
        b = self.builder
        return b.zext(b.and_(b.lshr(key, shift), ir.Constant(self.key_type, (1 << self.width) - 1)), _I64)

    def _count_of(self, digit: Register, number: Register) -> Register:
        """Pointer to the count of a digit."""
        b = self.builder
        return b.gep(self.counts, [b.add(digit, self.times(number, 1 << self.width))], inbounds=True)

    def _increase(self, place: Register) -> Register:
        """Add one to a count; return what it was."""
        b = self.builder
        count = b.load(place)
        b.store(b.add(count, ir.Constant(_I32, 1)), place)
        return count

    def _count_digits(self, lane: Register) -> Register:
        """Sort by digits, the last one first; return the positions in order."""
        b, n, ((keys, positions), _) = self.builder, self.length, self.buffers
        self._clear_counts(self.digits)
        last, turned = self.frame.slot(self.key_type), self.frame.slot(ir.IntType(1))
        b.store(ir.Constant(self.key_type, 0), last)
        b.store(ir.Constant(ir.IntType(1), 0), turned)
        for i in self.count(0, n):
            key = self._key(lane, i)
            b.store(key, b.gep(keys, [i], inbounds=True))
            b.store(b.trunc(i, _I32), b.gep(positions, [i], inbounds=True))
            b.store(b.or_(b.load(turned), b.icmp_unsigned(">", b.load(last), key)), turned)
            b.store(key, last)
            for number in (ir.Constant(_I64, k) for k in range(self.digits)):
                self._increase(self._count_of(self._digit(key, self._shift(number)), number))
        slots = [[self.frame.slot(p.type) for p in pair] for pair in self.buffers]
        for pair, own in zip(self.buffers, slots, strict=True):
            for pointer, slot in zip(pair, own, strict=True):
                b.store(pointer, slot)
        with b.if_then(b.load(turned)):  # it is not in order
            for number in self.count(0, self.digits):
                self._sort_by(number, slots)
        return b.load(slots[0][1])

    def _sort_by(self, number: Register, slots: list[list[Register]]) -> None:
        """Sort by one digit, into the other buffer, and exchange the two."""
        b, n = self.builder, self.length
        source, target = ([b.load(slot) for slot in own] for own in slots)
        total, shift = self.frame.slot(_I32), self._shift(number)
        common = b.load(self._count_of(self._digit(b.load(source[0]), shift), number))
        with b.if_then(b.icmp_unsigned("!=", common, ir.Constant(_I32, n))):  # they do not all have the same
            b.store(ir.Constant(_I32, 0), total)
            for digit in self.count(0, 1 << self.width):
                place, before = self._count_of(digit, number), b.load(total)
                b.store(b.add(before, b.load(place)), total)
                b.store(before, place)
            for i in self.count(0, n):
                key, position = (b.load(b.gep(p, [i], inbounds=True)) for p in source)
                free = b.zext(self._increase(self._count_of(self._digit(key, shift), number)), _I64)
                b.store(key, b.gep(target[0], [free], inbounds=True))
                b.store(position, b.gep(target[1], [free], inbounds=True))
            for own, new in zip(slots, (target, source), strict=True):
                for slot, pointer in zip(own, new, strict=True):
                    b.store(pointer, slot)

    # Selection -------------------------------------------------------------------------------------------------------

    def _select(self, lane: Register, kth: list[int]) -> Register:
        """Put one or two elements in their places, smaller ones before and larger ones after; return the positions.

        Elements keep their order within each part, and so do those that are equal to one of the two.
        """
        b, (_, positions) = self.builder, self.buffers[0]
        found = [self._find(lane, kth[0])]
        if len(kth) == 2:
            found.append(self._find(lane, kth[1]) if kth[1] > kth[0] + 1 else self._following(lane, kth[1], *found[0]))
        keys = [key for key, _, _ in found]
        # An element goes to the part whose number is that of the comparisons key ≥ found, key > found that are true.
        less, to = [x for _, x, _ in found], [x for _, _, x in found]
        if len(found) == 1:
            starts: list[Any] = [less[0], to[0]]
        else:
            lower = b.icmp_signed("<", to[0], less[1])
            starts = [less[0], b.select(lower, to[0], less[1]), b.select(lower, less[1], to[0]), to[1]]
        free = self.frame.slot(_I32, len(starts) + 1)
        for number, start in enumerate([ir.Constant(_I32, 0), *starts]):
            b.store(start, b.gep(free, [ir.Constant(_I64, number)]))
        for i in self.count(0, self.length):
            key = self._key(lane, i)
            part: Any = ir.Constant(_I64, 0)
            for sign in (">=", ">"):
                for other in keys:
                    part = b.add(part, b.zext(b.icmp_unsigned(sign, key, other), _I64))
            place = b.zext(self._increase(b.gep(free, [part], inbounds=True)), _I64)
            b.store(b.trunc(i, _I32), b.gep(positions, [place], inbounds=True))
        return positions

    def _find(self, lane: Register, k: int) -> tuple[Register, Register, Register]:
        """The key of element k in sorted order, the number of smaller ones, and that of smaller and equal ones."""
        b, (keys, _) = self.builder, self.buffers[0]
        left, rank, less, prefix = (self.frame.slot(t) for t in (_I64, _I32, _I32, self.key_type))
        b.store(ir.Constant(_I64, self.length), left)
        b.store(ir.Constant(_I32, k), rank)
        b.store(ir.Constant(_I32, 0), less)
        b.store(ir.Constant(self.key_type, 0), prefix)
        for i in self.count(0, self.length):
            b.store(self._key(lane, i), b.gep(keys, [i], inbounds=True))
        zero, last = ir.Constant(_I64, 0), ir.Constant(_I64, self.digits - 1)
        for i in self.count(0, self.digits):
            shift, count = self._shift(b.sub(last, i)), b.load(left)
            self._clear_counts(1)
            for j in self.writer.counting(zero, count):
                key = b.load(b.gep(keys, [j], inbounds=True))
                self._increase(self._count_of(self._digit(key, shift), zero))
            digit = self._digit_of_rank(rank, less)
            b.store(b.or_(b.load(prefix), b.shl(self._as_key(digit), shift)), prefix)
            b.store(zero, left)
            for j in self.writer.counting(zero, count):  # keep those with this digit
                key, place = b.load(b.gep(keys, [j], inbounds=True)), b.load(left)
                b.store(key, b.gep(keys, [place], inbounds=True))  # never after the place that is read
                stays = b.icmp_unsigned("==", self._digit(key, shift), digit)
                b.store(b.add(place, b.zext(stays, _I64)), left)
        smaller = b.load(less)
        return b.load(prefix), smaller, b.add(smaller, b.trunc(b.load(left), _I32))

    def _following(
        self, lane: Register, k: int, key: Register, less: Register, to: Register
    ) -> tuple[Register, Register, Register]:
        """The same as `_find` for element k, given what that says of element k - 1: it is equal, or the next larger."""
        b, largest = self.builder, ir.Constant(self.key_type, (1 << self.key_type.width) - 1)
        best, count = self.frame.slot(self.key_type), self.frame.slot(_I32)
        b.store(largest, best)
        b.store(ir.Constant(_I32, 0), count)
        for i in self.count(0, self.length):
            own, old, number = self._key(lane, i), b.load(best), b.load(count)
            counts = b.icmp_unsigned(">", own, key)
            better = b.and_(counts, b.icmp_unsigned("<", own, old))
            same = b.and_(counts, b.icmp_unsigned("==", own, old))
            b.store(b.select(better, own, old), best)
            b.store(b.select(better, ir.Constant(_I32, 1), b.add(number, b.zext(same, _I32))), count)
        equal = b.icmp_signed("<", ir.Constant(_I32, k), to)
        end = b.select(equal, to, b.add(to, b.load(count)))
        return b.select(equal, key, b.load(best)), b.select(equal, less, to), end

    def _digit_of_rank(self, rank: Register, less: Register) -> Register:
        """The digit of the element with a rank among those counted; the rank becomes that among those with it."""
        b = self.builder
        digit = self.frame.slot(_I64)
        b.store(ir.Constant(_I64, 0), digit)
        header, skip, done = (b.append_basic_block(name) for name in ("header", "skip", "done"))
        b.branch(header)
        b.position_at_end(header)
        value, old = b.load(digit), b.load(rank)
        count = b.load(self._count_of(value, ir.Constant(_I64, 0)))
        b.cbranch(b.icmp_unsigned(">=", old, count), skip, done)
        b.position_at_end(skip)
        b.store(b.sub(old, count), rank)
        b.store(b.add(b.load(less), count), less)
        b.store(b.add(value, ir.Constant(_I64, 1)), digit)
        b.branch(header)
        b.position_at_end(done)
        return value


_WRITERS: dict[Primitive, type[LaneWriter]] = {
    reductions.cumsum: ScanWriter,
    reductions.cumprod: ScanWriter,
    reductions.argmax: ExtremumWriter,
    reductions.argmin: ExtremumWriter,
    reductions.searchsorted: SearchWriter,
    reductions.argsort: OrderWriter,
    reductions.argpartition: OrderWriter,
}


def lane_writer(operation: Operation) -> Any:
    """What writes an operation along an axis."""
    return _WRITERS[operation.primitive](operation)
