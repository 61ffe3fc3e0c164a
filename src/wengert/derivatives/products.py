"""Products of Jacobians with particular vectors: elementwise derivatives, Gauss-Newton products."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.values import shape_of
from wengert.derivatives.calls import Argnums, Inputs, as_tuples, matching_values, to_user
from wengert.derivatives.gradient import Recording, tangent_or_zeros
from wengert.derivatives.jacobian import hvp
from wengert.errors import OutputError, fail


def elementwise_grad(fun: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that computes the derivative of an elementwise function at each element, in one sweep.

    That is the gradient of the sum of all results. If the function is not elementwise, it is not the diagonal of the
    Jacobian but the sum of its rows.

    Parameters
    ----------
    fun : callable
        Function of arrays that returns real arrays.
    argnums : int or sequence of int
        Which positional arguments to differentiate.

    Returns
    -------
    callable
        Takes the arguments of `fun`; returns the derivatives, shaped like the differentiated argument (a tuple of such
        for a sequence of `argnums`).

    Raises
    ------
    InputTypeError
        A differentiated argument is not of floating-point type.
    OutputError
        A result is complex.

    See Also
    --------
    grad, derivative, vmap

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import elementwise_grad
    >>> elementwise_grad(np.square)(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    >>> elementwise_grad(elementwise_grad(np.square))(np.array([1.0, 2.0, 3.0]))
    array([2., 2., 2.])
    """

    @functools.wraps(fun)
    def derivatives(*args: Any, **kwargs: Any) -> Any:
        rec = Recording(fun, Inputs(args, argnums, "elementwise_grad"), kwargs, False, "elementwise_grad")
        if any(v.dtype.kind == "c" for v in rec.values):
            fail(
                OutputError,
                "elementwise_grad needs real results, this function returned a complex one. Take its .real, .imag or "
                "abs; for a holomorphic function use wengert.vmap(wengert.grad(f, holomorphic=True)).",
            )
        ones = [np.ones(shape_of(v), v.dtype if v.dtype.kind == "f" else float)[()] for v in rec.values]
        return rec.inputs.rebuild([to_user(c) for c in rec.pull(ones)])

    return derivatives


def ggnvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    loss: Callable[[Any], Any] | None = None,
) -> Any:
    """Compute the product of a generalised Gauss-Newton matrix with a vector.

    For ``loss(fun(x))`` that matrix is Jᵀ H J, where J is the Jacobian of `fun` and H the Hessian of `loss`. It leaves
    out the second derivatives of `fun`, and is positive semidefinite for convex `loss`.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers, returning the same: a model, or residuals.
    primals, tangents : tuple or list
        Arguments and direction, as for `jvp`.
    loss : callable, optional
        Real scalar function of what `fun` returns. By default half the sum of squares, whose H is the unit matrix.

    Returns
    -------
    array or container
        Like the primal if there is one, a tuple with an entry for each primal otherwise.

    Raises
    ------
    InputTypeError
        A primal is not of floating-point type.
    ContainerMismatchError
        Tangents and primals differ in structure or shape.

    See Also
    --------
    hvp, jvp, vjp

    References
    ----------
    N. N. Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent", Neural Computation 14
    (2002) 1723-1738.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import ggnvp
    >>> A = np.array([[1.0, 2.0], [0.0, 1.0]])
    >>> ggnvp(lambda x: A @ x, (np.zeros(2),), (np.array([1.0, 0.0]),))
    array([1., 2.])
    """
    primals, tangents = as_tuples(primals, tangents, "ggnvp")
    rec = Recording(fun, Inputs(primals, range(len(primals)), "ggnvp"), {}, False, "ggnvp")
    what = "the primals and tangents of ggnvp"
    dots = rec.push(matching_values(rec.inputs.structure, tangents, rec.inputs.values, what))
    dots = [tangent_or_zeros(d, v) for d, v in zip(dots, rec.values, strict=True)]
    if loss is not None:
        out, dot = rec.result(private_copy=True), rec.outputs.rebuild([to_user(d) for d in dots])
        curved = hvp(loss, (out,), (dot,))
        dots = matching_values(rec.outputs.structure, curved, rec.values, "the Hessian product of ggnvp's loss")
    products = rec.inputs.rebuild([to_user(c) for c in rec.pull(dots)])
    return products[0] if len(primals) == 1 else products
