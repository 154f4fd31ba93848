"""MXCSR, and storing x87, SSE and AVX state as a whole: FXSAVE and XSAVE (SDM volume 1, 10.5 and chapter 13).

A component of the state is in use when it is not in its initial configuration; MXCSR belongs to no component but goes
with SSE's. The pointers to the last x87 instruction and operand are stored as zeroes.
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F80, I8, I16, I32, I64, VOID
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.addresses import Address
from metaphrase.translator.x86.emitter import Memory, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import WHOLE
from metaphrase.translator.x86.x87 import I80, Stack, put_control, put_status, reset, status

# --- MXCSR ------------------------------------------------------------------------------------------------------------
_MXCSR_MASK: Final = 0xFFFF
"""Bits of MXCSR that may be set."""
_MXCSR_EXCEPTION_MASKS: Final = 0x1F80
_MXCSR_INITIAL: Final = 0x1F80


def _put_mxcsr(m: X86Emitter, value: Value) -> None:
    """Set MXCSR, which ends the instruction; guest code is entered anew where other exceptions are masked by it."""
    before = m.effect("get_fenv", I32)
    m.effect("set_fenv", VOID, value)
    with m.if_(((before ^ value) & _MXCSR_EXCEPTION_MASKS).ne(0)):
        m.leave("environment", m.next_pc)


def _check_mxcsr(m: X86Emitter, value: Value) -> None:
    m.trap_if((value & ~_MXCSR_MASK).ne(0), "general_protection")


@insn("NP 0F AE /2 mem", "Ed", extension="sse")
@insn("VEX.LZ.0F.WIG AE /2 mem", "Ed", name="vldmxcsr", extension="avx")
def ldmxcsr(m: X86Emitter, source: Memory) -> None:
    """LDMXCSR: load MXCSR; #GP for reserved bits. SDM volume 2A, LDMXCSR."""
    value = m.get(source)
    _check_mxcsr(m, value)
    _put_mxcsr(m, value)


@insn("NP 0F AE /3 mem", "Ed", extension="sse")
@insn("VEX.LZ.0F.WIG AE /3 mem", "Ed", name="vstmxcsr", extension="avx")
def stmxcsr(m: X86Emitter, target: Memory) -> None:
    """STMXCSR: store MXCSR. SDM volume 2B, STMXCSR."""
    m.put(target, m.effect("get_fenv", I32))


# --- components -------------------------------------------------------------------------------------------------------
_REGISTERS, _VECTORS = 32, 160
"""Where the legacy image holds ST(0) to ST(7) and XMM0 to XMM15 (outside 64-bit mode, to XMM7), 16 bytes each (SDM
volume 1, 10.5.1)."""


def _check_alignment(m: X86Emitter, address: Address, size: int) -> None:
    """#GP for what is not aligned; an address that is not canonical faults as an access does, maybe as #SS."""
    linear = m.linear(address)
    canonical = (linear + (1 << 47)).lshr(48).eq(0)
    m.trap_if(canonical & (linear & (size - 1)).ne(0), "general_protection")


def _store_x87(m: X86Emitter, address: Address) -> None:
    stack = Stack(m)
    m.store(address, m.get_slot("fcw"))
    m.store(address + 2, status(m))
    m.store(address + 4, m.get_slot("ftw") & 0xFF)
    m.store(address + 6, m.const(0, 16))
    m.store(address + 8, m.const(0, 64))
    m.store(address + 16, m.const(0, 64))
    for index in range(8):
        bits = stack.raw(index)
        m.store(address + (_REGISTERS + 16 * index), bits.trunc(64))
        m.store(address + (_REGISTERS + 16 * index + 8), bits.lshr(64).zext(128).trunc(64))


def _load_x87(m: X86Emitter, address: Address) -> None:
    control, state, tags = m.load(address, I16), m.load(address + 2, I16), m.load(address + 4, I8)
    registers = [m.load(address + (_REGISTERS + 16 * index), I80) for index in range(8)]
    put_control(m, control)
    put_status(m, state)
    m.put_slot("ftw", tags.zext(16))
    stack = Stack(m)
    for index, bits in enumerate(registers):
        stack.put_raw(index, bits)


def _store_mxcsr(m: X86Emitter, address: Address) -> None:
    m.store(address + 24, m.effect("get_fenv", I32))
    m.store(address + 28, m.const(_MXCSR_MASK, 32))


def _store_vectors(m: X86Emitter, address: Address, half: int) -> None:
    for number, offset in enumerate(m.vectors):
        m.store(address + 16 * number, m.get_state(offset + half, WHOLE))


def _load_vectors(m: X86Emitter, address: Address, half: int) -> None:
    for number, offset in enumerate(m.vectors):
        m.put_state(offset + half, m.load(address + 16 * number, WHOLE))


# --- FXSAVE -----------------------------------------------------------------------------------------------------------
@insn("NP 0F AE /0 mem", "M", extension="fxsr")
def fxsave(m: X86Emitter, address: Address) -> None:
    """FXSAVE: store x87, MXCSR and XMM registers in 512 bytes, aligned. SDM volume 2A, FXSAVE."""
    _check_alignment(m, address, 16)
    m.check_writable(address + 511)
    _store_x87(m, address)
    _store_mxcsr(m, address)
    _store_vectors(m, address + _VECTORS, 0)


@insn("NP 0F AE /1 mem", "M", extension="fxsr")
def fxrstor(m: X86Emitter, address: Address) -> None:
    """FXRSTOR: load what FXSAVE stored. SDM volume 2A, FXRSTOR."""
    _check_alignment(m, address, 16)
    m.load(address + 511, I8)
    m.load(address, I8)  # what lies in front of MXCSR faults before that is looked at
    environment = m.load(address + 24, I32)
    _check_mxcsr(m, environment)
    _load_x87(m, address)
    _load_vectors(m, address + _VECTORS, 0)
    _put_mxcsr(m, environment)


# --- XSAVE ------------------------------------------------------------------------------------------------------------
X87, SSE, AVX = s.XCR0_X87, s.XCR0_SSE, s.XCR0_AVX
COMPACTED: Final = 1 << 63
"""In XCOMP_BV: the area holds the components named below, packed; AVX is the only one behind the header."""


def _has(mask: Value, component: int) -> Value:
    return (mask & component).ne(0)


def _requested(m: X86Emitter) -> Value:
    """RFBM: the components that EDX:EAX asks for and XCR0 enables."""
    return m.get(m.gpr(0)) & m.get_slot("xcr0")


def _differs(m: X86Emitter, offsets: list[int]) -> Value:
    """Whether any of these 128-bit slots is not zero."""
    total = m.get_state(offsets[0], WHOLE)
    for offset in offsets[1:]:
        total = total | m.get_state(offset, WHOLE)
    return (total.extract(0) | total.extract(1)).ne(0)


def _in_use(m: X86Emitter) -> Value:
    """XINUSE."""
    x87 = m.get_slot("fcw").ne(s.RESET["fcw"]) | m.get_slot("fsw").ne(0) | m.get_slot("top").ne(0)
    x87 = x87 | m.get_slot("ftw").ne(0)
    for offset in s.X87:
        x87 = x87 | m.get_state(offset, F80).bitcast(I80).ne(0)
    high = [offset + s.YMM_HIGH for offset in m.vectors]
    return x87.zext(64) | _differs(m, m.vectors).zext(64) << 1 | _differs(m, high).zext(64) << 2


@insn("NP 0F C7 /4 mem", "M", name="xsavec", extension="xsavec", static=("compacted",))
@insn("NP 0F AE /6 mem", "M", name="xsaveopt", extension="xsaveopt", static=("optimised",))
@insn("NP 0F AE /4 mem", "M", name="xsave", extension="xsave", static=("",))
def xsave(m: X86Emitter, kind: str, address: Address) -> None:
    """XSAVE, XSAVEOPT, XSAVEC: store components; the last two skip those not in use. SDM volume 2D, each."""
    _check_alignment(m, address, 64)
    wanted, in_use = _requested(m), _in_use(m)
    mxcsr = m.effect("get_fenv", I32)
    if kind == "compacted":
        in_use = in_use | mxcsr.ne(_MXCSR_INITIAL).zext(64) << 1
    stored = wanted & in_use if kind else wanted
    has_mxcsr = _has(stored, SSE) if kind == "compacted" else _has(wanted, SSE | AVX)
    end = _has(wanted, AVX).select(m.const(s.XSAVE_SIZE - 1, 64), s.XSAVE_AVX - 1)
    begin = _has(stored, X87).select(m.const(0, 64), has_mxcsr.select(m.const(24, 64), s.XSAVE_HEADER))
    m.check_writable(address + end, address + begin)
    before = m.load(address + s.XSAVE_HEADER, I64) if kind != "compacted" else m.const(0, 64)
    with m.if_(_has(stored, X87)):
        _store_x87(m, address)
    with m.if_(_has(stored, SSE)):
        _store_vectors(m, address + _VECTORS, 0)
    with m.if_(has_mxcsr):
        _store_mxcsr(m, address)
    with m.if_(_has(stored, AVX)):
        _store_vectors(m, address + s.XSAVE_AVX, s.YMM_HIGH)
    m.store(address + s.XSAVE_HEADER, before & ~wanted | wanted & in_use)
    if kind == "compacted":
        m.store(address + (s.XSAVE_HEADER + 8), wanted | COMPACTED)


@insn("NP 0F AE /5 mem", "M", extension="xsave")
def xrstor(m: X86Emitter, address: Address) -> None:
    """XRSTOR: load components, or set those that the area does not hold to their initial values. SDM volume 2D."""
    _check_alignment(m, address, 64)
    wanted = _requested(m)
    layout, present, reserved = (m.load(address + (s.XSAVE_HEADER + at), I64) for at in (8, 0, 16))
    compacted = layout.slt(0)
    enabled = m.get_slot("xcr0")
    held = compacted.select(layout & ~COMPACTED, enabled)
    wrong = (present & ~held) | (held & ~enabled) | reserved | compacted.select(m.const(0, 64), layout)
    rest = m.local(I64)
    rest.set(wrong)
    with m.if_(compacted):
        for at in range(24, 64, 8):
            rest.set(rest.get() | m.load(address + (s.XSAVE_HEADER + at), I64))
    m.trap_if(rest.get().ne(0), "general_protection")
    m.load(address + _has(wanted & present, X87).select(m.const(0, 64), 24), I8)
    m.load(address + _has(wanted & present, AVX).select(m.const(s.XSAVE_SIZE - 1, 64), s.XSAVE_HEADER), I8)
    standard = wanted & (SSE | AVX)
    from_memory = compacted.select(wanted & present & SSE, standard).ne(0)
    mxcsr = m.local(I32)
    mxcsr.set((compacted & _has(wanted, SSE)).select(m.const(_MXCSR_INITIAL, 32), m.effect("get_fenv", I32)))
    with m.if_(from_memory):
        mxcsr.set(m.load(address + 24, I32))
    _check_mxcsr(m, mxcsr.get())
    with m.if_(_has(wanted, X87)):
        m.if_else(_has(present, X87), lambda: _load_x87(m, address), lambda: _initial_x87(m))
    for component, offset, half in ((SSE, _VECTORS, 0), (AVX, s.XSAVE_AVX, s.YMM_HIGH)):
        with m.if_(_has(wanted, component)):
            held_there = _has(present, component)
            with m.if_(held_there):
                _load_vectors(m, address + offset, half)
            with m.if_(~held_there):
                _clear(m, half)
    _put_mxcsr(m, mxcsr.get())


def _initial_x87(m: X86Emitter) -> None:
    reset(m)
    for offset in s.X87:
        m.put_state(offset, m.function.const(I80, 0).bitcast(F80))


def _clear(m: X86Emitter, half: int) -> None:
    for offset in s.XMM:
        m.put_state(offset + half, m.function.const(WHOLE, 0))


@insn("NP 0F 01 (D0)", extension="xsave")
def xgetbv(m: X86Emitter) -> None:
    """XGETBV: XCR0, or for ECX = 1 the components in use. SDM volume 2D, XGETBV."""
    which = m.get(m.gpr(1, 32))
    m.trap_if(m.get_slot("last_xcr").ult(which), "general_protection")
    enabled = m.get_slot("xcr0")
    m.put(m.gpr(0, 32), which.eq(0).select(enabled, _in_use(m) & enabled).trunc(32))
    m.put(m.gpr(2, 32), m.const(0, 32))
