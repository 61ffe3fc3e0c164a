"""Random programs of expressions, reductions, indexing and in-place writes: all transforms against each other.

A program is a list of instructions, each of which reads arrays of length N (or scalars) and appends a new one or writes
into an existing one. The instructions are smooth where the drawn values go, so that finite differences hold.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

import wengert
from wengert import grad, hvp, jvp, linearize, vjp, vmap

N = 4
_TIMES = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 1
MATRIX = np.cos(np.arange(N * N, dtype=float)).reshape(N, N)

UNARY: list[Callable[[Any], Any]] = [
    np.sin,
    np.cos,
    np.tanh,
    np.arctan,
    np.square,
    np.negative,
    lambda x: np.exp(-x * x),
    lambda x: np.sqrt(1.0 + x * x),
    lambda x: np.log(2.0 + np.cos(x)),
    lambda x: np.log1p(x**2),
    lambda x: 1.0 / (2.0 + x * x),
    lambda x: x**3,
    lambda x: 2.0**x,
    lambda x: np.arcsinh(x),
    lambda x: np.expm1(-np.abs(1.5 + x * x)),
    lambda x: np.sinc(0.2 * x),
    lambda x: 3.0 - x / 4.0,
    lambda x: np.cbrt(2.0 + x * x),
    lambda x: (1j * x + x).imag * x,
    lambda x: np.abs(np.exp(1j * x) + 2.0 + 0.5j * x),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    np.add,
    np.subtract,
    np.multiply,
    lambda x, y: x / (2.0 + y * y),
    lambda x, y: np.hypot(x, 1.0 + y * y),
    np.logaddexp,
    lambda x, y: np.arctan2(x, 2.0 + np.sin(y)),
    lambda x, y: (1.0 + x * x) ** np.tanh(y),
    lambda x, y: np.where(np.arange(N) % 2 == 0, x, x * y),
    lambda x, y: np.maximum(x * 0.0 + 1.0, 0.5) * y,
    lambda x, y: x + np.sum(x * y),
    lambda x, y: np.stack([x * np.ones(N), y * np.ones(N)]).prod(axis=0),
]
ON_ARRAYS: list[Callable[[Any], Any]] = [
    lambda x: MATRIX @ x,
    lambda x: x @ MATRIX,
    lambda x: x[::-1],
    lambda x: np.roll(x, 1),
    lambda x: x[[0, 0, 3, 1]],
    lambda x: x[np.array([True, False, True, True])][[0, 1, 2, 0]],
    lambda x: np.concatenate([x[2:], x[:2]]),
    lambda x: np.cumsum(x) * 0.5,
    lambda x: np.cumprod(1.0 + 0.1 * x),
    lambda x: np.outer(x, np.sin(x))[1],
    lambda x: (x[:, None] * x[None, :]).sum(axis=0) * 0.2,
    lambda x: x.reshape(2, 2).T.ravel(),
    lambda x: np.einsum("ij,j,j->i", MATRIX, x, x) * 0.3,
    lambda x: np.linalg.solve(4.0 * np.eye(N) + 0.1 * np.outer(x, x), x),
    lambda x: np.diff(x, append=0.5),
    lambda x: x - np.mean(x),
    lambda x: x / np.sqrt(1.0 + np.sum(x * x)),
]
TO_SCALAR: list[Callable[[Any], Any]] = [
    np.sum,
    lambda x: x[1],
    lambda x: x @ x * 0.3,
    lambda x: np.prod(1.0 + 0.2 * x),
    lambda x: np.linalg.norm(x + 3.0),
    np.mean,
    lambda x: np.log(np.sum(np.exp(x))),
]


def set_item(y: Any, x: Any) -> None:
    y[1] = np.sum(x)


def set_slice(y: Any, x: Any) -> None:
    y[1:3] = x


def shift(y: Any, x: Any) -> None:
    y[1:] = y[:-1]


def add_in_place(y: Any, x: Any) -> None:
    y += x


def multiply_in_place(y: Any, x: Any) -> None:
    y *= np.cos(x)


def write_fancy(y: Any, x: Any) -> None:
    y[[0, 2, 0]] = np.sin(x)


def add_at(y: Any, x: Any) -> None:
    np.add.at(y, [1, 1, 3], np.tanh(x))


def through_view(y: Any, x: Any) -> None:
    view = y.reshape(2, 2)[:, ::-1]
    view[0] *= 0.5
    view[1, 0] = view[0, 1] * x


def masked(y: Any, x: Any) -> None:
    y[np.array([True, False, False, True])] -= x


def out_keyword(y: Any, x: Any) -> None:
    np.multiply(y, 0.5 + x * 0.1, out=y)


def loop(y: Any, x: Any) -> None:
    for i in range(1, N):
        y[i] = 0.5 * y[i - 1] + np.sin(y[i])


# The second argument is a scalar.
WRITES: list[Callable[[Any, Any], None]] = [
    set_item,
    set_slice,
    shift,
    add_in_place,
    multiply_in_place,
    write_fancy,
    add_at,
    through_view,
    masked,
    out_keyword,
    loop,
]

Instruction = tuple[str, int, int, int]
PROGRAMS = st.lists(
    st.tuples(
        st.sampled_from(["unary", "binary", "array", "scalar", "write", "view"]),
        st.integers(0, 1000),
        st.integers(0, 1000),
        st.integers(0, 1000),
    ),
    min_size=1,
    max_size=12,
)
POINTS = st.lists(st.integers(-20, 20), min_size=2 * N, max_size=2 * N).map(lambda v: np.array(v) / 13.0 + 0.017)


def run(program: list[Instruction], x: Any) -> Any:
    """Interpret a program; a scalar."""
    arrays: list[Any] = [x, x * x * 0.5]
    scalars: list[Any] = [np.float64(0.7), x[0]]
    for kind, which, a, b in program:
        p, q = arrays[a % len(arrays)], arrays[b % len(arrays)]
        s = scalars[b % len(scalars)]
        if kind == "unary":
            arrays.append(bounded(UNARY[which % len(UNARY)](p)))
        elif kind == "binary":
            arrays.append(bounded(BINARY[which % len(BINARY)](p, q if which % 2 else s)))
        elif kind == "array":
            arrays.append(bounded(ON_ARRAYS[which % len(ON_ARRAYS)](p)))
        elif kind == "scalar":
            scalars.append(bounded(TO_SCALAR[which % len(TO_SCALAR)](p)))
        elif kind == "view":
            arrays.append(p[::-1] if which % 2 else p.reshape(2, 2).T.reshape(-1))
        else:
            WRITES[which % len(WRITES)](p, s)
            p *= 1.0 / np.sqrt(1.0 + 0.1 * np.sum(p * p))
    return sum(np.sum(np.sin((k + 1.0) * y)) for k, y in enumerate(arrays)) + sum(scalars) * 0.5


def bounded(y: Any) -> Any:
    """Keep values moderate, smoothly."""
    return y / np.sqrt(1.0 + 0.05 * y * y)


def five_points(f: Callable[[Any], Any], x: np.ndarray, v: np.ndarray) -> Any:
    h = 3e-4
    return (8 * (f(x + h * v) - f(x - h * v)) - (f(x + 2 * h * v) - f(x - 2 * h * v))) / (12 * h)


def close(a: Any, b: Any, tolerance: float, scale: float = 1.0) -> None:
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, scale))


@settings(max_examples=150 * _TIMES)
@given(PROGRAMS, POINTS)
def test_first_order(program: list[Instruction], point: np.ndarray):
    x, v = point[:N], point[N:]
    f = lambda x: run(program, x)
    value = f(x.copy())
    out, dot = jvp(f, (x,), (v,))
    close(out, value, 1e-14)
    out, pullback = vjp(f, x)
    close(out, value, 1e-14)
    (g,) = pullback(1.0)
    scale = float(np.sum(np.abs(g)))
    close(dot, five_points(f, x, v), 1e-6, scale)
    close(g @ v, dot, 1e-11, scale)
    close(linearize(f, x)[1](v), dot, 1e-12, scale)
    xs = np.stack([x, v, x + v])
    close(vmap(f)(xs), [f(y.copy()) for y in xs], 1e-11)
    close(vmap(grad(f))(xs)[0], g, 1e-10, scale)
    close(vmap(lambda y: jvp(f, (y,), (v,))[1])(xs)[0], dot, 1e-10, scale)
    close(grad(wengert.checkpoint(f))(x), g, 1e-11, scale)
    np.testing.assert_array_equal(point[:N], x)


@settings(max_examples=60 * _TIMES)
@given(PROGRAMS, POINTS)
def test_second_order(program: list[Instruction], point: np.ndarray):
    x, v = point[:N], point[N:]
    f = lambda x: run(program, x)
    forward_over_reverse = hvp(f, (x,), (v,))
    scale = float(np.sum(np.abs(forward_over_reverse)))
    close(forward_over_reverse, five_points(grad(f), x, v), 1e-5, scale)
    close(vjp(grad(f), x)[1](v)[0], forward_over_reverse, 1e-9, scale)
    close(grad(lambda y: jvp(f, (y,), (v,))[1])(x), forward_over_reverse, 1e-9, scale)
    close(jvp(lambda y: jvp(f, (y,), (v,))[1], (x,), (v,))[1], forward_over_reverse @ v, 1e-9, scale)
    close(linearize(grad(f), x)[1](v), forward_over_reverse, 1e-9, scale)
    batch = vmap(lambda y, u: hvp(f, (y,), (u,)))(np.stack([x, v]), np.stack([v, x]))
    close(batch[0], forward_over_reverse, 1e-9, scale)


@settings(max_examples=25 * _TIMES)
@given(PROGRAMS, POINTS)
def test_third_order(program: list[Instruction], point: np.ndarray):
    x, v = point[:N], point[N:]
    f = lambda x: run(program, x)
    third = jvp(lambda y: hvp(f, (y,), (v,)), (x,), (v,))[1] @ v
    along = wengert.derivative(lambda t: f(x + t * v), 0.0, order=3)
    close(third, along, 1e-8, abs(float(along)))
    mixed = wengert.derivative(lambda t: hvp(f, (x + t * v,), (v,)) @ v, 0.0)
    close(mixed, along, 1e-8, abs(float(along)))
