"""The parts of functions of complex numbers, which compiled programs consist of."""

from __future__ import annotations

import numpy as np

from wengert.compiler.complex_formulas import FUNCTIONS

from .sample import Sample

_PARTS = np.array([0.3, -1.2, 0.0]), np.array([-0.7, 0.4, 2.0])

SAMPLES = [
    Sample(part, _PARTS * (2 if function.name == "power" else 1), wrt=())
    for function, parts in FUNCTIONS.items()
    for part in parts
]
