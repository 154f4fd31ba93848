"""Passes: plain functions from a function to a function, one a file. They change the function they are given.

They do what LLVM cannot know: which guest state is dead across the blocks of a region, and which is known. The rest is
left to LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from metaphrase.ir.graph import Function
from metaphrase.ir.passes.checkpoints import checkpoints
from metaphrase.ir.passes.dead_code import dead_code
from metaphrase.ir.passes.dead_state import dead_state
from metaphrase.ir.passes.forward_state import forward_state
from metaphrase.ir.passes.hoist_checks import hoist_checks
from metaphrase.ir.passes.merge_blocks import merge_blocks
from metaphrase.ir.passes.sink_state import sink_state
from metaphrase.ir.verify import verify

Pass = Callable[[Function], Function]

# Dead state goes first, so that what only it used need not be looked at; and once more when reads have disappeared.
PIPELINE: Final[tuple[Pass, ...]] = (
    merge_blocks, checkpoints, dead_state, forward_state, dead_code, hoist_checks, merge_blocks, sink_state, dead_state,
)  # fmt: skip
"""What a region goes through before it is lowered."""


def run(function: Function, passes: Iterable[Pass] = PIPELINE, *, check: bool = False) -> Function:
    """Apply passes in order; with `check`, verify the function before and after each (for tests)."""
    if check:
        verify(function)
    for each in passes:
        function = each(function)
        if check:
            verify(function)
    return function


__all__ = [
    "PIPELINE", "Pass", "checkpoints", "dead_code", "dead_state", "forward_state", "hoist_checks", "merge_blocks",
    "run", "sink_state",
]  # fmt: skip
