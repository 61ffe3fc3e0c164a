"""Plain NumPy functions on Arrays, constructors inside transforms, ufunc keywords and methods, and the errors."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import wengert.numpy as wnp
from wengert import Dual, errors, grad, jacobian, jvp, vjp, vmap
from wengert.array import Array

from .namespace_calls import CALLS, QUESTIONS, Call
from .test_namespace import assert_same, differentiable, ids, leaves, plain_value

X = np.array([[0.5, -1.0, 2.0], [1.5, 3.0, -0.25]])


def inside(f: Any, *args: Any) -> Any:
    """What `f` returns inside a jvp, as plain values, and the tangents of its floating-point results."""
    seen = []

    def g(*xs: Any) -> Any:
        seen.append(f(*xs))
        return differentiable(seen[-1]) or 1.0

    _, dots = jvp(g, args, args)
    return plain_value(seen[0]), dots


@pytest.mark.parametrize("call", [c for c in (*CALLS, *QUESTIONS) if c.protocol], ids=ids)
@pytest.mark.filterwarnings("ignore:Mean of empty slice|All-NaN|Degrees of freedom:RuntimeWarning")
def test_numpy_functions_dispatch(call: Call):
    """np.f(x) does the same as wengert.numpy.f(x)."""
    active = [call.args[i] for i in call.active]
    with np.errstate(invalid="ignore"):
        (ours, our_dots), (theirs, their_dots) = (inside(lambda *xs, ns=ns: call(ns, *xs), *active) for ns in (wnp, np))
    assert_same(theirs, ours)
    for a, b in zip(leaves(our_dots), leaves(their_dots), strict=True):
        np.testing.assert_array_equal(a, b)


# Constructors --------------------------------------------------------------------------------------------------------

CONSTRUCTORS = [
    ("zeros", (3,)),
    ("ones", ((2, 2),)),
    ("empty", (3,)),
    ("full", (3, 2.5)),
    ("eye", (3,)),
    ("identity", (2,)),
    ("tri", (3,)),
    ("arange", (4.0,)),
    ("array", ([1.0, 2.0],)),
    ("asarray", ([1.0, 2.0],)),
    ("asanyarray", ([1.0, 2.0],)),
    ("ascontiguousarray", ([1.0, 2.0],)),
    ("asfortranarray", ([1.0, 2.0],)),
]
WITHOUT_LIKE = [
    ("linspace", (0.0, 1.0, 3)),
    ("logspace", (0.0, 1.0, 3)),
    ("geomspace", (1.0, 8.0, 4)),
    ("indices", ((2, 2), float)),
    ("zeros_like", (X,)),
    ("ones_like", (X,)),
    ("empty_like", (X,)),
    ("full_like", (X, 1.5)),
]


@pytest.mark.parametrize(("name", "args"), [*CONSTRUCTORS, *WITHOUT_LIKE])
@pytest.mark.parametrize("transform", [grad, lambda f: lambda x: jvp(f, (x,), (x,)), vmap])
def test_constructors_make_arrays_that_take_traced_values(name, args, transform):
    assert type(getattr(wnp, name)(*args)) is np.ndarray
    made = []

    def f(x: Any) -> Any:
        a = getattr(wnp, name)(*args)
        made.append((a.shape, a.dtype, np.asarray(a)))
        assert isinstance(a, Array)
        a[-1] = x * x
        return np.sum(a[-1] / a[-1].size)

    result = transform(f)(np.ones(2) if transform is vmap else 3.0)
    if transform is grad:
        assert result == pytest.approx(6.0)
    shape, dtype, values = made[0]
    expected = getattr(np, name)(*args)
    assert (shape, dtype) == (expected.shape, expected.dtype)
    if "empty" not in name:
        np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(("name", "args"), CONSTRUCTORS)
@pytest.mark.parametrize("namespace", [np, wnp])
def test_like(name, args, namespace):
    def f(x: Any) -> Any:
        a = getattr(namespace, name)(*args, like=x)
        assert isinstance(a, Array)
        a[0] = x**2
        return np.sum(a[0]) / np.size(a[0])

    assert grad(f)(3.0) == pytest.approx(6.0)
    a = getattr(namespace, name)(*args, like=Dual(1.0, 2.0))
    a[0] = Dual(1.0, 2.0)
    np.testing.assert_array_equal(a.immutable_value.tangent[0], np.full(np.shape(a[0]), 2.0))


def test_like_of_an_array_outside_a_transform_is_writable():
    out = grad(lambda x: np.sum(_filled(np.zeros_like(x), x)))(X)
    np.testing.assert_array_equal(out, np.ones_like(X))


def _filled(a: Any, x: Any) -> Any:
    a[...] = x
    return a


def test_asarray_keeps_identity_and_array_copies():
    plain = np.ones(3)

    def f(x: Any) -> Any:
        assert wnp.asarray(x) is x
        assert wnp.asarray(plain) is plain
        a, b = wnp.array(x), wnp.copy(x)
        a[0] = b[1] = 100.0
        assert wnp.array(plain) is not plain
        return np.sum(x**2)

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0, 3.0])), [2.0, 4.0, 6.0])


def test_constructors_stay_plain_in_other_threads():
    seen = []

    def f(x: Any) -> Any:
        thread = threading.Thread(target=lambda: seen.append(type(wnp.zeros(3))))
        thread.start()
        thread.join()
        return x

    grad(f)(1.0)
    assert seen == [np.ndarray]


def test_integer_and_boolean_arrays_work_as_indices():
    def f(x: Any) -> Any:
        index, mask = wnp.arange(2), wnp.zeros(3, dtype=bool)
        mask[1] = True
        index[0] = 2
        return np.sum(x[index] ** 2) + np.sum(x[mask]) + sum(x[i] for i in wnp.arange(3))

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0, 3.0])), [1.0, 6.0, 7.0])


def test_copies_of_untraced_arrays_share_nothing():
    def f(x: Any) -> Any:
        a = wnp.arange(3)
        b, c = a.copy(), np.copy(a)
        b[0], c[1] = 7, 8
        np.testing.assert_array_equal(np.asarray(a), [0, 1, 2])
        return x

    grad(f)(1.0)


# Untraced Arrays -----------------------------------------------------------------------------------------------------


def test_functions_without_a_rule_take_arrays_that_are_not_traced():
    def f(x: Any) -> Any:
        counts, _ = np.histogram(wnp.linspace(0.0, 1.0, 5), bins=2)
        assert counts.tolist() == [2, 3]
        assert np.i0(wnp.zeros(2)).tolist() == [1.0, 1.0]
        return x

    assert grad(f)(1.0) == 1.0


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.datetime_as_string(x),
        lambda x: np.is_busday(x),
        lambda x: np.isnat(x),
    ],
)
def test_functions_without_a_rule_say_what_to_do(f):
    with pytest.raises(errors.UnsupportedOperationError, match=r"(?s)custom_jvp.*stop_gradient.*test_protocols"):
        grad(lambda x: np.sum(f(x)))(np.array([1.0, 2.0, 4.0]))


# Writing traced values into plain arrays -----------------------------------------------------------------------------


def _item(a: Any, x: Any) -> None:
    a[0] = x[0]


def _slice(a: Any, x: Any) -> None:
    a[1:] = x[1:]


def _augmented(a: Any, x: Any) -> None:
    a += x


def _out(a: Any, x: Any) -> None:
    np.exp(x, out=a)


@pytest.mark.parametrize(
    "write",
    [
        _item,
        _slice,
        _augmented,
        _out,
        lambda a, x: wnp.multiply(x, 2.0, a),
        lambda a, x: np.cumsum(x, out=a),
        lambda a, x: np.sum(x, 0, None, a[0, ...]),
        lambda a, x: np.add.at(a, [0], x[0]),
        lambda a, x: np.copyto(a, x),
        lambda a, x: np.put(a, [0], x[0]),
        lambda a, x: np.putmask(a, a == 0, x),
        lambda a, x: np.concatenate([x[:1], x[1:]], out=a),
        lambda a, x: np.stack([x[0], x[1], x[2]], 0, a),
    ],
)
@pytest.mark.parametrize("transform", ["jvp", "grad", "vmap", "nested"])
def test_writing_into_a_plain_array(write, transform):
    plain = np.zeros(3)

    def f(x: Any) -> Any:
        write(plain, x)
        return np.sum(plain)

    x = np.array([1.0, 2.0, 3.0])
    run = {
        "jvp": lambda: jvp(f, (x,), (x,)),
        "grad": lambda: grad(f)(x),
        "vmap": lambda: vmap(f)(np.stack([x, x])),
        "nested": lambda: jvp(grad(f), (x,), (x,)),
    }[transform]
    with pytest.raises(errors.ConcretizationError, match=r"wengert\.numpy\.\w+.*like=x"):
        run()
    np.testing.assert_array_equal(plain, np.zeros(3))


# Ufuncs --------------------------------------------------------------------------------------------------------------


def test_attributes_are_those_of_the_ufunc():
    for name in ("add", "sin", "matmul", "divmod", "logaddexp"):
        ours, theirs = getattr(wnp, name), getattr(np, name)
        for attribute in ("nin", "nout", "nargs", "ntypes", "types", "identity", "signature", "__name__"):
            assert getattr(ours, attribute) == getattr(theirs, attribute)
        assert name in repr(ours)


@pytest.mark.parametrize("namespace", [np, wnp])
def test_out(namespace):
    def f(x: Any) -> Any:
        a, b = wnp.zeros((2, 3)), wnp.zeros((2, 3))
        assert namespace.sin(x, a) is a
        assert namespace.multiply(a, 2.0, out=(a,)) is a
        assert namespace.add(x[0], 1.0, out=b) is b  # broadcast into the larger output
        quotient, rest = namespace.divmod(x, 0.75, out=(None, wnp.empty((2, 3))))
        assert namespace.sum(x, axis=0, out=b[0]) is not None
        total = wnp.zeros(())
        assert namespace.mean(x, None, None, total) is total
        return np.sum(a) + np.sum(b * x) + np.sum(rest * x) + np.sum(quotient) + total

    def plainly(x: Any) -> Any:
        b = wnp.concatenate([wnp.sum(x, axis=0)[None], (x[0] + 1.0)[None]])
        return np.sum(2 * np.sin(x)) + np.sum(b * x) + np.sum((x % 0.75) * x) + np.sum(x // 0.75) + np.mean(x)

    (a, da), (b, db) = (jvp(g, (X,), (X**2,)) for g in (f, plainly))
    assert a == pytest.approx(b)
    assert da == pytest.approx(db)
    np.testing.assert_allclose(grad(f)(X), grad(plainly)(X))


@pytest.mark.parametrize("namespace", [np, wnp])
def test_where(namespace):
    mask = X > 0

    def f(x: Any) -> Any:
        out = 1.0 * x
        return np.sum(namespace.log(x, where=mask, out=out) ** 2)

    expected = np.where(mask, 2 * np.log(np.abs(X)) / np.where(mask, X, 1.0), 2 * X)
    np.testing.assert_allclose(grad(f)(X), expected)


@pytest.mark.parametrize("namespace", [np, wnp])
def test_dtype_and_casting(namespace):
    def f(x: Any) -> Any:
        y = namespace.add(x, 1.0, dtype=np.float32)
        assert y.dtype == np.float32
        return np.sum(y * y)

    assert grad(f)(X).dtype == np.float64
    np.testing.assert_allclose(grad(f)(X), 2 * (X + 1), rtol=1e-6)
    with pytest.raises(TypeError, match=r"(?i)cast"):
        grad(lambda x: np.sum(namespace.add(x, x, dtype=int)))(X)
    with pytest.raises(TypeError, match=r"(?i)cast"):
        grad(lambda x: np.sum(namespace.add(x, x, out=wnp.zeros(X.shape, int))))(X)
    with pytest.raises(ValueError, match="broadcast"):
        grad(lambda x: np.sum(namespace.add(x, x, out=wnp.zeros(3))))(X)


BAD_CALLS = [
    lambda ns, x: ns.sin(),
    lambda ns, x: ns.sin(x, x, x, x),
    lambda ns, x: ns.add(x),
    lambda ns, x: ns.add(x, x, nonsense=3),
    lambda ns, x: ns.add(x, x, x, out=x),
    lambda ns, x: ns.add(x, x, out=(None, None)),
    lambda ns, x: ns.add(x, x, out=[1, 2]),
    lambda ns, x: ns.add(x, x[:, :2]),
    lambda ns, x: ns.sin.reduce(x),
    lambda ns, x: ns.subtract.reduce(x, axis=(0, 1)),
    lambda ns, x: ns.maximum.reduce(x[:, :0], axis=1),
    lambda ns, x: ns.logaddexp.reduce(x, axis=2),
    lambda ns, x: ns.arctan2.reduce(x, where=x > 0),
    lambda ns, x: ns.sin.accumulate(x),
    lambda ns, x: ns.sin.outer(x, x),
    lambda ns, x: ns.add.at(x, 5, 1.0),
    lambda ns, x: ns.add.at(x, 0),
    lambda ns, x: ns.add.reduceat(x, [0, 5]),
    lambda ns, x: ns.sum(x, nonsense=3),
    lambda ns, x: ns.sum(x, axis=2),
    lambda ns, x: ns.sum(x, axis=(0, 0)),
    lambda ns, x: ns.max(x[:, :0]),
    lambda ns, x: ns.max(x, where=x > 0),
    lambda ns, x: ns.reshape(x, (4, 2)),
    lambda ns, x: ns.reshape(x, (-1, -1)),
    lambda ns, x: ns.reshape(x, 2.5),
    lambda ns, x: ns.reshape(x, 6, order="Q"),
    lambda ns, x: ns.reshape(x.T, 6, copy=False),
    lambda ns, x: ns.transpose(x, (0,)),
    lambda ns, x: ns.squeeze(x, 0),
    lambda ns, x: ns.concatenate([]),
    lambda ns, x: ns.concatenate([x, x[0]]),
    lambda ns, x: ns.concatenate([x, x[:, :2]]),
    lambda ns, x: ns.concatenate([x, x], dtype=int),
    lambda ns, x: ns.stack([x, x[0]]),
    lambda ns, x: ns.broadcast_to(x, (3, 2)),
    lambda ns, x: ns.split(x, 2, axis=1),
    lambda ns, x: ns.take(x, 7),
    lambda ns, x: ns.take_along_axis(x, np.array([0]), 1),
    lambda ns, x: ns.put(x, 9, 1.0),
    lambda ns, x: ns.diag(x[None]),
    lambda ns, x: ns.dot(x, x),
    lambda ns, x: ns.tensordot(x, x, axes=1),
    lambda ns, x: ns.einsum("ij,jk->ik", x, x),
    lambda ns, x: ns.einsum("ij", x, x),
    lambda ns, x: ns.einsum("ijk", x),
    lambda ns, x: ns.quantile(x, 1.5),
    lambda ns, x: ns.interp(x, [0.0, 1.0], [0.0]),
    lambda ns, x: ns.select([x > 0], [x, x]),
    lambda ns, x: ns.sort(x, axis=3),
    lambda ns, x: ns.partition(x, 9),
    lambda ns, x: ns.where(x > 0, x),
    lambda ns, x: ns.fill_diagonal(x[0], 1.0),
    lambda ns, x: ns.linspace(x, 1.0, -3),
    lambda ns, x: ns.convolve(x[0], x[0], "nonsense"),
    lambda ns, x: ns.pad(x, -1),
    lambda ns, x: ns.diff(x, -1),
    lambda ns, x: ns.rot90(x, 1, (0, 1, 1)),
    lambda ns, x: ns.matrix_transpose(x[0]),
    lambda ns, x: ns.average(x, weights=[1.0, 2.0]),
]


@pytest.mark.parametrize("bad", BAD_CALLS)
def test_bad_arguments_raise_what_numpy_raises(bad):
    """The same kind of error for plain and traced arguments."""
    with pytest.raises(Exception) as expected:  # noqa: PT011 - which one is NumPy's choice
        bad(np, X.copy())
    with pytest.raises((TypeError, ValueError, IndexError)) as actual:
        jvp(lambda x: (bad(wnp, x), x)[1], (X,), (X,))
    if not isinstance(actual.value, errors.WengertError):
        kinds = (TypeError, ValueError, IndexError)
        assert [isinstance(actual.value, k) for k in kinds] == [isinstance(expected.value, k) for k in kinds]


def test_keywords_that_have_no_rule():
    with pytest.raises(errors.UnsupportedOperationError, match="keepdims"):
        grad(lambda x: np.sum(np.matmul(x, x.T, axes=[(0, 1), (0, 1), (0, 1)], keepdims=True)))(X)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["add", "multiply", "maximum", "subtract", "logaddexp", "hypot"]),
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3),
    st.data(),
)
def test_reduce_and_accumulate_on_any_shape(name, shape, data):
    x = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape) / 7
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    keepdims = data.draw(st.booleans())
    method, kwargs = data.draw(
        st.sampled_from([("reduce", {"keepdims": keepdims}), ("reduce", {"initial": 2.0}), ("accumulate", {})])
    )

    def call(ns: Any, x: Any) -> Any:
        return getattr(getattr(ns, name), method)(x, axis=axis, **kwargs)

    try:
        expected = call(np, x)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            vjp(lambda x: call(wnp, x), x)
        return
    out, pullback = vjp(lambda x: call(wnp, x), x)
    assert np.shape(out) == np.shape(expected)
    np.testing.assert_allclose(out, expected, rtol=1e-13)
    (ct,) = pullback(np.ones_like(out))
    _, dot = jvp(lambda x: call(np, x), (x,), (np.ones(shape),))
    np.testing.assert_allclose(np.sum(ct), np.sum(dot), rtol=1e-12, atol=1e-12)


def test_at_counts_every_occurrence():
    index = (np.array([0, 0, 1, 0]), np.array([2, 2, 1, 0]))
    v = np.array([2.0, 3.0, 5.0, 7.0])
    for name in ("add", "subtract", "multiply", "divide", "power", "maximum"):

        def f(x: Any, v: Any, name: str = name) -> Any:
            x = 1.0 * x
            getattr(np, name).at(x, index, v)
            return x

        expected = np.abs(X)
        getattr(np, name).at(expected, index, v)
        out, dot = jvp(f, (np.abs(X), v), (X, v))
        np.testing.assert_allclose(out, expected)
        h = 1e-6
        numeric = (f(np.abs(X) + h * X, v + h * v) - f(np.abs(X) - h * X, v - h * v)) / (2 * h)
        np.testing.assert_allclose(dot, numeric, rtol=1e-6, atol=1e-6)


def test_at_with_batched_indices():
    def f(x: Any, i: Any) -> Any:
        x = 1.0 * x
        np.add.at(x, i, 2.0 * x[1])
        return x

    indices = np.array([[0, 0], [2, 1]])
    out = vmap(f)(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), indices)
    np.testing.assert_array_equal(out, [[9.0, 2.0, 3.0], [1.0, 6.0, 7.0]])
    with pytest.raises(errors.ConcretizationError, match="plain ndarray"):
        vmap(lambda i: np.add.at(np.zeros(3), i, 1.0))(indices)


# Duals outside of any transform --------------------------------------------------------------------------------------


def test_hand_made_duals():
    x = Dual(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    y = np.stack([x, np.sin(x)])
    assert isinstance(y, Dual)
    np.testing.assert_allclose(y.tangent, [[1.0, 0.0], [np.cos(1.0), 0.0]])
    np.testing.assert_allclose(np.add.reduce(x).tangent, 1.0)
    np.testing.assert_allclose(np.multiply.outer(x, x).tangent, [[2.0, 2.0], [2.0, 0.0]])
    np.testing.assert_allclose(wnp.array([x[0], 3.0]).immutable_value.tangent, [1.0, 0.0])
    assert x.sum().tangent == 1.0
    plain = np.zeros(2)
    with pytest.raises(errors.ConcretizationError, match="like=x"):
        plain[:] = x
    with pytest.raises(ValueError, match="sequence") as wrapped:
        plain[0] = x[0]
    assert isinstance(wrapped.value.__cause__, errors.ConcretizationError)


def test_full_jacobian_through_the_namespace_by_its_other_name():
    """One program in both namespaces."""

    def program(ns: Any, x: Any) -> Any:
        a = ns.zeros_like(x)
        a[1:] = ns.cumsum(x)[:-1]
        return ns.tril(ns.outer(a, x)) @ ns.sort(x)

    x = np.array([0.3, -1.0, 2.0])
    np.testing.assert_array_equal(jacobian(lambda x: program(np, x))(x), jacobian(lambda x: program(wnp, x))(x))


def test_named_tuples_of_arrays_without_derivatives():
    class Pair(NamedTuple):
        a: Any
        b: Any

    def f(x):
        z = wnp.zeros(2)
        z[0] = 1.0
        for stacked in (wnp.stack(Pair(z, z)), np.stack(Pair(z, z)), wnp.stack(Pair(z[0], z[1]))):
            assert isinstance(stacked, Array)
        assert wnp.linalg.eigh(wnp.eye(2)).eigenvalues.shape == (2,)
        return wnp.sum(wnp.stack(Pair(x, z)))

    np.testing.assert_array_equal(grad(f)(np.ones(2)), np.ones(2))
