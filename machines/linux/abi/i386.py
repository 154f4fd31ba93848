"""Linux on 32-bit x86: System V psABI for Intel386, and the kernel's arch/x86 headers.

As a 64-bit kernel runs such programs, so that segment selectors are those that it has. Its vDSO makes system calls by
INT 80.
"""

from __future__ import annotations

import struct
from errno import EINVAL, ESRCH

from metaphrase.machines.linux.abi.base import RestoredContext, SignalDelivery
from metaphrase.machines.linux.abi.numbers import I386
from metaphrase.machines.linux.abi.x86_64 import (
    ABI as X86_64_ABI,
)
from metaphrase.machines.linux.abi.x86_64 import (
    DIRECTION_TRAP_RESUME,
    FXSAVE_SIZE,
    INITIAL_FXSAVE,
    RESTORABLE_FLAGS,
    framed,
    unframed,
)
from metaphrase.machines.linux.cpu import Cpu, SavesFloatingPoint
from metaphrase.machines.linux.elf import EM_386
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.signals import SA_RESTORER, SA_SIGINFO, information_32
from metaphrase.machines.linux.vdso import Function, Library, library

_U32 = 0xFFFF_FFFF
#: struct sigcontext_32, in its order: gs fs es ds, general registers, trapno err ip cs flags sp_at_signal ss fpstate
#: oldmask cr2.
_SEGMENTS = ("gs", "fs", "es", "ds")
_GENERAL = ("edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax")
_CONTEXT = struct.Struct("<4I 8I III I I I I I I I")
#: struct ucontext_ia32 around it: flags, link, stack (pointer, flags, size); and the signal mask.
_UCONTEXT_HEAD, _MASK = struct.Struct("<II III"), struct.Struct("<Q")
_INFO_SIZE = 128
#: struct sigframe_ia32 behind its context: an unused floating-point state, the mask's upper half, and code.
_UNUSED_STATE, _CODE = 624, bytes(8)
#: The state as FSAVE stores it, before the one of FXSAVE: control, status, tags, four pointers, ST0 to ST7, the
#: status again and a word that says that more follows.
_FSAVE = struct.Struct("<7I 80s HH")
_UC_FP_XSTATE = 1
_USER_DS, _USER_CS = 0x2B, 0x23
_TLS_FIRST, _TLS_COUNT, _TLS_PRESENT = 12, 3, 1 << 32
#: struct user_desc: entry, base, limit, flags.
_USER_DESC = struct.Struct("<IIII")
_NOT_PRESENT, _READ_ONLY = 0x20, 0x08


class I386Frames:
    """struct sigframe_ia32 and rt_sigframe_ia32 (arch/x86/include/asm/sigframe.h)."""

    def push(self, cpu: Cpu, window: Window, delivery: SignalDelivery) -> None:
        """Save the context and enter the handler."""
        stack, fpstate, extended = delivery.stack_pointer, 0, 0
        if isinstance(cpu, SavesFloatingPoint):
            image = cpu.save_fp()
            if len(image) > FXSAVE_SIZE:
                image, extended = framed(image), _UC_FP_XSTATE
            aligned = (stack - len(image)) & ~63
            fpstate = aligned - _FSAVE.size
            window.write(fpstate, _fsave(image) + image)
            stack = fpstate
            cpu.load_fp(INITIAL_FXSAVE)
        context = _CONTEXT.pack(
            *(cpu.get(name) for name in _SEGMENTS), *(cpu.get(name) for name in _GENERAL),
            delivery.detail.trap_number, delivery.detail.error_code, cpu.get("eip"), cpu.get("cs"), cpu.get("eflags"),
            cpu.get("esp"), cpu.get("ss"), fpstate, delivery.mask & _U32, delivery.detail.address & _U32,
        )  # fmt: skip
        has_information = bool(delivery.flags & SA_SIGINFO)
        if has_information:
            pointer, flags, size = delivery.alternate_stack
            rest = information_32(delivery.info) + _UCONTEXT_HEAD.pack(extended, 0, pointer, flags, size)
            rest += context + _MASK.pack(delivery.mask)
            head = 16
        else:
            rest = context + bytes(_UNUSED_STATE) + struct.pack("<I", delivery.mask >> 32)
            head = 8
        total = head + len(rest) + len(_CODE)
        frame = ((stack - total + 4) & ~15) - 4
        returns = delivery.vdso["__kernel_rt_sigreturn" if has_information else "__kernel_sigreturn"]
        if delivery.flags & SA_RESTORER:
            returns = delivery.restorer
        begin = struct.pack("<II", returns, delivery.signal)
        information, ucontext = frame + 16, frame + 16 + _INFO_SIZE
        if has_information:
            begin += struct.pack("<II", information, ucontext)
        window.write(frame, begin + rest + _CODE)
        cpu.set("eax", delivery.signal)
        cpu.set("edx", information if has_information else 0)
        cpu.set("ecx", ucontext if has_information else 0)
        cpu.set("esp", frame)
        cpu.set("eflags", cpu.get("eflags") & ~DIRECTION_TRAP_RESUME)
        for name in ("ds", "es", "ss"):
            cpu.set(name, _USER_DS)
        cpu.set("cs", _USER_CS)
        cpu.set("eip", delivery.handler)

    def pop(self, cpu: Cpu, window: Window) -> RestoredContext:
        """Bring back the context of rt_sigreturn; the handler's return has popped the first word of the frame."""
        ucontext = cpu.get("esp") - 4 + 16 + _INFO_SIZE
        _, _, pointer, flags, size = _UCONTEXT_HEAD.unpack(window.read(ucontext, _UCONTEXT_HEAD.size))
        context = ucontext + _UCONTEXT_HEAD.size
        (mask,) = _MASK.unpack(window.read(context + _CONTEXT.size, _MASK.size))
        _restore(cpu, window, window.read(context, _CONTEXT.size))
        return RestoredContext(mask, (pointer, flags, size))


def pop_old_frame(cpu: Cpu, window: Window) -> int:
    """Bring back the context of sigreturn, before which the signal's number was popped too: the mask."""
    context = cpu.get("esp") - 8 + 8
    data = window.read(context, _CONTEXT.size)
    mask = _CONTEXT.unpack(data)[-2] | window.read_u32(context + _CONTEXT.size + _UNUSED_STATE) << 32
    _restore(cpu, window, data)
    return mask


def _restore(cpu: Cpu, window: Window, data: bytes) -> None:
    fields = _CONTEXT.unpack(data)
    fpstate = fields[19]
    if fpstate and isinstance(cpu, SavesFloatingPoint):
        legacy = window.read(fpstate, _FSAVE.size)
        cpu.load_fp(_with_fsave(unframed(window, fpstate + _FSAVE.size), legacy))
    for name, value in zip(_SEGMENTS, fields):
        load_segment(cpu, name, value & 0xFFFF)
    for name, value in zip(_GENERAL, fields[4:]):
        cpu.set(name, value)
    cpu.set("eip", fields[14])
    cpu.set("eflags", cpu.get("eflags") & ~RESTORABLE_FLAGS | fields[16] & RESTORABLE_FLAGS)


def load_segment(cpu: Cpu, name: str, selector: int) -> None:
    """Put a selector into a segment register, and its base; one that names nothing becomes null."""
    base = 0
    entry = (selector >> 3) - _TLS_FIRST
    if 0 <= entry < _TLS_COUNT:
        descriptor = cpu.get(f"tls{entry}")
        base = descriptor & _U32
        selector = selector if descriptor & _TLS_PRESENT else 0
    elif selector & ~3 not in (_USER_DS & ~3, _USER_CS & ~3):
        selector = 0
    cpu.set(name, selector)
    if name in ("fs", "gs"):
        cpu.set(f"{name}_base", base)


def _fsave(image: bytes) -> bytes:
    """The x87 state of an XSAVE image as FSAVE has it."""
    control, status, present = struct.unpack_from("<HHB", image)
    top, tags = status >> 11 & 7, 0
    registers = [image[32 + 16 * number :][:10] for number in range(8)]
    for physical in range(8):
        tag = _tag(registers[(physical - top) % 8]) if present >> physical & 1 else 3
        tags |= tag << 2 * physical
    words = (value | 0xFFFF_0000 for value in (control, status, tags))
    return _FSAVE.pack(*words, 0, 0, 0, 0xFFFF_0000, b"".join(registers), status, 0)


def _tag(register: bytes) -> int:
    """Of a register that is not empty: 0 a number, 1 zero, 2 anything special (SDM volume 1, 8.1.7)."""
    exponent = int.from_bytes(register[8:10], "little") & 0x7FFF
    significand = int.from_bytes(register[:8], "little")
    if not exponent and not significand:
        return 1
    return 0 if 0 < exponent < 0x7FFF and significand >> 63 else 2


def _with_fsave(image: bytes, legacy: bytes) -> bytes:
    """An XSAVE image whose x87 state is that of FSAVE's, which a handler may have changed."""
    control, status, tags, *_, registers, _, _ = _FSAVE.unpack(legacy)
    present = sum((tags >> 2 * number & 3 != 3) << number for number in range(8))
    head = struct.pack("<HHB", control & 0xFFFF, status & 0xFFFF, present) + image[5:32]
    stack = b"".join(registers[10 * number :][:10] + image[42 + 16 * number :][:6] for number in range(8))
    return head + stack + image[160:]


# --- thread-local storage ---------------------------------------------------------------------------------------------
def set_thread_area(cpu: Cpu, window: Window, pointer: int, *, any_entry: bool = True) -> int:
    """set_thread_area(2): enter a struct user_desc into the descriptor table; 0 or minus an error number."""
    entry, base, limit, flags = _USER_DESC.unpack(window.read(pointer, _USER_DESC.size))
    number = entry - _TLS_FIRST
    if entry == _U32 and any_entry:
        free = [index for index in range(_TLS_COUNT) if not cpu.get(f"tls{index}")]
        if not free:
            return -ESRCH
        number = free[0]
        window.write_u32(pointer, number + _TLS_FIRST)
    if not 0 <= number < _TLS_COUNT:
        return -EINVAL
    empty = not base and not limit and flags in (0, _NOT_PRESENT | _READ_ONLY)
    cpu.set(f"tls{number}", 0 if empty or flags & _NOT_PRESENT else base | _TLS_PRESENT)
    for name in ("fs", "gs"):
        if cpu.get(name) >> 3 == number + _TLS_FIRST:
            load_segment(cpu, name, cpu.get(name))
    return 0


def get_thread_area(cpu: Cpu, window: Window, pointer: int) -> int:
    """get_thread_area(2)."""
    number = window.read_u32(pointer) - _TLS_FIRST
    if not 0 <= number < _TLS_COUNT:
        return -EINVAL
    descriptor = cpu.get(f"tls{number}")
    flat = (descriptor & _U32, 0xFFFFF, 0x51) if descriptor else (0, 0, _NOT_PRESENT | _READ_ONLY)
    window.write(pointer, _USER_DESC.pack(number + _TLS_FIRST, *flat))
    return 0


def _set_thread_pointer(cpu: Cpu, window: Window, pointer: int) -> None:
    """clone's argument is a struct user_desc that names its entry."""
    set_thread_area(cpu, window, pointer, any_entry=False)


def _vdso() -> Library:
    """The functions by which programs enter the kernel and leave handlers; and those that tell the time."""
    calls = {"clock_gettime": 265, "gettimeofday": 78, "time": 13, "clock_gettime64": 403, "clock_getres": 266,
             "clock_getres_time64": 406}  # fmt: skip
    kernel = {
        "vsyscall": "cd80 c3",  # int 80; ret
        "sigreturn": "58 b877000000 cd80",  # pop eax; mov eax, number; int 80
        "rt_sigreturn": "b8ad000000 cd80",
    }
    entries = [Function((f"__kernel_{name}",), "LINUX_2.5", bytes.fromhex(code)) for name, code in kernel.items()]
    for name, number in calls.items():
        # push ebx; mov ebx, [esp + 8]; mov ecx, [esp + 12]; mov eax, number; int 80; pop ebx; ret
        code = bytes.fromhex("53 8b5c2408 8b4c240c b8") + number.to_bytes(4, "little") + bytes.fromhex("cd80 5b c3")
        entries.append(Function((f"__vdso_{name}",), "LINUX_2.6", code))
    return library(EM_386, 4, "linux-gate.so.1", tuple(entries))


ABI = X86_64_ABI._replace(
    name="i386",
    numbers=I386,
    number_register="eax",
    argument_registers=("ebx", "ecx", "edx", "esi", "edi", "ebp"),
    result_register="eax",
    stack_pointer="rsp",
    program_counter="rip",
    thread_pointer="gs_base",
    platform="i686",
    clone_arguments=("flags", "stack", "parent_tid", "tls", "child_tid"),
    vdso=_vdso,
    system_call_function="__kernel_vsyscall",
    is_canonical=lambda address: True,
    frames=I386Frames(),
    word=4,
    # Two pages below 4 GiB, as on a 64-bit kernel.
    address_limit=0xFFFF_E000,
    set_thread_pointer=_set_thread_pointer,
)
