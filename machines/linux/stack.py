"""The initial stack, as the kernel lays it (System V psABI 3.4; Linux: fs/binfmt_elf.c, create_elf_tables)."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from metaphrase.machines.linux.abi.base import Abi
from metaphrase.machines.linux.loader import Image
from metaphrase.machines.linux.memory import PAGE_SIZE, Window

AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY = 0, 3, 4, 5, 6, 7, 8, 9
AT_UID, AT_EUID, AT_GID, AT_EGID, AT_PLATFORM, AT_HWCAP, AT_CLKTCK, AT_SECURE = 11, 12, 13, 14, 15, 16, 17, 23
AT_RANDOM, AT_HWCAP2, AT_EXECFN, AT_SYSINFO, AT_SYSINFO_EHDR, AT_MINSIGSTKSZ = 25, 26, 31, 32, 33, 51


class InitialStack(NamedTuple):
    """Where things were put, for the start and for /proc/self."""

    pointer: int
    auxiliary_vector: bytes
    arguments: bytes
    environment: bytes


def build(
    window: Window,
    top: int,
    image: Image,
    abi: Abi,
    argv: Sequence[bytes],
    environment: Sequence[bytes],
    random_bytes: bytes,
    capabilities: tuple[int, int],
    vdso: Mapping[str, int],
) -> InitialStack:
    """Write argc, argv, envp, the auxiliary vector and all that they point to below `top`."""
    # Strings go down from the top: eight zero bytes, the file's name, then the environment above the arguments.
    strings = bytearray()
    argument_offsets: list[int] = []
    environment_offsets: list[int] = []
    for offsets, values in ((argument_offsets, argv), (environment_offsets, environment)):
        for value in values:
            offsets.append(len(strings))
            strings += value + b"\0"
    arguments_size = environment_offsets[0] if environment_offsets else len(strings)
    name_offset = len(strings)
    strings += image.name + b"\0" + bytes(8)
    strings_at = top - len(strings)
    window.write(strings_at, bytes(strings))

    pointer = strings_at & ~15
    platform_at = 0
    if abi.platform is not None:
        platform = os.fsencode(abi.platform) + b"\0"
        pointer -= len(platform)
        platform_at = pointer
        window.write(platform_at, platform)
    pointer = (pointer - len(random_bytes)) & ~15
    random_at = pointer
    window.write(random_at, random_bytes)

    vector: list[tuple[int, int]] = []
    if abi.system_call_function is not None:
        vector.append((AT_SYSINFO, vdso[abi.system_call_function]))
    vector.append((AT_SYSINFO_EHDR, vdso[""]))
    if abi.minimum_signal_stack is not None:
        vector.append((AT_MINSIGSTKSZ, abi.minimum_signal_stack))
    vector += [
        (AT_HWCAP, capabilities[0]),
        (AT_PAGESZ, PAGE_SIZE),
        (AT_CLKTCK, os.sysconf("SC_CLK_TCK")),
        (AT_PHDR, image.headers),
        (AT_PHENT, image.elf.header_size),
        (AT_PHNUM, len(image.elf.segments)),
        (AT_BASE, image.interpreter_base),
        (AT_FLAGS, 0),
        (AT_ENTRY, image.entry),
        (AT_UID, os.getuid()),
        (AT_EUID, os.geteuid()),
        (AT_GID, os.getgid()),
        (AT_EGID, os.getegid()),
        (AT_SECURE, 0),
        (AT_RANDOM, random_at),
        (AT_HWCAP2, capabilities[1]),
        (AT_EXECFN, strings_at + name_offset),
    ]
    if platform_at:
        vector.append((AT_PLATFORM, platform_at))
    vector.append((AT_NULL, 0))

    words = [len(argv)]
    words += [strings_at + offset for offset in argument_offsets] + [0]
    words += [strings_at + offset for offset in environment_offsets] + [0]
    letter = abi.word_format
    auxiliary_vector = b"".join(struct.pack(f"<2{letter}", *pair) for pair in vector)
    table = struct.pack(f"<{len(words)}{letter}", *words) + auxiliary_vector
    pointer = (pointer - len(table)) & ~15
    window.write(pointer, table)
    return InitialStack(
        pointer=pointer,
        auxiliary_vector=auxiliary_vector,
        arguments=bytes(strings[:arguments_size]),
        environment=bytes(strings[arguments_size:name_offset]),
    )
