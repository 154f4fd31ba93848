"""RISC-V decoding: against binutils and capstone, and one face of the decoder against the other."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import capstone
import pytest

from metaphrase.backends.reference.interpreter import Interpreter
from metaphrase.backends.reference.memory import PagedMemory
from metaphrase.ir import record
from metaphrase.translator.guest import DecodeError, Description
from metaphrase.translator.pattern import check_unambiguous
from metaphrase.translator.record import unpack
from metaphrase.translator.riscv.guest import RiscvGuest
from metaphrase.translator.riscv.state import LAYOUT
from tests.translator.riscv.words import random_code

OBJDUMP = shutil.which("riscv64-linux-gnu-objdump")
PC = 0x1000

# Capstone has no way to switch aliases off.
ALIASES = {
    "beqz": "beq", "bnez": "bne", "blez": "bge", "bgez": "bge", "bltz": "blt", "bgtz": "blt", "j": "jal", "ret": "jalr",
    "jr": "jalr", "nop": "addi", "li": "addi", "mv": "addi", "not": "xori", "neg": "sub", "negw": "subw",
    "sext.w": "addiw", "seqz": "sltiu", "snez": "sltu", "sltz": "slt", "sgtz": "slt", "fmv.s": "fsgnj.s",
    "fabs.s": "fsgnjx.s", "fneg.s": "fsgnjn.s", "fmv.d": "fsgnj.d", "fabs.d": "fsgnjx.d", "fneg.d": "fsgnjn.d",
    "c.nop": "c.addi", "csrr": "csrrs", "csrw": "csrrw", "csrs": "csrrs", "csrc": "csrrc", "csrwi": "csrrwi",
    "csrsi": "csrrsi", "csrci": "csrrci", "frcsr": "csrrs", "fscsr": "csrrw", "frrm": "csrrs", "fsrm": "csrrw",
    "fsrmi": "csrrwi", "frflags": "csrrs", "fsflags": "csrrw", "fsflagsi": "csrrwi", "rdcycle": "csrrs",
    "rdtime": "csrrs", "rdinstret": "csrrs",
}  # fmt: skip
CAPSTONE_LACKS = {
    "fence": "a set of accesses that is empty, or reserved fields",
    "fence.i": "reserved fields, which the manual says to ignore",
    "pause": "a fence to capstone",
    "fcvt.d.w": "rounding modes, which do not matter", "fcvt.d.wu": "the same", "fcvt.d.s": "the same",
    "c.add": "a hint: the destination is x0", "c.mv": "a hint", "c.slli": "a hint", "c.addi": "a hint",
    "c.li": "a hint", "c.lui": "a hint",
}  # fmt: skip
NOT_DESCRIBED = {
    "c.lui": "an immediate of zero is reserved",
    "c.unimp": "the all-zero word is defined to be no instruction",
    **{name: "a CSR that user mode has not" for name in [*ALIASES, *ALIASES.values()] if name.startswith("csr")},
    "mret": "privileged", "sret": "privileged", "uret": "privileged", "wfi": "privileged", "sfence.vma": "privileged",
}  # fmt: skip


@pytest.fixture(scope="module")
def guest() -> RiscvGuest:
    return RiscvGuest()


def is_hint(row: Description, code: bytes) -> bool:
    """Words whose reserved or hint fields binutils prints as data or under another name."""
    if row.name in ("pause", "c.nop", "fcvt.d.w", "fcvt.d.wu", "fcvt.d.s"):
        return True
    word = int.from_bytes(code, "little")
    return row.name in ("fence", "fence.i") and (word >> 28 != 0 or word >> 7 & 31 != 0 or word >> 15 & 31 != 0)


def test_patterns_are_unambiguous(guest: RiscvGuest) -> None:
    for width in (16, 32):
        check_unambiguous([row.detail.pattern for row in guest.rows if row.detail.pattern.width == width])


def test_every_row_is_found(guest: RiscvGuest) -> None:
    rng = random.Random(1)
    for row in guest.rows:
        assert guest.decode(random_code(row, rng), PC).row == row.row or row.name in ("c.addi", "fence"), row
        assert row.manual, f"{row.name} names no section of the manual"


def test_forms_have_unique_names(guest: RiscvGuest) -> None:
    names = [guest.form_name(row.row, 0) for row in guest.rows]
    assert len(set(names)) == len(names)


@pytest.mark.skipif(OBJDUMP is None, reason="needs binutils for riscv64")
def test_text_agrees_with_binutils(guest: RiscvGuest, tmp_path: Path) -> None:
    rng = random.Random(2)
    cases = [(row, code) for row in guest.rows for code in [random_code(row, rng) for _ in range(8)]]
    cases = [(row, code) for row, code in cases if not is_hint(row, code)]
    path = tmp_path / "code.bin"
    path.write_bytes(b"".join(code for _, code in cases))
    command = [str(OBJDUMP), "-b", "binary", "-m", "riscv:rv64", "-M", "no-aliases", "-D", str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^\s*([0-9a-f]+):\t[0-9a-f ]+\t(.*)$", output, re.MULTILINE)
    assert len(lines) == len(cases)
    for (row, code), (address, text) in zip(cases, lines, strict=True):
        theirs = re.sub(r"\s+", " ", re.split(r"[#<]", text)[0].replace(",", ", ")).strip()
        assert guest.disassemble(code, int(address, 16)) == theirs, f"{row} {code.hex()}"


def test_capstone_agrees(guest: RiscvGuest) -> None:
    rng = random.Random(3)
    disassembler = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
    for row in guest.rows:
        for code in [random_code(row, rng) for _ in range(8)]:
            theirs = next(disassembler.disasm(code, PC), None)
            name = guest.disassemble(code, PC).split()[0]
            if name in CAPSTONE_LACKS:
                continue
            assert theirs is not None, f"{name} {code.hex()}"
            assert theirs.size == guest.decode(code, PC).length == len(code)
            assert name in (theirs.mnemonic, ALIASES.get(theirs.mnemonic)), f"{code.hex()}: {theirs.mnemonic}"


def test_what_capstone_decodes_is_described(guest: RiscvGuest) -> None:
    rng = random.Random(4)
    disassembler = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
    short = [word.to_bytes(2, "little") for word in range(1 << 16) if word & 3 != 3]
    for code in [*short, *(rng.getrandbits(32).to_bytes(4, "little") for _ in range(20_000))]:
        theirs = next(disassembler.disasm(code, PC), None)
        try:
            decoded = guest.decode(code, PC)
        except DecodeError:
            assert theirs is None or theirs.mnemonic in NOT_DESCRIBED, f"{code.hex()}: {theirs.mnemonic}"
        else:
            name = guest.rows[decoded.row].name
            assert theirs is not None or name in CAPSTONE_LACKS, f"{code.hex()}: {name}"


RECORD, TABLE, CODE_PAGE = 0x10_0000, 0x20_0000, 0x4000


class Native:
    """The native decoder, run by the reference interpreter."""

    def __init__(self, guest: RiscvGuest) -> None:
        self.guest = guest
        self.memory, self.host = PagedMemory(), PagedMemory()
        self.memory.map(CODE_PAGE, PagedMemory.PAGE)
        self.host.map(TABLE, guest.decoder_table(), writable=False)
        self.host.map(RECORD, record.SIZE)
        self.function = guest.decoder()

    def decode(self, code: bytes, pc: int) -> tuple[int, bytes]:
        """The length, and the record."""
        self.memory.write(pc, code)
        self.host.write(RECORD, b"\xee" * record.SIZE)
        run = Interpreter(
            self.function, state=bytearray(LAYOUT.size), memory=self.memory, host=self.host,
            arguments=(pc, RECORD, TABLE),
        )  # fmt: skip
        outcome = run.run()
        assert outcome.kind == "ret", outcome
        assert isinstance(outcome.value, int)
        return outcome.value, self.host.read(RECORD, record.SIZE)


@pytest.fixture(scope="module")
def native(guest: RiscvGuest) -> Native:
    return Native(guest)


def test_faces_agree(guest: RiscvGuest, native: Native) -> None:
    rng = random.Random(5)
    cases = [random_code(row, rng) for row in guest.rows for _ in range(2)]
    cases += [rng.getrandbits(32).to_bytes(4, "little") for _ in range(200)]
    for code in cases:
        pc = CODE_PAGE + 2 * rng.randrange(PagedMemory.PAGE // 2 - 2)
        length, data = native.decode(code, pc)
        try:
            decoded = guest.decode(code, pc)
        except DecodeError:
            assert length == 0, code.hex()
            continue
        assert length == decoded.length
        assert unpack(data, guest.static_bits) == decoded, code.hex()
        assert data[:8] == b"\xee" * 8 and data[60:] == b"\xee" * 4, "what belongs to the engine is left alone"


def test_end_of_a_page_is_not_overstepped(guest: RiscvGuest, native: Native) -> None:
    last = CODE_PAGE + PagedMemory.PAGE - 2
    assert native.decode(bytes.fromhex("0100"), last)[0] == 2  # c.nop
    with pytest.raises(AssertionError, match="fault"):
        native.decode(bytes.fromhex("1300"), last)  # the first half of a nop
    with pytest.raises(DecodeError, match="ends inside"):
        guest.decode(bytes.fromhex("1300"), last)
    with pytest.raises(DecodeError, match="no instruction"):
        guest.decode(bytes(2), last)
