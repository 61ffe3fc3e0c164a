"""Random programs, compiled, against NumPy; and their gradients, compiled, against those in eager mode.

A thousand programs with a fixed seed; WENGERT_RANDOM_PROGRAMS=100000 tries that many others.

Compiled code rounds differently (sums in another order, products and sums in one step), and what a program makes of a
rounding error can be arbitrarily large. So where results differ by more than a few units in the last place, the program
runs again on NumPy with rounding errors added at random: the difference must be explained by what these change.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import wengert
from wengert.compiler import unroll
from wengert.compiler.jit import jit
from wengert.errors import ConcretizationError, UnsupportedOperationError

from .random_programs import RandomProgram, random_programs

_LONG = int(os.environ.get("WENGERT_RANDOM_PROGRAMS", "0"))
_SETTINGS = settings(
    max_examples=_LONG // 2 or 500,
    derandomize=not _LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def copies(xs: Any) -> list[Any]:
    return [x.copy() if x.ndim else x[()] for x in xs]


def noise(rng: np.random.Generator) -> Any:
    def r(x: Any) -> Any:
        if x.dtype.kind not in "fc":
            return x
        eps = 2 * np.finfo(x.dtype).eps
        factor = 1 + eps * rng.choice([-1, 0, 1], np.shape(x))
        return x * factor.astype(x.real.dtype)[()]

    return r


class Differentiated:
    """Values of a program and the gradient of a fixed combination of its outputs."""

    def __init__(self, program: RandomProgram) -> None:
        self.program = program
        self.active = [i for i, x in enumerate(program.inputs) if x.dtype.kind in "fc"]

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

    def compiled(self) -> Any:
        f = self.program.function()

        def everything(*args: Any) -> Any:
            g = self.gradient(f, copies(args)) if self.active else ()
            return f(*args), g

        return jit(everything)(*copies(self.program.inputs))

    def eager(self, r: Any = lambda x: x) -> Any:
        f = self.program.function(r)
        g = self.gradient(f, copies(self.program.inputs)) if self.active else ()
        return f(*copies(self.program.inputs)), g


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


def spread(program: Differentiated, expected: list[Any]) -> list[Any]:
    """How much rounding errors change each element of the results; infinite where NaN and infinity come and go."""
    slack: list[Any] = [np.zeros(np.shape(e)) for e in expected]
    for seed in range(20):
        outs, grads = program.eager(noise(np.random.default_rng(seed)))
        for k, (o, e) in enumerate(zip((*outs, *grads), expected, strict=True)):
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
        except (UnsupportedOperationError, ConcretizationError):
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
        for k, (a, e, slack) in enumerate(zip(actual, expected, spread(case, expected), strict=True)):
            what = f"result {k} of {len(outs)}" if k < len(outs) else f"gradient {k - len(outs)}"
            assert agree(np.asarray(a), np.asarray(e), slack), f"{what}\n{a!r}\nand not\n{e!r}\n{program!r}"


@pytest.mark.parametrize("path", ["unrolled", "loops"])
def test_random_programs(path: str, monkeypatch: pytest.MonkeyPatch):
    # Straight-line code of more elements takes LLVM long, and tests nothing new.
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", 1000 if path == "unrolled" else -1)
    _SETTINGS(given(random_programs())(check))()
