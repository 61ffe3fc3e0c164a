"""What became of a function under `jit`, stage by stage: for people to read.

`Inspection` is what ``f.inspect(*args)`` returns. It is made from the `Executable` that a call would run; what that
does not keep (LLVM IR and assembly language) is made again when it is asked for.
"""

from __future__ import annotations

import collections
import functools
import html
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wengert.compiler.generate import Executable, write
from wengert.compiler.native import NativeModule, compile_module
from wengert.compiler.ordering import ORDERS, SCANS
from wengert.compiler.plan import (
    REDUCTIONS,
    Call,
    Factorization,
    Indexed,
    Iteration,
    Kernel,
    Lanes,
    Map,
    Product,
    Routine,
    Step,
)
from wengert.core.program import Literal, Operation, Program, Variable, show_type
from wengert.core.values import ArrayType
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import LoopCall
from wengert.transforms.loops import loop

_PRINTED_LINES = 24  # of a section, when all are printed
_SHOWN_LINES = 400  # of a section in a notebook, where it can be folded


class Fallback(NamedTuple):
    """An operation without a native form, which NumPy or SciPy does."""

    operation: str
    result: str
    place: str
    source: str


class Inspection:
    """The stages of the compilation of one program; made by ``f.inspect(*args)``, `f` being the result of `jit`.

    Printing it gives a report, in a notebook one with sections that open; both leave out what is too long. The
    attributes have everything.

    Attributes
    ----------
    recorded : Program
        The operations as the function did them.
    simplified : Program
        The operations that are compiled.
    fallbacks : list of Fallback
        The operations that NumPy or SciPy does, each with its place in your code.
    timings : dict of str to float
        Seconds that each stage of the compilation took.
    from_cache : bool
        Whether the machine code was found on disk (see `wengert.config`), and so not optimised and emitted now.
    workspace_bytes : int
        Size of the memory for temporary arrays.
    unshared_bytes : int
        What it would be if each temporary array had memory of its own, from the beginning to the end.
    in_place : list of str
        Names of the arrays that are stored over another that is no longer needed.
    code_bytes : int
        Size of the object code.
    """

    def __init__(self, executable: Executable) -> None:
        self._executable = executable
        self.recorded: Program = executable.recorded
        self.simplified: Program = executable.program
        self.timings: dict[str, float] = dict(executable.timings)
        self.from_cache: bool = executable.from_cache
        self.workspace_bytes: int = executable.workspace
        self.unshared_bytes: int = executable.layout.separate
        self.in_place: list[str] = list(map(repr, executable.layout.in_place))
        self.code_bytes: int = len(executable.native.object_code)
        self.fallbacks: list[Fallback] = [_fallback(s) for s in executable.segments if isinstance(s, Call)]

    # Stages as text --------------------------------------------------------------------------------------------------

    @functools.cached_property
    def kernels(self) -> str:
        """The loops and calls in the order in which they run: what each reads, computes, stores and reduces."""
        executable = self._executable
        if executable.plan is None:
            count = sum(_size(v.type) for op in self.simplified.operations for v in op.outputs)
            return f"straight-line code, without loops: {len(self.simplified.operations)} operations, {count} elements"
        blocks: list[str] = []
        for segment in executable.segments:
            if isinstance(segment, Call):
                blocks.append(_describe_call(_fallback(segment), segment.operation))
                continue
            blocks.append(f"native function {segment}")
            blocks += [_indent(self._describe_step(step)) for step in executable.steps[segment]]
        for number, atom in enumerate(self.simplified.outputs):
            if isinstance(atom, Literal) or executable.place(atom) != ("out", number):
                blocks.append(_indent(f"copy {atom!r} to result {number}"))
        return "\n".join(blocks) or "nothing to compute"

    def _describe_step(self, step: Step) -> str:
        if isinstance(step, Map):
            op = step.operation
            inner: Program = op.params["program"]
            title = f"loop over {op.params['size']} examples, {len(inner.operations)} operations each in registers"
            return _block(title, ("reads", _names(op.inputs)), ("stores", _typed(op.outputs)))
        if isinstance(step, Product):
            op = step.operation
            factors = " · ".join(f"{f.variable!r}{'ᵀ' if f.transposed else ''}" for f in step.factors)
            return _block("matrix product by BLAS", ("factors", factors), ("stores", _typed(op.outputs)))
        if isinstance(step, (Factorization, Indexed, Routine)):
            op = step.operation
            means = {Factorization: "LAPACK", Indexed: "indices", Routine: "NumPy's inner loops"}
            title = f"{op.primitive.name} by {means[type(step)]}"
            return _block(title, ("reads", _names(op.inputs)), ("stores", _typed(op.outputs)))
        if isinstance(step, Lanes):
            op = step.operation
            title = f"{op.primitive.name} lane by lane"
            return _block(title, ("reads", _names(op.inputs)), ("stores", _typed(op.outputs)))
        if isinstance(step, Iteration):
            return _describe_iteration(step.operation)
        assert isinstance(step, Kernel)
        read, computed = self._inside(step)
        space = " × ".join(map(str, step.space)) or "one element"
        reductions = [
            f"{op.outputs[0]!r}: {show_type(op.outputs[0].type)} = {REDUCTIONS[op.primitive]} over "
            f"{'axis' if len(op.params['axis']) == 1 else 'axes'} {', '.join(map(str, op.params['axis']))} "
            f"of {op.inputs[0]!r}"
            for op in step.reductions
        ]
        return _block(
            f"loop over {space}",
            ("reads", _names(read)),
            ("computes", _counted(computed)),
            ("stores", _typed(step.stores)),
            ("in place", _names([v for v in step.stores if v in self._executable.layout.in_place])),
            *(("reduces", text) for text in reductions),
        )

    def _inside(self, kernel: Kernel) -> tuple[list[Variable], list[Operation]]:
        """What a loop reads from memory, and the operations that it does for each element."""
        plan = self._executable.plan
        assert plan is not None
        read: dict[Variable, None] = {}
        done: dict[Variable, Operation] = {v: plan.definitions[v] for v in kernel.stores}
        pending = [a for op in (*done.values(), *kernel.reductions) for a in op.inputs]
        while pending:
            v = pending.pop()
            if isinstance(v, Literal) or v in done:
                continue
            if v in plan.buffers or v in plan.aliases:
                read[v] = None
            else:
                done[v] = plan.definitions[v]
                pending.extend(done[v].inputs)
        return sorted(read, key=lambda v: v.number), list(done.values())

    @functools.cached_property
    def buffers(self) -> str:
        """Where each array that is stored is in memory, and its size."""
        executable = self._executable
        rows: list[tuple[str, str, str, str]] = [("array", "type", "bytes", "place")]

        def add(v: object, t: ArrayType, place: str) -> None:
            rows.append((repr(v), show_type(t), f"{_size(t) * t.dtype.itemsize:,}", place))

        for i, v in enumerate(executable.program.inputs):
            add(v, v.type, f"argument {i}")
        for v in executable.constants:
            add(v, v.type, "constant")
        layout = executable.layout
        for v, (kind, number) in layout.places.items():
            if kind == "temp" or (kind == "out" and executable.program.outputs[number] is not v):
                place = f"workspace, from byte {number:,}" if kind == "temp" else f"memory of result {number}"
                add(v, v.type, place + (f", in place of {layout.in_place[v]!r}" if v in layout.in_place else ""))
        for i, (atom, t) in enumerate(zip(executable.program.outputs, executable.out_types, strict=True)):
            over = layout.in_place.get(atom) if isinstance(atom, Variable) else None
            add(atom, t, f"result {i}" + (f", in place of {over!r}" if over is not None else ""))
        plan = executable.plan
        for v, source in (plan.aliases if plan is not None else {}).items():
            rows.append((repr(v), show_type(v.type), "", f"that of {source!r}"))
        total = f"workspace: {self.workspace_bytes:,} bytes"
        if layout.separate > layout.workspace:
            total += f" ({layout.separate:,} if no memory were used twice)"
        return f"{_table(rows, right=(2,))}\n{total}"

    @functools.cached_property
    def llvm_ir(self) -> str:
        """The program in the language of LLVM, as Wengert writes it."""
        return str(write(self._executable))

    @functools.cached_property
    def _native(self) -> NativeModule:
        """Machine code of this program with its intermediate stages, which code from the cache is without."""
        native = self._executable.native
        try:
            native.llvm_ir  # noqa: B018
        except ValueError:
            executable = self._executable
            return compile_module(self.llvm_ir, executable.names, executable.symbols, executable.passes)
        return native

    @functools.cached_property
    def optimized_llvm_ir(self) -> str:
        """The program in the language of LLVM, as LLVM has optimised it for this processor."""
        return self._remark() + self._native.llvm_ir

    @functools.cached_property
    def assembly(self) -> str:
        """The machine code in assembly language."""
        return self._remark() + self._native.assembly

    def _remark(self) -> str:
        same = self._native.object_code == self._executable.native.object_code
        return "" if same else "# compiled again for this text; the code that runs differs in its order\n"

    @functools.cached_property
    def times(self) -> str:
        """The time that each stage of the compilation took, as a table."""
        total = sum(self.timings.values())
        rows = [
            (stage, f"{seconds * 1e3:.2f} ms", "█" * round(30 * seconds / total) if total else "")
            for stage, seconds in self.timings.items()
        ]
        rows.append(("total", f"{total * 1e3:.2f} ms", ""))
        return _table(rows, right=(1,))

    # Reports ---------------------------------------------------------------------------------------------------------

    @property
    def summary(self) -> str:
        """What it was made for, and a few numbers."""
        executable = self._executable
        arguments = ", ".join(map(show_type, executable.in_types))
        results = ", ".join(map(show_type, executable.out_types))
        kinds = collections.Counter(_kind(step) for steps in executable.steps.values() for step in steps)
        form = ", ".join(
            f"{n} {kind}{'' if n == 1 else 'es' if kind.endswith('ch') else 's'}" for kind, n in kinds.items()
        )
        if executable.plan is None:
            form = "straight-line code"
        calls = f"{len(self.fallbacks)} of them by NumPy" if self.fallbacks else "all native"
        origin = "found in the cache" if self.from_cache else "compiled"
        rows = [
            ("function", f"{self.simplified.name}({arguments}) -> {results}"),
            (
                "operations",
                f"{len(self.recorded.operations)} recorded, {len(self.simplified.operations)} left, {calls}",
            ),
            ("form", form or "calls only"),
            ("machine code", f"{self.code_bytes:,} bytes of object code, {origin}"),
            ("compile time", f"{sum(self.timings.values()) * 1e3:.1f} ms"),
        ]
        return _table(rows)

    def _sections(self) -> list[tuple[str, str, str]]:
        """The sections of a report: title, text, and the attribute that has all of it."""
        falls = [(f.operation, f.result, f.place, f.source[:60]) for f in self.fallbacks]
        return [
            ("Recorded program", str(self.recorded), "recorded"),
            ("Simplified program", str(self.simplified), "simplified"),
            ("Loops and calls", self.kernels, "kernels"),
            ("Done by NumPy", _table(falls) if falls else "nothing", "fallbacks"),
            ("Memory", self.buffers, "buffers"),
            ("Compile time", self.times, "times"),
        ]

    def __str__(self) -> str:
        parts = [self.summary]
        for title, text, attribute in self._sections():
            parts.append(f"── {title} {'─' * (76 - len(title))}\n{_clip(text, _PRINTED_LINES, attribute)}")
        parts.append("Not shown: .llvm_ir, .optimized_llvm_ir, .assembly")
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return f"<Inspection of {self.simplified.name}: {len(self.simplified.operations)} operations>"

    def _repr_html_(self) -> str:
        sections = [
            *self._sections(),
            ("LLVM IR", self.llvm_ir, "llvm_ir"),
            ("Optimised LLVM IR", self.optimized_llvm_ir, "optimized_llvm_ir"),
            ("Assembly language", self.assembly, "assembly"),
        ]
        lines = [f"<pre>{html.escape(self.summary)}</pre>"]
        for title, text, attribute in sections:
            shown = html.escape(_clip(text, _SHOWN_LINES, attribute))
            style = "max-height:40em;overflow:auto"
            lines.append(f'<details><summary>{title}</summary><pre style="{style}">{shown}</pre></details>')
        return "\n".join(lines)


# Pieces of text ------------------------------------------------------------------------------------------------------


def _size(t: ArrayType) -> int:
    return int(np.prod(t.shape))


def _kind(step: Step) -> str:
    if isinstance(step, Factorization):
        return "factorization"
    if isinstance(step, Routine):
        return step.operation.primitive.name
    if isinstance(step, Indexed):
        return "indexed selection"
    if isinstance(step, Lanes):
        return (
            "scan" if step.operation.primitive in SCANS else "sort" if step.operation.primitive in ORDERS else "search"
        )
    if isinstance(step, Iteration):
        return "branch" if step.operation.primitive is branch else "sequential loop"
    return "loop" if isinstance(step, (Kernel, Map)) else "matrix product"


def _fallback(call: Call) -> Fallback:
    op = call.operation
    place, source = "", ""
    if op.location is not None:
        file, line, source = op.location
        place = f"{os.path.basename(file)}:{line}"
    return Fallback(op.primitive.name, ", ".join(show_type(v.type) for v in op.outputs), place, source)


def _describe_call(fallback: Fallback, op: Operation) -> str:
    title = f"{fallback.operation} by NumPy{f'  # {fallback.place}' if fallback.place else ''}"
    return _block(title, ("reads", _names(op.inputs)), ("stores", _typed(op.outputs)))


def _describe_iteration(op: Operation) -> str:
    """A loop over iterations, or a branch, with those inside it."""
    if op.primitive is branch:
        cases: tuple[Program, ...] = op.params["branches"]
        rows = [(f"case {n}", _counted(case.operations) or "nothing") for n, case in enumerate(cases)]
        return _block("branch", ("reads", _names(op.inputs)), *rows, ("stores", _typed(op.outputs)))
    call = LoopCall.of(op.inputs, op.params)
    m = len(call.state)
    times = f"{call.trips} times" if call.trips is not None else f"{call.n!r} times"
    title = f"sequential loop, {'while a condition is true' if call.condition is not None else times}"
    kept = call.element_types
    size = sum(_size(t) * t.dtype.itemsize for t in kept)
    text = _block(
        title + (", last to first" if call.reverse else ""),
        ("reads", _names([*call.constants, *call.stacks])),
        ("updates", _typed(op.outputs[:m])),
        ("computes", _counted(call.body.operations)),
        ("keeps", f"{size:,} bytes per iteration: {', '.join(map(show_type, kept))}" if kept else ""),
    )
    inner = [_describe_iteration(o) for o in call.body.operations if o.primitive in (loop, branch)]
    return "\n".join([text, *map(_indent, inner)])


def _names(atoms: Sequence[object]) -> str:
    return ", ".join(dict.fromkeys(map(repr, atoms)))


def _typed(variables: Sequence[Variable]) -> str:
    return ", ".join(f"{v!r}: {show_type(v.type)}" for v in variables)


def _counted(operations: Sequence[Operation]) -> str:
    counts = collections.Counter(op.primitive.name for op in operations)
    return ", ".join(name if n == 1 else f"{n} {name}" for name, n in sorted(counts.items()))


def _block(title: str, *rows: tuple[str, str]) -> str:
    return "\n".join([title, *(f"    {label:<8} {text}" for label, text in rows if text)])


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


def _table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Align columns, those in `right` to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _clip(text: str, count: int, attribute: str) -> str:
    lines = text.splitlines()
    if len(lines) <= count:
        return text
    return "\n".join([*lines[:count], f"… and {len(lines) - count} more lines: .{attribute}"])
