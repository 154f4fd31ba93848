"""x87 data transfer and constants (SDM volume 1, 5.2.1 and 5.2.5)."""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F32, F64, F80, I16, I64, Type, integer
from metaphrase.translator.x86.addresses import Address
from metaphrase.translator.x86.emitter import Memory, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.x87 import I80, Stack


@insn("D9 /0 mem", "Ed", name="fld", static=(F32,), extension="x87")
@insn("DD /0 mem", "Eq", name="fld", static=(F64,), extension="x87")
def fld_memory(m: X86Emitter, type: Type, source: Memory) -> None:
    """FLD: push a single or double. SDM volume 2A, FLD."""
    stack = Stack(m)
    bits = m.get(source)
    full = stack.make_room()
    stack.push(m.effect("fconvert", F80, full.select(m.const(0, bits.width), bits).bitcast(type)))
    stack.commit()


@insn("DB /5 mem", "M", name="fld", extension="x87")
def fld_extended(m: X86Emitter, address: Address) -> None:
    """FLD: push an 80-bit float as it is. SDM volume 2A, FLD."""
    stack = Stack(m)
    bits = m.load(address, F80).bitcast(I80)  # as a float: integers of 80 bits are loaded in two parts
    stack.make_room()
    stack.push(bits)
    stack.commit()


@insn("D9 /0 reg", "F", name="fld", extension="x87")
def fld_register(m: X86Emitter, index: Value) -> None:
    """FLD: push a copy of ST(i). SDM volume 2A, FLD."""
    stack = Stack(m)
    bits = stack.read_bits(index)
    stack.make_room()
    stack.push(bits)
    stack.commit()


@insn("DF /0 mem | DB /0 mem | DF /5 mem", "Ew | Ed | Eq", extension="x87")
def fild(m: X86Emitter, source: Memory) -> None:
    """FILD: push a signed integer. SDM volume 2A, FILD."""
    stack = Stack(m)
    value = m.effect("sitof", F80, m.get(source))
    stack.make_room()
    stack.push(value)
    stack.commit()


@insn("D9 /2 mem", "Ed", name="fst", static=(F32, False), extension="x87")
@insn("DD /2 mem", "Eq", name="fst", static=(F64, False), extension="x87")
@insn("D9 /3 mem", "Ed", name="fstp", static=(F32, True), extension="x87")
@insn("DD /3 mem", "Eq", name="fstp", static=(F64, True), extension="x87")
def fst_memory(m: X86Emitter, type: Type, pop: bool, target: Memory) -> None:
    """FST, FSTP: store as a single or double. SDM volume 2A, FST/FSTP."""
    stack = Stack(m)
    m.store(target.address, m.effect("fconvert", type, stack.read(0)))
    if pop:
        stack.pop()
    stack.commit()


@insn("DB /7 mem", "M", name="fstp", extension="x87")
def fstp_extended(m: X86Emitter, address: Address) -> None:
    """FSTP: store the 80 bits as they are, and pop. SDM volume 2A, FST/FSTP."""
    stack = Stack(m)
    m.store(address, stack.read(0))
    stack.pop()
    stack.commit()


@insn("DD /2 reg", "F", name="fst", static=(False,), extension="x87")
@insn("DD /3 reg | DF /2 reg | DF /3 reg", "F", name="fstp", static=(True,), extension="x87")
def fst_register(m: X86Emitter, pop: bool, index: Value) -> None:
    """FST, FSTP: copy ST(0) to ST(i). SDM volume 2A, FST/FSTP."""
    stack = Stack(m)
    stack.write(index, stack.read_bits(0))
    if pop:
        stack.pop()
    stack.commit()


@insn("DF /2 mem | DB /2 mem", "Ew | Ed", name="fist", static=("ftosi", False), extension="x87")
@insn("DF /3 mem | DB /3 mem | DF /7 mem", "Ew | Ed | Eq", name="fistp", static=("ftosi", True), extension="x87")
@insn("DF /1 mem | DB /1 mem | DD /1 mem", "Ew | Ed | Eq", name="fisttp", static=("ftosi_trunc", True),
      extension="sse3")  # fmt: skip
def fist(m: X86Emitter, op: str, pop: bool, target: Memory) -> None:
    """FIST, FISTP (rounded by the control word), FISTTP (towards zero): store as an integer. SDM volume 2A, each."""
    stack = Stack(m)
    value = stack.read(0)
    m.put(target, m.effect(op, integer(target.width), value))
    if pop:
        stack.pop()
    stack.commit()


# --- packed decimal: eighteen digits, two a byte, and a sign (SDM volume 1, 4.7) --------------------------------------
DECIMAL_INDEFINITE = 0xFFFF_C000_0000_0000_0000
DECIMAL_LIMIT = 10**18
INVALID = 1
"""IE in the status word."""


@insn("DF /4 mem", "M", extension="x87")
def fbld(m: X86Emitter, address: Address) -> None:
    """FBLD: push an integer of packed decimal digits. SDM volume 2A, FBLD."""
    stack = Stack(m)
    bits = m.load(address, F80).bitcast(I80)
    value = m.const(0, 64)
    for position in range(68, -4, -4):
        value = value * 10 + (bits.lshr(position).trunc(64) & 15)
    magnitude = m.effect("sitof", F80, value).bitcast(I80)
    stack.make_room()
    stack.push(magnitude | bits & 1 << 79)
    stack.commit()


@insn("DF /6 mem", "M", extension="x87")
def fbstp(m: X86Emitter, address: Address) -> None:
    """FBSTP: store ST(0), rounded to an integer, as packed decimal digits, and pop. SDM volume 2A, FBSTP.

    Integers of nineteen digits are invalid as those beyond 64 bits are.
    """
    stack = Stack(m)
    source = stack.read_bits(0)
    m.put_slot("fsw", m.get_slot("fsw") | m.effect("take_f80_flags", I16))
    value = m.effect("ftosi", I64, source.bitcast(F80))
    flags = m.effect("take_f80_flags", I16)
    magnitude = value.slt(0).select(-value, value)
    fits = magnitude.ult(DECIMAL_LIMIT)
    packed = source & 1 << 79
    for position in range(0, 72, 4):
        packed = packed | magnitude.urem(10).zext(80) << position
        magnitude = magnitude.udiv(10)
    packed = fits.select(packed, m.const(DECIMAL_INDEFINITE, 80))
    m.store(address, packed.bitcast(F80))
    m.put_slot("fsw", m.get_slot("fsw") | fits.select(flags, m.const(INVALID, 16)))
    stack.pop()
    stack.commit()


@insn("D9 /1 reg | DD /1 reg | DF /1 reg", "F", extension="x87")
def fxch(m: X86Emitter, index: Value) -> None:
    """FXCH: exchange ST(0) and ST(i). SDM volume 2A, FXCH."""
    stack = Stack(m)
    top, other = stack.read_bits(0), stack.read_bits(index)
    stack.write(0, other)
    stack.write(index, top)
    stack.commit()


def _move_if(m: X86Emitter, condition: int, index: Value) -> None:
    """FCMOVcc: copy ST(i) to ST(0) if a condition of EFLAGS holds. SDM volume 2A, FCMOVcc."""
    stack = Stack(m)
    old, new = stack.read_bits(0), stack.read_bits(index)
    stack.write(0, stack.valid(m.condition(condition).select(new, old)))
    stack.commit(keep=True)


for _name, _opcode, _extension, _condition in (
    ("b", "DA", 0, 2), ("e", "DA", 1, 4), ("be", "DA", 2, 6), ("u", "DA", 3, 10),
    ("nb", "DB", 0, 3), ("ne", "DB", 1, 5), ("nbe", "DB", 2, 7), ("nu", "DB", 3, 11),
):  # fmt: skip
    insn(f"{_opcode} /{_extension} reg", "F", name="fcmov" + _name, static=(_condition,), extension="x87")(_move_if)


# --- constants --------------------------------------------------------------------------------------------------------
CONSTANTS = {
    "fld1": ("E8", 0x3FFF, 0x8000000000000000, 0),
    "fldl2t": ("E9", 0x4000, 0xD49A784BCD1B8AFE, 0x492),
    "fldl2e": ("EA", 0x3FFF, 0xB8AA3B295C17F0BC, -0x1),
    "fldpi": ("EB", 0x4000, 0xC90FDAA22168C235, -0x1),
    "fldlg2": ("EC", 0x3FFD, 0x9A209A84FBCFF799, -0x1),
    "fldln2": ("ED", 0x3FFE, 0xB17217F7D1CF79AC, -0x1),
    "fldz": ("EE", 0, 0, 0),
}
"""Second byte, sign and exponent, significand to nearest; and where the exact value lies: above (positive) or below."""


def _load_constant(m: X86Emitter, exponent: int, significand: int, error: int) -> None:
    """FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: push a constant, rounded as set. SDM volume 2A."""
    stack = Stack(m)
    bits = m.const(exponent << 64 | significand, 80)
    direction = m.get_slot("fcw").lshr(10) & 3
    if error > 0:
        bits = bits + direction.eq(2).zext(80)
    elif error < 0:
        bits = bits - (direction & 1).zext(80)
    stack.make_room()
    stack.push(bits)
    stack.commit()


for _name, (_byte, _exponent, _significand, _error) in CONSTANTS.items():
    insn(f"D9 ({_byte})", name=_name, static=(_exponent, _significand, _error), extension="x87")(_load_constant)
