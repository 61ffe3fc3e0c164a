"""Matrices that are zero except on a few diagonals: Jacobians and Hessians of functions of neighbours.

A Jacobian comes from pushing the columns of the identity matrix, which is a constant of the program, through linear
operations. `nonzeros` finds which elements of each variable can be other than zero, by following those operations with
the pattern of the constants. Where that leaves a few diagonals of a matrix, `BandWriter` writes zeros everywhere and
then loops along the diagonals only::

    out[:] = 0
    for i in range(n):      out[i, i] = …
    for i in range(n - 1):  out[i, i + 1] = …

Along a diagonal both indices are the loop variable plus a constant. `KernelWriter` computes values at such places as at
any other.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.builder import Builder
from wengert.compiler.loops import Affine, KernelWriter, Seam
from wengert.compiler.lowering import Emitter, memory_type
from wengert.compiler.plan import Kernel, Plan
from wengert.core import combinators as c
from wengert.core.program import Atom, Literal, Operation, Program, Variable
from wengert.rules import elementwise as e
from wengert.rules import indexing, joining, structural

_LARGEST = 4_000_000  # elements of a variable whose pattern is followed
_SPARSE = 8  # times fewer elements than the matrix has: worth a loop of its own

Pattern = Any  # ndarray of bool: what can be other than zero


def nonzeros(program: Program) -> dict[Variable, Pattern]:
    """Return the patterns of the variables that are known to have zeros."""
    known: dict[Variable, Pattern] = {}
    for v, x in program.constants:
        if isinstance(x, np.ndarray) and x.ndim >= 2 and x.size <= _LARGEST and x.dtype.kind in "fiu":
            pattern = x != 0
            if np.count_nonzero(pattern) * _SPARSE <= x.size:
                known[v] = pattern
    if not known:
        return {}
    for op in program.operations:
        is_filled = op.primitive is c.broadcast_to  # perhaps with zeros
        if (is_filled or any(a in known for a in op.inputs)) and not op.primitive.multiple:
            pattern = _pattern(op, known)
            if pattern is not None and not pattern.all():
                known[op.outputs[0]] = pattern
    return known


def _pattern(op: Operation, known: dict[Variable, Pattern]) -> Pattern | None:
    """Pattern of the result of an operation; None if every element can be other than zero."""
    shape = op.outputs[0].type.shape
    p, params = op.primitive, op.params

    def of(atom: Atom) -> Pattern:
        if isinstance(atom, Literal):
            return np.asarray(atom.value != 0)
        pattern = known.get(atom)
        return np.broadcast_to(True, atom.type.shape) if pattern is None else pattern

    if p in (e.add, e.subtract, c.strong_multiply):
        first, second = map(of, op.inputs)
        return np.broadcast_to(first & second if p is c.strong_multiply else first | second, shape)
    if p is c.tangent_product:
        return np.broadcast_to(of(op.inputs[1]), shape)
    if p in (e.negative, c.astype):
        return of(op.inputs[0])
    if p is c.reshape:
        return of(op.inputs[0]).reshape(shape)
    if p is c.broadcast_to:
        return np.broadcast_to(of(op.inputs[0]), shape)
    if p is structural.transpose:
        return of(op.inputs[0]).transpose(params["axes"])
    if p is joining.concatenate:
        return np.concatenate([of(a) for a in op.inputs], axis=params["axis"])
    if p is indexing.index and len(op.inputs) == 1:
        return np.asarray(of(op.inputs[0])[indexing.make_key(params["spec"], ())])
    if p in (indexing.index_add, indexing.index_update) and len(op.inputs) == 2:
        out, key = of(op.inputs[0]).copy(), indexing.make_key(params["spec"], ())
        update = of(op.inputs[1])
        update = update.reshape(update.shape[max(0, update.ndim - out[key].ndim) :])
        out[key] = update if p is indexing.index_update else out[key] | update
        return out
    return None


def diagonals(kernel: Kernel, patterns: dict[Variable, Pattern]) -> list[int] | None:
    """Return the diagonals (column minus row) outside of which all that a kernel stores is zero; None if too many."""
    if kernel.reductions or len(kernel.space) != 2 or not all(v in patterns for v in kernel.stores):
        return None
    found: set[int] = set()
    for v in kernel.stores:
        rows, columns = np.nonzero(patterns[v])
        found.update(np.unique(columns - rows).tolist())
    return sorted(found) if len(found) * max(kernel.space) * _SPARSE <= np.prod(kernel.space) else None


class BandWriter(KernelWriter):
    """Writes a kernel whose results are zero but on some diagonals."""

    def __init__(self, plan: Plan, kernel: Kernel, patterns: dict[Variable, Pattern], bands: list[int]) -> None:
        super().__init__(plan, kernel)
        self.patterns = patterns
        self.bands = bands
        self.constants = dict(plan.program.constants)
        self.diagonal = 0

    def _identity(self) -> tuple[Affine, ...]:
        return Affine(0, 1, 0), Affine(0, 1, self.diagonal)

    def value(self, atom: Atom, at: tuple[Affine, ...]) -> Any:
        """Return an element; a number if it is the same everywhere in the interval."""
        pattern = self.patterns.get(atom) if isinstance(atom, Variable) else None
        if pattern is None or isinstance(atom, Literal):
            return super().value(atom, at)
        zero = atom.type.dtype.type(0)
        if not pattern[self._indices(at)].any():
            return None, atom.type.dtype, zero
        if atom in self.constants:
            numbers = self.constants[atom][self._indices(at)]
            if np.all(numbers == numbers[0]):
                return None, atom.type.dtype, numbers[0]
        return super().value(atom, at)

    def _indices(self, at: tuple[Affine, ...]) -> tuple[Any, ...]:
        """The indices that `at` stands for in the current interval, as an index of NumPy."""
        steps = np.arange(*self.interval[0])
        return tuple(a.scale * steps + a.offset if a.axis >= 0 else np.full(len(steps), a.offset) for a in at)

    def _along(self, diagonal: int) -> list[tuple[int, int]]:
        """Intervals of the row index along a diagonal, cut at the seams."""
        self.diagonal = diagonal
        rows, columns = self.kernel.space
        cuts = {max(0, -diagonal), min(rows, columns - diagonal)}
        while True:
            intervals = list(itertools.pairwise(sorted(cuts)))
            try:
                for interval in intervals:
                    self.interval = [interval]
                    self.body()
                return intervals
            except Seam as seam:
                cuts.add(seam.point)

    def is_tiny(self) -> bool:
        """A matrix is not."""
        return False

    def is_negligible(self, others: float) -> bool:
        """No: there are no loops over the whole matrix whose cost could be known."""
        return False

    def write(self) -> ir.Function:
        """Emit the function."""
        intervals = {d: self._along(d) for d in self.bands}
        results = self.results
        types = [memory_type(v.type.dtype).as_pointer() for v in (*self.leaves, *results)]
        function = self.function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), types), self.name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        for argument in function.args:
            argument.add_attribute("noalias")
        self.pointers = dict(zip((*self.leaves, *results), function.args, strict=True))
        builder = Builder(function.append_basic_block("entry"))
        self.em = Emitter(builder, self.library)
        bytes_ = ir.IntType(8).as_pointer()
        clear = self.module.declare_intrinsic("llvm.memset", [bytes_, ir.IntType(64)])
        for v in results:
            size = int(np.prod(v.type.shape)) * v.type.dtype.itemsize
            zero, false = ir.Constant(ir.IntType(8), 0), ir.Constant(ir.IntType(1), 0)
            builder.call(
                clear, [builder.bitcast(self.pointers[v], bytes_), zero, ir.Constant(ir.IntType(64), size), false]
            )
        for diagonal, pieces in intervals.items():
            self.diagonal = diagonal
            for low, high in pieces:
                self.interval = [(low, high)]
                for _ in self._loop(low, high):
                    self._innermost()
        builder = self.em.builder
        builder.ret_void()
        return function
