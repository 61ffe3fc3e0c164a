"""Interpolation, products and convolution beyond the table of calls: plain data under vmap, traced periods, jit."""

from __future__ import annotations

import numpy as np
import pytest

from wengert import check_grads, jit, jvp, vmap

_rng = np.random.default_rng(5)
KNOTS = np.array([0.1, 1.0, 2.5, 4.0])
DATA = _rng.normal(size=4)
POINTS = np.array([-1.2, 0.3, 1.7, 3.0, 9.3])


def agrees(f, *args):
    expected = f(*args)
    np.testing.assert_allclose(jvp(f, args, args)[0], expected, rtol=1e-13)
    check_grads(f, args)
    stacked = [np.stack([x, 1.01 * x]) for x in args]
    loop = np.stack([f(*(s[i] for s in stacked)) for i in range(2)])
    np.testing.assert_allclose(vmap(f)(*stacked), loop, rtol=1e-12)
    np.testing.assert_allclose(jit(f)(*args), expected, rtol=1e-12)


@pytest.mark.parametrize("period", [None, 5.0, -5.0])
@pytest.mark.parametrize("x", [POINTS, np.float64(1.3)], ids=["points", "number"])
def test_interpolation(x, period):
    agrees(lambda x: np.interp(x, KNOTS, DATA, period=period), x)
    agrees(lambda y: np.interp(x, KNOTS, y, period=period), DATA)
    agrees(lambda x, y: np.interp(x, KNOTS, y, period=period), x, DATA)
    agrees(lambda x, k, y: np.interp(x, k, y, period=period), x, KNOTS, DATA)
    agrees(lambda k, y: np.interp(x, k, y, period=period), KNOTS, DATA + 1j * DATA[::-1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_interpolation_is_done_in_double_precision(dtype):
    x, knots, data = (np.array(a, dtype) for a in ([0.1, 1.3, 2.0], [0.0, 1.0, 3.0], [1.0, 2.0, 7.0]))
    out = jit(np.interp)(x, knots, data)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, np.interp(x, knots, data), rtol=1e-15)


def test_interpolation_with_traced_ends_and_period():
    agrees(lambda x, left, right: np.interp(x, KNOTS, DATA, left=left, right=right), POINTS, DATA[0], DATA[1])
    agrees(lambda x, k, y, p: np.interp(x, k, y, period=p), POINTS, KNOTS, DATA, np.float64(5.0))
    with pytest.raises(ValueError, match="period"):
        jvp(lambda p: np.interp(POINTS, KNOTS, DATA, period=p), (0.0,), (1.0,))


def test_products_with_lengths_of_one():
    a, b = _rng.normal(size=(2, 1)), _rng.normal(size=(3, 4))
    agrees(lambda a, b: np.einsum("ij,jk->ik", a, b), a, b)
    agrees(lambda a, b: np.einsum("...i,...i->...", a, b), a[:, None], b[0, :1])
    c = _rng.normal(size=(2, 2))
    for optimize in ("optimal", "greedy", ["einsum_path", (0, 1), (0, 1)]):
        agrees(lambda a, b, c, o=optimize: np.einsum("ij,jk,il->kl", a, b[:1], c, optimize=o), a, b, c)


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")
@pytest.mark.parametrize(("m", "n"), [(2, 2), (2, 3), (3, 2)])
def test_cross_products_of_two_components(m, n):
    a, b = _rng.normal(size=(4, m)), _rng.normal(size=(4, n))
    padded = np.cross(*(np.pad(x, ((0, 0), (0, 3 - x.shape[1]))) for x in (a, b)))
    expected = padded[:, 2] if m == n else padded
    np.testing.assert_allclose(jvp(np.cross, (a, b), (a, b))[0], expected)
    np.testing.assert_allclose(vmap(np.cross)(a, b), expected)
    check_grads(lambda a, b: vmap(np.cross)(a, b), (a, b))
    with pytest.raises(ValueError, match="2 or 3"):
        jvp(np.cross, (np.ones(4), b[0]), (np.ones(4), b[0]))
