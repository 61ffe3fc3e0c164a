"""Steps with their memory: what a program, or one iteration of a loop, does in turn.

A `Schedule` is made from a plan in two stages. Laying out memory decides nothing that the machine code could not be
found in the cache for; writing the steps as LLVM functions comes after that, and only if it has to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from wengert.compiler import (
    bands,
    blas,
    buffers,
    gathers,
    gufunc_calls,
    iterations,
    lanes,
    lapack,
    loops,
    map_loops,
    products,
    sorting,
)
from wengert.compiler.buffers import Layout, Place
from wengert.compiler.frame import Unit
from wengert.compiler.lowering import Emitter, Register, memory_type
from wengert.compiler.plan import (
    Call,
    Factorization,
    Indexed,
    Iteration,
    Kernel,
    Lanes,
    Map,
    Plan,
    Product,
    Routine,
    Step,
)
from wengert.core.program import Variable

_I64 = ir.IntType(64)
_FEW_STEPS = 32

#: What writes a step as an LLVM function of its leaves and results.
Writer = (
    loops.KernelWriter
    | map_loops.MapWriter
    | products.ProductWriter
    | gathers.IndexWriter
    | lapack.LapackWriter
    | gufunc_calls.GufuncWriter
    | lanes.LaneWriter
    | iterations.IterationWriter
)

#: Those that may stop the program.
_STOPPING = (
    gathers.IndexWriter,
    lapack.LapackWriter,
    gufunc_calls.GufuncWriter,
    lanes.LaneWriter,
    iterations.IterationWriter,
)


class Schedule:
    """The steps of a plan, and the places of all arrays.

    Parameters
    ----------
    plan : Plan
        The steps.
    fixed : mapping of Variable to Place
        Arrays that nobody writes to: arguments, constants.
    wanted, homes, given, kept
        As for `buffers.lay_out`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        fixed: Mapping[Variable, Place],
        wanted: Mapping[Variable, Place],
        homes: Mapping[Place, int],
        given: Mapping[Variable, Place] | None = None,
        kept: Collection[Variable] = (),
    ) -> None:
        self.plan = plan
        self.writers: dict[int, loops.KernelWriter] = {}  # begun while memory is laid out, by identity of the kernel
        self.product_time = sum(blas.nanoseconds(s.operation) for s in plan.steps if isinstance(s, Product))
        self.patterns = bands.nonzeros(plan.program)
        accesses = [plan.accesses(step) for step in plan.steps]
        self.layout: Layout = buffers.lay_out(
            accesses, self._may_overwrite, wanted=wanted, homes=homes, given=given, kept=kept
        )
        self.layout.places |= fixed

    def place(self, v: Variable) -> Place:
        """Where a variable is in memory."""
        return self.layout.places[self.plan.root(v)]

    def _may_overwrite(self, n: int, result: Variable, array: Variable) -> bool:
        plan, step = self.plan, self.plan.steps[n]
        if isinstance(step, (Call, Indexed)):
            return plan.base(step) is array and sum(a is array for a in map(plan.root, plan.reads(step))) == 1
        if isinstance(step, Iteration):
            return iterations.may_overwrite(step.operation, result, array)
        if not isinstance(step, Kernel) or (plan.base(step) is not array and bands.diagonals(step, self.patterns)):
            return False
        writer = self.writers.get(id(step))
        if writer is None:
            writer = self.writers[id(step)] = loops.KernelWriter(plan, step)
        return writer.can_overwrite(result, array)

    # Writing ---------------------------------------------------------------------------------------------------------

    def write(self, steps: Iterable[Step], unit: Unit, once: bool = False) -> list[Writer | Product]:
        """Write LLVM functions for steps; `once` says that they run once in a call of the program."""
        return [self._written(step, unit, once) for step in steps]

    def _written(self, step: Step, unit: Unit, once: bool) -> Writer | Product:
        assert not isinstance(step, Call)
        if isinstance(step, Product):
            if not products.is_narrow(step):
                return step
            writer = products.ProductWriter(step, unit.module, next(unit.names))
        elif isinstance(step, Kernel):
            writer = self._kernel_writer(step)
            writer.at_once = once and writer.is_negligible(self.product_time)
            # LLVM takes about 1 ms for each function that is not inlined.
            writer.inline = once and len(self.plan.steps) <= _FEW_STEPS and not writer.at_once
            library = unit.scalar_library if writer.at_once or (once and writer.is_short) else unit.library
            writer.begin(unit.module, library, next(unit.names))
            if writer.is_tiny():
                return writer
        elif isinstance(step, Map):
            writer = map_loops.MapWriter(step.operation)
            writer.write(unit, next(unit.names))
            return writer
        else:
            over = {v: self.layout.in_place[v] for v in step.results if v in self.layout.in_place}
            if isinstance(step, Factorization):
                writer = lapack.LapackWriter(step.operation)
            elif isinstance(step, Routine):
                writer = gufunc_calls.GufuncWriter(step.operation, self.plan.needed)
            elif isinstance(step, Lanes):
                writer = sorting.lane_writer(step.operation)
            elif isinstance(step, Indexed):
                writer = gathers.index_writer(step.operation, over)
            else:
                uniform = self.plan.uniform_operands(step)
                writer = unit.iteration_writer(step.operation, over, uniform)
            writer.write(unit, next(unit.names))
            return writer
        writer.write()
        return writer

    def _kernel_writer(self, kernel: Kernel) -> loops.KernelWriter:
        over = {v: self.layout.in_place[v] for v in kernel.stores if v in self.layout.in_place}
        writer = self.writers.pop(id(kernel), None)
        found = None if over else bands.diagonals(kernel, self.patterns)
        if found is not None:
            return bands.BandWriter(self.plan, kernel, self.patterns, found)
        if writer is None:
            writer = loops.KernelWriter(self.plan, kernel)
        writer.over = over
        return writer

    def emit(
        self,
        parts: Sequence[Writer | Product],
        em: Emitter,
        address: Callable[[Variable], Register],
        status: Register,
        stopped: Callable[[], Any],
    ) -> None:
        """Emit calls of the functions at the current position.

        `address` gives pointers to arrays, and `stopped` the block to go to if a call leaves a status.
        """
        b = em.builder
        for writer in parts:
            if isinstance(writer, Product):
                x, y = writer.factors
                operands = (x, address(x.variable)), (y, address(y.variable))
                blas.emit_product(
                    b.function.module, b, writer.operation, operands, address(writer.operation.outputs[0])
                )
                continue
            if writer.function is None:
                assert isinstance(writer, loops.KernelWriter)
                writer.write_here(em, address)
                continue
            variables = (*writer.leaves, *writer.results)
            arguments = [b.bitcast(address(v), memory_type(v.type.dtype).as_pointer()) for v in variables]
            if not isinstance(writer, _STOPPING) and not (
                isinstance(writer, map_loops.MapWriter) and writer.has_control
            ):
                b.call(writer.function, arguments)
                continue
            b.call(writer.function, [*arguments, status])
            fine = b.append_basic_block("fine")
            b.cbranch(b.icmp_signed("==", b.load(status), ir.Constant(_I64, 0)), fine, stopped())
            b.position_at_end(fine)
