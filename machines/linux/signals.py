"""The guest's signals: dispositions, masks, what is pending, and how a handler is entered and left (signal(7)).

A signal is for one thread, or for whichever thread of the process takes it. The host's dispositions and masks follow
the guest's (see `host_signals`).
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from signal import (
    SIGBUS,
    SIGCHLD,
    SIGCONT,
    SIGFPE,
    SIGILL,
    SIGKILL,
    SIGSEGV,
    SIGSTOP,
    SIGTRAP,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGURG,
    SIGWINCH,
)
from typing import Protocol

from metaphrase.machines.linux.abi.base import FaultDetail

SIG_DFL, SIG_IGN = 0, 1
SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO, SA_RESTORER = 1, 2, 4, 0x0400_0000
SA_ONSTACK, SA_RESTART, SA_NODEFER, SA_RESETHAND = 0x0800_0000, 0x1000_0000, 0x4000_0000, 0x8000_0000
SS_ONSTACK, SS_DISABLE, SS_AUTODISARM = 1, 2, 1 << 31
SI_USER, SI_TKILL, SI_KERNEL = 0, -6, 0x80

_CLD_EXITED, _CLD_KILLED, _CLD_DUMPED, _CLD_STOPPED, _CLD_CONTINUED = 1, 2, 3, 5, 6

COUNT = 64
_REAL_TIME = 34
#: Raised by what an instruction does: the host's dispositions of these belong to the execution engine.
SYNCHRONOUS = frozenset({SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP})
#: Their default action is nothing.
HARMLESS = frozenset({SIGCHLD, SIGURG, SIGWINCH, SIGCONT})
STOPPING = frozenset({SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU})
_UNBLOCKABLE = 1 << SIGKILL - 1 | 1 << SIGSTOP - 1


@dataclass(slots=True)
class Action:
    """struct sigaction."""

    handler: int = SIG_DFL
    flags: int = 0
    restorer: int = 0
    mask: int = 0


@dataclass(slots=True)
class Pending:
    """A signal on its way to the guest, with its siginfo_t (128 bytes)."""

    signal: int
    info: bytes
    detail: FaultDetail = field(default_factory=FaultDetail)


def bit(signal: int) -> int:
    """A signal's bit in a mask."""
    return 1 << signal - 1


def information(signal: int, code: int, *fields: int) -> bytes:
    """A siginfo_t whose union starts with these 64-bit words (include/uapi/asm-generic/siginfo.h)."""
    words = struct.pack(f"<{len(fields)}Q", *(value & 0xFFFF_FFFF_FFFF_FFFF for value in fields))
    return (struct.pack("<iii4x", signal, 0, code) + words).ljust(128, b"\0")


def sent_by(signal: int, code: int, process: int, user: int, value: int = 0) -> bytes:
    """The siginfo_t of a signal that a process sent."""
    return information(signal, code, process | user << 32, value)


_CLD_CODES = range(1, 7)
_POLL_CODES, _SI_SIGIO = range(1, 7), -5
#: The union of siginfo_t by what it holds, with 64-bit words and with 32-bit ones: two numbers and a value; what a
#: child did; an address; a band and a descriptor.
_SENT, _SENT_32 = struct.Struct("<iiQ"), struct.Struct("<iiI")
_CHILD, _CHILD_32 = struct.Struct("<iiI4xQQ"), struct.Struct("<iiIII")
_FAULT, _FAULT_32 = struct.Struct("<Q"), struct.Struct("<I")
_POLL, _POLL_32 = struct.Struct("<Qi"), struct.Struct("<Ii")


def _unions(signal: int, code: int) -> tuple[struct.Struct, struct.Struct]:
    if code > 0 and signal in SYNCHRONOUS:
        return _FAULT, _FAULT_32
    if code in _CLD_CODES and signal == SIGCHLD:
        return _CHILD, _CHILD_32
    # Whatever the signal: fcntl's F_SETSIG chooses one for what a descriptor has to tell.
    return (_POLL, _POLL_32) if code in _POLL_CODES or code == _SI_SIGIO else (_SENT, _SENT_32)


def information_32(info: bytes) -> bytes:
    """A siginfo_t as programs with 32-bit words have it."""
    signal, error, code = struct.unpack_from("<iii", info)
    wide, narrow = _unions(signal, code)
    letters = narrow.format[1:]
    fields = [
        value & 0xFFFF_FFFF if letter == "I" else value
        for letter, value in zip(letters, wide.unpack_from(info, 16), strict=True)
    ]
    return (struct.pack("<iii", signal, error, code) + narrow.pack(*fields)).ljust(128, b"\0")


def information_64(info: bytes, signal: int) -> bytes:
    """The inverse of `information_32`, with another signal's number."""
    _, error, code = struct.unpack_from("<iii", info)
    wide, narrow = _unions(signal, code)
    return (struct.pack("<iii4x", signal, error, code) + wide.pack(*narrow.unpack_from(info, 12))).ljust(128, b"\0")


def child_information(child: int, user: int, status: int) -> bytes:
    """The siginfo_t of SIGCHLD for a status as wait(2) gives it."""
    if os.WIFEXITED(status):
        code, value = _CLD_EXITED, os.WEXITSTATUS(status)
    elif os.WIFSTOPPED(status):
        code, value = _CLD_STOPPED, os.WSTOPSIG(status)
    elif os.WIFCONTINUED(status):
        code, value = _CLD_CONTINUED, SIGCONT
    else:
        code, value = _CLD_DUMPED if os.WCOREDUMP(status) else _CLD_KILLED, os.WTERMSIG(status)
    return information(SIGCHLD, code, child | user << 32, value)


def is_ignored_by_default(signal: int) -> bool:
    """Whether nothing happens when there is no handler."""
    return signal in HARMLESS


class SharedSignals:
    """What all threads of a guest process have in common."""

    def __init__(self) -> None:
        self.actions = [Action() for _ in range(COUNT + 1)]
        self.states: list[SignalState] = []
        """Those of the threads, the first one's first."""
        self.arrived: deque[Pending] = deque()
        """What has come from outside, put there by whoever noticed."""
        self.pending: list[Pending] = []

    def queue(self, pending: Pending) -> None:
        """Make a signal pending for whichever thread does not block it; the first one if it can."""
        if self.states[0].ignores(pending.signal) or _is_there(self.pending, pending.signal):
            return
        self.pending.append(pending)
        self._tell(pending.signal)

    def take_in(self) -> None:
        """Make pending what has arrived."""
        while self.arrived:
            self.queue(self.arrived.popleft())

    def redistribute(self) -> None:
        """A thread has ended, or blocks more than before: what was for it is for another."""
        for pending in self.pending:
            self._tell(pending.signal)

    def _tell(self, signal: int) -> None:
        for state in self.states:
            if state.lets_through(signal):
                state.attention = True
                state.wake()
                return

    def describe_child(self, child: int, status: int) -> None:
        """A child has been waited for: a pending SIGCHLD that does not know its child yet is about this one."""
        self.take_in()
        for pending in self.pending:
            if pending.signal == SIGCHLD and not any(pending.info[16:20]):
                pending.info = child_information(child, 0, status)

    def discard(self, signal: int) -> None:
        """A signal has become ignored: forget it where it is pending."""
        self.take_in()
        for waiting in (self.pending, *(state.pending for state in self.states)):
            waiting[:] = [pending for pending in waiting if pending.signal != signal]

    def reset_for_execve(self) -> list[int]:
        """Handlers go back to the default; what is ignored stays. Gives the signals whose disposition has changed."""
        changed = [number for number, action in enumerate(self.actions) if action.handler > SIG_IGN or action.flags]
        for number in changed:
            action = self.actions[number]
            if action.handler != SIG_IGN:
                action.handler = SIG_DFL
            action.flags = action.restorer = action.mask = 0
        return changed

    def handlers(self) -> Iterator[int]:
        """The signals that the guest handles itself."""
        return (signal for signal, action in enumerate(self.actions) if action.handler > SIG_IGN)


class KeepsMask(Protocol):
    """Where a thread's mask is: with its CPU, whose native code changes it too."""

    signal_mask: int


class _Keeper:
    """With a CPU that does not."""

    signal_mask = 0


class SignalState:
    """The signals of one guest thread. `wake` gets it out of guest code or a blocking call, to look at them."""

    def __init__(self, shared: SharedSignals, wake: Callable[[], None], keeper: KeepsMask | None = None) -> None:
        self.shared, self.wake = shared, wake
        self.actions = shared.actions
        self._keeper = keeper or _Keeper()
        #: The mask to go back to once a handler has run, while a call such as ppoll has put in another one.
        self.mask_to_restore: int | None = None
        #: Signals that end the call that the thread is in, though they are blocked.
        self.awaited = 0
        self.alternate_stack = (0, SS_DISABLE, 0)
        #: Set whenever there may be something to deliver; the run loop looks at nothing else.
        self.attention = False
        #: What is for this thread alone.
        self.pending: list[Pending] = []

    @property
    def mask(self) -> int:
        """The signals that are blocked."""
        return self._keeper.signal_mask

    @mask.setter
    def mask(self, mask: int) -> None:
        self._keeper.signal_mask = mask

    def reset_for_execve(self) -> None:
        """The mask and pending signals stay."""
        self.alternate_stack = (0, SS_DISABLE, 0)

    def forget_pending(self) -> None:
        """The child of a fork starts with nothing pending."""
        self.pending.clear()
        self.shared.pending.clear()
        self.shared.arrived.clear()
        self.attention = False

    def ignores(self, signal: int) -> bool:
        """Whether nothing comes of a signal."""
        action = self.actions[signal]
        ignored = action.handler == SIG_IGN or (action.handler == SIG_DFL and is_ignored_by_default(signal))
        return ignored and not self.mask & bit(signal)

    def ends_process(self, signal: int) -> bool:
        """Whether the default action is taken, and ends the process."""
        by_default = self.actions[signal].handler == SIG_DFL
        return by_default and signal not in STOPPING and not is_ignored_by_default(signal)

    def lets_through(self, signal: int) -> bool:
        """Whether a signal is not blocked, or waited for."""
        return bool((~self.mask | self.awaited) & bit(signal))

    def queue(self, pending: Pending) -> None:
        """Make a signal pending for this thread. Ordinary ones are pending once; real-time ones queue."""
        if self.ignores(pending.signal) or _is_there(self.pending, pending.signal):
            return
        self.pending.append(pending)
        self.attention = True
        if self.lets_through(pending.signal):
            self.wake()

    def pending_mask(self) -> int:
        """The signals that are pending here (the host may hold more)."""
        self.shared.take_in()
        mask = 0
        for pending in (*self.pending, *self.shared.pending):
            mask |= bit(pending.signal)
        return mask

    def deliverable(self, mask: int | None = None) -> Pending | None:
        """The next signal to deliver under a mask, left pending: synchronous ones first, then by number."""
        self.shared.take_in()
        if not self.pending and not self.shared.pending:
            return None
        blocked = self.mask if mask is None else mask
        everything = (*self.pending, *self.shared.pending)
        candidates = [pending for pending in everything if not blocked & bit(pending.signal)]
        if not candidates:
            return None
        return min(candidates, key=lambda pending: (pending.signal not in SYNCHRONOUS, pending.signal))

    def take(self, wanted: int) -> Pending | None:
        """Remove and return the first pending signal of a set (sigtimedwait)."""
        self.shared.take_in()
        for pending in (*self.pending, *self.shared.pending):
            if wanted & bit(pending.signal):
                self.remove(pending)
                return pending
        return None

    def remove(self, pending: Pending) -> None:
        """A signal has been delivered."""
        for waiting in (self.pending, self.shared.pending):
            if any(other is pending for other in waiting):
                waiting[:] = [other for other in waiting if other is not pending]
                return

    def set_mask(self, mask: int) -> None:
        """Change the mask; the host's follows by the caller's hand."""
        mask &= ~_UNBLOCKABLE
        blocks_more = mask & ~self.mask
        self.mask = mask
        self.attention = True
        if blocks_more and self.shared.pending:
            self.shared.redistribute()

    def on_alternate_stack(self, stack_pointer: int) -> bool:
        """Whether the stack pointer lies on the alternate stack."""
        base, flags, size = self.alternate_stack
        return not flags & (SS_DISABLE | SS_AUTODISARM) and base < stack_pointer <= base + size


def _is_there(waiting: list[Pending], signal: int) -> bool:
    """Whether an ordinary signal is pending already."""
    return signal < _REAL_TIME and any(other.signal == signal for other in waiting)
