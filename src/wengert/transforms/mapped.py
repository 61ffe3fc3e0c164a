"""A recorded `vmap` of a small function: one operation that holds the program of one example.

Where a function under vmap computes with a handful of numbers per example, the compiler does better with a loop over
the examples, whose body is the whole program in registers, than with a chain of operations on batched arrays. So while
a program is being recorded, vmap of a small function records `map_program` (see `wengert.derivatives.vectorize`).

The derivatives of a map are maps, whose programs are the derivatives of the example's program::

    pushforward   map of (x, ẋ) ↦ (f(x), f′(x)·ẋ)
    pullback      map of (x, ȳ) ↦ f′(x)ᵀ·ȳ         it computes f(x) again: storing what it needs would take longer

Outputs that are `summed` are added up over the examples: the cotangents of arguments that all examples share.

In the interpreter, and where a program turns out not to fit into registers, a map is what vmap is: operations on
batches, one after the other. A derived map is the derivative of those then.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import broadcast_to, narrow, reduce_sum, widen
from wengert.core.primitive import Primitive, is_inexact
from wengert.core.program import Program
from wengert.core.staging import Staged, record
from wengert.core.values import ArrayType, Value, shape_of, type_of
from wengert.rules.structural import move_axis
from wengert.transforms.batch import Batch, Batched
from wengert.transforms.forward import Dual, Forward
from wengert.transforms.programs import (
    Origin,
    derived_from,
    pullback_program,
    pushforward_program,
    types_of_outputs,
)
from wengert.transforms.reverse import Tape, pull_back

#: Programs with more elements per example than this are not mapped as one operation.
MAX_ELEMENTS = 4000


# Operation by operation ----------------------------------------------------------------------------------------------


class _Mode(threading.local):
    """Whether maps are taken apart in this thread, wherever they occur."""

    apart: bool = False


_mode = _Mode()


@contextlib.contextmanager
def _taken_apart() -> Iterator[None]:
    before, _mode.apart = _mode.apart, True
    try:
        yield
    finally:
        _mode.apart = before


def evaluate_mapped(
    args: Sequence[Any], program: Program, batched: Sequence[bool], size: int, summed: Sequence[bool] = ()
) -> tuple[Any, ...]:
    """Evaluate the program on a batch, operation by operation."""
    with _taken_apart():
        origin = program.origin
        if origin is None or not _is_derivative_of_map(origin, batched, summed):
            return _evaluated(args, program, batched, size, summed)
        if origin.kind == "pushforward":
            return _pushed(origin, args, batched, size, summed)
        if origin.kind == "map":
            return _mapped(origin, args, batched, size, summed)
        return _pulled(origin, args, batched, size, summed)


def _is_derivative_of_map(origin: Origin, batched: Sequence[bool], summed: Sequence[bool]) -> bool:
    """Whether the map of a derivative is the derivative of a map: not if a point has several tangents, for example."""
    count = len(origin.program.inputs)
    if origin.kind == "map":
        return True
    if origin.kind == "pushforward":
        return list(batched[count:]) == [b for b, t in zip(batched[:count], origin.wrt, strict=True) if t]
    return list(summed) == [not b for b, p in zip(batched[:count], origin.present, strict=True) if p]


def _evaluated(
    args: Sequence[Any], program: Program, batched: Sequence[bool], size: int, summed: Sequence[bool]
) -> tuple[Any, ...]:
    with Batch(size) as level:
        outs = program.evaluate(*(level.make(x) if b else x for x, b in zip(args, batched, strict=True)))
        outs = [_collected(o, level) for o in outs]
    return tuple(reduce_sum(o, axis=(0,)) if s else o for o, s in zip(outs, summed or [False] * len(outs), strict=True))


def _collected(value: Any, level: Batch) -> Any:
    if type(value) is Batched and value.level is level:
        return value.value
    full = broadcast_to(value, shape=(level.size, *shape_of(value)))
    return full.copy() if isinstance(full, np.ndarray) else full


def _pushed(
    origin: Origin, args: Sequence[Any], batched: Sequence[bool], size: int, summed: Sequence[bool]
) -> tuple[Any, ...]:
    """Outputs and tangents, as forward mode computes them."""
    count = len(origin.program.inputs)
    primals, tangents = args[:count], iter(args[count:])
    kept = _summed_outputs(origin, summed)
    with Forward() as level:
        duals = [level.make(x, next(tangents)) if t else x for x, t in zip(primals, origin.wrt, strict=True)]
        outs = evaluate_mapped(duals, origin.program, batched[:count], size, kept)
        pairs = [(o.primal, o.tangent) if isinstance(o, Dual) and o.level is level else (o, None) for o in outs]
    values = [o for o, _ in pairs] if origin.primals else []
    dots = [_or_zeros(d, o) for (o, d), p in zip(pairs, origin.present, strict=True) if p]
    return (*values, *dots)


def _mapped(
    origin: Origin, args: Sequence[Any], batched: Sequence[bool], size: int, summed: Sequence[bool]
) -> tuple[Any, ...]:
    """The map of a map: the inner one, whose axis comes second, goes around the outer one."""
    with Batch(origin.size) as level:
        exchanged = [move_axis(x, 1, 0) if b and o else x for x, b, o in zip(args, batched, origin.wrt, strict=True)]
        values = [level.make(x) if o else x for x, o in zip(exchanged, origin.wrt, strict=True)]
        outs = evaluate_mapped(values, origin.program, batched, size, summed)
        outs = [_collected(o, level) for o in outs]
    flags = summed or [False] * len(outs)
    return tuple(o if s else move_axis(o, 1, 0) for o, s in zip(outs, flags, strict=True))


def _or_zeros(tangent: Any, like: Any) -> Any:
    shape, dtype = type_of(like)
    return widen(dtype.type(0) if tangent is None else tangent, ArrayType(shape, dtype))


def _summed_outputs(origin: Origin, summed: Sequence[bool]) -> list[bool]:
    """Which outputs of the original program are summed, given which ones of its pushforward are."""
    outputs = len(origin.program.outputs)
    if origin.primals:
        return list(summed[:outputs]) or [False] * outputs
    flags = iter(summed)
    return [next(flags, False) if p else False for p in origin.present]


def _pulled(
    origin: Origin, args: Sequence[Any], batched: Sequence[bool], size: int, summed: Sequence[bool]
) -> tuple[Any, ...]:
    """Cotangents, as reverse mode computes them."""
    count = len(origin.program.inputs)
    given, flags = iter(args[count:]), iter(batched[count:])
    cts = [next(given) if c else None for c in origin.cts]
    kept = [not next(flags) if c else False for c in origin.cts]  # the cotangent of a sum is the same for all examples
    tape = Tape()
    with tape:
        roots = [tape.input(x) if t else None for x, t in zip(args[:count], origin.wrt, strict=True)]
        values = [x if r is None else r for x, r in zip(args[:count], roots, strict=True)]
        outs = evaluate_mapped(values, origin.program, batched[:count], size, kept)
    wanted = [p for p, t in zip(origin.present, origin.wrt, strict=True) if t]
    back = pull_back(tape, [tape.slot_of(o) for o in outs], cts, [r for r in roots if r is not None])
    return tuple(c for c, p in zip(back, wanted, strict=True) if p)


# The operation -------------------------------------------------------------------------------------------------------


class MapProgram(Primitive):
    """The program of one example, applied to the first axis of the arguments that are flagged as batched.

    Its parameters are the `program`, one flag `batched` for each argument, the `size` of the batch, and one flag for
    each output that says whether it is `summed` over the examples.
    """

    multiple = True

    def __init__(self) -> None:
        super().__init__(lambda *args, **params: evaluate_mapped(args, **params), name="map_program")

    def bind(self, *args: Any, **params: Any) -> Any:
        """Process as one operation what is being recorded; evaluate anything else operation by operation."""
        if _mode.apart or not any(map(is_staged, args)):
            return evaluate_mapped(args, **params)
        return super().bind(*args, **params)

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Types of the program's outputs, with the batch axis."""
        size = params["size"]
        return tuple(
            t if s else ArrayType((size, *t.shape), t.dtype)
            for t, s in zip(types_of_outputs(params["program"]), params["summed"], strict=True)
        )

    def residuals(self, args: Sequence[Any], out: Any, traced: Sequence[bool], params: dict[str, Any]) -> Any:
        """Return (which arguments are differentiated, types of the outputs, *args)."""
        flags = tuple(bool(t) and is_inexact(x) for x, t in zip(args, traced, strict=True))
        return (flags, tuple(map(type_of, out)), *args)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
        """Map the pushforward: outputs and tangents in one loop."""
        outs, dots = self._push(primals, tangents, params, primals=True)
        return tuple(outs), tuple(dots)

    def push(self, tangents: Sequence[Any], saved: Any, params: dict[str, Any]) -> Any:
        """Map the pushforward."""
        return tuple(self._push(saved[2:], tangents, params, primals=False)[1])

    def _push(
        self, args: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any], *, primals: bool
    ) -> tuple[list[Any], list[Any]]:
        wrt = tuple(t is not None and is_inexact(x) for x, t in zip(args, tangents, strict=True))
        derivative = pushforward_program(params["program"], wrt, primals=primals)
        dots = [widen(t, type_of(x)) for x, t, w in zip(args, tangents, wrt, strict=True) if w]
        batched, summed = params["batched"], params["summed"]
        outs = self.bind(
            *args,
            *dots,
            program=derivative.program,
            batched=(*batched, *(b for b, w in zip(batched, wrt, strict=True) if w)),
            size=params["size"],
            summed=(
                *(summed if primals else ()),
                *(s for s, p in zip(summed, derivative.present, strict=True) if p),
            ),
        )
        values = list(outs[: len(summed)]) if primals else []
        pushed = iter(outs[len(values) :])
        return values, [next(pushed) if p else None for p in derivative.present]

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Map the pullback; cotangents of arguments that the examples share are summed."""
        wrt, types, *args = saved
        cts = [c if t.dtype.kind in "fc" else None for c, t in zip(ct, types, strict=True)]
        flags = tuple(c is not None for c in cts)
        derivative = pullback_program(params["program"], wrt, flags)
        batched = params["batched"]
        back = self.bind(
            *args,
            *(narrow(c, t) for c, t in zip(cts, types, strict=True) if c is not None),
            program=derivative.program,
            batched=(*batched, *(not s for s, f in zip(params["summed"], flags, strict=True) if f)),
            size=params["size"],
            summed=tuple(not b for b, p in zip(batched, derivative.present, strict=True) if p),
        )
        pulled = iter(back)
        for parent, present in zip(parents, derivative.present, strict=True):
            if present:
                sweep.add(parent, next(pulled), False)

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Exchange the maps: each example does the work of the whole batch (or the compiler finds another way)."""
        program, own = params["program"], params["batched"]
        exchanged = [move_axis(x, 1, 0) if b and o else x for x, b, o in zip(args, batched, own, strict=True)]
        params = {**params, "program": mapped_program(program, tuple(batched), size)}
        outs = self.bind(*exchanged, **params)
        return tuple(o if s else move_axis(o, 1, 0) for o, s in zip(outs, params["summed"], strict=True))


map_program = MapProgram()


def is_staged(x: Any) -> bool:
    """Whether the number behind a value is being recorded."""
    while isinstance(x, Value):
        if isinstance(x, Staged):
            return True
        parts = x.parts
        x = parts[0] if parts else None
    return False


def mapped_program(program: Program, batched: tuple[bool, ...], size: int) -> Program:
    """Return the program that maps `program` over a batch, as operations on arrays with one more axis."""

    def make() -> Program:
        types = [
            ArrayType((size, *v.type.shape), v.type.dtype) if b else v.type
            for v, b in zip(program.inputs, batched, strict=True)
        ]
        mapped = record(lambda *values: _evaluated(values, program, batched, size, ()), types, program.name)
        mapped.origin = Origin("map", program, batched, size=size)
        return mapped

    return derived_from(program, ("map", batched, size), make)


def is_small(program: Program) -> bool:
    """Whether a program is worth mapping as one operation."""
    return 0 < count_elements(program) <= MAX_ELEMENTS and len(program.operations) > 1


def count_elements(program: Program) -> int:
    """Number of elements that a program computes, those of maps inside it included."""
    total = 0
    for op in program.operations:
        if op.primitive is map_program:
            total += op.params["size"] * count_elements(op.params["program"])
        total += sum(math.prod(v.type.shape) for v in op.outputs)
    return total
