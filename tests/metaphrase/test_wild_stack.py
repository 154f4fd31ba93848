"""A stack pointer that points anywhere: regions rely on its being in the window, and only where it is."""

from __future__ import annotations

import metaphrase.translator.x86  # noqa: F401 (registers the guest)
from metaphrase.assembler import assemble
from metaphrase.machines.linux.memory import PROT_EXEC, PROT_READ, PROT_WRITE, Window
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.guest import guest
from tests.metaphrase.isolated import isolated

CODE, STACK, TURNS = 0x10000, 1 << 45, 100_000

DRIFTING = """
    mov rbx, rsp
again:
    sub rsp, 0x7ffffff0
    dec r12
    jne next
    ud2
next:
    lea r8, [rip + far]
    jmp r8
far:
    xor eax, eax
    cmp r12, {left}
    jne again
    push rax
    ud2
"""
"""It moves a great way without any access, over two regions: the push is far outside."""

COUNTING = """
    mov rsp, 0x8000000000000000
again:
    add rsp, 3
    lea r8, [rip + far]
    jmp r8
far:
    lea rsp, [rsp + rax*4 - 2]
    dec r12
    jne again
    mov rbx, rsp
    mov rsp, r13
    push rbx
    pop rcx
    ud2
"""
"""It is a number as good as any."""


def run(source: str, tier: str, *, wild: bool = False) -> tuple[object, ...]:
    window = Window()
    window.map_anonymous(CODE, 0x1000, PROT_READ | PROT_WRITE)
    window.write(CODE, assemble("x86_64", source, CODE))
    window.protect(CODE, 0x1000, PROT_READ | PROT_EXEC)
    window.map_anonymous(STACK, 0x1000, PROT_READ | PROT_WRITE)
    cpu = NativeCpu(guest("x86_64"), window, tier=tier)
    for register, value in {"rsp": STACK + 0xFF8, "r12": TURNS, "r13": STACK + 0xF00, "rax": 0, "rcx": 0}.items():
        cpu.set(register, value)
    cpu.pc = CODE
    end = cpu.run()
    found = end.kind, end.pc, end.address, *(cpu.get(name) for name in ("rsp", "rbx", "rcx", "r12"))
    if tier == "1" and not wild:
        assert cpu.update_statistics().region_instructions > 0, "no region was run"
    cpu.close()
    window.close()
    return found


@isolated
def test_it_drifts_away_without_an_access() -> None:
    """Just outside of the window, and as far as the host's own memory."""
    for left in (TURNS - 40_000, TURNS - 2, 1):
        source = DRIFTING.replace("{left}", str(left))
        want = (STACK + 0xFF8 - (TURNS - left) * 0x7FFF_FFF0) & (1 << 64) - 1
        for tier in ("0", "1", "auto"):
            found = run(source, tier, wild=left == TURNS - 2)
            assert (found[0], found[3]) == ("fault", want), (tier, left)
            assert found == run(source, "0"), (tier, left)


@isolated
def test_it_is_a_number() -> None:
    want = run(COUNTING, "0", wild=True)
    assert want[0] == "trap" and want[4] == (1 << 63) + TURNS
    for tier in ("1", "auto"):
        assert run(COUNTING, tier, wild=True) == want
