"""Fourier transforms through NumPy's names."""

from __future__ import annotations

import numpy as np
import pytest

import wengert.numpy as wnp
from wengert import check_grads, grad, jvp, vjp, vmap

_rng = np.random.default_rng(12)
NORMS = [None, "backward", "ortho", "forward"]


def _r(*shape):
    return _rng.normal(size=shape)


def _c(*shape):
    return _r(*shape) + 1j * _r(*shape)


def inner(v, w):
    return np.sum((np.conj(v) * w).real)


def agrees(f, x):
    """NumPy's value; the adjoint identity; linear, so that jvp is the function itself; vmap is a loop."""
    expected = f(x)
    v = x[..., ::-1] * 0.7
    out, dot = jvp(f, (x,), (v,))
    assert out.dtype == expected.dtype
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_allclose(dot, f(v), rtol=1e-12, atol=1e-12)
    w = np.asarray(_c(*out.shape) if out.dtype.kind == "c" else _r(*out.shape), out.dtype)
    (ct,) = vjp(f, x)[1](w)
    assert ct.dtype == x.dtype
    np.testing.assert_allclose(inner(w, dot), inner(ct, v), rtol=1e-10, atol=1e-10)
    # The pullback is linear too: its own adjoint is the function.
    z = np.asarray(_c(*x.shape) if x.dtype.kind == "c" else _r(*x.shape))
    (back,) = vjp(lambda w: vjp(f, x)[1](w)[0], w)[1](z)
    np.testing.assert_allclose(back, f(z), rtol=1e-10, atol=1e-10)
    stacked = np.stack([x, 2 * x, -x])
    np.testing.assert_allclose(vmap(f)(stacked), [f(s) for s in stacked], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(vmap(f, in_axes=-1)(np.moveaxis(stacked, 0, -1)), vmap(f)(stacked), atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_one_axis(name, n, norm):
    f = getattr(np.fft, name)
    real = name in ("rfft", "ihfft")
    for x, axis in [(_r(4), -1), (_r(5, 2), 0), (_r(2, 3, 2), 1)] + ([] if real else [(_c(4), 0), (_c(2, 5), -1)]):
        agrees(lambda x, axis=axis: f(x, n, axis, norm), x)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"])
def test_several_axes(name, norm):
    f = getattr(np.fft, name)
    real = name.startswith("rfft")
    x = _r(3, 4, 5) if real else _c(3, 4, 5)
    for s, axes in [((3, 4), (0, 1)), ((2, 5), (2, 0)), ((4, 6), (-1, -2)), ((3,), (1,))]:
        agrees(lambda x, s=s, axes=axes: f(x, s, axes, norm), x)
    agrees(lambda x: f(x, axes=(0, 2), norm=norm), x)
    if name.endswith("n"):
        agrees(lambda x: f(x, norm=norm), x)
        agrees(lambda x: f(x, (4, -1), (1, 0), norm), x)


def test_axes_that_occur_twice():
    agrees(lambda x: np.fft.fftn(x, axes=(0, 0)), _c(3, 2))
    agrees(lambda x: np.fft.ifftn(x, s=(4, 2), axes=(1, 1)), _c(3, 2))
    agrees(lambda x: np.fft.rfftn(x, axes=(0, 0)), _r(3, 2))
    agrees(lambda x: np.fft.irfftn(x, axes=(0, 0)), _c(3, 2))


@pytest.mark.parametrize("axes", [None, 0, (0, 1), (-1,)])
def test_shifts(axes):
    for x in (_r(4, 5), _c(3, 2)):
        agrees(lambda x: np.fft.fftshift(x, axes), x)
        agrees(lambda x: np.fft.ifftshift(x, axes), x)


def test_single_precision():
    for f, x in [
        (np.fft.fft, _c(4).astype(np.complex64)),
        (np.fft.rfft, _r(5).astype(np.float32)),
        (np.fft.irfft, _c(3).astype(np.complex64)),
    ]:
        out, dot = jvp(f, (x,), (x,))
        assert out.dtype == dot.dtype == f(x).dtype
        assert vjp(f, x)[1](out)[0].dtype == x.dtype


def test_in_a_program():
    """A spectral derivative, a convolution and a power spectrum, to second order."""
    k = np.fft.rfftfreq(6) * 6
    check_grads(lambda x: np.fft.irfft(1j * k * np.fft.rfft(x), 6) * x, (_r(6),))
    check_grads(lambda x, y: np.fft.ifft(np.fft.fft(x) * np.fft.fft(y)), (_c(5), _c(5)))
    check_grads(lambda x: np.abs(np.fft.fft2(x)) ** 2, (_r(3, 4),))


def test_parseval():
    x = _r(7)
    np.testing.assert_allclose(grad(lambda x: np.sum(np.abs(np.fft.fft(x, norm="ortho")) ** 2))(x), 2 * x)


def test_the_imaginary_part_that_irfft_ignores_has_no_derivative():
    g = grad(lambda z: np.sum(np.fft.irfft(z) ** 2))(_c(3))
    assert g[0].imag == 0.0
    assert g[2].imag == 0.0


def test_out_and_plain_arguments():
    def f(x):
        out = wnp.zeros(4, complex)
        np.fft.fft(x, out=out)
        return np.sum(np.abs(out) ** 2)

    x = _c(4)
    np.testing.assert_allclose(grad(f)(x), 8 * x)
    assert type(wnp.fft.fft(x)) is np.ndarray
    np.testing.assert_array_equal(wnp.fft.fftfreq(5), np.fft.fftfreq(5))


def test_every_function_is_there():
    assert {n for n in np.fft.__all__ if not hasattr(wnp.fft, n)} == set()


@pytest.mark.parametrize(
    ("f", "x", "error"),
    [
        (np.fft.rfft, _c(3), TypeError),
        (lambda x: np.fft.fft(x, 0), _r(3), ValueError),
        (lambda x: np.fft.irfft(x, 0), _r(3), ValueError),
        (np.fft.irfft, _r(1), ValueError),
        (lambda x: np.fft.fft(x, norm="x"), _r(3), ValueError),
        (lambda x: np.fft.fft(x, axis=1), _r(3), IndexError),
        (np.fft.fft, np.float64(1.0), IndexError),
        (lambda x: np.fft.fftn(x, (1, 2), (0,)), _r(3, 3), ValueError),
    ],
)
def test_errors_are_numpys(f, x, error):
    with pytest.raises(error):
        f(x)
    with pytest.raises(error):
        jvp(f, (x,), (x,))
