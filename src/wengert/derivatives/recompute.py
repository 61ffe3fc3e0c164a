"""`checkpoint`: trade time for memory in reverse mode."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from wengert.array import Array
from wengert.core import containers
from wengert.core.values import Value
from wengert.derivatives.calls import Outputs, private, to_user
from wengert.errors import InputTypeError, fail
from wengert.transforms.checkpoint import checkpointed, innermost_tape

#: For each loop of `wengert.control`: makes its form that keeps snapshots, given their number or bytes for them.
LOOPS: dict[Any, Callable[[int | None, int | None], Callable[..., Any]]] = {}


def checkpoint(fun: Callable[..., Any], *, slots: int | None = None, memory: int | None = None) -> Callable[..., Any]:
    """Return a function like `fun` whose intermediate values are not kept for the reverse sweep but computed again.

    Memory for the piece of computation shrinks to its arguments and results, at the cost of evaluating it twice.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers. It must give the same result when it is run again (this is checked) and hand
        out what it computes only by returning it.
    slots, memory : int, optional
        For `wengert.for_loop`, `wengert.while_loop` and `wengert.scan` as `fun`: the number of snapshots of the state
        that reverse mode keeps, or the number of bytes for them (of which it takes one snapshot at least). Iterations
        are repeated from there. The body has to be one that `wengert.jit` could compile.

    Returns
    -------
    callable
        With the same arguments, results and derivatives as `fun`.

    Raises
    ------
    ImpureFunctionError
        In the reverse sweep, if the second run differs from the first.
    InputTypeError
        `slots` or `memory` for another function than a loop, both, or less than one snapshot.

    Notes
    -----
    Acts on the innermost transform of the arguments if that is reverse mode, and lets `fun` run as usual otherwise
    (Griewank & Walther, Evaluating Derivatives, chapter 12).

    A counted loop of l iterations with s slots repeats r·l - C(s+r, r-1) of them, the fewest possible, where r is the
    smallest number with C(s+r, s) ≥ l (Griewank & Walther, "Algorithm 799: Revolve", 2000). A loop with a condition
    takes snapshots at distances that double whenever the slots are used up.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import checkpoint, grad
    >>> layer = checkpoint(lambda x: np.tanh(np.sin(x) * x))
    >>> grad(lambda x: layer(layer(x)))(1.0) == grad(lambda x: layer.__wrapped__(layer.__wrapped__(x)))(1.0)
    np.True_

    A loop over 1000 steps that keeps 10 states:

    >>> import wengert as wg
    >>> loop = checkpoint(wg.for_loop, slots=10)
    >>> f = lambda x: loop(1000, lambda i, y: y + 1e-3 * np.sin(y), x)
    >>> g = lambda x: wg.for_loop(1000, lambda i, y: y + 1e-3 * np.sin(y), x)
    >>> bool(np.isclose(grad(f)(1.0), grad(g)(1.0)))
    True
    """
    if slots is not None or memory is not None:
        return _with_snapshots(fun, slots, memory)

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = containers.flatten((args, kwargs))
        values = [x.immutable_value if isinstance(x, Array) else x for x in leaves]
        tape = innermost_tape(values)
        if tape is None:
            return fun(*args, **kwargs)
        kept = list(map(private, values))
        out_structure: list[Any] = []

        def run() -> list[Any]:
            fresh = [to_user(v) if isinstance(v, Value) else private(v) for v in kept]
            new_args, new_kwargs = containers.unflatten(structure, fresh)
            outputs = Outputs(fun(*new_args, **new_kwargs), "checkpoint")
            out_structure[:] = [outputs.structure]
            return outputs.values

        outs = checkpointed(tape, run)
        return containers.unflatten(out_structure[0], [to_user(o) for o in outs])

    return wrapped


def _with_snapshots(fun: Callable[..., Any], slots: int | None, memory: int | None) -> Callable[..., Any]:
    make = LOOPS.get(fun)
    if make is None:
        fail(
            InputTypeError,
            "checkpoint takes slots and memory for the loops wengert.for_loop, wengert.while_loop and wengert.scan; "
            "any other function is run again from its arguments, as checkpoint(fun).",
        )
    if (slots is None) == (memory is None) or (slots if memory is None else memory) < 1:  # type: ignore[operator]
        fail(InputTypeError, f"checkpoint takes either slots or memory, a positive number; got {slots} and {memory}.")
    return make(slots, memory)
