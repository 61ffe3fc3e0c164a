"""`cond` and `switch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.control.staging import call_case, cast_all, numeric, predicate, recorded_once
from wengert.core import containers
from wengert.core.staging import record
from wengert.core.values import Value, dtype_of, shape_of, type_of
from wengert.derivatives.calls import to_user
from wengert.errors import ContainerMismatchError, InputTypeError, fail
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import close_all
from wengert.transforms.programs import types_of_outputs


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """Apply one function or the other, as `pred` is true or false.

    Parameters
    ----------
    pred : bool
        One boolean; under `jit`, one that the program computes.
    true_fun, false_fun : callable
        Functions of the operands, whose results have the same structure and shapes.
    *operands : container of arrays
        Arguments of both functions, which may write to them in place: what they get are copies.

    Returns
    -------
    container of arrays
        Result of the function that was chosen.

    Raises
    ------
    ContainerMismatchError
        Results differ in structure or shape (noticed where both functions are looked at: under `jit`, and under `vmap`
        if examples differ).
    InputTypeError
        `pred` is not one boolean.

    Notes
    -----
    Only one function is run; both are, if the examples of a `vmap` differ in `pred`.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> f = lambda x: wg.cond(x > 1.0, np.log, lambda x: x - 1.0, x)
    >>> wg.jit(wg.grad(f))(2.0)
    np.float64(0.5)
    """
    pred = predicate(pred)
    if not isinstance(pred, Value):
        return call_case(true_fun if pred else false_fun, operands)
    return _chosen(pred, (false_fun, true_fun), operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Apply the function of number `index`.

    Parameters
    ----------
    index : int
        The number, from 0; a number below or above the range means the first or the last function.
    branches : sequence of callable
        Functions of the operands, whose results have the same structure and shapes.
    *operands : container of arrays
        Arguments of all functions, which may write to them in place: what they get are copies.

    Returns
    -------
    container of arrays
        Result of the function that was chosen.

    Raises
    ------
    ContainerMismatchError
        Results differ in structure or shape.
    InputTypeError
        `index` is not one integer, or there is no function.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.switch(1, [np.sin, np.exp], 0.0)
    np.float64(1.0)
    """
    number = numeric(index, "the index of switch")
    if shape_of(number) != () or dtype_of(number).kind not in "iu" or not branches:
        fail(InputTypeError, "switch takes one integer and at least one function.")
    if not isinstance(number, Value):
        return call_case(branches[min(max(int(number), 0), len(branches) - 1)], operands)
    return _chosen(number, tuple(branches), operands)


def _chosen(number: Any, functions: tuple[Callable[..., Any], ...], operands: tuple[Any, ...]) -> Any:
    leaves, structure = containers.flatten(operands)
    values = [numeric(x, "an operand of a branch") for x in leaves]
    structures: list[Any] = []

    def flat(function: Callable[..., Any]) -> Callable[..., list[Any]]:
        @recorded_once
        def on_values(*args: Any) -> list[Any]:
            result = function(*containers.unflatten(structure, [to_user(a) for a in args]))
            outs, out_structure = containers.flatten(result)
            structures.append(out_structure)
            return [numeric(x, "the result of a branch") for x in outs]

        return on_values

    types = list(map(type_of, values))
    programs = [record(flat(f), types, getattr(f, "__name__", "case")) for f in functions]
    _check_alike(structures, [types_of_outputs(p) for p in programs])
    dtypes = [
        np.result_type(*(t.dtype for t in column)) for column in zip(*map(types_of_outputs, programs), strict=True)
    ]
    if any([t.dtype for t in types_of_outputs(p)] != dtypes for p in programs):
        programs = [
            record(lambda *args, f=f: cast_all(flat(f)(*args), dtypes), types, p.name)
            for f, p in zip(functions, programs, strict=True)
        ]
    closed, more = close_all(programs, len(values))
    outs = branch.bind(number, *values, *more, branches=closed)
    return containers.unflatten(structures[0], [to_user(o) for o in outs])


def _check_alike(structures: list[Any], types: list[list[Any]]) -> None:
    shapes = [[t.shape for t in ts] for ts in types]
    if any(s != structures[0] for s in structures) or any(s != shapes[0] for s in shapes):
        fail(
            ContainerMismatchError,
            "the cases of a branch must return the same structure and shapes, and return "
            + " and ".join(
                f"{structure} with shapes {shape}" for structure, shape in zip(structures, shapes, strict=False)
            )
            + ".",
        )
