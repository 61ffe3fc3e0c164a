"""Forward mode: `jvp` and `derivative`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wengert.derivatives.calls import Inputs, Outputs, as_tuples, lowered, matching_values, split_aux, to_user
from wengert.derivatives.gradient import tangent_or_zeros
from wengert.errors import InputTypeError, fail
from wengert.transforms.forward import Dual, Forward, new_forward


def push_through(
    fun: Callable[..., Any],
    inputs: Inputs,
    kwargs: dict[str, Any],
    tangents: Sequence[Any],
    has_aux: bool,
    name: str,
) -> tuple[Outputs, list[Any], list[Any], Any]:
    """Run a function on dual numbers; return its outputs, their primals, their tangents (None for zero), and aux."""
    with new_forward() as level:
        duals = [level.make(v, t) for v, t in zip(inputs.values, tangents, strict=True)]
        result, aux = split_aux(fun(*inputs.replaced(duals), **kwargs), has_aux, name)
        outputs = Outputs(result, name, level)
        primals = [primal_of(v, level) for v in outputs.values]
        dots = [v.tangent if isinstance(v, Dual) and v.level is level else None for v in outputs.values]
        aux = lowered(aux, lambda v: primal_of(v, level)) if has_aux else None
    return outputs, primals, dots, aux


def primal_of(value: Any, level: Forward) -> Any:
    """Primal of a dual of this level; anything else as it is."""
    return value.primal if isinstance(value, Dual) and value.level is level else value


def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """Compute a function and its directional derivative by forward mode, the Jacobian-vector product.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers of arrays, returning the same.
    primals : tuple or list
        Its arguments. Their leaves are real or complex floating-point arrays.
    tangents : tuple or list
        The direction: like `primals`.
    has_aux : bool
        `fun` returns a pair (output, aux).

    Returns
    -------
    output
        ``fun(*primals)``.
    tangent
        The derivative of the output in the given direction, like the output.
    aux
        Only if `has_aux`.

    Raises
    ------
    InputTypeError
        A primal is not of floating-point type.
    ContainerMismatchError
        Tangents and primals differ in structure or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import jvp
    >>> jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    primals, tangents = as_tuples(primals, tangents, "jvp")
    inputs = Inputs(primals, range(len(primals)), "jvp")
    ts = matching_values(inputs.structure, tangents, inputs.values, "the primals and tangents of jvp")
    outputs, values, dots, aux = push_through(fun, inputs, {}, ts, has_aux, "jvp")
    out = outputs.rebuild([to_user(v) for v in values])
    dot = outputs.rebuild([to_user(tangent_or_zeros(d, v)) for d, v in zip(dots, values, strict=True)])
    return (out, dot, aux) if has_aux else (out, dot)


def derivative(fun: Callable[[Any], Any], x: Any, order: int = 1) -> Any:
    """Compute the derivative of a function of one scalar at `x` by nested forward mode.

    Parameters
    ----------
    fun : callable
        Function of a scalar, returning a scalar, array or container.
    x : float or complex
        Where to differentiate; a complex `x` gives the complex derivative of a holomorphic function.
    order : int
        Which derivative, 0 for the function itself. The cost grows like 2**order.

    Returns
    -------
    scalar, array or container
        The derivative, shaped like the result of `fun`.

    Raises
    ------
    InputTypeError
        `x` is not a floating-point scalar, or `order` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import derivative
    >>> derivative(lambda x: x**4, 2.0), derivative(lambda x: x**4, 2.0, order=3)
    (np.float64(32.0), np.float64(48.0))
    """
    if order < 0:
        fail(InputTypeError, f"derivative got order={order}; it must not be negative.")
    if order == 0:
        return fun(x)
    inputs = Inputs((x,), 0, "derivative")
    if len(inputs.values) != 1 or inputs.values[0].shape != ():
        fail(
            InputTypeError,
            "derivative differentiates functions of one scalar; use jacobian or grad for arrays.",
        )
    one = inputs.values[0].dtype.type(1)
    lower = fun if order == 1 else (lambda t: derivative(fun, t, order - 1))
    return jvp(lower, (inputs.values[0] if not hasattr(x, "immutable_value") else x,), (one,))[1]
