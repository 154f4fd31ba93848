"""Jumps by a table: where it lies, what it holds, and code that goes by one."""

from __future__ import annotations

import pytest

import metaphrase as mp
from metaphrase.translation import decode_block
from metaphrase.translator.engine.jump_tables import JumpTable, jump_table
from tests.metaphrase.isolated import isolated

X86 = mp.code("x86_64", asm="nop").guest
START = 0x1000
_SHAPES = {
    "lea rdx, [rip + 0x100]; movsxd rax, dword ptr [rdx + rax * 4]; add rax, rdx; jmp rax": JumpTable(0x1107, 0x1107),
    "cmp eax, 9; mov eax, eax; jmp [rax * 8 + 0x2000]": JumpTable(0x2000, None),
    "mov rax, [rax * 8 + 0x2000]; jmp rax": JumpTable(0x2000, None),
    "jmp [rip + 0x100]": None,
    "jmp [rax * 4 + 0x2000]": None,
    "jmp [rdx + rax * 8]": None,
    "jmp rax": None,
    "ret": None,
    "lea rdx, [rip + 0x100]; movsxd rax, dword ptr [rdx + rax * 4]; add rax, rcx; jmp rax": None,
    "jne 0x1080": None,
}


@pytest.mark.parametrize("text", _SHAPES)
def test_where_it_lies(text: str) -> None:
    code = bytes(mp.code("x86_64", asm=text).code)
    block = decode_block(X86, lambda address, length: code[address - START :][:length], START)
    assert jump_table(X86, block) == _SHAPES[text]


def test_what_it_holds() -> None:
    """Distances may be negative; nothing is read beyond what can be, and what comes twice is told once."""
    data = b"".join((word & 0xFFFF_FFFF).to_bytes(4, "little") for word in (16, -16, 16, 0))
    assert JumpTable(0x2000, 0x1000).targets(lambda at, size: data[at - 0x2000 :][:size]) == [0x1010, 0xFF0, 0x1000]
    words = b"".join(word.to_bytes(8, "little") for word in (0x1234, 1 << 63, 0x1234))
    assert JumpTable(0, None).targets(lambda at, size: words[at:][:size]) == [0x1234, 1 << 63]
    assert not JumpTable(0, None).targets(lambda at, size: b"")


@isolated
def test_code_that_goes_by_one() -> None:
    """A machine of four states whose table changes while it runs: tier 1 goes where it says by then."""
    text = """
        mov rdi, 400000; xor eax, eax; xor ecx, ecx; lea rdx, [rip + first]
        lea r8, [rip + second]; mov [0x8000], rdx; mov [0x8008], r8
        lea r8, [rip + third]; mov [0x8010], r8; mov [0x8018], rdx
        next: dec rdi; je end; imul rax, rax, 13; add rax, 7; mov ecx, eax; shr ecx, 9; and ecx, 3
        jmp [rcx * 8 + 0x8000]
        first: add rbx, rax; jmp next
        second: xor rbx, rdi; cmp rdi, 100000; jne next; mov [0x8010], rdx; jmp next
        third: inc rsi; lea rbx, [rbx + rbx * 2]; jmp next
        end: nop
    """
    left = {}
    for tier in ("0", "1"):
        code = mp.code("x86_64", asm=text)
        code.map(0x8000, 4096)
        code.run(tier=tier)
        registers = [code.registers[name] for name in ("rax", "rbx", "rsi")]
        left[tier] = (registers, code.statistics.instructions)
    assert left["0"] == left["1"] and left["0"][0][2] > 50_000
