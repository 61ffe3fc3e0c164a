"""What loops would compute several times for the same element is stored, if that is worth it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert
from wengert import config, grad, jit
from wengert.compiler import unroll
from wengert.compiler.plan import Kernel, make_plan
from wengert.compiler.simplify import simplify

X = np.linspace(0.1, 2.0, 2000)
ROWS = np.linspace(0.1, 2.0, 3000).reshape(30, 100)


@pytest.fixture(autouse=True)
def _loops(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "cache_directory", None)
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", -1)


def stencil(x: Any) -> Any:
    y = np.exp(x)
    return y[2:] + 2 * y[1:-1] + y[:-2]


def outer(x: Any) -> Any:
    return np.sum(np.exp(x)[:, None] * np.sin(x)[None, :], axis=0)


def distances(x: Any) -> Any:
    d = np.sqrt(x * x + 1)
    return np.sum(np.abs(d[:, None] - d[None, :]))


def with_itself_transposed(x: Any) -> Any:
    y = np.exp(x[:, :30])
    return y + y.T


def joined(x: Any) -> Any:
    y = np.exp(x)
    return np.concatenate([y, y[::-1], y])


def nested(x: Any) -> Any:
    y = np.exp(np.sin(x) * 2) + 1
    return y[1:] - y[:-1]


def convolved(x: Any) -> Any:
    return np.convolve(np.exp(x), np.array([1.0, 2.0, 1.0]))


@pytest.mark.parametrize(
    ("f", "x", "stored"),
    [
        (stencil, X, ["exp"]),
        (outer, X, ["sin"]),  # the other one does not depend on the innermost loop
        (distances, X, ["sqrt"]),
        (with_itself_transposed, ROWS, ["exp"]),
        (joined, X, ["exp"]),
        (nested, X, ["add"]),  # with all that is inside
        (convolved, X, ["exp"]),
        (lambda x: np.exp(x)[1:] * 2, X, []),  # once for each element
        (lambda x: np.exp(x) + np.exp(x) * 2, X, []),  # in the same place
        (lambda x: np.exp(x)[::3] + np.exp(x)[1::3], X[:1998], []),  # less than once
        (lambda x: (x * 2)[1:] - (x * 2)[:-1], X, []),  # cheap
        (lambda x: x * np.exp(x[0]), X, []),  # a number
        (lambda x: x * np.exp(x[:, :1]), ROWS, []),  # a number for each row
        (lambda x: np.concatenate([np.exp(x), np.sin(x)]), X, []),
        (lambda x: np.exp(x)[1:] + np.exp(x)[:-1], X[:100], []),  # too few
    ],
)
def test_what_is_stored(f: Any, x: Any, stored: list[str]):
    plan = make_plan(simplify(wengert.program(f)(x)))
    results = set(plan.program.outputs)
    kernels = [step for step in plan.steps if isinstance(step, Kernel)]
    found = [plan.definitions[v].primitive.name for k in kernels for v in k.stores if v not in results]
    assert found == stored
    np.testing.assert_allclose(jit(f)(x), f(x), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("f", [stencil, outer, distances, joined, nested, convolved])
def test_derivatives(f: Any):
    g = grad(lambda x: np.sum(np.sin(f(x))))
    np.testing.assert_allclose(jit(g)(X[:700]), g(X[:700]), rtol=1e-9, atol=1e-9)


def test_of_empty_arrays():
    def f(x: Any, s: Any) -> Any:
        x[:, 0:0] += np.sin(np.sum(s))
        return x, np.exp(s)[:, None] * np.zeros((2, 3, 0)), np.exp(x[:, :0]) + 1.0

    x, s = np.ones((2, 3)), np.ones(3)
    for actual, expected in zip(jit(f)(x, s), f(x, s), strict=True):
        np.testing.assert_allclose(actual, expected)


def test_writes_in_place_stay_in_place():
    def f(x: Any) -> Any:
        y = np.exp(x)
        for _ in range(3):
            y[1:-1] += 0.1 * np.sin(y[2:] - y[:-2])
        return y

    np.testing.assert_allclose(jit(f)(X), f(X), rtol=1e-12)
