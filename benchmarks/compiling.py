"""How fast regions are compiled, stage by stage: what the runs with an empty cache tell about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metaphrase.benchmarks.engines import COLD
from metaphrase.benchmarks.results import Row
from metaphrase.benchmarks.sheets import Sheet, Summed
from metaphrase.translator.engine.statistics import STAGES


@dataclass(frozen=True)
class Compiling:
    """What tier 1 compiled for a program, or for several.

    instructions  of the guest, once for each region that has them
    stages        seconds of the compiling thread's processor time, in the order of STAGES
    elapsed       seconds by the clock, all waiting included
    """

    name: str
    regions: int
    instructions: int
    stages: tuple[float, ...]
    elapsed: float

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(self.stages)

    @property
    def rate(self) -> float:
        """Guest instructions a second of processor time, through all stages."""
        return self.instructions / self.seconds


def compiled(rows: Sequence[Row]) -> list[Compiling]:
    """What each program's run with an empty cache compiled; those that compiled nothing, or do not tell, are left out.

    Warm runs compile a few leftovers only, which says more about them than about compiling.
    """
    found = []
    for row in rows:
        for result in row.results:
            told = result.statistics
            if result.engine == COLD and told.get("compiled_instructions") and told.get("llvm_seconds"):
                stages = tuple(told.get(stage, 0.0) for stage in STAGES)
                counts = int(told["regions"]), int(told["compiled_instructions"])
                found.append(Compiling(row.name, *counts, stages, told["region_seconds"]))
    return found


def total(parts: Sequence[Compiling]) -> Compiling:
    """All of them as one."""
    return Compiling(
        "total", sum(one.regions for one in parts), sum(one.instructions for one in parts),
        tuple(map(sum, zip(*(one.stages for one in parts)))), sum(one.elapsed for one in parts),
    )  # fmt: skip


def thousands(rate: float) -> str:
    """A rate in thousands a second, with two significant digits at least."""
    return f"{rate / 1e3:.1f}" if rate < 10_000 else f"{rate / 1e3:,.0f}"


def compile_sheet(rows: Sequence[Row]) -> Sheet | None:
    """Thousand guest instructions a second by stage, and the stage's share; None if nothing was compiled."""
    parts = compiled(rows)
    if not parts:
        return None
    lines: list[Sequence[str]] = [_line(one) for one in parts]
    if len(parts) > 1:
        lines.append(Summed(_line(total(parts))))
    head = ["program", "regions", "instructions", "elapsed", "all", *STAGES.values()]
    return Sheet(
        "Compiling with an empty cache: thousand guest instructions a second, and each stage's share of the time", head,
        lines, "all: in the compiling thread's processor time. elapsed: by the clock, waiting for the guest included.",
    )  # fmt: skip


def _line(one: Compiling) -> list[str]:
    clock = thousands(one.instructions / one.elapsed) if one.elapsed else ""
    stages = (
        f"{thousands(one.instructions / seconds)} ({seconds / one.seconds:.0%})" if seconds else "-"
        for seconds in one.stages
    )
    return [one.name, f"{one.regions:,}", f"{one.instructions:,}", clock, thousands(one.rate), *stages]
