"""What a thread that ends lets go of: robust futexes that it holds, and the word that tells that it has ended.

The kernel's own list of robust futexes is the interpreter's, so the guest's is gone through here (the format is
include/uapi/linux/futex.h's).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.errors import GuestFault

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

FUTEX_WAKE = 1
_WAITERS, _OWNER_DIED, _OWNER = 0x8000_0000, 0x4000_0000, 0x3FFF_FFFF
_LIST_LIMIT = 2048
_MANY = 1


def release(task: Task) -> None:
    """Let go of everything, whoever may wait for it."""
    with suppress(GuestFault):  # the list may not be what it should be, which the kernel does not mind either
        _release_robust(task)
    task.robust_list = 0
    if task.clear_child_tid:
        with suppress(GuestFault):  # its stack may be gone, and this with it
            task.window.write_u32(task.clear_child_tid, 0)
            wake(task, task.clear_child_tid)
        task.clear_child_tid = 0


def wake(task: Task, address: int) -> None:
    """Wake one of those who wait for a word, whether they share memory or a process."""
    host.call(HOST["futex"], task.window.host_pointer(address), FUTEX_WAKE, _MANY)


def _release_robust(task: Task) -> None:
    head = task.robust_list
    if not head:
        return
    word = task.abi.word

    def read(address: int) -> int:
        return int.from_bytes(task.window.read(address, word), "little")

    mask = (1 << 8 * word) - 1
    entry, offset, pending = (read(head + word * index) for index in range(3))
    for _ in range(_LIST_LIMIT):
        if entry & ~1 == head:
            break
        following = read(entry & ~1)  # before somebody else owns it
        if entry & ~1 != pending & ~1:
            _bury(task, (entry & ~1) + offset & mask, is_pi=bool(entry & 1))
        entry = following
    if pending & ~1:
        _bury(task, (pending & ~1) + offset & mask, is_pi=bool(pending & 1), is_pending=True)


def _bury(task: Task, address: int, *, is_pi: bool, is_pending: bool = False) -> None:
    """Mark a futex whose owner has died, if this thread is that, and wake one who waits for it."""
    if address & 3 or not task.window.check_write(address):
        return
    while True:
        value = task.window.read_u32(address)
        if is_pending and not is_pi and not value:
            wake(task, address)  # it was about to be given back, and may have been without anybody being told
            return
        if value & _OWNER != task.number:
            return
        if _exchange(task, address, value, value & _WAITERS | _OWNER_DIED) == value:
            break
    if value & _WAITERS and not is_pi:
        wake(task, address)


def _exchange(task: Task, address: int, expected: int, new: int) -> int:
    """Compare and exchange, atomically if there can be other threads and the host cannot fault at it."""
    region = task.window.regions.find(address)
    if task.siblings is not None and region is not None and region.stable:
        return task.siblings.compare_exchange(address, expected, new)
    task.window.write_u32(address, new)
    return expected
