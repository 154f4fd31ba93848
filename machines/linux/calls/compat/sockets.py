"""Sockets: socketcall(2), messages, and options that are times."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EINVAL, EMSGSIZE
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls import sockets
from metaphrase.machines.linux.calls.compat.layouts import TIME_32, TIME_64, Structure, host_area
from metaphrase.machines.linux.calls.table import find_call, signed32, syscall
from metaphrase.machines.linux.calls.transfer import host_iovec

if TYPE_CHECKING:
    from metaphrase.machines.linux.memory import Window
    from metaphrase.machines.linux.task import Task

#: struct msghdr: name, its length, iovec, count, control, its length, flags.
_MSGHDR, _HOST_MSGHDR = struct.Struct("<7I"), struct.Struct("<QI4xQQQQi4x")
#: struct cmsghdr: length with this head, level, type; data begin at multiples of a word.
_CMSGHDR, _HOST_CMSGHDR = struct.Struct("<Iii"), struct.Struct("<Qii")
_SOL_SOCKET, _SO_RCVTIMEO, _SO_SNDTIMEO = 1, 20, 21
_MSG_CTRUNC = 8
#: SCM_TIMESTAMP, SCM_TIMESTAMPNS, SCM_TIMESTAMPING, as programs with 32 bits of seconds ask for them.
_SCM_RIGHTS, _SCM_TIMES = 1, (29, 35, 37)
_DESCRIPTORS = struct.Struct("<i")
_LARGEST_CONTROL = 1 << 16
#: socketcall's calls in order from 1, and how many arguments each has in memory.
_CALLS = (
    ("socket", 3), ("bind", 3), ("connect", 3), ("listen", 2), ("accept", 3), ("getsockname", 3), ("getpeername", 3),
    ("socketpair", 4), ("send", 4), ("recv", 4), ("sendto", 6), ("recvfrom", 6), ("shutdown", 2), ("setsockopt", 5),
    ("getsockopt", 5), ("sendmsg", 3), ("recvmsg", 3), ("accept4", 4), ("recvmmsg", 5), ("sendmmsg", 4),
)  # fmt: skip
_WITHOUT_ADDRESS = {"send": "sendto", "recv": "recvfrom"}


@syscall("socketcall", compat=True)
def socketcall(task: Task, call: int, arguments: int) -> int | None:
    """socketcall(2): all others by a number, with their arguments in memory."""
    found = call_of(task, call, arguments)
    if found is None:
        return -EINVAL
    name, values = found
    declared = find_call(name, compat=True)
    return declared.handler(task, *values) if declared is not None else -EINVAL


def call_of(task: Task, call: int, arguments: int) -> tuple[str, tuple[int, ...]] | None:
    """The call that a number of socketcall's stands for, and its arguments."""
    if not 1 <= call <= len(_CALLS):
        return None
    name, count = _CALLS[call - 1]
    values = struct.unpack(f"<{count}I", task.window.read(arguments, 4 * count))
    if name in _WITHOUT_ADDRESS:
        name, values = _WITHOUT_ADDRESS[name], (*values, 0, 0)
    return name, values


@syscall("setsockopt", compat=True)
def setsockopt(task: Task, socket: int, level: int, option: int, value: int, length: int) -> int:
    """setsockopt(2); timeouts have the guest's layout."""
    if signed32(level) == _SOL_SOCKET and option in (_SO_RCVTIMEO, _SO_SNDTIMEO) and length == TIME_32.guest.size:
        area, _keep = host_area(TIME_32.read(task, value))
        return host.call(HOST["setsockopt"], socket, level, option, area, TIME_32.host.size)
    return sockets.setsockopt(task, socket, level, option, value, length)


@syscall("getsockopt", compat=True)
def getsockopt(task: Task, socket: int, level: int, option: int, value: int, length: int) -> int:
    """getsockopt(2)."""
    window = task.window
    if signed32(level) == _SOL_SOCKET and option in (_SO_RCVTIMEO, _SO_SNDTIMEO):
        area = ctypes.create_string_buffer(TIME_32.host.size)
        size = ctypes.c_uint32(len(area))
        result = host.call(
            HOST["getsockopt"], socket, level, option, ctypes.addressof(area), ctypes.addressof(size)
        )
        if result >= 0:
            TIME_32.write(task, value, area.raw)
            window.write_u32(length, TIME_32.guest.size)
        return result
    window.will_write(value, 256)
    pointers = window.host_pointer(value), window.host_pointer(length)
    return host.call(HOST["getsockopt"], socket, level, option, *pointers)


def wide_control(window: Window, address: int, length: int) -> bytes:
    """A message's control data for the host, from the guest's; entries whose lengths are not right are EINVAL."""
    if not address or length < _CMSGHDR.size:
        raise OSError(EINVAL, "too short")
    data, packed, at = window.read(address, length), bytearray(), 0
    while at < length:
        size, level, kind = _CMSGHDR.unpack_from(data.ljust(at + _CMSGHDR.size, b"\0"), at)
        if not _CMSGHDR.size <= size <= length - at:
            raise OSError(EINVAL, "bad length")
        body = data[at + _CMSGHDR.size : at + size]
        packed += _HOST_CMSGHDR.pack(_HOST_CMSGHDR.size + len(body), level, kind) + body + bytes(-len(body) % 8)
        at += size + 3 & ~3
    return bytes(packed)


def room_for_control(length: int) -> int:
    """How much room the host needs for all that fits into so many bytes of the guest's."""
    return 2 * length + _HOST_CMSGHDR.size if length else 0


def narrow_control(data: bytes, room: int) -> tuple[bytes, int]:
    """What of the host's control data is stored for the guest, and MSG_CTRUNC if that is not all.

    Of descriptors those that find no room are closed; all else is cut off.
    """
    packed, truncated, at = bytearray(), 0, 0
    while at + _HOST_CMSGHDR.size <= len(data):
        length, level, kind = _HOST_CMSGHDR.unpack_from(data, at)
        body = _narrow_body(level, kind, data[at + _HOST_CMSGHDR.size : at + length])
        at += length + 7 & ~7
        fits = max(room - len(packed) - _CMSGHDR.size, 0)
        if (level, kind) == (_SOL_SOCKET, _SCM_RIGHTS):
            fits &= ~3
            for descriptor in _DESCRIPTORS.iter_unpack(body[fits:]):
                os.close(*descriptor)
        if len(body) > fits or room - len(packed) < _CMSGHDR.size:
            truncated = _MSG_CTRUNC
        body = body[:fits]
        if body:
            entry = _CMSGHDR.pack(_CMSGHDR.size + len(body), level, kind) + body
            packed += (entry + bytes(-len(entry) % 4))[: room - len(packed)]
    return bytes(packed), truncated


def _narrow_body(level: int, kind: int, body: bytes) -> bytes:
    """The data of an entry; times have words."""
    if level != _SOL_SOCKET or kind not in _SCM_TIMES:
        return body
    times = TIME_32.host.iter_unpack(body[: len(body) // TIME_32.host.size * TIME_32.host.size])
    return b"".join(TIME_32.guest.pack(*time) for time in times)


class _Message:
    """A struct msghdr for the host, made from the guest's."""

    def __init__(self, task: Task, address: int, *, fills: bool) -> None:
        window = task.window
        fields = _MSGHDR.unpack(window.read(address, _MSGHDR.size))
        name, name_length, vector, count, self.control, self.control_length, flags = fields
        if count > 1024:
            raise OSError(EMSGSIZE, "too many buffers")
        if signed32(name_length) < 0 or self.control_length > _LARGEST_CONTROL:
            raise OSError(EINVAL, "bad length")
        if fills:
            window.will_write(name, name_length)
            control = bytes(room_for_control(self.control_length) if self.control else 0)
        else:
            control = wide_control(window, self.control, self.control_length) if self.control_length else b""
        host_vector, self._keep = host_iovec(task, vector, count, fills=fills)
        self.area = ctypes.create_string_buffer(control, max(len(control), 1))
        self.buffer = ctypes.create_string_buffer(
            _HOST_MSGHDR.pack(
                window.host_pointer(name), name_length, host_vector, count,
                ctypes.addressof(self.area) if control else 0, len(control), signed32(flags),
            ),
            _HOST_MSGHDR.size,
        )  # fmt: skip
        self.address = ctypes.addressof(self.buffer)

    def store(self, task: Task, address: int) -> None:
        """Hand back what the kernel changed: the length of the name, control data and flags."""
        _, name_length, _, _, _, length, flags = _HOST_MSGHDR.unpack(self.buffer.raw)
        packed, truncated = narrow_control(self.area.raw[:length], self.control_length)
        flags |= truncated
        window = task.window
        if packed:
            window.write(self.control, packed)
        window.write_u32(address + 4, name_length)
        window.write_u32(address + 20, len(packed))
        window.write_u32(address + 24, flags)


@syscall("sendmsg", compat=True)
def sendmsg(task: Task, socket: int, message: int, flags: int) -> int:
    """sendmsg(2)."""
    header = _Message(task, message, fills=False)
    return task.blocking_call(HOST["sendmsg"], socket, header.address, flags)


@syscall("recvmsg", compat=True)
def recvmsg(task: Task, socket: int, message: int, flags: int) -> int:
    """recvmsg(2)."""
    header = _Message(task, message, fills=True)
    result = task.blocking_call(HOST["recvmsg"], socket, header.address, flags)
    if result >= 0:
        header.store(task, message)
    return result


@syscall("sendmmsg", compat=True)
def sendmmsg(task: Task, socket: int, messages: int, count: int, flags: int) -> int:
    """sendmmsg(2)."""
    return sockets.send_several(task, sendmsg, _MSGHDR.size, socket, messages, count, flags)


def _receives_several(name: str, layout: Structure) -> None:
    @syscall(name, compat=True)
    def receive(task: Task, socket: int, messages: int, count: int, flags: int, timeout: int) -> int:
        time = layout.read(task, timeout) if timeout else None
        done, left = sockets.receive_several(task, recvmsg, _MSGHDR.size, socket, messages, count, flags, time)
        if left is not None:
            layout.write(task, timeout, left)
        return done


_receives_several("recvmmsg", TIME_32)
_receives_several("recvmmsg_time64", TIME_64)
