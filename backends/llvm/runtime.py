"""The native runtime: entering guest code, dispatch, translation of blocks into records, and faults.

These functions, in LLVM's own language in the folder native/, live below the IR: they speak the handlers' calling
convention (`preserve_none`, in which every argument has a register and only RBP is preserved, so that a tail call is a
jump) and edit signal contexts. They are generic: the guest's decoder is compiled beside them as `decode`, and what they
know of the guest stands in tables that the context points to.

A handler takes (record, state, carried registers...). `dispatch` takes a guest pc in the place of the record, `resolve`
the branching record. The carried registers mean something only between regions.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from string import Template

from metaphrase.backends.llvm import context as c
from metaphrase.backends.llvm.codecache import LINE
from metaphrase.backends.llvm.lower import CARRIED, CONVENTION, NOTHING, PRESERVES_NOTHING
from metaphrase.ir import record as r
from metaphrase.ir.layout import Layout
from metaphrase.ir.window import WINDOW_BITS

_PAGE_SHIFT = 12
_TURNS = 1 << 10
"""How often the lock is looked at before the core is given to somebody else."""
_SCHED_YIELD = 24
"""The number of the host's system call."""
_SIGNAL_MASK = 296
"""Where struct ucontext has the mask that comes back with the return from a handler."""

_WAYS = {
    "PLAIN": c.WAY_PLAIN, "WAITING": c.WAY_WAITING, "OWN_WAY": c.WAY_OWN, "OWN_3": c.WAY_OWN_3, "OWN_4": c.WAY_OWN_4,
    "FLAGS": c.WAY_FLAGS, "FUTEX": c.WAY_FUTEX, "OPEN": c.WAY_OPEN, "LIST_WAY": c.WAY_LIST, "CLOCK": c.WAY_CLOCK,
    "TIME_OF_DAY": c.WAY_TIME_OF_DAY, "MASK": c.WAY_MASK,
}  # fmt: skip
_OPEN_KNOWN = (
    os.O_ACCMODE | os.O_CREAT | os.O_EXCL | os.O_NOCTTY | os.O_TRUNC | os.O_APPEND | os.O_NONBLOCK | os.O_DSYNC
    | os.O_SYNC | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOATIME | os.O_PATH | 0o100000
)  # fmt: skip
"""Flags of openat(2), O_LARGEFILE among them, that change nothing of how a file is told from something else."""
_HOST = {
    "close": 3, "fstat": 5, "getpid": 39, "fcntl": 72, "openat": 257, "newfstatat": 262, "process_vm_readv": 310,
    "rt_sigprocmask": 14, "SIG_BLOCK": 0, "SIG_UNBLOCK": 1, "SIG_SETMASK": 2, "BLOCKABLE": ~(1 << 8 | 1 << 18),
    "F_SETFL": 4, "O_NONBLOCK": os.O_NONBLOCK, "O_NONBLOCK_OR_PATH": os.O_NONBLOCK | os.O_PATH,
    "OPEN_STRANGE": ~_OPEN_KNOWN & (1 << 32) - 1, "AT_EMPTY_PATH": 0x1000, "S_IFMT": 0xF000, "S_IFREG": stat.S_IFREG,
    "S_IFDIR": stat.S_IFDIR, "EINTR": errno.EINTR, "EAGAIN": errno.EAGAIN, "ENXIO": errno.ENXIO,
    "MAX_TRANSFER": 0x7FFF_F000, "FUTEX_WAIT": 0, "FUTEX_WAKE": 1, "FUTEX_WAIT_BITSET": 9, "FUTEX_WAKE_BITSET": 10,
    "FUTEX_COMMAND": 0x7F, "PROC": int.from_bytes(b"/proc/", "little"), "CLOCK_REALTIME": 0,
}  # fmt: skip
"""Numbers of the host's kernel; it moves MAX_TRANSFER bytes in one call at most."""
_VECTORS = 16
"""Buffers of one list, at most, with which native code makes a call."""
_LISTS = {"VECTORS": _VECTORS, "LIST": 2 * _VECTORS}
_WAITING = {"interrupt": c.INTERRUPT, "begin": c.CALL_BEGIN, "end": c.CALL_END, "behind": c.CALL_BEHIND}

_FILLED = {"STRUCTURE_SHIFT": 6, "STRUCTURES": 1 << 12, "MOST_LOOKED_AT": 1 << 20}
"""Of what the kernel fills, where it does not say how much: bytes of a structure in a list of them, as a shift, and
bytes of all else; and how much is looked at for pages that are closed."""

_FOLDER = Path(__file__).parent / "native"


def _text(name: str, **values: object) -> str:
    """One file of the runtime, with offsets and numbers in place of their names."""
    common = {"convention": CONVENTION, "carried": CARRIED, "nothing": NOTHING}
    return Template((_FOLDER / f"{name}.ll").read_text()).substitute(common, **values)


def _carried(layout: Layout) -> tuple[str, str]:
    """Lines that read the carried registers from the state, and lines that write them to it."""
    fill, spill = [], []
    for number in range(c.CARRIED):
        if number < len(layout.carried):
            at = f"  %at{number} = getelementptr i8, ptr %state, i64 {layout.carried[number].offset}\n"
            fill.append(f"{at}  %g{number} = load i64, ptr %at{number}\n")
            spill.append(f"{at}  store i64 %g{number}, ptr %at{number}\n")
        else:
            fill.append(f"  %g{number} = freeze i64 poison\n")
    return "".join(fill), "".join(spill)


def source(layout: Layout) -> str:
    """LLVM text of the runtime for guests of this layout; `decode` must be defined in the same module, and `settle` if
    the layout defers anything."""
    fenv = layout.slots.get("fenv")
    has_f80 = "fcw" in layout.slots  # a control word for ops on f80, which the host's own arithmetic must not see
    fill, spill = _carried(layout)
    stack = layout.stack_pointer
    deferred = layout.deferred
    nothing_late = "define internal void @settle_late(ptr %state) { ret void }"
    parts = [
        _text("settle", kind=deferred.kind.offset) if deferred else nothing_late,
        _text(
            "enter",
            load_fenv=_text("load_fenv", offset=fenv.offset, scratch=c.SCRATCH) if fenv else "",
            load_control=_text("load_control", offset=layout["fcw"].offset, scratch=c.SCRATCH) if has_f80 else "",
            save_control=_text("save_control", offset=layout["fsw"].offset) if has_f80 else "",
            save_fenv=_text("save_fenv", offset=fenv.offset, scratch=c.SCRATCH) if fenv else "",
            host=c.HOST_MXCSR, reason=c.EXIT_REASON, slot=c.RETURN_SLOT,
            decoding=c.DECODING_PC, preserves_nothing=PRESERVES_NOTHING, shared=c.SHARED, calls=c.CALLS,
            SYSCALL=c.Reasons.SYSCALL, INTERRUPT=c.Reasons.INTERRUPT, ATTENTION=c.Reasons.ATTENTION,
            FIRST_GUEST=c.Reasons.FIRST_GUEST,
        ),
        _text(
            "answers", answers=c.ANSWERS, keys=c.ANSWER_KEYS, results=c.ANSWER_RESULTS, rows=c.ANSWER_ROWS,
            row=c.ANSWER_ROW,
        ),
        _text(
            "calls", interrupt=c.INTERRUPT, only_tier_0=c.ONLY_TIER_0, made=c.CALLS_MADE, window=c.WINDOW_BASE,
            roots=c.CALL_ROOTS, noted=c.ROOT_NOTED, taken=c.ROOT_TAKEN, count=c.CALL_COUNT, limit=c.CALL_LIMIT,
            number=c.CALL_NUMBER, result=c.CALL_RESULT, mask=c.CALL_MASK,
            arguments=c.CALL_ARGUMENTS, rows=c.CALL_ROWS, row=c.CALL_ROW, way=c.CALL_WAY, kinds=c.CALL_KINDS,
            VALUE=c.CALL_VALUE, READ=c.CALL_READ, FILLED=c.CALL_FILLED, SIZE=c.CALL_SIZE, PATH=c.CALL_PATH,
            VECTOR=c.CALL_VECTOR, FILLED_VECTOR=c.CALL_FILLED_VECTOR, own=c.CALL_OWN, page_shift=_PAGE_SHIFT,
            page_closed=c.PAGE_CLOSED, **_FILLED, **_WAYS, **_HOST, **_LISTS,
        ),
        _text("clock", clock=c.CALL_CLOCK, answering=c.ANSWERING),
        _text(
            "masks", is_free=c.MASK_IS_FREE, signal_mask=c.SIGNAL_MASK, answering=c.ANSWERING, limit=c.CALL_LIMIT,
            window=c.WINDOW_BASE, never=c.CALL_NEVER_BLOCKED, **_HOST,
        ),
        _text(
            "waiting", sequence=c.CALL_SEQUENCE, interrupted=c.CALL_INTERRUPTED, NOT_MADE=c.NOT_MADE, **_WAITING,
            **_HOST,
        ),
        _text("vectors", window=c.WINDOW_BASE, **_HOST, **_LISTS),
        _text("opening", shown=c.CALL_SHOWN, **_HOST),
        _text("lock", lock=c.LOCK, turns=_TURNS - 1, sched_yield=_SCHED_YIELD),
        _text(
            "dispatch", shared=c.SHARED,
            pc=layout.program_counter, table=c.LOOKUP_TABLE, shift=c.LOOKUP_SHIFT, hash=c.LOOKUP_HASH,
            group_shift=c.GROUP_SHIFT, along_shift=c.ALONG_SHIFT, along_mask=c.ALONG_MASK,
            immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT,
        ),
        _text(
            "blocks", shared=c.SHARED,
            pc=layout.program_counter, record_pc=r.PC, immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT,
            form=r.FORM,
            size=r.SIZE, instructions=c.INSTRUCTIONS, interrupt=c.INTERRUPT, reason=c.EXIT_REASON,
            exit_record=c.EXIT_RECORD, queue=c.HOT_QUEUE, head=c.HOT_HEAD, tail=c.HOT_TAIL, waits=c.HOT_WAITS,
            queue_mask=c.HOT_QUEUE_LENGTH - 1, forms=c.FORMS, forms_size=c.FORM_SIZE,
            INTERRUPT=c.Reasons.INTERRUPT, ILLEGAL=c.Reasons.ILLEGAL, FORMS=c.Reasons.FORMS,
        ),
        _text(
            "regions", fill=fill, spill=spill, unused=CARRIED.replace("%g", "%u"), region=c.HEADER_REGION, code=c.CODE,
            immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT, instructions=c.INSTRUCTIONS, size=r.SIZE,
            stack=_text("stack", offset=stack.offset, bits=WINDOW_BITS) if stack else "  %far = add i64 0, 0\n",
            only_tier_0=c.ONLY_TIER_0, interrupt=c.INTERRUPT, INTERRUPT=c.Reasons.INTERRUPT,
            jump_cache=c.jump_cache(layout), jump_mask=(1 << c.JUMP_CACHE_BITS) - 1, jump_entry=c.JUMP_ENTRY,
            jump_code=c.JUMP_CODE, exit_record=c.EXIT_RECORD, copied=c.HEADER_COPIED,
        ),
        _text(
            "checked", record_pc=r.PC, immediate=r.IMMEDIATE, next_pc=r.NEXT_PC, form=r.FORM, size=r.SIZE,
            size_less_1=r.SIZE - 1, size_mask=-r.SIZE, copied=c.HEADER_COPIED, checking=c.CHECKING_BLOCK,
            decoding=c.DECODING_PC, window=c.WINDOW_BASE, shared=c.SHARED,
        ),
        _text(
            "translate", code=c.CODE,
            pc=layout.program_counter, next=c.ARENA_NEXT, end=c.ARENA_END, reason=c.EXIT_REASON,
            room=(c.MAX_BLOCK + 3) * r.SIZE + c.MAX_COPIED, ARENA=c.Reasons.ARENA, LOOKUP=c.Reasons.LOOKUP,
            CODE_PAGE=c.Reasons.CODE_PAGE, fault_address=c.FAULT_ADDRESS, count=c.LOOKUP_COUNT, limit=c.LOOKUP_LIMIT,
            table=c.LOOKUP_TABLE, shift=c.LOOKUP_SHIFT, page_shift=_PAGE_SHIFT,
            decoding=c.DECODING_PC, decoding_block=c.DECODING_BLOCK, shared=c.SHARED,
            decoder_table=c.DECODER_TABLE, stop=c.STOP_BEFORE, rows=c.ROWS,
            record_pc=r.PC, immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT, next_pc=r.NEXT_PC, form=r.FORM,
            size=r.SIZE, most=c.MAX_BLOCK, threshold=c.HOT_THRESHOLD, pages=c.CODE_PAGES,
            pages_mask=c.CODE_PAGES_MASK, forms=c.FORMS, forms_size=c.FORM_SIZE, lazy=c.FORM_LAZY,
            reads=c.FORM_READS, kills=c.FORM_KILLS, writes=c.FORM_WRITES, stops=c.FORM_STOPS, exact=c.EXACT,
            stores=c.FORM_STORES, copied=c.HEADER_COPIED, page_flags=c.PAGE_FLAGS, page_code=c.PAGE_CODE,
            page_checked=c.PAGE_CHECKED, in_page=(1 << _PAGE_SHIFT) - 1, longest=c.LONGEST, blocks=c.BLOCKS,
        ),
        _text(
            "forget", shared=c.SHARED,
            next=c.ARENA_NEXT, record_pc=r.PC, next_pc=r.NEXT_PC,
            page_shift=_PAGE_SHIFT, region=c.HEADER_REGION, table=c.LOOKUP_TABLE, shift=c.LOOKUP_SHIFT,
        ),
        _text(
            "arrival",
            mark=c.ROOTS_MARK, notes=c.ROOT_NOTES, noted=c.ROOT_NOTED, note_shift=c.NOTE_SHIFT,
            note_mask=c.NOTE_COUNT - 1, information=c.NOTE_INFORMATION, holds=c.ROOT_HOLDS, held=c.ROOT_HELD,
            action=c.ROOT_ACTION, blocked=_SIGNAL_MASK, leader=c.ROOT_LEADER, **_WAITING,
        ),
        _text(
            "signal",
            mark=c.ROOTS_MARK, threads=c.ROOT_THREADS, entries=c.ROOT_ENTRIES, previous=c.ROOT_PREVIOUS,
            begin=c.CODE_BEGIN, end=c.CODE_END, tables=c.CODE_FAULTS,
            line_shift=LINE.bit_length() - 1, window=c.WINDOW_BASE, address=c.FAULT_ADDRESS, host_pc=c.FAULT_HOST_PC,
            write=c.FAULT_WRITE, reason=c.EXIT_REASON, FAULT=c.Reasons.FAULT, FLOAT=c.FLOAT_FAULT, slot=c.RETURN_SLOT,
            dirty=c.DIRTY_PAGES, dirty_head=c.DIRTY_HEAD,
            dirty_mask=c.DIRTY_LENGTH - 1, interrupt=c.INTERRUPT, page_shift=_PAGE_SHIFT, decoding=c.DECODING_PC,
            exit_record=c.EXIT_RECORD, next_pc=r.NEXT_PC, page_closed=c.PAGE_CLOSED,
            shared=c.SHARED, sibling=c.SIBLING,
        ),
    ]  # fmt: skip
    return "\n".join(parts)
