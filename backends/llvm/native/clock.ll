; clock_gettime(2) and gettimeofday(2): asked of the host's C library, which need not ask the kernel (vdso(7)).

; Store the time of a clock at a host address, its second word divided by so much; whether that was done. Where memory
; cannot be written, the machine finds out by making the call.
define internal i1 @tell_time(ptr %state, ptr %calls, i64 %clock, i64 %address, i64 %unit) nounwind {
  %time = alloca [2 x i64]
  %function.p = getelementptr i8, ptr %calls, i64 ${clock}
  %function = load ptr, ptr %function.p
  %null = icmp eq i64 %address, 0
  br i1 %null, label %no, label %ask
ask:
  %clock.w = trunc i64 %clock to i32
  %failed = call i32 %function(i32 %clock.w, ptr %time)
  %good = icmp eq i32 %failed, 0
  br i1 %good, label %put, label %no
put:
  %seconds = load i64, ptr %time
  %rest.p = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %rest.p
  %part = udiv i64 %rest, %unit
  %answering.p = getelementptr i8, ptr %state, i64 ${answering}
  store volatile i64 1, ptr %answering.p
  %there = inttoptr i64 %address to ptr
  store volatile i64 %seconds, ptr %there, align 1
  %there.rest = getelementptr i64, ptr %there, i64 1
  store volatile i64 %part, ptr %there.rest, align 1
  store volatile i64 0, ptr %answering.p
  ret i1 true
no:
  ret i1 false
}
