"""Code that changes is what runs next, whichever tier has written it and whichever it is in."""

from __future__ import annotations

import metaphrase.translator.x86  # noqa: F401 (registers the guest)
from metaphrase.assembler import assemble
from metaphrase.machines.linux.memory import PROT_EXEC, PROT_READ, PROT_WRITE, Window
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.guest import guest
from tests.metaphrase.isolated import isolated

CODE, CALLED, STACK = 0x10000, 0x20000, 0x30000
WRITER = f"""
again:
    cmp r12, 7
    mov rsi, r13
    cmove rsi, r14
    mov byte ptr [rsi], 9
    call {CALLED}
    add rbx, rax
    dec r12
    jne again
    ud2
"""
SMALL = "mov eax, 1\nret"
LARGE = "mov eax, 1\ncall inner\nret\ninner:\n" + "nop\n" * 30 + "ret"


def run(called: str, tier: str, turns: int) -> int:
    """What the calls give together: the written byte is the function's result."""
    window = Window()
    window.map_anonymous(CODE, 0x1000, PROT_READ | PROT_WRITE)
    window.write(CODE, assemble("x86_64", WRITER, CODE))
    window.protect(CODE, 0x1000, PROT_READ | PROT_EXEC)
    window.map_anonymous(CALLED, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC)
    window.write(CALLED, assemble("x86_64", called, CALLED))
    window.map_anonymous(STACK, 0x1000, PROT_READ | PROT_WRITE)
    cpu = NativeCpu(guest("x86_64"), window, tier=tier)
    for register, value in {"rsp": STACK + 0x1000, "r12": turns, "r13": STACK, "r14": CALLED + 1}.items():
        cpu.set(register, value)
    cpu.pc = CODE
    assert cpu.run().kind == "trap"
    statistics = cpu.update_statistics()
    assert tier == "0" or statistics.region_instructions > turns, "no region was run"
    total = cpu.get("rbx")
    cpu.close()
    window.close()
    return total


@isolated
def test_a_region_writes_to_code_that_it_calls() -> None:
    """It calls another region, or a function small enough to be taken into it; both directly, with no poll between."""
    for called in (SMALL, LARGE):
        for tier, turns in {"0": 1000, "1": 100_000, "auto": 10_000_000}.items():
            assert run(called, tier, turns) == turns + 7 * 8, (called, tier)


@isolated
def test_only_what_changed_is_forgotten() -> None:
    """Regions of other pages stay where they are."""
    window = Window()
    for at, source in {CODE: WRITER.replace("ud2", "syscall"), CALLED: SMALL}.items():
        window.map_anonymous(at, 0x1000, PROT_READ | PROT_WRITE)
        window.write(at, assemble("x86_64", source, at))
        window.protect(at, 0x1000, PROT_READ | PROT_EXEC)
    other = CALLED + 0x1000
    window.map_anonymous(other, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC)
    window.write(other, assemble("x86_64", SMALL, other))
    window.map_anonymous(STACK, 0x1000, PROT_READ | PROT_WRITE)
    cpu = NativeCpu(guest("x86_64"), window, tier="1")
    window.code_changed = cpu.invalidate
    for register, value in {"rsp": STACK + 0x1000, "r12": 10_000, "r13": STACK, "r14": STACK}.items():
        cpu.set(register, value)
    cpu.pc = CODE
    assert cpu.run().kind == "syscall"
    cpu.set("rsp", STACK + 0xFF8)
    window.write(STACK + 0xFF8, CODE.to_bytes(8, "little"))
    cpu.set("r12", 10_000)
    cpu.pc = other
    assert cpu.run().kind == "syscall"
    regions = list(cpu.tier1.installed)
    assert regions
    window.write(other + 1, b"\2")
    assert cpu.tier1.installed == regions
    window.protect(CALLED, 0x1000, PROT_READ)
    assert cpu.tier1.installed == [one for one in regions if CALLED >> 12 not in one.pages]
    assert cpu.blocks.find(CODE) and not cpu.blocks.find(CALLED) and not cpu.blocks.find(other)
    assert cpu.update_statistics().flushes == 0
    cpu.close()
    window.close()
