"""Recording programs: text, checks, evaluation under every transform, equality, constants, control flow, writes, views;
and simplification, which keeps results bit for bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert
import wengert.numpy as wnp
from wengert import program
from wengert.compiler.record import record_function
from wengert.compiler.simplify import RULES, simplify
from wengert.core import combinators as c
from wengert.core.program import Literal, Operation, Program, Variable
from wengert.core.values import ArrayType
from wengert.errors import ConcretizationError, InputTypeError, OutputError, WengertError
from wengert.numpy.dispatch import call
from wengert.rules import elementwise as e

_NAN, _INF = np.nan, np.inf
_SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, _INF, -_INF, _NAN, 5e-324, -1e308, 3.0])


def names(p: Program) -> list[str]:
    return [op.primitive.name for op in p.operations]


def same_bits(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind in "fc":
        both_nan = np.isnan(a) & np.isnan(b)
        a, b = np.where(both_nan, 0, a), np.where(both_nan, 0, b)
    return a.tobytes() == b.tobytes()


# Text ----------------------------------------------------------------------------------------------------------------


def test_text_has_a_line_for_each_operation_with_the_users_line():
    def f(x, y):
        z = x @ y
        return np.sum(z * 2.0)

    text = str(program(f)(np.zeros((2, 3)), np.zeros(3, np.float32)))
    lines = text.splitlines()
    first = f.__code__.co_firstlineno
    assert lines[0] == "program f(a: float64[2,3], b: float32[3]):"
    assert lines[1].split("#")[0].strip() == "c: float64[2] = matmul a b"
    assert lines[1].endswith(f"# test_program.py:{first + 1}")
    assert lines[2].split("#")[0].strip() == "d: float64[2] = multiply c 2.0"
    assert lines[3].split("#")[0].strip() == "e: float64[] = sum d axis=(0)"
    assert lines[3].endswith(f"# test_program.py:{first + 2}")
    assert lines[4:] == ["    return e"]


def test_text_of_constants_and_indices():
    w = np.arange(3.0)
    text = str(program(lambda x: (x[1:, ::2, None] * w, x[..., 0, [0, 1]]))(np.zeros((4, 6))))
    assert "float64[3] = constant" in text
    assert "spec=(1:,::2,None)" in text
    assert "[…]" in text


def test_variables_have_many_names():
    def f(x):
        for _ in range(60):
            x = np.sin(x)
        return x

    text = str(program(f)(1.0))
    assert "aa: float64[] = sin z" in text
    assert text.splitlines()[-1].strip() == "return bi"


# Check ---------------------------------------------------------------------------------------------------------------

_T = ArrayType((3,), np.dtype(float))


def _operation(primitive: Any, inputs: Any, out: Variable, **params: Any) -> Operation:
    return Operation(primitive, tuple(inputs), params, (out,))


def test_check_accepts_what_is_recorded():
    w = np.ones(3)
    p = program(wengert.value_and_grad(lambda x: np.sum(np.sort(x * w)[1:] ** 3)))(np.arange(3.0))
    p.check()
    simplify(p).check()


def test_check_finds_mistakes():
    a, b, d = (Variable(i, _T) for i in range(3))
    wrong = Variable(3, ArrayType((2,), np.dtype(float)))
    good = _operation(e.sin, [a], b)
    Program("good", [a], [], [good], [b]).check()
    with pytest.raises(AssertionError, match="used before"):
        Program("f", [a], [], [_operation(e.sin, [d], b)], [b]).check()
    with pytest.raises(AssertionError, match="defined twice"):
        Program("f", [a], [], [good, good], [b]).check()
    with pytest.raises(AssertionError, match="defined twice"):
        Program("f", [a, a], [], [], [a]).check()
    with pytest.raises(AssertionError, match="has type"):
        Program("f", [a], [], [_operation(e.sin, [a], wrong)], [a]).check()
    with pytest.raises(AssertionError, match="has type"):
        Program("f", [], [(a, np.zeros(4))], [], [a]).check()
    with pytest.raises(AssertionError, match="not defined"):
        Program("f", [a], [], [], [d]).check()


# Evaluation ----------------------------------------------------------------------------------------------------------


def _example(x, y):
    z = np.tanh(x @ y) + np.arange(3.0)
    z[1:] *= z[:-1].copy()
    return np.sum(z**2), np.where(z > 0.5, z, 0.0)


_X, _Y = np.linspace(-1, 1, 12).reshape(3, 4), np.linspace(0.3, 0.9, 4)


def test_evaluate_is_the_function():
    p = program(_example)(_X, _Y)
    p.check()
    for q in (p, simplify(p)):
        for actual, expected in zip(q.evaluate(_X, _Y), _example(_X, _Y), strict=True):
            assert same_bits(actual, expected)


def test_evaluate_under_every_transform():
    p = program(_example)(_X, _Y)

    def evaluated(x, y):
        x, y = (v.immutable_value if isinstance(v, wengert.Array) else v for v in (x, y))
        outs = p.evaluate(x, y)
        return tuple(call(c.reshape, o, shape=np.shape(o)) for o in outs)

    def first(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, y: f(x, y)[0]

    for transform in (
        lambda f: wengert.grad(first(f), argnums=(0, 1)),
        lambda f: lambda x, y: wengert.jvp(f, (x, y), (x * 0.5, y)),
        lambda f: wengert.hessian(first(f), argnums=1),
        lambda f: lambda x, y: wengert.vmap(f, in_axes=(None, 0))(x, np.stack([y, -y])),
        lambda f: lambda x, y: wengert.vmap(wengert.grad(first(f)), in_axes=(0, None))(np.stack([x, 2 * x]), y),
        lambda f: lambda x, y: wengert.grad(lambda y: np.sum(wengert.vmap(f, (None, 0))(x, np.stack([y, -y]))[1]))(y),
    ):
        expected, actual = transform(_example)(_X, _Y), transform(evaluated)(_X, _Y)
        flat = [wengert.core.containers.flatten(r)[0] for r in (actual, expected)]
        for a, b in zip(*flat, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def test_evaluate_can_be_recorded_again():
    p = program(_example)(_X, _Y)
    again = program(lambda x, y: p.evaluate(x.immutable_value, y.immutable_value))(_X, _Y)
    assert names(again) == names(p)
    assert again == p


def test_evaluate_counts_arguments():
    with pytest.raises(InputTypeError, match="takes 2 arguments, got 1"):
        program(_example)(_X, _Y).evaluate(_X)


def test_evaluate_frees_what_is_not_needed():
    def f(x):
        for _ in range(5):
            x = np.sin(x)
        return x

    assert [len(v) for v in program(f)(np.zeros(2)).last_uses.values()] == [1, 1, 1, 1, 1]


# Equality ------------------------------------------------------------------------------------------------------------


def _variants() -> dict[str, Program]:
    x, w = np.zeros(3), np.arange(3.0)
    return {
        "sin": program(np.sin)(x),
        "cos": program(np.cos)(x),
        "float32": program(np.sin)(x.astype(np.float32)),
        "shape": program(np.sin)(np.zeros(4)),
        "0": program(lambda x: x + 0.0)(x),
        "-0": program(lambda x: x + -0.0)(x),
        "int": program(lambda x: x + 0)(x),
        "strong": program(lambda x: x + np.float64(0.0))(x),
        "constant": program(lambda x: x + w)(x),
        "another constant": program(lambda x: x + 2 * w)(x),
        "constant of another dtype": program(lambda x: x + w.astype(np.float32))(x),
        "nan": program(lambda x: x + np.nan)(x),
        "index": program(lambda x: x[1:])(x),
        "another index": program(lambda x: x[:2])(x),
        "two results": program(lambda x: (np.sin(x), np.sin(x)))(x),
        "input": program(lambda x: x)(x),
        "second input": program(lambda x, y: y)(x, x),
        "first input": program(lambda x, y: x)(x, x),
        "large constant": program(lambda x: x + np.arange(3000.0)[-3:])(x),
        "large index": program(lambda x: x[np.arange(3000) % 3])(x),
        "another large index": program(lambda x: x[np.where(np.arange(3000) == 1500, 2, np.arange(3000) % 3)])(x),
    }


def test_programs_are_equal_exactly_if_they_compute_the_same():
    first, second = _variants(), _variants()
    for (i, p), (j, q) in itertools.product(first.items(), second.items()):
        assert (p == q) == (i == j), (i, j)
        if i == j:
            assert hash(p) == hash(q)
    assert len(set(first.values())) == len(first)
    assert (first["sin"] == "sin") is False


# Constants -----------------------------------------------------------------------------------------------------------


def test_constants_are_taken_as_they_are_now():
    w = np.arange(3.0)
    p = program(lambda x: x * w + w)(np.zeros(3))
    assert len(p.constants) == 1
    w[:] = 7.0
    np.testing.assert_array_equal(p.evaluate(np.ones(3))[0], [0.0, 2.0, 4.0])


def test_an_array_overwritten_while_recording_is_several_constants():
    w = np.arange(3.0)

    def f(x):
        outs = []
        for value in (5.0, 6.0, 5.0, 0.0, -0.0, np.nan, np.nan):
            w[0] = value
            outs.append(x * w)
        return tuple(outs)

    p = program(f)(np.ones(3))
    p.check()
    assert len(p.constants) == 5  # 5, 6, 0, -0 and NaN
    expected = np.array([5.0, 6.0, 5.0, 0.0, -0.0, np.nan, np.nan])
    assert same_bits(np.array([o[0] for o in p.evaluate(np.ones(3))]), expected)


def test_numbers_and_0d_arrays_are_literals():
    p = program(lambda x: x * np.float64(2.0) + np.array(3.0))(np.ones(2))
    assert [a.value for op in p.operations for a in op.inputs if isinstance(a, Literal)] == [2.0, 3.0]
    assert p.constants == ()


def test_constants_of_other_memory_layouts():
    w = np.arange(12.0).reshape(3, 4)
    p = program(lambda x: x * w.T[::-1, 1:])(np.ones((4, 2)))
    np.testing.assert_array_equal(p.evaluate(np.ones((4, 2)))[0], w.T[::-1, 1:])


def test_array_creation_is_recorded():
    def f(x):
        out = wnp.zeros((2, 3))
        out[0] = x
        out[1] += np.ones_like(x) * np.arange(3)
        return out + np.eye(2, 3) + np.full((3,), 2.0)

    np.testing.assert_array_equal(program(f)(np.zeros(3)).evaluate(np.ones(3))[0], f(np.ones(3)))


# Control flow --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x if x[0] > 0 else -x,
        lambda x: float(x[0]) * x,
        lambda x: int(x[0]) * x,
        lambda x: np.zeros(3)[: int(x[0])],
        lambda x: [x for _ in range(int(x[0]))],
        lambda x: x * (2 if x.any() else 1),
        lambda x: x if x[0] in (1.0, 2.0) else -x,
        lambda x: x[x > 0],
        lambda x: np.arange(10)[x.astype(int)[0].__index__()] * x,
        lambda x: np.asarray(x, dtype=object) if bool(np.all(x)) else x,
    ],
)
def test_control_flow_on_values_names_the_line(f: Any):
    with pytest.raises(WengertError) as info:
        program(f)(np.ones(3))
    assert isinstance(info.value, ConcretizationError)
    assert f'test_program.py", line {f.__code__.co_firstlineno}' in str(info.value)


def test_control_flow_on_types_is_free():
    def f(x):
        if x.ndim == 2 and x.shape[0] > 1 and x.dtype == np.float64 and len(x) == 2:
            return x[0]
        return x

    assert names(program(f)(np.ones((2, 3)))) == ["index"]
    assert names(program(f)(np.ones((1, 3)))) == []


# Writes and views ----------------------------------------------------------------------------------------------------


def _write_and_read(x, y):
    a = x
    a[0] = 10.0
    view = x[1:]
    view *= 2.0
    rows = x.reshape(2, 2)
    rows.T[0] += y[0]
    z = x.copy()
    z[...] = -1.0
    y[:2], y[2:] = y[2:].copy(), y[:2].copy()
    flipped = y[::-1]
    flipped[0] = x[1]
    x[[0, 2]] -= 1.0
    return a, view, rows, z, y, flipped, x + y


def _slices_overlap(x, y):
    x[1:] = x[:-1]
    x[:-1] += x[1:]
    y[:,] = x[::-1]
    return x, y


def _chain(x, y):
    v = x[1:][1:]
    v[0] = 5.0
    w = v[:1]
    w += 1.0
    x[2] *= 2.0
    v[...] = v + y[:2]
    return x, v, w


@pytest.mark.parametrize("f", [_write_and_read, _slices_overlap, _chain])
def test_writes_and_views_as_in_numpy(f: Any):
    def inputs() -> tuple[np.ndarray, np.ndarray]:
        return np.arange(4.0), np.linspace(-1, 1, 4)

    expected = f(*inputs())
    p = program(f)(*inputs())
    p.check()
    x, y = inputs()
    for q in (p, simplify(p)):
        for actual, numpys in zip(q.evaluate(x, y), expected, strict=True):
            assert same_bits(actual, numpys)
    np.testing.assert_array_equal(x, inputs()[0])  # evaluating does not write to its arguments
    np.testing.assert_array_equal(y, inputs()[1])


def test_recording_does_not_write_to_the_arguments():
    x = np.arange(4.0)

    def f(x):
        x[0] = 5.0
        x += 1.0
        return x

    program(f)(x)
    np.testing.assert_array_equal(x, np.arange(4.0))


# Types ---------------------------------------------------------------------------------------------------------------

_ARGUMENTS = {
    "float32": np.array([1.5, -2.0], np.float32),
    "float64": np.array([1.5, -2.0]),
    "float16": np.array([1.5, -2.0], np.float16),
    "int64": np.array([3, -2]),
    "int8": np.array([3, -2], np.int8),
    "uint8": np.array([3, 200], np.uint8),
    "bool": np.array([True, False]),
    "complex64": np.array([1 + 2j, -1j], np.complex64),
    "complex128": np.array([1 + 2j, -1j]),
    "scalar": np.float32(0.5),
    "0-d": np.array(0.5, np.float32),
    "number": 0.5,
    "whole number": 3,
}


@pytest.mark.parametrize("x", _ARGUMENTS.values(), ids=_ARGUMENTS.keys())
@pytest.mark.parametrize(
    "number", [2, 2.0, 0.5j, True, np.float32(2), np.float64(2), np.int64(2), np.array(2.0), np.array([2.0])]
)
def test_literals_promote_as_in_numpy(x: Any, number: Any):
    def f(x):
        return x * number, number + x, np.where(x == 0, number, x), x == number, np.power(x, number)

    x = np.asarray(x)[()]  # what a Python number is under jit
    p = program(f)(x)
    p.check()
    with np.errstate(all="ignore"):
        expected = f(x)
        for q in (p, simplify(p, ["complex"])):  # powers of parts are not rounded as NumPy's are
            q.check()
            for actual, e in zip(q.evaluate(x), expected, strict=True):
                assert same_bits(actual, e)
        for actual, e in zip(simplify(p).evaluate(x), expected, strict=True):
            np.testing.assert_allclose(actual, e, rtol=1e-6)
            assert np.result_type(actual) == np.result_type(e)


def test_arguments_that_are_no_numbers():
    with pytest.raises(InputTypeError, match="str"):
        program(lambda x: x)("a")
    with pytest.raises(OutputError):
        program(lambda x: None)(1.0)
    with pytest.raises(OutputError, match="str"):
        program(lambda x: "a")(1.0)


def test_containers():
    recorded = record_function(
        lambda d, *, k: {"s": d["a"] + k[0], "t": (d["b"],)}, ({"a": 1.0, "b": np.ones(2)},), {"k": [2.0]}, "f"
    )
    assert len(recorded.program.inputs) == 3
    assert recorded.out_structure.num_leaves == 2


# Simplification ------------------------------------------------------------------------------------------------------

_INTS = np.array([0, 1, -1, 7, 2**62, -(2**63)])
_BOOLS = np.array([True, False])
_COMPLEX = np.array([1 + 2j, complex(0.0, -0.0), complex(-0.0, 0.0), complex(_INF, 1.0), complex(_NAN, _INF)])
_TWO = np.full(3, 2.0)
_3D = np.arange(24.0).reshape(2, 3, 4)
_ZEROS, _NEGATIVE_ZEROS = np.zeros(12), np.full(12, -0.0)

# rule: functions that it applies to, each with the names of the operations that are left
_CASES: dict[str, list[tuple[Any, Any, list[str] | None]]] = {
    "identities": [
        (lambda x: x * 1, _SPECIAL, []),
        (lambda x: 1.0 * x, _SPECIAL, []),
        (lambda x: x / 1, _SPECIAL, []),
        (lambda x: x - 0, _SPECIAL, []),
        (lambda x: x - 0.0, _SPECIAL, []),
        (lambda x: x - -0.0, _SPECIAL, ["subtract"]),
        (lambda x: x + -0.0, _SPECIAL, []),
        (lambda x: x + 0.0, _SPECIAL, ["add"]),
        (lambda x: x + 0, _SPECIAL, ["add"]),
        (lambda x: np.negative(-x), _SPECIAL, []),
        (lambda x: x * 1, _INTS, []),
        (lambda x: x * 1.0, _INTS, None),
        (lambda x: x / 1, _INTS, ["divide"]),
        (lambda x: np.negative(-x), _INTS, []),
        (lambda x: x * 1, _BOOLS, None),
        (lambda x: x * True, _BOOLS, []),
        (lambda x: x * np.float64(1), np.float32([1.5]), ["multiply"]),
        (lambda x: (x * 1, 1 * x, x / 1, x + -0.0, x - 0, np.negative(-x)), _COMPLEX, None),
        (lambda x: x * np.ones((2, 1)), np.ones(3), ["broadcast_to"]),
    ],
    "powers": [
        (lambda x: np.power(x, 2), _SPECIAL, ["square"]),
        (lambda x: x**2.0, _SPECIAL, ["square"]),
        (lambda x: x**1, _SPECIAL, []),
        (lambda x: x**0.5, _SPECIAL, ["sqrt"]),
        (lambda x: x**-1, _SPECIAL, ["reciprocal"]),
        (lambda x: x**-1.0, _SPECIAL, ["reciprocal"]),
        (lambda x: x**3, _SPECIAL, ["power"]),
        (lambda x: x**0, _SPECIAL, ["power"]),
        (lambda x: x**2, _INTS, ["multiply"]),
        (lambda x: np.power(x, 2), _COMPLEX, None),
        (lambda x: x ** np.float64(2), np.float32([1.1, 3]), ["power"]),
        (lambda x: 2**x, _SPECIAL, ["power"]),
        (lambda x: np.power(x, 0.5), np.float64(-0.0), None),
        (lambda x: np.power(x, 0.5), np.float64(-_INF), None),
        (lambda x: x**2, np.float64(1e200), None),
    ],
    "parts": [
        (lambda x: np.real(x) + np.imag(x), _COMPLEX, ["real", "imag", "add"]),
        (lambda x: np.real(np.conj(x)), _COMPLEX, ["real"]),
        (lambda x: np.conj(np.conj(x)), _COMPLEX, []),
        (lambda x: np.imag(np.conj(x).reshape(5, 1)), _COMPLEX, ["imag", "negative", "reshape"]),
        (lambda x: np.where(np.imag(x) > 0, np.conj(x), x), _COMPLEX, None),
    ],
    "literal operands": [
        (lambda x: x * _TWO, np.arange(3.0), ["multiply"]),
        (lambda x: x * _TWO, np.float32(0.3), ["multiply", "broadcast_to"]),
        (lambda x: x < np.zeros(3), np.float32([1, -0.0, _NAN]), ["less"]),
        (lambda x: x * np.full(3, 0.1), np.float32([1, 2, 3]), ["multiply"]),
        (lambda x: np.where(x > 0, x, np.zeros(3)), np.arange(3.0), ["greater", "where"]),
        (lambda x: np.where(x > 0, x, np.zeros(12)), _SPECIAL, ["greater", "where"]),
        (lambda x: np.copysign(x, _NEGATIVE_ZEROS), _SPECIAL, ["copysign"]),
        (lambda x: x + _ZEROS, _SPECIAL, ["add"]),
        (lambda x: x + _NEGATIVE_ZEROS, _SPECIAL, []),
        (lambda x: x * np.full(2, 3, np.int8), np.array([100, 3], np.int8), ["multiply"]),
    ],
    "structure": [
        (lambda x: x.reshape(3, 4).reshape(12), _SPECIAL, []),
        (lambda x: x.reshape(3, 4).reshape(2, 6), _SPECIAL, ["reshape"]),
        (lambda x: np.broadcast_to(x, (12,)), _SPECIAL, []),
        (lambda x: x.astype(float), _SPECIAL, []),
        (lambda x: x.T.T, np.arange(6.0).reshape(2, 3), []),
        (lambda x: np.transpose(np.transpose(x, (1, 2, 0)), (1, 2, 0)), _3D, ["transpose"]),
        (lambda x: np.transpose(np.transpose(x, (1, 2, 0)), (2, 0, 1)), _3D, []),
        (lambda x: np.sum(x), np.float64(-1.5), []),
        (lambda x: np.sum(x), np.True_, ["sum"]),
        (lambda x: np.sum(x), np.int8(100), ["sum"]),
        (lambda x: np.conj(x), _SPECIAL, []),
        (lambda x: np.conj(x), _BOOLS, None),
        (lambda x: np.conj(np.conj(x)), _COMPLEX, None),
        (lambda x: x + np.zeros((3, 4)).T[1:, ::2].reshape(-1)[:6], np.arange(6.0), ["add"]),
    ],
    "reshaped": [
        (lambda x: np.sin(x)[:3].sum() + np.sum(np.sin(x.reshape(3, 4))), np.linspace(0, 1, 12), None),
        (lambda x: (np.sin(x), np.sin(x.reshape(3, 4))), _SPECIAL, ["sin", "reshape"]),
        (lambda x: (np.where(x > 1, x, 0.0), np.where(x.reshape(3, 4) > 1, x.reshape(3, 4), 0.0)), _SPECIAL, None),
        (lambda x: (x + x[::-1], x.reshape(3, 4) + x[::-1].reshape(3, 4)), _SPECIAL, ["index", "add", "reshape"]),
        (lambda x: (x + x, x.reshape(3, 4) + x.reshape(1, 3, 4)), _SPECIAL, None),
    ],
    "strong products": [
        (lambda x: call(c.strong_multiply, 2.0, x), np.array([0.5, _INF, _NAN, -_INF, 3.0]), ["tangent_product"]),
        (lambda x: call(c.strong_multiply, x, -0.5), np.array([0.5, _INF, _NAN, -_INF, 3.0]), ["tangent_product"]),
        (lambda x: call(c.strong_multiply, x, 0.0), _SPECIAL, ["strong_multiply"]),
        (lambda x: call(c.strong_multiply, x, _INF), _SPECIAL, ["strong_multiply"]),
        (lambda x: call(c.strong_multiply, x, _NAN), _SPECIAL, ["strong_multiply"]),
    ],
    "uniform constants": [
        (lambda x: x * np.array([2.0] * 12), _SPECIAL, ["multiply"]),
        (lambda x: x * np.array([0.0, -0.0] * 6), _SPECIAL, ["multiply"]),
        (lambda x: x + np.array([_NAN] * 12), _SPECIAL, ["add"]),
        (lambda x: np.concatenate([x, np.zeros(0)]), _SPECIAL, ["concatenate"]),
        (lambda x: x & np.array([True, True]), _BOOLS, None),
    ],
}  # fmt: skip
_FLAT = [pytest.param(rule, *case, id=f"{rule}-{i}") for rule, cases in _CASES.items() for i, case in enumerate(cases)]


def test_every_rule_has_cases():
    assert {name for name, _ in RULES} - {"fold literals"} <= set(_CASES)


@pytest.mark.parametrize(("rule", "f", "x", "left"), _FLAT)
def test_rules_keep_results_bit_for_bit(rule: str, f: Any, x: Any, left: list[str] | None):
    with np.errstate(all="ignore"):
        p = program(f)(x)
        simple, without = simplify(p), simplify(p, without=[rule])
        expected = f(x)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for q in (p, simple, without, simplify(simple), simplify(p, without=list(_CASES))):
            q.check()
            for a, b in zip(q.evaluate(x), expected, strict=True):
                assert same_bits(a, b), f"{a!r} and not {b!r}\n{p}\n{q}"
    if left is not None:
        assert names(simple) == left, f"{p}\n{simple}"


@pytest.mark.parametrize("rule", _CASES)
def test_rules_can_be_switched_off(rule: str):
    """Each rule changes some program; without it that program stays longer, or keeps its constants."""
    changed = 0
    for f, x, _ in _CASES[rule]:
        with np.errstate(all="ignore"):
            p = program(f)(x)
            changed += simplify(p) != simplify(p, without=[rule])
    assert changed > 0


def test_literals_are_folded():
    v, w = (Variable(i, ArrayType((), np.dtype(np.float32))) for i in range(2))
    x = Literal(np.float32(0.3))
    p = Program("f", [], [], [_operation(e.sin, [x], v), _operation(e.multiply, [v, Literal(2.0)], w)], [w])
    assert names(simplify(p)) == []
    assert names(simplify(p, without=["fold literals"])) == ["sin", "multiply"]
    assert same_bits(simplify(p).evaluate()[0], p.evaluate()[0])


def test_powers_of_arrays_of_equal_exponents_stay():
    """NumPy gives (-0.0)**0.5 = -0.0, but (-0.0)**[0.5] = 0.0."""
    for exponent in (0.5, 2.0, 1.0, -1.0):
        p = program(lambda x, exponent=exponent: x ** np.full(3, exponent))(np.ones(3))
        assert "power" in names(simplify(p))


def test_equal_operations_are_merged_and_dead_ones_dropped():
    def f(x):
        np.cos(x)
        return np.sin(x) + np.sin(x) * np.sin(x)

    assert names(program(f)(np.ones(2))) == ["cos", "sin", "sin", "sin", "multiply", "add"]
    assert names(simplify(program(f)(np.ones(2)))) == ["sin", "multiply", "add"]


def test_merging_tells_parameters_apart():
    big = np.arange(3000) % 3
    other = np.where(np.arange(3000) == 1500, 0, big)
    x = np.arange(3.0)

    def f(x):
        return x + 1, x + 1.0, x + np.float32(1), x[0:2], x[1:3], x[big], x[other], x + 0.0, x + -0.0, x * _NAN

    p = program(f)(x)
    for a, b in zip(simplify(p).evaluate(x), f(x), strict=True):
        assert same_bits(a, b)


def test_equal_constants_are_merged():
    def f(x):
        return x * np.arange(3.0) + np.arange(3.0) * np.arange(3) + np.arange(3.0).astype(np.float32)

    p = simplify(program(f)(np.ones(3)))
    assert len({(v.type, x.tobytes()) for v, x in p.constants}) == len(p.constants)


def test_results_that_are_inputs_literals_and_constants():
    w = np.arange(3.0)

    def f(x):
        return x, x, 2.0, w, np.full(2, 3), x * 0 + 1, np.float32(1.5), True, 1j

    p = program(f)(np.ones(3))
    for q in (p, simplify(p)):
        q.check()
        for a, b in zip(q.evaluate(np.ones(3)), f(np.ones(3)), strict=True):
            assert same_bits(a, b)
