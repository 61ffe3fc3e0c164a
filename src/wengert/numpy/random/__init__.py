"""NumPy's `random`, with a generator whose samples are differentiable in their parameters.

`default_rng(seed)` makes a `Generator`: the numbers are NumPy's, and a sample drawn with traced parameters carries
their derivatives. The module's functions on the hidden global state (`normal`, `rand` …) are NumPy's own, without
derivatives: they refuse traced parameters, and to be part of a compiled program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import (
    MT19937,
    PCG64,
    PCG64DXSM,
    SFC64,
    BitGenerator,
    Philox,
    RandomState,
    SeedSequence,
)

from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import has_traced
from wengert.numpy.random.generator import Generator
from wengert.numpy.random.state import refuse_recording


def default_rng(seed: Any = None) -> Generator:
    """Make a generator of random numbers, as `numpy.random.default_rng` does.

    Parameters
    ----------
    seed : None, int, sequence of int, SeedSequence, BitGenerator, Generator or RandomState
        As in NumPy. A generator of NumPy shares its state with the new one.

    Returns
    -------
    Generator
        Draws the same numbers as NumPy's, with derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.numpy.random import default_rng
    >>> default_rng(1).normal(size=2) == np.random.default_rng(1).normal(size=2)
    array([ True,  True])
    >>> grad(lambda mu, sigma: default_rng(1).normal(mu, sigma), argnums=(0, 1))(2.0, 3.0)
    (np.float64(1.0), np.float64(0.345584192064786))
    """
    return seed if isinstance(seed, Generator) else Generator(np.random.default_rng(seed).bit_generator)


def _on_hidden_state(name: str) -> Callable[..., Any]:
    function = getattr(np.random, name)

    @functools.wraps(function)
    def sampler(*args: Any, **kwargs: Any) -> Any:
        refuse_recording()
        if has_traced(args, kwargs):
            fail(
                UnsupportedOperationError,
                f"numpy.random.{name} has no derivatives with respect to its parameters. Use a generator: "
                f"rng = wengert.numpy.random.default_rng(seed) and rng.{name}, or pass wengert.stop_gradient(x).",
            )
        return function(*args, **kwargs)

    return sampler


_NOT_SAMPLERS = {
    "get_bit_generator",
    "get_state",
    "mtrand",
    "bit_generator",
    "seed",
    "set_bit_generator",
    "set_state",
    "test",
}
_SAMPLERS = {
    name: _on_hidden_state(name)
    for name in dir(np.random)
    if name.islower()
    and not name.startswith("_")
    and name not in {*_NOT_SAMPLERS, "default_rng"}
    and callable(getattr(np.random, name))
}


def __getattr__(name: str) -> Any:
    """Everything else is NumPy's."""
    return _SAMPLERS.get(name) or getattr(np.random, name)


__all__ = [
    "MT19937",
    "PCG64",
    "PCG64DXSM",
    "SFC64",
    "BitGenerator",
    "Generator",
    "Philox",
    "RandomState",
    "SeedSequence",
    "default_rng",
]
