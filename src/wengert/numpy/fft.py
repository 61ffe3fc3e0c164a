"""NumPy's `fft`, differentiable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.creation import array
from wengert.numpy.dispatch import as_array, call, implements, normalise_axis, on_axis
from wengert.numpy.joining import extended
from wengert.numpy.ufuncs import conjugate
from wengert.rules import fourier as r


def fftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Any:
    """`numpy.fft.fftfreq`, and in another dtype, as the array API standard has it."""
    return array(np.fft.fftfreq(n, d, device), dtype=dtype)


def rfftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Any:
    """`numpy.fft.rfftfreq`, and in another dtype, as the array API standard has it."""
    return array(np.fft.rfftfreq(n, d, device), dtype=dtype)


def _norm(norm: str | None) -> str:
    norm = "backward" if norm is None else norm
    if norm not in r.DUAL:
        raise ValueError(f'Invalid norm value {norm}; should be "backward","ortho" or "forward".')
    return norm


def _fitted(x: Any, n: int | None, axis: int) -> Any:
    """Crop, or pad with zeros, to length n."""
    length = shape_of(x)[axis]
    n = length if n is None else int(n)
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return x[on_axis(axis, slice(None, n))] if n < length else extended(x, n, axis)


def _axes(x: Any, s: Any, axes: Any) -> tuple[list[int | None], list[int]]:
    """Lengths and axes of a transform over several axes."""
    rank = len(shape_of(x))
    if axes is None:
        axes = range(rank) if s is None else range(-len(s), 0)
    numbers = [normalise_axis(a, rank) for a in axes]
    if s is not None and len(s) != len(numbers):
        raise ValueError("Shape and axes have different lengths.")
    if s is None:
        return [shape_of(x)[a] for a in numbers], numbers
    return [
        None if n is None else shape_of(x)[a] if n == -1 else int(n) for n, a in zip(s, numbers, strict=True)
    ], numbers


def _transform(primitive: Callable[..., Any], a: Any, s: Sequence[int | None], axes: Sequence[int], norm: Any) -> Any:
    """Apply a complex transform along one axis after the other."""
    x, norm = as_array(a), _norm(norm)
    for n, axis in zip(s, axes, strict=True):
        x = call(primitive, _fitted(x, n, axis), axis=axis, norm=norm)
    return x


def _real_signal(x: Any) -> Any:
    if dtype_of(x).kind == "c":
        raise TypeError("rfft takes real input; use fft for complex input.")
    return x


# One axis -------------------------------------------------------------------------------------------------------------


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform along one axis."""
    return fftn(a, None if n is None else (n,), (axis,), norm)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Inverse discrete Fourier transform along one axis."""
    return ifftn(a, None if n is None else (n,), (axis,), norm)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The non-negative frequencies of a real signal."""
    x = _real_signal(as_array(a))
    axis = normalise_axis(axis, len(shape_of(x)))
    return call(r.rfft, _fitted(x, n, axis), axis=axis, norm=_norm(norm))


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """A real signal from its non-negative frequencies; imaginary parts that cannot be of any effect have none."""
    x = as_array(a)
    axis = normalise_axis(axis, len(shape_of(x)))
    n = 2 * (shape_of(x)[axis] - 1) if n is None else int(n)
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return call(r.irfft, _fitted(x, n // 2 + 1, axis), n=n, axis=axis, norm=_norm(norm))


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The real spectrum of a signal that is Hermitian in time."""
    return irfft(conjugate(as_array(a)), n, axis, r.DUAL[_norm(norm)])


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Inverse of `hfft`."""
    return conjugate(rfft(a, n, axis, r.DUAL[_norm(norm)]))


# Several axes ---------------------------------------------------------------------------------------------------------


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform along several axes, the last one first."""
    lengths, numbers = _axes(as_array(a), s, axes)
    return _transform(r.fft, a, lengths[::-1], numbers[::-1], norm)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Inverse discrete Fourier transform along several axes, the last one first."""
    lengths, numbers = _axes(as_array(a), s, axes)
    return _transform(r.ifft, a, lengths[::-1], numbers[::-1], norm)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Real along the last of the axes, then complex along the others."""
    x = as_array(a)
    lengths, numbers = _axes(x, s, axes)
    x = rfft(x, lengths[-1], numbers[-1], norm)
    return _transform(r.fft, x, lengths[-2::-1], numbers[-2::-1], norm)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Inverse of `rfftn`."""
    x = as_array(a)
    lengths, numbers = _axes(x, s, axes)
    x = _transform(r.ifft, x, lengths[:-1], numbers[:-1], norm)
    return irfft(x, None if s is None else lengths[-1], numbers[-1], norm)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform along two axes."""
    return fftn(a, s, axes, norm)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Inverse discrete Fourier transform along two axes."""
    return ifftn(a, s, axes, norm)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Real along the second axis, complex along the first."""
    return rfftn(a, s, axes, norm)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Inverse of `rfft2`."""
    return irfftn(a, s, axes, norm)


# Order of the frequencies ---------------------------------------------------------------------------------------------


def _rolled(x: Any, axes: Any, amount: Callable[[int], int]) -> Any:
    x = as_array(x)
    rank = len(shape_of(x))
    if axes is None:
        numbers = list(range(rank))
    else:
        numbers = [normalise_axis(a, rank) for a in (axes if isinstance(axes, (tuple, list)) else (axes,))]
    return np.roll(x, tuple(amount(shape_of(x)[a]) for a in numbers), tuple(numbers))


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Move the zero frequency to the centre."""
    return _rolled(x, axes, lambda n: n // 2)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """Inverse of `fftshift`."""
    return _rolled(x, axes, lambda n: -(n // 2))


__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]
