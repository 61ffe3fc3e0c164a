"""From a simplified program to steps: what gets a buffer, what is computed where it is needed, which loops are shared.

Every value is one of three kinds. A **buffer** is stored in memory: inputs, constants, results, the operands and
outputs of operations that are called (linear algebra, sorting: whatever has no native form), and results of reductions.
A value is **pulled** if the loop that consumes it computes it element by element on the fly: elementwise operations,
and those that only move elements. An **alias** is a reshaped buffer.

A `Kernel` is one loop nest over an index space. It stores several values of that shape and does several reductions of
values of that shape at once (siblings share the loop). A `Call` is an operation that NumPy does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.compiler import blas
from wengert.compiler.lowering import is_lowerable, is_lowerable_dtype
from wengert.core import combinators as c
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import dtype_of
from wengert.rules import elementwise as e
from wengert.rules import indexing, joining, reductions, structural
from wengert.transforms.mapped import map_program

#: Pulled expressions larger than this, counted with repetitions, are cut by storing a part of them.
MAX_EXPRESSION = 200
REDUCTIONS = {
    c.reduce_sum: "add",
    reductions.reduce_prod: "multiply",
    reductions.reduce_max: "maximum",
    reductions.reduce_min: "minimum",
}
_CHEAP = {
    c.tangent_product,
    e.add,
    e.subtract,
    e.multiply,
    e.negative,
    e.square,
    e.where,
    e.absolute,
    c.strong_multiply,
    c.astype,
}


@dataclasses.dataclass
class Kernel:
    """One loop nest: the values that it stores, and the reductions that it does (as their operations)."""

    space: tuple[int, ...]
    stores: list[Variable] = dataclasses.field(default_factory=list)
    reductions: list[Operation] = dataclasses.field(default_factory=list)

    @property
    def results(self) -> list[Variable]:
        """The variables whose buffers it fills."""
        return [*self.stores, *(op.outputs[0] for op in self.reductions)]


@dataclasses.dataclass
class Call:
    """One operation that NumPy does."""

    operation: Operation


@dataclasses.dataclass
class Product:
    """A matrix product, done by BLAS."""

    operation: Operation
    factors: tuple[blas.Factor, blas.Factor]


@dataclasses.dataclass
class Map:
    """A loop over examples with an unrolled program as its body."""

    operation: Operation


Step = Kernel | Call | Product | Map


@dataclasses.dataclass
class Plan:
    """The steps in their order, and what became of each variable."""

    program: Program
    steps: list[Step]
    definitions: dict[Variable, Operation]
    buffers: set[Variable]  # stored, with memory of their own
    aliases: dict[Variable, Variable]  # reshaped buffers

    @property
    def calls(self) -> list[str]:
        """Names of the operations that fell back to NumPy."""
        return [s.operation.primitive.name for s in self.steps if isinstance(s, Call)]


def basic_spec(op: Operation) -> bool:
    """Whether an indexing operation uses ints, slices of step ±1 (any step for reading), None and Ellipsis only."""
    reads = op.primitive is indexing.index
    if len(op.inputs) != (1 if reads else 2):
        return False
    if reads:
        return True
    return all(not isinstance(s, slice) or s.step in (None, 1, -1) for s in op.params["spec"])


def is_pullable(op: Operation) -> bool:
    """Whether single elements of the result can be computed from single elements of the operands."""
    p = op.primitive
    if p.multiple or any(isinstance(a, Literal) and not np.isscalar(a.value) for a in op.inputs):
        return False
    dtypes = [dtype_of(a.value) if isinstance(a, Literal) else a.type.dtype for a in op.inputs]
    out = op.outputs[0].type.dtype
    if p in (c.broadcast_to, structural.transpose, joining.concatenate, joining.stack):
        return all(map(is_lowerable_dtype, (*dtypes, out)))
    if p in (indexing.index, indexing.index_add, indexing.index_update):
        return all(map(is_lowerable_dtype, (*dtypes, out))) and basic_spec(op)
    return is_lowerable(p, dtypes, out)


def is_reduction(op: Operation) -> bool:
    """Whether an operation is a reduction with a native form."""
    if op.primitive not in REDUCTIONS or not isinstance(op.inputs[0], Variable):
        return False
    own, out = op.inputs[0].type.dtype, op.outputs[0].type.dtype
    return (
        is_lowerable_dtype(own)
        and is_lowerable_dtype(out)
        and out.kind in "fiu"
        and int(np.prod(op.inputs[0].type.shape)) > 0
    )


def make_plan(program: Program, stored: Sequence[Variable] = ()) -> Plan:
    """Decide what is stored, and group loops.

    `stored` are variables that must not be pulled; those that it names twice cannot be made by a loop at all.
    """
    definitions = {v: op for op in program.operations for v in op.outputs}
    kinds: dict[Variable, str] = dict.fromkeys((*program.inputs, *(v for v, _ in program.constants)), "buffer")
    for op in program.operations:
        for v in op.outputs:
            if is_reduction(op):
                kinds[v] = "reduction"
            elif op.primitive is map_program:
                kinds[v] = "map"
            elif blas.is_product(op):
                kinds[v] = "product"
            elif op.primitive is c.reshape and is_lowerable_dtype(v.type.dtype) and isinstance(op.inputs[0], Variable):
                kinds[v] = "alias"
            else:
                kinds[v] = "pulled" if is_pullable(op) and stored.count(v) < 2 else "call"
    buffers = {v for v, k in kinds.items() if k in ("buffer", "reduction", "call", "product", "map")}
    buffers.update(stored)
    buffers.update(a for a in program.outputs if isinstance(a, Variable) and kinds[a] == "pulled")
    for op in program.operations:
        if kinds[op.outputs[0]] in ("call", "alias", "map"):
            buffers.update(a for a in op.inputs if isinstance(a, Variable) and kinds[a] == "pulled")
        if kinds[op.outputs[0]] == "product":
            buffers.update(f.variable for f in blas.factors(op, definitions) if kinds[f.variable] == "pulled")
    _cut_large_expressions(program, kinds, buffers)
    while True:
        steps = _group(program, definitions, kinds, buffers)
        more = _recomputed(program, definitions, kinds, buffers, steps)
        if not more:
            break
        buffers |= more
    aliases = {v: definitions[v].inputs[0] for v, k in kinds.items() if k == "alias"}
    return Plan(program, steps, definitions, buffers - aliases.keys(), aliases)  # type: ignore[arg-type]


def _cut_large_expressions(program: Program, kinds: dict[Variable, str], buffers: set[Variable]) -> None:
    sizes: dict[Variable, int] = {}
    uses: dict[Variable, int] = {}
    for op in program.operations:
        for a in op.inputs:
            if isinstance(a, Variable):
                uses[a] = uses.get(a, 0) + 1
    for op in program.operations:
        (v, *_) = op.outputs
        if kinds[v] != "pulled":
            continue
        size = 1 + sum(sizes.get(a, 0) for a in op.inputs if isinstance(a, Variable) and a not in buffers)
        if size > MAX_EXPRESSION or (size > 24 and uses.get(v, 0) > 2):
            buffers.add(v)
        sizes[v] = size


def _leaves(
    roots: Sequence[Any], definitions: dict[Variable, Operation], buffers: set[Variable], kinds: Any
) -> tuple[set[Variable], set[Variable]]:
    """Return the buffers that pulled expressions read, and the pulled variables inside them."""
    leaves: set[Variable] = set()
    inner: set[Variable] = set()
    stack = [a for a in roots if isinstance(a, Variable)]
    while stack:
        v = stack.pop()
        if v in buffers or kinds[v] == "alias":
            leaves.add(v)
        elif v not in inner:
            inner.add(v)
            stack.extend(a for a in definitions[v].inputs if isinstance(a, Variable))
    return leaves, inner


def _group(
    program: Program, definitions: dict[Variable, Operation], kinds: dict[Variable, str], buffers: set[Variable]
) -> list[Step]:
    """Put each stored value, reduction and call on the first level at which its operands are ready; share loops."""
    level: dict[Variable, int] = dict.fromkeys(program.inputs, 0)
    level.update((v, 0) for v, _ in program.constants)
    kernels: dict[tuple[int, tuple[int, ...]], Kernel] = {}
    calls: dict[int, list[Step]] = {}
    for op in program.operations:
        v = op.outputs[0]
        kind = kinds[v]
        if kind == "alias":
            level[v] = level[op.inputs[0]]  # type: ignore[index]
            continue
        if kind == "pulled" and v not in buffers:
            continue
        operands = op.inputs
        if kind == "product":
            operands = [f.variable for f in blas.factors(op, definitions)]
        leaves, _ = _leaves(operands, definitions, buffers, kinds)
        own = 1 + max((level[x] for x in leaves), default=0)
        for out in op.outputs:
            level[out] = own
        if kind == "call":
            calls.setdefault(own, []).append(Call(op))
        elif kind == "map":
            calls.setdefault(own, []).append(Map(op))
        elif kind == "product":
            calls.setdefault(own, []).append(Product(op, blas.factors(op, definitions)))
        elif kind == "reduction":
            space = op.inputs[0].type.shape  # type: ignore[union-attr]
            kernels.setdefault((own, space), Kernel(space)).reductions.append(op)
        else:
            kernels.setdefault((own, v.type.shape), Kernel(v.type.shape)).stores.append(v)
    steps: list[Step] = []
    for number in sorted({*(k[0] for k in kernels), *calls}):
        steps.extend(k for key, k in kernels.items() if key[0] == number)
        steps.extend(calls.get(number, ()))
    return steps


def _recomputed(
    program: Program,
    definitions: dict[Variable, Operation],
    kinds: dict[Variable, str],
    buffers: set[Variable],
    steps: Sequence[Step],
) -> set[Variable]:
    """Return pulled variables that several kernels would compute and that are not cheap."""
    count: dict[Variable, int] = {}
    for step in steps:
        if isinstance(step, Kernel):
            roots = [a for v in step.stores for a in definitions[v].inputs]
            roots += [a for op in step.reductions for a in op.inputs]
            for v in _leaves(roots, definitions, buffers, kinds)[1]:
                count[v] = count.get(v, 0) + 1
    expensive = {v for v, n in count.items() if n > 1 and _is_expensive(v, definitions, buffers, kinds)}
    # Storing an operand may make its user cheap: store only the first ones.
    return {v for v in expensive if not _leaves(definitions[v].inputs, definitions, buffers, kinds)[1] & expensive}


def _is_expensive(v: Variable, definitions: Any, buffers: set[Variable], kinds: Any) -> bool:
    inner = _leaves([v], definitions, buffers, kinds)[1]
    elementwise = [definitions[x].primitive for x in inner if isinstance(definitions[x].primitive, c.Elementwise)]
    return len(elementwise) > 12 or any(p not in _CHEAP for p in elementwise)
