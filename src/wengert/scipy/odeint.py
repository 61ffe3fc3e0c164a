"""`odeint`, which solves initial value problems and is differentiable in everything that they depend on.

How its derivatives come about is in `solutions`; here a call becomes one of that primitive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.array import Array, contains_array, unwrap, wrap
from wengert.core import containers
from wengert.core.combinators import astype, reshape
from wengert.core.values import ArrayType, Value, dtype_of, representative, shape_of, type_of
from wengert.errors import InputTypeError, UnsupportedOperationError, fail
from wengert.numpy.dispatch import as_array, concrete, is_concrete, known_numbers
from wengert.scipy.solutions import refuse_captured, solve
from wengert.scipy.systems import (
    FLOAT,
    Call,
    Operand,
    System,
    is_compiled,
    to_user,
)

#: Settings of SciPy's that say how to integrate, and their defaults.
_SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("rtol", "atol", "tcrit", "ml", "mu")),
    **dict.fromkeys(("h0", "hmax", "hmin"), 0.0),
    **dict.fromkeys(("ixpr", "mxstep", "mxhnil"), 0),
    "mxordn": 12,
    "mxords": 5,
    "printmessg": 0,
}


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    args: tuple[Any, ...] = (),
    Dfun: Any = None,
    col_deriv: Any = 0,
    full_output: Any = 0,
    ml: int | None = None,
    mu: int | None = None,
    rtol: Any = None,
    atol: Any = None,
    tcrit: Any = None,
    h0: float = 0.0,
    hmax: float = 0.0,
    hmin: float = 0.0,
    ixpr: Any = 0,
    mxstep: int = 0,
    mxhnil: int = 0,
    mxordn: int = 12,
    mxords: int = 5,
    printmessg: Any = 0,
    tfirst: bool = False,
) -> Any:
    """Integrate a system of ordinary differential equations, by `scipy.integrate.odeint` (LSODA).

    Differentiable with respect to `y0`, every time in `t`, and everything in `args`, in both modes and at any order.

    Parameters
    ----------
    func : callable
        ``func(y, t, *args)`` returns dy/dt, an array or a list of the length of y. Made with `jit`, it is compiled, and
        so are the right-hand sides that its derivatives need.
    y0 : array_like, shape (n,)
        Where to begin; real.
    t : array_like, shape (m,)
        Times at which the solution is wanted, the first being that of `y0`; increasing or decreasing.
    args : tuple
        More arguments of `func`: arrays, numbers, containers of such. Integers and what is no number are constants.
    Dfun : callable or True, optional
        The matrix ∂func/∂y, as in SciPy. True: computed by differentiating `func`, also for derivatives.
    full_output : bool
        Whether to return SciPy's statistics, too: those of the solution, not of derivatives.
    rtol, atol : float or array_like, shape (n,), optional
        Error tolerances, of derivatives, too: these are scaled such that the largest tangent or cotangent is about 1.
    tcrit : array_like, optional
        Times at which to take care; without reverse mode.
    col_deriv, ml, mu, h0, hmax, hmin, ixpr, mxstep, mxhnil, mxordn, mxords, printmessg, tfirst
        As in SciPy.

    Returns
    -------
    y : array, shape (m, n)
        The solution. Rows that SciPy did not reach, about which it warns, are NaN, and so are derivatives of them.
    infodict : dict
        Only if `full_output`.

    Raises
    ------
    InputTypeError
        `y0` is complex, `args` is no tuple, or `Dfun` no function.
    UnsupportedOperationError
        `func` uses a traced value from its surroundings, and branches on numbers; or reverse mode with `tcrit`.

    Notes
    -----
    Forward mode integrates the variational equation, reverse mode the adjoint equation backwards from each time to the
    one before. Traced values that `func` uses without getting them as arguments are found, and are differentiated too,
    unless it branches on y, t or its arguments. For a compiled function it is much faster to pass them in `args`.

    Derivatives have errors of the order of the tolerances, not of rounding. Reverse mode integrates y itself backwards,
    between two times; if that is unstable (stiff systems over long intervals), ask for more times.

    References
    ----------
    F. Froehlich, C. Loos, J. Hasenauer, "Scalable inference of ordinary differential equation models of biochemical
    processes" (2017), arXiv:1711.08079.
    R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, "Neural ordinary differential equations" (NeurIPS 2018).

    Examples
    --------
    The position of a pendulum after 2 seconds, and its derivative with respect to the length:

    >>> import numpy as np
    >>> from wengert import value_and_grad
    >>> from wengert.scipy.integrate import odeint
    >>> def pendulum(y, t, length):
    ...     angle, speed = y
    ...     return [speed, -9.81 / length * np.sin(angle)]
    >>> def angle(length):
    ...     return odeint(pendulum, [0.5, 0.0], [0.0, 2.0], args=(length,))[-1, 0]
    >>> value, slope = value_and_grad(angle)(1.0)
    >>> print(f"{value:.5f} {slope:.5f}")
    0.49663 -0.17773
    """
    if not (Dfun is None or isinstance(Dfun, bool) or callable(Dfun)):
        fail(InputTypeError, "Dfun of odeint must be a function that returns the matrix ∂f/∂y, or True to derive it.")
    y0, t, call, operands, handles = _call(func, y0, t, args, (bool(tfirst), Dfun or None, bool(col_deriv)))
    given = (rtol, atol, tcrit, ml, mu, h0, hmax, hmin, ixpr, mxstep, mxhnil, mxordn, mxords, printmessg)
    settings = {
        name: x if isinstance(x, (int, float)) else concrete(x, f"odeint's {name}")
        for (name, default), x in zip(_SETTINGS.items(), given, strict=True)
        if x is not default
    }
    report: dict[str, Any] = {"report": []} if full_output else {}
    if full_output and not all(map(is_concrete, (y0, t, *operands))):
        fail(
            UnsupportedOperationError,
            "odeint cannot return full_output under vmap or jit, where there is no single integration. Call it "
            "without, and once more outside if the statistics are wanted.",
        )
    system, more = _found(call, [y0, t, *operands])
    out = solve.bind(y0, t, *operands, *more, system=system, settings=settings, **report)
    y = to_user(out) if isinstance(out, Value) or not handles else wrap(out)
    return (y, *report["report"]) if full_output else y


def _call(func: Any, y0: Any, t: Any, args: Any, options: tuple[Any, ...]) -> Any:
    """Values, the right-hand side, and whether there was an Array among the arguments."""
    if not isinstance(args, tuple):
        fail(InputTypeError, "args of odeint must be a tuple; for one argument write args=(a,).")
    leaves, structure = containers.flatten(args)
    handles = contains_array([y0, t, *leaves])
    y0, t = unwrap(as_array(y0)), unwrap(as_array(t))
    if dtype_of(y0).kind == "c":
        fail(
            InputTypeError,
            "odeint integrates real systems, and y0 is complex. Integrate real and imaginary parts: begin with "
            "np.concatenate([z.real, z.imag]), and put them together in func.",
        )
    y0, t = (x if dtype_of(x) == FLOAT else astype(x, dtype=FLOAT) for x in (y0, t))
    if len(shape_of(y0)) > 1:
        raise ValueError("Initial condition y0 must be one-dimensional.")
    if len(shape_of(t)) != 1:
        raise ValueError("Output times t must be one-dimensional.")
    y0 = reshape(y0, shape=(1,)) if shape_of(y0) == () else y0
    operands, fixed = [], []
    for x in leaves:
        value = x.immutable_value if isinstance(x, Array) else x
        if isinstance(value, (np.ndarray, np.generic, float, complex)) and np.asarray(value).dtype.kind in "fc":
            value = value if isinstance(value, np.ndarray) else np.asarray(value)[()]
        elif not isinstance(value, (Value, np.ndarray)):
            fixed.append(x)
            continue
        operands.append(value)
        fixed.append(Operand(type(x)))
    return y0, t, _system(func, fixed, (structure, shape_of(y0)[0], *options)), operands, handles


def _system(func: Any, leaves: list[Any], options: tuple[Any, ...]) -> Call:
    """The right-hand side; that of a compiled function is kept with it, so that its derivatives are compiled once."""
    known: dict[Any, Call] | None = func.systems if is_compiled(func) else None
    key = (*options, *((type(x), x.kind if isinstance(x, Operand) else x) for x in leaves))
    try:
        if known is not None and key in known:
            return known[key]
    except TypeError:  # something in args is not hashable
        known = None
    call = Call(func, leaves, *options)
    if known is not None:
        known[key] = call
    return call


def _found(call: Call, values: list[Any]) -> tuple[System, list[Any]]:
    """The system, and what the right-hand side uses of its surroundings, if that is traced."""
    y, t, *operands = values
    if 0 in (*shape_of(y), *shape_of(t)):
        return call, []
    known = all(map(_has_numbers, values))
    if known:
        probe = call.plain if call.compiled else call.function
        out = probe(representative(y), representative(t)[0], *map(representative, operands))
        if not isinstance(unwrap(out), Value):
            return call, []
    types = [type_of(y), ArrayType((), FLOAT), *map(type_of, operands)]
    try:
        return call.closed(types, compiled=not known)
    except Exception:  # the user's function may do anything with numbers
        if known:
            refuse_captured(call.place())
        return call, []  # if there is something after all, it is noticed when the program runs


def _has_numbers(x: Any) -> bool:
    """Whether there is a number behind each element: not in a recording, nor in a batch of none."""
    numbers = known_numbers(x)
    return numbers is not None and (numbers.size > 0 or 0 in shape_of(x))
