; Wait for the lock of what a guest's hardware threads share. It is held for as long as a block takes to be translated.
define internal void @lock(ptr %shared) noinline nounwind {
  %lock.p = getelementptr i8, ptr %shared, i64 ${lock}
  br label %take
take:
  %pair = cmpxchg ptr %lock.p, i64 0, i64 1 acquire monotonic, align 8
  %taken = extractvalue {i64, i1} %pair, 1
  br i1 %taken, label %done, label %look, !prof !0
look:
  %turn = phi i64 [0, %take], [%turn.next, %again]
  %value = load atomic i64, ptr %lock.p monotonic, align 8
  %free = icmp eq i64 %value, 0
  br i1 %free, label %take, label %wait
wait:
  call void asm sideeffect "pause", ""()
  %turn.next = add i64 %turn, 1
  %some = and i64 %turn.next, ${turns}
  %long = icmp eq i64 %some, 0
  br i1 %long, label %yield, label %again
yield:
  ; whoever has it may wait for this very core
  %yielded = call i64 asm sideeffect "syscall", "={rax},{rax},~{rcx},~{r11},~{memory}"(i64 ${sched_yield})
  br label %again
again:
  br label %look
done:
  ret void
}

define internal void @unlock(ptr %shared) nounwind {
  %lock.p = getelementptr i8, ptr %shared, i64 ${lock}
  store atomic i64 0, ptr %lock.p release, align 8
  ret void
}

; Store a word if memory holds another one, for the machine; gives what it held.
define i32 @compare_exchange(ptr %word, i32 %expected, i32 %new) nounwind {
  %pair = cmpxchg ptr %word, i32 %expected, i32 %new seq_cst seq_cst, align 4
  %held = extractvalue {i32, i1} %pair, 0
  ret i32 %held
}
