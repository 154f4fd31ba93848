; System calls of the guest that the host's kernel answers as they are: made here, without leaving to the machine. The
; table says which they are; whoever is in doubt leaves the call to the machine.

; Answer the call that the state's registers tell. 0: it is the machine's, and nothing has happened, or the word INTERRUPTED
; tells that a signal has ended it; 1: the guest goes on; 2: somebody wants to interrupt; 3: a signal has been noted.
define internal i64 @answer_call(ptr %state, ptr %calls) noinline nounwind {
  %arguments = alloca [6 x i64]
  %list = alloca [${LIST} x i64]
  %interrupt.p = getelementptr i8, ptr %state, i64 ${interrupt}
  %interrupt = load volatile i64, ptr %interrupt.p
  %only.p = getelementptr i8, ptr %state, i64 ${only_tier_0}
  %only = load i64, ptr %only.p
  %busy = or i64 %interrupt, %only
  %is.busy = icmp ne i64 %busy, 0
  br i1 %is.busy, label %machine, label %quiet
quiet:
  %news = call i1 @has_news(ptr %calls)
  br i1 %news, label %machine, label %find
find:
  %number.at.p = getelementptr i8, ptr %calls, i64 ${number}
  %number.at = load i64, ptr %number.at.p
  %number.p = getelementptr i8, ptr %state, i64 %number.at
  %number = load i64, ptr %number.p
  %count.p = getelementptr i8, ptr %calls, i64 ${count}
  %count = load i64, ptr %count.p
  %known = icmp ult i64 %number, %count
  br i1 %known, label %look, label %machine
look:
  %row.offset = mul i64 %number, ${row}
  %row.at = add i64 %row.offset, ${rows}
  %row = getelementptr i8, ptr %calls, i64 %row.at
  %host.1 = load i32, ptr %row
  %is.there = icmp ne i32 %host.1, 0
  br i1 %is.there, label %collect, label %machine
collect:
  %host.number = sub i32 %host.1, 1
  %host = zext i32 %host.number to i64
  %kinds = getelementptr i8, ptr %row, i64 ${kinds}
  %place.0 = getelementptr i64, ptr %arguments, i64 0
  %wrong.0 = call i64 @take_argument(ptr %state, ptr %calls, ptr %kinds, i64 0, ptr %place.0, ptr %list)
  %place.1 = getelementptr i64, ptr %arguments, i64 1
  %wrong.1 = call i64 @take_argument(ptr %state, ptr %calls, ptr %kinds, i64 1, ptr %place.1, ptr %list)
  %wrong.to.1 = or i64 %wrong.0, %wrong.1
  %place.2 = getelementptr i64, ptr %arguments, i64 2
  %wrong.2 = call i64 @take_argument(ptr %state, ptr %calls, ptr %kinds, i64 2, ptr %place.2, ptr %list)
  %wrong.to.2 = or i64 %wrong.to.1, %wrong.2
  %place.3 = getelementptr i64, ptr %arguments, i64 3
  %wrong.3 = call i64 @take_argument(ptr %state, ptr %calls, ptr %kinds, i64 3, ptr %place.3, ptr %list)
  %wrong.to.3 = or i64 %wrong.to.2, %wrong.3
  %place.4 = getelementptr i64, ptr %arguments, i64 4
  %wrong.4 = call i64 @take_argument(ptr %state, ptr %calls, ptr %kinds, i64 4, ptr %place.4, ptr %list)
  %wrong.to.4 = or i64 %wrong.to.3, %wrong.4
  %place.5 = getelementptr i64, ptr %arguments, i64 5
  %wrong.5 = call i64 @take_argument(ptr %state, ptr %calls, ptr %kinds, i64 5, ptr %place.5, ptr %list)
  %wrong.to.5 = or i64 %wrong.to.4, %wrong.5
  %is.wrong = icmp ne i64 %wrong.to.5, 0
  br i1 %is.wrong, label %machine, label %make
make:
  %way.p = getelementptr i8, ptr %row, i64 ${way}
  %way = load i8, ptr %way.p
  %result.there = call {i64, i1} @make_call(ptr %state, ptr %calls, i64 %host, i8 %way, ptr %arguments)
  %done = extractvalue {i64, i1} %result.there, 1
  br i1 %done, label %finish, label %machine
finish:
  %result = extractvalue {i64, i1} %result.there, 0
  %mask.p = getelementptr i8, ptr %calls, i64 ${mask}
  %mask = load i64, ptr %mask.p
  %result.masked = and i64 %result, %mask
  %result.at.p = getelementptr i8, ptr %calls, i64 ${result}
  %result.at = load i64, ptr %result.at.p
  %result.p = getelementptr i8, ptr %state, i64 %result.at
  store i64 %result.masked, ptr %result.p
  %made.p = getelementptr i8, ptr %state, i64 ${made}
  %made = load i64, ptr %made.p
  %made.more = add i64 %made, 1
  store i64 %made.more, ptr %made.p
  ; a call may have raised a signal, which is to be seen before anything else happens
  %news.now = call i1 @has_news(ptr %calls)
  br i1 %news.now, label %attention, label %no.news
no.news:
  %interrupt.now = load volatile i64, ptr %interrupt.p
  %wanted = icmp ne i64 %interrupt.now, 0
  br i1 %wanted, label %interrupted, label %go.on
machine:
  ret i64 0
go.on:
  ret i64 1
interrupted:
  ret i64 2
attention:
  ret i64 3
}

; Whether signals have been noted that nobody has taken yet.
define internal i1 @has_news(ptr %calls) nounwind {
  %roots.p = getelementptr i8, ptr %calls, i64 ${roots}
  %roots = load ptr, ptr %roots.p
  %noted.p = getelementptr i8, ptr %roots, i64 ${noted}
  %noted = load volatile i64, ptr %noted.p
  %taken.p = getelementptr i8, ptr %roots, i64 ${taken}
  %taken = load volatile i64, ptr %taken.p
  %news = icmp ne i64 %noted, %taken
  ret i1 %news
}

; Put what the host's kernel is to be given for an argument at a place; gives 0, or something else if the machine is to
; see to it: a pointer out of the window, or memory to be filled that may be closed. There is room for a list of buffers.
define internal i64 @take_argument(ptr %state, ptr %calls, ptr %kinds, i64 %index, ptr %place, ptr %list) nounwind {
  %kind.p = getelementptr i8, ptr %kinds, i64 %index
  %kind = load i8, ptr %kind.p
  %places = getelementptr i8, ptr %calls, i64 ${arguments}
  %at.p = getelementptr i64, ptr %places, i64 %index
  %at = load i64, ptr %at.p
  %register = getelementptr i8, ptr %state, i64 %at
  %value = load i64, ptr %register
  switch i8 %kind, label %nothing [i8 ${VALUE}, label %plain  i8 ${READ}, label %pointer  i8 ${FILLED}, label %filled
                                   i8 ${SIZE}, label %size  i8 ${PATH}, label %pointer
                                   i8 ${VECTOR}, label %pointer  i8 ${FILLED_VECTOR}, label %pointer]
nothing:
  store i64 0, ptr %place
  ret i64 0
plain:
  store i64 %value, ptr %place
  ret i64 0
size:
  %clamped = call i64 @llvm.umin.i64(i64 %value, i64 ${MAX_TRANSFER})
  store i64 %clamped, ptr %place
  ret i64 0
filled:
  %next.kind.p = getelementptr i8, ptr %kind.p, i64 1
  %next.kind = load i8, ptr %next.kind.p
  %next.at.p = getelementptr i64, ptr %at.p, i64 1
  %next.at = load i64, ptr %next.at.p
  %next.register = getelementptr i8, ptr %state, i64 %next.at
  %next = load i64, ptr %next.register
  switch i8 %next.kind, label %filled.one [i8 ${SIZE}, label %filled.bytes  i8 ${VALUE}, label %filled.many]
filled.one:
  br label %filled.range
filled.bytes:
  br label %filled.range
filled.many:
  ; perhaps the number of structures, none of which is longer than that
  %many = shl i64 %next, ${STRUCTURE_SHIFT}
  %at.least = call i64 @llvm.umax.i64(i64 %many, i64 ${STRUCTURES})
  br label %filled.range
filled.range:
  %length = phi i64 [${STRUCTURES}, %filled.one], [%next, %filled.bytes], [%at.least, %filled.many]
  %closed = call i1 @may_be_closed(ptr %state, i64 %value, i64 %length)
  br i1 %closed, label %wrong, label %pointer
pointer:
  %limit.p = getelementptr i8, ptr %calls, i64 ${limit}
  %limit = load i64, ptr %limit.p
  %inside = icmp ult i64 %value, %limit
  br i1 %inside, label %move, label %wrong
move:
  %window.p = getelementptr i8, ptr %state, i64 ${window}
  %window = load i64, ptr %window.p
  %moved = add i64 %window, %value
  %is.null = icmp eq i64 %value, 0
  %address = select i1 %is.null, i64 0, i64 %moved
  store i64 %address, ptr %place
  switch i8 %kind, label %right [i8 ${PATH}, label %path  i8 ${VECTOR}, label %vector  i8 ${FILLED_VECTOR}, label %vector]
vector:
  %count.at.p = getelementptr i64, ptr %at.p, i64 1
  %count.at = load i64, ptr %count.at.p
  %count.p = getelementptr i8, ptr %state, i64 %count.at
  %count = load i64, ptr %count.p
  %list.i = ptrtoint ptr %list to i64
  store i64 %list.i, ptr %place
  %fills = icmp eq i8 %kind, ${FILLED_VECTOR}
  %unfit = call i64 @take_vectors(ptr %state, ptr %list, i64 %address, i64 %count, i64 %limit, i1 %fills)
  ret i64 %unfit
path:
  %special = call i64 @begins_in_proc(i64 %address)
  ret i64 %special
right:
  ret i64 0
wrong:
  ret i64 1
}
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)

; Whether memory that the kernel is to fill may be in a page that is closed, which the machine would open before.
define internal i1 @may_be_closed(ptr %state, i64 %address, i64 %length) nounwind {
  %first = lshr i64 %address, ${page_shift}
  %long = icmp ugt i64 %length, ${MOST_LOOKED_AT}
  br i1 %long, label %perhaps, label %begin
begin:
  %end = add i64 %address, %length
  %last = lshr i64 %end, ${page_shift}
  br label %look
look:
  %page = phi i64 [%first, %begin], [%page.next, %open]
  %entry = call i64 @page_entry(ptr %state, i64 %page)
  %closed.bit = and i64 %entry, ${page_closed}
  %closed = icmp ne i64 %closed.bit, 0
  br i1 %closed, label %perhaps, label %open
open:
  %page.next = add i64 %page, 1
  %more = icmp ule i64 %page.next, %last
  br i1 %more, label %look, label %none
none:
  ret i1 false
perhaps:
  ret i1 true
}

; Make a host call; gives its result, and whether that is one.
define internal {i64, i1} @make_call(ptr %state, ptr %calls, i64 %number, i8 %way, ptr %arguments) nounwind {
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
  switch i8 %way, label %none [i8 ${PLAIN}, label %plain  i8 ${WAITING}, label %waiting  i8 ${OWN_WAY}, label %own
                              i8 ${OWN_3}, label %own.3  i8 ${OWN_4}, label %own.4  i8 ${FLAGS}, label %flags
                              i8 ${FUTEX}, label %futex  i8 ${OPEN}, label %open  i8 ${LIST_WAY}, label %list
                              i8 ${CLOCK}, label %clock  i8 ${TIME_OF_DAY}, label %time.of.day
                              i8 ${MASK}, label %mask]
none:
  ret {i64, i1} zeroinitializer
plain:
  %plain.result = call i64 @host_call(i64 %number, i64 %a0, i64 %a1, i64 %a2, i64 %a3, i64 %a4, i64 %a5)
  %plain.given = call {i64, i1} @given(i64 %plain.result)
  ret {i64, i1} %plain.given
waiting:
  %waited = call {i64, i1} @wait_in_call(ptr %state, i64 %number, ptr %arguments)
  ret {i64, i1} %waited

own.3:
  %own.3.empty = and i64 %a2, ${AT_EMPTY_PATH}
  %own.3.asks = icmp ne i64 %own.3.empty, 0
  br i1 %own.3.asks, label %own, label %plain
own.4:
  %own.4.empty = and i64 %a3, ${AT_EMPTY_PATH}
  %own.4.asks = icmp ne i64 %own.4.empty, 0
  br i1 %own.4.asks, label %own, label %plain
flags:
  %command = trunc i64 %a1 to i32
  %flags.known = icmp ule i32 %command, ${F_SETFL}
  br i1 %flags.known, label %own, label %none
own:
  %own.limit.p = getelementptr i8, ptr %calls, i64 ${own}
  %own.limit = load volatile i64, ptr %own.limit.p
  %descriptor = and i64 %a0, 4294967295
  %is.own = icmp ult i64 %descriptor, %own.limit
  br i1 %is.own, label %own.make, label %none
own.make:
  ; close(2) has closed even if a signal has ended it
  %own.result = call i64 @host_call(i64 %number, i64 %a0, i64 %a1, i64 %a2, i64 %a3, i64 %a4, i64 %a5)
  %own.first = insertvalue {i64, i1} poison, i64 %own.result, 0
  %own.given = insertvalue {i64, i1} %own.first, i1 1, 1
  ret {i64, i1} %own.given

open:
  %opened = call {i64, i1} @open_file(ptr %calls, i64 %a0, i64 %a1, i64 %a2, i64 %a3)
  ret {i64, i1} %opened
list:
  %listed = call {i64, i1} @list_folder(ptr %calls, i64 %number, i64 %a0, i64 %a1, i64 %a2)
  ret {i64, i1} %listed

mask:
  %masked = call {i64, i1} @change_mask(ptr %state, ptr %calls, i64 %a0, i64 %a1, i64 %a2, i64 %a3)
  ret {i64, i1} %masked
clock:
  %clock.done = call i1 @tell_time(ptr %state, ptr %calls, i64 %a0, i64 %a1, i64 1)
  br i1 %clock.done, label %told, label %plain
time.of.day:
  %no.zone = icmp eq i64 %a1, 0
  br i1 %no.zone, label %time.tell, label %plain
time.tell:
  %time.done = call i1 @tell_time(ptr %state, ptr %calls, i64 ${CLOCK_REALTIME}, i64 %a0, i64 1000)
  br i1 %time.done, label %told, label %plain
told:
  ret {i64, i1} {i64 0, i1 1}

futex:
  %futex.command = and i64 %a1, ${FUTEX_COMMAND}
  switch i64 %futex.command, label %none [i64 ${FUTEX_WAKE}, label %plain  i64 ${FUTEX_WAKE_BITSET}, label %plain
                                          i64 ${FUTEX_WAIT}, label %wait  i64 ${FUTEX_WAIT_BITSET}, label %wait.until]
wait:
  ; a time that is relative begins anew after an interruption: the machine makes it absolute
  %wait.for.ever = icmp eq i64 %a3, 0
  br i1 %wait.for.ever, label %waiting, label %none
wait.until:
  %moment.null = icmp eq i64 %a3, 0
  br i1 %moment.null, label %waiting, label %moment
moment:
  %moment.limit.p = getelementptr i8, ptr %calls, i64 ${limit}
  %moment.limit = load i64, ptr %moment.limit.p
  %moment.inside = icmp ult i64 %a3, %moment.limit
  br i1 %moment.inside, label %moment.move, label %none
moment.move:
  %moment.window.p = getelementptr i8, ptr %state, i64 ${window}
  %moment.window = load i64, ptr %moment.window.p
  %moment.moved = add i64 %moment.window, %a3
  store i64 %moment.moved, ptr %p3
  br label %waiting
}

; 1 if a path begins with /proc/ or cannot be read, 0 otherwise. A plain load might fault.
define internal i64 @begins_in_proc(i64 %path) nounwind {
  %beginning = alloca i64
  store i64 0, ptr %beginning
  %read = call i64 @copy_in(ptr %beginning, i64 %path, i64 6)
  %failed = icmp slt i64 %read, 0
  %bytes = load i64, ptr %beginning
  %is.proc = icmp eq i64 %bytes, ${PROC}
  %either = or i1 %failed, %is.proc
  %result = zext i1 %either to i64
  ret i64 %result
}

; A result, unless a signal has ended the call: the machine knows whether that is to be seen.
define internal {i64, i1} @given(i64 %result) nounwind {
  %is.one = icmp ne i64 %result, -${EINTR}
  %first = insertvalue {i64, i1} poison, i64 %result, 0
  %both = insertvalue {i64, i1} %first, i1 %is.one, 1
  ret {i64, i1} %both
}

define internal i64 @host_call(i64 %number, i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f) nounwind {
  %result = call i64 asm sideeffect "syscall", "={rax},{rax},{rdi},{rsi},{rdx},{r10},{r8},{r9},~{rcx},~{r11},~{memory},~{dirflag},~{fpsr},~{flags}"(i64 %number, i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f)
  ret i64 %result
}
