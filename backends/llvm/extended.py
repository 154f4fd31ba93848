"""Ops that touch f80, as the host's x87 instructions from memory to memory.

LLVM's own f80 arithmetic may be folded, moved across a change of the control word, or dropped with the flags that it
raises, and compares quietly. Written like this it is none of that; nothing stays on the x87 stack between two ops, so
a fault of the guest never finds it half full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from metaphrase.backends.llvm import relations
from metaphrase.backends.llvm.pure import Lines, llvm_type
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Value
from metaphrase.ir.types import F80

if TYPE_CHECKING:
    from metaphrase.backends.llvm.lower import FunctionLowering

_BINARY: Final = {
    "fadd": ".byte 0xde, 0xc1",
    "fmul": ".byte 0xde, 0xc9",
    "fsub": ".byte 0xde, 0xe9",
    "fdiv": ".byte 0xde, 0xf9",
}
"""FADDP, FMULP, FSUBP and FDIVP ST(1), ST: in bytes, for assemblers differ on which of the last two is reversed."""
_UNARY: Final = {"fsqrt": "fsqrt", "fround": "frndint"}
_COMPARE: Final = {
    "flt": ("fcomip", "a"),
    "flt_quiet": ("fucomip", "a"),
    "fle": ("fcomip", "ae"),
    "funord": ("fucomip", "p"),
}
"""Instruction and condition of comparing the second operand with the first."""
_RELATION: Final = ("fcompare", "fcompare_quiet", "feq")
_LOAD: Final = {"f32": "flds", "f64": "fldl", "i16": "filds", "i32": "fildl", "i64": "fildll"}
_STORE: Final = {"f32": "fstps", "f64": "fstpl", "i16": "fistps", "i32": "fistpl", "i64": "fistpll"}
_STORE_TRUNCATED: Final = {"i16": "fisttps", "i32": "fisttpl", "i64": "fisttpll"}

FUNCTIONS: Final[dict[str, tuple[int, str, str]]] = {
    "fprem": (2, "fprem", "fstp %st(1)"), "fprem1": (2, "fprem1", "fstp %st(1)"),
    "f2xm1": (1, "f2xm1", ""), "fyl2x": (2, "fyl2x", ""), "fyl2xp1": (2, "fyl2xp1", ""), "fpatan": (2, "fpatan", ""),
    "fsin": (1, "fsin", ""), "fcos": (1, "fcos", ""),
    "fsincos_sine": (1, "fsincos", "fstp %st(0)"), "fsincos_cosine": (1, "fsincos", "fstp %st(1)"),
    "fptan_tangent": (1, "fptan", "fstp %st(0)"), "fptan_one": (1, "fptan", "fstp %st(1)"),
    "fxtract_exponent": (1, "fxtract", "fstp %st(0)"), "fxtract_significand": (1, "fxtract", "fstp %st(1)"),
}  # fmt: skip
"""How many operands are loaded; the instruction; and what leaves only the wanted result, where there are two values."""
_PARTIAL: Final = frozenset({"fsincos", "fptan"})
"""Instructions that push nothing if they set C2."""
_CODES: Final = dict.fromkeys(("fprem", "fprem1"), 0x4700) | dict.fromkeys(("fsin", "fcos", "fsincos", "fptan"), 0x400)
"""The condition codes that an instruction tells something by."""


def concerns(value: Value) -> bool:
    """Whether a floating-point op is one of f80."""
    return F80 in (value.type, value.args[0].type)


def lower(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    """Lines for a floating-point op that touches f80."""
    places = []
    for number, (arg, text) in enumerate(zip(value.args, args, strict=True)):
        place = f.alloca(f"{result}.a{number}", llvm_type(arg.type))
        out.append(f"store {llvm_type(arg.type)} {text}, ptr {place}")
        places.append(f"ptr elementtype({llvm_type(arg.type)}) {place}")
    if value.op.name in _RELATION:
        _relation(f, value, result, places[::-1], out)
        return
    if value.op.name in _COMPARE:
        _compare(value, result, places, out)
        return
    target = llvm_type(value.type)
    place = f.alloca(f"{result}.p", target)
    count = len(places)
    code = "\\0A".join(_instructions(value, count))
    constraints = ",".join(["=*m", *["*m"] * count])
    operands = ", ".join([f"ptr elementtype({target}) {place}", *places])
    out.append(f'call void asm sideeffect "{code}", "{constraints}"({operands})')
    out.append(f"{result} = load {target}, ptr {place}")


def _instructions(value: Value, count: int) -> list[str]:
    name, source = value.op.name, value.args[0].type
    if name in _BINARY:
        return ["fldt $1", "fldt $2", _BINARY[name], "fstpt $0"]
    if name in _UNARY and value.imm in (None, 4):
        return ["fldt $1", _UNARY[name], "fstpt $0"]
    if name in ("fconvert", "sitof") and value.type is F80 and source.name in _LOAD:
        return [f"{_LOAD[source.name]} $1", "fstpt $0"]
    stores = _STORE_TRUNCATED if name == "ftosi_trunc" else _STORE
    if name in ("fconvert", "ftosi", "ftosi_trunc") and source is F80 and value.type.name in stores:
        return ["fldt $1", f"{stores[value.type.name]} $0"]
    raise MetaphraseError(f"{name} from {source} to {value.type} has no lowering (operands: {count}, imm {value.imm})")


def _compare(value: Value, result: str, places: list[str], out: Lines) -> None:
    instruction, condition = _COMPARE[value.op.name]
    code = "\\0A".join(("fldt $1", "fldt $2", f"{instruction} %st(1), %st", "fstp %st(0)"))
    call = f'asm sideeffect "{code}", "={{@cc{condition}}},*m,*m,~{{flags}}"({", ".join(places)})'
    out.append(f"{result}.b = call i8 {call}")
    out.append(f"{result} = trunc i8 {result}.b to i1")


def _relation(f: FunctionLowering, value: Value, result: str, places: list[str], out: Lines) -> None:
    """Compare the second of `places` with the first."""
    name = "fcomip" if value.op.name == "fcompare" else "fucomip"
    code = "\\0A".join(("fldt $1", "fldt $2", f"{name} %st(1), %st", relations.COPY_FLAGS, "fstp %st(0)"))
    call = f'asm sideeffect "{code}", "={{ax}},*m,*m,~{{flags}}"({", ".join(places)})'
    out.append(f"{result}.ax = call i16 {call}")
    if value.op.name == "feq":
        out.append(f"{result}.bits = and i16 {result}.ax, {0x45 << 8}")
        out.append(f"{result} = icmp eq i16 {result}.bits, {0x40 << 8}")
        return
    uses = f.relations[value.id]
    relations.name_conditions(relations.Uses(uses.masks, whole=True, alone=True), result, out)


def function(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    """Lines for `f80_function`."""
    count, instruction, rest = FUNCTIONS[value.imm]
    places = [f.alloca(f"{result}.p{number}", "x86_fp80") for number in range(count + 1)]
    for arg, place in zip(args, places[1:]):
        out.append(f"store x86_fp80 {arg}, ptr {place}")
    lines = [*(f"fldt ${number + 1}" for number in range(count, 0, -1)), instruction, "fnstsw %ax"]
    if instruction in _PARTIAL:
        lines += ["testb $$4, %ah", "jnz 1f", rest, "1:"]
    elif rest:
        lines.append(rest)
    code = "\\0A".join([*lines, "fstpt $1"])
    constraints = ",".join(["={ax}", "=*m", *["*m"] * count, "~{flags}"])
    operands = ", ".join(f"ptr elementtype(x86_fp80) {place}" for place in places)
    out.append(f'{result}.word = call i16 asm sideeffect "{code}", "{constraints}"({operands})')
    out.append(f"{result}.codes = and i16 {result}.word, {_CODES.get(instruction, 0)}")
    out.append(f"{result}.high = zext i16 {result}.codes to i96")
    out.append(f"{result}.above = shl i96 {result}.high, 80")
    out.append(f"{result}.bits = load i80, ptr {places[0]}")
    out.append(f"{result}.low = zext i80 {result}.bits to i96")
    out.append(f"{result} = or i96 {result}.above, {result}.low")
