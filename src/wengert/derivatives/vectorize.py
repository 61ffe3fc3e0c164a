"""`vmap`: turn a function of one example into a function of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import optree

from wengert.core import containers
from wengert.core.combinators import broadcast_to
from wengert.core.program import Program
from wengert.core.staging import Stage, is_recording
from wengert.core.values import ArrayType, Value, shape_of, type_of
from wengert.derivatives.calls import to_user, to_value
from wengert.errors import ContainerMismatchError, InputTypeError, fail
from wengert.rules.structural import move_axis
from wengert.transforms.batch import Batch, Batched
from wengert.transforms.mapped import is_small, is_staged, map_program


def vmap(
    fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0, axis_size: int | None = None
) -> Callable[..., Any]:
    """Return a function that maps `fun` over an axis of its arguments, all examples at once.

    Parameters
    ----------
    fun : callable
        Function of the arrays of one example.
    in_axes : int, None or container
        The axis that runs over the examples: for all positional arguments, or a tuple with an entry for each one,
        which may be a container that matches the argument (or a prefix of it). None: the same for all examples.
        Keyword arguments are mapped over their first axis.
    out_axes : int, None or container
        Where the axis goes in the results. None: the result must not depend on the example.
    axis_size : int, optional
        Number of examples, needed only if nothing is mapped.

    Returns
    -------
    callable
        Takes batched arguments, returns batched results.

    Raises
    ------
    ContainerMismatchError
        The mapped axes have different lengths, or `in_axes` does not fit the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad, vmap
    >>> vmap(np.dot, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    >>> vmap(grad(np.sin))(np.zeros(3))
    array([1., 1., 1.])
    """

    @functools.wraps(fun)
    def batched_fun(*args: Any, **kwargs: Any) -> Any:
        axes_of_args = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes_of_args) != len(args):
            fail(
                ContainerMismatchError,
                f"vmap got in_axes for {len(axes_of_args)} arguments but {len(args)} arguments.",
            )
        leaves, structure = containers.flatten((args, kwargs))
        axes = _spread(tuple(axes_of_args), args, "in_axes") + _spread(0, kwargs, "in_axes")
        values = [_leaf_value(x, a) for x, a in zip(leaves, axes, strict=True)]
        size = _common_size(values, axes, axis_size)
        moved = [v if a is None else _moved(v, a, 0) for v, a in zip(values, axes, strict=True)]
        if size and (any(map(is_staged, moved)) or is_recording()):
            mapped = _recorded_as_one(fun, structure, leaves, moved, axes, out_axes, size)
            if mapped is not None:
                return mapped
        with Batch(size) as level:
            inner = [x if a is None else to_user(level.make(v)) for x, v, a in zip(leaves, moved, axes, strict=True)]
            new_args, new_kwargs = containers.unflatten(structure, inner)
            result = fun(*new_args, **new_kwargs)
            outs, out_structure = containers.flatten(result)
            targets = _spread(out_axes, result, "out_axes")
            collected = [_collect(x, a, level) for x, a in zip(outs, targets, strict=True)]
        return containers.unflatten(out_structure, [to_user(v) for v in collected])

    return batched_fun


def _recorded_as_one(
    fun: Callable[..., Any],
    structure: Any,
    leaves: list[Any],
    values: list[Any],
    axes: list[int | None],
    out_axes: Any,
    size: int,
) -> Any:
    """While a program is being recorded, record a small function as one operation; None if that is not the case."""
    operands: list[Any] = []
    batched: list[bool] = []
    with Stage() as stage:
        inner = []
        for leaf, value, axis in zip(leaves, values, axes, strict=True):
            if axis is None and not isinstance(value, Value):
                inner.append(leaf)
                continue
            shape, dtype = type_of(value)
            operands.append(value)
            batched.append(axis is not None)
            inner.append(to_user(stage.input(ArrayType(shape if axis is None else shape[1:], dtype))))
        new_args, new_kwargs = containers.unflatten(structure, inner)
        result = fun(*new_args, **new_kwargs)
        outs, out_structure = containers.flatten(result)
        targets = _spread(out_axes, result, "out_axes")
        program = stage.program(getattr(fun, "__name__", "vmap"), [_numeric(x) for x in outs])
    outer = [(v, x) for v, x in program.constants if isinstance(x, Value)]
    plain = [(v, x) for v, x in program.constants if not isinstance(x, Value)]
    program = Program(
        program.name, (*program.inputs, *(v for v, _ in outer)), plain, program.operations, program.outputs
    )
    if None in targets or not is_small(program):
        return None
    operands.extend(x for _, x in outer)
    batched.extend([False] * len(outer))
    if not any(map(is_staged, operands)):
        return None
    flags = {"batched": tuple(batched), "summed": (False,) * len(outs)}
    results = map_program.bind(*operands, program=program, size=size, **flags)
    moved = [_moved(v, 0, axis or 0) for v, axis in zip(results, targets, strict=True)]
    return containers.unflatten(out_structure, [to_user(v) for v in moved])


def _numeric(x: Any) -> Any:
    value = to_value(x)
    if value is None:
        fail(
            InputTypeError,
            f"the function given to vmap returned a {type(x).__name__}; return numbers or arrays.",
        )
    return value


def _spread(prefix: Any, tree: Any, what: str) -> list[int | None]:
    """Repeat the axes of a prefix container for each leaf below it."""
    structure = containers.flatten(tree)[1]
    if prefix is None or isinstance(prefix, int):
        return [prefix] * structure.num_leaves
    try:
        return optree.broadcast_prefix(prefix, tree, none_is_leaf=True, namespace="wengert")
    except ValueError as error:
        fail(
            ContainerMismatchError,
            f"vmap's {what} {prefix!r} does not fit the structure of its arguments: {error}",
        )


def _leaf_value(x: Any, axis: int | None) -> Any:
    value = to_value(x)
    if axis is not None and value is None:
        fail(InputTypeError, f"vmap cannot map over a {type(x).__name__}; use in_axes=None for it.")
    if axis is not None and not -len(shape_of(value)) <= axis < len(shape_of(value)):
        fail(
            ContainerMismatchError,
            f"vmap was to map over axis {axis} of an argument of shape {shape_of(value)}; use in_axes=None for "
            "arguments that are the same for all examples.",
        )
    return value


def _common_size(values: list[Any], axes: list[int | None], axis_size: int | None) -> int:
    sizes = {shape_of(v)[a] for v, a in zip(values, axes, strict=True) if a is not None}
    if axis_size is not None:
        sizes.add(axis_size)
    if len(sizes) != 1:
        problem = f"the mapped axes have different lengths {sorted(sizes)}" if sizes else "no argument is mapped over"
        fail(ContainerMismatchError, f"vmap: {problem}. Check in_axes (or give axis_size).")
    return sizes.pop()


def _moved(value: Any, source: int, destination: int) -> Any:
    n = len(shape_of(value))
    source, destination = source % n, destination % n
    return value if source == destination else move_axis(value, source, destination)


def _collect(x: Any, axis: int | None, level: Batch) -> Any:
    value = _numeric(x)
    if type(value) is Batched and value.level is level:
        if axis is None:
            fail(
                ContainerMismatchError,
                "vmap got out_axes=None for a result that differs between the examples.",
            )
        return _moved(value.value, 0, axis)
    if axis is None:
        return value
    full = broadcast_to(value, shape=(level.size, *shape_of(value)))
    return _moved(full if not hasattr(full, "copy") else full.copy(), 0, axis)
