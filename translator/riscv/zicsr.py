"""Zicsr, and the registers that user mode has: the floating-point CSRs and the counters.

Manual volume I (20191213), chapters 9 (Zicsr), 10 (counters) and 11.2 (FCSR). An access to any other register is no
instruction. Counting and time are one clock, the IR's `cycles`.
"""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I32, I64
from metaphrase.translator.emitter import Offset
from metaphrase.translator.riscv import state as s
from metaphrase.translator.riscv.emitter import RiscvEmitter, UImm, X
from metaphrase.translator.riscv.floating import environment, set_environment
from metaphrase.translator.riscv.table import Chapter

CHAPTER = Chapter("Zicsr")
insn = CHAPTER.insn

_FRM_MASK = 7


# --- 11.2 Floating-point control and status ---------------------------------------------------------------------------
def _read_fflags(m: RiscvEmitter) -> Value:
    flags = environment(m)
    parts = [(flags.lshr(here) & 1) << there for here, there in s.FLAG_BITS]
    return (parts[0] | parts[1] | parts[2] | parts[3] | parts[4]).zext(64)


def _write_fflags(m: RiscvEmitter, value: Value) -> None:
    bits = value.trunc(32)
    parts = [(bits.lshr(there) & 1) << here for here, there in s.FLAG_BITS]
    flags = parts[0] | parts[1] | parts[2] | parts[3] | parts[4]
    set_environment(m, environment(m) & ~s.FLAGS_FIELD | flags)


def _read_frm(m: RiscvEmitter) -> Value:
    return m.get_state(s.FRM, I32).zext(64)


def _write_frm(m: RiscvEmitter, value: Value) -> None:
    mode = value.trunc(32) & _FRM_MASK
    m.put_state(s.FRM, mode)
    direction = m.const(s.DIRECTIONS, 32).lshr(mode << 1) & 3
    set_environment(m, environment(m) & ~s.ROUNDING_FIELD | direction << s.ROUNDING_SHIFT)


def _read_fcsr(m: RiscvEmitter) -> Value:
    return _read_frm(m) << 5 | _read_fflags(m)


def _write_fcsr(m: RiscvEmitter, value: Value) -> None:
    _write_fflags(m, value)
    _write_frm(m, value.lshr(5))


Reader = Callable[[RiscvEmitter], Value]
Writer = Callable[[RiscvEmitter, Value], None]
Combine = Callable[[Value, Value], Value]


# --- 9.1 CSR instructions ---------------------------------------------------------------------------------------------
def _exchange(m: RiscvEmitter, rd: Offset, operand: Value, read: Reader, write: Writer, combine: Combine) -> None:
    old = read(m)
    write(m, combine(old, operand))
    m.put(rd, old)


def _replaced(old: Value, operand: Value) -> Value:
    return operand


def _set(old: Value, operand: Value) -> Value:
    return old | operand


def _cleared(old: Value, operand: Value) -> Value:
    return old & ~operand


def _register(number: int, name: str, read: Reader, write: Writer) -> None:
    """Describe the six instructions for one register that can be written."""
    for funct, mnemonic, combine in (("01", "csrrw", _replaced), ("10", "csrrs", _set), ("11", "csrrc", _cleared)):
        _describe(number, name, funct, mnemonic, read, write, combine)


def _describe(number: int, name: str, funct: str, mnemonic: str, read: Reader, write: Writer, combine: Combine) -> None:
    def from_register(m: RiscvEmitter, rd: X, rs1: X) -> None:
        _exchange(m, rd, m.get(rs1), read, write, combine)

    def from_immediate(m: RiscvEmitter, rd: X, uimm: UImm) -> None:
        _exchange(m, rd, uimm, read, write, combine)

    from_register.__doc__ = f"{mnemonic.upper()} of {name}, sections 9.1 and 11.2."
    from_immediate.__doc__ = f"{mnemonic.upper()}I of {name}, sections 9.1 and 11.2."
    insn(f"{number:012b} rs1:5 0{funct} rd:5 1110011", asm=f"{mnemonic} {{rd}}, {name}, {{rs1}}")(from_register)
    insn(f"{number:012b} uimm:5 1{funct} rd:5 1110011", asm=f"{mnemonic}i {{rd}}, {name}, {{uimm}}")(from_immediate)


_register(1, "fflags", _read_fflags, _write_fflags)
_register(2, "frm", _read_frm, _write_frm)
_register(3, "fcsr", _read_fcsr, _write_fcsr)


# --- 10.1 Base counters and timers ------------------------------------------------------------------------------------
def _read_counter(m: RiscvEmitter, rd: X) -> None:
    """RDCYCLE, RDTIME and RDINSTRET, section 10.1: CSRRS or CSRRC that writes nothing."""
    m.put(rd, m.effect("cycles", I64))


for _number, _name in ((0xC00, "cycle"), (0xC01, "time"), (0xC02, "instret")):
    for _funct3, _mnemonic, _nothing in (
        ("010", "csrrs", "zero"), ("011", "csrrc", "zero"), ("110", "csrrsi", "0"), ("111", "csrrci", "0"),
    ):  # fmt: skip
        insn(f"{_number:012b} 00000 {_funct3} rd:5 1110011", asm=f"{_mnemonic} {{rd}}, {_name}, {_nothing}")(
            _read_counter
        )
