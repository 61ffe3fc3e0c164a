"""Views, writes and aliasing: programs of random steps do to an Array what they do to an ndarray, in every transform.

The machine below builds a program step by step on plain NumPy arrays, which is its model. Every step is linear in the
input except for constants, which are scaled: with scale 0 the program computes its own derivative, exactly. At the end
the same program runs under jvp, vjp, vmap and nested transforms and is compared with the model.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import wengert
from wengert.array import layout_of

from .view_steps import RESULTS, VIEWS, WRITES

Step = Callable[[list[Any], float], None]

_COEFFICIENTS = st.sampled_from([-1.0, 1.0, 2.0])
#: Arrays refuse by errors of these kinds as well, if not always by the same one.
REFUSALS = (ValueError, IndexError, TypeError, AttributeError)


class Raising:
    """A step that raises an error in NumPy, and has to raise one on Arrays."""

    def __init__(self, step: Step, error: Exception) -> None:
        self.step, self.error = step, error

    def __call__(self, handles: list[Any], scale: float) -> None:
        try:
            self.step(handles, scale)
        except REFUSALS:
            return
        raise AssertionError(f"not raised: {self.error!r}")


def run(program: list[Step], x: Any, scale: float = 1.0, layouts: list[Any] | None = None) -> tuple[Any, ...]:
    """Run a program; return what it observed and the final contents of all handles, and add their layouts to a list."""
    handles: list[Any] = [x]
    observed: list[Any] = []
    for step in program:
        if step is observe:
            observed.extend(1.0 * h for h in handles)
        else:
            step(handles, scale)
    if layouts is not None:
        layouts.append([layout(h) for h in handles])
    return (*observed, *(1.0 * h for h in handles))


def layout(h: Any) -> Any:
    """Steps in memory along the axes that have some, and whether the array can be written to."""
    plain = h if isinstance(h, (np.ndarray, np.generic)) else layout_of(h)
    if not isinstance(plain, np.ndarray) or not plain.size:
        return "scalar or empty"
    return [s for s, n in zip(plain.strides, plain.shape, strict=True) if n > 1], plain.flags.writeable


def observe(handles: list[Any], scale: float) -> None:
    """Stands for reading all handles."""


@st.composite
def _keys(draw: Any, shape: tuple[int, ...], advanced: bool = True) -> Any:
    """An index of any kind for an array of this shape."""
    kinds = ["basic", "newaxis"]
    if shape and advanced and 0 not in shape:
        kinds += ["integers", "mask", "mixed", "list"]
    kind = draw(st.sampled_from(kinds))
    if kind == "basic":
        return draw(hnp.basic_indices(shape, allow_newaxis=False))
    if kind == "newaxis":
        return draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=4))
    if kind == "integers":
        dims = draw(st.integers(1, len(shape)))
        return draw(hnp.integer_array_indices(shape[:dims], result_shape=hnp.array_shapes(max_dims=2, max_side=3)))
    if kind == "mask":
        dims = draw(st.integers(1, len(shape)))
        return draw(hnp.arrays(bool, shape[:dims]))
    if kind == "list":
        return draw(st.lists(st.integers(-shape[0], shape[0] - 1), max_size=3))
    parts: list[Any] = []
    for n in shape:
        choice = draw(st.sampled_from(["int", "slice", "array", "new"]))
        if choice == "int":
            parts.append(draw(st.integers(-n, n - 1)))
        elif choice == "slice":
            parts.append(draw(st.slices(n)))
        elif choice == "array":
            parts.append(np.array(draw(st.lists(st.integers(-n, n - 1), min_size=2, max_size=2))))
        else:
            parts += [None, draw(st.slices(n))]
    return tuple(parts)


@st.composite
def _constants(draw: Any, shape: tuple[int, ...]) -> Any:
    """Integers as floats: a scalar or an array that broadcasts to the shape."""
    kept = draw(st.integers(0, len(shape)))
    shape = tuple(1 if draw(st.booleans()) and n != 0 and i % 2 else n for i, n in enumerate(shape[kept:]))
    values = draw(st.integers(-3, 3)) + np.arange(int(np.prod(shape)), dtype=float).reshape(shape)
    return values if shape else float(values)


class Views(RuleBasedStateMachine):
    """Builds a program; the rules know the arrays of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.program: list[Step] = []
        self.handles: list[Any] = []

    @initialize(
        shape=st.sampled_from([(5,), (3, 4), (2, 3, 2), (4, 4), (1,), (0, 3), ()]),
        dtype=st.sampled_from([float, float, complex]),
        order=st.sampled_from([(0, 1, 2), (2, 1, 0), (1, 2, 0)]),
    )
    def start(self, shape: tuple[int, ...], dtype: type, order: tuple[int, ...]) -> None:
        n = int(np.prod(shape))
        x = (np.arange(n) % 5 - 2.0).astype(dtype).reshape(shape)
        if dtype is complex:
            x += 1j * (np.arange(n) % 3 - 1.0).reshape(shape)
        axes = [axis for axis in order if axis < len(shape)]  # from the outermost in memory to the innermost
        self.x = x.transpose(axes).copy().transpose(np.argsort(axes))
        self.handles = [self.x.copy("K")]

    def do(self, step: Step) -> None:
        """Run a step on the model and add it to the program."""
        if len(self.program) > 25:
            return
        count = len(self.handles)
        try:
            step(self.handles, 1.0)
        except REFUSALS as error:
            assert len(self.handles) == count
            step = Raising(step, error)
        self.program.append(step)
        largest = max((np.max(np.abs(h), initial=0.0) for h in self.handles), default=0.0)
        if largest > 1e6:
            self.program.append(observe)

    def pick(self, data: Any) -> tuple[int, Any]:
        # the last ones more often: views of views
        k = data.draw(st.integers(0, len(self.handles) - 1) | st.just(len(self.handles) - 1))
        return k, self.handles[k]

    @precondition(lambda self: len(self.handles) < 8)
    @rule(data=st.data())
    def read(self, data: Any) -> None:
        k, h = self.pick(data)
        key = data.draw(_keys(np.shape(h)))
        self.do(lambda hs, _: hs.append(hs[k][key]))

    @precondition(lambda self: len(self.handles) < 8)
    @rule(data=st.data())
    def view(self, data: Any) -> None:
        k, _ = self.pick(data)
        function = VIEWS[data.draw(st.sampled_from(sorted(VIEWS)))]
        self.do(lambda hs, _: hs.append(function(hs[k])))

    @precondition(lambda self: len(self.handles) < 8)
    @rule(data=st.data())
    def result(self, data: Any) -> None:
        k, h = self.pick(data)
        function = RESULTS[data.draw(st.sampled_from(sorted(RESULTS)))]
        if np.size(h) < 60:
            self.do(lambda hs, _: hs.append(function(hs[k])))

    @rule(data=st.data(), c=_COEFFICIENTS)
    def write(self, data: Any, c: float) -> None:
        (k, h), (m, other) = self.pick(data), self.pick(data)
        name = data.draw(st.sampled_from(sorted(WRITES)))
        function, mask = WRITES[name], data.draw(hnp.arrays(bool, np.shape(h)))
        if not isinstance(h, np.ndarray):
            return  # NumPy writes to a copy, without a word; Wengert raises
        if (".at" in name or other is h) and not h.flags.writeable:
            return  # ufunc.at of NumPy writes to read-only arrays, copyto does not complain about nothing to do
        if other.dtype.kind != "c" or h.dtype.kind == "c":  # NumPy warns and drops the imaginary part, Wengert raises
            self.do(lambda hs, scale: function(hs[k], hs[m], c * scale, mask))

    @precondition(lambda self: len(self.handles) < 8)
    @rule(data=st.data(), c=_COEFFICIENTS)
    def combine(self, data: Any, c: float) -> None:
        (k, _), (m, _) = self.pick(data), self.pick(data)
        self.do(lambda hs, _: hs.append(hs[k] + c * hs[m]))

    @rule(data=st.data())
    def write_constant(self, data: Any) -> None:
        k, h = self.pick(data)
        key = data.draw(_keys(np.shape(h)))
        try:
            part = np.shape(h[key])
        except IndexError:
            part = ()
        value = data.draw(_constants(part))

        def step(hs: list[Any], scale: float) -> None:
            hs[k][key] = value * scale

        self.do(step)

    @rule(data=st.data(), c=_COEFFICIENTS)
    def write_handle(self, data: Any, c: float) -> None:
        (k, h), (m, _) = self.pick(data), self.pick(data)
        key = data.draw(_keys(np.shape(h)))
        plain = data.draw(st.booleans())
        if isinstance(key, np.ndarray) and key.dtype == bool:
            plain = False  # NumPy does not look whether what it assigns overlaps with where it assigns it
            if np.ndim(self.handles[m]) > 1:
                return  # NumPy refuses some values that would broadcast
        if self.handles[m].dtype.kind == "c" != h.dtype.kind:
            return  # NumPy warns and drops the imaginary part, Wengert raises
        try:
            if np.ndim(h[key]) == 0 < np.ndim(self.handles[m]):
                return  # x[0] = array([1.0]) is deprecated
        except IndexError:
            pass

        def step(hs: list[Any], scale: float) -> None:
            hs[k][key] = hs[m] if plain else c * hs[m]

        self.do(step)

    @rule(data=st.data(), c=_COEFFICIENTS)
    def shift_within(self, data: Any, c: float) -> None:
        """Overlapping reads and writes of one array: a[1:] = a[:-1]."""
        k, h = self.pick(data)
        if not np.shape(h):
            return
        n = h.shape[0]
        a, b = data.draw(st.slices(n)), data.draw(st.slices(n))

        def step(hs: list[Any], scale: float) -> None:
            # NumPy copies in the wrong order where steps of one sign and different size overlap.
            hs[k][a] = hs[k][b] if a.step == b.step or (a.step or 1) * (b.step or 1) < 0 else 1.0 * hs[k][b]

        def in_place(hs: list[Any], scale: float) -> None:
            hs[k][a] += c * hs[k][b]

        self.do(data.draw(st.sampled_from([step, in_place])))

    @rule(data=st.data(), c=_COEFFICIENTS)
    def in_place(self, data: Any, c: float) -> None:
        (k, h), (m, other) = self.pick(data), self.pick(data)
        kind = data.draw(st.sampled_from(["scale", "add", "transposed", "key", "out"]))
        if kind in ("add", "out") and other.dtype.kind == "c" != h.dtype.kind:
            return
        key = data.draw(_keys(np.shape(h)))

        def step(hs: list[Any], scale: float) -> None:
            if kind == "scale":
                hs[k] *= c
            elif kind == "add":
                hs[k] += hs[m]
            elif kind == "transposed":
                hs[k] -= hs[k].T
            elif kind == "out":
                np.add(hs[k], hs[m], out=hs[k])
            else:
                hs[k][key] += c * scale

        if kind == "out" and not isinstance(h, np.ndarray):
            return
        self.do(step)

    @rule()
    def look(self) -> None:
        self.do(observe)

    def teardown(self) -> None:
        if self.handles:
            check_program(self.program, self.x)


def as_real(z: Any) -> np.ndarray:
    z = np.asarray(z).ravel()
    return np.concatenate([z.real, z.imag])


def close(a: Any, b: Any, scale: float = 1.0) -> None:
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-9 * max(scale, 1.0))


def check_program(program: list[Step], x: np.ndarray) -> None:
    layouts: list[Any] = []
    expected = run(program, x.copy("K"), layouts=layouts)

    def f(x: Any) -> tuple[Any, ...]:
        return run(program, x)

    def linear(v: Any) -> np.ndarray:
        return np.concatenate([as_real(o) for o in run(program, v.copy("K"), 0.0)])

    out, pullback = wengert.vjp(lambda x: run(program, x, layouts=layouts), x)
    assert layouts[1] == layouts[0]
    assert len(out) == len(expected)
    for a, b in zip(out, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    # forward mode: the program with its constants at zero is its derivative
    v = np.empty_like(x)  # of the same memory layout: it decides what reshape copies
    v[...] = (np.arange(x.size) % 4 - 1.0).reshape(x.shape) * (1 + 2j if x.dtype.kind == "c" else 1)
    out, dots = wengert.jvp(f, (x,), (v,))
    for a, b in zip(out, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(dots, run(program, v.copy("K"), 0.0), strict=True):
        np.testing.assert_array_equal(a, b)
    # reverse mode: the transpose of its matrix
    basis = [np.zeros_like(x) for _ in range(x.size)]
    for i, e in enumerate(basis):
        e.flat[i] = 1.0
    units = [*basis, *(np.asarray(1j * e) for e in basis)] if x.dtype.kind == "c" else basis
    matrix = np.array([linear(e) for e in units]).reshape(len(units), len(linear(v)))
    weights = [(np.arange(np.size(o)) % 3 - 1.0).reshape(np.shape(o)) for o in out]
    weights = [
        (w * (1 + 1j) if o.dtype.kind == "c" else w).astype(o.dtype)[()] for w, o in zip(weights, out, strict=True)
    ]
    flat = np.concatenate([as_real(w) for w in weights])
    (ct,) = pullback(tuple(weights))
    size = np.max(np.abs(matrix), initial=1.0) * max(len(flat), 1)
    close(as_real(ct)[: len(units)], matrix @ flat, size)
    # vmap: a loop over examples
    if x.shape == ():
        return  # an example of a vector is a scalar, which cannot be written to
    examples = np.ascontiguousarray(np.stack([x, v, x - 2 * v]))
    try:
        loops = [run(program, e.copy()) for e in examples]
    except (AssertionError, ValueError):
        return  # in C order another array is read-only than in the order of x
    for column, loop in zip(wengert.vmap(f)(examples), zip(*loops, strict=True), strict=True):
        np.testing.assert_array_equal(column, np.stack(loop))
    if x.dtype.kind == "c":
        return

    # nested: the function ½|f(x)|² has the gradient Lᵀ(Lx + c) and the Hessian LᵀL
    def loss(x: Any) -> Any:
        return sum(0.5 * np.sum(o * o) for o in run(program, x))

    affine = np.concatenate([np.asarray(o).ravel() for o in expected])
    real_rows = np.concatenate([np.repeat([True, False], np.size(o)) for o in expected])
    matrix = matrix[:, real_rows]
    size = np.max(np.abs(matrix), initial=1.0) ** 2 * max(len(affine), 1) + np.max(np.abs(matrix @ affine), initial=1.0)
    gradient = (matrix @ affine).reshape(x.shape)
    curvature = (matrix @ (matrix.T @ v.ravel())).reshape(x.shape)
    g, h = wengert.jvp(wengert.grad(loss), (x,), (v,))
    close(g, gradient, size)
    close(h, curvature, size)
    _, pull = wengert.vjp(wengert.grad(loss), x)
    close(pull(v)[0], curvature, size)
    _, pull = wengert.vjp(lambda x: wengert.jvp(f, (x,), (x,))[1], x)
    tangents = run(program, v.copy("K"), 0.0)
    close(np.sum(pull(tangents)[0] * v), sum(np.sum(np.asarray(t) ** 2) for t in tangents), size)
    batch = wengert.vmap(wengert.grad(loss))(examples)
    close(batch[0], wengert.grad(loss)(examples[0]), size)


TestViews = Views.TestCase
TestViews.settings = settings(
    max_examples=1200 if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 60,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes: add Phase.shrink when it fails
)
