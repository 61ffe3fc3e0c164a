"""How elements lie in memory in NumPy: it decides which reshapes are views, and how results are laid out.

The values that handles hold need not have these strides, for gaps between elements have no meaning for them. But their
axes come in the same order, so that what is computed from them is laid out as it is in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core import combinators
from wengert.core.staging import Staged
from wengert.core.values import Value, representative, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.rules.structural import transpose


class Flags:
    """The flags of an array: as attributes (``x.flags.writeable``) and as items (``x.flags["WRITEABLE"]``)."""

    __slots__ = ("_flags", "owndata")
    owndata: bool

    def __init__(self, plain: Any, *, owndata: bool) -> None:
        object.__setattr__(self, "_flags", plain.flags)
        object.__setattr__(self, "owndata", owndata)

    def __getattr__(self, name: str) -> bool:
        return getattr(self._flags, name)

    def __getitem__(self, name: str) -> bool:
        return self.owndata if name in ("OWNDATA", "O") else self._flags[name]

    def __setattr__(self, name: str, value: Any) -> None:
        fail(
            UnsupportedOperationError, "the flags of a traced array cannot be set. Hand out copies to protect an array."
        )

    __setitem__ = __setattr__


def laid_out(shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...]) -> np.ndarray:
    """Return an uninitialised array with the given strides."""
    if 0 in shape:
        return np.empty(shape, dtype)
    ends = [stride * (n - 1) for stride, n in zip(strides, shape, strict=True)]
    first = -sum(e for e in ends if e < 0)
    size = first + sum(e for e in ends if e > 0) + dtype.itemsize
    return np.ndarray(shape, dtype, np.empty(size, np.uint8), first, strides)


def axis_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes from the outermost to the innermost in memory; those of length 1 at the end."""
    return tuple(sorted(range(len(shape)), key=lambda a: (shape[a] == 1, -abs(strides[a]))))


def arranged(value: Any, strides: tuple[int, ...]) -> Any:
    """Return the same elements, with their axes in memory in the order that the strides tell."""
    shape = shape_of(value)
    if len(shape) < 2 or 0 in shape or is_recorded(value):
        return value
    own = representative(value).strides
    order = axis_order(shape, strides)
    spread = any(s == 0 < n - 1 for s, n in zip(own, shape, strict=True))  # one element stands for many
    if own == strides or (axis_order(shape, own) == order and not spread):
        return value
    moved = transpose(value, axes=order)
    flat = combinators.reshape(moved, shape=(int(np.prod(shape)),))  # a copy in the order of the axes
    inverse = tuple(int(a) for a in np.argsort(order))
    return transpose(combinators.reshape(flat, shape=shape_of(moved)), axes=inverse)


def is_recorded(value: Any) -> bool:
    """Whether there is a program below that is being recorded, whose values have no layout."""
    while isinstance(value, Value):
        if isinstance(value, Staged):
            return True
        value = value.parts[0]
    return False
