"""SSE and SSE2 floating point: arithmetic, comparison, logic, shuffles (SDM volume 1, 5.5.1 and 5.6.1).

Arithmetic goes through the IR's float ops, which have x86's NaNs and the environment of MXCSR.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from metaphrase.ir.graph import Operand, Value
from metaphrase.ir.types import F32, F64, I8, I32, VOID, Type
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import (
    DOUBLES,
    SINGLES,
    WHOLE,
    by_halves,
    chosen,
    halves,
    interleaved,
    joined,
    lanes,
    permuted,
)
from metaphrase.translator.x86.vex import FLOAT, SCALAR, vex_forms, widened, with_scalar

PACKED_SINGLE: Final = ("ps", "NP", SINGLES, "Vx, Wdq")
PACKED_DOUBLE: Final = ("pd", "66", DOUBLES, "Vx, Wdq")
SCALAR_SINGLE: Final = ("ss", "F3", F32, "Vss, Wss")
SCALAR_DOUBLE: Final = ("sd", "F2", F64, "Vsd, Wsd")
"""Suffix, mandatory prefix, type and operands of the four kinds of float instruction."""
PACKED: Final = (PACKED_SINGLE, PACKED_DOUBLE)
SINGLE: Final = (PACKED_SINGLE, SCALAR_SINGLE)
ALL: Final = (PACKED_SINGLE, PACKED_DOUBLE, SCALAR_SINGLE, SCALAR_DOUBLE)

Kind = tuple[str, str, Type, str]
Binary = Callable[[X86Emitter, Type, Value, Value], Value]
Unary = Callable[[X86Emitter, Type, Value], Value]


def _extension(prefix: str) -> str:
    return "sse2" if prefix in ("66", "F2") else "sse"


def _vex_forms(
    name: str, prefix: str, rest: str, places: str, type: Type, semantics: Callable[..., None], undefined: str = "",
    more: str = "",
) -> None:  # fmt: skip
    """Describe the VEX forms of a kind, with operands at `places` (V, H, W) and `more` behind them."""
    size = "x" if type.is_vector else "s" + ("s" if type is F32 else "d")
    operands = ", ".join(place + size for place in places) + more
    vex_forms(name, FLOAT if type.is_vector else SCALAR, prefix, rest, operands, semantics, type, undefined=undefined)


def _widened(type: Type, target: Register) -> Type:
    """The type of a kind for a target of VEX's vector length."""
    return widened(type, target.width) if type.is_vector else type


def _put(m: X86Emitter, target: Register, first: Register, value: Value) -> None:
    """Write a vector, or a scalar that replaces the bottom of the first source."""
    m.put(target, value if value.type.is_vector else with_scalar(m, first, value))


def binary(opcode: int, kinds: tuple[Kind, ...] = ALL) -> Callable[[Binary], Binary]:
    """`target = meaning(m, type, target, source)` at 0F `opcode`, for each kind."""

    def describe(meaning: Binary) -> Binary:
        def semantics(m: X86Emitter, type: Type, target: Register, source: Register | Memory) -> None:
            b = m.get(source, type)
            m.put_xmm(target, meaning(m, type, m.get(target, type), b))

        def vex(m: X86Emitter, type: Type, target: Register, first: Register, source: Register | Memory) -> None:
            type = _widened(type, target)
            b = m.get(source, type)
            _put(m, target, first, meaning(m, type, m.get(first, type), b))

        semantics.__doc__ = meaning.__doc__
        for suffix, prefix, type, operands in kinds:
            _vex_forms(meaning.__name__.rstrip("_") + suffix, prefix, f"{opcode:02X} /r", "VHW", type, vex)
            insn(f"{prefix} 0F {opcode:02X} /r", operands, name=meaning.__name__.rstrip("_") + suffix,
                 extension=_extension(prefix), static=(type,))(semantics)  # fmt: skip
        return meaning

    return describe


def unary(opcode: int, kinds: tuple[Kind, ...] = ALL, *, approximate: bool = False) -> Callable[[Unary], Unary]:
    """`target = meaning(m, type, source)` at 0F `opcode`, for each kind; `approximate` results are compared loosely."""

    def describe(meaning: Unary) -> Unary:
        def semantics(m: X86Emitter, type: Type, target: Register, source: Register | Memory) -> None:
            m.put_xmm(target, meaning(m, type, m.get(source, type)))

        def vex_packed(m: X86Emitter, type: Type, target: Register, source: Register | Memory) -> None:
            type = _widened(type, target)
            m.put(target, meaning(m, type, m.get(source, type)))

        def vex_scalar(m: X86Emitter, type: Type, target: Register, first: Register, source: Register | Memory) -> None:
            m.put(target, with_scalar(m, first, meaning(m, type, m.get(source, type))))

        semantics.__doc__ = meaning.__doc__
        undefined = "approximate" if approximate else ""
        for suffix, prefix, type, operands in kinds:
            vex, places = (vex_packed, "VW") if type.is_vector else (vex_scalar, "VHW")
            _vex_forms(meaning.__name__ + suffix, prefix, f"{opcode:02X} /r", places, type, vex, undefined)
            insn(f"{prefix} 0F {opcode:02X} /r", operands, name=meaning.__name__ + suffix,
                 extension=_extension(prefix), static=(type,), undefined=undefined)(semantics)  # fmt: skip
        return meaning

    return describe


# --- arithmetic -------------------------------------------------------------------------------------------------------
@binary(0x58)
def add(m: X86Emitter, type: Type, a: Value, b: Value) -> Value:
    """ADDPS, ADDPD, ADDSS, ADDSD: sum. SDM volume 2A, ADDPD to ADDSS."""
    return m.effect("fadd", type, a, b)


@binary(0x59)
def mul(m: X86Emitter, type: Type, a: Value, b: Value) -> Value:
    """MULPS, MULPD, MULSS, MULSD: product. SDM volume 2B, MULPD to MULSS."""
    return m.effect("fmul", type, a, b)


@binary(0x5C)
def sub(m: X86Emitter, type: Type, a: Value, b: Value) -> Value:
    """SUBPS, SUBPD, SUBSS, SUBSD: difference. SDM volume 2B, SUBPD to SUBSS."""
    return m.effect("fsub", type, a, b)


@binary(0x5E)
def div(m: X86Emitter, type: Type, a: Value, b: Value) -> Value:
    """DIVPS, DIVPD, DIVSS, DIVSD: quotient. SDM volume 2A, DIVPD to DIVSS."""
    return m.effect("fdiv", type, a, b)


@binary(0x5D)
def min(m: X86Emitter, type: Type, a: Value, b: Value) -> Value:
    """MINPS, MINPD, MINSS, MINSD: minimum; the source for NaNs and zeroes. SDM volume 2B, MINPD to MINSS."""
    return m.effect("fmin", type, a, b)


@binary(0x5F)
def max(m: X86Emitter, type: Type, a: Value, b: Value) -> Value:
    """MAXPS, MAXPD, MAXSS, MAXSD: maximum; the source for NaNs and zeroes. SDM volume 2B, MAXPD to MAXSS."""
    return m.effect("fmax", type, a, b)


@unary(0x51)
def sqrt(m: X86Emitter, type: Type, a: Value) -> Value:
    """SQRTPS, SQRTPD, SQRTSS, SQRTSD: square root. SDM volume 2B, SQRTPD to SQRTSS."""
    return m.effect("fsqrt", type, a)


APPROXIMATION_ENVIRONMENT: Final = 0x9FC0
"""To nearest, everything masked, DAZ and FTZ: RCPPS and RSQRTPS heed no control bits and take denormals for zeroes."""


def _reciprocal(m: X86Emitter, type: Type, a: Value, root: bool) -> Value:
    environment = m.effect("get_fenv", I32)
    m.effect("set_fenv", VOID, m.const(APPROXIMATION_ENVIRONMENT, 32))
    one = m.function.const(type.as_int, 0x3F800000).bitcast(type)
    result = m.effect("fdiv", type, one, m.effect("fsqrt", type, a) if root else a)
    m.effect("set_fenv", VOID, environment)
    return result


@unary(0x53, SINGLE, approximate=True)
def rcp(m: X86Emitter, type: Type, a: Value) -> Value:
    """RCPPS, RCPSS: approximate reciprocal. SDM volume 2B, RCPPS and RCPSS.

    The manual bounds the relative error by 1.5 * 2^-12 and processors differ; this result is the correctly rounded one.
    """
    return _reciprocal(m, type, a, root=False)


@unary(0x52, SINGLE, approximate=True)
def rsqrt(m: X86Emitter, type: Type, a: Value) -> Value:
    """RSQRTPS, RSQRTSS: approximate reciprocal square root. SDM volume 2B, RSQRTPS and RSQRTSS.

    The manual bounds the relative error by 1.5 * 2^-12 and processors differ; this one has the error of two roundings.
    """
    return _reciprocal(m, type, a, root=True)


# --- logic ------------------------------------------------------------------------------------------------------------
def _logic(opcode: int, name: str, meaning: Callable[[Value, Value], Value]) -> None:
    def semantics(m: X86Emitter, target: Register, source: Register | Memory) -> None:
        b = m.get(source, WHOLE)
        m.put_xmm(target, meaning(m.get(target, WHOLE), b))

    def vex(m: X86Emitter, type: Type, target: Register, first: Register, source: Register | Memory) -> None:
        b = m.get(source, lanes(target, 64))
        m.put(target, meaning(m.get(first, lanes(target, 64)), b))

    for suffix, prefix, type, operands in PACKED:
        label = name + suffix
        _vex_forms(label, prefix, f"{opcode:02X} /r", "VHW", type, vex)
        insn(f"{prefix} 0F {opcode:02X} /r", operands, name=label, extension=_extension(prefix),
             manual=f"{label.upper()}: bitwise logic. SDM volume 2, {label.upper()}.")(semantics)  # fmt: skip


_logic(0x54, "and", lambda a, b: a & b)
_logic(0x55, "andn", lambda a, b: ~a & b)
_logic(0x56, "or", lambda a, b: a | b)
_logic(0x57, "xor", lambda a, b: a ^ b)


# --- comparison -------------------------------------------------------------------------------------------------------
def _compare(m: X86Emitter, type: Type, a: Value, b: Value, predicate: int) -> Value:
    """One of the 32 predicates of VCMPPS, of which the first eight are those of CMPPS (SDM volume 2A, table 3-1).

    The low four bits tell the relation. The next tells what signals for quiet NaNs too: without it, orders do.
    """

    def holds(op: str, *operands: Value) -> Value:
        return m.effect(op, type.boolean, *operands)

    relation, other = predicate & 15, bool(predicate & 16)
    if relation in _ORDERS:
        op, swapped, negated = _ORDERS[relation]
        x, y = (b, a) if swapped else (a, b)
        if not other:
            result = holds(op, x, y)
        else:
            result = holds("flt_quiet", x, y)
            result = result | holds("feq", x, y) if op == "fle" else result
        return ~result if negated else result
    if other:
        holds("fle", a, b)  # for what it signals
    unordered = holds("funord", a, b)
    if relation in (0xB, 0xF):
        return ~(unordered ^ unordered) if relation == 0xF else unordered ^ unordered
    if relation & 3 == 3:
        return ~unordered if relation == 7 else unordered
    equal = holds("feq", a, b)
    if relation in (8, 0xC):
        equal = equal | unordered
    return ~equal if relation in (4, 0xC) else equal


_ORDERS: Final = {
    1: ("flt", False, False), 2: ("fle", False, False), 5: ("flt", False, True), 6: ("fle", False, True),
    9: ("fle", True, True), 10: ("flt", True, True), 13: ("fle", True, False), 14: ("flt", True, False),
}  # fmt: skip
"""Of the predicates that are orders: the op, whether with operands exchanged, and whether negated."""


def _cmp(m: X86Emitter, type: Type, target: Register, source: Register | Memory, predicate: Value) -> None:
    """CMPPS, CMPPD, CMPSS, CMPSD: compare; ones where the predicate holds. SDM volume 2A, CMPPD to CMPSS."""
    b = m.get(source, type)
    a = m.get(target, type)
    holds = chosen(m, type.boolean, predicate, 8, lambda number: _compare(m, type, a, b, number))
    m.put_xmm(target, holds.sext(type.element.bits))


def _vcmp(
    m: X86Emitter, type: Type, target: Register, first: Register, source: Register | Memory, predicate: Value
) -> None:
    type = _widened(type, target)
    b = m.get(source, type)
    a = m.get(first, type)
    holds = chosen(m, type.boolean, predicate, 32, lambda number: _compare(m, type, a, b, number))
    _put(m, target, first, holds.sext(type.element.bits))


for _suffix, _prefix, _type, _operands in ALL:
    _vex_forms("cmp" + _suffix, _prefix, "C2 /r ib", "VHW", _type, _vcmp, more=", Ib")
    insn(f"{_prefix} 0F C2 /r ib", f"{_operands}, Ib", name="cmp" + _suffix, extension=_extension(_prefix),
         static=(_type,))(_cmp)  # fmt: skip


@insn("NP 0F 2F /r", "Vss, Wss", name="comiss", static=(F32, True), extension="sse")
@insn("66 0F 2F /r", "Vsd, Wsd", name="comisd", static=(F64, True), extension="sse2")
@insn("NP 0F 2E /r", "Vss, Wss", name="ucomiss", static=(F32, False), extension="sse")
@insn("66 0F 2E /r", "Vsd, Wsd", name="ucomisd", static=(F64, False), extension="sse2")
def compare_to_flags(m: X86Emitter, type: Type, signalling: bool, a: Register, b: Register | Memory) -> None:
    """COMISS, COMISD, UCOMISS, UCOMISD: compare and set ZF, PF and CF; clear the rest. SDM volume 2, each.

    The first two signal invalid for any NaN, the others for signalling ones only.
    """
    right = m.get(b, type)
    relation = m.effect("fcompare" if signalling else "fcompare_quiet", I8, m.get(a, type), right)
    m.put_flags(m.relation_flags(relation))


for _name, _prefix, _opcode, _type, _signalling in (
    ("comiss", "NP", "2F", F32, True), ("comisd", "66", "2F", F64, True),
    ("ucomiss", "NP", "2E", F32, False), ("ucomisd", "66", "2E", F64, False),
):  # fmt: skip
    _size = "ss" if _type is F32 else "sd"
    vex_forms(_name, SCALAR, _prefix, f"{_opcode} /r", f"V{_size}, W{_size}", compare_to_flags, _type, _signalling)


# --- shuffle and unpack -----------------------------------------------------------------------------------------------
@insn("NP 0F C6 /r ib", "Vx, Wdq, Ib", extension="sse")
def shufps(m: X86Emitter, target: Register, source: Register | Memory, order: Value) -> None:
    """SHUFPS: two lanes of the target, then two of the source, by the immediate. SDM volume 2B, SHUFPS."""
    vex_shufps(m, target, target, source, order)


def vex_shufps(m: X86Emitter, target: Register, first: Register, source: Register | Memory, order: Value) -> None:
    b = m.get(source, lanes(target, 32))
    choices: list[tuple[int, int, Operand]] = [(n // 2 * 4, 4, order.lshr(2 * n) & 3) for n in range(4)]
    m.put(target, by_halves(lambda x, y: permuted(x, y, choices), m.get(first, lanes(target, 32)), b))


@insn("66 0F C6 /r ib", "Vx, Wdq, Ib", extension="sse2")
def shufpd(m: X86Emitter, target: Register, source: Register | Memory, order: Value) -> None:
    """SHUFPD: a lane of the target, then one of the source, by the immediate. SDM volume 2B, SHUFPD."""
    vex_shufpd(m, target, target, source, order)


def vex_shufpd(m: X86Emitter, target: Register, first: Register, source: Register | Memory, order: Value) -> None:
    b = m.get(source, lanes(target, 64))
    parts = []
    for number, (x, y) in enumerate(zip(halves(m.get(first, lanes(target, 64))), halves(b), strict=True)):
        bits = order.lshr(2 * number)
        parts.append(permuted(x, y, [(0, 2, bits & 1), (2, 2, bits.lshr(1) & 1)]))
    m.put(target, joined(*parts) if len(parts) > 1 else parts[0])


vex_forms("shufps", FLOAT, "NP", "C6 /r ib", "Vx, Hx, Wx, Ib", vex_shufps)
vex_forms("shufpd", FLOAT, "66", "C6 /r ib", "Vx, Hx, Wx, Ib", vex_shufpd)


@insn("NP 0F 14 /r", "Vx, Wdq", name="unpcklps", static=(32, False), extension="sse")
@insn("66 0F 14 /r", "Vx, Wdq", name="unpcklpd", static=(64, False), extension="sse2")
@insn("NP 0F 15 /r", "Vx, Wdq", name="unpckhps", static=(32, True), extension="sse")
@insn("66 0F 15 /r", "Vx, Wdq", name="unpckhpd", static=(64, True), extension="sse2")
def unpack(m: X86Emitter, lane: int, high: bool, target: Register, source: Register | Memory) -> None:
    """UNPCKLPS, UNPCKLPD, UNPCKHPS, UNPCKHPD: interleave the low or high lanes. SDM volume 2B, each."""
    vex_unpack(m, lane, high, target, target, source)


def vex_unpack(
    m: X86Emitter, lane: int, high: bool, target: Register, first: Register, source: Register | Memory
) -> None:
    b = m.get(source, lanes(target, lane))
    m.put(target, by_halves(lambda x, y: interleaved(x, y, high), m.get(first, lanes(target, lane)), b))


for _suffix, _prefix, _lane in (("ps", "NP", 32), ("pd", "66", 64)):
    vex_forms("unpckl" + _suffix, FLOAT, _prefix, "14 /r", "Vx, Hx, Wx", vex_unpack, _lane, False)
    vex_forms("unpckh" + _suffix, FLOAT, _prefix, "15 /r", "Vx, Hx, Wx", vex_unpack, _lane, True)
