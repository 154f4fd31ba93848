"""Pure ops to LLVM: each function gives the lines that compute one value.

LLVM's undefined cases (shifts by the width, division by zero) never leave the guards written here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from metaphrase.backends.llvm import instructions
from metaphrase.backends.llvm.host import Host
from metaphrase.ir.graph import Value
from metaphrase.ir.types import Type

_FLOATS = {16: "half", 32: "float", 64: "double", 80: "x86_fp80"}

Lines = list[str]


def llvm_type(type: Type) -> str:
    """The LLVM spelling of a type."""
    if type.is_vector:
        return f"<{type.lanes} x {llvm_type(type.element)}>"
    if type.is_float:
        return _FLOATS[type.bits]
    return type.name


def constant(type: Type, value: int | tuple[int, ...]) -> str:
    """The LLVM spelling of a constant of raw bits."""
    if isinstance(value, tuple):
        if not any(value):
            return "zeroinitializer"
        element = llvm_type(type.element)
        return "<" + ", ".join(f"{element} {constant(type.element, lane)}" for lane in value) + ">"
    if type.is_float:
        if type.bits == 80:
            return f"0xK{value:020X}"
        return f"bitcast (i{type.bits} {value} to {_FLOATS[type.bits]})"
    return str(value)


def operand(value: Value) -> str:
    """How an instruction refers to a value."""
    if value.op.name == "const":
        return constant(value.type, value.imm)
    if value.op.name == "arg":
        return f"%arg{value.imm}"
    if value.op.name == "base":
        return "%base"
    if value.op.name == "field":
        return f"%field.{value.imm}"
    return f"%v{value.id}"


_SAME = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
_COMPARES = {"eq": "eq", "ne": "ne", "ult": "ult", "ule": "ule", "slt": "slt", "sle": "sle"}
_INTRINSICS = {
    "umin": "umin", "umax": "umax", "smin": "smin", "smax": "smax", "popcnt": "ctpop", "bswap": "bswap",
    "uadd_sat": "uadd.sat", "usub_sat": "usub.sat", "sadd_sat": "sadd.sat", "ssub_sat": "ssub.sat",
}  # fmt: skip


def relation_condition(value: Value) -> tuple[Value, int] | None:
    """The `fcompare` and the mask of its bits, if a value asks whether any of them is set, or none."""
    if value.op.name not in ("eq", "ne") or value.args[0].op.name != "and":
        return None
    zero, (relation, mask) = value.args[1], value.args[0].args
    if not relation.op.name.startswith("fcompare") or mask.op.name != "const" or zero.op.name != "const" or zero.imm:
        return None
    return relation, mask.imm


def _inserts_load(value: Value) -> bool:
    """Whether an `or` puts what was loaded from guest memory, 8 or 16 bits, into a wider value."""
    return value.type.is_int and any(_is_narrow_load(arg) for arg in value.args)


def _is_narrow_load(value: Value) -> bool:
    source = value.args[0] if value.op.name == "zext" else None
    return source is not None and source.op.name in ("load", "near_load") and source.type.bits < 32


class PureLowering:
    """Writes pure values for a host; `declare` is told each intrinsic that is used."""

    def __init__(self, declare: Callable[[str], None], need_wide_division: Callable[[], None], host: Host) -> None:
        self.declare, self.need_wide_division, self.host = declare, need_wide_division, host

    def lower(self, value: Value, out: Lines) -> None:
        """Append the instructions that compute `value` as %v<id>."""
        name, type = value.op.name, value.type
        text = llvm_type(type)
        result = f"%v{value.id}"
        args = [operand(a) for a in value.args]
        if name == "or" and _inserts_load(value):
            # LLVM makes a load into the low part of a register of it, and then widens that to one that clears the rest
            # where the register is also the load's index. It does not look through inline assembly.
            low, high = args if _is_narrow_load(value.args[0]) else args[::-1]
            out.append(f'{result}.low = call {text} asm "", "=r,0"({text} {low})')
            out.append(f"{result} = or {text} {high}, {result}.low")
        elif name in _SAME:
            out.append(f"{result} = {_SAME[name]} {text} {args[0]}, {args[1]}")
        elif name in _COMPARES and (asked := relation_condition(value)):
            relation, mask = asked
            out.append(f"{result} = xor i1 {operand(relation)}.any{mask:x}, {'true' if name == 'eq' else 'false'}")
        elif name in _COMPARES:
            out.append(f"{result} = icmp {_COMPARES[name]} {llvm_type(value.args[0].type)} {args[0]}, {args[1]}")
        elif name in ("zext", "sext", "trunc", "bitcast"):
            out.append(f"{result} = {name} {llvm_type(value.args[0].type)} {args[0]} to {text}")
        elif name == "select":
            condition = llvm_type(value.args[0].type)
            out.append(f"{result} = select {condition} {args[0]}, {text} {args[1]}, {text} {args[2]}")
        elif name in _INTRINSICS:
            self._intrinsic(result, _INTRINSICS[name], type, args, out)
        elif name in instructions.INSTRUCTIONS:
            instructions.lower(self, value, text, args, out)
        else:
            _SPECIAL[name](self, value, result, args, out)

    def _intrinsic(self, result: str, name: str, type: Type, args: list[str], out: Lines, extra: str = "") -> None:
        text = llvm_type(type)
        full = f"@llvm.{name}.{suffix(type)}"
        kinds = [text] * len(args) + ([extra.split()[0]] if extra else [])
        self.declare(f"declare {text} {full}({', '.join(kinds)})")
        passed = [f"{text} {a}" for a in args] + ([extra] if extra else [])
        out.append(f"{result} = call {text} {full}({', '.join(passed)})")

    def _shift(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        text, name = llvm_type(value.type), value.op.name
        width = value.type.element.bits
        count = value.args[1]
        if _below(count, width):
            out.append(f"{result} = {name} {text} {args[0]}, {args[1]}")
            return
        most = constant(value.type, (width - 1,) * value.type.lanes if value.type.is_vector else width - 1)
        test = llvm_type(value.type.boolean)
        out.append(f"{result}.in = icmp ule {text} {args[1]}, {most}")
        if name == "ashr":
            out.append(f"{result}.by = select {test} {result}.in, {text} {args[1]}, {text} {most}")
            out.append(f"{result} = ashr {text} {args[0]}, {result}.by")
            return
        out.append(f"{result}.raw = {name} {text} {args[0]}, {args[1]}")
        zero = "zeroinitializer" if value.type.is_vector else "0"
        # a select does not pass on poison from the arm it does not choose
        out.append(f"{result} = select {test} {result}.in, {text} {result}.raw, {text} {zero}")

    def _rotate(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        name = "fshl" if value.op.name == "rotl" else "fshr"
        self._intrinsic(result, name, value.type, [args[0], args[0], args[1]], out)

    def _divide(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        text, name, width = llvm_type(value.type), value.op.name, value.type.bits
        out.append(f"{result}.zero = icmp eq {text} {args[1]}, 0")
        guard = f"{result}.zero"
        if name in ("sdiv", "srem"):
            out.append(f"{result}.ones = icmp eq {text} {args[1]}, -1")
            out.append(f"{result}.least = icmp eq {text} {args[0]}, {1 << (width - 1)}")
            out.append(f"{result}.wraps = and i1 {result}.ones, {result}.least")
            out.append(f"{result}.guard = or i1 {result}.zero, {result}.wraps")
            guard = f"{result}.guard"
        out.append(f"{result}.by = select i1 {guard}, {text} 1, {text} {args[1]}")
        if width > 64:
            self.need_wide_division()
            out.append(f"{result}.q = call {text} @wide_{name}({text} {args[0]}, {text} {result}.by)")
        else:
            out.append(f"{result}.q = {name} {text} {args[0]}, {result}.by")
        instead = "-1" if name in ("udiv", "sdiv") else args[0]
        out.append(f"{result} = select i1 {result}.zero, {text} {instead}, {text} {result}.q")

    def _zeros(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        name = "ctlz" if value.op.name == "clz" else "cttz"
        self._intrinsic(result, name, value.type, args, out, "i1 false")

    def _checksum(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        bits = value.args[1].type.bits
        if not self.host.crc32:
            self._checksum_by_bits(bits, result, args, out)
        elif bits < 64:
            self.declare(f"declare i32 @llvm.x86.sse42.crc32.32.{bits}(i32, i{bits})")
            out.append(f"{result} = call i32 @llvm.x86.sse42.crc32.32.{bits}(i32 {args[0]}, i{bits} {args[1]})")
        else:
            self.declare("declare i64 @llvm.x86.sse42.crc32.64.64(i64, i64)")
            out.append(f"{result}.from = zext i32 {args[0]} to i64")
            out.append(f"{result}.to = call i64 @llvm.x86.sse42.crc32.64.64(i64 {result}.from, i64 {args[1]})")
            out.append(f"{result} = trunc i64 {result}.to to i32")

    def _checksum_by_bits(self, bits: int, result: str, args: list[str], out: Lines) -> None:
        """As a remainder: of data and checksum added, in 64 bits, each lowest bit that is set takes the polynomial."""
        out.append(f"{result}.crc = zext i32 {args[0]} to i64")
        out.append(f"{result}.data = {'zext' if bits < 64 else 'bitcast'} i{bits} {args[1]} to i64")
        out.append(f"{result}.0 = xor i64 {result}.crc, {result}.data")
        for bit in range(bits):
            out.append(f"{result}.low{bit} = and i64 {result}.{bit}, 1")
            out.append(f"{result}.half{bit} = lshr i64 {result}.{bit}, 1")
            out.append(f"{result}.by{bit} = mul i64 {result}.low{bit}, {0x82F63B78}")
            out.append(f"{result}.{bit + 1} = xor i64 {result}.half{bit}, {result}.by{bit}")
        out.append(f"{result} = trunc i64 {result}.{bits} to i32")

    def _splat(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        text, element = llvm_type(value.type), llvm_type(value.type.element)
        out.append(f"{result}.one = insertelement {text} poison, {element} {args[0]}, i32 0")
        mask = f"<{value.type.lanes} x i32> zeroinitializer"
        out.append(f"{result} = shufflevector {text} {result}.one, {text} poison, {mask}")

    def _extract(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        out.append(f"{result} = extractelement {llvm_type(value.args[0].type)} {args[0]}, i32 {value.imm}")

    def _insert(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        text, element = llvm_type(value.type), llvm_type(value.type.element)
        out.append(f"{result} = insertelement {text} {args[0]}, {element} {args[1]}, i32 {value.imm}")

    def _shuffle(self, value: Value, result: str, args: list[str], out: Lines) -> None:
        text = llvm_type(value.args[0].type)
        mask = ", ".join(f"i32 {lane}" for lane in value.imm)
        out.append(f"{result} = shufflevector {text} {args[0]}, {text} {args[1]}, <{len(value.imm)} x i32> <{mask}>")


def _below(count: Value, width: int) -> bool:
    """Whether a shift count is surely less than `width`."""
    if count.op.name == "const":
        lanes = count.imm if isinstance(count.imm, tuple) else (count.imm,)
        return all(lane < width for lane in lanes)
    if count.op.name == "zext":
        return _below(count.args[0], width)
    if count.op.name == "and":
        return any(a.op.name == "const" and _below(a, width) for a in count.args)
    return False


def suffix(type: Type) -> str:
    """How LLVM mangles a type into the name of an intrinsic."""
    if type.is_vector:
        return f"v{type.lanes}{suffix(type.element)}"
    return type.name


_SPECIAL: Final[dict[str, Callable[[PureLowering, Value, str, list[str], Lines], None]]] = {
    "shl": PureLowering._shift,
    "lshr": PureLowering._shift,
    "ashr": PureLowering._shift,
    "rotl": PureLowering._rotate,
    "rotr": PureLowering._rotate,
    "udiv": PureLowering._divide,
    "urem": PureLowering._divide,
    "sdiv": PureLowering._divide,
    "srem": PureLowering._divide,
    "crc32c": PureLowering._checksum,
    "clz": PureLowering._zeros,
    "ctz": PureLowering._zeros,
    "splat": PureLowering._splat,
    "extract": PureLowering._extract,
    "insert": PureLowering._insert,
    "shuffle": PureLowering._shuffle,
}

PURE_OPS: Final = frozenset(
    {*_SAME, *_COMPARES, *_INTRINSICS, *_SPECIAL, *instructions.INSTRUCTIONS, "zext", "sext", "trunc", "bitcast"}
    | {"select", "const", "arg", "base", "field"}
)
"""The pure ops that have a lowering."""

WIDE_DIVISION: Final = """
define internal {i128, i128} @wide_divide(i128 %a, i128 %b) noinline {
  %a.hi.w = lshr i128 %a, 64
  %a.hi = trunc i128 %a.hi.w to i64
  %a.lo = trunc i128 %a to i64
  %b.hi.w = lshr i128 %b, 64
  %b.lo = trunc i128 %b to i64
  %short = icmp eq i128 %b.hi.w, 0
  br i1 %short, label %by64, label %long
by64:
  %q.hi = udiv i64 %a.hi, %b.lo
  %r.hi = urem i64 %a.hi, %b.lo
  %pair = call {i64, i64} asm "divq $4", "={ax},={dx},{ax},{dx},r,~{flags}"(i64 %a.lo, i64 %r.hi, i64 %b.lo)
  %q.lo = extractvalue {i64, i64} %pair, 0
  %r.lo = extractvalue {i64, i64} %pair, 1
  %q.hi.w = zext i64 %q.hi to i128
  %q.hi.s = shl i128 %q.hi.w, 64
  %q.lo.w = zext i64 %q.lo to i128
  %q.by64 = or i128 %q.hi.s, %q.lo.w
  %r.by64 = zext i64 %r.lo to i128
  %out.a = insertvalue {i128, i128} poison, i128 %q.by64, 0
  %out.b = insertvalue {i128, i128} %out.a, i128 %r.by64, 1
  ret {i128, i128} %out.b
long:
  br label %loop
loop:
  %i = phi i32 [127, %long], [%i.next, %loop]
  %q = phi i128 [0, %long], [%q.next, %loop]
  %r = phi i128 [0, %long], [%r.next, %loop]
  %i.w = zext i32 %i to i128
  %top = lshr i128 %a, %i.w
  %bit = and i128 %top, 1
  %r.carry = lshr i128 %r, 127
  %r.up = shl i128 %r, 1
  %r.in = or i128 %r.up, %bit
  %over = icmp ne i128 %r.carry, 0
  %more = icmp uge i128 %r.in, %b
  %take = or i1 %over, %more
  %r.less = sub i128 %r.in, %b
  %r.next = select i1 %take, i128 %r.less, i128 %r.in
  %one = zext i1 %take to i128
  %q.up = shl i128 %q, 1
  %q.next = or i128 %q.up, %one
  %i.next = sub i32 %i, 1
  %done = icmp eq i32 %i, 0
  br i1 %done, label %end, label %loop
end:
  %end.a = insertvalue {i128, i128} poison, i128 %q.next, 0
  %end.b = insertvalue {i128, i128} %end.a, i128 %r.next, 1
  ret {i128, i128} %end.b
}
define internal i128 @wide_udiv(i128 %a, i128 %b) noinline {
  %p = call {i128, i128} @wide_divide(i128 %a, i128 %b)
  %q = extractvalue {i128, i128} %p, 0
  ret i128 %q
}
define internal i128 @wide_urem(i128 %a, i128 %b) noinline {
  %p = call {i128, i128} @wide_divide(i128 %a, i128 %b)
  %r = extractvalue {i128, i128} %p, 1
  ret i128 %r
}
define internal i128 @wide_sdiv(i128 %a, i128 %b) noinline {
  %a.abs = call i128 @llvm.abs.i128(i128 %a, i1 false)
  %b.abs = call i128 @llvm.abs.i128(i128 %b, i1 false)
  %q = call i128 @wide_udiv(i128 %a.abs, i128 %b.abs)
  %differ = xor i128 %a, %b
  %negative = icmp slt i128 %differ, 0
  %minus = sub i128 0, %q
  %s = select i1 %negative, i128 %minus, i128 %q
  ret i128 %s
}
define internal i128 @wide_srem(i128 %a, i128 %b) noinline {
  %a.abs = call i128 @llvm.abs.i128(i128 %a, i1 false)
  %b.abs = call i128 @llvm.abs.i128(i128 %b, i1 false)
  %r = call i128 @wide_urem(i128 %a.abs, i128 %b.abs)
  %negative = icmp slt i128 %a, 0
  %minus = sub i128 0, %r
  %s = select i1 %negative, i128 %minus, i128 %r
  ret i128 %s
}
declare i128 @llvm.abs.i128(i128, i1)
"""
"""Division of 128-bit integers, which LLVM would leave to a library; most divisors fit 64 bits and take `div` twice."""
