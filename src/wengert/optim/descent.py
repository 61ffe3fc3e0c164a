"""Gradient methods as pairs of pure functions.

An `Optimizer` is a pair (init, update). Nothing is changed in place and nothing is remembered between calls, so a
step of an optimiser can itself be differentiated, mapped by `vmap`, or repeated::

    optimizer = optim.adam(1e-3)
    state = optimizer.init(params)
    for batch in batches:
        gradient = wengert.grad(loss)(params, batch)
        params, state = optimizer.update(gradient, state, params)

For complex parameters the gradient is that of `wengert.grad`, ∂f/∂x + i ∂f/∂y: the direction of steepest ascent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from wengert.core.containers import flatten as flatten_container
from wengert.core.containers import leaves_like, map_leaves
from wengert.core.values import dtype_of, shape_of
from wengert.errors import ContainerMismatchError, fail
from wengert.optim.schedules import Schedule


class Optimizer(NamedTuple):
    """A gradient method as two pure functions.

    Attributes
    ----------
    init : callable
        ``init(params)`` returns the state before the first step, for parameters in any container of arrays.
    update : callable
        ``update(gradient, state, params)`` returns (new params, new state). The gradient is a container like
        `params`.
    """

    init: Callable[[Any], Any]
    update: Callable[[Any, Any, Any], tuple[Any, Any]]


class SGDState(NamedTuple):
    """State of `sgd`: the number of steps done."""

    step: int


class MomentumState(NamedTuple):
    """State of `momentum` and `nesterov`: the number of steps done, and the velocity, a container like the params."""

    step: int
    velocity: Any


class AdamState(NamedTuple):
    """State of `adam`: the number of steps done, and the averages of the gradient and of its squared magnitude."""

    step: int
    mean: Any
    square: Any


class RMSPropState(NamedTuple):
    """State of `rmsprop`: the number of steps done, and the average of the squared magnitude of the gradient."""

    step: int
    square: Any


def sgd(learning_rate: float | Schedule) -> Optimizer:
    """Gradient descent: x ← x - α g. Stochastic when the gradients are those of random batches.

    Parameters
    ----------
    learning_rate : float or callable
        The step length α, or a schedule (a function of the step number).

    Returns
    -------
    Optimizer

    References
    ----------
    H. Robbins and S. Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 (1951) 400-407.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad, optim
    >>> optimizer = optim.sgd(0.25)
    >>> x = np.array([4.0, -8.0])
    >>> state = optimizer.init(x)
    >>> for _ in range(3):
    ...     x, state = optimizer.update(grad(lambda x: np.sum(x**2))(x), state, x)
    >>> x
    array([ 0.5, -1. ])
    """

    def update(gradient: Any, state: SGDState, params: Any) -> tuple[Any, SGDState]:
        _require_like(gradient, params)
        rate = _rate(learning_rate, state.step)
        return map_leaves(lambda x, g: x - rate * g, params, gradient), SGDState(state.step + 1)

    return Optimizer(lambda params: SGDState(0), update)


def momentum(learning_rate: float | Schedule, decay: float = 0.9) -> Optimizer:
    """Gradient descent with momentum, the heavy ball: v ← μ v + g, x ← x - α v.

    Parameters
    ----------
    learning_rate : float or callable
        α, or a schedule.
    decay : float
        μ, the part of the velocity that is kept.

    Returns
    -------
    Optimizer

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics
    and Mathematical Physics 4 (1964) 1-17.

    Examples
    --------
    >>> from wengert import optim
    >>> optimizer = optim.momentum(0.1, decay=0.5)
    >>> x, state = optimizer.update(1.0, optimizer.init(0.0), 0.0)
    >>> x, state = optimizer.update(1.0, state, x)
    >>> round(x, 6)
    -0.25
    """
    return _heavy_ball(learning_rate, decay, lambda v, g: v)


def nesterov(learning_rate: float | Schedule, decay: float = 0.9) -> Optimizer:
    """Nesterov's accelerated gradient: v ← μ v + g, x ← x - α (g + μ v).

    Parameters
    ----------
    learning_rate : float or callable
        α, or a schedule.
    decay : float
        μ, the part of the velocity that is kept.

    Returns
    -------
    Optimizer

    Notes
    -----
    Nesterov evaluates the gradient at the point that the velocity leads to. Here the parameters *are* that point: in
    terms of y = x + α μ v, this is Nesterov's step y' = x - α g(x), x' = y' + μ (y' - y) with constant μ.

    References
    ----------
    Y. Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k²)", Doklady Akademii
    Nauk SSSR 269 (1983) 543-547.

    I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of initialization and momentum in deep
    learning", ICML 2013.

    Examples
    --------
    >>> from wengert import optim
    >>> optimizer = optim.nesterov(0.1, decay=0.5)
    >>> x, state = optimizer.update(1.0, optimizer.init(0.0), 0.0)
    >>> round(x, 6)
    -0.15
    """
    return _heavy_ball(learning_rate, decay, lambda v, g: g + decay * v)


def _heavy_ball(learning_rate: float | Schedule, decay: float, direction: Callable[[Any, Any], Any]) -> Optimizer:
    def update(gradient: Any, state: MomentumState, params: Any) -> tuple[Any, MomentumState]:
        _require_like(gradient, params)
        rate = _rate(learning_rate, state.step)
        velocity = map_leaves(lambda v, g: decay * v + g, state.velocity, gradient)
        params = map_leaves(lambda x, v, g: x - rate * direction(v, g), params, velocity, gradient)
        return params, MomentumState(state.step + 1, velocity)

    return Optimizer(lambda params: MomentumState(0, map_leaves(_zeros, params)), update)


def adam(
    learning_rate: float | Schedule = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> Optimizer:
    r"""Adam: steps of about the learning rate for each parameter, by running averages of the gradient and its square.

    Parameters
    ----------
    learning_rate : float or callable
        α, or a schedule.
    beta1, beta2 : float
        Decay of the averages of g and of \|g\|², which are corrected for having started at zero.
    epsilon : float
        Added to the root mean square of g that the step is divided by.

    Returns
    -------
    Optimizer

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, arXiv:1412.6980, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> optimizer = optim.adam(0.1)
    >>> params = {"w": np.array([1.0, 2.0]), "b": 0.0}
    >>> gradient = {"w": np.array([1e-3, -1e3]), "b": 7.0}
    >>> params, state = optimizer.update(gradient, optimizer.init(params), params)
    >>> np.round(params["w"], 4), round(params["b"], 4)
    (array([0.9, 2.1]), np.float64(-0.1))
    """

    def init(params: Any) -> AdamState:
        return AdamState(0, map_leaves(_zeros, params), map_leaves(lambda x: _squared_magnitude(_zeros(x)), params))

    def update(gradient: Any, state: AdamState, params: Any) -> tuple[Any, AdamState]:
        _require_like(gradient, params)
        step = state.step + 1
        rate = _rate(learning_rate, state.step)
        mean = map_leaves(lambda m, g: beta1 * m + (1 - beta1) * g, state.mean, gradient)
        square = map_leaves(lambda v, g: beta2 * v + (1 - beta2) * _squared_magnitude(g), state.square, gradient)
        unbias_mean, unbias_square = 1 - beta1**step, 1 - beta2**step
        params = map_leaves(
            lambda x, m, v: x - rate * (m / unbias_mean) / (np.sqrt(v / unbias_square) + epsilon),
            params,
            mean,
            square,
        )
        return params, AdamState(step, mean, square)

    return Optimizer(init, update)


def rmsprop(
    learning_rate: float | Schedule = 1e-3, decay: float = 0.9, epsilon: float = 1e-8, initial: float = 0.0
) -> Optimizer:
    r"""RMSProp: the gradient divided by a running root mean square of itself, for each parameter.

    Parameters
    ----------
    learning_rate : float or callable
        The step length, or a schedule.
    decay : float
        Decay of the average of \|g\|².
    epsilon : float
        Added to the root mean square.
    initial : float
        Where the average starts. With 0 the first steps are long, 1/√(1 - `decay`) times the learning rate; HIPS
        autograd starts at 1.

    Returns
    -------
    Optimizer

    References
    ----------
    T. Tieleman and G. Hinton, "Lecture 6.5: rmsprop", Neural Networks for Machine Learning, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> optimizer = optim.rmsprop(0.1, decay=0.75)
    >>> params, state = optimizer.update(np.array([-8.0, 0.5]), optimizer.init(np.zeros(2)), np.zeros(2))
    >>> params.round(4)
    array([ 0.2, -0.2])
    """

    def init(params: Any) -> RMSPropState:
        return RMSPropState(0, map_leaves(lambda x: _squared_magnitude(_zeros(x)) + initial, params))

    def update(gradient: Any, state: RMSPropState, params: Any) -> tuple[Any, RMSPropState]:
        _require_like(gradient, params)
        rate = _rate(learning_rate, state.step)
        square = map_leaves(lambda v, g: decay * v + (1 - decay) * _squared_magnitude(g), state.square, gradient)
        params = map_leaves(lambda x, g, v: x - rate * g / (np.sqrt(v) + epsilon), params, gradient, square)
        return params, RMSPropState(state.step + 1, square)

    return Optimizer(init, update)


def chain(*steps: Any) -> Optimizer:
    """Let functions from gradient to gradient (`clip_by_global_norm`, …) act before an optimiser.

    Parameters
    ----------
    *steps : callable, ..., Optimizer
        Functions of the gradient, in the order in which they act, and the optimiser last.

    Returns
    -------
    Optimizer
        With the state of the optimiser.

    Raises
    ------
    TypeError
        The last argument is not an Optimizer, or one before it is not a function.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.5))
    >>> x = np.zeros(2)
    >>> optimizer.update(np.array([30.0, 40.0]), optimizer.init(x), x)[0]
    array([-0.3, -0.4])
    """
    *functions, optimizer = steps
    if not isinstance(optimizer, Optimizer) or not all(callable(f) for f in functions):
        raise TypeError("chain takes functions of the gradient, followed by one Optimizer")

    def update(gradient: Any, state: Any, params: Any) -> tuple[Any, Any]:
        for function in functions:
            gradient = function(gradient)
        return optimizer.update(gradient, state, params)

    return Optimizer(optimizer.init, update)


def _rate(learning_rate: float | Schedule, step: Any) -> Any:
    """The learning rate of a step, as a Python number where possible: it must not promote float32 parameters."""
    rate = learning_rate(step) if callable(learning_rate) else learning_rate
    return rate.item() if isinstance(rate, np.generic) else rate


def _zeros(x: Any) -> Any:
    return np.zeros_like(x) if shape_of(x) else x * 0.0


def _squared_magnitude(g: Any) -> Any:
    return np.real(g * np.conj(g)) if dtype_of(g).kind == "c" else g * g


def _require_like(gradient: Any, params: Any) -> None:
    """Refuse a gradient that would broadcast against the parameters."""
    leaves, structure = flatten_container(params)
    for x, g in zip(leaves, leaves_like(structure, gradient, "the gradient and the parameters"), strict=True):
        if shape_of(x) != shape_of(g):
            fail(
                ContainerMismatchError,
                f"the gradient of an optimiser's update has a leaf of shape {shape_of(g)} for parameters of shape "
                f"{shape_of(x)}; pass the gradient of the same parameters.",
            )
