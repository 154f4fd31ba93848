"""Where a guest's path leads on the host: the sysroot, and what /proc says about the process itself."""

from __future__ import annotations

import os
import re

from metaphrase.machines.linux import host
from metaphrase.machines.linux.elf import open_program

_PROC_EXE = re.compile(rb"/proc/(self|thread-self|[0-9]+)(/task/[0-9]+)?/exe\Z")


class Paths:
    """Guest paths to host paths.

    An absolute path is tried beneath the sysroot first, and used there if something of that name exists: that is how a
    guest of another architecture finds its own interpreter and libraries while it shares the rest of the file system.
    """

    def __init__(self, sysroot: str | None = None) -> None:
        self._sysroot = os.fsencode(os.path.abspath(sysroot)) if sysroot else b""
        #: The running program's file, which /proc/self/exe names.
        self.executable = b""

    @property
    def are_the_hosts(self) -> bool:
        """Whether paths lead where they do on the host, but for some below /proc."""
        return not self._sysroot

    def host(self, path: bytes) -> bytes:
        """The host path to look something up that should exist already."""
        if path.startswith(b"/proc/") and path.endswith(b"/exe") and self.is_own_executable(path):
            return self.executable
        if self._sysroot and path.startswith(b"/"):
            beneath = self._sysroot + path
            if os.path.lexists(beneath):
                return beneath
        return path

    def open_program(self, path: bytes, shown: str) -> tuple[int, bytes]:
        """Open a program, script or interpreter: a descriptor, and its path without links; LoadError says why not."""
        host_path = self.host(path)
        descriptor = open_program(os.fsdecode(host_path), shown)
        return descriptor, _resolved(descriptor) or os.path.realpath(host_path)

    def is_own_executable(self, path: bytes) -> bool:
        """Whether this is the link to the running program, as this process would write it."""
        match = _PROC_EXE.match(path)
        return match is not None and match[1] in (b"self", b"thread-self", b"%d" % os.getpid())


def _resolved(descriptor: int) -> bytes:
    """The path of an open file without links, as the kernel tells it; empty where it has none any more."""
    try:
        path = os.fsencode(host.link_of(descriptor))
    except OSError:  # no /proc
        return b""
    return path if path.startswith(b"/") and not path.endswith(b" (deleted)") else b""
