"""Tier 1: hot blocks become regions, compiled beside the running guest and installed with one pointer store."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import threading
import time
from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaphrase.backends.llvm import context as c
from metaphrase.backends.llvm.codecache import CodeCacheFull
from metaphrase.backends.llvm.compile import REGION_PASSES, compile_text, host
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import Image, link, stackmaps
from metaphrase.backends.llvm.region import RegionLowering
from metaphrase.ir import passes, record
from metaphrase.translator.engine.host_memory import HostBlock
from metaphrase.translator.engine.native import code_cache
from metaphrase.translator.engine.region_store import Compiled, RegionStore, digest_of
from metaphrase.translator.engine.regions import Blocks, GuestBlock, Region, RegionBuilder

if TYPE_CHECKING:
    from metaphrase.translator.engine.cpu import NativeCpu

LOGGER = logging.getLogger("metaphrase.tier1")
_DESCRIPTORS_SIZE = 64 << 20
_POLL_SECONDS = 0.001
_NEAR = 1024
"""Bytes within which blocks that are hot at the same time are taken for parts of one function."""
_MAX_ROUNDS = 4
_NR_CLOSE_RANGE, _CLOSE_RANGE_UNSHARE = 436, 2


def _leave_descriptor_table() -> None:
    """Give this thread a descriptor table of its own, empty but for standard error.

    Descriptors of this process are the guest's: files opened here must not take its numbers, and copies kept here would
    keep its pipes open after it has closed them. Kernels before 5.9 refuse, and the table stays shared.
    """
    libc = ctypes.CDLL(None)
    if libc.syscall(_NR_CLOSE_RANGE, 3, 0xFFFF_FFFF, _CLOSE_RANGE_UNSHARE) == 0:
        libc.syscall(_NR_CLOSE_RANGE, 0, 1, 0)


@dataclass(slots=True)
class Installed:
    """A region in place. `rounds` counts how often it was made anew to take more in; for `landing` see there."""

    base: int
    end: int
    origin: int
    maps: list[tuple[int, int]]
    roots: list[int]
    entries: list[int]
    pcs: frozenset[int]
    entry_records: int
    rounds: int
    landing: bool


class Tier1:
    """The regions of one CPU."""

    def __init__(self, cpu: NativeCpu) -> None:
        self.cpu = cpu
        self.store = RegionStore(cpu.cache, cpu.memory)
        self.lock = threading.Lock()
        self.generation = 0
        self.installed: list[Installed] = []
        self.descriptors = HostBlock(_DESCRIPTORS_SIZE)
        self.next_descriptor = 0
        self.thread: threading.Thread | None = None
        self.stopping = False
        self.leaves: dict[int, bool] = {}
        self.deferred: set[int] = set()
        """Blocks that became hot though a region had them already."""
        self.waiting: dict[int, int] = {}
        """Hot blocks that are not compiled yet, by their headers, in the order in which they became hot."""

    # --- the compiling thread --------------------------------------------------------------------------------------
    def start(self) -> None:
        """Start compiling in the background, if it is not going on already."""
        if self.thread is None or not self.thread.is_alive():
            sys.setswitchinterval(0.0005)  # the guest's system calls wait for the lock that lifting holds
            self.thread = threading.Thread(target=self._work, name="metaphrase tier 1", daemon=True)
            self.thread.start()

    def _work(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        _leave_descriptor_table()
        while not self.stopping:
            if not self.drain():
                time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Compile no more: the guest's memory is about to go. Waits for what is being compiled."""
        self.stopping = True
        if self.thread is not None:
            self.thread.join()

    def drain(self) -> bool:
        """Look at one of the blocks that became hot; whether there was one.

        Whether the cache has its region is asked of each at once. Of those that must be compiled, the one comes first
        that has been run most often.
        """
        generation = self.generation
        try:
            header = self._newly_hot()
            fresh = header != 0
            if not fresh:
                if not self.waiting:
                    return False
                header = max(self.waiting, key=self.cpu.runs)
                del self.waiting[header]
            pc = self.cpu.header_pc(header)
            if fresh and not self.store.has(pc, "landing" if pc in self.deferred else "region"):
                self.waiting[header] = pc
            else:
                self.compile(header, generation)
        except CodeCacheFull:
            LOGGER.warning("the code cache is full: no more regions until the next flush")
        except Exception:  # anything may happen to a reader of records that are being dropped
            if generation == self.generation:
                LOGGER.exception("a region could not be compiled; tier 0 goes on running it")
        return True

    def _newly_hot(self) -> int:
        """Take the next header out of the queue of blocks that became hot; 0 if it is empty."""
        tail = self.cpu.context_word(c.HOT_TAIL)
        if tail == self.cpu.context_word(c.HOT_HEAD):
            return 0
        header = self.cpu.hot_queue_entry(tail)
        self.cpu.put_context_word(c.HOT_TAIL, tail + 1)
        return header

    def compile(self, header: int, generation: int) -> None:
        """Compile or find in the cache the region at a block; install it unless all code was dropped meanwhile."""
        begin = time.perf_counter()
        with self.lock:
            if generation != self.generation:
                return
            block = self.cpu.block_at(header)
        if block is None or self.cpu.is_region(header) or self._defer(block):
            return
        landing = block.pc in self.deferred
        kind = "landing" if landing else "region"
        rounds = 0
        found = self.store.load(block.pc, kind)
        if found is not None:
            compiled, origin = found
            self.cpu.statistics.regions_cached += 1
        else:
            region, rounds = self._landing(block.pc) if landing else self._select(block.pc)
            passes.run(region.function)
            compiled, origin = self._compile(region), region.origin
            with self.lock:
                if generation != self.generation:
                    return
            self.store.store(compiled, origin, [block.pc - origin, *compiled.roots, *compiled.entries], kind)
            self.cpu.statistics.regions += 1
        self._install(compiled, origin, generation, rounds, landing)
        if block.pc - origin not in compiled.entries:
            self._defer(block)
        self.cpu.statistics.region_seconds += time.perf_counter() - begin

    def _defer(self, block: GuestBlock) -> bool:
        """Whether a region that has the block, though not as an entry, is given another chance to be the one that runs.

        Tier 0 may have come to the block on its way to that region's entry. If it keeps coming, or is in a loop there,
        the block gets a region of its own.
        """
        covered = any(block.pc in one.pcs for one in self.installed)
        if not covered or block.pc in self.deferred:
            return False
        self.deferred.add(block.pc)
        self.cpu.count_again(block.header)
        return True

    def _select(self, pc: int) -> tuple[Region, int]:
        """The region to make for a hot block, and how many rounds of growth it has behind it.

        Blocks nearby that became hot too are taken in. A region that shares code with it is made anew together with
        it, so that a function ends up in one region and not in one for each of its blocks.
        """
        return self._grown([*reversed(self._waiting_near(pc)), pc], self, hot=pc, landing=False)

    def _landing(self, pc: int) -> tuple[Region, int]:
        """The region to make for a block that tier 0 keeps coming to though a region has it, but not as an entry.

        It is entered at all such blocks, at the cost of loops with many heads, and goes as far as the entries of the
        region proper.
        """
        roots = [pc, *(hot for hot in self._waiting_near(pc) if hot in self.deferred)]
        entries = {entry for one in self.installed if not one.landing for entry in one.entries}
        return self._grown(roots, _Between(self, frozenset(entries)), hot=pc, landing=True)

    def _grown(self, roots: list[int], blocks: Blocks, *, hot: int, landing: bool) -> tuple[Region, int]:
        """The region of these roots and, where it shares code with regions of its kind, of theirs; and its rounds."""
        region = RegionBuilder(self.cpu.guest, blocks, roots, hot=hot, enter_all=landing).build()
        related = self._related(region, landing=landing)
        if not related:
            return region, 0
        roots = list(dict.fromkeys([*roots, *(root for one in related for root in one.roots)]))
        region = RegionBuilder(self.cpu.guest, blocks, roots, hot=hot, enter_all=landing).build()
        return region, 1 + max(one.rounds for one in related)

    def _waiting_near(self, pc: int) -> list[int]:
        return [hot for hot in self.waiting.values() if abs(hot - pc) < _NEAR]

    def _related(self, region: Region, *, landing: bool) -> list[Installed]:
        """The regions that share code with a new one and may still grow, the latest first."""
        pcs = {block.pc for block in region.blocks}
        return [
            one for one in sorted(self.installed, key=lambda one: -one.entry_records)
            if one.landing == landing and one.rounds < _MAX_ROUNDS and not pcs.isdisjoint(one.pcs)
        ]  # fmt: skip

    def block(self, pc: int, *, first: bool) -> GuestBlock | None:
        """The block at a guest address if it is translated and has run (see `regions.Blocks`)."""
        header = self.cpu.find(pc)
        if not header or (not first and not self.cpu.is_warm(header)):
            return None
        return self.cpu.block_at(header)

    def is_warm(self, pc: int) -> bool:
        """Whether a block has run often enough (see `regions.Blocks`)."""
        header = self.cpu.find(pc)
        return header != 0 and self.cpu.is_warm(header)

    def _compile(self, region: Region) -> Compiled:
        writer = ModuleWriter(host(), c.Reasons.table(self.cpu.guest.reasons))
        lowering = RegionLowering(writer, region.function, "region")
        writer.add(lowering.text())
        image = link([compile_text(writer.text(), REGION_PASSES)])
        maps = [(at, number - (1 << 64) if number >> 63 else number) for at, number in sorted(stackmaps(image))]
        blocks = []
        for block in region.blocks:
            code = self.cpu.memory.read(block.pc, block.end - block.pc)
            blocks.append((block.pc - region.origin, len(code), digest_of(code)))
        roots, entries = ([pc - region.origin for pc in pcs] for pcs in (region.roots, region.entries))
        return Compiled(image.code, image.symbols["region"], roots, entries, lowering.exits, maps, blocks)

    # --- installing ------------------------------------------------------------------------------------------------
    def _install(self, compiled: Compiled, origin: int, generation: int, rounds: int, landing: bool) -> None:
        with self.lock:
            if generation != self.generation:
                return
            entries = [origin + offset for offset in compiled.entries]
            present = next((one for one in self.installed if one.origin == origin and one.entries == entries), None)
            if present is None:
                present = self._place(compiled, origin, entries, rounds, landing)
            if present is not None:
                for number, pc in enumerate(entries):
                    header = self.cpu.find(pc)
                    if header:
                        self.cpu.enter_region(header, present.entry_records + record.SIZE * number)

    def _place(
        self, compiled: Compiled, origin: int, entries: list[int], rounds: int, landing: bool
    ) -> Installed | None:
        """Put a region's code and exit records in place; None if there is no room for the records."""
        size = record.SIZE * (1 + len(compiled.exits) + len(entries))
        if self.next_descriptor + size > _DESCRIPTORS_SIZE:
            return None
        base = code_cache().add(Image(compiled.code, {}, b"", 64))
        at = self.next_descriptor
        self.next_descriptor += size
        self.descriptors.put_u64(at + record.PC, origin)
        for number, offset in enumerate(compiled.exits):
            exit_at = at + record.SIZE * (1 + number)
            target = origin + offset
            self.descriptors.put_u64(exit_at + record.PC, target)
            self.descriptors.put_u64(exit_at + record.IMMEDIATE, target)
            self.descriptors.put_u64(exit_at + record.DISPLACEMENT, 0)
        entry_at = at + record.SIZE * (1 + len(compiled.exits))
        for number, pc in enumerate(entries):
            one_at = entry_at + record.SIZE * number
            self.descriptors.put_u64(one_at + record.HANDLER, base + compiled.entry)
            self.descriptors.put_u64(one_at + record.PC, pc)
            self.descriptors.put_u64(one_at + c.ENTRY_DESCRIPTOR, self.descriptors.address + at)
            self.descriptors.put_u64(one_at + record.FORM, number << 32)  # EXTRA is the upper half of that word
        one = Installed(
            base, base + len(compiled.code), origin, compiled.maps,
            [origin + offset for offset in compiled.roots], entries,
            frozenset(origin + offset for offset, _, _ in compiled.blocks),
            self.descriptors.address + entry_at, rounds, landing,
        )  # fmt: skip
        insort(self.installed, one, key=lambda i: i.base)
        return one

    def flush(self) -> None:
        """Drop all regions; called while no guest code of this CPU runs."""
        with self.lock:
            self.generation += 1
            for one in self.installed:
                code_cache().release(one.base)
            self.installed.clear()
            self.leaves.clear()
            self.deferred.clear()
            self.waiting.clear()
            self.next_descriptor = 0

    def after_fork(self) -> None:
        """In the child of a fork: the compiling thread is gone, and whatever it held with it."""
        self.lock = threading.Lock()
        self.thread = None

    def pc_of(self, host_pc: int) -> int | None:
        """The guest pc of an access by its host pc, if it lies in a region."""
        index = bisect_right(self.installed, host_pc, key=lambda i: i.base) - 1
        if index < 0 or host_pc >= self.installed[index].end:
            return None
        region = self.installed[index]
        place = bisect_right(region.maps, (host_pc - region.base, 1 << 62)) - 1
        return region.origin + region.maps[max(place, 0)][1] if region.maps else region.origin


class _Between:
    """The blocks that are not entries of a region proper."""

    def __init__(self, tier1: Tier1, entries: frozenset[int]) -> None:
        self.tier1, self.entries, self.leaves = tier1, entries, tier1.leaves

    def block(self, pc: int, *, first: bool) -> GuestBlock | None:
        return self.tier1.block(pc, first=first) if first or pc not in self.entries else None

    def is_warm(self, pc: int) -> bool:
        return self.tier1.is_warm(pc)
