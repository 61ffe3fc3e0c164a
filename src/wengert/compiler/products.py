"""Products of matrices with a narrow right factor, written as loops instead of called from BLAS.

BLAS copies its operands into an order that suits large square matrices. Where the right factor has few columns, as in
the layers of a network, that takes longer than it saves: the factor stays in the cache as it is. And BLAS splits even
small products over threads, and waits for them, however busy the processor is. So the product goes
over it in slices of `_INNER` rows, and for each slice over tiles of the result, which are kept in registers::

    for each slice of the inner index
        for each tile of the result, of 8 rows and 2 vectors of columns
            tile += column of x (one number after the other, broadcast) · row of y (2 vectors)

That is a routine which is compiled once and serves all programs, like those of BLAS.
"""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from wengert.compiler import parallel
from wengert.compiler.blas import Factor
from wengert.compiler.builder import Builder
from wengert.compiler.cache import compile_cached
from wengert.compiler.lowering import Register, llvm_type
from wengert.compiler.native import ROUTINES, NativeModule
from wengert.compiler.plan import Product
from wengert.compiler.tiles import loop

_I8P = ir.IntType(8).as_pointer()
_I64 = ir.IntType(64)
_INNER = 128
_MOST_COLUMN_BYTES = 1024  # of a row of y
_MOST_BYTES = 1 << 19  # of y
_MOST_TRANSPOSED_BYTES = 1 << 14  # of y, if it has to be transposed: it comes to the stack
_LEAST_WORK = 1 << 14  # multiplications
_SIZES = {"float": 4, "double": 8}


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
    if len(x.variable.type.shape) != 2 or len(y.variable.type.shape) != 2 or not _register_bytes():
        return False
    (rows, inner), columns = _shape(x), _shape(y)[1]
    row_bytes = columns * y.variable.type.dtype.itemsize
    if y.transposed and row_bytes * inner > _MOST_TRANSPOSED_BYTES:
        return False
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
        self.rows, self.inner = _shape(self.x)
        self.columns = _shape(self.y)[1]
        # How far apart the rows and columns of x are in memory.
        self.strides = (1, self.rows) if self.x.transposed else (self.inner, 1)
        self.function: Any = None

    def write(self) -> None:
        """Emit the function, which calls the routines that all programs share."""
        number = llvm_type(self.results[0].type.dtype)
        split = parallel.choose_split((self.rows,), 0.02 * self.rows * self.inner * self.columns)
        types = [number.as_pointer()] * 3 + ([_I64, _I64] if split is not None else [])
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), types), self.name)
        function.linkage = "internal"
        for attribute in ("alwaysinline", "nounwind"):
            function.attributes.add(attribute)
        for argument in function.args[:3]:
            argument.add_attribute("noalias")
        b: Any = Builder(function.append_basic_block("entry"))
        low, high = function.args[3:] if split is not None else (_constant(0), _constant(self.rows))
        x, y, out = function.args[:3]
        if self.y.transposed:
            copy = b.alloca(number, _constant(self.inner * self.columns))
            copy.align = 64
            b.call(
                _declare(self.module, "transposed", number), [y, copy, _constant(self.inner), _constant(self.columns)]
            )
            y = copy
        sizes = [_constant(n) for n in (self.inner, self.columns, *self.strides)]
        b.call(_declare(self.module, "product", number), [x, y, out, low, high, *sizes])
        b.ret_void()
        self.function = function if split is None else parallel.write_launcher(self.module, function, split)


# Routines -------------------------------------------------------------------------------------------------------------

# Pointers and sizes that they take.
_ROUTINES = {"product": (3, 6), "transposed": (2, 2)}


def _declare(module: ir.Module, routine: str, number: Any) -> ir.Function:
    name = f"wengert.{routine}.{number}"
    if name in module.globals:
        return module.globals[name]
    pointers, sizes = _ROUTINES[routine]
    types = [number.as_pointer()] * pointers + [_I64] * sizes
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), types), name)
    function.attributes.add("nounwind")
    for argument in function.args[:pointers]:
        argument.add_attribute("noalias")
    return function


@functools.cache
def _routines(number: str) -> NativeModule:
    """Compile the routines for numbers of one type, once for all programs of this process."""
    module = ir.Module("products")
    _write_product(module, {"float": ir.FloatType(), "double": ir.DoubleType()}[number])
    _write_transposed(module, {"float": ir.FloatType(), "double": ir.DoubleType()}[number])
    return compile_cached(str(module), [f"wengert.{routine}.{number}" for routine in _ROUTINES], {})


for _number in _SIZES:
    for _routine in _ROUTINES:
        _name = f"wengert.{_routine}.{_number}"
        ROUTINES[_name] = lambda number=_number, name=_name: _routines(number).address(name)


def _write_transposed(module: ir.Module, number: Any) -> None:
    """Copy a matrix, of which the columns are in memory one after the other, so that the rows are."""
    function = _declare(module, "transposed", number)
    y, copy, inner, columns = function.args
    b: Any = Builder(function.append_basic_block("entry"))
    zero = _constant(0)
    with loop(b, zero, inner, 1) as row, loop(b, zero, columns, 1) as column:
        place = b.add(b.mul(column, inner), row)
        target = b.add(b.mul(row, columns), column)
        b.store(b.load(b.gep(y, [place], inbounds=True)), b.gep(copy, [target], inbounds=True))
    b.ret_void()


def _write_product(module: ir.Module, number: Any) -> None:
    """Compute the rows from `low` to `high`."""
    function = _declare(module, "product", number)
    x, y, out, low, high, inner, columns, *strides = function.args
    b: Any = Builder(function.append_basic_block("entry"))
    size = _SIZES[str(number)]
    clear = module.declare_intrinsic("llvm.memset", [_I8P, _I64])
    first = b.bitcast(b.gep(out, [b.mul(low, columns)], inbounds=True), _I8P)
    length = b.mul(b.mul(b.sub(high, low), columns), _constant(size))
    b.call(clear, [first, ir.Constant(ir.IntType(8), 0), length, ir.Constant(ir.IntType(1), 0)])
    tall = 8 if _register_bytes() == 64 else 4
    middle = b.sub(high, b.urem(b.sub(high, low), _constant(tall)))
    with loop(b, _constant(0), inner, _INNER) as start:
        stop = b.add(start, _constant(_INNER))
        stop = b.select(b.icmp_signed("<", stop, inner), stop, inner)
        for begin, end, height in ((low, middle, tall), (middle, high, 1)):
            with b.if_then(b.icmp_signed("<", begin, end)):
                _write_slice(b, (x, y, out), (begin, end), (start, stop), columns, strides, height)
    b.ret_void()


def _write_slice(
    b: Any, pointers: Any, rows: Any, interval: Any, columns: Register, strides: list[Register], height: int
) -> None:
    """Add the products over an interval of the inner index to some rows, by tiles of `height` rows."""
    (x, y, out), (low, high) = pointers, rows
    number = x.type.pointee
    lanes = _register_bytes() // _SIZES[str(number)]
    vector = ir.VectorType(number, lanes)
    width = b.udiv(columns, _constant(lanes))  # in vectors
    y_vectors, out_vectors = (b.bitcast(p, vector.as_pointer()) for p in (y, out))
    row_stride, column_stride = strides
    x_start, y_start = b.mul(interval[0], column_stride), b.mul(interval[0], width)
    with loop(b, _constant(0), width, 2) as column, loop(b, low, high, height) as row:
        x_place = b.gep(x, [b.add(b.mul(row, row_stride), x_start)], inbounds=True)
        y_place = b.gep(y_vectors, [b.add(y_start, column)], inbounds=True)
        place = b.gep(out_vectors, [b.add(b.mul(row, width), column)], inbounds=True)
        _write_tile(b, x_place, y_place, place, height, interval, (row_stride, column_stride, width))


def _write_tile(
    b: Any, x: Register, y: Register, out: Register, height: int, interval: Any, strides: tuple[Register, ...]
) -> None:
    """Add the products over an interval of the inner index to a tile of the result, of two vectors in each row."""
    vector = out.type.pointee
    size = _SIZES[str(vector.element)]
    row_stride, column_stride, width = strides
    one = _constant(1)
    lefts, places = [x], []
    for i in range(height):
        if i:
            lefts.append(b.gep(lefts[-1], [row_stride], inbounds=True))
            out = b.gep(out, [width], inbounds=True)
        places += [out, b.gep(out, [one], inbounds=True)]
    sums = [b.load(p, align=size) for p in places]
    before = b.block
    body, done = b.append_basic_block("inner"), b.append_basic_block("done")
    b.branch(body)
    b.position_at_end(body)
    k, along_x, along_y = (b.phi(_I64) for _ in range(3))
    phis = [b.phi(vector) for _ in sums]
    first = b.gep(y, [along_y], inbounds=True)
    right = [b.load(p, align=size) for p in (first, b.gep(first, [one], inbounds=True))]
    new = []
    for i, left in enumerate(lefts):
        number = _broadcast(b, b.load(b.gep(left, [along_x], inbounds=True)), vector)
        for j in (0, 1):
            product = b.fmul(number, right[j], flags=("contract",))
            new.append(b.fadd(phis[2 * i + j], product, flags=("contract",)))
    start, stop = interval
    counters = ((k, start, one), (along_x, _constant(0), column_stride), (along_y, _constant(0), width))
    following = [b.add(counter, step, flags=("nsw", "nuw")) for counter, _, step in counters]
    for phi, value, next_ in zip(
        (*phis, k, along_x, along_y), (*sums, *(c[1] for c in counters)), (*new, *following), strict=True
    ):
        phi.add_incoming(value, before)
        phi.add_incoming(next_, body)
    b.cbranch(b.icmp_signed("<", following[0], stop), body, done)
    b.position_at_end(done)
    for place, value in zip(places, new, strict=True):
        b.store(value, place, align=size)


def _broadcast(b: Any, x: Register, vector: Any) -> Register:
    first = b.insert_element(ir.Constant(vector, ir.Undefined), x, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return b.shuffle_vector(first, ir.Constant(vector, ir.Undefined), mask)


def _constant(n: int) -> Register:
    return ir.Constant(_I64, n)
