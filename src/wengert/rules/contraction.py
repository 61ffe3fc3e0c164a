"""Products that contract axes: `matmul` and `einsum`. The others (dot, inner …) are `wengert.numpy` code over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import Multilinear, broadcast_to, reshape
from wengert.core.values import ArrayType, dtype_of, shape_of
from wengert.rules.indexing import ARRAY, index_add
from wengert.rules.structural import transpose


def swap_last(x: Any) -> Any:
    """Transpose the last two axes."""
    n = len(shape_of(x))
    return transpose(x, axes=(*range(n - 2), n - 1, n - 2))


def _as_matrices(ct: Any, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Any:
    """View the cotangent of x @ y as matrices, where x or y is a vector."""
    shape = shape_of(ct)
    if len(y_shape) == 1:
        shape = (*shape, 1)
    if len(x_shape) == 1:
        shape = (*shape[:-1], 1, shape[-1])
    return reshape(ct, shape=shape)


def _matmul_transpose_x(ct: Any, x: ArrayType, y: Any) -> Any:
    y_shape = shape_of(y)
    if len(y_shape) == 1:
        y = reshape(y, shape=(*y_shape, 1))
    out = matmul(_as_matrices(ct, x.shape, y_shape), swap_last(y))
    if len(x.shape) == 1:
        out = reshape(out, shape=(*shape_of(out)[:-2], shape_of(out)[-1]))
    return out


def _matmul_transpose_y(ct: Any, x: Any, y: ArrayType) -> Any:
    x_shape = shape_of(x)
    if len(x_shape) == 1:
        x = reshape(x, shape=(1, *x_shape))
    out = matmul(swap_last(x), _as_matrices(ct, x_shape, y.shape))
    if len(y.shape) == 1:
        out = reshape(out, shape=shape_of(out)[:-1])
    return out


def _matmul_batch(size: int, args: Sequence[Any], batched: Sequence[bool]) -> Any:
    x, y = args
    x_rank, y_rank = (len(shape_of(a)) - b for a, b in zip(args, batched, strict=True))
    if x_rank == 1 and not batched[0] and y_rank == 1:
        return matmul(y, x)
    if batched[0] and not batched[1] and x_rank <= 2 and y_rank == 1:
        return matmul(x, y)
    if batched[0] and not batched[1] and x_rank == 1 and y_rank == 2:
        return matmul(x, y)
    # The general case: matrices with aligned leading axes.
    rank = max(x_rank, y_rank, 2)
    x_example, y_example = shape_of(x)[batched[0] :], shape_of(y)[batched[1] :]
    x_core = x_example if x_rank > 1 else (1, *x_example)
    y_core = y_example if y_rank > 1 else (*y_example, 1)
    out = matmul(_with_rank(x, x_core, rank, size, batched[0]), _with_rank(y, y_core, rank, size, batched[1]))
    shape = list(shape_of(out))
    if y_rank == 1:
        del shape[-1]
    if x_rank == 1:
        del shape[-2 if y_rank > 1 else -1]
    return reshape(out, shape=tuple(shape))


def _with_rank(x: Any, core: tuple[int, ...], rank: int, size: int, batched: bool) -> Any:
    padded = (1,) * (rank - len(core)) + core
    return reshape(x, shape=(size, *padded) if batched else padded)


matmul = Multilinear(np.matmul, _matmul_transpose_x, _matmul_transpose_y, name="matmul", batch=_matmul_batch)


# einsum: explicit subscripts, no ellipsis, letters only ---------------------------------------------------------------


def _einsum(*operands: Any, subscripts: str, optimize: Any = False) -> Any:
    return np.einsum(subscripts, *operands, optimize=optimize)


def _einsum_transpose(ct: Any, *operands: Any, k: int, subscripts: str, optimize: Any = False) -> Any:
    inputs, output = split_subscripts(subscripts)
    own, shape = inputs[k], operands[k].shape
    others = [x for i, x in enumerate(operands) if i != k]
    terms = [s for i, s in enumerate(inputs) if i != k]
    letters = "".join(dict.fromkeys(own))
    # Axes of the operand that nothing else mentions were summed: every element gets the same cotangent.
    known = [c for c in letters if c in output or any(c in s for s in terms)]
    out = einsum(ct, *others, subscripts=",".join([output, *terms]) + "->" + "".join(known), optimize=optimize)
    sizes = dict(zip(own, shape, strict=True))
    if len(known) < len(letters):
        out = reshape(out, shape=tuple(sizes[c] if c in known else 1 for c in letters))
        out = broadcast_to(out, shape=tuple(sizes[c] for c in letters))
    if len(letters) < len(own):
        # A repeated letter takes a diagonal; its transpose writes one.
        grids = np.indices([sizes[c] for c in letters], sparse=True)
        place = dict(zip(letters, grids, strict=True))
        out = index_add(
            np.zeros(shape, dtype_of(out)), out, *(place[c] for c in own), spec=(ARRAY,) * len(own), donate=False
        )
    return out


def split_subscripts(subscripts: str) -> tuple[list[str], str]:
    """Split "ij,jk->ik" into its input terms and its output."""
    inputs, output = subscripts.split("->")
    return inputs.split(","), output


def _einsum_batch(
    size: int, args: Sequence[Any], batched: Sequence[bool], *, subscripts: str, optimize: Any = False
) -> Any:
    inputs, output = split_subscripts(subscripts)
    free = next(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in subscripts)
    terms = [free + s if b else s for s, b in zip(inputs, batched, strict=True)]
    return einsum(*args, subscripts=",".join(terms) + "->" + free + output, optimize=optimize)


einsum = Multilinear(_einsum, _einsum_transpose, name="einsum", batch=_einsum_batch, variadic=True)


# Convolution of two vectors ------------------------------------------------------------------------------------------

# In full, c[k] = Σᵢ a[i]·v[k - i], and as sums over a window that moves, c[k] = Σᵢ a[k + i]·v[i], with v not longer
# than a. The derivatives of each are the two, so that a short factor saves as much there.
convolve = Multilinear(
    lambda a, v: np.convolve(a, v),
    lambda ct, a, v: window_sums(ct, v),
    lambda ct, a, v: window_sums(ct, a),
    name="convolve",
)
window_sums = Multilinear(
    lambda a, v: np.convolve(a, v[::-1], "valid"),
    lambda ct, a, v: convolve(ct, v),
    lambda ct, a, v: window_sums(a, ct),
    name="window_sums",
)
