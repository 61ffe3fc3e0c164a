"""Containers as vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.containers import flatten, unflatten
from wengert.core.values import dtype_of, shape_of
from wengert.derivatives.calls import to_value
from wengert.errors import ContainerMismatchError, InputTypeError, fail


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Flatten a container of arrays into one vector.

    Parameters
    ----------
    tree : array_like or container
        Numbers and arrays, traced ones too.

    Returns
    -------
    vector : array of shape (n,)
        All elements, leaf after leaf in C order, in the common dtype of the leaves (float64 if there are none).
    unravel : callable
        Maps a vector of shape (n,) back to the container: each leaf gets the shape it had and keeps the precision of
        the vector, except that the leaves that were real stay real.

    Raises
    ------
    InputTypeError
        A leaf is not a number or an array.
    ContainerMismatchError
        `unravel` is given another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> vector, unravel = optim.ravel({"w": np.ones((2, 2)), "b": 3.0})
    >>> vector
    array([3., 1., 1., 1., 1.])
    >>> unravel(2 * vector)
    {'w': array([[2., 2.],
           [2., 2.]]), 'b': np.float64(6.0)}
    """
    leaves, structure = flatten(tree)
    for x in leaves:
        if to_value(x) is None or dtype_of(x).kind not in "biufc":
            fail(InputTypeError, f"ravel got a {type(x).__name__} in its container; it takes numbers and arrays.")
    shapes = [shape_of(x) for x in leaves]
    kinds = [dtype_of(x).kind for x in leaves]
    ends = np.cumsum([int(np.prod(s)) for s in shapes], dtype=int)
    total = int(ends[-1]) if leaves else 0

    def unravel(vector: Any) -> Any:
        if shape_of(vector) != (total,):
            fail(ContainerMismatchError, f"unravel got shape {shape_of(vector)}; it needs shape ({total},).")
        parts = []
        for shape, kind, end in zip(shapes, kinds, ends, strict=True):
            size = int(np.prod(shape))
            part = vector[end - size : end].reshape(shape) if shape else vector[end - 1]
            parts.append(part.real if kind != "c" and part.dtype.kind == "c" else part)
        return unflatten(structure, parts)

    if not leaves:
        return np.zeros(0), unravel
    return np.concatenate([np.ravel(x) for x in leaves]), unravel
