"""`trace`: its values against the derivative functions, and how it prints; `detect_nonfinite`: what it names."""

import inspect
import shutil
import subprocess
import threading

import numpy as np
import pytest

import wengert
import wengert.numpy as wnp
from wengert.core.primitive import PRIMITIVES
from wengert.display.formatting import brief
from wengert.display.symbols import SYMBOLS, formula
from wengert.errors import ContainerMismatchError, InputTypeError, NonFiniteError
from wengert.scipy.integrate import odeint


def textbook(x1, x2):
    return np.log(x1) + x1 * x2 - np.sin(x2)


def test_the_textbook_table():
    lines = str(wengert.trace(textbook)(2.0, 5.0)).splitlines()
    place = f"test_display.py:{inspect.getsourcelines(textbook)[1] + 1}"
    assert lines[0].split() == ["step", "primal", "tangent", "adjoint", "line"]
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "x₁", "x₂", "v₁ = log x₁", "v₂ = x₁ · x₂", "v₃ = v₁ + v₂", "v₄ = sin x₂", "v₅ = v₃ − v₄", "y = v₅"
    ]  # fmt: skip
    assert [line.split()[-4:] for line in lines[4:9]] == [
        ["0.693147", "0.5", "1", place],
        ["10", "5", "1", place],
        ["10.6931", "5.5", "1", place],
        ["-0.958924", "0", "-1", place],
        ["11.6521", "5.5", "1", place],
    ]
    columns = [lines[0].index(name) for name in ("primal", "tangent", "adjoint", "line")]
    assert all(line[c - 1] == " " for line in lines[2:9] for c in columns if c < len(line))


def loop(p, n=4):
    y = wnp.zeros(n)
    y[0] = p["a"]
    for i in range(1, n):
        y[i] = y[i - 1] * p["b"][i] + 2
    y[1:] *= -1.5
    return np.sum(y**2)


def spectral(a, b):
    w, v = np.linalg.eigh(a)
    return w[1] * v[0, 0] ** 2 + np.sum(np.where(a > 1, a @ a.T, b))


CASES = {
    "scalars": (textbook, (2.0, 5.0)),
    "writes": (loop, ({"a": 2.0, "b": np.arange(5.0)},)),
    "several outputs": (spectral, (np.array([[2.0, 1.0], [1.0, 3.0]]), np.ones((2, 2)))),
    "broadcasting": (lambda x, y: np.mean(np.exp(x[:, None] - y) ** 3), (np.ones(3), np.zeros(2))),
    "custom rule": (lambda x: doubled(x) * x, (3.0,)),
    "not used": (lambda x, y: x * 1.0, (3.0, np.ones(2))),
    "constant": (lambda x: np.float64(4.0), (3.0,)),
}


@wengert.custom_jvp
def doubled(x):
    return 2 * x


doubled.defjvp(lambda primals, tangents: (2 * primals[0], 2 * tangents[0]))


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives_are_those_of_the_derivative_functions(name):
    fun, args = CASES[name]
    steps = wengert.trace(fun)(*args).steps
    first = wengert.core.containers.map_leaves(np.ones_like, args[0])
    rest = wengert.core.containers.map_leaves(np.zeros_like, args[1:])
    value, tangent = wengert.jvp(fun, args, (first, *rest))
    assert steps[-1].operation == "output"
    np.testing.assert_allclose(steps[-1].primal, value, rtol=1e-14)
    np.testing.assert_allclose(steps[-1].tangent, tangent, rtol=1e-12, atol=1e-14)
    gradient = wengert.core.containers.flatten(wengert.grad(fun, tuple(range(len(args))))(*args))[0]
    inputs = [s for s in steps if s.operation == "input"]
    assert len(inputs) == len(gradient)
    for s, g in zip(inputs, gradient, strict=True):
        np.testing.assert_allclose(s.adjoint, g, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_every_step_satisfies_the_chain_rule(name):
    """The pairing of adjoint and tangent over the arguments is the derivative of the output."""
    fun, args = CASES[name]
    steps = wengert.trace(fun)(*args).steps
    pairing = sum(np.sum(s.adjoint * s.tangent) for s in steps if s.operation == "input")
    assert pairing == pytest.approx(steps[-1].tangent, rel=1e-12)
    for s in steps:
        assert np.shape(s.primal) == np.shape(s.tangent) == np.shape(s.adjoint)


def test_values_of_a_loop_of_writes_are_those_at_the_time():
    steps = {s.formula: s for s in wengert.trace(loop)({"a": 2.0, "b": np.arange(5.0)}).steps}
    write = next(s for f, s in steps.items() if f.startswith("[2, 0, 0, 0]") or "with [0] ← p['a']" in f)
    np.testing.assert_array_equal(write.primal, [2, 0, 0, 0])
    np.testing.assert_array_equal(write.tangent, [1, 0, 0, 0])
    second = next(s for f, s in steps.items() if "with [1] ← " in f)
    np.testing.assert_array_equal(second.primal, [2, 4, 0, 0])
    assert any(f.endswith("[1:]") for f in steps)


def test_one_name_per_slot_and_operands_that_exist():
    for fun, args in CASES.values():
        steps = wengert.trace(fun)(*args).steps
        names = [s.name for s in steps]
        assert len(set(names)) == len(names)
        for i, s in enumerate(steps):
            assert set(s.operands) <= set(names[:i])


def test_locations():
    def g(x):
        y = np.sin(x)
        return y * 2

    steps = wengert.trace(g)(1.0).steps
    first = inspect.getsourcelines(g)[1]
    assert [s.location[1:] for s in steps if s.location] == [(first + 1, "y = np.sin(x)"), (first + 2, "return y * 2")]
    assert [s.location[0] for s in steps if s.location] == [__file__] * 2


def test_directions_and_cotangents_of_ones_own():
    def f(x, y):
        return {"p": x * y, "q": np.sum(y)}

    y = np.array([1.0, 2.0])
    bare = wengert.trace(f)(3.0, y)
    assert all(s.adjoint is None for s in bare.steps)
    assert "adjoint" not in str(bare)
    cotangent = {"p": np.array([1.0, 10.0]), "q": 5.0}
    steps = wengert.trace(f, tangents=(0.0, np.array([0.0, 1.0])), cotangent=cotangent)(3.0, y).steps
    outputs = {s.name: s for s in steps if s.operation == "output"}
    np.testing.assert_array_equal(outputs["z['p']"].tangent, [0.0, 3.0])
    assert outputs["z['q']"].tangent == 1.0
    expected = wengert.vjp(f, 3.0, y)[1](cotangent)
    assert steps[0].adjoint == expected[0]
    np.testing.assert_array_equal(steps[1].adjoint, expected[1])
    with pytest.raises(ContainerMismatchError):
        wengert.trace(f, tangents=(1.0,))(3.0, y)
    with pytest.raises(ContainerMismatchError):
        wengert.trace(f, cotangent=1.0)(3.0, y)


def test_arguments_that_are_not_floats_are_left_alone():
    recorded = wengert.trace(lambda x, n, *, k: x**n + k)(2.0, 3, k=1)
    assert [s.name for s in recorded.steps] == ["x", "v₁", "v₂", "y"]
    assert recorded.steps[1].formula == "x³"
    with pytest.raises(InputTypeError, match=r"3\.0 instead of 3"):
        wengert.trace(np.sin)(3)


def test_names_of_arguments():
    assert [s.name for s in wengert.trace(lambda *xs: xs[0] * xs[1])(1.0, 2.0).steps][:2] == ["xs[0]", "xs[1]"]
    assert wengert.trace(np.sin)(1.0).steps[-1].formula == "v₁"
    assert wengert.trace(lambda y: y)(1.0).steps[-1].name == "z"


def test_the_trace_does_not_disturb_the_arguments():
    def f(x):
        x[0] = 5.0
        return np.sum(x)

    x = np.ones(2)
    steps = wengert.trace(f)(x).steps
    np.testing.assert_array_equal(x, 1)
    np.testing.assert_array_equal(steps[0].primal, 1)
    np.testing.assert_array_equal(steps[0].adjoint, [0, 1])


def test_checkpoints_show_what_is_known():
    piece = wengert.checkpoint(lambda x: np.sin(np.exp(x)) * x)
    steps = wengert.trace(lambda x: piece(2 * x) + 1)(0.5).steps
    hidden = [s for s in steps if s.adjoint is None]
    assert [s.operation for s in hidden] == ["exp", "sin"]
    expected = wengert.grad(lambda x: np.sin(np.exp(2 * x)) * 2 * x)(0.5)
    assert steps[0].adjoint == pytest.approx(expected, rel=1e-14)
    assert steps[-1].tangent == pytest.approx(expected, rel=1e-14)


def test_a_trace_inside_a_derivative():
    seen = []

    def f(x):
        seen.append(wengert.trace(lambda t: t**2)(x * 1.0))
        return x

    wengert.grad(f)(3.0)
    assert "9" in str(seen[0])
    assert "6" in str(seen[0])


def test_traces_of_batches_and_complex_numbers():
    recorded = wengert.trace(lambda x: wengert.vmap(lambda r: np.sum(np.sin(r)))(x).sum())(np.zeros((2, 3)))
    np.testing.assert_array_equal(recorded.steps[0].adjoint, np.ones((2, 3)))
    z = wengert.trace(lambda z: np.abs(z))(3.0 + 4.0j)
    assert "3+4j" in str(z)


def test_long_lists_are_abridged():
    def long(x):
        for _ in range(1000):
            x = x + 1.0
        return x

    recorded = wengert.trace(long)(0.0)
    assert len(recorded) == 1002
    text = str(recorded)
    assert "… 802 more …" in text
    assert len(text.splitlines()) == 203
    assert repr(recorded) == "<WengertList of 1000 operations>"
    assert recorded._repr_html_().startswith("<pre>")


def test_html_and_graph(monkeypatch):
    recorded = wengert.trace(lambda p: p["<a>"] * 2.0)({"<a>": 1.0})
    monkeypatch.setattr(shutil, "which", lambda name: None)
    page = recorded._repr_html_()
    assert page.count("<tr>") == 4
    assert "&lt;a&gt;" in page
    assert "<a>" not in page
    assert recorded.to_svg() is None

    def fake_run(command, **options):
        assert command == ["/bin/dot", "-Tsvg"]
        assert options["input"] == recorded.to_dot()
        return subprocess.CompletedProcess(command, 0, stdout="<?xml?>\n<svg>drawn</svg>")

    monkeypatch.setattr(shutil, "which", lambda name: "/bin/dot")
    monkeypatch.setattr(subprocess, "run", fake_run)
    assert recorded._repr_html_().endswith("<svg>drawn</svg>")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_every_case():
    for fun, args in CASES.values():
        assert wengert.trace(fun)(*args).to_svg().startswith("<svg")


def test_every_symbol_belongs_to_a_primitive():
    assert odeint  # declared in a module that is imported when it is first used
    assert set(SYMBOLS) <= {p.name for p in PRIMITIVES}


def test_the_solution_of_a_differential_equation_is_one_line():
    def decay(y, t, rate):
        return -rate * y

    text = str(wengert.trace(lambda k: odeint(decay, 2.0, [0.0, 1.0], args=(k,))[1, 0])(1.0))
    assert "v₁ = odeint(decay, [2], [0, 1], k)  " in text


def test_operations_without_a_symbol_are_written_as_calls():
    assert formula("gammainc", ["v₁", "2"], {"axis": 0, "donate": True, "x": None}, ()) == "gammainc(v₁, 2, axis=0)"
    assert formula("power", ["x", "(-2)"], {}, ()) == "x⁻²"
    assert formula("power", ["x", "v₁"], {}, ()) == "x ^ v₁"


def test_brief_values():
    assert brief(np.zeros((0, 3))) == "[] (0×3)"
    assert brief(np.array([], float)) == "[]"
    assert brief(-0.0) == "0"
    assert brief(np.nan) == "nan"
    assert brief(np.float32(1e20)) == "1e+20"
    assert brief(np.array([True, False])) == "[True, False]"
    assert brief(np.arange(5)) == "[0, 1, … 4] (5 elements)"


# The switch ----------------------------------------------------------------------------------------------------------


def named(error):
    """(first line, source line) of a message."""
    lines = str(error.value).splitlines()
    return lines[0], lines[-1].strip()


def test_a_value_that_is_not_finite():
    def f(x):
        y = x - 1.0
        return np.log(y) * 2  # here

    with wengert.detect_nonfinite(), pytest.raises(NonFiniteError) as error, np.errstate(all="ignore"):
        wengert.grad(f)(1.0)
    assert named(error) == ("the result of 'log' is -inf (its argument: 0.0)", "return np.log(y) * 2  # here")


def test_a_cotangent_that_is_not_finite_names_the_line_of_the_forward_operation():
    def f(x):
        y = np.sqrt(x)  # the culprit
        return np.sum(y * 3)

    with wengert.detect_nonfinite(), pytest.raises(NonFiniteError) as error:
        wengert.grad(f)(np.array([1.0, 0.0, 4.0]))
    message, source = named(error)
    assert message.startswith("in reverse mode the derivative of 'sqrt' has 1 inf in 3 elements (its argument: ")
    assert "shape (3,) from 0 to 4" in message
    assert source == "y = np.sqrt(x)  # the culprit"


def test_a_tangent_that_is_not_finite():
    with wengert.detect_nonfinite(), pytest.raises(NonFiniteError) as error:
        wengert.jvp(lambda x: np.sqrt(x) + 1, (0.0,), (1.0,))
    assert named(error)[0] == "in forward mode the derivative of 'sqrt' is inf (its argument: 0.0)"


def test_overflow_of_a_product_names_both_factors():
    with wengert.detect_nonfinite(), pytest.raises(NonFiniteError) as error, np.errstate(all="ignore"):
        wengert.grad(lambda x: x * 1e300)(1e300)
    assert named(error)[0] == "the result of 'multiply' is inf (its arguments: 1e+300; 1e+300)"


def test_nan_among_the_data():
    data = np.array([1.0, np.nan, 2.0])
    with wengert.detect_nonfinite(), pytest.raises(NonFiniteError) as error:
        wengert.grad(lambda x: np.sum(x * data))(1.0)
    assert "has 1 nan in 3 elements" in named(error)[0]
    assert "from 1 to 2, with 1 nan" in named(error)[0]


def test_a_cotangent_that_starts_out_wrong_and_sums_that_overflow():
    with wengert.detect_nonfinite():
        _, pullback = wengert.vjp(lambda x: x * 2.0, 1.0)
        with pytest.raises(NonFiniteError, match="started with is nan"):
            pullback(np.nan)
        _, pullback = wengert.vjp(lambda x: x + x, 1.0)
        with np.errstate(over="ignore"), pytest.raises(NonFiniteError, match="'add' is inf"):
            pullback(1.5e308)


def kept_finite(x):
    return np.where(x > 0, np.sqrt(x), 0.0) * x


def summed_roots(x):
    return np.sum(np.sqrt(x))  # unsafe


@pytest.mark.parametrize(
    "derivative",
    [
        lambda x: wengert.grad(lambda x: np.sum(kept_finite(x)))(x),
        lambda x: wengert.jacrev(kept_finite)(x),
        lambda x: wengert.vmap(wengert.grad(kept_finite))(x),
    ],
)
def test_strong_zeros_do_not_raise_in_reverse_mode(derivative):
    x = np.array([0.0, 4.0])
    plain = derivative(x)
    with wengert.detect_nonfinite():
        np.testing.assert_array_equal(derivative(x), plain)


@pytest.mark.parametrize(
    "derivative",
    [
        lambda f, x: wengert.hessian(f)(x),
        lambda f, x: wengert.jacfwd(wengert.jacfwd(f))(x),
        lambda f, x: wengert.jacrev(wengert.grad(f))(x),
        lambda f, x: wengert.vmap(wengert.grad(f))(x[None]),
        lambda f, x: wengert.hvp(f, (x,), (x,)),
    ],
)
def test_nested_transforms_name_the_line_of_the_function(derivative):
    finite = np.array([1.0, 4.0])
    plain = derivative(summed_roots, finite)
    with wengert.detect_nonfinite():
        np.testing.assert_array_equal(derivative(summed_roots, finite), plain)
        with pytest.raises(NonFiniteError) as error:
            derivative(summed_roots, np.array([0.0, 4.0]))
    assert named(error)[1] == "return np.sum(np.sqrt(x))  # unsafe"


@pytest.mark.parametrize("name", CASES)
def test_nothing_changes_where_all_is_finite(name):
    fun, args = CASES[name]
    numbers = tuple(range(len(args)))
    plain = wengert.core.containers.flatten(wengert.grad(fun, numbers)(*args))[0]
    with wengert.detect_nonfinite():
        checked = wengert.core.containers.flatten(wengert.grad(fun, numbers)(*args))[0]
    for a, b in zip(plain, checked, strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoints_are_checked():
    piece = wengert.checkpoint(lambda x: np.sqrt(x) * 2)
    with wengert.detect_nonfinite(), pytest.raises(NonFiniteError, match="'sqrt' is inf"):
        wengert.grad(piece)(0.0)


def test_the_switch_ends_also_after_an_error_nests_and_decorates():
    def f(x):
        return np.sqrt(x)

    with wengert.detect_nonfinite(), wengert.detect_nonfinite():
        pass
    with pytest.raises(NonFiniteError), wengert.detect_nonfinite():
        wengert.grad(f)(0.0)
    assert wengert.grad(f)(0.0) == np.inf

    @wengert.detect_nonfinite()
    def guarded(x):
        return wengert.grad(f)(x)

    for _ in range(2):
        assert guarded(4.0) == 0.25
        with pytest.raises(NonFiniteError):
            guarded(0.0)
    assert wengert.jvp(f, (0.0,), (1.0,))[1] == np.inf


def test_the_switch_is_of_one_thread():
    results = []
    with wengert.detect_nonfinite():
        worker = threading.Thread(target=lambda: results.append(wengert.grad(np.sqrt)(0.0)))
        worker.start()
        worker.join()
    assert results == [np.inf]


def test_integers_and_empty_arrays_pass():
    with wengert.detect_nonfinite():
        assert wengert.grad(lambda x: np.sum(x) + np.argmax(x))(np.zeros((3,))).shape == (3,)
        assert wengert.grad(lambda x: np.sum(np.sin(x)))(np.zeros((0, 2))).shape == (0, 2)
