"""`jit`: compile a function for the types of its arguments, and call the compiled form."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from wengert.compiler.generate import Executable, Stopwatch, generate
from wengert.compiler.inspect import Inspection
from wengert.compiler.record import native_type, numeric_value
from wengert.compiler.simplify import simplify
from wengert.core import containers
from wengert.core.primitive import Primitive
from wengert.core.staging import COMPILERS, Stage
from wengert.core.values import ArrayType, Value, type_of, zeros_of
from wengert.derivatives.calls import Outputs, to_user, to_value
from wengert.derivatives.forward import jvp
from wengert.derivatives.gradient import vjp
from wengert.derivatives.vectorize import vmap
from wengert.errors import InputTypeError, fail

Flat = Callable[..., list[Any]]


class _Finished(NamedTuple):
    """The result of a call that the entry was not made for, in its container."""

    result: Any


def _rebuilding(entry: Callable[..., Any], structure: Any, count: int) -> Callable[..., Any]:
    """Call an entry and put its results into a container; for tuples in tuples, in one expression."""

    def text(x: Any) -> str:
        return f"({''.join(f'{text(y)}, ' for y in x)})" if type(x) is tuple else f"x[{x:d}]"

    if count > 1:
        with contextlib.suppress(TypeError, ValueError):  # something else is in it
            built = text(containers.unflatten(structure, range(count)))
            code = f"lambda *args, **kwargs: {built} if type(x := entry(*args, **kwargs)) is tuple else x.result"
            return eval(code, {"entry": entry})

    def call(*args: Any, **kwargs: Any) -> Any:
        out = entry(*args, **kwargs)
        if type(out) is _Finished:
            return out.result
        return structure.unflatten(out if count != 1 else (out,))

    return call


class FlatFunction:
    """A function of flat values that is compiled for each combination of types it is called with.

    Its derivatives and its batched form are `FlatFunction`s too, made when they are first needed.
    """

    def __init__(self, function: Flat, name: str) -> None:
        self.function = function
        self.name = name
        self.executables: dict[tuple[ArrayType, ...], Executable | None] = {}
        self.derived: dict[Any, FlatFunction] = {}

    def compiled(self, types: tuple[ArrayType, ...]) -> Executable | None:
        """Return the executable for these types; None if the function depends on traced values from outside."""
        if types not in self.executables:
            clock = Stopwatch()
            with Stage() as stage:
                outs = self.function(*[stage.input(t) for t in types])
                program = stage.program(self.name, outs)
            if any(isinstance(x, Value) for _, x in program.constants):
                return None
            clock("record")
            simplified = simplify(program)
            clock("simplify")
            executable = self.executables[types] = generate(simplified)
            executable.recorded = program
            executable.timings = clock.timings | executable.timings
        return self.executables[types]

    def __call__(self, *values: Any) -> list[Any]:
        """Call with values of any kind."""
        if any(isinstance(v, Value) for v in values):
            return list(jit_call.bind(*values, function=self))
        executable = self.compiled(tuple(map(native_type, values)))
        if executable is None:
            return self.function(*values)
        return executable.run(values)

    def derive(self, key: Any, make: Callable[[], Flat]) -> FlatFunction:
        """Return a derived function, made once."""
        if key not in self.derived:
            self.derived[key] = FlatFunction(make(), f"{key[0]} of {self.name}")
        return self.derived[key]

    def jvp(self, which: tuple[bool, ...]) -> FlatFunction:
        """Primals, then tangents of the arguments in `which`, to outputs and then their tangents."""

        def make() -> Flat:
            def function(*values: Any) -> list[Any]:
                primals, tangents = list(values[: len(which)]), list(values[len(which) :])
                moving = [i for i, w in enumerate(which) if w]

                def restricted(*args: Any) -> Any:
                    full = list(map(to_user, primals))
                    for i, a in zip(moving, args, strict=True):
                        full[i] = a
                    return [to_user(o) for o in self.function(*map(to_value, full))]

                out, dot = jvp(restricted, [to_user(primals[i]) for i in moving], list(map(to_user, tangents)))
                return [*map(to_value, out), *map(to_value, dot)]

            return function

        return self.derive(("jvp", which), make)

    def pullback(self, which: tuple[bool, ...]) -> FlatFunction:
        """Arguments, then cotangents of the outputs, to the cotangents of the arguments in `which`."""

        def make() -> Flat:
            def function(*values: Any) -> list[Any]:
                args, cts = list(values[: len(which)]), list(values[len(which) :])
                moving = [i for i, w in enumerate(which) if w]

                def restricted(*moved: Any) -> Any:
                    full = list(map(to_user, args))
                    for i, a in zip(moving, moved, strict=True):
                        full[i] = a
                    return [to_user(o) for o in self.function(*map(to_value, full))]

                _, pull = vjp(restricted, *[to_user(args[i]) for i in moving])
                return [to_value(c) for c in pull(list(map(to_user, cts)))]

            return function

        return self.derive(("vjp", which), make)

    def batched(self, size: int, batched: tuple[bool, ...]) -> FlatFunction:
        """The function mapped over the first axis of some arguments."""

        def make() -> Flat:
            def one(*args: Any) -> list[Any]:
                return [to_user(o) for o in self.function(*map(to_value, args))]

            mapped = vmap(one, in_axes=tuple(0 if b else None for b in batched), axis_size=size)
            return lambda *values: [to_value(o) for o in mapped(*map(to_user, values))]

        return self.derive(("vmap", size, batched), make)


class JitCall(Primitive):
    """Call of a compiled function; its derivatives are compiled functions too."""

    multiple = True

    def __init__(self) -> None:
        super().__init__(lambda *values, function: tuple(function(*values)), name="jit")

    def bind(self, *args: Any, **params: Any) -> Any:
        """Inside a recording, record the function's own operations."""
        deepest = max((a for a in args if isinstance(a, Value)), key=lambda a: a.level.depth, default=None)
        if deepest is not None and isinstance(deepest.level, Stage):
            return tuple(params["function"].function(*args))
        return super().bind(*args, **params)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
        """Run the compiled pushforward."""
        function: FlatFunction = params["function"]
        which = tuple(t is not None for t in tangents)
        outs = function.jvp(which)(*primals, *(t for t in tangents if t is not None))
        half = len(outs) // 2
        return tuple(outs[:half]), tuple(outs[half:])

    def residuals(self, args: Sequence[Any], out: Any, traced: Sequence[bool], params: dict[str, Any]) -> Any:
        """Keep the arguments; the backward function computes what it needs from them."""
        kept = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        return tuple(traced), tuple(type_of(o) for o in out), tuple(kept)

    def push(self, tangents: Sequence[Any], saved: Any, params: dict[str, Any]) -> Any:
        """Run the compiled pushforward at the kept arguments."""
        return self.jvp(saved[2], tangents, params)[1]

    def pull(
        self, sweep: Any, ct: Any, owned: bool, parents: Sequence[int], saved: Any, params: dict[str, Any]
    ) -> None:
        """Run the compiled pullback at the kept arguments."""
        function: FlatFunction = params["function"]
        traced, out_types, kept = saved
        cts = [zeros_of(t) if c is None else c for c, t in zip(ct, out_types, strict=True)]
        back = iter(function.pullback(traced)(*kept, *cts))
        for parent, t in zip(parents, traced, strict=True):
            if t:
                sweep.add(parent, next(back), False)

    def batch(self, size: int, args: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        """Run the compiled mapped function."""
        return tuple(params["function"].batched(size, tuple(batched))(*args))


jit_call = JitCall()


def jit(fun: Callable[..., Any], static_argnums: int | Sequence[int] = ()) -> Jitted:
    """Return a function that compiles `fun` to native code for the types of its arguments, and runs that.

    Parameters
    ----------
    fun : callable
        Function of arrays or containers. Python code in it runs once for each combination of argument types.
    static_argnums : int or sequence of int
        Arguments that are hashable constants of the program: another value, another program.

    Returns
    -------
    Jitted
        Callable with the arguments and results of `fun`. Its method ``inspect(*args)`` shows each stage of compilation.

    Raises
    ------
    ConcretizationError
        The function needs the number behind an argument, for a branch or a size.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert import grad, jit
    >>> f = jit(lambda x: np.sum(np.sin(x) ** 2))
    >>> f(np.zeros(3))
    np.float64(0.0)
    >>> jit(grad(f))(np.array([0.0, np.pi / 4]))
    array([0., 1.])
    """
    static = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    # A class of its own, so that the compiled entry can become its __call__.
    cls = type("Jitted", (Jitted,), {"__doc__": fun.__doc__, "__module__": getattr(fun, "__module__", __name__)})
    return cls(fun, static)


COMPILERS.append(jit)


class Jitted:
    """A function under `jit`."""

    is_compiled: ClassVar[bool] = True  # what those know it by who cannot import this module

    def __init__(self, fun: Callable[..., Any], static: tuple[int, ...]) -> None:
        functools.update_wrapper(self, fun)  # type: ignore[arg-type]
        self.fun = fun
        self.static = static
        self.flat: dict[Any, tuple[FlatFunction, dict[Any, Any]]] = {}
        self.systems: dict[Any, Any] = {}  # what `wengert.scipy.odeint` derives from it

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an instance, as a function defined in a class does."""
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the compiled function."""
        result, flat, types, leaves = self._call(args, kwargs)
        if types is not None and not kwargs and not self.static and len(leaves) == len(args):
            self._shortcut(flat, types, args, leaves, result)
        return result

    def inspect(self, *args: Any, **kwargs: Any) -> Inspection:
        """Compile for these arguments, unless that is done already, and show each stage of it; run nothing.

        Returns
        -------
        Inspection
            The report, on the very program that a call with such arguments runs.

        Raises
        ------
        InputTypeError
            An argument, or an array that the function uses, is being differentiated, mapped or recorded.

        Examples
        --------
        >>> import numpy as np
        >>> from wengert import jit
        >>> f = jit(lambda x: np.sum(np.sin(x) ** 2))
        >>> print(f.inspect(np.zeros(10_000)).kernels)
        native function segment0
          loop over 10000
            reads    a
            computes sin, square
            reduces  d: float64[] = add over axis 0 of c
        """
        flat, _, _, values = self._prepare(args, kwargs)
        executable = None
        if not any(isinstance(v, Value) for v in values):
            executable = flat.compiled(tuple(map(native_type, values)))
        if executable is None:
            fail(
                InputTypeError,
                "inspect shows how a function is compiled for plain arguments, and here something is being "
                "differentiated, mapped or recorded; call inspect outside, as in jit(grad(f)).inspect(x).",
            )
        return Inspection(executable)

    lower = inspect

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        flat, out_structures, leaves, values = self._prepare(args, kwargs)
        outs = flat(*values)
        result = containers.unflatten(out_structures[tuple(map(native_type, values))], [to_user(o) for o in outs])
        types = None if any(isinstance(v, Value) for v in values) else tuple(map(native_type, values))
        return result, flat, types, leaves

    def _prepare(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[FlatFunction, dict[Any, Any], list[Any], list[Any]]:
        """Take the containers of the arguments apart, and find the flat function for them."""
        for n in self.static:
            if not -len(args) <= n < len(args):
                fail(
                    InputTypeError,
                    f"argument {n} of {getattr(self.fun, '__name__', 'the function')} is static and has to be given by "
                    f"position, but the call has {len(args)} positional argument(s).",
                )
        fixed = tuple((n % len(args), args[n]) for n in self.static)
        positions = {n for n, _ in fixed}
        moving = tuple(a for n, a in enumerate(args) if n not in positions)
        leaves, structure = containers.flatten((moving, kwargs))
        # 2, 2.0 and True are equal as keys, and do not mean the same in a program.
        key = (structure, fixed, tuple(type(x) for _, x in fixed), len(args))
        found = self.flat.get(key)
        if found is None:
            found = self.flat[key] = self._flatten(structure, dict(fixed), len(args))
        flat, out_structures = found
        return flat, out_structures, leaves, [numeric_value(x) for x in leaves]

    def _slow_call(self, *args: Any, **kwargs: Any) -> Any:
        """Call with arguments that the entry was not made for."""
        return self._call(args, kwargs)[0]

    def _shortcut(self, flat: FlatFunction, types: Any, args: Any, leaves: Any, result: Any) -> None:
        """Make the entry of a compiled program the `__call__` of this object, if its arguments are plain leaves."""
        executable = flat.executables.get(types)
        if executable is None or not all(a is x for a, x in zip(args, leaves, strict=True)):
            return
        outs, structure = containers.flatten(result)
        simple_result = result is outs[0] if len(outs) == 1 else type(result) is tuple and len(result) == len(outs)
        if simple_result:
            call = executable.make_entry(mismatch=self._slow_call)
        else:
            call = self._entry_with_container(executable, structure)
        type(self).__call__ = staticmethod(call if call is not None else self._slow_call)  # type: ignore[method-assign]

    def _entry_with_container(self, executable: Executable, structure: Any) -> Callable[..., Any] | None:
        """The entry, and a container around its results."""
        entry = executable.make_entry(mismatch=lambda *args, **kwargs: _Finished(self._slow_call(*args, **kwargs)))
        if entry is None:
            return None
        return _rebuilding(entry, structure, len(executable.out_types))

    def _flatten(self, structure: Any, fixed: dict[int, Any], count: int) -> tuple[FlatFunction, dict[Any, Any]]:
        out_structures: dict[tuple[ArrayType, ...], Any] = {}
        name = getattr(self.fun, "__name__", "function")

        def function(*values: Any) -> list[Any]:
            moving, kwargs = containers.unflatten(structure, [to_user(v) for v in values])
            rest = iter(moving)
            args = [fixed[n] if n in fixed else next(rest) for n in range(count)]
            outputs = Outputs(self.fun(*args, **kwargs), name)
            out_structures[tuple(map(native_type, values))] = outputs.structure
            return outputs.values

        return FlatFunction(function, name), out_structures
