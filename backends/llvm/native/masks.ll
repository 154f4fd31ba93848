; rt_sigprocmask(2), with guest addresses, while nobody but the host's kernel has to know of it. The sets are read and written
; before anything changes: where that faults, the machine begins anew.
define internal {i64, i1} @change_mask(ptr %state, ptr %calls, i64 %how.wide, i64 %set, i64 %old, i64 %size) nounwind {
  %host.mask = alloca i64
  %free.p = getelementptr i8, ptr %state, i64 ${is_free}
  %free = load i64, ptr %free.p
  %is.free = icmp ne i64 %free, 0
  %fits = icmp eq i64 %size, 8
  %limit.p = getelementptr i8, ptr %calls, i64 ${limit}
  %limit = load i64, ptr %limit.p
  %set.inside = icmp ult i64 %set, %limit
  %old.inside = icmp ult i64 %old, %limit
  %inside = and i1 %set.inside, %old.inside
  %right = and i1 %fits, %inside
  %how = trunc i64 %how.wide to i32
  %known = icmp ule i32 %how, ${SIG_SETMASK}
  %asks = icmp eq i64 %set, 0
  %means = or i1 %known, %asks
  %good = and i1 %right, %means
  %can = and i1 %good, %is.free
  br i1 %can, label %begin, label %machine
begin:
  %mask.p = getelementptr i8, ptr %state, i64 ${signal_mask}
  %before = load i64, ptr %mask.p
  %window.p = getelementptr i8, ptr %state, i64 ${window}
  %window = load i64, ptr %window.p
  %answering.p = getelementptr i8, ptr %state, i64 ${answering}
  store volatile i64 1, ptr %answering.p
  br i1 %asks, label %read, label %take
take:
  %set.at = add i64 %window, %set
  %set.p = inttoptr i64 %set.at to ptr
  %taken = load volatile i64, ptr %set.p, align 1
  br label %read
read:
  %value = phi i64 [0, %begin], [%taken, %take]
  %unwanted = icmp eq i64 %old, 0
  br i1 %unwanted, label %ready, label %give
give:
  %old.at = add i64 %window, %old
  %old.p = inttoptr i64 %old.at to ptr
  store volatile i64 %before, ptr %old.p, align 1
  br label %ready
ready:
  store volatile i64 0, ptr %answering.p
  br i1 %asks, label %done, label %change
change:
  %more = or i64 %before, %value
  %others = xor i64 %value, -1
  %less = and i64 %before, %others
  %blocks = icmp eq i32 %how, ${SIG_BLOCK}
  %unblocks = icmp eq i32 %how, ${SIG_UNBLOCK}
  %less.or = select i1 %unblocks, i64 %less, i64 %value
  %wanted = select i1 %blocks, i64 %more, i64 %less.or
  %mask = and i64 %wanted, ${BLOCKABLE}
  %same = icmp eq i64 %mask, %before
  br i1 %same, label %done, label %tell
tell:
  %never.p = getelementptr i8, ptr %calls, i64 ${never}
  %never = load i64, ptr %never.p
  %ever = xor i64 %never, -1
  %host = and i64 %mask, %ever
  store i64 %host, ptr %host.mask
  %host.i = ptrtoint ptr %host.mask to i64
  store i64 %mask, ptr %mask.p
  %told = call i64 @host_call(i64 ${rt_sigprocmask}, i64 ${SIG_SETMASK}, i64 %host.i, i64 0, i64 8, i64 0, i64 0)
  br label %done
done:
  ret {i64, i1} {i64 0, i1 1}
machine:
  ret {i64, i1} zeroinitializer
}
