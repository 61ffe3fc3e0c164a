"""From LLVM IR to machine code: parse, verify, optimise, emit, link.

`compile_module` does all of it and returns a `NativeModule`, which owns the machine code: the addresses that it gives
are valid as long as it lives. `load_object` makes one from object code that was compiled before
(`NativeModule.object_code`).

All modules of a process are linked by one LLVM JIT (ORC with JITLink), which is made at the first compilation and lives
as long as the process; each module is a library of its own in it, unloaded when its `NativeModule` is collected (LLVM
keeps about 10 KB of records of it). Every module is parsed in an LLVM context of its own, so that types and constants
are freed too. One lock keeps LLVM to one thread.
"""

from __future__ import annotations

import enum
import functools
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping

import llvmlite.binding as llvm
from llvmlite import ir

from wengert.compiler.parallel import thread_symbols
from wengert.compiler.vector_math import library_symbols

_lock = threading.RLock()
# A child made by fork would inherit a lock held by a thread that does not exist in it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)

_SURROUNDINGS = "wengert.surroundings"
#: Routines that all programs may call by name, and what gives their addresses, when the first program does.
ROUTINES: dict[str, Callable[[], int]] = {}


class Passes(enum.Enum):
    """How much LLVM does about the code of a module."""

    #: Whatever may make it faster: -O3.
    ALL = enum.auto()
    #: What loops need that are written for vectors: no unrolling, and no search for vectors outside of loops. As fast
    #: at run time, and compiled in half the time.
    LOOPS = enum.auto()
    #: Next to nothing, and simple code generation.
    FEW = enum.auto()


class Host:
    """The processor that runs this process, and the JIT that links code for it. Use `host()`."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.cpu = llvm.get_host_cpu_name()
        self.features = llvm.get_host_cpu_features().flatten()
        self._target = llvm.Target.from_default_triple()
        self.machine = self._new_machine()
        self.quick_machine = self._new_machine(opt=0)
        self.triple = self.machine.triple
        self.data_layout = str(self.machine.target_data)
        # JITLink lays out a module in one piece of memory, which the small code model needs; on Windows it is young.
        self.jit = llvm.create_lljit_compiler(
            self._new_machine(), use_jit_link=sys.platform != "win32", suppress_errors=True
        )
        # Never disposed of: the end of the process frees it, after every module.
        self.jit._owned = True
        self.numbers = itertools.count()
        # What every module may call: the mathematical functions, those for threads, and the symbols of the process.
        library = llvm.JITLibraryBuilder().add_current_process()
        for name, address in (library_symbols() | thread_symbols()).items():
            library.import_symbol(name, address)
        self._surroundings = library.link(self.jit, _SURROUNDINGS)

    def _new_machine(self, opt: int = 3) -> llvm.TargetMachine:
        return self._target.create_target_machine(
            cpu=self.cpu, features=self.features, opt=opt, reloc="pic", codemodel="small", jit=True
        )

    @functools.cached_property
    def key(self) -> str:
        """What object code depends on besides its source: reuse it only where this is equal."""
        return f"{'.'.join(map(str, llvm.llvm_version_info))} {self.triple} {self.cpu} {self.features}"


@functools.cache
def _make_host() -> Host:
    return Host()


def host() -> Host:
    """The `Host` of this process."""
    with _lock:
        return _make_host()


class NativeModule:
    """Machine code of one LLVM module; freed when this object is collected.

    Attributes
    ----------
    object_code : bytes
        What `load_object` takes.
    timings : dict of str to float
        Seconds spent in each stage.
    """

    def __init__(
        self,
        object_code: bytes,
        functions: Iterable[str],
        symbols: Mapping[str, int],
        bitcode: bytes | None = None,
        timings: dict[str, float] | None = None,
        machine: llvm.TargetMachine | None = None,
    ) -> None:
        self.object_code = object_code
        self.timings = {} if timings is None else timings
        self._bitcode = bitcode
        self._machine = machine
        self._functions = tuple(functions)
        called = [name for name in ROUTINES if name.encode() in object_code and name not in self._functions]
        symbols = {**symbols, **{name: ROUTINES[name]() for name in called}}
        with _lock:
            start = time.perf_counter()
            jit, number = host().jit, next(host().numbers)
            library = llvm.JITLibraryBuilder().add_object_img(object_code).add_jit_library(_SURROUNDINGS)
            for name, address in symbols.items():
                library.import_symbol(name, address)
            for name in self._functions:
                library.export_symbol(name)
            try:
                self._tracker = library.link(jit, f"wengert.{number}")
            except RuntimeError as error:
                raise RuntimeError(f"{str(error).rstrip()}{self._describe_missing(symbols)}") from None
            self.timings["link"] = time.perf_counter() - start

    def address(self, name: str) -> int:
        """Address of a function; valid as long as this object lives."""
        return self._tracker[name]

    @property
    def llvm_ir(self) -> str:
        """The LLVM IR after optimisation."""
        with _lock, llvm.create_context() as context, self._optimised(context) as module:
            return str(module)

    @property
    def assembly(self) -> str:
        """The machine code as assembly language."""
        with _lock, llvm.create_context() as context, self._optimised(context) as module:
            return (self._machine or host().machine).emit_assembly(module)

    def _describe_missing(self, symbols: Mapping[str, int]) -> str:
        """What the module takes from outside: LLVM does not say which of it was not found."""
        if self._bitcode is None:
            return ""
        with llvm.create_context() as context, self._optimised(context) as module:
            known = {*symbols, *library_symbols(), *thread_symbols()}
            names = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
        return f"; asked for {list(self._functions)}, declared and not given: {[n for n in names if n not in known]}"

    def _optimised(self, context: llvm.ContextRef) -> llvm.ModuleRef:
        if self._bitcode is None:
            raise ValueError("this code was loaded as object code; compile it again to see its LLVM IR")
        return llvm.parse_bitcode(self._bitcode, context)

    @property
    def compile_time(self) -> float:
        """Seconds that all stages took."""
        return sum(self.timings.values())

    def __repr__(self) -> str:
        return f"<NativeModule {', '.join(self._functions)}: {len(self.object_code)} bytes>"


def compile_module(
    module: ir.Module | str,
    functions: Iterable[str],
    symbols: Mapping[str, int] | None = None,
    passes: Passes = Passes.ALL,
) -> NativeModule:
    """Compile LLVM IR for the processor of this machine.

    Parameters
    ----------
    module : llvmlite.ir.Module or str
        The LLVM IR. Its triple and data layout are set to those of the host.
    functions : iterable of str
        Names of the functions whose addresses are wanted.
    symbols : mapping of str to int, optional
        Addresses of what the module declares and does not define, beyond the mathematical functions of `vector_math`
        and the symbols of the running process.
    passes : Passes, optional
        How much LLVM is to do about the code. Long straight-line code that mostly calls the C library gets
        `Passes.FEW`, whatever is said here.

    Raises
    ------
    RuntimeError
        The IR does not parse or is not valid, or a symbol is not found.
    """
    timings: dict[str, float] = {}
    clock = time.perf_counter

    def done(stage: str) -> None:
        nonlocal start
        now = clock()
        timings[stage] = now - start
        start = now

    with _lock:
        start = clock()
        text = module if isinstance(module, str) else str(module)
        passes = Passes.FEW if _mostly_calls(text) else passes
        emitter = host().quick_machine if passes is Passes.FEW else host().machine
        done("print")
        with llvm.create_context() as context, llvm.parse_assembly(text, context) as parsed:
            parsed.triple = host().triple
            parsed.data_layout = host().data_layout
            done("parse")
            parsed.verify()
            done("verify")
            optimise(parsed, host().machine, passes)
            done("optimise")
            bitcode = parsed.as_bitcode()
            object_code = emitter.emit_object(parsed)
            done("emit")
        return NativeModule(object_code, functions, symbols or {}, bitcode, timings, emitter)


def load_object(object_code: bytes, functions: Iterable[str], symbols: Mapping[str, int] | None = None) -> NativeModule:
    """Link object code that `compile_module` made on a host with the same `Host.key`."""
    return NativeModule(object_code, functions, symbols or {})


def _mostly_calls(text: str) -> bool:
    """Whether LLVM IR is long straight-line code that mostly calls the C library.

    Such code keeps its values in memory, whatever registers one looks for: simple code generation is ten times faster,
    and its result no slower.
    """
    lines = text.count("\n")
    calls = text.count("wengert.scalar.") + text.count('@"wengert.ufunc.')
    return lines > 300 and calls * 10 > lines and " br " not in text


def optimise(module: llvm.ModuleRef, machine: llvm.TargetMachine, passes: Passes = Passes.ALL) -> None:
    """Run passes of LLVM, without assuming anything about NaN, infinity or order that the IR does not allow."""
    options = llvm.create_pipeline_tuning_options(speed_level=3 if passes is Passes.ALL else 1)
    options.loop_vectorization = True
    options.slp_vectorization = options.loop_unrolling = passes is Passes.ALL
    options.loop_interleaving = True
    with llvm.create_pass_builder(machine, options) as builder:
        if passes is Passes.FEW:
            manager = llvm.create_new_module_pass_manager()
            manager.add_instruction_combine_pass()
        else:
            manager = builder.getModulePassManager()
        manager.run(module, builder)
        # Closing it would leak it: in llvmlite 0.50 the disposal of its base class hides its own.
        llvm.newpassmanagers.NewPassManager._dispose(manager)
        manager.detach()
