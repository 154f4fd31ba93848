"""FMA: fused multiplication and addition (SDM volume 1, 14.5).

The digits of a name say which operands are multiplied, and which is added: VFMADD132 is first * third + second. They
also are the order in which NaNs count.
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F32, F64, Type
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import DOUBLES, SINGLES
from metaphrase.translator.x86.vex import vex_pattern, widened, with_scalar

_ORDERS: Final = (("132", 0x90), ("213", 0xA0), ("231", 0xB0))
_OPERATIONS: Final = (("add", 8, "fma"), ("sub", 0xA, "fms"), ("nadd", 0xC, "fnma"), ("nsub", 0xE, "fnms"))
"""Name, opcode of the packed form, and op; the scalar's opcode is the next."""


def _in_order(order: str, target: Value, second: Value, third: Value) -> list[Value]:
    return [(target, second, third)[int(digit) - 1] for digit in order]


def fused(
    m: X86Emitter, type: Type, order: str, op: str, target: Register, second: Register, third: Register | Memory
) -> None:
    """The product of two operands and the third, rounded once."""
    type = widened(type, target.width) if type.is_vector else type
    c = m.get(third, type)
    result = m.effect(op, type, *_in_order(order, m.get(target, type), m.get(second, type), c))
    m.put(target, result if type.is_vector else with_scalar(m, target, result))


def _manual(name: str) -> str:
    return f"{name.upper()}: fused multiplication and addition. SDM volume 2C, {name.upper()}."


for _w, _packed, _scalar, _letter in (("W0", SINGLES, F32, "s"), ("W1", DOUBLES, F64, "d")):
    for _order, _base in _ORDERS:
        for _operation, _opcode, _op in _OPERATIONS:
            _name = f"vf{_operation.replace('n', 'nm') if _operation[0] == 'n' else 'm' + _operation}{_order}"
            for _length in ("128", "256"):
                insn(
                    vex_pattern(_length, "66", f"{_base | _opcode:02X} /r", map="0F38", w=_w), "Vx, Hx, Wx",
                    name=f"{_name}p{_letter}", extension="fma", static=(_packed, _order, _op),
                    manual=_manual(f"{_name}p{_letter}"),
                )(fused)  # fmt: skip
            _size = f"s{_letter}"
            insn(
                vex_pattern("LIG", "66", f"{_base | _opcode + 1:02X} /r", map="0F38", w=_w),
                f"V{_size}, H{_size}, W{_size}", name=f"{_name}{_size}", extension="fma",
                static=(_scalar, _order, _op), manual=_manual(f"{_name}{_size}"),
            )(fused)  # fmt: skip
        for _name, _opcode, _op in (("vfmaddsub", 6, "fmaddsub"), ("vfmsubadd", 7, "fmsubadd")):
            for _length in ("128", "256"):
                insn(
                    vex_pattern(_length, "66", f"{_base | _opcode:02X} /r", map="0F38", w=_w), "Vx, Hx, Wx",
                    name=f"{_name}{_order}p{_letter}", extension="fma", static=(_packed, _order, _op),
                    manual=_manual(f"{_name}{_order}p{_letter}"),
                )(fused)  # fmt: skip
