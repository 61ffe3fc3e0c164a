"""Reverse mode: the Wengert list.

A `Tape` is a flat list with one entry per operation in execution order, so its reverse is a topological order::

    slot   entry (primitive number, parents' slots, saved values, parameters as items or None)
    0      None                                       an input
    1      None                                       an input
    2      (multiply, (0, 1), (…, x₀, x₁), None)      v₂ = x₀ · x₁
    3      (sin,      (2,),   (…, v₂),     None)      v₃ = sin v₂

An operation with several outputs has its entry in its first slot and None in the slots of the others. Entries hold
numbers, arrays and tuples of such only: no closures, no dicts and nothing else that the garbage collector would have to
visit again and again, so the cost per operation does not grow with the length of the list. Partial derivatives are
evaluated in the sweep, by the `pull` of each primitive.

`Sweep` walks the list backwards with cotangents (adjoints); `push_forward` walks it forwards with tangents. Both are
written with differentiable operations, so sweeps nest in any transform.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import NonDifferentiable
from wengert.core.primitive import PRIMITIVES, Primitive, is_inexact
from wengert.core.residuals import derivative_arithmetic, same_type, type_mismatch
from wengert.core.values import ArrayType, Level, Value, zeros_of

_ndarray = np.ndarray
_float64 = np.float64
_allocate = object.__new__
_ONE, _BOTH, _FIRST, _SECOND = (True,), (True, True), (True, False), (False, True)
_NO_PARAMS: dict[str, Any] = {}
# Constants up to this size are copied when the list keeps them; larger ones are copied once and compared later.
_SNAPSHOT_BYTES = 1 << 14


class Taped(Value):
    """A value whose computation is being recorded: `value`, and the `slot` of the tape that computed it."""

    __slots__ = ("slot", "value")
    value: Any
    slot: int

    @property
    def payload(self) -> Any:
        """The recorded value."""
        return self.value

    @property
    def parts(self) -> tuple[Any, ...]:
        """The values that this one is made of."""
        return (self.value,)

    def __repr__(self) -> str:
        return f"Taped({self.value!r}, slot {self.slot})"


class Tape(Level):
    """A Wengert list, and the reverse-mode transform that records it."""

    __slots__ = ("entries", "snapshots")
    kind = "reverse-mode"

    def __init__(self, depth: int | None = None) -> None:
        super().__init__(depth)
        self.entries: list[Any] = []
        self.snapshots: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @contextlib.contextmanager
    def reopened(self) -> Iterator[None]:
        """Let a finished tape record once more, for a checkpoint."""
        was_active = self.active
        self.active = True
        self.__enter__()
        try:
            yield
        finally:
            self.__exit__(None, None, None)
            self.active = was_active

    def input(self, value: Any) -> Taped:
        """Add an input to the list: a slot without an entry. Nobody else may write to `value` afterwards."""
        taped = _allocate(Taped)
        taped.value = value
        taped.slot = len(self.entries)
        taped.level = self
        self.entries.append(None)
        return taped

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Compute the operation on the values one level down and record it."""
        if not self.active:
            self.leaked(primitive)
        values: list[Any] = []
        parents: list[int] = []
        constants = False
        for x in args:
            if type(x) is Taped and x.level is self:
                values.append(x.value)
                parents.append(x.slot)
            else:
                values.append(x)
                parents.append(-1)
                if type(x) is _ndarray:
                    constants = True
        if isinstance(primitive, NonDifferentiable):
            return primitive.bind(*values, **params)
        out, saved = primitive.run(values, [p >= 0 for p in parents], params)
        if constants:
            saved = self.protect(saved, [v for v, p in zip(values, parents, strict=True) if p < 0])
        if primitive.multiple:
            return self.record_multiple(primitive, parents, saved, params, out)
        if not is_inexact(out):
            return out
        taped = _allocate(Taped)
        taped.value = out
        taped.level = self
        entries = self.entries
        taped.slot = len(entries)
        entries.append((primitive.number, tuple(parents), saved, tuple(params.items()) or None))
        return taped

    def process_unary(self, primitive: Any, x: Taped) -> Any:
        """`process` for the commonest case, at a third of the cost."""
        if not self.active:
            self.leaked(primitive)
        v = x.value
        out = primitive.bind(v) if isinstance(v, Value) else primitive.fun(v)
        fix = None if type(out) is _float64 is type(v) or same_type(out, v) else type_mismatch(out, (v,), _ONE)
        taped = _allocate(Taped)
        taped.value = out
        taped.level = self
        entries = self.entries
        taped.slot = len(entries)
        entries.append((primitive.number, (x.slot,), primitive.savers[_ONE](fix, out, v), None))
        return taped

    def process_binary(self, primitive: Any, x: Any, y: Any) -> Any:
        """`process` for the second commonest case."""
        if not self.active:
            self.leaked(primitive)
        if type(x) is Taped and x.level is self:
            v = x.value
            if type(y) is Taped and y.level is self:
                w, parents, traced = y.value, (x.slot, y.slot), _BOTH
            else:
                w, parents, traced = y, (x.slot, -1), _FIRST
        else:
            v, w, parents, traced = x, y.value, (-1, y.slot), _SECOND
        out = primitive.bind(v, w) if isinstance(v, Value) or isinstance(w, Value) else primitive.fun(v, w)
        if (traced is _SECOND or same_type(out, v)) and (traced is _FIRST or same_type(out, w)):
            fix = None
        else:
            fix = type_mismatch(out, (v, w), traced)
        saved = primitive.savers[traced](fix, out, v, w)
        if traced is _FIRST and type(w) is _ndarray:
            saved = self.protect(saved, [w])
        elif traced is _SECOND and type(v) is _ndarray:
            saved = self.protect(saved, [v])
        taped = _allocate(Taped)
        taped.value = out
        taped.level = self
        entries = self.entries
        taped.slot = len(entries)
        entries.append((primitive.number, parents, saved, None))
        return taped

    def record_multiple(
        self,
        primitive: Primitive,
        parents: Sequence[int],
        saved: Any,
        params: dict[str, Any],
        outs: Sequence[Any],
    ) -> tuple[Any, ...]:
        """Record an operation with several outputs: one slot each, the entry in the first."""
        first = len(self.entries)
        taped = [self.input(out) for out in outs]
        if taped:
            self.entries[first] = (primitive.number, tuple(parents), saved, tuple(params.items()) or None)
        return tuple(t if is_inexact(t.value) else t.value for t in taped)

    def protect(self, saved: Any, constants: list[Any]) -> Any:
        """Replace plain arrays of the user among the saved values by snapshots that nobody else can write to."""
        return tuple(self.snapshot(s) if type(s) is _ndarray and any(s is c for c in constants) else s for s in saved)

    def snapshot(self, x: np.ndarray) -> np.ndarray:
        """Return a private copy of `x`; equal contents of the same large array share one copy."""
        if x.nbytes <= _SNAPSHOT_BYTES:
            return x.copy()
        found = self.snapshots.get(id(x))
        if found is not None and found[0] is x and x.shape == found[1].shape and _same(x, found[1]):
            return found[1]
        copy = x.copy()
        self.snapshots[id(x)] = (x, copy)
        return copy

    def sweep(self) -> Sweep:
        """Return the beginning of a walk backwards."""
        return Sweep(self)

    def slot_of(self, x: Any) -> int:
        """Slot of a value of this level, -1 for a constant."""
        return x.slot if type(x) is Taped and x.level is self else -1

    def value_of(self, x: Any) -> Any:
        """Value one level down."""
        return x.value if type(x) is Taped and x.level is self else x


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    """Equality of contents; bit by bit for real floats, so that NaN equals itself and -0.0 differs from 0.0."""
    if x.dtype.kind == "f" and x.dtype.itemsize in (2, 4, 8):
        bits = f"u{x.dtype.itemsize}"
        return bool(np.array_equal(x.view(bits), y.view(bits)))
    return bool(np.array_equal(x, y))


class Sweep:
    """One walk backwards over a tape: the cotangent of each slot, and whether its buffer belongs to the sweep."""

    __slots__ = ("cotangents", "owned", "strict", "tape")

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.strict = False  # whether a zero cotangent wins over an infinite partial in every operation
        n = len(tape.entries)
        self.cotangents: list[Any] = [None] * n
        self.owned = bytearray(n)

    def add(self, slot: int, ct: Any, fresh: bool) -> None:
        """Add `ct` to the cotangent of `slot`; `fresh` says that nothing else refers to the array `ct`."""
        cotangents = self.cotangents
        present = cotangents[slot]
        if present is None:
            cotangents[slot] = ct
            self.owned[slot] = fresh
        elif self.owned[slot] and type(present) is _ndarray and type(ct) is _ndarray:
            np.add(present, ct, out=present)
        else:
            total = present + ct
            cotangents[slot] = total
            # The sum of two values may contain parts of either (a tangent, where the other one has none).
            self.owned[slot] = type(total) is _ndarray or (fresh and self.owned[slot])

    def into(
        self,
        slot: int,
        type_: ArrayType,
        accumulate: Callable[..., Any],
        ct: Any,
        args: Sequence[Any],
        params: dict[str, Any],
    ) -> None:
        """Let `accumulate` add into the buffer of `slot`, allocating or copying it first where that is needed."""
        buffer = self.cotangents[slot]
        owned = bool(self.owned[slot])
        if buffer is None:
            buffer, owned = np.zeros(type_.shape, type_.dtype), True
        self.cotangents[slot] = accumulate(buffer, ct, *args, donate=owned, **params)
        self.owned[slot] = True

    def run(self, first: int, last: int) -> None:
        """Pull cotangents back through the entries of slots `first` to `last` - 1, last first."""
        entries, cotangents, owned = self.tape.entries, self.cotangents, self.owned
        for slot in range(last - 1, first - 1, -1):
            entry = entries[slot]
            if entry is None:
                continue
            number, parents, saved, items = entry
            primitive = PRIMITIVES[number]
            params = _NO_PARAMS if items is None else dict(items)
            if primitive.multiple:
                primitive.pull_at(self, slot, parents, saved, params)
                continue
            ct = cotangents[slot]
            if ct is not None:
                cotangents[slot] = None
                primitive.pull(self, ct, bool(owned[slot]), parents, saved, params)


class _Made(threading.local):
    """The class of tape that this thread makes: `wengert.transforms.inspect` replaces it by one that checks."""

    tape: type[Tape] = Tape


made = _Made()


def new_tape() -> Tape:
    """Return an empty Wengert list."""
    return made.tape()


def pull_back(tape: Tape, outputs: Sequence[int], cotangents: Sequence[Any], inputs: Sequence[Taped]) -> list[Any]:
    """Return the cotangents of `inputs` given those of the output slots (slot -1 and cotangent None are skipped)."""
    with derivative_arithmetic():
        sweep = _swept(tape, outputs, cotangents, strict=False)
        if any(_has_nan(sweep.cotangents[x.slot]) for x in inputs):
            # Perhaps a product of a zero cotangent and an infinite factor: walk again, with zeros that win everywhere.
            sweep = _swept(tape, outputs, cotangents, strict=True)
    return [_result(sweep, x) for x in inputs]


def _swept(tape: Tape, outputs: Sequence[int], cotangents: Sequence[Any], *, strict: bool) -> Sweep:
    sweep = tape.sweep()
    sweep.strict = strict
    for slot, ct in zip(outputs, cotangents, strict=True):
        if slot >= 0 and ct is not None:
            sweep.add(slot, ct, False)
    sweep.run(0, len(tape.entries))
    return sweep


def _has_nan(x: Any) -> bool:
    """Whether there is a NaN in a value or in one of the values inside it."""
    if isinstance(x, (_ndarray, np.generic)):
        return x.dtype.kind in "fc" and bool(np.isnan(np.sum(x)))
    return isinstance(x, Value) and any(map(_has_nan, x.parts))


def _result(sweep: Sweep, x: Taped) -> Any:
    """The cotangent of an input, as an array that nobody else refers to."""
    ct = sweep.cotangents[x.slot]
    if ct is None:
        return zeros_of(x.value)
    if type(ct) is _ndarray:
        if ct.ndim == 0 and type(x.value) is not _ndarray:
            return ct[()]  # a scalar has a scalar for its gradient
        if not sweep.owned[x.slot]:
            return ct.copy()
    return ct


def push_forward(tape: Tape, inputs: Sequence[Taped], tangents: Sequence[Any], outputs: Sequence[int]) -> list[Any]:
    """Return the tangents of the output slots (None for slot -1 and for zero) given those of `inputs`."""
    dots: list[Any] = [None] * len(tape.entries)
    for x, t in zip(inputs, tangents, strict=True):
        dots[x.slot] = t
    with derivative_arithmetic():
        push_range(tape, dots, 0, len(tape.entries))
    return [dots[s] if s >= 0 else None for s in outputs]


def push_range(tape: Tape, dots: list[Any], first: int, last: int) -> None:
    """Push tangents forward through the entries of slots `first` to `last` - 1."""
    for slot in range(first, last):
        entry = tape.entries[slot]
        if entry is not None:
            number, parents, saved, items = entry
            PRIMITIVES[number].push_at(tape, dots, slot, parents, saved, dict(items or ()))
