"""`numpy.polynomial`, differentiable: the functions of its six modules take traced points and coefficients.

So do the classes, which are NumPy's otherwise. (NumPy's own classes, `numpy.polynomial.Polynomial` and so on, turn what
they are given into plain arrays, which is an error for traced ones.)

NumPy drops trailing coefficients of a result that are zero; with traced coefficients they stay, because their
derivatives need not be zero.
"""

from numpy.polynomial import set_default_printstyle

from wengert.numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre, polynomial
from wengert.numpy.polynomial.chebyshev import Chebyshev
from wengert.numpy.polynomial.hermite import Hermite
from wengert.numpy.polynomial.hermite_e import HermiteE
from wengert.numpy.polynomial.laguerre import Laguerre
from wengert.numpy.polynomial.legendre import Legendre
from wengert.numpy.polynomial.polynomial import Polynomial

__all__ = [
    "Chebyshev",
    "Hermite",
    "HermiteE",
    "Laguerre",
    "Legendre",
    "Polynomial",
    "chebyshev",
    "hermite",
    "hermite_e",
    "laguerre",
    "legendre",
    "polynomial",
    "set_default_printstyle",
]
