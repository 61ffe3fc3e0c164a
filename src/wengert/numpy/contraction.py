"""Products that sum over axes: dot, tensordot, einsum and their kin, all over two primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.values import shape_of
from wengert.numpy.dispatch import as_array, call, implements, normalise_axes
from wengert.numpy.shaping import reshape, swapaxes, transpose
from wengert.numpy.ufuncs import matmul, multiply
from wengert.rules import contraction


@implements(np.dot)
def dot(a: Any, b: Any) -> Any:
    """Matrix product in the sense of np.dot."""
    a, b = as_array(a), as_array(b)
    m, n = len(shape_of(a)), len(shape_of(b))
    if m == 0 or n == 0:
        return multiply(a, b)
    if n <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=((m - 1,), (n - 2,)))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """Conjugates the first argument."""
    return matmul(np.conj(reshape(a, (-1,))), reshape(b, (-1,)))


@implements(np.inner)
def inner(a: Any, b: Any) -> Any:
    """Contract the last axes."""
    a, b = as_array(a), as_array(b)
    if not shape_of(a) or not shape_of(b):
        return multiply(a, b)
    return tensordot(a, b, axes=((-1,), (-1,)))


@implements(np.outer)
def outer(a: Any, b: Any) -> Any:
    """All products of the flattened arguments."""
    return multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


@implements(np.vecdot)
def vecdot(x1: Any, x2: Any, /, axis: int = -1) -> Any:
    """Conjugates the first argument."""
    x, y = np.moveaxis(np.conj(as_array(x1)), axis, -1), np.moveaxis(as_array(x2), axis, -1)
    return matmul(x[..., None, :], y[..., :, None])[..., 0, 0]


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Contract any axes of two arrays, as one matrix product."""
    a, b = as_array(a), as_array(b)
    m, n = len(shape_of(a)), len(shape_of(b))
    if isinstance(axes, (int, np.integer)):
        first, second = tuple(range(m - int(axes), m)), tuple(range(int(axes)))
    else:
        first, second = normalise_axes(axes[0], m), normalise_axes(axes[1], n)
    if [shape_of(a)[i] for i in first] != [shape_of(b)[j] for j in second]:
        raise ValueError("shape-mismatch for sum")
    kept_a = [i for i in range(m) if i not in first]
    kept_b = [j for j in range(n) if j not in second]
    shape = [shape_of(a)[i] for i in kept_a] + [shape_of(b)[j] for j in kept_b]
    length = int(np.prod([shape_of(a)[i] for i in first]))
    rows = int(np.prod([shape_of(a)[i] for i in kept_a]))
    columns = int(np.prod([shape_of(b)[j] for j in kept_b]))
    left = reshape(transpose(a, (*kept_a, *first)), (rows, length))
    right = reshape(transpose(b, (*second, *kept_b)), (length, columns))
    return reshape(matmul(left, right), tuple(shape))


@implements(np.einsum)
def einsum(subscripts: Any, *operands: Any, optimize: Any = False, dtype: Any = None) -> Any:
    """With subscripts as a string, ellipsis and implicit output included."""
    xs = [as_array(x) for x in operands]
    explicit = _explicit(subscripts.replace(" ", ""), [len(shape_of(x)) for x in xs])
    return call(contraction.einsum, *xs, subscripts=explicit, optimize=bool(optimize))


def _explicit(subscripts: str, ranks: list[int]) -> str:
    """Write out ellipses and the implicit output."""
    left, arrow, output = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError("number of einsum subscripts must be equal to the number of operands")
    if "..." in subscripts:
        spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in subscripts]
        longest = max(
            rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True) if "..." in t
        )
        letters = "".join(spare[:longest])
        terms = [
            t.replace("...", letters[longest - (rank - len(t.replace("...", ""))) :] if "..." in t else "")
            for t, rank in zip(terms, ranks, strict=True)
        ]
        if arrow:
            output = output.replace("...", letters)
        else:
            output = letters
    elif not arrow:
        output = ""
    if not arrow:
        joined = "".join(left.split(",")).replace("...", "")
        output += "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    return ",".join(terms) + "->" + output


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Kronecker product."""
    a, b = as_array(a), as_array(b)
    rank = max(len(shape_of(a)), len(shape_of(b)))
    shape_a = (1,) * (rank - len(shape_of(a))) + shape_of(a)
    shape_b = (1,) * (rank - len(shape_of(b))) + shape_of(b)
    left = reshape(a, tuple(n for s in shape_a for n in (s, 1)))
    right = reshape(b, tuple(n for s in shape_b for n in (1, s)))
    return reshape(multiply(left, right), tuple(s * t for s, t in zip(shape_a, shape_b, strict=True)))


__all__ = ["dot", "einsum", "inner", "kron", "outer", "swapaxes", "tensordot", "vdot", "vecdot"]
