"""Random programs with loops and branches, as source code: what the random test of control flow draws.

A program is drawn statement by statement: loops and branches nested up to three deep, whose bodies read and write
arrays at constant and computed places. All functions are smooth and bounded, so that finite differences hold and
rounding errors stay small. Arrays are vectors of length N, columns of length R, and matrices of shape (R, N).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import wengert as wg
import wengert.numpy as wnp

Shape = tuple[int, ...]

_UNARY = (
    "wnp.sin({})", "wnp.tanh({})", "wnp.cos({})", "wnp.exp(-({}) ** 2)", "0.7 * {} + 0.2", "-({})", "wnp.arctan({})",
    "wnp.sqrt(1 + ({}) ** 2) - 1", "1 / (2 + ({}) ** 2)",
)  # fmt: skip
_BINARY = ("0.5 * ({} + {})", "0.6 * ({} - {})", "({}) * ({})", "{} / (2 + ({}) ** 2)", "wnp.sin({} + 2 * ({}))")
_MAX_NESTING = 3


class RandomControl:
    """A program: ``f(a, b, m, s, k)`` of a vector, a column, a matrix, a number and an integer returns arrays."""

    def __init__(self, seed: int) -> None:
        writer = _Writer(np.random.default_rng([seed, 4]))
        self.seed = seed
        self.source = writer.program()
        self.inputs = writer.inputs

    def functions(self, source: str | None = None) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The program, and a scalar function of all its results."""
        namespace: dict[str, Any] = {"wg": wg, "wnp": wnp}
        exec(self.source if source is None else source, namespace)
        f = namespace["f"]

        def total(*args: Any) -> Any:
            result: Any = 0.0
            for j, out in enumerate(f(*args)):
                shape = np.shape(out)
                weights = np.cos(0.7 * np.arange(np.size(np.zeros(shape))) + j).reshape(shape) + 1.2
                result = result + wnp.sum(out * weights)
            return result

        return f, total

    @property
    def plain_source(self) -> str:
        """The program without checkpoints."""
        return _without_checkpoints(self.source)

    def examples(self, count: int) -> list[tuple[Any, ...]]:
        """Inputs that are different in the numbers of iterations and in the branches taken, too."""
        *floats, k = self.inputs
        factors = (1.0, -0.8, 0.6)
        return [(*(x * factors[e] for x in floats), (k + 2 * e) % 5) for e in range(count)]

    def __repr__(self) -> str:
        values = "\n".join(f"# {name} = {x!r}" for name, x in zip("abmsk", self.inputs, strict=True))
        return f"\n# seed {self.seed}\n{values}\n{self.source}"


def _without_checkpoints(source: str) -> str:
    for name in ("for_loop", "while_loop", "scan"):
        for slots in range(1, 5):
            source = source.replace(f"wg.checkpoint(wg.{name}, slots={slots})", f"wg.{name}")
    return source


class _Scope:
    """What a function of the program can read, and which of it is its own to write to."""

    def __init__(self, outer: _Scope | None) -> None:
        self.values: dict[str, Shape] = dict(outer.values) if outer else {}
        self.counters: dict[str, int | None] = dict(outer.counters) if outer else {}
        self.own: list[str] = []


class _Writer:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.n = int(rng.choice([3, 3, 4, 1, 30, 17]))
        self.r = int(rng.choice([2, 3, 4]))
        self.lines: list[str] = []
        self.indent = 0
        self.count = 0
        self.scope = _Scope(None)
        self.nesting = 0
        self.left = int(rng.integers(1, 6))  # loops and branches
        shapes: list[Shape] = [(self.n,), (self.r,), (self.r, self.n), ()]
        self.inputs = (*(rng.uniform(-1, 1, shape) for shape in shapes), int(rng.integers(0, 5)))
        self.inputs = tuple(np.float64(x) if np.shape(x) == () and k == 3 else x for k, x in enumerate(self.inputs))

    # Drawing ---------------------------------------------------------------------------------------------------------

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def define(self, shape: Shape, letter: str | None = None) -> str:
        name = self.name(letter or {0: "t", 1: "v", 2: "q"}[len(shape)])
        self.scope.values[name] = shape
        self.scope.own.append(name)
        return name

    def named(self, shape: Shape) -> list[str]:
        return [name for name, s in self.scope.values.items() if s == shape]

    # Expressions -----------------------------------------------------------------------------------------------------

    def place(self, n: int) -> str:
        """An index of an axis of length n."""
        counters = list(self.scope.counters.items())
        if not counters or self.chance(0.15):
            return str(int(self.rng.integers(-n, n)))
        i, bound = counters[-1] if self.chance(0.6) else self.one_of(counters)
        j, _ = self.one_of(counters)
        a, b = (int(x) for x in self.rng.integers(1, 5, 2))
        options = [f"({a} * {i} + {b}) % {n}", f"({i} + {j}) % {n}", f"({i} * {j} + {b}) % {n}", f"P{n}[{i} % {n}]"]
        if bound is not None and bound <= n:
            options += [i, i, i, f"{i} - 1", f"-1 - {i}", f"{n - 1} - {i}", f"P{n}[{i}]"]
        return self.one_of(options)

    def atom(self, shape: Shape) -> str:
        names = self.named(shape)
        recent = names[-4:]
        vectors, columns, matrices = (self.named(s)[-4:] for s in ((self.n,), (self.r,), (self.r, self.n)))
        v, c, m = map(self.one_of, (vectors, columns, matrices))
        if shape == ():
            options = [f"{v}[{self.place(self.n)}]"] * 3
            options += [f"{c}[{self.place(self.r)}]", f"{m}[{self.place(self.r)}, {self.place(self.n)}]"]
            options += [
                f"{1 / self.n:.3f} * wnp.sum({v})",
                f"{0.5 / self.n:.3f} * ({v} @ {self.one_of(vectors)})",
                "0.3",
            ]
            options += [self.one_of(recent)] * 4
            options += [f"0.1 * {self.one_of(list(self.scope.counters))}"] if self.scope.counters else []
        elif shape == (self.n,):
            options = [self.one_of(recent)] * 4 + [f"{m}[{self.place(self.r)}]"] * 2
            options += [f"{v}[::-1]", f"0.3 * ({c} @ {m})", f"wnp.roll({v}, 1)"]
        elif shape == (self.r,):
            options = [self.one_of(recent)] * 4 + [f"{m}[:, {self.place(self.n)}]"] * 2
            options += [f"{1 / self.n:.3f} * ({m} @ {v})", f"{1 / self.n:.3f} * wnp.sum({m}, axis=1)"]
        else:
            options = [self.one_of(recent)] * 4 + [f"wnp.outer({c}, {v})", f"{m}[::-1]"]
        return self.one_of(options)

    def expression(self, shape: Shape, depth: int = 2) -> str:
        """An expression of a shape; its second operands may be numbers, and vectors in matrices."""
        if depth == 0 or self.chance(0.2):
            return self.atom(shape)
        first = self.expression(shape, depth - 1)
        if self.chance(0.45):
            return self.one_of(_UNARY).format(first)
        second = self.one_of([shape, shape, (), shape[1:]])
        return self.one_of(_BINARY).format(first, self.expression(second, depth - 1))

    def predicate(self) -> str:
        options = [f"{self.atom(())} > {self.rng.uniform(-0.3, 0.3):.3f}" for _ in range(2)] + ["k > 2"]
        if self.scope.counters:
            i, j = (self.one_of(list(self.scope.counters)) for _ in range(2))
            options += [f"{i} % 2 == 0", f"{i} > 1", f"{i} < {j} + 1"]
        return self.one_of(options)

    # Statements ------------------------------------------------------------------------------------------------------

    def shape(self) -> Shape:
        return self.one_of([(), (), (self.n,), (self.n,), (self.r,), (self.r, self.n)])

    def assign(self) -> None:
        shape = self.shape()
        text = self.expression(shape)
        if shape and self.nesting:  # not a view of an array from outside, which a later line might write to
            text = f"0.9 * ({text})"
        self.line(f"{self.define(shape)} = {text}")

    def view(self) -> None:
        """A part of an array of the function's own, through which it can be written."""
        sources = [x for x in self.scope.own if self.scope.values[x]]
        if not sources:
            return self.assign()
        x = self.one_of(sources)
        shape = self.scope.values[x]
        if len(shape) == 1:
            text = self.one_of([x, f"{x}[::-1]"])
        elif self.chance(0.5):
            text, shape = f"{x}[{self.place(self.r)}]", (self.n,)
        else:
            text, shape = f"{x}[:, {self.place(self.n)}]", (self.r,)
        self.line(f"{self.define(shape)} = {text}")

    def write(self) -> None:
        """Write into an array of the function's own."""
        targets = [x for x in self.scope.own if self.scope.values[x]]
        if not targets:
            return self.assign()
        x = self.one_of(targets)
        shape = self.scope.values[x]
        sign, factor = self.one_of([("=", ""), ("=", ""), ("+=", "0.3 * "), ("*=", ""), ("-=", "0.2 * ")])
        rows = shape[0]
        if len(shape) == 2 and self.chance(0.5):
            key, part = self.one_of(
                [
                    (f"{self.place(rows)}, {self.place(self.n)}", ()),
                    (f":, {self.place(self.n)}", (rows,)),
                    (f"{self.place(rows)}, ::-1", (self.n,)),
                ]
            )
        elif self.chance(0.7):
            key, part = self.place(rows), shape[1:]
        else:
            key, part = self.one_of([":", "::-1", "..."]), shape
            if self.chance(0.5) and rows > 1:
                key, other = self.one_of(
                    [("1:", ":-1"), (":-1", "1:"), ("::2", "::2"), ("1:-1", "2:")][: 3 + (rows > 2)]
                )
                source = f"wnp.sin({self.one_of(self.named(shape)[-4:])}[{other}] + {self.atom(())})"
                if key == "1:-1":
                    source = f"{source}[:{rows - 2}]"
                return self.line(f"{x}[{key}] {sign} {factor}({source})")
        if self.chance(0.2):
            part = ()
        return self.line(f"{x}[{key}] {sign} {factor}({self.expression(part)})")

    def statements(self, count: int) -> None:
        for _ in range(count):
            control = self.left > 0 and self.nesting < _MAX_NESTING and self.chance(0.45)
            if control:
                self.left -= 1
                self.one_of([self.for_loop, self.for_loop, self.for_loop, self.while_loop, self.scan, self.branch])()
            else:
                self.one_of([self.assign, self.assign, self.write, self.write, self.write, self.view])()

    def inner(self, header: str, names: Sequence[str], counters: dict[str, int | None]) -> _Scope:
        """Begin an inner function; returns the scope around it."""
        outer = self.scope
        self.line(header)
        self.indent += 1
        self.nesting += 1
        self.scope = _Scope(outer)
        self.scope.own = list(names)
        self.scope.counters.update(counters)
        return outer

    def end(self, outer: _Scope) -> None:
        self.indent -= 1
        self.nesting -= 1
        self.scope = outer

    def state(self) -> list[tuple[str, Shape]]:
        """Initial values of a state, and their shapes."""
        shapes = [self.shape() for _ in range(self.one_of([1, 1, 2, 2, 3]))]
        return [(self.expression(s, 1) if self.chance(0.3) else self.one_of(self.named(s)[-3:]), s) for s in shapes]

    def container(self, names: Sequence[str]) -> str:
        return f"({', '.join(names)},)"

    def slots(self, loop: str) -> str:
        return f"wg.checkpoint({loop}, slots={int(self.rng.integers(1, 5))})" if self.chance(0.12) else loop

    def body(self, header: str, state: Sequence[tuple[str, Shape]], counters: dict[str, int | None], first: str = "z"):
        """Write the body of a loop up to its return; returns the new values of the state, and the scope around."""
        names = [self.name({0: "t", 1: "v", 2: "q"}[len(s)]) for _, s in state]
        outer = self.inner(header, names, counters)
        for name, (_, s) in zip(names, state, strict=True):
            self.scope.values[name] = s
        self.line(f"{self.container(names)[1:-1]} = {first}")
        self.statements(int(self.rng.integers(1, 4)))
        new = []
        for name, (_, s) in zip(names, state, strict=True):
            same = [n for n, (_, other) in zip(names, state, strict=True) if other == s]
            new.append(self.one_of([name, name, self.expression(s), self.one_of(same)]))
        return new, outer

    def bind(self, state: Sequence[tuple[str, Shape]]) -> str:
        return self.container([self.define(s) for _, s in state])[1:-1]

    def for_loop(self) -> None:
        counters = list(self.scope.counters)
        fixed = int(self.one_of([0, 1, 2, 3, 4, self.n, self.n, self.r]))
        options = [(str(fixed), fixed)] * 4 + [("k", 4), ("k % 3", 2)]
        options += [(i, self.scope.counters[i]) for i in counters] + [(f"{i} % 3 + 1", 3) for i in counters]
        n, bound = self.one_of(options)
        if self.nesting and bound is not None and bound > 4:
            n, bound = "3", 3
        i, state, name = self.name("i"), self.state(), self.name("step")
        if self.chance(0.7):
            new, outer = self.body(f"def {name}({i}, z):", state, {i: bound})
            targets, first = "", []
        else:  # a place that the state carries
            j = self.name("j")
            new, outer = self.body(f"def {name}({i}, z):", state, {i: bound, j: None}, first=f"z[1:]; {j} = z[0]")
            new, targets, first = [f"({j} * 3 + {i}) % {self.n}", *new], "_, ", ["1"]
        self.line(f"return {self.container(new)}")
        self.end(outer)
        initial = self.container([*first, *(x for x, _ in state)])
        self.line(f"{targets}{self.bind(state)} = {self.slots('wg.for_loop')}({n}, {name}, {initial})")

    def while_loop(self) -> None:
        c, state, name = self.name("c"), self.state(), self.name("step")
        limit = self.one_of(["3", "2", "k", "0", "5", *self.scope.counters])
        new, outer = self.body(f"def {name}(z):", state, {c: 5}, first=f"z[1:]; {c} = z[0]")
        self.line(f"return {self.container([f'{c} + 1', *new])}")
        self.end(outer)
        condition = f"(z[0] < {limit})"
        for j, (_, s) in enumerate(state):
            if self.chance(0.5):
                value = f"z[{j + 1}]" if s == () else f"wnp.sum(z[{j + 1}])"
                condition += f" & ({value} < {self.rng.uniform(0, 1.5):.3f})"
        initial = self.container(["0", *(x for x, _ in state)])
        self.line(f"_, {self.bind(state)} = {self.slots('wg.while_loop')}(lambda z: {condition}, {name}, {initial})")

    def scan(self) -> None:
        along = self.one_of([(self.n,), (self.r,), (self.r, self.n)])
        if self.nesting and along == (self.n,) and self.n > 4:
            along = (self.r,)
        xs = [self.one_of(self.named(along)[-4:])]
        if along != (self.n,) and self.chance(0.3):
            xs.append(self.one_of(self.named((self.r,))[-4:]))
        state, name = self.state(), self.name("step")
        elements = [self.name("e") for _ in xs]
        # What is read goes through values of the scope of the body: declared before its statements.
        outer_values = dict(self.scope.values)
        for e, x in zip(elements, xs, strict=True):
            self.scope.values[e] = self.scope.values[x][1:]
        new, outer = self.body(f"def {name}(z, e):", state, {}, first=f"z; {self.container(elements)[1:-1]} = e")
        outer.values = outer_values
        rows = along[0]
        made: list[Shape] = [s for s in ((), (), (self.n,)) if s == () or rows == self.r]
        made = [self.one_of(made) for _ in range(self.one_of([0, 1, 1, 2]))]
        ys = [self.expression(s) for s in made]
        self.line(f"return {self.container(new)}, {self.container(ys) if ys else None}")
        self.end(outer)
        initial = self.container([x for x, _ in state])
        stacked = [self.define((rows, *s)) for s in made]
        targets = f"({self.bind(state)}), {self.container(stacked) if stacked else '_'}"
        reverse = ", reverse=True" if self.chance(0.5) else ""
        self.line(f"{targets} = {self.slots('wg.scan')}({name}, {initial}, {self.container(xs)}{reverse})")

    def branch(self) -> None:
        state = self.state()
        kinds = 2 if self.chance(0.7) else 3
        names = [self.name("case") for _ in range(kinds)]
        for name in names:
            new, outer = self.body(f"def {name}(*z):", state, {})
            self.line(f"return {self.container(new)}")
            self.end(outer)
        operands = ", ".join(x for x, _ in state)
        if kinds == 2:
            call = f"wg.cond({self.predicate()}, {', '.join(names)}, {operands})"
        else:
            number = self.one_of([*self.scope.counters, "k", "k - 1"])
            call = f"wg.switch({number}, [{', '.join(names)}], {operands})"
        self.line(f"{self.bind(state)} = {call}")

    def program(self) -> str:
        self.line("def f(a, b, m, s, k):")
        self.indent = 1
        self.line("a, b, m = wnp.array(a), wnp.array(b), wnp.array(m)")
        for n in {self.n: 0, self.r: 0}:
            self.line(f"P{n} = wnp.array({self.rng.permutation(n).tolist()})")
        self.scope.values.update({"a": (self.n,), "b": (self.r,), "m": (self.r, self.n), "s": ()})
        if self.chance(0.5):
            self.assign()
        while self.left:
            self.statements(1)
        names = [*self.scope.own[-4:]]
        self.line(f"return {self.container(names)}")
        return "\n".join(self.lines)
