"""Threads: clone(2) with CLONE_THREAD, exit(2), gettid(2), futex(2), robust futexes, membarrier(2)."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from contextlib import suppress
from errno import EFAULT, EINTR, EINVAL, ENOSYS, ESRCH
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host, threads
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import VALUE, in_native_code, out, passthrough, signed32, syscall
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND = 0x100, 0x200, 0x400, 0x800
CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x8_0000, 0x10_0000, 0x20_0000, 0x100_0000
#: What a thread shares with the others: the host's threads share all of it.
_SHARED = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND

_ROBUST_LIST_WORDS = 3
_COMMAND, _CLOCK_REALTIME = 0x7F, 0x100
_WAIT, _LOCK_PI, _WAIT_BITSET, _WAIT_REQUEUE_PI, _LOCK_PI2 = 0, 6, 9, 11, 13
#: Commands that may wait, with a timeout in the place of a count.
_WAITING = frozenset({_WAIT, _LOCK_PI, _WAIT_BITSET, _WAIT_REQUEUE_PI, _LOCK_PI2})
#: REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_REQUEUE_PI, CMP_REQUEUE_PI: with a second word.
_OF_TWO = frozenset({3, 4, 5, _WAIT_REQUEUE_PI, 12})
_ANY_BIT = 0xFFFF_FFFF
_TIME = struct.Struct("<qq")
_NANOSECONDS = 1_000_000_000

passthrough("membarrier", VALUE, VALUE, VALUE)


def clone_thread(task: Task, flags: int, stack: int, parent_tid: int, child_tid: int, tls: int) -> int:
    """clone(2) with CLONE_THREAD."""
    if flags & _SHARED != _SHARED:
        return -EINVAL
    made = threads.start(
        task, stack=stack, tls=tls if flags & CLONE_SETTLS else None,
        child_tid=child_tid if flags & CLONE_CHILD_CLEARTID else 0,
    )  # fmt: skip
    if isinstance(made, int):
        return made
    for flag, pointer in ((CLONE_PARENT_SETTID, parent_tid), (CLONE_CHILD_SETTID, child_tid)):
        if flags & flag:
            with suppress(GuestFault):
                task.window.write_u32(pointer, made.number)
    return made.number


@syscall("exit")
def exit(task: Task, status: int) -> None:
    """exit(2): the process ends with its last thread."""
    if task.process.tasks == [task] and task is task.process.main:
        task.process.end(status)
        return
    task.exit_code, task.ended = status, True


@syscall("exit_group")
def exit_group(task: Task, status: int) -> None:
    """exit_group(2)."""
    task.process.end(status)


@syscall("gettid", native=in_native_code("gettid"))
def gettid(task: Task) -> int:
    """gettid(2)."""
    return task.number


@syscall("set_tid_address")
def set_tid_address(task: Task, pointer: int) -> int:
    """set_tid_address(2)."""
    task.clear_child_tid = pointer
    return task.number


@syscall("set_robust_list")
def set_robust_list(task: Task, head: int, length: int) -> int:
    """set_robust_list(2)."""
    if length != _ROBUST_LIST_WORDS * task.abi.word:
        return -EINVAL
    task.robust_list = head
    return 0


@syscall("get_robust_list")
def get_robust_list(task: Task, thread: int, head: int, length: int) -> int:
    """get_robust_list(2), of this process's threads."""
    other = task if not thread else task.process.find_task(signed32(thread))
    if other is None:
        return -ESRCH
    word = task.abi.word
    task.window.write(length, (_ROBUST_LIST_WORDS * word).to_bytes(word, "little"))
    task.window.write(head, other.robust_list.to_bytes(word, "little"))
    return 0


@syscall("futex", native=in_native_code("futex", out(4), VALUE, VALUE, VALUE, VALUE, VALUE, way=Way.FUTEX))
def futex(task: Task, word: int, operation: int, value: int, timeout: int, second_word: int, third: int) -> int:
    """futex(2). The host keys its queues by host address, so shared memory works across processes."""
    return wait_or_wake(
        task, lambda pointer: task.window.read(pointer, _TIME.size), word, operation, value, timeout, second_word, third
    )


def wait_or_wake(
    task: Task, read_time: Callable[[int], bytes], word: int, operation: int, value: int, timeout: int,
    second_word: int, third: int,
) -> int:  # fmt: skip
    """futex(2), whose timeout `read_time` reads as the host has it."""
    window = task.window
    operation = signed32(operation)
    command = operation & _COMMAND
    if command > _LOCK_PI2:
        return -ENOSYS
    if word >= window.size:
        return -EFAULT
    first = window.host_pointer(word)
    second = window.host_pointer(second_word) if command in _OF_TWO else 0  # others leave anything there
    window.will_write(word, 4)
    if command not in _WAITING:
        return host.call(HOST["futex"], first, operation, value, timeout, second, third)
    if command == _WAIT and timeout and not operation & _CLOCK_REALTIME:
        return _wait_for(task, first, operation, value, read_time(timeout))
    moment, _keep = host.string(read_time(timeout)) if timeout else (0, None)
    return task.blocking_call(HOST["futex"], first, operation, value, moment, second, third)


def _wait_for(task: Task, word: int, operation: int, value: int, timeout: bytes) -> int:
    """FUTEX_WAIT with a timeout, which is relative: an interruption that no handler sees does not begin it anew."""
    seconds, nanoseconds = _TIME.unpack(timeout)
    if seconds < 0 or not 0 <= nanoseconds < _NANOSECONDS:
        return -EINVAL
    end = min(time.monotonic_ns() + seconds * _NANOSECONDS + nanoseconds, (1 << 63) - 1)
    deadline, _keep = host.string(_TIME.pack(*divmod(end, _NANOSECONDS)))
    while True:
        result = task.blocking_call(
            HOST["futex"], word, operation & ~_COMMAND | _WAIT_BITSET, value, deadline, 0, _ANY_BIT
        )
        if result != -EINTR or task.signals.deliverable() is not None or not task.goes_on():
            return result
