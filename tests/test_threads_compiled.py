"""Large loops of compiled programs are split over threads: with the same results, and only where it pays."""

import concurrent.futures
import ctypes
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import wengert as w
import wengert.numpy as wnp
from wengert import config
from wengert.compiler import generate as generated
from wengert.compiler import parallel, unroll
from wengert.compiler.generate import generate
from wengert.compiler.native import load_object
from wengert.compiler.record import program
from wengert.compiler.simplify import simplify

pytestmark = pytest.mark.skipif(not parallel.thread_symbols(), reason="no POSIX threads here")
RNG = np.random.default_rng(7)
COUNTS = (1, 2, 3, 8)


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """No cache: some tests change what is split, which is not in the key of the cache."""
    before = config.cache_directory
    config.cache_directory = None
    config.threads = 2
    yield
    config.cache_directory = before
    del config.threads


@pytest.fixture
def eager_splits(monkeypatch):
    """Split loops that are far too small for it."""
    monkeypatch.setattr(parallel, "SHARE", 1e-3)
    monkeypatch.setattr(parallel, "FEW_ELEMENTS", 0)


def compiled(f, *args):
    """Executable of `f` for arguments of these types, with loops even if it is small enough for straight-line code."""
    whole = simplify(program(f)(*args))
    can_unroll = unroll.can_unroll
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unroll, "can_unroll", lambda part: part is not whole and can_unroll(part))
        return generate(whole)


def is_split(executable):
    return b"wengert.pthread_create" in executable.native.object_code


def results(executable, args, counts=COUNTS):
    """Results for each number of threads; each is computed twice, and has to be the same both times."""
    found = []
    for count in counts:
        config.threads = count
        first, again = executable.run(args), executable.run(args)
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a, b)
        found.append(first)
    return found


def check(f, *args, exact=True, rtol=1e-12):
    """Compare all numbers of threads with each other, and with NumPy."""
    executable = compiled(f, *args)
    assert is_split(executable)
    serial, *others = results(executable, args)
    for other in others:
        for a, b in zip(serial, other, strict=True):
            if exact:
                np.testing.assert_array_equal(a, b)
            else:
                np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    expected = f(*args)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for a, b in zip(serial, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=max(rtol, 1e-5 if a.dtype.itemsize == 4 else 0), atol=rtol)


# Elementwise ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 64, 65, 1000, 1023, 1025, 1088, 10007])
def test_one_axis(eager_splits, n):
    x = RNG.normal(size=n)
    check(lambda x: wnp.tanh(x) * wnp.exp(-x * x) + wnp.sin(x), x, rtol=1e-13)


@pytest.mark.parametrize(
    "shape", [(2, 1), (1, 3000), (2, 1025), (3, 5000), (1025, 2), (300, 70), (5, 1, 700), (1, 1, 2)]
)
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "?"])
def test_shapes_and_dtypes(eager_splits, shape, dtype):
    x = (RNG.normal(size=shape) * 50).astype(dtype)
    if dtype == "?":
        check(lambda x: (~x, x & ~x), x)
    else:
        check(lambda x: (x * x + x, x[..., ::-1] - x), x)


def test_functions_of_the_vector_library_do_not_depend_on_the_split(eager_splits):
    x = RNG.uniform(0.1, 0.9, size=5003)
    check(lambda x: wnp.arcsin(x) + wnp.cos(x) ** x + wnp.cbrt(x) - wnp.sinh(x), x, rtol=1e-13)
    check(lambda x: wnp.arcsin(x) + wnp.cos(x), x.astype("f4"))


def test_broadcasting_and_moves(eager_splits):
    x, y = RNG.normal(size=(40, 1)), RNG.normal(size=90)
    check(lambda x, y: (x * y + x, (x - y).T, wnp.concatenate([x * y, x + y], axis=1)), x, y)


@pytest.mark.parametrize("n", [5, 130, 1500])
def test_seams_along_the_split_axis(eager_splits, n):
    def f(x):
        out = wnp.zeros(n)
        out[1:] += x[:-1] * 2
        out[:-1] -= wnp.sin(x[1:])
        out[n // 3] = 7.0
        return out

    check(w.grad(lambda x: wnp.sum(f(x) ** 2)), RNG.normal(size=n), rtol=1e-12)
    check(f, RNG.normal(size=n))
    check(lambda x: wnp.concatenate([x[: n // 4], x * 2, x[::-1]]), RNG.normal(size=n))
    check(lambda x: wnp.stack([x, x * x, wnp.exp(x)]), RNG.normal(size=n))


def test_special_values(eager_splits):
    x = np.tile([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e308], 500)
    with np.errstate(all="ignore"):
        check(lambda x: (x * 2, x + x, wnp.maximum(x, 1.0)), x)


def test_several_results_and_reductions_in_one_loop(eager_splits):
    x = RNG.normal(size=(130, 70))

    def f(x):
        y = wnp.exp(x)
        return y, wnp.sum(y), wnp.sum(y * x, axis=0), wnp.max(y, axis=1), wnp.min(x)

    check(f, x, exact=False)


# Reductions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("sum", "prod"), ("max", "min")])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("shape", [(70, 9, 8), (3, 1100, 2), (1, 2, 2500)])
def test_reductions(eager_splits, names, axis, shape):
    x = RNG.uniform(0.99, 1.01, size=shape)
    check(lambda x: tuple(getattr(wnp, name)(x, axis=axis) for name in names), x, exact="max" in names)


@pytest.mark.parametrize("dtype", ["i8", "i4", "u1", "f4"])
@pytest.mark.parametrize("n", [70, 1030, 4097])
def test_reductions_of_other_dtypes(eager_splits, dtype, n):
    x = RNG.integers(1, 5, size=n).astype(dtype)
    if dtype == "f4":
        x = x ** np.float32(0.01)
    check(lambda x: (wnp.sum(x), wnp.prod(x)), x, exact=dtype != "f4", rtol=1e-4 if dtype == "f4" else 1e-12)
    check(lambda x: (wnp.max(x), wnp.min(x)), x)


def test_nan_wins_in_any_share(eager_splits):
    for where in (0, 700, 1999):
        x = RNG.normal(size=2000)
        x[where] = np.nan
        for out in results(compiled(lambda x: (wnp.max(x), wnp.min(x), wnp.sum(x)), x), (x,)):
            assert all(np.isnan(o) for o in out)


def test_sums_over_every_part_are_right():
    """A sum of large and small numbers: what a share forgets or adds twice is seen."""
    n = 2_000_003
    x = np.arange(n, dtype=float)
    executable = compiled(lambda x: wnp.sum(wnp.sqrt(x * x)), x)
    assert is_split(executable)
    for (out,) in results(executable, (x,), (1, 2, 3, 4, 7, 64, 1000)):
        assert out == n * (n - 1) / 2


def test_reductions_with_many_results_do_not_get_copies(eager_splits):
    x = RNG.normal(size=(8, 3000))
    executable = compiled(lambda x: wnp.sum(x, axis=0), x)
    assert b"wengert.malloc" not in executable.native.object_code
    check(lambda x: wnp.sum(x, axis=0), x, rtol=1e-12)  # exact: a result is summed by one thread


# Maps over examples --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 7, 64, 1000, 1023, 1025, 3001])
def test_maps(eager_splits, n):
    a, x = RNG.normal(size=(3, 3)), RNG.normal(size=(n, 3))
    f = w.vmap(lambda a, x: wnp.sum(wnp.sin(a @ x) * x), in_axes=(None, 0))
    check(f, a, x)
    check(w.vmap(w.hessian(lambda x: wnp.sum(wnp.sin(x) * x[0]))), x)


def test_a_large_map_is_split_and_a_small_one_is_not():
    f = w.vmap(w.grad(lambda x: wnp.sum(wnp.sin(x) * wnp.exp(x[0]))))
    assert is_split(compiled(f, RNG.normal(size=(100_000, 5))))
    assert not is_split(compiled(f, RNG.normal(size=(200, 5))))


def test_the_estimate_counts_what_is_inside():
    x = np.ones(4)
    small = unroll.estimate(simplify(program(lambda x: x + 1)(x)))
    assert unroll.estimate(simplify(program(lambda x: wnp.sin(x) + 1)(x))) > small
    assert unroll.estimate(simplify(program(lambda x: wnp.outer(x, x) @ x)(x))) > small


# What is split -------------------------------------------------------------------------------------------------------


def test_the_threshold():
    """Loops stay serial up to some size, and are split from there on."""
    f = lambda x: wnp.sum(wnp.tanh(x) * wnp.exp(x))
    split = []
    for n in (0, 1, 100, 10_000, 100_000, 1_000_000):
        x = RNG.normal(size=n)
        executable = compiled(f, x)
        split.append(is_split(executable))
        for (out,) in results(executable, (x,)):
            np.testing.assert_allclose(out, f(x), rtol=1e-11, atol=1e-12)
    assert split == sorted(split)
    assert not split[3]
    assert split[-1]


def test_sizes_around_the_threshold():
    f = lambda x: wnp.exp(x) * 2
    sizes = range(1000, 2_000_000, 1000)
    share = parallel.SHARE / (parallel.cost(w.rules.elementwise.exp) + 2 * parallel.MEMORY_COST + 0.05)
    for n in (int(2 * share) - 100, int(2 * share) + 100, int(3 * share) + 100):
        assert n in range(sizes.start, sizes.stop)
        x = RNG.normal(size=n)
        executable = compiled(f, x)
        assert is_split(executable) == (n > 2 * share)
        first, *others = results(executable, (x,))
        for (other,) in others:
            np.testing.assert_array_equal(first[0], other)


def test_choose_split():
    million = 1e9  # nanoseconds: as many threads as there can be
    assert parallel.choose_split((10**6,), 100.0) is None
    assert parallel.choose_split((1,), million) is None
    assert parallel.choose_split((), million) is None
    assert parallel.choose_split((10**6,), 2 * parallel.SHARE).most == 2
    assert parallel.choose_split((10**6,), million).most == parallel.MOST_THREADS
    assert parallel.choose_split((1, 10**6), million).axis == 1
    assert parallel.choose_split((2, 10**6), million).axis == 1
    assert parallel.choose_split((10**4, 100), million).axis == 0
    assert parallel.choose_split((10**4, 100), million, is_allowed=lambda axis: axis == 1).axis == 1
    assert parallel.choose_split((10**4, 100), million, is_allowed=lambda axis: False) is None
    few = parallel.choose_split((3, 4), million)
    assert few.most == few.units == 4


# The threads themselves ----------------------------------------------------------------------------------------------


class CountedThreads:
    """An executable that starts its threads through this object, which counts them and lets some fail."""

    def __init__(self, executable, fails=lambda number: False):
        self.executable, self.fails, self.count = executable, fails, 0
        real = ctypes.CDLL(None).pthread_create
        real.argtypes = [ctypes.c_void_p] * 4

        def create(thread, attributes, run, task):
            self.count += 1
            return 11 if self.fails(self.count) else real(thread, attributes, run, task)

        self.callback = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)(create)
        address = ctypes.cast(self.callback, ctypes.c_void_p).value
        symbols = executable.symbols | {"wengert.pthread_create": address}
        native = load_object(executable.native.object_code, executable.names, symbols)
        executable.finish(native, from_cache=False)

    def run(self, args):
        """Return the results, and how many threads were asked for."""
        before = self.count
        return self.executable.run(args), self.count - before


def test_the_number_of_threads_is_read_at_each_call():
    x = RNG.normal(size=1_000_000)
    counted = CountedThreads(compiled(lambda x: wnp.sum(wnp.sin(x) * wnp.exp(x)), x))
    for count in (1, 2, 5, 3, 1):
        config.threads = count
        assert counted.run((x,))[1] == count - 1
    config.threads = 10**12
    assert counted.run((x,))[1] < parallel.MOST_THREADS
    del config.threads
    assert counted.run((x,))[1] == min(config.threads, parallel.MOST_THREADS) - 1


@pytest.mark.parametrize("fails", [lambda n: True, lambda n: n % 2 == 0, lambda n: n == 1, lambda n: n == 7])
def test_work_of_a_thread_that_could_not_be_made_is_done_by_the_caller(eager_splits, fails):
    x = RNG.normal(size=(900, 7))

    def f(x):
        y = wnp.exp(x)
        return y, wnp.sum(y), wnp.max(y, axis=0)

    config.threads = 8
    whole = compiled(f, x).run((x,))
    counted = CountedThreads(compiled(f, x), fails)
    out, asked = counted.run((x,))
    assert asked == 7 * len(counted.executable.steps["segment0"])
    for a, b in zip(whole, out, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_memory_for_copies_of_results(eager_splits):
    x = RNG.normal(size=5000)
    executable = compiled(lambda x: wnp.sum(wnp.exp(x)), x)
    config.threads = 1
    (serial,) = executable.run((x,))
    refuse = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(lambda size: None)
    symbols = {"wengert.malloc": ctypes.cast(refuse, ctypes.c_void_p).value}
    executable.finish(load_object(executable.native.object_code, executable.names, symbols), from_cache=False)
    executable.entry = None
    config.threads = 8
    assert executable.run((x,)) == [serial]


def test_no_threads_on_this_platform(monkeypatch, eager_splits):
    monkeypatch.setattr(parallel, "thread_symbols", dict)
    x = RNG.normal(size=5000)
    executable = compiled(lambda x: wnp.exp(x), x)
    assert not is_split(executable)
    np.testing.assert_allclose(executable.run((x,))[0], np.exp(x))


def test_split_programs_release_the_interpreter_lock():
    for n in (40_000, 80_000, 160_000):
        x = RNG.uniform(size=n)
        executable = compiled(lambda x: wnp.arcsin(x) + wnp.arccos(x) + wnp.arctan(x) + wnp.sinh(x) + wnp.cbrt(x), x)
        assert not is_split(executable) or executable.work > generated._SHORT_WORK


def test_calls_from_several_python_threads(eager_splits):
    x = RNG.normal(size=(300, 40))
    f = w.jit(w.value_and_grad(lambda x: wnp.sum(wnp.sin(x) * wnp.sum(x, axis=0)) + wnp.prod(wnp.cos(x[0]))))
    config.threads = 3
    inputs = [x + i for i in range(8)]
    expected = [f(a) for a in inputs]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            for (value, gradient), (v, g) in zip(pool.map(f, inputs), expected, strict=True):
                assert value == v
                np.testing.assert_array_equal(gradient, g)


def test_changes_of_the_setting_while_others_call(eager_splits):
    x = RNG.integers(0, 100, size=20_000)
    f = w.jit(lambda x: wnp.sum(x * 3))
    f(x)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(f, x) for _ in range(200)]
        for count in range(200):
            config.threads = count % 9 + 1
        assert {int(future.result()) for future in futures} == {int(3 * x.sum())}


def test_jit_and_threads_of_derivatives():
    x = RNG.normal(size=300_000)
    f = lambda x: wnp.sum(wnp.tanh(x) * wnp.exp(-x * x) + wnp.log1p(x * x))
    jitted = w.jit(w.value_and_grad(f))
    value, gradient = w.value_and_grad(f)(x)
    for count in (2, 1, 3):
        config.threads = count
        for _ in range(2):
            v, g = jitted(x)
            np.testing.assert_allclose(v, value, rtol=1e-11)
            np.testing.assert_allclose(g, gradient, rtol=1e-11, atol=1e-14)


def test_an_exception_after_a_split_loop():
    x = RNG.normal(size=500_000)
    f = w.jit(lambda x: wnp.sum(wnp.exp(wnp.sin(x))))
    first = f(x)
    with pytest.raises(w.errors.WengertError):
        f("no number")
    with pytest.raises(TypeError):
        f(x, x)
    assert f(x) == first


AFTER_FORK = """
import os, sys, warnings
import numpy as np, wengert as w, wengert.numpy as wnp
warnings.simplefilter("ignore", DeprecationWarning)
x = np.linspace(0, 1, 400_000)
f = w.jit(lambda x: wnp.sum(wnp.exp(wnp.sin(x))))
before = f(x)
child = os.fork()
if child == 0:
    os._exit(0 if f(x) == before and w.jit(lambda x: wnp.sum(wnp.exp(x)))(x) > 0 else 1)
assert os.waitpid(child, 0)[1] == 0
assert f(x) == before
print(before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_after_a_split_loop():
    run = [sys.executable, "-W", "error::RuntimeWarning", "-c", AFTER_FORK]
    environment = os.environ | {"WENGERT_CACHE": "0"}
    outputs = [
        subprocess.run(run, env=environment | {"WENGERT_NUM_THREADS": n}, capture_output=True, text=True, timeout=60)
        for n in ("1", "4", "4")
    ]
    assert all(out.returncode == 0 for out in outputs), [out.stderr for out in outputs]
    sums = [float(re.findall(r"[0-9.]+", out.stdout)[0]) for out in outputs]
    assert sums[1] == sums[2] == pytest.approx(sums[0], rel=1e-12)


def test_the_setting():
    address = config.threads_address()
    cell = ctypes.c_int32.from_address(address)
    for count in (5, 1, 10**12):
        config.threads = count
        assert cell.value == min(count, 2**31 - 1)
    with pytest.raises(ValueError, match="threads"):
        config.threads = 0
    assert cell.value == 2**31 - 1
    del config.threads
    assert cell.value == config.threads
    config.threads = 2  # for the fixture to delete
    assert config.threads_address() == address
