"""Power series: the functions of `numpy.polynomial.polynomial`, differentiable."""

from typing import Any

from numpy.polynomial import polynomial as _numpy

from wengert.numpy.polynomial.classes import class_of
from wengert.numpy.polynomial.series import functions_of

_functions = functions_of("polynomial")
globals().update(_functions)
Polynomial = class_of("polynomial", _functions)


def __getattr__(name: str) -> Any:
    """What has nothing to differentiate is NumPy's."""
    return getattr(_numpy, name)
