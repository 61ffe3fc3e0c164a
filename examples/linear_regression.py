"""Linear regression: a plane through noisy points, by gradient descent, and how sure one may be of it.

The Hessian of the loss gives the standard errors of the coefficients.
"""

import numpy as np

import wengert
from wengert import optim


def loss(params, x, y):
    residuals = x @ params["slopes"] + params["intercept"] - y
    return np.mean(residuals**2)


def main():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    truth = {"slopes": np.array([2.0, -1.0, 0.5]), "intercept": 3.0}
    y = x @ truth["slopes"] + truth["intercept"] + 0.3 * rng.normal(size=200)

    params = {"slopes": np.zeros(3), "intercept": 0.0}
    optimizer = optim.nesterov(0.1)
    state = optimizer.init(params)
    gradient = wengert.grad(loss)
    for _ in range(300):
        params, state = optimizer.update(gradient(params, x, y), state, params)

    vector, unravel = optim.ravel(params)
    curvature = wengert.hessian(lambda v: loss(unravel(v), x, y))(vector)
    variance = loss(params, x, y) * len(y) / (len(y) - len(vector))
    errors = unravel(np.sqrt(np.diag(2 * variance / len(y) * np.linalg.inv(curvature))))
    for name in ("slopes", "intercept"):
        print(f"{name:<9} {np.round(params[name], 3)} ± {np.round(errors[name], 3)}   (truth: {truth[name]})")
    return {"params": params, "errors": errors, "truth": truth, "data": (x, y)}


if __name__ == "__main__":
    main()
