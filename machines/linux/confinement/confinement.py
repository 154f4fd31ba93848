"""One process's confinement: its policy, what it sees of the host's files, and what answers its system calls."""

from __future__ import annotations

import logging
import os
import resource
import threading
import time
from collections.abc import Callable, Mapping
from errno import ENOENT, ENOTDIR, EPERM, ESRCH
from signal import SIGKILL, SIGXCPU
from stat import S_ISDIR
from typing import TYPE_CHECKING, ClassVar

from metaphrase.machines.linux import host
from metaphrase.machines.linux.calls import system
from metaphrase.machines.linux.calls.table import (
    COMPAT_ALIASES,
    COMPAT_CALLS,
    Handler,
    SystemCall,
    find_call,
    signed32,
)
from metaphrase.machines.linux.confinement import rights
from metaphrase.machines.linux.confinement.declare import CONFINED, CONFINED_COMPAT
from metaphrase.machines.linux.confinement.descriptors import OwnDescriptors
from metaphrase.machines.linux.confinement.listings import Listings
from metaphrase.machines.linux.confinement.paths import ConfinedPaths
from metaphrase.machines.linux.confinement.proc import Proc
from metaphrase.machines.linux.confinement.processes import Family
from metaphrase.machines.linux.confinement.refusals import PolicyRefusal, refused
from metaphrase.machines.linux.confinement.rules import Names, Rules
from metaphrase.machines.linux.confinement.scratch import Scratch
from metaphrase.machines.linux.confinement.tree import Tree, Walk
from metaphrase.machines.linux.policy import Access, Policy
from metaphrase.machines.linux.signals import SI_KERNEL, Pending, information

if TYPE_CHECKING:
    from metaphrase.machines.linux.process import LinuxProcess
    from metaphrase.machines.linux.task import Task

LOGGER = logging.getLogger("metaphrase.policy")
_AT_FDCWD = -100
_MOST_TOLD = 1000
_WATCH_SECONDS = 0.05
_GRACE_SECONDS = 1.0


class Confinement:
    """What holds one guest process, and its forks, to a policy. `close` removes what it kept aside."""

    def __init__(self, policy: Policy, sysroot: str | None = None) -> None:
        self.policy = policy
        self._told: set[tuple[str, str]] = set()
        self._first, self.first_group = os.getpid(), os.getpgrp()
        self._is_closed = False
        self._file_size: tuple[int, int] | None = None
        rules = Rules(policy.files)
        folders = _sysroot_names(sysroot)
        if folders is not None:
            rules.add(b"/" + b"/".join(folders), Access.READ)
        self.scratch = Scratch(policy.keep)
        self.family = Family(self.scratch.processes, policy.processes)
        self.listings = Listings()
        #: The guest's paths of sockets, by what the host was told.
        self.socket_names: dict[bytes, bytes] = {}
        self.descriptors = OwnDescriptors(policy.limits.open_files, self.listings.forget)
        rules.add(os.fsencode(self.scratch.folder), Access.HIDDEN)
        self.paths = ConfinedPaths(self)
        proc = Proc(self.descriptors.has, self.family.has, lambda: self.paths.executable)
        self.tree = Tree(
            rules, self.scratch, proc, folders, hidden=lambda path: self.denied("path", os.fsdecode(path), "hidden"),
            working_directory=tuple(filter(None, os.getcwdb().split(b"/"))), is_guests=self.descriptors.has,
        )  # fmt: skip
        self.tree.prepare()

    def admit_program(self, path: bytes) -> None:
        """The program that the caller wants to be run can be read, wherever it lies."""
        real = os.path.realpath(path)
        for name in {os.path.abspath(path), real}:
            if self.tree.rules.access(tuple(filter(None, name.split(b"/")))) in (Access.HIDDEN, Access.SCRATCH):
                self.tree.rules.add(name, Access.READ)
                self.tree.prepare()

    def denied(self, what: str, which: str, why: str) -> None:
        """Tell, once, of something that the policy does not allow."""
        if (what, which) not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add((what, which))
            # a guest chooses names: neither what no text may hold nor what moves a terminal's cursor is for the reader
            shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in which)
            LOGGER.warning("policy: %s %s: %s", what, shown, why)

    # --- files --------------------------------------------------------------------------------------------------------
    def base(self, directory: int, path: bytes) -> Names:
        """Where a path begins that is relative to a register's descriptor."""
        if path.startswith(b"/"):
            return ()
        if signed32(directory) == _AT_FDCWD:
            return self.tree.working_directory
        descriptor = self.descriptors.require(directory)
        status = os.fstat(descriptor)
        if not S_ISDIR(status.st_mode):
            raise refused(ENOTDIR)
        names = self.tree.guest_names(descriptor)
        if names is None or not status.st_nlink:
            raise refused(ENOENT)
        return names

    def walk(self, directory: int, path: bytes, *, follow: bool = True, looks: bool = True) -> Walk:
        """Look up a path that a call names: see `Tree.walk`."""
        return self.tree.walk(self.base(directory, path), path, follow=follow, looks=looks)

    # --- calls --------------------------------------------------------------------------------------------------------
    def find_call(self, name: str, *, compat: bool) -> SystemCall | None:
        """What answers a system call; None for one that no guest has."""
        declared = find_call(name, compat=compat)
        if declared is None:
            return None
        own, named, nothing, refuses = CONFINED, rights.NAMES, rights.NOTHING, rights.REFUSED
        if compat and name in COMPAT_CALLS:
            own, named, nothing, refuses = (
                CONFINED_COMPAT, rights.COMPAT_NAMES, rights.COMPAT_NOTHING, rights.COMPAT_REFUSED,
            )  # fmt: skip
        elif compat:
            name = COMPAT_ALIASES.get(name, name)
        if name in own:
            handler = own[name]
            return SystemCall(name, self._telling(name, handler), handler.__code__.co_argcount - 1, declared.restart)
        if name in named:
            return declared._replace(handler=self._telling(name, self._checked(declared, named[name])))
        if name in nothing:
            tells = declared.handler in system.REFUSING
            return declared._replace(handler=self._telling(name, declared.handler)) if tells else declared
        why = "refused" if name in refuses else "no policy speaks of it"
        return declared._replace(handler=self._refusal(name, why), arity=0)

    def _refusal(self, name: str, why: str) -> Handler:
        def refuse(task: Task) -> int:
            self.denied("call", name, why)
            return -EPERM

        return refuse

    def _telling(self, name: str, handler: Handler) -> Handler:
        """The same handler, whose refusals are told of."""

        def answer(task: Task, *values: int) -> int | None:
            try:
                result = handler(task, *values)
            except PolicyRefusal as refusal:
                self.denied(name, refusal.subject, f"{refusal.reason}: {os.strerror(refusal.errno or EPERM)}")
                raise
            if result == -EPERM and handler in system.REFUSING:
                self.denied("call", name, "refused")
            return result

        return answer

    def _checked(self, declared: SystemCall, words: str) -> Handler:
        """A handler for which descriptors and processes are looked at first."""
        before, _, after = words.partition("->")
        kinds = before.split()
        assert len(kinds) == declared.arity, declared.name
        checks = [(index, self._CHECKS[kind]) for index, kind in enumerate(kinds) if kind != "."]
        original, descriptors, makes = declared.handler, self.descriptors, bool(after)

        def answer(task: Task, *values: int) -> int | None:
            for index, check in checks:
                check(self, task, values[index])
            result = original(task, *values)
            return descriptors.opened(result) if makes and result is not None else result

        return answer

    def require_process(self, task: Task, value: int) -> int:
        """A process or thread of the guest's, or 0, from a register; ESRCH for all others."""
        number = signed32(value)
        if number and task.process.find_task(number) is None and not self.family.has(number):
            raise PolicyRefusal(ESRCH, f"process {number}", "it is none of the guest's")
        return number

    def _require_descriptor(self, task: Task, value: int) -> None:
        self.descriptors.require(value)

    def _require_descriptor_or_none(self, task: Task, value: int) -> None:
        if signed32(value) != -1:
            self.descriptors.require(value)

    _CHECKS: ClassVar[Mapping[str, Callable[[Confinement, Task, int], object]]] = {
        "fd": _require_descriptor, "fd?": _require_descriptor_or_none, "pid": require_process,
    }  # fmt: skip

    # --- a process's life ---------------------------------------------------------------------------------------------
    def enter(self, process: LinuxProcess) -> None:
        """The guest is about to run, or to go on."""
        limits = self.policy.limits
        if limits.file_size is not None:
            self._file_size = resource.getrlimit(resource.RLIMIT_FSIZE)
            most = self._file_size[1]
            smaller = limits.file_size if most == resource.RLIM_INFINITY else min(limits.file_size, most)
            resource.setrlimit(resource.RLIMIT_FSIZE, (smaller, most))
        self.watch(process)

    def leave(self, *, ended: bool) -> None:
        """The guest is paused, or has ended."""
        if self._file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._file_size)
            self._file_size = None
        if ended:
            self.close()

    def watch(self, process: LinuxProcess) -> None:
        """Have the processor time of this process looked at, if it is limited; forks begin anew."""
        if self.policy.limits.cpu_time is None:
            return
        before = host.signal_mask()
        host.set_signal_mask((1 << 64) - 1)  # which the thread begins with
        try:
            threading.Thread(
                target=_watch_time, args=(process, self.policy.limits.cpu_time, os.getpid()),
                name="metaphrase limits", daemon=True,
            ).start()  # fmt: skip
        finally:
            host.set_signal_mask(before)

    def close(self) -> None:
        """The first process has ended: its forks end too, and what was kept aside goes. Others leave."""
        if os.getpid() != self._first:
            self.family.leave()
        elif not self._is_closed:
            self._is_closed = True
            self.family.end()
            self.scratch.remove()


def _sysroot_names(sysroot: str | None) -> Names | None:
    return tuple(filter(None, os.fsencode(os.path.realpath(sysroot)).split(b"/"))) if sysroot else None


def _watch_time(process: LinuxProcess, limit: float, pid: int) -> None:
    """End a process some time after it has used up its time, of which it is told first."""
    began = time.process_time()
    told = False
    while process.exit_status is None and os.getpid() == pid:
        used = time.process_time() - began
        if used >= limit + _GRACE_SECONDS or (used >= limit and not told):
            number = SIGKILL if used >= limit + _GRACE_SECONDS else SIGXCPU
            with process.lock:
                if number == SIGKILL:
                    process.kill(Pending(SIGKILL, information(SIGKILL, SI_KERNEL)), "it used up its processor time")
                else:
                    process.signals.queue(Pending(SIGXCPU, information(SIGXCPU, SI_KERNEL)))
            told = True
        time.sleep(_WATCH_SECONDS)
