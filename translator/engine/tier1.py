"""Tier 1: hot blocks become regions, compiled beside the running guest and installed with one pointer store."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from metaphrase.backends.llvm import context as c
from metaphrase.backends.llvm.before_code import place, slot_of
from metaphrase.backends.llvm.codecache import LINE, CodeCacheFull, room_for
from metaphrase.backends.llvm.compile import is_loaded
from metaphrase.backends.llvm.objects import Image
from metaphrase.ir import record
from metaphrase.translator.engine import descriptor_table
from metaphrase.translator.engine.code_pages import PAGE
from metaphrase.translator.engine.host_memory import HostBlock
from metaphrase.translator.engine.native import code_cache
from metaphrase.translator.engine.region_store import Compiled, RegionStore
from metaphrase.translator.engine.statistics import StageClock
from metaphrase.translator.engine.waiting import Waiting
from metaphrase.translator.importing import IMPORTING
from metaphrase.translator.mechanisms import uses

if TYPE_CHECKING:
    from metaphrase.translator.engine.region_maker import RegionMaker
    from metaphrase.translator.engine.translations import Translations

LOGGER = logging.getLogger("metaphrase.tier1")
_POLL_SECONDS = 0.001
_REST_SECONDS = 0.02
_IDLE_SECONDS = 0.1
"""With nothing to do for so long, the compiling thread waits until a thread of the guest wakes it."""
_LOOK_AGAIN_SECONDS = 1.0
"""How long it waits at most: a block may become hot just when it decides to."""
_WORTH_LOADING = 1_000_000
"""Runs of hot blocks in tier 0, all together, for which LLVM is loaded, if nothing else has needed it yet: by then they
have cost about as much as that does."""
_WORTH_COMPILING = 300_000
"""Runs of a block in tier 0 that make up for the time that compiling its region takes from the guest."""


def _pages(compiled: Compiled, origin: int) -> set[int]:
    """The guest pages that hold a region's code."""
    ends = (origin + offset + at for offset, length, _ in compiled.blocks for at in (0, length - 1))
    return {end // PAGE for end in ends}


class Installed(NamedTuple):
    """A region in place."""

    base: int
    pc: int
    pcs: frozenset[int]
    entry_record: int
    exits: int
    """How many exit records follow on that."""
    pages: frozenset[int]
    """Guest pages that hold its code."""


class Kind(NamedTuple):
    """What is wanted of the region for a hot block: exact at faults, and beginning at that block itself, because tier 0
    keeps coming to it though another region has it."""

    exact: bool
    landing: bool

    @property
    def name(self) -> str:
        """What the cache calls it."""
        return ("exact-" if self.exact else "") + ("landing" if self.landing else "region")


class Tier1:
    """The regions of one guest."""

    def __init__(self, owner: Translations) -> None:
        self.owner = owner
        self.store = RegionStore(owner.cache, owner.memory, owner.guest.dialect)
        self.lock = threading.Lock()
        self.generation = 0
        self.installed: list[Installed] = []
        """In the order of their host addresses."""
        self.by_pc: dict[int, Installed] = {}
        self.holders: Counter[int] = Counter()
        """By guest address, how many regions hold the block there."""
        self.records = HostBlock(owner.sizes.records)
        self.next_record = 0
        self.code_bytes = 0
        """Room that the code of the regions in place takes."""
        self.full = False
        """There is no room for more regions until a thread of the guest has dropped all, for which it was asked."""
        self.exits: defaultdict[int, list[int]] = defaultdict(list)
        """By guest address, the exit records that go there, as offsets."""
        self.by_page: defaultdict[int, list[Installed]] = defaultdict(list)
        """Regions by the guest pages that may hold code of theirs."""
        self.changed: list[tuple[int, int]] = []
        """Ranges of pages that were forgotten since the region was begun that is being compiled."""
        self.thread: threading.Thread | None = None
        self.stopping = False
        self._wakes = threading.Event()
        self._sleeps = False
        """Whether the compiling thread waits for being woken."""
        self._maker: RegionMaker | None = None
        self.deferred: dict[int, int] = {}
        """Blocks that became hot though regions had them already, and how many those were then."""
        self.waiting = Waiting(owner.blocks.runs)
        """Hot blocks that are not compiled yet."""
        self._host_cpus = len(os.sched_getaffinity(0))
        self.rest_until = 0.0
        """None of those was worth compiling: when to look at them again, as the monotonic clock has it."""

    # --- the compiling thread --------------------------------------------------------------------------------------
    def start(self) -> None:
        """Compile in the background, if it is not going on already."""
        self._wakes.set()
        if self.thread is None and not self.stopping:
            sys.setswitchinterval(0.0005)  # the guest's system calls wait for the lock that lifting holds
            self.thread = threading.Thread(target=self._work, name="metaphrase tier 1", daemon=True)
            self.thread.start()
            self._tell_whether_to_wait()

    @property
    def is_wanted(self) -> bool:
        """Whether there are hot blocks that nobody has looked at yet."""
        return self.owner.word(c.HOT_TAIL) != self.owner.word(c.HOT_HEAD)

    @property
    def waits(self) -> bool:
        """Whether a thread of the guest that finds a block hot is to come and see to it: else somebody else does."""
        return self.owner.tier == "1" or (self.owner.tier == "auto" and (self.thread is None or self._sleeps))

    def _tell_whether_to_wait(self) -> None:
        for cpu in self.owner.threads.made:
            cpu.put_context_word(c.HOT_WAITS, self.waits)

    def _work(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        descriptor_table.leave()
        busy_at = time.monotonic()
        while not self.stopping:
            if self.drain():
                busy_at = time.monotonic()
            elif time.monotonic() - busy_at < _IDLE_SECONDS:
                time.sleep(_POLL_SECONDS)
            else:
                self._sleep()

    def _sleep(self) -> None:
        """Wait until a block becomes hot; those that are not worth compiling yet are looked at now and then."""
        self._wakes.clear()
        self._sleeps = True
        self._tell_whether_to_wait()
        if not self.is_wanted and not self.stopping:
            self._wakes.wait(_IDLE_SECONDS if self.waiting else _LOOK_AGAIN_SECONDS)
        self._sleeps = False
        self._tell_whether_to_wait()

    def stop(self) -> None:
        """Compile no more: the guest's memory is about to go. Waits for what is being compiled."""
        self.stopping = True
        self._wakes.set()
        if self.thread is not None:
            self.thread.join()

    def drain(self) -> bool:
        """Look at one of the blocks that became hot; whether there was one.

        Whether the cache has its region is asked of each at once. Of those that must be compiled, the one comes first
        that has been run most often, or the one that leads there.
        """
        generation = self.generation
        if self.full:
            return False
        try:
            header = self._newly_hot()
            fresh = header != 0
            if not fresh:
                if not self.waiting or time.monotonic() < self.rest_until:
                    return False
                header = self.waiting.hottest() if self._is_worth_loading() else 0
                if not header or not self._is_worth_compiling(header):
                    self.rest_until = time.monotonic() + _REST_SECONDS
                    return False
                header = self.maker.leader(header, self.waiting.near(self.owner.blocks.record_pc(header)))
                self.waiting.remove(header)
            if fresh and not self.owner.blocks.is_settled(header):
                self.owner.blocks.count_again(header)
                return True
            pc = self.owner.blocks.record_pc(header)
            if fresh and not self.store.has(pc, self._kind(pc).name):
                self.waiting.add(header, pc)
            else:
                self.compile(header, generation, only_cached=fresh)
        except CodeCacheFull as error:
            self._ask_for_room(error)
        except Exception:  # anything may happen to a reader of records that are being dropped
            expected = generation != self.generation or bool(self.changed)
            level = logging.DEBUG if expected else logging.ERROR
            LOGGER.log(level, "a region could not be compiled; tier 0 goes on running it", exc_info=True)
        return True

    def _is_worth_loading(self) -> bool:
        """Whether the blocks that the cache does not have have run often enough for LLVM to be loaded: that costs more
        than compiling a few, and in a warm run there may be no more."""
        return is_loaded() or self.owner.tier == "1" or sum(map(self.owner.blocks.runs, self.waiting)) >= _WORTH_LOADING

    def _is_worth_compiling(self, header: int) -> bool:
        """Whether a block has run so often that its region is worth the time that compiling takes from the guest, where
        the guest has a thread for each of the host's CPUs. It takes none from it where a CPU is free."""
        busy = sum(cpu.uses_translations for cpu in self.owner.threads.made)
        free = self.owner.tier == "1" or busy < self._host_cpus
        return free or self.owner.blocks.runs(header) >= _WORTH_COMPILING

    def _ask_for_room(self, error: CodeCacheFull) -> None:
        """Let a thread of the guest drop everything at its next block, if that makes any room."""
        if self.installed:
            self.full = True
            self.owner.ask_for_attention()
        else:
            LOGGER.debug("a region stays in tier 0: %s", error)

    def _newly_hot(self) -> int:
        """Take the next header out of the queue of blocks that became hot; 0 if it is empty."""
        tail = self.owner.word(c.HOT_TAIL)
        if tail == self.owner.word(c.HOT_HEAD):
            return 0
        header = self.owner.hot_queue_entry(tail)
        self.owner.put_word(c.HOT_TAIL, tail + 1)
        return header

    def compile(self, header: int, generation: int, *, only_cached: bool) -> None:
        """Compile or find in the cache the region at a block; install it unless all code was dropped meanwhile. What is
        not in the cache waits, if that is all that is wanted."""
        begin = time.perf_counter()
        with self.lock:
            if generation != self.generation:
                return
            self.changed.clear()
            pc = self.owner.blocks.record_pc(header)
            usable = self.owner.blocks.is_usable(header) and not self.owner.blocks.is_region(header)
        if not usable or self._defer(header, pc):
            return
        self.owner.close_pages(self.owner.blocks.pages_of(header))
        kind = self._kind(pc)
        found = self.store.load(pc, kind.name)
        if found is not None and self.owner.close_pages(_pages(*found)):
            found = self.store.load(pc, kind.name)  # it may have been changed just before that
        if found is not None and (kind.exact or not self._may_be_written(*found)):
            self.owner.statistics.regions_cached += 1
        elif only_cached:
            self.waiting.add(header, pc)
            return
        else:
            found = self._make(header, kind, generation)
            if found is None:
                return
        compiled, origin = found
        self._install(compiled, origin, header, generation)
        if pc != origin:
            self._defer(header, pc)
        self.owner.statistics.region_seconds += time.perf_counter() - begin

    @property
    def maker(self) -> RegionMaker:
        """What makes regions that the cache does not have."""
        if self._maker is None:
            with IMPORTING:
                from metaphrase.translator.engine.region_maker import RegionMaker

            self._maker = RegionMaker(self.owner, self.store)
        return self._maker

    def _make(self, header: int, kind: Kind, generation: int) -> tuple[Compiled, int] | None:
        """Compile the region for a block, and put it into the cache; None if there is nothing to compile any more."""
        maker = self.maker  # imported before the lock is taken, for which threads of the guest may wait
        with self.owner.memory.lock, self.lock:
            block = self.owner.blocks.block_at(header) if generation == self.generation else None
        if block is None:
            return None
        near = [] if kind.landing else [*self.waiting.near(block.pc).values()]
        made = maker.make(block, near, exact=kind.exact)
        if made is None:
            return None
        compiled, origin, clock = made.compiled, made.origin, StageClock()
        with self.lock:
            # a page that was written to, which nobody has seen to yet, may have other code than was compiled
            if not self._is_current(compiled, origin, generation) or self.owner.word(c.DIRTY_HEAD):
                self._try_again(header, generation)
                return None
        self.store.store(compiled, origin, {block.pc - origin, 0}, kind.name, dialect=made.dialect)
        self.owner.statistics.regions += 1
        self.owner.statistics.compiled_instructions += made.instructions
        self.owner.statistics.install_seconds += clock.lap()
        return compiled, origin

    def _kind(self, pc: int) -> Kind:
        return Kind(exact=self.owner.must_be_exact(pc), landing=pc in self.deferred)

    def _defer(self, header: int, pc: int) -> bool:
        """Whether a region that has the block, though not as an entry, is given another chance to be the one that runs.

        Tier 0 may have come to the block on its way to that region's entry. If it keeps coming, or is in a loop there,
        the block gets a region of its own. Code behind it is then in both, which costs less than a region that is
        entered in its middle. It must keep coming after the last region that has the block was installed: of a chain of
        blocks that become hot together, the first gets a region, and the others are in it.
        """
        regions = self.holders[pc]
        if not uses("landings"):
            return regions > 0
        if regions == self.deferred.get(pc, 0):
            return False
        self.deferred[pc] = regions
        self.owner.blocks.count_again(header)
        return True

    # --- installing ------------------------------------------------------------------------------------------------
    def _install(self, compiled: Compiled, origin: int, header: int, generation: int) -> None:
        with self.lock:
            if not self._is_current(compiled, origin, generation):
                self._try_again(header, generation)
                return
            present = self.by_pc.get(origin)
            if present is None:
                present = self._place(compiled, origin)
            entered = self.owner.blocks.find(origin)
            if entered:
                self._enter_by(entered, present.entry_record)

    def _may_be_written(self, compiled: Compiled, origin: int) -> bool:
        """Whether the guest may write some of the code that a region was made of."""
        return any(self.owner.may_be_written(page * PAGE) for page in _pages(compiled, origin))

    def _is_current(self, compiled: Compiled, origin: int, generation: int) -> bool:
        """Whether no code that a region was made of was forgotten, or changed, since it was begun."""
        if generation != self.generation:
            return False
        pages = _pages(compiled, origin)
        if any(map(self.owner.pages.is_open, pages)):
            return False
        return not any(first <= page <= last for first, last in self.changed for page in pages)

    def _try_again(self, header: int, generation: int) -> None:
        """Let a block become hot again whose region was not used."""
        if generation == self.generation:
            self.owner.blocks.count_again(header)

    def _place(self, compiled: Compiled, origin: int) -> Installed:
        """Put a region's code, its entry record and its exit records in place. Raises CodeCacheFull."""
        size = record.SIZE * (1 + len(compiled.exits))
        code = bytearray(compiled.code)
        place(code, compiled.entry, origin, self.records.address + self.next_record, len(compiled.exits))
        image = Image(bytes(code), {}, LINE, compiled.faults, compiled.cold, tuple(compiled.crossings))
        room = room_for(image)
        sizes = self.owner.sizes
        if self.next_record + size > sizes.records or self.code_bytes + room > sizes.regions:
            raise CodeCacheFull(f"no room for a region with {room} bytes of code and {size} of records")
        at = self.next_record
        base = code_cache().add(image)
        self.code_bytes += room
        self.next_record += size
        self.records.put_u64(at + c.CODE, base + compiled.entry)
        if self._may_be_written(compiled, origin):
            self.records.put_u64(at + c.HEADER_REGION, base + compiled.entry)
            self.records.put_u64(at + c.CODE, self.owner.runtime.symbols["region_checked"])
        self.records.put_u64(at + record.PC, origin)
        self.records.put_u64(at + record.IMMEDIATE, origin)
        for number, offset in enumerate(compiled.exits, start=1):
            exit_at = at + record.SIZE * number
            target = origin + offset
            self.records.put_u64(exit_at + record.PC, target)
            self.records.put_u64(exit_at + record.IMMEDIATE, target)
            self.records.put_u64(exit_at + record.DISPLACEMENT, base + compiled.entry + slot_of(number))
            self.records.put_u64(exit_at + c.CODE, self.owner.runtime.symbols["region_resolve"])
            self.exits[target].append(exit_at)
        one = Installed(
            base, origin,
            frozenset(origin + offset for offset, _, _ in compiled.blocks), self.records.address + at,
            len(compiled.exits), frozenset(_pages(compiled, origin)),
        )  # fmt: skip
        insort(self.installed, one, key=lambda i: i.base)
        self.by_pc[origin] = one
        self.holders.update(one.pcs)
        for page in one.pages:
            self.by_page[page].append(one)
        return one

    def _enter_by(self, header: int, entry: int) -> None:
        """Make all that comes to a block go to an entry record, regions without a detour."""
        self.owner.blocks.enter_region(header, entry)
        for exit_at in self.exits.get(self.owner.blocks.record_pc(header), ()):
            self._chain(exit_at, entry)

    def _chain(self, exit_at: int, target: int) -> None:
        """Let an exit record lead to another record, or by itself to the runtime: one store to its region's slot."""
        ctypes.c_uint64.from_address(self.records.u64(exit_at + record.DISPLACEMENT)).value = target

    def forget(self, first: int, last: int) -> None:
        """Drop the regions that hold code of a range of pages; called while no guest code runs."""
        with self.lock:
            self.changed.append((first, last))
            known = () if self._maker is None else self._maker.looked_at
            some = [first] if first == last else [*self.by_page, *known]  # a range may be all of memory
            pages = {page for page in some if first <= page <= last}
            for page in pages:
                while found := self.by_page.get(page):
                    self._drop(found[-1])
            if self._maker is not None:
                self._maker.forget(pages)

    def _drop(self, one: Installed) -> None:
        """Take a region out of its place: nothing leads to it any more. Its records are not used again."""
        del self.installed[self._index(one.base)]
        del self.by_pc[one.pc]
        for pc in one.pcs:
            self.holders[pc] -= 1
            if not self.holders[pc]:
                del self.holders[pc]
        for page in one.pages:
            self.by_page[page].remove(one)
            if not self.by_page[page]:
                del self.by_page[page]
        self.owner.blocks.leave_region(one.pc)
        for exit_at in self.exits.get(one.pc, ()):
            self._chain(exit_at, self.records.address + exit_at)
        entry_at = one.entry_record - self.records.address
        for exit_at in range(entry_at + record.SIZE, entry_at + record.SIZE * (1 + one.exits), record.SIZE):
            target = self.records.u64(exit_at + record.PC)
            self.exits[target].remove(exit_at)
            if not self.exits[target]:
                del self.exits[target]
        self.code_bytes -= code_cache().release(one.base)

    def flush(self) -> None:
        """Drop all regions; called while no guest code runs."""
        with self.lock:
            self.generation += 1
            code_cache().release_all(one.base for one in self.installed)
            self.installed.clear()
            self.by_pc.clear()
            self.holders.clear()
            self.exits.clear()
            self.by_page.clear()
            if self._maker is not None:
                self._maker.forget_all()
            self.deferred.clear()
            self.waiting.clear()
            self.next_record = self.code_bytes = 0
            self.full = False

    def after_fork(self) -> None:
        """In the child of a fork: the compiling thread is gone, and whatever it held with it."""
        self.lock = threading.Lock()
        if self.thread is not None:
            self._wakes = threading.Event()
            self.thread, self._sleeps = None, False
        self._tell_whether_to_wait()

    def checkpoint(self, at: int) -> int | None:
        """The guest address of a checkpoint, if a record of a region lies at that host address."""
        offset = at - self.records.address
        return self.records.u64(offset + record.IMMEDIATE) if 0 <= offset < self.next_record else None

    def region_at(self, host_pc: int) -> int | None:
        """Where the region begins, if there is one at a host pc."""
        image = code_cache().image_at(host_pc)
        index = self._index(image or 0)
        found = self.installed[index] if index < len(self.installed) else None
        return found.pc if found is not None and found.base == image else None

    def _index(self, base: int) -> int:
        """Where the region that has been placed at a host address stands, or would."""
        return bisect_left(self.installed, base, key=lambda one: one.base)
