"""Right-hand sides of differential equations, and those of their derivatives: what `odeint` integrates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.array import unwrap, wrap
from wengert.core import containers
from wengert.core.combinators import astype, imag, real, reshape
from wengert.core.program import Program
from wengert.core.staging import COMPILERS, Stage
from wengert.core.values import DEPTH_STEP, ArrayType, Value, dtype_of, shape_of, type_of
from wengert.numpy.dispatch import as_array
from wengert.rules.joining import concatenate
from wengert.transforms.batch import Batch, Batched
from wengert.transforms.forward import Dual, Forward
from wengert.transforms.reverse import Tape, pull_back

Flat = Callable[..., Any]
FLOAT = np.dtype(np.float64)


class System:
    """The right-hand side of dy/dt = f(y, t, *args) for y of length `size`, all arguments and results being values.

    `compiled` says whether SciPy gets machine code to call, `exact` whether it gets the matrix ∂f/∂y, too.
    """

    def __init__(self, function: Flat, size: int, name: str, *, compiled: bool, exact: bool) -> None:
        self.function = function
        self.size = size
        self.name = name
        self.compiled = compiled
        self.exact = exact
        self.derived: dict[Any, System] = {}
        self.base: System | None = None  # of what this is the adjoint

    def __repr__(self) -> str:
        return self.name

    def __call__(self, y: Any, t: Any, *args: Any) -> Any:
        """The right-hand side at values of any kind."""
        traced = any(isinstance(x, Value) for x in (y, t, *args))
        return (self.function if traced else self.plain)(y, t, *args)

    def callback(self, function: Flat) -> Flat:
        """A function of values, for SciPy to call with plain numbers."""
        if self.compiled:
            return COMPILERS[0](lambda *args: function(*map(unwrap, args)))

        def plain(*args: Any) -> Any:
            out = function(*args)
            if isinstance(out, Value):
                raise Captured
            return out

        return plain

    @functools.cached_property
    def plain(self) -> Flat:
        """The right-hand side for plain numbers."""
        return self.callback(self.function)

    @functools.cached_property
    def jacobian(self) -> Flat:
        """The transposed Jacobian for plain numbers."""
        return self.callback(self.transposed_jacobian)

    def problem(self, args: Sequence[Any]) -> dict[str, Any]:
        """What SciPy is to be called with for these arguments."""
        jacobian = {"Dfun": self.jacobian, "col_deriv": True} if self.exact else {}
        return {"func": self.plain, "args": tuple(args), **jacobian}

    def transposed_jacobian(self, y: Any, t: Any, *args: Any) -> Any:
        """∂f/∂y, transposed: the derivatives in one direction are a row."""
        with Batch(self.size) as batch, Forward() as level:
            _, dot = _parts(self.function(level.make(y, batch.make(np.eye(self.size))), t, *args), level)
        if type(dot) is Batched and dot.level is batch:
            return dot.value
        return np.zeros((self.size, self.size))  # f does not depend on y

    def derive(self, key: Any, size: int, function: Flat) -> System:
        """Return a system made from this one, made once."""
        if key not in self.derived:
            name = f"{key[0]} of {self.name}"
            self.derived[key] = System(function, size, name, compiled=self.compiled, exact=self.exact)
        return self.derived[key]

    def variational(self, which: tuple[bool, ...]) -> System:
        """(y, S) for arguments followed by the tangents of those in `which`."""
        n, count = self.size, len(which)

        def function(z: Any, t: Any, *args: Any) -> Any:
            tangents = iter(args[count:])
            with Forward() as level:
                moving = [level.make(x, next(tangents)) if w else x for x, w in zip(args[:count], which, strict=True)]
                out, dot = _parts(self.function(level.make(z[:n], z[n:]), t, *moving), level)
            return concatenate(out, np.zeros(n) if dot is None else dot, axis=0)

        return self.derive(("tangent", which), 2 * n, function)

    def adjoint(self, which: tuple[bool, ...], size: int) -> System:
        """(y, a, q) with the integral q of the cotangents of the arguments in `which`, of `size` real numbers."""
        n = self.size

        def function(z: Any, t: Any, *args: Any) -> Any:
            tape = Tape()
            with tape:
                y = tape.input(z[:n])
                moving = [tape.input(x) if w else x for x, w in zip(args, which, strict=True)]
                out = self.function(y, t, *moving)
            roots = [y, *(x for x, w in zip(moving, which, strict=True) if w)]
            back = pull_back(tape, [tape.slot_of(out)], [-z[n : 2 * n]], roots)
            return concatenate(tape.value_of(out), *map(packed, back), axis=0)

        system = self.derive(("adjoint", which, size), 2 * n + size, function)
        system.base = self
        return system


class Captured(Exception):
    """A right-hand side made traced values of plain ones: it uses some from its surroundings."""


def _parts(out: Any, level: Forward) -> tuple[Any, Any]:
    return (out.primal, out.tangent) if isinstance(out, Dual) and out.level is level else (out, None)


def packed(x: Any) -> Any:
    """A real or complex array as a vector of real numbers."""
    flat = reshape(x, shape=(int(np.prod(shape_of(x))),))
    return flat if dtype_of(x).kind != "c" else concatenate(real(flat), imag(flat), axis=0)


def unpacked(x: Any, like: ArrayType) -> Any:
    """The array of this type that a vector of real numbers stands for."""
    size = int(np.prod(like.shape))
    return reshape(x if like.dtype.kind != "c" else x[:size] + 1j * x[size:], shape=like.shape)


def packed_size(x: Any) -> int:
    """The length of `packed(x)`."""
    return int(np.prod(shape_of(x))) * (2 if dtype_of(x).kind == "c" else 1)


class Call(System):
    """The right-hand side that the user gave, with containers for arguments, of which `leaves` are the fixed ones."""

    def __init__(
        self, func: Any, leaves: list[Any], structure: Any, size: int, tfirst: bool, dfun: Any, col_deriv: bool
    ) -> None:
        compiled = is_compiled(func)
        self.user = func
        self.inner = func.__wrapped__ if compiled else func
        self.leaves, self.structure = leaves, structure
        self.tfirst, self.dfun, self.col_deriv = tfirst, dfun, col_deriv
        name = getattr(func, "__name__", type(func).__name__)
        super().__init__(self._evaluate, size, name, compiled=compiled, exact=dfun is not None)

    def containers(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments as the user's function gets them."""
        rest = iter(args)
        leaves = [to_user(next(rest), x.kind) if isinstance(x, Operand) else x for x in self.leaves]
        return containers.unflatten(self.structure, leaves)

    def problem(self, args: Sequence[Any]) -> dict[str, Any]:
        """Let SciPy call the user's function itself, unless it is compiled: then with flat arguments and results."""
        if self.compiled:
            problem = super().problem(args)
        else:
            problem = {"func": self.user, "args": self.containers(args), "tfirst": self.tfirst}
        if self.exact:
            first = problem.get("tfirst", False)
            matrix = self._given_matrix if callable(self.dfun) else self.jacobian
            problem["Dfun"] = lambda y, t, *_: matrix(*((t, y) if first else (y, t)), *args)
            problem["col_deriv"] = self.col_deriv or not callable(self.dfun)
        return problem

    def _given_matrix(self, y: Any, t: Any, *args: Any) -> Any:
        """The Jacobian that the user gave."""
        return self.dfun(*((t, y) if self.tfirst else (y, t)), *self.containers(args))

    def _evaluate(self, y: Any, t: Any, *args: Any) -> Any:
        y, t = to_user(y), to_user(t)
        out = self.inner(*((t, y) if self.tfirst else (y, t)), *self.containers(args))
        value = unwrap(as_array(out))
        shape, dtype = type_of(value)
        if len(shape) > 1:
            raise RuntimeError(f"The array returned by func must be one-dimensional, but got ndim={len(shape)}.")
        if shape not in ((self.size,), ()) or (shape == () and self.size != 1):
            size = int(np.prod(shape))
            raise RuntimeError(
                f"The size of the array returned by func ({size}) does not match the size of y0 ({self.size})."
            )
        if dtype.kind == "c":
            raise TypeError("odeint integrates real systems, but func returned complex numbers.")
        if dtype != FLOAT:
            value = astype(value, dtype=FLOAT)
        return value if shape else reshape(value, shape=(1,))

    def place(self) -> str:
        """Where the user's function is, for error messages."""
        code = getattr(self.inner, "__code__", None)
        return self.name if code is None else f'{self.name} ("{code.co_filename}", line {code.co_firstlineno})'

    def closed(self, types: Sequence[ArrayType], *, compiled: bool) -> tuple[System, list[Any]]:
        """A system that takes what the function uses of its surroundings as further arguments; and these."""
        with Stage() as stage:
            out = self.function(*map(stage.input, types))
            program = stage.program(self.name, [out])
        captured = [(v, x) for v, x in program.constants if isinstance(x, Value)]
        constants = [(v, x) for v, x in program.constants if not isinstance(x, Value)]
        inputs = (*program.inputs, *(v for v, _ in captured))
        closed = Program(self.name, inputs, constants, program.operations, program.outputs)
        function: Flat = lambda *args: closed.evaluate(*args)[0]
        system = System(function, self.size, self.name, compiled=compiled, exact=self.exact)
        return system, [x for _, x in captured]


def is_compiled(func: Any) -> bool:
    """Whether a function was made with `jit`."""
    return getattr(type(func), "is_compiled", False)  # of the type: a method of it is another function


class Operand:
    """Stands in a container for an argument of the primitive that was of this type."""

    def __init__(self, kind: type) -> None:
        self.kind = kind


def to_user(value: Any, kind: type = object) -> Any:
    """What the user's function gets for a value; Python numbers stay such."""
    if isinstance(value, Value):
        return wrap(value) if value.level.depth % DEPTH_STEP == 0 else value
    return kind(value) if kind in (float, complex) else value
