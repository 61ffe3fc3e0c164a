"""Views by strides (`as_strided`, windows that can be written to), and what arrays tell about their memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert.numpy as wnp
from wengert import check_grads, grad, jit, jvp, vjp, vmap
from wengert.errors import UnsupportedOperationError

as_strided = wnp.lib.stride_tricks.as_strided
sliding_window_view = np.lib.stride_tricks.sliding_window_view

X = np.sin(np.arange(16.0)).reshape(4, 4)
WEIGHTS = np.cos(np.arange(16.0)).reshape(4, 4)


def _scaled_diagonal(y: Any) -> Any:
    as_strided(y, (4,), (sum(y.strides),))[:] *= 3.0


def _hankel(y: Any) -> Any:
    """Overlapping elements that are only read."""
    step = y.strides[-1]
    matrix = as_strided(y, (3, 2), (step, step), writeable=False)
    y[0] = matrix @ np.ones(2) @ np.ones(3) * y[1]


def _transposed(y: Any) -> Any:
    as_strided(y, strides=y.strides[::-1])[0] += y[3]


def _reaching_back(y: Any) -> Any:
    row, step = y.strides
    as_strided(y[2, 1:], (2, 2), (-row, step))[1] = 5.0 * y[0, :2]


def _upwards_from_the_end(y: Any) -> Any:
    as_strided(y[::-1, ::-1], (3,), (-y.strides[0],)).sort()


def _writable_windows(y: Any) -> Any:
    w = sliding_window_view(y, 2, axis=1, writeable=True)
    w[:, 0] = y[:, 2:] * 2.0
    w[1, 2] -= y[0, 0]
    w[2, :, 0] = w[3, :, 1]
    w.swapaxes(0, 2)[1, 1:, 0] *= 2.0


def _blocks(y: Any) -> Any:
    row, step = y.strides
    blocks = as_strided(y, (2, 2, 2, 2), (2 * row, 2 * step, row, step))
    blocks *= np.array([[1.0, 2.0], [3.0, 4.0]])[..., None, None]
    blocks[0, 1].T[0] = y[3, :2]
    np.copyto(blocks[1, 1].reshape(4)[:1], y[0, :1])  # a copy: nothing happens


def _of_a_copy(y: Any) -> Any:
    z = y.T.copy()
    as_strided(z, (4,), (sum(z.strides),))[...] = y[0]
    y[1] = z[1] * y[2]


def _single_elements(y: Any) -> Any:
    w = as_strided(y, (2, 4), (2 * y.strides[0], y.strides[1]))
    w[1, 2] = w[0, 1] * y[3, 3]
    w[1, 3] += 1.0


PROGRAMS = [
    _scaled_diagonal,
    _hankel,
    _transposed,
    _reaching_back,
    _upwards_from_the_end,
    _writable_windows,
    _blocks,
    _of_a_copy,
    _single_elements,
]


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("program", PROGRAMS)
def test_as_in_numpy(program, order):
    def f(x: Any) -> Any:
        y = x * 1.0
        program(y)
        return y

    def loss(x: Any) -> Any:
        return np.sum(f(x) ** 2 * WEIGHTS)

    x = np.asarray(X, order=order)
    np.testing.assert_array_equal(vjp(f, x)[0], f(x))
    np.testing.assert_array_equal(jvp(f, (x,), (x,))[0], f(x))
    check_grads(loss, (x,), order=2)
    if order == "C":  # as programs take all arrays to be
        examples = np.stack([x, 2.0 * x, x[::-1]])
        np.testing.assert_allclose(vmap(f)(examples), [f(e.copy()) for e in examples], rtol=1e-14)
        np.testing.assert_allclose(jit(f)(x), f(x), rtol=1e-14)
        np.testing.assert_allclose(jit(grad(loss))(x), grad(loss)(x), rtol=1e-12)
        np.testing.assert_allclose(vmap(grad(loss))(examples)[1], grad(loss)(examples[1]), rtol=1e-12)


def test_parts_of_complex_numbers():
    def f(z: Any) -> Any:
        y = z * 1.0
        as_strided(y, (2,), (2 * y.strides[0],)).imag[:] *= y.real[:2]
        as_strided(y.real, (2, 2), (y.strides[0], 2 * y.strides[0]))[1] = y.imag[1:3]
        return y

    z = np.arange(4.0) + 1j * np.arange(3.0, 7.0)
    np.testing.assert_array_equal(vjp(f, z)[0], f(z))
    check_grads(f, (z,), order=1)


def test_empty_arrays_and_numbers():
    def f(x: Any) -> Any:
        assert as_strided(x[:0], (0, 3), (8, 8)).shape == (0, 3)
        nothing = as_strided(x, (2, 0), (99, 8))
        nothing[...] = 1.0
        zero = as_strided(x[1:], (), ())
        zero[...] = 7.0 * x[0]
        return np.sum(x) + zero

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0])), [15.0, 0.0])


@pytest.mark.parametrize(
    "write",
    [
        lambda w: w.fill(0.0),
        lambda w: w.__imul__(2.0),
        lambda w: w.__setitem__((slice(None), 0), 1.0) or w.__setitem__((slice(2), slice(None)), 1.0),
        lambda w: w[1:].real.__setitem__(Ellipsis, 1.0),
        lambda w: w.__setitem__(([0, 1], [1, 0]), 1.0),
        lambda w: np.add(w, 1.0, out=w),
    ],
)
@pytest.mark.parametrize(
    "windows",
    [
        lambda a: as_strided(a, (4, 2), (a.strides[0], a.strides[0])),
        lambda a: sliding_window_view(a, 2, writeable=True),
    ],
)
@pytest.mark.parametrize("dtype", [float, complex])
def test_writes_that_overlap_are_refused(write, windows, dtype):
    with pytest.raises(UnsupportedOperationError, match="more than once"):
        vjp(lambda a: write(windows(a)), np.ones(5, dtype))


@pytest.mark.parametrize(
    ("shape", "strides"), [((5,), None), ((2, 2), (8, -8)), ((2,), (4,)), ((2, 2), (24, 8)), ((1, 2), (0, 32))]
)
def test_strides_that_lead_outside_are_refused(shape, strides):
    with pytest.raises(UnsupportedOperationError, match="outside of the elements"):
        vjp(lambda a: as_strided(a, shape, strides), np.ones(4))


def test_imaginary_parts_are_outside_of_the_real_part():
    with pytest.raises(UnsupportedOperationError, match="outside of the elements"):
        vjp(lambda z: as_strided(z.real, (4,), (8,)), np.ones(4, complex))


@pytest.mark.parametrize(("shape", "strides"), [((2, 2), (8,)), ((-1,), (8,)), ((2,), (8, 8))])
def test_shapes_and_strides_that_do_not_fit(shape, strides):
    for f in (lambda a: as_strided(a, shape, strides), lambda a: vjp(lambda a: as_strided(a, shape, strides), a)):
        with pytest.raises(ValueError, match=r"strides|shape|negative"):
            f(np.ones(4))


def test_read_only():
    def f(a: Any) -> Any:
        for view in (
            as_strided(a, writeable=False),
            as_strided(np.broadcast_to(a, (2, 4)), (4,), (8,)),
            as_strided(a.reshape(2, 2).diagonal(), (2,), (8,)),
        ):
            assert not view.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                view[0] = 1.0
        return np.sum(a)

    grad(f)(np.ones(4))
    f(np.ones(4))


def test_what_arrays_tell_about_their_memory():
    views = [
        lambda a: a,
        lambda a: a.T,
        lambda a: a[::2, 1:],
        lambda a: a[0, 0],
        lambda a: a[0, 0, ...],
        lambda a: a.diagonal(),
        lambda a: np.broadcast_to(a, (2, 4, 4))[:, 0],
        lambda a: np.copy(a[:, ::-1].T),
        lambda a: a.copy().reshape(2, 8),
        lambda a: sliding_window_view(a, 2, axis=0),
        lambda a: 2.0 * a,
        lambda a: a.imag.T,
        lambda a: as_strided(a, (2, 3), (8, 56)),
    ]
    names = ("c_contiguous", "f_contiguous", "contiguous", "fortran", "writeable", "owndata", "forc", "fnc", "carray")

    def seen(a: Any) -> Any:
        told = []
        for make in views:
            x = make(a)
            flags = [getattr(x.flags, name) for name in names]
            told.append((x.strides, flags, x.flags["C"], x.flags["OWNDATA"], x.flags["WRITEABLE"]))
        return told

    told = []
    for order in "CF":
        a = np.array(X, order=order)
        expected = seen(a)
        vjp(lambda a: told.append(seen(a)) or 1.0, a)
        assert told.pop() == expected
    grad(lambda a: told.append([a.base, a.T[0].base is a, a[0, 0].base, (a * 2.0).base]) or a[0, 0])(X)
    assert told == [[None, True, None, None]]


def test_flags_cannot_be_set():
    def f(a: Any) -> Any:
        with pytest.raises(UnsupportedOperationError, match="cannot be set"):
            a.flags.writeable = False
        with pytest.raises(UnsupportedOperationError, match="cannot be set"):
            a.flags["WRITEABLE"] = False
        return a[0]

    grad(f)(np.ones(2))
