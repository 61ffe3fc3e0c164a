"""Laguerre series: the functions of `numpy.polynomial.laguerre`, differentiable."""

from typing import Any

from numpy.polynomial import laguerre as _numpy

from wengert.numpy.polynomial.classes import class_of
from wengert.numpy.polynomial.series import functions_of

_functions = functions_of("laguerre")
globals().update(_functions)
Laguerre = class_of("laguerre", _functions)


def __getattr__(name: str) -> Any:
    """What has nothing to differentiate is NumPy's."""
    return getattr(_numpy, name)
