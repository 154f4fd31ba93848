"""Sockets of confined processes: which there are, and whom they reach.

Addresses and control data are copied before they are looked at, since another thread may change what lies in guest
memory. Sockets with a path are found in the guest's tree; abstract names would be the host's, and are refused.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket as host_socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EACCES, EADDRINUSE, EAFNOSUPPORT, EINVAL, EMSGSIZE, ENAMETOOLONG
from typing import TYPE_CHECKING, Any

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.compat.layouts import TIME, TIME_32, TIME_64, Structure
from metaphrase.machines.linux.calls.compat.sockets import narrow_control, room_for_control, wide_control
from metaphrase.machines.linux.calls.sockets import receive_several, send_several
from metaphrase.machines.linux.calls.table import signed32
from metaphrase.machines.linux.calls.transfer import host_iovec
from metaphrase.machines.linux.confinement import overlay
from metaphrase.machines.linux.confinement.declare import confined, of
from metaphrase.machines.linux.confinement.files import AT_FDCWD
from metaphrase.machines.linux.confinement.refusals import PolicyRefusal, refused
from metaphrase.machines.linux.confinement.tree import USED, Walk, by_descriptor
from metaphrase.machines.linux.policy import Reach

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_AF_UNSPEC, _AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 0, 1, 2, 10, 16
_LONGEST_ADDRESS, _LONGEST_UNIX_PATH = 128, 107
_SOL_SOCKET, _SCM_RIGHTS = 1, 1
_LARGEST_CONTROL = 1 << 20
#: struct msghdr by the bytes of a word: name, its length, iovec, count, control, its length, flags. struct cmsghdr.
_MSGHDR = {8: struct.Struct("<QI4xQQQQi4x"), 4: struct.Struct("<7I")}
_CMSGHDR = {8: struct.Struct("<Qii"), 4: struct.Struct("<Iii")}
_FAMILIES = {
    Reach.NONE: (_AF_UNIX,), Reach.LOOPBACK: (_AF_UNIX, _AF_INET, _AF_INET6),
    Reach.ALL: (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK),
}  # fmt: skip


@dataclass
class Address:
    """A socket's address for the host: its bytes, and the walk that it is good for."""

    data: bytes
    walk: Walk | None = None
    keep: list[Any] = field(default_factory=list)

    def __enter__(self) -> tuple[int, int]:
        area = ctypes.create_string_buffer(self.data, max(len(self.data), 1))
        self.keep.append(area)
        return (ctypes.addressof(area) if self.data else 0), len(self.data)

    def __exit__(self, *error: object) -> None:
        if self.walk is not None:
            self.walk.close()


def _address(task: Task, pointer: int, length: int, *, binds: bool = False, connects: bool = False) -> Address:
    """An address that the guest names, if its policy lets it.

    One without a family takes a connection back, and elsewhere is one of IPv4.
    """
    length = signed32(length)
    if not pointer or length == 0:
        return Address(b"")
    if not 0 < length <= _LONGEST_ADDRESS:
        raise refused(EINVAL)
    data = task.window.read(pointer, length)
    family = int.from_bytes(data[:2], "little")
    if family == _AF_UNIX:
        return _unix_address(task, data, binds=binds)
    if family != _AF_UNSPEC or not connects:
        _require_reach(task, family or _AF_INET, data)
    return Address(data)


def _require_reach(task: Task, family: int, data: bytes) -> None:
    """Refuse an address of the network that is too far away."""
    reach = of(task).policy.network
    if reach is Reach.ALL:
        return
    if family not in (_AF_INET, _AF_INET6):
        raise refused(EAFNOSUPPORT)
    raw = data[4:8] if family == _AF_INET else data[8:24]
    if len(raw) in (4, 16):
        number = ipaddress.ip_address(raw)
        mapped = number.ipv4_mapped if isinstance(number, ipaddress.IPv6Address) else None
        if reach is Reach.LOOPBACK and (mapped or number).is_loopback:
            return
        raise PolicyRefusal(EACCES, f"address {number}", f"the network reaches {reach.value}")
    raise refused(EINVAL)


def _unix_address(task: Task, data: bytes, *, binds: bool) -> Address:
    path = data[2:]
    if not path:
        return Address(data)  # a name that the kernel chooses, for bind
    if path.startswith(b"\0"):
        raise PolicyRefusal(EACCES, f"socket {os.fsdecode(path)!r}", "abstract names are the host's")
    path = path.split(b"\0", 1)[0]
    walk = of(task).walk(AT_FDCWD, path, follow=not binds, looks=not binds)
    place = walk.__enter__()
    try:
        if binds:
            if place.status is not None:
                raise refused(EADDRINUSE)
            name = by_descriptor(overlay.folder_for(walk, place)) + b"/" + place.name
        else:
            place.require()
            if not place.is_upper and place.access not in USED:
                raise PolicyRefusal(EACCES, path, "a socket of the host's")
            name = by_descriptor(place.top)
        if len(name) > _LONGEST_UNIX_PATH:
            raise refused(ENAMETOOLONG)
        of(task).socket_names[name] = path
    except BaseException:
        walk.close()
        raise
    return Address(data[:2] + name + b"\0", walk)


@confined("socket")
def socket(task: Task, family: int, kind: int, protocol: int) -> int:
    """socket(2)."""
    confinement = of(task)
    family = signed32(family)
    if family not in _FAMILIES[confinement.policy.network]:
        if family not in _FAMILIES[Reach.ALL]:
            return -EAFNOSUPPORT
        what = host_socket.AddressFamily(family).name
        raise PolicyRefusal(EACCES, what, f"the network reaches {confinement.policy.network.value}")
    if confinement.policy.network is not Reach.ALL and kind & 0xF not in (1, 2, 5) and family != _AF_NETLINK:
        raise PolicyRefusal(EACCES, "raw sockets", f"the network reaches {confinement.policy.network.value}")
    return confinement.descriptors.opened(host.call(HOST["socket"], family, kind, protocol))


@confined("socketpair")
def socketpair(task: Task, family: int, kind: int, protocol: int, pair: int) -> int:
    """socketpair(2)."""
    return make_pair(task, pair, lambda made: host.call(HOST["socketpair"], family, kind, protocol, made))


def make_pair(task: Task, pointer: int, call: Callable[[int], int]) -> int:
    """A call that makes two descriptors, which are kept from the guest's memory until they are its own."""
    made = (ctypes.c_int * 2)()
    result = call(ctypes.addressof(made))
    if result < 0:
        return result
    descriptors = of(task).descriptors
    try:
        descriptors.opened(made[0])
        descriptors.opened(made[1])
        task.window.write(pointer, bytes(made))
    except BaseException:
        for descriptor in made:
            if descriptors.has(descriptor):
                os.close(descriptor)
                descriptors.closed(descriptor)
        raise
    return 0


@confined("bind")
def bind(task: Task, descriptor: int, address: int, length: int) -> int:
    """bind(2)."""
    of(task).descriptors.require(descriptor)
    with _address(task, address, length, binds=True) as (pointer, size):
        return host.call(HOST["bind"], descriptor, pointer, size)


@confined("connect")
def connect(task: Task, descriptor: int, address: int, length: int) -> int:
    """connect(2)."""
    of(task).descriptors.require(descriptor)
    with _address(task, address, length, connects=True) as (pointer, size):
        return task.blocking_call(HOST["connect"], descriptor, pointer, size)


@confined("listen")
def listen(task: Task, descriptor: int, backlog: int) -> int:
    """listen(2). A socket without an address would get one that everybody reaches."""
    number = of(task).descriptors.require(descriptor)
    if of(task).policy.network is not Reach.ALL:
        area, size = ctypes.create_string_buffer(_LONGEST_ADDRESS), ctypes.c_uint32(_LONGEST_ADDRESS)
        host.check(host.call(HOST["getsockname"], number, ctypes.addressof(area), ctypes.addressof(size)))
        family = int.from_bytes(area.raw[:2], "little")
        if family != _AF_UNIX:
            _require_reach(task, family, area.raw[: size.value])
    return host.call(HOST["listen"], descriptor, backlog)


@confined("sendto")
def sendto(task: Task, descriptor: int, data: int, size: int, flags: int, address: int, length: int) -> int:
    """sendto(2)."""
    of(task).descriptors.require(descriptor)
    pointer = task.window.host_pointer(data)
    with _address(task, address, length) as (name, name_size):
        size = min(size, host.MAX_TRANSFER)
        return task.blocking_call(HOST["sendto"], descriptor, pointer, size, flags, name, name_size)


def _name_call(task: Task, number: int, descriptor: int, address: int, length: int) -> int:
    """getsockname(2) and getpeername(2): paths are the guest's."""
    of(task).descriptors.require(descriptor)
    area, size = ctypes.create_string_buffer(_LONGEST_ADDRESS), ctypes.c_uint32(_LONGEST_ADDRESS)
    room = signed32(task.window.read_u32(length))
    if room < 0:
        return -EINVAL
    result = host.call(number, descriptor, ctypes.addressof(area), ctypes.addressof(size))
    if result < 0:
        return result
    found = area.raw[: size.value]
    if int.from_bytes(found[:2], "little") == _AF_UNIX:
        name = found[2:].split(b"\0", 1)[0]
        path = of(task).socket_names.get(name)
        found = found if path is None else found[:2] + path + b"\0"
    if found[:room]:
        task.window.write(address, found[:room])
    task.window.write_u32(length, len(found))
    return result


@confined("getsockname")
def getsockname(task: Task, descriptor: int, address: int, length: int) -> int:
    """getsockname(2)."""
    return _name_call(task, HOST["getsockname"], descriptor, address, length)


@confined("getpeername")
def getpeername(task: Task, descriptor: int, address: int, length: int) -> int:
    """getpeername(2)."""
    return _name_call(task, HOST["getpeername"], descriptor, address, length)


# --- messages ---------------------------------------------------------------------------------------------------------
def _control(data: bytes, word: int) -> Iterator[tuple[int, int, bytes]]:
    """Level, type and data of each entry of control data."""
    head, at = _CMSGHDR[word], 0
    while at + head.size <= len(data):
        length, level, kind = head.unpack_from(data, at)
        if length < head.size or at + length > len(data):
            break
        yield level, kind, data[at + head.size : at + length]
        at += length + word - 1 & -word


def _packed(entries: Iterator[tuple[int, int, bytes]], word: int) -> bytes:
    head, packed = _CMSGHDR[word], bytearray()
    for level, kind, data in entries:
        packed += head.pack(head.size + len(data), level, kind) + data + bytes(-len(data) % word)
    return bytes(packed)


def _descriptors_in(control: bytes, word: int = 8) -> Iterator[int]:
    """The descriptors that control data pass on."""
    for level, kind, data in _control(control, word):
        if (level, kind) == (_SOL_SOCKET, _SCM_RIGHTS):
            yield from (number for (number,) in struct.iter_unpack("<i", data[: len(data) & ~3]))


def _send(task: Task, descriptor: int, message: int, flags: int) -> int:
    window, word, descriptors = task.window, task.abi.word, of(task).descriptors
    layout = _MSGHDR[word]
    name, name_length, vector, count, control, control_length, _ = layout.unpack(window.read(message, layout.size))
    if count > 1024:
        return -EMSGSIZE
    if control_length > _LARGEST_CONTROL:
        return -EINVAL
    passed = b""
    if control and control_length:
        if word == 8:
            passed = _packed(_control(window.read(control, control_length), word), 8)
        else:
            passed = wide_control(window, control, control_length)
        for number in _descriptors_in(passed):
            descriptors.require(number)
    area = ctypes.create_string_buffer(passed, max(len(passed), 1))
    host_vector, _keep = host_iovec(task, vector, count, fills=False)
    with _address(task, name, name_length) as (name_pointer, name_size):
        header, _keep_too = host.string(
            _MSGHDR[8].pack(name_pointer, name_size, host_vector, count,
                            ctypes.addressof(area) if passed else 0, len(passed), 0)
        )  # fmt: skip
        return task.blocking_call(HOST["sendmsg"], descriptor, header, flags)


@confined("sendmsg")
@confined("sendmsg", compat=True)
def sendmsg(task: Task, descriptor: int, message: int, flags: int) -> int:
    """sendmsg(2)."""
    of(task).descriptors.require(descriptor)
    return _send(task, descriptor, message, flags)


@confined("sendmmsg")
@confined("sendmmsg", compat=True)
def sendmmsg(task: Task, descriptor: int, messages: int, count: int, flags: int) -> int:
    """sendmmsg(2)."""
    of(task).descriptors.require(descriptor)
    header = _MSGHDR[task.abi.word].size
    return send_several(task, _send, header, descriptor, messages, count, flags)


@confined("recvmsg")
@confined("recvmsg", compat=True)
def recvmsg(task: Task, descriptor: int, message: int, flags: int) -> int:
    """recvmsg(2). Descriptors that come with it are the guest's."""
    confinement, window, word = of(task), task.window, task.abi.word
    confinement.descriptors.require(descriptor)
    layout = _MSGHDR[word]
    name, name_length, vector, count, control, control_length, _ = layout.unpack(window.read(message, layout.size))
    if count > 1024:
        return -EMSGSIZE
    if signed32(name_length) < 0:
        return -EINVAL
    room = min(control_length, _LARGEST_CONTROL) if control else 0
    area = ctypes.create_string_buffer(max(room if word == 8 else room_for_control(room), 1))
    address = ctypes.create_string_buffer(_LONGEST_ADDRESS)
    host_vector, _keep = host_iovec(task, vector, count, fills=True)
    header = ctypes.create_string_buffer(
        _MSGHDR[8].pack(
            ctypes.addressof(address) if name else 0, min(name_length, _LONGEST_ADDRESS), host_vector, count,
            ctypes.addressof(area) if room else 0, len(area) if room else 0, 0,
        ),
        _MSGHDR[8].size,
    )  # fmt: skip
    result = task.blocking_call(HOST["recvmsg"], descriptor, ctypes.addressof(header), flags)
    if result < 0:
        return result
    _, found_name, _, _, _, length, told = _MSGHDR[8].unpack(header.raw)
    received = packed = area.raw[:length]
    if word == 4:
        packed, truncated = narrow_control(received, room)
        told |= truncated
    for number in _descriptors_in(packed, word):
        with suppress(OSError):  # one too many is closed, and of no use
            confinement.descriptors.opened(number)
    if name and found_name:
        window.write(name, address.raw[: min(found_name, name_length)])
    if packed:
        window.write(control, packed)
    fields = name, found_name if name else name_length, vector, count, control, len(packed), told
    window.write(message, layout.pack(*fields[:-1], told if word == 8 else told & 0xFFFF_FFFF))
    return result


def _receives_several(name: str, layout: Structure, *, compat: bool) -> None:
    @confined(name, compat=compat)
    def receive(task: Task, descriptor: int, messages: int, count: int, flags: int, timeout: int) -> int:
        of(task).descriptors.require(descriptor)
        header = _MSGHDR[task.abi.word].size
        time = layout.read(task, timeout) if timeout else None
        done, left = receive_several(task, recvmsg, header, descriptor, messages, count, flags, time)
        if left is not None:
            layout.write(task, timeout, left)
        return done


_receives_several("recvmmsg", TIME, compat=False)
_receives_several("recvmmsg", TIME_32, compat=True)
_receives_several("recvmmsg_time64", TIME_64, compat=True)
