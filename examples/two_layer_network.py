"""A two-layer network in the object style: make variables, compute, call backward(), read .grad.

It learns which of two interleaved spirals a point belongs to, which no straight line can tell.
"""

import numpy as np

import wengert


def spirals(rng, count=150):
    turn = np.sqrt(rng.uniform(size=count)) * 1.5 * np.pi
    arm = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / 5
    points = np.concatenate([arm, -arm]) + 0.02 * rng.normal(size=(2 * count, 2))
    return points, np.repeat([0.0, 1.0], count)


class Network:
    """Input, a layer of tanh units, and one output: the logarithm of the odds."""

    def __init__(self, rng, inputs=2, hidden=24):
        self.w1 = wengert.variable(rng.normal(size=(inputs, hidden)) * 2)
        self.b1 = wengert.variable(rng.normal(size=hidden))
        self.w2 = wengert.variable(rng.normal(size=hidden) / np.sqrt(hidden))
        self.b2 = wengert.variable(0.0)

    @property
    def variables(self):
        return [self.w1, self.b1, self.w2, self.b2]

    def __call__(self, x):
        return np.tanh(x @ self.w1 + self.b1) @ self.w2 + self.b2


def loss(network, x, y):
    return np.mean(np.logaddexp(0.0, (1 - 2 * y) * network(x)))


def main(steps=1500, rate=0.3, decay=0.95):
    rng = np.random.default_rng(0)
    x, y = spirals(rng)
    network = Network(rng)
    velocities = [np.zeros_like(v.data) for v in network.variables]
    losses = []
    for step in range(steps):
        value = loss(network, x, y)
        losses.append(float(wengert.stop_gradient(value)))
        value.backward()
        for i, v in enumerate(network.variables):
            velocities[i] = decay * velocities[i] - rate * (1 - decay) * 4 * v.grad
            v.data = v.data + velocities[i]
            v.zero_grad()
        if step % 300 == 0:
            print(f"step {step:>4}: loss {losses[-1]:.4f}")
    hidden = np.tanh(x @ network.w1.data + network.b1.data)
    odds = hidden @ network.w2.data + network.b2.data
    accuracy = float(np.mean((odds > 0) == (y > 0.5)))
    print(f"step {steps}: loss {losses[-1]:.4f}, {accuracy:.1%} of the points right")
    return {"losses": losses, "accuracy": accuracy}


if __name__ == "__main__":
    main()
