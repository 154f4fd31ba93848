  %control.p = getelementptr i8, ptr %state, i64 ${offset}
  %control = load i16, ptr %control.p
  %control.masked = or i16 %control, 63
  %control.host = getelementptr i8, ptr %state, i64 ${scratch}
  store i16 %control.masked, ptr %control.host
  ; FNCLEX, because the flags of the host's own computations are not the guest's
  call void asm sideeffect "fnclex\0Afldcw $$0", "*m,~{memory}"(ptr elementtype(i16) %control.host)
