"""State in containers, as flat values: what loops and branches share."""

from __future__ import annotations

import functools
import gc
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from wengert.array import Array, watched_writes, wrap_owned
from wengert.core import containers
from wengert.core.combinators import astype
from wengert.core.staging import record
from wengert.core.values import ArrayType, dtype_of, is_transforming, shape_of, type_of
from wengert.derivatives.calls import to_user, to_value
from wengert.errors import ContainerMismatchError, ImpureFunctionError, InputTypeError, fail
from wengert.transforms.loop_calls import split


def numeric(x: Any, what: str) -> Any:
    """Value of a leaf."""
    value = to_value(x)
    if value is None:
        fail(InputTypeError, f"{what} is a {type(x).__name__}; loops and branches work on numbers and arrays.")
    return value


def for_body(value: Any) -> Any:
    """What the body of an eager loop gets for a value: something of its own that it may write to."""
    return made_here(value.copy() if isinstance(value, np.ndarray) else value)


def made_here(value: Any) -> Any:
    """What the user gets for a value that nobody else has: under a transform, something that holds traced ones too."""
    return wrap_owned(value) if isinstance(value, np.ndarray) and is_transforming() else to_user(value)


def separate(leaves: Sequence[Any], given: Sequence[Any]) -> list[Any]:
    """Copy what may share memory with anything else: all arrays but those in `given`, each of which is kept once."""
    own = {id(x) for x in given}
    result = []
    for x in leaves:
        if isinstance(x, (Array, np.ndarray)):
            if id(x) not in own:
                x = for_body(to_value(x))
            own.discard(id(x))
        result.append(x)
    return result


def call_case(function: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """Call a function that may write to its operands and return any array; it shares none with the caller."""
    leaves, structure = containers.flatten(tuple(operands))
    given = separate(leaves, ())
    outs, out_structure = containers.flatten(function(*containers.unflatten(structure, given)))
    return containers.unflatten(out_structure, separate(outs, given))


def predicate(x: Any) -> Any:
    """Value of a condition."""
    value = to_value(x)
    if value is None or shape_of(value) != () or dtype_of(value).kind != "b":
        what = type(x).__name__ if value is None else f"array of shape {shape_of(value)} and dtype {dtype_of(value)}"
        fail(InputTypeError, f"the condition of a loop or branch must be one boolean, and is a {what}.")
    return value


def recorded_once(function: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Refuse what a user's function, which runs once while it is recorded, writes to arrays that are not its own.

    `function` takes and returns flat values, so that all arrays that it makes or gets end with it: an array that it has
    written to and that is still referred to afterwards is one from outside.
    """

    @functools.wraps(function)
    def wrapped(*values: Any) -> list[Any]:
        with watched_writes() as written:
            result = function(*values)
        arrays = list({id(x): x for x in written}.values())
        written.clear()
        while arrays:
            if _has_other_references(arrays):
                gc.collect()  # functions that call themselves keep what they refer to until then
            if _has_other_references(arrays):
                fail(
                    ImpureFunctionError,
                    "a function given to a loop or branch wrote to an array from outside. It is recorded once, so the "
                    "write would happen once, however often the function is to run. Make the array a part of the state "
                    "(or an operand of the branch), and return it.",
                )
            arrays.pop()
        return result

    return wrapped


def _has_other_references(arrays: list[Any]) -> bool:
    """Whether anything else refers to the last array of a list."""
    return sys.getrefcount(arrays[-1]) > 2  # the list, and the argument of getrefcount


class State:
    """State in a container: its structure, and names for its leaves in error messages."""

    def __init__(self, tree: Any, what: str) -> None:
        self.what = what
        self.leaves, self.structure = containers.flatten(tree)
        self.paths = containers.leaf_paths(tree)
        self.values = [numeric(x, f"{what}{p}") for x, p in zip(self.leaves, self.paths, strict=True)]
        self.weak = [type(x) in (bool, int, float, complex) for x in self.leaves]

    def build(self, values: Sequence[Any]) -> Any:
        """The container with these values."""
        return containers.unflatten(self.structure, [to_user(v) for v in values])

    def flatten(self, tree: Any, who: str) -> list[Any]:
        """Values of a new state, which must have the structure and the shapes of the old one."""
        leaves = containers.leaves_like(self.structure, tree, f"{self.what} that {who} returns")
        values = [numeric(x, f"{self.what}{p} that {who} returns") for x, p in zip(leaves, self.paths, strict=True)]
        self._check_shapes(values, who)
        return values

    def following(self, tree: Any, before: Any, who: str) -> Any:
        """The new state of an eager loop, whose arrays are nobody else's; `before` is the one that the body got."""
        leaves = containers.leaves_like(self.structure, tree, f"{self.what} that {who} returns")
        leaves = separate(leaves, containers.flatten(before)[0])
        self._check_shapes(
            [
                x if isinstance(x, (Array, np.ndarray)) else numeric(x, f"{self.what}{p} that {who} returns")
                for x, p in zip(leaves, self.paths, strict=True)
            ],
            who,
        )
        return containers.unflatten(self.structure, leaves)

    def _check_shapes(self, values: Sequence[Any], who: str) -> None:
        for old, new, path in zip(self.values, values, self.paths, strict=True):
            if shape_of(old) != shape_of(new):
                fail(
                    ContainerMismatchError,
                    f"{self.what}{path} has shape {shape_of(old)}, and {who} returned shape {shape_of(new)} for it. "
                    "The state of a loop keeps its shape; begin with an array of the full shape, and write into it.",
                )

    def for_body(self) -> Any:
        """The container for the body of an eager loop, which may write to its arrays; Python numbers stay such."""
        rows = zip(self.leaves, self.values, self.weak, strict=True)
        return containers.unflatten(self.structure, [x if w else for_body(v) for x, v, w in rows])

    def strong(
        self,
        probe: Callable[..., list[Any]],
        before: Sequence[ArrayType] = (),
        after: Sequence[ArrayType] = (),
    ) -> list[Any]:
        """Initial values, in which Python numbers have the dtypes that the arrays they meet in the body give them.

        `probe` is the body as a function of a container with the Python numbers themselves, recorded between values of
        other types.
        """
        if not any(self.weak):
            return self.values
        types = [type_of(x) for x, w in zip(self.values, self.weak, strict=True) if not w]
        found: list[Any] = []

        @recorded_once
        def function(*values: Any) -> list[Any]:
            first, middle, last = split(values, [len(before), len(types), len(after)])
            arrays = iter(middle)
            mixed = [x if w else to_user(next(arrays)) for x, w in zip(self.leaves, self.weak, strict=True)]
            found[:] = probe(*first, containers.unflatten(self.structure, mixed), *last)
            return []

        record(function, [*before, *types, *after], self.what)
        rows = zip(found, self.values, self.leaves, self.weak, strict=True)
        return cast_all(
            self.values, [np.result_type(new.dtype, leaf) if weak else old.dtype for new, old, leaf, weak in rows]
        )


class Room(NamedTuple):
    """How many snapshots of its state a loop may keep: a number of them, or of bytes."""

    slots: int | None
    memory: int | None


def slots_of(room: Room | None, values: Sequence[Any]) -> int | None:
    """The number of snapshots of these values; None for no limit."""
    if room is None or room.slots is not None:
        return None if room is None else room.slots
    assert room.memory is not None
    size = 8 + sum(math.prod(shape_of(x)) * x.dtype.itemsize for x in values)
    return max(1, room.memory // size)


class DtypeChanged(Exception):
    """A recorded body returns wider dtypes than it was given; `dtypes` are those to begin with instead."""

    def __init__(self, dtypes: list[np.dtype[Any]]) -> None:
        super().__init__()
        self.dtypes = dtypes


def settled(values: Sequence[Any], attempt: Callable[[list[Any]], Any]) -> Any:
    """Call ``attempt(initial values)``, with wider dtypes until an iteration returns what it was given."""
    values = list(values)
    while True:
        try:
            return attempt(values)
        except DtypeChanged as change:
            values = cast_all(values, change.dtypes)


def cast_all(values: Sequence[Any], dtypes: Sequence[np.dtype[Any]]) -> list[Any]:
    """Convert values to dtypes."""
    return [x if x.dtype == d else astype(x, dtype=d) for x, d in zip(values, dtypes, strict=True)]


def unchanged_dtypes(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    """Cast new state to the dtypes of the old one; raise `DtypeChanged` where that would lose something."""
    wider = [np.result_type(a.dtype, b.dtype) for a, b in zip(old, new, strict=True)]
    if any(w != a.dtype for w, a in zip(wider, old, strict=True)):
        raise DtypeChanged(wider)
    return cast_all(new, wider)
