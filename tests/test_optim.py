"""Optimisers: first steps by hand, convergence to closed forms, containers, and each method of SciPy."""

import dataclasses
import io
from typing import NamedTuple

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

import wengert
from wengert import optim
from wengert.core.containers import flatten
from wengert.errors import ContainerMismatchError, InputTypeError, OutputError
from wengert.optim.progress import Progress

GRADIENT_METHODS = {
    "sgd": optim.sgd(0.1),
    "momentum": optim.momentum(0.05),
    "nesterov": optim.nesterov(0.05),
    "adam": optim.adam(0.1),
    "rmsprop": optim.rmsprop(optim.exponential_decay(0.1, 0.98)),
}


def run(optimizer, fun, params, steps):
    state = optimizer.init(params)
    for _ in range(steps):
        params, state = optimizer.update(wengert.grad(fun)(params), state, params)
    return params, state


# Gradient methods -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_reaches_the_minimum_of_a_quadratic(name):
    matrix = np.array([[3.0, 1.0], [1.0, 2.0]])
    b = np.array([1.0, -1.0])
    x, state = run(GRADIENT_METHODS[name], lambda x: 0.5 * x @ matrix @ x - b @ x, np.zeros(2), 600)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, b), atol=1e-6)
    assert state.step == 600


def test_sgd_contracts_as_the_eigenvalues_say():
    curvature = np.array([1.0, 3.0])
    x, _ = run(optim.sgd(0.1), lambda x: 0.5 * np.sum(curvature * x**2), np.ones(2), 7)
    np.testing.assert_allclose(x, (1 - 0.1 * curvature) ** 7, rtol=1e-14)


def test_two_steps_of_momentum_by_hand():
    opt = optim.momentum(0.1, decay=0.9)
    x, state = opt.update(2.0, opt.init(1.0), 1.0)
    assert x == pytest.approx(1.0 - 0.1 * 2.0)
    x, state = opt.update(-1.0, state, x)
    assert state.velocity == pytest.approx(0.9 * 2.0 - 1.0)
    assert x == pytest.approx(0.8 - 0.1 * 0.8)


def test_momentum_is_polyaks_heavy_ball():
    grad = wengert.grad(lambda x: np.sum(np.cos(x)))
    x_old = x = np.array([0.3, 1.0])
    ours, _ = run(optim.momentum(0.1, 0.8), lambda x: np.sum(np.cos(x)), x, 5)
    for _ in range(5):
        x_old, x = x, x - 0.1 * grad(x) + 0.8 * (x - x_old)
    np.testing.assert_allclose(ours, x, rtol=1e-13)


def test_nesterov_is_the_scheme_of_1983_at_the_looked_ahead_point():
    def f(x):
        return np.sum(np.cos(x))

    grad = wengert.grad(f)
    y = x = np.array([0.3, 1.0])
    ours, _ = run(optim.nesterov(0.1, 0.8), f, x, 5)
    for _ in range(5):
        y_old, y = y, x - 0.1 * grad(x)
        x = y + 0.8 * (y - y_old)
    np.testing.assert_allclose(ours, x, rtol=1e-13)


def test_two_steps_of_adam_by_hand():
    opt = optim.adam(0.01, beta1=0.8, beta2=0.9, epsilon=1e-3)
    x, state = opt.update(2.0, opt.init(1.0), 1.0)
    assert x == pytest.approx(1.0 - 0.01 * 2.0 / (2.0 + 1e-3), rel=1e-14)
    x2, state = opt.update(-4.0, state, x)
    m, v = 0.8 * (0.2 * 2.0) + 0.2 * -4.0, 0.9 * (0.1 * 4.0) + 0.1 * 16.0
    m_hat, v_hat = m / (1 - 0.8**2), v / (1 - 0.9**2)
    assert x2 == pytest.approx(x - 0.01 * m_hat / (np.sqrt(v_hat) + 1e-3), rel=1e-14)
    assert state.step == 2


def test_first_adam_step_has_the_length_of_the_learning_rate_whatever_the_scale():
    opt = optim.adam(0.1, epsilon=0.0)
    x = np.zeros(3)
    new, _ = opt.update(np.array([1e-150, -1.0, 1e150]), opt.init(x), x)
    np.testing.assert_allclose(new, [-0.1, 0.1, -0.1], rtol=1e-12)


class Pair(NamedTuple):
    a: object
    b: object


@dataclasses.dataclass
class Model:
    w: object
    b: object


@pytest.mark.parametrize("name", GRADIENT_METHODS)
@pytest.mark.parametrize(
    "params",
    [
        {"w": np.ones((2, 3)), "b": 0.5},
        [np.ones(2), (np.zeros((0,)), 3.0)],
        Pair(np.ones(2), {"c": 2.0}),
        Model(np.ones(2), np.float64(1.0)),
        np.float64(2.0),
    ],
    ids=lambda p: type(p).__name__,
)
def test_containers_keep_structure_shapes_and_are_not_changed(name, params):
    def loss(p):
        return sum(np.sum(x**2) for x in flatten(p)[0])

    before = [np.array(x) for x in flatten(params)[0]]
    new, _ = run(GRADIENT_METHODS[name], loss, params, 3)
    assert flatten(new)[1] == flatten(params)[1]
    for old, was, x in zip(flatten(params)[0], before, flatten(new)[0], strict=True):
        assert np.array_equal(old, was)
        assert np.shape(x) == np.shape(old)
        assert np.all(np.abs(x) < np.abs(was))


@pytest.mark.parametrize("name", GRADIENT_METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_dtypes_are_kept_and_complex_parameters_descend(name, dtype):
    target = (np.array([1.0, -2.0]) + (1j if np.dtype(dtype).kind == "c" else 0)).astype(dtype)
    opt = optim.chain(optim.clip_by_global_norm(1.0), GRADIENT_METHODS[name])
    x, state = run(opt, lambda x: np.sum(np.abs(x - target) ** 2), np.zeros(2, dtype), 700)
    assert x.dtype == dtype
    np.testing.assert_allclose(x, target, atol=1e-3)
    if name in ("adam", "rmsprop"):
        assert state.square.dtype.kind == "f"


def test_a_numpy_learning_rate_does_not_promote_float32():
    x = np.ones(2, np.float32)
    for rate in (np.float64(0.1), lambda k: np.float64(0.1), optim.cosine_decay(np.float64(0.1), 5)):
        assert optim.sgd(rate).update(x, optim.sgd(rate).init(x), x)[0].dtype == np.float32


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_a_step_can_be_differentiated(name):
    opt = getattr(optim, name)

    def loss_after_training(rate):
        x, _ = run(opt(rate), lambda x: np.sum((x - 1.0) ** 4), np.array([0.0, 0.5]), 3)
        return np.sum(x**2)

    h = 1e-6
    slope = (loss_after_training(0.05 + h) - loss_after_training(0.05 - h)) / (2 * h)
    assert wengert.grad(loss_after_training)(0.05) == pytest.approx(slope, rel=1e-6)
    assert wengert.derivative(loss_after_training, 0.05) == pytest.approx(slope, rel=1e-6)


def test_two_steps_of_rmsprop_by_hand():
    opt = optim.rmsprop(0.01, decay=0.8, epsilon=1e-3, initial=1.0)
    x, state = opt.update(2.0, opt.init(1.0), 1.0)
    assert state.square == pytest.approx(0.8 + 0.2 * 4.0)
    assert x == pytest.approx(1.0 - 0.01 * 2.0 / (np.sqrt(1.6) + 1e-3))
    first = x
    x, state = opt.update(-1.0, state, x)
    assert state.square == pytest.approx(0.8 * 1.6 + 0.2)
    assert x == pytest.approx(first + 0.01 / (np.sqrt(1.48) + 1e-3))


def test_differentiating_adam_at_a_zero_gradient_is_finite():
    opt = optim.adam(0.1)

    def stepped(start):
        x, _ = opt.update(wengert.grad(lambda x: np.sum(x**2))(start), opt.init(start), start)
        return np.sum(x)

    assert np.all(np.isfinite(wengert.grad(stepped)(np.zeros(2))))


def test_vmap_over_starting_points():
    def trained(x):
        return run(optim.adam(0.1), lambda x: np.sum((x - 1) ** 2), x, 4)[0]

    starts = np.array([[0.0, 1.0], [5.0, -3.0]])
    np.testing.assert_allclose(wengert.vmap(trained)(starts), [trained(s) for s in starts], rtol=1e-13)


@pytest.mark.parametrize("gradient", [np.ones(1), np.ones((2, 2)), 1.0])
def test_a_gradient_of_another_shape_is_refused(gradient):
    x = np.zeros(2)
    opt = optim.sgd(0.1)
    with pytest.raises(ContainerMismatchError, match="shape"):
        opt.update(gradient, opt.init(x), x)


def test_a_gradient_of_another_structure_is_refused():
    opt = optim.adam(0.1)
    with pytest.raises(ContainerMismatchError, match="structure"):
        opt.update([1.0], opt.init({"a": 1.0}), {"a": 1.0})


# Schedules and clipping -------------------------------------------------------------------------------------------


def test_schedules_at_their_corners():
    assert optim.constant(0.3)(10**6) == 0.3
    assert optim.exponential_decay(2.0, 0.1, steps=5)(10) == pytest.approx(0.02)
    cosine = optim.cosine_decay(3.0, 8, final=1.0)
    np.testing.assert_allclose(cosine(np.array([0, 2, 4, 8, 99])), [3, 2 + np.sqrt(0.5), 2, 1, 1])
    steps = optim.piecewise_constant([2, 4], [1.0, 0.5, 0.25])
    assert [steps(k) for k in range(6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    rising = optim.warmup(4, optim.exponential_decay(1.0, 0.5))
    np.testing.assert_allclose(rising(np.arange(7)), [0.2, 0.4, 0.6, 0.8, 1.0, 0.5, 0.25])
    assert optim.warmup(0, 0.5)(0) == 0.5


@pytest.mark.parametrize(
    "make",
    [
        lambda: optim.piecewise_constant([1], [1.0]),
        lambda: optim.piecewise_constant([3, 2], [1.0, 2.0, 3.0]),
        lambda: optim.cosine_decay(1.0, 0),
        lambda: optim.exponential_decay(1.0, 0.5, steps=0),
        lambda: optim.warmup(-1, 1.0),
        lambda: optim.clip_by_value(0.0),
        lambda: optim.clip_by_global_norm(float("nan")),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(ValueError, match=r"\w"):
        make()


def test_the_schedule_counts_steps_from_zero():
    seen = []
    opt = optim.sgd(lambda k: seen.append(k) or 0.5**k)
    x, state = 0.0, opt.init(0.0)
    for _ in range(3):
        x, state = opt.update(1.0, state, x)
    assert seen == [0, 1, 2]
    assert x == -1.75


def test_clipping_by_norm_shortens_only_what_is_too_long():
    g = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert optim.global_norm(g) == 5
    clipped = optim.clip_by_global_norm(2.5)(g)
    np.testing.assert_allclose(clipped["a"], [1.5, 0.0])
    np.testing.assert_allclose(clipped["b"], [[2.0]])
    same = optim.clip_by_global_norm(6.0)(g)
    assert np.array_equal(same["a"], g["a"])


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_the_norm_neither_overflows_nor_underflows(scale):
    assert optim.global_norm([3 * scale, np.array([4.0 * scale])]) == pytest.approx(5 * scale, rel=1e-14)


def test_norms_of_special_values():
    assert optim.global_norm([]) == 0
    assert optim.global_norm(np.zeros((0, 3))) == 0
    assert optim.global_norm([np.zeros(3), 0.0]) == 0
    assert optim.global_norm(np.array([3 + 4j])) == pytest.approx(5)
    assert np.isnan(optim.global_norm([np.nan, 1.0]))
    assert optim.global_norm([np.inf, 1.0]) == np.inf
    clip = optim.clip_by_global_norm(1.0)
    np.testing.assert_array_equal(clip(np.zeros(2)), np.zeros(2))
    assert np.all(np.isnan(clip(np.array([np.nan, 1.0]))))
    assert optim.clip_by_global_norm(0.5)({"a": np.float32([1, 2]), "b": np.ones(2)})["a"].dtype == np.float32


def test_the_norm_can_be_differentiated():
    x = np.array([3.0, 4.0])
    np.testing.assert_allclose(wengert.grad(optim.global_norm)(x), x / 5, rtol=1e-14)
    np.testing.assert_allclose(wengert.hessian(optim.global_norm)(x), (np.eye(2) - np.outer(x, x) / 25) / 5, atol=1e-15)


def test_clipping_by_value():
    clip = optim.clip_by_value(2.0)
    got = clip({"a": np.array([-5.0, 1.0, np.nan, np.inf]), "b": 3.0})
    np.testing.assert_array_equal(got["a"], [-2.0, 1.0, np.nan, 2.0])
    assert got["b"] == 2.0
    with pytest.raises(InputTypeError, match="clip_by_global_norm"):
        clip(np.array([1j]))


def test_chain_applies_in_order_and_checks_its_arguments():
    opt = optim.chain(lambda g: 10 * g, optim.clip_by_value(1.0), optim.sgd(1.0))
    assert opt.update(0.05, opt.init(0.0), 0.0)[0] == -0.5
    assert opt.update(0.5, opt.init(0.0), 0.0)[0] == -1.0
    with pytest.raises(TypeError, match="Optimizer"):
        optim.chain(optim.sgd(1.0), optim.clip_by_value(1.0))


# Containers as vectors --------------------------------------------------------------------------------------------


def test_ravel_round_trip():
    tree = {"w": np.arange(6.0).reshape(2, 3), "b": [1.5, np.zeros((0, 2))], "z": np.array([1 + 2j])}
    vector, unravel = optim.ravel(tree)
    back = unravel(vector)
    assert vector.shape == (8,)
    assert vector.dtype == complex
    assert flatten(back)[1] == flatten(tree)[1]
    for x, y in zip(flatten(tree)[0], flatten(back)[0], strict=True):
        assert np.array_equal(x, y)
        assert np.asarray(x).dtype == y.dtype
    with pytest.raises(ContainerMismatchError, match="8"):
        unravel(np.zeros(7))


def test_ravel_of_nothing_and_of_strings():
    vector, unravel = optim.ravel({})
    assert vector.shape == (0,)
    assert unravel(vector) == {}
    with pytest.raises(InputTypeError, match="str"):
        optim.ravel(["a"])


def test_ravel_does_not_alias_its_argument():
    x = np.ones(3)
    optim.ravel(x)[0][0] = 5
    assert x[0] == 1


def test_ravel_inside_a_derivative():
    def f(p):
        vector, unravel = optim.ravel(p)
        return np.sum(vector**3) + np.sum(unravel(vector**2)["w"])

    p = {"w": np.array([[1.0, 2.0]]), "b": 3.0}
    g = wengert.grad(f)(p)
    np.testing.assert_allclose(g["w"], 3 * p["w"] ** 2 + 2 * p["w"])
    assert g["b"] == 27


# SciPy's solvers --------------------------------------------------------------------------------------------------


def rosenbrock(p):
    return np.sum(100 * (p["y"] - p["x"] ** 2) ** 2 + (1 - p["x"]) ** 2)


START = {"x": np.array([[-1.2, 0.5]]), "y": np.array([1.0, 0.7])}


# In trust-krylov SciPy multiplies memory by zero that nobody has written to, which may hold anything.
@pytest.mark.filterwarnings("ignore:invalid value encountered in multiply:RuntimeWarning")
@pytest.mark.parametrize(
    "method",
    [
        None, "CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-ncg", "trust-krylov", "trust-exact",
        "trust-constr", "Nelder-Mead", "Powell", "COBYQA",
    ],
)  # fmt: skip
def test_minimize_by_each_method(method):
    free = method in ("Nelder-Mead", "Powell", "COBYQA")
    seen = []
    options = {"TNC": {"maxfun": 2000}, "Newton-CG": {"xtol": 1e-9}}.get(method)
    result = optim.minimize(
        lambda p: rosenbrock({"x": p["x"][0], "y": p["y"]}), START, method=method, callback=seen.append, options=options
    )
    tolerance = 1e-3 if free or method == "TNC" else 1e-4
    assert result.x["x"].shape == (1, 2)
    np.testing.assert_allclose(result.x["x"], np.ones((1, 2)), atol=tolerance)
    np.testing.assert_allclose(result.x["y"], np.ones(2), atol=2 * tolerance)
    assert [s.nit for s in seen] == list(range(1, len(seen) + 1))
    assert len(seen) > 3
    for s in seen:
        assert s.fun == rosenbrock({"x": s.x["x"][0], "y": s.x["y"]})
    if not free:
        assert seen[-1].fun < 1e-5


def test_dogleg_on_a_convex_function():
    result = optim.minimize(lambda x: np.sum(np.cosh(x - np.arange(3.0))), np.zeros(3), method="dogleg")
    np.testing.assert_allclose(result.x, np.arange(3.0), atol=1e-5)
    assert result.nhev > 0


def test_newton_cg_uses_products_and_trust_exact_matrices():
    def f(x):
        return np.sum((x - 2.0) ** 4 + x**2)

    products = optim.minimize(f, np.zeros(3), method="Newton-CG", tol=1e-12)
    matrices = optim.minimize(f, np.zeros(3), method="trust-exact", tol=1e-12)
    np.testing.assert_allclose(products.x, matrices.x, atol=1e-8)
    assert products.nhev > 0
    assert matrices.nhev > 0


def test_one_quadratic_newton_step_is_exact():
    matrix = np.array([[4.0, 1.0], [1.0, 3.0]])
    b = np.array([1.0, 2.0])
    result = optim.minimize(lambda x: 0.5 * x @ matrix @ x - b @ x, np.zeros(2), method="trust-exact")
    np.testing.assert_allclose(result.x, np.linalg.solve(matrix, b), rtol=1e-12)
    assert result.nit <= 3


def test_the_function_is_run_once_for_value_and_gradient():
    runs = []

    def f(x):
        runs.append(None)
        return np.sum((x - 1) ** 2)

    result = optim.minimize(f, np.zeros(3), method="BFGS")
    assert len(runs) == result.nfev


def test_args_and_the_shape_of_x0():
    result = optim.minimize(lambda x, a, k: np.sum((x - a) ** 2) * k, np.zeros((2, 2)), args=(np.eye(2), 3))
    np.testing.assert_allclose(result.x, np.eye(2), atol=1e-7)
    scalar = optim.minimize(lambda x: (x - 2.0) ** 2, 0)
    assert scalar.x.shape == ()
    assert scalar.x == pytest.approx(2.0, abs=1e-6)


def test_bounds_of_an_array_are_scipys():
    def f(x):
        return np.sum((x - np.array([2.0, -2.0])) ** 2)

    for bounds in ([(0, 1), (None, -3)], Bounds([0, -np.inf], [1, -3])):
        np.testing.assert_allclose(optim.minimize(f, np.array([0.5, -4.0]), bounds=bounds).x, [1, -3], atol=1e-8)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), ({"a": np.zeros(2), "b": 0.0}, {"a": 1.0, "b": 1.0}), (None, 1.0)])
def test_bounds_of_a_container(bounds):
    def f(p):
        return np.sum((p["a"] - np.array([3.0, 0.5])) ** 2) + (p["b"] - 2) ** 2

    x = optim.minimize(f, {"a": np.zeros(2), "b": 0.0}, bounds=bounds).x
    np.testing.assert_allclose(x["a"], [1.0, 0.5], atol=1e-7)
    assert x["b"] == pytest.approx(1.0)


def test_bounds_of_another_structure_are_refused():
    with pytest.raises(ContainerMismatchError, match="bounds"):
        optim.minimize(lambda p: p["a"] ** 2, {"a": 1.0}, bounds=({"b": 0.0}, None))


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr", "COBYLA", "COBYQA", None])
@pytest.mark.parametrize("kind", ["dict", "nonlinear", "linear"])
def test_constraints(method, kind):
    """The point of the circle |p| = √2 (or of the line a + b = -2) where a + b + a² is least."""
    x0 = {"a": -1.2, "b": np.array([-0.6])}
    constraint = {
        "dict": {"type": "eq", "fun": lambda p, r: p["a"] ** 2 + np.sum(p["b"] ** 2) - r, "args": (2.0,)},
        "nonlinear": NonlinearConstraint(lambda p: [p["a"] ** 2 + p["b"] ** 2], 2.0, 2.0),
        "linear": LinearConstraint(np.ones((1, 2)), -2.0, -2.0),
    }[kind]
    expected = {"linear": (0.0, -2.0)}.get(kind)
    if expected is None:
        t = np.linspace(0, 2 * np.pi, 400001)
        a, b = np.sqrt(2) * np.cos(t), np.sqrt(2) * np.sin(t)
        best = np.argmin(a + b + a**2)
        expected = a[best], b[best]
    result = optim.minimize(
        lambda p: p["a"] + np.sum(p["b"]) + p["a"] ** 2,
        x0,
        method=method,
        constraints=constraint,
        tol=None if method == "trust-constr" else 1e-10,
    )
    tolerance = 1e-3 if method in ("COBYLA", "COBYQA", "trust-constr") else 1e-5
    assert result.x["a"] == pytest.approx(expected[0], abs=tolerance)
    assert result.x["b"][0] == pytest.approx(expected[1], abs=tolerance)


def test_derivatives_of_constraints_that_are_given_are_used():
    calls = []

    def jac(x):
        calls.append(x)
        return 2 * x

    constraint = {"type": "ineq", "fun": lambda x: np.sum(x**2) - 1, "jac": jac}
    result = optim.minimize(lambda x: np.sum((x - 0.1) ** 2), np.array([1.0, 2.0]), constraints=[constraint])
    assert calls
    assert np.sum(result.x**2) == pytest.approx(1.0)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "TNC", "SLSQP", "COBYLA", "trust-constr", "Nelder-Mead"])
def test_a_callback_stops_every_method(method):
    def stop(step):
        if step.nit == 3:
            raise StopIteration

    result = optim.minimize(rosenbrock, {"x": np.array([-1.2]), "y": 1.0}, method=method, callback=stop)
    assert result.nit == 3
    assert not result.success
    assert "StopIteration" in result.message
    assert result.x["x"].shape == (1,)


def test_a_failing_callback_or_function_is_heard_of():
    class Mine(Exception):
        pass

    def fail(*_):
        raise Mine

    for method in ("BFGS", "L-BFGS-B", "SLSQP", "TNC"):
        with pytest.raises(Mine):
            optim.minimize(lambda x: np.sum(x**2), np.ones(2), method=method, callback=fail)
        with pytest.raises(Mine):
            optim.minimize(fail, np.ones(2), method=method)


@pytest.mark.parametrize("method", ["BFGS", "Nelder-Mead"])
def test_minimize_of_what_is_not_a_real_scalar(method):
    with pytest.raises(OutputError, match="least_squares"):
        optim.minimize(lambda x: x**2, np.ones(2), method=method)
    with pytest.raises(OutputError, match="complex"):
        optim.minimize(lambda x: np.sum(x) * 1j, np.ones(2), method=method)


def test_complex_and_unsuitable_starts_are_refused():
    with pytest.raises(InputTypeError, match="complex128"):
        optim.minimize(lambda x: np.sum(np.abs(x)), np.ones(2, complex))
    with pytest.raises(InputTypeError, match="Pass numbers"):
        optim.root(lambda x: x, {"a": "text"})


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_least_squares_by_each_method(method):
    t = np.linspace(0, 1, 20)
    y = 2.0 * np.exp(-3.0 * t) + 0.5
    seen = []
    result = optim.least_squares(
        lambda p: {"all": p["a"] * np.exp(-p["k"][0] * t) + p["k"][1] - y},
        {"a": 1.0, "k": np.ones(2)},
        method=method,
        callback=seen.append,
        xtol=1e-14,
    )
    assert result.x["a"] == pytest.approx(2.0)
    np.testing.assert_allclose(result.x["k"], [3.0, 0.5])
    assert seen[0].cost > seen[-1].cost
    assert seen[0].fun.shape == (20,)


def test_least_squares_agrees_with_the_normal_equations():
    rng = np.random.default_rng(0)
    matrix, y = rng.normal(size=(10, 3)), rng.normal(size=10)
    result = optim.least_squares(lambda x: matrix @ x - y, np.zeros(3))
    np.testing.assert_allclose(result.x, np.linalg.lstsq(matrix, y)[0], rtol=1e-10)
    np.testing.assert_allclose(result.jac, matrix, rtol=1e-14)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), ({"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 1.0})])
def test_least_squares_with_bounds(bounds):
    result = optim.least_squares(
        lambda p: [p["a"] - 3.0, p["b"] - 0.25], {"a": 0.5, "b": np.full(2, 0.5)}, bounds=bounds
    )
    assert result.x["a"] == pytest.approx(1.0)
    np.testing.assert_allclose(result.x["b"], 0.25, atol=1e-8)


def test_least_squares_with_bounds_of_an_array():
    result = optim.least_squares(lambda x: x - np.array([3.0, 0.5]), np.array([0.1, 0.2]), bounds=([0, 0], [1, 1]))
    np.testing.assert_allclose(result.x, [1.0, 0.5], atol=1e-8)


def test_stopping_least_squares_and_root():
    def stop(step):
        if step.nit == 2:
            raise StopIteration

    squares = optim.least_squares(lambda x: np.exp(x) - 2, np.array([3.0]), callback=stop)
    zero = optim.root(lambda x: np.exp(x) - 2, np.array([3.0]), callback=stop)
    assert squares.nit == zero.nit == 2
    assert not squares.success
    assert not zero.success


@pytest.mark.parametrize("method", ["hybr", "lm", "broyden1", "krylov", "df-sane"])
def test_root_by_each_method(method):
    def f(p):
        return [2 * p["u"] + 0.1 * np.sin(p["v"]), 2 * p["v"] - np.cos(p["u"])]

    result = optim.root(f, {"u": np.array([0.3]), "v": 0.2}, method=method, tol=1e-11)
    assert result.success
    np.testing.assert_allclose(np.concatenate([np.ravel(r) for r in f(result.x)]), 0, atol=1e-8)
    assert result.x["u"].shape == (1,)


def test_root_gets_the_exact_jacobian():
    result = optim.root(lambda x: x**3 - np.array([8.0, 27.0]), np.array([1.0, 1.0]), method="lm")
    reference = scipy.optimize.root(
        lambda x: x**3 - [8.0, 27.0], np.ones(2), jac=lambda x: np.diag(3 * x**2), method="lm"
    )
    np.testing.assert_array_equal(result.x, reference.x)
    assert result.nfev == reference.nfev


def test_complex_residuals_are_refused():
    with pytest.raises(OutputError, match="real and imaginary"):
        optim.least_squares(lambda x: x * 1j, np.ones(2))


def test_a_solver_inside_a_derivative_says_what_is_wrong():
    def outer(a):
        return optim.minimize(lambda x: np.sum((x - a) ** 2), np.zeros(2)).fun

    with pytest.raises(wengert.errors.WengertError):
        wengert.grad(outer)(1.0)


# Progress ---------------------------------------------------------------------------------------------------------


def test_progress_on_stderr(capsys):
    optim.minimize(lambda x: np.sum((x - 1) ** 4), np.zeros(2), progress=True)
    shown = capsys.readouterr()
    assert "minimize (BFGS): " in shown.err
    assert shown.out == ""


def test_progress_without_tqdm():
    stream = io.StringIO()
    with Progress("fit", stream, interval=0.0) as line:
        line.show(1, 0.5)
        line.show(2, 0.25)
    assert stream.getvalue().split("\r\x1b[K") == ["", "fit: 1, 0.5", "fit: 2, 0.25", "fit: 2, 0.25\n"]


def test_progress_is_silent_by_default(capsys):
    optim.least_squares(lambda x: x - 1, np.zeros(2))
    assert capsys.readouterr().err == ""
