"""Complex numbers are pairs of real ones: operations on them are replaced by operations on their parts.

`in_parts` makes of a formula (`wengert.compiler.complex_formulas`) what takes the place of an operation in a program::

    c = multiply a b          ar = real a    br = real b    re = ar·br - ai·bi    c = from_parts re im
                              ai = imag a    bi = imag b    im = ar·bi + ai·br

where simplification leaves nothing of `real` and `imag` of what was put together from parts before. What is left are
loads of one part from arrays in memory, which hold the parts side by side, and stores of both. A loop, branch or map
gets operands and results that are real.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.compiler import gufuncs
from wengert.compiler.complex_formulas import PARTS, Pair, pair, part_dtype
from wengert.compiler.expand import expansion
from wengert.core import combinators as c
from wengert.core.program import Atom, Literal, Operation, Program, Variable
from wengert.core.staging import record
from wengert.core.values import ArrayType, Value, dtype_of, shape_of, type_of
from wengert.rules import elementwise as e
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import DYNAMIC, LoopCall, inner_programs
from wengert.transforms.loops import loop
from wengert.transforms.mapped import map_program


def in_parts(op: Operation) -> Program | None:
    """The program of an operation on complex numbers in terms of their parts; None if there is none."""
    out = op.outputs[0].type
    if out.dtype.kind != "c" and not _is_complex(op.inputs):
        return None
    row = PARTS.get(op.primitive)
    if row is None:
        return None
    dtypes = [_type(a).dtype for a in (*op.inputs, *op.outputs)]
    if any(d.kind == "c" and part_dtype(d) is None for d in dtypes):
        return None
    function, numeric = row
    which = range(len(op.inputs))[numeric]
    given = [a for a in op.inputs if isinstance(a, Variable)]
    # What it computes in: NumPy converts all operands first.
    numbers = [op.inputs[k] for k in which]
    common = part_dtype(np.result_type(*(a.value if isinstance(a, Literal) else a.type.dtype for a in numbers)))
    outcome: list[Any] = []

    def recorded(*values: Any) -> list[Any]:
        rest = iter(values)
        operands = [a.value if isinstance(a, Literal) else next(rest) for a in op.inputs]
        operands = [_converted(pair(x), common) if k in which else x for k, x in enumerate(operands)]
        result = function(*operands, **op.params)
        outcome.append(result)
        part = part_dtype(out.dtype)
        if part is None or not isinstance(result, Pair):
            return [] if result is None else [result.re if isinstance(result, Pair) else result]
        return [e.from_parts(*(_of_type(x, ArrayType(out.shape, part)) for x in result))]

    program = record(recorded, [v.type for v in given], op.primitive.name)
    if outcome[0] is None:
        return None
    inputs = iter(program.inputs)
    every = [Variable(-1, _type(a)) if isinstance(a, Literal) else next(inputs) for a in op.inputs]
    return Program(program.name, every, program.constants, program.operations, program.outputs)


def _converted(x: Pair, dtype: np.dtype[Any] | None) -> Pair:
    """The same numbers in another precision; Python's take on that of the others."""

    def cast(part: Any) -> Any:
        if dtype is None or not isinstance(part, (Value, np.generic)) or dtype_of(part) == dtype:
            return part
        return c.astype(part, dtype=dtype) if isinstance(part, Value) else dtype.type(part)

    return Pair(cast(x.re), cast(x.im))


def _of_type(x: Any, type_: ArrayType) -> Any:
    if dtype_of(x) != type_.dtype:
        x = c.astype(x, dtype=type_.dtype) if isinstance(x, Value) else type_.dtype.type(x)
    return x if shape_of(x) == type_.shape else c.broadcast_to(x, shape=type_.shape)


def _type(atom: Atom) -> ArrayType:
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type


def _is_complex(atoms: Sequence[Atom]) -> bool:
    return "c" in [(a.type.dtype if isinstance(a, Variable) else dtype_of(a.value)).kind for a in atoms]


# Programs inside operations ------------------------------------------------------------------------------------------


def is_expandable(program: Program) -> bool:
    """Whether all operations on complex numbers in a program, and in those inside it, can be replaced."""
    return all(
        all(map(is_expandable, inner_programs(op)))
        if op.primitive in (loop, branch, map_program)
        else op.primitive in (c.real, c.imag, e.from_parts, c.reshape)
        or not _is_complex((*op.inputs, *op.outputs))
        or in_parts(op) is not None
        or gufuncs.is_native(op)
        or _is_expandable(expansion(op))
        for op in program.operations
    )


def _is_expandable(program: Program | None) -> bool:
    return program is not None and is_expandable(program)


def has_unsplittable(program: Program) -> bool:
    """Whether stacks of unknown length go from one loop to another of which one cannot be split."""
    loops = [op for op in program.operations if op.primitive is loop]
    hidden = any(v.type.dtype.kind == "c" and DYNAMIC in v.type.shape for op in loops for v in op.outputs)
    if hidden and not all(is_expandable(p) for op in loops for p in inner_programs(op)):
        return True
    return any(has_unsplittable(p) for op in program.operations if op.params for p in inner_programs(op))


def is_complex(op: Operation) -> bool:
    """Whether a loop, branch or map takes or gives complex numbers, or hands them on."""
    return _is_complex((*op.inputs, *op.outputs, *(a for p in inner_programs(op) for a in (*p.inputs, *p.outputs))))


def with_real_operands(op: Operation) -> Program | None:
    """A loop, branch or map with real operands and results, and what takes them apart and puts them together."""
    if not is_complex(op) or not all(map(is_expandable, inner_programs(op))):
        return None
    before: list[Operation] = []
    after: list[Operation] = []
    inputs = [Variable(-1, _type(a)) for a in op.inputs]
    atoms = [a if isinstance(a, Literal) else v for a, v in zip(op.inputs, inputs, strict=True)]
    operands = [_taken_apart(a, before) for a in atoms]
    results = [_put_together(v, after) for v in op.outputs]
    params = dict(op.params)
    if op.primitive is loop:
        call = LoopCall.of(atoms, params)
        constants, state, stacks = ([a for parts in group for a in parts] for group in call.grouped(operands))
        condition = None if call.condition is None else split(call.condition)
        call = call._replace(
            body=split(call.body), condition=condition, constants=constants, state=state, stacks=stacks
        )
        params |= call.params
    elif op.primitive is branch:
        params["branches"] = tuple(map(split, params["branches"]))
    else:
        params["program"] = split(params["program"])
        params["batched"] = _repeated(params["batched"], operands)
        params["summed"] = _repeated(params["summed"], results)
    flat = tuple(a for parts in operands for a in parts)
    made = tuple(v for parts in results for v in parts)
    changed = Operation(op.primitive, flat, params, made, op.location)
    return Program(op.primitive.name, inputs, (), [*before, changed, *after], op.outputs)


def split(program: Program) -> Program:
    """The program with two inputs and outputs in place of each complex one."""
    before: list[Operation] = []
    after: list[Operation] = []
    inputs = [x for v in program.inputs for x in _put_together(v, before)]
    outputs = [x for a in program.outputs for x in _taken_apart(a, after)]
    return Program(program.name, inputs, program.constants, [*before, *program.operations, *after], outputs)


def _taken_apart(atom: Any, operations: list[Operation]) -> list[Any]:
    """The parts of an operand, by operations that are added to the list; itself, if it is real."""
    part = part_dtype(_type(atom).dtype)
    if part is None:
        return [atom]
    if isinstance(atom, Literal):
        return [Literal(part.type(atom.value.real)), Literal(part.type(atom.value.imag))]
    parts = [Variable(-1, ArrayType(atom.type.shape, part)) for _ in range(2)]
    operations += [Operation(p, (atom,), {}, (v,)) for p, v in zip((c.real, c.imag), parts, strict=True)]
    return parts


def _put_together(v: Variable, operations: list[Operation]) -> list[Variable]:
    """Variables for the parts of one, which an operation, added to the list, joins; itself if it is real."""
    part = part_dtype(v.type.dtype)
    if part is None:
        return [v]
    parts = [Variable(-1, ArrayType(v.type.shape, part)) for _ in range(2)]
    operations.append(Operation(e.from_parts, tuple(parts), {}, (v,)))
    return parts


def _repeated(flags: Sequence[bool], parts: Sequence[Sequence[Any]]) -> tuple[bool, ...]:
    return tuple(f for f, p in zip(flags, parts, strict=True) for _ in p)
