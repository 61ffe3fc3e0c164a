"""Operations that are compiled as combinations of others: like the originals, where numbers are extreme too."""

import numpy as np
import pytest

from wengert import grad, hessian
from wengert.compiler.expand import EXPANSIONS
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
    assert all(op.primitive not in EXPANSIONS for op in executable.program.operations)


def test_empty():
    x = np.zeros((3, 0))
    assert jit(lambda x: logsumexp(x, axis=0))(x).shape == (0,)
    assert np.array_equal(jit(lambda x: logsumexp(x, axis=1))(x), logsumexp(x, axis=1))
