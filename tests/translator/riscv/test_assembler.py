"""The assembler reads what the disassembler writes."""

from __future__ import annotations

import random

import pytest

from metaphrase.translator.guest import AssemblyError, DecodeError
from metaphrase.translator.riscv.assembler import assemble_text
from metaphrase.translator.riscv.guest import RiscvGuest

GUEST = RiscvGuest()
PC = 0x1000


@pytest.mark.parametrize("name", sorted({row.name for row in GUEST.rows}))
def test_round_trip(name: str) -> None:
    chance = random.Random(name)
    for row in GUEST.rows:
        if row.name != name:
            continue
        pattern = row.detail.pattern
        for _ in range(10):
            free = ~pattern.mask & (1 << pattern.width) - 1
            code = (pattern.match | chance.getrandbits(pattern.width) & free).to_bytes(pattern.width // 8, "little")
            try:
                text = GUEST.disassemble(code, PC)
            except DecodeError:
                continue
            again = assemble_text(text, PC)
            assert GUEST.disassemble(again, PC) == text, (text, code.hex(), again.hex())


def test_labels_short_forms_and_comments() -> None:
    text = """
    start:  li   a0, 10          # a comment
    loop:   addi a0 , a0, -1; bnez a0, loop
            mv x11, s0; j start
            ret
    """
    code = assemble_text(text, PC)
    pcs = range(PC, PC + len(code), 4)
    assert [GUEST.disassemble(code[pc - PC :], pc) for pc in pcs] == [
        "addi a0, zero, 10", "addi a0, a0, -1", "bne a0, zero, 0x1004", "addi a1, s0, 0", "jal zero, 0x1000",
        "jalr zero, 0(ra)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("frobnicate a0", "no instruction is called 'frobnicate'"),
        ("addi a0, a1, 5000", "0x1388 does not fit"),
        ("addi a0, a1", "another form .its form is addi {rd}, {rs1}, {imm}"),
        ("addi a0, a9, 1", "'a9' is none of"),
        ("j nowhere", "neither a number nor a label"),
        ("beq a0, a1, 0x1001", "does not fit"),
        ("c.lw a0, 0(t0)", "cannot stand there"),
        ("c.addi4spn a0, sp, 0", "no encoding"),
    ],
)
def test_errors(text: str, says: str) -> None:
    with pytest.raises(AssemblyError, match=says):
        assemble_text(text, PC)
