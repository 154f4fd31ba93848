"""Tier 1: hot blocks become regions, compiled beside the running guest and installed with one pointer store."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import signal
import sys
import threading
import time
from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaphrase.backends.llvm import context as c
from metaphrase.backends.llvm.codecache import CodeCacheFull
from metaphrase.backends.llvm.compile import REGION_PASSES, compile_text, host
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import Image, link, stackmaps
from metaphrase.backends.llvm.region import RegionLowering
from metaphrase.ir import passes, record
from metaphrase.translator.engine.host_memory import HostBlock
from metaphrase.translator.engine.native import code_cache
from metaphrase.translator.engine.regions import GuestBlock, Region, RegionBuilder

if TYPE_CHECKING:
    from metaphrase.translator.engine.cpu import NativeCpu

LOGGER = logging.getLogger("metaphrase.tier1")
_DESCRIPTORS_SIZE = 64 << 20
_POLL_SECONDS = 0.001
_NEAR = 1024
"""Bytes within which blocks that are hot at the same time are taken for parts of one function."""
_MAX_ROUNDS = 4
_KEY_BYTES = 192
_PAGE = 4096
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
class Compiled:
    """A region's code and what is needed to install it anywhere: everything is relative to its origin."""

    code: bytes
    entry: int
    entries: list[int]
    exits: list[int]
    maps: list[tuple[int, int]]
    """(offset in the code, offset of the guest pc): each guest access lies behind its entry."""
    blocks: list[tuple[int, int, str]]
    """(offset, bytes, digest) of the guest code it was made of."""


@dataclass(slots=True)
class Installed:
    """A region in place; `rounds` counts how often it was made anew to take more in."""

    base: int
    end: int
    origin: int
    maps: list[tuple[int, int]]
    entries: list[int]
    pcs: frozenset[int]
    entry_records: int
    rounds: int


class Tier1:
    """The regions of one CPU."""

    def __init__(self, cpu: NativeCpu) -> None:
        self.cpu = cpu
        self.lock = threading.Lock()
        self.generation = 0
        self.installed: list[Installed] = []
        self.descriptors = HostBlock(_DESCRIPTORS_SIZE)
        self.next_descriptor = 0
        self.thread: threading.Thread | None = None
        self.stopping = False
        self.leaves: dict[int, bool] = {}

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
        """Compile one of the blocks that became hot; whether there was one."""
        cpu = self.cpu
        tail = cpu.context_word(c.HOT_TAIL)
        if tail == cpu.context_word(c.HOT_HEAD):
            return False
        generation = self.generation
        header = cpu.hot_queue_entry(tail)
        cpu.put_context_word(c.HOT_TAIL, tail + 1)
        try:
            self.compile(header, generation)
        except CodeCacheFull:
            LOGGER.warning("the code cache is full: no more regions until the next flush")
        except Exception:  # anything may happen to a reader of records that are being dropped
            if generation == self.generation:
                LOGGER.exception("a region could not be compiled; tier 0 goes on running it")
        return True

    def compile(self, header: int, generation: int) -> None:
        """Compile or find in the cache the region at a block; install it unless all code was dropped meanwhile."""
        begin = time.perf_counter()
        with self.lock:
            if generation != self.generation:
                return
            block = self.cpu.block_at(header)
        if block is None or self.cpu.is_region(header):
            return
        found = self._cached(block)
        if found is not None:
            compiled, origin = found
            self.cpu.statistics.regions_cached += 1
            self._install(compiled, origin, generation, 0)
        else:
            region, rounds = self._select(block.pc)
            passes.run(region.function)
            compiled = self._compile(region)
            with self.lock:
                if generation != self.generation:
                    return
            self._store(region, compiled)
            self.cpu.statistics.regions += 1
            self._install(compiled, region.origin, generation, rounds)
        self.cpu.statistics.region_seconds += time.perf_counter() - begin

    def _select(self, pc: int) -> tuple[Region, int]:
        """The region to make for a hot block, and how many rounds of growth it has behind it.

        Blocks nearby that became hot too are taken in as entries. A region that shares code with it is made anew with
        this entry, so that a function ends up in one region and not in one for each of its blocks.
        """
        waiting = [hot for hot in self.cpu.waiting_blocks() if abs(hot - pc) < _NEAR]
        roots = [pc, *waiting]
        region = RegionBuilder(self.cpu.guest, self, roots).build()
        pcs = {block.pc for block in region.blocks}
        related = [one for one in self.installed if one.rounds < _MAX_ROUNDS and not pcs.isdisjoint(one.pcs)]
        if not related:
            return region, 0
        roots = [entry for one in related for entry in one.entries] + roots
        region = RegionBuilder(self.cpu.guest, self, list(dict.fromkeys(roots)), hot=pc).build()
        return region, 1 + max(one.rounds for one in related)

    def block(self, pc: int, *, first: bool) -> GuestBlock | None:
        """The block at a guest address if it is translated and has run (see `regions.Blocks`)."""
        header = self.cpu.find(pc)
        if not header or (not first and not self.cpu.is_warm(header)):
            return None
        return self.cpu.block_at(header)

    def _compile(self, region: Region) -> Compiled:
        writer = ModuleWriter(host(), c.Reasons.table(self.cpu.guest.reasons))
        lowering = RegionLowering(writer, region.function, "region")
        writer.add(lowering.text())
        image = link([compile_text(writer.text(), REGION_PASSES)])
        maps = [(at, number - (1 << 64) if number >> 63 else number) for at, number in sorted(stackmaps(image))]
        blocks = []
        for block in region.blocks:
            code = self.cpu.memory.read(block.pc, block.end - block.pc)
            blocks.append((block.pc - region.origin, len(code), _digest(code)))
        entries = [pc - region.origin for pc in region.entries]
        return Compiled(image.code, image.symbols["region"], entries, lowering.exits, maps, blocks)

    # --- the cache -------------------------------------------------------------------------------------------------
    def _key(self, pc: int) -> str:
        """Names a region by the code at its beginning: more of it than one block, since many begin alike."""
        return f"region-{_digest(self.cpu.memory.read(pc, min(_KEY_BYTES, -pc % _PAGE or _PAGE)))}"

    def _cached(self, block: GuestBlock) -> tuple[Compiled, int] | None:
        """The region that the cache has for a hot block, and the address it begins at; None if memory differs."""
        found = self.cpu.cache.load(self._key(block.pc))
        if found is None:
            return None
        header, _, code = found
        origin = block.pc
        if "alias" in header:  # another block's region has this one as an entry
            origin = block.pc - header["offset"]
            found = self.cpu.cache.load(header["alias"])
            if found is None:
                return None
            header, _, code = found
        for offset, length, digest in header["blocks"]:
            try:
                now = self.cpu.memory.read(origin + offset, length)
            except Exception as error:  # whatever the machine raises for memory that is not there
                LOGGER.debug("a cached region does not fit: %s", error)
                return None
            if _digest(now) != digest:
                return None
        maps = [(at, offset) for at, offset in header["maps"]]
        compiled = Compiled(code, header["entry"], header["entries"], header["exits"], maps, header["blocks"])
        return compiled, origin

    def _store(self, region: Region, compiled: Compiled) -> None:
        key = self._key(region.origin)
        header: dict[str, Any] = {
            "entry": compiled.entry, "entries": compiled.entries, "exits": compiled.exits, "maps": compiled.maps,
            "blocks": compiled.blocks,
        }  # fmt: skip
        self.cpu.cache.store(key, header, compiled.code)
        for pc in region.entries[1:]:
            alias = self._key(pc)
            if alias != key:
                self.cpu.cache.store(alias, {"alias": key, "offset": pc - region.origin}, b"")

    # --- installing ------------------------------------------------------------------------------------------------
    def _install(self, compiled: Compiled, origin: int, generation: int, rounds: int) -> None:
        with self.lock:
            if generation != self.generation:
                return
            entries = [origin + offset for offset in compiled.entries]
            present = next((one for one in self.installed if one.origin == origin and one.entries == entries), None)
            if present is None:
                present = self._place(compiled, origin, entries, rounds)
            if present is not None:
                for number, pc in enumerate(entries):
                    header = self.cpu.find(pc)
                    if header:
                        self.cpu.enter_region(header, present.entry_records + record.SIZE * number)

    def _place(self, compiled: Compiled, origin: int, entries: list[int], rounds: int) -> Installed | None:
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
            base, base + len(compiled.code), origin, compiled.maps, entries,
            frozenset(origin + offset for offset, _, _ in compiled.blocks),
            self.descriptors.address + entry_at, rounds,
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


def _digest(code: bytes) -> str:
    return hashlib.blake2b(code, digest_size=12).hexdigest()

