"""Matrix products as calls of BLAS from native code, through the function pointers that SciPy exports.

BLAS stores matrices by columns, NumPy by rows: a row-stored matrix is the transpose of the column-stored one in the
same memory, so C = A B is computed as Cᵀ = Bᵀ Aᵀ. A transposed operand costs nothing: it is a flag of the call.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import scipy.linalg.cython_blas as cython_blas
from llvmlite import ir

from wengert.compiler import capsules
from wengert.compiler.lowering import Register
from wengert.core.program import Operation, Variable
from wengert.rules import contraction, structural

_I8P = ir.IntType(8).as_pointer()
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_ROUTINES = {"f8": ("dgemm", ir.DoubleType()), "f4": ("sgemm", ir.FloatType())}


def _symbol(name: str) -> str:
    return f"wengert.blas.{name}"


@functools.cache
def symbols() -> dict[str, int]:
    """Addresses of the routines by the names under which compiled code calls them."""
    return {_symbol(name): capsules.address(name, cython_blas) for name, _ in _ROUTINES.values()}


class Factor(NamedTuple):
    """An operand of a product: the stored matrix, and whether its transpose is meant."""

    variable: Variable
    transposed: bool


def factor(v: Variable, definitions: dict[Variable, Operation]) -> Factor:
    """Look through a transposition of the two axes of a matrix."""
    op = definitions.get(v)
    if op is not None and op.primitive is structural.transpose and op.params["axes"] == (1, 0):
        source = op.inputs[0]
        if isinstance(source, Variable):
            return Factor(source, True)
    return Factor(v, False)


def is_product(op: Operation) -> bool:
    """Whether an operation is a product of matrices or vectors that BLAS can do."""
    if op.primitive is not contraction.matmul or not all(isinstance(a, Variable) for a in op.inputs):
        return False
    types = [a.type for a in (*op.inputs, *op.outputs)]  # type: ignore[union-attr]
    dtype = types[0].dtype
    return (
        dtype.str[1:] in _ROUTINES
        and dtype.isnative
        and all(t.dtype == dtype and len(t.shape) <= 2 for t in types)
        and all(0 not in t.shape for t in types)
    )


def nanoseconds(op: Operation) -> float:
    """What a product takes at least, roughly: 64 additions and multiplications per nanosecond."""
    inner = op.inputs[0].type.shape[-1]  # type: ignore[union-attr]
    return 2 * inner * math.prod(op.outputs[0].type.shape) / 64


def factors(op: Operation, definitions: dict[Variable, Operation]) -> tuple[Factor, Factor]:
    """Return the stored operands of a product."""
    x, y = (factor(a, definitions) for a in op.inputs)  # type: ignore[arg-type]
    return x, y


def emit_product(
    module: ir.Module,
    builder: Any,
    op: Operation,
    operands: tuple[tuple[Factor, Register], tuple[Factor, Register]],
    out: Register,
) -> None:
    """Emit out = x @ y; the operands are given with their addresses."""
    name, number = _ROUTINES[op.outputs[0].type.dtype.str[1:]]
    (x, x_address), (y, y_address) = operands
    x_shape, y_shape = (a.type.shape for a in op.inputs)  # type: ignore[union-attr]
    inner = x_shape[-1]
    rows = x_shape[0] if len(x_shape) == 2 else 1
    columns = y_shape[1] if len(y_shape) == 2 else 1
    # How far apart the rows of the stored matrices are.
    x_lead = rows if x.transposed else inner
    y_lead = inner if y.transposed else columns
    pointer = number.as_pointer()
    # A Fortran routine takes everything by address, and the lengths of its two strings at the end.
    signature = ir.FunctionType(
        ir.VoidType(),
        [
            _I8P,
            _I8P,
            *[_I32.as_pointer()] * 3,
            pointer,
            pointer,
            _I32.as_pointer(),
            pointer,
            _I32.as_pointer(),
            pointer,
            pointer,
            _I32.as_pointer(),
            _I64,
            _I64,
        ],
    )
    gemm = module.globals.get(_symbol(name)) or ir.Function(module, signature, _symbol(name))

    def text(letter: str) -> Register:
        return builder.bitcast(_constant(module, ir.IntType(8), ord(letter)), _I8P)

    def integer(n: int) -> Register:
        return _constant(module, _I32, n)

    builder.call(
        gemm,
        [
            text("T" if y.transposed else "N"),
            text("T" if x.transposed else "N"),
            integer(columns),
            integer(rows),
            integer(inner),
            _constant(module, number, 1.0),
            builder.bitcast(y_address, pointer),
            integer(y_lead),
            builder.bitcast(x_address, pointer),
            integer(x_lead),
            _constant(module, number, 0.0),
            builder.bitcast(out, pointer),
            integer(columns),
            ir.Constant(_I64, 1),
            ir.Constant(_I64, 1),
        ],
    )


def _constant(module: ir.Module, type_: Any, value: Any) -> Register:
    """A global constant, shared between equal ones."""
    name = f"constant.{type_}.{value}"
    if name in module.globals:
        return module.globals[name]
    variable: Any = ir.GlobalVariable(module, type_, name)
    variable.linkage = "internal"
    variable.global_constant = True
    variable.initializer = ir.Constant(type_, value)
    return variable
