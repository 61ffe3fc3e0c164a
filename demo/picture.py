"""The picture of the demonstration: how the training went, what the network reads, and where it errs."""

import matplotlib as mpl

mpl.use("Agg")  # write files, open no windows

import matplotlib.pyplot as plt
import numpy as np

INK, MUTED, BLUE, ORANGE, RED = "#1f2933", "#7b8794", "#2f6db5", "#e08214", "#c0392b"
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}
ROWS, COLUMNS = 5, 8


def draw(path, losses, accuracies, images, labels, predictions):
    """Write the picture to `path`."""
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(13, 7), layout="constrained")
        left, right = np.ravel(figure.subfigures(1, 2, width_ratios=(1, 1.35), wspace=0.04))
        training, confusion = left.subplots(2, 1, height_ratios=(1, 1.35))
        draw_training(training, losses, accuracies)
        draw_confusion(confusion, labels, predictions)
        draw_digits(right, images, labels, predictions)
        figure.savefig(path, dpi=130, facecolor="white")
        plt.close(figure)


def draw_training(axes, losses, accuracies):
    steps = np.arange(1, len(losses) + 1)
    width = 25
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
    axes.semilogy(steps, losses, color=BLUE, alpha=0.25, lw=0.7)
    axes.semilogy(steps[width - 1 :], smooth, color=BLUE, lw=1.8)
    axes.set_title("Training")
    axes.set_xlabel("step")
    axes.set_ylabel("loss of a batch", color=BLUE)
    axes.set_xlim(0, len(losses))
    errors = axes.twinx()
    epoch_ends = np.linspace(0, len(losses), len(accuracies) + 1)[1:]
    errors.plot(epoch_ends, 100 * (1 - np.array(accuracies)), color=ORANGE, lw=1.5, marker="o", ms=2.5)
    errors.set_ylim(0, 20)
    errors.set_ylabel("test error, %", color=ORANGE)
    errors.spines["right"].set_visible(True)


def draw_confusion(axes, labels, predictions):
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, predictions), 1)
    rates = counts / counts.sum(axis=1, keepdims=True)
    # Errors are rare: a square root keeps them visible beside the diagonal.
    axes.imshow(np.sqrt(rates), cmap="Blues", vmin=0, vmax=1.15)
    for i, j in zip(*np.nonzero(counts), strict=True):
        color = "white" if i == j else RED
        axes.text(j, i, counts[i, j], ha="center", va="center", color=color, fontsize=8)
    axes.set_xticks(range(10))
    axes.set_yticks(range(10))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("What was read for each digit")
    axes.set_xlabel("read")
    axes.set_ylabel("written")


def draw_digits(figure, images, labels, predictions):
    wrong = np.flatnonzero(predictions != labels)[: 2 * COLUMNS]
    right = np.flatnonzero(predictions == labels)[: ROWS * COLUMNS - len(wrong)]
    accuracy = np.mean(predictions == labels)
    figure.suptitle(
        f"Test digits as the network reads them: {accuracy:.1%} right. In red: read (written)",
        x=0.01,
        ha="left",
        fontsize=11,
        fontweight="bold",
    )
    for axes, k in zip(figure.subplots(ROWS, COLUMNS).flat, np.concatenate([wrong, right]), strict=True):
        good = predictions[k] == labels[k]
        axes.imshow(images[k].reshape(8, 8), cmap="gray_r", interpolation="nearest")
        axes.set_title(
            f"{predictions[k]}" if good else f"{predictions[k]} ({labels[k]})",
            color=INK if good else RED,
            loc="center",
            fontsize=11,
            pad=3,
        )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color("#d5dae0" if good else RED)
