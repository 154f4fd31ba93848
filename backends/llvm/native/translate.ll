; What the set of pages holds of this guest page, its number and flags; 0 if nothing.
define internal i64 @page_entry(ptr %state, i64 %page) nounwind {
  %pages.p = getelementptr i8, ptr %state, i64 ${pages}
  %pages = load ptr, ptr %pages.p
  %mask.p = getelementptr i8, ptr %state, i64 ${pages_mask}
  %mask = load i64, ptr %mask.p
  %first = and i64 %page, %mask
  br label %probe
probe:
  %index = phi i64 [%first, %0], [%next, %more]
  %entry = getelementptr i64, ptr %pages, i64 %index
  %key = load i64, ptr %entry
  %empty = icmp eq i64 %key, 0
  br i1 %empty, label %no, label %used
used:
  %number = lshr i64 %key, ${page_flags}
  %hit = icmp eq i64 %number, %page
  br i1 %hit, label %yes, label %more
more:
  %up = add i64 %index, 1
  %next = and i64 %up, %mask
  br label %probe
yes:
  ret i64 %key
no:
  ret i64 0
}

define internal void @give_up(ptr %state, i64 %pc, i64 %reason) nounwind {
  %state.pc = getelementptr i8, ptr %state, i64 ${pc}
  store i64 %pc, ptr %state.pc
  %reason.p = getelementptr i8, ptr %state, i64 ${reason}
  store i64 %reason, ptr %reason.p
  ret void
}

; Decode the block at a guest pc into records; gives its header, or null with the exit reason set. The lock is held.
define internal ptr @translate(ptr %state, i64 %pc) noinline nounwind {
  %shared.p = getelementptr i8, ptr %state, i64 ${shared}
  %shared = load ptr, ptr %shared.p
  %next.p = getelementptr i8, ptr %shared, i64 ${next}
  %header = load ptr, ptr %next.p
  %end.p = getelementptr i8, ptr %state, i64 ${end}
  %end = load i64, ptr %end.p
  %header.i = ptrtoint ptr %header to i64
  %needed = add i64 %header.i, ${room}
  %full = icmp ugt i64 %needed, %end
  br i1 %full, label %no.arena, label %has.arena
no.arena:
  call void @give_up(ptr %state, i64 %pc, i64 ${ARENA})
  ret ptr null
has.arena:
  %count.p = getelementptr i8, ptr %shared, i64 ${count}
  %count = load i64, ptr %count.p
  %limit.p = getelementptr i8, ptr %state, i64 ${limit}
  %limit = load i64, ptr %limit.p
  %crowded = icmp uge i64 %count, %limit
  br i1 %crowded, label %no.lookup, label %has.lookup
no.lookup:
  call void @give_up(ptr %state, i64 %pc, i64 ${LOOKUP})
  ret ptr null
has.lookup:
  %page = lshr i64 %pc, ${page_shift}
  %page.entry = call i64 @page_entry(ptr %state, i64 %page)
  %page.code = and i64 %page.entry, ${page_code}
  %known = icmp ne i64 %page.code, 0
  br i1 %known, label %start, label %no.page
no.page:
  %bad = phi i64 [%pc, %has.lookup], [%last.no, %crosses.first]
  %address.p = getelementptr i8, ptr %state, i64 ${fault_address}
  store i64 %bad, ptr %address.p
  call void @give_up(ptr %state, i64 %pc, i64 ${CODE_PAGE})
  ret ptr null
start:
  %page.checked = and i64 %page.entry, ${page_checked}
  %checked.at.first = icmp ne i64 %page.checked, 0
  %forms.p = getelementptr i8, ptr %state, i64 ${forms}
  %forms = load ptr, ptr %forms.p
  %decoding.block.p = getelementptr i8, ptr %state, i64 ${decoding_block}
  store i64 %pc, ptr %decoding.block.p
  %decoding.p = getelementptr i8, ptr %state, i64 ${decoding}
  %table.p = getelementptr i8, ptr %state, i64 ${decoder_table}
  %table = load i64, ptr %table.p
  %stop.p = getelementptr i8, ptr %state, i64 ${stop}
  %stop = load i64, ptr %stop.p
  %rows.p = getelementptr i8, ptr %state, i64 ${rows}
  %rows = load ptr, ptr %rows.p
  %static.bits.p = getelementptr i8, ptr %rows, i64 -8
  %static.bits.w = load i64, ptr %static.bits.p
  %static.bits = trunc i64 %static.bits.w to i32
  br label %again
again:
  br label %instruction
instruction:
  %n = phi i64 [0, %again], [%n.next, %continue]
  %at = phi i64 [%pc, %again], [%following, %continue]
  %n.next = add i64 %n, 1
  %offset = mul i64 %n.next, ${size}
  %rec = getelementptr i8, ptr %header, i64 %offset
  %rec.i = ptrtoint ptr %rec to i64
  store volatile i64 %at, ptr %decoding.p
  %length = call i64 @decode(ptr %state, i64 %at, i64 %rec.i, i64 %table)
  store volatile i64 0, ptr %decoding.p
  %nothing = icmp eq i64 %length, 0
  br i1 %nothing, label %unknown, label %decoded
unknown:
  store ptr @illegal, ptr %rec
  %rec.pc = getelementptr i8, ptr %rec, i64 ${record_pc}
  store i64 %at, ptr %rec.pc
  %rec.form = getelementptr i8, ptr %rec, i64 ${form}
  store i32 -1, ptr %rec.form
  ; whatever is put there later may be an instruction
  %behind.page.1 = or i64 %at, ${in_page}
  %behind.page = add i64 %behind.page.1, 1
  %longest = add i64 %at, ${longest}
  %beyond = icmp ugt i64 %longest, %behind.page
  %unknown.end = select i1 %beyond, i64 %behind.page, i64 %longest
  br label %finish
decoded:
  %following = add i64 %at, %length
  %last = sub i64 %following, 1
  %first.page = lshr i64 %at, ${page_shift}
  %last.page = lshr i64 %last, ${page_shift}
  %crosses = icmp ne i64 %first.page, %last.page
  br i1 %crosses, label %check.page, label %inside
check.page:
  %next.entry = call i64 @page_entry(ptr %state, i64 %last.page)
  %next.code = and i64 %next.entry, ${page_code}
  %next.known = icmp ne i64 %next.code, 0
  br i1 %next.known, label %may.cross, label %no.next.page
may.cross:
  ; an instruction that reaches into a page that may be written is one of a block that looks whether it was
  %next.checked.bit = and i64 %next.entry, ${page_checked}
  %next.checked = icmp ne i64 %next.checked.bit, 0
  %is.first = icmp eq i64 %n, 0
  %checked.first = and i1 %is.first, %next.checked
  %checked.crossing = or i1 %checked.at.first, %checked.first
  %needs.own = xor i1 %checked.crossing, true
  %cut = and i1 %next.checked, %needs.own
  br i1 %cut, label %no.next.page, label %inside
no.next.page:
  %alone = icmp eq i64 %n, 0
  br i1 %alone, label %crosses.first, label %finish
crosses.first:
  %last.no = phi i64 [%last, %no.next.page]
  br label %no.page
inside:
  %checked = phi i1 [%checked.at.first, %decoded], [%checked.crossing, %may.cross]
  %form.p = getelementptr i8, ptr %rec, i64 ${form}
  %form = load i32, ptr %form.p
  %row = lshr i32 %form, %static.bits
  %row.w = zext i32 %row to i64
  %ends.p = getelementptr i8, ptr %rows, i64 %row.w
  %ends = load i8, ptr %ends.p
  %is.end = icmp ne i8 %ends, 0
  br i1 %is.end, label %finish, label %not.end
not.end:
  br i1 %checked, label %look.for.store, label %same.page
look.for.store:
  %form.w = zext i32 %form to i64
  %fact.at = mul i64 %form.w, ${forms_size}
  %fact = getelementptr i8, ptr %forms, i64 %fact.at
  %handler = load ptr, ptr %fact
  %uncompiled = icmp eq ptr %handler, null
  %stores.p = getelementptr i8, ptr %fact, i64 ${stores}
  %stores.b = load i8, ptr %stores.p
  %stores = icmp ne i8 %stores.b, 0
  %may.store = or i1 %uncompiled, %stores
  br i1 %may.store, label %finish, label %same.page
same.page:
  %following.page = lshr i64 %following, ${page_shift}
  %start.page = lshr i64 %pc, ${page_shift}
  %leaves.page = icmp ne i64 %following.page, %start.page
  %long = icmp uge i64 %n.next, ${most}
  %stops = icmp eq i64 %following, %stop
  %some = or i1 %leaves.page, %long
  %any = or i1 %some, %stops
  br i1 %any, label %finish, label %continue
continue:
  br label %instruction
finish:
  %total = phi i64 [%n.next, %unknown], [%n, %no.next.page], [%n.next, %inside], [%n.next, %look.for.store],
                   [%n.next, %same.page]
  %resume = phi i64 [%at, %unknown], [%at, %no.next.page], [%following, %inside], [%following, %look.for.store],
                    [%following, %same.page]
  %code.end = phi i64 [%unknown.end, %unknown], [%at, %no.next.page], [%following, %inside],
                      [%following, %look.for.store], [%following, %same.page]
  %has.copy = phi i1 [%checked.at.first, %unknown], [%checked.at.first, %no.next.page], [%checked, %inside],
                     [%checked, %look.for.store], [%checked, %same.page]
  %h.pc = getelementptr i8, ptr %header, i64 ${record_pc}
  store i64 %pc, ptr %h.pc
  %h.count = getelementptr i8, ptr %header, i64 ${immediate}
  store i64 %total, ptr %h.count
  %threshold.p = getelementptr i8, ptr %shared, i64 ${threshold}
  %threshold = load i64, ptr %threshold.p
  %h.left = getelementptr i8, ptr %header, i64 ${displacement}
  store i64 %threshold, ptr %h.left
  %h.end = getelementptr i8, ptr %header, i64 ${next_pc}
  store i64 %resume, ptr %h.end
  %h.form = getelementptr i8, ptr %header, i64 ${form}
  store i32 -2, ptr %h.form
  %h.code = getelementptr i8, ptr %header, i64 ${code}
  store ptr @region_to_block, ptr %h.code
  %total.1 = add i64 %total, 1
  %tail.at = mul i64 %total.1, ${size}
  %tail = getelementptr i8, ptr %header, i64 %tail.at
  store ptr @goto_next, ptr %tail
  %t.pc = getelementptr i8, ptr %tail, i64 ${record_pc}
  store i64 %resume, ptr %t.pc
  %t.target = getelementptr i8, ptr %tail, i64 ${immediate}
  store i64 %resume, ptr %t.target
  %t.chain = getelementptr i8, ptr %tail, i64 ${displacement}
  store i64 0, ptr %t.chain
  %t.form = getelementptr i8, ptr %tail, i64 ${form}
  store i32 -2, ptr %t.form
  %h.copied = getelementptr i8, ptr %header, i64 ${copied}
  store i32 0, ptr %h.copied
  br i1 %has.copy, label %copy, label %made
copy:
  %agrees = call i1 @copy_code(ptr %state, ptr %header, i64 %code.end, i64 %table)
  br i1 %agrees, label %made, label %again
made:
  %entry = phi ptr [@block_entry, %finish], [@checked_entry, %copy]
  store ptr %entry, ptr %header
  %arena.next = call ptr @behind_block(ptr %header)
  store ptr %arena.next, ptr %next.p
  call void @link_block(ptr %state, ptr %header)
  %taken = call i64 @remember(ptr %state, i64 %pc, ptr %header)
  %count.up = add i64 %count, %taken
  store i64 %count.up, ptr %count.p
  %blocks.p = getelementptr i8, ptr %shared, i64 ${blocks}
  %blocks = load i64, ptr %blocks.p
  %blocks.up = add i64 %blocks, 1
  store i64 %blocks.up, ptr %blocks.p
  ret ptr %header
}

; Put a block into the table, into a place that was left (1) or was never taken (0); gives how many of these it took.
define internal i64 @remember(ptr %state, i64 %pc, ptr %header) nounwind {
  %table.p = getelementptr i8, ptr %state, i64 ${table}
  %table = load ptr, ptr %table.p
  %shift.p = getelementptr i8, ptr %state, i64 ${shift}
  %shift = load i64, ptr %shift.p
  %mask = lshr i64 -1, %shift
  %first = call i64 @first_place(ptr %state, i64 %pc)
  br label %probe
probe:
  %index = phi i64 [%first, %0], [%next, %more]
  %entry = getelementptr {i64, ptr}, ptr %table, i64 %index
  %key = load i64, ptr %entry
  %free = icmp ule i64 %key, 1
  br i1 %free, label %place, label %more
more:
  %up = add i64 %index, 1
  %next = and i64 %up, %mask
  br label %probe
place:
  %value.p = getelementptr i8, ptr %entry, i64 8
  store ptr %header, ptr %value.p
  %complement = xor i64 %pc, -1
  store atomic i64 %complement, ptr %entry release, align 8
  %taken = xor i64 %key, 1
  ret i64 %taken
}

; Give each record of a block its handler, backwards: the variant that leaves the lazy group alone where nothing reads it.
; Whoever handles a fault reads it.
define void @link_block(ptr %state, ptr %header) nounwind {
  %count.p = getelementptr i8, ptr %header, i64 ${immediate}
  %count = load i64, ptr %count.p
  %forms.p = getelementptr i8, ptr %state, i64 ${forms}
  %forms = load ptr, ptr %forms.p
  %shared.p = getelementptr i8, ptr %state, i64 ${shared}
  %shared = load ptr, ptr %shared.p
  %exact.p = getelementptr i8, ptr %shared, i64 ${exact}
  %exact = load i64, ptr %exact.p
  %exact.all = icmp ne i64 %exact, 0
  br label %loop
loop:
  %n = phi i64 [%count, %0], [%n.next, %done]
  %live = phi i8 [-1, %0], [%live.next, %done]
  %stop = icmp eq i64 %n, 0
  br i1 %stop, label %end, label %one
one:
  %at = mul i64 %n, ${size}
  %rec = getelementptr i8, ptr %header, i64 %at
  %form.p = getelementptr i8, ptr %rec, i64 ${form}
  %form = load i32, ptr %form.p
  %is.illegal = icmp eq i32 %form, -1
  br i1 %is.illegal, label %keep, label %known
known:
  %form.w = zext i32 %form to i64
  %fact.at = mul i64 %form.w, ${forms_size}
  %fact = getelementptr i8, ptr %forms, i64 %fact.at
  %handler = load ptr, ptr %fact
  %missing = icmp eq ptr %handler, null
  br i1 %missing, label %uncompiled.yet, label %compiled
uncompiled.yet:
  store ptr @uncompiled, ptr %rec
  br label %keep
keep:
  br label %done
compiled:
  %lazy.p = getelementptr i8, ptr %fact, i64 ${lazy}
  %lazy = load ptr, ptr %lazy.p
  %reads.p = getelementptr i8, ptr %fact, i64 ${reads}
  %reads = load i8, ptr %reads.p
  %kills.p = getelementptr i8, ptr %fact, i64 ${kills}
  %kills = load i8, ptr %kills.p
  %writes.p = getelementptr i8, ptr %fact, i64 ${writes}
  %writes = load i8, ptr %writes.p
  %wanted = and i8 %writes, %live
  %unwanted = icmp eq i8 %wanted, 0
  %has.lazy = icmp ne ptr %lazy, null
  %use.lazy = and i1 %unwanted, %has.lazy
  %chosen = select i1 %use.lazy, ptr %lazy, ptr %handler
  store ptr %chosen, ptr %rec
  %not.killed = xor i8 %kills, -1
  %survive = and i8 %live, %not.killed
  %live.reads = or i8 %survive, %reads
  %stops.p = getelementptr i8, ptr %fact, i64 ${stops}
  %stops = load i8, ptr %stops.p
  %stops.exact = select i1 %exact.all, i8 %stops, i8 0
  %live.compiled = or i8 %live.reads, %stops.exact
  br label %done
done:
  %live.next = phi i8 [-1, %keep], [%live.compiled, %compiled]
  %n.next = sub i64 %n, 1
  br label %loop
end:
  ret void
}
