"""What the rules of the special functions have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import scipy  # whose module `special` is imported when it is first used: it takes longer than most of Wengert

from wengert.core.combinators import Elementwise, General, cast, conjugate, strong_scale
from wengert.core.primitive import Primitive
from wengert.core.values import dtype_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.rules.elementwise import equal, logical_and, where


class SciPyFunctions:
    """The functions of scipy.special, as ufuncs also under SCIPY_ARRAY_API=1, where the public ones are wrappers."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        function = getattr(scipy.special, name, None)
        return _missing(name) if function is None else inspect.unwrap(function)


def _missing(name: str) -> Callable[..., NoReturn]:
    """A function that came with a later SciPy than the installed one."""

    def function(*args: Any, **kwargs: Any) -> NoReturn:
        raise AttributeError(f"scipy.special of SciPy {scipy.__version__} has no {name}")

    function.__name__ = name
    return function


sp = SciPyFunctions()

#: What compiled programs compute in place of a primitive whose function is written in Python, for real numbers: a
#: function of values, or of plain numbers, that takes the same steps.
COMPILED: dict[Primitive, Callable[..., Any]] = {}

_ORDINALS = ("first", "second", "third", "fourth", "fifth")


def unknown(name: str, what: str) -> Callable[[Any], NoReturn]:
    """A partial derivative that nobody has a formula for."""

    def partial(x: Any) -> NoReturn:
        fail(
            UnsupportedOperationError,
            f"{name} has no derivative with respect to {what}: there is no closed form. Pass a constant there "
            "(wengert.stop_gradient), or give a rule with wengert.custom_jvp.",
        )

    return partial


def in_last(
    function: Callable[..., Any], partial: Callable[..., Any], *others: str, singular: bool = False, name: str = ""
) -> Primitive:
    """A function with a derivative in its last argument only; `others` says what those before it are."""
    name = name or function.__name__
    return Elementwise(function, *(unknown(name, what) for what in others), partial, singular=singular, name=name)


def without_rule(function: Any) -> Primitive:
    """A function of which no partial derivative has a closed form."""
    name = function.__name__
    return Elementwise(function, *(unknown(name, f"its {_ORDINALS[k]} argument") for k in range(function.nin)))


def real_only(function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse complex arguments, for which the derivative given here would be wrong."""

    def checked(*args: Any) -> Any:
        if any(np.iscomplexobj(a) for a in args):
            fail(
                UnsupportedOperationError,
                f"{function.__name__} has a derivative rule for real arguments only; this one is complex.",
            )
        return function(*args)

    checked.__name__ = function.__name__
    checked.ufunc = function  # type: ignore[attr-defined]
    return checked


def by_ufunc(function: Any, name: str) -> Any:
    """Note that SciPy does a function by one of its private ufuncs, if it has that (compiled programs go by this)."""
    function.ufunc = getattr(scipy.special._ufuncs, name, None)
    return function


def several(function: Callable[..., Any], derivatives: Callable[[Any, Any], Sequence[Any]]) -> Primitive:
    """A function of one argument with several results, whose derivatives are ``derivatives(out, x)``."""

    def jvp(tangents: Sequence[Any], out: Any, x: Any) -> tuple[Any, ...]:
        return tuple(strong_scale(p, tangents[0]) for p in derivatives(out, x))

    def vjp(cts: Any, out: Any, x: Any) -> tuple[Any]:
        terms = [strong_scale(conjugate(p), ct) for p, ct in zip(derivatives(out, x), cts, strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return (total,)

    primitive = General(
        function,
        jvp=jvp,
        vjp=vjp,
        multiple=True,
        name=function.__name__,
        batch=lambda size, args, batched: primitive(args[0]),
    )
    return primitive


def in_double(function: Any) -> Callable[..., Any]:
    """The function in double precision: SciPy's version for single precision does not come to an end."""

    def result(*args: Any) -> Any:
        single = any(dtype_of(a) == np.float32 for a in args)
        out = function(*(np.asarray(a, float)[()] if dtype_of(a) == np.float32 else a for a in args))
        if not single:
            return out
        return tuple(map(np.float32, out)) if isinstance(out, tuple) else np.float32(out)

    result.__name__ = function.__name__
    result.nin = function.nin  # type: ignore[attr-defined]
    result.ufunc, result.in_double = function, True  # type: ignore[attr-defined]
    return result


def part(function: Callable[..., Any], k: int) -> Callable[..., Any]:
    """Return one of the results of a function as a function of its own."""

    def result(*args: Any) -> Any:
        return function(*args)[k]

    result.ufunc, result.part = getattr(function, "ufunc", function), k  # type: ignore[attr-defined]
    result.in_double = hasattr(function, "in_double")  # type: ignore[attr-defined]
    return result


#: A partial derivative that reads all arguments, by their number.
_OF_ALL: dict[int, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    2: lambda f: lambda x, y: f(x, y),
    3: lambda f: lambda x, y, z: f(x, y, z),
    4: lambda f: lambda x, y, z, w: f(x, y, z, w),
    5: lambda f: lambda x, y, z, w, v: f(x, y, z, w, v),
}


def with_slope(
    function: Any, curvature: Callable[..., Any], *others: str, unit: float = 1.0
) -> tuple[Primitive, Primitive]:
    """Primitives for the two results of a function: a value, and its derivative in the last argument.

    ``curvature(value, slope, *args)`` is the second derivative, from the differential equation. `others` describes the
    other arguments, which have no derivative. The last argument comes in units of `unit`.
    """
    of_all = _OF_ALL[len(others) + 1]

    def first(*args: Any) -> Any:
        return slope(*args) if unit == 1 else unit * slope(*args)

    def second(*args: Any) -> Any:
        out = curvature(value(*args), slope(*args), *args)
        return out if unit == 1 else unit * out

    name = function.__name__
    value = in_last(part(function, 0), of_all(first), *others, name=name)
    slope = in_last(part(function, 1), of_all(second), *others, name=f"{name}_slope")
    return value, slope


def ratio(x: Any, y: Any) -> Any:
    """x / y, and 0 at (0, 0), where these functions are constantly 0 in y."""
    both = logical_and(equal(x, 0), equal(y, 0))
    return where(both, 0.0, x / where(both, 1.0, y))


def typed(value: Any, like: Any) -> Any:
    """A partial derivative in the precision of an argument: some functions of SciPy prefer double precision."""
    dtype = dtype_of(like)
    return cast(value, dtype) if dtype.kind in "fc" and dtype_of(value) != dtype else value


def is_complex(x: Any) -> bool:
    return dtype_of(x).kind == "c"


def lower(n: Any) -> Any:
    """n - 1, and 0 for 0: the degree below, where its factor is n."""
    if isinstance(n, (int, float)):
        return n - 1 if n else n
    return where(equal(n, 0), n, n - 1)
