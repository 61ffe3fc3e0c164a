"""`vmap` of small functions, recorded as one operation: its derivatives are maps of the example's derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wengert
from wengert import config, custom_vjp, grad, hessian, hvp, jacfwd, jacrev, jit, jvp, program, value_and_grad, vjp, vmap
from wengert.compiler import simplify as simplification
from wengert.compiler import unroll
from wengert.core.containers import flatten
from wengert.core.program import Program
from wengert.transforms.mapped import map_program
from wengert.transforms.programs import pullback_program, pushforward_program, split_pullback

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "cache_directory", None)


def operations(f: Any, *args: Any) -> list[str]:
    """Names of the operations that a function is simplified to."""
    return [op.primitive.name for op in simplification.simplify(program(f)(*args)).operations]


def maps(f: Any, *args: Any) -> list[Any]:
    """The maps that a function is simplified to."""
    return [op for op in simplification.simplify(program(f)(*args)).operations if op.primitive is map_program]


def assert_agrees(f: Any, *args: Any, rtol: float = 1e-12) -> None:
    """Compiled and eager results agree, in containers, types and numbers."""
    (actual, structure), (expected, wanted) = flatten(jit(f)(*args)), flatten(f(*args))
    assert structure == wanted
    for x, y in zip(actual, expected, strict=True):
        assert (np.shape(x), np.result_type(x)) == (np.shape(y), np.result_type(y))
        tolerance = 1e-5 if np.result_type(y) == np.float32 else rtol
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * max(1.0, np.max(np.abs(y), initial=0.0)))


def point(x, p):
    """Of one example: three numbers, and four that are shared."""
    r = np.sqrt(np.sum(x * x) + p[0] ** 2)
    return np.stack([np.sin(r) * p[1], x[0] * p[2] / (1.0 + r)]) + p[3] * x[1:]


def total(x, p):
    return np.sum(vmap(point, in_axes=(0, None))(x, p) ** 2)


X, P = rng.normal(size=(37, 3)), rng.normal(size=4)


# Composition ---------------------------------------------------------------------------------------------------------

_COMPOSITIONS = {
    "sum": lambda x, p: total(x, p),
    "grad": lambda x, p: grad(total, argnums=(0, 1))(x, p),
    "value_and_grad": lambda x, p: value_and_grad(total, argnums=(0, 1))(x, p),
    "grad of the shared argument": lambda x, p: grad(total, argnums=1)(x, p),
    "jvp": lambda x, p: jvp(total, (x, p), (np.cos(x), p + 1.0)),
    "jvp of the shared argument": lambda x, p: jvp(lambda p: vmap(point, (0, None))(x, p), (p,), (p + 1.0,)),
    "vjp": lambda x, p: vjp(vmap(point, in_axes=(0, None)), x, p)[1](np.sin(x[:, 1:])),
    "hvp": lambda x, p: hvp(total, (x, p), (np.cos(x), p + 1.0)),
    "hessian of the shared argument": lambda x, p: hessian(lambda p: total(x, p))(p),
    "hessian by reverse over reverse": lambda x, p: jacrev(grad(lambda p: total(x, p)))(p),
    "gradient of a gradient's norm": lambda x, p: grad(lambda x: np.sum(grad(total)(x, p) ** 2))(x),
    "jacfwd": lambda x, p: jacfwd(lambda p: vmap(point, (0, None))(x, p))(p),
    "jacrev": lambda x, p: jacrev(lambda p: np.sum(vmap(point, (0, None))(x, p), axis=0))(p),
    "vmap of grad": lambda x, p: vmap(grad(lambda x, p: np.sum(point(x, p))), (0, None))(x, p),
    "vmap of hessian": lambda x, p: vmap(hessian(lambda x, p: np.sum(point(x, p))), (0, None))(x, p),
    "grad of vmap of grad": lambda x, p: grad(
        lambda p: np.sum(vmap(grad(lambda x, p: np.sum(point(x, p))), (0, None))(x, p) ** 2)
    )(p),
    "vmap of grad of vmap": lambda x, p: vmap(lambda q: grad(lambda q: total(x, q))(q))(np.stack([p, 2 * p, p - 1])),
    "vmap of vmap": lambda x, p: vmap(lambda q: vmap(point, (0, None))(x, q))(np.stack([p, 2 * p])),
    "grad of vmap of vmap": lambda x, p: grad(
        lambda p: np.sum(vmap(lambda q: vmap(point, (0, None))(x, q))(np.stack([p, 2 * p])) ** 2)
    )(p),
    "jvp of grad of vmap": lambda x, p: jvp(grad(lambda p: total(x, p)), (p,), (p,))[1],
    "examples used elsewhere": lambda x, p: grad(lambda x: total(x, p) + np.sum(np.sin(x) * x[::-1]))(x),
    "shared by two maps": lambda x, p: grad(lambda p: total(x, p) * np.prod(vmap(point, (0, None))(x[:5], p)))(p),
    "one map after another": lambda x, p: grad(
        lambda p: np.sum(vmap(lambda y: np.sin(y[0]) * y)(vmap(point, (0, None))(x, p)))
    )(p),
    "normalised": lambda x, p: grad(lambda p: _normalised(vmap(point, (0, None))(x, p)))(p),
}


def _normalised(y):
    w = np.exp(y[:, 0])
    return np.sum((w / np.sum(w))[:, None] * y)


@pytest.mark.parametrize("name", _COMPOSITIONS)
def test_composition(name: str):
    assert_agrees(_COMPOSITIONS[name], X, P, rtol=1e-11)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 64, 65, 130])
def test_any_number_of_examples(n: int):
    assert_agrees(value_and_grad(total, argnums=(0, 1)), rng.normal(size=(n, 3)), P, rtol=1e-11)
    assert_agrees(grad(lambda x, p: np.sum(vmap(lambda x: np.tanh(x * p[0] + p[1]))(x)), (0, 1)), X[:n, 0], P)


def test_no_examples():
    assert_agrees(value_and_grad(total, argnums=(0, 1)), np.zeros((0, 3)), P)


def test_large_batches_share_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "threads", 2)
    assert_agrees(value_and_grad(total, argnums=(0, 1)), rng.normal(size=(30_000, 3)), P, rtol=1e-10)
    assert_agrees(grad(lambda x, p: np.sum(vmap(lambda x: np.tanh(x * p[0]))(x)), (0, 1)), np.sin(np.arange(2e5)), P)


# What is recorded ----------------------------------------------------------------------------------------------------


def test_derivatives_are_maps():
    for f in (
        grad(total, argnums=(0, 1)),
        lambda x, p: jvp(total, (x, p), (x, p))[1],
        lambda x, p: hvp(lambda x: total(x, p), (x,), (x,)),
    ):
        assert "map_program" in operations(f, X, P)
        assert not {"sin", "sqrt", "divide"} & set(operations(f, X, P))


def test_shared_arguments_have_no_cotangent_per_example():
    stages = jit(grad(total, argnums=1)).inspect(X, P)
    assert stages.workspace_bytes <= X.shape[0] * 2 * 8 * 2
    assert all(
        v.type.shape[:1] != (37,) or len(v.type.shape) < 2 or v.type.shape[1] != 4
        for op in maps(grad(total, argnums=1), X, P)
        for v in op.outputs
    )


def test_what_is_not_differentiated_has_no_cotangent():
    shapes = [v.type.shape for op in maps(grad(total, argnums=1), X, P) for v in op.outputs]
    assert (4,) in shapes
    assert (37, 3) not in shapes


def test_hessians_are_one_loop():
    second = hessian(lambda p, x: np.sum(vmap(lambda x, p: np.sum(point(x, p) ** 2), (0, None))(x, p)))
    assert [op.params["size"] for op in maps(second, P, X)] == [37]
    assert_agrees(second, P, X, rtol=1e-11)


@pytest.mark.parametrize("most", [150, 300, 700, 2000])
def test_what_is_too_large_for_one_loop(most: int, monkeypatch: pytest.MonkeyPatch):
    """Several loops then, or operations on batches."""
    monkeypatch.setattr(unroll, "MAX_ELEMENTS", most)
    both = lambda p, x: (hessian(lambda p: total(x, p))(p), value_and_grad(total, argnums=(0, 1))(x, p))
    counts = [op.params["program"] for op in maps(both, P, X)]
    assert all(unroll.can_unroll(example) for example in counts)
    assert len(counts) != 1
    assert_agrees(both, P, X, rtol=1e-11)


def test_closures():
    """Values from outside, staged and differentiated or plain, also where the examples themselves are constants."""
    w = rng.normal(size=3)

    def f(p):
        q = np.exp(p)
        return np.sum(vmap(lambda x: np.sin(x @ w) * q[0] + q[1] * x[0])(X))

    assert "map_program" in operations(grad(f), P)
    assert_agrees(grad(f), P)
    assert_agrees(hessian(f), P)


def test_containers_and_aux():
    def f(parameters, batch):
        def example(parameters, x, y):
            z = np.tanh(x @ parameters["w"] + parameters["b"])
            return {"loss": np.sum((z - y) ** 2), "sign": x > 0, "parts": (z, np.sum(x))}

        out = vmap(example, in_axes=(None, 0, 1))(parameters, batch[0], batch[1])
        return np.mean(out["loss"]), (out["parts"], out["sign"])

    parameters = {"w": rng.normal(size=(3, 2)), "b": np.zeros(2)}
    batch = X, rng.normal(size=(2, 37))
    assert_agrees(value_and_grad(f, has_aux=True), parameters, batch)
    assert "map_program" in operations(lambda *args: grad(f, has_aux=True)(*args)[0], parameters, batch)


@pytest.mark.parametrize(("in_axes", "out_axes"), [((0, None), 0), ((1, None), 1), ((-1, 0), 1), ((1, 0), -1)])
def test_axes(in_axes: Any, out_axes: Any):
    x = X if in_axes[0] == 0 else X.T.copy()
    p = P if in_axes[1] is None else rng.normal(size=(37, 4))
    f = vmap(point, in_axes, out_axes)
    assert_agrees(lambda x, p: grad(lambda x, p: np.sum(np.sin(f(x, p))), (0, 1))(x, p), x, p)
    assert_agrees(lambda x, p: jvp(f, (x, p), (x, p)), x, p)


def test_integers_and_indices():
    table, index = rng.normal(size=(5, 3)), rng.integers(0, 5, 37)

    def f(table, x):
        def example(i, x, k):
            return np.sum(np.where(x > 0, x**3, x)) * k + (i % 2) * np.sum(table[0] * x)

        return np.sum(vmap(example)(index, x, np.arange(37)))

    assert_agrees(grad(f, argnums=(0, 1)), table, X)


def test_computed_indices():
    """An index that is an argument is checked in the loop over the examples."""
    table, index = rng.normal(size=(5, 3)), rng.integers(0, 5, 37)
    f = lambda table, x: np.sum(vmap(lambda i, x: np.sin(table[i]) @ x)(index, x))
    assert_agrees(value_and_grad(f, argnums=(0, 1)), table, X)
    assert_agrees(hessian(lambda table: f(table, X)), table)
    assert len(maps(grad(f, argnums=(0, 1)), table, X)) == 1
    index[3] = 5
    with pytest.raises(IndexError, match="out of bounds"):
        jit(lambda table, index, x: vmap(lambda i, x: table[i] @ x)(index, x))(table, index, X)


def test_large_examples_are_products_of_matrices():
    """Weights of many numbers: cotangents come from one product, not from one outer product for each example."""
    w1, w2 = rng.normal(size=(40, 200)), rng.normal(size=(200, 3))
    x = rng.normal(size=(20, 40))
    f = lambda w1, w2: np.sum(vmap(lambda x: np.tanh(x @ w1) @ w2)(x) ** 2)
    for argnums in (0, 1, (0, 1)):
        assert_agrees(grad(f, argnums=argnums), w1, w2, rtol=1e-10)
    simplified = simplification.simplify(program(grad(f, argnums=(0, 1)))(w1, w2))
    assert max(v.type.shape[0] * np.prod(v.type.shape[1:]) for op in simplified.operations for v in op.outputs) <= 8000
    assert_agrees(lambda w1, w2: jvp(f, (w1, w2), (w1, w2)), w1, w2)
    assert_agrees(lambda w1, w2: hvp(f, (w1, w2), (w1, w2)), w1, w2, rtol=1e-10)


def test_functions_with_rules_of_their_own():
    @custom_vjp
    def clipped(x):
        return np.sin(x)

    clipped.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (np.clip(ct, -0.5, 0.5) * np.cos(x),))
    f = lambda x: np.sum(vmap(lambda x: clipped(x[0]) * x[1])(x))
    assert_agrees(grad(f), X)


def test_jitted_functions_inside():
    inner = jit(lambda x, p: point(x, p))
    f = lambda x, p: np.sum(vmap(inner, (0, None))(x, p) ** 2)
    assert_agrees(grad(f, argnums=(0, 1)), X, P)
    outer = jit(lambda x, p: vmap(point, (0, None))(x, p))
    assert_agrees(grad(lambda x, p: np.sum(outer(x, p) ** 2), argnums=(0, 1)), X, P)


def test_float32():
    x, p = X.astype(np.float32), P.astype(np.float32)
    assert_agrees(value_and_grad(total, argnums=(0, 1)), x, p)
    assert_agrees(value_and_grad(lambda x, p: total(x.astype(np.float64), p), argnums=(0, 1)), x, P)


def test_complex_numbers():
    z = X + 1j * rng.normal(size=X.shape)
    f = lambda z, p: np.sum(np.abs(vmap(lambda z, p: z[0] * np.exp(1j * p[0]) + z[1] * z[2], (0, None))(z, p)) ** 2)
    assert_agrees(value_and_grad(f, argnums=(0, 1)), z, P)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_special_values():
    """Zeros that win over infinite derivatives, NaN and infinities stay with their example."""
    x = np.array(
        [[0.0, 1.0], [np.nan, 2.0], [np.inf, 3.0], [-1.0, 4.0], [4.0, 5.0], [0.0, 0.0], [-0.0, 1.0], [1, 1]] * 3
    )
    f = lambda x: np.where(x[0] > 0, np.sqrt(np.where(x[0] > 0, x[0], 1.0)), 0.0) * x[1] + np.log(x[1])
    slope = lambda x: grad(lambda x: np.sum(vmap(f)(x)))(x)
    np.testing.assert_allclose(jit(slope)(x), slope(x), rtol=1e-13)
    sums = lambda x, p: grad(lambda p: np.sum(vmap(lambda x: x[0] * p)(x)))(p)
    np.testing.assert_array_equal(jit(sums)(x, 1.0), sums(x, 1.0))


def test_a_sum_of_negative_zeros_is_zero():
    x = np.full((20, 2), -0.0)
    f = jit(lambda x: np.sum(vmap(lambda row: row[0] + row[1])(x)))
    assert not np.signbit(f(x))


def test_errors_name_what_is_wrong():
    with pytest.raises(wengert.errors.ConcretizationError, match="test_mapped"):
        jit(grad(lambda x: np.sum(vmap(lambda row: row * 2 if row[0] > 0 else row)(x))))(X)
    with pytest.raises(wengert.errors.InputTypeError, match="returned a str"):
        jit(grad(lambda x: np.sum(vmap(lambda row: "text")(x))))(X)


# Derivatives of programs ---------------------------------------------------------------------------------------------


def example_program() -> Program:
    return program(lambda x, p, k: (point(x, p), x[0] * k, p[0] * 2, np.ones(2)))(X[0], P, 3)


def test_derived_programs_are_programs():
    recorded = example_program()
    wrt = (True, True, False)
    for order in range(2):
        push = pushforward_program(recorded, wrt)
        push.program.check()
        pull = pullback_program(recorded, wrt, (True,) * len(recorded.outputs))
        pull.program.check()
        assert push is pushforward_program(recorded, wrt)
        if order == 0:
            assert push.present == (True, True, True, False)
            assert pull.present == wrt
        recorded, wrt = pull.program, tuple(v.type.dtype.kind == "f" for v in pull.program.inputs)


@pytest.mark.parametrize("primals", [True, False])
def test_pushforward_program(primals: bool):
    recorded = example_program()
    dx = rng.normal(size=3)
    derived = pushforward_program(recorded, (True, False, False), primals=primals)
    assert derived.present == (True, True, False, False)
    out = derived.program.evaluate(X[0], P, 3, dx)
    values, dots = jvp(lambda x: [point(x, P), x[0] * 3], (X[0],), (dx,))
    if primals:
        np.testing.assert_allclose(out[0], values[0])
        assert len(out) == 6
    for x, y in zip(out[-2:], dots, strict=True):
        np.testing.assert_allclose(x, y)


def test_pullback_programs():
    recorded = example_program()
    flags = (True, True, False), (True, False, True, False)
    args, cts = (X[0], P, 3), (rng.normal(size=2), 1.5)
    expected = vjp(lambda x, p: [point(x, p), p[0] * 2], X[0], P)[1](list(cts))
    derived = pullback_program(recorded, *flags)
    split = split_pullback(recorded, *flags)
    split.forward.check()
    split.backward.check()
    *outs, _ = kept = split.forward.evaluate(*args)
    assert [np.shape(x) for x in kept[4:]] == [t.shape for t in split.residuals]
    assert len(outs) >= 4
    for back in (derived.program.evaluate(*args, *cts), split.backward.evaluate(*args, *kept[4:], *cts)):
        for x, y in zip(back, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-13)
    assert split.present == derived.present == (True, True, False)
    assert split.read[0]
    assert not split.read[2]
