"""Every primitive at every sample: value, both modes against each other and against finite differences, vmap, dtypes."""

from __future__ import annotations

import subprocess
import sys

from wengert.core.primitive import PRIMITIVES

from .samples import ALL

_LIST = """
import importlib, pkgutil, wengert
for module in pkgutil.walk_packages(wengert.__path__, "wengert."):
    importlib.import_module(module.name)
from wengert.core.primitive import PRIMITIVES
print(*(p.name for p in PRIMITIVES), sep="\\n")
"""


def declared_names() -> list[str]:
    """Names of the primitives that the package declares: asked of a fresh interpreter, where no test added one."""
    run = subprocess.run([sys.executable, "-c", _LIST], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_every_primitive_has_samples():
    names = declared_names()
    assert len(names) == len(set(names)), "two primitives have the same name"
    assert len(names) > 90
    sampled = {s.primitive.name for s in ALL}
    assert sorted(set(names) - sampled) == []
    assert all(s.primitive in PRIMITIVES for s in ALL)
