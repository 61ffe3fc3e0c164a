"""Elementary functions in compiled loops: accuracy over the whole range, special values, vectorisation."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from llvmlite import ir

from tests.ulp import BINARY, EXTENDED, SPECIAL, UNARY, Kernel, arguments, errors, exact, kernel, loop_module, worst
from wengert.compiler import vector_math
from wengert.compiler.formulas import FORMULAS
from wengert.compiler.native import compile_module
from wengert.compiler.vector_math import MathLibrary

EXACT = ("absolute", "floor", "ceil", "trunc", "rint", "sign", "copysign", "fmod", "maximum", "minimum", "fmax", "fmin")
# Half an ulp is correctly rounded. The formulas are ours; 4 is the promise of glibc's vector library.
BOUNDS = (
    dict.fromkeys(EXACT, 0)
    | {"sqrt": 0.5001, "remainder": 0.5001, "exp": 1.01, "log": 1, "log1p": 1.1, "expm1": 2, "tanh": 2.7, "power": 1.1}
    | {"gamma": 10, "gammaln": 6}
)
DTYPES = (np.float64, np.float32)


def vector_bits():
    """Width of the vectors of this processor."""
    forms = vector_math._vector_forms(False)
    return 64 * int(forms[0][2:]) if forms else 0


@pytest.mark.skipif(not EXTENDED, reason="needs a long double of 64 bits for the exact results")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY + BINARY)
def test_accuracy(name, dtype):
    error, where = worst(name, dtype, 2000, seed=1)
    bound = BOUNDS.get(name, 4) if dtype == np.float64 or name in EXACT else max(BOUNDS.get(name, 4), 4)
    assert error <= bound, where


@pytest.mark.skipif(not EXTENDED, reason="needs a long double of 64 bits for the exact results")
@pytest.mark.parametrize("lanes", [2, 4])
@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1", "tanh", "sin", "cos", "power", "arctan2", "cbrt"])
def test_accuracy_of_narrower_vectors(name, lanes):
    error, where = worst(name, np.float64, 1000, lanes, seed=2)
    assert error <= BOUNDS.get(name, 4), where


@pytest.mark.parametrize("name", UNARY + BINARY)
def test_special_values_are_as_in_numpy(name):
    numbers = np.array(SPECIAL + tuple(-s for s in SPECIAL))
    args = [a.ravel() for a in np.meshgrid(numbers, numbers)] if name in BINARY else [numbers]
    reference = getattr(np, name, None) or getattr(scipy.special, name)
    # SciPy's gamma is 0 where the result is subnormal; its gammaln is rough near 1 and infinite for subnormal numbers.
    tolerance = {"gamma": 2e-310, "gammaln": 3e-16}.get(name, 2e-323)
    if name == "gammaln":
        args = [numbers[(numbers == 0) | (abs(numbers) > 1e-300)]]
    with np.errstate(all="ignore"):
        want = reference(*args)
    for vectorise in (True, False):
        got = kernel(name, vectorise=vectorise)(*args)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_allclose(got, want, rtol=2e-15, atol=tolerance)
        if name not in ("maximum", "minimum", "fmax", "fmin", "gammaln"):
            different = (np.signbit(got) != np.signbit(want)) & ~np.isnan(want)
            assert not different.any(), [a[different] for a in args]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin", "power", "fmod", "maximum"])
def test_same_result_at_every_position(name, dtype):
    if name not in FORMULAS and vector_bits() and not vector_math._has_masks():
        pytest.skip("the rest of an array is left to the C library")
    args = [a[:333] for a in arguments(name, dtype, 100)]
    f = kernel(name, dtype)
    whole = f(*args)
    for n in range(1, 40):
        out = np.full(n + 2, 7, dtype)
        f(*(a[5 : 5 + n] for a in args), out=out[1:-1])
        np.testing.assert_array_equal(out[1:-1], whole[5 : 5 + n])
        assert out[0] == out[-1] == 7


@pytest.mark.parametrize("dtype", DTYPES)
def test_fmod_next_to_multiples(dtype):
    # Where the rounded quotient is one too large; around the longest quotients; of subnormal numbers.
    rng = np.random.default_rng(0)
    digits = np.finfo(dtype).nmant + 1
    y = rng.integers(1, 2**20, 4000).astype(dtype)
    for longest in (10, 2**10, 2.0**digits, 2.0 ** (digits + 4)):
        multiples = y * np.floor(rng.uniform(1, longest, 4000)).astype(dtype)
        tiny = np.finfo(dtype).smallest_subnormal
        for x in (multiples, np.nextafter(multiples, dtype(0)), np.nextafter(multiples, dtype(np.inf))):
            np.testing.assert_array_equal(kernel("fmod", dtype)(x, y), np.fmod(x, y))
            np.testing.assert_array_equal(kernel("fmod", dtype)(-x * tiny, y * tiny), np.fmod(-x * tiny, y * tiny))


@pytest.mark.skipif(vector_bits() == 0, reason="no libmvec here")
@pytest.mark.parametrize("name", [*UNARY, "power", "arctan2", "hypot"])
def test_loops_are_vectorised(name):
    if name in ("gamma", "gammaln"):
        pytest.skip("has no vector form")
    assembly = kernel(name).native.assembly
    register = {512: "zmm", 256: "ymm", 128: "xmm"}[vector_bits()]
    assert register in assembly
    assert not re.search(r"call.*wengert", assembly)
    if name in FORMULAS:
        assert "call" not in assembly


def test_two_functions_and_two_dtypes_in_one_module():
    def body(module, builder, x):
        library = MathLibrary(module)
        single = library.call(builder, "sin", [builder.fptrunc(x, ir.FloatType())])
        both = builder.fadd(library.call(builder, "sin", [x]), builder.fpext(single, x.type))
        once = MathLibrary(module, vectorise=False).call(builder, "sin", [x])
        return builder.fadd(both, builder.fadd(library.call(builder, "exp", [x]), once))

    x = np.linspace(-3, 3, 57)
    got = Kernel(loop_module(body, 1, ir.DoubleType()), 1)(x)
    np.testing.assert_allclose(got, 3 * np.sin(x) + np.exp(x), rtol=1e-6)


def test_without_vector_library_and_fused_multiply_add(monkeypatch):
    monkeypatch.setattr(vector_math, "_vector_forms", lambda single: ())
    monkeypatch.setattr(vector_math, "has_fma", lambda: False)
    for name in ("exp", "sin", "power"):
        args = arguments(name, np.float64, 200)
        f = kernel(name)
        assert "_ZGV" not in f.native.assembly
        assert "call" in f.native.assembly
        if EXTENDED:
            assert errors(f(*args), exact(name, *args)).max() <= 1


def test_without_masks(monkeypatch):
    monkeypatch.setattr(vector_math, "_has_masks", lambda: False)
    f = kernel("exp")
    assert "predicate" not in str(loop_module(lambda module, builder, x: x, 1, ir.DoubleType()))
    for n in range(1, 40):
        x = np.linspace(-1, 1, n)
        np.testing.assert_allclose(f(x), np.exp(x), rtol=1e-15)


def test_unknown_function():
    module = ir.Module()
    with pytest.raises(KeyError, match="sine"):
        MathLibrary(module).call(ir.IRBuilder(), "sine", [ir.Constant(ir.DoubleType(), 1.0)])


def test_straight_line_code_calls_the_c_library():
    module = ir.Module()
    double = ir.DoubleType()
    function = ir.Function(module, ir.FunctionType(double, [double]), "f")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(MathLibrary(module, vectorise=False).call(builder, "exp", function.args))
    native = compile_module(module, ["f"])
    assert "wengert.scalar.exp" in native.assembly


TOOL = pathlib.Path(__file__).parent.parent / "benchmarks" / "accuracy.py"


@pytest.mark.slow
@pytest.mark.skipif(not TOOL.exists() or not EXTENDED, reason="needs the repository and a long double of 64 bits")
def test_the_tool_that_measures_accuracy_runs():
    result = subprocess.run([sys.executable, TOOL, "--count", "10"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    for name in UNARY + BINARY:
        assert len(re.findall(rf"^\| {name} \|", result.stdout, re.MULTILINE)) == 2
