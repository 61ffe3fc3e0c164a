"""Maps over the same examples become one map, together with the work on batches between and around them.

A gradient of ``sum(vmap(f)(x))`` arrives as several operations that go over the examples: the map of f, operations on
its results, a sum, and the map of the pullback. In one loop nothing of that is stored::

    y = map f x                     s, x̄ = map x:   y = f x
    s = sum y            becomes                    s += y
    x̄ = map f* x 1                                  x̄ = f* x 1

and what f and its pullback have in common is computed once. The operations that take part, `members`, are maps,
operations on batches that act on each example by itself, and sums over the examples. All members of one *round* become
one map. A value that leaves a round, as a sum over the examples always does, can be used in the next one only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from wengert.compiler.iterations import fits_example
from wengert.compiler.lowering import is_lowerable, is_lowerable_dtype
from wengert.compiler.tiles import MOST_BYTES
from wengert.compiler.unroll import can_unroll, has_control
from wengert.core import combinators as c
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.staging import Stage
from wengert.core.values import ArrayType, dtype_of
from wengert.errors import located
from wengert.rules import indexing, joining, structural
from wengert.transforms.mapped import map_program
from wengert.transforms.programs import types_of_outputs

#: Operations on more numbers per example than this are left alone: they are loops that do well by themselves.
MOST_NUMBERS = 64

#: With more numbers that the examples share, or sums over them, LLVM takes long, and matrix products are as fast.
MOST_SHARED = 256
MOST_SUMS = 128
_MOST_KNOWN = 4096
_MOVES = (c.broadcast_to, c.reshape, structural.transpose, indexing.index)

Round = tuple[int, int]  # number of examples, and number of the round
Simplify = Callable[[Program], Program]


class _Part(NamedTuple):
    """How an operation acts on one example."""

    batched: tuple[bool, ...]  # for each operand, whether it has an axis of examples
    summed: tuple[bool, ...]  # for each output, whether it is a sum over the examples
    run: Callable[..., Sequence[Any]]  # what it does to one example


def merge_maps(program: Program, simplify: Simplify) -> Program:
    """Return an equal program in which maps over the same examples are one, as far as they can be."""
    sizes = {op.params["size"] for op in program.operations if op.primitive is map_program} - {1}
    if not sizes:
        return program
    parts, rounds, ready = _find_members(program, sizes)
    _take_in_producers(program, parts, rounds, ready)
    members: dict[Round, list[Operation]] = {}
    for number, op in enumerate(program.operations):
        if number in rounds:
            members.setdefault(rounds[number], []).append(op)
    part_of = {id(op): parts[number] for number, op in enumerate(program.operations) if number in rounds}
    merged: dict[Round, list[Operation]] = {}
    known = _Known(program)
    for key, group in members.items():
        merged[key] = _merged(program, key[0], group, part_of, known, simplify)
    # An operation outside of the rounds comes before the round in which all that it needs is ready.
    timed: list[tuple[tuple[int, int, int], list[Operation]]] = []
    for number, op in enumerate(program.operations):
        if number not in rounds:
            time = max((ready.get(a, 0) for a in op.inputs if isinstance(a, Variable)), default=0)
            timed.append(((time, 0, number), [op]))
    timed += [((key[1], 1, n), merged[key]) for n, key in enumerate(merged)]
    operations = [op for _, group in sorted(timed, key=lambda row: row[0]) for op in group]
    return Program(program.name, program.inputs, program.constants, operations, program.outputs)


def fits(example: Program, batched: Sequence[bool], summed: Sequence[bool]) -> bool:
    """Whether the map of a program can be a loop whose body is in registers."""
    if any(t.dtype.kind == "c" for t in (*(v.type for v in example.inputs), *types_of_outputs(example))):
        return False  # its operands and results are real, if it can be one
    shared = sum(math.prod(v.type.shape) for v, b in zip(example.inputs, batched, strict=True) if not b)
    sums = sum(math.prod(t.shape) for t, s in zip(types_of_outputs(example), summed, strict=True) if s)
    return shared <= MOST_SHARED and sums <= MOST_SUMS and _can_be_written(example)


def _can_be_written(example: Program) -> bool:
    return fits_example(example) if has_control(example) else can_unroll(example)


def _find_members(program: Program, sizes: set[int]) -> tuple[dict[int, _Part], dict[int, Round], dict[Variable, int]]:
    """Return what could be a member, the round of each map and of what follows it, and when each variable is ready."""
    parts: dict[int, _Part] = {}
    rounds: dict[int, Round] = {}
    inside: dict[Variable, Round] = {}  # results of members that have an axis of examples
    ready: dict[Variable, int] = {}
    for number, op in enumerate(program.operations):
        variables = [a for a in op.inputs if isinstance(a, Variable)]
        found = next(((n, part) for n in sizes if (part := _part(op, n)) is not None), None)
        time = max((ready.get(v, 0) for v in variables), default=0)
        if found is not None:
            n, part = found
            parts[number] = part
            flags = dict(zip(op.inputs, part.batched, strict=True))
            time = max(
                (
                    inside[v][1] if flags[v] and v in inside and inside[v][0] == n else ready.get(v, 0)
                    for v in variables
                ),
                default=0,
            )
            if op.primitive is map_program or any(flags[v] and inside.get(v) == (n, time) for v in variables):
                rounds[number] = n, time
                for v, s in zip(op.outputs, part.summed, strict=True):
                    if not s:
                        inside[v] = n, time
                time += 1
            else:
                time = max((ready.get(v, 0) for v in variables), default=0)
        ready.update((v, time) for v in op.outputs)
    return parts, rounds, ready


def _take_in_producers(
    program: Program, parts: dict[int, _Part], rounds: dict[int, Round], ready: dict[Variable, int]
) -> None:
    """Make operations members whose results only members of one round use."""
    users: dict[Variable, set[Round | None]] = {a: {None} for a in program.outputs if isinstance(a, Variable)}
    for number in range(len(program.operations) - 1, -1, -1):
        op = program.operations[number]
        (v, *_) = op.outputs
        if number not in rounds and number in parts and not any(parts[number].summed):
            rounds_of_users = users.get(v, {None})
            (key, *others) = rounds_of_users
            if not others and key is not None and key[0] == v.type.shape[0]:
                rounds[number] = key
        own = rounds.get(number)
        part = parts.get(number)
        for i, a in enumerate(op.inputs):
            if isinstance(a, Variable):
                is_inside = own is not None and part is not None and part.batched[i]
                users.setdefault(a, set()).add(own if is_inside else None)


def _merged(
    program: Program, n: int, group: Sequence[Operation], part_of: dict[int, _Part], known: _Known, simplify: Simplify
) -> list[Operation]:
    """Return one map for some members of a round, or, where it would be too large, one for each half of them."""
    if all(op.primitive is not map_program for op in group):
        return list(group)
    single = _single(program, n, group, part_of, known, simplify)
    if single is not None:
        return [single]
    if len(group) == 1:
        return list(group)
    middle = len(group) // 2
    halves = group[:middle], group[middle:]
    return [op for half in halves for op in _merged(program, n, half, part_of, known, simplify)]


class _Known:
    """Small arrays that are known when compiling: constants, and parts of them."""

    def __init__(self, program: Program) -> None:
        self.values: dict[Variable, Any] = {
            v: x for v, x in program.constants if isinstance(x, np.ndarray) and x.size <= _MOST_KNOWN
        }
        self.definitions = {v: op for op in program.operations for v in op.outputs if op.primitive in _MOVES}

    def __call__(self, v: Variable) -> Any:
        """The array, or None."""
        op = self.definitions.get(v)
        if v not in self.values and op is not None and math.prod(v.type.shape) <= _MOST_KNOWN:
            args = [a.value if isinstance(a, Literal) else self(a) for a in op.inputs]
            self.values[v] = None
            if all(x is not None for x in args):
                self.values[v] = np.array(op.primitive.fun(*args, **op.params))
        return self.values.get(v)


def _single(
    program: Program, n: int, group: Sequence[Operation], part_of: dict[int, _Part], known: _Known, simplify: Simplify
) -> Operation | None:
    """Return one map for some members of a round; None if it would be too large."""
    used = {a for a in program.outputs if isinstance(a, Variable)}
    own = set(map(id, group))
    used.update(a for op in program.operations if id(op) not in own for a in op.inputs if isinstance(a, Variable))
    made = {v for op in group for v in op.outputs}
    operands: dict[tuple[Variable, bool], Any] = {}
    outputs: list[tuple[Variable, Any, bool]] = []
    env: dict[Variable, Any] = {}
    with Stage() as stage:
        for op in group:
            part = part_of[id(op)]
            values = []
            for a, batched in zip(op.inputs, part.batched, strict=True):
                if isinstance(a, Literal):
                    values.append(a.value)
                elif a in made:
                    values.append(env[a])
                else:
                    key = a, batched
                    if not batched and known(a) is not None:
                        values.append(known(a))
                        continue
                    if key not in operands:
                        operands[key] = stage.input(_example(a.type) if batched else a.type)
                    values.append(operands[key])
            with located(op.location):
                results = part.run(*values)
            for v, value, summed in zip(op.outputs, results, part.summed, strict=True):
                env[v] = value
                if v in used:
                    outputs.append((v, value, summed))
        names = dict.fromkeys(op.params["program"].name for op in group if op.primitive is map_program)
        recorded = stage.program(", ".join(names), [value for _, value, _ in outputs])
    numbers = [v.type for v, _ in operands] + [v.type for v, _, _ in outputs]
    if sum(math.prod(t.shape[1:]) * t.dtype.itemsize for t in numbers if t.shape[:1] == (n,)) > MOST_BYTES:
        return None
    example = simplify(recorded)
    batched, summed = tuple(b for _, b in operands), tuple(s for _, _, s in outputs)
    if not fits(example, batched, summed):
        return None
    params = {"program": example, "batched": batched, "size": n, "summed": summed}
    location = next((op.location for op in group if op.primitive is map_program), None)
    return Operation(map_program, tuple(v for v, _ in operands), params, tuple(v for v, _, _ in outputs), location)


def _example(t: ArrayType) -> ArrayType:
    return ArrayType(t.shape[1:], t.dtype)


# What acts on each example by itself ---------------------------------------------------------------------------------


def _part(op: Operation, n: int) -> _Part | None:
    """How an operation acts on one of `n` examples; None if it does not."""
    p, params = op.primitive, op.params
    if p is map_program:
        if params["size"] != n:
            return None
        program: Program = params["program"]
        return _Part(params["batched"], params["summed"], program.evaluate)
    if p.multiple or (not any(isinstance(a, Variable) for a in op.inputs) and p is not c.broadcast_to):
        return None
    out = op.outputs[0].type
    dtypes = [dtype_of(a.value) if isinstance(a, Literal) else a.type.dtype for a in op.inputs]
    if not all(map(is_lowerable_dtype, (*dtypes, out.dtype))):
        return None
    if p is c.reduce_sum:
        return _sum_part(op, n)
    if out.shape[:1] != (n,) or math.prod(out.shape[1:]) > MOST_NUMBERS:
        return None
    if p is c.broadcast_to or is_lowerable(p, dtypes, out.dtype):
        ranks = [None if isinstance(a, Literal) else len(a.type.shape) for a in op.inputs]
        batched = tuple(rank == len(out.shape) for rank in ranks)
        changed = {**params, "shape": out.shape[1:]} if p is c.broadcast_to else params
    else:
        found = _structural_part(op, n)
        if found is None:
            return None
        batched, changed = found
    for a, b in zip(op.inputs, batched, strict=True):
        if isinstance(a, Variable):
            shape = a.type.shape
            if (b and shape[:1] != (n,)) or math.prod(shape[b:]) > MOST_NUMBERS or min(shape, default=0) < 0:
                return None
    return _Part(batched, (False,), lambda *values: (p.bind(*values, **changed),))


def _sum_part(op: Operation, n: int) -> _Part | None:
    """A sum, over axes of which the examples' may be one."""
    (x,) = op.inputs
    axis = op.params["axis"]
    if not isinstance(x, Variable) or x.type.shape[:1] != (n,) or x.type.dtype.kind != "f":
        return None
    if math.prod(x.type.shape[1:]) > MOST_NUMBERS:
        return None
    inner = tuple(a - 1 for a in axis if a != 0)
    return _Part((True,), (0 in axis,), lambda x: (c.reduce_sum(x, axis=inner) if inner else x,))


def _structural_part(op: Operation, n: int) -> tuple[tuple[bool, ...], dict[str, Any]] | None:
    """Which operands have an axis of examples, and the parameters for one example."""
    p, params = op.primitive, op.params
    every = (True,) * len(op.inputs)
    shapes = [a.type.shape for a in op.inputs if isinstance(a, Variable)]
    if p in (indexing.index, indexing.index_add, indexing.index_update):
        spec = params["spec"]
        given = sum(s is not None and s is not Ellipsis for s in spec)
        whole = len(op.inputs) == (1 if p is indexing.index else 2) and isinstance(op.inputs[0], Variable)
        if not whole or not spec or not (spec[0] == slice(None) or (spec[0] is Ellipsis and given < len(shapes[0]))):
            return None
        changed = {**params, "spec": spec if spec[0] is Ellipsis else spec[1:]}
        if p is indexing.index:
            return every, changed
        selected = np.broadcast_to(False, shapes[0])[spec].ndim
        rank = len(shapes[1]) if len(shapes) > 1 else 0
        return None if rank > selected else ((True, rank == selected), changed)
    if len(shapes) < len(op.inputs):
        return None
    if p is c.reshape:
        return every, {"shape": params["shape"][1:]}
    if p is structural.transpose and params["axes"][0] == 0:
        return every, {"axes": tuple(a - 1 for a in params["axes"][1:])}
    if p in (joining.stack, joining.concatenate) and params.get("axis", 0) > 0:
        return every, {"axis": params["axis"] - 1}
    return None
