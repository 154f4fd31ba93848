declare void @llvm.x86.sse.ldmxcsr(ptr)
declare void @llvm.x86.sse.stmxcsr(ptr)
declare ptr @llvm.addressofreturnaddress.p0()

; Run guest code from `record` (or, if that is null, from the pc in the state) until it leaves; gives the exit reason.
define i64 @enter(ptr %state, ptr %record) nounwind {
  %host.p = getelementptr i8, ptr %state, i64 ${host}
  call void @llvm.x86.sse.stmxcsr(ptr %host.p)
${load_fenv}${load_control}  call ghccc void @prologue(ptr %state, i64 poison, ptr %record, i64 0)
${save_fenv}${save_control}  call void @llvm.x86.sse.ldmxcsr(ptr %host.p)
  %reason.p = getelementptr i8, ptr %state, i64 ${reason}
  %reason = load i64, ptr %reason.p
  ret i64 %reason
}

; Remember where the chain of handlers returns to, so that a fault can return there from anywhere.
define internal ghccc void @prologue(ptr %state, i64 %rbp, ptr %record, i64 %from) noinline nounwind {
  %slot = call ptr @llvm.addressofreturnaddress.p0()
  %slot.p = getelementptr i8, ptr %state, i64 ${slot}
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
}
