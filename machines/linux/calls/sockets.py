"""Sockets: socket(2), send(2), recv(2), and the options that hold no pointers."""

from __future__ import annotations

import ctypes
import struct
from errno import EINVAL, EMSGSIZE, ENOPROTOOPT
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, OUT, SIZE, VALUE, out, passthrough, signed32, syscall
from metaphrase.machines.linux.calls.transfer import host_iovec
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_ADDRESS_SIZE = 128
_MMSGHDR_SIZE = 64
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
passthrough("sendto", VALUE, IN, SIZE, VALUE, IN, SIZE, blocking=True, way=Way.SEND)
passthrough("recvfrom", VALUE, OUT, SIZE, VALUE, out(_ADDRESS_SIZE), out(4), blocking=True, way=Way.RECEIVE)
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
    sent = 0
    for index in range(min(count & 0xFFFF_FFFF, 1024)):
        address = messages + index * _MMSGHDR_SIZE
        result = sendmsg(task, socket, address, flags)
        if result < 0:
            return sent or result
        task.window.write_u32(address + _MSGHDR.size, result)
        sent += 1
    return sent
