"""The stack: PUSH, POP, PUSHF, POPF, ENTER, LEAVE (SDM volume 1, chapter 6 and 5.1.1)."""

from __future__ import annotations

from typing import Any, Final

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I64, integer
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.addresses import BASE
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.selectors import may_do_input, privilege_level, selector_in
from metaphrase.translator.x86.table import LEGACY, insn

RSP: Final = 4
RBP: Final = 5
USER_FLAGS: Final = 0x244000
"""The bits of `eflags_rest` that POPF changes in user mode: NT, AC, ID. TF, single stepping, is not offered."""
INTERRUPT_FLAG: Final = 0x200
"""IF, which changes where the privilege level is that of input and output."""
IO_LEVEL: Final = 0x3000
"""IOPL, which only the highest privilege level changes."""


@insn("50+r | FF /6 | 68 iz | 6A ib", "Zv | Ev | Iz | Iz", size="d64")
def push(m: X86Emitter, source: Any) -> None:
    """PUSH: store on the stack. SDM volume 2B, PUSH."""
    m.push(m.get(source))


@insn("06", size="v", name="push", asm="push es", static=(s.ES,), modes=LEGACY)
@insn("0E", size="v", name="push", asm="push cs", static=(s.CS,), modes=LEGACY)
@insn("16", size="v", name="push", asm="push ss", static=(s.SS,), modes=LEGACY)
@insn("1E", size="v", name="push", asm="push ds", static=(s.DS,), modes=LEGACY)
@insn("0F A0", size="d64", name="push", asm="push fs", static=(s.FS,))
@insn("0F A8", size="d64", name="push", asm="push gs", static=(s.GS,))
def push_segment(m: X86Emitter, number: int) -> None:
    """PUSH of a segment register; in 64-bit mode those of FS and GS are null. SDM volume 2B, PUSH."""
    m.push(m.const(0, m.size) if m.mode.is_long else selector_in(m, m.const(number, 64)).zext(m.size))


@insn("58+r", "Zv", size="d64")
def pop(m: X86Emitter, target: Register) -> None:
    """POP into a register; RSP is incremented before it is written. SDM volume 2B, POP."""
    value = m.peek(m.size)
    m.drop(m.size // 8)
    m.put(target, value)


@insn("8F /0", "Ev", size="d64", name="pop")
def pop_operand(m: X86Emitter, target: Register | Memory) -> None:
    """POP; an address that is based on RSP is computed with RSP incremented. SDM volume 2B, POP."""
    value = m.peek(m.size)
    amount = m.size // 8
    if isinstance(target, Register):
        m.drop(amount)
        m.put(target, value)
        return
    base = m.binding.register(BASE)
    if isinstance(base, Value):
        bias: Value | int = base.eq(s.GPR[RSP]).select(m.const(amount, 64), 0)
    else:
        bias = amount if base == s.GPR[RSP] else 0
    m.store(m.effective_address(bias), value)
    m.drop(amount)


@insn("60", size="v", asm="pusha/pushad", modes=LEGACY)
def pusha(m: X86Emitter) -> None:
    """PUSHA, PUSHAD: push all general registers, rSP as it was before. SDM volume 2B, PUSHA/PUSHAD."""
    step = m.size // 8
    old = m.get(m.gpr(RSP))
    for number in range(8):
        m.store(m.on_stack(old - (number + 1) * step), m.get(m.gpr(number, m.size)))
    m.stack_pointer = old - 8 * step


@insn("61", size="v", asm="popa/popad", modes=LEGACY)
def popa(m: X86Emitter) -> None:
    """POPA, POPAD: pop all general registers but rSP. SDM volume 2B, POPA/POPAD."""
    step = m.size // 8
    values = [m.peek(m.size, (7 - number) * step) for number in range(8)]
    m.drop(8 * step)
    for number, value in enumerate(values):
        if number != RSP:
            m.put(m.gpr(number, m.size), value)


@insn("9C", size="d64", asm="pushf/pushfd/pushfq")
def pushf(m: X86Emitter) -> None:
    """PUSHF, PUSHFD, PUSHFQ: push the flags; RF and VM are pushed as zero. SDM volume 2B, PUSHF/PUSHFD/PUSHFQ."""
    m.push((m.rflags() & ~0x30000).zext(64).trunc(m.size))


@insn("9D", size="d64", ends_block=True, asm="popf/popfd/popfq")
def popf(m: X86Emitter) -> None:
    """POPF, POPFD, POPFQ: pop the flags, of which user mode changes some. SDM volume 2B, POPF/POPFD/POPFQ."""
    value = m.peek(m.size).zext(64).trunc(32)
    m.drop(m.size // 8)
    put_flags(m, value)


def put_flags(m: X86Emitter, value: Value) -> None:
    """Set what the privilege level may change of the flags to an i32, of which the operand size counts."""
    changed = m.const(USER_FLAGS & ((1 << m.size) - 1), 32)
    if not m.mode.flat:
        changed = changed | may_do_input(m).select(m.const(INTERRUPT_FLAG, 32), 0)
        changed = changed | privilege_level(m).eq(0).select(m.const(IO_LEVEL, 32), 0)
    m.put_rflags(value)
    m.put_slot("eflags_rest", (m.get_slot("eflags_rest") & ~changed) | (value & changed))


@insn("C8 iw ib", "Iw", size="d64")
def enter(m: X86Emitter, allocated: Value) -> None:
    """ENTER: make a stack frame, nested or not. SDM volume 2A, ENTER."""
    width = m.size
    step = width // 8
    level = m.binding.immediate().lshr(16) & 31
    old_frame = m.get(m.gpr(RBP))
    stack, frame, left = m.local(I64), m.local(I64), m.local(I64)
    old_stack = m.get(m.gpr(RSP))
    top = m.stack_offset(old_stack - step)
    new_frame = (top | (old_stack & ~0xFFFF) if m.mode.stack == 16 else top).trunc(width)
    m.store(m.on_stack(top), old_frame.trunc(width))
    stack.set(top)
    with m.if_(level.ne(0)):
        left.set(level - 1)
        frame.set(old_frame)
        with m.while_(lambda: left.get().ne(0)):
            frame.set(m.stack_offset(frame.get() - step))
            stack.set(m.stack_offset(stack.get() - step))
            m.store(m.on_stack(stack.get()), m.load(m.on_stack(frame.get()), integer(width)))
            left.set(left.get() - 1)
        stack.set(m.stack_offset(stack.get() - step))
        m.store(m.on_stack(stack.get()), new_frame)
    end = m.stack_offset(stack.get() - allocated.zext(64))
    m.atomic("or", m.on_stack(end), m.const(0, width))  # the new top of the stack must be writable
    m.put(m.gpr(RBP, width), new_frame)
    m.stack_pointer = end


@insn("C9", size="d64")
def leave(m: X86Emitter) -> None:
    """LEAVE: drop the stack frame. SDM volume 2A, LEAVE."""
    frame = m.get(m.gpr(RBP))
    value = m.load(m.on_stack(frame), integer(m.size))
    m.stack_pointer = frame + m.size // 8
    m.put(m.gpr(RBP, m.size), value)
