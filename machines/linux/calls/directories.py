"""The directory tree: mkdir(2), rename(2), unlink(2), chmod(2), chdir(2), getdents64(2).

The sysroot is for looking things up, not for changing them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host, procfs
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, OUT, SIZE, VALUE, declare, in_native_code, passthrough, signed32
from metaphrase.translator.host_calls import HostCall, Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

#: d_reclen of struct linux_dirent and struct linux_dirent64.
_ENTRY_LENGTH = struct.Struct("<16xH")

passthrough("mkdir", IN, VALUE)
passthrough("mkdirat", VALUE, IN, VALUE)
passthrough("rmdir", IN)
passthrough("unlink", IN)
passthrough("unlinkat", VALUE, IN, VALUE)
passthrough("rename", IN, IN)
passthrough("renameat", VALUE, IN, VALUE, IN)
passthrough("renameat2", VALUE, IN, VALUE, IN, VALUE)
passthrough("link", IN, IN)
passthrough("linkat", VALUE, IN, VALUE, IN, VALUE)
passthrough("symlink", IN, IN)
passthrough("symlinkat", IN, VALUE, IN)
passthrough("mknod", IN, VALUE, VALUE)
passthrough("mknodat", VALUE, IN, VALUE, VALUE)
passthrough("truncate", IN, VALUE)
passthrough("chmod", IN, VALUE)
passthrough("fchmod", VALUE, VALUE)
passthrough("fchmodat", VALUE, IN, VALUE)
passthrough("chown", IN, VALUE, VALUE)
passthrough("lchown", IN, VALUE, VALUE)
passthrough("fchown", VALUE, VALUE, VALUE)
passthrough("fchownat", VALUE, IN, VALUE, VALUE, VALUE)
passthrough("utime", IN, IN)
passthrough("utimes", IN, IN)
passthrough("futimesat", VALUE, IN, IN)
passthrough("utimensat", VALUE, IN, IN, VALUE)
passthrough("chdir", IN)
passthrough("fchdir", VALUE)
passthrough("getcwd", OUT, SIZE)
passthrough("umask", VALUE)


def _reads_directory(name: str, head: int, native: HostCall | None = None) -> None:
    """Declare getdents(2) or getdents64(2), whose entries have so many bytes before the name."""
    number = HOST[name]

    def read(task: Task, descriptor: int, buffer: int, size: int) -> int:
        window = task.window
        pointer, size = window.host_pointer(buffer), min(size & 0xFFFF_FFFF, host.MAX_TRANSFER)
        hidden = procfs.hidden(task, signed32(descriptor))
        window.will_write(buffer, size)
        while True:
            result = host.call(number, descriptor, pointer, size)
            if hidden is None or result <= 0:
                return result
            shown = _without(hidden, window.read(buffer, result), head)
            if shown:
                window.write(buffer, shown)
                return len(shown)

    declare(name, read, 3, restart=True, native=native)


def _without(hidden: Callable[[bytes], bool], entries: bytes, head: int) -> bytes:
    """Directory entries but for hidden ones."""
    shown, at = [], 0
    while at < len(entries):
        (length,) = _ENTRY_LENGTH.unpack_from(entries, at)
        entry = entries[at : at + length]
        if not hidden(entry[head:].split(b"\0", 1)[0]):
            shown.append(entry)
        at += length
    return b"".join(shown)


_reads_directory("getdents", 18)
_reads_directory("getdents64", 19, in_native_code("getdents64", VALUE, OUT, SIZE, way=Way.LIST))
