"""What a confined guest sees of /proc: the system in general, and of processes its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from metaphrase.machines.linux.confinement.rules import Names
from metaphrase.machines.linux.procfs import proc_device

if TYPE_CHECKING:
    from metaphrase.machines.linux.confinement.tree import Tree

_SYSTEM: Final = frozenset(
    b"self thread-self cpuinfo meminfo stat uptime loadavg version filesystems mounts sys devices".split()
)
_SYSCTL: Final = frozenset(
    b"kernel vm fs "
    b"kernel/osrelease kernel/ostype kernel/version kernel/pid_max kernel/threads-max kernel/ngroups_max "
    b"kernel/cap_last_cap kernel/random kernel/random/boot_id kernel/random/uuid kernel/random/entropy_avail "
    b"vm/overcommit_memory vm/max_map_count vm/mmap_min_addr vm/nr_hugepages "
    b"fs/pipe-max-size fs/nr_open fs/file-max fs/pipe-user-pages-soft".split()
)
#: Of the process itself: what is its own, or is shown as it is for the guest.
_OWN: Final = frozenset(
    b"auxv cgroup cmdline comm cwd environ exe fd fdinfo io limits loginuid maps mountinfo mounts oom_score "
    b"oom_score_adj root schedstat sessionid stat statm status task".split()
)
#: Of other processes of the guest.
_OTHERS: Final = frozenset(b"comm stat statm status".split())
_TOP: Final = b"proc"
_NUMBER: Final = re.compile(rb"[1-9][0-9]*\Z")


class Proc:
    """Which names of /proc are there, and what the links among them say."""

    def __init__(
        self, is_guests: Callable[[int], bool], is_process: Callable[[int], bool], executable: Callable[[], bytes]
    ) -> None:
        self._is_guests = is_guests
        self._is_process = is_process
        self._executable = executable

    @staticmethod
    def is_elsewhere(names: Names, device: int) -> bool:
        """Whether something is of a file system of this kind that lies in another place."""
        return device == proc_device() and names[:1] != (_TOP,)

    def shows(self, names: Names) -> bool:
        """Whether a path is there, as far as it lies in /proc."""
        if len(names) < 2 or names[0] != _TOP:
            return True
        if not _NUMBER.match(names[1]):
            inner = b"/".join(names[2:])
            return names[1] in _SYSTEM and (not inner or (names[1] == b"sys" and inner in _SYSCTL))
        process, rest = int(names[1]), names[2:]
        own = process == os.getpid()
        if not own and not self._is_process(process):
            return False
        if own and rest[:1] == (b"task",):
            if len(rest) < 3:
                return True
            rest = rest[2:]
        if not rest:
            return True
        if rest[0] not in (_OWN if own else _OTHERS):
            return False
        if rest[0] in (b"fd", b"fdinfo") and len(rest) > 1:
            return self._has(rest[1])
        return len(rest) == 1 or rest[0] in (b"cwd", b"root")

    @staticmethod
    def chooses(names: Names) -> bool:
        """Whether some of what lies in a folder is not there."""
        return names[:1] == (_TOP,)

    def _has(self, name: bytes) -> bool:
        return name.isdigit() and self._is_guests(int(name))

    def _own(self, names: Names) -> Names | None:
        """What follows the process's own folder in a path, or that of a thread of it."""
        if len(names) < 3 or names[0] != _TOP or names[1] != b"%d" % os.getpid():
            return None
        return names[4:] if names[2] == b"task" else names[2:]

    def descriptor_of(self, names: Names) -> int | None:
        """The descriptor that a link of /proc/PID/fd stands for."""
        own = self._own(names)
        return int(own[1]) if own is not None and len(own) == 2 and own[0] == b"fd" and own[1].isdigit() else None

    def target(self, names: Names, tree: Tree) -> bytes | None:
        """What a link of the process's own says to the guest; None for all other links."""
        own = self._own(names)
        if own == (b"exe",):
            return self._executable()
        if own == (b"cwd",):
            return b"/" + b"/".join(tree.working_directory)
        number = self.descriptor_of(names)
        if number is not None:
            found = tree.guest_names(number)
            return None if found is None else b"/" + b"/".join(found)
        return None
