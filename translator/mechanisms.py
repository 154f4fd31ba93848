"""Mechanisms that can be left out, to see what each of them is worth: programs do the same without, only more slowly.

$METAPHRASE_WITHOUT lists those to leave out, separated by commas; `metaphrase bench --without NAME` measures it, and
docs/mechanisms.md says what came out.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

from metaphrase.ir.errors import MetaphraseError

VARIABLE: Final = "METAPHRASE_WITHOUT"
MECHANISMS: Final = {
    "precompiled": "handlers that were compiled when Metaphrase was installed",
    "lazy-handlers": "handlers that leave flags alone where nothing reads them",
    "carried-registers": "registers of the guest that stay in the host's from region to region",
    "chaining": "ways out with a known target that go straight to the next region",
    "jump-cache": "the look-up of unknown targets in line",
    "deferred-flags": "flags left as the operation and operands that they can be computed from",
    "leaves": "small functions that call none but such, taken into the regions of their callers",
    "stubs": "blocks that only jump to where a table says, taken into the regions of their callers",
    "returns": "returns compared with where the region's own calls return to",
    "jump-tables": "jumps by a table compared with where in the region that often leads",
    "branch-weights": "branches weighted by how often tier 0 ran where they lead",
    "seldom-apart": "what a region seldom runs, placed apart from the rest",
    "left-in-state": "guest registers that only code outside of loops touches, left in the state",
    "landings": "regions of their own for blocks that others have, but not as their entry",
    "ends-at-entries": "regions that would be too large end where others begin",
    "native-calls": "system calls that only pass through, made by native code",
    "forward_state": "the pass that makes reads of guest state what was written",
    "dead_state": "the pass that removes writes of guest state nobody sees",
    "hoist_checks": "the pass that moves checks of addresses before loops",
    "sink_state": "the pass that moves what only a way out needs to it",
}
"""What can be left out, and what it is."""


@cache
def left_out() -> frozenset[str]:
    """The names that $METAPHRASE_WITHOUT lists. Raises MetaphraseError if there is no such mechanism."""
    names = frozenset(filter(None, os.environ.get(VARIABLE, "").split(",")))
    check(names)
    return names


def check(names: frozenset[str]) -> None:
    """Raise MetaphraseError unless all of them are mechanisms."""
    for name in sorted(names - MECHANISMS.keys()):
        raise MetaphraseError(f"there is no mechanism {name!r} to leave out; there are {', '.join(MECHANISMS)}")


def uses(name: str) -> bool:
    """Whether a mechanism is used in this process."""
    return name not in left_out()
