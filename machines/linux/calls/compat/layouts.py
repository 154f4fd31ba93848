"""Structures with 32-bit words beside the host's, and how calls that take them are declared."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import COMPAT_ALIASES, declare
from metaphrase.machines.linux.errors import GuestFault

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

Fields = tuple[Any, ...]


def _same(fields: Fields) -> Fields:
    return fields


class Structure(NamedTuple):
    """A structure as the guest has it and as the host has it; by default, field by field the same numbers."""

    guest: struct.Struct
    host: struct.Struct
    to_guest: Callable[[Fields], Fields] = _same

    def read(self, task: Task, address: int) -> bytes:
        """The guest's structure at an address, in the host's layout."""
        return self.host.pack(*self.guest.unpack(task.window.read(address, self.guest.size)))

    def write(self, task: Task, address: int, data: bytes) -> None:
        """Store one of the host's for the guest."""
        task.window.write(address, self.guest.pack(*self.to_guest(self.host.unpack(data[: self.host.size]))))


def _structure(guest: str, own: str) -> Structure:
    return Structure(struct.Struct("<" + guest), struct.Struct("<" + own))


#: Nanoseconds of 64-bit times are 32 bits and padding, which may hold anything.
TIME_32, TIME_64 = _structure("ii", "qq"), _structure("qI4x", "qq")
TIME = _structure("qq", "qq")
"""The host's own."""
TIMES_32, TIMES_64 = _structure("iiii", "qqqq"), _structure("qI4xqI4x", "qqqq")
"""struct timespec or timeval, and two of them: struct itimerspec, itimerval, or the times of a file."""
CLOCKS = Structure(struct.Struct("<4I"), struct.Struct("<4Q"), lambda fields: tuple(f & 0xFFFF_FFFF for f in fields))
"""struct tms."""
USAGE = Structure(
    struct.Struct("<4i14I"), struct.Struct("<4q14Q"),
    lambda fields: (*fields[:4], *(f & 0xFFFF_FFFF for f in fields[4:])),
)  # fmt: skip
"""struct rusage."""


class Converted(NamedTuple):
    """A pointer to a structure that the kernel reads, or fills, or both."""

    structure: Structure
    reads: bool
    fills: bool


def taken(structure: Structure) -> Converted:
    """A structure that the kernel reads."""
    return Converted(structure, True, False)


def given(structure: Structure) -> Converted:
    """A structure that the kernel fills."""
    return Converted(structure, False, True)


class Plain(NamedTuple):
    """An argument without a structure: a number, a signed one, or a pointer."""

    kind: str


NUMBER, SIGNED, POINTER = Plain("number"), Plain("signed"), Plain("pointer")


def converted(
    name: str, *arguments: Plain | Converted, to: str = "", blocking: bool = False, restart: bool = True
) -> None:
    """Declare a call that the host answers as `to`, or under the same name, once its structures are its own.

    SIGNED is a word whose sign counts. Null pointers stay null.
    """
    number = HOST[to or name]

    def handler(task: Task, *values: int) -> int:
        translation, results, keep = [], [], []
        for argument, value in zip(arguments, values, strict=True):
            if isinstance(argument, Converted) and value:
                structure = argument.structure
                area = ctypes.create_string_buffer(structure.host.size)
                if argument.reads:
                    try:
                        area.raw = structure.read(task, value)
                    except GuestFault:  # for the kernel to refuse, when it comes to it
                        translation.append(host.NOWHERE)
                        continue
                if argument.fills:
                    results.append((structure, value, area))
                keep.append(area)
                translation.append(ctypes.addressof(area))
            else:
                translation.append(_plain(task, argument, value))
        result = (task.blocking_call if blocking else host.call)(number, *translation)
        if result >= 0:
            for structure, address, area in results:
                structure.write(task, address, area.raw)
        return result

    declare(name, handler, len(arguments), restart, compat=True)


def _plain(task: Task, argument: Plain | Converted, value: int) -> int:
    if argument == SIGNED:
        return signed_word(value)
    if argument == POINTER:
        return task.window.host_pointer(value)
    return value


def alias(**names: str) -> None:
    """Declare calls that are what others, which take no structures, are called on the host."""
    COMPAT_ALIASES.update(names)


def signed_word(value: int) -> int:
    """A `long` of 32 bits."""
    return value - (1 << 32) if value >> 31 & 1 else value


def wide(low: int, high: int) -> int:
    """A 64-bit number from two registers."""
    return low | high << 32


def host_area(data: bytes) -> tuple[int, Any]:
    """Host memory that holds some bytes: its address, and what keeps it."""
    area = ctypes.create_string_buffer(data, len(data))
    return ctypes.addressof(area), area
