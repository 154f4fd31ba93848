"""Effects to LLVM: guest state and memory, atomics, floating point, the runtime's own memory.

Guest memory is addressed through the GS segment (LLVM's address space 256), whose base is that of the guest's window;
every access first checks that the address lies inside it. Floating-point arithmetic is written as the host's own
instructions, which no optimisation commutes or folds: guest NaNs, rounding and sticky flags are those of the hardware.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from metaphrase.backends.llvm import context, extended
from metaphrase.backends.llvm.pure import Lines, constant, llvm_type, operand, suffix
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Value
from metaphrase.ir.types import Type

if TYPE_CHECKING:
    from metaphrase.backends.llvm.lower import FunctionLowering

_ARITHMETIC = {"fadd": "add", "fsub": "sub", "fmul": "mul", "fdiv": "div", "fmin": "min", "fmax": "max"}
_COMPARES = {"feq": "oeq", "flt_quiet": "olt", "funord": "uno"}
_SIGNALLING = {"flt": ("a", 1), "fle": ("ae", 2)}


def _floating_suffix(type: Type) -> str:
    packed = "p" if type.is_vector else "s"
    return packed + ("s" if type.element.bits == 32 else "d")


def float_arithmetic(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    text, name = llvm_type(value.type), _ARITHMETIC[value.op.name]
    mnemonic = name + _floating_suffix(value.type)
    if f.module.host.avx:
        code = f'asm sideeffect "v{mnemonic} $2, $1, $0", "=x,x,x"'
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
    code = f'asm sideeffect "vfmadd213{_floating_suffix(value.type)} $3, $2, $0", "=x,0,x,x"'
    out.append(f"{result} = call {text} {code}({text} {args[0]}, {text} {args[1]}, {text} {args[2]})")


def float_compare(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    type = value.args[0].type
    text, name = llvm_type(type), value.op.name
    if name in _COMPARES:
        out.append(f"{result} = fcmp {_COMPARES[name]} {text} {args[0]}, {args[1]}")
        return
    flag, predicate = _SIGNALLING[name]
    prefix = "v" if f.module.host.avx else ""
    mnemonic = _floating_suffix(type)
    if type.is_vector:
        if prefix:
            code = f'asm sideeffect "vcmp{mnemonic} $$${predicate}, $2, $1, $0", "=x,x,x"'.replace("$$$", "$$")
        else:
            code = f'asm sideeffect "cmp{mnemonic} $${predicate}, $2, $0", "=x,0,x"'
        whole = llvm_type(type.as_int)
        out.append(f"{result}.m = call {text} {code}({text} {args[0]}, {text} {args[1]})")
        out.append(f"{result}.i = bitcast {text} {result}.m to {whole}")
        out.append(f"{result} = icmp slt {whole} {result}.i, zeroinitializer")
    else:  # a < b is "above" of comis b, a: unordered gives CF = ZF = 1
        code = f'asm sideeffect "{prefix}comi{mnemonic} $1, $2", "={{@cc{flag}}},x,x,~{{flags}}"'
        out.append(f"{result}.b = call i8 {code}({text} {args[0]}, {text} {args[1]})")
        out.append(f"{result} = trunc i8 {result}.b to i1")


def float_convert(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    source, target = value.args[0].type, value.type
    sizes = {32: "s", 64: "d"}
    if not source.is_vector and source.bits in sizes and target.bits in sizes:
        # LLVM would move an instruction of its own across changes of the rounding mode, or drop it with its flags.
        mnemonic = f"cvts{sizes[source.bits]}2s{sizes[target.bits]}"
        out.append(f"{result} = call {_merging(f, mnemonic, value)}({llvm_type(source)} {args[0]})")
        return
    name = "fpext" if target.element.bits > source.element.bits else "fptrunc"
    out.append(f"{result} = {name} {llvm_type(source)} {args[0]} to {llvm_type(target)}")


def _merging(f: FunctionLowering, mnemonic: str, value: Value, operand: str = "x") -> str:
    """A conversion that leaves the upper part of its destination, which is cleared so that nothing is waited for."""
    if f.module.host.avx:
        code = f"vxorps $0, $0, $0\\0Av{mnemonic} $1, $0, $0"
    else:
        code = f"xorps $0, $0\\0A{mnemonic} $1, $0"
    return f'{llvm_type(value.type)} asm sideeffect "{code}", "=&x,{operand}"'


_TO_INT: Final = frozenset({("f32", "i32"), ("f32", "i64"), ("f64", "i32"), ("f64", "i64")})


def float_to_int(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    source, target = value.args[0].type, value.type
    how = "t" if value.op.name == "ftosi_trunc" else ""
    names = (source.element.name, target.element.name)
    if source.is_vector and names == ("f32", "i32") and source.lanes == 4:
        _call(f, result, f"llvm.x86.sse2.cvt{how}ps2dq", "<4 x i32>", "<4 x float>", args[0], out)
    elif source.is_vector and names == ("f64", "i32") and source.lanes == 2:
        _call(f, f"{result}.w", f"llvm.x86.sse2.cvt{how}pd2dq", "<4 x i32>", "<2 x double>", args[0], out)
        lanes = "<2 x i32> <i32 0, i32 1>"
        out.append(f"{result} = shufflevector <4 x i32> {result}.w, <4 x i32> poison, {lanes}")
    elif source.is_vector:
        _by_lane(f, value, result, args[0], out)
    elif names in _TO_INT:
        _scalar_to_int(f, result, names, how, args[0], out)
    elif target.bits < 32:
        _scalar_to_int(f, f"{result}.w", (names[0], "i32"), how, args[0], out)
        _narrowed(result, target.bits, out)
    else:
        raise MetaphraseError(f"{value.op.name} from {source} to {target} has no lowering")


def _scalar_to_int(f: FunctionLowering, result: str, names: tuple[str, str], how: str, arg: str, out: Lines) -> None:
    scalar, suffix = {"f32": ("float", "ss"), "f64": ("double", "sd")}[names[0]]
    code = f'asm sideeffect "{"v" if f.module.host.avx else ""}cvt{how}{suffix}2si $1, $0", "=r,x"'
    out.append(f"{result} = call {names[1]} {code}({scalar} {arg})")


def _call(f: FunctionLowering, result: str, name: str, to: str, source: str, arg: str, out: Lines) -> None:
    f.module.declare(f"declare {to} @{name}({source})")
    out.append(f"{result} = call {to} @{name}({source} {arg})")


def _narrowed(result: str, bits: int, out: Lines) -> None:
    """An i32 conversion cut to fewer bits: out of range gives the narrow "integer indefinite"."""
    out.append(f"{result}.n = trunc i32 {result}.w to i{bits}")
    out.append(f"{result}.back = sext i{bits} {result}.n to i32")
    out.append(f"{result}.fits = icmp eq i32 {result}.back, {result}.w")
    out.append(f"{result} = select i1 {result}.fits, i{bits} {result}.n, i{bits} {1 << (bits - 1)}")


def _by_lane(f: FunctionLowering, value: Value, result: str, arg: str, out: Lines) -> None:
    source, target = value.args[0].type, value.type
    how = "t" if value.op.name == "ftosi_trunc" else ""
    element = llvm_type(target.element)
    text, before = llvm_type(target), "poison"
    for lane in range(target.lanes):
        out.append(f"{result}.s{lane} = extractelement {llvm_type(source)} {arg}, i32 {lane}")
        names = (source.element.name, target.element.name)
        _scalar_to_int(f, f"{result}.c{lane}", names, how, f"{result}.s{lane}", out)
        name = result if lane == target.lanes - 1 else f"{result}.l{lane}"
        out.append(f"{name} = insertelement {text} {before}, {element} {result}.c{lane}, i32 {lane}")
        before = name


def int_to_float(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    source, target = value.args[0].type, value.type
    if source.bits in (32, 64) and target.bits in (32, 64) and not source.is_vector:
        mnemonic = f"cvtsi2s{'s' if target.bits == 32 else 'd'}{'l' if source.bits == 32 else 'q'}"
        out.append(f"{result} = call {_merging(f, mnemonic, value, 'r')}({llvm_type(source)} {args[0]})")
        return
    out.append(f"{result} = sitofp {llvm_type(value.args[0].type)} {args[0]} to {llvm_type(value.type)}")


def float_round(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    type = value.type
    prefix = "v" if f.module.host.avx else ""
    mnemonic = f"{prefix}round{_floating_suffix(type)}"
    operands = "$1, $1, $0" if prefix and not type.is_vector else "$1, $0"
    text = llvm_type(type)
    code = f'asm sideeffect "{mnemonic} $${value.imm}, {operands}", "=x,x"'
    out.append(f"{result} = call {text} {code}({text} {args[0]})")


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
    out.append(f"{result}.masked = or i32 {args[0]}, {0x1F80}")  # the host process never takes the exception itself
    out.append(f"store i32 {result}.masked, ptr {host}")
    out.append(f"call void @llvm.x86.sse.ldmxcsr(ptr {host})")


def set_f80_control(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    host = f.pointer(f"{result}.host", context.SCRATCH, out)
    out.append(f"{result}.masked = or i16 {args[0]}, 63")
    out.append(f"store i16 {result}.masked, ptr {host}")
    out.append(f'call void asm sideeffect "fldcw $0", "*m,~{{memory}}"(ptr elementtype(i16) {host})')


def take_f80_flags(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f'{result}.word = call i16 asm sideeffect "fnstsw %ax\\0Afnclex", "={{ax}}"()')
    out.append(f"{result} = and i16 {result}.word, 63")


# --- guest memory -------------------------------------------------------------------------------------------------
def load(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    text = llvm_type(value.type)
    pointer = f.guest_pointer(value, args[0], result, False, out)
    if value.type.bits == 1:
        out.append(f"{result}.b = load volatile i8, ptr addrspace(256) {pointer}, align 1")
        out.append(f"{result} = trunc i8 {result}.b to i1")
    else:
        out.append(f"{result} = load volatile {text}, ptr addrspace(256) {pointer}, align 1")


def store(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    pointer = f.guest_pointer(value, args[0], result, True, out)
    stored = value.args[1].type
    text, source = llvm_type(stored), args[1]
    if stored.bits == 1:
        out.append(f"{result}.b = zext i1 {source} to i8")
        text, source = "i8", f"{result}.b"
    out.append(f"store volatile {text} {source}, ptr addrspace(256) {pointer}, align 1")


_RMW = {"add": "add", "sub": "sub", "and": "and", "or": "or", "xor": "xor", "xchg": "xchg",
        "smin": "min", "smax": "max", "umin": "umin", "umax": "umax"}  # fmt: skip


def rmw(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    pointer = f.guest_pointer(value, args[0], result, True, out)
    text = llvm_type(value.type)
    operation = f"{_RMW[value.imm]} ptr addrspace(256) {pointer}, {text} {args[1]}"
    out.append(f"{result}.old = atomicrmw volatile {operation} seq_cst")
    # LLVM makes LOCK BTR and the like from an atomic operation and a test of its result, and loses the address space
    # over it: the access would reach host memory. It does not look through inline assembly.
    out.append(f'{result} = call {text} asm "", "=r,0,~{{flags}}"({text} {result}.old)')


def cmpxchg(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    pointer = f.guest_pointer(value, args[0], result, True, out)
    text = llvm_type(value.type)
    values = f"{text} {args[1]}, {text} {args[2]}"
    out.append(f"{result}.pair = cmpxchg volatile ptr addrspace(256) {pointer}, {values} seq_cst seq_cst")
    out.append(f"{result} = extractvalue {{{text}, i1}} {result}.pair, 0")


def fence(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append("fence seq_cst")


def cycles(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    f.module.declare("declare i64 @llvm.readcyclecounter()")
    out.append(f"{result} = call i64 @llvm.readcyclecounter()")


# --- state, locals, the runtime's memory --------------------------------------------------------------------------
def get(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    pointer = f.state_pointer(value.imm, value.type, result, out)
    out.append(f"{result} = load {llvm_type(value.type)}, ptr {pointer}, align 1")


def put(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    stored = value.args[0].type
    pointer = f.state_pointer(value.imm, stored, result, out)
    out.append(f"store {llvm_type(stored)} {args[0]}, ptr {pointer}, align 1")


def get_at(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result}.p = getelementptr i8, ptr %state, i64 {args[0]}")
    out.append(f"{result} = load {llvm_type(value.type)}, ptr {result}.p, align 1")


def put_at(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result}.p = getelementptr i8, ptr %state, i64 {args[0]}")
    out.append(f"store {llvm_type(value.args[1].type)} {args[1]}, ptr {result}.p, align 1")


def peek(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result}.p = inttoptr i64 {args[0]} to ptr")
    out.append(f"{result} = load {llvm_type(value.type)}, ptr {result}.p, align 1")


def poke(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result}.p = inttoptr i64 {args[0]} to ptr")
    out.append(f"store {llvm_type(value.args[1].type)} {args[1]}, ptr {result}.p, align 1")


def read(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result} = load {llvm_type(value.type)}, ptr %local{value.imm}")


def write(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"store {llvm_type(value.args[0].type)} {args[0]}, ptr %local{value.imm}")


Lowering = Callable[["FunctionLowering", Value, str, list[str], Lines], None]


def _floating(narrow: Lowering) -> Lowering:
    """The lowering of a floating-point op: `narrow`, but for f80."""

    def lowering(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
        (extended.lower if extended.concerns(value) else narrow)(f, value, result, args, out)

    return lowering


EFFECTS: Final[dict[str, Lowering]] = {
    **dict.fromkeys(_ARITHMETIC, _floating(float_arithmetic)),
    **dict.fromkeys((*_COMPARES, *_SIGNALLING), _floating(float_compare)),
    "fsqrt": _floating(float_sqrt), "fma": _floating(float_fma), "fconvert": _floating(float_convert),
    "ftosi": _floating(float_to_int), "ftosi_trunc": _floating(float_to_int), "sitof": _floating(int_to_float),
    "fround": _floating(float_round), "get_fenv": get_fenv, "set_fenv": set_fenv,
    "f80_function": extended.function, "set_f80_control": set_f80_control, "take_f80_flags": take_f80_flags,
    "load": load, "store": store, "near_load": load, "near_store": store,
    "rmw": rmw, "cmpxchg": cmpxchg, "fence": fence, "cycles": cycles,
    "get": get, "put": put, "get_at": get_at, "put_at": put_at, "peek": peek, "poke": poke,
    "read": read, "write": write,
}  # fmt: skip

__all__ = ["EFFECTS", "constant", "operand", "suffix"]
