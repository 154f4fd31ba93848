"""Keeping the host's signals in step with the guest's, and getting theirs to the run loop.

The host's disposition of a signal is the guest's: default, ignored, or handled, by a Python handler that makes it
pending in the guest. The host's mask is the guest's too, so that blocking calls, sigwait and
signalfd mean what they say.

A Python handler runs between bytecodes only, and while guest code runs there are none. So a thread waits on Python's
wake-up descriptor; it interrupts the CPU, and when the signal came just before a blocking call, the call.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from signal import SIGCHLD, SIGINT, SIGKILL, SIGPIPE, SIGRTMAX, SIGSTOP, SIGXFSZ
from types import FrameType
from typing import Any

from metaphrase.machines.linux import host
from metaphrase.machines.linux.cpu import Cpu
from metaphrase.machines.linux.signals import (
    SIG_DFL,
    SIG_IGN,
    SYNCHRONOUS,
    Action,
    Pending,
    SignalState,
    bit,
    information,
)

#: Sent to the main thread to end a blocking call. The guest keeps all others.
_NUDGE = SIGRTMAX - 1
#: glibc keeps these two for itself and refuses them.
_RESERVED = frozenset({32, 33})
_NEVER_BLOCKED = sum(bit(number) for number in SYNCHRONOUS) | bit(_NUDGE)
_EVERYTHING = (1 << 64) - 1 & ~_NEVER_BLOCKED


class HostSignals:
    """The host's side of a guest's signals. Does nothing outside the main thread, where Python has no handlers."""

    def __init__(self, state: SignalState, cpu: Cpu) -> None:
        self._state = state
        self._cpu = cpu
        self._active = False
        self._is_child = False
        self._saved: dict[int, Any] = {}
        self._saved_mask = 0
        self._saved_wakeup = -1
        self._wake_write = self._wake_read = -1
        #: Odd while the main thread is in a blocking call.
        self.call_sequence = 0

    @property
    def is_active(self) -> bool:
        """Whether the host's signals are in step with the guest's."""
        return self._active

    def start(self, *, again: bool = False) -> None:
        """Take over the host's signals for a run; what the caller ignores, the guest ignores.

        `again` goes on with a guest that was stopped, whose mask and dispositions stay.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        self._active = True
        self._saved_mask = host.signal_mask()
        if again:
            self.apply_mask(self._state.mask)
        else:
            self._state.mask = self._saved_mask
            self._inherit_ignored()
        self._install(SIGINT, self._receive)
        self._install(SIGPIPE, signal.SIG_DFL)
        self._install(SIGXFSZ, signal.SIG_DFL)
        self._install(_NUDGE, _nothing)
        self._start_watcher()
        if again:
            for number, action in enumerate(self._state.actions):
                if action.handler != SIG_DFL:
                    self.follow(number, action)

    def _inherit_ignored(self) -> None:
        """What this process ignores, the guest ignores."""
        for number in range(1, SIGRTMAX + 1):
            # Python ignores these two for its own convenience.
            if number in (SIGPIPE, SIGXFSZ) or not self._is_ours(number):
                continue
            if signal.getsignal(number) is signal.SIG_IGN:
                self._state.actions[number].handler = SIG_IGN

    def stop(self) -> None:
        """Give the host's signals back."""
        if not self._active:
            return
        self._active = False
        signal.set_wakeup_fd(self._saved_wakeup)
        host.set_signal_mask(self._saved_mask)
        for number, handler in self._saved.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._saved.clear()
        host.close_private(self._wake_write)
        self._wake_write = -1

    def follow(self, number: int, action: Action) -> None:
        """The guest's disposition of a signal has changed."""
        if not self._active or not self._is_ours(number):
            return
        if action.handler == SIG_IGN:
            self._install(number, signal.SIG_IGN)
        elif action.handler == SIG_DFL:
            # Interrupting the first process ends the run, not the host's process; a forked child really dies.
            ends_run = number == SIGINT and not self._is_child
            self._install(number, self._receive if ends_run else signal.SIG_DFL)
        else:
            self._install(number, self._receive)

    @staticmethod
    def host_mask(mask: int) -> int:
        """The guest's mask without the signals that this machine needs."""
        return mask & ~_NEVER_BLOCKED

    def apply_mask(self, mask: int) -> None:
        """Make the host's mask of this thread the guest's."""
        if self._active:
            host.set_signal_mask(self.host_mask(mask))

    def fork(self) -> int:
        """fork(2) with no signal lost to the wrong process: the result of os.fork."""
        before = host.signal_mask()
        host.set_signal_mask(_EVERYTHING)
        try:
            child = os.fork()
            if child == 0:
                self._state.forget_pending()
                self._after_fork()
            return child
        finally:
            host.set_signal_mask(before)

    def _after_fork(self) -> None:
        self._is_child = True
        self.call_sequence = 0
        if not self._active:
            return
        self.follow(SIGINT, self._state.actions[SIGINT])
        for descriptor in (self._wake_read, self._wake_write):
            if descriptor >= 0:
                host.close_private(descriptor)
        self._wake_read = self._wake_write = -1
        if any(self._is_ours(number) for number in self._state.handlers()):
            self._start_watcher()
        else:
            signal.set_wakeup_fd(-1)

    @staticmethod
    def _is_ours(number: int) -> bool:
        return number not in SYNCHRONOUS and number not in (SIGKILL, SIGSTOP) and number not in _RESERVED

    def _install(self, number: int, handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
        previous = signal.signal(number, handler)
        self._saved.setdefault(number, previous)
        if handler == self._receive and self._wake_write < 0 and self._is_child:
            self._start_watcher()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """The Python-level handler: make the signal pending in the guest."""
        self._state.queue(Pending(number, _child_information() if number == SIGCHLD else information(number, 0)))

    def _start_watcher(self) -> None:
        read_end, write_end = os.pipe()
        self._wake_read, self._wake_write = host.private_descriptor(read_end), host.private_descriptor(write_end)
        os.set_blocking(self._wake_write, False)
        previous = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        if not self._is_child:
            self._saved_wakeup = previous
        before = host.signal_mask()
        host.set_signal_mask(_EVERYTHING)
        try:
            # The thread inherits the mask: signals are for the main thread.
            threading.Thread(
                target=self._watch, args=(self._wake_read,), name="metaphrase-signals", daemon=True
            ).start()
        finally:
            host.set_signal_mask(before)

    def _watch(self, wake_read: int) -> None:
        main = threading.main_thread().ident
        while received := os.read(wake_read, 256):
            if set(received) == {_NUDGE}:
                continue
            self._cpu.interrupt()
            # Should the signal have come between the last look at pending ones and the entry into a blocking call,
            # the call does not know of it. Nudge it until it has ended.
            sequence, delay = self.call_sequence, 0.001
            while sequence & 1 and self.call_sequence == sequence and main is not None and delay < 1:
                time.sleep(delay)
                if self.call_sequence == sequence:
                    signal.pthread_kill(main, _NUDGE)
                delay *= 2
        host.close_private(wake_read)


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
