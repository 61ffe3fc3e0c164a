"""`wengert.scipy.ndimage`: values are SciPy's in all modes and orders; derivatives in the image and the coordinates."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as nd

from wengert import check_grads, grad, jit, jvp, vmap
from wengert.errors import InputTypeError
from wengert.scipy import ndimage as wn

RNG = np.random.default_rng(8)
MODES = ("reflect", "grid-mirror", "constant", "grid-constant", "nearest", "mirror", "grid-wrap", "wrap")


def r(*shape):
    return RNG.normal(size=shape)


LINE, IMAGE, VOLUME = r(7), r(5, 6), r(3, 4, 3)
AROUND = np.concatenate([np.linspace(-17, 25, 85), [-0.5, -1e-3, 0.0, 6.0, 6.5, 6.4999, 5.999]])
POINTS = np.array([[0.3, 1.7, 3.6, 2.2], [4.6, 0.4, 2.3, 1.1]])


def traced(f, *args):
    return jvp(f, args, tuple(map(np.zeros_like, args)))[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", range(6))
def test_values_are_scipys(order, mode):
    for image, points in [
        (LINE, AROUND[None]),
        (IMAGE, RNG.uniform(-8, 12, size=(2, 30))),
        (VOLUME, RNG.uniform(-1, 4, size=(3, 2, 5))),
        (LINE[:1], AROUND[None]),
        (LINE[:2], AROUND[None]),
        (IMAGE + 1j * IMAGE[::-1], POINTS),
    ]:
        for prefilter in (True, False):
            options = {"order": order, "mode": mode, "cval": -1.5, "prefilter": prefilter}
            expected = nd.map_coordinates(image, points, **options)
            actual = traced(lambda x, p, o=options: wn.map_coordinates(x, p, **o), image, points)
            assert actual.shape == expected.shape
            assert actual.dtype == expected.dtype
            np.testing.assert_allclose(actual, expected, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_derivatives(order, mode):
    points = np.array([[0.3, 3.6, -0.7, 6.3], [4.6, 2.3, 2.1, 2.4]])
    f = lambda x, p: wn.map_coordinates(x, p, order=order, mode=mode, cval=0.5)
    check_grads(f, (IMAGE, points), order=1, rtol=1e-4)
    check_grads(lambda p: f(IMAGE, p), (points[:, 1:3],), order=2 if order == 3 else 1, rtol=1e-4)
    if mode in ("mirror", "grid-constant"):
        check_grads(lambda p: f(VOLUME, p), (np.array([[0.3, 1.2], [2.6, 0.7], [1.1, 1.3]]),))


def test_knots_of_linear_interpolation():
    x = np.array([0.0, 1.0, 3.0])
    slope = grad(lambda p: np.sum(wn.map_coordinates(x, p[None], order=1)))
    np.testing.assert_array_equal(slope(np.array([0.0, 0.5, 1.0, 1.5, -3.0, 7.0])), [1.0, 1.0, 2.0, 2.0, 0.0, 0.0])


def test_what_is_not_finite():
    points = np.array([[np.nan, 1.2, np.inf, -np.inf]])
    out, dot = jvp(lambda p: wn.map_coordinates(LINE, p, order=1), (points,), (np.ones_like(points),))
    np.testing.assert_array_equal(np.isnan(out), [True, False, True, True])
    assert np.isfinite(dot[1])
    g = grad(lambda x: wn.map_coordinates(x, points, order=3)[1])(LINE)
    assert np.all(np.isfinite(g))


def test_transforms():
    f = grad(lambda p: np.sum(wn.map_coordinates(IMAGE, p, order=3) ** 2))
    batch = np.stack([POINTS, POINTS + 0.1, POINTS - 0.2])
    expected = np.stack([f(p) for p in batch])
    np.testing.assert_allclose(vmap(f)(batch), expected)
    np.testing.assert_allclose(jit(f)(POINTS), expected[0])
    g = grad(lambda x: np.sum(wn.map_coordinates(x, POINTS, order=3) ** 2))
    images = np.stack([IMAGE, 2 * IMAGE])
    np.testing.assert_allclose(vmap(g)(images), np.stack([g(x) for x in images]))


GEOMETRIC = [
    ("shift", (IMAGE, np.array([0.4, -1.2])), {}),
    ("shift", (IMAGE, np.float64(0.4)), {"order": 1, "mode": "nearest"}),
    ("affine_transform", (IMAGE, np.array([[0.9, 0.2], [-0.1, 1.1]])), {"offset": [0.33, 0.27]}),
    ("affine_transform", (IMAGE, np.array([0.9, 1.1])), {"output_shape": (3, 4), "order": 2, "mode": "reflect"}),
    (
        "affine_transform",
        (IMAGE, np.array([[0.9, 0.23, 0.3137], [-0.12, 1.1, 0.2291]])),
        {"order": 1, "mode": "mirror"},
    ),
    ("spline_filter", (IMAGE,), {}),
    ("spline_filter1d", (IMAGE,), {"axis": 0, "mode": "reflect", "order": 2}),
]
FILTERS = [
    *(
        (name, (IMAGE, r(n)), {"mode": mode})
        for name in ("correlate1d", "convolve1d")
        for n in (3, 4)
        for mode in MODES
    ),
    ("correlate1d", (IMAGE, r(3)), {"axis": 0, "origin": 1, "mode": "constant", "cval": 2.0}),
    ("convolve1d", (IMAGE, r(4)), {"axis": 0, "origin": -1}),
    *((name, (IMAGE, r(3, 2)), {"mode": mode}) for name in ("correlate", "convolve") for mode in MODES),
    ("convolve", (IMAGE, r(3, 3)), {"origin": (1, -1)}),
    ("correlate", (VOLUME, r(2, 3, 3)), {}),
    ("gaussian_filter", (IMAGE, np.float64(0.7)), {}),
    ("gaussian_filter", (IMAGE, np.array([0.7, 1.1])), {"mode": ["mirror", "wrap"], "order": (1, 2)}),
    ("gaussian_filter", (IMAGE, np.float64(0.7)), {"axes": (1,), "radius": 2}),
    ("gaussian_filter1d", (IMAGE, np.float64(1.2)), {"order": 3}),
    ("uniform_filter", (IMAGE,), {"size": (3, 2)}),
    ("uniform_filter1d", (IMAGE, 3), {"origin": 1}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), GEOMETRIC + FILTERS)
def test_functions_of_images(name, args, kwargs):
    ours, theirs = getattr(wn, name), getattr(nd, name)
    active = [k for k, x in enumerate(args) if not isinstance(x, int)]
    f = lambda *xs: ours(*xs, *args[len(active) :], **kwargs)
    expected = theirs(*args, **kwargs)
    actual = traced(f, *(args[k] for k in active))
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, atol=1e-10)
    check_grads(f, tuple(args[k] for k in active), order=1, rtol=1e-4)


def test_single_precision_and_outputs():
    x = IMAGE.astype(np.float32)
    for f in (wn.spline_filter, lambda x: wn.map_coordinates(x, POINTS), lambda x: wn.gaussian_filter(x, 1.0)):
        theirs = nd.spline_filter(x) if f is wn.spline_filter else None
        out, dot = jvp(f, (x,), (x,))
        assert out.dtype == dot.dtype == (np.float32 if theirs is None else theirs.dtype)
        assert grad(lambda x, f=f: np.sum(f(x)))(x).dtype == np.float32
    assert traced(lambda x: wn.gaussian_filter(x, 1.0, output=np.float64), x).dtype == np.float64


def test_errors():
    whole = np.arange(5)
    with pytest.raises(InputTypeError, match=r"output=np.float64"):
        grad(lambda p: np.sum(wn.map_coordinates(whole, p[None])))(np.array([0.3]))
    check_grads(lambda p: wn.map_coordinates(whole, p[None], output=float), (np.array([0.3, 2.2]),))
    bad = [
        ("map_coordinates", (IMAGE, POINTS[:1]), {}),
        ("map_coordinates", (IMAGE, POINTS), {"order": 6}),
        ("map_coordinates", (IMAGE, POINTS), {"mode": "none"}),
        ("map_coordinates", (IMAGE, POINTS + 0j), {}),
        ("correlate1d", (IMAGE, np.zeros(0)), {}),
        ("correlate1d", (IMAGE, np.ones(3)), {"origin": 4}),
        ("correlate", (IMAGE, np.ones(3)), {}),
        ("shift", (IMAGE, np.ones(3)), {}),
        ("affine_transform", (IMAGE, np.ones((3, 1))), {}),
        ("uniform_filter1d", (IMAGE, 0), {}),
        ("spline_filter", (IMAGE, 1), {}),
    ]
    for name, args, kwargs in bad:
        with pytest.raises(Exception) as expected:  # noqa: PT011
            getattr(nd, name)(*args, **kwargs)
        with pytest.raises(expected.type):
            jvp(lambda x, n=name, a=args, k=kwargs: getattr(wn, n)(x, *a[1:], **k), args[:1], args[:1])
