"""Loops and branches as native loops and branches.

`Sequential` writes a program as straight-line code, as its base class does, with three additions: loops and branches
become loops and branches of basic blocks, their state being in registers (LLVM makes phi nodes of the stack slots that
are written here); arrays that `wengert.compiler.locations` leaves in memory are read and written in place; and indices
may be computed, in which case they are checked unless their range is known.

What a function needs besides its arguments is its `Frame`: memory of its own, and how to stop. A problem (an index out
of range, no memory) is left in the status of the call, and the function returns at once.

The status of a call is two words: the number of the problem, and the head of a list of memory to be freed at the end
of the call. These nodes begin with three words: the next node, the address of the data, and 0 or an address that is to
be freed as well. The data of a node follow it, until they outgrow it. Stacks whose length is not known beforehand are
such nodes, too.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler.builder import Builder
from wengert.compiler.locations import (
    LARGEST_BODY,
    MOST_IN_REGISTERS,
    Unsuitable,
    all_operations,
    dtype_of_atom,
    last_reads,
    memory_variables,
    origin,
    size_of,
    states_of,
)
from wengert.compiler.lowering import Emitter, Register, memory_type
from wengert.compiler.unroll import INDEXED, Elements, Unroller, box
from wengert.core import combinators as c
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import ArrayType, type_of
from wengert.errors import describe_location
from wengert.rules import elementwise as e
from wengert.rules import indexing
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import COUNTER, DYNAMIC, LoopCall
from wengert.transforms.loops import loop
from wengert.transforms.mapped import count_elements, map_program

_I1, _I8, _I64 = ir.IntType(1), ir.IntType(8), ir.IntType(64)
_I8P = _I8.as_pointer()
STATUS = _I64.as_pointer()
NO_MEMORY = 1
#: The status for an index out of range in operation n (in the order of `all_operations`) is this plus n.
FIRST_OPERATION = 2
_INDEX = np.dtype(np.int64)
_MAX = 1 << 62
_FUNCTIONS = {
    "wengert.raw_malloc": ("PyMem_RawMalloc", ir.FunctionType(_I8P, [_I64])),
    "wengert.raw_realloc": ("PyMem_RawRealloc", ir.FunctionType(_I8P, [_I8P, _I64])),
    "wengert.raw_free": ("PyMem_RawFree", ir.FunctionType(ir.VoidType(), [_I8P])),
}
#: Scratch arrays up to this many bytes are on the stack.
_MOST_ON_STACK = 1 << 15
#: Elements of long arrays that are computed one by one, if loops can do it.
_MOST_IN_WIDE_REGISTERS = 500
#: Elements that a growing stack has room for at first.
_FIRST_CAPACITY = 64
#: Bytes of a node before its data.
_NODE = 32


def _products(x: tuple[int, int], y: tuple[int, int]) -> tuple[int, int]:
    ends = [a * b for a in x for b in y]
    return min(ends), max(ends)


#: Range of the result of an operation on integers, given those of the operands.
_RANGES: dict[Any, Callable[..., tuple[int, int]]] = {
    e.add: lambda x, y: (x[0] + y[0], x[1] + y[1]),
    e.subtract: lambda x, y: (x[0] - y[1], x[1] - y[0]),
    e.multiply: _products,
    e.negative: lambda x: (-x[1], -x[0]),
    e.maximum: lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    e.minimum: lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
}


def symbols() -> dict[str, int]:
    """Addresses of what the code calls."""
    return {
        name: ctypes.cast(getattr(ctypes.pythonapi, python), ctypes.c_void_p).value or 0
        for name, (python, _) in _FUNCTIONS.items()
    }


def free_all(head: int) -> None:
    """Free the memory of a call whose native functions are run one by one."""
    free = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("PyMem_RawFree", ctypes.pythonapi))
    while head:
        following, _, grown = (ctypes.c_int64 * 3).from_address(head)
        free(grown)
        free(head)
        head = following


class Unit(NamedTuple):
    """What the code of one LLVM module has in common."""

    module: ir.Module
    library: Any  # mathematical functions for loops that are vectorised
    scalar_library: Any  # and for others
    names: Iterator[str]  # for functions
    numbers: dict[int, int]  # of the operations of the whole program, by identity
    iteration_writer: Callable[..., IterationWriter]  # of an operation, see IterationWriter


class Memory(NamedTuple):
    """An array in memory; `mutable` says that it may be written to once its present contents are no longer needed."""

    pointer: Register
    type: ArrayType
    mutable: bool


class Uniform(NamedTuple):
    """An array of which all elements are the same; it has no memory yet."""

    element: Any
    type: ArrayType


class Frame:
    """What the code of one LLVM function has in common.

    Parameters
    ----------
    builder : Builder
        In the entry block of the function.
    status : Register
        Pointer to the status of the call.
    numbers : dict of int to int
        The numbers of the operations of the whole program, by identity.
    """

    def __init__(self, builder: Any, status: Register, numbers: dict[int, int]) -> None:
        self.builder, self.status, self.numbers = builder, status, numbers
        self.function = builder.function
        self.module: Any = self.function.module
        self.entry = builder.block
        self.scratch = builder.alloca(_I8P)
        self.size = 0
        self.after_entry = builder.append_basic_block("begin")
        self.exit = builder.append_basic_block("exit")
        builder.position_at_end(self.after_entry)

    def finish(self, before_return: Callable[[Any], None] = lambda builder: None) -> None:
        """End the function, now that the size of the scratch memory is known."""
        self.builder.branch(self.exit)
        before, after = Builder(self.entry), Builder(self.exit)
        before.position_at_end(self.entry)
        if self.size > _MOST_ON_STACK:
            memory = self.call(before, "wengert.raw_malloc", ir.Constant(_I64, self.size))
            before.store(memory, self.scratch)
            self.call(after, "wengert.raw_free", after.load(self.scratch))
            self.stop_if(before, before.icmp_unsigned("==", memory, ir.Constant(_I8P, None)), NO_MEMORY)
        elif self.size:
            stack: Any = before.alloca(_I8, self.size)
            stack.align = 64
            before.store(stack, self.scratch)
        before.branch(self.after_entry)
        before_return(after)
        after.ret_void()

    def slot(self, type_: Any, count: int = 1) -> Register:
        """A place on the stack."""
        b = Builder(self.entry)
        b.position_at_start(self.entry)
        return b.alloca(type_, count)

    def reserve(self, size: int) -> Callable[[Any], Register]:
        """Scratch memory of so many bytes, for the whole function; the result emits the pointer to it."""
        offset = self.size
        self.size += -(-size // 64) * 64
        return lambda builder: builder.gep(builder.load(self.scratch), [ir.Constant(_I64, offset)])

    def allocate(self, builder: Any, type_: ArrayType) -> Memory:
        """Scratch memory of the function for an array."""
        start = self.reserve(math.prod(type_.shape) * type_.dtype.itemsize)(builder)
        return Memory(builder.bitcast(start, memory_type(type_.dtype).as_pointer()), type_, True)

    def call(self, builder: Any, name: str, *args: Register) -> Register:
        """Call a function for memory."""
        if name not in self.module.globals:
            ir.Function(self.module, _FUNCTIONS[name][1], name)
        return builder.call(self.module.globals[name], args)

    @staticmethod
    def word(builder: Any, node: Register, number: int) -> Register:
        """Pointer to a word of a node."""
        return builder.gep(builder.bitcast(node, STATUS), [ir.Constant(_I64, number)])

    def new_node(self, builder: Any, size: Register) -> Register:
        """Make a node with so many bytes of data, which are freed at the end of the call."""
        b = builder
        node = self.call(b, "wengert.raw_malloc", b.add(size, ir.Constant(_I64, _NODE)))
        self.stop_if(b, b.icmp_unsigned("==", node, ir.Constant(_I8P, None)), NO_MEMORY)
        head = self.word(b, self.status, 1)
        b.store(b.load(head), self.word(b, node, 0))
        b.store(b.ptrtoint(b.gep(node, [ir.Constant(_I64, _NODE)]), _I64), self.word(b, node, 1))
        b.store(ir.Constant(_I64, 0), self.word(b, node, 2))
        b.store(b.ptrtoint(node, _I64), head)
        return node

    def stop_if(self, builder: Any, problem: Register, status: int) -> None:
        """Return from the function with a status, if there is a problem."""
        b = builder
        stopping, going_on = b.append_basic_block("problem"), b.append_basic_block("fine")
        b.cbranch(problem, stopping, going_on).set_weights([1, 1 << 20])
        inner = Builder(stopping)
        inner.store(ir.Constant(_I64, status), self.status)
        inner.branch(self.exit)
        b.position_at_end(going_on)


class Sequential(Unroller):
    """Emits a program with loops at the current position of a builder."""

    def __init__(self, emitter: Emitter, frame: Frame) -> None:
        super().__init__(emitter)
        self.frame = frame
        self.ranges: dict[int, tuple[int, int]] = {}  # of integers in registers, by identity
        self.kept: list[Any] = []  # keeps these alive

    @property
    def builder(self) -> Any:
        """The builder."""
        return self.em.builder

    # Programs --------------------------------------------------------------------------------------------------------

    def run(self, program: Program, inputs: Sequence[Any], states: tuple[int, int] | None = None) -> list[Any]:
        """Return the results of a program without constants; inputs and results are elements, memory, or uniform."""
        memory = memory_variables(program, states or ())
        last = last_reads(program)
        env: dict[Variable, Any] = {}
        for v, x in zip(program.inputs, inputs, strict=True):
            env[v] = x if v in memory else self.elements(x)
        for number, op in enumerate(program.operations):
            dying = {a for a in op.inputs if isinstance(a, Variable) and last[a] == number}
            for v, x in zip(op.outputs, self.perform(op, env, dying, memory), strict=True):
                env[v] = x if v in memory else self.elements(x)
        return [self.read(a, env) for a in program.outputs]

    def perform(self, op: Operation, env: dict[Variable, Any], dying: set[Variable], memory: Any) -> list[Any]:
        """Do one operation; `dying` are the operands that nothing reads afterwards."""
        p = op.primitive
        if p is loop:
            return self.loop(op, env, dying)
        if p is branch:
            return self.branch(op, env, dying)
        operands = [self.read(a, env) for a in op.inputs]
        if p is c.broadcast_to and op.outputs[0] in memory:
            (element,) = self.converted(self.elements(operands[0]), dtype_of_atom(op.inputs[0]), _dtype(op)).ravel()
            return [Uniform(element, op.outputs[0].type)]
        if p is c.reshape and isinstance(operands[0], (Memory, Uniform)):
            return [operands[0]._replace(type=op.outputs[0].type)]
        if p in INDEXED:
            return [self.indexed(op, operands, op.inputs[0] in dying)]
        plain = {a: self.elements(x) for a, x in zip(op.inputs, operands, strict=True) if isinstance(a, Variable)}
        return self.map(op, plain) if p is map_program else [self.operation(op, plain)]

    def read(self, atom: Any, env: dict[Variable, Any]) -> Any:
        """The value of an operand."""
        x = None if isinstance(atom, Literal) else env[atom]
        return x if isinstance(x, (Memory, Uniform)) else super().read(atom, env)

    # Values ----------------------------------------------------------------------------------------------------------

    def elements(self, x: Any) -> Elements:
        """The elements of a value in registers."""
        if isinstance(x, Uniform):
            return box([x.element] * math.prod(x.type.shape), x.type.shape)
        if isinstance(x, Memory):
            count = math.prod(x.type.shape)
            return box([self.load(x, ir.Constant(_I64, i)) for i in range(count)], x.type.shape)
        return x

    def load(self, x: Memory, offset: Register) -> Register:
        """Load one element."""
        value = self.builder.load(self.builder.gep(x.pointer, [offset], inbounds=True))
        return self.builder.trunc(value, _I1) if x.type.dtype.kind == "b" else value

    def store(self, x: Memory, offset: Register, value: Any) -> None:
        """Store one element."""
        if not isinstance(value, ir.values.Value):
            value = self.em.constant(value, x.type.dtype)
        if x.type.dtype.kind == "b":
            value = self.builder.zext(value, _I8)
        self.builder.store(value, self.builder.gep(x.pointer, [offset], inbounds=True))

    def in_memory(self, x: Any, type_: ArrayType, target: Memory | None = None) -> Memory:
        """A copy of a value in memory, in a given or a new place."""
        target = target or self.frame.allocate(self.builder, type_)
        if isinstance(x, Memory):
            size = ir.Constant(_I64, math.prod(type_.shape) * type_.dtype.itemsize)
            copy = self.frame.module.declare_intrinsic("llvm.memcpy", [_I8P, _I8P, _I64])
            pointers = [self.builder.bitcast(p, _I8P) for p in (target.pointer, x.pointer)]
            self.builder.call(copy, [*pointers, size, ir.Constant(_I1, 0)])
        elif isinstance(x, Uniform):
            for i in self.counting(ir.Constant(_I64, 0), ir.Constant(_I64, math.prod(type_.shape))):
                self.store(target, i, x.element)
        else:
            for i, value in enumerate(x.ravel()):
                self.store(target, ir.Constant(_I64, i), value)
        return target

    def for_reading(self, x: Any, type_: ArrayType) -> Memory:
        """A value in memory, which nobody will write to."""
        return x._replace(mutable=False) if isinstance(x, Memory) else self.in_memory(x, type_)._replace(mutable=False)

    def for_writing(self, x: Any, type_: ArrayType, dying: bool) -> Memory:
        """A value in memory that may be overwritten."""
        return x if isinstance(x, Memory) and x.mutable and dying else self.in_memory(x, type_)

    # Indices ---------------------------------------------------------------------------------------------------------

    def indexed(self, op: Operation, operands: list[Any], dying: bool) -> Any:
        """Read or write by index."""
        p, out = op.primitive, op.outputs[0].type
        split = 1 if p is indexing.index else 2
        base, spec = operands[0], op.params["spec"]
        arrays = [self.elements(x) for x in operands[split:]]
        arrays = [self.converted(x, dtype_of_atom(a), _INDEX) for x, a in zip(arrays, op.inputs[split:], strict=True)]
        fixed = all(not isinstance(i, ir.values.Value) for x in arrays for i in x.ravel())
        if fixed and not isinstance(base, (Memory, Uniform)):
            plain: dict[Variable, Any] = {}
            for a, x in zip(op.inputs, [base, *map(self.elements, operands[1:split]), *arrays], strict=True):
                if isinstance(a, Variable):
                    plain[a] = x
            return super().operation(op, plain)
        shape = op.inputs[0].type.shape  # type: ignore[union-attr]
        if p is indexing.index and isinstance(base, Uniform):
            self.offsets(op, shape, spec, arrays)
            return box([base.element] * math.prod(out.shape), out.shape)
        base_type = ArrayType(shape, out.dtype)
        if p is indexing.index:
            memory = self.for_reading(base, base_type)
            offsets = self.offsets(op, shape, spec, arrays)
            return box([self.load(memory, o) for o in offsets.ravel()], out.shape)
        value = self.converted(self.elements(operands[1]), dtype_of_atom(op.inputs[1]), out.dtype)
        offsets = self.offsets(op, shape, spec, arrays)
        value = value.reshape(value.shape[max(0, value.ndim - offsets.ndim) :])
        values = np.broadcast_to(value, offsets.shape)
        memory = self.for_writing(base, base_type, dying)
        for o, x in zip(offsets.ravel(), values.ravel(), strict=True):
            if p is indexing.index_add:
                x = self.element(e.add, (out.dtype, out.dtype), out.dtype, self.load(memory, o), x)
            self.store(memory, o, x)
        return memory if isinstance(base, (Memory, Uniform)) else self.elements(memory)

    def offsets(self, op: Operation, shape: tuple[int, ...], spec: tuple[Any, ...], arrays: list[Elements]) -> Elements:
        """Offsets in C order of the elements that an index selects, in the shape of the selection."""
        broadcast = np.broadcast_arrays(*arrays) if arrays else []
        count = math.prod(broadcast[0].shape) if arrays else 1
        axes, axis = [], 0
        consumed = sum(s is not None and s is not Ellipsis for s in spec)
        for s in spec:
            if s is indexing.ARRAY:
                axes.append(axis)
            axis += len(shape) - consumed if s is Ellipsis else s is not None
        stand_in = tuple(count if k in axes else n for k, n in enumerate(shape))
        numbers = np.arange(count).reshape(broadcast[0].shape if arrays else ())
        key = indexing.make_key(spec, [numbers] * len(arrays))
        constant: Any = 0
        total: Any = None
        for k, n in enumerate(stand_in):
            along = np.broadcast_to(np.arange(n).reshape((n,) + (1,) * (len(shape) - k - 1)), stand_in)[key]
            stride = math.prod(shape[k + 1 :])
            if k not in axes:
                constant = constant + np.asarray(along) * stride
                continue
            checked = [self.checked(op, i, shape[k]) for i in broadcast[axes.index(k)].ravel()]
            scaled = [self.element(e.multiply, (_INDEX, _INDEX), _INDEX, i, np.int64(stride)) for i in checked]
            picked = box([scaled[int(j)] for j in np.ravel(along)], np.shape(along))
            total = picked if total is None else self.each(e.add, (_INDEX, _INDEX), _INDEX, total, picked)
        constant = np.asarray(constant)
        if total is None:
            return box([ir.Constant(_I64, int(i)) for i in np.ravel(constant)], np.shape(constant))
        numbers = box([np.int64(i) for i in np.ravel(np.broadcast_to(constant, total.shape))], total.shape)
        total = self.each(e.add, (_INDEX, _INDEX), _INDEX, total, numbers)
        flat = [i if isinstance(i, ir.values.Value) else ir.Constant(_I64, int(i)) for i in total.ravel()]
        return box(flat, total.shape)

    def checked(self, op: Operation, i: Any, n: int) -> Any:
        """An index along an axis of length n, counted from its beginning; a problem, if it is out of range."""
        low, high = self.range(i)
        b = self.builder
        if low < 0:
            if high < 0 and low >= -n:
                return self.element(e.add, (_INDEX, _INDEX), _INDEX, i, np.int64(n))
            if isinstance(i, ir.values.Value):
                negative = b.icmp_signed("<", i, ir.Constant(_I64, 0))
                i = b.select(negative, b.add(i, ir.Constant(_I64, n)), i)
            else:
                i = i + n if i < 0 else i
            low, high = low + n, max(high, n - 1) if low >= -n else high
        if low < 0 or high >= n:
            register = i if isinstance(i, ir.values.Value) else ir.Constant(_I64, int(i))
            outside = b.icmp_unsigned(">=", register, ir.Constant(_I64, n))
            self.frame.stop_if(b, outside, FIRST_OPERATION + self.frame.numbers[id(op)])
            i = register
        return i

    def range(self, i: Any) -> tuple[int, int]:
        """Smallest and largest value that an integer can have."""
        if isinstance(i, ir.values.Value):
            return self.ranges.get(id(i), (-_MAX, _MAX))
        return int(i), int(i)

    def bound(self, register: Any, low: int, high: int) -> None:
        """Note the range of an integer in a register."""
        if low > -_MAX and high < _MAX:
            self.ranges[id(register)] = low, high
            self.kept.append(register)

    def element(self, primitive: Any, dtypes: Sequence[Any], out: Any, *values: Any) -> Any:
        """Compute an element, and its range if it is an integer."""
        result = super().element(primitive, dtypes, out, *values)
        if out == _INDEX and isinstance(result, ir.values.Value) and primitive in _RANGES:
            self.bound(result, *_RANGES[primitive](*map(self.range, values)))
        return result

    def converted(self, x: Elements, own: Any, to: Any) -> Elements:
        """Cast; the range of an integer stays."""
        result = super().converted(x, own, to)
        if own.kind in "iu" and to == _INDEX:
            for before, after in zip(x.ravel(), result.ravel(), strict=True):
                if isinstance(after, ir.values.Value) and own.kind == "i":
                    self.bound(after, *self.range(before))
        return result

    # Loops -----------------------------------------------------------------------------------------------------------

    def counting(self, low: Register, high: Register, step: int = 1) -> Iterator[Register]:
        """Emit a counted loop around what the caller emits while this generator is suspended."""
        b = self.builder
        slot = self.frame.slot(_I64)
        b.store(low, slot)
        header, body, done = (b.append_basic_block(name) for name in ("header", "body", "done"))
        b.branch(header)
        b.position_at_end(header)
        i = b.load(slot)
        b.cbranch(b.icmp_signed("<", i, high), body, done)
        b.position_at_end(body)
        yield i
        b.store(b.add(i, ir.Constant(_I64, step), flags=("nsw",)), slot)
        b.branch(header)
        b.position_at_end(done)

    def loop(
        self,
        op: Operation,
        env: dict[Variable, Any],
        dying: set[Variable],
        targets: Sequence[Memory | None] | None = None,
    ) -> list[Any]:
        """Emit a loop; `targets` are where to leave state and stacks that are in memory."""
        call, b = LoopCall.of(op.inputs, op.params), self.builder
        body = call.body
        k, m = len(call.constants), len(call.state)
        memory = memory_variables(body, states_of(call))
        targets = targets or [None] * len(op.outputs)
        constants = [
            self.operand(a, v, memory, env) for a, v in zip(call.constants, body.inputs[1 : 1 + k], strict=True)
        ]
        state_variables = body.inputs[1 + k : 1 + k + m]
        places: list[_Slots | Memory] = []
        for a, v, target in zip(call.state, state_variables, targets, strict=False):
            x = self.read(a, env)
            if v not in memory:
                places.append(_Slots(self, v.type, self.converted(self.elements(x), dtype_of_atom(a), v.type.dtype)))
            elif target is not None:
                places.append(
                    x if isinstance(x, Memory) and x.pointer is target.pointer else self.in_memory(x, v.type, target)
                )
            else:
                places.append(self.for_writing(x, v.type, a in dying))
        trips = self.trip_count(call, env)
        read = [
            Stack.reading(self, self.read(a, env), v.type, call)
            for a, v in zip(call.stacks, body.inputs[1 + k + m :], strict=True)
        ]
        made = [
            Stack.making(self, t, call, trips, target)
            for t, target in zip(call.element_types, targets[m:], strict=False)
        ]
        count = self.frame.slot(_I64)
        b.store(ir.Constant(_I64, 0), count)
        header, inside, done = (b.append_basic_block(name) for name in ("loop", "body", "done"))
        b.branch(header)
        b.position_at_end(header)
        number = b.load(count)
        b.cbranch(b.icmp_signed("<", number, trips), inside, done)
        b.position_at_end(inside)
        if call.condition is not None:
            (truth,) = self.elements(
                self.run(call.condition, [*constants, *(self.current(p) for p in places)])[0]
            ).ravel()
            going_on = b.append_basic_block("go_on")
            if not isinstance(truth, ir.values.Value):
                truth = ir.Constant(_I1, int(truth))
            b.cbranch(truth, going_on, done)
            b.position_at_end(going_on)
        i = number
        if call.reverse:
            i = b.sub(b.sub(trips, ir.Constant(_I64, 1)), number)
        if call.trips is not None:
            self.bound(i, 0, call.trips - 1)
        else:
            self.bound(i, 0, _MAX - 1)
        elements = [s.element(i, v in memory) for s, v in zip(read, body.inputs[1 + k + m :], strict=True)]
        outs = self.run(
            body, [box([i], ()), *constants, *(self.current(p) for p in places), *elements], states_of(call)
        )
        for stack, x in zip(made, outs[m:], strict=True):
            stack.put(i, number, x)
        self.update(places, outs[:m], [dtype_of_atom(a) for a in body.outputs[:m]])
        b.store(b.add(number, ir.Constant(_I64, 1), flags=("nsw",)), count)
        b.branch(header)
        b.position_at_end(done)
        results = [*(self.current(p) for p in places), *(s.result() for s in made)]
        return results if call.condition is None else [*results, box([b.load(count)], ())]

    def operand(self, atom: Any, v: Variable, memory: Any, env: dict[Variable, Any]) -> Any:
        """An operand of an inner program, which only reads it."""
        x = self.read(atom, env)
        if v in memory:
            return x if isinstance(x, Uniform) else self.for_reading(x, v.type)
        return self.converted(self.elements(x), dtype_of_atom(atom), v.type.dtype)

    def trip_count(self, call: LoopCall, env: dict[Variable, Any]) -> Register:
        """The (largest) number of iterations, in a register."""
        if call.trips is not None:
            return ir.Constant(_I64, call.trips)
        (n,) = self.converted(self.elements(self.read(call.n, env)), dtype_of_atom(call.n), _INDEX).ravel()
        return n if isinstance(n, ir.values.Value) else ir.Constant(_I64, int(n))

    def current(self, place: Any) -> Any:
        """The state in a place, at this point of the code."""
        return place.load() if isinstance(place, _Slots) else place

    def update(self, places: Sequence[Any], new: Sequence[Any], dtypes: Sequence[Any]) -> None:
        """Put the new state in its places."""
        moved = []
        for place, x, dtype in zip(places, new, dtypes, strict=True):
            if isinstance(place, _Slots):
                moved.append(self.converted(self.elements(x), dtype, place.type.dtype))
            elif isinstance(x, Memory) and x.pointer is place.pointer:
                moved.append(None)
            elif isinstance(x, Memory) and any(isinstance(p, Memory) and p.pointer is x.pointer for p in places):
                moved.append(self.in_memory(x, place.type))  # arrays that change places
            else:
                moved.append(x)
        for place, x in zip(places, moved, strict=True):
            if isinstance(place, _Slots):
                place.store(x)
            elif x is not None:
                self.in_memory(x, place.type, place)

    # Branches --------------------------------------------------------------------------------------------------------

    def branch(self, op: Operation, env: dict[Variable, Any], dying: set[Variable]) -> list[Any]:
        """Emit a branch."""
        b = self.builder
        cases: tuple[Program, ...] = op.params["branches"]
        case_atom, *atoms = op.inputs
        (number,) = self.elements(self.read(case_atom, env)).ravel()
        if not isinstance(number, ir.values.Value):
            chosen = cases[min(max(int(number), 0), len(cases) - 1)]
            return self.run(chosen, self.operands_of_case(chosen, atoms, env, {}))
        # Where all cases write into the same operand, and nobody reads it afterwards, they do so in place.
        places: list[Any] = []
        for j, v in enumerate(op.outputs):
            origins = {origin(case, case.outputs[j]) for case in cases}
            source = atoms[origins.pop()] if len(origins) == 1 and None not in origins else None  # type: ignore[index]
            in_memory = any(case.outputs[j] in memory_variables(case) for case in cases)
            if not in_memory:
                places.append(_Slots(self, v.type, None))
                continue
            x = None if source is None else self.read(source, env)
            free = isinstance(x, Memory) and x.mutable and source in dying and atoms.count(source) == 1
            places.append(x if free else self.frame.allocate(b, v.type))
        in_place = {id(p.pointer) for p in places if isinstance(p, Memory)}
        blocks, done = self.cases(box([number], ()), case_atom, len(cases))
        for case, block in zip(cases, blocks, strict=True):
            b.position_at_end(block)
            outs = self.run(case, self.operands_of_case(case, atoms, env, in_place))
            self.update(places, outs, [dtype_of_atom(a) for a in case.outputs])
            b.branch(done)
        b.position_at_end(done)
        return [self.current(p) for p in places]

    def cases(self, number: Elements, atom: Any, count: int) -> tuple[list[Any], Any]:
        """Go to one of several blocks, by number; return them, and the block that is to follow them all."""
        b = self.builder
        blocks = [b.append_basic_block(f"case{j}") for j in range(count)]
        done = b.append_basic_block("done")
        dtype = dtype_of_atom(atom)
        (n,) = number.ravel() if dtype.kind == "b" else self.converted(number, dtype, _INDEX).ravel()
        if dtype.kind == "b":
            b.cbranch(n, blocks[-1], blocks[0])
            return blocks, done
        if not isinstance(n, ir.values.Value):
            n = ir.Constant(_I64, int(n))
        n = b.select(b.icmp_signed("<", n, ir.Constant(_I64, 0)), ir.Constant(_I64, 0), n)
        choice = b.switch(n, blocks[-1])
        for j, block in enumerate(blocks[:-1]):
            choice.add_case(ir.Constant(_I64, j), block)
        return blocks, done

    def operands_of_case(
        self, case: Program, atoms: Sequence[Any], env: dict[Variable, Any], in_place: Any
    ) -> list[Any]:
        """Operands for one case; those in `in_place` may be written to."""
        memory = memory_variables(case)
        operands = []
        for atom, v in zip(atoms, case.inputs, strict=True):
            x = self.read(atom, env)
            writable = v in memory and isinstance(x, Memory) and id(x.pointer) in in_place
            operands.append(x if writable else self.operand(atom, v, memory, env))
        return operands


def _dtype(op: Operation) -> Any:
    return op.outputs[0].type.dtype


class _Slots:
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
        b.call(copy, [new, b.gep(self.node, [ir.Constant(_I64, _NODE)]), count, ir.Constant(_I1, 0)])
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


class IterationWriter:
    """Writes a loop or branch as an LLVM function ``void name(pointers of operands…, of results…, status)``.

    `over` says which result begins in the memory of which operand, that nobody else reads; `uniform` has the number
    of those operands that are not in memory, because all their elements are equal.
    """

    def __init__(self, operation: Operation, over: dict[Variable, Variable], uniform: dict[Variable, Any]) -> None:
        self.operation, self.over, self.uniform = operation, over, uniform
        inputs = dict.fromkeys(a for a in operation.inputs if isinstance(a, Variable))
        self.leaves = [v for v in inputs if v not in over.values() and v not in uniform]
        self.results = list(operation.outputs)
        self.function: Any = None

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        variables = (*self.leaves, *self.results)
        types = [memory_type(v.type.dtype).as_pointer() for v in variables]
        self.function = ir.Function(unit.module, ir.FunctionType(ir.VoidType(), [*types, STATUS]), name)
        self.function.linkage = "internal"
        for attribute in ("noinline", "nounwind"):
            self.function.attributes.add(attribute)
        for argument in self.function.args:
            argument.add_attribute("noalias")
        builder = Builder(self.function.append_basic_block("entry"))
        frame = Frame(builder, self.function.args[-1], unit.numbers)
        writer = Sequential(Emitter(builder, unit.scalar_library), frame)
        pointers = dict(zip(variables, self.function.args, strict=False))
        pointers |= {v: pointers[result] for result, v in self.over.items()}
        env: dict[Variable, Any] = {v: Memory(p, v.type, v in self.over.values()) for v, p in pointers.items()}
        env |= {v: Uniform(number, v.type) for v, number in self.uniform.items()}
        self.emit(writer, env, [Memory(pointers[v], v.type, True) for v in self.results])
        frame.finish()

    def emit(self, writer: Sequential, env: dict[Variable, Any], targets: list[Memory]) -> None:
        """Emit the body of the function."""
        if self.operation.primitive is loop:
            outs = writer.loop(self.operation, env, set(), targets)
        else:
            outs = writer.branch(self.operation, env, set(self.over.values()))
        for target, x in zip(targets, outs, strict=True):
            if not (isinstance(x, Memory) and x.pointer is target.pointer):
                writer.in_memory(x, target.type, target)


def may_overwrite(operation: Operation, result: Variable, array: Variable) -> bool:
    """Whether a result may begin in the memory of an operand."""
    if operation.primitive is not loop or array.type != result.type:
        return False
    call = LoopCall.of(operation.inputs, operation.params)
    number = operation.outputs.index(result)
    if number >= len(call.state) or call.state[number] is not array or list(operation.inputs).count(array) != 1:
        return False
    if not is_writable(operation):  # a schedule has all of the state in the memory of the results
        return True
    return call.body.inputs[1 + len(call.constants) + number] in memory_variables(call.body, states_of(call))


def is_writable(op: Operation) -> bool:
    """Whether a loop or branch can be written with its state in registers and only parts of arrays read and written."""
    try:
        if op.primitive is branch:
            for case in op.params["branches"]:
                memory_variables(case)
            return True
        call = LoopCall.of(op.inputs, op.params)
        memory_variables(call.body, states_of(call))
        if call.condition is not None:
            memory_variables(call.condition)
    except Unsuitable:
        return False
    return True


def is_wide(op: Operation) -> bool:
    """Whether a loop or branch, written like this, has arrays in registers that loops over vectors do better."""
    if op.primitive is branch:
        return any(map(_has_wide_registers, op.params["branches"]))
    call = LoopCall.of(op.inputs, op.params)
    return _has_wide_registers(call.body, states_of(call))


def _has_wide_registers(program: Program, states: tuple[int, ...] = ()) -> bool:
    memory = memory_variables(program, states)
    wide = [v for op in program.operations for v in op.outputs if v not in memory and size_of(v) > MOST_IN_REGISTERS]
    return sum(map(size_of, wide)) > _MOST_IN_WIDE_REGISTERS


class Form(NamedTuple):
    """How a value of a program is kept in memory; `element` is that of the elements of a stack which is no array."""

    type: ArrayType
    element: Form | None = None


def handles(program: Program) -> Program:
    """Replace stacks of unknown length by the addresses of their nodes, and stacks of such stacks by arrays of them."""
    if any(DYNAMIC in v.type.shape for op in all_operations(program) for v in op.outputs):
        return _with_handles(program, [Form(v.type) for v in program.inputs])[0]
    return program


def _with_handles(program: Program, forms: Sequence[Form]) -> tuple[Program, list[Form]]:
    """The program for inputs of these forms, and the forms of its results."""
    new: dict[Any, Variable] = {}
    form: dict[Any, Form] = {v: Form(v.type) for v, _ in program.constants}

    def define(v: Variable, f: Form) -> Variable:
        form[v] = f
        new[v] = v if f.type == v.type else Variable(v.number, f.type)
        return new[v]

    def of(a: Any) -> Form:
        return Form(type_of(a.value)) if isinstance(a, Literal) else form[a]

    inputs = [define(v, f) for v, f in zip(program.inputs, forms, strict=True)]
    operations = []
    for op in program.operations:
        params = op.params
        outs = [Form(v.type) for v in op.outputs]
        if op.primitive is loop:
            params, outs = _loop_with_handles(op, [of(a) for a in op.inputs])
        elif op.primitive is branch:
            cases = [_with_handles(case, [of(a) for a in op.inputs[1:]]) for case in params["branches"]]
            params = {**params, "branches": tuple(case for case, _ in cases)}
        elif op.primitive is map_program:
            inner = params["program"]
            params = {**params, "program": _with_handles(inner, [Form(v.type) for v in inner.inputs])[0]}
        read = tuple(new.get(a, a) if isinstance(a, Variable) else a for a in op.inputs)
        defined = tuple(map(define, op.outputs, outs))
        operations.append(op._replace(inputs=read, params=params, outputs=defined))
    outputs = [new.get(a, a) if isinstance(a, Variable) else a for a in program.outputs]
    changed = Program(program.name, inputs, program.constants, operations, outputs)
    return changed, [of(a) for a in program.outputs]


def _loop_with_handles(op: Operation, forms: list[Form]) -> tuple[dict[str, Any], list[Form]]:
    call = LoopCall.of(op.inputs, op.params)
    constants, state, stacks = LoopCall.of(op.inputs, op.params).grouped(forms)
    elements = []
    opaque = []
    for j, f in enumerate(stacks):
        if f.element is not None:
            elements.append(f.element)
            opaque.append(j)
        else:
            elements.append(Form(ArrayType(f.type.shape[1:], f.type.dtype)))
    values = [*constants, *(Form(v.type) for v in call.body.inputs[1 + len(constants) :][: len(state)])]
    body, outs = _with_handles(call.body, [Form(COUNTER), *values, *elements])
    condition = None if call.condition is None else _with_handles(call.condition, values)[0]
    made = []
    for f in outs[len(state) :]:
        if call.trips is None:
            made.append(Form(COUNTER, f))
        else:
            made.append(
                Form(ArrayType((call.trips, *f.type.shape), f.type.dtype), f if f.element is not None else None)
            )
    count = [] if call.condition is None else [Form(COUNTER)]
    # For the interpreter, which looks up stacks by number, and knows nothing of native nodes.
    known = {"opaque": tuple(opaque), "handles": bool(opaque) or any(f.element is not None for f in made)}
    params = {**op.params, "body": body, "condition": condition, **known}
    return params, [*outs[: len(state)], *made, *count]


def free_list(builder: Any, status: Register) -> None:
    """Free what a call has allocated: every node of the list, and its data."""
    b, module = builder, builder.function.module
    name = "wengert.free_list"
    if name not in module.globals:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [STATUS]), name)
        function.linkage = "internal"
        inner = Builder(function.append_basic_block("entry"))
        frame = Frame.__new__(Frame)
        frame.module = module
        slot = inner.alloca(_I64)
        inner.store(inner.load(inner.gep(function.args[0], [ir.Constant(_I64, 1)])), slot)
        header, one, done = (inner.append_basic_block(x) for x in ("header", "one", "done"))
        inner.branch(header)
        inner.position_at_end(header)
        node = inner.load(slot)
        inner.cbranch(inner.icmp_signed("!=", node, ir.Constant(_I64, 0)), one, done)
        inner.position_at_end(one)
        pointer = inner.inttoptr(node, _I8P)
        inner.store(inner.load(frame.word(inner, pointer, 0)), slot)
        grown = inner.inttoptr(inner.load(frame.word(inner, pointer, 2)), _I8P)
        frame.call(inner, "wengert.raw_free", grown)
        frame.call(inner, "wengert.raw_free", pointer)
        inner.branch(header)
        inner.position_at_end(done)
        inner.store(ir.Constant(_I64, 0), inner.gep(function.args[0], [ir.Constant(_I64, 1)]))
        inner.ret_void()
    b.call(module.globals[name], [status])


def own_status(builder: Any) -> Register:
    """A status for a part of a call that runs in a thread of its own."""
    status = builder.alloca(_I64, 2)
    for n in range(2):
        builder.store(ir.Constant(_I64, 0), builder.gep(status, [ir.Constant(_I64, n)]))
    return status


def hand_on(builder: Any, own: Register, status: Register) -> None:
    """Free what such a part has allocated, and leave its problem, if it has one, in the status of the call."""
    b = builder
    free_list(b, own)
    problem = b.load(own)
    with b.if_then(b.icmp_signed("!=", problem, ir.Constant(_I64, 0))):
        b.store(problem, status)


def fits_example(program: Program) -> bool:
    """Whether the program of an example can be written as straight-line code with loops in it."""
    if program.constants or sum(math.prod(v.type.shape) for v in program.inputs) > LARGEST_BODY:
        return False
    try:
        memory = memory_variables(program)
    except Unsuitable:
        return False
    # Examples are loaded into registers as a whole, and stored from there.
    results = [a for a in program.outputs if isinstance(a, Variable)]
    return all(v not in memory for v in (*program.inputs, *results))


def numbered(program: Program) -> dict[int, int]:
    """The numbers of the operations of a program and of the programs inside it, by identity."""
    return {id(op): n for n, op in enumerate(all_operations(program))}


def describe_problem(program: Program, status: int) -> Exception:
    """The exception for the status of a call."""
    if status == NO_MEMORY:
        return MemoryError(f"a loop of {program.name} found no memory for what it has to keep")
    op = next(op for n, op in enumerate(all_operations(program)) if n == status - FIRST_OPERATION)
    place = describe_location(op.location)
    if op.primitive not in INDEXED:
        is_cholesky = op.primitive.name == "cholesky"
        return np.linalg.LinAlgError(
            f"{'Matrix is not positive definite' if is_cholesky else 'Singular matrix'}{place}"
        )
    shape = op.inputs[0].type.shape  # type: ignore[union-attr]
    return IndexError(f"an index is out of bounds for an array of shape {shape}{place}")


def with_stacks(op: Operation, operands: Sequence[Any], stacks: Sequence[Any]) -> list[Any]:
    """Operands of a loop that the interpreter runs, with the stacks that are no arrays in place of their numbers."""
    call = LoopCall.of(operands, op.params)
    opaque = op.params.get("opaque", ())
    found = [stacks[int(np.ravel(x)[0])] if j in opaque else x for j, x in enumerate(call.stacks)]
    return call._replace(stacks=found).operands


def count_work(program: Program) -> int:
    """Number of elements that a program computes, loops included; a loop of unknown length counts as a long one."""
    total = count_elements(program)
    for op in program.operations:
        if op.primitive is loop:
            trips = op.params["trips"]
            total += (1_000_000 if trips is None else trips) * (1 + count_work(op.params["body"]))
        elif op.primitive is branch:
            total += max(map(count_work, op.params["branches"]))
    return total
