"""The engine's context: what native code and the engine tell each other, at negative offsets from the guest state.

The state pointer that every native function carries points at the guest's own state (its `Layout`); the context lies
right below it, at the same offsets for every guest. The first sixteen words, which a displacement of one byte reaches,
are those that regions and handlers use most. What all hardware threads of a guest share and change lies apart:
the context's SHARED points there.
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir import record
from metaphrase.ir.layout import Layout

SIZE: Final = 512
"""Bytes below the state pointer."""

_PAGE = 4096
_next = 0


def _word() -> int:
    global _next
    _next -= 8
    return _next


EXIT_REASON: Final = _word()
"""Why `enter` returned: a number of `Reasons`."""
EXIT_RECORD: Final = _word()
"""The record that handlers are executing, if it may stop; in an exact region, that of the last checkpoint; null in all
others."""
INTERRUPT: Final = _word()
"""Nonzero: leave at the next block."""
WINDOW_SIZE: Final = _word()
"""What is no address of the window: a check compares with the word here, which takes no register."""
REGION_INSTRUCTIONS: Final = _word()
"""Guest instructions executed by regions (counted where a region is left)."""
INSTRUCTIONS: Final = _word()
"""Guest instructions executed by handlers (counted when a block is entered)."""
REGION_DISPATCH: Final = _word()
"""Native `region_dispatch`: where regions go for a guest pc."""
REGION_LEAVE: Final = _word()
"""Native `region_leave`: what regions end with; only carried registers are not in the state yet."""
REGION_CAREFUL: Final = _word()
"""Native `region_careful`: the block of an exit record, run by handlers whatever region it is an entry of."""
SETTLE: Final = _word()
"""The guest's `settle`: (state), a C function."""
DISPATCH: Final = _word()
"""Native `dispatch`: where handlers go for a guest pc."""
RESOLVE: Final = _word()
"""Native `resolve`: where handlers go for a branching record that is not chained yet."""
LOOKUP_TABLE: Final = _word()
LOOKUP_SHIFT: Final = _word()
FAULT_ADDRESS: Final = _word()
FAULT_HOST_PC: Final = _word()
FAULT_WRITE: Final = _word()
RETURN_SLOT: Final = _word()
"""Host address of the return address of the handler chain: where a fault unwinds to."""
SHARED: Final = _word()
"""Address of the words that all hardware threads of a guest share, see LOCK."""
LOOKUP_LIMIT: Final = _word()
ONLY_TIER_0: Final = _word()
"""Nonzero: handlers do not enter regions."""
SIBLING: Final = _word()
"""State of another hardware thread of the same guest: all are in a ring."""
ARENA_END: Final = _word()
FORMS: Final = _word()
"""Table of what is known of each form, see FORM_SIZE."""
ROWS: Final = _word()
"""A byte a row: 1 if it ends a block."""
DECODER_TABLE: Final = _word()
CODE_PAGES: Final = _word()
"""Hash set of guest pages, see PAGE_CODE."""
CODE_PAGES_MASK: Final = _word()
HOT_QUEUE: Final = _word()
"""Ring of headers of blocks that became hot."""
HOT_WAITS: Final = _word()
"""Nonzero: a block that becomes hot interrupts, so that its region is compiled before it goes on, or the thread started
that does so beside it."""
HOST_MXCSR: Final = _word()
WINDOW_BASE: Final = _word()
CODE_BEGIN: Final = _word()
CODE_END: Final = _word()
CODE_FAULTS: Final = _word()
"""Table of the tables of faults, by line of code (`CodeCache.faults`)."""
DECODING_PC: Final = _word()
"""Guest pc of the instruction being decoded, 0 otherwise: a fault in the decoder is one of fetching it."""
DECODING_BLOCK: Final = _word()
"""Guest pc of the block that it belongs to."""
CHECKING_BLOCK: Final = _word()
"""Guest pc of the block whose code is being compared with what it was made of, 0 otherwise."""
SCRATCH: Final = _word()
STOP_BEFORE: Final = _word()
"""A block being translated ends before this pc, because the instruction there cannot be fetched."""
DIRTY_PAGES: Final = _word()
"""Ring of guest pages with translated code that the guest has written to."""
ANSWERING: Final = _word()
"""Nonzero while the result of a call is put into guest memory: a fault there is the call's, which the machine makes."""
CALLS_MADE: Final = _word()
"""Calls of the host's kernel that native code made for the guest."""
CALL_SEQUENCE: Final = _word()
"""Odd while this thread is in a call of the host's kernel that may wait; one more at its beginning and its end."""
CALL_INTERRUPTED: Final = _word()
"""Nonzero: the call at which guest code was left was made, and a signal has ended it."""
CALL_BEGIN, CALL_END, CALL_BEHIND = _word(), _word(), _word()
"""Host addresses: a thread between the first two is about to enter the kernel, and at the third it does not."""
SIGNAL_MASK: Final = _word()
"""The signals that this thread of the guest blocks."""
MASK_IS_FREE: Final = _word()
"""Nonzero: nobody but the host's kernel has to know when the mask changes."""

assert -_next <= SIZE

LOCK: Final = 0
"""The first of the shared words, as are all up to SHARED_SIZE. Nonzero: a thread changes the others, the arena, the
table of blocks or the queue."""
ARENA_NEXT: Final = 8
LOOKUP_COUNT: Final = 16
HOT_HEAD: Final = 24
HOT_TAIL: Final = 32
HOT_THRESHOLD: Final = 40
DIRTY_HEAD: Final = 48
"""How many pages were put into their ring: any thread does so, without the lock."""
EXACT: Final = 56
"""Nonzero: where an instruction may stop for a fault, all of the lazy group is read."""
BLOCKS: Final = 64
"""Blocks translated."""
CALLS: Final = 72
"""The table of the host calls that native code makes itself, see CALL_COUNT; null where it makes none."""
ANSWERS: Final = 80
"""The table of answers to one of the guest's own reasons (`translator.guest.Answers`); null where it has none."""
SHARED_SIZE: Final = 88

ANSWER_REASON, ANSWER_KEYS, ANSWER_RESULTS, ANSWER_ROWS = 0, 8, 24, 64
"""In the table of answers: the reason's number; where in the state the two keys are, and where the four results go; and
the rows, of which the last fits everything."""
ANSWER_ROW: Final = 32
"""Bytes of a row, eight u32: each key with the mask of what of it counts, and the results."""

CALL_COUNT, CALL_LIMIT, CALL_NUMBER, CALL_RESULT, CALL_MASK, CALL_ROOTS, CALL_CLOCK, CALL_OWN = range(0, 64, 8)
"""In the table of host calls: the number of rows, the end of guest addresses, where in the state the number of the call
is and where its result goes, the bits of that, the roots, the host's clock_gettime, and the first descriptor that may
be no guest's."""
CALL_ARGUMENTS: Final = 64
"""Where in the state the arguments are, six words."""
CALL_SHOWN: Final = 112
"""The device, as st_dev has it, whose files the machine shows to the guest in its own way; 0 if there is none."""
CALL_NEVER_BLOCKED: Final = 120
"""The signals that the host never blocks for the guest, as a mask."""
CALL_MOST_ARGUMENTS: Final = 6
CALL_ROWS: Final = 128
CALL_ROW: Final = 16
"""Bytes of a row: the host's number plus 1 (0 where there is no such call), its way, and the kind of each argument."""
CALL_WAY, CALL_KINDS = 4, 8
CALL_NOTHING, CALL_VALUE, CALL_READ, CALL_FILLED, CALL_SIZE, CALL_PATH, CALL_VECTOR, CALL_FILLED_VECTOR = range(8)
"""What an argument is: see `translator.host_calls.Kind`."""
NOT_MADE: Final = -512
"""What stands for the result of a call that was not made after all; the kernel keeps this one for itself."""
WAY_PLAIN, WAY_WAITING, WAY_OWN, WAY_OWN_3, WAY_OWN_4, WAY_FLAGS, WAY_FUTEX = range(7)
WAY_OPEN, WAY_LIST, WAY_CLOCK, WAY_TIME_OF_DAY, WAY_MASK = range(7, 12)
"""How a call is made: see `translator.host_calls.Way`."""

HEADER_REGION: Final = record.REGISTERS
"""Where the header record of a block that a region took over holds the address of its entry record there."""
CODE: Final = record.REGISTERS + 8
"""Where headers, entry records and exit records hold the code that regions go to, which takes carried registers."""

HEADER_COPIED: Final = record.FORM + 4
"""u32 in a header: bytes of guest code that the block was made of, copied behind its records; 0 if there is no copy,
because the guest may not write that code."""
PAGE_CODE, PAGE_CHECKED, PAGE_CLOSED = 4, 2, 1
PAGE_FLAGS: Final = 3
"""An entry of the set of pages is a page's number, shifted by so many bits, with flags: its code may be translated; it
may be written to, and its blocks look whether it was; it is write-protected until it is written to."""

CARRIED: Final = 9
"""Registers of the guest that travel in the host's between regions, at most."""
JUMP_CACHE_BITS: Final = 14
"""The jump cache has an entry for each value that the low bits of a guest pc may have."""
JUMP_ENTRY: Final = 16
"""Bytes of an entry of the jump cache: a guest pc, and the code of the region that is entered there."""
JUMP_CODE: Final = 8


def jump_cache(layout: Layout) -> int:
    """Where the jump cache lies, from the state on, on pages of its own: where unknown jumps of regions went."""
    return -(-(SIZE + layout.size) // _PAGE) * _PAGE - SIZE


def jump_index(pc: int) -> int:
    """The place of a guest pc in the jump cache."""
    return pc & (1 << JUMP_CACHE_BITS) - 1


NO_JUMP: Final = 1
"""A guest pc that belongs elsewhere, for the first entry while it is empty; the others then hold 0."""
assert jump_index(0) == 0 and jump_index(NO_JUMP) != 0

FORM_HANDLER, FORM_LAZY, FORM_READS, FORM_KILLS, FORM_WRITES, FORM_STOPS, FORM_STORES = 0, 8, 16, 17, 18, 19, 20
FORM_SIZE: Final = 32
"""What is known of a form: its handler, the variant that leaves the lazy group alone, which slots of that group it
reads, surely writes, may write, and reads where EXACT says that it is exact (bit masks), and whether it may write to
memory."""

HOT_QUEUE_LENGTH: Final = 1024
DIRTY_LENGTH: Final = 1024
MAX_BLOCK: Final = 64
"""Most instructions of a tier-0 block."""
LONGEST: Final = 16
"""Bytes that no guest's instruction is longer than."""
MAX_COPIED: Final = MAX_BLOCK * LONGEST
"""Most bytes of guest code that a block is made of, if it has a copy."""
_LOOKUP_HASH: Final = 0x9E3779B97F4A7C15
LOOKUP_HASH: Final = _LOOKUP_HASH - (1 << 64)
"""The same as LLVM reads it, signed."""
GROUP_SHIFT, ALONG_SHIFT = 12, 4
"""Blocks whose addresses agree above the first many bits have their places together in the table of blocks, in the
order of the bits above the second many."""
ALONG_MASK: Final = (1 << GROUP_SHIFT - ALONG_SHIFT) - 1


def lookup_index(pc: int, bits: int) -> int:
    """Where native code begins to look for a guest pc in a table of 2 to the power `bits` entries."""
    start = ((pc >> GROUP_SHIFT) * _LOOKUP_HASH & (1 << 64) - 1) >> 64 - bits
    return start + (pc >> ALONG_SHIFT & ALONG_MASK) & (1 << bits) - 1


ROOTS_MARK: Final = 0x4D50_526F_6F74_7321
"""Stands in the native code for the address of the process's `roots`, which the loader puts in its place."""
ROOT_PREVIOUS, ROOT_THREADS, ROOT_ENTRIES = 0, 8, 16
"""In the roots: the action that SIGSEGV had before, the number of entries, and the entries (thread pointer, state)."""
ROOTS_SIZE: Final = 1 << 20
NOTE_SHIFT, NOTE_COUNT = 8, 256
NOTE_INFORMATION: Final = 128
ROOT_NOTES: Final = ROOTS_SIZE - (NOTE_COUNT << NOTE_SHIFT)
"""Signals from outside: a ring of notes, each a siginfo_t and the number of notes until then."""
ROOT_NOTED: Final = ROOT_NOTES - 8
"""How many there ever were."""
ROOT_HELD: Final = ROOT_NOTED - 128
"""A byte for each number of a signal: whether it is held."""
ROOT_ACTION, ROOT_HOLDS = ROOT_HELD - 16, ROOT_HELD - 8
"""Which action follows, and whether signals are held at all."""
ROOT_TAKEN: Final = ROOT_ACTION - 8
"""How many of the notes were taken."""
ROOT_LEADER: Final = ROOT_TAKEN - 8
"""The state of the hardware thread that is to leave guest code when a signal has come, since its thread is the one that
Python's handlers are called in; null if there is none."""


class Reasons:
    """Exit reasons of the engine; a guest's own follow from FIRST_GUEST in the order of `Guest.reasons`."""

    NONE, FAULT, INTERRUPT, FORMS, CODE_PAGE, ARENA, LOOKUP, ILLEGAL, SYSCALL, FLUSH, ATTENTION = range(11)
    FIRST_GUEST = 16

    @staticmethod
    def table(guest_reasons: tuple[str, ...]) -> dict[str, int]:
        """Every reason that semantics, or the engine in their place, may name."""
        names = ("syscall", "flush_code", "interrupt", *guest_reasons)
        return {name: Reasons.number(name, guest_reasons) for name in names}

    @staticmethod
    def number(name: str, guest_reasons: tuple[str, ...]) -> int:
        """The number of a reason that an instruction's semantics named."""
        engine = {"syscall": Reasons.SYSCALL, "flush_code": Reasons.FLUSH, "interrupt": Reasons.INTERRUPT}
        if name in engine:
            return engine[name]
        return Reasons.FIRST_GUEST + guest_reasons.index(name)


FLOAT_FAULT: Final = 2
"""What `FAULT_WRITE` is where the host took a floating-point exception, and not an access to memory."""
