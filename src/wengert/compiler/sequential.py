"""Loops and branches as native loops and branches.

`Sequential` writes a program as straight-line code, as its base class does, with three additions: loops and branches
become loops and branches of basic blocks, their state being in registers (LLVM makes phi nodes of the stack slots that
are written here); arrays that `wengert.compiler.locations` leaves in memory are read and written in place; and indices
may be computed, in which case they are checked unless their range is known. What a function needs besides is its
`Frame`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.frame import FIRST_OPERATION, Frame, Memory, Uniform
from wengert.compiler.locations import (
    dtype_of_atom,
    last_reads,
    memory_variables,
    origin,
    states_of,
)
from wengert.compiler.lowering import Emitter, Register
from wengert.compiler.ordering import EXTREMA, ORDERS, common_dtype, is_before, is_short, search
from wengert.compiler.stacks import Slots, Stack
from wengert.compiler.unroll import INDEXED, Elements, Unroller, box
from wengert.core import combinators as c
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import ArrayType
from wengert.rules import elementwise as e
from wengert.rules import indexing, reductions
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import LoopCall
from wengert.transforms.loops import loop
from wengert.transforms.mapped import map_program

_I1, _I8, _I64 = ir.IntType(1), ir.IntType(8), ir.IntType(64)
_I8P = _I8.as_pointer()
_INDEX = np.dtype(np.int64)
_MAX = 1 << 62


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
        if p is reductions.searchsorted and (isinstance(operands[0], (Memory, Uniform)) or not is_short(op)):
            return [self.searched(op, *operands)]
        plain = {a: self.elements(x) for a, x in zip(op.inputs, operands, strict=True) if isinstance(a, Variable)}
        if p is map_program:
            return self.map(op, plain)
        result = self.operation(op, plain)
        if p in (*EXTREMA, *ORDERS):
            for position in result.ravel():
                self.bound(position, 0, op.inputs[0].type.shape[op.params["axis"]] - 1)  # type: ignore[union-attr]
        return [result]

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
        arrays = [self.as_indices(x, dtype_of_atom(a)) for x, a in zip(arrays, op.inputs[split:], strict=True)]
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

    def searched(self, op: Operation, x: Any, wanted: Any) -> Elements:
        """Places in a sorted array that is in memory, or is to be."""
        b, em, dtype, type_ = self.builder, self.em, common_dtype(op), op.inputs[0].type  # type: ignore[union-attr]
        memory, places = self.for_reading(x, type_), []
        own = dtype_of_atom(op.inputs[1])
        for v in self.registers(self.elements(wanted), own).ravel():
            converted = em.convert(v, own, dtype)

            def before(place: Register, v: Register = converted) -> Register:
                return is_before(
                    b, dtype, op.params["side"], em.convert(self.load(memory, place), type_.dtype, dtype), v
                )

            places.append(search(b, type_.shape[0], before))
            self.bound(places[-1], 0, type_.shape[0])
        return box(places, op.outputs[0].type.shape)

    def as_indices(self, x: Elements, dtype: Any) -> Elements:
        """Integers as int64; unsigned ones that are too large for it become the largest, and not negative."""
        if dtype.kind == "u" and dtype.itemsize == 8:
            most = np.iinfo(np.int64).max
            limit, b = ir.Constant(_I64, most), self.builder
            fitting = [
                b.select(b.icmp_unsigned(">", i, limit), limit, i)
                if isinstance(i, ir.values.Value)
                else np.int64(min(int(i), most))
                for i in x.ravel()
            ]
            return box(fitting, x.shape)
        return self.converted(x, dtype, _INDEX)

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
        places: list[Slots | Memory] = []
        for a, v, target in zip(call.state, state_variables, targets, strict=False):
            x = self.read(a, env)
            if v not in memory:
                places.append(Slots(self, v.type, self.converted(self.elements(x), dtype_of_atom(a), v.type.dtype)))
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
        (n,) = self.as_indices(self.elements(self.read(call.n, env)), dtype_of_atom(call.n)).ravel()
        return n if isinstance(n, ir.values.Value) else ir.Constant(_I64, int(n))

    def current(self, place: Any) -> Any:
        """The state in a place, at this point of the code."""
        return place.load() if isinstance(place, Slots) else place

    def update(self, places: Sequence[Any], new: Sequence[Any], dtypes: Sequence[Any]) -> None:
        """Put the new state in its places."""
        moved = []
        for place, x, dtype in zip(places, new, dtypes, strict=True):
            if isinstance(place, Slots):
                moved.append(self.converted(self.elements(x), dtype, place.type.dtype))
            elif isinstance(x, Memory) and x.pointer is place.pointer:
                moved.append(None)
            elif isinstance(x, Memory) and any(isinstance(p, Memory) and p.pointer is x.pointer for p in places):
                moved.append(self.in_memory(x, place.type))  # arrays that change places
            else:
                moved.append(x)
        for place, x in zip(places, moved, strict=True):
            if isinstance(place, Slots):
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
                places.append(Slots(self, v.type, None))
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
        (n,) = number.ravel() if dtype.kind == "b" else self.as_indices(number, dtype).ravel()
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
