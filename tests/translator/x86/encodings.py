"""Random encodings of a described x86 instruction, with memory operands that can be aimed at a chosen address.

This is the inverse of the decoder, written from the manual (SDM volume 2, chapter 2) and not from the decoder.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from metaphrase.translator.guest import Description
from metaphrase.translator.x86.decoder import BASES_16, INDEXES_16, encoding_of
from metaphrase.translator.x86.table import Encoding
from tests.oracle._segments import CODE_16, DATA_16, EXTRA_16, LOCAL, STACK_16
from tests.oracle.native import ARENA, ARENA_SIZE

_MAP_BYTES = (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a", b"", b"", b"")
_SEGMENTS = {
    64: (0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65), 32: (0x26, 0x36, 0x3E, 0x64, 0x65),
    16: (0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65),
}  # fmt: skip
"""Segment prefixes by mode: in flat 32-bit mode, a store through CS faults, which is not told from others here."""
SEGMENTS_16 = {
    name: LOCAL[chosen >> 3]
    for name, chosen in (("es", EXTRA_16), ("cs", CODE_16), ("ss", STACK_16), ("ds", DATA_16))
}
"""The segments of 16-bit mode but FS and GS, whose bases a case chooses."""
_FAR_SELECTORS = {32: (0x23, 0x23, 0x20, 0x21, 0x2B, 0), 16: (CODE_16, CODE_16, 0x37, 0x3F, DATA_16, 0, 0x4F, 0x34)}
_FAR = ("callf", "jmpf", "retf", "iret")
_SEVERAL_ACCESSES = (
    "maskmovq", "maskmovdqu", "vmaskmovdqu", "fxrstor", "xrstor", "xsave", "xsavec", "xsaveopt", "cmps",
)  # fmt: skip
_MASK64 = (1 << 64) - 1
EDGES = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 0x7F, 0x80, 0x81, 0xFF)


@dataclass(slots=True)
class MemoryOperand:
    """How the encoding computes its address; register numbers, None where absent."""

    target: int
    """The address that it is to give, modulo 2^width; the offset in a segment that has a base."""
    base: int | None = None
    index: int | None = None
    scale: int = 1
    displacement: int = 0
    width: int = 64
    """The address size in bits."""
    segment: str = ""
    """"fs", "gs" or nothing; in 16-bit mode the one that it is in."""
    vector_index: int | None = None
    """The vector register whose lanes are added, scaled; `target` is the address without them."""

    @property
    def start(self) -> int:
        """Where its segment begins, unless it is FS or GS."""
        return SEGMENTS_16[self.segment].base if self.segment in SEGMENTS_16 else 0


@dataclass(slots=True)
class Encoded:
    """One drawn encoding. `reg` and `rm` are the register numbers of the ModRM byte or the opcode, if registers."""

    code: bytes
    memory: MemoryOperand | None = None
    reg: int | None = None
    rm: int | None = None
    rex: int = 0
    lock: bool = False
    repeat: bool = False
    immediate: int | None = None
    vvvv: int = 0
    prefixes: tuple[int, ...] = field(default=())
    mode: int = 64

    @property
    def operand16(self) -> bool:
        return 0x66 in self.prefixes

    @property
    def resized(self) -> bool:
        """Whether the address size is not the mode's."""
        return 0x67 in self.prefixes

    @property
    def address_width(self) -> int:
        return {64: 32, 32: 16, 16: 32}[self.mode] if self.resized else self.mode

    @property
    def segment(self) -> str:
        """"fs" or "gs" where such a prefix is in force; in 16-bit mode any other too."""
        found = [p for p in self.prefixes if p in (0x64, 0x65) or (self.mode == 16 and p in _SEGMENTS[16])]
        names = {0x26: "es", 0x2E: "cs", 0x36: "ss", 0x3E: "ds", 0x64: "fs", 0x65: "gs"}
        return names[found[-1]] if found else ""

    def register_width(self, size_rule: int) -> int:
        """The operand size in bits under a size rule of the table."""
        wide = bool(self.rex & 8)
        if self.mode != 64:
            none = {0: 0, 4: 32} if self.mode == 16 else {0: 0, 4: 32, 5: 0}
            return none.get(size_rule, 16 if self.operand16 != (self.mode == 16) else 32)
        if size_rule == 1:
            return 64 if wide else 16 if self.operand16 else 32
        if size_rule == 2:
            return 16 if self.operand16 and not wide else 64
        return {0: 0, 3: 64, 5: 0}.get(size_rule, 64 if wide else 32)


def edge(rng: random.Random, bits: int) -> int:
    """A number of so many bits, often one at which something changes."""
    draw = rng.getrandbits  # remainders of 16 bits are even enough, and much quicker than `randrange`
    kind = draw(3)
    if kind > 5:
        return draw(bits)
    if kind == 5:
        return draw(1 + draw(16) % bits)
    if kind == 4:
        return draw(bits) & draw(bits) & draw(bits)
    value = EDGES[draw(16) % len(EDGES)] if kind < 2 else 1 << draw(16) % bits
    if kind & 1:
        value = -value
    return (value if kind < 2 else value + draw(16) % 3 - 1) & ((1 << bits) - 1)


def draw_encoding(
    rng: random.Random, row: Description, target: int, entry: int, code_area: tuple[int, int],
    byte: int | None = None, mode: int = 64,
) -> Encoded:  # fmt: skip
    """An encoding of `row` placed at `entry`; its memory operand aims at `target`, its branch into `code_area`.

    An immediate of one byte is `byte`, if given.
    """
    e = encoding_of(row)
    is_memory = e.modrm and (e.form == 0 or (e.form is None and rng.random() < 0.5))
    has_address = is_memory or e.addresses or e.immediate == 8
    out = Encoded(b"", lock=e.lockable and is_memory and rng.random() < 0.3, mode=mode)
    prefixes = _draw_prefixes(rng, e, has_address, out)
    if row.name in _FAR and 0x66 in prefixes and mode == 32:  # leads to addresses of 16 bits, where there is no code
        prefixes.remove(0x66)
    if row.name in _SEVERAL_ACCESSES and mode == 32 and 0x67 in prefixes:  # as well; they differ in what faults first
        prefixes.remove(0x67)
    out.prefixes = tuple(prefixes)
    rex = _draw_rex(rng, e) if mode == 64 else 0
    opcode = e.opcode
    if e.opcode_register:
        low = rng.randrange(8)
        opcode += low
        out.reg = low | (rex & 1) << 3
    out.vvvv = rng.randrange(16 if mode == 64 else 8) if e.vex_class else 0
    vex = _draw_vex(rng, e, rex if mode == 64 else _draw_rex(rng, e) & 8, out.vvvv) if e.vex else b""
    body, patch = bytearray(_MAP_BYTES[e.map] + bytes([opcode])), None
    if e.modrm:
        reg = e.extension if e.extension is not None else rng.randrange(8)
        if e.vector_index and reg == out.vvvv & 7:  # no register may be named twice
            reg ^= 1
        out.reg = reg | (rex & 4) << 1
        if is_memory:
            out.memory = MemoryOperand(target, width=out.address_width)
            if mode == 16:
                out.memory.segment = out.segment or "ds"
                out.memory.target = _draw_target_in(rng, out.memory)
            others = {out.reg & 7, out.vvvv & 7} if e.vector_index else set()
            if out.address_width == 16:
                tail, patch = _draw_memory_16(rng, out.memory), None
            else:
                tail, patch = _draw_memory(rng, out.memory, rex, others, relative=mode == 64)
            patch = len(body) + patch if patch is not None else None
            body += bytes([tail[0] | reg << 3]) + tail[1:]
        else:
            rm = e.exact_rm if e.exact_rm is not None else rng.randrange(8)
            out.rm = rm | (rex & 1) << 3
            body.append(0xC0 | reg << 3 | rm)
    out.rex = rex
    if out.memory and mode == 16:
        if out.memory.base in (4, 5) and not out.segment:
            out.memory.segment = "ss"
            out.memory.target = _draw_target_in(rng, out.memory)
    elif out.memory:
        out.memory.segment = out.segment
    size = out.register_width(e.size_rule)
    head = bytes(prefixes) + (vex or (bytes([rex]) if rex else b""))
    if e.immediate == 8:
        out.memory = MemoryOperand(target, width=out.address_width, segment=out.segment)
        if mode == 16:
            out.memory.segment = out.segment or "ds"
            out.memory.target = target = _draw_target_in(rng, out.memory)
            target -= out.memory.start
        out.memory.displacement = target
        body += (target & _MASK64).to_bytes(8, "little")[: out.address_width // 8]
    else:
        at = entry + len(head) + len(body)
        body += _draw_immediate(rng, e.immediate, size, at, entry, code_area, byte, out)
    if patch is not None:  # RIP-relative: the distance counts from the end of the instruction
        end = entry + len(head) + len(body)
        assert out.memory is not None
        body[patch : patch + 4] = (target - end & 0xFFFFFFFF).to_bytes(4, "little")
        out.memory.displacement = target
    out.code = head + bytes(body)
    return out


def _draw_target_in(rng: random.Random, operand: MemoryOperand) -> int:
    """An address for a memory operand of 16-bit mode: mostly in its segment, or near its end."""
    segment = SEGMENTS_16.get(operand.segment)
    if segment is None:
        return ARENA + rng.randrange(0x1000, ARENA_SIZE - 0x1000)
    near_end = rng.random() < 0.08
    offset = segment.limit + 1 - rng.randrange(33) if near_end else rng.randrange(0x400, segment.limit - 0x400)
    if rng.random() < 0.6 and not near_end:
        offset &= -16
    elif operand.width == 32 and rng.random() < 0.03:
        offset += rng.choice((1 << 16, rng.getrandbits(31)))
    return segment.base + offset


def _draw_prefixes(rng: random.Random, e: Encoding, has_address: bool, out: Encoded) -> list[int]:
    prefixes = []
    if e.prefix and not e.vex:
        prefixes.append((0, 0x66, 0xF3, 0xF2)[e.prefix])
    narrow = e.size_rule in (1, 2) and e.prefix in (None, 2, 3) and rng.random() < 0.25
    if narrow or (e.size_rule == 3 and e.prefix is None and out.mode == 64 and rng.random() < 0.05):
        prefixes.append(0x66)
    if out.mode == 16 and e.size_rule in (3, 5) and rng.random() < 0.25:
        prefixes.append(0x66)
    resized = has_address and rng.random() < (0.3 if out.mode == 16 else 0.1)
    if e.vector_index and out.mode != 64:  # its addresses cannot be of 16 bits
        resized = out.mode == 16
    if resized:
        prefixes.append(0x67)
    if has_address and (rng.random() < 0.15 or (resized and out.mode == 32 and rng.random() < 0.8)):
        prefixes.append(rng.choice(_SEGMENTS[out.mode]))
    if out.lock:
        prefixes.append(0xF0)
    if e.repeatable and rng.random() < 0.75:
        prefixes.append(rng.choice((0xF2, 0xF3)))
        out.repeat = True
    rng.shuffle(prefixes)
    return prefixes


def _draw_rex(rng: random.Random, e: Encoding) -> int:
    wide = e.wide if e.wide is not None else int(rng.random() < 0.35)
    extensions = rng.getrandbits(3) if rng.random() < 0.5 else 0
    return 0x40 | wide << 3 | extensions if wide or extensions or rng.random() < 0.15 else 0


def _draw_vex(rng: random.Random, e: Encoding, rex: int, register: int) -> bytes:
    """A VEX prefix with the W, R, X and B of `rex`, in two bytes where they do."""
    length = e.length if e.length is not None else rng.getrandbits(1)
    last = (~register & 15) << 3 | length << 2 | (e.prefix or 0)
    if e.map == 4 and not rex & 0b1011 and rng.random() < 0.7:
        return bytes([0xC5, (~rex & 4) << 5 | last])
    return bytes([0xC4, (~rex & 7) << 5 | e.map - 3, (rex & 8) << 4 | last])


def _draw_memory_16(rng: random.Random, operand: MemoryOperand) -> bytes:
    """ModRM (without reg) and displacement of a 16-bit address."""
    mod, rm = rng.randrange(3), rng.randrange(8)
    size = (0, 1, 2)[mod]
    if (mod, rm) == (0, 6):
        size, operand.displacement = 2, rng.randrange(0xFC00)
        if operand.start:
            operand.displacement = operand.target - operand.start & 0xFFFF
    else:
        operand.base, operand.index = BASES_16[rm], INDEXES_16[rm]
        if size:
            value = edge(rng, 8 * size)
            operand.displacement = value - (1 << 8 * size) if value >> (8 * size - 1) else value
    return bytes([mod << 6 | rm]) + (operand.displacement & (1 << 8 * size) - 1).to_bytes(size, "little")


def _draw_memory(
    rng: random.Random, operand: MemoryOperand, rex: int, others: set[int], *, relative: bool
) -> tuple[bytes, int | None]:
    """ModRM (without reg), SIB and displacement; and where in them a RIP-relative displacement must be patched in.

    The index is a vector register if it has `others` (their low three bits) that it must differ from.
    """
    kind = rng.choice(("base", "base", "index", "index", "rip", "absolute", "index only"))
    if others:
        kind = rng.choice(("index", "index", "index only"))
    if kind == "rip" and not relative:
        operand.displacement = operand.target - operand.start & 0xFFFF_FFFF
        return b"\x05" + operand.displacement.to_bytes(4, "little"), None
    if kind == "rip" and operand.width == 64 and operand.target < 1 << 31:
        return b"\x05" + bytes(4), 1
    mod = rng.randrange(3)
    rm, sib = rng.randrange(8), b""
    if kind in ("index", "absolute", "index only") or rm == 4:
        rm = 4
        base = 5 if kind in ("absolute", "index only") else rng.randrange(8)
        index = 4 if kind == "absolute" else rng.choice([n for n in range(8) if n not in others])
        if kind in ("absolute", "index only"):
            mod = 0
        shift = rng.randrange(4)
        sib = bytes([shift << 6 | index << 3 | base])
        number = index | (rex & 2) << 2
        if others:
            operand.vector_index, operand.scale = number, 1 << shift
        elif number != 4:
            operand.index, operand.scale = number, 1 << shift
        if base != 5 or mod:
            operand.base = base | (rex & 1) << 3
        size = (4 if base == 5 else 0, 1, 4)[mod]
    else:
        if rm == 5 and mod == 0:
            mod = 1
        operand.base = rm | (rex & 1) << 3
        size = (0, 1, 4)[mod]
    if operand.base is None and operand.index is None:
        if operand.target >> 31:
            operand.target = 0x1000_0800
        operand.displacement = operand.target - operand.start
    elif size:
        value = edge(rng, 8 * size)
        operand.displacement = value - (1 << 8 * size) if value >> (8 * size - 1) else value
    displacement = (operand.displacement & (1 << 8 * size) - 1).to_bytes(size, "little")
    return bytes([mod << 6 | rm]) + sib + displacement, None


def _draw_immediate(
    rng: random.Random, kind: int, size: int, at: int, entry: int, area: tuple[int, int], byte: int | None, out: Encoded
) -> bytes:
    width = {0: 0, 1: 1, 2: 1, 3: 2, 4: 2 if size == 16 else 4, 5: size // 8, 6: 1, 7: 4, 9: 3, 14: 1, 15: 0}[kind]
    if kind == 7 and size == 16:
        width = 2
    if kind == 15:
        selector = rng.choice((*_FAR_SELECTORS[out.mode], rng.getrandbits(16) & ~0x30))
        out.immediate = rng.randint(*area) & (0xFFFF if out.mode == 16 else (1 << size) - 1)
        return out.immediate.to_bytes(size // 8, "little") + selector.to_bytes(2, "little")
    if kind in (6, 7):
        end = at + width
        low, high = (end - 128, end + 127) if kind == 6 else area
        while True:
            destination = rng.randint(low, high)
            if not entry <= destination < end:
                break
        value = destination - end
    else:
        value = byte if byte is not None and width == 1 else edge(rng, 8 * width) if width else 0
    out.immediate = value
    return (value & (1 << 8 * width) - 1).to_bytes(width, "little") if width else b""
