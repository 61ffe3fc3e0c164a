"""Predators and prey: the Lotka-Volterra equations fitted to noisy counts through a hand-written Runge-Kutta loop.

The solver writes into an array step by step, as one would in NumPy; the derivative goes through all of it. The only
difference is ``import wengert.numpy as np``, whose ``zeros`` makes an array that can hold what is being differentiated.
"""

import wengert.numpy as np
from wengert import optim

DT, STEPS = 0.1, 150
NAMES = ("growth", "predation", "death", "conversion", "prey at 0", "predators at 0")


def slope(state, rates):
    prey, predators = state[0], state[1]
    change = np.zeros(2)
    change[0] = prey * (rates[0] - rates[1] * predators)
    change[1] = predators * (rates[3] * prey - rates[2])
    return change


def solve(params):
    """Return the states at all time steps by the classical Runge-Kutta method."""
    rates = params[:4]
    states = np.zeros((STEPS + 1, 2))
    states[0] = params[4:]
    for i in range(STEPS):
        y = states[i]
        k1 = slope(y, rates)
        k2 = slope(y + 0.5 * DT * k1, rates)
        k3 = slope(y + 0.5 * DT * k2, rates)
        k4 = slope(y + DT * k3, rates)
        states[i + 1] = y + DT / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return states


def main():
    rng = np.random.default_rng(0)
    truth = np.array([1.0, 0.4, 0.8, 0.2, 5.0, 2.0])
    counted = slice(None, None, 5)
    counts = solve(truth)[counted] * np.exp(0.05 * rng.normal(size=(STEPS // 5 + 1, 2)))

    # Positive parameters, so their logarithms are what is fitted; multiplicative noise, so the logarithms of counts.
    result = optim.least_squares(
        lambda logs: np.log(solve(np.exp(logs))[counted]) - np.log(counts),
        np.log(np.array([0.8, 0.5, 1.0, 0.25, 4.0, 3.0])),
        xtol=1e-10,
    )
    fitted = np.exp(result.x)
    for name, value, true in zip(NAMES, fitted, truth, strict=True):
        print(f"{name:<15} {value:7.4f}   (truth: {true})")
    print(f"{result.nfev} runs of the solver, {result.njev} of them differentiated")
    return {"fitted": fitted, "truth": truth, "result": result}


if __name__ == "__main__":
    main()
