"""Exact derivatives of NumPy programs, of any order, in forward and reverse mode."""

import wengert.numpy
from wengert.core.containers import register_container
from wengert.derivatives.forward import derivative, jvp
from wengert.derivatives.gradient import grad, linearize, value_and_grad, vjp
from wengert.derivatives.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
from wengert.derivatives.vectorize import vmap
from wengert.transforms.forward import Dual

__version__ = "0.1.0"
