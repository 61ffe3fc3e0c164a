"""The engine: from LLVM IR to addresses, and back to nothing."""

import concurrent.futures
import ctypes
import gc
import math
import os
import subprocess
import sys
import weakref

import pytest

from wengert.compiler.native import compile_module, host, load_object

TWICE = "define double @twice(double %x) {\n  %y = fadd double %x, %x\n  ret double %y\n}\n"


def callable_of(native, name, result=ctypes.c_double, arguments=(ctypes.c_double,)):
    return ctypes.CFUNCTYPE(result, *arguments)(native.address(name))


def test_compiles_and_runs():
    native = compile_module(TWICE, ["twice"])
    assert callable_of(native, "twice")(1.5) == 3.0
    assert "define" in native.llvm_ir
    assert "twice" in native.assembly
    assert set(native.timings) == {"print", "parse", "verify", "optimise", "emit", "link"}


def test_object_code_can_be_linked_again():
    code = compile_module(TWICE, ["twice"]).object_code
    native = load_object(code, ["twice"])
    assert callable_of(native, "twice")(2.0) == 4.0
    with pytest.raises(ValueError, match="object code"):
        native.llvm_ir  # noqa: B018


def test_foreign_object_code_is_refused():
    with pytest.raises(RuntimeError):
        load_object(b"not an object file", ["twice"])


def test_symbols():
    callback = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x + 1)
    text = """
        declare double @next(double)
        define double @f(double %x) {
            %y = call double @next(double %x)
            ret double %y
        }
        """
    native = compile_module(text, ["f"], {"next": ctypes.cast(callback, ctypes.c_void_p).value})
    assert callable_of(native, "f")(2.0) == 3.0
    with pytest.raises(RuntimeError, match="next"):
        compile_module(text, ["f"])


def test_errors():
    with pytest.raises(RuntimeError):
        compile_module("this is not LLVM IR", [])
    with pytest.raises(RuntimeError):
        compile_module(TWICE, ["thrice"])
    assert callable_of(compile_module(TWICE, ["twice"]), "twice")(1.0) == 2.0
    assert host().key


def resident_kilobytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def is_executable(address):
    with open("/proc/self/maps") as file:
        for line in file:
            span, permissions = line.split()[:2]
            first, last = (int(x, 16) for x in span.split("-"))
            if first <= address < last:
                return "x" in permissions
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_freed():
    native = compile_module(TWICE, ["twice"])
    address = native.address("twice")
    assert is_executable(address)
    del native
    gc.collect()
    assert not is_executable(address)
    before = resident_kilobytes()
    for _ in range(200):
        compile_module(TWICE, ["twice"])
    gc.collect()
    # LLVM keeps about 10 KB for each library; the passes alone took 80 before they were disposed of.
    assert resident_kilobytes() - before < 200 * 40


def test_code_lives_as_long_as_its_module():
    native = compile_module(TWICE, ["twice"])
    reference = weakref.ref(native)
    del native
    gc.collect()
    assert reference() is None


def test_many_threads():
    def work(number):
        text = TWICE.replace("fadd double %x, %x", f"fmul double %x, {float(number)}")
        native = compile_module(text, ["twice"])
        return callable_of(native, "twice")(3.0)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(64))) == [3.0 * n for n in range(64)]


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_fork_and_exit():
    # In a process of its own: forking the test process with its threads would not be clean.
    script = f"""
import ctypes, os
from wengert.compiler.native import compile_module
text = {TWICE!r}
def check(native):
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(native.address("twice"))(2.0) == 4.0
before = compile_module(text, ["twice"])
child = os.fork()
after = compile_module(text, ["twice"])
check(before)
check(after)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


def test_several_functions_and_calls_between_them():
    text = TWICE + (
        "define double @four_times(double %x) {\n  %y = call double @twice(double %x)\n"
        "  %z = call double @twice(double %y)\n  ret double %z\n}\n"
    )
    native = compile_module(text, ["twice", "four_times"])
    assert callable_of(native, "four_times")(1.0) == 4.0
    assert native.address("twice") != native.address("four_times")


def test_code_from_another_kind_of_machine_is_told_apart():
    key = host().key
    assert host().cpu in key
    assert host().triple in key


def test_long_straight_line_code_with_many_calls():
    # Compiled by simple code generation; the same results, and the assembly is that of the code that runs.
    lines = ['declare double @"wengert.scalar.sin"(double)', "define double @f(double %x0) {"]
    for i in range(400):
        lines.append(f'  %y{i} = call double @"wengert.scalar.sin"(double %x{i})')
        lines.append(f"  %x{i + 1} = fadd double %y{i}, %x{i}")
    native = compile_module("\n".join([*lines, "  ret double %x400", "}", ""]), ["f"])
    x = 0.5
    for _ in range(400):
        x += math.sin(x)
    assert callable_of(native, "f")(0.5) == pytest.approx(x, rel=1e-12)
    assert native.timings["emit"] > 0
    assert native.assembly.count("wengert.scalar.sin") == 400
