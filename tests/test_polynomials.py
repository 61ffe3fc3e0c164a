"""Polynomials: NumPy's older functions, the six bases of numpy.polynomial and their classes; windows."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

import wengert.numpy as wnp
from wengert import check_grads, grad, hessian, jacfwd, jacrev, jit, jvp, vmap
from wengert.errors import ConcretizationError, WengertError
from wengert.rules.polynomials import PREFIXES

_rng = np.random.default_rng(21)


def _r(*shape):
    return _rng.normal(size=shape)


def _leaves(x):
    return [leaf for part in x for leaf in _leaves(part)] if isinstance(x, (tuple, list)) else [x]


def floats(x):
    """What can be differentiated of a result."""
    if not isinstance(x, (tuple, list)):
        return x
    return tuple(leaf for leaf in _leaves(x) if not isinstance(leaf, (int, float)) and leaf.dtype.kind in "fc")


def agrees(ours, theirs, *args, batch=True, tolerance=1e-12):
    """NumPy's value (plain and traced), derivatives of both modes to second order, vmap as a loop."""
    expected = theirs(*args)
    for actual in (ours(*args), jvp(ours, args, args)[0]):
        for a, e in zip(_leaves(actual), _leaves(expected), strict=True):
            assert np.shape(a) == np.shape(e)
            assert np.asarray(a).dtype == np.asarray(e).dtype
            np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)
    check_grads(lambda *a: floats(ours(*a)), args)
    if batch:
        stacked = [np.stack([x, 1.1 * x]) for x in args]
        loop = [_leaves(theirs(*(x[i] for x in stacked))) for i in range(2)]
        for a, e in zip(_leaves(vmap(ours)(*stacked)), zip(*loop, strict=True), strict=True):
            np.testing.assert_allclose(a, np.stack(e), rtol=1e-10, atol=1e-10)


P, Q, X, C = _r(4), _r(3), _r(5), _r(4) + 1j * _r(4)

# NumPy's older functions ---------------------------------------------------------------------------------------------

OLD = {
    "polyadd": (lambda ns, p, q: ns.polyadd(p, q), (P, Q)),
    "polysub": (lambda ns, p, q: ns.polysub(q, p), (P, Q)),
    "polymul": (lambda ns, p, q: ns.polymul(p, q), (P, Q)),
    "polymul complex": (lambda ns, p, q: ns.polymul(p, q), (C, Q)),
    "polydiv": (lambda ns, p, q: ns.polydiv(p, q), (P, Q)),
    "polydiv, shorter": (lambda ns, p, q: ns.polydiv(q, p), (P, Q)),
    "polydiv by a number": (lambda ns, p, q: ns.polydiv(p, q[:1]), (P, Q)),
    "polyder": (lambda ns, p: ns.polyder(p), (P,)),
    "polyder 2": (lambda ns, p: ns.polyder(p, 2), (P,)),
    "polyder 0": (lambda ns, p: ns.polyder(p, 0), (P,)),
    "polyint": (lambda ns, p: ns.polyint(p), (P,)),
    "polyint 2": (lambda ns, p, k: ns.polyint(p, 2, k), (P, Q[:2])),
    "polyint, one constant": (lambda ns, p, k: ns.polyint(p, 2, k), (P, Q[0])),
    "polyval": (lambda ns, p, x: ns.polyval(p, x), (P, X)),
    "poly": (lambda ns, p: ns.poly(p), (P,)),
    "poly complex": (lambda ns, p: ns.poly(p), (C,)),
    "poly of a matrix": (lambda ns, a: ns.poly(a), (_r(3, 3),)),
    "vander": (lambda ns, p: ns.vander(p, 3), (P,)),
    "polyfit": (lambda ns, x, y: ns.polyfit(x, y, 2), (X, _r(5))),
    "polyfit, weights": (lambda ns, x, y, w: ns.polyfit(x, y, 1, w=w), (X, _r(5), np.abs(_r(5)) + 0.5)),
    "polyfit, several": (lambda ns, x, y: ns.polyfit(x, y, 2), (X, _r(5, 2))),
    "polyfit, covariance": (lambda ns, x, y: ns.polyfit(x, y, 1, cov=True), (X, _r(5))),
    "polyfit, covariances": (lambda ns, x, y: ns.polyfit(x, y, 1, cov=True), (X, _r(5, 2))),
    "polyfit, unscaled": (lambda ns, x, y: ns.polyfit(x, y, 1, cov="unscaled", w=np.arange(1.0, 6)), (X, _r(5))),
    "polyfit, full": (lambda ns, x, y: ns.polyfit(x, y, 1, full=True)[:2], (X, _r(5))),
    "i0": (lambda ns, x: ns.i0(x), (X,)),
}


@pytest.mark.parametrize("name", OLD)
def test_older_functions(name):
    f, args = OLD[name]
    agrees(lambda *a: f(wnp, *a), lambda *a: f(np, *a), *args)
    agrees(lambda *a: f(np, *a), lambda *a: f(np, *a), *args, batch=False)  # through the protocol


def test_poly_of_degenerate_matrices_and_of_pairs():
    a = np.diag([1.0, 1.0, 2.0])
    np.testing.assert_allclose(jacfwd(wnp.poly)(a)[1], -np.eye(3))
    check_grads(wnp.poly, (a,))
    z = np.array([1 + 2j, 1 - 2j, 3.0])
    assert jvp(wnp.poly, (z,), (z,))[0].dtype == float


@pytest.mark.parametrize(
    "c",
    [
        np.array([1.0, -6.0, 11.0, -6.0]),
        np.array([2.0, 1.0, 3.0]),
        np.array([0.0, 1.0, -3.0, 2.0]),
        np.array([1.0, -3.0, 2.0, 0.0]),
        np.array([2.0, 3.0]),
        np.array([1.0 + 1j, 2.0, 3.0 - 1j, 1.0]),
        np.array([5.0]),
        np.zeros(0),
    ],
    ids=["real", "pair", "leading zero", "trailing zero", "linear", "complex", "constant", "empty"],
)
def test_roots(c):
    out, _ = jvp(np.roots, (c,), (c,))
    np.testing.assert_array_equal(out, np.roots(c))
    if c.size < 2:
        assert out.shape == (0,)
        return
    J = jacfwd(lambda c: np.stack([np.roots(c).real, np.roots(c).imag]))(c.real) if c.dtype == float else None
    if J is not None:
        np.testing.assert_allclose(J[0] + 1j * J[1], _root_derivatives(c, out), atol=1e-10)
    if c[0] != 0:
        check_grads(lambda c: np.sum(np.abs(np.roots(c)) ** 2 * np.roots(c).real), (c,))


def _root_derivatives(c, r):
    n = c.size - 1
    slope = np.polyval(np.polyder(c), r)
    return -(r[:, None] ** np.arange(n, -1, -1)) / slope[:, None]


def test_a_leading_coefficient_that_is_zero_counts():
    """x² - 3x + 2 with a cubic term: its roots 1 and 2 move by -r³/p'(r)."""
    J = jacrev(lambda c: wnp.roots(c).real)(np.array([0.0, 1.0, -3.0, 2.0]))
    np.testing.assert_allclose(J[:, 0], [-8.0, 1.0], atol=1e-12)


# The six bases -------------------------------------------------------------------------------------------------------

BASES = list(PREFIXES)
C2, C3 = _r(3, 4), _r(2, 3, 2)
Y, Z = _r(5), _r(5)
SERIES = {
    "val": (lambda f, x, c: f(x, c), (X, P)),
    "val of a number": (lambda f, x, c: f(x, c), (X[0], P)),
    "val, one coefficient": (lambda f, x, c: f(x, c), (X, P[:1])),
    "val, two coefficients": (lambda f, x, c: f(x, c), (X, P[:2])),
    "val, several series": (lambda f, x, c: f(x, c), (X, C2)),
    "val, several series without tensor": (lambda f, x, c: f(x, c, tensor=False), (X[:4], C2)),
    "val, complex": (lambda f, x, c: f(x, c), (X, C)),
    "val2d": (lambda f, x, y, c: f(x, y, c), (X, Y, C2)),
    "val3d": (lambda f, x, y, z, c: f(x, y, z, c), (X, Y, Z, C3)),
    "grid2d": (lambda f, x, y, c: f(x, y, c), (X, Y[:2], C2)),
    "grid3d": (lambda f, x, y, z, c: f(x, y, z, c), (X[:2], Y[:3], Z[:2], C3)),
    "vander": (lambda f, x: f(x, 3), (X,)),
    "vander, degree 0": (lambda f, x: f(x, 0), (X,)),
    "vander of a matrix": (lambda f, x: f(x, 2), (C2,)),
    "vander2d": (lambda f, x, y: f(x, y, [1, 2]), (X, Y)),
    "vander3d": (lambda f, x, y, z: f(x, y, z, (1, 0, 2)), (X, Y, Z)),
    "add": (lambda f, a, b: f(a, b), (P, Q)),
    "sub": (lambda f, a, b: f(b, a), (P, Q)),
    "mul": (lambda f, a, b: f(a, b), (P, Q)),
    "mul by a number": (lambda f, a, b: f(a, b), (P, Q[0])),
    "mulx": (lambda f, a: f(a), (P,)),
    "div": (lambda f, a, b: f(a, b), (P, Q)),
    "div, shorter": (lambda f, a, b: f(b, a), (P, Q)),
    "div by a number": (lambda f, a, b: f(a, b), (P, Q[:1])),
    "pow": (lambda f, a: f(a, 3), (Q,)),
    "pow 0": (lambda f, a: f(a, 0), (Q,)),
    "line": (lambda f, a, b: f(a, b), (P[0], P[1])),
    "der": (lambda f, a: f(a), (P,)),
    "der 2, axis": (lambda f, a: f(a, 2, 1.5, 1), (C2,)),
    "der, to nothing": (lambda f, a: f(a, 5), (P,)),
    "int": (lambda f, a: f(a), (P,)),
    "int 2": (lambda f, a, k, b, s: f(a, 2, [k, 1.0], b, s), (P, Q[0], Q[1], Q[2])),
    "int, axis": (lambda f, a: f(a, 1, axis=1), (C2,)),
    "fromroots": (lambda f, a: f(a), (np.sort(Q),)),
    "companion": (lambda f, a: f(a), (P,)),
    "fit": (lambda f, x, y: f(x, y, 2), (X, Y)),
    "fit, weights and some degrees": (lambda f, x, y, w: f(x, y, [0, 2], w=w), (X, Y, np.abs(Z) + 0.5)),
    "fit, full": (lambda f, x, y: f(x, y, 1, full=True)[0], (X, _r(5, 2))),
}


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("name", SERIES)
def test_series(basis, name):
    call, args = SERIES[name]
    function = PREFIXES[basis] + name.replace(",", " ").split()[0]
    ours = getattr(getattr(wnp.polynomial, basis), function)
    theirs = getattr(getattr(np.polynomial, basis), function)
    agrees(lambda *a: call(ours, *a), lambda *a: call(theirs, *a), *args, tolerance=1e-11)


@pytest.mark.parametrize("basis", BASES)
def test_roots_of_series(basis):
    module, library = getattr(wnp.polynomial, basis), getattr(np.polynomial, basis)
    prefix = PREFIXES[basis]
    real = getattr(library, prefix + "fromroots")(np.array([-1.0, 0.3, 2.0])) * 1.5
    roots = getattr(module, prefix + "roots")
    np.testing.assert_array_equal(jvp(roots, (real,), (real,))[0], getattr(library, prefix + "roots")(real))
    check_grads(roots, (real,))
    c = np.array([3.0, 0.1, 2.0, 1.0])
    check_grads(lambda c: np.sum(np.abs(roots(c)) ** 3), (c,))
    np.testing.assert_allclose(vmap(roots)(np.stack([real, 2 * real])), np.stack([roots(real)] * 2))


@pytest.mark.parametrize("basis", BASES[1:])
def test_change_of_basis(basis):
    prefix = PREFIXES[basis]
    for name in (f"poly2{prefix}", f"{prefix}2poly"):
        ours, theirs = getattr(getattr(wnp.polynomial, basis), name), getattr(getattr(np.polynomial, basis), name)
        agrees(ours, theirs, P)


def test_polyvalfromroots():
    module, library = wnp.polynomial.polynomial, np.polynomial.polynomial
    agrees(module.polyvalfromroots, library.polyvalfromroots, X, P)
    agrees(module.polyvalfromroots, library.polyvalfromroots, X[0], P)
    agrees(lambda x, r: module.polyvalfromroots(x, r, tensor=False),
           lambda x, r: library.polyvalfromroots(x, r, tensor=False), X[:4], C2)  # fmt: skip


def test_trailing_zeros_stay():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, -3.0])
    assert np.polynomial.chebyshev.chebadd(a, b).shape == (2,)
    value, dot = jvp(wnp.polynomial.chebyshev.chebadd, (a, b), (a, 0 * b))
    np.testing.assert_array_equal(value, [1.0, 3.0, 0.0])
    np.testing.assert_array_equal(dot, a)
    trimmed = jvp(lambda a, b: wnp.polynomial.chebyshev.chebtrim(a + b), (a, b), (a, 0 * b))[1]
    np.testing.assert_array_equal(trimmed, a[:2])


def test_every_function_is_there():
    for basis, prefix in PREFIXES.items():
        module, library = getattr(wnp.polynomial, basis), getattr(np.polynomial, basis)
        for name in library.__all__:
            ours, theirs = getattr(module, name), getattr(library, name)
            if ours is theirs or inspect.isclass(ours):
                continue
            assert ours.__name__ == theirs.__name__
            assert ours.__doc__
            assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters), prefix
        assert all(hasattr(module, name) for name in library.__all__)
    assert all(hasattr(wnp.polynomial, name) for name in np.polynomial.__all__)
    check_grads(lambda x: wnp.polynomial.chebyshev.chebweight(x), (np.array([0.3, -0.5]),))
    interpolate = wnp.polynomial.chebyshev.chebinterpolate
    check_grads(lambda t: interpolate(lambda x: np.sin(t * x), 3), (0.7,))


# Classes -------------------------------------------------------------------------------------------------------------

CLASSES = ["Polynomial", "Chebyshev", "Legendre", "Hermite", "HermiteE", "Laguerre"]


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name):
    ours, theirs = getattr(wnp.polynomial, name), getattr(np.polynomial, name)

    def program(cls):
        def f(c, x):
            p = cls(c, domain=[-2, 2])
            q = p * cls([1.0, 2.0], domain=[-2, 2]) - 3 * p**2 + p.deriv() + p.integ()
            return q(x) + p(x[0]) + (p // cls([1.0, 2.0], domain=[-2, 2]))(x) + (p / 2.0)(0.5)

        return f

    agrees(program(ours), program(theirs), P, X, tolerance=1e-11)
    fitted = lambda cls: lambda y: cls.fit(X, y, 2)(0.3)
    agrees(fitted(ours), fitted(theirs), Y, tolerance=1e-11)
    check_grads(lambda x: ours.fit(x, Y, 2, domain=[-3, 3])(0.3), (X,))
    p = ours([1.0, 2.0, 3.0])
    assert isinstance(p, theirs)
    assert p == pickle.loads(pickle.dumps(p))
    np.testing.assert_allclose(grad(lambda x: p(x))(0.5), theirs([1.0, 2.0, 3.0]).deriv()(0.5))
    roots = lambda c: np.sum(np.abs(ours(c, domain=[-2, 3]).roots()))
    check_grads(roots, (np.array([-0.7, 0.2, 1.0]),))


@pytest.mark.parametrize("name", CLASSES)
def test_more_of_the_classes(name):
    ours = getattr(wnp.polynomial, name)
    other = "Chebyshev" if name != "Chebyshev" else "Legendre"

    def program(ns):
        cls = getattr(ns, name)

        def f(c, x):
            p = cls(c, domain=[-2, 2])
            parts = [
                (p / x[0])(0.3),
                (x[0] * p + x[1] - p * x[2])(0.3),
                p(cls([0.1, 0.5, 0.2]))(0.3),
                p.convert(kind=getattr(ns, other))(0.3),
                p.trim()(0.3),
                p.truncate(2)(0.3),
                cls.fromroots(c[:2], domain=[-2, 2])(0.3),
                cls.fromroots(c[:2])(0.3),
                divmod(p, cls([1.0, 2.0], domain=[-2, 2]))[1](0.3),
                sum(list(p)) * len(p) * p.degree(),
            ]
            return np.stack(parts)

        return f

    agrees(program(wnp.polynomial), program(np.polynomial), P, X[:3], tolerance=1e-10, batch=False)
    with pytest.raises(TypeError, match="domain"):
        grad(lambda c: ours.fromroots(c, domain=None)(0.3))(P)


def test_numpys_classes_refuse_traced_numbers():
    with pytest.raises(ConcretizationError, match=r"wengert\.numpy"):
        grad(lambda x: np.polynomial.Polynomial([1.0, x])(2.0))(3.0)
    with pytest.raises(WengertError):
        grad(lambda x: np.polynomial.Polynomial([1.0, 2.0])(x))(3.0)


def test_polynomials_compiled():
    f = lambda x, c: np.sum(wnp.polynomial.legendre.legval(x, c) ** 2)
    np.testing.assert_allclose(jit(grad(f, argnums=1))(X, P), grad(f, argnums=1)(X, P), rtol=1e-12)
    g = lambda y: np.sum(wnp.polyfit(X, y, 2) ** 2)
    np.testing.assert_allclose(jit(grad(g))(Y), grad(g)(Y), rtol=1e-10)


@pytest.mark.parametrize(
    ("f", "args", "error"),
    [
        (lambda p: wnp.polyder(p, -1), (P,), ValueError),
        (lambda p: wnp.polyint(p, -1), (P,), ValueError),
        (lambda p: wnp.polyint(p, 3, [1, 2]), (P,), ValueError),
        (lambda p: wnp.roots(p), (C2.copy(),), ValueError),
        (lambda p: wnp.poly(p), (C2.copy(),), ValueError),
        (lambda p: wnp.polyfit(p, p, -1), (P,), ValueError),
        (lambda p: wnp.polyfit(p, p[:2], 1), (P,), TypeError),
        (lambda p: wnp.polyfit(p, p, 1, w=p[:2]), (P,), TypeError),
        (lambda p: wnp.polyfit(p, p, 3, cov=True), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebvander(p, -1), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebder(p, -1), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebint(p, 1, [1, 2]), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebdiv(p, 0 * p), (P,), ZeroDivisionError),
        (lambda p: wnp.polynomial.chebyshev.chebmul(p, p[:0]), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebpow(p, 17), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebpow(p, -1), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebval2d(p, p[:2], C2), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebfit(p, p, [0.5]), (P,), TypeError),
        (lambda p: wnp.polynomial.chebyshev.chebtrim(p, -1), (P,), ValueError),
        (lambda p: wnp.polynomial.chebyshev.chebcompanion(p[:1]), (P,), ValueError),
    ],
)
def test_errors(f, args, error):
    with pytest.raises(error):
        f(*args)
    with pytest.raises(error):
        jvp(f, args, args)


def test_a_fit_with_too_few_points_warns():
    with pytest.warns(np.exceptions.RankWarning):
        jvp(lambda y: wnp.polyfit(np.array([1.0, 1.0, 2.0]), y, 2), (Q,), (Q,))


# Windows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 5, 12])
def test_kaiser(count):
    np.testing.assert_allclose(
        jvp(lambda b: wnp.kaiser(count, b), (3.5,), (1.0,))[0], np.kaiser(count, 3.5), rtol=1e-14
    )
    check_grads(lambda b: wnp.kaiser(count, b), (3.5,), order=3)
    assert np.all(np.isfinite(jacfwd(lambda b: wnp.kaiser(count, b))(0.0)))


def test_windows_are_constants():
    for name in ("bartlett", "blackman", "hamming", "hanning"):
        w = getattr(wnp, name)(5)
        np.testing.assert_array_equal(w, getattr(np, name)(5))
        np.testing.assert_array_equal(grad(lambda x: np.sum(w * x))(np.ones(5)), w)  # noqa: B023


def test_i0():
    np.testing.assert_allclose(hessian(wnp.i0)(0.0), 0.5)
    assert jvp(np.i0, (np.float32(0.5),), (np.float32(1.0),))[0].dtype == np.float32
    with pytest.raises(TypeError):
        jvp(np.i0, (1j,), (1j,))
