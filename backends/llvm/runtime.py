"""The native runtime: entering guest code, dispatch, translation of blocks into records, and faults.

These functions, in LLVM's own language in the folder native/, live below the IR: they speak the handlers' calling
convention (GHC's, in which every argument has a register and nothing is preserved, so that a tail call is a jump) and
edit signal contexts. They are generic: the guest's decoder is compiled beside them as `decode`, and what they know of
the guest stands in tables that the context points to.

A handler takes (state, nothing, record, extra): the second argument would travel in RBP, which is left to frames
because stack maps make LLVM use one. `dispatch` takes a guest pc as extra; `resolve` takes the branching record.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

from metaphrase.backends.llvm import context as c
from metaphrase.ir import record as r
from metaphrase.ir.layout import Layout

_PAGE_SHIFT = 12


_FOLDER = Path(__file__).parent / "native"


def _text(name: str, **values: object) -> str:
    """One file of the runtime, with offsets and numbers in place of their names."""
    return Template((_FOLDER / f"{name}.ll").read_text()).substitute(values)


def source(layout: Layout) -> str:
    """LLVM text of the runtime for guests of this layout; `decode` must be defined in the same module."""
    fenv = layout.slots.get("fenv")
    has_f80 = "fcw" in layout.slots  # a control word for ops on f80, which the host's own arithmetic must not see
    parts = [
        _text(
            "enter",
            load_fenv=_text("load_fenv", offset=fenv.offset, scratch=c.SCRATCH) if fenv else "",
            load_control=_text("load_control", offset=layout["fcw"].offset, scratch=c.SCRATCH) if has_f80 else "",
            save_control=_text("save_control", offset=layout["fsw"].offset) if has_f80 else "",
            save_fenv=_text("save_fenv", offset=fenv.offset, scratch=c.SCRATCH) if fenv else "",
            host=c.HOST_MXCSR, reason=c.EXIT_REASON, slot=c.RETURN_SLOT,
        ),
        _text(
            "dispatch",
            pc=layout.program_counter, table=c.LOOKUP_TABLE, shift=c.LOOKUP_SHIFT, hash=c.LOOKUP_HASH - (1 << 64),
            immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT, instructions=c.INSTRUCTIONS, size=r.SIZE,
        ),
        _text(
            "blocks",
            pc=layout.program_counter, record_pc=r.PC, immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT,
            form=r.FORM, region=c.HEADER_REGION,
            size=r.SIZE, instructions=c.INSTRUCTIONS, interrupt=c.INTERRUPT, reason=c.EXIT_REASON,
            exit_record=c.EXIT_RECORD, queue=c.HOT_QUEUE, head=c.HOT_HEAD, tail=c.HOT_TAIL, waits=c.HOT_WAITS,
            queue_mask=c.HOT_QUEUE_LENGTH - 1, forms=c.FORMS, forms_size=c.FORM_SIZE,
            INTERRUPT=c.Reasons.INTERRUPT, ILLEGAL=c.Reasons.ILLEGAL, FORMS=c.Reasons.FORMS,
        ),
        _text(
            "translate",
            pc=layout.program_counter, next=c.ARENA_NEXT, end=c.ARENA_END, reason=c.EXIT_REASON,
            room=(c.MAX_BLOCK + 3) * r.SIZE, ARENA=c.Reasons.ARENA, LOOKUP=c.Reasons.LOOKUP,
            CODE_PAGE=c.Reasons.CODE_PAGE, fault_address=c.FAULT_ADDRESS, count=c.LOOKUP_COUNT, limit=c.LOOKUP_LIMIT,
            table=c.LOOKUP_TABLE, shift=c.LOOKUP_SHIFT, hash=c.LOOKUP_HASH - (1 << 64), page_shift=_PAGE_SHIFT,
            decoding=c.DECODING_PC, decoder_table=c.DECODER_TABLE, stop=c.STOP_BEFORE, rows=c.ROWS,
            record_pc=r.PC, immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT, next_pc=r.NEXT_PC, form=r.FORM,
            extra=r.EXTRA, size=r.SIZE, most=c.MAX_BLOCK, threshold=c.HOT_THRESHOLD, pages=c.CODE_PAGES,
            pages_mask=c.CODE_PAGES_MASK, forms=c.FORMS, forms_size=c.FORM_SIZE, lazy=c.FORM_LAZY,
            reads=c.FORM_READS, kills=c.FORM_KILLS, writes=c.FORM_WRITES, blocks=c.BLOCKS,
        ),
        _text(
            "signal",
            mark=c.ROOTS_MARK, threads=c.ROOT_THREADS, entries=c.ROOT_ENTRIES, previous=c.ROOT_PREVIOUS,
            begin=c.CODE_BEGIN, end=c.CODE_END, window=c.WINDOW_BASE, address=c.FAULT_ADDRESS, host_pc=c.FAULT_HOST_PC,
            write=c.FAULT_WRITE, reason=c.EXIT_REASON, FAULT=c.Reasons.FAULT, slot=c.RETURN_SLOT,
            pages=c.CODE_PAGES, pages_mask=c.CODE_PAGES_MASK, dirty=c.DIRTY_PAGES, dirty_head=c.DIRTY_HEAD,
            dirty_mask=c.DIRTY_LENGTH - 1, interrupt=c.INTERRUPT, page_shift=_PAGE_SHIFT, decoding=c.DECODING_PC,
            exit_record=c.EXIT_RECORD, record_pc=r.PC, next_pc=r.NEXT_PC,
        ),
    ]  # fmt: skip
    return "\n".join(parts)
