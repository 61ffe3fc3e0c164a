"""Special functions: machine code calls the inner loops of SciPy's ufuncs.

A ufunc has an inner loop in C for each of its signatures, such as ``d->d`` or ``ld->d``: a function of the addresses of
operands and results, how many elements there are, and strides. It can be called without Python, and the numbers are
those of SciPy bit for bit. (`scipy.special.cython_special` has C functions of single numbers, too. They are 10 ns
faster, but some compute in other ways, those for float32 are missing, and so is the zeta function.)

An inner loop is wrapped in a function of one element, which has **vector forms**: functions of 2, 4, 8 … elements and a
mask, which LLVM calls in its place where it makes vectors of the loop around. They store the elements on the stack, for
one call of the inner loop. So a special function does not keep what is around it from being done in vectors.

What a primitive has to do with a ufunc is said where it is declared: its function is one, or has one as its attribute
`ufunc` (`wengert.rules.special.common`). `find` looks for a signature of exactly the dtypes that there are; `expansion`
converts operands to these, and takes apart what has several results. Machine code calls inner loops by name; `symbols`
has their addresses.

SciPy may be told to warn about poles and the like, or to raise (`scipy.special.errstate`). Inner loops do that, then,
with the interpreter lock, which therefore must be free where they run in several threads.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler.vector_math import MathLibrary, vector_bytes
from wengert.core.combinators import Elementwise, astype, imag, real
from wengert.core.primitive import Primitive
from wengert.core.program import Literal, Operation, Program
from wengert.core.staging import record
from wengert.core.values import Value, dtype_of, type_of
from wengert.rules.elementwise import from_parts

_TYPES: dict[str, Any] = {"d": "double", "f": "float", "l": "i64" if struct.calcsize("l") == 8 else "i32"}
_LLVM: dict[str, Any] = {
    "double": ir.DoubleType(),
    "float": ir.FloatType(),
    "i64": ir.IntType(64),
    "i32": ir.IntType(32),
}
#: Nanoseconds for one element, of ufuncs that take long.
_COSTS = {
    name: nanoseconds
    for nanoseconds, names in {
        60.0: """airy beta betaln chdtr elliprc exp1 expi gammainc gdtrc i0 i0e i1 i1e itmodstruve0 itstruve0 k0 k0e k1
            k1e lpmv nbdtrc nrdtrimn nrdtrisd pdtr pdtrc shichi voigt_profile wrightomega it2struve0""",
        150.0: """bdtr bdtrc betainc chdtrc chndtr ellipj ellipkinc elliprd elliprf gammaincc gdtr hyp1f1 hyp2f1
            it2i0k0 it2j0y0 itairy iti0k0 itj0y0 ive jv nbdtr owens_t stdtr""",
        300.0: """bei beip ber berp besselpoly ellipeinc elliprj expn fdtrc gammaincinv hyp0f1 hyperu iv jve kei keip
            ker kerp kn kolmogi kv kve log_wright_bessel mathieu_b pdtri stdtrit _zeta""",
        700.0: """bdtri chdtri elliprg fdtr gammainccinv gdtrib gdtrix mathieu_a mathieu_cem mathieu_sem nbdtri ncfdtr
            ncfdtridfn nctdtridf yv yve""",
        2000.0: """airye bdtrik betaincinv betainccinv btdtria chdtriv chndtridf chndtrinc chndtrix fdtri fdtridfd
            gdtria nbdtrik nbdtrin nctdtr obl_rad1_cv obl_rad2_cv obl_ang1_cv pbdv pbvv pbwa pdtrik pro_ang1_cv
            pro_rad1_cv pro_rad2_cv stdtridf tklmbda wright_bessel""",
        5000.0: """bdtrin betaincc btdtrib mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 mathieu_modsem2 modstruve
            ncfdtri ncfdtridfd ncfdtrinc nctdtrinc nctdtrit obl_ang1 obl_cv obl_rad1 obl_rad2 pro_ang1 pro_cv pro_rad1
            pro_rad2 smirnov smirnovi struve""",
    }.items()
    for name in names.split()
}


#: The parts of complex numbers.
_PARTS = {"D": "d", "F": "f"}


def _flat(characters: str) -> str:
    """Characters of numbers, with two parts in place of each complex one."""
    return "".join(2 * _PARTS[c] if c in _PARTS else c for c in characters)


class Loop(NamedTuple):
    """An inner loop: name of the ufunc, characters of its operands and results, and which (part of a) result is meant.

    To machine code a complex number is two real ones.
    """

    name: str
    operands: str
    results: str
    part: int
    function: int
    data: int

    @property
    def symbol(self) -> str:
        """Name of the inner loop in machine code."""
        return f"wengert.ufunc.{self.name}.{self.operands}_{self.results}"


class _Struct(ctypes.Structure):
    """The beginning of NumPy's PyUFuncObject, which is part of its C interface."""

    _fields_ = (
        ("head", ctypes.c_byte * object.__basicsize__),
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p),
    )


def ufunc_of(primitive: Primitive) -> tuple[np.ufunc | None, int, bool]:
    """The ufunc behind a primitive, which of its results is meant, and whether it is for double precision only."""
    function: Any = primitive.fun
    ufunc = function if isinstance(function, np.ufunc) else getattr(function, "ufunc", None)
    if not primitive.is_own or not isinstance(ufunc, np.ufunc) or getattr(np, ufunc.__name__, None) is ufunc:
        return None, 0, False
    return ufunc, getattr(function, "part", 0), getattr(function, "in_double", False)


def find(primitive: Primitive, in_dtypes: Sequence[np.dtype[Any]], out_dtype: np.dtype[Any]) -> Loop | None:
    """The inner loop for operands of exactly these dtypes and a result of that; None if there is none."""
    ufunc, part, in_double = ufunc_of(primitive)
    if ufunc is None or primitive.multiple or (in_double and np.float32 in in_dtypes):
        return None
    given = "".join(d.char for d in in_dtypes)
    operands = primitive.operands if isinstance(primitive, _Part) else given
    loop = _find(ufunc, operands, part)
    fits = loop is not None and _flat(operands) == given and _flat(loop.results)[part] == out_dtype.char
    return loop if fits else None


@functools.cache
def _find(ufunc: np.ufunc, operands: str, part: int) -> Loop | None:
    for number, signature in enumerate(ufunc.types):
        own, results = signature.split("->")
        if own == operands and set(_flat(own + results)) <= _TYPES.keys():
            address = address_of(ufunc, number)
            return None if address is None else Loop(ufunc.__name__, own, results, part, *address)
    return None


def address_of(ufunc: np.ufunc, number: int) -> tuple[int, int] | None:
    """Addresses of an inner loop and of what is passed to it; None if the ufunc is not laid out as expected."""
    found = _Struct.from_address(id(ufunc))
    expected = ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.ntypes, ufunc.__name__.encode()
    if (found.nin, found.nout, found.nargs, found.ntypes, found.name) != expected or not found.functions[number]:
        return None
    return found.functions[number], (found.data[number] if found.data else None) or 0


def loop_of(op: Operation) -> Loop | None:
    """The inner loop that does an operation."""
    if op.primitive.multiple or op.params:
        return None
    dtypes = [dtype_of(a.value) if isinstance(a, Literal) else a.type.dtype for a in op.inputs]
    return find(op.primitive, dtypes, op.outputs[0].type.dtype)


def cost(primitive: Primitive) -> float:
    """Nanoseconds for one element; rough, as it depends on the numbers."""
    ufunc, _, _ = ufunc_of(primitive)
    return _COSTS.get(ufunc.__name__, 15.0) if ufunc is not None else 0.0


def symbols(operations: Iterable[Operation]) -> dict[str, int]:
    """Addresses of what the code for some operations calls."""
    found: dict[str, int] = {}
    for op in operations:
        loop = loop_of(op)
        if loop is not None:
            found[loop.symbol] = loop.function
            found[f"{loop.symbol}.data"] = loop.data
    return {name: address for name, address in found.items() if address}


# Operations on operands of other dtypes, and with several results ----------------------------------------------------


class _Part(Elementwise):
    """One of several results of a ufunc, or a part of a complex one, of the parts of operands.

    It is known to the compiler only.
    """

    _numbers = itertools.count(-1, -1)

    def __new__(cls, *args: Any) -> Any:
        return object.__new__(cls)

    def __init__(self, primitive: Primitive, ufunc: np.ufunc, operands: str, k: int) -> None:
        def fun(*parts: Any) -> Any:
            rest = iter(parts)
            args = [from_parts.fun(next(rest), next(rest)) if c in _PARTS else next(rest) for c in operands]
            out = ufunc(*args)
            flat = [
                y
                for x in (out if isinstance(out, tuple) else (out,))
                for y in ((x.real, x.imag) if np.iscomplexobj(x) else (x,))
            ]
            return flat[k]

        fun.ufunc, fun.part = ufunc, k  # type: ignore[attr-defined]
        self.fun, self.operands, self.name = fun, operands, f"{primitive.name}[{operands}][{k}]"
        self.number, self.is_own = next(self._numbers), primitive.is_own
        self.singular, self.partials = False, ()
        self._types, self._batch = {}, None


_part = functools.cache(_Part)


def expansion(op: Operation) -> Program | None:
    """An operation in terms of those that inner loops do: operands of their dtypes, one result, real numbers."""
    primitive = op.primitive
    ufunc, part, in_double = ufunc_of(primitive)
    if ufunc is None or op.params or isinstance(primitive, _Part) or loop_of(op) is not None:
        return None
    wanted = [_weak_type(a.value) if isinstance(a, Literal) else a.type.dtype for a in op.inputs]
    if any(isinstance(d, np.dtype) and (d.kind not in "biufc" or d.char in "egG") for d in wanted):
        return None
    if in_double:
        wanted = [np.dtype(float) if d == np.float32 else d for d in wanted]
    try:
        dtypes = ufunc.resolve_dtypes((*wanted, *([None] * ufunc.nout)))
        numbers = [d.type(a.value) if isinstance(a, Literal) else None for a, d in zip(op.inputs, dtypes, strict=False)]
    except (TypeError, OverflowError):
        return None
    operands, results = dtypes[: ufunc.nin], dtypes[ufunc.nin :]
    characters = "".join(d.char for d in operands)
    outs = [v.type.dtype for v in op.outputs]
    chosen = list(results) if primitive.multiple else [results[part]]
    if _find(ufunc, characters, part) is None or (chosen != outs and not in_double):
        return None
    as_it_is = not primitive.multiple and all(d.kind != "c" for d in (*operands, *results))

    def steps(*values: Any) -> list[Any]:
        args: list[Any] = []
        for x, d, number in zip(values, operands, numbers, strict=False):
            args += _parts_of(x if number is None else number, d)
        if as_it_is:
            found = [primitive.bind(*args)]
        else:
            found, k = [], 0
            for d in results:
                count = 2 if d.kind == "c" else 1
                both = [_part(primitive, ufunc, characters, k + i).bind(*args) for i in range(count)]
                found.append(from_parts(*both) if count == 2 else both[0])
                k += count
            found = found if primitive.multiple else [found[part]]
        return [x if dtype_of(x) == d else astype(x, dtype=d) for x, d in zip(found, outs, strict=True)]

    return record(steps, [type_of(a.value) if isinstance(a, Literal) else a.type for a in op.inputs], primitive.name)


def _parts_of(x: Any, dtype: np.dtype[Any]) -> list[Any]:
    """A value or number in a dtype, as its parts if that is complex."""
    if dtype.kind != "c":
        return [x if dtype_of(x) == dtype else astype(x, dtype=dtype)]
    own = np.dtype(_PARTS[dtype.char])
    is_complex = dtype_of(x).kind == "c"
    if not isinstance(x, Value):
        return [own.type(x.real), own.type(x.imag)]
    re, im = (real(x), imag(x)) if is_complex else (x, own.type(0))
    return [y if dtype_of(y) == own else astype(y, dtype=own) for y in (re, im)]


def _weak_type(value: Any) -> Any:
    """The type of a number by which NumPy promotes: Python's count less."""
    kind = type(value)
    return kind if kind in (int, float, complex) else dtype_of(value)


# Code ----------------------------------------------------------------------------------------------------------------


class _Defined(ir.Function):
    """A function, as the text of its definition, and the names of its vector forms."""

    text = ""

    def __init__(self, module: ir.Module, type_: ir.FunctionType, name: str) -> None:
        super().__init__(module, type_, name)
        self.variants: list[str] = []

    def descr(self, buf: list[str]) -> None:
        names = ",".join(self.variants)
        buf.append(self.text.replace(" VARIANTS ", f' "vector-function-abi-variant"="{names}" ' if names else " "))


def emit(em: Any, primitive: Primitive, operands: Sequence[tuple[Any, np.dtype[Any]]], out: np.dtype[Any]) -> Any:
    """Emit the call for one element, given the operands in registers and their dtypes."""
    loop = find(primitive, [dtype for _, dtype in operands], out)
    assert loop is not None
    results = em.builder.call(_function(em.library, loop), [value for value, _ in operands])
    # Of calls that differ in this only, LLVM leaves one.
    return results if len(_flat(loop.results)) == 1 else em.builder.extract_value(results, loop.part)


def _function(library: MathLibrary, loop: Loop) -> ir.Function:
    """The function of one element; with vector forms, if the code around is to be vectorised."""
    module, name = library.module, f"{loop.symbol}.call"
    types = [_LLVM[_TYPES[c]] for c in _flat(loop.operands)]
    results = [_LLVM[_TYPES[c]] for c in _flat(loop.results)]
    function: Any = module.globals.get(name)
    if function is None:
        pointer = ir.IntType(8).as_pointer()
        ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer] * 4), loop.symbol)
        if loop.data:
            ir.GlobalVariable(module, ir.IntType(8), f"{loop.symbol}.data")
        function = _Defined(module, ir.FunctionType(_together(results), types), name)
        function.text = _text(loop, 1)
    if library.vectorise and not function.variants:
        library.keep(function)  # as it is: LLVM would leave out parameters that are always the same
        widest = max(_bytes(c) for c in _flat(loop.operands + loop.results))
        for lanes in (size // widest for size in vector_bytes()):
            vectors = [ir.VectorType(t, lanes) for t in (*types, ir.IntType(1))]
            out = _together([ir.VectorType(t, lanes) for t in results])
            variant = _Defined(module, ir.FunctionType(out, vectors), f"{name}.{lanes}")
            variant.text = _text(loop, lanes)
            library.keep(variant)
            function.variants.append(f"_ZGV_LLVM_M{lanes}{'v' * len(types)}_{name}({name}.{lanes})")
    return function


def _together(types: Sequence[Any]) -> Any:
    return types[0] if len(types) == 1 else ir.LiteralStructType(types)


def _bytes(character: str) -> int:
    return 8 if _TYPES[character] in ("double", "i64") else 4


@functools.cache
def _text(loop: Loop, lanes: int) -> str:
    """LLVM IR of the function of one element, or of a vector with a mask.

    Elements that are masked off, of whatever value, never get to the function: not all of them end for all numbers. The
    elements up to the last one that is wanted are computed, with the first one in place of those in between.
    """
    name = f"{loop.symbol}.call" + (f".{lanes}" if lanes > 1 else "")
    characters = loop.operands + loop.results
    count, first = len(characters), len(loop.operands)

    def whole(type_: str, times: int = 1) -> str:
        return f"<{lanes * times} x {type_}>" if lanes * times > 1 else type_

    def mask(*numbers: int) -> str:
        return f"<{len(numbers)} x i32> <{', '.join(f'i32 {n}' for n in numbers)}>"

    operands, results = ([_TYPES[c] for c in _flat(part)] for part in (loop.operands, loop.results))
    parameters = [f"{whole(t)} %x{k}" for k, t in enumerate(operands)] + [f"{whole('i1')} %mask"] * (lanes > 1)
    #: What is in memory: complex numbers with their parts side by side.
    types = [whole(_TYPES[_PARTS.get(c, c)], 2 if c in _PARTS else 1) for c in characters]
    lines = [f"%place{k} = alloca {t}" for k, t in enumerate(types)]
    lines += [f"%table = alloca [{count} x ptr]", f"%steps = alloca [{count} x i64]", "%count = alloca i64"]
    if lanes > 1:
        lines += [
            f"%bits = bitcast <{lanes} x i1> %mask to i{lanes}",
            f"%before = call i{lanes} @llvm.cttz.i{lanes}(i{lanes} %bits, i1 false)",
            f"%after = call i{lanes} @llvm.ctlz.i{lanes}(i{lanes} %bits, i1 false)",
            f"%last = sub i{lanes} {lanes}, %after",
            f"%number = zext i{lanes} %last to i64",
            "store i64 %number, ptr %count",
        ]
        for k, t in enumerate(operands):
            v = whole(t)
            lines += [
                f"%first{k} = extractelement {v} %x{k}, i{lanes} %before",
                f"%one{k} = insertelement {v} poison, {t} %first{k}, i64 0",
                f"%all{k} = shufflevector {v} %one{k}, {v} poison, <{lanes} x i32> zeroinitializer",
                f"%wanted{k} = select {whole('i1')} %mask, {v} %x{k}, {v} %all{k}",
            ]
    else:
        lines.append("store i64 1, ptr %count")
    given = "%wanted" if lanes > 1 else "%x"
    n = 0
    for k, c in enumerate(loop.operands):
        if c not in _PARTS:
            lines.append(f"store {types[k]} {given}{n}, ptr %place{k}")
            n += 1
            continue
        v = whole(operands[n])
        if lanes > 1:
            order = mask(*(i + j for i in range(lanes) for j in (0, lanes)))
            lines.append(f"%both{k} = shufflevector {v} {given}{n}, {v} {given}{n + 1}, {order}")
        else:
            lines.append(f"%re{k} = insertelement {types[k]} poison, {v} {given}{n}, i64 0")
            lines.append(f"%both{k} = insertelement {types[k]} %re{k}, {v} {given}{n + 1}, i64 1")
        lines.append(f"store {types[k]} %both{k}, ptr %place{k}")
        n += 2
    for k, c in enumerate(characters):
        lines += [
            f"%table{k} = getelementptr ptr, ptr %table, i64 {k}",
            f"store ptr %place{k}, ptr %table{k}",
            f"%steps{k} = getelementptr i64, ptr %steps, i64 {k}",
            f"store i64 {sum(map(_bytes, _flat(c)))}, ptr %steps{k}",
        ]
    data = f'@"{loop.symbol}.data"' if loop.data else "null"
    lines.append(f'call void @"{loop.symbol}"(ptr %table, ptr %count, ptr %steps, ptr {data})')
    n = 0
    for k, c in enumerate(loop.results, first):
        if c not in _PARTS:
            lines.append(f"%out{n} = load {types[k]}, ptr %place{k}")
            n += 1
            continue
        lines.append(f"%out.both{k} = load {types[k]}, ptr %place{k}")
        for j in range(2):
            if lanes > 1:
                order = mask(*range(j, 2 * lanes, 2))
                lines.append(f"%out{n} = shufflevector {types[k]} %out.both{k}, {types[k]} poison, {order}")
            else:
                lines.append(f"%out{n} = extractelement {types[k]} %out.both{k}, i64 {j}")
            n += 1
    out, result = whole(results[0]), "%out0"
    if len(results) > 1:
        out, result = f"{{{', '.join(map(whole, results))}}}", "poison"
        for k, t in enumerate(results):
            lines.append(f"%result{k} = insertvalue {out} {result}, {whole(t)} %out{k}, {k}")
            result = f"%result{k}"
    body = "\n  ".join([*lines, f"ret {out} {result}"])
    attributes = "noinline nounwind willreturn memory(none)"
    return f'define internal {out} @"{name}"({", ".join(parameters)}) {attributes} VARIANTS {{\n  {body}\n}}\n'
