"""The methods of Array against those of ndarray: values, types, derivatives, signatures, in-place ones."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import wengert.numpy as wnp
from wengert import Dual, check_grads, errors, grad, jvp, vmap
from wengert.array import Array
from wengert.core.values import Value
from wengert.numpy.methods import ARRAY_METHODS, METHODS

from .test_namespace import assert_same, differentiable, plain_value

_rng = np.random.default_rng(5)
X = _rng.normal(size=(3, 4))
CUBE = _rng.normal(size=(2, 3, 4))
COMPLEX = X + 1j * _rng.normal(size=(3, 4))
MASK = X > 0

#: (name, array, positional arguments, keyword arguments)
CALLS: list[tuple[str, np.ndarray, tuple[Any, ...], dict[str, Any]]] = [
    *((n, X, (), {}) for n in ("sum", "prod", "mean", "var", "std", "max", "min", "all", "any", "argmax", "argmin")),
    *(
        (n, CUBE, (1,), {})
        for n in ("sum", "prod", "mean", "var", "std", "max", "min", "all", "any", "argmax", "argmin")
    ),
    *((n, CUBE, (), {"axis": (0, 2), "keepdims": True}) for n in ("sum", "prod", "mean", "var", "std", "max", "min")),
    ("sum", X, (0, None, None, True), {}),
    ("sum", X, (), {"where": MASK, "initial": 2.0}),
    ("max", X, (1, None, False, 0.5, MASK), {}),
    ("var", X, (0, None, None, 1), {}),
    ("std", X, (), {"ddof": 1}),
    ("mean", COMPLEX, (), {}),
    ("cumsum", X, (), {}),
    ("cumsum", X, (1,), {}),
    ("cumprod", X, (0,), {}),
    ("argsort", X, (), {}),
    ("argsort", X, (0, "stable"), {}),
    ("argpartition", X, (1,), {"axis": None}),
    ("searchsorted", np.sort(X[0]), (X[1],), {}),
    ("searchsorted", np.sort(X[0]), (X[1], "right"), {}),
    ("astype", X, (np.float32,), {}),
    ("astype", X, (complex,), {"copy": False}),
    ("astype", X, (int,), {}),
    ("clip", X, (-0.5, 0.5), {}),
    ("clip", X, (), {"max": 0.25}),
    ("compress", X, ([True, False, True],), {}),
    ("compress", X, ([True, False, True], 1), {}),
    ("conj", COMPLEX, (), {}),
    ("conjugate", COMPLEX, (), {}),
    ("copy", X, (), {}),
    ("copy", X, ("F",), {}),
    ("diagonal", X, (), {}),
    ("diagonal", CUBE, (1, 2, 1), {}),
    ("dot", X, (CUBE[0, :, :].T,), {}),
    ("dot", X, (2.0,), {}),
    ("flatten", X, (), {}),
    ("flatten", X, ("F",), {}),
    ("nonzero", X, (), {}),
    ("ravel", X, (), {}),
    ("ravel", X, ("F",), {}),
    ("repeat", X, (2,), {}),
    ("repeat", X, ([1, 0, 2], 0), {}),
    ("reshape", X, (2, 6), {}),
    ("reshape", X, ((-1, 2),), {}),
    ("reshape", X, (4, -1), {"order": "F"}),
    ("round", X, (), {}),
    ("round", X, (1,), {}),
    ("squeeze", X[:1], (), {}),
    ("squeeze", X[None, :, :1], (0,), {}),
    ("swapaxes", CUBE, (0, 2), {}),
    ("take", X, ([0, 5, -1],), {}),
    ("take", X, ([0, 5], 1, None, "wrap"), {}),
    ("trace", X, (), {}),
    ("trace", CUBE, (1, 0, 2), {}),
    ("transpose", CUBE, (), {}),
    ("transpose", CUBE, (2, 0, 1), {}),
    ("transpose", CUBE, ((1, 0, 2),), {}),
]
PROPERTIES = ["T", "mT", "real", "imag", "shape", "ndim", "size", "dtype", "itemsize", "nbytes"]


def _id(call: Any) -> str:
    return call[0] if isinstance(call, tuple) else str(call)


def test_every_method_of_ndarray_is_there():
    rare = {"ctypes", "data", "device", "to_device"}  # what a traced value does not have
    public = {n for n in dir(np.ndarray) if not n.startswith("_")} - rare
    assert sorted(public - set(dir(Array))) == []


def test_every_method_is_called_here():
    assert set(METHODS) - {"choose"} == {c[0] for c in CALLS}


@pytest.mark.parametrize("name", sorted({*METHODS, *ARRAY_METHODS} - {"choose"}))
def test_methods_are_documented(name):
    method = getattr(Array, name)
    assert method.__name__ == name
    assert method.__doc__


@pytest.mark.parametrize("call", CALLS, ids=_id)
def test_values(call):
    name, x, args, kwargs = call
    expected = getattr(x.copy(), name)(*args, **kwargs)
    seen = []

    def f(x: Any) -> Any:
        seen.append(getattr(x, name)(*args, **kwargs))
        return differentiable(seen[0]) or 1.0

    jvp(f, (x,), (x,))
    assert_same(plain_value(seen[0]), expected)


@pytest.mark.parametrize("call", [c for c in CALLS if c[0] != "astype"], ids=_id)
def test_derivatives(call):
    name, x, args, kwargs = call
    check_grads(lambda x: differentiable(getattr(x, name)(*args, **kwargs)) or 1.0, (x,), order=2)


@pytest.mark.parametrize("call", [c for c in CALLS if c[0] != "nonzero"], ids=_id)
def test_vmap(call):
    name, x, args, kwargs = call
    xs = np.stack([x, 1.25 * x])
    batched = vmap(lambda x: getattr(x, name)(*args, **kwargs))(xs)
    np.testing.assert_allclose(batched, np.stack([getattr(x, name)(*args, **kwargs) for x in xs]))


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties(name):
    seen = []
    jvp(lambda x: (seen.append(getattr(x, name)), x)[1], (COMPLEX,), (COMPLEX,))
    assert_same(plain_value(seen[0]), getattr(COMPLEX, name))


def test_choose():
    def f(x: Any) -> Any:
        return np.sum(wnp.array([0, 1, 1, 0]).choose([x, x**2]))

    x = np.array([2.0, 3.0, 4.0, 5.0])
    np.testing.assert_array_equal(grad(f)(x), [1.0, 6.0, 8.0, 1.0])


def test_divmod_operator():
    def f(x: Any) -> Any:
        (q, r), (s, t) = divmod(3.0 * x, 0.7), divmod(5.0, x)
        return q * x + r**2 + s + t**2

    check_grads(f, (np.abs(X) + 0.1,), order=2)


@pytest.mark.parametrize("integer", [round, math.floor, math.ceil, math.trunc, int])
def test_integers_of_traced_scalars(integer):
    for number in (2.5, -2.5, 0.0, 1e20):
        assert grad(lambda x, n=number: integer(x) * x)(number) == integer(number)
        assert integer(Dual(number, 1.0)) == integer(number)
        assert type(integer(Dual(number, 1.0))) is int
    with pytest.raises(OverflowError):
        grad(lambda x: integer(x) * x)(np.inf)
    with pytest.raises(TypeError):
        integer(np.ones(2))
    with pytest.raises(TypeError):
        grad(lambda x: integer(x) * np.sum(x))(np.ones(2))
    with pytest.raises(errors.ConcretizationError):
        vmap(lambda x: integer(x) * x)(np.ones(2))


def test_round_to_digits():
    assert grad(lambda x: round(x, 1) * x)(2.46) == 2.5
    assert round(Dual(2.46, 1.0), 1) == 2.5
    np.testing.assert_array_equal(vmap(lambda x: round(x, 1))(np.array([0.26, 1.04])), [0.3, 1.0])


def test_values_to_python():
    x = Dual(np.array([1.5, 2.0]), np.array([1.0, 3.0]))
    assert [(float(d.primal), float(d.tangent)) for d in x.tolist()] == [(1.5, 1.0), (2.0, 3.0)]
    assert x.item(1).tangent == 3.0
    assert x[0].item().tangent == 1.0
    assert [x[0].is_integer(), x[1].is_integer()] == [False, True]
    with pytest.raises(ValueError, match="size 1"):
        x.item()


def test_format():
    assert f"{Dual(2.5, 1.0):.2f} {Dual(2.5, 1.0)}" == "2.50 + 1.00ε 2.5 + 1.0ε"
    assert f"{Dual(Dual(2.5, 1.0), Dual(1.0, 0.0)):.1f}" == "(2.5 + 1.0ε) + (1.0 + 0.0ε)ε₂"
    assert f"{Dual(np.ones(2), 1.0)}" == "[1. 1.] + [1. 1.]ε"
    seen = []
    grad(lambda x: (seen.append(f"{x:.2f}|{x:>6.1f}"), x)[1])(2.5)
    assert seen == ["2.50|   2.5"]


def test_values_have_the_methods_too():
    """The immutable values, which hand-made duals are, have what does not change them."""
    for name in METHODS:
        assert callable(getattr(Value, name))
    for name in ARRAY_METHODS:
        assert not hasattr(Value, name)


# In place ------------------------------------------------------------------------------------------------------------


def _run(change: Any) -> Any:
    def f(x: Any) -> Any:
        x = 1.0 * x
        assert change(x) is None
        return x

    return f


IN_PLACE = [
    lambda x: x.sort(),
    lambda x: x.sort(0),
    lambda x: x.sort(axis=0, kind="stable"),
    lambda x: x.fill(x[0, 1]),
    lambda x: x.fill(2.5),
    lambda x: x.put([0, 5, -1], x[1, :3]),
    lambda x: x.put([0, 13], 4.0, mode="wrap"),
    lambda x: x.partition(1, axis=0),
    lambda x: x.T.sort(),
    lambda x: x[1:].fill(x[0, 0]),
    lambda x: x.T.put([1], x[0, 0]),
    lambda x: x.flat.__setitem__(slice(None, None, 5), x[0, 0] ** 2),
    lambda x: x.flat.__setitem__([0, 3], x[1, :2]),
    lambda x: x.flat.__setitem__(7, 3.0),
    lambda x: setattr(x, "flat", x[0].copy()),
    lambda x: setattr(x, "real", 2 * x[0]),
    lambda x: x.view().__setitem__(0, x[1]),
]


@pytest.mark.parametrize("change", IN_PLACE)
def test_in_place(change):
    f = _run(change)
    out, _ = jvp(f, (X,), (X,))
    expected = f(X)
    if change is IN_PLACE[7]:  # NumPy leaves the order within the parts open
        out, expected = out[1], expected[1]
    np.testing.assert_array_equal(out, expected)
    check_grads(f, (X,), order=2)


def test_in_place_on_complex_parts():
    def f(z: Any) -> Any:
        z = 1.0 * z
        z.real = z.imag**2
        z.imag[0] = 3.0
        return z

    np.testing.assert_array_equal(jvp(f, (COMPLEX,), (COMPLEX,))[0], f(COMPLEX))
    check_grads(f, (COMPLEX,), order=2)


def test_flat_reads():
    def f(x: Any) -> Any:
        flat = x.flat
        assert len(flat) == x.size
        return flat[3] * sum(flat) + np.sum(flat[::4] ** 2) + np.sum(flat.copy()[[1, 2]])

    np.testing.assert_allclose(grad(f)(X), grad(lambda x: f(_Flat(x)))(X))


def test_flat_is_an_iterator():
    def f(x: Any) -> Any:
        flat = x.flat
        first, second = next(flat), next(flat)
        assert (flat.index, flat.coords, flat.base is x) == (2, (0, 2), True)
        assert (flat > 0).shape == (x.size,)
        assert (x.flat == x.flat).all()
        total = sum(v for v in flat)  # the rest
        return first * second + total + np.sum(np.sin(x.flat)) + np.sum(x.flat)

    expected = np.cos(X) + 2.0
    expected[0, :2] += X[0, 1::-1] - 1.0
    np.testing.assert_allclose(grad(f)(X), expected)


class _Flat:
    """The same, spelled out."""

    def __init__(self, x: Any) -> None:
        self.flat = _Elements(np.ravel(x))
        self.size = self.flat.x.size


class _Elements:
    def __init__(self, x: Any) -> None:
        self.x = x

    def __len__(self) -> int:
        return self.x.size

    def __getitem__(self, key: Any) -> Any:
        return self.x[key]

    def copy(self) -> Any:
        return self.x.copy()


@pytest.mark.parametrize(
    "method",
    [
        lambda x: x.resize((2, 2)),
        lambda x: x.byteswap(),
        lambda x: x.setfield(1.0, float),
        lambda x: x.getfield(np.int32),
        lambda x: x.setflags(write=False),
        lambda x: x.view(np.int64),
    ],
)
def test_methods_without_a_rule(method):
    with pytest.raises(errors.UnsupportedOperationError, match="test_methods"):
        grad(lambda x: (method(x), np.sum(x))[1])(X)


@pytest.mark.parametrize("name", ["tobytes", "dumps"])
def test_bytes_only_of_arrays_that_are_not_traced(name):
    with pytest.raises(errors.ConcretizationError):
        grad(lambda x: (getattr(x, name)(), np.sum(x))[1])(X)

    def f(x: Any) -> Any:
        assert getattr(wnp.zeros(2), name)() == getattr(np.zeros(2), name)()
        return x

    grad(f)(1.0)


def test_signatures():
    """Methods take their positional arguments in NumPy's order."""
    assert list(inspect.signature(wnp.sum).parameters)[1:4] == ["axis", "dtype", "out"]
    out = np.zeros(4)

    def f(x: Any) -> Any:
        a = wnp.zeros(4)
        assert x.sum(0, None, a) is a
        assert x.max(0, a[...]) is not None
        assert x.clip(0.0, 1.0, x) is x
        assert x.dot(wnp.ones(4), wnp.zeros(3)).shape == (3,)
        assert x.take([0, 1, 2], 1, wnp.zeros((3, 3))).shape == (3, 3)
        return np.sum(a) + np.sum(x)

    np.testing.assert_array_equal(grad(f)(X), (MASK & (X < 1)) + 1.0 * (X.max(0) == X))
    with pytest.raises(errors.ConcretizationError, match="out="):
        grad(lambda x: np.sum(x.sum(0, None, out)))(X)


@pytest.mark.parametrize(
    "bad",
    [
        lambda x: x.sum(nonsense=1),
        lambda x: x.reshape(5, 5),
        lambda x: x.astype(int, casting="safe"),
        lambda x: x.swapaxes(0, 5),
    ],
)
def test_bad_arguments(bad):
    with pytest.raises((TypeError, ValueError, IndexError)) as expected:
        bad(X)
    with pytest.raises((TypeError, ValueError, IndexError)) as actual:
        grad(lambda x: (bad(x), np.sum(x))[1])(X)
    assert isinstance(actual.value, type(expected.value))
