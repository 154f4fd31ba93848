"""Small ELF files made to order."""

from __future__ import annotations

import struct
from pathlib import Path

MACHINES = {"x86_64": 62, "riscv64": 243, "aarch64": 183, "ppc64": 21}
CODE_ADDRESS = 0x40_0000
DATA_ADDRESS = 0x40_2000


def elf_bytes(
    *,
    guest: str = "x86_64",
    kind: int = 2,
    interpreter: bytes | None = None,
    stack_flags: int | None = 6,
    big_endian: bool = False,
    bss: int = 0x3000,
) -> bytes:
    """A program with a code segment (at 0x400000), a data segment (at 0x402000) and its bss."""
    order = ">" if big_endian else "<"
    headers = [(1, 5, 0, CODE_ADDRESS, 0x1000, 0x1000), (1, 6, 0x1000, DATA_ADDRESS, 0x10, 0x10 + bss)]
    content = bytearray(0x1010)
    if interpreter is not None:
        content[0x800 : 0x800 + len(interpreter)] = interpreter
        headers.append((3, 4, 0x800, CODE_ADDRESS + 0x800, len(interpreter), len(interpreter)))
    if stack_flags is not None:
        headers.append((0x6474E551, stack_flags, 0, 0, 0, 0))
    ident = b"\x7fELF" + bytes([2, 2 if big_endian else 1, 1, 0]) + bytes(8)
    content[:64] = struct.pack(
        order + "16sHHIQQQIHHHHHH", ident, kind, MACHINES[guest], 1, CODE_ADDRESS + 0x200, 64, 0, 0, 64, 56,
        len(headers), 0, 0, 0,
    )  # fmt: skip
    for index, (type_, flags, offset, address, file_size, memory_size) in enumerate(headers):
        start = 64 + index * 56
        content[start : start + 56] = struct.pack(
            order + "IIQQQQQQ", type_, flags, offset, address, address, file_size, memory_size, 0x1000
        )
    content[0x200:0x208] = bytes.fromhex("0f0b909090909090")
    content[0x1000:0x1010] = b"data of program!"
    return bytes(content)


def write_elf(path: Path, **options: object) -> Path:
    """Write a program and make it executable."""
    path.write_bytes(elf_bytes(**options))  # type: ignore[arg-type]
    path.chmod(0o755)
    return path
