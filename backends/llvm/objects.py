"""The object loader: links LLVM's relocatable objects into one position-independent image.

LLVM's own JIT linker leaks and slows down when it is asked module by module, so generated code is loaded here:
copy the sections that execution needs into one blob, and apply the few PC-relative relocations. The blob runs
wherever it is copied, and is therefore also what the persistent cache stores.

Sources: System V ABI, gABI chapter 4 ("Object Files"); AMD64 psABI 4.4 ("Relocation"); LLVM's StackMaps.html,
"Stack Map Format" version 3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from metaphrase.ir.errors import MetaphraseError

PAGE = 4096

_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QIIq")  # r_info in its two halves: type, then symbol
_INT32 = struct.Struct("<i")
_UINT64 = struct.Struct("<Q")

_IDENT = b"\x7fELF\x02\x01\x01"  # 64-bit, little-endian, version 1
_ET_REL, _EM_X86_64 = 1, 62
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_RELA, _SHT_NOBITS = 1, 2, 4, 8
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4
_STB_LOCAL, _STB_WEAK, _STT_FUNC = 0, 2, 2
_SHN_UNDEF, _SHN_LORESERVE = 0, 0xFF00

_R_64, _R_PC32, _R_PLT32, _R_GOTPCREL, _R_GOTPCRELX, _R_REX_GOTPCRELX = 1, 2, 4, 9, 41, 42
_NAMES = {_R_64: "R_X86_64_64", _R_GOTPCREL: "R_X86_64_GOTPCREL", 10: "R_X86_64_32", 11: "R_X86_64_32S"}

_EH_FRAME = b".eh_frame"  # nothing unwinds generated code
_NEVER_RUN = b"\xcc"  # int3
_APART = 64  # the alignment of what may lie elsewhere: that of its constants at most
_COLD = b".text.split."  # where LLVM puts the blocks that are seldom run
FAULT_SECTION = ".faults"
"""The section of entries of 8 bytes, see `guarded`: where the host may fault and where it then goes on, each relative
to the 4 bytes that say so."""


class LinkError(MetaphraseError):
    """An object cannot become a self-contained, position-independent image; the text names the symbol or section."""


class Image(NamedTuple):
    """A linked blob of code and constants; runs at any address that is a multiple of `alignment` bytes."""

    code: bytes
    symbols: dict[str, int]
    """Offsets in `code` of the defined global functions."""
    alignment: int = 16
    faults: int = 0
    """Offset in `code` of the table of faults, which 4 bytes of zero end; 0 if there is none."""
    cold: int = 0
    """Offset in `code` of a part that may lie elsewhere, because it is seldom run; 0 if there is none."""
    crossings: tuple[int, ...] = ()
    """Offsets of the displacements, 4 bytes each, that reach from one part to the other."""


@dataclass(slots=True)
class _Object:
    data: bytes
    names: int  # file offset of the section names
    sections: list[tuple[int, ...]]
    symbols: list[tuple[int, ...]] = field(default_factory=list)
    strings: int = 0  # file offset of the symbol names
    places: list[int] = field(default_factory=list)  # per section: its offset in the blob, or -1

    def text(self, offset: int) -> str:
        """The zero-terminated name at a file offset."""
        return self.data[offset : self.data.index(0, offset)].decode()

    def symbol_name(self, index: int) -> str:
        symbol = self.symbols[index]
        if symbol[0]:
            return self.text(self.strings + symbol[0])
        return self.text(self.names + self.sections[symbol[3]][0]) if symbol[3] < len(self.sections) else f"#{index}"


def link(objects: Sequence[bytes]) -> Image:
    """Lay out the objects' code and constants in one blob and resolve the references among them.

    The objects must come from position-independent code in the small code model. A function that several objects
    define weakly (`linkonce_odr`, `weak`) is taken from the strong definition, or else from the first.

    Raises LinkError for: bytes that are no x86-64 ELF object, writable data, an undefined or doubly defined symbol,
    and relocations that only an absolute address could satisfy.
    """
    try:
        parsed = [_parse(data) for data in objects]
        blob, alignment, faults, cold = _lay_out(parsed)
        exported, functions = _resolve(parsed)
        crossings = [site for item in parsed for site in _relocate(item, blob, exported, cold)]
    except (struct.error, IndexError, ValueError) as error:
        raise LinkError(f"damaged object file: {error}") from error
    return Image(bytes(blob), functions, alignment, faults, cold, tuple(crossings))


def _parse(data: bytes) -> _Object:
    header = _ELF_HEADER.unpack_from(data)
    if not header[0].startswith(_IDENT) or header[1] != _ET_REL or header[2] != _EM_X86_64:
        raise LinkError("not a relocatable ELF object for x86-64; emit it with llvmlite's TargetMachine.emit_object")
    table, count, names_index = header[6], header[12], header[13]
    if count == 0:  # gABI: 0xff00 sections or more; the number is in section 0
        first = _SECTION.unpack_from(data, table)
        count = first[5]
        names_index = first[6] if names_index == 0xFFFF else names_index
    sections = list(_SECTION.iter_unpack(data[table : table + count * _SECTION.size]))
    if len(sections) != count:
        raise LinkError("damaged object file: the section table is cut short")
    result = _Object(data, sections[names_index][4], sections)
    for section in sections:
        if section[1] == _SHT_SYMTAB:
            result.symbols = list(_SYMBOL.iter_unpack(data[section[4] : section[4] + section[5]]))
            result.strings = sections[section[6]][4]
    return result


def _lay_out(objects: Sequence[_Object]) -> tuple[bytearray, int, int, int]:
    """Give every needed section its place: all code first, what is seldom run of it last, then the constants, and the
    table of faults at the end.

    Returns the blob, its alignment, where that table begins, and where what is seldom run does; 0 if there is none.
    """
    code: list[tuple[_Object, int]] = []
    seldom: list[tuple[_Object, int]] = []
    constants: list[tuple[_Object, int]] = []
    faults: list[tuple[_Object, int]] = []
    for item in objects:
        data, names = item.data, item.names
        item.places = [-1] * len(item.sections)
        for index, section in enumerate(item.sections):
            name, kind, flags, size = section[0], section[1], section[2], section[5]
            if not flags & _SHF_ALLOC or not size:
                continue
            if kind == _SHT_NOBITS or flags & _SHF_WRITE:
                raise LinkError(
                    f"section {item.text(names + name)} is writable: generated code keeps its data in the guest's "
                    "state, and tables of absolute addresses cannot be position-independent"
                )
            if flags & _SHF_EXECINSTR:
                (seldom if data.startswith(_COLD, names + name) else code).append((item, index))
            elif item.text(names + name) == FAULT_SECTION:
                faults.append((item, index))
            elif kind == _SHT_PROGBITS and not data.startswith(_EH_FRAME, names + name):
                constants.append((item, index))
    blob = bytearray()
    alignment = 16
    for item, index in code + seldom + constants + faults:
        section = item.sections[index]
        offset, size, align = section[4], section[5], section[8] or 1
        if align > PAGE:
            raise LinkError(f"a section asks for an alignment of {align} bytes; at most a page ({PAGE}) can be kept")
        if seldom and item is seldom[0][0] and index == seldom[0][1]:
            align = max(align, _APART)
        alignment = max(alignment, align)
        blob += _NEVER_RUN * (-len(blob) % align)
        item.places[index] = len(blob)
        blob += item.data[offset : offset + size]
        if len(blob) != item.places[index] + size:
            raise LinkError(f"damaged object file: section {item.text(item.names + section[0])} is cut short")
    first = faults[0][0].places[faults[0][1]] if faults else 0
    if faults:
        blob += bytes(4)
    cold = seldom[0][0].places[seldom[0][1]] if seldom else 0
    return blob, alignment, first, cold


def _resolve(objects: Sequence[_Object]) -> tuple[dict[str, int], dict[str, int]]:
    """Blob offsets of all global definitions, and of those that are functions."""
    exported: dict[str, int] = {}
    functions: dict[str, int] = {}
    weak: set[str] = set()
    for item in objects:
        places, data, strings = item.places, item.data, item.strings
        for name_offset, info, _, index, value, _ in item.symbols:
            binding = info >> 4
            if binding == _STB_LOCAL or index == _SHN_UNDEF or index >= _SHN_LORESERVE or places[index] < 0:
                continue
            start = strings + name_offset
            name = data[start : data.index(0, start)].decode()
            if name in exported:
                if binding == _STB_WEAK:
                    continue
                if name not in weak:
                    raise LinkError(f"symbol {name} is defined by two of the {len(objects)} objects")
            if binding == _STB_WEAK:
                weak.add(name)
            else:
                weak.discard(name)
            exported[name] = places[index] + value
            if info & 15 == _STT_FUNC:
                functions[name] = places[index] + value
    return exported, functions


def _relocate(item: _Object, blob: bytearray, exported: dict[str, int], cold: int) -> list[int]:
    """Resolve an object's references; gives those between what lies before `cold` and what lies behind."""
    data, sections, symbols, places = item.data, item.sections, item.symbols, item.places
    addresses: list[int | None] = []
    for name_offset, info, _, index, value, _ in symbols:
        if info >> 4 != _STB_LOCAL:
            start = item.strings + name_offset
            addresses.append(exported.get(data[start : data.index(0, start)].decode()))
        elif index < _SHN_LORESERVE and places[index] >= 0:
            addresses.append(places[index] + value)
        else:
            addresses.append(None)

    put = _INT32.pack_into
    crossings: list[int] = []
    for section in sections:
        if section[1] != _SHT_RELA:
            continue
        target = section[7]
        place = places[target]
        if place < 0:
            continue
        for offset, kind, symbol, addend in _RELA.iter_unpack(data[section[4] : section[4] + section[5]]):
            address = addresses[symbol]
            if address is None:
                raise LinkError(
                    f"symbol {item.symbol_name(symbol)} is not defined by the objects being linked; helpers must be "
                    "called through the runtime table, and LLVM's library calls avoided"
                )
            site = place + offset
            if kind in (_R_GOTPCREL, _R_GOTPCRELX, _R_REX_GOTPCRELX):
                if not _without_table(blob, site):
                    raise _unsupported(item, kind, symbol, target)
            elif kind not in (_R_PC32, _R_PLT32):
                raise _unsupported(item, kind, symbol, target)
            put(blob, site, address + addend - site)
            if (site < cold) != (address < cold):
                crossings.append(site)
    return crossings


def _without_table(blob: bytearray, site: int) -> bool:
    """Turn a use of a global offset table entry into direct use of the symbol (psABI, B.2); False if impossible.

    There is no such table here, as its entries would be absolute. `site` is the 4-byte displacement's offset.
    """
    opcode, modrm = blob[site - 2], blob[site - 1]
    if opcode == 0x8B and modrm & 0xC7 == 0x05:  # mov reg, [rip + x]: lea reg, [rip + x]
        blob[site - 2] = 0x8D
    elif opcode == 0xFF and modrm == 0x15:  # call [rip + x]: addr32 call x
        blob[site - 2 : site] = b"\x67\xe8"
    elif opcode == 0xFF and modrm == 0x25:  # jmp [rip + x]: a prefix without effect keeps the length
        blob[site - 2 : site] = b"\x3e\xe9"
    else:
        return False
    return True


def _unsupported(item: _Object, kind: int, symbol: int, target: int) -> LinkError:
    section = item.text(item.names + item.sections[target][0])
    return LinkError(
        f"{section} refers to {item.symbol_name(symbol)} by {_NAMES.get(kind, f'relocation type {kind}')}, which needs "
        "an absolute address; emit the object with reloc='pic', codemodel='small', and no tables of pointers"
    )
