"""`check_grads`: compare derivatives with numerical ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert.core import containers
from wengert.derivatives.calls import Inputs, to_value
from wengert.derivatives.forward import jvp
from wengert.derivatives.gradient import vjp
from wengert.errors import GradientCheckError, InputTypeError, fail

# Entries that are examined one by one when a random direction shows a difference.
_MAX_ENTRIES = 1000


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
) -> None:
    """Compare the derivatives of a function with numerical ones, in random directions.

    Parameters
    ----------
    f : callable
        Function of arrays or containers, returning the same; smooth around `args`.
    args : tuple or list
        Where to check. Real or complex floating-point leaves.
    order : int
        Check derivatives up to this order, mixing the modes in all ways.
    modes : sequence of {"fwd", "rev"}
        Which modes to check.
    atol, rtol : float, optional
        Tolerances. By default they follow from the dtype (1e-6 for float64, 1e-2 for float32) and the order.
    eps : float, optional
        Step of the central differences, relative to the size of the arguments.
    seed : int
        Seed of the random directions.

    Returns
    -------
    None
        If all derivatives agree.

    Raises
    ------
    GradientCheckError
        An `AssertionError` that names the mode and order and the entry that is worst. Plain `assert`-style use in
        pytest: just call `check_grads`.
    InputTypeError
        Arguments are not of floating-point type, or `modes` is unknown.

    Notes
    -----
    The reference is a Richardson-extrapolated central difference; where that disagrees, the complex step derivative
    (Squire & Trapp, SIAM Review 40, 1998), which has no cancellation but needs an analytic function of real arguments,
    is asked as well. A derivative is right if it agrees with either.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import check_grads
    >>> check_grads(lambda x: np.sum(np.sin(x) ** 2), (np.array([0.1, 0.7]),), order=2)
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or not modes:
        fail(InputTypeError, f"check_grads got modes={modes!r}; it knows 'fwd' and 'rev'.")
    _check(f, tuple(args), order, tuple(modes), (atol, rtol, eps), np.random.default_rng(seed), ())


def _check(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    order: int,
    modes: tuple[str, ...],
    options: tuple[float | None, float | None, float | None],
    rng: np.random.Generator,
    path: tuple[str, ...],
) -> None:
    """Check the first derivative of f, then that of its derivatives."""
    if order <= 0:
        return
    comparison = _Comparison(f, args, options, rng, path)
    for mode in modes:
        comparison.forward() if mode == "fwd" else comparison.reverse()
    if order == 1:
        return
    v, w = comparison.direction, comparison.weights
    for mode in modes:
        if mode == "fwd":
            _check(lambda *a: jvp(f, a, v)[1], args, order - 1, modes, options, rng, (*path, "fwd"))
        else:
            _check(lambda *a: vjp(f, *a)[1](w), args, order - 1, modes, options, rng, (*path, "rev"))


class _Comparison:
    """First derivative of one function at one point against its numerical estimates."""

    def __init__(self, f: Any, args: tuple[Any, ...], options: Any, rng: np.random.Generator, path: Any) -> None:
        self.f, self.args, self.path = f, args, path
        self.inputs = Inputs(args, range(len(args)), "check_grads")
        self.plain = [np.asarray(v) for v in self.inputs.values]
        single = any(v.dtype in (np.float32, np.complex64) for v in self.plain)
        atol, rtol, eps = options
        looser = 10.0 ** len(path)
        self.rtol = rtol if rtol is not None else (1e-2 if single else 1e-6) * looser
        self.atol = atol if atol is not None else (1e-2 if single else 1e-6) * looser
        self.eps = eps if eps is not None else (1e-2 if single else 1e-4)
        self.v = [_random_like(x, rng) for x in self.plain]
        self.direction = self.inputs.rebuild(self.v)
        result = f(*args)
        self.w = [_random_like(x, rng) for x in _plain(result)]
        self.weights = containers.unflatten(containers.flatten(result)[1], self.w)

    def evaluate(self, leaves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Flat outputs at flat inputs; arguments that were scalars stay scalars."""
        result = self.f(*self.inputs.rebuild([x[()] if x.ndim == 0 else x for x in leaves]))
        return _plain(result)

    def along(self, direction: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Yield estimates of the derivative in a direction, the generally applicable one first."""

        def central(step: float) -> list[np.ndarray]:
            plus = self.evaluate([(x + step * d).astype(x.dtype) for x, d in zip(self.plain, direction, strict=True)])
            minus = self.evaluate([(x - step * d).astype(x.dtype) for x, d in zip(self.plain, direction, strict=True)])
            return [(p - m) / (2 * step) for p, m in zip(plus, minus, strict=True)]

        coarse, fine = central(self.eps), central(self.eps / 2)
        yield [(4 * b - a) / 3 for a, b in zip(coarse, fine, strict=True)]
        if any(x.dtype.kind == "c" for x in self.plain):
            return
        try:
            step = 1e-30
            shifted = self.evaluate([x + 1j * step * d for x, d in zip(self.plain, direction, strict=True)])
        except Exception:  # not every function takes complex numbers; then this estimate is missing
            return
        yield [np.imag(s) / step for s in shifted]

    def forward(self) -> None:
        """jvp against the numerical derivative."""
        dots = jvp(self.f, self.args, self.direction)[1]
        exact = _plain(dots)
        if not any(self.agree(exact, numerical) for numerical in self.along(self.v)):
            self.report("fwd", exact)

    def reverse(self) -> None:
        """<w, J v> with the numerical J v against <v, Jᵀ w> with the exact one."""
        cts = vjp(self.f, *self.args)[1](self.weights)
        exact = _plain(cts)
        right = _inner(exact, self.v)
        scale = sum(float(np.sum(np.abs(a) * np.abs(b))) for a, b in zip(exact, self.v, strict=True))
        for numerical in self.along(self.v):
            left = _inner(self.w, numerical)
            if abs(left - right) <= self.atol + self.rtol * max(abs(left), scale):
                return
        self.report("rev", exact)

    def agree(self, exact: Sequence[np.ndarray], numerical: Sequence[np.ndarray]) -> bool:
        """Whether all leaves agree within the tolerances, measured against the largest entry of the leaf."""
        for a, b in zip(exact, numerical, strict=True):
            size = np.max(np.abs(b), initial=0.0)
            if a.shape != b.shape or not np.all(np.abs(a - b) <= self.atol + self.rtol * size):
                return False
        return True

    def report(self, mode: str, exact: Sequence[np.ndarray]) -> None:
        """Look at entries one by one and raise with the worst one."""
        worst, message = -1.0, "no single entry stands out; only the random direction differs"
        for leaf, x in enumerate(self.plain):
            for position in list(np.ndindex(x.shape))[:_MAX_ENTRIES]:
                unit = [np.zeros_like(p) for p in self.plain]
                unit[leaf][position] = 1
                numerical = next(self.along(unit))
                if mode == "fwd":
                    dots = jvp(self.f, self.args, self.inputs.rebuild([u[()] if u.ndim == 0 else u for u in unit]))[1]
                    pairs = [
                        (o, i, a, b)
                        for o, (aa, bb) in enumerate(zip(_plain(dots), numerical, strict=True))
                        for i, a, b in zip(np.ndindex(aa.shape), aa.ravel(), bb.ravel(), strict=True)
                    ]
                else:
                    pairs = [(-1, (), np.real(exact[leaf][position]), _inner(self.w, numerical))]
                for o, i, a, b in pairs:
                    error = abs(a - b)
                    if error > worst or np.isnan(error):
                        worst = np.inf if np.isnan(error) else float(error)
                        of = f"output {o}{list(i)}" if o >= 0 else "the weighted sum of the outputs"
                        message = (
                            f"worst: d({of}) / d(input {leaf}{list(position)}) is {a}, the numerical estimate is {b}"
                        )
        order = len(self.path) + 1
        fail(
            GradientCheckError,
            f"derivative of order {order} in mode {'-'.join((*self.path, mode))} is wrong; {message}.",
        )


def _plain(tree: Any) -> list[np.ndarray]:
    """The leaves of a container as ndarrays."""
    return [np.asarray(to_value(x)) for x in containers.flatten(tree)[0]]


def _random_like(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    v = rng.standard_normal(x.shape)
    if x.dtype.kind == "c":
        v = v + 1j * rng.standard_normal(x.shape)
    return np.asarray(v).astype(x.dtype if x.dtype.kind in "fc" else float)


def _inner(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    """Re Σ conj(a)·b."""
    return float(sum(np.sum(np.real(np.conj(x) * y)) for x, y in zip(a, b, strict=True)))
