"""Compiled maps over examples: blocks of any fill, numbers of any type, arrays of any size."""

import numpy as np
import pytest

from wengert import grad, jacfwd, vmap
from wengert.compiler import tiles
from wengert.compiler.jit import jit


def turned(x, y, on, count):
    """Something from numbers of several types, with results of several sizes."""
    z = np.where(on, x[::-1] * np.sin(y), x + count)
    return z, np.sum(z), on & (count > 2), np.stack([x, z]), count + 1, np.zeros(0)


def data(n, dtype=float):
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, 3)).astype(dtype), rng.normal(size=n).astype(dtype), rng.random(n) < 0.5, np.arange(n)


def assert_same(function, *args):
    tolerance = 1e-13 if args[0].dtype == float else 1e-5
    for own, eager in zip(jit(function)(*args), function(*args), strict=True):
        assert own.dtype == eager.dtype
        np.testing.assert_allclose(own, eager, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("n", [1, 5, 8, 33, 200])
def test_sizes_and_types(n, dtype):
    assert_same(vmap(turned), *data(n, dtype))


@pytest.mark.parametrize("dtype", [float, np.float32, np.int64, np.int16, bool])
@pytest.mark.parametrize("n", [37])
def test_numbers_keep_their_places(dtype, n):
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 100, (n, numbers)).astype(dtype) for numbers in (1, 2, 3, 6, 11)]
    turned = jit(vmap(lambda rows, row: [(r[::-1], r | row[0] if dtype is bool else r + row[0]) for r in rows]))
    other = rng.integers(0, 2, (n, 2)).astype(dtype)
    for x, (back, changed) in zip(rows, turned(rows, other), strict=True):
        np.testing.assert_array_equal(back, x[:, ::-1])
        np.testing.assert_array_equal(changed, x | other[:, :1] if dtype is bool else x + other[:, :1])


def test_array_that_is_mapped_and_whole():
    x = data(20)[0]
    assert_same(lambda x: (vmap(lambda row: row * x[3] + np.sum(row))(x),), x)


def test_large_examples():
    x = np.random.default_rng(0).normal(size=(10, 300))
    assert_same(lambda x: (vmap(lambda row: np.sin(row) * row[0])(x), x), x)


def test_derivatives():
    x, y, *_ = data(50)

    def f(x, y):
        return np.stack([x[0] * x[1] + y, np.sin(x[2]) * y])

    assert_same(vmap(jacfwd(f, argnums=(0, 1))), x, y)
    assert_same(grad(lambda x, y: np.sum(vmap(f)(x, y) ** 2), argnums=(0, 1)), x, y)


def test_block_size():
    def size(shape, examples, dtype=float):
        return tiles.block_size([tiles.Tiled(None, int(np.prod(shape)), np.dtype(dtype))], [], examples)

    assert size((), 1000) == 0
    assert size((3,), 4) == 0
    assert size((3,), 1000) == 64
    assert size((3,), 20) == 24
    assert size((10,), 1000) == 48
    assert size((100,), 1000) == 8
    assert size((256,), 1000) == 8
    assert size((300,), 1000) == 0
