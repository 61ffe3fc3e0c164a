"""Simplification: named rewrite rules applied to each operation as the program is rebuilt from top to bottom.

`RULES` lists the rules in the order in which they are tried. A rule gets the operation with its inputs already
simplified and returns the atom that replaces it, or None. Equal operations are merged on the way (hash-consing), and
what no result depends on is dropped at the end. Every rule keeps results bit for bit, NaN and signed zeros included;
only the sign of a derivative that is zero may change ("strong products").
Operations that are combinations of others (`wengert.compiler.expand`) are replaced first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.compiler.complex_formulas import part_dtype
from wengert.compiler.complex_numbers import has_unsplittable, in_parts, is_complex, with_real_operands
from wengert.compiler.expand import expansion, one_by_one, taken_apart
from wengert.compiler.maps import fits, merge_maps
from wengert.compiler.trim import trim
from wengert.core import combinators as c
from wengert.core.primitive import Primitive
from wengert.core.program import Atom, Literal, Operation, Program, Variable, content, output_types, uniform_value
from wengert.core.staging import record
from wengert.core.values import ArrayType, type_of
from wengert.derivatives.custom import constant_identity
from wengert.errors import replayed
from wengert.rules import elementwise as e
from wengert.rules.indexing import index
from wengert.rules.structural import transpose
from wengert.transforms.branches import branch
from wengert.transforms.loop_calls import COUNTER, DYNAMIC, LoopCall, close_all, closed, element_type, with_ignored
from wengert.transforms.loops import loop
from wengert.transforms.mapped import map_program
from wengert.transforms.programs import derived_from, without_unused

Rule = Callable[["Builder", Primitive, tuple[Atom, ...], dict[str, Any]], Atom | None]


#: A map of a map that is too large becomes at most this many maps.
MOST_MAPS = 64


class Builder:
    """The program being rebuilt: applies rules, merges equal operations."""

    def __init__(self, rules: Sequence[tuple[str, Rule]]) -> None:
        self.rules = rules
        self.concerning: dict[Primitive, list[Rule]] = {}
        self.operations: list[Operation] = []
        self.definitions: dict[Variable, Operation] = {}
        self.known: dict[Any, tuple[Variable, ...]] = {}
        self.count = 0

    def variable(self, type_: ArrayType) -> Variable:
        self.count += 1
        return Variable(self.count - 1, type_)

    def apply(self, primitive: Primitive, inputs: tuple[Atom, ...], params: dict[str, Any]) -> tuple[Atom, ...]:
        """Return the outputs of an operation, simplified."""
        if not primitive.multiple:
            rules = self.concerning.get(primitive)
            if rules is None:
                rules = self.concerning[primitive] = [r for name, r in self.rules if _CONCERNED[name](primitive)]
            for rule in rules:
                replacement = rule(self, primitive, inputs, params)
                if replacement is not None:
                    return (replacement,)
        key = self.key(primitive, inputs, params)
        outputs = self.known.get(key)
        if outputs is None:
            types = _part_types(primitive, inputs) or output_types(
                primitive, [a.type if isinstance(a, Variable) else a.value for a in inputs], params
            )
            outputs = self.known[key] = tuple([self.variable(t) for t in types])
            op = Operation(primitive, inputs, params, outputs, replayed.location)
            self.operations.append(op)
            for v in outputs:
                self.definitions[v] = op
        return outputs

    def key(self, primitive: Primitive, inputs: tuple[Atom, ...], params: dict[str, Any]) -> Any:
        """What is equal for equal operations."""
        atoms = tuple([a if isinstance(a, Variable) else _key(a) for a in inputs])
        return primitive.number, atoms, content(params) if params else ""

    def one(self, primitive: Primitive, *inputs: Atom, **params: Any) -> Atom:
        """`apply` for a primitive with one output."""
        return self.apply(primitive, inputs, params)[0]

    def source(self, atom: Atom, primitive: Primitive) -> Operation | None:
        """The operation that defines `atom`, if it applies `primitive`."""
        op = self.definitions.get(atom) if isinstance(atom, Variable) else None
        return op if op is not None and op.primitive is primitive else None


def _key(literal: Literal) -> Any:
    return type(literal.value).__name__, repr(literal.value)


def _simplified_example(program: Program, without: Sequence[str]) -> Program:
    """The simplified program of a map, which is made once."""
    return derived_from(program, ("simplified", tuple(without)), lambda: simplify(program, without))


def _simplified_map(op: Operation, without: Sequence[str]) -> tuple[Operation, Program | None]:
    """A map with a simplified program that fits into registers, or what takes its place."""
    real = _real_map(op, without) if "complex" not in without else None
    if real is not None:
        return op, real
    example = _simplified_example(op.params["program"], without)
    origin = op.params["program"].origin
    flags = op.params["batched"], op.params["summed"]
    if fits(example, *flags):
        return op._replace(params={**op.params, "program": example}), None
    if (
        origin is not None
        and origin.kind == "map"
        and origin.size <= MOST_MAPS
        and fits(_simplified_example(origin.program, without), *flags)
    ):
        return op, one_by_one(op)
    return op, taken_apart(op)


def _real_map(op: Operation, without: Sequence[str]) -> Program | None:
    """A map of a function of complex numbers as one of their parts, if that fits into registers."""
    example = _simplified_example(op.params["program"], without)
    real = with_real_operands(op._replace(params={**op.params, "program": example}))
    if real is None:
        return None
    (new,) = (o for o in real.operations if o.primitive is map_program)
    example = _simplified_example(new.params["program"], without)
    return real if fits(example, new.params["batched"], new.params["summed"]) else None


def simplify(program: Program, without: Sequence[str] = ()) -> Program:
    """Return an equal program after all rules, except those named in `without`."""
    if "complex" not in without and has_unsplittable(program):
        without = (*without, "complex")
    builder = Builder([row for row in RULES if row[0] not in without])
    env: dict[Variable, Atom] = {}
    inputs = [builder.variable(v.type) for v in program.inputs]
    env.update(zip(program.inputs, inputs, strict=True))
    constants: list[tuple[Variable, Any]] = []
    seen: dict[Any, Variable] = {}

    def define_constants(program: Program) -> None:
        for v, value in program.constants:
            uniform = uniform_value(value) if "uniform constants" not in without else None
            if uniform is not None:
                env[v] = builder.one(c.broadcast_to, Literal(uniform), shape=v.type.shape)
                continue
            key = (v.type, value.tobytes()) if isinstance(value, np.ndarray) and value.nbytes <= 1 << 16 else id(value)
            if key not in seen:
                seen[key] = builder.variable(v.type)
                constants.append((seen[key], value))
            env[v] = seen[key]

    def read(atom: Atom) -> Atom:
        return atom if isinstance(atom, Literal) else env[atom]

    def rebuild(operations: Sequence[Operation]) -> None:
        for op in operations:
            # What takes the place of an operation is recorded where that was.
            replayed.location = op.location or replayed.location
            if op.primitive is e.add and DYNAMIC in op.outputs[0].type.shape:
                length = _length(builder.definitions[env[op.inputs[0]]])  # type: ignore[index]
                op, n = _sum_of_stacks(op)
                env[n] = length
            if op.primitive in (loop, branch):
                op, added, inner = _simplified_call(op, without)
                for v, value in added:
                    env[v] = new = builder.variable(v.type)
                    constants.append((new, value))
            elif op.primitive is map_program:
                op, inner = _simplified_map(op, without)
            else:
                inner = expansion(op) if "expand" not in without else None
                if inner is None and "complex" not in without:
                    inner = in_parts(op)
            if inner is not None:
                define_constants(inner)
                env.update(zip(inner.inputs, map(read, op.inputs), strict=True))
                rebuild(inner.operations)
                env.update(zip(op.outputs, map(read, inner.outputs), strict=True))
                continue
            inputs = tuple([env[a] if isinstance(a, Variable) else a for a in op.inputs])
            outputs = builder.apply(op.primitive, inputs, op.params)
            for v, output in zip(op.outputs, outputs, strict=True):
                env[v] = output

    before, replayed.location = replayed.location, None
    try:
        define_constants(program)
        for op in program.operations:
            replayed.location = op.location
            rebuild([op])
    finally:
        replayed.location = before
    results = [read(a) for a in program.outputs]
    whole = trim(without_unused(Program(program.name, inputs, constants, builder.operations, results)))
    return whole if "merge maps" in without else merge_maps(whole, lambda example: simplify(example, without))


def _length(op: Operation) -> Atom:
    """The number of elements of the stacks that a loop makes."""
    return op.inputs[0] if op.params["condition"] is None else op.outputs[-1]


def _sum_of_stacks(op: Operation) -> tuple[Operation, Variable]:
    """The sum of two stacks of unknown length as a loop, and the variable for its number of iterations."""
    n = Variable(-1, COUNTER)
    type_ = op.outputs[0].type
    element = element_type(type_)
    body = record(lambda _i, x, y: [x + y], [COUNTER, element, element], "sum")
    call = LoopCall(body, None, None, n, [], [], list(op.inputs), axis=type_.shape.index(DYNAMIC))
    return op._replace(primitive=loop, inputs=tuple(call.operands), params=call.params), n


def _simplified_call(
    op: Operation, without: Sequence[str]
) -> tuple[Operation, list[tuple[Variable, Any]], Program | None]:
    """A loop or branch after `_simplified_inside`, and what takes its place if it is one on complex numbers."""
    simple, added = _simplified_inside(op, without)
    if "complex" in without or not is_complex(op):
        return simple, added, None
    real = with_real_operands(simple)
    if real is not None:
        return simple, added, real
    # Nor is it of use then to take apart what is inside.
    return *_simplified_inside(op, (*without, "complex")), None


def _simplified_inside(op: Operation, without: Sequence[str]) -> tuple[Operation, list[tuple[Variable, Any]]]:
    """A loop or branch with simplified programs, and the arrays that became operands of it with that."""
    if op.primitive is branch:
        count = len(op.inputs) - 1
        cases, arrays = close_all([simplify(p, without) for p in op.params["branches"]], count)
        added = [(Variable(-1, type_of(x)), x) for x in arrays]
        return op._replace(inputs=(*op.inputs, *(v for v, _ in added)), params={**op.params, "branches": cases}), added
    call = LoopCall.of(op.inputs, op.params)
    k = len(call.constants)
    body, arrays = closed(simplify(call.body, without), 1 + k)
    condition = call.condition
    if condition is not None:
        condition, others = closed(simplify(condition, without), k)
        condition = with_ignored(condition, k, map(type_of, arrays))
        body = with_ignored(body, 1 + k + len(arrays), map(type_of, others))
        arrays = [*arrays, *others]
    added = [(Variable(-1, type_of(x)), x) for x in arrays]
    call = call._replace(body=body, condition=condition, constants=[*call.constants, *(v for v, _ in added)])
    return op._replace(inputs=tuple(call.operands), params=call.params), added


# Rules ---------------------------------------------------------------------------------------------------------------


def _type(atom: Atom) -> ArrayType:
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type


def _is(atom: Atom, number: float) -> bool:
    """Whether an atom is this number (and not -0.0 for 0.0)."""
    return (
        isinstance(atom, Literal)
        and not isinstance(atom.value, (complex, np.complexfloating))
        and atom.value == number
        and bool(np.signbit(atom.value) == np.signbit(number))
    )


def _same_result_type(
    b: Builder, primitive: Primitive, inputs: tuple[Atom, ...], params: Any, replacement: Atom
) -> Atom | None:
    """Return `replacement` if it has the type that the operation would have."""
    (expected,) = output_types(primitive, [a.value if isinstance(a, Literal) else a.type for a in inputs], params)
    if _type(replacement) == expected:
        return replacement
    if _type(replacement).dtype == expected.dtype:
        return b.one(c.broadcast_to, replacement, shape=expected.shape)
    return None


def _fold(b: Builder, p: Primitive, inputs: tuple[Atom, ...], params: Any) -> Atom | None:
    """An elementwise operation on literals is a literal."""
    for a in inputs:
        if isinstance(a, Variable):
            return None
    if not inputs:
        return None
    with np.errstate(all="ignore"):
        out = p.fun(*(a.value for a in inputs if isinstance(a, Literal)), **params)
    return Literal(out if isinstance(out, np.generic) else np.asarray(out)[()])


def _literal_operand(b: Builder, p: Primitive, inputs: tuple[Atom, ...], params: Any) -> Atom | None:
    """An elementwise operation takes the number instead of an array that is full of it."""
    if params or not any(b.source(a, c.broadcast_to) for a in inputs):
        return None
    new = []
    for a in inputs:
        op = b.source(a, c.broadcast_to)
        number = None if op is None else op.inputs[0]
        # Strongly typed, as the array is.
        new.append(Literal(_type(a).dtype.type(number.value)) if isinstance(number, Literal) else a)
    if all(n is a for n, a in zip(new, inputs, strict=True)):
        return None
    shape = np.broadcast_shapes(*(_type(a).shape for a in inputs))
    out = b.one(p, *new)
    return out if _type(out).shape == shape else b.one(c.broadcast_to, out, shape=shape)


def _identities(b: Builder, p: Primitive, inputs: tuple[Atom, ...], params: Any) -> Atom | None:
    """x·1, x/1, x-0, x+(-0) and -(-x); not of complex numbers, whose products mix the parts."""
    if p is not e.negative and not any(isinstance(a, Literal) for a in inputs):
        return None
    if any(_type(a).dtype.kind == "c" for a in inputs):
        return None
    if p in (e.multiply, c.tangent_product) and _is(inputs[0], 1):
        return _same_result_type(b, p, inputs, params, inputs[1])
    if (p in (e.multiply, c.tangent_product, e.divide) and _is(inputs[1], 1)) or (
        p is e.subtract and _is(inputs[1], 0)
    ):
        return _same_result_type(b, p, inputs, params, inputs[0])
    if p is e.add and _is(inputs[1], -0.0):
        return _same_result_type(b, p, inputs, params, inputs[0])
    if p is e.negative and (op := b.source(inputs[0], e.negative)) is not None:
        return op.inputs[0]
    return None


def _powers(b: Builder, p: Primitive, inputs: tuple[Atom, ...], params: Any) -> Atom | None:
    """The powers that NumPy itself treats so: 2, 1, 0.5 and -1 of a float."""
    if p is not e.power or _type(inputs[0]).dtype.kind != "f":
        return None
    for number, replace in (
        (2, lambda x: b.one(e.square, x)),
        (1, lambda x: x),
        (0.5, lambda x: b.one(e.sqrt, x)),
        (-1, lambda x: b.one(e.reciprocal, x)),
    ):
        if _is(inputs[1], number):
            return _same_result_type(b, p, inputs, params, replace(inputs[0]))
    return None


def _strong(b: Builder, p: Primitive, inputs: tuple[Atom, ...], params: Any) -> Atom | None:
    """A product with a number that is finite and not zero needs no strong zeros; it may be -0.0 where they are 0.0."""
    if p is not c.strong_multiply:
        return None
    for i in (0, 1):
        a = inputs[i]
        if isinstance(a, Literal) and np.isfinite(a.value) and a.value != 0:
            return b.one(c.tangent_product, *inputs)
    return None


def _structure(b: Builder, p: Primitive, inputs: tuple[Atom, ...], params: Any) -> Atom | None:
    """Structural operations that change nothing, or that follow one another."""
    if p in (c.reshape, c.broadcast_to):
        if _type(inputs[0]).shape == params["shape"] and isinstance(inputs[0], Variable):
            return inputs[0]
        if (op := b.source(inputs[0], p)) is not None and p is c.reshape:
            return b.one(p, op.inputs[0], **params)
    if p is c.astype and _type(inputs[0]).dtype == params["dtype"]:
        return inputs[0]
    if p is transpose:
        axes = params["axes"]
        if axes == tuple(range(len(axes))):
            return inputs[0]
        if (op := b.source(inputs[0], transpose)) is not None:
            return b.one(transpose, op.inputs[0], axes=tuple(op.params["axes"][a] for a in axes))
    if (
        p is c.reduce_sum
        and params["axis"] == ()
        and _type(inputs[0]) == output_types(p, [_type(inputs[0])], params)[0]
    ):
        return inputs[0]
    full = b.source(inputs[0], c.broadcast_to) if inputs else None
    moves = p in (c.reshape, transpose, c.broadcast_to) or (p is index and len(inputs) == 1)
    if moves and full is not None and isinstance(full.inputs[0], Literal):
        (t,) = output_types(p, [_type(inputs[0])], params)
        return b.one(c.broadcast_to, full.inputs[0], shape=t.shape) if t.shape else full.inputs[0]
    if p is constant_identity or (p is c.conj and _type(inputs[0]).dtype.kind in "iuf"):
        return inputs[0]
    return None


def _reshaped(b: Builder, p: Primitive, inputs: tuple[Atom, ...], params: Any) -> Atom | None:
    """An elementwise operation on reshaped arrays is one that was done before reshaping, if there is that."""
    originals: list[Atom] = []
    shapes = set()
    for a in inputs:
        op = b.source(a, c.reshape)
        if op is not None:
            shapes.add((_type(a).shape, _type(op.inputs[0]).shape))
        elif isinstance(a, Variable):
            return None
        originals.append(a if op is None else op.inputs[0])
    done = b.known.get(b.key(p, tuple(originals), params)) if len(shapes) == 1 else None
    return None if done is None else b.one(c.reshape, done[0], shape=shapes.pop()[0])


def _parts(b: Builder, p: Primitive, inputs: tuple[Atom, ...], params: Any) -> Atom | None:
    """Parts of what was put together from parts, and what is put together from the parts of an array."""
    if p is e.from_parts:
        sources = [b.source(a, part) for a, part in zip(inputs, (c.real, c.imag), strict=True)]
        if sources[0] is None or sources[1] is None or sources[0].inputs != sources[1].inputs:
            return None
        whole = sources[0].inputs[0]
        return whole if _type(whole).dtype.kind == "c" else None
    op = b.source(inputs[0], e.from_parts)
    if op is None:
        return None
    if p is c.reshape:
        return b.one(e.from_parts, *(b.one(c.reshape, a, **params) for a in op.inputs))
    part, whole = op.inputs[p is c.imag], _type(inputs[0])
    return part if _type(part) == (whole.shape, part_dtype(whole.dtype)) else None


def _part_types(p: Primitive, inputs: tuple[Atom, ...]) -> list[ArrayType] | None:
    """Types of stacks of unknown length that are put together or taken apart, which nobody computes."""
    if not inputs or DYNAMIC not in (shape := _type(inputs[0]).shape):
        return None
    if p is e.from_parts:
        return [ArrayType(shape, np.result_type(_type(inputs[0]).dtype, np.complex64))]
    return None


def _is_elementwise(p: Primitive) -> bool:
    return isinstance(p, (c.Elementwise, c.NonDifferentiable)) and p.name not in ("argsort", "argmax", "argmin")


#: Which primitives a rule is about.
_CONCERNED: dict[str, Callable[[Primitive], bool]] = {
    "fold literals": _is_elementwise,
    # NumPy computes x**0.5 and x**[0.5] in different ways.
    "literal operands": lambda p: (_is_elementwise(p) and p is not e.power) or p is e.where,
    "identities": lambda p: p in (e.multiply, c.tangent_product, e.divide, e.subtract, e.add, e.negative),
    "powers": lambda p: p is e.power,
    "strong products": lambda p: p is c.strong_multiply,
    "reshaped": lambda p: _is_elementwise(p) or p in (e.where, c.astype),
    "parts": lambda p: p in (c.real, c.imag, e.from_parts, c.reshape),
    "structure": lambda p: p in _STRUCTURAL or p in (index, c.reduce_sum, c.conj, constant_identity),
}
_STRUCTURAL = (c.reshape, c.broadcast_to, c.astype, transpose)
RULES: list[tuple[str, Rule]] = [
    ("fold literals", _fold),
    ("literal operands", _literal_operand),
    ("identities", _identities),
    ("powers", _powers),
    ("strong products", _strong),
    ("parts", _parts),
    ("structure", _structure),
    ("reshaped", _reshaped),
]
