"""Waiting for descriptors: select(2) and poll(2) with times and masks of 32-bit words."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING

from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.compat.layouts import TIME_32, TIME_64, Structure, host_area
from metaphrase.machines.linux.calls.polling import with_mask
from metaphrase.machines.linux.calls.table import signed32, syscall

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_POLLFD_SIZE = 8
#: select's arguments where they are a structure, and what pselect's last argument points to.
_SELECT, _MASK = struct.Struct("<5I"), struct.Struct("<II")
_SETS_MAXIMUM = 1 << 20
_MICROSECONDS = 1000


class _Time:
    """A timeout for the host, which tells in it what is left, from the guest's; null stays null."""

    def __init__(self, task: Task, layout: Structure, address: int, scale: int = 1) -> None:
        self.layout, self.guest, self.scale = layout, address, scale
        self.pointer, self._area = 0, None
        if address:
            seconds, parts = layout.guest.unpack(task.window.read(address, layout.guest.size))
            self.pointer, self._area = host_area(layout.host.pack(seconds, parts * scale))

    def store(self, task: Task) -> None:
        """Tell the guest what is left."""
        if self._area is not None:
            seconds, parts = self.layout.host.unpack(self._area.raw)
            task.window.write(self.guest, self.layout.guest.pack(seconds, parts // self.scale))


class _Sets:
    """Sets of descriptors for the host, whose words are longer than the guest's."""

    def __init__(self, task: Task, count: int, addresses: tuple[int, int, int]) -> None:
        self.addresses = addresses
        self.size = (min(max(signed32(count), 0), _SETS_MAXIMUM) + 31) // 32 * 4
        room = self.size + 7 & ~7
        self.areas = [
            ctypes.create_string_buffer(task.window.read(at, self.size), max(room, 8)) if at else None
            for at in addresses
        ]  # fmt: skip
        self.pointers = [ctypes.addressof(area) if area is not None else 0 for area in self.areas]

    def store(self, task: Task) -> None:
        """Tell the guest which are ready."""
        for address, area in zip(self.addresses, self.areas, strict=True):
            if area is not None:
                task.window.write(address, area.raw[: self.size])


def _select(
    task: Task, count: int, sets: tuple[int, int, int], time: _Time, mask: int = 0, size_of_mask: int = 8
) -> int:
    """pselect(2) of the host, under the mask at a guest address."""
    host_sets = _Sets(task, count, sets)

    def wait(host_mask: int) -> int:
        pair = (ctypes.c_uint64 * 2)(host_mask, 8)
        return task.blocking_call(
            HOST["pselect6"], count, *host_sets.pointers, time.pointer, ctypes.addressof(pair)
        )

    result = with_mask(task, mask, wait, size=size_of_mask)
    if result >= 0:
        host_sets.store(task)
    time.store(task)
    return result


@syscall("_newselect", restart=False, compat=True)
def new_select(task: Task, count: int, read: int, write: int, other: int, timeout: int) -> int:
    """select(2)."""
    return _select(task, count, (read, write, other), _Time(task, TIME_32, timeout, _MICROSECONDS))


@syscall("select", restart=False, compat=True)
def old_select(task: Task, arguments: int) -> int:
    """select(2) with its arguments in memory."""
    return new_select(task, *_SELECT.unpack(task.window.read(arguments, _SELECT.size)))


def _declare(layout: Structure) -> None:
    suffix = "_time64" if layout is TIME_64 else ""

    @syscall(f"pselect6{suffix}", restart=False, compat=True)
    def pselect(task: Task, count: int, read: int, write: int, other: int, timeout: int, mask: int) -> int:
        pointer, size = _MASK.unpack(task.window.read(mask, _MASK.size)) if mask else (0, 8)
        return _select(task, count, (read, write, other), _Time(task, layout, timeout), pointer, size)

    @syscall(f"ppoll{suffix}", restart=False, compat=True)
    def ppoll(task: Task, descriptors: int, count: int, timeout: int, mask: int, size: int) -> int:
        window, time = task.window, _Time(task, layout, timeout)
        window.will_write(descriptors, min(count, 1 << 20) * _POLLFD_SIZE)
        area = window.host_pointer(descriptors)

        def wait(host_mask: int) -> int:
            return task.blocking_call(HOST["ppoll"], area, count, time.pointer, host_mask, 8)

        result = with_mask(task, mask, wait, size=size)
        time.store(task)
        return result


_declare(TIME_32)
_declare(TIME_64)
