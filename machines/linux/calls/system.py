"""The system: uname(2), sysinfo(2), getrandom(2); and what its administrators do, who may do it here too."""

from __future__ import annotations

import os
from errno import EBADF, EINVAL, EPERM
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, OUT, PATH, SIZE, VALUE, out, passthrough, signed32, syscall
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_NAME_SIZE = 65
_MOST_HANDLE = 128
"""Bytes of a file's handle, at most (MAX_HANDLE_SZ)."""
_DOMAIN_UNKNOWN = b"(none)"
_PERSONALITY_QUERY = 0xFFFF_FFFF
#: CLONE_VM, SIGHAND, THREAD; FS, FILES, SYSVSEM; NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_UNSHARE_THREADS, _UNSHARE_PARTS, UNSHARE_NAMESPACES = 0x1_0900, 0x4_0600, 0x7E02_0080

passthrough("sysinfo", out(112))
passthrough("getrandom", OUT, SIZE, VALUE, blocking=True, way=Way.PLAIN)  # the host has started long ago

passthrough("sethostname", IN, VALUE)
passthrough("setdomainname", IN, VALUE)
passthrough("settimeofday", IN, IN)
passthrough("syslog", VALUE, out(1 << 12), VALUE)
passthrough("acct", PATH)
passthrough("swapon", PATH, VALUE)
passthrough("swapoff", PATH)
passthrough("mount", IN, PATH, IN, VALUE, IN)
passthrough("umount2", PATH, VALUE)
passthrough("vhangup")
passthrough("name_to_handle_at", VALUE, PATH, out(8 + _MOST_HANDLE), out(4), VALUE)
passthrough("open_by_handle_at", VALUE, IN, VALUE)
passthrough("kcmp", VALUE, VALUE, VALUE, VALUE, VALUE)


@syscall("setns")
def setns(task: Task, descriptor: int, kinds: int) -> int:
    """setns(2): of the thread that calls, as the kernel has it."""
    if task.process.descriptors.is_private(signed32(descriptor)):
        return -EBADF
    return host.call(HOST["setns"], descriptor, kinds)


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
    """unshare(2): a process with one thread shares nothing but namespaces, which are the calling thread's own.

    The kernel refuses a namespace of users (EINVAL): the translator's threads are in the same process.
    """
    if flags & ~(_UNSHARE_THREADS | _UNSHARE_PARTS | UNSHARE_NAMESPACES):
        return -EINVAL
    alone = len(task.process.tasks) == 1
    if flags & _UNSHARE_THREADS and not alone:
        return -EINVAL
    if flags & _UNSHARE_PARTS and not alone:
        return -EPERM
    return host.call(HOST["unshare"], flags & UNSHARE_NAMESPACES) if flags & UNSHARE_NAMESPACES else 0


@syscall("ptrace", "reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "iopl",
         "ioperm")  # fmt: skip
def refuse(task: Task) -> int:
    """What would reach the translator itself, or the machine that it runs on."""
    return -EPERM


REFUSING = frozenset({refuse})
"""Handlers whose EPERM is ours."""
