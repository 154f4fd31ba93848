"""A thread of a guest process: its CPU, its signals, and the loop that answers what the CPU asks of the kernel.

Guest code runs without the process's lock, in parallel with other threads; all that is answered here happens under it,
but for host calls that may block.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EFAULT, EINTR, EIO
from typing import TYPE_CHECKING

from metaphrase.machines.linux import delivery, faults, host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.cpu import AnswersCalls, Cpu, HasSiblings
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.machines.linux.signals import SA_RESTART, SIG_IGN, SignalState

if TYPE_CHECKING:
    from metaphrase.machines.linux.abi.base import Abi
    from metaphrase.machines.linux.memory import Window
    from metaphrase.machines.linux.process import LinuxProcess


#: Calls of sockets that may have a timeout: which option has it (SO_RCVTIMEO, SO_SNDTIMEO).
_SOCKET_TIMEOUTS = {
    HOST[name]: option
    for names, option in (
        ("read readv recvfrom recvmsg accept accept4", 20), ("write writev sendto sendmsg connect", 21),
    )
    for name in names.split()
}  # fmt: skip
_SOL_SOCKET = 1


def _has_timeout(descriptor: int, option: int) -> bool:
    """Whether a descriptor is of a socket that has a timeout."""
    time, size = (ctypes.c_int64 * 2)(), ctypes.c_uint32(16)
    result = host.call(
        HOST["getsockopt"], descriptor, _SOL_SOCKET, option, ctypes.addressof(time), ctypes.addressof(size)
    )
    return result == 0 and any(time)


class Task:
    """What the kernel knows of one thread; handlers of system calls are given it."""

    def __init__(self, process: LinuxProcess, cpu: Cpu, number: int) -> None:
        self.process: LinuxProcess = process
        self.cpu = cpu
        #: The same, if it can have others beside it.
        self.siblings = cpu if isinstance(cpu, HasSiblings) else None
        self.window: Window = process.window
        self.abi: Abi = process.abi
        #: The thread's id, which is the host's for the thread that runs it.
        self.number = number
        self._answering = cpu if isinstance(cpu, AnswersCalls) else None
        self.signals = SignalState(process.signals, self.wake, self._answering)
        self.name = b""
        self.clear_child_tid = 0
        #: Where the list of robust futexes that it holds begins; 0 if there is none.
        self.robust_list = 0
        #: It has called exit, with this code, or was told to end; others may go on.
        self.ended = False
        self.exit_code = 0
        #: Odd while it is in a blocking call that was made here.
        self._calls = 0
        #: The call that a signal has interrupted waits for so long only, and is not made again.
        self.in_time = False
        #: The host's thread that runs it.
        self.thread = 0

    def goes_on(self) -> bool:
        """Whether there is anything left to run."""
        return self.process.exit_status is None and not self.ended

    def step(self) -> None:
        """Run to the next event and answer it."""
        event = self.cpu.run()
        kind = event.kind
        with self.process.lock:
            if not self.goes_on():
                return
            if kind in ("syscall", "interrupted"):
                self._answer_syscall(interrupted=kind == "interrupted")
            elif kind in ("fault", "trap"):
                faults.raise_signal(self, event)
            if self.signals.attention:
                delivery.deliver_pending(self)
            if self._answering is not None:
                self._answering.free_mask(self._mask_is_free())

    def _mask_is_free(self) -> bool:
        """Whether the guest may change its signal mask, and the host's, without anything else to be done."""
        signals, shared = self.signals, self.process.signals
        waits = signals.pending or shared.pending or shared.arrived or signals.mask_to_restore is not None
        return not waits and len(self.process.tasks) == 1 and self.process.host_signals.masks_are_the_guests

    @property
    def call_sequence(self) -> int:
        """Odd while it is in a blocking call; another number for each of them."""
        return self._calls + (self._answering.call_sequence() if self._answering is not None else 0)

    def wake(self) -> None:
        """Have the thread look at its signals, and whether it is to go on; called with the lock held."""
        if self.thread != threading.get_ident():
            self.cpu.interrupt()
            if self.call_sequence & 1:
                self.process.host_signals.nudge(self)

    def blocking_call(self, number: int, *arguments: int) -> int:
        """A host system call that may block; a signal for this thread ends it with -EINTR. Others go on meanwhile."""
        lock, answering = self.process.lock, self._answering
        wanted = answering.begin_call() if answering is not None else False
        self._calls += 1
        result = -EINTR
        try:
            if not self.process.signals.arrived:  # who noticed one may have looked at the sequence just before
                lock.release()
                try:
                    make = host.blocking_call if answering is None else answering.interruptible_call
                    result = make(number, *arguments)
                finally:
                    lock.acquire()
        finally:
            self._calls += 1
            if answering is not None:
                answering.end_call(wanted)
        if result == -EINTR and arguments:
            self._note_timeout(number, arguments[0])
        return result

    def _note_timeout(self, number: int, descriptor: int) -> None:
        """A signal has ended a call of the host's, which may be about a socket that has a timeout."""
        if number in _SOCKET_TIMEOUTS:
            self.in_time = _has_timeout(descriptor, _SOCKET_TIMEOUTS[number])

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """The same for a longer stretch."""
        lock = self.process.lock
        self._calls += 1
        lock.release()
        try:
            yield
        finally:
            lock.acquire()
            self._calls += 1

    def set_signal_mask(self, mask: int) -> None:
        """Change the thread's signal mask, and the host's with it."""
        self.signals.set_mask(mask)
        self.process.host_signals.apply_mask(self.signals.mask)

    def _answer_syscall(self, *, interrupted: bool) -> None:
        """Answer the call that registers tell, or see to it that a signal has ended it."""
        cpu, counter = self.cpu, self.abi.program_counter
        if not interrupted and self.signals.attention and self.signals.deliverable() is not None:
            # It came just before the call, which might wait for ever otherwise.
            cpu.set(counter, cpu.get(counter) - self.abi.syscall_length)
            return
        number = cpu.get(self.abi.number_register)
        self.in_time = False
        answer, restarts = self.process.call(number)
        result: int | None = -EINTR
        if interrupted:
            self._note_timeout(HOST[self.abi.numbers[number]], cpu.get(self.abi.argument_registers[0]))
        else:
            try:
                result = answer(self, cpu.get)
            except GuestFault:
                result = -EFAULT
            except OSError as error:
                result = -(error.errno or EIO)
        if result == -EINTR and self._starts_again(restarts):
            # Registers are still as they were: the same call is made once more.
            cpu.set(counter, cpu.get(counter) - self.abi.syscall_length)
        elif result is not None:
            cpu.set(self.abi.result_register, result)

    def _starts_again(self, restarts: bool) -> bool:
        """Whether an interrupted call is repeated: after SA_RESTART handlers, or when no handler runs at all."""
        signals = self.signals
        pending = signals.deliverable()
        if pending is not None and signals.ends_process(pending.signal):
            return False  # under the mask that lets it through
        if pending is None or signals.actions[pending.signal].handler <= SIG_IGN:
            if signals.mask_to_restore is not None:
                mask, signals.mask_to_restore = signals.mask_to_restore, None
                self.set_signal_mask(mask)
            return True
        return bool(signals.actions[pending.signal].flags & SA_RESTART) and restarts and not self.in_time
