"""Processes: limits and usage, wait(2), thread-local storage, futexes, what the system has."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EINVAL
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.i386 import get_thread_area as get_entry
from metaphrase.machines.linux.abi.i386 import set_thread_area as set_entry
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls import process as limits
from metaphrase.machines.linux.calls.compat.layouts import (
    NUMBER,
    TIME_32,
    TIME_64,
    USAGE,
    Structure,
    converted,
    given,
    host_area,
)
from metaphrase.machines.linux.calls.table import signed32, syscall
from metaphrase.machines.linux.calls.threads import wait_or_wake
from metaphrase.machines.linux.signals import information_32

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_LIMITS = struct.Struct("<QQ")
_LIMITS_32 = struct.Struct("<II")
INFINITY_32, OLD_INFINITY = 0xFFFF_FFFF, 0x7FFF_FFFF
_SIGINFO_SIZE = 128
#: struct sysinfo: uptime, loads, six sizes of memory, processes, two more sizes, the unit of sizes.
_SYSTEM, _HOST_SYSTEM = struct.Struct("<i3I6IH2x2II8x"), struct.Struct("<q3Q6QH6x2QI4x")
_AFFINITY_WORD = 8

converted("getrusage", NUMBER, given(USAGE))


@syscall("set_thread_area", compat=True)
def set_thread_area(task: Task, descriptor: int) -> int:
    """set_thread_area(2)."""
    return set_entry(task.cpu, task.window, descriptor)


@syscall("get_thread_area", compat=True)
def get_thread_area(task: Task, descriptor: int) -> int:
    """get_thread_area(2)."""
    return get_entry(task.cpu, task.window, descriptor)


@syscall("arch_prctl", compat=True)
def arch_prctl(task: Task, option: int, value: int) -> int:
    """arch_prctl(2): segment bases are not for 32-bit programs."""
    return -EINVAL


@syscall("nice", compat=True)
def nice(task: Task, increment: int) -> int:
    """nice(2)."""
    os.nice(signed32(increment))
    return 0


def _get_limit(task: Task, resource: int, pointer: int, infinity: int) -> int:
    area = ctypes.create_string_buffer(_LIMITS.size)
    kept = task.process.memory_limits.get(signed32(resource))
    if kept is None:
        status = host.call(HOST["prlimit64"], 0, resource, 0, ctypes.addressof(area))
        if status < 0:
            return status
        kept = _LIMITS.unpack(area.raw)
    task.window.write(pointer, _LIMITS_32.pack(*(min(limit, infinity) for limit in kept)))
    return 0


@syscall("ugetrlimit", compat=True)
def ugetrlimit(task: Task, resource: int, pointer: int) -> int:
    """getrlimit(2)."""
    return _get_limit(task, resource, pointer, INFINITY_32)


@syscall("getrlimit", compat=True)
def getrlimit(task: Task, resource: int, pointer: int) -> int:
    """getrlimit(2) as it was once, with signed limits."""
    return _get_limit(task, resource, pointer, OLD_INFINITY)


@syscall("setrlimit", compat=True)
def setrlimit(task: Task, resource: int, pointer: int) -> int:
    """setrlimit(2)."""
    narrow = _LIMITS_32.unpack(task.window.read(pointer, _LIMITS_32.size))
    values = tuple((1 << 64) - 1 if limit == INFINITY_32 else limit for limit in narrow)
    if signed32(resource) in limits.MEMORY_LIMITS:
        if values[0] > values[1]:
            return -EINVAL
        task.process.memory_limits[signed32(resource)] = (values[0], values[1])
        return 0
    address, _keep = host_area(_LIMITS.pack(*values))
    return host.call(HOST["prlimit64"], 0, resource, address, 0)


@syscall("wait4", compat=True)
def wait4(task: Task, target: int, status: int, options: int, usage: int) -> int:
    """wait4(2). A SIGCHLD that has come meanwhile is told whose end it announces."""
    word = ctypes.c_int()
    area = ctypes.create_string_buffer(USAGE.host.size)
    child = task.blocking_call(
        HOST["wait4"], target, ctypes.addressof(word), options, ctypes.addressof(area) if usage else 0
    )
    if child > 0:
        if status:
            task.window.write_u32(status, word.value)
        if usage:
            USAGE.write(task, usage, area.raw)
        task.process.signals.describe_child(child, word.value)
    return child


@syscall("waitpid", compat=True)
def waitpid(task: Task, target: int, status: int, options: int) -> int:
    """waitpid(2)."""
    return wait4(task, target, status, options, 0)


@syscall("waitid", compat=True)
def waitid(task: Task, kind: int, target: int, info: int, options: int, usage: int) -> int:
    """waitid(2)."""
    told, used = ctypes.create_string_buffer(_SIGINFO_SIZE), ctypes.create_string_buffer(USAGE.host.size)
    result = task.blocking_call(
        HOST["waitid"], kind, target, ctypes.addressof(told), options, ctypes.addressof(used) if usage else 0
    )
    if result >= 0:
        if info:
            task.window.write(info, information_32(told.raw))
        if usage:
            USAGE.write(task, usage, used.raw)
    return result


def _futex(task: Task, layout: Structure, values: tuple[int, int, int, int, int, int]) -> int:
    return wait_or_wake(task, lambda pointer: layout.read(task, pointer), *values)


@syscall("futex", compat=True)
def futex(task: Task, word: int, operation: int, value: int, timeout: int, second: int, third: int) -> int:
    """futex(2)."""
    return _futex(task, TIME_32, (word, operation, value, timeout, second, third))


@syscall("futex_time64", compat=True)
def futex_time64(task: Task, word: int, operation: int, value: int, timeout: int, second: int, third: int) -> int:
    """futex(2)."""
    return _futex(task, TIME_64, (word, operation, value, timeout, second, third))


@syscall("sched_getaffinity", compat=True)
def sched_getaffinity(task: Task, target: int, size: int, mask: int) -> int:
    """sched_getaffinity(2), into a mask of 32-bit words."""
    if size & 3:
        return -EINVAL
    area = ctypes.create_string_buffer(min(size + _AFFINITY_WORD - 1 & -_AFFINITY_WORD, 1 << 16))
    result = host.call(HOST["sched_getaffinity"], target, len(area), ctypes.addressof(area))
    if result >= 0:
        result = min(result, size)
        task.window.write(mask, area.raw[:result])
    return result


@syscall("sysinfo", compat=True)
def sysinfo(task: Task, pointer: int) -> int:
    """sysinfo(2): the unit of sizes grows until they fit."""
    area = ctypes.create_string_buffer(_HOST_SYSTEM.size)
    result = host.call(HOST["sysinfo"], ctypes.addressof(area))
    if result < 0:
        return result
    uptime, *rest = _HOST_SYSTEM.unpack(area.raw)
    loads, sizes, processes, high, unit = rest[:3], rest[3:9], rest[9], rest[10:12], rest[12]
    while any(size >> 32 for size in (*sizes, *high)):
        sizes, high, unit = [size >> 1 for size in sizes], [size >> 1 for size in high], unit << 1
    task.window.write(pointer, _SYSTEM.pack(uptime, *loads, *sizes, processes, *high, unit))
    return 0
