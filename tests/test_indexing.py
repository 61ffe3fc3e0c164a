"""Reading and writing by index on Arrays: NumPy's semantics case by case, with derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
from wengert import grad, jvp, vjp, vmap

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
V = np.array([[1.0, -1.0, 2.0], [0.5, 3.0, -2.0], [1.0, 1.0, -3.0]])


def check(f: Callable[[Any], Any], x: np.ndarray = X, v: np.ndarray | None = None) -> Any:
    """Compare a program with itself on plain NumPy: value, both modes, vmap. Returns the value."""
    v = np.resize(V, x.shape) if v is None else v
    expected = f(x.copy())
    out, dot = jvp(f, (x,), (v,))
    np.testing.assert_array_equal(out, expected)
    assert np.shape(out) == np.shape(expected)
    h = 1e-3
    numeric = (8 * (f(x + h * v) - f(x - h * v)) - (f(x + 2 * h * v) - f(x - 2 * h * v))) / (12 * h)
    np.testing.assert_allclose(dot, numeric, rtol=1e-7, atol=1e-8)
    out, pullback = vjp(f, x)
    np.testing.assert_array_equal(out, expected)
    w = np.cos(np.arange(np.size(out), dtype=float)).reshape(np.shape(out))[()]
    (ct,) = pullback(w)
    np.testing.assert_allclose(np.sum(ct * v), np.sum(w * dot), rtol=1e-10, atol=1e-10)
    examples = np.stack([x, x + v, 2 * x])
    np.testing.assert_array_equal(vmap(f)(examples), np.stack([f(e.copy()) for e in examples]))
    batch = vmap(lambda e: vjp(f, e)[1](w)[0])(examples)
    np.testing.assert_allclose(batch, np.stack([vjp(f, e)[1](w)[0] for e in examples]), rtol=1e-12, atol=1e-12)
    second = jvp(grad(lambda y: np.sum(f(y) ** 2)), (x,), (v,))[1]
    np.testing.assert_allclose(
        np.sum(second * v), np.sum(vjp(grad(lambda y: np.sum(f(y) ** 2)), x)[1](v)[0] * v), rtol=1e-10, atol=1e-9
    )
    return out


# Reading -------------------------------------------------------------------------------------------------------------

READS: dict[str, Callable[[Any], Any]] = {
    "element": lambda x: x[1, 2],
    "negative element": lambda x: x[-1, -2],
    "row": lambda x: x[1],
    "column": lambda x: x[:, 1],
    "negative step": lambda x: x[::-1, ::-2],
    "ellipsis": lambda x: x[..., 0],
    "newaxis": lambda x: x[:, None, 1:],
    "newaxis after ellipsis": lambda x: x[..., None],
    "empty slice": lambda x: x[3:],
    "backwards slice": lambda x: x[2:0:-1],
    "out of range slice": lambda x: x[-10:10],
    "list": lambda x: x[[2, 0, 2]],
    "empty list": lambda x: x[[]],
    "2-d array": lambda x: x[np.array([[0, 1], [2, 0]])],
    "pairs": lambda x: x[[0, 1, 2], [2, 1, 1]],
    "outer": lambda x: x[np.ix_([0, 2], [1, 0])],
    "mask": lambda x: x[np.array([[True, False, True]] * 3)],
    "row mask": lambda x: x[np.array([True, False, True])],
    "list mask": lambda x: x[[True, False, True]],
    "empty mask": lambda x: x[np.zeros(3, bool)],
    "mask and slice": lambda x: x[np.array([True, False, True]), 1:],
    "int and mask": lambda x: x[0, np.array([True, False, True])],
    "mask and array": lambda x: x[np.array([True, False, True]), np.array([0, 2])],
    "true": lambda x: x[True],
    "false": lambda x: x[False],
    "0-d integer array": lambda x: x[np.array(1)],
    "NumPy integer": lambda x: x[np.int64(1), np.int32(-1)],
    "array slice array": lambda x: x.reshape(3, 3, 1)[[0, 1], :, [0, 0]],
    "tuple of slices": lambda x: x[(slice(1, None), slice(None, 2))],
    "float array bounds": lambda x: x[np.int64(1) : np.int64(3)],
}


@pytest.mark.parametrize("name", READS)
def test_reading(name: str):
    check(lambda x: 1.0 * READS[name](x))


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (3, IndexError),
        ((0, 3), IndexError),
        ((0, 0, 0), IndexError),
        (1.0, IndexError),
        ([0, 3], IndexError),
        (np.array([0.0, 1.0]), IndexError),
        (np.array([]), IndexError),
        (np.zeros(2, bool), IndexError),
        (np.zeros((3, 2), bool), IndexError),
        ("a", IndexError),
        (([0, 1], [0, 1, 2]), IndexError),
        ((Ellipsis, Ellipsis), IndexError),
    ],
    ids=str,
)
def test_wrong_indices_raise_what_numpy_raises(key: Any, kind: type[Exception]):
    with pytest.raises(kind):
        X[key]
    for transform in (grad, vmap, lambda f: lambda x: jvp(f, (x,), (x,))):
        for f in (lambda x: np.sum(x[key]), lambda x: x.__setitem__(key, 0.0)):
            with pytest.raises(kind):
                transform(f)(X[None] if transform is vmap else X)


def test_shape_errors():
    def assign(x: Any) -> Any:
        x[0] = np.ones(2)
        return np.sum(x)

    def in_place(x: Any) -> Any:
        x += np.ones((2, 3, 3))
        return np.sum(x)

    def traced(x: Any) -> Any:
        x[0] = x[1, :2]
        return np.sum(x)

    for f in (assign, in_place, traced):
        with pytest.raises(ValueError, match=r"broadcast"):
            f(X.copy())
        with pytest.raises(ValueError, match=r"broadcast"):
            grad(f)(X)
        with pytest.raises(ValueError, match=r"broadcast"):
            jvp(f, (X,), (V,))


# Writing -------------------------------------------------------------------------------------------------------------


def program(statement: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that squares, runs a statement on the result, and returns it."""

    def f(x: Any) -> Any:
        y = x * x
        result = statement(y)
        return 1.0 * (y if result is None else result)

    return f


def overlap_forwards(y: Any) -> None:
    y[1:] = y[:-1]


def overlap_backwards(y: Any) -> None:
    y[:-1] = y[1:]


def reverse_in_place(y: Any) -> None:
    y[:] = y[::-1]


def add_transpose(y: Any) -> None:
    y += y.T


def add_shifted(y: Any) -> None:
    y[1:] += y[:-1]


def diagonal_of_itself(y: Any) -> None:
    y[[0, 1, 2], [0, 1, 2]] = y[0]


def multiply_by_view(y: Any) -> None:
    y *= y[0]


def swap_rows(y: Any) -> None:
    y[0], y[1] = y[1].copy(), y[0].copy()


def swap_rows_as_numpy_does(y: Any) -> None:
    y[0], y[1] = y[1], y[0]  # both are views, so that row 0 is lost


def fancy_swap(y: Any) -> None:
    y[[0, 1]] = y[[1, 0]]


def duplicates(y: Any) -> None:
    y[[0, 0]] = np.stack([y[1], y[2]])


def duplicates_broadcast(y: Any) -> None:
    y[[1, 0, 1]] = y[2] * 2


def duplicates_add(y: Any) -> None:
    y[[0, 0, 1]] += y[2]  # each row once


def add_at(y: Any) -> None:
    np.add.at(y, [0, 0, 1], y[2] * 1.0)


def multiply_at(y: Any) -> None:
    np.multiply.at(y, ([0, 0], [1, 1]), np.array([2.0, 3.0]))


def scalar_in(y: Any) -> None:
    y[1, 1] = y[0, 0] * y[2, 2]


def number_in(y: Any) -> None:
    y[1] = 7


def mask_in(y: Any) -> None:
    y[y > 20] = y[0, 1]


def mask_values(y: Any) -> None:
    y[y > 20] = y[y > 20] / 2


def through_view(y: Any) -> None:
    v = y[1:]
    v[0] = y[0] * 3
    v *= 2


def through_view_of_view(y: Any) -> None:
    v = y.T[1:].ravel()[::2]  # ravel copies here
    v[0] = 100
    w = y[::-1].T[0]
    w[1:] = w[0]


def through_reshape(y: Any) -> None:
    flat = y.reshape(-1)
    flat[::4] = 0
    flat[1] = flat[2] * flat[3]


def seen_by_view(y: Any) -> Any:
    v = y[0]
    y[0, 1] = 50
    y *= 2
    return np.concatenate([v, y[0]])


def read_before_write(y: Any) -> Any:
    s = y[0, 0]
    row = y[1].copy()
    y[:] = 0
    return np.stack([s, row[1], y[1, 1]])


def row_after_row(y: Any) -> None:
    for i in range(1, 3):
        y[i] += y[i - 1] * 0.5


def iterate(y: Any) -> None:
    for row in y:
        row[0] = row[1] * row[2]


def newaxis_write(y: Any) -> None:
    y[None, 0] = y[1]
    y[..., None][1] = 2.0


def augmented_views(y: Any) -> None:
    y[1][2] = 9
    y.T[0] -= 1
    y[0:2][1][0] *= y[2, 2]


def out_keyword(y: Any) -> None:
    np.multiply(y, y.T, out=y)
    np.add(y[0], 1.0, out=y[1])


def fill(y: Any) -> None:
    y[1].fill(3.0)
    y[:, 2].fill(y[0, 0])


STATEMENTS = [
    overlap_forwards,
    overlap_backwards,
    reverse_in_place,
    add_transpose,
    add_shifted,
    diagonal_of_itself,
    multiply_by_view,
    swap_rows,
    swap_rows_as_numpy_does,
    fancy_swap,
    duplicates,
    duplicates_broadcast,
    duplicates_add,
    add_at,
    multiply_at,
    scalar_in,
    number_in,
    through_view,
    through_view_of_view,
    through_reshape,
    seen_by_view,
    read_before_write,
    row_after_row,
    iterate,
    newaxis_write,
    augmented_views,
    out_keyword,
    fill,
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.__name__)
def test_writing(statement: Callable[[Any], Any]):
    check(program(statement))


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.__name__)
def test_writing_to_the_argument_itself(statement: Callable[[Any], Any]):
    """The argument may be overwritten, and the caller's array stays as it was."""

    def f(x: Any) -> Any:
        result = statement(x)
        return 1.0 * (x if result is None else result)

    x = X.copy()
    check(f, x)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("statement", [mask_in, mask_values])
def test_writing_through_a_mask_of_the_array_itself(statement: Callable[[Any], Any]):
    f = program(statement)
    _, dot = jvp(f, (X,), (V,))
    _, pullback = vjp(f, X)
    np.testing.assert_array_equal(f(X), vjp(f, X)[0])
    np.testing.assert_allclose(np.sum(pullback(X)[0] * V), np.sum(X * dot))


def test_batched_mask_write():
    def f(x: Any) -> Any:
        y = x * x
        y[y > 20] = 1.0
        return y

    examples = np.stack([X, X + 1, -X])
    expected = np.where(examples**2 > 20, 1.0, examples**2)
    np.testing.assert_array_equal(vmap(f)(examples), expected)
    batch = vmap(grad(lambda x: np.sum(f(x))))(examples)
    np.testing.assert_array_equal(batch, np.where(examples**2 > 20, 0.0, 2 * examples))


def test_batched_mask_read_is_refused():
    with pytest.raises(wengert.errors.UnsupportedOperationError, match=r"np\.where"):
        vmap(lambda x: np.sum(x[x > 2]))(X)


def test_batched_indices():
    x = np.arange(12.0).reshape(4, 3) ** 2
    rows = np.array([2, 0, 3])

    def pick(y: Any, i: Any) -> Any:
        return wengert.numpy.take(y, i, axis=0) * 2

    def put(y: Any, i: Any) -> Any:
        y = y * 1.0
        y[i] = 0.0
        return y

    expected = np.stack([x[i] * 2 for i in rows])
    np.testing.assert_array_equal(vmap(pick, in_axes=(None, 0))(x, rows), expected)
    np.testing.assert_array_equal(vmap(lambda y, i: y[i] * 2)(np.stack([x] * 3), rows), expected)
    filled = vmap(put)(np.stack([x] * 3), rows)
    assert filled.shape == (3, 4, 3)
    for example, i in zip(filled, rows, strict=True):
        np.testing.assert_array_equal(example, put(x.copy(), i))
    g = vmap(grad(lambda y, i: np.sum(pick(y, i) ** 2)), in_axes=(None, 0))(x, rows)
    for example, i in zip(g, rows, strict=True):
        np.testing.assert_array_equal(example, grad(lambda y, i=i: np.sum(pick(y, i) ** 2))(x))
    with pytest.raises(wengert.errors.ConcretizationError):  # a plain array cannot be indexed by a traced integer
        vmap(lambda i: x[i])(rows)


# Scalars and 0-d arrays ----------------------------------------------------------------------------------------------


def test_scalars_are_immutable():
    def f(x: Any) -> Any:
        s = x[0]
        t = s
        s += 1.0
        s *= 10.0
        return s + 1000.0 * t

    x = np.array([2.0, 3.0])
    assert f(x) == jvp(f, (x,), (x,))[0] == 2030.0
    np.testing.assert_array_equal(grad(f)(x), [1010.0, 0.0])
    np.testing.assert_array_equal(vmap(f)(np.stack([x, x])), [2030.0, 2030.0])
    np.testing.assert_array_equal(vmap(grad(f))(np.stack([x, x])), [[1010.0, 0.0]] * 2)


def test_scalars_refuse_item_assignment():
    def assign(x: Any) -> Any:
        s = np.sum(x)
        s[...] = 0.0
        return s

    for f in (grad(assign), lambda x: jvp(assign, (x,), (x,)), lambda x: vmap(assign)(x[None])):
        with pytest.raises(TypeError, match="does not support item assignment"):
            f(np.ones(3))


def test_writes_to_0d_arrays():
    def f(x: Any) -> Any:
        y = (x * 1.0).reshape(())
        z = y
        y[...] = y * y
        y[()] = y * 2.0
        y += 1.0
        return z * 1.0  # z is y

    x = np.array([3.0])
    assert f(x) == 19.0
    assert jvp(f, (x,), (np.ones(1),)) == (19.0, 12.0)
    np.testing.assert_array_equal(grad(f)(x), [12.0])
    np.testing.assert_array_equal(vmap(grad(f))(np.array([[3.0], [1.0]])), [[12.0], [4.0]])
    y = np.array(3.0)

    def in_place(y: Any) -> Any:
        y *= y
        return y * 1.0

    assert jvp(in_place, (y,), (np.array(1.0),)) == (9.0, 6.0)
    assert grad(in_place)(y) == 6.0
    assert y == 3.0


def test_0d_views_write_to_their_base():
    def f(x: Any) -> Any:
        y = x * 1.0
        v = y[0, ...]
        v[...] = 5.0 * y[1]
        v += y[1]
        return y * 1.0

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(f(x), [12.0, 2.0])
    np.testing.assert_array_equal(jvp(f, (x,), (x,))[1], [12.0, 2.0])
    np.testing.assert_array_equal(vjp(f, x)[1](np.ones(2))[0], [0.0, 7.0])
    np.testing.assert_array_equal(vmap(f)(np.stack([x, x])), [[12.0, 2.0]] * 2)


# dtypes ----


def test_writing_keeps_the_dtype_of_the_target():
    def f(x: Any) -> Any:
        y = x.astype(np.float32)
        y[0] = x[1]
        assert y.dtype == np.float32
        y += np.float64(1.0)
        assert y.dtype == np.float32
        return y

    x = np.array([1.0, 2.0, 3.0])
    out, dot = jvp(f, (x,), (x,))
    assert out.dtype == dot.dtype == np.float32
    np.testing.assert_array_equal(dot, [2.0, 2.0, 3.0])
    ct = vjp(f, x)[1](np.ones(3, np.float32))[0]
    assert ct.dtype == np.float64
    np.testing.assert_array_equal(ct, [0.0, 2.0, 1.0])


def test_lossy_writes_are_refused():
    def integers(x: Any) -> Any:
        y = wengert.numpy.zeros(3, int)
        y[0] = x[0]
        return y

    def imaginary(x: Any) -> Any:
        y = wengert.numpy.zeros(3)
        y[0] = x[0] * 1j
        return np.sum(y)

    for f, what in ((integers, "cut off its derivative"), (imaginary, "drop its imaginary part")):
        with pytest.raises(wengert.errors.UnsupportedOperationError, match=what):
            grad(f)(np.ones(3))


def test_plain_arrays_refuse_traced_values():
    def f(x: Any) -> Any:
        y = np.zeros(3)
        y[0] = x[0]
        return np.sum(y)

    for g in (grad(f), lambda x: jvp(f, (x,), (x,)), lambda x: vmap(f)(x[None])):
        with pytest.raises(wengert.errors.ConcretizationError, match=r"wengert\.numpy\.zeros"):
            g(np.ones(3))


def test_complex_parts_are_views():
    z = np.array([1.0 + 2.0j, 3.0 - 1.0j])

    def f(z: Any) -> Any:
        y = z * 1.0
        y.real[0] = 5.0
        y.imag *= 2.0
        y.real = y.real + y.imag
        return y

    expected = f(z)
    out, dot = jvp(f, (z,), (z,))
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(dot, [4.0 + 4.0j, 1.0 - 2.0j])
    w = np.array([1.0 + 1.0j, 2.0 - 1.0j])
    ct = vjp(f, z)[1](w)[0]
    np.testing.assert_allclose(np.sum((np.conj(ct) * z).real), np.sum((np.conj(w) * dot).real))
    infinite = np.array([complex(1.0, np.inf)])

    def write_real(z: Any) -> Any:
        y = z.copy()
        y.real[0] = 5.0
        return y

    np.testing.assert_array_equal(jvp(write_real, (infinite,), (infinite,))[0].real, [5.0])


# What the sweep may overwrite ----------------------------------------------------------------------------------------


def test_cotangent_buffers_are_not_shared():
    """A cotangent that goes to two places is not accumulated into twice."""
    z, x = np.array([1.0 + 1.0j, 2.0]), np.array([1.0, 2.0])

    def f(z: Any, x: Any) -> Any:
        w = x * 3.0
        y = z + x  # hands its complex cotangent to z, and the real part of it to x
        return np.sum(y.real) + np.sum(w)

    gz, gx = grad(f, argnums=(0, 1))(z, x)
    np.testing.assert_array_equal(gz, [1.0, 1.0])
    np.testing.assert_array_equal(gx, [4.0, 4.0])


def test_cotangent_of_the_caller_is_not_overwritten():
    def f(x: Any) -> Any:
        y = x * 1.0
        y[0] = 0.0
        y[1:] += y[:-1]
        return y

    for g in (f, lambda x: x, lambda x: f(x).T, lambda x: f(x)[:2], lambda x: x[1:] + 0.0 * x[:-1]):
        out, pullback = vjp(g, X)
        w = np.ones(np.shape(out))
        (first,) = pullback(w)
        np.testing.assert_array_equal(w, 1.0)
        first[...] = 99.0  # the result belongs to the caller
        np.testing.assert_array_equal(w, 1.0)
        (second,) = pullback(w)
        assert not np.any(second == 99.0)


def test_tangents_of_the_caller_are_not_overwritten():
    def f(x: Any) -> Any:
        x[0] = 0.0
        x[1:] *= 2.0
        return x

    v = V.copy()
    _, dot = jvp(f, (X,), (v,))
    np.testing.assert_array_equal(v, V)
    dot[...] = 99.0
    np.testing.assert_array_equal(v, V)
    _, pushforward = wengert.linearize(f, X)
    dot = pushforward(v)
    dot[...] = 99.0
    np.testing.assert_array_equal(v, V)
    assert not np.any(pushforward(v) == 99.0)


def test_results_do_not_alias_the_arguments():
    for f in (lambda x: x, lambda x: x[1:], lambda x: x.T, lambda x: x.reshape(-1)):
        x = X.copy()
        for out in (vjp(f, x)[0], jvp(f, (x,), (x,))[0], jvp(f, (x,), (x,))[1], wengert.linearize(f, x)[0]):
            out[...] = -1.0
            np.testing.assert_array_equal(x, X)
