"""Python's operators on the immutable values, so that rules can be written as formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.combinators import conj, imag, real
from wengert.core.primitive import Primitive
from wengert.core.values import Value
from wengert.rules import contraction
from wengert.rules import elementwise as e

#: Operator name and primitive, for the binary operators that also have a reflected form.
BINARY: dict[str, Primitive] = {
    "add": e.add,
    "sub": e.subtract,
    "mul": e.multiply,
    "truediv": e.divide,
    "floordiv": e.floor_divide,
    "mod": e.remainder,
    "pow": e.power,
    "matmul": contraction.matmul,
    "and": e.bitwise_and,
    "or": e.bitwise_or,
    "xor": e.bitwise_xor,
    "lshift": e.left_shift,
    "rshift": e.right_shift,
}
COMPARISON: dict[str, Primitive] = {
    "eq": e.equal,
    "ne": e.not_equal,
    "lt": e.less,
    "le": e.less_equal,
    "gt": e.greater,
    "ge": e.greater_equal,
}
UNARY: dict[str, Primitive] = {"neg": e.negative, "pos": e.positive, "abs": e.absolute, "invert": e.invert}

#: Types of operands that the operators accept besides values.
PLAIN = frozenset({int, float, complex, bool, np.ndarray, np.float64, np.float32, np.complex128, np.complex64})


def is_plain(x: Any) -> bool:
    """Whether `x` is a number or an ndarray."""
    return type(x) in PLAIN or isinstance(x, (np.generic, int, float, complex, np.ndarray))


def fitted(x: complex, dtype: np.dtype[Any]) -> Any:
    """Python's complex as an operand: complex * np.float64 would be a Python complex again, which has no dtype."""
    return np.complex128(x) if dtype == np.float64 else x


def _binary(primitive: Primitive) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        if isinstance(other, Value) or is_plain(other):
            return primitive.bind(self, other)
        return NotImplemented

    return operator


def _reflected(primitive: Primitive) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        if is_plain(other):
            return primitive.bind(fitted(other, self.dtype) if type(other) is complex else other, self)
        return NotImplemented

    return operator


def _unary(primitive: Primitive) -> Callable[[Any], Any]:
    return lambda self: primitive.bind(self)


def attach() -> None:
    """Give `Value` its operators."""
    for name, primitive in BINARY.items():
        setattr(Value, f"__{name}__", _binary(primitive))
        setattr(Value, f"__r{name}__", _reflected(primitive))
    for name, primitive in COMPARISON.items():
        setattr(Value, f"__{name}__", _binary(primitive))
    for name, primitive in UNARY.items():
        setattr(Value, f"__{name}__", _unary(primitive))
    Value.__hash__ = lambda self: id(self)  # type: ignore[method-assign]
    Value.real = property(lambda self: real(self))  # type: ignore[attr-defined]
    Value.imag = property(lambda self: imag(self))  # type: ignore[attr-defined]
    Value.conj = lambda self: conj(self)  # type: ignore[attr-defined]


attach()
