"""Levels that watch a computation: tapes that hear of every operation, and `detect_nonfinite`.

The switch works by replacement: while it is on, `new_tape` and `new_forward` make a `CheckedTape` and a
`CheckedForward` in this thread, so that nothing costs anything while it is off.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.values import Value
from wengert.errors import NonFiniteError, describe_location, user_location
from wengert.transforms import forward, reverse
from wengert.transforms.batch import Batched
from wengert.transforms.forward import Dual, Forward
from wengert.transforms.reverse import Sweep, Tape

Location = tuple[str, int, str] | None


class ListeningTape(Tape):
    """A Wengert list that calls `heard` after each operation."""

    __slots__ = ()

    def heard(self, start: int, primitive: Primitive, args: Sequence[Any], params: dict[str, Any], out: Any) -> None:
        """Take note of an operation that was recorded from slot `start` on."""
        raise NotImplementedError

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Record, and pass the word."""
        start = len(self.entries)
        out = super().process(primitive, args, params)
        self.heard(start, primitive, args, params, out)
        return out

    def process_unary(self, primitive: Any, x: Any) -> Any:
        """Record, and pass the word."""
        start = len(self.entries)
        out = super().process_unary(primitive, x)
        self.heard(start, primitive, (x,), {}, out)
        return out

    def process_binary(self, primitive: Any, x: Any, y: Any) -> Any:
        """Record, and pass the word."""
        start = len(self.entries)
        out = super().process_binary(primitive, x, y)
        self.heard(start, primitive, (x, y), {}, out)
        return out


# The switch -----------------------------------------------------------------------------------------------------------


class _Pause(threading.local):
    """Depth of computations whose intermediate values are not looked at, in this thread.

    A derivative rule may pass through infinity and end with a number (a strong zero), so under nested transforms the
    outer ones must not look at what the rules of the inner ones compute on the way.
    """

    depth = 0


_pause = _Pause()


@contextlib.contextmanager
def _unwatched() -> Iterator[None]:
    _pause.depth += 1
    try:
        yield
    finally:
        _pause.depth -= 1


class CheckedTape(ListeningTape):
    """A tape that raises at the first value or cotangent that is not finite."""

    __slots__ = ("origins",)

    def __init__(self) -> None:
        super().__init__()
        #: slot -> (primitive, arguments, user's line)
        self.origins: dict[int, tuple[Primitive, Sequence[Any], Location]] = {}

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Record and check."""
        with _unwatched():
            return super().process(primitive, args, params)

    def process_unary(self, primitive: Any, x: Any) -> Any:
        """Record and check."""
        with _unwatched():
            return super().process_unary(primitive, x)

    def process_binary(self, primitive: Any, x: Any, y: Any) -> Any:
        """Record and check."""
        with _unwatched():
            return super().process_binary(primitive, x, y)

    def heard(self, start: int, primitive: Primitive, args: Sequence[Any], params: dict[str, Any], out: Any) -> None:
        """Remember the line for the sweep, and check the output."""
        location = user_location()
        self.origins[start] = primitive, args, location
        if _pause.depth == 1:
            _check(out, primitive, args, location)

    def sweep(self) -> Sweep:
        """Return a sweep that checks."""
        return CheckedSweep(self)


class CheckedSweep(Sweep):
    """A sweep that raises at the first cotangent that is not finite."""

    __slots__ = ("current",)
    tape: CheckedTape

    def __init__(self, tape: CheckedTape) -> None:
        super().__init__(tape)
        self.current: int | None = None  # the slot whose operation is being pulled back

    def run(self, first: int, last: int) -> None:
        """Pull back operation by operation."""
        around = self.current
        with _unwatched() if around is None else contextlib.nullcontext():  # a checkpoint runs a sweep in the sweep
            for slot in range(last - 1, first - 1, -1):
                self.current = slot
                super().run(slot, slot + 1)
        self.current = around

    def add(self, slot: int, ct: Any, fresh: bool) -> None:
        """Check, and add."""
        self.check(ct)
        super().add(slot, ct, fresh)
        self.check(self.cotangents[slot])

    def into(
        self, slot: int, type_: Any, accumulate: Any, ct: Any, args: Sequence[Any], params: dict[str, Any]
    ) -> None:
        """Check what is added; the sum is checked where it is used."""
        self.check(ct)
        super().into(slot, type_, accumulate, ct, args, params)

    def check(self, ct: Any) -> None:
        """Raise the error that names the operation being pulled back and the line where it was executed."""
        if _pause.depth > 1:
            return
        problem = _problem(ct)
        if problem is None:
            return
        if self.current is None:
            _fail(f"the cotangent that reverse mode started with {problem[0]}", (), user_location())
        origin = self.tape.origins.get(self.current)
        if origin is None:
            _fail(f"a cotangent {problem[0]}", (), user_location())
        primitive, args, location = origin
        _fail(f"in reverse mode the derivative of '{primitive.name}' {problem[0]}", args, location)


class CheckedForward(Forward):
    """A forward-mode level that raises at the first value or tangent that is not finite."""

    __slots__ = ()

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Compute and check."""
        with _unwatched():
            out = super().process(primitive, args, params)
            return self.checked(out, primitive, args)

    def process_unary(self, primitive: Any, x: Any) -> Any:
        """Compute and check."""
        with _unwatched():
            out = super().process_unary(primitive, x)
            return self.checked(out, primitive, (x,))

    def process_binary(self, primitive: Any, x: Any, y: Any) -> Any:
        """Compute and check."""
        with _unwatched():
            out = super().process_binary(primitive, x, y)
            return self.checked(out, primitive, (x, y))

    def checked(self, out: Any, primitive: Primitive, args: Sequence[Any]) -> Any:
        """Return `out` if it is finite."""
        if _pause.depth == 1:
            _check(out, primitive, args, user_location())
        return out


class detect_nonfinite(contextlib.ContextDecorator):
    """Raise an error where a value or derivative first becomes NaN or infinite; a context manager or a decorator.

    Transforms that start in this thread while it is on check every operation: its value, in forward mode its tangent,
    in reverse mode the cotangents of its arguments.

    Raises
    ------
    NonFiniteError
        Names the operation, the line of the user's code that executed it, and the values of its arguments.

    Notes
    -----
    Costs several times the time of a derivative, and nothing when it is off. Checked are `grad`, `vjp`, `jvp` and what
    is built of them; not plain NumPy code outside of a transform, hand-made duals, and variables with ``backward()``.
    Infinities that the program means to have (as the start of a running minimum, or in a branch that `where` discards
    later) raise as well.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert
    >>> with wengert.detect_nonfinite():
    ...     try:
    ...         wengert.grad(lambda x: np.sqrt(x) + 1.0)(0.0)
    ...     except wengert.errors.NonFiniteError as error:
    ...         print(str(error).splitlines()[0])
    in reverse mode the derivative of 'sqrt' is inf (its argument: 0.0)
    """

    def __init__(self) -> None:
        self._before: list[Any] = []

    def _recreate_cm(self) -> detect_nonfinite:
        return detect_nonfinite()  # a decorated function may run in several threads at once

    def __enter__(self) -> detect_nonfinite:
        self._before.append((reverse.made.tape, forward.made.level))
        reverse.made.tape, forward.made.level = CheckedTape, CheckedForward
        return self

    def __exit__(self, *_: object) -> None:
        reverse.made.tape, forward.made.level = self._before.pop()


def _check(out: Any, primitive: Primitive, args: Sequence[Any], location: Location) -> None:
    for o in out if primitive.multiple else (out,):
        problem = _problem(o)
        if problem is not None:
            text, tangent = problem
            what = (
                f"in forward mode the derivative of '{primitive.name}'"
                if tangent
                else f"the result of '{primitive.name}'"
            )
            _fail(f"{what} {text}", args, location)


def _problem(x: Any, tangent: bool = False) -> tuple[str, bool] | None:
    """What is wrong with a value ("is nan", "has 2 nan"), and whether it is wrong with a tangent in it."""
    if isinstance(x, Dual):
        return _problem(x.primal, tangent) or _problem(x.tangent, True)
    if isinstance(x, Value):
        return _problem(x.value if isinstance(x, Batched) else x.payload, tangent)
    if x is None:
        return None
    array = np.asarray(x)
    if array.dtype.kind not in "fc" or np.isfinite(array).all():
        return None
    return (f"is {array[()]}" if array.ndim == 0 else f"has {_counts(array)} in {array.size} elements"), tangent


def _counts(array: np.ndarray) -> str:
    nan, inf = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    return " and ".join(f"{n} {name}" for n, name in ((nan, "nan"), (inf, "inf")) if n)


def _summary(x: Any) -> str:
    """An argument in a few words."""
    while isinstance(x, Value):
        x = x.value if isinstance(x, Batched) else x.payload
    array = np.asarray(x)
    if array.ndim == 0:
        return str(array[()])
    about = f"{array.dtype} array of shape {array.shape}"
    if array.size == 0 or array.dtype.kind not in "biuf":
        return about
    finite = array[np.isfinite(array)]
    span = f" from {finite.min():.6g} to {finite.max():.6g}" if finite.size else ""
    counts = _counts(array) if array.dtype.kind == "f" else ""
    return f"{about}{span}{', with ' + counts if counts else ''}"


def _fail(what: str, args: Sequence[Any], location: Location) -> NoReturn:
    values = "; ".join(_summary(a) for a in args)
    inputs = f" (its argument{'s' if len(args) > 1 else ''}: {values})" if args else ""
    raise NonFiniteError(what + inputs + describe_location(location))
