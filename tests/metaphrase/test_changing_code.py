"""Code that changes is what runs next, whichever tier has written it and whichever it is in."""

from __future__ import annotations

import random

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


def straight(source: random.Random, turns: int) -> tuple[bytes, int, int]:
    """A loop in which additions of constants stand among writes to such constants, before and behind themselves: where
    it begins, its code, and the sum after so many turns."""
    steps: list[int | None] = [source.choice((None, source.randrange(12))) for _ in range(12)]
    steps[source.randrange(12)] = None
    begin = CALLED + 0x1000 - source.randrange(8, 80)
    additions = [number for number, target in enumerate(steps) if target is None]
    lengths = [7 if target is None else 6 for target in steps]
    at = [begin + 2 + sum(lengths[:number]) for number in range(12)]
    code = b"\xfe\xc1"  # inc cl
    constants = {number: source.randrange(256) for number in additions}
    for number, target in enumerate(steps):
        if target is None:
            code += b"\x48\x81\xc3" + constants[number].to_bytes(4, "little")  # add rbx, constant
        else:
            wanted = at[additions[target % len(additions)]] + 3
            code += b"\x88\x0d" + (wanted - at[number] - 6).to_bytes(4, "little", signed=True)  # mov [wanted], cl
    code += (
        b"\x41\xff\xcc\x0f\x85" + (begin - at[11] - lengths[11] - 9).to_bytes(4, "little", signed=True) + b"\x0f\x0b"
    )
    total = count = 0
    for _ in range(turns):
        count = count + 1 & 0xFF
        for number, target in enumerate(steps):
            if target is None:
                total += constants[number]
            else:
                constants[additions[target % len(additions)]] = count
    return code, begin, total


@isolated
def test_code_that_changes_what_comes_next() -> None:
    """Even the next instruction, across the end of a page or not, in every turn of a loop that is hot."""
    source = random.Random(19)
    for _ in range(12):
        code, begin, total = straight(source, 3000)
        for tier in ("0", "1", "auto"):
            window = Window()
            window.map_anonymous(CALLED, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC)
            window.write(begin, code)
            cpu = NativeCpu(guest("x86_64"), window, tier=tier)
            cpu.set("r12", 3000)
            cpu.pc = begin
            assert cpu.run().kind == "trap"
            assert cpu.get("rbx") == total, (tier, code.hex())
            cpu.close()
            window.close()


@isolated
def test_what_was_no_instruction_becomes_one() -> None:
    """Code that is written over what could not be run, which tier 0 had tried."""
    for tier in ("0", "1"):
        window = Window()
        window.map_anonymous(CALLED, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC)
        cpu = NativeCpu(guest("x86_64"), window, tier=tier)
        for before in (b"\x90", b""):
            window.write(CALLED, before + b"\x06")  # no instruction of 64-bit mode
            cpu.pc = CALLED
            assert cpu.run().kind == "trap"
            assert cpu.pc == CALLED + len(before)
            window.write(CALLED, before + b"\xb8\x07\0\0\0\x0f\x05")
            cpu.pc = CALLED
            assert (cpu.run().kind, cpu.get("rax")) == ("syscall", 7)
        cpu.close()
        window.close()
