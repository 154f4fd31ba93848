"""How the worker enters and leaves a snippet: one native signal handler, which swaps the whole register state.

The worker executes an `int3`. The handler finds the worker's registers in the signal's context, keeps them, and puts
the guest's there instead: returning from the signal loads them all at once, flags, vectors and program counter
included. The code segment of a case decides whether it runs in 64-bit or in 32-bit mode. The next signal (the `int3`
after the snippet, or a fault) swaps back. So no trampoline is needed, and the guest owns every register. The handler
touches neither the stack of the guest nor, through FS, the worker's thread-local storage.

The layouts are those of the kernel's `struct ucontext` and of XSAVE's standard format (SDM volume 1, 13.4).
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

import llvmlite.binding as llvm

from metaphrase.backends.llvm.codecache import CodeCache
from metaphrase.backends.llvm.objects import link

ARENA, ARENA_SIZE = 0x1000_0000, 0x1_0000
CODE, CODE_SIZE = 0x2000_0000, 0x1_0000

SIGNAL_ORDER = (*(f"r{n}" for n in range(8, 16)), "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp")
"""The general registers as the signal context orders them; rip, rflags, selectors, error code... follow."""
SIGNAL_REGISTERS = 23 * 8

# The guest's block: FS and GS base, the selectors of ES, DS, FS and GS, the context's registers, the FXSAVE image to
# the end of XMM15, high YMM halves.
REGISTERS = 24
IMAGE, HIGH = REGISTERS + SIGNAL_REGISTERS, REGISTERS + SIGNAL_REGISTERS + 416
BLOCK_SIZE = HIGH + 256

# The control block, shared with the parent.
_PHASE, _SIGNAL, _TICKS, PROGRESS, GUEST, HOST = 0, 8, 16, 24, 64, 1024
CONTROL_SIZE = 4096

TICK_SECONDS = 0.01
_SIGTRAP, _SIGVTALRM = 5, 26
_SET_THREAD_AREA = 243
_CONTEXT_REGISTERS, _CONTEXT_IMAGE = 40, 224  # offsets in struct ucontext
_XSTATE_BV, _YMM_HIGH = 512, 576


def _handler(control: int, ticks: int, avx: bool, bases: bool) -> str:
    """The handler's LLVM IR. `control` is the control block's address."""

    def swap(store: int, load: int) -> str:
        """Keep the interrupted state in one block and resume the other's; CS and SS are among the registers."""
        lines = [
            f"""
          call void @llvm.memcpy.inline.p0.p0.i64(ptr {at(store + REGISTERS)}, ptr %registers, i64 {23 * 8}, i1 0)
          call void @llvm.memcpy.inline.p0.p0.i64(ptr %registers, ptr {at(load + REGISTERS)}, i64 {19 * 8}, i1 0)
          call void @llvm.memcpy.inline.p0.p0.i64(ptr {at(store + IMAGE)}, ptr %image, i64 416, i1 0)
          call void @llvm.memcpy.inline.p0.p0.i64(ptr %image, ptr {at(load + IMAGE)}, i64 416, i1 0)
          %present{store} = load i64, ptr %components
          %all{store} = or i64 %present{store}, {7 if avx else 3}
          store i64 %all{store}, ptr %components"""
        ]
        if avx:
            lines.append(f"""
          call void @llvm.memcpy.inline.p0.p0.i64(ptr {at(store + HIGH)}, ptr %high, i64 256, i1 0)
          call void @llvm.memcpy.inline.p0.p0.i64(ptr %high, ptr {at(load + HIGH)}, i64 256, i1 0)""")
        for offset, name in enumerate(("es", "ds", "fs", "gs")) if bases else ():
            lines.append(f"""
          %{name}{store} = call i16 asm sideeffect "movw %{name}, ${{0:w}}", "=r"()
          store i16 %{name}{store}, ptr {at(store + 16 + 2 * offset)}""")
        for offset, base in ((0, "fs"), (8, "gs")) if bases else ():
            lines.append(f"""
          %{base}base{store} = call i64 @llvm.x86.rd{base}base.64()
          store i64 %{base}base{store}, ptr {at(store + offset)}""")
        for offset, name in enumerate(("es", "ds", "fs", "gs")) if bases else ():
            lines.append(f"""
          %new{name}{store} = load i16, ptr {at(load + 16 + 2 * offset)}
          call void asm sideeffect "movw ${{0:w}}, %{name}", "r"(i16 %new{name}{store})""")
        for offset, base in ((0, "fs"), (8, "gs")) if bases else ():
            lines.append(f"""
          %new{base}base{store} = load i64, ptr {at(load + offset)}
          call void @llvm.x86.wr{base}base.64(i64 %new{base}base{store})""")
        return "".join(lines)

    def at(offset: int) -> str:
        return f"inttoptr (i64 {control + offset} to ptr)"

    return f"""target triple = "x86_64-unknown-linux-gnu"
    declare void @llvm.memcpy.inline.p0.p0.i64(ptr, ptr, i64, i1)
    declare void @llvm.trap()
    declare i64 @llvm.x86.rdfsbase.64()
    declare i64 @llvm.x86.rdgsbase.64()
    declare void @llvm.x86.wrfsbase.64(i64)
    declare void @llvm.x86.wrgsbase.64(i64)
    define i64 @describe(i64 %descriptor) nounwind {{
      %failed = call i64 asm sideeffect "int $$0x80", "={{rax}},0,{{rbx}},~{{memory}}"(
          i64 {_SET_THREAD_AREA}, i64 %descriptor)
      ret i64 %failed
    }}
    define void @enter() nounwind {{
      call void asm sideeffect "int3", "~{{memory}}"()
      ret void
    }}
    define void @handler(i32 %signal, ptr %info, ptr %context) nounwind {{
      %registers = getelementptr i8, ptr %context, i64 {_CONTEXT_REGISTERS}
      %image_slot = getelementptr i8, ptr %context, i64 {_CONTEXT_IMAGE}
      %image = load ptr, ptr %image_slot
      %components = getelementptr i8, ptr %image, i64 {_XSTATE_BV}
      %high = getelementptr i8, ptr %image, i64 {_YMM_HIGH}
      %alarm = icmp eq i32 %signal, {_SIGVTALRM}
      %phase = load i64, ptr {at(_PHASE)}
      %in_guest = icmp ne i64 %phase, 0
      br i1 %in_guest, label %guest, label %host
    host:
      br i1 %alarm, label %done, label %host_trap
    host_trap:
      %entering = icmp eq i32 %signal, {_SIGTRAP}
      br i1 %entering, label %enter, label %crash
    crash:  ; the worker's own fault: SIGILL is blocked here, so this ends the process
      call void @llvm.trap()
      unreachable
    enter:
      store i64 0, ptr {at(_TICKS)}
      store i64 1, ptr {at(_PHASE)}
      {swap(HOST, GUEST)}
      ret void
    guest:
      br i1 %alarm, label %tick, label %leave
    tick:
      %ticks = load i64, ptr {at(_TICKS)}
      %more = add i64 %ticks, 1
      store i64 %more, ptr {at(_TICKS)}
      %late = icmp ugt i64 %more, {ticks}
      br i1 %late, label %leave, label %done
    leave:
      %number = zext i32 %signal to i64
      store i64 %number, ptr {at(_SIGNAL)}
      store i64 0, ptr {at(_PHASE)}
      {swap(GUEST, HOST)}
      ret void
    done:
      ret void
    }}"""


class Trap:
    """The handler's code and its control block; made before the worker is forked, used in it."""

    def __init__(self, time_limit: float) -> None:
        self._control = mmap.mmap(-1, CONTROL_SIZE)  # shared: the parent reads the progress
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._control))
        # The auxiliary vector's AT_HWCAP2 says whether the kernel lets user code change the segment bases.
        self.bases = bool(ctypes.CDLL(None).getauxval(26) & 2)
        avx = "avx" in Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        llvm.initialize_native_asmparser()
        # Nothing newer than SSE2, for the handler runs between saving and restoring the vector registers anyway.
        machine = llvm.Target.from_triple("x86_64-unknown-linux-gnu").create_target_machine(
            cpu="x86-64", features="+fsgsbase" if self.bases else "", reloc="pic", codemodel="small"
        )
        text = _handler(address, int(time_limit / TICK_SECONDS) + 1, avx, self.bases)
        image = link([machine.emit_object(llvm.parse_assembly(text))])
        self._code = CodeCache(1 << 16)
        base = self._code.add(image)
        self.handler = base + image.symbols["handler"]
        self._address = address
        self._enter = ctypes.CFUNCTYPE(None)(base + image.symbols["enter"])
        self._describe = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64)(base + image.symbols["describe"])

    def describe_segment(self, descriptor: int) -> int:
        """Have the kernel enter a struct user_desc, below 4 GiB, into the thread's descriptor table: 0 or an error."""
        return ctypes.c_int32(self._describe(descriptor)).value

    def run(self, block: bytes) -> tuple[int, bytes]:
        """Enter the guest with a block's state; returns the signal that ended it and the block after."""
        ctypes.memmove(self._address + GUEST, block, BLOCK_SIZE)
        self._enter()
        return ctypes.c_uint64.from_address(self._address + _SIGNAL).value, ctypes.string_at(
            self._address + GUEST, BLOCK_SIZE
        )

    @property
    def progress(self) -> int:
        """The index of the case that runs, or ran last."""
        return ctypes.c_uint64.from_address(self._address + PROGRESS).value

    @progress.setter
    def progress(self, index: int) -> None:
        ctypes.c_uint64.from_address(self._address + PROGRESS).value = index
