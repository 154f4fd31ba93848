"""Control and state of the x87 unit (SDM volume 1, 5.2.6 and 8.1).

The pointers to the last instruction and operand are stored as zeroes.
"""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I8, I16, integer
from metaphrase.translator.x86.addresses import Address
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.x87 import I80, Stack, full_tags, put_control, put_full_tags, put_status, reset, status


# --- control and status words -----------------------------------------------------------------------------------------
@insn("9B", name="wait", extension="x87")
@insn("D9 (D0)", name="fnop", extension="x87")
@insn("DB (E0)", name="feni8087_nop", extension="x87")
@insn("DB (E1)", name="fdisi8087_nop", extension="x87")
@insn("DB (E4)", name="fsetpm", extension="x87")
def fnop(m: X86Emitter) -> None:
    """FNOP, FWAIT: no unmasked exception is ever pending; FENI, FDISI, FSETPM of old units. SDM volume 2A, FNOP; 2B,
    WAIT/FWAIT; 3B, 23.18."""


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


def _check_readable(m: X86Emitter, address: Address, size: int) -> None:
    """Fault, before anything is changed, if the first word or the last of `size` bytes cannot be read."""
    m.load(address, integer(8 * _word(m)))
    m.load(address + (size - 1), I8)


def _store_environment(m: X86Emitter, address: Address, size: int) -> None:
    """Store the environment as the first part of `size` bytes; faults come before anything is stored."""
    m.load(address, integer(8 * _word(m)))
    m.check_writable(address, address + (size - 1))
    words = (m.get_slot("fcw"), status(m), full_tags(m), *(m.const(0, 16) for _ in range(4)))
    for number, word in enumerate(words):
        if m.size == 16:
            m.store(address + 2 * number, word)
        else:
            m.store(address + 4 * number, word.zext(32) | (0xFFFF0000 if number < 3 or number == 6 else 0))


def _load_environment(m: X86Emitter, address: Address) -> tuple[Value, Value, Value]:
    control, state, tags = (m.load(address + _word(m) * number, I16) for number in range(3))
    return control, state, tags


def _put_environment(m: X86Emitter, words: tuple[Value, Value, Value]) -> None:
    put_control(m, words[0])
    put_status(m, words[1])
    put_full_tags(m, words[2])


@insn("D9 /6 mem", "M", size="v", extension="x87")
def fnstenv(m: X86Emitter, address: Address) -> None:
    """FNSTENV: store the environment, then mask all exceptions. SDM volume 2A, FSTENV/FNSTENV."""
    _store_environment(m, address, 7 * _word(m))
    put_control(m, m.get_slot("fcw") | 0x3F)


@insn("D9 /4 mem", "M", size="v", extension="x87")
def fldenv(m: X86Emitter, address: Address) -> None:
    """FLDENV: load the environment. SDM volume 2A, FLDENV."""
    _check_readable(m, address, 7 * _word(m))
    _put_environment(m, _load_environment(m, address))


@insn("DD /6 mem", "M", size="v", extension="x87")
def fnsave(m: X86Emitter, address: Address) -> None:
    """FNSAVE: store environment and registers, then initialise the unit. SDM volume 2A, FSAVE/FNSAVE."""
    _store_environment(m, address, 7 * _word(m) + 80)
    stack = Stack(m)
    for index in range(8):
        m.store(address + (7 * _word(m) + 10 * index), stack.raw(index))
    reset(m)


@insn("DD /4 mem", "M", size="v", extension="x87")
def frstor(m: X86Emitter, address: Address) -> None:
    """FRSTOR: load environment and registers. SDM volume 2A, FRSTOR."""
    _check_readable(m, address, 7 * _word(m) + 80)
    words = _load_environment(m, address)
    registers = [m.load(address + (7 * _word(m) + 10 * index), I80) for index in range(8)]
    _put_environment(m, words)
    stack = Stack(m)
    for index, bits in enumerate(registers):
        stack.put_raw(index, bits)
