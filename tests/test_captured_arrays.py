"""Plain arrays that a computation has used and that are overwritten before its backward sweep."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
from wengert import grad, jvp, linearize, vjp, vmap

# Below and above the size from which on the list compares snapshots instead of copying each time (16 KiB).
SIZES = pytest.mark.parametrize("n", [1, 5, 2048, 2049, 50_000])

USES: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "multiply": lambda x, c: x * c,
    "multiply from the left": lambda x, c: c * x,
    "divide": lambda x, c: x / c,
    "divide from the left": lambda x, c: c / x,
    "power": lambda x, c: x**c,
    "base": lambda x, c: c**x,
    "arctan2": lambda x, c: np.arctan2(x, c),
    "maximum": lambda x, c: np.maximum(x, c),
    "dot": lambda x, c: x @ c,
    "dot from the left": lambda x, c: c @ x,
    "einsum": lambda x, c: np.einsum("i,i->i", x, c),
    "outer": lambda x, c: np.outer(x[:2], c),
    "where": lambda x, c: np.where(c > 1.0, x, 0.0),
    "convolve": lambda x, c: np.convolve(x[:3], c[:3]),
    "in place": lambda x, c: np.multiply(x, c, out=x),
    "a view": lambda x, c: x * c[::-1],
    "a reshaped view": lambda x, c: x * c.reshape(1, -1),
    "a slice": lambda x, c: x[1:] * c[1:],
}


def start(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(0.5, 2.0, n), np.linspace(0.6, 1.7, n) ** 2


@SIZES
@pytest.mark.parametrize("use", USES)
def test_overwritten_after_use(use: str, n: int):
    x, c = start(n)

    def f(x: Any) -> Any:
        return np.sum(np.sin(USES[use](x * 1.0, c)))

    def careless(x: Any) -> Any:
        out = f(x)
        c[...] = -77.0
        return out

    expected = grad(f)(x)
    dot = jvp(f, (x,), (x,))[1]
    kept = c.copy()
    np.testing.assert_allclose(grad(careless)(x), expected)
    assert c[0] == -77.0
    c[...] = kept
    np.testing.assert_allclose(jvp(careless, (x,), (x,))[1], dot)
    c[...] = kept
    np.testing.assert_allclose(linearize(careless, x)[1](x), dot)
    c[...] = kept
    second = jvp(grad(f), (x,), (x,))[1]
    np.testing.assert_allclose(jvp(grad(careless), (x,), (x,))[1], second)
    c[...] = kept
    _, pullback = vjp(f, x)
    c[...] = -77.0  # after the function has returned, before the sweep
    np.testing.assert_allclose(pullback(1.0)[0], expected)


@SIZES
def test_overwritten_between_two_uses(n: int):
    x, c = start(n)

    def f(x: Any, c: np.ndarray) -> Any:
        total = 0.0
        for k in range(4):
            total = total + np.sum(x * c * x)
            c += k  # in place: each term has seen another array
            total = total + np.sum(np.sin(x) * c[::-1])
            c[0] *= -1.0
        return total

    h = 1e-5
    v = np.cos(np.arange(n))
    numeric = (f(x + h * v, c.copy()) - f(x - h * v, c.copy())) / (2 * h)
    np.testing.assert_allclose(grad(f)(x, c.copy()) @ v, numeric, rtol=1e-6)
    np.testing.assert_allclose(jvp(lambda x: f(x, c.copy()), (x,), (v,))[1], numeric, rtol=1e-6)


@pytest.mark.parametrize("n", [5, 50_000])
def test_base_of_a_captured_view_overwritten(n: int):
    x, c = start(n)
    view = c[1:]

    def f(x: Any) -> Any:
        out = np.sum(x[1:] * x[1:] * view)
        c[2] = 1e6
        return out

    expected = 2 * x[1:] * view
    np.testing.assert_allclose(grad(f)(x)[1:], expected)


@pytest.mark.parametrize("n", [4, 40_000])
def test_index_arrays_and_masks_overwritten(n: int):
    x = np.linspace(0.5, 2.0, n)
    index, mask = np.arange(n)[::-1].copy(), np.arange(n) % 2 == 0

    def f(x: Any) -> Any:
        y = x * x
        a = np.sum(y[index] * np.arange(n))
        b = np.sum(y[mask])
        c = np.sum(np.where(mask, y, 2.0 * y))
        z = x * 1.0
        z[index] = y
        z[mask] = x[mask] * 3.0
        return a + b + c + np.sum(z * np.arange(n))

    def careless(x: Any) -> Any:
        out = f(x)
        index[...] = 0
        mask[...] = True
        return out

    expected = grad(f)(x)
    second = jvp(grad(f), (x,), (x,))[1]
    np.testing.assert_allclose(grad(careless)(x), expected)
    index[...], mask[...] = np.arange(n)[::-1], np.arange(n) % 2 == 0
    np.testing.assert_allclose(jvp(grad(careless), (x,), (x,))[1], second)
    index[...], mask[...] = np.arange(n)[::-1], np.arange(n) % 2 == 0
    _, pullback = vjp(f, x)
    index[...], mask[...] = 0, False
    np.testing.assert_allclose(pullback(1.0)[0], expected)


@pytest.mark.parametrize("n", [4, 40_000])
def test_argument_overwritten_between_value_and_sweep(n: int):
    x = np.linspace(0.5, 2.0, n)
    y, pullback = vjp(lambda x: np.sin(x) * x, x)
    _, pushforward = linearize(lambda x: np.sin(x) * x, x)
    expected = np.cos(x) * x + np.sin(x)
    x[...] = 99.0
    np.testing.assert_allclose(pullback(np.ones(n))[0], expected)
    np.testing.assert_allclose(pushforward(np.ones(n)), expected)
    y[...] = 0.0  # the result is the caller's, too
    np.testing.assert_allclose(pullback(np.ones(n))[0], expected)


@pytest.mark.parametrize("n", [4, 40_000])
def test_nested_levels_see_what_was_there(n: int):
    x, c = start(n)

    def f(x: Any) -> Any:
        def g(y: Any) -> Any:
            out = np.sum(y * y * c * x)
            c[...] *= 2.0
            return out

        return np.sum(grad(g)(x) * c)  # 2 x² c · 2 c

    kept = c.copy()
    np.testing.assert_allclose(grad(f)(x), 8 * x * kept**2)
    c[...] = kept
    np.testing.assert_allclose(jvp(f, (x,), (np.ones(n),))[1], np.sum(8 * x * kept**2))


def test_overwritten_under_vmap():
    x = np.linspace(0.5, 2.0, 12).reshape(4, 3)
    c = np.array([1.0, 2.0, 3.0])

    def f(x: Any) -> Any:
        out = np.sum(x * x * c)
        c[...] = 0.0
        return out

    np.testing.assert_allclose(vmap(grad(f))(x), 2 * x * [1.0, 2.0, 3.0])


def test_buffers_reused_in_a_loop():
    """The pattern of numerical codes: a work array, overwritten in every step."""
    x = np.linspace(0.5, 2.0, 3000)
    work = np.empty(3000)

    def f(x: Any) -> Any:
        y = x
        for k in range(5):
            np.multiply(np.linspace(-1.0, 1.0, 3000), 1.0 / (k + 1), out=work)
            y = np.sin(y) + y * work
        return np.sum(y)

    def clean(x: Any) -> Any:
        y = x
        for k in range(5):
            y = np.sin(y) + y * (np.linspace(-1.0, 1.0, 3000) / (k + 1))
        return np.sum(y)

    np.testing.assert_allclose(grad(f)(x), grad(clean)(x))


def test_equal_large_constants_share_one_snapshot():
    """A matrix that is used in every step of a loop is copied once, not once per step."""
    A = np.eye(100) * 0.5
    x = np.ones(100)

    def f(x: Any) -> Any:
        for _ in range(50):
            x = A @ x
        return np.sum(x)

    grad(f)(x)
    tracemalloc.start()
    grad(f)(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * A.nbytes


def test_mutated_dict_and_list_constants():
    c = {"a": np.array([1.0, 2.0])}

    def f(x: Any) -> Any:
        out = np.sum(x * x * c["a"])
        c["a"] += 10.0
        return out

    np.testing.assert_allclose(grad(f)(np.array([1.0, 1.0])), [2.0, 4.0])


def test_scalars_in_0d_arrays():
    c = np.array(3.0)

    def f(x: Any) -> Any:
        out = x * x * c
        c[...] = 100.0
        return out

    assert grad(f)(2.0) == 12.0
    c[...] = 3.0
    assert wengert.hessian(f)(2.0) == 6.0


def test_concrete_arrays_of_the_namespace_are_overwritten():
    """Arrays made inside the function by wengert.numpy, which it may write to at any time."""
    x = np.array([1.0, 2.0, 3.0])

    def f(x: Any) -> Any:
        c = wengert.numpy.ones(3)
        c[0] = 5.0
        out = np.sum(x * x * c)
        c[:] = 7.0
        out = out + np.sum(x * x * x * c)
        c *= 0.0
        c[1] = x[1]
        return out + np.sum(c * c)

    np.testing.assert_allclose(grad(f)(x), 2 * x * [5, 1, 1] + 21 * x**2 + [0, 4, 0])
    np.testing.assert_allclose(jvp(f, (x,), (x,))[1], np.sum(x * grad(f)(x)))
