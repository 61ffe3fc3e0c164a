"""Decompositions, complex linear algebra and Fourier transforms: machine code calls inner loops of NumPy's gufuncs.

What `numpy.linalg` and `numpy.fft` do with numbers is done by generalised ufuncs, whose inner loops are C functions
like those of ufuncs (`wengert.compiler.ufuncs`), for matrices or signals in place of elements. They take pointers,
sizes and strides, so that a transform along any axis needs no copies; they copy their operands before they work on
them; and they need no Python. Results are those of NumPy bit for bit.

A gufunc says in its signature, such as ``(m,n),()->(p)``, which axes belong to one of its operations. The others are
looped over: by the inner loop itself as far as one stride describes them, and by loops around the call else.

`numpy.linalg` computes in double precision only; `wengert.compiler.matrices` converts operands of other types. Where
LAPACK fails, an inner loop fills its results with NaN and raises the floating-point flag for invalid operations. That
ends the program with a status, from which `wengert.compiler.frame` makes the exception that NumPy would raise.
"""

from __future__ import annotations

import ctypes
import functools
import math
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from wengert.compiler.lowering import memory_dtype
from wengert.compiler.ufuncs import address_of
from wengert.core.primitive import Primitive
from wengert.core.program import Operation, Variable
from wengert.rules import decompositions, determinants, fourier, linalg

#: Functions of NumPy's C interface for the flags of floating-point arithmetic: their places in its table.
FLAGS = {"wengert.clear_flags": 27, "wengert.get_flags": 28}


class Loop(NamedTuple):
    """An inner loop: name of the gufunc, dtypes, names of the axes of each operand and result, and addresses."""

    name: str
    types: str
    axes: tuple[tuple[str, ...], ...]
    function: int
    data: int

    @property
    def symbol(self) -> str:
        """Name of the inner loop in machine code."""
        return f"wengert.gufunc.{self.name}.{self.types}"


class Row(NamedTuple):
    """A call of a gufunc: its module, its names in different versions of NumPy, and the dtypes of what it takes.

    The dtypes are letters: x for that of the operand of the operation, r for that of its real part, c for the complex
    one. `checked` says that LAPACK may fail.
    """

    module: str
    names: tuple[str, ...]
    types: str
    checked: bool = False


_LINALG, _FFT = "numpy.linalg._umath_linalg", "numpy.fft._pocketfft_umath"


def _shape(op: Operation) -> tuple[int, ...]:
    return op.inputs[0].type.shape  # type: ignore[union-attr]


def _is_wide(op: Operation) -> bool:
    m, n = _shape(op)[-2:]
    return m < n


def _svd(op: Operation) -> list[Row]:
    letter = "f" if op.params["full"] else "s"
    return [Row(_LINALG, (f"svd_{letter}", f"svd_{'m' if _is_wide(op) else 'n'}_{letter}"), "x->xrx", True)]


def _qr(op: Operation) -> list[Row]:
    raw = Row(_LINALG, ("qr_r_raw", f"qr_r_raw_{'m' if _is_wide(op) else 'n'}"), "x->x", True)
    return [raw, Row(_LINALG, ("qr_reduced",), "xx->x", True)]


def _always(*rows: Row) -> Callable[[Operation], list[Row]]:
    return lambda op: list(rows)


#: What does each operation.
ROWS: dict[Primitive, Callable[[Operation], list[Row]]] = {
    linalg.cholesky: _always(Row(_LINALG, ("cholesky_lo",), "x->x", True)),
    linalg.inverse: lambda op: [Row(_LINALG, ("inv",), "x->x", op.params["check"])],
    linalg.solve: _always(Row(_LINALG, ("solve",), "xx->x", True)),
    determinants.nonsingular_det: _always(Row(_LINALG, ("det",), "x->x")),
    determinants.slogdet: _always(Row(_LINALG, ("slogdet",), "x->xr")),
    decompositions.eigh: lambda op: [
        Row(_LINALG, ("eigh_up" if op.params.get("upper") else "eigh_lo",), "x->rx", True)
    ],
    decompositions.eig: _always(Row(_LINALG, ("eig",), "x->cc", True)),
    decompositions.svd: _svd,
    decompositions.qr: _qr,
    fourier.fft: _always(Row(_FFT, ("fft",), "cr->c")),
    fourier.ifft: _always(Row(_FFT, ("ifft",), "cr->c")),
    fourier.rfft: lambda op: [
        Row(_FFT, ("rfft_n_odd" if _shape(op)[op.params["axis"]] % 2 else "rfft_n_even",), "xr->c")
    ],
    fourier.irfft: _always(Row(_FFT, ("irfft",), "cr->r")),
}
#: What computes the values alone, where no vectors are needed, and the number of the result that they are.
VALUES: dict[Primitive, tuple[Callable[[Operation], Row], int]] = {
    decompositions.eigh: (
        lambda op: Row(_LINALG, ("eigvalsh_up" if op.params.get("upper") else "eigvalsh_lo",), "x->r", True),
        0,
    ),
    decompositions.eig: (lambda op: Row(_LINALG, ("eigvals",), "x->c", True), 0),
    decompositions.svd: (lambda op: Row(_LINALG, ("svd", "svd_m" if _is_wide(op) else "svd_n"), "x->r", True), 1),
}
LINEAR_ALGEBRA = tuple(p for p in ROWS if p.name not in ("fft", "ifft", "rfft", "irfft"))
_INVERSE = (fourier.ifft, fourier.irfft)


def _gufunc(row: Row) -> np.ufunc | None:
    try:
        namespace = import_module(row.module)
    except ImportError:
        return None
    found = (getattr(namespace, name, None) for name in row.names)
    return next((f for f in found if isinstance(f, np.ufunc) and f.signature), None)


@functools.cache
def _find(row: Row, types: str) -> Loop | None:
    gufunc = _gufunc(row)
    if gufunc is None or types not in gufunc.types:
        return None
    address = address_of(gufunc, gufunc.types.index(types))
    axes = [tuple(re.findall(r"\w+", part)) for part in re.findall(r"\(([^)]*)\)", gufunc.signature or "")]
    if address is None or len(axes) != gufunc.nargs:
        return None
    return Loop(gufunc.__name__, types, tuple(axes), *address)


def factor(op: Operation, dtype: np.dtype[Any]) -> Any:
    """The number by which a transform multiplies its results, as NumPy computes it in a real dtype."""
    shapes = _shape(op), op.outputs[0].type.shape
    n = shapes[op.primitive is fourier.irfft][op.params["axis"]]
    norm = op.params["norm"] or "backward"
    norm = fourier.DUAL[norm] if op.primitive in _INVERSE else norm
    if norm == "backward":
        return 1
    return np.reciprocal(np.sqrt(n, dtype=dtype) if norm == "ortho" else n, dtype=dtype)


def transformed_dtype(op: Operation) -> np.dtype[Any] | None:
    """What NumPy converts the operand of a transform to; None if it is not to be found out."""
    gufunc, own = _gufunc(ROWS[op.primitive](op)[0]), op.inputs[0].type.dtype  # type: ignore[union-attr]
    real = np.finfo(np.result_type(own, 1.0)).dtype
    weak = int if isinstance(factor(op, real), int) else real
    return None if gufunc is None else gufunc.resolve_dtypes((own, weak, None))[0]


def loops_of(op: Operation) -> list[Loop] | None:
    """The inner loops that do an operation, one after the other; None if they are not there for its dtypes."""
    if op.primitive not in ROWS or not all(isinstance(a, Variable) for a in op.inputs):
        return None
    inputs, outputs = [a.type for a in op.inputs], [v.type for v in op.outputs]  # type: ignore[union-attr]
    dtype = inputs[0].dtype
    if any(t.dtype != dtype for t in inputs) or any(0 in t.shape for t in (*inputs, *outputs)):
        return None
    if dtype.str[1:] not in (("f8", "c16") if op.primitive in LINEAR_ALGEBRA else ("f4", "f8", "c8", "c16")):
        return None
    found = []
    for row in ROWS[op.primitive](op):
        if row.types[0] == "c" and dtype.kind != "c":
            return None
        loop = _find(row, _types(row, dtype))
        if loop is None or not _flags():
            return None
        found.append(loop)
    return found


def _types(row: Row, dtype: np.dtype[Any]) -> str:
    letters = {"x": dtype.char, "r": memory_dtype(dtype).char, "c": np.result_type(dtype, np.complex64).char}
    return "".join(letters.get(letter, letter) for letter in row.types)


def values_loop(op: Operation) -> Loop | None:
    """The inner loop for the values alone."""
    if op.primitive not in VALUES:
        return None
    row = VALUES[op.primitive][0](op)
    return _find(row, _types(row, op.inputs[0].type.dtype))  # type: ignore[union-attr]


def is_native(op: Operation) -> bool:
    """Whether machine code does an operation by inner loops of gufuncs."""
    return loops_of(op) is not None


@functools.cache
def _flags() -> dict[str, int]:
    """Addresses of the functions for the flags; empty if NumPy's table is not where it is expected."""
    prototype, python = ctypes.PYFUNCTYPE, ctypes.pythonapi
    try:
        capsule = import_module("numpy._core._multiarray_umath")._UFUNC_API
        name = prototype(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", python))(capsule)
        pointer_of = prototype(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", python))
        table = ctypes.cast(pointer_of(capsule, name), ctypes.POINTER(ctypes.c_void_p))
    except (ImportError, AttributeError, ValueError):
        return {}
    return {symbol: table[place] or 0 for symbol, place in FLAGS.items()}


def symbols(operations: Iterable[Operation]) -> dict[str, int]:
    """Addresses of what the code for some operations calls."""
    found: dict[str, int] = {}
    for op in operations:
        loops = loops_of(op) or []
        for loop in (*loops, *filter(None, [values_loop(op) if loops else None])):
            found |= {loop.symbol: loop.function, f"{loop.symbol}.data": loop.data, **_flags()}
    return {name: address for name, address in found.items() if address}


def cost(op: Operation) -> float:
    """Nanoseconds that an operation takes, roughly; 0 for those that are not done here."""
    if op.primitive not in ROWS:
        return 0.0
    shape = _shape(op)
    size = math.prod(shape)
    if op.primitive not in LINEAR_ALGEBRA:
        return 2.0 * size * max(1.0, math.log2(shape[op.params["axis"]] or 1))
    vectors = op.primitive in (decompositions.eigh, decompositions.eig, decompositions.svd)
    return size * (10.0 + min(shape[-2:]) * (4.0 if vectors else 1.0))
