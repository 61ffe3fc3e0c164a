"""Views: handles that know the handle they are a part of, and the steps that lead there.

A write to a view is carried through the steps back to the base. A view whose base has been written to since computes
its value anew when read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.array.handle import Array, wrap, wrap_array
from wengert.array.holder import has_batch
from wengert.array.layout import Flags, arranged, laid_out
from wengert.array.steps import (
    BroadcastStep,
    IndexStep,
    PartStep,
    PlaceStep,
    ReshapeStep,
    Step,
    StridedStep,
    TransposeStep,
    refuse_overlap,
)
from wengert.core import combinators
from wengert.core.values import Value, dtype_of, representative, shape_of
from wengert.rules.indexing import index, index_update, make_key

_allocate = object.__new__


class View(Array):
    """A handle on a part of another handle's array."""

    __slots__ = ("_base", "_seen", "_shapes", "_steps")
    _base: Array
    _steps: tuple[Step, ...]
    _shapes: tuple[tuple[int, ...], ...]  # of the array that each step is applied to
    _seen: int

    def _refresh(self) -> None:
        writes = self._base._writes
        version = 0 if writes is None else writes.version
        if self._seen != version:
            self._value = _follow(self._base, self._steps)
            self._seen = version

    @property
    def shape(self) -> tuple[int, ...]:
        """Tuple of axis lengths, which no write changes."""
        return shape_of(self._value)

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype."""
        return dtype_of(self._value)

    @property
    def is_mutable(self) -> bool:
        """True: only arrays have views."""
        return True

    def _locate(self, spec: tuple[Any, ...]) -> tuple[int, ...] | None:
        """Return where in the base the only element lies that a key of ints selects."""
        if not self._is_scalar_index(spec):
            return None
        for axis, (i, n) in enumerate(zip(spec, self.shape, strict=True)):
            if not -n <= i < n:
                raise IndexError(f"index {i} is out of bounds for axis {axis} with size {n}")
        position: Any = tuple(i % n for i, n in zip(spec, self.shape, strict=True))
        for step, shape in zip(reversed(self._steps), reversed(self._shapes), strict=True):
            position = None if position is None else step.locate(shape, position)
        return position

    @property
    def immutable_value(self) -> Any:
        """The current value, computed from the base where that was written to."""
        self._refresh()
        return self._value

    def _peek(self) -> Any:
        self._refresh()
        return self._value

    def _read(self, spec: tuple[Any, ...]) -> Any:
        position = self._locate(spec)
        return index(self._peek(), spec=spec) if position is None else self._base._read(position)

    def _write(self, value: Any, arrays: Sequence[Any], spec: tuple[Any, ...]) -> None:
        position = None if arrays else self._locate(spec)
        places = None if position is not None else self._places()
        if places is not None and not any(isinstance(a, Value) for a in arrays):
            self._write_at(*places, make_key(spec, arrays), value)
        elif position is None:
            self._write_through(index_update(self._peek(), value, *arrays, spec=spec, donate=False))
        else:
            self._base._write(value, (), position)

    def _replace(self, value: Any) -> None:
        self._require_mutable()
        self._write(value, (), (Ellipsis,)) if self._places() else self._write_through(value)

    def _places(self) -> tuple[Array, np.ndarray] | None:
        """Where elements lie that were strided at will: the array that was, and their numbers there in C order."""
        for depth in reversed(range(len(self._steps))):
            step = self._steps[depth]
            if isinstance(step, StridedStep):
                owner = _make_view(self._base, self._steps[:depth], self._shapes[:depth]) if depth else self._base
                places = step.places
                for later in self._steps[depth + 1 :]:
                    places = later.forward(places)
                return owner, places
            if isinstance(step, (PartStep, PlaceStep)):
                return None
        return None

    @staticmethod
    def _write_at(owner: Array, places: np.ndarray, key: tuple[Any, ...], value: Any) -> None:
        chosen = np.asarray(places[key])
        distinct = np.unique(np.arange(places.size).reshape(places.shape)[key])  # a key may name an element twice
        if np.unique(chosen).size < distinct.size:
            refuse_overlap()
        if owner.shape:
            owner[np.unravel_index(chosen, owner.shape)] = value
        elif chosen.size:
            owner[...] = value

    @property
    def is_writable(self) -> bool:
        """Whether no step leads to what NumPy makes read-only."""
        return all(step.writable for step in self._steps)

    def _require_mutable(self) -> None:
        if not self.is_writable:
            raise ValueError("assignment destination is read-only")

    def _write_through(self, part: Any) -> None:
        base = self._base
        values = [base._value]
        for step in self._steps[:-1]:
            values.append(step.forward(values[-1]))
        writes = base._writes
        owned = writes is not None and writes.owned
        for depth in range(len(self._steps) - 1, -1, -1):
            part = self._steps[depth].write(values[depth], part, owned and depth == 0)
        base._rebind(arranged(part, base._strides()), owned=isinstance(self._steps[0], (IndexStep, PlaceStep)))

    def _is_part(self, base: Array, spec: tuple[Any, ...], places: Sequence[Any]) -> bool:
        if self._base is not base or len(self._steps) != 1:
            return False
        (step,) = self._steps
        if not isinstance(step, PlaceStep) or step.spec != spec:
            return False
        return all(a is b for a, b in zip(step.places, places, strict=True))

    def _take_view(self, step: Step) -> Array:
        self._refresh()
        return _make_view(self._base, (*self._steps, step), (*self._shapes, self.shape))


def _take_view(self: Array, step: Step) -> Array:
    """Return the view of this array that `step` leads to; scalars have none."""
    if self.is_mutable:
        return _make_view(self, (step,), (self.shape,))
    if isinstance(step, BroadcastStep):  # an array, and read-only
        return _make_view(wrap_array(self.immutable_value), (step,), ((),))
    part = step.forward(self.immutable_value)
    is_index = isinstance(step, (IndexStep, PlaceStep))
    return wrap_array(part) if is_index and isinstance(part, Value) else wrap(part)


def _flags(self: Array) -> Flags:
    """How the elements lie in memory in NumPy, and whether they can be written to; not to be set."""
    return Flags(layout_of(self), owndata=not isinstance(self, View))


Array._take_view = _take_view
Array.strides = property(lambda self: layout_of(self).strides, doc="Distances of elements in bytes, as in NumPy.")
Array.flags = property(_flags)
Array.base = property(lambda self: self._base if isinstance(self, View) else None, doc="The array that a view shows.")


def _follow(base: Array, steps: tuple[Step, ...]) -> Any:
    """Compute the value of a view, deciding between copying a small part and sharing the buffer of the base."""
    value = base._value
    writes = base._writes
    copy = False
    if writes is not None and writes.owned:
        copy = isinstance(steps[0], IndexStep) and _is_small_part(value, steps[0].spec)
        if not copy:
            writes.owned = False
    value = steps[0].forward(value, copy)
    for step in steps[1:]:
        value = step.forward(value)
    return value


def _is_small_part(value: Any, spec: tuple[Any, ...]) -> bool:
    """Whether copying x[spec] is cheap compared to copying x; then the reader gets a copy and x keeps its buffer."""
    shape = shape_of(value)
    part = np.broadcast_to(False, shape)[spec]
    return part.size * 4 <= int(np.prod(shape)) or part.size <= 64


def _make_view(base: Array, steps: tuple[Step, ...], shapes: tuple[tuple[int, ...], ...]) -> Array:
    value = _follow(base, steps)
    view = _allocate(View)
    view._value = value
    view._writes = None
    view._base = base
    view._steps = steps
    view._shapes = shapes
    writes = base._writes
    view._seen = 0 if writes is None else writes.version
    return view


def layout_of(x: Array) -> Any:
    """Return a plain array with the memory layout that x has in NumPy: the base's, seen through the steps of a view."""
    base, steps = (x._base, x._steps) if isinstance(x, View) else (x, ())
    value, writes = base._peek(), base._writes
    plain = representative(value)
    if not isinstance(plain, np.ndarray):
        if not steps and not x.is_mutable:
            return plain
        plain = np.asarray(plain)
    if writes is not None and writes.strides is not None:
        plain = laid_out(plain.shape, plain.dtype, writes.strides)
    elif not plain.flags.forc:
        plain = np.empty_like(plain)  # as NumPy's new arrays are, without gaps
    if has_batch(value):
        plain = np.empty_like(plain)  # in a batch the example itself may lie scattered
    for step in steps:
        plain = step.lay_out(plain) if isinstance(step, StridedStep) else step.forward(plain)
    return plain


def take_reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """Reshape an Array: a view exactly where NumPy returns one, else a copy."""
    plain = layout_of(x)
    if isinstance(plain, np.ndarray) and (not plain.size or np.may_share_memory(plain, plain.reshape(shape))):
        return x._take_view(ReshapeStep(shape))
    value = combinators.reshape(x.immutable_value, shape=shape)
    if isinstance(value, Value) and (shape or x.is_mutable):
        return wrap_array(value, np.empty(shape, dtype_of(value)).strides)
    return wrap(value)


def take_transpose(x: Array, axes: tuple[int, ...]) -> Array:
    """Transposed view of an Array."""
    return x._take_view(TransposeStep(axes))


def take_broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    """Read-only broadcast view of an Array."""
    return x._take_view(BroadcastStep(shape))


def take_view(x: Array, step: Step) -> Array:
    """View of an Array that a step leads to."""
    return x._take_view(step)


def take_strided(x: Array, shape: tuple[int, ...], strides: tuple[int, ...], writable: bool) -> Array | None:
    """View of any elements, by their distances in bytes, of the array that x is a view of; None if some are outside.

    To find out which elements those are, their numbers are laid out as they are themselves.
    """
    owner, steps, width = x, (), x.itemsize
    if isinstance(x, View):
        writable = writable and x.is_writable
        if not any(isinstance(step, (PartStep, PlaceStep)) for step in x._steps):
            owner, steps = x._base, x._steps
    places = np.zeros(shape, np.intp)
    if places.size:
        item = np.dtype(np.intp).itemsize
        own = layout_of(owner).strides
        if not owner.size or any(s % width for s in (*own, *strides)):
            return None
        numbers = laid_out(owner.shape, np.dtype(np.intp), tuple(s // width * item for s in own))
        memory = numbers.base.view(np.intp)  # type: ignore[union-attr]
        memory[...] = -1
        numbers[...] = np.arange(owner.size).reshape(owner.shape)
        for step in steps:
            if isinstance(step, StridedStep):
                numbers = _strided_numbers(step, numbers, memory, width)
            else:
                numbers = step.forward(numbers)
        places += (numbers.ctypes.data - memory.ctypes.data) // item
        for axis, (n, step) in enumerate(zip(shape, strides, strict=True)):
            places += (np.arange(n) * (step // width)).reshape((n,) + (1,) * (len(shape) - axis - 1))
        if places.min() < 0 or places.max() >= memory.size:
            return None
        places = np.asarray(memory[places])
        if places.min() < 0:
            return None
    return owner._take_view(StridedStep(places, strides, writable))


def _strided_numbers(step: StridedStep, numbers: np.ndarray, memory: np.ndarray, width: int) -> np.ndarray:
    """What a strided view shows of numbers that lie in a piece of memory: a view of it, too."""
    item = memory.itemsize
    first = np.unravel_index(step.places.flat[0], numbers.shape) if step.places.size else ()
    address = numbers.ctypes.data + sum(int(i) * s for i, s in zip(first, numbers.strides, strict=False))
    start = memory[(address - memory.ctypes.data) // item :]
    return np.lib.stride_tricks.as_strided(start, step.places.shape, tuple(s // width * item for s in step.strides))
