"""Solutions of initial value problems, by SciPy, with their derivatives: the primitive behind `odeint`.

The solution of dy/dt = f(y, t, p) from y(t₀) = y₀ at times t₀, …, t_m is one primitive. Its derivatives are solutions
of other initial value problems, so they are made with the primitive itself and have derivatives again:

forwards    The tangent S obeys the variational equation dS/dt = ∂f/∂y·S + ∂f/∂p·ṗ from S(t₀) = ẏ₀ - f(y₀, t₀)·ṫ₀, and
            the tangent of y(tᵢ) is S(tᵢ) + f(yᵢ, tᵢ)·ṫᵢ. It is integrated together with y.
backwards   The adjoint a obeys da/dt = -(∂f/∂y)ᵀa and gains the cotangent of yᵢ at tᵢ; the cotangent of p is the
            integral of (∂f/∂p)ᵀa. Both are integrated from each tᵢ back to the one before, together with y, which
            begins anew at yᵢ: Froehlich, Loos & Hasenauer, "Scalable inference of ordinary differential equation models
            of biochemical processes" (2017), section 2.4.2; Chen, Rubanova, Bettencourt & Duvenaud, "Neural ordinary
            differential equations" (NeurIPS 2018).

Both equations are linear: tangents and cotangents are divided by their size, so that error tolerances suit them.
"""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import scipy.integrate as si

from wengert.core.combinators import astype, narrow, reduce_sum, reshape, widen
from wengert.core.primitive import Primitive
from wengert.core.values import ArrayType, Value, dtype_of, shape_of, type_of
from wengert.errors import ConcretizationError, UnsupportedOperationError, fail
from wengert.numpy.dispatch import known_numbers
from wengert.rules.elementwise import absolute, exponent, greater, maximum, minimum, power, where
from wengert.rules.joining import concatenate, stack
from wengert.rules.reductions import reduce_max
from wengert.scipy.systems import (
    FLOAT,
    Call,
    Captured,
    System,
    packed,
    packed_size,
    unpacked,
)

_SUCCESS = ("Integration successful.", "Nothing was done; the integration time was 0.")


class _Running(threading.local):
    """Whether SciPy integrates in this thread: its solver keeps its state in one place, and cannot call itself."""

    now: bool = False


_running = _Running()


def _integrate(
    y0: Any, t: Any, *args: Any, system: System, settings: dict[str, Any], report: list[Any] | None = None
) -> np.ndarray:
    """Let SciPy solve the problem. What it did not reach is NaN; SciPy returns arbitrary numbers there."""
    if not (len(t) and len(y0)) and report is None:
        return np.zeros((len(t), len(y0)))
    if not isinstance(system, Call):
        if t[0] == t[-1]:
            return np.tile(y0, (len(t), 1))
        base = system.base
        if base is not None and not np.any(y0[base.size : 2 * base.size]):  # a zero adjoint stays zero
            settings = {k: v[: base.size] if np.ndim(v) else v for k, v in settings.items()}
            y = _integrate(y0[: base.size], t, *args, system=base, settings=settings)
            return np.concatenate([y, np.tile(y0[base.size :], (len(t), 1))], axis=1)
    if np.isnan(y0).all() if isinstance(system, Call) else np.isnan(y0).any():
        return np.full((len(t), system.size), np.nan)  # a derivative where the solution does not exist
    if _running.now:
        fail(
            UnsupportedOperationError,
            "odeint was called by a function that is being integrated by odeint, and SciPy's solver cannot be nested: "
            "it would return wrong numbers. Make the inner integral a component of y.",
        )
    problem = system.problem(args)
    _running.now = True
    try:
        y, info = si.odeint(y0=y0, t=t, full_output=True, **problem, **settings)
    except (Captured, ConcretizationError, ValueError) as error:
        lost = any(isinstance(e, ConcretizationError) for e in (error, error.__cause__)) and isinstance(system, Call)
        if lost or isinstance(error, Captured):
            refuse_captured(system.place() if isinstance(system, Call) else system.name)
        raise
    finally:
        _running.now = False
    if info["message"] not in _SUCCESS and len(t) > 1:
        reached = (info["tcur"] - t[1:]) * np.sign(t[-1] - t[0]) >= 0
        first = 0 if info["nst"][0] == 0 else int(np.argmin(reached))
        y[1 + first :] = np.nan
    if report is not None:
        report.append(info)
    return y


def refuse_captured(place: str) -> NoReturn:
    """Raise the error for a traced value that the function at `place` uses and does not get."""
    fail(
        UnsupportedOperationError,
        f"the function given to odeint, {place}, uses a traced value that is not one of its arguments, and could not "
        "be recorded, since it branches on numbers. Pass that value in args: odeint(func, y0, t, args=(value,)).",
    )


def _extended(settings: dict[str, Any], n: int, copies: int, more: int, *, backwards: bool) -> dict[str, Any]:
    """Settings for a system of `copies` of y and `more` numbers."""
    new = dict(settings)
    for name in ("rtol", "atol"):
        tolerance = np.asarray(settings.get(name, 0.0))
        if tolerance.shape == (n,):
            new[name] = np.concatenate([*[tolerance] * copies, np.full(more, np.min(tolerance, initial=1.0))])
    for name in ("ml", "mu", "ixpr", "printmessg"):
        new.pop(name, None)
    if backwards:
        if "h0" in settings:
            new["h0"] = -settings["h0"]
        if "tcrit" in settings:
            fail(
                UnsupportedOperationError,
                "odeint has no reverse mode with tcrit. Integrate from one critical time to the next, each time "
                "beginning with the last row of the result before.",
            )
    return new


def _largest(x: Any) -> Any:
    """The largest absolute value of a vector; 0 for none."""
    return reduce_max(absolute(concatenate(x, np.zeros(1), axis=0)), axis=(0,))


def _size_of(*parts: Any) -> Any:
    """The power of two near the largest absolute value, as a constant; 1 for zeros."""
    largest = _largest(concatenate(*map(packed, parts), axis=0))
    return power(2.0, astype(exponent(largest), dtype=FLOAT))


class Odeint(Primitive):
    """odeint(y0, t, *args) → the solution at the times t, one row each."""

    def __init__(self) -> None:
        super().__init__(_integrate, name="odeint")

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> ArrayType:
        """One row for each time."""
        return ArrayType((shape_of(args[1])[0], params["system"].size), FLOAT)

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Solve one problem after the other: each has its own steps."""
        if size == 0:
            return np.zeros((0, shape_of(args[1])[-1], params["system"].size))
        return self.loop_over_batch(size, args, batched, params)

    def residuals(self, args: Sequence[Any], out: Any, traced: Sequence[bool], params: dict[str, Any]) -> Any:
        """Keep the solution, the times and the arguments."""
        return (out, tuple(map(type_of, args)), *args[1:])

    def push(self, tangents: Sequence[Any], saved: Any, params: dict[str, Any]) -> Any:
        """Integrate the variational equation."""
        out, _, t, *args = saved
        system, settings = params["system"], params["settings"]
        rows, n = shape_of(out)
        if rows == 0:
            return np.zeros((0, n))
        start, dt, *dots = tangents
        start = np.zeros(n) if start is None else start
        args = [_wide(x) for x in args]
        speeds: list[Any] = []
        if dt is not None:
            speeds = [system(out[i], t[i], *args) for i in range(rows)]
            start = start - speeds[0] * dt[0]
        which = tuple(d is not None for d in dots)
        moving = [widen(d, type_of(x)) for x, d in zip(args, dots, strict=True) if d is not None]
        size = _size_of(start, *moving)
        solution = self.bind(
            concatenate(out[0], start / size, axis=0),
            t,
            *args,
            *(d / size for d in moving),
            system=system.variational(which),
            settings=_extended(settings, n, 2, 0, backwards=False),
        )
        dot = solution[:, n:] * size
        if dt is not None:
            dot = dot + stack(*speeds) * reshape(dt, shape=(rows, 1))
        return dot

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Integrate the adjoint equation from each time back to the one before."""
        out, types, t, *args = saved
        system, settings = params["system"], params["settings"]
        rows, n = shape_of(out)
        if rows == 0:
            return
        args = [_wide(x) for x in args]
        which = tuple(p >= 0 for p in parents[2:])
        moving = [(p, x, type_) for p, x, type_ in zip(parents[2:], args, types[2:], strict=True) if p >= 0]
        sizes = [packed_size(x) for _, x, _ in moving]
        adjoint = system.adjoint(which, sum(sizes))
        settings = _extended(settings, n, 2, sum(sizes), backwards=True)
        slack = 1e3 * np.max(params["settings"].get("atol", 1.5e-8))
        size = _size_of(ct)
        ct = ct / size
        a, q = ct[rows - 1], np.zeros(sum(sizes))
        rates = [_decay(system, out[rows - 1], t[rows - 1], args)]
        times = []
        for i in range(rows - 1, 0, -1):
            if parents[1] >= 0:
                times.append(reduce_sum(system(out[i], t[i], *args) * ct[i], axis=(0,)))
            rates.append(_decay(system, out[i - 1], t[i - 1], args))
            pieces = _pieces(rates[-2:], t[i] - t[i - 1])
            stations = self._stations((out[i - 1], t[i - 1]), (out[i], t[i]), pieces, args, params)
            for (y, s), (before, earlier) in itertools.pairwise(stations):
                z = concatenate(y, a, q, axis=0)
                z = self.bind(z, stack(s, earlier), *args, system=adjoint, settings=settings)[1]
                z = _checked(z, before, y, slack)
                a, q = z[n : 2 * n], z[2 * n :]
            if i == 1 and parents[1] >= 0:
                times.append(-reduce_sum(system(out[0], t[0], *args) * a, axis=(0,)))
            a = a + ct[i - 1]
        if parents[0] >= 0:
            sweep.add(parents[0], a * size, False)
        if parents[1] >= 0:
            times = times or [np.float64(0)]
            sweep.add(parents[1], narrow(stack(*times[::-1]) * size, types[1]), False)
        begin = 0
        for (parent, x, type_), m in zip(moving, sizes, strict=True):
            sweep.add(parent, narrow(unpacked(q[begin : begin + m], type_of(x)) * size, type_), False)
            begin += m

    def _stations(self, first: Any, last: Any, pieces: int, args: Sequence[Any], params: Any) -> list[Any]:
        """Points (y, t) of the solution, from the last one back to the first: y begins anew at each."""
        if pieces < 2:
            return [last, first]
        times = [first[1] + (last[1] - first[1]) * (k / pieces) for k in range(pieces)]
        ys = self.bind(first[0], stack(*times), *args, system=params["system"], settings=params["settings"])
        return [last, *((ys[k], times[k]) for k in range(pieces - 1, 0, -1)), first]


solve = Odeint()


def _decay(system: System, y: Any, t: Any, args: Sequence[Any]) -> np.ndarray:
    """The lowest and the highest rate at which a difference between solutions decays; zeros if that is not known."""
    known = 0 < system.size <= 64 and all(known_numbers(x) is not None for x in (y, t, *args))
    if known:
        plain = not any(isinstance(x, Value) for x in (y, t, *args))
        jacobian = known_numbers((system.jacobian if plain else system.transposed_jacobian)(y, t, *args))
        if jacobian is not None and np.isfinite(jacobian).all():
            rates = -np.linalg.eigvals(jacobian).real
            return np.array([rates.min(), rates.max()])
    return np.zeros(2)


def _pieces(rates: Sequence[np.ndarray], length: Any) -> int:
    """Into how many pieces to cut the way back over this length: what decays forwards, grows backwards.

    In each piece an error may grow by a factor of exp(5).
    """
    length = known_numbers(length)
    if length is None:
        return 1
    growth = np.outer(rates, [length.min(), length.max()]).max()  # of all examples
    return int(min(max(np.ceil(growth / 5), 1), 1000))


def _checked(z: Any, before: Any, after: Any, slack: float) -> Any:
    """(y, a, q) at the end of a way back; with a warning if y went so far astray that the others may be wrong.

    In a recording, where nobody knows the numbers, they are NaN then.
    """
    n = shape_of(before)[0]
    error = _largest(z[:n] - before) * minimum(_largest(z[n : 2 * n]), 1.0)
    size = maximum(_largest(before), _largest(after))
    excess = known_numbers(error - 1e-3 * size - slack)
    if excess is None:
        return where(greater(error, 1e-3 * size + slack), np.nan, z)
    if np.any(excess > 0):
        warnings.warn(
            "the derivative of odeint may be wrong: integrated backwards between two of the times, y did not come back "
            "to where it was. Ask for more times in between, or use forward mode (jvp, jacfwd).",
            si.ODEintWarning,
            stacklevel=2,
        )
    return z


def _wide(x: Any) -> Any:
    """In double precision: the noise of single precision would make LSODA take ever smaller steps."""
    wide = {"f": FLOAT, "c": np.dtype(np.complex128)}.get(dtype_of(x).kind)
    return x if wide is None or dtype_of(x) == wide else astype(x, dtype=wide)
