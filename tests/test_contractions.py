"""`einsum`, `matmul` and `convolve` in compiled code, as other operations: all kinds of axes, dtypes and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert
from wengert import config, jit
from wengert.compiler import unroll
from wengert.compiler.plan import make_plan
from wengert.compiler.simplify import simplify

DTYPES = ["float64", "float32", "int8", "bool"]
SUBSCRIPTS = [
    ("i,i->", (4,), (4,)),
    ("i,j->ij", (2,), (3,)),
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("ij,kj->ik", (2, 3), (4, 3)),
    ("ji,jk->ik", (3, 2), (3, 4)),
    ("ji,kj->ik", (3, 2), (4, 3)),
    ("ij,j->i", (2, 3), (3,)),
    ("ij,i->j", (2, 3), (2,)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("ij,ji->", (2, 3), (3, 2)),
    ("ijk,klj->il", (2, 3, 4), (4, 5, 3)),
    ("ijk,jkl->il", (2, 3, 4), (3, 4, 5)),
    ("ijk,lkj->li", (2, 3, 4), (5, 4, 3)),
    ("bij,bjk->bik", (3, 2, 4), (3, 4, 5)),
    ("ijb,bjk->ikb", (2, 4, 3), (3, 4, 5)),
    ("bi,bi->b", (3, 4), (3, 4)),
    ("bij,bj->bi", (3, 2, 4), (3, 4)),
    ("bi,bj->bij", (3, 2), (3, 4)),
    ("abij,abjk->abik", (2, 3, 2, 4), (2, 3, 4, 2)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("ij->j", (2, 3)),
    ("ii->", (3, 3)),
    ("ii->i", (3, 3)),
    ("iji->j", (3, 2, 3)),
    ("ii,i->i", (3, 3), (3,)),
    ("ij,k->k", (2, 3), (4,)),  # axes that nothing else mentions
    ("ij,jk->i", (2, 3), (3, 4)),
    ("ij,jk->ik", (2, 1), (3, 4)),  # broadcast
    ("ij,ij->ij", (1, 3), (2, 1)),
    ("ij,ij->i", (2, 1), (1, 1)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("i,j,k->ijk", (2,), (3,), (4,)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("i,i,i->", (3,), (3,), (3,)),
    ("bi,bij,bj->b", (3, 2), (3, 2, 4), (3, 4)),
    ("ij,ik,il->jkl", (2, 3), (2, 3), (2, 4)),
    (",i->i", (), (3,)),
    (",->", (), ()),
    ("i,i->", (0,), (0,)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("ij,jk->ik", (0, 2), (2, 3)),
]
SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((1, 2, 3), (4, 3, 2)),
    ((4, 2, 3), (1, 3, 2)),
    ((2, 0), (0, 3)),
    ((0, 2), (2, 3)),
    ((3, 1), (1, 4)),
]


@pytest.fixture(params=["loops", "unrolled"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(config, "cache_directory", None)
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", -1 if request.param == "loops" else 10**6)
    monkeypatch.setattr(unroll, "MOST_AT_ONCE", 10**6)
    return request.param


def arrays(dtype: str, *shapes: tuple[int, ...], seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    if "float" in dtype:
        return [rng.normal(size=s).astype(dtype) for s in shapes]
    return [rng.integers(0, 2 if dtype == "bool" else 100, s).astype(dtype) for s in shapes]


def is_native(function: Any, *args: Any) -> bool:
    return not make_plan(simplify(wengert.program(function)(*args))).calls


def assert_close(actual: Any, expected: Any, scale: Any) -> None:
    assert np.asarray(actual).dtype == expected.dtype
    assert np.shape(actual) == expected.shape
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
    else:
        # In another order of the sums: errors are relative to the sum of the magnitudes.
        assert np.all(np.abs(actual - expected) <= 20 * np.finfo(expected.dtype).eps * scale)


@pytest.mark.parametrize("dtype", DTYPES)
def test_einsum(dtype: str, path: str):
    args = [arrays(dtype, *shapes) for _, *shapes in SUBSCRIPTS]

    def everything(args: list[list[Any]]) -> list[Any]:
        return [np.einsum(subscripts, *xs) for (subscripts, *_), xs in zip(SUBSCRIPTS, args, strict=True)]

    assert is_native(everything, args)
    sizes = everything([[np.abs(x) for x in xs] for xs in args])
    for actual, expected, size in zip(jit(everything)(args), everything(args), sizes, strict=True):
        assert_close(actual, expected, size)


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul(dtype: str, path: str):
    args = [arrays(dtype, *shapes) for shapes in SHAPES]

    def everything(args: list[list[Any]]) -> list[Any]:
        return [x @ y for x, y in args]

    assert is_native(everything, args)
    sizes = everything([[np.abs(x) for x in xs] for xs in args])
    for actual, expected, size in zip(jit(everything)(args), everything(args), sizes, strict=True):
        assert_close(actual, expected, size)


@pytest.mark.parametrize(
    "dtypes", [("int8", "int64"), ("bool", "uint16"), ("float32", "float64"), ("int64", "float32")]
)
def test_factors_of_different_dtypes(dtypes: tuple[str, str], path: str):
    x, y = (arrays(d, s)[0] for d, s in zip(dtypes, ((4, 3), (3, 5)), strict=True))

    def f(x: Any, y: Any) -> list[Any]:
        return [x @ y, np.einsum("ij,jk->ki", x, y), x[0] @ y, np.einsum("ij,jk->i", x, y)]

    assert is_native(f, x, y)
    for actual, expected in zip(jit(f)(x, y), f(x, y), strict=True):
        assert_close(actual, expected, 100 * float(np.max(np.abs(expected))))


def test_overflow_wraps_around(path: str):
    x = np.full((3, 40), 127, np.int8)
    np.testing.assert_array_equal(jit(lambda x: x @ x.T)(x), x @ x.T)
    np.testing.assert_array_equal(jit(lambda x: np.einsum("ij->i", x))(x), np.einsum("ij->i", x))


def test_infinities_and_nan(path: str):
    x = np.array([[np.inf, 1.0, 0.0], [np.nan, 2.0, 3.0], [0.0, -np.inf, np.inf]])

    def f(x: Any) -> list[Any]:
        return [np.einsum(s, x, x) for s in ("ij,jk->ik", "ij,ij->i", "ij,ij->ij", "ij,kj->ik", "ij,ik->jk")]

    for actual, expected in zip(jit(f)(x), f(x), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_convolve(dtype: str, path: str):
    lengths = [(4, 2), (2, 4), (3, 3), (1, 1), (5, 1), (40, 16), (9, 40)]
    args = [arrays(dtype, (n,), (m,)) for n, m in (lengths if path == "loops" else lengths[:5])]

    def everything(args: list[list[Any]]) -> list[Any]:
        return [np.convolve(x, y, mode) for x, y in args for mode in ("full", "same", "valid")]

    assert is_native(everything, args)
    sizes = everything([[np.abs(x) for x in xs] for xs in args])
    for actual, expected, size in zip(jit(everything)(args), everything(args), sizes, strict=True):
        assert_close(actual, expected, size)


def test_convolve_with_infinities_and_nan(path: str):
    # At the ends some products are missing, which would be NaN if they were products with 0.
    x, y = np.array([np.inf, 1.0, 0.0, 2.0, np.nan]), np.array([1.0, np.inf, -1.0])
    np.testing.assert_array_equal(jit(np.convolve)(x, y), np.convolve(x, y))


@pytest.mark.parametrize("lengths", [(40, 3), (3, 40), (20, 20), (500, 400)])
def test_derivatives_of_convolve(lengths: tuple[int, int], path: str):
    if path == "unrolled" and max(lengths) > 20:
        lengths = (7, 3) if lengths[0] > lengths[1] else (3, 7)
    x, y = arrays("float64", (lengths[0],), (lengths[1],))

    def f(x: Any, y: Any) -> Any:
        return sum(np.sum(np.sin(np.convolve(x, y, mode))) for mode in ("full", "same", "valid"))

    g = wengert.grad(f, argnums=(0, 1))
    for actual, expected in zip(jit(g)(x, y), g(x, y), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)
    assert min(lengths) > 16 or is_native(g, x, y)


def test_derivatives_of_convolve_with_a_short_factor_cost_little():
    # As much as the convolution: not the product of the long lengths.
    program = wengert.program(wengert.grad(lambda y: np.sum(np.convolve(np.ones(1000), y) ** 2)))(np.ones(3))
    names = [op.primitive.name for op in program.operations]
    assert (names.count("convolve"), names.count("window_sums")) == (1, 1)


def test_convolve_with_a_long_factor():
    x, y = arrays("float64", (300,), (50,))
    np.testing.assert_allclose(jit(np.convolve)(x, y), np.convolve(x, y), rtol=1e-12, atol=1e-12)


def random_contraction(rng: np.random.Generator) -> tuple[str, list[tuple[int, ...]]]:
    sizes = {c: int(n) for c, n in zip("abcdef", rng.integers(1, 5, 6), strict=True)}
    terms = ["".join(rng.choice(list(sizes), rng.integers(0, 4))) for _ in range(rng.integers(1, 5))]
    used = sorted(set("".join(terms)))
    output = "".join(rng.permutation(used)[: rng.integers(0, len(used) + 1)])
    shapes = [tuple(sizes[c] if rng.random() < 0.9 else 1 for c in t) for t in terms]
    return ",".join(terms) + "->" + output, shapes


def is_consistent(subscripts: str, shapes: list[tuple[int, ...]]) -> bool:
    """Whether NumPy accepts it: repeated letters need equal lengths."""
    try:
        np.einsum(subscripts, *(np.ones(s) for s in shapes))
    except ValueError:
        return False
    return True


def test_random_contractions(path: str):
    rng = np.random.default_rng(3)
    cases = [case for case in (random_contraction(rng) for _ in range(80)) if is_consistent(*case)]
    args = [arrays("float64", *shapes, seed=i) for i, (_, shapes) in enumerate(cases)]
    assert len(cases) > 50

    def everything(args: list[list[Any]]) -> list[Any]:
        return [np.einsum(subscripts, *xs) for (subscripts, _), xs in zip(cases, args, strict=True)]

    sizes = everything([[np.abs(x) for x in xs] for xs in args])
    actual, expected = jit(everything)(args), everything(args)
    for (subscripts, shapes), a, e, size in zip(cases, actual, expected, sizes, strict=True):
        assert np.shape(a) == e.shape, (subscripts, shapes)
        assert np.all(np.abs(a - e) <= 1e-13 * size), (subscripts, shapes)


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "bij,bjk->bik", "bi,bij,bj->b", "iij,jk->ik", "ij,ik,il->jkl"])
def test_derivatives(subscripts: str, path: str):
    sizes = dict(zip("bijkl", (3, 4, 4, 2, 3), strict=True))
    shapes = [tuple(sizes[c] for c in term) for term in subscripts.split("->")[0].split(",")]
    args = tuple(arrays("float64", *shapes))

    def f(*args: Any) -> Any:
        return np.sum(np.sin(np.einsum(subscripts, *args)))

    g = wengert.grad(f, argnums=tuple(range(len(args))))
    for actual, expected in zip(jit(g)(*args), g(*args), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-11)


def test_large_products_are_those_of_blas():
    x, y = arrays("float64", (120, 90), (90, 110))
    f = jit(lambda x, y: np.einsum("ij,jk->ik", x, y))
    np.testing.assert_allclose(f(x, y), x @ y, rtol=1e-12, atol=1e-12)
    assert "dgemm" in f.inspect(x, y).llvm_ir or "wengert.product" in f.inspect(x, y).llvm_ir
