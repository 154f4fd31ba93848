; Go on at the pc in the state.
define internal ${convention} void @dispatch_state(ptr %op, ptr %state${carried}) nounwind {
  %pc.p = getelementptr i8, ptr %state, i64 ${pc}
  %pc = load i64, ptr %pc.p
  %target = inttoptr i64 %pc to ptr
  musttail call ${convention} void @dispatch(ptr %target, ptr %state${nothing})
  ret void
}

; Where the search for a guest pc begins in the table of blocks. Code that lies together has its places together: programs
; then touch few pages of the table, most of which a new process would have to make first.
define internal i64 @first_place(ptr %state, i64 %pc) alwaysinline nounwind {
  %shift.p = getelementptr i8, ptr %state, i64 ${shift}
  %shift = load i64, ptr %shift.p
  %mask = lshr i64 -1, %shift
  %group = lshr i64 %pc, ${group_shift}
  %product = mul i64 %group, ${hash}
  %start = lshr i64 %product, %shift
  %along = lshr i64 %pc, ${along_shift}
  %within = and i64 %along, ${along_mask}
  %place = add i64 %start, %within
  %index = and i64 %place, %mask
  ret i64 %index
}

; Go on at a guest pc, which stands in the place of the record: the first probe of the lookup table is in line.
define ${convention} void @dispatch(ptr %op, ptr %state${carried}) nounwind {
  %pc = ptrtoint ptr %op to i64
  %table.p = getelementptr i8, ptr %state, i64 ${table}
  %table = load ptr, ptr %table.p
  %index = call i64 @first_place(ptr %state, i64 %pc)
  %entry = getelementptr {i64, ptr}, ptr %table, i64 %index
  %key = load atomic i64, ptr %entry acquire, align 8
  %wanted = xor i64 %pc, -1
  %hit = icmp eq i64 %key, %wanted
  br i1 %hit, label %found, label %slow, !prof !0
found:
  %target.p = getelementptr i8, ptr %entry, i64 8
  %target = load ptr, ptr %target.p
  %handler = load ptr, ptr %target
  musttail call ${convention} void %handler(ptr %target, ptr %state${nothing})
  ret void
slow:
  musttail call ${convention} void @dispatch_slow(ptr %op, ptr %state${nothing})
  ret void
}

define internal ${convention} void @dispatch_slow(ptr %op, ptr %state${carried}) noinline nounwind {
  %pc = ptrtoint ptr %op to i64
  %target = call ptr @header_at(ptr %state, i64 %pc)
  %failed = icmp eq ptr %target, null
  br i1 %failed, label %leave, label %go
go:
  %handler = load ptr, ptr %target
  musttail call ${convention} void %handler(ptr %target, ptr %state${nothing})
  ret void
leave:
  ret void
}

; A branching record that is not chained yet: find or translate its target and chain it.
define ${convention} void @resolve(ptr %op, ptr %state${carried}) noinline nounwind {
  %pc.p = getelementptr i8, ptr %op, i64 ${immediate}
  %pc = load i64, ptr %pc.p
  %target = call ptr @header_at(ptr %state, i64 %pc)
  %failed = icmp eq ptr %target, null
  br i1 %failed, label %leave, label %go
go:
  %chain = getelementptr i8, ptr %op, i64 ${displacement}
  store ptr %target, ptr %chain
  %handler = load ptr, ptr %target
  musttail call ${convention} void %handler(ptr %target, ptr %state${nothing})
  ret void
leave:
  ret void
}

; The header of the block at a guest pc, translated if need be; or null with the exit reason set.
define internal ptr @header_at(ptr %state, i64 %pc) nounwind {
  %known = call ptr @find(ptr %state, i64 %pc)
  %missing = icmp eq ptr %known, null
  br i1 %missing, label %fresh, label %found
fresh:
  %made = call ptr @find_or_translate(ptr %state, i64 %pc)
  ret ptr %made
found:
  ret ptr %known
}

; The same, one thread at a time: another one may have been quicker.
define internal ptr @find_or_translate(ptr %state, i64 %pc) noinline nounwind {
  %shared.p = getelementptr i8, ptr %state, i64 ${shared}
  %shared = load ptr, ptr %shared.p
  call void @lock(ptr %shared)
  %known = call ptr @find(ptr %state, i64 %pc)
  %missing = icmp eq ptr %known, null
  br i1 %missing, label %fresh, label %done
fresh:
  %made = call ptr @translate(ptr %state, i64 %pc)
  br label %done
done:
  %header = phi ptr [%known, %0], [%made, %fresh]
  call void @unlock(ptr %shared)
  ret ptr %header
}

; The record at a guest pc, or null. Keys are complements, so that a table of zeros is empty.
define internal ptr @find(ptr %state, i64 %pc) nounwind {
  %table.p = getelementptr i8, ptr %state, i64 ${table}
  %table = load ptr, ptr %table.p
  %shift.p = getelementptr i8, ptr %state, i64 ${shift}
  %shift = load i64, ptr %shift.p
  %mask = lshr i64 -1, %shift
  %first = call i64 @first_place(ptr %state, i64 %pc)
  %wanted = xor i64 %pc, -1
  br label %probe
probe:
  %index = phi i64 [%first, %0], [%next, %more]
  %entry = getelementptr {i64, ptr}, ptr %table, i64 %index
  %key = load atomic i64, ptr %entry acquire, align 8
  %hit = icmp eq i64 %key, %wanted
  br i1 %hit, label %found, label %miss
miss:
  %empty = icmp eq i64 %key, 0
  br i1 %empty, label %none, label %more
more:
  %up = add i64 %index, 1
  %next = and i64 %up, %mask
  br label %probe
found:
  %target.p = getelementptr i8, ptr %entry, i64 8
  %target = load ptr, ptr %target.p
  ret ptr %target
none:
  ret ptr null
}
