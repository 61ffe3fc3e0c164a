"""Products of matrices with a narrow right factor, written as loops instead of called from BLAS.

BLAS copies its operands into an order that suits large square matrices. Where the right factor has few columns, as in
the layers of a network, that takes longer than it saves: the factor stays in the cache as it is. So the product goes
over it in slices of `_INNER` rows, and for each slice over tiles of the result, which are kept in registers::

    for each slice of the inner index
        for each tile of the result, of 8 rows and 2 vectors of columns
            tile += column of x (one number after the other, broadcast) · row of y (2 vectors)
"""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from wengert.compiler import parallel
from wengert.compiler.blas import Factor
from wengert.compiler.builder import Builder
from wengert.compiler.lowering import Register, llvm_type
from wengert.compiler.plan import Product
from wengert.compiler.tiles import loop

_I8P = ir.IntType(8).as_pointer()
_I64 = ir.IntType(64)
_INNER = 128
_MOST_COLUMN_BYTES = 1024  # of a row of y
_MOST_BYTES = 1 << 19  # of y
_LEAST_WORK = 1 << 14  # multiplications


@functools.cache
def _register_bytes() -> int:
    """Size of a vector register, of which there are at least 16; 0 if the processor cannot multiply and add in one."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx2") and features.get("fma") else 0


def _shape(factor: Factor) -> tuple[int, ...]:
    shape = factor.variable.type.shape
    return shape[::-1] if factor.transposed else shape


def is_narrow(product: Product) -> bool:
    """Whether a product is faster so."""
    x, y = product.factors
    if len(x.variable.type.shape) != 2 or len(y.variable.type.shape) != 2 or y.transposed or not _register_bytes():
        return False
    (rows, inner), columns = _shape(x), y.variable.type.shape[1]
    row_bytes = columns * y.variable.type.dtype.itemsize
    return (
        row_bytes % (2 * _register_bytes()) == 0
        and row_bytes <= _MOST_COLUMN_BYTES
        and row_bytes * inner <= _MOST_BYTES
        and rows * inner * columns >= _LEAST_WORK
    )


class ProductWriter:
    """Writes a product as an LLVM function ``void name(pointer of x, pointer of y, pointer of the result)``."""

    def __init__(self, product: Product, module: ir.Module, name: str) -> None:
        self.module, self.name = module, name
        self.x, self.y = product.factors
        self.leaves = [self.x.variable, self.y.variable]
        self.results = list(product.operation.outputs)
        self.number = llvm_type(self.results[0].type.dtype)
        self.lanes = _register_bytes() // self.results[0].type.dtype.itemsize
        self.rows, self.inner = _shape(self.x)
        self.columns = self.y.variable.type.shape[1]
        # How far apart the rows and columns of x are in memory.
        self.strides = (1, self.rows) if self.x.transposed else (self.inner, 1)
        self.function: Any = None

    def write(self) -> None:
        """Emit the function."""
        split = parallel.choose_split((self.rows,), 0.02 * self.rows * self.inner * self.columns)
        types = [self.number.as_pointer()] * 3 + ([_I64, _I64] if split is not None else [])
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), types), self.name)
        function.linkage = "internal"
        for attribute in ("noinline", "nounwind"):
            function.attributes.add(attribute)
        for argument in function.args[:3]:
            argument.add_attribute("noalias")
        b: Any = Builder(function.append_basic_block("entry"))
        self.pointers = function.args[:3]
        low, high = function.args[3:] if split is not None else (_constant(0), _constant(self.rows))
        tall = 8 if self.lanes * self.results[0].type.dtype.itemsize == 64 else 4
        count = b.sub(high, low)
        middle = b.add(low, b.sub(count, b.urem(count, _constant(tall))))
        clear = self.module.declare_intrinsic("llvm.memset", [_I8P, _I64])
        row_bytes = _constant(self.columns * self.results[0].type.dtype.itemsize)
        first_row = b.bitcast(b.gep(self.pointers[2], [b.mul(low, _constant(self.columns))], inbounds=True), _I8P)
        b.call(
            clear, [first_row, ir.Constant(ir.IntType(8), 0), b.mul(count, row_bytes), ir.Constant(ir.IntType(1), 0)]
        )
        with loop(b, _constant(0), _constant(self.inner), _INNER) as start:
            stop = b.add(start, _constant(_INNER))
            stop = b.select(b.icmp_signed("<", stop, _constant(self.inner)), stop, _constant(self.inner))
            with loop(b, _constant(0), _constant(self.columns), 2 * self.lanes) as column:
                for first, last, rows in ((low, middle, tall), (middle, high, 1)):
                    with b.if_then(b.icmp_signed("<", first, last)), loop(b, first, last, rows) as row:
                        self._tile(b, row, column, rows, start, stop)
        b.ret_void()
        self.function = function if split is None else parallel.write_launcher(self.module, function, split)

    def _tile(self, b: Any, row: Register, column: Register, rows: int, low: Register, high: Register) -> None:
        """Add the products over a slice of the inner index to a tile of the result, of two vectors in each row."""
        x, y, out = self.pointers
        vector = ir.VectorType(self.number, self.lanes)
        places = []
        for i in range(rows):
            start = b.add(b.mul(b.add(row, _constant(i)), _constant(self.columns)), column)
            for j in (0, self.lanes):
                place = b.gep(out, [b.add(start, _constant(j))], inbounds=True)
                places.append(b.bitcast(place, vector.as_pointer()))
        align = self.results[0].type.dtype.itemsize
        sums = [b.load(p, align=align) for p in places]
        before = b.block
        body = b.append_basic_block("inner")
        b.branch(body)
        b.position_at_end(body)
        k = b.phi(_I64)
        k.add_incoming(low, before)
        phis = [b.phi(vector) for _ in sums]
        start = b.add(b.mul(k, _constant(self.columns)), column)
        right = []
        for j in (0, self.lanes):
            place = b.gep(y, [b.add(start, _constant(j))], inbounds=True)
            right.append(b.load(b.bitcast(place, vector.as_pointer()), align=align))
        new = []
        for i in range(rows):
            place = b.add(
                b.mul(b.add(row, _constant(i)), _constant(self.strides[0])), b.mul(k, _constant(self.strides[1]))
            )
            left = self._broadcast(b, b.load(b.gep(x, [place], inbounds=True)))
            for j in (0, 1):
                new.append(b.fadd(phis[2 * i + j], b.fmul(left, right[j], flags=("contract",)), flags=("contract",)))
        for phi, first, following in zip(phis, sums, new, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(following, body)
        following = b.add(k, _constant(1), flags=("nsw", "nuw"))
        k.add_incoming(following, body)
        done = b.append_basic_block("done")
        b.cbranch(b.icmp_signed("<", following, high), body, done)
        b.position_at_end(done)
        for place, value in zip(places, new, strict=True):
            b.store(value, place, align=align)

    def _broadcast(self, b: Any, x: Register) -> Register:
        vector = ir.VectorType(self.number, self.lanes)
        first = b.insert_element(ir.Constant(vector, ir.Undefined), x, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return b.shuffle_vector(first, ir.Constant(vector, ir.Undefined), mask)


def _constant(n: int) -> Register:
    return ir.Constant(_I64, n)
