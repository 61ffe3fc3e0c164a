"""Derivatives of eigenvalues and singular values where nobody asks for the vectors.

The pullback of eigenvalues w with cotangents c is S = V·diag(c)·Vᴴ. Its own derivative through V would be infinite
where eigenvalues coincide, although that of S need not be: with P = Vᴴ·dA·V it is V·(D∘P + diag(dc))·Vᴴ, where
D = (cᵢ - cⱼ)/(wᵢ - wⱼ). Of a function that is linear in coinciding eigenvalues with equal weights, such as their sum,
the entry of D is 0. Of any other it would be a second derivative with respect to w, which cannot be known here: NaN.

So S is a primitive with the arguments a, c, w, v, of which w and v serve as numbers: the dependence on the matrix is
stated for `a`. For general matrices S = V⁻ᴴ·diag(c)·Vᴴ; for singular values see the formulas. Rows of weights and
values have the shape (…, 1, n), so that stacks align.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import conjugate, narrow, real_part, strong_scale
from wengert.core.values import Value, shape_of, zeros_of
from wengert.rules.contraction import matmul, swap_last
from wengert.rules.elementwise import equal, where
from wengert.rules.linalg import Stacked, adjoint, as_row, diagonal, hermitian, hermitian_transpose, solve


class Decomposition(Stacked):
    """A decomposition into values and vectors, whose vjp is told which of them are used.

    ``values_vjp(c, out, a, **params)`` returns the cotangent of a where only the values (output number `which`) have
    a cotangent; else ``vjp(cts, out, a, with_values, **params)``, where `with_values` says whether the values have one.
    """

    which = 0
    values_vjp: Any

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Choose the formula."""
        out, out_types, (a_type,), a = saved
        if parents[0] < 0:
            return
        c = ct[self.which]
        if all(other is None for i, other in enumerate(ct) if i != self.which):
            ca = self.values_vjp(c, out, a, **params)
        else:
            cts = tuple(zeros_of(t) if x is None else x for x, t in zip(ct, out_types, strict=True))
            ca = self._vjp(cts, out, a, with_values=c is not None, **params)
        sweep.add(parents[0], narrow(ca, a_type), False)


def is_constant(c: Any) -> bool:
    """Whether weights are numbers that no transform differentiates."""
    while isinstance(c, Value):
        if c.level.kind != "vmap":
            return False
        c = c.parts[0]
    return True


def _ratio(rise: Any, gap: Any, constant: bool) -> Any:
    """rise / gap, where a constant rise of exactly 0 wins."""
    return where(equal(rise, 0), 0.0, rise / gap) if constant else rise / gap


def _slopes(c: Any, w: Any, constant: bool) -> Any:
    """(cᵢ - cⱼ)/(wᵢ - wⱼ), zero on the diagonal."""
    eye = np.eye(shape_of(w)[-1], dtype=bool)
    gap = where(eye, 1.0, swap_last(w) - w)
    return where(eye, 0.0, _ratio(swap_last(c) - c, gap, constant))


def _spread(c: Any) -> Any:
    """Diagonal matrices of a row."""
    return where(np.eye(shape_of(c)[-1], dtype=bool), c, 0.0)


def _stacked_as(x: Any, *others: Any) -> Any:
    """Repeat x for the stacks of arguments on whose numbers it does not depend."""
    shape = np.broadcast_shapes(x.shape[:-2], *(y.shape[:-2] for y in others)) + x.shape[-2:]
    return x if x.shape == shape else np.broadcast_to(x, shape)


# Hermitian matrices --------------------------------------------------------------------------------------------------


def _hermitian_turned(x: Any, c: Any, w: Any, v: Any, constant: bool) -> tuple[Any, Any]:
    """What a Hermitian direction x does to S, within the eigenvectors, and x itself there."""
    inside = matmul(adjoint(v), matmul(x, v))
    return strong_scale(_slopes(c, w, constant), inside), inside


def _hermitian_jvp(tangents: Sequence[Any], out: Any, a: Any, c: Any, w: Any, v: Any, *, constant: bool) -> Any:
    inner, _ = _hermitian_turned(hermitian(tangents[0]), c, w, v, constant)
    return matmul(v, matmul(inner + _spread(tangents[1]), adjoint(v)))


def _hermitian_vjp(ct: Any, out: Any, a: Any, c: Any, w: Any, v: Any, *, constant: bool) -> tuple[Any, ...]:
    inner, inside = _hermitian_turned(ct, c, w, v, constant)
    ca = hermitian_transpose(matmul(v, matmul(inner, adjoint(v))))
    return ca, as_row(real_part(diagonal(inside))), None, None


#: S for the Hermitian matrix in the lower triangle of a.
hermitian_spectrum = Stacked(
    lambda a, c, w, v, *, constant: _stacked_as((v * c) @ np.conj(np.swapaxes(v, -1, -2)), a, w),
    jvp=_hermitian_jvp,
    vjp=_hermitian_vjp,
    name="hermitian_spectrum",
)


def eigh_values_vjp(c: Any, out: Any, a: Any, *, upper: bool = False) -> Any:
    w, v = out
    return hermitian_transpose(hermitian_spectrum(a, as_row(c), as_row(w), v, constant=is_constant(c)))


# General matrices ----------------------------------------------------------------------------------------------------


def _general_slopes(c: Any, w: Any, constant: bool) -> Any:
    return _slopes(c, conjugate(w), constant)


def _general_jvp(tangents: Sequence[Any], out: Any, a: Any, c: Any, w: Any, v: Any, *, constant: bool) -> Any:
    inside = solve(v, matmul(tangents[0], v))
    inner = strong_scale(_general_slopes(c, w, constant), adjoint(inside)) + _spread(tangents[1])
    return solve(adjoint(v), matmul(inner, adjoint(v)))


def _general_vjp(ct: Any, out: Any, a: Any, c: Any, w: Any, v: Any, *, constant: bool) -> tuple[Any, ...]:
    inside = solve(v, matmul(ct, v))
    inner = strong_scale(conjugate(_general_slopes(c, w, constant)), inside)
    ca = solve(adjoint(v), matmul(adjoint(inner), adjoint(v)))
    return ca, as_row(diagonal(inside)), None, None


#: S for any square matrix a.
general_spectrum = Stacked(
    lambda a, c, w, v, *, constant: _stacked_as(_general(c, v), a, w),
    jvp=_general_jvp,
    vjp=_general_vjp,
    name="general_spectrum",
)


def _general(c: Any, v: Any) -> Any:
    vh = np.conj(np.swapaxes(v, -1, -2))
    return np.linalg.solve(vh, np.swapaxes(c, -1, -2) * vh)


def eig_values_vjp(c: Any, out: Any, a: Any) -> Any:
    w, v = out
    return general_spectrum(a, as_row(c), as_row(w), v, constant=is_constant(c))


# Singular values: S = U·diag(c)·Vᴴ -----------------------------------------------------------------------------------


def _singular_turned(x: Any, c: Any, u: Any, s: Any, vh: Any, constant: bool) -> tuple[Any, Any]:
    """What a direction x does to S at constant c, and x within the singular vectors."""
    m, k, n = shape_of(u)[-2], shape_of(s)[-1], shape_of(vh)[-1]
    v, uh = adjoint(vh), adjoint(u)
    xv, uhx = matmul(x, v), matmul(uh, x)
    inside = matmul(uh, xv)
    even, odd = 0.5 * (inside + adjoint(inside)), 0.5 * (inside - adjoint(inside))
    sums = _ratio(swap_last(c) + c, swap_last(s) + s, constant)
    out = matmul(u, matmul(strong_scale(_slopes(c, s, constant), even) + strong_scale(sums, odd), vh))
    shrink = _ratio(c, s, constant)
    if m > k:
        out = out + matmul(strong_scale(shrink, xv - matmul(u, inside)), vh)
    if n > k:
        out = out + matmul(u, strong_scale(swap_last(shrink), uhx - matmul(inside, vh)))
    return out, inside


def _singular_jvp(tangents: Sequence[Any], out: Any, a: Any, c: Any, u: Any, s: Any, vh: Any, *, constant: bool) -> Any:
    turned, _ = _singular_turned(tangents[0], c, u, s, vh, constant)
    return turned + matmul(u * tangents[1], vh)


def _singular_vjp(ct: Any, out: Any, a: Any, c: Any, u: Any, s: Any, vh: Any, *, constant: bool) -> tuple[Any, ...]:
    turned, inside = _singular_turned(ct, c, u, s, vh, constant)
    return turned, as_row(real_part(diagonal(inside))), None, None, None


#: S for the reduced singular value decomposition of a.
singular_spectrum = Stacked(
    lambda a, c, u, s, vh, *, constant: _stacked_as((u * c) @ vh, a, s),
    jvp=_singular_jvp,
    vjp=_singular_vjp,
    name="singular_spectrum",
)


def svd_values_vjp(c: Any, out: Any, a: Any, *, full: bool) -> Any:
    """Singular values have derivative 0 where they are 0."""
    u, s, vh = out
    constant = is_constant(c)
    return singular_spectrum(a, as_row(where(equal(s, 0), 0.0, c)), u, as_row(s), vh, constant=constant)
