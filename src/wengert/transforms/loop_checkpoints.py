"""Reverse mode through a loop with a bounded number of snapshots of its state: checkpointing.

The forward sweep keeps the state before some iterations only. The way back takes the last snapshot, runs forwards from
there to the iteration that is to be reversed, leaving snapshots on the way as long as there is room, reverses that
iteration, and goes on with the one before.

For a loop whose number of iterations is known, snapshots are placed by the binomial schedule `revolve`, which needs the
fewest repeated iterations that are possible: with s snapshots, l iterations take r·l - C(s+r, r-1) of them besides
the reversed ones, r being the smallest number with C(s+r, s) ≥ l (Griewank & Walther, "Algorithm 799: Revolve", ACM
TOMS 26, 2000). Where the number is not known, snapshots are taken at regular distances; when there is no room left,
every other one is dropped and the distance doubles. The way back is the same.

All of this is written with loops of recorded programs, so it compiles, and has derivatives itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.values import ArrayType, type_of
from wengert.rules.elementwise import floor_divide, greater, less, logical_and, maximum, minimum, where
from wengert.rules.indexing import ARRAY, index, index_update
from wengert.transforms.loop_adjoints import Active, adjoint, without_inputs
from wengert.transforms.loop_calls import FOREVER, NO_BODY, LoopCall, run_loop, split

_ROW = (ARRAY,)


def fewest_repetitions(steps: int, slots: int) -> int:
    """How often the schedule runs iterations forwards, to reverse them one by one with so many snapshots."""
    r = 0
    while math.comb(slots + r, slots) < steps:
        r += 1
    return r * steps - math.comb(slots + r, r - 1) if r else 0


def advance_by(steps: Any, slots: Any) -> Any:
    """How far from a snapshot the next one is, with `steps` > 1 iterations to be reversed and room for `slots` > 1.

    With β(s, r) = C(s+r, s) and the smallest r such that steps ≤ β(s, r): the most that the part behind the new
    snapshot leaves, min(β(s, r-1), steps - β(s-1, r-1)).
    """

    def grow(_i: Any, _steps: Any, slots: Any, r: Any, beta: Any) -> list[Any]:
        r = r + 1
        return [r, floor_divide(beta * (slots + r), r)]

    call = LoopCall(NO_BODY, None, None, FOREVER, [steps, slots], [np.int64(0), np.int64(1)], [])
    (r, beta), _, _ = run_loop(call.recorded(grow, lambda steps, _slots, _r, beta: [less(beta, steps)]))
    before = floor_divide(beta * r, slots + r)  # β(s, r-1)
    smaller = floor_divide(before * slots, maximum(slots + r - 1, 1))  # β(s-1, r-1)
    return minimum(maximum(minimum(before, steps - smaller), 1), steps - 1)


class Snapshots:
    """Values of the state, and the numbers of the iterations before which they are; as flat values, to be carried."""

    def __init__(self, top: Any, positions: Any, rows: Sequence[Any]) -> None:
        self.top, self.positions, self.rows = top, positions, list(rows)

    @staticmethod
    def empty(slots: int, types: Sequence[ArrayType]) -> list[Any]:
        """Room for snapshots."""
        return [
            np.int64(-1),
            np.zeros(slots, np.int64),
            *(np.zeros((slots, *t.shape), t.dtype) for t in types),
        ]

    @staticmethod
    def of(values: Sequence[Any]) -> Snapshots:
        """Snapshots from flat values."""
        return Snapshots(values[0], values[1], values[2:])

    @property
    def values(self) -> list[Any]:
        """As flat values."""
        return [self.top, self.positions, *self.rows]

    @property
    def position(self) -> Any:
        """The number of the last snapshot's iteration."""
        return index(self.positions, self.top, spec=_ROW)

    @property
    def state(self) -> list[Any]:
        """The state of the last snapshot."""
        return [index(x, self.top, spec=_ROW, copy=True) for x in self.rows]

    def put(self, place: Any, position: Any, state: Sequence[Any]) -> Snapshots:
        """Store a snapshot at a place, which becomes the last."""
        rows = [index_update(x, v, place, spec=_ROW, donate=False) for x, v in zip(self.rows, state, strict=True)]
        return Snapshots(place, index_update(self.positions, position, place, spec=_ROW, donate=False), rows)


def _advanced(call: LoopCall, state: Sequence[Any], start: Any, count: Any) -> list[Any]:
    """The state after `count` iterations from number `start` on; nothing else is kept."""
    k, s = len(call.constants), len(call.stacks)

    def body(i: Any, *values: Any) -> list[Any]:
        cs, stacks, (start,), state = split(values, [k, s, 1, len(call.state)])
        number = start + i
        elements = [index(x, number, spec=_ROW) for x in stacks]
        return list(call.body.evaluate(number, *cs, *state, *elements)[: len(state)])

    plain = LoopCall(call.body, None, None, count, [*call.constants, *call.stacks, start], list(state), [])
    return run_loop(plain.recorded(body, None))[0]


def forward_counted(call: LoopCall, slots: int, n: Any) -> tuple[list[Any], list[Any]]:
    """Run a counted loop; return the final state and the snapshots, as flat values."""
    k, s, m = len(call.constants), len(call.stacks), len(call.state)

    def body(j: Any, *values: Any) -> list[Any]:
        cs, stacks, (n,), (p,), state, kept = split(values, [k, s, 1, 1, m, m + 2])
        inner = call._replace(constants=list(cs), stacks=list(stacks))
        snapshots = Snapshots.of(kept)
        is_used = less(p, n)
        stored = snapshots.put(j, p, state)
        top = where(is_used, j, snapshots.top)
        left = n - p
        free = slots - j
        step = advance_by(maximum(left, 2), maximum(free, 2))
        step = where(logical_and(greater(left, 1), greater(free, 1)), step, maximum(left, 0))
        new = _advanced(inner, state, p, step)
        return [p + step, *new, top, stored.positions, *stored.rows]

    state = [np.int64(0), *call.state, *Snapshots.empty(slots, [type_of(x) for x in call.state])]
    outer = LoopCall(call.body, None, slots, None, [*call.constants, *call.stacks, n], state, [])
    final, _, _ = run_loop(outer.recorded(body, None))
    return final[1 : 1 + m], final[1 + m :]


def forward_online(call: LoopCall, slots: int) -> tuple[list[Any], list[Any], Any]:
    """Run a loop with a condition; return the final state, the snapshots, and the number of iterations."""
    k, m = len(call.constants), len(call.state)
    assert call.condition is not None
    condition = call.condition

    def goes_on(*values: Any) -> list[Any]:
        cs, _, state, _ = split(values, [k, 2, m, m + 2])
        return list(condition.evaluate(*cs, *state))

    def body(_i: Any, *values: Any) -> list[Any]:
        cs, (count, distance), state, kept = split(values, [k, 2, m, m + 2])
        snapshots = Snapshots.of(kept)
        full = greater(snapshots.top, slots - 2)
        snapshots = _thinned(snapshots, where(full, (slots + 1) // 2, 0))
        distance = where(full, 2 * distance, distance)
        snapshots = snapshots.put(snapshots.top + 1, count, state)

        def step(i: Any, *values: Any) -> list[Any]:
            cs, (_, start), (done,), state = split(values, [k, 2, 1, m])
            return [done + 1, *call.body.evaluate(start + i, *cs, *state)[:m]]

        def near(*values: Any) -> list[Any]:
            cs, (distance, _), (done,), state = split(values, [k, 2, 1, m])
            return [logical_and(less(done, distance), condition.evaluate(*cs, *state)[0])]

        inner = LoopCall(call.body, None, None, FOREVER, [*cs, distance, count], [np.int64(0), *state], [])
        (done, *new), _, _ = run_loop(inner.recorded(step, near))
        return [count + done, distance, *new, *snapshots.values]

    kept = Snapshots.empty(slots, [type_of(x) for x in call.state])
    first = np.int64(1 if slots > 1 else 1 << 60)
    outer = LoopCall(call.body, None, None, FOREVER, call.constants, [np.int64(0), first, *call.state, *kept], [])
    final, _, _ = run_loop(outer.recorded(body, goes_on))
    return final[2 : 2 + m], final[2 + m :], final[0]


def _thinned(snapshots: Snapshots, keep: Any) -> Snapshots:
    """Keep every other snapshot, `keep` of them; all, if that is 0."""

    def move(i: Any, *values: Any) -> list[Any]:
        return [index_update(x, index(x, 2 * i, spec=_ROW, copy=True), i, spec=_ROW, donate=False) for x in values]

    call = LoopCall(NO_BODY, None, None, keep, [], [snapshots.positions, *snapshots.rows], [])
    moved, _, _ = run_loop(call.recorded(move, None))
    return Snapshots(where(greater(keep, 0), keep - 1, snapshots.top), moved[0], moved[1:])


def reverse(
    call: LoopCall,
    active: Active,
    slots: int,
    n: Any,
    snapshots: Sequence[Any],
    given: Sequence[Any],
    made: Sequence[Any],
) -> tuple[list[Any], list[Any]]:
    """Reverse n iterations.

    `given` are the cotangents of the final state and of the constants so far, `made` those of the elements that the
    loop makes. Returns those of the initial state and of the constants, and stacks of those of the elements read.
    """
    program, more, _ = adjoint(call, active)
    first = len(program.inputs) - len(made)
    program = without_inputs(program, [first + j for j, x in enumerate(made) if x is None])
    made = [x for x in made if x is not None]
    k, s, m = len(call.constants), len(call.stacks), len(call.state)
    q, results = len(more), len(call.body.outputs)

    def body(i: Any, *values: Any) -> list[Any]:
        cs, extra, stacks, cts, kept, cts_of_made = split(values, [k, q, s, len(given), m + 2, len(made)])
        inner = call._replace(constants=list(cs), stacks=list(stacks))
        found = _nearest(inner, slots, i, kept)
        p = found.position
        state = _advanced(inner, found.state, p, i - p)
        elements = [index(x, i, spec=_ROW) for x in stacks]
        outs = program.evaluate(i, *cs, *extra, *state, *elements, *cts, *cts_of_made)[results:]
        top = found.top - where(p < i, 0, 1)
        new_cts, cts_of_elements = outs[: len(given)], outs[len(given) :]
        return [*new_cts, top, found.positions, *found.rows, *cts_of_elements]

    back = call._replace(
        condition=None,
        n=n if call.trips is None else None,
        constants=[*call.constants, *more, *call.stacks],
        state=[*given, *snapshots],
        stacks=list(made),
        reverse=True,
        slots=None,
    )
    final, new_stacks, _ = run_loop(back.recorded(body, None))
    return final[: len(given)], new_stacks


def _nearest(call: LoopCall, slots: int, i: Any, kept: Sequence[Any]) -> Snapshots:
    """Leave snapshots on the way from the last one to iteration i, as long as there is room."""
    k, s, m = len(call.constants), len(call.stacks), len(call.state)

    def has_room(*values: Any) -> list[Any]:
        *_, i = values[: k + s + 1]
        snapshots = Snapshots.of(values[k + s + 1 :])
        return [logical_and(less(snapshots.position, i), less(snapshots.top, slots - 1))]

    def body(_i: Any, *values: Any) -> list[Any]:
        cs, stacks, (i,), kept = split(values, [k, s, 1, m + 2])
        inner = call._replace(constants=list(cs), stacks=list(stacks))
        snapshots = Snapshots.of(kept)
        p = snapshots.position
        step = advance_by(i + 1 - p, slots - snapshots.top)
        state = _advanced(inner, snapshots.state, p, step)
        return snapshots.put(snapshots.top + 1, p + step, state).values

    search = LoopCall(call.body, None, None, FOREVER, [*call.constants, *call.stacks, i], list(kept), [])
    return Snapshots.of(run_loop(search.recorded(body, has_room))[0])
