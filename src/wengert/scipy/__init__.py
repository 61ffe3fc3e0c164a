"""Parts of SciPy, differentiable. SciPy's own ufuncs work on Arrays too: ``scipy.special.erf(x)``."""

from wengert.scipy import linalg as linalg
from wengert.scipy import special as special
