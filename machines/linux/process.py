"""A Linux process as a machine: a CPU, a window of memory, and the kernel's side of the system calls."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from errno import EFAULT, EINTR, EIO, ENOEXEC, ENOSYS

from metaphrase.machines.linux import delivery, faults, host, stack
from metaphrase.machines.linux.abi import ABIS
from metaphrase.machines.linux.calls import ABSENT, SYSTEM_CALLS
from metaphrase.machines.linux.calls.table import Handler
from metaphrase.machines.linux.cpu import Cpu, HasCapabilities, KeepsTranslations
from metaphrase.machines.linux.descriptors import Descriptors
from metaphrase.machines.linux.errors import GuestFault, LoadError
from metaphrase.machines.linux.host_signals import HostSignals
from metaphrase.machines.linux.loader import Image, Program, find, load, locate, map_trampoline
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.paths import Paths
from metaphrase.machines.linux.signals import SA_RESTART, SIG_IGN, Pending, SignalState
from metaphrase.machines.linux.space import AddressSpace

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
    ) -> None:
        self.paths = Paths(sysroot)
        environment = os.environb if env is None else {os.fsencode(k): os.fsencode(v) for k, v in env.items()}
        arguments = [os.fsencode(argument) for argument in argv] or [os.fsencode(path)]
        program = find(locate(path), arguments, self.paths)
        try:
            self.abi = ABIS[program.elf.guest]
            self.window = Window()
            self.cpu = cpu_factory(self.window)
            self._require_guest(program)
            self.space = AddressSpace(self.window, randomize=randomize)
            self.signals = SignalState()
            self.host_signals = HostSignals(self.signals, self.cpu)
            self.descriptors = Descriptors()
            self.window.code_changed = self.cpu.invalidate
            #: Set when the process has ended: what a shell would show as $?.
            self.exit_status: int | None = None
            #: The guest's forks are processes of their own; only the first one returns from `run`.
            self.is_fork_child = False
            #: Descriptor to close once a vfork'ed child lets its parent go on; with what to send first.
            self.release_parent: Callable[[], None] | None = None
            self.clear_child_tid = 0
            #: RLIMIT_AS, _DATA, _STACK and the like are for the guest's memory, not for ours: kept, not applied.
            self.memory_limits: dict[int, tuple[int, int]] = {}
            self._killed_by: int = 0
            self._has_run = False
            #: Working directory and umask of the side, guest or caller, that does not run.
            self._other_side: tuple[int, int] | None = None
            self._reported: set[int] = set()
            self._table = self._bind_calls()
            #: The program in memory, its initial stack, and where a handler returns to where there is no restorer.
            self.image: Image
            self.initial: stack.InitialStack
            self.trampoline = 0
            self.thread_name = b""
            self.start(program, [name + b"=" + value for name, value in environment.items()])
        except BaseException:
            program.close()
            raise

    def start(self, program: Program, environment: Sequence[bytes]) -> None:
        """Replace whatever is in memory by a program, ready to run (the second half of execve)."""
        self._require_guest(program)
        try:
            if len(self.window.regions):
                self.window.clear()
            self.cpu.reset()
            self.space.reset(self.memory_limits.get(_RLIMIT_STACK, (None, None))[0])
            self.image = load(program, self.space)
            self.trampoline = map_trampoline(self.space, self.abi.trampoline)
            top = self.space.map_stack(program.elf.executable_stack)
            self.initial = stack.build(
                self.window,
                top,
                self.image,
                self.abi,
                argv=program.argv,
                environment=environment,
                random_bytes=self.space.random_bytes(),
                capabilities=self._capabilities(),
            )
        except GuestFault as fault:
            raise LoadError(f"{os.fsdecode(program.name)}: its arguments do not fit the stack", EFAULT) from fault
        finally:
            program.close()
        self.paths.executable = self.image.path
        self.thread_name = os.path.basename(self.image.name)[:15]
        self.clear_child_tid = 0
        self.cpu.set(self.abi.stack_pointer, self.initial.pointer)
        self.cpu.set(self.abi.program_counter, self.image.start)

    def run(self) -> int:
        """Run the guest to its end: its exit status, or 128 + the number of the signal that killed it."""
        self.run_until(lambda: False)
        assert self.exit_status is not None
        return self.exit_status

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
        pausing = False
        try:
            while self.exit_status is None and not pausing:
                self._step()
                pausing = pause() and not self.is_fork_child
        except BaseException:
            if self.is_fork_child:
                # This stack belongs to the first process's caller: it must not see the child come back.
                sys.excepthook(*sys.exc_info())
                os._exit(_INTERNAL_ERROR_STATUS)
            raise
        finally:
            if not pausing and isinstance(self.cpu, KeepsTranslations):
                self.cpu.save_translations()
            if not self.is_fork_child:
                self.host_signals.stop()
                if not pausing:
                    self.descriptors.stop()
                self._change_sides()
        if self.is_fork_child:
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
        self.window.close()

    def end(self, status: int) -> None:
        """The guest has called exit."""
        self.exit_status = status & 0xFF
        self.release()

    def kill(self, pending: Pending, why: str = "") -> None:
        """A signal's default action ends the guest."""
        self._killed_by = pending.signal
        self.exit_status = 128 + pending.signal
        if why or pending.signal not in _QUIET:
            faults.report(self, why or f"{signal.strsignal(pending.signal)} (signal {pending.signal})".lower())
        self.release()

    def blocking_call(self, number: int, *arguments: int) -> int:
        """A host system call that may block; a signal for the guest ends it with -EINTR."""
        signals = self.host_signals
        signals.call_sequence += 1
        try:
            return host.blocking_call(number, *arguments)
        finally:
            signals.call_sequence += 1

    def set_signal_mask(self, mask: int) -> None:
        """Change the guest's signal mask, and the host's with it."""
        self.signals.set_mask(mask)
        self.host_signals.apply_mask(self.signals.mask)

    def _step(self) -> None:
        """Run to the next event and answer it."""
        event = self.cpu.run()
        kind = event.kind
        if kind == "syscall":
            self._answer_syscall()
        elif kind in ("fault", "trap"):
            faults.raise_signal(self, event)
        if self.signals.attention:
            delivery.deliver_pending(self)

    def _answer_syscall(self) -> None:
        cpu = self.cpu
        number = cpu.get(self.abi.number_register)
        try:
            entry = self._table.get(number)
            if entry is None:
                entry = self._unknown(number)
            result = entry[0]()
        except GuestFault:
            result = -EFAULT
        except OSError as error:
            result = -(error.errno or EIO)
        if result == -EINTR and self._starts_again(number):
            # Registers are still as they were: the same call is made once more.
            counter = self.abi.program_counter
            cpu.set(counter, cpu.get(counter) - self.abi.syscall_length)
        elif result is not None:
            cpu.set(self.abi.result_register, result)

    def _starts_again(self, number: int) -> bool:
        """Whether an interrupted call is repeated: after SA_RESTART handlers, or when no handler runs at all."""
        signals = self.signals
        pending = signals.deliverable()
        if pending is None or signals.actions[pending.signal].handler <= SIG_IGN:
            if signals.mask_to_restore is not None:
                mask, signals.mask_to_restore = signals.mask_to_restore, None
                self.set_signal_mask(mask)
            return True
        return bool(signals.actions[pending.signal].flags & SA_RESTART) and self._table[number][1]

    def _bind_calls(self) -> dict[int, tuple[Callable[[], int | None], bool]]:
        """For each number, a function of no arguments that fetches just the registers that the call needs."""
        table = {}
        for number, name in self.abi.numbers.items():
            declared = SYSTEM_CALLS.get(name)
            if declared is not None:
                table[number] = (self._bind(declared.handler, declared.arity), declared.restart)
        return table

    def _bind(self, handler: Handler, arity: int) -> Callable[[], int | None]:
        get = self.cpu.get
        registers = self.abi.argument_registers[:arity]
        if arity == 0:
            return lambda: handler(self)
        if arity == 1:
            (first,) = registers
            return lambda: handler(self, get(first))
        if arity == 2:
            first, second = registers
            return lambda: handler(self, get(first), get(second))
        if arity == 3:
            first, second, third = registers
            return lambda: handler(self, get(first), get(second), get(third))
        return lambda: handler(self, *[get(register) for register in registers])

    def _unknown(self, number: int) -> tuple[Callable[[], int | None], bool]:
        name = self.abi.numbers.get(number, "")
        if name not in ABSENT and number not in self._reported:
            self._reported.add(number)
            LOGGER.warning("%s: system call %d (%s) is not known here: ENOSYS",
                           os.fsdecode(self.image.name), number, name or "no name")  # fmt: skip
        return (lambda: -ENOSYS), False

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

    def _leave(self) -> None:
        """End a forked child as its guest ended, so that its parent's wait tells the same."""
        if self._killed_by:
            # A core dump would be the translator's, not the guest's.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if self._killed_by not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(self._killed_by, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [self._killed_by])
            os.kill(os.getpid(), self._killed_by)
        os._exit(self.exit_status or 0)
