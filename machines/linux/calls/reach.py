"""What a process reaches: its rights, by user and group ids (credentials(7)), and its root directory (chroot(2)).

Less of it may be reached afterwards by the translator too, which runs in the same process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EPERM
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import declare, host_path, syscall
from metaphrase.machines.linux.cpu import KeepsTranslations

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task


@contextmanager
def _other_rights(task: Task) -> Iterator[None]:
    cpu = task.cpu
    if isinstance(cpu, KeepsTranslations):
        cpu.need_no_files()
    yield
    if isinstance(cpu, KeepsTranslations):
        cpu.rights_changed()


def _sets_ids(name: str, arity: int) -> None:
    """Declare a call that takes so many ids."""
    number = HOST[name]

    def set_ids(task: Task, *ids: int) -> int:
        with _other_rights(task):
            return host.call(number, *ids)

    declare(name, set_ids, arity, restart=True)


for _name in ("setuid", "setgid", "setfsuid", "setfsgid"):
    _sets_ids(_name, 1)
for _name in ("setreuid", "setregid"):
    _sets_ids(_name, 2)
for _name in ("setresuid", "setresgid"):
    _sets_ids(_name, 3)


@syscall("chroot")
def chroot(task: Task, path: int) -> int:
    """chroot(2), for the guest's own processes: the first one is its caller's too."""
    if not task.process.is_fork_child:
        return -EPERM
    pointer, _keep = host_path(task, path)
    if isinstance(task.cpu, KeepsTranslations):
        task.cpu.need_no_files()
        task.cpu.leave_cache()
    host.keep_proc()
    return host.call(HOST["chroot"], pointer)
