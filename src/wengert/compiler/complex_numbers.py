"""Complex numbers are pairs of real ones: operations on them are replaced by operations on their parts.

`PARTS` has a function for each operation, of values and parameters, which gives the two parts of the result (or a real
result). `in_parts` makes of it what takes the place of the operation in a program::

    c = multiply a b          ar = real a    br = real b    re = ar·br - ai·bi    c = from_parts re im
                              ai = imag a    bi = imag b    im = ar·bi + ai·br

where simplification leaves nothing of `real` and `imag` of what was put together from parts before. What is left are
loads of one part from arrays in memory, which hold the parts side by side, and stores of both. A loop, branch or map
gets operands and results that are real. The formulas, and what becomes of infinities and NaN, are NumPy's own (the
algorithms of Smith, 1962, for quotients, and those of the C library for functions).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import itertools
import operator
import platform
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler import gufuncs
from wengert.compiler.expand import expansion
from wengert.compiler.lowering import LOWERINGS, Emitter, Lowering, Register
from wengert.compiler.native import ROUTINES
from wengert.core import combinators as c
from wengert.core.primitive import Primitive
from wengert.core.program import Atom, Literal, Operation, Program, Variable
from wengert.core.staging import record
from wengert.core.values import ArrayType, Value, dtype_of, shape_of, type_of
from wengert.rules import contraction, indexing, joining, reductions, structural
from wengert.rules import elementwise as e
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import DYNAMIC, LoopCall, inner_programs
from wengert.transforms.loops import loop
from wengert.transforms.mapped import map_program

_PART_DTYPES = {"c8": np.dtype(np.float32), "c16": np.dtype(np.float64)}
#: An `einsum` with more operands than this is left to NumPy.
_FEW_OPERANDS = 3


class Pair(NamedTuple):
    """A complex number or array as its parts; numbers are Python's, so that they take on the type of the others."""

    re: Any
    im: Any


def part_dtype(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Dtype of the parts of complex numbers; None for other dtypes."""
    return _PART_DTYPES.get(dtype.str[1:]) if dtype.isnative else None


def pair(x: Any) -> Pair:
    """Parts of a value or number; those of a real one are itself and zero, as when NumPy converts it."""
    if isinstance(x, Value):
        return Pair(c.real(x), c.imag(x)) if dtype_of(x).kind == "c" else Pair(x, 0.0)
    return Pair(x.real, x.imag) if isinstance(x, (complex, np.complexfloating)) else Pair(x, 0.0)


# Formulas ------------------------------------------------------------------------------------------------------------


def _multiply(x: Pair, y: Pair) -> Pair:
    return Pair(x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re)


def _strong_multiply(x: Pair, y: Pair) -> Pair:
    product = _multiply(x, y)
    zero = e.logical_or(_is_zero(x), _is_zero(y))
    return Pair(e.where(zero, 0.0, product.re), e.where(zero, 0.0, product.im))


def _is_zero(x: Pair) -> Any:
    return e.logical_and(e.equal(x.re, 0.0), e.equal(x.im, 0.0))


def _divide(x: Pair, y: Pair) -> Pair:
    """Divide by the larger part of the divisor first, so that squares do not overflow."""
    swap = e.less(e.absolute(y.re), e.absolute(y.im))
    large, small = e.where(swap, y.im, y.re), e.where(swap, y.re, y.im)
    zero = _is_zero(y)
    ratio = small / e.where(zero, 1.0, large)
    scale = 1.0 / (large + small * ratio)
    re = (e.where(swap, x.im, x.re) + e.where(swap, x.re, x.im) * ratio) * scale
    im = e.where(swap, x.im * ratio - x.re, x.im - x.re * ratio) * scale
    norm = e.absolute(y.re)
    return Pair(e.where(zero, x.re / norm, re), e.where(zero, x.im / norm, im))


def _reciprocal(x: Pair) -> Pair:
    swap = e.less(e.absolute(x.re), e.absolute(x.im))
    large, small = e.where(swap, x.im, x.re), e.where(swap, x.re, x.im)
    ratio = small / large
    scale = large + small * ratio
    one, other = 1.0 / scale, ratio / scale
    return Pair(e.where(swap, other, one), -e.where(swap, one, other))


def _exp(x: Pair) -> Pair:
    """e^re · (cos im + i sin im); e^re alone may overflow, and an infinite angle has no cosine."""
    number = dtype_of(x.re).type
    most = number(709.0 if number is np.float64 else 88.0)
    large = e.greater(x.re, most)
    size = e.exp(e.where(large, x.re - most, x.re))
    rest = e.where(large, np.exp(most), number(1.0))
    on_axis, wild = e.equal(x.im, 0.0), e.logical_not(e.isfinite(x.im))
    vanishes = e.logical_and(wild, e.equal(x.re, -np.inf))
    grows = e.logical_and(wild, e.equal(x.re, np.inf))
    re = size * e.cos(x.im) * rest
    im = size * e.sin(x.im) * rest
    re = e.where(on_axis, size * rest, e.where(vanishes, 0.0, e.where(grows, np.inf, re)))
    return Pair(re, e.where(on_axis, x.im, e.where(vanishes, 0.0, im)))


def _expm1(x: Pair) -> Pair:
    half = e.sin(x.im * 0.5)
    return Pair(e.expm1(x.re) * e.cos(x.im) - 2.0 * half * half, e.exp(x.re) * e.sin(x.im))


def _log1p(x: Pair) -> Pair:
    shifted = x.re + 1.0
    return Pair(e.log(e.hypot(shifted, x.im)), e.arctan2(x.im, shifted))


def _sign(x: Pair) -> Pair:
    norm = e.hypot(x.re, x.im)
    wild, zero = e.isinf(norm), e.equal(norm, 0.0)
    both = e.logical_and(e.isinf(x.re), e.isinf(x.im))

    def part(x: Any, norm: Any) -> Any:
        unit = e.where(e.isinf(x), e.sign(x), 0.0)
        return e.where(wild, e.where(both, np.nan, unit), e.where(zero, 0.0, x / norm))

    nan = e.isnan(norm)
    return Pair(e.where(nan, np.nan, part(x.re, norm)), e.where(nan, np.nan, part(x.im, norm)))


def _power(x: Pair, y: Pair) -> Pair | None:
    """As NumPy: 1, 2, 3 by products, -1 and 0.5 in ways of their own; 0ʸ is 0 where Re y > 0, else NaN; x⁰ is 1."""
    zero = _is_zero(x)
    products = {1: x, 2: _multiply(x, x), 3: _multiply(x, _multiply(x, x))}
    if not isinstance(y.re, Value) and y.im == 0 and y.re in (-1, 0.5, *products):
        if y.re == -1:
            return _reciprocal(x)
        result = products[y.re] if y.re in products else _function(e.sqrt)(x)
        return result and Pair(e.where(zero, 0.0, result.re), e.where(zero, 0.0, result.im))
    result = _function(e.power)(x, y)
    if result is None:
        return None
    at_zero = e.where(e.greater(y.re, 0.0), 0.0, np.nan)
    choices = [(e.logical_and(e.equal(y.re, n), e.equal(y.im, 0.0)), power) for n, power in products.items()]
    for chosen, power in [*choices, (zero, Pair(at_zero, at_zero)), (_is_zero(y), Pair(1.0, 0.0))]:
        result = Pair(e.where(chosen, power.re, result.re), e.where(chosen, power.im, result.im))
    return result


def _compare(first: Callable[..., Any]) -> Callable[[Pair, Pair], Any]:
    """Order by the real part, then by the imaginary one; a NaN in the imaginary part is not in order with anything."""

    def compare(x: Pair, y: Pair) -> Any:
        strict = e.less if first in (e.less, e.less_equal) else e.greater
        known = e.logical_not(e.logical_or(e.isnan(_array(x.im)), e.isnan(_array(y.im))))
        return e.logical_or(
            e.logical_and(strict(x.re, y.re), known), e.logical_and(e.equal(x.re, y.re), first(x.im, y.im))
        )

    return compare


def _extremum(first: Primitive) -> Callable[[Pair, Pair], Pair]:
    """The first in this order, and a NaN before everything else."""
    before = _compare(first)

    def extremum(x: Pair, y: Pair) -> Pair:
        wins = e.logical_or(before(x, y), e.logical_or(e.isnan(_array(x.re)), e.isnan(_array(x.im))))
        return Pair(e.where(wins, x.re, y.re), e.where(wins, x.im, y.im))

    return extremum


def _array(x: Any) -> Any:
    return x if isinstance(x, Value) else np.float64(x)


def _matmul(x: Pair, y: Pair) -> Pair:
    """Up to four products of real matrices; none with what is zero because an operand is real."""
    zeros = [not isinstance(z.im, Value) for z in (x, y)]
    if zeros[0]:
        return Pair(contraction.matmul(x.re, y.re), contraction.matmul(x.re, y.im))
    if zeros[1]:
        return Pair(contraction.matmul(x.re, y.re), contraction.matmul(x.im, y.re))
    re = contraction.matmul(x.re, y.re) - contraction.matmul(x.im, y.im)
    return Pair(re, contraction.matmul(x.re, y.im) + contraction.matmul(x.im, y.re))


def _einsum(*operands: Pair, subscripts: str, **params: Any) -> Pair | None:
    """A sum of products of parts for each choice of parts; for many operands these are too many."""
    if len(operands) > _FEW_OPERANDS:
        return None
    terms_of: list[list[Any]] = [[], []]  # of the real and the imaginary part, with their signs
    for choice in range(2 ** len(operands)):
        imaginary = [bool(choice >> k & 1) for k in range(len(operands))]
        chosen = [x.im if i else x.re for x, i in zip(operands, imaginary, strict=True)]
        if all(isinstance(x, Value) or x != 0 for x in chosen):
            product = contraction.einsum(*chosen, subscripts=subscripts, **params)
            turns = sum(imaginary)  # iᵏ
            terms_of[turns % 2].append(-product if turns % 4 > 1 else product)
    return Pair(*(functools.reduce(operator.add, terms, 0.0) for terms in terms_of))


# Functions of the C library ------------------------------------------------------------------------------------------

_LIBRARY = {
    e.log: "clog", e.sqrt: "csqrt", e.sin: "csin", e.cos: "ccos", e.tan: "ctan", e.arcsin: "casin", e.arccos: "cacos",
    e.arctan: "catan", e.sinh: "csinh", e.cosh: "ccosh", e.tanh: "ctanh", e.arcsinh: "casinh", e.arccosh: "cacosh",
    e.arctanh: "catanh", e.power: "cpow",
}  # fmt: skip
_DOUBLE = ir.DoubleType()
_COMPLEX = ir.LiteralStructType([_DOUBLE, _DOUBLE])


def _is_callable() -> bool:
    """Whether complex numbers are passed as two numbers here: not on Windows, and not on processors we do not know."""
    return sys.platform != "win32" and platform.machine().lower() in ("x86_64", "amd64", "aarch64", "arm64")


def _part_of_function(function: Primitive, number: int) -> Primitive:
    """One part of what a function of the C library gives, as an operation on parts."""
    name = f"wengert.{_LIBRARY[function]}"

    def fun(*parts: Any) -> Any:
        z = function.fun(*map(e.from_parts.fun, parts[::2], parts[1::2]))
        return z.imag if number else z.real

    def emit(em: Emitter, x: Sequence[Register], dtype: np.dtype[Any]) -> Register:
        b = em.builder
        called = b.module.globals.get(name)
        if called is None:
            called = ir.Function(b.module, ir.FunctionType(_COMPLEX, [_DOUBLE] * len(x)), name)
            # Two calls for the two parts are one call.
            called.attributes.add("nounwind")
            called.attributes.add("readnone")
        z = b.call(called, [em.convert(v, dtype, np.dtype(float)) for v in x])
        return em.convert(b.extract_value(z, number), np.dtype(float), dtype)

    primitive = c.NonDifferentiable(fun, name=f"{function.name}.{'imag' if number else 'real'}")
    LOWERINGS[primitive] = Lowering("out", emit, "f")
    return primitive


def _address(name: str) -> int:
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


#: The functions of the C library: the operations that give the parts of their results.
FUNCTIONS: dict[Primitive, tuple[Primitive, Primitive]] = {}
if _is_callable():
    for _primitive, _name in _LIBRARY.items():
        FUNCTIONS[_primitive] = _part_of_function(_primitive, 0), _part_of_function(_primitive, 1)
        ROUTINES[f"wengert.{_name}"] = functools.partial(_address, _name)


def _function(primitive: Primitive, factor: float = 1.0) -> Callable[..., Pair | None]:
    def parts(*operands: Pair) -> Pair | None:
        if primitive not in FUNCTIONS:
            return None
        result = [part(*itertools.chain(*operands)) for part in FUNCTIONS[primitive]]
        return Pair(*result) if factor == 1.0 else Pair(result[0] * factor, result[1] * factor)

    return parts


# The table -----------------------------------------------------------------------------------------------------------


def _each(primitive: Primitive) -> Callable[..., Pair]:
    """What moves or adds elements does so for each part."""

    def parts(*operands: Any, **params: Any) -> Pair:
        res = [x.re if isinstance(x, Pair) else x for x in operands]
        ims = [_full_imaginary(x) if isinstance(x, Pair) else x for x in operands]
        return Pair(primitive(*res, **params), primitive(*ims, **params))

    return parts


def _full_imaginary(x: Pair) -> Any:
    """The imaginary part as an array, if the real one is."""
    if isinstance(x.im, Value) or not isinstance(x.re, Value):
        return x.im
    dtype = dtype_of(x.re)
    return c.broadcast_to(dtype.type(0) if dtype.kind == "f" else 0.0, shape=shape_of(x.re))


def _both(test: Callable[[Any], Any], combine: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *operands: combine(
        *(test(*parts) for parts in zip(*((x.re, _full_imaginary(x)) for x in operands), strict=True))
    )


def _astype(x: Pair, *, dtype: np.dtype[Any]) -> Any:
    part = part_dtype(dtype)
    if part is not None:
        return Pair(c.astype(x.re, dtype=part), c.astype(_full_imaginary(x), dtype=part))
    if dtype.kind == "b":
        return e.logical_not(_is_zero(x))
    return c.astype(x.re, dtype=dtype)


#: For each operation, a function of the parts of its operands (of all, or of the first few or last few as the slice
#: says: the others are masks and indices), which gives the parts of the result, a real result, or None.
PARTS: dict[Primitive, tuple[Callable[..., Any], slice]] = {
    e.where: (_each(e.where), slice(1, None)),
    indexing.index: (_each(indexing.index), slice(0, 1)),
    indexing.index_add: (_each(indexing.index_add), slice(0, 2)),
    indexing.index_update: (_each(indexing.index_update), slice(0, 2)),
}
_of_all: tuple[tuple[Any, Callable[..., Any]], ...] = (
    (e.add, lambda x, y: Pair(x.re + y.re, x.im + y.im)),
    (e.subtract, lambda x, y: Pair(x.re - y.re, x.im - y.im)),
    (e.multiply, _multiply),
    (c.tangent_product, _multiply),
    (c.strong_multiply, _strong_multiply),
    (e.divide, _divide),
    (e.negative, lambda x: Pair(-x.re, -x.im)),
    (e.positive, lambda x: x),
    (c.conj, lambda x: Pair(x.re, -x.im)),
    (e.reciprocal, _reciprocal),
    (e.square, lambda x: _multiply(x, x)),
    (e.power, _power),
    (e.absolute, lambda x: e.hypot(x.re, x.im)),
    (e.sign, _sign),
    (e.exp, _exp),
    (e.expm1, _expm1),
    (e.log1p, _log1p),
    (e.log2, _function(e.log, float(np.log2(np.e)))),
    (e.log10, _function(e.log, float(np.log10(np.e)))),
    *((primitive, _function(primitive)) for primitive in _LIBRARY if primitive is not e.power),
    (e.rint, lambda x: Pair(e.rint(x.re), e.rint(x.im))),
    (e.isnan, _both(e.isnan, e.logical_or)),
    (e.isinf, _both(e.isinf, e.logical_or)),
    (e.isfinite, _both(e.isfinite, e.logical_and)),
    (e.equal, _both(e.equal, e.logical_and)),
    (e.not_equal, _both(e.not_equal, e.logical_or)),
    (e.less, _compare(e.less)),
    (e.less_equal, _compare(e.less_equal)),
    (e.greater, _compare(e.greater)),
    (e.greater_equal, _compare(e.greater_equal)),
    (e.maximum, _extremum(e.greater_equal)),
    (e.minimum, _extremum(e.less_equal)),
    (e.logical_not, _is_zero),
    (e.logical_and, lambda x, y: e.logical_not(e.logical_or(_is_zero(x), _is_zero(y)))),
    (e.logical_or, lambda x, y: e.logical_not(e.logical_and(_is_zero(x), _is_zero(y)))),
    (e.logical_xor, lambda x, y: e.logical_xor(_is_zero(x), _is_zero(y))),
    (c.astype, _astype),
    (c.reduce_sum, _each(c.reduce_sum)),
    (c.broadcast_to, _each(c.broadcast_to)),
    (structural.transpose, _each(structural.transpose)),
    (joining.concatenate, _each(joining.concatenate)),
    (joining.stack, _each(joining.stack)),
    (reductions.cumsum, _each(reductions.cumsum)),
    (reductions.reduce_any, lambda x, **params: reductions.reduce_any(e.logical_not(_is_zero(x)), **params)),
    (reductions.reduce_all, lambda x, **params: reductions.reduce_all(e.logical_not(_is_zero(x)), **params)),
    (contraction.matmul, _matmul),
    (contraction.einsum, _einsum),
)
PARTS.update((primitive, (function, slice(None))) for primitive, function in _of_all)


def in_parts(op: Operation) -> Program | None:
    """The program of an operation on complex numbers in terms of their parts; None if there is none."""
    row = PARTS.get(op.primitive)
    out = op.outputs[0].type
    if row is None or not (_is_complex(op.inputs) or out.dtype.kind == "c"):
        return None
    dtypes = [_type(a).dtype for a in (*op.inputs, *op.outputs)]
    if any(d.kind == "c" and part_dtype(d) is None for d in dtypes):
        return None
    function, numeric = row
    which = range(len(op.inputs))[numeric]
    given = [a for a in op.inputs if isinstance(a, Variable)]
    # What it computes in: NumPy converts all operands first.
    numbers = [op.inputs[k] for k in which]
    common = part_dtype(np.result_type(*(a.value if isinstance(a, Literal) else a.type.dtype for a in numbers)))
    outcome: list[Any] = []

    def recorded(*values: Any) -> list[Any]:
        rest = iter(values)
        operands = [a.value if isinstance(a, Literal) else next(rest) for a in op.inputs]
        operands = [_converted(pair(x), common) if k in which else x for k, x in enumerate(operands)]
        result = function(*operands, **op.params)
        outcome.append(result)
        part = part_dtype(out.dtype)
        if part is None or not isinstance(result, Pair):
            return [] if result is None else [result.re if isinstance(result, Pair) else result]
        return [e.from_parts(*(_of_type(x, ArrayType(out.shape, part)) for x in result))]

    program = record(recorded, [v.type for v in given], op.primitive.name)
    if outcome[0] is None:
        return None
    inputs = iter(program.inputs)
    every = [Variable(-1, _type(a)) if isinstance(a, Literal) else next(inputs) for a in op.inputs]
    return Program(program.name, every, program.constants, program.operations, program.outputs)


def _converted(x: Pair, dtype: np.dtype[Any] | None) -> Pair:
    """The same numbers in another precision; Python's take on that of the others."""

    def cast(part: Any) -> Any:
        if dtype is None or not isinstance(part, (Value, np.generic)) or dtype_of(part) == dtype:
            return part
        return c.astype(part, dtype=dtype) if isinstance(part, Value) else dtype.type(part)

    return Pair(cast(x.re), cast(x.im))


def _of_type(x: Any, type_: ArrayType) -> Any:
    if dtype_of(x) != type_.dtype:
        x = c.astype(x, dtype=type_.dtype) if isinstance(x, Value) else type_.dtype.type(x)
    return x if shape_of(x) == type_.shape else c.broadcast_to(x, shape=type_.shape)


def _type(atom: Atom) -> ArrayType:
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type


def _is_complex(atoms: Sequence[Atom]) -> bool:
    return any(_type(a).dtype.kind == "c" for a in atoms)


# Programs inside operations ------------------------------------------------------------------------------------------


def is_expandable(program: Program) -> bool:
    """Whether all operations on complex numbers in a program, and in those inside it, can be replaced."""
    return all(
        all(map(is_expandable, inner_programs(op)))
        if op.primitive in (loop, branch, map_program)
        else op.primitive in (c.real, c.imag, e.from_parts, c.reshape)
        or not _is_complex((*op.inputs, *op.outputs))
        or in_parts(op) is not None
        or gufuncs.is_native(op)
        or _is_expandable(expansion(op))
        for op in program.operations
    )


def _is_expandable(program: Program | None) -> bool:
    return program is not None and is_expandable(program)


def has_complex(program: Program) -> bool:
    """Whether there are complex numbers in a program, or in one inside it."""
    variables = [*program.inputs, *(v for v, _ in program.constants)]
    for op in program.operations:
        variables += op.outputs
        if op.params and any(map(has_complex, inner_programs(op))):
            return True
    return any(v.type.dtype.kind == "c" for v in variables)


def has_unsplittable(program: Program) -> bool:
    """Whether stacks of unknown length go from one loop to another of which one cannot be split."""
    loops = [op for op in program.operations if op.primitive is loop]
    hidden = any(v.type.dtype.kind == "c" and DYNAMIC in v.type.shape for op in loops for v in op.outputs)
    if hidden and not all(is_expandable(p) for op in loops for p in inner_programs(op)):
        return True
    return any(has_unsplittable(p) for op in program.operations for p in inner_programs(op))


def is_complex(op: Operation) -> bool:
    """Whether a loop, branch or map takes or gives complex numbers, or hands them on."""
    return _is_complex((*op.inputs, *op.outputs, *(a for p in inner_programs(op) for a in (*p.inputs, *p.outputs))))


def with_real_operands(op: Operation) -> Program | None:
    """A loop, branch or map with real operands and results, and what takes them apart and puts them together."""
    if not is_complex(op) or not all(map(is_expandable, inner_programs(op))):
        return None
    before: list[Operation] = []
    after: list[Operation] = []
    inputs = [Variable(-1, _type(a)) for a in op.inputs]
    atoms = [a if isinstance(a, Literal) else v for a, v in zip(op.inputs, inputs, strict=True)]
    operands = [_taken_apart(a, before) for a in atoms]
    results = [_put_together(v, after) for v in op.outputs]
    params = dict(op.params)
    if op.primitive is loop:
        call = LoopCall.of(atoms, params)
        constants, state, stacks = ([a for parts in group for a in parts] for group in call.grouped(operands))
        condition = None if call.condition is None else split(call.condition)
        call = call._replace(
            body=split(call.body), condition=condition, constants=constants, state=state, stacks=stacks
        )
        params |= call.params
    elif op.primitive is branch:
        params["branches"] = tuple(map(split, params["branches"]))
    else:
        params["program"] = split(params["program"])
        params["batched"] = _repeated(params["batched"], operands)
        params["summed"] = _repeated(params["summed"], results)
    flat = tuple(a for parts in operands for a in parts)
    made = tuple(v for parts in results for v in parts)
    changed = Operation(op.primitive, flat, params, made, op.location)
    return Program(op.primitive.name, inputs, (), [*before, changed, *after], op.outputs)


def split(program: Program) -> Program:
    """The program with two inputs and outputs in place of each complex one."""
    before: list[Operation] = []
    after: list[Operation] = []
    inputs = [x for v in program.inputs for x in _put_together(v, before)]
    outputs = [x for a in program.outputs for x in _taken_apart(a, after)]
    return Program(program.name, inputs, program.constants, [*before, *program.operations, *after], outputs)


def _taken_apart(atom: Any, operations: list[Operation]) -> list[Any]:
    """The parts of an operand, by operations that are added to the list; itself, if it is real."""
    part = part_dtype(_type(atom).dtype)
    if part is None:
        return [atom]
    if isinstance(atom, Literal):
        return [Literal(part.type(atom.value.real)), Literal(part.type(atom.value.imag))]
    parts = [Variable(-1, ArrayType(atom.type.shape, part)) for _ in range(2)]
    operations += [Operation(p, (atom,), {}, (v,)) for p, v in zip((c.real, c.imag), parts, strict=True)]
    return parts


def _put_together(v: Variable, operations: list[Operation]) -> list[Variable]:
    """Variables for the parts of one, which an operation, added to the list, joins; itself if it is real."""
    part = part_dtype(v.type.dtype)
    if part is None:
        return [v]
    parts = [Variable(-1, ArrayType(v.type.shape, part)) for _ in range(2)]
    operations.append(Operation(e.from_parts, tuple(parts), {}, (v,)))
    return parts


def _repeated(flags: Sequence[bool], parts: Sequence[Sequence[Any]]) -> tuple[bool, ...]:
    return tuple(f for f, p in zip(flags, parts, strict=True) for _ in p)
