"""Files of /proc that tell about this process: the guest is shown its own view, and never our memory."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping
from errno import EACCES
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.cpu import HasCapabilities
from metaphrase.machines.linux.host import PROT_EXEC, PROT_READ, PROT_WRITE

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_ENTRY = re.compile(r"/proc/([0-9]+)(?:/task/([0-9]+))?/(\w+)\Z")


@functools.cache
def proc_device() -> int:
    """The device number of /proc; 0 where it is not mounted."""
    try:
        return os.stat("/proc").st_dev
    except OSError:
        return 0


def guest_view(task: Task, descriptor: int, flags: int) -> int:
    """Look at a file that the guest has opened: the same descriptor, perhaps with other contents, or an error.

    What was opened is looked at, not the name: links and relative names lead here as well.
    """
    if os.fstat(descriptor).st_dev != proc_device():
        return descriptor
    path = host.link_of(descriptor)
    if path == "/proc/cpuinfo":
        lines = task.cpu.linux_description() if isinstance(task.cpu, HasCapabilities) else {}
        return _shown(descriptor, "cpuinfo", _cpuinfo(lines), flags) if lines else descriptor
    match = _ENTRY.match(path)
    if match is None:
        return descriptor
    owner, thread, entry = int(match[1]), int(match[2] or match[1]), match[3]
    if entry == "mem":
        # The way around every page protection; for our own children and parents too.
        os.close(descriptor)
        return -EACCES
    if owner != os.getpid():
        return descriptor
    show = _VIEWS.get(entry)
    if show is None:
        return descriptor
    return _shown(descriptor, entry, show(task.process.find_task(thread) or task), flags)


def hidden(task: Task, descriptor: int) -> Callable[[bytes], bool] | None:
    """Which entries of a directory a guest does not see, if there may be any: our descriptors, and our threads."""
    if os.fstat(descriptor).st_dev != proc_device():
        return None
    match = _ENTRY.match(host.link_of(descriptor))
    if match is None or int(match[1]) != os.getpid():
        return None
    if match[3] in ("fd", "fdinfo"):
        return lambda name: name.isdigit() and task.process.descriptors.is_private(int(name))
    if match[3] == "task":
        return lambda name: name.isdigit() and task.process.find_task(int(name)) is None
    return None


def _shown(descriptor: int, entry: str, contents: bytes, flags: int) -> int:
    """The descriptor, with other contents."""
    view = os.memfd_create(f"proc-{entry}", os.MFD_CLOEXEC)
    try:
        os.write(view, contents)
        os.lseek(view, 0, os.SEEK_SET)
        os.dup2(view, descriptor, inheritable=not flags & os.O_CLOEXEC)
    finally:
        os.close(view)
    return descriptor


def _cpuinfo(lines: Mapping[str, str]) -> bytes:
    """proc_cpuinfo(5): the same lines of each of as many processors as the host has."""
    tabs = ("\t\t", "\t")  # to the second stop
    text = "".join(f"{name}{tabs[len(name) // 8]}: {value}\n" for name, value in lines.items())
    return "".join(f"processor\t: {number}\n{text}\n" for number in range(os.cpu_count() or 1)).encode()


def _maps(task: Task) -> bytes:
    """proc_pid_maps(5)."""
    lines = []
    for region in task.window.regions:
        permissions = "".join(
            letter if region.protection & bit else "-"
            for letter, bit in (("r", PROT_READ), ("w", PROT_WRITE), ("x", PROT_EXEC))
        ) + ("s" if region.shared else "p")
        device = f"{os.major(region.device):02x}:{os.minor(region.device):02x}"
        line = f"{region.start:x}-{region.end:x} {permissions} {region.offset:08x} {device} {region.inode} "
        lines.append(line.ljust(73) + region.name if region.name else line)
    return ("\n".join(lines) + "\n").encode(errors="surrogateescape")


def _comm(task: Task) -> bytes:
    return task.name + b"\n"


_VIEWS: dict[str, Callable[[Task], bytes]] = {
    "maps": _maps,
    "auxv": lambda task: task.process.initial.auxiliary_vector,
    "cmdline": lambda task: task.process.initial.arguments,
    "environ": lambda task: task.process.initial.environment,
    "comm": _comm,
}
