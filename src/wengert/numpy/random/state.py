"""A generator whose draws are pure functions of its state, under every transform.

NumPy's generators are objects with a state. Differentiation does not see that, but `vmap` does: a function of one
example may make its generator itself, and then every example starts from the same state, and goes on from a state of
its own if the amount of random bits that a draw takes depends on the example. So under `vmap` the state of a
generator may be a batch of states (`_key`).

Start reading with `StatefulGenerator.draw`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.array import Array, contains_traced, unwrap, wrap
from wengert.core.staging import is_recording
from wengert.core.values import Value, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.rules.indexing import index
from wengert.rules.joining import stack
from wengert.transforms.batch import Batched


def refuse_recording() -> None:
    """Raise the error for random numbers that would become part of a program."""
    if is_recording():
        fail(
            UnsupportedOperationError,
            "random numbers were to be drawn while a program is recorded (under jit or program); they would be the "
            "same in every call. Draw them outside and pass them as an argument: f(x, rng.normal(size=n)) instead of "
            "f(x), with loc + scale * noise inside.",
        )


class StatefulGenerator(np.random.Generator):
    """NumPy's generator, with draws in each example of a batch."""

    #: Number of the current state in `_states`; a batch of numbers where examples have gone on differently.
    _key: Any = None
    _states: list[Any] | None = None
    #: Within a draw: methods of NumPy that call others of this object then get plain numbers.
    _drawing = False

    def __reduce__(self) -> Any:
        return type(self), (self.bit_generator,)

    def takes(self, *args: Any) -> bool:
        """Whether a draw is NumPy's alone: none of the arguments is traced, nor the state."""
        if self._drawing:
            return True
        refuse_recording()
        if self._key is not None:
            self._leave_batches()
        return self._key is None and not any(map(contains_traced, args))

    def draw(self, sample: Callable[..., Any], *args: Any) -> Any:
        """Apply a function that draws to the numbers behind the arguments, to those of each example in a batch.

        It returns an array or a tuple of arrays; so does `draw`, of immutable values.
        """
        values = [_undifferentiated(unwrap(a) if contains_traced(a) else a) for a in args]
        if self._key is None and not any(isinstance(v, Batched) for v in values):
            return _as_values(sample(*values))
        states = [self.bit_generator.state] if self._states is None else self._states

        def from_state(key: Any, *values: Any) -> tuple[Any, ...]:
            self.bit_generator.state = states[int(key)]
            result = _as_values(sample(*values))
            states.append(self.bit_generator.state)
            return (np.intp(len(states) - 1), *(result if isinstance(result, tuple) else (result,)))

        self._drawing = True
        try:
            key, *results = _on_examples(from_state, np.intp(0) if self._key is None else self._key, *values)
        finally:
            self._drawing = False
        self._go_on(key, states)
        return tuple(results) if len(results) > 1 else results[0]

    def _go_on(self, key: Any, states: list[Any]) -> None:
        """Make a batch of states the current one, or a single one if all are equal."""
        numbers = np.unique(_numbers(key))
        if len({pickle.dumps(states[i]) for i in numbers}) <= 1:
            self._key = self._states = None
            self.bit_generator.state = states[-1]
        else:
            self._key, self._states = key, states

    def _leave_batches(self) -> None:
        """After the end of a vmap in which examples have gone on differently, continue behind the last example.

        Far behind, where the kind of generator allows it: other examples have taken more random bits.
        """
        key, states = self._key, self._states
        while isinstance(key, Batched) and not key.level.active:
            key = _undifferentiated(index(key.value, spec=(-1,)))
        if not isinstance(key, Batched) and states is not None:
            self._key = self._states = None
            self.bit_generator.state = states[int(key)]
            jumped = getattr(self.bit_generator, "jumped", None)
            if jumped is not None:
                self.bit_generator.state = jumped().state
        else:
            self._key = key

    def passed_through(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Draw what has no derivative: one of NumPy's methods on the numbers behind the arguments."""
        names, count = list(kwargs), len(args)
        drawn = self.draw(
            lambda *a: method(self, *a[:count], **dict(zip(names, a[count:], strict=True))), *args, *kwargs.values()
        )
        return wrap(drawn) if isinstance(drawn, Value) else drawn


def wrapped(x: Any, *parameters: Any) -> Any:
    """Make an Array of a value, unless values are what was given."""
    given = any(isinstance(p, Value) for p in parameters)
    return wrap(x) if isinstance(x, Value) and not given else x


def is_differentiated(x: Any) -> bool:
    """Whether an argument belongs to a transform that differentiates (not to vmap only)."""
    if isinstance(x, (list, tuple)):
        return any(map(is_differentiated, x))
    x = unwrap(x) if isinstance(x, Array) else x
    while isinstance(x, Batched):
        x = x.value
    return isinstance(x, Value)


def _undifferentiated(x: Any) -> Any:
    """The numbers behind a value: plain, or a batch."""
    while isinstance(x, Value) and not isinstance(x, Batched):
        x = x.parts[0]
    return x


def _numbers(x: Any) -> Any:
    while isinstance(x, Value):
        x = x.parts[0]
    return x


def _as_values(x: Any) -> Any:
    """Turn Python's numbers into NumPy's, which keep their precision."""
    return tuple(map(_as_values, x)) if isinstance(x, tuple) else np.asarray(x)[()]


def _on_examples(function: Callable[..., tuple[Any, ...]], *args: Any) -> tuple[Any, ...]:
    """Apply a function of plain arguments to each example of a batch, or of a batch of batches."""
    batches = [a for a in args if isinstance(a, Batched)]
    if not batches:
        return function(*args)
    level = max(batches, key=lambda a: a.level.depth).level
    outs = []
    for i in range(max(level.size, 1)):  # of no examples, a made-up one tells the shapes
        outs.append(_on_examples(function, *(_example(a, i) if _of(level, a) else a for a in args)))
    return tuple(level.make(index(stack(*column), spec=(slice(level.size),))) for column in zip(*outs, strict=True))


def _of(level: Any, x: Any) -> bool:
    return isinstance(x, Batched) and x.level is level


def _example(x: Batched, i: int) -> Any:
    if not x.level.size:
        return np.ones(shape_of(x), x.dtype)
    return _undifferentiated(index(x.value, spec=(i,)))
