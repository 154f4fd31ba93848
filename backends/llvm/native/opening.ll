; openat(2) and getdents64(2), but for what the machine shows in another way.

; Open what is a file or a folder, or is to be made. What it is may have changed meanwhile: it is opened so that this does
; not wait, and looked at again.
define internal {i64, i1} @open_file(ptr %calls, i64 %directory, i64 %path, i64 %flags, i64 %mode) nounwind {
  %status = alloca [144 x i8], align 8
  %status.i = ptrtoint ptr %status to i64
  %strange.bits = and i64 %flags, ${OPEN_STRANGE}
  %strange = icmp ne i64 %strange.bits, 0
  br i1 %strange, label %machine, label %look
look:
  %found = call i64 @host_call(i64 ${newfstatat}, i64 %directory, i64 %path, i64 %status.i, i64 0, i64 0, i64 0)
  %is.there = icmp eq i64 %found, 0
  br i1 %is.there, label %type, label %open
type:
  %first = call i1 @is_plain(ptr %status)
  br i1 %first, label %open, label %machine
open:
  %flags.now = or i64 %flags, ${O_NONBLOCK}
  %opened = call i64 @host_call(i64 ${openat}, i64 %directory, i64 %path, i64 %flags.now, i64 %mode, i64 0, i64 0)
  switch i64 %opened, label %ended [i64 -${EINTR}, label %machine  i64 -${EAGAIN}, label %machine
                                    i64 -${ENXIO}, label %machine]
ended:
  %failed = icmp slt i64 %opened, 0
  br i1 %failed, label %give, label %again
again:
  %looked = call i64 @host_call(i64 ${fstat}, i64 %opened, i64 %status.i, i64 0, i64 0, i64 0, i64 0)
  %seen = icmp eq i64 %looked, 0
  br i1 %seen, label %type.again, label %undo
type.again:
  %still = call i1 @is_plain(ptr %status)
  %shown = call i1 @is_shown(ptr %calls, ptr %status)
  %hidden = xor i1 %shown, true
  %good = and i1 %still, %hidden
  br i1 %good, label %settle, label %undo
settle:
  %asked.bits = and i64 %flags, ${O_NONBLOCK_OR_PATH}
  %asked = icmp ne i64 %asked.bits, 0
  br i1 %asked, label %give, label %clear
clear:
  %cleared = call i64 @host_call(i64 ${fcntl}, i64 %opened, i64 ${F_SETFL}, i64 %flags, i64 0, i64 0, i64 0)
  br label %give
give:
  %given = insertvalue {i64, i1} poison, i64 %opened, 0
  %both = insertvalue {i64, i1} %given, i1 1, 1
  ret {i64, i1} %both
undo:
  %closed = call i64 @host_call(i64 ${close}, i64 %opened, i64 0, i64 0, i64 0, i64 0, i64 0)
  br label %machine
machine:
  ret {i64, i1} zeroinitializer
}

; List a folder, unless the machine shows other entries there.
define internal {i64, i1} @list_folder(ptr %calls, i64 %number, i64 %descriptor, i64 %buffer, i64 %size) nounwind {
  %status = alloca [144 x i8], align 8
  %status.i = ptrtoint ptr %status to i64
  %looked = call i64 @host_call(i64 ${fstat}, i64 %descriptor, i64 %status.i, i64 0, i64 0, i64 0, i64 0)
  %seen = icmp eq i64 %looked, 0
  br i1 %seen, label %look, label %machine
look:
  %shown = call i1 @is_shown(ptr %calls, ptr %status)
  br i1 %shown, label %machine, label %list
list:
  %result = call i64 @host_call(i64 %number, i64 %descriptor, i64 %buffer, i64 %size, i64 0, i64 0, i64 0)
  %given = call {i64, i1} @given(i64 %result)
  ret {i64, i1} %given
machine:
  ret {i64, i1} zeroinitializer
}

; Whether a struct stat tells of a file or a folder: opening others may wait, or do something.
define internal i1 @is_plain(ptr %status) nounwind {
  %mode.p = getelementptr i8, ptr %status, i64 24
  %mode = load i32, ptr %mode.p
  %type = and i32 %mode, ${S_IFMT}
  %is.file = icmp eq i32 %type, ${S_IFREG}
  %is.folder = icmp eq i32 %type, ${S_IFDIR}
  %either = or i1 %is.file, %is.folder
  ret i1 %either
}

; Whether a struct stat tells of something on the device whose files the machine shows to the guest in its own way.
define internal i1 @is_shown(ptr %calls, ptr %status) nounwind {
  %shown.p = getelementptr i8, ptr %calls, i64 ${shown}
  %shown = load i64, ptr %shown.p
  %device = load i64, ptr %status
  %same = icmp eq i64 %device, %shown
  ret i1 %same
}
