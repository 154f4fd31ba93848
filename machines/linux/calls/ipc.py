"""Between processes: System V's memory, semaphores and messages (sysvipc(7)); POSIX message queues (mq_overview(7))."""

from __future__ import annotations

import ctypes
import struct
from errno import EFAULT, EINVAL
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, OUT, SIZE, VALUE, out, passthrough, signed32, signed64, syscall
from metaphrase.machines.linux.host import PROT_EXEC, PROT_READ, PROT_WRITE
from metaphrase.machines.linux.memory import PAGE_MASK, page_up

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_IPC_SET, _IPC_STAT, _IPC_INFO = 1, 2, 3
_SHM_RDONLY, _SHM_RND, _SHM_REMAP, _SHM_EXEC = 0o10000, 0o20000, 0o40000, 0o100000
_SHM_STAT, _SHM_INFO, _SHM_STAT_ANY = 13, 14, 15
_GETALL, _SETALL, _SEM_STAT, _SEM_INFO, _SEM_STAT_ANY = 13, 17, 18, 19, 20
_MSG_STAT, _MSG_INFO, _MSG_STAT_ANY = 11, 12, 13
#: Commands that take a pointer.
_SHM_POINTERS = frozenset({_IPC_SET, _IPC_STAT, _IPC_INFO, _SHM_STAT, _SHM_INFO, _SHM_STAT_ANY})
_MSG_POINTERS = frozenset({_IPC_SET, _IPC_STAT, _IPC_INFO, _MSG_STAT, _MSG_INFO, _MSG_STAT_ANY})
_SEM_STATES = frozenset({_IPC_SET, _IPC_STAT, _SEM_STAT, _SEM_STAT_ANY})
_SEM_POINTERS = _SEM_STATES | {_IPC_INFO, _SEM_INFO, _GETALL, _SETALL}
#: struct shmid64_ds, of which struct ipc64_perm is the beginning: its key, and the segment's size behind it.
_SEGMENT = struct.Struct("<i44xQ56x")
_MESSAGES_SIZE = 120
#: struct semid64_ds: x86 has a word behind each of the two times.
_SEMAPHORES, _SEMAPHORES_X86 = struct.Struct("<48sQQ24s"), struct.Struct("<48sQ8xQ8x24s")
_MOST_SEMAPHORES = 1 << 16
_SIGEVENT_SIZE, _SIGEV_THREAD = 64, 2

passthrough("shmget", VALUE, VALUE, VALUE)
passthrough("semget", VALUE, VALUE, VALUE)
passthrough("semop", VALUE, IN, VALUE, blocking=True, restart=False)
passthrough("semtimedop", VALUE, IN, VALUE, IN, blocking=True, restart=False)
passthrough("msgget", VALUE, VALUE)
passthrough("msgsnd", VALUE, IN, SIZE, VALUE, blocking=True, restart=False)
passthrough("mq_open", IN, VALUE, VALUE, IN)
passthrough("mq_unlink", IN)
passthrough("mq_timedsend", VALUE, IN, SIZE, VALUE, IN, blocking=True)
passthrough("mq_timedreceive", VALUE, OUT, SIZE, out(4), IN, blocking=True)
passthrough("mq_getsetattr", VALUE, IN, out(64))


@syscall("shmat")
def shmat(task: Task, identifier: int, address: int, flags: int) -> int:
    """shmat(2)."""
    flags = signed32(flags)
    state = ctypes.create_string_buffer(_SEGMENT.size)
    host.check(host.call(HOST["shmctl"], identifier, _IPC_STAT, ctypes.addressof(state)))
    key, size = _SEGMENT.unpack(state.raw)
    length = page_up(size)
    space = task.process.space
    if address & PAGE_MASK:
        if not flags & _SHM_RND:
            return -EINVAL
        address &= ~PAGE_MASK
    if not address:
        if flags & _SHM_REMAP:
            return -EINVAL
        address = space.place(0, length)
    elif not flags & _SHM_REMAP and task.window.regions.overlapping(address, address + length):
        return -EINVAL
    else:
        address = space.place_fixed(address, length, replace=True)
    protection = PROT_READ | (0 if flags & _SHM_RDONLY else PROT_WRITE) | (PROT_EXEC if flags & _SHM_EXEC else 0)
    name = f"/SYSV{key & 0xFFFF_FFFF:08x} (deleted)"
    task.window.map_segment(address, length, protection, identifier, flags & _SHM_RDONLY, name)
    space.segments[address] = length
    return address


@syscall("shmdt")
def shmdt(task: Task, address: int) -> int:
    """shmdt(2)."""
    length = task.process.space.segments.pop(address, None)
    if length is None:
        return -EINVAL
    task.window.unmap(address, length)
    return 0


@syscall("shmctl")
def shmctl(task: Task, identifier: int, command: int, buffer: int) -> int:
    """shmctl(2)."""
    return _control(task, "shmctl", identifier, command, buffer, _SHM_POINTERS, _SEGMENT.size)


@syscall("msgctl")
def msgctl(task: Task, identifier: int, command: int, buffer: int) -> int:
    """msgctl(2)."""
    return _control(task, "msgctl", identifier, command, buffer, _MSG_POINTERS, _MESSAGES_SIZE)


def _control(
    task: Task, name: str, identifier: int, command: int, buffer: int, pointers: frozenset[int], size: int
) -> int:
    if signed32(command) not in pointers:
        return host.call(HOST[name], identifier, command, 0)
    task.window.will_write(buffer, size)
    return host.call(HOST[name], identifier, command, task.window.host_pointer(buffer))


@syscall("semctl")
def semctl(task: Task, identifier: int, semaphore: int, command: int, argument: int) -> int:
    """semctl(2), whose last argument is a number or a pointer."""
    window, number, command = task.window, HOST["semctl"], signed32(command)
    if command not in _SEM_POINTERS:
        return host.call(number, identifier, semaphore, command, argument)
    if command not in _SEM_STATES or task.abi.name == "x86_64":
        window.will_write(argument, 2 * _MOST_SEMAPHORES)
        return host.call(number, identifier, semaphore, command, window.host_pointer(argument))
    given = window.read(argument, _SEMAPHORES.size)
    state = ctypes.create_string_buffer(_SEMAPHORES_X86.pack(*_SEMAPHORES.unpack(given)), _SEMAPHORES_X86.size)
    result = host.call(number, identifier, semaphore, command, ctypes.addressof(state))
    if result >= 0 and command != _IPC_SET:
        window.write(argument, _SEMAPHORES.pack(*_SEMAPHORES_X86.unpack(state.raw)))
    return result


@syscall("msgrcv", restart=False)
def msgrcv(task: Task, queue: int, message: int, size: int, kind: int, flags: int) -> int:
    """msgrcv(2)."""
    if signed64(size) < 0:
        return -EINVAL
    size = min(size, host.MAX_TRANSFER)
    task.window.will_write(message, 8 + size)
    return task.blocking_call(HOST["msgrcv"], queue, task.window.host_pointer(message), size, kind, flags)


@syscall("mq_notify")
def mq_notify(task: Task, queue: int, event: int) -> int:
    """mq_notify(2), whose structure holds a pointer for one way of telling."""
    if not event:
        return host.call(HOST["mq_notify"], queue, 0)
    data = task.window.read(event, _SIGEVENT_SIZE)
    value, _, how = struct.unpack_from("<Qii", data)
    if how == _SIGEV_THREAD:
        if not 0 < value < task.window.size:
            return -EFAULT
        data = struct.pack("<Q", task.window.host_pointer(value)) + data[8:]
    area, _keep = host.string(data)
    return host.call(HOST["mq_notify"], queue, area)
