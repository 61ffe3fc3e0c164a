"""The assignment problem: a choice, which has no derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize

from wengert.core.combinators import NonDifferentiable


def _assignment(cost: Any, *, maximize: bool) -> Any:
    return np.stack(scipy.optimize.linear_sum_assignment(cost, maximize))


#: Rows and columns, as two rows of one array, whose sum of costs is the smallest.
assignment = NonDifferentiable(
    _assignment,
    name="assignment",
    batch=lambda size, args, batched, **params: assignment.loop_over_batch(size, args, batched, params),
)
