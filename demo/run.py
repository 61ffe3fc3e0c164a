"""Wengert at work: the Wengert list of a function, one line fitted in both modes, and a network that reads digits."""

import os

# Two threads are plenty for arrays of this size; more of them only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "2")

import itertools
import time
from pathlib import Path

import numpy as np
from picture import draw
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import wengert
from wengert import optim

PICTURE = Path(__file__).parent / "digits.png"


def heading(text):
    print(f"\n{text}\n{'─' * len(text)}")


# 1. What is recorded --------------------------------------------------------------------------------------------------


def small_function(x, y):
    return np.sin(x * y) + np.log(x)


def show_wengert_list():
    heading("1. The Wengert list of sin(x·y) + log x at (2, 5)")
    print(wengert.trace(small_function)(2.0, 5.0))


# 2. Two modes, one answer ---------------------------------------------------------------------------------------------


def fit_line(gradient, steps=200):
    """Fit y = slope · x + intercept to noisy points by gradient descent."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1.0, 1.0, 50)
    y = 1.5 * x - 0.5 + 0.1 * rng.normal(size=x.size)

    def loss(line):
        return np.mean((line[0] * x + line[1] - y) ** 2)

    line = np.zeros(2)
    optimizer = optim.momentum(0.3, decay=0.6)
    state = optimizer.init(line)
    for _ in range(steps):
        line, state = optimizer.update(gradient(loss, line), state, line)
    return line, np.polyfit(x, y, 1)


def by_forward_mode(loss, line):
    """One pass of dual numbers for each parameter."""
    slope, intercept = line
    return np.array(
        [
            loss([wengert.Dual(slope, 1.0), intercept]).tangent,
            loss([slope, wengert.Dual(intercept, 1.0)]).tangent,
        ]
    )


def by_reverse_mode(loss, line):
    """One recorded pass, walked back once."""
    return wengert.grad(loss)(line)


def fit_in_both_modes():
    heading("2. A line fitted with derivatives by each mode")
    forward, least_squares = fit_line(by_forward_mode)
    reverse, _ = fit_line(by_reverse_mode)
    for name, (slope, intercept) in (
        ("forward mode (dual numbers)", forward),
        ("reverse mode (Wengert list)", reverse),
        ("least squares (np.polyfit)", least_squares),
    ):
        print(f"{name:<28} y = {slope:.12f} x {intercept:+.12f}")
    difference = np.max(np.abs(forward - reverse))
    print(f"largest difference between the modes: {difference:.1e}")
    assert difference < 1e-12
    assert np.allclose(reverse, least_squares, atol=1e-6)


# 3. A network ---------------------------------------------------------------------------------------------------------


def initial_weights(rng, sizes=(64, 128, 10)):
    return [
        {"weights": rng.normal(size=(n, m)) * np.sqrt(2.0 / n), "bias": np.zeros(m)}
        for n, m in itertools.pairwise(sizes)
    ]


def scores(layers, images):
    hidden = np.maximum(images @ layers[0]["weights"] + layers[0]["bias"], 0.0)
    return hidden @ layers[1]["weights"] + layers[1]["bias"]


def cross_entropy(layers, images, labels):
    s = scores(layers, images)
    s = s - np.max(s, axis=1, keepdims=True)
    log_probability = s - np.log(np.sum(np.exp(s), axis=1, keepdims=True))
    return -np.mean(log_probability[np.arange(len(labels)), labels])


def train(images, labels, test_images, test_labels, epochs=60, batch=64, seed=0):
    rng = np.random.default_rng(seed)
    layers = initial_weights(rng)
    steps = epochs * (len(labels) // batch)
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(optim.cosine_decay(1e-2, steps)))
    state = optimizer.init(layers)
    value_and_gradient = wengert.jit(wengert.value_and_grad(cross_entropy))
    losses, accuracies = [], []
    with tqdm(total=steps, unit="step", desc="training", ncols=100) as bar:
        for _ in range(epochs):
            order = rng.permutation(len(labels))
            for first in range(0, len(order) - batch + 1, batch):
                chosen = order[first : first + batch]
                noisy = images[chosen] + 0.3 * rng.normal(size=(batch, images.shape[1]))  # against learning by heart
                value, gradient = value_and_gradient(layers, noisy, labels[chosen])
                layers, state = optimizer.update(gradient, state, layers)
                losses.append(float(value))
                bar.update()
            accuracies.append(accuracy(layers, test_images, test_labels))
            bar.set_postfix(loss=f"{np.mean(losses[-20:]):.3f}", test=f"{accuracies[-1]:.1%}")
    return layers, losses, accuracies


def accuracy(layers, images, labels):
    return float(np.mean(np.argmax(scores(layers, images), axis=1) == labels))


def compare_speed(layers, images, labels, repeats=100):
    """Median microseconds of one value and gradient, eager and compiled, measured in turns."""
    eager = wengert.value_and_grad(cross_entropy)
    functions = {"eager": eager, "compiled": wengert.jit(eager)}
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function(layers, images, labels)
            times[name].append(time.perf_counter() - start)
    return tuple(1e6 * float(np.median(t)) for t in times.values())


def read_digits():
    heading("3. A two-layer network reads handwritten digits (scikit-learn's, 8 × 8 pixels)")
    digits = load_digits()
    images, labels = digits.data / 16.0, digits.target
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.25, random_state=0, stratify=labels
    )
    mean = train_images.mean(axis=0)
    start = time.perf_counter()
    layers, losses, accuracies = train(train_images - mean, train_labels, test_images - mean, test_labels)
    seconds = time.perf_counter() - start
    predictions = np.argmax(scores(layers, test_images - mean), axis=1)
    final = float(np.mean(predictions == test_labels))
    parameters = sum(x.size for layer in layers for x in layer.values())
    print(f"{len(losses)} gradients of a loss of {parameters} parameters in {seconds:.1f} s")
    print(f"training accuracy {accuracy(layers, train_images - mean, train_labels):.1%}")
    print(f"test accuracy     {final:.1%} ({np.sum(predictions != test_labels)} of {len(test_labels)} wrong)")
    eager, compiled = compare_speed(layers, train_images[:64], train_labels[:64])
    print(
        f"one gradient      {eager:.0f} µs eagerly, {compiled:.0f} µs compiled by jit: "
        f"{eager / compiled:.1f} times faster"
    )
    draw(PICTURE, losses, accuracies, test_images, test_labels, predictions)
    print(f"picture           {os.path.relpath(PICTURE)}")
    assert final >= 0.96, f"expected at least 96 % on the test digits, got {final:.1%}"
    return final


def main():
    show_wengert_list()
    fit_in_both_modes()
    read_digits()


if __name__ == "__main__":
    main()
