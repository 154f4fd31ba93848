; readv(2), writev(2) and their like: lists of buffers, which the host's kernel is given in a copy.

; Put the host's list at a place for a list of the guest's, a number of struct iovec at an address. Gives 0, or something else if the machine is to see to it: there are too many, the list cannot be
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
  %index.more = add i64 %index, 1
  br label %next
done:
  ret i64 0
machine:
  ret i64 1
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
