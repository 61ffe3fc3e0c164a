"""Large loops split over threads.

A kernel that is worth it gets two more parameters, the part ``low ≤ i < high`` of one of its loops that a call is to
do, and `write_launcher` writes the function that is called in its place::

    t = min(number of threads, what the work is worth)         if 1: call the kernel for all of it
    for i in 1 … t-1: fill task i; pthread_create(run task i)   a task: the kernel's arguments, its share of the loop
    call the kernel for share 0
    for i in 1 … t-1: pthread_join, or run task i here if its thread could not be made; add its partial results

Threads live for one loop only: nothing is left running between calls, so `fork`, the end of the process, and calls from
several Python threads at once need no care; making a thread takes 10 to 30 µs, which `SHARE` takes into account. Where
the loop that is split is reduced over, each thread reduces into memory of its own and the caller combines that in the
order of the shares: results depend on the number of threads in rounding, and never vary from call to call. The
workers run no Python, take over the floating-point environment of the caller (Linux) or the default one, and have a
stack of one megabyte. BLAS has threads of its own and is called outside of split loops.

The number of threads, `wengert.config.threads`, is read at each call; only whether a loop can be split, and into how
many parts at most, is decided when it is compiled. Without POSIX threads (Windows) all loops are serial.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from wengert import config
from wengert.compiler import ufuncs
from wengert.compiler.builder import Builder
from wengert.compiler.formulas import FORMULAS
from wengert.compiler.lowering import LOWERINGS, Register
from wengert.compiler.vector_math import SUPPORTED
from wengert.core import combinators as c
from wengert.core.primitive import Primitive
from wengert.rules import elementwise as e

#: Nanoseconds of (estimated) work for which one more thread pays.
SHARE = 250_000
#: No more threads than this share a loop.
MOST_THREADS = 64
#: Shares begin at multiples of this in the innermost loop, so that vectors of elements are the same as in one piece:
#: then every element is computed by the same instructions, whatever the number of threads.
GRAIN = 64
_CACHE_LINE = 64
_STACK_BYTES = 1 << 20
_ATTRIBUTE_BYTES = 128  # more than pthread_attr_t takes anywhere

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_I8P = _I8.as_pointer()
_TASK = ir.FunctionType(_I8P, [_I8P])
_FUNCTIONS = {
    "pthread_create": ir.FunctionType(_I32, [_I64.as_pointer(), _I8P, _TASK.as_pointer(), _I8P]),
    "pthread_join": ir.FunctionType(_I32, [_I64, _I8P.as_pointer()]),
    "pthread_attr_init": ir.FunctionType(_I32, [_I8P]),
    "pthread_attr_setstacksize": ir.FunctionType(_I32, [_I8P, _I64]),
    "pthread_attr_destroy": ir.FunctionType(_I32, [_I8P]),
    "malloc": ir.FunctionType(_I8P, [_I64]),
    "free": ir.FunctionType(ir.VoidType(), [_I8P]),
}
_THREADS = "wengert.threads"


@functools.cache
def thread_symbols() -> dict[str, int]:
    """Addresses of what launchers use, by the names that they use; empty where loops are not split."""
    if sys.platform == "win32" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return {}
    symbols = {_THREADS: config.threads_address()}
    library = ctypes.CDLL(None)
    for name in _FUNCTIONS:
        function = getattr(library, name, None)
        if function is None:
            return {}
        symbols[f"wengert.{name}"] = ctypes.cast(function, ctypes.c_void_p).value or 0
    return symbols


# What is worth splitting, and where ----------------------------------------------------------------------------------

#: No loop over fewer elements is looked at.
FEW_ELEMENTS = 500
#: Nanoseconds to load or store one element.
MEMORY_COST = 0.05


@functools.cache
def cost(primitive: Primitive) -> float:
    """Nanoseconds for one element, in a vectorised loop; rough."""
    if primitive in (e.divide, e.reciprocal, e.sqrt):
        return 0.5
    if primitive.name in FORMULAS:
        return 0.9
    if primitive.name in SUPPORTED and primitive not in (e.absolute, e.maximum, e.minimum, e.sign):
        return 1.5
    if primitive not in LOWERINGS and ufuncs.ufunc_of(primitive)[0] is not None:
        return ufuncs.cost(primitive)
    return 0.05 if isinstance(primitive, c.Elementwise) else 0.0


class Split(NamedTuple):
    """How a loop nest is cut: share i of t begins at origin + grain · ⌊units · i / t⌋, the first at 0."""

    axis: int
    extent: int
    origin: int
    grain: int
    units: int
    most: int  # number of threads that are worth it


def choose_split(
    space: Sequence[int],
    nanoseconds: float,
    origins: Sequence[int] | None = None,
    is_allowed: Callable[[int], bool] = lambda axis: True,
) -> Split | None:
    """Return which of the loops over `space` to split; None if the work is too small for threads.

    `origins` are the positions at which the longest piece of each loop begins.
    """
    most = min(MOST_THREADS, int(nanoseconds / SHARE))
    if most < 2 or not thread_symbols():
        return None
    best: Split | None = None
    for axis, n in enumerate(space):
        origin = origins[axis] if origins is not None else 0
        is_inner = math.prod(space[axis + 1 :]) < GRAIN
        grain = GRAIN if is_inner and n >= 16 * GRAIN else 1
        units = -(-(n - origin) // grain)
        if units < 2 or not is_allowed(axis):
            continue
        if best is None or units > best.units:
            best = Split(axis, n, origin, grain, units, min(most, units))
        if units >= 8 * min(most, os.cpu_count() or 1):
            break  # the outermost loop that gives equal shares
    return best


# The launcher --------------------------------------------------------------------------------------------------------


class Partial(NamedTuple):
    """A result of which each thread has a copy: which argument of the kernel, its size, how to add a copy to it."""

    argument: int
    size: int  # bytes
    combine: Callable[[Any, Register, Register], None]  # builder, result, copy


def padded(size: int) -> int:
    """Bytes of whole cache lines, so that threads do not write to the same."""
    return -(-size // _CACHE_LINE) * _CACHE_LINE


def write_launcher(
    module: ir.Module, kernel: ir.Function, split: Split, partials: Sequence[Partial] = ()
) -> ir.Function:
    """Write the function that is called in place of `kernel`, whose last two parameters are the part of the loop."""
    types = [a.type for a in kernel.args[:-2]]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), types), f"{kernel.name}.threads")
    function.linkage = "internal"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    task_type = ir.LiteralStructType([*types, _I64, _I64, _I64, _I32])  # arguments, thread, whether it failed
    run = _write_task(module, kernel, task_type)
    b: Any = Builder(function.append_basic_block("entry"))
    arguments = list(function.args)
    zero, one, extent, most = (ir.Constant(_I64, n) for n in (0, 1, split.extent, split.most))
    count = b.sext(b.load(_threads(module)), _I64)
    count = b.select(b.icmp_signed("<", count, most), count, most)
    tasks = b.alloca(ir.ArrayType(task_type, split.most))
    attributes = b.alloca(ir.ArrayType(_I64, _ATTRIBUTE_BYTES // 8))
    attributes.align = 16
    attributes = b.bitcast(attributes, _I8P)

    def run_alone() -> None:
        b.call(kernel, [*arguments, zero, extent])
        b.ret_void()

    with b.if_then(b.icmp_signed("<", count, ir.Constant(_I64, 2))):
        run_alone()
    # The copies of results: `stride` bytes for each thread but the caller's.
    stride = sum(padded(p.size) for p in partials)
    memory = first_copy = ir.Constant(_I8P, None)
    if partials:
        memory = _call(module, b, "malloc", b.mul(count, ir.Constant(_I64, stride)))
        with b.if_then(b.icmp_unsigned("==", memory, ir.Constant(_I8P, None))):
            run_alone()
        address = b.add(b.ptrtoint(memory, _I64), ir.Constant(_I64, _CACHE_LINE - 1))
        first_copy = b.inttoptr(b.and_(address, ir.Constant(_I64, -_CACHE_LINE)), _I8P)

    def field(task: Register, number: int) -> Register:
        return b.gep(task, [ir.Constant(_I32, 0), ir.Constant(_I32, number)], inbounds=True)

    def task_of(i: Register) -> Register:
        return b.gep(tasks, [zero, i], inbounds=True)

    def begin(i: Register) -> Register:
        whole = b.udiv(b.mul(ir.Constant(_I64, split.units), i), count)
        return b.add(b.mul(whole, ir.Constant(_I64, split.grain)), ir.Constant(_I64, split.origin))

    def copies(i: Register) -> Iterator[tuple[Partial, Register]]:
        offset = b.mul(b.sub(i, one), ir.Constant(_I64, stride))
        for p in partials:
            address = b.bitcast(b.gep(first_copy, [offset], inbounds=True), types[p.argument])
            yield p, address
            offset = b.add(offset, ir.Constant(_I64, padded(p.size)))

    _call(module, b, "pthread_attr_init", attributes)
    _call(module, b, "pthread_attr_setstacksize", attributes, ir.Constant(_I64, _STACK_BYTES))
    with _each(b, one, count) as i:
        own = list(arguments)
        for p, address in copies(i):
            own[p.argument] = address
        following = b.add(i, one)
        high = b.select(b.icmp_unsigned("==", following, count), extent, begin(following))
        task = task_of(i)
        for number, value in enumerate((*own, begin(i), high)):
            b.store(value, field(task, number))
        thread, failed = len(types) + 2, len(types) + 3
        result = _call(module, b, "pthread_create", field(task, thread), attributes, run, b.bitcast(task, _I8P))
        b.store(result, field(task, failed))
    _call(module, b, "pthread_attr_destroy", attributes)
    b.call(kernel, [*arguments, zero, begin(one)])
    with _each(b, one, count) as i:
        task = task_of(i)
        failed = b.icmp_unsigned("!=", b.load(field(task, len(types) + 3)), ir.Constant(_I32, 0))
        with b.if_else(failed) as (then, otherwise):
            with then:
                b.call(run, [b.bitcast(task, _I8P)])
            with otherwise:
                thread = b.load(field(task, len(types) + 2))
                _call(module, b, "pthread_join", thread, ir.Constant(_I8P.as_pointer(), None))
        for p, address in copies(i):
            p.combine(b, arguments[p.argument], address)
    if partials:
        _call(module, b, "free", memory)
    b.ret_void()
    return function


def _write_task(module: ir.Module, kernel: ir.Function, task_type: Any) -> ir.Function:
    """Write what a thread runs: the kernel, with the arguments that a task holds."""
    function = ir.Function(module, _TASK, f"{kernel.name}.task")
    function.linkage = "internal"
    function.attributes.add("nounwind")
    b: Any = Builder(function.append_basic_block("entry"))
    task = b.bitcast(function.args[0], task_type.as_pointer())
    fields = [b.gep(task, [ir.Constant(_I32, 0), ir.Constant(_I32, n)]) for n in range(len(kernel.args))]
    b.call(kernel, [b.load(place) for place in fields])
    b.ret(ir.Constant(_I8P, None))
    return function


def _threads(module: ir.Module) -> Register:
    if _THREADS not in module.globals:
        ir.GlobalVariable(module, _I32, _THREADS)
    return module.globals[_THREADS]


def _call(module: ir.Module, builder: Any, name: str, *args: Register) -> Register:
    """Call a function of the C library."""
    symbol = f"wengert.{name}"
    if symbol not in module.globals:
        ir.Function(module, _FUNCTIONS[name], symbol).attributes.add("nounwind")
    return builder.call(module.globals[symbol], args)


@contextlib.contextmanager
def _each(builder: Any, low: Register, high: Register) -> Iterator[Register]:
    """A loop that runs at least once."""
    before = builder.block
    body, done = builder.append_basic_block("each"), builder.append_basic_block("done")
    builder.branch(body)
    builder.position_at_end(body)
    counter = builder.phi(low.type)
    counter.add_incoming(low, before)
    yield counter
    following = builder.add(counter, ir.Constant(low.type, 1))
    counter.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_unsigned("<", following, high), body, done)
    builder.position_at_end(done)
