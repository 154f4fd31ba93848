"""Linux on x86-64: System V psABI appendix A, and the kernel's arch/x86 headers."""

from __future__ import annotations

import struct
from signal import SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP

from metaphrase.machines.linux.abi.base import Abi, FaultDetail, RestoredContext, SignalDelivery
from metaphrase.machines.linux.abi.numbers import X86_64
from metaphrase.machines.linux.cpu import Cpu, SavesFloatingPoint
from metaphrase.machines.linux.elf import EM_X86_64
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.vdso import Function, Library, library

_SI_KERNEL = 0x80
_RED_ZONE = 128
DIRECTION_TRAP_RESUME = 0x400 | 0x100 | 0x1_0000
#: Flags that a handler's context may change (FIX_EFLAGS): AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF.
RESTORABLE_FLAGS = 0x5_0DD5 & ~0x1_0000
FXSAVE_SIZE = 512
#: struct _fpx_sw_bytes, in an FXSAVE image's last 48 bytes: magic, size with the magic behind, components, size.
_SOFTWARE = struct.Struct("<IIQI28x")
_SOFTWARE_OFFSET = 464
_XSTATE_MAGIC, _XSTATE_END = 0x4650_5853, (0x4650_5845).to_bytes(4, "little")
_XSTATE_LIMIT = 8192
INITIAL_FXSAVE = struct.pack("<H22xI", 0x37F, 0x1F80).ljust(FXSAVE_SIZE, b"\0")

#: struct sigcontext's general registers, in its order.
_CONTEXT_REGISTERS = (
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp", "rip",
)  # fmt: skip
#: struct ucontext: flags, link, stack (pointer, flags, size), registers, rflags, cs gs fs ss, err, trapno, oldmask,
#: cr2, fpstate, reserved, and the signal mask.
_UCONTEXT = struct.Struct("<QQ QIiQ 17Q Q 4H Q Q Q Q Q 64x Q")
_INFO_OFFSET = 8 + _UCONTEXT.size
_FRAME_SIZE = _INFO_OFFSET + 128
_UC_FP_XSTATE, _UC_SIGCONTEXT_SS, _UC_STRICT_RESTORE_SS = 1, 2, 4
_USER_CS, _USER_SS = 0x33, 0x2B


class X8664Frames:
    """struct rt_sigframe (arch/x86/include/asm/sigframe.h), with the floating-point state as XSAVE stores it, or
    FXSAVE on a CPU without it."""

    def push(self, cpu: Cpu, window: Window, delivery: SignalDelivery) -> None:
        """Save the context and enter the handler."""
        stack = delivery.stack_pointer
        if not delivery.on_alternate_stack:
            stack -= _RED_ZONE
        fpstate = 0
        extended = 0
        if isinstance(cpu, SavesFloatingPoint):
            image = cpu.save_fp()
            if len(image) > FXSAVE_SIZE:
                image, extended = framed(image), _UC_FP_XSTATE
            fpstate = (stack - len(image)) & ~63
            window.write(fpstate, image)
            stack = fpstate
            cpu.load_fp(INITIAL_FXSAVE)  # as the kernel lets handlers begin
        frame = ((stack - _FRAME_SIZE) & ~15) - 8
        flags = cpu.get("rflags")
        pointer, stack_flags, size = delivery.alternate_stack
        context = _UCONTEXT.pack(
            extended | _UC_SIGCONTEXT_SS | _UC_STRICT_RESTORE_SS, 0, pointer, stack_flags, 0, size,
            *(cpu.get(name) for name in _CONTEXT_REGISTERS), flags, _USER_CS, 0, 0, _USER_SS,
            delivery.detail.error_code, delivery.detail.trap_number, delivery.mask, delivery.detail.address,
            fpstate, delivery.mask,
        )  # fmt: skip
        window.write(frame, delivery.restorer.to_bytes(8, "little") + context + delivery.info)
        cpu.set("rdi", delivery.signal)
        cpu.set("rsi", frame + _INFO_OFFSET)
        cpu.set("rdx", frame + 8)
        cpu.set("rax", 0)
        cpu.set("rsp", frame)
        cpu.set("rflags", flags & ~DIRECTION_TRAP_RESUME)
        cpu.set("rip", delivery.handler)

    def pop(self, cpu: Cpu, window: Window) -> RestoredContext:
        """Bring back the context; the handler's return has popped the first word of the frame."""
        fields = _UCONTEXT.unpack(window.read(cpu.get("rsp"), _UCONTEXT.size))
        fpstate = fields[32]
        if fpstate and isinstance(cpu, SavesFloatingPoint):
            cpu.load_fp(unframed(window, fpstate))
        for name, value in zip(_CONTEXT_REGISTERS, fields[6:23]):
            cpu.set(name, value)
        kept = cpu.get("rflags") & ~RESTORABLE_FLAGS
        cpu.set("rflags", kept | fields[23] & RESTORABLE_FLAGS)
        return RestoredContext(fields[33], (fields[2], fields[3], fields[5]))


def framed(image: bytes) -> bytes:
    """An XSAVE image with what tells programs and the return from the handler that it is one, and how long."""
    components = int.from_bytes(image[FXSAVE_SIZE : FXSAVE_SIZE + 8], "little")
    size = len(image)
    software = _SOFTWARE.pack(_XSTATE_MAGIC, size + len(_XSTATE_END), components, size)
    return image[:_SOFTWARE_OFFSET] + software + image[FXSAVE_SIZE:] + _XSTATE_END


def unframed(window: Window, address: int) -> bytes:
    """The XSAVE image of a frame; only FXSAVE's part where nothing valid tells of more, as for the kernel."""
    legacy = window.read(address, FXSAVE_SIZE)
    magic, whole, _, size = _SOFTWARE.unpack_from(legacy, _SOFTWARE_OFFSET)
    if magic != _XSTATE_MAGIC or not FXSAVE_SIZE < size < min(whole, _XSTATE_LIMIT):
        return legacy
    image = window.read(address, size + len(_XSTATE_END))
    return image[:size] if image.endswith(_XSTATE_END) else legacy


def _is_canonical(address: int) -> bool:
    return address < 1 << 47 or address >= (1 << 64) - (1 << 47)


def _fault_detail(address: int, access: str, mapped: bool) -> FaultDetail:
    """Page fault error code: bit 0 protection, 1 write, 2 user, 4 instruction fetch; vector 14."""
    code = 4 | mapped | (2 if access == "write" else 0) | (16 if access == "execute" else 0)
    return FaultDetail(address, code, 14)


def _float_code(cpu: Cpu) -> int:
    """FPE_FLTINV, FPE_FLTDIV, FPE_FLTOVF, FPE_FLTUND or FPE_FLTRES, as the kernel chooses (fpu__exception_code)."""
    mxcsr = cpu.get("mxcsr")
    raised = mxcsr & ~(mxcsr >> 7)
    codes = ((1, 7), (4, 3), (8, 4), (0x12, 5), (0x20, 6))
    return next((code for flags, code in codes if raised & flags), 0)


def _vdso() -> Library:
    """mov eax, number; syscall; ret."""
    calls = {"clock_gettime": 228, "gettimeofday": 96, "time": 201, "clock_getres": 229, "getcpu": 309}
    return library(EM_X86_64, 8, "linux-vdso.so.1", tuple(
        Function((f"__vdso_{name}", name), "LINUX_2.6", b"\xb8" + number.to_bytes(4, "little") + b"\x0f\x05\xc3")
        for name, number in calls.items()
    ))  # fmt: skip


ABI = Abi(
    float_code=_float_code,
    name="x86_64",
    numbers=X86_64,
    number_register="rax",
    argument_registers=("rdi", "rsi", "rdx", "r10", "r8", "r9"),
    result_register="rax",
    stack_pointer="rsp",
    program_counter="rip",
    thread_pointer="fs_base",
    syscall_length=2,
    platform="x86_64",
    # CPUID.1:EDX of a plain x86-64: FPU, TSC, CX8, CMOV, FXSR, SSE, SSE2 (SDM volume 2, CPUID).
    hardware_capabilities=1 << 0 | 1 << 4 | 1 << 8 | 1 << 15 | 1 << 24 | 1 << 25 | 1 << 26,
    system_call_function=None,
    minimum_signal_stack=2048,
    clone_arguments=("flags", "stack", "parent_tid", "child_tid", "tls"),
    has_restorer=True,
    vdso=_vdso,
    traps={
        "divide_error": (SIGFPE, 1),  # FPE_INTDIV
        "single_step": (SIGTRAP, 2),  # TRAP_TRACE
        "breakpoint": (SIGTRAP, _SI_KERNEL),
        "overflow": (SIGSEGV, _SI_KERNEL),
        "bound_range": (SIGSEGV, _SI_KERNEL),
        "invalid_opcode": (SIGILL, 2),  # ILL_ILLOPN
        "general_protection": (SIGSEGV, _SI_KERNEL),
        "simd_exception": (SIGFPE, 7),  # FPE_FLTINV
        "x87_exception": (SIGFPE, 7),
        "alignment": (SIGBUS, 1),  # BUS_ADRALN
    },
    vectors={
        "single_step": 1, "breakpoint": 3, "overflow": 4, "bound_range": 5, "invalid_opcode": 6,
        "general_protection": 13, "x87_exception": 16, "alignment": 17, "simd_exception": 19,
    },
    breakpoint_length=1,
    is_canonical=_is_canonical,
    fault_detail=_fault_detail,
    convert_stat=None,
    epoll_event_size=12,
    frames=X8664Frames(),
)
