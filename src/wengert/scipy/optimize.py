"""Combinatorial parts of `scipy.optimize` on traced arrays. Minimisers and solvers are in `wengert.optim`."""

from __future__ import annotations

from typing import Any

import scipy.optimize as so

from wengert.core.values import shape_of
from wengert.numpy.dispatch import as_array, call, implements
from wengert.rules import assignment as r


@implements(so.linear_sum_assignment)
def linear_sum_assignment(cost_matrix: Any, maximize: bool = False) -> Any:
    """Rows and columns, which have no derivative; the sum of the costs at them has.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> from wengert.scipy.optimize import linear_sum_assignment
    >>> def least_cost(c):
    ...     i, j = linear_sum_assignment(c)
    ...     return np.sum(c[i, j])
    >>> grad(least_cost)(np.array([[4.0, 1.0], [2.0, 3.0]]))
    array([[0., 1.],
           [1., 0.]])
    """
    cost = as_array(cost_matrix)
    if len(shape_of(cost)) != 2:
        raise ValueError(f"expected a matrix (2-D array), got a {len(shape_of(cost))} array")
    chosen = call(r.assignment, cost, maximize=bool(maximize))
    return chosen[0], chosen[1]


__all__ = ["linear_sum_assignment"]
