"""`scipy.signal`, differentiable: convolution, filters (in the signal and in their coefficients), spectra.

Everything is ordinary code over the primitives of `rules.filters`. SciPy's own functions do not take Arrays; with plain
arguments they are called. Trends and spectra are in `spectra`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal as ss

from wengert.core.values import dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy import linalg
from wengert.numpy.dispatch import as_array, call, implements, normalise_axes, normalise_axis
from wengert.numpy.joining import concatenate, extended, stack
from wengert.numpy.padding import pad
from wengert.numpy.shaping import broadcast_to, flip, moveaxis, reshape
from wengert.numpy.ufuncs import conj
from wengert.rules import filters as r
from wengert.scipy.checks import refuse_unless
from wengert.scipy.matrices import companion
from wengert.scipy.spectra import csd, detrend, hilbert, periodogram, welch

# Convolution ----------------------------------------------------------------------------------------------------------


def _convolved(x: Any, y: Any, mode: str, method: str, axes: tuple[int, ...]) -> Any:
    """Convolution along axes in one of SciPy's three modes."""
    if mode not in ("full", "same", "valid"):
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full'")
    n, m = ([shape_of(a)[k] for k in axes] for a in (x, y))
    if mode == "valid":
        if not all(a >= b for a, b in zip(n, m, strict=True)):
            if not all(b >= a for a, b in zip(n, m, strict=True)):
                raise ValueError(
                    "For 'valid' mode, one must be at least as large as the other in every dimension, but they are "
                    f"{shape_of(x)} and {shape_of(y)}."
                )
            x, y = y, x
        return call(r.convolution, x, y, axes=axes, mode="valid", method=method)
    out = call(r.convolution, x, y, axes=axes, mode="full", method=method)
    if mode == "same":
        key = [slice(None)] * len(shape_of(out))
        for k, length, other in zip(axes, n, m, strict=True):
            key[k] = slice((other - 1) // 2, (other - 1) // 2 + length)
        out = out[tuple(key)]
    return out


def _pair(in1: Any, in2: Any) -> tuple[Any, Any]:
    x, y = as_array(in1), as_array(in2)
    if len(shape_of(x)) != len(shape_of(y)):
        raise ValueError("in1 and in2 should have the same dimensionality")
    return x, y


@implements(ss.convolve)
def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Of arrays with the same number of axes, along all of them."""
    x, y = _pair(in1, in2)
    if not shape_of(x):
        return x * y
    if 0 in (*shape_of(x), *shape_of(y)):
        return np.array([])
    if method == "auto":
        like = [np.broadcast_to(dtype_of(a).type(0), shape_of(a)) for a in (x, y)]
        method = str(ss.choose_conv_method(*like, mode=mode))
    if method not in ("direct", "fft"):
        raise ValueError("Acceptable method flags are 'auto', 'direct', or 'fft'.")
    return _convolved(x, y, mode, method, tuple(range(len(shape_of(x)))))


@implements(ss.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Convolution with the second array turned round and conjugated."""
    x, y = _pair(in1, in2)
    return convolve(x, conj(flip(y)), mode, method) if shape_of(x) else x * conj(y)


@implements(ss.fftconvolve, ss.oaconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Along some or all axes; the others broadcast."""
    x, y = _pair(in1, in2)
    if not shape_of(x):
        return x * y
    if 0 in (*shape_of(x), *shape_of(y)):
        return np.array([])
    return _convolved(x, y, mode, "fft", normalise_axes(axes, len(shape_of(x))))


oaconvolve = fftconvolve

_BOUNDARIES = {"fill": "constant", "wrap": "wrap", "symm": "symmetric"}


@implements(ss.convolve2d)
def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Of images, continued beyond their boundary by a value, periodically or by reflection."""
    x, y = _pair(in1, in2)
    if len(shape_of(x)) != 2:
        raise ValueError("convolve2d inputs must both be 2-D arrays")
    if boundary not in _BOUNDARIES:
        raise ValueError("Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and 'symmetric' (or 'symm').")
    if mode == "valid":
        return _convolved(x, y, mode, "direct", (0, 1))
    margin = [m - 1 for m in shape_of(y)]
    options = {"constant_values": fillvalue} if boundary == "fill" else {}
    wide = pad(x, [(k, k) for k in margin], mode=_BOUNDARIES[boundary], **options)  # type: ignore[arg-type]
    full = _convolved(wide, y, "valid", "direct", (0, 1))
    if mode == "full":
        return full
    if mode != "same":
        raise ValueError("Acceptable mode flags are 'valid', 'same', or 'full'.")
    (n, m), (i, j) = shape_of(x), (k // 2 for k in margin)
    return full[i : i + n, j : j + m]


@implements(ss.correlate2d)
def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Convolution with the second image turned round and conjugated."""
    x, y = _pair(in1, in2)
    if mode == "same":
        full = convolve2d(x, conj(flip(y)), "full", boundary, fillvalue)
        (n, m), (i, j) = shape_of(x), (k // 2 for k in shape_of(y))
        return full[i : i + n, j : j + m]
    return convolve2d(x, conj(flip(y)), mode, boundary, fillvalue)


@implements(ss.upfirdn)
def upfirdn(h: Any, x: Any, up: int = 1, down: int = 1, axis: int = -1, mode: str = "constant", cval: Any = 0) -> Any:
    """Put zeros between samples, filter, take every so-manieth; differentiable in the filter and the signal."""
    h, x = as_array(h), moveaxis(as_array(x), axis, -1)
    if mode != "constant" or cval != 0:
        fail(UnsupportedOperationError, 'upfirdn has derivatives for mode="constant" with cval=0 only. Pad the signal.')
    if len(shape_of(h)) != 1 or not shape_of(h)[0]:
        raise ValueError("h must be 1-D with non-zero length")
    if up < 1 or down < 1:
        raise ValueError("Both up and down must be >= 1")
    lead, n = shape_of(x)[:-1], shape_of(x)[-1]
    if up > 1:
        spread = concatenate([x[..., None], np.zeros((*lead, n, up - 1), dtype_of(x))], axis=-1)
        x = reshape(spread, (*lead, n * up))[..., : (n - 1) * up + 1]
    kernel = reshape(h, (1,) * len(lead) + shape_of(h))
    return moveaxis(_convolved(x, kernel, "full", "direct", (len(lead),))[..., ::down], -1, axis)


# Filters --------------------------------------------------------------------------------------------------------------


def _coefficients(b: Any, a: Any) -> tuple[Any, Any]:
    """Return both polynomials divided by the leading coefficient of the denominator."""
    b, a = (reshape(as_array(c), (-1,)) if not shape_of(as_array(c)) else as_array(c) for c in (b, a))
    if len(shape_of(b)) != 1 or len(shape_of(a)) != 1:
        raise ValueError("object of too small depth for desired array: b and a must be 1-D")
    refuse_unless(a[0] != 0, "the first coefficient of the denominator, a[0], is zero")
    return b / a[0], a / a[0]


@implements(ss.lfilter)
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Differentiable in the signal, the coefficients and the initial state."""
    b, a = _coefficients(b, a)
    x = as_array(x)
    if not shape_of(x):
        raise ValueError("x must be at least 1-D")
    axis = normalise_axis(axis, len(shape_of(x)))
    x = moveaxis(x, axis, -1)
    lead, n = shape_of(x)[:-1], shape_of(x)[-1]
    last, order = (len(lead),), max(shape_of(a)[0], shape_of(b)[0]) - 1

    def wide(c: Any) -> Any:
        return reshape(c, (1,) * len(lead) + shape_of(c))

    full = extended(_convolved(x, wide(b), "full", "direct", last), n + order)
    if zi is not None:
        zi = moveaxis(as_array(zi), axis, -1)
        if len(shape_of(zi)) != len(lead) + 1 or shape_of(zi)[-1] != order:
            raise ValueError(
                f"Unexpected shape for zi: expected {(*lead, order)} along the axis, found {shape_of(zi)}."
            )
        full = full + extended(broadcast_to(zi, (*lead, order)), n + order)
    y = full[..., :n]
    if shape_of(a)[0] > 1:
        y = call(r.recursion, a, y, axis=len(lead))
    if zi is None:
        return moveaxis(y, -1, axis)
    # What the terms so far contribute to later outputs.
    state = full[..., n:]
    if shape_of(a)[0] > 1 and n:
        state = state - extended(_convolved(y, wide(a), "full", "direct", last), n + order)[..., n:]
    return moveaxis(y, -1, axis), moveaxis(state, -1, axis)


@implements(ss.lfilter_zi)
def lfilter_zi(b: Any, a: Any) -> Any:
    """State of a filter whose input and output have always been constant."""
    b, a = _coefficients(b, a)
    n = max(shape_of(a)[0], shape_of(b)[0])
    a, b = extended(a, n), extended(b, n)
    return linalg.solve(np.eye(n - 1) - companion(a).T, b[1:] - a[1:] * b[0])


@implements(ss.sosfilt)
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A cascade of sections of second order; the column of ones has derivative 0."""
    sos = as_array(sos)
    if len(shape_of(sos)) != 2:
        raise ValueError("sos array must be 2D")
    if shape_of(sos)[1] != 6:
        raise ValueError("sos array must be shape (n_sections, 6)")
    states = []
    for k in range(shape_of(sos)[0]):
        b, a = sos[k, :3], concatenate([np.ones(1, dtype_of(sos)), sos[k, 4:]])
        if zi is None:
            x = lfilter(b, a, x, axis)
        else:
            x, state = lfilter(b, a, x, axis, as_array(zi)[k])
            states.append(state)
    return x if zi is None else (x, stack(states))


@implements(ss.filtfilt)
def filtfilt(
    b: Any,
    a: Any,
    x: Any,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
    irlen: int | None = None,
) -> Any:
    """Filter forwards and backwards, for method="pad"."""
    if method not in ("pad", "gust"):
        raise ValueError("method must be 'pad' or 'gust'.")
    if method == "gust":
        fail(UnsupportedOperationError, 'filtfilt(method="gust") has no derivative. Use method="pad".')
    if padtype not in ("odd", "even", "constant", None):
        raise ValueError(
            f"Unknown value '{padtype}' given to padtype. padtype must be 'even', 'odd', 'constant', or None."
        )
    b, a, x = as_array(b), as_array(a), as_array(x)
    axis = normalise_axis(axis, len(shape_of(x)))
    x = moveaxis(x, axis, -1)
    edge = 0 if padtype is None else 3 * max(np.size(b), np.size(a)) if padlen is None else padlen
    if shape_of(x)[-1] <= edge:
        raise ValueError(f"The length of the input vector x must be greater than padlen, which is {edge}.")
    if edge:
        before, after = x[..., edge:0:-1], x[..., -2 : -edge - 2 : -1]
        if padtype == "odd":
            before, after = 2 * x[..., :1] - before, 2 * x[..., -1:] - after
        elif padtype == "constant":
            before, after = (broadcast_to(end, shape_of(before)) for end in (x[..., :1], x[..., -1:]))
        x = concatenate([before, x, after], axis=-1)
    start = lfilter_zi(b, a)
    for _ in range(2):
        x = lfilter(b, a, x, zi=start * x[..., :1])[0][..., ::-1]
    return moveaxis(x[..., edge:-edge] if edge else x, -1, axis)


__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "csd",
    "detrend",
    "fftconvolve",
    "filtfilt",
    "hilbert",
    "lfilter",
    "lfilter_zi",
    "oaconvolve",
    "periodogram",
    "sosfilt",
    "upfirdn",
    "welch",
]
