"""A guest hardware thread that runs on native code: tier 0 at once, tier 1 where it becomes hot."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EINTR
from pathlib import Path

from metaphrase.backends.llvm import context as c
from metaphrase.backends.llvm.codecache import CodeCacheFull
from metaphrase.backends.llvm.context import Reasons
from metaphrase.ir import record
from metaphrase.ir.layout import ENVIRONMENT_SLOT
from metaphrase.ir.types import I64
from metaphrase.translator.engine.arrivals import Arrivals
from metaphrase.translator.engine.block_table import JumpCache
from metaphrase.translator.engine.code_pages import PAGE
from metaphrase.translator.engine.host_memory import GuestMemory, HostBlock, set_gs_base
from metaphrase.translator.engine.native import roots
from metaphrase.translator.engine.sizes import Sizes
from metaphrase.translator.engine.statistics import Statistics
from metaphrase.translator.engine.translations import NEVER, Translations
from metaphrase.translator.exits import Exit
from metaphrase.translator.guest import Guest
from metaphrase.translator.host_calls import HostCalls
from metaphrase.translator.mechanisms import uses

_MASKS = 0x1F80
"""The bits of the floating-point environment that mask exceptions."""
_SIZES = Sizes()
_thread = threading.local()
"""What the thread last entered: (state, base of the window)."""


class NativeCpu:
    """One guest hardware thread over `memory`.

    tier     "0": handlers only; "1": the guest waits for the region of a block that became hot; "auto": regions are
             compiled beside the running guest
    cache    folder of the persistent cache; None for the default, "off" for none
    exact    whether all registers are to be exact at a fault, which costs regions some stores and tier 0 some flags;
             else only where somebody may see it, see `make_exact`. They are exact at every other stop in any case.
    sizes    how much memory translations may take
    shared   the translations of another CPU of the same guest, to run by; the options are those of that one then
    """

    def __init__(
        self, guest: Guest, memory: GuestMemory, *, tier: str = "auto", cache: str | Path | None = None,
        exact: bool = False, sizes: Sizes = _SIZES, shared: Translations | None = None,
    ) -> None:  # fmt: skip
        self.guest, self.memory = guest, memory
        self.name = guest.name
        if shared is None:
            shared = Translations(guest, memory, tier=tier, cache=cache, exact=exact, sizes=sizes)
        self.translations = shared
        self.tier, self.runtime, self.handlers = shared.tier, shared.runtime, shared.handlers
        self.blocks, self.tier1 = shared.blocks, shared.tier1
        self._threads = shared.threads
        jumps = c.SIZE + c.jump_cache(guest.layout)
        self._memory = HostBlock(jumps + (c.JUMP_ENTRY << c.JUMP_CACHE_BITS))
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
        self.inside = False
        """Whether native code may be running, or what its last exit refers to is not read yet."""
        self.run_seconds = 0.0
        self._resume_record = 0
        self._wants_interrupt = False
        self._attached_to = 0
        """The thread that ran this CPU last, as the table of threads has it."""
        shared.wire(self._memory)
        self._threads.add(self)
        self.blocks.jump_caches.append(JumpCache(self._memory, jumps))
        if len(self._threads.made) == 1:
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

    def linux_description(self) -> Mapping[str, str]:
        """The lines of /proc/cpuinfo about a processor, if the guest says."""
        return self.guest.linux_description()

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
        enter = self.runtime.enter
        begin = time.perf_counter()
        try:
            while True:
                if self._unmasks_exceptions():
                    self._come_out()
                    self._put(c.ONLY_TIER_0, 1)  # a region would not know where the exception was
                    self.translations.link_exactly()
                self.inside = True
                if self._threads.stops:  # looked at after `inside` was set: who stops sets these in the other order
                    self._threads.wait(self)
                reason = enter(self.state, self._resume_record)
                self._resume_record = 0
                self._put(c.ONLY_TIER_0, 0)
                if reason == Reasons.SYSCALL:
                    if self._word(c.CALL_INTERRUPTED):
                        self._put(c.CALL_INTERRUPTED, 0)
                        return Exit("interrupted", self.pc)
                    return Exit("syscall", self.pc)
                stop = self._handle(reason)
                if stop is not None:
                    return stop
        finally:
            self._come_out()
            self.run_seconds += time.perf_counter() - begin

    def make_exact(self) -> None:
        """From now on, let registers be exact at every fault: the guest is going to handle its own."""
        self.translations.make_exact()

    def interrupt(self) -> None:
        """Make `run` return soon, or at once when it is entered next."""
        self._wants_interrupt = True
        # Atomically, which is a fence too: whoever waits in a call looks at this behind `call_sequence`.
        self.runtime.compare_exchange(self.state + c.INTERRUPT, 0, 1)

    def begin_call(self) -> bool:
        """What has come up to now is no reason not to wait in `interruptible_call`; whether something had."""
        wanted = self._word(c.INTERRUPT) != 0
        self._put(c.INTERRUPT, 0)
        return wanted

    def interruptible_call(self, number: int, *arguments: int) -> int:
        """A call of the host's that may wait; -EINTR also if something has come since `begin_call`."""
        padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
        result: int = self.runtime.interruptible_call(self.state, number, *padded)
        return -EINTR if result == c.NOT_MADE else result

    def end_call(self, wanted: bool) -> None:
        """What had come before `begin_call`, as it says, is to be seen after all."""
        if wanted:
            self._put(c.INTERRUPT, 1)

    @property
    def signal_mask(self) -> int:
        """The signals that the guest's thread blocks, which native code may change as `free_mask` says."""
        return self._word(c.SIGNAL_MASK)

    @signal_mask.setter
    def signal_mask(self, mask: int) -> None:
        self._put(c.SIGNAL_MASK, mask)

    def free_mask(self, is_free: bool) -> None:
        """Whether nobody but the host's kernel has to know when guest code changes its signal mask."""
        self._put(c.MASK_IS_FREE, is_free)

    def call_sequence(self) -> int:
        """Odd while guest code waits in a call that native code has made; another number for each such call."""
        return self._word(c.CALL_SEQUENCE)

    @property
    def uses_translations(self) -> bool:
        """Whether native code may be running, and using what was translated: it does not while it waits in a call."""
        return self.inside and not self._word(c.CALL_SEQUENCE) & 1

    def _handle(self, reason: int) -> Exit | None:
        """Serve the engine's own exits; the others are the machine's."""
        if reason == Reasons.FAULT:
            return self._fault()
        failed, generation = self._word(c.EXIT_RECORD), self.tier1.generation
        self._come_out()
        if reason == Reasons.INTERRUPT:
            return self._interrupted()
        if reason == Reasons.ATTENTION:
            return Exit("interrupt", self.pc)
        name = self.guest.reasons[reason - Reasons.FIRST_GUEST] if reason >= Reasons.FIRST_GUEST else ""
        service = self.guest.services.get(name)
        if service is not None:
            service(self)
            return None
        if name:
            return Exit("trap", self.pc, trap=name)
        with self.memory.lock:
            if reason == Reasons.ILLEGAL:
                return Exit("trap", self.pc, trap=self.guest.trap_of(self._code_at(self.pc)))
            if generation != self.tier1.generation:
                return None  # whatever there was no room for, or no handler, another thread has dropped all since
            if reason == Reasons.FORMS:
                self._compile_forms(failed)
            elif reason == Reasons.CODE_PAGE:
                address = self._word(c.FAULT_ADDRESS)
                return None if self.translations.add_page(address) else Exit("fault", self.pc, address, "execute")
            elif reason in (Reasons.ARENA, Reasons.LOOKUP):
                self.translations.evict()
            elif reason == Reasons.FLUSH:
                self.flush()
        return None

    def _come_out(self) -> None:
        """Nothing is needed any more of what the last exit refers to."""
        self.inside = False
        if self._threads.stops:
            self._threads.tell()

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
        now, thread = (self.state, self.memory.base), threading.get_ident()
        if getattr(_thread, "entered", None) != now or self._attached_to != thread:
            set_gs_base(self.memory.base)
            roots().attach(self.state)
            _thread.entered, self._attached_to = now, thread

    def _interrupted(self) -> Exit | None:
        self._put(c.INTERRUPT, 0)
        translations = self.translations
        if self.tier == "auto" and self._word(c.HOT_WAITS) and self.tier1.is_wanted:
            self.tier1.start()
        if translations.word(c.DIRTY_HEAD) or self.tier == "1" or self.tier1.full:
            with self.memory.lock:
                translations.clean_dirty_pages()
                if self.tier == "1":
                    while self.tier1.drain():
                        pass
                if self.tier1.full:
                    translations.evict()
        if self._wants_interrupt:
            self._wants_interrupt = False
            return Exit("interrupt", self.pc)
        return None

    def _fault(self) -> Exit | None:
        address = self._word(c.FAULT_ADDRESS)
        host_pc = self._word(c.FAULT_HOST_PC)
        decoding = self._word(c.DECODING_PC)
        at = self._word(c.EXIT_RECORD)
        if host_pc and decoding:
            self._put(c.DECODING_PC, 0)
            start = self._word(c.DECODING_BLOCK)
            if start != decoding:  # the block is cut before the instruction that cannot be fetched
                self._put(c.STOP_BEFORE, decoding)
                self.pc = start
                return None
            self.pc = decoding
            return Exit("fault", decoding, address, "execute")
        checking = self._word(c.CHECKING_BLOCK)
        if host_pc and checking:  # the block is not there any more: whoever translates it anew finds out
            self._put(c.CHECKING_BLOCK, 0)
            self._come_out()
            self.invalidate(checking, checking + c.MAX_COPIED)
            self.pc = checking
            return None
        if host_pc and self._word(c.ANSWERING):
            self._put(c.ANSWERING, 0)
            return Exit("syscall", self.pc)
        if self._word(c.FAULT_WRITE) == c.FLOAT_FAULT:
            self.pc = _pc_of(at)
            return Exit("trap", self.pc, trap="simd_exception")
        checkpoint = self.tier1.checkpoint(at)
        if checkpoint is not None:  # tier 0 finds the fault again, and all registers as they are there
            self.pc = checkpoint
            self._put(c.ONLY_TIER_0, 1)
            return None
        if host_pc:
            region = self.tier1.region_at(host_pc)
            self.pc = _pc_of(at) if region is None else region
        write = self._word(c.FAULT_WRITE)
        return Exit("fault", self.pc, address & (1 << 64) - 1, "write" if write else "read")

    def _code_at(self, pc: int) -> bytes:
        """The bytes of the instruction at pc, and what follows in its page."""
        length = min(self.guest.longest, PAGE - pc % PAGE)
        code = self.memory.read(pc, length)
        if length < self.guest.longest and self.memory.check_execute(pc + length):
            code += self.memory.read(pc + length, self.guest.longest - length)
        return code

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
            self.translations.evict()  # handlers are not evicted, but regions make room for them
        self.statistics.compile_seconds += time.perf_counter() - begin

    # --- code ------------------------------------------------------------------------------------------------------
    def invalidate(self, start: int, end: int) -> None:
        """Forget code translated from guest addresses [start, end): it is changing, or no longer executable."""
        self.translations.invalidate(start, end)

    def flush(self) -> None:
        """Drop all translated blocks (handlers stay)."""
        self.translations.flush()

    def forget_records(self) -> None:
        """All records are dropped."""
        self._resume_record = 0
        self._put(c.STOP_BEFORE, NEVER)

    # --- other hardware threads ------------------------------------------------------------------------------------
    def sibling(self) -> NativeCpu:
        """A CPU with the same registers over the same memory and translations, for another thread to run."""
        with self.memory.lock:
            spare = self._threads.spare
            made = spare.pop() if spare else NativeCpu(self.guest, self.memory, shared=self.translations)
        made.state_bytes[:] = self.state_bytes
        for word in (c.INTERRUPT, c.ONLY_TIER_0, c.DECODING_PC, c.CHECKING_BLOCK, c.ANSWERING, c.CALL_INTERRUPTED,
                     c.MASK_IS_FREE):  # fmt: skip
            made.put_context_word(word, 0)
        made.forget_records()
        made._wants_interrupt = False
        return made

    def retire(self) -> None:
        """The thread that runs this CPU ends; called by it."""
        roots().detach(self.state)
        self._attached_to = 0
        with self.memory.lock:
            self._threads.spare.append(self)

    def compare_exchange(self, address: int, expected: int, new: int) -> int:
        """Atomically store a 32-bit word of guest memory if it holds another; gives what it held. It must be mapped."""
        return self.runtime.compare_exchange(self.memory.base + address, expected, new)

    @contextmanager
    def others_stopped(self) -> Iterator[None]:
        """A stretch in which no other CPU of the guest runs guest code."""
        with self.memory.lock, self._threads.stopped:
            yield

    # --- life ------------------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """Every register to its state at the start of a process; all translated code forgotten."""
        self._view[: self.guest.layout.size] = bytes(self.guest.layout.size)
        for name, value in self.guest.reset_values.items():
            self.set_slot(name, value)
        self._wants_interrupt = False
        self.translations.reset()

    def save_translations(self) -> None:
        """Put into the persistent cache what waits to be put there."""
        self.handlers.save()

    def arrivals(self) -> Arrivals:
        """What notes signals from outside, for whoever makes its `handler` their action. This CPU, which Python's main
        thread is to run, leaves guest code when one has come."""
        roots().lead(self.state)
        symbols = self.runtime.symbols
        return Arrivals(roots().block, symbols["on_arrival"], symbols["on_nudge"])

    def answer_calls(self, described: HostCalls) -> None:
        """Have native code make host calls for guest code, on this and all other CPUs of the guest."""
        if uses("native-calls"):
            self.translations.answer_calls(described)

    def own_descriptors(self, first: int) -> None:
        """Native code may take descriptors below this number for the guest's own."""
        self.translations.own_descriptors(first)

    def need_no_files(self) -> None:
        """The package's own files and LLVM's may be out of reach from now on."""
        self.translations.need_no_files()

    def rights_changed(self) -> None:
        """The process may write to other files than before; what it cannot store, it does without."""
        for cache in self.translations.caches:
            cache.check_rights()

    def leave_cache(self) -> None:
        """The names of files will mean others: nothing there is to be trusted, or written to."""
        for cache in self.translations.caches:
            cache.leave()

    def after_fork(self) -> None:
        """In the child of a fork: this is the only thread."""
        roots().after_fork(self.state)
        self._threads.after_fork(self)
        self.translations.after_fork()

    def close(self) -> None:
        """Stop compiling, give regions back, detach from the signal handler; the guest must not run any more."""
        self.save_translations()
        self.tier1.stop()
        self.tier1.flush()
        for cpu in self._threads.made:
            roots().detach(cpu.state)

    @property
    def statistics(self) -> Statistics:
        """What all CPUs of the guest have done; `update_statistics` brings all of it up to date."""
        return self.translations.statistics

    def update_statistics(self) -> Statistics:
        """The statistics, with what native code counts brought up to date."""
        return self.translations.update_statistics()

    # --- native memory ---------------------------------------------------------------------------------------------
    def context_word(self, offset: int) -> int:
        """A word of the context (`backends.llvm.context`)."""
        return self._word(offset)

    def put_context_word(self, offset: int, value: int) -> None:
        self._put(offset, value)

    def _word(self, offset: int) -> int:
        return self._memory.u64(c.SIZE + offset)

    def _put(self, offset: int, value: int) -> None:
        self._memory.put_u64(c.SIZE + offset, value)


def _pc_of(at: int) -> int:
    """The guest address of the instruction that the record at a host address is of."""
    return int.from_bytes(ctypes.string_at(at + record.PC, 8), "little")
