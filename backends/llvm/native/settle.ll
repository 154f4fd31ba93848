; Bring deferred slots up to date, if regions have left them to be computed.
define internal void @settle_late(ptr %state) noinline nounwind {
  %kind.p = getelementptr i8, ptr %state, i64 ${kind}
  %kind = load i8, ptr %kind.p
  %late = icmp ne i8 %kind, 0
  br i1 %late, label %compute, label %done
compute:
  call void @settle(ptr %state)
  br label %done
done:
  ret void
}
