"""Operations that are compiled as a combination of simpler ones, which then are fused with what is around them.

`EXPANSIONS` has a function of values for each. It computes what the operation's own NumPy code does, in the same way,
so that results agree to a few units in the last place, infinities and NaN included. A function with a custom derivative
rule is replaced by the operations that it consists of: once recorded, a program has no more use for the rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.compiler import contractions, matrices, ufuncs
from wengert.core.combinators import astype, reduce_sum
from wengert.core.primitive import Primitive
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.staging import record
from wengert.core.values import ArrayType, Value, dtype_of, shape_of, type_of
from wengert.rules.contraction import convolve, einsum, matmul, window_sums
from wengert.rules.elementwise import equal, exp, isfinite, log, log1p, multiply, not_equal, power, where
from wengert.rules.indexing import index
from wengert.rules.joining import stack
from wengert.rules.reductions import reduce_all, reduce_any, reduce_max, reduce_min, restore
from wengert.rules.special import logsumexp, shift
from wengert.rules.special.common import COMPILED
from wengert.transforms.custom import Rule, custom_call
from wengert.transforms.mapped import evaluate_mapped, map_program
from wengert.transforms.programs import Origin


def _finite_or_zero(x: Any) -> Any:
    return where(isfinite(x), x, dtype_of(x).type(0))


def _logsumexp(x: Any, *, axis: tuple[int, ...]) -> Any:
    """The largest terms count as 1 each and stay out of the sum, so that the rest of it is exact when it is small."""
    largest = reduce_max(x, axis=axis)
    is_largest = equal(x, restore(largest, shape_of(x), axis))
    count = reduce_sum(astype(is_largest, dtype=dtype_of(x)), axis=axis)
    smaller = exp(x - restore(_finite_or_zero(largest), shape_of(x), axis))
    rest = reduce_sum(where(is_largest, dtype_of(x).type(0), smaller), axis=axis)
    return log1p(rest / count) + log(count) + largest


def _shift(x: Any, *, axis: tuple[int, ...]) -> Any:
    return _finite_or_zero(restore(reduce_max(x, axis=axis), shape_of(x), axis))


def _any(x: Any, *, axis: tuple[int, ...]) -> Any:
    return not_equal(reduce_max(astype(not_equal(x, 0), dtype=np.dtype(np.int8)), axis=axis), 0)


def _all(x: Any, *, axis: tuple[int, ...]) -> Any:
    return not_equal(reduce_min(astype(not_equal(x, 0), dtype=np.dtype(np.int8)), axis=axis), 0)


#: The expansions, and the kinds of dtypes that they are for.
EXPANSIONS: dict[Primitive, tuple[Callable[..., Any], str]] = {
    logsumexp: (_logsumexp, "f"),
    shift: (_shift, "f"),
    reduce_any: (_any, "biuf"),
    reduce_all: (_all, "biuf"),
    reduce_max: (_any, "b"),
    reduce_min: (_all, "b"),
}


def expansion(op: Operation) -> Program | None:
    """Return the program of one operation in terms of others, if it has one: for real numbers, and not for none."""
    if op.primitive is custom_call:
        return _custom_function(op)
    if op.primitive in COMPILED:
        return _written_out(op)
    if op.primitive in FORMS:
        form = FORMS[op.primitive](op)
        if form is None:
            return None
        multiple = op.primitive.multiple
        return record(
            lambda *values: list(form(*values)) if multiple else [form(*values)], _types(op), op.primitive.name
        )
    function, kinds = EXPANSIONS.get(op.primitive, (None, ""))
    if function is None:
        return ufuncs.expansion(op)
    if len(op.inputs) != 1:
        return None
    (x,) = op.inputs
    if not isinstance(x, Variable) or x.type.dtype.kind not in kinds or 0 in x.type.shape:
        return None
    return record(lambda x: [function(x, **op.params)], [x.type], op.primitive.name)


def _whole_power(op: Operation) -> Callable[..., Any] | None:
    """Products of integers for a power with a known exponent; NumPy refuses negative ones."""
    x, n = op.inputs
    (out,) = op.outputs
    if out.type.dtype.kind not in "iu" or isinstance(x, Literal) or not isinstance(n, Literal) or n.value < 0:
        return None
    return lambda x, _: _product(astype(x, dtype=out.type.dtype), int(n.value))


def _product(x: Any, count: int) -> Any:
    """x·x·…, by squaring for each binary digit of the count."""
    result = None
    while count:
        if count % 2:
            result = x if result is None else multiply(result, x)
        count //= 2
        x = multiply(x, x) if count else x
    return astype(equal(x, x), dtype=dtype_of(x)) if result is None else result


def _written_out(op: Operation) -> Program | None:
    """The steps that a function of Python takes; literals are plain numbers for it."""
    types = _types(op)
    if any(t.dtype.kind not in "biuf" for t in types):
        return None
    function, out = COMPILED[op.primitive], op.outputs[0].type.dtype

    def steps(*values: Any) -> list[Any]:
        operands = [a.value if isinstance(a, Literal) else x for a, x in zip(op.inputs, values, strict=True)]
        return [astype(function(*operands, **op.params), dtype=out)]

    return record(steps, types, op.primitive.name)


#: Operations that have another form depending on their operands: what computes it, or None.
FORMS: dict[Primitive, Callable[[Operation], Callable[..., Any] | None]] = {
    power: _whole_power,
    matmul: contractions.matrix_product,
    einsum: contractions.pairwise_products,
    convolve: contractions.sum_of_shifts,
    window_sums: contractions.sum_of_slices,
    **matrices.FORMS,
}


def taken_apart(op: Operation) -> Program:
    """The operations on batches that a map stands for, if it does not fit into registers."""
    return record(lambda *values: evaluate_mapped(values, **op.params), _types(op), op.params["program"].name)


def one_by_one(op: Operation) -> Program:
    """A map of a map, as one map for each item of the inner one."""
    origin: Origin = op.params["program"].origin
    batched, summed = op.params["batched"], op.params["summed"]

    def function(*values: Any) -> list[Any]:
        columns = []
        for i in range(origin.size):
            items = [
                x if not of_inner else index(x, spec=(slice(None), i) if b else (i,))
                for x, b, of_inner in zip(values, batched, origin.wrt, strict=True)
            ]
            columns.append(map_program.bind(*items, **{**op.params, "program": origin.program}))
        return [stack(*items, axis=0 if s else 1) for items, s in zip(zip(*columns, strict=True), summed, strict=True)]

    return record(function, _types(op), op.params["program"].name)


def _types(op: Operation) -> list[ArrayType]:
    return [type_of(a.value) if isinstance(a, Literal) else a.type for a in op.inputs]


def _custom_function(op: Operation) -> Program | None:
    """The operations of a function with a custom rule; None if it needs numbers, and so has to be called."""
    rule: Rule = op.params["rule"]
    if any(isinstance(a, Literal) and not isinstance(a.value, np.generic) for a in op.inputs):
        return None
    types = [type_of(a.value) if isinstance(a, Literal) else a.type for a in op.inputs]
    try:
        program = record(lambda *values: rule.function(values), types, rule.name)
    except Exception:  # of whatever kind: it is the user's function, which may do its work outside of NumPy
        return None
    out_types = [type_of(a.value) if isinstance(a, Literal) else a.type for a in program.outputs]
    if out_types != [v.type for v in op.outputs] or any(isinstance(x, Value) for _, x in program.constants):
        return None
    return program
