"""What AVX and AVX2 brought that has no form without VEX (SDM volume 1, 14.1 and 14.7): broadcasts, 128-bit parts,
permutations, masked moves, shifts by lanes, gathers."""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F32, F64, I64, Type, integer, vector
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import by_halves, halves, joined, lanes, permuted, pick, store_chosen
from metaphrase.translator.x86.vex import FLOAT, LONG, vex_forms

AVX2 = (("256", "avx2"),)
Source = Register | Memory


# --- broadcasts and parts ---------------------------------------------------------------------------------------------
def broadcast(m: X86Emitter, type: Type, target: Register, source: Source) -> None:
    """Every lane of the target is the source: a scalar, or the bottom of a register."""
    m.put(target, m.get(source, type).splat(target.width // type.bits))


for _name, _opcode, _width, _lengths in (("ss", "18", "d", FLOAT), ("sd", "19", "q", LONG)):
    _type = F32 if _name == "ss" else F64
    vex_forms(f"broadcast{_name}", _lengths, "66", f"{_opcode} /r mem", f"Vx, W{_width}", broadcast, _type,
              map="0F38", w="W0")  # fmt: skip
    vex_forms(f"broadcast{_name}", tuple((length, "avx2") for length, _ in _lengths), "66", f"{_opcode} /r reg",
              "Vx, Uo", broadcast, _type, map="0F38", w="W0")  # fmt: skip
for _letter, _opcode, _lane, _size in (
    ("b", "78", 8, "b"),
    ("w", "79", 16, "w"),
    ("d", "58", 32, "d"),
    ("q", "59", 64, "q"),
):
    _both = (("128", "avx2"), ("256", "avx2"))
    vex_forms(f"pbroadcast{_letter}", _both, "66", f"{_opcode} /r mem", f"Vx, W{_size}", broadcast, integer(_lane),
              map="0F38", w="W0")  # fmt: skip
    vex_forms(f"pbroadcast{_letter}", _both, "66", f"{_opcode} /r reg", "Vx, Uo", broadcast, integer(_lane),
              map="0F38", w="W0")  # fmt: skip


def broadcast_half(m: X86Emitter, target: Register, source: Memory) -> None:
    """Both halves of the target are 128 bits of memory."""
    value = m.get(source, vector(I64, 2))
    m.put(target, joined(value, value))


def extract_half(m: X86Emitter, target: Source, source: Register, which: Value) -> None:
    """A half of a YMM register to an XMM register or memory."""
    low, high = halves(m.get(source, vector(I64, 4)))
    m.put(target, pick([low, high], which))


def insert_half(m: X86Emitter, target: Register, first: Register, source: Source, which: Value) -> None:
    """The first source with a half replaced by an XMM register or memory."""
    value = m.get(source, vector(I64, 2))
    low, high = halves(m.get(first, vector(I64, 4)))
    odd = (which & 1).ne(0)
    m.put(target, joined(odd.select(low, value), odd.select(value, high)))


def permute_halves(m: X86Emitter, target: Register, first: Register, source: Source, order: Value) -> None:
    """Each half is one of the four of both sources, or zero where bit 3 of its half of the immediate says so."""
    b = halves(m.get(source, vector(I64, 4)))
    candidates = [*halves(m.get(first, vector(I64, 4))), *b]
    zero = m.function.const(vector(I64, 2), 0)
    parts = []
    for nibble in (order, order.lshr(4)):
        parts.append((nibble & 8).ne(0).select(zero, pick(candidates, nibble & 3)))
    m.put(target, joined(*parts))


for _kind, _lengths, _broadcast, _extract, _insert, _permute in (
    ("f", LONG, "1A", "19", "18", "06"), ("i", AVX2, "5A", "39", "38", "46"),
):  # fmt: skip
    vex_forms(f"broadcast{_kind}128", _lengths, "66", f"{_broadcast} /r mem", "Vx, Wo", broadcast_half,
              map="0F38", w="W0")  # fmt: skip
    vex_forms(f"extract{_kind}128", _lengths, "66", f"{_extract} /r ib", "Wo, Vx, Ib", extract_half,
              map="0F3A", w="W0")  # fmt: skip
    vex_forms(f"insert{_kind}128", _lengths, "66", f"{_insert} /r ib", "Vx, Hx, Wo, Ib", insert_half,
              map="0F3A", w="W0")  # fmt: skip
    vex_forms(f"perm2{_kind}128", _lengths, "66", f"{_permute} /r ib", "Vx, Hx, Wx, Ib", permute_halves,
              map="0F3A", w="W0")  # fmt: skip


# --- permutations -----------------------------------------------------------------------------------------------------
def permute_singles(m: X86Emitter, target: Register, source: Source, order: Value) -> None:
    """The four singles of each half in the order of the immediate."""
    choices = [(0, 4, order.lshr(2 * n) & 3) for n in range(4)]
    m.put(target, by_halves(lambda a: permuted(a, a, choices), m.get(source, lanes(target, 32))))


def permute_doubles(m: X86Emitter, target: Register, source: Source, order: Value) -> None:
    """The two doubles of each half in the order of the immediate, a bit for each."""
    parts = halves(m.get(source, lanes(target, 64)))
    moved = [permuted(a, a, [(0, 2, order.lshr(2 * n + i) & 1) for i in (0, 1)]) for n, a in enumerate(parts)]
    m.put(target, joined(*moved) if len(moved) > 1 else moved[0])


def permute_by_vector(m: X86Emitter, lane: int, target: Register, first: Register, source: Source) -> None:
    """The lanes of each half of the first source as the second says: a single's low two bits, a double's bit 1."""
    which = m.get(source, lanes(target, lane))
    shift = 1 if lane == 64 else 0

    def moved(a: Value, b: Value) -> Value:
        count = a.type.lanes
        candidates = [a.extract(n) for n in range(count)]
        result = a
        for n in range(count):
            result = result.insert(n, pick(candidates, b.extract(n).lshr(shift) & count - 1))
        return result

    m.put(target, by_halves(moved, m.get(first, lanes(target, lane)), which))


def permute_lanes(m: X86Emitter, target: Register, indices: Register, source: Source) -> None:
    """Eight doublewords anywhere in the source, as the low three bits of the first source's lanes say."""
    a, which = m.get(source, lanes(target, 32)), m.get(indices, lanes(target, 32))
    candidates = [a.extract(n) for n in range(8)]
    result = a
    for n in range(8):
        result = result.insert(n, pick(candidates, which.extract(n) & 7))
    m.put(target, result)


def permute_quadwords(m: X86Emitter, target: Register, source: Source, order: Value) -> None:
    """Four quadwords anywhere in the source, two bits of the immediate for each."""
    a = m.get(source, lanes(target, 64))
    m.put(target, permuted(a, a, [(0, 4, order.lshr(2 * n) & 3) for n in range(4)]))


vex_forms("permilps", FLOAT, "66", "04 /r ib", "Vx, Wx, Ib", permute_singles, map="0F3A", w="W0")
vex_forms("permilpd", FLOAT, "66", "05 /r ib", "Vx, Wx, Ib", permute_doubles, map="0F3A", w="W0")
vex_forms("permilps", FLOAT, "66", "0C /r", "Vx, Hx, Wx", permute_by_vector, 32, map="0F38", w="W0")
vex_forms("permilpd", FLOAT, "66", "0D /r", "Vx, Hx, Wx", permute_by_vector, 64, map="0F38", w="W0")
vex_forms("permps", AVX2, "66", "16 /r", "Vx, Hx, Wx", permute_lanes, map="0F38", w="W0")
vex_forms("permd", AVX2, "66", "36 /r", "Vx, Hx, Wx", permute_lanes, map="0F38", w="W0")
vex_forms("permpd", AVX2, "66", "01 /r ib", "Vx, Wx, Ib", permute_quadwords, map="0F3A", w="W1")
vex_forms("permq", AVX2, "66", "00 /r ib", "Vx, Wx, Ib", permute_quadwords, map="0F3A", w="W1")


def blend_doublewords(m: X86Emitter, target: Register, first: Register, source: Source, mask: Value) -> None:
    """Lanes of the second source where the immediate's bits are set, else of the first."""
    b = m.get(source, lanes(target, 32))
    a = m.get(first, b.type)
    count = b.type.lanes
    bits = m.function.const(b.type, tuple(1 << n for n in range(count)))
    m.put(target, (mask.zext(32).splat(count) & bits).ne(0).select(b, a))


_BOTH = (("128", "avx2"), ("256", "avx2"))
vex_forms("pblendd", _BOTH, "66", "02 /r ib", "Vx, Hx, Wx, Ib", blend_doublewords, map="0F3A", w="W0")


# --- shifts by lanes --------------------------------------------------------------------------------------------------
def shift_lanes(m: X86Emitter, lane: int, op: str, target: Register, first: Register, source: Source) -> None:
    """Each lane shifted by the same lane of the second source; counts of the width or more shift all out."""
    counts = m.get(source, lanes(target, lane))
    m.put(target, m.get(first, counts.type).binary(op, counts))


for _name, _opcode, _op, _lanes in (("psllv", "47", "shl", (32, 64)), ("psrlv", "45", "lshr", (32, 64)),
                                    ("psrav", "46", "ashr", (32,))):  # fmt: skip
    for _lane in _lanes:
        vex_forms(_name + ("d" if _lane == 32 else "q"), _BOTH, "66", f"{_opcode} /r", "Vx, Hx, Wx", shift_lanes,
                  _lane, _op, map="0F38", w="W0" if _lane == 32 else "W1")  # fmt: skip


# --- masked moves -----------------------------------------------------------------------------------------------------
def masked_load(m: X86Emitter, lane: int, target: Register, mask: Register, source: Memory) -> None:
    """The lanes whose mask has its sign set; the others are zero, and their memory is not touched."""
    del source  # each lane has an effective address of its own, which 32 bits may not hold if that of the first fits
    signs = m.get(mask, lanes(target, lane))
    result = m.local(signs.type)
    result.set(m.function.const(signs.type, 0))
    for n in range(signs.type.lanes):
        with m.if_(signs.extract(n).slt(0)):
            result.set(result.get().insert(n, m.load(m.effective_address(n * lane // 8), integer(lane))))
    m.put(target, result.get())


def masked_store(m: X86Emitter, lane: int, target: Memory, mask: Register, source: Register) -> None:
    """Store the lanes whose mask has its sign set; the other memory is not touched."""
    signs, values = m.get(mask, lanes(source, lane)), m.get(source, lanes(source, lane))
    store_chosen(m, target.address, values, signs.slt(0))


for _name, _lane, _load, _store, _lengths, _w in (
    ("maskmovps", 32, "2C", "2E", FLOAT, "W0"), ("maskmovpd", 64, "2D", "2F", FLOAT, "W0"),
    ("pmaskmovd", 32, "8C", "8E", _BOTH, "W0"), ("pmaskmovq", 64, "8C", "8E", _BOTH, "W1"),
):  # fmt: skip
    vex_forms(_name, _lengths, "66", f"{_load} /r mem", "Vx, Hx, Wx", masked_load, _lane, map="0F38", w=_w)
    vex_forms(_name, _lengths, "66", f"{_store} /r mem", "Wx, Hx, Vx", masked_store, _lane, map="0F38", w=_w)


# --- tests and clearing -----------------------------------------------------------------------------------------------
def test_signs(m: X86Emitter, lane: int, first: Register, source: Source) -> None:
    """ZF: no lane has its sign in both; CF: none has it in the second only; the other flags are cleared."""
    b = m.get(source, lanes(first, lane))
    a = m.get(first, b.type)

    def none(signs: Value) -> Value:
        return signs.slt(0).bitcast(integer(signs.type.lanes)).eq(0)

    zero = m.flag(False)
    flags = m.logic_flags(m.const(1, 8)).but(cf=none(~a & b), zf=none(a & b), sf=zero, of=zero)
    m.put_flags(flags.but(parity=m.const(1, 8)))


vex_forms("testps", FLOAT, "66", "0E /r", "Vx, Wx", test_signs, 32, map="0F38", w="W0")
vex_forms("testpd", FLOAT, "66", "0F /r", "Vx, Wx", test_signs, 64, map="0F38", w="W0")


@insn("VEX.128.0F.WIG 77", name="vzeroupper", static=(False,), extension="avx")
@insn("VEX.256.0F.WIG 77", name="vzeroall", static=(True,), extension="avx")
def zero(m: X86Emitter, everything: bool) -> None:
    """VZEROUPPER, VZEROALL: clear the high halves of all YMM registers, or all of them. SDM volume 2C, each."""
    for offset in m.vectors:
        m.put_state(offset + s.YMM_HIGH, m.function.const(vector(I64, 2), 0))
        if everything:
            m.put_state(offset, m.function.const(vector(I64, 2), 0))
