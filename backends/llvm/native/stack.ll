  %stack.p = getelementptr i8, ptr %state, i64 ${offset}
  %stack = load i64, ptr %stack.p
  %far = lshr i64 %stack, ${bits}
