"""A guest hardware thread that runs on native code: tier 0 at once, tier 1 where it becomes hot."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from metaphrase.backends.llvm import context as c
from metaphrase.backends.llvm.codecache import CodeCacheFull
from metaphrase.backends.llvm.compile import loading_seconds
from metaphrase.backends.llvm.context import Reasons
from metaphrase.ir import record
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.passes.environment import ENVIRONMENT_SLOT
from metaphrase.ir.types import I64
from metaphrase.translator.engine import precompiled
from metaphrase.translator.engine.block_table import BlockTable
from metaphrase.translator.engine.cache import Cache, default_folder
from metaphrase.translator.engine.code_pages import PAGE, CodePages
from metaphrase.translator.engine.handlers import Handlers
from metaphrase.translator.engine.host_memory import GuestMemory, HostBlock, set_gs_base
from metaphrase.translator.engine.native import Runtime, code_cache, roots
from metaphrase.translator.engine.sizes import Sizes
from metaphrase.translator.engine.statistics import Statistics
from metaphrase.translator.engine.tier1 import Tier1
from metaphrase.translator.exits import Exit
from metaphrase.translator.guest import Guest

_STALE = 32 << 20
_HOT = 2000
_EAGER = 300
_NEVER = 1 << 62
_MASKS = 0x1F80
"""The bits of the floating-point environment that mask exceptions."""
_SIZES = Sizes()
_thread = threading.local()
"""What the thread last entered: (state, base of the window, changes of the roots by then)."""


class NativeCpu:
    """One guest hardware thread over `memory`.

    tier     "0": handlers only; "1": the guest waits for the region of a block that became hot; "auto": regions are
             compiled beside the running guest
    cache    folder of the persistent cache; None for the default, "off" for none
    exact    whether all registers are to be exact at a fault, which costs regions some stores and tier 0 some flags;
             else only where somebody may see it, see `make_exact`. They are exact at every other stop in any case.
    sizes    how much memory translations may take
    """

    def __init__(
        self, guest: Guest, memory: GuestMemory, *, tier: str = "auto", cache: str | Path | None = None,
        exact: bool = False, sizes: Sizes = _SIZES,
    ) -> None:  # fmt: skip
        if tier not in ("0", "1", "auto"):
            raise MetaphraseError(f"tier {tier!r} does not exist; choose 0, 1 or auto")
        self.guest, self.memory, self.tier = guest, memory, tier
        self.name = guest.name
        self.exact = exact
        self.sizes = sizes
        folder = None if cache == "off" else Path(cache) if cache is not None else default_folder()
        self.cache = Cache(guest.name, folder, installed=precompiled.folder())
        self.statistics = Statistics()
        self.runtime, self.handlers = _shared(guest, self.cache)
        self._memory = HostBlock(c.SIZE + c.jump_cache(guest.layout) + (c.JUMP_ENTRY << c.JUMP_CACHE_BITS))
        self.state = self._memory.address + c.SIZE
        self._view = self._memory.view[c.SIZE :]
        self._whole_words = {
            slot.name: (c.SIZE + slot.offset) // 8
            for slot in guest.layout
            if slot.type is I64 and slot.offset % 8 == 0 and slot.name not in guest.special_registers
        }
        """Where in the context's memory the 64-bit registers are, in words."""
        environment = guest.layout.slots.get(ENVIRONMENT_SLOT)
        self._environment = (c.SIZE + environment.offset) // 8 if environment is not None else -1
        self._environment_shift = environment.offset % 8 * 8 if environment is not None else 0
        self._pages = CodePages(memory)
        self.blocks = BlockTable(guest, self.runtime, self._pages, self._memory, sizes)
        self._hot = HostBlock(8 * c.HOT_QUEUE_LENGTH)
        self._rows = HostBlock(8 + len(guest.rows))
        table = guest.decoder_table()
        self._decoder_table = HostBlock(len(table))
        self._decoder_table.view[: len(table)] = table
        self._stale = 0
        """Bytes of forgotten blocks in the arena."""
        self._resume_record = 0
        self._stop_before = 0
        self.tier1 = Tier1(self)
        self._wire()
        self.reset()
        roots().install(self.runtime.symbols["on_signal"])

    # --- registers -------------------------------------------------------------------------------------------------
    def get(self, register: str) -> int:
        """A register's value by name; derived ones (x86 rflags) are put together by the guest."""
        word = self._whole_words.get(register)
        if word is not None:
            return self._memory.words[word]
        special = self.guest.special_registers.get(register)
        if special is not None:
            return special[0](self)
        return self.get_slot(register)

    def set(self, register: str, value: int) -> None:
        """Set a register; values are taken modulo its width."""
        special = self.guest.special_registers.get(register)
        if special is not None:
            special[1](self, value)
        elif (word := self._whole_words.get(register)) is not None:
            self._memory.words[word] = value & (1 << 64) - 1
        else:
            self.set_slot(register, value)
        if register == self.guest.program_counter:
            self._resume_record = 0

    def get_slot(self, name: str) -> int:
        """The raw bits of a slot of the guest's layout."""
        slot = self.guest.layout[name]
        return int.from_bytes(self._view[slot.offset : slot.end], "little")

    def set_slot(self, name: str, value: int) -> None:
        slot = self.guest.layout[name]
        self._view[slot.offset : slot.end] = (value & slot.type.mask).to_bytes(slot.type.bytes, "little")

    def save_fp(self) -> bytes:
        """The floating-point state as a signal frame holds it."""
        return self.guest.save_fp(self)

    def load_fp(self, image: bytes) -> None:
        """Bring back what `save_fp` gave."""
        self.guest.load_fp(self, image)

    def hardware_capabilities(self) -> tuple[int, int] | None:
        """AT_HWCAP and AT_HWCAP2, if the guest says."""
        return self.guest.hardware_capabilities()

    @property
    def pc(self) -> int:
        return self.get(self.guest.program_counter)

    @pc.setter
    def pc(self, value: int) -> None:
        self.set(self.guest.program_counter, value)

    @property
    def state_bytes(self) -> memoryview:
        """The guest's state, laid out as its `Layout` says."""
        return self._view[: self.guest.layout.size]

    # --- running ---------------------------------------------------------------------------------------------------
    def run(self) -> Exit:
        """Run until something needs the machine."""
        self._enter_thread()
        if self.tier == "auto":
            self.tier1.start()
        begin = time.perf_counter()
        try:
            while True:
                if self._unmasks_exceptions():
                    self._put(c.ONLY_TIER_0, 1)  # a region would not know where the exception was
                    self._link_exactly()
                reason = self.runtime.enter(self.state, self._resume_record)
                self._resume_record = 0
                self._put(c.ONLY_TIER_0, 0)
                stop = self._handle(reason)
                if stop is not None:
                    return stop
        finally:
            self.statistics.run_seconds += time.perf_counter() - begin

    def make_exact(self) -> None:
        """From now on, let registers be exact at every fault: the guest is going to handle its own."""
        if not self.exact:
            self.exact = True
            self._link_exactly()

    def _link_exactly(self) -> None:
        """From now on, let tier 0 write flags wherever an instruction may stop, even if the next overwrites them."""
        if not self._word(c.EXACT):
            self._put(c.EXACT, 1)
            self.flush()

    def must_be_exact(self, pc: int) -> bool:
        """Whether a region at a guest address must be exact at faults: the guest may see them, or write the code."""
        return self.exact or self.may_be_written(pc)

    def may_be_written(self, pc: int) -> bool:
        """Whether the guest may write the code at an address."""
        return self._pages.writable(pc // PAGE)

    def interrupt(self) -> None:
        """Make `run` return soon, or at once when it is entered next."""
        self._wants_interrupt = True
        self._put(c.INTERRUPT, 1)

    def _handle(self, reason: int) -> Exit | None:
        """Serve the engine's own exits; the others are the machine's."""
        if reason == Reasons.SYSCALL:
            return Exit("syscall", self.pc)
        if reason == Reasons.FORMS:
            self._compile_forms(self._word(c.EXIT_RECORD))
            return None
        if reason == Reasons.CODE_PAGE:
            return self._new_code_page(self._word(c.FAULT_ADDRESS))
        if reason == Reasons.FAULT:
            return self._fault()
        if reason == Reasons.INTERRUPT:
            return self._interrupted()
        if reason in (Reasons.ARENA, Reasons.LOOKUP):
            self._evict()
            return None
        if reason == Reasons.FLUSH:
            self.flush()
            return None
        if reason == Reasons.ILLEGAL:
            return Exit("trap", self.pc, trap=self.guest.trap_of(self._code_at(self.pc)))
        name = self.guest.reasons[reason - Reasons.FIRST_GUEST]
        service = self.guest.services.get(name)
        if service is not None:
            service(self)
            return None
        return Exit("trap", self.pc, trap=name)

    def _unmasks_exceptions(self) -> bool:
        """Whether the guest has unmasked floating-point exceptions, which the host then takes."""
        if self._environment < 0:
            return False
        if self._memory.words[self._environment] >> self._environment_shift & _MASKS == _MASKS:
            return False
        roots().install_for_floats(self.runtime.symbols["on_signal"])
        return True

    def _enter_thread(self) -> None:
        """Tell native code that this thread runs this guest, if another thread or guest did last."""
        now = (self.state, self.memory.base, roots().changes)
        if getattr(_thread, "entered", None) != now:
            set_gs_base(self.memory.base)
            roots().attach(self.state)
            _thread.entered = (self.state, self.memory.base, roots().changes)

    def _interrupted(self) -> Exit | None:
        self._put(c.INTERRUPT, 0)
        if self._word(c.DIRTY_HEAD):
            self._clean_dirty_pages()
        if self.tier == "1":
            while self.tier1.drain():
                pass
        if self.tier1.full:
            self._evict()
        if self._wants_interrupt:
            self._wants_interrupt = False
            return Exit("interrupt", self.pc)
        return None

    def _fault(self) -> Exit | None:
        address = self._word(c.FAULT_ADDRESS)
        host_pc = self._word(c.FAULT_HOST_PC)
        decoding = self._word(c.DECODING_PC)
        if host_pc and decoding:
            self._put(c.DECODING_PC, 0)
            start = self.pc_of_decoding(decoding)
            if start != decoding:  # the block is cut before the instruction that cannot be fetched
                self._put(c.STOP_BEFORE, decoding)
                self.pc = start
                return None
            self.pc = decoding
            return Exit("fault", decoding, address, "execute")
        if self._word(c.FAULT_WRITE) == c.FLOAT_FAULT:
            self.pc = self.blocks.record_pc(self._word(c.EXIT_RECORD))
            return Exit("trap", self.pc, trap="simd_exception")
        checkpoint = self.tier1.checkpoint(self._word(c.EXIT_RECORD))
        if checkpoint is not None:  # tier 0 finds the fault again, and all registers as they are there
            self.pc = checkpoint
            self._put(c.ONLY_TIER_0, 1)
            return None
        if host_pc:
            region = self.tier1.region_at(host_pc)
            self.pc = self.blocks.record_pc(self._word(c.EXIT_RECORD)) if region is None else region
        write = self._word(c.FAULT_WRITE)
        if write and self._pages.writable(address // PAGE):
            self._rewrite_own_code(address // PAGE)
            return None
        return Exit("fault", self.pc, address & (1 << 64) - 1, "write" if write else "read")

    def _rewrite_own_code(self, page: int) -> None:
        """Go on with a copy of the record that writes to the page its instruction lies in, in a block of its own.

        What comes behind may be what it changes, and is translated again. Its page is open until then.
        """
        data = self.blocks.record_at(self._word(c.EXIT_RECORD))
        self._pages.open(page)
        self._pages.written.add(page)
        self._forget([page])
        forms = self.handlers.table
        self._resume_record = self.blocks.put_alone(data, lambda form: forms.u64(form * c.FORM_SIZE))

    def _code_at(self, pc: int) -> bytes:
        """The bytes of the instruction at pc, and what follows in its page."""
        length = min(self.guest.longest, PAGE - pc % PAGE)
        code = self.memory.read(pc, length)
        if length < self.guest.longest and self.memory.check_execute(pc + length):
            code += self.memory.read(pc + length, self.guest.longest - length)
        return code

    def pc_of_decoding(self, decoding: int) -> int:
        """The start of the block that was being translated when fetching the instruction at `decoding` faulted."""
        first = self.blocks.record_pc(self._word(c.ARENA_NEXT) + record.SIZE)
        return decoding if self._word(c.STOP_BEFORE) == decoding else first or decoding

    def _new_code_page(self, address: int) -> Exit | None:
        """Allow translation from a page, once the guest may execute it; write-protect it if the guest may write it."""
        if self._pages.full:
            self.flush(forget_pages=True)
        added = self._pages.add(address, self._word(c.ARENA_NEXT))
        return None if added else Exit("fault", self.pc, address, "execute")

    def _clean_dirty_pages(self) -> None:
        """Forget code of pages that the guest has written to; the signal handler has opened them already."""
        written = self._pages.take_written(self._word(c.DIRTY_HEAD))
        if written is None:
            self.flush(forget_pages=True)
        else:
            for page in written:
                self._forget([page])
        self._put(c.DIRTY_HEAD, 0)  # the compiling thread trusts no code while there is one

    # --- code ------------------------------------------------------------------------------------------------------
    def invalidate(self, start: int, end: int) -> None:
        """Forget code translated from guest addresses [start, end): it is changing, or no longer executable."""
        lost = self._pages.take(start, end)
        if lost:
            self._forget(lost)

    def _forget(self, pages: list[int]) -> None:
        """Drop what was translated from some pages, which were taken out of the set of code pages."""
        first, last = min(pages), max(pages)
        self.tier1.forget(first, last)
        self._stale += self.runtime.forget(self.state, self._pages.first_block(pages, self.blocks.first), first, last)
        if self._stale > max(_STALE, self.blocks.size // 2):
            self._evict()

    def flush(self, *, forget_pages: bool = False) -> None:
        """Drop all translated blocks (handlers stay)."""
        self.statistics.flushes += 1
        if forget_pages:
            self._pages.forget_all()
        self.tier1.flush()
        self.blocks.clear()
        self._put(c.HOT_TAIL, self._word(c.HOT_HEAD))
        self._pages.forget_blocks()
        self._stale = 0
        self._put(c.STOP_BEFORE, _NEVER)
        self._resume_record = 0

    def _evict(self) -> None:
        """Make room: nothing more can be translated."""
        self.statistics.evictions += 1
        self.flush()

    def _compile_forms(self, failed: int) -> None:
        """Compile the handlers that a block wants, and link it again."""
        begin = time.perf_counter()
        header = self.blocks.header_of(failed)
        try:
            self.handlers.ensure(self.blocks.forms(header))
            self.runtime.link_block(self.state, header)
            self._resume_record = failed
        except CodeCacheFull:
            if not self.tier1.installed:
                raise
            self._evict()  # handlers are not evicted, but regions make room for them
        self.statistics.compile_seconds += time.perf_counter() - begin

    # --- what tier 1 asks ------------------------------------------------------------------------------------------
    def context_word(self, offset: int) -> int:
        """A word of the context (`backends.llvm.context`)."""
        return self._word(offset)

    def put_context_word(self, offset: int, value: int) -> None:
        self._put(offset, value)

    def hot_queue_entry(self, number: int) -> int:
        """The header of a block in the queue of those that became hot."""
        return self._hot.u64(8 * (number % c.HOT_QUEUE_LENGTH))

    # --- life ------------------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """Every register to its state at the start of a process; all translated code forgotten."""
        self._view[: self.guest.layout.size] = bytes(self.guest.layout.size)
        for name, value in self.guest.reset_values.items():
            self.set_slot(name, value)
        self._wants_interrupt = False
        self._pages.reset()
        self.flush()
        self.statistics.flushes = 0

    def save_translations(self) -> None:
        """Put into the persistent cache what waits to be put there."""
        self.handlers.save()

    def after_fork(self) -> None:
        """In the child of a fork: this is the only thread."""
        roots().attach(self.state)
        self.handlers.after_fork()
        self.tier1.after_fork()

    def close(self) -> None:
        """Stop compiling, give regions back, detach from the signal handler; the CPU must not run any more."""
        self.save_translations()
        self.tier1.stop()
        self.tier1.flush()
        roots().detach(self.state)

    def update_statistics(self) -> Statistics:
        """The statistics, with what native code counts brought up to date."""
        self.statistics.region_instructions = self._word(c.REGION_INSTRUCTIONS)
        self.statistics.instructions = self._word(c.INSTRUCTIONS) + self.statistics.region_instructions
        self.statistics.blocks = self._word(c.BLOCKS)
        self.statistics.forms_compiled = self.handlers.compiled
        self.statistics.forms_cached = self.handlers.loaded
        self.statistics.arena_bytes = self.blocks.size
        self.statistics.region_records = self.tier1.next_record
        self.statistics.region_bytes = self.tier1.code_bytes
        self.statistics.installed_regions = len(self.tier1.installed)
        self.statistics.cache_hits, self.statistics.cache_misses = self.cache.hits, self.cache.misses
        self.statistics.llvm_load_seconds = loading_seconds()
        return self.statistics

    # --- native memory ---------------------------------------------------------------------------------------------
    def _wire(self) -> None:
        """Tell native code where everything is."""
        guest, rows = self.guest, self._rows
        rows.put_u64(0, guest.static_bits)
        for description in guest.rows:
            rows.view[8 + description.row] = description.ends_block
        code = code_cache()
        for offset, value in {
            c.LOOKUP_TABLE: self.blocks.lookup.address, c.LOOKUP_SHIFT: 64 - self.sizes.lookup_bits,
            c.LOOKUP_LIMIT: (1 << self.sizes.lookup_bits) // 2, c.DISPATCH: self.runtime.symbols["dispatch"],
            c.RESOLVE: self.runtime.symbols["resolve"], c.REGION_DISPATCH: self.runtime.symbols["region_dispatch"],
            c.REGION_CAREFUL: self.runtime.symbols["region_careful"],
            c.SETTLE: self.runtime.symbols.get("settle", 0),
            c.REGION_LEAVE: self.runtime.symbols["region_leave"],
            c.ARENA_END: self.blocks.arena.address + self.blocks.arena.size,
            c.FORMS: self.handlers.table.address, c.ROWS: rows.address + 8,
            c.DECODER_TABLE: self._decoder_table.address, c.CODE_PAGES: self._pages.table.address,
            c.CODE_PAGES_MASK: self._pages.mask, c.HOT_QUEUE: self._hot.address,
            c.HOT_THRESHOLD: {"0": _NEVER, "1": _EAGER, "auto": _HOT}[self.tier],
            c.HOT_WAITS: self.tier == "1",
            c.WINDOW_BASE: self.memory.base, c.CODE_BEGIN: code.base, c.CODE_END: code.base + code.capacity,
            c.CODE_FAULTS: code.faults, c.DIRTY_PAGES: self._pages.dirty.address, c.EXACT: self.exact,
        }.items():  # fmt: skip
            self._put(offset, value)

    def _word(self, offset: int) -> int:
        """A word of the context."""
        return self._memory.u64(c.SIZE + offset)

    def _put(self, offset: int, value: int) -> None:
        self._memory.put_u64(c.SIZE + offset, value)


_handlers: dict[tuple[str, Path | None], tuple[Runtime, Handlers]] = {}


def _shared(guest: Guest, cache: Cache) -> tuple[Runtime, Handlers]:
    """The runtime and handlers of a guest: one of each serves every CPU of the process."""
    key = (guest.name, cache.folder)
    found = _handlers.get(key)
    if found is None:
        found = _handlers[key] = Runtime(guest, code_cache(), cache), Handlers(guest, code_cache(), cache)
    return found
