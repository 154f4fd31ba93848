"""Making regions: the blocks around a hot one are selected, lifted, optimised and compiled.

All that takes LLVM or writes for it hangs on this module, and `tier1` imports it once there is a region to make that
the persistent cache does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaphrase.backends.llvm import context as c
from metaphrase.backends.llvm.compile import REGION_LEVEL, REGION_PASSES, compile_text, host, load
from metaphrase.backends.llvm.exact import ExactRegionLowering
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import link
from metaphrase.backends.llvm.region import RegionLowering
from metaphrase.ir import passes
from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.engine.block_table import GuestBlock
from metaphrase.translator.engine.code_pages import PAGE
from metaphrase.translator.engine.region_store import Compiled, RegionStore, digest_of
from metaphrase.translator.engine.regions import Region, RegionBuilder
from metaphrase.translator.engine.selection import Facts, Way, select, ways
from metaphrase.translator.engine.statistics import StageClock
from metaphrase.translator.mechanisms import uses

if TYPE_CHECKING:
    from metaphrase.translator.engine.translations import Translations

_AS_OFTEN = 0.75
"""A block that is run at least so often as one that it leads to is taken for one of the same chain."""


@dataclass(slots=True)
class Made:
    """A region that was made, for the guest address `origin`."""

    compiled: Compiled
    origin: int
    instructions: int
    dialect: bool
    """Whether other CPU models may decode some of it otherwise."""


class RegionMaker:
    """Makes the regions of one guest, one at a time; what selection asks of blocks, it answers (`selection.Blocks`)."""

    def __init__(self, owner: Translations, store: RegionStore) -> None:
        self.owner, self.store = owner, store
        self.facts = Facts()
        self.looked_at: set[int] = set()
        """Pages of blocks that were asked for: what is known of them may stand in `facts`."""
        self._exact = False
        """Whether the region that is being made is exact."""

    def make(self, block: GuestBlock, near: Sequence[int], *, exact: bool) -> Made | None:
        """The region for a block that became hot as others nearby did, `near`, the first first; None if there is none.

        An `exact` one has all state in place at each fault.
        """
        self._exact = exact
        statistics, clock = self.owner.statistics, StageClock()
        selection = select(self.owner.guest, self, [*reversed(near), block.pc], block.pc)
        statistics.select_seconds += clock.lap()
        if selection is None:
            return None
        region = RegionBuilder(self.owner.guest, self, selection, exact=exact).build()
        statistics.lift_seconds += clock.lap()
        passes.run(region.function, [each for each in passes.PIPELINE if uses(each.__name__)])
        statistics.pass_seconds += clock.lap()
        compiled = self._compile(region, clock)
        instructions = [each for one in region.blocks for each in one.instructions]
        dialect = any(map(self.owner.guest.is_dialect, instructions))
        return Made(compiled, region.origin, len(instructions), dialect)

    def leader(self, header: int, near: Iterable[int]) -> int:
        """Of blocks that are run one after another up to this one, by headers, the first: its region has the others."""
        blocks = self.owner.blocks
        before = {way.target: other for other in near for way in self._ways(other)}
        while True:
            other = before.get(blocks.record_pc(header), 0)
            forward = other != 0 and blocks.record_pc(other) < blocks.record_pc(header)
            if not forward or blocks.runs(other) < blocks.runs(header) * _AS_OFTEN:
                return header
            header = other

    def _ways(self, header: int) -> list[Way]:
        known = self.facts.ways.get(self.owner.blocks.record_pc(header))
        if known is None:
            block = self.owner.blocks.block_at(header)
            known = ways(self.owner.guest, self, block) if block is not None else []
        return known

    def forget(self, pages: set[int]) -> None:
        """Forget what is known of code on some pages."""
        if not self.looked_at.isdisjoint(pages):
            self.forget_all()

    def forget_all(self) -> None:
        """Forget what is known of code."""
        self.facts.clear()
        self.looked_at.clear()

    # --- what selection asks ---------------------------------------------------------------------------------------
    def block(self, pc: int, *, first: bool) -> GuestBlock | None:
        """The block at a guest address if it is translated and has run (see `selection.Blocks`)."""
        header = self.owner.blocks.find(pc)
        if not header or (not first and not self.owner.blocks.is_warm(header)):
            return None
        self.looked_at.add(pc // PAGE)
        block = self.owner.blocks.block_at(header)
        if block is None or self._exact:
            return block
        # a region that is not exact would not see its own code change
        return None if self.owner.may_be_written(pc) or self.owner.may_be_written(block.end - 1) else block

    def runs(self, pc: int) -> int | None:
        """How often tier 0 has run a block (see `selection.Blocks`)."""
        header = self.owner.blocks.find(pc)
        return self.owner.blocks.runs_in_all(header) if header else None

    def is_warm(self, pc: int) -> bool:
        """Whether a block has run often enough (see `selection.Blocks`)."""
        header = self.owner.blocks.find(pc)
        return header != 0 and self.owner.blocks.is_warm(header)

    def is_entry(self, pc: int) -> bool:
        """Whether a region begins at a guest address (see `selection.Blocks`)."""
        header = self.owner.blocks.find(pc)
        return header != 0 and self.owner.blocks.is_region(header)

    def read(self, address: int, length: int) -> bytes:
        """Guest memory (see `selection.Blocks`)."""
        found = b""
        with suppress(MetaphraseError):
            while len(found) < length:
                at = address + len(found)
                found += self.store.code(at, min(length - len(found), -at % PAGE or PAGE))
        return found

    # --- LLVM ------------------------------------------------------------------------------------------------------
    def _compile(self, region: Region, clock: StageClock) -> Compiled:
        statistics = self.owner.statistics
        writer = ModuleWriter(host(), c.Reasons.table(self.owner.guest.reasons))
        lowering = (ExactRegionLowering if self._exact else RegionLowering)(writer, region.function, "region")
        writer.add(lowering.text())
        text = writer.text()
        statistics.lower_seconds += clock.lap()
        load()
        clock.lap()  # not a region's cost
        compiled = compile_text(text, REGION_PASSES, level=REGION_LEVEL)
        statistics.llvm_seconds += clock.lap()
        image = link([compiled])
        blocks = []
        for block in region.blocks:
            code = self.store.code(block.pc, block.end - block.pc)
            blocks.append((block.pc - region.origin, len(code), digest_of(code)))
        return Compiled(
            image.code, image.symbols["region"], lowering.exits, blocks, image.faults, image.cold, image.crossings
        )
