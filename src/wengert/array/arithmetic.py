"""Python's operators on Arrays, in place and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.array.handle import Array, from_sequence, wrap
from wengert.core.primitive import Primitive
from wengert.core.values import Value, dtype_of, shape_of
from wengert.rules import operators

_allocate = object.__new__
_PLAIN = operators.PLAIN


def _operand(x: Any) -> Any:
    """Value of an operand, or NotImplemented."""
    if isinstance(x, Array):
        return x.immutable_value
    if operators.is_plain(x) or isinstance(x, Value):
        return x
    if isinstance(x, (list, tuple)):
        return from_sequence(x)
    return NotImplemented


def _binary(primitive: Primitive, *, reflected: bool = False) -> Callable[[Array, Any], Any]:
    bind = primitive.bind

    def method(self: Array, other: Any) -> Any:
        kind = type(other)
        if kind is Array:
            y = other._value
            if other._writes is not None:
                other._writes.owned = False
        elif kind in _PLAIN:
            y = other if kind is not complex else operators.fitted(other, self.dtype)
        else:
            y = _operand(other)
            if y is NotImplemented:
                return y
        x = self.immutable_value if self._writes is not None or type(self) is not Array else self._value
        value = bind(y, x) if reflected else bind(x, y)
        if isinstance(value, Value):
            array = _allocate(Array)
            array._value = value
            array._writes = None
            return array
        return wrap(value)

    return method


def _in_place(method: Callable[[Array, Any], Any]) -> Callable[[Array, Any], Any]:
    def in_place(self: Array, other: Any) -> Any:
        if not self.is_mutable:
            return NotImplemented  # NumPy scalars are immutable: Python then rebinds the name to self + other
        result = method(self, other)
        if result is NotImplemented:
            return result
        assign_all(self, result)
        return self

    return in_place


def assign_all(target: Array, result: Any) -> None:
    """Overwrite `target` with the result of a computation, as out= and the in-place operators do."""
    if shape_of(result) != target.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {target.shape} doesn't match the broadcast shape "
            f"{shape_of(result)}"
        )
    if not np.can_cast(dtype_of(result), target.dtype, "same_kind"):
        raise TypeError(f"Cannot cast output from {dtype_of(result)} to {target.dtype} with casting rule 'same_kind'")
    value = target._cast(result)
    if target.shape == ():
        target[...] = value  # the result is a NumPy scalar, the target has to stay an array
    elif isinstance(value, Value):
        target._replace(value)
    else:
        target._replace(np.array(value, dtype=target.dtype))


def _unary(primitive: Primitive) -> Callable[[Array], Any]:
    return lambda self: wrap(primitive.bind(self.immutable_value))


def _attach_operators() -> None:
    for name, primitive in operators.BINARY.items():
        forward = _binary(primitive)
        setattr(Array, f"__{name}__", forward)
        setattr(Array, f"__r{name}__", _binary(primitive, reflected=True))
        setattr(Array, f"__i{name}__", _in_place(forward))
    for name, primitive in operators.COMPARISON.items():
        setattr(Array, f"__{name}__", _binary(primitive))
    for name, primitive in operators.UNARY.items():
        setattr(Array, f"__{name}__", _unary(primitive))


_attach_operators()


def _conversion(name: str) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: getattr(wrap(self), name)(*args, **kwargs)


for _name in ("__bool__", "__int__", "__index__", "__float__", "__complex__", "__array__"):
    setattr(Value, _name, _conversion(_name))
