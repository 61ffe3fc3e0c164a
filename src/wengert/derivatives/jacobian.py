"""Whole Jacobians and Hessians: many tangents or cotangents in one walk, as a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import broadcast_to, conjugate, reshape
from wengert.core.containers import unflatten
from wengert.core.values import shape_of
from wengert.derivatives.calls import Argnums, Inputs, Outputs, to_user
from wengert.derivatives.forward import jvp, push_through
from wengert.derivatives.gradient import Recording, grad
from wengert.errors import OutputError, fail
from wengert.rules.joining import concatenate
from wengert.rules.structural import transpose
from wengert.transforms.batch import Batch, Batched

# Elements of one batch of tangents or cotangents, unless the user gives a chunk size: 32 MB of float64.
_CHUNK_ELEMENTS = 1 << 22


def jacfwd(
    fun: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of `fun` by forward mode, one column per input element.

    Many columns go through the function at once, as dual numbers with a chunk of tangents.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers, returning the same.
    argnums, has_aux, holomorphic
        As for `grad`.
    chunk_size : int, optional
        How many tangents to carry at once; bounds the memory. By default as many as fit into 32 MB per array of the
        input's size.

    Returns
    -------
    callable
        Returns the container of the output with, in place of each leaf, the container of the input with arrays of
        shape ``output.shape + input.shape``; a pair with aux if `has_aux`.

    Raises
    ------
    OutputError
        Inputs are complex without `holomorphic`.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import jacfwd
    >>> jacfwd(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(fun)
    def jacobian_fun(*args: Any, **kwargs: Any) -> Any:
        inputs = Inputs(args, argnums, "jacfwd")
        _check_dtypes(inputs.values, holomorphic, "jacfwd")
        outputs, aux = None, None

        def push(seeds: list[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
            nonlocal outputs, aux
            outputs, values, dots, aux = push_through(fun, inputs, kwargs, seeds, has_aux, "jacfwd")
            return dots, values

        columns = _in_chunks(inputs.values, push, chunk_size)
        if outputs is None:  # no input elements
            outputs, values, _, aux = push_through(fun, inputs, kwargs, inputs.values, has_aux, "jacfwd")
            columns = _no_columns(values)
        jacobian = _from_columns(outputs, inputs, columns)
        return (jacobian, aux) if has_aux else jacobian

    return jacobian_fun


def jacrev(
    fun: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of `fun` by reverse mode, one row per output element.

    The function runs once; chunks of rows are pulled back through its Wengert list at once.

    Parameters and result are those of `jacfwd`; `chunk_size` counts cotangents.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import jacrev
    >>> jacrev(lambda x: np.stack([x[0] * x[1], x[1]]))(np.array([3.0, 4.0]))
    array([[4., 3.],
           [0., 1.]])
    """

    @functools.wraps(fun)
    def jacobian_fun(*args: Any, **kwargs: Any) -> Any:
        rec = Recording(fun, Inputs(args, argnums, "jacrev"), kwargs, has_aux, "jacrev")
        _check_dtypes([*rec.inputs.values, *rec.values], holomorphic, "jacrev")
        jacobian = _reverse(rec, holomorphic, chunk_size)
        return (jacobian, rec.aux) if has_aux else jacobian

    return jacobian_fun


def jacobian(
    fun: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of `fun` in the mode that is cheaper for its shape.

    The function is recorded once. If it has fewer inputs than outputs its Wengert list is walked forwards with
    tangents, otherwise backwards with cotangents.

    Parameters and result are those of `jacfwd`.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import jacobian
    >>> jacobian(lambda x: np.outer(x, x)[0])(np.array([1.0, 2.0]))
    array([[2., 0.],
           [2., 1.]])
    """

    @functools.wraps(fun)
    def jacobian_fun(*args: Any, **kwargs: Any) -> Any:
        rec = Recording(fun, Inputs(args, argnums, "jacobian"), kwargs, has_aux, "jacobian")
        _check_dtypes([*rec.inputs.values, *rec.values], holomorphic, "jacobian")
        if _total(rec.inputs.values) < _total(rec.values):
            columns = _in_chunks(rec.inputs.values, lambda seeds: (rec.push(seeds), rec.values), chunk_size)
            result = _from_columns(rec.outputs, rec.inputs, columns or _no_columns(rec.values))
        else:
            result = _reverse(rec, holomorphic, chunk_size)
        return (result, rec.aux) if has_aux else result

    return jacobian_fun


def hessian(
    fun: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that computes the Hessian of `fun`, forward over reverse.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers; for a scalar result the Hessian has the shape ``input.shape + input.shape``.
    argnums, has_aux, holomorphic, chunk_size
        As for `jacfwd`.

    Returns
    -------
    callable
        Returns the Jacobian of the Jacobian.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    inner = jacrev(fun, argnums, has_aux, holomorphic, chunk_size)
    return jacfwd(inner, argnums, has_aux, holomorphic, chunk_size)


def hvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Compute the product of the Hessian of a scalar function with a vector, forward over reverse.

    Costs a small constant number of gradients, whatever the number of variables.

    Parameters
    ----------
    fun : callable
        Function that returns a real scalar.
    primals, tangents : tuple or list
        Arguments and direction, as for `jvp`.

    Returns
    -------
    array or container
        Like the primal if there is one, a tuple with an entry for each primal otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import hvp
    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])
    """
    argnums: Argnums = 0 if len(primals) == 1 else range(len(primals))
    return jvp(grad(fun, argnums), primals, tangents)[1]


# Building blocks -----------------------------------------------------------------------------------------------------


def _total(values: Sequence[Any]) -> int:
    return sum(int(np.prod(shape_of(v))) for v in values)


def _check_dtypes(values: Sequence[Any], holomorphic: bool, name: str) -> None:
    has_complex = any(v.dtype.kind == "c" for v in values)
    if holomorphic and not all(v.dtype.kind == "c" for v in values):
        fail(OutputError, f"{name} with holomorphic=True needs complex arguments and complex results.")
    if has_complex and not holomorphic:
        fail(
            OutputError,
            f"{name} got complex arguments or results. Pass holomorphic=True if the function is holomorphic; otherwise "
            "write it as a function of real and imaginary parts.",
        )


def _basis(values: Sequence[Any], chunk_size: int | None) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yield chunks of unit vectors of the space of `values`: (count, one array of shape (count, *shape) for each)."""
    total = _total(values)
    chunk = chunk_size or max(1, min(total, _CHUNK_ELEMENTS // max(total, 1)))
    for first in range(0, total, chunk):
        count = min(chunk, total - first)
        seeds, offset = [], 0
        for v in values:
            n = int(np.prod(shape_of(v)))
            seed = np.zeros((count, n), v.dtype if v.dtype.kind in "fc" else float)
            rows = np.arange(max(first, offset), min(first + count, offset + n))
            seed[rows - first, rows - offset] = 1
            seeds.append(seed.reshape((count, *shape_of(v))))
            offset += n
        yield count, seeds


def _rows(value: Any, like: Any, level: Batch) -> Any:
    """Return a batched result as an array with the batch axis first; None is zero."""
    if type(value) is Batched and value.level is level:
        return value.value
    shape = (level.size, *shape_of(like))
    if value is None:
        return np.zeros(shape, like.dtype if like.dtype.kind in "fc" else float)
    return broadcast_to(value, shape=shape)


def _in_chunks(
    values: Sequence[Any], apply: Callable[[list[Any]], tuple[Sequence[Any], Sequence[Any]]], chunk_size: int | None
) -> list[Any]:
    """Apply a linear map to the unit vectors of the space of `values`; nothing, if there are none.

    ``apply(seeds)`` returns results for a batch of unit vectors, and what they are like.
    """
    blocks = []
    for size, units in _basis(values, chunk_size):
        with Batch(size) as level:
            results, likes = apply([level.make(u) for u in units])
            blocks.append([_rows(r, v, level) for r, v in zip(results, likes, strict=True)])
    return [column[0] if len(column) == 1 else concatenate(*column, axis=0) for column in zip(*blocks, strict=True)]


def _no_columns(values: Sequence[Any]) -> list[np.ndarray]:
    return [np.zeros((0, *shape_of(v)), np.result_type(v.dtype, float)) for v in values]


def _from_columns(outputs: Outputs, inputs: Inputs, columns: Sequence[Any]) -> Any:
    """Arrange (all input elements, *output.shape) arrays as output.shape + input.shape in nested containers."""
    result = []
    for column in columns:
        rank = len(shape_of(column)) - 1
        leaves, offset = [], 0
        for v in inputs.values:
            n = int(np.prod(shape_of(v)))
            part = column[offset : offset + n] if n != shape_of(column)[0] else column
            part = transpose(part, axes=(*range(1, rank + 1), 0))
            leaves.append(to_user(_plain_copy(reshape(part, shape=shape_of(column)[1:] + shape_of(v)))))
            offset += n
        result.append(inputs.rebuild(leaves))
    return outputs.rebuild(result)


def _reverse(rec: Recording, holomorphic: bool, chunk_size: int | None) -> Any:
    """Jacobian from a recording, in chunks of rows."""
    if _total(rec.values) == 1:
        cts = rec.pull([np.ones(shape_of(v), v.dtype)[()] for v in rec.values])
        rows = [reshape(c, shape=(1, *shape_of(c))) for c in cts]
    else:
        rows = _in_chunks(rec.values, lambda seeds: (rec.pull(seeds), rec.inputs.values), chunk_size)
    rows = rows or [np.zeros((0, *shape_of(v)), v.dtype) for v in rec.inputs.values]
    result, offset = [], 0
    for v in rec.values:
        n = int(np.prod(shape_of(v)))
        leaves = []
        for row, x in zip(rows, rec.inputs.values, strict=True):
            part = row[offset : offset + n] if n != shape_of(row)[0] else row
            part = reshape(conjugate(part) if holomorphic else part, shape=shape_of(v) + shape_of(x))
            leaves.append(to_user(_plain_copy(part)))
        offset += n
        result.append(unflatten(rec.inputs.structure, leaves))
    return rec.outputs.rebuild(result)


def _plain_copy(x: Any) -> Any:
    """Return plain results as writable arrays of their own, scalars as scalars."""
    if isinstance(x, np.ndarray):
        return x[()] if x.ndim == 0 else np.ascontiguousarray(x) if x.base is None else x.copy()
    return x
