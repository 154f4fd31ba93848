  %fenv.p = getelementptr i8, ptr %state, i64 ${offset}
  %fenv = load i32, ptr %fenv.p
  %fenv.masked = or i32 %fenv, 8064
  %scratch = getelementptr i8, ptr %state, i64 ${scratch}
  store i32 %fenv.masked, ptr %scratch
  call void @llvm.x86.sse.ldmxcsr(ptr %scratch)
