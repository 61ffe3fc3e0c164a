"""vmap: one operation on a whole batch of examples.

A `Batched` value holds an array whose first axis runs over the examples; the function under `vmap` sees the shape of
one example. Each primitive says how it acts on a batch (`Primitive.batch`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.values import Level, Value, dtype_of, representative, shape_of

_allocate = object.__new__


class Batched(Value):
    """A batch of values, one per example, with the batch axis first in `value`."""

    __slots__ = ("value",)
    value: Any

    @property
    def payload(self) -> Any:
        """The first example as plain NumPy, for its layout."""
        batch = representative(self.value)
        return batch[0, ...] if len(batch) else np.empty(self.shape, self.dtype)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The batch."""
        return (self.value,)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return shape_of(self.value)[1:]

    @property
    def dtype(self) -> Any:
        """Dtype of the batch."""
        return dtype_of(self.value)

    def __repr__(self) -> str:
        return f"Batched({self.value!r})"


class Batch(Level):
    """One vmap over `size` examples."""

    __slots__ = ("size",)
    kind = "vmap"

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Apply the primitive's batch rule."""
        if not self.active:
            self.leaked(primitive)
        batched = [type(x) is Batched and x.level is self for x in args]
        values = [x.value if b else x for x, b in zip(args, batched, strict=True)]
        out = primitive.batch(self.size, values, batched, params)
        if primitive.multiple:
            return tuple(self.make(o) for o in out)
        return self.make(out)

    def make(self, value: Any) -> Batched:
        """Wrap an array whose first axis is the batch."""
        new = _allocate(Batched)
        new.value = value
        new.level = self
        return new
