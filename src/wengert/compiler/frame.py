"""What native code with loops in it needs besides its arguments: memory of its own, and a way to stop.

A problem (an index out of range, a singular matrix, no memory) is left in the status of the call, and the function
returns at once. The status is two words: the number of the problem, and the head of a list of memory that is freed at
the end of the call: nodes of three words (next node, data, capacity). Stacks whose length is not known beforehand are
such nodes, too.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler.builder import Builder
from wengert.compiler.locations import all_operations
from wengert.compiler.lowering import Register, memory_type
from wengert.compiler.unroll import INDEXED
from wengert.core.program import Program, Variable
from wengert.core.values import ArrayType
from wengert.errors import UnsupportedOperationError, describe_location
from wengert.rules import indexing

if TYPE_CHECKING:
    from wengert.compiler.iterations import IterationWriter

_I8, _I64 = ir.IntType(8), ir.IntType(64)
_I8P = _I8.as_pointer()
STATUS = _I64.as_pointer()
NO_MEMORY = 1
#: The status for an index out of range in operation n (in the order of `all_operations`) is this plus n.
FIRST_OPERATION = 2
#: The status for results that are complex, where the program has real ones: this minus the status for the operation.
COMPLEX_RESULT = 0
#: What NumPy says of matrices that operations fail for.
_FAILURES = {
    "cholesky": "Matrix is not positive definite",
    "eigh": "Eigenvalues did not converge",
    "eig": "Eigenvalues did not converge, or the array contains infs or NaNs",
    "svd": "SVD did not converge",
    "qr": "Incorrect argument found while performing QR factorization",
}
_FUNCTIONS = {
    "wengert.raw_malloc": ("PyMem_RawMalloc", ir.FunctionType(_I8P, [_I64])),
    "wengert.raw_realloc": ("PyMem_RawRealloc", ir.FunctionType(_I8P, [_I8P, _I64])),
    "wengert.raw_free": ("PyMem_RawFree", ir.FunctionType(ir.VoidType(), [_I8P])),
}
#: Scratch arrays up to this many bytes are on the stack.
_MOST_ON_STACK = 1 << 15
#: Bytes of a node before its data.
NODE_BYTES = 32


def symbols() -> dict[str, int]:
    """Addresses of what the code calls."""
    return {
        name: ctypes.cast(getattr(ctypes.pythonapi, python), ctypes.c_void_p).value or 0
        for name, (python, _) in _FUNCTIONS.items()
    }


def free_all(head: int) -> None:
    """Free the memory of a call whose native functions are run one by one."""
    free = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("PyMem_RawFree", ctypes.pythonapi))
    while head:
        following, _, grown = (ctypes.c_int64 * 3).from_address(head)
        free(grown)
        free(head)
        head = following


class Unit(NamedTuple):
    """What the code of one LLVM module has in common."""

    module: ir.Module
    library: Any  # mathematical functions for loops that are vectorised
    scalar_library: Any  # and for others
    names: Iterator[str]  # for functions
    numbers: dict[int, int]  # of the operations of the whole program, by identity
    iteration_writer: Callable[..., IterationWriter]  # of an operation, see IterationWriter


class Memory(NamedTuple):
    """An array in memory; `mutable` says that it may be written to once its present contents are no longer needed."""

    pointer: Register
    type: ArrayType
    mutable: bool


class Uniform(NamedTuple):
    """An array of which all elements are the same; it has no memory yet."""

    element: Any
    type: ArrayType


class Frame:
    """What the code of one LLVM function has in common.

    Parameters
    ----------
    builder : Builder
        In the entry block of the function.
    status : Register
        Pointer to the status of the call.
    numbers : dict of int to int
        The numbers of the operations of the whole program, by identity.
    """

    def __init__(self, builder: Any, status: Register, numbers: dict[int, int]) -> None:
        self.builder, self.status, self.numbers = builder, status, numbers
        self.function = builder.function
        self.module: Any = self.function.module
        self.entry = builder.block
        self.scratch = builder.alloca(_I8P)
        self.size = 0
        self.after_entry = builder.append_basic_block("begin")
        self.exit = builder.append_basic_block("exit")
        builder.position_at_end(self.after_entry)

    def finish(self, before_return: Callable[[Any], None] = lambda builder: None) -> None:
        """End the function, now that the size of the scratch memory is known."""
        self.builder.branch(self.exit)
        before, after = Builder(self.entry), Builder(self.exit)
        before.position_at_end(self.entry)
        if self.size > _MOST_ON_STACK:
            memory = self.call(before, "wengert.raw_malloc", ir.Constant(_I64, self.size))
            before.store(memory, self.scratch)
            self.call(after, "wengert.raw_free", after.load(self.scratch))
            self.stop_if(before, before.icmp_unsigned("==", memory, ir.Constant(_I8P, None)), NO_MEMORY)
        elif self.size:
            stack: Any = before.alloca(_I8, self.size)
            stack.align = 64
            before.store(stack, self.scratch)
        before.branch(self.after_entry)
        before_return(after)
        after.ret_void()

    def slot(self, type_: Any, count: int = 1) -> Register:
        """A place on the stack."""
        b = Builder(self.entry)
        b.position_at_start(self.entry)
        return b.alloca(type_, count)

    def reserve(self, size: int) -> Callable[[Any], Register]:
        """Scratch memory of so many bytes, for the whole function; the result emits the pointer to it."""
        offset = self.size
        self.size += -(-size // 64) * 64
        return lambda builder: builder.gep(builder.load(self.scratch), [ir.Constant(_I64, offset)])

    def allocate(self, builder: Any, type_: ArrayType) -> Memory:
        """Scratch memory of the function for an array."""
        start = self.reserve(math.prod(type_.shape) * type_.dtype.itemsize)(builder)
        return Memory(builder.bitcast(start, memory_type(type_.dtype).as_pointer()), type_, True)

    @staticmethod
    def call(builder: Any, name: str, *args: Register) -> Register:
        """Call a function for memory."""
        module = builder.function.module
        if name not in module.globals:
            ir.Function(module, _FUNCTIONS[name][1], name)
        return builder.call(module.globals[name], args)

    @staticmethod
    def word(builder: Any, node: Register, number: int) -> Register:
        """Pointer to a word of a node."""
        return builder.gep(builder.bitcast(node, STATUS), [ir.Constant(_I64, number)])

    def new_node(self, builder: Any, size: Register) -> Register:
        """Make a node with so many bytes of data, which are freed at the end of the call."""
        b = builder
        node = self.call(b, "wengert.raw_malloc", b.add(size, ir.Constant(_I64, NODE_BYTES)))
        self.stop_if(b, b.icmp_unsigned("==", node, ir.Constant(_I8P, None)), NO_MEMORY)
        head = self.word(b, self.status, 1)
        b.store(b.load(head), self.word(b, node, 0))
        b.store(b.ptrtoint(b.gep(node, [ir.Constant(_I64, NODE_BYTES)]), _I64), self.word(b, node, 1))
        b.store(ir.Constant(_I64, 0), self.word(b, node, 2))
        b.store(b.ptrtoint(node, _I64), head)
        return node

    def stop_if(self, builder: Any, problem: Register, status: int) -> None:
        """Return from the function with a status, if there is a problem."""
        b = builder
        stopping, going_on = b.append_basic_block("problem"), b.append_basic_block("fine")
        b.cbranch(problem, stopping, going_on).set_weights([1, 1 << 20])
        inner = Builder(stopping)
        inner.store(ir.Constant(_I64, status), self.status)
        inner.branch(self.exit)
        b.position_at_end(going_on)


def begin(
    unit: Unit, name: str, variables: Sequence[Variable], *, noalias: bool = True, split: bool = False
) -> tuple[ir.Function, Builder, Frame, dict[Variable, Register]]:
    """Begin a function ``void name(pointers of variables…, status)``: with its builder, frame, and pointers.

    One that threads share has two more parameters, the part that it is to do, and a status of its own.
    """
    types = [memory_type(v.type.dtype).as_pointer() for v in variables]
    part = [_I64, _I64] if split else []
    function = ir.Function(unit.module, ir.FunctionType(ir.VoidType(), [*types, STATUS, *part]), name)
    function.linkage = "internal"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    if noalias:
        for argument in function.args[: len(types) + 1]:
            argument.add_attribute("noalias")
    builder = Builder(function.append_basic_block("entry"))
    frame = Frame(builder, own_status(builder) if split else function.args[len(types)], unit.numbers)
    return function, builder, frame, dict(zip(variables, function.args, strict=False))


def free_list(builder: Any, status: Register) -> None:
    """Free what a call has allocated: every node of the list, and its data."""
    b, module = builder, builder.function.module
    name = "wengert.free_list"
    if name not in module.globals:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [STATUS]), name)
        function.linkage = "internal"
        inner = Builder(function.append_basic_block("entry"))
        slot = inner.alloca(_I64)
        inner.store(inner.load(inner.gep(function.args[0], [ir.Constant(_I64, 1)])), slot)
        header, one, done = (inner.append_basic_block(x) for x in ("header", "one", "done"))
        inner.branch(header)
        inner.position_at_end(header)
        node = inner.load(slot)
        inner.cbranch(inner.icmp_signed("!=", node, ir.Constant(_I64, 0)), one, done)
        inner.position_at_end(one)
        pointer = inner.inttoptr(node, _I8P)
        inner.store(inner.load(Frame.word(inner, pointer, 0)), slot)
        grown = inner.inttoptr(inner.load(Frame.word(inner, pointer, 2)), _I8P)
        Frame.call(inner, "wengert.raw_free", grown)
        Frame.call(inner, "wengert.raw_free", pointer)
        inner.branch(header)
        inner.position_at_end(done)
        inner.store(ir.Constant(_I64, 0), inner.gep(function.args[0], [ir.Constant(_I64, 1)]))
        inner.ret_void()
    b.call(module.globals[name], [status])


def own_status(builder: Any) -> Register:
    """A status for a part of a call that runs in a thread of its own."""
    status = builder.alloca(_I64, 2)
    for n in range(2):
        builder.store(ir.Constant(_I64, 0), builder.gep(status, [ir.Constant(_I64, n)]))
    return status


def hand_on(builder: Any, own: Register, status: Register) -> None:
    """Free what such a part has allocated, and leave its problem, if it has one, in the status of the call."""
    b = builder
    free_list(b, own)
    problem = b.load(own)
    with b.if_then(b.icmp_signed("!=", problem, ir.Constant(_I64, 0))):
        b.store(problem, status)


def numbered(program: Program) -> dict[int, int]:
    """The numbers of the operations of a program and of the programs inside it, by identity."""
    return {id(op): n for n, op in enumerate(all_operations(program))}


def describe_problem(program: Program, status: int) -> Exception:
    """The exception for the status of a call."""
    if status == NO_MEMORY:
        return MemoryError(f"a loop of {program.name} found no memory for what it has to keep")
    number = (status if status > COMPLEX_RESULT else COMPLEX_RESULT - status) - FIRST_OPERATION
    op = next(op for n, op in enumerate(all_operations(program)) if n == number)
    place = describe_location(op.location)
    if status < COMPLEX_RESULT:
        return UnsupportedOperationError(
            f"'{op.primitive.name}' has complex results for these numbers, where its compiled program has real ones: "
            f"which of them depends on the values. Call it outside of jit, or on a.astype(complex).{place}"
        )
    if op.primitive not in (*INDEXED, indexing.last_writers):
        return np.linalg.LinAlgError(f"{_FAILURES.get(op.primitive.name, 'Singular matrix')}{place}")
    shape = op.params.get("shape") or op.inputs[0].type.shape  # type: ignore[union-attr]
    return IndexError(f"an index is out of bounds for an array of shape {shape}{place}")
