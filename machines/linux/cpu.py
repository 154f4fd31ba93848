"""What a Linux process asks of the CPU that runs it, and what the CPU reports back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from metaphrase.translator.exits import Access, Exit, ExitKind
from metaphrase.translator.host_calls import HostCalls

__all__ = [
    "Access", "AnswersCalls", "CodeListener", "Cpu", "Exit", "ExitKind", "HasCapabilities", "HasSiblings",
    "KeepsTranslations", "MakesFaultsExact", "SavesFloatingPoint",
]  # fmt: skip


class Cpu(Protocol):
    """One guest hardware thread.

    Register names are the manual's ("rax", "rip", "fs_base", "rflags"; "a0", "sp", "pc"); values are unsigned 64-bit,
    and x86's "rflags" is the whole register. Threads that an implementation starts for itself must block every signal
    and should have an empty descriptor table of their own (close_range with CLOSE_RANGE_UNSHARE), because descriptors
    and signals of this process are the guest's, and a copy of a pipe's end keeps the pipe open.

    Traps are named, for x86: "divide_error", "invalid_opcode", "breakpoint", "general_protection", "single_step",
    "overflow", "simd_exception", "x87_exception", "alignment"; for riscv: "illegal", "breakpoint". Every register is
    exact when `run` comes back; after a system call of x86, rcx and r11 are set.
    """

    name: str

    def get(self, register: str) -> int:
        """The value of a register."""

    def set(self, register: str, value: int) -> None:
        """Change a register; values are taken modulo 2^64."""

    def run(self) -> Exit:
        """Run until something needs the machine."""

    def invalidate(self, start: int, end: int) -> None:
        """Forget code translated from [start, end): its bytes are about to change or it is no longer executable.

        Afterwards none of these pages may be write-protected on the CPU's behalf: the machine itself writes next.
        """

    def interrupt(self) -> None:
        """Make `run` return soon, or at once when it is entered next; called from any thread or signal handler."""

    def reset(self) -> None:
        """Return every register to its state at the start of a process and forget all translated code (execve)."""

    def after_fork(self) -> None:
        """Called in the child of a fork: threads are gone, memory is a private copy."""


@runtime_checkable
class SavesFloatingPoint(Protocol):
    """Optional: a CPU that hands its floating-point state to signal frames.

    x86: the XSAVE area in its standard form, which `load_fp` also takes without all behind FXSAVE's 512 bytes;
    riscv: f0 to f31 (32 x 8 bytes) and fcsr (4 bytes).
    """

    def save_fp(self) -> bytes: ...

    def load_fp(self, image: bytes) -> None: ...


@runtime_checkable
class MakesFaultsExact(Protocol):
    """Optional: a CPU whose registers are not exact at memory faults until somebody wants to see them there."""

    def make_exact(self) -> None: ...


@runtime_checkable
class KeepsTranslations(Protocol):
    """Optional: a CPU that keeps on disk what it has translated."""

    def save_translations(self) -> None:
        """Called when the process is about to end."""

    def need_no_files(self) -> None:
        """Do now for which files other than translations are needed: they may be out of reach from now on."""

    def rights_changed(self) -> None:
        """What may be read and written may be other files than before."""

    def leave_cache(self) -> None:
        """The names of files will mean others: no translation is looked for or put there any more."""


class Arrivals(Protocol):
    """Native code that notes what comes with a signal from outside; as `handler`, it can be the signal's action.

    It then calls an action that was there before. If signals are held, it blocks them on its way back: they are to be
    released, and unblocked. `take` gives the siginfo_t of all that were noted since the last time.
    """

    handler: int
    nudge: int
    """An action that only has the thread leave a call that may wait."""

    def begin(self, action: int) -> None: ...

    def hold(self, holds: bool) -> None: ...

    def held(self) -> int: ...

    def release(self, number: int) -> None: ...

    def take(self) -> list[bytes]: ...


@runtime_checkable
class NotesArrivals(Protocol):
    """Optional: a CPU that comes with such code."""

    def arrivals(self) -> Arrivals: ...


@runtime_checkable
class HasCapabilities(Protocol):
    """Optional: a CPU that announces what it implements, as AT_HWCAP and AT_HWCAP2, or None for what its ABI says; and
    as the lines of /proc/cpuinfo about a processor, or none for what the host's file says."""

    def hardware_capabilities(self) -> tuple[int, int] | None: ...

    def linux_description(self) -> Mapping[str, str]: ...


@runtime_checkable
class HasSiblings(Protocol):
    """Optional: a CPU that can run one of several guest threads, each on a thread of the host's."""

    def sibling(self) -> Cpu:
        """Another CPU over the same memory, with the same registers."""

    def retire(self) -> None:
        """Called by the thread that ran this CPU, which runs no more."""

    def others_stopped(self) -> AbstractContextManager[object]:
        """A stretch in which no other CPU over this memory runs guest code."""

    def compare_exchange(self, address: int, expected: int, new: int) -> int:
        """Atomically store a 32-bit word if memory holds another; gives what it held. The page can be written."""


@runtime_checkable
class AnswersCalls(Protocol):
    """Optional: a CPU whose native code makes host calls for guest code, as far as they only pass through, and waits in
    them; the machine sees nothing of them. Whatever is in doubt, signals above all, is left to the machine."""

    def answer_calls(self, described: HostCalls) -> None:
        """Do so from now on, on all CPUs over this memory."""

    def own_descriptors(self, first: int) -> None:
        """Descriptors below this number are the guest's, or nobody's."""

    signal_mask: int
    """The signals that the guest's thread blocks, which native code may change."""

    def free_mask(self, is_free: bool) -> None:
        """Whether it may do so by itself: as long as no signal is pending, held or for another thread to take."""

    def begin_call(self) -> bool:
        """What came up to now, `interrupt` or a signal, is no reason not to wait in a call; whether something did."""

    def interruptible_call(self, number: int, *arguments: int) -> int:
        """A call of the host's that may wait, made outside guest code by the thread that runs this CPU; -EINTR also if
        something has come since `begin_call`."""

    def end_call(self, wanted: bool) -> None:
        """After it, with what `begin_call` gave."""

    def call_sequence(self) -> int:
        """Odd while this CPU waits in a call; another number for each of them. A thread that waits, or is about to, is
        made to come back by `interrupt` and then `Arrivals.nudge` in its place."""


CodeListener = Callable[[int, int], None]
