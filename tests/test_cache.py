"""The cache of machine code: found again by other functions and processes, never trusted blindly, never in the way."""

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import wengert
from wengert import config, grad, jit, vmap
from wengert.compiler import cache
from wengert.compiler.record import program
from wengert.core.combinators import Elementwise
from wengert.core.primitive import PRIMITIVE_BY_NAME
from wengert.core.program import Operation, Program
from wengert.numpy.dispatch import call
from wengert.scipy import signal

TABLE = np.linspace(0.0, 1.0, 20_000)
MATRIX = np.linspace(-1.0, 1.0, 300 * 40).reshape(300, 40)


def unrolled(x):
    return np.sum(np.sin(x[:5]) * np.arange(5.0))


def loops_with_constant(x):
    return np.sum(np.tanh(x) * TABLE)


def blas_with_constant(x):
    return np.tanh(x[:300] @ MATRIX)


def numpy_in_between(x):
    return np.cumprod(signal.lfilter([0.5], [1.0, -0.5], np.cos(x))[:2000] + TABLE[:2000]) * 2


def mapped(x):
    return vmap(grad(lambda r: np.sum(np.exp(r) * r * np.arange(4.0))))(x.reshape(5000, 4))


def stored_first(x):
    return np.concatenate([x, np.sin(x)])[::3] * 2  # the loop cannot be cut at the seam: the whole has to be stored


FUNCTIONS = [unrolled, loops_with_constant, blas_with_constant, numpy_in_between, mapped, stored_first]
X = np.linspace(-0.5, 0.7, 20_000)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "cache"
    monkeypatch.setattr(config, "cache_directory", path)
    return path


def files(folder):
    return sorted(folder.glob("*.code"))


# What is found again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fun", FUNCTIONS)
def test_found_again(folder, fun):
    first = jit(fun)
    assert not first.inspect(X).from_cache
    expected = first(X)
    again = jit(lambda x: fun(x))  # the same program under another name
    report = again.inspect(X)
    assert report.from_cache
    assert not {"write", "optimise", "emit"} & report.timings.keys()
    np.testing.assert_array_equal(again(X), expected, strict=True)
    np.testing.assert_allclose(expected, fun(X), rtol=1e-12, atol=1e-14)


def test_stored_variables_are_remembered(folder):
    jit(stored_first)(X)
    saved = [cache._unpack(f.read_bytes(), f.stem) for f in files(folder)]
    assert any(s is not None and s.stored for s in saved)


def test_same_program_with_other_constants(folder):
    results = [jit(lambda x, c=c: np.sum(x * c))(X) for c in (TABLE, TABLE + 1)]
    assert results[0] != results[1]
    np.testing.assert_allclose(results, [np.sum(X * TABLE), np.sum(X * (TABLE + 1))])


SECOND_PROCESS = """
import sys
import numpy as np
sys.path.insert(0, {root!r})
from tests import test_cache as t
from wengert import jit
from wengert.compiler import native
if sys.argv[1] == "warm":
    def optimise(*args):
        raise AssertionError("LLVM was asked to optimise")
    native.optimise = optimise
for fun in t.FUNCTIONS:
    f = jit(fun)
    assert f.inspect(t.X).from_cache == (sys.argv[1] == "warm"), fun
    np.testing.assert_allclose(f(t.X), fun(t.X), rtol=1e-12, atol=1e-14)
print("done")
"""


def run(code, *args, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_second_process_does_not_optimise(tmp_path):
    code = SECOND_PROCESS.format(root=os.path.dirname(os.path.dirname(__file__)))
    for state in ("cold", "warm"):
        process = run(code, state, WENGERT_CACHE=str(tmp_path / "c"))
        output, errors = process.communicate(timeout=100)
        assert output == "done\n", errors


# Keys ----------------------------------------------------------------------------------------------------------------


def test_keys(folder):
    def key(f, *args):
        return cache.program_key(program(f)(*args))

    three = np.zeros(3)
    assert key(lambda x: np.sin(x), three) == key(np.sin, three) != key(np.cos, three)
    assert key(np.sin, three) != key(np.sin, np.zeros(4)) != key(np.sin, np.zeros(3, np.float32))
    assert key(lambda x: x * 0.0, three) != key(lambda x: x * -0.0, three)
    assert key(lambda x: x * 2, three) != key(lambda x: x * 2.0, three)
    inner = [key(vmap(lambda r, c=c: np.sin(r) * c), np.zeros((2, 3))) for c in (np.arange(3.0), np.arange(3.0) + 1)]
    assert inner[0] != inner[1]
    long = [key(lambda x, i=i: x[np.append(np.zeros(2000, int), i)], three) for i in (0, 1)]
    assert long[0] != long[1]


def test_what_only_this_process_knows_is_not_kept(folder):
    p = program(np.sin)(np.zeros(3))
    (op,) = p.operations
    with_function = Operation(op.primitive, op.inputs, {"key": lambda: 0}, op.outputs)
    assert cache.program_key(p) is not None
    assert cache.program_key(Program("p", p.inputs, (), [with_function], p.outputs)) is None


def test_primitives_of_users_do_not_pass_for_ours(folder):
    ours = PRIMITIVE_BY_NAME["sin"]
    theirs = Elementwise(lambda x: x + 1, 1, name="sin")
    assert ours.is_own
    assert PRIMITIVE_BY_NAME["sum"].is_own  # declared in the core
    assert not theirs.is_own
    programs = [program(lambda x, p=p: np.cos(call(p, x)))(X) for p in (ours, theirs)]
    assert str(programs[0]) == str(programs[1])
    assert cache.program_key(programs[0]) != cache.program_key(programs[1])


def test_functions_of_complex_numbers_are_told_apart(folder):
    z = np.linspace(0.1, 1.0, 200) * (1 + 2j)
    for f in (np.sin, np.cos, np.log):
        np.testing.assert_allclose(jit(f)(z), f(z), rtol=1e-14)


SPECIAL = """
import scipy.special, wengert, wengert.{module}
from wengert.compiler import cache
print(cache.program_key(wengert.program(lambda x: scipy.special.erf(x) * scipy.special.kv(1.5, x))(0.5)))
"""


def test_keys_do_not_depend_on_what_is_imported(folder):
    runs = [run(SPECIAL.format(module=m), WENGERT_CACHE=str(folder)) for m in ("optim", "scipy.ndimage", "numpy")]
    keys = []
    for process in runs:
        out, problems = process.communicate()
        assert process.returncode == 0, problems
        keys.append(out)
    assert len(set(keys)) == 1
    assert "None" not in keys[0]


def test_program_keys_tell_inner_constants_apart():
    def of(c):
        return program(vmap(lambda r: np.sin(r) * c))(np.zeros((2, 3)))

    assert of(np.arange(3.0)) == of(np.arange(3.0)) != of(np.arange(3.0) + 1)
    both = jit(lambda x: [vmap(lambda r, c=c: np.sin(r) * c)(x) for c in (np.arange(3.0), np.arange(3.0) + 1)])
    x = np.ones((2, 3))
    np.testing.assert_allclose(both(x), [np.sin(x) * np.arange(3.0), np.sin(x) * (np.arange(3.0) + 1)])


# Files that are not what they should be ------------------------------------------------------------------------------


def overwrite(change):
    return lambda path, other: path.write_bytes(bytes(change(bytearray(path.read_bytes()))))


def flip(position):
    def change(content):
        content[position] ^= 0x40
        return content

    return change


def special(make):
    def damage(path, other):
        path.unlink()
        make(path)

    return damage


DAMAGE = {
    "empty": overwrite(lambda b: b""),
    "head only": overwrite(lambda b: b[:50]),
    "truncated": overwrite(lambda b: b[:-1]),
    "longer": overwrite(lambda b: b + b"\0"),
    **{f"flip {i}": overwrite(flip(i)) for i in (0, 8, 12, 50, 75, 80, 200, -1)},
    "foreign": overwrite(lambda b: b"\x7fELF" + b[4:]),
    "of another program": lambda path, other: path.write_bytes(other.read_bytes()),
    "others may write": lambda path, other: path.chmod(0o666),
    "directory": special(lambda path: path.mkdir()),
    "dangling link": special(lambda path: path.symlink_to("nowhere")),
    "pipe": special(os.mkfifo if hasattr(os, "mkfifo") else os.mkdir),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.skipif(os.name != "posix", reason="makes links and pipes")
def test_damaged_file(folder, name):
    jit(unrolled)(X)
    path = folder / f"{cache.program_key(jit(unrolled).inspect(X).simplified)}.code"
    assert cache.lookup(path.stem) is not None
    jit(lambda x: unrolled(x) + 1)(X)
    other = next(f for f in files(folder) if f != path)
    DAMAGE[name](path, other)
    assert cache.lookup(path.stem) is None
    f = jit(unrolled)
    assert not f.inspect(X).from_cache
    np.testing.assert_allclose(f(X), unrolled(X))
    if path.is_file():  # it was replaced by a right one
        assert jit(unrolled).inspect(X).from_cache


def test_right_file_that_does_not_link(folder):
    """As from a computer with other libraries."""
    f = jit(unrolled)
    f(X)
    key = cache.program_key(f.inspect(X).simplified)
    cache.store(key, cache.Saved(b"no object code", ()))
    again = jit(unrolled)
    assert not again.inspect(X).from_cache
    np.testing.assert_allclose(again(X), unrolled(X))
    assert jit(unrolled).inspect(X).from_cache


# A folder that cannot be used ----------------------------------------------------------------------------------------


def test_folder_is_a_file(folder):
    folder.write_text("mine")
    np.testing.assert_allclose(jit(unrolled)(X), unrolled(X))
    assert folder.read_text() == "mine"


def test_folder_that_cannot_exist(folder, monkeypatch):
    for path in ("/proc/none/such", "a\0b", "x" * 5000):
        monkeypatch.setattr(config, "cache_directory", path)
        np.testing.assert_allclose(jit(unrolled)(X), unrolled(X))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize("function", ["open", "fdopen", "scandir"])
def test_the_system_refuses(folder, monkeypatch, function, number):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as m:
        m.setattr(cache.os, function, refuse)
        np.testing.assert_allclose(jit(unrolled)(X), unrolled(X))


def test_full_disk_leaves_nothing(folder, monkeypatch):
    class Full:
        def __init__(self, descriptor, mode):
            self.descriptor = descriptor

        def __enter__(self):
            return self

        def __exit__(self, *error):
            os.close(self.descriptor)

        def write(self, content):
            os.write(self.descriptor, content[:100])
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(cache.os, "fdopen", Full)
    np.testing.assert_allclose(jit(unrolled)(X), unrolled(X))
    assert list(folder.iterdir()) == []


def test_interrupt_leaves_nothing(folder, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        jit(unrolled)(X)
    assert list(folder.iterdir()) == []


# Size ----------------------------------------------------------------------------------------------------------------


def make_files(folder, count, size=1000):
    folder.mkdir()
    for i in range(count):
        path = folder / f"{i:064x}.code"
        path.write_bytes(bytes(size))
        os.utime(path, (i, i))


def test_least_recently_used_go_first(folder):
    make_files(folder, 10)
    (folder / "mine.txt").write_bytes(bytes(5000))
    left_behind = folder / "a.1.b.part"
    left_behind.write_bytes(b"")
    os.utime(left_behind, (0, 0))
    (folder / "a.2.b.part").write_bytes(b"being written")
    assert cache.trim(folder, 10_000) == 10_000
    assert cache.trim(folder, 9_999) == 7_000
    assert [int(f.stem, 16) for f in files(folder)] == [3, 4, 5, 6, 7, 8, 9]
    assert {f.name for f in folder.iterdir() if f.suffix != ".code"} == {"mine.txt", "a.2.b.part"}


def test_use_counts(folder):
    jit(unrolled)(X)
    for path in files(folder):
        os.utime(path, (0, 0))
    jit(unrolled).inspect(X)
    assert max(f.stat().st_mtime for f in files(folder)) > 1e9


def test_folder_stays_small(folder, monkeypatch):
    monkeypatch.setattr(config, "cache_bytes", 6000)
    for i in range(12):
        jit(lambda x, i=i: np.sum(x[:5]) * i)(X)
        assert sum(f.stat().st_size for f in files(folder)) <= 6000
    assert files(folder)
    monkeypatch.setattr(config, "cache_bytes", 100)
    before = files(folder)
    jit(unrolled)(X)  # too large to be kept
    assert set(files(folder)) <= set(before)


# Several at once -----------------------------------------------------------------------------------------------------

CROWD = """
import sys
import numpy as np
from wengert import config, jit
x = np.linspace(0, 1, 8)
config.cache_bytes = int(sys.argv[1])
for turn in range(3):
    for i in range(6):
        assert np.isclose(jit(lambda x: np.sum(np.sin(x)) * i)(x), np.sum(np.sin(x)) * i)
print("done")
"""


@pytest.mark.parametrize("limit", [10**8, 4000])
def test_processes(tmp_path, limit):
    processes = [run(CROWD, str(limit), WENGERT_CACHE=str(tmp_path)) for _ in range(3)]
    for process in processes:
        output, errors = process.communicate(timeout=100)
        assert output == "done\n", errors
    names = [f.name for f in tmp_path.iterdir()]
    assert names
    assert all(name.endswith(".code") for name in names)
    assert all(cache._unpack(f.read_bytes(), f.stem) is not None for f in files(tmp_path))


def test_threads_write_and_read_one_file(folder):
    key, wrong = "ab" * 32, []
    contents = [bytes([i]) * 50_000 for i in range(4)]

    def work(content):
        for _ in range(50):
            cache.store(key, cache.Saved(content, (1, 2)))
            saved = cache.lookup(key)
            if saved is None or saved.object_code not in contents or saved.stored != (1, 2):
                wrong.append(saved)

    with ThreadPoolExecutor(len(contents)) as threads:
        list(threads.map(work, contents))
    assert not wrong
    assert [f.name for f in folder.iterdir()] == [f"{key}.code"]


# Settings ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def defaults(monkeypatch):
    """Look the settings up again, in an environment without any."""
    for name in ("WENGERT_CACHE", "WENGERT_CACHE_BYTES", "WENGERT_NUM_THREADS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    before = {name: getattr(config, name) for name in ("threads", "cache_directory", "cache_bytes")}

    for name in before:
        vars(config).pop(name, None)
    yield monkeypatch
    for name, value in before.items():
        setattr(config, name, value)


def test_switched_off(folder, monkeypatch):
    monkeypatch.setattr(config, "cache_directory", None)
    np.testing.assert_allclose(jit(unrolled)(X), unrolled(X))
    assert not jit(unrolled).inspect(X).from_cache
    assert not folder.exists()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG directories")
def test_default_folder(defaults, tmp_path):
    defaults.setenv("HOME", str(tmp_path))
    assert config.cache_directory == tmp_path / ".cache" / "wengert"
    del config.cache_directory
    defaults.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert config.cache_directory == tmp_path / "x" / "wengert"
    del config.cache_directory
    defaults.setenv("XDG_CACHE_HOME", "relative")  # which the standard says to ignore
    assert config.cache_directory == tmp_path / ".cache" / "wengert"


def test_environment(defaults, tmp_path):
    for text in ("0", "off", "No", " FALSE "):
        defaults.setenv("WENGERT_CACHE", text)
        assert config.cache_directory is None
        del config.cache_directory
    defaults.setenv("WENGERT_CACHE", str(tmp_path))
    assert config.cache_directory == tmp_path
    defaults.setenv("WENGERT_CACHE_BYTES", "12345")
    assert config.cache_bytes == 12345
    defaults.setenv("WENGERT_NUM_THREADS", "3")
    assert config.threads == 3
    vars(config).pop("threads")
    defaults.setenv("WENGERT_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="WENGERT_NUM_THREADS"):
        config.threads  # noqa: B018


def test_settings_are_checked(defaults):
    assert 1 <= config.threads <= (os.cpu_count() or 1)
    for name, value in [("threads", 0), ("threads", 1.5), ("cache_bytes", "much"), ("cache_directory", 3)]:
        with pytest.raises(ValueError, match=name):
            setattr(config, name, value)
    with pytest.raises(AttributeError, match="thread"):
        config.thread = 1
    with pytest.raises(AttributeError, match="thread"):
        config.thread  # noqa: B018
    config.threads = np.int64(5)
    assert wengert.config.threads == 5
    assert type(config.threads) is int
