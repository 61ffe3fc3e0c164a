"""Products that sum over axes: dot, tensordot, einsum and their kin, all over two primitives."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from wengert.array import Array, take_view
from wengert.array.steps import ReshapeStep
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.dispatch import as_array, call, implements, normalise_axes, normalise_axis
from wengert.numpy.joining import concatenate, stack
from wengert.numpy.shaping import cast, moveaxis, ordered, reshape, transpose
from wengert.numpy.ufuncs import conj, matmul, multiply
from wengert.numpy.universal import Ufunc
from wengert.rules import contraction


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """Matrix product; sum over the last axis of `a` and the last but one of `b`."""
    a, b = as_array(a), as_array(b)
    m, n = len(shape_of(a)), len(shape_of(b))
    if m == 0 or n == 0:
        return ordered(multiply(a, b), "C")
    if n <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=((m - 1,), (n - 2,)))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """Product of two flattened arrays, the first of them conjugated."""
    return matmul(conj(reshape(a, (-1,))), reshape(b, (-1,)))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """Sum over the last axes."""
    a, b = as_array(a), as_array(b)
    if not shape_of(a) or not shape_of(b):
        return ordered(multiply(a, b), "C")
    result = tensordot(a, b, axes=((-1,), (-1,)))
    return result if shape_of(result) else result[()]


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """All products of the elements of the flattened arguments."""
    return multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


@implements(np.vecdot)
def vecdot(x1: Any, x2: Any, /, out: Any = None, *, axis: int = -1) -> Any:
    """Product of vectors along one axis, the first of them conjugated."""
    x, y = moveaxis(conj(as_array(x1)), axis, -1), moveaxis(x2, axis, -1)
    return matmul(x[..., None, :], y[..., :, None])[..., 0, 0]


def _need_axes(name: str, x: Any, count: int) -> Any:
    x = as_array(x)
    if len(shape_of(x)) < count:
        raise ValueError(f"{name}: an operand does not have enough dimensions ({len(shape_of(x))} of {count})")
    return x


def _matvec(x: Any, y: Any) -> Any:
    x, y = _need_axes("matvec", x, 2), _need_axes("matvec", y, 1)
    return matmul(x, as_array(y)[..., None])[..., 0]


def _vecmat(x: Any, y: Any) -> Any:
    x, y = _need_axes("vecmat", x, 1), _need_axes("vecmat", y, 2)
    return matmul(conj(as_array(x))[..., None, :], y)[..., 0, :]


if hasattr(np, "matvec"):  # NumPy has them from 2.2 on
    matvec = Ufunc(np.matvec, _matvec)
    vecmat = Ufunc(np.vecmat, _vecmat)


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Contract any axes of two arrays, as one matrix product."""
    a, b = as_array(a), as_array(b)
    m, n = len(shape_of(a)), len(shape_of(b))
    if isinstance(axes, (int, np.integer)):
        if axes > min(m, n):
            raise ValueError("shape-mismatch for sum")
        first, second = tuple(range(m - int(axes), m)), tuple(range(int(axes)))
    else:
        first, second = normalise_axes(axes[0], m), normalise_axes(axes[1], n)
    if [shape_of(a)[i] for i in first] != [shape_of(b)[j] for j in second]:
        raise ValueError("shape-mismatch for sum")
    kept_a = [i for i in range(m) if i not in first]
    kept_b = [j for j in range(n) if j not in second]
    shape = [shape_of(a)[i] for i in kept_a] + [shape_of(b)[j] for j in kept_b]
    length = math.prod([shape_of(a)[i] for i in first])
    rows = math.prod([shape_of(a)[i] for i in kept_a])
    columns = math.prod([shape_of(b)[j] for j in kept_b])
    left = reshape(transpose(a, (*kept_a, *first)), (rows, length))
    right = reshape(transpose(b, (*second, *kept_b)), (length, columns))
    return reshape(matmul(left, right), tuple(shape))


# einsum --------------------------------------------------------------------------------------------------------------

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@implements(np.einsum)
def einsum(
    subscripts: Any,
    *operands: Any,
    out: Any = None,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
    optimize: Any = False,
) -> Any:
    """Ellipsis, implicit output and the form with lists of axis numbers included."""
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    xs = [as_array(x) if dtype is None else cast(x, dtype) for x in operands]
    explicit = _explicit(subscripts.replace(" ", ""), [len(shape_of(x)) for x in xs])
    term, output = explicit.split("->")
    if len(xs) == 1 and set(term) == set(output) and isinstance(xs[0], Array) and xs[0].is_mutable:
        return _rearranged(xs[0], term, output)
    return call(contraction.einsum, *xs, subscripts=explicit, optimize=bool(optimize))


def _rearranged(x: Array, term: str, output: str) -> Any:
    """A view of one operand whose axes are permuted, or of its diagonals: "ij->ji", "ii->i", "iij->ji"."""
    if len(set(output)) != len(output):
        raise ValueError(f"einstein sum subscripts string includes output subscript '{output}' multiple times")
    for letter in output:
        axes = [i for i, c in enumerate(term) if c == letter]
        lengths = {x.shape[i] for i in axes}
        if len(axes) == 1:
            continue
        if len(lengths) != 1:
            raise ValueError(f"dimensions of operand for collapsing index '{letter}' don't match")
        (n,) = lengths
        x, first = moveaxis(x, axes, range(len(axes))), n ** len(axes)
        # with its axes merged into one, a diagonal is evenly spaced
        x = take_view(x, ReshapeStep((first, *x.shape[len(axes) :])))[:: (first - 1) // (n - 1) if n > 1 else 1]
        term = letter + "".join(c for c in term if c != letter)
    return transpose(x, [term.index(c) for c in output])


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy", einsum_call: bool = False) -> Any:
    """Depends on shapes only."""
    if isinstance(operands[0], str):
        operands = (operands[0], *map(_outline, operands[1:]))
    else:
        last = len(operands) - len(operands) % 2
        operands = tuple(_outline(x) if i % 2 == 0 and i < last else x for i, x in enumerate(operands))
    return np.einsum_path(*operands, optimize=optimize, einsum_call=einsum_call)  # type: ignore[call-overload]


def _outline(x: Any) -> np.ndarray:
    """An array of the same shape and dtype without memory of its own."""
    return np.broadcast_to(np.zeros((), dtype_of(as_array(x))), shape_of(as_array(x)))


def _from_lists(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Turn einsum(a, [0, 1], b, [1, 2], [0, 2]) into subscripts and operands."""

    def term(axes: Any) -> str:
        return "".join("..." if i is Ellipsis else _LETTERS[i] for i in axes)

    text = ",".join(term(axes) for axes in args[1 : len(args) // 2 * 2 : 2])
    if len(args) % 2:
        return text + "->" + term(args[-1]), args[:-1:2]
    return text, args[::2]


def _explicit(subscripts: str, ranks: list[int]) -> str:
    """Write out ellipses and the implicit output."""
    left, arrow, output = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError("number of einsum subscripts must be equal to the number of operands")
    covered = [rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True)]
    for t, c in zip(terms, covered, strict=True):
        if c < 0 or (c > 0 and "..." not in t):
            raise ValueError(f"einsum subscripts {t!r} do not fit the number of dimensions of their operand")
    longest = max((c for t, c in zip(terms, covered, strict=True) if "..." in t), default=0)
    letters = "".join([c for c in _LETTERS if c not in subscripts][:longest])
    if not arrow:
        named = left.replace(",", "").replace("...", "")
        output = letters + "".join(sorted(c for c in set(named) if named.count(c) == 1))
    terms = [t.replace("...", letters[longest - c :] if c else "") for t, c in zip(terms, covered, strict=True)]
    return ",".join(terms) + "->" + output.replace("...", letters)


# Other products ------------------------------------------------------------------------------------------------------


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


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Vector product, of which two-dimensional vectors (deprecated by NumPy) have the third component only."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    sizes = {shape_of(a)[-1], shape_of(b)[-1]}
    if not sizes <= {2, 3}:
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    last = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    if 2 in sizes:
        warnings.warn("Arrays of 2-dimensional vectors are deprecated.", DeprecationWarning, stacklevel=4)
        if 3 not in sizes:
            return last
        a, b = (x if shape_of(x)[-1] == 3 else concatenate([x, 0 * x[..., :1]], axis=-1) for x in (a, b))
    parts = [a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0))]
    return moveaxis(ordered(stack([*parts, last], axis=-1), "C"), -1, normalise_axis(axisc, len(shape_of(last)) + 1))


__all__ = [
    "cross",
    "dot",
    "einsum",
    "einsum_path",
    "inner",
    "kron",
    "outer",
    "tensordot",
    "vdot",
    "vecdot",
]
if hasattr(np, "matvec"):
    __all__ += ["matvec", "vecmat"]
