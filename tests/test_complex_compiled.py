"""Complex numbers in compiled programs: as NumPy computes them, and without NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as wg
from wengert.scipy import signal

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

_REAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, np.inf, -np.inf, np.nan, 1e-300, -1e-300, 710.0, -710.0, 1e-8, 3.0)
SPECIAL = np.array([complex(a, b) for a, b in itertools.product(_REAL, _REAL)])
rng = np.random.default_rng(0)
Z, W = (rng.normal(size=300) * 2 + 1j * rng.normal(size=300) for _ in range(2))

UNARY: dict[str, Any] = {
    f.__name__: f
    for f in (
        np.exp, np.log, np.sqrt, np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh, np.arcsin, np.arccos, np.arctan,
        np.arcsinh, np.arccosh, np.arctanh, np.log2, np.log10, np.log1p, np.expm1, np.square, np.reciprocal, np.abs,
        np.conj, np.negative, np.positive, np.angle, np.rint, np.isnan, np.isinf, np.isfinite, np.logical_not, np.real,
        np.imag,
    )
} | {
    "square root as a power": lambda z: z**0.5, "reciprocal as a power": lambda z: z**-1, "one": lambda z: z**0,
    "cube": lambda z: z**3, "complex power": lambda z: z ** (1 + 2j), "twice": lambda z: 2.0 * z,
    "turned": lambda z: 1j * z, "shifted": lambda z: z - (1 - 2j),
}  # fmt: skip
BINARY: dict[str, Any] = {
    f.__name__: f
    for f in (
        np.add, np.subtract, np.divide, np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
        np.logical_and, np.logical_or, np.logical_xor, np.multiply, np.power,
        np.maximum, np.minimum,
    )
}  # fmt: skip


def calls(f: Any, *args: Any) -> list[str]:
    """What NumPy does of a compiled function."""
    return [fallback.operation for fallback in f.inspect(*args).fallbacks]


def assert_same(found: Any, expected: Any, ulp: float = 16) -> None:
    """Each part is equal, or NaN in both; or the numbers are, to some units in the last place of their size."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    if expected.dtype.kind not in "fc":
        assert np.array_equal(found, expected)
        return
    some = ulp * np.finfo(expected.dtype).eps

    def is_equal(x: Any, y: Any) -> Any:
        return (x == y) | (np.isnan(x) & np.isnan(y)) | (np.abs(x - y) <= some * np.abs(y))

    close = np.abs(found - expected) <= some * np.abs(expected)
    bad = ~(
        (is_equal(found.real, expected.real) & is_equal(found.imag, expected.imag)) | (close & np.isfinite(expected))
    )
    assert not bad.any(), list(zip(np.flatnonzero(bad), found[bad], expected[bad], strict=True))[:5]


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_number(name, dtype):
    f = UNARY[name]
    compiled = wg.jit(f)
    for z in (np.concatenate([SPECIAL, Z] * 20), SPECIAL[:60], SPECIAL[150:200], Z[:7]):  # in loops, and written out
        z = z.astype(dtype)
        assert_same(compiled(z), f(z))
        assert calls(compiled, z) == []


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_numbers(name):
    f = BINARY[name]
    compiled = wg.jit(f)
    x, y = np.meshgrid(SPECIAL, SPECIAL)
    if name in ("multiply", "power"):  # what they make of infinities depends on the instructions that NumPy uses
        x, y = np.meshgrid(SPECIAL[np.isfinite(SPECIAL)], Z)
    for a, b in ((x, y), (Z, W), (Z[:5], W[:5]), (Z[:4, None], W[:3].astype(np.complex64)), (Z, W.real), (W.real, Z)):
        assert_same(compiled(a, b), f(a, b), 400 if name == "power" else 16)
        assert calls(compiled, a, b) == []


FUNCTIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "rotation": lambda z, w, r: np.exp(1j * r) * z + w,
    "scalar product": lambda z, w, r: np.vdot(z, w) + np.sum(z * r) + np.mean(w),
    "products": lambda z, w, r: np.outer(z, w) @ w + np.outer(r, r) @ z + np.outer(z, w) @ r,
    "moves": lambda z, w, r: np.concatenate([z[::-1], np.stack([w, 1j * r]).T.ravel()[3:], r])[2:-1].reshape(-1, 1),
    "choice": lambda z, w, r: np.where(r > 0, z, r) + np.where(np.abs(w) > 1, 0.0, w),
    "indices": lambda z, w, r: z[np.array([2, 0, 2])] * w[np.argmax(r[:4])],
    "conversions": lambda z, w, r: r.astype(complex) + z.astype(np.complex64) + w.real.astype(int) + (z.imag > 0),
    "einsum": lambda z, w, r: np.einsum("i,j,j->i", z[:4], np.conj(w[:4]), r[:4]),
    "sums": lambda z, w, r: np.cumsum(z * w)[-1] + np.sum(np.outer(z, r), axis=0) + np.any(z) + np.all(w),
}


@pytest.mark.parametrize("n", [5, 700])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_arrays(name, n):
    f = FUNCTIONS[name]
    z, w, r = np.resize(Z, n), np.resize(W, n), np.resize(np.abs(W) - 1, n)

    def real(z: Any, w: Any, r: Any) -> Any:
        return np.sum(np.abs(f(z, w, r)) ** 2)

    gradient = wg.grad(real, (0, 1, 2))
    for g in (f, gradient, lambda *args: wg.jvp(gradient, args, (w, z, r))[1]):
        found, expected = wg.jit(g)(z, w, r), g(z, w, r)
        for a, b in zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]:
            assert_same(np.atleast_1d(a), np.atleast_1d(b), 1e4)


def _in_place(z: Any, a: Any) -> Any:
    def body(i: Any, s: Any) -> Any:
        s[i + 1] = s[i] * a[0, i] + 1j
        return s

    return wg.for_loop(3, body, z)


def _dynamic(z: Any, a: Any) -> Any:
    def step(s: Any) -> Any:
        return s[0] * 1.5 + a @ s[0] * 0.1, s[1] + 1

    return wg.while_loop(lambda s: np.sum(np.abs(s[0])) < 50, step, (z, 0))[0]


def _scanned(z: Any, a: Any) -> Any:
    carry, rows = wg.scan(lambda c, x: (a @ c * x + 1j, c * np.conj(c)), z, np.arange(6) * (0.2 + 0.1j))
    return np.concatenate([carry, rows.ravel()])


LOOPS: dict[str, Callable[[Any, Any], Any]] = {
    "for_loop": lambda z, a: wg.for_loop(5, lambda i, s: np.exp(1j * s) * (a @ s) + i, z),
    "while_loop": _dynamic,
    "scan": _scanned,
    "cond": lambda z, a: wg.cond(np.real(z[0]) > 0, np.sin, lambda z: z * z * 1j, z),
    "in place": _in_place,
    "loops of kernels": lambda z, a: wg.for_loop(3, lambda i, s: np.exp(1j * s) * s + i, np.tile(z, 300)),
    "vmap": lambda z, a: wg.vmap(lambda z, a: np.exp(z * 1j) * np.sum(a) / (1 + np.abs(z)))(
        np.tile(z, 50), np.tile(a, (50, 1))
    ),
    "vmap of a loop": lambda z, a: wg.vmap(
        lambda z: wg.while_loop(lambda s: np.abs(s) < 5, lambda s: s * (1.3 + 0.2j) + 0.1, z)
    )(z),
    "vmap of what is not used": lambda z, a: wg.vmap(lambda z: wg.vjp(np.prod, z)[1](1j)[0])(np.resize(a, (60, 3, 4))),
    "Fourier transforms": lambda z, a: wg.for_loop(3, lambda i, s: np.fft.ifft(np.fft.fft(s) * a[0]) + s * 0.1, z),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_and_branches(name):
    f = LOOPS[name]
    z, a = 0.3 * Z[:4], 0.3 * Z[4:20].reshape(4, 4)

    def real(z: Any, a: Any) -> Any:
        return np.sum(np.abs(f(z, a)) ** 2)

    gradient = wg.grad(real, (0, 1))
    for g in (f, gradient, lambda *args: wg.jvp(gradient, args, (z * 1j, a))[1]):
        compiled = wg.jit(g)
        found, expected = compiled(z, a), g(z, a)
        for x, y in zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]:
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-13)
            assert x.dtype == y.dtype
        assert set(calls(compiled, z, a)) == set()


def test_numpy_in_between():
    def f(z, r):
        return signal.lfilter([1.0], [1.0, 0.5j], z * np.exp(1j * r)) * np.exp(-2j * r)

    r = np.abs(W)
    compiled = wg.jit(f)
    assert_same(compiled(Z, r), f(Z, r), 64)
    assert calls(compiled, Z, r) == ["convolution", "recursion"]


def test_arguments_and_results_of_all_kinds():
    f = wg.jit(lambda z, w: (z * w, z, 2j, np.conj(w)))
    for z in (1 + 2j, np.complex64(1 + 2j), np.array(1 + 2j), Z[:6:2], Z[:3].astype(">c16"), Z[:0], 3.0, 2):
        for w in (1j, Z[:1]):
            found, expected = f(z, w), (z * np.asarray(w)[()], np.asarray(z), np.complex128(2j), np.conj(w))
            for a, b in zip(found, expected, strict=True):
                assert_same(np.asarray(a), np.asarray(b, np.asarray(b).dtype.newbyteorder("=")))


def test_a_literal_keeps_the_precision_of_the_array():
    z = Z[:5].astype(np.complex64)
    for f in (lambda z: z * 2j, lambda z: z + 1, lambda z: np.exp(z) / 3, lambda z: np.where(z.real > 0, z, 0.5j)):
        assert_same(wg.jit(f)(z), f(z))
    for f in (lambda z: z / np.float32(0.3), lambda z: np.complex64(0.1 + 0.2j) / z, lambda z: z * np.float32(0.3)):
        assert_same(wg.jit(f)(Z[:5]), f(Z[:5]))
