"""`Program`: a computation recorded as typed, straight-line operations; what the compiler works on.

A program is a list of operations in single-assignment form: each applies one primitive to variables and literals and
defines new variables. It can be printed, checked, compared, and evaluated by the interpreter here, which applies the
primitives one after the other and so works under every transform.

Start reading with `Program.evaluate`. Programs are made by `wengert.core.staging`.
"""

from __future__ import annotations

import enum
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.values import ArrayType, type_of
from wengert.errors import InputTypeError, fail, replayed


class Variable:
    """A value of a program, defined once. Compared by identity."""

    __slots__ = ("number", "type")

    def __init__(self, number: int, type_: ArrayType) -> None:
        self.number = number
        self.type = type_

    def __repr__(self) -> str:
        return name_of(self.number)


class Literal(NamedTuple):
    """A number that is part of an operation. A Python number keeps NumPy's weak promotion."""

    value: Any

    def __repr__(self) -> str:
        return str(self.value)


Atom = Variable | Literal


class Operation(NamedTuple):
    """One application of a primitive."""

    primitive: Primitive
    inputs: tuple[Atom, ...]
    params: dict[str, Any]
    outputs: tuple[Variable, ...]
    location: tuple[str, int, str] | None = None


class Program:
    """A recorded computation.

    Attributes
    ----------
    name : str
        Name of the function it was recorded from.
    inputs : tuple of Variable
        The arguments.
    constants : tuple of (Variable, value)
        Arrays that the computation took from its surroundings.
    operations : tuple of Operation
        In an order in which everything is defined before it is used.
    outputs : tuple of Variable or Literal
        The results.
    origin : optional
        What it is the derivative of (`wengert.transforms.programs.Origin`), if it was recorded as one.
    derived : dict
        What was derived from it before, by kind.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Variable],
        constants: Sequence[tuple[Variable, Any]],
        operations: Sequence[Operation],
        outputs: Sequence[Atom],
    ) -> None:
        self.name = name
        self.inputs = tuple(inputs)
        self.constants = tuple(constants)
        self.operations = tuple(operations)
        self.outputs = tuple(outputs)
        self.origin: Any = None
        self.derived: dict[Any, Any] = {}

    # Reading ---------------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        parameters = ", ".join(f"{v}: {show_type(v.type)}" for v in self.inputs)
        lines = [f"program {self.name}({parameters}):"]
        lines += [f"    {v}: {show_type(v.type)} = constant" for v, _ in self.constants]
        texts = [f"    {show_operation(op)}" for op in self.operations]
        width = min(max((len(t) for t in texts), default=0), 88)
        for text, op in zip(texts, self.operations, strict=True):
            place = "" if op.location is None else f"  # {op.location[0].rpartition('/')[2]}:{op.location[1]}"
            lines.append(text.ljust(width) + place if place else text)
            for inner in op.params.values():
                if isinstance(inner, Program):
                    lines += [f"        {line}" for line in str(inner).splitlines()]
        lines.append(f"    return {', '.join(map(repr, self.outputs))}")
        return "\n".join(lines)

    __repr__ = __str__

    def check(self) -> None:
        """Raise `AssertionError` if a variable is used before it is defined, defined twice, or has a wrong type."""
        defined: set[Variable] = set()

        def define(v: Variable) -> None:
            assert v not in defined, f"{v} is defined twice"
            defined.add(v)

        for v in self.inputs:
            define(v)
        for v, value in self.constants:
            define(v)
            assert type_of(value) == v.type, f"constant {v} has type {type_of(value)}, not {v.type}"
        for op in self.operations:
            for atom in op.inputs:
                assert isinstance(atom, Literal) or atom in defined, f"{atom} is used before it is defined"
            types = output_types(
                op.primitive, [a.value if isinstance(a, Literal) else a.type for a in op.inputs], op.params
            )
            for v, t in zip(op.outputs, types, strict=True):
                define(v)
                assert v.type == t, f"{v} has type {v.type}, but {op.primitive.name} gives {t}"
        for atom in self.outputs:
            assert isinstance(atom, Literal) or atom in defined, f"result {atom} is not defined"

    @functools.cached_property
    def key(self) -> str:
        """Digest of everything that determines the results: equal for equal programs, whatever their names."""
        return self.digest(by_identity)

    def digest(self, describe: Callable[[Any], str]) -> str:
        """Digest of everything that determines the results.

        Numbers, arrays, containers and programs are taken by value; `describe` says what stands for anything else:
        primitives, functions, values of a transform.
        """
        names: dict[Variable, str] = {}

        def define(v: Variable) -> str:
            names[v] = f"v{len(names)}"
            return f"{names[v]} {v.type.dtype.str} {v.type.shape}"

        def text(atom: Atom) -> str:
            return names[atom] if isinstance(atom, Variable) else content(atom.value, describe)

        lines = [f"in {define(v)}" for v in self.inputs]
        lines += [f"constant {define(v)} {content(value, describe)}" for v, value in self.constants]
        for op in self.operations:
            ins = " ".join(map(text, op.inputs))
            params = content(op.params, describe) if op.params else ""
            outs = " ".join(map(define, op.outputs))
            lines.append(f"{outs} = {describe(op.primitive)} {ins} {params}")
        lines.append(f"return {' '.join(map(text, self.outputs))}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.key == other.key

    # Running ---------------------------------------------------------------------------------------------------------

    def evaluate(self, *args: Any) -> tuple[Any, ...]:
        """Apply the operations to values of any kind (plain, or of some transform), one after the other."""
        if len(args) != len(self.inputs):
            fail(InputTypeError, f"program {self.name} takes {len(self.inputs)} arguments, got {len(args)}.")
        values: dict[Variable, Any] = dict(zip(self.inputs, args, strict=True))
        values.update(self.constants)
        last_use = self.last_uses

        def read(atom: Atom) -> Any:
            return atom.value if isinstance(atom, Literal) else values[atom]

        before = replayed.location
        try:
            for number, op in enumerate(self.operations):
                replayed.location = op.location or before
                out = op.primitive.bind(*map(read, op.inputs), **op.params)
                for v, value in zip(op.outputs, out if op.primitive.multiple else (out,), strict=True):
                    values[v] = value
                for v in last_use.get(number, ()):
                    del values[v]
        finally:
            replayed.location = before
        return tuple(read(atom) for atom in self.outputs)

    @functools.cached_property
    def last_uses(self) -> dict[int, list[Variable]]:
        """For each operation, the variables that nothing reads after it."""
        last: dict[Variable, int] = {}
        for number, op in enumerate(self.operations):
            for atom in (*op.inputs, *op.outputs):
                if isinstance(atom, Variable):
                    last[atom] = number
        for atom in self.outputs:
            if isinstance(atom, Variable):
                last.pop(atom, None)
        result: dict[int, list[Variable]] = {}
        for v, number in last.items():
            result.setdefault(number, []).append(v)
        return result


_PLAIN = (type(None), bool, int, float, complex, str, bytes, slice, type(Ellipsis), np.dtype, np.generic)


def by_identity(x: Any) -> str:
    """Text that tells objects of this process apart."""
    return f"{x!r} {id(x)}"


def content(value: Any, describe: Callable[[Any], str] = by_identity) -> str:
    """Text that is equal for equal parameters, literals and constants; `describe` as in `Program.digest`."""
    if isinstance(value, Program):
        return f"program {value.digest(describe)}"
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"array {value.dtype.str} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__}({','.join(content(x, describe) for x in value)})"
    if isinstance(value, dict):
        return f"dict({','.join(f'{k!r}:{content(x, describe)}' for k, x in sorted(value.items()))})"
    if isinstance(value, _PLAIN):
        return f"{type(value).__name__}:{value!r}"
    return describe(value)


def output_types(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> list[ArrayType]:
    """Types of the outputs of a primitive; `args` are `ArrayType`s and Python numbers."""
    out = primitive.output_type(args, params)
    return list(out) if primitive.multiple else [out]


def uniform_value(value: Any) -> Any:
    """The number that all elements of a constant are equal to, bit by bit, or None."""
    if not isinstance(value, np.ndarray) or value.size == 0 or value.dtype.kind not in "biuf":
        return None
    first = value.flat[0]
    if first != first:
        return None
    if not np.all(value == first) or (
        first == 0 and value.dtype.kind == "f" and np.any(np.signbit(value) != np.signbit(first))
    ):
        return None
    return first


# Text ----------------------------------------------------------------------------------------------------------------


def name_of(number: int) -> str:
    """Name variables a, b, …, z, aa, ab and so on; those that nothing reads have negative numbers."""
    if number < 0:
        return f"_{-number}"
    name = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(ord("a") + letter) + name
    return name


def show_type(t: ArrayType) -> str:
    """Write a type as float64[3,4]."""
    return f"{t.dtype}[{','.join(map(str, t.shape))}]"


def show_operation(op: Operation) -> str:
    """Write an operation as c: float64[3] = multiply a b."""
    outs = ", ".join(f"{v}: {show_type(v.type)}" for v in op.outputs)
    params = "".join(f" {k}={_show_param(v)}" for k, v in op.params.items() if v is not None and v is not False)
    return f"{outs} = {op.primitive.name}{''.join(f' {a!r}' for a in op.inputs)}{params}"


def _show_param(value: Any) -> str:
    if isinstance(value, slice):
        parts = ["" if p is None else str(p) for p in (value.start, value.stop, value.step)]
        return ":".join(parts[:2] if value.step is None else parts)
    if isinstance(value, tuple):
        return "(" + ",".join(_show_param(v) for v in value) + ")"
    if isinstance(value, Program):
        return "below"
    return "…" if value is Ellipsis else repr(value) if isinstance(value, enum.Enum) else str(value)
