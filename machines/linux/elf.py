"""The headers of an ELF file that loading needs (System V gABI, chapters 4 and 5).

Parsed with `struct` rather than pyelftools: importing pyelftools takes 25 to 37 ms here, more than the whole load may
cost (15 ms); these few headers take 0.05 ms. The tests compare both on real files.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from errno import EACCES, ENOENT, ENOEXEC, ENOTDIR
from typing import NamedTuple

from metaphrase.machines.linux import host
from metaphrase.machines.linux.errors import STATUS_NOT_FOUND, LoadError

EM_386, EM_X86_64, EM_RISCV = 3, 62, 243
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_PHDR, PT_GNU_STACK = 1, 2, 3, 6, 0x6474E551
PF_X, PF_W, PF_R = 1, 2, 4

FILE_HEADERS = {True: struct.Struct("<16sHHIQQQIHHHHHH"), False: struct.Struct("<16sHHIIIIIHHHHHH")}
PROGRAM_HEADERS = {True: struct.Struct("<IIQQQQQQ"), False: struct.Struct("<IIIIIIII")}
"""By whether the file is a 64-bit one."""

#: Guest names by (e_machine, 64-bit, little-endian).
GUESTS = {(EM_X86_64, True, True): "x86_64", (EM_386, False, True): "i386", (EM_RISCV, True, True): "riscv64"}

_MACHINES = {
    2: "SPARC", 3: "i386", 4: "m68k", 8: "MIPS", 15: "PA-RISC", 20: "PowerPC", 21: "PowerPC64", 22: "s390",
    40: "ARM", 42: "SuperH", 43: "SPARC64", 50: "IA-64", 62: "x86-64", 183: "AArch64", 243: "RISC-V", 247: "BPF",
    252: "C-SKY", 258: "LoongArch", 0x9026: "Alpha",
}  # fmt: skip
_TYPES = {0: "no type", 1: "a relocatable object", 2: "an executable", 3: "a shared object", 4: "a core dump"}


class Segment(NamedTuple):
    """One program header; offsets and sizes in bytes."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int
    alignment: int


class ElfFile(NamedTuple):
    """The headers of a program or interpreter."""

    path: str
    guest: str
    kind: int
    entry: int
    header_offset: int
    segments: tuple[Segment, ...]
    interpreter: str | None
    executable_stack: bool
    #: Bytes of a program header.
    header_size: int

    @property
    def loads(self) -> list[Segment]:
        """The segments that are mapped."""
        return [segment for segment in self.segments if segment.kind == PT_LOAD]

    @property
    def header_address(self) -> int:
        """Where the program headers lie in memory, before the load bias; 0 when no segment holds them."""
        for segment in self.segments:
            if segment.kind == PT_PHDR:
                return segment.address
        for segment in self.loads:
            if segment.offset <= self.header_offset < segment.offset + segment.file_size:
                return self.header_offset - segment.offset + segment.address
        return 0


def open_program(path: str, shown: str | None = None) -> int:
    """Open a program file for loading: a descriptor; LoadError says why not."""
    shown = shown or path
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        missing = error.errno in (ENOENT, ENOTDIR)
        text = "no such file; check the path" if missing else (error.strerror or str(error))
        raise LoadError(
            f"{shown}: cannot be started: {text}", error.errno or EACCES, STATUS_NOT_FOUND if missing else 126
        ) from None
    status = os.fstat(descriptor)
    problem = ""
    if stat.S_ISDIR(status.st_mode):
        problem = "it is a directory"
    elif not stat.S_ISREG(status.st_mode):
        problem = "it is not a regular file"
    elif not os.access(path, os.X_OK) or not status.st_mode & 0o111:
        problem = "permission denied: it is not executable (chmod +x?)"
    if problem:
        os.close(descriptor)
        raise LoadError(f"{shown}: cannot be started: {problem}", EACCES)
    # Out of the guest's numbers, whose own are closed before the file is mapped.
    return host.private_descriptor(descriptor)


def parse(descriptor: int, path: str) -> ElfFile:
    """Read and check the headers of an open file; LoadError says what is wrong with it."""

    def bad(problem: str) -> LoadError:
        return LoadError(f"{path}: cannot be loaded: {problem}", ENOEXEC)

    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, 4096, 0)
    if not head:
        raise bad("the file is empty")
    if head[:4] != b"\x7fELF":
        raise bad("it is neither an ELF file nor a `#!` script")
    if len(head) < 20:
        raise bad(f"the ELF header is truncated: {len(head)} bytes of {FILE_HEADERS[True].size}")
    bits64, little = head[4] == 2, head[5] == 1
    kind, machine = struct.unpack_from("<HH" if little else ">HH", head, 16)
    guest = GUESTS.get((machine, bits64, little))
    if guest is None:
        name = _MACHINES.get(machine, f"machine {machine}")
        width = "64" if bits64 else "32"
        order = "little" if little else "big"
        raise bad(
            f"it is for another architecture, {name} ({width}-bit, {order}-endian); "
            f"the guests known here are {', '.join(GUESTS.values())}"
        )
    file_header, program_header = FILE_HEADERS[bits64], PROGRAM_HEADERS[bits64]
    if len(head) < file_header.size:
        raise bad(f"the ELF header is truncated: {len(head)} bytes of {file_header.size}")
    (_, _, _, _, entry, header_offset, _, _, _, entry_size, count, _, _, _) = file_header.unpack_from(head)
    if kind not in (ET_EXEC, ET_DYN):
        raise bad(f"it is {_TYPES.get(kind, f'an ELF file of type {kind}')}, not a program; link it first")
    if entry_size != program_header.size or not count:
        raise bad(f"it has no usable program headers ({count} of {entry_size} bytes; {program_header.size} expected)")
    table_end = header_offset + count * entry_size
    if table_end > size:
        raise bad(f"it is truncated: the program headers end at byte {table_end:#x}, the file at {size:#x}")
    table = head[header_offset:table_end] if table_end <= len(head) else os.pread(
        descriptor, count * entry_size, header_offset
    )  # fmt: skip
    segments = []
    for kind_, *fields in program_header.iter_unpack(table):
        if bits64:
            flags, offset, address, _, file_size, memory_size, alignment = fields
        else:
            offset, address, _, file_size, memory_size, flags, alignment = fields
        segments.append(Segment(kind_, flags, offset, address, file_size, memory_size, alignment))
    interpreter = _check_segments(segments, descriptor, size, bad)
    stacks = [segment for segment in segments if segment.kind == PT_GNU_STACK]
    return ElfFile(
        path=path,
        guest=guest,
        kind=kind,
        entry=entry,
        header_offset=header_offset,
        segments=tuple(segments),
        interpreter=interpreter,
        executable_stack=bool(stacks) and bool(stacks[0].flags & PF_X),
        header_size=program_header.size,
    )


def _check_segments(segments: list[Segment], descriptor: int, size: int, bad: Callable[[str], LoadError]) -> str | None:
    """Check what will be mapped; the interpreter's path, if the program names one."""
    interpreter = None
    loads = [segment for segment in segments if segment.kind == PT_LOAD]
    if not loads:
        raise bad("no segment of it is to be loaded")
    for segment in loads:
        end = segment.offset + segment.file_size
        if end > size:
            raise bad(f"it is truncated: a segment ends at byte {end:#x}, the file at {size:#x}")
        if segment.file_size > segment.memory_size or segment.address % 4096 != segment.offset % 4096:
            raise bad(f"the segment at {segment.address:#x} is malformed")
        if segment.address + segment.memory_size > (1 << 46) - 4096:  # the last page stays free
            raise bad(f"the segment at {segment.address:#x} lies outside the address space")
    for segment in segments:
        if segment.kind == PT_INTERP:
            if segment.offset + segment.file_size > size:
                raise bad("it is truncated: the name of its interpreter lies behind the file's end")
            name = os.pread(descriptor, min(segment.file_size, 4096), segment.offset)
            if len(name) < segment.file_size or not name.endswith(b"\0") or len(name) < 2:
                raise bad("the name of its interpreter is malformed")
            interpreter = os.fsdecode(name.split(b"\0", 1)[0])
    return interpreter
