"""File descriptors: close(2), dup(2), fcntl(2), ioctl(2), pipe(2), and the descriptors that are no files."""

from __future__ import annotations

import ctypes
import struct
from errno import EBADF, EFAULT, EINVAL, ENOTTY
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, PATH, VALUE, in_native_code, out, passthrough, signed32, syscall
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

passthrough("dup", VALUE)
passthrough("pipe", out(8))
passthrough("pipe2", out(8), VALUE)
passthrough("flock", VALUE, VALUE, blocking=True)
passthrough("eventfd", VALUE)
passthrough("eventfd2", VALUE, VALUE)
passthrough("memfd_create", IN, VALUE)
passthrough("signalfd4", VALUE, IN, VALUE, VALUE)
passthrough("signalfd", VALUE, IN, VALUE)
passthrough("timerfd_create", VALUE, VALUE)
passthrough("timerfd_settime", VALUE, VALUE, IN, out(32))
passthrough("timerfd_gettime", VALUE, out(32))
passthrough("inotify_init")
passthrough("inotify_init1", VALUE)
passthrough("inotify_add_watch", VALUE, PATH, VALUE)
passthrough("inotify_rm_watch", VALUE, VALUE)

_CLOSE_RANGE_UNSHARE, _CLOSE_RANGE_CLOEXEC = 2, 4

# fcntl(2) commands by what their argument is.
_FCNTL_NUMBERS = {0, 1, 2, 3, 4, 8, 9, 10, 11, 1024, 1025, 1026, 1030, 1031, 1032, 1033, 1034}
_FCNTL_POINTERS = {5: 32, 6: 32, 7: 32, 15: 8, 16: 8, 36: 32, 37: 32, 38: 32, 1035: 8, 1036: 8, 1037: 8, 1038: 8}
_FCNTL_WAITS = {7, 38}

# ioctl(2) requests that are known to take a number, or a pointer to a plain structure of at most so many bytes. Others
# are refused: a structure with pointers inside would lead the kernel out of the window.
_IOCTL_NUMBERS = {
    0x5409, 0x540A, 0x540B, 0x540C, 0x540D, 0x540E, 0x5422, 0x5425, 0x5427, 0x5428,  # TCSBRK ... TIOCCBRK
    0x5450, 0x5451,  # FIONCLEX, FIOCLEX
    0x40049409,  # FICLONE
}  # fmt: skip
_IOCTL_POINTERS = {
    0x5401: 60, 0x5402: 60, 0x5403: 60, 0x5404: 60,  # TCGETS, TCSETS, TCSETSW, TCSETSF
    0x5405: 18, 0x5406: 18, 0x5407: 18, 0x5408: 18,  # TCGETA ...
    0x540F: 4, 0x5410: 4, 0x5411: 4, 0x5412: 1,  # TIOCGPGRP, TIOCSPGRP, TIOCOUTQ, TIOCSTI
    0x5413: 8, 0x5414: 8, 0x5415: 4, 0x5416: 4, 0x5417: 4, 0x5418: 4, 0x5419: 4, 0x541A: 4,  # TIOCGWINSZ ...
    0x541B: 4, 0x5420: 4, 0x5421: 4, 0x5423: 4, 0x5424: 4, 0x5429: 4, 0x5452: 4,  # FIONREAD, FIONBIO, TIOCGSID ...
    0x802C542A: 44, 0x402C542B: 44, 0x402C542C: 44, 0x402C542D: 44,  # TCGETS2 ...
    0x80045430: 4, 0x40045431: 4, 0x80045432: 4, 0x80045438: 4, 0x80045439: 4, 0x80045440: 4,  # TIOCGPTN, TIOCSPTLCK
    0x80086601: 8, 0x40086602: 8, 0x801C581F: 28, 0x401C5820: 28,  # FS_IOC_GETFLAGS, ... FSGETXATTR
    0x1260: 8, 0x1268: 4, 0x80081272: 8, 0x127B: 4,  # BLKGETSIZE, BLKSSZGET, BLKGETSIZE64, BLKPBSZGET
    0x5456: 36, 0x5457: 36,  # TIOCGLCKTRMIOS, TIOCSLCKTRMIOS
    0x8905: 4, 0x8906: 16, 0x8907: 16,  # SIOCATMARK, SIOCGSTAMP, SIOCGSTAMPNS
    # SIOCGIFNAME, FLAGS, ADDR, DSTADDR, BRDADDR, NETMASK, METRIC, MTU, HWADDR, INDEX, TXQLEN, MAP
    0x8910: 40, 0x8913: 40, 0x8915: 40, 0x8917: 40, 0x8919: 40, 0x891B: 40, 0x891D: 40, 0x8921: 40, 0x8927: 40,
    0x8933: 40, 0x8942: 40, 0x8970: 40,
    0x4020940D: 32,  # FICLONERANGE
}  # fmt: skip
_TIOCGPTPEER = 0x5441
#: Fills a list that struct ifconf points to: its length and where it is. Entries begin with a name and an address.
_SIOCGIFCONF, _IFCONF, _IFREQ = 0x8912, {8: struct.Struct("<i4xQ"), 4: struct.Struct("<iI")}, {8: 40, 4: 32}
_MOST_INTERFACES = 1 << 14


@syscall("close", restart=False, native=in_native_code("close", VALUE, way=Way.OWN))
def close(task: Task, descriptor: int) -> int:
    """close(2); our own descriptors are not there for the guest."""
    if task.process.descriptors.is_private(signed32(descriptor)):
        return -EBADF
    return host.call(HOST["close"], descriptor)


@syscall("close_range")
def close_range(task: Task, first: int, last: int, flags: int) -> int:
    """close_range(2), around our own descriptors."""
    first, last = first & 0xFFFF_FFFF, last & 0xFFFF_FFFF
    if first > last or flags & ~(_CLOSE_RANGE_UNSHARE | _CLOSE_RANGE_CLOEXEC):
        return -EINVAL
    for descriptor in task.process.descriptors.guests_in(first, last):
        if flags & _CLOSE_RANGE_CLOEXEC:
            host.call(HOST["fcntl"], descriptor, 2, 1)  # F_SETFD, FD_CLOEXEC
        else:
            host.call(HOST["close"], descriptor)
    return 0


@syscall("dup2")
def dup2(task: Task, old: int, new: int) -> int:
    """dup2(2)."""
    if task.process.descriptors.is_private(signed32(new)):
        return -EBADF
    return host.call(HOST["dup2"], old, new)


@syscall("dup3")
def dup3(task: Task, old: int, new: int, flags: int) -> int:
    """dup3(2)."""
    if task.process.descriptors.is_private(signed32(new)):
        return -EBADF
    return host.call(HOST["dup3"], old, new, flags)


@syscall("fcntl", native=in_native_code("fcntl", VALUE, VALUE, VALUE, way=Way.FLAGS))
def fcntl(task: Task, descriptor: int, command: int, argument: int) -> int:
    """fcntl(2), for the commands whose arguments are known."""
    if task.process.descriptors.is_private(signed32(descriptor)):
        return -EBADF
    command = signed32(command)
    if command in _FCNTL_POINTERS:
        window = task.window
        if not argument:
            return -EFAULT
        pointer = window.host_pointer(argument)
        window.will_write(argument, _FCNTL_POINTERS[command])
        if command in _FCNTL_WAITS:
            return task.blocking_call(HOST["fcntl"], descriptor, command, pointer)
        return host.call(HOST["fcntl"], descriptor, command, pointer)
    if command not in _FCNTL_NUMBERS:
        return -EINVAL
    return host.call(HOST["fcntl"], descriptor, command, argument)


@syscall("ioctl")
def ioctl(task: Task, descriptor: int, request: int, argument: int) -> int:
    """ioctl(2), for the requests whose arguments are known."""
    request &= 0xFFFF_FFFF
    size = _IOCTL_POINTERS.get(request)
    if size is not None:
        window = task.window
        pointer = window.host_pointer(argument)
        window.will_write(argument, size)
        return task.blocking_call(HOST["ioctl"], descriptor, request, pointer)
    if request in _IOCTL_NUMBERS or request == _TIOCGPTPEER:
        return task.blocking_call(HOST["ioctl"], descriptor, request, argument)
    if request == _SIOCGIFCONF:
        return _list_interfaces(task, descriptor, argument)
    # A bad descriptor is still the first thing to complain about.
    flags = host.call(HOST["fcntl"], descriptor, 1)  # F_GETFD
    return flags if flags < 0 else -ENOTTY


def _list_interfaces(task: Task, socket: int, argument: int) -> int:
    window, own, size = task.window, _IFCONF[task.abi.word], _IFREQ[task.abi.word]
    length, pointer = own.unpack(window.read(argument, own.size))
    room = min(max(length // size, 0), _MOST_INTERFACES) * _IFREQ[8]
    entries = ctypes.create_string_buffer(max(room, 1))
    area = ctypes.create_string_buffer(_IFCONF[8].pack(room, ctypes.addressof(entries) if pointer else 0))
    result = host.call(HOST["ioctl"], socket, _SIOCGIFCONF, ctypes.addressof(area))
    if result >= 0:
        found = _IFCONF[8].unpack_from(area)[0] // _IFREQ[8]
        if pointer:
            window.write(pointer, b"".join(entries.raw[at * _IFREQ[8] :][:size] for at in range(found)))
        window.write_u32(argument, found * size)
    return result
