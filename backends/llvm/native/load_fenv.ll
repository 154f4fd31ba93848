  %fenv.p = getelementptr i8, ptr %state, i64 ${offset}
  %fenv = load i32, ptr %fenv.p
  %scratch = getelementptr i8, ptr %state, i64 ${scratch}
  store i32 %fenv, ptr %scratch
  call void @llvm.x86.sse.ldmxcsr(ptr %scratch)
