"""Stacks whose length is not known when a program is compiled: in native code they are addresses.

`handles` rewrites a simplified program before it is planned: a stack of unknown length becomes a number, the address of
its node, and an array of such stacks an array of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from wengert.compiler.locations import all_operations
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import ArrayType, type_of
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import COUNTER, DYNAMIC, LoopCall, Stack
from wengert.transforms.loops import loop
from wengert.transforms.mapped import map_program


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
    constants, state, stacks = call.grouped(forms)
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


def with_stacks(op: Operation, operands: Sequence[Any], stacks: Sequence[Any]) -> list[Any]:
    """Operands of a loop that the interpreter runs, with the stacks that are no arrays in place of their numbers."""
    call = LoopCall.of(operands, op.params)
    opaque = op.params.get("opaque", ())

    def stack(number: Any) -> Any:  # one of no elements has no place for its number
        return stacks[int(np.ravel(number)[0])] if np.size(number) else Stack([], COUNTER, 0)

    found = [stack(x) if j in opaque else x for j, x in enumerate(call.stacks)]
    return call._replace(stacks=found).operands
