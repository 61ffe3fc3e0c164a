"""The C function through which Python calls compiled programs, and its binding to a program.

The code is in `entry.ll`, in LLVM's own language: nothing in it depends on the program, so it is compiled once per
process. It reads objects of Python and NumPy by the layouts that their C headers publish; `objects_are_as_expected`
makes sure of them.

Start reading with `FastEntry.bind`.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Sequence
from importlib import import_module, resources
from typing import Any, NamedTuple

import numpy as np

from wengert.compiler.cache import compile_cached
from wengert.core.values import ArrayType

ALIGNMENT = 64  # of the workspace, in bytes
MOST_LEAVES = 512  # that the C function takes and gives: it keeps a few words for each on the stack
_STACK_BYTES = 8192  # workspaces up to this size are on the stack; threads can have small ones
_NUMBER_OFFSET = 16  # of the number in a float, a complex or a NumPy scalar
_NUMBER_CODES = "?bhilqBHILQefdFD"

# What Python's numbers count as. A bool is an int, so it comes first.
NUMBER_TYPES = {bool: np.dtype(bool), int: np.dtype(np.int64), float: np.dtype(float), complex: np.dtype(complex)}


class _Owner:
    """Holds objects, and passes for an empty array."""

    def __init__(self, objects: tuple[Any, ...]) -> None:
        self.objects = objects
        self.__array_interface__ = {"version": 3, "shape": (0,), "typestr": "|u1", "data": (id(self), True)}


def hidden(*objects: Any) -> np.ndarray[Any, Any]:
    """Return something that keeps the objects alive, unseen by the garbage collector.

    The collector takes a group of objects that only refer to each other apart piece by piece, and a finaliser among
    them may still call a function whose machine code went a moment before. It does not look into arrays, so what an
    array was made from goes when the last reference to the array does. It must not refer back to what holds the array.
    """
    return np.asarray(_Owner(objects))


# What the C function expects -----------------------------------------------------------------------------------------


def _word(address: int) -> int:
    return ctypes.c_int64.from_address(address).value


def objects_are_as_expected() -> bool:
    """Whether this Python and NumPy lay out their objects as `entry.ll` says (a free-threaded Python does not, say)."""
    if sys.implementation.name != "cpython" or sys.byteorder != "little" or sys.maxsize != 2**63 - 1:
        return False
    if (
        object.__basicsize__ != _NUMBER_OFFSET
        or hasattr(sys, "gettotalrefcount")
        or np.__version__.split(".")[0] != "2"
    ):
        return False
    a = np.arange(6.0).reshape(2, 3)
    start = id(a)
    words = [_word(start + offset) for offset in (8, 16, 56)]
    ints = [ctypes.c_int32.from_address(start + offset).value for offset in (24, 64)]
    if words != [id(np.ndarray), a.ctypes.data, id(a.dtype)] or ints != [2, a.flags.num]:
        return False
    if [_word(_word(start + 32) + 8 * i) for i in range(2)] != [2, 3]:
        return False
    numbers = [1.5, -2.5j, *(np.dtype(code).type(1) for code in _NUMBER_CODES)]
    for x in numbers:
        content = np.asarray(x).tobytes()
        if _word(id(x) + 8) != id(type(x)) or ctypes.string_at(id(x) + _NUMBER_OFFSET, len(content)) != content:
            return False
    return True


# The C function ------------------------------------------------------------------------------------------------------

_FASTCALL_WITH_KEYWORDS = 0x0080 | 0x0002
_TP_ALLOC = 47
_PYTHON_FUNCTIONS = (
    "PyTuple_GetItem",
    "PyTuple_New",
    "PyTuple_SetItem",
    "PyLong_AsLongLongAndOverflow",
    "PyLong_FromLongLong",
    "PyObject_Vectorcall",
    "Py_IncRef",
    "Py_DecRef",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyMem_RawMalloc",
    "PyMem_RawFree",
    "PyErr_NoMemory",
)


class Bound(NamedTuple):
    """What the C function is bound to, its `__self__`. The first item is its context; the others are kept alive."""

    context: np.ndarray[Any, Any]
    fallback: Callable[..., Any]
    problem: Callable[[int], Any]
    kept: np.ndarray[Any, Any]
    definition: np.ndarray[Any, Any]


class _MethodDefinition(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class FastEntry:
    """The C function, compiled. Use `fast_entry()`."""

    def __init__(self) -> None:
        python = ctypes.pythonapi
        prototype = ctypes.PYFUNCTYPE
        name_of = prototype(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", python))
        pointer_of = prototype(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", python))
        self._type_slot = prototype(ctypes.c_void_p, ctypes.py_object, ctypes.c_int)(("PyType_GetSlot", python))
        self._new_function = prototype(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
            ("PyCFunction_NewEx", python)
        )
        symbols = {n: ctypes.cast(getattr(python, n), ctypes.c_void_p).value or 0 for n in _PYTHON_FUNCTIONS}
        # The table of NumPy's C interface, as C extensions import it.
        capsule = import_module("numpy._core._multiarray_umath")._ARRAY_API
        symbols["PyArray_NewFromDescr"] = _word(pointer_of(capsule, name_of(capsule)) + 8 * 94)
        symbols |= {"PyArray_Type": id(np.ndarray), "numpy_true": id(np.True_), "numpy_false": id(np.False_)}
        text = resources.files("wengert.compiler").joinpath("entry.ll").read_text(encoding="utf-8")
        self.module = compile_cached(text, ["wengert_entry"], symbols)
        self._address = self.module.address("wengert_entry")

    def bind(
        self,
        kernel_address: int,
        in_types: Sequence[ArrayType],
        out_types: Sequence[ArrayType],
        workspace_bytes: int,
        *,
        release_gil: bool,
        name: str,
        fallback: Callable[..., Any],
        problem: Callable[[int], Any],
        kept: np.ndarray[Any, Any],
    ) -> Callable[..., Any]:
        """Return a callable that runs the kernel, and leaves to `fallback` what `entry.ll` does not expect."""
        on_heap = workspace_bytes > _STACK_BYTES
        head = [
            kernel_address,
            len(in_types),
            len(out_types),
            0 if on_heap else workspace_bytes,
            workspace_bytes + ALIGNMENT if on_heap else 0,
            int(release_gil),
            id(fallback),
            id(problem),
        ]
        context = self._context(head, in_types, out_types)
        definition = _MethodDefinition(name.encode(), self._address, _FASTCALL_WITH_KEYWORDS, None)
        bound = Bound(context, fallback, problem, kept, hidden(self, definition))
        return self._new_function(ctypes.addressof(definition), bound, None)

    def _context(
        self, head: list[int], in_types: Sequence[ArrayType], out_types: Sequence[ArrayType]
    ) -> np.ndarray[Any, Any]:
        """The table that the C function goes by: the types at the top of `entry.ll`, word by word."""
        types = (*in_types, *out_types)
        lengths = [n for t in types for n in t.shape]
        words = list(head)
        context = np.empty(len(words) + 6 * len(types) + len(lengths), np.int64)
        shape = context.ctypes.data + 8 * (context.size - len(lengths))
        for number, t in enumerate(types):
            words += [len(t.shape), shape, id(t.dtype)]
            shape += 8 * len(t.shape)
            if t.shape:
                words += [0, 0, 0]
            elif number < len(in_types):
                python_type = next((id(p) for p, dtype in NUMBER_TYPES.items() if dtype == t.dtype), 0)
                words += [id(t.dtype.type), *((python_type, 0) if t.dtype.kind in "fc" else (0, python_type))]
            elif t.dtype.kind == "b":
                words += [0, 0, 1]
            else:
                words += [id(t.dtype.type), self._type_slot(t.dtype.type, _TP_ALLOC), 0]
        context[:] = words + lengths
        context.flags.writeable = False
        return context


@functools.cache
def fast_entry() -> FastEntry | None:
    """The `FastEntry` of this process; None where Python's objects are not as it expects."""
    return FastEntry() if objects_are_as_expected() else None
