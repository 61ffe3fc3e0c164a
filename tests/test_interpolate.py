"""`wengert.scipy.interpolate`: values are SciPy's, derivatives in the argument, the values and the knots."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate as si

from wengert import check_grads, grad, jit, jvp, vmap
from wengert.errors import UnsupportedOperationError
from wengert.scipy import interpolate as wi

RNG = np.random.default_rng(4)
X = np.array([0.0, 0.7, 1.1, 2.0, 2.6, 3.5, 4.0])
Y = RNG.normal(size=7)
Y2 = RNG.normal(size=(7, 2))
AT = np.concatenate([np.linspace(-1.3, 5.1, 40), X, [np.nan]])


def periodic(y):
    return np.concatenate([y[:-1], y[:1]])


BOUNDARIES = [
    "not-a-knot",
    "clamped",
    "natural",
    "periodic",
    ("not-a-knot", "natural"),
    ((1, 0.5), (2, -1.5)),
    ((2, 0.3), "not-a-knot"),
]


@pytest.mark.parametrize("bc", BOUNDARIES, ids=str)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 7])
def test_cubic_splines(n, bc):
    y = periodic(Y[:n]) if bc == "periodic" else Y[:n]
    ours, theirs = wi.CubicSpline(X[:n], y, bc_type=bc), si.CubicSpline(X[:n], y, bc_type=bc)
    np.testing.assert_allclose(ours.c, theirs.c, atol=1e-10)
    for nu in range(5):
        np.testing.assert_allclose(ours(AT, nu), theirs(AT, nu), atol=1e-9)
    np.testing.assert_allclose(ours(AT, extrapolate=False), theirs(AT, extrapolate=False), atol=1e-10)
    for a, b in ((0.2, 1.0), (1.5, -0.7), (-2.0, 9.0)):
        np.testing.assert_allclose(ours.integrate(a, b), theirs.integrate(a, b), atol=1e-9)
    at = np.array([-0.3, 0.2, 0.9, 3.2])
    if bc == "periodic":
        f = lambda x, y: wi.CubicSpline(x, np.concatenate([y, y[:1]]), bc_type=bc)(at)
        check_grads(f, (X[:n], y[:-1]), order=2 if n == 5 else 1, rtol=1e-4)
    else:
        check_grads(lambda x, y: wi.CubicSpline(x, y, bc_type=bc)(at), (X[:n], y), order=2 if n == 5 else 1, rtol=1e-4)
    check_grads(lambda t: theirs_as(ours, t), (at,), order=2)


def theirs_as(spline, t):
    return [spline(t), spline(t, 1), spline.integrate(t[0], t[1])]


def test_derivatives_of_conditions():
    f = lambda v, w: wi.CubicSpline(X, Y2, bc_type=((1, v), (2, w)))(np.array([0.2, 3.9]))
    check_grads(f, (np.array([0.3, 0.1]), np.array([-1.0, 2.0])), order=2)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axes_and_shapes(axis):
    y = RNG.normal(size=(7, 7))
    at = np.array([[0.3, 1.2, 2.2], [0.1, 3.4, 9.0]])
    for name in ("CubicSpline", "PchipInterpolator", "Akima1DInterpolator"):
        ours, theirs = getattr(wi, name)(X, y, axis=axis), getattr(si, name)(X, y, axis=axis)
        for t in (at, at[0], at[0, 0]):
            assert ours(t).shape == theirs(t).shape
            np.testing.assert_allclose(ours(t), theirs(t), atol=1e-10)
    d = np.ones((7, 7))
    np.testing.assert_allclose(wi.CubicHermiteSpline(X, y, d, axis)(at), si.CubicHermiteSpline(X, y, d, axis)(at))
    scalar = wi.CubicSpline(X, Y)(1.5)
    assert type(scalar) is np.float64


@pytest.mark.parametrize(
    ("name", "options"),
    [("PchipInterpolator", {}), ("Akima1DInterpolator", {}), ("Akima1DInterpolator", {"method": "makima"})],
)
def test_shape_preserving_interpolation(name, options):
    monotone, flat = np.cumsum(Y**2), np.array([0.0, 0.0, 1.0, 1.0, 1.0, 3.0, 2.0])
    for n in (2, 3, 4, 7):
        for y in (Y, Y2, monotone, flat):
            ours, theirs = getattr(wi, name)(X[:n], y[:n], **options), getattr(si, name)(X[:n], y[:n], **options)
            np.testing.assert_allclose(ours(AT), theirs(AT), atol=1e-10)
            np.testing.assert_allclose(ours(AT, 1), theirs(AT, 1), atol=1e-10)
        f = lambda x, y: getattr(wi, name)(x, y, **options)(np.array([0.2, 0.5]))
        check_grads(f, (X[:n], Y[:n]), order=2, rtol=1e-4)
    g = grad(lambda y: np.sum(getattr(wi, name)(X, y, **options)(np.array([0.2, 1.5, 3.6]))))
    assert np.all(np.isfinite(g(flat)))
    np.testing.assert_allclose(
        wi.pchip_interpolate(X, Y, [0.3, 0.4], [0, 1]), si.pchip_interpolate(X, Y, [0.3, 0.4], [0, 1])
    )


def test_piecewise_polynomials():
    c = RNG.normal(size=(4, 6, 2))
    ours, theirs = wi.PPoly(c, X), si.PPoly(c, X)
    for a, b in (
        (ours, theirs),
        (ours.derivative(), theirs.derivative()),
        (ours.derivative(5), theirs.derivative(5)),
        (ours.antiderivative(2), theirs.antiderivative(2)),
        (ours.derivative(-1), theirs.derivative(-1)),
    ):
        np.testing.assert_allclose(a(AT), b(AT), atol=1e-9)
    np.testing.assert_allclose(ours(AT, extrapolate="periodic"), theirs(AT, extrapolate="periodic"), atol=1e-9)
    np.testing.assert_allclose(wi.PPoly(c + 1j, X)(1.3), si.PPoly(c + 1j, X)(1.3))
    check_grads(lambda c, x: wi.PPoly(c, x)(np.array([0.3, 2.1])), (c, X), order=2)
    for bad in ((c[:, :5], X), (c[:, :0], X[:1]), (c[0, 0], X)):
        with pytest.raises(ValueError):  # noqa: PT011
            wi.PPoly(*bad)


KINDS = ("linear", "nearest", "nearest-up", "previous", "next", "cubic")


@pytest.mark.parametrize("kind", KINDS)
def test_one_dimensional_data(kind):
    order = np.array([3, 0, 5, 1, 6, 2, 4])
    ties = np.concatenate([AT, (X[1:] + X[:-1]) / 2])
    for y, axis in ((Y, -1), (Y2, 0), (Y2.T, 1)):
        for options in ({"fill_value": "extrapolate"}, {"bounds_error": False}, {"fill_value": (1.0, 2.0)}):
            options = {"bounds_error": False} | options
            ours = wi.interp1d(X, y, kind, axis, **options)
            theirs = si.interp1d(X, y, kind, axis, **options)
            assert ours(ties).shape == theirs(ties).shape
            known = ~np.isnan(ties)  # SciPy's steps take NaN for a large number
            np.testing.assert_allclose(ours(ties[known]), theirs(ties[known]), atol=1e-10)
            assert np.isnan(ours(np.nan)).all()
    np.testing.assert_allclose(wi.interp1d(X[order], Y[order], kind)(X), si.interp1d(X[order], Y[order], kind)(X))
    at = np.array([0.3, 1.9, 3.1])
    check_grads(lambda x, y, t: wi.interp1d(x, y, kind)(t), (X, Y, at), order=2, rtol=1e-4)
    with pytest.raises(ValueError, match="below"):
        wi.interp1d(X, Y, kind)(-1.0)
    with pytest.raises(ValueError, match="above"):
        grad(wi.interp1d(X, Y, kind))(9.0)


def test_grids():
    grid = (X, X[:4] ** 2, np.array([5.0, 3.0, 2.0]))
    values = RNG.normal(size=(7, 4, 3, 2))
    at = np.stack([RNG.uniform(-0.5, 4.5, 60), RNG.uniform(-0.5, 4.5, 60), RNG.uniform(1.5, 5.5, 60)], axis=-1)
    at[0, 0] = np.nan
    at[1] = [X[2], X[1] ** 2, 3.0]
    inside = np.clip(at[2:], [0.1, 0.1, 2.1], [3.9, 3.9, 4.9])
    for method in ("linear", "nearest"):
        for fill in (np.nan, None, 2.5):
            options = {"bounds_error": False, "fill_value": fill, "method": method}
            ours, theirs = (
                wi.RegularGridInterpolator(grid, values, **options),
                si.RegularGridInterpolator(grid, values, **options),
            )
            np.testing.assert_allclose(ours(at), theirs(at), atol=1e-12)
            assert ours(at[1]).shape == theirs(at[1]).shape
            assert ours(at.reshape(5, 12, 3)).shape == theirs(at.reshape(5, 12, 3)).shape
        f = lambda v, p, x, m=method: wi.RegularGridInterpolator((x, *grid[1:]), v, m)(p)
        check_grads(f, (values, inside[:3], X), order=1, rtol=1e-4)
        np.testing.assert_allclose(wi.interpn(grid, values, inside, method), si.interpn(grid, values, inside, method))
    check_grads(lambda p: wi.RegularGridInterpolator(grid, values)(p), (inside[:3],), order=2)
    one = wi.RegularGridInterpolator((X, [1.0]), Y[:, None])
    np.testing.assert_allclose(one((X, 1.0)), Y)
    np.testing.assert_allclose(wi.RegularGridInterpolator((X,), Y)(X), Y)
    for bad in (lambda: one((9.0, 1.0)), lambda: one((1.0, 1.5)), lambda: one(np.ones((2, 3)))):
        with pytest.raises(ValueError):  # noqa: PT011
            bad()
    for points, v in (((X, X), Y), ((X[:3],), Y), (([0.0, 2.0, 1.0],), Y[:3]), ((Y2,), Y)):
        with pytest.raises(ValueError):  # noqa: PT011
            wi.RegularGridInterpolator(points, v)
        with pytest.raises(ValueError):  # noqa: PT011
            si.RegularGridInterpolator(points, v)
    for how in ("cubic", "pchip"):
        with pytest.raises(UnsupportedOperationError, match="linear"):
            wi.RegularGridInterpolator((X,), Y, how)
    with pytest.raises(ValueError, match="not defined"):
        wi.RegularGridInterpolator((X,), Y, "none")


def test_transforms():
    at = np.array([0.3, 1.4, 3.3])
    for make in (wi.CubicSpline, wi.PchipInterpolator, wi.Akima1DInterpolator, wi.interp1d):
        f = grad(lambda y, t, make=make: make(X, y)(t))
        ys = np.stack([Y, Y + 1, Y * Y])
        expected = np.stack([f(y, t) for y, t in zip(ys, at, strict=True)])
        np.testing.assert_allclose(vmap(f)(ys, at), expected, atol=1e-12)
        np.testing.assert_allclose(jit(f)(Y, at[0]), expected[0], atol=1e-12)
    p = np.array([[0.3, 0.2], [1.9, 0.6]])
    grid = wi.RegularGridInterpolator((X, X[:2]), Y2)
    g = grad(lambda q: grid(q)[0])
    np.testing.assert_allclose(vmap(g)(p), np.stack([g(q) for q in p]))
    np.testing.assert_allclose(jit(g)(p[0]), g(p[0]))
    # A condition on numbers is checked under a derivative, and not where there are no numbers.
    assert np.isnan(vmap(lambda q: grid(q)[0])(p + 9)).all()


def test_traced_fill_values():
    f = lambda v: wi.interp1d(X, Y, fill_value=v)(np.array([-1.0, 0.5]))
    np.testing.assert_array_equal(jvp(f, (2.0,), (1.0,))[1], [1.0, 0.0])


def test_knots():
    """At a knot, the slope of the piece on the right."""
    slope = grad(wi.interp1d([0.0, 1.0, 2.0], [0.0, 1.0, 3.0]))
    assert [slope(t) for t in (0.0, 0.5, 1.0, 1.5, 2.0)] == [1.0, 1.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "args",
    [
        (X[:1], Y[:1]),
        (X, Y[:3]),
        (X[::-1], Y),
        (X, Y * np.nan),
        (X[:, None], Y),
        (X, Y, 0, "free"),
        (X, Y, 0, ("natural",)),
        (X, Y, 0, ("natural", "periodic")),
        (X, Y, 0, ((3, 0.0), "natural")),
        (X, Y, 0, ((1, [0.0]), "natural")),
        (X, Y, 0, (1, 2)),
        (X, Y, 0, "periodic"),
    ],
)
def test_errors_are_scipys(args):
    with pytest.raises(ValueError):  # noqa: PT011
        si.CubicSpline(*args)
    with pytest.raises(ValueError):  # noqa: PT011
        jvp(lambda y: wi.CubicSpline(args[0], y, *args[2:])(0.3), (args[1],), (args[1],))


def test_what_is_not_there():
    with pytest.raises(UnsupportedOperationError, match="linear"):
        wi.interp1d(X, Y, "quadratic")
    with pytest.raises(NotImplementedError):
        wi.Akima1DInterpolator(X, Y, method="other")
    for name in ("PchipInterpolator", "Akima1DInterpolator"):
        with pytest.raises(ValueError, match="real"):
            getattr(wi, name)(X, Y + 1j)
