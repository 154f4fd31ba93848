"""Who the process is, by the old calls, whose user and group ids have 16 bits (kernel/uid16.c)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Mapping
from errno import EINVAL
from typing import TYPE_CHECKING, Final

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import SYSTEM_CALLS, Handler, declare, signed32, syscall

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_NO_CHANGE_16, _NO_CHANGE = 0xFFFF, 0xFFFF_FFFF
_OVERFLOW = 65534
"""What an id that needs more bits is called."""
_MOST_GROUPS = 65536
TAKES_IDS: Final[Mapping[str, tuple[int, int]]] = {
    "chown": (3, 1), "lchown": (3, 1), "fchown": (3, 1), "setuid": (1, 0), "setgid": (1, 0), "setfsuid": (1, 0),
    "setfsgid": (1, 0), "setreuid": (2, 0), "setregid": (2, 0), "setresuid": (3, 0), "setresgid": (3, 0),
}  # fmt: skip
"""Calls that are given ids: how many arguments they have, and which is the first id. The rest of them are ids too."""


def with_wide_ids(name: str, find: Callable[[str], Handler]) -> Handler:
    """What answers such a call with ids of 16 bits, by the handler of the one with 32, which is found when needed."""
    arity, first = TAKES_IDS[name]

    def wide(task: Task, *values: int) -> int | None:
        return find(name)(task, *values[:first], *map(_wide, values[first:]))

    def of_one(task: Task, a: int) -> int | None:
        return wide(task, a)

    def of_two(task: Task, a: int, b: int) -> int | None:
        return wide(task, a, b)

    def of_three(task: Task, a: int, b: int, c: int) -> int | None:
        return wide(task, a, b, c)

    shapes: dict[int, Handler] = {1: of_one, 2: of_two, 3: of_three}
    return shapes[arity]


def _wide(number: int) -> int:
    number &= _NO_CHANGE_16
    return _NO_CHANGE if number == _NO_CHANGE_16 else number


def _narrow(number: int) -> int:
    return number if number <= _NO_CHANGE_16 else _OVERFLOW


def _handler(name: str) -> Handler:
    return SYSTEM_CALLS[name].handler


for _name, (_arity, _) in TAKES_IDS.items():
    declare(_name, with_wide_ids(_name, _handler), _arity, restart=True, compat=True)


def _tells(name: str, get: Callable[[], int]) -> None:
    """Declare a call whose result is an id."""

    def tell(task: Task) -> int:
        return _narrow(get())

    declare(name, tell, 0, restart=True, compat=True)


def _tells_three(name: str, get: Callable[[], tuple[int, int, int]]) -> None:
    """Declare a call that fills three places with ids."""

    def tell(task: Task, real: int, effective: int, saved: int) -> int:
        for pointer, number in zip((real, effective, saved), get(), strict=True):
            task.window.write(pointer, struct.pack("<H", _narrow(number)))
        return 0

    declare(name, tell, 3, restart=True, compat=True)


_tells("getuid", os.getuid)
_tells("geteuid", os.geteuid)
_tells("getgid", os.getgid)
_tells("getegid", os.getegid)
_tells_three("getresuid", os.getresuid)
_tells_three("getresgid", os.getresgid)


@syscall("getgroups", compat=True)
def getgroups(task: Task, count: int, groups: int) -> int:
    """getgroups(2)."""
    count = signed32(count)
    if count < 0:
        return -EINVAL
    numbers = os.getgroups()
    if count and count < len(numbers):
        return -EINVAL
    if count:
        task.window.write(groups, struct.pack(f"<{len(numbers)}H", *map(_narrow, numbers)))
    return len(numbers)


@syscall("setgroups", compat=True)
def setgroups(task: Task, count: int, groups: int) -> int:
    """setgroups(2)."""
    if count > _MOST_GROUPS:
        return host.call(HOST["setgroups"], count, 0)
    numbers = struct.unpack(f"<{count}H", task.window.read(groups, 2 * count))
    area = (ctypes.c_uint32 * max(count, 1))(*map(_wide, numbers))
    return host.call(HOST["setgroups"], count, ctypes.addressof(area))
