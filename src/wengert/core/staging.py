"""Staging: recording a `Program` from a function that computes with `Staged` values.

A `Staged` value has a type but no numbers. Operations on it are appended to the program that its `Stage` records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.program import Atom, Literal, Operation, Program, Variable, output_types
from wengert.core.values import ArrayType, Level, Value, type_of
from wengert.errors import user_location

_allocate = object.__new__


class Staged(Value):
    """A value of a program that is being recorded: it has a type, but no numbers yet."""

    __slots__ = ("variable",)
    variable: Variable

    @property
    def payload(self) -> Any:
        """An array of this shape with arbitrary contents: it shows the memory layout that views go by."""
        shape, dtype = self.variable.type
        return np.empty(shape, dtype) if shape else dtype.type(0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape."""
        return self.variable.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype."""
        return self.variable.type.dtype

    def __repr__(self) -> str:
        return f"Staged({self.variable!r}: {self.dtype}{list(self.shape)})"


class Stage(Level):
    """The recording of one program."""

    __slots__ = ("constants", "count", "inputs", "operations")
    kind = "staging"

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[Variable] = []
        self.operations: list[Operation] = []
        self.constants: dict[int, tuple[Variable, Any]] = {}  # by identity
        self.count = 0

    def variable(self, type_: ArrayType) -> Variable:
        """Return a new variable."""
        self.count += 1
        return Variable(self.count - 1, type_)

    def input(self, type_: ArrayType) -> Staged:
        """Add an input to the program."""
        v = self.variable(type_)
        self.inputs.append(v)
        return self.staged(v)

    def staged(self, variable: Variable) -> Staged:
        """Wrap a variable."""
        new = _allocate(Staged)
        new.variable = variable
        new.level = self
        return new

    def atom(self, x: Any) -> Atom:
        """Return the variable or literal for an operand; arrays from outside become constants."""
        if type(x) is Staged and x.level is self:
            return x.variable
        if isinstance(x, (bool, int, float, complex, np.generic)):
            return Literal(x)
        if isinstance(x, np.ndarray) and x.ndim == 0:
            return Literal(x[()])
        known = self.constants.get(id(x))
        if known is None:
            kept = x.copy() if isinstance(x, np.ndarray) else x
            known = self.constants[id(x)] = (self.variable(type_of(x)), (x, kept))
        elif isinstance(x, np.ndarray) and not np.array_equal(known[1][1], x, equal_nan=x.dtype.kind in "fc"):
            # The same array, overwritten since: another constant.
            known = self.constants[id(known)] = (self.variable(type_of(x)), (x, x.copy()))
        return known[0]

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Append the operation to the program."""
        if not self.active:
            self.leaked(primitive)
        if "donate" in params:
            params = {**params, "donate": False}  # who may overwrite what is for the compiler to find out
        if "copy" in params:
            params = {k: v for k, v in params.items() if k != "copy"}
        inputs = tuple(self.atom(x) for x in args)
        types = output_types(primitive, [a.value if isinstance(a, Literal) else a.type for a in inputs], params)
        outputs = tuple(self.variable(t) for t in types)
        self.operations.append(Operation(primitive, inputs, params, outputs, user_location()))
        staged = tuple(self.staged(v) for v in outputs)
        return staged if primitive.multiple else staged[0]

    def program(self, name: str, outputs: Sequence[Any]) -> Program:
        """Finish recording."""
        atoms = [self.atom(x) for x in outputs]
        constants = [(v, kept) for v, (_, kept) in self.constants.values()]
        return Program(name, self.inputs, constants, self.operations, atoms)


def record(function: Callable[..., Sequence[Any]], types: Sequence[ArrayType], name: str) -> Program:
    """Record a function of flat values."""
    with Stage() as stage:
        outs = function(*[stage.input(t) for t in types])
        return stage.program(name, outs)
