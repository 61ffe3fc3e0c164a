"""SciPy's solvers with exact derivatives: `minimize`, `least_squares`, `root`.

SciPy sees functions of one float64 vector; `_Problem` stands between it and the user's function of containers. The
function is recorded where SciPy asks for its value, and its Wengert list walked back if SciPy then asks for the
derivative at the same point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.optimize
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint, OptimizeResult

from wengert.array import Array
from wengert.core.containers import flatten, leaves_like, map_leaves
from wengert.core.values import Value, dtype_of, shape_of
from wengert.derivatives.gradient import grad, linearize, vjp
from wengert.derivatives.jacobian import hessian, jacobian
from wengert.errors import ConcretizationError, InputTypeError, OutputError, fail
from wengert.optim.progress import Progress
from wengert.optim.ravel import ravel

_DERIVATIVE_FREE = {"nelder-mead", "powell", "cobyla", "cobyqa"}
_WITH_HESSIAN = {"dogleg", "trust-exact"}
_WITH_PRODUCTS = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}
# Methods of `root` that take a Jacobian; the others build their own approximation from function values.
_ROOT_WITH_JACOBIAN = {"hybr", "lm"}


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Sequence[Any] = (),
    method: str | None = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[[OptimizeResult], Any] | None = None,
    options: dict[str, Any] | None = None,
    progress: bool = False,
) -> OptimizeResult:
    """Minimise a function with `scipy.optimize.minimize`, the derivatives supplied.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns a real scalar. It is ordinary NumPy code.
    x0 : array_like or container
        Start. A list or tuple of numbers is a *container* of numbers here: write ``np.array([1.0, 2.0])`` for a
        function of one array. Computations are in float64.
    args : tuple
        Further arguments.
    method : str, optional
        Any method of SciPy. All that use derivatives get the gradient; dogleg and trust-exact get the Hessian,
        Newton-CG, trust-ncg, trust-krylov and trust-constr products of the Hessian with vectors. By default BFGS,
        L-BFGS-B with bounds, SLSQP with constraints.
    bounds : optional
        For an array `x0` whatever SciPy takes: `scipy.optimize.Bounds` or a sequence of (min, max) pairs. For a
        container a pair (lower, upper), each of which is a container like `x0` (leaves broadcast), one number, or
        None.
    constraints : dict, NonlinearConstraint, LinearConstraint or list of them
        As in SciPy, with functions of containers. Jacobians and Hessians that are not given are supplied.
        A `LinearConstraint` acts on the vector of all elements, in the order of `ravel`.
    tol, options
        As in SciPy.
    callback : callable, optional
        Called after each iteration with an `OptimizeResult` that has ``x`` (a container), ``fun`` and ``nit``. The
        solver stops where it raises StopIteration.
    progress : bool
        Show iteration and value on stderr.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As SciPy returns it, with ``x`` a container like `x0`.

    Raises
    ------
    InputTypeError
        `x0` is complex or not numeric.
    OutputError
        `fun` does not return a real scalar.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> def f(p):
    ...     return np.sum((p["a"] - 1.0) ** 2) + (p["b"] - p["a"][0]) ** 4
    >>> result = optim.minimize(f, {"a": np.zeros(2), "b": 0.0}, method="trust-exact")
    >>> result.success, np.round(result.x["a"], 6)
    (True, array([1., 1.]))
    """
    constraints = _as_list(constraints)
    name = _default_method(bounds, constraints) if method is None else method
    key = name.lower()
    problem = _Problem(fun, x0, args)
    watch = _Watch(problem, callback, f"minimize ({name})", progress)
    derivatives: dict[str, Any] = {}
    value: Callable[[np.ndarray], Any] = problem.plain_scalar
    if key not in _DERIVATIVE_FREE:
        value = problem.scalar
        derivatives["jac"] = problem.gradient
    if key in _WITH_HESSIAN:
        derivatives["hess"] = problem.hessian
    elif key in _WITH_PRODUCTS:
        derivatives["hessp"] = problem.hessian_product

    def run(watcher: Any) -> OptimizeResult:
        return scipy.optimize.minimize(
            value,
            problem.start,
            method=name,
            bounds=_flat_bounds(bounds, problem),
            constraints=[_flat_constraint(c, problem, key) for c in constraints],
            tol=tol,
            callback=watcher,
            options=options,
            **derivatives,
        )

    if key == "trust-constr":
        return watch.run(run, lambda x, state: watch.at(x, state.fun))
    return watch.run(run, lambda x: watch.at(x, problem.known_value(x, value)))


def least_squares(
    fun: Callable[..., Any],
    x0: Any,
    args: Sequence[Any] = (),
    bounds: Any = None,
    callback: Callable[[OptimizeResult], Any] | None = None,
    progress: bool = False,
    **options: Any,
) -> OptimizeResult:
    """Minimise half the sum of squared residuals with `scipy.optimize.least_squares`, the Jacobian supplied.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns the residuals: a real array of any shape, or a container of them.
    x0 : array_like or container
        Start; see `minimize`.
    args : tuple
        Further arguments.
    bounds : optional
        A pair (lower, upper), each a container like `x0`, one number or None; or `scipy.optimize.Bounds`.
    callback : callable, optional
        Called for each iterate with an `OptimizeResult` that has ``x``, ``fun`` (the residuals), ``cost`` and ``nit``.
        The solver stops where it raises StopIteration.
    progress : bool
        Show iteration and cost on stderr.
    **options
        Further arguments of SciPy's function: method, loss, f_scale, x_scale, ftol …

    Returns
    -------
    scipy.optimize.OptimizeResult
        As SciPy returns it, with ``x`` a container like `x0`. ``fun`` and ``jac`` are flat, in the order of `ravel`.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> t = np.linspace(0.0, 1.0, 5)
    >>> y = 2.0 * np.exp(-3.0 * t)
    >>> result = optim.least_squares(lambda p: p["a"] * np.exp(-p["k"] * t) - y, {"a": 1.0, "k": 1.0})
    >>> {name: round(float(x), 6) for name, x in result.x.items()}
    {'a': 2.0, 'k': 3.0}
    """
    problem = _Problem(fun, x0, args)
    watch = _Watch(problem, callback, "least_squares", progress)
    flat_bounds = (-np.inf, np.inf) if bounds is None else _flat_bounds(bounds, problem, pair=True)

    def run(watcher: Callable[..., None]) -> OptimizeResult:
        def watched_jacobian(x: np.ndarray) -> np.ndarray:
            watcher(x)
            return problem.jacobian(x)

        solver: Any = scipy.optimize.least_squares  # SciPy's annotation of jac says str
        return solver(problem.vector, problem.start, jac=watched_jacobian, bounds=flat_bounds, **options)

    def watched(x: np.ndarray) -> None:
        residuals = problem.known_value(x, problem.vector)
        cost = 0.5 * float(residuals @ residuals)
        watch.at(x, residuals, shown=cost, cost=cost)

    return watch.run(run, watched)


def root(
    fun: Callable[..., Any],
    x0: Any,
    args: Sequence[Any] = (),
    method: str = "hybr",
    tol: float | None = None,
    callback: Callable[[OptimizeResult], Any] | None = None,
    options: dict[str, Any] | None = None,
    progress: bool = False,
) -> OptimizeResult:
    """Find a root of a vector function with `scipy.optimize.root`, the Jacobian supplied.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns as many numbers as `x` has, in any real array or container of arrays.
    x0 : array_like or container
        Start; see `minimize`.
    args : tuple
        Further arguments.
    method : str
        Any method of SciPy; hybr and lm use the Jacobian, the others work without.
    tol, options
        As in SciPy.
    callback : callable, optional
        Called for each evaluation of `fun` with an `OptimizeResult` that has ``x``, ``fun`` (flat) and ``nit`` (their
        number). The solver stops where it raises StopIteration.
    progress : bool
        Show the number of evaluations and the norm of ``fun`` on stderr.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As SciPy returns it, with ``x`` a container like `x0`.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import optim
    >>> result = optim.root(lambda p: [p["r"] * np.cos(p["t"]) - 3, p["r"] * np.sin(p["t"]) - 4], {"r": 1.0, "t": 1.0})
    >>> round(float(result.x["r"]), 6), round(float(np.tan(result.x["t"])), 6)
    (5.0, 1.333333)
    """
    problem = _Problem(fun, x0, args)
    watch = _Watch(problem, callback, f"root ({method})", progress)

    def run(watcher: Callable[..., None]) -> OptimizeResult:
        def watched_fun(x: np.ndarray) -> np.ndarray:
            value = problem.vector(x)
            watcher(x, value)
            return value

        jac = problem.jacobian if method.lower() in _ROOT_WITH_JACOBIAN else None
        return scipy.optimize.root(watched_fun, problem.start, method=method, jac=jac, tol=tol, options=options)

    return watch.run(run, lambda x, value: watch.at(x, value, shown=float(np.linalg.norm(value))))


class _Problem:
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


class _Watch:
    """Calls the user's callback and shows progress."""

    def __init__(
        self, problem: _Problem, callback: Callable[[OptimizeResult], Any] | None, title: str, progress: bool
    ) -> None:
        self.problem, self.callback, self.title, self.progress = problem, callback, title, progress
        self.line: Progress | None = None
        self.last = OptimizeResult(nit=0)

    def at(self, x: np.ndarray, value: Any, shown: Any = None, **more: Any) -> None:
        """Report one iterate."""
        flat = np.array(x)
        self.last = OptimizeResult(x=self.problem.unravel(flat), fun=value, nit=self.last.nit + 1, **more)
        if self.line is not None:
            self.line.show(self.last.nit, value if shown is None else shown)
        if self.callback is not None:
            try:
                self.callback(self.last)
            except StopIteration:
                raise _Stopped from None

    def run(self, solve: Callable[[Any], OptimizeResult], watcher: Callable[..., None]) -> OptimizeResult:
        """Run a solver and give its result the user's container."""
        silent = self.callback is None and not self.progress
        try:
            if self.progress:
                with Progress(self.title) as self.line:
                    result = solve(watcher)
            else:
                result = solve(_ignore if silent else watcher)
        except _Stopped:
            return OptimizeResult(**self.last, success=False, status=99, message="`callback` raised `StopIteration`.")
        result.x = self.problem.unravel(np.asarray(result.x))
        return result


class _Stopped(Exception):
    """The user's callback asked to stop. Not all of SciPy's methods know StopIteration, so it ends the call."""


def _ignore(*_: Any) -> None:
    """Watch nothing."""


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


def _default_method(bounds: Any, constraints: Sequence[Any]) -> str:
    return "SLSQP" if constraints else "L-BFGS-B" if bounds is not None else "BFGS"


def _as_list(constraints: Any) -> list[Any]:
    if isinstance(constraints, (dict, NonlinearConstraint, LinearConstraint)):
        return [constraints]
    return list(constraints)


def _flat_bounds(bounds: Any, problem: _Problem, *, pair: bool = False) -> Any:
    """Bounds for the vector of all elements; `pair` says that an array's bounds are a pair, too."""
    if bounds is None or isinstance(bounds, Bounds) or (problem.is_array and not pair):
        return bounds
    lower, upper = bounds
    flat: Any = Bounds  # SciPy's annotation says float
    return flat(_flat_limit(lower, -np.inf, problem), _flat_limit(upper, np.inf, problem))


def _flat_limit(limit: Any, default: float, problem: _Problem) -> np.ndarray:
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


def _flat_constraint(constraint: Any, problem: _Problem, method: str) -> Any:
    """A constraint on the vector of all elements, with its derivatives."""
    if isinstance(constraint, LinearConstraint):
        return constraint
    if isinstance(constraint, NonlinearConstraint):
        inner = _Problem(constraint.fun, problem.unravel(problem.start), ())
        given: dict[str, Any] = {"keep_feasible": constraint.keep_feasible}
        if method not in _DERIVATIVE_FREE:
            given["jac"] = _on_vector(constraint.jac, problem, ()) if callable(constraint.jac) else inner.jacobian
        if method == "trust-constr":
            given["hess"] = (
                _on_vector(constraint.hess, problem, ()) if callable(constraint.hess) else inner.weighted_hessian
            )
        return NonlinearConstraint(inner.vector, constraint.lb, constraint.ub, **given)
    args = tuple(constraint.get("args", ()))
    inner = _Problem(constraint["fun"], problem.unravel(problem.start), args)
    jac = constraint.get("jac")
    return {
        "type": constraint["type"],
        "fun": inner.vector,
        "jac": _on_vector(jac, problem, args) if callable(jac) else inner.jacobian,
    }


def _on_vector(fun: Callable[..., Any], problem: _Problem, args: tuple[Any, ...]) -> Callable[..., Any]:
    return lambda x, *more: fun(problem.unravel(x), *more, *args)
