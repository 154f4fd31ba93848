"""Threads of a guest process: each runs on a thread of the host's (pthreads(7)).

A guest's thread ids are the host's, so that what names threads by them can be left to the host's kernel: futexes with
owners, /proc, timers. The thread that the process began with stays to the end, since Python's signal handlers run there
only; it also runs the program that another thread asks for by execve(2).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from errno import EAGAIN
from signal import SIGKILL
from typing import TYPE_CHECKING, NamedTuple

from metaphrase.machines.linux import futexes, host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.errors import LoadError
from metaphrase.machines.linux.host_signals import EVERYTHING
from metaphrase.machines.linux.loader import Program
from metaphrase.machines.linux.signals import SI_KERNEL, Pending, SignalState, information
from metaphrase.machines.linux.task import Task

if TYPE_CHECKING:
    from metaphrase.machines.linux.process import LinuxProcess

_PATIENCE = 0.02
"""Seconds after which threads that were told to end are told again."""


class Replacement(NamedTuple):
    """A program that is to take the process's place, and the signals of the thread that asked for it."""

    program: Program
    environment: Sequence[bytes]
    signals: SignalState


def start(parent: Task, *, stack: int, tls: int | None, child_tid: int) -> Task | int:
    """Start a thread with the registers of its parent but for its stack, and its own thread pointer if `tls` is one.

    It waits for the process's lock, which the caller holds. `child_tid` is cleared when it ends. Gives -EAGAIN where
    there can be none: if the CPU cannot have others beside it, or the process was not run by Python's main thread.
    """
    process, abi = parent.process, parent.abi
    if parent.siblings is None or not process.host_signals.is_active:
        return -EAGAIN
    if len(process.tasks) == 1:
        process.host_signals.prepare_for_threads()
    cpu = parent.siblings.sibling()
    task = Task(process, cpu, 0)
    task.name, task.clear_child_tid = parent.name, child_tid
    task.signals.mask = parent.signals.mask
    cpu.set(abi.result_register, 0)
    if stack:
        cpu.set(abi.stack_pointer, stack)
    if tls is not None:
        if abi.set_thread_pointer is not None:
            abi.set_thread_pointer(cpu, parent.window, tls)
        else:
            cpu.set(abi.thread_pointer, tls)
    thread = threading.Thread(target=_run, args=(task,), name="metaphrase guest", daemon=True)
    before = host.signal_mask()
    host.set_signal_mask(EVERYTHING)  # which the thread begins with
    try:
        thread.start()
    except RuntimeError:  # the host has no room for more
        assert task.siblings is not None
        task.siblings.retire()
        return -EAGAIN
    finally:
        host.set_signal_mask(before)
    task.number = thread.native_id or 0
    process.tasks.append(task)
    process.signals.states.append(task.signals)
    return task


def _run(task: Task) -> None:
    """What the host's thread does."""
    process, task.thread = task.process, threading.get_ident()
    try:
        with process.lock:
            process.host_signals.apply_mask(task.signals.mask)
        while task.goes_on():
            task.step()
            if process.main is task:  # this is the child of a fork
                process.lead_child()
    except BaseException as error:
        with process.lock:
            process.fail(error)
    finally:
        with process.lock:
            finish(task)


def finish(task: Task) -> None:
    """A thread has come to its end: tell those who wait for it."""
    process = task.process
    futexes.release(task)
    process.tasks.remove(task)
    process.signals.states.remove(task.signals)
    process.signals.redistribute()
    if task is not process.main and task.siblings is not None:
        task.siblings.retire()
    if not process.tasks:
        process.main.wake()
    process.changed.notify_all()


def end_others(task: Task) -> None:
    """Make all threads but one end, and wait until they have."""
    process = task.process
    while others := [other for other in process.tasks if other is not task]:
        for other in others:
            other.ended = True
            other.wake()
        process.changed.wait(_PATIENCE)


def end_all(process: LinuxProcess) -> None:
    """The process has ended: wait until all threads have, and let go of what the first one holds."""
    with process.lock:
        end_others(process.main)
        if process.main in process.tasks:
            futexes.release(process.main)


def wait_for_end(process: LinuxProcess) -> None:
    """The first thread has called exit: wait for the others to end the process, or for a program to run instead."""
    main = process.main
    with process.lock:
        if main in process.tasks:
            finish(main)
        while process.tasks and process.exit_status is None:
            main.blocking_call(HOST["pause"])
            process.signals.take_in()
        if process.exit_status is not None:
            return
        if process.replacement is None:
            process.end(main.exit_code)
            return
        replacement, process.replacement = process.replacement, None
        main.ended = False
        main.signals.mask, main.signals.pending = replacement.signals.mask, replacement.signals.pending
        main.set_signal_mask(main.signals.mask)
        process.tasks.append(main)
        process.signals.states.append(main.signals)
        replace(process, replacement.program, replacement.environment)


def replace(process: LinuxProcess, program: Program, environment: Sequence[bytes]) -> None:
    """Run a program in the process's place; its first thread is the only one."""
    futexes.release(process.main)
    process.release()
    for number in process.signals.reset_for_execve():
        process.host_signals.follow(number, process.signals.actions[number])
    process.main.signals.reset_for_execve()
    process.host_signals.begin_program()
    process.descriptors.close_on_execve()
    try:
        process.start(program, environment)
    except (LoadError, OSError):
        process.kill(Pending(SIGKILL, information(SIGKILL, SI_KERNEL)))
