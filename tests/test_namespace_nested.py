"""Selections, views and statistics inside nested transforms: second order, vmap in both orders, compiled, float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert.numpy as wnp
from wengert import check_grads, grad, hessian, jit, vmap

X = np.random.default_rng(0).normal(size=5)


def _scaled_diagonal(x: Any) -> Any:
    """Writes through the view that einsum returns."""
    a = 1.0 * np.outer(x, x)
    np.einsum("ii->i", a)[...] *= x
    return np.sum(a**2)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "diagonal": lambda x: np.sum(np.diagonal(np.outer(x, x * x)) ** 2),
    "diag": lambda x: np.sum(np.diag(np.outer(x, x * x), 1) ** 2),
    "windows": lambda x: np.sum(np.lib.stride_tricks.sliding_window_view(x * x, 3) ** 2),
    "einsum view": _scaled_diagonal,
    "median": lambda x: np.median(x**2) ** 2,
    "quantile": lambda x: np.sum(np.quantile(x**3, [0.2, 0.77], method="weibull") ** 2),
    "quantile in q": lambda x: np.sum(np.quantile(x**3, np.abs(np.tanh(x)), method="hazen") ** 2),
    "weighted quantile": lambda x: np.quantile(x**3, 0.4, method="inverted_cdf", weights=np.abs(x)) ** 2,
    "pad odd": lambda x: np.sum(np.pad(x**2, (2, 3), mode="reflect", reflect_type="odd") ** 3),
    "pad ramp": lambda x: np.sum(np.pad(x**2, (2, 3), mode="linear_ramp", end_values=x[0]) ** 3),
    "pad median": lambda x: np.sum(np.pad(x**2, (2, 3), mode="median", stat_length=3) ** 3),
    "partition": lambda x: np.sum(np.partition(x**2, 2)[:2] ** 2),
    "gradient": lambda x: np.sum(np.gradient(x**2, np.cumsum(np.abs(x) + 1), edge_order=2) ** 2),
    "bincount": lambda x: np.sum(np.bincount([0, 1, 1, 3, 0], weights=x) ** 3),
    "histogram": lambda x: np.sum(np.histogram(np.arange(5.0), 3, weights=x**2, density=True)[0] ** 2),
    "cumulative maximum": lambda x: np.sum(np.maximum.accumulate(x**2) ** 2),
}
#: These ask for the numbers, which vmap and jit do not have.
CONCRETE: dict[str, Callable[[Any], Any]] = {
    "emath": lambda x: np.sum(np.abs(np.emath.sqrt(x)) ** 3),
    "vectorize": lambda x: np.sum(wnp.vectorize(lambda a: a**3 if a > 0 else a**2)(x)),
    "r_": lambda x: np.sum(wnp.r_[x, x[0], x**2] ** 3),
    "trim_zeros": lambda x: np.sum(wnp.trim_zeros(wnp.where(x > 0, x, 0)) ** 3),
    "edges": lambda x: np.sum(np.histogram(x**3, 4)[1] ** 2),
    "unique": lambda x: np.sum(np.unique(x) ** 3),
    "union1d": lambda x: np.sum(np.union1d(x, x[:2]) ** 3),
}
ALL = {**FUNCTIONS, **CONCRETE}


@pytest.mark.parametrize("name", ALL)
def test_second_order(name):
    f = ALL[name]
    check_grads(f, (X,), order=2)
    h = hessian(f)(X)
    np.testing.assert_allclose(h, h.T, atol=1e-8)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vmap_and_jit(name):
    f = FUNCTIONS[name]
    xs = np.stack([X, 2 * X, X[::-1] ** 2 - 0.3])
    each = [grad(f)(x) for x in xs]
    np.testing.assert_allclose(vmap(grad(f))(xs), each, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(grad(lambda xs: np.sum(vmap(f)(xs)))(xs), each, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(jit(grad(f))(X), each[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_float32(name):
    g = grad(ALL[name])(X.astype(np.float32))
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, grad(ALL[name])(X.astype(np.float32).astype(float)), rtol=2e-4, atol=1e-5)
