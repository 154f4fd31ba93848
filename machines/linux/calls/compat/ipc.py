"""Between processes: ipc(2), which is all of System V's calls by a number, and structures of 32-bit words.

Sources: include/uapi/asm-generic/ipcbuf.h, and arch/x86/include/asm/compat.h beside it. Structures are those that
IPC_64 asks for, as all programs do; older ones are EINVAL.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from errno import EINVAL, ENOSYS
from typing import TYPE_CHECKING, NamedTuple

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls import ipc
from metaphrase.machines.linux.calls.compat.layouts import (
    NUMBER,
    POINTER,
    TIME_32,
    TIME_64,
    Fields,
    Structure,
    converted,
    given,
    host_area,
    signed_word,
    taken,
)
from metaphrase.machines.linux.calls.table import signed32, syscall

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_LOW = 0xFFFF_FFFF
_IPC_64 = 0x100
_IPC_SET, _IPC_STAT, _IPC_INFO = 1, 2, 3
#: struct ipc64_perm: key, user and group, those that made it, mode, sequence number.
_PERMISSIONS, _HOST_PERMISSIONS = "iIIIIH2xH10x", "iIIIIIH22x"
_PERMISSION_FIELDS = 7


def _split(*times: int) -> tuple[int, ...]:
    """Times, which the guest has the upper halves of somewhere behind the lower ones."""
    return tuple(half for time in times for half in (time & _LOW, time >> 32 & _LOW))


def _structure(guest: str, own: str, to_guest: Callable[[Fields], Fields]) -> Structure:
    def narrow(fields: Fields) -> Fields:
        return (*fields[:_PERMISSION_FIELDS], *to_guest(fields[_PERMISSION_FIELDS:]))

    return Structure(
        struct.Struct(f"<{_PERMISSIONS}{guest}"), struct.Struct(f"<{_HOST_PERMISSIONS}{own}"), narrow
    )  # fmt: skip


class _Kind(NamedTuple):
    """What one of the three kinds of objects has: its call, the structure that tells of it, what IPC_SET takes of that,
    and structures by the commands that tell of all objects."""

    call: str
    state: Structure
    setting: Structure
    #: Commands that tell of one object.
    tells: frozenset[int]
    information: dict[int, Structure]


def _clamped(fields: Fields) -> Fields:
    return tuple(min(field, 0x7FFF_FFFF) for field in fields)


_SHM = _Kind(
    "shmctl",
    _structure("I6IiiI8x", "Q3qiiQ16x", lambda f: (f[0] & _LOW, *_split(*f[1:4]), *f[4:6], f[6] & _LOW)),
    Structure(struct.Struct(f"<{_PERMISSIONS}48x"), struct.Struct(f"<{_HOST_PERMISSIONS}64x")),
    frozenset({_IPC_STAT, 13, 15}),  # and SHM_STAT, SHM_STAT_ANY
    {
        _IPC_INFO: Structure(struct.Struct("<5I16x"), struct.Struct("<5Q32x"), _clamped),
        14: Structure(struct.Struct("<i5I"), struct.Struct("<i4x5Q"), lambda f: (f[0], *(n & _LOW for n in f[1:]))),
    },
)
_SEM = _Kind(
    "semctl",
    _structure("5I8x", "q8xq8xQ16x", lambda f: (*_split(*f[:2]), f[2] & _LOW)),
    Structure(struct.Struct(f"<{_PERMISSIONS}28x"), struct.Struct(f"<{_HOST_PERMISSIONS}56x")),
    frozenset({_IPC_STAT, 18, 20}),  # and SEM_STAT, SEM_STAT_ANY
    {},
)
_MSG = _Kind(
    "msgctl",
    _structure("6I3Iii8x", "3q3Qii16x", lambda f: (*_split(*f[:3]), *(n & _LOW for n in f[3:6]), *f[6:])),
    Structure(struct.Struct(f"<{_PERMISSIONS}32xI16x"), struct.Struct(f"<{_HOST_PERMISSIONS}40xQ24x")),
    frozenset({_IPC_STAT, 11, 13}),  # and MSG_STAT, MSG_STAT_ANY
    {command: Structure(struct.Struct("<8i"), struct.Struct("<8i")) for command in (_IPC_INFO, 12)},  # and MSG_INFO
)


def _control(task: Task, kind: _Kind, identifier: int, command: int, pointer: int, *, semaphore: int = 0) -> int:
    """shmctl(2) and its like for an object, by a command whose structure is the one of IPC_64."""

    def call(area: int) -> int:
        if kind is _SEM:
            return host.call(HOST[kind.call], identifier, semaphore, command, area)
        return host.call(HOST[kind.call], identifier, command, area)

    structure = kind.state if command in kind.tells else kind.information.get(command)
    if command == _IPC_SET:
        area, _keep = host_area(kind.setting.read(task, pointer))
        return call(area)
    if structure is None:
        return call(0)
    buffer = ctypes.create_string_buffer(structure.host.size)
    result = call(ctypes.addressof(buffer))
    if result >= 0:
        structure.write(task, pointer, buffer.raw)
    return result


@syscall("shmctl", compat=True)
def shmctl(task: Task, identifier: int, command: int, pointer: int) -> int:
    """shmctl(2)."""
    return _control(task, _SHM, identifier, signed32(command), pointer)


@syscall("msgctl", compat=True)
def msgctl(task: Task, identifier: int, command: int, pointer: int) -> int:
    """msgctl(2)."""
    return _control(task, _MSG, identifier, signed32(command), pointer)


@syscall("semctl", compat=True)
def semctl(task: Task, identifier: int, semaphore: int, command: int, argument: int) -> int:
    """semctl(2). Values and what tells of all sets are laid out as the host has them."""
    command = signed32(command)
    if command == _IPC_SET or command in _SEM.tells:
        return _control(task, _SEM, identifier, command, argument, semaphore=semaphore)
    return ipc.semctl(task, identifier, semaphore, command, argument)


# --- messages ---------------------------------------------------------------------------------------------------------
_TYPE, _HOST_TYPE = struct.Struct("<i"), struct.Struct("<q")
_INFORMATION = struct.Struct("<8xi20x")
"""struct msginfo, of which the size of the largest message is taken."""


def _largest_message() -> int:
    area = ctypes.create_string_buffer(_INFORMATION.size)
    host.check(host.call(HOST["msgctl"], 0, _IPC_INFO, ctypes.addressof(area)))
    largest: int
    (largest,) = _INFORMATION.unpack(area.raw)
    return largest


@syscall("msgsnd", restart=False, compat=True)
def msgsnd(task: Task, queue: int, message: int, size: int, flags: int) -> int:
    """msgsnd(2)."""
    window, size = task.window, signed_word(size)
    kind = window.read(message, _TYPE.size)
    if not 0 <= size <= _largest_message():
        return -EINVAL
    text = window.read(message + _TYPE.size, size)
    area, _keep = host_area(_HOST_TYPE.pack(*_TYPE.unpack(kind)) + text)
    return task.blocking_call(HOST["msgsnd"], queue, area, size, flags)


@syscall("msgrcv", restart=False, compat=True)
def msgrcv(task: Task, queue: int, message: int, size: int, kind: int, flags: int) -> int:
    """msgrcv(2)."""
    size = signed_word(size)
    if size < 0:
        return -EINVAL
    buffer = ctypes.create_string_buffer(_HOST_TYPE.size + min(size, _largest_message()))
    room = len(buffer) - _HOST_TYPE.size
    result = task.blocking_call(HOST["msgrcv"], queue, ctypes.addressof(buffer), room, signed_word(kind), flags)
    if result >= 0:
        (got,) = _HOST_TYPE.unpack_from(buffer)
        task.window.write(message, _TYPE.pack(got) + buffer.raw[_HOST_TYPE.size :][:result])
    return result


# --- ipc --------------------------------------------------------------------------------------------------------------
_SEMOP, _SEMGET, _SEMCTL, _SEMTIMEDOP, _MSGSND, _MSGRCV, _MSGGET, _MSGCTL = 1, 2, 3, 4, 11, 12, 13, 14
_SHMAT, _SHMDT, _SHMGET, _SHMCTL = 21, 22, 23, 24


def _semtimedop(task: Task, identifier: int, operations: int, count: int, timeout: int) -> int:
    time, _keep = host_area(TIME_32.read(task, timeout)) if timeout else (0, None)
    pointer = task.window.host_pointer(operations)
    return task.blocking_call(HOST["semtimedop"], identifier, pointer, count, time)


@syscall("ipc", restart=False, compat=True)
def multiplexed(task: Task, call: int, first: int, second: int, third: int, pointer: int, fifth: int) -> int:
    """ipc(2)."""
    version, call = call >> 16, call & 0xFFFF
    if call in (_SHMCTL, _MSGCTL):
        handler = shmctl if call == _SHMCTL else msgctl
        return handler(task, first, second & ~_IPC_64, pointer) if second & _IPC_64 else -EINVAL
    if call == _SEMCTL:
        if not pointer or not third & _IPC_64:
            return -EINVAL
        return semctl(task, first, second, third & ~_IPC_64, task.window.read_u32(pointer))
    if call == _MSGRCV and not version:
        # A structure holds the pointer and the type.
        pointer, fifth = struct.unpack("<II", task.window.read(pointer, 8))
    if call == _SHMAT:
        return _attach(task, first, pointer, second, third) if version != 1 else -EINVAL
    if call in (_SEMOP, _SEMTIMEDOP):
        return _semtimedop(task, first, pointer, second, fifth if call == _SEMTIMEDOP else 0)
    if call in (_SEMGET, _SHMGET):
        return host.call(HOST["semget" if call == _SEMGET else "shmget"], first, second, third)
    if call == _MSGSND:
        return msgsnd(task, first, pointer, second, third)
    if call == _MSGRCV:
        return msgrcv(task, first, pointer, second, fifth, third)
    if call == _MSGGET:
        return host.call(HOST["msgget"], first, second)
    if call == _SHMDT:
        return ipc.shmdt(task, pointer)
    return -ENOSYS


def _attach(task: Task, identifier: int, address: int, flags: int, result: int) -> int:
    place = ipc.shmat(task, identifier, address, flags)
    if place < 0:
        return place
    task.window.write_u32(result, place)
    return 0


converted(
    "semtimedop_time64", NUMBER, POINTER, NUMBER, taken(TIME_64), to="semtimedop", blocking=True, restart=False
)

# --- POSIX message queues ---------------------------------------------------------------------------------------------
_ATTRIBUTES = Structure(struct.Struct("<4i16x"), struct.Struct("<4q32x"))
"""struct mq_attr."""
#: struct sigevent: value, signal, how it is told, thread or pointer.
_EVENT, _HOST_EVENT, _SIGEV_THREAD = struct.Struct("<Iiii48x"), struct.Struct("<Qiii44x"), 2

converted("mq_open", POINTER, NUMBER, NUMBER, taken(_ATTRIBUTES))
converted("mq_getsetattr", NUMBER, taken(_ATTRIBUTES), given(_ATTRIBUTES))
converted("mq_timedsend", NUMBER, POINTER, NUMBER, NUMBER, taken(TIME_32), blocking=True)
converted("mq_timedsend_time64", NUMBER, POINTER, NUMBER, NUMBER, taken(TIME_64), to="mq_timedsend", blocking=True)


def _receives(name: str, layout: Structure) -> None:
    @syscall(name, compat=True)
    def receive(task: Task, queue: int, message: int, size: int, priority: int, timeout: int) -> int:
        window = task.window
        time, _keep = host_area(layout.read(task, timeout)) if timeout else (0, None)
        window.will_write(message, size)
        window.will_write(priority, 4)
        pointers = window.host_pointer(message), min(size, host.MAX_TRANSFER), window.host_pointer(priority)
        return task.blocking_call(HOST["mq_timedreceive"], queue, *pointers, time)


_receives("mq_timedreceive", TIME_32)
_receives("mq_timedreceive_time64", TIME_64)


@syscall("mq_notify", compat=True)
def mq_notify(task: Task, queue: int, event: int) -> int:
    """mq_notify(2), whose structure holds a pointer for one way of telling."""
    if not event:
        return host.call(HOST["mq_notify"], queue, 0)
    value, signal, how, thread = _EVENT.unpack(task.window.read(event, _EVENT.size))
    if how == _SIGEV_THREAD:
        value = task.window.host_pointer(value)
    area, _keep = host_area(_HOST_EVENT.pack(value, signal, how, thread))
    return host.call(HOST["mq_notify"], queue, area)
