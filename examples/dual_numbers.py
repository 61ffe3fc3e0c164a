"""Dual numbers: arithmetic with a + bε, where ε² = 0, carries derivatives along.

f(a + ε) = f(a) + f′(a) ε, so a derivative needs no more than one evaluation. A dual number whose parts are dual numbers
gives the second derivative.
"""

import numpy as np

import wengert
from wengert import Dual


def f(x):
    return np.exp(-x) * np.sin(x) / (1 + x**2)


def newton(fun, x, steps=20):
    """Find a root by Newton's method: a dual number holds value and slope."""
    for _ in range(steps):
        y = fun(Dual(x, 1.0))
        x = x - y.primal / y.tangent
    return x


def main():
    x = Dual(2.0, 1.0)
    print(f"x          = {x}")
    print(f"x·x + 3/x  = {x * x + 3 / x}")
    print(f"f(x)       = {f(x)}")

    slope = f(x).tangent
    by_hand = np.exp(-2) * ((np.cos(2) - np.sin(2)) * 5 - 4 * np.sin(2)) / 25
    print(f"f′(2)      = {slope:.15f}, by hand {by_hand:.15f}")

    twice = f(Dual(Dual(2.0, 1.0), Dual(1.0, 0.0)))
    second = twice.tangent.tangent
    print(f"f″(2)      = {second:.15f}, by wengert.derivative {wengert.derivative(f, 2.0, order=2):.15f}")

    root = newton(lambda t: np.cos(t) - t, 1.0)
    print(f"cos t = t at {root:.15f}")
    return {"slope": slope, "by_hand": by_hand, "second": second, "root": root}


if __name__ == "__main__":
    main()
