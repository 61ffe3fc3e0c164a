"""The page of what is differentiated is up to date, and the generator that tries the functions sees what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal

import wengert
import wengert.numpy as wnp
from wengert.scipy import signal

from .function_attempts import Attempt, Row, joined
from .function_calls import MODULES, NOTHING, Trial, functions, trials

ROOT = Path(__file__).parent.parent


def test_page_is_up_to_date():
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    if f"with NumPy {np.__version__} and SciPy {scipy.__version__}:" not in text.replace("\n", " "):
        pytest.skip("the page is for other versions")
    command = [sys.executable, "-m", "docs.generate_functions", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("module", MODULES)
def test_names_in_the_tables_exist(module: str):
    theirs = MODULES[module][0]
    later = {"row_stack", "memmap", "recfromcsv", "r_", "c_", "vectorize"}  # not in every version, or no functions
    assert [n for n in NOTHING[module].split() if n not in later and not hasattr(theirs, n)] == []
    assert sorted(set(trials(module)) - set(functions(module)) - later) == []


def attempt(ours: Any, *active: Any, theirs: Any = None) -> Row:
    """The row of a made-up function."""

    def run(namespace: Any, *args: Any) -> Any:
        return (theirs or np.exp)(*args) if namespace is np else ours(*args)

    return Attempt("numpy", "exp", Trial("f(x)", run, active)).run()


@wengert.custom_jvp
def wrong_first(x):
    return np.exp(x)


wrong_first.defjvp(lambda primals, tangents: (np.exp(primals[0]), 1.01 * np.exp(primals[0]) * tangents[0]))


@wengert.custom_jvp
def wrong_second(x):
    return np.exp(x)


wrong_second.defjvp(
    lambda primals, tangents: (np.exp(primals[0]), np.exp(wengert.stop_gradient(primals[0])) * tangents[0])
)
X = np.array([0.3, -0.7])


def test_a_right_function():
    row = attempt(wnp.exp, X)
    assert row.wrong == []
    assert set(row.cells.values()) == {"yes", "native"}


@pytest.mark.parametrize(
    ("ours", "what"),
    [
        (lambda x: wnp.exp(x) * (1 + 1e-6), "another value"),
        (wrong_first, "by differences"),
        (wrong_second, "second order"),
        (lambda x: wnp.exp(x).real, "complex value"),
        (lambda x: [][0], "IndexError"),
    ],
)
def test_what_is_wrong_is_seen(ours: Any, what: str):
    row = attempt(ours, X)
    assert any(what in w for w in row.wrong), row.wrong


def test_what_is_missing_is_said():
    row = attempt(lambda x: np.asarray(x), X)
    assert row.cells["jvp"] == row.cells["value"] == "no"
    assert "plain ndarray" in row.reason
    assert row.wrong == []
    row = attempt(lambda x, n: wnp.exp(x) * np.asarray(n), X, np.float64(2.0), theirs=lambda x, n: np.exp(x) * n)
    assert row.cells["jvp"] == "yes"
    assert row.reason == "not by argument 2"


def test_several_calls_of_one_function():
    native, callback = (
        attempt(wnp.exp, X),
        attempt(
            lambda x: signal.lfilter([1.0], [1.0, 0.5], x),
            X,
            theirs=lambda x: scipy.signal.lfilter([1.0], [1.0, 0.5], x),
        ),
    )
    assert callback.cells["compiled"] in ("callback", "partly")
    assert joined([native, native]).cells == native.cells
    assert joined([native, callback]).cells["compiled"] == "partly"
