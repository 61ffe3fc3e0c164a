"""Joining arrays along an existing axis (`concatenate`) or a new one (`stack`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import Linear, broadcast_to
from wengert.core.values import ArrayType, shape_of
from wengert.rules.indexing import index, slice_axis


def _concatenate(*xs: Any, axis: int) -> Any:
    return np.concatenate(xs, axis=axis)


def _concatenate_transpose(ct: Any, *xs: Any, axis: int, k: int) -> Any:
    start = sum(x.shape[axis] for x in xs[:k])
    return slice_axis(ct, axis, start, start + xs[k].shape[axis])


def as_batch(size: int, x: Any, b: bool) -> Any:
    """Repeat what is the same for all examples of a batch."""
    return x if b else broadcast_to(x, shape=(size, *shape_of(x)))


def _concatenate_batch(size: int, args: Sequence[Any], batched: Sequence[bool], *, axis: int) -> Any:
    return concatenate(*(as_batch(size, x, b) for x, b in zip(args, batched, strict=True)), axis=axis + 1)


concatenate = Linear(_concatenate, _concatenate_transpose, name="concatenate", batch=_concatenate_batch, variadic=True)


def _stack(*xs: Any, axis: int = 0) -> Any:
    return np.stack(xs, axis=axis)


def _stack_batch(size: int, args: Sequence[Any], batched: Sequence[bool], *, axis: int = 0) -> Any:
    return stack(*(as_batch(size, x, b) for x, b in zip(args, batched, strict=True)), axis=axis + 1)


def _stack_transpose(ct: Any, *xs: ArrayType, axis: int = 0, k: int) -> Any:
    return index(ct, spec=(slice(None),) * axis + (k,))


stack = Linear(_stack, _stack_transpose, name="stack", batch=_stack_batch, variadic=True)
