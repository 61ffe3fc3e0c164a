"""Small programs as straight-line code: every element of every array is a value in a register.

The elements of an array are kept in a NumPy array of instructions, so the structural operations (indexing, reshaping,
joining …) are NumPy's own applied to that array, and cost nothing at run time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.lowering import Emitter, Register, emit_element, is_lowerable, is_lowerable_dtype, memory_type
from wengert.core import combinators as c
from wengert.core.primitive import Primitive
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import dtype_of
from wengert.rules import contraction, indexing, joining, reductions, structural
from wengert.rules import elementwise as e

#: Programs with more elements than this, over all variables, are not unrolled.
MAX_ELEMENTS = 6000

Elements = Any  # ndarray of dtype object


def _box(elements: Sequence[Any], shape: tuple[int, ...]) -> Elements:
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
_OTHERS = {indexing.index_add, contraction.matmul, contraction.einsum, reductions.cumsum, *_REDUCTIONS}
_INDEXED = {indexing.index, indexing.index_add, indexing.index_update}


def can_unroll(program: Program) -> bool:
    """Whether a program is small enough, and made of operations that this module knows."""
    constants = dict(program.constants)
    total = sum(int(np.prod(v.type.shape)) for v in program.inputs)
    for op in program.operations:
        total += sum(int(np.prod(v.type.shape)) for v in op.outputs)
        if op.primitive in (contraction.matmul, contraction.einsum):
            total += max(int(np.prod(a.type.shape)) for a in op.inputs if isinstance(a, Variable)) * 4
        if total > MAX_ELEMENTS or not _known(op, constants):
            return False
    return all(is_lowerable_dtype(v.type.dtype) for v in (*program.inputs, *constants)) and all(
        isinstance(x, np.ndarray) for x in constants.values()
    )


def _dtype(atom: Any) -> np.dtype[Any]:
    return dtype_of(atom.value) if isinstance(atom, Literal) else atom.type.dtype


def _known(op: Operation, constants: dict[Variable, Any]) -> bool:
    p = op.primitive
    if p.multiple:
        return False
    dtypes = list(map(_dtype, op.inputs))
    out = op.outputs[0].type.dtype
    if not all(map(is_lowerable_dtype, (*dtypes, out))):
        return False
    if p in _INDEXED:
        indices = op.inputs[1 if p is indexing.index else 2 :]
        return all(isinstance(a, Literal) or a in constants for a in indices)
    if p in MOVES or p in _OTHERS:
        return p in MOVES or out.kind == "f"
    return is_lowerable(p, dtypes, out)


class Unroller:
    """Emits one program as straight-line code at the current position of a builder."""

    def __init__(self, emitter: Emitter) -> None:
        self.em = emitter

    def element(self, primitive: Primitive, dtypes: Sequence[Any], out: np.dtype[Any], *values: Any) -> Register:
        operands = [
            (v, d, None) if isinstance(v, ir.values.Value) else (None, d, v)
            for v, d in zip(values, dtypes, strict=True)
        ]
        return emit_element(self.em, primitive, operands, out)

    def run(self, program: Program, inputs: Sequence[Elements]) -> list[Elements]:
        """Return the elements of the outputs, given those of the inputs; numbers stand for literals."""
        env: dict[Variable, Elements] = dict(zip(program.inputs, inputs, strict=True))
        for v, x in program.constants:
            env[v] = _box(list(x.ravel()), x.shape)
        for op in program.operations:
            env[op.outputs[0]] = self.operation(op, env)
        return [self.read(a, env) for a in program.outputs]

    def read(self, atom: Any, env: dict[Variable, Elements]) -> Elements:
        return _box([atom.value], ()) if isinstance(atom, Literal) else env[atom]

    def operation(self, op: Operation, env: dict[Variable, Elements]) -> Elements:
        p, out = op.primitive, op.outputs[0].type
        if p in _INDEXED:
            split = 1 if p is indexing.index else 2
            args = [self.converted(self.read(a, env), _dtype(a), out.dtype) for a in op.inputs[:split]]
            args += [self.read(a, env).astype(np.intp) for a in op.inputs[split:]]
            if p is indexing.index_add:
                combine = functools.partial(self.element, e.add, (out.dtype, out.dtype), out.dtype)
                return _write(*args, **op.params, combine=combine)
            return _box(list(np.ravel(MOVES[p](*args, **op.params))), out.shape)
        args = [self.read(a, env) for a in op.inputs]
        dtypes = list(map(_dtype, op.inputs))
        if p in MOVES:
            args = [self.converted(x, d, out.dtype) for x, d in zip(args, dtypes, strict=True)]
            return _box(list(np.ravel(MOVES[p](*args, **op.params))), out.shape)
        if p in _REDUCTIONS:
            return self.reduce(_REDUCTIONS[p], args[0], op.params["axis"], out)
        if p is reductions.cumsum:
            return self.cumsum(args[0], op.params["axis"], out)
        if p is contraction.matmul:
            x, y = args
            x2 = x[None, :] if x.ndim == 1 else x
            y2 = y[:, None] if y.ndim == 1 else y
            product = self.each(e.multiply, dtypes, out.dtype, x2[..., :, :, None], y2[..., None, :, :])
            return self.reduce(e.add, product, (product.ndim - 2,), out)
        if p is contraction.einsum:
            return self.einsum(args, dtypes, op.params["subscripts"], out)
        return _box(list(self.each(p, dtypes, out.dtype, *args).ravel()), out.shape)

    def converted(self, x: Elements, own: np.dtype[Any], to: np.dtype[Any]) -> Elements:
        """Cast as NumPy does; numbers become strongly typed, as the elements of an array are."""
        cast = [self.em.convert(v, own, to) if isinstance(v, ir.values.Value) else to.type(v) for v in x.ravel()]
        return _box(cast, x.shape)

    def each(self, p: Primitive, dtypes: Sequence[Any], out: np.dtype[Any], *args: Elements) -> Elements:
        """Apply an elementwise operation, with broadcasting."""
        shape = np.broadcast_shapes(*(a.shape for a in args))
        columns = [np.broadcast_to(a, shape).ravel() for a in args]
        return _box([self.element(p, dtypes, out, *values) for values in zip(*columns, strict=True)], shape)

    def reduce(self, p: Primitive, x: Elements, axis: tuple[int, ...], out: Any) -> Elements:
        """Reduce by a balanced tree: short chains of dependence, and rounding errors that grow with the logarithm."""
        kept = [i for i in range(x.ndim) if i not in axis]
        count = int(np.prod([x.shape[i] for i in axis]))
        rows = x.transpose((*kept, *axis)).reshape((int(np.prod(out.shape)), count))
        results = [self.tree(p, list(row), out.dtype) for row in rows]
        return _box(results, out.shape)

    def tree(self, p: Primitive, terms: list[Any], dtype: np.dtype[Any]) -> Any:
        if not terms:
            return dtype.type(1 if p is e.multiply else 0)
        while len(terms) > 1:
            pairs = [
                self.element(p, (dtype, dtype), dtype, a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)
            ]
            terms = pairs + terms[len(terms) - len(terms) % 2 :]
        return terms[0]

    def cumsum(self, x: Elements, axis: int, out: Any) -> Elements:
        moved = np.moveaxis(x, axis, 0)
        rows = [moved[0]] if len(moved) else []
        for row in moved[1:]:
            rows.append(self.each(e.add, (out.dtype, out.dtype), out.dtype, rows[-1], row))
        return np.moveaxis(np.stack(rows), 0, axis) if rows else x

    def einsum(self, args: Sequence[Elements], dtypes: Sequence[Any], subscripts: str, out: Any) -> Elements:
        terms, output = contraction.split_subscripts(subscripts)
        letters = list(dict.fromkeys(output + "".join(terms)))
        sizes = {s: n for t, a in zip(terms, args, strict=True) for s, n in zip(t, a.shape, strict=True)}
        grids = np.indices([sizes[s] for s in letters], sparse=True)
        place = dict(zip(letters, grids, strict=True))
        # The Ellipsis keeps what has no axes an array.
        product = args[0][(*(place[s] for s in terms[0]), ...)]
        dtype = dtypes[0]
        for t, a, d in zip(terms[1:], args[1:], dtypes[1:], strict=True):
            product = self.each(e.multiply, (dtype, d), out.dtype, product, a[(*(place[s] for s in t), ...)])
            dtype = out.dtype
        full = np.broadcast_to(product, tuple(sizes[s] for s in letters))
        return self.reduce(e.add, full, tuple(range(len(output), len(letters))), out)


def load_elements(em: Emitter, pointer: Register, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Elements:
    """Load all elements of a C-contiguous buffer."""
    b = em.builder
    typed = b.bitcast(pointer, memory_type(dtype).as_pointer())
    elements = []
    for i in range(int(np.prod(shape))):
        value = b.load(b.gep(typed, [ir.Constant(ir.IntType(64), i)]))
        elements.append(b.trunc(value, ir.IntType(1)) if dtype.kind == "b" else value)
    return _box(elements, shape)


def store_elements(em: Emitter, pointer: Register, elements: Elements, dtype: np.dtype[Any]) -> None:
    """Store all elements to a C-contiguous buffer."""
    b = em.builder
    typed = b.bitcast(pointer, memory_type(dtype).as_pointer())
    for i, value in enumerate(elements.ravel()):
        if not isinstance(value, ir.values.Value):
            value = em.constant(value, dtype)
        if dtype.kind == "b":
            value = b.zext(value, ir.IntType(8))
        b.store(value, b.gep(typed, [ir.Constant(ir.IntType(64), i)]))
