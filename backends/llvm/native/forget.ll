; Forget blocks that hold code of the guest pages %first to %last, among those translated from %from on. Their records
; stay, for others are chained to them, and lead to whatever their guest pc is translated to by then. Gives how many
; bytes these records take. Called while no guest code runs; the compiling thread may be reading.
define i64 @forget(ptr %state, ptr %from, i64 %first, i64 %last) nounwind {
  %shared.p = getelementptr i8, ptr %state, i64 ${shared}
  %shared = load ptr, ptr %shared.p
  %next.p = getelementptr i8, ptr %shared, i64 ${next}
  %end = load ptr, ptr %next.p
  %span = sub i64 %last, %first
  br label %loop
loop:
  %header = phi ptr [%from, %0], [%behind, %on]
  %lost = phi i64 [0, %0], [%lost.next, %on]
  %done = icmp uge ptr %header, %end
  br i1 %done, label %finish, label %look
look:
  %behind = call ptr @behind_block(ptr %header)
  %behind.i = ptrtoint ptr %behind to i64
  %header.i = ptrtoint ptr %header to i64
  %bytes = sub i64 %behind.i, %header.i
  %pc.p = getelementptr i8, ptr %header, i64 ${record_pc}
  %pc = load i64, ptr %pc.p
  %resume.p = getelementptr i8, ptr %header, i64 ${next_pc}
  %resume = load i64, ptr %resume.p
  %last.byte = sub i64 %resume, 1
  ; only the last instruction can reach into a second page
  %page = lshr i64 %pc, ${page_shift}
  %page.too = lshr i64 %last.byte, ${page_shift}
  %above = sub i64 %page, %first
  %above.too = sub i64 %page.too, %first
  %inside = icmp ule i64 %above, %span
  %inside.too = icmp ule i64 %above.too, %span
  %hit = or i1 %inside, %inside.too
  %handler = load ptr, ptr %header
  %fresh = icmp ne ptr %handler, @stale_block
  %wanted = and i1 %hit, %fresh
  br i1 %wanted, label %drop, label %on
drop:
  store ptr @stale_block, ptr %header
  %region.p = getelementptr i8, ptr %header, i64 ${region}
  store ptr null, ptr %region.p
  call void @unremember(ptr %state, i64 %pc)
  br label %on
on:
  %more = phi i64 [0, %look], [%bytes, %drop]
  %lost.next = add i64 %lost, %more
  br label %loop
finish:
  ret i64 %lost
}

; The header of a block that was forgotten.
define ${convention} void @stale_block(ptr %op, ptr %state${carried}) nounwind {
  %pc.p = getelementptr i8, ptr %op, i64 ${record_pc}
  %pc = load ptr, ptr %pc.p
  musttail call ${convention} void @dispatch(ptr %pc, ptr %state${nothing})
  ret void
}

; Take a guest pc out of the table of blocks. Its place stays taken, since others may have been put behind it: by 1,
; which is no guest pc's complement.
define internal void @unremember(ptr %state, i64 %pc) nounwind {
  %table.p = getelementptr i8, ptr %state, i64 ${table}
  %table = load ptr, ptr %table.p
  %shift.p = getelementptr i8, ptr %state, i64 ${shift}
  %shift = load i64, ptr %shift.p
  %mask = lshr i64 -1, %shift
  %first = call i64 @first_place(ptr %state, i64 %pc)
  %complement = xor i64 %pc, -1
  br label %probe
probe:
  %index = phi i64 [%first, %0], [%next, %more]
  %entry = getelementptr {i64, ptr}, ptr %table, i64 %index
  %key = load i64, ptr %entry
  %hit = icmp eq i64 %key, %complement
  br i1 %hit, label %clear, label %miss
miss:
  %empty = icmp eq i64 %key, 0
  br i1 %empty, label %absent, label %more
more:
  %up = add i64 %index, 1
  %next = and i64 %up, %mask
  br label %probe
clear:
  %value.p = getelementptr i8, ptr %entry, i64 8
  store ptr null, ptr %value.p
  store i64 1, ptr %entry
  ret void
absent:
  ret void
}
