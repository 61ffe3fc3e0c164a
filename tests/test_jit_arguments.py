"""Static arguments of functions under jit, and methods."""

import numpy as np
import pytest

import wengert
from wengert.errors import InputTypeError


def test_static_arguments_are_told_apart_by_type():
    f = wengert.jit(lambda x, n: x * n, static_argnums=1)
    results = [f(3, n) for n in (1, 1.0, True, 1)]
    assert [type(r) for r in results] == [np.int64, np.float64, np.int64, np.int64]
    kind = wengert.jit(lambda x, n: x + (10 if isinstance(n, bool) else 20), static_argnums=-1)
    assert [kind(0.0, n) for n in (1, True, 1)] == [20.0, 10.0, 20.0]


def test_static_argument_given_by_name_is_an_error():
    f = wengert.jit(lambda x, n: x * n, static_argnums=1)
    with pytest.raises(InputTypeError, match="argument 1 of <lambda> is static and has to be given by position"):
        f(3.0, n=2)
    with pytest.raises(InputTypeError, match="0 positional"):
        f()
    assert f(3.0, 2) == 6.0


class Scaled:
    """Two methods under jit."""

    def __init__(self, factor: float):
        self.factor = factor

    @wengert.jit
    def plain(self, x):
        return self.factor * x

    def _scale(self, x):
        return self.factor * x

    scale = wengert.jit(_scale, static_argnums=0)


def test_methods():
    two, three = Scaled(2.0), Scaled(3.0)
    assert [two.scale(5.0), three.scale(5.0), two.scale(1.0)] == [10.0, 15.0, 2.0]
    np.testing.assert_array_equal(wengert.grad(lambda x: np.sum(two.scale(x)))(np.ones(2)), [2.0, 2.0])
    with pytest.raises(InputTypeError, match="an argument of a function under jit or program is a Scaled"):
        two.plain(5.0)


def test_results_in_containers():
    f = wengert.jit(lambda x, y: {"product": x * y, "others": [x + y, (x - y, None)]})
    for _ in range(2):  # the second call is that of the compiled entry
        assert f(3.0, 2.0) == {"product": 6.0, "others": [5.0, (1.0, None)]}
    assert f(3.0, y=2.0)["others"] == [5.0, (1.0, None)]
    np.testing.assert_array_equal(f(np.ones(2), 2)["product"], [2.0, 2.0])
    assert wengert.grad(lambda x: f(x, 2.0)["product"])(3.0) == 2.0
    assert wengert.vmap(f, in_axes=(0, None))(np.ones(2), 2.0)["others"][0].tolist() == [3.0, 3.0]
    single = wengert.jit(lambda x: [x * 2])
    assert [single(1.0), single(1.0), single(2)] == [[2.0], [2.0], [4]]
