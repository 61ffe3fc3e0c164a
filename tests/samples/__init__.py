"""Samples of every primitive, by family: each module of this package has a list `SAMPLES`.

Whoever adds a primitive adds samples of it, special points included (0-d, empty, ties, zeros, broadcasting, complex,
float32), or `tests/test_registry.py` fails.
"""

from __future__ import annotations

import importlib
import pkgutil

from .sample import Sample

ALL: list[Sample] = [
    sample
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__))
    for sample in getattr(importlib.import_module(f"{__name__}.{module}"), "SAMPLES", [])
]
