"""Staging: recording a `Program` from a function that computes with `Staged` values.

A `Staged` value has a type but no numbers. Operations on it are appended to the program that its `Stage` records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.program import Atom, Literal, Operation, Program, Variable, output_types
from wengert.core.values import ArrayType, Level, Value, running_levels, type_of
from wengert.errors import user_location

_allocate = object.__new__

#: Compiles a function of the user's (`wengert.compiler.jit` registers itself): for primitives that call a function many
#: times while a compiled program runs.
COMPILERS: list[Callable[..., Any]] = []


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
        # By identity: the object and, for each contents that it had while it was read, a variable and a copy.
        self.constants: dict[int, tuple[Any, list[tuple[Variable, Any]]]] = {}
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
        _, versions = self.constants.setdefault(id(x), (x, []))
        for variable, kept in versions:
            if kept is x or _same_contents(kept, x):
                return variable
        variable = self.variable(type_of(x))
        versions.append((variable, x.copy() if isinstance(x, np.ndarray) else x))
        return variable

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Append the operation to the program."""
        if not self.active:
            self.leaked(primitive)
        if "donate" in params:
            params = {**params, "donate": False}  # who may overwrite what is for the compiler to find out
        if "copy" in params:
            params = {k: v for k, v in params.items() if k != "copy"}
        inputs = tuple([x.variable if type(x) is Staged and x.level is self else self.atom(x) for x in args])
        types = output_types(primitive, [a.type if isinstance(a, Variable) else a.value for a in inputs], params)
        outputs = tuple([self.variable(t) for t in types])
        self.operations.append(Operation(primitive, inputs, params, outputs, user_location()))
        staged = tuple([self.staged(v) for v in outputs])
        return staged if primitive.multiple else staged[0]

    def program(self, name: str, outputs: Sequence[Any]) -> Program:
        """Finish recording."""
        atoms = [self.atom(x) for x in outputs]
        constants = [version for _, versions in self.constants.values() for version in versions]
        return Program(name, self.inputs, constants, self.operations, atoms)


def _same_contents(kept: Any, x: Any) -> bool:
    """Whether an array still holds what it held, bit for bit."""
    if not isinstance(x, np.ndarray) or kept.shape != x.shape or kept.dtype != x.dtype:
        return False
    if x.dtype.hasobject:
        return bool(np.array_equal(kept, x))
    if x.flags.c_contiguous and kept.flags.c_contiguous:
        return bool(np.array_equal(kept.reshape(-1).view(np.uint8), x.reshape(-1).view(np.uint8)))
    return kept.tobytes() == x.tobytes()


def record(function: Callable[..., Sequence[Any]], types: Sequence[ArrayType], name: str) -> Program:
    """Record a function of flat values."""
    with Stage() as stage:
        outs = function(*[stage.input(t) for t in types])
        return stage.program(name, outs)


def is_recording() -> bool:
    """Whether a program is being recorded in this thread."""
    return any(isinstance(level, Stage) for level in running_levels())
