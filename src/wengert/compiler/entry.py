"""From machine code to a Python callable that takes and returns NumPy arrays.

`make_entry` gives a callable in two layers. The outer one is a C function, compiled once per process from `entry.ll`:
it compares the arguments with a table (the *context*), allocates the results and calls the kernel, all in about a tenth
of a microsecond. Whatever is unusual about a call (strides, byte order, subclasses, another number of arguments) it
hands to the inner layer, a `CheckedCall`, which converts what means the same and reports the rest as a
`SignatureMismatch`. Where Python's objects are not laid out as the C function expects, there is only the inner layer.

Start reading with `make_entry`.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.compiler.fast_entry import ALIGNMENT, MOST_LEAVES, NUMBER_TYPES, fast_entry, hidden
from wengert.core.program import show_type
from wengert.core.values import ArrayType
from wengert.errors import InputTypeError

Entry = Callable[..., Any]


class SignatureMismatch(InputTypeError):
    """The arguments are not those that a program was compiled for; record and compile another one."""


# The checked call ----------------------------------------------------------------------------------------------------


def standard_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """NumPy's own dtype object of this kind and size, in native byte order (`long` and `long long` are one, say)."""
    if dtype.kind not in "biufc":
        raise TypeError(f"compiled programs take and give booleans and numbers, not {dtype}")
    return np.dtype(f"{dtype.kind}{dtype.itemsize}")


def conform(x: Any, type_: ArrayType) -> np.ndarray[Any, Any] | None:
    """Return `x`, or a copy, as a C-contiguous, aligned, native array of this type; None if it has another type."""
    shape, dtype = type_
    if isinstance(x, (np.ndarray, np.generic)):
        array = np.asarray(x)
        if array.dtype != dtype and array.dtype.newbyteorder("=") != dtype:
            return None
    else:
        own_dtype = next((d for t, d in NUMBER_TYPES.items() if isinstance(x, t)), None)
        if own_dtype is None or own_dtype != dtype:
            return None
        try:
            array = np.array(x, dtype)
        except OverflowError:
            return None
    if array.shape != shape:
        return None
    flags = array.flags
    if array.dtype is dtype and flags.c_contiguous and flags.aligned:
        return array
    copy = np.empty(
        shape, dtype
    )  # np.array(array, dtype) can keep an equivalent dtype object, which fast entries refuse
    copy[...] = array
    return copy


class CheckedCall:
    """Call of a kernel with any arguments that mean what it was compiled for."""

    def __init__(
        self,
        kernel_address: int,
        in_types: Sequence[ArrayType],
        out_types: Sequence[ArrayType],
        workspace_bytes: int,
        *,
        release_gil: bool,
        name: str,
        problem: Callable[[int], Any],
        mismatch: Entry | None,
        kept: np.ndarray[Any, Any],
    ) -> None:
        prototype = ctypes.CFUNCTYPE if release_gil else ctypes.PYFUNCTYPE
        self.kernel = prototype(None, ctypes.c_void_p)(kernel_address)
        self.in_types = tuple(in_types)
        self.out_types = tuple(out_types)
        self.workspace_bytes = workspace_bytes
        self.problem = problem
        self.mismatch = mismatch
        self.kept = kept
        self.fast: Callable[[], Entry | None] = lambda: None  # a weak reference to the C function that this is for
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        ins = [conform(x, t) for x, t in zip(args, self.in_types, strict=False)]
        if kwargs or len(args) != len(self.in_types) or any(a is None for a in ins):
            if self.mismatch is None:
                raise SignatureMismatch(self.describe_mismatch(args, kwargs, ins))
            return self.mismatch(*args, **kwargs)
        fast = self.fast()
        if fast is not None:
            return fast(*ins)  # which finds nothing unusual in these
        outs = [np.empty(t.shape, t.dtype) for t in self.out_types]
        workspace = np.empty(self.workspace_bytes + ALIGNMENT if self.workspace_bytes else 0, np.uint8)
        start = -(-workspace.ctypes.data // ALIGNMENT) * ALIGNMENT if self.workspace_bytes else None
        addresses = [a.ctypes.data for a in (*ins, *outs) if a is not None]
        status = (ctypes.c_int64 * 2)(0, 0)
        call(self.kernel, (ctypes.c_void_p * (len(addresses) + 2))(*addresses, start, ctypes.addressof(status)))
        if status[0]:
            self.problem(status[0])
        results = tuple(out if out.shape else out[()] for out in outs)
        return results[0] if len(results) == 1 else results

    def describe_mismatch(self, args: Sequence[Any], kwargs: dict[str, Any], ins: Sequence[Any]) -> str:
        """Say how the arguments differ from what the program takes."""
        takes = f"{self.__name__} was compiled for ({', '.join(map(show_type, self.in_types))})"
        if kwargs:
            return f"{takes}, without keyword arguments, and was called with {', '.join(kwargs)}."
        if len(args) != len(self.in_types):
            return f"{takes}, and was called with {len(args)} argument(s)."
        number = next(i for i, a in enumerate(ins) if a is None)
        x = args[number]
        is_array = isinstance(x, (np.ndarray, np.generic))
        return f"{takes}; argument {number} is {show_type(ArrayType(x.shape, x.dtype)) if is_array else repr(type(x))}."

    def __repr__(self) -> str:
        return f"<compiled function {self.__name__}>"


def call(kernel: Callable[[Any], None], buffers: Any) -> None:
    """Call a native function; if a special function of SciPy raises in it, so does this (`scipy.special.errstate`)."""
    try:
        kernel(buffers)
    except SystemError as error:  # of ctypes, which found an exception
        raise (error.__cause__ or error) from None


def _unknown_problem(status: int) -> None:
    raise RuntimeError(f"a compiled program ended with status {status}")


# Entries -------------------------------------------------------------------------------------------------------------


def make_entry(
    kernel_address: int,
    in_types: Sequence[ArrayType],
    out_types: Sequence[ArrayType],
    workspace_bytes: int = 0,
    *,
    release_gil: bool = False,
    name: str = "compiled",
    keep_alive: Any = None,
    problem: Callable[[int], Any] | None = None,
    mismatch: Entry | None = None,
    fast: bool = True,
) -> Entry:
    """Make a Python callable of a kernel `void kernel(void **buffers)`.

    The buffers are the data of the inputs, of the outputs, a workspace aligned to 64 bytes (null if it has none), and
    two integers of 64 bits, which are 0 at the beginning: the status, and one that the kernel has for itself.
    The callable takes one positional argument for each input, and returns the only output or a tuple of all. Results
    are new arrays; NumPy scalars for shape ().

    Parameters
    ----------
    kernel_address : int
        Address of the kernel.
    in_types, out_types : sequence of ArrayType
        Types of the arguments and results: booleans and numbers of any size, in native byte order.
    workspace_bytes : int
        Size of the workspace.
    release_gil : bool
        Whether to release the interpreter lock while the kernel runs. That costs some tens of nanoseconds.
    name : str
        Name of the callable.
    keep_alive : object
        What the kernel needs: it lives as long as the callable. It must not refer back to the callable, because the
        garbage collector does not see it.
    problem : callable, optional
        Called with the status, if the kernel leaves one that is not 0 (say that an index is out of range); if it
        raises, so does the call. Without it a status raises `RuntimeError`.
    mismatch : callable, optional
        Called with arguments of other types than `in_types`; its result is that of the call. Otherwise they raise
        `SignatureMismatch`.
    fast : bool
        False leaves out the C function: every call goes through a `CheckedCall`.

    Raises
    ------
    TypeError
        A type is not one of booleans and numbers.
    """
    ins, outs = ([ArrayType(tuple(t.shape), standard_dtype(t.dtype)) for t in types] for types in (in_types, out_types))
    if any(t.dtype != s.dtype for t, s in zip((*in_types, *out_types), (*ins, *outs), strict=True)):
        raise TypeError("the types of a compiled program are in native byte order")
    kept = hidden(keep_alive)
    checked = CheckedCall(
        kernel_address,
        ins,
        outs,
        workspace_bytes,
        release_gil=release_gil,
        name=name,
        problem=_unknown_problem if problem is None else problem,
        mismatch=mismatch,
        kept=kept,
    )
    native = fast_entry() if fast and len(ins) + len(outs) <= MOST_LEAVES else None
    if native is None:
        return checked
    function = native.bind(
        kernel_address,
        ins,
        outs,
        workspace_bytes,
        release_gil=release_gil,
        name=name,
        fallback=checked,
        problem=checked.problem,
        kept=kept,
    )
    checked.fast = weakref.ref(function)
    return function
