"""SciPy's functions on Arrays by way of the array API standard, and the setting that the standard needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy

import wengert.numpy as wnp
from wengert import Array, config, grad, jacobian, jit, jvp, vmap

from .namespace_calls import CALLS, QUESTIONS
from .test_namespace import assert_same, differentiable, ids, plain_value

ROOT = Path(__file__).parent.parent


def test_page_of_scipy_is_up_to_date():
    """Every function that SciPy says supports the standard is tried; the page says what becomes of it."""
    if f"SciPy {scipy.__version__}:" not in (ROOT / "docs" / "scipy-array-api.md").read_text(encoding="utf-8"):
        pytest.skip("the page is for another version of SciPy")
    command = [sys.executable, "-m", "docs.generate_scipy", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


MIXTURE = """
import numpy as np, scipy.integrate, scipy.special, scipy.stats, wengert as wg, wengert.numpy as wnp
assert wg.config.array_api
x, b = np.array([0.3, 0.5, 0.9]), np.array([1.0, 2.0, 0.5])
try:
    wg.grad(lambda x: scipy.special.logsumexp(x, b=b))(x)
except TypeError as error:
    assert "Multiple namespaces" in str(error)
else:
    raise SystemExit("a mixture was accepted")
g = wg.grad(lambda x: scipy.special.logsumexp(x, b=wnp.array(b)))(x)
assert np.allclose(g, b * np.exp(x) / np.sum(b * np.exp(x)))
h = wg.hessian(scipy.stats.skew)(x)
assert h.shape == (3, 3) and np.allclose(h, h.T)
v = wg.vmap(wg.grad(lambda x: scipy.integrate.trapezoid(x**2)))(np.stack([x, b]))
assert np.allclose(v, np.stack([x, b]) * [1.0, 2.0, 1.0])
d = wg.grad(lambda x: scipy.special.xlogy(x, x) + scipy.special.gammaln(x))(0.5)
assert np.allclose(d, np.log(0.5) + 1 + scipy.special.digamma(0.5))
"""


def test_mixtures_higher_derivatives_and_batches():
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    run = subprocess.run([sys.executable, "-c", MIXTURE], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_results_are_closed(monkeypatch: pytest.MonkeyPatch):
    """Whatever is computed from Arrays is an Array, truth values and integers included, and works as before."""
    x = np.array([[3.0, -1.0, 2.0], [0.5, -2.0, 1.0]])

    def f(x):
        mask, order, places = x > 0, wnp.argsort(x, axis=1), wnp.nonzero(x)
        made = [
            mask, ~mask, order, places, mask & (x < 2), wnp.isnan(x), np.isfinite(x), wnp.sum(mask), x.argmax(axis=0),
            wnp.unique_all(x), wnp.any(mask, axis=0), wnp.searchsorted(wnp.sort(x[0]), x[1]), wnp.fft.fftfreq(3),
            wnp.asarray(np.ones(2)), wnp.asarray([1, 2]), wnp.count_nonzero(x, axis=0), wnp.isin(x, x[0]), wnp.sign(x),
            wnp.floor_divide(order, 2), wnp.equal(x, 1.0), wnp.where(mask, 1, 0), order[0] + 1, mask[0, 0],
        ]  # fmt: skip
        assert all(isinstance(leaf, Array) for leaf in _leaves(made))
        assert isinstance(wnp.unique_all(x), tuple)
        assert wnp.allclose(x, x) is True
        assert wnp.array_equal(x, x + 1.0) is wnp.array_equiv(x, x + 1.0) is False
        assert wnp.unique_all(x).counts.shape == (6,)
        y = wnp.where(mask, x**2, 0.0)
        y[mask] = y[mask] * 2
        y[0, order[0]] += wnp.take_along_axis(x, order, axis=1)[0]
        if wnp.all(mask) or int(wnp.sum(mask)) != 4 or mask[0, 1]:
            raise AssertionError
        return wnp.sum(y) + wnp.sum(x[places])

    monkeypatch.setattr(config, "array_api", False)
    plain = grad(lambda x: wnp.sum(wnp.where(x > 0, 2 * x**2, 0)) + wnp.sum(x[0]) + wnp.sum(x))(x)
    monkeypatch.setattr(config, "array_api", True)
    np.testing.assert_array_equal(grad(f)(x), plain)
    assert isinstance(x > 0, np.ndarray)


def _leaves(x):
    return [leaf for y in x for leaf in _leaves(y)] if isinstance(x, (list, tuple)) else [x]


@pytest.mark.filterwarnings("ignore")
def test_every_function_gives_the_same_under_the_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "array_api", True)
    wrong = []
    for call in (*CALLS, *QUESTIONS):
        active = tuple(call.args[i] for i in call.active)
        expected, seen = call(np, *active), []

        def f(*active, call=call, seen=seen):
            seen.append(call(wnp, *active))
            return differentiable(seen[0]) or 1.0

        try:
            jvp(f, active, active)
            assert_same(plain_value(seen[0]), expected)
        except Exception as error:
            wrong.append(f"{ids(call)}: {error}")
    assert wrong == []


def test_closed_under_the_other_transforms(monkeypatch: pytest.MonkeyPatch):
    def f(x):
        mask = x > 1.0
        assert isinstance(mask, Array)
        return wnp.where(mask, x**2, x)

    x = np.array([0.5, 2.0])
    expected = jacobian(lambda x: wnp.where(x > 1.0, x**2, x))(x), vmap(jit(lambda x: wnp.where(x > 1.0, x**2, x)))(x)
    monkeypatch.setattr(config, "array_api", True)
    np.testing.assert_array_equal(jacobian(f)(x), expected[0])
    np.testing.assert_array_equal(vmap(f)(x), expected[1])
    np.testing.assert_array_equal(jit(f)(x), expected[1])
    np.testing.assert_array_equal(jacobian(jit(f))(x), expected[0])


def test_setting(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="array_api must be True or False"):
        config.array_api = 1
    monkeypatch.delattr(config, "array_api", raising=False)
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    assert config.array_api is True
    monkeypatch.delattr(config, "array_api")
    monkeypatch.delenv("SCIPY_ARRAY_API")
    assert config.array_api is False


def test_a_condition_without_axes_as_index():
    """What SciPy writes with x[condition] = y where x has no axes."""

    def f(x):
        z = wnp.zeros(())
        z[np.True_] = wnp.reshape(x, (1,)) * 2
        rows = wnp.zeros((2, 3))
        rows[True] = wnp.reshape(x, (1, 1, 1))
        rows[False] = 7.0
        return z + wnp.sum(rows)

    assert grad(f)(3.0) == 8.0


def test_results_without_axes_can_be_assigned_to(monkeypatch: pytest.MonkeyPatch):
    def f(x):
        a, b, c, d = wnp.sum(x), wnp.sum(x), wnp.sum(x), wnp.max(wnp.zeros(3))
        a[...] = 3.0 * x[0]
        b[wnp.asarray(True)] = 2.0 * x[1]
        c[()] += x[0]
        d[...] = x[2]
        return a + 10.0 * b + 100.0 * c + 1000.0 * d

    x = np.array([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="item assignment"):
        grad(f)(x)
    monkeypatch.setattr(config, "array_api", True)
    np.testing.assert_array_equal(grad(f)(x), [203.0, 120.0, 1100.0])
    np.testing.assert_array_equal(jit(grad(f))(x), [203.0, 120.0, 1100.0])
    np.testing.assert_array_equal(vmap(grad(f))(np.stack([x, x])), [[203.0, 120.0, 1100.0]] * 2)
