"""Between the user's function and the transforms: picking arguments, wrapping them, unwrapping results.

User functions see `Array`s; transforms see values. `Inputs` holds the differentiated arguments of one call as a flat
list of values; `Outputs` does the same for what the function returned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.array import Array, wrap
from wengert.core import containers
from wengert.core.combinators import cast
from wengert.core.values import DEPTH_STEP, Level, Value, shape_of
from wengert.errors import ContainerMismatchError, InputTypeError, LeakedValueError, OutputError, fail

Argnums = int | Sequence[int]


def to_value(x: Any) -> Any:
    """Turn a leaf that the user passed in into a value; None if it is not numeric."""
    if isinstance(x, Array):
        return x.immutable_value
    if isinstance(x, (Value, np.ndarray, np.generic)):
        return x
    if isinstance(x, (bool, int, float, complex)):
        return np.asarray(x)[()]
    return None


def to_user(value: Any) -> Any:
    """Turn a value into what the user sees: an Array if it is traced; hand-made duals and plain values as they are."""
    if isinstance(value, Value):
        return wrap(value) if value.level.depth % DEPTH_STEP == 0 else value
    if type(value) is np.ndarray and not value.flags.writeable:
        return value.copy()  # a broadcast result, for example
    return value


def private(value: Any) -> Any:
    """Return a value, of the same memory layout, that later writes to the user's arrays do not change."""
    return value.copy("K") if isinstance(value, np.ndarray) else value


def differentiable_value(x: Any, what: str) -> Any:
    """Turn a differentiated leaf into a value, or raise the error that says why it cannot be."""
    value = to_value(x)
    if value is None:
        fail(
            InputTypeError,
            f"{what} is a {type(x).__name__}, which cannot be differentiated; pass floats or arrays.",
        )
    kind = value.dtype.kind
    if kind not in "fc":
        fix = "write 3.0 instead of 3" if shape_of(value) == () else "convert it with x.astype(float)"
        fail(
            InputTypeError,
            f"{what} has dtype {value.dtype}, but derivatives are taken with respect to real or complex floating-point "
            f"numbers; {fix}, or choose other arguments with argnums=.",
        )
    return value


class Inputs:
    """The differentiated arguments of one call."""

    def __init__(self, args: Sequence[Any], argnums: Argnums, name: str) -> None:
        self.args = args
        self.single = not isinstance(argnums, Sequence)
        numbers = list(argnums) if isinstance(argnums, Sequence) else [argnums]
        for n in numbers:
            if not -len(args) <= n < len(args):
                fail(
                    InputTypeError,
                    f"{name} was asked to differentiate argument {n}, but the function was called with {len(args)} "
                    "positional argument(s). Keyword arguments are not differentiated.",
                )
        self.argnums = [n % len(args) for n in numbers]
        chosen = args[self.argnums[0]] if self.single else tuple(args[n] for n in self.argnums)
        leaves, self.structure = containers.flatten(chosen)
        self.values = []
        for i, leaf in enumerate(leaves):
            value = to_value(leaf)
            if value is None or value.dtype.kind not in "fc":
                value = differentiable_value(leaf, f"the argument {self.path(chosen, i)} of {name}")
            self.values.append(private(value))

    def path(self, chosen: Any, i: int) -> str:
        """Name leaf `i` for an error message."""
        path = containers.leaf_paths(chosen)[i]
        if self.single:
            return f"{self.argnums[0]}{path}"
        return f"{path}"

    def replaced(self, values: Sequence[Any]) -> list[Any]:
        """Return all positional arguments, the differentiated ones with these values as fresh Arrays."""
        chosen = containers.unflatten(self.structure, [to_user(v) for v in values])
        args = list(self.args)
        if self.single:
            args[self.argnums[0]] = chosen
        else:
            for n, arg in zip(self.argnums, chosen, strict=True):
                args[n] = arg
        return args

    def rebuild(self, leaves: Sequence[Any]) -> Any:
        """Return leaves in the container structure of the differentiated arguments."""
        return containers.unflatten(self.structure, leaves)


class Outputs:
    """What the differentiated function returned; `level` is the transform that it ran in."""

    def __init__(self, result: Any, name: str, level: Level | None = None) -> None:
        leaves, self.structure = containers.flatten(result)
        self.values = []
        for leaf in leaves:
            value = to_value(leaf)
            if value is None:
                fail(
                    OutputError,
                    f"the function given to {name} returned a {type(leaf).__name__}; return numbers or arrays.",
                )
            if level is not None and isinstance(value, Value) and value.level.depth > level.depth:
                fail(
                    LeakedValueError,
                    f"the function given to {name} returned a Dual that it made itself, which ends with the function. "
                    "Return its .primal or its .tangent.",
                )
            self.values.append(value)
        if not leaves:
            fail(
                OutputError,
                f"the function given to {name} returned {result!r}. Does it lack a return statement?",
            )

    def rebuild(self, leaves: Sequence[Any]) -> Any:
        """Return leaves in the container structure of the result."""
        return containers.unflatten(self.structure, leaves)


def split_aux(result: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    """Separate (output, aux)."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        fail(OutputError, f"with has_aux=True the function given to {name} must return a pair (output, aux).")
    return result


def lowered(aux: Any, strip: Callable[[Any], Any]) -> Any:
    """Return auxiliary results with the values of a finished transform replaced by those one level down."""

    def lower(x: Any) -> Any:
        return to_user(private(strip(x.immutable_value))) if isinstance(x, Array) else private(strip(x))

    return containers.map_leaves(lower, aux)


def as_tuples(primals: Any, tangents: Any, name: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the arguments of `jvp` and its kin, which are tuples or lists."""
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        fail(ContainerMismatchError, f"{name} takes its primals and tangents as tuples: {name}(f, (x,), (v,)).")
    return tuple(primals), tuple(tangents)


def matching_values(structure: Any, tree: Any, like: Sequence[Any], what: str) -> list[Any]:
    """Return the leaves of tangents or cotangents, checked against the values that they belong to."""
    values = []
    for leaf, primal in zip(containers.leaves_like(structure, tree, what), like, strict=True):
        value = to_value(leaf)
        if value is None or shape_of(value) != shape_of(primal):
            got = type(leaf).__name__ if value is None else f"shape {shape_of(value)}"
            fail(
                ContainerMismatchError,
                f"{what} must have equal shapes; expected {shape_of(primal)}, got {got}.",
            )
        values.append(private(_cast_to(value, primal)))
    return values


def _cast_to(value: Any, primal: Any) -> Any:
    dtype = getattr(primal, "dtype", None)
    if value.dtype == dtype or dtype is None:
        return value
    return cast(value, dtype)
