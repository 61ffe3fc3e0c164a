"""Elementary functions inside compiled loops, so that LLVM can vectorise the loop around them.

Start reading with `MathLibrary.call`. A function is emitted in one of four ways, the first that there is:

* an LLVM intrinsic, where that is exact (sqrt, floor, copysign, …);
* a **formula**: branch-free floating-point code (`FORMULAS`), a small internal function that LLVM inlines into the loop
  and vectorises like any other arithmetic, on every processor that has fused multiply-add;
* a call of the C library that LLVM may replace by a call of glibc's vector library (libmvec), if this machine has it;
* a plain call of the C library.

Outside loops (`vectorise=False`) the C library is called: machine code stays small and compiles fast.
`docs/accuracy.md` has the measured error of each function.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import platform
import sys
from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from wengert.compiler.formulas import FORMULAS, Emitter

# Names of NumPy and, where they differ, of the C library.
_LIBM_NAMES = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
    "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "cbrt": "cbrt", "power": "pow", "hypot": "hypot", "fmod": "fmod", "erf": "erf", "erfc": "erfc",
    "lgamma": "lgamma", "tgamma": "tgamma",
}  # fmt: skip
_BINARY = frozenset(
    {"arctan2", "power", "hypot", "fmod", "copysign", "remainder", "maximum", "minimum", "fmax", "fmin"}
)
_INTRINSICS = {
    "sqrt": "llvm.sqrt", "absolute": "llvm.fabs", "floor": "llvm.floor", "ceil": "llvm.ceil", "trunc": "llvm.trunc",
    "rint": "llvm.rint", "copysign": "llvm.copysign", "maximum": "llvm.maximum", "minimum": "llvm.minimum",
    "fmax": "llvm.maxnum", "fmin": "llvm.minnum",
}  # fmt: skip

SUPPORTED: frozenset[str] = frozenset(_LIBM_NAMES) | frozenset(_INTRINSICS) | {"remainder", "sign"}


@functools.cache
def _libraries() -> tuple[ctypes.CDLL | None, ctypes.CDLL | None]:
    """The C mathematical library and, on Linux with glibc on x86-64, its vector form."""
    name = "ucrtbase" if sys.platform == "win32" else ctypes.util.find_library("m")
    libmvec = None
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            libmvec = ctypes.CDLL("libmvec.so.1")
    return ctypes.CDLL(name), libmvec


@functools.cache
def library_symbols() -> dict[str, int]:
    """Addresses of the functions that compiled code calls, by the names that it calls them by."""
    libm, libmvec = _libraries()
    found: dict[str, int] = {}

    def add(library: ctypes.CDLL | None, name: str, symbol: str) -> None:
        function = getattr(library, name, None)
        if function is not None:
            found[symbol] = ctypes.cast(function, ctypes.c_void_p).value or 0

    for numpy_name, name in _LIBM_NAMES.items():
        # The name is our own: LLVM would turn a call of "log" into its intrinsic, which then is not vectorised.
        for suffix in ("", "f"):
            add(libm, name + suffix, f"wengert.{name}{suffix}")
            for lanes in _vector_forms(suffix):
                arguments = "vv" if numpy_name in _BINARY else "v"
                add(libmvec, f"_ZGV{lanes}{arguments}_{name}{suffix}", f"_ZGV{lanes}{arguments}_{name}{suffix}")
    return found


@functools.cache
def _vector_forms(suffix: str) -> tuple[str, ...]:
    """ISA letter and number of lanes of the vector functions that this processor can run."""
    features = llvm.get_host_cpu_features()
    forms = []
    for feature, letter, size in (("avx512f", "e", 64), ("avx2", "d", 32), ("sse4.1", "b", 16)):
        if features.get(feature):
            forms.append(f"{letter}N{size // (4 if suffix else 8)}")
    return tuple(forms)


class _Declared(ir.Function):
    """A declared function with attributes that llvmlite does not know."""

    extra = ""

    def descr_prototype(self, buf: list[str]) -> None:
        text: list[str] = []
        super().descr_prototype(text)
        buf.append("".join(text).rstrip("\n") + f" {self.extra}\n")


class _Inlined(ir.Function):
    """An internal function whose text was made before."""

    def __init__(self, module: ir.Module, type_: ir.FunctionType, name: str, text: str) -> None:
        super().__init__(module, type_, name)
        self._text = text

    def descr(self, buf: list[str]) -> None:
        buf.append(self._text)


@functools.cache
def has_fma() -> bool:
    """Whether the processor has fused multiply-add, which the formulas rely on."""
    features = llvm.get_host_cpu_features()
    return bool(features.get("fma")) or platform.machine().lower() in ("arm64", "aarch64")


@functools.cache
def _formula_text(name: str, symbol: str) -> tuple[str, tuple[str, ...]]:
    """LLVM IR of a formula as a function, and the names of the intrinsics that it calls."""
    type_ = ir.DoubleType()
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(type_, [type_]), symbol)
    function.linkage = "internal"
    function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    builder.ret(FORMULAS[name](Emitter(builder, function.args[0])).value)
    return str(function), tuple(f.name for f in module.functions if f is not function)


class MathLibrary:
    """The elementary functions for one module.

    Parameters
    ----------
    module : llvmlite.ir.Module
        Gets the declarations of what is called.
    """

    def __init__(self, module: ir.Module) -> None:
        self.module = module
        self._functions: dict[tuple[str, ir.Type], ir.Function] = {}
        self._kept: list[ir.Function] = []
        self._used: ir.GlobalVariable | None = None

    def call(self, builder: ir.IRBuilder, name: str, args: Sequence[Any], vectorise: bool = True) -> Any:
        """Emit `name(*args)`, with the meaning of NumPy's function of that name.

        Parameters
        ----------
        builder : llvmlite.ir.IRBuilder
            Where to put the instructions.
        name : str
            One of `SUPPORTED`.
        args : sequence of llvmlite.ir.Value
            float64 or float32 (LLVM's double or float), all of one type.
        vectorise : bool
            Whether the call is in a loop that LLVM may vectorise. If not, the C library is called.
        """
        if name not in SUPPORTED:
            raise KeyError(f"no elementary function {name!r}")
        type_ = args[0].type
        if name == "sign":
            return self._sign(builder, args[0])
        if name == "remainder":
            return self._remainder(builder, *args, vectorise)
        if name in _INTRINSICS:
            function = self.module.declare_intrinsic(
                _INTRINSICS[name], [type_], ir.FunctionType(type_, [type_] * len(args))
            )
            return builder.call(function, args)
        if vectorise and name in FORMULAS and isinstance(type_, ir.DoubleType) and has_fma():
            return builder.call(self._inlined(name, type_), args)
        return builder.call(self._libm(name, type_), args)

    def _inlined(self, name: str, type_: ir.Type) -> ir.Function:
        symbol = f"wengert.formula.{name}"
        if symbol not in self.module.globals:
            text, intrinsics = _formula_text(name, symbol)
            for intrinsic in intrinsics:
                if intrinsic not in self.module.globals:
                    arity = 3 if ".fma." in intrinsic else 2 if ".copysign." in intrinsic else 1
                    ir.Function(self.module, ir.FunctionType(type_, [type_] * arity), intrinsic)
            _Inlined(self.module, ir.FunctionType(type_, [type_]), symbol, text)
        return self.module.globals[symbol]

    def _libm(self, name: str, type_: ir.Type) -> ir.Function:
        if (name, type_) not in self._functions:
            suffix = "f" if isinstance(type_, ir.FloatType) else ""
            symbol = _LIBM_NAMES[name] + suffix
            arity = 2 if name in _BINARY else 1
            function = _Declared(self.module, ir.FunctionType(type_, [type_] * arity), f"wengert.{symbol}")
            variants = []
            for form in _vector_forms(suffix):
                vector_symbol = f"_ZGV{form}{'v' * arity}_{symbol}"
                if vector_symbol in library_symbols():
                    lanes = form[2:]
                    variants.append(f"_ZGV_LLVM_N{lanes}{'v' * arity}_wengert.{symbol}({vector_symbol})")
                    vector = ir.VectorType(type_, int(lanes))
                    self._keep(ir.Function(self.module, ir.FunctionType(vector, [vector] * arity), vector_symbol))
            function.extra = "memory(none) nounwind willreturn"
            if variants:
                function.extra += f' "vector-function-abi-variant"="{",".join(variants)}"'
            self._functions[name, type_] = function
        return self._functions[name, type_]

    def _keep(self, function: ir.Function) -> None:
        """Keep a declaration that nothing calls yet: the vectoriser will."""
        self._kept.append(function)
        if self._used is not None:
            del self.module.globals[self._used.name]
        pointer = ir.IntType(8).as_pointer()
        array = ir.ArrayType(pointer, len(self._kept))
        used: Any = ir.GlobalVariable.__new__(ir.GlobalVariable)
        self.module.scope._useset.discard("llvm.compiler.used")
        used.__init__(self.module, array, "llvm.compiler.used")
        self._used = used
        used.linkage = "appending"
        used.section = "llvm.metadata"
        used.initializer = ir.Constant(array, [f.bitcast(pointer) for f in self._kept])

    def _sign(self, builder: ir.IRBuilder, x: Any) -> Any:
        zero, one = ir.Constant(x.type, 0.0), ir.Constant(x.type, 1.0)
        signed = builder.select(builder.fcmp_ordered("<", x, zero), ir.Constant(x.type, -1.0), one)
        # Zero gives +0 and NaN gives itself, as in NumPy.
        nonzero = builder.select(builder.fcmp_ordered("==", x, zero), zero, signed)
        return builder.select(builder.fcmp_unordered("uno", x, x), x, nonzero)

    def _remainder(self, builder: ir.IRBuilder, x: Any, y: Any, vectorise: bool) -> Any:
        """x − floor(x/y)·y without rounding error: C's fmod, moved to the sign of the divisor."""
        zero = ir.Constant(x.type, 0.0)
        m = self.call(builder, "fmod", [x, y], vectorise)
        differ = builder.xor(builder.fcmp_ordered("<", y, zero), builder.fcmp_ordered("<", m, zero))
        moved = builder.select(differ, builder.fadd(m, y), m)
        signed_zero = self.call(builder, "copysign", [zero, y])
        return builder.select(builder.fcmp_ordered("==", m, zero), signed_zero, moved)
