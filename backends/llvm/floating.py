"""Floating-point ops to LLVM: the host's own instructions, written as inline assembly with side effects.

LLVM knows nothing of MXCSR. Its own operations may be folded, merged, commuted, dropped although they raise flags, or
moved across a change of the environment or a look at it. It does none of that to inline assembly with side effects,
which stays in the order of the program: rounding, DAZ, FTZ, NaNs and sticky flags are those of the hardware, as long as
the host's MXCSR holds the guest's control bits, which it does from the runtime's `enter` on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from metaphrase.backends.llvm import context, extended, relations
from metaphrase.backends.llvm.pure import Lines, llvm_type
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Value
from metaphrase.ir.ops import Op
from metaphrase.ir.types import F16, F32, Type, vector

if TYPE_CHECKING:
    from metaphrase.backends.llvm.lower import FunctionLowering

Lowering = Callable[["FunctionLowering", Value, str, list[str], Lines], None]

_ARITHMETIC = {"fadd": "add", "fsub": "sub", "fmul": "mul", "fdiv": "div", "fmin": "min", "fmax": "max"}
_COMMUTE = ("add", "mul")
_FUSED = {"fma": "fmadd", "fms": "fmsub", "fnma": "fnmadd", "fnms": "fnmsub",
          "fmaddsub": "fmaddsub", "fmsubadd": "fmsubadd"}  # fmt: skip
_PREDICATES = {"feq": 0, "flt": 1, "fle": 2, "funord": 3, "flt_quiet": 17}
"""Of CMPPS and CMPPD, which signal and are quiet as the ops of these numbers; those from 8 on are AVX's."""
_CONDITIONS = {"flt": ("comi", "a"), "flt_quiet": ("ucomi", "a"), "fle": ("comi", "ae"), "funord": ("ucomi", "p")}
"""Instruction and condition of comparing the second scalar with the first. (a < b is "above" the other way round, since
unordered sets CF and ZF.)"""


def _floating_suffix(type: Type) -> str:
    packed = "p" if type.is_vector else "s"
    return packed + ("s" if type.element.bits == 32 else "d")


def _no_lowering(value: Value) -> MetaphraseError:
    return MetaphraseError(f"{value.op.name} from {value.args[0].type} to {value.type} has no lowering")


def float_arithmetic(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    text, name = llvm_type(value.type), _ARITHMETIC[value.op.name]
    mnemonic = name + _floating_suffix(value.type)
    if f.module.host.avx:
        # The assembler swaps operands that "commute" where that shortens the prefix: another NaN would be passed on.
        prefix = "{vex3} " if name in _COMMUTE else ""
        code = f'asm sideeffect "{prefix}v{mnemonic} $2, $1, $0", "=x,x,x"'
    else:
        code = f'asm sideeffect "{mnemonic} $2, $0", "=x,0,x"'
    out.append(f"{result} = call {text} {code}({text} {args[0]}, {text} {args[1]})")


def float_sqrt(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    text = llvm_type(value.type)
    mnemonic = "sqrt" + _floating_suffix(value.type)
    if f.module.host.avx and not value.type.is_vector:
        code = f'asm sideeffect "v{mnemonic} $1, $1, $0", "=x,x"'
    else:
        code = f'asm sideeffect "{"v" if f.module.host.avx else ""}{mnemonic} $1, $0", "=x,x"'
    out.append(f"{result} = call {text} {code}({text} {args[0]})")


def float_fma(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    text = llvm_type(value.type)
    if not f.module.host.fma or value.type.element.bits == 80:
        raise MetaphraseError("fma: this host has no fused multiply-add; run this guest on one that has FMA3")
    # of several NaNs, the first factor's counts: the operand that comes first in the mnemonic's digits
    code = f'asm sideeffect "v{_FUSED[value.op.name]}213{_floating_suffix(value.type)} $3, $1, $0", "=x,x,0,x"'
    out.append(f"{result} = call {text} {code}({text} {args[0]}, {text} {args[1]}, {text} {args[2]})")


# --- comparison -------------------------------------------------------------------------------------------------------
def float_compare(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    type, name = value.args[0].type, value.op.name
    text, prefix = llvm_type(type), "v" if f.module.host.avx else ""
    if not type.is_vector and name in _CONDITIONS:
        instruction, condition = _CONDITIONS[name]
        code = f"{prefix}{instruction}{_floating_suffix(type)} $1, $2"
        call = f'asm sideeffect "{code}", "={{@cc{condition}}},x,x,~{{flags}}"({text} {args[0]}, {text} {args[1]})'
        out.append(f"{result}.b = call i8 {call}")
        out.append(f"{result} = trunc i8 {result}.b to i1")
        return
    if name == "flt_quiet" and not prefix:
        raise _no_lowering(value)
    mnemonic, predicate = f"{prefix}cmp{_floating_suffix(type)}", _PREDICATES[name]
    if prefix:
        code = f'asm sideeffect "{mnemonic} $${predicate}, $2, $1, $0", "=x,x,x"'
    else:
        code = f'asm sideeffect "{mnemonic} $${predicate}, $2, $0", "=x,0,x"'
    whole = llvm_type(type.as_int)
    out.append(f"{result}.m = call {text} {code}({text} {args[0]}, {text} {args[1]})")
    out.append(f"{result}.i = bitcast {text} {result}.m to {whole}")
    out.append(f"{result} = icmp slt {whole} {result}.i, {'zeroinitializer' if type.is_vector else '0'}")


def float_relation(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    """Conditions are made of the flags (`relations`). One may be the host's own condition, to branch on at once; any
    others come from a copy of the flags. (Of two conditions that LLVM is asked for, it reads the second too late.)
    """
    type = value.args[0].type
    uses = f.relations[value.id]
    outputs = (["={ax}"] if uses.copied else []) + ([f"={{@cc{uses.condition}}}"] if uses.condition else [])
    instruction = "ucomi" if value.op.name == "fcompare_quiet" else "comi"
    code = (
        f"{'v' if f.module.host.avx else ''}{instruction}{_floating_suffix(type)} ${len(outputs) + 1}, ${len(outputs)}"
    )
    if uses.copied:
        code += f"\\0A{relations.COPY_FLAGS}"
    text = llvm_type(type)
    types = (["i16"] if uses.copied else []) + (["i8"] if uses.condition else [])
    whole = "{" + ", ".join(types) + "}" if len(types) == 2 else "".join(types) or "void"
    constraints = ",".join([*outputs, "x", "x", "~{flags}"])
    call = f'call {whole} asm sideeffect "{code}", "{constraints}"({text} {args[0]}, {text} {args[1]})'
    names = ([f"{result}.ax"] if uses.copied else []) + ([f"{result}.now"] if uses.condition else [])
    if len(names) == 2:
        out.append(f"{result}.all = {call}")
        out.extend(f"{name} = extractvalue {whole} {result}.all, {number}" for number, name in enumerate(names))
    else:
        out.append(f"{names[0]} = {call}" if names else call)
    relations.name_conditions(uses, result, out)


# --- conversion -------------------------------------------------------------------------------------------------------
_BY_ENVIRONMENT: Final = 4
"""The direction of rounding, as an immediate, that leaves it to MXCSR."""
_SIZES: Final = {32: "s", 64: "d"}


def _packed(
    f: FunctionLowering, mnemonic: str, source: Type, target: Type, arg: str, out: Lines, result: str, *,
    clear: bool = False,
) -> None:  # fmt: skip
    """A packed conversion. What has 64 bits is the low half of a register; with `clear`, the rest of it is zero."""
    wide_source, wide_target = (vector(t.element, max(128, t.bits) // t.element.bits) for t in (source, target))
    if source is not wide_source:
        text, lanes = llvm_type(source), ", ".join(f"i32 {lane}" for lane in range(wide_source.lanes))
        rest = "zeroinitializer" if clear else "poison"
        out.append(f"{result}.a = shufflevector {text} {arg}, {text} {rest}, <{wide_source.lanes} x i32> <{lanes}>")
        arg = f"{result}.a"
    name = result if target is wide_target else f"{result}.w"
    code = f'asm sideeffect "{"v" if f.module.host.avx else ""}{mnemonic} $1, $0", "=x,x"'
    out.append(f"{name} = call {llvm_type(wide_target)} {code}({llvm_type(wide_source)} {arg})")
    if target is not wide_target:
        text, lanes = llvm_type(wide_target), ", ".join(f"i32 {lane}" for lane in range(target.lanes))
        out.append(f"{result} = shufflevector {text} {name}, {text} poison, <{target.lanes} x i32> <{lanes}>")


def _merging(f: FunctionLowering, mnemonic: str, value: Value, operand: str = "x") -> str:
    """A conversion that leaves the upper part of its destination, which is cleared so that nothing is waited for."""
    if f.module.host.avx:
        code = f"vxorps $0, $0, $0\\0Av{mnemonic} $1, $0, $0"
    else:
        code = f"xorps $0, $0\\0A{mnemonic} $1, $0"
    return f'{llvm_type(value.type)} asm sideeffect "{code}", "=&x,{operand}"'


def float_convert(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    source, target = value.args[0].type, value.type
    if F16 in (source.element, target.element):
        _convert_half(f, value, result, args[0], out)
        return
    sizes = [_SIZES.get(type.element.bits, "") for type in (source, target)]
    if not all(sizes) or source.element is target.element or source.lanes not in (1, 2, 4):
        raise _no_lowering(value)
    if source.is_vector:
        _packed(f, f"cvtp{sizes[0]}2p{sizes[1]}", source, target, args[0], out, result)
    else:
        mnemonic = f"cvts{sizes[0]}2s{sizes[1]}"
        out.append(f"{result} = call {_merging(f, mnemonic, value)}({llvm_type(source)} {args[0]})")


def _convert_half(f: FunctionLowering, value: Value, result: str, arg: str, out: Lines) -> None:
    """Between vectors of half and of single precision; inline assembly knows halves as integers."""
    source, target = value.args[0].type, value.type
    if {source.element, target.element} != {F16, F32} or not source.is_vector:
        raise _no_lowering(value)
    if not f.module.host.f16c:
        raise MetaphraseError(f"{value.op.name}: this host has no half precision; run this guest on one that has F16C")
    if source.element is F16:
        out.append(f"{result}.i = bitcast {llvm_type(source)} {arg} to {llvm_type(source.as_int)}")
        _packed(f, "cvtph2ps", source.as_int, target, f"{result}.i", out, result)
    else:
        direction = value.imm if value.op.name == "fconvert_by" else _BY_ENVIRONMENT
        _packed(f, f"cvtps2ph $${direction},", source, target.as_int, arg, out, f"{result}.i")
        out.append(f"{result} = bitcast {llvm_type(target.as_int)} {result}.i to {llvm_type(target)}")


def float_to_int(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    source, target = value.args[0].type, value.type
    how = "t" if value.op.name == "ftosi_trunc" else ""
    if source.is_vector:
        if target.element.bits != 32:
            raise _no_lowering(value)
        _packed(f, f"cvt{how}{_floating_suffix(source)}2dq", source, target, args[0], out, result, clear=True)
    elif target.bits in (32, 64):
        _scalar_to_int(f, result, source, target.bits, how, args[0], out)
    elif target.bits < 32:
        _scalar_to_int(f, f"{result}.w", source, 32, how, args[0], out)
        _narrowed(result, target.bits, out)
    else:
        raise _no_lowering(value)


def _scalar_to_int(f: FunctionLowering, result: str, source: Type, bits: int, how: str, arg: str, out: Lines) -> None:
    mnemonic = f"{'v' if f.module.host.avx else ''}cvt{how}{_floating_suffix(source)}2si"
    code = f'asm sideeffect "{mnemonic} $1, $0", "=r,x"'
    out.append(f"{result} = call i{bits} {code}({llvm_type(source)} {arg})")


def _narrowed(result: str, bits: int, out: Lines) -> None:
    """An i32 conversion cut to fewer bits: out of range gives the narrow "integer indefinite"."""
    out.append(f"{result}.n = trunc i32 {result}.w to i{bits}")
    out.append(f"{result}.back = sext i{bits} {result}.n to i32")
    out.append(f"{result}.fits = icmp eq i32 {result}.back, {result}.w")
    out.append(f"{result} = select i1 {result}.fits, i{bits} {result}.n, i{bits} {1 << (bits - 1)}")


def int_to_float(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    source, target = value.args[0].type, value.type
    size = _SIZES.get(target.element.bits)
    if size is None or source.element.bits not in ((32,) if source.is_vector else (32, 64)):
        raise _no_lowering(value)
    if source.is_vector:
        _packed(f, f"cvtdq2p{size}", source, target, args[0], out, result, clear=True)
    else:
        mnemonic = f"cvtsi2s{size}{'l' if source.bits == 32 else 'q'}"
        out.append(f"{result} = call {_merging(f, mnemonic, value, 'r')}({llvm_type(source)} {args[0]})")


def float_round(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    type = value.type
    prefix = "v" if f.module.host.avx else ""
    mnemonic = f"{prefix}round{_floating_suffix(type)}"
    operands = "$1, $1, $0" if prefix and not type.is_vector else "$1, $0"
    text = llvm_type(type)
    code = f'asm sideeffect "{mnemonic} $${value.imm}, {operands}", "=x,x"'
    out.append(f"{result} = call {text} {code}({text} {args[0]})")


# --- the environment --------------------------------------------------------------------------------------------------
def get_fenv(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    slot = f.fenv_pointer(f"{result}.slot", out)
    f.module.declare("declare void @llvm.x86.sse.stmxcsr(ptr)")
    host = f.pointer(f"{result}.host", context.SCRATCH, out)
    out.append(f"call void @llvm.x86.sse.stmxcsr(ptr {host})")
    out.append(f"{result}.now = load i32, ptr {host}")
    out.append(f"{result}.flags = and i32 {result}.now, {0xFFFFFFFF & ~0x1F80}")
    out.append(f"{result}.saved = load i32, ptr {slot}")
    out.append(f"{result}.masks = and i32 {result}.saved, {0x1F80}")
    out.append(f"{result} = or i32 {result}.flags, {result}.masks")


def set_fenv(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    slot = f.fenv_pointer(f"{result}.slot", out)
    f.module.declare("declare void @llvm.x86.sse.ldmxcsr(ptr)")
    host = f.pointer(f"{result}.host", context.SCRATCH, out)
    out.append(f"store i32 {args[0]}, ptr {slot}")
    out.append(f"store i32 {args[0]}, ptr {host}")
    out.append(f"call void @llvm.x86.sse.ldmxcsr(ptr {host})")


def set_f80_control(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    host = f.pointer(f"{result}.host", context.SCRATCH, out)
    out.append(f"{result}.masked = or i16 {args[0]}, 63")
    out.append(f"store i16 {result}.masked, ptr {host}")
    out.append(f'call void asm sideeffect "fldcw $0", "*m,~{{memory}}"(ptr elementtype(i16) {host})')


def take_f80_flags(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f'{result}.word = call i16 asm sideeffect "fnstsw %ax\\0Afnclex", "={{ax}}"()')
    out.append(f"{result} = and i16 {result}.word, 63")


def _floating(narrow: Lowering) -> Lowering:
    """The lowering of a floating-point op: `narrow`, but for f80, and for 256 bits on a host that has no AVX."""

    def lowering(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
        if extended.concerns(value):
            extended.lower(f, value, result, args, out)
        elif not f.module.host.avx and max(type.bits for type in (value.type, *(a.type for a in value.args))) > 128:
            _by_halves(narrow, f, value, result, args, out)
        else:
            narrow(f, value, result, args, out)

    return lowering


@dataclass(frozen=True)
class _Half:
    """What a lowering asks of a value, for half the lanes."""

    op: Op
    type: Type
    args: tuple[_Half, ...]
    imm: object = None


def _by_halves(
    narrow: Lowering, f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines
) -> None:
    def half_type(type: Type) -> Type:
        return vector(type.element, type.lanes // 2)

    operands = tuple(_Half(arg.op, half_type(arg.type), ()) for arg in value.args)
    half = _Half(value.op, half_type(value.type), operands, value.imm)
    for number in range(2):
        parts = []
        for index, (arg, text) in enumerate(zip(value.args, args, strict=True)):
            lanes = range(number * arg.type.lanes // 2, (number + 1) * arg.type.lanes // 2)
            parts.append(f"{result}.h{number}.a{index}")
            out.append(_shuffled(parts[-1], arg.type, text, text, lanes))
        narrow(f, cast(Value, half), f"{result}.h{number}", parts, out)
    out.append(_shuffled(result, half.type, f"{result}.h0", f"{result}.h1", range(value.type.lanes)))


def _shuffled(result: str, type: Type, a: str, b: str, lanes: range) -> str:
    text, mask = llvm_type(type), ", ".join(f"i32 {lane}" for lane in lanes)
    return f"{result} = shufflevector {text} {a}, {text} {b}, <{len(lanes)} x i32> <{mask}>"


EFFECTS: Final[dict[str, Lowering]] = {
    **dict.fromkeys(_ARITHMETIC, _floating(float_arithmetic)),
    **dict.fromkeys((*_PREDICATES, *_CONDITIONS), _floating(float_compare)),
    **dict.fromkeys(("fcompare", "fcompare_quiet"), _floating(float_relation)),
    "fsqrt": _floating(float_sqrt), **dict.fromkeys(_FUSED, _floating(float_fma)),
    **dict.fromkeys(("fconvert", "fconvert_by"), _floating(float_convert)),
    "ftosi": _floating(float_to_int), "ftosi_trunc": _floating(float_to_int), "sitof": _floating(int_to_float),
    "fround": _floating(float_round), "get_fenv": get_fenv, "set_fenv": set_fenv,
    "f80_function": extended.function, "set_f80_control": set_f80_control, "take_f80_flags": take_f80_flags,
}  # fmt: skip
