"""C functions that modules made by Cython hand out: an address in a capsule, whose name is the signature."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

_get_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
_get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


class Function(NamedTuple):
    """A C function."""

    signature: str
    address: int


def functions(library: Any) -> dict[str, Function]:
    """The C functions that a module hands out."""
    return {name: _opened(capsule) for name, capsule in library.__pyx_capi__.items()}


def address(name: str, library: Any) -> int:
    """The address of one of them."""
    return _opened(library.__pyx_capi__[name]).address


def _opened(capsule: Any) -> Function:
    name = _get_name(capsule)
    return Function(name.decode(), int(_get_pointer(capsule, name)))
