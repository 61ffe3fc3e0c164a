"""Operations that are compiled as combinations of others: like the originals, where numbers are extreme too."""

import numpy as np
import pytest

import wengert
from wengert import grad, hessian
from wengert.compiler.expand import expansion
from wengert.compiler.jit import jit
from wengert.scipy.special import logsumexp

INF, NAN = np.inf, np.nan
RNG = np.random.default_rng(0)
ARRAYS = {
    "ordinary": RNG.normal(size=(5, 7)),
    "large": 300 * RNG.normal(size=(3, 40)),
    "float32": RNG.normal(size=(4, 50)).astype(np.float32),
    "equal": np.zeros((2, 3)),
    "one": np.array([[1e-20], [-3.0]]),
    "tiny result": np.array([[-1e-20, -40.0, -60.0], [1e-20, -50.0, -51.0]]),
    "special": np.array(
        [[INF, 1, 2], [-INF, -INF, -INF], [NAN, 1, 2], [INF, -INF, 0], [INF, INF, NAN], [800, 800, -800]]
    ),
}


@pytest.mark.parametrize("axis", [0, 1, (0, 1), None])
@pytest.mark.parametrize("x", ARRAYS.values(), ids=ARRAYS)
def test_logsumexp(x, axis):
    def f(x):
        return logsumexp(x, axis=axis)

    def total(x):
        return np.sum(f(x) ** 2)

    tolerance = 20 * np.finfo(x.dtype).eps
    compiled = jit(f)
    with np.errstate(all="ignore"):
        for own, eager in [(compiled, f), (jit(grad(total)), grad(total)), (jit(hessian(total)), hessian(total))]:
            y, z = own(x), eager(x)
            assert y.dtype == z.dtype
            np.testing.assert_allclose(y, z, rtol=tolerance, atol=0 if own is compiled else tolerance)
    (flat, _) = compiled.flat.popitem()[1]
    (executable,) = flat.executables.values()
    assert not executable.calls
    assert all(expansion(op) is None for op in executable.program.operations)


def test_empty():
    x = np.zeros((3, 0))
    assert jit(lambda x: logsumexp(x, axis=0))(x).shape == (0,)
    assert np.array_equal(jit(lambda x: logsumexp(x, axis=1))(x), logsumexp(x, axis=1))


def calls(function, *args):
    """Names of the operations that NumPy does."""
    return [fallback.operation for fallback in jit(function).inspect(*args).fallbacks]


def softplus():
    """Return a function with a rule of its own, which uses arrays from outside."""
    ones, small = np.ones(20_000), np.array([0.5, 2.0, 3.0])

    @wengert.custom_jvp
    def outer(x):
        return np.log1p(inner(x)) * small[1] + ones[0] * small[0]

    @outer.defjvp
    def outer_jvp(primals, tangents):
        return outer(primals[0]), 7.0 * tangents[0]  # which is wrong: so one sees that it is used

    @wengert.custom_vjp
    def inner(x):
        return np.exp(x) * ones[: x.size].reshape(x.shape)

    inner.defvjp(lambda x: (inner(x), None), lambda residuals, ct: (5.0 * ct,))
    return outer


@pytest.mark.parametrize("shape", [(), (3,), (10_000,)])
def test_functions_with_custom_rules(shape):
    f, x = softplus(), np.linspace(0.0, 1.0, int(np.prod(shape))).reshape(shape)
    assert calls(f, x) == []
    np.testing.assert_allclose(jit(f)(x), f(x), rtol=1e-14)
    np.testing.assert_array_equal(jit(grad(lambda x: np.sum(f(x))))(x), np.full(shape, 7.0))
    np.testing.assert_array_equal(grad(jit(lambda x: np.sum(f(x))))(x), np.full(shape, 7.0))
    np.testing.assert_allclose(jit(wengert.vmap(f))(np.stack([x, 2 * x])), np.stack([f(x), f(2 * x)]), rtol=1e-14)


def test_functions_with_custom_rules_that_need_numbers_are_called():
    @wengert.custom_jvp
    def bisect(x):
        low, high = 0.0, max(1.0, float(wengert.stop_gradient(x)))
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if middle**2 < x else (low, middle)
        return low + 0.0 * x

    @bisect.defjvp
    def bisect_jvp(primals, tangents):
        root = bisect(primals[0])
        return root, tangents[0] / (2 * root)

    assert calls(bisect, 2.0) == ["custom_call"]
    assert jit(bisect)(2.0) == pytest.approx(np.sqrt(2.0))
    assert jit(grad(bisect))(2.0) == pytest.approx(np.sqrt(2.0) / 4)


def test_stop_gradient_disappears():
    def f(x):
        return np.sum(wengert.stop_gradient(x) * x)

    x = np.array([1.0, -2.0])
    assert calls(f, x) == []
    np.testing.assert_array_equal(jit(grad(f))(x), x)
    assert jit(wengert.stop_gradient)(x) is not x
    assert not np.shares_memory(jit(wengert.stop_gradient)(x), x)
