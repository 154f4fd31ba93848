"""Processes of confined guests: fork(2), kill(2), ids, limits, and memory as far as it is limited."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EACCES, EAGAIN, EINVAL, ENOMEM, EPERM, ESRCH
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls import forking, memory, process, signals, system
from metaphrase.machines.linux.calls.compat import processes as compat_processes
from metaphrase.machines.linux.calls.compat import signals as compat_signals
from metaphrase.machines.linux.calls.compat import transfer as compat_transfer
from metaphrase.machines.linux.calls.table import Handler, signed32
from metaphrase.machines.linux.confinement.declare import confined, of
from metaphrase.machines.linux.confinement.refusals import PolicyRefusal
from metaphrase.machines.linux.memory import page_up

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task


# --- beginning --------------------------------------------------------------------------------------------------------
def _begin(task: Task, original: Handler, *values: int, thread: bool = False) -> int | None:
    """A call that makes a process, or perhaps a thread, if there may be one more."""
    confinement, parent = of(task), os.getpid()
    limit = confinement.policy.processes
    if thread and limit is not None and len(task.process.tasks) >= limit:
        raise PolicyRefusal(EAGAIN, "a thread", f"there may be {limit}")
    mark = confinement.family.reserve()
    if mark is None:
        raise PolicyRefusal(EAGAIN, "a process", f"there may be {limit}")
    try:
        result = original(task, *values)
    except BaseException:
        confinement.family.give_back(mark)
        raise
    if os.getpid() != parent:
        confinement.family.enter(mark, os.getpid())
        confinement.watch(task.process)
    elif result is not None and result > 0 and task.process.find_task(result) is None:
        confinement.family.enter(mark, result)
    else:
        confinement.family.give_back(mark)
    return result


@confined("unshare")
def unshare(task: Task, flags: int) -> int:
    """unshare(2): no namespaces."""
    if flags & system.UNSHARE_NAMESPACES:
        raise PolicyRefusal(EPERM, "unshare", "no namespaces")
    return system.unshare(task, flags)


@confined("fork")
def fork(task: Task) -> int | None:
    """fork(2)."""
    return _begin(task, forking.fork)


@confined("vfork")
def vfork(task: Task) -> int | None:
    """vfork(2)."""
    return _begin(task, forking.vfork)


@confined("clone")
def clone(task: Task, flags: int, stack: int, third: int, fourth: int, fifth: int) -> int | None:
    """clone(2)."""
    thread = bool(flags & forking.CLONE_THREAD)
    return _begin(task, forking.clone, flags, stack, third, fourth, fifth, thread=thread)


@confined("clone3")
def clone3(task: Task, pointer: int, size: int) -> int | None:
    """clone3(2)."""
    return _begin(task, forking.clone3, pointer, size, thread=True)


# --- signals ----------------------------------------------------------------------------------------------------------
@confined("kill")
def kill(task: Task, target: int, number: int) -> int:
    """kill(2). Groups, and all processes, are those of them that are the guest's."""
    target = signed32(target)
    confinement = of(task)
    if target > 0:
        confinement.require_process(task, target)
        return signals.kill(task, target, number)
    own_group = os.getpgrp()
    group = own_group if target == 0 else -target
    members = [
        member for member in confinement.family.members() if target == -1 or host.call(HOST["getpgid"], member) == group
    ]
    results = [host.call(HOST["kill"], member, number) for member in members]
    if target != -1 and group == own_group:
        results.append(signals.kill(task, os.getpid(), number))
    if not results:
        if target != -1:
            raise PolicyRefusal(ESRCH, f"process group {group}", "none of the guest's processes are in it")
        return -ESRCH
    return 0 if 0 in results else results[0]


@confined("tkill")
def tkill(task: Task, thread: int, number: int) -> int:
    """tkill(2)."""
    of(task).require_process(task, thread)
    return signals.tkill(task, thread, number)


@confined("tgkill")
def tgkill(task: Task, group: int, thread: int, number: int) -> int:
    """tgkill(2)."""
    of(task).require_process(task, group)
    return signals.tgkill(task, group, thread, number)


@confined("rt_sigqueueinfo")
def rt_sigqueueinfo(task: Task, target: int, number: int, info: int) -> int:
    """rt_sigqueueinfo(2)."""
    of(task).require_process(task, target)
    return signals.rt_sigqueueinfo(task, target, number, info)


@confined("rt_tgsigqueueinfo")
def rt_tgsigqueueinfo(task: Task, group: int, thread: int, number: int, info: int) -> int:
    """rt_tgsigqueueinfo(2)."""
    of(task).require_process(task, group)
    return signals.rt_tgsigqueueinfo(task, group, thread, number, info)


@confined("rt_sigqueueinfo", compat=True)
def rt_sigqueueinfo_32(task: Task, target: int, number: int, info: int) -> int:
    """rt_sigqueueinfo(2), of words of 32 bits."""
    of(task).require_process(task, target)
    return compat_signals.rt_sigqueueinfo(task, target, number, info)


@confined("rt_tgsigqueueinfo", compat=True)
def rt_tgsigqueueinfo_32(task: Task, group: int, thread: int, number: int, info: int) -> int:
    """rt_tgsigqueueinfo(2), of words of 32 bits."""
    of(task).require_process(task, group)
    return compat_signals.rt_tgsigqueueinfo(task, group, thread, number, info)


# --- who it is --------------------------------------------------------------------------------------------------------
def _require_ids(given: tuple[int, ...], own: tuple[int, ...]) -> int:
    """0 if a process asks to be who it is; nobody else is allowed."""
    if all(signed32(value) == -1 or value & 0xFFFF_FFFF in own for value in given):
        return 0
    raise PolicyRefusal(EPERM, "another user or group", "a guest stays who it is")


@confined("setuid")
def setuid(task: Task, user: int) -> int:
    """setuid(2)."""
    return _require_ids((user,), os.getresuid()[:2])


@confined("setgid")
def setgid(task: Task, group: int) -> int:
    """setgid(2)."""
    return _require_ids((group,), os.getresgid()[:2])


@confined("setreuid")
def setreuid(task: Task, real: int, effective: int) -> int:
    """setreuid(2)."""
    return _require_ids((real, effective), os.getresuid()[:2])


@confined("setregid")
def setregid(task: Task, real: int, effective: int) -> int:
    """setregid(2)."""
    return _require_ids((real, effective), os.getresgid()[:2])


@confined("setresuid")
def setresuid(task: Task, real: int, effective: int, saved: int) -> int:
    """setresuid(2)."""
    return _require_ids((real, effective, saved), os.getresuid()[:2])


@confined("setresgid")
def setresgid(task: Task, real: int, effective: int, saved: int) -> int:
    """setresgid(2)."""
    return _require_ids((real, effective, saved), os.getresgid()[:2])


@confined("setfsuid")
def setfsuid(task: Task, user: int) -> int:
    """setfsuid(2), which tells who it was whatever it does."""
    return os.geteuid()


@confined("setfsgid")
def setfsgid(task: Task, group: int) -> int:
    """setfsgid(2)."""
    return os.getegid()


# --- priorities and limits --------------------------------------------------------------------------------------------
#: SCHED_OTHER, SCHED_BATCH, SCHED_IDLE; the others could keep the host from its work.
_MILD_SCHEDULING = (0, 3, 5)
_PRIO_PROCESS = 0
#: prctl's options that concern the guest alone: PDEATHSIG, DUMPABLE, names, CAPBSET_READ, TIMERSLACK, NO_NEW_PRIVS, ...
_PRCTL = frozenset({1, 2, 3, 7, 15, 16, 23, 27, 30, 37, 38, 39, 42})
_LIMITS, _LIMITS_32 = struct.Struct("<QQ"), struct.Struct("<II")
_INFINITY = (1 << 64) - 1
_RLIMIT_FSIZE, _RLIMIT_NPROC, _RLIMIT_NOFILE, _RLIMIT_AS = 1, 6, 7, 9


@confined("sched_setscheduler")
def sched_setscheduler(task: Task, target: int, how: int, parameters: int) -> int:
    """sched_setscheduler(2)."""
    number = of(task).require_process(task, target)
    if how & 0xFF not in _MILD_SCHEDULING:
        raise PolicyRefusal(EPERM, f"scheduling policy {how & 0xFF}", "it keeps others from running")
    return host.call(HOST["sched_setscheduler"], number, how, task.window.host_pointer(parameters))


@confined("getpriority")
def getpriority(task: Task, which: int, who: int) -> int:
    """getpriority(2)."""
    if signed32(which) != _PRIO_PROCESS and signed32(who):
        return -ESRCH
    of(task).require_process(task, who)
    return host.call(HOST["getpriority"], _PRIO_PROCESS, who)


@confined("setpriority")
def setpriority(task: Task, which: int, who: int, priority: int) -> int:
    """setpriority(2): down, of a process."""
    if signed32(which) != _PRIO_PROCESS:
        return -EPERM
    of(task).require_process(task, who)
    before = 20 - host.check(host.call(HOST["getpriority"], _PRIO_PROCESS, who))
    if signed32(priority) < before:
        return -EACCES
    return host.call(HOST["setpriority"], _PRIO_PROCESS, who, priority)


@confined("prctl")
def prctl(task: Task, option: int, second: int, third: int, fourth: int, fifth: int) -> int:
    """prctl(2)."""
    if signed32(option) not in _PRCTL:
        return -EINVAL
    return process.prctl(task, option, second, third, fourth, fifth)


def _policy_limit(task: Task, resource: int) -> int | None:
    policy = of(task).policy
    return {
        _RLIMIT_FSIZE: policy.limits.file_size, _RLIMIT_NPROC: policy.processes,
        _RLIMIT_NOFILE: policy.limits.open_files, _RLIMIT_AS: policy.limits.address_space,
    }.get(resource)  # fmt: skip


def limit_of(task: Task, resource: int) -> tuple[int, int]:
    """getrlimit(2): what the process has, and the policy's if that is less."""
    kept = task.process.memory_limits.get(resource)
    if kept is None:
        area = (ctypes.c_uint64 * 2)()
        host.check(host.call(HOST["prlimit64"], 0, resource, 0, ctypes.addressof(area)))
        kept = area[0], area[1]
    most = _policy_limit(task, resource)
    return kept if most is None else (min(kept[0], most), min(kept[1], most))


def set_limit(task: Task, resource: int, soft: int, hard: int) -> int:
    """setrlimit(2): within the policy."""
    if soft > hard:
        return -EINVAL
    if hard > limit_of(task, resource)[1]:
        raise PolicyRefusal(EPERM, f"resource limit {resource}", "it can only become less")
    if resource in process.MEMORY_LIMITS:
        task.process.memory_limits[resource] = soft, hard
        return 0
    area, _keep = host.string(_LIMITS.pack(soft, hard))
    return host.call(HOST["prlimit64"], 0, resource, area, 0)


@confined("prlimit64")
def prlimit64(task: Task, target: int, resource: int, new: int, old: int) -> int:
    """prlimit(2), of the process itself."""
    if signed32(target) not in (0, os.getpid()):
        of(task).require_process(task, target)
        return -EPERM
    resource = signed32(resource)
    before = limit_of(task, resource)
    if new:
        result = set_limit(task, resource, *_LIMITS.unpack(task.window.read(new, _LIMITS.size)))
        if result < 0:
            return result
    if old:
        task.window.write(old, _LIMITS.pack(*before))
    return 0


@confined("getrlimit")
def getrlimit(task: Task, resource: int, limit: int) -> int:
    """getrlimit(2)."""
    return prlimit64(task, 0, resource, 0, limit)


@confined("setrlimit")
def setrlimit(task: Task, resource: int, limit: int) -> int:
    """setrlimit(2)."""
    return prlimit64(task, 0, resource, limit, 0)


@confined("ugetrlimit", compat=True)
def ugetrlimit(task: Task, resource: int, pointer: int) -> int:
    """getrlimit(2), of words of 32 bits."""
    limits = limit_of(task, signed32(resource))
    task.window.write(pointer, _LIMITS_32.pack(*(min(limit, compat_processes.INFINITY_32) for limit in limits)))
    return 0


@confined("getrlimit", compat=True)
def getrlimit_32(task: Task, resource: int, pointer: int) -> int:
    """getrlimit(2) as it was once."""
    limits = limit_of(task, signed32(resource))
    task.window.write(pointer, _LIMITS_32.pack(*(min(limit, compat_processes.OLD_INFINITY) for limit in limits)))
    return 0


@confined("setrlimit", compat=True)
def setrlimit_32(task: Task, resource: int, pointer: int) -> int:
    """setrlimit(2), of words of 32 bits."""
    narrow = _LIMITS_32.unpack(task.window.read(pointer, _LIMITS_32.size))
    soft, hard = (_INFINITY if limit == compat_processes.INFINITY_32 else limit for limit in narrow)
    return set_limit(task, signed32(resource), soft, hard)


# --- memory -----------------------------------------------------------------------------------------------------------
def _require_room(task: Task, more: int) -> None:
    """ENOMEM where so many bytes more would be too many."""
    most = of(task).policy.limits.address_space
    if most is not None and more > 0:
        mapped = sum(region.end - region.start for region in task.window.regions)
        if mapped + more > most:
            raise PolicyRefusal(ENOMEM, "memory", f"a process may map {most} bytes")


def _map(
    task: Task, address: int, length: int, protection: int, flags: int, descriptor: int, offset: int
) -> int:
    _require_room(task, page_up(length))
    return memory.mmap(task, address, length, protection, flags, descriptor, offset)


confined("mmap")(_map)


@confined("mmap2", compat=True)
def mmap2(
    task: Task, address: int, length: int, protection: int, flags: int, descriptor: int, page: int
) -> int:
    """mmap2(2)."""
    _require_room(task, page_up(length))
    return compat_transfer.mmap2(task, address, length, protection, flags, descriptor, page)


@confined("mmap", compat=True)
def old_mmap(task: Task, arguments: int) -> int:
    """mmap(2) with its arguments in memory."""
    return _map(task, *struct.unpack("<6I", task.window.read(arguments, 24)))


@confined("mremap")
def mremap(task: Task, old: int, old_length: int, new_length: int, flags: int, target: int) -> int:
    """mremap(2)."""
    _require_room(task, page_up(new_length) - page_up(old_length))
    region = task.window.regions.find(old)
    if region is not None and region.inode and not region.shared and new_length > old_length:
        return -ENOMEM  # the file would be looked for by its name
    return memory.mremap(task, old, old_length, new_length, flags, target)


@confined("brk")
def brk(task: Task, value: int) -> int:
    """brk(2)."""
    now = task.process.space.set_break(0)
    try:
        _require_room(task, value - now)
    except PolicyRefusal as refusal:
        of(task).denied("brk", refusal.subject, refusal.reason)
        return now
    return task.process.space.set_break(value)
