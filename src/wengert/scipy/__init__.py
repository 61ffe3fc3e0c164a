"""Parts of SciPy, differentiable. SciPy's own ufuncs work on Arrays too: ``scipy.special.erf(x)``.

Each module is imported when it is first used (``import wengert; wengert.scipy.signal.lfilter``): those of SciPy behind
them take longer to import than all of Wengert.
"""

import importlib
from typing import TYPE_CHECKING, Any

from wengert import array, numpy

if TYPE_CHECKING:
    from wengert.scipy import integrate as integrate
    from wengert.scipy import interpolate as interpolate
    from wengert.scipy import linalg as linalg
    from wengert.scipy import ndimage as ndimage
    from wengert.scipy import optimize as optimize
    from wengert.scipy import signal as signal
    from wengert.scipy import sparse as sparse
    from wengert.scipy import special as special
    from wengert.scipy import stats as stats

_LAZY = {"integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "special", "stats"}

# SciPy's own ufuncs work on Arrays without this module being imported.
array.LAZY.append("wengert.scipy.special")
# Code for the array API standard, SciPy's own with SCIPY_ARRAY_API=1, looks for special functions in the namespace of
# the array, as an extension like linalg and fft.
numpy.LAZY["special"] = "wengert.scipy.special"


def __getattr__(name: str) -> Any:
    """Import a module when it is first used."""
    if name in _LAZY:
        return importlib.import_module(f"wengert.scipy.{name}")
    raise AttributeError(f"module 'wengert.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Modules that are not imported yet, too."""
    return sorted({*globals(), *_LAZY})
