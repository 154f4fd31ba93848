; Between regions, the carried registers of the guest are arguments; tier 0 keeps them in the state.

; The header record of a block that a region has taken over: go on with the region's entry record. One pointer tells
; which that is, so that the header can be handed to another region while other threads run. Regions rely on the stack
; pointer's being in the window.
define ${convention} void @region_entry(ptr %op, ptr %state${unused}) nounwind {
  %only.p = getelementptr i8, ptr %state, i64 ${only_tier_0}
  %only = load i64, ptr %only.p
${stack}  %stay = or i64 %only, %far
  %stays = icmp ne i64 %stay, 0
  br i1 %stays, label %block, label %region, !prof !2
block:
  musttail call ${convention} void @block_records(ptr %op, ptr %state${nothing})
  ret void
region:
  %entry.p = getelementptr i8, ptr %op, i64 ${region}
  %entry = load ptr, ptr %entry.p
  %code.p = getelementptr i8, ptr %entry, i64 ${code}
  %code = load ptr, ptr %code.p
  %exit.p = getelementptr i8, ptr %state, i64 ${exit_record}
  store ptr null, ptr %exit.p
${fill}  musttail call ${convention} void %code(ptr %entry, ptr %state${carried})
  ret void
}

; Where the entry record of a region leads whose code the guest may write: it may have done so just now, in a region
; that goes on until somebody polls.
define dso_local ${convention} void @region_checked(ptr %op, ptr %state${carried}) nounwind {
  %interrupt.p = getelementptr i8, ptr %state, i64 ${interrupt}
  %interrupt = load volatile i64, ptr %interrupt.p
  %stop = icmp ne i64 %interrupt, 0
  br i1 %stop, label %leave, label %go, !prof !2
leave:
  %pc.p = getelementptr i8, ptr %op, i64 ${immediate}
  %pc = load i64, ptr %pc.p
  call void @give_up(ptr %state, i64 %pc, i64 ${INTERRUPT})
  musttail call ${convention} void @region_leave(ptr null, ptr %state${carried})
  ret void
go:
  %code.p = getelementptr i8, ptr %op, i64 ${region}
  %code = load ptr, ptr %code.p
  musttail call ${convention} void %code(ptr %op, ptr %state${carried})
  ret void
}

; Where regions go for a block of tier 0: its header.
define dso_local ${convention} void @region_to_block(ptr %op, ptr %state${carried}) nounwind {
${spill}  call void @settle_late(ptr %state)
  %handler = load ptr, ptr %op
  musttail call ${convention} void %handler(ptr %op, ptr %state${nothing})
  ret void
}

; The end of a run: all but the carried registers is in the state.
define ${convention} void @region_leave(ptr %op, ptr %state${carried}) nounwind {
${spill}  ret void
}

; Where a region goes on that comes to a guest pc: the entry record of a region, or a header. Null if there is none.
define internal ptr @region_target(ptr %state, i64 %pc) noinline nounwind {
  %header = call ptr @header_at(ptr %state, i64 %pc)
  %failed = icmp eq ptr %header, null
  br i1 %failed, label %none, label %go
none:
  ret ptr null
go:
  %entry.p = getelementptr i8, ptr %header, i64 ${region}
  %entry = load ptr, ptr %entry.p
  %tier.0 = icmp eq ptr %entry, null
  %target = select i1 %tier.0, ptr %header, ptr %entry
  ret ptr %target
}

; Go on at a guest pc, which stands in the place of the record: the jump cache, which regions look into themselves, did
; not have it, or somebody wants to interrupt. Only regions are put there, which take no notice of the record.
define ${convention} void @region_dispatch(ptr %op, ptr %state${carried}) noinline nounwind {
  %pc = ptrtoint ptr %op to i64
  %interrupt.p = getelementptr i8, ptr %state, i64 ${interrupt}
  %interrupt = load volatile i64, ptr %interrupt.p
  %stop = icmp ne i64 %interrupt, 0
  br i1 %stop, label %stopped, label %look
stopped:
  call void @give_up(ptr %state, i64 %pc, i64 ${INTERRUPT})
  br label %leave
look:
  %target = call ptr @region_target(ptr %state, i64 %pc)
  %failed = icmp eq ptr %target, null
  br i1 %failed, label %leave, label %go
go:
  %code.p = getelementptr i8, ptr %target, i64 ${code}
  %code = load ptr, ptr %code.p
  %is.block = icmp eq ptr %code, @region_to_block
  %is.checked = icmp eq ptr %code, @region_checked
  %needs.record = or i1 %is.block, %is.checked
  br i1 %needs.record, label %enter, label %remember
remember:
  %index = and i64 %pc, ${jump_mask}
  %offset = mul i64 %index, ${jump_entry}
  %at = add i64 %offset, ${jump_cache}
  %entry = getelementptr i8, ptr %state, i64 %at
  store i64 %pc, ptr %entry
  %entry.code = getelementptr i8, ptr %entry, i64 ${jump_code}
  store ptr %code, ptr %entry.code
  br label %enter
enter:
  musttail call ${convention} void %code(ptr %target, ptr %state${carried})
  ret void
leave:
  musttail call ${convention} void @region_leave(ptr null, ptr %state${carried})
  ret void
}

; An exit record that is not chained yet: find or translate its target and chain it, in the slot before the region's
; code.
define ${convention} void @region_resolve(ptr %op, ptr %state${carried}) noinline nounwind {
  %pc.p = getelementptr i8, ptr %op, i64 ${immediate}
  %pc = load i64, ptr %pc.p
  %target = call ptr @region_target(ptr %state, i64 %pc)
  %failed = icmp eq ptr %target, null
  br i1 %failed, label %leave, label %go
go:
  %slot.p = getelementptr i8, ptr %op, i64 ${displacement}
  %slot = load ptr, ptr %slot.p
  store ptr %target, ptr %slot
  %code.p = getelementptr i8, ptr %target, i64 ${code}
  %code = load ptr, ptr %code.p
  musttail call ${convention} void %code(ptr %target, ptr %state${carried})
  ret void
leave:
  musttail call ${convention} void @region_leave(ptr null, ptr %state${carried})
  ret void
}

; The block that an exit record goes to, run by handlers even if a region is entered there: it may find a fault.
define ${convention} void @region_careful(ptr %op, ptr %state${carried}) noinline nounwind {
${spill}  call void @settle_late(ptr %state)
  %pc.p = getelementptr i8, ptr %op, i64 ${immediate}
  %pc = load i64, ptr %pc.p
  %target = call ptr @header_at(ptr %state, i64 %pc)
  %failed = icmp eq ptr %target, null
  br i1 %failed, label %leave, label %go
go:
  musttail call ${convention} void @block_records(ptr %target, ptr %state${nothing})
  ret void
leave:
  ret void
}

; Run the records of a block, whatever its header's handler is.
define internal ${convention} void @block_records(ptr %op, ptr %state${carried}) noinline nounwind {
  %copied.p = getelementptr i8, ptr %op, i64 ${copied}
  %copied = load i32, ptr %copied.p
  %has.copy = icmp ne i32 %copied, 0
  br i1 %has.copy, label %look, label %run
look:
  %same = call i1 @is_unchanged(ptr %op, ptr %state)
  br i1 %same, label %run, label %changed
changed:
  musttail call ${convention} void @renew(ptr %op, ptr %state${nothing})
  ret void
run:
  %size.p = getelementptr i8, ptr %op, i64 ${immediate}
  %size = load i64, ptr %size.p
  %total.p = getelementptr i8, ptr %state, i64 ${instructions}
  %total = load i64, ptr %total.p
  %more = add i64 %total, %size
  store i64 %more, ptr %total.p
  %first = getelementptr i8, ptr %op, i64 ${size}
  %handler = load ptr, ptr %first
  musttail call ${convention} void %handler(ptr %first, ptr %state${nothing})
  ret void
}
