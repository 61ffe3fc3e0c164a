"""Trends, analytic signals and spectra, for `wengert.scipy.signal`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import scipy.signal as ss

from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy import fft
from wengert.numpy.dispatch import as_array, implements, normalise_axis, on_axis
from wengert.numpy.joining import concatenate, extended
from wengert.numpy.reductions import mean
from wengert.numpy.shaping import moveaxis, reshape
from wengert.numpy.ufuncs import conj, matmul


@implements(ss.detrend)
def detrend(data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False) -> Any:  # noqa: A002
    """Subtract the mean, or straight lines fitted between breakpoints."""
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    data = as_array(data)
    if type in ("constant", "c"):
        return data - mean(data, axis=axis, keepdims=True)
    x = moveaxis(data, axis, -1)
    n = shape_of(x)[-1]
    breaks = np.unique(np.concatenate([[0], np.ravel(bp), [n]]).astype(int))
    if np.any(breaks > n):
        raise ValueError("Breakpoints must be less than length of data along given axis.")
    pieces = []
    for start, stop in itertools.pairwise(breaks):
        line = np.stack([np.ones(stop - start), np.arange(1, stop - start + 1) / (stop - start)])
        basis = np.linalg.qr(line.T)[0].astype(np.finfo(dtype_of(x)).dtype if dtype_of(x).kind in "fc" else float)
        piece = x[..., start:stop]
        pieces.append(piece - matmul(matmul(piece, basis), basis.T))
    return moveaxis(concatenate(pieces, axis=-1), -1, axis)


@implements(ss.hilbert)
def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """The analytic signal."""
    x = as_array(x)
    if dtype_of(x).kind == "c":
        raise ValueError("x must be real.")
    axis = normalise_axis(axis, len(shape_of(x)))
    n = shape_of(x)[axis] if N is None else N
    if n <= 0:
        raise ValueError("N must be positive.")
    weights = np.zeros(n)
    weights[0] = weights[n // 2] = 1  # the mean and, for even n, the highest frequency
    weights[1 : (n + 1) // 2] = 2
    spectrum = fft.fft(x, n, axis=axis)
    return fft.ifft(spectrum * reshape(weights, (n,) + (1,) * (len(shape_of(x)) - axis - 1)), axis=axis)


def _detrended(x: Any, how: str) -> Any:
    return detrend(x, type=how)


def _segment(window: Any, nperseg: int | None, length: int) -> tuple[Any, int]:
    """Return the window and its length, as SciPy chooses them."""
    if isinstance(window, (str, tuple)):
        nperseg = min(256 if nperseg is None else int(nperseg), length)
        if nperseg < 1:
            raise ValueError("nperseg must be a positive integer")
        return ss.get_window("hann" if window == "hann_periodic" else window, nperseg), nperseg
    window = np.asarray(window)
    if window.ndim != 1:
        raise ValueError("window must be 1-D")
    if length < window.size:
        raise ValueError("window is longer than input signal")
    if nperseg is not None and nperseg != window.size:
        raise ValueError("value specified for nperseg is different from length of window")
    return window, window.size


@implements(ss.csd)
def csd(
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann_periodic",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> Any:
    """Cross spectral density by Welch's method, for average="mean"."""
    if average != "mean":
        fail(UnsupportedOperationError, 'Welch\'s method has derivatives for average="mean" only.')
    if scaling not in ("density", "spectrum"):
        raise ValueError(f"Unknown scaling: {scaling!r}")
    same = y is x
    x, y = (moveaxis(as_array(a), axis, -1) for a in (x, y))
    length = max(shape_of(x)[-1], shape_of(y)[-1])
    win, nperseg = _segment(window, nperseg, length)
    noverlap = nperseg // 2 if noverlap is None else int(noverlap)
    nfft = nperseg if nfft is None else int(nfft)
    if nfft < nperseg:
        raise ValueError("nfft must be greater than or equal to nperseg.")
    if noverlap >= nperseg:
        raise ValueError("noverlap must be less than nperseg.")
    scale = 1 / (fs * np.sum(win * win)) if scaling == "density" else 1 / np.sum(win) ** 2
    onesided = return_onesided and dtype_of(x).kind != "c" and dtype_of(y).kind != "c"
    places = np.arange(0, length - nperseg + 1, nperseg - noverlap)[:, None] + np.arange(nperseg)

    def spectra(a: Any) -> Any:
        frames = extended(a, length)[..., places]
        if callable(detrend):
            frames = detrend(frames)
        elif detrend:
            frames = _detrended(frames, detrend)
        return (fft.rfft if onesided else fft.fft)(frames * win, nfft)

    fx = spectra(x)
    density = conj(fx) * (fx if same else spectra(y)) * scale
    if onesided:  # every frequency but the mean and the highest one stands for two
        doubled = np.full(shape_of(density)[-1], 2.0)
        doubled[0] = 1.0
        if nfft % 2 == 0:
            doubled[-1] = 1.0
        density = density * doubled
    density = mean(density, axis=-2)
    frequencies = (np.fft.rfftfreq if onesided else np.fft.fftfreq)(nfft, 1 / fs)
    return frequencies, moveaxis(density.real if same else density, -1, axis)


@implements(ss.welch)
def welch(x: Any, fs: float = 1.0, window: Any = "hann_periodic", *args: Any, **kwargs: Any) -> Any:
    """Power spectral density by Welch's method, for average="mean"."""
    x = as_array(x)
    return csd(x, x, fs, window, *args, **kwargs)


@implements(ss.periodogram)
def periodogram(
    x: Any,
    fs: float = 1.0,
    window: Any = "boxcar",
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> Any:
    """Power spectral density of the whole signal."""
    x = as_array(x)
    n = shape_of(x)[axis]
    if nfft is not None and nfft < n:
        x = x[on_axis(normalise_axis(axis, len(shape_of(x))), slice(None, nfft))]
        n = nfft
    window = "boxcar" if window is None else window
    return csd(x, x, fs, window, n, 0, nfft, detrend, return_onesided, scaling, axis)
