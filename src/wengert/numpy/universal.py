"""`Ufunc`: a NumPy ufunc that also takes Arrays and values, with all its methods.

Start reading with `Ufunc.__call__`. The rows are in `wengert.numpy.ufuncs`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert import array as arrays
from wengert.array import Array, normalise_key, unwrap, wrap
from wengert.core.primitive import Primitive
from wengert.core.values import Value, dtype_of, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import (
    as_array,
    call,
    concrete,
    given,
    has_traced,
    no_value,
    normalise_axes,
    normalise_axis,
    on_axis,
    target,
    write_out,
)
from wengert.numpy.joining import concatenate, stack
from wengert.numpy.shaping import broadcast_to, cast, merge_axes, ordered, reshape
from wengert.rules import operators
from wengert.rules.elementwise import where as where_primitive
from wengert.rules.indexing import index_add

#: ufunc -> function that computes its reduce / accumulate. Filled by `wengert.numpy.reductions`.
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {}
ACCUMULATIONS: dict[np.ufunc, Callable[..., Any]] = {}

#: Associative ufuncs, whose accumulate needs only log₂(n) steps.
_ASSOCIATIVE = {np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.hypot}
_PLAIN = operators.PLAIN
_NUMBERS = _PLAIN - {complex}  # complex * np.float64 is Python's complex
_IGNORED = frozenset({"order", "subok", "casting"})


class Ufunc:
    """A NumPy ufunc that also takes Arrays and values, with all its methods.

    Parameters
    ----------
    ufunc : numpy.ufunc
        What plain arguments go to.
    primitive : Primitive or callable
        What traced arguments go to; a callable takes and returns user-level arguments.

    Attributes
    ----------
    nin, nout, nargs, ntypes, types, identity, signature
        Those of the NumPy ufunc.
    """

    def __init__(self, ufunc: np.ufunc, primitive: Primitive | Callable[..., Any]) -> None:
        self.ufunc = ufunc
        self.primitive = primitive
        self.__name__ = self.__qualname__ = ufunc.__name__
        self.__doc__ = f"Differentiable `numpy.{ufunc.__name__}`, with the methods of a ufunc."
        self.__wrapped__ = ufunc
        self.nin, self.nout, self.nargs = ufunc.nin, ufunc.nout, ufunc.nargs
        self.ntypes, self.types = ufunc.ntypes, ufunc.types
        self.identity, self.signature = ufunc.identity, ufunc.signature
        self._is_binary = isinstance(primitive, Primitive) and ufunc.nin == 2
        self._composite = not isinstance(primitive, Primitive)
        arrays.NUMPY_FUNCTIONS[ufunc] = self

    def __repr__(self) -> str:
        return f"<ufunc '{self.__name__}' of wengert.numpy>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply to each element, with broadcasting."""
        if not kwargs:
            if len(args) == 1 and type(args[0]) is Array and not self._composite:
                return wrap(self.primitive(args[0].immutable_value))
            if len(args) == 2 and self._is_binary:
                x, y = args
                if type(x) is Array and (type(y) is Array or type(y) in _NUMBERS):
                    return wrap(self.primitive(x.immutable_value, y.immutable_value if type(y) is Array else y))
                if type(x) in _PLAIN and type(y) in _PLAIN:
                    return self.ufunc(x, y)
            if has_traced(args, kwargs):
                return self._apply(args)
            return self.ufunc(*args)
        return self._apply_with_keywords(args, **kwargs) if has_traced(args, kwargs) else self.ufunc(*args, **kwargs)

    def _apply(self, args: tuple[Any, ...]) -> Any:
        if len(args) != self.nin:
            return self._apply_with_keywords(args)
        if complex in map(type, args):
            dtype = np.result_type(*(a if type(a) is complex else dtype_of(as_array(a)) for a in args))
            args = tuple(np.complex128(a) if type(a) is complex and dtype == np.complex128 else a for a in args)
        return self.primitive(*args) if self._composite else call(self.primitive, *args)

    def _apply_with_keywords(
        self,
        args: tuple[Any, ...],
        *,
        out: Any = None,
        where: Any = True,
        dtype: Any = None,
        casting: str = "same_kind",
        **others: Any,
    ) -> Any:
        args, outs = self._split(args, out)
        for name in others:
            if name not in _IGNORED:
                self._refuse_keyword(name)
        if dtype is not None:
            args = self._cast_arguments(args, dtype, casting)
        if where is True:
            result = self._apply(args)
        else:  # elements that are left out must not warn
            with np.errstate(all="ignore"):
                result = self._apply(args)
        results = result if isinstance(result, tuple) else (result,)
        if where is not True:
            results = tuple(
                call(where_primitive, where, r, np.zeros((), dtype_of(unwrap(r))) if o is None else o)
                for r, o in zip(results, outs, strict=True)
            )
        results = tuple(
            r if o is None else write_out(o, r, broadcast=True, casting=casting)
            for r, o in zip(results, outs, strict=True)
        )
        return results if self.nout > 1 else results[0]

    def _split(self, args: tuple[Any, ...], out: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Separate inputs and outputs, wherever the outputs were given."""
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"{self.__name__}() takes from {self.nin} to {self.nargs} positional arguments but {len(args)} were "
                "given"
            )
        outs = args[self.nin :]
        if out is not None:
            if outs:
                raise TypeError("cannot specify 'out' as both a positional and keyword argument")
            outs = out if isinstance(out, tuple) else (out,)
            if len(outs) != self.nout:
                raise ValueError("The 'out' tuple must have exactly one entry per ufunc output")
        return args[: self.nin], (*outs, *(None,) * (self.nout - len(outs)))

    def _refuse_keyword(self, name: str) -> None:
        if name in ("axis", "axes", "keepdims", "sig", "signature"):
            fail(
                UnsupportedOperationError,
                f"{self.__name__} does not support the keyword {name} on traced arrays. Move the axes with "
                "np.moveaxis (or cast with astype) instead.",
            )
        raise TypeError(f"{self.__name__}() got an unexpected keyword argument {name!r}")

    def _cast_arguments(self, args: tuple[Any, ...], dtype: Any, casting: str) -> tuple[Any, ...]:
        """Cast to the dtype that is to be computed with; NumPy's own error says when that is not allowed."""
        if self.signature is None:
            samples = [a if type(a) in (int, float, complex) else np.empty(0, dtype_of(as_array(a))) for a in args]
            self.ufunc(*samples, dtype=dtype, casting=casting)  # type: ignore[call-overload]
        if np.dtype(dtype).kind == "b":
            return args
        return tuple(cast(a, dtype) for a in args)

    # The ufunc's methods ---------------------------------------------------------------------------------------------

    def reduce(
        self,
        array: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = no_value,
        where: Any = True,
    ) -> Any:
        """Reduce over one axis (or several) by applying the ufunc repeatedly."""
        if not has_traced((array, out, initial, where), {}):
            extra = {} if initial is no_value else {"initial": initial}
            return self.ufunc.reduce(array, axis=axis, dtype=dtype, out=out, keepdims=keepdims, where=where, **extra)
        known = REDUCTIONS.get(self.ufunc)
        if known is not None and (initial is no_value or self.ufunc not in (np.logical_and, np.logical_or)):
            array = array if dtype is None else cast(array, dtype)
            extra = {} if initial is no_value else {"initial": initial}
            return known(array, axis=axis, out=out, keepdims=keepdims, where=where, **extra)
        if self.nin != 2 or self.nout != 1:
            raise ValueError("reduce only supported for binary functions")
        x = as_array(array) if dtype is None else cast(array, dtype)
        axes = normalise_axes(axis, len(shape_of(x)))
        if len(axes) > 1 and self.ufunc not in _ASSOCIATIVE:
            raise ValueError(
                f"reduction operation '{self.__name__}' is not reorderable, so at most one axis may be specified"
            )
        result = self._fold(x, axes, initial, where)
        if keepdims:
            result = reshape(result, tuple(1 if i in axes else n for i, n in enumerate(shape_of(x))))
        return result if out is None else write_out(out, result)

    def _fold(self, x: Any, axes: tuple[int, ...], initial: Any, where: Any) -> Any:
        shape = shape_of(x)
        kept = tuple(n for i, n in enumerate(shape) if i not in axes)
        flat = merge_axes(x, axes)
        parts = [flat[i] for i in range(shape_of(flat)[0])]
        start = [broadcast_to(as_array(initial), kept)] if given(initial) else []
        if where is not True:
            masks = merge_axes(broadcast_to(as_array(where), shape), axes)
            if not start and self.identity is None:
                raise ValueError(
                    f"reduction operation '{self.__name__}' does not have an identity, so to use a where mask one has "
                    "to specify 'initial'"
                )
            total = start[0] if start else np.full(kept, self.identity, dtype_of(x))
            for i, part in enumerate(parts):
                total = call(where_primitive, masks[i], self(total, part), total)
            return total
        if not parts and not start:
            if self.identity is None:
                raise ValueError(f"zero-size array to reduction operation {self.__name__} which has no identity")
            return np.full(kept, self.identity, dtype_of(x))[()]
        return functools.reduce(self, [*start, *parts])

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Accumulate along one axis."""
        if not has_traced((array, out), {}):
            return self.ufunc.accumulate(array, axis=axis, dtype=dtype, out=out)
        known = ACCUMULATIONS.get(self.ufunc)
        if known is not None:
            return known(array, axis=axis, dtype=dtype, out=out)
        if self.nin != 2 or self.nout != 1:
            raise ValueError("accumulate only supported for binary functions")
        x = as_array(array) if dtype is None else cast(array, dtype)
        axis = normalise_axis(axis, len(shape_of(x)))
        n = shape_of(x)[axis]
        if self.ufunc in _ASSOCIATIVE:
            step = 1
            while step < n:
                left, right = x[on_axis(axis, slice(None, n - step))], x[on_axis(axis, slice(step, None))]
                x = concatenate([x[on_axis(axis, slice(None, step))], self(left, right)], axis=axis)
                step *= 2
            result = x
        else:
            parts = itertools.accumulate((x[on_axis(axis, i)] for i in range(n)), self)
            result = ordered(stack(list(parts), axis=axis), "K", x) if n else x
        return result if out is None else write_out(out, result)

    def outer(self, A: Any, B: Any, /, **kwargs: Any) -> Any:
        """Apply to all pairs."""
        if not has_traced((A, B), kwargs):
            return self.ufunc.outer(A, B, **kwargs)
        if self.nin != 2:
            raise ValueError("outer product only supported for binary functions")
        a, b = as_array(A), as_array(B)
        return self(reshape(a, shape_of(a) + (1,) * len(shape_of(b))), b, **kwargs)

    def at(self, a: Any, indices: Any, b: Any = None, /) -> None:
        """Apply in place at the given indices, once for each time an index occurs."""
        if not has_traced((a, indices, b), {}):
            return self.ufunc.at(a, indices) if b is None else self.ufunc.at(a, indices, b)
        if (b is None) != (self.nin == 1):
            raise ValueError("second operand needed for ufunc" if b is None else "unary ufunc takes no second operand")
        a = target(a, f"{self.__name__}.at", b, indices)
        if isinstance(a, np.ndarray):
            indices = concrete(indices, f"{self.__name__}.at")
            return self.ufunc.at(a, indices) if b is None else self.ufunc.at(a, indices, b)
        if self.ufunc in (np.add, np.subtract):
            addend = a._cast(b if self.ufunc is np.add else -as_array(b))
            spec, places, expand = normalise_key(indices, a, unwrap)
            if not expand and (isinstance(addend, Value) or np.can_cast(dtype_of(addend), a.dtype, "same_kind")):
                a._replace(index_add(a.immutable_value, addend, *places, spec=spec, donate=False))
                return None
        return self._apply_at(a, indices, b)

    def _apply_at(self, a: Array, indices: Any, b: Any) -> None:
        """Go through the occurrences of equal indices: all first ones at once, then all second ones."""
        if isinstance(indices, tuple):
            indices = tuple(concrete(i, "ufunc.at") if isinstance(i, Array) else i for i in indices)
        elif isinstance(indices, Array):
            indices = concrete(indices, "ufunc.at")
        positions = np.arange(a.size).reshape(a.shape)[indices]
        values = None if b is None else broadcast_to(as_array(b), positions.shape)
        a = reshape(a, a.shape or (1,))  # a view
        flat = positions.ravel()
        order = np.argsort(flat, kind="stable")
        first = np.searchsorted(flat[order], flat[order])
        occurrence = np.empty(flat.size, np.intp)
        occurrence[order] = np.arange(flat.size) - first
        flat_values = None if values is None else reshape(values, (-1,))
        for k in range(int(occurrence.max(initial=-1)) + 1):
            chosen = np.flatnonzero(occurrence == k)
            key = np.unravel_index(flat[chosen], a.shape)
            a[key] = self(a[key]) if flat_values is None else self(a[key], flat_values[chosen])

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Reduce over the slices that consecutive indices bound."""
        if not has_traced((array, indices, out), {}):
            return self.ufunc.reduceat(array, indices, axis=axis, dtype=dtype, out=out)
        x = as_array(array)
        axis = normalise_axis(axis, len(shape_of(x)))
        n = shape_of(x)[axis]
        starts = [int(i) for i in concrete(indices, f"{self.__name__}.reduceat")]
        for start in starts:
            if not 0 <= start < n:
                raise IndexError(f"index {start} out-of-bounds in {self.__name__}.reduceat [0, {n})")
        parts = [
            self.reduce(x[on_axis(axis, slice(start, max(stop, start + 1)))], axis=axis, dtype=dtype)
            for start, stop in itertools.pairwise([*starts, n])
        ]
        result = stack(parts, axis=axis) if parts else x[on_axis(axis, slice(0, 0))]
        return result if out is None else write_out(out, result)
