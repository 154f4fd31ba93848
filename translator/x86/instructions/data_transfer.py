"""Data transfer: MOV and its relatives, CMOVcc, exchanges, conversions of width (SDM volume 1, 5.1.1 and 5.1.9)."""

from __future__ import annotations

from typing import Any

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I8, I128
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.addresses import Address
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.selectors import segment_number, selector_in
from metaphrase.translator.x86.table import CONDITIONS, LONG, insn

Operand = Register | Memory


@insn("88 /r | 89 /r | 8A /r | 8B /r | A0 mo | A1 mo | A2 mo | A3 mo | B0+r ib | B8+r iv | C6 /0 ib | C7 /0 iz",
      "Eb, Gb | Ev, Gv | Gb, Eb | Gv, Ev | AL, Ob | rAX, Ov | Ob, AL | Ov, rAX | Zb, Ib | Zv, Iv | Eb, Ib | Ev, Iz")
def mov(m: X86Emitter, target: Operand, source: Any) -> None:
    """MOV: move. SDM volume 2B, MOV."""
    m.put(target, m.get(source))


@insn("8C /r reg | 8C /r mem", "Rv, Sw | Mw, Sw", name="mov")
def mov_from_segment(m: X86Emitter, target: Register | Address, source: Register) -> None:
    """MOV from a segment register; in 64-bit mode the selectors are those of a Linux process. SDM volume 2B, MOV."""
    number = segment_number(m, source)
    m.trap_if(m.const(5, 64).ult(number), "invalid_opcode")
    selector = selector_in(m, number)
    if isinstance(target, Register):
        m.put(target, selector.zext(target.width))
    else:
        m.store(target, selector)


@insn("0F B6 /r | 0F B7 /r", "Gv, Eb | Gv, Ew")
def movzx(m: X86Emitter, target: Register, source: Operand) -> None:
    """MOVZX: move with zero extension. SDM volume 2B, MOVZX."""
    m.put(target, m.get(source).zext(target.width))


@insn("0F BE /r | 0F BF /r", "Gv, Eb | Gv, Ew")
def movsx(m: X86Emitter, target: Register, source: Operand) -> None:
    """MOVSX: move with sign extension. SDM volume 2B, MOVSX/MOVSXD."""
    m.put(target, m.get(source).sext(target.width))


@insn("63 /r", "Gv, Ed", modes=LONG)
def movsxd(m: X86Emitter, target: Register, source: Operand) -> None:
    """MOVSXD: move with sign extension from 32 bits; at operand size 16 a plain move. SDM volume 2B, MOVSX/MOVSXD."""
    if m.size == 16:
        narrow = Memory(source.address, 16) if isinstance(source, Memory) else Register(source.offset, 16)
        m.put(target, m.get(narrow))
    else:
        m.put(target, m.get(source).sext(target.width))


@insn("8D /r mem", "Gv, M")
def lea(m: X86Emitter, target: Register, address: Value) -> None:
    """LEA: load effective address, without the segment's base. SDM volume 2A, LEA."""
    m.put(target, m.effective_offset().trunc(target.width))


def _cmov(m: X86Emitter, code: int, target: Register, source: Operand) -> None:
    """CMOVcc: conditional move; the source is read, and a 32-bit target zero-extended, in any case. SDM volume 2A."""
    m.put(target, m.condition(code).select(m.get(source), m.get(target)))


for _code, _name in enumerate(CONDITIONS):
    insn(f"0F {0x40 + _code:02X} /r", "Gv, Ev", name=f"cmov{_name}", static=(_code,))(_cmov)


@insn("86 /r | 87 /r", "Eb, Gb | Ev, Gv", lock=True)
def xchg(m: X86Emitter, target: Operand, source: Register) -> None:
    """XCHG: exchange; atomic with memory even without LOCK. SDM volume 2D, XCHG."""
    if isinstance(target, Memory):
        m.put(source, m.atomic("xchg", target.address, m.get(source)))
    else:
        old, new = m.get(target), m.get(source)
        m.put(target, new)
        m.put(source, old)


@insn("90+r", "Zv, rAX", name="xchg")
def xchg_accumulator(m: X86Emitter, target: Register, accumulator: Register) -> None:
    """XCHG with the accumulator; 90 itself is NOP, which does not zero-extend. SDM volume 2B, NOP; 2D, XCHG."""
    if isinstance(target.offset, int):
        if target.offset != s.GPR[0]:
            xchg(m, target, accumulator)
        return
    same = target.offset.eq(s.GPR[0])
    whole = m.get(m.gpr(0))
    xchg(m, target, accumulator)
    m.put(m.gpr(0), same.select(whole, m.get(m.gpr(0))))


@insn("0F C0 /r | 0F C1 /r", "Eb, Gb | Ev, Gv", lock=True)
def xadd(m: X86Emitter, target: Operand, source: Register) -> None:
    """XADD: exchange and add. SDM volume 2D, XADD."""
    by = m.get(source)
    if isinstance(target, Memory):
        old = m.update(target, lambda a: a + by, "add", by)
        m.put(source, old)
    else:
        old = m.get(target)
        m.put(source, old)
        m.put(target, old + by)
    m.put_flags(m.add_flags(old, by))


@insn("0F B0 /r | 0F B1 /r", "Eb, Gb | Ev, Gv", lock=True)
def cmpxchg(m: X86Emitter, target: Operand, source: Register) -> None:
    """CMPXCHG: compare with the accumulator and exchange; memory is written in any case. SDM volume 2A, CMPXCHG."""
    expected, new = m.get(m.gpr(0, target.width)), m.get(source)
    if m.lock and isinstance(target, Memory):
        old = m.compare_exchange(target.address, expected, new)
    else:
        old = m.get(target)
    equal = expected.eq(old)
    if isinstance(target, Memory) and not m.lock:
        m.put(target, equal.select(new, old))
    # A register that is not exchanged is not written, not even its upper half.
    width = 64 if target.width == 32 else target.width
    accumulator = m.gpr(0, width)
    m.put(accumulator, equal.select(m.get(accumulator), old.zext(width)))
    if isinstance(target, Register):
        whole = Register(target.offset, width)
        m.put(whole, equal.select(new.zext(width), m.get(whole)))
    m.put_flags(m.sub_flags(expected, old))


def _cmpxchg_pair(m: X86Emitter, target: Memory, half: int) -> None:
    low, high = m.gpr(0, half), m.gpr(2, half)
    new = _pair(m.get(m.gpr(3, half)), m.get(m.gpr(1, half)))
    expected = _pair(m.get(low), m.get(high))
    if m.lock:
        old = m.compare_exchange(target.address, expected, new)
    else:
        old = m.load(target.address, new.type)
        m.store(target.address, expected.eq(old).select(new, old))
    equal = expected.eq(old)
    for register, value in ((low, old.trunc(half)), (high, old.lshr(half).trunc(half))):
        whole = m.gpr(0 if register is low else 2)
        m.put(whole, equal.select(m.get(whole), value.zext(64)))
    m.put_flags(Flags(zf=equal))


def _pair(low: Value, high: Value) -> Value:
    width = 2 * low.width
    return low.zext(width) | high.zext(width) << low.width


@insn("W0 0F C7 /1 mem", "Eq", lock=True, extension="cx8")
def cmpxchg8b(m: X86Emitter, target: Memory) -> None:
    """CMPXCHG8B: compare EDX:EAX with memory and exchange with ECX:EBX. SDM volume 2A, CMPXCHG8B/CMPXCHG16B."""
    _cmpxchg_pair(m, target, 32)


@insn("REX.W 0F C7 /1 mem", "Edq", lock=True, extension="cx16")
def cmpxchg16b(m: X86Emitter, target: Memory) -> None:
    """CMPXCHG16B: compare RDX:RAX with memory and exchange with RCX:RBX. SDM volume 2A, CMPXCHG8B/CMPXCHG16B."""
    m.check_aligned(Memory(target.address, I128.bits))
    _cmpxchg_pair(m, target, 64)


@insn("0F C8+r", "Zv")
def bswap(m: X86Emitter, target: Register) -> None:
    """BSWAP: byte swap; undefined at operand size 16, where hardware clears the register. SDM volume 2A, BSWAP."""
    m.put(target, m.const(0, 16) if m.size == 16 else m.get(target).unary("bswap"))


@insn("NP 0F 38 F0 /r mem | 66 0F 38 F0 /r mem | NP 0F 38 F1 /r mem | 66 0F 38 F1 /r mem",
      "Gv, Ev | Gv, Ev | Ev, Gv | Ev, Gv", extension="movbe")
def movbe(m: X86Emitter, target: Operand, source: Operand) -> None:
    """MOVBE: move with the bytes swapped. SDM volume 2B, MOVBE."""
    m.put(target, m.get(source).unary("bswap"))


@insn("98", "rAX", asm="cbw/cwde/cdqe")
def cbw(m: X86Emitter, accumulator: Register) -> None:
    """CBW, CWDE, CDQE: sign-extend the lower half of the accumulator into it. SDM volume 2A, CBW/CWDE/CDQE."""
    m.put(accumulator, m.get(m.gpr(0, m.size // 2)).sext(m.size))


@insn("99", "rAX", asm="cwd/cdq/cqo")
def cwd(m: X86Emitter, accumulator: Register) -> None:
    """CWD, CDQ, CQO: fill rDX with the accumulator's sign. SDM volume 2A, CWD/CDQ/CQO."""
    m.put(m.gpr(2, m.size), m.get(accumulator).ashr(m.size - 1))


@insn("D7", addresses=True, name="xlatb")
def xlat(m: X86Emitter) -> None:
    """XLAT: AL becomes the byte at rBX + AL. SDM volume 2D, XLAT/XLATB."""
    offset = m.get(m.gpr(3)) + m.get(m.gpr(0, 8)).zext(64)
    m.put(m.gpr(0, 8), m.load(m.implied_address(offset), I8))
