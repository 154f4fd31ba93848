"""SSE4.1 and SSE4.2 on integers (SDM volume 1, 5.10 and 5.11), LDDQU of SSE3, and their VEX forms."""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Value
from metaphrase.ir.types import integer, vector
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.instructions.sse_transfer import move
from metaphrase.translator.x86.instructions.ssse3 import operation
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import (
    LANES,
    bit_lanes,
    by_halves,
    bytes_moved,
    halves,
    joined,
    lanes,
    pick,
    with_lane,
)
from metaphrase.translator.x86.vex import FLOAT, INTEGER, SHORT, vex_forms

Source = Register | Memory


# --- arithmetic and comparison ----------------------------------------------------------------------------------------
def _named(op: str) -> Callable[[Value, Value], Value]:
    return lambda a, b: a.binary(op, b)


def _packed(a: Value, b: Value) -> Value:
    clamped = [v.binary("smax", 0).binary("smin", 0xFFFF).trunc(16) for v in (a, b)]
    return joined(*clamped)


def _low_signed(a: Value) -> Value:
    """The low doubleword of each quadword, sign-extended."""
    return (a << 32).ashr(32)


for _name, _opcode, _lane, _op in (
    ("pminsb", "38", 8, "smin"), ("pminsd", "39", 32, "smin"),
    ("pminuw", "3A", 16, "umin"), ("pminud", "3B", 32, "umin"),
    ("pmaxsb", "3C", 8, "smax"), ("pmaxsd", "3D", 32, "smax"),
    ("pmaxuw", "3E", 16, "umax"), ("pmaxud", "3F", 32, "umax"),
):  # fmt: skip
    _what = f"{'signed' if _op[0] == 's' else 'unsigned'} {'minimum' if _op.endswith('min') else 'maximum'}"
    operation(_name, _opcode, _lane, _what, _named(_op), "sse4.1", mmx=False)
operation("pmulld", "40", 32, "low half of the product", _named("mul"), "sse4.1", mmx=False)
operation("pmuldq", "28", 64, "signed product of low doublewords", lambda a, b: _low_signed(a) * _low_signed(b),
          "sse4.1", mmx=False)  # fmt: skip
operation("packusdw", "2B", 32, "signed doublewords to unsigned words, clamped", _packed, "sse4.1", mmx=False)
operation("pcmpeqq", "29", 64, "ones where equal", lambda a, b: a.eq(b).sext(64), "sse4.1", mmx=False)
operation("pcmpgtq", "37", 64, "ones where greater, signed", lambda a, b: b.slt(a).sext(64), "sse4.2", mmx=False)


# --- widening ---------------------------------------------------------------------------------------------------------
def extend(m: X86Emitter, narrow: int, wide: int, signed: bool, target: Register, source: Source) -> None:
    """PMOVSX, PMOVZX: the source's low lanes extended to wider ones. SDM volume 2B, PMOVSX and PMOVZX."""
    value = m.get(source, vector(integer(narrow), target.width // wide))
    m.put(target, value.sext(wide) if signed else value.zext(wide))


_SIZES = {16: "w", 32: "d", 64: "q", 128: "o"}
for _signed, _base, _kind in ((True, 0x20, "sx"), (False, 0x30, "zx")):
    for _number, (_narrow, _wide) in enumerate(((8, 16), (8, 32), (8, 64), (16, 32), (16, 64), (32, 64))):
        _letters = {8: "b", 16: "w", 32: "d", 64: "q"}
        _name, _static = f"pmov{_kind}{_letters[_narrow]}{_letters[_wide]}", (_narrow, _wide, _signed)
        _code = f"{_base + _number:02X} /r"
        insn(f"66 0F 38 {_code}", f"Vx, W{_SIZES[128 * _narrow // _wide]}", name=_name, extension="sse4.1",
             static=_static)(extend)  # fmt: skip
        for _length, _bits in zip(INTEGER, (128, 256), strict=True):
            vex_forms(_name, (_length,), "66", _code, f"Vx, W{_SIZES[_bits * _narrow // _wide]}", extend, *_static,
                      map="0F38")  # fmt: skip


# --- blends -----------------------------------------------------------------------------------------------------------
@insn("66 0F 38 10 /r", "Vx, Wdq", extension="sse4.1")
def pblendvb(m: X86Emitter, target: Register, source: Source) -> None:
    """PBLENDVB: bytes of the source where those of XMM0 are negative. SDM volume 2B, PBLENDVB."""
    vex_pblendvb(m, target, target, source, Register(s.XMM[0], 128))


def vex_pblendvb(m: X86Emitter, target: Register, first: Register, source: Source, mask: Register) -> None:
    b = m.get(source, lanes(target, 8))
    m.put(target, m.get(mask, b.type).slt(0).select(b, m.get(first, b.type)))


vex_forms("pblendvb", INTEGER, "66", "4C /r is4", "Vx, Hx, Wx, Lx", vex_pblendvb, map="0F3A", w="W0")


@insn("66 0F 3A 0E /r ib", "Vx, Wdq, Ib", extension="sse4.1")
def pblendw(m: X86Emitter, target: Register, source: Source, mask: Value) -> None:
    """PBLENDW: words of the source where the immediate has ones, the same in each half. SDM volume 2B, PBLENDW."""
    vex_pblendw(m, target, target, source, mask)


def vex_pblendw(m: X86Emitter, target: Register, first: Register, source: Source, mask: Value) -> None:
    b = m.get(source, lanes(target, 16))
    chosen = bit_lanes(mask, LANES[16])
    m.put(target, by_halves(lambda x, y: chosen.select(y, x), m.get(first, b.type), b))


vex_forms("pblendw", INTEGER, "66", "0E /r ib", "Vx, Hx, Wx, Ib", vex_pblendw, map="0F3A")


# --- insertion and extraction -----------------------------------------------------------------------------------------
def insert(m: X86Emitter, lane: int, target: Register, source: Source, index: Value) -> None:
    """PINSRB, PINSRD, PINSRQ: a lane replaced by a general register or memory. SDM volume 2B, PINSRB/PINSRD/PINSRQ."""
    vex_insert(m, lane, target, target, source, index)


def vex_insert(m: X86Emitter, lane: int, target: Register, first: Register, source: Source, index: Value) -> None:
    value = m.get(source, integer(lane))
    m.put(target, with_lane(m.get(first, LANES[lane]), index if lane == 8 else index.zext(lane), value))


def extract(m: X86Emitter, lane: int, target: Source, source: Register, index: Value) -> None:
    """PEXTRB, PEXTRW, PEXTRD, PEXTRQ: a lane to a general register, zero-extended, or memory. SDM volume 2B, each."""
    a = m.get(source, LANES[lane])
    value = pick([a.extract(n) for n in range(a.type.lanes)], index)
    m.put(target, value if isinstance(target, Memory) else value.zext(max(32, lane)))


for _name, _prefix, _opcode, _lane, _form, _operand in (
    ("b", "", "20", 8, " reg", "Rd"), ("b", "", "20", 8, " mem", "Eb"), ("d", "W0 ", "22", 32, "", "Ed"),
    ("q", "REX.W ", "22", 64, "", "Eq"),
):  # fmt: skip
    _w = {"": "WIG", "W0 ": "W0", "REX.W ": "W1"}[_prefix]
    insn(f"66 {_prefix}0F 3A {_opcode} /r{_form} ib", f"Vx, {_operand}, Ib", name="pinsr" + _name, static=(_lane,),
         extension="sse4.1")(insert)  # fmt: skip
    vex_forms("pinsr" + _name, SHORT, "66", f"{_opcode} /r{_form} ib", f"Vx, Hx, {_operand}, Ib", vex_insert, _lane,
              map="0F3A", w=_w)  # fmt: skip
for _name, _prefix, _opcode, _lane, _form, _operand in (
    ("b", "", "14", 8, " reg", "Rd"), ("b", "", "14", 8, " mem", "Eb"), ("w", "", "15", 16, " reg", "Rd"),
    ("w", "", "15", 16, " mem", "Ew"), ("d", "W0 ", "16", 32, "", "Ed"), ("q", "REX.W ", "16", 64, "", "Eq"),
):  # fmt: skip
    _w = {"": "WIG", "W0 ": "W0", "REX.W ": "W1"}[_prefix]
    insn(f"66 {_prefix}0F 3A {_opcode} /r{_form} ib", f"{_operand}, Vx, Ib", name="pextr" + _name, static=(_lane,),
         extension="sse4.1")(extract)  # fmt: skip
    vex_forms("pextr" + _name, SHORT, "66", f"{_opcode} /r{_form} ib", f"{_operand}, Vx, Ib", extract, _lane,
              map="0F3A", w=_w)  # fmt: skip


# --- the rest ---------------------------------------------------------------------------------------------------------
@insn("66 0F 38 17 /r", "Vx, Wdq", extension="sse4.1")
def ptest(m: X86Emitter, first: Register, source: Source) -> None:
    """PTEST: ZF if both have no bit in common, CF if the source has none that the first lacks. SDM volume 2B, PTEST."""
    b = m.get(source, lanes(first, 64))
    a = m.get(first, b.type)

    def none(value: Value) -> Value:
        parts = [value.extract(lane) for lane in range(value.type.lanes)]
        while len(parts) > 1:
            parts = [parts[n] | parts[n + 1] for n in range(0, len(parts), 2)]
        return parts[0].eq(0)

    zero = m.flag(False)
    flags = m.logic_flags(m.const(1, 8)).but(cf=none(~a & b), zf=none(a & b), sf=zero, of=zero)
    m.put_flags(flags.but(parity=m.const(1, 8)))


vex_forms("ptest", FLOAT, "66", "17 /r", "Vx, Wx", ptest, map="0F38")


@insn("66 0F 38 41 /r", "Vx, Wdq", extension="sse4.1")
def phminposuw(m: X86Emitter, target: Register, source: Source) -> None:
    """PHMINPOSUW: the least unsigned word, and where it first is; zeroes above. SDM volume 2B, PHMINPOSUW."""
    words = m.get(source, LANES[16])
    found = [words.extract(lane).zext(32) << 16 | lane for lane in range(8)]
    while len(found) > 1:
        found = [found[n].binary("umin", found[n + 1]) for n in range(0, len(found), 2)]
    both = found[0].binary("rotl", 16)
    m.put(target, m.function.const(LANES[32], 0).insert(0, both))


vex_forms("phminposuw", SHORT, "66", "41 /r", "Vx, Wx", phminposuw, map="0F38")


def _distances(a: Value, b: Value, order: Value) -> Value:
    """Sums of the distances of four bytes of `b` from those of `a` at each of eight places, chosen by three bits."""
    quad = pick([b.bitcast(LANES[32]).extract(n) for n in range(4)], order & 3).bitcast(vector(integer(8), 4))
    from_here = bytes_moved(a.bitcast(LANES[64]), (order & 4), False).bitcast(LANES[8])
    total: Value | None = None
    for place in range(4):
        x = from_here.shuffle(from_here, range(place, place + 8)).zext(16)
        y = quad.extract(place).zext(16).splat(8)
        distance = x.binary("umax", y) - x.binary("umin", y)
        total = distance if total is None else total + distance
    assert total is not None
    return total


@insn("66 0F 3A 42 /r ib", "Vx, Wdq, Ib", extension="sse4.1")
def mpsadbw(m: X86Emitter, target: Register, source: Source, order: Value) -> None:
    """MPSADBW: four bytes of the source compared with those at eight places of the target. SDM volume 2B, MPSADBW."""
    vex_mpsadbw(m, target, target, source, order)


def vex_mpsadbw(m: X86Emitter, target: Register, first: Register, source: Source, order: Value) -> None:
    b = m.get(source, lanes(target, 8))
    parts = zip(halves(m.get(first, b.type)), halves(b), strict=True)
    sums = [_distances(x, y, order.lshr(3 * number)) for number, (x, y) in enumerate(parts)]
    m.put(target, joined(*sums) if len(sums) > 1 else sums[0])


vex_forms("mpsadbw", INTEGER, "66", "42 /r ib", "Vx, Hx, Wx, Ib", vex_mpsadbw, map="0F3A")

insn("66 0F 38 2A /r mem", "Vx, Wdq", name="movntdqa", extension="sse4.1",
     manual="MOVNTDQA: load 128 aligned bits; the hint is not needed. SDM volume 2B, MOVNTDQA.")(move)  # fmt: skip
vex_forms("movntdqa", INTEGER, "66", "2A /r mem", "Vx, Wxa", move, map="0F38")
insn("F2 0F F0 /r mem", "Vx, Wx", name="lddqu", extension="sse3",
     manual="LDDQU: load 128 bits without regard to alignment. SDM volume 2A, LDDQU.")(move)  # fmt: skip
vex_forms("lddqu", FLOAT, "F2", "F0 /r mem", "Vx, Wx", move)
