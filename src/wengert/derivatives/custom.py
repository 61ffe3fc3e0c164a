"""Custom derivative rules: `custom_jvp`, `custom_vjp`, `custom_rule`, and `stop_gradient`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.array import Array
from wengert.core import containers
from wengert.core.combinators import NonDifferentiable
from wengert.core.values import Value, shape_of
from wengert.derivatives.calls import Outputs, to_user, to_value
from wengert.derivatives.check import check_grads
from wengert.errors import ContainerMismatchError, UnsupportedOperationError, fail
from wengert.transforms.custom import Rule, custom_call


class _Call:
    """One call of a function with a custom rule: its arguments, split into differentiated values and the rest."""

    def __init__(self, name: str, fun: Callable[..., Any], nondiff: Sequence[int], args: Sequence[Any]) -> None:
        self.name = name
        self.fun = fun
        self.fixed = {n: args[n] for n in nondiff}
        self.count = len(args)
        leaves, self.structure = containers.flatten(tuple(a for n, a in enumerate(args) if n not in self.fixed))
        values = [to_value(x) for x in leaves]
        self.leaves = [x if v is None else None for x, v in zip(leaves, values, strict=True)]
        self.numeric = [v is not None for v in values]
        self.values = [v for v in values if v is not None]
        self.out_structure: Any = None

    def unflatten(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Differentiated arguments as containers of Arrays."""
        rest = iter(values)
        return containers.unflatten(
            self.structure,
            [to_user(next(rest)) if n else x for n, x in zip(self.numeric, self.leaves, strict=True)],
        )

    def arguments(self, values: Sequence[Any]) -> list[Any]:
        """All arguments, in their order."""
        rest = iter(self.unflatten(values))
        return [self.fixed[n] if n in self.fixed else next(rest) for n in range(self.count)]

    def flat_outputs(self, result: Any) -> list[Any]:
        outputs = Outputs(result, self.name)
        self.out_structure = outputs.structure
        return outputs.values

    def flat_like(self, structure: Any, tree: Any, values: Sequence[Any], what: str) -> list[Any]:
        """Flatten what a rule returned, which must match `structure`; None for zero."""
        if tree is None:
            return [None] * len(values)
        leaves = containers.leaves_like(structure, tree, f"{what} of '{self.name}' and what it belongs to")
        flat = [to_value(x) for x in leaves]
        for t, v in zip(flat, values, strict=True):
            if t is not None and shape_of(t) != shape_of(v):
                fail(
                    ContainerMismatchError,
                    f"{what} of '{self.name}' has shape {shape_of(t)}, but what it belongs to has {shape_of(v)}.",
                )
        return flat

    def flat_cotangents(self, back: Any) -> list[Any]:
        """Flatten what the bwd rule returned: a container for each differentiated argument, None for zero."""
        arguments = containers.unflatten(self.structure, list(range(self.structure.num_leaves)))
        if not isinstance(back, tuple) or len(back) != len(arguments):
            fail(
                ContainerMismatchError,
                f"the bwd rule of '{self.name}' must return a tuple with one cotangent for each of its "
                f"{len(arguments)} arguments (None for zero).",
            )
        what = f"a cotangent from the bwd rule of '{self.name}' and its argument"
        flat: list[Any] = []
        for b, a in zip(back, arguments, strict=True):
            numbers, structure = containers.flatten(a)
            leaves = [None] * len(numbers) if b is None else containers.leaves_like(structure, b, what)
            flat.extend(
                x if x is None else to_value(x) for x, i in zip(leaves, numbers, strict=True) if self.numeric[i]
            )
        return flat

    def evaluate(self, values: Sequence[Any]) -> list[Any]:
        return self.flat_outputs(self.fun(*self.arguments(values)))

    def apply(self, rule: Rule) -> Any:
        """Call through the rule, and put the results into their container."""
        outs = custom_call.bind(*self.values, rule=rule)
        return containers.unflatten(self.out_structure, [to_user(o) for o in outs])


class _CustomFunction:
    """A callable that looks like the function it wraps."""

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        self.__wrapped__ = fun
        self.__name__, self.__doc__ = getattr(fun, "__name__", ""), getattr(fun, "__doc__", None)
        self.__module__, self.__qualname__ = fun.__module__, getattr(fun, "__qualname__", "")
        self.fun = fun
        self.nondiff_argnums = tuple(nondiff_argnums)

    @property
    def name(self) -> str:
        return getattr(self.fun, "__name__", repr(self.fun))

    def _call(self, args: Sequence[Any], kwargs: dict[str, Any]) -> _Call:
        fun = functools.partial(self.fun, **kwargs) if kwargs else self.fun
        nondiff = [n % len(args) for n in self.nondiff_argnums]
        return _Call(self.name, fun, nondiff, args)

    def _no_rule(self, how: str) -> None:
        fail(UnsupportedOperationError, f"'{self.name}' has no derivative rule yet; give it one with {how}.")


class custom_jvp(_CustomFunction):
    """Give a function a derivative rule of the forward kind; it serves both modes.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers, returning the same.
    nondiff_argnums : sequence of int
        Arguments that are passed to the rule as they are, before the primals.

    Notes
    -----
    ``defjvp(rule)`` sets the rule: ``rule(primals, tangents)`` returns (output, tangent of the output), where the
    latter must be linear in `tangents`. Reverse mode transposes it. Keyword arguments are not differentiated.

    Raises
    ------
    UnsupportedOperationError
        The function uses a traced value that is not an argument.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert
    >>> @wengert.custom_jvp
    ... def log1pexp(x):
    ...     return np.log1p(np.exp(x))
    >>> @log1pexp.defjvp
    ... def log1pexp_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), (1 - 1 / (1 + np.exp(x))) * t
    >>> wengert.grad(log1pexp)(0.0)
    np.float64(0.5)
    """

    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule; returns it, so that this can be used as a decorator."""
        self.rule = rule
        return rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; under a transform, through its rule."""
        if self.rule is None:
            self._no_rule("@f.defjvp")
        call = self._call(args, kwargs)
        rule = self.rule
        fixed = [call.fixed[n] for n in sorted(call.fixed)]

        def jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            assert rule is not None
            pair = rule(*fixed, call.unflatten(primals), call.unflatten(tangents))
            if not (isinstance(pair, tuple) and len(pair) == 2):
                fail(ContainerMismatchError, f"the jvp rule of '{call.name}' must return (output, tangent).")
            outs = call.flat_outputs(pair[0])
            dots = call.flat_like(call.out_structure, pair[1], outs, "the tangent from the jvp rule")
            return outs, dots

        return call.apply(Rule(call.name, call.evaluate, jvp=jvp))


class custom_vjp(_CustomFunction):
    """Give a function a derivative rule of the reverse kind; it serves both modes.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers, returning the same.
    nondiff_argnums : sequence of int
        Arguments that are passed to the backward function as they are, before the residuals.

    Notes
    -----
    ``defvjp(fwd, bwd)`` sets the rule: ``fwd(*args)`` returns (output, residuals), ``bwd(residuals, cotangent)``
    returns a tuple with the cotangent of each argument (None for zero), linear in `cotangent`. Forward mode transposes
    it. Cotangents follow the adjoint convention (see `vjp`).

    Raises
    ------
    UnsupportedOperationError
        The function uses a traced value that is not an argument.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert
    >>> @wengert.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1.0, 1.0),))
    >>> wengert.grad(lambda x: 5.0 * clip_gradient(x))(2.0)
    np.float64(1.0)
    """

    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set the rule."""
        self.fwd, self.bwd = fwd, bwd

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; under a transform, through its rule."""
        if self.fwd is None or self.bwd is None:
            self._no_rule("f.defvjp(fwd, bwd)")
        call = self._call(args, kwargs)
        fwd, bwd = self.fwd, self.bwd
        fixed = [call.fixed[n] for n in sorted(call.fixed)]
        kept: dict[str, Any] = {}

        def forward(values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            assert fwd is not None
            pair = fwd(*call.arguments(values), **kwargs)
            if not (isinstance(pair, tuple) and len(pair) == 2):
                fail(ContainerMismatchError, f"the fwd rule of '{call.name}' must return (output, residuals).")
            outs = call.flat_outputs(pair[0])
            leaves, kept["structure"] = containers.flatten(pair[1])
            residuals = [to_value(x) for x in leaves]
            kept["leaves"] = [x if v is None else None for x, v in zip(leaves, residuals, strict=True)]
            return outs, [v for v in residuals if v is not None]

        def backward(residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
            assert bwd is not None
            rest = iter(residuals)
            leaves = [to_user(next(rest)) if x is None else x for x in kept["leaves"]]
            res = containers.unflatten(kept["structure"], leaves)
            ct = containers.unflatten(call.out_structure, [to_user(c) for c in cts])
            return call.flat_cotangents(bwd(*fixed, res, ct))

        return call.apply(Rule(call.name, call.evaluate, forward=forward, backward=backward))


class custom_rule(custom_jvp):
    """One declaration of a derivative for both modes, checked when it is made.

    A `custom_jvp` whose rule is compared, in forward and in reverse mode, with finite differences of the function at
    the given examples as soon as it is set. A wrong rule raises `GradientCheckError` where it is defined.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers, returning the same.
    examples : sequence of tuple
        Arguments at which to check, one tuple each; away from kinks.
    nondiff_argnums : sequence of int
        As for `custom_jvp`.

    Examples
    --------
    >>> import functools
    >>> import numpy as np
    >>> import wengert
    >>> @functools.partial(wengert.custom_rule, examples=[(0.3,), (np.array([1.0, 2.0]),)])
    ... def cube(x):
    ...     return x * x * x
    >>> @cube.defjvp
    ... def cube_jvp(primals, tangents):
    ...     return cube(*primals), 3 * primals[0] ** 2 * tangents[0]
    >>> wengert.jvp(cube, (2.0,), (1.0,))[1], wengert.grad(cube)(2.0)
    (np.float64(12.0), np.float64(12.0))
    """

    def __init__(
        self, fun: Callable[..., Any], examples: Sequence[tuple[Any, ...]], nondiff_argnums: Sequence[int] = ()
    ) -> None:
        super().__init__(fun, nondiff_argnums)
        if not examples:
            fail(UnsupportedOperationError, f"custom_rule for '{self.name}' needs at least one example to check it at.")
        self.examples = tuple(examples)

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule and check it at the examples."""
        self.rule = rule
        for example in self.examples:
            fixed = {n % len(example): example[n] for n in self.nondiff_argnums}
            varied = [a for n, a in enumerate(example) if n not in fixed]

            def function(*args: Any, fixed: dict[int, Any] = fixed, count: int = len(example)) -> Any:
                rest = iter(args)
                return self(*(fixed[n] if n in fixed else next(rest) for n in range(count)))

            check_grads(function, tuple(varied), order=1)
        return rule


constant_identity = NonDifferentiable(
    lambda x: x, name="stop_gradient", batch=lambda size, args, batched: constant_identity(args[0])
)


def stop_gradient(x: Any) -> Any:
    """Return the same values as constants: their derivatives are zero, in every enclosing transform.

    Parameters
    ----------
    x : array_like or container
        What not to differentiate.

    Returns
    -------
    array_like or container
        Like `x`; no longer traced (but still batched, under `vmap`).

    Examples
    --------
    >>> from wengert import grad, stop_gradient
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return containers.map_leaves(_stopped, x)


def _stopped(leaf: Any) -> Any:
    value = leaf.immutable_value if isinstance(leaf, Array) else leaf
    if not isinstance(value, (Value, np.ndarray)):
        return value
    if isinstance(value, Value):
        value = constant_identity.bind(value)
    return to_user(value) if not isinstance(value, np.ndarray) else value.copy()
