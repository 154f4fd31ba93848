"""New processes and new programs: fork(2), vfork(2), clone(2), execve(2), wait4(2)."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import nullcontext
from errno import E2BIG, EBADF, EINVAL, ENAMETOOLONG, ENOENT, ENOEXEC
from typing import TYPE_CHECKING, NamedTuple

from metaphrase.machines.linux import host, threads
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import VALUE, out, passthrough, signed32, syscall
from metaphrase.machines.linux.calls.threads import (
    CLONE_CHILD_CLEARTID,
    CLONE_CHILD_SETTID,
    CLONE_PARENT_SETTID,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_VM,
    clone_thread,
)
from metaphrase.machines.linux.errors import GuestFault, LoadError
from metaphrase.machines.linux.loader import find

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_RUSAGE_SIZE = 144
_SIGINFO_SIZE = 128
_AT_EMPTY_PATH = 0x1000
_AT_FDCWD = -100

CLONE_VFORK, CLONE_THREAD, CLONE_PIDFD = 0x4000, 0x1_0000, 0x1000
#: struct clone_args (include/uapi/linux/sched.h) without set_tid, its size, and cgroup.
_CLONE_ARGUMENTS, _CLONE_KNOWN = struct.Struct("<8Q"), 88
#: Namespaces and a shared parent are not for a guest to ask.
_CLONE_REFUSED = 0x7C02_8080
#: What a vfork'ed child may have told its parent lies in the parent's frame: this much above its stack pointer, and
#: the red zone below it.
_SHARED_STACK = 16 << 10
_RED_ZONE = 128
_CHANGE = struct.Struct("<I8s")
"""A word that the child has changed: how far from where the shared part begins, and what it holds."""

passthrough("waitid", VALUE, VALUE, out(_SIGINFO_SIZE), VALUE, out(_RUSAGE_SIZE), blocking=True)


@syscall("wait4")
def wait4(task: Task, target: int, status: int, options: int, usage: int) -> int:
    """wait4(2). A SIGCHLD that has come meanwhile is told whose end it announces."""
    window = task.window
    word = ctypes.c_int()
    window.will_write(usage, _RUSAGE_SIZE)
    pointer = window.host_pointer(usage)
    child = task.blocking_call(HOST["wait4"], target, ctypes.addressof(word), options, pointer)
    if child > 0:
        if status:
            window.write_u32(status, word.value)
        task.process.signals.describe_child(child, word.value)
    return child


@syscall("fork")
def fork(task: Task) -> int:
    """fork(2)."""
    return _fork(task, 0, 0, Places(), 0)


@syscall("vfork")
def vfork(task: Task) -> int:
    """vfork(2)."""
    return _fork(task, CLONE_VM | CLONE_VFORK, 0, Places(), 0)


@syscall("clone")
def clone(task: Task, flags: int, stack: int, third: int, fourth: int, fifth: int) -> int:
    """clone(2)."""
    # Where the last three stand differs between architectures.
    arguments = dict(zip(task.abi.clone_arguments, (flags, stack, third, fourth, fifth)))
    if flags & CLONE_PIDFD and flags & CLONE_PARENT_SETTID:
        return -EINVAL  # there is one place for both
    told = arguments["parent_tid"]
    return _clone(task, flags, stack, Places(told, told, arguments["child_tid"]), arguments["tls"])


@syscall("clone3")
def clone3(task: Task, pointer: int, size: int) -> int:
    """clone3(2): what clone has, in a structure."""
    if size < _CLONE_ARGUMENTS.size:
        return -EINVAL
    if size > 4096:
        return -E2BIG
    data = task.window.read(pointer, size)
    flags, pidfd, child_tid, parent_tid, signal, stack, stack_size, tls = _CLONE_ARGUMENTS.unpack_from(data)
    if any(data[_CLONE_ARGUMENTS.size :]):
        return -E2BIG if any(data[_CLONE_KNOWN:]) else -EINVAL  # set_tid and cgroup take a privilege
    if signal & ~0xFF or flags & 0xFF or bool(stack) != bool(stack_size):
        return -EINVAL
    return _clone(task, flags | signal, stack + stack_size, Places(pidfd, parent_tid, child_tid), tls)


class Places(NamedTuple):
    """Where clone stores what: a descriptor of the child, and its id, in the parent and in the child."""

    pidfd: int = 0
    parent_tid: int = 0
    child_tid: int = 0


def _clone(task: Task, flags: int, stack: int, places: Places, tls: int) -> int:
    if flags & CLONE_THREAD:
        return clone_thread(task, flags, stack, places.parent_tid, places.child_tid, tls)
    if (flags & CLONE_VM and not flags & CLONE_VFORK) or flags & (_CLONE_REFUSED | CLONE_SIGHAND):
        return -EINVAL
    return _fork(task, flags, stack, places, tls)


def _fork(task: Task, flags: int, stack: int, places: Places, tls: int) -> int:
    window, cpu, abi = task.window, task.cpu, task.abi
    # With CLONE_VM | CLONE_VFORK the kernel shares memory and stops the parent until the child execs or exits. The
    # child here gets a copy; the parent waits for the same moment, and takes over what the child has changed in its
    # stack frame, through which posix_spawn and busybox report that execve failed. No more than that: other threads go
    # on meanwhile, and their stacks may be near.
    wait_read = wait_write = -1
    frame = b""
    parent_stack = cpu.get(abi.stack_pointer) - _RED_ZONE & -8
    if flags & CLONE_VFORK:
        ends = os.pipe()
        wait_read, wait_write = host.private_descriptor(ends[0]), host.private_descriptor(ends[1])
    process = task.process
    # What other threads are doing to translations would stay half done.
    with task.siblings.others_stopped() if task.siblings is not None else nullcontext():
        if flags & CLONE_VFORK:
            extent = min(window.regions.extent(parent_stack, 3), _SHARED_STACK + _RED_ZONE)
            frame = window.read(parent_stack, extent & -8)
        child = process.host_signals.fork(task)
        if child == 0:
            cpu.after_fork()
    if child == 0:
        if not flags & CLONE_VM:
            window.unmap_uninherited()
        process.become_child(task)
        if flags & CLONE_VFORK:
            host.close_private(wait_read)
            process.release_parent = lambda: _release_parent(task, wait_write, parent_stack, frame)
        if stack:
            cpu.set(abi.stack_pointer, stack)
        if flags & CLONE_SETTLS:
            if abi.set_thread_pointer is not None:
                abi.set_thread_pointer(cpu, window, tls)
            else:
                cpu.set(abi.thread_pointer, tls)
        task.clear_child_tid = places.child_tid if flags & CLONE_CHILD_CLEARTID else 0
        task.robust_list = 0
        if flags & CLONE_CHILD_SETTID:
            window.write_u32(places.child_tid, os.getpid())
        return 0
    if flags & CLONE_PARENT_SETTID:
        window.write_u32(places.parent_tid, child)
    if flags & CLONE_PIDFD:
        descriptor = host.check(host.call(HOST["pidfd_open"], child, 0))
        window.write_u32(places.pidfd, process.descriptors.opened(descriptor))
    if flags & CLONE_VFORK:
        host.close_private(wait_write)
        _wait_for_release(task, wait_read, parent_stack)
    return child


def _release_parent(task: Task, descriptor: int, parent_stack: int, before: bytes) -> None:
    """In a vfork'ed child: tell the parent what has changed in its frame, and let it go on."""
    try:
        now = task.window.read(parent_stack, len(before))
        words = ((at, now[at : at + 8]) for at in range(0, len(before), 8))
        os.write(descriptor, b"".join(_CHANGE.pack(at, word) for at, word in words if word != before[at : at + 8]))
    except (OSError, GuestFault):
        pass
    finally:
        host.close_private(descriptor)


def _wait_for_release(task: Task, descriptor: int, parent_stack: int) -> None:
    with task.unlocked(), os.fdopen(descriptor, "rb", buffering=0, closefd=False) as pipe:
        changes = pipe.readall()
    host.close_private(descriptor)
    for offset, word in _CHANGE.iter_unpack(changes[: len(changes) // _CHANGE.size * _CHANGE.size]):
        task.window.write(parent_stack + offset, word)


@syscall("execve")
def execve(task: Task, path: int, argv: int, environment: int) -> int | None:
    """execve(2)."""
    return _execve(task, task.window.read_cstring(path, host.PATH_MAX), argv, environment)


@syscall("execveat")
def execveat(task: Task, directory: int, path: int, argv: int, environment: int, flags: int) -> int | None:
    """execveat(2)."""
    name = task.window.read_cstring(path, host.PATH_MAX)
    directory = signed32(directory)
    if not name and not flags & _AT_EMPTY_PATH:
        return -ENOENT
    if not name.startswith(b"/") and directory != _AT_FDCWD:
        if task.process.descriptors.is_private(directory):
            return -EBADF
        host.check(host.call(HOST["fcntl"], directory, 1, 0))  # F_GETFD
        name = b"/proc/self/fd/%d" % directory + (b"/" + name if name else b"")
    return _execve(task, name, argv, environment)


def _execve(task: Task, path: bytes, argv: int, environment: int) -> int | None:
    window = task.window
    try:
        arguments, variables = (
            [window.read_cstring(pointer) for pointer in window.read_pointers(array, task.abi.word)] if array else []
            for array in (argv, environment)
        )
    except OSError as error:
        return -E2BIG if error.errno == ENAMETOOLONG else -(error.errno or E2BIG)
    strings = arguments + variables
    # A quarter of the stack is for the strings and their pointers.
    if sum(map(len, strings)) + 9 * len(strings) > task.process.space.stack_size // 4:
        return -E2BIG
    if not path:
        return -ENOENT
    try:
        program = find(path, arguments or [b""], task.process.paths)
    except LoadError as error:
        return -error.errno
    if program.elf.guest != task.cpu.name:
        program.close()
        return -ENOEXEC
    # From here on there is no way back to the old program.
    process = task.process
    threads.end_others(task)
    if not task.goes_on():  # somebody else was quicker
        program.close()
    elif task is process.main:
        threads.replace(process, program, variables)
    else:
        process.replacement, task.ended = threads.Replacement(program, variables, task.signals), True
        process.main.wake()
    return None
