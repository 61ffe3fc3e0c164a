"""How a function of this namespace comes about: `implements` and `call`.

Every public function is declared in one place, as

    @implements(np.mean)
    def mean(a, axis=None, dtype=None, out=None, …): ordinary code over other functions of this namespace

or, for ufuncs, as a row ``sin = Ufunc(np.sin, elementwise.sin)`` (`wengert.numpy.universal`). With plain arguments
NumPy itself is called; with an `Array` or a `Value` among the arguments (also inside lists) the code given here runs.
The declaration also registers the function for NumPy's own protocols, so that ``np.mean(x)`` does the same as
``wengert.numpy.mean(x)``.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from wengert import array as arrays
from wengert import config
from wengert.array import Array, closed, contains_array, contains_traced, unwrap, wrap
from wengert.core.combinators import broadcast_to
from wengert.core.staging import Staged
from wengert.core.values import Value, dtype_of, shape_of
from wengert.errors import ConcretizationError, fail
from wengert.rules.operators import PLAIN
from wengert.transforms.batch import Batched

F = TypeVar("F", bound=Callable[..., Any])

#: NumPy's mark for an argument that was not given.
no_value = np._NoValue  # type: ignore[attr-defined]


def call(primitive: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Apply a primitive (or a function of values) to user arguments: Arrays in, Arrays out; values in, values out."""
    handles = False
    values = []
    for a in args:
        if isinstance(a, Array):
            handles = True
            values.append(a.immutable_value)
        elif type(a) in PLAIN:
            values.append(a)
        else:
            handles = handles or contains_array(a)
            values.append(unwrap(a))
    out = primitive(*values, **params)
    if not handles:
        return out
    return tuple(wrap(o) for o in out) if isinstance(out, tuple) else wrap(out)


def implements(
    numpy_function: Callable[..., Any],
    *more: Callable[..., Any],
    plain: Callable[..., Any] | None = None,
    pure: bool = False,
) -> Callable[[F], F]:
    """Declare what `numpy_function` does when an Array or a value is among its arguments.

    The implementation has NumPy's signature. A parameter ``out`` in it is handled here: the implementation gets None.
    `more` lists further NumPy functions with the same meaning. Plain arguments go to `plain`, if that is not NumPy's
    function itself. `pure` says that results are never views of arguments: then also Arrays that are not traced go
    there.
    """
    for_plain = numpy_function if plain is None else plain

    def decorate(implementation: F) -> F:
        code = inspect.unwrap(implementation).__code__  # inspect.signature takes 20 times as long
        positional = code.co_varnames[: code.co_argcount]
        position = positional.index("out") if "out" in positional else None
        takes_out = "out" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

        def function(*args: Any, **kwargs: Any) -> Any:
            if not has_traced(args, kwargs):
                return for_plain(*args, **kwargs)
            if pure and _is_untraced(args, kwargs) and kwargs.get("out") is None:
                in_place = position is not None and len(args) > position and args[position] is not None
                if not in_place:
                    return on_plain(for_plain, *args, **kwargs)
            if not takes_out:
                result = implementation(*args, **kwargs)
                return closed(result) if config.array_api else result
            if position is not None and len(args) > position:
                out, args = args[position], (*args[:position], None, *args[position + 1 :])
            else:
                out = kwargs.pop("out", None)
            result = implementation(*args, **kwargs)
            if out is not None:
                return write_out(out, result)
            return closed(result) if config.array_api else result

        for f in (numpy_function, *more):
            arrays.NUMPY_FUNCTIONS[f] = function
        return describe(function, numpy_function, implementation)  # type: ignore[return-value]

    return decorate


def describe(
    function: Callable[..., Any], numpy_function: Callable[..., Any], implementation: Callable[..., Any] | None
) -> Callable[..., Any]:
    """Give `function` the name of the NumPy (or SciPy) function that it stands for, and a docstring."""
    name = numpy_function.__name__
    home = getattr(numpy_function, "__module__", "numpy")  # ufuncs have none before NumPy 2.2
    module = ".".join(part for part in home.split(".") if not part.startswith("_"))
    own = ((implementation and implementation.__doc__) or "").strip()
    if implementation is not None:
        functools.update_wrapper(function, implementation)
    function.__name__ = function.__qualname__ = name
    function.__module__ = f"wengert.{module}"
    function.__doc__ = f"Differentiable `{module}.{name}`. {own}".rstrip()
    return function


def has_traced(args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
    """Whether an Array or a value is among the arguments of a call, or inside lists and tuples there."""
    for a in args:
        if isinstance(a, (Array, Value)) or (isinstance(a, (list, tuple)) and contains_traced(a)):
            return True
    return bool(kwargs) and has_traced(kwargs.values(), {})


def _is_untraced(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether there are only Arrays that hold plain numbers."""
    if args and type(args[0]) is Array and isinstance(args[0]._value, Value):
        return False  # by far the commonest case
    return not arrays.any_traced(args) and not arrays.any_traced(kwargs)


def write_out(out: Any, result: Any, *, broadcast: bool = False, casting: str = "same_kind") -> Any:
    """Store a result in the array given as ``out``; ufuncs broadcast it, other functions do not."""
    if isinstance(out, tuple) and len(out) == 1:
        (out,) = out
    if not isinstance(out, (Array, np.ndarray)):
        raise TypeError("return arrays must be of ArrayType")
    value = unwrap(result)
    if isinstance(out, np.ndarray) and isinstance(value, Value):
        refuse_plain_target("out=")
    if shape_of(value) != shape_of(out):
        if not broadcast or np.broadcast_shapes(shape_of(value), shape_of(out)) != shape_of(out):
            raise ValueError(
                f"non-broadcastable output operand with shape {shape_of(out)} doesn't match the broadcast shape "
                f"{shape_of(value)}"
            )
        value = broadcast_to(value, shape=shape_of(out))
    if isinstance(out, Array):
        if casting == "unsafe" and dtype_of(value) != out.dtype:
            out[...] = value
        else:
            arrays.assign_all(out, value)
    else:
        np.copyto(out, value, casting=casting)  # type: ignore[arg-type]
    return out


def refuse_plain_target(what: str) -> None:
    """Raise the error for a traced value that was to be written into a plain ndarray."""
    fail(
        ConcretizationError,
        f"{what} is a plain ndarray, which cannot hold a traced value. Make it with wengert.numpy.zeros(…) or "
        "np.zeros(…, like=x) inside the differentiated function.",
    )


def target(a: Any, name: str, *values: Any) -> Any:
    """Return the array that an in-place function writes to: an Array, or a plain one if nothing traced is written."""
    if isinstance(a, Array):
        a._require_mutable()
        return a
    if not isinstance(a, np.ndarray):
        raise TypeError(f"argument 1 of {name} must be an array, not {type(a).__name__}")
    if arrays.any_traced(values):
        refuse_plain_target(f"the array that {name} writes to")
    return a


def on_plain(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call NumPy's function on the contents of Arrays, none of which is traced; of Arrays it makes Arrays."""
    result = function(*map(_contents, args), **{k: _contents(v) for k, v in kwargs.items()})
    return _as_handles(result) if contains_array((*args, *kwargs.values())) else result


def _contents(x: Any) -> Any:
    if isinstance(x, Array):
        return x.immutable_value
    if isinstance(x, (list, tuple)):  # also named ones, which NumPy takes for tuples
        return (list if isinstance(x, list) else tuple)(map(_contents, x))
    return x


def _as_handles(x: Any) -> Any:
    if isinstance(x, (tuple, list)):
        parts = [_as_handles(y) for y in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return wrap(x) if isinstance(x, (np.ndarray, np.generic)) else x


# Arguments -----------------------------------------------------------------------------------------------------------


def as_array(x: Any) -> Any:
    """Return an Array, value or ndarray; sequences are converted."""
    if isinstance(x, (Array, Value, np.ndarray, np.generic)):
        return x
    if contains_array(x):
        return wrap(unwrap(x))
    return unwrap(x) if contains_traced(x) else np.asarray(x)


def common_dtype(*args: Any) -> np.dtype[Any]:
    """Dtype that arguments have in common; Python's own numbers are weakly typed."""
    return np.result_type(*(x if type(x) in (int, float, complex) else dtype_of(as_array(x)) for x in args))


def concrete(x: Any, name: str) -> Any:
    """Return the plain array behind an argument on which the function `name` depends piecewise constantly."""
    value = unwrap(x)
    while isinstance(value, Value):
        if isinstance(value, Batched):
            fail(
                ConcretizationError,
                f"{name} of a vmapped value would have another shape or meaning for each example. Select with "
                "np.where(condition, a, b), or loop over the examples.",
            )
        if isinstance(value, Staged):
            fail(
                ConcretizationError,
                f"{name} of a staged value (under jit or program) would need its numbers, which do not exist yet. "
                "Select with np.where(condition, a, b), or make the argument static.",
            )
        value = value.payload
    return np.asarray(value)


def is_concrete(x: Any) -> bool:
    """Whether `concrete` knows the numbers: not those under vmap and jit."""
    if isinstance(x, (list, tuple)):
        return all(map(is_concrete, x))
    value = unwrap(x) if isinstance(x, Array) else x
    while isinstance(value, Value):
        if isinstance(value, (Batched, Staged)):
            return False
        value = value.payload
    return True


def known_numbers(x: Any) -> np.ndarray | None:
    """The numbers behind a value, of all examples of a batch; None if a program is being recorded."""
    x = unwrap(x)
    while isinstance(x, Value):
        if isinstance(x, Staged):
            return None
        x = x.parts[0]
    return np.asarray(x)


def given(x: Any) -> bool:
    """Whether an optional argument was given."""
    return x is not None and x is not no_value


def check_device(device: Any) -> None:
    """Raise NumPy's error for devices other than the CPU."""
    if device not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')


def normalise_axis(axis: Any, ndim: int) -> int:
    """Return a non-negative axis number, or raise NumPy's AxisError."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim


def normalise_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return a tuple of different non-negative axis numbers; None stands for all."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int:
        return (normalise_axis(axis, ndim),)
    axes = tuple(normalise_axis(a, ndim) for a in (axis if isinstance(axis, Iterable) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes


def on_axis(axis: int, *keys: Any) -> tuple[Any, ...]:
    """Return the index that applies `keys` from `axis` on."""
    return (*(slice(None),) * axis, *keys)
