"""Compiled products of matrices with a narrow right factor."""

import numpy as np
import pytest

from wengert import config, grad
from wengert.compiler import products
from wengert.compiler.jit import jit
from wengert.compiler.plan import Product


def narrow(jitted):
    """Whether the products of a compiled function are written as loops."""
    ((flat, _),) = jitted.flat.values()
    (executable,) = flat.executables.values()
    return [products.is_narrow(step) for step in executable.plan.steps if isinstance(step, Product)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("columns", [32, 64, 33])
@pytest.mark.parametrize("inner", [128, 300])
@pytest.mark.parametrize("rows", [1, 37])
def test_like_numpy(rows, inner, columns, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, inner)).astype(dtype), rng.normal(size=(inner, columns)).astype(dtype)
    tolerance = 50 * np.finfo(dtype).eps
    for function, left in ((jit(lambda x, y: x @ y), x), (jit(lambda x, y: x.T @ y), np.ascontiguousarray(x.T))):
        np.testing.assert_allclose(function(left, y), x @ y, rtol=tolerance, atol=tolerance * inner**0.5)
        if products._register_bytes() and rows > 1:
            assert narrow(function) == [columns != 33]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rows", "inner", "columns"), [(37, 10, 64), (64, 2, 128), (200, 40, 32), (8, 65, 32)])
def test_transposed_right_factor(rows, inner, columns, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, inner)).astype(dtype), rng.normal(size=(columns, inner)).astype(dtype)
    tolerance = 50 * np.finfo(dtype).eps
    for function, left in ((jit(lambda x, y: x @ y.T), x), (jit(lambda x, y: x.T @ y.T), np.ascontiguousarray(x.T))):
        np.testing.assert_allclose(function(left, y), x @ y.T, rtol=tolerance, atol=tolerance * inner**0.5)
        if products._register_bytes():
            assert narrow(function) == [y.nbytes <= 1 << 14]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads(threads, monkeypatch):
    monkeypatch.setattr(config, "threads", threads)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1003, 200)), rng.normal(size=(200, 64))
    function = jit(grad(lambda y: np.sum((x @ y) ** 2)))
    np.testing.assert_allclose(function(y), 2 * x.T @ (x @ y), rtol=1e-11)


def test_special_numbers():
    x, y = np.ones((40, 30)), np.ones((30, 64))
    x[3, 5], x[7, 7], y[4, 9], x[20, 4] = np.inf, np.nan, -np.inf, 0
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(jit(lambda x, y: x @ y)(x, y), x @ y)
