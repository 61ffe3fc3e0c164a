"""Hermite (probabilists') series: the functions of `numpy.polynomial.hermite_e`, differentiable."""

from typing import Any

from numpy.polynomial import hermite_e as _numpy

from wengert.numpy.polynomial.classes import class_of
from wengert.numpy.polynomial.series import functions_of

_functions = functions_of("hermite_e")
globals().update(_functions)
HermiteE = class_of("hermite_e", _functions)


def __getattr__(name: str) -> Any:
    """What has nothing to differentiate is NumPy's."""
    return getattr(_numpy, name)
