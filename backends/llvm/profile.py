"""What LLVM is told of how often the ways on from a branch are taken: its blocks, registers and spills go by that.

Tier 0 has counted how often it ran the blocks that were lifted. Of functions with such a profile (`PROFILED`), what is
seldom run becomes a section of its own (see `objects`).
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir.graph import Block, Terminator

RARELY: Final = {"rarely": 0, "carefully": 1}
"""Ways out that are seldom taken, and go on as any does, or carefully."""
PROFILED: Final = "!prof !3"
"""The attachment of a function that has a profile."""
_MOST_RUNS = 1 << 20


def is_rare(terminator: Terminator) -> bool:
    """Whether a way out of a region is one that is seldom taken."""
    return terminator.op.name == "leave" or (terminator.op.name == "goto" and terminator.imm in RARELY)


def branch_weights(terminator: Terminator) -> str:
    """What is attached to a branch: nothing if one of its ways is unknown."""
    yes, no = (_runs(block) for block in terminator.targets)
    if yes is None or no is None:
        return ""
    return f', !prof !{{!"branch_weights", i32 {1 + min(yes, _MOST_RUNS)}, i32 {1 + min(no, _MOST_RUNS)}}}'


def _runs(block: Block) -> int | None:
    """How often a block was run, as far as that can be told by it and what follows."""
    seen: set[Block] = set()
    while block.runs is None and block not in seen:
        seen.add(block)
        end = block.terminator
        if end is None or len(end.targets) != 1:
            return 0 if end is not None and is_rare(end) else None
        block = end.targets[0]
    return block.runs
