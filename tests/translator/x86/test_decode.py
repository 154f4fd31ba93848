"""The decoder against capstone (text and length), against the hardware, and its native face against its Python face."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import capstone
import pytest

from metaphrase.backends.reference.interpreter import Interpreter
from metaphrase.backends.reference.memory import MemoryFault
from metaphrase.ir import record as layout
from metaphrase.ir.graph import Function
from metaphrase.translator import record
from metaphrase.translator.guest import Decoded, DecodeError, Description, guest
from metaphrase.translator.x86.decoder import encoding_of
from metaphrase.translator.x86.guest import X86Guest
from metaphrase.translator.x86.modes import Mode
from metaphrase.translator.x86.table import SIZE_RULES
from metaphrase.translator.x86.text import disassemble
from tests.oracle.native import ARENA, ENTRY, MODES, REGISTERS, SUPPORTED, WITHOUT_MODE, Case, Oracle, State
from tests.programs.runner import FULL
from tests.translator.x86.differential import CASES, GUEST, GUESTS, SEED, draw_plain, row_id
from tests.translator.x86.encodings import Encoded
from tests.translator.x86.execution import Execution
from tests.translator.x86.host import case_to_run, lacks
from tests.translator.x86.selection import SLICE

_CAPSTONE = {
    64: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    32: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32),
    16: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_16),
}
_MASK64 = (1 << 64) - 1

UNKNOWN_TO_CAPSTONE = {
    "mov 8C /r reg": "segment registers that do not exist, which trap",
    "mov 8C /r mem": "segment registers that do not exist, which trap",
    "mov 8E /r": "segment registers that do not exist, which trap",
    "nop": "hints that no CPU gives a meaning to",
    "lfence": "forms with another rm field than 0",
    "mfence": "forms with another rm field than 0",
    "sfence": "forms with another rm field than 0",
}
WITHOUT_OPERANDS = frozenset(
    {"xlatb", "in", "out", "ins", "outs", "mov_cr", "mov_dr", "sysret", "sysexit", "sldt", "str", "smsw"}
    | {"pinsrw", "vpinsrw", "callf", "jmpf"}
)
"""Rows of which only the length is compared: capstone shows what is implied, or names privileged forms."""
PREDICATES = (
    "eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord",
    "eq_uq", "nge", "ngt", "false", "neq_oq", "ge", "gt", "true",
    "eq_os", "lt_oq", "le_oq", "unord_s", "neq_us", "nlt_uq", "nle_uq", "ord_s",
    "eq_us", "nge_uq", "ngt_uq", "false_os", "neq_os", "ge_oq", "gt_oq", "true_us",
)  # fmt: skip


def capstone_text(code: bytes, mode: int = 64) -> tuple[int, str] | None:
    """Length and text by capstone, None if it knows no such instruction in a mode."""
    for found in _CAPSTONE[mode].disasm(code, ENTRY, 1):
        return found.size, f"{found.mnemonic} {found.op_str}".strip()
    return None


def reference_text(row: Description, encoded: Encoded) -> tuple[int, str] | None:
    """The same of a drawn encoding.

    In 16-bit mode, capstone takes a mandatory prefix of 66 for the operand size; such an instruction is looked at as
    32-bit mode has it, where what changes is the address size.
    """
    e = encoding_of(row)
    if encoded.mode != 16 or e.prefix is None or SIZE_RULES["v"] == e.size_rule:
        return capstone_text(encoded.code, encoded.mode)
    if not (encoded.memory or e.addresses):
        return capstone_text(encoded.code, 32)
    resized = 0x67 in encoded.prefixes
    found = capstone_text(encoded.code.replace(b"\x67", b"", 1) if resized else b"\x67" + encoded.code, 32)
    return found and (found[0] + (1 if resized else -1), found[1])


def normal(text: str) -> str:
    """Both sides' text without their liberties: aliases, null segments, signs and radix of numbers, defaults."""
    text = re.sub(r"\b[ecsd]s:\[", "[", text)
    text = re.sub(r"(?<=\[)[re]iz(\*\d)?( \+ |(?=\]))|( \+ )[re]iz(\*\d)?", "", text).replace("[]", "[0]")
    text = re.sub(r"(\b(?:x?mm|y|t|[fdq])?(?:byte|word) )?ptr ", "", text)
    text = text.removeprefix("notrack ")
    text = re.sub(r"^(lock |rep |repn?e )?(sal|movabs|p(?:ush|op)a[lw]|(?:fx|x)(?:save|rstor)\w*64)\b", _unalias, text)
    predicate = re.match(rf"(v?)cmp({'|'.join(PREDICATES)})([ps][sd]) (.*)", text)
    if predicate:
        text = f"{predicate[1]}cmp{predicate[3]} {predicate[4]}, {PREDICATES.index(predicate[2])}"
    text = re.sub(r"^(rc[lr] .*), (?:0x)?1$", r"\1", text)
    text = re.sub(r"^repn?e? (?=movs)", "", text)
    text = re.sub(r"^((?:p?blendv|sha256rnds2)\w* [^,]*, [^,]*), xmm0$", r"\1", text)  # implied
    text = text.replace(" - ", " + -")
    return re.sub(r"(?<![\w(])-?(?:0x[0-9a-f]+|\d+)\b(?!\))", lambda m: hex(int(m[0], 0) & _MASK64), text)


_ALIASES = {
    "sal": "shl", "movabs": "mov", "pushal": "pushad", "pushaw": "pusha", "popal": "popad", "popaw": "popa",
}  # fmt: skip


def _unalias(match: re.Match[str]) -> str:
    return (match[1] or "") + _ALIASES.get(match[2], match[2].removesuffix("64"))


def same(ours: str, theirs: str, width: int) -> bool:
    """Whether two normal texts agree, numbers standing alone compared in the operand's width."""
    mask = (1 << width) - 1

    def cut(text: str) -> str:
        return re.sub(r"(?<=[ ,])0x[0-9a-f]+(?=,|$)", lambda m: hex(int(m[0], 0) & mask), text)

    return ours == theirs or cut(ours) == cut(theirs)


@pytest.mark.parametrize(("row", "mode"), SLICE, ids=row_id)
def test_text_and_length(row: Description, mode: int) -> None:
    for number in range(2 * CASES if mode == 64 else max(CASES // 2, 1)):
        encoded, decoded = draw_plain(row, number, SEED, mode)
        shown = encoded.code.hex(" ")
        assert decoded.length == len(encoded.code), shown
        if row.name.startswith("ud"):
            continue  # capstone thinks that UD0 and UD1 have no ModRM byte
        if row.name in ("mov_cr", "mov_dr") and encoded.memory:
            continue  # always a register, whatever mod says
        reference = reference_text(row, encoded)
        if reference is None:
            known = row_id(row) in UNKNOWN_TO_CAPSTONE or row.name in UNKNOWN_TO_CAPSTONE or row.extension == "x87"
            vex = mode != 64 and encoding_of(row).vex  # W that does not matter
            resized = encoded.resized or (mode == 16 and encoding_of(row).prefix)
            assert known or 0x48 & encoded.rex or resized or vex, f"{shown}: capstone knows no such instruction"
            continue
        length, text = reference
        assert length == decoded.length, f"{shown}: {text}"
        if row.name in WITHOUT_OPERANDS or row.extension == "x87":
            continue
        if encoded.operand16 and encoded.rex & 8 and row.name in ("pushf", "popf"):
            continue  # REX.W wins, and capstone shows the narrow form
        if row.name in ("pause", "jrcxz") and encoded.rex & 9:
            continue  # hardware pauses where capstone exchanges R8, and counts in ECX where it tests RCX
        if row.name == "nop" and (encoding_of(row).opcode == 0x19 or not text.startswith("nop")):
            continue  # a hint of an extension that is not announced
        if mode != 64 and (row.pattern == "8E /r" or (" is4" in row.pattern and encoded.code[-1] & 0x80)):
            continue  # of which capstone takes 32 bits to be moved, and names registers that the mode has not
        if mode == 16 and row.name in ("cbw", "cwd"):
            continue  # whose names capstone takes for those of the other operand size
        if row.name == "crc32" and text.startswith("movbe"):
            continue  # F2 wins over 66, wherever it stands
        if row.name == "clflush" and encoded.rex and encoded.code[0] == 0x67 and text.startswith("clflushopt"):
            continue  # capstone takes 67 before a REX prefix for 66
        if encoded.address_width == 16:  # capstone extends signs
            text = re.sub(r"\[0xffff(?=[0-9a-f]{4}\])", "[0x", text)
        ours, theirs = normal(disassemble(GUEST.rows, decoded, GUESTS[mode].mode)), normal(text)
        assert same(ours, theirs, _width(row, decoded)), f"{shown}: {ours} | {theirs}"


def _width(row: Description, decoded: Decoded) -> int:
    size = (0, 16, 32, 64)[decoded.statics & 3] if row.name != "enter" else 8
    if any(kind.letter == "I" and kind.size == "b" for kind in row.operands):
        return 8
    return size or (8 if encoding_of(row).immediate in (1, 2) else 64)


class _Bytes:
    """Host memory of one writable block, or guest memory of one readable one."""

    def __init__(self, address: int, data: bytes) -> None:
        self.address, self.data = address, bytearray(data)

    def _at(self, address: int, size: int, access: str) -> int:
        at = address - self.address
        if at < 0 or at + size > len(self.data):
            raise MemoryFault(address, access)
        return at

    def read(self, address: int, size: int, /) -> bytes:
        at = self._at(address, size, "read")
        return bytes(self.data[at : at + size])

    def write(self, address: int, data: bytes, /) -> None:
        at = self._at(address, len(data), "write")
        self.data[at : at + len(data)] = data


_TABLE, _RECORD = 0x10_0000, 0x1000


class _Host:
    """The runtime's memory: the decoder's table of a mode and a record."""

    def __init__(self, table: bytes) -> None:
        self.table = _Bytes(_TABLE, table)
        self.record = _Bytes(_RECORD, bytes(layout.SIZE))

    def read(self, address: int, size: int, /) -> bytes:
        return (self.table if address >= _TABLE else self.record).read(address, size)

    def write(self, address: int, data: bytes, /) -> None:
        self.record.write(address, data)


@cache
def native_face(mode: Mode) -> Function:
    """The decoder that all CPU models of a mode have."""
    return guest(mode.name).decoder()


def decode_natively(code: bytes, mode: int = 64, guest: X86Guest | None = None) -> Decoded | None:
    """What the native face of a mode, run by the interpreter, makes of exactly these bytes; None if it refuses them."""
    guest = guest or GUESTS[mode]
    host = _Host(guest.decoder_table())
    run = Interpreter(
        native_face(guest.mode), state=bytearray(GUEST.layout.size), memory=_Bytes(ENTRY, code), host=host,
        arguments=(ENTRY, _RECORD, _TABLE),
    )  # fmt: skip
    outcome = run.run()
    if outcome.kind == "fault" or not outcome.value:
        return None
    decoded = record.unpack(bytes(host.record.data), GUEST.static_bits)
    assert decoded.length == outcome.value
    return decoded


def decode_plainly(code: bytes, mode: int = 64) -> Decoded | None:
    """What the Python face makes of them."""
    try:
        return GUESTS[mode].decode(code, ENTRY)
    except DecodeError:
        return None


@pytest.mark.parametrize(("row", "mode"), SLICE, ids=row_id)
def test_faces_agree(row: Description, mode: int) -> None:
    for number in range(2 if mode == 64 else 1):
        encoded, decoded = draw_plain(row, number, SEED + 1, mode)
        assert decode_natively(encoded.code, mode) == decoded, encoded.code.hex(" ")
        cut = encoded.code[:-1]
        assert decode_natively(cut, mode) == decode_plainly(cut, mode), cut.hex(" ")


def cell_codes(mode: int = 64) -> Iterator[tuple[str, bytes]]:
    """An encoding for every cell of the opcode maps, prefix, reg field and form, with plenty of bytes behind it."""
    for map_bytes in (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a"):
        for opcode in range(256):
            if (map_bytes == b"" and opcode in _NOT_OPCODES[mode]) or (map_bytes == b"\x0f" and opcode in (0x38, 0x3A)):
                continue
            for prefix in (b"", b"\x66", b"\xf3", b"\xf2"):
                for modrm in (*range(0, 64, 8), *range(0xC0, 256, 8)):
                    code = prefix + map_bytes + bytes([opcode, modrm])
                    yield f"{(map_bytes + bytes([opcode])).hex()}", code
    for map_number in (1, 2, 3):
        for opcode in range(256):
            for last in (0x78, 0x79, 0x7A, 0x7B, 0x7D, 0xF8, 0xF9, 0xFA, 0xFB, 0xFD, 0x41, 0x45):
                for modrm in (*range(0, 64, 8), 0xC0, 0xE8):
                    yield f"vex {map_number} {opcode:02x}", bytes([0xC4, 0xE0 | map_number, last, opcode, modrm])


_PREFIXES = {0x0F, 0x26, 0x2E, 0x36, 0x3E, *range(0x64, 0x68), 0xF0, 0xF2, 0xF3}
_NOT_OPCODES = {64: {*_PREFIXES, *range(0x40, 0x50), 0x62, 0xC4, 0xC5}, 32: _PREFIXES, 16: _PREFIXES}
"""Prefixes and escapes in the one-byte map."""


@pytest.mark.parametrize("mode", GUESTS)
def test_faces_agree_in_every_cell(mode: int) -> None:
    step = (7 if mode == 64 else 14) * (1 if FULL else 4)
    for number, (_, code) in enumerate(cell_codes(mode)):
        if number % step == SEED % step:
            padded = code + bytes.fromhex("12345678 9abcdef0 11")
            assert decode_natively(padded, mode) == decode_plainly(padded, mode), padded.hex(" ")


@pytest.mark.parametrize("prefixes", ["48 66", "40 48", "48 40", "66 48 f3", "64 3e", "67 4f", "f2 f3", "f3 66 41"])
def test_prefixes_in_any_order(prefixes: str) -> None:
    """Only a REX prefix right before the opcode counts; of F2 and F3, the last one."""
    code = bytes.fromhex(prefixes) + bytes.fromhex("0f bc 44 88 10")
    decoded = decode_plainly(code)
    assert decoded is not None and decode_natively(code) == decoded


def check_faces(code: str, text: str, mode: int) -> Decoded:
    """Both faces take the whole of some code for an instruction of that text."""
    data = bytes.fromhex(code)
    decoded = decode_plainly(data, mode)
    assert decoded is not None and decode_natively(data, mode) == decoded
    assert decoded.length == len(data) and disassemble(GUEST.rows, decoded, GUESTS[mode].mode) == text
    return decoded


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("66 e8 0010", "call 0x9004"), ("66 e9 0080", "jmp 0x4"), ("66 0f84 fcff", "je 0x8001"),
        ("66 ebfe", "jmp 0x8001"), ("e9 f0ffffdf", "jmp 0x7ff5"), ("67 8b02", "mov eax, dword ptr [bp + si]"),
        ("67 8b0e 3412", "mov ecx, dword ptr [0x1234]"), ("67 8b4e f0", "mov ecx, dword ptr [bp - 0x10]"),
        ("a1 78563412", "mov eax, dword ptr [0x12345678]"), ("67 a0 3412", "mov al, byte ptr [0x1234]"),
        ("8b0d 78563412", "mov ecx, dword ptr [0x12345678]"), ("41", "inc ecx"), ("66 4f", "dec di"),
        ("c403", "les eax, [ebx]"), ("c503", "lds eax, [ebx]"), ("6203", "bound eax, [ebx]"),
        ("c5fc58c1", "vaddps ymm0, ymm0, ymm1"), ("c4c17c58c1", "vaddps ymm0, ymm0, ymm1"),
        ("c4e2b0f2c1", "andn eax, ecx, ecx"), ("9a 78563412 2300", "lcall 0x23, 0x12345678"),
        ("67 e3 10", "jcxz 0x20008013"),
        ("64 26 8b03", "mov eax, dword ptr [ebx]"), ("26 64 8b03", "mov eax, dword ptr fs:[ebx]"),
        ("82 c0 12", "add al, 0x12"), ("63 c8", "arpl ax, cx"), ("60", "pushad"), ("66 61", "popa"), ("d6", "salc"),
    ],
)  # fmt: skip
def test_what_is_different_in_32_bit_mode(code: str, text: str) -> None:
    """What 64-bit mode has not or has otherwise (at 0x20008000)."""
    check_faces(code, text, 32)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("8b02", "mov ax, word ptr [bp + si]"), ("678b02", "mov ax, word ptr [edx]"),
        ("668b02", "mov eax, dword ptr [bp + si]"),
        ("66678b0424", "mov eax, dword ptr [esp]"), ("8b0e 3412", "mov cx, word ptr [0x1234]"),
        ("268b4702", "mov ax, word ptr es:[bx + 0x2]"), ("2e8b4600", "mov ax, word ptr cs:[bp]"),
        ("368b4602", "mov ax, word ptr [bp + 0x2]"), ("3e8b4602", "mov ax, word ptr ds:[bp + 0x2]"),
        ("36678b4500", "mov ax, word ptr [ebp]"), ("64 26 8b07", "mov ax, word ptr es:[bx]"),
        ("26 64 8b07", "mov ax, word ptr fs:[bx]"), ("a1 3412", "mov ax, word ptr [0x1234]"),
        ("67a1 78563412", "mov ax, word ptr [0x12345678]"), ("b8 3412", "mov ax, 0x1234"),
        ("66b8 78563412", "mov eax, 0x12345678"), ("e8 0010", "call 0x20009003"), ("66e8 00100000", "call 0x20009006"),
        ("e9 f0ff", "jmp 0x20007ff3"), ("0f84 0080", "je 0x20000004"), ("9a 7856 3412", "lcall 0x1234, 0x5678"),
        ("669a 78563412 2300", "lcall 0x23, 0x12345678"), ("e310", "jcxz 0x20008012"), ("67e310", "jecxz 0x20008013"),
        ("c407", "les ax, [bx]"), ("c5fc58c1", "vaddps ymm0, ymm0, ymm1"), ("60", "pusha"), ("6660", "pushad"),
        ("40", "inc ax"), ("6698", "cwde"), ("98", "cbw"), ("63c8", "arpl ax, cx"), ("c8 1000 01", "enter 0x10, 0x1"),
        ("26a4", "movsb byte ptr [di], byte ptr es:[si]"), ("26ad", "lodsw ax, word ptr es:[si]"),
    ],
)  # fmt: skip
def test_what_is_different_in_16_bit_mode(code: str, text: str) -> None:
    """Also in real-address mode, which decodes as protected mode does, but for what it does not have."""
    decoded = check_faces(code, text, 16)
    data = bytes.fromhex(code)
    real = guest("i8086")
    assert isinstance(real, X86Guest)
    if code in NOT_IN_REAL_MODE:
        with pytest.raises(DecodeError):
            real.decode(data, ENTRY)
        assert decode_natively(data, guest=real) is None
    else:
        assert real.decode(data, ENTRY) == decoded == decode_natively(data, guest=real)


NOT_IN_REAL_MODE = ("c5fc58c1", "63c8")


@pytest.mark.parametrize(
    ("code", "mode"),
    [*((code, mode) for mode in (32, 16) for code in ("62 c0", "62 f1 7c 48 58 c1", "c4 c0 7c 58 c1", "0f 05")),
     ("67 c4e26192 04 47", 32), ("c4e26192 04 47", 16)],
)  # fmt: skip
def test_what_is_refused_outside_64_bit_mode(code: str, mode: int) -> None:
    """EVEX, a map that does not exist, SYSCALL, gathers with 16-bit addresses."""
    data = bytes.fromhex(code) + bytes(8)
    assert decode_plainly(data, mode) is None and decode_natively(data, mode) is None


def test_at_most_fifteen_bytes() -> None:
    for count, fits in ((14, True), (15, False), (40, False)):
        code = b"\x2e" * count + b"\x90"
        assert (decode_plainly(code) is not None) == fits
        assert (decode_natively(code) is not None) == fits


@pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")
@pytest.mark.parametrize("mode", GUESTS)
def test_what_is_described_exists(mode: int) -> None:
    """What the tables accept in any cell of the opcode maps, the CPU does not refuse as undefined."""
    if not MODES[mode]:
        pytest.skip(WITHOUT_MODE)
    codes = [code for _, code in cell_codes(mode) if decode_plainly(code + bytes(11), mode) is not None]
    # Reads and writes go to the arena; jumps anywhere, returns and faults are all fine: they are not #UD.
    codes = [code for code in codes if not _is_risky(code)]
    registers = dict.fromkeys(REGISTERS if mode == 64 else REGISTERS[:8], ARENA + 0x8000)
    cases = [Case(code + bytes(11 - len(code)), State(dict(registers)), mode=mode) for code in codes]
    runs = [Execution(case, GUESTS[mode].decode(case.code, ENTRY)) for case in cases]
    runs = [run for run in runs if not lacks(run.row)]
    with Oracle() as oracle:
        results = oracle.run([case_to_run(run) for run in runs])
    wrong = []
    for run, result in zip(runs, results, strict=True):
        row, code = run.row, run.case.code
        refused = result.fault is not None and result.fault.vector == 6 and result.fault.offset == 0
        if refused and row.name not in ("ud0", "ud1", "ud2", "mov_cr", "mov_dr") and row.pattern not in SEGMENT_MOVES:
            wrong.append(f"{code.hex(' ')}: {row}")
    assert not wrong, "\n".join(wrong)


SEGMENT_MOVES = ("8C /r reg", "8C /r mem", "8E /r")


def _is_risky(code: bytes) -> bool:
    """Whether running it would disturb the oracle: system calls and what raises flags that trap."""
    return code[:2] in (b"\x0f\x05", b"\x0f\x34") or b"\xcd" in code[:3] or b"\x9d" in code[:2]
