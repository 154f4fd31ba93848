"""Loads of segment registers, in the three ways that there are.

- Real-address mode: a selector is the base, shifted; limits stay what they are (SDM volume 3, 21.1.1).
- Protected mode: a selector names a descriptor. Looking at it takes tables in memory, checks and now and then a write,
  which is no matter for translated code: the instruction leaves for the guest's service "descriptor" with what it
  wants in the slot `described`, is executed again, and finds there what is to be in the segment register, or the
  exception to raise (`state.DESCRIBED`, `descriptors.py`). Nothing else of it happens before.
- A flat mode is that of a program under Linux: its few descriptors are known, and only those of FS and GS have bases.
"""

from __future__ import annotations

from dataclasses import dataclass

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I16, I64
from metaphrase.translator.emitter import Offset
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Register, X86Emitter
from metaphrase.translator.x86.state import CS, FS, GS, SS


def segment_number(m: X86Emitter, operand: Register) -> Value:
    """The number of a segment register (`state.SEGMENT_NAMES`), i64; 6 and 7 are none."""
    number = operand.offset if isinstance(operand.offset, Value) else m.const(operand.offset, 64)
    return number & 7


def selector_in(m: X86Emitter, number: Value) -> Value:
    """The selector that segment register `number` holds, i16."""
    if m.mode.is_long:
        code, stack = m.const(s.USER_CS_64, 16), m.const(s.USER_DS, 16)
        return number.eq(CS).select(code, number.eq(SS).select(stack, 0))
    return m.get_state(_place(number * 2 + s.SELECTORS[0]), I16)


def load_segment(m: X86Emitter, number: Value, selector: Value) -> None:
    """Load a segment register but CS with a selector, or raise the exception of what it may not hold."""
    if m.mode.flat:
        _load_flat(m, number, selector)
    elif m.mode.protected:
        _describe(m, number, selector)
        for name, at in (("base", 0), ("lowest", s.LOWEST), ("readable", s.READABLE), ("writable", s.WRITABLE)):
            _put(m, number, at, m.get_slot(f"described_{name}"))
        _put_selector(m, number, selector)
    else:
        _put(m, number, 0, selector.zext(64) << 4)
        _put_selector(m, number, selector)


def _put_selector(m: X86Emitter, number: Value, selector: Value) -> None:
    m.put_state(_place(number * 2 + s.SELECTORS[0]), selector)


def _put(m: X86Emitter, number: Value, behind: int, value: Value) -> None:
    """Set what lies so many bytes behind a segment's base."""
    m.put_state(_place(number * 8 + (s.SEGMENT_BASES[0] + behind)), value)


def _place(offset: Value) -> Offset:
    """An offset in the state, as a number where it is one: of those the emitter knows what they hold."""
    return int(offset.imm) if offset.is_const else offset


def _describe(m: X86Emitter, number: Value, selector: Value, returns: bool = False) -> None:
    """Go on with what is to be in the segment register in the slots `described_...`, or raise the exception."""
    kind = s.DESCRIBED_VALID | (s.DESCRIBED_RETURN if returns else 0)
    wanted = selector.zext(32) | (number.trunc(32) << 16) | kind
    with m.if_(m.get_slot("described").ne(wanted)):
        m.put_slot("described", wanted)
        m.leave("descriptor", m.pc)
    m.put_slot("described", 0)
    fault = m.get_slot("described_fault")
    with m.if_(fault.ne(0)):
        for index, reason in enumerate(s.FAULTS, 1):
            m.trap_if(fault.eq(index), reason)
        m.trap(s.FAULTS[0])


# --- CS ---------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class CodeSegment:
    """What CS is to hold after a far transfer; nothing in flat mode, where it stays what it is."""

    selector: Value
    base: Value
    limit: Value
    readable: Value


def code_segment(m: X86Emitter, selector: Value, *, returns: bool = False) -> CodeSegment | None:
    """The code segment that a selector names, in this mode and at this privilege level; else an exception."""
    if m.mode.flat:
        named = selector if returns else selector | 3  # a return must also say that it is at user mode's level
        m.trap_if(named.ne(s.USER_CS_32), "general_protection")
        return None
    if m.mode.protected:
        _describe(m, m.const(CS, 64), selector, returns)
        level = m.get_state(s.SELECTORS[CS], I16) & 3
        base, limit, readable = (m.get_slot(f"described_{name}") for name in ("base", "limit", "readable"))
        return CodeSegment(selector & ~3 | level, base, limit, readable)
    limit, readable = m.get_state(s.CODE_LIMIT, I64), m.get_state(s.CS_BASE + s.READABLE, I64)
    return CodeSegment(selector, selector.zext(64) << 4, limit, readable)


def far_target(m: X86Emitter, segment: CodeSegment | None, offset: Value) -> Value:
    """The linear address of an offset in a code segment, where code may be executed: else #GP."""
    offset = offset.zext(64)
    if segment is None:
        return offset
    m.trap_if(segment.limit.slt(offset), "general_protection")
    return (segment.base + offset).trunc(32).zext(64)


def put_code_segment(m: X86Emitter, segment: CodeSegment | None) -> None:
    """Load CS."""
    if segment is None:
        return
    m.put_state(s.SELECTORS[CS], segment.selector)
    m.put_state(s.CS_BASE, segment.base)
    if m.mode.protected:
        m.put_state(s.CODE_LIMIT, segment.limit)
        m.put_state(s.CS_BASE + s.READABLE, segment.readable)
        m.put_state(s.CS_BASE + s.LOWEST, m.const(0, 64))
        m.put_state(s.CS_BASE + s.WRITABLE, m.const(-1, 64))


def privilege_level(m: X86Emitter) -> Value:
    """CPL, i32: 0 in real-address mode, 3 in a program under Linux."""
    if m.mode.flat or not m.mode.protected:
        return m.const(3 if m.mode.flat else 0, 32)
    return m.get_state(s.SELECTORS[CS], I16).zext(32) & 3


def may_do_input(m: X86Emitter) -> Value:
    """Whether the privilege level is that of input and output: CPL is not above IOPL."""
    level = m.get_slot("eflags_rest").lshr(12) & 3
    return ~level.ult(privilege_level(m))


# --- flat mode --------------------------------------------------------------------------------------------------------
def _flat_base(m: X86Emitter, selector: Value, *, null: bool = True) -> Value:
    """The base of the data segment that a selector names, i64; #GP if user mode may not have it in a register.

    Linux lets it have the null selector (if `null`), its own code and data, and what it has described itself.
    """
    index = selector.lshr(3).zext(64)
    found = m.const(0, 64)
    for number, slot in enumerate(s.TLS):
        found = index.eq(s.TLS_FIRST + number).select(m.get_state(slot, I64), found)
    flat = index.eq(s.USER_DS >> 3)
    if null:
        flat = flat | index.eq(s.USER_CS_32 >> 3) | index.eq(s.USER_CS_64 >> 3) | index.eq(s.CPU_NUMBER >> 3)
    found = flat.select(m.const(s.TLS_PRESENT, 64), found)
    valid = (found & s.TLS_PRESENT).ne(0) & (selector & 4).eq(0)
    if null:
        valid = valid | (selector & ~3).eq(0)
    else:  # the stack's privilege level is that of the code
        valid = valid & (selector & 3).eq(3)
    m.trap_if(~valid, "general_protection")
    return found & 0xFFFF_FFFF


def _load_flat(m: X86Emitter, number: Value, selector: Value) -> None:
    """ES, SS and DS remain flat."""
    if number.is_const:
        base = _flat_base(m, selector, null=int(number.imm) != SS)
        m.put_state(s.SELECTORS[int(number.imm)], selector)
        if int(number.imm) >= FS:
            m.put_state(s.SEGMENT_BASES[int(number.imm)], base)
        return
    with m.if_(number.eq(SS)):
        _flat_base(m, selector, null=False)
    base = _flat_base(m, selector)
    m.put_state(number * 2 + s.SELECTORS[0], selector)
    for own, slot in ((FS, s.FS_BASE), (GS, s.GS_BASE)):
        m.put_state(slot, number.eq(own).select(base, m.get_state(slot, I64)))
