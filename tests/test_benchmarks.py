"""The benchmarks run: with the tools that are installed, on small sizes, one round."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

BENCHMARKS = pathlib.Path(__file__).parent.parent / "benchmarks"


def run(script, *arguments):
    command = [sys.executable, "-W", "error", str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_overhead():
    assert "| scalar, record + sweep |" in run("overhead.py", "--rounds", "1")


def test_compiled():
    pytest.importorskip("llvmlite")
    output = run("compiled.py", "--quick", "--threads", "1")
    assert "| gradient of sum(x**2), n = 10 |" in output
    assert all(f"\n| {number} | " in output for number in range(1, 8))


def test_loops():
    pytest.importorskip("llvmlite")
    output = run("loops.py", "--quick")
    assert "| Runge-Kutta, 50 steps |" in output
    assert all(f"\n| {number} | " in output for number in (1, 3))


def test_tools_that_disagree_are_noticed(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import side_by_side

    def case(x, y):
        return {"Wengert": side_by_side.Call(lambda: (x,)), "C": side_by_side.Call(lambda: [y])}

    side_by_side.check("equal", case(1.0, 1.0 + 1e-12))
    for other in (1.001, np.ones(1), float("nan")):
        with pytest.raises(SystemExit, match="disagree"):
            side_by_side.check("different", case(1.0, other))
