"""Running transforms: values that leak out of them, exceptions inside them, threads."""

from __future__ import annotations

import inspect
import re
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import wengert
from wengert import Dual, derivative, grad, hessian, jacfwd, jacobian, jacrev, jvp, linearize, vjp, vmap
from wengert.core import values
from wengert.errors import LeakedValueError

TRANSFORMS: dict[str, Callable[[Callable[[Any], Any]], Callable[[Any], Any]]] = {
    "grad": grad,
    "value_and_grad": wengert.value_and_grad,
    "jvp": lambda f: lambda x: jvp(f, (x,), (x,)),
    "vjp": lambda f: lambda x: vjp(f, x),
    "linearize": lambda f: lambda x: linearize(f, x),
    "jacfwd": jacfwd,
    "jacrev": jacrev,
    "jacobian": jacobian,
    "hessian": hessian,
    "vmap": lambda f: lambda x: vmap(f)(np.stack([x, x])),
    "grad of grad": lambda f: grad(lambda x: np.sum(grad(f)(x))),
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(np.stack([x, x])),
}
every_transform = pytest.mark.parametrize("name", TRANSFORMS)

X = np.array([0.5, 2.0])


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """No test leaves a running level behind, whatever it raised."""
    assert values._running.levels == []
    yield
    assert values._running.levels == []
    assert not wengert.core.values.is_transforming()


# Leaks ---------------------------------------------------------------------------------------------------------------

USES: dict[str, Callable[[Any], Any]] = {
    "function": lambda x: np.sin(x),
    "operator": lambda x: x + 1.0,
    "reflected operator": lambda x: 2.0 * x,
    "ndarray on the left": lambda x: np.ones(2) * x,
    "two leaked": lambda x: x * x,
    "reduction": lambda x: np.sum(x),
    "index": lambda x: x[0] * 1.0,
    "array index": lambda x: x[[0, 1]],
    "matmul": lambda x: x @ x,
    "where": lambda x: np.where(np.array([True, False]), x, 0.0),
    "stack": lambda x: np.stack([x, np.zeros(2)]),
    "method": lambda x: x.sum(),
    "power": lambda x: x**2,
    "in another grad": lambda x: grad(lambda y: np.sum(x * y))(X),
    "in another jvp": lambda x: jvp(lambda y: x * y, (X,), (X,)),
    "in another vmap": lambda x: vmap(lambda y: x * y)(X),
    "as the argument of grad": lambda x: grad(lambda y: np.sum(y * y))(x),
}


def leak(name: str) -> Any:
    """A value of a transform that has ended."""
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.append(x * 1.0)
        return np.sum(x * 1.0)

    TRANSFORMS[name](f)(X)
    return kept[-1]


@every_transform
@pytest.mark.parametrize("use", USES)
def test_leaked_values_raise(name: str, use: str):
    x = leak(name)
    with pytest.raises(LeakedValueError, match=r"must not be kept") as caught:
        USES[use](x)
    # the message names this file and the line of the use
    line = inspect.getsourcelines(USES[use])[1]
    assert re.search(rf'at ".*test_levels\.py", line {line}\b', str(caught.value)), str(caught.value)
    assert caught.value.args[0].count("\n") >= 1


def test_leak_through_a_write():
    """An array of the caller that got values of an inner transform."""

    def outer(x: Any) -> Any:
        y = x * 1.0

        def inner(t: Any) -> Any:
            y[0] = t
            return np.sum(y)

        grad(inner)(3.0)
        return np.sum(y * y)

    with pytest.raises(LeakedValueError):
        grad(outer)(X)
    with pytest.raises(LeakedValueError):
        jvp(outer, (X,), (X,))


def test_leak_through_an_attribute():
    class Model:
        last: Any = None

        def __call__(self, x: Any) -> Any:
            self.last = np.tanh(x)
            return np.sum(self.last)

    model = Model()
    grad(model)(X)
    with pytest.raises(LeakedValueError):
        model.last + 1.0
    assert "leaked" in repr(model.last).lower() or "Array" in repr(model.last)  # printing one is no crime


def test_aux_is_the_way_out():
    g, aux = grad(lambda x: (np.sum(x**2), {"y": np.sin(x), "n": 3}), has_aux=True)(X)
    np.testing.assert_array_equal(aux["y"] + 1.0, np.sin(X) + 1.0)
    assert aux["n"] == 3
    np.testing.assert_array_equal(g, 2 * X)


# Exceptions ----------------------------------------------------------------------------------------------------------


class Oops(Exception):
    pass


@every_transform
def test_exceptions_leave_nothing_behind(name: str):
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.append(x * 2.0)
        raise Oops

    with pytest.raises(Oops):
        TRANSFORMS[name](f)(X)
    assert values._running.levels == []
    with pytest.raises(LeakedValueError):
        kept[-1] + 1.0
    # and everything works as before
    np.testing.assert_array_equal(grad(lambda x: np.sum(x**2))(X), 2 * X)


@every_transform
def test_exceptions_inside_a_transform_may_be_caught(name: str):
    """The outer computation goes on after an inner one has failed."""

    def f(x: Any) -> Any:
        def fails(y: Any) -> Any:
            np.sin(y) * x
            raise Oops

        try:
            TRANSFORMS[name](fails)(X)
        except Oops:
            return np.sum(x**3)
        raise AssertionError

    np.testing.assert_allclose(grad(f)(X), 3 * X**2)
    np.testing.assert_allclose(jvp(f, (X,), (np.ones(2),))[1], np.sum(3 * X**2))


def test_keyboard_interrupt_leaves_nothing_behind():
    def f(x: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grad(f)(X)


def test_generators_that_are_not_finished():
    """Levels of interleaved generators close in any order."""

    def values_of(f: Callable[[Any], Any]) -> Iterator[Any]:
        yield grad(f)(2.0)
        yield derivative(f, 2.0)

    def outer(x: Any) -> Any:
        first, second = values_of(lambda y: x * y * y), values_of(lambda y: y**3)
        return next(first) + next(second) + next(first)

    assert grad(outer)(1.0) == 8.0


@every_transform
def test_recursion_errors_are_survived(name: str):
    def f(x: Any) -> Any:
        return f(x * 1.0)

    limit = sys.getrecursionlimit()
    with pytest.raises(RecursionError):
        TRANSFORMS[name](f)(X)
    assert sys.getrecursionlimit() == limit


# Threads -------------------------------------------------------------------------------------------------------------


def work(k: int) -> None:
    rng = np.random.default_rng(k)
    x, v = rng.normal(size=5), rng.normal(size=5)

    def f(x: Any) -> Any:
        y = np.sin(x) * k
        y[1] *= y[0]
        for i in range(2, 5):
            y[i] += y[i - 1] * x[i]
        return np.sum(y**2)

    h = 1e-6
    numeric = (f(x + h * v) - f(x - h * v)) / (2 * h)
    g = grad(f)(x)
    assert np.isclose(g @ v, numeric, rtol=1e-6, atol=1e-6)
    assert np.isclose(jvp(f, (x,), (v,))[1], g @ v)
    np.testing.assert_allclose(vmap(grad(f))(np.stack([x, v])), [g, grad(f)(v)])
    H = hessian(f)(x)
    np.testing.assert_allclose(H, H.T, rtol=1e-9, atol=1e-9)
    d = Dual(Dual(float(k), 1.0), Dual(1.0, 0.0))
    cube = d * d * d
    assert cube.tangent.tangent == 6.0 * k
    assert derivative(lambda t: t * derivative(lambda s: s * t, t), 3.0) == 6.0


def test_threads_differentiate_independently():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # switch often
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(1, 33)))
    finally:
        sys.setswitchinterval(interval)


def test_a_level_of_one_thread_does_not_count_in_another():
    """While one thread is inside grad, another one computes on plain arrays and differentiates on its own."""
    inside, done = threading.Event(), threading.Event()
    seen: list[Any] = []

    def f(x: Any) -> Any:
        inside.set()
        assert done.wait(10)
        return np.sum(x**2)

    def other() -> None:
        assert inside.wait(10)
        seen.append(values.is_transforming())
        seen.append(type(wengert.numpy.zeros(2)))
        seen.append(grad(lambda x: x**3)(2.0))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    np.testing.assert_array_equal(grad(f)(X), 2 * X)
    thread.join()
    assert seen == [False, np.ndarray, 12.0]


def test_values_may_be_used_in_a_helper_thread():
    """A function under grad that hands its values to threads of its own."""

    def f(x: Any) -> Any:
        with ThreadPoolExecutor(2) as pool:
            parts = list(pool.map(lambda k: np.sin(x[k]) * x[k], range(2)))
        return parts[0] * parts[1]

    def serial(x: Any) -> Any:
        return np.sin(x[0]) * x[0] * (np.sin(x[1]) * x[1])

    np.testing.assert_allclose(grad(f)(X), grad(serial)(X))


# Hand-made duals and levels ------------------------------------------------------------------------------------------


def test_hand_made_duals_inside_transforms_end_with_them():
    kept: list[Any] = []

    def f(x: Any) -> Any:
        d = Dual(x[0], 1.0)
        kept.append(d)
        return (d * d).tangent * x[1]  # 2 x₀ x₁

    np.testing.assert_allclose(grad(f)(X), [2 * X[1], 2 * X[0]])
    with pytest.raises(LeakedValueError):
        kept[0] * 2.0


def test_hand_made_duals_around_transforms_go_on():
    d = Dual(0.5, 1.0)
    out = grad(lambda x: x * x * x)(d)  # 3 x²
    assert out.primal == 0.75
    assert out.tangent == 3.0
    assert (out * d).tangent == 2.25
    out = jvp(lambda x: x * x * d, (2.0,), (1.0,))[1]
    assert (out.primal, out.tangent) == (2.0, 4.0)
