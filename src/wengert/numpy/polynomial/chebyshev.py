"""Chebyshev series: the functions of `numpy.polynomial.chebyshev`, differentiable."""

from typing import Any

from numpy.polynomial import chebyshev as _numpy

from wengert.numpy.polynomial.classes import class_of
from wengert.numpy.polynomial.series import functions_of

_functions = functions_of("chebyshev")
globals().update(_functions)
Chebyshev = class_of("chebyshev", _functions)


def __getattr__(name: str) -> Any:
    """What has nothing to differentiate is NumPy's."""
    return getattr(_numpy, name)
