"""From a Python function and the types of its arguments to a `Program`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wengert.core import containers
from wengert.core.program import Program
from wengert.core.staging import Stage
from wengert.core.values import ArrayType, type_of
from wengert.derivatives.calls import Outputs, to_user, to_value
from wengert.errors import InputTypeError, fail


class Recorded:
    """A program together with the containers of its arguments and results."""

    def __init__(self, program: Program, in_structure: Any, out_structure: Any) -> None:
        self.program = program
        self.in_structure = in_structure
        self.out_structure = out_structure


def numeric_value(x: Any) -> Any:
    """Value of a leaf that the user passed; Python numbers become NumPy scalars."""
    value = to_value(x)
    if value is None:
        fail(
            InputTypeError,
            f"an argument of a function under jit or program is a {type(x).__name__}; pass numbers and arrays, or "
            "declare the argument static.",
        )
    return value


def native_type(value: Any) -> ArrayType:
    """Type of a value, in native byte order."""
    shape, dtype = type_of(value)
    return ArrayType(shape, dtype if dtype.isnative else dtype.newbyteorder("="))


def record_function(fun: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], name: str) -> Recorded:
    """Record a call of `fun` with arguments of these types."""
    leaves, structure = containers.flatten((tuple(args), kwargs))
    with Stage() as stage:
        staged = [stage.input(native_type(numeric_value(x))) for x in leaves]
        new_args, new_kwargs = containers.unflatten(structure, [to_user(s) for s in staged])
        outputs = Outputs(fun(*new_args, **new_kwargs), name)
        program = stage.program(name, outputs.values)
    return Recorded(program, structure, outputs.structure)


def program(fun: Callable[..., Any]) -> Callable[..., Program]:
    """Return a function that records `fun` as a `Program` instead of computing it.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers.

    Returns
    -------
    callable
        Takes the arguments of `fun`, of which only types and shapes matter, and returns the `Program`: printable, with
        a line for each operation, and evaluable with flat arguments.

    Raises
    ------
    ConcretizationError
        The function needs the number behind a staged value, for a branch or a size.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad, program
    >>> print(program(lambda x: np.sin(x) * 2.0)(np.zeros(3)))  # doctest: +ELLIPSIS
    program <lambda>(a: float64[3]):
        b: float64[3] = sin a  # ...
        c: float64[3] = multiply b 2.0  # ...
        return c
    """

    def recorder(*args: Any, **kwargs: Any) -> Program:
        return record_function(fun, args, kwargs, getattr(fun, "__name__", "program")).program

    return recorder
