"""What random cases of the integer chapters need beyond random state: see `differential.setup`."""

from __future__ import annotations

import struct

from metaphrase.translator.x86.decoder import encoding_of
from metaphrase.translator.x86.instructions import (
    arithmetic,
    bits,
    control,
    data_transfer,
    decimal,
    flags,
    multiplication,
    segments,
    shifts,
    stack,
    strings,
    system,
)
from tests.oracle._segments import CODE_16, LOCAL, STACK_32
from tests.oracle._segments import selector as selector_of
from tests.oracle.native import ARENA, CODE, CODE_SIZE, REGISTERS
from tests.translator.x86.differential import UNDEFINED, Drawn, flag_mask, rows_of, setup
from tests.translator.x86.encodings import SEGMENTS_16, edge
from tests.translator.x86.observed import FLAG_BITS, MASK64

ROWS = rows_of(
    arithmetic, bits, control, data_transfer, decimal, flags, multiplication, segments, shifts, stack, strings, system
)  # fmt: skip


def _code_address(drawn: Drawn) -> int:
    """An address of code as transfers have it: in 16-bit mode the offset in CS, or seldom what is none."""
    offset = drawn.rng.randrange(0x100, CODE_SIZE // 2 - 0x100)
    return CODE + offset if drawn.mode != 16 or drawn.rng.random() < 0.05 else offset


def _set_operand(drawn: Drawn, value: int, width: int) -> None:
    """Give the ModRM operand a value."""
    memory = drawn.encoded.memory
    if memory:
        drawn.poke(memory.target, value.to_bytes(width // 8, "little"))
    elif drawn.encoded.rm is not None:
        drawn.set_register(REGISTERS[drawn.encoded.rm], value)


@setup("jmp", "call")
def indirect_target(drawn: Drawn) -> None:
    if encoding_of(drawn.row).modrm:
        _set_operand(drawn, _code_address(drawn), 64)


@setup("ret")
def return_address(drawn: Drawn) -> None:
    drawn.poke(drawn.stack_top, _code_address(drawn).to_bytes(8, "little"))


@setup("retf", "iret", "callf", "jmpf")
def far_target(drawn: Drawn) -> None:
    rng = drawn.rng
    if drawn.mode == 16:
        selector = rng.choice((CODE_16, CODE_16, CODE_16, *_SELECTORS_16, rng.getrandbits(16) & ~0x30 | 3))
    else:
        selector = rng.choice((0x23, 0x23, 0x23, 0x2B, 3, rng.getrandbits(16) & ~0x30 | 3))
    if drawn.row.name in ("callf", "jmpf"):  # whose selector may have any privilege level
        selector &= ~rng.choice((0, 0, 3))
    address, flags = _code_address(drawn), edge(rng, 32) & ~0x244100
    words = struct.pack("<HHI", address & 0xFFFF, selector, flags & 0xFFFF)
    pointer = words if drawn.size == 16 else struct.pack("<IHHI", address, selector, 0, flags)
    drawn.poke(drawn.stack_top, pointer)
    if drawn.encoded.memory:
        drawn.poke(drawn.encoded.memory.target, pointer)


_SELECTORS = (0x2B, 0x2A, 0x23, 0x33, 0x63, 0x60, 0x7B, 0, 3, 0x10, 0x18, 0x80, 0x6B, selector_of(len(LOCAL)), 0xFFFF)
"""Those of flat modes: a program of theirs has no local segments, so the one of these is behind the host's last."""
_SELECTORS_16 = (*map(selector_of, (*range(STACK_32 >> 3), len(LOCAL))), 0, 3, 4, 0x0C, 0x80, 0xFFFF)
"""Those of 16-bit segments, and some that cannot be loaded; none that changes the mode."""


@setup("mov", "pop", "les", "lds", "lss", "lfs", "lgs")
def selector(drawn: Drawn) -> None:
    """Selectors that may be loaded, and others."""
    if not any(kind.letter == "S" or kind.size == "p" for kind in drawn.row.operands) and drawn.row.operands:
        return
    chosen = drawn.rng.choice(_SELECTORS_16 if drawn.mode == 16 else _SELECTORS)
    if drawn.row.name == "pop":
        drawn.poke(drawn.stack_top, struct.pack("<I", chosen))
    elif drawn.row.name != "mov":
        memory = drawn.encoded.memory
        assert memory is not None
        drawn.poke(memory.target + drawn.size // 8, struct.pack("<H", chosen))
    elif drawn.row.operands[0].letter == "S":
        _set_operand(drawn, chosen, 16)


@setup("bound")
def limits(drawn: Drawn) -> None:
    memory, reg = drawn.encoded.memory, drawn.encoded.reg
    assert memory is not None and reg is not None
    values = sorted(edge(drawn.rng, drawn.size) - (1 << drawn.size - 1) for _ in range(3))
    lower, value, upper = values if drawn.rng.random() < 0.6 else (values[0], values[2], values[1])
    mask = (1 << drawn.size) - 1
    both = (lower & mask) | (upper & mask) << drawn.size
    drawn.poke(memory.target, both.to_bytes(drawn.size // 4, "little"))
    drawn.set_register(REGISTERS[reg], value)


@setup("popf")
def harmless_flags(drawn: Drawn) -> None:
    """Nothing that would hit the oracle itself: single steps, alignment checks, nested tasks; and ID, which stays."""
    stack = drawn.stack_top
    value = int.from_bytes(drawn.peek(stack, 8), "little") & ~0x244100
    drawn.poke(stack, value.to_bytes(8, "little"))


@setup("enter", "leave")
def frame(drawn: Drawn) -> None:
    drawn.state.registers["rbp"] = ARENA + drawn.rng.randrange(0x2000, 0xE000)
    drawn.poke(drawn.state.registers["rbp"] - 256, edge(drawn.rng, 2112).to_bytes(264, "little"))


@setup("movs", "stos", "lods", "cmps", "scas", "xlatb")
def string_operands(drawn: Drawn) -> None:
    registers, rng = drawn.state.registers, drawn.rng
    for name in ("rsi", "rdi", "rbx"):
        edge_of_arena = rng.random() < 0.1
        registers[name] = ARENA + (rng.choice((0, 0xFFF8)) if edge_of_arena else rng.randrange(0x2000, 0xE000))
        if rng.random() < 0.2:  # near an edge of a page
            registers[name] = (registers[name] & -4096) + rng.randrange(-70, 70)
        same = rng.random() < 0.5
        data = bytes(256) if same else rng.randbytes(256)
        drawn.poke(registers[name] - 128, data)
    if rng.random() < 0.3:
        far = rng.choice((20, 200))
        registers["rdi"] = registers["rsi"] + rng.randrange(-far, far)
    registers["rcx"] = rng.choice((0, 1, 2, 3, 7, 20, 40, 70, 150, 600))
    if rng.random() < 0.4:
        registers["rax"] = int.from_bytes(drawn.peek(registers["rdi"], 8).ljust(8, b"\0"), "little")
    base = drawn.encoded.segment
    if drawn.mode == 16:
        for name, segment in (("rsi", base or "ds"), ("rbx", base or "ds"), ("rdi", "es")):
            if segment in ("fs", "gs"):
                setattr(drawn.state, f"{segment}_base", ARENA)
                registers[name] = registers[name] & 0xFFFF
            else:
                registers[name] -= SEGMENTS_16[segment].base
                if drawn.encoded.address_width == 16 or segment == "cs":
                    registers[name] = registers[name] & 0xFFFF
                elif rng.random() < 0.1:
                    registers[name] = SEGMENTS_16[segment].limit - rng.randrange(10)
        if drawn.encoded.address_width == 16:
            for name in ("rsi", "rdi", "rbx", "rcx"):
                registers[name] |= rng.getrandbits(16) << 16
    elif base:
        setattr(drawn.state, f"{base}_base", edge(rng, 24))
        for name in ("rsi", "rbx"):
            registers[name] -= getattr(drawn.state, f"{base}_base")
            registers[name] &= (1 << drawn.encoded.address_width) - 1
    if drawn.encoded.address_width == 32 and drawn.mode == 64:
        for name in ("rsi", "rdi", "rbx", "rcx"):
            registers[name] |= rng.getrandbits(32) << 32


@setup("loop", "loope", "loopne", "jrcxz")
def small_counter(drawn: Drawn) -> None:
    drawn.state.registers["rcx"] = drawn.rng.choice((0, 1, 2, 1 << 32, (1 << 32) + 1, MASK64, edge(drawn.rng, 64)))


@setup("cmpxchg")
def accumulator_may_match(drawn: Drawn) -> None:
    memory, rm = drawn.encoded.memory, drawn.encoded.rm
    if drawn.rng.random() < 0.5:
        return
    if memory and ARENA <= memory.target < ARENA + 0xFFF0:
        value = int.from_bytes(drawn.peek(memory.target, 8), "little")
    elif rm is not None:
        value = drawn.state.registers[REGISTERS[rm]]
    else:
        return
    junk = drawn.rng.getrandbits(64) & ~((1 << drawn.operand_width(0)) - 1)
    drawn.set_register("rax", value & ((1 << drawn.operand_width(0)) - 1) | junk)


@setup("cmpxchg8b", "cmpxchg16b")
def pair_may_match(drawn: Drawn) -> None:
    memory = drawn.encoded.memory
    half = 4 if drawn.row.name == "cmpxchg8b" else 8
    if memory and drawn.rng.random() < 0.6 and ARENA <= memory.target < ARENA + 0xFFF0:
        data = drawn.peek(memory.target, 2 * half)
        drawn.set_register("rax", int.from_bytes(data[:half], "little"))
        drawn.set_register("rdx", int.from_bytes(data[half:], "little"))


@setup("div", "idiv")
def quotient_may_fit(drawn: Drawn) -> None:
    width, rng = drawn.operand_width(0), drawn.rng
    if rng.random() < 0.2:
        return
    divisor, quotient = edge(rng, width), edge(rng, width)
    if drawn.row.name == "idiv":
        divisor -= (divisor >> width - 1) << width
        quotient -= (quotient >> width - 1) << width
        dividend = divisor * quotient + rng.choice((0, 1, -1)) * rng.randrange(abs(divisor) + 1)
    else:
        dividend = divisor * quotient + rng.randrange(divisor + 1)
    mask = (1 << width) - 1
    if width == 8:
        drawn.set_register("rax", dividend & 0xFFFF)
    else:
        drawn.set_register("rax", dividend & mask)
        drawn.set_register("rdx", dividend >> width & mask)
    if drawn.encoded.memory or drawn.encoded.rm not in (0, 2):
        _set_operand(drawn, divisor & mask, width)


@setup("bt", "bts", "btr", "btc")
def near_bits(drawn: Drawn) -> None:
    if drawn.encoded.memory and drawn.encoded.reg is not None and drawn.rng.random() < 0.9:
        offset = drawn.rng.randrange(-20000, 20000)
        drawn.set_register(REGISTERS[drawn.encoded.reg], offset)


@setup("int")
def no_system_call(drawn: Drawn) -> None:
    code = drawn.encoded.code
    if code[-1] == 0x80:
        drawn.encoded.code = code[:-1] + b"\x81"
        drawn.decoded.immediate = 0x81 - 0x100 & MASK64


_UPROBES = (335, 336)
"""What the kernel puts into programs for its probes, and lets pass any filter."""


@setup("syscall")
def no_restart(drawn: Drawn) -> None:
    """The kernel takes a few numbers for its own, and goes back to the instruction (ERESTARTSYS and its like)."""
    number = drawn.state.registers["rax"]
    if MASK64 - 516 < number <= MASK64 - 511 or number & 0xFFFF_FFFF in _UPROBES:
        drawn.state.registers["rax"] = 0


@setup("wrfsbase", "wrgsbase")
def bases(drawn: Drawn) -> None:
    assert drawn.encoded.rm is not None
    drawn.state.registers[REGISTERS[drawn.encoded.rm]] = edge(drawn.rng, drawn.rng.choice((47, 47, 48, 64)))


# --- flags that depend on the count -----------------------------------------------------------------------------------
def _count(drawn: Drawn) -> int:
    codes = drawn.row.detail.codes
    width = drawn.operand_width(0)
    if codes.endswith("CL"):
        count = drawn.state.registers["rcx"]
    else:
        count = 1 if codes.endswith("1") else drawn.encoded.immediate or 0
    return count & (63 if width == 64 else 31)


def _shift_undefined(drawn: Drawn) -> int:
    count, width = _count(drawn), drawn.operand_width(0)
    if count == 0:
        return 0
    undefined = FLAG_BITS["af"] if drawn.row.name not in ("rol", "ror", "rcl", "rcr") else 0
    if count > 1 and drawn.row.name != "sar":
        undefined |= FLAG_BITS["of"]
    if count >= width and drawn.row.name in ("shl", "shr"):
        undefined |= FLAG_BITS["cf"]
    if count > width and drawn.row.name in ("shld", "shrd"):  # only at 16 bits: the result is undefined too
        undefined |= flag_mask("cf sf zf pf")
    return undefined


UNDEFINED.update(dict.fromkeys(("rol", "ror", "rcl", "rcr", "shl", "shr", "sar", "shld", "shrd"), _shift_undefined))
