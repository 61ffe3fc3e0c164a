"""`for_loop`, `while_loop`, `scan`, `map` and `fixed_point`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.control.staging import (
    Room,
    State,
    for_body,
    made_here,
    numeric,
    predicate,
    recorded_once,
    settled,
    slots_of,
    unchanged_dtypes,
)
from wengert.core import containers
from wengert.core.staging import is_recording, record
from wengert.core.values import ArrayType, Value, dtype_of, is_transforming, shape_of, type_of, zeros_of
from wengert.derivatives.calls import private, to_user, to_value
from wengert.derivatives.recompute import LOOPS
from wengert.errors import ContainerMismatchError, InputTypeError, fail
from wengert.rules.indexing import index
from wengert.rules.joining import stack
from wengert.transforms.loop_calls import COUNTER, FOREVER, NO_BODY, LoopCall, element_type, run_loop


def _runs_in_python(values: list[Any], room: Room | None) -> bool:
    """Whether a loop is one of Python's: nothing is recorded, and nothing differentiated that takes snapshots."""
    if is_recording():
        return False
    return room is None or not (is_transforming() or any(isinstance(x, Value) for x in values))


def for_loop(n: Any, body: Callable[[Any, Any], Any], state: Any) -> Any:
    """Update a state n times.

    Parameters
    ----------
    n : int
        Number of iterations; none if it is not positive. Under `jit` it may be a number that the program computes.
    body : callable
        ``body(i, state)`` returns the new state, of the same structure and shapes; i runs from 0 to n - 1. It may
        write to arrays of the state in place (and has to return them).
    state : container of arrays
        The initial state, which is not changed.

    Returns
    -------
    container of arrays
        The final state.

    Raises
    ------
    ContainerMismatchError
        The body returns a state of another structure or of other shapes.

    Notes
    -----
    Under `jit` the body is recorded once, whatever n is. Derivatives in both modes are loops too: reverse mode keeps
    what the way back needs of each iteration, chosen by its size. An iteration that reads and writes single elements
    of arrays costs no more than that in either direction.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> def power(x):
    ...     return wg.for_loop(5, lambda i, y: y * x, 1.0)
    >>> wg.jit(wg.grad(power))(2.0)
    np.float64(80.0)
    """
    return _for_loop(n, body, state, None)


def _for_loop(n: Any, body: Callable[[Any, Any], Any], state: Any, room: Room | None) -> Any:
    initial = State(state, "the state")
    n = n if isinstance(n, int) else numeric(n, "the number of iterations of for_loop")
    if shape_of(n) != () or np.dtype(dtype_of(n)).kind not in "iu":
        fail(InputTypeError, f"the number of iterations of for_loop must be one integer, not {n!r}.")
    if _runs_in_python(initial.values, room) and not isinstance(n, Value):
        return _eager_for(operator.index(n), body, initial)

    def attempt(values: list[Any]) -> Any:
        @recorded_once
        def iteration(i: Any, *state: Any) -> list[Any]:
            return unchanged_dtypes(state, initial.flatten(body(to_user(i), initial.build(state)), "the body"))

        trips = None if isinstance(n, Value) else max(operator.index(n), 0)
        call = LoopCall(
            NO_BODY, None, trips, n if trips is None else None, [], values, [], slots=slots_of(room, values)
        )
        return run_loop(call.recorded(iteration, None))[0]

    def probe(i: Any, state: Any) -> list[Any]:
        return initial.flatten(body(to_user(i), state), "the body")

    return initial.build(settled(initial.strong(probe, [COUNTER]), attempt))


def _eager_for(n: int, body: Callable[[Any, Any], Any], initial: State) -> Any:
    state = initial.for_body()
    for i in range(n):
        state = initial.following(body(i, state), state, "the body")
    return state


def while_loop(condition: Callable[[Any], Any], body: Callable[[Any], Any], state: Any) -> Any:
    """Update a state as long as a condition on it is true.

    Parameters
    ----------
    condition : callable
        ``condition(state)`` returns a boolean.
    body : callable
        ``body(state)`` returns the new state, of the same structure and shapes.
    state : container of arrays
        The initial state, which is not changed.

    Returns
    -------
    container of arrays
        The first state for which the condition is false: possibly the initial one.

    Raises
    ------
    ContainerMismatchError
        The body returns a state of another structure or of other shapes.
    InputTypeError
        The condition is not one boolean.

    Notes
    -----
    Has a reverse mode, also under `jit`: the number of iterations need not be known beforehand. The derivative is that
    of the iterations that were done; that their number changes at some points is ignored, as with any branch.

    Examples
    --------
    >>> import wengert as wg
    >>> def root(a):  # Newton's iteration
    ...     def step(state):
    ...         x, _ = state
    ...         new = 0.5 * (x + a / x)
    ...         return new, abs(new - x)
    ...
    ...     return wg.while_loop(lambda s: s[1] > 1e-12, step, (a, 1.0))[0]
    >>> wg.jit(wg.value_and_grad(root))(16.0)
    (np.float64(4.0), np.float64(0.125))
    """
    return _while_loop(condition, body, state, None)


def _while_loop(condition: Callable[[Any], Any], body: Callable[[Any], Any], state: Any, room: Room | None) -> Any:
    initial = State(state, "the state")
    if _runs_in_python(initial.values, room):
        return _eager_while(condition, body, initial)
    return _recorded_while(condition, body, initial, room)


def _recorded_while(
    condition: Callable[[Any], Any], body: Callable[[Any], Any], initial: State, room: Room | None
) -> Any:
    def attempt(values: list[Any]) -> Any:
        @recorded_once
        def iteration(_i: Any, *state: Any) -> list[Any]:
            return unchanged_dtypes(state, initial.flatten(body(initial.build(state)), "the body"))

        @recorded_once
        def goes_on(*state: Any) -> list[Any]:
            return [predicate(condition(initial.build(state)))]

        call = LoopCall(NO_BODY, None, None, FOREVER, [], values, [], slots=slots_of(room, values))
        return run_loop(call.recorded(iteration, goes_on))[0]

    def probe(state: Any) -> list[Any]:
        return initial.flatten(body(state), "the body")

    return initial.build(settled(initial.strong(probe), attempt))


def _eager_while(condition: Callable[[Any], Any], body: Callable[[Any], Any], initial: State) -> Any:
    state = initial.for_body()
    while True:
        truth = predicate(condition(state))
        if isinstance(truth, Value):  # examples of a batch may end at different times
            return _recorded_while(condition, body, State(state, "the state"), None)
        if not truth:
            return state
        state = initial.following(body(state), state, "the body")


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Go through arrays along their first axis with a state (the carry), and stack what each step returns.

    Parameters
    ----------
    f : callable
        ``f(carry, x)`` returns the pair (new carry, y).
    init : container of arrays
        The initial carry.
    xs : container of arrays, optional
        Arrays of equal length; a step gets one element of each.
    length : int, optional
        Number of steps, needed if there is nothing in `xs`.
    reverse : bool
        Whether to go from the last element to the first. The results are stacked in the order of `xs` all the same.

    Returns
    -------
    carry : container of arrays
        The final one.
    ys : container of arrays
        What the steps returned, stacked along a new first axis; None where they returned None.

    Raises
    ------
    ContainerMismatchError
        Lengths differ, or a step returns a carry of another structure or shape.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> carry, sums = wg.scan(lambda total, x: (total + x, total + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> sums
    array([1., 3., 6.])
    """
    return _scan(f, init, xs, length, reverse, None)


def _scan(f: Any, init: Any, xs: Any, length: int | None, reverse: bool, room: Room | None) -> tuple[Any, Any]:
    if room is not None and reverse:  # snapshots are counted from the beginning
        carry, ys = _scan(f, init, containers.map_leaves(_flipped, xs), length, False, room)
        return carry, containers.map_leaves(_flipped, ys)
    initial = State(init, "the carry")
    elements = State(xs, "xs")
    n = _length(elements, length)
    if _runs_in_python([*initial.values, *elements.values], room):
        return _eager_scan(f, initial, elements, n, reverse)
    structures: list[Any] = []

    def step(carry: Any, element: list[Any]) -> tuple[list[Any], list[Any]]:
        result = f(carry, containers.unflatten(elements.structure, [to_user(x) for x in element]))
        new, y = _pair(result)
        leaves, structure = containers.flatten(y)
        structures[:] = [structure]
        return initial.flatten(new, "the step"), [numeric(x, "what a step of scan returns") for x in leaves]

    m = len(initial.values)

    def attempt(values: list[Any]) -> Any:
        @recorded_once
        def iteration(_i: Any, *rest: Any) -> list[Any]:
            new, made = step(initial.build(rest[:m]), list(rest[m:]))
            return [*unchanged_dtypes(rest[:m], new), *made]

        slots = slots_of(room, values)
        call = LoopCall(NO_BODY, None, n, None, [], values, elements.values, reverse, slots=slots)
        return run_loop(call.recorded(iteration, None))[:2]

    def probe(carry: Any, *element: Any) -> list[Any]:
        return step(carry, list(element))[0]

    types = [element_type(type_of(x)) for x in elements.values]
    final, stacked = settled(initial.strong(probe, (), types), attempt)
    return initial.build(final), containers.unflatten(structures[0], [to_user(y) for y in stacked])


def _flipped(x: Any) -> Any:
    return to_user(index(numeric(x, "an element of xs"), spec=(slice(None, None, -1),), copy=True))


def _pair(result: Any) -> tuple[Any, Any]:
    if not (isinstance(result, tuple) and len(result) == 2):
        fail(ContainerMismatchError, "the function given to scan must return a pair (carry, y); y may be None.")
    return result


def _length(elements: State, length: int | None) -> int:
    if any(not shape_of(x) for x in elements.values):
        fail(ContainerMismatchError, "scan goes along the first axis of the arrays in xs, and one of them is a number.")
    lengths = {shape_of(x)[0] for x in elements.values}
    if length is not None:
        lengths.add(operator.index(length))
    if len(lengths) != 1:
        problem = f"the arrays have different lengths {sorted(lengths)}" if lengths else "there is nothing in xs"
        fail(ContainerMismatchError, f"scan: {problem}; give arrays of one length, or the argument length.")
    return lengths.pop()


def _eager_scan(f: Any, initial: State, elements: State, n: int, reverse: bool) -> Any:
    state = initial.for_body()
    rows: list[list[Any]] = []
    structure = None
    for i in range(n - 1, -1, -1) if reverse else range(n):
        x = containers.unflatten(elements.structure, [for_body(v[i]) for v in elements.values])
        new, y = _pair(f(state, x))
        leaves, structure = containers.flatten(y)
        rows.append([private(numeric(leaf, "what a step of scan returns")) for leaf in leaves])
        state = initial.following(new, state, "the step")
    if structure is None:  # no step: recording one tells what it would return
        return _types_of_step(f, initial, elements)
    columns = zip(*(rows[::-1] if reverse else rows), strict=True)
    return state, containers.unflatten(structure, [made_here(stack(*column)) for column in columns])


def _types_of_step(f: Any, initial: State, elements: State) -> Any:
    found: list[Any] = []

    def step(*values: Any) -> list[Any]:
        split = len(initial.values)
        element = containers.unflatten(elements.structure, [to_user(x) for x in values[split:]])
        _, y = _pair(f(initial.build(values[:split]), element))
        leaves, structure = containers.flatten(y)
        values_of_y = [numeric(leaf, "what a step of scan returns") for leaf in leaves]
        found[:] = [structure, [type_of(v) for v in values_of_y]]
        return []

    types = [element_type(type_of(x)) for x in elements.values]
    record(step, [*(type_of(x) for x in initial.values), *types], "scan")
    structure, made = found
    zeros = [zeros_of(ArrayType((0, *t.shape), t.dtype)) for t in made]
    return initial.for_body(), containers.unflatten(structure, [made_here(z) for z in zeros])


def map(f: Callable[[Any], Any], xs: Any) -> Any:  # noqa: A001 - the name of JAX and of Python
    """Apply a function to the elements of arrays along their first axis, one after the other, and stack the results.

    Like `vmap`, with memory for one element at a time.

    Parameters
    ----------
    f : callable
        Function of one element (of one container of elements).
    xs : container of arrays
        Arrays of equal length.

    Returns
    -------
    container of arrays
        The results, stacked along a new first axis.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.map(lambda x: np.sum(x**2), np.arange(6.0).reshape(3, 2))
    array([ 1., 13., 41.])
    """
    return scan(lambda _, x: (None, f(x)), None, xs)[1]


def fixed_point(f: Callable[[Any], Any], x: Any, tol: float = 1e-10, max_iterations: int = 10_000) -> Any:
    """Iterate x ← f(x) until no element changes by more than `tol`.

    Parameters
    ----------
    f : callable
        Function from a container of arrays to one of the same structure and shapes.
    x : container of arrays
        Where to begin.
    tol : float
        Largest change, relative to one plus the absolute value, at which the iteration ends.
    max_iterations : int
        Number of iterations after which it ends in any case.

    Returns
    -------
    container of arrays
        The last iterate.

    Notes
    -----
    Derivatives are those of the iterations that were done. They converge to those of the fixed point at the rate of
    the iteration itself (Gilbert, "Automatic differentiation and iterative processes", 1992).

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> f = lambda a: wg.fixed_point(lambda x: 0.5 * (x + a / x), 1.0)
    >>> round(float(wg.grad(f)(4.0)), 9)
    0.25
    """

    def change(old: Any, new: Any) -> Any:
        pairs = zip(containers.flatten(old)[0], containers.flatten(new)[0], strict=True)
        largest = False
        for a, b in pairs:
            a, b = to_value(a), to_value(b)
            moved = np.any(np.abs(to_user(b) - to_user(a)) > tol * (1 + np.abs(to_user(b))))
            largest = moved | largest
        return largest

    def step(state: Any) -> Any:
        old, _, count = state
        new = f(old)
        return new, change(old, new), count + 1

    def goes_on(state: Any) -> Any:
        _, moved, count = state
        return moved & (count < max_iterations)

    return while_loop(goes_on, step, (x, np.True_, np.int64(0)))[0]


LOOPS[for_loop] = lambda slots, memory: functools.partial(_for_loop, room=Room(slots, memory))
LOOPS[while_loop] = lambda slots, memory: functools.partial(_while_loop, room=Room(slots, memory))
LOOPS[scan] = lambda slots, memory: functools.partial(_scan_with_snapshots, room=Room(slots, memory))


def _scan_with_snapshots(
    f: Any, init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, *, room: Room
) -> tuple[Any, Any]:
    return _scan(f, init, xs, length, reverse, room)
