"""One table of sample calls of every function of `wengert.numpy`, for several tests to go through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_rng = np.random.default_rng(12)


@dataclass(frozen=True)
class Call:
    """A call of one function.

    Parameters
    ----------
    name
        Name in the namespace.
    args, kwargs
        Arguments for NumPy.
    wrt
        Numbers of the arguments that are differentiated; default: all floating-point arrays and lists of them.
    smooth
        Derivatives can be compared with finite differences.
    order
        Up to which order.
    vmap
        The call can be mapped over examples.
    body
        ``body(namespace, *args)``, where that is not simply the function applied to the arguments.
    protocol
        The plain NumPy function dispatches to Wengert when it gets these arguments.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] | None = None
    smooth: bool = True
    order: int = 2
    vmap: bool = True
    body: Callable[..., Any] | None = None
    protocol: bool = True

    @property
    def active(self) -> tuple[int, ...]:
        """Numbers of the differentiated arguments."""
        return tuple(i for i, a in enumerate(self.args) if _inexact(a)) if self.wrt is None else self.wrt

    def __call__(self, namespace: Any, *active: Any) -> Any:
        """Call with other values for the differentiated arguments."""
        args = list(self.args)
        for i, a in zip(self.active, active, strict=True):
            args[i] = a
        if self.body is not None:
            return self.body(namespace, *args, **self.kwargs)
        function = namespace
        for part in self.name.split("."):
            function = getattr(function, part)
        return function(*args, **self.kwargs)


def _inexact(a: Any) -> bool:
    if isinstance(a, (list, tuple)):
        return len(a) > 0 and all(map(_inexact, a))
    return isinstance(a, (np.ndarray, np.generic)) and a.dtype.kind in "fc"


def _c(name: str, *args: Any, **kwargs: Any) -> Call:
    """A call whose keyword arguments in capitals are fields of `Call`."""
    fields = {k.lower(): kwargs.pop(k) for k in list(kwargs) if k.isupper()}
    return Call(name, args, kwargs, **fields)


X = _rng.normal(size=(2, 3))
Y = _rng.normal(size=(2, 3))
POSITIVE = np.abs(X) + 0.5
UNIT = X / (np.abs(X).max() + 0.1)
SQUARE = _rng.normal(size=(3, 3))
CUBE = _rng.normal(size=(2, 3, 4))
V = _rng.normal(size=4)
W = _rng.normal(size=4)
VECTOR3 = _rng.normal(size=3)
COMPLEX = X + 1j * Y
SCALAR = np.float64(0.7)
NANS = np.array([[1.0, np.nan, 3.0], [np.nan, 5.0, -2.0]])
MASK = np.array([[True, False, True], [False, True, True]])
INTS = np.array([[3, 1, 2], [5, 4, 6]])
F32 = X.astype(np.float32)

_UNARY = {
    "negative": X, "positive": X, "square": X, "exp": X, "exp2": X, "expm1": X, "sin": X, "cos": X, "tan": UNIT,
    "sinh": X, "cosh": X, "tanh": X, "arcsinh": X, "arctan": X, "deg2rad": X, "radians": X, "rad2deg": X, "degrees": X,
    "absolute": X, "abs": X, "fabs": X, "sinc": X, "cbrt": POSITIVE, "reciprocal": POSITIVE, "sqrt": POSITIVE,
    "log": POSITIVE, "log2": POSITIVE, "log10": POSITIVE, "log1p": POSITIVE, "arccosh": POSITIVE + 1, "arcsin": UNIT,
    "arccos": UNIT, "arctanh": UNIT, "asin": UNIT, "acos": UNIT, "atan": X, "asinh": X, "acosh": POSITIVE + 1,
    "atanh": UNIT, "conj": COMPLEX, "conjugate": COMPLEX, "sign": X, "floor": X, "ceil": X, "trunc": X, "rint": X,
    "fix": X, "isnan": NANS, "isinf": X, "isfinite": X, "signbit": X, "logical_not": X, "spacing": X, "modf": X,
    "isposinf": X, "isneginf": X,
}  # fmt: skip
_COMPLEX_UNARY = [
    "negative", "square", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt", "log", "absolute", "sign",
    "reciprocal", "arcsin", "arctan", "arcsinh", "expm1", "log1p",
]  # fmt: skip
_BINARY = {
    "add": (X, Y), "subtract": (X, Y), "multiply": (X, Y), "divide": (X, POSITIVE), "true_divide": (X, POSITIVE),
    "power": (POSITIVE, Y), "pow": (POSITIVE, Y), "float_power": (POSITIVE, Y), "remainder": (5 * X, POSITIVE),
    "mod": (5 * X, POSITIVE), "fmod": (5 * X, POSITIVE), "logaddexp": (X, Y), "logaddexp2": (X, Y), "arctan2": (X, Y),
    "atan2": (X, Y), "hypot": (X, Y), "maximum": (X, Y), "minimum": (X, Y), "fmax": (X, Y), "fmin": (X, Y),
    "copysign": (X, Y), "floor_divide": (X, POSITIVE), "divmod": (5 * X, POSITIVE), "heaviside": (X, Y),
    "nextafter": (X, Y), "equal": (X, Y), "not_equal": (X, Y), "less": (X, Y), "less_equal": (X, Y), "greater": (X, Y),
    "greater_equal": (X, Y), "logical_and": (X, Y), "logical_or": (X, Y), "logical_xor": (X, Y),
}  # fmt: skip
_INTEGER = {
    "bitwise_and": 2, "bitwise_or": 2, "bitwise_xor": 2, "left_shift": 2, "right_shift": 2, "bitwise_left_shift": 2,
    "bitwise_right_shift": 2, "bitwise_count": 1, "gcd": 2, "lcm": 2, "invert": 1, "bitwise_not": 1,
    "bitwise_invert": 1,
}  # fmt: skip
_REDUCTIONS = [
    "sum", "prod", "mean", "var", "std", "max", "min", "amax", "amin", "ptp", "nansum", "nanprod", "nanmax", "nanmin",
    "nanmean", "nanvar", "nanstd", "median", "nanmedian",
]  # fmt: skip

_METHODS = [
    "linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
    "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased",
]  # fmt: skip

_INDICES_FROM = ["diag_indices_from", "tril_indices_from", "triu_indices_from"]


def _fill_borders(vector: Any, widths: Any, axis: int, kwargs: Any) -> None:
    """A mode for pad."""
    before, after = widths
    vector[:before] = kwargs["factor"] * vector[before] + axis
    vector[-after:] = vector[before] ** 2


def _into(function: str, *args: Any, **kwargs: Any) -> Call:
    """A function that writes into its first argument."""

    def body(namespace: Any, a: Any, *rest: Any, **kwargs: Any) -> Any:
        a = 1.0 * a
        assert getattr(namespace, function)(a, *rest, **kwargs) is None
        return a

    return _c(function, *args, BODY=body, **kwargs)


UFUNCS: list[Call] = [
    *(_c(name, x) for name, x in _UNARY.items()),
    *(_c(name, COMPLEX) for name in _COMPLEX_UNARY),
    *(_c(name, F32, ORDER=1) for name in ("sin", "exp", "square", "arctan", "negative")),
    *(_c(name, *xy) for name, xy in _BINARY.items()),
    *(_c(name, SCALAR, Y) for name in ("add", "multiply", "maximum", "arctan2", "hypot")),
    *(_c(name, CUBE, V) for name in ("add", "subtract", "multiply", "minimum")),
    *(_c(name, COMPLEX, X) for name in ("add", "subtract", "multiply", "divide")),
    *(_c(name, X, INTS) for name in ("add", "multiply", "divide", "power")),
    *(_c(name, X, 3) for name in ("subtract", "multiply", "divide", "power", "remainder")),
    *(_c(name, 3, POSITIVE) for name in ("subtract", "divide", "power")),
    *(
        _c(name, X, INTS, INTS, BODY=lambda ns, x, *i, name=name, n=n: x[0, 0] * getattr(ns, name)(*i[:n]))
        for name, n in _INTEGER.items()
    ),
    _c("add", X, Y, where=MASK, BODY=lambda ns, x, y, where: ns.add(x, y, where=where, out=1.0 * x)),
    _c("add", X, X.astype(np.float32), WRT=(0,), dtype=np.float64),
    _c("ldexp", X, INTS),
    _c("frexp", X),
    _c("ldexp", F32, 3, ORDER=1),
    _c("matmul", X, SQUARE),
    _c("matmul", CUBE, V),
    _c("angle", COMPLEX),
    _c("angle", X, deg=True),
    _c("real", COMPLEX),
    _c("real", X),
    _c("imag", COMPLEX),
    _c("imag", X),
    _c("real_if_close", COMPLEX),
    _c("real_if_close", X),
    _c("where", MASK, X, Y),
    _c("where", MASK, X, 0.0),
    _c("where", INTS - 3, X, SCALAR),
    _c("where", X, BODY=lambda ns, x: x[ns.where(x > 0)], VMAP=False),
    _c("clip", X, -0.5, 0.5),
    _c("clip", X, -0.5, None),
    _c("clip", X, UNIT - 1, UNIT + 1),
    _c("clip", X, max=0.5),
    _c("clip", X),
    _c("nan_to_num", NANS + X, SMOOTH=False),
    _c("nan_to_num", X),
    _c("nan_to_num", COMPLEX),
    _c("round", X),
    _c("round", X, 2),
    _c("round", 100 * X, -1),
    _c("around", X, 1),
    _c("unwrap", 9 * V),
    _c("unwrap", 9 * CUBE, 3.5, 1, period=5.0),
    _c("unwrap", 9 * F32, ORDER=1),
    _c("unwrap", 9 * V, SCALAR, BODY=lambda ns, v, s: ns.unwrap(v, period=s)),
    _c("add.reduce", X),
    _c("add.reduce", X, axis=(0, 1), keepdims=True, initial=2.0, where=MASK),
    _c("multiply.reduce", X, axis=1),
    _c("maximum.reduce", CUBE, axis=None),
    _c("minimum.reduce", CUBE, axis=(0, 2), initial=0.1, where=CUBE > 0),
    _c("fmax.reduce", CUBE, axis=1),
    _c("subtract.reduce", CUBE, axis=1),
    _c("divide.reduce", POSITIVE, keepdims=True),
    _c("logaddexp.reduce", CUBE, axis=(0, 1)),
    _c("logaddexp.reduce", X, axis=1, where=MASK),
    _c("hypot.reduce", X, axis=None, initial=1.5),
    _c("power.reduce", POSITIVE, axis=0, keepdims=True),
    _c("logical_and.reduce", X, axis=1),
    _c("add.accumulate", CUBE, axis=1),
    _c("multiply.accumulate", CUBE),
    _c("maximum.accumulate", CUBE, axis=2),
    _c("subtract.accumulate", CUBE, 1),
    _c("logaddexp.accumulate", V),
    _c("multiply.outer", X, V),
    _c("subtract.outer", SCALAR, V),
    _c("maximum.outer", X, Y),
    _c("add.reduceat", V, [0, 2, 1, 3]),
    _c("multiply.reduceat", CUBE, [0, 1], axis=1),
    _c("maximum.reduceat", CUBE, [0, 3], axis=-1),
    *(
        _c(f"{name}.at", 1.5 * X, V, BODY=lambda ns, x, v, name=name: _at(ns, name, x, v))
        for name in ("add", "subtract", "multiply", "divide", "maximum")
    ),
    _c("negative.at", X, BODY=lambda ns, x: _at(ns, "negative", x)),
]


def _at(namespace: Any, name: str, x: Any, *v: Any) -> Any:
    x = 1.0 * x
    getattr(namespace, name).at(x, (np.array([0, 1, 0, 0]), np.array([2, 1, 2, 0])), *v)
    return x


CREATION: list[Call] = [
    *(
        _c(name, X, BODY=lambda ns, x, name=name, args=args: getattr(ns, name)(*args) * x[0, 0])
        for name, args in {
            "zeros": (3,),
            "ones": ((2, 3),),
            "eye": (3, 4, 1),
            "identity": (3,),
            "tri": (3, 4),
            "indices": ((2, 3),),
            "arange": (2, 9, 2),
            "fromiter": ([1.0, 2.0], float),
            "frombuffer": (b"\0\0\0\0\0\0\xf0?", float),
        }.items()
    ),
    *(
        _c(name, X, BODY=lambda ns, x, name=name: _filled(getattr(ns, name)((2, 3)), x), PROTOCOL=False)
        for name in ("zeros", "ones", "empty")
    ),
    *(
        _c(name, X, BODY=lambda ns, x, name=name: _filled(getattr(ns, name)(x), x))
        for name in ("zeros_like", "ones_like", "empty_like")
    ),
    _c("zeros_like", X, BODY=lambda ns, x: x[0] * ns.zeros_like(x, dtype=int, shape=3)),
    _c("full", (2, 3), SCALAR, PROTOCOL=False),
    _c("full", (2, 3), VECTOR3, dtype=complex, PROTOCOL=False),
    _c("full_like", X, SCALAR),
    _c("full_like", X, VECTOR3, dtype=complex, shape=(4, 3)),
    _c("array", X, PROTOCOL=False),
    _c("array", [V[0], V[1]], PROTOCOL=False),
    _c("array", [[X[0], X[1]], [Y[0], Y[1]]], PROTOCOL=False),
    _c("array", X, dtype=complex, ndmin=4, PROTOCOL=False),
    _c("asarray", X, PROTOCOL=False),
    _c("asarray", [V, W], PROTOCOL=False),
    _c("asarray", X, dtype=np.float32, SMOOTH=False, PROTOCOL=False),
    _c("asanyarray", X, PROTOCOL=False),
    _c("ascontiguousarray", X, PROTOCOL=False),
    _c("ascontiguousarray", SCALAR, PROTOCOL=False),
    _c("asfortranarray", X, PROTOCOL=False),
    _c("linspace", SCALAR, np.float64(2.0), 5),
    _c("linspace", SCALAR, V, 4, endpoint=False, axis=1),
    _c("linspace", V, 2.0, 3, retstep=True),
    _c("linspace", V, 2.0, 1),
    _c("logspace", SCALAR, np.float64(2.0), 5),
    _c("logspace", SCALAR, V, 3, base=2.0, endpoint=False),
    _c("geomspace", SCALAR, np.float64(20.0), 5),
    _c("geomspace", -np.abs(V), -np.abs(W), 4, axis=-1),
    _c("meshgrid", V, VECTOR3),
    _c("meshgrid", V, VECTOR3, X, indexing="ij", sparse=True),
    _c("meshgrid", V, VECTOR3, [1, 2], indexing="xy", WRT=(0, 1)),
    _c("meshgrid", V),
    _c("fromfunction", X, BODY=lambda ns, x: ns.fromfunction(lambda i, j: i + j * x[0, 0], (2, 3))),
]


def _filled(a: Any, x: Any) -> Any:
    a[...] = 2 * x
    a[0] = x[1]
    return a


SHAPING: list[Call] = [
    _c("reshape", X, (3, 2)),
    _c("reshape", CUBE, (4, -1), order="F"),
    _c("reshape", X, -1, copy=True),
    _c("ravel", X),
    _c("ravel", X, order="F"),
    _c("ravel", X, BODY=lambda ns, x: ns.ravel((2 * x).T, order="K")),
    _c("transpose", CUBE),
    _c("transpose", CUBE, (2, 0, 1)),
    _c("permute_dims", CUBE, (0, -1, 1)),
    _c("matrix_transpose", CUBE),
    _c("swapaxes", CUBE, 0, -1),
    _c("moveaxis", CUBE, 0, -1),
    _c("moveaxis", CUBE, (0, 1), (-1, 0)),
    _c("rollaxis", CUBE, 2),
    _c("rollaxis", CUBE, 0, 3),
    _c("expand_dims", X, 1),
    _c("expand_dims", X, (0, -1)),
    _c("squeeze", X[:, :1]),
    _c("squeeze", X[None, :, None], axis=0),
    _c("broadcast_to", X, (4, 2, 3)),
    _c("broadcast_arrays", X, VECTOR3, SCALAR),
    *(_c(f"atleast_{n}d", x) for n in (1, 2, 3) for x in (SCALAR, V, X, CUBE)),
    _c("atleast_2d", SCALAR, V),
    _c("flip", CUBE),
    _c("flip", CUBE, (0, 2)),
    _c("flipud", X),
    _c("fliplr", X),
    *(_c("rot90", CUBE, k, (0, 2)) for k in range(-1, 4)),
    _c("tile", X, 2),
    _c("tile", X, (2, 1, 3)),
    _c("tile", CUBE, (2, 1)),
    _c("astype", X, np.float32, SMOOTH=False),
    _c("astype", X, complex),
    _c("astype", X, int),
    _c("copy", X),
    # joining and splitting
    _c("concatenate", [X, Y]),
    _c("concatenate", [X, Y], axis=None),
    _c("concatenate", (X, Y), 1, dtype=complex),
    _c("concat", [X, COMPLEX], axis=-1),
    _c("concatenate", [X, F32], SMOOTH=False),
    _c("concatenate", X, BODY=lambda ns, x: ns.concatenate([x, INTS])),
    _c("stack", [X, Y], axis=-1),
    _c("stack", [SCALAR, SCALAR]),
    _c("vstack", [V, W]),
    _c("hstack", [V, W]),
    _c("hstack", [X, Y]),
    _c("dstack", [X, Y]),
    _c("dstack", [V, W]),
    _c("column_stack", [V, SQUARE[:, :2][[0, 1, 2, 0]]]),
    _c("block", [[SQUARE, X.T], [X, SQUARE[:2, :2]]]),
    _c("block", [V, SCALAR]),
    _c("append", X, Y),
    _c("append", X, Y, axis=1),
    _c("split", CUBE, 2, axis=-1),
    _c("split", V, [1, 3]),
    _c("array_split", V, 3),
    _c("array_split", V, [-3, 7]),
    _c("hsplit", X, [1]),
    _c("hsplit", V, 2),
    _c("vsplit", X, 2),
    _c("dsplit", CUBE, 2),
    _c("roll", X, 2),
    _c("roll", X, (1, -1), axis=(0, 1)),
    _c("roll", X, (1, 1), axis=1),
    _c("roll", X, 0, axis=1),
    _c("repeat", X, 2),
    _c("repeat", X, [1, 0, 2], axis=1),
    _c("delete", X, 1, axis=1),
    _c("delete", X, [0, 3]),
    _c("delete", V, slice(1, None, 2)),
    _c("insert", V, 1, SCALAR),
    _c("insert", V, [1, 1, 3], VECTOR3),
    _c("insert", X, 1, VECTOR3, axis=0),
    _c("insert", X, [0, 2], X[:, :2], axis=1),
    _c("insert", X, 1, X[0, :2], axis=1),
    _c("insert", X, slice(0, 2), SCALAR, axis=1),
    _c("resize", X, (3, 4)),
    _c("pad", V, 2),
    _c("pad", X, ((1, 2), (0, 1)), constant_values=SCALAR),
    _c("pad", X, ((1, 1),), mode="constant", constant_values=((1.0, 2.0), (3.0, 4.0))),
    _c("pad", V, 2, mode="edge"),
    _c("pad", CUBE, ((0, 1), (2, 1), (1, 0)), mode="reflect"),
    _c("pad", CUBE, 3, mode="symmetric"),
    _c("pad", X, (2, 5), mode="wrap"),
    *(_c("pad", X, ((1, 4), (7, 2)), mode=m, reflect_type="odd") for m in ("reflect", "symmetric")),
    _c("pad", X[:1], 2, mode="reflect", reflect_type="odd"),
    _c("pad", X, ((2, 1), (0, 3)), mode="linear_ramp", end_values=SCALAR),
    _c("pad", X, SCALAR, BODY=lambda ns, x, s: ns.pad(x, 2, mode="linear_ramp", end_values=((s, 1.0), (2.0, s * s)))),
    *(_c("pad", CUBE, ((1, 2), (0, 1), (1, 0)), mode=m) for m in ("maximum", "mean", "median", "minimum")),
    *(_c("pad", X, 1, mode=m, stat_length=((1, 2),)) for m in ("maximum", "mean", "median", "minimum")),
    _c("pad", X, {-1: (1, 2)}, mode="edge"),
    _c("pad", X, 0, mode="mean"),
    _c("pad", X, ((1, 0), (2, 1)), BODY=lambda ns, x, w: ns.pad(x, w, mode="empty")[1:, 2:-1]),
    _c("pad", X, ((1, 2), (2, 1)), BODY=lambda ns, x, w: ns.pad(x, w, mode=_fill_borders, factor=2.0)),
    _c("r_", V, SCALAR, BODY=lambda ns, v, s: ns.r_[v, s, 1.0, 0:3, [s, 2 * s]], PROTOCOL=False),
    _c("c_", V, W, BODY=lambda ns, v, w: ns.c_[v, w, np.arange(4)], PROTOCOL=False),
    _c("c_", CUBE, BODY=lambda ns, x: ns.c_[x, x**2], PROTOCOL=False),
    _c("c_", SCALAR, BODY=lambda ns, s: ns.c_[s, 2.0, 1:2], PROTOCOL=False),
    _c("r_", F32, BODY=lambda ns, x: ns.r_[x[0], 1.0, 2], ORDER=1, PROTOCOL=False),
    _c("r_", SCALAR, BODY=lambda ns, s: ns.r_[0 : 2 * s : 4j, s : s + 2.5], PROTOCOL=False, VMAP=False),
    *(
        _c("r_", V, X, BODY=lambda ns, v, x, d=d: (ns.r_[d, v, v**2], ns.r_[d, v[:3], x[0]]), PROTOCOL=False)
        for d in ("-1", "0,2", "1,2", "0,2,0", "0,3,-1", "1,2,-2", "2,3,1")
    ),
    _c("r_", X, VECTOR3, BODY=lambda ns, x, v: ns.r_["0,2", x, v, 0:3], PROTOCOL=False),
    _c("require", X, requirements=["C", "W"], PROTOCOL=False),
    _c("require", X, np.float32, "F", SMOOTH=False, PROTOCOL=False),
    _c("asarray_chkfinite", X, PROTOCOL=False),
    _c("trim_zeros", np.array([0.0, 0.0, 1.0, 0.0, 2.0, 0.0]), VMAP=False, SMOOTH=False),
    _c("trim_zeros", np.array([0.0, 1.0, 0.0, 2.0, 0.0]), "b", VMAP=False, SMOOTH=False),
    _c("apply_over_axes", np.sum, CUBE, [0, 2], WRT=(1,)),
    _c("apply_over_axes", X, BODY=lambda ns, x: ns.apply_over_axes(lambda a, i: ns.cumsum(a, i), x, -1)),
    _c(
        "vectorize",
        X,
        SCALAR,
        BODY=lambda ns, x, s: ns.vectorize(lambda a, b: a * b if a > 0 else b)(x, s),
        VMAP=False,
        PROTOCOL=False,
    ),
    _c(
        "vectorize",
        X,
        BODY=lambda ns, x: ns.vectorize(lambda a, p: (a**p, p * a), excluded=[1])(x, 3.0),
        PROTOCOL=False,
    ),
    _c(
        "vectorize",
        X,
        VECTOR3,
        BODY=lambda ns, x, v: ns.vectorize(ns.dot, signature="(n),(n)->()")(x, v),
        PROTOCOL=False,
    ),
    _c(
        "vectorize",
        X,
        BODY=lambda ns, x: ns.vectorize(lambda a: ns.outer(a, a), signature="(n)->(n,n)")(x),
        PROTOCOL=False,
    ),
    _c("vectorize", SCALAR, BODY=lambda ns, s: ns.vectorize(lambda a: a * s, otypes="d")([1, 2, 3]), PROTOCOL=False),
    _c(
        "vectorize",
        X,
        BODY=lambda ns, x: ns.vectorize(lambda a, *, b: a * b, otypes=[float])(x[:0], b=x[:0])[0:1] + x[0, 0],
        PROTOCOL=False,
    ),
]

INDEXING: list[Call] = [
    _c("take", X, [[0, 3], [5, 1]]),
    _c("take", CUBE, [2, 0], axis=1),
    _c("take", X, 1, 0),
    _c("take", V, [5, -7], mode="wrap"),
    _c("take", V, [5, -7], mode="clip"),
    _c("take_along_axis", X, np.array([[0, 2], [1, 1]]), 1),
    _c("take_along_axis", X, np.array([0, 5]), None),
    _c("compress", [True, False, True], CUBE, axis=1),
    _c("compress", [True, False, True], X),
    _c("extract", MASK, X),
    _c("choose", np.array([[0, 1, 0], [1, 1, 0]]), [X, Y]),
    _c("choose", np.array([0, 3, -1]), [VECTOR3, SCALAR], mode="clip"),
    _c("select", [MASK, ~MASK], [X, Y], SCALAR),
    _c("select", X, BODY=lambda ns, x: ns.select([MASK, INTS > 3], [x, INTS], 7)),
    _c("nonzero", X, VMAP=False),
    _c("flatnonzero", X, VMAP=False),
    _c("argwhere", X, VMAP=False),
    *(_c(n, X, BODY=lambda ns, x, n=n: x[getattr(ns, n)(x[:, :2])]) for n in _INDICES_FROM),
    *(
        _c(
            "unravel_index",
            X,
            BODY=lambda ns, x, o=o: x[ns.unravel_index(ns.argmax(x), (2, 3), o)],
        )
        for o in "CF"
    ),
    *(
        _c(
            "ravel_multi_index",
            V,
            BODY=lambda ns, v, o=o: v[ns.ravel_multi_index((ns.argmax(v) // 2, ns.argmax(v) % 2), (2, 2), order=o)],
        )
        for o in "CF"
    ),
    _c("diagonal", SQUARE),
    _c("diagonal", CUBE, 1, 1, 2),
    _c("diagonal", CUBE, offset=-1, axis1=-1, axis2=0),
    _c("trace", SQUARE),
    _c("trace", CUBE, 1, 1, 2),
    *(_c("diag", V, k) for k in (0, 1, -2)),
    *(_c("diag", X, k) for k in (0, 1, -1)),
    _c("diagflat", X, 1),
    _c("tril", SQUARE),
    _c("tril", CUBE, -1),
    _c("triu", X, 1),
    _c("triu", V),
    # writing
    _into("put", X, [0, 5, 1], V),
    _into("put", X, [-1, 7], SCALAR, mode="wrap"),
    _into("put", X, [1, 1, 2], VECTOR3),
    _into("place", X, MASK, V),
    _into("place", X, MASK, VECTOR3[:2]),
    _into("putmask", X, MASK, Y),
    _into("putmask", X, MASK, VECTOR3[:2]),
    _into("copyto", X, VECTOR3),
    _into("copyto", X, Y, where=MASK),
    _into("put_along_axis", X, np.array([[0], [2]]), SCALAR, 1),
    _into("put_along_axis", X, np.array([0, 5]), W[:2], None),
    _into("fill_diagonal", SQUARE, SCALAR),
    _into("fill_diagonal", np.ones((5, 2)) * SCALAR, V, wrap=True),
    _into("fill_diagonal", _rng.normal(size=(2, 2, 2)), W[:2]),
    _c("piecewise", X, [X < 0, X > 1], [np.square, 3.0, np.sin], WRT=(0,)),
    _c("piecewise", X, [X < 0], [np.square, lambda x: -x], WRT=(0,)),
    _c("piecewise", X, BODY=lambda ns, x: ns.piecewise(x, [x < 0], [np.square, lambda x: -x]), VMAP=False),
    _c("apply_along_axis", np.cumsum, 1, CUBE, WRT=(2,)),
    _c("apply_along_axis", np.sum, 0, CUBE, WRT=(2,)),
    _c("apply_along_axis", np.diag, -1, X, WRT=(2,)),
]

EMATH: list[Call] = [
    *(_c(f"emath.{n}", x, VMAP=False) for n in ("sqrt", "log", "log2", "log10") for x in (X, POSITIVE, COMPLEX)),
    *(_c(f"emath.{n}", x, VMAP=False) for n in ("arccos", "arcsin", "arctanh") for x in (UNIT, 2 * UNIT + 0.1j, 3 * X)),
    _c("emath.logn", np.float64(3.0), X, VMAP=False),
    _c("emath.power", X, SCALAR, VMAP=False),
    _c("emath.power", POSITIVE, [2, -1, 3], VMAP=False),
]

REDUCTIONS: list[Call] = [
    *(_c(name, X) for name in _REDUCTIONS),
    *(_c(name, CUBE, axis=(0, -1)) for name in _REDUCTIONS),
    *(_c(name, CUBE, axis=1, keepdims=True) for name in _REDUCTIONS),
    *(_c(name, NANS + X, axis=0, SMOOTH=False) for name in _REDUCTIONS if name.startswith("nan")),
    *(_c(name, SCALAR) for name in ("sum", "prod", "mean", "max", "std", "cumsum", "median")),
    *(_c(name, COMPLEX, axis=0) for name in ("sum", "prod", "mean", "var", "std")),
    *(_c(name, X, where=MASK) for name in ("sum", "prod", "mean", "var", "std", "nanmean", "nanstd")),
    *(_c(name, F32, axis=0, ORDER=1) for name in ("sum", "mean", "var", "std", "max", "median")),
    *(_c(name, F32, where=MASK, ORDER=1) for name in ("sum", "mean", "var")),
    _c("sum", X, 0, None, None, True),
    _c("sum", X, axis=1, initial=SCALAR, dtype=np.float64),
    _c("prod", X, initial=2.0, keepdims=True),
    _c("max", X, axis=1, initial=0.3, where=MASK),
    _c("min", X, initial=-0.3),
    _c("var", X, axis=0, ddof=1),
    _c("std", X, ddof=1, axis=1, keepdims=True),
    _c("var", X, mean=np.float64(0.25)),
    *(_c(name, X, axis=a) for name in ("argmax", "argmin", "all", "any", "count_nonzero") for a in (None, 1)),
    *(_c(name, X, axis=1, keepdims=True) for name in ("argmax", "argmin", "all", "any", "count_nonzero")),
    *(_c(name, NANS + X, axis=1) for name in ("nanargmax", "nanargmin")),
    *(_c(name, CUBE, axis=a) for name in ("cumsum", "cumprod", "nancumsum", "nancumprod") for a in (None, 1)),
    _c("nancumsum", NANS + X, SMOOTH=False),
    _c("nancumprod", NANS + X, axis=1, SMOOTH=False),
    _c("diff", CUBE),
    _c("diff", CUBE, 2, 1),
    _c("diff", X, axis=0, prepend=0.0, append=Y),
    _c("ediff1d", X),
    _c("ediff1d", V, to_end=SCALAR, to_begin=VECTOR3),
    _c("average", X),
    _c("average", X, weights=POSITIVE, axis=1, returned=True),
    _c("average", X, 0, np.array([1.0, 2.0]), keepdims=True),
    _c("average", X, returned=True),
    *(_c("quantile", X, q, WRT=(0,)) for q in (0.0, 0.3, 1.0, np.array([0.2, 0.75]))),
    *(_c("quantile", CUBE, np.array([[0.31], [0.77]]), axis=(0, 2), method=m, WRT=(0,)) for m in _METHODS),
    *(_c("quantile", V, np.array([0.37, 0.81]), method=m) for m in _METHODS),
    *(_c("nanquantile", NANS + X, np.float64(0.37), axis=1, method=m, SMOOTH=False) for m in _METHODS),
    *(
        _c(name, CUBE, 0.4 * scale, axis=(0, 2), method="inverted_cdf", weights=CUBE**2, keepdims=True)
        for name, scale in (("quantile", 1), ("percentile", 100), ("nanquantile", 1), ("nanpercentile", 100))
    ),
    _c("quantile", X, [0.1, 0.6], axis=1, method="inverted_cdf", weights=[1.0, 0.0, 2.0]),
    _c("nanquantile", NANS + X, 1.0, axis=1, method="inverted_cdf", weights=POSITIVE, SMOOTH=False),
    _c("median", COMPLEX, axis=1),
    _c("median", CUBE, axis=(0, 2), keepdims=True),
    _c("quantile", V, np.float64(0.4)),
    _c("percentile", X, 40, axis=0, keepdims=True),
    _c("nanquantile", NANS + X, 0.4, axis=1, SMOOTH=False),
    _c("nanpercentile", X, [25, 50], axis=1),
    _c("median", NANS + X, axis=0, SMOOTH=False),
    _c("cov", X),
    _c("cov", V, W),
    _c("cov", X, rowvar=False, bias=True),
    _c("cov", CUBE[0], fweights=[1, 2, 1, 3], aweights=[0.5, 1.0, 1.5, 1.0]),
    _c("cov", V),
    _c("cov", COMPLEX),
    _c("corrcoef", CUBE[0]),
    _c("corrcoef", V, W),
]

SORTING: list[Call] = [
    _c("sort", CUBE),
    _c("sort", CUBE, axis=1),
    _c("sort", CUBE, None),
    _c("sort", COMPLEX),
    _c("argsort", CUBE, 0),
    _c("argsort", X, axis=None),
    _c("argsort", np.array([1.0, 0.0, 1.0, 0.0]), stable=True),
    _c("partition", V, 1, BODY=lambda ns, v, k: ns.partition(v, k)[k]),
    _c("argpartition", V, 1, BODY=lambda ns, v, k: v[ns.argpartition(v, k)[k]]),
    _c("lexsort", (V, W)),
    _c("lexsort", X, BODY=lambda ns, x: ns.lexsort((x, x[::-1] > 0), axis=0)),
    _c("searchsorted", np.sort(V), CUBE),
    _c("searchsorted", np.sort(V), SCALAR, side="right"),
    _c("searchsorted", V, W, sorter=np.argsort(V)),
    _c("digitize", X, np.array([-1.0, 0.0, 1.0]), WRT=(0,)),
    _c("digitize", X, np.array([1.0, 0.0, -1.0]), right=True, WRT=(0,)),
    _c("histogram", X, 4, VMAP=False),
    _c("histogram", V, "auto", VMAP=False),
    _c("histogram", X, 3, (-1.0, 1.5), weights=None, VMAP=False),
    _c("histogram", X, np.array([-3.0, -0.5, 0.0, 3.0]), density=True, VMAP=False),
    _c("histogram", X, 3, density=True, VMAP=False),
    _c("histogram", np.ones(3), 3, SMOOTH=False, VMAP=False),
    _c("histogram", V, W, BODY=lambda ns, v, w: ns.histogram(v, 3, weights=w, density=True), VMAP=False),
    _c("histogram", W, BODY=lambda ns, w: ns.histogram(V, [-2.0, V[1], V[0], 5.0], weights=w)[0]),
    _c("histogram", F32, BODY=lambda ns, w: ns.histogram(X, 2, weights=w), ORDER=1),
    _c("histogram_bin_edges", X, 4, VMAP=False),
    _c("histogram_bin_edges", X, "fd", VMAP=False),
    _c("histogram2d", V, W, 3, VMAP=False),
    _c("histogram2d", V, W, [2, [-3.0, 0.0, 3.0]], density=True, WRT=(0, 1), VMAP=False),
    _c("histogram2d", V, BODY=lambda ns, v: ns.histogram2d(V, W, 2, weights=v, density=True)),
    _c("histogramdd", X, 2, VMAP=False),
    _c("histogramdd", [V, W, V * W], (2, 1, 3), VMAP=False),
    _c("histogramdd", V, BODY=lambda ns, v: ns.histogramdd(SQUARE, 2, ((-2, 2),) * 3, weights=v[:3], density=True)),
    _c("unique", V, VMAP=False),
    _c("unique", np.array([2.0, 1.0, 2.0]), True, True, True, SMOOTH=False, VMAP=False),
    _c("unique", X, axis=0, VMAP=False),
    _c("isin", X, Y),
    _c("isin", X, [X[0, 0], 2.0], invert=True),
    _c("union1d", V, np.append(W, V[1]), SMOOTH=False, VMAP=False),
    _c("union1d", V, W, VMAP=False),
    _c("intersect1d", np.append(W, V), V[:3], SMOOTH=False, VMAP=False),
    _c("intersect1d", V, V[::-1].copy(), True, True, SMOOTH=False, VMAP=False),
    _c("intersect1d", F32, X, VMAP=False),
    _c("setdiff1d", V, W[:2], VMAP=False),
    _c("setdiff1d", np.append(V, V), V[:2], assume_unique=True, SMOOTH=False, VMAP=False),
    _c("setxor1d", V, np.append(W, V[1]), SMOOTH=False, VMAP=False),
    _c("setxor1d", V, W, assume_unique=True, VMAP=False),
    _c("sort_complex", COMPLEX),
    _c("sort_complex", X),
    _c("bincount", [0, 2, 2, 5], V, 8),
    _c("bincount", [0, 2, 2, 5], V, BODY=lambda ns, i, v: v[0] * ns.bincount(i)),
]

CONTRACTION: list[Call] = [
    *(
        _c(name, *xy)
        for name in ("dot", "inner", "outer", "kron", "vdot", "multiply")
        for xy in ((V, W), (COMPLEX[0], X[1]))
    ),
    _c("dot", X, SQUARE),
    _c("dot", X, VECTOR3),
    _c("dot", SCALAR, X),
    _c("dot", CUBE, _rng.normal(size=(2, 4, 3))),
    _c("inner", CUBE, _rng.normal(size=(5, 4))),
    _c("inner", SCALAR, X),
    _c("outer", X, V),
    _c("kron", X, CUBE),
    _c("vecdot", COMPLEX, SQUARE[:2]),
    _c("vecdot", X, Y, axis=0),
    *(_c("matvec", x, y) for x, y in ((X, VECTOR3), (CUBE, V), (COMPLEX, VECTOR3)) if hasattr(np, "matvec")),
    *(_c("vecmat", x, y) for x, y in ((VECTOR3, X.T), (X, CUBE), (COMPLEX, SQUARE)) if hasattr(np, "vecmat")),
    _c("tensordot", CUBE, _rng.normal(size=(3, 4, 2)), WRT=(0, 1)),
    _c("tensordot", CUBE, X, axes=([0, 1], [0, 1])),
    _c("tensordot", V, X, axes=0),
    _c("einsum", "ij,jk->ik", X, SQUARE),
    _c("einsum", "i...,...i", SQUARE, SQUARE.T),
    _c("einsum", "...ij,...j", CUBE, V),
    _c("einsum", "ii", SQUARE),
    _c("einsum", "ij->ji", COMPLEX),
    _c("einsum", X, [0, 1], SQUARE, [1, 2], [0, 2]),
    _c("einsum", "ij,jk,k", X, SQUARE, VECTOR3, optimize=True),
    _c("cross", VECTOR3, SQUARE),
    _c("cross", SQUARE, X.T[:, :1] * np.ones(3), axisa=0, axisc=0),
    _c("cross", CUBE, CUBE[:, ::-1], axis=1),
    *(_c(n, V, VECTOR3, m) for n in ("convolve", "correlate") for m in ("full", "same", "valid")),
    *(_c(n, VECTOR3, V, m) for n in ("convolve", "correlate") for m in ("full", "same", "valid")),
    *(_c(n, V[:2], V, "same") for n in ("convolve", "correlate")),
    _c("correlate", COMPLEX[0], COMPLEX[1], "full"),
]

CALCULUS: list[Call] = [
    _c("interp", UNIT, np.array([-1.1, -0.3, 0.2, 1.3]), V),
    _c("interp", 3 * X, np.array([-1.1, -0.3, 0.2, 1.3]), V, left=-1.0, right=SCALAR),
    _c("interp", SCALAR, np.array([-1.1, -0.3, 0.2, 1.3]), V),
    _c("interp", 5 * X, np.array([0.3, 2.0, 1.1, 0.7]), V, period=2.5),
    _c("interp", X, np.array([0.3]), V[:1]),
    _c("interp", np.array([0.3, 1.1, 2.0]), np.array([0.3, 1.1, 2.0]), VECTOR3, WRT=(2,)),
    _c("trapezoid", X),
    _c("trapezoid", CUBE, V),
    _c("trapezoid", CUBE, VECTOR3, axis=1),
    _c("trapezoid", CUBE, CUBE**2, axis=0),
    _c("trapezoid", X, dx=0.3),
    _c("gradient", V),
    _c("gradient", CUBE, 0.5, axis=(1, 2)),
    _c("gradient", V, np.array([0.0, 0.5, 0.8, 2.0]), edge_order=2),
    _c("gradient", SQUARE, np.array([0.0, 1.0, 3.0]), SCALAR),
]

POLYNOMIALS: list[Call] = [
    _c("polyval", V, X),
    _c("polyval", [V[0], V[1]], SCALAR),
    _c("polyval", [1, 2, 3], X),
    _c("vander", VECTOR3),
    _c("vander", VECTOR3, 2, increasing=True),
    *(_c(name, V, VECTOR3) for name in ("polyadd", "polysub", "polymul", "polydiv")),
    *(_c(name, V, 2) for name in ("polyder", "polyint")),
    _c("poly", V),
    _c("poly", SQUARE),
    _c("roots", np.array([1.0, 0.3, 0.5, 2.0])),
    _c("roots", np.array([2.0, 3.0])),
    _c("polyfit", V, W, 2),
    _c("i0", X),
    _c("kaiser", 5, SCALAR, PROTOCOL=False),
]

STANDARD: list[Call] = [
    *(_c(name, V) for name in ("cumulative_sum", "cumulative_prod")),
    *(_c(name, SCALAR) for name in ("cumulative_sum", "cumulative_prod")),
    *(_c(name, CUBE, axis=1, include_initial=True) for name in ("cumulative_sum", "cumulative_prod")),
    *(_c(name, F32, axis=0, dtype=np.float64) for name in ("cumulative_sum", "cumulative_prod")),
    _c(
        "unique_values",
        np.array([2.0, 0.5, 2.0]),
        BODY=lambda ns, x: ns.sort(ns.unique_values(x)),
        SMOOTH=False,
        VMAP=False,
    ),
    _c("unique_values", X, BODY=lambda ns, x: ns.sort(ns.unique_values(x)), VMAP=False),
    *(
        _c(name, x, BODY=lambda ns, x, name=name: tuple(getattr(ns, name)(x)), SMOOTH=x is X, VMAP=False)
        for name in ("unique_all", "unique_counts", "unique_inverse")
        for x in (X, np.array([[2.0, 0.5], [0.5, 2.0]]), np.array([np.nan, 1.0, np.nan]))
    ),
    *(_c("unstack", CUBE, axis=a) for a in (0, -1)),
    _c("unstack", V),
    _c("from_dlpack", X, PROTOCOL=False),
]
# Questions whose answers are plain: not arrays, or truth values.
QUESTIONS: list[Call] = [
    _c("shape", X),
    _c("ndim", X),
    _c("size", X),
    _c("size", X, 1),
    _c("result_type", F32, np.int16),
    _c("result_type", F32, 2.0, WRT=(0,)),
    _c("can_cast", X.dtype, np.float32, BODY=lambda ns, d, t: ns.can_cast(d, t)),
    _c("common_type", X, F32),
    *(_c("min_scalar_type", a) for a in (X, SCALAR, F32)),
    *(_c("isscalar", a, PROTOCOL=False) for a in (X, SCALAR, np.array(1.0))),
    _c("iscomplexobj", COMPLEX),
    _c("isrealobj", COMPLEX),
    _c("isfortran", X, PROTOCOL=False),
    _c(
        "isfortran",
        X,
        BODY=lambda ns, x: (ns.isfortran(x.T), ns.isfortran(x[0]), ns.isfortran(x[:, 1:].T)),
        PROTOCOL=False,
    ),
    _c("packbits", X, BODY=lambda ns, x: ns.packbits(x > 0, axis=1)),
    _c("unpackbits", X, BODY=lambda ns, x: ns.unpackbits(ns.packbits(x > 0), count=6)),
    _c("isreal", COMPLEX),
    _c("iscomplex", COMPLEX),
    _c("isclose", NANS, NANS + 1e-9),
    _c("isclose", NANS, NANS, equal_nan=True),
    _c("isclose", np.array([np.inf, -np.inf, 1.0]), np.array([np.inf, np.inf, 1.0 + 1e-7])),
    _c("allclose", X, X + 1e-10),
    _c("allclose", X, Y),
    _c("array_equal", X, Y),
    _c("array_equal", NANS, NANS, equal_nan=True),
    _c("array_equal", X, V),
    _c("array_equiv", np.ones((2, 3)), np.ones(3)),
    _c("array_equiv", X, V),
    _c("may_share_memory", X, BODY=lambda ns, x: ns.may_share_memory(x, x[1:])),
    _c("shares_memory", X, BODY=lambda ns, x: (ns.shares_memory(x[:, ::2], x[:, 1::2]), ns.shares_memory(x.T, x[1:]))),
    _c("array2string", X),
    _c("array_repr", X, BODY=lambda ns, x: "1.5" in ns.array_repr(0 * x + 1.5)),
    _c("einsum_path", "ij,jk,k", X, SQUARE, VECTOR3),
    _c("array_str", X, BODY=lambda ns, x: "1.5" in ns.array_str(0 * x + 1.5)),
]

CALLS: list[Call] = [
    *UFUNCS,
    *CREATION,
    *SHAPING,
    *INDEXING,
    *REDUCTIONS,
    *EMATH,
    *SORTING,
    *CONTRACTION,
    *CALCULUS,
    *POLYNOMIALS,
    *STANDARD,
]
