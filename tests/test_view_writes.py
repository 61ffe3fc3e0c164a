"""Every view, written to in every way: eagerly, under vmap and in recorded programs, against NumPy itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
from wengert.array import Array

from .view_steps import RESULTS, VIEWS, WRITES

REFUSALS = (ValueError, IndexError, TypeError, AttributeError)
ARRAYS = [
    np.arange(12.0).reshape(3, 4) - 5.0,
    np.arange(9.0).reshape(3, 3) * (1 + 2j) - 4.0,
    np.arange(12.0).reshape(2, 3, 2) - 5.0,
    np.array([2.0]),
]


def is_array(h: Any) -> bool:
    return isinstance(h, np.ndarray) or (isinstance(h, Array) and h.is_mutable)


def written(
    view: Callable[[Any], Any], write: Callable[..., Any], happened: list[bool]
) -> Callable[[Any], tuple[Any, ...]]:
    """A function that writes to a view of a copy of its argument, and says whether it could."""

    def f(x: Any) -> tuple[Any, ...]:
        y = 1.0 * x
        h = view(y)
        if is_array(h):
            mask = (np.arange(h.size) % 2 == 0).reshape(h.shape)
            try:
                write(h, 1.0 * h, 1.5, mask)
                happened.append(True)
            except REFUSALS:
                happened.append(False)
        return y, 1.0 * h, 2.0 * h.T

    return f


def check(f: Callable[[Any], Any], happened: list[Any], x: np.ndarray) -> None:
    expected = f(x.copy())
    as_expected = happened.copy()
    for transformed in (
        lambda x: wengert.vjp(f, x)[0],
        lambda x: tuple(r[0] for r in wengert.vmap(f)(x[None])),
        lambda x: wengert.program(f)(x).evaluate(x),
    ):
        happened.clear()
        try:
            actual = transformed(x)
        except IndexError:
            assert as_expected == [False]  # a program finds out when it runs
            continue
        assert happened == as_expected
        for a, e in zip(actual, expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", VIEWS)
def test_writes(name):
    for number, (x, write) in enumerate(itertools.product(ARRAYS, WRITES)):
        if (number + len(name)) % 13:
            continue  # a part of all pairs, another one for each view
        happened: list[bool] = []
        f = written(VIEWS[name], WRITES[write], happened)
        try:
            f(x.copy())
        except REFUSALS:
            continue  # no such view
        if ".at" in write and not np.asarray(VIEWS[name](x)).flags.writeable:
            continue  # NumPy writes to read-only arrays
        happened.clear()
        check(f, happened, x)


@pytest.mark.parametrize("name", [*VIEWS, *RESULTS])
def test_views_of_views_and_results(name):
    """Who sees what is written to which of three arrays."""
    first = VIEWS.get(name) or RESULTS[name]

    def through(second: Callable[[Any], Any], seen: list[Any]) -> Callable[[Any], Any]:
        def f(x: Any) -> Any:
            y = 1.0 * x
            h = first(y)
            g = second(h)
            for a in (g, h, y):
                try:
                    a[...] = 2.0 * a + 1.0
                    a[..., :1] += 3.0
                    seen.append(True)
                except REFUSALS:
                    seen.append(False)
            return y, 1.0 * h, 1.0 * g

        return f

    for number, (x, second) in enumerate(itertools.product(ARRAYS, [*VIEWS.items(), *RESULTS.items()])):
        if (number + len(name)) % 17 or "as_strided-back" in (name, second[0]):
            continue
        seen: list[Any] = []
        f = through(second[1], seen)
        try:
            f(x.copy())
        except REFUSALS:
            continue
        if not is_array(first(x)) or not is_array(second[1](first(x))):
            continue
        seen.clear()
        check(f, seen, x)
