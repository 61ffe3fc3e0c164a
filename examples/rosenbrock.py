"""Rosenbrock's banana valley in ten dimensions by several of SciPy's methods, with exact derivatives."""

import numpy as np

from wengert import optim


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def main():
    start = np.zeros(10)
    results = {}
    print("method         steps   values   distance from the minimum")
    for method in ("CG", "BFGS", "L-BFGS-B", "Newton-CG", "trust-exact"):
        result = optim.minimize(rosenbrock, start, method=method, tol=1e-10)
        results[method] = result
        print(f"{method:<12} {result.nit:>7} {result.nfev:>8}   {np.linalg.norm(result.x - 1):.1e}")
    return results


if __name__ == "__main__":
    main()
