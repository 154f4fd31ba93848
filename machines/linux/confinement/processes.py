"""The processes of a confined guest: how many there are, and that signals reach no others.

Each has a file in the scratch folder, whose name is its id; it holds when the process began, so that an id that is used
again is not taken for it.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

_CLOSED = b"closed"
_START_TIME = 19
"""Where proc_pid_stat(5) has it, counted from the state, which follows the name."""
_ROUNDS, _PAUSE = 200, 0.005


class Family:
    """A guest's processes. `limit` is how many there may be at once."""

    def __init__(self, folder: bytes, limit: int | None) -> None:
        self._folder, self._limit = folder, limit
        for name in os.listdir(folder):  # of an earlier run, where the folder was kept
            os.unlink(folder + b"/" + name)
        self.enter(self._mark(), os.getpid())

    def has(self, process: int) -> bool:
        """Whether an id is that of a process of the guest's."""
        if process == os.getpid():
            return True
        try:
            with open(self._folder + b"/%d" % process, "rb") as file:
                began = file.read()
        except OSError:
            return False
        return bool(began) and began == _start_time(process)

    def reserve(self) -> bytes | None:
        """Room for one more process: a mark to be handed on; None if there is none."""
        if os.path.exists(self._folder + b"/" + _CLOSED) or self._is_full(self._limit):
            return None
        mark = self._mark()
        if self._limit is not None and self._is_full(self._limit + 1):  # others were as quick
            self.give_back(mark)
            return None
        return mark

    def _mark(self) -> bytes:
        mark = self._folder + b"/new-%d-%d" % (time.monotonic_ns(), os.getpid())
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        return mark

    def _is_full(self, limit: int | None) -> bool:
        return limit is not None and len(os.listdir(self._folder)) >= limit and len(self._alive()) >= limit

    @staticmethod
    def give_back(mark: bytes) -> None:
        """The room is not needed."""
        with suppress(FileNotFoundError):
            os.unlink(mark)

    def enter(self, mark: bytes, process: int) -> None:
        """A process begins in the room of a mark, which becomes its file; itself and its parent both see to that."""
        began = _start_time(process)
        with suppress(FileNotFoundError):  # the other was quicker
            if began is None:
                os.unlink(mark)
                return
            descriptor = os.open(mark, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, began)
            finally:
                os.close(descriptor)
            os.rename(mark, self._folder + b"/%d" % process)

    def leave(self) -> None:
        """This process is about to end."""
        with suppress(FileNotFoundError):
            os.unlink(self._folder + b"/%d" % os.getpid())

    def members(self) -> list[int]:
        """The ids of all others that run."""
        found = [int(name) for name in os.listdir(self._folder) if name.isdigit()]
        return [process for process in found if process != os.getpid() and self.has(process)]

    def _alive(self) -> list[bytes]:
        """Names of processes and marks; what killed processes left is removed."""
        names = [name for name in os.listdir(self._folder) if name != _CLOSED]
        for name in list(names):
            # A mark's name ends with the id of the process that made it.
            if not self.has(int(name.rpartition(b"-")[2])):
                names.remove(name)
                self.give_back(self._folder + b"/" + name)
        return names

    def end(self) -> None:
        """The first process has ended, and all others end with it; no new ones can begin."""
        os.close(os.open(self._folder + b"/" + _CLOSED, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        for _ in range(_ROUNDS):
            if self._alive() == [b"%d" % os.getpid()]:
                return
            for process in self.members():
                _kill(process, self)
            time.sleep(_PAUSE)


def _kill(process: int, family: Family) -> None:
    try:
        handle = os.pidfd_open(process)
    except OSError:
        return
    try:
        if family.has(process):  # the handle is of this process, not of one that has its id by now
            with suppress(OSError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def _start_time(process: int) -> bytes | None:
    """When a process began; None if it has ended."""
    try:
        with open(b"/proc/%d/stat" % process, "rb") as file:
            words = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return words[_START_TIME] if words and words[0] not in (b"Z", b"X") else None
