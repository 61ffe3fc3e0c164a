"""`checkpoint`: trade time for memory in reverse mode."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.array import Array
from wengert.core import containers
from wengert.core.values import Value
from wengert.derivatives.calls import Outputs, to_user
from wengert.transforms.checkpoint import checkpointed, innermost_tape


def checkpoint(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function like `fun` whose intermediate values are not kept for the reverse sweep but computed again.

    Memory for the piece of computation shrinks to its arguments and results, at the cost of evaluating it twice.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers. It must give the same result when it is run again (this is checked) and hand
        out what it computes only by returning it.

    Returns
    -------
    callable
        With the same arguments, results and derivatives as `fun`.

    Raises
    ------
    ImpureFunctionError
        In the reverse sweep, if the second run differs from the first.

    Notes
    -----
    Acts on the innermost transform of the arguments if that is reverse mode, and lets `fun` run as usual otherwise
    (Griewank & Walther, Evaluating Derivatives, chapter 12).

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import checkpoint, grad
    >>> layer = checkpoint(lambda x: np.tanh(np.sin(x) * x))
    >>> grad(lambda x: layer(layer(x)))(1.0) == grad(lambda x: layer.__wrapped__(layer.__wrapped__(x)))(1.0)
    np.True_
    """

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = containers.flatten((args, kwargs))
        values = [x.immutable_value if isinstance(x, Array) else x for x in leaves]
        tape = innermost_tape(values)
        if tape is None:
            return fun(*args, **kwargs)
        kept = [v.copy("K") if isinstance(v, np.ndarray) else v for v in values]
        out_structure: list[Any] = []

        def run() -> list[Any]:
            fresh = [
                to_user(v) if isinstance(v, Value) else v.copy("K") if isinstance(v, np.ndarray) else v for v in kept
            ]
            new_args, new_kwargs = containers.unflatten(structure, fresh)
            outputs = Outputs(fun(*new_args, **new_kwargs), "checkpoint")
            out_structure[:] = [outputs.structure]
            return outputs.values

        outs = checkpointed(tape, run)
        return containers.unflatten(out_structure[0], [to_user(o) for o in outs])

    return wrapped
