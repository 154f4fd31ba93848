"""New processes and new programs: fork(2), vfork(2), clone(2), execve(2), wait4(2), exit(2)."""

from __future__ import annotations

import ctypes
import os
from errno import E2BIG, EAGAIN, EINVAL, ENAMETOOLONG, ENOENT, ENOEXEC
from signal import SIGKILL
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import VALUE, out, passthrough, signed32, syscall
from metaphrase.machines.linux.errors import GuestFault, LoadError
from metaphrase.machines.linux.loader import find
from metaphrase.machines.linux.signals import SI_KERNEL, Pending, information

if TYPE_CHECKING:
    from metaphrase.machines.linux.process import LinuxProcess

_RUSAGE_SIZE = 144
_SIGINFO_SIZE = 128
_AT_EMPTY_PATH = 0x1000
_AT_FDCWD = -100

CLONE_VM, CLONE_VFORK, CLONE_THREAD, CLONE_PIDFD = 0x100, 0x4000, 0x1_0000, 0x1000
CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x8_0000, 0x10_0000, 0x20_0000, 0x100_0000
#: Namespaces and a shared parent are not for a guest to ask.
_CLONE_REFUSED = 0x7C02_8080
#: What a vfork'ed child may have told its parent lies in the parent's frame: this much above its stack pointer, and
#: the red zone below it.
_SHARED_STACK = 16 << 10
_RED_ZONE = 128

passthrough("waitid", VALUE, VALUE, out(_SIGINFO_SIZE), VALUE, out(_RUSAGE_SIZE), blocking=True)


@syscall("wait4")
def wait4(process: LinuxProcess, target: int, status: int, options: int, usage: int) -> int:
    """wait4(2). A SIGCHLD that has come meanwhile is told whose end it announces."""
    window = process.window
    word = ctypes.c_int()
    window.will_write(usage, _RUSAGE_SIZE)
    pointer = window.host_pointer(usage)
    child = process.blocking_call(HOST["wait4"], target, ctypes.addressof(word), options, pointer)
    if child > 0:
        if status:
            window.write_u32(status, word.value)
        process.signals.describe_child(child, word.value)
    return child


@syscall("exit", "exit_group")
def exit_group(process: LinuxProcess, status: int) -> None:
    """exit_group(2); with one thread, exit(2) is the same."""
    process.end(status)


@syscall("fork")
def fork(process: LinuxProcess) -> int:
    """fork(2)."""
    return _fork(process, 0, 0, 0, 0, 0)


@syscall("vfork")
def vfork(process: LinuxProcess) -> int:
    """vfork(2)."""
    return _fork(process, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0)


@syscall("clone")
def clone(process: LinuxProcess, flags: int, stack: int, third: int, fourth: int, fifth: int) -> int:
    """clone(2), for new processes. Threads are refused as when there are too many."""
    # Where the last three stand differs between architectures.
    arguments = dict(zip(process.abi.clone_arguments, (flags, stack, third, fourth, fifth)))
    if flags & CLONE_THREAD:
        return -EAGAIN
    if (flags & CLONE_VM and not flags & CLONE_VFORK) or flags & _CLONE_REFUSED:
        return -EINVAL
    return _fork(process, flags, stack, arguments["parent_tid"], arguments["child_tid"], arguments["tls"])


def _fork(process: LinuxProcess, flags: int, stack: int, parent_tid: int, child_tid: int, tls: int) -> int:
    window, cpu, abi = process.window, process.cpu, process.abi
    # With CLONE_VM | CLONE_VFORK the kernel shares memory and stops the parent until the child execs or exits. The
    # child here gets a copy; the parent waits for the same moment, and takes over what became of its stack frame,
    # through which posix_spawn and busybox report that execve failed.
    wait_read = wait_write = -1
    if flags & CLONE_VFORK:
        ends = os.pipe()
        wait_read, wait_write = host.private_descriptor(ends[0]), host.private_descriptor(ends[1])
    parent_stack = cpu.get(abi.stack_pointer) - _RED_ZONE
    child = process.host_signals.fork()
    if child == 0:
        process.is_fork_child = True
        process.release_parent = None
        cpu.after_fork()
        if flags & CLONE_VFORK:
            os.close(wait_read)
            process.release_parent = lambda: _release_parent(process, wait_write, parent_stack)
        if stack:
            cpu.set(abi.stack_pointer, stack)
        if flags & CLONE_SETTLS:
            cpu.set(abi.thread_pointer, tls)
        process.clear_child_tid = child_tid if flags & CLONE_CHILD_CLEARTID else 0
        if flags & CLONE_CHILD_SETTID:
            window.write_u32(child_tid, os.getpid())
        return 0
    if flags & CLONE_PARENT_SETTID:
        window.write_u32(parent_tid, child)
    if flags & CLONE_PIDFD:
        window.write_u32(parent_tid, host.check(host.call(HOST["pidfd_open"], child, 0)))
    if flags & CLONE_VFORK:
        os.close(wait_write)
        _wait_for_release(process, wait_read, parent_stack)
    return child


def _release_parent(process: LinuxProcess, descriptor: int, parent_stack: int) -> None:
    """In a vfork'ed child: hand back the parent's frame, and let the parent go on."""
    extent = min(process.window.regions.extent(parent_stack, 3), _SHARED_STACK + _RED_ZONE)
    try:
        os.write(descriptor, process.window.read(parent_stack, extent))
    except (OSError, GuestFault):
        pass
    finally:
        os.close(descriptor)


def _wait_for_release(process: LinuxProcess, descriptor: int, parent_stack: int) -> None:
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        frame = pipe.readall()
    if frame:
        process.window.write(parent_stack, frame)


@syscall("execve")
def execve(process: LinuxProcess, path: int, argv: int, environment: int) -> int | None:
    """execve(2)."""
    return _execve(process, process.window.read_cstring(path, host.PATH_MAX), argv, environment)


@syscall("execveat")
def execveat(process: LinuxProcess, directory: int, path: int, argv: int, environment: int, flags: int) -> int | None:
    """execveat(2)."""
    name = process.window.read_cstring(path, host.PATH_MAX)
    directory = signed32(directory)
    if not name and not flags & _AT_EMPTY_PATH:
        return -ENOENT
    if not name.startswith(b"/") and directory != _AT_FDCWD:
        name = b"/proc/self/fd/%d" % directory + (b"/" + name if name else b"")
    return _execve(process, name, argv, environment)


def _execve(process: LinuxProcess, path: bytes, argv: int, environment: int) -> int | None:
    window = process.window
    try:
        arguments = [window.read_cstring(pointer) for pointer in window.read_pointers(argv)] if argv else []
        variables = (
            [window.read_cstring(pointer) for pointer in window.read_pointers(environment)] if environment else []
        )
    except OSError as error:
        return -E2BIG if error.errno == ENAMETOOLONG else -(error.errno or E2BIG)
    strings = arguments + variables
    # A quarter of the stack is for the strings and their pointers.
    if sum(map(len, strings)) + 9 * len(strings) > process.space.stack_size // 4:
        return -E2BIG
    if not path:
        return -ENOENT
    try:
        program = find(path, arguments or [b""], process.paths)
    except LoadError as error:
        return -error.errno
    if program.elf.guest != process.cpu.name:
        program.close()
        return -ENOEXEC
    # From here on there is no way back to the old program.
    process.release()
    process.signals.reset_for_execve()
    for number in range(1, 65):
        process.host_signals.follow(number, process.signals.actions[number])
    process.descriptors.close_on_execve()
    try:
        process.start(program, variables)
    except (LoadError, OSError):
        process.kill(Pending(SIGKILL, information(SIGKILL, SI_KERNEL)))
    return None
