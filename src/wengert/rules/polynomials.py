"""Polynomials in the six bases of `numpy.polynomial`: three-term recurrences, and roots.

A basis is given by p₀ = 1 and pₖ₊₁(x) = (a·x + b)·pₖ(x) - g·pₖ₋₁(x); see DLMF 18.9.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import General, conjugate, reduce_sum
from wengert.core.values import shape_of
from wengert.rules.contraction import matmul
from wengert.rules.indexing import index
from wengert.rules.joining import stack
from wengert.rules.linalg import as_column

#: k -> (a, b, g) of the step from pₖ₋₁ and pₖ to pₖ₊₁, for k ≥ 0.
STEPS: dict[str, Callable[[int], tuple[float, float, float]]] = {
    "polynomial": lambda k: (1, 0, 0),
    "chebyshev": lambda k: (2 if k else 1, 0, 1),
    "legendre": lambda k: ((2 * k + 1) / (k + 1), 0, k / (k + 1)),
    "hermite": lambda k: (2, 0, 2 * k),
    "hermite_e": lambda k: (1, 0, k),
    "laguerre": lambda k: (-1 / (k + 1), (2 * k + 1) / (k + 1), k / (k + 1)),
}
#: The letters that the functions of a basis begin with in NumPy.
PREFIXES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "hermite": "herm",
    "hermite_e": "herme",
    "laguerre": "lag",
}


def numpy_function(basis: str, name: str) -> Callable[..., Any]:
    """Return NumPy's function of a basis: (chebyshev, val) is chebval."""
    return getattr(getattr(np.polynomial, basis), PREFIXES[basis] + name)


def basis_values(basis: str, x: Any, count: int) -> Any:
    """p₀(x), p₁(x) … along a new last axis."""
    values = [1.0 + 0.0 * x]
    for k in range(count - 1):
        a, b, g = STEPS[basis](k)
        factor = a * x + b if b else a * x if a != 1 else x
        following = factor * values[-1]
        values.append(following - g * values[-2] if g and k else following)
    return stack(*values[:count], axis=len(shape_of(x)))


@functools.cache
def differentiation_matrix(basis: str, count: int) -> np.ndarray:
    """The matrix from the coefficients of a series to those of its derivative."""
    return numpy_function(basis, "der")(np.eye(count), axis=0)


# Roots ---------------------------------------------------------------------------------------------------------------
# From p(r; c) = 0: dr = -(Σ dcₖ·pₖ(r)) / p'(r), in which the leading coefficient may be zero as well.


def _roots(c: Any, *, basis: str) -> Any:
    found = np.roots(c[::-1]) if basis == "numpy" else numpy_function(basis, "roots")(c)
    return found.astype(np.result_type(found, np.complex64))


def _values_and_slopes(r: Any, c: Any, basis: str) -> tuple[Any, Any]:
    basis = "polynomial" if basis == "numpy" else basis
    count = shape_of(c)[0]
    values = basis_values(basis, r, count)
    slopes = basis_values(basis, r, max(1, count - 1))
    return values, matmul(slopes, matmul(differentiation_matrix(basis, count), c))


def _roots_jvp(tangents: Sequence[Any], out: Any, c: Any, *, basis: str) -> Any:
    values, slopes = _values_and_slopes(out, c, basis)
    return -(matmul(values, tangents[0]) / slopes)


def _roots_vjp(ct: Any, out: Any, c: Any, *, basis: str) -> tuple[Any]:
    values, slopes = _values_and_slopes(out, c, basis)
    return (-reduce_sum(conjugate(values) * as_column(ct / conjugate(slopes)), axis=(0,)),)


#: Roots (complex numbers) of a series of degree 1 or more with coefficients c, lowest degree first; of multiple roots
#: the derivative is infinite or NaN.
roots = General(_roots, jvp=_roots_jvp, vjp=_roots_vjp, name="roots")


def evaluate(basis: str, x: Any, c: Any) -> Any:
    """Σ c[k]·pₖ(x) by Clenshaw's recurrence, for coefficients along the first axis."""
    count = shape_of(c)[0]
    total, behind = 0.0 * x + index(c, spec=(count - 1,)), None
    for k in range(count - 2, -1, -1):
        a, b, _ = STEPS[basis](k)
        value = index(c, spec=(k,)) + total * (a * x + b if b else a * x if a != 1 else x)
        g = STEPS[basis](k + 1)[2]
        if g and behind is not None:
            value = value - g * behind
        total, behind = value, total
    return total
