"""The exact arithmetic against the host's SSE, AVX-512 and x87 units: results and flags, bit for bit.

Each instruction is wrapped in a loop of machine code that loads a case's operands and control register, executes it,
and stores the result and the flags. Operands crowd where formats have edges.
"""

from __future__ import annotations

import ctypes
import os
import platform
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from metaphrase.backends.llvm.codecache import CodeCache
from metaphrase.backends.llvm.objects import link
from metaphrase.ir import softfloat
from metaphrase.ir.softfloat import DOUBLE, EXTENDED, HALF, SINGLE, Format, Relation, Rounding
from tests.oracle.native import SUPPORTED, Case, Oracle, State

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the oracle is an x86-64 CPU")

Operands = tuple[int, int, int, int]
"""Three operands' bits and an MXCSR."""

CASES = int(os.environ.get("METAPHRASE_SOFTFLOAT_CASES", "5000"))
_cpu = set(Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split())
_keep: list[CodeCache] = []


class _In(ctypes.Structure):
    _fields_ = (
        ("operands", ctypes.c_uint8 * 48),
        ("mxcsr", ctypes.c_uint32),
        ("x87", ctypes.c_uint32),
        ("_", ctypes.c_uint64),
    )


class _Out(ctypes.Structure):
    _fields_ = (("result", ctypes.c_uint8 * 16), ("flags", ctypes.c_uint32), ("_", ctypes.c_uint32 * 3))


@cache
def _loop(body: str) -> Callable[..., None]:
    """A native loop over cases around AT&T assembly that reads $0 (_In) and writes $1 (_Out)."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    machine = llvm.Target.from_triple("x86_64-unknown-linux-gnu").create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), reloc="pic", codemodel="small"
    )
    clobbers = ",".join(f"~{{{name}}}" for name in ["xmm0", "xmm1", "xmm2", "xmm3", "rax", "st", "memory", "cc"])
    text = f"""target triple = "x86_64-unknown-linux-gnu"
    define void @loop(ptr %in, ptr %out, i64 %count) nounwind {{
    entry:
      %saved = alloca i32
      call void asm sideeffect "stmxcsr ($0)", "r,~{{memory}}"(ptr %saved)
      br label %body
    body:
      %i = phi i64 [ 0, %entry ], [ %next, %body ]
      %case = getelementptr [64 x i8], ptr %in, i64 %i
      %result = getelementptr [32 x i8], ptr %out, i64 %i
      call void asm sideeffect "{body}", "r,r,{clobbers}"(ptr %case, ptr %result)
      %next = add i64 %i, 1
      %more = icmp ult i64 %next, %count
      br i1 %more, label %body, label %done
    done:
      call void asm sideeffect "ldmxcsr ($0)", "r,~{{memory}}"(ptr %saved)
      ret void
    }}"""
    image = link([machine.emit_object(llvm.parse_assembly(text))])
    reservation = CodeCache(1 << 16)
    _keep.append(reservation)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)
    return kind(reservation.add(image) + image.symbols["loop"])


def _sse(instruction: str) -> str:
    """Operands in xmm0 to xmm2, result in xmm0."""
    loads = "ldmxcsr 48($0); movups ($0), %xmm0; movups 16($0), %xmm1; movups 32($0), %xmm2; mov ($0), %rax"
    return f"{loads}; {instruction}; movups %xmm0, ($1); stmxcsr 16($1)"


def _x87(instruction: str, operands: int = 2, store: str = "fstpt ($1)", load: str = "fldt") -> str:
    loads = "; ".join(f"{load} {16 * n}($0)" for n in range(operands))
    return f"fninit; fldcw 52($0); {loads}; {instruction}; {store}; fnstsw %ax; movzwl %ax, %eax; mov %eax, 16($1)"


def _native(body: str, cases: Sequence[Operands]) -> Iterator[tuple[int, int]]:
    """(result's 128 bits, flags) of each case."""
    source, target = (_In * len(cases))(), (_Out * len(cases))()
    for slot, (x, y, z, mxcsr) in zip(source, cases):
        slot.operands[:] = b"".join(bits.to_bytes(16, "little") for bits in (x, y, z))
        slot.mxcsr = mxcsr
        slot.x87 = 0x33F | (mxcsr >> 13 & 3) << 10
    _loop(body)(source, target, len(cases))
    for result in target:
        yield int.from_bytes(bytes(result.result), "little"), result.flags & 0x3F


def _operand(form: Format, draw: random.Random, near: int | None = None) -> int:
    """A bit pattern, most likely at an edge; `near` is another operand whose exponent it may share."""
    top = form.exponent_mask
    precision = form.precision
    integer = 1 << (precision - 1)
    exponent = draw.choice(
        (0, 0, 1, 2, precision, top // 2, top // 2 + draw.randint(-70, 70), top - 1, top, draw.randint(0, top))
    )
    if near is not None and draw.random() < 0.5:
        exponent = (near >> form.fraction_bits & top) + draw.randint(-precision - 2, precision + 2) // draw.choice(
            (1, 8, 99)
        )
    exponent = min(max(exponent, 0), top)
    fraction = draw.choice(
        (
            0,
            0,
            1,
            2,
            integer - 1,
            integer >> 1,
            (integer >> 1) - 1,
            (integer >> 1) + 1,
            1 << draw.randrange(precision - 1),
        )
        + (draw.getrandbits(precision - 1),) * 6
    )
    if form.explicit_integer:
        stored = exponent != 0 if draw.random() < 0.95 else exponent == 0
        return draw.getrandbits(1) << 79 | exponent << 64 | stored << 63 | fraction
    return form.encode(draw.getrandbits(1), exponent, fraction)


def _cases(form: Format, seed: str, count: int = CASES) -> list[Operands]:
    draw = random.Random(seed)
    cases = []
    for _ in range(count):
        x = _operand(form, draw)
        y, z = _operand(form, draw, x), _operand(form, draw, x)
        if draw.random() < 0.2:  # sums near the product, for fma
            bias = form.exponent_mask // 2
            exponents = (
                sum(bits >> form.fraction_bits & form.exponent_mask for bits in (x, y)) - bias + draw.randint(-3, 3)
            )
            z = form.encode(
                draw.getrandbits(1),
                min(max(exponents, 1), form.exponent_mask - 1),
                draw.getrandbits(form.precision) | 1 << (form.precision - 1),
            )
        cases.append((x, y, z, 0x1F80 | draw.choice((0, 0x40, 0x8000, 0x8040)) | draw.randrange(4) << 13))
    return cases


def _agree(body: str, width: int, cases: Sequence[Operands], model: Callable[..., tuple[int, int]]) -> None:
    mask = (1 << width) - 1
    wrong = []
    for case, (bits, flags) in zip(cases, _native(body, cases)):
        expected = model(*case)
        if (bits & mask, flags) != tuple(expected):
            x, y, z, mxcsr = case
            wrong.append(
                f"x={x:#x} y={y:#x} z={z:#x} mxcsr={mxcsr:#x}: host {bits & mask:#x} flags {flags:#x}, "
                f"model {expected[0]:#x} flags {expected[1]:#x}"
            )
    assert not wrong, f"{len(wrong)} of {len(cases)} differ; the first: \n" + "\n".join(wrong[:12])


SUFFIX = {"f32": "ss", "f64": "sd", "f16": "sh"}
BINARY = {"add": softfloat.add, "sub": softfloat.sub, "mul": softfloat.mul, "div": softfloat.div}
with_fp16 = pytest.mark.skipif("avx512_fp16" not in _cpu, reason="needs AVX512-FP16")
with_fma = pytest.mark.skipif("fma" not in _cpu, reason="needs FMA")
with_avx512 = pytest.mark.skipif("avx512f" not in _cpu, reason="needs AVX-512")
with_f16c = pytest.mark.skipif("f16c" not in _cpu, reason="needs F16C")
with_sse41 = pytest.mark.skipif("sse4_1" not in _cpu, reason="needs SSE4.1")
SSE_FORMATS = [SINGLE, DOUBLE, pytest.param(HALF, marks=with_fp16)]


def _name(value: object) -> str | None:
    return value.name if isinstance(value, Format) else None


@pytest.mark.parametrize("operation", BINARY)
@pytest.mark.parametrize("form", SSE_FORMATS, ids=_name)
def test_binary(form: Format, operation: str) -> None:
    instruction = f"{operation}{SUFFIX[form.name]} %xmm1, %xmm0"
    if form is HALF:
        instruction = f"v{operation}sh %xmm1, %xmm0, %xmm0"
    model = BINARY[operation]
    cases = _cases(form, operation + form.name)
    _agree(_sse(instruction), form.width, cases, lambda x, y, z, env: model(form, x, y, env))


@pytest.mark.parametrize("form", SSE_FORMATS, ids=_name)
def test_sqrt(form: Format) -> None:
    name = SUFFIX[form.name]
    instruction = "vsqrtsh %xmm0, %xmm0, %xmm0" if form is HALF else f"sqrt{name} %xmm0, %xmm0"
    _agree(_sse(instruction), form.width, _cases(form, "sqrt"), lambda x, y, z, env: softfloat.sqrt(form, x, env))


@with_fma
@pytest.mark.parametrize("kind", ["fmadd", "fmsub", "fnmadd", "fnmsub"])
@pytest.mark.parametrize("form", SSE_FORMATS, ids=_name)
def test_fma(form: Format, kind: str) -> None:
    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        # 213: the second operand times the first plus the third; that order decides among NaNs.
        return softfloat.fma(form, y, x, z, env, negate_product=kind[1] == "n", negate_addend=kind.endswith("sub"))

    _agree(_sse(f"v{kind}213{SUFFIX[form.name]} %xmm2, %xmm1, %xmm0"), form.width, _cases(form, kind), model)


@with_fma
@pytest.mark.parametrize(
    "instruction", ["vfmadd132sd %xmm1, %xmm2, %xmm0", "vfmadd231sd %xmm1, %xmm0, %xmm2; movaps %xmm2, %xmm0"]
)
def test_fma_precedence_of_nans(instruction: str) -> None:
    cases = _cases(DOUBLE, instruction)
    _agree(_sse(instruction), 64, cases, lambda x, y, z, env: softfloat.fma(DOUBLE, x, y, z, env))


@pytest.mark.parametrize(
    ("source", "target", "instruction"),
    [
        (SINGLE, DOUBLE, "cvtss2sd %xmm0, %xmm0"),
        (DOUBLE, SINGLE, "cvtsd2ss %xmm0, %xmm0"),
        pytest.param(HALF, SINGLE, "vcvtsh2ss %xmm0, %xmm0, %xmm0", marks=with_fp16),
        pytest.param(SINGLE, HALF, "vcvtss2sh %xmm0, %xmm0, %xmm0", marks=with_fp16),
        pytest.param(DOUBLE, HALF, "vcvtsd2sh %xmm0, %xmm0, %xmm0", marks=with_fp16),
    ],
)
def test_convert(source: Format, target: Format, instruction: str) -> None:
    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        return softfloat.convert(source, target, x, env)

    _agree(_sse(instruction), target.width, _cases(source, instruction), model)


@pytest.mark.parametrize("form", [SINGLE, DOUBLE], ids=_name)
@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("truncate", [False, True])
def test_to_int(form: Format, width: int, truncate: bool) -> None:
    register = "%rax" if width == 64 else "%eax"
    instruction = f"cvt{'t' * truncate}{SUFFIX[form.name]}2si %xmm0, {register}; movq %rax, %xmm0"
    rounding = Rounding.TOWARD_ZERO if truncate else None

    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        return softfloat.to_int(form, x, width, True, env, rounding)

    _agree(_sse(instruction), width, _cases(form, instruction), model)


@with_avx512
@pytest.mark.parametrize("form", [SINGLE, DOUBLE], ids=_name)
@pytest.mark.parametrize("width", [32, 64])
def test_to_unsigned(form: Format, width: int) -> None:
    register = "%rax" if width == 64 else "%eax"
    instruction = f"vcvt{SUFFIX[form.name]}2usi %xmm0, {register}; movq %rax, %xmm0"

    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        return softfloat.to_int(form, x, width, False, env)

    _agree(_sse(instruction), width, _cases(form, instruction), model)


@pytest.mark.parametrize("form", [SINGLE, DOUBLE], ids=_name)
@pytest.mark.parametrize("width", [32, 64])
def test_from_int(form: Format, width: int) -> None:
    suffix, register = ("q", "%rax") if width == 64 else ("l", "%eax")
    instruction = f"cvtsi2{SUFFIX[form.name]}{suffix} {register}, %xmm0"

    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        value = x & ((1 << width) - 1)
        return softfloat.from_int(form, value - (value >> (width - 1) << width), env)

    _agree(_sse(instruction), form.width, _cases(DOUBLE, instruction), model)


RELATIONS = {Relation.UNORDERED: 0x45, Relation.GREATER: 0, Relation.LESS: 1, Relation.EQUAL: 0x40}  # ZF PF CF


@pytest.mark.parametrize("form", SSE_FORMATS, ids=_name)
@pytest.mark.parametrize("signalling", [False, True])
def test_compare(form: Format, signalling: bool) -> None:
    name = "v" * (form is HALF) + ("comi" if signalling else "ucomi") + SUFFIX[form.name]

    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        relation, flags = softfloat.compare(form, x, y, env, signalling)
        return RELATIONS[relation], flags

    cases = [(x, x if z & 7 == 0 else y, z, env) for x, y, z, env in _cases(form, name)]
    _agree(_sse(f"{name} %xmm1, %xmm0; lahf; movzx %ah, %eax; and $$0x45, %eax; movq %rax, %xmm0"), 64, cases, model)


@with_sse41
@pytest.mark.parametrize("form", [SINGLE, DOUBLE], ids=_name)
@pytest.mark.parametrize("control", [0, 1, 2, 3, 4, 12])
def test_round_to_integral(form: Format, control: int) -> None:
    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        rounding = None if control & 4 else control
        return softfloat.round_to_integral(form, x, env, rounding, exact=not control & 8)

    cases = _cases(form, f"round{control}", CASES // 4)
    _agree(_sse(f"round{SUFFIX[form.name]} $${control}, %xmm0, %xmm0"), form.width, cases, model)


@pytest.mark.parametrize(
    # AT&T assembly swaps fsub with fsubr and fdiv with fdivr when the destination is not st(0), for historical reasons.
    ("operation", "instruction"),
    [("add", "faddp"), ("sub", "fsubrp"), ("mul", "fmulp"), ("div", "fdivrp")],
)
def test_extended_binary(operation: str, instruction: str) -> None:
    body = _x87(f"{instruction} %st, %st(1)")
    model = BINARY[operation]
    _agree(body, 80, _cases(EXTENDED, operation), lambda x, y, z, env: model(EXTENDED, x, y, env))


def test_extended_sqrt_and_round() -> None:
    cases = _cases(EXTENDED, "fsqrt")
    _agree(_x87("fsqrt", 1), 80, cases, lambda x, y, z, env: softfloat.sqrt(EXTENDED, x, env))


@pytest.mark.parametrize(("target", "store"), [(SINGLE, "fstps ($1)"), (DOUBLE, "fstpl ($1)")])
def test_extended_store(target: Format, store: str) -> None:
    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        return softfloat.convert(EXTENDED, target, x, env)

    _agree(_x87("", 1, store), target.width, _cases(EXTENDED, store), model)


@pytest.mark.parametrize(("source", "load"), [(SINGLE, "flds"), (DOUBLE, "fldl")])
def test_extended_load(source: Format, load: str) -> None:
    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        return softfloat.convert(source, EXTENDED, x, env)

    _agree(_x87("", 1, load=load), 80, _cases(source, load), model)


@pytest.mark.parametrize(("width", "store"), [(16, "fistps ($1)"), (32, "fistpl ($1)"), (64, "fistpll ($1)")])
def test_extended_to_int(width: int, store: str) -> None:
    def model(x: int, y: int, z: int, env: int) -> tuple[int, int]:
        return softfloat.to_int(EXTENDED, x, width, True, env)

    _agree(_x87("", 1, store), width, _cases(EXTENDED, store), model)


UNMASKED = [
    (name, form, code)
    for name, code in (("add", 0x58), ("sub", 0x5C), ("mul", 0x59), ("div", 0x5E), ("sqrt", 0x51))
    for form in (SINGLE, DOUBLE)
]


@pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")
def test_unmasked_exceptions_raise_the_same_flags() -> None:
    """With any masks: the same flags, a fault exactly when one of them is unmasked, and otherwise the same result."""
    with Oracle() as oracle:
        for name, form, code in UNMASKED:
            instruction = bytes([0xF3 if form is SINGLE else 0xF2, 0x0F, code, 0xC1])
            cases = [
                (x, y, z & 0x3F << 7 | env & ~(0x3F << 7)) for x, y, z, env in _cases(form, f"{name} masks", CASES // 5)
            ]
            results = oracle.run([Case(instruction, State(mxcsr=env, xmm=[x, y])) for x, y, env in cases])
            for (x, y, env), result in zip(cases, results):
                bits, flags = softfloat.sqrt(form, y, env) if name == "sqrt" else BINARY[name](form, x, y, env)
                trapped = flags & ~(env >> 7) & 0x3F != 0
                context = f"{name} {form.name} x={x:#x} y={y:#x} mxcsr={env:#x}"
                assert (result.state.mxcsr & 0x3F, result.fault is not None) == (flags, trapped), context
                assert trapped or result.state.xmm[0] & ((1 << form.width) - 1) == bits, context
