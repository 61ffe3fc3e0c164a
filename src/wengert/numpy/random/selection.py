"""What selects, reorders or counts: `choice`, `permutation`, `shuffle`, integers, discrete distributions.

Selected elements carry their derivatives; there is none with respect to the parameters of a discrete distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.values import shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, write_out
from wengert.numpy.indexing import take
from wengert.numpy.random.state import StatefulGenerator, is_differentiated, wrapped

_numpy: Any = np.random.Generator


class SelectingGenerator(StatefulGenerator):
    """The samplers without parameters to differentiate."""

    def choice(
        self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0, shuffle: bool = True
    ) -> Any:
        """Elements (or slices) of an array, which carry their derivatives; probabilities cannot be differentiated."""
        if self.takes(a, p):
            return super().choice(a, size, replace, p, axis, shuffle)
        _refuse_differentiated("choice", p)
        population = as_array(a)
        if not shape_of(population):
            return self.passed_through(_numpy.choice, population, size, replace, p, axis, shuffle)
        count = shape_of(population)[axis]
        chosen = self.draw(lambda p: _numpy.choice(self, count, size, replace, p, 0, shuffle), p)
        return take(population, wrapped(chosen), axis)

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """A shuffled copy, or a shuffled range."""
        if self.takes(x):
            return super().permutation(x, axis)
        return self._reordered(lambda places: _numpy.permutation(self, places, axis), x)

    def permuted(self, x: Any, *, axis: Any = None, out: Any = None) -> Any:
        """A copy whose slices are shuffled independently."""
        if self.takes(x, out):
            return super().permuted(x, axis=axis, out=out)
        result = self._reordered(lambda places: _numpy.permuted(self, places, axis=axis), x)
        return result if out is None else write_out(out, result)

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Shuffle in place."""
        if self.takes(x) or isinstance(x, list):
            return _numpy.shuffle(self, x, axis)

        def shuffled(places: Any) -> Any:
            _numpy.shuffle(self, places, axis)
            return places

        x[...] = self._reordered(shuffled, x)
        return None

    def _reordered(self, reorder: Callable[[Any], Any], x: Any) -> Any:
        x = as_array(x)
        shape = shape_of(x)
        places = self.draw(lambda: reorder(np.arange(np.prod(shape, dtype=int)).reshape(shape) if shape else int(x)))
        return take(x, wrapped(places)) if shape else wrapped(places)


def _refuse_differentiated(name: str, *parameters: Any) -> None:
    if any(map(is_differentiated, parameters)):
        fail(
            UnsupportedOperationError,
            f"samples of {name} have no derivative with respect to its parameters: they are selected or counted, or "
            "their distribution has no rule. Pass wengert.stop_gradient(p) if the derivative is not wanted; else "
            "weight the results by their probabilities, or use a relaxation such as softmax((logits + gumbel) / t).",
        )


def _without_derivative(name: str) -> Callable[..., Any]:
    method = getattr(_numpy, name)

    def sampler(self: SelectingGenerator, *args: Any, **kwargs: Any) -> Any:
        if self.takes(*args, *kwargs.values()):
            return method(self, *args, **kwargs)
        _refuse_differentiated(name, *args, *kwargs.values())
        return self.passed_through(method, *args, **kwargs)

    sampler.__name__ = name
    sampler.__qualname__ = f"Generator.{name}"
    sampler.__doc__ = f"NumPy's `{name}`: samples without derivatives."
    return sampler


for _name in (
    "binomial",
    "bytes",
    "geometric",
    "hypergeometric",
    "integers",
    "logseries",
    "multinomial",
    "multivariate_hypergeometric",
    "negative_binomial",
    "poisson",
    "random",
    "standard_cauchy",
    "standard_exponential",
    "standard_normal",
    "zipf",
):
    setattr(SelectingGenerator, _name, _without_derivative(_name))
