"""The object style: make variables, compute, call `backward()`, read `.grad`.

A thin layer over the same Wengert list that `grad` records: the variables of a thread share one list, which `backward`
sweeps and then drops.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Any

import numpy as np

from wengert.array import Array
from wengert.core.values import DEPTH_STEP, Value, shape_of
from wengert.derivatives.calls import differentiable_value, private, to_user, to_value
from wengert.errors import ContainerMismatchError, OutputError, UnsupportedOperationError, fail
from wengert.transforms.reverse import Tape, Taped, pull_back

_numbers = itertools.count(1)


class Recorder(Tape):
    """The Wengert list that a thread's variables record on."""

    __slots__ = ("__weakref__", "leaves")
    kind = "backward()"

    def __init__(self) -> None:
        # Outside of every transform, also of those that run when the first variable is used.
        super().__init__(depth=-next(_numbers) * DEPTH_STEP)
        self.leaves: dict[Variable, Taped] = {}


class _Current(threading.local):
    """The list that is being recorded; only results of the computation keep it alive."""

    recorder: weakref.ref[Recorder] | None = None


_current = _Current()


def _recorder() -> Recorder:
    recorder = _current.recorder() if _current.recorder is not None else None
    if recorder is None or not recorder.active:
        recorder = Recorder()
        _current.recorder = weakref.ref(recorder)
    return recorder


class Variable(Array):
    """An array to differentiate with respect to; made by `variable`.

    Attributes
    ----------
    data : ndarray or NumPy scalar
        The current value. Assign to it (or into it) between computations.
    grad : ndarray, NumPy scalar or None
        The gradient that `backward` has accumulated; None before the first one.
    """

    __slots__ = ("grad",)
    grad: Any

    @property
    def immutable_value(self) -> Any:
        """The leaf that stands for this variable on the current list."""
        recorder = _recorder()
        leaf = recorder.leaves.get(self)
        if leaf is None:
            leaf = recorder.leaves[self] = recorder.input(private(self._value))
        return leaf

    @property
    def data(self) -> Any:
        """The current value."""
        return self._value

    @data.setter
    def data(self, value: Any) -> None:
        new = np.asarray(value, dtype=self._value.dtype)
        if new.shape != shape_of(self._value):
            fail(
                ContainerMismatchError,
                f"a variable of shape {shape_of(self._value)} cannot get data of shape {new.shape}.",
            )
        self._value = new.copy() if new.ndim else new[()]

    def zero_grad(self) -> None:
        """Forget the accumulated gradient."""
        self.grad = None

    def _write(self, value: Any, arrays: Any, spec: Any) -> None:
        self._refuse()

    def _replace(self, value: Any) -> None:
        self._refuse()

    def _refuse(self) -> None:
        fail(
            UnsupportedOperationError,
            "a variable was overwritten in a computation. To update it, write to its data: w.data -= rate * w.grad; "
            "to compute with a changed copy, write y = w * 1 first.",
        )

    def _take_view(self, step: Any) -> Any:
        return to_user(step.forward(self.immutable_value))

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Variable({self._value!r}, grad={self.grad!r})"


def variable(x: Any) -> Variable:
    """Make a variable for the object style of differentiation.

    Parameters
    ----------
    x : array_like
        Initial value, real or complex floating-point; copied.

    Returns
    -------
    Variable
        Compute with it as with an ndarray, call ``backward()`` on a scalar result, then read its ``grad``.

    Raises
    ------
    InputTypeError
        `x` is not of floating-point type.

    Notes
    -----
    The computation is kept until ``backward()`` is called or all its results are gone. For evaluation without
    derivatives use ``w.data``.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import variable
    >>> a, b = variable(2.0), variable(np.array([1.0, 3.0]))
    >>> loss = np.sum(a * b**2)
    >>> loss.backward()
    >>> a.grad, b.grad
    (np.float64(10.0), array([ 4., 12.]))
    """
    value = differentiable_value(np.asarray(x) if isinstance(x, (list, tuple)) else x, "the argument of variable")
    if isinstance(value, Value):
        fail(UnsupportedOperationError, "variable needs a plain value; inside a transform differentiate with grad.")
    new = object.__new__(Variable)
    new._value = value.copy()
    new._writes = None
    new.grad = None
    return new


def backward(self: Array, gradient: Any = None, retain: bool = False) -> None:
    """Compute the gradient of this result and add it to the `grad` of every variable it depends on.

    Parameters
    ----------
    gradient : array_like, optional
        The cotangent of the result; 1 for a real scalar.
    retain : bool
        Keep the recorded computation, so that `backward` can be called again. Otherwise this result becomes a plain
        number (or array), and other results of the same computation can no longer be used.

    Raises
    ------
    OutputError
        The result is not a real scalar and no `gradient` is given, or it does not depend on any variable.
    """
    value = self.immutable_value
    if not (isinstance(value, Taped) and isinstance(value.level, Recorder)):
        fail(
            OutputError,
            "backward() was called on a result that does not depend on any variable, or whose computation was dropped "
            "by an earlier backward(). Make variables with wengert.variable(x); to call backward() twice, pass "
            "retain=True first; inside grad and the other transforms there is nothing to call.",
        )
    recorder: Recorder = value.level
    if not recorder.active:
        fail(
            OutputError,
            "backward() was called twice on the same computation, which is dropped by the first call. Use "
            "backward(retain=True) first, or compute the result again.",
        )
    ct = _seed(value, gradient)
    variables = list(recorder.leaves)
    if not retain:
        recorder.close()
    cts = pull_back(recorder, [value.slot], [ct], [recorder.leaves[v] for v in variables])
    for v, c in zip(variables, cts, strict=True):
        v.grad = to_user(c) if v.grad is None else v.grad + to_user(c)
    if not retain:
        recorder.entries.clear()
        recorder.leaves.clear()
        self._rebind(value.value, owned=False)  # so that a loss can be printed and compared afterwards


def _seed(value: Any, gradient: Any) -> Any:
    if gradient is not None:
        ct = to_value(gradient)
        if ct is None:
            ct = np.asarray(gradient, dtype=value.dtype)
        if shape_of(ct) != value.shape:
            fail(
                ContainerMismatchError,
                f"backward() got a gradient of shape {shape_of(ct)} for a result of shape {value.shape}.",
            )
        return ct
    if value.shape != () or value.dtype.kind == "c":
        fail(
            OutputError,
            f"backward() needs a real scalar, this result has shape {value.shape} and dtype {value.dtype}. Reduce it "
            "(np.sum, np.mean, …) or pass the cotangent: y.backward(gradient).",
        )
    return value.dtype.type(1)


Array.backward = backward
