"""Where the state and the stacks of a native loop are: registers, arrays, and memory that grows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from wengert.compiler.frame import NO_MEMORY, NODE_BYTES, Memory, Uniform
from wengert.compiler.lowering import Register, memory_type
from wengert.compiler.unroll import Elements, box
from wengert.core.values import ArrayType
from wengert.transforms.loop_calls import LoopCall

if TYPE_CHECKING:
    from wengert.compiler.sequential import Sequential

_I1, _I8, _I64 = ir.IntType(1), ir.IntType(8), ir.IntType(64)
_I8P = _I8.as_pointer()
_MAX = 1 << 62
#: Elements that a growing stack has room for at first.
_FIRST_CAPACITY = 64


class Slots:
    """State in registers: a place on the stack for each element, which LLVM turns into registers."""

    def __init__(self, writer: Sequential, type_: ArrayType, initial: Elements | None) -> None:
        self.writer, self.type = writer, type_
        dtype = memory_type(type_.dtype)
        self.slots = [writer.frame.slot(dtype) for _ in range(math.prod(type_.shape))]
        if initial is not None:
            self.store(initial)

    def load(self) -> Elements:
        b = self.writer.builder
        values = [b.load(s) for s in self.slots]
        return box([b.trunc(v, _I1) for v in values] if self.type.dtype.kind == "b" else values, self.type.shape)

    def store(self, elements: Elements) -> None:
        b = self.writer.builder
        for slot, value in zip(self.slots, elements.ravel(), strict=True):
            if not isinstance(value, ir.values.Value):
                value = self.writer.em.constant(value, self.type.dtype)
            b.store(b.zext(value, _I8) if self.type.dtype.kind == "b" else value, slot)


class Stack:
    """A stack that a loop reads or makes: an array, or, if its length is not known beforehand, the data of a node."""

    def __init__(self, writer: Sequential, element: ArrayType, source: Any, node: Any = None) -> None:
        self.writer, self.element_type, self.source, self.node = writer, element, source, node
        self.size = math.prod(element.shape)
        self.bytes = self.size * element.dtype.itemsize
        self.data: Any = None
        self.capacity: Any = None

    @classmethod
    def reading(cls, writer: Sequential, x: Any, element: ArrayType, call: LoopCall) -> Stack:
        """A stack that a loop reads."""
        if call.trips is not None:
            whole = ArrayType((call.trips, *element.shape), element.dtype)
            return cls(writer, element, x if isinstance(x, Uniform) else writer.for_reading(x, whole))
        b = writer.builder
        (node,) = writer.elements(x).ravel()
        stack = cls(writer, element, None, b.inttoptr(node, _I8P))
        stack.data = b.load(writer.frame.word(b, stack.node, 1))
        return stack

    @classmethod
    def making(
        cls, writer: Sequential, element: ArrayType, call: LoopCall, trips: Register, target: Memory | None
    ) -> Stack:
        """A stack that a loop makes."""
        b, frame = writer.builder, writer.frame
        if call.trips is not None:
            whole = ArrayType((call.trips, *element.shape), element.dtype)
            return cls(writer, element, target or frame.allocate(b, whole))
        stack = cls(writer, element, None)
        if call.condition is not None:
            stack.capacity = frame.slot(_I64)
            count: Any = ir.Constant(_I64, _FIRST_CAPACITY)
            b.store(count, stack.capacity)
        else:
            count = b.select(b.icmp_signed("<", trips, ir.Constant(_I64, 0)), ir.Constant(_I64, 0), trips)
        size = b.mul(count, ir.Constant(_I64, stack.bytes))
        too_large = b.icmp_signed(">", count, ir.Constant(_I64, _MAX // max(1, stack.bytes)))
        stack.node = frame.new_node(b, b.select(too_large, ir.Constant(_I64, _MAX), size))
        stack.data = frame.slot(_I64)
        b.store(b.load(frame.word(b, stack.node, 1)), stack.data)
        return stack

    def place(self, i: Register, type_: ArrayType) -> Memory:
        """Memory of element i."""
        b = self.writer.builder
        pointer_type = memory_type(self.element_type.dtype).as_pointer()
        if self.node is None:
            start = self.source.pointer
        else:
            data = self.data if self.data.type == _I64 else b.load(self.data)
            start = b.inttoptr(data, pointer_type)
        offset = b.mul(i, ir.Constant(_I64, self.size), flags=("nsw",)) if self.size != 1 else i
        return Memory(b.gep(start, [offset], inbounds=True), type_, False)

    def element(self, i: Register, in_memory: bool) -> Any:
        """Element i."""
        if isinstance(self.source, Uniform):
            return self.source._replace(type=self.element_type)
        memory = self.place(i, self.element_type)
        return memory if in_memory else self.writer.elements(memory)

    def put(self, i: Register, number: Register, x: Any) -> None:
        """Set element i; `number` iterations were done before."""
        self.make_room(number)
        self.writer.in_memory(x, self.element_type, self.place(i, self.element_type))

    def make_room(self, number: Register) -> None:
        """Let the stack grow, if it has no room for one more element than `number`."""
        if self.capacity is None:
            return
        writer, b, frame = self.writer, self.writer.builder, self.writer.frame
        full = b.icmp_signed("==", number, b.load(self.capacity))
        growing, done = b.append_basic_block("grow"), b.append_basic_block("grown")
        b.cbranch(full, growing, done).set_weights([1, 1 << 10])
        b.position_at_end(growing)
        capacity = b.mul(b.load(self.capacity), ir.Constant(_I64, 2))
        grown = b.load(frame.word(b, self.node, 2))
        size = b.mul(capacity, ir.Constant(_I64, self.bytes))
        new = frame.call(b, "wengert.raw_realloc", b.inttoptr(grown, _I8P), size)
        frame.stop_if(b, b.icmp_unsigned("==", new, ir.Constant(_I8P, None)), NO_MEMORY)
        # What was in the node itself so far has to be copied; the rest realloc has done.
        inside = b.icmp_signed("==", grown, ir.Constant(_I64, 0))
        count = b.select(inside, ir.Constant(_I64, _FIRST_CAPACITY * self.bytes), ir.Constant(_I64, 0))
        copy = frame.module.declare_intrinsic("llvm.memcpy", [_I8P, _I8P, _I64])
        b.call(copy, [new, b.gep(self.node, [ir.Constant(_I64, NODE_BYTES)]), count, ir.Constant(_I1, 0)])
        address = b.ptrtoint(new, _I64)
        b.store(address, frame.word(b, self.node, 1))
        b.store(address, frame.word(b, self.node, 2))
        b.store(address, self.data)
        b.store(capacity, self.capacity)
        b.branch(done)
        b.position_at_end(done)
        assert writer.builder is b

    def result(self) -> Any:
        """The stack after the loop."""
        if self.node is None:
            return self.source
        return box([self.writer.builder.ptrtoint(self.node, _I64)], ())
