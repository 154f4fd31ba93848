  ; FNINIT, because a fault may have left something on the stack, and the host's own code expects it empty
  %raised = call i16 asm sideeffect "fnstsw %ax\0Afninit", "={ax}"()
  %raised.flags = and i16 %raised, 63
  %raised.slot = getelementptr i8, ptr %state, i64 ${offset}
  %raised.before = load i16, ptr %raised.slot
  %raised.all = or i16 %raised.before, %raised.flags
  store i16 %raised.all, ptr %raised.slot
