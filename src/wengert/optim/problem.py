"""What SciPy's solvers are given: functions of one float64 vector with their derivatives, bounds and constraints.

`Problem` stands between SciPy and the user's function of containers. The function is recorded where SciPy asks for its
value, and its Wengert list walked back if SciPy then asks for the derivative at the same point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

from wengert.array import Array
from wengert.core.containers import flatten, leaves_like, map_leaves
from wengert.core.values import Value, dtype_of, shape_of
from wengert.derivatives.gradient import grad, linearize, vjp
from wengert.derivatives.jacobian import hessian, jacobian
from wengert.errors import ConcretizationError, InputTypeError, OutputError, fail
from wengert.optim.ravel import ravel

#: Methods of `minimize` that take no derivatives.
DERIVATIVE_FREE = {"nelder-mead", "powell", "cobyla", "cobyqa"}


class Problem:
    """A user's function of containers, and its derivatives, as functions of one vector."""

    def __init__(self, fun: Callable[..., Any], x0: Any, args: Sequence[Any]) -> None:
        x0 = map_leaves(_real_array, x0)
        self.start, self.unravel = ravel(x0)
        leaves, self.structure = flatten(x0)
        self.shapes = [shape_of(x) for x in leaves]
        self.is_array = len(leaves) == 1 and leaves[0] is x0
        self.fun, self.args = fun, tuple(args)
        self._last: tuple[np.ndarray, Any, Callable[..., Any] | None] | None = None
        self._pushforward: tuple[np.ndarray, Callable[..., Any]] | None = None

    def on_vector(self, x: Any) -> Any:
        """The user's function."""
        return self.fun(self.unravel(x), *self.args)

    def known_value(self, x: np.ndarray, compute: Callable[[np.ndarray], Any]) -> Any:
        """The value at `x`, computed only if the last evaluation was elsewhere."""
        if self._last is not None and np.array_equal(self._last[0], x):
            return self._last[1]
        return compute(x)

    def plain_scalar(self, x: np.ndarray) -> Any:
        """The value, for methods without derivatives."""
        value = _require_scalar(self.on_vector(np.array(x)))
        self._last = (np.array(x), value, None)
        return value

    def scalar(self, x: np.ndarray) -> Any:
        """The value, recorded."""
        value, pullback = vjp(self.on_vector, x)
        _require_scalar(value)
        self._last = (np.array(x), value, pullback)
        return value

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient, from the recording of the value if that was taken here."""
        if self._last is None or self._last[2] is None or not np.array_equal(self._last[0], x):
            self.scalar(x)
        assert self._last is not None
        assert self._last[2] is not None
        return self._last[2](1.0)[0]

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """The Hessian matrix."""
        return hessian(self.on_vector)(x)

    def hessian_product(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The Hessian times a vector, from one linearisation of the gradient for each point."""
        if self._pushforward is None or not np.array_equal(self._pushforward[0], x):
            self._pushforward = np.array(x), linearize(grad(self.on_vector), x)[1]
        return self._pushforward[1](p)

    def vector(self, x: np.ndarray) -> np.ndarray:
        """All results in one vector."""
        value = self.raveled(np.array(x))
        _require_plain(value)
        if value.dtype.kind == "c":
            fail(OutputError, "the function returned complex numbers; return their real and imaginary parts.")
        self._last = (np.array(x), value, None)
        return value

    def raveled(self, x: Any) -> Any:
        """`vector` for use under a transform."""
        return ravel(self.on_vector(x))[0]

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """The Jacobian of `vector`."""
        return jacobian(self.raveled)(x)

    def weighted_hessian(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The Hessian of the sum of weights · `vector`."""
        return hessian(lambda z: np.dot(weights, self.raveled(z)))(x)


def _real_array(x: Any) -> Any:
    """A leaf of x0 as a float64 array of its own."""
    dtype = np.asarray(x).dtype
    if dtype.kind not in "biuf":
        remedy = "Use real and imaginary parts as two arrays" if dtype.kind == "c" else "Pass numbers and arrays"
        fail(InputTypeError, f"SciPy's solvers work on real numbers, but x0 contains {dtype}. {remedy}.")
    return np.array(x, dtype=np.float64)[()]


def _require_scalar(value: Any) -> Any:
    _require_plain(value)
    if shape_of(value) != () or dtype_of(value).kind not in "biuf":
        fail(
            OutputError,
            f"minimize needs a function that returns one real number; this one returned {dtype_of(value)} of shape "
            f"{shape_of(value)}. Reduce it with np.sum, or use least_squares for residuals.",
        )
    return value


def _require_plain(value: Any) -> None:
    if isinstance(value, (Array, Value)):
        fail(
            ConcretizationError,
            "one of SciPy's solvers was called inside a differentiated function on values that are being "
            "differentiated, and it cannot pass their derivatives on. Solve with wengert.stop_gradient(…) of them, and "
            "give the solution its derivative by the implicit function theorem, with wengert.custom_vjp.",
        )


def flat_bounds(bounds: Any, problem: Problem, *, pair: bool = False) -> Any:
    """Bounds for the vector of all elements; `pair` says that an array's bounds are a pair, too."""
    if bounds is None or isinstance(bounds, Bounds) or (problem.is_array and not pair):
        return bounds
    lower, upper = bounds
    flat: Any = Bounds  # SciPy's annotation says float
    return flat(_flat_limit(lower, -np.inf, problem), _flat_limit(upper, np.inf, problem))


def _flat_limit(limit: Any, default: float, problem: Problem) -> np.ndarray:
    if limit is None:
        limit = default
    if problem.is_array:
        limit = np.asarray(limit)
    if isinstance(limit, (int, float, np.generic)) or (isinstance(limit, np.ndarray) and limit.ndim == 0):
        leaves = [limit] * len(problem.shapes)
    else:
        leaves = leaves_like(problem.structure, limit, "the bounds and x0")
    pieces = [np.broadcast_to(np.asarray(b, float), s).ravel() for b, s in zip(leaves, problem.shapes, strict=True)]
    return np.concatenate([*pieces, np.zeros(0)])


def flat_constraint(constraint: Any, problem: Problem, method: str) -> Any:
    """A constraint on the vector of all elements, with its derivatives."""
    if isinstance(constraint, LinearConstraint):
        return constraint
    if isinstance(constraint, NonlinearConstraint):
        inner = Problem(constraint.fun, problem.unravel(problem.start), ())
        given: dict[str, Any] = {"keep_feasible": constraint.keep_feasible}
        if method not in DERIVATIVE_FREE:
            given["jac"] = _on_vector(constraint.jac, problem, ()) if callable(constraint.jac) else inner.jacobian
        if method == "trust-constr":
            given["hess"] = (
                _on_vector(constraint.hess, problem, ()) if callable(constraint.hess) else inner.weighted_hessian
            )
        return NonlinearConstraint(inner.vector, constraint.lb, constraint.ub, **given)
    args = tuple(constraint.get("args", ()))
    inner = Problem(constraint["fun"], problem.unravel(problem.start), args)
    jac = constraint.get("jac")
    return {
        "type": constraint["type"],
        "fun": inner.vector,
        "jac": _on_vector(jac, problem, args) if callable(jac) else inner.jacobian,
    }


def _on_vector(fun: Callable[..., Any], problem: Problem, args: tuple[Any, ...]) -> Callable[..., Any]:
    return lambda x, *more: fun(problem.unravel(x), *more, *args)
