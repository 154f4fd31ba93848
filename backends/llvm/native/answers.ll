; Where guest code was left for an answer that stands in a table (CPUID), put it into the state: that of the first row
; which fits both keys. Gives whether that was so.
define internal i1 @answer_by_table(ptr %state, ptr %shared, i64 %why) noinline nounwind {
  %table.p = getelementptr i8, ptr %shared, i64 ${answers}
  %table = load ptr, ptr %table.p
  %none = icmp eq ptr %table, null
  br i1 %none, label %no, label %has
has:
  %reason = load i64, ptr %table
  %is.it = icmp eq i64 %reason, %why
  br i1 %is.it, label %look, label %no
look:
  %first.at.p = getelementptr i8, ptr %table, i64 ${keys}
  %first.at = load i64, ptr %first.at.p
  %first.p = getelementptr i8, ptr %state, i64 %first.at
  %first = load i32, ptr %first.p
  %second.at.p = getelementptr i64, ptr %first.at.p, i64 1
  %second.at = load i64, ptr %second.at.p
  %second.p = getelementptr i8, ptr %state, i64 %second.at
  %second = load i32, ptr %second.p
  %rows = getelementptr i8, ptr %table, i64 ${rows}
  br label %row
row:
  %at = phi ptr [%rows, %look], [%behind, %other]
  %behind = getelementptr i8, ptr %at, i64 ${row}
  %pair = load <4 x i32>, ptr %at, align 4
  %key.1 = extractelement <4 x i32> %pair, i64 0
  %mask.1 = extractelement <4 x i32> %pair, i64 1
  %key.2 = extractelement <4 x i32> %pair, i64 2
  %mask.2 = extractelement <4 x i32> %pair, i64 3
  %unlike.1 = xor i32 %first, %key.1
  %unlike.2 = xor i32 %second, %key.2
  %counts.1 = and i32 %unlike.1, %mask.1
  %counts.2 = and i32 %unlike.2, %mask.2
  %counts = or i32 %counts.1, %counts.2
  %fits = icmp eq i32 %counts, 0
  br i1 %fits, label %found, label %other
other:
  br label %row
found:
  %values = getelementptr i8, ptr %at, i64 16
  %places = getelementptr i8, ptr %table, i64 ${results}
  br label %put
put:
  %n = phi i64 [0, %found], [%n.next, %put]
  %value.p = getelementptr i32, ptr %values, i64 %n
  %value = load i32, ptr %value.p
  %wide = zext i32 %value to i64
  %place.p = getelementptr i64, ptr %places, i64 %n
  %place = load i64, ptr %place.p
  %result.p = getelementptr i8, ptr %state, i64 %place
  store i64 %wide, ptr %result.p
  %n.next = add i64 %n, 1
  %all = icmp eq i64 %n.next, 4
  br i1 %all, label %yes, label %put
yes:
  ret i1 true
no:
  ret i1 false
}
