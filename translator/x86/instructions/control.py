"""Control transfer: jumps, calls, returns, loops, system calls and software interrupts (SDM volume 1, 5.1.7)."""

from __future__ import annotations

from typing import Any

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I16
from metaphrase.translator.x86.addresses import Address
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.selectors import code_segment, far_target, put_code_segment, selector_in
from metaphrase.translator.x86.state import CS
from metaphrase.translator.x86.table import CONDITIONS, LEGACY, LONG, insn

_CLEARED = 0x40300
"""What an interrupt clears of the flags: TF, IF and AC."""


def _jcc(m: X86Emitter, code: int, target: Value) -> None:
    """Jcc: jump if a condition is met. SDM volume 2A, Jcc."""
    taken = m.condition(code)
    m.check_branch(target, taken)
    m.branch_if(taken, target)


for _code, _name in enumerate(CONDITIONS):
    insn(f"{0x70 + _code:02X} cb | 0F {0x80 + _code:02X} cz", "Jb | Jz", name=f"j{_name}", static=(_code,),
         ends_block=True)(_jcc)  # fmt: skip


@insn("EB cb | E9 cz | FF /4", "Jb | Jz | Ev", size="f64", ends_block=True)
def jmp(m: X86Emitter, target: Any) -> None:
    """JMP: jump, near. SDM volume 2A, JMP."""
    if isinstance(target, Value):
        m.check_branch(target)
        m.branch(target)
    else:
        m.goto(m.near_target(m.get(target)))


@insn("E8 cz | FF /2", "Jz | Ev", size="f64", ends_block=True)
def call(m: X86Emitter, target: Any) -> None:
    """CALL: call a procedure, near. SDM volume 2A, CALL."""
    if isinstance(target, Value):
        m.check_branch(target)
        _push_return_address(m)
        m.branch(target, "call")
    else:
        address = m.near_target(m.get(target))
        _push_return_address(m)
        m.goto(address, "call")


def _push_return_address(m: X86Emitter) -> None:
    m.push(m.instruction_pointer(m.next_pc).trunc(m.size))


@insn("C3", size="f64", ends_block=True)
def ret(m: X86Emitter) -> None:
    """RET: return from a procedure, near. SDM volume 2B, RET."""
    address = m.near_target(m.peek(m.size))
    m.drop(m.size // 8)
    m.goto(address, "return")


@insn("C2 iw", "Iw", size="f64", ends_block=True, name="ret")
def ret_and_drop(m: X86Emitter, amount: Value) -> None:
    """RET imm16: return and drop so many bytes of arguments. SDM volume 2B, RET."""
    address = m.near_target(m.peek(m.size))
    m.drop(amount.zext(64) + m.size // 8)
    m.goto(address, "return")


def _loop(m: X86Emitter, condition: str, target: Value) -> None:
    """LOOP, LOOPE, LOOPNE: decrement rCX and jump while it is not zero. SDM volume 2A, LOOP/LOOPcc."""
    counter = m.gpr(1, m.address_size)
    left = m.get(counter) - 1
    taken = left.ne(0)
    if condition:
        taken = taken & (m.zf if condition == "e" else ~m.zf)
    m.check_branch(target, taken)
    m.put(counter, left)
    m.branch_if(taken, target)


for _opcode, _name in ((0xE0, "ne"), (0xE1, "e"), (0xE2, "")):
    insn(f"{_opcode:02X} cb", "Jb", name=f"loop{_name}", static=(_name,), addresses=True, ends_block=True)(_loop)


@insn("E3 cb", "Jb", addresses=True, ends_block=True, asm="j{a}cxz")
def jrcxz(m: X86Emitter, target: Value) -> None:
    """JCXZ, JECXZ, JRCXZ: jump if rCX is zero. SDM volume 2A, Jcc."""
    taken = m.get(m.gpr(1, m.address_size)).eq(0)
    m.check_branch(target, taken)
    m.branch_if(taken, target)


@insn("0F 05", ends_block=True, modes=LONG)
def syscall(m: X86Emitter) -> None:
    """SYSCALL: fast system call; RCX gets the return address and R11 the flags. SDM volume 2B, SYSCALL."""
    flags = m.rflags()
    m.put(m.gpr(1), m.next_pc)
    m.put(m.gpr(11), flags.zext(64))
    m.leave("syscall", m.next_pc)


def _breakpoint(m: X86Emitter, vector: int = 3) -> None:
    """Report a breakpoint one byte before what follows, where its one-byte form stands, whatever form it has."""
    if not m.mode.protected:
        _interrupt(m, m.const(vector, 64))
    else:
        m.leave("breakpoint", m.next_pc - 1)


def _interrupt(m: X86Emitter, vector: Value) -> None:
    """A software interrupt in real-address mode: through the table at address 0 (SDM volume 3, 21.1.4)."""
    pointer = vector << 2
    offset, segment = m.load(pointer, I16), code_segment(m, m.load(pointer + 2, I16))
    target = far_target(m, segment, offset)
    top = m.get_slot("rsp")
    address = m.instruction_pointer(m.next_pc)
    for number, word in enumerate((m.rflags().trunc(16), selector_in(m, m.const(CS, 64)), address.trunc(16)), 1):
        m.store(m.on_stack(top - 2 * number), word)
    m.stack_pointer = top - 6
    m.put_slot("eflags_rest", m.get_slot("eflags_rest") & ~_CLEARED)
    put_code_segment(m, segment)
    m.goto(target)


@insn("CC", ends_block=True)
def int3(m: X86Emitter) -> None:
    """INT3: breakpoint. SDM volume 2A, INT n/INTO/INT3/INT1."""
    _breakpoint(m)


@insn("F1", ends_block=True)
def int1(m: X86Emitter) -> None:
    """INT1: breakpoint of hardware that debugs. SDM volume 2A, INT n/INTO/INT3/INT1."""
    _breakpoint(m, 1)


@insn("CD ib", "Ib", ends_block=True, name="int")
def int_(m: X86Emitter, vector: Value) -> None:
    """INT n: user mode may raise 3, 4 and, in 32-bit programs, 80, which is a system call. SDM volume 2A."""
    if not m.mode.protected:
        _interrupt(m, vector.zext(64))
        return
    if not m.mode.is_long:
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
        if not m.mode.protected:
            _interrupt(m, m.const(4, 64))
        else:
            m.leave("overflow", m.next_pc)
    m.goto(m.next_pc)


@insn("62 /r mem", "Gv, Ma", modes=LEGACY)
def bound(m: X86Emitter, index: Register, address: Address) -> None:
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
