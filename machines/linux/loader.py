"""From a path to a program in memory, as execve does it (Linux: fs/exec.c, fs/binfmt_elf.c, fs/binfmt_script.c)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from errno import ELOOP, ENOENT, ENOEXEC
from typing import NamedTuple

from metaphrase.machines.linux import elf, host
from metaphrase.machines.linux.elf import PF_R, PF_W, PF_X, ElfFile
from metaphrase.machines.linux.errors import STATUS_NOT_FOUND, LoadError
from metaphrase.machines.linux.host import PROT_EXEC, PROT_READ, PROT_WRITE
from metaphrase.machines.linux.memory import PAGE_MASK, PAGE_SIZE, page_up
from metaphrase.machines.linux.paths import Paths
from metaphrase.machines.linux.space import AddressSpace

_SCRIPT_LINE = 256
_SCRIPT_DEPTH = 5


@dataclass(slots=True)
class Program:
    """A program that has been found and checked, not loaded yet. Its descriptors are closed by `close`."""

    elf: ElfFile
    #: The file's path on the host, resolved.
    path: bytes
    #: What the caller called it (AT_EXECFN).
    name: bytes
    argv: list[bytes]
    descriptor: int
    interpreter: ElfFile | None = None
    interpreter_descriptor: int = -1
    #: Its path, as that of the program.
    interpreter_path: bytes = b""

    def close(self) -> None:
        """Close the files."""
        for descriptor in (self.descriptor, self.interpreter_descriptor):
            if descriptor >= 0:
                host.close_private(descriptor)
        self.descriptor = self.interpreter_descriptor = -1


class Image(NamedTuple):
    """A program in memory; all addresses are the guest's."""

    elf: ElfFile
    path: bytes
    name: bytes
    #: Where execution begins: the interpreter's entry, if there is one.
    start: int
    #: The program's own entry (AT_ENTRY), its headers (AT_PHDR) and the interpreter's load bias (AT_BASE).
    entry: int
    headers: int
    interpreter_base: int
    end: int


def identify(path: str, sysroot: str | None = None) -> str:
    """The guest that a program needs: "x86_64", "i386" or "riscv64"; scripts are followed. LoadError if it cannot."""
    program = find(locate(path), [], Paths(sysroot))
    program.close()
    return program.elf.guest


def locate(path: str) -> bytes:
    """The path of a program that may be given by name alone, as to a shell; LoadError when there is none."""
    if "/" in path or os.path.exists(path):
        return os.fsencode(path)
    for folder in os.get_exec_path():
        candidate = os.path.join(folder, path)
        if path and os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return os.fsencode(candidate)
    raise LoadError(f"{path!r}: no such file, and no program of that name in $PATH", ENOENT, STATUS_NOT_FOUND)


def find(path: bytes, argv: Sequence[bytes], paths: Paths) -> Program:
    """Find and check a program and its interpreter; LoadError says what is wrong. Follows `#!` lines."""
    arguments = list(argv)
    name = path
    for _ in range(_SCRIPT_DEPTH):
        shown = os.fsdecode(path)
        descriptor, real_path = paths.open_program(path, shown)
        try:
            line = os.pread(descriptor, _SCRIPT_LINE, 0)
            if line.startswith(b"#!"):
                command = _script_command(line, shown)
                host.close_private(descriptor)
                descriptor = -1
                arguments = [*command, path, *arguments[1:]]
                path = command[0]
                continue
            header = elf.parse(descriptor, shown)
        except BaseException:
            if descriptor >= 0:
                host.close_private(descriptor)
            raise
        program = Program(header, real_path, name, arguments, descriptor)
        try:
            if header.interpreter is not None:
                _find_interpreter(program, paths)
            return program
        except BaseException:
            program.close()
            raise
    raise LoadError(f"{os.fsdecode(name)}: cannot be started: too many `#!` scripts run each other", ELOOP)


def _script_command(line: bytes, shown: str) -> list[bytes]:
    """The interpreter of a script and its one optional argument."""
    text, newline, _ = line[2:].partition(b"\n")
    text = text.strip(b" \t")
    interpreter, _, argument = text.replace(b"\t", b" ").partition(b" ")
    if not interpreter or (not newline and len(line) == _SCRIPT_LINE and not argument):
        raise LoadError(f"{shown}: cannot be started: its `#!` line names no interpreter", ENOEXEC)
    argument = text[len(interpreter) :].strip(b" \t")
    return [interpreter, argument] if argument else [interpreter]


def _find_interpreter(program: Program, paths: Paths) -> None:
    name = program.elf.interpreter or ""
    shown = os.fsdecode(program.name)
    try:
        descriptor, path = paths.open_program(os.fsencode(name), name)
    except LoadError as error:
        raise LoadError(
            f"{shown}: cannot be started: its interpreter {name} is missing or unusable; install the "
            f"{program.elf.guest} C library, or name the folder that holds one with -L",
            error.errno,
            STATUS_NOT_FOUND if error.exit_status == STATUS_NOT_FOUND else error.exit_status,
        ) from None
    program.interpreter_descriptor, program.interpreter_path = descriptor, path
    program.interpreter = elf.parse(descriptor, name)
    if program.interpreter.guest != program.elf.guest:
        raise LoadError(
            f"{shown}: cannot be started: its interpreter {name} is for {program.interpreter.guest}, not "
            f"{program.elf.guest}; name a folder with the right one with -L",
            ENOEXEC,
        )


def load(program: Program, space: AddressSpace) -> Image:
    """Map a program and its interpreter into an empty address space. OSError when the host refuses memory."""
    bias, end = _map(program.elf, program.descriptor, space, os.fsdecode(program.path), at=space.program_base)
    space.start_break(end)
    entry = start = program.elf.entry + bias
    base = 0
    if program.interpreter is not None:
        path = os.fsdecode(program.interpreter_path)
        base, _ = _map(program.interpreter, program.interpreter_descriptor, space, path, at=None)
        start = program.interpreter.entry + base
    headers = program.elf.header_address
    return Image(
        elf=program.elf,
        path=program.path,
        name=program.name,
        start=start,
        entry=entry,
        headers=headers + bias if headers else 0,
        interpreter_base=base,
        end=end,
    )


def _map(file: ElfFile, descriptor: int, space: AddressSpace, path: str, at: int | None) -> tuple[int, int]:
    """Map the segments of one file: the load bias and the end of its memory."""
    loads = file.loads
    low = min(segment.address for segment in loads) & ~PAGE_MASK
    high = page_up(max(segment.address + segment.memory_size for segment in loads))
    bias = 0
    if file.kind == elf.ET_DYN:
        alignment = max(max(segment.alignment for segment in loads), PAGE_SIZE)
        if at is None:
            at = space.place(0, high - low + alignment - PAGE_SIZE)
            bias = ((at + alignment - 1) & -alignment) - low
        else:
            bias = (at & -alignment) - low
    status = os.fstat(descriptor)
    window = space.window
    for segment in loads:
        protection = (
            (PROT_READ if segment.flags & PF_R else 0)
            | (PROT_WRITE if segment.flags & PF_W else 0)
            | (PROT_EXEC if segment.flags & PF_X else 0)
        )
        start = segment.address + bias
        page = start & ~PAGE_MASK
        file_end = start + segment.file_size
        memory_end = page_up(start + segment.memory_size)
        if segment.file_size:
            mapped = page_up(file_end) - page
            offset = segment.offset & ~PAGE_MASK
            if segment.file_size < segment.memory_size and not protection & PROT_WRITE:
                raise LoadError(f"{path}: cannot be loaded: a read-only segment has memory that no file fills", ENOEXEC)
            window.map_file(
                page, mapped, protection, descriptor, offset,
                name=path, device=status.st_dev, inode=status.st_ino, stable=True,
            )  # fmt: skip
            if segment.memory_size > segment.file_size and file_end & PAGE_MASK:
                window.write(file_end, bytes(-file_end & PAGE_MASK))
            page = page_up(file_end)
        if memory_end > page:
            window.map_anonymous(page, memory_end - page, protection)
    return bias, high + bias
