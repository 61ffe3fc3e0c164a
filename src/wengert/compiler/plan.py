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
import functools
import math
from collections.abc import Collection, KeysView, Sequence
from typing import Any

import numpy as np

from wengert.compiler import blas, gathers, gufuncs, lanes, lapack, repetition, writes
from wengert.compiler.lowering import is_about_parts, is_loadable_dtype, is_lowerable, is_lowerable_dtype
from wengert.core import combinators as c
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import dtype_of
from wengert.rules import elementwise as e
from wengert.rules import indexing, joining, reductions, structural
from wengert.transforms.branches import branch
from wengert.transforms.loops import loop
from wengert.transforms.mapped import map_program

_SMALL_SPACE = 1 << 14  # elements
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
class _Single:
    operation: Operation

    @property
    def results(self) -> list[Variable]:
        """The variables that it stores."""
        return list(self.operation.outputs)


class Call(_Single):
    """One operation that NumPy does."""


@dataclasses.dataclass
class Product(_Single):
    """A matrix product, done by BLAS."""

    factors: tuple[blas.Factor, blas.Factor]


class Map(_Single):
    """A loop over examples with an unrolled program as its body."""


class Iteration(_Single):
    """A loop or branch, written as such."""


class Indexed(_Single):
    """Reading or writing by arrays of indices, or by indices that are computed."""


class Factorization(_Single):
    """A linear system or a factorisation, done by LAPACK."""


class Routine(_Single):
    """A decomposition, complex linear algebra or a Fourier transform, done by inner loops of NumPy."""


class Lanes(_Single):
    """A scan, a sort or a search along an axis."""


Step = Kernel | Call | Product | Map | Iteration | Indexed | Factorization | Routine | Lanes


@dataclasses.dataclass
class Plan:
    """The steps in their order, and what became of each variable."""

    program: Program
    steps: list[Step]
    definitions: dict[Variable, Operation]
    buffers: set[Variable]  # stored, with memory of their own
    aliases: dict[Variable, Variable]  # reshaped buffers
    carried: frozenset[Variable] = frozenset()  # arguments that may be overwritten

    @functools.cached_property
    def needed(self) -> set[Variable]:
        """The variables that operations and results read."""
        atoms = [a for op in self.program.operations for a in op.inputs] + list(self.program.outputs)
        return {a for a in atoms if isinstance(a, Variable)}

    def root(self, v: Variable) -> Variable:
        """The stored array that `v` is, or is a reshaped form of."""
        while v in self.aliases:
            v = self.aliases[v]
        return v

    def reads(self, step: Step) -> list[Variable]:
        """The arrays in memory that a step reads, reshaped ones among them."""
        if isinstance(step, Product):
            return [f.variable for f in step.factors]
        if isinstance(step, Kernel):
            leaves, _ = _leaves(_roots(step, self.definitions), self.definitions, self.buffers, self.aliases)
            return [v for v in leaves if v not in step.stores]
        inputs = [a for a in step.operation.inputs if isinstance(a, Variable)]
        return [a for a in inputs if a in self.buffers or a in self.aliases]

    def uniform_operands(self, step: Iteration) -> dict[Variable, Any]:
        """The operands that are not in memory, and the number that all elements of each are equal to."""
        inputs = {a for a in step.operation.inputs if isinstance(a, Variable)} - set(self.reads(step))
        return {a: uniform_number(a, self.definitions) for a in inputs}

    def accesses(self, step: Step) -> writes.Accesses:
        """What a step does with memory."""
        return writes.Accesses(map(self.root, self.reads(step)), step.results)

    def base(self, step: Step) -> Variable | None:
        """The array that a step changes a part of, if it may do so in place."""
        partial = (indexing.index_add, indexing.index_update)
        if isinstance(step, (Call, Indexed)) and step.operation.primitive in partial:
            x = step.operation.inputs[0]
            found = x if isinstance(x, Variable) and x.type == step.operation.outputs[0].type else None
        elif isinstance(step, Kernel) and len(step.results) == 1:
            found = writes.base_of(step.results[0], self.definitions, lambda v: v in self.buffers or v in self.aliases)
        else:
            found = None
        root = None if found is None else self.root(found)
        # Nobody writes to other arguments and to constants.
        return root if root in self.definitions or root in self.carried else None

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


def uniform_number(v: Variable, definitions: dict[Variable, Operation]) -> Any:
    """The number of which an array of equal elements consists; None if it is none."""
    op = definitions.get(v)
    if op is None or op.primitive is not c.broadcast_to or not isinstance(op.inputs[0], Literal):
        return None
    return v.type.dtype.type(op.inputs[0].value)


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
    return is_about_parts(p, dtypes, out) or is_lowerable(p, dtypes, out)


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


def make_plan(
    program: Program,
    stored: Sequence[Variable] = (),
    by_numpy: Collection[int] = (),
    carried: frozenset[Variable] = frozenset(),
) -> Plan:
    """Decide what is stored, and group loops.

    Parameters
    ----------
    program : Program
        What to plan.
    stored : sequence of Variable
        Variables that must not be pulled; those that it names twice cannot be made by a loop at all.
    by_numpy : collection of int
        Loops and branches that cannot be written, by identity of the operation.
    carried : frozenset of Variable
        Arguments that may be overwritten once nobody reads them any more.
    """
    definitions = {v: op for op in program.operations for v in op.outputs}
    kinds: dict[Variable, str] = dict.fromkeys((*program.inputs, *(v for v, _ in program.constants)), "buffer")
    for op in program.operations:
        for v in op.outputs:
            if is_reduction(op):
                kinds[v] = "reduction"
            elif op.primitive is map_program:
                kinds[v] = "map"
            elif op.primitive in (loop, branch) and id(op) not in by_numpy:
                kinds[v] = "iteration"
            elif gathers.is_native(op) and not is_pullable(op) and stored.count(v) < 2:
                kinds[v] = "indexed"
            elif lapack.is_native(op):
                kinds[v] = "factorization"
            elif gufuncs.is_native(op):
                kinds[v] = "routine"
            elif lanes.is_native(op):
                kinds[v] = "lanes"
            elif blas.is_product(op):
                kinds[v] = "product"
            elif op.primitive is c.reshape and is_loadable_dtype(v.type.dtype) and isinstance(op.inputs[0], Variable):
                kinds[v] = "alias"
            else:
                kinds[v] = "pulled" if is_pullable(op) and stored.count(v) < 2 else "call"
    buffers = {v for v, k in kinds.items() if k not in ("pulled", "alias")}
    buffers.update(stored)
    buffers.update(a for a in program.outputs if isinstance(a, Variable) and kinds[a] == "pulled")
    for op in program.operations:
        kind = kinds[op.outputs[0]]
        if kind in ("call", "alias", "map", "iteration", "indexed", "factorization", "routine", "lanes"):
            pulled = [a for a in op.inputs if isinstance(a, Variable) and kinds[a] == "pulled"]
            buffers.update(a for a in pulled if kind != "iteration" or uniform_number(a, definitions) is None)
        if kinds[op.outputs[0]] == "product":
            buffers.update(f.variable for f in blas.factors(op, definitions) if kinds[f.variable] == "pulled")
    if any(map(writes.is_write, program.operations)):
        cut = set(buffers)
        _cut_large_expressions(program, kinds, cut)
        buffers |= writes.long_sequences(program, lambda v: kinds[v] == "pulled", cut)
    _cut_large_expressions(program, kinds, buffers)
    aliases: Any = {v: definitions[v].inputs[0] for v, k in kinds.items() if k == "alias"}
    while True:
        steps = _group(program, definitions, kinds, aliases, buffers)
        more = _recomputed(program, definitions, aliases, buffers, steps)
        plan = Plan(program, steps, definitions, buffers - aliases.keys(), aliases, carried)
        more = more or _order(plan)
        if not more:
            return plan
        buffers |= more


def _order(plan: Plan) -> set[Variable]:
    """Bring the steps in an order in which arrays can be written in place.

    Return small parts of such arrays that later steps read: stored before, they keep nobody from writing.
    """
    bases = {n: base for n, step in enumerate(plan.steps) if (base := plan.base(step)) is not None}
    if not bases:
        return set()
    accesses = [plan.accesses(step) for step in plan.steps]
    order = writes.order(accesses, bases)
    plan.steps = [plan.steps[n] for n in order]
    place = {n: i for i, n in enumerate(order)}
    overwritten = {base: place[n] for n, base in bases.items()}
    more: set[Variable] = set()
    for i, step in enumerate(plan.steps):
        late = {v for v in accesses[order[i]].reads if overwritten.get(v, i) < i}
        if late and isinstance(step, Kernel):
            more |= _small_parts(plan, step, late)
    return more


def _small_parts(plan: Plan, kernel: Kernel, arrays: set[Variable]) -> set[Variable]:
    """What a loop computes directly from some arrays, if all of it is small."""
    found: set[Variable] = set()
    for v in kernel.stores:
        if any(isinstance(a, Variable) and plan.root(a) in arrays for a in plan.definitions[v].inputs):
            return set()
    if any(plan.root(a) in arrays for op in kernel.reductions for a in op.inputs if isinstance(a, Variable)):
        return set()
    for v in _leaves(_roots(kernel, plan.definitions), plan.definitions, plan.buffers, plan.aliases)[1]:
        read = [plan.root(a) for a in plan.definitions[v].inputs if isinstance(a, Variable)]
        sizes = [np.prod(x.type.shape) for x in read if x in arrays]
        if sizes and np.prod(v.type.shape) * writes.SMALL > min(sizes):
            return set()
        if sizes:
            found.add(v)
    return found


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


def _roots(kernel: Kernel, definitions: dict[Variable, Operation]) -> list[Any]:
    """The operands of what a loop stores and reduces."""
    operands = [a for v in kernel.stores for a in definitions[v].inputs]
    return operands + [a for op in kernel.reductions for a in op.inputs]


def _leaves(
    roots: Sequence[Any], definitions: dict[Variable, Operation], buffers: set[Variable], aliases: Any
) -> tuple[KeysView[Variable], KeysView[Variable]]:
    """Return the buffers that pulled expressions read, and the pulled variables inside them."""
    leaves: dict[Variable, None] = {}
    inner: dict[Variable, None] = {}
    stack = [a for a in roots if isinstance(a, Variable)]
    while stack:
        v = stack.pop()
        if v in buffers or v in aliases:
            leaves[v] = None
        elif v not in inner:
            inner[v] = None
            stack.extend(a for a in definitions[v].inputs if isinstance(a, Variable))
    return leaves.keys(), inner.keys()


def _group(
    program: Program,
    definitions: dict[Variable, Operation],
    kinds: dict[Variable, str],
    aliases: dict[Variable, Variable],
    buffers: set[Variable],
) -> list[Step]:
    """Put each stored value, reduction and call on the first level at which its operands are ready; share loops."""
    level: dict[Variable, int] = dict.fromkeys(program.inputs, 0)
    level.update((v, 0) for v, _ in program.constants)
    kernels: dict[tuple[int, tuple[int, ...], Variable | None], Kernel] = {}

    def is_stored(v: Variable) -> bool:
        return v in buffers or v in aliases

    def root(v: Variable) -> Variable:
        while v in aliases:
            v = aliases[v]
        return v

    calls: dict[int, list[Step]] = {}
    first_read: dict[Variable, int] = {}
    reads: dict[Any, set[Variable]] = {}  # of each kernel
    overwritten: dict[Variable, int] = {}
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
        source = op.inputs[0] if kind == "reduction" else None
        if source in buffers and kinds[source] == "pulled":
            # What a loop stores it can also reduce, unless it writes a part of an array only.
            key = level[source], source.type.shape, None
            if key in kernels and source in kernels[key].stores:
                kernels[key].reductions.append(op)
                level[v] = level[source]
                continue
        leaves, _ = _leaves(operands, definitions, buffers, aliases)
        own = 1 + max((level[x] for x in leaves), default=0)
        for x in map(root, leaves):
            first_read[x] = min(own, first_read.get(x, own))
        key = own, v.type.shape, None
        for out in op.outputs:
            level[out] = own
        if kind == "call":
            calls.setdefault(own, []).append(Call(op))
        elif kind == "map":
            calls.setdefault(own, []).append(Map(op))
        elif kind == "iteration":
            calls.setdefault(own, []).append(Iteration(op))
        elif kind == "indexed":
            calls.setdefault(own, []).append(Indexed(op))
        elif kind == "factorization":
            calls.setdefault(own, []).append(Factorization(op))
        elif kind == "routine":
            calls.setdefault(own, []).append(Routine(op))
        elif kind == "lanes":
            calls.setdefault(own, []).append(Lanes(op))
        elif kind == "product":
            calls.setdefault(own, []).append(Product(op, blas.factors(op, definitions)))
        elif kind == "reduction":
            space = op.inputs[0].type.shape  # type: ignore[union-attr]
            key = own, space, None
            kernels.setdefault(key, Kernel(space)).reductions.append(op)
        else:
            # What may be written in place has a loop of its own, which then is over the written part only.
            base = writes.base_of(v, definitions, is_stored)
            alone = v if base in definitions else None
            key = own, v.type.shape, alone
            kernels.setdefault(key, Kernel(v.type.shape)).stores.append(v)
            if base is not None:
                overwritten[root(base)] = own
        reads.setdefault(key, set()).update(map(root, leaves))
    _postpone(kernels, first_read, reads, overwritten)
    steps: list[Step] = []
    loops: dict[int, list[Step]] = {}
    for (number, _, _), kernel in kernels.items():
        loops.setdefault(number, []).append(kernel)
    for number in sorted({*loops, *calls}):
        steps.extend(loops.get(number, ()))
        steps.extend(calls.get(number, ()))
    return steps


def _postpone(
    kernels: dict[tuple[int, tuple[int, ...], Variable | None], Kernel],
    first_read: dict[Variable, int],
    reads: dict[Any, set[Variable]],
    overwritten: dict[Variable, int],
) -> None:
    """Join small loops with later ones over the same space.

    Nobody must read their results before, and what they read should not be needed longer than to the level at which it
    may be overwritten.
    """
    next_level: dict[tuple[int, ...], int] = {}  # of a loop over each space
    for key in sorted((k for k in kernels if k[2] is None), key=lambda k: -k[0]):
        level, space, _ = key
        if math.prod(space) > _SMALL_SPACE:
            continue
        kernel = kernels[key]
        limit = min([first_read.get(v, math.inf) for v in kernel.results])
        limit = min([limit, *(overwritten[x] + 1 for x in reads[key] if x in overwritten)])
        later = next_level.get(space, math.inf)
        if later < limit:
            other = kernels[int(later), space, None]
            other.stores[:0] = kernel.stores
            other.reductions[:0] = kernel.reductions
            reads[int(later), space, None] |= reads[key]
            del kernels[key]
        else:
            next_level[space] = level


def _recomputed(
    program: Program,
    definitions: dict[Variable, Operation],
    aliases: dict[Variable, Variable],
    buffers: set[Variable],
    steps: Sequence[Step],
) -> set[Variable]:
    """Return pulled variables that are not cheap and would be computed several times, by several kernels or by one."""
    count: dict[Variable, int] = {}
    for step in steps:
        if isinstance(step, Kernel):
            for v in _leaves(_roots(step, definitions), definitions, buffers, aliases)[1]:
                count[v] = count.get(v, 0) + 1
    expensive = {v for v, n in count.items() if n > 1 and _is_expensive(v, definitions, buffers, aliases)}
    # Storing an operand may make its user cheap: store only the first ones.
    more: set[Variable] = set()
    later: set[Variable] = set()  # what has an expensive one inside
    for op in program.operations:
        pulled = (a for a in op.inputs if isinstance(a, Variable) and a not in buffers and a not in aliases)
        if any(a in expensive or a in later for a in pulled):
            later.update(op.outputs)
        else:
            more.update(expensive.intersection(op.outputs))
    kernels = [step for step in steps if isinstance(step, Kernel)]
    return more or repetition.worth_storing(kernels, definitions, lambda v: v in buffers or v in aliases)


def _is_expensive(v: Variable, definitions: Any, buffers: set[Variable], aliases: Any) -> bool:
    count = 0
    stack, seen = [v], {v}
    while stack:
        op = definitions[stack.pop()]
        if isinstance(op.primitive, c.Elementwise):
            count += 1
            if count > 12 or op.primitive not in _CHEAP:
                return True
        for a in op.inputs:
            if isinstance(a, Variable) and not (a in seen or a in buffers or a in aliases):
                seen.add(a)
                stack.append(a)
    return False
