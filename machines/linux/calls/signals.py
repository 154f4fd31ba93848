"""Signals: rt_sigaction(2), rt_sigprocmask(2), kill(2), sigaltstack(2), rt_sigtimedwait(2)."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EINTR, EINVAL, ENOMEM, EPERM, ESRCH
from signal import SIGBUS, SIGKILL, SIGSEGV, SIGSTOP
from typing import TYPE_CHECKING

from metaphrase.machines.linux import delivery, host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.polling import with_mask
from metaphrase.machines.linux.calls.table import IN, VALUE, in_native_code, passthrough, signed32, syscall
from metaphrase.machines.linux.cpu import MakesFaultsExact
from metaphrase.machines.linux.signals import (
    COUNT,
    SI_TKILL,
    SI_USER,
    SIG_DFL,
    SIG_IGN,
    SS_AUTODISARM,
    SS_DISABLE,
    SS_ONSTACK,
    SYNCHRONOUS,
    Action,
    Pending,
    bit,
    is_ignored_by_default,
    sent_by,
)
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.process import LinuxProcess
    from metaphrase.machines.linux.task import Task

_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_MINIMUM_STACK = 2048
_SIGINFO_SIZE = 128
_CODE = struct.Struct("<i")
_USER_CODE = struct.pack("<i", SI_USER)

passthrough("pidfd_send_signal", VALUE, VALUE, IN, VALUE)


@syscall("rt_sigaction")
def rt_sigaction(task: Task, number: int, new: int, old: int, size: int) -> int:
    """rt_sigaction(2)."""
    number = signed32(number)
    if size != 8 or not 1 <= number <= COUNT:
        return -EINVAL
    window = task.window
    layout = struct.Struct("<4Q" if task.abi.has_restorer else "<3Q")
    fields = layout.unpack(window.read(new, layout.size)) if new else ()
    if fields and number in (SIGKILL, SIGSTOP):
        return -EINVAL
    action = task.signals.actions[number]
    if old:
        restorer = (action.restorer,) if task.abi.has_restorer else ()
        window.write(old, layout.pack(action.handler, action.flags, *restorer, action.mask))
    if fields:
        return set_action(
            task, number, Action(fields[0], fields[1], fields[2] if task.abi.has_restorer else 0, fields[-1])
        )
    return 0


def set_action(task: Task, number: int, action: Action) -> int:
    """Take a new action for a signal; -EINVAL for one that has none."""
    if number in (SIGKILL, SIGSTOP):
        return -EINVAL
    action.mask &= ~(1 << SIGKILL - 1 | 1 << SIGSTOP - 1)
    task.signals.actions[number] = action
    if action.handler > SIG_IGN and number in (SIGSEGV, SIGBUS) and isinstance(task.cpu, MakesFaultsExact):
        task.cpu.make_exact()
    if action.handler == SIG_IGN or (action.handler == SIG_DFL and is_ignored_by_default(number)):
        task.process.signals.discard(number)
        task.process.host_signals.taken(task, number)
    task.process.host_signals.follow(number, action)
    return 0


@syscall("rt_sigprocmask", native=in_native_code("rt_sigprocmask", VALUE, VALUE, VALUE, VALUE, way=Way.MASK))
def rt_sigprocmask(task: Task, how: int, new: int, old: int, size: int) -> int:
    """rt_sigprocmask(2)."""
    if size != 8:
        return -EINVAL
    window, signals = task.window, task.signals
    current = signals.mask
    if new:
        change = window.read_u64(new)
        how = signed32(how)
        if how == _SIG_BLOCK:
            mask = current | change
        elif how == _SIG_UNBLOCK:
            mask = current & ~change
        elif how == _SIG_SETMASK:
            mask = change
        else:
            return -EINVAL
        if mask != current:
            task.set_signal_mask(mask)
    if old:
        window.write_u64(old, current)
    return 0


@syscall("rt_sigpending")
def rt_sigpending(task: Task, pointer: int, size: int) -> int:
    """rt_sigpending(2): what waits here and what the host holds back."""
    if size > 8:
        return -EINVAL
    held = ctypes.c_uint64()
    host.check(host.call(HOST["rt_sigpending"], ctypes.addressof(held), 8))
    mask = (held.value | task.signals.pending_mask()) & task.signals.mask
    task.window.write(pointer, mask.to_bytes(8, "little")[:size])
    return 0


@syscall("rt_sigreturn")
def rt_sigreturn(task: Task) -> None:
    """rt_sigreturn(2)."""
    delivery.return_from_handler(task)


@syscall("rt_sigsuspend", restart=False)
def rt_sigsuspend(task: Task, mask: int, size: int) -> int:
    """rt_sigsuspend(2)."""
    if size != 8:
        return -EINVAL
    return with_mask(task, mask, lambda pointer: task.blocking_call(HOST["rt_sigsuspend"], pointer, 8))


@syscall("pause", restart=False)
def pause(task: Task) -> int:
    """pause(2)."""
    return task.blocking_call(HOST["pause"])


@syscall("rt_sigtimedwait", restart=False)
def rt_sigtimedwait(task: Task, wanted: int, info: int, timeout: int, size: int) -> int:
    """rt_sigtimedwait(2)."""
    if size != 8:
        return -EINVAL
    told = ctypes.create_string_buffer(_SIGINFO_SIZE)
    number = wait_for_signal(task, task.window.read_u64(wanted), told, task.window.host_pointer(timeout))
    if number > 0 and info:
        task.window.write(info, told.raw)
    return number


def wait_for_signal(task: Task, mask: int, info: ctypes.Array[ctypes.c_char], timeout: int) -> int:
    """rt_sigtimedwait(2) with a siginfo_t of ours, and the host's address of a timeout."""
    signals = task.signals
    host_mask = ctypes.c_uint64(task.process.host_signals.host_mask(mask))
    while True:
        pending = signals.take(mask)
        if pending is not None:
            info.raw = pending.info
            task.process.host_signals.taken(task, pending.signal)
            return pending.signal
        if signals.deliverable() is not None or not task.goes_on():
            return -EINTR
        signals.awaited = mask
        try:
            result = task.blocking_call(
                HOST["rt_sigtimedwait"], ctypes.addressof(host_mask), ctypes.addressof(info), timeout, 8
            )
        finally:
            signals.awaited = 0
        if result != -EINTR:
            return result


@syscall("sigaltstack")
def sigaltstack(task: Task, new: int, old: int) -> int:
    """sigaltstack(2)."""
    window, signals = task.window, task.signals
    base, flags, size = signals.alternate_stack
    active = signals.on_alternate_stack(task.cpu.get(task.abi.stack_pointer))
    wish = struct.unpack("<QiiQ", window.read(new, 24)) if new else None
    if old:
        window.write(old, struct.pack("<QIiQ", base, flags | (SS_ONSTACK if active else 0), 0, size))
    if wish is not None:
        if active:
            return -EPERM
        base, mode, _, size = wish
        mode &= 0xFFFF_FFFF
        if mode & ~SS_AUTODISARM not in (0, SS_DISABLE, SS_ONSTACK):
            return -EINVAL
        if mode & SS_DISABLE:
            signals.alternate_stack = (0, SS_DISABLE, 0)
        elif size < _MINIMUM_STACK:
            return -ENOMEM
        else:
            signals.alternate_stack = (base, mode & SS_AUTODISARM, size)
    return 0


@syscall("kill")
def kill(task: Task, target: int, number: int) -> int:
    """kill(2)."""
    if signed32(target) != os.getpid():
        return host.call(HOST["kill"], target, number)
    return send(task.process, None, number, _sent(number, SI_USER))


@syscall("tkill")
def tkill(task: Task, thread: int, number: int) -> int:
    """tkill(2)."""
    target = task.process.find_task(signed32(thread))
    if target is None:
        return host.call(HOST["tkill"], thread, number)
    return send(task.process, target, number, _sent(number, SI_TKILL))


@syscall("tgkill")
def tgkill(task: Task, group: int, thread: int, number: int) -> int:
    """tgkill(2)."""
    if signed32(group) != os.getpid():
        return host.call(HOST["tgkill"], group, thread, number)
    return send_to_thread(task, thread, number, _sent(number, SI_TKILL))


def send_to_thread(task: Task, thread: int, number: int, info: bytes) -> int:
    """Send a signal to one of this process's threads."""
    if signed32(thread) <= 0:
        return -EINVAL
    target = task.process.find_task(signed32(thread))
    return -ESRCH if target is None else send(task.process, target, number, info)


def send_described(task: Task, thread: int, number: int, info: bytes) -> int:
    """The same of a signal that the guest describes itself."""
    allowed = signed32(thread) <= 0 or may_say(task, thread, info)
    return send_to_thread(task, thread, number, info) if allowed else -EPERM


def may_say(task: Task, target: int, info: bytes) -> bool:
    """Whether a thread may describe a signal so, which as the kernel's or tkill's only it itself may have."""
    (code,) = _CODE.unpack_from(info, 8)
    return not (code >= 0 or code == SI_TKILL) or signed32(target) == task.number


@syscall("rt_sigqueueinfo")
def rt_sigqueueinfo(task: Task, target: int, number: int, info: int) -> int:
    """rt_sigqueueinfo(2)."""
    if signed32(target) != os.getpid():
        return host.call(HOST["rt_sigqueueinfo"], target, number, task.window.host_pointer(info))
    data = _given(task, number, info)
    return send(task.process, None, number, data) if may_say(task, target, data) else -EPERM


@syscall("rt_tgsigqueueinfo")
def rt_tgsigqueueinfo(task: Task, group: int, thread: int, number: int, info: int) -> int:
    """rt_tgsigqueueinfo(2)."""
    if signed32(group) != os.getpid():
        return host.call(HOST["rt_tgsigqueueinfo"], group, thread, number, task.window.host_pointer(info))
    return send_described(task, thread, number, _given(task, number, info))


def _sent(number: int, code: int) -> bytes:
    """What a signal of this process's own tells."""
    return sent_by(number & 0xFF, code, os.getpid(), os.getuid())


def _given(task: Task, number: int, info: int) -> bytes:
    """What a signal tells that the guest describes itself."""
    return struct.pack("<i", signed32(number)) + task.window.read(info, 128)[4:]


def send(process: LinuxProcess, target: Task | None, number: int, info: bytes) -> int:
    """Send a signal to a thread of this process, or to whichever takes it."""
    number = signed32(number)
    if not 0 <= number <= COUNT:
        return -EINVAL
    if number == 0:
        return 0
    if number not in SYNCHRONOUS and process.host_signals.is_active and _held_back(process, target, number):
        # The host holds it back, where sigwait and signalfd look for it; for a certain thread, because others of the
        # host process (a notebook's) may not block it.
        area, _keep = host.string(info)
        if len(process.tasks) > 1 and info[8:12] == _USER_CODE:
            return host.call(HOST["kill"], os.getpid(), number)
        if len(process.tasks) > 1:
            return host.call(HOST["rt_sigqueueinfo"], os.getpid(), number, area)
        return host.call(HOST["rt_tgsigqueueinfo"], os.getpid(), process.main.number, number, area)
    pending = Pending(number, info)
    if target is None:
        process.signals.queue(pending)
    else:
        target.signals.queue(pending)
    return 0


def _held_back(process: LinuxProcess, target: Task | None, number: int) -> bool:
    """Whether a signal is blocked by all that it is for: for the only thread there is, or for none in particular."""
    if target is not None and len(process.tasks) > 1:
        return False
    return all(state.mask & bit(number) for state in process.signals.states)
