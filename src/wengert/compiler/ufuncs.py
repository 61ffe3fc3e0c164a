"""Special functions: which inner loop of which ufunc of SciPy machine code is to call (`inner_loops` writes the call).

A ufunc has an inner loop in C for each of its signatures, such as ``d->d`` or ``ld->d``: a function of the addresses of
operands and results, how many elements there are, and strides. It can be called without Python, and the numbers are
those of SciPy bit for bit.

For real numbers in double precision `scipy.special.cython_special` has C functions of single numbers, too. An inner
loop needs some 10 ns for itself, besides what its elements take, which for cheap functions is much. So for these
(`SINGLE`) the other function is called if it gives the same numbers, bit for bit, where they are compared.

What a primitive has to do with a ufunc is said where it is declared: its function is one, or has one as its attribute
`ufunc` (`wengert.rules.special.common`). `find` looks for a signature of exactly the dtypes that there are; `expansion`
converts operands to these, and takes apart what has several results. Machine code calls all by name; `symbols` has the
addresses.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy  # whose module `special` has been imported where there is a special function

from wengert.compiler import capsules
from wengert.core.combinators import Elementwise, astype, imag, real
from wengert.core.primitive import Primitive
from wengert.core.program import Literal, Operation, Program
from wengert.core.staging import record
from wengert.core.values import Value, dtype_of, type_of
from wengert.rules.elementwise import from_parts

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


#: The parts of complex numbers, as characters of dtypes.
PARTS = {"D": "d", "F": "f"}


def flat(characters: str) -> str:
    """Characters of numbers, with two parts in place of each complex one."""
    return "".join(2 * PARTS[c] if c in PARTS else c for c in characters)


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
    single: int  # address of the function of single numbers; 0 if there is none

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
    return _ufunc_of(primitive) if primitive.is_own else (None, 0, False)


@functools.cache
def _ufunc_of(primitive: Primitive) -> tuple[np.ufunc | None, int, bool]:
    function: Any = primitive.fun
    ufunc = function if isinstance(function, np.ufunc) else getattr(function, "ufunc", None)
    if not isinstance(ufunc, np.ufunc) or getattr(np, ufunc.__name__, None) is ufunc:
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
    fits = loop is not None and flat(operands) == given and flat(loop.results)[part] == out_dtype.char
    return loop if fits else None


@functools.cache
def _find(ufunc: np.ufunc, operands: str, part: int) -> Loop | None:
    for number, signature in enumerate(ufunc.types):
        own, results = signature.split("->")
        if own == operands and set(flat(own + results)) <= set("dfl"):
            address = address_of(ufunc, number)
            if address is None:
                return None
            single = _single(ufunc) if results == "d" and set(own) == {"d"} else 0
            return Loop(ufunc.__name__, own, results, part, *address, single)
    return None


def address_of(ufunc: np.ufunc, number: int) -> tuple[int, int] | None:
    """Addresses of an inner loop and of what is passed to it; None if the ufunc is not laid out as expected."""
    found = _Struct.from_address(id(ufunc))
    expected = ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.ntypes, ufunc.__name__.encode()
    if (found.nin, found.nout, found.nargs, found.ntypes, found.name) != expected or not found.functions[number]:
        return None
    return found.functions[number], (found.data[number] if found.data else None) or 0


#: The ufuncs for which a function of single numbers may be called: those that take no longer than some 50 ns.
_NAMES = """
    agm beta betaln binom boxcox boxcox1p cosdg cosm1 cotdg dawsn ellipe ellipk ellipkm1 entr erf erfc erfcinv erfcx
    erfi erfinv exp10 expit exprel gamma gammaln gammasgn huber i0 i0e i1 i1e inv_boxcox inv_boxcox1p j0 j1 k0 k0e k1
    k1e kl_div log_expit log_ndtr loggamma logit ndtr ndtri ndtri_exp poch powm1 pseudo_huber psi radian rel_entr rgamma
    sindg spence tandg y0 y1 zetac
"""
SINGLE = frozenset(_NAMES.split())
_COMPARED = [
    np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.3, -0.3, 2.5, -2.5, 7.25, 30.0, -30.0, 171.5, -171.5, 1e10, 1e300,
    -1e300, 5e-324, -1e-310, 1e-8,
]  # fmt: skip


@functools.cache
def _functions() -> dict[str, list[int]]:
    """Addresses of SciPy's functions of numbers in double precision, by name without what Cython puts before it."""
    try:
        api = capsules.functions(importlib.import_module("scipy.special.cython_special"))
    except (ImportError, AttributeError):
        return {}
    found: dict[str, list[int]] = {}
    for name, (signature, address) in api.items():
        if re.fullmatch(r"double \((double, )+int __pyx_skip_dispatch\)", signature):
            found.setdefault(re.sub(r"^__pyx_fuse_\d+(_\d+)?", "", name), []).append(address)
    return found


@functools.cache
def _single(ufunc: np.ufunc) -> int:
    """Address of the function of single numbers that does what a ufunc does; 0 if there is none."""
    addresses = _functions().get(ufunc.__name__, []) if ufunc.__name__ in SINGLE else []
    if not addresses:
        return 0
    rng = np.random.default_rng(0)
    samples = [np.concatenate([rng.permutation(_COMPARED), rng.uniform(0, 3, 40)]) for _ in range(ufunc.nin)]
    with np.errstate(all="ignore"), scipy.special.errstate(all="ignore"):
        expected = ufunc(*samples)
        for address in addresses:
            function = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * ufunc.nin, ctypes.c_int)(address)
            found = np.array([function(*row, 0) for row in zip(*samples, strict=True)])
            if np.all((found.view(np.int64) == expected.view(np.int64)) | (np.isnan(found) & np.isnan(expected))):
                return address
    return 0


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
            found[f"{loop.symbol}.single"] = loop.single
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
            args = [from_parts.fun(next(rest), next(rest)) if c in PARTS else next(rest) for c in operands]
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
    own = np.dtype(PARTS[dtype.char])
    is_complex = dtype_of(x).kind == "c"
    if not isinstance(x, Value):
        return [own.type(x.real), own.type(x.imag)]
    re, im = (real(x), imag(x)) if is_complex else (x, own.type(0))
    return [y if dtype_of(y) == own else astype(y, dtype=own) for y in (re, im)]


def _weak_type(value: Any) -> Any:
    """The type of a number by which NumPy promotes: Python's count less."""
    kind = type(value)
    return kind if kind in (int, float, complex) else dtype_of(value)
