"""The steps that lead from an array to a view of it: index, transpose, reshape, broadcast, real and imaginary part.

``forward`` takes the part out of a value; ``write`` returns the value with the part replaced.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wengert.core import combinators
from wengert.core.values import shape_of
from wengert.rules.elementwise import from_parts
from wengert.rules.indexing import index, index_update
from wengert.rules.structural import transpose


class IndexStep(NamedTuple):
    spec: tuple[Any, ...]

    def forward(self, x: Any, copy: bool = False) -> Any:
        return index(x, spec=self.spec, copy=True) if copy else index(x, spec=self.spec)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return index_update(x, part, spec=self.spec, donate=donate)


class TransposeStep(NamedTuple):
    axes: tuple[int, ...]

    def forward(self, x: Any, copy: bool = False) -> Any:
        return transpose(x, axes=self.axes)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return transpose(part, axes=tuple(int(a) for a in np.argsort(self.axes)))


class ReshapeStep(NamedTuple):
    shape: tuple[int, ...]

    def forward(self, x: Any, copy: bool = False) -> Any:
        return combinators.reshape(x, shape=self.shape)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return combinators.reshape(part, shape=shape_of(x))


class BroadcastStep(NamedTuple):
    shape: tuple[int, ...]

    def forward(self, x: Any, copy: bool = False) -> Any:
        return combinators.broadcast_to(x, shape=self.shape)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        raise ValueError("assignment destination is read-only")


class PartStep(NamedTuple):
    name: str

    def forward(self, x: Any, copy: bool = False) -> Any:
        return combinators.real(x) if self.name == "real" else combinators.imag(x)

    def write(self, x: Any, part: Any, donate: bool) -> Any:
        return from_parts(part, combinators.imag(x)) if self.name == "real" else from_parts(combinators.real(x), part)


Step = IndexStep | TransposeStep | ReshapeStep | BroadcastStep | PartStep
