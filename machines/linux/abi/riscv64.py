"""Linux on 64-bit RISC-V: the kernel's arch/riscv headers over the generic ones."""

from __future__ import annotations

import struct
from signal import SIGBUS, SIGILL, SIGTRAP

from metaphrase.machines.linux.abi.base import Abi, FaultDetail, RestoredContext, SignalDelivery
from metaphrase.machines.linux.abi.numbers import GENERIC
from metaphrase.machines.linux.cpu import Cpu, SavesFloatingPoint
from metaphrase.machines.linux.elf import EM_RISCV
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.vdso import Function, Library, library

#: struct user_regs_struct, in its order: pc takes the place of x0.
_CONTEXT_REGISTERS = (
    "pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
    "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
)  # fmt: skip
#: struct ucontext: flags, link, stack (pointer, flags, size), signal mask, room for a larger one; 16-byte aligned, the
#: registers; then the union of floating-point states, of which D's 32 registers and fcsr are used.
_UCONTEXT = struct.Struct("<QQ QIiQ Q 120x 8x 32Q")
_FLOATING_POINT_SIZE = 32 * 8 + 4
_FLOATING_POINT_AREA = 528
_INFO_SIZE = 128
_FRAME_SIZE = _INFO_SIZE + _UCONTEXT.size + _FLOATING_POINT_AREA

#: The host's struct stat and the generic one (include/uapi/asm-generic/stat.h).
_HOST_STAT = struct.Struct("<QQQ III 4x Q q q q 6Q 24x")
_STAT = struct.Struct("<QQ IIII Q Q q i 4x q 6Q 8x")


class Riscv64Frames:
    """struct rt_sigframe (arch/riscv/kernel/signal.c)."""

    def push(self, cpu: Cpu, window: Window, delivery: SignalDelivery) -> None:
        """Save the context and enter the handler."""
        frame = (delivery.stack_pointer - _FRAME_SIZE) & ~15
        pointer, flags, size = delivery.alternate_stack
        registers = [cpu.get(name) for name in _CONTEXT_REGISTERS]
        context = _UCONTEXT.pack(0, 0, pointer, flags, 0, size, delivery.mask, *registers)
        floating = cpu.save_fp() if isinstance(cpu, SavesFloatingPoint) else bytes(_FLOATING_POINT_SIZE)
        window.write(frame, delivery.info + context + floating.ljust(_FLOATING_POINT_AREA, b"\0"))
        cpu.set("a0", delivery.signal)
        cpu.set("a1", frame)
        cpu.set("a2", frame + _INFO_SIZE)
        cpu.set("ra", delivery.vdso["__vdso_rt_sigreturn"])
        cpu.set("sp", frame)
        cpu.set("pc", delivery.handler)

    def pop(self, cpu: Cpu, window: Window) -> RestoredContext:
        """Bring back the context of the frame at sp."""
        data = window.read(cpu.get("sp") + _INFO_SIZE, _UCONTEXT.size + _FLOATING_POINT_SIZE)
        fields = _UCONTEXT.unpack_from(data)
        if isinstance(cpu, SavesFloatingPoint):
            cpu.load_fp(data[_UCONTEXT.size :])
        for name, value in zip(_CONTEXT_REGISTERS, fields[7:]):
            cpu.set(name, value)
        return RestoredContext(fields[6], (fields[2], fields[3], fields[5]))


def _convert_stat(host: bytes) -> bytes:
    device, inode, links, mode, uid, gid, rdev, size, block_size, blocks, *times = _HOST_STAT.unpack(host)
    return _STAT.pack(device, inode, mode, links & 0xFFFF_FFFF, uid, gid, rdev, 0, size, block_size, blocks, *times)


def _fault_detail(address: int, access: str, mapped: bool) -> FaultDetail:
    return FaultDetail(address)


def _vdso() -> Library:
    """addi a7, zero, number; ecall; and ret (jalr zero, 0(ra)) where anything comes back."""
    calls = {"clock_gettime": 113, "gettimeofday": 169, "clock_getres": 114, "getcpu": 168, "flush_icache": 259}
    returns = {"rt_sigreturn": struct.pack("<II", 139 << 20 | 17 << 7 | 0x13, 0x73)}
    code = {name: struct.pack("<III", number << 20 | 17 << 7 | 0x13, 0x73, 0x8067) for name, number in calls.items()}
    return library(EM_RISCV, 8, "linux-vdso.so.1", tuple(
        Function((f"__vdso_{name}",), "LINUX_4.15", text) for name, text in (returns | code).items()
    ))  # fmt: skip


ABI = Abi(
    name="riscv64",
    numbers={**GENERIC, 258: "riscv_hwprobe", 259: "riscv_flush_icache"},
    number_register="a7",
    argument_registers=("a0", "a1", "a2", "a3", "a4", "a5"),
    result_register="a0",
    stack_pointer="sp",
    program_counter="pc",
    thread_pointer="tp",
    syscall_length=4,
    platform=None,
    # One bit a letter: I, M, A, F, D, C.
    hardware_capabilities=sum(1 << ord(letter) - ord("a") for letter in "imafdc"),
    system_call_function=None,
    minimum_signal_stack=None,
    clone_arguments=("flags", "stack", "parent_tid", "tls", "child_tid"),
    has_restorer=False,
    vdso=_vdso,
    # ILL_ILLOPC, TRAP_BRKPT, BUS_ADRALN
    traps={"illegal": (SIGILL, 1), "breakpoint": (SIGTRAP, 1), "alignment": (SIGBUS, 1)},
    vectors={},
    breakpoint_length=0,
    is_canonical=lambda address: True,
    fault_detail=_fault_detail,
    convert_stat=_convert_stat,
    epoll_event_size=16,
    frames=Riscv64Frames(),
    float_code=lambda cpu: 0,  # exceptions only set flags
)
