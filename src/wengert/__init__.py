"""Exact derivatives of NumPy programs, of any order, in forward and reverse mode."""

from wengert import errors, numpy, optim, scipy
from wengert.array import Array
from wengert.core.containers import register_container
from wengert.derivatives.check import check_grads
from wengert.derivatives.custom import custom_jvp, custom_rule, custom_vjp, stop_gradient
from wengert.derivatives.forward import derivative, jvp
from wengert.derivatives.gradient import grad, linearize, value_and_grad, vjp
from wengert.derivatives.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
from wengert.derivatives.recompute import checkpoint
from wengert.derivatives.variables import Variable, variable
from wengert.derivatives.vectorize import vmap
from wengert.display import detect_nonfinite, trace
from wengert.transforms.forward import Dual

__version__ = "0.1.0"

__all__ = [
    "Array",
    "Dual",
    "Variable",
    "check_grads",
    "checkpoint",
    "custom_jvp",
    "custom_rule",
    "custom_vjp",
    "derivative",
    "detect_nonfinite",
    "errors",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linearize",
    "numpy",
    "optim",
    "register_container",
    "scipy",
    "stop_gradient",
    "trace",
    "value_and_grad",
    "variable",
    "vjp",
    "vmap",
]
