"""Random NumPy programs, as source code: what the random test of the compiler draws.

A program is drawn line by line. Each line is tried on plain NumPy arrays at once, and kept if NumPy accepts it, so
every program is valid, and a failing one can be read and run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np

FLOATS = ("float64", "float32")
DTYPES = ("float64", "float64", "float64", "float32", "int64", "int32", "uint8", "bool", "complex128")
_UNARY = (
    "sin", "cos", "tanh", "exp", "log", "sqrt", "abs", "square", "negative", "sign", "floor", "rint", "log1p", "expm1",
    "arctan", "reciprocal", "isnan", "isfinite", "signbit", "logical_not", "positive", "conj", "cbrt", "sinh", "sinc",
    "spacing", "trunc", "invert",
)  # fmt: skip
_BINARY = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "arctan2", "hypot", "less", "equal",
    "greater_equal", "not_equal", "logical_and", "logical_or", "floor_divide", "remainder", "fmax", "copysign",
    "logaddexp", "bitwise_and", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm", "fmod", "fmin", "nextafter",
    "heaviside", "ldexp",
)  # fmt: skip
_REDUCTIONS = ("sum", "sum", "sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin", "var")
_NUMBERS = (
    "2", "-1", "0.5", "3.0", "0", "-0.0", "1", "1e3", "np.inf", "np.nan", "True", "np.float32(0.3)", "np.int64(3)",
)  # fmt: skip
_MAX_SIZE = 60
_REJECTIONS = (TypeError, ValueError, IndexError, ArithmeticError, Warning)


@dataclasses.dataclass
class RandomProgram:
    """Inputs, and lines that compute with v0, v1, …; the results are all variables in `outputs`."""

    inputs: list[np.ndarray]
    lines: list[str]
    outputs: list[int]

    @property
    def source(self) -> str:
        arguments = ", ".join(f"v{i}" for i in range(len(self.inputs)))
        results = "".join(f"v{i}, " for i in self.outputs)
        return "\n    ".join([f"def f({arguments}):", *self.lines, f"return ({results})"])

    def function(self) -> Callable[..., Any]:
        """The program as a function."""
        namespace: dict[str, Any] = {"np": np}
        exec(self.source, namespace)
        return namespace["f"]

    def __repr__(self) -> str:
        shown = "\n".join(
            f"# v{i} = np.array({x.tolist()!r}, {str(x.dtype)!r}).reshape({x.shape})" for i, x in enumerate(self.inputs)
        )
        return f"\n{shown}\n{self.source}"


class _Drawing:
    """A program under construction, with the values that it has on its inputs."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.inputs: list[np.ndarray] = []
        self.lines: list[str] = []
        self.values: list[Any] = []
        self.namespace: dict[str, Any] = {"np": np}
        # Mostly arrays of a few elements, which show most mistakes; sometimes some that fill vector registers.
        self.max_side, self.max_size = self.one_of((4, _MAX_SIZE), (4, _MAX_SIZE), (4, _MAX_SIZE), (40, 2000))

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def add_input(self) -> None:
        dtype = np.dtype(self.one_of(*DTYPES))
        min_side = 0 if self.one_of(*range(9)) == 8 else 1
        shape = self.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=min_side, max_side=self.max_side))
        if int(np.prod(shape)) > self.max_size:
            shape = shape[:1]
        seed = self.draw(st.integers(0, 1000))
        rng = np.random.default_rng(seed)
        if dtype.kind in "fc":
            # Quarters: sums and products of them are exact, so that ties and zeros occur and stay what they are.
            x = rng.integers(-8, 9, shape) / 4 if seed % 3 else rng.normal(size=shape)
            x = x + 1j * rng.integers(-4, 5, shape) / 4 if dtype.kind == "c" else x
        else:
            x = rng.integers(0, 2 if dtype.kind == "b" else 7, shape) - (3 if dtype.kind == "i" else 0)
        self.inputs.append(np.asarray(x).astype(dtype))
        self.define(f"v{len(self.values)}", self.inputs[-1].copy() if shape else self.inputs[-1][()])

    def define(self, name: str, value: Any) -> None:
        self.values.append(value)
        self.namespace[name] = value

    def pick(self, accept: Callable[[Any], bool] = lambda x: True) -> int | None:
        found = [i for i, v in enumerate(self.values) if accept(v)]
        # Recent values more often.
        return found[-1 - min(self.draw(st.integers(0, 5)), len(found) - 1)] if found else None

    def try_line(self, expression: str) -> None:
        """Add a line that defines a variable, if NumPy accepts it."""
        try:
            with np.errstate(all="ignore"):
                value = eval(expression, dict(self.namespace))
        except _REJECTIONS:
            return
        if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.char not in "dfD?lihbBHIL":
            return
        if np.size(value) > self.max_size:
            return
        name = f"v{len(self.values)}"
        self.lines.append(f"{name} = {expression}")
        self.define(name, value)

    def try_write(self, statement: str, target: int) -> None:
        """Add a line that writes into an array, if NumPy accepts it."""
        try:
            with np.errstate(all="ignore"):
                trial = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in self.namespace.items()}
                exec(statement, trial)
                exec(statement, self.namespace)
        except _REJECTIONS:
            return
        self.lines.append(statement)

    # Kinds of lines --------------------------------------------------------------------------------------------------

    def operand(self) -> str:
        if self.one_of(*range(5)) == 4:
            return self.one_of(*_NUMBERS)
        return f"v{self.pick()}"

    def unary(self) -> None:
        i, name = self.pick(), self.one_of(*_UNARY)
        if name != "signbit" or not np.any(np.isnan(self.values[i])):  # the sign of NaN has no meaning
            self.try_line(f"np.{name}(v{i})")

    def binary(self) -> None:
        name = self.one_of(*_BINARY[:4], *_BINARY)
        operands = [f"v{self.pick()}", self.operand()]
        if name == "copysign" and any(np.any(np.isnan(eval(x, dict(self.namespace)))) for x in operands):
            return
        self.try_line(f"np.{name}({', '.join(operands[:: self.one_of(1, -1)])})")

    def where(self) -> None:
        mask = self.pick(lambda v: v.dtype == bool)
        condition = f"v{mask}" if mask is not None else f"v{self.pick()} > 0"
        self.try_line(f"np.where({condition}, {self.operand()}, {self.operand()})")

    def cast(self) -> None:
        tame = self.pick(lambda v: v.dtype.kind != "c" and bool(np.all(np.abs(v.astype(float)) < 100)))
        if tame is not None:
            dtypes = ["float64", "float32", "int64", "bool"]
            if not np.any(self.values[tame] < 0):
                dtypes.append("uint8")
            self.try_line(f"v{tame}.astype('{self.one_of(*dtypes)}')")

    def key(self, shape: Any, advanced: bool) -> str:
        advanced = advanced and len(shape) > 0 and 0 not in shape
        kind = self.one_of("basic", "basic", "newaxis", *(("integers", "mask") if advanced else ()))
        if kind == "integers":
            n = shape[0]
            return repr(self.draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4)))
        if kind == "mask":
            return f"np.array({self.draw(st.lists(st.booleans(), min_size=shape[0], max_size=shape[0]))})"
        key = self.draw(hnp.basic_indices(shape, allow_newaxis=kind == "newaxis"))
        return ", ".join(map(_text, key if isinstance(key, tuple) else (key,))) or "..."

    def index(self) -> None:
        i = self.pick(lambda v: v.ndim > 0)
        if i is not None:
            self.try_line(f"v{i}[{self.key(self.values[i].shape, True)}]")

    def write(self) -> None:
        i = self.pick(lambda v: isinstance(v, np.ndarray) and v.ndim > 0 and v.flags.writeable)
        if i is not None:
            value = self.operand() if self.one_of(0, 1) else f"np.sum(v{self.pick()})"
            sign = self.one_of("=", "+=", "*=", "-=")
            with np.errstate(all="ignore"):
                is_complex = np.iscomplexobj(eval(value, dict(self.namespace)))
            if is_complex and self.values[i].dtype.kind != "c":
                return  # only NumPy drops imaginary parts silently
            self.try_write(f"v{i}[{self.key(self.values[i].shape, sign == '=')}] {sign} {value}", i)

    def reduce(self) -> None:
        i = self.pick()
        ndim = np.ndim(self.values[i])
        axis = self.one_of(None, *range(ndim), *((tuple(range(ndim))[::2],) if ndim > 1 else ()))
        name = self.one_of(*_REDUCTIONS)
        keep = ", keepdims=True" if self.one_of(0, 0, 1) else ""
        self.try_line(f"np.{name}(v{i}, axis={axis}{keep})")

    def scan(self) -> None:
        i = self.pick(lambda v: v.ndim > 0)
        if i is not None:
            axis = self.one_of(*range(self.values[i].ndim))
            self.try_line(f"np.{self.one_of('cumsum', 'cumprod', 'sort')}(v{i}, axis={axis})")

    def order(self) -> None:
        i = self.pick(lambda v: v.ndim > 0 and v.dtype.kind != "c")
        if i is None:
            return
        v, other = self.values[i], self.pick(lambda v: v.dtype.kind != "c")
        axis = self.one_of(*range(v.ndim))
        kind = self.one_of("argsort", "search", "chosen", "median", "partition")
        if kind == "argsort":
            self.try_line(f"np.argsort(v{i}, axis={axis}, kind='stable')")
        elif kind == "search":
            side = self.one_of("left", "right")
            self.try_line(f"np.searchsorted(np.sort(np.ravel(v{i})), v{other}, side='{side}')")
        elif kind == "chosen":
            name = self.one_of("argmax", "argmin")
            self.try_line(f"np.take_along_axis(v{i}, np.{name}(v{i}, axis={axis}, keepdims=True), axis={axis})")
        elif np.unique(v).size == v.size and v.dtype.kind == "f":  # which of equal elements is chosen is left open
            middle = v.shape[axis] // 2
            self.try_line(
                f"np.median(v{i}, axis={axis})"
                if kind == "median"
                else f"np.take(np.partition(v{i}, {middle}, axis={axis}), {middle}, axis={axis})"
            )

    def join(self) -> None:
        parts = ", ".join(f"v{self.pick()}" for _ in range(self.one_of(2, 2, 3)))
        axis = self.one_of(0, 0, 1, -1)
        self.try_line(f"np.{self.one_of('concatenate', 'concatenate', 'stack')}([{parts}], axis={axis})")

    def join_itself(self) -> None:
        i = self.pick(lambda v: v.ndim > 0)
        if i is not None:
            axis = self.one_of(*range(self.values[i].ndim))
            self.try_line(f"np.concatenate([v{i}, np.flip(v{i}, {axis}), v{i}], axis={axis})")

    def shape(self) -> None:
        i = self.pick()
        v = self.values[i]
        kind = self.one_of("T", "ravel", "reshape", "broadcast", "moveaxis", "squeeze", "roll", "flip", "real")
        if kind == "T":
            self.try_line(f"np.transpose(v{i})")
        elif kind == "ravel":
            self.try_line(f"np.ravel(v{i})")
        elif kind == "reshape":
            shape = self.one_of((-1,), (v.size,), v.shape[::-1], (1, *v.shape), (*v.shape, 1), (2, -1), (-1, 3))
            self.try_line(f"np.reshape(v{i}, {shape})")
        elif kind == "broadcast":
            self.try_line(f"np.broadcast_to(v{i}, {(self.one_of(1, 2, 3), *v.shape)})")
        elif kind == "moveaxis":
            self.try_line(f"np.moveaxis(v{i}, 0, -1)")
        elif kind == "squeeze":
            self.try_line(f"np.squeeze(v{i})")
        elif kind == "real":
            self.try_line(f"v{i}.real" if v.ndim else f"np.real(v{i})")
        else:
            axis = self.one_of(*range(max(1, v.ndim)))
            self.try_line(f"np.{kind}(v{i}{', 1' if kind == 'roll' else ''}, axis={axis})")

    def product(self) -> None:
        kind = self.one_of(
            "v{0} @ v{1}", "v{0} @ v{1}.T", "np.outer(v{0}, v{1})", "np.einsum('...i,...i->...', v{0}, v{1})"
        )
        i = self.pick(lambda v: v.ndim > 0)
        j = self.pick(lambda v: v.ndim > 0)
        if i is not None:
            self.try_line(kind.format(i, j))

    def program(self) -> RandomProgram:
        for _ in range(self.one_of(1, 2, 3)):
            self.add_input()
        kinds = [
            self.unary, self.unary, self.binary, self.binary, self.binary, self.where, self.cast, self.index,
            self.index, self.write, self.write, self.write, self.reduce, self.reduce, self.join, self.join_itself,
            self.shape, self.shape, self.product, self.scan, self.order,
        ]  # fmt: skip
        for _ in range(self.draw(st.integers(2, 10))):
            kinds[self.draw(st.integers(0, len(kinds) - 1))]()
        last = len(self.values) - 1
        outputs = sorted({last, *self.draw(st.lists(st.integers(0, last), max_size=3))})
        return RandomProgram(self.inputs, self.lines, outputs)


def _text(s: Any) -> str:
    if isinstance(s, slice):
        parts = ["" if p is None else str(p) for p in (s.start, s.stop, s.step)]
        return ":".join(parts)
    return "..." if s is Ellipsis else repr(s)


@st.composite
def random_programs(draw: Any) -> RandomProgram:
    """Programs with their inputs."""
    return _Drawing(draw).program()
