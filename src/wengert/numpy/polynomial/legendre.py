"""Legendre series: the functions of `numpy.polynomial.legendre`, differentiable."""

from typing import Any

from numpy.polynomial import legendre as _numpy

from wengert.numpy.polynomial.classes import class_of
from wengert.numpy.polynomial.series import functions_of

_functions = functions_of("legendre")
globals().update(_functions)
Legendre = class_of("legendre", _functions)


def __getattr__(name: str) -> Any:
    """What has nothing to differentiate is NumPy's."""
    return getattr(_numpy, name)
