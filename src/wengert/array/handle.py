"""`Array`: the one mutable thing, with NumPy's semantics for writing and aliasing.

An Array is a handle on an immutable value (a traced one, or a plain ndarray). Writing computes a new value with the
primitive `index_update` and rebinds the handle. Everything about mutation lives in this package; rules and transforms
never see an Array.

* A **view** (`views.View`) is a handle that knows its base handle and the steps (index, transpose, reshape, real, imag)
  that lead from the base to it.
* A handle **owns** its buffer after its first write, until the value is handed to anything that may keep it. While it
  owns the buffer, writes happen in place (``donate=True``), so a loop of n writes costs O(n). A read of a small part
  copies that part and leaves the ownership as it is.

Start reading with `Array.__setitem__`. Python's operators and NumPy's protocols are attached by `arithmetic` and
`protocols`, the NumPy functions and methods by `wengert.numpy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert import config
from wengert.array.holder import Holder, Writes, plain_bool
from wengert.array.keys import normalise_key
from wengert.array.layout import arranged
from wengert.array.steps import BroadcastStep, IndexStep, PartStep, PlaceStep, TransposeStep
from wengert.core import combinators
from wengert.core.staging import Staged
from wengert.core.values import Value, dtype_of, representative, shape_of
from wengert.errors import UnsupportedOperationError, fail
from wengert.rules import operators
from wengert.rules.elementwise import where
from wengert.rules.indexing import index, index_update
from wengert.rules.joining import stack

_allocate = object.__new__


class Array(Holder):
    """A NumPy array whose computation Wengert follows: what a differentiated function gets as its arguments.

    It behaves as `numpy.ndarray` does: operators, methods, indexing, views, writing in place. It is made by the
    transforms (`grad`, `jvp`, `vmap` …) and by the constructors of `wengert.numpy` inside a differentiated function,
    not by hand.

    Attributes
    ----------
    shape, dtype, ndim, size, T, real, imag
        As in NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad
    >>> def f(x):
    ...     x[0] *= 3.0
    ...     return np.sum(x**2)
    >>> grad(f)(np.array([1.0, 2.0]))
    array([18.,  4.])
    """

    __slots__ = ()
    __array_priority__ = 200.0

    # Attached by `wengert.array.views`.
    _take_view: Callable[..., Array]  # of a `Step`
    strides: property
    flags: Any
    base: property
    # Attached by `wengert.array.protocols`.
    __array_function__: Callable[..., Any]
    __array_ufunc__: Callable[..., Any]
    # What `wengert.numpy.methods` attaches.
    flat: Any
    sum: Callable[..., Any]
    prod: Callable[..., Any]
    mean: Callable[..., Any]
    var: Callable[..., Any]
    std: Callable[..., Any]
    max: Callable[..., Any]
    min: Callable[..., Any]
    argmax: Callable[..., Any]
    argmin: Callable[..., Any]
    argsort: Callable[..., Any]
    all: Callable[..., Any]
    any: Callable[..., Any]
    cumsum: Callable[..., Any]
    cumprod: Callable[..., Any]
    clip: Callable[..., Any]
    round: Callable[..., Any]
    dot: Callable[..., Any]
    trace: Callable[..., Any]
    reshape: Callable[..., Any]
    ravel: Callable[..., Any]
    flatten: Callable[..., Any]
    transpose: Callable[..., Any]
    swapaxes: Callable[..., Any]
    squeeze: Callable[..., Any]
    diagonal: Callable[..., Any]
    repeat: Callable[..., Any]
    take: Callable[..., Any]
    astype: Callable[..., Any]
    copy: Callable[..., Any]
    conj: Callable[..., Any]
    nonzero: Callable[..., Any]
    ptp: Callable[..., Any]
    searchsorted: Callable[..., Any]
    compress: Callable[..., Any]
    sort: Callable[..., None]
    # Attached by `wengert.derivatives.variables`.
    backward: Callable[..., None]

    def __init__(self, value: Any) -> None:
        raise TypeError(
            "Array is not made by hand: differentiate a function of an ndarray, or use wengert.numpy.array(…)."
        )

    # Views -----------------------------------------------------------------------------------------------------------

    @property
    def T(self) -> Array:
        """Transposed view."""
        return self._take_view(TransposeStep(tuple(range(self.ndim))[::-1]))

    @property
    def mT(self) -> Array:
        """View with the last two axes swapped."""
        n = self.ndim
        if n < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")
        return self._take_view(TransposeStep((*range(n - 2), n - 1, n - 2)))

    @property
    def real(self) -> Array:
        """Real part: a view, or the array itself where it is real."""
        return self._take_view(PartStep("real")) if self.dtype.kind == "c" else self

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Any:
        """Imaginary part: a view, or read-only zeros where the array is real."""
        if self.dtype.kind == "c":
            return self._take_view(PartStep("imag"))
        if self.is_mutable:
            zeros = np.zeros(self.shape, self.dtype, "F" if self.flags.fnc else "C")
            return wrap_owned(zeros)._take_view(BroadcastStep(self.shape))
        return wrap(combinators.imag(self.immutable_value))

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise TypeError("array does not have imaginary part to set")
        self.imag[...] = value

    # Reading and writing ---------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        spec, arrays, expand = normalise_key(key, self, unwrap)
        if arrays or expand:
            if not expand and _selects_view(spec, arrays, len(self.shape)):
                return self._take_view(PlaceStep(spec, tuple(arrays)))
            value = self.immutable_value
            if expand:
                value = combinators.reshape(value, shape=(1, *shape_of(value)))
            return wrap(index(value, *arrays, spec=spec))
        if self._is_scalar_index(spec):
            return wrap(self._read(spec))
        return self._take_view(IndexStep(spec))

    def _is_scalar_index(self, spec: tuple[Any, ...]) -> bool:
        """Whether a basic index selects one element, which NumPy returns as a scalar and not as a view."""
        for s in spec:
            if type(s) is not int:
                return False
        return len(spec) == len(self.shape)

    def _read(self, spec: tuple[Any, ...]) -> Any:
        """Read by a basic index without giving up the ownership of the buffer."""
        writes = self._writes
        if writes is None or not writes.owned:
            return index(self._peek(), spec=spec)
        return index(self._peek(), spec=spec, copy=True)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._require_mutable()
        spec, arrays, expand = normalise_key(key, self, unwrap, writing=True)
        if spec is None:  # a batched mask
            mask = arrays[0]
            self._replace(where(mask, self._cast(value), self.immutable_value))
        elif expand:
            if arrays[0].size:
                value = unwrap(value)
                shape = shape_of(value)
                if len(shape) > np.broadcast_to(False, self.shape)[spec[1:]].ndim and shape[0] == 1:
                    value = combinators.reshape(value, shape=shape[1:])  # a condition of no axes stands for one
                self[spec[1:]] = value
        elif not (
            arrays and isinstance(value, Array) and value._is_part(self, spec, arrays)
        ):  # what x[i] += y ends with
            self._write(self._cast(value), arrays, spec)

    def _cast(self, value: Any) -> Any:
        """Bring a value to be written to the dtype of this array."""
        value = unwrap(value)
        dtype = self.dtype
        if not isinstance(value, Value):
            return value
        own = value.dtype
        if own == dtype:
            return value
        if dtype.kind not in "fc" and own.kind in "fc" and not isinstance(value, Staged):
            fail(
                UnsupportedOperationError,
                f"a traced {own} value was written into an array of dtype {dtype}, which would cut off its derivative. "
                "Make the array with a floating-point dtype, for example np.zeros(n).",
            )
        if own.kind == "c" and dtype.kind != "c":
            fail(
                UnsupportedOperationError,
                "a traced complex value was written into a real array, which would drop its imaginary part. "
                "Make the array with dtype=complex, or write value.real.",
            )
        return combinators.astype(value, dtype=dtype)

    def _write(self, value: Any, arrays: Sequence[Any], spec: tuple[Any, ...]) -> None:
        """Carry out x[key] = value on the handle itself."""
        writes = self._writes
        owned = writes is not None and writes.owned
        self._rebind(index_update(self._value, value, *arrays, spec=spec, donate=owned), owned=True)

    def _is_part(self, base: Array, spec: tuple[Any, ...], places: Sequence[Any]) -> bool:
        """Whether this is the very view base[spec] at traced places."""
        return False

    def _replace(self, value: Any) -> None:
        """Overwrite all elements with a value of the same shape and dtype."""
        self._require_mutable()
        self._rebind(arranged(value, self._strides()), owned=False)

    def _strides(self) -> tuple[int, ...]:
        """The strides that this array, which is not a view, has in NumPy."""
        writes = self._writes
        known = None if writes is None else writes.strides
        return representative(self._value).strides if known is None else known

    def _require_mutable(self) -> None:
        if not self.is_mutable and not config.array_api:  # the standard knows arrays without axes, and no scalars
            raise TypeError(f"'{self.dtype}' scalar does not support item assignment")

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(plain_bool(self == item)))

    # Conversions -----------------------------------------------------------------------------------------------------

    def item(self, *args: Any) -> Any:
        """Return an element (by its number in C order, or its index) as a scalar; the scalar stays traced."""
        if len(args) == 1 and not isinstance(args[0], tuple):
            return self.reshape(-1)[args[0]]
        if args:
            return self[args[0] if len(args) == 1 else args]
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        value = self.immutable_value
        if not isinstance(value, Value):
            return value.item()
        return wrap(combinators.reshape(value, shape=()))

    def tolist(self) -> Any:
        """Return nested lists of scalars."""
        if not self.shape:
            return self.item()
        return [x.tolist() if isinstance(x, Array) and x.shape else x for x in self]

    def fill(self, value: Any) -> None:
        """Set all elements to a scalar."""
        if shape_of(unwrap(value)):
            raise ValueError("setting an array element with a sequence.")
        self[...] = value

    def __copy__(self) -> Array:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Array:
        return self.copy()

    def __hash__(self) -> int:
        raise TypeError("unhashable type: 'Array'")


# Wrapping ------------------------------------------------------------------------------------------------------------


def wrap(value: Any) -> Any:
    """Make a handle for a value; plain bool and int results stay plain (unless `config.array_api`)."""
    if isinstance(value, Value) or value.dtype.kind in "fc" or (config.array_api and value.dtype.kind in "biu"):
        array = _allocate(Array)
        array._value = value
        array._writes = None
        return array
    return value


def wrap_array(value: Any, strides: tuple[int, ...] | None = None) -> Array:
    """Make a handle for what is an array in NumPy, and no scalar, with the strides that it has there."""
    array = wrap(value if strides is None else arranged(value, strides))
    array._writes = writes = Writes(0, False)
    writes.strides = strides
    return array


def wrap_owned(value: np.ndarray) -> Array:
    """Make a handle for a fresh ndarray that nobody else refers to, of any dtype."""
    array = _allocate(Array)
    array._value = value
    array._writes = Writes(0, True)
    return array


def unwrap(x: Any) -> Any:
    """Return the value of an Array; numbers, ndarrays and values as they are; sequences converted."""
    if isinstance(x, Array):
        return x.immutable_value
    if isinstance(x, Value) or operators.is_plain(x):
        return x
    return from_sequence(x)


def from_sequence(x: Any) -> Any:
    """Convert a nested sequence, which may contain Arrays and values, as np.array does."""
    if isinstance(x, (list, tuple)) and contains_traced(x):
        parts = [unwrap(item) for item in x]
        dtype = np.result_type(*(dtype_of(p) for p in parts))
        return stack(*(combinators.cast(p if isinstance(p, Value) else np.asarray(p), dtype) for p in parts))
    return np.asarray(x)


def contains_traced(x: Any) -> bool:
    """Whether an argument is, or contains at any depth of lists and tuples, an Array or a value."""
    if isinstance(x, (Array, Value)):
        return True
    return isinstance(x, (list, tuple)) and any(contains_traced(item) for item in x)


def contains_array(x: Any) -> bool:
    """Whether an argument is or contains an Array: then results are Arrays too."""
    if isinstance(x, Array):
        return True
    return isinstance(x, (list, tuple)) and any(contains_array(item) for item in x)


def closed(result: Any) -> Any:
    """Make handles of all arrays in a result, if `config.array_api` wants integers and truth values to be Arrays."""
    if isinstance(result, (tuple, list)):
        parts = [closed(r) for r in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return wrap(result) if config.array_api and isinstance(result, (np.ndarray, np.generic)) else result


def _selects_view(spec: tuple[Any, ...], arrays: Sequence[Any], ndim: int) -> bool:
    """Whether an index selects a view in NumPy: with traced integers for what are integers there, and not all axes."""
    if not all(isinstance(a, Value) and shape_of(a) == () for a in arrays):
        return False
    return len(spec) < ndim or any(s is None or s is Ellipsis or isinstance(s, slice) for s in spec)
