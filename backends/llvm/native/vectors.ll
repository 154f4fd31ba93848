; readv(2), writev(2) and their like: lists of buffers, which the host's kernel is given in a copy.

; Put the host's list at a place for a list of the guest's, a number of struct iovec at an address, and the sum of their
; lengths behind it. Gives 0, or something else if the machine is to see to it: there are too many, the list cannot be
; read, or an entry leads out of the window, is too long, or is to be filled and may be closed.
define internal i64 @take_vectors(ptr %state, ptr %list, i64 %address, i64 %count, i64 %limit, i1 %fills) nounwind {
  %window.p = getelementptr i8, ptr %state, i64 ${window}
  %window = load i64, ptr %window.p
  %too.few = icmp eq i64 %count, 0
  %too.many = icmp ugt i64 %count, ${VECTORS}
  %unfit = or i1 %too.few, %too.many
  br i1 %unfit, label %machine, label %copy
copy:
  %size = shl i64 %count, 4
  %got = call i64 @copy_in(ptr %list, i64 %address, i64 %size)
  %all = icmp eq i64 %got, %size
  br i1 %all, label %next, label %machine
next:
  %index = phi i64 [0, %copy], [%index.more, %good]
  %total = phi i64 [0, %copy], [%total.more, %good]
  %end = icmp eq i64 %index, %count
  br i1 %end, label %done, label %look
look:
  %word = shl i64 %index, 1
  %base.p = getelementptr i64, ptr %list, i64 %word
  %base = load i64, ptr %base.p
  %length.p = getelementptr i64, ptr %base.p, i64 1
  %length = load i64, ptr %length.p
  %inside = icmp ult i64 %base, %limit
  %short = icmp ule i64 %length, ${MAX_TRANSFER}
  %fits = and i1 %inside, %short
  br i1 %fits, label %fitting, label %machine
fitting:
  br i1 %fills, label %look.at.pages, label %good
look.at.pages:
  %closed = call i1 @may_be_closed(ptr %state, i64 %base, i64 %length)
  br i1 %closed, label %machine, label %good
good:
  %is.null = icmp eq i64 %base, 0
  %moved = add i64 %base, %window
  %pointer = select i1 %is.null, i64 0, i64 %moved
  store i64 %pointer, ptr %base.p
  %total.more = add i64 %total, %length
  %index.more = add i64 %index, 1
  br label %next
done:
  %total.p = getelementptr i64, ptr %list, i64 ${TOTAL}
  store i64 %total, ptr %total.p
  ret i64 0
machine:
  ret i64 1
}

; The sum of the lengths of a list that take_vectors has made.
define internal i64 @total_of(i64 %list) nounwind {
  %list.p = inttoptr i64 %list to ptr
  %total.p = getelementptr i64, ptr %list.p, i64 ${TOTAL}
  %total = load i64, ptr %total.p
  ret i64 %total
}

; Copy guest memory, which a plain load might find to fault: the number of bytes, or minus an error number.
define internal i64 @copy_in(ptr %to, i64 %from, i64 %size) nounwind {
  %vectors = alloca [4 x i64]
  %to.i = ptrtoint ptr %to to i64
  store i64 %to.i, ptr %vectors
  %here.size = getelementptr i64, ptr %vectors, i64 1
  store i64 %size, ptr %here.size
  %there = getelementptr i64, ptr %vectors, i64 2
  store i64 %from, ptr %there
  %there.size = getelementptr i64, ptr %vectors, i64 3
  store i64 %size, ptr %there.size
  %here.i = ptrtoint ptr %vectors to i64
  %there.i = ptrtoint ptr %there to i64
  %process = call i64 @host_call(i64 ${getpid}, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0)
  %read = call i64 @host_call(i64 ${process_vm_readv}, i64 %process, i64 %here.i, i64 1, i64 %there.i, i64 1, i64 0)
  ret i64 %read
}

; readv(2) so that it does not wait, as @make_call does it for read(2).
define internal {i64, i1} @read_vectors(i64 %number, i64 %descriptor, i64 %list, i64 %count) nounwind {
  %mode = call i64 @mode_of(i64 %descriptor)
  switch i64 %mode, label %stream [i64 0, label %plain  i64 ${S_IFSOCK}, label %socket]
plain:
  %plain.result = call i64 @host_call(i64 %number, i64 %descriptor, i64 %list, i64 %count, i64 0, i64 0, i64 0)
  %plain.given = call {i64, i1} @given(i64 %plain.result)
  ret {i64, i1} %plain.given
socket:
  ; receiving nothing is something else than reading nothing
  %total = call i64 @total_of(i64 %list)
  %any = icmp ne i64 %total, 0
  br i1 %any, label %message, label %none
message:
  %received = call i64 @message_now(i64 ${recvmsg}, i64 %descriptor, i64 %list, i64 %count)
  %received.given = call {i64, i1} @given_unless_waiting(i64 %received)
  ret {i64, i1} %received.given
stream:
  %result = call i64 @vectors_now(i64 ${preadv2}, i64 %descriptor, i64 %list, i64 %count)
  %given = call {i64, i1} @given_unless_waiting(i64 %result)
  ret {i64, i1} %given
none:
  ret {i64, i1} zeroinitializer
}

; writev(2), as @make_call does it for write(2).
define internal {i64, i1} @write_vectors(i64 %number, i64 %descriptor, i64 %list, i64 %count) nounwind {
  %mode = call i64 @mode_of(i64 %descriptor)
  switch i64 %mode, label %none [i64 0, label %plain  i64 ${S_IFSOCK}, label %socket  i64 ${S_IFIFO}, label %pipe]
plain:
  %plain.result = call i64 @host_call(i64 %number, i64 %descriptor, i64 %list, i64 %count, i64 0, i64 0, i64 0)
  %plain.given = call {i64, i1} @given(i64 %plain.result)
  ret {i64, i1} %plain.given
pipe:
  ; so much is written whole or not at all
  %total = call i64 @total_of(i64 %list)
  %small = icmp ule i64 %total, ${PIPE_BUF}
  br i1 %small, label %now, label %none
now:
  %result = call i64 @vectors_now(i64 ${pwritev2}, i64 %descriptor, i64 %list, i64 %count)
  %given = call {i64, i1} @given_unless_waiting(i64 %result)
  ret {i64, i1} %given
socket:
  ; writing nothing is something else than sending nothing
  %bytes = call i64 @total_of(i64 %list)
  %any = icmp ne i64 %bytes, 0
  br i1 %any, label %look, label %none
look:
  %may = call i1 @takes_parts(i64 %descriptor)
  br i1 %may, label %message, label %none
message:
  %sent = call i64 @message_now(i64 ${sendmsg}, i64 %descriptor, i64 %list, i64 %count)
  %sent.given = call {i64, i1} @given(i64 %sent)
  ret {i64, i1} %sent.given
none:
  ret {i64, i1} zeroinitializer
}

; preadv2(2) or pwritev2(2) at the descriptor's own place, without waiting.
define internal i64 @vectors_now(i64 %number, i64 %descriptor, i64 %list, i64 %count) nounwind {
  %result = call i64 @host_call(i64 %number, i64 %descriptor, i64 %list, i64 %count, i64 -1, i64 -1, i64 ${RWF_NOWAIT})
  ret i64 %result
}

; recvmsg(2) or sendmsg(2) of nothing but bytes, without waiting.
define internal i64 @message_now(i64 %number, i64 %descriptor, i64 %list, i64 %count) nounwind {
  %header = alloca [7 x i64]
  store [7 x i64] zeroinitializer, ptr %header
  %list.p = getelementptr i64, ptr %header, i64 2
  store i64 %list, ptr %list.p
  %count.p = getelementptr i64, ptr %header, i64 3
  store i64 %count, ptr %count.p
  %header.i = ptrtoint ptr %header to i64
  %result = call i64 @host_call(i64 %number, i64 %descriptor, i64 %header.i, i64 ${MSG_DONTWAIT}, i64 0, i64 0, i64 0)
  ret i64 %result
}
