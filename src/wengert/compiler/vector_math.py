"""Elementary functions inside compiled loops, so that LLVM can vectorise the loop around them.

Start reading with `MathLibrary.call`. A function is emitted in one of four ways, the first that there is:

* an LLVM intrinsic, where that is exact (sqrt, floor, copysign, …);
* a **formula**: branch-free floating-point code (`FORMULAS`), a small internal function that LLVM inlines into the loop
  and vectorises like any other arithmetic, on every processor that has fused multiply-add;
* a call of the C library that LLVM may replace by a call of glibc's vector library (libmvec), if this machine has it;
* a plain call of the C library.

In straight-line code (`vectorise=False`) the C library is called: machine code stays small and compiles fast.
`docs/accuracy.md` has the measured error of each function.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import math
import platform
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from wengert.compiler.formulas import FORMULAS, Emitter

# Names of NumPy (or SciPy) and of the C library.
_LIBM_NAMES = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
    "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "cbrt": "cbrt", "power": "pow", "hypot": "hypot", "fmod": "fmod", "erf": "erf", "erfc": "erfc",
    "exp10": "exp10", "gamma": "tgamma", "gammaln": "lgamma",
}  # fmt: skip
_BINARY = frozenset(
    {"arctan2", "power", "hypot", "fmod", "copysign", "remainder", "maximum", "minimum", "fmax", "fmin"}
)
_INTRINSICS = {
    "sqrt": "llvm.sqrt", "absolute": "llvm.fabs", "floor": "llvm.floor", "ceil": "llvm.ceil", "trunc": "llvm.trunc",
    "rint": "llvm.rint", "copysign": "llvm.copysign",
}  # fmt: skip

_COMPOSITE = frozenset({"gammaln", "fmod", "remainder", "sign", "maximum", "minimum", "fmax", "fmin"})

SUPPORTED: frozenset[str] = frozenset(_LIBM_NAMES) | frozenset(_INTRINSICS) | _COMPOSITE


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
            add(libm, name + suffix, f"wengert.scalar.{name}{suffix}")
            for lanes in _vector_forms(suffix == "f"):
                arguments = "vv" if numpy_name in _BINARY else "v"
                add(libmvec, f"_ZGV{lanes}{arguments}_{name}{suffix}", f"_ZGV{lanes}{arguments}_{name}{suffix}")
    return found


@functools.cache
def _vector_forms(single: bool) -> tuple[str, ...]:
    """ISA letter and number of lanes of the vector functions that this processor can run."""
    features = llvm.get_host_cpu_features()
    forms = []
    for feature, letter, size in (("avx512f", "e", 64), ("avx2", "d", 32), ("sse4.1", "b", 16)):
        if features.get(feature):
            forms.append(f"{letter}N{size // (4 if single else 8)}")
    return tuple(forms)


def vector_bytes() -> list[int]:
    """Sizes of the vectors that this processor has."""
    return [8 * int(form[2:]) for form in _vector_forms(False)] or [16]


class Declared(ir.Function):
    """A declared function with attributes that llvmlite does not know."""

    extra = ""

    def descr_prototype(self, buf: list[str]) -> None:
        text: list[str] = []
        super().descr_prototype(text)
        buf.append("".join(text).rstrip("\n") + f" {self.extra}\n")


class _Used(ir.GlobalVariable):
    """The list of declarations that LLVM may not remove; grows."""

    def __init__(self, module: ir.Module) -> None:
        super().__init__(module, ir.ArrayType(ir.IntType(8).as_pointer(), 0), "llvm.compiler.used")
        self.functions: list[ir.Function] = []

    def descr(self, buf: list[str]) -> None:
        names = ", ".join(f"ptr {f.get_reference()}" for f in self.functions)
        count = len(self.functions)
        buf.append(f'appending global [{count} x ptr] [{names}], section "llvm.metadata"\n')


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
def _has_masks() -> bool:
    """Whether the processor has masked loads and stores; asked for masks without them, LLVM does not vectorise."""
    features = llvm.get_host_cpu_features()
    return any(features.get(feature) for feature in ("avx2", "avx512f", "sve"))


@functools.cache
def _formula_text(name: str, symbol: str) -> tuple[str, list[tuple[str, int]]]:
    """LLVM IR of a formula as a function, and the intrinsics that it calls with their numbers of arguments."""
    type_ = ir.DoubleType()
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(type_, [type_]), symbol)
    function.linkage = "internal"
    function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    builder.ret(FORMULAS[name](Emitter(builder, function.args[0])).value)
    return str(function), [(f.name, len(f.args)) for f in module.functions if f is not function]


class MathLibrary:
    """The elementary functions for one module.

    Parameters
    ----------
    module : llvmlite.ir.Module
        Gets the declarations of what is called.
    vectorise : bool
        Whether the calls are in loops that LLVM may vectorise. If not, the C library is called.
    """

    def __init__(self, module: ir.Module, vectorise: bool = True) -> None:
        self.module = module
        self.vectorise = vectorise

    def call(self, builder: ir.IRBuilder, name: str, args: Sequence[Any]) -> Any:
        """Emit `name(*args)`, with the meaning of NumPy's function of that name.

        Parameters
        ----------
        builder : llvmlite.ir.IRBuilder
            Where to put the instructions.
        name : str
            One of `SUPPORTED`.
        args : sequence of llvmlite.ir.Value
            float64 or float32 (LLVM's double or float), all of one type.
        """
        if name not in SUPPORTED:
            raise KeyError(f"no elementary function {name!r}")
        type_ = args[0].type
        if name in _COMPOSITE:
            return getattr(self, f"_{name}")(builder, *args)
        if name in _INTRINSICS:
            signature = ir.FunctionType(type_, [type_] * len(args))
            return builder.call(self.module.declare_intrinsic(_INTRINSICS[name], [type_], signature), args)
        if self.vectorise and name in FORMULAS and isinstance(type_, ir.DoubleType) and has_fma():
            return builder.call(self._formula(name, type_), args)
        return builder.call(self._library_function(name, type_), args)

    def _formula(self, name: str, type_: ir.Type) -> ir.Function:
        symbol = f"wengert.formula.{name}"
        if symbol not in self.module.globals:
            text, intrinsics = _formula_text(name, symbol)
            for intrinsic, arity in intrinsics:
                if intrinsic not in self.module.globals:
                    ir.Function(self.module, ir.FunctionType(type_, [type_] * arity), intrinsic)
            _Inlined(self.module, ir.FunctionType(type_, [type_]), symbol, text)
        return self.module.globals[symbol]

    def _library_function(self, name: str, type_: ir.Type) -> ir.Function:
        suffix = "f" if isinstance(type_, ir.FloatType) else ""
        symbol = _LIBM_NAMES[name] + suffix
        arity = 2 if name in _BINARY else 1
        own_name = f"wengert.{symbol}" if self.vectorise else f"wengert.scalar.{symbol}"
        if own_name not in self.module.globals:
            function = Declared(self.module, ir.FunctionType(type_, [type_] * arity), own_name)
            function.extra = "memory(none) nounwind willreturn"
            if self.vectorise:
                variants = ",".join(self._vector_functions(symbol, own_name, type_, arity))
                function.extra += f' "vector-function-abi-variant"="{variants}"' if variants else ""
        return self.module.globals[own_name]

    def _vector_functions(self, symbol: str, own_name: str, type_: ir.Type, arity: int) -> Iterator[str]:
        """Declare the vector forms of a function; how the vectoriser is told of each."""
        for form in _vector_forms(isinstance(type_, ir.FloatType)):
            vector_symbol = f"_ZGV{form}{'v' * arity}_{symbol}"
            if vector_symbol in library_symbols():
                lanes = int(form[2:])
                vector = ir.VectorType(type_, lanes)
                self.keep(ir.Function(self.module, ir.FunctionType(vector, [vector] * arity), vector_symbol))
                yield f"_ZGV_LLVM_N{lanes}{'v' * arity}_{own_name}({vector_symbol})"

    def keep(self, function: ir.Function) -> None:
        """Keep a declaration that nothing calls yet: the vectoriser will."""
        used = self.module.globals.get("llvm.compiler.used")
        if used is None:
            used = _Used(self.module)
        assert isinstance(used, _Used)
        used.functions.append(function)

    def _sign(self, builder: ir.IRBuilder, x: Any) -> Any:
        zero, one = ir.Constant(x.type, 0.0), ir.Constant(x.type, 1.0)
        signed = builder.select(builder.fcmp_ordered("<", x, zero), ir.Constant(x.type, -1.0), one)
        # Zero gives +0 and NaN gives itself, as in NumPy.
        nonzero = builder.select(builder.fcmp_ordered("==", x, zero), zero, signed)
        return builder.select(builder.fcmp_unordered("uno", x, x), x, nonzero)

    def _gammaln(self, builder: ir.IRBuilder, x: Any) -> Any:
        """C's lgamma, but −∞ at −∞, as in SciPy."""
        result = builder.call(self._library_function("gammaln", x.type), [x])
        lowest = ir.Constant(x.type, float("-inf"))
        return builder.select(builder.fcmp_ordered("==", x, lowest), lowest, result)

    def _fmod(self, builder: ir.IRBuilder, x: Any, y: Any) -> Any:
        if self.vectorise and has_fma():
            return builder.call(self._fmod_of_short_quotients(x.type), [x, y])
        return builder.call(self._library_function("fmod", x.type), [x, y])

    def _fmod_of_short_quotients(self, type_: ir.Type) -> ir.Function:
        """C's fmod without calling it, unless the quotient has more bits than a number has; exact, too.

        The rounded quotient is at most one too large, and the difference that a fused multiply-add computes from it is
        exact, because the result can be represented.
        """
        symbol = f"wengert.fmod.{type_}"
        if symbol in self.module.globals:
            return self.module.globals[symbol]
        function = ir.Function(self.module, ir.FunctionType(type_, [type_, type_]), symbol)
        function.linkage = "internal"
        function.attributes.add("alwaysinline")
        x, y = function.args
        b: Any = ir.IRBuilder(function.append_basic_block("entry"))
        size, divisor = self.call(b, "absolute", [x]), self.call(b, "absolute", [y])
        quotient = b.fdiv(size, divisor)
        most = ir.Constant(type_, 2.0 ** (24 if isinstance(type_, ir.FloatType) else 53))
        short = b.fcmp_ordered("<", quotient, most)
        finite = b.fcmp_ordered("<", divisor, ir.Constant(type_, math.inf))
        fast, slow = b.append_basic_block("fast"), b.append_basic_block("slow")
        b.cbranch(b.and_(short, finite), fast, slow)
        b.position_at_end(fast)
        fma = self.module.declare_intrinsic("llvm.fma", [type_], ir.FunctionType(type_, [type_] * 3))
        rest = b.call(fma, [b.fneg(self.call(b, "floor", [quotient])), divisor, size])
        rest = b.select(b.fcmp_ordered("<", rest, ir.Constant(type_, 0.0)), b.fadd(rest, divisor), rest)
        b.ret(self.call(b, "copysign", [rest, x]))
        b.position_at_end(slow)
        b.ret(b.call(self._library_function("fmod", type_), [x, y]))
        return function

    def _remainder(self, builder: ir.IRBuilder, x: Any, y: Any) -> Any:
        """x − floor(x/y)·y without rounding error: C's fmod, moved to the sign of the divisor."""
        zero = ir.Constant(x.type, 0.0)
        m = self.call(builder, "fmod", [x, y])
        differ = builder.xor(builder.fcmp_ordered("<", y, zero), builder.fcmp_ordered("<", m, zero))
        moved = builder.select(differ, builder.fadd(m, y), m)
        signed_zero = self.call(builder, "copysign", [zero, y])
        return builder.select(builder.fcmp_ordered("==", m, zero), signed_zero, moved)

    # Of two that compare equal the second, as NumPy's vector code does: it matters for the sign of zero. NaN wins in
    # maximum and minimum; the number wins in fmax and fmin.

    def _maximum(self, builder: ir.IRBuilder, x: Any, y: Any, relation: str = ">") -> Any:
        larger = builder.select(builder.fcmp_ordered(relation, x, y), x, y)
        return builder.select(builder.fcmp_unordered("uno", x, x), x, larger)

    def _minimum(self, builder: ir.IRBuilder, x: Any, y: Any) -> Any:
        return self._maximum(builder, x, y, "<")

    def _fmax(self, builder: ir.IRBuilder, x: Any, y: Any, relation: str = ">") -> Any:
        larger = builder.select(builder.fcmp_ordered(relation, x, y), x, y)
        return builder.select(builder.fcmp_unordered("uno", y, y), x, larger)

    def _fmin(self, builder: ir.IRBuilder, x: Any, y: Any) -> Any:
        return self._fmax(builder, x, y, "<")


def loop_metadata(module: ir.Module) -> Any:
    """Metadata for the branch that closes a vectorisable loop: ``branch.set_metadata("llvm.loop", loop_metadata(m))``.

    The rest of the last vector is masked, where the processor can, instead of computed by a second, scalar loop: half
    the code to compile, and results that do not depend on the position in the array. Needs a loop without run-time
    checks (pointers `noalias`).
    """
    loop = module.add_metadata([f"loop {len(module.metadata)}"])
    # A loop's metadata is told apart from others by referring to itself.
    loop.operands = (loop, module.add_metadata(["llvm.loop.unroll.disable"]))
    if _has_masks():
        true = ir.Constant(ir.IntType(1), 1)
        loop.operands += (module.add_metadata(["llvm.loop.vectorize.predicate.enable", true]),)
    return loop


def scalar_loop_metadata(module: ir.Module) -> Any:
    """Metadata for the branch that closes a loop which is not to be vectorised."""
    loop = module.add_metadata([f"loop {len(module.metadata)}"])
    false = ir.Constant(ir.IntType(1), 0)
    loop.operands = (
        loop,
        module.add_metadata(["llvm.loop.vectorize.enable", false]),
        module.add_metadata(["llvm.loop.unroll.disable"]),
    )
    return loop
