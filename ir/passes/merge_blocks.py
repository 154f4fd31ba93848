"""Straighten control: blocks that only follow one other become part of it, and blocks that only jump are skipped."""

from __future__ import annotations

from metaphrase.ir.graph import Block, Function, Terminator
from metaphrase.ir.ops import OPS
from metaphrase.ir.passes.dead_code import reachable

_JUMP, _BRANCH = OPS["jump"], OPS["branch"]


def merge_blocks(function: Function) -> Function:
    """Decide branches on constants, skip empty blocks, and join a block to the only one that jumps to it."""
    for block in function.blocks:
        _straighten(block)
    blocks = reachable(function)
    entries: dict[Block, int] = dict.fromkeys(blocks, 0)
    entries[blocks[0]] = 1
    for block in blocks:
        for successor in block.successors:
            entries[successor] += 1
    gone: set[Block] = set()
    for block in blocks:
        while block not in gone:
            end = block.terminator
            if end is None or end.op is not _JUMP:
                break
            follower = end.targets[0]
            if entries[follower] != 1 or follower is block:
                break
            block.effects.extend(follower.effects)
            block.terminator = follower.terminator
            if block.origin is not None and follower.origin is not None:
                block.origin = (block.origin[0], block.origin[1] + follower.origin[1])
            if block.runs is None:
                block.runs = follower.runs
            gone.add(follower)
    function.blocks[:] = [block for block in blocks if block not in gone]
    return function


def _straighten(block: Block) -> None:
    """Give a block its final targets."""
    end = block.terminator
    if end is None or not end.targets:
        return
    targets = tuple([_destination(target) for target in end.targets])
    if end.op is _BRANCH:
        condition = end.args[0]
        if condition.is_const:
            targets = (targets[0 if condition.imm else 1],)
        if len(set(targets)) == 1:
            block.terminator = Terminator(_JUMP, (), (targets[0],))
            return
    if targets != end.targets:
        block.terminator = Terminator(end.op, end.args, targets, end.imm)


def _destination(block: Block) -> Block:
    """Where control comes to behind blocks that do nothing but jump (a loop of them is its own destination)."""
    seen = {block}
    while not block.effects and block.terminator is not None and block.terminator.op is _JUMP:
        block = block.terminator.targets[0]
        if block in seen:
            break
        seen.add(block)
    return block
