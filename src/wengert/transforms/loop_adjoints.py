"""Reverse mode through a loop: a loop that keeps what is needed, and a loop that runs backwards.

From the program of one iteration comes the program of its adjoint: it computes the iteration again and then walks back
through it, from the cotangents of the new state to those of the old one. This program is cut in two. What does not
depend on a cotangent can run in the forward sweep; the rest is the body of the backward loop. Of the values between the
two, `wengert.transforms.partition` chooses which are kept on stacks and which are computed again.

Cotangents of the constants are part of the backward loop's state: each iteration adds its share to them, and writes
only the elements that it has read. So an iteration that reads and writes a few elements of long arrays costs no more
than that on the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from wengert.core.combinators import broadcast_to, narrow
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.residuals import derivative_arithmetic
from wengert.core.staging import Stage
from wengert.core.values import ArrayType, type_of, zeros_of
from wengert.transforms.loop_calls import COUNTER, LoopCall, closed, element_type, split
from wengert.transforms.partition import choose_kept
from wengert.transforms.programs import derived_from, without_repetitions, without_unused
from wengert.transforms.reverse import Tape


class Active(NamedTuple):
    """What has a cotangent: constants, state, elements that are read, elements that are made."""

    constants: tuple[bool, ...]
    state: tuple[bool, ...]
    stacks: tuple[bool, ...]
    made: tuple[bool, ...]


class Halves(NamedTuple):
    """The two bodies.

    Attributes
    ----------
    forward : Program
        (i, constants, more constants, state, elements) → (state, elements, kept values)
    backward : Program
        (i, constants, more constants, cotangents of the state, those of the constants so far, elements, kept values,
        cotangents of the new elements) → (cotangents of the state, those of the constants, those of the elements)
    more : list of array
        Constants that came with the derivative.
    """

    forward: Program
    backward: Program
    more: list[Any]


def halves(call: LoopCall, active: Active) -> Halves:
    """Return the bodies of the two loops, made once for each set of differentiated operands."""
    return derived_from(call.body, ("halves", active), lambda: _cut(*adjoint(call, active), call))


def adjoint(call: LoopCall, active: Active) -> tuple[Program, list[Any], list[int]]:
    """Return the adjoint of one iteration; its constants that are not uniform; and the numbers of its inputs.

    (i, constants, more constants, state, elements, cotangents of state, of constants, of new elements) →
    (state, new elements, cotangents of state, of constants, of elements)
    """
    return derived_from(call.body, ("adjoint", active), lambda: _adjoint(call, active))


def _adjoint(call: LoopCall, active: Active) -> tuple[Program, list[Any], list[int]]:
    constants, state = [list(map(type_of, xs)) for xs in (call.constants, call.state)]
    elements = [element_type(type_of(x)) for x in call.stacks]
    made = call.element_types
    sizes = [1, len(constants), len(state), len(elements)]

    def chosen(types: Sequence[ArrayType], flags: Sequence[bool]) -> list[ArrayType]:
        return [t for t, f in zip(types, flags, strict=True) if f]

    with Stage() as stage:
        values = [stage.input(t) for t in (COUNTER, *constants, *state, *elements)]
        cts_of_state = [stage.input(t) for t in chosen(state, active.state)]
        totals = [stage.input(t) for t in chosen(constants, active.constants)]
        cts_of_made = [stage.input(t) for t in chosen(made, active.made)]
        flags = (False, *active.constants, *active.state, *active.stacks)
        tape = Tape()
        with tape:
            roots = [tape.input(x) if f else None for x, f in zip(values, flags, strict=True)]
            outs = call.body.evaluate(*(x if r is None else r for x, r in zip(values, roots, strict=True)))
        with derivative_arithmetic():
            sweep = tape.sweep()
            _, of_constants, of_state, of_elements = split(roots, sizes)
            for root, total in zip([r for r in of_constants if r is not None], totals, strict=True):
                sweep.add(root.slot, total, False)  # each share is added to the total, in place where it can be
            cts = iter((*cts_of_state, *cts_of_made))
            for o, flag in zip(outs, (*active.state, *active.made), strict=True):
                ct = next(cts) if flag else None
                if ct is not None and tape.slot_of(o) >= 0:
                    sweep.add(tape.slot_of(o), ct, False)
            sweep.run(0, len(tape.entries))
            back = []
            for some, types in ((of_state, state), (of_constants, constants), (of_elements, elements)):
                for r, t in zip(some, types, strict=True):
                    if r is not None:
                        ct = sweep.cotangents[r.slot]
                        back.append(zeros_of(t) if ct is None else narrow(ct, t))
        program = stage.program(call.body.name, [*map(tape.value_of, outs), *back])
    program, more = closed(program, 1 + len(constants))
    return (
        without_repetitions(program),
        more,
        [1, len(constants) + len(more), len(state), len(elements), len(cts_of_state), len(totals), len(cts_of_made)],
    )


def _cut(program: Program, more: list[Any], sizes: list[int], call: LoopCall) -> Halves:
    """Divide the operations between the two loops."""
    i, constants, state, elements, cts_of_state, totals, cts_of_made = split(program.inputs, sizes)
    results = program.outputs[len(call.body.outputs) :]
    late: set[Any] = {*cts_of_state, *totals, *cts_of_made}
    early_operations: list[Operation] = []
    late_operations: list[Operation] = []
    for op in program.operations:
        if any(a in late for a in op.inputs):
            late.update(op.outputs)
            late_operations.append(op)
        else:
            early_operations.append(op)
    backward = without_unused(Program(program.name, program.inputs, (), late_operations, results))
    read = [a for op in backward.operations for a in op.inputs] + list(results)
    needed = [v for v in dict.fromkeys(read) if isinstance(v, Variable) and v not in late]
    chosen = choose_kept(early_operations, [*i, *constants, *elements], state, needed)
    kept = [v for v in (*state, *(v for op in early_operations for v in op.outputs)) if v in chosen]
    outputs = program.outputs[: len(call.body.outputs)]
    forward = Program(program.name, (*i, *constants, *state, *elements), (), early_operations, [*outputs, *kept])
    again = [op for op in early_operations if not any(v in chosen for v in op.outputs)]
    inputs = (*i, *constants, *cts_of_state, *totals, *elements, *kept, *cts_of_made)
    second = Program(f"{program.name}*", inputs, (), [*again, *backward.operations], results)
    return Halves(without_unused(forward), without_unused(second), more)


def without_inputs(program: Program, numbers: Sequence[int]) -> Program:
    """Return the program with zeros in place of the inputs of these numbers."""
    if not numbers:
        return program
    zeros = [program.inputs[n] for n in numbers]
    made = [Operation(broadcast_to, (Literal(v.type.dtype.type(0)),), {"shape": v.type.shape}, (v,)) for v in zeros]
    inputs = [v for n, v in enumerate(program.inputs) if n not in numbers]
    return without_unused(Program(program.name, inputs, (), [*made, *program.operations], program.outputs))
