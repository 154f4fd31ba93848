"""Control and state of the x87 unit, MXCSR, FXSAVE and FXRSTOR (SDM volume 1, 5.2.6, 5.3 and 5.5.5; 8.1 and 10.5).

The pointers to the last instruction and operand are stored as zeroes.
"""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I8, I16, I32, VOID, integer
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import WHOLE
from metaphrase.translator.x86.x87 import I80, Stack, full_tags, put_control, put_full_tags, put_status, reset, status


# --- control and status words -----------------------------------------------------------------------------------------
@insn("9B", name="wait", extension="x87")
@insn("D9 (D0)", name="fnop", extension="x87")
def fnop(m: X86Emitter) -> None:
    """FNOP, FWAIT: no unmasked exception is ever pending. SDM volume 2A, FNOP; 2B, WAIT/FWAIT."""


@insn("DB (E3)", extension="x87")
def fninit(m: X86Emitter) -> None:
    """FNINIT: the unit's initial state. SDM volume 2A, FINIT/FNINIT."""
    reset(m)


@insn("DB (E2)", extension="x87")
def fnclex(m: X86Emitter) -> None:
    """FNCLEX: clear the exception flags. SDM volume 2A, FCLEX/FNCLEX."""
    m.effect("take_f80_flags", I16)
    m.put_slot("fsw", m.get_slot("fsw") & 0x7F00)


@insn("D9 /5 mem", "Ew", extension="x87")
def fldcw(m: X86Emitter, source: Memory) -> None:
    """FLDCW: load the control word. SDM volume 2A, FLDCW."""
    put_control(m, m.get(source))


@insn("D9 /7 mem", "Ew", extension="x87")
def fnstcw(m: X86Emitter, target: Memory) -> None:
    """FNSTCW: store the control word. SDM volume 2A, FSTCW/FNSTCW."""
    m.put(target, m.get_slot("fcw"))


@insn("DD /7 mem", "Ew", extension="x87")
def fnstsw(m: X86Emitter, target: Memory) -> None:
    """FNSTSW: store the status word. SDM volume 2A, FSTSW/FNSTSW."""
    m.put(target, status(m))


@insn("DF (E0)", "AX", name="fnstsw", extension="x87")
def fnstsw_ax(m: X86Emitter, target: Register) -> None:
    """FNSTSW: the status word to AX. SDM volume 2A, FSTSW/FNSTSW."""
    m.put(target, status(m))


@insn("DD /0 reg", "F", name="ffree", static=(0,), extension="x87")
@insn("DF /0 reg", "F", name="ffreep", static=(1,), extension="x87")
def ffree(m: X86Emitter, pops: int, index: Value) -> None:
    """FFREE: tag ST(i) empty; FFREEP pops as well. SDM volume 2A, FFREE."""
    stack = Stack(m)
    stack.free(index)
    for _ in range(pops):
        stack.pop()
    stack.commit()


@insn("D9 (F7)", name="fincstp", static=(1,), extension="x87")
@insn("D9 (F6)", name="fdecstp", static=(7,), extension="x87")
def turn(m: X86Emitter, by: int) -> None:
    """FINCSTP, FDECSTP: turn the stack; no tag changes. SDM volume 2A, each."""
    stack = Stack(m)
    stack.turn(by)
    stack.commit()


# --- environment and state --------------------------------------------------------------------------------------------
def _word(m: X86Emitter) -> int:
    """Bytes between the words of the environment: 2 in the 16-bit format, else 4 (SDM volume 1, 8.1.10)."""
    return 2 if m.size == 16 else 4


def _check_writable(m: X86Emitter, *addresses: Value) -> None:
    """Fault, before anything is stored, if one of these bytes cannot be written."""
    for address in addresses:
        m.atomic("or", address, m.const(0, 8))


def _check_readable(m: X86Emitter, address: Value, size: int) -> None:
    """Fault, before anything is changed, if the first word or the last of `size` bytes cannot be read."""
    m.load(address, integer(8 * _word(m)))
    m.load(address + (size - 1), I8)


def _store_environment(m: X86Emitter, address: Value, size: int) -> None:
    """Store the environment as the first part of `size` bytes; faults come before anything is stored."""
    m.load(address, integer(8 * _word(m)))
    _check_writable(m, address, address + (size - 1))
    words = (m.get_slot("fcw"), status(m), full_tags(m), *(m.const(0, 16) for _ in range(4)))
    for number, word in enumerate(words):
        if m.size == 16:
            m.store(address + 2 * number, word)
        else:
            m.store(address + 4 * number, word.zext(32) | (0xFFFF0000 if number < 3 or number == 6 else 0))


def _load_environment(m: X86Emitter, address: Value) -> tuple[Value, Value, Value]:
    control, state, tags = (m.load(address + _word(m) * number, I16) for number in range(3))
    return control, state, tags


def _put_environment(m: X86Emitter, words: tuple[Value, Value, Value]) -> None:
    put_control(m, words[0])
    put_status(m, words[1])
    put_full_tags(m, words[2])


@insn("D9 /6 mem", "M", size="v", extension="x87")
def fnstenv(m: X86Emitter, address: Value) -> None:
    """FNSTENV: store the environment, then mask all exceptions. SDM volume 2A, FSTENV/FNSTENV."""
    _store_environment(m, address, 7 * _word(m))
    put_control(m, m.get_slot("fcw") | 0x3F)


@insn("D9 /4 mem", "M", size="v", extension="x87")
def fldenv(m: X86Emitter, address: Value) -> None:
    """FLDENV: load the environment. SDM volume 2A, FLDENV."""
    _check_readable(m, address, 7 * _word(m))
    _put_environment(m, _load_environment(m, address))


@insn("DD /6 mem", "M", size="v", extension="x87")
def fnsave(m: X86Emitter, address: Value) -> None:
    """FNSAVE: store environment and registers, then initialise the unit. SDM volume 2A, FSAVE/FNSAVE."""
    _store_environment(m, address, 7 * _word(m) + 80)
    stack = Stack(m)
    for index in range(8):
        m.store(address + (7 * _word(m) + 10 * index), stack.raw(index))
    reset(m)


@insn("DD /4 mem", "M", size="v", extension="x87")
def frstor(m: X86Emitter, address: Value) -> None:
    """FRSTOR: load environment and registers. SDM volume 2A, FRSTOR."""
    _check_readable(m, address, 7 * _word(m) + 80)
    words = _load_environment(m, address)
    registers = [m.load(address + (7 * _word(m) + 10 * index), I80) for index in range(8)]
    _put_environment(m, words)
    stack = Stack(m)
    for index, bits in enumerate(registers):
        stack.put_raw(index, bits)


# --- MXCSR ------------------------------------------------------------------------------------------------------------
MXCSR_MASK = 0xFFFF
"""Bits of MXCSR that may be set."""
MXCSR_EXCEPTION_MASKS = 0x1F80


def _put_mxcsr(m: X86Emitter, value: Value) -> None:
    """Set MXCSR, which ends the instruction; guest code is entered anew where other exceptions are masked by it."""
    before = m.effect("get_fenv", I32)
    m.effect("set_fenv", VOID, value)
    with m.if_(((before ^ value) & MXCSR_EXCEPTION_MASKS).ne(0)):
        m.leave("environment", m.next_pc)


@insn("NP 0F AE /2 mem", "Ed", extension="sse")
def ldmxcsr(m: X86Emitter, source: Memory) -> None:
    """LDMXCSR: load MXCSR; #GP for reserved bits. SDM volume 2A, LDMXCSR."""
    value = m.get(source)
    m.trap_if((value & ~MXCSR_MASK).ne(0), "general_protection")
    _put_mxcsr(m, value)


@insn("NP 0F AE /3 mem", "Ed", extension="sse")
def stmxcsr(m: X86Emitter, target: Memory) -> None:
    """STMXCSR: store MXCSR. SDM volume 2B, STMXCSR."""
    m.put(target, m.effect("get_fenv", I32))


# --- FXSAVE -----------------------------------------------------------------------------------------------------------
_REGISTERS, _VECTORS = 32, 160
"""Where the image holds ST(0) to ST(7) and XMM0 to XMM15, 16 bytes each (SDM volume 1, 10.5.1)."""


def _check_alignment(m: X86Emitter, address: Value) -> None:
    m.trap_if((address & 15).ne(0), "general_protection")


@insn("NP 0F AE /0 mem", "M", extension="fxsr")
def fxsave(m: X86Emitter, address: Value) -> None:
    """FXSAVE: store x87, MXCSR and XMM registers in 512 bytes, aligned. SDM volume 2A, FXSAVE."""
    _check_alignment(m, address)
    _check_writable(m, address + 511)
    stack = Stack(m)
    m.store(address, m.get_slot("fcw"))
    m.store(address + 2, status(m))
    m.store(address + 4, m.get_slot("ftw") & 0xFF)
    m.store(address + 6, m.const(0, 16))
    m.store(address + 8, m.const(0, 64))
    m.store(address + 16, m.const(0, 64))
    m.store(address + 24, m.effect("get_fenv", I32))
    m.store(address + 28, m.const(MXCSR_MASK, 32))
    for index in range(8):
        bits = stack.raw(index)
        m.store(address + (_REGISTERS + 16 * index), bits.trunc(64))
        m.store(address + (_REGISTERS + 16 * index + 8), bits.lshr(64).zext(128).trunc(64))
    for number, offset in enumerate(s.XMM):
        m.store(address + (_VECTORS + 16 * number), m.get_state(offset, WHOLE))


@insn("NP 0F AE /1 mem", "M", extension="fxsr")
def fxrstor(m: X86Emitter, address: Value) -> None:
    """FXRSTOR: load what FXSAVE stored. SDM volume 2A, FXRSTOR."""
    _check_alignment(m, address)
    m.load(address + 511, I8)
    control, state = m.load(address, I16), m.load(address + 2, I16)
    tags, environment = m.load(address + 4, I8), m.load(address + 24, I32)
    registers = [m.load(address + (_REGISTERS + 16 * index), I80) for index in range(8)]
    vectors = [m.load(address + (_VECTORS + 16 * number), WHOLE) for number in range(16)]
    m.trap_if((environment & ~MXCSR_MASK).ne(0), "general_protection")
    put_control(m, control)
    put_status(m, state)
    m.put_slot("ftw", tags.zext(16))
    stack = Stack(m)
    for index, bits in enumerate(registers):
        stack.put_raw(index, bits)
    for offset, value in zip(s.XMM, vectors, strict=True):
        m.put_state(offset, value)
    _put_mxcsr(m, environment)
