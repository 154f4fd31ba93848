  %control.p = getelementptr i8, ptr %state, i64 ${offset}
  %control = load i16, ptr %control.p
  %control.masked = or i16 %control, 63
  %control.host = getelementptr i8, ptr %state, i64 ${scratch}
  store i16 %control.masked, ptr %control.host
  call void asm sideeffect "fldcw $$0", "*m,~{memory}"(ptr elementtype(i16) %control.host)
