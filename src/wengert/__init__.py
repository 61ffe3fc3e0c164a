"""Exact derivatives of NumPy programs, of any order, in forward and reverse mode."""

import importlib
from typing import TYPE_CHECKING, Any

from wengert import config, errors, numpy, scipy
from wengert.array import Array
from wengert.compiler.jit import jit
from wengert.compiler.record import program
from wengert.control import cond, fixed_point, for_loop, map, scan, switch, while_loop  # noqa: A004
from wengert.core.containers import register_container
from wengert.derivatives.check import check_grads
from wengert.derivatives.custom import custom_jvp, custom_rule, custom_vjp, stop_gradient
from wengert.derivatives.forward import derivative, jvp
from wengert.derivatives.gradient import grad, linearize, value_and_grad, vjp
from wengert.derivatives.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
from wengert.derivatives.products import elementwise_grad, ggnvp
from wengert.derivatives.recompute import checkpoint
from wengert.derivatives.variables import Variable, variable
from wengert.derivatives.vectorize import vmap
from wengert.display import detect_nonfinite, trace
from wengert.transforms.forward import Dual

if TYPE_CHECKING:
    from wengert import optim

__version__ = "0.1.0"

__all__ = [
    "Array",
    "Dual",
    "Variable",
    "check_grads",
    "checkpoint",
    "cond",
    "config",
    "custom_jvp",
    "custom_rule",
    "custom_vjp",
    "derivative",
    "detect_nonfinite",
    "elementwise_grad",
    "errors",
    "fixed_point",
    "for_loop",
    "ggnvp",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linearize",
    "map",
    "numpy",
    "optim",
    "program",
    "register_container",
    "scan",
    "scipy",
    "stop_gradient",
    "switch",
    "trace",
    "value_and_grad",
    "variable",
    "vjp",
    "vmap",
    "while_loop",
]


def __getattr__(name: str) -> Any:
    """Import `wengert.optim` when it is first used: SciPy's optimisers take longer to import than all of Wengert."""
    if name == "optim":
        return importlib.import_module("wengert.optim")
    raise AttributeError(f"module 'wengert' has no attribute {name!r}")
