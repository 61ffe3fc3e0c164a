"""From a simplified program to machine code, and what is needed to run it: `generate` returns an `Executable`.

The native functions have the form ``void f(i8** buffers)``, `buffers` being the addresses of inputs, outputs, and a
workspace for temporary arrays. A program without calls to NumPy is one such function. Otherwise the runs of kernels
between the calls are one function each, and `Executable.run` goes through them and the calls in turn.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler import blas, cache, frame, gufuncs, handles, iterations, lapack, loops, planned, ufuncs, unroll
from wengert.compiler.buffers import Layout, Place
from wengert.compiler.builder import Builder
from wengert.compiler.entry import call, make_entry
from wengert.compiler.frame import Unit
from wengert.compiler.locations import all_operations
from wengert.compiler.lowering import Emitter, Register
from wengert.compiler.native import NativeModule, Passes, compile_module, host, load_object
from wengert.compiler.plan import (
    Call,
    Factorization,
    Indexed,
    Iteration,
    Lanes,
    Map,
    Plan,
    Product,
    Routine,
    Step,
    make_plan,
)
from wengert.compiler.schedule import Schedule, Writer
from wengert.compiler.vector_math import MathLibrary
from wengert.core.program import Literal, Program, Variable
from wengert.core.values import ArrayType, type_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.rules import contraction
from wengert.transforms.loop_calls import Stack
from wengert.transforms.loops import loop

_I8P = ir.IntType(8).as_pointer()
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_I8P.as_pointer()])
_ALIGNMENT = 64
_SHORT_WORK = 20_000  # elements; the interpreter lock is released for more


class Executable:
    """A compiled program.

    Attributes
    ----------
    program, recorded : Program
        What was compiled, and what that was made from.
    plan : Plan or None
        Its loops and buffers; None if it was unrolled into straight-line code.
    native : NativeModule
        The machine code.
    schedule : Schedule or None
        Its steps, and where arrays are in memory; None if it was unrolled.
    segments : list of str or Call
        What is run in turn: names of native functions, and operations that NumPy does.
    steps : dict of str to list of Step
        What each of the native functions does.
    symbols : dict of str to int
        Addresses of what the machine code refers to by name.
    timings : dict of str to float
        Seconds that each stage of compilation took.
    """

    def __init__(self, program: Program, plan: Plan | None) -> None:
        self.program = program
        self.plan = plan
        self.in_types = [v.type for v in program.inputs]
        self.out_types = [type_of(a.value) if isinstance(a, Literal) else a.type for a in program.outputs]
        self.schedule: Schedule | None = None
        self.native: NativeModule
        self.segments: list[str | Call] = []
        self.steps: dict[str, list[Step]] = {}
        self.symbols: dict[str, int] = {}
        self.stored: tuple[int, ...] = ()
        self.timings: dict[str, float] = {}
        self.from_cache = False
        self.recorded = program
        self.constants = {v: np.ascontiguousarray(x) for v, x in program.constants}
        self.functions: dict[str, Callable[..., None]] = {}
        self.entry: Callable[..., Any] | None = None

    @property
    def calls(self) -> list[str]:
        """Names of the operations that NumPy does."""
        return [s.operation.primitive.name for s in self.segments if isinstance(s, Call)]

    @property
    def passes(self) -> Passes:
        """How much LLVM is to do: whole programs written out, alone or in a loop, gain from all of it."""
        steps = itertools.chain.from_iterable(self.steps.values())
        return (
            Passes.ALL
            if self.plan is None or any(isinstance(s, (Map, Iteration, Indexed)) for s in steps)
            else Passes.LOOPS
        )

    @property
    def workspace(self) -> int:
        """Bytes of temporary arrays."""
        return self.layout.workspace

    @functools.cached_property
    def layout(self) -> Layout:
        """Where arrays are in memory."""
        return Layout() if self.schedule is None else self.schedule.layout

    def root(self, v: Variable) -> Variable:
        """The array in memory that `v` is, or is a reshaped form of."""
        return v if self.plan is None else self.plan.root(v)

    def place(self, v: Variable) -> Place:
        """Where a variable is in memory: kind ("in", "out", "constant", "temp"), and its number or offset."""
        return self.layout.places[self.root(v)]

    def open_segment(self) -> list[Step]:
        """The steps of the last native function; of a new one, if the last segment is a call."""
        if not self.segments or isinstance(self.segments[-1], Call):
            name = f"segment{len(self.steps)}"
            self.segments.append(name)
            self.steps[name] = []
        return self.steps[str(self.segments[-1])]

    @property
    def names(self) -> list[str]:
        """Names of the native functions."""
        return list(self.steps)

    def finish(self, native: NativeModule, from_cache: bool) -> None:
        """Take the machine code."""
        self.native = native
        if self.schedule is not None:
            self.schedule.writers.clear()
        self.from_cache = from_cache
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        self.functions = {s: prototype(native.address(s)) for s in self.segments if isinstance(s, str)}

    def make_entry(self, mismatch: Callable[..., Any] | None = None) -> Callable[..., Any] | None:
        """Return the fast way to call a program that is one native function; None if NumPy is called in between."""
        if len(self.segments) != 1 or self.calls:
            return None
        return make_entry(
            self.native.address(str(self.segments[0])),
            self.in_types,
            self.out_types,
            self.workspace,
            release_gil=self.work > _SHORT_WORK,
            name=self.program.name,
            keep_alive=(self.native, self.constants),
            problem=self.problem,
            mismatch=mismatch,
        )

    @property
    def work(self) -> int:
        """Number of elements that are computed, roughly the nanoseconds that it takes."""
        return iterations.count_work(self.program)

    def problem(self, status: int) -> None:
        """Raise the exception for the status that a call has left behind."""
        raise frame.describe_problem(self.program, status)

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Run on plain values of the types of the program."""
        if self.entry is None:
            self.entry = self.make_entry() or self._run_segments
        out = self.entry(*values)
        return list(out) if len(self.out_types) != 1 else [out]

    def _run_segments(self, *values: Any) -> Any:
        """Run the native functions and the calls of NumPy in turn."""
        inputs = [np.require(x, t.dtype, ("C", "A")) for x, t in zip(values, self.in_types, strict=True)]
        outputs = [np.empty(t.shape, t.dtype) for t in self.out_types]
        work = np.empty(self.workspace + _ALIGNMENT, np.uint8)
        start = -work.ctypes.data % _ALIGNMENT
        status = (ctypes.c_int64 * 2)(0, 0)
        addresses = [x.ctypes.data for x in (*inputs, *outputs)] + [work.ctypes.data + start, ctypes.addressof(status)]
        table = (ctypes.c_void_p * len(addresses))(*addresses)

        arrays: dict[str, Sequence[np.ndarray]] = {
            "in": inputs,
            "out": outputs,
            "constant": list(self.constants.values()),
        }

        def view(v: Variable) -> np.ndarray:
            kind, number = self.place(v)
            if kind == "temp":
                return np.ndarray(v.type.shape, v.type.dtype, buffer=work, offset=start + number)
            array = arrays[kind][number]
            same = kind != "out" or (array.dtype == v.type.dtype and array.size == math.prod(v.type.shape))
            return array.reshape(v.type.shape) if same else np.ndarray(v.type.shape, v.type.dtype, buffer=array)

        try:
            self._run_in_turn(table, status, view)
        finally:
            frame.free_all(status[1])
        results = [o[()] if o.ndim == 0 else o for o in outputs]
        return results[0] if len(results) == 1 else tuple(results)

    def _run_in_turn(self, table: Any, status: Any, view: Callable[[Variable], np.ndarray]) -> None:
        stacks: list[Any] = []  # of unknown length, of loops that NumPy does: their handles are numbers in this list
        for segment in self.segments:
            if isinstance(segment, str):
                call(self.functions[segment], table)
                if status[0]:
                    self.problem(status[0])
                continue
            op = segment.operation
            operands = [a.value if isinstance(a, Literal) else view(a)[()] for a in op.inputs]
            if op.primitive is contraction.matmul and op.outputs[0].type.shape:
                np.matmul(*operands, out=view(op.outputs[0]))
                continue
            if not op.primitive.is_own:
                operands = [x.copy() if isinstance(x, np.ndarray) else x for x in operands]  # it may keep them
            if op.primitive is loop:
                operands = handles.with_stacks(op, operands, stacks)
            in_place = any(v in self.layout.in_place for v in op.outputs)
            result = op.primitive.fun(*operands, **(op.params | {"donate": True} if in_place else op.params))
            for v, value in zip(op.outputs, result if op.primitive.multiple else (result,), strict=True):
                if isinstance(value, Stack):
                    stacks.append(value)
                    value = np.int64(len(stacks) - 1)
                if np.result_type(value) != v.type.dtype:
                    fail(
                        UnsupportedOperationError,
                        f"'{op.primitive.name}' gave a result of dtype {np.result_type(value)} for these numbers, "
                        f"where its compiled program has {v.type.dtype}: which of them depends on the values. Call it "
                        "outside of jit, or on an argument of the wider dtype (a.astype(complex)).",
                    )
                if not in_place or value is not operands[0]:
                    np.copyto(view(v), value)


def generate(program: Program) -> Executable:
    """Compile a simplified program, or find its machine code in the cache.

    What an `Executable` consists of besides machine code depends on the program, and on which variables had to be
    stored for the loops to be written (`Executable.stored`, which the cache keeps too): with the machine code at hand,
    no LLVM IR is written.
    """
    clock = Stopwatch()
    host()
    clock("start LLVM")
    program = handles.handles(program)
    unrolled = unroll.can_unroll(program)
    clock("plan")
    key = cache.program_key(program)
    found = cache.lookup(key)
    clock("look up")
    stored = [] if found is None else list(found.stored)
    by_numpy = frozenset() if unrolled else planned.unwritable(program)
    while True:
        plan = None if unrolled else make_plan(program, _variables(program, stored), by_numpy)
        executable = Executable(program, plan)
        executable.stored = tuple(stored)
        try:
            arrange(executable)
            clock("plan")
            code = write(executable) if found is None else found
        except loops.CannotPull as problem:
            stored.append(_variables(program).index(problem.variable))
            continue
        if isinstance(code, cache.Saved):
            try:
                native = load_object(code.object_code, executable.names, executable.symbols)
            except RuntimeError:  # made on another system, which has other libraries
                found, stored = None, []
                continue
        else:
            clock("write")
            native = compile_module(code, executable.names, executable.symbols, executable.passes)
            cache.store(key, cache.Saved(native.object_code, tuple(stored)))
        executable.finish(native, from_cache=found is not None)
        executable.timings = clock.timings | native.timings
        return executable


class Stopwatch:
    """Time per stage: ``clock(stage)`` adds the time since the last call to that stage."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.timings[stage] = self.timings.get(stage, 0.0) + now - self._last
        self._last = now


def _variables(program: Program, numbers: Sequence[int] | None = None) -> list[Variable]:
    """The variables that operations define, or those with these numbers in that list."""
    defined = [v for op in program.operations for v in op.outputs]
    return defined if numbers is None else [defined[n] for n in numbers]


def arrange(executable: Executable) -> None:
    """Give the temporary arrays their places, and the steps between two calls of NumPy to one native function each."""
    plan = executable.plan
    executable.symbols = ufuncs.symbols(all_operations(executable.program))
    executable.symbols |= gufuncs.symbols(all_operations(executable.program))
    if plan is None:
        executable.segments, executable.steps = ["program"], {"program": []}
        return
    executable.schedule = _make_schedule(executable.program, plan)
    for step in plan.steps:
        if isinstance(step, Call):
            executable.segments.append(step)
        else:
            executable.open_segment().append(step)
    if _copies(executable):
        executable.open_segment()
    executable.symbols |= {_constant_name(i): x.ctypes.data for i, x in enumerate(executable.constants.values())}
    if any(isinstance(step, Product) for step in plan.steps):
        executable.symbols |= blas.symbols()
    if any(isinstance(step, (Factorization, Iteration, Indexed, Lanes, Map, Routine)) for step in plan.steps):
        executable.symbols |= frame.symbols()
        if any(blas.is_product(op) for op in all_operations(executable.program)):
            executable.symbols |= blas.symbols()
        if any(lapack.is_native(op) for op in all_operations(executable.program)):
            executable.symbols |= lapack.symbols()


def _make_schedule(program: Program, plan: Plan) -> Schedule:
    """Give all arrays their places."""
    fixed = {v: Place("in", i) for i, v in enumerate(program.inputs)}
    fixed |= {v: Place("constant", i) for i, (v, _) in enumerate(program.constants)}
    wanted: dict[Variable, Place] = {}
    homes: dict[Place, int] = {}
    for i, atom in enumerate(program.outputs):
        t = type_of(atom.value) if isinstance(atom, Literal) else atom.type
        homes[Place("out", i)] = math.prod(t.shape) * t.dtype.itemsize
        if isinstance(atom, Variable) and plan.root(atom) not in fixed:
            wanted.setdefault(plan.root(atom), Place("out", i))
    return Schedule(plan, fixed=fixed, wanted=wanted, homes=homes)


def write(executable: Executable) -> ir.Module:
    """Write the LLVM IR. It has no addresses in it, only names that are in `Executable.symbols`."""
    if executable.schedule is None:
        return _write_unrolled(executable)
    module = ir.Module("program")
    unit = Unit(
        module,
        MathLibrary(module),
        MathLibrary(module, vectorise=False),
        (f"kernel{i}" for i in itertools.count()),
        frame.numbered(executable.program),
        planned.iteration_writer,
    )
    for name, steps in executable.steps.items():
        parts = executable.schedule.write(steps, unit, once=True)
        last = name == executable.segments[-1]
        _write_segment(executable, unit, name, parts, _copies(executable) if last else [])
    return module


def _write_unrolled(executable: Executable) -> ir.Module:
    program = executable.program
    module = ir.Module("program")
    function = ir.Function(module, _SIGNATURE, "program")
    em = Emitter(Builder(function.append_basic_block("entry")), MathLibrary(module, vectorise=False))
    pointers = _load_pointers(em, function.args[0], len(program.inputs) + len(program.outputs))
    inputs = [
        unroll.load_elements(em, p, v.type.shape, v.type.dtype) for p, v in zip(pointers, program.inputs, strict=False)
    ]
    outputs = unroll.Unroller(em).run(program, inputs)
    for p, elements, t in zip(pointers[len(inputs) :], outputs, executable.out_types, strict=True):
        unroll.store_elements(em, p, elements, t.dtype)
    em.builder.ret_void()
    return module


def _load_pointers(em: Emitter, table: Register, count: int) -> list[Register]:
    b = em.builder
    return [b.load(b.gep(table, [ir.Constant(ir.IntType(64), i)])) for i in range(count)]


def _constant(executable: Executable, module: ir.Module, v: Variable) -> Register:
    """An array that the program refers to, as a variable from outside whose address is given when linking."""
    name = _constant_name(executable.place(v).number)
    if name not in module.globals:
        variable: Any = ir.GlobalVariable(
            module, ir.ArrayType(ir.IntType(8), executable.constants[executable.root(v)].nbytes), name
        )
        variable.global_constant = True
    return module.globals[name]


def _constant_name(number: int) -> str:
    return f"wengert.constant{number}"


def _copies(executable: Executable) -> list[tuple[int, Any]]:
    """Results that are not written to their buffer by a step: (number, atom to copy)."""
    copies = []
    for i, atom in enumerate(executable.program.outputs):
        if isinstance(atom, Literal) or executable.place(atom) != ("out", i):
            copies.append((i, atom))
    return copies


def _write_segment(
    executable: Executable,
    unit: Unit,
    name: str,
    parts: Sequence[Writer | Product],
    copies: Sequence[tuple[int, Any]],
) -> None:
    """Write a function that runs some kernels one after the other, then copies results that have no kernel."""
    program, module = executable.program, unit.module
    assert executable.schedule is not None
    function = ir.Function(module, _SIGNATURE, name)
    em = Emitter(Builder(function.append_basic_block("entry")), unit.library)
    b = em.builder
    count = len(program.inputs) + len(program.outputs) + 2
    *pointers, status = _load_pointers(em, function.args[0], count)
    status = b.bitcast(status, frame.STATUS)
    end: list[Any] = []  # the block of the end, if some step may stop the program

    def stopped() -> Any:
        if not end:
            end.append(b.append_basic_block("end"))
        return end[0]

    @functools.cache
    def address(v: Variable) -> Register:
        kind, where = executable.place(v)
        if kind == "in":
            return pointers[where]
        if kind == "out":
            return pointers[len(program.inputs) + where]
        if kind == "temp":
            return b.gep(pointers[-1], [ir.Constant(ir.IntType(64), where)])
        return b.bitcast(_constant(executable, module, v), _I8P)

    executable.schedule.emit(parts, em, address, status, stopped)
    for i, atom in copies:
        target = pointers[len(program.inputs) + i]
        t: ArrayType = executable.out_types[i]
        if isinstance(atom, Literal):
            unroll.store_elements(em, target, np.full((), atom.value, object), t.dtype)
            continue
        size = int(np.prod(t.shape)) * t.dtype.itemsize
        copy = module.declare_intrinsic("llvm.memcpy", [_I8P, _I8P, ir.IntType(64)])
        b.call(copy, [target, address(atom), ir.Constant(ir.IntType(64), size), ir.Constant(ir.IntType(1), 0)])
    if end:
        b.branch(end[0])
        b.position_at_end(end[0])
        if len(executable.segments) == 1:
            frame.free_list(b, status)
    b.ret_void()
