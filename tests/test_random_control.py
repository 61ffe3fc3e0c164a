"""Random programs with loops and branches: compiled against eager mode, and eager mode against finite differences.

In each program another derivative is compiled; WENGERT_RANDOM_PROGRAMS=1000 checks everything of that many others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert as wg
import wengert.numpy as wnp
from wengert import config

from .random_control import RandomControl

_LONG = int(os.environ.get("WENGERT_RANDOM_PROGRAMS", "0"))
_FLOATS = (0, 1, 2, 3)


def directions(args: Any) -> tuple[Any, ...]:
    return tuple(np.cos(np.arange(np.size(x)) + j).reshape(np.shape(x))[()] for j, x in enumerate(args[:4]))


def same(actual: Any, expected: Any, program: RandomControl, tolerance: float = 1e-9) -> None:
    assert len(actual) == len(expected)
    scale = max([1.0, *(float(np.max(np.abs(e), initial=0.0)) for e in expected)])
    for j, (a, e) in enumerate(zip(actual, expected, strict=True)):
        assert np.shape(a) == np.shape(e), f"result {j}: shape {np.shape(a)} and not {np.shape(e)}{program!r}"
        if not np.allclose(a, e, rtol=tolerance, atol=tolerance * scale):
            raise AssertionError(f"result {j}\n{a!r}\nand not\n{e!r}\n{program!r}")


def gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    return wg.grad(f, _FLOATS)


def pushed(f: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative of f in a fixed direction."""

    def derivative(*args: Any) -> Any:
        moving = lambda *xs: f(*xs, args[4])
        return wg.jvp(moving, args[:4], directions(args))[1]

    return derivative


def check_value(p: RandomControl) -> None:
    f, _ = p.functions()
    same(wg.jit(f)(*p.inputs), f(*p.inputs), p)


def check_gradient(p: RandomControl) -> None:
    _, f = p.functions()
    same(wg.jit(gradient(f))(*p.inputs), gradient(f)(*p.inputs), p)


def check_forward(p: RandomControl) -> None:
    f, _ = p.functions()
    same(wg.jit(pushed(f))(*p.inputs), pushed(f)(*p.inputs), p)


def check_second_order(p: RandomControl) -> None:
    _, f = p.functions()
    expected = pushed(gradient(f))(*p.inputs)
    same(wg.jit(pushed(gradient(f)))(*p.inputs), expected, p, 1e-8)
    v = directions(p.inputs)
    along = lambda *args: sum(wnp.sum(g * d) for g, d in zip(gradient(f)(*args), v, strict=True))
    same(wg.jit(gradient(along))(*p.inputs), expected, p, 1e-8)


def check_examples(p: RandomControl, derive: Callable[..., Any] = lambda f: lambda *args: (f(*args),)) -> None:
    """A batch whose examples do different numbers of iterations, and take different branches."""
    f = derive(p.functions()[1])
    examples = p.examples(3)
    expected = [np.stack(column) for column in zip(*(f(*x) for x in examples), strict=True)]
    batch = [np.stack(column) for column in zip(*examples, strict=True)]
    same(wg.vmap(f)(*batch), expected, p)
    same(wg.jit(wg.vmap(f))(*batch), expected, p)


def check_gradients_of_examples(p: RandomControl) -> None:
    check_examples(p, gradient)


def check_gradient_of_examples(p: RandomControl) -> None:
    """Reverse mode through a batch."""
    f = p.functions()[1]
    examples = p.examples(3)
    expected = [np.stack(column) for column in zip(*(gradient(f)(*x) for x in examples), strict=True)]
    batch = [np.stack(column) for column in zip(*examples, strict=True)]
    total = lambda *args: wnp.sum(wg.vmap(f)(*args))
    same(gradient(total)(*batch), expected, p)
    same(wg.jit(gradient(total))(*batch), expected, p)


def check_finite_differences(p: RandomControl) -> None:
    """Both modes without the compiler."""
    _, f = p.functions()
    v = directions(p.inputs)
    moved = lambda t: f(*(x + t * d for x, d in zip(p.inputs[:4], v, strict=True)), p.inputs[4])
    expected = sum(np.sum(g * d) for g, d in zip(gradient(f)(*p.inputs), v, strict=True))
    same([pushed(f)(*p.inputs)], [expected], p)
    if abs(expected) > 1e4:  # a few programs are chaotic, and no step is small enough
        return
    found = []
    for h in (3e-4, 3e-5, 3e-6):  # a smaller one, if a branch or a number of iterations changes within the step
        found.append((8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h))
        if np.isclose(found[-1], expected, rtol=1e-5, atol=1e-6):
            return
    raise AssertionError(f"{expected} and not {found}{p!r}")


def check_checkpoints(p: RandomControl) -> None:
    """The same with and without checkpoints."""
    _, f = p.functions()
    _, plain = p.functions(p.plain_source)
    same(gradient(f)(*p.inputs), gradient(plain)(*p.inputs), p)


_CHECKS = (
    check_value,
    check_gradient,
    check_forward,
    check_second_order,
    check_examples,
    check_gradients_of_examples,
    check_gradient_of_examples,
)


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "cache_directory", None)


@pytest.mark.parametrize("part", range(10))
def test_random_programs(part: int):
    seeds = range(part, 150, 10) if not _LONG else range(1000 + part, 1000 + _LONG, 10)
    for seed in seeds:
        program = RandomControl(seed)
        check_finite_differences(program)
        check_checkpoints(program)
        for check in _CHECKS if _LONG else (_CHECKS[seed % len(_CHECKS)],):
            check(program)
