"""NumPy's namespace, differentiable: ``import wengert.numpy as np``.

Every name is declared in one of the modules below, whose ``__all__`` lists what it gives to the namespace:

============== =====================================================================
`ufuncs`       arithmetic, elementary functions, comparisons
`creation`     zeros, arange, array …
`shaping`      reshape, transpose, broadcast_to …
`joining`      concatenate, split, insert …
`padding`      pad
`indexing`     take, diag, tril, select …
`writing`      put, copyto, fill_diagonal …
`reductions`   sum, max, mean, cumsum …
`missing`      nansum, nanmax …
`histograms`   histogram, histogram2d …
`statistics`   average, cov, corrcoef
`quantiles`    median, quantile, percentile, with and without NaNs
`sorting`      sort, argsort, searchsorted …
`sets`         unique, union1d, isin …
`contraction`  dot, tensordot, einsum …
`calculus`     interp, gradient, trapezoid, convolve …
`polynomials`  polyval, polyfit, roots …
`windows`      kaiser, hanning …
`brackets`     ``r_`` and ``c_``
`functional`   piecewise, vectorize, apply_along_axis, fromfunction …
`comparison`   shape, isclose, allclose, result_type …
`standard`     unique_all, cumulative_sum, from_dlpack … of the array API standard
`plain`        constants, dtypes and what else NumPy has that is not differentiated
============== =====================================================================

With plain arguments each function is NumPy's own. How it gets to traced arguments is in `dispatch` and `universal`.
What NumPy has and this namespace does not is listed, with reasons, in `absent`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from wengert.numpy import (
    brackets,
    calculus,
    comparison,
    contraction,
    creation,
    emath,
    fft,
    functional,
    histograms,
    indexing,
    joining,
    lib,
    linalg,
    methods,  # noqa: F401  (attaches the methods of Array)
    missing,
    padding,
    plain,
    polynomials,
    quantiles,
    reductions,
    sets,
    shaping,
    sorting,
    standard,
    statistics,
    ufuncs,
    windows,
    writing,
)
from wengert.numpy.absent import ABSENT
from wengert.numpy.brackets import *  # noqa: F403
from wengert.numpy.calculus import *  # noqa: F403
from wengert.numpy.comparison import *  # noqa: F403
from wengert.numpy.contraction import *  # noqa: F403
from wengert.numpy.creation import *  # noqa: F403
from wengert.numpy.functional import *  # noqa: F403
from wengert.numpy.histograms import *  # noqa: F403
from wengert.numpy.indexing import *  # noqa: F403
from wengert.numpy.joining import *  # noqa: F403
from wengert.numpy.missing import *  # noqa: F403
from wengert.numpy.padding import *  # noqa: F403
from wengert.numpy.plain import *  # noqa: F403
from wengert.numpy.polynomials import *  # noqa: F403
from wengert.numpy.quantiles import *  # noqa: F403
from wengert.numpy.reductions import *  # noqa: F403
from wengert.numpy.sets import *  # noqa: F403
from wengert.numpy.shaping import *  # noqa: F403
from wengert.numpy.sorting import *  # noqa: F403
from wengert.numpy.standard import *  # noqa: F403
from wengert.numpy.statistics import *  # noqa: F403
from wengert.numpy.ufuncs import *  # noqa: F403
from wengert.numpy.windows import *  # noqa: F403
from wengert.numpy.writing import *  # noqa: F403

__all__ = ["emath", "fft", "lib", "linalg", "polynomial", "random"]
__all__ += brackets.__all__
__all__ += calculus.__all__
__all__ += comparison.__all__
__all__ += contraction.__all__
__all__ += creation.__all__
__all__ += functional.__all__
__all__ += histograms.__all__
__all__ += indexing.__all__
__all__ += joining.__all__
__all__ += missing.__all__
__all__ += padding.__all__
__all__ += plain.__all__
__all__ += polynomials.__all__
__all__ += quantiles.__all__
__all__ += reductions.__all__
__all__ += sets.__all__
__all__ += shaping.__all__
__all__ += sorting.__all__
__all__ += standard.__all__
__all__ += statistics.__all__
__all__ += ufuncs.__all__
__all__ += windows.__all__
__all__ += writing.__all__

if TYPE_CHECKING:
    from wengert.numpy import polynomial, random

#: Modules that are imported when they are first used, so that ``import wengert`` is fast.
LAZY = {"polynomial": "wengert.numpy.polynomial", "random": "wengert.numpy.random"}


def __dir__() -> list[str]:
    """Modules that are not imported yet, too."""
    return sorted({*globals(), *LAZY})


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a module when it is first used; say why a name is not there."""
        if name in LAZY:
            return importlib.import_module(LAZY[name])
        reason = f": {ABSENT[name]}" if name in ABSENT else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{reason}", name=name)
