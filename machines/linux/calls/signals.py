"""Signals: rt_sigaction(2), rt_sigprocmask(2), kill(2), sigaltstack(2), rt_sigtimedwait(2)."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EINTR, EINVAL, ENOMEM, EPERM
from signal import SIGBUS, SIGKILL, SIGSEGV, SIGSTOP
from typing import TYPE_CHECKING

from metaphrase.machines.linux import delivery, host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.polling import with_mask
from metaphrase.machines.linux.calls.table import IN, VALUE, passthrough, signed32, syscall
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

if TYPE_CHECKING:
    from metaphrase.machines.linux.process import LinuxProcess

_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_MINIMUM_STACK = 2048

passthrough("pidfd_send_signal", VALUE, VALUE, IN, VALUE)


@syscall("rt_sigaction")
def rt_sigaction(process: LinuxProcess, number: int, new: int, old: int, size: int) -> int:
    """rt_sigaction(2)."""
    number = signed32(number)
    if size != 8 or not 1 <= number <= COUNT or (new and number in (SIGKILL, SIGSTOP)):
        return -EINVAL
    window = process.window
    layout = struct.Struct("<4Q" if process.abi.has_restorer else "<3Q")
    fields = layout.unpack(window.read(new, layout.size)) if new else ()
    action = process.signals.actions[number]
    if old:
        restorer = (action.restorer,) if process.abi.has_restorer else ()
        window.write(old, layout.pack(action.handler, action.flags, *restorer, action.mask))
    if fields:
        handler, flags, mask = fields[0], fields[1], fields[-1]
        action = Action(handler, flags, fields[2] if process.abi.has_restorer else 0, mask & ~(1 << 8 | 1 << 18))
        process.signals.actions[number] = action
        if handler > SIG_IGN and number in (SIGSEGV, SIGBUS) and isinstance(process.cpu, MakesFaultsExact):
            process.cpu.make_exact()
        if handler == SIG_IGN or (handler == SIG_DFL and is_ignored_by_default(number)):
            process.signals.discard(number)
        process.host_signals.follow(number, action)
    return 0


@syscall("rt_sigprocmask")
def rt_sigprocmask(process: LinuxProcess, how: int, new: int, old: int, size: int) -> int:
    """rt_sigprocmask(2)."""
    if size != 8:
        return -EINVAL
    window, signals = process.window, process.signals
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
            process.set_signal_mask(mask)
    if old:
        window.write_u64(old, current)
    return 0


@syscall("rt_sigpending")
def rt_sigpending(process: LinuxProcess, pointer: int, size: int) -> int:
    """rt_sigpending(2): what waits here and what the host holds back."""
    if size > 8:
        return -EINVAL
    held = ctypes.c_uint64()
    host.check(host.call(HOST["rt_sigpending"], ctypes.addressof(held), 8))
    mask = (held.value | process.signals.pending_mask()) & process.signals.mask
    process.window.write(pointer, mask.to_bytes(8, "little")[:size])
    return 0


@syscall("rt_sigreturn")
def rt_sigreturn(process: LinuxProcess) -> None:
    """rt_sigreturn(2)."""
    delivery.return_from_handler(process)


@syscall("rt_sigsuspend", restart=False)
def rt_sigsuspend(process: LinuxProcess, mask: int, size: int) -> int:
    """rt_sigsuspend(2)."""
    if size != 8:
        return -EINVAL
    return with_mask(process, mask, lambda pointer: process.blocking_call(HOST["rt_sigsuspend"], pointer, 8))


@syscall("pause", restart=False)
def pause(process: LinuxProcess) -> int:
    """pause(2)."""
    return process.blocking_call(HOST["pause"])


@syscall("rt_sigtimedwait", restart=False)
def rt_sigtimedwait(process: LinuxProcess, wanted: int, info: int, timeout: int, size: int) -> int:
    """rt_sigtimedwait(2)."""
    if size != 8:
        return -EINVAL
    window = process.window
    mask = window.read_u64(wanted)
    pending = process.signals.take(mask)
    if pending is not None:
        if info:
            window.write(info, pending.info)
        return pending.signal
    if process.signals.deliverable() is not None:
        return -EINTR
    host_mask = ctypes.c_uint64(process.host_signals.host_mask(mask))
    window.will_write(info, 128)
    return process.blocking_call(
        HOST["rt_sigtimedwait"], ctypes.addressof(host_mask), window.host_pointer(info), window.host_pointer(timeout), 8
    )


@syscall("sigaltstack")
def sigaltstack(process: LinuxProcess, new: int, old: int) -> int:
    """sigaltstack(2)."""
    window, signals = process.window, process.signals
    base, flags, size = signals.alternate_stack
    active = signals.on_alternate_stack(process.cpu.get(process.abi.stack_pointer))
    wish = struct.unpack("<QiiQ", window.read(new, 24)) if new else None
    if old:
        window.write(old, struct.pack("<QIiQ", base, flags | (SS_ONSTACK if active else 0), 0, size))
    if wish is not None:
        if active:
            return -EPERM
        base, mode, _, size = wish
        mode &= 0xFFFF_FFFF
        if mode & ~(SS_DISABLE | SS_ONSTACK | SS_AUTODISARM):
            return -EINVAL
        if mode & SS_DISABLE:
            signals.alternate_stack = (0, SS_DISABLE, 0)
        elif size < _MINIMUM_STACK:
            return -ENOMEM
        else:
            signals.alternate_stack = (base, mode & SS_AUTODISARM, size)
    return 0


@syscall("kill")
def kill(process: LinuxProcess, target: int, number: int) -> int:
    """kill(2)."""
    if signed32(target) == os.getpid():
        return _send_to_self(process, number, SI_USER)
    return host.call(HOST["kill"], target, number)


@syscall("tkill")
def tkill(process: LinuxProcess, thread: int, number: int) -> int:
    """tkill(2)."""
    if signed32(thread) == os.getpid():
        return _send_to_self(process, number, SI_TKILL)
    return host.call(HOST["tkill"], thread, number)


@syscall("tgkill")
def tgkill(process: LinuxProcess, group: int, thread: int, number: int) -> int:
    """tgkill(2)."""
    if signed32(group) == signed32(thread) == os.getpid():
        return _send_to_self(process, number, SI_TKILL)
    return host.call(HOST["tgkill"], group, thread, number)


@syscall("rt_sigqueueinfo")
def rt_sigqueueinfo(process: LinuxProcess, target: int, number: int, info: int) -> int:
    """rt_sigqueueinfo(2)."""
    if signed32(target) != os.getpid():
        return host.call(HOST["rt_sigqueueinfo"], target, number, process.window.host_pointer(info))
    if not 1 <= signed32(number) <= COUNT:
        return -EINVAL
    data = process.window.read(info, 128)
    process.signals.queue(Pending(signed32(number), struct.pack("<i", signed32(number)) + data[4:]))
    return 0


@syscall("rt_tgsigqueueinfo")
def rt_tgsigqueueinfo(process: LinuxProcess, group: int, thread: int, number: int, info: int) -> int:
    """rt_tgsigqueueinfo(2)."""
    if signed32(group) == signed32(thread):
        return rt_sigqueueinfo(process, thread, number, info)
    return host.call(HOST["rt_tgsigqueueinfo"], group, thread, number, process.window.host_pointer(info))


def _send_to_self(process: LinuxProcess, number: int, code: int) -> int:
    number = signed32(number)
    if not 0 <= number <= COUNT:
        return -EINVAL
    if number == 0:
        return 0
    info = sent_by(number, code, os.getpid(), os.getuid())
    if process.signals.mask & bit(number) and number not in SYNCHRONOUS and process.host_signals.is_active:
        # Blocked: the host holds it back, where sigwait and signalfd look for it; for this thread, because others of
        # the host process (a notebook's) may not block it.
        area, _keep = host.string(info)
        return host.call(HOST["rt_tgsigqueueinfo"], os.getpid(), os.getpid(), number, area)
    process.signals.queue(Pending(number, info))
    return 0
