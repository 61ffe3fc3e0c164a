"""The steps that lead from an array to a view of it.

Index, transpose, reshape, real and imaginary part can be written through; broadcast, diagonal and window cannot. What
is strided at will can, where no element is written twice.

``forward`` takes the part out of a value; ``write`` returns the value with the part replaced. ``locate`` tells where an
element of the part lies in an array of the given shape, so that single elements are read and written in place.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple, NoReturn

import numpy as np

from wengert.array.layout import arranged, laid_out
from wengert.core import combinators
from wengert.core.values import Value, representative, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.rules.elementwise import from_parts
from wengert.rules.indexing import ARRAY, diagonal, index, index_update, sliding_windows
from wengert.rules.structural import transpose

Position = tuple[int, ...]


class IndexStep(NamedTuple):
    spec: tuple[Any, ...]
    writable = True

    def forward(self, x: Any, copy: bool = False) -> Any:
        return index(x, spec=self.spec, copy=True) if copy else index(x, spec=self.spec)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return index_update(x, part, spec=self.spec, donate=donate)

    def locate(self, shape: tuple[int, ...], position: Position) -> Position:
        consumed = sum(s is not None and s is not Ellipsis for s in self.spec)
        rest, found = iter(position), []
        for s in self.spec:
            n = shape[len(found)] if len(found) < len(shape) else 0
            if s is None:
                next(rest)
            elif s is Ellipsis:
                found += itertools.islice(rest, len(shape) - consumed)
            elif isinstance(s, slice):
                found.append(range(*s.indices(n))[next(rest)])
            else:
                found.append(s % n)
        return (*found, *rest)


class PlaceStep(NamedTuple):
    """An index with traced integers, for which the spec says ARRAY."""

    spec: tuple[Any, ...]
    places: tuple[Any, ...]
    writable = True

    def forward(self, x: Any, copy: bool = False) -> Any:
        return index(x, *self.places, spec=self.spec)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return index_update(x, part, *self.places, spec=self.spec, donate=donate)

    def locate(self, shape: tuple[int, ...], position: Position) -> None:
        """Where it is, is not known."""


class TransposeStep(NamedTuple):
    axes: tuple[int, ...]
    writable = True

    def forward(self, x: Any, copy: bool = False) -> Any:
        return transpose(x, axes=self.axes)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return transpose(part, axes=tuple(int(a) for a in np.argsort(self.axes)))

    def locate(self, shape: tuple[int, ...], position: Position) -> Position:
        return tuple(p for _, p in sorted(zip(self.axes, position, strict=True)))


class ReshapeStep(NamedTuple):
    shape: tuple[int, ...]
    writable = True

    def forward(self, x: Any, copy: bool = False) -> Any:
        return combinators.reshape(x, shape=self.shape)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return combinators.reshape(part, shape=shape_of(x))

    def locate(self, shape: tuple[int, ...], position: Position) -> Position:
        number = 0
        for p, n in zip(position, self.shape, strict=True):
            number = number * n + p
        found = []
        for n in reversed(shape):
            number, p = divmod(number, n)
            found.append(p)
        return tuple(reversed(found))


def _read_only(self: Any, x: Any, part: Any, donate: bool) -> Any:
    """The `write` of a view that NumPy makes read-only."""
    raise ValueError("assignment destination is read-only")


def _nowhere(self: Any, shape: tuple[int, ...], position: Position) -> None:
    """The `locate` of a view whose single elements are not read or written in place."""


class BroadcastStep(NamedTuple):
    shape: tuple[int, ...]
    writable = False

    def forward(self, x: Any, copy: bool = False) -> Any:
        return combinators.broadcast_to(x, shape=self.shape)

    write = _read_only
    locate = _nowhere


class DiagonalStep(NamedTuple):
    offset: int
    axis1: int
    axis2: int
    writable = False

    def forward(self, x: Any, copy: bool = False) -> Any:
        return diagonal(x, *self) if isinstance(x, Value) else np.diagonal(x, *self)

    write = _read_only
    locate = _nowhere


class WindowStep(NamedTuple):
    lengths: tuple[int, ...]
    axes: tuple[int, ...]
    writable = False

    def forward(self, x: Any, copy: bool = False) -> Any:
        plain = np.lib.stride_tricks.sliding_window_view(representative(x), self.lengths, self.axes)
        return arranged(sliding_windows(x, self.lengths, self.axes), plain.strides) if isinstance(x, Value) else plain

    write = _read_only
    locate = _nowhere


def refuse_overlap() -> NoReturn:
    """Raise the error for a write to places that are the same element of the array."""
    fail(
        UnsupportedOperationError,
        "a write through a strided view (as_strided, or windows that can be written to) would change elements more "
        "than once, and which value stays is not defined. Write to parts that do not overlap, or to the array itself.",
    )


class StridedStep(NamedTuple):
    """Elements by their numbers in C order, with the strides that they have in NumPy."""

    places: np.ndarray
    strides: tuple[int, ...]
    writable: bool

    def forward(self, x: Any, copy: bool = False) -> Any:
        flat = combinators.reshape(x, shape=(math.prod(shape_of(x)),))
        return arranged(index(flat, self.places, spec=(ARRAY,)), self.strides)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        if np.unique(self.places).size < self.places.size:
            refuse_overlap()
        flat = combinators.reshape(x, shape=(math.prod(shape_of(x)),))
        flat = index_update(flat, part, self.places, spec=(ARRAY,), donate=False)
        return combinators.reshape(flat, shape=shape_of(x))

    def locate(self, shape: tuple[int, ...], position: Position) -> Position:
        return tuple(int(p) for p in np.unravel_index(self.places[position], shape))

    def lay_out(self, plain: np.ndarray) -> np.ndarray:
        """Return an array that lies in memory as this view does."""
        out = laid_out(self.places.shape, plain.dtype, self.strides)
        out.flags.writeable = self.writable
        return out


class PartStep(NamedTuple):
    name: str
    writable = True

    def forward(self, x: Any, copy: bool = False) -> Any:
        return combinators.real(x) if self.name == "real" else combinators.imag(x)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return from_parts(part, combinators.imag(x)) if self.name == "real" else from_parts(combinators.real(x), part)

    locate = _nowhere


Step = (
    IndexStep
    | PlaceStep
    | TransposeStep
    | ReshapeStep
    | BroadcastStep
    | DiagonalStep
    | WindowStep
    | StridedStep
    | PartStep
)
