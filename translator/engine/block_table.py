"""Tier 0's translated blocks: where native code finds them, how often they ran, and which of them enter a region."""

from __future__ import annotations

from dataclasses import dataclass

from metaphrase.backends.llvm import context as c
from metaphrase.ir import record
from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.engine.code_pages import PAGE, CodePages
from metaphrase.translator.engine.host_memory import HostBlock
from metaphrase.translator.engine.native import Runtime
from metaphrase.translator.engine.sizes import Sizes
from metaphrase.translator.guest import Decoded, Guest
from metaphrase.translator.record import unpack

_HEADER_FORM = (1 << 32) - 2
_ILLEGAL_FORM = (1 << 32) - 1
_FOR_EVER = 40
"""Changes of a page behind which no block is run often enough for a region."""


@dataclass(slots=True)
class GuestBlock:
    """A translated block as tier 0 sees it: its instructions, and where control goes on behind the last of them."""

    pc: int
    header: int
    instructions: list[Decoded]
    end: int


class BlockTable:
    """The blocks of one guest. A block is known by its header's host address in the arena, in which its records follow.

    words   what all hardware threads share, see `backends.llvm.context`
    """

    def __init__(self, guest: Guest, runtime: Runtime, pages: CodePages, words: HostBlock, sizes: Sizes) -> None:
        self.guest, self.sizes = guest, sizes
        self.arena = HostBlock(sizes.arena)
        self.lookup = HostBlock(16 << sizes.lookup_bits)
        self._symbols = runtime.symbols
        self._pages = pages
        self._words = words
        self._runs_before: dict[int, int] = {}
        """By headers, how often blocks were run before they began to count again."""
        self.jump_caches: list[JumpCache] = []
        """One a hardware thread."""

    def find(self, pc: int) -> int:
        """The header of the block at a guest address, 0 if there is none."""
        index = c.lookup_index(pc, self.sizes.lookup_bits)
        while True:
            key = self.lookup.u64(16 * index)
            if key == pc ^ (1 << 64) - 1:
                return self.lookup.u64(16 * index + 8)
            if key == 0:
                return 0
            index = (index + 1) % (1 << self.sizes.lookup_bits)

    def block_at(self, header: int) -> GuestBlock | None:
        """The instructions of a block; None if it has none that can be lifted, or the guest may change them unnoticed.

        Who calls this holds the memory's lock, or none that its holders may want.
        """
        if not self.is_usable(header) or not self._is_fixed(header):
            return None
        offset = header - self.arena.address
        count = self.arena.u64(offset + record.IMMEDIATE)
        instructions = []
        for number in range(1, count + 1):
            at = offset + record.SIZE * number
            if self._form(self.arena.address + at) == _ILLEGAL_FORM:
                break
            data = bytes(self.arena.view[at : at + record.SIZE])
            instructions.append(unpack(data, self.guest.static_bits))
        if not instructions or any(self.guest.restarts(decoded) for decoded in instructions):
            return None
        return GuestBlock(instructions[0].pc, header, instructions, instructions[-1].next_pc)

    def is_usable(self, header: int) -> bool:
        """Whether a block is current, and may have a place in a region."""
        return self._u64_at(header) != self._symbols["stale_block"] and self.is_settled(header)

    def _is_fixed(self, header: int) -> bool:
        """Whether a block's code is still there, and stays so, or the change is noticed."""
        offset = header - self.arena.address
        length = self._u32_at(header + c.HEADER_COPIED)
        if not length:
            return True
        if any(map(self._pages.is_open, self.pages_of(header))):
            return False
        at = offset + record.SIZE * (self.arena.u64(offset + record.IMMEDIATE) + 2)
        pc, memory = self.record_pc(header), self._pages.memory
        try:
            with memory.lock:
                return memory.read(pc, length) == bytes(self.arena.view[at : at + length])
        except MetaphraseError:  # it is not there any more
            return False

    def pages_of(self, header: int) -> set[int]:
        """The guest pages that a block's code lies in."""
        return {self.record_pc(header) // PAGE, (self._u64_at(header + record.NEXT_PC) - 1) // PAGE}

    def is_settled(self, header: int) -> bool:
        """Whether a block was run often enough for a region, if its page was written to after regions had been made of
        it: twice as often for each time that it was."""
        changes = min(self._pages.writes[self.record_pc(header) // PAGE], _FOR_EVER)
        return not changes or self.runs_in_all(header) >= self._threshold << changes

    def is_warm(self, header: int) -> bool:
        """Whether a block has run often enough to be worth a place in a region."""
        return self.runs(header) >= max(1, self._threshold // 32)

    def runs(self, header: int) -> int:
        """How often tier 0 has run a block, since it began to count."""
        left = self._u64_at(header + record.DISPLACEMENT)
        return self._threshold - (left - (1 << 64) if left >> 63 else left)

    def runs_in_all(self, header: int) -> int:
        """How often tier 0 has run a block."""
        return self._runs_before.get(header, 0) + self.runs(header)

    def count_again(self, header: int) -> None:
        """Let a block become hot once more."""
        self._runs_before[header] = self.runs_in_all(header)
        self.arena.put_u64(header - self.arena.address + record.DISPLACEMENT, self._threshold)

    def is_region(self, header: int) -> bool:
        """Whether a block's header enters a region already."""
        return self._u64_at(header) != self._entry_of(header)

    def _entry_of(self, header: int) -> int:
        """The handler of a block's header while tier 0 runs it."""
        return self._symbols["checked_entry" if self._u32_at(header + c.HEADER_COPIED) else "block_entry"]

    def enter_region(self, header: int, entry: int) -> None:
        """Make a block's header go to an entry record of a region; the handler, which makes it so, is stored last."""
        offset = header - self.arena.address
        self.arena.put_u64(offset + c.HEADER_REGION, entry)
        self.arena.put_u64(offset + record.HANDLER, self._symbols["region_entry"])
        self._forget_target(self.record_pc(header))

    def leave_region(self, pc: int) -> None:
        """Let a block that may have a region run in tier 0 again."""
        header = self.find(pc)
        if header:
            offset = header - self.arena.address
            self.arena.put_u64(offset + record.HANDLER, self._entry_of(header))
            self.arena.put_u64(offset + c.HEADER_REGION, 0)
            self.count_again(header)
        self._forget_target(pc)

    def clear(self) -> None:
        """Forget all blocks."""
        self.arena.zero()
        self.lookup.zero()
        self._runs_before.clear()
        for jumps in self.jump_caches:
            jumps.clear()
        self._words.put_u64(c.ARENA_NEXT, self.first)
        self._words.put_u64(c.LOOKUP_COUNT, 0)

    # --- records ---------------------------------------------------------------------------------------------------
    @property
    def first(self) -> int:
        """The address of the first block."""
        return self.arena.address

    @property
    def size(self) -> int:
        """Bytes that blocks take, those forgotten too."""
        return self._words.u64(c.ARENA_NEXT) - self.first

    def record_pc(self, at: int) -> int:
        """The guest address of the instruction, or block, that the record at a host address is of."""
        return self._u64_at(at + record.PC)

    def header_of(self, at: int) -> int:
        """The header of the block that the record at a host address belongs to."""
        while self._form(at) != _HEADER_FORM:
            at -= record.SIZE
        return at

    def forms(self, header: int) -> list[int]:
        """The forms of a block's instructions, but for those that there are none of."""
        count = self._u64_at(header + record.IMMEDIATE)
        forms = (self._form(header + record.SIZE * (n + 1)) for n in range(count))
        return [form for form in forms if form < _ILLEGAL_FORM]

    @property
    def _threshold(self) -> int:
        return self._words.u64(c.HOT_THRESHOLD)

    def _form(self, at: int) -> int:
        return self._u32_at(at + record.FORM)

    def _u32_at(self, address: int) -> int:
        offset = address - self.arena.address
        return int.from_bytes(self.arena.view[offset : offset + 4], "little")

    def _u64_at(self, address: int) -> int:
        return self.arena.u64(address - self.arena.address)

    # --- jump caches -----------------------------------------------------------------------------------------------
    def _forget_target(self, pc: int) -> None:
        """Take a guest pc out of the jump caches."""
        for jumps in self.jump_caches:
            jumps.forget(pc)


class JumpCache:
    """Where the unknown jumps of one hardware thread's regions went, which native code writes (see `backends.llvm`)."""

    def __init__(self, memory: HostBlock, at: int) -> None:
        self._memory, self._at = memory, at
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._memory.zero(self._at, c.JUMP_ENTRY << c.JUMP_CACHE_BITS)
        self._empty(0)

    def forget(self, pc: int) -> None:
        """Forget where a guest pc led."""
        self._empty(c.jump_index(pc))

    def _empty(self, index: int) -> None:
        self._memory.put_u64(self._at + c.JUMP_ENTRY * index, 0 if index else c.NO_JUMP)
