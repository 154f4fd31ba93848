"""What a native CPU counts of its work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """What a CPU has done; seconds are wall time."""

    instructions: int = 0
    """Guest instructions executed, in both tiers."""
    region_instructions: int = 0
    """Those of them that tier 1 executed."""
    blocks: int = 0
    forms_compiled: int = 0
    forms_cached: int = 0
    regions: int = 0
    regions_cached: int = 0
    cache_hits: int = 0
    """Entries of the persistent cache that were found, and were not."""
    cache_misses: int = 0
    run_seconds: float = 0.0
    """Spent in `run`: in guest code, and with what the engine does for it while it waits."""
    compile_seconds: float = 0.0
    """Spent on handlers, while the guest waits."""
    region_seconds: float = 0.0
    """Spent on regions, beside the guest or (tier 1 alone) while it waits."""
    flushes: int = 0
