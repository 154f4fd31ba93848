"""Delivering signals to a guest: entering handlers, returning from them, and the default actions."""

from __future__ import annotations

import os
import threading
from signal import SIGSEGV
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.base import SignalDelivery
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.machines.linux.signals import (
    SA_NODEFER,
    SA_ONSTACK,
    SA_RESETHAND,
    SI_KERNEL,
    SIG_DFL,
    SIG_IGN,
    SS_AUTODISARM,
    SS_DISABLE,
    SS_ONSTACK,
    STOPPING,
    Pending,
    bit,
    information,
    is_ignored_by_default,
)

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task


def deliver_pending(task: Task) -> None:
    """Act on every signal that is pending and not blocked."""
    signals = task.signals
    signals.attention = False
    while task.process.exit_status is None:
        pending = signals.deliverable()
        if pending is None:
            break
        signals.remove(pending)
        _deliver(task, pending)
        task.process.host_signals.taken(task, pending.signal)
    if signals.mask_to_restore is not None:
        # A call had put in another mask and no handler runs under it any more.
        mask, signals.mask_to_restore = signals.mask_to_restore, None
        task.set_signal_mask(mask)


def force(task: Task, pending: Pending) -> None:
    """Deliver what the current instruction raised: it can be neither ignored nor blocked (force_sig_info)."""
    signals = task.signals
    action = signals.actions[pending.signal]
    if action.handler == SIG_IGN or signals.mask & bit(pending.signal):
        action.handler = SIG_DFL
    _deliver(task, pending)


def _deliver(task: Task, pending: Pending) -> None:
    action = task.signals.actions[pending.signal]
    if action.handler == SIG_IGN:
        return
    if action.handler == SIG_DFL:
        if pending.signal in STOPPING:
            _stop(pending.signal)
        elif not is_ignored_by_default(pending.signal):
            task.process.kill(pending)
        return
    try:
        _enter_handler(task, pending)
    except GuestFault as fault:
        # No room for the frame, which kills the process unless its SIGSEGV handler has a stack of its own.
        if pending.signal == SIGSEGV or task.signals.actions[SIGSEGV].handler in (SIG_DFL, SIG_IGN):
            task.process.kill(
                Pending(SIGSEGV, information(SIGSEGV, SI_KERNEL)), f"no stack for a handler at {fault.address:#x}"
            )
        else:
            force(task, Pending(SIGSEGV, information(SIGSEGV, SI_KERNEL)))


def _stop(number: int) -> None:
    """Stop the process, as the host's kernel does it, whose parent is told by what, and whose process group may be
    orphaned. The host's disposition is the guest's."""
    mask = host.signal_mask()
    host.set_signal_mask(mask & ~bit(number))
    host.call(HOST["tgkill"], os.getpid(), threading.get_native_id(), number)
    host.set_signal_mask(mask)


def _enter_handler(task: Task, pending: Pending) -> None:
    signals, abi, cpu = task.signals, task.abi, task.cpu
    action = signals.actions[pending.signal]
    stack_pointer = cpu.get(abi.stack_pointer)
    base, flags, size = signals.alternate_stack
    already_there = signals.on_alternate_stack(stack_pointer)
    switch = bool(action.flags & SA_ONSTACK) and not flags & SS_DISABLE and not already_there
    delivery = SignalDelivery(
        signal=pending.signal,
        info=pending.info,
        handler=action.handler,
        restorer=action.restorer,
        mask=signals.mask if signals.mask_to_restore is None else signals.mask_to_restore,
        stack_pointer=base + size if switch else stack_pointer,
        on_alternate_stack=switch,
        alternate_stack=(base, flags | (SS_ONSTACK if already_there else 0), size),
        detail=pending.detail,
        vdso=task.process.vdso,
        flags=action.flags,
    )
    abi.frames.push(cpu, task.window, delivery)
    signals.mask_to_restore = None
    if switch and flags & SS_AUTODISARM:
        signals.alternate_stack = (0, SS_DISABLE, 0)
    mask = signals.mask | action.mask
    if not action.flags & SA_NODEFER:
        mask |= bit(pending.signal)
    if action.flags & SA_RESETHAND:
        action.handler = SIG_DFL
        task.process.host_signals.follow(pending.signal, action)
    task.set_signal_mask(mask)


def return_from_handler(task: Task) -> None:
    """rt_sigreturn(2). A frame that cannot be read kills the process."""
    try:
        context = task.abi.frames.pop(task.cpu, task.window)
    except GuestFault:
        force(task, Pending(SIGSEGV, information(SIGSEGV, SI_KERNEL)))
        return
    base, flags, size = context.alternate_stack
    task.signals.alternate_stack = (base, flags & ~SS_ONSTACK, size)
    task.set_signal_mask(context.mask)
