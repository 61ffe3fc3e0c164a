"""One loop or branch of a program as an LLVM function, and which of them can have their state in registers."""

from __future__ import annotations

import math
from typing import Any

from wengert.compiler import gufuncs, ufuncs
from wengert.compiler.frame import Memory, Uniform, Unit, begin
from wengert.compiler.locations import LARGEST_BODY, MOST_IN_REGISTERS, Unsuitable, memory_variables, size_of, states_of
from wengert.compiler.lowering import LOWERINGS, Emitter
from wengert.compiler.sequential import Sequential
from wengert.core.program import Operation, Program, Variable
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import LoopCall
from wengert.transforms.loops import loop
from wengert.transforms.mapped import map_program

#: Elements of long arrays that are computed one by one, if loops can do it.
_MOST_IN_WIDE_REGISTERS = 500


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
        self.function, builder, frame, pointers = begin(unit, name, (*self.leaves, *self.results))
        writer = Sequential(Emitter(builder, unit.scalar_library), frame)
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


def count_work(program: Program) -> int:
    """Number of elements that a program computes, loops included; a loop of unknown length counts as a long one.

    An element of a special function counts as the nanoseconds that it takes.
    """
    total = 0
    for op in program.operations:
        if op.primitive in LOWERINGS:
            total += math.prod(op.outputs[0].type.shape)
            continue
        if op.primitive is loop:
            trips = op.params["trips"]
            total += (1_000_000 if trips is None else trips) * (1 + count_work(op.params["body"]))
        elif op.primitive is branch:
            total += max(map(count_work, op.params["branches"]))
        elif op.primitive is map_program:
            total += op.params["size"] * count_work(op.params["program"])
        total += int(gufuncs.cost(op))
        total += sum(math.prod(v.type.shape) for v in op.outputs) * max(1, int(ufuncs.cost(op.primitive)))
    return total
