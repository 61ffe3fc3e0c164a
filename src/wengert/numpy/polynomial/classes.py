"""The classes of `numpy.polynomial`, which may hold traced coefficients and be called with traced arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import polyutils

from wengert.array import contains_traced
from wengert.core.values import shape_of
from wengert.numpy.dispatch import as_array
from wengert.rules.polynomials import PREFIXES, STEPS

_NAMES = {
    "polynomial": "Polynomial",
    "chebyshev": "Chebyshev",
    "legendre": "Legendre",
    "hermite": "Hermite",
    "hermite_e": "HermiteE",
    "laguerre": "Laguerre",
}
_CLASSES = tuple(getattr(np.polynomial, name) for name in _NAMES.values())
_METHODS = ("val", "add", "sub", "mul", "div", "pow", "int", "der", "fit", "line", "roots", "fromroots", "trim")


def _mapped(x: Any, old: Any, new: Any) -> Any:
    """Map linearly from one interval to another."""
    offset, scale = polyutils.mapparms(old, new)
    return offset + scale * x


class _Series:
    """What traced coefficients and arguments need; all else is NumPy's class, over the functions of this package."""

    coef: Any
    domain: Any
    window: Any
    symbol: Any
    _basis: str
    _val: Any
    _roots: Any
    _fromroots: Any
    _trim: Any
    _fit: Any

    def __init__(self, coef: Any, domain: Any = None, window: Any = None, symbol: str = "x") -> None:
        traced = contains_traced(coef)
        super().__init__([0.0] if traced else coef, domain, window, symbol)  # type: ignore[call-arg]
        if traced:
            self.coef = as_array(coef)

    def __call__(self, arg: Any) -> Any:
        if not contains_traced([arg, self.coef]):
            return super().__call__(arg)  # type: ignore[misc]
        if isinstance(arg, _CLASSES):
            return self._composed(_mapped(arg, self.domain, self.window))
        return self._val(_mapped(as_array(arg), self.domain, self.window), self.coef)

    def _composed(self, x: Any) -> Any:
        """Evaluate at another series, by Clenshaw's recurrence."""
        step = STEPS[self._basis]
        total, behind = self.coef[-1] + 0 * x, 0
        for k in range(len(self.coef) - 2, -1, -1):
            a, b, _ = step(k)
            total, behind = self.coef[k] + total * (a * x + b) - step(k + 1)[2] * behind, total
        return total

    def __truediv__(self, other: Any) -> Any:
        if not contains_traced(other):
            return super().__truediv__(other)  # type: ignore[misc]
        return type(self)(self.coef / other, self.domain, self.window, self.symbol)

    def roots(self) -> Any:
        return _mapped(self._roots(self.coef), self.window, self.domain)

    def trim(self, tol: float = 0) -> Any:
        return type(self)(self._trim(self.coef, tol), self.domain, self.window, self.symbol)

    @classmethod
    def fromroots(cls, roots: Any, domain: Any = [], window: Any = None, symbol: str = "x") -> Any:  # noqa: B006
        if not contains_traced(roots):
            return super().fromroots(roots, domain, window, symbol)  # type: ignore[misc]
        if domain is None:
            raise TypeError(f"{cls.__name__}.fromroots needs domain=[…] with plain numbers where roots are traced")
        domain = cls.domain if len(domain) == 0 else domain
        window = cls.window if window is None else window
        roots = as_array(roots)
        _, scale = polyutils.mapparms(domain, window)
        coef = cls._fromroots(_mapped(roots, domain, window)) / scale ** shape_of(roots)[0]
        return cls(coef, domain, window, symbol)

    @classmethod
    def fit(
        cls,
        x: Any,
        y: Any,
        deg: Any,
        domain: Any = None,
        rcond: Any = None,
        full: bool = False,
        w: Any = None,
        window: Any = None,
        symbol: str = "x",
    ) -> Any:
        if not contains_traced([x, y, w]):
            return super().fit(x, y, deg, domain, rcond, full, w, window, symbol)  # type: ignore[misc]
        if domain is None:
            x = as_array(x)
            domain = [x.min(), x.max()]
        elif len(domain) == 0:
            domain = cls.domain
        if contains_traced(domain):
            raise TypeError(f"{cls.__name__}.fit needs domain=[…] with plain numbers where x is traced")
        window = cls.window if window is None else window
        result = cls._fit(_mapped(as_array(x), domain, window), y, deg, rcond=rcond, full=full, w=w)
        if full:
            return cls(result[0], domain, window, symbol), result[1]
        return cls(result, domain, window, symbol)


def class_of(basis: str, functions: dict[str, Callable[..., Any]]) -> type:
    """Make the class of one basis."""
    theirs = getattr(np.polynomial, _NAMES[basis])
    methods = {f"_{name}": staticmethod(functions[PREFIXES[basis] + name]) for name in _METHODS}
    text = {"__doc__": theirs.__doc__, "__module__": "wengert.numpy.polynomial"}
    return type(_NAMES[basis], (_Series, theirs), {"_basis": basis, **methods, **text})
