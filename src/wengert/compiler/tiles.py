"""A loop over examples that keeps the vector units busy: blocks of examples, transposed into tiles.

In memory the numbers of one example are neighbours, but vector instructions work on the same number of neighbouring
examples. So a block of examples is first copied into tiles on the stack, which stay in the nearest cache. The loop over
the block computes with whole vectors from tile to tile, and the results are copied out::

    memory   a₀ b₀ c₀  a₁ b₁ c₁  a₂ b₂ c₂ …
    tile     a₀ a₁ a₂ …   b₀ b₁ b₂ …   c₀ c₁ c₂ …

Numbers are copied in squares, a few of as many examples, which are transposed in registers. That costs much less than
the instructions that gather and scatter vectors. Blocks are small, so that the tiles leave room in the nearest cache
for the memory that is copied from and to.

Results that are summed over the examples have a tile, too: each lane of it sums its own examples, and the lanes are
added up at the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler.lowering import Register, memory_type
from wengert.compiler.vector_math import scalar_loop_metadata

_I64 = ir.IntType(64)
_TILE_BYTES = 4096  # of all tiles together: they share the nearest cache with what is copied
_LANES = 8  # blocks are whole vectors
_MOST_EXAMPLES = 64
_SQUARE_BYTES = 32  # of a row of a square
#: An example of more bytes has no place in a tile.
MOST_BYTES = 2048
_REASSOCIATE = ("reassoc", "contract")


class Tiled(NamedTuple):
    """An array with an axis of examples, or a sum over them: its address, and how many numbers an example has."""

    pointer: Register
    numbers: int
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Of one example."""
        return self.numbers * self.dtype.itemsize


def block_size(arrays: Sequence[Tiled], sums: Sequence[Tiled], examples: int) -> int:
    """Return the number of examples in a block; 0 if tiles are of no use."""
    if examples < _LANES or all(x.numbers <= 1 for x in arrays):
        return 0
    bytes_ = sum(x.bytes for x in (*arrays, *sums))
    if bytes_ > MOST_BYTES:
        return 0
    return max(_LANES, min(_MOST_EXAMPLES, _TILE_BYTES // bytes_, examples + _LANES - 1) // _LANES * _LANES)


def write_blocks(
    builder: Any,
    low: Register,
    high: Register,
    block: int,
    arrays: tuple[Sequence[Tiled], Sequence[Tiled], Sequence[Tiled]],
    write_example: Callable[[list[Register], list[Register], list[Register], Register], None],
) -> None:
    """Emit the loops over the examples from `low` to `high` (at least one).

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        In the first basic block of the function.
    low, high : llvmlite.ir.Value
        First example, and one past the last.
    block : int
        From `block_size`.
    arrays : tuple of three sequences of Tiled
        Arguments and results that have an axis of examples; and results that are sums over them.
    write_example : callable
        Emits the computation of one example. It gets, for each of the three sequences, pointers to the first number of
        the example, the next number being `block` places further; and whether there is such an example, or just room
        for it: then it must not add to the sums.
    """
    tiles: list[list[Register]] = []
    for group in arrays:
        tiles.append([builder.alloca(memory_type(x.dtype), x.numbers * block) for x in group])
        for tile in tiles[-1]:
            tile.align = 64
    zero, whole = ir.Constant(_I64, 0), ir.Constant(_I64, block)
    ins, outs, sums = (
        [(x, tile) for x, tile in zip(group, made, strict=True) if x.numbers]
        for group, made in zip(arrays, tiles, strict=True)
    )
    for x, tile in sums:
        with loop(builder, zero, ir.Constant(_I64, x.numbers * block), 1) as place:
            builder.store(ir.Constant(memory_type(x.dtype), 0), _at(builder, tile, place))
    with loop(builder, low, high, block) as start:
        left = builder.sub(high, start)
        count = builder.select(builder.icmp_signed("<", left, whole), left, whole)
        for x, tile in ins:
            _copy(builder, x, tile, start, count, block, out=False)
        # All of the block, so that there is no rest: what is computed from uninitialised numbers is not copied out.
        with loop(builder, zero, whole, 1) as example:
            places = [[_at(builder, tile, example) for tile in group] for group in tiles]
            write_example(places[0], places[1], places[2], builder.icmp_signed("<", example, count))
        for x, tile in outs:
            _copy(builder, x, tile, start, count, block, out=True)
    for x, tile in sums:
        with loop(builder, zero, ir.Constant(_I64, x.numbers), 1) as number:
            first = builder.mul(number, whole)
            total = _at(builder, x.pointer, number)
            builder.store(ir.Constant(memory_type(x.dtype), 0), total)
            with loop(builder, zero, whole, 1) as lane:
                add_to(builder, total, builder.load(_at(builder, tile, builder.add(first, lane))))


def add_to(builder: Any, place: Register, value: Register) -> None:
    """Add to a number in memory, in an order that is left to LLVM."""
    builder.store(builder.fadd(builder.load(place), value, flags=_REASSOCIATE), place)


def _at(builder: Any, pointer: Register, place: Register) -> Register:
    return builder.gep(pointer, [place], inbounds=True)


def _copy(builder: Any, x: Tiled, tile: Register, start: Register, count: Register, block: int, *, out: bool) -> None:
    """Copy `count` examples, from `start` on, into the tile or out of it."""
    done = ir.Constant(_I64, 0)
    if x.numbers > 1 and x.dtype.itemsize in (4, 8):
        done = _copy_squares(builder, x, tile, start, count, block, out)
    n = ir.Constant(_I64, x.numbers)
    if x.numbers == 1:
        with loop(builder, done, count, 1) as example:
            in_memory, in_tile = _at(builder, x.pointer, builder.add(start, example)), _at(builder, tile, example)
            source, target = (in_tile, in_memory) if out else (in_memory, in_tile)
            builder.store(builder.load(source), target)
        return
    metadata = scalar_loop_metadata(builder.module)  # LLVM would gather and scatter
    with builder.if_then(builder.icmp_signed("<", done, count)), loop(builder, done, count, 1, metadata) as example:
        first = builder.mul(builder.add(start, example), n)
        with loop(builder, ir.Constant(_I64, 0), n, 1) as number:
            in_memory = _at(builder, x.pointer, builder.add(first, number))
            in_tile = _at(builder, tile, builder.add(builder.mul(number, ir.Constant(_I64, block)), example))
            source, target = (in_tile, in_memory) if out else (in_memory, in_tile)
            builder.store(builder.load(source), target)


def _copy_squares(
    builder: Any, x: Tiled, tile: Register, start: Register, count: Register, block: int, out: bool
) -> Register:
    """Copy squares of as many numbers of as many examples, transposed in registers; return how many examples it did.

    Where an example has more numbers than a square, the last square begins earlier, and some are copied twice. Where it
    has fewer, a row of the square goes on into the next example: it is read in vain, or what is written there is
    overwritten when that example is copied. So the last example is left over.
    """
    width = min(_SQUARE_BYTES // x.dtype.itemsize, 1 << (x.numbers - 1).bit_length())
    kind = ir.IntType(8 * x.dtype.itemsize)
    vector = ir.VectorType(kind, width)
    memory, tile = (builder.bitcast(p, kind.as_pointer()) for p in (x.pointer, tile))
    step = ir.Constant(_I64, width)
    n = ir.Constant(_I64, x.numbers)
    left = count if width <= x.numbers else builder.sub(count, ir.Constant(_I64, 1))
    whole = builder.mul(builder.sdiv(left, step), step)

    def place(base: Register, number: Register) -> Register:
        return builder.bitcast(_at(builder, base, number), vector.as_pointer())

    def move(example: Register, number: Register) -> None:
        rows = [builder.add(builder.add(start, example), ir.Constant(_I64, i)) for i in range(width)]
        in_memory = [place(memory, builder.add(builder.mul(row, n), number)) for row in rows]
        in_tile = []
        for i in range(min(width, x.numbers)):
            offset = builder.mul(builder.add(number, ir.Constant(_I64, i)), ir.Constant(_I64, block))
            in_tile.append(place(tile, builder.add(offset, example)))
        sources, targets = (in_tile, in_memory) if out else (in_memory, in_tile)
        square = [builder.load(p, align=x.dtype.itemsize) for p in sources]
        square += [ir.Constant(vector, ir.Undefined)] * (width - len(square))
        for target, value in zip(targets, _transposed(builder, square), strict=False):
            builder.store(value, target, align=x.dtype.itemsize)

    zero = ir.Constant(_I64, 0)
    metadata = scalar_loop_metadata(builder.module)  # LLVM would gather and scatter
    with builder.if_then(builder.icmp_signed(">", whole, zero)), loop(builder, zero, whole, width, metadata) as example:
        if x.numbers <= width:
            move(example, zero)
        else:
            last = ir.Constant(_I64, x.numbers - width)
            with loop(builder, zero, n, width, metadata) as number:
                move(example, builder.select(builder.icmp_signed("<", number, last), number, last))
    return whole


def _transposed(builder: Any, rows: list[Register]) -> list[Register]:
    """Transpose a square matrix, a vector for each row: exchange one bit of row and column at a time."""
    width = len(rows)
    bit = 1
    while bit < width:
        new = list(rows)
        for i in range(width):
            if not i & bit:
                a, b = rows[i], rows[i | bit]
                low = [k if not k & bit else width + k - bit for k in range(width)]
                high = [k + bit if not k & bit else width + k for k in range(width)]
                for j, mask in ((i, low), (i | bit, high)):
                    lanes = ir.Constant(ir.VectorType(ir.IntType(32), width), mask)
                    new[j] = builder.shuffle_vector(a, b, lanes)
        rows = new
        bit *= 2
    return rows


@contextlib.contextmanager
def loop(builder: Any, low: Register, high: Register, step: int, metadata: Any = None) -> Iterator[Register]:
    """Emit a loop, that runs at least once, around what is emitted inside."""
    before = builder.block
    body = builder.append_basic_block("loop")
    builder.branch(body)
    builder.position_at_end(body)
    counter = builder.phi(_I64)
    counter.add_incoming(low, before)
    yield counter
    following = builder.add(counter, ir.Constant(_I64, step), flags=("nsw", "nuw"))
    counter.add_incoming(following, builder.block)
    done = builder.append_basic_block("done")
    branch = builder.cbranch(builder.icmp_signed("<", following, high), body, done)
    if metadata is not None:
        branch.set_metadata("llvm.loop", metadata)
    builder.position_at_end(done)
