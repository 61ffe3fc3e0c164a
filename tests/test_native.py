"""The engine: from LLVM IR to addresses, and back to nothing."""

import ctypes

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
