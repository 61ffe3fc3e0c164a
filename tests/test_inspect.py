"""`inspect`: it shows the program that runs, runs nothing, and says what matters in few lines."""

import html.parser
import re

import numpy as np
import pytest

import wengert
from wengert import config, grad, hessian, jit, value_and_grad, vmap
from wengert.compiler import generate
from wengert.compiler.inspect import Inspection
from wengert.errors import InputTypeError
from wengert.scipy import signal

X = np.linspace(0.1, 1.0, 30_000)
TABLE = np.linspace(0.0, 1.0, 30_000)


def heavy(x):
    return np.sum(np.tanh(x) * TABLE)


def network(p, x):
    return np.sum(np.tanh(x @ p["w"] + p["b"]) ** 2)


PARAMETERS = {"w": np.ones((200, 50)) / 100, "b": np.zeros(50)}
BATCH = np.ones((100, 200))


def smoothing(x):
    smooth = signal.lfilter([0.5], [1.0, -0.5], np.sin(x))  # in line one of two
    return np.cumsum(smooth) * 2


def chain(x):
    for _ in range(300):
        x = np.sin(x) + 0.1 * x
    return x


CASES = {
    "straight": (lambda x: (np.sum(x**2), x, 3.0), (np.ones(5),)),
    "loop": (heavy, (X,)),
    "gradient": (value_and_grad(heavy), (X,)),
    "network": (value_and_grad(network), (PARAMETERS, BATCH)),
    "calls": (smoothing, (X,)),
    "only calls": (np.linalg.inv, (np.eye(60),)),
    "mapped": (vmap(grad(lambda r: np.sum(np.sin(r) * r))), (np.ones((5000, 4)),)),
    "hessian": (hessian(lambda x: np.sum(np.sin(x) * x)), (np.ones(4),)),
    "long": (chain, (1.0,)),
    "empty": (lambda x: np.sin(x), (np.zeros((0, 3)),)),
    "identity": (lambda x: x, (np.ones(30_000),)),
    "views": (lambda x: x.reshape(100, 300).T[::2] * 2, (X,)),
}


@pytest.mark.parametrize("name", CASES)
def test_report(name):
    fun, args = CASES[name]
    f = jit(fun)
    report = f.inspect(*args)
    text = str(report)
    assert len(text.splitlines()) < 200
    assert max(map(len, report.summary.splitlines())) < 200
    for title in ("Recorded program", "Simplified program", "Loops and calls", "Done by NumPy", "Memory"):
        assert text.count(f"── {title} ─") == 1
    assert {"record", "simplify", "plan", "write", "optimise", "emit", "link"} <= report.timings.keys()
    assert all(seconds >= 0 for seconds in report.timings.values())
    assert f"workspace: {report.workspace_bytes:,} bytes" in report.buffers
    for line in report.kernels.splitlines():
        assert not re.search(r"object at 0x|Variable\(", line)
    report.recorded.check()
    report.simplified.check()
    f(*args)
    assert repr(report).startswith("<Inspection of ")


class Outline(html.parser.HTMLParser):
    """Checks that elements are closed in their order, and collects the titles of sections."""

    def __init__(self):
        super().__init__()
        self.open, self.titles, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "summary":
            self.titles.append(data)


@pytest.mark.parametrize("name", CASES)
def test_notebook_report(name):
    fun, args = CASES[name]
    outline = Outline()
    text = jit(fun).inspect(*args)._repr_html_()
    outline.feed(text)
    outline.close()
    assert outline.open == []
    assert outline.tags == {"pre", "details", "summary"}
    assert outline.titles[-3:] == ["LLVM IR", "Optimised LLVM IR", "Assembly language"]
    assert len(text) < 300_000


# What it shows is what runs ------------------------------------------------------------------------------------------


def test_shows_the_program_that_runs():
    count = 0

    def f(x):
        nonlocal count
        count += 1
        return np.sum(np.sin(x))

    compiled = jit(f)
    before = compiled.inspect(X)
    assert count == 1
    np.testing.assert_allclose(compiled(X), np.sum(np.sin(X)))
    after = compiled.inspect(X)
    np.testing.assert_allclose(compiled(X), np.sum(np.sin(X)))
    assert count == 1
    assert before._executable is after._executable
    ((flat, _),) = compiled.flat.values()
    assert list(flat.executables.values()) == [before._executable]
    compiled.inspect(np.ones(3))
    assert count == 2


def test_lower_is_inspect():
    f = jit(np.sin)
    assert isinstance(f.lower(X), Inspection)
    assert f.lower(X)._executable is f.inspect(X)._executable


def test_runs_nothing(monkeypatch):
    def run(*args):
        raise AssertionError("it ran")

    monkeypatch.setattr(generate.Executable, "run", run)
    report = jit(smoothing).inspect(X)
    str(report)
    report._repr_html_()


def test_only_types_matter_and_arguments_are_as_in_a_call():
    f = jit(lambda x, n, *, scale: np.sum(x["a"] ** n) * scale, static_argnums=1)
    report = f.inspect({"a": np.full(3, np.nan)}, 3, scale=2)
    assert "float64[3], int64[]" in report.summary
    assert f({"a": np.ones(3)}, 3, scale=2) == 6


def test_machine_code_from_the_cache_is_shown_too(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "cache_directory", tmp_path)
    first, second = jit(heavy).inspect(X), jit(heavy).inspect(X)
    assert (first.from_cache, second.from_cache) == (False, True)
    assert "compiled" in first.summary
    assert "found in the cache" in second.summary
    assert "look up" in second.timings
    for stage in ("kernels", "buffers", "llvm_ir", "optimized_llvm_ir", "assembly"):
        assert getattr(second, stage) == getattr(first, stage)
    assert second._native.object_code == second._executable.native.object_code
    assert not second.assembly.startswith("#")


# The stages ----------------------------------------------------------------------------------------------------------


def test_programs():
    report = jit(lambda x: np.sum((x * 1.0) ** 2) + 0 * np.sum(np.cos(X[:3]))).inspect(X)
    assert "power" in str(report.recorded)
    assert "square" in str(report.simplified)
    assert "test_inspect.py" in str(report.simplified)


def test_kernels():
    report = jit(value_and_grad(heavy)).inspect(X)
    assert "loop over 30000" in report.kernels
    assert report.kernels.count("loop over") == 1  # the value and the gradient share it
    assert re.search(r"computes .*tanh", report.kernels)
    assert re.search(r"reduces  \w+: float64\[\] = add over axis 0 of \w+", report.kernels)
    assert re.search(r"stores   \w+: float64\[30000\]", report.kernels)


def test_products():
    report = jit(value_and_grad(network)).inspect(PARAMETERS, BATCH)
    assert report.kernels.count("matrix product by BLAS") == 2
    assert "ᵀ" in report.kernels
    assert "2 matrix products" in report.summary


def test_maps_and_straight_line_code():
    fun, args = CASES["mapped"]
    assert "loop over 5000 examples" in jit(fun).inspect(*args).kernels
    fun, args = CASES["straight"]
    assert "straight-line code" in jit(fun).inspect(*args).kernels


def test_fallbacks_name_the_line():
    report = jit(smoothing).inspect(X)
    assert report.fallbacks
    first = report.fallbacks[0]
    assert first.result.startswith("float64[30000]")
    file, line = first.place.split(":")
    assert file == "test_inspect.py"
    assert int(line) == smoothing.__code__.co_firstlineno + 1
    assert first.source == "smooth = signal.lfilter([0.5], [1.0, -0.5], np.sin(x))  # in line one of two"
    assert f"{first.operation} by NumPy  # {first.place}" in report.kernels
    assert jit(heavy).inspect(X).fallbacks == []


def test_memory():
    report = jit(smoothing).inspect(X)
    sizes = re.findall(r"([\d,]+)  workspace, from byte ([\d,]+)", report.buffers)
    assert sizes
    spans = sorted((int(start.replace(",", "")), int(size.replace(",", ""))) for size, start in sizes)
    assert all(start + size <= report.workspace_bytes for start, size in spans)
    assert re.search(r"240,000  argument 0", report.buffers)
    assert re.search(r"240,000  result 0", report.buffers)
    assert re.search(r"240,000  constant", jit(heavy).inspect(X).buffers)


def test_llvm_ir_and_assembly():
    report = jit(heavy).inspect(X)
    assert "define" in report.llvm_ir
    assert "fmul" in report.llvm_ir
    assert "define" in report.optimized_llvm_ir
    assert "segment0" in report.assembly
    assert not re.search(r"inttoptr", report.llvm_ir)  # addresses would tie it to this process
    assert str(id(TABLE)) not in report.llvm_ir


def test_long_programs_are_cut_in_print_only():
    report = jit(chain).inspect(1.0)
    assert len(report.recorded.operations) == 900
    assert "more lines: .recorded" in str(report)
    assert len(str(report).splitlines()) < 100
    assert len(str(report.recorded).splitlines()) > 900


# Not possible --------------------------------------------------------------------------------------------------------


def test_refused_inside_of_transforms():
    f = jit(heavy)
    with pytest.raises(InputTypeError, match="jit\\(grad\\(f\\)\\)"):
        grad(lambda x: (f.inspect(x), np.sum(x))[1])(X)

    def inner(x):
        jit(lambda y: np.sum(y * x)).inspect(np.ones(3))
        return np.sum(x)

    with pytest.raises(InputTypeError, match="inspect"):
        grad(inner)(np.ones(3))


def test_errors_of_the_function_come_through():
    f = jit(lambda x: x if x > 0 else -x)
    with pytest.raises(wengert.errors.ConcretizationError):
        f.inspect(1.0)
    with pytest.raises(InputTypeError):
        jit(np.sin).inspect("text")
