"""`wengert.scipy.signal`: values are SciPy's, derivatives with respect to everything that is an array."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal as ss

from wengert import check_grads, grad, jit, jvp, vmap
from wengert.errors import UnsupportedOperationError
from wengert.scipy import signal as ws

RNG = np.random.default_rng(5)


def r(*shape):
    return RNG.normal(size=shape)


def c(*shape):
    return r(*shape) + 1j * r(*shape)


B, A = np.array([0.4, 0.3, -0.2, 0.1]), np.array([1.4, -0.5, 0.2])
SOS = np.array([[0.4, 0.3, -0.2, 1.0, -0.5, 0.2], [0.1, 0.2, 0.3, 1.0, 0.3, 0.1]])

CASES = [
    *(
        (name, pair, {"mode": mode, "method": method})
        for name in ("convolve", "correlate")
        for mode in ("full", "same", "valid")
        for method in ("direct", "fft", "auto")
        for pair in [(r(6), r(3)), (r(3), r(6)), (r(4, 5), r(3, 2)), (c(5), r(4)), (c(3), c(3))]
    ),
    ("convolve", (np.float64(2.0), np.float64(3.0)), {}),
    ("correlate", (np.complex128(2.0), np.complex128(3.0j)), {}),
    *(("fftconvolve", (r(2, 5), r(2, 3)), {"mode": mode, "axes": 1}) for mode in ("full", "same", "valid")),
    ("fftconvolve", (r(2, 5), r(1, 3)), {"axes": [1]}),
    ("oaconvolve", (r(9), r(2)), {}),
    *(
        (name, pair, {"mode": mode, "boundary": boundary, "fillvalue": 0.5 if boundary == "fill" else 0})
        for name in ("convolve2d", "correlate2d")
        for mode in ("full", "same", "valid")
        for boundary in ("fill", "wrap", "symm")
        for pair in [(r(4, 5), r(3, 2)), (r(4, 4), r(2, 3))]
    ),
    *(("upfirdn", (r(3), r(2, 5), up, down), {}) for up in (1, 3) for down in (1, 2)),
    ("upfirdn", (r(3), r(5, 2), 2, 3), {"axis": 0}),
    ("lfilter", (B, A, r(8)), {}),
    ("lfilter", (B, A, r(2, 8)), {}),
    ("lfilter", (B, A, r(8, 2)), {"axis": 0}),
    ("lfilter", (B[:1], A, r(5)), {}),
    ("lfilter", (B, A[:1], r(5)), {}),
    ("lfilter", (B[:1], A[:1], r(5)), {}),
    ("lfilter", (B, A, r(2)), {}),
    ("lfilter", (B + 0.1j, A, r(5)), {}),
    ("lfilter", (B, A + 0.1j, c(5)), {}),
    ("lfilter", (B, A, r(8), -1, r(3)), {}),
    ("lfilter", (B, A, r(2), -1, r(3)), {}),
    ("lfilter", (B[:2], A, r(2, 5), -1, r(2, 2)), {}),
    ("lfilter", (B[:2], A, r(5, 2), 0, r(2, 2)), {}),
    ("lfilter", (B, A[:1], r(5), 0, r(3)), {}),
    ("lfilter_zi", (B, A), {}),
    ("lfilter_zi", (B[:2], A), {}),
    ("sosfilt", (SOS, r(2, 6)), {}),
    ("sosfilt", (SOS, r(6), -1, r(2, 2)), {}),
    *(("filtfilt", (B, A, r(2, 15)), {"padtype": how}) for how in ("odd", "even", "constant", None)),
    ("filtfilt", (B, A, r(15, 1)), {"axis": 0, "padlen": 3}),
    ("detrend", (r(2, 7),), {}),
    ("detrend", (r(7, 2),), {"axis": 0, "type": "constant"}),
    ("detrend", (r(9),), {"bp": [4]}),
    ("hilbert", (r(2, 6),), {}),
    ("hilbert", (r(5, 2),), {"axis": 0}),
    ("hilbert", (r(5),), {"N": 8}),
    ("hilbert", (r(1),), {}),
    ("welch", (r(40),), {"nperseg": 16}),
    ("welch", (r(2, 41),), {"nperseg": 15, "noverlap": 3, "nfft": 20, "scaling": "spectrum", "fs": 10.0}),
    ("welch", (r(40, 2),), {"nperseg": 16, "axis": 0, "detrend": "linear", "return_onesided": False}),
    ("welch", (r(30),), {"window": ("tukey", 0.3), "nperseg": 10, "detrend": False}),
    ("welch", (r(30),), {"window": np.hamming(10)}),
    ("csd", (r(40), r(40)), {"nperseg": 16}),
    ("csd", (r(2, 40), r(2, 30)), {"nperseg": 16}),
    ("periodogram", (r(20),), {}),
    ("periodogram", (r(20),), {"window": "hann", "nfft": 32}),
    ("periodogram", (r(20),), {"nfft": 11}),
]


def leaves(out):
    return list(out) if isinstance(out, tuple) else [out]


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=[f"{k}-{c[0]}" for k, c in enumerate(CASES)])
def test_values_and_derivatives(name, args, kwargs):
    ours, theirs = getattr(ws, name), getattr(ss, name)
    active = [k for k, x in enumerate(args) if not isinstance(x, int)]
    primals = tuple(args[k] for k in active)

    def f(*xs):
        full = list(args)
        for k, x in zip(active, xs, strict=True):
            full[k] = x
        if name == "sosfilt" and xs[0] is not primals[0]:
            full[0] = np.concatenate([xs[0][:, :3], np.ones((2, 1)), xs[0][:, 4:]], axis=1)
        return ours(*full, **kwargs)

    expected = leaves(theirs(*args, **kwargs))
    traced = leaves(jvp(f, primals, tuple(map(np.zeros_like, primals)))[0])
    for a, e in zip(traced, expected, strict=True):
        assert np.shape(a) == np.shape(e)
        assert np.asarray(a).dtype == np.asarray(e).dtype
        np.testing.assert_allclose(a, e, rtol=1e-11, atol=1e-11)
    check_grads(f, primals, order=2 if name not in ("convolve", "correlate", "convolve2d", "correlate2d") else 1)


def test_large_filters_take_linear_time():
    """The derivative with respect to a few coefficients does not convolve two long signals."""
    x = r(200_000)
    for f in (lambda b: ws.convolve(x, b, method="direct"), lambda b: ws.lfilter(b, A, x)):
        g = grad(lambda b, f=f: np.sum(f(b) ** 2))(B)
        assert g.shape == B.shape


def test_filters_as_models():
    """Coefficients are found again from input and output."""
    x = r(60)
    y = ss.lfilter(B, A, x)
    loss = lambda p: np.sum((ws.lfilter(p[:4], np.concatenate([np.ones(1), p[4:]]), x) - y) ** 2)
    exact = np.concatenate([B, A[1:]]) / A[0]
    np.testing.assert_allclose(grad(loss)(exact), 0.0, atol=1e-10)
    batch = np.stack([exact, exact + 0.1, exact - 0.1])
    np.testing.assert_allclose(vmap(grad(loss))(batch), np.stack([grad(loss)(p) for p in batch]), atol=1e-9)
    np.testing.assert_allclose(jit(grad(loss))(batch[1]), grad(loss)(batch[1]))


def test_single_precision_stays():
    x, y = r(6).astype(np.float32), r(3).astype(np.float32)
    for f in (ws.convolve, ws.fftconvolve, lambda x, y: ws.lfilter(y, y, x), lambda x, y: ws.detrend(x) + y[0]):
        out, dot = jvp(f, (x, y), (x, y))
        assert out.dtype == dot.dtype == np.float32


def test_errors():
    bad = [
        ("convolve", (r(3), r(2, 2)), {}),
        ("convolve", (r(3), r(2)), {"mode": "all"}),
        ("convolve", (r(3), r(2)), {"method": "guess"}),
        ("convolve", (r(3, 2), r(2, 3)), {"mode": "valid"}),
        ("convolve2d", (r(3), r(2)), {}),
        ("convolve2d", (r(3, 2), r(2, 2)), {"boundary": "none"}),
        ("lfilter", (r(3), r(3), r(5), -1, r(4)), {}),
        ("lfilter", (r(3), np.array([0.0, 1.0]), r(5)), {}),
        ("sosfilt", (r(3, 5), r(5)), {}),
        ("sosfilt", (r(3), r(5)), {}),
        ("filtfilt", (r(3), r(3), r(5)), {}),
        ("filtfilt", (r(3), r(3), r(50)), {"padtype": "none"}),
        ("detrend", (r(3),), {"type": "square"}),
        ("detrend", (r(3),), {"bp": 5}),
        ("hilbert", (c(3),), {}),
        ("hilbert", (r(3),), {"N": -1}),
        ("welch", (r(30),), {"nperseg": 10, "noverlap": 10}),
        ("welch", (r(30),), {"nperseg": 10, "nfft": 9}),
        ("welch", (r(3),), {"window": np.ones(5)}),
        ("upfirdn", (r(3), r(4), 0), {}),
    ]
    for name, args, kwargs in bad:
        with pytest.raises(Exception) as expected:  # noqa: PT011
            getattr(ss, name)(*args, **kwargs)
        with pytest.raises(expected.type):
            jvp(lambda x, n=name, a=args, k=kwargs: getattr(ws, n)(x, *a[1:], **k), args[:1], args[:1])
    for f, message in [
        (lambda x: ws.filtfilt(B, A, x, method="gust"), "gust"),
        (lambda x: ws.welch(x, average="median")[1], "mean"),
        (lambda x: ws.upfirdn(B, x, mode="wrap"), "constant"),
    ]:
        with pytest.raises(UnsupportedOperationError, match=message):
            grad(lambda x, f=f: np.sum(f(x)))(r(40))


def test_empty_signals():
    assert jvp(lambda x: ws.fftconvolve(x, B), (np.zeros(0),), (np.zeros(0),))[0].shape == (0,)
    assert grad(lambda x: np.sum(ws.lfilter(B, A, x)))(np.zeros(0)).shape == (0,)
    y, state = ws.lfilter(B, A, np.zeros(0), zi=r(3))
    traced = jvp(lambda x: ws.lfilter(B, A, x, zi=np.ones(3)), (np.zeros(0),), (np.zeros(0),))[0]
    assert traced[0].shape == y.shape
    assert traced[1].shape == state.shape
