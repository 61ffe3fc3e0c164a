"""The five ways to declare a primitive. A rule states mathematics; everything else is done here.

================= ==================================================================================
`Elementwise`     NumPy ufuncs: one partial derivative per argument
`Linear`          linear in some arguments: one transposed map per such argument
`Multilinear`     linear in each argument while the others are fixed: one transposed map per argument
`General`         everything else (eigh, svd …): a jvp and a vjp, checked against each other by the tests
`NonDifferentiable` piecewise constant: its output carries no derivative
================= ==================================================================================

What a rule need not care about, because it happens here: summing a cotangent over broadcast axes, conjugation,
dtypes, arguments that are not differentiated, zero tangents, batches, and what the Wengert list keeps.

**Convention for complex numbers.** A cotangent lives in the space of its primal with the real inner product
⟨v, w⟩ = Re Σ conj(v)·w, and `pull` is the adjoint of `push` in it. A rule writes the plain (unconjugated)
derivative or transpose; `pull` conjugates.

**Strong zeros.** With ``singular=True`` the partial derivatives may be infinite or NaN at some points, and a zero
tangent or cotangent still contributes exactly zero there.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive, Tangent
from wengert.core.residuals import Partial, derivative_arithmetic, masks, on_slots, saver, slots_of, type_mismatch
from wengert.core.values import ArrayType, Value, dtype_of, shape_of, type_of, zeros_of

_float64 = np.float64
_ndarray = np.ndarray
_Value: Any = Value  # its operators are attached by wengert.rules, which a type checker does not see


class Elementwise(Primitive):
    """A function applied to each element, with broadcasting.

    Parameters
    ----------
    fun : callable
        A NumPy ufunc, or a function that broadcasts like one.
    *partials : callable, 1, -1 or None
        The partial derivative with respect to each argument, as a function of any of the names ``out``, ``x``, ``y``,
        ``z``, ``w``, ``v`` (the output, and the arguments in their order). Its parameter names say what the Wengert
        list has to keep. The numbers 1 and -1 stand for constant partials, None for an argument without derivative.
    singular : bool
        Whether partials can be infinite or NaN where the function is finite: see "strong zeros" above.
    """

    def __new__(cls, fun: Callable[..., Any], *partials: Partial, singular: bool = False, name: str = "") -> Any:
        """Choose the class with the fast path for the number of arguments."""
        if cls is Elementwise:
            cls = {1: Unary, 2: Binary}.get(len(partials), Elementwise)
        return object.__new__(cls)

    def __init__(self, fun: Callable[..., Any], *partials: Partial, singular: bool = False, name: str = "") -> None:
        super().__init__(fun, name=name)
        self.partials = partials
        self.singular = singular
        self._scale = strong_scale
        slots = [slots_of(p) for p in partials]
        self._partials = [p if not callable(p) else on_slots(p, s) for p, s in zip(partials, slots, strict=True)]
        #: For each set of differentiated arguments (as a tuple of bools): (fix, out, *args) -> what to keep of them.
        self.savers = {mask: saver(mask, slots) for mask in masks(len(partials))} if len(partials) <= 2 else {}
        self._slots = slots

    def residuals(self, args: Sequence[Any], out: Any, traced: Sequence[bool], params: dict[str, Any]) -> Any:
        """Return (fix, out, *args) with None for what no partial reads."""
        mask = tuple(traced)
        if mask not in self.savers:  # of three and more arguments: there are many sets, of which few ever occur
            self.savers[mask] = saver(mask, self._slots)
        return self.savers[mask](type_mismatch(out, args, traced), out, *args)

    def push(self, tangents: Sequence[Tangent], saved: Any, params: dict[str, Any]) -> Tangent:
        """Sum of partial · tangent."""
        fix = saved[0]
        total = None
        for partial, t in zip(self._partials, tangents, strict=True):
            if t is None or partial is None:
                continue
            if partial == 1:
                term = t
            elif partial == -1:
                term = -t
            elif self.singular:
                term = self._singular_term(partial, saved, t, conj_partial=False)
            else:
                p = partial(saved)  # type: ignore[operator]
                term = tangent_product(p, t) if isinstance(t, _Value) else p * t
            total = term if total is None else total + term
        if fix is not None and total is not None:
            total = widen(total, fix[-1])
        return total

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Add conj(partial) · cotangent to each argument."""
        fix = saved[0]
        for k, parent in enumerate(parents):
            if parent < 0:
                continue
            partial = self._partials[k]
            fresh = True
            if partial is None:
                continue
            if partial == 1:
                c, fresh = ct, False
            elif partial == -1:
                c = -ct
            elif self.singular or sweep.strict:
                c = self._singular_term(partial, saved, ct, conj_partial=fix is not None)
            elif fix is None:
                p = partial(saved)  # type: ignore[operator]
                c = tangent_product(p, ct) if isinstance(ct, _Value) else p * ct
            else:
                p = conjugate(partial(saved))  # type: ignore[operator]
                c = tangent_product(p, ct) if isinstance(ct, _Value) else p * ct
            if fix is not None:
                narrowed = narrow(c, fix[k])
                # Parts of a buffer that others see (its real part, a reshaped view) are not fresh.
                fresh = fresh if narrowed is c else type(narrowed) is _ndarray and narrowed.base is None
                c = narrowed
            sweep.add(parent, c, fresh)

    def _singular_term(self, partial: Any, saved: Any, t: Any, *, conj_partial: bool) -> Any:
        """partial · t, where an exact zero of `t` wins over a partial that is not finite."""
        if type(t) is _float64 and t == 0:
            return t
        p = partial(saved)
        return self._scale(conjugate(p) if conj_partial else p, t)

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Align the ranks of the examples and apply to the whole batch at once."""
        return self.bind(*align(args, batched), **params)

    def output_type(self, args: Sequence[Any], params: dict[str, Any]) -> ArrayType:
        """Broadcast the shapes; the dtype is found on single elements."""
        key = (*[a if type(a) is ArrayType else _kind(a) for a in args], repr(params) if params else "")
        known = self._types.get(key)
        if known is None:
            shapes = {a.shape for a in args if isinstance(a, ArrayType)}
            shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
            single = [ArrayType((1,), a.dtype) if isinstance(a, ArrayType) else a for a in args]
            known = self._types[key] = ArrayType(shape, super().output_type(single, params).dtype)
        return known


def _kind(number: Any) -> Any:
    """What the dtype of a result depends on: the value only of a Python integer, which may be too large for one."""
    if isinstance(number, np.generic):
        return number.dtype
    return type(number) if type(number) in (float, bool, complex) else (type(number), number)


class Unary(Elementwise):
    """An elementwise function of one argument."""

    def bind(self, x: Any) -> Any:  # type: ignore[override]
        """Apply the function."""
        return x.level.process_unary(self, x) if isinstance(x, Value) else self.fun(x)

    __call__ = bind


class Binary(Elementwise):
    """An elementwise function of two arguments."""

    def bind(self, x: Any, y: Any) -> Any:  # type: ignore[override]
        """Apply the function."""
        if isinstance(x, Value):
            level = x.level
            if isinstance(y, Value) and y.level.depth > level.depth:
                level = y.level
            return level.process_binary(self, x, y)
        return y.level.process_binary(self, x, y) if isinstance(y, Value) else self.fun(x, y)

    __call__ = bind


class Linear(Primitive):
    """A function that is linear in some of its arguments jointly.

    Parameters
    ----------
    fun : callable
        Evaluates the map.
    *transposes : callable or None
        One per argument: ``transpose(ct, *args, **params)`` returns the cotangent of that argument; the linear
        arguments among `args` are `ArrayType`s there (their values are not kept), the others are values. None marks
        an argument that the map is not linear in (an index, a mask). The last entry also serves all further
        arguments.
    variadic : bool
        All arguments share the one entry of `transposes`, which gets the argument's number as the keyword ``k``.
    into : callable, optional
        ``into(buffer, ct, *args, **params)`` adds the first argument's cotangent to a buffer that may be overwritten;
        returns the new buffer. For maps whose cotangent is mostly zeros.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        *transposes: Callable[..., Any] | None,
        name: str = "",
        batch: Callable[..., Any] | None = None,
        into: Callable[..., Any] | None = None,
        variadic: bool = False,
    ) -> None:
        super().__init__(fun, name=name, batch=batch)
        self.transposes = transposes
        self.into = into
        self.variadic = variadic

    def transpose_of(self, k: int) -> Callable[..., Any] | None:
        """Return the transposed map for argument `k`."""
        if self.variadic:
            return functools.partial(self.transposes[0], k=k)  # type: ignore[arg-type]
        return self.transposes[min(k, len(self.transposes) - 1)]

    def residuals(self, args: Sequence[Any], out: Any, traced: Sequence[bool], params: dict[str, Any]) -> Any:
        """Return types of linear arguments and values of the others."""
        # The zero tangent of a Python number is one, too: it does not widen float32.
        return tuple(
            x if self.transpose_of(k) is None else 0.0 if type(x) in (int, float) else type_of(x)
            for k, x in enumerate(args)
        )

    def push(self, tangents: Sequence[Tangent], saved: Any, params: dict[str, Any]) -> Tangent:
        """Apply the map itself to the tangents."""
        args = [
            zeros_of(s) if t is None and isinstance(s, ArrayType) else s if t is None else t
            for s, t in zip(saved, tangents, strict=True)
        ]
        return self.bind(*args, **params)

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Apply the transposed maps, the first argument's last: it may take over the buffer of `ct`."""
        real_ct = conjugate(ct)
        if "donate" in params:
            params = {**params, "donate": owned and real_ct is ct}
        for k in range(len(parents) - 1, -1, -1):
            parent, transpose = parents[k], self.transpose_of(k)
            if parent < 0 or transpose is None:
                continue
            if k == 0 and self.into is not None:
                sweep.into(parent, saved[0], self.into, ct, saved[1:], params)
                continue
            c = conjugate(transpose(real_ct, *saved, **params))
            narrowed = narrow(c, saved[k])
            if k == 0 and "donate" in params and narrowed is c:
                fresh = owned or c is not ct  # a write: it returns the buffer of `ct` or a copy, whatever the type
            else:
                fresh = type(narrowed) is _ndarray and narrowed is not ct and narrowed.base is None
            sweep.add(parent, narrowed, fresh)


class Multilinear(Primitive):
    """A product: linear in each argument while the others are fixed.

    Parameters
    ----------
    fun : callable
        Evaluates the product.
    *transposes : callable
        One per argument: ``transpose(ct, *args, **params)`` returns the cotangent of that argument, which is an
        `ArrayType` among `args`.
    variadic : bool
        All arguments share the one entry of `transposes`, which gets the argument's number as the keyword ``k``.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        *transposes: Callable[..., Any],
        name: str = "",
        batch: Callable[..., Any] | None = None,
        variadic: bool = False,
    ) -> None:
        super().__init__(fun, name=name, batch=batch)
        self.transposes = transposes
        self.variadic = variadic

    def residuals(self, args: Sequence[Any], out: Any, traced: Sequence[bool], params: dict[str, Any]) -> Any:
        """Keep an argument only if another one is differentiated."""
        count = sum(traced)
        kept = [x if count - t > 0 else None for x, t in zip(args, traced, strict=True)]
        return (*kept, tuple(type_of(x) for x in args))

    def push(self, tangents: Sequence[Tangent], saved: Any, params: dict[str, Any]) -> Tangent:
        """Product rule."""
        args = saved[:-1]
        total = None
        for k, t in enumerate(tangents):
            if t is not None:
                term = self.bind(*args[:k], t, *args[k + 1 :], **params)
                total = term if total is None else total + term
        return total

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Apply each transposed product to the cotangent."""
        args, types = saved[:-1], saved[-1]
        if any(t.dtype.kind == "c" for t in types):
            args = tuple(None if x is None else conjugate(x) for x in args)
        for k, parent in enumerate(parents):
            if parent >= 0:
                operands = (*args[:k], types[k], *args[k + 1 :])
                if self.variadic:
                    c = self.transposes[0](ct, *operands, k=k, **params)
                else:
                    c = self.transposes[k](ct, *operands, **params)
                narrowed = narrow(c, types[k])  # possibly a read-only view
                sweep.add(parent, narrowed, type(narrowed) is _ndarray and narrowed is not ct and narrowed.base is None)


class General(Primitive):
    """A function with two derivative formulas, which the tests check against each other.

    Parameters
    ----------
    fun : callable
        Evaluates the function; returns a tuple if `multiple`.
    jvp : callable
        ``jvp(tangents, out, *args, **params)`` returns the tangent(s) of the output(s). Tangents are never None.
    vjp : callable
        ``vjp(cts, out, *args, **params)`` returns the tuple of the arguments' cotangents (None where there is no
        derivative). `cts` matches `out`; never None. Adjoint convention: the rule conjugates.
    keep : str
        Which values the Wengert list keeps, of "out" and "args".
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        *,
        jvp: Callable[..., Any],
        vjp: Callable[..., Any],
        multiple: bool = False,
        name: str = "",
        batch: Callable[..., Any] | None = None,
        keep: str = "out args",
    ) -> None:
        super().__init__(fun, name=name, batch=batch)
        self.multiple = multiple  # type: ignore[misc]
        self._jvp, self._vjp = jvp, vjp
        self._keep = keep

    def residuals(self, args: Sequence[Any], out: Any, traced: Sequence[bool], params: dict[str, Any]) -> Any:
        """Return (out, types of outputs, types of arguments, *args), with None for what `keep` leaves out."""
        keep_args = "args" in self._keep
        out_types = tuple(type_of(o) for o in out) if self.multiple else type_of(out)
        arg_types = tuple(type_of(x) if t else None for x, t in zip(args, traced, strict=True))
        kept = args if keep_args else (None,) * len(args)
        if not self.multiple:
            return (out if "out" in self._keep else None, out_types, arg_types, *kept)
        return (tuple(out) if "out" in self._keep else None, out_types, arg_types, *kept)

    def push(self, tangents: Sequence[Tangent], saved: Any, params: dict[str, Any]) -> Tangent:
        """Apply the jvp formula, zeros filled in."""
        out, out_types, _, *args = saved
        filled = [zeros_of(x) if t is None else t for t, x in zip(tangents, args, strict=True)]
        with derivative_arithmetic():
            dots = self._jvp(filled, out, *args, **params)
        if not self.multiple:
            return widen(dots, out_types)
        return tuple(None if d is None else widen(d, t) for d, t in zip(dots, out_types, strict=True))

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Apply the vjp formula, zeros filled in."""
        out, out_types, arg_types, *args = saved
        if self.multiple:
            ct = tuple(zeros_of(t) if c is None else c for c, t in zip(ct, out_types, strict=True))
        cts = self._vjp(ct, out, *args, **params)
        for parent, c, t in zip(parents, cts, arg_types, strict=True):
            if parent >= 0 and c is not None:
                sweep.add(parent, narrow(c, t), False)


class NonDifferentiable(Primitive):
    """A function whose derivative is zero or undefined: its output carries none."""

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Treat it as elementwise unless a batch rule is given."""
        if self._batch is not None:
            return self._batch(size, args, batched, **params)
        return self.bind(*align(args, batched), **params)


# Shapes, dtypes and zeros ------------------------------------------------------------------------------------------


def align(args: Sequence[Any], batched: Sequence[bool]) -> list[Any]:
    """Insert axes after the batch axis so that the examples broadcast against each other as they would alone."""
    rank = max((len(shape_of(x)) - b for x, b in zip(args, batched, strict=True)), default=0)
    aligned = []
    for x, b in zip(args, batched, strict=True):
        if b:
            shape = shape_of(x)
            missing = rank - (len(shape) - 1)
            if missing:
                x = reshape(x, shape=(shape[0],) + (1,) * missing + shape[1:])
        aligned.append(x)
    return aligned


def narrow(ct: Any, to: ArrayType) -> Any:
    """Fit a cotangent to the argument it belongs to: sum over broadcast axes, drop imaginary parts, cast."""
    shape, dtype = to
    if shape_of(ct) != shape:
        ct_shape = shape_of(ct)
        if len(ct_shape) < len(shape):
            ct = broadcast_to(ct, shape=np.broadcast_shapes(ct_shape, shape))
            ct_shape = shape_of(ct)
        lead = len(ct_shape) - len(shape)
        axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and ct_shape[i + lead] != 1)
        if axes:
            ct = reduce_sum(ct, axis=axes)
        if shape_of(ct) != shape:
            if int(np.prod(shape_of(ct))) == int(np.prod(shape)):
                ct = reshape(ct, shape=shape)
            else:
                ct = broadcast_to(ct, shape=shape)
    return cast(ct, dtype)


def widen(t: Any, to: ArrayType) -> Any:
    """Fit a tangent to the output it belongs to: broadcast and cast."""
    shape, dtype = to
    if shape_of(t) != shape:
        t = broadcast_to(t, shape=shape)
    return cast(t, dtype)


def cast(x: Any, dtype: np.dtype[Any]) -> Any:
    """Cast to a dtype; to a real one, of complex numbers the real part."""
    own = dtype_of(x)
    if own is dtype or own == dtype:
        return x
    if own.kind == "c" and dtype.kind != "c":
        x = real(x)
        if dtype_of(x) == dtype:
            return x
    return astype(x, dtype=dtype)


def conjugate(x: Any) -> Any:
    """Complex conjugate; real values are returned as they are."""
    return conj(x) if dtype_of(x).kind == "c" else x


def real_part(x: Any) -> Any:
    """Real part; real values are returned as they are."""
    return real(x) if dtype_of(x).kind == "c" else x


def strong_scale(p: Any, t: Any) -> Any:
    """p · t, and exactly zero where t is zero."""
    if isinstance(p, Value) or isinstance(t, Value):
        return strong_multiply(p, t)
    return _strong_multiply(p, t)


def _strong_multiply(p: Any, t: Any) -> Any:
    out = p * t
    if np.count_nonzero(t) == np.size(t):
        return out
    return np.where(np.equal(t, 0), out.dtype.type(0), out)[()]


def _strong_both(p: Any, t: Any) -> Any:
    with derivative_arithmetic():
        out = np.multiply(p, t)
    zero = (np.asarray(t) == 0) | (np.asarray(p) == 0)
    return np.where(zero, out.dtype.type(0), out)[()]


def shifted(axes: Any) -> Any:
    """Non-negative axis numbers of an example, as axis numbers of the batch."""
    return tuple(a + 1 for a in axes) if isinstance(axes, tuple) else axes + 1


def along_axis(primitive: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """Return the batch rule of a function of one array that has a parameter `axis`."""
    return lambda size, args, batched, *, axis, **params: primitive()(args[0], axis=shifted(axis), **params)


def restore(x: Any, shape: tuple[int, ...], axis: tuple[int, ...]) -> Any:
    """Put reduced axes back, with length 1."""
    return reshape(x, shape=tuple(1 if i in axis else n for i, n in enumerate(shape)))


# The primitives that the functions above are made of -----------------------------------------------------------------


def _sum(x: Any, *, axis: tuple[int, ...]) -> Any:
    # Without axes only the dtype changes: integers become int64.
    return np.add.reduce(x, axis=axis) if axis or dtype_of(x).kind in "biu" else x


def _sum_transpose(ct: Any, x: ArrayType, *, axis: tuple[int, ...]) -> Any:
    if shape_of(ct) != ():
        ct = restore(ct, x.shape, axis)
    return broadcast_to(ct, shape=x.shape)


reduce_sum = Linear(_sum, _sum_transpose, name="sum", batch=along_axis(lambda: reduce_sum))


def _broadcast_to(x: Any, *, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(x, shape)


def _broadcast_batch(size: int, args: Sequence[Any], batched: Sequence[bool], *, shape: tuple[int, ...]) -> Any:
    (x,) = args
    own = shape_of(x)
    x = reshape(x, shape=(size,) + (1,) * (len(shape) - len(own) + 1) + own[1:])
    return broadcast_to(x, shape=(size, *shape))


broadcast_to = Linear(_broadcast_to, lambda ct, x, *, shape: narrow(ct, x), name="broadcast_to", batch=_broadcast_batch)


def _reshape(x: Any, *, shape: tuple[int, ...]) -> Any:
    return np.reshape(x, shape)


reshape = Linear(
    _reshape,
    lambda ct, x, *, shape: reshape(ct, shape=x.shape),
    name="reshape",
    batch=lambda size, args, batched, *, shape: reshape(args[0], shape=(size, *shape)),
)


def _astype(x: Any, *, dtype: np.dtype[Any]) -> Any:
    return x.astype(dtype) if isinstance(x, (np.ndarray, np.generic)) else np.asarray(x, dtype)[()]


astype = Linear(
    _astype,
    lambda ct, x, *, dtype: cast(ct, x.dtype),
    name="astype",
    batch=lambda size, args, batched, *, dtype: astype(args[0], dtype=dtype),
)

# Real and imaginary part and conjugate are linear over the reals only; their transposes are stated so that the
# conjugations which `Linear.pull` puts around them give the adjoint in the real inner product.
real = Linear(
    lambda x: np.real(x),
    lambda ct, x: cast(ct, x.dtype),
    name="real",
    batch=lambda size, args, batched: real(args[0]),
)
imag = Linear(
    lambda x: np.imag(x),
    lambda ct, x: cast(ct, x.dtype) * (-1j if x.dtype.kind == "c" else 0.0),
    name="imag",
    batch=lambda size, args, batched: imag(args[0]),
)
conj = Linear(
    lambda x: np.conj(x),
    lambda ct, x: conj(ct) if dtype_of(ct).kind == "c" else ct,
    name="conj",
    batch=lambda size, args, batched: conj(args[0]),
)

# A tangent or cotangent times a partial derivative. The same as a product, but it lets the compiler see that a zero
# of the tangent is one by structure (a seed of a Jacobian, say) and need not be computed with.
tangent_product = Elementwise(operator.mul, lambda y: y, lambda x: x, name="tangent_product")

strong_multiply = Elementwise(_strong_both, lambda y: y, lambda x: x, name="strong_multiply")
strong_multiply._scale = lambda p, t: strong_multiply(p, t)  # zero wins on both sides here, at every order
strong_multiply.singular = True
tangent_product._scale = strong_multiply._scale  # where a sweep asks for strong zeros
