"""A loop over examples that keeps the vector units busy: blocks of examples, transposed into tiles.

In memory the numbers of one example are neighbours, but vector instructions work on the same number of neighbouring
examples. So a block of examples is first copied into tiles on the stack, which stay in the nearest cache. The loop over
the block computes with whole vectors from tile to tile, and the results are copied out::

    memory   a₀ b₀ c₀  a₁ b₁ c₁  a₂ b₂ c₂ …
    tile     a₀ a₁ a₂ …   b₀ b₁ b₂ …   c₀ c₁ c₂ …

Copying numbers one by one costs much less than the instructions that gather and scatter vectors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from wengert.compiler.lowering import Register, memory_type
from wengert.core.program import Variable

_I64 = ir.IntType(64)
_TILE_BYTES = 16384  # of all tiles together
_LANES = 8  # blocks are whole vectors
_MOST_EXAMPLES = 64


def _numbers(v: Variable) -> int:
    """How many there are in each example."""
    return int(np.prod(v.type.shape[1:]))


def block_size(variables: Sequence[Variable], examples: int) -> int:
    """Return the number of examples in a block; 0 if tiles are of no use."""
    if examples < _LANES or all(_numbers(v) <= 1 for v in variables):
        return 0
    bytes_ = sum(_numbers(v) * v.type.dtype.itemsize for v in variables)
    return min(_MOST_EXAMPLES, _TILE_BYTES // bytes_, examples + _LANES - 1) // _LANES * _LANES


def write_blocks(
    builder: Any,
    low: Register,
    high: Register,
    block: int,
    ins: dict[Variable, Register],
    outs: dict[Variable, Register],
    write_example: Callable[[Callable[[Variable], Register]], None],
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
    ins, outs : dict
        The arrays that have an axis of examples, and the pointers to them.
    write_example : callable
        Emits the computation of one example. It gets a function from a variable to the pointer to the first number of
        the example; the next number is `block` places further.
    """
    tiles: dict[Variable, Register] = {}
    for v in (*ins, *outs):
        tiles[v] = builder.alloca(memory_type(v.type.dtype), _numbers(v) * block)
        tiles[v].align = 64
    ins, outs = ({v: p for v, p in arrays.items() if _numbers(v)} for arrays in (ins, outs))
    zero, whole = ir.Constant(_I64, 0), ir.Constant(_I64, block)
    with loop(builder, low, high, block) as start:
        left = builder.sub(high, start)
        count = builder.select(builder.icmp_signed("<", left, whole), left, whole)
        for v, pointer in ins.items():
            with _each_number(builder, v, start, count, block) as (in_memory, in_tile):
                builder.store(builder.load(_at(builder, pointer, in_memory)), _at(builder, tiles[v], in_tile))
        # All of the block, so that there is no rest: what is computed from uninitialised numbers is not copied out.
        with loop(builder, zero, whole, 1) as example:
            write_example(lambda v: _at(builder, tiles[v], example))
        for v, pointer in outs.items():
            with _each_number(builder, v, start, count, block) as (in_memory, in_tile):
                builder.store(builder.load(_at(builder, tiles[v], in_tile)), _at(builder, pointer, in_memory))


def _at(builder: Any, pointer: Register, place: Register) -> Register:
    return builder.gep(pointer, [place], inbounds=True)


@contextlib.contextmanager
def _each_number(builder: Any, v: Variable, start: Register, count: Register, block: int) -> Iterator[Any]:
    """Loop over the numbers of some examples: the place of each in memory and in the tile."""
    n = ir.Constant(_I64, _numbers(v))
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
