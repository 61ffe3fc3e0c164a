"""Checkpointing: keep the inputs of a piece of the computation instead of its operations, and run it again later.

`checkpointed` runs a function as usual and then takes its operations off the Wengert list::

    slot   before                          after
    …      …                               …
    7      sin  ─┐                         None
    8      exp   │ recorded by the         None  (slots stay unique; an output keeps its slot)
    9      mul  ─┘ function                None
    10                                     (checkpoint: run the function again)

When a walk reaches the checkpoint it runs the function once more, which appends its operations to the end of the list,
walks over these, and removes them again. The arguments are the same values in the same slots, and so are the traced
values that the function takes from its closure, so cotangents arrive where they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.values import Value, representative
from wengert.errors import ImpureFunctionError, fail
from wengert.transforms.reverse import Sweep, Tape, Taped, push_range

Replay = Callable[[], list[Any]]


class Checkpoint(Primitive):
    """The list's entry for a piece of computation that is to be run again.

    Its saved values are (first slot of the piece, output slots, output values, replay).
    """

    multiple = True

    def __init__(self) -> None:
        super().__init__(lambda *args: args, name="checkpoint")

    def replay(self, tape: Tape, saved: Any) -> tuple[int, list[int]]:
        """Run the piece again; return the first slot of the new entries and the slots of the outputs among them."""
        _, slots, values, run = saved
        first = len(tape.entries)
        with tape.reopened():
            outs = run()
        again = [tape.slot_of(o) for o in outs]
        same = len(outs) == len(values) and all(
            (s < 0) == (a < 0) and _agree(tape.value_of(o), v)
            for o, v, s, a in zip(outs, values, slots, again, strict=True)
        )
        if not same:
            fail(
                ImpureFunctionError,
                "a function under checkpoint gave another result when it was run again for the derivative. It must not "
                "depend on anything that changes in between: random numbers, global state, arrays that are "
                "overwritten. Pass such things as arguments.",
            )
        return first, again

    def pull_at(self, sweep: Sweep, slot: int, parents: Sequence[int], saved: Any, params: dict[str, Any]) -> None:
        """Run the piece again and pull back through it."""
        start, slots, _, _ = saved
        cts = {s: sweep.cotangents[s] for s in slots if s >= 0 and sweep.cotangents[s] is not None}
        _refuse_escaped(sweep.cotangents, start, slot, set(slots))
        if not cts:
            return
        first, again = self.replay(sweep.tape, saved)
        added = len(sweep.tape.entries) - first
        sweep.cotangents.extend([None] * added)
        sweep.owned.extend(bytes(added))
        for old in cts:
            if old >= start:
                sweep.cotangents[old] = None
        for old, new in zip(slots, again, strict=True):
            # An output that is older than the piece was only passed through: its cotangent stays where it is.
            if old >= start and old in cts:
                sweep.add(new, cts[old], False)
        sweep.run(first, first + added)
        del sweep.tape.entries[first:], sweep.cotangents[first:], sweep.owned[first:]

    def push_at(
        self, tape: Tape, dots: list[Any], slot: int, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Run the piece again and push forward through it."""
        start, slots, _, _ = saved
        first, again = self.replay(tape, saved)
        added = len(tape.entries) - first
        dots.extend([None] * added)
        push_range(tape, dots, first, first + added)
        for old, new in zip(slots, again, strict=True):
            if old >= start:
                dots[old] = dots[new]
        del tape.entries[first:], dots[first:]


checkpoint_entry = Checkpoint()


def checkpointed(level: Tape, run: Replay) -> list[Any]:
    """Run a piece of computation that records on `level`, and keep only the means to run it again.

    `run` must build its arguments anew at each call and return the output values.
    """
    start = len(level.entries)
    outs = run()
    slots = [level.slot_of(o) for o in outs]
    if len(level.entries) > start and any(s >= start for s in slots):
        level.entries[start:] = [None] * (len(level.entries) - start)
        values = [level.value_of(o) for o in outs]
        level.entries.append((checkpoint_entry.number, (), (start, slots, values, run), None))
    return outs


def _refuse_escaped(cotangents: list[Any], start: int, end: int, slots: set[int]) -> None:
    if any(cotangents[s] is not None and s not in slots for s in range(start, end)):
        fail(
            ImpureFunctionError,
            "a value computed inside a function under checkpoint was used outside without being returned (stored in a "
            "list, an attribute or an array from outside). Return it instead.",
        )


def _agree(x: Any, y: Any) -> bool:
    """Whether two results are the same up to rounding."""
    x, y = np.asarray(representative(x)), np.asarray(representative(y))
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    tolerance = 1e-4 if x.dtype in (np.float32, np.complex64) else 1e-9
    size = np.max(np.abs(y), initial=0.0, where=np.isfinite(y))
    return bool(np.allclose(x, y, rtol=tolerance, atol=tolerance * float(size), equal_nan=True))


def innermost_tape(values: Sequence[Any]) -> Tape | None:
    """Return the tape of the deepest traced value, None if the deepest transform is not reverse mode."""
    traced = [v for v in values if isinstance(v, Value)]
    if not traced:
        return None
    deepest = max(traced, key=lambda v: v.level.depth)
    return deepest.level if isinstance(deepest, Taped) else None
