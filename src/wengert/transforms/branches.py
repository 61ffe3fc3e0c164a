"""The branch of recorded programs: one operation that holds a program for each case, of which one is run.

Every derivative of a branch is a branch. The reverse sweep starts again from the operands: it keeps nothing of the case
that was run, and so does its operations twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import broadcast_to, reshape
from wengert.core.primitive import Primitive
from wengert.core.program import Program
from wengert.core.staging import record
from wengert.core.values import shape_of, type_of, zeros_of
from wengert.rules.elementwise import equal, maximum, minimum, where
from wengert.transforms.batch import Batch, Batched
from wengert.transforms.guards import guarded
from wengert.transforms.loop_calls import close_all, depends
from wengert.transforms.programs import pullback_program, pushforward_program, types_of_outputs


class Branch(Primitive):
    """Run the program of number `case`, the first or last one if there is none of that number.

    Operands: the number, then those of the programs, which all take and return the same types.
    """

    multiple = True

    def __init__(self) -> None:
        super().__init__(self._run_case, name="branch")

    @staticmethod
    def _run_case(case: Any, *operands: Any, branches: tuple[Program, ...]) -> tuple[Any, ...]:
        return branches[min(max(int(case), 0), len(branches) - 1)].evaluate(*operands)

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Types of the results of the first program."""
        return tuple(types_of_outputs(params["branches"][0]))

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
        """Run the pushforward of a case."""
        case, *operands = primals
        flags = tuple(t is not None for t in tangents[1:])
        dots = [t for t in tangents if t is not None]
        branches: tuple[Program, ...] = params["branches"]
        moving = _moving(branches, flags)

        def pushed(program: Program) -> Program:
            derived = pushforward_program(program, flags)

            def function(*values: Any) -> list[Any]:
                outs = derived.program.evaluate(*values)
                new, found = outs[: len(moving)], iter(outs[len(moving) :])
                rows = zip(derived.present, new, moving, strict=True)
                return [*new, *(next(found) if p else zeros_of(x) for p, x, m in rows if m)]

            return record(function, [*map(type_of, operands), *map(type_of, dots)], f"{program.name}′")

        programs, more = close_all([pushed(p) for p in branches], len(operands) + len(dots))
        results = self.bind(case, *operands, *dots, *more, branches=programs)
        outs, new_dots = results[: len(moving)], iter(results[len(moving) :])
        return tuple(outs), tuple(next(new_dots) if m else None for m in moving)

    def run(self, args: Sequence[Any], traced: Sequence[bool], params: dict[str, Any]) -> tuple[Any, Any]:
        """Run the case, and keep the operands."""
        outs = self.bind(*args, **params)
        kept = tuple(x.copy() if isinstance(x, np.ndarray) else x for x in args)
        return outs, (kept, tuple(map(type_of, outs)), tuple(traced[1:]))

    def push(self, tangents: Sequence[Any], saved: Any, params: dict[str, Any]) -> Any:
        """Run the pushforward of the case."""
        return self.jvp(saved[0], tangents, params)[1]

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Run the pullback of the case."""
        (case, *operands), _, flags = saved
        branches: tuple[Program, ...] = params["branches"]
        moving = _moving(branches, flags)
        given = tuple(m and c is not None for m, c in zip(moving, ct, strict=True))
        cts = [c for c, g in zip(ct, given, strict=True) if g]
        types = list(map(type_of, operands))

        def pulled(program: Program) -> Program:
            derived = pullback_program(program, flags, given)

            def function(*values: Any) -> list[Any]:
                found = iter(derived.program.evaluate(*values))
                rows = zip(derived.present, types, flags, strict=True)
                return [next(found) if p else zeros_of(t) for p, t, f in rows if f]

            return record(function, [*types, *map(type_of, cts)], f"{program.name}*")

        programs, more = close_all([pulled(p) for p in branches], len(operands) + len(cts))
        back = iter(self.bind(case, *operands, *cts, *more, branches=programs))
        for parent, f in zip(parents[1:], flags, strict=True):
            if f:
                sweep.add(parent, next(back), False)

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Run one case on the batch; or all of them, if the examples are of different cases, and choose."""
        case, *operands = args
        flags = batched[1:]

        def on_batch(program: Program, flags: Sequence[bool], operands: Sequence[Any]) -> Program:
            def function(*values: Any) -> list[Any]:
                with Batch(size) as level:
                    outs = program.evaluate(*(level.make(x) if f else x for x, f in zip(values, flags, strict=True)))
                return [
                    o.value
                    if isinstance(o, Batched) and o.level is level
                    else broadcast_to(o, shape=(size, *shape_of(o)))
                    for o in outs
                ]

            return record(function, list(map(type_of, operands)), program.name)

        branches: tuple[Program, ...] = params["branches"]
        if not batched[0]:
            programs, more = close_all([on_batch(p, flags, operands) for p in branches], len(operands))
            return self.bind(case, *operands, *more, branches=programs)
        case = minimum(maximum(case, 0), len(branches) - 1)
        chosen: list[Any] = []
        for number, program in enumerate(branches):
            mine = equal(case, number)
            outs = on_batch(guarded(program), [True, *flags], [mine, *operands]).evaluate(mine, *operands)
            if number == 0:
                chosen = list(outs)
                continue
            masks = [reshape(mine, shape=(size, *(1,) * (len(shape_of(o)) - 1))) for o in outs]
            chosen = [where(m, new, old) for m, new, old in zip(masks, outs, chosen, strict=True)]
        return tuple(chosen)


def _moving(branches: Sequence[Program], flags: Sequence[bool]) -> list[bool]:
    """Which results have a derivative, in one case or another."""
    return [any(row) for row in zip(*(depends(p, flags) for p in branches), strict=True)]


branch = Branch()
