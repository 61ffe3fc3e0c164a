"""The immutable values that transforms compute with, and the levels that order transforms.

A *level* is one running transform: one `jvp`, one `grad`, one `vmap`. Levels are numbered by a counter that
only grows, so a transform that starts inside another one has the larger depth, in every thread. (The lists of variables
count downwards from zero: they are outside of every transform.) A *value*
belongs to one level and holds values of lower levels (or plain NumPy ones). An operation on several values is
handled by the deepest level among them (`Primitive.bind`), which treats the values of all other levels as
constants: this is what makes perturbation confusion impossible.

Start reading with `Level.process`; the concrete levels are in `wengert.transforms`.
"""

from __future__ import annotations

import itertools
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from wengert.errors import ConcretizationError, LeakedValueError, WengertError, fail

if TYPE_CHECKING:
    from wengert.core.primitive import Primitive


class ArrayType(NamedTuple):
    """Shape and dtype of an array: what a transposed map has to know of its input."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


_depths = itertools.count(1)
# Depths of transforms are multiples of this, which leaves room for hand-made Duals nested between two of them.
DEPTH_STEP = 1 << 16


class _Running(threading.local):
    """The transforms that run in this thread, outermost first."""

    def __init__(self) -> None:
        self.levels: list[Level] = []


_running = _Running()


class Level:
    """One running transform. A context manager: on exit its values become unusable."""

    __slots__ = ("active", "depth", "inner")
    kind: ClassVar[str] = "transform"

    def __init__(self, depth: int | None = None) -> None:
        self.depth = next(_depths) * DEPTH_STEP if depth is None else depth
        self.active = True
        self.inner: list[Level] = []  # levels of hand-made Duals, which end when this level ends

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Apply `primitive` to `args`, of which at least one belongs to this level."""
        raise NotImplementedError

    def process_unary(self, primitive: Primitive, x: Any) -> Any:
        """`process` for an elementwise function of one argument."""
        return self.process(primitive, (x,), {})

    def process_binary(self, primitive: Primitive, x: Any, y: Any) -> Any:
        """`process` for an elementwise function of two arguments."""
        return self.process(primitive, (x, y), {})

    def __enter__(self) -> Any:
        _running.levels.append(self)
        return self

    def __exit__(self, kind: object, error: object, traceback: TracebackType | None) -> None:
        levels = _running.levels
        del levels[len(levels) - 1 - levels[::-1].index(self)]
        self.close()
        # NumPy wraps what goes wrong in plain[0] = traced in "setting an array element with a sequence".
        if isinstance(error, ValueError) and isinstance(error.__cause__, WengertError):
            raise error.__cause__.with_traceback(traceback) from None

    def close(self) -> None:
        """End this level: any later use of its values raises `LeakedValueError`."""
        self.active = False
        for level in self.inner:
            level.close()

    def leaked(self, primitive: Primitive) -> Any:
        """Raise the error for a value of this level that is used after its end."""
        fail(
            LeakedValueError,
            f"'{primitive.name}' was applied to a value of a {self.kind} transform that has already ended. "
            "A traced value must not be kept in a global, an attribute or a closure beyond the differentiated "
            "function; return it (has_aux=True for extra results), or store wengert.stop_gradient(x).",
        )


_outside = Level(depth=0)


def current_level() -> Level:
    """Return the innermost transform that runs in this thread (a permanent level of depth 0 if none does)."""
    levels = _running.levels
    return levels[-1] if levels else _outside


def is_transforming() -> bool:
    """Whether some transform is running in this thread."""
    return bool(_running.levels)


def running_levels() -> tuple[Level, ...]:
    """Return the transforms that run in this thread, outermost first."""
    return tuple(_running.levels)


class Value:
    """Base of the immutable values. Operators are attached by `wengert.rules`, NumPy protocols by `wengert.numpy`.

    Attributes
    ----------
    level : Level
        The transform that this value belongs to.
    """

    __slots__ = ("level",)
    __array_priority__ = 100.0
    level: Any  # the Level; subclasses say which kind

    @property
    def payload(self) -> Any:
        """The value one level down, of the same shape (of one example, for a batched value)."""
        raise NotImplementedError

    @property
    def parts(self) -> tuple[Any, ...]:
        """All values that this one is made of; none, for a value that has no numbers yet."""
        return ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape as the user's function sees it."""
        return shape_of(self.payload)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the underlying array."""
        return dtype_of(self.payload)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

    def __copy__(self) -> Value:
        return self

    def __deepcopy__(self, memo: Any) -> Value:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        fail(
            ConcretizationError,
            "a traced value was to be pickled (or sent to another process), which would lose its derivative. Send "
            "plain numbers, for example wengert.stop_gradient(x) or the parts .primal and .tangent of a Dual.",
        )


def shape_of(x: Any) -> tuple[int, ...]:
    """Shape of a plain or traced value."""
    try:
        return x.shape
    except AttributeError:
        return np.shape(x)


def dtype_of(x: Any) -> np.dtype[Any]:
    """Dtype of a plain or traced value."""
    try:
        return x.dtype
    except AttributeError:
        return np.result_type(x)


def type_of(x: Any) -> ArrayType:
    """Shape and dtype of a plain or traced value."""
    return ArrayType(shape_of(x), dtype_of(x))


def zeros_of(x: Any) -> Any:
    """Zeros of the shape and dtype of `x` (a value or an `ArrayType`); NumPy scalars for shape ()."""
    shape, dtype = shape_of(x), dtype_of(x)
    return np.zeros(shape, dtype) if shape else dtype.type(0)


def representative(x: Any) -> Any:
    """Return the plain NumPy value at the bottom of `x`: for looking at layouts and printing, never to compute with."""
    while isinstance(x, Value):
        x = x.payload
    return x
