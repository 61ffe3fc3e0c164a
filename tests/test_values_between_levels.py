"""Values that meet levels they do not belong to: variables inside transforms, hand-made duals, conversions."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import wengert as wg
from wengert import Dual
from wengert.errors import ConcretizationError, LeakedValueError


def test_first_use_of_a_variable_inside_a_transform():
    """The list of variables starts while the transform runs, and is outside of it all the same."""
    w = wg.variable(2.0)
    g = wg.grad(lambda x: x * x * w)(3.0)
    g.backward()
    assert w.grad == 6.0
    w = wg.variable(2.0)
    out, dot = wg.jvp(lambda x: x * x * w, (3.0,), (1.0,))
    (out + dot).backward()
    assert w.grad == 9.0 + 6.0
    w = wg.variable(2.0)
    rows = wg.vmap(lambda x: x * w)(np.array([1.0, 4.0]))
    assert rows.shape == (2,)
    np.sum(rows).backward()
    assert w.grad == 5.0


def test_variables_again_after_backward_inside_a_transform():
    w = wg.variable(2.0)

    def f(x):
        (w * 3.0).backward()
        return x * w

    g = wg.grad(f)(3.0)
    assert w.grad == 3.0
    g.backward()
    assert w.grad == 4.0


def test_dual_of_a_variable():
    w = wg.variable(2.0)
    second = (Dual(w * 1.0, 1.0) ** 3).tangent  # 3w²
    (second + 0.0 * w).backward()
    assert w.grad == 12.0


@pytest.mark.parametrize(
    "transform", [lambda f: wg.derivative(f, 2.0), lambda f: wg.grad(f)(2.0), lambda f: wg.jacfwd(f)(np.ones(2))]
)
def test_dual_made_inside_is_not_returned(transform):
    with pytest.raises(LeakedValueError, match="returned a Dual that it made itself"):
        transform(lambda x: Dual(x, 1.0) ** 3)


def test_parts_of_a_dual_made_inside():
    assert wg.derivative(lambda x: (Dual(x, 1.0) ** 3).tangent, 2.0) == 12.0
    assert wg.grad(lambda x: (Dual(x, 1.0) ** 3).primal)(2.0) == 12.0


def test_truth_of_a_dual_is_that_of_its_primal():
    assert not Dual(0.0, 1.0)
    assert Dual(2.0, 0.0)
    assert not Dual(np.array([0.0]), 1.0)
    assert not Dual(Dual(0.0, 1.0), 1.0)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Dual(np.zeros(2), 1.0))


def test_numbers_of_a_dual():
    assert int(Dual(2.7, 1.0)) == 2
    with pytest.raises(ConcretizationError):
        float(Dual(2.7, 1.0))
    assert float(wg.stop_gradient(Dual(2.7, 1.0))) == 2.7


def test_pickling_loses_no_derivative_silently():
    with pytest.raises(ConcretizationError, match="pickled"):
        wg.grad(lambda x: pickle.loads(pickle.dumps(x)))(1.0)
    with pytest.raises(ConcretizationError, match="pickled"):
        pickle.dumps(Dual(1.0, 2.0))
    assert wg.grad(lambda x: copy.deepcopy(x) * copy.copy(x))(3.0) == 6.0
    assert copy.deepcopy(Dual(1.0, 2.0)).tangent == 2.0


def test_gradient_of_a_scalar_is_a_scalar():
    for f in (lambda x: x * 2, lambda x: x.reshape(1)[0], lambda x: np.stack([x, x]).sum()):
        assert isinstance(wg.grad(f)(1.0), np.float64)
