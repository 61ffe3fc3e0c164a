"""Linear filters of images, for `wengert.scipy.ndimage`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.ndimage as nd

from wengert.core.values import dtype_of, shape_of
from wengert.errors import InputTypeError, fail
from wengert.numpy.dispatch import as_array, call, concrete, implements, normalise_axes, normalise_axis, write_out
from wengert.numpy.padding import pad
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import cast, flip, reshape
from wengert.numpy.ufuncs import exp
from wengert.rules import filters


def as_image(x: Any, output: Any) -> tuple[Any, np.dtype[Any]]:
    """Return an image in double precision, and the dtype of the result."""
    x = as_array(x)
    given = output is not None and not isinstance(output, (type, str, np.dtype))
    dtype = dtype_of(output if given else x) if given or output is None else np.dtype(output)
    if dtype.kind not in "fc":
        fail(
            InputTypeError,
            f"the result would be rounded to {dtype}, which has no derivative. Pass output=np.float64, or an image of "
            "floating-point numbers.",
        )
    return cast(x, np.complex128 if dtype_of(x).kind == "c" else np.float64), dtype


def finished(x: Any, dtype: np.dtype[Any], output: Any) -> Any:
    """Return the result in its dtype, written into the array that was given for it, if one was."""
    x = cast(x, dtype)
    return x if output is None or isinstance(output, (type, str, np.dtype)) else write_out(output, x)


_BOUNDARIES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "constant": "constant",
    "grid-constant": "constant",
    "nearest": "edge",
    "mirror": "reflect",
    "wrap": "wrap",
    "grid-wrap": "wrap",
}


def _correlated(x: Any, weights: Any, mode: str, cval: Any, origins: Sequence[int], axes: Sequence[int]) -> Any:
    """Correlate along axes with a kernel of as many axes."""
    rank, sizes = len(shape_of(x)), shape_of(weights)
    widths, kernel_shape = [(0, 0)] * rank, [1] * rank
    for axis, size, origin in zip(axes, sizes, origins, strict=True):
        before = size // 2 + origin
        if not 0 <= before < size:
            raise ValueError("invalid origin")
        widths[axis], kernel_shape[axis] = (before, size - 1 - before), size
    options = {"constant_values": cval} if _BOUNDARIES[mode] == "constant" else {}
    wide = pad(x, widths, mode=_BOUNDARIES[mode], **options)  # type: ignore[arg-type]
    kernel = reshape(flip(weights), tuple(kernel_shape))
    return call(filters.convolution, wide, kernel, axes=tuple(sorted(axes)), mode="valid", method="direct")


def checked_mode(mode: str) -> str:
    """Return a way of continuing images that exists, or raise SciPy's error."""
    if mode not in _BOUNDARIES:
        raise RuntimeError("boundary mode not supported")
    return mode


def _origins(origin: Any, count: int) -> list[int]:
    return [int(origin)] * count if np.ndim(origin) == 0 else [int(o) for o in origin]


@implements(nd.correlate1d)
def correlate1d(
    input: Any,  # noqa: A002
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Weighted sums of neighbours along an axis."""
    x, dtype = as_image(input, output)
    weights = as_array(weights)
    if len(shape_of(weights)) != 1 or not shape_of(weights)[0]:
        raise RuntimeError("no filter weights given")
    axis = normalise_axis(axis, len(shape_of(x)))
    return finished(_correlated(x, weights, checked_mode(mode), cval, [origin], [axis]), dtype, output)


@implements(nd.convolve1d)
def convolve1d(
    input: Any,  # noqa: A002
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Correlation with the weights turned round."""
    weights = flip(as_array(weights))
    origin = -origin - (1 if shape_of(weights)[0] % 2 == 0 else 0)
    return correlate1d(input, weights, axis, output, mode, cval, origin)


@implements(nd.correlate)
def correlate(
    input: Any,  # noqa: A002
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: Any = 0,
) -> Any:
    """Weighted sums of neighbours."""
    x, dtype = as_image(input, output)
    weights = as_array(weights)
    rank = len(shape_of(x))
    if len(shape_of(weights)) != rank:
        raise RuntimeError("filter weights array has incorrect shape.")
    return finished(
        _correlated(x, weights, checked_mode(mode), cval, _origins(origin, rank), range(rank)), dtype, output
    )


@implements(nd.convolve)
def convolve(
    input: Any,  # noqa: A002
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: Any = 0,
) -> Any:
    """Correlation with the weights turned round."""
    weights = flip(as_array(weights))
    sizes = shape_of(weights)
    origin = [-o - (1 if n % 2 == 0 else 0) for o, n in zip(_origins(origin, len(sizes)), sizes, strict=True)]
    return correlate(input, weights, output, mode, cval, origin)


def _gaussian(sigma: Any, order: int, radius: int) -> Any:
    """Samples of a derivative of a Gaussian, whose sum is 1 for order 0."""
    x = np.arange(-radius, radius + 1)
    bell = exp(-0.5 * (x / sigma) ** 2)
    bell = bell / sum_(bell)
    # Each derivative of q(x)·exp(-x²/2σ²) takes the polynomial q to q' - x q/σ².
    q: list[Any] = [1.0]
    for _ in range(order):
        lower = [(k + 1) * c for k, c in enumerate(q[1:])] + [0.0, 0.0]
        q = [d - c / sigma**2 for d, c in zip(lower, [0.0, *q], strict=True)]
    polynomial: Any = 0.0
    for c in reversed(q):
        polynomial = polynomial * x + c
    return bell * polynomial


@implements(nd.gaussian_filter1d)
def gaussian_filter1d(
    input: Any,  # noqa: A002
    sigma: Any,
    axis: int = -1,
    order: int = 0,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Any:
    """Blur along an axis; differentiable in the width, too, while the number of weights stays the same."""
    radius = int(truncate * float(concrete(sigma, "gaussian_filter1d")) + 0.5) if radius is None else radius
    if radius < 0:
        raise ValueError("Radius must be a nonnegative integer.")
    if order < 0:
        raise ValueError("order must be non-negative")
    return correlate1d(input, _gaussian(sigma, order, radius)[::-1], axis, output, mode, cval)


@implements(nd.gaussian_filter)
def gaussian_filter(
    input: Any,  # noqa: A002
    sigma: Any,
    order: Any = 0,
    output: Any = None,
    mode: Any = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
    axes: Any = None,
) -> Any:
    """Blur; differentiable in the widths, too, while the number of weights stays the same."""
    widths = as_array(sigma)

    def along(x: Any, axis: int, width: Any, order: int, mode: str, radius: int | None) -> Any:
        return gaussian_filter1d(x, width, axis, order, None, mode, cval, truncate, radius=radius)

    return _separable(along, input, output, axes, list(widths) if shape_of(widths) else widths, order, mode, radius)


@implements(nd.uniform_filter1d)
def uniform_filter1d(
    input: Any,  # noqa: A002
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Means of neighbours along an axis."""
    if size < 1:
        raise RuntimeError("incorrect filter size")
    return correlate1d(input, np.full(size, 1 / size), axis, output, mode, cval, origin)


@implements(nd.uniform_filter)
def uniform_filter(
    input: Any,  # noqa: A002
    size: Any = 3,
    output: Any = None,
    mode: Any = "reflect",
    cval: float = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Means of neighbours."""

    def along(x: Any, axis: int, size: int, mode: str, origin: int) -> Any:
        return uniform_filter1d(x, size, axis, None, mode, cval, origin)

    return _separable(along, input, output, axes, size, mode, origin)


def _separable(along: Callable[..., Any], image: Any, output: Any, axes: Any, *options: Any) -> Any:
    """Filter along one axis after the other; each option is the same for all axes or a list."""
    x, dtype = as_image(image, output)
    numbers = normalise_axes(axes, len(shape_of(x)))
    each = [o if isinstance(o, (list, tuple)) else [o] * len(numbers) for o in options]
    for axis, *values in zip(numbers, *each, strict=True):
        x = along(x, axis, *values)
    return finished(x, dtype, output)
