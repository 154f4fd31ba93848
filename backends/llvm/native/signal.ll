; SIGSEGV, SIGBUS, and SIGFPE, which counts as an access of a kind of its own. A write to a page that is closed, because
; regions were made of its code, is noted, and the page opened; any other fault of guest code ends the run of handlers;
; what is not the guest's goes to the action that was there before.
define void @on_signal(i32 %signal, ptr %info, ptr %ucontext) nounwind {
  %roots = inttoptr i64 ${mark} to ptr
  %state = call ptr @state_of_thread(ptr %roots)
  %no.guest = icmp eq ptr %state, null
  br i1 %no.guest, label %foreign, label %found
found:
  %rip.p = getelementptr i8, ptr %ucontext, i64 168
  %rip = load i64, ptr %rip.p
  %begin.p = getelementptr i8, ptr %state, i64 ${begin}
  %begin = load i64, ptr %begin.p
  %end.p = getelementptr i8, ptr %state, i64 ${end}
  %end = load i64, ptr %end.p
  %above = icmp uge i64 %rip, %begin
  %below = icmp ult i64 %rip, %end
  %inside = and i1 %above, %below
  br i1 %inside, label %guest, label %foreign
guest:
  ; an access of an exact region has a block of its own to go on at
  %tables.p = getelementptr i8, ptr %state, i64 ${tables}
  %tables = load ptr, ptr %tables.p
  %distance = sub i64 %rip, %begin
  %code.line = lshr i64 %distance, ${line_shift}
  %table.p = getelementptr ptr, ptr %tables, i64 %code.line
  %table = load ptr, ptr %table.p
  %has.table = icmp ne ptr %table, null
  br i1 %has.table, label %guarded, label %unguarded
guarded:
  %guard = phi ptr [%table, %guest], [%guard.next, %guard.other]
  %to.access = load i32, ptr %guard
  %ended = icmp eq i32 %to.access, 0
  br i1 %ended, label %unguarded, label %guard.look
guard.look:
  %to.access.wide = sext i32 %to.access to i64
  %access.p = getelementptr i8, ptr %guard, i64 %to.access.wide
  %access = ptrtoint ptr %access.p to i64
  %faulted = icmp eq i64 %access, %rip
  br i1 %faulted, label %guard.found, label %guard.other
guard.other:
  %guard.next = getelementptr i8, ptr %guard, i64 8
  br label %guarded
guard.found:
  %resume.p = getelementptr i8, ptr %guard, i64 4
  %to.resume = load i32, ptr %resume.p
  %to.resume.wide = sext i32 %to.resume to i64
  %resume = getelementptr i8, ptr %resume.p, i64 %to.resume.wide
  store ptr %resume, ptr %rip.p
  ret void
unguarded:
  %si.addr.p = getelementptr i8, ptr %info, i64 16
  %si.addr = load i64, ptr %si.addr.p
  %window.p = getelementptr i8, ptr %state, i64 ${window}
  %window = load i64, ptr %window.p
  %address = sub i64 %si.addr, %window
  %error.p = getelementptr i8, ptr %ucontext, i64 192
  %error = load i64, ptr %error.p
  %error.shifted = lshr i64 %error, 1
  %write.memory = and i64 %error.shifted, 1
  %is.float = icmp eq i32 %signal, 8
  %write = select i1 %is.float, i64 ${FLOAT}, i64 %write.memory
  %is.write = icmp eq i64 %write, 1
  br i1 %is.write, label %perhaps.code, label %fault
perhaps.code:
  %page = lshr i64 %address, ${page_shift}
  %entry.of.page = call i64 @page_entry(ptr %state, i64 %page)
  %closed.bit = and i64 %entry.of.page, ${page_closed}
  %closed = icmp ne i64 %closed.bit, 0
  br i1 %closed, label %code, label %fault
code:
  ; a region must not go on with what was there before: tier 0 makes the access again
  %record.p = getelementptr i8, ptr %state, i64 ${exit_record}
  %record = load ptr, ptr %record.p
  %in.region = icmp eq ptr %record, null
  br i1 %in.region, label %open, label %look.at.record
look.at.record:
  %following.p = getelementptr i8, ptr %record, i64 ${next_pc}
  %following = load i64, ptr %following.p
  %is.checkpoint = icmp eq i64 %following, 0
  br i1 %is.checkpoint, label %fault, label %open
open:
  %page.address = shl i64 %page, ${page_shift}
  %host.page = add i64 %page.address, %window
  %opened = call i64 asm sideeffect "syscall", "={rax},{rax},{rdi},{rsi},{rdx},~{rcx},~{r11},~{memory}"(i64 10, i64 %host.page, i64 4096, i64 3)
  %shared.p = getelementptr i8, ptr %state, i64 ${shared}
  %shared = load ptr, ptr %shared.p
  %head.p = getelementptr i8, ptr %shared, i64 ${dirty_head}
  %head = atomicrmw add ptr %head.p, i64 1 seq_cst, align 8
  %ring.p = getelementptr i8, ptr %state, i64 ${dirty}
  %ring = load ptr, ptr %ring.p
  %place = and i64 %head, ${dirty_mask}
  %slot = getelementptr i64, ptr %ring, i64 %place
  store i64 %page, ptr %slot
  ; all threads are to look before they enter another block: they may learn by the next store that there is new code
  br label %tell
tell:
  %one = phi ptr [%state, %open], [%sibling, %tell]
  %interrupt.p = getelementptr i8, ptr %one, i64 ${interrupt}
  store volatile i64 1, ptr %interrupt.p
  %sibling.p = getelementptr i8, ptr %one, i64 ${sibling}
  %sibling = load ptr, ptr %sibling.p
  %all = icmp eq ptr %sibling, %state
  br i1 %all, label %told, label %tell
told:
  ret void
fault:
  %address.p = getelementptr i8, ptr %state, i64 ${address}
  store i64 %address, ptr %address.p
  %host.pc.p = getelementptr i8, ptr %state, i64 ${host_pc}
  store i64 %rip, ptr %host.pc.p
  %write.p = getelementptr i8, ptr %state, i64 ${write}
  store i64 %write, ptr %write.p
  %reason.p = getelementptr i8, ptr %state, i64 ${reason}
  store i64 ${FAULT}, ptr %reason.p
  %slot.p = getelementptr i8, ptr %state, i64 ${slot}
  %return.slot = load ptr, ptr %slot.p
  %return.to = load i64, ptr %return.slot
  store i64 %return.to, ptr %rip.p
  %return.slot.i = ptrtoint ptr %return.slot to i64
  %stack = add i64 %return.slot.i, 8
  %rsp.p = getelementptr i8, ptr %ucontext, i64 160
  store i64 %stack, ptr %rsp.p
  %rax.p = getelementptr i8, ptr %ucontext, i64 144
  store i64 0, ptr %rax.p
  ret void
foreign:
  %previous.p = getelementptr i8, ptr %roots, i64 ${previous}
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
  %reset = call i64 asm sideeffect "syscall", "={rax},{rax},{rdi},{rsi},{rdx},{r10},~{rcx},~{r11},~{memory}"(i64 13, i64 %number, ptr %action, i64 0, i64 8)
  ret void
}

; The state of the guest that this thread runs, or null.
define internal ptr @state_of_thread(ptr %roots) nounwind {
  %thread = call ptr asm "movq %fs:0, $$0", "=r"()
  %threads.p = getelementptr i8, ptr %roots, i64 ${threads}
  %threads = load i64, ptr %threads.p
  br label %search
search:
  %i = phi i64 [0, %0], [%i.next, %other]
  %exhausted = icmp uge i64 %i, %threads
  br i1 %exhausted, label %none, label %look
look:
  %at = shl i64 %i, 4
  %entry.at = add i64 %at, ${entries}
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
  ret ptr %state
none:
  ret ptr null
}
