; Calls of the host's kernel that may wait. Meanwhile the thread counts as one that runs no guest code; it comes back when a
; signal arrives, also when that happens just before the kernel is entered: see on_arrival.

; Make a call; gives its result, and whether that is one. If not, it is the machine's: it was not made, or, if the word
; INTERRUPTED tells so, a signal has ended it.
define internal {i64, i1} @wait_in_call(ptr %state, i64 %number, ptr %arguments) nounwind {
  %p0 = getelementptr i64, ptr %arguments, i64 0
  %a0 = load i64, ptr %p0
  %p1 = getelementptr i64, ptr %arguments, i64 1
  %a1 = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %arguments, i64 2
  %a2 = load i64, ptr %p2
  %p3 = getelementptr i64, ptr %arguments, i64 3
  %a3 = load i64, ptr %p3
  %p4 = getelementptr i64, ptr %arguments, i64 4
  %a4 = load i64, ptr %p4
  %p5 = getelementptr i64, ptr %arguments, i64 5
  %a5 = load i64, ptr %p5
  %sequence.p = getelementptr i8, ptr %state, i64 ${sequence}
  ; whoever wants this thread to come back sets the interrupt flag before it looks at this, which is looked at after it
  %before = atomicrmw add ptr %sequence.p, i64 1 seq_cst
  %result = call i64 @interruptible_call(ptr %state, i64 %number, i64 %a0, i64 %a1, i64 %a2, i64 %a3, i64 %a4, i64 %a5)
  %behind = atomicrmw add ptr %sequence.p, i64 1 seq_cst
  switch i64 %result, label %given [i64 -${EINTR}, label %interrupted  i64 ${NOT_MADE}, label %none]
given:
  %first = insertvalue {i64, i1} poison, i64 %result, 0
  %both = insertvalue {i64, i1} %first, i1 1, 1
  ret {i64, i1} %both
interrupted:
  %interrupted.p = getelementptr i8, ptr %state, i64 ${interrupted}
  store i64 1, ptr %interrupted.p
  br label %none
none:
  ret {i64, i1} zeroinitializer
}

; The call itself, or NOT_MADE if the interrupt flag is set. A signal's handler that finds the thread from label 1 on and
; before label 2 has it go on at label 3, for a flag that it sets would not be seen any more. The machine makes calls so too.
define i64 @interruptible_call(ptr %state, i64 %number, i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f) noinline nounwind {
  %result = call i64 asm sideeffect "leaq 1f(%rip), %rcx
    movq %rcx, ${begin}($$8)
    leaq 2f(%rip), %rcx
    movq %rcx, ${end}($$8)
    leaq 3f(%rip), %rcx
    movq %rcx, ${behind}($$8)
    1:
    cmpq $$$$0, ${interrupt}($$8)
    jne 3f
    syscall
    2:
    jmp 4f
    3:
    movq $$$$${NOT_MADE}, %rax
    4:", "={rax},{rax},{rdi},{rsi},{rdx},{r10},{r8},{r9},r,~{rcx},~{r11},~{memory},~{dirflag},~{fpsr},~{flags}"(i64 %number, i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, ptr %state)
  ret i64 %result
}
