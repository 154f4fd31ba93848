"""What random cases of the SSE chapters need beyond random state: vectors and environments rich in edges."""

from __future__ import annotations

import random
from typing import Final

from metaphrase.translator.x86.instructions import (
    avx,
    conversions,
    crypto,
    fma,
    half_precision,
    sse4_float,
    sse4_integer,
    sse4_strings,
    sse_float,
    sse_integer,
    sse_transfer,
    ssse3,
)
from tests.oracle.native import ARENA, ARENA_SIZE, REGISTERS
from tests.translator.x86.differential import UNDEFINED, Drawn, rows_of, setup
from tests.translator.x86.encodings import SEGMENTS_16, Encoded
from tests.translator.x86.observed import APPROXIMATE

ROWS: Final = rows_of(
    sse_transfer, sse_float, conversions, sse_integer, sse4_float, sse4_strings, avx, fma, ssse3,
    sse4_integer, crypto, half_precision,
)  # fmt: skip
ESTIMATES: Final = frozenset(row.name for row in ROWS if row.detail.undefined == "approximate")

_SINGLES: Final = (
    0, 0x80000000, 1, 0x80000001, 0x7FFFFF, 0x800000, 0x3F800000, 0xBF800000, 0x7F7FFFFF, 0x7F800000, 0xFF800000,
    0x7FC00001, 0xFFC12345, 0x7F800001, 0xFF812345, 0x4F000000, 0xCF000000, 0x4EFFFFFF, 0x5F000000, 0xDF000000,
    0x3FC00000, 0x3F000000, 0x4B000001, 0x33333333,
)  # fmt: skip
"""Zeroes, denormals, ones, extremes, infinities, quiet and signalling NaNs, bounds of integers, halves."""
_DOUBLES: Final = (
    0, 1 << 63, 1, 1 << 63 | 5, (1 << 52) - 1, 1 << 52, 0x3FF << 52, 0xBFF << 52, 0x7FEFFFFFFFFFFFFF, 0x7FF << 52,
    0xFFF << 52, 0x7FF8000000000001, 0xFFF8123456789ABC, 0x7FF0000000000001, 0xFFF0000012345678, 0x41DFFFFFFFC00000,
    0x41E0000000000000, 0xC1E0000000000000, 0xC1E0000000200000, 0x43E0000000000000, 0xC3E0000000000000,
    0x3FF8000000000000, 0x3FE0000000000000, 0x36A0000000000000, 0x3690000000000001, 0x47EFFFFFFFFFFFFF,
)  # fmt: skip


def single(rng: random.Random) -> int:
    """The bits of a single, often an edge or near one."""
    match rng.getrandbits(2):
        case 0:
            return rng.choice(_SINGLES)
        case 1:
            return rng.getrandbits(32)
        case 2:
            return rng.randrange(0x3F000000, 0x41000000)
    return _at_a_limit(rng, 8, 23)


def double(rng: random.Random) -> int:
    """The bits of a double (or of a small integer), often an edge or near one."""
    match rng.randrange(5):
        case 0:
            return rng.choice(_DOUBLES)
        case 1:
            return rng.getrandbits(64)
        case 2:
            return rng.randrange(0x3FF0 << 48, 0x4050 << 48)
        case 3:
            return rng.randrange(70)
    return _at_a_limit(rng, 11, 52)


def _at_a_limit(rng: random.Random, exponent_bits: int, fraction_bits: int) -> int:
    """Bits of a float with which sums, products, quotients and conversions lie half-way, overflow or underflow.

    Exponents are those of the least and greatest numbers, of their roots, and of integers' bounds; in the fraction few
    bits are set, or few are clear.
    """
    bias = (1 << exponent_bits - 1) - 1
    around = rng.choice((0, 1, bias // 2, bias, bias + fraction_bits, bias + 31, bias + 63, 3 * bias // 2, 2 * bias))
    exponent = max(0, min(2 * bias, around + rng.randrange(-1, 2)))
    fraction = sum({1 << rng.choice((0, 1, rng.randrange(fraction_bits), fraction_bits - 1)) for _ in range(2)})
    if rng.random() < 0.4:
        fraction = ~fraction
    return (rng.getrandbits(1) << exponent_bits | exponent) << fraction_bits | fraction & (1 << fraction_bits) - 1


def half(rng: random.Random) -> int:
    """The bits of a half, of any class."""
    return rng.choice((rng.getrandbits(16), rng.choice((0, 1, 0x3FF, 0x400, 0x3C00, 0x7BFF, 0x7C00, 0x7C01, 0x7E00)) | (
        rng.getrandbits(1) << 15)))  # fmt: skip


def near_half(rng: random.Random) -> int:
    """The bits of a single that a half can hold, or nearly: ties, and both ends of the range."""
    exponent = rng.choice((rng.randrange(0x60, 0x72), rng.randrange(0x8C, 0x90), rng.randrange(0x70, 0x90)))
    fraction = rng.getrandbits(10) << 13 | rng.choice((0, 0, 1, 0xFFF, 0x1000, 0x1001, 0x1FFF))
    return rng.getrandbits(1) << 31 | exponent << 23 | fraction


def vector(rng: random.Random) -> int:
    """128 bits that some kind of lane finds interesting."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.getrandbits(128)
    if kind < 3:
        return sum(single(rng) << 32 * lane for lane in range(4))
    if kind < 5:
        return sum(double(rng) << 64 * lane for lane in range(2))
    return sum(rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.getrandbits(8))) << 8 * lane for lane in range(16))


def environment(rng: random.Random) -> int:
    """An MXCSR with flags, rounding, DAZ and FTZ at random; seldom with exceptions that are not masked."""
    flush = rng.choice((0x8000, 0x40, 0x8040)) if rng.random() < 0.35 else 0
    masks = rng.getrandbits(6) << 7 if rng.random() < 0.1 else 0x1F80
    return masks | rng.getrandbits(6) | rng.choice((0, 0, 0, 1, 2, 3)) << 13 | flush


def named_vectors(encoded: Encoded) -> set[int | None]:
    """The numbers of the vector registers that an instruction may name, XMM0 among them, which some imply."""
    index = encoded.memory.vector_index if encoded.memory else None
    return {0, encoded.reg, encoded.rm, encoded.vvvv, (encoded.immediate or 0) >> 4 & 15, index}


@setup(*{row.name for row in ROWS})
def vectors(drawn: Drawn) -> None:
    rng, state, memory = drawn.rng, drawn.state, drawn.encoded.memory
    named = named_vectors(drawn.encoded)
    state.xmm = [vector(rng) if number in named else rng.getrandbits(128) for number in range(16)]
    state.ymm_high = [vector(rng) if number in named else rng.getrandbits(128) for number in range(16)]
    state.mxcsr = environment(rng)
    if memory:
        drawn.poke(memory.target, vector(rng).to_bytes(16, "little") + vector(rng).to_bytes(16, "little"))
    elif drawn.encoded.rm is not None and drawn.encoded.rm < len(REGISTERS):
        drawn.set_register(REGISTERS[drawn.encoded.rm], double(rng))


@setup("maskmovdqu", "vmaskmovdqu", "maskmovq")
def destination(drawn: Drawn) -> None:
    """Somewhere in the arena: which faults are seen first is left to the processor (SDM volume 2B, MASKMOVDQU)."""
    rng, state = drawn.rng, drawn.state
    address = ARENA + rng.randrange(ARENA_SIZE - 16)
    segment = SEGMENTS_16.get(drawn.encoded.segment or "ds") if drawn.mode == 16 else None
    if segment:
        address = rng.randrange(segment.limit - 16) | (rng.getrandbits(16) << 16 if not drawn.encoded.resized else 0)
    elif drawn.encoded.segment:
        base = rng.randrange(1 << 20) if drawn.mode != 16 else ARENA
        setattr(state, f"{drawn.encoded.segment}_base", base)
        address -= base
    state.registers["rdi"] = address | (rng.getrandbits(32) << 32 if drawn.encoded.resized else 0)


_ALPHABETS: Final = ((1, 2), (0x61, 0x62, 0x63, 0x64), (0x7F, 0x80, 0x81), (0xFF, 0, 1), (0x100, 0x200, 0x8000, 0x7FFF))


def _string(rng: random.Random, width: int, needle: list[int]) -> list[int]:
    """Elements of so many bits, few different ones, perhaps with a needle in them, or less of it at the end."""
    alphabet = rng.choice(_ALPHABETS)
    elements = [rng.choice(alphabet) & (1 << width) - 1 for _ in range(128 // width)]
    if needle and rng.random() < 0.6:
        at = rng.randrange(len(elements))
        elements[at : at + len(needle)] = needle
    if rng.random() < 0.6:
        elements[rng.randrange(len(elements) + 1) :] = [0] * rng.choice((1, len(elements)))
    elements += [rng.choice(alphabet) & (1 << width) - 1 for _ in elements]
    return elements[: 128 // width]


@setup("pcmpestri", "pcmpestrm", "pcmpistri", "pcmpistrm")
def strings(drawn: Drawn) -> None:
    """Strings that share elements, and lengths around the number of elements, of either sign."""
    rng, encoded = drawn.rng, drawn.encoded
    assert encoded.immediate is not None and encoded.reg is not None
    width = 16 if encoded.immediate & 1 else 8
    first = _string(rng, width, [])
    second = _string(rng, width, first[: rng.randrange(1, 6)])
    values = [sum(element << width * lane for lane, element in enumerate(string)) for string in (first, second)]
    if encoded.memory:
        drawn.poke(encoded.memory.target, values[1].to_bytes(16, "little"))
    elif encoded.rm is not None:
        drawn.state.xmm[encoded.rm] = values[1]
    drawn.state.xmm[encoded.reg] = values[0]
    for name in ("rax", "rdx"):
        length = rng.choice((rng.randrange(19), rng.randrange(128 // width + 1), 1 << 31, 1 << 63, rng.getrandbits(64)))
        length = -length if rng.random() < 0.3 else length
        drawn.set_register(name, length ^ (rng.getrandbits(32) << 32 if rng.random() < 0.2 else 0))


UNDEFINED.update(dict.fromkeys(ESTIMATES, lambda drawn: APPROXIMATE))


@setup("vcvtph2ps")
def halves(drawn: Drawn) -> None:
    rng, state = drawn.rng, drawn.state
    state.xmm = [sum(half(rng) << at for at in range(0, 128, 16)) for _ in range(16)]
    if drawn.encoded.memory:
        drawn.poke(drawn.encoded.memory.target, b"".join(half(rng).to_bytes(2, "little") for _ in range(8)))


@setup("vcvtps2ph")
def singles_for_halves(drawn: Drawn) -> None:
    rng, state = drawn.rng, drawn.state

    def number() -> int:
        return near_half(rng) if rng.random() < 0.7 else single(rng)

    state.xmm = [sum(number() << at for at in range(0, 128, 32)) for _ in range(16)]
    state.ymm_high = [sum(number() << at for at in range(0, 128, 32)) for _ in range(16)]
