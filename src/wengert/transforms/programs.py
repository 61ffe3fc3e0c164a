"""Derivatives of a recorded program, as programs.

An operation that holds a `Program` (the map of a function over examples, a loop, a branch) needs the derivative of that
program as a program again: then its own derivative is the same kind of operation, at any order. Both functions here
record what the transforms do: the program is evaluated on dual numbers, or on a Wengert list that is walked back, whose
numbers are staged.

Which arguments are differentiated is said by flags, one for each input of the program; only real and complex
floating-point inputs can be. Tangents and cotangents have the types of what they belong to. Results that are zero,
whatever the numbers are, are left out, and flags say which ones are there.

What is derived from a program is kept with it, so that it is recorded once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from wengert.core.combinators import narrow, widen
from wengert.core.program import Literal, Program, Variable, content
from wengert.core.residuals import derivative_arithmetic
from wengert.core.staging import Stage, Staged
from wengert.core.values import ArrayType, type_of
from wengert.transforms.forward import Dual, Forward
from wengert.transforms.reverse import Tape

_Derived = TypeVar("_Derived")


class Derivative(NamedTuple):
    """A derived program, and which of the possible results it has."""

    program: Program
    present: tuple[bool, ...]


class Origin(NamedTuple):
    """What a program was derived from, and how: `Program.origin` of what the functions below return."""

    kind: str
    program: Program
    wrt: tuple[bool, ...]
    cts: tuple[bool, ...] = ()  # pullbacks: the outputs that have a cotangent
    primals: bool = False  # pushforwards: whether the outputs come first
    present: tuple[bool, ...] = ()
    size: int = 0  # maps over the inputs in `wrt` (`wengert.transforms.mapped`)


def pushforward_program(program: Program, wrt: Sequence[bool], *, primals: bool = True) -> Derivative:
    """Return the program of outputs and their tangents.

    Parameters
    ----------
    program : Program
        What to differentiate.
    wrt : sequence of bool
        The inputs that have a tangent.
    primals : bool
        Whether the outputs themselves are wanted, too.

    Returns
    -------
    Derivative
        A program from the inputs, and then the tangents of those in `wrt`, to the outputs (if wanted) and then the
        tangents of those outputs that `present` flags: the others have none, or one that is always zero.
    """
    wrt = tuple(wrt)

    def make() -> Derivative:
        with Stage() as stage:
            values, run = _evaluation(stage, program)
            dots = [stage.input(v.type) for v, t in zip(program.inputs, wrt, strict=True) if t]
            with Forward() as level:
                remaining = iter(dots)
                outs = run([level.make(x, next(remaining)) if t else x for x, t in zip(values, wrt, strict=True)])
                pairs = [(o.primal, o.tangent) if isinstance(o, Dual) and o.level is level else (o, None) for o in outs]
            types = types_of_outputs(program)
            tangents = [None if d is None else widen(d, t) for (_, d), t in zip(pairs, types, strict=True)]
            results = [o for o, _ in pairs] if primals else []
            derived = stage.program(f"{program.name}′", [*results, *(d for d in tangents if d is not None)])
        present = tuple(d is not None for d in tangents)
        derived.origin = Origin("pushforward", program, wrt, (), primals, present)
        return Derivative(derived, present)

    return derived_from(program, ("pushforward", wrt, primals), make)


def pullback_program(program: Program, wrt: Sequence[bool], cts: Sequence[bool]) -> Derivative:
    """Return the program that computes cotangents of inputs: it starts from the inputs, and keeps nothing in between.

    Parameters
    ----------
    program : Program
        What to differentiate.
    wrt : sequence of bool
        The inputs whose cotangents are wanted.
    cts : sequence of bool
        The outputs that have a cotangent; those of the others are zero.

    Returns
    -------
    Derivative
        A program from the inputs, and then the cotangents of the outputs in `cts`, to the cotangents of those inputs
        that `present` flags (one flag for each input): the others are not in `wrt`, or theirs are always zero.
    """
    wrt, cts = tuple(wrt), tuple(cts)

    def make() -> Derivative:
        with Stage() as stage:
            _, back = _reverse(stage, program, wrt, cts)
            derived = stage.program(f"{program.name}*", [c for c in back if c is not None])
        present = tuple(c is not None for c in back)
        derived.origin = Origin("pullback", program, wrt, cts, False, present)
        return Derivative(derived, present)

    return derived_from(program, ("pullback", wrt, cts), make)


class SplitPullback(NamedTuple):
    """A pullback in two programs: `forward` computes, besides the outputs, what `backward` has to know (residuals)."""

    forward: Program  # inputs → outputs, residuals
    backward: Program  # inputs, residuals, cotangents of the outputs in `cts` → cotangents of the inputs in `present`
    present: tuple[bool, ...]  # for each input, whether `backward` returns its cotangent
    read: tuple[bool, ...]  # for each input, whether `backward` reads it
    residuals: tuple[ArrayType, ...]


def split_pullback(program: Program, wrt: Sequence[bool], cts: Sequence[bool]) -> SplitPullback:
    """Return the two halves of the walk forwards and back, for whoever runs them at different times.

    Parameters
    ----------
    program, wrt, cts
        As for `pullback_program`.

    Returns
    -------
    SplitPullback
        The backward program reads the inputs again; other values that it needs, the forward program returns.
    """
    wrt, cts = tuple(wrt), tuple(cts)

    def make() -> SplitPullback:
        stage = Stage()
        with stage:
            outs, back = _reverse(stage, program, wrt, cts)
            outputs = [stage.atom(o) for o in outs]
            results = [stage.atom(c) for c in back if c is not None]
            constants = stage.program(program.name, []).constants
        # What depends on a cotangent is the way back; what is before it and needed there is kept.
        inputs, given = stage.inputs[: len(program.inputs)], stage.inputs[len(program.inputs) :]
        late: set[Variable] = set(given)
        forward, backward = [], []
        for op in stage.operations:
            if any(isinstance(a, Variable) and a in late for a in op.inputs):
                late.update(op.outputs)
                backward.append(op)
            else:
                forward.append(op)
        outside = {*inputs, *late, *(v for v, _ in constants)}
        used = {a: None for op in backward for a in op.inputs if isinstance(a, Variable)}
        used.update((a, None) for a in results if isinstance(a, Variable))
        residuals = [v for v in used if v not in outside]
        first = Program(program.name, inputs, constants, forward, [*outputs, *residuals])
        second = Program(f"{program.name}*", [*inputs, *residuals, *given], constants, backward, results)
        return SplitPullback(
            without_unused(first),
            without_unused(second),
            tuple(c is not None for c in back),
            tuple(v in used for v in inputs),
            tuple(v.type for v in residuals),
        )

    return derived_from(program, ("split", wrt, cts), make)


def without_unused(program: Program) -> Program:
    """Return the program without operations and constants that no output depends on."""
    needed = {a for a in program.outputs if isinstance(a, Variable)}
    kept = []
    for op in reversed(program.operations):
        if any(v in needed for v in op.outputs):
            kept.append(op)
            needed.update(a for a in op.inputs if isinstance(a, Variable))
    constants = [(v, x) for v, x in program.constants if v in needed]
    return Program(program.name, program.inputs, constants, kept[::-1], program.outputs)


def without_repetitions(program: Program) -> Program:
    """Return the program without operations that are equal to earlier ones."""
    known: dict[Any, tuple[Variable, ...]] = {}
    same: dict[Any, Variable] = {}
    operations = []
    for op in program.operations:
        inputs = tuple(same.get(a, a) if isinstance(a, Variable) else a for a in op.inputs)
        atoms = tuple(a if isinstance(a, Variable) else (type(a.value), repr(a.value)) for a in inputs)
        before = known.setdefault((op.primitive.number, atoms, content(op.params)), op.outputs)
        if before is op.outputs:
            operations.append(op._replace(inputs=inputs))
        else:
            same.update(zip(op.outputs, before, strict=True))
    outputs = [same.get(a, a) if isinstance(a, Variable) else a for a in program.outputs]
    return Program(program.name, program.inputs, program.constants, operations, outputs)


def types_of_outputs(program: Program) -> list[ArrayType]:
    """Types of a program's outputs."""
    return [type_of(a.value) if isinstance(a, Literal) else a.type for a in program.outputs]


def derived_from(program: Program, key: Any, make: Callable[[], _Derived]) -> _Derived:
    """Return what `make` makes of a program, made once for each key and kept with the program."""
    if key not in program.derived:
        program.derived[key] = make()
    return program.derived[key]


def _evaluation(stage: Stage, program: Program) -> tuple[list[Staged], Callable[[Sequence[Any]], Sequence[Any]]]:
    """Staged inputs for a program, and what evaluates it on values; its constants stay constants of the stage."""
    inputs = [stage.input(v.type) for v in program.inputs]
    constants = []
    for v, x in program.constants:
        if isinstance(x, np.ndarray):  # staged as it is: nobody writes to it, so that it needs no copy
            _, versions = stage.constants.setdefault(id(x), (x, [(stage.variable(v.type), x)]))
            x = stage.staged(versions[0][0])
        constants.append(x)
    names = [v for v, _ in program.constants]
    closed = Program(program.name, (*program.inputs, *names), (), program.operations, program.outputs)
    return inputs, lambda args: closed.evaluate(*args, *constants)


def _reverse(
    stage: Stage, program: Program, wrt: tuple[bool, ...], cts: tuple[bool, ...]
) -> tuple[list[Any], list[Any]]:
    """Outputs, and cotangents of the inputs (None for zero), computed from staged inputs and staged cotangents."""
    values, run = _evaluation(stage, program)
    types = types_of_outputs(program)
    given = [stage.input(t) if c else None for t, c in zip(types, cts, strict=True)]
    tape = Tape()
    with tape:
        roots = [tape.input(x) if t else None for x, t in zip(values, wrt, strict=True)]
        outs = run([x if r is None else r for x, r in zip(values, roots, strict=True)])
    with derivative_arithmetic():
        sweep = tape.sweep()
        for o, ct in zip(outs, given, strict=True):
            if ct is not None and tape.slot_of(o) >= 0:
                sweep.add(tape.slot_of(o), ct, False)
        sweep.run(0, len(tape.entries))
        back = [None if r is None else sweep.cotangents[r.slot] for r in roots]
        back = [None if c is None else narrow(c, v.type) for c, v in zip(back, program.inputs, strict=True)]
    return [tape.value_of(o) for o in outs], back
