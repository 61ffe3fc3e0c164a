"""Complex numbers: one convention, ⟨v, w⟩ = Re Σ conj(v)·w, for every transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
from wengert import derivative, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap
from wengert.errors import OutputError

Z = np.array([0.5 + 0.7j, -1.2 + 0.3j, 0.9 - 1.1j])
W = np.array([1.0 - 0.4j, 0.2 + 0.8j, -0.6 + 0.1j])

# Functions of a complex array, holomorphic or not, with complex or real results.
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "holomorphic": lambda z: np.exp(z) * np.sin(z) / (z + 3.0),
    "conjugate": lambda z: np.conj(z) * z * z,
    "abs": np.abs,
    "abs squared": lambda z: np.abs(z) ** 2,
    "real": lambda z: (z * z).real,
    "imag": lambda z: np.imag(z**3),
    "angle": np.angle,
    "mixed": lambda z: z.real * np.conj(z) + 1j * z.imag**2,
    "sign": np.sign,
    "root": np.sqrt,
    "power": lambda z: z ** (1.5 + 0.5j),
    "base": lambda z: (0.5 + 1j) ** z,
    "real power": lambda z: np.abs(z) ** z,
    "real constant": lambda z: np.array([1.0, 2.0, 3.0]) * z,
    "real intermediate": lambda z: np.sum(z.real) * z,
    "matmul": lambda z: np.outer(z, np.conj(z)) @ z,
    "real matrix": lambda z: np.arange(9.0).reshape(3, 3) @ z,
    "einsum": lambda z: np.einsum("i,i->", z, np.conj(z)),
    "vdot": lambda z: np.vdot(z, z * z),
    "index": lambda z: z[[0, 0, 2]] * z[::-1],
    "prod": np.prod,
    "cumprod": np.cumprod,
    "mean, var": lambda z: np.var(z) + np.mean(z),
    "where": lambda z: np.where(z.real > 0, z * z, np.conj(z)),
    "write": lambda z: _written(z),
    "parts": lambda z: _parts(z),
    "stack": lambda z: np.concatenate([z.real, z, np.abs(z)]),
    "broadcast": lambda z: z[:, None] * z.real,
    "norm": np.linalg.norm,
    "reciprocal": lambda z: 1.0 / z,
    "divide": lambda z: np.abs(z) / z,
    "to complex": lambda z: z.real.astype(complex) * z,
    "cos of real": lambda z: np.cos(z.real) + 1j * np.sin(z.imag),
}


def _written(z: Any) -> Any:
    y = z * 1j
    y[0] = z[1].real
    y[1:] *= np.conj(z[1:])
    return y


def _parts(z: Any) -> Any:
    y = z * z
    y.real[1] = z[0].imag
    y.imag *= 2.0
    return y


def dot(v: Any, w: Any) -> float:
    return float(np.sum(np.conj(v) * w).real)


def directional(f: Callable[[Any], Any], z: Any, v: Any) -> Any:
    h = 1e-3
    return (8 * (f(z + h * v) - f(z - h * v)) - (f(z + 2 * h * v) - f(z - 2 * h * v))) / (12 * h)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_modes(name: str):
    f = FUNCTIONS[name]
    out, tangent = jvp(f, (Z,), (W,))
    np.testing.assert_allclose(out, f(Z), rtol=1e-15)
    np.testing.assert_allclose(tangent, directional(f, Z, W), rtol=1e-8, atol=1e-8)
    assert tangent.dtype == out.dtype
    _, pullback = vjp(f, Z)
    w = np.cos(np.arange(np.size(out))).reshape(np.shape(out))[()]
    if out.dtype.kind == "c":
        w = w + 1j * np.sin(w)
    (ct,) = pullback(w)
    assert ct.dtype == complex
    assert np.isclose(dot(w, tangent), dot(ct, W), rtol=1e-12)
    np.testing.assert_allclose(linearize(f, Z)[1](W), tangent)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_order_and_batches(name: str):
    f = FUNCTIONS[name]
    loss = lambda z: np.sum(np.abs(f(z)) ** 2)
    _, tangent = jvp(grad(loss), (Z,), (W,))
    np.testing.assert_allclose(tangent, directional(grad(loss), Z, W), rtol=1e-7, atol=1e-7)
    v = W[::-1] * 1j
    (ct,) = vjp(grad(loss), Z)[1](v)
    assert np.isclose(dot(v, tangent), dot(ct, W), rtol=1e-10)
    (ct,) = vjp(lambda z: jvp(f, (z,), (W,))[1], Z)[1](jvp(f, (Z,), (W,))[1])
    h = lambda z: 0.5 * np.sum(np.abs(jvp(f, (z,), (W,))[1]) ** 2)
    assert np.isclose(dot(ct, v), directional(h, Z, v), rtol=1e-7, atol=1e-7)
    zs = np.stack([Z, W, Z * 0.5])
    np.testing.assert_allclose(vmap(f)(zs), np.stack([f(z) for z in zs]), rtol=1e-13)
    np.testing.assert_allclose(vmap(grad(loss))(zs), np.stack([grad(loss)(z) for z in zs]), rtol=1e-11)


def test_gradient_of_a_real_function():
    """∂f/∂x + i ∂f/∂y, the direction of steepest ascent."""
    assert np.isclose(grad(lambda z: np.abs(z) ** 2)(3.0 + 4.0j), 6.0 + 8.0j)
    assert grad(lambda z: z.real)(1.0 + 1.0j) == 1.0
    assert grad(lambda z: z.imag)(1.0 + 1.0j) == 1.0j
    assert np.isclose(grad(np.abs)(3.0 + 4.0j), 0.6 + 0.8j)
    z = Z
    for _ in range(200):
        z = z - 0.1 * grad(lambda z: np.sum(np.abs(z - W) ** 2))(z)
    np.testing.assert_allclose(z, W)


def test_holomorphic_derivatives():
    f = lambda z: np.exp(z) * z**2
    z = 0.3 + 0.8j
    exact = np.exp(z) * (z**2 + 2 * z)
    assert np.isclose(grad(f, holomorphic=True)(z), exact)
    assert np.isclose(derivative(f, z), exact)
    assert np.isclose(derivative(f, z, order=2), np.exp(z) * (z**2 + 4 * z + 2))
    assert np.isclose(grad(grad(f, holomorphic=True), holomorphic=True)(z), np.exp(z) * (z**2 + 4 * z + 2))
    for jac in (jacfwd, jacrev, wengert.jacobian):
        np.testing.assert_allclose(jac(lambda z: f(z), holomorphic=True)(Z), np.diag(np.exp(Z) * (Z**2 + 2 * Z)))
    h = hessian(lambda z: np.sum(z**3), holomorphic=True)(Z)
    np.testing.assert_allclose(h, np.diag(6 * Z))


def test_errors_name_the_ways_out():
    with pytest.raises(OutputError, match="holomorphic"):
        grad(lambda z: z * z)(1.0 + 1.0j)
    with pytest.raises(OutputError, match="holomorphic"):
        jacrev(lambda z: z * z)(Z)
    with pytest.raises(OutputError, match="holomorphic"):
        jacfwd(lambda z: z * z)(Z)
    with pytest.raises(OutputError, match="complex"):
        grad(lambda x: x * x, holomorphic=True)(1.0)


def test_real_function_through_complex_numbers():
    """A real variable, complex in between: the imaginary parts of cotangents are dropped where they must."""
    x = np.array([0.3, -0.8, 1.2])

    def f(x: Any) -> Any:
        z = np.exp(1j * x) * (x + 2j)
        return np.sum(np.abs(z) ** 2 + z.real * z.imag)

    v = np.array([1.0, 0.5, -1.0])
    g = grad(f)(x)
    assert g.dtype == float
    assert np.isclose(g @ v, directional(f, x, v), rtol=1e-9)
    assert np.isclose(jvp(f, (x,), (v,))[1], g @ v)
    np.testing.assert_allclose(hessian(f)(x) @ v, directional(grad(f), x, v), rtol=1e-8)


def test_complex_single_precision_is_kept():
    z = Z.astype(np.complex64)
    f = lambda z: np.exp(1j * z) * np.abs(z) + z.real
    out, tangent = jvp(f, (z,), (z,))
    assert out.dtype == tangent.dtype == np.complex64
    assert vjp(f, z)[1](out)[0].dtype == np.complex64
    assert grad(lambda z: np.sum(np.abs(z)))(z).dtype == np.complex64
    x = z.real
    assert grad(lambda x: np.sum(np.abs(x * z)))(x).dtype == np.float32


def test_linear_system_in_complex_arithmetic():
    A = np.array([[2.0 + 1j, 0.5j], [-0.3, 1.5 - 0.5j]])
    b = Z[:2]
    f = lambda A, b: np.sum(np.abs(np.linalg.solve(A, b)) ** 2)
    gA, gb = grad(f, argnums=(0, 1))(A, b)
    dA, db = np.array([[0.1, 1j], [0.3 - 0.2j, 0.5]]), W[:2]
    numeric = (f(A + 1e-6 * dA, b + 1e-6 * db) - f(A - 1e-6 * dA, b - 1e-6 * db)) / 2e-6
    assert np.isclose(dot(gA, dA) + dot(gb, db), numeric, rtol=1e-7)


@pytest.mark.parametrize("f", [np.arcsin, np.arccos, np.arctanh, np.arccosh, np.sqrt, np.log])
@pytest.mark.parametrize("x", [2.1, -2.1])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_both_sides_of_branch_cuts(f, x, zero):
    """The sign of a zero imaginary part says on which side of the cut a number lies."""
    h = 1e-5
    slope = (f(complex(x + h, zero)) - f(complex(x - h, zero))) / (2 * h)
    z = np.complex128(complex(x, zero))
    np.testing.assert_allclose(derivative(f, z), slope, rtol=1e-8)
    y = np.complex128(complex(zero, x))
    slope = (np.arcsinh(complex(zero, x + h)) - np.arcsinh(complex(zero, x - h))) / (2j * h)
    np.testing.assert_allclose(derivative(np.arcsinh, y), slope, rtol=1e-8)
