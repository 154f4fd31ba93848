"""What native CPUs count of their work."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Statistics:
    """What the CPUs of a guest have done; seconds are wall time."""

    instructions: int = 0
    """Guest instructions executed, in both tiers."""
    region_instructions: int = 0
    """Those of them that tier 1 executed."""
    blocks: int = 0
    native_calls: int = 0
    """System calls that native code answered, without the machine."""
    forms_compiled: int = 0
    forms_cached: int = 0
    regions: int = 0
    regions_cached: int = 0
    cache_hits: int = 0
    """Entries of the persistent cache that were found, and were not."""
    cache_misses: int = 0
    run_seconds: float = 0.0
    """Spent in `run`: in guest code, and with what the engine does for it while it waits; by all threads together."""
    compile_seconds: float = 0.0
    """Spent on handlers, while the guest waits."""
    region_seconds: float = 0.0
    """Spent on regions, beside the guest or (tier 1 alone) while it waits."""
    flushes: int = 0
    """How often all translations were dropped."""
    evictions: int = 0
    """Those times that it was done because there was no room for more."""
    arena_bytes: int = 0
    """What is in use now: by tier 0's records, and by regions, their code and their records."""
    installed_regions: int = 0
    region_bytes: int = 0
    region_records: int = 0
    compiled_instructions: int = 0
    """Guest instructions in the regions that were compiled, once for each region that has them."""
    select_seconds: float = 0.0
    """This and the following are of the compiling thread's processor time (see `StageClock`)."""
    lift_seconds: float = 0.0
    pass_seconds: float = 0.0
    lower_seconds: float = 0.0
    """From IR to LLVM's text."""
    llvm_seconds: float = 0.0
    """Parsing that, LLVM's passes, and its code generator."""
    install_seconds: float = 0.0
    """Linking, writing to the persistent cache, and putting in place."""
    llvm_load_seconds: float = 0.0
    """Importing LLVM and setting it up; 0 where nothing had to be compiled, by either tier."""


STAGES: Final = {
    "select_seconds": "selection", "lift_seconds": "lifting", "pass_seconds": "passes", "lower_seconds": "lowering",
    "llvm_seconds": "LLVM", "install_seconds": "installing",
}  # fmt: skip
"""The stages of compiling a region in their order: what each is called among the statistics, and for people."""


class StageClock:
    """Tells how long each of several stages took, in processor time of the thread that goes through them.

    By the clock on the wall, a stage would also be charged with what it waits for: the interpreter's lock, which the
    guest's system calls hold meanwhile, and a core, where there are fewer than there is to do. That differs from
    program to program and says nothing about the stage. `Statistics.region_seconds` has the whole by the wall.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = time.thread_time()

    def lap(self) -> float:
        """The seconds since the last lap, or since the clock was made."""
        last, self._last = self._last, time.thread_time()
        return self._last - last
