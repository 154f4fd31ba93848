  %after.p = getelementptr i8, ptr %state, i64 ${scratch}
  call void @llvm.x86.sse.stmxcsr(ptr %after.p)
  %after = load i32, ptr %after.p
  %after.flags = and i32 %after, -8065
  %after.slot = getelementptr i8, ptr %state, i64 ${offset}
  %before = load i32, ptr %after.slot
  %masks = and i32 %before, 8064
  %merged = or i32 %after.flags, %masks
  store i32 %merged, ptr %after.slot
