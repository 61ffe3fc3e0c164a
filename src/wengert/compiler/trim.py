"""Loops without what nobody needs: state, stacks and operands that no result depends on.

`trim` goes backwards through a program: from the results of a loop that are read follows what of its state is needed,
from that its operands, and so on to the loop before it. A stack that the way back no longer reads is no longer kept.
"""

from __future__ import annotations

from typing import Any

from wengert.core.program import Atom, Literal, Operation, Program, Variable
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import LoopCall, split
from wengert.transforms.loops import loop
from wengert.transforms.programs import without_unused


def trim(program: Program) -> Program:
    """Return the program with trimmed loops and branches."""
    if all(op.primitive not in (loop, branch) for op in program.operations):
        return program
    needed = {a for a in program.outputs if isinstance(a, Variable)}
    kept: list[Operation] = []
    for op in reversed(program.operations):
        if not any(v in needed for v in op.outputs):
            continue
        if op.primitive is loop:
            op = _trimmed_loop(op, needed)
        elif op.primitive is branch:
            op = _trimmed_branch(op, needed)
        needed.update(a for a in op.inputs if isinstance(a, Variable))
        kept.append(op)
    return without_unused(Program(program.name, program.inputs, program.constants, kept[::-1], program.outputs))


def _trimmed_loop(op: Operation, needed: set[Variable]) -> Operation:
    call = LoopCall.of(op.inputs, op.params)
    k, m, s = len(call.constants), len(call.state), len(call.stacks)
    body, condition = call.body, call.condition
    wanted = [v in needed for v in op.outputs]
    made = wanted[m : len(body.outputs)]
    state = wanted[:m]
    (i,), constants, states, elements = split(body.inputs, [1, k, m, s])
    if condition is not None:
        read = _read(condition)
        state = [w or v in read for w, v in zip(state, condition.inputs[k:], strict=True)]
    while True:
        flags = [*state, *made]
        part = _with_outputs(body, [a for a, f in zip(body.outputs, flags, strict=True) if f])
        read = _read(part)
        new = [w or v in read for w, v in zip(state, states, strict=True)]
        if new == state:
            break
        state = new
    # Literals and repeated operands go into the body.
    replaced: dict[Variable, Atom] = {}
    first: dict[Variable, int] = {}
    for number, (a, v) in enumerate(zip(call.constants, constants, strict=True)):
        if isinstance(a, Literal):
            replaced[v] = Literal(v.type.dtype.type(a.value))
        elif a in first:
            replaced[v] = constants[first[a]]
        else:
            first[a] = number
    part = trim(_replaced(part, replaced))
    read = _read(part)
    keep_constants = [v in read and v not in replaced for v in constants]
    keep_elements = [v in read for v in elements]
    if condition is not None:
        own = {v: replaced[w] for v, w in zip(condition.inputs, constants, strict=False) if w in replaced}
        moved = dict(zip(constants, condition.inputs, strict=False))
        own = {v: moved.get(a, a) if isinstance(a, Variable) else a for v, a in own.items()}
        condition = trim(_replaced(condition, own))
        of_condition = _read(condition)
        keep_constants = [
            f or (v in of_condition and w not in replaced)
            for f, v, w in zip(keep_constants, condition.inputs, constants, strict=False)
        ]
    body = _with_inputs(
        part, [i, *_chosen(constants, keep_constants), *_chosen(states, state), *_chosen(elements, keep_elements)]
    )
    if condition is not None:
        condition = _with_inputs(
            condition, [*_chosen(condition.inputs[:k], keep_constants), *_chosen(condition.inputs[k:], state)]
        )
    new_call = call._replace(
        body=body,
        condition=condition,
        constants=_chosen(call.constants, keep_constants),
        state=_chosen(call.state, state),
        stacks=_chosen(call.stacks, keep_elements),
    )
    kept_outputs = [
        v for v, f in zip(op.outputs, [*state, *made, *([True] * (call.condition is not None))], strict=True) if f
    ]
    return op._replace(inputs=tuple(new_call.operands), params=new_call.params, outputs=tuple(kept_outputs))


def _trimmed_branch(op: Operation, needed: set[Variable]) -> Operation:
    wanted = [v in needed for v in op.outputs]
    cases = [trim(_with_outputs(p, _chosen(p.outputs, wanted))) for p in op.params["branches"]]
    case, *operands = op.inputs
    read = [_read(p) for p in cases]
    keep = [any(p.inputs[j] in r for p, r in zip(cases, read, strict=True)) for j in range(len(operands))]
    cases = tuple(_with_inputs(p, _chosen(p.inputs, keep)) for p in cases)
    inputs = (case, *_chosen(operands, keep))
    return op._replace(
        inputs=inputs, params={**op.params, "branches": cases}, outputs=tuple(_chosen(op.outputs, wanted))
    )


def _read(program: Program) -> set[Any]:
    """What operations and results read."""
    return {a for op in program.operations for a in op.inputs} | set(program.outputs)


def _with_outputs(program: Program, outputs: Any) -> Program:
    return without_unused(Program(program.name, program.inputs, program.constants, program.operations, outputs))


def _with_inputs(program: Program, inputs: Any) -> Program:
    return Program(program.name, inputs, program.constants, program.operations, program.outputs)


def _replaced(program: Program, by: dict[Variable, Atom]) -> Program:
    if not by:
        return program

    def new(a: Atom) -> Atom:
        return by.get(a, a) if isinstance(a, Variable) else a

    operations = [op._replace(inputs=tuple(map(new, op.inputs))) for op in program.operations]
    return Program(program.name, program.inputs, program.constants, operations, list(map(new, program.outputs)))


def _chosen(items: Any, flags: Any) -> list[Any]:
    return [x for x, f in zip(items, flags, strict=True) if f]
