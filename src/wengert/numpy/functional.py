"""Functions that call a function of the user: piecewise, vectorize, apply_along_axis, fromfunction and the like."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.array import Array
from wengert.core.values import dtype_of, is_transforming, shape_of
from wengert.numpy.creation import indices, zeros, zeros_like
from wengert.numpy.dispatch import as_array, concrete, has_traced, implements, no_value, normalise_axis
from wengert.numpy.joining import stack
from wengert.numpy.shaping import broadcast_to, cast_kept, expand_dims, moveaxis, ordered, reshape


def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """Differentiable `numpy.fromfunction`. Call a function on the coordinate grids of a shape."""
    return function(*indices(shape, dtype=dtype), **kwargs)


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Each function is evaluated where its condition holds, the last condition winning."""
    x = as_array(x)
    if np.isscalar(condlist) or (not isinstance(condlist[0], (list, np.ndarray, Array)) and shape_of(x)):
        condlist = [condlist]
    conditions = [concrete(c, "piecewise").astype(bool) for c in condlist]
    for c in conditions:
        if c.shape not in ((), shape_of(x)):
            raise IndexError(f"a condition has the shape {c.shape}, the array {shape_of(x)}")
    conditions = [np.broadcast_to(c, shape_of(x)) for c in conditions]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    elif len(funclist) != len(conditions):
        n = len(conditions)
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")
    y = zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            y[condition] = function
        elif condition.any():
            y[condition] = function(x[condition], *args, **kw)
    return y


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function of vectors for each vector along an axis."""
    a = as_array(arr)
    axis = normalise_axis(axis, len(shape_of(a)))
    moved = moveaxis(a, axis, -1)
    rest = shape_of(moved)[:-1]
    results = [as_array(func1d(moved[i], *args, **kwargs)) for i in np.ndindex(rest)]
    if not results:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    part = shape_of(results[0])
    out = reshape(stack(results), rest + part)
    return moveaxis(out, range(len(rest), len(rest) + len(part)), range(axis, axis + len(part)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """Apply a function of an array and an axis for one axis after the other; the axes stay, with length 1."""
    result = as_array(a)
    rank = len(shape_of(result))
    for axis in [axes] if np.ndim(axes) == 0 else axes:
        axis = axis + rank if axis < 0 else axis
        part = func(result, axis)
        if len(shape_of(part)) != len(shape_of(result)):
            part = expand_dims(part, axis)
        if len(shape_of(part)) != len(shape_of(result)):
            raise ValueError("function is not returning an array of the correct shape")
        result = part
    return result


class vectorize:
    """Differentiable `numpy.vectorize`: call a function of scalars for each element.

    The function gets traced scalars and may return them, also such that it takes from elsewhere. The parameters are
    NumPy's; outside of transforms, plain arguments go to NumPy's own. As there, the type of the results is that of the
    first one if `otypes` does not say it.

    Raises
    ------
    ValueError
        Without elements, unless `otypes` is given.
    UnsupportedOperationError
        If a traced result would become an integer, because the first result is one.

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> import wengert.numpy as wnp
    >>> from wengert import grad
    >>> relu = wnp.vectorize(lambda x: x if x > 0 else 0.0)
    >>> grad(lambda x: np.sum(relu(x) ** 2))(np.array([1.0, -2.0, 3.0]))
    array([2., 0., 6.])
    """

    def __init__(
        self,
        pyfunc: Any = no_value,
        otypes: Any = None,
        doc: str | None = None,
        excluded: Any = None,
        cache: bool = False,
        signature: str | None = None,
    ) -> None:
        self._options = {"otypes": otypes, "doc": doc, "excluded": excluded, "cache": cache, "signature": signature}
        self._numpy: Any = np.vectorize(pyfunc, **self._options)
        self.pyfunc = pyfunc
        self.excluded = set(excluded or ())
        self.__doc__ = self._numpy.__doc__
        if callable(pyfunc):
            self.__name__ = getattr(pyfunc, "__name__", "vectorize")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply to each element, with broadcasting."""
        if self.pyfunc is no_value:  # used as a decorator with arguments
            return vectorize(*args, **self._options)
        if not is_transforming() and not has_traced(args, kwargs):
            return self._numpy(*args, **kwargs)
        names = [*range(len(args)), *kwargs]
        values = [*args, *kwargs.values()]
        varying = [i for i, name in enumerate(names) if name not in self.excluded]

        def call_with(elements: Any) -> Any:
            new = list(values)
            for i, element in zip(varying, elements, strict=True):
                new[i] = element
            return self.pyfunc(*new[: len(args)], **dict(zip(kwargs, new[len(args) :], strict=True)))

        arrays = [as_array(values[i]) for i in varying]
        ranks, outputs = _core_ranks(self._options["signature"], arrays)
        shape = np.broadcast_shapes(*(shape_of(x)[: len(shape_of(x)) - r] for x, r in zip(arrays, ranks, strict=True)))
        arrays = [
            broadcast_to(x, shape + shape_of(x)[len(shape_of(x)) - r :]) for x, r in zip(arrays, ranks, strict=True)
        ]
        results = [call_with([_element(x, i) for x in arrays]) for i in np.ndindex(shape)]
        types = self._numpy.otypes
        if not results:
            if not types or outputs is not None:
                raise ValueError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
            empty = [zeros(shape, t) for t in types]
            return tuple(empty) if len(empty) > 1 else empty[0]
        several = isinstance(results[0], tuple) if outputs is None else outputs > 1
        columns = list(zip(*results, strict=True)) if several else [results]
        if outputs is not None and len(columns) != outputs:
            raise ValueError(f"wrong number of outputs from pyfunc: expected {outputs}, got {len(columns)}")
        types = types or [dtype_of(as_array(column[0])) for column in columns]
        joined = tuple(_joined(column, np.dtype(t), shape) for column, t in zip(columns, types, strict=True))
        if len(arrays) == 1 and outputs is None:
            joined = tuple(ordered(x, "K", arrays[0]) for x in joined)
        return joined if several else joined[0]


def _core_ranks(signature: str | None, arrays: list[Any]) -> tuple[list[int], int | None]:
    """Numbers of axes that belong to one call, for each argument, and the number of results (None: not said)."""
    if signature is None:
        return [0] * len(arrays), None
    inputs, outputs = (
        [[n for n in term.split(",") if n] for term in re.findall(r"\(([^()]*)\)", side.replace(" ", ""))]
        for side in signature.split("->")
    )
    if len(inputs) != len(arrays):
        raise TypeError(f"wrong number of positional arguments: expected {len(inputs)}, got {len(arrays)}")
    sizes: dict[str, int] = {}
    for names, x in zip(inputs, arrays, strict=True):
        if len(shape_of(x)) < len(names):
            raise ValueError(f"{len(shape_of(x))}-dimensional argument does not have enough dimensions for {names!r}")
        for name, n in zip(names, shape_of(x)[len(shape_of(x)) - len(names) :], strict=True):
            if sizes.setdefault(name, n) != n:
                raise ValueError(f"inconsistent size for core dimension {name!r}: {n} vs {sizes[name]}")
    return [len(names) for names in inputs], len(outputs)


def _element(x: Any, i: tuple[int, ...]) -> Any:
    part = x[i]
    return part.item() if isinstance(part, np.generic) else part


def _joined(column: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """One array of the results of all calls."""
    parts = [cast_kept(x, dtype) for x in column]
    return reshape(stack(parts), shape + shape_of(parts[0]))


__all__ = ["apply_along_axis", "apply_over_axes", "fromfunction", "piecewise", "vectorize"]
