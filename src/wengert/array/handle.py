"""`Array`: the one mutable thing, with NumPy's semantics for writing and aliasing.

An Array is a handle on an immutable value (a traced one, or a plain ndarray). Writing computes a new value with the
primitive `index_update` and rebinds the handle. Everything about mutation lives here; rules and transforms never see
an Array.

* A **view** (`_View`) is a handle that knows its base handle and the steps (index, transpose, reshape, real, imag) that
  lead from the base to it. A write to a view is carried through the steps back to the base. A view whose base has been
  written to since computes its value anew when read.
* A handle **owns** its buffer after its first write, until the value is handed to anything that may keep it. While it
  owns the buffer, writes happen in place (``donate=True``), so a loop of n writes costs O(n). A read of a small part
  copies that part and leaves the ownership as it is.

Start reading with `Array.__setitem__`. The NumPy functions and methods are attached by `wengert.numpy`.
"""

from __future__ import annotations

import contextlib
import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert import config
from wengert.array.keys import normalise_key
from wengert.array.steps import BroadcastStep, IndexStep, PartStep, PlaceStep, ReshapeStep, Step, TransposeStep
from wengert.core import combinators
from wengert.core.staging import Staged
from wengert.core.values import Value, dtype_of, representative, shape_of
from wengert.errors import ConcretizationError, UnsupportedOperationError, fail
from wengert.rules import operators
from wengert.rules.elementwise import where
from wengert.rules.indexing import index, index_update
from wengert.rules.joining import stack
from wengert.transforms.batch import Batched

_allocate = object.__new__
_PLAIN = operators.PLAIN
_ndarray = np.ndarray


class _Watch(threading.local):
    """The arrays that are written to in this thread, while somebody wants to know."""

    written: list[Array] | None = None


_watch = _Watch()


@contextlib.contextmanager
def watched_writes() -> Iterator[list[Array]]:
    """Give a list to which every array that is written to is added."""
    around, written = _watch.written, []
    _watch.written = written
    try:
        yield written
    finally:
        _watch.written = around


class _Writes:
    """What a handle that has been written to remembers."""

    __slots__ = ("owned", "strides", "version")

    def __init__(self, version: int, owned: bool) -> None:
        self.version = version
        self.owned = owned
        self.strides: tuple[int, ...] | None = None  # of the array before the first write: NumPy's never change


class Array:
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

    __slots__ = ("__weakref__", "_value", "_writes")
    __array_priority__ = 200.0
    _value: Any
    _writes: _Writes | None

    # Attached by `wengert.array.protocols`.
    __array_function__: Callable[..., Any]
    __array_ufunc__: Callable[..., Any]
    # Methods that `wengert.numpy.methods` attaches.
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
    # Attached by `wengert.derivatives.variables`.
    backward: Callable[..., None]

    def __init__(self, value: Any) -> None:
        raise TypeError(
            "Array is not made by hand: differentiate a function of an ndarray, or use wengert.numpy.array(…)."
        )

    # The value -------------------------------------------------------------------------------------------------------

    @property
    def immutable_value(self) -> Any:
        """The current value. Whoever asks may keep it, so the handle stops owning its buffer."""
        writes = self._writes
        if writes is not None:
            writes.owned = False
        return self._value

    def _peek(self) -> Any:
        """The current value, for a look that keeps nothing."""
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        """Tuple of axis lengths."""
        return shape_of(self._peek())

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype."""
        return dtype_of(self._peek())

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

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
            return wrap_owned(np.zeros((), self.dtype))._take_view(BroadcastStep(self.shape))
        return wrap(combinators.imag(self.immutable_value))

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise TypeError("array does not have imaginary part to set")
        self.imag[...] = value

    @property
    def flat(self) -> Iterator[Any]:
        """Iterator over the elements in C order."""
        return iter(self.ravel())

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
        elif not (arrays and _is_part(value, self, spec, arrays)):  # what x[i] += y ends with
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
        self._require_mutable()
        writes = self._writes
        owned = writes is not None and writes.owned
        self._rebind(index_update(self._value, value, *arrays, spec=spec, donate=owned), owned=True)

    def _rebind(self, value: Any, *, owned: bool) -> None:
        writes = self._writes
        if writes is None:
            writes = self._writes = _Writes(0, owned)
        if writes.strides is None:
            writes.strides = representative(self._value).strides
        self._value = value
        writes.version += 1
        writes.owned = owned
        if _watch.written is not None:
            _watch.written.append(self)

    def _replace(self, value: Any) -> None:
        """Overwrite all elements with a value of the same shape and dtype."""
        self._require_mutable()
        self._rebind(value, owned=False)

    def _replace_value(self, value: Any) -> None:
        """Let the handle stand for another value, even if it is a scalar."""
        self._rebind(value, owned=False)

    def _require_mutable(self) -> None:
        if not self.is_mutable and not config.array_api:  # the standard knows arrays without axes, and no scalars
            raise TypeError(f"'{self.dtype}' scalar does not support item assignment")

    @property
    def is_mutable(self) -> bool:
        """Whether this is an array (writable) and not a NumPy scalar (what reductions and x[i] return)."""
        value = self._peek()
        if shape_of(value) == () and _has_batch(value):  # one example does not tell scalars from 0-d arrays
            return self._writes is not None
        return isinstance(representative(value), np.ndarray)

    def _take_view(self, step: Step) -> Array:
        """Return the view of this array that `step` leads to; scalars have none."""
        if self.is_mutable:
            return _make_view(self, (step,), (self.shape,))
        if isinstance(step, BroadcastStep):  # an array, and read-only
            return _make_view(wrap_array(self.immutable_value), (step,), ((),))
        part = step.forward(self.immutable_value)
        is_index = isinstance(step, (IndexStep, PlaceStep))
        return wrap_array(part) if is_index and isinstance(part, Value) else wrap(part)

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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self.immutable_value
        if isinstance(value, Value):
            fail(
                ConcretizationError,
                "a traced Array was to become a plain ndarray, which would lose its derivative. If it was written into "
                "an array made by numpy.zeros or the like, make that array with wengert.numpy.zeros(…) or "
                "np.zeros(…, like=x); if it is an index into a plain array, index wengert.numpy.array(a) instead; if a "
                "function of a library asked for it, use the one in wengert.numpy or wengert.scipy; if the derivative "
                "is not wanted, pass wengert.stop_gradient(x).",
            )
        return np.array(value, dtype=dtype)

    def __float__(self) -> float:
        return float(self._concrete("float"))

    def __complex__(self) -> complex:
        return complex(self._concrete("complex"))

    def _concrete(self, kind: str) -> Any:
        value = self.immutable_value
        if isinstance(value, Value):
            fail(
                ConcretizationError,
                f"{kind}() was called on a traced Array, which would lose its derivative. Leave the call out, use "
                "functions of numpy or wengert.numpy instead of those of math, and arrays made by "
                "wengert.numpy.zeros(…) or np.zeros(…, like=x) to write into. If the derivative is not wanted: "
                f"{kind}(wengert.stop_gradient(x)).",
            )
        return value

    def __bool__(self) -> bool:
        return bool(_branching_value(self, "bool"))

    def __int__(self) -> int:
        return int(_branching_value(self, "int"))

    def __index__(self) -> int:
        return operator.index(_branching_value(self, "an index"))

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

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        """Sort in place."""
        self[...] = np.sort(self, axis=axis, kind=kind)  # type: ignore[call-overload]

    def __copy__(self) -> Array:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Array:
        return self.copy()

    def __hash__(self) -> int:
        raise TypeError("unhashable type: 'Array'")

    def __repr__(self) -> str:
        value = self._peek()
        if not isinstance(value, Value):
            return f"Array({value!r})"
        kinds = []
        while isinstance(value, Value):
            if isinstance(value, Staged):
                return f"Array({value!r})"
            kinds.append(value.level.kind)
            value = value.value if isinstance(value, Batched) else value.payload
        return f"Array({np.array2string(np.asarray(value), separator=', ')}, {' in '.join(kinds)})"

    def __format__(self, spec: str) -> str:
        value = representative(self._peek())
        return format(value, spec) if np.shape(value) == () else format(str(value), spec)


def _has_batch(value: Any) -> bool:
    while isinstance(value, Value):
        if isinstance(value, Batched):
            return True
        value = value.payload
    return False


def _branching_value(x: Array, what: str) -> Any:
    """Return the concrete value that bool() and int() may use: they are piecewise constant, so nothing is lost."""
    value = x.immutable_value
    while isinstance(value, Value):
        if isinstance(value, Staged):
            fail(
                ConcretizationError,
                f"a staged value (an argument of a function under jit or program, or something computed from one) was "
                f"used as {what}, but it has no number yet. Write np.where(condition, a, b) for a choice between "
                "values, and make an argument that decides on branches or sizes static.",
            )
        if isinstance(value, Batched):
            fail(
                ConcretizationError,
                f"a vmapped value was used as {what}, but it differs between the examples of the batch. "
                "Write the branch with np.where(condition, a, b), or loop over the examples.",
            )
        value = value.payload
    return value


def plain_bool(x: Any) -> Any:
    """Return a truth value array as plain NumPy (it carries no derivative)."""
    return _branching_value(x, "a truth value") if isinstance(x, Array) else x


# Wrapping ------------------------------------------------------------------------------------------------------------


def wrap(value: Any) -> Any:
    """Make a handle for a value; plain bool and int results stay plain (unless `config.array_api`)."""
    if isinstance(value, Value) or value.dtype.kind in "fc" or (config.array_api and value.dtype.kind in "biu"):
        array = _allocate(Array)
        array._value = value
        array._writes = None
        return array
    return value


def wrap_array(value: Any, order: str = "K") -> Array:
    """Make a handle for what is an array in NumPy, and no scalar; order "C" or "F" says how NumPy lays it out."""
    array = wrap(value)
    array._writes = writes = _Writes(0, False)
    if order in ("C", "F"):
        itemsize, shape = dtype_of(value).itemsize, shape_of(value)
        steps = np.cumprod((itemsize, *(shape[::-1] if order == "C" else shape)))[:-1]
        writes.strides = tuple(int(s) for s in (steps[::-1] if order == "C" else steps))
    return array


def wrap_owned(value: np.ndarray) -> Array:
    """Make a handle for a fresh ndarray that nobody else refers to, of any dtype."""
    array = _allocate(Array)
    array._value = value
    array._writes = _Writes(0, True)
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
        return stack(*(combinators._cast(p if isinstance(p, Value) else np.asarray(p), dtype) for p in parts))
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


# Views ---------------------------------------------------------------------------------------------------------------


class _View(Array):
    """A handle on a part of another handle's array."""

    __slots__ = ("_base", "_seen", "_shapes", "_steps")
    _base: Array
    _steps: tuple[Step, ...]
    _shapes: tuple[tuple[int, ...], ...]  # of the array that each step is applied to
    _seen: int

    def _refresh(self) -> None:
        writes = self._base._writes
        version = 0 if writes is None else writes.version
        if self._seen != version:
            self._value = _follow(self._base, self._steps)
            self._seen = version

    @property
    def shape(self) -> tuple[int, ...]:
        """Tuple of axis lengths, which no write changes."""
        return shape_of(self._value)

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype."""
        return dtype_of(self._value)

    @property
    def is_mutable(self) -> bool:
        """True: only arrays have views."""
        return True

    def _locate(self, spec: tuple[Any, ...]) -> tuple[int, ...] | None:
        """Return where in the base the only element lies that a key of ints selects."""
        if not self._is_scalar_index(spec):
            return None
        for axis, (i, n) in enumerate(zip(spec, self.shape, strict=True)):
            if not -n <= i < n:
                raise IndexError(f"index {i} is out of bounds for axis {axis} with size {n}")
        position: Any = tuple(i % n for i, n in zip(spec, self.shape, strict=True))
        for step, shape in zip(reversed(self._steps), reversed(self._shapes), strict=True):
            position = None if position is None else step.locate(shape, position)
        return position

    @property
    def immutable_value(self) -> Any:
        """The current value, computed from the base where that was written to."""
        self._refresh()
        return self._value

    def _peek(self) -> Any:
        self._refresh()
        return self._value

    def _read(self, spec: tuple[Any, ...]) -> Any:
        position = self._locate(spec)
        return index(self._peek(), spec=spec) if position is None else self._base._read(position)

    def _write(self, value: Any, arrays: Sequence[Any], spec: tuple[Any, ...]) -> None:
        position = None if arrays else self._locate(spec)
        if position is None:
            self._write_through(index_update(self._peek(), value, *arrays, spec=spec, donate=False))
        else:
            self._base._write(value, (), position)

    def _replace(self, value: Any) -> None:
        self._write_through(value)

    def _write_through(self, part: Any) -> None:
        base = self._base
        values = [base._value]
        for step in self._steps[:-1]:
            values.append(step.forward(values[-1]))
        writes = base._writes
        owned = writes is not None and writes.owned
        for depth in range(len(self._steps) - 1, -1, -1):
            part = self._steps[depth].write(values[depth], part, owned and depth == 0)
        base._rebind(part, owned=isinstance(self._steps[0], (IndexStep, PlaceStep)))

    def _take_view(self, step: Step) -> Array:
        self._refresh()
        return _make_view(self._base, (*self._steps, step), (*self._shapes, self.shape))


def _selects_view(spec: tuple[Any, ...], arrays: Sequence[Any], ndim: int) -> bool:
    """Whether an index selects a view in NumPy: with traced integers for what are integers there, and not all axes."""
    if not all(isinstance(a, Value) and shape_of(a) == () for a in arrays):
        return False
    return len(spec) < ndim or any(s is None or s is Ellipsis or isinstance(s, slice) for s in spec)


def _is_part(value: Any, base: Array, spec: tuple[Any, ...], arrays: Sequence[Any]) -> bool:
    """Whether a value is the very view base[spec] at traced places."""
    if not isinstance(value, _View) or value._base is not base or len(value._steps) != 1:
        return False
    (step,) = value._steps
    if not isinstance(step, PlaceStep) or step.spec != spec:
        return False
    return all(a is b for a, b in zip(step.places, arrays, strict=True))


def _follow(base: Array, steps: tuple[Step, ...]) -> Any:
    """Compute the value of a view, deciding between copying a small part and sharing the buffer of the base."""
    value = base._value
    writes = base._writes
    copy = False
    if writes is not None and writes.owned:
        copy = isinstance(steps[0], IndexStep) and _is_small_part(value, steps[0].spec)
        if not copy:
            writes.owned = False
    value = steps[0].forward(value, copy)
    for step in steps[1:]:
        value = step.forward(value)
    return value


def _is_small_part(value: Any, spec: tuple[Any, ...]) -> bool:
    """Whether copying x[spec] is cheap compared to copying x; then the reader gets a copy and x keeps its buffer."""
    shape = shape_of(value)
    part = np.broadcast_to(False, shape)[spec]
    return part.size * 4 <= int(np.prod(shape)) or part.size <= 64


def _make_view(base: Array, steps: tuple[Step, ...], shapes: tuple[tuple[int, ...], ...]) -> Array:
    value = _follow(base, steps)
    view = _allocate(_View)
    view._value = value
    view._writes = None
    view._base = base
    view._steps = steps
    view._shapes = shapes
    writes = base._writes
    view._seen = 0 if writes is None else writes.version
    return view


def layout_of(x: Array) -> Any:
    """Return a plain array with the memory layout that x has in NumPy: the base's, seen through the steps of a view."""
    base, steps = (x._base, x._steps) if isinstance(x, _View) else (x, ())
    value, writes = base._peek(), base._writes
    plain = representative(value)
    if not isinstance(plain, np.ndarray):
        return plain
    if writes is not None and writes.strides is not None:
        plain = _laid_out(plain.shape, plain.dtype, writes.strides)
    if _has_batch(value):
        plain = np.empty_like(plain)  # in a batch the example itself may lie scattered
    for step in steps:
        plain = step.forward(plain)
    return plain


def _laid_out(shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...]) -> np.ndarray:
    """Return an uninitialised array with the given strides."""
    if 0 in shape:
        return np.empty(shape, dtype)
    ends = [stride * (n - 1) for stride, n in zip(strides, shape, strict=True)]
    first = -sum(e for e in ends if e < 0)
    size = first + sum(e for e in ends if e > 0) + dtype.itemsize
    return np.ndarray(shape, dtype, np.empty(size, np.uint8), first, strides)


def take_reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """Reshape an Array: a view exactly where NumPy returns one, else a copy."""
    plain = layout_of(x)
    if isinstance(plain, np.ndarray) and np.may_share_memory(plain, plain.reshape(shape)):
        return x._take_view(ReshapeStep(shape))
    value = combinators.reshape(x.immutable_value, shape=shape)
    return wrap_array(value) if isinstance(value, Value) and (shape or x.is_mutable) else wrap(value)


def take_transpose(x: Array, axes: tuple[int, ...]) -> Array:
    """Transposed view of an Array."""
    return x._take_view(TransposeStep(axes))


def take_broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    """Read-only broadcast view of an Array."""
    return x._take_view(BroadcastStep(shape))


def take_view(x: Array, step: Step) -> Array:
    """View of an Array that a step leads to."""
    return x._take_view(step)
