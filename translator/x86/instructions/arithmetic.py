"""Binary arithmetic and logic: ADD to CMP, TEST, INC, DEC, NOT, NEG (SDM volume 1, 5.1.2 and 5.1.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metaphrase.ir.graph import Value
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.state import DEFER_DEC, DEFER_INC
from metaphrase.translator.x86.table import LEGACY, SIZES, insn

Meaning = Callable[[X86Emitter, Value, Value], tuple[Value | None, Flags]]


def alu(number: int, *, rmw: str = "", undefined: str = "") -> Callable[[Meaning], Meaning]:
    """One of the eight operations of the encoding grid 00 to 3D, 80 /n to 83 /n (SDM volume 2, appendix A.3)."""
    at = 8 * number
    patterns = [
        (f"{at:02X} /r", "Eb, Gb"), (f"{at + 1:02X} /r", "Ev, Gv"),
        (f"{at + 2:02X} /r", "Gb, Eb"), (f"{at + 3:02X} /r", "Gv, Ev"),
        (f"{at + 4:02X} ib", "AL, Ib"), (f"{at + 5:02X} iz", "rAX, Iz"),
        (f"80 /{number} ib", "Eb, Ib"), (f"82 /{number} ib", "Eb, Ib"),
        (f"81 /{number} iz", "Ev, Iz"), (f"83 /{number} ib", "Ev, Iz"),
    ]  # fmt: skip

    def describe(meaning: Meaning) -> Meaning:
        def semantics(m: X86Emitter, target: Register | Memory, source: Any) -> None:
            b = m.get(source)
            if meaning is cmp:
                _, flags = meaning(m, m.get(target), b)
            elif m.lock and isinstance(target, Memory):
                old = m.update(target, lambda a: _value(meaning, m, a, b), rmw, b)
                _, flags = meaning(m, old, b)
            else:
                result, flags = meaning(m, m.get(target), b)
                assert result is not None
                m.put(target, result)
            m.put_flags(flags)

        semantics.__doc__ = meaning.__doc__
        name = meaning.__name__.rstrip("_")
        for pattern, operands in patterns:
            lockable = operands[0] == "E" and name != "cmp"
            modes = LEGACY if pattern.startswith("82") else SIZES
            insn(pattern, operands, name=name, lock=lockable, undefined=undefined, modes=modes)(semantics)
        return meaning

    return describe


def _value(meaning: Meaning, m: X86Emitter, a: Value, b: Value) -> Value:
    result, _ = meaning(m, a, b)
    assert result is not None
    return result


def cmp(m: X86Emitter, a: Value, b: Value) -> tuple[Value | None, Flags]:
    """CMP: compare two operands. SDM volume 2A, CMP."""
    return None, m.sub_flags(a, b)


@alu(0, rmw="add")
def add(m: X86Emitter, a: Value, b: Value) -> tuple[Value | None, Flags]:
    """ADD: integer addition. SDM volume 2A, ADD."""
    return a + b, m.add_flags(a, b)


@alu(1, rmw="or", undefined="af")
def or_(m: X86Emitter, a: Value, b: Value) -> tuple[Value | None, Flags]:
    """OR: bitwise inclusive or. SDM volume 2B, OR."""
    return a | b, m.logic_flags(a | b)


@alu(2)
def adc(m: X86Emitter, a: Value, b: Value) -> tuple[Value | None, Flags]:
    """ADC: addition with carry. SDM volume 2A, ADC."""
    return a + b + m.cf.zext(a.width), m.add_flags(a, b, m.cf)


@alu(3)
def sbb(m: X86Emitter, a: Value, b: Value) -> tuple[Value | None, Flags]:
    """SBB: subtraction with borrow. SDM volume 2B, SBB."""
    return a - b - m.cf.zext(a.width), m.sub_flags(a, b, m.cf)


@alu(4, rmw="and", undefined="af")
def and_(m: X86Emitter, a: Value, b: Value) -> tuple[Value | None, Flags]:
    """AND: bitwise and. SDM volume 2A, AND."""
    return a & b, m.logic_flags(a & b)


@alu(5, rmw="sub")
def sub(m: X86Emitter, a: Value, b: Value) -> tuple[Value | None, Flags]:
    """SUB: integer subtraction. SDM volume 2B, SUB."""
    return a - b, m.sub_flags(a, b)


@alu(6, rmw="xor", undefined="af")
def xor(m: X86Emitter, a: Value, b: Value) -> tuple[Value | None, Flags]:
    """XOR: bitwise exclusive or. SDM volume 2D, XOR."""
    return a ^ b, m.logic_flags(a ^ b)


alu(7)(cmp)


@insn("84 /r | 85 /r | A8 ib | A9 iz | F6 /0 ib | F7 /0 iz | F6 /1 ib | F7 /1 iz",
      "Eb, Gb | Ev, Gv | AL, Ib | rAX, Iz | Eb, Ib | Ev, Iz | Eb, Ib | Ev, Iz", undefined="af")  # fmt: skip
def test(m: X86Emitter, target: Register | Memory, source: Any) -> None:
    """TEST: logical compare. SDM volume 2D, TEST."""
    m.put_flags(m.logic_flags(m.get(target) & m.get(source)))


@insn("40+r", "Zv", modes=LEGACY)
@insn("FE /0 | FF /0", "Eb | Ev", lock=True)
def inc(m: X86Emitter, target: Register | Memory) -> None:
    """INC: add 1, without CF. SDM volume 2A, INC."""
    one = m.const(1, target.width)
    old = m.update(target, lambda a: a + 1, "add", one)
    m.put_flags(m.keep_carry(m.add_flags(old, one), DEFER_INC, old))


@insn("48+r", "Zv", modes=LEGACY)
@insn("FE /1 | FF /1", "Eb | Ev", lock=True)
def dec(m: X86Emitter, target: Register | Memory) -> None:
    """DEC: subtract 1, without CF. SDM volume 2A, DEC."""
    one = m.const(1, target.width)
    old = m.update(target, lambda a: a - 1, "sub", one)
    m.put_flags(m.keep_carry(m.sub_flags(old, one), DEFER_DEC, old))


@insn("F6 /2 | F7 /2", "Eb | Ev", lock=True, name="not")
def not_(m: X86Emitter, target: Register | Memory) -> None:
    """NOT: one's complement; no flags. SDM volume 2B, NOT."""
    m.update(target, lambda a: ~a, "xor", m.const(-1, target.width))


@insn("F6 /3 | F7 /3", "Eb | Ev", lock=True)
def neg(m: X86Emitter, target: Register | Memory) -> None:
    """NEG: two's complement. SDM volume 2B, NEG."""
    old = m.update(target, lambda a: -a)
    m.put_flags(m.sub_flags(m.const(0, old.width), old))


def _add_through(m: X86Emitter, carry: str, target: Register, source: Register | Memory) -> None:
    """ADCX, ADOX: addition with carry in CF or OF and out to it; no other flag changes. SDM volume 2A, each."""
    a, b = m.get(target), m.get(source)
    flags = m.add_flags(a, b, m.cf if carry == "cf" else m.of)
    m.put(target, a + b + (m.cf if carry == "cf" else m.of).zext(a.width))
    m.put_flags(Flags(cf=flags.cf) if carry == "cf" else Flags(of=flags.cf))


insn("66 0F 38 F6 /r", "Gy, Ey", name="adcx", static=("cf",), extension="adx")(_add_through)
insn("F3 0F 38 F6 /r", "Gy, Ey", name="adox", static=("of",), extension="adx")(_add_through)
