"""Descriptors of confined processes: close(2), dup2(2), fcntl(2), ioctl(2), pipe(2)."""

from __future__ import annotations

import os
import struct
from errno import EBADF, EFAULT, EINVAL, EPERM, ESRCH
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls import descriptors as calls
from metaphrase.machines.linux.calls.compat import files as compat_files
from metaphrase.machines.linux.calls.table import Handler, signed32
from metaphrase.machines.linux.confinement.declare import confined, of
from metaphrase.machines.linux.confinement.refusals import PolicyRefusal
from metaphrase.machines.linux.confinement.sockets import make_pair

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_F_DUPFD, _F_DUPFD_CLOEXEC, _F_SETOWN, _F_SETOWN_EX = 0, 1030, 8, 15
_F_OWNER_TID, _F_OWNER_PID = 0, 1
_CLOSE_RANGE_CLOEXEC = 4
_TIOCGPTPEER, _TIOCSPGRP, _TIOCSCTTY = 0x5441, 0x5410, 0x540E
_FICLONE, _FICLONERANGE = 0x4004_9409, 0x4020_940D
#: Make up a terminal's input, or change what the kernel does with it: TIOCSTI, TIOCSETD.
_CHANGES_TERMINAL = frozenset({0x5412, 0x5423})
#: What others notice who use the same file: F_SETLEASE, F_NOTIFY, F_SET_RW_HINT, F_SET_FILE_RW_HINT.
_NOTICED = frozenset({1024, 1026, 1036, 1038})
#: Change a file that may be open for reading only: FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR.
_CHANGES_FILE = frozenset({0x4008_6602, 0x401C_5820})


@confined("close")
def close(task: Task, descriptor: int) -> int:
    """close(2)."""
    descriptors = of(task).descriptors
    number = descriptors.require(descriptor)
    descriptors.closed(number)
    return host.call(HOST["close"], number)


@confined("close_range")
def close_range(task: Task, first: int, last: int, flags: int) -> int:
    """close_range(2)."""
    descriptors = of(task).descriptors
    before = descriptors.guests_in(first & 0xFFFF_FFFF, last & 0xFFFF_FFFF)
    result = calls.close_range(task, first, last, flags)
    if result == 0 and not flags & _CLOSE_RANGE_CLOEXEC:
        for number in before:
            descriptors.closed(number)
    return result


def _duplicate(task: Task, old: int, new: int, *, close_on_exec: bool) -> int:
    """dup2(2) onto another number: one that is not the guest's may be taken only if nobody has it."""
    descriptors = of(task).descriptors
    source, target = descriptors.require(old), signed32(new)
    if target < 0:
        return -EBADF
    if descriptors.has(target):
        result = host.call(HOST["dup3"], source, target, os.O_CLOEXEC if close_on_exec else 0)
        return descriptors.opened(result)
    # In one step, since the host may open something meanwhile.
    result = host.call(HOST["fcntl"], source, _F_DUPFD_CLOEXEC if close_on_exec else _F_DUPFD, target)
    if result == -EINVAL:
        return -EBADF  # beyond the limit
    if result >= 0 and result != target:
        os.close(result)
        return -EBADF
    return descriptors.opened(result)


@confined("dup2")
def dup2(task: Task, old: int, new: int) -> int:
    """dup2(2)."""
    if signed32(old) == signed32(new):
        return of(task).descriptors.require(old)
    return _duplicate(task, old, new, close_on_exec=False)


@confined("dup3")
def dup3(task: Task, old: int, new: int, flags: int) -> int:
    """dup3(2)."""
    if signed32(old) == signed32(new) or flags & 0xFFFF_FFFF & ~os.O_CLOEXEC:
        return -EINVAL
    return _duplicate(task, old, new, close_on_exec=bool(flags & os.O_CLOEXEC))


@confined("pipe")
def pipe(task: Task, pair: int) -> int:
    """pipe(2)."""
    return make_pair(task, pair, lambda made: host.call(HOST["pipe2"], made, 0))


@confined("pipe2")
def pipe2(task: Task, pair: int, flags: int) -> int:
    """pipe2(2)."""
    return make_pair(task, pair, lambda made: host.call(HOST["pipe2"], made, flags))


def _control(original: Handler, task: Task, descriptor: int, command: int, argument: int) -> int | None:
    """fcntl(2). Signals that descriptors cause go to the guest's own processes."""
    confinement = of(task)
    number, command = confinement.descriptors.require(descriptor), signed32(command)
    if command in _NOTICED:
        raise PolicyRefusal(EPERM, f"fcntl {command}", "others notice it")
    if command == _F_SETOWN:
        _require_owner(task, signed32(argument))
    if command == _F_SETOWN_EX:
        if not argument:
            return -EFAULT
        data = task.window.read(argument, 8)
        kind, owner = struct.unpack("<ii", data)
        _require_owner(task, owner if kind in (_F_OWNER_TID, _F_OWNER_PID) else -owner)
        area, _keep = host.string(data)
        return host.call(HOST["fcntl"], number, command, area)
    result = original(task, descriptor, command, argument)
    if command in (_F_DUPFD, _F_DUPFD_CLOEXEC) and result is not None:
        confinement.descriptors.opened(result)
    return result


def _require_owner(task: Task, owner: int) -> None:
    if owner < 0:
        raise PolicyRefusal(ESRCH, f"process group {-owner}", "signals reach the guest's own processes")
    of(task).require_process(task, owner)


@confined("fcntl")
def fcntl(task: Task, descriptor: int, command: int, argument: int) -> int | None:
    """fcntl(2)."""
    return _control(calls.fcntl, task, descriptor, command, argument)


@confined("fcntl", "fcntl64", compat=True)
def fcntl_32(task: Task, descriptor: int, command: int, argument: int) -> int | None:
    """fcntl(2), of words of 32 bits."""
    return _control(compat_files.fcntl, task, descriptor, command, argument)


@confined("ioctl")
def ioctl(task: Task, descriptor: int, request: int, argument: int) -> int:
    """ioctl(2)."""
    descriptors = of(task).descriptors
    number, request = descriptors.require(descriptor), request & 0xFFFF_FFFF
    if request in _CHANGES_TERMINAL or (request == _TIOCSCTTY and argument):
        raise PolicyRefusal(EPERM, f"ioctl {request:#x}", "the terminal is the host's")
    if request == _TIOCSPGRP:
        group = task.window.read_u32(argument)
        if group not in (os.getpgrp(), of(task).first_group) and not of(task).family.has(group):
            raise PolicyRefusal(EPERM, f"process group {group}", "it is none of the guest's")
        area, _keep = host.string(group.to_bytes(4, "little"))
        return task.blocking_call(HOST["ioctl"], number, request, area)
    if request in _CHANGES_FILE:
        raise PolicyRefusal(EPERM, f"ioctl {request:#x}", "attributes of files stay as they are")
    if request == _FICLONE:
        descriptors.require(argument)
    if request == _FICLONERANGE:
        data = task.window.read(argument, 32)
        descriptors.require(int.from_bytes(data[:8], "little"))
        area, _keep = host.string(data)
        return task.blocking_call(HOST["ioctl"], number, request, area)
    result = calls.ioctl(task, number, request, argument)
    return descriptors.opened(result) if request == _TIOCGPTPEER else result
