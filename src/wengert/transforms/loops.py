"""The loop of recorded programs: one operation that holds the program of one iteration.

An iteration gets its number, values that stay the same (constants), the values that it updates (the state), and one
element each of stacks (arrays that are read along their first axis); it returns the new state and one element each of
new stacks::

    body(i, *constants, *state, *elements) -> (*state, *new elements)

A loop is either counted, or goes on while ``condition(*constants, *state)`` is true. Where the number of iterations is
not known when the program is recorded, a stack has a length that is known at run time only: its type has `DYNAMIC` in
place of that length. Such stacks go from one loop to another, and never to the user.

All derivatives of a loop are loops. Forward mode carries tangents along, vmap carries batches (an example whose loop
has ended keeps its state, under a mask), reverse mode runs a loop back (`wengert.transforms.loop_adjoints`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import broadcast_to, reshape, widen
from wengert.core.primitive import Primitive
from wengert.core.program import Program
from wengert.core.values import ArrayType, shape_of, type_of, zeros_of
from wengert.rules.elementwise import less, logical_and, where
from wengert.rules.reductions import reduce_any, reduce_max
from wengert.rules.structural import move_axis
from wengert.transforms.batch import Batch, Batched
from wengert.transforms.forward import Dual, Forward
from wengert.transforms.guards import guarded
from wengert.transforms.loop_adjoints import Active, halves, without_inputs
from wengert.transforms.loop_calls import (
    COUNTER,
    DYNAMIC,
    LoopCall,
    Stack,
    depends,
    reached,
    run_loop,
    split,
    stack_type,
    with_ignored,
)
from wengert.transforms.loop_checkpoints import forward_counted, forward_online, reverse
from wengert.transforms.programs import types_of_outputs


class Loop(Primitive):
    """A loop; see the module's docstring.

    Operands: the number of iterations (if ``trips`` is None), constants, initial state, stacks. Results: final state,
    new stacks, and the number of iterations that were done, if there is a condition.
    """

    multiple = True

    def __init__(self) -> None:
        super().__init__(lambda *args, **params: _interpret(LoopCall.of(args, params)), name="loop")

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Types of final state, stacks and number of iterations."""
        types = types_of_outputs(params["body"])
        stacks = [stack_type(t, params["trips"], params["axis"]) for t in types[params["state"] :]]
        return (*types[: params["state"]], *stacks, *([] if params["condition"] is None else [COUNTER]))

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
        """Carry the tangents along."""
        call = LoopCall.of(primals, params)
        dots = call.grouped(tangents)
        constants, state, stacks = ([t is not None for t in ts] for ts in dots)
        state = reached(call, constants, state, stacks)
        dot_constants, _, dot_stacks = ([t for t in ts if t is not None] for ts in dots)
        dot_state = [zeros_of(x) if t is None else t for t, x, s in zip(dots[1], call.state, state, strict=True) if s]
        sizes = [1, len(constants), len(dot_constants), len(state), len(dot_state), len(stacks), len(dot_stacks)]
        present: list[bool] = []

        def body(*values: Any) -> list[Any]:
            (i,), cs, dot_cs, ss, dot_ss, es, dot_es = split(values, sizes)
            flags, moving = (*constants, *state, *stacks), iter((*dot_cs, *dot_ss, *dot_es))
            with Forward() as level:
                pairs = zip((*cs, *ss, *es), flags, strict=True)
                outs = call.body.evaluate(i, *(level.make(x, next(moving)) if f else x for x, f in pairs))
            new = [o.primal if isinstance(o, Dual) and o.level is level else o for o in outs]
            new_dots = [o.tangent if isinstance(o, Dual) and o.level is level else None for o in outs]
            new_dots = [None if d is None else widen(d, type_of(x)) for x, d in zip(new, new_dots, strict=True)]
            m = len(state)
            carried = [
                zeros_of(x) if d is None else d for x, d, s in zip(new[:m], new_dots[:m], state, strict=True) if s
            ]
            present[:] = [d is not None for d in new_dots[m:]]
            return [*new[:m], *carried, *new[m:], *(d for d in new_dots[m:] if d is not None)]

        pushed = call._replace(
            constants=[*call.constants, *dot_constants],
            state=[*call.state, *dot_state],
            stacks=[*call.stacks, *dot_stacks],
        )

        def goes_on(*values: Any) -> list[Any]:
            cs, _, ss, _ = split(values, sizes[1:5])
            assert call.condition is not None
            return list(call.condition.evaluate(*cs, *ss))

        final, new_stacks, count = run_loop(pushed.recorded(body, None if call.condition is None else goes_on))
        final_dots, stack_dots = iter(final[len(state) :]), iter(new_stacks[len(present) :])
        outs = [*final[: len(state)], *new_stacks[: len(present)]]
        out_dots = [next(final_dots) if s else None for s in state]
        out_dots += [next(stack_dots) if p else None for p in present]
        return with_count(outs, count, count), with_count(out_dots, count, None)

    def run(self, args: Sequence[Any], traced: Sequence[bool], params: dict[str, Any]) -> tuple[Any, Any]:
        """Run the loop that keeps what the way back needs."""
        call = LoopCall.of(args, params)
        constants, state, stacks = call.grouped(traced)
        state = reached(call, constants, state, stacks)
        made = depends(call.body, [False, *constants, *state, *stacks])[len(state) :]
        active = Active(tuple(constants), tuple(state), tuple(stacks), tuple(made))
        if call.slots is not None and call.trips != 0:
            return self._run_with_snapshots(call, active)
        first, second, more = halves(call, active)
        together = call._replace(body=first, constants=[*call.constants, *more])
        if call.condition is not None:
            types = map(type_of, more)
            together = together._replace(condition=with_ignored(call.condition, len(constants), types))
        final, new_stacks, count = run_loop(together)
        outs = with_count([*final, *new_stacks[: len(made)]], count, count)
        kept = new_stacks[len(made) :]
        return outs, (call, tuple(map(type_of, outs)), (active, second, more, kept, count))

    def _run_with_snapshots(self, call: LoopCall, active: Active) -> tuple[Any, Any]:
        assert call.slots is not None
        count: Any = None
        new_stacks: list[Any] = []
        if call.condition is not None:
            final, snapshots, count = forward_online(call, call.slots)
        else:
            final, snapshots = forward_counted(call, call.slots, call.n if call.trips is None else np.int64(call.trips))
            if call.element_types:  # made by the iterations themselves, in one go
                _, new_stacks, _ = run_loop(call._replace(slots=None))
        outs = with_count([*final, *new_stacks], count, count)
        return outs, (call, tuple(map(type_of, outs)), (active, None, [], snapshots, count))

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Run the loop back."""
        call, out_types, (active, body, more, kept, count) = saved
        of_constants, of_state, of_stacks = call.grouped(parents)
        m = len(call.state)
        cts_of_state = [
            zeros_of(t) if c is None else c for c, t, f in zip(ct[:m], out_types, active.state, strict=False) if f
        ]
        cts_of_made = [c for c, f in zip(ct[m:], active.made, strict=False) if f]
        if body is None:
            final, cts_of_stacks = self._pull_with_snapshots(sweep, of_constants, cts_of_state, cts_of_made, saved)
            self._add(sweep, active, (of_constants, of_state, of_stacks), [*final, *cts_of_stacks])
            return
        first = len(body.inputs) - len(cts_of_made)
        body = without_inputs(body, [first + j for j, c in enumerate(cts_of_made) if c is None])
        totals = self._totals(sweep, of_constants, call)
        back = LoopCall(
            body=body,
            condition=None,
            trips=call.trips,
            n=call.n if count is None else count,
            constants=[*call.constants, *more],
            state=[*cts_of_state, *totals],
            stacks=[*call.stacks, *kept, *(c for c in cts_of_made if c is not None)],
            reverse=not call.reverse,
            axis=call.axis,
        )
        final, cts_of_stacks, _ = run_loop(back)
        self._add(sweep, active, (of_constants, of_state, of_stacks), [*final, *cts_of_stacks])

    @staticmethod
    def _totals(sweep: Any, of_constants: Sequence[int], call: LoopCall) -> list[Any]:
        """The cotangents of the constants so far; the loop takes them over."""
        totals = []
        for parent, x in zip(of_constants, call.constants, strict=True):
            if parent >= 0:
                totals.append(zeros_of(x) if sweep.cotangents[parent] is None else sweep.cotangents[parent])
                sweep.cotangents[parent] = None
        return totals

    @staticmethod
    def _add(sweep: Any, active: Active, parents: Any, cts: Sequence[Any]) -> None:
        of_constants, of_state, of_stacks = parents
        of_active = [p for p, f in zip(of_state, active.state, strict=True) if f]
        moved = [*of_active, *(p for p in of_constants if p >= 0), *(p for p in of_stacks if p >= 0)]
        for parent, c in zip(moved, cts, strict=True):
            if parent >= 0:
                sweep.add(parent, c, False)

    def _pull_with_snapshots(
        self, sweep: Any, of_constants: Sequence[int], cts_of_state: list[Any], cts_of_made: list[Any], saved: Any
    ) -> tuple[list[Any], list[Any]]:
        call, _, (active, _, _, snapshots, count) = saved
        totals = self._totals(sweep, of_constants, call)
        n = call.n if count is None else count
        return reverse(call, active, call.slots, n, snapshots, [*cts_of_state, *totals], cts_of_made)

    def push(self, tangents: Sequence[Any], saved: Any, params: dict[str, Any]) -> Any:
        """Carry the tangents along in another run."""
        return self.jvp(saved[0].operands, tangents, params)[1]

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Iterate on the batch; an example whose loop is over keeps its state."""
        call = LoopCall.of(args, params)
        own_count = call.trips is None and batched[0]
        constants, state, stacks = call.grouped(batched)
        state = reached(call, constants, state, stacks, every=True)
        masked = own_count or (
            call.condition is not None and depends(call.condition, [*constants, *state], every=True)[0]
        )
        if masked:
            state = [True] * len(state)
        initial = [x if b else _spread(x, size) for x, b in zip(call.state, call.grouped(batched)[1], strict=True)]
        initial = [x if s else y for x, y, s in zip(initial, call.state, state, strict=True)]
        elements = [
            move_axis(x, 0, 1) if b and DYNAMIC not in shape_of(x) else x
            for x, b in zip(call.stacks, stacks, strict=True)
        ]
        if not masked:
            outs = self._batched(size, call._replace(state=initial, stacks=elements), constants, state, stacks)
        else:
            outs = self._masked(
                size, call._replace(state=initial, stacks=elements), constants, stacks, own_count=own_count
            )
        final, new_stacks, count = outs
        final = [x if s else _spread(x, size) for x, s in zip(final, state, strict=True)]
        new_stacks = [x if DYNAMIC in shape_of(x) else move_axis(x, 1, 0) for x in new_stacks]
        if count is not None and not masked:
            count = _spread(count, size)
        return with_count([*final, *new_stacks], count, count)

    def _batched(
        self, size: int, call: LoopCall, constants: list[bool], state: list[bool], stacks: list[bool]
    ) -> tuple[list[Any], list[Any], Any]:
        """Iterate on batches that all do the same number of iterations."""
        flags = [False, *constants, *state, *stacks]
        results = [*state, *([True] * len(call.element_types))]
        condition = call.condition

        def body(*values: Any) -> list[Any]:
            return _on_batch(size, call.body, values, flags, results)

        def goes_on(*values: Any) -> list[Any]:
            assert condition is not None
            return _on_batch(size, condition, values, [*constants, *state], [False])

        return run_loop(call._replace(axis=call.axis + 1).recorded(body, None if condition is None else goes_on))

    def _masked(
        self, size: int, call: LoopCall, constants: list[bool], stacks: list[bool], *, own_count: bool
    ) -> tuple[list[Any], list[Any], Any]:
        """Iterate as long as some example does."""
        m, k = len(call.state), len(call.constants)
        condition = call.condition
        flags = [False, *constants, *([True] * m), *stacks]
        counts = [call.n] if own_count else []

        def active(i: Any, counts: Sequence[Any], mask: Any) -> Any:
            mine = mask
            for n in counts:
                mine = less(i, n) if mine is None else logical_and(mine, less(i, n))
            return mine

        def asked(cs: Sequence[Any], ss: Sequence[Any]) -> Any:
            assert condition is not None
            return _on_batch(size, condition, [*cs, *ss], [*constants, *([True] * m)], [True])[0]

        def body(i: Any, *values: Any) -> list[Any]:
            limits, cs, ss, extra, es = split(values, [len(counts), k, m, 2 if condition else 0, len(stacks)])
            mine = active(i, limits, extra[0] if extra else None)
            results = [True] * len(call.body.outputs)
            outs = _on_batch(size, guarded(call.body), [mine, i, *cs, *ss, *es], [True, *flags], results)
            new = [where(_aligned_mask(mine, x), x, old) for x, old in zip(outs[:m], ss, strict=True)]
            if not extra:
                return [*new, *outs[m:]]
            following = logical_and(mine, asked(cs, new))
            return [*new, following, extra[1] + mine, *outs[m:]]

        def goes_on(*values: Any) -> list[Any]:
            *_, mask, _count = values
            return [reduce_any(mask, axis=(0,))]

        n = call.n if not own_count else reduce_max(call.n, axis=(0,)) if size else 0
        extra = [] if condition is None else [asked(call.constants, call.state), np.zeros(size, np.int64)]
        masked = call._replace(
            n=n, constants=[*counts, *call.constants], state=[*call.state, *extra], axis=call.axis + 1
        )
        final, new_stacks, _ = run_loop(masked.recorded(body, None if condition is None else goes_on))
        return final[:m], new_stacks, None if condition is None else final[-1]


def _interpret(call: LoopCall) -> tuple[Any, ...]:
    """Run a loop, operation by operation."""
    state = list(call.state)
    columns: list[list[Any]] = [[] for _ in call.element_types]
    n = call.trips if call.trips is not None else int(call.n)
    done = 0
    for i in range(n - 1, -1, -1) if call.reverse else range(n):
        if call.condition is not None and not bool(call.condition.evaluate(*call.constants, *state)[0]):
            break
        outs = call.body.evaluate(np.int64(i), *call.constants, *state, *(x[i] for x in call.stacks))
        state = list(outs[: len(state)])
        for column, x in zip(columns, outs[len(state) :], strict=True):
            column.append(x)
        done += 1
    if call.reverse:
        columns = [column[::-1] for column in columns]
    outs = [*state, *(_stacked(c, t, call) for c, t in zip(columns, call.element_types, strict=True))]
    return with_count(outs, np.int64(done) if call.condition is not None else None, np.int64(done))


def _stacked(items: list[Any], element: ArrayType, call: LoopCall) -> Any:
    if DYNAMIC in stack_type(element, call.trips).shape or any(isinstance(x, Stack) for x in items):
        return Stack(items, element, call.axis)
    return np.stack(items) if items else np.zeros(stack_type(element, call.trips).shape, element.dtype)


def with_count(outs: list[Any], count: Any, value: Any) -> tuple[Any, ...]:
    return (*outs, value) if count is not None else tuple(outs)


def _spread(x: Any, size: int) -> Any:
    return broadcast_to(x, shape=(size, *shape_of(x)))


def _on_batch(
    size: int, program: Program, values: Sequence[Any], flags: Sequence[bool], results: Sequence[bool]
) -> list[Any]:
    """Evaluate a program on values of which some are batches; make batches of the flagged results."""
    with Batch(size) as level:
        outs = program.evaluate(*(level.make(x) if f else x for x, f in zip(values, flags, strict=True)))
        is_batch = [isinstance(o, Batched) and o.level is level for o in outs]
    plain = [o.value if b else o for o, b in zip(outs, is_batch, strict=True)]
    return [_spread(o, size) if r and not b else o for o, b, r in zip(plain, is_batch, results, strict=True)]


def _aligned_mask(mask: Any, x: Any) -> Any:
    """Give a mask over the examples axes of length 1 for those of a batch."""
    extra = len(shape_of(x)) - 1
    return reshape(mask, shape=(*shape_of(mask), *(1,) * extra)) if extra else mask


loop = Loop()
