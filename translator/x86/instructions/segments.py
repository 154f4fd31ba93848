"""Segment registers, far transfers, and what else only programs outside 64-bit mode do with segments (SDM volume 1,
5.1.14, 6.4.2). What a selector means depends on the mode: `metaphrase.translator.x86.selectors`.
"""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I16, integer
from metaphrase.translator.x86.addresses import Address
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.instructions.stack import put_flags
from metaphrase.translator.x86.selectors import (
    code_segment,
    far_target,
    load_segment,
    put_code_segment,
    segment_number,
    selector_in,
)
from metaphrase.translator.x86.state import CS, DS, ES, FS, GS, SS
from metaphrase.translator.x86.table import LEGACY, insn

_NESTED_TASK = 0x4000


@insn("8E /r", "Sw, Ew", name="mov", modes=LEGACY)
def mov_to_segment(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """MOV to a segment register: #UD for CS and those that do not exist. SDM volume 2B, MOV."""
    number = segment_number(m, target)
    m.trap_if(number.eq(CS) | m.const(GS, 64).ult(number), "invalid_opcode")
    if number.is_const and int(number.imm) in (CS, GS + 1, GS + 2):
        return
    load_segment(m, number, m.get(source))


def _pop_segment(m: X86Emitter, number: int) -> None:
    """POP into a segment register. SDM volume 2B, POP."""
    load_segment(m, m.const(number, 64), m.peek(16))
    m.drop(m.size // 8)


for _pattern, _number, _name in (("07", ES, "es"), ("17", SS, "ss"), ("1F", DS, "ds"), ("0F A1", FS, "fs"),
                                 ("0F A9", GS, "gs")):  # fmt: skip
    insn(_pattern, size="v", name="pop", asm=f"pop {_name}", static=(_number,), modes=LEGACY)(_pop_segment)


def _load_pointer(m: X86Emitter, number: int, target: Register, address: Address) -> None:
    """LDS, LES, LFS, LGS, LSS: load a far pointer. SDM volume 2A, LDS/LES/LFS/LGS/LSS."""
    offset, selector = _far_pointer(m, address)
    load_segment(m, m.const(number, 64), selector)
    m.put(target, offset)


for _pattern, _number, _name in (("C4", ES, "les"), ("C5", DS, "lds"), ("0F B2", SS, "lss"), ("0F B4", FS, "lfs"),
                                 ("0F B5", GS, "lgs")):  # fmt: skip
    insn(f"{_pattern} /r mem", "Gv, Mp", name=_name, static=(_number,), modes=LEGACY)(_load_pointer)


@insn("63 /r", "Ew, Gw", modes=LEGACY, real=False)
def arpl(m: X86Emitter, target: Register | Memory, source: Register) -> None:
    """ARPL: raise the privilege level of a selector to that of another; ZF tells if it was raised. SDM volume 2A."""
    selector, least = m.get(target), m.get(source) & 3
    raised = (selector & 3).ult(least)
    if isinstance(target, Memory):
        with m.if_(raised):
            m.put(target, selector & ~3 | least)
    else:
        m.put(target, raised.select(selector & ~3 | least, selector))
    m.put_flags(Flags(zf=raised))


# --- far transfers ----------------------------------------------------------------------------------------------------
def _far_pointer(m: X86Emitter, address: Address) -> tuple[Value, Value]:
    """Offset and selector of a far pointer in memory."""
    return m.load(address, integer(m.size)), m.load(address + m.size // 8, I16)


def _transfer(m: X86Emitter, calls: bool, offset: Value, selector: Value) -> None:
    segment = code_segment(m, selector)
    target = far_target(m, segment, offset)
    if calls:
        step = m.size // 8
        top = m.get_slot("rsp")
        m.store(m.on_stack(top - step), selector_in(m, m.const(CS, 64)).zext(m.size))
        m.store(m.on_stack(top - 2 * step), m.instruction_pointer(m.next_pc).trunc(m.size))
        m.stack_pointer = top - 2 * step
    put_code_segment(m, segment)
    m.goto(target)


@insn("EA ip", "Ip", name="jmpf", asm="ljmp", static=(False,), ends_block=True, modes=LEGACY)
@insn("9A ip", "Ip", name="callf", asm="lcall", static=(True,), ends_block=True, modes=LEGACY)
def far_direct(m: X86Emitter, calls: bool, pointer: Value) -> None:
    """JMP, CALL: far, to a pointer in the instruction. SDM volume 2A, CALL; JMP."""
    _transfer(m, calls, pointer & 0xFFFF_FFFF, pointer.lshr(32).trunc(16))


@insn("FF /5 mem", "Mp", name="jmpf", asm="ljmp", static=(False,), ends_block=True, modes=LEGACY)
@insn("FF /3 mem", "Mp", name="callf", asm="lcall", static=(True,), ends_block=True, modes=LEGACY)
def far_indirect(m: X86Emitter, calls: bool, address: Address) -> None:
    """JMP, CALL: far, to a pointer in memory. SDM volume 2A, CALL; JMP."""
    _transfer(m, calls, *_far_pointer(m, address))


def _far_return(m: X86Emitter, words: int) -> Value:
    """Load CS, and drop the return address and `words - 2` more; gives the linear address."""
    step = m.size // 8
    offset, selector = m.peek(m.size), m.peek(16, step)
    segment = code_segment(m, selector, returns=True)
    target = far_target(m, segment, offset)
    put_code_segment(m, segment)
    m.drop(words * step)
    return target


@insn("CB", size="v", ends_block=True, modes=LEGACY)
def retf(m: X86Emitter) -> None:
    """RET: far. SDM volume 2B, RET."""
    m.goto(_far_return(m, 2), "return")


@insn("CA iw", "Iw", size="v", name="retf", ends_block=True, modes=LEGACY)
def retf_and_drop(m: X86Emitter, amount: Value) -> None:
    """RET imm16: far, and drop so many bytes of arguments. SDM volume 2B, RET."""
    address = _far_return(m, 2)
    m.drop(amount.zext(64))
    m.goto(address, "return")


@insn("CF", size="v", asm="iret/iretd/iretq", ends_block=True, modes=LEGACY)
def iret(m: X86Emitter) -> None:
    """IRET: return to the same privilege level, with flags; #GP for a return to another task. SDM volume 2A, IRET."""
    if m.mode.protected:
        m.trap_if((m.get_slot("eflags_rest") & _NESTED_TASK).ne(0), "general_protection")
    flags = m.peek(m.size, 2 * (m.size // 8))
    address = _far_return(m, 3)
    put_flags(m, flags.zext(64).trunc(32))
    m.goto(address, "return")
