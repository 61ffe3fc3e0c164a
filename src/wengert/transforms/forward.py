"""Forward mode: dual numbers.

A `Dual` is a + bε with ε² = 0: a primal and a tangent. A function f applied to it gives f(a) + f′(a)·b ε, so the
chain rule is applied as each operation executes. The ε of one `Level` never meets the ε of another: an operation on
duals of two levels treats the outer one as a constant, inside the primal and tangent of the inner one.

A zero tangent is not stored: the value then simply is its primal.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from wengert.core.combinators import NonDifferentiable, broadcast_to
from wengert.core.primitive import Primitive, is_inexact
from wengert.core.residuals import derivative_arithmetic, same_type, type_mismatch
from wengert.core.values import Level, Value, current_level, shape_of
from wengert.errors import InputTypeError, LeakedValueError, fail


class Forward(Level):
    """One forward-mode transform."""

    __slots__ = ()
    kind = "forward-mode"

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Compute output and tangent."""
        if not self.active:
            self.leaked(primitive)
        primals: list[Any] = []
        tangents: list[Any] = []
        for x in args:
            if isinstance(x, Dual) and x.level is self:
                primals.append(x.primal)
                tangents.append(x.tangent)
            else:
                primals.append(x)
                tangents.append(None)
        if isinstance(primitive, NonDifferentiable):
            return primitive.bind(*primals, **params)
        out, dot = primitive.jvp(primals, tangents, params)
        if primitive.multiple:
            return tuple(self.make(o, d) for o, d in zip(out, dot, strict=True))
        return self.make(out, dot)

    def process_unary(self, primitive: Any, x: Any) -> Any:
        """`process` for the commonest case, at half the cost."""
        if not self.active:
            self.leaked(primitive)
        v = x.primal
        out = primitive.bind(v) if isinstance(v, Value) else primitive.fun(v)
        fix = None if same_type(out, v) else type_mismatch(out, (v,), (True,))
        return self.dual(primitive, out, (x.tangent,), (fix, out, v))

    def process_binary(self, primitive: Any, x: Any, y: Any) -> Any:
        """`process` for the second commonest case."""
        if not self.active:
            self.leaked(primitive)
        v, t = (x.primal, x.tangent) if type(x) is Dual and x.level is self else (x, None)
        w, u = (y.primal, y.tangent) if type(y) is Dual and y.level is self else (y, None)
        out = primitive.bind(v, w) if isinstance(v, Value) or isinstance(w, Value) else primitive.fun(v, w)
        if (t is None or same_type(out, v)) and (u is None or same_type(out, w)):
            fix = None
        else:
            fix = type_mismatch(out, (v, w), (t is not None, u is not None))
        return self.dual(primitive, out, (t, u), (fix, out, v, w))

    def dual(self, primitive: Any, out: Any, tangents: Any, saved: Any) -> Any:
        """Return the dual number of an elementwise operation's output."""
        if primitive.singular:
            with derivative_arithmetic():
                tangent = primitive.push(tangents, saved, {})
        else:
            tangent = primitive.push(tangents, saved, {})
        return out if tangent is None else _new_dual(out, tangent, self)

    def make(self, primal: Any, tangent: Any) -> Any:
        """Return the dual of this level, or the bare primal if the tangent is None or the dtype is not inexact."""
        if tangent is None or not is_inexact(primal):
            return primal
        return _new_dual(primal, tangent, self)


class _Made(threading.local):
    """The class of level that this thread makes: `wengert.transforms.inspect` replaces it by one that checks."""

    level: type[Forward] = Forward


made = _Made()


def new_forward() -> Forward:
    """Return a new forward-mode level."""
    return made.level()


class Dual(Value):
    """A dual number (or array of dual numbers) a + bε, the value that forward mode computes with.

    Parameters
    ----------
    primal : float, complex, array_like or Dual
        The value a. Integers are converted to float64.
    tangent : same
        The derivative b, broadcast to the shape of `primal`. Defaults to 0.

    Attributes
    ----------
    primal, tangent
        The two parts. `dual` is another name for `tangent`.

    Notes
    -----
    Hand-made duals share one ε: ``Dual(a, 1.0) * Dual(b, 0.0)`` differentiates with respect to a. A Dual of Duals has
    a second, inner ε: ``Dual(Dual(x, 1.0), Dual(1.0, 0.0))`` carries first and second derivatives.
    Comparisons look at the primal only. ``==`` compares primals too, as it does for the values that a program
    branches on; the hash is that of the primal. Use ``.primal`` and ``.tangent`` to compare both parts.

    Examples
    --------
    >>> from wengert import Dual
    >>> x = Dual(3.0, 1.0)
    >>> x * x
    9.0 + 6.0ε
    >>> import numpy as np
    >>> np.exp(Dual(0.0, 2.0))
    1.0 + 2.0ε
    """

    __slots__ = ("primal", "tangent")
    primal: Any
    tangent: Any

    def __init__(self, primal: Any, tangent: Any = 0.0) -> None:
        primal, tangent = _inexact(primal, "primal"), _inexact(tangent, "tangent")
        if shape_of(tangent) != shape_of(primal):
            tangent = broadcast_to(tangent, shape=shape_of(primal))
        self.primal, self.tangent = primal, tangent
        self.level = _manual_level(primal, tangent)

    @property
    def payload(self) -> Any:
        """The primal."""
        return self.primal

    @property
    def parts(self) -> tuple[Any, ...]:
        """Primal and tangent."""
        return self.primal, self.tangent

    @property
    def dual(self) -> Any:
        """Another name for the tangent."""
        return self.tangent

    def __repr__(self) -> str:
        return f"{_show(self.primal)} + {_show(self.tangent)}{_epsilon(self)}"

    def __format__(self, spec: str) -> str:
        return f"{_show(self.primal, spec)} + {_show(self.tangent, spec)}{_epsilon(self)}"

    def __hash__(self) -> int:
        return hash(self.primal)


def _new_dual(primal: Any, tangent: Any, level: Level) -> Dual:
    dual = _allocate(Dual)
    dual.primal = primal
    dual.tangent = tangent
    dual.level = level
    return dual


_allocate = object.__new__


def _inexact(x: Any, what: str) -> Any:
    """Turn a number or array into a NumPy value that can carry a derivative."""
    x = getattr(x, "immutable_value", x)  # an Array's value
    if isinstance(x, Value):
        return x
    x = np.asarray(x)
    if x.dtype.kind in "biu":
        x = x.astype(np.float64)
    if x.dtype.kind not in "fc":
        fail(InputTypeError, f"Dual needs numbers; its {what} has dtype {x.dtype}. Convert it to float first.")
    return x.copy() if x.ndim else x[()]


_extending = threading.Lock()


def _manual_level(*parts: Any) -> Level:
    """Level of a hand-made Dual: just inside its parts and the transform that runs now."""
    around = current_level()
    depth = max([around.depth, *(p.level.depth for p in parts if isinstance(p, Value))])
    nested = depth - around.depth
    if nested >= len(around.inner) and nested < 1000:
        with _extending:  # outside of transforms all threads share one level
            around.inner.extend(Forward(around.depth + 1 + i) for i in range(len(around.inner), nested + 1))
    if nested >= len(around.inner):
        fail(
            LeakedValueError,
            "Dual got a part that belongs to a transform which has ended or runs in another thread.",
        )
    return around.inner[nested]


def _epsilon(x: Dual) -> str:
    """ε, with a number for the ε of an enclosing level."""
    rank = 1
    inner = x.primal
    while isinstance(inner, Value):
        rank += isinstance(inner, Dual)
        inner = inner.payload
    return "ε" if rank == 1 else "ε" + "".join("₀₁₂₃₄₅₆₇₈₉"[int(d)] for d in str(rank))


def _show(x: Any, spec: str = "") -> str:
    if isinstance(x, Dual):
        return f"({x:{spec}})"
    return format(x, spec) if spec and shape_of(x) == () else str(x)
