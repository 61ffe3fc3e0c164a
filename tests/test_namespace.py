"""Every function of `wengert.numpy` over the table of sample calls: values, both modes, second order, vmap."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import wengert.numpy as wnp
from wengert import check_grads, errors, jvp, vjp, vmap
from wengert.array import Array
from wengert.core.values import Value, representative
from wengert.numpy import plain
from wengert.numpy.absent import ABSENT

from .namespace_calls import CALLS, QUESTIONS, Call
from .namespace_edges import EDGES

# NumPy 2.5 deprecates np.fix, which plain arguments still go to.
pytestmark = pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")

TABLE = [*CALLS, *QUESTIONS]


def ids(call: Call) -> str:
    shapes = ",".join("x".join(map(str, np.shape(a))) for a in call.args if isinstance(a, (np.ndarray, np.generic)))
    return f"{call.name}({shapes})"


def leaves(result: Any) -> list[Any]:
    """The arrays of a result, in order."""
    if isinstance(result, (tuple, list)):
        return [leaf for r in result for leaf in leaves(r)]
    return [result]


def plain_value(x: Any) -> Any:
    """What NumPy would have computed, from a result that may be traced."""
    if isinstance(x, (tuple, list)):
        return type(x)(plain_value(y) for y in x)
    value = x._peek() if isinstance(x, Array) else x
    value = representative(value) if isinstance(value, Value) else value
    return np.asarray(value) if isinstance(x, Array) and x.is_mutable else value


def differentiable(result: Any) -> tuple[Any, ...]:
    return tuple(
        x for x in leaves(result) if isinstance(x, (Array, Value, np.ndarray, np.generic)) and x.dtype.kind in "fc"
    )


def assert_same(actual: Any, expected: Any) -> None:
    """Equal structure, types, shapes and dtypes; values up to rounding."""
    if isinstance(expected, (tuple, list)):
        assert isinstance(actual, (tuple, list))
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            assert_same(a, b)
    elif isinstance(expected, (np.ndarray, np.generic)):
        assert np.shape(actual) == expected.shape
        assert actual.dtype == expected.dtype
        assert isinstance(actual, np.ndarray) == isinstance(expected, np.ndarray)
        tolerance = 1e-5 if expected.dtype in (np.float32, np.complex64) else 1e-12
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
    else:
        assert type(actual) is type(expected)
        assert actual == expected


def functions() -> list[str]:
    """Names of the namespace that need a row."""
    return [
        name
        for name in wnp.__all__
        if name not in plain.__all__ and name not in ("fft", "linalg") and not inspect.ismodule(getattr(wnp, name))
    ]


def test_every_function_has_a_row():
    rows = {call.name.split(".")[0] for call in TABLE}
    assert sorted(set(functions()) - rows) == []


def test_names_are_numpys():
    assert [n for n in wnp.__all__ if not hasattr(np, n)] == []
    assert len(set(wnp.__all__)) == len(wnp.__all__)
    for name in functions():
        ours = getattr(wnp, name)
        if name not in ("r_", "c_"):
            assert ours.__name__ == getattr(np, name).__name__ or getattr(wnp, ours.__name__) is ours
            assert ours.__doc__
            assert ours.__doc__ != getattr(np, name).__doc__


@pytest.mark.parametrize("module", ["", "linalg", "fft"])
def test_every_name_of_numpy_is_there_or_has_a_reason(module):
    if np.lib.NumpyVersion(np.__version__) < "2.4.0":
        pytest.skip("NumPy still has names that it has deprecated since")
    theirs, ours = (getattr(ns, module) if module else ns for ns in (np, wnp))
    missing = {name for name in dir(theirs) if not name.startswith("_") and not hasattr(ours, name)}
    assert sorted(missing - set(ABSENT)) == []
    if not module:
        assert not [name for name in ABSENT if name in wnp.__all__]
        with pytest.raises(AttributeError, match="use arrays"):
            wnp.matrix  # noqa: B018


@pytest.mark.parametrize("name", functions())
def test_signature_is_numpys(name):
    ours = getattr(wnp, name)
    theirs = getattr(np, name)
    if isinstance(theirs, np.ufunc) or name in ("r_", "c_", "where", "einsum", "empty_like"):
        return
    try:
        expected = inspect.signature(theirs).parameters
    except ValueError:
        pytest.skip("NumPy's function tells no signature")
    if getattr(ours, "__wrapped__", None) is None:
        return  # a constructor: all arguments go to NumPy's own function
    actual = inspect.signature(ours).parameters
    positional = [p.name for p in expected.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    own = [p.name for p in actual.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    assert own == positional
    missing = set(expected) - set(actual) - {"like", "subok", "newshape", "ndmax"}
    if not any(p.kind is p.VAR_KEYWORD for p in actual.values()):
        assert missing == set()


@pytest.mark.parametrize("call", TABLE, ids=ids)
def test_plain(call):
    """Plain arguments give NumPy's result: same types, same bits."""
    active = [call.args[i] for i in call.active]
    expected, actual = call(np, *active), call(wnp, *active)
    assert type(actual) is type(expected)
    for a, b in zip(leaves(actual), leaves(expected), strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b, strict=isinstance(b, (np.ndarray, np.generic)))


@pytest.mark.parametrize("call", TABLE, ids=ids)
@pytest.mark.filterwarnings("ignore:Mean of empty slice|All-NaN|Degrees of freedom:RuntimeWarning")
def test_primal(call):
    """Inside jvp and vjp the result is NumPy's, with its shape and dtype."""
    seen = []

    def f(*active: Any) -> Any:
        result = call(wnp, *active)
        seen.append(result)
        return differentiable(result) or 1.0

    active = tuple(call.args[i] for i in call.active)
    expected = call(np, *active)
    with np.errstate(invalid="ignore"):
        jvp(f, active, active)
        vjp(f, *active)
    assert len(seen) == 2
    for result in seen:
        assert_same(plain_value(result), expected)


@pytest.mark.parametrize("call", [call for call in CALLS if call.smooth], ids=ids)
def test_derivatives(call):
    """Both modes against finite differences, to second order, mixed."""
    active = tuple(call.args[i] for i in call.active)

    def f(*active: Any) -> Any:
        return differentiable(call(wnp, *active)) or 1.0

    check_grads(f, active, order=call.order)


@pytest.mark.parametrize("call", [c for c in CALLS if c.body is None and "." not in c.name], ids=ids)
@pytest.mark.filterwarnings("ignore:Mean of empty slice|All-NaN|Degrees of freedom:RuntimeWarning")
def test_out(call):
    """out= stores the result, and refuses a plain array where that would lose a derivative."""
    numpys = getattr(np, call.name)
    try:
        takes_out = isinstance(numpys, np.ufunc) or "out" in inspect.signature(numpys).parameters
    except ValueError:  # older NumPy does not tell
        return
    active = tuple(call.args[i] for i in call.active)
    expected = call(np, *active)
    if not takes_out or isinstance(expected, tuple) or len(call.args) > 3 or not active:
        return
    expected = np.asarray(expected)
    traced = []

    def f(*active: Any) -> Any:
        out = wnp.zeros(expected.shape, dtype=expected.dtype)
        args = iter(active)
        values = [next(args) if i in call.active else a for i, a in enumerate(call.args)]
        assert getattr(wnp, call.name)(*values, **call.kwargs, out=out) is out
        np.testing.assert_allclose(plain_value(out), expected, rtol=1e-5)
        traced.append(isinstance(out._peek(), Value))
        plain = np.zeros(expected.shape, dtype=expected.dtype)
        if traced[-1]:
            with pytest.raises(errors.ConcretizationError, match="out="):
                getattr(wnp, call.name)(*values, **call.kwargs, out=plain)
        else:
            assert getattr(wnp, call.name)(*values, **call.kwargs, out=plain) is plain
        return differentiable(out) or 1.0

    def plainly(*active: Any) -> Any:
        return differentiable(call(wnp, *active)) or 1.0

    with np.errstate(invalid="ignore"):
        _, dots = jvp(f, active, active)
        _, wanted = jvp(plainly, active, active)
    if traced[0]:
        for a, b in zip(leaves(dots), leaves(wanted), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)


def real_inner(a: Any, b: Any) -> float:
    return sum(float(np.real(np.sum(np.conj(x) * y))) for x, y in zip(leaves(a), leaves(b), strict=True))


def like(x: Any, rng: np.random.Generator) -> Any:
    """A random direction."""
    if isinstance(x, (tuple, list)):
        return type(x)(like(y, rng) for y in x)
    v = rng.normal(size=np.shape(x))
    v = v + 1j * rng.normal(size=np.shape(x)) if x.dtype.kind == "c" else v
    return np.asarray(v).astype(x.dtype)[()]


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_adjoint(call):
    """⟨Jv, w⟩ = ⟨v, Jᵀw⟩, also where finite differences do not apply; NaN arguments get no NaN derivatives."""
    rng = np.random.default_rng(1)
    active = tuple(call.args[i] for i in call.active)

    def f(*active: Any) -> Any:
        return differentiable(call(wnp, *active)) or 1.0

    v = like(active, rng)
    with np.errstate(invalid="ignore"):
        out, dots = jvp(f, active, v)
        _, pullback = vjp(f, *active)
        w = like(out, rng) if out != 1.0 else 1.0
        cts = pullback(w)
    left, right = real_inner(dots, w), real_inner(v, cts)
    if np.isnan(left) and any(np.isnan(x).any() for x in leaves(out)):
        return
    low = any(np.asarray(x).dtype.itemsize <= 4 for x in leaves([out, cts]))
    np.testing.assert_allclose(left, right, rtol=1e-4 if low else 1e-9, atol=1e-4 if low else 1e-9)


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_vmap(call):
    """vmap of value and derivative against a loop."""
    active = tuple(call.args[i] for i in call.active)
    if not call.vmap:
        with pytest.raises(errors.WengertError):
            vmap(lambda *a: differentiable(call(wnp, *a)) or 1.0)(*_stacked([active, active]))
        return

    def tangents(*active: Any) -> Any:
        return jvp(lambda *a: differentiable(call(wnp, *a)) or 1.0, active, active)

    def bump(x: Any, i: int) -> Any:
        if isinstance(x, (tuple, list)):
            return type(x)(bump(y, i) for y in x)
        return (x * (1 + 0.01 * i)).astype(x.dtype)

    examples = [bump(active, i) for i in range(3)]
    with np.errstate(invalid="ignore"):
        batched = vmap(tangents)(*_stacked(examples))
        loop = [tangents(*e) for e in examples]
    for column, single in zip(leaves(batched), zip(*map(leaves, loop), strict=True), strict=True):
        np.testing.assert_allclose(
            column, np.stack(single), rtol=1e-5 if column.dtype.itemsize <= 4 else 1e-10, atol=1e-10
        )


def _stacked(examples: list[Any]) -> Any:
    """Lists of equal structure -> one structure of stacked arrays."""
    first = examples[0]
    if isinstance(first, (tuple, list)):
        return type(first)(_stacked(list(column)) for column in zip(*examples, strict=True))
    return np.stack(examples)


@pytest.mark.parametrize(("what", "function", "x"), EDGES, ids=[e[0] for e in EDGES])
@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_edges(what, function, x, traced):
    """NumPy's result or NumPy's kind of error, for traced arrays and for untraced ones made inside a transform."""
    if traced and x.dtype.kind not in "fc":
        x = x.astype(float)
    seen = []

    def run(x: Any) -> float:
        seen.append(function(wnp, x))
        return 1.0

    def inside() -> None:
        if traced:
            jvp(run, (x,), (np.ones_like(x),))
        else:
            jvp(lambda _: run(wnp.array(x)), (1.0,), (1.0,))

    try:
        expected = function(np, x.copy())
    except Exception as error:
        with pytest.raises(type(error)):
            inside()
        return
    inside()
    assert_same(plain_value(seen[0]), expected)
