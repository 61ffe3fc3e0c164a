"""What an elementwise operation keeps for its derivatives, and how its partials read it.

The residuals of an elementwise operation are a tuple (fix, out, x, y, …) with None for what no partial derivative
reads, cut off after the last item that one does. `fix` is None in the commonest case, that all types agree and are
real; otherwise it holds the types that tangents and cotangents have to be fitted to.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.values import ArrayType, dtype_of, shape_of, type_of

_float64 = np.float64
_ndarray = np.ndarray
_SLOTS = {"out": 1, "x": 2, "y": 3, "z": 4, "w": 5, "v": 6}

Partial = Callable[..., Any] | int | None


def derivative_arithmetic() -> np.errstate:
    """Partial derivatives may be infinite or NaN where the function is not; that is no reason to warn."""
    return np.errstate(divide="ignore", invalid="ignore", over="ignore")


def same_type(out: Any, x: Any) -> bool:
    """Whether two plain values are both float64 scalars, or real arrays of the same shape and dtype."""
    kind = type(out)
    if kind is not type(x):
        return False
    return kind is _float64 or (kind is _ndarray and out.dtype is x.dtype in _REAL and out.shape == x.shape)


_REAL = (np.dtype(np.float64), np.dtype(np.float32))


def type_mismatch(out: Any, args: Sequence[Any], traced: Sequence[bool]) -> tuple[ArrayType | None, ...] | None:
    """Types of the differentiated arguments and of the output; None if all agree and are real."""
    if type(out) is _float64:
        for x, t in zip(args, traced, strict=True):
            if t and type(x) is not _float64:
                break
        else:
            return None
    shape, dtype = shape_of(out), dtype_of(out)
    if dtype.kind != "c":
        for x, t in zip(args, traced, strict=True):
            if t and not (x.dtype is dtype and x.shape == shape):
                break
        else:
            return None
    return (*(type_of(x) if t else None for x, t in zip(args, traced, strict=True)), ArrayType(shape, dtype))


def slots_of(partial: Partial) -> tuple[int, ...]:
    if not callable(partial):
        return ()
    code = partial.__code__  # inspect.signature takes longer than all the rest of declaring a primitive
    return tuple(_SLOTS[name] for name in code.co_varnames[: code.co_argcount])


def on_slots(partial: Callable[..., Any], slots: tuple[int, ...]) -> Callable[[Any], Any]:
    if len(slots) == 1:
        (i,) = slots
        if partial.__code__.co_code == _IDENTITY_CODE:
            return operator.itemgetter(i)
        return lambda saved: partial(saved[i])
    if len(slots) == 2:
        i, j = slots
        return lambda saved: partial(saved[i], saved[j])
    return lambda saved: partial(*[saved[i] for i in slots])


_IDENTITY_CODE = (lambda x: x).__code__.co_code


def saver(mask: tuple[bool, ...], slots: list[tuple[int, ...]]) -> Callable[..., tuple[Any, ...]]:
    """Return a function of (fix, out, *args) that keeps what the partials in `mask` read."""
    keep = {i for s, traced in zip(slots, mask, strict=True) if traced for i in s}
    match len(mask), 1 in keep, 2 in keep, 3 in keep:
        case 1, False, False, _:
            return lambda fix, out, x: (fix,)
        case 1, True, False, _:
            return lambda fix, out, x: (fix, out)
        case 1, False, True, _:
            return lambda fix, out, x: (fix, None, x)
        case 2, False, False, False:
            return lambda fix, out, x, y: (fix,)
        case 2, False, True, False:
            return lambda fix, out, x, y: (fix, None, x)
        case 2, False, False, True:
            return lambda fix, out, x, y: (fix, None, None, y)
        case 2, False, True, True:
            return lambda fix, out, x, y: (fix, None, x, y)
    return lambda *values: tuple(v if i in keep or i == 0 else None for i, v in enumerate(values))


def masks(n: int) -> list[tuple[bool, ...]]:
    return [tuple(bool(i >> k & 1) for k in range(n)) for i in range(1 << n)]
