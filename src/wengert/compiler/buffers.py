"""Where arrays are in memory: those that are never needed at the same time share it.

`lay_out` gets the steps of a schedule in their order, each with what it reads and stores. An array is alive from the
step that stores it to the last that reads it. Arrays of disjoint lifetimes share one **workspace**; large ones also use
the memory of results that are not yet there. Where an array dies in the step that stores another of the same size, the
step may be able to store the one over the other, **in place**: whoever calls knows (`may_overwrite`).

::

    a = x @ w          workspace, from byte 0
    b = tanh(a)        in place of a
    c = b @ w          workspace, from byte 800
    d = c @ w          workspace, from byte 0

Nothing in here depends on what the steps do, so that it serves the body of a loop as well: arrays that are carried from
one round to the next have a place before (`given`) and want one afterwards (`wanted`), which is that of the same array
where nothing reads it later.
"""

from __future__ import annotations

import bisect
import dataclasses
import heapq
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from wengert.compiler.writes import Accesses
from wengert.core.program import Variable

ALIGNMENT = 64
_LARGE = 4096  # bytes; what is smaller is not worth the search for a result to share the memory of


class Place(NamedTuple):
    """A piece of memory: of the workspace ("temp"), from a byte on, or of an argument, result and so on, by number."""

    kind: str
    number: int


@dataclasses.dataclass
class Layout:
    """The places of arrays.

    Attributes
    ----------
    places : dict of Variable to Place
        Of everything that the steps store, and of what was given.
    in_place : dict of Variable to Variable
        The array over which another is stored.
    workspace : int
        Bytes.
    separate : int
        Bytes that the workspace would have if all arrays in it were kept.
    """

    places: dict[Variable, Place] = dataclasses.field(default_factory=dict)
    in_place: dict[Variable, Variable] = dataclasses.field(default_factory=dict)
    workspace: int = 0
    separate: int = 0


@dataclasses.dataclass
class _Storage:
    """Memory of arrays that follow one another in place; alive in the steps from `start` to `end`."""

    size: int
    start: int
    end: int
    place: Place | None = None


def nbytes(v: Variable) -> int:
    """Size of an array."""
    return math.prod(v.type.shape) * v.type.dtype.itemsize


def padded(size: int) -> int:
    """Bytes up to the next aligned place."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def lay_out(
    steps: Sequence[Accesses],
    may_overwrite: Callable[[int, Variable, Variable], bool],
    *,
    wanted: Mapping[Variable, Place],
    homes: Mapping[Place, int],
    given: Mapping[Variable, Place] | None = None,
    kept: Collection[Variable] = (),
) -> Layout:
    """Give all arrays that the steps store their places.

    Parameters
    ----------
    steps : sequence of Accesses
        In the order in which they run. What is read, and neither stored nor given, is left alone: arguments and
        constants.
    may_overwrite : callable
        Whether step `n` may store an array over another of the same size, which it reads and nobody reads later:
        ``may_overwrite(n, stored, read)``.
    wanted : mapping of Variable to Place
        Arrays that should be in a certain place at the end. Where that is not possible (something else is there that is
        still needed), they are elsewhere.
    homes : mapping of Place to int
        The places outside of the workspace that may be written to, and their sizes in bytes.
    given : mapping of Variable to Place, optional
        Arrays that are in such places before the first step, and are not needed after the last.
    kept : collection of Variable
        Arrays that are needed after the last step, besides the wanted ones.
    """
    last: dict[Variable, int] = {}
    for n, step in enumerate(steps):
        for v in (*step.reads, *step.stores):
            last[v] = n
    last.update(dict.fromkeys((*wanted, *kept), len(steps)))
    layout = Layout()
    storages: dict[Variable, _Storage] = {}
    occupants: dict[Place, list[_Storage]] = {place: [] for place in homes}

    def is_free(place: Place, start: int, end: int) -> bool:
        return all(s.end < start or s.start > end for s in occupants[place])

    def settle(storage: _Storage, place: Place) -> None:
        storage.place = place
        occupants[place].append(storage)

    for v, place in (given or {}).items():
        storages[v] = _Storage(nbytes(v), -1, last.get(v, -1))
        settle(storages[v], place)
    for n, step in enumerate(steps):
        dying = [x for x in step.reads if x in storages and last[x] == n]
        for v in step.stores:
            goal, end = wanted.get(v), last[v]
            layout.separate += padded(nbytes(v)) if goal is None else 0
            storage = _Storage(nbytes(v), n, end)
            for x in sorted(dying, key=lambda x: storages[x].place != goal):
                s = storages[x]
                if goal is not None and s.place != goal:
                    here = is_free(goal, n, end)
                    if here and (s.place is not None or not is_free(goal, s.start, end)):
                        continue  # it gets what it wants by itself
                if s.size == storage.size > 0 and may_overwrite(n, v, x):
                    dying.remove(x)
                    layout.in_place[v] = x
                    storage = s
                    break
            storage.end = end
            if goal is not None and storage.place is None and is_free(goal, storage.start, end):
                settle(storage, goal)
            storages[v] = storage
    arena = _Arena()
    for storage in {id(s): s for s in storages.values()}.values():
        if storage.place is None:
            spare = [p for p, size in homes.items() if size >= storage.size] if storage.size >= _LARGE else []
            free = [p for p in spare if is_free(p, storage.start, storage.end)]
            if free:
                settle(storage, min(free, key=lambda p: homes[p]))
            else:
                storage.place = Place("temp", arena.take(storage))
    layout.workspace = arena.size
    layout.places = {v: s.place for v, s in storages.items() if s.place is not None}
    return layout


class _Arena:
    """The workspace: pieces are taken in the order of time, each from the smallest gap that is large enough."""

    def __init__(self) -> None:
        self.size = 0
        self.gaps: list[tuple[int, int]] = []  # (begin, end), in order, not adjacent
        self.taken: list[tuple[int, int, int]] = []  # a heap: (last step, begin, end)

    def take(self, storage: _Storage) -> int:
        """Return the place of a storage; those that ended before it begins are free again."""
        while self.taken and self.taken[0][0] < storage.start:
            self._release(*heapq.heappop(self.taken)[1:])
        size = padded(storage.size)
        fitting = [(end - begin, k) for k, (begin, end) in enumerate(self.gaps) if end - begin >= size]
        if fitting:
            k = min(fitting)[1]
            begin, end = self.gaps.pop(k)
            if end - begin > size:
                self.gaps.insert(k, (begin + size, end))
        else:
            at_the_end = self.gaps and self.gaps[-1][1] == self.size
            begin = self.gaps.pop()[0] if at_the_end else self.size
            self.size = begin + size
        heapq.heappush(self.taken, (storage.end, begin, begin + size))
        return begin

    def _release(self, begin: int, end: int) -> None:
        if begin == end:
            return
        k = bisect.bisect(self.gaps, (begin, end))
        if k < len(self.gaps) and self.gaps[k][0] == end:
            end = self.gaps.pop(k)[1]
        if k > 0 and self.gaps[k - 1][1] == begin:
            k -= 1
            begin = self.gaps.pop(k)[0]
        self.gaps.insert(k, (begin, end))
