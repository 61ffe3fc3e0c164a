"""`Sample`: one primitive at one point, with what the registry tests have to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive


@dataclass(frozen=True)
class Sample:
    """One primitive with arguments; `tests/test_registry.py` checks everything about it.

    Parameters
    ----------
    primitive
        The primitive.
    args
        Its positional arguments: arrays or scalars, floating-point ones are differentiated (see `wrt`).
    params
        Its keyword parameters.
    wrt
        Numbers of the arguments to differentiate. Default: all that have a floating-point or complex dtype.
    note
        Goes into the name of the test.
    smooth
        The function is differentiable near the point: finite differences hold. False at kinks, ties and poles; then
        give `expected`.
    expected
        The partial derivative that holds by convention, for an elementwise primitive of one or several arguments: one
        array per argument in `wrt`, equal to the gradient of the sum of the (real) output.
    order
        The highest order that is compared with finite differences (0 if not smooth).
    analytic
        The function is holomorphic and accepts complex arguments: first derivatives are compared with the complex
        step, to full accuracy.
    project
        Maps a random direction (a list like the differentiated arguments) to one the primitive is defined for, for
        example to symmetric matrices. For args that have to keep a structure.
    rtol
        Relative tolerance of comparisons with finite differences (first order; ten times that for the second). The
        default goes by dtype.
    batch
        Whether vmap can be compared with a loop: False only if the primitive cannot be batched in principle.
    dtype
        The dtype of the output, if it is not what `numpy_function` returns.
    nan
        Whether a NaN in each differentiated argument must come out as a NaN or leave the rest unharmed (False for
        functions for which NumPy raises).
    numpy_function
        What to compare values with; by default `primitive.fun`. Called as ``numpy_function(*args, **params)``.
    """

    primitive: Primitive
    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] | None = None
    note: str = ""
    smooth: bool = True
    expected: Sequence[Any] | None = None
    order: int = 2
    analytic: bool = False
    project: Any = None
    rtol: float | None = None
    batch: bool = True
    nan: bool = True
    numpy_function: Any = None

    @property
    def active(self) -> tuple[int, ...]:
        """Numbers of the differentiated arguments."""
        if self.wrt is not None:
            return self.wrt
        return tuple(k for k, x in enumerate(self.args) if np.asarray(x).dtype.kind in "fc")

    @property
    def id(self) -> str:
        """Name of the test."""
        shapes = ",".join("" if np.ndim(x) == 0 else "x".join(map(str, np.shape(x))) or "0d" for x in self.args)
        kinds = "".join(np.asarray(x).dtype.char for x in self.args)
        return f"{self.primitive.name}({shapes}){kinds}" + (f"[{self.note}]" if self.note else "")
