"""How a distribution of `wengert.scipy.stats` comes about: formulas on the standard support, all the rest here.

A distribution is a subclass of `Continuous` or `Discrete` with formulas for location 0 and scale 1. `Continuous.logpdf`
shifts and scales, takes care of the support and of parameters that make no sense, and of numbers that formulas must
not see. (They get a harmless number in those places, so that derivatives are right next to them: 0 outside of the
support, NaN where the parameters make no sense.)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from wengert.array import unwrap
from wengert.core.values import dtype_of, shape_of
from wengert.errors import InputTypeError, fail
from wengert.numpy.dispatch import as_array
from wengert.numpy.shaping import cast
from wengert.numpy.ufuncs import blend, exp, floor, isnan, log, log1p

INFINITY = math.inf


def real_numbers(x: Any, name: str) -> Any:
    """Return an array in double precision, which SciPy computes densities in."""
    x = as_array(x)
    if dtype_of(x).kind not in "fiub":
        fail(InputTypeError, f"densities are functions of real numbers; {name} is of type {dtype_of(x)}.")
    return x if dtype_of(x) == np.float64 else cast(x, np.dtype(float))


def scalar_if_plain(x: Any) -> Any:
    """Return a NumPy scalar for an ndarray without axes, as SciPy does."""
    return x[()] if type(x) is np.ndarray else x


def choose(condition: Any, x: Any, y: Any) -> Any:
    """Return where(condition, x, y), without work if the condition is known to hold everywhere, as it mostly does."""
    known = unwrap(condition)
    if isinstance(known, (bool, np.bool_, np.ndarray)) and np.all(known):
        shape = shape_of(x)
        if shape_of(known) in ((), shape) and (type(y) is float or shape_of(y) in ((), shape)):
            return x
    return blend(condition, x, y)


class Distribution:
    """What both kinds have in common: parameters by position or name, freezing.

    Attributes
    ----------
    shapes
        Names of the parameters besides location and scale.
    support
        Ends of the support, for location 0 and scale 1.
    """

    name: str
    shapes: ClassVar[tuple[str, ...]] = ()
    support: ClassVar[tuple[float, float]] = (-INFINITY, INFINITY)
    _moves: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<distribution {self.name} of wengert.scipy.stats>"

    def __call__(self, *args: Any, **kwds: Any) -> Frozen:
        """Fix the parameters."""
        self._parameters(args, kwds)
        return Frozen(self, args, kwds)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "name" not in self.__dict__:
            raise AttributeError(name)
        raise AttributeError(
            f"wengert.scipy.stats.{self.name} has no '{name.lstrip('_')}': there are densities, distribution functions "
            f"and their inverses where these have known derivatives. For plain numbers use scipy.stats.{self.name}."
        )

    def _parameters(self, args: tuple[Any, ...], kwds: dict[str, Any]) -> list[Any]:
        """Values of the parameters in order, location and scale filled in."""
        names = (*self.shapes, *self._moves)
        if len(args) > len(names):
            raise TypeError(f"{self.name} takes at most {len(names)} parameters, {len(args)} were given")
        values = dict(zip(names, args, strict=False))
        for key, value in kwds.items():
            if key not in names:
                raise TypeError(f"{self.name} got an unexpected keyword argument '{key}'")
            if key in values:
                raise TypeError(f"{self.name} got multiple values for argument '{key}'")
            values[key] = value
        missing = [s for s in self.shapes if s not in values]
        if missing:
            raise TypeError(f"{self.name} is missing the parameter{'s' * (len(missing) > 1)} {', '.join(missing)}")
        values = {"loc": 0.0, "scale": 1.0} | values
        return [real_numbers(values[k], k) for k in names]

    #: Where the parameters make sense, and the ends of the support: functions of the parameters.
    _valid: Any = lambda self, *shapes: _all_positive(*shapes)
    _ends: Any = lambda self, *shapes: self.support


def _all_positive(*shapes: Any) -> Any:
    valid: Any = np.True_
    for s in shapes:
        valid = valid & (s > 0)
    return valid


class Frozen:
    """A distribution with fixed parameters."""

    def __init__(self, distribution: Distribution, args: tuple[Any, ...], kwds: dict[str, Any]) -> None:
        self.distribution, self.args, self.kwds = distribution, args, kwds

    def __repr__(self) -> str:
        return f"<{self.distribution.name} with fixed parameters>"

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.distribution, name)
        return lambda *x: method(*x, *self.args, **self.kwds)


def _quietly(method: Callable[..., Any]) -> Callable[..., Any]:
    """Without NumPy's warnings, which SciPy does not give either."""

    @functools.wraps(method)
    def function(self: Any, x: Any, *args: Any, **kwds: Any) -> Any:
        with np.errstate(all="ignore"):
            return scalar_if_plain(method(self, x, *args, **kwds))

    return function


def _log_of_part(p: Any, rest: Any) -> Any:
    """log p, where p + rest = 1, accurate also where p is nearly 1."""
    near = rest < 0.5
    return choose(near, log1p(-choose(near, rest, 0.0)), log(choose(near, 1.0, p)))


class Continuous(Distribution):
    """A distribution with a density. Subclasses give formulas `_logpdf`, `_cdf`, `_ppf`, … of standard numbers."""

    #: A number inside the support, and parameters, for which all formulas are finite.
    typical: ClassVar[float] = 0.5
    typical_shapes: ClassVar[tuple[float, ...]] = (1.0, 2.0)
    # Formulas of the standard number and the parameters.
    _logpdf: Any
    _cdf: Any
    _ppf: Any
    _sf: Any = lambda self, y, *shapes: 1.0 - self._cdf(y, *shapes)
    _logcdf: Any = lambda self, y, *shapes: _log_of_part(self._cdf(y, *shapes), self._sf(y, *shapes))
    _logsf: Any = lambda self, y, *shapes: _log_of_part(self._sf(y, *shapes), self._cdf(y, *shapes))
    _isf: Any = lambda self, q, *shapes: self._ppf(1.0 - q, *shapes)

    def _prepared(self, x: Any, args: Any, kwds: Any) -> tuple[Any, list[Any], Any, Any, Any]:
        """Return x, the parameters, location, scale and where all of these make sense."""
        *shapes, loc, scale = self._parameters(args, kwds)
        x = real_numbers(x, "the argument")
        positive = scale > 0
        valid = self._valid(*shapes) & positive & ~isnan(loc)
        for k, s in enumerate(shapes):
            shapes[k] = choose(valid, s, self.typical_shapes[k])
        return x, shapes, loc, choose(positive, scale, 1.0), valid

    def _standard(self, x: Any, args: Any, kwds: Any) -> tuple[Any, list[Any], Any, Any]:
        """Return the standard number, the parameters, the scale, and where x and they make sense."""
        x, shapes, loc, scale, valid = self._prepared(x, args, kwds)
        y = (x - loc) / scale
        return y, shapes, scale, valid & ~isnan(y)

    @_quietly
    def logpdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the density."""
        y, shapes, scale, valid = self._standard(x, args, kwds)
        low, high = self._ends(*shapes)
        inside = (y >= low) & (y <= high) & (abs(y) < INFINITY)
        out = self._logpdf(choose(inside, y, self.typical), *shapes) - log(scale)
        return choose(valid, choose(inside, out, -INFINITY), np.nan)

    @_quietly
    def pdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Density."""
        return exp(self.logpdf(x, *args, **kwds))

    def _between(self, formula: Callable[..., Any], low_value: float, high_value: float, x: Any, args: Any, kwds: Any):
        y, shapes, _, valid = self._standard(x, args, kwds)
        low, high = self._ends(*shapes)
        inside = (y > low) & (y < high)
        out = formula(choose(inside, y, self.typical), *shapes)
        out = choose(inside, out, choose(y >= high, high_value, low_value))
        return choose(valid, out, np.nan)

    @_quietly
    def cdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Distribution function."""
        return self._between(self._cdf, 0.0, 1.0, x, args, kwds)

    @_quietly
    def logcdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the distribution function."""
        return self._between(self._logcdf, -INFINITY, 0.0, x, args, kwds)

    @_quietly
    def sf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Survival function: 1 - cdf, without cancellation."""
        return self._between(self._sf, 1.0, 0.0, x, args, kwds)

    @_quietly
    def logsf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the survival function."""
        return self._between(self._logsf, 0.0, -INFINITY, x, args, kwds)

    def _quantile(self, formula: Callable[..., Any], q: Any, args: Any, kwds: Any, start: int) -> Any:
        q, shapes, loc, scale, valid = self._prepared(q, args, kwds)
        ends = self._ends(*shapes)
        inside = (q > 0) & (q < 1)
        out = formula(choose(inside, q, 0.5), *shapes)
        out = choose(inside, out, choose(q >= 1, ends[1 - start], ends[start]))
        return choose(valid & (q >= 0) & (q <= 1), out * scale + loc, np.nan)

    @_quietly
    def ppf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """Quantile: the inverse of `cdf`."""
        return self._quantile(self._ppf, q, args, kwds, 0)

    @_quietly
    def isf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The inverse of `sf`."""
        return self._quantile(self._isf, q, args, kwds, 1)


class Discrete(Distribution):
    """A distribution on integers; there is no derivative with respect to these."""

    _moves = ("loc",)
    support = (0.0, INFINITY)
    typical_shapes: ClassVar[tuple[float, ...]] = (0.5,)
    _logpmf: Any
    _cdf: Any
    _sf: Any = lambda self, k, *shapes: 1.0 - self._cdf(k, *shapes)

    def _prepared(self, k: Any, args: Any, kwds: Any) -> tuple[Any, list[Any], Any, Any]:
        """Return k - loc, its integer part without a derivative, the parameters and where all of these make sense."""
        *shapes, loc = self._parameters(args, kwds)
        k = real_numbers(k, "the argument") - loc
        valid = self._valid(*shapes) & ~isnan(k)
        shapes = [choose(valid, s, t) for s, t in zip(shapes, self.typical_shapes, strict=True)]
        return k, shapes, floor(k), valid

    @_quietly
    def logpmf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the probability."""
        k, shapes, whole, valid = self._prepared(k, args, kwds)
        low, high = self._ends(*shapes)
        inside = (k >= low) & (k <= high) & (k == whole) & (k < INFINITY)
        out = self._logpmf(choose(inside, whole, low), *shapes)
        return choose(valid, choose(inside, out, -INFINITY), np.nan)

    @_quietly
    def pmf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Probability."""
        return exp(self.logpmf(k, *args, **kwds))

    def _below(self, formula: Callable[..., Any], low_value: float, high_value: float, k: Any, args: Any, kwds: Any):
        k, shapes, whole, valid = self._prepared(k, args, kwds)
        low, high = self._ends(*shapes)
        inside = (k >= low) & (k < high)
        out = choose(inside, formula(choose(inside, whole, low), *shapes), choose(k >= high, high_value, low_value))
        return choose(valid, out, np.nan)

    @_quietly
    def cdf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Distribution function."""
        return self._below(self._cdf, 0.0, 1.0, k, args, kwds)

    @_quietly
    def sf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Survival function: 1 - cdf, without cancellation."""
        return self._below(self._sf, 1.0, 0.0, k, args, kwds)

    @_quietly
    def logcdf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the distribution function."""
        return log(self.cdf(k, *args, **kwds))

    @_quietly
    def logsf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """Logarithm of the survival function."""
        return log(self.sf(k, *args, **kwds))
