"""What ``import wengert`` loads, and what it leaves to be imported when it is first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wengert

_HEAVY = ("stats", "signal", "interpolate", "ndimage", "optimize", "integrate")

_LAZY = [
    "scipy.special",
    "wengert.numpy.polynomial",
    "wengert.numpy.random",
    "wengert.optim",
    "wengert.rules.implicit",
    "wengert.rules.special.bessel",
    "wengert.scipy.linalg",
    "wengert.scipy.special",
    *(f"wengert.scipy.{name}" for name in _HEAVY),
]


def run(program: str) -> str:
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_what_few_programs_use_is_not_imported():
    program = "import sys, numpy, scipy.linalg; old = {*sys.modules}; import wengert; print(*({*sys.modules} - old))"
    loaded = run(program).split()
    assert sorted({*_LAZY} & {*loaded}) == []
    others = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert others <= {"wengert", "llvmlite", "optree", "typing_extensions", "scipy", "numpy"}
    assert len(loaded) < 250  # 140 of Wengert, 60 of llvmlite and optree


_FIRST_USES = {
    "attribute": "assert wengert.scipy.special.erf(0.5) == sp.erf(0.5)",
    "array API": "assert wengert.numpy.special.erf(0.5) == sp.erf(0.5)",
    "linear algebra": "assert wengert.scipy.linalg.det(np.eye(2)) == 1",
    "random": "assert wengert.numpy.random.default_rng(1).normal() == np.random.default_rng(1).normal()",
    "polynomials": "assert wengert.numpy.polynomial.Polynomial([1.0, 2.0])(3.0) == 7",
    "SciPy's ufunc": "assert wengert.grad(sp.erf)(0.0) == 2 / np.sqrt(np.pi)",
    "SciPy's ufunc, compiled": "assert wengert.jit(wengert.grad(sp.erf))(0.0) == 2 / np.sqrt(np.pi)",
    "SciPy's ufunc of plain numbers": "assert sp.erf(wengert.numpy.zeros(2)).tolist() == [0, 0]",
    "NumPy's function": "assert wengert.grad(np.i0)(1.0) == sp.i1(1.0)",
    "unknown ufunc": """
try:
    wengert.grad(np.frompyfunc(abs, 1, 1))(1.0)
except wengert.errors.UnsupportedOperationError as e:
    assert "no derivative rule" in str(e)
else:
    assert False""",
}


@pytest.mark.parametrize("use", _FIRST_USES)
def test_first_use(use):
    run(f"import numpy as np, wengert, scipy.special as sp\n{_FIRST_USES[use]}")


_THREADS = """
import threading, wengert
from wengert.core.primitive import PRIMITIVES
names = ["scipy.special", "scipy.linalg", "scipy.ndimage", "scipy.signal", "scipy.sparse", "numpy.random"]
ready = threading.Barrier(len(names))
def load(name):
    ready.wait()
    __import__("wengert." + name)
threads = [threading.Thread(target=load, args=(name,)) for name in names]
for t in threads: t.start()
for t in threads: t.join()
assert [p.number for p in PRIMITIVES] == [*range(len(PRIMITIVES))]
assert wengert.numpy.random and wengert.scipy.special
"""


def test_modules_are_imported_by_several_threads_at_once():
    run(f"import sys; sys.setswitchinterval(1e-6)\n{_THREADS}")


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
    run(program)


def test_names():
    assert {*_HEAVY, "linalg", "special", "sparse"} <= set(dir(wengert.scipy))
    assert wengert.scipy.sparse.linalg.spsolve is not None
    with pytest.raises(AttributeError, match="cluster"):
        _ = wengert.scipy.cluster
