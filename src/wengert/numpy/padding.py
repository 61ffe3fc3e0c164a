"""`pad` in all its modes. Like NumPy's it works axis by axis, so that corners are paddings of paddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from wengert.array import any_traced
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.creation import linspace, zeros_like
from wengert.numpy.dispatch import as_array, concrete, implements, on_axis, on_plain
from wengert.numpy.joining import concatenate
from wengert.numpy.quantiles import median
from wengert.numpy.reductions import max as max_
from wengert.numpy.reductions import mean
from wengert.numpy.reductions import min as min_
from wengert.numpy.shaping import broadcast_to, cast_kept, copy, in_order, reshape, squeeze
from wengert.numpy.ufuncs import blend

#: Modes and the keyword arguments that they take.
_KEYWORDS = {
    "constant": {"constant_values"},
    "empty": set(),
    "edge": set(),
    "wrap": set(),
    "reflect": {"reflect_type"},
    "symmetric": {"reflect_type"},
    "linear_ramp": {"end_values"},
    "maximum": {"stat_length"},
    "minimum": {"stat_length"},
    "mean": {"stat_length"},
    "median": {"stat_length"},
}
_STATISTICS = {"maximum": max_, "minimum": min_, "mean": mean, "median": median}


def _pairs(x: Any, rank: int) -> Any:
    """One value for both sides of each axis, two for the sides, or all of them: as an array of pairs."""
    x = as_array(x)
    if np.prod(shape_of(x)) == 1:
        x = reshape(x, ())
    return broadcast_to(x, (rank, 2))


def _widths(pad_width: Any, rank: int) -> list[tuple[int, int]]:
    """Number of elements to add before and after, for each axis."""
    if isinstance(pad_width, Mapping):
        by_axis = [(0, 0)] * rank
        for axis, width in pad_width.items():
            by_axis[axis] = (width, width) if isinstance(width, int) else tuple(width)
        pad_width = by_axis
    plain = concrete(pad_width, "pad")
    if plain.dtype.kind != "i":
        raise TypeError("`pad_width` must be of integral type.")
    if np.any(plain < 0):
        raise ValueError("index can't contain negative values")
    return [(int(i), int(j)) for i, j in _pairs(plain, rank)]


@implements(np.pad)
@in_order("A")
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """All modes; constants and end values may be traced. The elements that "empty" adds are zeros."""
    a = as_array(array)
    shape = shape_of(a)
    if callable(mode):
        return _pad_by_function(a, _widths(pad_width, len(shape)), mode, kwargs)
    if not any_traced((a, kwargs)):
        return on_plain(np.pad, a, pad_width, mode, **kwargs)
    widths = _widths(pad_width, len(shape))
    _check_mode(mode, kwargs, shape, widths)
    values = _pairs(kwargs.get("constant_values", kwargs.get("end_values", 0)), len(shape))
    lengths = _lengths(kwargs.get("stat_length"), len(shape))
    odd = kwargs.get("reflect_type", "even") == "odd"
    for axis, (before, after) in enumerate(widths):
        if not before and not after:
            continue
        match mode:
            case "constant" | "empty":
                sides = [values[axis, 0], values[axis, 1]]
            case "linear_ramp":
                sides = [_ramp(a, axis, k, width, values[axis, k]) for k, width in enumerate((before, after))]
            case "maximum" | "minimum" | "mean" | "median":
                sides = [_statistic(_STATISTICS[mode], a, axis, k, lengths[axis][k]) for k in (0, 1)]
            case "reflect" | "symmetric" if odd and shape[axis] > 1:
                places = (np.arange(-before, 0), shape[axis] + np.arange(after))
                sides = [_reflected_odd(a, axis, i, mode == "symmetric") for i in places]
            case _:
                a = a[on_axis(axis, np.pad(np.arange(shape[axis]), (before, after), mode=mode))]
                continue
        a = _between(a, axis, sides, (before, after))
    return a if any(before or after for before, after in widths) else copy(a)


def _check_mode(mode: str, kwargs: dict[str, Any], shape: tuple[int, ...], widths: list[tuple[int, int]]) -> None:
    if mode not in _KEYWORDS:
        raise ValueError(f"mode '{mode}' is not supported")
    if set(kwargs) - _KEYWORDS[mode]:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {set(kwargs) - _KEYWORDS[mode]}")
    for axis, width in enumerate(widths):
        if not shape[axis] and any(width) and mode not in ("constant", "empty"):
            raise ValueError(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'")


def _between(a: Any, axis: int, sides: list[Any], widths: tuple[int, int]) -> Any:
    """Put something on both sides of an array."""
    rest, parts = list(shape_of(a)), []
    for side, width in zip(sides, widths, strict=True):
        rest[axis] = width
        parts.append(broadcast_to(cast_kept(side, dtype_of(a)), tuple(rest)))
    return concatenate([parts[0], a, parts[1]], axis=axis)


def _lengths(stat_length: Any, rank: int) -> list[tuple[Any, Any]]:
    """From how many elements at each end a statistic is computed; None for all."""
    if stat_length is None:
        return [(None, None)] * rank
    lengths = np.round(concrete(stat_length, "pad")).astype(np.intp)
    if np.any(lengths < 0):
        raise ValueError("index can't contain negative values")
    return [(int(i), int(j)) for i, j in _pairs(lengths, rank)]


def _statistic(function: Callable[..., Any], a: Any, axis: int, side: int, length: int | None) -> Any:
    n = shape_of(a)[axis]
    length = n if length is None else min(length, n)
    if not length and function in (max_, min_):
        raise ValueError("stat_length of 0 yields no value for padding")
    chunk = a[on_axis(axis, slice(n - length, None) if side else slice(length))]
    return function(chunk, axis=axis, keepdims=True)


def _ramp(a: Any, axis: int, side: int, width: int, end: Any) -> Any:
    """From the end value, which is included, to the edge, which is not."""
    edge = squeeze(a[on_axis(axis, slice(-1, None) if side else slice(1))], axis)
    ramp = linspace(end, edge, width, endpoint=False, dtype=dtype_of(a), axis=axis)
    return ramp[on_axis(axis, slice(None, None, -1 if side else 1))]


def _reflected_odd(a: Any, axis: int, positions: np.ndarray, include_edge: bool) -> Any:
    """Elements of the extension that is odd about both edges.

    With period p it satisfies f(i + p) = f(i) + 2·(last - first), and f(p - i) = 2·last - f(i) (shifted by one if the
    edges are included) in the half of the period that is not the array itself.
    """
    n = shape_of(a)[axis]
    period = 2 * n if include_edge else 2 * (n - 1)
    turns, places = np.divmod(positions, period)
    mirrored = places >= n
    places = np.where(mirrored, period - places - include_edge, places)

    def along(x: np.ndarray) -> np.ndarray:
        return x.reshape((-1,) + (1,) * (len(shape_of(a)) - axis - 1))

    first, last = a[on_axis(axis, slice(1))], a[on_axis(axis, slice(-1, None))]
    values = a[on_axis(axis, places)]
    values = blend(along(mirrored), 2 * last - values, values)
    return blend(along(turns) == 0, values, values + 2 * along(turns).astype(dtype_of(a)) * (last - first))


def _pad_by_function(
    a: Any, widths: list[tuple[int, int]], function: Callable[..., Any], kwargs: dict[str, Any]
) -> Any:
    """Let the user's function fill in the borders of one vector after the other, in place."""
    shape = tuple(before + n + after for n, (before, after) in zip(shape_of(a), widths, strict=True))
    padded = zeros_like(a, shape=shape)
    padded[tuple(slice(before, before + n) for n, (before, _) in zip(shape_of(a), widths, strict=True))] = a
    for axis in range(len(shape)):
        for i in np.ndindex(shape[:axis] + shape[axis + 1 :]):
            function(padded[(*i[:axis], slice(None), *i[axis:])], widths[axis], axis, kwargs)
    return padded


__all__ = ["pad"]
