"""Order, extrema and search as NumPy defines them, for elements in registers: NaNs come last, equal elements stay.

The comparisons that the loops over lanes (`wengert.compiler.lanes`, `wengert.compiler.sorting`) are made of, and what
straight-line code does with few elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.lowering import Emitter, Register, is_lowerable_dtype
from wengert.core.program import Literal, Operation, Variable
from wengert.core.values import dtype_of
from wengert.rules import reductions

_I64 = ir.IntType(64)
SCANS = (reductions.cumsum, reductions.cumprod)
EXTREMA = (reductions.argmax, reductions.argmin)
ORDERS = (reductions.argsort, reductions.argpartition)
PRIMITIVES = (*SCANS, *EXTREMA, *ORDERS, reductions.searchsorted)
#: Longest lane that straight-line code sorts or searches in.
MOST_SORTED = 16
#: Most elements that it scans, or looks for an extremum in.
MOST_SCANNED = 128


def has_native_form(op: Operation) -> bool:
    """Whether an operation along an axis, on operands of these dtypes, has a native form at all."""
    if op.primitive not in PRIMITIVES or any(isinstance(a, Literal) and np.ndim(a.value) for a in op.inputs):
        return False
    out = op.outputs[0].type.dtype
    dtypes = [dtype_of(a.value) if isinstance(a, Literal) else a.type.dtype for a in op.inputs]
    if not isinstance(op.inputs[0], Variable) or not op.inputs[0].type.shape:
        return False
    if op.primitive is reductions.searchsorted:
        dtypes.append(common_dtype(op))
    return all(map(is_lowerable_dtype, (*dtypes, out))) and out.kind in "fiu"


def is_short(op: Operation) -> bool:
    """Whether straight-line code does an operation that has a native form."""
    shape = op.inputs[0].type.shape  # type: ignore[union-attr]
    if op.primitive in ORDERS:
        return shape[op.params["axis"]] <= MOST_SORTED
    if op.primitive is reductions.searchsorted:
        return len(shape) == 1 and shape[0] <= MOST_SORTED
    return math.prod(shape) <= MOST_SCANNED


def work(op: Operation) -> int:
    """Number of steps that an operation takes, beyond one for each element of the result; rough for long lanes."""
    shape = op.inputs[0].type.shape  # type: ignore[union-attr]
    if op.primitive in ORDERS:
        return 2 * math.prod(shape) * min(shape[op.params["axis"]], MOST_SORTED)
    if op.primitive is reductions.searchsorted:
        return (shape[-1] if is_short(op) else shape[-1].bit_length()) * math.prod(op.outputs[0].type.shape)
    return math.prod(shape)


def common_dtype(op: Operation) -> np.dtype[Any]:
    """The dtype in which `searchsorted` compares."""
    return np.result_type(*(np.asarray(a.value).dtype if isinstance(a, Literal) else a.type.dtype for a in op.inputs))


# Comparisons of two elements ------------------------------------------------------------------------------------------


def is_better(b: Any, dtype: np.dtype[Any], largest: bool, new: Register, old: Register) -> Register:
    """Whether an element replaces an earlier one as the extremum: NaN does, and is not replaced."""
    sign = ">" if largest else "<"
    if dtype.kind == "f":
        return b.and_(b.fcmp_unordered(sign, new, old), b.fcmp_ordered("ord", old, old))
    return (b.icmp_signed if dtype.kind == "i" else b.icmp_unsigned)(sign, new, old)


def is_before(b: Any, dtype: np.dtype[Any], side: str, a: Register, v: Register) -> Register:
    """Whether a sorted element is to the left of the place of `v`: a < v, or a ≤ v on the right side, NaNs last."""
    if dtype.kind == "f":
        if side == "left":
            return b.and_(b.fcmp_unordered("<", a, v), b.fcmp_ordered("ord", a, a))
        return b.or_(b.fcmp_ordered("<=", a, v), b.fcmp_unordered("uno", v, v))
    return (b.icmp_signed if dtype.kind == "i" else b.icmp_unsigned)("<" if side == "left" else "<=", a, v)


def sort_key(b: Any, x: Register, dtype: np.dtype[Any]) -> Register:
    """An unsigned integer that is ordered as the elements are: NaNs are the largest, zeros of both signs are equal."""
    if dtype.kind in "ub":
        return x
    bits = dtype.itemsize * 8
    type_ = ir.IntType(bits)
    top = ir.Constant(type_, 1 << (bits - 1))
    if dtype.kind == "i":
        return b.xor(x, top)
    word = b.bitcast(b.fadd(x, ir.Constant(x.type, 0.0)), type_)  # -0.0 + 0.0 is 0.0
    key = b.xor(word, b.or_(b.ashr(word, ir.Constant(type_, bits - 1)), top))  # a select may become a branch
    return b.select(b.fcmp_unordered("uno", x, x), ir.Constant(type_, (1 << bits) - 1), key)


def search(b: Any, n: int, before: Callable[[Register], Register]) -> Register:
    """How many of n sorted elements come before a place, in a register; `before` says it of one of them.

    The range that is left is halved a fixed number of times: no branch depends on the elements.
    """
    base: Any = ir.Constant(_I64, 0)
    while n > 1:
        half = n // 2
        middle = b.add(base, ir.Constant(_I64, half), flags=("nsw",))
        base = b.select(before(b.sub(middle, ir.Constant(_I64, 1), flags=("nsw",))), middle, base)
        n -= half
    return b.add(base, b.zext(before(base), _I64), flags=("nsw",)) if n else base


# Straight-line code ---------------------------------------------------------------------------------------------------


def straight_line(em: Emitter, op: Operation, x: Any, *others: Any) -> Any:
    """The elements of the result, given those of the operands: arrays of registers of the dtypes of the operands."""
    x_type = op.inputs[0].type  # type: ignore[union-attr]
    if op.primitive is reductions.searchsorted:
        return _searched(em, op, x.ravel(), others[0])
    axis = op.params["axis"] % len(x_type.shape)
    rows = np.moveaxis(x, axis, -1)
    lanes = rows.reshape((math.prod(rows.shape[:-1]), rows.shape[-1]))
    if op.primitive in SCANS:
        done = [_scanned(em, op, lane, x_type.dtype) for lane in lanes]
        return np.moveaxis(_boxed(done, rows.shape), -1, axis)
    if op.primitive in EXTREMA:
        largest = op.primitive is reductions.argmax
        return _boxed([_extremum(em, lane, x_type.dtype, largest) for lane in lanes], rows.shape[:-1])
    return np.moveaxis(_boxed([_order(em, lane, x_type.dtype) for lane in lanes], rows.shape), -1, axis)


def _boxed(lanes: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """Lanes, or one element for each, as an array of registers."""
    flat = [x for lane in lanes for x in (lane if isinstance(lane, list) else [lane])]
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(shape)


def _scanned(em: Emitter, op: Operation, lane: Sequence[Register], dtype: np.dtype[Any]) -> list[Register]:
    b, to = em.builder, op.outputs[0].type.dtype
    add, multiply = (b.fadd, b.fmul) if to.kind == "f" else (b.add, b.mul)
    combine = add if op.primitive is reductions.cumsum else multiply
    out: list[Register] = []
    for x in lane:
        element = em.convert(x, dtype, to)
        out.append(combine(out[-1], element) if out else element)
    return out


def _extremum(em: Emitter, lane: Sequence[Register], dtype: np.dtype[Any], largest: bool) -> Register:
    """A balanced tree, in which of equal elements the one on the left stays."""
    b = em.builder
    left = [(x, ir.Constant(_I64, i)) for i, x in enumerate(lane)]
    while len(left) > 1:
        pairs = []
        for (x, i), (y, j) in zip(left[::2], left[1::2], strict=False):
            found = is_better(b, dtype, largest, y, x)
            pairs.append((b.select(found, y, x), b.select(found, j, i)))
        left = pairs + left[len(left) - len(left) % 2 :]
    return left[0][1]


def _order(em: Emitter, lane: Sequence[Register], dtype: np.dtype[Any]) -> list[Register]:
    """Insertion, written out: only neighbours change places, so that equal elements do not."""
    b = em.builder
    keys = [sort_key(b, x, dtype) for x in lane]
    order: list[Any] = [ir.Constant(_I64, i) for i in range(len(lane))]
    for last in range(1, len(lane)):
        for i in range(last, 0, -1):
            turned = b.icmp_unsigned(">", keys[i - 1], keys[i])
            for row in (keys, order):
                row[i - 1], row[i] = b.select(turned, row[i], row[i - 1]), b.select(turned, row[i - 1], row[i])
    return order


def _searched(em: Emitter, op: Operation, elements: Sequence[Register], wanted: Any) -> Any:
    """Count the elements before the place of each one that is looked for."""
    b, dtype = em.builder, common_dtype(op)
    own, v_dtype = (np.asarray(a.value).dtype if isinstance(a, Literal) else a.type.dtype for a in op.inputs)
    sorted_ = [em.convert(x, own, dtype) for x in elements]
    places = []
    for v in wanted.ravel():
        converted = em.convert(v, v_dtype, dtype)
        place: Any = ir.Constant(_I64, 0)
        for a in sorted_:
            place = b.add(place, b.zext(is_before(b, dtype, op.params["side"], a, converted), _I64))
        places.append(place)
    return _boxed(places, op.outputs[0].type.shape)
