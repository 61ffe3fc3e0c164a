"""Hamiltonian Monte Carlo: samples of a density from the gradient of its logarithm.

R. M. Neal, "MCMC using Hamiltonian dynamics", Handbook of Markov Chain Monte Carlo (2011), chapter 5.
"""

import numpy as np

import wengert

MEAN = np.array([1.0, -2.0])
COVARIANCE = np.array([[1.0, 0.9], [0.9, 2.0]])
PRECISION = np.linalg.inv(COVARIANCE)


def log_density(x):
    d = x - MEAN
    return -0.5 * d @ PRECISION @ d


def leapfrog(x, momentum, gradient, step=0.4, count=6):
    """Follow the dynamics; reversible and volume-preserving, which is what makes the acceptance rule right."""
    momentum = momentum + 0.5 * step * gradient(x)
    for i in range(count):
        x = x + step * momentum
        momentum = momentum + (step if i < count - 1 else 0.5 * step) * gradient(x)
    return x, momentum


def hmc_step(rng, x, log_p=log_density):
    """One step of the chain: a random kick, a trajectory, and acceptance by the change of energy."""
    start = rng.normal(size=x.shape)
    new, end = leapfrog(x, start, wengert.grad(log_p))
    change = (log_p(new) - 0.5 * end @ end) - (log_p(x) - 0.5 * start @ start)
    accepted = np.log(rng.uniform()) < change
    return (new if accepted else x), bool(accepted)


def main(samples=2000):
    rng = np.random.default_rng(0)
    x, chain, accepted = np.zeros(2), [], 0
    for _ in range(samples):
        x, moved = hmc_step(rng, x)
        chain.append(x)
        accepted += moved
    chain = np.array(chain[100:])
    mean, covariance = chain.mean(axis=0), np.cov(chain.T)
    print(f"{accepted / samples:.0%} of the steps accepted")
    print(f"mean       {np.round(mean, 2)}   (truth: {MEAN})")
    print(f"covariance {np.round(covariance, 2).tolist()}   (truth: {COVARIANCE.tolist()})")
    return {"mean": mean, "covariance": covariance, "acceptance": accepted / samples}


if __name__ == "__main__":
    main()
