"""Where the values of an iteration are: in registers, element by element, or in memory.

The body of a loop is written as straight-line code over elements in registers (`wengert.compiler.sequential`). Long
arrays are in memory instead, and only elements of them, or small pieces, are read and written: what an operation makes
of such an array by writing into it is the same memory. `memory_variables` says which values are in memory, and raises
`Unsuitable` if the body is not of this kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from wengert.compiler import ordering, unroll
from wengert.compiler.lowering import is_lowerable_dtype
from wengert.core import combinators as c
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import dtype_of
from wengert.rules import contraction, indexing, reductions
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import LoopCall, inner_programs
from wengert.transforms.loops import loop
from wengert.transforms.mapped import count_elements, map_program
from wengert.transforms.programs import derived_from

#: Larger arrays are in memory, where that is possible.
MOST_IN_REGISTERS = 16
#: No larger array is ever in registers.
LARGEST_IN_REGISTERS = 256
#: No larger piece of an array is read or written by one operation.
LARGEST_PIECE = 64
#: No larger body is written as straight-line code.
LARGEST_BODY = 4000

WRITES = (indexing.index_update, indexing.index_add)


class Unsuitable(Exception):
    """A body cannot be written as straight-line code."""


def size_of(v: Variable) -> int:
    """Number of elements."""
    return math.prod(v.type.shape)


def dtype_of_atom(atom: Any) -> Any:
    """Dtype of a variable or literal."""
    return dtype_of(atom.value) if isinstance(atom, Literal) else atom.type.dtype


def memory_variables(program: Program, states: tuple[int, ...] = ()) -> frozenset[Variable]:
    """Return the variables of a program that are in memory.

    `states` are, for the body of a loop, the number of the first input that is state, and how many there are: state is
    in memory before and after an iteration, or neither.
    """
    return derived_from(program, ("memory", states), lambda: _memory_variables(program, states))


def _memory_variables(program: Program, states: tuple[int, ...]) -> frozenset[Variable]:
    defined = [*program.inputs, *(v for op in program.operations for v in op.outputs)]
    if not all(is_lowerable_dtype(v.type.dtype) for v in defined) or program.constants:
        raise Unsuitable
    memory = {v for v in defined if size_of(v) > MOST_IN_REGISTERS}
    together: list[tuple[Any, Any]] = []
    if states:
        first, count = states
        together += zip(program.inputs[first : first + count], program.outputs[:count], strict=True)
    apart: list[Any] = []
    for op in program.operations:
        pairs, registers = _constraints(op, memory)
        together += pairs
        apart += registers
    memory.difference_update(apart)
    while True:
        before = len(memory)
        for a, b in together:
            if (a in memory) != (b in memory):
                memory.difference_update((a, b))
        if len(memory) == before:
            break
    in_registers = [v for v in defined if v not in memory]
    if any(size_of(v) > LARGEST_IN_REGISTERS for v in in_registers):
        raise Unsuitable
    work = sum(size_of(v) for op in program.operations for v in op.outputs if v not in memory)
    work += sum(_inner_work(op) for op in program.operations)
    if work > LARGEST_BODY:
        raise Unsuitable
    return frozenset(memory)


def _constraints(op: Operation, memory: set[Variable]) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """Pairs of variables that are in memory together or not at all, and those that must not be."""
    p = op.primitive
    if p is loop:
        call = LoopCall.of(op.inputs, op.params)
        inner = memory_variables(call.body, states_of(call))
        if call.condition is not None:
            memory_variables(call.condition)
        first = 1 + len(call.constants)
        of_state = call.body.inputs[first : first + len(call.state)]
        apart = [v for v, s in zip(op.outputs, of_state, strict=False) if s not in inner]
        # What the loop has in memory is there after it, too.
        if any(s in inner and v not in memory for v, s in zip(op.outputs, of_state, strict=False)):
            raise Unsuitable
        return [], apart
    if p is branch:
        for case in op.params["branches"]:
            memory_variables(case)
        return [], [op.inputs[0]]
    if p is map_program:
        memory_variables(op.params["program"])
        return [], [*op.inputs, *op.outputs]
    if p is reductions.searchsorted and ordering.has_native_form(op) and not op.params.get("batch"):
        return [], [*op.inputs[1:], *op.outputs]
    if p.multiple or not _is_known(op):
        raise Unsuitable
    if p is indexing.index:
        if size_of(op.outputs[0]) > LARGEST_PIECE and op.inputs[0] in memory:
            raise Unsuitable
        return [], [*op.inputs[1:], *op.outputs]
    if p in WRITES:
        return [(op.inputs[0], op.outputs[0])] if isinstance(op.inputs[0], Variable) else [], [*op.inputs[1:]]
    if p is c.reshape and isinstance(op.inputs[0], Variable):
        return [(op.inputs[0], op.outputs[0])], []
    if p is c.broadcast_to and all(isinstance(a, Literal) or size_of(a) == 1 for a in op.inputs):
        return [], [*op.inputs]
    return [], [*op.inputs, *op.outputs]


def _is_known(op: Operation) -> bool:
    if op.primitive in unroll.INDEXED:
        return all(is_lowerable_dtype(dtype_of_atom(a)) for a in op.inputs)
    return unroll.is_known(op, {})


def _inner_work(op: Operation) -> int:
    if op.primitive is map_program:
        return op.params["size"] * count_elements(op.params["program"])
    if op.primitive in ordering.PRIMITIVES:
        return ordering.work(op)
    if op.primitive in (contraction.matmul, contraction.einsum):
        return 4 * max((size_of(a) for a in op.inputs if isinstance(a, Variable)), default=0)
    return 0


def states_of(call: LoopCall) -> tuple[int, int]:
    """What `memory_variables` has to know of a loop."""
    return 1 + len(call.constants), len(call.state)


def all_operations(program: Program) -> Iterator[Operation]:
    """The operations of a program and of the programs inside it, in a fixed order."""
    for op in program.operations:
        yield op
        for inner in inner_programs(op):
            yield from all_operations(inner)


def roots(program: Program) -> dict[Variable, Variable]:
    """For each reshaped array, the one that it is a form of; for each other variable, itself."""
    result: dict[Variable, Variable] = {v: v for v in program.inputs}
    for op in program.operations:
        for v in op.outputs:
            a = op.inputs[0] if op.inputs else None
            is_alias = op.primitive is c.reshape and isinstance(a, Variable)
            result[v] = result[a] if is_alias else v  # type: ignore[index]
    return result


def last_reads(program: Program) -> dict[Variable, float]:
    """Number of the operation that reads an array, or a reshaped form of it, last; infinite for results."""
    root = roots(program)
    last: dict[Variable, float] = {}
    for number, op in enumerate(program.operations):
        for a in op.inputs:
            if isinstance(a, Variable):
                last[root[a]] = number
    for a in program.outputs:
        if isinstance(a, Variable):
            last[root[a]] = math.inf
    return {v: last.get(r, -1.0) for v, r in root.items()}


def origin(program: Program, atom: Any) -> int | None:
    """Number of the input whose memory a result takes over by writing into it; None if it is another one's."""
    definitions = {v: op for op in program.operations for v in op.outputs}
    while isinstance(atom, Variable) and atom in definitions:
        op = definitions[atom]
        if op.primitive not in (*WRITES, c.reshape):
            return None
        atom = op.inputs[0]
    return _position(program.inputs, atom)


def _position(variables: Iterable[Variable], v: Any) -> int | None:
    return next((i for i, x in enumerate(variables) if x is v), None)
