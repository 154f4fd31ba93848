declare void @llvm.x86.sse.ldmxcsr(ptr)
declare void @llvm.x86.sse.stmxcsr(ptr)
declare ptr @llvm.addressofreturnaddress.p0()

; Run guest code from `record` (or, if that is null, from the pc in the state) until it leaves; gives the exit reason.
; A fault of the decoder comes back here with the lock held. Where guest code makes a system call that native code can
; answer, or asks for what stands in a table, it goes on at once; a fault on the way of a call comes back as if the call
; were the machine's.
define i64 @enter(ptr %state, ptr %record) nounwind {
  %host.p = getelementptr i8, ptr %state, i64 ${host}
  call void @llvm.x86.sse.stmxcsr(ptr %host.p)
${load_fenv}${load_control}  %reason.p = getelementptr i8, ptr %state, i64 ${reason}
  %shared.p = getelementptr i8, ptr %state, i64 ${shared}
  br label %run
run:
  %from = phi ptr [%record, %0], [null, %answered]
  call ${convention} void @prologue(ptr %from, ptr %state${nothing}) ${preserves_nothing}
  %decoding.p = getelementptr i8, ptr %state, i64 ${decoding}
  %decoding = load volatile i64, ptr %decoding.p
  %was.decoding = icmp ne i64 %decoding, 0
  br i1 %was.decoding, label %give.back, label %settle
give.back:
  %shared = load ptr, ptr %shared.p
  call void @unlock(ptr %shared)
  br label %settle
settle:
  call void @settle_late(ptr %state)
  %why = load i64, ptr %reason.p
  %is.call = icmp eq i64 %why, ${SYSCALL}
  %words = load ptr, ptr %shared.p
  br i1 %is.call, label %look, label %ask
ask:
  %is.own = icmp uge i64 %why, ${FIRST_GUEST}
  br i1 %is.own, label %own, label %leave
own:
  %told = call i1 @answer_by_table(ptr %state, ptr %words, i64 %why)
  br i1 %told, label %answered, label %leave
look:
  %calls.p = getelementptr i8, ptr %words, i64 ${calls}
  %calls = load ptr, ptr %calls.p
  %none = icmp eq ptr %calls, null
  br i1 %none, label %leave, label %call
call:
  %outcome = call i64 @answer_call(ptr %state, ptr %calls) ${preserves_nothing}
  switch i64 %outcome, label %leave [i64 1, label %answered  i64 2, label %interrupt
                                     i64 3, label %attention]
answered:
  br label %run
interrupt:
  store i64 ${INTERRUPT}, ptr %reason.p
  br label %leave
attention:
  store i64 ${ATTENTION}, ptr %reason.p
  br label %leave
leave:
${save_fenv}${save_control}  call void @llvm.x86.sse.ldmxcsr(ptr %host.p)
  %reason = load i64, ptr %reason.p
  ret i64 %reason
}

; Remember where the chain of handlers returns to: a fault returns from anywhere.
define internal ${convention} void @prologue(ptr %record, ptr %state${carried}) noinline nounwind {
  %slot = call ptr @llvm.addressofreturnaddress.p0()
  %slot.p = getelementptr i8, ptr %state, i64 ${slot}
  store ptr %slot, ptr %slot.p
  %fresh = icmp eq ptr %record, null
  br i1 %fresh, label %by.pc, label %by.record
by.record:
  %handler = load ptr, ptr %record
  musttail call ${convention} void %handler(ptr %record, ptr %state${nothing})
  ret void
by.pc:
  musttail call ${convention} void @dispatch_state(ptr null, ptr %state${nothing})
  ret void
}
