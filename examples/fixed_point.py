"""Differentiating a fixed point by a rule of one's own instead of through the iterations that found it.

For z = f(z, θ) the implicit function theorem gives dz/dθ = (1 - ∂f/∂z)⁻¹ ∂f/∂θ, so the pullback of a cotangent v solves
another fixed-point equation, w = v + wᵀ ∂f/∂z, and returns wᵀ ∂f/∂θ. Nothing of the iteration has to be kept.
"""

import numpy as np

import wengert


def layer(z, params):
    return np.tanh(params["weights"] @ z + params["input"])


def iterate(step, z):
    """Repeat until nothing changes any more."""
    for count in range(1, 1000):
        previous, z = z, step(z)
        if np.max(np.abs(z - previous)) < 1e-15:
            return z, count
    raise RuntimeError("the iteration does not converge")


@wengert.custom_vjp
def equilibrium(params):
    return iterate(lambda z: layer(z, params), np.zeros(len(params["input"])))[0]


def equilibrium_forward(params):
    z = equilibrium(params)
    return z, (z, params)


def equilibrium_backward(residuals, cotangent):
    z, params = residuals
    _, pullback_z = wengert.vjp(lambda z: layer(z, params), z)
    w, _ = iterate(lambda w: cotangent + pullback_z(w)[0], cotangent)
    _, pullback_params = wengert.vjp(lambda params: layer(z, params), params)
    return pullback_params(w)


equilibrium.defvjp(equilibrium_forward, equilibrium_backward)


def main():
    rng = np.random.default_rng(0)
    params = {"weights": 0.1 * rng.normal(size=(8, 8)), "input": rng.normal(size=8)}

    def loss(params):
        return np.sum(equilibrium(params) ** 2)

    def loss_through_iterations(params):
        z = params["input"] * 0.0
        for _ in range(60):
            z = layer(z, params)
        return np.sum(z**2)

    by_rule = wengert.grad(loss)(params)
    through = wengert.grad(loss_through_iterations)(params)
    difference = max(float(np.max(np.abs(by_rule[k] - through[k]))) for k in params)
    z, count = iterate(lambda z: layer(z, params), np.zeros(8))
    print(f"fixed point after {count} iterations, |z - f(z)| = {np.linalg.norm(z - layer(z, params)):.1e}")
    print(f"gradient by the rule and through 60 iterations differ by {difference:.1e}")
    return {"by_rule": by_rule, "through": through, "difference": difference}


if __name__ == "__main__":
    main()
