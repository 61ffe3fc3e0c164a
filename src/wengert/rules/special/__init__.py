"""Special functions of `scipy.special`: partial derivatives, in the form that does not cancel.

Formulas are those of the NIST Digital Library of Mathematical Functions (https://dlmf.nist.gov), whose equation numbers
the comments give. Derivatives with respect to orders, degrees and most parameters have no closed form: asking for one
is an error. `common` has what the families share.
"""

import importlib
from typing import TYPE_CHECKING, Any

from wengert.rules.special.log_sums import logsumexp as logsumexp
from wengert.rules.special.log_sums import shift as shift

if TYPE_CHECKING:
    from wengert.rules.special import bessel as bessel


def __getattr__(name: str) -> Any:
    """Import the Bessel functions, which NumPy has one of, when they are first used."""
    if name == "bessel":
        return importlib.import_module(f"{__name__}.bessel")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
