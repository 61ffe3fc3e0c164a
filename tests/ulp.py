"""How far compiled elementary functions are from the exact result, in units of the last place."""

import ctypes
import ctypes.util
import functools

import numpy as np
from llvmlite import ir

from wengert.compiler.native import compile_module
from wengert.compiler.vector_math import SUPPORTED, MathLibrary, loop_metadata

BINARY = ("arctan2", "power", "hypot", "fmod", "copysign", "remainder", "maximum", "minimum", "fmax", "fmin")
UNARY = tuple(sorted(SUPPORTED - set(BINARY)))
# Computed in extended precision by the C library: NumPy has no such function for long double.
C_NAMES = {"erf": "erfl", "erfc": "erfcl", "gamma": "tgammal", "exp10": "exp10l"}
EXTENDED = np.finfo(np.longdouble).nmant == 63

_INT = ir.IntType(64)


def loop_module(body, arity, type_, lanes=None):
    """A module with `kernel(inputs…, output, count)`, which applies `body(module, builder, *values)`."""
    module = ir.Module("kernel")
    pointer = type_.as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer] * (arity + 1) + [_INT]), "kernel")
    for argument in function.args[:-1]:
        argument.add_attribute("noalias")
    entry, loop, done = (function.append_basic_block(name) for name in ("entry", "loop", "done"))
    builder = ir.IRBuilder(entry)
    builder.branch(loop)
    builder.position_at_end(loop)
    i = builder.phi(_INT)
    values = [builder.load(builder.gep(p, [i], inbounds=True)) for p in function.args[:arity]]
    builder.store(body(module, builder, *values), builder.gep(function.args[arity], [i], inbounds=True))
    following = builder.add(i, _INT(1), flags=("nuw", "nsw"))
    i.add_incoming(_INT(0), entry)
    i.add_incoming(following, loop)
    branch = builder.cbranch(builder.icmp_unsigned("<", following, function.args[-1]), loop, done)
    hints = loop_metadata(module)
    if lanes is not None:
        hints.operands += (module.add_metadata(["llvm.loop.vectorize.width", ir.IntType(32)(lanes)]),)
    branch.set_metadata("llvm.loop", hints)
    builder.position_at_end(done)
    builder.ret_void()
    return module


class Kernel:
    """A loop that applies one operation to arrays."""

    def __init__(self, module, arity, symbols=None):
        self.native = compile_module(module, ["kernel"], symbols)
        types = [ctypes.c_void_p] * (arity + 1) + [ctypes.c_int64]
        self.function = ctypes.CFUNCTYPE(None, *types)(self.native.address("kernel"))

    def __call__(self, *args, out=None):
        args = [np.ascontiguousarray(a) for a in args]
        out = np.empty_like(args[0]) if out is None else out
        self.function(*(a.ctypes.data for a in (*args, out)), out.size)
        return out


def kernel(name, dtype=np.float64, lanes=None, vectorise=True):
    """The function of `MathLibrary` as a loop over arrays."""
    arity = 2 if name in BINARY else 1
    type_ = ir.FloatType() if dtype == np.float32 else ir.DoubleType()

    def body(module, builder, *values):
        return MathLibrary(module, vectorise).call(builder, name, values)

    return Kernel(loop_module(body, arity, type_, lanes), arity)


@functools.cache
def _extended_kernel(name):
    class Extended(ir.Type):
        def _to_string(self):
            return "x86_fp80"

    type_ = Extended()
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    symbols = {name: ctypes.cast(library[name], ctypes.c_void_p).value}

    def body(module, builder, x):
        return builder.call(ir.Function(module, ir.FunctionType(type_, [type_]), name), [x])

    return Kernel(loop_module(body, 1, type_), 1, symbols)


def exact(name, *args):
    """The result in extended precision (64 bits)."""
    args = [a.astype(np.longdouble) for a in args]
    with np.errstate(all="ignore"):
        if name == "gammaln":
            return np.where(np.isneginf(args[0]), args[0], _extended_kernel("lgammal")(*args))
        return _extended_kernel(C_NAMES[name])(*args) if name in C_NAMES else getattr(np, name)(*args)


SPECIAL = (
    0.0, np.inf, np.nan, 0.5, 1.0, 2.0, 2.5, 3.0, 1 - 2**-53, 1 + 2**-52, 1e16, 1e22, 1e300, np.pi, np.pi / 2,
    # The ends of the ranges of float64 and float32, and where functions overflow, vanish or become constant.
    5e-324, 1.5e-310, 2.2250738585072014e-308, 1.7976931348623157e308, 1e-45, 1.1754944e-38, 3.4e38,
    709.782712893384, 709.7827128933841, 745.1332191019411, 745.1332191019412, 708.4, 740.0, 88.72284, 103.97,
    20.0, 22.0, 37.0, 38.0, 50.0, 171.6,
)  # fmt: skip


def arguments(name, dtype, count, seed=0):
    """Arguments over the whole range, dense where functions are difficult; for functions of two also special pairs."""
    r = np.random.default_rng(seed)

    def sample():
        bits = r.integers(0, 2 ** (32 if dtype == np.float32 else 64), count, dtype=np.uint64)
        parts = [
            bits.astype(np.uint32).view(np.float32) if dtype == np.float32 else bits.view(np.float64),
            r.standard_normal(count),
            r.uniform(-800, 800, count),
            r.uniform(-25, 25, count),
            r.uniform(0, 3, count),
            r.uniform(-1, 1, count),
            1 + r.standard_normal(count) * 1e-3,
            1 + r.standard_normal(count) * 1e-10,
            r.standard_normal(count) * 1e-8,
            r.standard_normal(count) * 1e6,
            r.integers(-300, 300, count) / 2,
            np.exp(r.uniform(-740, 709, count)) * r.choice([-1, 1], count),
            r.integers(1, 2**20, count) * float(np.finfo(dtype).smallest_subnormal),
        ]
        return np.concatenate([p.astype(dtype) for p in parts])

    with np.errstate(all="ignore"):
        special = np.array(SPECIAL + tuple(-s for s in SPECIAL)).astype(dtype)
        first = sample()
        if name not in BINARY:
            args = [np.concatenate([first, special])]
        else:
            # Pairs of unlike and of nearly like numbers, and small powers.
            second = r.permutation(sample())
            third = len(first) // 3
            second[:third] = first[:third] * r.normal(1, 0.5, third)
            second[third : 2 * third] = r.integers(-20, 20, third) / 2
            pairs = np.meshgrid(special, special)
            args = [np.concatenate([a, p.ravel()]) for a, p in zip((first, second), pairs, strict=True)]
        # Quiet NaN only: functions of the C library may treat a signalling one differently.
        return [np.where(np.isnan(a), dtype(np.nan), a) for a in args]


def errors(got, reference):
    """Errors in ulps of the result; infinite where only one is NaN or infinite, or where a zero has the wrong sign."""
    dtype = got.dtype
    with np.errstate(all="ignore"):
        rounded = reference.astype(dtype)
        largest = np.where(np.isfinite(rounded), np.abs(rounded), 0)
        error = np.abs(got.astype(np.longdouble) - reference) / np.spacing(largest).astype(np.longdouble)
    error[(got == rounded) & ~np.isfinite(rounded) | np.isnan(got) & np.isnan(rounded)] = 0
    error[np.isnan(got) != np.isnan(rounded)] = np.inf
    error[(got == 0) & (rounded == 0) & (np.signbit(got) != np.signbit(rounded))] = np.inf
    # Where the result overflows or does not is decided by less than an ulp.
    edge = np.isinf(got) != np.isinf(rounded)
    limit = np.finfo(dtype).max
    error[edge] = np.where(np.abs(reference[edge]) > limit * (1 - 2 * np.finfo(dtype).eps), 1, np.inf)
    return error.astype(float)


def worst(name, dtype, count, lanes=None, seed=0):
    """Largest error and the arguments where it is."""
    args = arguments(name, dtype, count, seed)
    got, reference = kernel(name, dtype, lanes)(*args), exact(name, *args)
    if name in ("maximum", "minimum", "fmax", "fmin"):
        # Which of two zeros is larger depends on the dtype and the processor in NumPy too.
        got, reference = got + dtype(0), reference + dtype(0)
    error = errors(got, reference)
    i = int(np.argmax(error))
    return error[i], tuple(a[i] for a in args)
