"""The Python array API standard: every name, with every keyword the standard gives it, on plain and on traced arrays.

The table spells each call as the standard does, positional-only and keyword-only arguments included. Which functions
of SciPy work on Arrays by way of the standard is tested in `test_scipy_array_api`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert
import wengert.numpy as wnp
from wengert import Array, errors, grad, jit, jvp, vmap

from .test_namespace import assert_same, differentiable, plain_value

_rng = np.random.default_rng(3)
X = _rng.normal(size=(2, 3))
ARRAYS = {
    "x": X,
    "y": _rng.normal(size=(2, 3)) + 2.0,
    "u": _rng.uniform(0.1, 0.9, size=(2, 3)),
    "v": _rng.normal(size=4),
    "w": _rng.normal(size=4),
    "m": _rng.normal(size=(3, 3)) + 3 * np.eye(3),
    "s": np.diag([1.0, 2.0, 3.0]) + 0.1,
    "z": X + 1j * _rng.normal(size=(2, 3)),
    "t": np.array([2.0, 1.0, 2.0, np.nan]),
    "o": np.array(0.5),
}
CONSTANTS = {
    "i": np.array([[2, 0, 1], [1, 2, 0]]),
    "j": np.array([1, 0, 3]),
    "b": np.array([[True, False, True], [False, False, True]]),
    "f32": np.float32,
    "f64": np.float64,
    "c128": np.complex128,
}

# What the standard of 2024.12 has, by its chapters.
CALLS = """
    arange(1, 7, 2, dtype=f64, device="cpu") | arange(3) | asarray(x, dtype=f32, device="cpu", copy=True)
    asarray(x, copy=False) | asarray([x[0, 0], 2.0]) | empty_like(x, dtype=f32, device="cpu") * 0
    empty((2, 3), dtype=f64, device="cpu") * 0 | eye(3, 4, k=1, dtype=f32, device="cpu")
    from_dlpack(x, device="cpu", copy=True)
    full((2, 3), 1.5, dtype=f64, device="cpu") | full_like(x, 2.0, dtype=f32, device="cpu") | full(2, x[0, 0])
    linspace(0.0, 1.0, num=5, dtype=f64, device="cpu", endpoint=False) | linspace(x[0, 0], y[0, 0], 4)
    meshgrid(v, w, indexing="ij") | ones((2,), dtype=f32, device="cpu") | ones_like(x, dtype=f32, device="cpu")
    tril(x, k=1) | triu(x, k=-1) | zeros(3, dtype=f32, device="cpu") | zeros_like(x, dtype=f32, device="cpu")
    astype(x, f32, copy=False, device="cpu") | can_cast(x, f64) | can_cast(f32, f64) | finfo(x.dtype).eps
    iinfo(i.dtype).max | isdtype(x.dtype, "real floating") | isdtype(x.dtype, ("integral", f32))
    result_type(x, f32, 1)
    abs(x) | acos(u) | acosh(y + 5) | add(x, y) | asin(u) | asinh(x) | atan(x) | atan2(x, y) | atanh(u) | add(x, 1.0)
    bitwise_and(i, 1) | bitwise_left_shift(i, 1) | bitwise_invert(i) | bitwise_or(i, 1) | bitwise_right_shift(i, 1)
    bitwise_xor(i, 1) | ceil(x) | clip(x, -0.5, 0.5) | clip(x, min=-0.5) | clip(x, max=u) | conj(z) | copysign(x, y)
    cos(x) | cosh(x) | divide(x, y) | equal(x, y) | exp(x) | expm1(x) | floor(x) | floor_divide(x, y) | greater(x, y)
    greater_equal(x, y) | hypot(x, y) | imag(z) | isfinite(x) | isinf(x) | isnan(x) | less(x, y) | less_equal(x, y)
    log(u) | log1p(u) | log2(u) | log10(u) | logaddexp(x, y) | logical_and(b, b) | logical_not(b) | logical_or(b, b)
    logical_xor(b, b) | maximum(x, y) | minimum(x, 0.0) | multiply(x, y) | negative(x) | nextafter(x, y)
    not_equal(x, y) | positive(x) | pow(u, x) | pow(u, 2) | real(z) | reciprocal(y) | remainder(x, y) | round(x)
    sign(x) | signbit(x) | sin(x) | sinh(x) | square(x) | sqrt(u) | subtract(x, y) | tan(x) | tanh(x) | trunc(x)
    take(v, j, axis=0) | take(x, j[:2], axis=1) | take_along_axis(x, i, axis=1) | matmul(x, m) | matrix_transpose(x)
    tensordot(x, m, axes=1) | tensordot(x, y, axes=((0, 1), (0, 1))) | vecdot(z, x, axis=0) | vecdot(x, y)
    broadcast_arrays(x, v[:3]) | broadcast_to(v, (2, 4)) | broadcast_shapes((2, 1), (3,)) | concat((x, y), axis=1)
    concat([x, y], axis=None) | expand_dims(x, axis=-1) | flip(x, axis=(0, 1)) | flip(x) | moveaxis(x, 0, 1)
    permute_dims(x, (1, 0)) | repeat(x, 2, axis=1) | repeat(v, j[:1], axis=None) | reshape(x, (3, 2), copy=True)
    reshape(x, (-1,)) | roll(x, 1, axis=0) | roll(x, (1, 1), axis=(0, 1)) | roll(x, 2) | squeeze(x[:, :1], axis=1)
    stack((x, y), axis=-1) | tile(x, (2, 1, 2)) | unstack(x, axis=1) | unstack(v)
    argmax(x, axis=1, keepdims=True) | argmin(x, axis=None, keepdims=False) | count_nonzero(x, axis=0, keepdims=True)
    nonzero(x) | searchsorted(sort(v), w, side="right", sorter=None) | where(b, x, y) | where(b, x, 0.0) | isin(i, j)
    isin(i, j, invert=True) | unique_all(t) | unique_counts(t) | unique_inverse(x) | unique_values(t)
    argsort(x, axis=0, descending=True, stable=True) | argsort(t) | sort(x, axis=0, descending=True, stable=True)
    sort(t, descending=True) | cumulative_sum(x, axis=1, dtype=f32, include_initial=True) | cumulative_sum(v)
    cumulative_prod(x, axis=0, dtype=f32, include_initial=True) | cumulative_prod(v)
    max(x, axis=(0, 1), keepdims=True) | mean(x, axis=0, keepdims=True) | min(x, axis=1, keepdims=True)
    prod(x, axis=0, dtype=f32, keepdims=True) | std(x, axis=0, correction=1.0, keepdims=True) | sum(x, axis=1)
    sum(x, axis=None, dtype=f32, keepdims=True) | var(x, axis=None, correction=0.5, keepdims=False)
    all(b, axis=0, keepdims=True) | any(b, axis=(0, 1), keepdims=True)
    diff(x, prepend=None, append=None) | diff(x, axis=0, n=1, prepend=x[:1], append=y[:1])
    linalg.cholesky(s, upper=True) | linalg.cross(x, y, axis=-1) | linalg.det(m) | linalg.diagonal(x, offset=1)
    linalg.eigh(s) | linalg.eigvalsh(s) | linalg.inv(m) | linalg.matmul(x, m) | linalg.matrix_norm(x, ord="nuc")
    linalg.matrix_norm(x, keepdims=True, ord=1) | linalg.matrix_power(m, 3) | linalg.matrix_rank(m, rtol=1e-9)
    linalg.matrix_transpose(x) | linalg.outer(v, w) | linalg.pinv(x, rtol=1e-9) | linalg.qr(m, mode="reduced")
    linalg.qr(m, mode="complete") | linalg.slogdet(m) | linalg.solve(m, s) | linalg.svd(m, full_matrices=False)
    linalg.svd(m) | linalg.svdvals(m) | linalg.tensordot(x, m, axes=1) | linalg.trace(m, offset=1, dtype=f64)
    linalg.vecdot(x, y, axis=-1) | linalg.vector_norm(x, axis=1, keepdims=True, ord=3)
    fft.fft(v, n=6, axis=-1, norm="ortho") | fft.ifft(z, n=2, axis=0, norm="forward")
    fft.fftfreq(4, d=0.5, dtype=f32, device="cpu") | fft.fftn(x, s=(2, 2), axes=(0, 1), norm="backward")
    fft.ifftn(z, axes=(0,), norm="ortho") | fft.rfft(v, n=3, axis=0, norm="forward")
    fft.hfft(z, n=4, axis=1, norm="ortho")
    fft.irfft(z, n=4, axis=-1, norm="ortho") | fft.rfftn(x, axes=(0, 1), norm="forward")
    fft.ihfft(v, n=3, axis=0, norm="ortho")
    fft.irfftn(z, s=(2, 4), axes=(0, 1), norm="ortho") | fft.rfftfreq(4, d=0.5, dtype=f32, device="cpu")
    fft.fftshift(x, axes=1) | fft.ifftshift(x, axes=(0,)) | fft.ifftshift(x)
"""
EXPRESSIONS = [call.strip() for line in CALLS.strip().splitlines() for call in line.split(" | ")]
OPERATORS = """
    +x | -x | abs(x) | x + y | x - 1.0 | 1.0 - x | x * y | x / y | x // y | x % y | u**x | 2.0**x | x @ m
    x < y | x <= y | x > y | x >= y | x == y | x != y | ~i | i & 1 | i | 1 | i ^ 1 | i << 1 | i >> 1 | x[0] | x[..., 1]
    x[:, None, ::-1]
    x[b] | x[i[0, 1:], :] | x.T | x.mT | x.shape | x.ndim | x.size | x.dtype | x.device | x.to_device("cpu") | bool(o)
    int(o) | o.__array_namespace__() | x.__dlpack_device__()
"""


def evaluate(expression: str, names: dict[str, Any]) -> Any:
    """An expression of the tables, with the namespace of the standard."""
    namespace = {n: getattr(wnp, n) for n in wnp.__all__ if not n.startswith("__")}
    return eval(expression, {**namespace, "bool": bool, "int": int}, {**CONSTANTS, **names})


def operators() -> list[str]:
    lines = OPERATORS.replace("i | 1", "i.__or__(1)").strip().splitlines()
    return [call.strip() for line in lines for call in line.split(" | ")]


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *operators()])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_plain_and_traced_agree(expression: str):
    """The call is understood, and gives on traced arrays what it gives on plain ones."""
    expected = evaluate(expression, ARRAYS)
    seen = []

    def f(arrays: dict[str, Any]) -> Any:
        seen.append(evaluate(expression, arrays))
        return differentiable(seen[0]) or 1.0

    jvp(f, (ARRAYS,), (ARRAYS,))
    (result,) = seen
    if expression == "o.__array_namespace__()":
        assert result is wnp
        return
    if expression.startswith(("empty", "zeros", "ones", "full", "arange", "eye", "asarray(x", "from_dlpack")):
        assert isinstance(result, Array)  # what was made inside a transform belongs to the namespace
    if isinstance(expected, tuple) and hasattr(expected, "_fields"):
        assert result._fields == expected._fields
        result = tuple(result)
    result = plain_value(result)
    assert_same(*(_arrays(r) for r in (result, expected)))


def _arrays(x: Any) -> Any:
    """A 0-d array and a scalar are the same for the standard."""
    if isinstance(x, (tuple, list)):
        return tuple(map(_arrays, x))
    return np.asarray(x) if isinstance(x, (np.ndarray, np.generic)) else x


def test_inspection():
    info = wnp.__array_namespace_info__()
    assert list(info.devices()) == ["cpu"]
    assert info.default_device() == "cpu"
    assert info.default_dtypes()["real floating"] == np.float64
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert info.capabilities()["boolean indexing"] is True
    assert wnp.__array_api_version__ == np.__array_api_version__
    for name in ("e", "inf", "nan", "newaxis", "pi", "bool", "int8", "uint64", "float32", "complex64"):
        assert getattr(wnp, name) is getattr(np, name)


@pytest.mark.parametrize("version", [None, "2021.12", "2022.12", "2023.12"])
def test_namespace_of_arrays(version: str | None):
    found = []

    def f(x):
        found.extend(a.__array_namespace__(api_version=version) for a in (x, x[0], x.T, wnp.zeros(3)))
        return wnp.sum(x)

    grad(f)(X)
    vmap(f)(X)
    jit(f)(X)
    assert len(found) == 12
    assert all(namespace is wnp for namespace in found)
    assert wengert.Dual(1.0, 1.0).__array_namespace__() is wnp


def test_unknown_versions_and_devices():
    def versions(x):
        with pytest.raises(ValueError, match="2019"):
            x.__array_namespace__(api_version="2019.12")
        with pytest.raises(ValueError, match="cuda"):
            x.to_device("cuda")
        for make in (wnp.zeros, wnp.ones, wnp.empty, wnp.arange, wnp.eye, wnp.fft.fftfreq):
            with pytest.raises(ValueError, match="cuda"):
                make(3, device="cuda")
        for like in (wnp.zeros_like, wnp.ones_like, wnp.empty_like, wnp.asarray, wnp.from_dlpack):
            with pytest.raises(ValueError, match="cuda"):
                like(x, device="cuda")
        for filled in (wnp.full, wnp.full_like, wnp.linspace, wnp.astype):
            first = {wnp.full: 3, wnp.linspace: x[0, 0]}.get(filled, x)
            with pytest.raises(ValueError, match="cuda"):
                filled(first, float if filled is wnp.astype else x[0, 1], device="cuda")
        return wnp.sum(x)

    grad(versions)(X)


def test_copies_that_cannot_be_avoided():
    def f(x):
        assert wnp.asarray(x, copy=False) is x
        assert wnp.asarray(x, copy=True) is not x
        for convert in (
            lambda: wnp.asarray([x[0, 0], 1.0], copy=False),
            lambda: wnp.asarray([2.0, 1.0], copy=False),
            lambda: wnp.asarray(x, dtype=np.float32, copy=False),
            lambda: wnp.reshape(x.T, (6,), copy=False),
        ):
            with pytest.raises(ValueError, match="copy"):
                convert()
        return wnp.sum(wnp.reshape(x, (6,), copy=False))

    grad(f)(X)


# DLPack --------------------------------------------------------------------------------------------------------------


def test_dlpack_of_concrete_arrays():
    """A copy: the other library may write to it."""

    def f(x):
        c = wnp.ones((2, 3))
        c[0, 0] = 5.0
        other = np.from_dlpack(c)
        assert isinstance(other, np.ndarray)
        np.testing.assert_array_equal(other, [[5.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
        other[...] = 7.0
        c[1, 1] = 2.0
        np.testing.assert_array_equal(np.from_dlpack(c), [[5.0, 1.0, 1.0], [1.0, 2.0, 1.0]])
        np.testing.assert_array_equal(np.from_dlpack(c.T[1:]), [[1.0, 2.0], [1.0, 1.0]])
        assert np.from_dlpack(wnp.sum(c) * 1.0) == 11.0
        assert c.__dlpack_device__() == (1, 0)
        with pytest.raises(BufferError, match="share"):
            c.__dlpack__(copy=False)
        with pytest.raises((BufferError, ValueError)):
            c.__dlpack__(dl_device=(2, 0))
        return wnp.sum(c * x)

    np.testing.assert_array_equal(grad(f)(X), [[5.0, 1.0, 1.0], [1.0, 2.0, 1.0]])


@pytest.mark.parametrize("transform", [grad, vmap, jit, lambda f: lambda x: jvp(f, (x,), (x,))])
def test_dlpack_of_traced_arrays_is_refused(transform: Any):
    def f(x):
        with pytest.raises(errors.ConcretizationError, match="DLPack"):
            np.from_dlpack(x)
        with pytest.raises(errors.ConcretizationError, match="DLPack"):
            x.__dlpack__()
        return wnp.sum(wnp.from_dlpack(x, copy=True) * wnp.from_dlpack(x))

    transform(f)(X)


def test_from_dlpack():
    class Other:  # another library's array
        def __init__(self, x: np.ndarray) -> None:
            self.x = x

        def __dlpack__(self, **kwargs: Any) -> Any:
            return self.x.__dlpack__(**kwargs)

        def __dlpack_device__(self) -> Any:
            return self.x.__dlpack_device__()

    theirs = Other(np.arange(6.0).reshape(2, 3))
    assert isinstance(wnp.from_dlpack(theirs), np.ndarray)

    def f(x):
        c = wnp.from_dlpack(theirs)
        c[0, 0] = x[0, 0]
        with pytest.raises(ValueError, match="copy=False"):
            wnp.from_dlpack(theirs, copy=False)
        y = wnp.from_dlpack(x, copy=True)
        y[0, 1] = 0.0
        return wnp.sum(c * x) + wnp.sum(y)

    expected = np.arange(6.0).reshape(2, 3) + np.array([[2 * X[0, 0] + 1, 0, 1], [1, 1, 1]])
    np.testing.assert_allclose(grad(f)(X), expected)
    np.testing.assert_array_equal(theirs.x, np.arange(6.0).reshape(2, 3))  # nothing was written there


# Order ---------------------------------------------------------------------------------------------------------------

EXTREMES = [
    np.array([3, -128, 127, 3], np.int8),
    np.array([0, 255, 7], np.uint8),
    np.array([True, False, True]),
    np.array([1.0, np.nan, 3.0, -0.0, 0.0, np.inf, -np.inf, 3.0]),
    np.array([[2.0, 1.0], [0.5, 4.0]], np.float32),
    np.array([1 + 2j, 1 - 2j, 0.5j]),
    np.zeros((0, 2)),
    np.array(2.0),
]


@pytest.mark.parametrize("x", EXTREMES, ids=lambda x: f"{x.dtype}{x.shape}")
def test_descending(x: np.ndarray):
    """The largest first, equal elements in their order, NaNs last."""
    if x.ndim == 0:
        np.testing.assert_array_equal(wnp.argsort(x, descending=True), [0])
        return
    order = wnp.argsort(x, axis=0, descending=True)
    result = wnp.sort(x, axis=0, descending=True)
    np.testing.assert_array_equal(np.take_along_axis(x, order, 0), result, strict=True)
    if not x.size:
        return
    columns = x.reshape(x.shape[0], -1).T.tolist()
    for column, places in zip(columns, order.reshape(x.shape[0], -1).T.tolist(), strict=True):
        keys = [(c != c, (-c.real, -c.imag) if isinstance(c, complex) else -c) for c in column]
        assert places == sorted(range(len(column)), key=keys.__getitem__) or any(k[0] for k in keys)
        assert [column[p] != column[p] for p in places] == sorted(c != c for c in column)
    if x.dtype.kind in "fc":
        _, dot = jvp(lambda x: wnp.sort(x, axis=0, descending=True), (x,), (np.arange(x.size).reshape(x.shape) * 1.0,))
        np.testing.assert_array_equal(
            dot, order if x.ndim == 1 else np.take_along_axis(np.arange(x.size).reshape(x.shape), order, 0)
        )


@pytest.mark.parametrize("axis", [None, 0])
def test_cumulative_functions_want_an_axis(axis: int | None):
    for function in (wnp.cumulative_sum, wnp.cumulative_prod):

        def f(x, function=function):
            with pytest.raises(ValueError, match="axis"):
                function(x)
            assert function(x[0, 0], axis=axis).shape == (1,)
            return wnp.sum(function(x, axis=1, include_initial=True))

        f(X)
        grad(f)(X)
