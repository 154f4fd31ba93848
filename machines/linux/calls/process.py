"""The process itself: prctl(2), arch_prctl(2), resource limits, scheduling."""

from __future__ import annotations

import os
import struct
from errno import EBADF, EINVAL, EPERM
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, SIZE, VALUE, out, passthrough, signed32, syscall
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_RLIMIT_SIZE = 16
#: RLIMIT_DATA, _STACK, _RSS, _MEMLOCK, _AS.
MEMORY_LIMITS = frozenset({2, 3, 5, 8, 9})

passthrough("getrusage", VALUE, out(144))
passthrough("sched_yield", blocking=True, way=Way.PLAIN)
passthrough("sched_getaffinity", VALUE, SIZE, out(1024))
passthrough("sched_setaffinity", VALUE, SIZE, IN)
passthrough("sched_getparam", VALUE, out(4))
passthrough("sched_setparam", VALUE, IN)
passthrough("sched_getscheduler", VALUE)
passthrough("sched_setscheduler", VALUE, VALUE, IN)
passthrough("sched_getattr", VALUE, out(64), SIZE, VALUE)
passthrough("sched_setattr", VALUE, IN, VALUE)
passthrough("sched_get_priority_max", VALUE)
passthrough("sched_get_priority_min", VALUE)
passthrough("sched_rr_get_interval", VALUE, out(16))
passthrough("getpriority", VALUE, VALUE)
passthrough("setpriority", VALUE, VALUE, VALUE)
passthrough("ioprio_get", VALUE, VALUE)
passthrough("ioprio_set", VALUE, VALUE, VALUE)
passthrough("getcpu", out(4), out(4), VALUE)
passthrough("pidfd_open", VALUE, VALUE)

_PR_SET_NAME, _PR_GET_NAME = 15, 16
#: Options whose arguments are numbers: PDEATHSIG, DUMPABLE, KEEPCAPS, TIMING, CAPBSET, SECUREBITS, TIMERSLACK,
#: CHILD_SUBREAPER, NO_NEW_PRIVS, THP_DISABLE, CAP_AMBIENT.
_PRCTL_NUMBERS = frozenset({1, 3, 4, 7, 8, 13, 14, 23, 24, 27, 28, 29, 30, 36, 38, 39, 41, 42, 47})
#: Options that fill an int: PDEATHSIG, CHILD_SUBREAPER.
_PRCTL_INTEGERS = frozenset({2, 37})

_ARCH_SET_GS, _ARCH_SET_FS, _ARCH_GET_FS, _ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004


@syscall("prctl")
def prctl(task: Task, option: int, second: int, third: int, fourth: int, fifth: int) -> int:
    """prctl(2), for the options that concern the guest alone."""
    option = signed32(option)
    if option == _PR_SET_NAME:
        name = task.window.read(second, min(16, task.window.regions.extent(second, 1)) or 16)
        task.name = name.split(b"\0", 1)[0][:15]
        return 0
    if option == _PR_GET_NAME:
        task.window.write(second, task.name.ljust(16, b"\0"))
        return 0
    if option in _PRCTL_NUMBERS:
        return host.call(HOST["prctl"], option, second, third, fourth, fifth)
    if option in _PRCTL_INTEGERS:
        task.window.will_write(second, 4)
        return host.call(HOST["prctl"], option, task.window.host_pointer(second))
    return -EINVAL


@syscall("arch_prctl")
def arch_prctl(task: Task, option: int, value: int) -> int:
    """arch_prctl(2): the bases of FS and GS."""
    option = signed32(option)
    if option in (_ARCH_SET_FS, _ARCH_SET_GS):
        if value >> 47:
            return -EPERM
        task.cpu.set("fs_base" if option == _ARCH_SET_FS else "gs_base", value)
        return 0
    if option in (_ARCH_GET_FS, _ARCH_GET_GS):
        task.window.write_u64(value, task.cpu.get("fs_base" if option == _ARCH_GET_FS else "gs_base"))
        return 0
    return -EINVAL


@syscall("prlimit64")
def prlimit64(task: Task, target: int, resource: int, new: int, old: int) -> int:
    """prlimit(2). Limits on memory are remembered; applied, they would hit the translator's own."""
    window = task.window
    resource = signed32(resource)
    own = signed32(target) in (0, os.getpid())
    if not own or resource not in MEMORY_LIMITS:
        window.will_write(old, _RLIMIT_SIZE)
        return host.call(HOST["prlimit64"], target, resource, window.host_pointer(new), window.host_pointer(old))
    limits = struct.unpack("<QQ", window.read(new, _RLIMIT_SIZE)) if new else None
    if old:
        if resource not in task.process.memory_limits:
            status = host.call(HOST["prlimit64"], 0, resource, 0, window.host_pointer(old))
            if status < 0:
                return status
        else:
            window.write(old, struct.pack("<QQ", *task.process.memory_limits[resource]))
    if limits:
        if limits[0] > limits[1]:
            return -EINVAL
        task.process.memory_limits[resource] = limits
    return 0


@syscall("getrlimit")
def getrlimit(task: Task, resource: int, limit: int) -> int:
    """getrlimit(2)."""
    return prlimit64(task, 0, resource, 0, limit)


@syscall("setrlimit")
def setrlimit(task: Task, resource: int, limit: int) -> int:
    """setrlimit(2)."""
    return prlimit64(task, 0, resource, limit, 0)


@syscall("pidfd_getfd")
def pidfd_getfd(task: Task, process: int, descriptor: int, flags: int) -> int:
    """pidfd_getfd(2). What is not this guest's here is not in its children either, with the same number."""
    if task.process.descriptors.is_private(signed32(descriptor)):
        return -EBADF
    return host.call(HOST["pidfd_getfd"], process, descriptor, flags)
