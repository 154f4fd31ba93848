"""Waiting for descriptors: poll(2), select(2), epoll(7), and those that change the signal mask meanwhile."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from errno import EINTR, EINVAL
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import VALUE, array, in_native_code, out, passthrough, signed32, syscall
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_FD_SET_SIZE = 128
_POLLFD_SIZE = 8
#: What pselect's last argument points to: where the mask is, and its size.
_MASK = struct.Struct("<QQ")
_HOST_EVENT_SIZE = 12
_EPOLL_CTL_DEL = 2

passthrough("poll", array(_POLLFD_SIZE), VALUE, VALUE, blocking=True, restart=False)
passthrough(
    "select", VALUE, out(_FD_SET_SIZE), out(_FD_SET_SIZE), out(_FD_SET_SIZE), out(16), blocking=True, restart=False
)
passthrough("epoll_create", VALUE)
passthrough("epoll_create1", VALUE)


def with_mask(
    task: Task, pointer: int, wait: Callable[[int], int], *, size: int = 8, value: int | None = None
) -> int:
    """Make a waiting call under the signal mask that a guest pointer names, or `value`; null keeps the mask.

    `size` is what the guest says of the mask's size.

    `wait` is given the host address of the mask to pass on, or 0. A signal that the mask lets through ends the call:
    it is delivered under that mask, and the old one comes back afterwards.
    """
    if not pointer and value is None:
        return wait(0)
    if size != 8:
        return -EINVAL
    signals = task.signals
    mask = task.window.read_u64(pointer) if value is None else value
    old = signals.mask
    if signals.deliverable(mask) is None:
        buffer = ctypes.c_uint64(task.process.host_signals.host_mask(mask))
        signals.awaited = ~mask
        try:
            result = wait(ctypes.addressof(buffer))
        finally:
            signals.awaited = 0
        if result != -EINTR or signals.deliverable(mask) is None:
            return result
    signals.mask, signals.mask_to_restore = mask, old
    signals.attention = True
    return -EINTR


@syscall("ppoll", restart=False)
def ppoll(task: Task, descriptors: int, count: int, timeout: int, mask: int, size: int) -> int:
    """ppoll(2)."""
    window = task.window
    window.will_write(descriptors, min(count, 1 << 20) * _POLLFD_SIZE)
    area, time = window.host_pointer(descriptors), window.host_pointer(timeout)
    return with_mask(task, mask, lambda m: task.blocking_call(HOST["ppoll"], area, count, time, m, 8), size=size)


@syscall("pselect6", restart=False)
def pselect6(task: Task, count: int, read: int, write: int, other: int, timeout: int, mask: int) -> int:
    """pselect(2); the last argument points to the mask's pointer and size."""
    window = task.window
    for pointer in (read, write, other):
        window.will_write(pointer, _FD_SET_SIZE)
    areas = [window.host_pointer(pointer) for pointer in (read, write, other, timeout)]
    mask_pointer, size = _MASK.unpack(window.read(mask, _MASK.size)) if mask else (0, 8)

    def wait(host_mask: int) -> int:
        pair = (ctypes.c_uint64 * 2)(host_mask, 8)
        return task.blocking_call(HOST["pselect6"], count, *areas, ctypes.addressof(pair))

    return with_mask(task, mask_pointer, wait, size=size)


@syscall("epoll_ctl")
def epoll_ctl(task: Task, poll: int, operation: int, descriptor: int, event: int) -> int:
    """epoll_ctl(2); x86-64 packs the event, others align it."""
    if task.abi.epoll_event_size == _HOST_EVENT_SIZE or not event or signed32(operation) == _EPOLL_CTL_DEL:
        return host.call(HOST["epoll_ctl"], poll, operation, descriptor, task.window.host_pointer(event))
    events, data = struct.unpack("<I4xQ", task.window.read(event, 16))
    area, _keep = host.string(struct.pack("<IQ", events, data))
    return host.call(HOST["epoll_ctl"], poll, operation, descriptor, area)


def _epoll_wait(
    task: Task, number: int, poll: int, events: int, count: int, timeout: int, mask: int, size_of_mask: int
) -> int:
    window = task.window
    limit = signed32(count)
    if limit <= 0 or limit > 1 << 20:
        return -EINVAL
    size = task.abi.epoll_event_size
    if size == _HOST_EVENT_SIZE:
        window.will_write(events, limit * size)
        area = window.host_pointer(events)
        return with_mask(
            task, mask, lambda m: task.blocking_call(number, poll, area, limit, timeout, m, 8), size=size_of_mask
        )
    buffer = ctypes.create_string_buffer(limit * _HOST_EVENT_SIZE)
    area = ctypes.addressof(buffer)
    result = with_mask(
        task, mask, lambda m: task.blocking_call(number, poll, area, limit, timeout, m, 8), size=size_of_mask
    )
    if result > 0:
        found = struct.iter_unpack("<IQ", buffer.raw[: result * _HOST_EVENT_SIZE])
        window.write(events, b"".join(struct.pack("<I4xQ", *event) for event in found))
    return result


@syscall(
    "epoll_wait", restart=False,
    native=in_native_code("epoll_wait", VALUE, array(_HOST_EVENT_SIZE), VALUE, VALUE, way=Way.WAITING),
)  # fmt: skip
def epoll_wait(task: Task, poll: int, events: int, count: int, timeout: int) -> int:
    """epoll_wait(2)."""
    return _epoll_wait(task, HOST["epoll_pwait"], poll, events, count, timeout, 0, 8)


@syscall("epoll_pwait", restart=False)
def epoll_pwait(task: Task, poll: int, events: int, count: int, timeout: int, mask: int, size: int) -> int:
    """epoll_pwait(2)."""
    return _epoll_wait(task, HOST["epoll_pwait"], poll, events, count, timeout, mask, size)


@syscall("epoll_pwait2", restart=False)
def epoll_pwait2(task: Task, poll: int, events: int, count: int, timeout: int, mask: int, size: int) -> int:
    """epoll_pwait2(2)."""
    pointer = task.window.host_pointer(timeout)
    return _epoll_wait(task, HOST["epoll_pwait2"], poll, events, count, pointer, mask, size)
