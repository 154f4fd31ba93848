"""The system: uname(2), sysinfo(2), getrandom(2)."""

from __future__ import annotations

import os
from errno import EINVAL, EPERM
from typing import TYPE_CHECKING

from metaphrase.machines.linux.calls.table import OUT, SIZE, VALUE, out, passthrough, syscall
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_NAME_SIZE = 65
_DOMAIN_UNKNOWN = b"(none)"
_PERSONALITY_QUERY = 0xFFFF_FFFF
#: CLONE_VM, SIGHAND, THREAD; FS, FILES, SYSVSEM; NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_UNSHARE_THREADS, _UNSHARE_PARTS, _UNSHARE_NAMESPACES = 0x1_0900, 0x4_0600, 0x7E02_0080

passthrough("sysinfo", out(112))
passthrough("getrandom", OUT, SIZE, VALUE, blocking=True, way=Way.PLAIN)  # the host has started long ago


@syscall("uname")
def uname(task: Task, buffer: int) -> int:
    """uname(2): the host's kernel on the guest's machine."""
    names = os.uname()
    fields = [names.sysname, names.nodename, names.release, names.version, task.abi.platform or task.abi.name]
    area = b"".join(os.fsencode(field)[: _NAME_SIZE - 1].ljust(_NAME_SIZE, b"\0") for field in fields)
    task.window.write(buffer, area + _DOMAIN_UNKNOWN.ljust(_NAME_SIZE, b"\0"))
    return 0


@syscall("personality")
def personality(task: Task, value: int) -> int:
    """personality(2): remembered; addresses are not randomised unless asked for, which setarch may believe it did."""
    before, value = task.process.personality, value & 0xFFFF_FFFF
    if value != _PERSONALITY_QUERY:
        task.process.personality = value
    return before


@syscall("unshare")
def unshare(task: Task, flags: int) -> int:
    """unshare(2): a process with one thread shares nothing but namespaces, which take a privilege."""
    if flags & ~(_UNSHARE_THREADS | _UNSHARE_PARTS | _UNSHARE_NAMESPACES):
        return -EINVAL
    alone = len(task.process.tasks) == 1
    if flags & _UNSHARE_THREADS and not alone:
        return -EINVAL
    return 0 if not flags or (alone and not flags & _UNSHARE_NAMESPACES) else -EPERM


@syscall("syslog", "ptrace", "kcmp", "mount", "umount2", "reboot", "sethostname", "setdomainname", "setns",
         "vhangup")  # fmt: skip
def refuse(task: Task) -> int:
    """What takes a privilege that a guest is never given."""
    return -EPERM


REFUSING = frozenset({refuse, unshare})
"""Handlers whose EPERM is ours."""
