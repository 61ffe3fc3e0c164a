"""`wengert.scipy.integrate`: values are SciPy's, derivatives in the samples and their places."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate as si

from wengert import check_grads, grad, jit, jvp, vmap
from wengert.scipy import integrate as wi

RNG = np.random.default_rng(9)
X = np.array([0.0, 0.3, 0.7, 1.4, 1.9, 2.1, 3.0, 3.2, 3.9])


@pytest.mark.parametrize("n", range(1, 10))
@pytest.mark.parametrize("name", ["trapezoid", "simpson", "cumulative_trapezoid", "cumulative_simpson"])
def test_values_and_derivatives(name, n):
    ours, theirs = getattr(wi, name), getattr(si, name)
    y, y2, x = RNG.normal(size=n), RNG.normal(size=(2, n)), X[:n]
    cases = [
        ((y, x), {}),
        ((y2, x), {}),
        ((y2.T, x), {"axis": 0}),
        ((y2, np.stack([x, x**2])), {}),
        ((y,), {"dx": 0.3}),
    ]
    if "cumulative" in name:
        cases.append(((y2, x), {"initial": 0}))
    for args, options in cases:
        if len(args) == 2 and name == "cumulative_simpson" and n == 1:
            continue
        call = lambda f, *a, o=options: f(a[0], **({"x": a[1]} if len(a) == 2 else {}), **o)
        expected = call(theirs, *args)
        actual = jvp(lambda *a, c=call: c(ours, *a), args, args)[0]
        assert np.shape(actual) == np.shape(expected)
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)
        check_grads(lambda *a, c=call: c(ours, *a), args, order=2, rtol=1e-4)
    check_grads(lambda dx: ours(y, dx=dx), (np.float64(0.4),), order=2)


def test_romberg():
    for n in (2, 3, 9):
        y = RNG.normal(size=(2, n))
        for axis, samples in ((-1, y), (0, y.T)):
            f = lambda y, dx, axis=axis: wi.romb(y, dx, axis)
            np.testing.assert_allclose(
                jvp(f, (samples, 0.3), (samples, 0.0))[0], si.romb(samples, 0.3, axis), rtol=1e-12
            )
            check_grads(f, (samples, np.float64(0.3)), order=2)
    for n in (1, 4):
        with pytest.raises(ValueError, match="power of 2"):
            grad(lambda y: wi.romb(y))(np.ones(n))


def test_coinciding_places():
    """SciPy's rule for intervals of length 0."""
    x = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    y = RNG.normal(size=6)
    for n in (5, 6):
        np.testing.assert_allclose(
            jvp(lambda y, n=n: wi.simpson(y, x[:n]), (y[:n],), (y[:n],))[0], si.simpson(y[:n], x[:n])
        )
        assert np.all(np.isfinite(grad(lambda y, n=n: wi.simpson(y, x[:n]))(y[:n])))


def test_initial_values_and_integers():
    y = RNG.normal(size=(2, 5))
    start = np.array([[1.0], [2.0]])
    f = lambda y, s: wi.cumulative_simpson(y, x=X[:5], initial=s)
    np.testing.assert_allclose(jvp(f, (y, start), (y, start))[0], si.cumulative_simpson(y, x=X[:5], initial=start))
    check_grads(f, (y, start), order=2)
    check_grads(lambda x: wi.simpson(np.arange(5), x), (X[:5],), order=2)


def test_transforms():
    y = RNG.normal(size=(3, 6))
    for name in ("simpson", "cumulative_simpson", "cumulative_trapezoid"):
        g = grad(lambda y, name=name: np.sum(getattr(wi, name)(y, x=X[:6]) ** 2))
        np.testing.assert_allclose(vmap(g)(y), np.stack([g(row) for row in y]))
        np.testing.assert_allclose(jit(g)(y[0]), g(y[0]))


def test_errors_are_scipys():
    y = np.ones(5)
    for name, options in [
        ("simpson", {"x": X[:4]}),
        ("simpson", {"x": np.ones((2, 5))}),
        ("cumulative_trapezoid", {"x": X[:4]}),
        ("cumulative_trapezoid", {"initial": 2}),
        ("cumulative_simpson", {"x": X[4::-1]}),
        ("cumulative_simpson", {"x": X[:4]}),
    ]:
        with pytest.raises(ValueError):  # noqa: PT011
            getattr(si, name)(y, **options)
        with pytest.raises(ValueError):  # noqa: PT011
            jvp(lambda y, n=name, o=options: getattr(wi, n)(y, **o), (y,), (y,))
