"""`Holder`: what `Array` adds indexing, views and arithmetic to.

A holder keeps an immutable value and remembers what its writes have to know. It tells the shape and dtype, and it turns
its value into plain numbers, arrays and text, or says why it cannot.
"""

from __future__ import annotations

import contextlib
import operator
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from wengert.array.layout import is_recorded
from wengert.core.staging import Staged
from wengert.core.values import Value, dtype_of, representative, shape_of
from wengert.errors import ConcretizationError, fail
from wengert.transforms.batch import Batched


class _Watch(threading.local):
    """The arrays that are written to in this thread, while somebody wants to know."""

    written: list[Any] | None = None


_watch = _Watch()


@contextlib.contextmanager
def watched_writes() -> Iterator[list[Any]]:
    """Give a list to which every array that is written to is added."""
    around, written = _watch.written, []
    _watch.written = written
    try:
        yield written
    finally:
        _watch.written = around


class Writes:
    """What a handle that has been written to remembers."""

    __slots__ = ("owned", "strides", "version")

    def __init__(self, version: int, owned: bool) -> None:
        self.version = version
        self.owned = owned
        self.strides: tuple[int, ...] | None = None  # of the array before the first write: NumPy's never change


class Holder:
    """A handle on an immutable value, which a write replaces."""

    __slots__ = ("__weakref__", "_value", "_writes")
    _value: Any
    _writes: Writes | None

    # The value -------------------------------------------------------------------------------------------------------

    @property
    def immutable_value(self) -> Any:
        """The current value. Whoever asks may keep it, so the handle stops owning its buffer."""
        writes = self._writes
        if writes is not None:
            writes.owned = False
        return self._value

    def _peek(self) -> Any:
        """The current value, for a look that keeps nothing."""
        return self._value

    def _rebind(self, value: Any, *, owned: bool) -> None:
        """Let the handle stand for another value."""
        writes = self._writes
        if writes is None:
            writes = self._writes = Writes(0, owned)
        if writes.strides is None:
            writes.strides = representative(self._value).strides
        self._value = value
        writes.version += 1
        writes.owned = owned
        if _watch.written is not None:
            _watch.written.append(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Tuple of axis lengths."""
        return shape_of(self._peek())

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype."""
        return dtype_of(self._peek())

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def is_mutable(self) -> bool:
        """Whether this is an array (writable) and not a NumPy scalar (what reductions and x[i] return)."""
        value = self._peek()
        if shape_of(value) == () and (has_batch(value) or is_recorded(value)):
            # neither an example of a batch nor a value of a program tells whether it is a scalar or an array
            return self._writes is not None
        return isinstance(representative(value), np.ndarray)

    # Conversions -----------------------------------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self.immutable_value
        if isinstance(value, Value):
            fail(
                ConcretizationError,
                "a traced Array was to become a plain ndarray, which would lose its derivative. If it was written into "
                "an array made by numpy.zeros or the like, make that array with wengert.numpy.zeros(…) or "
                "np.zeros(…, like=x); if it is an index into a plain array, index wengert.numpy.array(a) instead; if a "
                "function of a library asked for it, use the one in wengert.numpy or wengert.scipy; if the derivative "
                "is not wanted, pass wengert.stop_gradient(x).",
            )
        return np.array(value, dtype=dtype)

    def __float__(self) -> float:
        return float(self._concrete("float"))

    def __complex__(self) -> complex:
        return complex(self._concrete("complex"))

    def _concrete(self, kind: str) -> Any:
        value = self.immutable_value
        if isinstance(value, Value):
            fail(
                ConcretizationError,
                f"{kind}() was called on a traced Array, which would lose its derivative. Leave the call out, use "
                "functions of numpy or wengert.numpy instead of those of math, and arrays made by "
                "wengert.numpy.zeros(…) or np.zeros(…, like=x) to write into. If the derivative is not wanted: "
                f"{kind}(wengert.stop_gradient(x)).",
            )
        return value

    def __bool__(self) -> bool:
        return bool(_branching_value(self, "bool"))

    def __int__(self) -> int:
        return int(_branching_value(self, "int"))

    def __index__(self) -> int:
        return operator.index(_branching_value(self, "an index"))

    def __repr__(self) -> str:
        value = self._peek()
        if not isinstance(value, Value):
            return f"Array({value!r})"
        kinds = []
        while isinstance(value, Value):
            if isinstance(value, Staged):
                return f"Array({value!r})"
            kinds.append(value.level.kind)
            value = value.value if isinstance(value, Batched) else value.payload
        return f"Array({np.array2string(np.asarray(value), separator=', ')}, {' in '.join(kinds)})"

    def __format__(self, spec: str) -> str:
        value = representative(self._peek())
        return format(value, spec) if np.shape(value) == () else format(str(value), spec)


def has_batch(value: Any) -> bool:
    """Whether a value has a level of vmap."""
    while isinstance(value, Value):
        if isinstance(value, Batched):
            return True
        value = value.payload
    return False


def _branching_value(x: Holder, what: str) -> Any:
    """Return the concrete value that bool() and int() may use: they are piecewise constant, so nothing is lost."""
    value = x.immutable_value
    while isinstance(value, Value):
        if isinstance(value, Staged):
            fail(
                ConcretizationError,
                f"a staged value (an argument of a function under jit or program, or something computed from one) was "
                f"used as {what}, but it has no number yet. Write np.where(condition, a, b) for a choice between "
                "values, and make an argument that decides on branches or sizes static.",
            )
        if isinstance(value, Batched):
            fail(
                ConcretizationError,
                f"a vmapped value was used as {what}, but it differs between the examples of the batch. "
                "Write the branch with np.where(condition, a, b), or loop over the examples.",
            )
        value = value.payload
    return value


def plain_bool(x: Any) -> Any:
    """Return a truth value array as plain NumPy (it carries no derivative)."""
    return _branching_value(x, "a truth value") if isinstance(x, Holder) else x
