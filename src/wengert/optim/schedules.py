"""Learning-rate schedules: functions of the step number, which counts from 0.

They take arrays of step numbers too, so that a schedule can be plotted: ``schedule(np.arange(1000))``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

#: Maps the number of a step to its learning rate.
Schedule = Callable[[Any], Any]


def constant(value: Any) -> Schedule:
    """Return a schedule that is `value` at every step.

    Parameters
    ----------
    value : float
        The learning rate.

    Examples
    --------
    >>> from wengert import optim
    >>> optim.constant(0.1)(7)
    0.1
    """
    return lambda step: value


def exponential_decay(initial: Any, factor: Any, steps: int = 1) -> Schedule:
    """Return a schedule that multiplies the learning rate by `factor` every `steps` steps, smoothly.

    Parameters
    ----------
    initial : float
        Learning rate at step 0.
    factor : float
        What it is multiplied by.
    steps : int
        After how many steps.

    Examples
    --------
    >>> from wengert import optim
    >>> schedule = optim.exponential_decay(1.0, 0.5, steps=10)
    >>> schedule(0), schedule(10), schedule(20)
    (1.0, 0.5, 0.25)
    """
    _positive(steps, "exponential_decay")
    return lambda step: initial * factor ** (step / steps)


def cosine_decay(initial: Any, steps: int, final: Any = 0.0) -> Schedule:
    """Return a schedule that falls from `initial` to `final` along half a cosine, and stays there.

    Parameters
    ----------
    initial, final : float
        Learning rates at step 0 and from step `steps` on.
    steps : int
        Length of the decay.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> from wengert import optim
    >>> schedule = optim.cosine_decay(1.0, 100)
    >>> [round(float(schedule(k)), 3) for k in (0, 50, 100, 500)]
    [1.0, 0.5, 0.0, 0.0]
    """
    _positive(steps, "cosine_decay")
    return lambda step: final + (initial - final) * 0.5 * (1 + np.cos(np.pi * np.minimum(step, steps) / steps))


def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    """Return a schedule that is ``values[i]`` from step ``boundaries[i - 1]`` up to step ``boundaries[i]`` - 1.

    Parameters
    ----------
    boundaries : sequence of int
        Steps at which the learning rate changes, increasing.
    values : sequence of float
        Learning rates, one more than `boundaries`.

    Raises
    ------
    ValueError
        The numbers do not fit, or the boundaries do not increase.

    Examples
    --------
    >>> from wengert import optim
    >>> schedule = optim.piecewise_constant([100, 200], [0.1, 0.01, 0.001])
    >>> [float(schedule(k)) for k in (99, 100, 200)]
    [0.1, 0.01, 0.001]
    """
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"piecewise_constant needs one value more than boundaries; got {len(values)} values and "
            f"{len(boundaries)} boundaries"
        )
    if np.any(np.diff(boundaries) <= 0):
        raise ValueError("the boundaries of piecewise_constant must increase")
    rates, ends = np.array(values), np.array(boundaries)
    return lambda step: rates[np.searchsorted(ends, step, side="right")]


def warmup(steps: int, schedule: Schedule | float) -> Schedule:
    """Return a schedule that rises linearly during `steps` steps and then follows another schedule from its start.

    Parameters
    ----------
    steps : int
        Length of the warm-up; step k has the fraction (k + 1) / (steps + 1) of the rate that follows.
    schedule : callable or float
        What follows.

    Examples
    --------
    >>> from wengert import optim
    >>> schedule = optim.warmup(3, 1.0)
    >>> [float(schedule(k)) for k in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    if steps < 0:
        raise ValueError(f"warmup got steps={steps}; it must not be negative")
    after = schedule if callable(schedule) else constant(schedule)
    return lambda step: np.minimum((step + 1) / (steps + 1), 1.0) * after(np.maximum(step - steps, 0))


def _positive(steps: int, name: str) -> None:
    if steps <= 0:
        raise ValueError(f"{name} got steps={steps}; it must be positive")
