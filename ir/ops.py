"""The table of ops: each op's name, signature, traits and meaning, declared once.

The builder, printer, parser, verifier, constant folder, reference interpreter, z3 terms and the documentation read this
table. Only the LLVM lowering stands elsewhere (`backends/llvm/lower.py`); a test asserts that it covers the same ops.

Signatures are words for the operands, then the result:
    T, U   any type, the same wherever the letter recurs     B     i1 in the shape of T (lane by lane for vectors)
    R      the result's type, given by the user              E     the element type of T
    i64    that very type                                    -     nothing

Traits: PURE ops are nodes of the value graph, hash-consed, placed by the scheduler, total, and lane-wise over vectors
(unless WHOLE). EFFECT ops stand in a block in program order. TERMINATOR ops end a block. FLOAT ops are effects because
they read the rounding mode and write the sticky flags of the floating-point environment.

Floating point follows IEEE 754 with x86's choice for NaNs: a NaN operand gives the first NaN operand, quieted; an
invalid operation gives the negative quiet NaN of zero payload. The environment has the layout of x86's MXCSR. Guests
with other rules express them on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from metaphrase.ir import expansions as e


class Trait(Enum):
    """How an op may be placed, merged and dropped."""

    PURE = auto()
    EFFECT = auto()
    TERMINATOR = auto()


@dataclass(frozen=True, eq=False, slots=True)
class Op:
    """One row of the table."""

    name: str
    signature: str
    trait: Trait
    meaning: Callable[..., Any] | None
    doc: str
    commutes: bool = False
    whole: bool = False
    """The meaning takes whole operands (vectors as tuples of lanes) and the result's type, not lanes."""
    immediate: str = ""
    """What `imm` holds: value, number (of an argument), name (of a field), lane, lanes, rounding, offset (of state),
    function (of f80_functions), local, operation, count, address (from base), transfer or reason; nothing if empty."""
    expansion: Callable[..., Any] | None = None
    """The same in other pure ops, a function of values, for an op that is an instruction of some hosts."""
    bound: str = ""
    """The one type that T can be, if so."""

    @property
    def operands(self) -> list[str]:
        return [word for word in self.signature.split("->")[0].split() if word != "-"]

    @property
    def result(self) -> str:
        return self.signature.split("->")[1].strip()

    @property
    def is_pure(self) -> bool:
        return self.trait is Trait.PURE

    def __repr__(self) -> str:
        return self.name


OPS: Final[dict[str, Op]] = {}

PURE, EFFECT, TERMINATOR = Trait.PURE, Trait.EFFECT, Trait.TERMINATOR


def op(
    name: str,
    signature: str,
    trait: Trait,
    meaning: Callable[..., Any] | None,
    doc: str,
    *,
    commutes: bool = False,
    whole: bool = False,
    imm: str = "",
) -> Op:
    """Declare one op; `imm` says what its immediate attribute holds."""
    row = Op(name, signature, trait, meaning, doc, commutes, whole, imm)
    OPS[name] = row
    return row


# --- integer arithmetic and logic (meanings over the algebra of ir/bits.py) -------------------------------------------
op("add", "T T -> T", PURE, lambda a, b: a + b, "sum modulo 2^width", commutes=True)
op("sub", "T T -> T", PURE, lambda a, b: a - b, "difference modulo 2^width")
op("mul", "T T -> T", PURE, lambda a, b: a * b, "product modulo 2^width", commutes=True)
op("and", "T T -> T", PURE, lambda a, b: a & b, "bitwise and", commutes=True)
op("or", "T T -> T", PURE, lambda a, b: a | b, "bitwise or", commutes=True)
op("xor", "T T -> T", PURE, lambda a, b: a ^ b, "bitwise exclusive or", commutes=True)
op("shl", "T T -> T", PURE, lambda a, b: a.shl(b), "shift left; count >= width gives 0")
op("lshr", "T T -> T", PURE, lambda a, b: a.lshr(b), "logical shift right; count >= width gives 0")
op("ashr", "T T -> T", PURE, lambda a, b: a.ashr(b), "arithmetic shift right; count >= width gives copies of the sign")
op("rotl", "T T -> T", PURE, lambda a, b: a.rotl(b), "rotate left by count modulo width (a power of two)")
op("rotr", "T T -> T", PURE, lambda a, b: a.rotr(b), "rotate right by count modulo width (a power of two)")
op("udiv", "T T -> T", PURE, lambda a, b: a.udiv(b), "unsigned quotient; by zero gives all ones")
op("urem", "T T -> T", PURE, lambda a, b: a.urem(b), "unsigned remainder; by zero gives the dividend")
op("sdiv", "T T -> T", PURE, lambda a, b: a.sdiv(b), "quotient rounded to zero; by zero gives all ones; min / -1 = min")
op("srem", "T T -> T", PURE, lambda a, b: a.srem(b), "remainder of sdiv; by zero gives the dividend; min % -1 = 0")
op("eq", "T T -> B", PURE, lambda a, b: a.eq(b), "equal", commutes=True)
op("ne", "T T -> B", PURE, lambda a, b: a.ne(b), "not equal", commutes=True)
op("ult", "T T -> B", PURE, lambda a, b: a.ult(b), "unsigned less than")
op("ule", "T T -> B", PURE, lambda a, b: a.ule(b), "unsigned less than or equal")
op("slt", "T T -> B", PURE, lambda a, b: a.slt(b), "signed less than")
op("sle", "T T -> B", PURE, lambda a, b: a.sle(b), "signed less than or equal")
op("umin", "T T -> T", PURE, lambda a, b: a.ult(b).ite(a, b), "unsigned minimum", commutes=True)
op("umax", "T T -> T", PURE, lambda a, b: a.ult(b).ite(b, a), "unsigned maximum", commutes=True)
op("smin", "T T -> T", PURE, lambda a, b: a.slt(b).ite(a, b), "signed minimum", commutes=True)
op("smax", "T T -> T", PURE, lambda a, b: a.slt(b).ite(b, a), "signed maximum", commutes=True)
op("popcnt", "T -> T", PURE, lambda a: a.popcount(), "number of set bits")
op("clz", "T -> T", PURE, lambda a: a.clz(), "leading zeros; of zero, the width")
op("ctz", "T -> T", PURE, lambda a: a.ctz(), "trailing zeros; of zero, the width")
op("bswap", "T -> T", PURE, lambda a: a.bswap(), "bytes in reverse order; width a multiple of 16")


def _crc32c(crc: Any, data: Any) -> Any:
    """Bit by bit, the lowest first, in parts as wide as the checksum."""
    polynomial, one, zero = (crc.constant(value) for value in (0x82F63B78, 1, 0))
    for start in range(0, data.width, crc.width):
        rest = data.lshr(data.constant(start))
        crc = crc ^ (rest.zext(crc.width) if data.width <= crc.width else rest.trunc(crc.width))
        for _ in range(min(data.width, crc.width)):
            crc = crc.lshr(one) ^ (crc & one).eq(one).ite(polynomial, zero)
    return crc


op(
    "crc32c", "i32 T -> i32", PURE, _crc32c,
    "a checksum carried on over i8 to i64: CRC32C (Castagnoli's polynomial), bits reflected, inverted nowhere",
)


def _saturate(wide: Any, low: int, high: int, width: int) -> Any:
    """`wide` (signed, with room) clamped to low..high."""
    least, most = wide.constant(low), wide.constant(high)
    return wide.slt(least).ite(least, most.slt(wide).ite(most, wide)).trunc(width)


def _uadd_sat(a: Any, b: Any) -> Any:
    return _saturate(a.zext(a.width + 2) + b.zext(a.width + 2), 0, (1 << a.width) - 1, a.width)


def _usub_sat(a: Any, b: Any) -> Any:
    return _saturate(a.zext(a.width + 2) - b.zext(a.width + 2), 0, (1 << a.width) - 1, a.width)


def _sadd_sat(a: Any, b: Any) -> Any:
    half = 1 << (a.width - 1)
    return _saturate(a.sext(a.width + 2) + b.sext(a.width + 2), -half, half - 1, a.width)


def _ssub_sat(a: Any, b: Any) -> Any:
    half = 1 << (a.width - 1)
    return _saturate(a.sext(a.width + 2) - b.sext(a.width + 2), -half, half - 1, a.width)


op("uadd_sat", "T T -> T", PURE, _uadd_sat, "unsigned sum, clamped", commutes=True)
op("usub_sat", "T T -> T", PURE, _usub_sat, "unsigned difference, clamped at zero")
op("sadd_sat", "T T -> T", PURE, _sadd_sat, "signed sum, clamped", commutes=True)
op("ssub_sat", "T T -> T", PURE, _ssub_sat, "signed difference, clamped")

# --- shape: width changes, selection, vector lanes (`imm` is the immediate attribute) ---------------------------------
op("zext", "T -> R", PURE, lambda a, width: a.zext(width), "zero extension to a wider element")
op("sext", "T -> R", PURE, lambda a, width: a.sext(width), "sign extension to a wider element")
op("trunc", "T -> R", PURE, lambda a, width: a.trunc(width), "the low bits, in a narrower element")
op("select", "B T T -> T", PURE, lambda c, a, b: c.ite(a, b), "a where c is set, else b; c is i1, or i1 lanes")
op(
    "bitcast", "T -> R", PURE, None,
    "the same bits as a type of the same width; lane 0 is least significant", whole=True,
)
op("splat", "E -> R", PURE, None, "every lane the operand", whole=True)
op("extract", "T -> E", PURE, None, "lane `imm`", whole=True, imm="lane")
op("insert", "T E -> T", PURE, None, "a with lane `imm` replaced", whole=True, imm="lane")
op(
    "shuffle", "T T -> R", PURE, None,
    "lane i is lane imm[i] of the lanes of a followed by those of b", whole=True, imm="lanes",
)
op("const", "- -> R", PURE, None, "the value `imm`", whole=True, imm="value")


# --- what some hosts have instructions for ----------------------------------------------------------------------------
def expanded(name: str, signature: str, expansion: Callable[..., Any], doc: str, bound: str = "") -> None:
    """Declare an op by what it is in others."""
    OPS[name] = Op(name, signature, PURE, None, doc, whole=True, expansion=expansion, bound=bound)


for _name, _expansion, _operands, _bound, _doc in (
    ("byte_shuffle", e.byte_shuffle, 2, "<16 x i8>", "lane i is the lane of a that b's lane i names (low four bits), "
     "0 if that is negative"),
    ("deposit_bits", e.deposit_bits, 2, "", "the low bits of a, one after the other, where b has ones"),
    ("extract_bits", e.extract_bits, 2, "", "the bits of a where b has ones, one after the other"),
    ("carryless_product", e.carryless_product, 2, "<2 x i64>", "product of the low lanes as polynomials over bits"),
    ("field_product", e.field_product, 2, "<16 x i8>", "product lane by lane in AES's field"),
    ("affine", e.affine, 2, "<16 x i8>", "bytes of a times the bit matrices in the quadwords of b"),
    ("affine_inverse", e.affine_inverse, 2, "<16 x i8>", "affine of the inverses in AES's field"),
    ("aes_encrypt", e.aes_encrypt, 2, "<16 x i8>", "a round of AES on state a with key b"),
    ("aes_encrypt_last", e.aes_encrypt_last, 2, "<16 x i8>", "the last round of AES on state a with key b"),
    ("aes_decrypt", e.aes_decrypt, 2, "<16 x i8>", "a round of AES's equivalent inverse on state a with key b"),
    ("aes_decrypt_last", e.aes_decrypt_last, 2, "<16 x i8>", "the last round of AES's inverse on state a with key b"),
    ("aes_inverse_mix", e.aes_inverse_mix, 1, "<16 x i8>", "AES's InvMixColumns"),
    ("aes_key_words", e.aes_key_words, 1, "<16 x i8>", "SubWord and RotWord of it, of doublewords 1 and 3"),
    ("sha256_rounds", e.sha256_rounds, 3, "<4 x i32>", "two rounds of SHA-256: C D G H, A B E F, words in low lanes"),
    ("sha256_schedule1", e.sha256_schedule1, 2, "<4 x i32>", "first half of four words of SHA-256's schedule"),
    ("sha256_schedule2", e.sha256_schedule2, 2, "<4 x i32>", "second half of four words of SHA-256's schedule"),
    ("sha1_rounds_0", e.sha1_rounds_0, 2, "<4 x i32>", "four of the first 20 rounds of SHA-1, E in the first word"),
    ("sha1_rounds_1", e.sha1_rounds_1, 2, "<4 x i32>", "four of the second 20 rounds of SHA-1"),
    ("sha1_rounds_2", e.sha1_rounds_2, 2, "<4 x i32>", "four of the third 20 rounds of SHA-1"),
    ("sha1_rounds_3", e.sha1_rounds_3, 2, "<4 x i32>", "four of the last 20 rounds of SHA-1"),
    ("sha1_next", e.sha1_next, 2, "<4 x i32>", "b with SHA-1's E, made of a's A, added to its first word"),
    ("sha1_schedule1", e.sha1_schedule1, 2, "<4 x i32>", "first half of four words of SHA-1's schedule"),
    ("sha1_schedule2", e.sha1_schedule2, 2, "<4 x i32>", "second half of four words of SHA-1's schedule"),
):  # fmt: skip
    expanded(_name, " ".join("T" * _operands) + " -> T", _expansion, _doc, _bound)

# --- inputs that are fixed while a function runs ---------------------------------------------------------------------
op("arg", "- -> R", PURE, None, "argument number `imm` of the function", whole=True, imm="number")
op(
    "base", "- -> i64", PURE, None,
    "guest address of the region's origin; code holds addresses relative to it", whole=True,
)
op(
    "field", "- -> R", PURE, None,
    "field `imm` of the decoded instruction that a tier-0 handler runs", whole=True, imm="name",
)

# --- floating point (meanings over ir/softfloat.py: format, environment, bits -> bits, flags) -------------------------
op("fadd", "T T -> T", EFFECT, None, "sum")
op("fsub", "T T -> T", EFFECT, None, "difference")
op("fmul", "T T -> T", EFFECT, None, "product")
op("fdiv", "T T -> T", EFFECT, None, "quotient")
op("fsqrt", "T -> T", EFFECT, None, "square root")
op("fmin", "T T -> T", EFFECT, None, "a if ordered and less, else b; signals on any NaN; denormals count as by DAZ")
op("fmax", "T T -> T", EFFECT, None, "a if ordered and greater, else b; signals on any NaN; denormals as by DAZ")
op("fma", "T T T -> T", EFFECT, None, "a * b + c, rounded once")
op("fms", "T T T -> T", EFFECT, None, "a * b - c, rounded once; a NaN keeps its sign")
op("fnma", "T T T -> T", EFFECT, None, "-(a * b) + c, rounded once; a NaN keeps its sign")
op("fnms", "T T T -> T", EFFECT, None, "-(a * b) - c, rounded once; a NaN keeps its sign")
op("fmaddsub", "T T T -> T", EFFECT, None, "fms in even lanes, fma in odd ones")
op("fmsubadd", "T T T -> T", EFFECT, None, "fma in even lanes, fms in odd ones")
op("feq", "T T -> B", EFFECT, None, "ordered and equal; quiet")
op("flt", "T T -> B", EFFECT, None, "ordered and less; signals on any NaN")
op("flt_quiet", "T T -> B", EFFECT, None, "ordered and less; quiet")
op("fle", "T T -> B", EFFECT, None, "ordered and less or equal; signals on any NaN")
op("funord", "T T -> B", EFFECT, None, "either is NaN; quiet")
op(
    "fcompare", "T T -> i8", EFFECT, None,
    "0 if greater, 1 if less, 0x40 if equal, 0x45 if unordered, the flags of x86; of scalars; signals on any NaN",
)
op("fcompare_quiet", "T T -> i8", EFFECT, None, "fcompare; quiet")
op(
    "fconvert", "T -> R", EFFECT, None,
    "to another float format, rounded by the environment; a denormal half is not told of, as by F16C",
)
op("fconvert_by", "T -> R", EFFECT, None, "fconvert in a direction of its own; imm: as of fround", imm="rounding")
op(
    "ftosi", "T -> R", EFFECT, None,
    "to signed integer, rounded by the environment; out of range or NaN: 1 << (width-1)",
)
op("ftosi_trunc", "T -> R", EFFECT, None, "to signed integer, towards zero; out of range or NaN: 1 << (width-1)")
op("sitof", "T -> R", EFFECT, None, "from signed integer, rounded by the environment")
op(
    "fround", "T -> T", EFFECT, None,
    "to an integral value; imm: 0 nearest even, 1 down, 2 up, 3 to zero, 4 by environment; 8 more if it is not to tell "
    "of a change", imm="rounding",
)
op(
    "f80_function", "f80 f80 -> i96", EFFECT, None,
    "the x87 instruction `imm` on ST(0) and ST(1): the 80 bits of a result, above them C0 to C3 as in the status word",
    imm="function",
)
op("get_fenv", "- -> i32", EFFECT, None, "the floating-point environment")
op("set_fenv", "i32 -> -", EFFECT, None, "replace the floating-point environment")
op(
    "set_f80_control", "i16 -> -", EFFECT, None,
    "rounding and precision of ops that touch f80, as an x87 control word has them; their exceptions stay masked",
)
op(
    "take_f80_flags", "- -> i16", EFFECT, None,
    "the exception flags that ops that touch f80 raised since last asked, as an x87 status word has them",
)

# --- guest state and memory -------------------------------------------------------------------------------------------
op("get", "- -> R", EFFECT, None, "guest state at byte offset `imm` of the layout", imm="offset")
op("put", "T -> -", EFFECT, None, "write guest state at byte offset `imm`", imm="offset")
op("get_at", "i64 -> R", EFFECT, None, "guest state at a computed byte offset")
op("put_at", "i64 T -> -", EFFECT, None, "write guest state at a computed byte offset")
op("load", "i64 -> R", EFFECT, None, "little-endian guest memory at an address; may fault")
op("store", "i64 T -> -", EFFECT, None, "write little-endian guest memory at an address; may fault")
op("near_load", "i64 -> R", EFFECT, None, "load, of an address in or near the window of memory, which needs no check")
op("near_store", "i64 T -> -", EFFECT, None, "store, to an address in or near the window of memory")
op(
    "rmw", "i64 T -> T", EFFECT, None,
    "atomic read-modify-write by `imm` (add sub and or xor xchg smax smin umax umin); gives the old value",
    imm="operation",
)
op(
    "cmpxchg", "i64 T T -> T", EFFECT, None,
    "atomically replace memory by the third operand if it equals the second; gives the old value",
)
op("fence", "- -> -", EFFECT, None, "sequentially consistent fence")
op("cycles", "- -> i64", EFFECT, None, "a monotonic cycle counter of the host")
op("random", "- -> i64", EFFECT, None, "bits that nobody can foresee")
op("count", "- -> -", EFFECT, None, "`imm` guest instructions begin here", imm="count")
op("poll", "- -> i1", EFFECT, None, "whether somebody wants this to leave soon")
op(
    "checkpoint", "- -> -", EFFECT, None,
    "the state is that at the start of the instruction at offset `imm`: where tier 0 begins again after a fault",
    imm="address",
)
op("peek", "i64 -> R", EFFECT, None, "runtime memory (tables the engine owns) at a host address; never a guest's")
op("poke", "i64 T -> -", EFFECT, None, "write runtime memory at a host address")
op("read", "- -> R", EFFECT, None, "the function's local variable number `imm`", imm="local")
op("write", "T -> -", EFFECT, None, "set the function's local variable number `imm`", imm="local")

# --- terminators ------------------------------------------------------------------------------------------------------
op("jump", "- -> -", TERMINATOR, None, "go to a block")
op("branch", "i1 -> -", TERMINATOR, None, "go to the first block if set, else to the second")
op("ret", "... -> -", TERMINATOR, None, "return from a function that is not guest code")
op("next", "- -> -", TERMINATOR, None, "end of this instruction: go on with the following one")
op(
    "goto", "i64 -> -", TERMINATOR, None,
    "end of this instruction: go on at a guest address; imm: jump, call, return, rarely (a jump that is seldom "
    "made), or carefully (run by tier 0)",
    imm="transfer",
)
op(
    "leave", "i64 -> -", TERMINATOR, None,
    "leave guest code for the embedder because of `imm` (a reason); resume at the address", imm="reason",
)

MAY_STORE: Final = frozenset(OPS[name] for name in ("store", "near_store", "rmw", "cmpxchg"))
"""Ops that may write to guest memory."""
MAY_FAULT: Final = MAY_STORE | {OPS["load"], OPS["near_load"]}
"""What touches guest memory."""
