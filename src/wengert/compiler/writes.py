"""Writes to parts of arrays (`index_update`, `index_add`): which are worth doing in place, and what has to come before.

A write is a new array in a program, and an array like any other to the plan: mostly it is pulled, that is, the loop
over the result is cut where the written part begins and ends. That is best while there are few parts. A long sequence
of writes of small parts is better stored after each of them, *if* each takes the memory of the one before, so that only
the part is written: `long_sequences` finds those. A stored write whose base is stored too can be in place if nothing
reads the base later; `order` moves it behind the other readers of the base where that is valid.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from wengert.core.program import Operation, Program, Variable
from wengert.rules import indexing

#: Loops are cut into no more pieces than this.
MAX_PIECES = 64
#: A write is small if the array has this many times more elements.
SMALL = 4
_LINE = 8  # elements of a cache line


def full_spec(spec: tuple[Any, ...], ndim: int) -> list[Any]:
    """Write out Ellipsis and missing trailing slices."""
    consumed = sum(s is not None and s is not Ellipsis for s in spec)
    full: list[Any] = []
    for s in spec if Ellipsis in spec else (*spec, Ellipsis):
        full.extend([slice(None)] * (ndim - consumed) if s is Ellipsis else [s])
    return full


def is_write(op: Operation) -> bool:
    """Whether an operation is its first operand, an array of the same type, with another part."""
    if op.primitive not in (indexing.index_update, indexing.index_add) or len(op.inputs) != 2:
        return False
    base = op.inputs[0]
    return isinstance(base, Variable) and base.type == op.outputs[0].type


def region(op: Operation) -> list[tuple[int, int]]:
    """The part that is written, as an interval of each axis (of step ±1)."""
    intervals: list[tuple[int, int]] = []
    shape = op.outputs[0].type.shape
    for s in full_spec(op.params["spec"], len(shape)):
        if s is None:
            continue
        n = shape[len(intervals)]
        if isinstance(s, slice):
            numbers = range(n)[s]
            intervals.append((min(numbers), max(numbers) + 1) if numbers else (0, 0))
        else:
            intervals.append((s % n, s % n + 1))
    return intervals


def _traffic(part: Sequence[tuple[int, int]]) -> int:
    """Number of elements that go through memory when a part is written: whole cache lines."""
    lengths = [high - low for low, high in part]
    return math.prod(lengths[:-1]) * max(lengths[-1], _LINE) if all(lengths) and lengths else math.prod(lengths)


def is_small(op: Operation) -> bool:
    """Whether a write leaves most of the array as it is."""
    return _traffic(region(op)) * SMALL <= math.prod(op.outputs[0].type.shape)


class _Sequence:
    """Writes one after the other: where they cut a loop over the array, and what they cost one by one."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.elements = math.prod(shape)
        self.cuts = [{0, n} for n in shape]
        self.traffic = self.stored = 0

    def add(self, part: Sequence[tuple[int, int]], is_stored: bool) -> None:
        self.traffic += _traffic(part)
        self.stored += is_stored
        for points, ends in zip(self.cuts, part, strict=True):
            points.update(ends)

    def is_long(self) -> bool:
        """Whether it takes several loops, each over the whole array, that together cost more than the writes alone."""
        loops = max(math.prod(len(points) - 1 for points in self.cuts) / MAX_PIECES, self.stored)
        return loops > 1 and self.traffic < self.elements * loops


def long_sequences(
    program: Program, is_pulled: Callable[[Variable], bool], stored: Collection[Variable]
) -> set[Variable]:
    """Return the small writes of long sequences. Without this, `stored` are the arrays that would be stored."""
    sequences: dict[Variable, _Sequence] = {}
    members: list[Operation] = []
    for op in program.operations:
        v, base = op.outputs[0], op.inputs[0] if op.inputs else None
        if isinstance(base, Variable) and is_pulled(v) and is_write(op):
            members.append(op)
            sequences[v] = sequences[base] if base in sequences else _Sequence(v.type.shape)
            sequences[v].add(region(op), v in stored)
    return {op.outputs[0] for op in members if sequences[op.outputs[0]].is_long() and is_small(op)}


def base_of(
    v: Variable, definitions: Mapping[Variable, Operation], is_stored: Callable[[Variable], bool]
) -> Variable | None:
    """Return the stored array of which the write `v` changes a small part, perhaps in several steps; or None."""
    while True:
        op = definitions.get(v)
        if op is None or not is_write(op) or not is_small(op):
            return None
        v = op.inputs[0]  # type: ignore[assignment]
        if is_stored(v):
            return v


class Accesses:
    """What a step reads and stores: arrays in memory, the reshaped ones by the array that they are a view of."""

    def __init__(self, reads: Iterable[Variable], stores: Iterable[Variable]) -> None:
        self.reads = tuple(dict.fromkeys(reads))
        self.stores = tuple(stores)


def order(steps: Sequence[Accesses], bases: Mapping[int, Variable]) -> list[int]:
    """Return an order of steps in which everything is stored before it is read.

    Where that is possible, step `n` comes behind all others that read ``bases[n]``. Otherwise the order is kept.
    """
    made = {v: n for n, step in enumerate(steps) for v in step.stores}
    readers: dict[Variable, list[int]] = {}
    for n, step in enumerate(steps):
        for v in step.reads:
            readers.setdefault(v, []).append(n)
    needed = [{made[v] for v in step.reads if v in made} - {n} for n, step in enumerate(steps)]
    wished: list[set[int]] = [set() for _ in steps]
    for n, base in bases.items():
        wished[n] = set(readers.get(base, ())) - {n}
    waiting: dict[int, list[int]] = {}
    for n in range(len(steps)):
        for m in needed[n] | wished[n]:
            waiting.setdefault(m, []).append(n)
    ready = [n for n in range(len(steps)) if not needed[n] and not wished[n]]
    held = [n for n in range(len(steps)) if not needed[n] and wished[n]]
    result: list[int] = []
    done = [False] * len(steps)
    while ready or held:
        n = heapq.heappop(ready if ready else held)
        if done[n]:
            continue  # it was held, too
        done[n] = True
        result.append(n)
        for m in waiting.get(n, ()):
            blocked = bool(needed[m])
            needed[m].discard(n)
            wished[m].discard(n)
            if done[m] or needed[m]:
                continue
            if not wished[m]:
                heapq.heappush(ready, m)
            elif blocked:
                heapq.heappush(held, m)
    return result
