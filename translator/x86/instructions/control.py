"""Control transfer: jumps, calls, returns, loops, system calls and software interrupts (SDM volume 1, 5.1.7)."""

from __future__ import annotations

from typing import Any

from metaphrase.ir.graph import Value
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import CONDITIONS, LEGACY, LONG, insn


def _jcc(m: X86Emitter, code: int, target: Value) -> None:
    """Jcc: jump if a condition is met. SDM volume 2A, Jcc."""
    m.goto_if(m.condition(code), target)


for _code, _name in enumerate(CONDITIONS):
    insn(f"{0x70 + _code:02X} cb | 0F {0x80 + _code:02X} cz", "Jb | Jz", name=f"j{_name}", static=(_code,),
         ends_block=True)(_jcc)  # fmt: skip


@insn("EB cb | E9 cz | FF /4", "Jb | Jz | Ev", size="f64", ends_block=True)
def jmp(m: X86Emitter, target: Any) -> None:
    """JMP: jump, near. SDM volume 2A, JMP."""
    m.goto(m.get(target).zext(64))


@insn("E8 cz | FF /2", "Jz | Ev", size="f64", ends_block=True)
def call(m: X86Emitter, target: Any) -> None:
    """CALL: call a procedure, near. SDM volume 2A, CALL."""
    address = m.get(target).zext(64)
    m.push(m.next_pc.trunc(m.size))
    m.goto(address, "call")


@insn("C3", size="f64", ends_block=True)
def ret(m: X86Emitter) -> None:
    """RET: return from a procedure, near. SDM volume 2B, RET."""
    address = m.peek(m.size).zext(64)
    m.drop(m.size // 8)
    m.goto(address, "return")


@insn("C2 iw", "Iw", size="f64", ends_block=True, name="ret")
def ret_and_drop(m: X86Emitter, amount: Value) -> None:
    """RET imm16: return and drop so many bytes of arguments. SDM volume 2B, RET."""
    address = m.peek(m.size).zext(64)
    m.drop(amount.zext(64) + m.size // 8)
    m.goto(address, "return")


def _loop(m: X86Emitter, condition: str, target: Value) -> None:
    """LOOP, LOOPE, LOOPNE: decrement rCX and jump while it is not zero. SDM volume 2A, LOOP/LOOPcc."""
    counter = m.gpr(1, m.address_size)
    left = m.get(counter) - 1
    taken = left.ne(0)
    if condition:
        taken = taken & (m.zf if condition == "e" else ~m.zf)
    m.put(counter, left)
    m.goto_if(taken, target)


for _opcode, _name in ((0xE0, "ne"), (0xE1, "e"), (0xE2, "")):
    insn(f"{_opcode:02X} cb", "Jb", name=f"loop{_name}", static=(_name,), addresses=True, ends_block=True)(_loop)


@insn("E3 cb", "Jb", addresses=True, ends_block=True, asm="j{a}cxz")
def jrcxz(m: X86Emitter, target: Value) -> None:
    """JCXZ, JECXZ, JRCXZ: jump if rCX is zero. SDM volume 2A, Jcc."""
    m.goto_if(m.get(m.gpr(1, m.address_size)).eq(0), target)


@insn("0F 05", ends_block=True, modes=LONG)
def syscall(m: X86Emitter) -> None:
    """SYSCALL: fast system call; RCX gets the return address and R11 the flags. SDM volume 2B, SYSCALL."""
    flags = m.rflags()
    m.put(m.gpr(1), m.next_pc)
    m.put(m.gpr(11), flags.zext(64))
    m.leave("syscall", m.next_pc)


def _breakpoint(m: X86Emitter) -> None:
    """Report a breakpoint one byte before what follows, where its one-byte form stands, whatever form it has."""
    m.leave("breakpoint", m.next_pc - 1)


@insn("CC", ends_block=True)
@insn("F1", ends_block=True, name="int1")
def int3(m: X86Emitter) -> None:
    """INT3, INT1: breakpoint. SDM volume 2A, INT n/INTO/INT3/INT1."""
    _breakpoint(m)


@insn("CD ib", "Ib", ends_block=True, name="int")
def int_(m: X86Emitter, vector: Value) -> None:
    """INT n: user mode may raise 3, 4 and, in 32-bit programs, 80, which is a system call. SDM volume 2A."""
    if m.mode != 64:
        with m.if_(vector.eq(0x80)):
            m.leave("syscall", m.next_pc)
    with m.if_(vector.eq(3)):
        _breakpoint(m)
    with m.if_(vector.eq(4)):
        m.leave("overflow", m.next_pc)
    m.trap("general_protection")


@insn("CE", ends_block=True, modes=LEGACY)
def into(m: X86Emitter) -> None:
    """INTO: #OF if OF is set. SDM volume 2A, INT n/INTO/INT3/INT1."""
    with m.if_(m.of):
        m.leave("overflow", m.next_pc)
    m.goto(m.next_pc)


@insn("62 /r mem", "Gv, Ma", modes=LEGACY)
def bound(m: X86Emitter, index: Register, address: Value) -> None:
    """BOUND: #BR if a signed index is not within two limits in memory. SDM volume 2A, BOUND."""
    value = m.get(index)
    lower, upper = (m.load(address + at, value.type) for at in (0, m.size // 8))
    m.trap_if(value.slt(lower) | upper.slt(value), "bound_range")


@insn("0F 0B", ends_block=True, name="ud2")
@insn("0F B9 /r", "Gv, Ev", ends_block=True, name="ud1")
@insn("0F FF /r", "Gv, Ev", ends_block=True, name="ud0")
def ud(m: X86Emitter, *operands: Register | Memory) -> None:
    """UD2, UD1, UD0: undefined on purpose. SDM volume 2D, UD."""
    m.trap("invalid_opcode")
