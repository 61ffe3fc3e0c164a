"""The callables that `make_entry` makes of machine code: arguments, results, references, memory, threads."""

import ctypes
import functools
import gc
import itertools
import pickle
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from wengert.compiler import entry, fast_entry
from wengert.compiler.entry import CheckedCall, SignatureMismatch, make_entry
from wengert.compiler.native import compile_module
from wengert.core.values import ArrayType

CODES = "?bhilBHILqQfdFD"
SHAPES = [(), (0,), (1,), (5,), (2, 3), (2, 0, 3), (1, 1, 1, 1), (2, 1, 3, 2, 2)]
WAYS = ["fast", "checked"] if fast_entry.objects_are_as_expected() else ["checked"]


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


def type_of(shape=(), code="d"):
    return ArrayType(shape, np.dtype(code))


def size_of(t):
    return int(np.prod(t.shape)) * t.dtype.itemsize


@functools.cache
def copying_code(sizes, status=False):
    """A kernel that copies each input to the output of the same number; if wanted, the first one to the status, too."""
    n = len(sizes)
    lines = ["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)", "define void @kernel(ptr %buffers) {"]
    for i, size in enumerate(sizes):
        for name, place in (("in", i), ("out", i + n)):
            lines += [
                f"%{name}.at{i} = getelementptr ptr, ptr %buffers, i64 {place}",
                f"%{name}{i} = load ptr, ptr %{name}.at{i}",
            ]
        lines.append(f"call void @llvm.memcpy.p0.p0.i64(ptr %out{i}, ptr %in{i}, i64 {size}, i1 false)")
    if status:
        lines += [
            f"%status.at = getelementptr ptr, ptr %buffers, i64 {2 * n + 1}",
            "%status = load ptr, ptr %status.at",
            "%first = load i64, ptr %in0",
            "store i64 %first, ptr %status",
        ]
    return compile_module("\n".join([*lines, "ret void", "}"]), ["kernel"])


def copying(types, way, status=False, **options) -> Any:
    code = copying_code(tuple(map(size_of, types)), status)
    options.setdefault("keep_alive", code)
    return make_entry(code.address("kernel"), types, types, name="copy", fast=way == "fast", **options)


def from_python(function, ins, outs, way, **options):
    """An entry whose kernel is a Python function of the addresses of the buffers."""
    n = len(ins) + len(outs) + 1
    kernel = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_void_p))(lambda buffers: function(*buffers[:n]))
    address = ctypes.cast(kernel, ctypes.c_void_p).value
    return make_entry(address, ins, outs, name="python", keep_alive=kernel, fast=way == "fast", **options)


def sample(t, seed=0):
    rng = np.random.default_rng(seed)
    if t.dtype.kind == "b":
        return rng.integers(0, 2, t.shape).astype(t.dtype)
    x = rng.integers(1, 100, t.shape)
    return np.asarray(x + 0.5j * x if t.dtype.kind == "c" else x / 4 if t.dtype.kind == "f" else x).astype(t.dtype)


def assert_same(result, expected, t):
    """Type, dtype and bits are those of NumPy's result, which `expected` has the values of."""
    if t.shape == ():
        assert type(result) is np.dtype(f"{t.dtype.kind}{t.dtype.itemsize}").type
    else:
        assert type(result) is np.ndarray
        assert result.dtype == t.dtype
        assert result.dtype.isnative
        assert result.shape == t.shape
        assert result.flags.c_contiguous
        assert result.flags.owndata
        assert result.flags.writeable
    assert np.asarray(result).tobytes() == np.ascontiguousarray(expected).astype(t.dtype).tobytes()


@pytest.fixture
def only_fast(monkeypatch):
    """Make calls fail that the C function does not answer by itself."""

    def fail(self, *args, **kwargs):
        raise AssertionError("the C function gave up")

    return lambda: monkeypatch.setattr(CheckedCall, "__call__", fail)


# Arguments and results -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_types(code, shape, way, only_fast):
    t = type_of(shape, code)
    x = sample(t)
    f = copying([t], way)
    if way == "fast" and code not in "qQ":
        only_fast()
    assert_same(f(x), x, t)
    assert not np.shares_memory(f(x), x)
    if shape == ():
        assert_same(f(x[()]), x, t)


def test_the_fast_way_exists():
    # On the Pythons of CI, that is; elsewhere the checked calls do.
    assert (fast_entry.fast_entry() is not None) == fast_entry.objects_are_as_expected()
    if sys.implementation.name == "cpython" and not hasattr(sys, "gettotalrefcount") and sys.version_info < (3, 14):
        assert isinstance(copying([type_of()], "fast"), type(len))


@pytest.mark.parametrize("codes", ["", "d", "dd", "?d", "?" * 3, "dlFfhD?"])
def test_number_of_results(codes, way, only_fast):
    types = [type_of((), c) if i % 2 else type_of((i,), c) for i, c in enumerate(codes)]
    args = [sample(t, i) for i, t in enumerate(types)]
    f = copying(types, way)
    if way == "fast":
        only_fast()
    results = f(*args)
    if len(types) == 1:
        results = (results,)
    assert type(results) is tuple
    assert len(results) == len(types)
    for r, x, t in zip(results, args, types, strict=True):
        assert_same(r, x, t)


def test_very_many_leaves(way):
    types = [type_of()] * 700
    assert copying(types, way)(*map(float, range(700))) == tuple(map(float, range(700)))


class Sub(np.ndarray):
    pass


def unaligned(x):
    memory = np.zeros(x.nbytes + 1, np.uint8)
    y = memory[1:].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def readonly(x):
    y = x.copy()
    y.flags.writeable = False
    return y


def strided(x):
    y = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)[..., ::2]
    y[...] = x
    return y


UNUSUAL = {
    "strided": strided,
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1],
    "Fortran": lambda x: np.asfortranarray(x),
    "transposed": lambda x: np.ascontiguousarray(x.T).T,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "big-endian, strided": lambda x: strided(x.astype(x.dtype.newbyteorder(">"))),
    "unaligned": unaligned,
    "read-only": readonly,
    "subclass": lambda x: x.view(Sub),
    "subclass, strided": lambda x: strided(x).view(Sub),
    "metadata": lambda x: x.astype(np.dtype(x.dtype, metadata={"unit": "m"})),
    "long long": lambda x: x.astype("q") if x.dtype == np.int64 else x,
}


@pytest.mark.parametrize("unusual", UNUSUAL)
@pytest.mark.parametrize("code", "?hldfFD")
def test_unusual_arrays(unusual, code, way):
    for shape in [(4,), (3, 4), (2, 3, 1)]:
        t = type_of(shape, code)
        x = sample(t)
        y = UNUSUAL[unusual](x)
        before = y.tobytes()
        assert_same(copying([t], way)(y), x, t)
        assert y.tobytes() == before


@pytest.mark.parametrize("unusual", UNUSUAL)
def test_kernels_get_aligned_data(unusual, way):
    addresses = []
    t = type_of((3, 4))
    f = from_python(lambda x, out, _: addresses.extend([x, out]), [t], [t], way)
    f(UNUSUAL[unusual](sample(t)))
    assert len(addresses) == 2
    assert all(a % t.dtype.alignment == 0 for a in addresses)


def test_broadcast_array(way):
    t = type_of((3, 4))
    x = np.broadcast_to(np.arange(4.0), (3, 4))
    assert_same(copying([t], way)(x), x, t)


def test_random_layouts(way):
    rng = np.random.default_rng(7)
    entries = {}
    for _ in range(300):
        shape = tuple(rng.integers(0, 4, rng.integers(0, 4)))
        t = type_of(tuple(map(int, shape)), rng.choice(list(CODES)))
        steps = rng.choice([-2, -1, 1, 1, 2], len(shape))
        x = np.zeros([int(n * abs(s)) for n, s in zip(shape, steps, strict=True)], t.dtype)
        x = np.asarray(x[tuple(slice(None, None, int(s)) for s in steps)])
        x[...] = sample(t, int(rng.integers(100)))
        order = rng.permutation(len(shape))
        x = np.ascontiguousarray(x.transpose(order)).reshape([shape[i] for i in order]).transpose(np.argsort(order))
        if rng.integers(3) == 0:
            x = x.astype(x.dtype.newbyteorder("S"))
        f = entries.setdefault(t, None) or copying([t], way)
        entries[t] = f
        assert_same(f(x), x, t)


NUMBERS = {
    "d": [1.5, -0.0, float("inf"), np.float64(2.5), np.array(2.5), np.array(2.5, ">f8")],
    "l": [3, -(2**63), 2**63 - 1, 0, np.int64(5), np.longlong(5)],
    "?": [True, False, np.True_, np.False_, np.array(True)],
    "D": [1 + 2j, complex("nan"), np.complex128(1j)],
    "f": [np.float32(0.1)],
    "F": [np.complex64(0.1j)],
    "b": [np.int8(-3)],
    "L": [np.uint64(2**64 - 1)],
}


@pytest.mark.parametrize("code", NUMBERS)
def test_numbers(code, way, only_fast):
    t = type_of((), code)
    f = copying([t], way)
    for x in NUMBERS[code]:
        assert_same(f(x), np.asarray(x), t)
    if way == "fast":
        only_fast()
        assert_same(f(NUMBERS[code][0]), np.asarray(NUMBERS[code][0]), t)


class Float(float):
    pass


class Int(int):
    pass


def test_subclasses_of_numbers(way):
    assert_same(copying([type_of()], way)(Float(1.5)), np.asarray(1.5), type_of())
    assert_same(copying([type_of((), "l")], way)(Int(3)), np.asarray(3), type_of((), "l"))


WRONG_NUMBERS = {
    "d": [1, True, 1j, np.float32(1), np.int64(1), np.float16(1), np.longdouble(1)],
    "l": [1.0, True, 2**63, -(2**63) - 1, 2**200, np.int32(1), np.uint64(1)],
    "?": [0, 1, 1.0, np.int8(1)],
    "D": [1.0, 1, np.complex64(1)],
    "f": [1.0, np.float64(1)],
    "b": [1],
    "L": [1],
}


@pytest.mark.parametrize("code", WRONG_NUMBERS)
def test_numbers_of_another_type(code, way):
    f = copying([type_of((), code)], way)
    for x in WRONG_NUMBERS[code]:
        with pytest.raises(SignatureMismatch, match=r"compiled for .*argument 0 is"):
            f(x)


@pytest.mark.parametrize(
    "args",
    [
        (),
        (np.zeros(3),),
        (np.zeros(3), 1.0, 2.0),
        (np.zeros(4), 1.0),
        (np.zeros((3, 1)), 1.0),
        (np.zeros(()), 1.0),
        (1.0, 1.0),
        (np.float64(1), 1.0),
        (np.zeros(3, "f"), 1.0),
        (np.zeros(3, ">f4"), 1.0),
        (np.zeros(3, "l"), 1.0),
        (np.zeros(3, "F"), 1.0),
        (np.zeros(3, "O"), 1.0),
        (np.zeros(3, "S8"), 1.0),
        (np.zeros(3, "M8[s]"), 1.0),
        (np.zeros(3, "d,d"), 1.0),
        ([1.0, 2.0, 3.0], 1.0),
        (None, 1.0),
        ("abc", 1.0),
        (np.zeros(3), np.zeros(1)),
        (np.zeros(3), None),
        (np.zeros(3), "1"),
        (np.zeros(3), [1.0]),
    ],
    ids=repr,
)
def test_other_signatures(args, way):
    types = [type_of((3,)), type_of()]
    with pytest.raises(SignatureMismatch, match=r"copy was compiled for \(float64\[3\], float64\[\]\)"):
        copying(types, way)(*args)
    seen = []
    f = copying(types, way, mismatch=lambda *args, **kwargs: seen.append((args, kwargs)) or "another program")
    assert f(*args) == "another program"
    assert len(seen[0][0]) == len(args)
    assert all(a is b for a, b in zip(seen[0][0], args, strict=True))
    assert seen[0][1] == {}


def test_keyword_arguments(way):
    f = copying([type_of()], way)
    with pytest.raises(SignatureMismatch, match="without keyword arguments, and was called with x"):
        f(x=1.0)
    f = copying([type_of()], way, mismatch=lambda *args, **kwargs: (args, kwargs))
    assert f(1.0, y=2) == ((1.0,), {"y": 2})


def test_exceptions_of_the_mismatch_function(way):
    def mismatch(*args):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        copying([type_of()], way, mismatch=mismatch)("x")


@pytest.mark.parametrize("dtype", [">f8", "O", "S3", "M8[s]", "d,d"])
def test_types_without_machine_form(dtype):
    with pytest.raises(TypeError):
        make_entry(1, [type_of((), dtype)], [])
    with pytest.raises(TypeError):
        make_entry(1, [], [type_of((), dtype)])


def test_results_are_new(way):
    x = np.arange(3.0)
    f = copying([type_of((3,))] * 2, way)
    a, b = f(x, x)
    c, _ = f(x, x)
    assert not any(np.shares_memory(p, q) for p, q in itertools.combinations([x, a, b, c], 2))
    a[:] = 7
    assert x.tolist() == b.tolist() == c.tolist() == [0, 1, 2]


# Workspace, exceptions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 63, 64, 1000, 8192, 8193, 10**6])
def test_workspace(size, way):
    seen = []

    def kernel(x, out, workspace):
        seen.append(workspace)
        if workspace:
            ctypes.memset(workspace, 255, size)
        ctypes.memmove(out, x, 24)

    f = from_python(kernel, [type_of((3,))], [type_of((3,))], way, workspace_bytes=size)
    x = np.arange(3.0)
    for _ in range(5):
        assert_same(f(x), x, type_of((3,)))
    if size:
        assert all(w and w % 64 == 0 for w in seen)
    else:
        assert seen == [None] * 5


@pytest.mark.parametrize("release", [False, True])
def test_problems_in_the_kernel(way, release):
    def problem(status):
        if status > 0:
            raise ValueError(f"status {status}")

    types = [type_of((), "q"), type_of((3,)), type_of(), type_of((), "?")]
    f = copying(types, way, status=True, problem=problem, release_gil=release, workspace_bytes=10**5)
    args = np.arange(3.0), 1.5, True
    for _ in range(100):
        assert f(0, *args)[2:] == (1.5, True)
        assert f(-7, *args)[2:] == (1.5, True)
        with pytest.raises(ValueError, match="status 7654321"):
            f(7654321, *args)


def test_a_problem_that_nobody_explains(way):
    with pytest.raises(RuntimeError, match="status 3"):
        copying([type_of((), "q")], way, status=True)(3)


@pytest.mark.parametrize("outs", [[(), (3,), (2**59,)], [(2**59,)], [(3,), (2**58, 2), ()]])
def test_results_too_large_for_the_memory(outs, way):
    ran = []
    f = from_python(lambda *_: ran.append(1), [type_of()], [type_of(s) for s in outs], way)
    for _ in range(100):
        with pytest.raises(MemoryError):
            f(1.0)
    assert not ran


def test_workspace_too_large_for_the_memory(way):
    ran = []
    f = from_python(lambda *_: ran.append(1), [], [type_of((3,)), type_of((), "?")], way, workspace_bytes=2**60)
    for _ in range(100):
        with pytest.raises(MemoryError):
            f()
    assert not ran


# References and memory ----------------------------------------------------------------------------------------------


def counts(objects):
    return [sys.getrefcount(o) for o in objects]


def test_reference_counts(way):
    types = [type_of((), "q"), type_of((3,)), type_of(), type_of((), "?"), type_of((2,), "F")]

    def problem(status):
        raise ValueError(status)

    f = copying(types, way, status=True, problem=problem)
    args = [0, np.arange(3.0), 1.25, True, np.ones(2, "F")]
    large = from_python(lambda *_: None, types, [*types, type_of((2**59,))], way)
    watched = [*args, f, large, problem, np.True_, np.False_, None, np.ndarray, np.float64, *(t.dtype for t in types)]

    def use():
        for _ in range(200):
            assert len(f(*args)) == 5
            with pytest.raises(SignatureMismatch):
                f(1.0, 2.0)
            with pytest.raises(MemoryError):
                large(*args)
            with pytest.raises(ValueError, match="12345"):
                f(12345, *args[1:])

    use()  # fills caches
    gc.collect()
    before = counts(watched)
    use()
    gc.collect()
    # Other threads of a test run may hold None and the like for a moment: a leak would be hundreds.
    assert max(abs(a - b) for a, b in zip(counts(watched), before, strict=True)) < 50
    assert counts(watched)[:2] == before[:2]
    assert [sys.getrefcount(r) for r in f(*args)[1:2]] == [sys.getrefcount(r) for r in (np.arange(3.0), 0)[:1]]


def test_no_leak_in_calls(way):
    types = [type_of((3,)), type_of(), type_of((), "?")]
    f = copying(types, way, workspace_bytes=10**5)
    args = np.arange(3.0), 1.5, True
    strided_args = (np.arange(6.0)[::2], *args[1:])

    def use(n):
        for _ in range(n):
            f(*args)
        for _ in range(n // 20):
            f(*strided_args)

    use(1000)
    tracemalloc.start()
    try:
        use(2000)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        use(100_000 if way == "fast" else 2000)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 15_000  # the smallest leak would be 32 bytes a call
    finally:
        tracemalloc.stop()


class Kept:
    pass


def test_lifetime(way):
    kept = Kept()
    gone = weakref.ref(kept)
    f = copying([type_of()], way, keep_alive=(kept, copying_code((8,))))
    del kept
    gc.collect()
    assert gone() is not None
    if way == "fast":
        assert f.__name__ == "copy"
        assert repr(f).startswith("<built-in method copy")
    g = f
    del f
    assert g(2.5) == 2.5
    del g
    assert gone() is None


def test_no_leak_in_entries(way):
    def make():
        code = compile_module("define void @kernel(ptr %buffers) { ret void }", ["kernel"])
        f = make_entry(code.address("kernel"), [type_of()] * 3, [type_of((2,))], fast=way == "fast", keep_alive=code)
        f(1.0, 2.0, 3.0)
        return weakref.ref(code)

    assert all(make()() is None for _ in range(20))


def test_cycles_are_collected_and_safe(way):
    """A finaliser in the same garbage as the callable still can call it."""
    results = []

    class Finalised:
        """Like `NativeModule`, frees its memory when it is collected."""

        def __init__(self):
            self.freed = False

        def __del__(self):
            self.freed = True
            results.append("freed")

    class Model:
        f: Any = None

        def __del__(self):
            results.append(self.f(np.arange(3.0)).tolist())

    def make():
        # Finalisers run in the order of creation, or the other way round: one object before, one after.
        before, kept, after = Model(), Finalised(), Model()
        f = copying(
            [type_of((3,))],
            way,
            keep_alive=(kept, copying_code((24,))),
            mismatch=lambda *_: (before, after),
            problem=lambda status: before and None,
        )
        before.f = after.f = f

    make()
    assert results == []
    gc.collect()
    assert results == [[0, 1, 2], [0, 1, 2], "freed"]


def test_the_collector_does_not_see_the_code(way):
    code = copying_code((8,))
    f = copying([type_of()], way, keep_alive=code)
    kept = f.__self__.kept if way == "fast" else f.kept
    assert not gc.is_tracked(kept)
    assert kept.base.objects[0] is code
    assert not any(o is kept.base for o in gc.get_referents(kept))


def test_code_is_not_pickled(way):
    with pytest.raises((TypeError, ValueError, AttributeError, pickle.PicklingError)):
        pickle.dumps(copying([type_of()], way))


# Threads, processes --------------------------------------------------------------------------------------------------

# Waits, for some seconds at most, until the input is not 0 any more, and returns it.
WAITING = """
define void @kernel(ptr %buffers) {
start:
  %in = load ptr, ptr %buffers
  %out.at = getelementptr ptr, ptr %buffers, i64 1
  %out = load ptr, ptr %out.at
  br label %wait
wait:
  %i = phi i64 [ 0, %start ], [ %next, %wait ]
  %next = add i64 %i, 1
  %value = load volatile i64, ptr %in
  %ready = icmp ne i64 %value, 0
  %late = icmp eq i64 %i, 10000000000
  %end = or i1 %ready, %late
  br i1 %end, label %done, label %wait
done:
  store i64 %value, ptr %out
  ret void
}
"""


def test_deleted_while_it_runs_without_the_lock(way):
    def make():
        code = compile_module(WAITING, ["kernel"])
        types = [type_of((1,), "l")]
        return make_entry(
            code.address("kernel"),
            types,
            types,
            release_gil=True,
            keep_alive=code,
            fast=way == "fast",
            workspace_bytes=9000,
        )

    x = np.zeros(1, "l")
    results = []
    functions = [make()]
    started = threading.Event()

    def call():
        f = functions[0]
        started.set()
        result = f(x)
        del f
        results.append(result)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for t in threads:
        t.start()
        started.wait()
    functions[0] = None
    gc.collect()
    # This line only runs while the kernel does if that released the interpreter lock.
    x[0] = 42
    for t in threads:
        t.join()
    assert [r.tolist() for r in results] == [[42]] * 3


@pytest.mark.parametrize("release", [False, True])
def test_calls_from_many_threads(way, release):
    types = [type_of((50,)), type_of()]
    f = copying(types, way, release_gil=release, workspace_bytes=500)
    failures = []

    def work(seed):
        x = np.arange(50.0) + seed
        for i in range(300):
            a, b = f(x if i % 3 else strided(x), float(seed))
            if not (np.array_equal(a, x) and b == seed):
                failures.append(seed)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert not failures


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_fork_and_exit():
    script = """
        import os, sys, threading, warnings
        import numpy as np
        from wengert.compiler.entry import make_entry
        from wengert.compiler.native import compile_module
        from wengert.core.values import ArrayType

        warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads: what is tested
        code = compile_module('''
            define void @kernel(ptr %b) {
              %in = load ptr, ptr %b
              %at = getelementptr ptr, ptr %b, i64 1
              %out = load ptr, ptr %at
              %x = load double, ptr %in
              %y = fadd double %x, 1.0
              store double %y, ptr %out
              ret void
            }''', ["kernel"])
        types = [ArrayType((), np.dtype(float))]
        f = make_entry(code.address("kernel"), types, types, keep_alive=code, release_gil=True)
        del code
        stop = []
        def work():
            while not stop:
                assert f(1.0) == 2.0
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        for _ in range(5):
            child = os.fork()
            if child == 0:
                assert f(2.0) == 3.0
                g = make_entry(int(f.__self__.context[0]), types, types) if hasattr(f, "__self__") else f
                assert g(3.0) == 4.0
                del g
                os._exit(5)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
        stop.append(1)
        thread.join()

        # A thread that still calls when the interpreter goes away.
        late = []
        threading.Thread(target=lambda: late.append(1) or [f(1.0) for _ in range(10**9)], daemon=True).start()
        while not late:
            pass

        class Late:
            def __del__(self, f=f, write=os.write):
                write(1, f"{f(41.0)}".encode())
        sys.late = Late()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"42.0", b"")


# Where the C function cannot be used ---------------------------------------------------------------------------------


def test_other_layouts_are_noticed(monkeypatch):
    with monkeypatch.context() as m:
        m.setattr(fast_entry, "_NUMBER_OFFSET", 32)  # as in a free-threaded Python
        assert not fast_entry.objects_are_as_expected()
    with monkeypatch.context() as m:
        m.setattr(np, "__version__", "3.0.0")
        assert not fast_entry.objects_are_as_expected()
    with monkeypatch.context() as m:
        m.setattr(sys, "maxsize", 2**31 - 1)
        assert not fast_entry.objects_are_as_expected()
    with monkeypatch.context() as m:
        m.setattr(entry, "fast_entry", lambda: None)
        f = copying([type_of((3,))], "fast")
        assert isinstance(f, CheckedCall)
        assert repr(f) == "<compiled function copy>"
        assert f(np.arange(3.0)).tolist() == [0, 1, 2]
