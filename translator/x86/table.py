"""The x86 pattern language, and the table that `@insn` fills.

A pattern is written as the manual's opcode column, SDM volume 2, section 3.1.1.1:

    NP 66 F3 F2     the mandatory prefix (none of the three; that one); without it the prefix does not select
    VEX.256.66.0F38.W0   a VEX prefix: vector length (128, L0 or LZ; 256 or L1; LIG: either), mandatory prefix (if any),
                    opcode map, W (W0, W1; WIG: either); opcode bytes, ModRM and immediates follow as elsewhere
    REX.W  W0       REX.W must be set; must be clear
    0F 38 DC        opcode bytes              B8+r     the low three bits of the opcode name a register
    /r  /3          a ModRM byte, with a register or an opcode extension in its reg field
    mem  reg        the ModRM operand must be memory; must be a register
    vsib            the ModRM operand must be memory whose index is a vector register
    (D0)            a ModRM byte of exactly this value
    ib iw iz iv     an immediate: byte, word, 16 or 32 bits by operand size, 16/32/64 bits by operand size
    is4             an immediate byte of which the high four bits name a register
    cb cz           a relative branch target: byte, 32 bits (16 by operand size, outside 64-bit mode)
    mo              an absolute address of the address size          ip     a far pointer: offset iz, then selector iw

Operands are written in the codes of the opcode maps, SDM volume 2, appendix A.2.1: a letter for where the operand is,
and one or two for its size. E: ModRM r/m, general register or memory; R: ModRM r/m, general register only; G: ModRM
reg, general; Z: register in the opcode; B: VEX.vvvv, general; M: memory only, passed as its address; W: ModRM r/m,
vector register or memory; V: ModRM reg, vector register; U: ModRM r/m, vector register only; H: VEX.vvvv, vector
register; L: is4, vector register; N, P, Q: MMX; S: ModRM reg, segment register; I: immediate; J: branch target; O:
absolute address; X, Y: memory at rSI (its segment may be overridden), at rDI; F: ModRM r/m, x87 register, passed as its
distance from the top (i8); T: ModRM r/m, memory with a vector index, passed as the vector register.
Sizes: b w d q (8 to 64 bits), v (16, 32 or 64 by operand size), y (32, or 64 in 64-bit mode), z (v for a register; the
immediate 32 bits sign-extended), p (a far pointer, passed as it is encoded), a (two of size v), o (128 bits), x (128
bits, with VEX the vector length), dq xa (as o and x, but memory must be aligned), ss sd (the scalar at the bottom: 32,
64 bits). A general register by name (AL, AX, CL, DX, rAX of size v) and the constant 1 stand for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.guest import Description
from metaphrase.translator.x86.modes import Mode

PREFIXES: Final = {"NP": 0, "66": 1, "F3": 2, "F2": 3}
IMMEDIATES: Final = {
    "": 0, "ib": 1, "iub": 2, "iw": 3, "iz": 4, "iv": 5, "cb": 6, "cz": 7, "mo": 8, "iw ib": 9, "is4": 14, "ip": 15,
}  # fmt: skip
SIZE_RULES: Final = {"none": 0, "v": 1, "d64": 2, "f64": 3, "y": 4, "branch": 5}
CLASSES: Final = {"none": 0, "gpr": 1, "byte": 2, "xmm": 3, "mmx": 4, "segment": 5, "control": 6}
CONDITIONS: Final = ("o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g")
"""Suffixes of Jcc, SETcc and CMOVcc by their code (SDM volume 1, appendix B)."""
MAPS: Final = {(): 0, (0x0F,): 1, (0x0F, 0x38): 2, (0x0F, 0x3A): 3}
SIZES: Final = (16, 32, 64)
"""The sizes of code that rows are described for: 16-bit and 32-bit segments, and 64-bit mode (SDM volume 1, 3.1)."""
LEGACY: Final = (16, 32)
"""Those of an instruction that is invalid in 64-bit mode."""
LONG: Final = (64,)
VEX_MAPS: Final = {"0F": 4, "0F38": 5, "0F3A": 6}
"""Behind VEX: 3 more than without."""
_VEX: Final = re.compile(r"VEX\.(128|256|L0|L1|LZ|LIG)(?:\.(66|F3|F2))?\.(0F|0F38|0F3A)\.(W0|W1|WIG)$")
_LENGTHS_BY_W: Final = (0x60, 0x61)
"""Opcodes in map 0F3A of VPCMPESTRM and VPCMPESTRI, whose W tells the width of the lengths in rAX and rDX."""
_QUADWORD_BY_W: Final = (0x16, 0x22)
"""Opcodes there of VPEXTRD and VPINSRD."""
_LENGTHS: Final = {"128": 0, "L0": 0, "LZ": 0, "256": 1, "L1": 1, "LIG": None}


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a pattern says, field by field, as the decoder's tables want it."""

    prefix: int | None  # index into PREFIXES, None: does not select
    wide: int | None  # REX.W: 0, 1, or None
    map: int
    opcode: int
    opcode_register: bool
    modrm: bool
    extension: int | None  # the reg field
    form: int | None  # 0 memory, 1 register, None both
    exact_rm: int | None  # the rm field of a fixed ModRM byte
    immediate: int
    size_rule: int
    reg_class: int
    rm_class: int
    lockable: bool
    repeatable: bool
    addresses: bool  # memory without a ModRM byte: address size and segment select the form
    length: int | None = None  # VEX.L: 0, 1, or None
    vex_class: int = 0  # of the register in VEX.vvvv
    vector_index: bool = False  # VSIB; no two of its vector registers may be the same (SDM volume 2, 2.3.12)

    @property
    def vex(self) -> bool:
        return self.map > 3

    @property
    def width_by_w(self) -> bool:
        """Whether W tells the width of a general operand, of which there is only one outside 64-bit mode."""
        general = CLASSES["gpr"] in (self.reg_class, self.rm_class, self.vex_class)
        lengths = self.map == VEX_MAPS["0F3A"] and self.opcode in _LENGTHS_BY_W
        return not self.vex or general or lengths

    @property
    def ignores_w(self) -> bool:
        """Whether W of a VEX prefix does not matter outside 64-bit mode; VPEXTRQ and VPINSRQ are undefined there."""
        quadword = self.map == VEX_MAPS["0F3A"] and self.opcode in _QUADWORD_BY_W
        return self.vex and self.width_by_w and not quadword

    @property
    def vector_width(self) -> int:
        """Bits of operands of size x."""
        return 256 if self.length == 1 else 128


@dataclass(frozen=True, slots=True)
class OperandKind:
    """One operand code, such as Ev."""

    letter: str
    size: str

    @property
    def code(self) -> str:
        return self.letter + self.size


ROWS: list[Description] = []

_OPERAND = re.compile(r"([A-Z])(b|w|d|q|v|y|z|p|a|dq|o|x|xa|ss|sd|)$")
_NAMED = {"AL", "CL", "DX", "rAX", "1", "AX"}
_BRANCHES: Final = (IMMEDIATES["cb"], IMMEDIATES["cz"])
_IMPLICIT_SIZE_RULES = {"v": "v", "z": "v", "p": "v", "a": "v", "y": "y"}


def parse_operand(text: str) -> OperandKind:
    """The operand kind a code stands for; raises MetaphraseError for one that is not in the language."""
    if text in _NAMED:
        return OperandKind(text, "")
    match = _OPERAND.match(text)
    if not match:
        raise MetaphraseError(f"x86 table: {text!r} is not an operand code")
    return OperandKind(match[1], match[2])


def parse(
    pattern: str, operands: tuple[OperandKind, ...], size: str, lock: bool, repeat: bool, addresses: bool = False
) -> Encoding:
    """Parse a pattern; raises MetaphraseError naming it if a token is unknown."""
    prefix = wide = extension = form = exact_rm = length = vex_map = None
    opcode: list[int] = []
    opcode_register = modrm = vector_index = False
    immediates: list[str] = []
    for token in pattern.split():
        if token in PREFIXES and not opcode and vex_map is None:
            prefix = PREFIXES[token]
        elif vex := _VEX.match(token):
            length, prefix = _LENGTHS[vex[1]], PREFIXES[vex[2] or "NP"]
            vex_map, wide = VEX_MAPS[vex[3]], {"W0": 0, "W1": 1, "WIG": None}[vex[4]]
        elif token in ("REX.W", "W0"):
            wide = int(token == "REX.W")
        elif token == "/r" or re.fullmatch(r"/[0-7]", token):
            modrm, extension = True, None if token == "/r" else int(token[1])
        elif token in ("mem", "reg"):
            form = int(token == "reg")
        elif token == "vsib":
            form, vector_index = 0, True
        elif re.fullmatch(r"\([0-9A-F]{2}\)", token):
            byte = int(token[1:3], 16)
            modrm, form, extension, exact_rm = True, 1, byte >> 3 & 7, byte & 7
        elif token in ("ib", "iub", "iw", "iz", "iv", "cb", "cz", "mo", "is4", "ip"):
            immediates.append(token)
        elif re.fullmatch(r"[0-9A-F]{2}(\+r)?", token):
            opcode.append(int(token[:2], 16))
            opcode_register |= token.endswith("+r")
        else:
            raise MetaphraseError(f"x86 table: unknown token {token!r} in the pattern {pattern!r}")
    map_number = MAPS.get(tuple(opcode[:-1])) if vex_map is None else vex_map
    immediate = IMMEDIATES.get(" ".join(immediates))
    if map_number is None or immediate is None:
        raise MetaphraseError(f"x86 table: the pattern {pattern!r} has an opcode map or immediates that do not exist")
    return Encoding(
        prefix, wide, map_number, opcode[-1], opcode_register, modrm, extension, form, exact_rm, immediate,
        SIZE_RULES[size or _size_rule(operands, immediate)],
        _register_class(operands, "GVPZS"), _register_class(operands, "EWUQNMR"), lock, repeat,
        addresses or any(kind.letter in ("X", "Y") for kind in operands), length, _register_class(operands, "HB"),
        vector_index,
    )  # fmt: skip


def _size_rule(operands: tuple[OperandKind, ...], immediate: int) -> str:
    for kind in operands:
        if (kind.size in _IMPLICIT_SIZE_RULES and kind.letter in "EGZIMXYRB") or kind.letter == "rAX":
            return _IMPLICIT_SIZE_RULES.get(kind.size, "v")
    return "branch" if immediate in _BRANCHES else "none"


def _register_class(operands: tuple[OperandKind, ...], letters: str) -> int:
    for kind in operands:
        if len(kind.letter) == 1 and kind.letter in letters:
            if kind.letter in "VWUH":
                return CLASSES["xmm"]
            if kind.letter in "PQN":
                return CLASSES["mmx"]
            if kind.letter == "S":
                return CLASSES["segment"]
            return CLASSES["byte" if kind.size == "b" else "gpr"]
    return CLASSES["none"]


def insn(
    pattern: str,
    operands: str = "",
    *,
    name: str = "",
    asm: str = "",
    size: str = "",
    lock: bool = False,
    repeat: bool = False,
    addresses: bool = False,
    extension: str = "base",
    manual: str = "",
    ends_block: bool = False,
    undefined: str = "",
    static: tuple[Any, ...] = (),
    modes: tuple[int, ...] = SIZES,
    real: bool = True,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Describe one instruction form (or several: patterns and operands each separated by ` | `).

    `size` is the operand-size rule where the operands do not tell: "d64" (in 64-bit mode 64 bits by default, 16 with a
    66 prefix; else as "v"), "f64" (in 64-bit mode always 64, else as "v"), "v", "y". A relative branch that says none
    has "branch": as "v" where code has segments, in which the target must lie, and else none. `lock` allows the LOCK
    prefix on a memory destination, `repeat` gives REP prefixes to the semantics, `addresses` gives address size and
    segment to one without a memory operand (X and Y do so anyway).
    `undefined` names flags that the manual leaves undefined ("af", "of sf zf pf", ...), which tests do not compare.
    `static` is passed to the semantics after the emitter. `modes` are the sizes of code in which there is such an
    instruction (a form whose W tells of 64-bit operands is left out of others than 64), `real` whether real-address
    mode has it, which has no VEX prefixes either. The docstring's first line names the instruction and the manual's
    section.
    """

    def describe(semantics: Callable[..., None]) -> Callable[..., None]:
        patterns = [p.strip() for p in pattern.split("|")]
        operand_lists = [o.strip() for o in operands.split("|")]
        if len(operand_lists) == 1:
            operand_lists *= len(patterns)
        for one, codes in zip(patterns, operand_lists, strict=True):
            kinds = tuple(parse_operand(code.strip()) for code in codes.split(",") if code.strip())
            encoding = parse(one, kinds, size, lock, repeat, addresses)
            label = name or semantics.__name__.rstrip("_")
            ROWS.append(
                Description(
                    name=label, pattern=one, semantics=semantics, operands=kinds,
                    asm=asm or label, manual=manual or (semantics.__doc__ or "").strip().split("\n")[0],
                    extension=extension, row=len(ROWS), detail=Row(encoding, undefined, static, codes, modes, real),
                    ends_block=ends_block,
                )
            )
        return semantics

    return describe


@dataclass(frozen=True, slots=True)
class Row:
    """What the x86 guest keeps with a description."""

    encoding: Encoding
    undefined: str
    static: tuple[Any, ...]
    codes: str
    modes: tuple[int, ...] = SIZES
    real: bool = True

    def exists_in(self, mode: Mode) -> bool:
        """Whether a mode has this form."""
        if not mode.protected and (self.encoding.vex or not self.real):
            return False
        return mode.size in self.modes and (mode.is_long or not (self.encoding.wide and self.encoding.width_by_w))
