"""`wengert.scipy` as a package: modules are imported when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wengert

_HEAVY = ("stats", "signal", "interpolate", "ndimage", "optimize", "integrate")

_PROGRAM = """
import sys, wengert
from wengert.scipy import linalg, special
assert not [m for m in {heavy} if "wengert.scipy." + m in sys.modules], "imported too early"
before = set(sys.modules)
wengert.scipy.interpolate.CubicSpline([0.0, 1.0], [0.0, 1.0])(0.3)
wengert.scipy.stats.norm.logpdf(0.3)
assert not [m for m in ("scipy.interpolate", "scipy.stats", "scipy.signal") if m in sys.modules and m not in before]
"""


def test_modules_are_imported_when_they_are_used():
    program = _PROGRAM.format(heavy=_HEAVY)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_names():
    assert {*_HEAVY, "linalg", "special", "sparse"} <= set(dir(wengert.scipy))
    assert wengert.scipy.sparse.linalg.spsolve is not None
    with pytest.raises(AttributeError, match="cluster"):
        _ = wengert.scipy.cluster
