"""Compiled Jacobians and Hessians with few diagonals: like eager ones, and written along the diagonals."""

import numpy as np
import pytest

from wengert import hessian, jacfwd, jacrev, vmap
from wengert.compiler import bands
from wengert.compiler.jit import jit
from wengert.compiler.plan import Kernel
from wengert.compiler.record import program
from wengert.compiler.simplify import simplify
from wengert.core.program import Literal


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def far_neighbours(x):
    return np.sum(np.sin(x[5:] * x[:-5]) + x[5:] ** 3)


def reversed_pairs(x):
    return np.sum(x * x[::-1] ** 2)


def everything(x):
    return np.sum(np.sin(x) * np.sum(x))


def differences(x):
    return np.concatenate([np.diff(x) * x[1:], x[:3] ** 2])


def in_place(x):
    y = x**2
    y[1:4] = 3 * x[0]
    y[10:] *= x[:-10]
    return y


def neighbour_matrix(x):
    return np.stack([x, np.roll(x, 1)])[0] * x


CASES = [
    (derivative, function)
    for derivative, functions in {
        hessian: (rosenbrock, far_neighbours, reversed_pairs, everything),
        jacfwd: (differences, in_place, neighbour_matrix),
        jacrev: (differences, in_place, neighbour_matrix),
    }.items()
    for function in functions
]


@pytest.mark.parametrize("n", [11, 40, 100])
@pytest.mark.parametrize(("derivative", "function"), CASES, ids=lambda f: f.__name__)
def test_agrees_with_eager(derivative, function, n):
    x = np.linspace(-1.0, 2.0, n)
    own, eager = jit(derivative(function))(x), derivative(function)(x)
    np.testing.assert_allclose(own, eager, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e200])
def test_special_numbers_stay_where_they_belong(value):
    x = np.linspace(-1.0, 2.0, 100)
    x[50] = value
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(jit(hessian(rosenbrock))(x), hessian(rosenbrock)(x), rtol=1e-13)


def test_bands_next_to_long_products():
    def function(x, a):
        return jacfwd(lambda x: np.pad(x**2, 1))(x), a @ a @ a

    x, a = np.linspace(-1.0, 2.0, 40), np.full((300, 300), 0.01)
    np.testing.assert_allclose(jit(function)(x, a)[0], function(x, a)[0], rtol=1e-14)


def written_along(function, *args):
    """The diagonals of each kernel of a compiled function."""
    ((flat, _),) = (jitted := jit(function), jitted(*args))[0].flat.values()
    (executable,) = flat.executables.values()
    patterns = bands.nonzeros(executable.program)
    return [bands.diagonals(kernel, patterns) for kernel in executable.plan.steps if isinstance(kernel, Kernel)]


def test_few_diagonals_are_found():
    x = np.linspace(-1.0, 2.0, 100)
    assert written_along(hessian(rosenbrock), x) == [[-1, 0, 1]]
    assert written_along(hessian(far_neighbours), x)[-1] == [-5, 0, 5]
    assert None in written_along(hessian(everything), x)
    assert [0] not in written_along(hessian(reversed_pairs), x)


def test_patterns_hold():
    """What is said to be zero is, for every variable of the program."""
    x = np.random.default_rng(0).normal(size=100)
    for derivative, function in CASES:
        recorded = simplify(program(derivative(function))(x))
        patterns = bands.nonzeros(recorded)
        values = dict(zip(recorded.inputs, [x], strict=True)) | dict(recorded.constants)
        for op in recorded.operations:
            args = [a.value if isinstance(a, Literal) else values[a] for a in op.inputs]
            out = op.primitive.bind(*args, **op.params)
            values.update(zip(op.outputs, out if op.primitive.multiple else (out,), strict=True))
        for v, pattern in patterns.items():
            assert pattern.shape == values[v].shape
            assert not np.any(values[v][~pattern])
        assert patterns or derivative is jacrev


def test_under_vmap():
    x = np.random.default_rng(0).normal(size=(3, 60))
    np.testing.assert_allclose(jit(vmap(hessian(rosenbrock)))(x), vmap(hessian(rosenbrock))(x), rtol=1e-13)
