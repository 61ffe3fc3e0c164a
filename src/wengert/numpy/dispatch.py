"""How a function of this namespace comes about: `implements`, `Ufunc` and `call`.

Every public function is declared in one place, as

    @implements(np.mean)
    def mean(a, axis=None, ...): ordinary code over other functions of this namespace

or, for ufuncs, as a row ``sin = Ufunc(np.sin, elementwise.sin)``. With plain arguments NumPy itself is called; with an
`Array` or a `Value` among the arguments (also inside lists) the code given here runs. The declaration also registers
the function for NumPy's own protocols, so that ``np.mean(x)`` does the same as ``wengert.numpy.mean(x)``.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from wengert import array as arrays
from wengert.array import Array, contains_array, contains_traced, unwrap, wrap
from wengert.core.primitive import Primitive
from wengert.core.values import Value, dtype_of, shape_of
from wengert.errors import ConcretizationError, UnsupportedOperationError, fail
from wengert.rules.elementwise import where as where_primitive

F = TypeVar("F", bound=Callable[..., Any])


def call(primitive: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Apply a primitive (or a function of values) to user arguments: Arrays in, Arrays out; values in, values out."""
    handles = any(contains_array(a) for a in args)
    out = primitive(*[unwrap(a) for a in args], **params)
    if not handles:
        return out
    return tuple(wrap(o) for o in out) if isinstance(out, tuple) else wrap(out)


def implements(numpy_function: Callable[..., Any], *more: Callable[..., Any]) -> Callable[[F], F]:
    """Declare what `numpy_function` does when an Array or a value is among its arguments.

    A keyword argument ``out`` is handled here. `more` lists further NumPy functions with the same meaning.
    """

    def decorate(implementation: F) -> F:
        @functools.wraps(implementation)
        def function(*args: Any, **kwargs: Any) -> Any:
            for a in itertools.chain(args, kwargs.values()):
                if isinstance(a, (Array, Value)) or (isinstance(a, (list, tuple)) and contains_traced(a)):
                    break
            else:
                return numpy_function(*args, **kwargs)
            out = kwargs.pop("out", None)
            kwargs.pop("like", None)
            result = implementation(*args, **kwargs)
            return result if out is None else write_out(out, result)

        summary = (getattr(numpy_function, "__doc__", "") or "").strip()
        name = f"numpy.{numpy_function.__name__}"
        own = (implementation.__doc__ or "").strip()
        function.__doc__ = (
            f"Differentiable `{name}`. {own}\n\n{summary}" if not own else f"Differentiable `{name}`. {own}"
        )
        for f in (numpy_function, *more):
            arrays.NUMPY_FUNCTIONS[f] = function
        return function  # type: ignore[return-value]

    return decorate


def has_traced(args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
    """Whether an Array or a value is among the arguments of a call, or inside lists and tuples there."""
    for a in args:
        if isinstance(a, (Array, Value)) or (isinstance(a, (list, tuple)) and contains_traced(a)):
            return True
    return bool(kwargs) and has_traced(kwargs.values(), {})


def describe(
    function: Callable[..., Any],
    numpy_function: Callable[..., Any],
    implementation: Callable[..., Any] | None,
) -> Callable[..., Any]:
    """Give `function` the name of the NumPy function that it stands for, and a docstring."""
    name = numpy_function.__name__
    own = ((implementation and implementation.__doc__) or "").strip()
    function.__name__ = function.__qualname__ = name
    function.__module__ = "wengert.numpy"
    function.__doc__ = f"Differentiable `numpy.{name}`. {own}".rstrip()
    if implementation is not None:
        function.__wrapped__ = implementation  # type: ignore[attr-defined]
    return function


def write_out(out: Any, result: Any) -> Any:
    """Store a result in the array given as ``out``."""
    if isinstance(out, Array):
        arrays.assign_all(out, result)
        return out
    value = result.immutable_value if isinstance(result, Array) else result
    if isinstance(value, Value):
        fail(
            ConcretizationError,
            "out= is a plain ndarray, which cannot hold a traced result. Make it with wengert.numpy.empty(…) or "
            "np.empty(…, like=x) inside the differentiated function, or leave out= away.",
        )
    out[...] = value
    return out


class Ufunc:
    """A NumPy ufunc that also takes Arrays and values, with all its methods.

    Parameters
    ----------
    ufunc : numpy.ufunc
        What plain arguments go to.
    primitive : Primitive or callable
        What traced arguments go to; a callable takes and returns user-level arguments.
    """

    def __init__(self, ufunc: np.ufunc, primitive: Primitive | Callable[..., Any]) -> None:
        self.ufunc = ufunc
        self.primitive = primitive
        self.__name__ = ufunc.__name__
        self.__doc__ = ufunc.__doc__
        self._composite = not isinstance(primitive, Primitive)
        arrays.NUMPY_FUNCTIONS[ufunc] = self

    def __repr__(self) -> str:
        return f"<ufunc '{self.__name__}' of wengert.numpy>"

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "ufunc"), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            if len(args) == 1 and type(args[0]) is Array and not self._composite:
                return wrap(self.primitive(args[0].immutable_value))
            for a in args:
                if isinstance(a, (Array, Value)) or (isinstance(a, (list, tuple)) and contains_traced(a)):
                    return self._apply(args)
            return self.ufunc(*args)
        if not any(contains_traced(a) for a in itertools.chain(args, kwargs.values())):
            return self.ufunc(*args, **kwargs)
        return self._apply_with_keywords(args, **kwargs)

    def _apply(self, args: tuple[Any, ...]) -> Any:
        count = self.ufunc.nin
        if len(args) > count:
            return write_out(args[count], self(*args[:count]))
        return self.primitive(*args) if self._composite else call(self.primitive, *args)

    def _apply_with_keywords(
        self, args: tuple[Any, ...], *, out: Any = None, where: Any = True, dtype: Any = None, **ignored: Any
    ) -> Any:
        unknown = set(ignored) - {"casting", "order", "subok"}
        if unknown:
            raise TypeError(f"{self.__name__}() got an unexpected keyword argument {unknown.pop()!r}")
        if dtype is not None:
            args = tuple(astype(a, dtype) for a in args)
        result = self(*args)
        if where is not True:
            result = call(
                where_primitive, where, result, np.zeros((), dtype_of(unwrap(result))) if out is None else out
            )
        return result if out is None else write_out(out, result)

    # The ufunc's methods ---------------------------------------------------------------------------------------------

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False, **kw: Any
    ) -> Any:
        """Reduce over one axis (or several) by applying the ufunc repeatedly."""
        if not any(contains_traced(a) for a in (array, out, *kw.values())):
            return self.ufunc.reduce(array, axis=axis, dtype=dtype, out=out, keepdims=keepdims, **kw)
        known = REDUCTIONS.get(self.ufunc)
        if known is not None:
            extra = {} if dtype is None else {"dtype": dtype}
            return known(
                array, axis=axis, keepdims=keepdims, **extra, **kw, **({} if out is None else {"out": out})
            )
        if kw:
            fail(
                UnsupportedOperationError,
                f"{self.__name__}.reduce supports axis and keepdims only on traced arrays.",
            )
        x = astype(array, dtype) if dtype is not None else array
        axes = normalise_axes(axis, len(shape_of(x)))
        for a in sorted(axes, reverse=True):
            x = functools.reduce(self, unstack(x, a))
        if keepdims:
            x = reshape(x, tuple(1 if i in axes else n for i, n in enumerate(shape_of(array))))
        return x if out is None else write_out(out, x)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Accumulate along one axis."""
        if not any(contains_traced(a) for a in (array, out)):
            return self.ufunc.accumulate(array, axis=axis, dtype=dtype, out=out)
        known = ACCUMULATIONS.get(self.ufunc)
        if known is not None:
            result = known(array, axis=axis, dtype=dtype)
        else:
            parts = list(itertools.accumulate(unstack(array, axis), self))
            result = arrays.NUMPY_FUNCTIONS[np.stack](parts, axis=axis)
        return result if out is None else write_out(out, result)

    def outer(self, a: Any, b: Any, **kwargs: Any) -> Any:
        """Apply to all pairs."""
        if not contains_traced(a) and not contains_traced(b):
            return self.ufunc.outer(a, b, **kwargs)
        shape = shape_of(unwrap(a)) + (1,) * len(shape_of(unwrap(b)))
        return self(reshape(a, shape), b, **kwargs)

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        """Apply in place at the given indices, once for each time an index occurs."""
        if not any(contains_traced(x) for x in (a, indices, b)):
            return self.ufunc.at(a, indices) if b is None else self.ufunc.at(a, indices, b)
        if not isinstance(a, Array):
            write_out(np.empty(()), b)  # raises the error for writing a traced value into a plain ndarray
        positions = np.arange(a.size).reshape(a.shape)[indices]
        values = itertools.repeat(None) if b is None else iter(broadcast_to(b, positions.shape).ravel())
        flat_index = [np.unravel_index(p, a.shape) for p in positions.ravel()]
        for key, value in zip(flat_index, values, strict=False):
            a[key] = self(a[key]) if b is None else self(a[key], value)
        return None

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Reduce over the slices that consecutive indices bound."""
        if not contains_traced(array) and not contains_traced(out):
            return self.ufunc.reduceat(array, indices, axis=axis, dtype=dtype, out=out)
        n = shape_of(unwrap(array))[axis]
        starts = [int(i) for i in indices]
        key = (slice(None),) * operator.index(axis)
        parts = []
        for i, start in enumerate(starts):
            stop = starts[i + 1] if i + 1 < len(starts) else n
            piece = array[(*key, slice(start, max(stop, start + 1)))]
            parts.append(self.reduce(piece, axis=axis, dtype=dtype))
        result = arrays.NUMPY_FUNCTIONS[np.stack](parts, axis=axis)
        return result if out is None else write_out(out, result)


#: ufunc -> function that computes its reduce / accumulate. Filled by `wengert.numpy.reductions`.
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {}
ACCUMULATIONS: dict[np.ufunc, Callable[..., Any]] = {}


# Small helpers that the rest of the namespace shares -------------------------------------------------------------------


def normalise_axis(axis: Any, ndim: int) -> int:
    """Return a non-negative axis number, or raise NumPy's AxisError."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim if ndim else 0


def normalise_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return a tuple of different non-negative axis numbers; None stands for all."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(normalise_axis(a, ndim) for a in (axis if isinstance(axis, Iterable) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes


def _table(function: Any) -> Callable[..., Any]:
    return arrays.NUMPY_FUNCTIONS[function]


def astype(x: Any, dtype: Any) -> Any:
    """Cast, through the namespace's own function."""
    return _table(np.astype)(as_array(x), dtype)


def reshape(x: Any, shape: tuple[int, ...]) -> Any:
    """Reshape, through the namespace's own function."""
    return _table(np.reshape)(x, shape)


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Broadcast, through the namespace's own function."""
    return _table(np.broadcast_to)(x, shape)


def unstack(x: Any, axis: int) -> list[Any]:
    """Return the slices along one axis."""
    moved = _table(np.moveaxis)(x, axis, 0)
    return [moved[i] for i in range(moved.shape[0])]


def as_array(x: Any) -> Any:
    """Return an Array, value or ndarray; sequences are converted."""
    if isinstance(x, (Array, Value, np.ndarray, np.generic)):
        return x
    if contains_array(x):
        return wrap(unwrap(x))
    return unwrap(x) if contains_traced(x) else np.asarray(x)
