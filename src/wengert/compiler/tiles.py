"""A loop over examples that keeps the vector units busy: blocks of examples, transposed into tiles.

In memory the numbers of one example are neighbours, but vector instructions work on the same number of neighbouring
examples. So a block of examples is first copied into tiles on the stack, which stay in the nearest cache. The loop over
the block computes with whole vectors from tile to tile, and the results are copied out::

    memory   a₀ b₀ c₀  a₁ b₁ c₁  a₂ b₂ c₂ …
    tile     a₀ a₁ a₂ …   b₀ b₁ b₂ …   c₀ c₁ c₂ …

Results that are summed over the examples have a tile, too: each lane of it sums its own examples, and the lanes are
added up at the end.

Copying numbers one by one costs much less than the instructions that gather and scatter vectors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from wengert.compiler.lowering import Register, memory_type

_I64 = ir.IntType(64)
_TILE_BYTES = 16384  # of all tiles together
_LANES = 8  # blocks are whole vectors
_MOST_EXAMPLES = 64
#: An example of more bytes has no place in a tile.
MOST_BYTES = _TILE_BYTES // _LANES
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
    return min(_MOST_EXAMPLES, _TILE_BYTES // bytes_, examples + _LANES - 1) // _LANES * _LANES


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
            with _each_number(builder, x.numbers, start, count, block) as (in_memory, in_tile):
                builder.store(builder.load(_at(builder, x.pointer, in_memory)), _at(builder, tile, in_tile))
        # All of the block, so that there is no rest: what is computed from uninitialised numbers is not copied out.
        with loop(builder, zero, whole, 1) as example:
            places = [[_at(builder, tile, example) for tile in group] for group in tiles]
            write_example(places[0], places[1], places[2], builder.icmp_signed("<", example, count))
        for x, tile in outs:
            with _each_number(builder, x.numbers, start, count, block) as (in_memory, in_tile):
                builder.store(builder.load(_at(builder, tile, in_tile)), _at(builder, x.pointer, in_memory))
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


@contextlib.contextmanager
def _each_number(builder: Any, numbers: int, start: Register, count: Register, block: int) -> Iterator[Any]:
    """Loop over the numbers of some examples: the place of each in memory and in the tile."""
    n = ir.Constant(_I64, numbers)
    metadata = _scalar_loop(builder.module)
    with loop(builder, ir.Constant(_I64, 0), count, 1, metadata) as example:
        first = builder.mul(builder.add(start, example), n)
        with loop(builder, ir.Constant(_I64, 0), n, 1) as number:
            in_tile = builder.add(builder.mul(number, ir.Constant(_I64, block)), example)
            yield builder.add(first, number), in_tile


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


def _scalar_loop(module: ir.Module) -> Any:
    """Metadata of a loop that is not to be vectorised: LLVM would gather and scatter."""
    loop = module.add_metadata([f"loop {len(module.metadata)}"])
    false = ir.Constant(ir.IntType(1), 0)
    loop.operands = (
        loop,
        module.add_metadata(["llvm.loop.vectorize.enable", false]),
        module.add_metadata(["llvm.loop.unroll.disable"]),
    )
    return loop
