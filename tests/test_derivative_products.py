"""elementwise_grad and ggnvp."""

from __future__ import annotations

import numpy as np
import pytest

import wengert.numpy as wnp
from wengert import check_grads, elementwise_grad, errors, ggnvp, grad, hessian, hvp, jacobian, jit, jvp, vmap

X = np.array([0.3, -1.2, 2.0])
rng = np.random.default_rng(2)


@pytest.mark.parametrize("f", [np.tanh, np.exp, lambda x: x**3, lambda x: np.where(x > 0, x, 0.1 * x)])
@pytest.mark.parametrize("x", [X, np.float64(0.7), X.astype(np.float32), np.zeros((0, 2)), X[:, None] * X])
def test_elementwise_derivatives(f, x):
    d = elementwise_grad(f)(x)
    assert np.shape(d) == np.shape(x)
    assert d.dtype == x.dtype
    diagonal = np.array([grad(f)(e) for e in np.ravel(x)], dtype=x.dtype).reshape(np.shape(x))
    np.testing.assert_allclose(d, diagonal, rtol=1e-6 if x.dtype == np.float32 else 1e-14)


def test_elementwise_orders_and_transforms():
    third = elementwise_grad(elementwise_grad(elementwise_grad(np.sin)))
    np.testing.assert_allclose(third(X), -np.cos(X), rtol=1e-14)
    np.testing.assert_allclose(jacobian(elementwise_grad(np.sin))(X), np.diag(-np.sin(X)), rtol=1e-14)
    np.testing.assert_allclose(vmap(elementwise_grad(np.sin))(X), np.cos(X), rtol=1e-14)
    np.testing.assert_allclose(jit(elementwise_grad(np.sin))(X), np.cos(X), rtol=1e-12)
    np.testing.assert_allclose(jvp(elementwise_grad(np.sin), (X,), (X,))[1], -np.sin(X) * X, rtol=1e-14)
    check_grads(elementwise_grad(lambda x: x * np.tanh(x)), (X,))


def test_elementwise_arguments():
    a, b = elementwise_grad(lambda x, y: x * y**2, argnums=(0, 1))(X, 2.0)
    np.testing.assert_allclose(a, [4.0, 4.0, 4.0])
    np.testing.assert_allclose(b, np.sum(4 * X))  # what is broadcast is summed
    d = elementwise_grad(lambda p: {"u": p["x"] ** 2, "v": 3 * p["x"]})({"x": X})
    np.testing.assert_allclose(d["x"], 2 * X + 3)
    np.testing.assert_array_equal(elementwise_grad(np.floor)(X), 0 * X)
    np.testing.assert_array_equal(elementwise_grad(lambda x: x > 0)(X), 0 * X)
    np.testing.assert_allclose(elementwise_grad(np.abs)(np.array([3 + 4j])), [0.6 + 0.8j])


def test_elementwise_errors():
    with pytest.raises(errors.OutputError, match="real results"):
        elementwise_grad(np.exp)(np.array([1j]))
    with pytest.raises(errors.InputTypeError):
        elementwise_grad(np.exp)(np.array([1]))


A = rng.normal(size=(4, 3))


def model(x):
    return np.tanh(A @ x) * x[0]


def cross_entropy(y):
    return np.log(np.sum(np.exp(y))) - y[1]


@pytest.mark.parametrize("loss", [None, cross_entropy, lambda y: np.sum(y**4)])
def test_gauss_newton_products(loss):
    v = rng.normal(size=3)
    J = jacobian(model)(X)
    H = np.eye(4) if loss is None else hessian(loss)(model(X))
    product = ggnvp(model, (X,), (v,), loss)
    np.testing.assert_allclose(product, J.T @ H @ J @ v, rtol=1e-12)
    G = vmap(lambda v: ggnvp(model, (X,), (v,), loss))(np.eye(3))
    np.testing.assert_allclose(G, J.T @ H @ J, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(jit(lambda v: ggnvp(model, (X,), (v,), loss))(v), product, rtol=1e-10)
    check_grads(lambda x, v: ggnvp(model, (x,), (v,), loss), (X, v), order=1)


def test_of_a_linear_model_it_is_the_hessian():
    v = rng.normal(size=3)
    np.testing.assert_allclose(
        ggnvp(lambda x: A @ x, (X,), (v,), cross_entropy), hvp(lambda x: cross_entropy(A @ x), (X,), (v,)), rtol=1e-12
    )


def test_gauss_newton_containers_and_several_arguments():
    def f(p, b):
        return {"y": p["w"] @ X + b, "z": p["w"][0]}

    p, b = {"w": rng.normal(size=(2, 3))}, rng.normal(size=2)
    dp, db = ggnvp(f, (p, b), (p, b), lambda o: np.sum(o["y"] ** 2) + np.sum(o["z"] ** 2))
    dot = p["w"] @ X + b
    np.testing.assert_allclose(db, 2 * dot)
    np.testing.assert_allclose(dp["w"], 2 * np.outer(dot, X) + 2 * p["w"] * [[1.0], [0.0]])
    z = np.array([1 + 2j, 0.5 - 1j])
    np.testing.assert_allclose(ggnvp(lambda z: (1 + 1j) * z, (z,), (z,)), 2 * z)
    np.testing.assert_array_equal(ggnvp(lambda x: wnp.ones(2), (X,), (X,)), 0 * X)


def test_gauss_newton_errors():
    with pytest.raises(errors.ContainerMismatchError, match="tuples"):
        ggnvp(model, X, X)
    with pytest.raises(errors.ContainerMismatchError, match="shape"):
        ggnvp(model, (X,), (np.ones(2),))
    with pytest.raises(errors.OutputError, match="scalar"):
        ggnvp(model, (X,), (X,), lambda y: y)
