"""Optimisers: gradient methods as pure functions, and SciPy's solvers with exact derivatives.

`wengert.optim.descent` has the gradient methods, `schedules` and `clipping` what goes with them; `solvers` has
`minimize`, `least_squares` and `root`.
"""

from wengert.optim.clipping import clip_by_global_norm, clip_by_value, global_norm
from wengert.optim.descent import Optimizer, adam, chain, momentum, nesterov, rmsprop, sgd
from wengert.optim.ravel import ravel
from wengert.optim.schedules import constant, cosine_decay, exponential_decay, piecewise_constant, warmup
from wengert.optim.solvers import least_squares, minimize, root

__all__ = [
    "Optimizer",
    "adam",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "constant",
    "cosine_decay",
    "exponential_decay",
    "global_norm",
    "least_squares",
    "minimize",
    "momentum",
    "nesterov",
    "piecewise_constant",
    "ravel",
    "rmsprop",
    "root",
    "sgd",
    "warmup",
]
