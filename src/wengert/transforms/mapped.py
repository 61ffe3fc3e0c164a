"""A recorded `vmap` of a small function: one operation that holds the program of one example.

Where a function under vmap computes with a handful of numbers per example, the compiler does better with a loop over
the examples, whose body is the whole program in registers, than with a chain of operations on batched arrays. So while
a program is being recorded, vmap of a small function records `map_program` (see `wengert.derivatives.vectorize`). In
every other transform, and in the interpreter, it is what vmap always is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import broadcast_to
from wengert.core.primitive import Primitive
from wengert.core.program import Program
from wengert.core.staging import Staged
from wengert.core.values import ArrayType, Value, shape_of
from wengert.transforms.batch import Batch, Batched

#: Programs with more elements per example than this are not mapped as one operation.
MAX_ELEMENTS = 4000


def evaluate_mapped(args: Sequence[Any], program: Program, batched: Sequence[bool], size: int) -> tuple[Any, ...]:
    """Evaluate the program on a batch, operation by operation."""
    with Batch(size) as level:
        outs = program.evaluate(*(level.make(x) if b else x for x, b in zip(args, batched, strict=True)))
        return tuple(_collected(o, level) for o in outs)


def _collected(value: Any, level: Batch) -> Any:
    if type(value) is Batched and value.level is level:
        return value.value
    full = broadcast_to(value, shape=(level.size, *shape_of(value)))
    return full.copy() if isinstance(full, np.ndarray) else full


class MapProgram(Primitive):
    """The program of one example, applied to the first axis of the arguments that are flagged as batched."""

    multiple = True

    def __init__(self) -> None:
        super().__init__(lambda *args, **params: evaluate_mapped(args, **params), name="map_program")

    def bind(self, *args: Any, **params: Any) -> Any:
        """Record the whole, or evaluate operation by operation."""
        deepest = max((a for a in args if isinstance(a, Value)), key=lambda a: a.level.depth, default=None)
        if isinstance(deepest, Staged):
            return deepest.level.process(self, args, params)
        return evaluate_mapped(args, **params)

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Types of the program's outputs, with the batch axis."""
        types = [_atom_type(a) for a in params["program"].outputs]
        return tuple(ArrayType((params["size"], *t.shape), t.dtype) for t in types)


def _atom_type(atom: Any) -> ArrayType:
    if hasattr(atom, "type"):
        return atom.type
    value = np.asarray(atom.value)
    return ArrayType(value.shape, value.dtype)


map_program = MapProgram()


def is_small(program: Program) -> bool:
    """Whether a program is worth mapping as one operation."""
    return 0 < count_elements(program) <= MAX_ELEMENTS and len(program.operations) > 1


def count_elements(program: Program) -> int:
    """Number of elements that a program computes, those of maps inside it included."""
    total = 0
    for op in program.operations:
        if op.primitive is map_program:
            total += op.params["size"] * count_elements(op.params["program"])
        total += sum(math.prod(v.type.shape) for v in op.outputs)
    return total
