"""`scipy.special`, differentiable.

Ufuncs are rows, which also make SciPy's own functions of the same names take Arrays. Some are Python functions
in SciPy, which convert their arguments to plain arrays (`logsumexp`, `softmax`, `polygamma`, `zeta`, `lambertw`,
`spherical_jn` …): those have to be called from here (SciPy's own raise a `ConcretizationError` on traced arrays).
"""

from typing import Any

from scipy.special import SpecialFunctionError, SpecialFunctionWarning, errstate, geterr, seterr

from wengert.scipy.special import functions, log_sums, missing, ufuncs, wave_functions
from wengert.scipy.special.functions import *  # noqa: F403
from wengert.scipy.special.log_sums import *  # noqa: F403
from wengert.scipy.special.ufuncs import *  # noqa: F403
from wengert.scipy.special.wave_functions import *  # noqa: F403

__all__ = [
    "SpecialFunctionError",
    "SpecialFunctionWarning",
    "errstate",
    "geterr",
    "seterr",
]
__all__ += functions.__all__
__all__ += log_sums.__all__
__all__ += ufuncs.__all__
__all__ += wave_functions.__all__


def __getattr__(name: str) -> Any:
    if name in missing.REASONS:
        return missing.refusing(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
