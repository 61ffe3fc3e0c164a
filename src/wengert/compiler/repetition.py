"""What loops would compute several times for the same element: better stored before.

A loop computes a value where it is asked for it, once for each position at which it is asked in one pass. In
``y[2:] + y[:-2]`` with ``y = exp(x)`` that is twice as often as `y` has elements, and in an outer product
``exp(x)[:, None] * exp(y)`` as often as the product has. What does not depend on the innermost loop is computed before
it, by LLVM, and does not count for every pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from wengert.compiler import parallel
from wengert.core import combinators as c
from wengert.core.program import Operation, Variable
from wengert.rules import indexing, joining, structural

if TYPE_CHECKING:
    from wengert.compiler.plan import Kernel

#: Nanoseconds that storing an element and loading it takes, of what it saves at least for an element, and altogether.
_STORING, _LEAST, _LEAST_IN_ALL = 0.15, 0.4, 500.0
#: Different positions of one value in a pass; those beyond add little to what is known.
_MOST_POSITIONS = 16
_MOVES = (c.broadcast_to, structural.transpose, indexing.index, indexing.index_add, indexing.index_update)
_PARTS = (joining.concatenate, joining.stack)


def worth_storing(
    kernels: Iterable[Kernel], definitions: dict[Variable, Operation], is_stored: Callable[[Variable], bool]
) -> set[Variable]:
    """Return computed values, none of which is an operand of another, that loops should read instead."""
    count = _Count(definitions, is_stored)
    for kernel in kernels:
        count.add(kernel)
    found = {v: inner for v in count.evaluations if (inner := count.saves(v)) is not None}
    within = set().union(*found.values()) if found else set()
    return {v for v in found if v not in within}


class _Count:
    """How many elements of each value loops compute."""

    def __init__(self, definitions: dict[Variable, Operation], is_stored: Callable[[Variable], bool]) -> None:
        self.definitions, self.is_stored = definitions, is_stored
        self.evaluations: dict[Variable, float] = {}
        self.positions: dict[Any, int] = {}  # numbers for positions, by how they follow from others

    def add(self, kernel: Kernel) -> None:
        """Count for one loop."""
        here = self.position(None, kernel.space)
        total = float(math.prod(kernel.space))
        seen: dict[Variable, set[int]] = {}
        todo: list[tuple[Variable, int, float]] = []
        for v in kernel.stores:
            todo += self.operands(v, here, total)
        todo += [(op.inputs[0], here, total) for op in kernel.reductions if isinstance(op.inputs[0], Variable)]
        while todo:
            v, position, elements = todo.pop()
            known = seen.setdefault(v, set())
            if self.is_stored(v) or position in known or len(known) == _MOST_POSITIONS:
                continue
            known.add(position)
            self.evaluations[v] = self.evaluations.get(v, 0.0) + elements
            todo += self.operands(v, position, elements)

    def position(self, origin: int | None, step: Any) -> int:
        """A number for the position that is reached from another one in some way."""
        return self.positions.setdefault((origin, step), len(self.positions))

    def operands(self, v: Variable, position: int, elements: float) -> list[tuple[Variable, int, float]]:
        """The operands of a value, where they are read, and how often."""
        op = self.definitions[v]
        found = []
        for i, a in enumerate(op.inputs):
            if not isinstance(a, Variable):
                continue
            if op.primitive in _PARTS or (op.primitive in _MOVES[3:] and i == 1):
                part = elements * math.prod(a.type.shape) / max(1, math.prod(v.type.shape))
                found.append((a, self.position(position, (id(op), i)), part))
            elif op.primitive in _MOVES[1:3]:
                found.append((a, self.position(position, id(op)), elements))
            elif a.type.shape == v.type.shape:
                found.append((a, position, elements))
            else:
                found.append((a, self.position(position, a.type.shape), elements / _inner(v.type.shape, a.type.shape)))
        return found

    def saves(self, v: Variable) -> set[Variable] | None:
        """The operands of a value that is worth storing; None if it is not."""
        size = math.prod(v.type.shape)
        repeated = self.evaluations[v] - size
        if self.definitions[v].primitive in (*_MOVES, *_PARTS) or repeated * 2 < size:
            return None
        inner: set[Variable] = set()
        todo = [v]
        while todo:
            for a in self.definitions[todo.pop()].inputs:
                if isinstance(a, Variable) and a not in inner and not self.is_stored(a):
                    inner.add(a)
                    todo.append(a)
        cost = sum(parallel.cost(self.definitions[x].primitive) for x in (v, *inner))
        saved = repeated * cost - size * _STORING
        return inner if cost >= _LEAST and saved >= _LEAST_IN_ALL else None


def _inner(shape: Sequence[int], operand: Sequence[int]) -> int:
    """How many passes of the innermost loops see the same element of an operand that is broadcast."""
    passes = 1
    for k, n in enumerate(reversed(shape)):
        if k < len(operand) and operand[-1 - k] != 1:
            break
        passes *= max(1, n)
    return passes
