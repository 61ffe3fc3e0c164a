"""Small programs as straight-line code: every element of every array is a value in a register.

The elements of an array are kept in a NumPy array of instructions, so the structural operations (indexing, reshaping,
joining …) are NumPy's own applied to that array, and cost nothing at run time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler import ordering, parallel
from wengert.compiler.builder import Builder
from wengert.compiler.lowering import (
    LOWERINGS,
    Emitter,
    Register,
    emit_element,
    is_about_parts,
    is_loadable_dtype,
    is_lowerable,
    is_lowerable_dtype,
    llvm_type,
    memory_dtype,
    memory_type,
)
from wengert.compiler.vector_math import MathLibrary
from wengert.core import combinators as c
from wengert.core.primitive import Primitive
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import dtype_of
from wengert.rules import contraction, indexing, joining, reductions, structural
from wengert.rules import elementwise as e
from wengert.transforms.branches import branch
from wengert.transforms.loops import loop
from wengert.transforms.mapped import count_elements, map_program

#: Programs with more elements than this, over all variables, are not unrolled.
MAX_ELEMENTS = 6000
#: Nor are those that do arithmetic on more elements at once: the time that LLVM takes grows with the square.
MOST_AT_ONCE = 64
_SIMPLE = 4  # instructions

Elements = Any  # ndarray of dtype object: registers, and numbers that are known at compile time


class Parts:
    """The parts of a complex number, as one element."""

    __slots__ = ("imag", "real")

    def __init__(self, real: Any, imag: Any) -> None:
        self.real, self.imag = real, imag


class _StructuralZero(float):
    """The zero that a product with a zero tangent is, whatever the other factor: it needs no arithmetic."""


_ZERO = _StructuralZero(0.0)


def box(elements: Sequence[Any], shape: tuple[int, ...]) -> Elements:
    """Put registers and numbers into an array."""
    boxed = np.empty(len(elements), object)
    boxed[:] = elements
    return boxed.reshape(shape)


def _write(x: Elements, v: Elements, *arrays: Any, spec: Any, donate: bool, combine: Any = None) -> Elements:
    out = x.copy()
    positions = np.arange(out.size).reshape(out.shape)[indexing.make_key(spec, arrays)]
    v = v.reshape(v.shape[max(0, v.ndim - positions.ndim) :])  # assignment ignores extra leading axes of length 1
    flat = out.reshape(-1)
    for p, value in zip(positions.ravel(), np.broadcast_to(v, positions.shape).ravel(), strict=True):
        flat[p] = value if combine is None else combine(flat[p], value)
    return out


#: Operations that only move elements: NumPy's own function on the array of instructions.
MOVES: dict[Primitive, Callable[..., Elements]] = {
    c.reshape: lambda x, *, shape: x.reshape(shape),
    c.broadcast_to: lambda x, *, shape: np.broadcast_to(x, shape),
    structural.transpose: lambda x, *, axes: x.transpose(axes),
    joining.concatenate: lambda *xs, axis: np.concatenate(xs, axis=axis),
    joining.stack: lambda *xs, axis=0: np.stack(xs, axis=axis),
    indexing.index: lambda x, *arrays, spec: np.asarray(x[indexing.make_key(spec, arrays)], dtype=object),
    indexing.index_update: _write,
}
_REDUCTIONS = {c.reduce_sum: e.add, reductions.reduce_prod: e.multiply, reductions.reduce_max: e.maximum}
_REDUCTIONS[reductions.reduce_min] = e.minimum
_OTHERS = {indexing.index_add, contraction.matmul, *_REDUCTIONS}
INDEXED = {indexing.index, indexing.index_add, indexing.index_update}


def has_control(program: Program) -> bool:
    """Whether there are loops, branches, or indices that are computed, in a program or in one inside it."""
    constants = dict(program.constants)
    return any(
        op.primitive in (loop, branch)
        or (op.primitive in INDEXED and not _is_fixed(op, constants))
        or (op.primitive is map_program and has_control(op.params["program"]))
        for op in program.operations
    )


def can_unroll(program: Program) -> bool:
    """Whether a program is small enough, and made of operations that this module knows."""
    constants = dict(program.constants)
    total = sum(math.prod(v.type.shape) for v in (*program.inputs, *constants))
    if total > MAX_ELEMENTS:  # a program without operations moves its arguments
        return False
    for op in program.operations:
        elements = sum([math.prod(v.type.shape) for v in op.outputs])
        if op.primitive in LOWERINGS:
            weight = _weight(op.primitive, tuple([_dtype(a) for a in op.inputs]), op.outputs[0].type.dtype)
            total += elements * weight
            if total > MAX_ELEMENTS or elements > MOST_AT_ONCE:
                return False
            if weight:
                continue
        total += elements
        if op.primitive in _REDUCTIONS and _largest(op) > MOST_AT_ONCE:
            return False
        if op.primitive is map_program:
            total += op.params["size"] * count_elements(op.params["program"])
        if op.primitive is contraction.matmul:
            total += max(math.prod(a.type.shape) for a in op.inputs if isinstance(a, Variable)) * 4
        if not is_known(op, constants):
            return False
        if op.primitive in ordering.PRIMITIVES:
            total += ordering.work(op)
        if total > MAX_ELEMENTS:
            return False
    return all(is_loadable_dtype(v.type.dtype) for v in (*program.inputs, *constants)) and all(
        isinstance(x, np.ndarray) for x in constants.values()
    )


def _largest(op: Operation) -> int:
    return max(math.prod(v.type.shape) for v in (*op.inputs, *op.outputs) if isinstance(v, Variable))


@functools.cache
def _weight(primitive: Primitive, dtypes: tuple[np.dtype[Any], ...], out: np.dtype[Any]) -> int:
    """How many simple operations the arithmetic for one element amounts to; 0 if there is no native form."""
    if not is_lowerable(primitive, dtypes, out):
        return 0
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [llvm_type(d) for d in dtypes]), "element")
    em = Emitter(Builder(function.append_basic_block()), MathLibrary(module, vectorise=False))
    emit_element(em, primitive, [(x, d, None) for x, d in zip(function.args, dtypes, strict=True)], out)
    return -(-sum(len(block.instructions) for block in function.blocks) // _SIMPLE)


def _dtype(atom: Any) -> np.dtype[Any]:
    return dtype_of(atom.value) if isinstance(atom, Literal) else atom.type.dtype


def is_known(op: Operation, constants: dict[Variable, Any]) -> bool:
    p = op.primitive
    if p is map_program:
        return can_unroll(op.params["program"])
    if p.multiple:
        return False
    dtypes = tuple(map(_dtype, op.inputs))
    out = op.outputs[0].type.dtype
    if is_about_parts(p, dtypes, out) or (p is c.reshape and is_loadable_dtype(out)):
        return True
    if p in LOWERINGS:
        return is_lowerable(p, dtypes, out)
    if not all(map(is_lowerable_dtype, (*dtypes, out))):
        return False
    if p in INDEXED:
        return _is_fixed(op, constants)
    if p in ordering.PRIMITIVES:
        return ordering.has_native_form(op) and ordering.is_short(op)
    if p in MOVES or p in _OTHERS:
        return True
    return is_lowerable(p, dtypes, out)


def _is_fixed(op: Operation, constants: dict[Variable, Any]) -> bool:
    """Whether the indices of an operation are known."""
    indices = op.inputs[1 if op.primitive is indexing.index else 2 :]
    return all(isinstance(a, Literal) or a in constants for a in indices)


def _fold(primitive: Primitive, out: np.dtype[Any], values: Sequence[Any]) -> Any:
    """Result of an operation on elements that are known, or on structural zeros; None if it must be computed."""
    numbers = [not isinstance(v, ir.values.Value) for v in values]
    if True not in numbers:
        return None
    if primitive in (c.tangent_product, c.strong_multiply):
        factors = values[1:] if primitive is c.tangent_product else values
        if any(not isinstance(v, ir.values.Value) and v == 0 for v in factors):
            return _ZERO
    zeros = [isinstance(v, _StructuralZero) for v in values]
    if any(zeros):
        if primitive is e.multiply or (all(zeros) and primitive in (e.add, e.subtract, e.negative)):
            return _ZERO
        if primitive is e.add:
            return values[1] if zeros[0] else values[0]
        if primitive is e.subtract and zeros[1]:
            return values[0]
    if all(numbers) and isinstance(primitive, c.Elementwise):
        with np.errstate(all="ignore"):
            return out.type(primitive.fun(*(out.type(v) if isinstance(v, _StructuralZero) else v for v in values)))
    return None


class Unroller:
    """Emits one program as straight-line code at the current position of a builder."""

    def elements(self, x: Any) -> Elements:
        """The elements of a result."""
        return x

    def __init__(self, emitter: Emitter) -> None:
        self.em = emitter

    def element(self, primitive: Primitive, dtypes: Sequence[Any], out: np.dtype[Any], *values: Any) -> Any:
        if primitive is e.from_parts:
            part = memory_dtype(out)
            return Parts(*(self.convert(v, d, part) for v, d in zip(values, dtypes, strict=True)))
        if dtypes[0].kind == "c" and primitive in (c.real, c.imag):
            return values[0].imag if primitive is c.imag else values[0].real
        folded = _fold(primitive, out, values)
        if folded is not None:
            return folded
        operands = [
            (v, d, None) if isinstance(v, ir.values.Value) else (None, d, v)
            for v, d in zip(values, dtypes, strict=True)
        ]
        return emit_element(self.em, primitive, operands, out)

    def run(self, program: Program, inputs: Sequence[Elements]) -> list[Elements]:
        """Return the elements of the outputs, given those of the inputs; numbers stand for literals."""
        env: dict[Variable, Any] = dict(zip(program.inputs, inputs, strict=True))
        for v, x in program.constants:
            env[v] = box(list(x.ravel()), x.shape)
        for op in program.operations:
            if op.primitive is map_program:
                env.update(zip(op.outputs, self.map(op, env), strict=True))
            elif op.primitive in LOWERINGS and not op.outputs[0].type.shape:
                env[op.outputs[0]] = self.single(op, env)
            else:
                env[op.outputs[0]] = self.operation(op, env)
        return [self.read(a, env) for a in program.outputs]

    def map(self, op: Operation, env: dict[Variable, Elements]) -> list[Elements]:
        """Run the program of one example for each example."""
        args = [self.read(a, env) for a in op.inputs]
        batched, size = op.params["batched"], op.params["size"]

        def example(i: int) -> list[Elements]:
            inputs = [box(list(np.ravel(x[i])), np.shape(x[i])) if b else x for x, b in zip(args, batched, strict=True)]
            return self.run(op.params["program"], inputs)

        columns = zip(*map(example, range(size)), strict=True)
        stacked = [np.stack([np.asarray(e, object) for e in column]) for column in columns]
        return [
            self.sum(x, (0,), v.type) if s else x
            for x, v, s in zip(stacked, op.outputs, op.params["summed"], strict=True)
        ]

    def read(self, atom: Any, env: dict[Variable, Any]) -> Elements:
        x = atom.value if isinstance(atom, Literal) else env[atom]
        return x if type(x) is np.ndarray else box([x], ())

    def single(self, op: Operation, env: dict[Variable, Any]) -> Any:
        """The one element of an elementwise operation on arrays without axes; `env` may have it without an array."""
        values = []
        for a in op.inputs:
            x = a.value if isinstance(a, Literal) else env[a]
            values.append(x[()] if type(x) is np.ndarray else x)
        return self.element(op.primitive, list(map(_dtype, op.inputs)), op.outputs[0].type.dtype, *values)

    def operation(self, op: Operation, env: dict[Variable, Elements]) -> Elements:
        p, out = op.primitive, op.outputs[0].type
        if p in INDEXED:
            split = 1 if p is indexing.index else 2
            args = [self.converted(self.read(a, env), _dtype(a), out.dtype) for a in op.inputs[:split]]
            args += [self.read(a, env).astype(np.intp) for a in op.inputs[split:]]
            if p is indexing.index_add:
                combine = functools.partial(self.element, e.add, (out.dtype, out.dtype), out.dtype)
                return _write(*args, **op.params, combine=combine)
            return box(list(np.ravel(MOVES[p](*args, **op.params))), out.shape)
        args = [self.read(a, env) for a in op.inputs]
        dtypes = list(map(_dtype, op.inputs))
        if p in MOVES:
            args = [self.converted(x, d, out.dtype) for x, d in zip(args, dtypes, strict=True)]
            return box(list(np.ravel(MOVES[p](*args, **op.params))), out.shape)
        if p in _REDUCTIONS and dtypes[0] != out.dtype:
            args = [self.converted(args[0], dtypes[0], out.dtype)]
        if p is c.reduce_sum and op.params["axis"]:
            return self.sum(args[0], op.params["axis"], out)
        if p in _REDUCTIONS:
            return self.reduce(_REDUCTIONS[p], args[0], op.params["axis"], out)
        if p in ordering.PRIMITIVES:
            return ordering.straight_line(self.em, op, *map(self.registers, args, dtypes))
        if p is contraction.matmul:
            x, y = args
            x2 = x[None, :] if x.ndim == 1 else x
            y2 = y[:, None] if y.ndim == 1 else y
            product = self.each(e.multiply, dtypes, out.dtype, x2[..., :, :, None], y2[..., None, :, :])
            return self.reduce(e.add, product, (product.ndim - 2,), out)
        return box(list(self.each(p, dtypes, out.dtype, *args).ravel()), out.shape)

    def converted(self, x: Elements, own: np.dtype[Any], to: np.dtype[Any]) -> Elements:
        """Cast as NumPy does; numbers become strongly typed, as the elements of an array are."""
        return x if own.kind == "c" else box([self.convert(v, own, to) for v in x.ravel()], x.shape)

    def convert(self, value: Any, own: np.dtype[Any], to: np.dtype[Any]) -> Any:
        return self.em.convert(value, own, to) if isinstance(value, ir.values.Value) else to.type(value)

    def registers(self, x: Elements, dtype: np.dtype[Any]) -> Elements:
        """The same with numbers as registers, too."""
        return box([v if isinstance(v, ir.values.Value) else self.em.constant(v, dtype) for v in x.ravel()], x.shape)

    def each(self, p: Primitive, dtypes: Sequence[Any], out: np.dtype[Any], *args: Elements) -> Elements:
        """Apply an elementwise operation, with broadcasting."""
        shapes = {a.shape for a in args}
        shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
        columns = [(a if a.shape == shape else np.broadcast_to(a, shape)).ravel() for a in args]
        return box([self.element(p, dtypes, out, *values) for values in zip(*columns, strict=True)], shape)

    def sum(self, x: Elements, axis: tuple[int, ...], out: Any) -> Elements:
        """Sum; NumPy begins with 0.0, so that a sum is never -0.0."""
        total = self.reduce(e.add, x, axis, out)
        return self.each(e.add, (out.dtype, out.dtype), out.dtype, total, box([out.dtype.type(0)], ()))

    def reduce(self, p: Primitive, x: Elements, axis: tuple[int, ...], out: Any) -> Elements:
        """Reduce by a balanced tree: short chains of dependence, and rounding errors that grow with the logarithm."""
        kept = [i for i in range(x.ndim) if i not in axis]
        count = math.prod([x.shape[i] for i in axis])
        rows = x.transpose((*kept, *axis)).reshape((math.prod(out.shape), count))
        results = [self.tree(p, list(row), out.dtype) for row in rows]
        return box(results, out.shape)

    def tree(self, p: Primitive, terms: list[Any], dtype: np.dtype[Any]) -> Any:
        if not terms:
            return dtype.type(1 if p is e.multiply else 0)
        while len(terms) > 1:
            pairs = [
                self.element(p, (dtype, dtype), dtype, a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)
            ]
            terms = pairs + terms[len(terms) - len(terms) % 2 :]
        return terms[0]


def estimate(program: Program) -> float:
    """Nanoseconds that one example takes, roughly."""
    stored = sum(math.prod(v.type.shape) for v in (*program.inputs, *program.outputs) if isinstance(v, Variable))
    total = parallel.MEMORY_COST * stored
    for op in program.operations:
        if op.primitive is map_program:
            total += op.params["size"] * estimate(op.params["program"])
        elif op.primitive is loop:
            total += (op.params["trips"] or 20) * estimate(op.params["body"])
        elif op.primitive is branch:
            total += max(map(estimate, op.params["branches"]))
        elif op.primitive in ordering.PRIMITIVES:
            total += 0.5 * ordering.work(op)
        elif op.primitive not in MOVES:
            sizes = [math.prod(v.type.shape) for v in (*op.inputs, *op.outputs) if isinstance(v, Variable)]
            total += max(parallel.cost(op.primitive), 0.05) * max(sizes, default=0)
    return total


def load_elements(
    em: Emitter, pointer: Register, shape: tuple[int, ...], dtype: np.dtype[Any], step: int = 1
) -> Elements:
    """Load all elements of an array; in C order, each is `step` places from the one before."""
    b = em.builder
    typed = b.bitcast(pointer, memory_type(dtype).as_pointer())
    elements: list[Any] = []
    for i in range(math.prod(shape)):
        if dtype.kind == "c":
            places = [b.gep(typed, [ir.Constant(ir.IntType(64), 2 * i * step + k)]) for k in (0, 1)]
            elements.append(Parts(*map(b.load, places)))
            continue
        value = b.load(b.gep(typed, [ir.Constant(ir.IntType(64), i * step)]))
        elements.append(b.trunc(value, ir.IntType(1)) if dtype.kind == "b" else value)
    return box(elements, shape)


def store_elements(em: Emitter, pointer: Register, elements: Elements, dtype: np.dtype[Any], step: int = 1) -> None:
    """Store all elements of an array; in C order, each is `step` places from the one before."""
    b = em.builder
    if dtype.kind == "c" and is_loadable_dtype(dtype):
        numbers = [x for value in elements.ravel() for x in (value.real, value.imag)]
        assert step == 1
        store_elements(em, pointer, box(numbers, (len(numbers),)), memory_dtype(dtype))
        return
    if not is_lowerable_dtype(dtype):  # a literal, byte by byte
        for i, byte in enumerate(np.array(elements.ravel().tolist(), dtype).tobytes()):
            b.store(ir.Constant(ir.IntType(8), byte), b.gep(pointer, [ir.Constant(ir.IntType(64), i)]))
        return
    typed = b.bitcast(pointer, memory_type(dtype).as_pointer())
    for i, value in enumerate(elements.ravel()):
        if not isinstance(value, ir.values.Value):
            value = em.constant(value, dtype)
        if dtype.kind == "b":
            value = b.zext(value, ir.IntType(8))
        b.store(value, b.gep(typed, [ir.Constant(ir.IntType(64), i * step)]))
