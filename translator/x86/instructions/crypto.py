"""AES-NI, PCLMULQDQ, SHA and GFNI (SDM volume 1, 5.12, 5.13.1 and 5.18), with VEX forms; VAES and VPCLMULQDQ on YMM."""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import LANES, by_halves, chosen, lanes
from metaphrase.translator.x86.vex import vex_forms

Source = Register | Memory


# --- AES --------------------------------------------------------------------------------------------------------------
def aes_round(m: X86Emitter, op: str, target: Register, source: Source) -> None:
    """AESENC, AESENCLAST, AESDEC, AESDECLAST: a round on the target with the source's key. SDM volume 2A, each."""
    vex_aes_round(m, op, target, target, source)


def vex_aes_round(m: X86Emitter, op: str, target: Register, first: Register, source: Source) -> None:
    key = m.get(source, lanes(target, 8))
    m.put(target, by_halves(lambda a, b: a.binary(op, b), m.get(first, key.type), key))


VAES = (("128", "aes"), ("256", "vaes"))
for _name, _opcode, _op in (
    ("aesenc", "DC", "aes_encrypt"), ("aesenclast", "DD", "aes_encrypt_last"),
    ("aesdec", "DE", "aes_decrypt"), ("aesdeclast", "DF", "aes_decrypt_last"),
):  # fmt: skip
    insn(f"66 0F 38 {_opcode} /r", "Vx, Wdq", name=_name, static=(_op,), extension="aes")(aes_round)
    vex_forms(_name, VAES, "66", f"{_opcode} /r", "Vx, Hx, Wx", vex_aes_round, _op, map="0F38")


@insn("VEX.128.66.0F38.WIG DB /r", "Vx, Wx", name="vaesimc", extension="aes")
@insn("66 0F 38 DB /r", "Vx, Wdq", extension="aes")
def aesimc(m: X86Emitter, target: Register, source: Source) -> None:
    """AESIMC: a round key for the equivalent inverse cipher. SDM volume 2A, AESIMC."""
    m.put(target, m.get(source, LANES[8]).unary("aes_inverse_mix"))


@insn("VEX.128.66.0F3A.WIG DF /r ib", "Vx, Wx, Ib", name="vaeskeygenassist", extension="aes")
@insn("66 0F 3A DF /r ib", "Vx, Wdq, Ib", extension="aes")
def aeskeygenassist(m: X86Emitter, target: Register, source: Source, constant: Value) -> None:
    """AESKEYGENASSIST: SubWord and RotWord for expanding a key, with a constant. SDM volume 2A, AESKEYGENASSIST."""
    words = m.get(source, LANES[8]).unary("aes_key_words").bitcast(LANES[32])
    rounds = m.function.const(LANES[32], 0)
    for lane in (1, 3):
        rounds = rounds.insert(lane, constant.zext(32))
    m.put(target, words ^ rounds)


# --- products without carries, bytes of AES's field -------------------------------------------------------------------
@insn("66 0F 3A 44 /r ib", "Vx, Wdq, Ib", extension="pclmulqdq")
def pclmulqdq(m: X86Emitter, target: Register, source: Source, order: Value) -> None:
    """PCLMULQDQ: the product without carries of a quadword each, chosen by bits 0 and 4. SDM volume 2B, PCLMULQDQ."""
    vex_pclmulqdq(m, target, target, source, order)


def vex_pclmulqdq(m: X86Emitter, target: Register, first: Register, source: Source, order: Value) -> None:
    b = m.get(source, lanes(target, 64))

    def product(x: Value, y: Value) -> Value:
        bits = (order & 1).ne(0), (order & 16).ne(0)
        low = [bit.select(v.shuffle(v, [1, 0]), v) for bit, v in zip(bits, (x, y), strict=True)]
        return low[0].binary("carryless_product", low[1])

    m.put(target, by_halves(product, m.get(first, b.type), b))


vex_forms("pclmulqdq", (("128", "pclmulqdq"), ("256", "vpclmulqdq")), "66", "44 /r ib", "Vx, Hx, Wx, Ib", vex_pclmulqdq,
          map="0F3A")  # fmt: skip


@insn("66 0F 38 CF /r", "Vx, Wdq", extension="gfni")
def gf2p8mulb(m: X86Emitter, target: Register, source: Source) -> None:
    """GF2P8MULB: products of bytes in AES's field. SDM volume 2A, GF2P8MULB."""
    vex_gf2p8mulb(m, target, target, source)


def vex_gf2p8mulb(m: X86Emitter, target: Register, first: Register, source: Source) -> None:
    b = m.get(source, lanes(target, 8))
    m.put(target, by_halves(lambda x, y: x.binary("field_product", y), m.get(first, b.type), b))


@insn("66 0F 3A CE /r ib", "Vx, Wdq, Ib", name="gf2p8affineqb", static=("affine",), extension="gfni")
@insn("66 0F 3A CF /r ib", "Vx, Wdq, Ib", name="gf2p8affineinvqb", static=("affine_inverse",), extension="gfni")
def gf2p8affine(m: X86Emitter, op: str, target: Register, source: Source, constant: Value) -> None:
    """GF2P8AFFINEQB, GF2P8AFFINEINVQB: bytes (or inverses) times matrices, plus a constant. SDM volume 2A, each."""
    vex_gf2p8affine(m, op, target, target, source, constant)


def vex_gf2p8affine(
    m: X86Emitter, op: str, target: Register, first: Register, source: Source, constant: Value
) -> None:
    matrices = m.get(source, lanes(target, 8))
    result = by_halves(lambda x, y: x.binary(op, y), m.get(first, matrices.type), matrices)
    m.put(target, result ^ constant.splat(matrices.type.lanes))


_GFNI = (("128", "gfni"), ("256", "gfni"))
vex_forms("gf2p8mulb", _GFNI, "66", "CF /r", "Vx, Hx, Wx", vex_gf2p8mulb, map="0F38", w="W0")
for _name, _opcode, _op in (("gf2p8affineqb", "CE", "affine"), ("gf2p8affineinvqb", "CF", "affine_inverse")):
    vex_forms(_name, _GFNI, "66", f"{_opcode} /r ib", "Vx, Hx, Wx, Ib", vex_gf2p8affine, _op, map="0F3A", w="W1")


# --- SHA --------------------------------------------------------------------------------------------------------------
def sha_step(m: X86Emitter, op: str, target: Register, source: Source) -> None:
    """SHA1NEXTE, SHA1MSG1, SHA1MSG2, SHA256MSG1, SHA256MSG2: steps of the message schedules. SDM volume 2B, each."""
    b = m.get(source, LANES[32])
    m.put(target, m.get(target, LANES[32]).binary(op, b))


for _name, _opcode, _op in (
    ("sha1nexte", "C8", "sha1_next"), ("sha1msg1", "C9", "sha1_schedule1"), ("sha1msg2", "CA", "sha1_schedule2"),
    ("sha256msg1", "CC", "sha256_schedule1"), ("sha256msg2", "CD", "sha256_schedule2"),
):  # fmt: skip
    insn(f"NP 0F 38 {_opcode} /r", "Vx, Wdq", name=_name, static=(_op,), extension="sha")(sha_step)


@insn("NP 0F 38 CB /r", "Vx, Wdq", extension="sha")
def sha256rnds2(m: X86Emitter, target: Register, source: Source) -> None:
    """SHA256RNDS2: two rounds, with the words in the low half of XMM0. SDM volume 2B, SHA256RNDS2."""
    b = m.get(source, LANES[32])
    inputs = m.get_state(s.XMM[0], LANES[32])
    m.put(target, m.pure("sha256_rounds", LANES[32], m.get(target, LANES[32]), b, inputs))


@insn("NP 0F 3A CC /r ib", "Vx, Wdq, Ib", extension="sha")
def sha1rnds4(m: X86Emitter, target: Register, source: Source, function: Value) -> None:
    """SHA1RNDS4: four rounds with the function and constant of the immediate. SDM volume 2B, SHA1RNDS4."""
    b = m.get(source, LANES[32])
    a = m.get(target, LANES[32])
    m.put(target, chosen(m, LANES[32], function, 4, lambda number: a.binary(f"sha1_rounds_{number}", b)))
