"""Hermite series: the functions of `numpy.polynomial.hermite`, differentiable."""

from typing import Any

from numpy.polynomial import hermite as _numpy

from wengert.numpy.polynomial.classes import class_of
from wengert.numpy.polynomial.series import functions_of

_functions = functions_of("hermite")
globals().update(_functions)
Hermite = class_of("hermite", _functions)


def __getattr__(name: str) -> Any:
    """What has nothing to differentiate is NumPy's."""
    return getattr(_numpy, name)
