"""NumPy's functions of polynomials with coefficients in falling order: `polyval`, `polyfit`, `roots` and their kin."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.core.values import dtype_of, shape_of
from wengert.numpy.calculus import convolve
from wengert.numpy.contraction import matmul, outer
from wengert.numpy.dispatch import as_array, call, implements, known_numbers
from wengert.numpy.fitting import least_squares_fit
from wengert.numpy.indexing import trace
from wengert.numpy.joining import concatenate, stack
from wengert.numpy.linalg import inv
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import broadcast_to, cast, reshape
from wengert.rules import polynomials as r


def _coefficients(p: Any) -> Any:
    """Coefficients, also of a `poly1d`."""
    p = as_array(p.coeffs if isinstance(p, np.poly1d) else p)
    return p if shape_of(p) else reshape(p, (1,))


def _vector(p: Any) -> Any:
    p = _coefficients(p)
    if len(shape_of(p)) > 1:
        raise ValueError("Polynomial must be 1d only.")
    return p


def _factor(p: Any) -> Any:
    p = _vector(p)
    return p if shape_of(p)[0] else np.zeros(1, dtype_of(p))


def _longer(p: Any, length: int) -> Any:
    missing = length - shape_of(p)[0]
    return concatenate([np.zeros(missing, dtype_of(p)), p]) if missing > 0 else p


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """Sum."""
    a, b = _coefficients(a1), _coefficients(a2)
    length = max(shape_of(a)[0], shape_of(b)[0])
    return _longer(a, length) + _longer(b, length)


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """Difference."""
    return polyadd(a1, -_coefficients(a2))


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """Product; leading zeros, which NumPy drops, stay."""
    return convolve(_factor(a1), _factor(a2))


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> Any:
    """Quotient and remainder; zeros at the head of the remainder, which NumPy drops, stay."""
    u, v = _vector(u) + 0.0, _vector(v) + 0.0
    u, v = cast(u, np.result_type(dtype_of(u), dtype_of(v))), cast(v, np.result_type(dtype_of(u), dtype_of(v)))
    m, n = shape_of(u)[0], shape_of(v)[0]
    quotient = []
    for k in range(m - n + 1):
        quotient.append(u[k] / v[0])
        u = concatenate([u[:k], u[k : k + n] - quotient[-1] * v, u[k + n :]])
    if not quotient:
        return np.zeros(1, dtype_of(u)), u
    return stack(quotient), u[-max(n - 1, 1) :]


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """Derivative of order m."""
    m = operator.index(m)
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _vector(p)
    for _ in range(m):
        p = p[:-1] * np.arange(shape_of(p)[0] - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """Integral of order m; the constants may be traced."""
    m = operator.index(m)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = np.zeros(m) if k is None else reshape(as_array(k), (-1,))
    if shape_of(constants)[0] == 1 and m > 1:
        constants = constants * np.ones(m)
    if shape_of(constants)[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    p = _vector(p)
    for i in range(m):
        p = concatenate([p / np.arange(shape_of(p)[0], 0, -1), constants[i : i + 1]])
    return p


@implements(np.roots)
def roots(p: Any) -> Any:
    """Multiple roots have no derivative. Under jit the result is complex."""
    p = _coefficients(p)
    if len(shape_of(p)) != 1:
        raise ValueError("Input must be a rank-1 array.")
    return roots_of(p[::-1], "numpy")


def roots_of(c: Any, basis: str) -> Any:
    """Real if all roots are; in a program that is being recorded always complex."""
    if shape_of(c)[0] < 2:
        return np.zeros(0)
    found = call(r.roots, c, basis=basis)
    numbers: Any = known_numbers(found)
    return found if numbers is None or dtype_of(c).kind == "c" or np.any(numbers.imag) else found.real


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """From roots by multiplication, the characteristic polynomial of a matrix by Faddeev and LeVerrier's method."""
    a = as_array(seq_of_zeros)
    shape = shape_of(a)
    if len(shape) == 2 and shape[0] == shape[1] and shape[0]:
        return _characteristic(a)
    if len(shape) > 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    a = reshape(a, (-1,))
    a = a if dtype_of(a).kind in "fc" else a * 1.0
    result: Any = np.ones(1, dtype_of(a))
    for k in range(shape_of(a)[0]):
        result = convolve(result, stack([np.ones((), dtype_of(a)), -a[k]]))
    return result.real if dtype_of(a).kind == "c" and _are_paired(known_numbers(a)) else result


def _are_paired(zeros: np.ndarray | None) -> bool:
    """Whether complex zeros are known to come in conjugate pairs."""
    return zeros is not None and bool(np.all(np.sort(zeros, axis=-1) == np.sort(zeros.conjugate(), axis=-1)))


def _characteristic(a: Any) -> Any:
    """No eigenvalues are needed, so that coinciding ones do no harm."""
    n = shape_of(a)[0]
    a = a if dtype_of(a).kind in "fc" else a * 1.0
    eye = np.eye(n, dtype=dtype_of(a))
    coefficients, m = [np.ones((), dtype_of(a))], eye
    for k in range(1, n + 1):
        product = matmul(a, m)
        coefficients.append(trace(product) * (-1 / k))
        m = product + coefficients[-1] * eye
    return stack(coefficients)


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    """Differentiable in points, values and weights."""
    order = int(deg) + 1
    if order < 1:
        raise ValueError("expected deg >= 0")
    c, residuals, rank, s, rcond = least_squares_fit(x, y, lambda x: vander(x, order), rcond, w, warn=not full)
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    left = vander(as_array(x) + 0.0, order)
    if w is not None:
        left = left * as_array(w)[:, None]
    scale = sum_(left * left, axis=0) ** 0.5
    left = left / scale
    covariance = inv(matmul(left.T, left)) / outer(scale, scale)
    if cov != "unscaled":
        excess = shape_of(left)[0] - order
        if excess <= 0:
            raise ValueError("the number of data points must exceed order to scale the covariance matrix")
        covariance = (covariance if len(shape_of(c)) == 1 else covariance[:, :, None]) * (residuals / excess)
    elif len(shape_of(c)) == 2:
        covariance = covariance[:, :, None] * 1
    return c, covariance


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """Polynomial with coefficients `p`, highest power first, by Horner's rule."""
    p, x = as_array(p), as_array(x)
    result = broadcast_to(cast(0, dtype_of(x)), shape_of(x))
    for i in range(shape_of(p)[0]):
        result = result * x + p[i]
    return result


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Matrix of powers."""
    x = as_array(x)
    if len(shape_of(x)) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    powers = np.arange(shape_of(x)[0] if N is None else N)
    return x[:, None] ** (powers if increasing else powers[::-1])


__all__ = [
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "roots",
    "vander",
]
