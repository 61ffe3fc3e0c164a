"""Gaussian-process regression: the kernel's parameters by maximising the marginal likelihood through a Cholesky factor.

Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), algorithm 2.1.
"""

import numpy as np

from wengert import optim


def kernel(log_params, x, y):
    """Squared exponential."""
    scale, length = np.exp(log_params["scale"]), np.exp(log_params["length"])
    return scale**2 * np.exp(-0.5 * ((x[:, None] - y[None, :]) / length) ** 2)


def factor(log_params, x):
    """Cholesky factor of the covariance of the observations."""
    return np.linalg.cholesky(kernel(log_params, x, x) + np.exp(2 * log_params["noise"]) * np.eye(len(x)))


def negative_log_likelihood(log_params, x, y):
    lower = factor(log_params, x)
    whitened = np.linalg.solve(lower, y)
    return 0.5 * np.sum(whitened**2) + np.sum(np.log(np.diag(lower))) + 0.5 * len(x) * np.log(2 * np.pi)


def predict(log_params, x, y, new):
    lower = factor(log_params, x)
    across = np.linalg.solve(lower, kernel(log_params, x, new))
    mean = across.T @ np.linalg.solve(lower, y)
    variance = np.diag(kernel(log_params, new, new)) - np.sum(across**2, axis=0)
    return mean, np.sqrt(variance)


def main():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-3, 3, size=60))
    y = np.sin(2 * x) + 0.1 * rng.normal(size=x.size)

    start = {"scale": 0.0, "length": 1.0, "noise": -1.0}
    result = optim.minimize(negative_log_likelihood, start, args=(x, y), method="L-BFGS-B")
    found = {name: float(np.exp(value)) for name, value in result.x.items()}
    new = np.linspace(-2.5, 2.5, 11)
    mean, deviation = predict(result.x, x, y, new)
    print(", ".join(f"{name} {value:.3f}" for name, value in found.items()), "(noise of the data: 0.1)")
    print("   x    predicted         sin 2x")
    for point, m, d in zip(new, mean, deviation, strict=True):
        print(f"{point:5.1f}   {m:6.3f} ± {d:.3f}   {np.sin(2 * point):6.3f}")
    return {"found": found, "new": new, "mean": mean, "deviation": deviation, "start": start, "data": (x, y)}


if __name__ == "__main__":
    main()
