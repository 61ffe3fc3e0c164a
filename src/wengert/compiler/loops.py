"""Kernels as LLVM loop nests.

`KernelWriter` computes pulled values element by element. The position of an element is one `Affine` index per axis:
``scale · loop variable + offset``, whose range is known, since loops are cut into intervals. Where a value is put
together from parts (concatenate, writing into a slice), the loops are cut at the seams, so that inside an interval it
is known at compile time which part an element comes from, and no loop contains a branch::

    out = zeros(10); out[1:] += a; out[:-1] += b      loops over [0, 1), [1, 9) and [9, 10)

To find the seams, the same traversal first runs without a builder and raises `Seam` where an interval straddles one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler import parallel, writes
from wengert.compiler.builder import Builder
from wengert.compiler.lowering import Emitter, Register, emit_element, llvm_type, memory_dtype, memory_type
from wengert.compiler.plan import REDUCTIONS, Kernel, Plan
from wengert.compiler.vector_math import MathLibrary, loop_metadata, scalar_loop_metadata
from wengert.core import combinators as c
from wengert.core.program import Atom, Literal, Operation, Variable
from wengert.core.values import dtype_of
from wengert.rules import elementwise as e
from wengert.rules import indexing, joining, structural

_I64 = ir.IntType(64)
_I8P = ir.IntType(8).as_pointer()
_SHORT = 32  # elements
_NEGLIGIBLE = 200  # times what it would take with vectors; as LLVM translates it at once, that is some ten times more
_FEW = 8
_REASSOCIATE = ("reassoc", "contract")
_COMBINE = {"add": e.add, "multiply": e.multiply, "maximum": e.maximum, "minimum": e.minimum}


class Affine(NamedTuple):
    """An index: scale · (variable of loop `axis`) + offset; axis -1 for a constant."""

    axis: int
    scale: int
    offset: int


Box = tuple[tuple[int, int], ...]  # an interval of each loop


class Uses(NamedTuple):
    """What a loop does in one box: the elements that it reads, and the results that are elements of other arrays."""

    reads: list[tuple[Variable, tuple[Affine, ...]]]
    unchanged: dict[Variable, Variable]  # result → array that has the same element at the same place


class Seam(Exception):
    """An interval of a loop has to be cut."""

    def __init__(self, axis: int, point: int) -> None:
        super().__init__()
        self.axis, self.point = axis, point


class CannotPull(Exception):
    """A variable has to be stored before it can be used."""

    def __init__(self, variable: Variable) -> None:
        super().__init__()
        self.variable = variable


class KernelWriter:
    """Writes one kernel as an LLVM function ``void name(pointers of leaves…, pointers of results…)``.

    `over` says which results take the memory of an array that is read (see `can_overwrite`): there is one pointer for
    both then, and what stays as it is is not stored again.
    """

    def __init__(self, plan: Plan, kernel: Kernel) -> None:
        self.plan, self.kernel = plan, kernel
        self.over: dict[Variable, Variable] = {}
        self.inline = False  # into where it is called, as far as one thread does it
        self.at_once = False  # translated without being optimised
        self.leaves: list[Variable] = []
        self.outside: set[Any] = set()
        self.uses: dict[Box, Uses] = {}
        self.em: Emitter | None = None
        self.interval: list[tuple[int, int]] = []
        self.loop_variables: list[Register] = []
        self.memo: dict[Any, Any] = {}
        self.function: Any = None
        self.pointers: dict[Variable, Register] = {}
        self.split: parallel.Split | None = None
        self.intervals: list[list[tuple[int, int]]] | None = None

    def begin(self, module: ir.Module, library: MathLibrary, name: str) -> None:
        """Say where to write the function."""
        self.module, self.library, self.name = module, library, name

    @property
    def results(self) -> list[Variable]:
        """The variables that the function stores."""
        return self.kernel.results

    # Values ----------------------------------------------------------------------------------------------------------

    def value(self, atom: Atom, at: tuple[Affine, ...]) -> Any:
        """Return an element of a variable, as an operand (register or None, dtype, literal number or None)."""
        if isinstance(atom, Literal):
            return None, dtype_of(atom.value), atom.value
        key = (atom, at)
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = (self._element(atom, at), atom.type.dtype, None)
        return found

    def _element(self, v: Variable, at: tuple[Affine, ...]) -> Any:
        if (v in self.plan.buffers and v not in self.kernel.stores) or v in self.plan.aliases:
            return self._load(v, at)
        if v in self.plan.buffers and self.kernel.stores and at != self._identity():
            raise CannotPull(v)  # another element of what this very loop stores
        return self._compute(self.plan.definitions[v], at)

    def _identity(self) -> tuple[Affine, ...]:
        return tuple(Affine(i, 1, 0) for i in range(len(self.kernel.space)))

    def _compute(self, op: Operation, at: tuple[Affine, ...]) -> Any:
        p, out = op.primitive, op.outputs[0].type
        if p is c.broadcast_to:
            return self._convert(self.value(op.inputs[0], self._aligned(op.inputs[0], at)), out.dtype)
        if p is structural.transpose:
            axes = op.params["axes"]
            back: list[Affine] = [at[0]] * len(axes)
            for i, a in enumerate(axes):
                back[a] = at[i]
            return self._convert(self.value(op.inputs[0], tuple(back)), out.dtype)
        if p is indexing.index:
            return self._convert(self.value(op.inputs[0], self._indexed(op, at)), out.dtype)
        if p in (joining.concatenate, joining.stack):
            return self._joined(op, at)
        if p in (indexing.index_add, indexing.index_update):
            return self._written(op, at)
        operands = [self.value(a, self._aligned(a, at)) for a in op.inputs]
        if p is e.from_parts:
            return tuple(self._convert(x, memory_dtype(out.dtype)) for x in operands)
        if p in (c.real, c.imag) and operands[0][1].kind == "c":
            parts = operands[0][0]
            return None if parts is None else parts[p is c.imag]
        return None if self.em is None else emit_element(self.em, p, operands, out.dtype)

    def _convert(self, operand: Any, dtype: np.dtype[Any]) -> Any:
        if self.em is None:
            return None
        value, own, number = operand
        return self.em.constant(number, dtype) if value is None else self.em.convert(value, own, dtype)

    def _aligned(self, atom: Atom, at: tuple[Affine, ...]) -> tuple[Affine, ...]:
        """Index of an operand under broadcasting."""
        if isinstance(atom, Literal):
            return ()
        shape = atom.type.shape
        at = (Affine(-1, 0, 0),) * (len(shape) - len(at)) + at  # assignment ignores extra leading axes of length 1
        tail = at[len(at) - len(shape) :]
        return tuple(Affine(-1, 0, 0) if n == 1 else a for n, a in zip(shape, tail, strict=True))

    def _indexed(self, op: Operation, at: tuple[Affine, ...]) -> tuple[Affine, ...]:
        """Index of x for an element of x[spec]."""
        shape = op.inputs[0].type.shape  # type: ignore[union-attr]
        position = iter(at)
        result: list[Affine] = []
        for s in writes.full_spec(op.params["spec"], len(shape)):
            if s is None:
                next(position)
                continue
            n = shape[len(result)]
            if isinstance(s, slice):
                start, _, step = s.indices(n)
                a = next(position)
                result.append(Affine(a.axis, a.scale * step, a.offset * step + start))
            else:
                result.append(Affine(-1, 0, s % n))
        return tuple(result)

    def _range(self, a: Affine) -> tuple[int, int]:
        """Smallest and largest value of an index in the current interval."""
        if a.axis < 0 or a.scale == 0:
            return a.offset, a.offset
        low, high = self.interval[a.axis]
        ends = a.scale * low + a.offset, a.scale * (high - 1) + a.offset
        return min(ends), max(ends)

    def _cut(self, v: Variable, a: Affine, bound: int) -> None:
        """Ask for the loop to be cut where index `a` passes from below `bound` to it."""
        if a.scale == 1:
            raise Seam(a.axis, bound - a.offset)
        if a.scale == -1:
            raise Seam(a.axis, a.offset - bound + 1)
        raise CannotPull(v)

    def _joined(self, op: Operation, at: tuple[Affine, ...]) -> Any:
        axis = op.params.get("axis", 0)
        stacked = op.primitive is joining.stack
        low, high = self._range(at[axis])
        start = 0
        for part in op.inputs:
            length = 1 if stacked else part.type.shape[axis]  # type: ignore[union-attr]
            if low >= start + length:
                start += length
                continue
            if high >= start + length:
                self._cut(op.outputs[0], at[axis], start + length)
            a = at[axis]
            inner = (*at[:axis], *(() if stacked else (Affine(a.axis, a.scale, a.offset - start),)), *at[axis + 1 :])
            return self._convert(self.value(part, inner), op.outputs[0].type.dtype)
        raise AssertionError("an index outside of the joined parts")

    def _written(self, op: Operation, at: tuple[Affine, ...]) -> Any:
        x, v = op.inputs
        out = op.outputs[0]
        shape = out.type.shape
        inside, axis = True, 0
        selected: list[Affine] = []
        for s in writes.full_spec(op.params["spec"], len(shape)):
            if s is None:
                selected.append(Affine(-1, 0, 0))
                continue
            n, a = shape[axis], at[axis]
            axis += 1
            if isinstance(s, slice):
                start, stop, step = s.indices(n)
                selected.append(Affine(a.axis, a.scale * step, (a.offset - start) * step))
                if step < 0:
                    start, stop = stop + 1, start + 1
                stop = max(start, stop)
            else:
                start, stop = s % n, s % n + 1
            low, high = self._range(a)
            if high < start or low >= stop:
                inside = False
                self.outside.add((out, at))
                break
            if low < start:
                self._cut(out, a, start)
            if high >= stop:
                self._cut(out, a, stop)
        if not inside:
            return self._convert(self.value(x, self._aligned(x, at)), out.type.dtype)
        update = self.value(v, self._aligned(v, tuple(selected)))
        if op.primitive is indexing.index_update:
            return self._convert(update, out.type.dtype)
        base = self.value(x, self._aligned(x, at))
        return None if self.em is None else emit_element(self.em, e.add, [base, update], out.type.dtype)

    def _load(self, v: Variable, at: tuple[Affine, ...]) -> Any:
        if self.em is None:
            if v not in self.leaves:
                self.leaves.append(v)
            return None
        b = self.em.builder
        places = self._places(v, at)
        if v.type.dtype.kind == "c":
            return tuple(map(b.load, places))
        value = b.load(places[0])
        return b.trunc(value, ir.IntType(1)) if v.type.dtype.kind == "b" else value

    def _places(self, v: Variable, at: tuple[Affine, ...]) -> list[Register]:
        """Where an element of an array is in memory; of complex numbers, where its parts are."""
        assert self.em is not None
        b, index = self.em.builder, self._address(v.type.shape, at)
        if v.type.dtype.kind != "c":
            return [b.gep(self.pointers[v], [index], inbounds=True)]
        index = b.mul(index, ir.Constant(_I64, 2), flags=("nsw",))
        indices = index, b.add(index, ir.Constant(_I64, 1), flags=("nsw",))
        return [b.gep(self.pointers[v], [i], inbounds=True) for i in indices]

    def _address(self, shape: tuple[int, ...], at: tuple[Affine, ...]) -> Register:
        """Offset of an element in a C-contiguous array."""
        assert self.em is not None
        b = self.em.builder
        total: Any = None
        constant, stride = 0, 1
        for n, a in zip(reversed(shape), reversed(at), strict=True):
            constant += a.offset * stride
            if a.axis >= 0 and a.scale != 0:
                factor = a.scale * stride
                term = self.loop_variables[a.axis]
                term = term if factor == 1 else b.mul(term, ir.Constant(_I64, factor), flags=("nsw",))
                total = term if total is None else b.add(total, term, flags=("nsw",))
            stride *= n
        if total is None:
            return ir.Constant(_I64, constant)
        return total if constant == 0 else b.add(total, ir.Constant(_I64, constant), flags=("nsw",))

    # The loop nest ---------------------------------------------------------------------------------------------------

    def body(self) -> list[Any]:
        """Compute the values that the innermost loop body stores and reduces."""
        self.memo, self.outside = {}, set()
        at = self._identity()
        stored = [self.value(v, at) for v in self._touched()]
        return stored + [self.value(op.inputs[0], at) for op in self.kernel.reductions]

    def _touched(self) -> list[Variable]:
        """What is to be stored in the current box: not what is there already."""
        if not self.over or self.em is None:
            return self.kernel.stores
        unchanged = self.uses[tuple(self.interval)].unchanged
        return [v for v in self.kernel.stores if v not in self.over or unchanged.get(v) is not self.over[v]]

    def _is_idle(self, box: Box) -> bool:
        """Whether all that a loop would store in a box is there already."""
        unchanged = self.uses[box].unchanged
        stores = self.kernel.stores
        return not self.kernel.reductions and all(v in self.over and unchanged.get(v) is self.over[v] for v in stores)

    def pieces(self) -> list[list[tuple[int, int]]]:
        """Intervals of each loop, cut at the seams."""
        if self.intervals is None:
            self.intervals = self._cut_loops()
        return self.intervals

    def _cut_loops(self) -> list[list[tuple[int, int]]]:
        cuts: list[set[int]] = [{0, n} for n in self.kernel.space]
        if 0 in self.kernel.space:
            return [[] for _ in self.kernel.space]
        for v in self.kernel.stores:  # the seams that are known beforehand
            op = self.plan.definitions[v]
            if writes.is_write(op):
                for points, ends in zip(cuts, writes.region(op), strict=True):
                    points.update(ends)
        checked: dict[Box, Uses] = {}
        while True:
            intervals = [list(itertools.pairwise(sorted(points))) for points in cuts]
            if int(np.prod([len(i) for i in intervals])) > writes.MAX_PIECES:
                raise CannotPull(self._middle_part())
            try:
                for box in itertools.product(*intervals):
                    if box not in checked:
                        self.interval = list(box)
                        self.body()
                        checked[box] = self._used()
                self.uses = {box: checked[box] for box in itertools.product(*intervals)}
                return intervals
            except Seam as seam:
                cuts[seam.axis].add(seam.point)

    def _used(self) -> Uses:
        """What the loop does in the current box, after `body`."""
        unchanged: dict[Variable, Variable] = {}
        for result in self.kernel.stores:
            v, at = result, self._identity()
            while (v, at) in self.outside:
                base = self.plan.definitions[v].inputs[0]
                if isinstance(base, Literal):
                    break
                v, at = base, self._aligned(base, at)
            if v is not result and v in self.leaves and v.type == result.type:
                unchanged[result] = self.plan.root(v)
        leaves = set(self.leaves)
        return Uses([(v, at) for v, at in self.memo if v in leaves], unchanged)

    def can_overwrite(self, result: Variable, array: Variable) -> bool:
        """Whether the loop can store a result over an array (of the same size) that it reads, and nothing reads later.

        It can if it reads each element that is overwritten only where it computes the one that comes in its place.
        """
        if result not in self.kernel.stores or result.type.dtype.itemsize != array.type.dtype.itemsize:
            return False
        self.pieces()
        written = [box for box, uses in self.uses.items() if uses.unchanged.get(result) is not array]
        if self.kernel.results == [result] and [_volume(box) for box in written] == [1]:
            return True  # all is read before the one element is stored
        for box, uses in self.uses.items():
            self.interval = list(box)
            for v, at in uses.reads:
                if self.plan.root(v) is not array or self._is_own_place(v, at):
                    continue
                if v.type.shape != self.kernel.space:
                    return False
                read = [self._range(a) for a in at]
                if any(_overlap(read, other) for other in written):
                    return False
        return True

    def _is_own_place(self, v: Variable, at: tuple[Affine, ...]) -> bool:
        """Whether an element of `v` is at the place at which the loop stores its own."""
        space = self.kernel.space
        return v.type.shape == space and all(
            n == 1 or a == Affine(axis, 1, 0) or (high - low == 1 and self._range(a) == (low, low))
            for axis, (n, a, (low, high)) in enumerate(zip(space, at, self.interval, strict=True))
        )

    def _middle_part(self) -> Variable:
        """A variable put together from parts, to be stored because there are too many seams."""
        parts = (joining.concatenate, joining.stack, indexing.index_add, indexing.index_update)
        stores = [v for v in self.kernel.stores if self.plan.definitions[v].primitive in parts]
        inputs = [self.plan.definitions[v].inputs for v in self.kernel.stores]
        stack = [a for atoms in (*inputs, *(op.inputs for op in self.kernel.reductions)) for a in atoms]
        inner: dict[Variable, None] = {}
        while stack:
            v = stack.pop()
            if isinstance(v, Variable) and v not in inner and v not in self.plan.buffers | self.plan.aliases.keys():
                inner[v] = None
                stack.extend(self.plan.definitions[v].inputs)
        pulled = [v for v in inner if self.plan.definitions[v].primitive in parts]
        # If all are stored already, by this very loop, then the last one is named twice and so left to NumPy.
        return pulled[len(pulled) // 2] if pulled else stores[-1]

    def write(self) -> ir.Function:
        """Emit the function."""
        self.pieces()
        results = self.results
        self.split = self._choose_split()
        taken = {x: v for v, x in self.over.items()}
        inside = [v for v in self.leaves if self.plan.root(v) in taken]
        self.leaves = [v for v in self.leaves if v not in inside]
        types = [memory_type(v.type.dtype).as_pointer() for v in (*self.leaves, *results)]
        if self.split is not None:
            types += [_I64, _I64]
        function = self.function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), types), self.name)
        function.linkage = "internal"
        function.attributes.add("alwaysinline" if self.inline and self.split is None else "noinline")
        if self.at_once:
            function.attributes.add("optnone")
        function.attributes.add("nounwind")
        for argument in function.args[: len(self.leaves) + len(results)]:
            argument.add_attribute("noalias")
        self.pointers = dict(zip((*self.leaves, *results), function.args, strict=False))
        self.share = function.args[-2:]
        builder = Builder(function.append_basic_block("entry"))
        for v in inside:
            pointer = self.pointers[taken[self.plan.root(v)]]
            self.pointers[v] = builder.bitcast(pointer, memory_type(v.type.dtype).as_pointer())
        self.em = Emitter(builder, self.library)
        self._emit()
        builder.ret_void()
        if self.split is not None:
            partials = [self._partial(op) for op in self.kernel.reductions if self.split.axis in op.params["axis"]]
            self.function = parallel.write_launcher(self.module, function, self.split, partials)
        return self.function

    @property
    def is_short(self) -> bool:
        """Whether vectors take longer to compile than they can save in one run."""
        return math.prod(self.kernel.space) <= _SHORT

    def is_negligible(self, others: float) -> bool:
        """Whether it does not matter how long it takes next to other steps, which take so many nanoseconds."""
        elements = math.prod(self.kernel.space)
        if elements * parallel.MEMORY_COST * _NEGLIGIBLE > others:
            return False
        self.pieces()
        return elements * max(map(self._element_cost, self.uses), default=0.0) * _NEGLIGIBLE <= others

    def is_tiny(self) -> bool:
        """Whether it stores a few elements only, and needs no loops."""
        self.pieces()
        busy = [_volume(box) for box in self.uses if not self._is_idle(box)]
        return not self.kernel.reductions and len(busy) <= _FEW and all(n == 1 for n in busy)

    def write_here(self, em: Emitter, address: Callable[[Variable], Register]) -> None:
        """Emit what the function would do at the current position; `address` gives pointers to arrays."""
        for v in (*self.leaves, *self.results):
            self.pointers[v] = em.builder.bitcast(address(v), memory_type(v.type.dtype).as_pointer())
        self.em = em
        self._emit()

    def _emit(self) -> None:
        """Emit the loops."""
        assert self.em is not None
        space = self.kernel.space
        self.accumulators: dict[int, Register] = {}
        for i, op in enumerate(self.kernel.reductions):
            if _is_suffix(op.params["axis"], len(space)):
                self.accumulators[i] = self.em.builder.alloca(llvm_type(op.outputs[0].type.dtype))
            else:
                self._fill(op)
        # For each loop the intervals, with those around it, in which there is anything to do.
        busy = [box for box in self.uses if not self._is_idle(box)]
        self.busy = [{box[: depth + 1] for box in busy} for depth in range(len(space))]
        self._nest(0, self.pieces())

    def _choose_split(self) -> parallel.Split | None:
        """Decide whether threads share this kernel, and along which axis."""
        space = self.kernel.space
        busy = {box: _volume(box) for box in self.uses if not self._is_idle(box)}
        elements = sum(busy.values())
        if elements <= parallel.FEW_ELEMENTS:
            return None
        nanoseconds = self._element_cost(max(busy, key=lambda box: busy[box]))

        def is_allowed(axis: int) -> bool:  # each thread has a copy of what is reduced over the axis
            sizes = [np.prod(op.outputs[0].type.shape) for op in self.kernel.reductions if axis in op.params["axis"]]
            return bool(sum(sizes) * 32 <= np.prod(space))

        total = nanoseconds * float(elements)
        return parallel.choose_split(space, total, [low for low, _ in self.interval], is_allowed)

    def _element_cost(self, box: Box) -> float:
        """Nanoseconds for one element in a box, with vectors; rough."""
        self.interval = list(box)
        self.body()
        nanoseconds = parallel.MEMORY_COST * len(self.results)
        for v, at in self.memo:
            if v in self.leaves:
                nanoseconds += parallel.MEMORY_COST * any(a.axis >= 0 for a in at)
            else:
                nanoseconds += parallel.cost(self.plan.definitions[v].primitive)
        return nanoseconds

    def _partial(self, op: Operation) -> parallel.Partial:
        """How the launcher adds the copies of the result of a reduction to it."""
        type_ = op.outputs[0].type
        size = int(np.prod(type_.shape))

        def combine(builder: Any, result: Register, copy: Register) -> None:
            self.em = Emitter(builder, self.library)
            for _ in self._loop(0, size):
                b, i = builder, self.loop_variables[-1]
                place = b.gep(result, [i], inbounds=True)
                other = b.load(b.gep(copy, [i], inbounds=True))
                b.store(self._combined(REDUCTIONS[op.primitive], b.load(place), other, type_.dtype), place)

        argument = len(self.leaves) + self.results.index(op.outputs[0])
        return parallel.Partial(argument, size * type_.dtype.itemsize, combine)

    def _fill(self, op: Operation, at: tuple[Affine, ...] = ()) -> None:
        """Set the result of a reduction over outer axes to the neutral element."""
        out = op.outputs[0]
        assert self.em is not None
        if len(at) == len(out.type.shape):
            b = self.em.builder
            address = self._address(out.type.shape, at)
            b.store(self._neutral(op), b.gep(self.pointers[out], [address], inbounds=True))
            return
        kept = [k for k in range(len(self.kernel.space)) if k not in op.params["axis"]]
        axis = len(at)
        for _ in self._loop(0, out.type.shape[axis], kept[axis]):
            self._fill(op, (*at, Affine(axis, 1, 0)))

    def _neutral(self, op: Operation) -> Register:
        assert self.em is not None
        dtype = op.outputs[0].type.dtype
        name = REDUCTIONS[op.primitive]
        if name in ("add", "multiply"):
            return self.em.constant(name == "multiply", dtype)
        if dtype.kind == "f":
            return ir.Constant(llvm_type(dtype), float("-inf") if name == "maximum" else float("inf"))
        info = np.iinfo(dtype)
        return ir.Constant(llvm_type(dtype), int(info.min if name == "maximum" else info.max))

    def _nest(self, depth: int, intervals: Sequence[Sequence[tuple[int, int]]]) -> None:
        assert self.em is not None
        starting = [
            (i, op)
            for i, op in enumerate(self.kernel.reductions)
            if i in self.accumulators and len(self.kernel.space) - len(op.params["axis"]) == depth
        ]
        for i, op in starting:
            self.em.builder.store(self._neutral(op), self.accumulators[i])
        if depth == len(self.kernel.space):
            self._innermost()
        else:
            for low, high in intervals[depth]:
                self.interval[depth:] = [(low, high)]
                if tuple(self.interval) not in self.busy[depth]:
                    continue
                for _ in self._loop(low, high, depth):
                    self._nest(depth + 1, intervals)
        for i, op in starting:
            b = self.em.builder
            out = op.outputs[0]
            address = self._address(out.type.shape, self._identity()[:depth])
            b.store(b.load(self.accumulators[i]), b.gep(self.pointers[out], [address], inbounds=True))

    def _innermost(self) -> None:
        assert self.em is not None
        values = self.body()
        at = self._identity()
        b = self.em.builder
        stores = self._touched()
        for v, operand in zip(stores, values, strict=False):
            if v.type.dtype.kind == "c":
                for part, place in zip(operand[0], self._places(v, at), strict=True):
                    b.store(part, place)
                continue
            value = self._convert(operand, v.type.dtype)
            if v.type.dtype.kind == "b":
                value = b.zext(value, ir.IntType(8))
            b.store(value, b.gep(self.pointers[v], [self._address(v.type.shape, at)], inbounds=True))
        for i, (op, operand) in enumerate(zip(self.kernel.reductions, values[len(stores) :], strict=True)):
            out = op.outputs[0]
            value = self._convert(operand, out.type.dtype)
            if i in self.accumulators:
                place = self.accumulators[i]
            else:
                kept = tuple(a for k, a in enumerate(at) if k not in op.params["axis"])
                place = b.gep(self.pointers[out], [self._address(out.type.shape, kept)], inbounds=True)
            b.store(self._combined(REDUCTIONS[op.primitive], b.load(place), value, out.type.dtype), place)

    def _combined(self, name: str, x: Register, y: Register, dtype: np.dtype[Any]) -> Register:
        assert self.em is not None
        if dtype.kind == "f" and name in ("add", "multiply"):
            return getattr(self.em.builder, "fadd" if name == "add" else "fmul")(x, y, flags=_REASSOCIATE)
        return emit_element(self.em, _COMBINE[name], [(x, dtype, None), (y, dtype, None)], dtype)

    def _loop(self, low: int, high: int, axis: int = -1) -> Iterator[None]:
        """Emit a loop around what the caller emits while this generator is suspended.

        If it runs along the axis that is split over threads, it does what is in the share of this call.
        """
        assert self.em is not None
        builder = self.em.builder
        start, stop = ir.Constant(_I64, low), ir.Constant(_I64, high)
        if self.split is not None and axis == self.split.axis:
            share_start, share_stop = self.share
            start = builder.select(builder.icmp_signed(">", share_start, start), share_start, start)
            stop = builder.select(builder.icmp_signed("<", share_stop, stop), share_stop, stop)
            with builder.if_then(builder.icmp_signed("<", start, stop)):
                yield from self._nonempty_loop(low, high, start, stop)
        else:
            yield from self._nonempty_loop(low, high, start, stop)

    def _nonempty_loop(self, low: int, high: int, start: Register, stop: Register) -> Iterator[None]:
        assert self.em is not None
        if high - low == 1:
            self.loop_variables.append(ir.Constant(_I64, low))
            yield
            self.loop_variables.pop()
            return
        builder = self.em.builder
        before = builder.block
        header = builder.append_basic_block("loop")
        builder.branch(header)
        builder.position_at_end(header)
        counter = builder.phi(_I64)
        counter.add_incoming(start, before)
        self.loop_variables.append(counter)
        yield
        self.loop_variables.pop()
        following = builder.add(counter, ir.Constant(_I64, 1), flags=("nsw", "nuw"))
        counter.add_incoming(following, builder.block)
        done = builder.append_basic_block("done")
        branch = builder.cbranch(builder.icmp_signed("<", following, stop), header, done)
        blocks = builder.function.blocks
        if not self.library.vectorise:
            branch.set_metadata("llvm.loop", scalar_loop_metadata(self.module))
        # A bare sum of products is faster with several vectors at once and a scalar rest.
        elif any(i.opname == "call" for b in blocks[blocks.index(header) :] for i in b.instructions):
            branch.set_metadata("llvm.loop", loop_metadata(self.module))
        builder.position_at_end(done)


def _overlap(read: Sequence[tuple[int, int]], box: Box) -> bool:
    """Whether indices from the first to the last of `read` are in a box."""
    return all(low < stop and high >= start for (low, high), (start, stop) in zip(read, box, strict=True))


def _volume(box: Box) -> int:
    return math.prod(high - low for low, high in box)


def _is_suffix(axis: Sequence[int], ndim: int) -> bool:
    """Whether the reduced axes are the innermost ones."""
    return sorted(axis) == list(range(ndim - len(axis), ndim))
