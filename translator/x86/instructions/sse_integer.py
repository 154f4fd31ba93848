"""Integer arithmetic, logic, shifts and shuffles on vector registers (SDM volume 1, 5.4, 5.5.2, 5.6.3, 5.13 and 5.15).

Most came with MMX, some with SSE; SSE2 gave each a form on XMM registers, of the same encoding after a 66 prefix, AVX
one with three operands behind VEX, and AVX2 the same on YMM registers. So a described meaning is over vectors of lanes,
and their number is the operand's.
"""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Operand, Value
from metaphrase.ir.types import I64, vector
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import (
    LANES,
    by_halves,
    bytes_moved,
    interleaved,
    joined,
    lanes,
    permuted,
    pick,
    with_lane,
)
from metaphrase.translator.x86.vex import INTEGER, vex_forms

Meaning = Callable[[Value, Value], Value]


def lanewise(
    name: str, opcode: int, lane: int, what: str, meaning: Meaning, mmx: str = "mmx", source: str = "Qq",
    *, crosses: bool = False,
) -> None:  # fmt: skip
    """`target = meaning(target, source)` over lanes of `lane` bits, at 66 0F `opcode`; on MMX registers at 0F `opcode`.

    `mmx` is the extension that brought the form on MMX registers (nothing if there is none), `source` its operand.
    `crosses` says that lanes come to lie elsewhere.
    Behind VEX, `target = meaning(first, source)`, for each 128 bits.
    """

    def vex(m: X86Emitter, target: Register, first: Register, source: Register | Memory) -> None:
        type = lanes(target, lane)
        b = m.get(source, type)
        m.put(target, by_halves(meaning, m.get(first, type), b) if crosses else meaning(m.get(first, type), b))

    def semantics(m: X86Emitter, target: Register, source: Register | Memory) -> None:
        type = lanes(target, lane)
        b = m.get(source, type) if source.width == target.width else m.get(source).zext(target.width).bitcast(type)
        m.put(target, meaning(m.get(target, type), b))

    manual = f"{name.upper()}: {what}. SDM volume 2B, {name.upper()}."
    insn(f"66 0F {opcode:02X} /r", "Vx, Wdq", name=name, extension="sse2", manual=manual)(semantics)
    if mmx:
        insn(f"NP 0F {opcode:02X} /r", f"Pq, {source}", name=name, extension=mmx, manual=manual)(semantics)
    vex_forms(name, INTEGER, "66", f"{opcode:02X} /r", "Vx, Hx, Wx", vex)


# --- arithmetic -------------------------------------------------------------------------------------------------------
for _letter, _lane, _add, _sub in (
    ("b", 8, 0xFC, 0xF8), ("w", 16, 0xFD, 0xF9), ("d", 32, 0xFE, 0xFA), ("q", 64, 0xD4, 0xFB),
):  # fmt: skip
    _mmx = "mmx" if _lane < 64 else "sse2"
    lanewise("padd" + _letter, _add, _lane, "sum of each lane", lambda a, b: a + b, _mmx)
    lanewise("psub" + _letter, _sub, _lane, "difference of each lane", lambda a, b: a - b, _mmx)
for _letter, _lane, _signed, _unsigned in (("b", 8, 0xE8, 0xD8), ("w", 16, 0xE9, 0xD9)):
    lanewise("padds" + _letter, _signed + 4, _lane, "signed sum, clamped", lambda a, b: a.binary("sadd_sat", b))
    lanewise("paddus" + _letter, _unsigned + 4, _lane, "unsigned sum, clamped", lambda a, b: a.binary("uadd_sat", b))
    lanewise("psubs" + _letter, _signed, _lane, "signed difference, clamped", lambda a, b: a.binary("ssub_sat", b))
    lanewise("psubus" + _letter, _unsigned, _lane, "unsigned difference, clamped", lambda a, b: a.binary("usub_sat", b))


def _pmaddwd(a: Value, b: Value) -> Value:
    products = a.sext(32) * b.sext(32)
    count = products.type.lanes
    return products.shuffle(products, range(0, count, 2)) + products.shuffle(products, range(1, count, 2))


def _average(a: Value, b: Value) -> Value:
    wide = 2 * a.width
    return (a.zext(wide) + b.zext(wide) + 1).lshr(1).trunc(a.width)


def _psadbw(a: Value, b: Value) -> Value:
    distance = a.binary("umax", b) - a.binary("umin", b)
    quads = distance.bitcast(vector(I64, a.type.lanes // 8))
    pairs = (quads & 0x00FF_00FF_00FF_00FF) + (quads.lshr(8) & 0x00FF_00FF_00FF_00FF)
    fours = pairs + pairs.lshr(16)
    return (fours + fours.lshr(32)) & 0xFFFF


lanewise("pmullw", 0xD5, 16, "low half of the product", lambda a, b: a * b)
lanewise("pmulhw", 0xE5, 16, "high half of the signed product",
         lambda a, b: (a.sext(32) * b.sext(32)).lshr(16).trunc(16))  # fmt: skip
lanewise("pmulhuw", 0xE4, 16, "high half of the unsigned product",
         lambda a, b: (a.zext(32) * b.zext(32)).lshr(16).trunc(16), "sse")  # fmt: skip
lanewise("pmuludq", 0xF4, 64, "unsigned product of low doublewords",
         lambda a, b: (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF), "sse2")  # fmt: skip
lanewise("pmaddwd", 0xF5, 16, "sums of neighbouring signed products", _pmaddwd)
lanewise("psadbw", 0xF6, 8, "sums of eight absolute differences", _psadbw, "sse")
lanewise("pavgb", 0xE0, 8, "average, rounded up", _average, "sse")
lanewise("pavgw", 0xE3, 16, "average, rounded up", _average, "sse")
lanewise("pminub", 0xDA, 8, "unsigned minimum", lambda a, b: a.binary("umin", b), "sse")
lanewise("pmaxub", 0xDE, 8, "unsigned maximum", lambda a, b: a.binary("umax", b), "sse")
lanewise("pminsw", 0xEA, 16, "signed minimum", lambda a, b: a.binary("smin", b), "sse")
lanewise("pmaxsw", 0xEE, 16, "signed maximum", lambda a, b: a.binary("smax", b), "sse")

# --- logic and comparison ---------------------------------------------------------------------------------------------
lanewise("pand", 0xDB, 64, "bitwise and", lambda a, b: a & b)
lanewise("pandn", 0xDF, 64, "bitwise and of the complemented target", lambda a, b: ~a & b)
lanewise("por", 0xEB, 64, "bitwise or", lambda a, b: a | b)
lanewise("pxor", 0xEF, 64, "bitwise exclusive or", lambda a, b: a ^ b)
for _letter, _lane, _equal, _greater in (("b", 8, 0x74, 0x64), ("w", 16, 0x75, 0x65), ("d", 32, 0x76, 0x66)):
    lanewise("pcmpeq" + _letter, _equal, _lane, "ones where equal", lambda a, b: a.eq(b).sext(a.width))
    lanewise("pcmpgt" + _letter, _greater, _lane, "ones where greater, signed", lambda a, b: b.slt(a).sext(a.width))


# --- pack and unpack --------------------------------------------------------------------------------------------------
def _packed(signed: bool) -> Meaning:
    """Signed lanes of both clamped to signed or unsigned ones of half the width."""

    def meaning(a: Value, b: Value) -> Value:
        half = a.width // 2
        least, most = (-1 << half - 1, (1 << half - 1) - 1) if signed else (0, (1 << half) - 1)
        narrow = [v.binary("smax", least).binary("smin", most).trunc(half) for v in (a, b)]
        return joined(*narrow)

    return meaning


lanewise("packsswb", 0x63, 16, "words to signed bytes, clamped", _packed(signed=True), crosses=True)
lanewise("packssdw", 0x6B, 32, "doublewords to signed words, clamped", _packed(signed=True), crosses=True)
lanewise("packuswb", 0x67, 16, "words to unsigned bytes, clamped", _packed(signed=False), crosses=True)
for _name, _lane, _low, _high in (
    ("bw", 8, 0x60, 0x68), ("wd", 16, 0x61, 0x69), ("dq", 32, 0x62, 0x6A), ("qdq", 64, 0x6C, 0x6D),
):  # fmt: skip
    _mmx = "mmx" if _lane < 64 else ""
    lanewise("punpckl" + _name, _low, _lane, "low lanes interleaved",
             lambda a, b: interleaved(a, b, high=False), _mmx, "Qd", crosses=True)  # fmt: skip
    lanewise("punpckh" + _name, _high, _lane, "high lanes interleaved",
             lambda a, b: interleaved(a, b, high=True), _mmx, crosses=True)  # fmt: skip


# --- shuffle, insert, extract -----------------------------------------------------------------------------------------
@insn("66 0F 70 /r ib", "Vx, Wdq, Ib", name="pshufd", static=(32,), extension="sse2")
@insn("NP 0F 70 /r ib", "Pq, Qq, Ib", name="pshufw", static=(16,), extension="sse")
def shuffle(m: X86Emitter, lane: int, target: Register, source: Register | Memory, order: Value) -> None:
    """PSHUFD, PSHUFW: the four lanes of the source in the order of the immediate. SDM volume 2B, each."""
    choices = [(0, 4, order.lshr(2 * n) & 3) for n in range(4)]
    m.put(target, by_halves(lambda a: permuted(a, a, choices), m.get(source, lanes(source, lane))))


@insn("F2 0F 70 /r ib", "Vx, Wdq, Ib", name="pshuflw", static=(0,), extension="sse2")
@insn("F3 0F 70 /r ib", "Vx, Wdq, Ib", name="pshufhw", static=(4,), extension="sse2")
def shuffle_words(m: X86Emitter, first: int, target: Register, source: Register | Memory, order: Value) -> None:
    """PSHUFLW, PSHUFHW: words of one half reordered; the other half is copied. SDM volume 2B, each."""
    moved = [(first, 4, order.lshr(2 * n) & 3) for n in range(4)]
    kept = [((4 - first) + n, 1, 0) for n in range(4)]
    choices: list[tuple[int, int, Operand]] = [*kept, *moved] if first else [*moved, *kept]
    m.put(target, by_halves(lambda a: permuted(a, a, choices), m.get(source, lanes(source, 16))))


vex_forms("pshufd", INTEGER, "66", "70 /r ib", "Vx, Wx, Ib", shuffle, 32)
vex_forms("pshuflw", INTEGER, "F2", "70 /r ib", "Vx, Wx, Ib", shuffle_words, 0)
vex_forms("pshufhw", INTEGER, "F3", "70 /r ib", "Vx, Wx, Ib", shuffle_words, 4)


@insn("66 0F C5 /r reg ib", "Gd, Ux, Ib", extension="sse2")
@insn("NP 0F C5 /r reg ib", "Gd, Nq, Ib", extension="sse")
@insn("VEX.128.66.0F.WIG C5 /r reg ib", "Gd, Ux, Ib", name="vpextrw", extension="avx")
def pextrw(m: X86Emitter, target: Register, source: Register, index: Value) -> None:
    """PEXTRW: a word, zero-extended, to a general register. SDM volume 2B, PEXTRW."""
    a = m.get(source, lanes(source, 16))
    m.put(target, pick([a.extract(lane) for lane in range(a.type.lanes)], index).zext(32))


@insn("66 0F C4 /r ib", "Vx, Ew, Ib", extension="sse2")
@insn("NP 0F C4 /r ib", "Pq, Ew, Ib", extension="sse")
def pinsrw(m: X86Emitter, target: Register, source: Register | Memory, index: Value) -> None:
    """PINSRW: a word of a general register or memory into a lane. SDM volume 2B, PINSRW."""
    word = m.get(source)
    m.put(target, with_lane(m.get(target, lanes(target, 16)), index.zext(16), word))


@insn("VEX.128.66.0F.WIG C4 /r ib", "Vx, Hx, Ew, Ib", extension="avx")
def vpinsrw(m: X86Emitter, target: Register, first: Register, source: Register | Memory, index: Value) -> None:
    """VPINSRW: PINSRW with three operands. SDM volume 2B, PINSRW."""
    word = m.get(source)
    m.put(target, with_lane(m.get(first, LANES[16]), index.zext(16), word))


# --- shifts -----------------------------------------------------------------------------------------------------------
def _shift(name: str, lane: int, opcode: int, extension: int, op: str) -> None:
    """A shift of each lane: by a register or memory at 0F `opcode`, by an immediate at 0F 7x /`extension`."""

    def shifted(a: Value, count: Value) -> Value:
        amount = count.binary("umin", lane).trunc(lane) if count.width > lane else count.binary("umin", lane).zext(lane)
        return a.binary(op, amount.splat(a.type.lanes))

    def by_register(m: X86Emitter, target: Register, source: Register | Memory) -> None:
        by_vector(m, target, target, source)

    def by_vector(m: X86Emitter, target: Register, first: Register, source: Register | Memory) -> None:
        count = m.get(source, lanes(source, 64)).extract(0)
        m.put(target, shifted(m.get(first, lanes(target, lane)), count))

    def by_immediate(m: X86Emitter, target: Register, count: Value) -> None:
        vex_by_immediate(m, target, target, count)

    def vex_by_immediate(m: X86Emitter, target: Register, first: Register, count: Value) -> None:
        m.put(target, shifted(m.get(first, lanes(target, lane)), count))

    upper = name.upper()
    manual = f"{upper}: shift each lane; counts of the width or more shift all out. SDM volume 2B, {upper}."
    group = f"0F {0x70 + lane.bit_length() - 4:02X} /{extension} reg ib"
    insn(f"66 0F {opcode:02X} /r", "Vx, Wdq", name=name, extension="sse2", manual=manual)(by_register)
    insn(f"NP 0F {opcode:02X} /r", "Pq, Qq", name=name, extension="mmx", manual=manual)(by_register)
    insn(f"66 {group}", "Ux, Ib", name=name, extension="sse2", manual=manual)(by_immediate)
    insn(f"NP {group}", "Nq, Ib", name=name, extension="mmx", manual=manual)(by_immediate)
    vex_forms(name, INTEGER, "66", f"{opcode:02X} /r", "Vx, Hx, Wo", by_vector)
    vex_forms(name, INTEGER, "66", group.removeprefix("0F "), "Hx, Ux, Ib", vex_by_immediate)


for _letter, _lane, _low in (("w", 16, 1), ("d", 32, 2), ("q", 64, 3)):
    _shift("psrl" + _letter, _lane, 0xD0 + _low, 2, "lshr")
    _shift("psll" + _letter, _lane, 0xF0 + _low, 6, "shl")
    if _lane < 64:
        _shift("psra" + _letter, _lane, 0xE0 + _low, 4, "ashr")


@insn("66 0F 73 /3 reg ib", "Ux, Ib", name="psrldq", static=(False,), extension="sse2")
@insn("66 0F 73 /7 reg ib", "Ux, Ib", name="pslldq", static=(True,), extension="sse2")
def shift_bytes(m: X86Emitter, up: bool, target: Register, count: Value) -> None:
    """PSRLDQ, PSLLDQ: shift the register by bytes; more than 15 clear it. SDM volume 2B, each."""
    vex_shift_bytes(m, up, target, target, count)


def vex_shift_bytes(m: X86Emitter, up: bool, target: Register, source: Register, count: Value) -> None:
    m.put(target, by_halves(lambda a: bytes_moved(a, count, up), m.get(source, lanes(source, 64))))


vex_forms("psrldq", INTEGER, "66", "73 /3 reg ib", "Hx, Ux, Ib", vex_shift_bytes, False)
vex_forms("pslldq", INTEGER, "66", "73 /7 reg ib", "Hx, Ux, Ib", vex_shift_bytes, True)
