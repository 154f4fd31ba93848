"""A Linux process as a machine: a CPU, a window of memory, and the kernel's side of the system calls."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from errno import EFAULT, ENOEXEC, ENOSYS
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from metaphrase.machines.linux import faults, host, procfs, stack, threads
from metaphrase.machines.linux.abi import ABIS
from metaphrase.machines.linux.abi.base import Abi
from metaphrase.machines.linux.calls import ABSENT
from metaphrase.machines.linux.calls.table import Bound, bind, find_call
from metaphrase.machines.linux.cpu import AnswersCalls, Cpu, HasCapabilities, KeepsTranslations
from metaphrase.machines.linux.descriptors import Descriptors
from metaphrase.machines.linux.errors import GuestFault, LoadError
from metaphrase.machines.linux.host_signals import NEVER_BLOCKED, HostSignals
from metaphrase.machines.linux.loader import Image, Program, find, load, locate
from metaphrase.machines.linux.memory import WINDOW_SIZE, Window
from metaphrase.machines.linux.paths import Paths
from metaphrase.machines.linux.places import Places
from metaphrase.machines.linux.signals import Pending, SharedSignals
from metaphrase.machines.linux.space import AddressSpace
from metaphrase.machines.linux.task import Task
from metaphrase.machines.linux.threads import Replacement
from metaphrase.machines.linux.vdso import map_library
from metaphrase.translator.host_calls import HostCalls, Kind

if TYPE_CHECKING:
    from metaphrase.machines.linux.confinement import Confinement

#: A shell says nothing of programs that these have ended.
_QUIET = frozenset({signal.SIGINT, signal.SIGPIPE})
LOGGER = logging.getLogger("metaphrase.linux")
_INTERNAL_ERROR_STATUS = 70
_RLIMIT_STACK = 3


class LinuxProcess:
    """One guest process, from a program's path to its exit status.

    path         the program: a path, or a name to be looked for in $PATH
    argv         its arguments, with its own name first; default: the path alone
    env          its environment; default: this process's
    sysroot      absolute guest paths are tried beneath this folder first
    cpu_factory  makes the CPU over the guest's memory; `identify(path)` tells beforehand which one is needed
    randomize    random load addresses, as a kernel has them; they are the same in every run otherwise
    tracer       given what answers a system call, by its number, makes what answers it instead (see `strace`)
    confinement  holds the guest to a policy (see `confinement`), and ends with it

    Raises LoadError when the program cannot be started. File descriptors, working directory, user and process ids are
    this process's own; forks of the guest are forks of this process.
    """

    def __init__(
        self,
        path: str,
        argv: Sequence[str | bytes] = (),
        env: Mapping[str, str] | None = None,
        *,
        cpu_factory: Callable[[Window], Cpu],
        sysroot: str | None = None,
        randomize: bool = False,
        tracer: Callable[[Abi, int, Bound], Bound] | None = None,
        confinement: Confinement | None = None,
    ) -> None:
        self._tracer = tracer
        #: What holds the guest to a policy; none where it may do all that the caller may.
        self.confinement = confinement
        self.paths = Paths(sysroot) if confinement is None else confinement.paths
        environment = os.environb if env is None else {os.fsencode(k): os.fsencode(v) for k, v in env.items()}
        arguments = [os.fsencode(argument) for argument in argv] or [os.fsencode(path)]
        program: Program | None = None
        try:
            located = locate(path)
            if confinement is not None:
                confinement.admit_program(located)
            program = find(located, arguments, self.paths)
            self.abi = ABIS[program.elf.guest]
            self.window = Window(self.abi.address_limit, reach=WINDOW_SIZE)
            #: Held by the thread that answers a system call or the like; `changed` tells that a thread has ended.
            self.lock = self.window.lock
            self.changed = threading.Condition(self.lock)
            self.signals = SharedSignals()
            #: The thread that the process began with, which stays until the end; and all that have not ended.
            self.main = Task(self, cpu_factory(self.window), os.getpid())
            self.tasks = [self.main]
            self.signals.states.append(self.main.signals)
            self._require_guest(program)
            self.space = AddressSpace(self.window, randomize=randomize)
            self.host_signals = HostSignals(self)
            self.descriptors = Descriptors() if confinement is None else confinement.descriptors
            self.window.code_changed = self.cpu.invalidate
            #: Set when the process has ended: what a shell would show as $?.
            self.exit_status: int | None = None
            #: The guest's forks are processes of their own; only the first one returns from `run`.
            self.is_fork_child = False
            #: Descriptor to close once a vfork'ed child lets its parent go on; with what to send first.
            self.release_parent: Callable[[], None] | None = None
            #: What another thread than the first wants to be run in this process's place.
            self.replacement: Replacement | None = None
            #: An error of ours that ended a thread.
            self.failure: BaseException | None = None
            #: RLIMIT_AS, _DATA, _STACK and the like are for the guest's memory, not for ours: kept, not applied.
            self.memory_limits: dict[int, tuple[int, int]] = {}
            #: Of directories that programs with short offsets have read.
            self.directory_places = Places()
            #: What personality(2) was told last.
            self.personality = 0
            self._killed_by: int = 0
            self._has_run = False
            #: Working directory and umask of the side, guest or caller, that does not run.
            self._other_side: tuple[int, int] | None = None
            self._reported: set[int] = set()
            find_declared = find_call if confinement is None else confinement.find_call
            self._table = {
                number: (bind(declared.handler, self.abi.argument_registers[: declared.arity]), declared.restart)
                for number, name in self.abi.numbers.items()
                if (declared := find_declared(name, compat=self.abi.word == 4)) is not None
            }
            #: The program in memory, its initial stack, and where the functions of the vDSO are, by name; "" itself.
            self.image: Image
            self.initial: stack.InitialStack
            self.vdso: dict[str, int] = {}
            self.start(program, [name + b"=" + value for name, value in environment.items()])
        except BaseException:
            if program is not None:
                program.close()
            if confinement is not None:
                confinement.close()
            raise

    @property
    def cpu(self) -> Cpu:
        """The first thread's."""
        return self.main.cpu

    def start(self, program: Program, environment: Sequence[bytes]) -> None:
        """Replace whatever is in memory by a program, ready to run (the second half of execve)."""
        self._require_guest(program)
        try:
            self.cpu.reset()  # before the memory goes, which would have it forget its translations one by one
            if len(self.window.regions):
                self.window.clear()
            self.space.reset(self.memory_limits.get(_RLIMIT_STACK, (None, None))[0])
            self.image = load(program, self.space)
            self.vdso = map_library(self.space, self.abi.vdso())
            top = self.space.map_stack(program.elf.executable_stack)
            self.initial = stack.build(
                self.window,
                top,
                self.image,
                self.abi,
                argv=program.argv,
                environment=environment,
                random_bytes=self.space.random_bytes(),
                vdso=self.vdso,
                capabilities=self._capabilities,
            )
        except GuestFault as fault:
            raise LoadError(f"{os.fsdecode(program.name)}: its arguments do not fit the stack", EFAULT) from fault
        finally:
            program.close()
        self.paths.executable = self.image.path
        self.main.name = os.path.basename(self.image.name)[:15]
        self.main.clear_child_tid = self.main.robust_list = 0
        self.cpu.set(self.abi.stack_pointer, self.initial.pointer)
        self.cpu.set(self.abi.program_counter, self.image.start)

    def run(self) -> int:
        """Run the guest to its end: its exit status, or 128 + the number of the signal that killed it."""
        if self._tracer is None and self.confinement is None:
            self._answer_natively()
        self.run_until(lambda: False)
        assert self.exit_status is not None
        return self.exit_status

    def _answer_natively(self) -> None:
        """Leave to native code what only passes through: nobody wants to see it, and no policy speaks of it."""
        cpu, abi = self.cpu, self.abi
        if not isinstance(cpu, AnswersCalls):
            return
        calls = {
            number: call
            for number, name in abi.numbers.items()
            if (declared := find_call(name, compat=abi.word == 4)) is not None
            and (call := declared.native) is not None
            and (abi.convert_stat is None or not call.fills_status)
            and (self.paths.are_the_hosts or Kind.PATH not in call.arguments)
        }
        described = HostCalls(
            calls, abi.number_register, abi.argument_registers, abi.result_register, self.window.size,
            procfs.proc_device(), NEVER_BLOCKED,
        )  # fmt: skip
        cpu.answer_calls(described)
        self.descriptors.first_private_changed = cpu.own_descriptors

    def run_until(self, pause: Callable[[], bool]) -> None:
        """Run until the guest has ended (`exit_status` tells), or `pause`, asked after each event, says so.

        A paused guest goes on with the next call; meanwhile signals, working directory and umask are the caller's.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        self._change_sides()
        if not self._has_run:
            self.descriptors.start()
        self.host_signals.start(again=self._has_run)
        self._has_run = True
        if self.confinement is not None:
            self.confinement.enter(self)
        pausing = False
        try:
            pausing = self._lead(pause)
        except BaseException:
            if self.is_fork_child:
                _end_failed_child()
            raise
        finally:
            if not pausing and isinstance(self.cpu, KeepsTranslations):
                self.cpu.save_translations()
            self.host_signals.stop()
            if not pausing:
                self.descriptors.stop()
            if self.confinement is not None:
                self.confinement.leave(ended=not pausing)
            self._change_sides()

    def _lead(self, pause: Callable[[], bool]) -> bool:
        """What the first thread does: run its code, and see the others to their end; whether it was paused."""
        leads_child = self.is_fork_child
        self.main.thread = threading.get_ident()
        while self.exit_status is None:
            if self.main.ended:
                threads.wait_for_end(self)
                continue
            self.main.step()
            if self.is_fork_child and not leads_child:
                self.lead_child()
            if pause():
                return True
        threads.end_all(self)
        if self.failure is not None:
            raise self.failure
        return False

    def lead_child(self) -> NoReturn:
        """In the child of a fork, run by the thread that is left: to the end of the process.

        It does not come back: the stack belongs to the first process's caller.
        """
        try:
            self._lead(lambda: False)
        except BaseException:
            _end_failed_child()
        if isinstance(self.cpu, KeepsTranslations):
            self.cpu.save_translations()
        self._leave()

    def _change_sides(self) -> None:
        """Between guest and caller: each has a working directory and a file creation mask of its own."""
        directory = host.private_descriptor(os.open(".", os.O_PATH | os.O_CLOEXEC))
        mask = os.umask(0)
        other_directory, other_mask = self._other_side or (None, mask)
        os.umask(other_mask)
        if other_directory is not None:
            os.fchdir(other_directory)
            host.close_private(other_directory)
        self._other_side = directory, mask

    def close(self) -> None:
        """Give the guest's memory back to the host, and what it left open."""
        if self._has_run and self.exit_status is None:
            self.descriptors.stop()
        if self._other_side is not None:
            host.close_private(self._other_side[0])
            self._other_side = None
        if self.confinement is not None:
            self.confinement.close()
        self.window.close()

    def become_child(self, task: Task) -> None:
        """In the child of a fork: the thread that asked for it is the only one."""
        self.is_fork_child, self.release_parent = True, None
        self.main, self.tasks, self.signals.states[:] = task, [task], [task.signals]
        task.number = os.getpid()

    def end(self, status: int) -> None:
        """The guest has called exit."""
        self._end(status & 0xFF)

    def kill(self, pending: Pending, why: str = "") -> None:
        """A signal's default action ends the guest."""
        if self.exit_status is not None:
            return
        self._killed_by = pending.signal
        if why or pending.signal not in _QUIET:
            faults.report(self, why or f"{signal.strsignal(pending.signal)} (signal {pending.signal})".lower())
        self._end(128 + pending.signal)

    def fail(self, error: BaseException) -> None:
        """An error of ours has ended a thread: it ends all."""
        self.failure = error
        self._end(_INTERNAL_ERROR_STATUS)

    def _end(self, status: int) -> None:
        if self.exit_status is None:
            self.exit_status = status
            for task in {self.main, *self.tasks}:
                task.wake()
            self.release()

    def find_task(self, number: int) -> Task | None:
        """The thread with an id."""
        return next((task for task in self.tasks if task.number == number), None)

    def call(self, number: int) -> tuple[Bound, bool]:
        """What answers a system call, and whether the call starts again after a handler with SA_RESTART."""
        answer, restarts = self._table.get(number) or self._unknown(number)
        return (answer if self._tracer is None else self._tracer(self.abi, number, answer)), restarts

    def _unknown(self, number: int) -> tuple[Bound, bool]:
        name = self.abi.numbers.get(number, "")
        if name not in ABSENT and number not in self._reported:
            self._reported.add(number)
            LOGGER.warning("%s: system call %d (%s) is not known here: ENOSYS",
                           os.fsdecode(self.image.name), number, name or "no name")  # fmt: skip
        return (lambda task, get: -ENOSYS), False

    @cached_property
    def _capabilities(self) -> tuple[int, int]:
        """AT_HWCAP and AT_HWCAP2."""
        cpu = self.cpu
        announced = cpu.hardware_capabilities() if isinstance(cpu, HasCapabilities) else None
        return announced or (self.abi.hardware_capabilities, 0)

    def _require_guest(self, program: Program) -> None:
        if program.elf.guest != self.cpu.name:
            raise LoadError(
                f"{os.fsdecode(program.name)}: cannot be started: it is a {program.elf.guest} program, and this CPU is "
                f"{self.cpu.name}",
                ENOEXEC,
            )

    def release(self) -> None:
        """A vfork'ed child lets its parent go on: at its exit, or when another program takes its place."""
        if self.release_parent is not None:
            release, self.release_parent = self.release_parent, None
            release()

    def _leave(self) -> NoReturn:
        """End a forked child as its guest ended, so that its parent's wait tells the same."""
        if self.confinement is not None:
            self.confinement.close()
        if self._killed_by:
            # A core dump would be the translator's, not the guest's.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if self._killed_by not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(self._killed_by, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [self._killed_by])
            os.kill(os.getpid(), self._killed_by)
        os._exit(self.exit_status or 0)


def _end_failed_child() -> NoReturn:
    """An error of ours in the child of a fork ends that process."""
    sys.excepthook(*sys.exc_info())
    os._exit(_INTERNAL_ERROR_STATUS)
