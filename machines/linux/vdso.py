"""The vDSO: the library that the kernel maps into each process (vdso(7); System V gABI, chapters 4 and 5).

Its functions make the system calls of their names: native code answers those that tell the time without the kernel
(`backends/llvm/native/clock.ll`). Debuggers, unwinders and C libraries look for it, and handlers of signals return
through it where there is no restorer.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from metaphrase.machines.linux.elf import ET_DYN, FILE_HEADERS, PF_R, PF_X, PROGRAM_HEADERS, PT_DYNAMIC, PT_LOAD
from metaphrase.machines.linux.host import PROT_EXEC, PROT_READ, PROT_WRITE
from metaphrase.machines.linux.memory import PAGE_SIZE
from metaphrase.machines.linux.space import AddressSpace

_DT_NULL, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT, _DT_SONAME = 0, 4, 5, 6, 10, 11, 14
_DT_VERSYM, _DT_VERDEF, _DT_VERDEFNUM = 0x6FFF_FFF0, 0x6FFF_FFFC, 0x6FFF_FFFD
_GLOBAL_FUNCTION, _WEAK_FUNCTION = 0x12, 0x22
_VER_FLG_BASE = 1
_TEXT_SECTION = 1
"""A section's number that is none of those with a meaning; there are no sections."""
_FUNCTION_ALIGNMENT = 16
_SYMBOLS = {8: struct.Struct("<IBBHQQ"), 4: struct.Struct("<IIIBBH")}
"""A symbol, by the bytes of a word."""


class Function(NamedTuple):
    """A function of the library: its names, the first of which is the one that counts, its version, and its code."""

    names: tuple[str, ...]
    version: str
    code: bytes


class Library(NamedTuple):
    """A vDSO: what is mapped, and where its functions are in it."""

    data: bytes
    symbols: Mapping[str, int]


@cache
def library(machine: int, word: int, name: str, functions: Sequence[Function]) -> Library:
    """The library for a machine (`e_machine`) whose words have so many bytes."""
    strings = _Strings()
    versions = list(dict.fromkeys(function.version for function in functions))
    offsets = _places(functions)
    dynamic = [_DT_SONAME, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT, _DT_VERSYM, _DT_VERDEF,
               _DT_VERDEFNUM, _DT_NULL]  # fmt: skip
    entry, file_header, header = _SYMBOLS[word], FILE_HEADERS[word == 8], PROGRAM_HEADERS[word == 8]
    text_at = -(-(file_header.size + 2 * header.size) // _FUNCTION_ALIGNMENT) * _FUNCTION_ALIGNMENT
    symbols, symbol_table, symbol_versions = {}, [bytes(entry.size)], [0]
    names = [""]
    for function, offset in zip(functions, offsets, strict=True):
        for number, symbol in enumerate(function.names):
            symbols[symbol] = text_at + offset
            kind = _WEAK_FUNCTION if number else _GLOBAL_FUNCTION
            fields = (strings.at(symbol), text_at + offset, len(function.code), kind)
            symbol_table.append(_symbol(entry, word, *fields))
            symbol_versions.append(2 + versions.index(function.version))
            names.append(symbol)
    soname = strings.at(name)
    definitions = _definitions(strings, [name, *versions])
    text = bytearray()
    for function, offset in zip(functions, offsets, strict=True):
        text += bytes(offset - len(text)) + function.code
    places, tables = {}, bytearray()
    for tag, content in (
        (_DT_HASH, _hash_table(names)), (_DT_SYMTAB, b"".join(symbol_table)), (_DT_VERDEF, definitions),
        (_DT_VERSYM, struct.pack(f"<{len(symbol_versions)}H", *symbol_versions)), (_DT_STRTAB, bytes(strings.data)),
    ):  # fmt: skip
        tables += bytes(-len(tables) % 8)
        places[tag] = text_at + len(text) + -len(text) % 8 + len(tables)
        tables += content
    values = places | {
        _DT_SONAME: soname, _DT_STRSZ: len(strings.data), _DT_SYMENT: entry.size, _DT_VERDEFNUM: 1 + len(versions),
        _DT_NULL: 0,
    }  # fmt: skip
    body = bytes(text) + bytes(-len(text) % 8) + tables
    body += bytes(-len(body) % 8)
    letter = "Q" if word == 8 else "I"
    dynamic_at = text_at + len(body)
    pairs = b"".join(struct.pack(f"<2{letter}", tag, values[tag]) for tag in dynamic)
    size = dynamic_at + len(pairs)
    identity = b"\x7fELF" + bytes([word // 4, 1, 1]) + bytes(9)
    head = file_header.pack(
        identity, ET_DYN, machine, 1, 0, file_header.size, 0, 0, file_header.size, header.size, 2, 0, 0, 0
    )
    head += _program_header(header, word, PT_LOAD, PF_R | PF_X, 0, size, PAGE_SIZE)
    head += _program_header(header, word, PT_DYNAMIC, PF_R, dynamic_at, len(pairs), word)
    return Library(head.ljust(text_at, b"\0") + body + pairs, symbols)


def map_library(space: AddressSpace, made: Library) -> dict[str, int]:
    """Map a library for the guest: where its functions are."""
    size = -(-len(made.data) // PAGE_SIZE) * PAGE_SIZE
    base = space.place(0, size)
    space.window.map_anonymous(base, size, PROT_READ | PROT_WRITE, name="[vdso]")
    space.window.write(base, made.data)
    space.window.protect(base, size, PROT_READ | PROT_EXEC)
    return {"": base} | {name: base + offset for name, offset in made.symbols.items()}


def _symbol(layout: struct.Struct, word: int, name: int, value: int, size: int, kind: int) -> bytes:
    if word == 8:
        return layout.pack(name, kind, 0, _TEXT_SECTION, value, size)
    return layout.pack(name, value, size, kind, 0, _TEXT_SECTION)


def _program_header(
    layout: struct.Struct, word: int, kind: int, flags: int, offset: int, size: int, alignment: int
) -> bytes:
    if word == 8:
        return layout.pack(kind, flags, offset, offset, offset, size, size, alignment)
    return layout.pack(kind, offset, offset, offset, size, size, flags, alignment)


def _places(functions: Sequence[Function]) -> list[int]:
    """Where functions lie in the text."""
    places, at = [], 0
    for function in functions:
        places.append(at)
        at += -(-len(function.code) // _FUNCTION_ALIGNMENT) * _FUNCTION_ALIGNMENT
    return places


def _hash_table(names: Sequence[str]) -> bytes:
    """All symbols in one chain: there are few."""
    count = len(names)
    chain = [0, *range(2, count), 0]
    return struct.pack(f"<{3 + count}I", 1, count, 1, *chain)


def _definitions(strings: _Strings, names: Sequence[str]) -> bytes:
    """The versions, the first of which is the library itself."""
    entry, name_entry = struct.Struct("<HHHHIII"), struct.Struct("<II")
    data = b""
    for index, name in enumerate(names, start=1):
        following = entry.size + name_entry.size if index < len(names) else 0
        flags = _VER_FLG_BASE if index == 1 else 0
        data += entry.pack(1, flags, index, 1, elf_hash(name), entry.size, following)
        data += name_entry.pack(strings.at(name), 0)
    return data


def elf_hash(name: str) -> int:
    """The gABI's hash of a name."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF000_0000
        value = (value ^ high >> 24) & ~high
    return value


class _Strings:
    """A table of strings."""

    def __init__(self) -> None:
        self.data = bytearray(1)

    def at(self, text: str) -> int:
        """Where a string stands, added if need be."""
        ended = text.encode() + b"\0"
        found = self.data.find(b"\0" + ended)
        if found < 0:
            found = len(self.data) - 1
            self.data += ended
        return found + 1
