"""Trying one call of a function in all ways: value, both modes, second order, vmap, complex arguments, the compiler.

`docs/generate_functions.py` makes a page of what comes out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import wengert
from wengert.array import Array
from wengert.compiler.plan import Call, make_plan
from wengert.compiler.simplify import simplify
from wengert.core.values import Value, representative
from wengert.errors import WengertError

from . import function_calls
from .function_calls import Trial

COLUMNS = ("value", "jvp", "vjp", "second order", "vmap", "complex", "compiled")


def leaves(x: Any) -> list[Any]:
    """The floating-point arrays of a result."""
    if isinstance(x, (tuple, list)):
        return [leaf for y in x for leaf in leaves(y)]
    if isinstance(x, dict):
        return leaves(list(x.values()))
    if isinstance(x, np.polynomial.Polynomial):
        return leaves(x.coef)
    kind = getattr(getattr(x, "dtype", None), "kind", "") if not isinstance(x, type) else ""
    return [x] if kind in "fc" and kind else [np.float64(x)] if isinstance(x, float) else []


def everything(x: Any) -> list[Any]:
    """All numbers of a result, as plain arrays."""
    if isinstance(x, (tuple, list)):
        return [leaf for y in x for leaf in everything(y)]
    value = x._peek() if isinstance(x, Array) else x
    value = representative(value) if isinstance(value, Value) else value
    return [np.asarray(value)] if isinstance(value, (np.ndarray, np.generic, float, int, complex)) else []


def mapped(f: Callable[..., Any], *xs: Any) -> Any:
    """Apply a function to corresponding arrays in lists of arrays."""
    if isinstance(xs[0], (list, tuple)):
        return type(xs[0])(mapped(f, *ys) for ys in zip(*xs, strict=True))
    return f(*xs)


def direction(x: Any, seed: float = 0.3) -> Any:
    """A small tangent."""
    shape = np.shape(x)
    v = 0.3 * np.cos(seed + 1.7 * np.arange(np.size(x))).reshape(shape)
    v = v * (1 - 0.4j) if np.asarray(x).dtype.kind == "c" else v
    return np.asarray(v, np.asarray(x).dtype)[()]


def inner(a: Any, b: Any) -> float:
    """The real inner product of two lists."""
    if isinstance(a, (list, tuple)):
        return sum(inner(x, y) for x, y in zip(a, b, strict=True))
    return float(np.sum(np.real(np.conj(a) * b)))


def largest(a: Any) -> float:
    """The largest finite magnitude in a list of arrays."""
    sizes = [np.abs(x)[np.isfinite(x)] for x in leaves(list(a))]
    return max((float(np.max(s, initial=0.0)) for s in sizes), default=0.0)


def near(actual: Any, expected: Any, rtol: float, scale: float = 0.0) -> bool:
    """Whether two lists of arrays agree, measured by the largest element."""
    actual, expected = list(actual), list(expected)
    size = max(largest(expected), scale, 1e-3)
    return len(actual) == len(expected) and all(
        np.shape(a) == np.shape(e) and np.allclose(a, e, rtol=rtol, atol=rtol * size, equal_nan=True)
        for a, e in zip(actual, expected, strict=True)
    )


@dataclass
class Row:
    """What was found out about one function, or one call of it."""

    cells: dict[str, str] = field(default_factory=lambda: dict.fromkeys(COLUMNS, "·"))
    reason: str = ""
    wrong: list[str] = field(default_factory=list)
    is_real: bool = True  # arguments are real and of double precision
    is_ours: bool = False  # there is a function of Wengert's, whose errors should be Wengert's

    def no(self, column: str, error: BaseException | str) -> None:
        """Note a refusal, or an error that is nobody's intention."""
        self.cells[column] = "no"
        if self.is_ours and isinstance(error, BaseException) and not isinstance(error, WengertError):
            self.wrong.append(f"{column}: {type(error).__name__}: {error}")
        self.reason = self.reason or sentence(error)


def sentence(error: BaseException | str) -> str:
    """The first sentence of a message, without the place it names."""
    text = str(error).split("\n")[0]
    for end in (". ", ", which ", "; "):
        text = text.split(end)[0]
    return text.strip(" .").replace("|", "\\|")


class Attempt:
    """One call, tried in all ways."""

    def __init__(self, module: str, name: str, trial: Trial) -> None:
        self.theirs, self.ours = function_calls.namespaces(module)
        self.trial = trial
        self.row = Row(is_ours=hasattr(function_calls.MODULES[module][1], name))
        self.noise = function_calls.NOISY.get(name, 1e-6)
        self.has_gauge = name in ("eig", "eigh", "svd")  # complex vectors are defined up to a phase
        self.chosen: tuple[int, ...] = tuple(range(len(trial.active)))
        self.expected = self.all_of(self.theirs, trial.active)
        self.row.is_real = all(a.dtype == np.float64 for a in everything(list(trial.active)))

    def all_of(self, ns: Any, active: Any) -> Any:
        """The result for other values of the chosen arguments."""
        full = list(self.trial.active)
        for k, a in zip(self.chosen, active, strict=True):
            full[k] = a
        if ns is self.theirs:  # some write to their arguments
            full = [mapped(lambda a: np.array(a)[()] if isinstance(a, np.generic) else np.array(a), a) for a in full]
        return self.trial.run(ns, *full)

    def f(self, *active: Any) -> list[Any]:
        """Our floating-point results."""
        return leaves(self.all_of(self.ours, active)) or [np.float64(0)]

    def g(self, *active: Any) -> list[Any]:
        """Theirs."""
        return leaves(self.all_of(self.theirs, active)) or [np.float64(0)]

    @property
    def active(self) -> tuple[Any, ...]:
        """The chosen arguments."""
        return tuple(self.trial.active[k] for k in self.chosen)

    def difference(self, f: Callable[..., Any], x: Any, v: Any, h: float = 2e-4) -> list[Any]:
        """Directional derivative by central differences of fourth order."""
        at = {k: f(*mapped(lambda a, b, k=k: a + k * h * b, x, v)) for k in (-2, -1, 1, 2)}
        quotients = zip(at[-2], at[-1], at[1], at[2], strict=True)
        return [(8 * (d - c) - (e - b)) / (12 * h) for b, c, d, e in quotients]

    def run(self) -> Row:
        """Fill the row."""
        if not self.trial.active:
            self.row.cells["value"] = "yes"
            return self.row
        if not self.find_arguments():
            return self.row
        if self.row.cells["jvp"] == "yes":
            self.second_order()
        self.vmap()
        self.complex()
        self.compiled()
        return self.row

    def find_arguments(self) -> bool:
        """Value and first derivatives, with respect to as many of the arguments as there are derivatives for."""
        errors: dict[int, BaseException] = {}
        try:
            self.first_order()
        except WengertError as error:
            chosen = []
            for k in range(len(self.trial.active)):
                self.chosen = (k,)
                try:
                    self.first_order()
                    chosen.append(k)
                except WengertError as other:
                    errors[k] = other
                except Exception as other:
                    self.row.no("value", other)
                    errors[k] = other
            self.row.cells = dict.fromkeys(COLUMNS, "·")
            if not chosen:
                for column in ("value", "jvp", "vjp"):
                    self.row.no(column, error)
                return False
            self.chosen = tuple(chosen)
            self.first_order()
            self.row.reason = f"not by argument {', '.join(str(k + 1) for k in errors)}"
        except Exception as error:
            for column in ("value", "jvp", "vjp"):
                self.row.no(column, error)
            return False
        return True

    def first_order(self) -> None:
        """Value, jvp, vjp."""
        seen: list[Any] = []

        def f(*active: Any) -> list[Any]:
            seen.append(self.all_of(self.ours, active))
            return leaves(seen[-1]) or [np.float64(0)]

        x = self.active
        v = mapped(direction, x)
        out, dots = wengert.jvp(f, x, v)
        cells = self.row.cells
        if not near(everything(seen[0]), everything(self.expected), 1e-5 if self.single else 1e-11):
            self.row.wrong.append("another value")
        cells["value"] = "yes"
        cells["jvp"] = "yes" if any(np.any(np.nan_to_num(d)) for d in dots) else "zero"
        if not leaves(self.expected):
            cells["jvp"] = cells["vjp"] = "·"
            return
        if self.trial.smooth and not self.single:
            with np.errstate(all="ignore"):
                numerical = self.difference(self.g, x, v)
            if not near(dots, numerical, 3 * self.noise, largest(out) * 1e-2):
                self.row.wrong.append(f"jvp {dots}, by differences {numerical}")
        out, pullback = wengert.vjp(f, *x)
        w = [direction(o, 1.1) for o in out]
        cts = pullback(w)
        left, right = inner(w, dots), inner(cts, v)
        bound = (1e-4 if self.single else 1e-8) * max(1.0, abs(left), largest(dots))
        if not (np.isnan(left) or abs(left - right) <= bound):
            self.row.wrong.append(f"the modes differ: {left} {right}")
        cells["vjp"] = cells["jvp"]

    @property
    def single(self) -> bool:
        """Whether single precision is among the arguments."""
        arrays = [a for a in everything([*self.trial.active, self.expected]) if a.dtype.kind in "fc"]
        return any(np.finfo(a.dtype).bits < 64 for a in arrays)

    def second_order(self) -> None:
        """The jvp of the jvp and of the vjp."""
        x = self.active
        v, u = mapped(direction, x), mapped(lambda a: direction(a, 2.0), x)

        def first(*active: Any) -> list[Any]:
            return wengert.jvp(self.f, active, v)[1]

        try:
            dots, second = wengert.jvp(first, x, u)
            if self.trial.smooth and not self.single:
                numerical = self.difference(first, x, u)
                if not near(second, numerical, 10 * self.noise, largest(dots)):
                    self.row.wrong.append(f"second order {second}, by differences {numerical}")
            w = [direction(d, 0.7) for d in dots]
            reverse = wengert.jvp(lambda *a: wengert.vjp(self.f, *a)[1](w), x, u)[1]
            left, right = inner(w, second), inner(reverse, v)
            scale = max(1.0, abs(left), largest(second))
            if not (np.isnan(left) or abs(left - right) <= (1e-3 if self.single else 1e-7) * scale):
                self.row.wrong.append(f"second order differs between the modes: {left} {right}")
            self.row.cells["second order"] = "yes"
        except Exception as error:
            self.row.no("second order", error)

    def vmap(self) -> None:
        """A batch of two against a loop."""
        x = self.active
        examples = [x, mapped(lambda a: (a * 1.01).astype(np.asarray(a).dtype)[()], x)]
        try:
            with np.errstate(all="ignore"):
                expected = [everything(self.all_of(self.theirs, e)) for e in examples]
        except Exception:
            return
        if any(np.shape(a) != np.shape(b) for a, b in zip(*expected, strict=True)) or not leaves(self.expected):
            return
        try:
            batch = mapped(lambda *a: np.stack(a), *examples)
            actual = wengert.vmap(lambda *a: self.f(*a))(*batch)
            loop = [np.stack(o) for o in zip(*(self.g(*e) for e in examples), strict=True)]
            if not near(actual, loop, 1e-4 if self.single else 1e-9):
                self.row.wrong.append(f"vmap {actual}, by a loop {loop}")
            self.row.cells["vmap"] = "yes"
        except Exception as error:
            self.row.no("vmap", error)

    def complex(self) -> None:
        """The same with complex arguments, where NumPy takes them."""

        def turned(a: Any) -> Any:
            kind = np.asarray(a).dtype
            return a if kind.kind == "c" else (a + 0.3j * np.abs(direction(a, 0.9)))

        x = mapped(turned, self.active)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                expected = self.g(*x)
        except Exception:
            return
        if not leaves(self.expected):
            return
        try:
            v = mapped(direction, x)
            out, dots = wengert.jvp(self.f, x, v)
            if not near(out, expected, 1e-4 if self.single else 1e-10):
                self.row.wrong.append(f"complex value {out}, {expected}")
            if self.trial.smooth and not self.single and not self.has_gauge:
                with np.errstate(all="ignore"):
                    numerical = self.difference(self.g, x, v)
                if not near(dots, numerical, 1e-5, largest(out) * 1e-2):
                    self.row.wrong.append(f"complex jvp {dots}, by differences {numerical}")
            w = [direction(o, 1.1) for o in out]
            left, right = inner(w, dots), inner(wengert.vjp(self.f, *x)[1](w), v)
            if not (np.isnan(left) or abs(left - right) <= (1e-3 if self.single else 1e-8) * max(1.0, abs(left))):
                self.row.wrong.append(f"complex: the modes differ: {left} {right}")
            self.row.cells["complex"] = "yes"
        except Exception as error:
            self.row.no("complex", error)

    def compiled(self) -> None:
        """What the compiler does with it."""
        if not leaves(self.expected):
            return
        try:
            program = simplify(wengert.program(lambda *a: self.f(*a))(*self.active))
            steps = make_plan(program).steps
            calls = [isinstance(s, Call) for s in steps]
            self.row.cells["compiled"] = "callback" if calls and all(calls) else "partly" if any(calls) else "native"
        except Exception as error:
            self.row.no("compiled", error)


def joined(rows: list[Row]) -> Row:
    """What several calls of one function say together."""
    row = Row()
    for column in COLUMNS:
        of_column = [r for r in rows if r.is_real] if column == "compiled" else []
        found = list(dict.fromkeys(r.cells[column] for r in of_column or rows if r.cells[column] != "·"))
        if column == "compiled" and {"native", "callback"} <= set(found):
            found = ["partly"]
        if set(found) == {"yes", "zero"}:
            found = ["yes"]
        row.cells[column] = found[0] if len(found) == 1 else "partly" if found else "·"
    row.reason = next((r.reason for r in rows if r.reason), "")
    row.wrong = [w for r in rows for w in r.wrong]
    return row
