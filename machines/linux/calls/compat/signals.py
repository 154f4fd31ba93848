"""Signals: the calls that came before real-time signals, and structures of 32-bit words."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EINVAL, ENOMEM, EPERM
from typing import TYPE_CHECKING

from metaphrase.machines.linux import delivery, host
from metaphrase.machines.linux.abi.i386 import pop_old_frame
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls import signals as calls
from metaphrase.machines.linux.calls.compat.layouts import TIME_32, TIME_64, Structure, host_area
from metaphrase.machines.linux.calls.polling import with_mask
from metaphrase.machines.linux.calls.table import signed32, syscall
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.machines.linux.signals import (
    COUNT,
    SA_NODEFER,
    SA_RESETHAND,
    SI_KERNEL,
    SS_AUTODISARM,
    SS_DISABLE,
    SS_ONSTACK,
    Action,
    Pending,
    information,
    information_32,
    information_64,
)

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

#: struct sigaction: handler, flags, restorer, mask; the old one has its mask behind the handler.
_ACTION, _OLD_ACTION = struct.Struct("<IIIQ"), struct.Struct("<IIII")
_STACK = struct.Struct("<III")
_MINIMUM_STACK = 2048
_SIGINFO_SIZE = 128
_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_LOW = 0xFFFF_FFFF
_SIGSEGV = 11


@syscall("rt_sigaction", compat=True)
def rt_sigaction(task: Task, number: int, new: int, old: int, size: int) -> int:
    """rt_sigaction(2)."""
    number = signed32(number)
    if size != 8 or not 1 <= number <= COUNT:
        return -EINVAL
    window = task.window
    fields = _ACTION.unpack(window.read(new, _ACTION.size)) if new else None
    before = task.signals.actions[number]
    if fields is not None:
        handler, flags, restorer, mask = fields
        status = calls.set_action(task, number, Action(handler, flags, restorer, mask))
        if status < 0:
            return status
    if old:
        window.write(old, _ACTION.pack(before.handler, before.flags, before.restorer, before.mask))
    return 0


@syscall("sigaction", compat=True)
def sigaction(task: Task, number: int, new: int, old: int) -> int:
    """sigaction(2)."""
    number = signed32(number)
    if not 1 <= number <= COUNT:
        return -EINVAL
    window = task.window
    fields = _OLD_ACTION.unpack(window.read(new, _OLD_ACTION.size)) if new else None
    before = task.signals.actions[number]
    if fields is not None:
        handler, mask, flags, restorer = fields
        status = calls.set_action(task, number, Action(handler, flags, restorer, mask))
        if status < 0:
            return status
    if old:
        window.write(old, _OLD_ACTION.pack(before.handler, before.mask & _LOW, before.flags, before.restorer))
    return 0


@syscall("signal", compat=True)
def signal(task: Task, number: int, handler: int) -> int:
    """signal(2): the handler runs once."""
    number = signed32(number)
    if not 1 <= number <= COUNT:
        return -EINVAL
    before = task.signals.actions[number].handler
    status = calls.set_action(task, number, Action(handler, SA_RESETHAND | SA_NODEFER))
    return status if status < 0 else before


@syscall("sigreturn", compat=True)
def sigreturn(task: Task) -> None:
    """sigreturn(2): back from a handler without a siginfo_t."""
    try:
        mask = pop_old_frame(task.cpu, task.window)
    except GuestFault:
        delivery.force(task, Pending(_SIGSEGV, information(_SIGSEGV, SI_KERNEL)))
        return
    task.set_signal_mask(mask)


@syscall("sigprocmask", compat=True)
def sigprocmask(task: Task, how: int, new: int, old: int) -> int:
    """sigprocmask(2), of the first 32 signals."""
    window, current = task.window, task.signals.mask
    if new:
        change = window.read_u32(new)
        masks = {
            _SIG_BLOCK: current | change, _SIG_UNBLOCK: current & ~change, _SIG_SETMASK: current & ~_LOW | change,
        }  # fmt: skip
        mask = masks.get(signed32(how))
        if mask is None:
            return -EINVAL
        task.set_signal_mask(mask)
    if old:
        window.write_u32(old, current)
    return 0


@syscall("sigpending", compat=True)
def sigpending(task: Task, pointer: int) -> int:
    """sigpending(2)."""
    return calls.rt_sigpending(task, pointer, 4)


@syscall("sigsuspend", restart=False, compat=True)
def sigsuspend(task: Task, unused: int, also_unused: int, mask: int) -> int:
    """sigsuspend(2), whose mask is a number."""
    return with_mask(task, 0, lambda area: task.blocking_call(HOST["rt_sigsuspend"], area, 8), value=mask)


def _wait(task: Task, layout: Structure, wanted: int, info: int, timeout: int, size: int) -> int:
    if size != 8:
        return -EINVAL
    told = ctypes.create_string_buffer(_SIGINFO_SIZE)
    time, _keep = host_area(layout.read(task, timeout)) if timeout else (0, None)
    number = calls.wait_for_signal(task, task.window.read_u64(wanted), told, time)
    if number > 0 and info:
        task.window.write(info, information_32(told.raw))
    return number


@syscall("rt_sigtimedwait", restart=False, compat=True)
def rt_sigtimedwait(task: Task, wanted: int, info: int, timeout: int, size: int) -> int:
    """rt_sigtimedwait(2)."""
    return _wait(task, TIME_32, wanted, info, timeout, size)


@syscall("rt_sigtimedwait_time64", restart=False, compat=True)
def rt_sigtimedwait_time64(task: Task, wanted: int, info: int, timeout: int, size: int) -> int:
    """rt_sigtimedwait(2)."""
    return _wait(task, TIME_64, wanted, info, timeout, size)


@syscall("sigaltstack", compat=True)
def sigaltstack(task: Task, new: int, old: int) -> int:
    """sigaltstack(2)."""
    window, signals = task.window, task.signals
    base, flags, size = signals.alternate_stack
    active = signals.on_alternate_stack(task.cpu.get(task.abi.stack_pointer))
    wish = _STACK.unpack(window.read(new, _STACK.size)) if new else None
    if old:
        window.write(old, _STACK.pack(base, flags | (SS_ONSTACK if active else 0), size))
    if wish is None:
        return 0
    if active:
        return -EPERM
    base, mode, size = wish
    mode &= _LOW
    if mode & ~SS_AUTODISARM not in (0, SS_DISABLE, SS_ONSTACK):
        return -EINVAL
    if mode & SS_DISABLE:
        signals.alternate_stack = (0, SS_DISABLE, 0)
    elif size < _MINIMUM_STACK:
        return -ENOMEM
    else:
        signals.alternate_stack = (base, mode & SS_AUTODISARM, size)
    return 0


def _given(task: Task, number: int, info: int) -> bytes:
    return information_64(task.window.read(info, _SIGINFO_SIZE), signed32(number))


@syscall("rt_sigqueueinfo", compat=True)
def rt_sigqueueinfo(task: Task, target: int, number: int, info: int) -> int:
    """rt_sigqueueinfo(2)."""
    data = _given(task, number, info)
    if signed32(target) == os.getpid():
        return calls.send(task.process, None, number, data) if calls.may_say(task, target, data) else -EPERM
    area, _keep = host_area(data)
    return host.call(HOST["rt_sigqueueinfo"], target, number, area)


@syscall("rt_tgsigqueueinfo", compat=True)
def rt_tgsigqueueinfo(task: Task, group: int, thread: int, number: int, info: int) -> int:
    """rt_tgsigqueueinfo(2)."""
    data = _given(task, number, info)
    if signed32(group) == os.getpid():
        return calls.send_described(task, thread, number, data)
    area, _keep = host_area(data)
    return host.call(HOST["rt_tgsigqueueinfo"], group, thread, number, area)
