"""Identification, clocks, fences, hints, segment bases; and what user mode may not execute.

SDM volume 1, 5.1.12 to 5.1.15, 5.20; volume 3, 2.8.
"""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I8, I64, VOID
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.instructions.stack import INTERRUPT_FLAG
from metaphrase.translator.x86.selectors import may_do_input, privilege_level
from metaphrase.translator.x86.table import LONG, insn


@insn("F3 90", name="pause")
@insn("0F 18 /0 mem", "Eb", name="prefetchnta", extension="sse")
@insn("0F 18 /1 mem", "Eb", name="prefetcht0", extension="sse")
@insn("0F 18 /2 mem", "Eb", name="prefetcht1", extension="sse")
@insn("0F 18 /3 mem", "Eb", name="prefetcht2", extension="sse")
@insn("F3 0F 1E (FA)", name="endbr64")
@insn("0F 1F /r | 0F 1E /r | 0F 18 /r | 0F 19 /r | 0F 1A /r | 0F 1B /r | 0F 1C /r | 0F 1D /r", "Ev", name="nop")
@insn("0F 0D /1 mem", "Eb", name="prefetchw", extension="prefetchw")
@insn("0F 0D /r", "Ev", name="nop", extension="prefetchw")
def nop(m: X86Emitter, *operands: Register | Memory) -> None:
    """NOP, hints and prefetches: nothing is accessed. SDM volume 2B, NOP; PREFETCHh; PREFETCHW; PAUSE."""


@insn("NP 0F AE /7 mem", "Eb", extension="clflush")
@insn("66 0F AE /7 mem", "Eb", name="clflushopt", extension="clflushopt")
@insn("66 0F AE /6 mem", "Eb", name="clwb", extension="clwb")
def clflush(m: X86Emitter, line: Memory) -> None:
    """CLFLUSH, CLFLUSHOPT, CLWB: flush or write back a cache line; the byte must be readable. SDM volume 2A, each."""
    m.load(line.address, I8)


@insn("NP 0F AE /5 reg", extension="sse2", name="lfence")
@insn("NP 0F AE /6 reg", extension="sse2", name="mfence")
@insn("NP 0F AE /7 reg", extension="sse", name="sfence")
def fence(m: X86Emitter) -> None:
    """LFENCE, MFENCE, SFENCE. SDM volume 2A, LFENCE; 2B, MFENCE, SFENCE."""
    m.effect("fence", VOID)


@insn("0F A2", ends_block=True)
def cpuid(m: X86Emitter) -> None:
    """CPUID: processor identification; answered by `metaphrase.translator.x86.cpuid`. SDM volume 2A, CPUID."""
    m.leave("cpuid", m.next_pc)


def _put_counter(m: X86Emitter) -> None:
    count = m.effect("cycles", I64)
    m.put(m.gpr(0), count & 0xFFFFFFFF)
    m.put(m.gpr(2), count.lshr(32))


@insn("0F 31", extension="tsc")
def rdtsc(m: X86Emitter) -> None:
    """RDTSC: the time stamp counter, the host's. SDM volume 2B, RDTSC."""
    _put_counter(m)


@insn("0F 01 (F9)", extension="rdtscp")
def rdtscp(m: X86Emitter) -> None:
    """RDTSCP: the time stamp counter and the processor's number, always 0. SDM volume 2B, RDTSCP."""
    _put_counter(m)
    m.put(m.gpr(1), m.const(0, 64))


@insn("NP 0F C7 /6 reg | 66 0F C7 /6 reg", "Rv", extension="rdrand")
@insn("NP 0F C7 /7 reg | 66 0F C7 /7 reg", "Rv", name="rdseed", extension="rdseed")
def rdrand(m: X86Emitter, target: Register) -> None:
    """RDRAND, RDSEED: a random number, which is always at hand (CF set). SDM volume 2B, each."""
    m.put(target, m.effect("random", I64).trunc(target.width))
    no = m.flag(False)
    m.put_flags(Flags(m.flag(True), m.const(1, 8), m.const(0, 8), no, no, no))


@insn("F3 0F C7 /7 reg", "Rq", extension="rdpid")
def rdpid(m: X86Emitter, target: Register) -> None:
    """RDPID: the processor's number, always 0. SDM volume 2B, RDPID."""
    m.put(target, m.const(0, 64))


def _segment_base(m: X86Emitter, slot: str, write: bool, register: Register) -> None:
    """RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE: the base of FS or GS. SDM volume 2B, 2D."""
    if not write:
        m.put(register, m.get_slot(slot).trunc(register.width))
        return
    value = m.get(register).zext(64)
    if register.width == 64:
        m.trap_if((value + (1 << 47)).lshr(48).ne(0), "general_protection")
    m.put_slot(slot, value)


for _number, (_slot, _write) in enumerate((("fs", False), ("gs", False), ("fs", True), ("gs", True))):
    insn(f"F3 0F AE /{_number} reg", "Ry", name=f"{'wr' if _write else 'rd'}{_slot}base", extension="fsgsbase",
         static=(f"{_slot}_base", _write), modes=LONG)(_segment_base)  # fmt: skip


PORTS = {"ins": "6C | 6D", "outs": "6E | 6F", "in": "E4 ib | E5 ib | EC | ED", "out": "E6 ib | E7 ib | EE | EF"}
"""Input and output: for the privilege level that IOPL says, or #GP; there is no I/O permission bitmap."""

PRIVILEGED = {
    "clts": "0F 06", "sysret": "0F 07", "invd": "0F 08", "wbinvd": "0F 09", "wrmsr": "0F 30", "rdmsr": "0F 32",
    "rdpmc": "0F 33", "sysexit": "0F 35", "xsetbv": "NP 0F 01 (D1)",
}  # fmt: skip
"""Instructions that raise #GP(0) outside ring 0 (SDM volume 3, 5.9)."""

PRIVILEGED_OPERANDS = {
    "sldt": "0F 00 /0", "str": "0F 00 /1", "lldt": "0F 00 /2", "ltr": "0F 00 /3", "sgdt": "0F 01 /0 mem",
    "sidt": "0F 01 /1 mem", "lgdt": "0F 01 /2 mem", "lidt": "0F 01 /3 mem", "smsw": "0F 01 /4", "lmsw": "0F 01 /6",
    "invlpg": "0F 01 /7 mem", "xrstors": "NP 0F C7 /3 mem", "xsaves": "NP 0F C7 /5 mem",
}  # fmt: skip
"""The same with a ModRM operand. SLDT, STR, SGDT, SIDT and SMSW fault under UMIP, which Linux turns on."""
PROTECTED_ONLY = ("sldt", "str", "lldt", "ltr")


def _privileged(m: X86Emitter, *operands: Value | Register | Memory) -> None:
    """What user mode may not execute, #GP(0); at the highest privilege level the machine does it. SDM volume 3, 5.9."""
    if not m.mode.flat:
        with m.if_(privilege_level(m).eq(0)):
            m.trap("privileged")
    m.trap("general_protection")


def _port(m: X86Emitter, *operands: Value | Register | Memory) -> None:
    """Input and output, which are the machine's: #GP(0) unless IOPL allows it. SDM volume 1, 19.5.1."""
    if not m.mode.flat:
        with m.if_(may_do_input(m)):
            m.trap("privileged")
    m.trap("general_protection")


for _name, _pattern in PORTS.items():
    insn(_pattern, name=_name, ends_block=True)(_port)
for _name, _pattern in PRIVILEGED.items():
    insn(_pattern, name=_name, ends_block=True)(_privileged)
insn("0F 01 (F8)", name="swapgs", ends_block=True, modes=LONG)(_privileged)
for _name, _pattern in PRIVILEGED_OPERANDS.items():
    insn(_pattern, "Ew", name=_name, ends_block=True, real=_name not in PROTECTED_ONLY)(_privileged)


@insn("F4", ends_block=True)
def hlt(m: X86Emitter) -> None:
    """HLT: wait for an interrupt; #GP(0) outside the highest privilege level. SDM volume 2A, HLT."""
    if not m.mode.flat:
        with m.if_(privilege_level(m).eq(0)):
            m.leave("halt", m.next_pc)
    m.trap("general_protection")


def _put_interrupt_flag(m: X86Emitter, enabled: bool) -> None:
    """CLI, STI: clear or set IF; #GP(0) unless IOPL allows it. Nothing is told of STI's delay. SDM volume 2, each."""
    if m.mode.flat:
        m.trap("general_protection")
        return
    m.trap_if(~may_do_input(m), "general_protection")
    rest = m.get_slot("eflags_rest")
    m.put_slot("eflags_rest", rest | INTERRUPT_FLAG if enabled else rest & ~INTERRUPT_FLAG)
    m.goto(m.next_pc)  # whoever waits for that may interrupt now


insn("FA", name="cli", ends_block=True, static=(False,))(_put_interrupt_flag)
insn("FB", name="sti", ends_block=True, static=(True,))(_put_interrupt_flag)


def _special_register(m: X86Emitter, existing: int, general: Register, special: Register) -> None:
    """MOV to and from control and debug registers: #UD for one that does not exist, else #GP(0). SDM volume 2B, MOV.

    The processor does not look at the mod field; where it says "memory", the length is not right, but never counts.
    """
    number = special.offset if isinstance(special.offset, Value) else m.const(special.offset, 64)
    m.trap_if((m.const(existing, 64).lshr(number) & 1).eq(0), "invalid_opcode")
    _privileged(m)


for _name, _opcode, _existing in (("cr", 0x20, 0x11D), ("dr", 0x21, 0xFF), ("cr", 0x22, 0x11D), ("dr", 0x23, 0xFF)):
    insn(f"0F {_opcode:02X} /r", "Rq, Sq", name=f"mov_{_name}", ends_block=True, static=(_existing,))(
        _special_register
    )
