"""Keeping the host's signals in step with the guest's, and getting theirs to the run loop.

The host's disposition of a signal is the guest's: default, ignored, or handled, by a Python handler that makes it
pending in the guest. The host's mask is the guest's too, so that blocking calls, sigwait and
signalfd mean what they say.

A Python handler runs between bytecodes of the main thread only, and while guest code runs there are none. A CPU that
notes arrivals (`cpu.NotesArrivals`) leaves guest code by itself then, and a call that it waits in, or is about to. With
several threads the signal may come to another one than the first; and other CPUs do not come back by themselves. For
them a thread, the watcher, waits on Python's wake-up descriptor and interrupts the first guest thread's CPU, or its
call. It also sees to it that calls of other threads end which were told to.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import threading
from collections import deque
from signal import SIGCHLD, SIGINT, SIGKILL, SIGPIPE, SIGRTMAX, SIGSTOP, SIGXFSZ
from types import FrameType
from typing import TYPE_CHECKING, Any

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.cpu import NotesArrivals
from metaphrase.machines.linux.signals import (
    HARMLESS,
    SA_NOCLDSTOP,
    SA_NOCLDWAIT,
    SA_SIGINFO,
    SIG_DFL,
    SIG_IGN,
    STOPPING,
    SYNCHRONOUS,
    Action,
    Pending,
    bit,
    information,
)

if TYPE_CHECKING:
    from metaphrase.machines.linux.process import LinuxProcess
    from metaphrase.machines.linux.task import Task

#: The kernel's struct sigaction: handler, flags, restorer, mask.
_HOST_ACTION = struct.Struct("<4Q")
_OF_CHILDREN = SA_NOCLDSTOP | SA_NOCLDWAIT
#: Their default action ends the process.
_ENDING = frozenset(range(1, SIGRTMAX + 1)) - HARMLESS - STOPPING - SYNCHRONOUS
#: Sent to a thread to end a blocking call. The guest keeps all others.
_NUDGE = SIGRTMAX - 1
#: How the kernel's struct sigaction begins: handler, flags.
_ACTION = struct.Struct("<QQ")
#: glibc keeps these two for itself and refuses them.
_RESERVED = frozenset({32, 33})
#: What the guest may block and the host does not.
NEVER_BLOCKED = sum(bit(number) for number in SYNCHRONOUS) | bit(_NUDGE)
EVERYTHING = (1 << 64) - 1 & ~NEVER_BLOCKED
#: What `_install` is told beside SIG_DFL and SIG_IGN.
_RECEIVE = -1
_FIRST_DELAY, _LONGEST_DELAY = 0.001, 0.1


def _follow_children(flags: int) -> None:
    """SIGCHLD is not sent for children that stop, and they do not wait to be asked after, if the guest says so."""
    handler, present, restorer, mask = _HOST_ACTION.unpack(host.signal_action(SIGCHLD))
    wanted = present & ~_OF_CHILDREN | flags & _OF_CHILDREN
    if wanted != present:
        host.signal_action(SIGCHLD, _HOST_ACTION.pack(handler, wanted, restorer, mask))


class HostSignals:
    """The host's side of a guest's signals. Does nothing outside the main thread, where Python has no handlers."""

    def __init__(self, process: LinuxProcess) -> None:
        self._process = process
        self._shared = process.signals
        self._active = False
        self._is_child = False
        #: By signal that was touched, what the host had for it.
        self._saved: dict[int, bytes] = {}
        self._saved_mask = 0
        self._saved_wakeup = -1
        self._saved_nudge: Any = None
        self._wake_write = self._wake_read = -1
        #: Threads that are to leave a blocking call, and which of their calls that is.
        self._nudged: deque[tuple[Task, int]] = deque()
        #: Of signals for which Python was asked to call `_receive`: how the host has it do so, and what Python had
        #: before. Only the main thread can ask, and any may want it.
        self._armed: dict[int, tuple[bytes, Any]] = {}
        #: Signals that have come are held until they are delivered, or a fast timer would leave time for nothing else:
        #: only while there is one thread, which is the one to unblock them.
        cpu = process.main.cpu
        self._arrivals = cpu.arrivals() if isinstance(cpu, NotesArrivals) else None

    @property
    def is_active(self) -> bool:
        """Whether the host's signals are in step with the guest's."""
        return self._active

    @property
    def masks_are_the_guests(self) -> bool:
        """Whether the host blocks for a thread just what the guest does, but for NEVER_BLOCKED."""
        return self._active and not self._held()

    def start(self, *, again: bool = False) -> None:
        """Take over the host's signals for a run; what the caller ignores, the guest ignores.

        `again` goes on with a guest that was stopped, whose mask and dispositions stay.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        self._active = True
        self._hold(True)
        self._saved_mask = host.signal_mask()
        if again:
            self.apply_mask(self._process.main.signals.mask)
        else:
            self._process.main.signals.mask = self._saved_mask
            self._inherit_ignored()
        self._install(SIGINT, _RECEIVE)
        self._install(SIGPIPE, SIG_DFL)
        self._install(SIGXFSZ, SIG_DFL)
        if not again:
            for number in filter(self._ends_run, range(1, SIGRTMAX + 1)):
                self.follow(number, self._shared.actions[number])
        self._saved_nudge = signal.signal(_NUDGE, _nothing)
        if self._arrivals is not None:
            host.signal_action(_NUDGE, _with_handler(host.signal_action(_NUDGE), self._arrivals.nudge))
        if again:
            for number, action in enumerate(self._shared.actions):
                if action.handler != SIG_DFL:
                    self.follow(number, action)

    def _inherit_ignored(self) -> None:
        """What this process ignores, the guest ignores."""
        for number in range(1, SIGRTMAX + 1):
            # Python ignores these two for its own convenience.
            if number in (SIGPIPE, SIGXFSZ) or not self._is_ours(number):
                continue
            if signal.getsignal(number) is signal.SIG_IGN:
                self._shared.actions[number].handler = SIG_IGN

    def prepare_for_threads(self) -> None:
        """The guest is about to have more than one thread; called by the only one."""
        self._hold(False)
        self.apply_mask(self._process.main.signals.mask)
        before = host.signal_mask()
        host.set_signal_mask(EVERYTHING)
        try:
            for number in filter(self._is_ours, range(1, SIGRTMAX + 1)):
                if number not in self._armed:
                    now = host.signal_action(number)
                    self._arm(number)
                    host.signal_action(number, now)
        finally:
            host.set_signal_mask(before)
        if self._wake_write < 0:  # only this thread could start it later
            self._start_watcher()

    def stop(self) -> None:
        """Give the host's signals back."""
        if not self._active:
            return
        self._active = False
        self._hold(False)
        if self._wake_write >= 0:
            signal.set_wakeup_fd(self._saved_wakeup)
            host.close_private(self._wake_write)
            self._wake_write = -1
        host.set_signal_mask(self._saved_mask)
        for number, (_, handler) in self._armed.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        for number, action in self._saved.items():
            host.signal_action(number, action)
        signal.signal(_NUDGE, self._saved_nudge if self._saved_nudge is not None else signal.SIG_DFL)
        self._armed.clear()
        self._saved.clear()

    def follow(self, number: int, action: Action) -> None:
        """The guest's disposition of a signal has changed."""
        if not self._active or not self._is_ours(number):
            return
        if action.handler == SIG_IGN:
            self._install(number, SIG_IGN)
        elif action.handler == SIG_DFL:
            self._install(number, _RECEIVE if self._ends_run(number) else SIG_DFL)
        else:
            self._install(number, _RECEIVE)
        if number == SIGCHLD:
            _follow_children(action.flags)

    def _ends_run(self, number: int) -> bool:
        """Whether the default action of a signal ends the first process's run, not the host's process.

        Interrupting does, and so does everything if there is something to be taken down; a forked child really dies.
        """
        takes_down = self._process.confinement is not None and number in _ENDING
        return (number == SIGINT or takes_down) and not self._is_child

    @staticmethod
    def host_mask(mask: int) -> int:
        """The guest's mask without the signals that this machine needs."""
        return mask & ~NEVER_BLOCKED

    def apply_mask(self, mask: int) -> None:
        """Make the host's mask of this thread the guest's."""
        if self._active:
            host.set_signal_mask(self.host_mask(mask) | self._held())

    def taken(self, task: Task, number: int) -> None:
        """A signal has been delivered or forgotten: the next one may come."""
        if self._arrivals is not None and self._held() & bit(number):
            self._arrivals.release(number)
            self.apply_mask(task.signals.mask)

    def begin_program(self) -> None:
        """Another program takes the process's place, in its first thread."""
        self._hold(self._active)
        self.apply_mask(self._process.main.signals.mask)

    def _held(self) -> int:
        return self._arrivals.held() if self._arrivals is not None else 0

    def _hold(self, holds: bool) -> None:
        if self._arrivals is not None:
            self._arrivals.hold(holds)

    def _noting(self, action: bytes) -> bytes:
        """An action of the host's, with what notes a signal before it."""
        if self._arrivals is None:
            return action
        self._arrivals.begin(_ACTION.unpack_from(action)[0])
        return _with_handler(action, self._arrivals.handler)

    def nudge(self, task: Task) -> None:
        """Have a thread leave the blocking call that it is in, or about to enter."""
        if self._active:
            self._nudge(task)
            self._nudge_until_it_ends(task)

    def _nudge_until_it_ends(self, task: Task) -> None:
        """Have the watcher see to it that the call ends that a thread is in or about to enter."""
        if self._wake_write < 0:
            return
        self._nudged.append((task, task.call_sequence))
        with contextlib.suppress(BlockingIOError):  # there is so much news that it will look anyway
            os.write(self._wake_write, bytes(1))

    @staticmethod
    def _nudge(task: Task) -> None:
        host.call(HOST["tgkill"], os.getpid(), task.number, _NUDGE)  # it may be gone

    def fork(self, task: Task) -> int:
        """fork(2) with no signal lost to the wrong process: the result of os.fork, for the thread that calls it."""
        before = host.signal_mask()
        host.set_signal_mask(EVERYTHING)
        try:
            child = os.fork()
            if child == 0:
                task.signals.forget_pending()
                before = before & ~self._held() | self.host_mask(task.signals.mask)
                if self._arrivals is not None:
                    self._arrivals.take()
                self._hold(self._active)
                self._after_fork()
            return child
        finally:
            host.set_signal_mask(before)

    def _after_fork(self) -> None:
        self._is_child = True
        self._nudged.clear()
        if not self._active:
            return
        for number in range(1, SIGRTMAX + 1):
            if number == SIGINT or (self._process.confinement is not None and number in _ENDING):
                self.follow(number, self._shared.actions[number])
        for descriptor in (self._wake_read, self._wake_write):
            if descriptor >= 0:
                host.close_private(descriptor)
        self._wake_read = self._wake_write = -1
        signal.set_wakeup_fd(-1)
        if self._arrivals is None and any(map(self._is_ours, self._shared.handlers())):
            self._start_watcher()

    @staticmethod
    def _is_ours(number: int) -> bool:
        return number not in SYNCHRONOUS and number not in (SIGKILL, SIGSTOP, _NUDGE) and number not in _RESERVED

    def _install(self, number: int, action: int) -> None:
        """Have the host ignore a signal, do what it does by default, or have it come to `_receive`."""
        if action != _RECEIVE:
            self._saved.setdefault(number, host.signal_action(number, _HOST_ACTION.pack(action, 0, 0, 0)))
            return
        if number in self._armed:
            host.signal_action(number, self._armed[number][0])
        else:
            self._arm(number)
        if self._arrivals is None and self._wake_write < 0:
            self._start_watcher()

    def _arm(self, number: int) -> None:
        """Have a signal come to `_receive`, and remember how the host does that."""
        self._saved.setdefault(number, host.signal_action(number))
        before = signal.signal(number, self._receive)
        action = self._noting(host.signal_action(number))
        host.signal_action(number, action)
        self._armed[number] = action, before

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """The Python-level handler: it may not wait for the process's lock, and leaves the signal for who has it."""
        if self._arrivals is None:
            info = _child_information() if number == SIGCHLD else information(number, 0)
            self._shared.arrived.append(Pending(number, info))
        else:  # Python calls this once for several of a kind
            for info in self._arrivals.take():
                self._shared.arrived.append(Pending(int.from_bytes(info[:4], "little"), info))
        main = self._process.main
        main.signals.attention = True
        main.cpu.interrupt()
        if main.call_sequence & 1:  # perhaps not in its call yet, when the watcher has looked already
            self._nudge_until_it_ends(main)

    def _start_watcher(self) -> None:
        read_end, write_end = os.pipe()
        self._wake_read, self._wake_write = host.private_descriptor(read_end), host.private_descriptor(write_end)
        os.set_blocking(self._wake_write, False)
        previous = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        if not self._is_child:
            self._saved_wakeup = previous
        before = host.signal_mask()
        host.set_signal_mask(EVERYTHING)
        try:
            # The thread inherits the mask: signals are for the main thread.
            threading.Thread(
                target=self._watch, args=(self._wake_read,), name="metaphrase-signals", daemon=True
            ).start()
        finally:
            host.set_signal_mask(before)

    def _watch(self, wake_read: int) -> None:
        news = select.poll()
        news.register(wake_read, select.POLLIN)
        delay = _FIRST_DELAY
        while True:
            if news.poll(1000 * delay if self._nudged else None):
                received = set(os.read(wake_read, 256))
                if not received:
                    break
                delay = _FIRST_DELAY
                main = self._process.main
                if not received <= {0, _NUDGE}:
                    main.cpu.interrupt()
                    if main.call_sequence & 1:
                        self._nudged.append((main, main.call_sequence))
                continue
            # Should the signal, or a nudge, have come between the last look at pending ones and the entry into a
            # blocking call, the call does not know of it. Nudge it until it has ended.
            for _ in range(len(self._nudged)):
                task, sequence = self._nudged.popleft()
                if task.call_sequence == sequence:
                    self._nudge(task)
                    self._nudged.append((task, sequence))
            delay = min(2 * delay, _LONGEST_DELAY)
        host.close_private(wake_read)


def _with_handler(action: bytes, handler: int) -> bytes:
    """An action of the host's with another handler, of three arguments."""
    return _ACTION.pack(handler, _ACTION.unpack_from(action)[1] | SA_SIGINFO) + action[_ACTION.size :]


def _nothing(number: int, frame: FrameType | None) -> None:
    """The nudge has done its work by interrupting a call."""


def _child_information() -> bytes:
    """What SIGCHLD tells, from a look at which child can be waited for."""
    try:
        child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        child = None
    if child is None:
        return information(SIGCHLD, 0)
    return information(SIGCHLD, child.si_code, child.si_pid | child.si_uid << 32, child.si_status)
