"""Reverse mode: `vjp`, `grad`, `value_and_grad`; and `linearize`, which walks the same Wengert list forwards."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.combinators import conjugate
from wengert.core.values import shape_of
from wengert.derivatives.calls import Argnums, Inputs, Outputs, lowered, matching_values, private, split_aux, to_user
from wengert.errors import OutputError, fail
from wengert.transforms.reverse import Tape, Taped, new_tape, pull_back, push_forward


class Recording:
    """A function call recorded on a Wengert list: the list, its inputs, and its outputs by slot."""

    def __init__(
        self, fun: Callable[..., Any], inputs: Inputs, kwargs: dict[str, Any], has_aux: bool, name: str
    ) -> None:
        self.inputs = inputs
        self.tape: Tape = new_tape()
        with self.tape as tape:
            self.roots: list[Taped] = [tape.input(v) for v in inputs.values]
            result, aux = split_aux(fun(*inputs.replaced(self.roots), **kwargs), has_aux, name)
            self.outputs = Outputs(result, name, tape)
            self.aux = lowered(aux, tape.value_of) if has_aux else None
        self.slots = [tape.slot_of(v) for v in self.outputs.values]
        self.values = [tape.value_of(v) for v in self.outputs.values]

    def result(self, *, private_copy: bool = False) -> Any:
        """The function's result, in its container; copied, if the list is to be used once more after this."""
        return self.outputs.rebuild([to_user(private(v) if private_copy else v) for v in self.values])

    def pull(self, cotangents: list[Any]) -> list[Any]:
        """Cotangents of the inputs from those of the outputs."""
        return pull_back(self.tape, self.slots, cotangents, self.roots)

    def push(self, tangents: list[Any]) -> list[Any]:
        """Tangents of the outputs (None for zero) from those of the inputs."""
        return push_forward(self.tape, self.roots, tangents, self.slots)


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Compute a function and its pullback, the vector-Jacobian product.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers of arrays, returning the same.
    *primals : array_like or container
        Where to evaluate it. All are differentiated; their leaves are real or complex floating-point arrays.
    has_aux : bool
        `fun` returns a pair (output, aux), of which only the output is differentiated.

    Returns
    -------
    output
        ``fun(*primals)``.
    vjp_fun : callable
        Maps a cotangent (a container like the output) to a tuple with one cotangent for each primal. May be called
        any number of times.
    aux
        Only if `has_aux`.

    Raises
    ------
    InputTypeError
        A primal is not of floating-point type.
    ContainerMismatchError
        `vjp_fun` gets a cotangent of another structure or shape than the output.

    Notes
    -----
    Cotangents follow the adjoint convention: ``vjp_fun`` is the adjoint of the pushforward in the real inner product
    Re Σ conj(v)·w, so that the gradient of a real function of complex z = x + iy is ∂f/∂x + i ∂f/∂y.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import vjp
    >>> y, pullback = vjp(lambda a, b: a * b, 3.0, np.array([1.0, 2.0]))
    >>> pullback(np.array([1.0, 1.0]))
    (np.float64(3.0), array([3., 3.]))
    """
    rec = Recording(fun, Inputs(primals, range(len(primals)), "vjp"), {}, has_aux, "vjp")

    def vjp_fun(cotangent: Any) -> tuple[Any, ...]:
        cts = matching_values(rec.outputs.structure, cotangent, rec.values, "the cotangent and the output of vjp")
        return rec.inputs.rebuild([to_user(c) for c in rec.pull(cts)])

    out = rec.result(private_copy=True)
    return (out, vjp_fun, rec.aux) if has_aux else (out, vjp_fun)


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Compute a function and its linear approximation, the pushforward as a function of the tangent alone.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers of arrays, returning the same.
    *primals : array_like or container
        Where to linearise.
    has_aux : bool
        `fun` returns a pair (output, aux).

    Returns
    -------
    output
        ``fun(*primals)``.
    jvp_fun : callable
        Maps tangents, one for each primal, to the tangent of the output, without evaluating `fun` again.
    aux
        Only if `has_aux`.

    Examples
    --------
    >>> from wengert import linearize
    >>> y, pushforward = linearize(lambda x: x**3, 2.0)
    >>> pushforward(1.0), pushforward(0.5)
    (np.float64(12.0), np.float64(6.0))
    """
    rec = Recording(fun, Inputs(primals, range(len(primals)), "linearize"), {}, has_aux, "linearize")

    def jvp_fun(*tangents: Any) -> Any:
        ts = matching_values(rec.inputs.structure, tangents, rec.inputs.values, "the tangents and primals of linearize")
        dots = rec.push(ts)
        return rec.outputs.rebuild([to_user(tangent_or_zeros(d, v)) for d, v in zip(dots, rec.values, strict=True)])

    out = rec.result(private_copy=True)
    return (out, jvp_fun, rec.aux) if has_aux else (out, jvp_fun)


def tangent_or_zeros(tangent: Any, primal: Any) -> Any:
    """Fill in a zero tangent. Integers and truth values get float64 zeros."""
    if tangent is not None:
        return tangent
    dtype = primal.dtype if primal.dtype.kind in "fc" else np.dtype(float)
    return np.zeros(shape_of(primal), dtype) if shape_of(primal) else dtype.type(0)


def grad(
    fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the gradient of `fun` by reverse mode.

    Parameters
    ----------
    fun : callable
        Function that returns a real scalar.
    argnums : int or sequence of int
        Which positional arguments to differentiate. Each may be an array or a container of arrays.
    has_aux : bool
        `fun` returns a pair (scalar, aux); the gradient function then returns (gradient, aux).
    holomorphic : bool
        `fun` maps complex to complex and is holomorphic: return the complex derivative f′(z).

    Returns
    -------
    callable
        Takes the arguments of `fun`; returns the gradient, in the container structure, shapes and dtypes of the
        differentiated argument (a tuple of such for a sequence of `argnums`).

    Raises
    ------
    InputTypeError
        A differentiated argument is not of floating-point type.
    OutputError
        The result is not a scalar, or complex without `holomorphic`.

    See Also
    --------
    value_and_grad, jacobian, jvp

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> grad(lambda x: np.sum(np.sin(x)))(np.zeros(3))
    array([1., 1., 1.])
    >>> grad(lambda p: p["a"] * p["b"] ** 2)({"a": 3.0, "b": 2.0})
    {'a': np.float64(4.0), 'b': np.float64(12.0)}
    """
    both = value_and_grad(fun, argnums, has_aux, holomorphic)

    @functools.wraps(fun)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def value_and_grad(
    fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Return a function that computes both `fun` and its gradient.

    The parameters are those of `grad`.

    Returns
    -------
    callable
        Returns (value, gradient), or ((value, aux), gradient) with `has_aux`.

    Examples
    --------
    >>> from wengert import value_and_grad
    >>> value_and_grad(lambda x: x**2)(3.0)
    (np.float64(9.0), np.float64(6.0))
    """

    @functools.wraps(fun)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        rec = Recording(fun, Inputs(args, argnums, "grad"), kwargs, has_aux, "grad")
        seed = _scalar_seed(rec, holomorphic)
        cts = rec.pull([seed])
        if holomorphic:
            cts = list(map(conjugate, cts))
        gradient = rec.inputs.rebuild([to_user(c) for c in cts])
        value = rec.result()
        return ((value, rec.aux), gradient) if has_aux else (value, gradient)

    return value_and_gradient


def _scalar_seed(rec: Recording, holomorphic: bool) -> Any:
    """Return the cotangent 1 of the only output."""
    if len(rec.values) != 1:
        fail(
            OutputError,
            f"grad needs a function that returns one scalar, this one returned a container of {len(rec.values)} "
            "arrays. Use wengert.jacobian for its Jacobian, vjp for a product, or has_aux=True for extra results.",
        )
    (out,) = rec.values
    if shape_of(out) != ():
        fail(
            OutputError,
            f"grad needs a function that returns one scalar, this one returned an array of shape {shape_of(out)}. "
            "Reduce it (np.sum, np.mean, …), or use wengert.jacobian or vjp.",
        )
    kind = out.dtype.kind
    if holomorphic:
        if kind != "c" or any(v.dtype.kind != "c" for v in rec.inputs.values):
            fail(OutputError, "holomorphic=True needs complex arguments and a complex result.")
    elif kind == "c":
        fail(
            OutputError,
            "grad needs a real result, this function returned a complex one. Take its .real, .imag or abs, or pass "
            "holomorphic=True if it is holomorphic.",
        )
    return out.dtype.type(1) if kind in "fc" else np.float64(1)
