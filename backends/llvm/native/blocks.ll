; The header record of a block: count it, see whether it became hot, or whether somebody wants to stop.
define ${convention} void @block_entry(ptr %op, ptr %state${carried}) nounwind {
  %interrupt.p = getelementptr i8, ptr %state, i64 ${interrupt}
  %interrupt = load volatile i64, ptr %interrupt.p
  %stop = icmp ne i64 %interrupt, 0
  br i1 %stop, label %leave, label %count, !prof !2
count:
  %size.p = getelementptr i8, ptr %op, i64 ${immediate}
  %size = load i64, ptr %size.p
  %total.p = getelementptr i8, ptr %state, i64 ${instructions}
  %total = load i64, ptr %total.p
  %more = add i64 %total, %size
  store i64 %more, ptr %total.p
  %left.p = getelementptr i8, ptr %op, i64 ${displacement}
  %left = load i64, ptr %left.p
  %less = sub i64 %left, 1
  store i64 %less, ptr %left.p
  %hot = icmp eq i64 %less, 0
  br i1 %hot, label %enqueue, label %go, !prof !2
go:
  %first = getelementptr i8, ptr %op, i64 ${size}
  %handler = load ptr, ptr %first
  musttail call ${convention} void %handler(ptr %first, ptr %state${nothing})
  ret void
enqueue:
  musttail call ${convention} void @become_hot(ptr %op, ptr %state${nothing})
  ret void
leave:
  %pc.p = getelementptr i8, ptr %op, i64 ${record_pc}
  %pc = load i64, ptr %pc.p
  %state.pc = getelementptr i8, ptr %state, i64 ${pc}
  store i64 %pc, ptr %state.pc
  %reason.p = getelementptr i8, ptr %state, i64 ${reason}
  store i64 ${INTERRUPT}, ptr %reason.p
  ret void
}

; The header of a block that became hot: put it into the queue, and go on with its records.
define internal ${convention} void @become_hot(ptr %op, ptr %state${carried}) noinline nounwind {
  %shared.p = getelementptr i8, ptr %state, i64 ${shared}
  %shared = load ptr, ptr %shared.p
  call void @lock(ptr %shared)
  %head.p = getelementptr i8, ptr %shared, i64 ${head}
  %head = load i64, ptr %head.p
  %tail.p = getelementptr i8, ptr %shared, i64 ${tail}
  %tail = load volatile i64, ptr %tail.p
  %used = sub i64 %head, %tail
  %room = icmp ult i64 %used, ${queue_mask}
  br i1 %room, label %push, label %later
push:
  %queue.p = getelementptr i8, ptr %state, i64 ${queue}
  %queue = load ptr, ptr %queue.p
  %place = and i64 %head, ${queue_mask}
  %slot = getelementptr i64, ptr %queue, i64 %place
  %op.i = ptrtoint ptr %op to i64
  store volatile i64 %op.i, ptr %slot
  %head.next = add i64 %head, 1
  store atomic i64 %head.next, ptr %head.p release, align 8
  call void @unlock(ptr %shared)
  %waits.p = getelementptr i8, ptr %state, i64 ${waits}
  %waits = load i64, ptr %waits.p
  %hurry = icmp ne i64 %waits, 0
  br i1 %hurry, label %wake, label %go
wake:
  %interrupt.p = getelementptr i8, ptr %state, i64 ${interrupt}
  store volatile i64 1, ptr %interrupt.p
  br label %go
later:
  call void @unlock(ptr %shared)
  %left.p = getelementptr i8, ptr %op, i64 ${displacement}
  store i64 1000, ptr %left.p
  br label %go
go:
  %first = getelementptr i8, ptr %op, i64 ${size}
  %handler = load ptr, ptr %first
  musttail call ${convention} void %handler(ptr %first, ptr %state${nothing})
  ret void
}

; The record behind a block's last instruction: go on at the pc in its immediate.
define ${convention} void @goto_next(ptr %op, ptr %state${carried}) nounwind {
  %chain = getelementptr i8, ptr %op, i64 ${displacement}
  %target = load ptr, ptr %chain
  %unknown = icmp eq ptr %target, null
  br i1 %unknown, label %ask, label %go, !prof !2
go:
  %handler = load ptr, ptr %target
  musttail call ${convention} void %handler(ptr %target, ptr %state${nothing})
  ret void
ask:
  musttail call ${convention} void @resolve(ptr %op, ptr %state${nothing})
  ret void
}

; No description matches the bytes here.
define ${convention} void @illegal(ptr %op, ptr %state${carried}) nounwind {
  call void @leave_at(ptr %state, ptr %op, i64 ${ILLEGAL})
  ret void
}

; A form whose handler is not compiled, or was not when its block was translated.
define ${convention} void @uncompiled(ptr %op, ptr %state${carried}) nounwind {
  %form.p = getelementptr i8, ptr %op, i64 ${form}
  %form.n = load i32, ptr %form.p
  %form = zext i32 %form.n to i64
  %at = mul i64 %form, ${forms_size}
  %forms.p = getelementptr i8, ptr %state, i64 ${forms}
  %forms = load ptr, ptr %forms.p
  %fact = getelementptr i8, ptr %forms, i64 %at
  %handler = load ptr, ptr %fact
  %missing = icmp eq ptr %handler, null
  br i1 %missing, label %leave, label %go
go:
  store ptr %handler, ptr %op
  musttail call ${convention} void %handler(ptr %op, ptr %state${nothing})
  ret void
leave:
  call void @leave_at(ptr %state, ptr %op, i64 ${FORMS})
  ret void
}

define internal void @leave_at(ptr %state, ptr %op, i64 %reason) nounwind {
  %pc.p = getelementptr i8, ptr %op, i64 ${record_pc}
  %pc = load i64, ptr %pc.p
  %state.pc = getelementptr i8, ptr %state, i64 ${pc}
  store i64 %pc, ptr %state.pc
  %record.p = getelementptr i8, ptr %state, i64 ${exit_record}
  store ptr %op, ptr %record.p
  %reason.p = getelementptr i8, ptr %state, i64 ${reason}
  store i64 %reason, ptr %reason.p
  ret void
}
