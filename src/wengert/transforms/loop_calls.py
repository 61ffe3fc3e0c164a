"""What a loop consists of: `LoopCall`, and how one is put together.

See `wengert.transforms.loops` for what a loop is. Here is what all its transforms need: recording a body, finding out
what depends on what, and tidying up: state that does not change becomes a constant, and what is the same in all
iterations is computed before the loop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from wengert.core.combinators import Elementwise, Linear, Multilinear, NonDifferentiable, broadcast_to, reshape
from wengert.core.primitive import PRIMITIVE_BY_NAME
from wengert.core.program import Literal, Operation, Program, Variable, uniform_value
from wengert.core.staging import record
from wengert.core.values import ArrayType, type_of
from wengert.rules.structural import transpose
from wengert.transforms.programs import types_of_outputs, without_unused

#: The length of an axis that is known only when the program runs.
DYNAMIC = -1
COUNTER = ArrayType((), np.dtype(np.int64))
#: The largest number of iterations, for a loop that ends by its condition.
FOREVER = np.int64(np.iinfo(np.int64).max)
#: For a loop whose body is recorded next (`LoopCall.recorded`).
NO_BODY = Program("loop", (), (), (), ())


class Stack:
    """Elements of a stack of unknown length, in the interpreter."""

    def __init__(self, items: list[Any], element: ArrayType, axis: int) -> None:
        self.items = items
        self.shape = stack_type(element, None, axis).shape
        self.dtype = element.dtype

    def __getitem__(self, i: Any) -> Any:
        return self.items[int(i)]

    def __add__(self, other: Stack) -> Stack:
        items = [a + b for a, b in zip(self.items, other.items, strict=True)]
        return Stack(items, element_type(ArrayType(self.shape, self.dtype)), self.shape.index(DYNAMIC))


def stack_type(element: ArrayType, trips: int | None, axis: int = 0) -> ArrayType:
    """Type of a stack.

    If its length is not known, or its elements are such stacks, then it is no array: the new axis is shown as of
    unknown length, at the place `axis`.
    """
    if trips is not None and DYNAMIC not in element.shape:
        return ArrayType((trips, *element.shape), element.dtype)
    return ArrayType((*element.shape[:axis], DYNAMIC, *element.shape[axis:]), element.dtype)


def element_type(stack: ArrayType) -> ArrayType:
    """Type of the elements of a stack; the stacked axis is the first of unknown length, or else the first."""
    axis = stack.shape.index(DYNAMIC) if DYNAMIC in stack.shape else 0
    return ArrayType(stack.shape[:axis] + stack.shape[axis + 1 :], stack.dtype)


class LoopCall(NamedTuple):
    """The operands and parameters of one loop, taken apart.

    Attributes
    ----------
    body : Program
        One iteration.
    condition : Program or None
        Whether to go on; None for a counted loop.
    trips : int or None
        Number of iterations, if it is known.
    n : integer or None
        Number of iterations (the largest one, if there is a condition) otherwise.
    constants, state, stacks : list
        Operands of the iterations: the same for all, the initial state, and what is read element by element.
    reverse : bool
        Whether the iterations, and with them the elements of all stacks, are taken from the last to the first.
    axis : int
        Where the axis of unknown length is shown in the types of new stacks (1 inside one vmap, and so on).
    slots : int or None
        Number of snapshots that reverse mode may keep (`wengert.transforms.loop_checkpoints`); None for no limit.
    """

    body: Program
    condition: Program | None
    trips: int | None
    n: Any
    constants: list[Any]
    state: list[Any]
    stacks: list[Any]
    reverse: bool = False
    axis: int = 0
    slots: int | None = None

    @staticmethod
    def of(args: Sequence[Any], params: dict[str, Any]) -> LoopCall:
        """Take the operands and parameters of the primitive apart."""
        rest = list(args)
        n = rest.pop(0) if params["trips"] is None else None
        first, second = params["constants"], params["constants"] + params["state"]
        return LoopCall(
            params["body"], params["condition"], params["trips"], n, rest[:first], rest[first:second], rest[second:],
            params["reverse"], params["axis"], params["slots"],
        )  # fmt: skip

    @property
    def name(self) -> str:
        """Name of the body."""
        return self.body.name

    @property
    def operands(self) -> list[Any]:
        """The operands of the primitive."""
        return [*([] if self.trips is not None else [self.n]), *self.constants, *self.state, *self.stacks]

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the primitive."""
        return {
            "body": self.body,
            "condition": self.condition,
            "trips": self.trips,
            "constants": len(self.constants),
            "state": len(self.state),
            "reverse": self.reverse,
            "axis": self.axis,
            "slots": self.slots,
        }

    @property
    def changing(self) -> list[bool]:
        """Which values of the state some iteration changes."""
        first = 1 + len(self.constants)
        variables = self.body.inputs[first : first + len(self.state)]
        return [a is not v for v, a in zip(variables, self.body.outputs, strict=False)]

    def grouped(self, flags: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Split what belongs to each operand into constants, state and stacks."""
        flags = list(flags)[self.trips is None :]
        first, second = len(self.constants), len(self.constants) + len(self.state)
        return flags[:first], flags[first:second], flags[second:]

    def recorded(self, body: Callable[..., Sequence[Any]], condition: Callable[..., Sequence[Any]] | None) -> LoopCall:
        """Return the loop with these operands whose body and condition are the given functions of flat values.

        Arrays and traced values from outside that they use become constants.
        """
        k = len(self.constants)
        constants, state = [list(map(type_of, xs)) for xs in (self.constants, self.state)]
        elements = [element_type(type_of(x)) for x in self.stacks]
        new_body, more = closed(record(body, [COUNTER, *constants, *state, *elements], self.name), 1 + k)
        new_condition, others = None, []
        if condition is not None:
            new_condition, others = closed(record(condition, [*constants, *state], self.name), k)
            new_condition = with_ignored(new_condition, k, map(type_of, more))
        new_body = with_ignored(new_body, 1 + k + len(more), map(type_of, others))
        return self._replace(body=new_body, condition=new_condition, constants=[*self.constants, *more, *others])

    @property
    def element_types(self) -> list[ArrayType]:
        """Types of the elements of the new stacks."""
        return types_of_outputs(self.body)[len(self.state) :]


def inner_programs(op: Operation) -> Iterator[Program]:
    """The programs that an operation holds."""
    for value in op.params.values():
        for x in value if isinstance(value, tuple) else (value,):
            if isinstance(x, Program):
                yield x


def closed(program: Program, at: int) -> tuple[Program, list[Any]]:
    """Return the program without constants, and the values for further inputs, from number `at` on, that replace them.

    Arrays of one number are made where they are used.
    """
    operations, inputs, values = [], [], []
    for v, x in program.constants:
        number = uniform_value(x)
        if number is None:
            inputs.append(v)
            values.append(x)
        else:
            operations.append(Operation(broadcast_to, (Literal(number),), {"shape": v.type.shape}, (v,)))
    inputs = (*program.inputs[:at], *inputs, *program.inputs[at:])
    operations.extend(program.operations)
    return without_unused(Program(program.name, inputs, (), operations, program.outputs)), values


def with_ignored(program: Program, at: int, types: Iterable[ArrayType]) -> Program:
    """Return the program with further inputs from number `at` on, which it does not read."""
    ignored = [Variable(-1 - j, t) for j, t in enumerate(types)]
    inputs = (*program.inputs[:at], *ignored, *program.inputs[at:])
    return Program(program.name, inputs, program.constants, program.operations, program.outputs)


def close_all(programs: Sequence[Program], count: int) -> tuple[tuple[Program, ...], list[Any]]:
    """Return programs of `count` inputs without constants; what they had follows the inputs of all of them."""
    results = [closed(p, count) for p in programs]
    values = [x for _, more in results for x in more]
    padded = []
    before = 0
    for program, more in results:
        after = values[before + len(more) :]
        program = with_ignored(program, count, map(type_of, values[:before]))
        padded.append(with_ignored(program, count + before + len(more), map(type_of, after)))
        before += len(more)
    return tuple(padded), values


def without_fixed_state(call: LoopCall) -> LoopCall:
    """Make constants of the values of the state that stay as they are."""
    changing = call.changing
    if all(changing):
        return call

    def reordered(constants: Sequence[Any], state: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        fixed = [x for x, c in zip(state, changing, strict=True) if not c]
        return [*constants, *fixed], [x for x, c in zip(state, changing, strict=True) if c]

    def rebuilt(program: Program, first: int) -> Program:
        before, cs, ss, es = split(
            program.inputs,
            [
                first,
                len(call.constants),
                len(call.state),
                len(program.inputs) - first - len(call.constants) - len(call.state),
            ],
        )
        cs, ss = reordered(cs, ss)
        return Program(program.name, (*before, *cs, *ss, *es), (), program.operations, program.outputs)

    body = rebuilt(call.body, 1)
    m = len(call.state)
    outputs = [a for a, c in zip(body.outputs[:m], changing, strict=True) if c] + list(body.outputs[m:])
    constants, state = reordered(call.constants, call.state)
    return call._replace(
        body=Program(body.name, body.inputs, (), body.operations, outputs),
        condition=None if call.condition is None else rebuilt(call.condition, 0),
        constants=constants,
        state=state,
    )


_MOVES = (broadcast_to, reshape, transpose)


def hoisted(call: LoopCall) -> LoopCall:
    """Compute what is the same in all iterations before the loop."""
    body, k = call.body, len(call.constants)
    known: dict[Variable, Any] = dict(zip(body.inputs[1 : 1 + k], call.constants, strict=True))
    kept, added = [], []
    for op in body.operations:
        inputs = [a for a in op.inputs if isinstance(a, Variable)]
        safe = isinstance(op.primitive, (Elementwise, Linear, Multilinear)) or bool(call.trips)
        if inputs and safe and not op.primitive.multiple and all(a in known for a in inputs):
            args = [known[a] if isinstance(a, Variable) else a.value for a in op.inputs]
            (v,) = op.outputs
            known[v] = op.primitive.bind(*args, **op.params)
            # What only moves elements is not worth an array of its own in the loop.
            if op.primitive in _MOVES:
                kept.append(op)
            else:
                added.append(v)
        else:
            kept.append(op)
    if not added:
        return call
    first, rest = body.inputs[: 1 + k], body.inputs[1 + k :]
    program = without_unused(Program(body.name, (*first, *added, *rest), (), kept, body.outputs))
    used = {a for op in program.operations for a in op.inputs} | set(program.outputs)
    extra = [v for v in added if v in used]
    program = Program(body.name, (*first, *extra, *rest), (), program.operations, body.outputs)
    condition = call.condition
    if condition is not None:
        condition = with_ignored(condition, k, [v.type for v in extra])
    return call._replace(body=program, condition=condition, constants=[*call.constants, *(known[v] for v in extra)])


def split(values: Sequence[Any], sizes: Sequence[int]) -> list[tuple[Any, ...]]:
    """Cut a sequence into pieces of these sizes."""
    ends = list(itertools.accumulate(sizes))
    assert ends[-1] == len(values), (sizes, len(values))
    return [tuple(values[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def depends(program: Program, flags: Sequence[bool], *, every: bool = False) -> list[bool]:
    """Which outputs depend on the flagged inputs: in any way (`every`), or so that they have a derivative."""
    reached = {v for v, f in zip(program.inputs, flags, strict=True) if f}
    for op in program.operations:
        if not every and isinstance(op.primitive, NonDifferentiable):
            continue
        if any(isinstance(a, Variable) and a in reached for a in op.inputs):
            reached.update(v for v in op.outputs if every or v.type.dtype.kind in "fc")
    return [isinstance(a, Variable) and a in reached for a in program.outputs]


def reached(
    call: LoopCall, constants: Sequence[bool], state: Sequence[bool], stacks: Sequence[bool], *, every: bool = False
) -> list[bool]:
    """Which values of the state come to depend on the flagged operands in the course of the iterations."""
    flags = list(state)
    while True:
        outs = depends(call.body, [False, *constants, *flags, *stacks], every=every)[: len(flags)]
        new = [a or b for a, b in zip(flags, outs, strict=True)]
        if new == flags:
            return flags
        flags = new


def run_loop(call: LoopCall) -> tuple[list[Any], list[Any], Any]:
    """Apply the primitive: the final state, the new stacks, and the number of iterations, if there is a condition.

    State that no iteration changes becomes a constant, and what is the same in all iterations is computed before.
    """
    tidy, changing = hoisted(without_fixed_state(call)), call.changing
    outs = list(PRIMITIVE_BY_NAME["loop"].bind(*tidy.operands, **tidy.params))
    count = outs.pop() if call.condition is not None else None
    updated = iter(outs[: len(tidy.state)])
    state = [next(updated) if c else x for x, c in zip(call.state, changing, strict=True)]
    return state, outs[len(tidy.state) :], count
