; The action of a signal from outside that the guest handles: notes what came with it, and blocks it on the way back,
; if nobody else is to take it meanwhile, until it has been delivered. Has guest code left here, and where Python can see to
; it; what else there is to do, `action` does.
define void @on_arrival(i32 %signal, ptr %info, ptr %ucontext) nounwind {
  %roots = call ptr @process_roots()
  %number = zext i32 %signal to i64
  ; other threads may be noting something too
  %noted.p = getelementptr i8, ptr %roots, i64 ${noted}
  %noted = atomicrmw add ptr %noted.p, i64 1 seq_cst
  %place = and i64 %noted, ${note_mask}
  %note.at = shl i64 %place, ${note_shift}
  %notes = getelementptr i8, ptr %roots, i64 ${notes}
  %note = getelementptr i8, ptr %notes, i64 %note.at
  call void @llvm.memcpy.inline.p0.p0.i64(ptr %note, ptr %info, i64 ${information}, i1 false)
  %noted.now = add i64 %noted, 1
  %done.p = getelementptr i8, ptr %note, i64 ${information}
  store atomic i64 %noted.now, ptr %done.p release, align 8
  %holds.p = getelementptr i8, ptr %roots, i64 ${holds}
  %holds = load i64, ptr %holds.p
  %is.free = icmp eq i64 %holds, 0
  br i1 %is.free, label %go.on, label %hold
hold:
  %all.held = getelementptr i8, ptr %roots, i64 ${held}
  %held.p = getelementptr i8, ptr %all.held, i64 %number
  store i8 1, ptr %held.p
  %mask.p = getelementptr i8, ptr %ucontext, i64 ${blocked}
  %mask = load i64, ptr %mask.p
  %bit.number = sub i64 %number, 1
  %bit = shl i64 1, %bit.number
  %mask.new = or i64 %mask, %bit
  store i64 %mask.new, ptr %mask.p
  br label %go.on
go.on:
  %leader.p = getelementptr i8, ptr %roots, i64 ${leader}
  %leader = load ptr, ptr %leader.p
  %nobody = icmp eq ptr %leader, null
  br i1 %nobody, label %act, label %interrupt
interrupt:
  %interrupt.p = getelementptr i8, ptr %leader, i64 ${interrupt}
  store volatile i64 1, ptr %interrupt.p
  br label %act
act:
  call void @come_back(ptr %roots, ptr %ucontext, i64 1)
  %action.p = getelementptr i8, ptr %roots, i64 ${action}
  %action = load ptr, ptr %action.p
  call void %action(i32 %signal, ptr %info, ptr %ucontext)
  ret void
}

; The action of the signal that ends a call that may wait: whoever sends it has set the interrupt flag before.
define void @on_nudge(i32 %signal, ptr %info, ptr %ucontext) nounwind {
  %roots = call ptr @process_roots()
  call void @come_back(ptr %roots, ptr %ucontext, i64 0)
  ret void
}

define internal ptr @process_roots() noinline nounwind {
  ; the mark must stand in the code as it is, not added to offsets
  %roots = call ptr asm "movabsq $$$$${mark}, $$0", "=r"()
  ret ptr %roots
}

; Have this thread not enter the kernel for a call that may wait, if it is about to; and leave guest code, if so wanted.
define internal void @come_back(ptr %roots, ptr %ucontext, i64 %leaves) noinline nounwind {
  %state = call ptr @state_of_thread(ptr %roots)
  %foreign = icmp eq ptr %state, null
  br i1 %foreign, label %done, label %found
found:
  %wants = icmp ne i64 %leaves, 0
  br i1 %wants, label %interrupt, label %where
interrupt:
  %interrupt.p = getelementptr i8, ptr %state, i64 ${interrupt}
  store volatile i64 1, ptr %interrupt.p
  br label %where
where:
  %rip.p = getelementptr i8, ptr %ucontext, i64 168
  %rip = load i64, ptr %rip.p
  %begin.p = getelementptr i8, ptr %state, i64 ${begin}
  %begin = load i64, ptr %begin.p
  %end.p = getelementptr i8, ptr %state, i64 ${end}
  %end = load i64, ptr %end.p
  %above = icmp uge i64 %rip, %begin
  %below = icmp ult i64 %rip, %end
  %inside = and i1 %above, %below
  br i1 %inside, label %divert, label %done
divert:
  %behind.p = getelementptr i8, ptr %state, i64 ${behind}
  %behind = load i64, ptr %behind.p
  store i64 %behind, ptr %rip.p
  br label %done
done:
  ret void
}
declare void @llvm.memcpy.inline.p0.p0.i64(ptr, ptr, i64, i1)
