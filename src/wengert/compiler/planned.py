"""Loops and branches over long arrays: an iteration is a schedule of kernels, as a whole program is.

Each value of the state has a place of its own, the memory of the loop's result. Where an iteration can, it stores the
new value in place of the old one; otherwise into a second place, and the two change their roles after each iteration.
Temporary arrays share memory that is there for the whole loop.

What cannot be written like this either, because an operation in it is done by NumPy, is left to the interpreter as a
whole: `unwritable` says which loops those are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler import iterations, loops
from wengert.compiler.buffers import Place, nbytes
from wengert.compiler.frame import Memory, Uniform, Unit
from wengert.compiler.iterations import IterationWriter
from wengert.compiler.locations import size_of
from wengert.compiler.lowering import Register, memory_type
from wengert.compiler.plan import Plan, make_plan
from wengert.compiler.schedule import Schedule
from wengert.compiler.sequential import Sequential
from wengert.compiler.stacks import Stack
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import LoopCall
from wengert.transforms.loops import loop
from wengert.transforms.programs import derived_from

_I64 = ir.IntType(64)
_I8P = ir.IntType(8).as_pointer()


def unwritable(program: Program) -> frozenset[int]:
    """The loops and branches of a program that the interpreter has to run, by identity of the operation.

    Stacks of unknown length are in native memory or in Python's: all of them, or none.
    """
    control = [op for op in program.operations if op.primitive in (loop, branch)]
    bad = {id(op) for op in control if not _is_writable(op)}
    dynamic = {id(op) for op in control if op.params.get("handles")}
    return frozenset(bad | dynamic if bad & dynamic else bad)


def _is_writable(op: Operation) -> bool:
    return iterations.is_writable(op) or _has_plan(op)


def _has_plan(op: Operation) -> bool:
    programs = op.params["branches"] if op.primitive is branch else (op.params["body"], op.params["condition"])
    return all(p is None or _plan(p) is not None for p in programs)


def _plan(program: Program, carried: tuple[int, ...] = ()) -> Plan | None:
    """The plan of one iteration; None if NumPy would have to do a part of it."""

    def make() -> Plan | None:
        if program.constants or unwritable(program):
            return None
        stored: list[Variable] = []
        while True:
            try:
                plan = make_plan(program, stored, carried=frozenset(program.inputs[j] for j in carried))
                if plan.calls:
                    return None
                for step in plan.steps:
                    if isinstance(step, loops.Kernel):
                        loops.KernelWriter(plan, step).pieces()
                return plan
            except loops.CannotPull as problem:
                stored.append(problem.variable)

    return derived_from(program, ("plan", carried), make)


def iteration_writer(
    operation: Operation, over: dict[Variable, Variable], uniform: dict[Variable, Any]
) -> IterationWriter:
    """What writes a loop or branch: with its state in registers where that is possible, and it is small enough."""
    in_registers = iterations.is_writable(operation) and not (iterations.is_wide(operation) and _has_plan(operation))
    return (IterationWriter if in_registers else PlannedWriter)(operation, over, uniform)


class _Round:
    """A program as a part of a function: its schedule, and where its results go."""

    def __init__(
        self, program: Program, unit: Unit, writer: Sequential, wanted: dict[int, Place], carried: dict[int, Place]
    ) -> None:
        plan = _plan(program, tuple(carried))
        assert plan is not None
        self.program, self.writer = program, writer
        goals: dict[Variable, Place] = {}
        inputs = set(program.inputs)
        for j, place in wanted.items():
            atom = program.outputs[j]
            if isinstance(atom, Variable) and plan.root(atom) not in inputs:
                goals.setdefault(plan.root(atom), place)
        fixed = {v: Place("input", j) for j, v in enumerate(program.inputs) if j not in carried}
        given = {program.inputs[j]: place for j, place in carried.items()}
        homes = {place: nbytes(program.inputs[j]) for j, place in carried.items()}
        for j, place in wanted.items():
            atom = program.outputs[j]
            if isinstance(atom, Variable):
                homes.setdefault(place, nbytes(atom))
        kept = _passed_on(program, plan)
        self.schedule = Schedule(plan, fixed=fixed, wanted=goals, homes=homes, given=given, kept=kept)
        self.parts = self.schedule.write(plan.steps, unit)
        self.workspace = writer.frame.reserve(self.schedule.layout.workspace)

    def place(self, number: int) -> Place | None:
        """Where result `number` is; None for a literal."""
        atom = self.program.outputs[number]
        return self.schedule.place(atom) if isinstance(atom, Variable) else None

    def emit(self, pointer: Callable[[Place], Register]) -> None:
        """Emit the steps; `pointer` gives the address of a place that is not in the workspace."""
        frame = self.writer.frame
        self.pointer = pointer
        self.schedule.emit(self.parts, self.writer.em, self.address, frame.status, lambda: frame.exit)

    def address(self, v: Variable) -> Register:
        """Pointer to an array."""
        place = self.schedule.place(v)
        if place.kind != "temp":
            return self.pointer(place)
        b = self.writer.builder
        return b.gep(self.workspace(b), [ir.Constant(_I64, place.number)])

    def result(self, number: int) -> Any:
        """A result, in memory or as a number."""
        atom = self.program.outputs[number]
        if isinstance(atom, Literal):
            return atom
        pointer_type = memory_type(atom.type.dtype).as_pointer()
        return Memory(self.writer.builder.bitcast(self.address(atom), pointer_type), atom.type, False)


class PlannedWriter(IterationWriter):
    """Writes a loop or branch whose programs are schedules."""

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        self.unit = unit
        super().write(unit, name)

    def emit(self, writer: Sequential, env: dict[Variable, Any], targets: list[Memory]) -> None:
        """Emit the body of the function."""
        if self.operation.primitive is branch:
            self._emit_branch(writer, env, targets)
        else:
            self._emit_loop(writer, env, targets)

    def _operand(self, writer: Sequential, env: dict[Variable, Any], atom: Any, v: Variable) -> Register:
        """Pointer to an operand, which is only read."""
        x = writer.read(atom, env)
        if not isinstance(x, Memory):
            if not isinstance(x, Uniform):
                x = writer.converted(x, np.result_type(atom.value), v.type.dtype)
            x = writer.in_memory(x, v.type)
        return writer.builder.bitcast(x.pointer, _I8P)

    def _put(self, writer: Sequential, x: Any, target: Memory) -> None:
        """Copy a result to where it should be."""
        if isinstance(x, Literal):
            x = Uniform(target.type.dtype.type(x.value), target.type)
        writer.in_memory(x, target.type, target)

    # Branches --------------------------------------------------------------------------------------------------------

    def _emit_branch(self, writer: Sequential, env: dict[Variable, Any], targets: list[Memory]) -> None:
        b = writer.builder
        case_atom, *atoms = self.operation.inputs
        cases: tuple[Program, ...] = self.operation.params["branches"]
        operands = [self._operand(writer, env, a, v) for a, v in zip(atoms, cases[0].inputs, strict=True)]
        blocks, done = writer.cases(writer.elements(writer.read(case_atom, env)), case_atom, len(cases))
        for case, block in zip(cases, blocks, strict=True):
            b.position_at_end(block)
            wanted = {j: Place("output", j) for j in range(len(targets))}
            round_ = _Round(case, self.unit, writer, wanted, {})

            def pointer(place: Place) -> Register:
                return operands[place.number] if place.kind == "input" else targets[place.number].pointer

            round_.emit(pointer)
            for j, target in enumerate(targets):
                if round_.place(j) != Place("output", j):
                    self._put(writer, round_.result(j), target)
            b.branch(done)
        b.position_at_end(done)

    # Loops -----------------------------------------------------------------------------------------------------------

    def _emit_loop(self, writer: Sequential, env: dict[Variable, Any], targets: list[Memory]) -> None:
        call, frame, b = LoopCall.of(self.operation.inputs, self.operation.params), writer.frame, writer.builder
        body, k, m = call.body, len(call.constants), len(call.state)
        state_variables = body.inputs[1 + k : 1 + k + m]
        constants = [
            self._operand(writer, env, a, v) for a, v in zip(call.constants, body.inputs[1 : 1 + k], strict=True)
        ]
        # State, in the memory of the results; `current` are slots with its addresses.
        for a, v, target in zip(call.state, state_variables, targets, strict=False):
            x = writer.read(a, env)
            if isinstance(x, Memory) and x.pointer is target.pointer:
                continue
            if not isinstance(x, (Memory, Uniform)):
                x = writer.converted(x, np.result_type(a.value), v.type.dtype)
            writer.in_memory(x, v.type, target)
        current = [frame.slot(_I8P) for _ in range(m)]
        for slot, target in zip(current, targets, strict=False):
            b.store(b.bitcast(target.pointer, _I8P), slot)
        trips = writer.trip_count(call, env)
        read = [
            Stack.reading(writer, writer.read(a, env), v.type, call)
            for a, v in zip(call.stacks, body.inputs[1 + k + m :], strict=True)
        ]
        read_uniform = [
            b.bitcast(writer.in_memory(s.source._replace(type=s.element_type), s.element_type).pointer, _I8P)
            if isinstance(s.source, Uniform)
            else None
            for s in read
        ]
        made = [
            Stack.making(writer, t, call, trips, target)
            for t, target in zip(call.element_types, targets[m:], strict=False)
        ]
        round_, swapped = self._rounds(writer, body, k, m, len(made))
        following = {j: frame.slot(_I8P) for j in swapped}
        for j in swapped:
            b.store(b.bitcast(frame.allocate(b, state_variables[j].type).pointer, _I8P), following[j])
        condition = None
        if call.condition is not None:
            condition = _Round(call.condition, self.unit, writer, {}, {})
        counter = frame.slot(_I64)
        count = frame.slot(_I64)
        b.store(ir.Constant(_I64, 0), count)
        header, inside, done = (b.append_basic_block(name) for name in ("loop", "body", "done"))
        b.branch(header)
        b.position_at_end(header)
        number = b.load(count)
        b.cbranch(b.icmp_signed("<", number, trips), inside, done)
        b.position_at_end(inside)
        if condition is not None:
            states = [b.load(slot) for slot in current]
            condition.emit(lambda place: [*constants, *states][place.number])
            truth = condition.result(0)
            if isinstance(truth, Literal):
                truth = ir.Constant(ir.IntType(1), int(bool(truth.value)))
            else:
                (truth,) = writer.elements(truth).ravel()
            going_on = b.append_basic_block("go_on")
            b.cbranch(truth, going_on, done)
            b.position_at_end(going_on)
        i = number
        if call.reverse:
            i = b.sub(b.sub(trips, ir.Constant(_I64, 1)), number)
        b.store(i, counter)
        for stack in made:
            stack.make_room(number)
        states = [b.load(slot) for slot in current]
        others = {j: b.load(slot) for j, slot in following.items()}
        inputs = [b.bitcast(counter, _I8P), *constants, *([None] * m)]
        inputs += [
            u if u is not None else b.bitcast(s.place(i, s.element_type).pointer, _I8P)
            for s, u in zip(read, read_uniform, strict=True)
        ]
        new_elements = [s.place(i, s.element_type) for s in made]
        byte_pointers = [b.bitcast(x.pointer, _I8P) for x in new_elements]

        def pointer(place: Place) -> Register:
            kinds = {"input": inputs, "state": states, "next": others, "made": byte_pointers}
            return kinds[place.kind][place.number]

        round_.emit(pointer)
        for j, element in enumerate(new_elements):
            if round_.place(m + j) != Place("made", j):
                self._put(writer, round_.result(m + j), element)
        # Other state that is not where it should be: all of it is read before any is written.
        moved: dict[int, Any] = {}
        for j, v in enumerate(state_variables):
            if round_.place(j) not in (Place("state", j), Place("next", j)):
                x = round_.result(j)
                place = round_.place(j)
                if place is not None and place.kind == "state":
                    x = writer.in_memory(x, v.type)
                moved[j] = x
        for j, x in moved.items():
            v = state_variables[j]
            typed = b.bitcast(states[j], memory_type(v.type.dtype).as_pointer())
            self._put(writer, x, Memory(typed, v.type, True))
        for j in swapped:
            b.store(others[j], current[j])
            b.store(states[j], following[j])
        b.store(b.add(number, ir.Constant(_I64, 1), flags=("nsw",)), count)
        b.branch(header)
        b.position_at_end(done)
        for j in swapped:
            self._bring_home(writer, b.load(current[j]), targets[j])
        for stack, target in zip(made, targets[m:], strict=False):
            x = stack.result()
            if not (isinstance(x, Memory) and x.pointer is target.pointer):
                writer.in_memory(x, target.type, target)
        if call.condition is not None:
            b.store(b.load(count), targets[-1].pointer)

    def _rounds(self, writer: Sequential, body: Program, k: int, m: int, made: int) -> tuple[_Round, list[int]]:
        """One iteration, and the state that it stores in a second place."""
        carried = {1 + k + j: Place("state", j) for j in range(m)}
        wanted = {m + j: Place("made", j) for j in range(made)}
        plan = _plan(body, tuple(carried))
        assert plan is not None
        first = _layout_of_state(body, plan, carried, wanted, m)
        swapped = [j for j in range(m) if not first[j]]
        wanted |= {j: Place("next" if j in swapped else "state", j) for j in range(m)}
        round_ = _Round(body, self.unit, writer, wanted, carried)
        return round_, [j for j in swapped if round_.place(j) == Place("next", j)]

    def _bring_home(self, writer: Sequential, pointer: Register, target: Memory) -> None:
        """Copy final state to the result, if it is in the other place."""
        b = writer.builder
        home = b.bitcast(target.pointer, _I8P)
        away, there = b.append_basic_block("away"), b.append_basic_block("there")
        b.cbranch(b.icmp_unsigned("==", pointer, home), there, away)
        b.position_at_end(away)
        typed = b.bitcast(pointer, memory_type(target.type.dtype).as_pointer())
        writer.in_memory(Memory(typed, target.type, False), target.type, target)
        b.branch(there)
        b.position_at_end(there)


def _passed_on(program: Program, plan: Plan) -> list[Variable]:
    """The inputs that are results: nothing may be stored over them."""
    return [v for v in program.inputs if any(isinstance(a, Variable) and plan.root(a) is v for a in program.outputs)]


def _layout_of_state(
    body: Program, plan: Plan, carried: dict[int, Place], wanted: dict[int, Place], m: int
) -> list[bool]:
    """Which values of the state an iteration can store in place of the old ones."""
    inputs = set(body.inputs)
    goals: dict[Variable, Place] = {}
    for j, place in {**{j: Place("state", j) for j in range(m)}, **wanted}.items():
        atom = body.outputs[j]
        if isinstance(atom, Variable) and plan.root(atom) not in inputs:
            goals.setdefault(plan.root(atom), place)
    given = {body.inputs[j]: place for j, place in carried.items()}
    homes = {place: nbytes(body.inputs[j]) for j, place in carried.items()}
    homes |= {place: nbytes(body.outputs[j]) for j, place in wanted.items() if isinstance(body.outputs[j], Variable)}  # type: ignore[arg-type]
    fixed = {v: Place("input", j) for j, v in enumerate(body.inputs) if j not in carried}
    kept = _passed_on(body, plan)
    schedule = Schedule(plan, fixed=fixed, wanted=goals, homes=homes, given=given, kept=kept)
    result = []
    for j in range(m):
        atom = body.outputs[j]
        if not isinstance(atom, Variable) or plan.root(atom) in inputs or size_of(atom) <= 1:
            result.append(True)  # copied, where it is not in place
        else:
            result.append(schedule.place(atom) == Place("state", j))
    return result
