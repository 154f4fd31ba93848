"""SSSE3: horizontal sums, products, signs and shuffles of integers (SDM volume 1, 5.8), and their VEX forms."""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I8, I128, vector
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import LANES, by_halves, bytes_moved, joined, lanes, low_half
from metaphrase.translator.x86.vex import INTEGER, vex_forms

Meaning = Callable[[Value, Value], Value]
Source = Register | Memory


def operation(name: str, opcode: str, lane: int, what: str, meaning: Meaning, extension: str, *, mmx: bool) -> None:
    """`target = meaning(target, source)` at 66 0F 38 `opcode`, with three operands behind VEX, for each 128 bits."""

    def vex(m: X86Emitter, target: Register, first: Register, source: Source) -> None:
        b = m.get(source, lanes(target, lane))
        m.put(target, by_halves(meaning, m.get(first, b.type), b))

    def semantics(m: X86Emitter, target: Register, source: Source) -> None:
        vex(m, target, target, source)

    manual = f"{name.upper()}: {what}. SDM volume 2B, {name.upper()}."
    insn(f"66 0F 38 {opcode} /r", "Vx, Wdq", name=name, extension=extension, manual=manual)(semantics)
    if mmx:
        insn(f"NP 0F 38 {opcode} /r", "Pq, Qq", name=name, extension=extension, manual=manual)(semantics)
    vex_forms(name, INTEGER, "66", f"{opcode} /r", "Vx, Hx, Wx", vex, map="0F38")


def unary(name: str, opcode: str, lane: int, what: str, meaning: Callable[[Value], Value]) -> None:
    """`target = meaning(source)` at 66 0F 38 `opcode`."""

    def semantics(m: X86Emitter, target: Register, source: Source) -> None:
        m.put(target, meaning(m.get(source, lanes(target, lane))))

    manual = f"{name.upper()}: {what}. SDM volume 2B, {name.upper()}."
    insn(f"66 0F 38 {opcode} /r", "Vx, Wdq", name=name, extension="ssse3", manual=manual)(semantics)
    insn(f"NP 0F 38 {opcode} /r", "Pq, Qq", name=name, extension="ssse3", manual=manual)(semantics)
    vex_forms(name, INTEGER, "66", f"{opcode} /r", "Vx, Wx", semantics, map="0F38")


def neighbours(op: str) -> Meaning:
    """An op of the even and the odd lanes of the first operand, then of those of the second."""

    def meaning(a: Value, b: Value) -> Value:
        even, odd = (a.shuffle(b, range(first, 2 * a.type.lanes, 2)) for first in (0, 1))
        return even.binary(op, odd)

    return meaning


def _shuffled(a: Value, b: Value) -> Value:
    if a.type.lanes == 16:
        return a.binary("byte_shuffle", b)
    return low_half(joined(a, a).binary("byte_shuffle", joined(b & 0x87, b)))


def _products(a: Value, b: Value) -> Value:
    products = a.zext(16) * b.sext(16)
    even, odd = (products.shuffle(products, range(first, products.type.lanes, 2)) for first in (0, 1))
    return even.binary("sadd_sat", odd)


def _signed(a: Value, b: Value) -> Value:
    return b.slt(0).select(-a, b.eq(0).select(a ^ a, a))


def _rounded_product(a: Value, b: Value) -> Value:
    return ((a.sext(32) * b.sext(32)).lshr(14) + 1).lshr(1).trunc(16)


operation("pshufb", "00", 8, "bytes of the target as the source names them, zeroes where it is negative", _shuffled,
          "ssse3", mmx=True)  # fmt: skip
for _name, _add, _sub, _lane in (("w", "01", "05", 16), ("d", "02", "06", 32)):
    operation("phadd" + _name, _add, _lane, "sums of neighbours", neighbours("add"), "ssse3", mmx=True)
    operation("phsub" + _name, _sub, _lane, "differences of neighbours", neighbours("sub"), "ssse3", mmx=True)
operation("phaddsw", "03", 16, "clamped sums of neighbours", neighbours("sadd_sat"), "ssse3", mmx=True)
operation("phsubsw", "07", 16, "clamped differences of neighbours", neighbours("ssub_sat"), "ssse3", mmx=True)
operation("pmaddubsw", "04", 8, "clamped sums of neighbouring products of unsigned and signed bytes", _products,
          "ssse3", mmx=True)  # fmt: skip
operation("pmulhrsw", "0B", 16, "high halves of the products, rounded", _rounded_product, "ssse3", mmx=True)
for _letter, _lane, _sign, _abs in (("b", 8, "08", "1C"), ("w", 16, "09", "1D"), ("d", 32, "0A", "1E")):
    operation("psign" + _letter, _sign, _lane, "the target negated, zeroed or kept by the source's sign", _signed,
              "ssse3", mmx=True)  # fmt: skip
    unary("pabs" + _letter, _abs, _lane, "absolute values", lambda a: a.slt(0).select(-a, a))


# --- PALIGNR ----------------------------------------------------------------------------------------------------------
def _aligned(high: Value, low: Value, count: Value) -> Value:
    """16 bytes from byte `count` on of `low` and then `high`, with zeroes behind."""
    if count.is_const:
        parts = (low, high) if count.imm <= 16 else (high, high.function.const(high.type, 0))
        begin = min(count.imm - (0 if count.imm <= 16 else 16), 16)
        return parts[0].shuffle(parts[1], range(begin, begin + 16))
    moved = bytes_moved(low, count, False), bytes_moved(high, 16 - count, True), bytes_moved(high, count - 16, False)
    return (moved[0] | moved[1] | moved[2]).bitcast(LANES[8])


@insn("66 0F 3A 0F /r ib", "Vx, Wdq, Ib", extension="ssse3")
def palignr(m: X86Emitter, target: Register, source: Source, count: Value) -> None:
    """PALIGNR: target and source side by side, shifted right by bytes. SDM volume 2B, PALIGNR."""
    vex_palignr(m, target, target, source, count)


def vex_palignr(m: X86Emitter, target: Register, first: Register, source: Source, count: Value) -> None:
    low = m.get(source, lanes(target, 8))
    m.put(target, by_halves(lambda a, b: _aligned(a, b, count), m.get(first, low.type), low))


vex_forms("palignr", INTEGER, "66", "0F /r ib", "Vx, Hx, Wx, Ib", vex_palignr, map="0F3A")


@insn("NP 0F 3A 0F /r ib", "Pq, Qq, Ib", name="palignr", extension="ssse3")
def palignr_mmx(m: X86Emitter, target: Register, source: Source, count: Value) -> None:
    """PALIGNR on MMX registers. SDM volume 2B, PALIGNR."""
    low, high = m.get(source), m.get(target)
    both = joined(low.bitcast(vector(I8, 8)), high.bitcast(vector(I8, 8))).bitcast(I128)
    m.put(target, both.lshr(count.zext(128) << 3).trunc(64))
