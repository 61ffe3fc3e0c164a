"""Permuting axes. Reshape, broadcast and cast, which the combinators need themselves, are in `core.combinators`.

Everything else of this kind (swapaxes, flip, roll, tile, split …) is ordinary code in `wengert.numpy`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.combinators import Linear
from wengert.core.values import shape_of


def _invert(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(a) for a in np.argsort(axes))


def _transpose(x: Any, *, axes: tuple[int, ...]) -> Any:
    return np.transpose(x, axes)


transpose = Linear(
    _transpose,
    lambda ct, x, *, axes: transpose(ct, axes=_invert(axes)),
    name="transpose",
    batch=lambda size, args, batched, *, axes: transpose(args[0], axes=(0, *(a + 1 for a in axes))),
)


def move_axis(x: Any, source: int, destination: int) -> Any:
    """Move one axis of a value; both numbers are non-negative."""
    order = [a for a in range(len(shape_of(x))) if a != source]
    order.insert(destination, source)
    return transpose(x, axes=tuple(order))
