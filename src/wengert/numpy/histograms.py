"""Histograms. Counts are piecewise constant; weights and the edges of the bins carry derivatives.

Edges that are not given lie between the smallest and the largest sample, so they move with these two, and so do
densities. In which bin a sample lies is found with plain numbers: histograms of samples under `vmap` or in a compiled
program raise an error, of weights they do not.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.array import any_traced
from wengert.core.combinators import astype
from wengert.core.values import dtype_of, shape_of
from wengert.numpy.creation import linspace
from wengert.numpy.dispatch import as_array, call, concrete, implements, on_plain
from wengert.numpy.joining import stack
from wengert.numpy.reductions import diff
from wengert.numpy.reductions import max as max_
from wengert.numpy.reductions import min as min_
from wengert.numpy.reductions import sum as sum_
from wengert.numpy.shaping import at_least, cast, ravel, reshape
from wengert.rules.indexing import ARRAY, index_add


def _edges(a: Any, plain: np.ndarray, bins: Any, limits: Any) -> Any:
    """Edges like the plain ones, which NumPy has found: given, or depending on the extreme samples."""
    if not isinstance(bins, str) and shape_of(as_array(bins)):
        return as_array(bins)
    if limits is not None or not any_traced(a) or not shape_of(a)[0]:
        return plain
    first, last = min_(a), max_(a)
    if concrete(first, "histogram") == concrete(last, "histogram"):
        first, last = first - 0.5, last + 0.5
    return linspace(first, last, len(plain))


def _summed(weights: Any, places: np.ndarray, count: int) -> Any:
    """Sums of the weights in each of `count` bins; negative places are none."""
    inside = np.flatnonzero(places >= 0)
    w, target = ravel(as_array(weights)), places[inside]
    dtype = dtype_of(w)
    wide = np.result_type(dtype, np.float64)

    def add(v: Any) -> Any:
        total = index_add(np.zeros(count, wide), astype(v, dtype=wide), target, spec=(ARRAY,), donate=False)
        return astype(total, dtype=dtype)

    return call(add, w[inside])


def _places(a: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Number of the bin of each sample, -1 for none; the last bin includes its upper edge."""
    places = np.searchsorted(edges, a, side="right") - 1
    places[a == edges[-1]] = len(edges) - 2
    return np.where((a >= edges[0]) & (a <= edges[-1]), places, -1)


@implements(np.histogram, pure=True)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:  # noqa: A002
    """Differentiable in weights, and in the extreme samples that the edges depend on."""
    if not any_traced((a, bins, weights)):
        return on_plain(np.histogram, a, bins, range, density, weights)
    samples = ravel(as_array(a))
    plain = concrete(samples, "histogram")
    if weights is not None and shape_of(as_array(weights)) != shape_of(as_array(a)):
        raise ValueError("weights should have the same shape as a.")
    known = bins if isinstance(bins, str) else concrete(bins, "histogram")[()]
    if isinstance(known, str) and weights is not None:
        raise TypeError("Automated estimation of the number of bins is not supported for weighted data")
    counts, plain_edges = np.histogram(plain, known, range)
    edges = _edges(samples, plain_edges, bins, range)
    if weights is not None:
        counts = _summed(weights, _places(plain, plain_edges), len(counts))
    if density:
        return counts / cast(diff(edges), float) / sum_(counts), edges
    return counts, edges


@implements(np.histogram_bin_edges, pure=True)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:  # noqa: A002
    """Differentiable in the extreme samples."""
    samples = ravel(as_array(a))
    known = bins if isinstance(bins, str) else concrete(bins, "histogram_bin_edges")[()]
    weights = None if weights is None else concrete(weights, "histogram_bin_edges")
    edges = np.histogram_bin_edges(concrete(samples, "histogram_bin_edges"), known, range, weights)
    return _edges(samples, edges, bins, range)


@implements(np.histogramdd, pure=True)
def histogramdd(
    sample: Any,
    bins: Any = 10,
    range: Any = None,  # noqa: A002
    density: bool | None = None,
    weights: Any = None,
) -> Any:
    """Differentiable in weights, and in the extreme samples that the edges depend on."""
    x = as_array(sample)
    x = at_least(x, 2).T if isinstance(sample, (list, tuple)) or len(shape_of(x)) < 2 else x
    rank = shape_of(x)[1]
    given = bins if isinstance(bins, Sequence) or shape_of(as_array(bins)) else [bins] * rank
    known = [concrete(b, "histogramdd")[()] for b in given]
    plain = concrete(x, "histogramdd")
    plain_weights = None if weights is None else concrete(weights, "histogramdd") if not any_traced(weights) else None
    hist, plain_edges = np.histogramdd(plain, known, range, None, plain_weights)
    limits = [None] * rank if range is None else range
    edges = [_edges(x[:, i], plain_edges[i], given[i], limits[i]) for i in builtins.range(rank)]
    if plain_weights is None and weights is not None:
        places = np.array([_places(plain[:, i], plain_edges[i]) for i in builtins.range(rank)])
        number = functools.reduce(lambda flat, i: flat * hist.shape[i] + places[i], builtins.range(1, rank), places[0])
        total = _summed(weights, np.where((places >= 0).all(axis=0), number, -1), hist.size)
        hist = reshape(total if dtype_of(total).kind == "c" else cast(total, float), hist.shape)
    if density:
        total = sum_(hist)
        for i in builtins.range(rank):
            hist = hist / reshape(diff(edges[i]), (-1,) + (1,) * (rank - i - 1))
        hist = hist / total
    return hist, type(plain_edges)(edges)


@implements(np.histogram2d, pure=True)
def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,  # noqa: A002
    density: bool | None = None,
    weights: Any = None,
) -> Any:
    """Differentiable in weights, and in the extreme samples that the edges depend on."""
    x, y = as_array(x), as_array(y)
    if shape_of(x)[0] != shape_of(y)[0]:
        raise ValueError("x and y must have the same length.")
    count = len(bins) if isinstance(bins, Sequence) else (shape_of(as_array(bins)) or (1,))[0]
    if count not in (1, 2):
        bins = [bins, bins]
    hist, edges = histogramdd(stack([x, y], axis=1), bins, range, density, weights)
    return hist, edges[0], edges[1]


__all__ = ["histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]
