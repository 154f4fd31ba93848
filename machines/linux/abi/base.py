"""The shape of an architecture's binary interface to the kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from metaphrase.machines.linux.cpu import Cpu
from metaphrase.machines.linux.memory import WINDOW_SIZE, Window
from metaphrase.machines.linux.vdso import Library

U64 = 0xFFFF_FFFF_FFFF_FFFF


class FaultDetail(NamedTuple):
    """What a signal frame tells about the access that raised it; zeros for other signals."""

    address: int = 0
    #: The processor's own error description: x86's page fault error code (SDM volume 3, 4.7).
    error_code: int = 0
    #: x86's vector number.
    trap_number: int = 0


class SignalDelivery(NamedTuple):
    """Everything that goes into a signal frame."""

    signal: int
    info: bytes
    handler: int
    restorer: int
    mask: int
    stack_pointer: int
    on_alternate_stack: bool
    alternate_stack: tuple[int, int, int]
    detail: FaultDetail
    #: Where the functions of the vDSO are, by name.
    vdso: Mapping[str, int]
    #: Of the action: SA_SIGINFO and the like.
    flags: int


class RestoredContext(NamedTuple):
    """What the return from a handler brings back besides registers."""

    mask: int
    alternate_stack: tuple[int, int, int]


class Frames(Protocol):
    """How this architecture lays a signal frame on the stack and takes it off."""

    def push(self, cpu: Cpu, window: Window, delivery: SignalDelivery) -> None:
        """Save the context below `stack_pointer` and enter the handler; GuestFault when the stack is not writable."""

    def pop(self, cpu: Cpu, window: Window) -> RestoredContext:
        """Bring back the context of the frame that the stack pointer points to."""


class Abi(NamedTuple):
    """One architecture's interface to the kernel."""

    name: str
    #: System calls by number.
    numbers: Mapping[int, str]
    number_register: str
    argument_registers: tuple[str, str, str, str, str, str]
    result_register: str
    stack_pointer: str
    program_counter: str
    thread_pointer: str
    #: Bytes of the system call instruction, to go back over it.
    syscall_length: int
    #: AT_PLATFORM, if the kernel passes one.
    platform: str | None
    #: AT_HWCAP for a CPU that does not say.
    hardware_capabilities: int
    #: The function of the vDSO that AT_SYSINFO names, if there is such an entry.
    system_call_function: str | None
    #: AT_MINSIGSTKSZ, if the kernel passes one.
    minimum_signal_stack: int | None
    #: clone's arguments by name, in this architecture's order.
    clone_arguments: tuple[str, str, str, str, str]
    #: struct sigaction has sa_restorer; other architectures return through the vDSO.
    has_restorer: bool
    #: Makes the library that the kernel maps into each process.
    vdso: Callable[[], Library]
    #: Signal and si_code by the CPU's name of a trap.
    traps: Mapping[str, tuple[int, int]]
    #: What a frame tells as the vector of a trap, by the CPU's name of it; 0 for others.
    vectors: Mapping[str, int]
    #: How far behind the instruction the pc of a breakpoint's signal lies.
    breakpoint_length: int
    #: Whether an address can be formed at all; others raise a fault that carries no address.
    is_canonical: Callable[[int], bool]
    #: The code of SIGFPE for an exception that the CPU's floating-point environment does not mask.
    float_code: Callable[[Cpu], int]
    #: The detail a frame tells about a fault: (address, access, mapped).
    fault_detail: Callable[[int, str, bool], FaultDetail]
    #: struct stat from the host's: None when they are the same.
    convert_stat: Callable[[bytes], bytes] | None
    #: Bytes of struct epoll_event, which x86-64 packs.
    epoll_event_size: int
    frames: Frames
    #: Bytes of a pointer and of a long. Where it is 4, calls with structures of such are those of `calls.compat`.
    word: int = 8
    #: The guest maps nothing from here on.
    address_limit: int = WINDOW_SIZE
    #: Put a thread's pointer where clone's argument says; by default, it is that argument.
    set_thread_pointer: Callable[[Cpu, Window, int], None] | None = None

    @property
    def word_format(self) -> str:
        """A word's letter for `struct`."""
        return "Q" if self.word == 8 else "I"
