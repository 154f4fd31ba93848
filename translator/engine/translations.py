"""What all hardware threads of a guest share: its translated code, and what there is to make it."""

from __future__ import annotations

from pathlib import Path

from metaphrase.backends.llvm import context as c
from metaphrase.backends.llvm.compile import load, loading_seconds
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.window import WINDOW_BITS
from metaphrase.translator.engine import precompiled
from metaphrase.translator.engine.block_table import BlockTable
from metaphrase.translator.engine.cache import Cache, default_folder
from metaphrase.translator.engine.calls import call_table
from metaphrase.translator.engine.code_pages import PAGE, CodePages
from metaphrase.translator.engine.handlers import Handlers
from metaphrase.translator.engine.host_memory import GuestMemory, HostBlock
from metaphrase.translator.engine.native import Runtime, code_cache, roots
from metaphrase.translator.engine.native_tables import NativeTables
from metaphrase.translator.engine.sizes import Sizes
from metaphrase.translator.engine.statistics import Statistics
from metaphrase.translator.engine.threads import Threads
from metaphrase.translator.engine.tier1 import Tier1
from metaphrase.translator.guest import Guest
from metaphrase.translator.host_calls import HostCalls

NEVER = 1 << 62
_STALE = 32 << 20
_HOT = 2000
_EAGER = 300


class Translations:
    """The translations of one guest's memory, for all its CPUs. What `NativeCpu` is told about them stands there.

    Whoever changes them holds the memory's lock, and what native code may be using is changed in a stop of all CPUs.
    """

    def __init__(
        self, guest: Guest, memory: GuestMemory, *, tier: str, cache: str | Path | None, exact: bool, sizes: Sizes
    ) -> None:
        if tier not in ("0", "1", "auto"):
            raise MetaphraseError(f"tier {tier!r} does not exist; choose 0, 1 or auto")
        self.guest, self.memory, self.tier, self.exact, self.sizes = guest, memory, tier, exact, sizes
        folder = None if cache == "off" else Path(cache) if cache is not None else default_folder()
        self.cache = Cache(guest.name, folder, installed=precompiled.folder())
        self.statistics = Statistics()
        self._tables = NativeTables(guest, self.cache)
        self.runtime, self.handlers = _shared(guest, self._tables.count, self.cache)
        self.threads = Threads()
        self._words = HostBlock(c.SHARED_SIZE)
        self.pages = CodePages(memory)
        self.blocks = BlockTable(guest, self.runtime, self.pages, self._words, sizes)
        self._hot = HostBlock(8 * c.HOT_QUEUE_LENGTH)
        self._calls: HostBlock | None = None
        self._stale = 0
        """Bytes of forgotten blocks in the arena."""
        self.put_word(c.HOT_THRESHOLD, {"0": NEVER, "1": _EAGER, "auto": _HOT}[tier])
        self.put_word(c.EXACT, exact)
        if self._tables.answers is not None:
            self.put_word(c.ANSWERS, self._tables.answers.address)
        self.tier1 = Tier1(self)

    def wire(self, context: HostBlock) -> None:
        """Tell the native code of one CPU, by its context, where everything is."""
        code, symbols = code_cache(), self.runtime.symbols
        for offset, value in {
            c.SHARED: self._words.address,
            c.LOOKUP_TABLE: self.blocks.lookup.address, c.LOOKUP_SHIFT: 64 - self.sizes.lookup_bits,
            c.LOOKUP_LIMIT: (1 << self.sizes.lookup_bits) // 2, c.DISPATCH: symbols["dispatch"],
            c.RESOLVE: symbols["resolve"], c.REGION_DISPATCH: symbols["region_dispatch"],
            c.REGION_CAREFUL: symbols["region_careful"],
            c.SETTLE: symbols.get("settle", 0),
            c.REGION_LEAVE: symbols["region_leave"],
            c.ARENA_END: self.blocks.arena.address + self.blocks.arena.size,
            c.FORMS: self.handlers.table.address, c.ROWS: self._tables.rows.address + 8,
            c.DECODER_TABLE: self._tables.decoder.address, c.CODE_PAGES: self.pages.table.address,
            c.CODE_PAGES_MASK: self.pages.mask, c.HOT_QUEUE: self._hot.address,
            c.HOT_WAITS: self.tier1.waits,
            c.WINDOW_BASE: self.memory.base, c.CODE_BEGIN: code.base, c.CODE_END: code.base + code.capacity,
            c.CODE_FAULTS: code.faults, c.DIRTY_PAGES: self.pages.dirty.address,
            c.WINDOW_SIZE: 1 << WINDOW_BITS, c.STOP_BEFORE: NEVER,
        }.items():  # fmt: skip
            context.put_u64(c.SIZE + offset, value)

    # --- exactness -------------------------------------------------------------------------------------------------
    def make_exact(self) -> None:
        """From now on, let registers be exact at every fault: the guest is going to handle its own."""
        if not self.exact:
            self.exact = True
            self.link_exactly()

    def link_exactly(self) -> None:
        """From now on, let tier 0 write flags wherever an instruction may stop, even if the next overwrites them."""
        if not self.word(c.EXACT):
            with self.memory.lock:
                self.put_word(c.EXACT, 1)
                self.flush()

    def must_be_exact(self, pc: int) -> bool:
        """Whether a region at a guest address must be exact at faults: the guest may see them, or write the code."""
        return self.exact or self.may_be_written(pc)

    def may_be_written(self, pc: int) -> bool:
        """Whether the guest may write the code at an address."""
        return self.pages.writable(pc // PAGE)

    # --- code ------------------------------------------------------------------------------------------------------
    def add_page(self, address: int) -> bool:
        """Allow translation from a page; False if the guest may not execute it."""
        if self.pages.full:
            self.flush(forget_pages=True)
        if self.pages.known(address // PAGE):
            return True  # another thread has come here too
        return self.pages.add(address, self.word(c.ARENA_NEXT))

    def close_pages(self, pages: set[int]) -> bool:
        """Have writes to some pages be noticed, where the guest may make them: regions are to be made of their code.
        Whether any of them was open."""
        if not any(map(self.pages.is_open, pages)):
            return False
        with self.memory.lock, self.threads.stopped:  # a write finds the page open, or closed and in the table
            self.clean_dirty_pages()
            for page in filter(self.pages.is_open, pages):
                self.pages.close(page)
        return True

    def clean_dirty_pages(self) -> None:
        """Forget regions of pages that the guest has written to; the signal handler has opened them already."""
        if not self.word(c.DIRTY_HEAD):
            return
        with self.threads.stopped:
            written = self.pages.take_written(self.word(c.DIRTY_HEAD))
            if written is None:
                self.flush(forget_pages=True)
            else:
                for page in written:
                    self.tier1.forget(page, page)
            self.put_word(c.DIRTY_HEAD, 0)  # the compiling thread trusts no code while there is one

    def invalidate(self, start: int, end: int) -> None:
        """Forget code translated from guest addresses [start, end): it is changing, or no longer executable."""
        with self.memory.lock:
            if not self.pages.any_in(start, end):
                return
            with self.threads.stopped:
                lost = self.pages.take(start, end)
                inside = [page for page in lost if start // PAGE <= page <= (end - 1) // PAGE]
                if inside:
                    self._forget(inside)
                for page in set(lost).difference(inside):
                    self._forget([page])

    def _forget(self, pages: list[int]) -> None:
        """Drop what was translated from some pages, which were taken out of the set of code pages."""
        first, last = min(pages), max(pages)
        state = self.threads.made[0].state
        self.tier1.forget(first, last)
        self._stale += self.runtime.forget(state, self.pages.first_block(pages, self.blocks.first), first, last)
        if self._stale > max(_STALE, self.blocks.size // 2):
            self.evict()

    def flush(self, *, forget_pages: bool = False) -> None:
        """Drop all translated blocks (handlers stay)."""
        with self.memory.lock, self.threads.stopped:
            self.statistics.flushes += 1
            if forget_pages:
                self.pages.forget_all()
            self.tier1.flush()
            self.blocks.clear()
            self.put_word(c.HOT_TAIL, self.word(c.HOT_HEAD))
            self.pages.forget_blocks()
            self._stale = 0
            for cpu in self.threads.made:
                cpu.forget_records()

    def evict(self) -> None:
        """Make room: nothing more can be translated."""
        self.statistics.evictions += 1
        self.flush()

    # --- calls of the host -----------------------------------------------------------------------------------------
    def answer_calls(self, described: HostCalls) -> None:
        """Have native code make host calls for guest code."""
        self._calls = call_table(self.guest, described, roots().block.address)
        self.put_word(c.CALLS, self._calls.address)

    def own_descriptors(self, first: int) -> None:
        """Descriptors from this one on may not be the guest's."""
        if self._calls is not None:
            self._calls.put_u64(c.CALL_OWN, first)

    # --- words that native code shares -----------------------------------------------------------------------------
    def word(self, offset: int) -> int:
        """A word that all hardware threads share (`backends.llvm.context`)."""
        return self._words.u64(offset)

    def put_word(self, offset: int, value: int) -> None:
        self._words.put_u64(offset, value)

    def hot_queue_entry(self, number: int) -> int:
        """The header of a block in the queue of those that became hot."""
        return self._hot.u64(8 * (number % c.HOT_QUEUE_LENGTH))

    def ask_for_attention(self) -> None:
        """Have some thread of the guest look after the compiling thread's wishes at its next block."""
        for cpu in self.threads.made:
            cpu.put_context_word(c.INTERRUPT, 1)

    # --- life ------------------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """As at the start of a process, whose memory is new."""
        with self.memory.lock, self.threads.stopped:
            self.pages.reset()
            self.flush()
            self.statistics.flushes = 0

    def need_no_files(self) -> None:
        """Import whatever may be wanted: its files may be out of reach from now on."""
        import metaphrase.translator.engine.handler_code
        import metaphrase.translator.engine.region_maker  # noqa: F401

        load()
        self.guest.need_no_files()

    @property
    def caches(self) -> tuple[Cache, Cache]:
        """Where regions, and handlers are kept."""
        return self.cache, self.handlers.cache

    def after_fork(self) -> None:
        """In the child of a fork: there is only the thread that calls this."""
        self.handlers.after_fork()
        self.tier1.after_fork()

    def update_statistics(self) -> Statistics:
        """The statistics, with what native code counts brought up to date."""
        statistics, made = self.statistics, self.threads.made
        statistics.region_instructions = sum(cpu.context_word(c.REGION_INSTRUCTIONS) for cpu in made)
        handled = sum(cpu.context_word(c.INSTRUCTIONS) for cpu in made)
        statistics.instructions = handled + statistics.region_instructions
        statistics.native_calls = sum(cpu.context_word(c.CALLS_MADE) for cpu in made)
        statistics.run_seconds = sum(cpu.run_seconds for cpu in made)
        statistics.blocks = self.word(c.BLOCKS)
        statistics.forms_compiled = self.handlers.compiled
        statistics.forms_cached = self.handlers.loaded
        statistics.arena_bytes = self.blocks.size
        statistics.region_records = self.tier1.next_record
        statistics.region_bytes = self.tier1.code_bytes
        statistics.installed_regions = len(self.tier1.installed)
        statistics.cache_hits, statistics.cache_misses = self.cache.hits, self.cache.misses
        statistics.llvm_load_seconds = loading_seconds()
        return statistics


_handlers: dict[tuple[str, Path | None], tuple[Runtime, Handlers]] = {}


def _shared(guest: Guest, rows: int, cache: Cache) -> tuple[Runtime, Handlers]:
    """The runtime and handlers of a guest: one of each serves every CPU of the process."""
    key = (guest.name, cache.folder)
    found = _handlers.get(key)
    if found is None:
        found = _handlers[key] = Runtime(guest, code_cache(), cache), Handlers(guest, rows, code_cache(), cache)
    return found
