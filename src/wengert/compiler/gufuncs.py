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
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler.frame import COMPLEX_RESULT, FIRST_OPERATION, Memory, Unit, begin
from wengert.compiler.lowering import Emitter, Register, memory_dtype, memory_type
from wengert.compiler.sequential import Sequential
from wengert.compiler.ufuncs import address_of
from wengert.core.primitive import Primitive
from wengert.core.program import Operation, Variable
from wengert.core.values import ArrayType
from wengert.rules import decompositions, determinants, fourier, linalg

_I8P, _I32, _I64 = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)
_I64P = _I64.as_pointer()
_LOOP = ir.FunctionType(ir.VoidType(), [_I8P.as_pointer(), _I64P, _I64P, _I8P])
#: Functions of NumPy's C interface for the flags of floating-point arithmetic, and their places in its table.
_FLAGS = {
    "wengert.clear_flags": (27, ir.FunctionType(ir.VoidType(), [])),
    "wengert.get_flags": (28, ir.FunctionType(_I32, [])),
}
_INVALID = 8


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
_ROWS: dict[Primitive, Callable[[Operation], list[Row]]] = {
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
_VALUES: dict[Primitive, tuple[Callable[[Operation], Row], int]] = {
    decompositions.eigh: (
        lambda op: Row(_LINALG, ("eigvalsh_up" if op.params.get("upper") else "eigvalsh_lo",), "x->r", True),
        0,
    ),
    decompositions.eig: (lambda op: Row(_LINALG, ("eigvals",), "x->c", True), 0),
    decompositions.svd: (lambda op: Row(_LINALG, ("svd", "svd_m" if _is_wide(op) else "svd_n"), "x->r", True), 1),
}
LINEAR_ALGEBRA = tuple(p for p in _ROWS if p.name not in ("fft", "ifft", "rfft", "irfft"))
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
    gufunc, own = _gufunc(_ROWS[op.primitive](op)[0]), op.inputs[0].type.dtype  # type: ignore[union-attr]
    real = np.finfo(np.result_type(own, 1.0)).dtype
    weak = int if isinstance(factor(op, real), int) else real
    return None if gufunc is None else gufunc.resolve_dtypes((own, weak, None))[0]


def loops_of(op: Operation) -> list[Loop] | None:
    """The inner loops that do an operation, one after the other; None if they are not there for its dtypes."""
    if op.primitive not in _ROWS or not all(isinstance(a, Variable) for a in op.inputs):
        return None
    inputs, outputs = [a.type for a in op.inputs], [v.type for v in op.outputs]  # type: ignore[union-attr]
    dtype = inputs[0].dtype
    if any(t.dtype != dtype for t in inputs) or any(0 in t.shape for t in (*inputs, *outputs)):
        return None
    if dtype.str[1:] not in (("f8", "c16") if op.primitive in LINEAR_ALGEBRA else ("f4", "f8", "c8", "c16")):
        return None
    found = []
    for row in _ROWS[op.primitive](op):
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


def _values_loop(op: Operation) -> Loop | None:
    """The inner loop for the values alone."""
    if op.primitive not in _VALUES:
        return None
    row = _VALUES[op.primitive][0](op)
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
    return {symbol: table[place] or 0 for symbol, (place, _) in _FLAGS.items()}


def symbols(operations: Iterable[Operation]) -> dict[str, int]:
    """Addresses of what the code for some operations calls."""
    found: dict[str, int] = {}
    for op in operations:
        loops = loops_of(op) or []
        for loop in (*loops, *filter(None, [_values_loop(op) if loops else None])):
            found |= {loop.symbol: loop.function, f"{loop.symbol}.data": loop.data, **_flags()}
    return {name: address for name, address in found.items() if address}


def cost(op: Operation) -> float:
    """Nanoseconds that an operation takes, roughly; 0 for those that are not done here."""
    if op.primitive not in _ROWS:
        return 0.0
    shape = _shape(op)
    size = math.prod(shape)
    if op.primitive not in LINEAR_ALGEBRA:
        return 2.0 * size * max(1.0, math.log2(shape[op.params["axis"]] or 1))
    vectors = op.primitive in (decompositions.eigh, decompositions.eig, decompositions.svd)
    return size * (10.0 + min(shape[-2:]) * (4.0 if vectors else 1.0))


# Code ----------------------------------------------------------------------------------------------------------------


class _Array(NamedTuple):
    """An operand or result: its address, its lengths and strides in bytes, of which the last few are the gufunc's."""

    pointer: Register
    lengths: tuple[int, ...]
    strides: tuple[int, ...]
    axes: int


class GufuncWriter:
    """Writes one operation as an LLVM function ``void name(pointers of operands…, of results…, status)``.

    `needed` are the results that somebody reads.
    """

    def __init__(self, operation: Operation, needed: Collection[Variable]) -> None:
        self.operation = operation
        self.needed = needed
        self.leaves: list[Any] = list(dict.fromkeys(operation.inputs))
        self.results = list(operation.outputs)
        self.function: Any = None

    def write(self, unit: Unit, name: str) -> None:
        """Emit the function."""
        op, self.name, self.constants = self.operation, name, 0
        self.function, self.builder, self.frame, pointers = begin(unit, name, (*self.leaves, *self.results))
        self.writer = Sequential(Emitter(self.builder, unit.scalar_library), self.frame)
        inputs = [Memory(pointers[v], v.type, False) for v in op.inputs]  # type: ignore[union-attr,index]
        outputs = [Memory(pointers[v], v.type, True) for v in self.results]
        loops = loops_of(op)
        assert loops is not None
        if op.primitive not in LINEAR_ALGEBRA:
            self._transform(loops[0], inputs[0], outputs[0])
            self.frame.finish()
            return
        values = _values_loop(op)
        if values is not None:
            wanted = [k for k, v in enumerate(self.results) if v in self.needed]
            if wanted == [_VALUES[op.primitive][1]]:
                loops, outputs = [values], [outputs[wanted[0]]]
        checked = any(row.checked for row in _ROWS[op.primitive](op))
        if checked:
            self._flag("wengert.clear_flags")
        if op.primitive is decompositions.qr:
            self._qr(loops, inputs[0], *outputs)
        elif op.primitive is decompositions.eig:
            self._eig(loops[0], inputs[0], outputs)
        elif op.params.get("upper"):
            self._call(loops[0], [self._adjoint(inputs[0]), *map(self._array, outputs, loops[0].axes[1:])])
        else:
            self._call(loops[0], list(map(self._array, (*inputs, *outputs), loops[0].axes)))
        if checked:
            self._stop_if_invalid()
        self.frame.finish()

    # What differs from a plain call ----------------------------------------------------------------------------------

    def _transform(self, loop: Loop, x: Memory, out: Memory) -> None:
        axis = self.operation.params["axis"]
        real = memory_dtype(x.type.dtype)
        number = self._constant(memory_type(real), [float(factor(self.operation, real))])
        operand, result = (self._array(y, ("",), axis) for y in (x, out))
        self._call(loop, [operand, _Array(number, (), (), 0), result])

    def _qr(self, loops: Sequence[Loop], a: Memory, q: Memory, r: Memory) -> None:
        """LAPACK leaves the triangular factor, and what q is made from, in place of the matrix."""
        b, writer, shape = self.builder, self.writer, a.type.shape
        k = min(shape[-2:])
        both = writer.in_memory(a, a.type)
        scales = self.frame.allocate(b, ArrayType((*shape[:-2], k), a.type.dtype))
        self._call(loops[0], list(map(self._array, (both, scales), loops[0].axes)))
        self._call(loops[1], list(map(self._array, (both, scales, q), loops[1].axes)))
        parts = 2 if a.type.dtype.kind == "c" else 1
        width = shape[-1] * parts
        zero = ir.Constant(memory_type(a.type.dtype), 0.0)
        for s in self._count(math.prod(shape[:-2])):
            for i in self._count(k):
                below = self._times(i, parts)
                for j in self._count(width):
                    x = writer.load(both, b.add(self._times(s, shape[-2] * width), b.add(self._times(i, width), j)))
                    place = b.add(self._times(s, k * width), b.add(self._times(i, width), j))
                    writer.store(r, place, b.select(b.icmp_signed("<", j, below), zero, x))

    def _eig(self, loop: Loop, a: Memory, outputs: Sequence[Memory]) -> None:
        """Of a real matrix, real eigenvalues and vectors, if all of them are real; else the program stops."""
        b, writer, number = self.builder, self.writer, FIRST_OPERATION + self.frame.numbers[id(self.operation)]
        for i in self._count(_parts(a.type)):
            x = writer.load(a, i)
            self.frame.stop_if(b, b.fcmp_unordered("!=", b.fsub(x, x), ir.Constant(x.type, 0.0)), number)
        if a.type.dtype.kind == "c":
            self._call(loop, list(map(self._array, (a, *outputs), loop.axes)))
            return
        whole = [self.frame.allocate(b, x.type._replace(dtype=np.dtype(complex))) for x in outputs]
        self._call(loop, list(map(self._array, (a, *whole), loop.axes)))
        self._stop_if_invalid()
        for k, (x, out) in enumerate(zip(whole, outputs, strict=True)):
            for i in self._count(_parts(out.type)):
                place = self._times(i, 2)
                if k == 0:
                    imaginary = writer.load(x, b.add(place, ir.Constant(_I64, 1)))
                    self.frame.stop_if(
                        b, b.fcmp_unordered("!=", imaginary, ir.Constant(imaginary.type, 0.0)), COMPLEX_RESULT - number
                    )
                writer.store(out, i, writer.load(x, place))

    def _adjoint(self, a: Memory) -> _Array:
        """The adjoint matrices: a copy, if they are complex, for the imaginary parts."""
        b, writer = self.builder, self.writer
        if a.type.dtype.kind == "c":
            conjugate = self.frame.allocate(b, a.type)
            for i in self._count(_parts(a.type) // 2):
                place = self._times(i, 2)
                writer.store(conjugate, place, writer.load(a, place))
                place = b.add(place, ir.Constant(_I64, 1))
                writer.store(conjugate, place, b.fneg(writer.load(a, place)))
            a = conjugate
        array = self._array(a, ("m", "m"))
        return array._replace(strides=(*array.strides[:-2], array.strides[-1], array.strides[-2]))

    # Calls -----------------------------------------------------------------------------------------------------------

    def _array(self, x: Memory, axes: Sequence[str], axis: int | None = None) -> _Array:
        """An array in memory, the last axes of which (or one that is given) are the gufunc's."""
        shape, size = x.type.shape, x.type.dtype.itemsize
        strides = [size * math.prod(shape[k + 1 :]) for k in range(len(shape))]
        order = list(range(len(shape)))
        if axis is not None:
            order.append(order.pop(axis))
        pointer = self.builder.bitcast(x.pointer, _I8P)
        return _Array(pointer, tuple(shape[k] for k in order), tuple(strides[k] for k in order), len(axes))

    def _call(self, loop: Loop, arrays: Sequence[_Array]) -> None:
        """Call an inner loop for all matrices or signals."""
        own = [len(a.lengths) - a.axes for a in arrays]
        outer = np.broadcast_shapes(*(a.lengths[:n] for a, n in zip(arrays, own, strict=True)))
        rows = []  # how far apart the items of each array are along an axis of the stack
        for a, n in zip(arrays, own, strict=True):
            padded = (0,) * (len(outer) - n) + tuple(
                s if length > 1 else 0 for length, s in zip(a.lengths[:n], a.strides[:n], strict=True)
            )
            rows.append(padded)
        axes: list[tuple[int, tuple[int, ...]]] = []
        for length, *steps in zip(outer, *rows, strict=True):
            if length == 1:
                continue
            if axes and all(s == t * length for s, t in zip(axes[-1][1], steps, strict=True)):
                axes[-1] = axes[-1][0] * length, tuple(steps)
            else:
                axes.append((length, tuple(steps)))
        count, steps = axes.pop() if axes else (1, (0,) * len(arrays))
        sizes: dict[str, int] = {}
        for a, n, names in zip(arrays, own, loop.axes, strict=True):
            sizes |= dict(zip(names, a.lengths[n:], strict=True))
        strides = [*steps, *(s for a, n in zip(arrays, own, strict=True) for s in a.strides[n:])]
        dimensions = self._constant(_I64, [count, *sizes.values()])
        table = self.frame.slot(_I8P, len(arrays))
        module = self.frame.module
        function = module.globals.get(loop.symbol) or ir.Function(module, _LOOP, loop.symbol)
        arguments = [table, dimensions, self._constant(_I64, strides), self._data(loop)]
        self._nest(axes, [a.pointer for a in arrays], table, lambda: self.builder.call(function, arguments))

    def _nest(
        self,
        axes: Sequence[tuple[int, tuple[int, ...]]],
        pointers: Sequence[Register],
        table: Register,
        call: Callable[[], Any],
    ) -> None:
        """Emit loops over axes of the stack around a call, which advances the pointers in its table."""
        b = self.builder
        if not axes:
            for k, pointer in enumerate(pointers):
                b.store(pointer, b.gep(table, [ir.Constant(_I64, k)]))
            call()
            return
        length, steps = axes[0]
        for i in self._count(length):
            moved = [b.gep(p, [self._times(i, s)]) for p, s in zip(pointers, steps, strict=True)]
            self._nest(axes[1:], moved, table, call)

    def _data(self, loop: Loop) -> Register:
        """What the inner loop is passed besides."""
        if not loop.data:
            return ir.Constant(_I8P, None)
        module, name = self.frame.module, f"{loop.symbol}.data"
        return module.globals.get(name) or ir.GlobalVariable(module, ir.IntType(8), name)

    def _constant(self, type_: Any, numbers: Sequence[float]) -> Register:
        """The address of numbers in memory."""
        array = ir.ArrayType(type_, len(numbers))
        variable: Any = ir.GlobalVariable(self.frame.module, array, f"{self.name}.numbers{self.constants}")
        self.constants += 1
        variable.linkage, variable.global_constant = "internal", True
        variable.initializer = ir.Constant(array, list(numbers))
        return self.builder.bitcast(variable, _I64P if type_ is _I64 else _I8P)

    def _flag(self, name: str) -> Register:
        module = self.frame.module
        return self.builder.call(module.globals.get(name) or ir.Function(module, _FLAGS[name][1], name), [])

    def _stop_if_invalid(self) -> None:
        b = self.builder
        invalid = b.and_(self._flag("wengert.get_flags"), ir.Constant(_I32, _INVALID))
        number = FIRST_OPERATION + self.frame.numbers[id(self.operation)]
        self.frame.stop_if(b, b.icmp_signed("!=", invalid, ir.Constant(_I32, 0)), number)

    def _count(self, high: int) -> Any:
        return self.writer.counting(ir.Constant(_I64, 0), ir.Constant(_I64, high))

    def _times(self, i: Register, n: int) -> Register:
        b: Any = self.builder
        return b.mul(i, ir.Constant(_I64, n), flags=("nsw",))


def _parts(type_: ArrayType) -> int:
    """How many real numbers an array consists of."""
    return math.prod(type_.shape) * (2 if type_.dtype.kind == "c" else 1)
