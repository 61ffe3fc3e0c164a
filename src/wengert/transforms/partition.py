"""What a loop keeps for its reverse sweep: the cheapest set of values from which the rest can be computed again.

The backward iteration has the constants, the stacks that the forward iteration read, and the number of the iteration.
Everything else that it needs of the forward iteration is either kept (it costs its bytes, once per iteration) or
computed again from other values, if that is cheap. The cheapest choice is a minimal cut of the graph of the forward
operations, between what only the forward sweep knows and what the backward sweep reads.

References: Ford & Fulkerson, "Maximal flow through a network" (1956), for the theorem; Edmonds & Karp (1972) for the
algorithm; Griewank & Walther, Evaluating Derivatives (2008), chapter 12, for the trade.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from wengert.core import combinators as c
from wengert.core.program import Operation, Variable
from wengert.rules import elementwise as e
from wengert.rules import indexing, joining, structural

#: Operations that are cheaper to do again than to store their result and read it back.
CHEAP = {
    e.add, e.subtract, e.multiply, e.divide, e.negative, e.square, e.absolute, e.reciprocal, e.where, e.maximum,
    e.minimum, e.equal, e.not_equal, e.less, e.less_equal, e.greater, e.greater_equal, e.logical_not, e.logical_and,
    e.logical_or, e.sign, c.tangent_product, c.strong_multiply, c.astype, c.broadcast_to, c.reshape, c.real, c.conj,
    structural.transpose, indexing.index, joining.stack, joining.concatenate,
}  # fmt: skip


def size_in_bytes(v: Variable) -> int:
    """Bytes of a value."""
    return max(1, math.prod(v.type.shape) * v.type.dtype.itemsize)


def choose_kept(
    operations: Sequence[Operation], free: Iterable[Variable], given: Iterable[Variable], needed: Iterable[Variable]
) -> set[Variable]:
    """Return the variables to keep.

    Parameters
    ----------
    operations : sequence of Operation
        The forward operations.
    free : iterable of Variable
        Inputs that the backward sweep has anyway.
    given : iterable of Variable
        The other inputs.
    needed : iterable of Variable
        What the backward sweep reads.
    """
    known = set(free)
    network = _Network()
    for v in given:
        network.add(_SOURCE, (v, "in"), math.inf)
        network.add((v, "in"), (v, "out"), size_in_bytes(v))
    for op in operations:
        inputs = [a for a in op.inputs if isinstance(a, Variable) and a not in known]
        cheap = op.primitive in CHEAP
        if cheap and not inputs:
            known.update(op.outputs)
            continue
        for v in op.outputs:
            network.add((v, "in"), (v, "out"), size_in_bytes(v))
            if not cheap:
                network.add(_SOURCE, (v, "in"), math.inf)
            else:
                for a in inputs:
                    network.add((a, "out"), (v, "in"), math.inf)
    for v in needed:
        if v not in known:
            network.add((v, "out"), _SINK, math.inf)
    return {node[0] for node, after in network.minimal_cut()}  # type: ignore[index]


_SOURCE, _SINK = "source", "sink"
Node = Hashable


class _Network:
    """A network of edges with capacities."""

    def __init__(self) -> None:
        self.capacity: dict[Node, dict[Node, float]] = {_SOURCE: {}, _SINK: {}}

    def add(self, a: Node, b: Node, capacity: float) -> None:
        self.capacity.setdefault(a, {})[b] = capacity
        self.capacity.setdefault(b, {}).setdefault(a, 0)

    def minimal_cut(self) -> list[tuple[Node, Node]]:
        """Edges of finite capacity that separate source from sink; those closest to the sink."""
        left = {a: dict(edges) for a, edges in self.capacity.items()}
        while True:
            before = self._search(left, _SOURCE, forward=True)
            if _SINK not in before:
                break
            path: list[tuple[Node, Node]] = []
            b: Any = _SINK
            while b != _SOURCE:
                path.append((before[b], b))
                b = before[b]
            flow = min(left[a][b] for a, b in path)
            for a, b in path:
                left[a][b] -= flow
                left[b][a] += flow
        reach_sink = self._search(left, _SINK, forward=False)
        return [
            (a, b)
            for a, edges in self.capacity.items()
            for b, capacity in edges.items()
            if a not in reach_sink and b in reach_sink and 0 < capacity < math.inf
        ]

    @staticmethod
    def _search(left: dict[Node, dict[Node, float]], start: Node, *, forward: bool) -> dict[Node, Node]:
        """Breadth first; for each node that is reached, the one before it."""
        before: dict[Node, Node] = {start: start}
        queue = deque([start])
        while queue:
            a = queue.popleft()
            for b in left[a]:
                if b not in before and (left[a][b] if forward else left[b][a]) > 0:
                    before[b] = a
                    queue.append(b)
        return before
