"""Sockets: socket(2), send(2), recv(2), and the options that hold no pointers."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from errno import EFAULT, EINVAL, EIO, EMSGSIZE, ENOPROTOOPT
from time import monotonic_ns
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, OUT, SIZE, VALUE, out, passthrough, signed32, syscall
from metaphrase.machines.linux.calls.transfer import host_iovec
from metaphrase.machines.linux.errors import GuestFault

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_ADDRESS_SIZE = 128
MOST_MESSAGES = 1024
"""As many are sent or received by one call at most."""
MSG_DONTWAIT, MSG_WAITFORONE = 0x40, 0x1_0000
TIME = struct.Struct("<qq")
NANOSECONDS = 1_000_000_000
_SOL_SOCKET = 1
#: ATTACH_FILTER and ATTACH_REUSEPORT_CBPF take a structure with a pointer inside.
_REFUSED_OPTIONS = frozenset({26, 51})
#: struct msghdr: name, its length, iovec, count, control, its length, flags.
_MSGHDR = struct.Struct("<QI4xQQQQi4x")

passthrough("socket", VALUE, VALUE, VALUE)
passthrough("socketpair", VALUE, VALUE, VALUE, out(8))
passthrough("bind", VALUE, IN, SIZE)
passthrough("connect", VALUE, IN, SIZE, blocking=True)
passthrough("listen", VALUE, VALUE)
passthrough("accept", VALUE, out(_ADDRESS_SIZE), out(4), blocking=True)
passthrough("accept4", VALUE, out(_ADDRESS_SIZE), out(4), VALUE, blocking=True)
passthrough("getsockname", VALUE, out(_ADDRESS_SIZE), out(4))
passthrough("getpeername", VALUE, out(_ADDRESS_SIZE), out(4))
passthrough("sendto", VALUE, IN, SIZE, VALUE, IN, SIZE, blocking=True)
passthrough("recvfrom", VALUE, OUT, SIZE, VALUE, out(_ADDRESS_SIZE), out(4), blocking=True)
passthrough("shutdown", VALUE, VALUE)
passthrough("getsockopt", VALUE, VALUE, VALUE, out(256), out(4))


@syscall("setsockopt")
def setsockopt(task: Task, socket: int, level: int, option: int, value: int, length: int) -> int:
    """setsockopt(2)."""
    if signed32(level) == _SOL_SOCKET and signed32(option) in _REFUSED_OPTIONS:
        return -ENOPROTOOPT
    return host.call(HOST["setsockopt"], socket, level, option, task.window.host_pointer(value), length)


class _Message:
    """A struct msghdr for the host, made from the guest's."""

    def __init__(self, task: Task, address: int, *, fills: bool) -> None:
        window = task.window
        fields = _MSGHDR.unpack(window.read(address, _MSGHDR.size))
        name, name_length, vector, count, control, control_length, self.flags = fields
        if count > 1024:
            raise OSError(EMSGSIZE, "too many buffers")
        if signed32(name_length) < 0 or control_length > host.MAX_TRANSFER:
            raise OSError(EINVAL, "bad length")
        if fills:
            window.will_write(name, name_length)
            window.will_write(control, control_length)
        host_vector, self._keep = host_iovec(task, vector, count, fills=fills)
        self.buffer = ctypes.create_string_buffer(
            _MSGHDR.pack(
                window.host_pointer(name), name_length, host_vector, count, window.host_pointer(control),
                control_length, self.flags,
            ),
            _MSGHDR.size,
        )  # fmt: skip
        self.address = ctypes.addressof(self.buffer)

    def store(self, task: Task, address: int) -> None:
        """Hand back what the kernel changed: the lengths of name and control data, and the flags."""
        _, name_length, _, _, _, control_length, flags = _MSGHDR.unpack(self.buffer.raw)
        task.window.write_u32(address + 8, name_length)
        task.window.write_u64(address + 40, control_length)
        task.window.write_u32(address + 48, flags)


@syscall("sendmsg")
def sendmsg(task: Task, socket: int, message: int, flags: int) -> int:
    """sendmsg(2)."""
    header = _Message(task, message, fills=False)
    return task.blocking_call(HOST["sendmsg"], socket, header.address, flags)


@syscall("recvmsg")
def recvmsg(task: Task, socket: int, message: int, flags: int) -> int:
    """recvmsg(2)."""
    header = _Message(task, message, fills=True)
    result = task.blocking_call(HOST["recvmsg"], socket, header.address, flags)
    if result >= 0:
        header.store(task, message)
    return result


@syscall("sendmmsg")
def sendmmsg(task: Task, socket: int, messages: int, count: int, flags: int) -> int:
    """sendmmsg(2)."""
    return send_several(task, sendmsg, _MSGHDR.size, socket, messages, count, flags)


@syscall("recvmmsg")
def recvmmsg(task: Task, socket: int, messages: int, count: int, flags: int, timeout: int) -> int:
    """recvmmsg(2)."""
    time = task.window.read(timeout, TIME.size) if timeout else None
    done, left = receive_several(task, recvmsg, _MSGHDR.size, socket, messages, count, flags, time)
    if left is not None:
        task.window.write(timeout, left)
    return done


#: recvmsg(2) or sendmsg(2).
OfOne = Callable[["Task", int, int, int], int]


def send_several(task: Task, send: OfOne, header: int, socket: int, messages: int, count: int, flags: int) -> int:
    """sendmmsg(2) by sending one message after the other, whose struct msghdr has so many bytes."""
    count = min(count & 0xFFFF_FFFF, MOST_MESSAGES)
    if not count:
        return host.call(HOST["sendmmsg"], socket, 0, 0, flags)
    for index in range(count):
        result = _one_of_several(task, send, header, socket, messages, index, flags)
        if result < 0:
            return index or result
    return count


def receive_several(
    task: Task, receive: OfOne, header: int, socket: int, messages: int, count: int, flags: int, time: bytes | None
) -> tuple[int, bytes | None]:
    """The same of recvmmsg(2), after whose timeout, the host's struct timespec, none is received that comes later: its
    result, and what is left of the time."""
    count = min(count & 0xFFFF_FFFF, MOST_MESSAGES)
    if not count:
        return host.call(HOST["recvmmsg"], socket, 0, 0, flags, 0), None
    deadline = None
    if time is not None:
        seconds, nanoseconds = TIME.unpack(time)
        if seconds < 0 or not 0 <= nanoseconds < NANOSECONDS:
            return -EINVAL, None
        deadline = monotonic_ns() + seconds * NANOSECONDS + nanoseconds
    received, left = 0, 0
    while received < count:
        result = _one_of_several(task, receive, header, socket, messages, received, flags & ~MSG_WAITFORONE)
        if result < 0:
            if not received:
                return result, None
            break
        received += 1
        if flags & MSG_WAITFORONE:
            flags |= MSG_DONTWAIT
        if deadline is not None:
            left = max(deadline - monotonic_ns(), 0)
            if not left:
                break
    return received, TIME.pack(*divmod(left, NANOSECONDS)) if deadline is not None else None


def _one_of_several(
    task: Task, call: OfOne, header: int, socket: int, messages: int, index: int, flags: int
) -> int:
    """The message at an index, behind whose struct msghdr its length is put."""
    address = messages + index * (header + task.abi.word)
    try:
        result = call(task, socket, address, flags)
        if result >= 0:
            task.window.write_u32(address + header, result)
    except GuestFault:
        return -EFAULT
    except OSError as error:
        return -(error.errno or EIO)
    return result
