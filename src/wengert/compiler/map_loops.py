"""Maps as loops over the examples, with the program of one example as their body, in registers."""

from __future__ import annotations

import itertools
import math
from typing import Any

from llvmlite import ir

from wengert.compiler import parallel, tiles
from wengert.compiler.builder import Builder
from wengert.compiler.frame import STATUS, Frame, Unit, free_list, hand_on, own_status
from wengert.compiler.lowering import Emitter, Register, memory_type
from wengert.compiler.sequential import Sequential
from wengert.compiler.unroll import Elements, Unroller, box, estimate, has_control, load_elements, store_elements
from wengert.core.program import Literal, Operation, Variable


class MapWriter:
    """Writes a loop over examples as an LLVM function ``void name(pointers of operands…, pointers of results…)``.

    Many examples are split over threads. If there are loops in the program of an example, or indices that are computed,
    then the status is one more argument.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.has_control = has_control(operation.params["program"])
        self.leaves = list(dict.fromkeys(a for a in operation.inputs if isinstance(a, Variable)))
        self.results = list(operation.outputs)
        self.function: Any = None
        self.split: parallel.Split | None = None

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        op, params = self.operation, self.operation.params
        types = [memory_type(v.type.dtype).as_pointer() for v in (*self.leaves, *self.results)]
        split = self.split = parallel.choose_split((params["size"],), params["size"] * estimate(params["program"]))
        i64 = ir.IntType(64)
        if self.has_control:
            types += [STATUS]
        if split is not None:
            types += [i64, i64]
        self.function = ir.Function(unit.module, ir.FunctionType(ir.VoidType(), types), name)
        self.function.linkage = "internal"
        for attribute in ("noinline", "nounwind"):
            self.function.attributes.add(attribute)
        pointers = dict(zip((*self.leaves, *self.results), self.function.args, strict=False))
        for argument in pointers.values():
            argument.add_attribute("noalias")
        whole = ir.Constant(i64, 0), ir.Constant(i64, params["size"])
        low, high = whole if split is None else self.function.args[-2:]
        builder: Any = Builder(self.function.append_basic_block("entry"))
        em = Emitter(builder, unit.scalar_library if self.has_control else unit.library)
        # Threads do not share the status: each has one of its own, which is handed on in the end.
        status = self.function.args[len(pointers)] if self.has_control else None
        frame = Frame(builder, own_status(builder), unit.numbers) if self.has_control else None
        unroller = Unroller(em) if frame is None else Sequential(em, frame)

        def tiled(v: Variable, with_axis: bool = True) -> tiles.Tiled:
            return tiles.Tiled(pointers[v], math.prod(v.type.shape[with_axis:]), v.type.dtype)

        mapped = zip(op.inputs, params["batched"], strict=True)
        ins = list(dict.fromkeys(a for a, b in mapped if b and isinstance(a, Variable)))
        outs = [v for v, s in zip(self.results, params["summed"], strict=True) if not s]
        sums = [v for v, s in zip(self.results, params["summed"], strict=True) if s]
        groups = list(map(tiled, ins)), list(map(tiled, outs)), [tiled(v, False) for v in sums]
        block = None if frame else tiles.block_size([*groups[0], *groups[1]], groups[2], params["size"])

        def results_of(at: dict[Variable, Register]) -> list[Elements]:
            inputs = []
            for a, b in zip(op.inputs, params["batched"], strict=True):
                if isinstance(a, Literal):
                    inputs.append(box([a.value], ()))
                elif b:
                    inputs.append(load_elements(em, at[a], a.type.shape[1:], a.type.dtype, block or 1))
                else:
                    inputs.append(load_elements(em, pointers[a], a.type.shape, a.type.dtype))
            return list(map(unroller.elements, unroller.run(params["program"], inputs)))

        def registers(v: Variable, elements: Elements) -> list[Register]:
            dtype = v.type.dtype
            return [x if isinstance(x, ir.values.Value) else em.constant(x, dtype) for x in elements.ravel()]

        if block:

            def write_example(*places: Any) -> None:
                at = dict(zip((*ins, *outs, *sums), itertools.chain(*places[:3]), strict=True))
                for v, elements in zip(self.results, results_of(at), strict=True):
                    if v not in sums:
                        store_elements(em, at[v], elements, v.type.dtype, block)
                        continue
                    for i, x in enumerate(registers(v, elements)):
                        place = builder.gep(at[v], [ir.Constant(i64, i * block)], inbounds=True)
                        tiles.add_to(builder, place, builder.select(places[3], x, ir.Constant(x.type, 0)))

            tiles.write_blocks(builder, low, high, block, groups, write_example)
        else:
            totals: dict[Variable, list[Register]] = {}
            for v in sums:
                number = memory_type(v.type.dtype)
                totals[v] = [builder.alloca(number) for _ in range(math.prod(v.type.shape))]
                for place in totals[v]:
                    builder.store(ir.Constant(number, 0), place)
            with tiles.loop(builder, low, high, 1) as example:
                at = {}
                for v in (*ins, *outs):
                    size = ir.Constant(i64, math.prod(v.type.shape[1:]))
                    offset = builder.mul(example, size, flags=("nsw",))
                    at[v] = builder.gep(pointers[v], [offset], inbounds=True)
                for v, elements in zip(self.results, results_of(at), strict=True):
                    if v not in sums:
                        store_elements(em, at[v], elements, v.type.dtype)
                        continue
                    for place, x in zip(totals[v], registers(v, elements), strict=True):
                        tiles.add_to(builder, place, x)
                if frame is not None:
                    free_list(builder, frame.status)
            for v in sums:
                loaded = [builder.load(place) for place in totals[v]]
                store_elements(em, pointers[v], box(loaded, v.type.shape), v.type.dtype)
        if frame is None:
            builder.ret_void()
        else:
            frame.finish(lambda b: hand_on(b, frame.status, status))
        if split is not None:
            partials = [self._partial(v) for v in sums]
            self.function = parallel.write_launcher(unit.module, self.function, split, partials)

    def _partial(self, v: Variable) -> parallel.Partial:
        """How the launcher adds the copies of a sum to it."""
        numbers = math.prod(v.type.shape)

        def combine(builder: Any, result: Register, copy: Register) -> None:
            i64 = ir.IntType(64)
            if numbers:
                with tiles.loop(builder, ir.Constant(i64, 0), ir.Constant(i64, numbers), 1) as i:
                    value = builder.load(builder.gep(copy, [i], inbounds=True))
                    tiles.add_to(builder, builder.gep(result, [i], inbounds=True), value)

        argument = len(self.leaves) + self.results.index(v)
        return parallel.Partial(argument, numbers * v.type.dtype.itemsize, combine)
