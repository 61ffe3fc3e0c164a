"""The functions of the six bases of `numpy.polynomial`, differentiable in points and coefficients.

Every function here takes the basis as its first argument; `functions_of` binds it. Maps that are linear in the
coefficients (derivative, integral, change of basis) are matrices, whose columns NumPy's own functions compute.

NumPy drops trailing coefficients that are zero from results. With traced coefficients they stay: their derivatives
need not be zero.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.contraction import tensordot
from wengert.numpy.dispatch import as_array, call, concrete, implements, known_numbers, normalise_axis
from wengert.numpy.fitting import least_squares_fit
from wengert.numpy.joining import concatenate, extended, stack
from wengert.numpy.polynomials import roots_of
from wengert.numpy.reductions import prod
from wengert.numpy.shaping import moveaxis, reshape
from wengert.rules import polynomials as r


def functions_of(basis: str) -> dict[str, Callable[..., Any]]:
    """Make the functions of one basis, by NumPy's names."""
    prefix = r.PREFIXES[basis]
    made = {prefix + name: implements(r.numpy_function(basis, name))(_bound(f, basis)) for name, f in _SERIES.items()}
    if basis == "polynomial":
        made["polyvalfromroots"] = implements(np.polynomial.polynomial.polyvalfromroots)(polyvalfromroots)
    else:
        library = getattr(np.polynomial, basis)
        made[f"poly2{prefix}"] = implements(getattr(library, f"poly2{prefix}"))(_from_powers_to(basis))
        made[f"{prefix}2poly"] = implements(getattr(library, f"{prefix}2poly"))(_to_powers_from(basis))
    return made


def _bound(function: Callable[..., Any], basis: str) -> Callable[..., Any]:
    def bound(*args: Any, **kwargs: Any) -> Any:
        return function(basis, *args, **kwargs)

    functools.update_wrapper(bound, function)
    signature = inspect.signature(function)
    bound.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return bound


def _from_powers_to(basis: str) -> Callable[[Any], Any]:
    def convert(pol: Any) -> Any:
        """Change of basis."""
        c = _coefficients(pol)
        return tensordot(from_powers(basis, shape_of(c)[0]), c, axes=1)

    return convert


def _to_powers_from(basis: str) -> Callable[[Any], Any]:
    def convert(c: Any) -> Any:
        """Change of basis."""
        c = _coefficients(c)
        return tensordot(to_powers(basis, shape_of(c)[0]), c, axes=1)

    return convert


def _floating(x: Any) -> Any:
    x = as_array(x)
    return x if dtype_of(x).kind in "fc" else x * 1.0


def _coefficients(c: Any) -> Any:
    """Coefficients of one series, or of several along further axes."""
    c = _floating(c)
    if 0 in shape_of(c):
        raise ValueError("Coefficient array is empty")
    return c if shape_of(c) else reshape(c, (1,))


# Matrices ------------------------------------------------------------------------------------------------------------


def _columns(rows: int, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Put coefficient vectors of different lengths side by side."""
    out = np.zeros((rows, len(columns)))
    for k, column in enumerate(columns):
        out[: len(column), k] = column
    return out


@functools.cache
def from_powers(basis: str, count: int) -> np.ndarray:
    """The matrix from powers to the basis."""
    if basis == "polynomial":
        return np.eye(count)
    function = getattr(getattr(np.polynomial, basis), f"poly2{r.PREFIXES[basis]}")
    return _columns(count, [function(e[: k + 1]) for k, e in enumerate(np.eye(count))])


@functools.cache
def to_powers(basis: str, count: int) -> np.ndarray:
    """The matrix from the basis to powers."""
    function = getattr(getattr(np.polynomial, basis), f"{r.PREFIXES[basis]}2poly")
    return _columns(count, [function(e[: k + 1]) for k, e in enumerate(np.eye(count))])


@functools.cache
def _products(basis: str, m: int, n: int) -> np.ndarray:
    """Coefficients of all products of basis polynomials."""
    multiply = r.numpy_function(basis, "mul")
    out = np.zeros((m + n - 1, m, n))
    for i, j in np.ndindex(m, n):
        column = multiply(np.eye(m)[i, : i + 1], np.eye(n)[j, : j + 1])
        out[: len(column), i, j] = column
    return out


# Evaluation ----------------------------------------------------------------------------------------------------------


def _val(basis: str, x: Any, c: Any, tensor: bool = True) -> Any:
    """By Clenshaw's recurrence; differentiable in x and c."""
    c, x = _coefficients(c), as_array(x)
    if tensor and shape_of(x):
        c = reshape(c, shape_of(c) + (1,) * len(shape_of(x)))
    return call(lambda x, c: r.evaluate(basis, x, c), x, c)


def _val_at_points(basis: str, c: Any, *points: Any) -> Any:
    arrays = [as_array(p) for p in points]
    if len({shape_of(p) for p in arrays}) > 1:
        raise ValueError(", ".join("xyz"[: len(arrays)]) + " have different shapes")
    c = _val(basis, arrays[0], c)
    for x in arrays[1:]:
        c = _val(basis, x, c, tensor=False)
    return c


def _val2d(basis: str, x: Any, y: Any, c: Any) -> Any:
    """At points (x, y)."""
    return _val_at_points(basis, c, x, y)


def _val3d(basis: str, x: Any, y: Any, z: Any, c: Any) -> Any:
    """At points (x, y, z)."""
    return _val_at_points(basis, c, x, y, z)


def _grid2d(basis: str, x: Any, y: Any, c: Any) -> Any:
    """On the Cartesian product of x and y."""
    return _val(basis, y, _val(basis, x, c))


def _grid3d(basis: str, x: Any, y: Any, z: Any, c: Any) -> Any:
    """On the Cartesian product of x, y and z."""
    return _val(basis, z, _grid2d(basis, x, y, c))


def polyvalfromroots(x: Any, r: Any, tensor: bool = True) -> Any:
    """Differentiable in the roots, too."""
    r, x = _coefficients(r), as_array(x)
    if tensor:
        r = reshape(r, shape_of(r) + (1,) * len(shape_of(x)))
    elif shape_of(x) and len(shape_of(x)) >= len(shape_of(r)):
        raise ValueError("x.ndim must be < r.ndim when tensor == False")
    return prod(x - r, axis=0)


def _vander(basis: str, x: Any, deg: Any) -> Any:
    """Values of the basis polynomials along a new last axis."""
    degree = operator.index(deg)
    if degree < 0:
        raise ValueError("deg must be non-negative")
    return call(lambda x: r.basis_values(basis, x, degree + 1), _coefficients(x))


def _vander_of_points(basis: str, points: Sequence[Any], deg: Sequence[int]) -> Any:
    if len(deg) != len(points):
        raise ValueError(f"Expected {len(points)} dimensions of degrees, got {len(deg)}")
    result = None
    for x, d in zip(points, deg, strict=True):
        v = _vander(basis, x, d)
        result = v if result is None else reshape(result[..., :, None] * v[..., None, :], (*shape_of(v)[:-1], -1))
    return result


def _vander2d(basis: str, x: Any, y: Any, deg: Any) -> Any:
    """All products of values of basis polynomials."""
    return _vander_of_points(basis, (x, y), deg)


def _vander3d(basis: str, x: Any, y: Any, z: Any, deg: Any) -> Any:
    """All products of values of basis polynomials."""
    return _vander_of_points(basis, (x, y, z), deg)


# Arithmetic ----------------------------------------------------------------------------------------------------------


def _vectors(*cs: Any) -> list[Any]:
    vectors = [_coefficients(c) for c in cs]
    if any(len(shape_of(c)) != 1 for c in vectors):
        raise ValueError("Coefficient array is not 1-d")
    return vectors


def _add(basis: str, c1: Any, c2: Any) -> Any:
    """Sum; trailing zeros stay."""
    a, b = _vectors(c1, c2)
    length = max(shape_of(a)[0], shape_of(b)[0])
    return extended(a, length) + extended(b, length)


def _sub(basis: str, c1: Any, c2: Any) -> Any:
    """Difference; trailing zeros stay."""
    return _add(basis, c1, -_floating(c2))


def _mul(basis: str, c1: Any, c2: Any) -> Any:
    """Product; trailing zeros stay."""
    a, b = _vectors(c1, c2)
    return tensordot(tensordot(_products(basis, shape_of(a)[0], shape_of(b)[0]), b, axes=1), a, axes=1)


def _mulx(basis: str, c: Any) -> Any:
    """Product with x."""
    return _mul(basis, _line(basis, 0.0, 1.0), c)


def _div(basis: str, c1: Any, c2: Any) -> Any:
    """Quotient and remainder by long division."""
    a, b = _vectors(c1, c2)
    m, n = shape_of(a)[0], shape_of(b)[0]
    leading = known_numbers(b[-1])
    if leading is not None and np.any(leading == 0):
        raise ZeroDivisionError
    if m < n:
        return a[:1] * 0, a
    if n == 1:
        return a / b[-1], a[:1] * 0
    quotient = []
    for k in range(m - n, -1, -1):
        shifted = _mul(basis, np.eye(k + 1)[k], b)
        quotient.append(a[-1] / shifted[-1])
        a = (a - quotient[-1] * shifted)[:-1]
    return stack(quotient[::-1]), a


def _pow(basis: str, c: Any, pow: Any, maxpower: Any = 16) -> Any:  # noqa: A002
    """Power with a non-negative integer."""
    (c,) = _vectors(c)
    power = int(pow)
    if power != pow or power < 0:
        raise ValueError("Power must be a non-negative integer.")
    if maxpower is not None and power > maxpower and basis != "polynomial":
        raise ValueError("Power is too large")
    result = np.ones(1, dtype_of(c))
    for _ in range(power):
        result = _mul(basis, result, c)
    return result


def _line(basis: str, off: Any, scl: Any) -> Any:
    """The series of off + scl·x."""
    return tensordot(from_powers(basis, 2), stack([_floating(off), _floating(scl)]), axes=1)


def _trim(basis: str, c: Any, tol: float = 0) -> Any:
    """Without trailing coefficients that are small at the moment."""
    if tol < 0:
        raise ValueError("tol must be non-negative")
    (c,) = _vectors(c)
    (large,) = np.nonzero(np.abs(concrete(c, "trimming a polynomial")) > tol)
    return c[: large[-1] + 1] if large.size else c[:1] * 0


# Calculus ------------------------------------------------------------------------------------------------------------


def _times(m: Any, what: str) -> int:
    count = operator.index(m)
    if count < 0:
        raise ValueError(f"The order of {what} must be non-negative")
    return count


def _der(basis: str, c: Any, m: Any = 1, scl: Any = 1, axis: Any = 0) -> Any:
    """Derivative."""
    c = _coefficients(c)
    axis = normalise_axis(axis, len(shape_of(c)))
    c = moveaxis(c, axis, 0)
    for _ in range(_times(m, "derivation")):
        c = tensordot(r.differentiation_matrix(basis, shape_of(c)[0]), c, axes=1) * scl
    return moveaxis(c, 0, axis)


@functools.cache
def _integration_matrix(basis: str, count: int) -> np.ndarray:
    return r.numpy_function(basis, "int")(np.eye(count), axis=0)


def _int(
    basis: str,
    c: Any,
    m: Any = 1,
    k: Any = (),
    lbnd: Any = 0,
    scl: Any = 1,
    axis: Any = 0,
) -> Any:
    """Integral; constants and lower bound may be traced."""
    c = _coefficients(c)
    count = _times(m, "integration")
    constants = list(k) if np.iterable(k) else [k]
    if len(constants) > count:
        raise ValueError("Too many integration constants")
    constants += [0] * (count - len(constants))
    axis = normalise_axis(axis, len(shape_of(c)))
    c = moveaxis(c, axis, 0)
    for constant in constants:
        c = tensordot(_integration_matrix(basis, shape_of(c)[0]), c * scl, axes=1)
        c = concatenate([c[:1] + (constant - _val(basis, lbnd, c)), c[1:]])
    return moveaxis(c, 0, axis)


# Roots and fits ------------------------------------------------------------------------------------------------------


def _roots(basis: str, c: Any) -> Any:
    """Those of multiple roots have no derivative. Under jit the result is complex."""
    (c,) = _vectors(c)
    return roots_of(c, basis)


def _fromroots(basis: str, roots: Any) -> Any:
    """The series with leading power 1 that has the given roots."""
    roots = as_array(roots)
    result = np.ones(1)
    for k in range(shape_of(roots)[0]):
        result = _mul(basis, result, _line(basis, -roots[k], 1.0))
    return result


def _companion(basis: str, c: Any) -> Any:
    """The matrix that has the roots as eigenvalues."""
    (c,) = _vectors(c)
    count = shape_of(c)[0]
    if count < 2:
        raise ValueError("Series must have maximum degree of at least 1.")
    companion = r.numpy_function(basis, "companion")
    fixed = companion(np.eye(count)[-1])
    column = companion(np.ones(count))[:, -1] - fixed[:, -1]
    last = np.zeros((count - 1, count - 1))
    last[:, -1] = 1.0
    return fixed + last * (column * (c[:-1] / c[-1]))[:, None]


def _fit(basis: str, x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None) -> Any:
    """Differentiable in points, values and weights."""
    degrees = np.asarray(deg)
    if degrees.ndim > 1 or degrees.dtype.kind not in "iu" or degrees.size == 0:
        raise TypeError("deg must be an int or non-empty 1-D array of int")
    if degrees.min() < 0:
        raise ValueError("expected deg >= 0")
    chosen = np.arange(int(degrees) + 1) if degrees.ndim == 0 else np.sort(degrees)
    c, *rest = least_squares_fit(x, y, lambda x: _vander(basis, x, chosen[-1])[:, chosen], rcond, w, warn=not full)
    if degrees.ndim:
        places = np.zeros((chosen[-1] + 1, chosen.size), dtype_of(c))
        places[chosen, np.arange(chosen.size)] = 1
        c = tensordot(places, c, axes=1)
    return (c, rest) if full else c


_SERIES: dict[str, Callable[..., Any]] = {
    "val": _val,
    "val2d": _val2d,
    "val3d": _val3d,
    "grid2d": _grid2d,
    "grid3d": _grid3d,
    "vander": _vander,
    "vander2d": _vander2d,
    "vander3d": _vander3d,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "mulx": _mulx,
    "div": _div,
    "pow": _pow,
    "line": _line,
    "trim": _trim,
    "der": _der,
    "int": _int,
    "roots": _roots,
    "fromroots": _fromroots,
    "companion": _companion,
    "fit": _fit,
}
