"""Random programs, compiled, against NumPy; and their gradients, compiled, against those in eager mode.

A thousand programs with a fixed seed; WENGERT_RANDOM_PROGRAMS=100000 tries that many others.

Compiled code rounds differently (sums in another order, products and sums in one step), and what a program makes of a
rounding error can be arbitrarily large. So where results differ by more than a few units in the last place, the program
is interpreted with rounding errors added at random to each operation: the difference must be explained by what these
change.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings

import wengert
from wengert import config
from wengert.compiler import unroll, writes
from wengert.compiler.jit import jit
from wengert.core.program import Literal, Program
from wengert.derivatives import vectorize
from wengert.errors import ConcretizationError, UnsupportedOperationError, WengertError

from .random_programs import RandomProgram, random_programs

_LONG = int(os.environ.get("WENGERT_RANDOM_PROGRAMS", "0"))
_SETTINGS = settings(
    max_examples=_LONG // 2 or 450,
    derandomize=not _LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def copies(xs: Any) -> list[Any]:
    return [x.copy() if x.ndim else x[()] for x in xs]


#: Operations that do not round.
_EXACT = {
    "index", "index_update", "reshape", "transpose", "broadcast_to", "concatenate", "stack", "where", "max", "min",
    "maximum", "minimum", "fmax", "fmin", "negative", "positive", "absolute", "conj", "real", "imag", "sign", "floor",
    "ceil", "rint", "trunc", "copysign", "nextafter", "heaviside", "ldexp", "spacing",
}  # fmt: skip

_SUMS = {"sum", "cumsum", "matmul", "einsum"}


def with_noise(program: Program, args: list[Any], rng: np.random.Generator) -> list[Any]:
    """Evaluate a program with rounding errors of ±2 ulp in each operation."""
    values: dict[Any, Any] = dict(zip(program.inputs, args, strict=True)) | dict(program.constants)

    def read(atom: Any) -> Any:
        return atom.value if isinstance(atom, Literal) else values[atom]

    def noisy(x: Any) -> Any:
        if x.dtype.kind not in "fc":
            return x
        factor = 1 + 2 * np.finfo(x.dtype).eps * rng.choice([-1, 0, 1], np.shape(x))
        return x * factor.astype(x.real.dtype)[()]

    for op in program.operations:
        inputs: list[Any] = list(map(read, op.inputs))
        if op.primitive.name in _SUMS:  # their errors are relative to the terms
            inputs = [noisy(x) if isinstance(x, (np.ndarray, np.generic)) else x for x in inputs]
        out = op.primitive.bind(*inputs, **op.params)
        outs = out if op.primitive.multiple else (out,)
        values.update(zip(op.outputs, outs if op.primitive.name in _EXACT else map(noisy, outs), strict=True))
    return list(map(read, program.outputs))


class Differentiated:
    """Values of a program and the gradient of a fixed combination of its outputs."""

    def __init__(self, program: RandomProgram, active: list[int] | None = None) -> None:
        self.program = program
        self.active = [i for i, x in enumerate(program.inputs) if x.dtype.kind in "fc"] if active is None else active

    def gradient(self, f: Any, args: Any) -> Any:
        """Cotangents of the active inputs for cotangents of the outputs that are small numbers."""

        def restricted(*moving: Any) -> Any:
            full = list(args)
            for i, x in zip(self.active, moving, strict=True):
                full[i] = x
            return f(*full)

        outs, pull = wengert.vjp(restricted, *[args[i] for i in self.active])
        cts = []
        for o in outs:
            w = (np.arange(np.size(o)) % 5 - 1.5).reshape(np.shape(o))
            cts.append(w.astype(o.dtype if o.dtype.kind in "fc" else float)[()])
        return pull(tuple(cts))

    def everything(self, *args: Any) -> Any:
        f = self.program.function()
        g = self.gradient(f, copies(args)) if self.active else ()
        return f(*copies(args)), g

    def compiled(self) -> Any:
        return jit(self.everything)(*copies(self.program.inputs))

    def recorded(self) -> Program:
        return wengert.program(self.everything)(*copies(self.program.inputs))

    def eager(self) -> Any:
        return self.everything(*copies(self.program.inputs))


def agree(actual: Any, expected: Any, slack: Any = 0.0) -> bool:
    """Whether two results are equal up to rounding, relative to the largest element."""
    if actual.dtype.kind not in "fc":
        return bool(np.all((actual == expected) | (slack != 0)))
    eps = np.finfo(actual.dtype).eps
    finite = np.abs(expected[np.isfinite(expected)])
    tolerance = 32 * eps * np.max(finite, initial=np.finfo(actual.dtype).tiny) + slack
    with np.errstate(all="ignore"):
        close = np.abs(actual - expected) <= tolerance
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    return bool(np.all(close | same | np.isnan(slack) | np.isinf(slack)))


def spread(program: Program, args: list[np.ndarray], expected: list[Any]) -> list[Any]:
    """How much rounding errors change each element of the results; infinite where NaN and infinity come and go."""
    slack: list[Any] = [np.zeros(np.shape(e)) for e in expected]
    for seed in range(20):
        outs = with_noise(program, copies(args), np.random.default_rng(seed))
        for k, (o, e) in enumerate(zip(outs, expected, strict=True)):
            same = (o == e) | (np.isnan(o) & np.isnan(e))
            if np.asarray(e).dtype.kind not in "fc":
                change = ~same * 1.0
            else:
                with np.errstate(all="ignore"):
                    change = np.where(same, 0.0, np.abs(np.asarray(o) - e))
                change = np.where(np.isnan(change), np.inf, change)
            slack[k] = np.maximum(slack[k], change)
    return [100 * s for s in slack]


def check(program: RandomProgram) -> None:
    case = Differentiated(program)
    with np.errstate(all="ignore"):
        try:
            (outs, grads), (got_outs, got_grads) = case.eager(), case.compiled()
        except (UnsupportedOperationError, ConcretizationError, OverflowError):
            # For example a float was written into integers, or into an array that does not depend on the input.
            case.active = []
            (outs, grads), (got_outs, got_grads) = case.eager(), case.compiled()
        expected = [*outs, *grads]
        actual = [*got_outs, *got_grads]
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            assert (np.shape(a), a.dtype) == (np.shape(e), e.dtype), f"{a!r} and not {e!r}{program!r}"
        if all(agree(np.asarray(a), np.asarray(e)) for a, e in zip(actual, expected, strict=True)):
            return
        recorded = case.recorded()
        # Derivatives of nested transforms have zeros where a factor 0 meets infinity or NaN, where those of eager mode
        # are NaN.
        interpreted = recorded.evaluate(*copies(program.inputs))
        expected = [e if k < len(outs) or np.all(np.isfinite(e)) else interpreted[k] for k, e in enumerate(expected)]
        slacks = spread(recorded, program.inputs, expected)
        for k, (a, e, slack) in enumerate(zip(actual, expected, slacks, strict=True)):
            what = f"result {k} of {len(outs)}" if k < len(outs) else f"gradient {k - len(outs)}"
            assert agree(np.asarray(a), np.asarray(e), slack), f"{what}\n{a!r}\nand not\n{e!r}\n{program!r}"


def examples_of(program: RandomProgram) -> list[RandomProgram]:
    """The program with three different inputs."""
    result = []
    for k in range(3):
        inputs = [x * (1 - x.real.dtype.type(k / 8)) if x.dtype.kind in "fc" else np.roll(x, k) for x in program.inputs]
        result.append(dataclasses.replace(program, inputs=[np.asarray(x) for x in inputs]))
    return result


def check_mapped(program: RandomProgram) -> None:
    f, examples = program.function(), examples_of(program)
    stacked = [np.stack(column) for column in zip(*(e.inputs for e in examples), strict=True)]
    with np.errstate(all="ignore"):
        try:
            wengert.vmap(f)(*map(np.copy, stacked))
        except WengertError:
            reject()  # what vmap does not do is tested elsewhere
        expected = [f(*copies(e.inputs)) for e in examples]
        actual = jit(wengert.vmap(f))(*stacked)
        slacks = None
        for k, a in enumerate(actual):
            e = np.stack([outs[k] for outs in expected])
            assert (a.shape, a.dtype) == (e.shape, e.dtype), f"{a!r} and not {e!r}{program!r}"
            if not all(map(agree, a, e)):
                slacks = slacks or [
                    spread(Differentiated(x, []).recorded(), x.inputs, list(o))
                    for x, o in zip(examples, expected, strict=True)
                ]
                assert all(map(agree, a, e, [s[k] for s in slacks])), f"result {k}\n{a!r}\nand not\n{e!r}\n{program!r}"


class Mapped(RandomProgram):
    """A program over the examples; they share the inputs in `shared`."""

    shared: frozenset[int]

    def function(self) -> Any:
        axes = tuple(None if i in self.shared else 0 for i in range(len(self.inputs)))
        return wengert.vmap(super().function(), in_axes=axes, axis_size=3)


def check_mapped_derivatives(program: RandomProgram) -> None:
    """The compiled gradient of a vmap is a map of the example's gradient; eager mode has operations on batches."""
    for every in (1, 2, 3):
        shared = frozenset(range(1, len(program.inputs), every)) if every > 1 else frozenset()
        columns = list(zip(*(e.inputs for e in examples_of(program)), strict=True))
        inputs = [program.inputs[i] if i in shared else np.stack(column) for i, column in enumerate(columns)]
        mapped = Mapped(inputs, program.lines, program.outputs)
        mapped.shared = shared
        with np.errstate(all="ignore"):
            try:
                Differentiated(mapped).eager()
            except WengertError:
                reject()  # what vmap does not do is tested elsewhere
        check(mapped)


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "cache_directory", None)


@pytest.mark.parametrize("path", ["unrolled", "loops", "in place"])
def test_random_programs(path: str, monkeypatch: pytest.MonkeyPatch):
    # Straight-line code of more elements takes LLVM long, and tests nothing new.
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", 1000 if path == "unrolled" else -1)
    if path == "in place":  # every write, however large its part
        monkeypatch.setattr(writes, "SMALL", 0)
        monkeypatch.setattr(writes._Sequence, "is_long", lambda self: True)
    examples = settings(_SETTINGS, max_examples=200) if path == "in place" and not _LONG else _SETTINGS
    examples(given(random_programs())(check))()


def test_random_programs_under_vmap():
    settings(_SETTINGS, max_examples=_LONG // 5 or 100)(given(random_programs())(check_mapped))()


def test_derivatives_of_random_programs_under_vmap(monkeypatch: pytest.MonkeyPatch):
    recorded = Differentiated.recorded

    def op_by_op(self: Differentiated) -> Program:  # where rounding errors can be added
        with monkeypatch.context() as patch:
            patch.setattr(vectorize, "is_small", lambda program: False)
            return recorded(self)

    monkeypatch.setattr(Differentiated, "recorded", op_by_op)
    settings(_SETTINGS, max_examples=_LONG // 10 or 25)(given(random_programs())(check_mapped_derivatives))()
