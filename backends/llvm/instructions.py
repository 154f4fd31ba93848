"""Ops that are one instruction of hosts that have it, by LLVM's intrinsics; other hosts get their expansions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function, Imm, Value
from metaphrase.ir.ops import OPS, Op
from metaphrase.ir.types import Type

if TYPE_CHECKING:
    from metaphrase.backends.llvm.host import Host
    from metaphrase.backends.llvm.pure import Lines, PureLowering

_QUADWORDS, _BYTES, _WORDS = "<2 x i64>", "<16 x i8>", "<4 x i32>"


@dataclass(frozen=True, slots=True)
class _Intrinsic:
    """The host's feature, LLVM's name behind `llvm.x86.` (with {bits}), the type it works on, and a last argument."""

    feature: str
    name: str
    type: str = ""
    last: str = ""


_INTRINSICS: Final = {
    "byte_shuffle": _Intrinsic("ssse3", "ssse3.pshuf.b.128", _BYTES),
    "deposit_bits": _Intrinsic("bmi2", "bmi.pdep.{bits}"),
    "extract_bits": _Intrinsic("bmi2", "bmi.pext.{bits}"),
    "carryless_product": _Intrinsic("pclmulqdq", "pclmulqdq", _QUADWORDS, "i8 0"),
    "field_product": _Intrinsic("gfni", "vgf2p8mulb.128", _BYTES),
    "affine": _Intrinsic("gfni", "vgf2p8affineqb.128", _BYTES, "i8 0"),
    "affine_inverse": _Intrinsic("gfni", "vgf2p8affineinvqb.128", _BYTES, "i8 0"),
    "aes_encrypt": _Intrinsic("aes", "aesni.aesenc", _QUADWORDS),
    "aes_encrypt_last": _Intrinsic("aes", "aesni.aesenclast", _QUADWORDS),
    "aes_decrypt": _Intrinsic("aes", "aesni.aesdec", _QUADWORDS),
    "aes_decrypt_last": _Intrinsic("aes", "aesni.aesdeclast", _QUADWORDS),
    "aes_inverse_mix": _Intrinsic("aes", "aesni.aesimc", _QUADWORDS),
    "aes_key_words": _Intrinsic("aes", "aesni.aeskeygenassist", _QUADWORDS, "i8 0"),
    "sha256_rounds": _Intrinsic("sha", "sha256rnds2", _WORDS),
    "sha256_schedule1": _Intrinsic("sha", "sha256msg1", _WORDS),
    "sha256_schedule2": _Intrinsic("sha", "sha256msg2", _WORDS),
    **{f"sha1_rounds_{number}": _Intrinsic("sha", "sha1rnds4", _WORDS, f"i8 {number}") for number in range(4)},
    "sha1_next": _Intrinsic("sha", "sha1nexte", _WORDS),
    "sha1_schedule1": _Intrinsic("sha", "sha1msg1", _WORDS),
    "sha1_schedule2": _Intrinsic("sha", "sha1msg2", _WORDS),
}
INSTRUCTIONS: Final = frozenset(_INTRINSICS)
"""The ops that are lowered here."""
_NAME: Final = re.compile(r"%(arg|v)(\d+)\b")


def is_there(name: str, host: Host) -> bool:
    """Whether a host has the instruction of one of these ops."""
    return bool(getattr(host, _INTRINSICS[name].feature))


def lower(pure: PureLowering, value: Value, text: str, args: list[str], out: Lines) -> None:
    """Append the instructions that compute `value`, of LLVM's type `text`, as %v<id>."""
    intrinsic = _INTRINSICS[value.op.name]
    if not is_there(value.op.name, pure.host):
        _expand(pure, value, args, out)
        return
    result, type = f"%v{value.id}", intrinsic.type or text
    name = f"@llvm.x86.{intrinsic.name.format(bits=value.type.bits)}"
    passed = []
    for number, arg in enumerate(args):
        passed.append(f"{type} {arg}")
        if type != text:
            out.append(f"{result}.a{number} = bitcast {text} {arg} to {type}")
            passed[-1] = f"{type} {result}.a{number}"
    kinds = [type] * len(args)
    if intrinsic.last:
        passed.append(intrinsic.last)
        kinds.append("i8")
    pure.declare(f"declare {type} {name}({', '.join(kinds)})")
    given = result if type == text else f"{result}.is"
    out.append(f"{given} = call {type} {name}({', '.join(passed)})")
    if given != result:
        out.append(f"{result} = bitcast {type} {given} to {text}")


def _expand(pure: PureLowering, value: Value, args: list[str], out: Lines) -> None:
    """Write the expansion's values, each named after `value`; arguments stand for themselves."""
    assert value.op.expansion is not None
    function = _Expansion(value.op.name)
    arguments = [function.pure(OPS["arg"], arg.type, (), number) for number, arg in enumerate(value.args)]
    last = value.op.expansion(*arguments)
    lines: Lines = []
    for made in function.made:
        if made.op.name not in ("arg", "const"):
            pure.lower(made, lines)

    def renamed(match: re.Match[str]) -> str:
        return args[int(match[2])] if match[1] == "arg" else f"%v{value.id}.x{match[2]}"

    out.extend(_NAME.sub(renamed, line) for line in lines)
    same = f"shufflevector {_typed(value.type)} %v{value.id}.x{last.id}, {_typed(value.type)} poison, "
    if value.type.is_vector:
        lanes = ", ".join(f"i32 {lane}" for lane in range(value.type.lanes))
        out.append(f"%v{value.id} = {same}<{value.type.lanes} x i32> <{lanes}>")
    else:
        out.append(f"%v{value.id} = bitcast {_typed(value.type)} %v{value.id}.x{last.id} to {_typed(value.type)}")


def _typed(type: Type) -> str:
    return f"<{type.lanes} x i{type.element.bits}>" if type.is_vector else f"i{type.bits}"


class _Expansion(Function):
    """A function that keeps its pure values in the order in which they were made, operands first."""

    def __init__(self, name: str) -> None:
        super().__init__(name, simplify=simplify)
        self.made: list[Value] = []

    def _new(self, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value:
        value = super()._new(op, type, args, imm)
        self.made.append(value)
        return value
