"""SSE and SSE2 data transfer (SDM volume 1, 5.5.1.1, 5.6.1.1, 5.6.3 and the cacheability control of 5.5.4 and 5.6.4).

Scalars travel as floats, so that the host moves them between memory and vector registers without a detour. What moves
data to and from MMX registers is in mmx.py.
"""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F32, F64, Type, integer
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import DOUBLES, WHOLE, lanes, put_zero_extended, store_chosen
from metaphrase.translator.x86.vex import FLOAT, INTEGER, SCALAR, SHORT, vex_forms, with_scalar


def move(m: X86Emitter, target: Register | Memory, source: Register | Memory) -> None:
    """A move of a whole vector register."""
    m.put(target, m.get(source, lanes(source, 64)))


ALIGNED = "an aligned move of 128 bits; memory that is not aligned to 16 bytes raises #GP"
UNALIGNED = "a move of 128 bits without regard to alignment"

for _name, _prefix, _load, _store, _memory, _volume in (
    ("movaps", "NP", "28", "29", "Wdq", "2B"), ("movapd", "66", "28", "29", "Wdq", "2B"),
    ("movups", "NP", "10", "11", "Wx", "2B"), ("movupd", "66", "10", "11", "Wx", "2B"),
    ("movdqa", "66", "6F", "7F", "Wdq", "2B"), ("movdqu", "F3", "6F", "7F", "Wx", "2B"),
):  # fmt: skip
    insn(
        f"{_prefix} 0F {_load} /r | {_prefix} 0F {_store} /r", f"Vx, {_memory} | {_memory}, Vx", name=_name,
        extension="sse2" if _prefix != "NP" else "sse",
        manual=f"{_name.upper()}: {ALIGNED if _memory == 'Wdq' else UNALIGNED}. SDM volume {_volume}, {_name.upper()}.",
    )(move)  # fmt: skip
    _memory = _memory.replace("dq", "xa")
    vex_forms(_name, FLOAT, _prefix, f"{_load} /r", f"Vx, {_memory}", move)
    vex_forms(_name, FLOAT, _prefix, f"{_store} /r", f"{_memory}, Vx", move)

for _name, _pattern in (("movntps", "NP 0F 2B /r mem"), ("movntpd", "66 0F 2B /r mem"), ("movntdq", "66 0F E7 /r mem")):
    insn(
        _pattern, "Wdq, Vx", name=_name, extension="sse" if _name == "movntps" else "sse2",
        manual=f"{_name.upper()}: store 128 aligned bits; the hint to pass by the caches is not needed. "
        f"SDM volume 2B, {_name.upper()}.",
    )(move)  # fmt: skip
    _prefix, _, _opcode = _pattern.split()[:3]
    vex_forms(_name, FLOAT, _prefix, f"{_opcode} /r mem", "Wxa, Vx", move)


@insn("NP 0F C3 /r mem", "Ey, Gy", extension="sse2")
def movnti(m: X86Emitter, target: Memory, source: Register) -> None:
    """MOVNTI: store a doubleword or quadword with a hint to pass by the caches. SDM volume 2B, MOVNTI."""
    m.put(target, m.get(source))


@insn("F3 0F 10 /r", "Vss, Wss", static=(F32,), name="movss", extension="sse")
@insn("F3 0F 11 /r", "Wss, Vss", static=(F32,), name="movss", extension="sse")
@insn("F2 0F 10 /r", "Vsd, Wsd", static=(F64,), name="movsd", extension="sse2")
@insn("F2 0F 11 /r", "Wsd, Vsd", static=(F64,), name="movsd", extension="sse2")
def move_scalar(m: X86Emitter, type: Type, target: Register | Memory, source: Register | Memory) -> None:
    """MOVSS, MOVSD: move a scalar; a load clears what is above it. SDM volume 2B, MOVSS and MOVSD."""
    value = m.get(source, type)
    if isinstance(target, Memory):
        m.store(target.address, value)
    elif isinstance(source, Memory):
        put_zero_extended(m, target, value)
    else:
        m.put_xmm(target, value)


vex_forms("movss", SCALAR, "F3", "10 /r mem", "Vss, Wss", move_scalar, F32)
vex_forms("movss", SCALAR, "F3", "11 /r mem", "Wss, Vss", move_scalar, F32)
vex_forms("movsd", SCALAR, "F2", "10 /r mem", "Vsd, Wsd", move_scalar, F64)
vex_forms("movsd", SCALAR, "F2", "11 /r mem", "Wsd, Vsd", move_scalar, F64)


def vex_move_scalar(m: X86Emitter, type: Type, target: Register, first: Register, source: Register) -> None:
    m.put(target, with_scalar(m, first, m.get(source, type)))


for _name, _prefix, _type in (("movss", "F3", F32), ("movsd", "F2", F64)):
    vex_forms(_name, SCALAR, _prefix, "10 /r reg", "Vx, Hx, Ux", vex_move_scalar, _type)
    vex_forms(_name, SCALAR, _prefix, "11 /r reg", "Ux, Hx, Vx", vex_move_scalar, _type)


@insn("VEX.128.66.0F.W0 6E /r", "Vx, Ed", name="vmovd", extension="avx")
@insn("VEX.128.66.0F.W1 6E /r", "Vx, Eq", name="vmovq", extension="avx")
@insn("66 W0 0F 6E /r", "Vx, Ed", name="movd", extension="sse2")
@insn("66 REX.W 0F 6E /r", "Vx, Eq", name="movq", extension="sse2")
def movd_load(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """MOVD, MOVQ: a general register or memory to the bottom of an XMM register. SDM volume 2B, MOVD/MOVQ."""
    put_zero_extended(m, target, m.get(source))


@insn("VEX.128.66.0F.W0 7E /r", "Ed, Vx", name="vmovd", extension="avx")
@insn("VEX.128.66.0F.W1 7E /r", "Eq, Vx", name="vmovq", extension="avx")
@insn("66 W0 0F 7E /r", "Ed, Vx", name="movd", extension="sse2")
@insn("66 REX.W 0F 7E /r", "Eq, Vx", name="movq", extension="sse2")
def movd_store(m: X86Emitter, target: Register | Memory, source: Register) -> None:
    """MOVD, MOVQ: the bottom of an XMM register to a general register or memory. SDM volume 2B, MOVD/MOVQ."""
    m.put(target, m.get(source, integer(target.width)))


@insn("VEX.128.F3.0F.WIG 7E /r | VEX.128.66.0F.WIG D6 /r", "Vq, Wq | Wq, Vq", name="vmovq", extension="avx")
@insn("F3 0F 7E /r | 66 0F D6 /r", "Vq, Wq | Wq, Vq", extension="sse2")
def movq(m: X86Emitter, target: Register | Memory, source: Register | Memory) -> None:
    """MOVQ: move the low quadword; a register's high quadword is cleared. SDM volume 2B, MOVQ."""
    value = m.get(source, F64)
    if isinstance(target, Memory):
        m.store(target.address, value)
    else:
        put_zero_extended(m, target, value)


@insn("NP 0F 12 /r mem", "Vx, Wq", name="movlps", static=(0,), extension="sse")
@insn("66 0F 12 /r mem", "Vx, Wq", name="movlpd", static=(0,), extension="sse2")
@insn("NP 0F 16 /r mem", "Vx, Wq", name="movhps", static=(1,), extension="sse")
@insn("66 0F 16 /r mem", "Vx, Wq", name="movhpd", static=(1,), extension="sse2")
def load_half(m: X86Emitter, half: int, target: Register, source: Memory) -> None:
    """MOVLPS, MOVLPD, MOVHPS, MOVHPD: load the low or high quadword. SDM volume 2B, MOVLPS to MOVHPD."""
    value = m.get(source, F64)
    m.put_xmm(target, m.get(target, DOUBLES).insert(half, value))


def vex_load_half(m: X86Emitter, half: int, target: Register, first: Register, source: Memory) -> None:
    value = m.get(source, F64)
    m.put(target, m.get(first, DOUBLES).insert(half, value))


for _name, _prefix, _opcode, _half in (
    ("movlps", "NP", "12", 0), ("movlpd", "66", "12", 0), ("movhps", "NP", "16", 1), ("movhpd", "66", "16", 1),
):  # fmt: skip
    vex_forms(_name, SHORT, _prefix, f"{_opcode} /r mem", "Vx, Hx, Wq", vex_load_half, _half)


@insn("NP 0F 13 /r mem", "Wq, Vx", name="movlps", static=(0,), extension="sse")
@insn("66 0F 13 /r mem", "Wq, Vx", name="movlpd", static=(0,), extension="sse2")
@insn("NP 0F 17 /r mem", "Wq, Vx", name="movhps", static=(1,), extension="sse")
@insn("66 0F 17 /r mem", "Wq, Vx", name="movhpd", static=(1,), extension="sse2")
def store_half(m: X86Emitter, half: int, target: Memory, source: Register) -> None:
    """MOVLPS, MOVLPD, MOVHPS, MOVHPD: store the low or high quadword. SDM volume 2B, MOVLPS to MOVHPD."""
    m.store(target.address, m.get(source, DOUBLES).extract(half))


for _name, _prefix, _opcode, _half in (
    ("movlps", "NP", "13", 0), ("movlpd", "66", "13", 0), ("movhps", "NP", "17", 1), ("movhpd", "66", "17", 1),
):  # fmt: skip
    vex_forms(_name, SHORT, _prefix, f"{_opcode} /r mem", "Wq, Vx", store_half, _half)


@insn("NP 0F 12 /r reg", "Vx, Ux", name="movhlps", static=(0, 1), extension="sse")
@insn("NP 0F 16 /r reg", "Vx, Ux", name="movlhps", static=(1, 0), extension="sse")
def move_half(m: X86Emitter, to: int, half: int, target: Register, source: Register) -> None:
    """MOVHLPS, MOVLHPS: the high quadword to the low one, and the low one to the high one. SDM volume 2B, each."""
    vex_move_half(m, to, half, target, target, source)


def vex_move_half(m: X86Emitter, to: int, half: int, target: Register, first: Register, source: Register) -> None:
    m.put(target, m.get(first, WHOLE).insert(to, m.get(source, WHOLE).extract(half)))


vex_forms("movhlps", SHORT, "NP", "12 /r reg", "Vx, Hx, Ux", vex_move_half, 0, 1)
vex_forms("movlhps", SHORT, "NP", "16 /r reg", "Vx, Hx, Ux", vex_move_half, 1, 0)


def sign_mask(a: Value) -> Value:
    """The signs of a vector's lanes as bits, lane 0 lowest, in 32 bits."""
    mask = a.slt(0).bitcast(integer(a.type.lanes))
    return mask if mask.width == 32 else mask.zext(32)


@insn("NP 0F 50 /r reg", "Gd, Ux", name="movmskps", static=(32,), extension="sse")
@insn("66 0F 50 /r reg", "Gd, Ux", name="movmskpd", static=(64,), extension="sse2")
@insn("66 0F D7 /r reg", "Gd, Ux", name="pmovmskb", static=(8,), extension="sse2")
@insn("NP 0F D7 /r reg", "Gd, Nq", name="pmovmskb", static=(8,), extension="sse")
def move_mask(m: X86Emitter, lane: int, target: Register, source: Register) -> None:
    """MOVMSKPS, MOVMSKPD, PMOVMSKB: the sign bit of each lane to a general register. SDM volume 2B, each."""
    m.put(target, sign_mask(m.get(source, lanes(source, lane))))


vex_forms("movmskps", FLOAT, "NP", "50 /r reg", "Gd, Ux", move_mask, 32)
vex_forms("movmskpd", FLOAT, "66", "50 /r reg", "Gd, Ux", move_mask, 64)
vex_forms("pmovmskb", INTEGER, "66", "D7 /r reg", "Gd, Ux", move_mask, 8)


@insn("VEX.128.66.0F.WIG F7 /r reg", "Vx, Ux", name="vmaskmovdqu", addresses=True, extension="avx")
@insn("66 0F F7 /r reg", "Vx, Ux", name="maskmovdqu", addresses=True, extension="sse2")
@insn("NP 0F F7 /r reg", "Pq, Nq", name="maskmovq", addresses=True, extension="sse")
def masked_move(m: X86Emitter, source: Register, mask: Register) -> None:
    """MASKMOVDQU, MASKMOVQ: store the bytes whose mask byte has its sign set, at DS:RDI. SDM volume 2B, each.

    Bytes that are not stored are not touched and do not fault.
    """
    values, signs = m.get(source, lanes(source, 8)), m.get(mask, lanes(mask, 8)).slt(0)
    store_chosen(m, m.implied_address(m.get_slot("rdi")), values, signs)
