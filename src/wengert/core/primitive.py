"""Primitives: the elementary operations that transforms know how to handle.

A primitive is a NumPy function on positional arrays with keyword-only parameters, plus everything that is known
about its derivative. The five ways of declaring one are in `wengert.core.combinators`; the transforms see only the
methods of `Primitive`:

``bind(*args, **params)``      apply it; goes to the deepest level among the arguments
``residuals(args, out, …)``    what the two derivatives below have to know
``push(tangents, …)``          forward mode: one step of the pushforward
``pull(sweep, ct, …)``         reverse mode: one step of the pullback
``batch(size, args, …)``       vmap
``output_type(args, …)``       staging: shape and dtype of the result
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from wengert.core.values import ArrayType, Value, dtype_of, shape_of, type_of

#: All primitives by number, the number being what the Wengert list stores (an int keeps its entries out of the
#: garbage collector's sight, which is what keeps the cost per operation constant on long lists).
PRIMITIVES: list[Primitive] = []

_BELOW_ALL = float("-inf")
_declaring = threading.Lock()  # modules that declare primitives are also imported while threads are running

#: A cotangent, tangent or partial derivative that is zero everywhere is None: it costs nothing.
Tangent = Any


class Primitive:
    """One elementary operation and all that is known about it.

    Parameters
    ----------
    fun : callable
        Evaluates the operation on plain NumPy values.
    name : str, optional
        Defaults to the name of `fun`.
    batch : callable, optional
        ``batch(size, args, batched, **params)`` with the batch axis first in every argument whose flag in `batched`
        is set; returns the output with the batch axis first. Without it vmap loops over the examples.
    """

    multiple: ClassVar[bool] = False
    #: Whether a rule or the compiler declares it: then no other has its name, and it keeps none of its arguments.
    is_own: bool

    def __init__(self, fun: Callable[..., Any], *, name: str = "", batch: Callable[..., Any] | None = None) -> None:
        self.fun = fun
        self.name = name or fun.__name__
        self.__doc__ = f"The primitive `{self.name}`: {(fun.__doc__ or '').strip().splitlines()[0:1]}"
        self._batch = batch
        self.is_own = _declaring_module().startswith(("wengert.core.", "wengert.rules.", "wengert.compiler."))
        self._types: dict[Any, Any] = {}
        with _declaring:
            self.number = len(PRIMITIVES)
            PRIMITIVES.append(self)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def bind(self, *args: Any, **params: Any) -> Any:
        """Apply the operation, dispatching to the deepest level among `args`."""
        level, depth = None, _BELOW_ALL
        for x in args:
            if isinstance(x, Value) and x.level.depth > depth:
                level = x.level
                depth = level.depth
        if level is None:
            return self.fun(*args, **params)
        return level.process(self, args, params)

    __call__ = bind

    def run(self, args: Sequence[Any], traced: Sequence[bool], params: dict[str, Any]) -> tuple[Any, Any]:
        """Return the output, and what `push` and `pull` need when the `traced` arguments are differentiated."""
        out = self.bind(*args, **params)
        return out, self.residuals(args, out, traced, params)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Tangent], params: dict[str, Any]) -> tuple[Any, Tangent]:
        """Return the output and its tangent (a tuple of each, where there are multiple outputs)."""
        out, saved = self.run(primals, [t is not None for t in tangents], params)
        return out, self.push(tangents, saved, params)

    def residuals(self, args: Sequence[Any], out: Any, traced: Sequence[bool], params: dict[str, Any]) -> Any:
        """Return what `push` and `pull` need, given which of the arguments are differentiated."""
        raise NotImplementedError

    def push(self, tangents: Sequence[Tangent], saved: Any, params: dict[str, Any]) -> Tangent:
        """Map tangents of the arguments (None for zero) to the tangent of the output."""
        raise NotImplementedError

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Add the cotangents of the arguments to `sweep`; `owned` says that `ct` may be overwritten."""
        raise NotImplementedError

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Type of the output (a tuple of types if there are several) for `ArrayType`s and Python numbers as arguments.

        Found by evaluating the operation on made-up numbers, so that it always agrees with NumPy, and remembered.
        """
        key = (tuple((type(a), a) for a in args), repr(params))
        known = self._types.get(key)
        if known is None:
            with np.errstate(all="ignore"):
                try:
                    out = self.fun(*map(_dummy, args), **params)
                except np.linalg.LinAlgError:  # ones make a singular matrix
                    out = self.fun(*map(_dummy_matrix, args), **params)
            known = self._types[key] = tuple(map(type_of, out)) if self.multiple else type_of(out)
        return known

    def pull_at(self, sweep: Any, slot: int, parents: Sequence[int], saved: Any, params: dict[str, Any]) -> None:
        """`pull` for a primitive with several outputs, whose types are ``saved[1]``."""
        end = slot + len(saved[1])
        cts = sweep.cotangents[slot:end]
        if any(c is not None for c in cts):
            sweep.cotangents[slot:end] = [None] * len(cts)
            self.pull(sweep, cts, False, parents, saved, params)

    def push_at(
        self, tape: Any, dots: list[Any], slot: int, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """`push` from the tangents of the parents' slots to that of `slot` (or several)."""
        tangents = [dots[p] if p >= 0 else None for p in parents]
        if any(t is not None for t in tangents):
            out = self.push(tangents, saved, params)
            if self.multiple:
                dots[slot : slot + len(out)] = out
            else:
                dots[slot] = out

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Apply the operation to a batch; see the class's `batch` parameter."""
        if self._batch is not None:
            return self._batch(size, args, batched, **params)
        return self.loop_over_batch(size, args, batched, params)

    def loop_over_batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Apply the operation to one example after the other."""
        stack: Callable[..., Any] = PRIMITIVE_BY_NAME["stack"]

        def example(i: int) -> list[Any]:
            return [x[i] if b else x for x, b in zip(args, batched, strict=True)]

        if size == 0:  # one made-up example tells the shapes
            zeros = [np.zeros(shape_of(x)[1:], dtype_of(x)) if b else x for x, b in zip(args, batched, strict=True)]
            outs = [self.bind(*zeros, **params)]
        else:
            outs = [self.bind(*example(i), **params) for i in range(size)]
        if self.multiple:
            return tuple(stack(*column)[:size] for column in zip(*outs, strict=True))
        return stack(*outs)[:size] if size == 0 else stack(*outs)


def _declaring_module() -> str:
    """Name of the module in which a primitive is being made."""
    frame: Any = sys._getframe(1)
    while frame.f_code.co_name == "__init__":  # of the classes of primitives
        frame = frame.f_back
    return frame.f_globals.get("__name__", "")


def _dummy(arg: Any) -> Any:
    """Ones (index zero) of a type, without memory of their own."""
    if not isinstance(arg, ArrayType):
        return arg
    value = arg.dtype.type(0 if arg.dtype.kind in "iub" else 1)
    return np.broadcast_to(value, arg.shape) if arg.shape else value


def _dummy_matrix(arg: Any) -> Any:
    """Unit matrices of a type."""
    if not isinstance(arg, ArrayType) or len(arg.shape) < 2:
        return _dummy(arg)
    return np.broadcast_to(np.eye(*arg.shape[-2:], dtype=arg.dtype), arg.shape)


class _ByName:
    """Look primitives up by name."""

    def __getitem__(self, name: str) -> Primitive:
        return next(p for p in PRIMITIVES if p.name == name)


PRIMITIVE_BY_NAME = _ByName()


def is_inexact(x: Any) -> bool:
    """Whether a value has a floating-point or complex dtype, so that it can carry a derivative."""
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        return isinstance(x, (float, complex))
    return dtype.kind in "fc" if isinstance(dtype, np.dtype) else False
