"""The native runtime: entering guest code, dispatch, translation of blocks into records, and faults.

These functions live below the IR: they speak the handlers' calling convention (GHC's, in which every argument has a
register and nothing is preserved, so that a tail call is a jump) and edit signal contexts. They are generic: the guest's
decoder is compiled beside them as `decode`, and what they know of the guest stands in tables that the context points to.

A handler takes (state, nothing, record, extra): the second argument would travel in RBP, which is left to frames because
stack maps make LLVM use one. `dispatch` takes a guest pc as extra; `resolve` takes the branching record.
"""

from __future__ import annotations

from metaphrase.backends.llvm import context as c
from metaphrase.ir import record as r
from metaphrase.ir.layout import Layout

_PAGE_SHIFT = 12


def _field(offset: int, base: str = "%state") -> str:
    return f"getelementptr i8, ptr {base}, i64 {offset}"


def source(layout: Layout) -> str:
    """LLVM text of the runtime for guests of this layout; `decode` must be defined in the same module."""
    fenv = layout.slots.get("fenv")
    has_f80 = "fcw" in layout.slots  # a control word for ops on f80, which the host's own arithmetic must not see
    parts = [
        _ENTER.format(
            load_fenv=_LOAD_FENV.format(offset=fenv.offset, scratch=c.SCRATCH) if fenv else "",
            load_control=_LOAD_CONTROL.format(offset=layout["fcw"].offset, scratch=c.SCRATCH) if has_f80 else "",
            save_control=_SAVE_CONTROL.format(offset=layout["fsw"].offset) if has_f80 else "",
            save_fenv=_SAVE_FENV.format(offset=fenv.offset, scratch=c.SCRATCH) if fenv else "",
            host=c.HOST_MXCSR, reason=c.EXIT_REASON, slot=c.RETURN_SLOT,
        ),
        _DISPATCH.format(
            pc=layout.program_counter, table=c.LOOKUP_TABLE, shift=c.LOOKUP_SHIFT, hash=c.LOOKUP_HASH - (1 << 64),
            immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT,
        ),
        _BLOCKS.format(
            pc=layout.program_counter, record_pc=r.PC, immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT, form=r.FORM, region=c.HEADER_REGION,
            size=r.SIZE, instructions=c.INSTRUCTIONS, interrupt=c.INTERRUPT, reason=c.EXIT_REASON,
            exit_record=c.EXIT_RECORD, queue=c.HOT_QUEUE, head=c.HOT_HEAD, tail=c.HOT_TAIL, waits=c.HOT_WAITS,
            queue_mask=c.HOT_QUEUE_LENGTH - 1, forms=c.FORMS, forms_size=c.FORM_SIZE,
            INTERRUPT=c.Reasons.INTERRUPT, ILLEGAL=c.Reasons.ILLEGAL, FORMS=c.Reasons.FORMS,
        ),
        _TRANSLATE.format(
            pc=layout.program_counter, next=c.ARENA_NEXT, end=c.ARENA_END, reason=c.EXIT_REASON,
            room=(c.MAX_BLOCK + 3) * r.SIZE, ARENA=c.Reasons.ARENA, LOOKUP=c.Reasons.LOOKUP,
            CODE_PAGE=c.Reasons.CODE_PAGE, fault_address=c.FAULT_ADDRESS, count=c.LOOKUP_COUNT, limit=c.LOOKUP_LIMIT,
            table=c.LOOKUP_TABLE, shift=c.LOOKUP_SHIFT, hash=c.LOOKUP_HASH - (1 << 64), page_shift=_PAGE_SHIFT,
            decoding=c.DECODING_PC, decoder_table=c.DECODER_TABLE, stop=c.STOP_BEFORE, rows=c.ROWS,
            record_pc=r.PC, immediate=r.IMMEDIATE, displacement=r.DISPLACEMENT, next_pc=r.NEXT_PC, form=r.FORM,
            extra=r.EXTRA, size=r.SIZE, most=c.MAX_BLOCK, threshold=c.HOT_THRESHOLD, pages=c.CODE_PAGES,
            pages_mask=c.CODE_PAGES_MASK, forms=c.FORMS, forms_size=c.FORM_SIZE, lazy=c.FORM_LAZY,
            reads=c.FORM_READS, kills=c.FORM_KILLS, writes=c.FORM_WRITES, blocks=c.BLOCKS,
            static_bits="%static.bits",
        ),
        _SIGNAL.format(
            mark=c.ROOTS_MARK, threads=c.ROOT_THREADS, entries=c.ROOT_ENTRIES, previous=c.ROOT_PREVIOUS,
            begin=c.CODE_BEGIN, end=c.CODE_END, window=c.WINDOW_BASE, address=c.FAULT_ADDRESS, host_pc=c.FAULT_HOST_PC,
            write=c.FAULT_WRITE, reason=c.EXIT_REASON, FAULT=c.Reasons.FAULT, slot=c.RETURN_SLOT,
            pages=c.CODE_PAGES, pages_mask=c.CODE_PAGES_MASK, dirty=c.DIRTY_PAGES, dirty_head=c.DIRTY_HEAD,
            dirty_mask=c.DIRTY_LENGTH - 1, interrupt=c.INTERRUPT, page_shift=_PAGE_SHIFT, decoding=c.DECODING_PC,
        ),
    ]  # fmt: skip
    return "\n".join(parts)


_LOAD_FENV = """
  %fenv.p = getelementptr i8, ptr %state, i64 {offset}
  %fenv = load i32, ptr %fenv.p
  %fenv.masked = or i32 %fenv, 8064
  %scratch = getelementptr i8, ptr %state, i64 {scratch}
  store i32 %fenv.masked, ptr %scratch
  call void @llvm.x86.sse.ldmxcsr(ptr %scratch)"""

_LOAD_CONTROL = """
  %control.p = getelementptr i8, ptr %state, i64 {offset}
  %control = load i16, ptr %control.p
  %control.masked = or i16 %control, 63
  %control.host = getelementptr i8, ptr %state, i64 {scratch}
  store i16 %control.masked, ptr %control.host
  call void asm sideeffect "fldcw $0", "*m,~{{memory}}"(ptr elementtype(i16) %control.host)"""

_SAVE_CONTROL = """
  %raised = call i16 asm sideeffect "fnstsw %ax\\0Afninit", "={{ax}}"()
  %raised.flags = and i16 %raised, 63
  %raised.slot = getelementptr i8, ptr %state, i64 {offset}
  %raised.before = load i16, ptr %raised.slot
  %raised.all = or i16 %raised.before, %raised.flags
  store i16 %raised.all, ptr %raised.slot"""
# FNINIT, because a fault may have left something on the stack, and the host's own code expects it empty.

_SAVE_FENV = """
  %after.p = getelementptr i8, ptr %state, i64 {scratch}
  call void @llvm.x86.sse.stmxcsr(ptr %after.p)
  %after = load i32, ptr %after.p
  %after.flags = and i32 %after, -8065
  %after.slot = getelementptr i8, ptr %state, i64 {offset}
  %before = load i32, ptr %after.slot
  %masks = and i32 %before, 8064
  %merged = or i32 %after.flags, %masks
  store i32 %merged, ptr %after.slot"""

_ENTER = """
declare void @llvm.x86.sse.ldmxcsr(ptr)
declare void @llvm.x86.sse.stmxcsr(ptr)
declare ptr @llvm.addressofreturnaddress.p0()

; Run guest code from `record` (or, if that is null, from the pc in the state) until it leaves; gives the exit reason.
define i64 @enter(ptr %state, ptr %record) nounwind {{
  %host.p = getelementptr i8, ptr %state, i64 {host}
  call void @llvm.x86.sse.stmxcsr(ptr %host.p){load_fenv}{load_control}
  call ghccc void @prologue(ptr %state, i64 poison, ptr %record, i64 0){save_fenv}{save_control}
  call void @llvm.x86.sse.ldmxcsr(ptr %host.p)
  %reason.p = getelementptr i8, ptr %state, i64 {reason}
  %reason = load i64, ptr %reason.p
  ret i64 %reason
}}

; Remember where the chain of handlers returns to, so that a fault can return there from anywhere.
define internal ghccc void @prologue(ptr %state, i64 %rbp, ptr %record, i64 %from) noinline nounwind {{
  %slot = call ptr @llvm.addressofreturnaddress.p0()
  %slot.p = getelementptr i8, ptr %state, i64 {slot}
  store ptr %slot, ptr %slot.p
  %fresh = icmp eq ptr %record, null
  br i1 %fresh, label %by.pc, label %by.record
by.record:
  %handler = load ptr, ptr %record
  musttail call ghccc void %handler(ptr %state, i64 poison, ptr %record, i64 0)
  ret void
by.pc:
  musttail call ghccc void @dispatch_state(ptr %state, i64 poison, ptr null, i64 0)
  ret void
}}
"""

_DISPATCH = """
; Go on at the pc in the state.
define internal ghccc void @dispatch_state(ptr %state, i64 %rbp, ptr %op, i64 %unused) nounwind {{
  %pc.p = getelementptr i8, ptr %state, i64 {pc}
  %pc = load i64, ptr %pc.p
  musttail call ghccc void @dispatch(ptr %state, i64 poison, ptr %op, i64 %pc)
  ret void
}}

; Go on at a guest pc: the first probe of the lookup table is in line.
define ghccc void @dispatch(ptr %state, i64 %rbp, ptr %op, i64 %pc) nounwind {{
  %table.p = getelementptr i8, ptr %state, i64 {table}
  %table = load ptr, ptr %table.p
  %shift.p = getelementptr i8, ptr %state, i64 {shift}
  %shift = load i64, ptr %shift.p
  %product = mul i64 %pc, {hash}
  %index = lshr i64 %product, %shift
  %entry = getelementptr {{i64, ptr}}, ptr %table, i64 %index
  %key = load i64, ptr %entry
  %hit = icmp eq i64 %key, %pc
  br i1 %hit, label %found, label %slow, !prof !0
found:
  %target.p = getelementptr i8, ptr %entry, i64 8
  %target = load ptr, ptr %target.p
  %handler = load ptr, ptr %target
  musttail call ghccc void %handler(ptr %state, i64 poison, ptr %target, i64 0)
  ret void
slow:
  musttail call ghccc void @dispatch_slow(ptr %state, i64 poison, ptr %op, i64 %pc)
  ret void
}}

define internal ghccc void @dispatch_slow(ptr %state, i64 %rbp, ptr %op, i64 %pc) noinline nounwind {{
  %known = call ptr @find(ptr %state, i64 %pc)
  %missing = icmp eq ptr %known, null
  br i1 %missing, label %fresh, label %go
fresh:
  %made = call ptr @translate(ptr %state, i64 %pc)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %leave, label %go
go:
  %target = phi ptr [%known, %0], [%made, %fresh]
  %handler = load ptr, ptr %target
  musttail call ghccc void %handler(ptr %state, i64 poison, ptr %target, i64 0)
  ret void
leave:
  ret void
}}

; A branching record that is not chained yet: find or translate its target and chain it.
define ghccc void @resolve(ptr %state, i64 %rbp, ptr %op, i64 %unused) noinline nounwind {{
  %pc.p = getelementptr i8, ptr %op, i64 {immediate}
  %pc = load i64, ptr %pc.p
  %known = call ptr @find(ptr %state, i64 %pc)
  %missing = icmp eq ptr %known, null
  br i1 %missing, label %fresh, label %go
fresh:
  %made = call ptr @translate(ptr %state, i64 %pc)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %leave, label %go
go:
  %target = phi ptr [%known, %0], [%made, %fresh]
  %chain = getelementptr i8, ptr %op, i64 {displacement}
  store ptr %target, ptr %chain
  %handler = load ptr, ptr %target
  musttail call ghccc void %handler(ptr %state, i64 poison, ptr %target, i64 0)
  ret void
leave:
  ret void
}}

; The record at a guest pc, or null.
define internal ptr @find(ptr %state, i64 %pc) nounwind {{
  %table.p = getelementptr i8, ptr %state, i64 {table}
  %table = load ptr, ptr %table.p
  %shift.p = getelementptr i8, ptr %state, i64 {shift}
  %shift = load i64, ptr %shift.p
  %mask = lshr i64 -1, %shift
  %product = mul i64 %pc, {hash}
  %first = lshr i64 %product, %shift
  br label %probe
probe:
  %index = phi i64 [%first, %0], [%next, %more]
  %entry = getelementptr {{i64, ptr}}, ptr %table, i64 %index
  %key = load i64, ptr %entry
  %hit = icmp eq i64 %key, %pc
  br i1 %hit, label %found, label %miss
miss:
  %empty = icmp eq i64 %key, -1
  br i1 %empty, label %none, label %more
more:
  %up = add i64 %index, 1
  %next = and i64 %up, %mask
  br label %probe
found:
  %target.p = getelementptr i8, ptr %entry, i64 8
  %target = load ptr, ptr %target.p
  ret ptr %target
none:
  ret ptr null
}}
"""

_BLOCKS = """
; The header record of a block: count it, see whether it became hot, or whether somebody wants to stop.
define ghccc void @block_entry(ptr %state, i64 %rbp, ptr %op, i64 %from) nounwind {{
  %interrupt.p = getelementptr i8, ptr %state, i64 {interrupt}
  %interrupt = load volatile i64, ptr %interrupt.p
  %stop = icmp ne i64 %interrupt, 0
  br i1 %stop, label %leave, label %count, !prof !2
count:
  %size.p = getelementptr i8, ptr %op, i64 {immediate}
  %size = load i64, ptr %size.p
  %total.p = getelementptr i8, ptr %state, i64 {instructions}
  %total = load i64, ptr %total.p
  %more = add i64 %total, %size
  store i64 %more, ptr %total.p
  %left.p = getelementptr i8, ptr %op, i64 {displacement}
  %left = load i64, ptr %left.p
  %less = sub i64 %left, 1
  store i64 %less, ptr %left.p
  %hot = icmp eq i64 %less, 0
  br i1 %hot, label %enqueue, label %go, !prof !2
go:
  %first = getelementptr i8, ptr %op, i64 {size}
  %handler = load ptr, ptr %first
  musttail call ghccc void %handler(ptr %state, i64 poison, ptr %first, i64 0)
  ret void
enqueue:
  %head.p = getelementptr i8, ptr %state, i64 {head}
  %head = load i64, ptr %head.p
  %tail.p = getelementptr i8, ptr %state, i64 {tail}
  %tail = load volatile i64, ptr %tail.p
  %used = sub i64 %head, %tail
  %room = icmp ult i64 %used, {queue_mask}
  br i1 %room, label %push, label %later
push:
  %queue.p = getelementptr i8, ptr %state, i64 {queue}
  %queue = load ptr, ptr %queue.p
  %place = and i64 %head, {queue_mask}
  %slot = getelementptr i64, ptr %queue, i64 %place
  %op.i = ptrtoint ptr %op to i64
  store volatile i64 %op.i, ptr %slot
  %head.next = add i64 %head, 1
  store atomic i64 %head.next, ptr %head.p release, align 8
  %waits.p = getelementptr i8, ptr %state, i64 {waits}
  %waits = load i64, ptr %waits.p
  %hurry = icmp ne i64 %waits, 0
  br i1 %hurry, label %wake, label %go
wake:
  store volatile i64 1, ptr %interrupt.p
  br label %go
later:
  store i64 1000, ptr %left.p
  br label %go
leave:
  %pc.p = getelementptr i8, ptr %op, i64 {record_pc}
  %pc = load i64, ptr %pc.p
  %state.pc = getelementptr i8, ptr %state, i64 {pc}
  store i64 %pc, ptr %state.pc
  %reason.p = getelementptr i8, ptr %state, i64 {reason}
  store i64 {INTERRUPT}, ptr %reason.p
  ret void
}}

; The header record of a block that a region has taken over: go on with the region's entry record. One pointer tells
; which that is, so that the header can be handed to another region while other threads run.
define ghccc void @region_entry(ptr %state, i64 %rbp, ptr %op, i64 %from) nounwind {{
  %entry.p = getelementptr i8, ptr %op, i64 {region}
  %entry = load ptr, ptr %entry.p
  %handler = load ptr, ptr %entry
  musttail call ghccc void %handler(ptr %state, i64 poison, ptr %entry, i64 0)
  ret void
}}

; The record behind a block's last instruction: go on at the pc in its immediate.
define ghccc void @goto_next(ptr %state, i64 %rbp, ptr %op, i64 %from) nounwind {{
  %chain = getelementptr i8, ptr %op, i64 {displacement}
  %target = load ptr, ptr %chain
  %unknown = icmp eq ptr %target, null
  br i1 %unknown, label %ask, label %go, !prof !2
go:
  %handler = load ptr, ptr %target
  musttail call ghccc void %handler(ptr %state, i64 poison, ptr %target, i64 0)
  ret void
ask:
  musttail call ghccc void @resolve(ptr %state, i64 poison, ptr %op, i64 0)
  ret void
}}

; No description matches the bytes here.
define ghccc void @illegal(ptr %state, i64 %rbp, ptr %op, i64 %from) nounwind {{
  call void @leave_at(ptr %state, ptr %op, i64 {ILLEGAL})
  ret void
}}

; A form whose handler is not compiled, or was not when its block was translated.
define ghccc void @uncompiled(ptr %state, i64 %rbp, ptr %op, i64 %from) nounwind {{
  %form.p = getelementptr i8, ptr %op, i64 {form}
  %form.n = load i32, ptr %form.p
  %form = zext i32 %form.n to i64
  %at = mul i64 %form, {forms_size}
  %forms.p = getelementptr i8, ptr %state, i64 {forms}
  %forms = load ptr, ptr %forms.p
  %fact = getelementptr i8, ptr %forms, i64 %at
  %handler = load ptr, ptr %fact
  %missing = icmp eq ptr %handler, null
  br i1 %missing, label %leave, label %go
go:
  store ptr %handler, ptr %op
  musttail call ghccc void %handler(ptr %state, i64 poison, ptr %op, i64 0)
  ret void
leave:
  call void @leave_at(ptr %state, ptr %op, i64 {FORMS})
  ret void
}}

define internal void @leave_at(ptr %state, ptr %op, i64 %reason) nounwind {{
  %pc.p = getelementptr i8, ptr %op, i64 {record_pc}
  %pc = load i64, ptr %pc.p
  %state.pc = getelementptr i8, ptr %state, i64 {pc}
  store i64 %pc, ptr %state.pc
  %record.p = getelementptr i8, ptr %state, i64 {exit_record}
  store ptr %op, ptr %record.p
  %reason.p = getelementptr i8, ptr %state, i64 {reason}
  store i64 %reason, ptr %reason.p
  ret void
}}
"""

_TRANSLATE = """
; Whether code of this guest page may be translated: a hash set of (page << 1 | may the guest write it), 0 for empty.
define internal i1 @page_known(ptr %state, i64 %page) nounwind {{
  %pages.p = getelementptr i8, ptr %state, i64 {pages}
  %pages = load ptr, ptr %pages.p
  %mask.p = getelementptr i8, ptr %state, i64 {pages_mask}
  %mask = load i64, ptr %mask.p
  %first = and i64 %page, %mask
  br label %probe
probe:
  %index = phi i64 [%first, %0], [%next, %more]
  %entry = getelementptr i64, ptr %pages, i64 %index
  %key = load i64, ptr %entry
  %empty = icmp eq i64 %key, 0
  br i1 %empty, label %no, label %used
used:
  %number = lshr i64 %key, 1
  %hit = icmp eq i64 %number, %page
  br i1 %hit, label %yes, label %more
more:
  %up = add i64 %index, 1
  %next = and i64 %up, %mask
  br label %probe
yes:
  ret i1 true
no:
  ret i1 false
}}

define internal void @give_up(ptr %state, i64 %pc, i64 %reason) nounwind {{
  %state.pc = getelementptr i8, ptr %state, i64 {pc}
  store i64 %pc, ptr %state.pc
  %reason.p = getelementptr i8, ptr %state, i64 {reason}
  store i64 %reason, ptr %reason.p
  ret void
}}

; Decode the block at a guest pc into records; gives its header, or null with the exit reason set.
define internal ptr @translate(ptr %state, i64 %pc) noinline nounwind {{
  %next.p = getelementptr i8, ptr %state, i64 {next}
  %header = load ptr, ptr %next.p
  %end.p = getelementptr i8, ptr %state, i64 {end}
  %end = load i64, ptr %end.p
  %header.i = ptrtoint ptr %header to i64
  %needed = add i64 %header.i, {room}
  %full = icmp ugt i64 %needed, %end
  br i1 %full, label %no.arena, label %has.arena
no.arena:
  call void @give_up(ptr %state, i64 %pc, i64 {ARENA})
  ret ptr null
has.arena:
  %count.p = getelementptr i8, ptr %state, i64 {count}
  %count = load i64, ptr %count.p
  %limit.p = getelementptr i8, ptr %state, i64 {limit}
  %limit = load i64, ptr %limit.p
  %crowded = icmp uge i64 %count, %limit
  br i1 %crowded, label %no.lookup, label %has.lookup
no.lookup:
  call void @give_up(ptr %state, i64 %pc, i64 {LOOKUP})
  ret ptr null
has.lookup:
  %page = lshr i64 %pc, {page_shift}
  %known = call i1 @page_known(ptr %state, i64 %page)
  br i1 %known, label %start, label %no.page
no.page:
  %bad = phi i64 [%pc, %has.lookup], [%last.no, %crosses.first]
  %address.p = getelementptr i8, ptr %state, i64 {fault_address}
  store i64 %bad, ptr %address.p
  call void @give_up(ptr %state, i64 %pc, i64 {CODE_PAGE})
  ret ptr null
start:
  %decoding.p = getelementptr i8, ptr %state, i64 {decoding}
  %table.p = getelementptr i8, ptr %state, i64 {decoder_table}
  %table = load i64, ptr %table.p
  %stop.p = getelementptr i8, ptr %state, i64 {stop}
  %stop = load i64, ptr %stop.p
  %rows.p = getelementptr i8, ptr %state, i64 {rows}
  %rows = load ptr, ptr %rows.p
  %static.bits.p = getelementptr i8, ptr %rows, i64 -8
  %static.bits.w = load i64, ptr %static.bits.p
  %static.bits = trunc i64 %static.bits.w to i32
  br label %instruction
instruction:
  %n = phi i64 [0, %start], [%n.next, %continue]
  %at = phi i64 [%pc, %start], [%following, %continue]
  %n.next = add i64 %n, 1
  %offset = mul i64 %n.next, {size}
  %rec = getelementptr i8, ptr %header, i64 %offset
  %rec.i = ptrtoint ptr %rec to i64
  store i64 %at, ptr %decoding.p
  %length = call i64 @decode(ptr %state, i64 %at, i64 %rec.i, i64 %table)
  store i64 0, ptr %decoding.p
  %nothing = icmp eq i64 %length, 0
  br i1 %nothing, label %unknown, label %decoded
unknown:
  store ptr @illegal, ptr %rec
  %rec.pc = getelementptr i8, ptr %rec, i64 {record_pc}
  store i64 %at, ptr %rec.pc
  %rec.form = getelementptr i8, ptr %rec, i64 {form}
  store i32 -1, ptr %rec.form
  br label %finish
decoded:
  %following = add i64 %at, %length
  %last = sub i64 %following, 1
  %first.page = lshr i64 %at, {page_shift}
  %last.page = lshr i64 %last, {page_shift}
  %crosses = icmp ne i64 %first.page, %last.page
  br i1 %crosses, label %check.page, label %inside
check.page:
  %next.known = call i1 @page_known(ptr %state, i64 %last.page)
  br i1 %next.known, label %inside, label %no.next.page
no.next.page:
  %alone = icmp eq i64 %n, 0
  br i1 %alone, label %crosses.first, label %finish
crosses.first:
  %last.no = phi i64 [%last, %no.next.page]
  br label %no.page
inside:
  %form.p = getelementptr i8, ptr %rec, i64 {form}
  %form = load i32, ptr %form.p
  %row = lshr i32 %form, %static.bits
  %row.w = zext i32 %row to i64
  %ends.p = getelementptr i8, ptr %rows, i64 %row.w
  %ends = load i8, ptr %ends.p
  %is.end = icmp ne i8 %ends, 0
  br i1 %is.end, label %finish, label %same.page
same.page:
  %following.page = lshr i64 %following, {page_shift}
  %start.page = lshr i64 %pc, {page_shift}
  %leaves.page = icmp ne i64 %following.page, %start.page
  %long = icmp uge i64 %n.next, {most}
  %stops = icmp eq i64 %following, %stop
  %some = or i1 %leaves.page, %long
  %any = or i1 %some, %stops
  br i1 %any, label %finish, label %continue
continue:
  br label %instruction
finish:
  %total = phi i64 [%n.next, %unknown], [%n, %no.next.page], [%n.next, %inside], [%n.next, %same.page]
  %resume = phi i64 [%at, %unknown], [%at, %no.next.page], [%following, %inside], [%following, %same.page]
  store ptr @block_entry, ptr %header
  %h.pc = getelementptr i8, ptr %header, i64 {record_pc}
  store i64 %pc, ptr %h.pc
  %h.count = getelementptr i8, ptr %header, i64 {immediate}
  store i64 %total, ptr %h.count
  %threshold.p = getelementptr i8, ptr %state, i64 {threshold}
  %threshold = load i64, ptr %threshold.p
  %h.left = getelementptr i8, ptr %header, i64 {displacement}
  store i64 %threshold, ptr %h.left
  %h.end = getelementptr i8, ptr %header, i64 {next_pc}
  store i64 %resume, ptr %h.end
  %h.form = getelementptr i8, ptr %header, i64 {form}
  store i32 -2, ptr %h.form
  %h.extra = getelementptr i8, ptr %header, i64 {extra}
  store i32 0, ptr %h.extra
  %total.1 = add i64 %total, 1
  %tail.at = mul i64 %total.1, {size}
  %tail = getelementptr i8, ptr %header, i64 %tail.at
  store ptr @goto_next, ptr %tail
  %t.pc = getelementptr i8, ptr %tail, i64 {record_pc}
  store i64 %resume, ptr %t.pc
  %t.target = getelementptr i8, ptr %tail, i64 {immediate}
  store i64 %resume, ptr %t.target
  %t.chain = getelementptr i8, ptr %tail, i64 {displacement}
  store i64 0, ptr %t.chain
  %t.form = getelementptr i8, ptr %tail, i64 {form}
  store i32 -2, ptr %t.form
  %arena.next = getelementptr i8, ptr %tail, i64 {size}
  store ptr %arena.next, ptr %next.p
  call void @link_block(ptr %state, ptr %header)
  call void @remember(ptr %state, i64 %pc, ptr %header)
  %count.up = add i64 %count, 1
  store i64 %count.up, ptr %count.p
  %blocks.p = getelementptr i8, ptr %state, i64 {blocks}
  %blocks = load i64, ptr %blocks.p
  %blocks.up = add i64 %blocks, 1
  store i64 %blocks.up, ptr %blocks.p
  ret ptr %header
}}

define internal void @remember(ptr %state, i64 %pc, ptr %header) nounwind {{
  %table.p = getelementptr i8, ptr %state, i64 {table}
  %table = load ptr, ptr %table.p
  %shift.p = getelementptr i8, ptr %state, i64 {shift}
  %shift = load i64, ptr %shift.p
  %mask = lshr i64 -1, %shift
  %product = mul i64 %pc, {hash}
  %first = lshr i64 %product, %shift
  br label %probe
probe:
  %index = phi i64 [%first, %0], [%next, %more]
  %entry = getelementptr {{i64, ptr}}, ptr %table, i64 %index
  %key = load i64, ptr %entry
  %empty = icmp eq i64 %key, -1
  br i1 %empty, label %place, label %more
more:
  %up = add i64 %index, 1
  %next = and i64 %up, %mask
  br label %probe
place:
  %value.p = getelementptr i8, ptr %entry, i64 8
  store ptr %header, ptr %value.p
  store i64 %pc, ptr %entry
  ret void
}}

; Give each record of a block its handler, backwards: the variant that leaves the lazy group alone where nothing reads it.
define void @link_block(ptr %state, ptr %header) nounwind {{
  %count.p = getelementptr i8, ptr %header, i64 {immediate}
  %count = load i64, ptr %count.p
  %forms.p = getelementptr i8, ptr %state, i64 {forms}
  %forms = load ptr, ptr %forms.p
  br label %loop
loop:
  %n = phi i64 [%count, %0], [%n.next, %done]
  %live = phi i8 [-1, %0], [%live.next, %done]
  %stop = icmp eq i64 %n, 0
  br i1 %stop, label %end, label %one
one:
  %at = mul i64 %n, {size}
  %rec = getelementptr i8, ptr %header, i64 %at
  %form.p = getelementptr i8, ptr %rec, i64 {form}
  %form = load i32, ptr %form.p
  %is.illegal = icmp eq i32 %form, -1
  br i1 %is.illegal, label %keep, label %known
known:
  %form.w = zext i32 %form to i64
  %fact.at = mul i64 %form.w, {forms_size}
  %fact = getelementptr i8, ptr %forms, i64 %fact.at
  %handler = load ptr, ptr %fact
  %missing = icmp eq ptr %handler, null
  br i1 %missing, label %uncompiled.yet, label %compiled
uncompiled.yet:
  store ptr @uncompiled, ptr %rec
  br label %keep
keep:
  br label %done
compiled:
  %lazy.p = getelementptr i8, ptr %fact, i64 {lazy}
  %lazy = load ptr, ptr %lazy.p
  %reads.p = getelementptr i8, ptr %fact, i64 {reads}
  %reads = load i8, ptr %reads.p
  %kills.p = getelementptr i8, ptr %fact, i64 {kills}
  %kills = load i8, ptr %kills.p
  %writes.p = getelementptr i8, ptr %fact, i64 {writes}
  %writes = load i8, ptr %writes.p
  %wanted = and i8 %writes, %live
  %unwanted = icmp eq i8 %wanted, 0
  %has.lazy = icmp ne ptr %lazy, null
  %use.lazy = and i1 %unwanted, %has.lazy
  %chosen = select i1 %use.lazy, ptr %lazy, ptr %handler
  store ptr %chosen, ptr %rec
  %not.killed = xor i8 %kills, -1
  %survive = and i8 %live, %not.killed
  %live.compiled = or i8 %survive, %reads
  br label %done
done:
  %live.next = phi i8 [-1, %keep], [%live.compiled, %compiled]
  %n.next = sub i64 %n, 1
  br label %loop
end:
  ret void
}}
"""

_SIGNAL = """
; SIGSEGV and SIGBUS. A write to a page of translated code that the guest may write is noted, and the page opened; any
; other fault of guest code ends the run of handlers; what is not the guest's goes to the action that was there before.
define void @on_signal(i32 %signal, ptr %info, ptr %ucontext) nounwind {{
  %roots = inttoptr i64 {mark} to ptr
  %thread = call ptr asm "movq %fs:0, $0", "=r"()
  %threads.p = getelementptr i8, ptr %roots, i64 {threads}
  %threads = load i64, ptr %threads.p
  br label %search
search:
  %i = phi i64 [0, %0], [%i.next, %other]
  %exhausted = icmp uge i64 %i, %threads
  br i1 %exhausted, label %foreign, label %look
look:
  %at = shl i64 %i, 4
  %entry.at = add i64 %at, {entries}
  %entry = getelementptr i8, ptr %roots, i64 %entry.at
  %owner = load ptr, ptr %entry
  %mine = icmp eq ptr %owner, %thread
  br i1 %mine, label %found, label %other
other:
  %i.next = add i64 %i, 1
  br label %search
found:
  %state.p = getelementptr i8, ptr %entry, i64 8
  %state = load ptr, ptr %state.p
  %rip.p = getelementptr i8, ptr %ucontext, i64 168
  %rip = load i64, ptr %rip.p
  %begin.p = getelementptr i8, ptr %state, i64 {begin}
  %begin = load i64, ptr %begin.p
  %end.p = getelementptr i8, ptr %state, i64 {end}
  %end = load i64, ptr %end.p
  %above = icmp uge i64 %rip, %begin
  %below = icmp ult i64 %rip, %end
  %inside = and i1 %above, %below
  br i1 %inside, label %guest, label %other
guest:
  %si.addr.p = getelementptr i8, ptr %info, i64 16
  %si.addr = load i64, ptr %si.addr.p
  %window.p = getelementptr i8, ptr %state, i64 {window}
  %window = load i64, ptr %window.p
  %address = sub i64 %si.addr, %window
  %error.p = getelementptr i8, ptr %ucontext, i64 192
  %error = load i64, ptr %error.p
  %error.shifted = lshr i64 %error, 1
  %write = and i64 %error.shifted, 1
  %is.write = icmp ne i64 %write, 0
  br i1 %is.write, label %perhaps.code, label %fault
perhaps.code:
  %page = lshr i64 %address, {page_shift}
  %pages.p = getelementptr i8, ptr %state, i64 {pages}
  %pages = load ptr, ptr %pages.p
  %mask.p = getelementptr i8, ptr %state, i64 {pages_mask}
  %mask = load i64, ptr %mask.p
  %wanted.shifted = shl i64 %page, 1
  %wanted = or i64 %wanted.shifted, 1
  %first = and i64 %page, %mask
  br label %probe
probe:
  %index = phi i64 [%first, %perhaps.code], [%next, %more]
  %key.p = getelementptr i64, ptr %pages, i64 %index
  %key = load i64, ptr %key.p
  %hit = icmp eq i64 %key, %wanted
  br i1 %hit, label %code, label %miss
miss:
  %empty = icmp eq i64 %key, 0
  br i1 %empty, label %fault, label %more
more:
  %up = add i64 %index, 1
  %next = and i64 %up, %mask
  br label %probe
code:
  %page.address = shl i64 %page, {page_shift}
  %host.page = add i64 %page.address, %window
  %opened = call i64 asm sideeffect "syscall", "={{rax}},{{rax}},{{rdi}},{{rsi}},{{rdx}},~{{rcx}},~{{r11}},~{{memory}}"(i64 10, i64 %host.page, i64 4096, i64 3)
  %head.p = getelementptr i8, ptr %state, i64 {dirty_head}
  %head = load i64, ptr %head.p
  %ring.p = getelementptr i8, ptr %state, i64 {dirty}
  %ring = load ptr, ptr %ring.p
  %place = and i64 %head, {dirty_mask}
  %slot = getelementptr i64, ptr %ring, i64 %place
  store i64 %page, ptr %slot
  %head.next = add i64 %head, 1
  store i64 %head.next, ptr %head.p
  %interrupt.p = getelementptr i8, ptr %state, i64 {interrupt}
  store volatile i64 1, ptr %interrupt.p
  ret void
fault:
  %address.p = getelementptr i8, ptr %state, i64 {address}
  store i64 %address, ptr %address.p
  %host.pc.p = getelementptr i8, ptr %state, i64 {host_pc}
  store i64 %rip, ptr %host.pc.p
  %write.p = getelementptr i8, ptr %state, i64 {write}
  store i64 %write, ptr %write.p
  %reason.p = getelementptr i8, ptr %state, i64 {reason}
  store i64 {FAULT}, ptr %reason.p
  %slot.p = getelementptr i8, ptr %state, i64 {slot}
  %return.slot = load ptr, ptr %slot.p
  %return.to = load i64, ptr %return.slot
  store i64 %return.to, ptr %rip.p
  %return.slot.i = ptrtoint ptr %return.slot to i64
  %stack = add i64 %return.slot.i, 8
  %rsp.p = getelementptr i8, ptr %ucontext, i64 160
  store i64 %stack, ptr %rsp.p
  ret void
foreign:
  %previous.p = getelementptr i8, ptr %roots, i64 {previous}
  %previous = load ptr, ptr %previous.p
  %previous.i = ptrtoint ptr %previous to i64
  %is.function = icmp ugt i64 %previous.i, 1
  br i1 %is.function, label %pass.on, label %default
pass.on:
  call void %previous(i32 %signal, ptr %info, ptr %ucontext)
  ret void
default:
  %action = alloca [4 x i64]
  store [4 x i64] zeroinitializer, ptr %action
  %number = zext i32 %signal to i64
  %reset = call i64 asm sideeffect "syscall", "={{rax}},{{rax}},{{rdi}},{{rsi}},{{rdx}},{{r10}},~{{rcx}},~{{r11}},~{{memory}}"(i64 13, i64 %number, ptr %action, i64 0, i64 8)
  ret void
}}
"""
