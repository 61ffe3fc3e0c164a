"""Functions with a derivative rule of the user's own, as one primitive: `custom_call`.

A `Rule` is the function together with its derivative, all on flat lists of values:

``function(values)``            the outputs
``jvp(primals, tangents)``      the outputs and their tangents (rules of the jvp kind)
``forward(values)``             the outputs and the residuals (rules of the vjp kind)
``backward(residuals, cts)``    the cotangents of the values, None for zero (rules of the vjp kind)

One derivative is enough for both modes. A pushforward is linear in the tangents, so its transpose, the pullback, comes
from recording it on a Wengert list of its own and walking that backwards; and the other way round.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.combinators import broadcast_to, narrow, reduce_sum
from wengert.core.primitive import Primitive
from wengert.core.values import ArrayType, Value, shape_of, type_of, zeros_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.transforms.batch import Batch, Batched
from wengert.transforms.reverse import Tape, pull_back

Values = Sequence[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """A function of flat values and its derivative; see the module's docstring."""

    name: str
    function: Callable[[Values], list[Any]]
    jvp: Callable[[Values, Values], tuple[list[Any], list[Any]]] | None = None
    forward: Callable[[Values], tuple[list[Any], list[Any]]] | None = None
    backward: Callable[[Values, Values], list[Any]] | None = None


def transpose_linear(function: Callable[[Values], list[Any]], types: Values, cts: Values) -> list[Any]:
    """Apply the adjoint of a linear function to `cts`; `types` are those of its arguments."""
    tape = Tape()
    with tape:
        inputs = [tape.input(zeros_of(t)) for t in types]
        outs = function(inputs)
    return pull_back(tape, [tape.slot_of(o) for o in outs], cts, inputs)


class CustomCall(Primitive):
    """Call of a function with a custom rule."""

    multiple = True

    def __init__(self) -> None:
        super().__init__(self._evaluate, name="custom_call")

    def _evaluate(self, *args: Any, rule: Rule) -> tuple[Any, ...]:
        outs = tuple(rule.function(args))
        self._check_closure(rule, args, outs)
        return outs

    @staticmethod
    def _check_closure(rule: Rule, args: Values, outs: Values) -> None:
        deepest = max((x.level.depth for x in args if isinstance(x, Value)), default=0)
        if any(isinstance(o, Value) and o.level.depth > deepest for o in outs):
            fail(
                UnsupportedOperationError,
                f"'{rule.name}', a function with a custom derivative rule, uses a traced value that is not one of its "
                "arguments (it comes from an enclosing function). Pass it as an argument, so that the rule can "
                "account for it.",
            )

    def run(self, args: Values, traced: Sequence[bool], params: dict[str, Any]) -> tuple[Any, Any]:
        """Evaluate, keeping the arguments or the residuals that the rule asks for."""
        rule: Rule = params["rule"]
        if rule.forward is not None:
            outs, kept = rule.forward(args)
            self._check_closure(rule, args, outs)
        else:
            outs, kept = self.bind(*args, **params), list(args)
        kept = [k.copy() if isinstance(k, np.ndarray) else k for k in kept]
        types = tuple(type_of(x) for x in args)
        return tuple(outs), (types, tuple(type_of(o) for o in outs), tuple(kept))

    def jvp(self, primals: Values, tangents: Values, params: dict[str, Any]) -> tuple[Any, Any]:
        """Take output and tangent from the rule, where it gives both."""
        rule: Rule = params["rule"]
        if rule.jvp is None:
            return super().jvp(primals, tangents, params)
        outs, dots = rule.jvp(primals, _filled(tangents, primals))
        self._check_closure(rule, [*primals, *tangents], [*outs, *dots])
        return tuple(outs), tuple(dots)

    def push(self, tangents: Values, saved: Any, params: dict[str, Any]) -> tuple[Any, ...]:
        """Pushforward."""
        rule: Rule = params["rule"]
        types, out_types, kept = saved
        tangents = _filled(tangents, types)
        if rule.jvp is not None:
            return tuple(rule.jvp(kept, tangents)[1])

        def pullback(cts: Values) -> list[Any]:
            return _backward(rule, kept, cts, types)

        return tuple(transpose_linear(pullback, out_types, tangents))

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Pullback."""
        rule: Rule = params["rule"]
        types, out_types, kept = saved
        cts = _filled(ct, out_types)
        if rule.jvp is not None:

            def pushforward(tangents: Values) -> list[Any]:
                return rule.jvp(kept, tangents)[1]  # type: ignore[misc]

            back = transpose_linear(pushforward, types, cts)
        else:
            back = _backward(rule, kept, cts, types)
        for parent, c, type_ in zip(parents, back, types, strict=True):
            if parent >= 0 and c is not None:
                sweep.add(parent, narrow(c, type_), False)

    def batch(self, size: int, args: Values, batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Call the same function on the batch, under the rule that maps over it."""
        return self.bind(*args, rule=batched_rule(params["rule"], size, tuple(batched)))


custom_call = CustomCall()


def _filled(tangents: Values, like: Values) -> list[Any]:
    """Replace None by zeros; integers get float64 zeros."""
    filled = []
    for t, x in zip(tangents, like, strict=True):
        if t is None:
            shape, dtype = type_of(x) if not isinstance(x, ArrayType) else x
            t = zeros_of(ArrayType(shape, dtype if dtype.kind in "fc" else np.dtype(float)))
        filled.append(t)
    return filled


def _backward(rule: Rule, kept: Values, cts: Values, types: Values) -> list[Any]:
    """Apply a vjp rule, zeros filled in for None."""
    assert rule.backward is not None
    back = rule.backward(kept, cts)
    return [zeros_of(t) if c is None and t.dtype.kind in "fc" else c for c, t in zip(back, types, strict=True)]


def batched_rule(rule: Rule, size: int, batched: tuple[bool, ...]) -> Rule:
    """Return the rule of the function that maps `rule` over the first axis of the flagged arguments."""

    def mapped(function: Callable[..., Any], arguments: Sequence[tuple[Values, Sequence[bool]]]) -> Any:
        """Run `function` on lists of values under one vmap; results have the batch axis first."""
        with Batch(size) as level:
            lists = [
                [level.make(v) if b else v for v, b in zip(values, flags, strict=True)] for values, flags in arguments
            ]
            out = function(*lists)
            collect = lambda vs: [_collected(v, level) for v in vs]
            return tuple(collect(part) for part in out) if isinstance(out, tuple) else collect(out)

    def backward(residuals: Values, cts: Values) -> list[Any]:
        assert rule.backward is not None
        every = [True] * len(residuals), [True] * len(cts)
        back = mapped(rule.backward, [(residuals, every[0]), (cts, every[1])])
        return [c if c is None or b else reduce_sum(c, axis=(0,)) for c, b in zip(back, batched, strict=True)]

    return Rule(
        name=rule.name,
        function=lambda values: mapped(rule.function, [(values, batched)]),
        jvp=None if rule.jvp is None else lambda p, t: mapped(rule.jvp, [(p, batched), (t, batched)]),  # type: ignore[arg-type]
        forward=None if rule.forward is None else lambda values: mapped(rule.forward, [(values, batched)]),  # type: ignore[arg-type]
        backward=None if rule.backward is None else backward,
    )


def _collected(value: Any, level: Batch) -> Any:
    if value is None:
        return None
    if type(value) is Batched and value.level is level:
        return value.value
    return broadcast_to(value, shape=(level.size, *shape_of(value)))
