"""Programs that do no harm where nobody wants their results.

Under vmap an iteration, or a case of a branch, is computed for all examples, also for those whose loop is over or that
are of another case. Their results are not used; but an index of theirs may be out of range, and a loop of theirs may
never end. `guarded` gives a program a first argument that says whether it is wanted: if not, indices are 0, loops do no
iterations, and matrices that have to be regular are unit matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import PRIMITIVE_BY_NAME
from wengert.core.program import Literal, Program, Variable
from wengert.core.staging import record
from wengert.core.values import ArrayType, dtype_of, shape_of
from wengert.rules.elementwise import logical_and, where
from wengert.rules.indexing import index, index_add, index_update
from wengert.rules.linalg import cholesky, inverse, solve, solve_triangular
from wengert.transforms.loop_calls import LoopCall, close_all, inner_programs, split, with_ignored
from wengert.transforms.programs import derived_from

_BOOL = ArrayType((), np.dtype(bool))
#: Operations that refuse some matrices: they get the unit matrix.
_MAY_RAISE = (cholesky, inverse, solve, solve_triangular)


def guarded(program: Program) -> Program:
    """Return the program with one more argument, the first: a boolean, whether it is wanted."""

    def function(active: Any, *values: Any) -> Sequence[Any]:
        return _evaluate(program, active, values)

    def make() -> Program:
        types = [_BOOL, *(v.type for v in program.inputs)]
        if not needs_guard(program):
            return with_ignored(program, 0, [_BOOL])
        return record(function, types, program.name)

    return derived_from(program, "guarded", make)


def needs_guard(program: Program) -> bool:
    """Whether there are computed indices or loops in a program."""
    return any(
        _is_indexed(op.primitive, op.inputs) or op.primitive in _MAY_RAISE or any(inner_programs(op))
        for op in program.operations
    )


def _is_indexed(primitive: Any, inputs: Sequence[Any]) -> bool:
    return (primitive is index and len(inputs) > 1) or (primitive in (index_add, index_update) and len(inputs) > 2)


def _evaluate(program: Program, active: Any, values: Sequence[Any]) -> Sequence[Any]:
    env: dict[Variable, Any] = dict(zip(program.inputs, values, strict=True))
    for op in program.operations:
        args = [a.value if isinstance(a, Literal) else env[a] for a in op.inputs]
        params = op.params
        if _is_indexed(op.primitive, args):
            first = 1 if op.primitive is index else 2
            args = [*args[:first], *(where(active, i, 0) for i in args[first:])]
        elif op.primitive in _MAY_RAISE:
            n = shape_of(args[0])[-1]
            args = [where(active, args[0], np.eye(n, dtype=dtype_of(args[0]))), *args[1:]]
        elif op.primitive is PRIMITIVE_BY_NAME["loop"]:
            call = _guarded_loop(LoopCall.of(args, params), active)
            args, params = call.operands, call.params
        elif op.primitive is PRIMITIVE_BY_NAME["branch"]:
            case, *operands = args
            cases, more = close_all(list(map(guarded, params["branches"])), 1 + len(operands))
            args = [case, active, *operands, *more]
            params = {**params, "branches": cases}
        out = op.primitive.bind(*args, **params)
        env.update(zip(op.outputs, out if op.primitive.multiple else (out,), strict=True))
    return [a.value if isinstance(a, Literal) else env[a] for a in program.outputs]


def _guarded_loop(call: LoopCall, active: Any) -> LoopCall:
    k, m = len(call.constants), len(call.state)

    def body(i: Any, active: Any, *values: Any) -> Sequence[Any]:
        return guarded(call.body).evaluate(active, i, *values)

    def goes_on(active: Any, *values: Any) -> Sequence[Any]:
        assert call.condition is not None
        cs, ss = split(values, [k, m])
        return [logical_and(active, guarded(call.condition).evaluate(active, *cs, *ss)[0])]

    n = call.n
    if call.trips is None and call.condition is None:
        n = where(active, n, 0)
    return call._replace(constants=[active, *call.constants], n=n).recorded(
        body, None if call.condition is None else goes_on
    )
