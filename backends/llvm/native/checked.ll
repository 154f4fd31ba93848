; Blocks of code that the guest may write have a copy of it, and are run as long as that agrees with memory. They end
; behind each instruction that may write, so that this is seen even of one that writes to what comes next.

; The header of such a block.
define ${convention} void @checked_entry(ptr %op, ptr %state${carried}) nounwind {
  %same = call i1 @is_unchanged(ptr %op, ptr %state)
  br i1 %same, label %run, label %changed, !prof !0
run:
  musttail call ${convention} void @block_entry(ptr %op, ptr %state${nothing})
  ret void
changed:
  musttail call ${convention} void @renew(ptr %op, ptr %state${nothing})
  ret void
}

; Whether memory still holds what a block was made of. A fault on the way is one of fetching the block.
define internal i1 @is_unchanged(ptr %header, ptr %state) nounwind {
  %pc.p = getelementptr i8, ptr %header, i64 ${record_pc}
  %pc = load i64, ptr %pc.p
  %checking.p = getelementptr i8, ptr %state, i64 ${checking}
  store volatile i64 %pc, ptr %checking.p
  %window.p = getelementptr i8, ptr %state, i64 ${window}
  %window = load i64, ptr %window.p
  %code.i = add i64 %window, %pc
  %code = inttoptr i64 %code.i to ptr
  %length.p = getelementptr i8, ptr %header, i64 ${copied}
  %length.w = load i32, ptr %length.p
  %length = zext i32 %length.w to i64
  %copy = call ptr @copy_of(ptr %header)
  %is.short = icmp ult i64 %length, 8
  br i1 %is.short, label %short, label %words
words:
  %at = phi i64 [0, %0], [%behind, %word]
  %behind = add i64 %at, 8
  %inside = icmp ult i64 %behind, %length
  br i1 %inside, label %word, label %last
word:
  %equal = call i1 @is_same_word(ptr %code, ptr %copy, i64 %at)
  br i1 %equal, label %words, label %done
last:
  ; the last eight bytes, some of which may have been looked at
  %last.at = sub i64 %length, 8
  %last.equal = call i1 @is_same_word(ptr %code, ptr %copy, i64 %last.at)
  br label %done
short:
  %is.tiny = icmp ult i64 %length, 4
  br i1 %is.tiny, label %bytes, label %halves
halves:
  %first.equal = call i1 @is_same_half(ptr %code, ptr %copy, i64 0)
  %half.at = sub i64 %length, 4
  %second.equal = call i1 @is_same_half(ptr %code, ptr %copy, i64 %half.at)
  %both.equal = and i1 %first.equal, %second.equal
  br label %done
bytes:
  %byte.at = phi i64 [0, %short], [%byte.behind, %byte]
  %more = icmp ult i64 %byte.at, %length
  br i1 %more, label %byte, label %done
byte:
  %byte.now.p = getelementptr i8, ptr %code, i64 %byte.at
  %byte.now = load volatile i8, ptr %byte.now.p
  %byte.then.p = getelementptr i8, ptr %copy, i64 %byte.at
  %byte.then = load i8, ptr %byte.then.p
  %byte.equal = icmp eq i8 %byte.now, %byte.then
  %byte.behind = add i64 %byte.at, 1
  br i1 %byte.equal, label %bytes, label %done
done:
  %same = phi i1 [false, %word], [%last.equal, %last], [%both.equal, %halves], [true, %bytes], [false, %byte]
  store volatile i64 0, ptr %checking.p
  ret i1 %same
}

define internal i1 @is_same_word(ptr %code, ptr %copy, i64 %at) alwaysinline nounwind {
  %now.p = getelementptr i8, ptr %code, i64 %at
  %now = load volatile i64, ptr %now.p, align 1
  %then.p = getelementptr i8, ptr %copy, i64 %at
  %then = load i64, ptr %then.p, align 1
  %same = icmp eq i64 %now, %then
  ret i1 %same
}

define internal i1 @is_same_half(ptr %code, ptr %copy, i64 %at) alwaysinline nounwind {
  %now.p = getelementptr i8, ptr %code, i64 %at
  %now = load volatile i32, ptr %now.p, align 1
  %then.p = getelementptr i8, ptr %copy, i64 %at
  %then = load i32, ptr %then.p, align 1
  %same = icmp eq i32 %now, %then
  ret i1 %same
}

; Where a block's copy of its code is: behind its last record.
define internal ptr @copy_of(ptr %header) alwaysinline nounwind {
  %count.p = getelementptr i8, ptr %header, i64 ${immediate}
  %count = load i64, ptr %count.p
  %records = add i64 %count, 2
  %bytes = mul i64 %records, ${size}
  %copy = getelementptr i8, ptr %header, i64 %bytes
  ret ptr %copy
}

; Where the next block begins in the arena.
define internal ptr @behind_block(ptr %header) alwaysinline nounwind {
  %copy = call ptr @copy_of(ptr %header)
  %length.p = getelementptr i8, ptr %header, i64 ${copied}
  %length.w = load i32, ptr %length.p
  %length = zext i32 %length.w to i64
  %up = add i64 %length, ${size_less_1}
  %whole = and i64 %up, ${size_mask}
  %behind = getelementptr i8, ptr %copy, i64 %whole
  ret ptr %behind
}

; A block whose code is not there any more: forget it, and go on with what is.
define internal ${convention} void @renew(ptr %op, ptr %state${carried}) noinline nounwind {
  %pc.p = getelementptr i8, ptr %op, i64 ${record_pc}
  %pc = load i64, ptr %pc.p
  %shared.p = getelementptr i8, ptr %state, i64 ${shared}
  %shared = load ptr, ptr %shared.p
  call void @lock(ptr %shared)
  store ptr @stale_block, ptr %op
  ; another thread may have done so, and translated what is there now
  %known = call ptr @find(ptr %state, i64 %pc)
  %mine = icmp eq ptr %known, %op
  br i1 %mine, label %forget, label %go
forget:
  call void @unremember(ptr %state, i64 %pc)
  br label %go
go:
  call void @unlock(ptr %shared)
  %target = inttoptr i64 %pc to ptr
  musttail call ${convention} void @dispatch(ptr %target, ptr %state${nothing})
  ret void
}

; Give a new block its copy of the code up to %end, and see that its records are those of the copied code: they are made
; once more, since another thread may have written there in between. Whether they are; else they are worth nothing.
define internal i1 @copy_code(ptr %state, ptr %header, i64 %end, i64 %table) nounwind {
  %pc.p = getelementptr i8, ptr %header, i64 ${record_pc}
  %pc = load i64, ptr %pc.p
  %length = sub i64 %end, %pc
  %length.w = trunc i64 %length to i32
  %length.p = getelementptr i8, ptr %header, i64 ${copied}
  store i32 %length.w, ptr %length.p
  %decoding.p = getelementptr i8, ptr %state, i64 ${decoding}
  store volatile i64 %pc, ptr %decoding.p
  %window.p = getelementptr i8, ptr %state, i64 ${window}
  %window = load i64, ptr %window.p
  %code.i = add i64 %window, %pc
  %code = inttoptr i64 %code.i to ptr
  %copy = call ptr @copy_of(ptr %header)
  %count.p = getelementptr i8, ptr %header, i64 ${immediate}
  %count = load i64, ptr %count.p
  br label %bytes
bytes:
  %at = phi i64 [0, %0], [%behind, %byte]
  %more = icmp ult i64 %at, %length
  br i1 %more, label %byte, label %records
byte:
  %from = getelementptr i8, ptr %code, i64 %at
  %value = load volatile i8, ptr %from
  %to = getelementptr i8, ptr %copy, i64 %at
  store i8 %value, ptr %to
  %behind = add i64 %at, 1
  br label %bytes
records:
  %n = phi i64 [1, %bytes], [%n.next, %agrees]
  %left = icmp ule i64 %n, %count
  br i1 %left, label %one, label %done
one:
  %offset = mul i64 %n, ${size}
  %rec = getelementptr i8, ptr %header, i64 %offset
  %rec.i = ptrtoint ptr %rec to i64
  %rec.pc.p = getelementptr i8, ptr %rec, i64 ${record_pc}
  %rec.pc = load i64, ptr %rec.pc.p
  %form.p = getelementptr i8, ptr %rec, i64 ${form}
  %form = load i32, ptr %form.p
  %illegal = icmp eq i32 %form, -1
  %next.p = getelementptr i8, ptr %rec, i64 ${next_pc}
  %next.pc = load i64, ptr %next.p
  %known = sub i64 %next.pc, %rec.pc
  %expected = select i1 %illegal, i64 0, i64 %known
  store volatile i64 %rec.pc, ptr %decoding.p
  %again = call i64 @decode(ptr %state, i64 %rec.pc, i64 %rec.i, i64 %table)
  %same.length = icmp eq i64 %again, %expected
  %form.now = load i32, ptr %form.p
  %same.form = icmp eq i32 %form.now, %form
  %same.kind = or i1 %same.form, %illegal
  %same = and i1 %same.length, %same.kind
  br i1 %same, label %agrees, label %done
agrees:
  ; whatever the decoder has left there
  store i32 %form, ptr %form.p
  store i64 %rec.pc, ptr %rec.pc.p
  %n.next = add i64 %n, 1
  br label %records
done:
  %result = phi i1 [true, %records], [false, %one]
  store volatile i64 0, ptr %decoding.p
  ret i1 %result
}
