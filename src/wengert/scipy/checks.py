"""Checks of numbers, where these are known: not in a program that is being recorded, nor under vmap."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from wengert.errors import ConcretizationError
from wengert.numpy.dispatch import concrete


def refuse_unless(condition: Any, message: str) -> None:
    """Raise SciPy's ValueError unless a condition is known to hold, or not known."""
    with contextlib.suppress(ConcretizationError):
        if not np.all(concrete(condition, "a check")):
            raise ValueError(message)
