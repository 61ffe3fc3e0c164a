"""`trace`: record a computation and write it down, with the values and derivatives of every step.

Nothing is differentiated here: a `Tape` that also remembers the user's lines records the function, `push_range` walks
the list for the tangents and a `Sweep` for the adjoints, stopping at each slot to read what has arrived there.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.containers import flatten, leaf_paths
from wengert.core.primitive import Primitive
from wengert.core.residuals import derivative_arithmetic
from wengert.core.values import Value, shape_of, zeros_of
from wengert.derivatives.calls import Inputs, Outputs, matching_values, private, to_value
from wengert.display.formatting import brief
from wengert.display.symbols import formula, subscript
from wengert.display.wengert_list import Step, WengertList
from wengert.errors import InputTypeError, fail, user_location
from wengert.transforms.checkpoint import checkpoint_entry
from wengert.transforms.inspect import ListeningTape
from wengert.transforms.reverse import Sweep, push_range


def trace(fun: Callable[..., Any], tangents: Any = None, cotangent: Any = None) -> Callable[..., WengertList]:
    """Return a function that runs `fun` and returns its Wengert list: every elementary operation that was executed.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers. Arguments without floating-point leaves are left as they are.
    tangents : tuple, optional
        The direction of the tangents: one entry for each differentiated argument, like it. By default ones for the
        first and zeros for the others.
    cotangent : optional
        Cotangent of the result, like it. By default 1 for a real scalar; other results have no adjoints then.

    Returns
    -------
    callable
        Takes the arguments of `fun`, returns a `WengertList`.

    Raises
    ------
    InputTypeError
        No argument is of floating-point type.

    Notes
    -----
    Reading a table line by line downwards is forward mode, reading the adjoints upwards is reverse mode. Steps inside
    `wengert.checkpoint` have no derivatives of their own (shown as ·). Every value is copied: for small computations.

    References
    ----------
    R. E. Wengert, "A simple automatic derivative evaluation program", Communications of the ACM 7 (1964) 463-464.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import trace
    >>> def f(x, y):
    ...     return np.sin(x * y) + x
    >>> recorded = trace(f)(2.0, 0.0)
    >>> for step in recorded.steps:
    ...     print(step.name, "=", step.formula, "|", step.primal, step.tangent, step.adjoint)
    x =  | 2.0 1.0 1.0
    y =  | 0.0 0.0 2.0
    v₁ = x · y | 0.0 0.0 1.0
    v₂ = sin v₁ | 0.0 0.0 1.0
    v₃ = v₂ + x | 2.0 1.0 1.0
    z = v₃ | 2.0 1.0 1.0
    """

    @functools.wraps(fun)
    def traced(*args: Any, **kwargs: Any) -> WengertList:
        argnums = [n for n, arg in enumerate(args) if _is_differentiable(arg)]
        if not argnums:
            fail(InputTypeError, "trace found no floating-point argument; write 3.0 instead of 3.")
        inputs = Inputs(args, argnums, "trace")
        with RecordingTape() as tape:
            roots = [tape.input(private(v)) for v in inputs.values]
            outputs = Outputs(fun(*inputs.replaced(roots), **kwargs), "trace", tape)
        slots = [tape.slot_of(v) for v in outputs.values]
        count = len(tape.entries)

        if tangents is None:
            first = len(flatten(args[argnums[0]])[0])
            directions = [np.ones_like(v) if i < first else zeros_of(v) for i, v in enumerate(inputs.values)]
        else:
            what = "the tangents and arguments of trace"
            directions = matching_values(inputs.structure, tuple(tangents), inputs.values, what)
        dots = _all_tangents(tape, directions)
        cts = _cotangents(outputs, cotangent)
        adjoints = [None] * count if cts is None else _all_adjoints(tape, slots, cts)
        return _Writer(fun, args, argnums, inputs, tape, dots, adjoints, cts is not None).write(outputs, slots, cts)

    return traced


class RecordingTape(ListeningTape):
    """A tape that remembers, for each slot, what was computed there."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        super().__init__()
        #: slot -> (primitive, arguments: slot or constant, parameters, number of the output, value, location)
        self.events: dict[int, tuple[Primitive, list[Any], dict[str, Any], int | None, Any, Any]] = {}

    def heard(self, start: int, primitive: Primitive, args: Sequence[Any], params: dict[str, Any], out: Any) -> None:
        """Copy the value: later writes in place may reuse its buffer."""
        operands = [self.slot_of(a) if self.slot_of(a) >= 0 else _Constant(private(a)) for a in args]
        outs = out if primitive.multiple else (out,)
        location = user_location()
        for i, o in enumerate(outs):
            if self.slot_of(o) >= 0:
                which = i if primitive.multiple else None
                value = private(self.value_of(o))
                self.events[self.slot_of(o)] = primitive, operands, params, which, value, location


class _Constant:
    """An operand that is not on the list."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _all_tangents(tape: RecordingTape, directions: Sequence[Any]) -> list[Any]:
    """Walk forwards, reading the tangent of each slot before a later write in place can reuse its buffer."""
    count = len(tape.entries)
    tangents: list[Any] = []
    dots = [*directions, *[None] * (count - len(directions))]
    events, tape.events = tape.events, {}  # a checkpoint records again
    with derivative_arithmetic():
        for slot in range(count):
            push_range(tape, dots, slot, slot + 1)
            tangents.append(private(dots[slot]))
    tape.events = events
    return tangents


def _all_adjoints(tape: RecordingTape, slots: list[int], cts: list[Any]) -> list[Any]:
    """Sweep backwards, reading the cotangent of each slot when it is complete."""
    count = len(tape.entries)
    adjoints: list[Any] = [None] * count
    sweep = Sweep(tape)
    for slot, ct in zip(slots, cts, strict=True):
        if slot >= 0:
            sweep.add(slot, ct, False)
    events, tape.events = tape.events, {}  # a checkpoint records again
    with derivative_arithmetic():
        for slot in range(count - 1, -1, -1):
            for s in _slots_taken(tape.entries[slot], slot):
                if sweep.cotangents[s] is not None:
                    adjoints[s] = private(sweep.cotangents[s])
            sweep.run(slot, slot + 1)
    tape.events = events
    return adjoints


def _slots_taken(entry: Any, slot: int) -> list[int]:
    """Slots whose cotangents the sweep takes at this entry: its own, or those of the outputs of a checkpoint."""
    if entry is not None and entry[0] == checkpoint_entry.number:
        start, outputs, *_ = entry[2]
        return [s for s in outputs if s >= start]
    return [slot]


def _cotangents(outputs: Outputs, cotangent: Any) -> list[Any] | None:
    if cotangent is not None:
        return matching_values(outputs.structure, cotangent, outputs.values, "the cotangent and result of trace")
    (out, *more) = outputs.values
    if more or shape_of(out) != () or out.dtype.kind != "f":
        return None
    return [out.dtype.type(1)]


def _is_differentiable(arg: Any) -> bool:
    kinds = [getattr(to_value(x), "dtype", np.dtype(object)).kind for x in flatten(arg)[0]]
    return bool(kinds) and all(k in "fc" for k in kinds)


class _Writer:
    """Turns a tape into a list of steps."""

    def __init__(
        self,
        fun: Callable[..., Any],
        args: Sequence[Any],
        argnums: Sequence[int],
        inputs: Inputs,
        tape: RecordingTape,
        dots: Sequence[Any],
        adjoints: Sequence[Any],
        has_adjoints: bool,
    ) -> None:
        self.tape, self.inputs, self.dots, self.adjoints = tape, inputs, dots, adjoints
        self.has_adjoints = has_adjoints
        arguments = _argument_names(fun, len(args))
        leaf_names = [arguments[n] + path for n in argnums for path in leaf_paths(args[n])]
        self.names = dict(enumerate(leaf_names))
        for i, slot in enumerate(tape.events, 1):
            self.names[slot] = "v" + subscript(i)

    def write(self, outputs: Outputs, slots: list[int], cts: list[Any] | None) -> WengertList:
        """Return all steps: arguments, operations, results."""
        steps = []
        for slot, value in enumerate(self.inputs.values):
            steps.append(self.step(slot, "", "input", (), value, None))
        for slot, (primitive, operands, params, which, value, location) in self.tape.events.items():
            texts = [self.text(o) for o in operands]
            text = formula(primitive.name, texts, params, shape_of(value))
            if which is not None:
                text = f"{text}[{which}]"
            used = tuple(self.names[o] for o in operands if not isinstance(o, _Constant))
            steps.append(self.step(slot, text, primitive.name, used, value, location))
        result = _unused_name(set(self.names.values()))
        paths = leaf_paths(outputs.rebuild(slots))
        for i, (path, slot, value) in enumerate(zip(paths, slots, outputs.values, strict=True)):
            primal = self.tape.value_of(value)
            text = self.names[slot] if slot >= 0 else brief(primal)
            used = (self.names[slot],) if slot >= 0 else ()
            steps.append(
                Step(
                    name=result + path,
                    formula=text,
                    operation="output",
                    operands=used,
                    primal=primal,
                    tangent=self.tangent(slot, primal),
                    adjoint=None if cts is None else cts[i],
                    location=None,
                )
            )
        return WengertList(steps)

    def step(self, slot: int, text: str, operation: str, operands: tuple[str, ...], value: Any, location: Any) -> Step:
        """Return the step of one slot."""
        adjoint = None
        if self.has_adjoints and self.known(slot):
            adjoint = zeros_of(value) if self.adjoints[slot] is None else self.adjoints[slot]
        return Step(
            name=self.names[slot],
            formula=text,
            operation=operation,
            operands=operands,
            primal=value,
            tangent=self.tangent(slot, value),
            adjoint=adjoint,
            location=location,
        )

    def tangent(self, slot: int, value: Any) -> Any:
        """The tangent of a slot, None if it was not computed."""
        if slot >= 0 and not self.known(slot):
            return None
        dot = self.dots[slot] if slot >= 0 else None
        return zeros_of(value) if dot is None else dot

    def known(self, slot: int) -> bool:
        """Whether the walks pass this slot: not inside a checkpoint, which leaves no entry behind."""
        event = self.tape.events.get(slot)
        if event is None:
            return True
        if self.dots[slot] is not None or self.adjoints[slot] is not None:
            return True
        first = slot - (event[3] or 0)
        return self.tape.entries[first] is not None

    def text(self, operand: Any) -> str:
        """What an operand is called; the value of a constant."""
        if not isinstance(operand, _Constant):
            return self.names[operand]
        text = "…" if isinstance(operand.value, Value) else brief(operand.value)
        return f"({text})" if text.startswith("-") else text


def _argument_names(fun: Callable[..., Any], count: int) -> list[str]:
    """Names of positional arguments, trailing digits below the line: ``x1`` is x₁."""
    names: list[str] = []
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):  # a function without a signature
        parameters = []
    for p in parameters:
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            stem = p.name.rstrip("0123456789")
            names.append(stem + subscript(int(p.name[len(stem) :])) if 0 < len(stem) < len(p.name) else p.name)
        elif p.kind == p.VAR_POSITIONAL:
            names += [f"{p.name}[{i}]" for i in range(count - len(names))]
    return (names + [f"x{subscript(i + 1)}" for i in range(len(names), count)])[:count]


def _unused_name(taken: set[str]) -> str:
    stems = {name.split("[")[0].split(".")[0] for name in taken}
    return next(name for name in ("y", "z", "w", "result", "result_") if name not in stems)
