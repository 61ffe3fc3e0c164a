"""SciPy's solvers with exact derivatives: `minimize`, `least_squares`, `root`; what SciPy sees is in `problem`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.optimize
from scipy.optimize import LinearConstraint, NonlinearConstraint, OptimizeResult

from wengert.optim.problem import DERIVATIVE_FREE, Problem, flat_bounds, flat_constraint
from wengert.optim.progress import Progress

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
    problem = Problem(fun, x0, args)
    watch = _Watch(problem, callback, f"minimize ({name})", progress)
    derivatives: dict[str, Any] = {}
    value: Callable[[np.ndarray], Any] = problem.plain_scalar
    if key not in DERIVATIVE_FREE:
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
            bounds=flat_bounds(bounds, problem),
            constraints=[flat_constraint(c, problem, key) for c in constraints],
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
    problem = Problem(fun, x0, args)
    watch = _Watch(problem, callback, "least_squares", progress)
    limits = (-np.inf, np.inf) if bounds is None else flat_bounds(bounds, problem, pair=True)

    def run(watcher: Callable[..., None]) -> OptimizeResult:
        def watched_jacobian(x: np.ndarray) -> np.ndarray:
            watcher(x)
            return problem.jacobian(x)

        solver: Any = scipy.optimize.least_squares  # SciPy's annotation of jac says str
        return solver(problem.vector, problem.start, jac=watched_jacobian, bounds=limits, **options)

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
    problem = Problem(fun, x0, args)
    watch = _Watch(problem, callback, f"root ({method})", progress)

    def run(watcher: Callable[..., None]) -> OptimizeResult:
        def watched_fun(x: np.ndarray) -> np.ndarray:
            value = problem.vector(x)
            watcher(x, value)
            return value

        jac = problem.jacobian if method.lower() in _ROOT_WITH_JACOBIAN else None
        return scipy.optimize.root(watched_fun, problem.start, method=method, jac=jac, tol=tol, options=options)

    return watch.run(run, lambda x, value: watch.at(x, value, shown=float(np.linalg.norm(value))))


class _Watch:
    """Calls the user's callback and shows progress."""

    def __init__(
        self, problem: Problem, callback: Callable[[OptimizeResult], Any] | None, title: str, progress: bool
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


def _default_method(bounds: Any, constraints: Sequence[Any]) -> str:
    return "SLSQP" if constraints else "L-BFGS-B" if bounds is not None else "BFGS"


def _as_list(constraints: Any) -> list[Any]:
    if isinstance(constraints, (dict, NonlinearConstraint, LinearConstraint)):
        return [constraints]
    return list(constraints)
