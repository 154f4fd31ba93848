"""What random cases of the x87 chapters need beyond random state: register stacks and operands rich in edges."""

from __future__ import annotations

import random
import struct
from typing import Final

from metaphrase.translator.x86.instructions import x87_arithmetic, x87_state, x87_transcendental, x87_transfer, xsave
from tests.translator.x86.differential import UNDEFINED, Drawn, rows_of, setup
from tests.translator.x86.observed import FLAG_BITS, TORN, X87_NEIGHBOUR
from tests.translator.x86.vector_setups import double, environment, single, vector

ROWS: Final = [
    *rows_of(x87_transfer, x87_arithmetic, x87_state, x87_transcendental),
    *(row for row in rows_of(xsave) if row.extension in ("fxsr", "sse")),
]

_INTEGER: Final = 1 << 63
_SPECIAL: Final = (
    (0, 0), (0x7FFF, _INTEGER), (0x7FFF, 3 << 62), (0x7FFF, 3 << 62 | 0x1234), (0x7FFF, _INTEGER | 5), (0, 1),
    (0, _INTEGER - 1), (0, _INTEGER), (1, _INTEGER), (0x7FFE, (1 << 64) - 1), (0x3FFF, _INTEGER), (0x3FFE, _INTEGER),
    (0x3FFF, 3 << 62), (0x4000, _INTEGER), (0x403E, _INTEGER), (0x401E, _INTEGER), (0x400E, _INTEGER),
    (0x403D, (1 << 64) - 1), (0x3FBE, _INTEGER | 1), (0x3F80, _INTEGER), (0x407E, _INTEGER), (0x3C00, _INTEGER),
    (0x43FE, (1 << 64) - 1), (0x3C01, _INTEGER), (0x3BCD, _INTEGER), (1, 1), (0x7FFF, 0), (0x7FFF, 5), (0x4000, 7),
)  # fmt: skip
"""Exponent and significand: zero, infinity, NaNs, denormals, bounds, halves, and encodings that are not supported."""


def extended(rng: random.Random) -> int:
    """The bits of an 80-bit float, often an edge or near one."""
    kind = rng.randrange(4)
    if kind == 0:
        exponent, significand = rng.choice(_SPECIAL)
    elif kind == 1:
        exponent, significand = rng.getrandbits(15), rng.getrandbits(64) | _INTEGER
    else:
        exponent = rng.choice((0x3FFF, 0x4003, 0x4010, 0x3FF0, 0x403D)) + rng.randrange(-3, 4)
        significand = _INTEGER | rng.choice((rng.getrandbits(63), rng.getrandbits(8) << 55, rng.getrandbits(3), 0))
    return rng.getrandbits(1) << 79 | exponent << 64 | significand


def image(rng: random.Random) -> bytes:
    """An FXSAVE image of the unit with every exception masked; in a third of them some registers are empty."""
    control = 0x7F | rng.choice((0x300, 0x300, 0x200, 0)) | rng.choice((0, 0, 1, 2, 3)) << 10
    status = rng.getrandbits(16) & ~0x8080
    tags = 0xFF if rng.random() < 0.4 else rng.getrandbits(8)
    data = bytearray(struct.pack("<HHB", control, status, tags).ljust(160, b"\0"))
    for number in range(8):
        data[32 + 16 * number : 42 + 16 * number] = extended(rng).to_bytes(10, "little")
    return bytes(data)


@setup(*{row.name for row in ROWS})
def register_stack(drawn: Drawn) -> None:
    rng, state, memory = drawn.rng, drawn.state, drawn.encoded.memory
    state.x87 = image(rng)
    state.mxcsr = environment(rng)
    state.xmm = [vector(rng) for _ in range(16)]
    if memory:
        kind = rng.randrange(4)
        value = (single(rng), double(rng), extended(rng), rng.getrandbits(rng.randrange(1, 65)))[kind]
        drawn.poke(memory.target, value.to_bytes(16, "little"))


@setup("fxrstor", "fldenv", "frstor", "fldcw", "ldmxcsr")
def stored_state(drawn: Drawn) -> None:
    """An image with masked exceptions, for one that is not would fault later."""
    rng, memory = drawn.rng, drawn.encoded.memory
    assert memory is not None
    data = image(rng)
    if drawn.row.name == "ldmxcsr":
        data = environment(rng).to_bytes(4, "little") if rng.random() < 0.9 else b"\xff" * 4
    elif drawn.row.name == "fxrstor":
        mxcsr = environment(rng) | (rng.random() < 0.1) << 20
        data = data[:24] + struct.pack("<II", mxcsr, 0xFFFF) + data[32:]
        data += b"".join(vector(rng).to_bytes(16, "little") for _ in range(16)) + bytes(96)
    elif drawn.row.name in ("fldenv", "frstor"):
        step = 2 if drawn.size == 16 else 4
        words = (data[0:2], data[2:4], rng.randbytes(2), *(bytes(2) for _ in range(4)))
        data = b"".join(word.ljust(step, b"\0") for word in words)
        data += b"".join(extended(rng).to_bytes(10, "little") for _ in range(8))
    drawn.poke(memory.target, data)


def _c1(drawn: Drawn) -> int:
    """C1 tells of upward rounding where the result is inexact; that is not kept."""
    return FLAG_BITS["c1"]


_ROUNDS: Final = ("fst", "fstp", "fist", "fistp", "fisttp", "fsqrt", "frndint", "fscale", "fild", "fld", "fbstp")
_ROUNDS_TOO: Final = ("fadd", "fmul", "fsub", "fdiv", "fiadd", "fimul", "fisub", "fidiv")
UNDEFINED.update({row.name: _c1 for row in ROWS if row.name.startswith(_ROUNDS_TOO) or row.name in _ROUNDS})
# Ten bytes are stored as eight and two.
UNDEFINED.update(dict.fromkeys(("fstp", "fbstp"), lambda drawn: FLAG_BITS["c1"] | TORN))


@setup("fbld")
def digits(drawn: Drawn) -> None:
    """What is not a digit gives what the manual does not tell."""
    rng, memory = drawn.rng, drawn.encoded.memory
    assert memory is not None
    value = rng.choice((0, 1, 10**18 - 1, rng.randrange(10**18), rng.randrange(10 ** rng.randrange(1, 18))))
    sign = rng.choice((0, 0x80, 0x7F, 0xFF)).to_bytes(1, "little")
    drawn.poke(memory.target, bytes.fromhex(f"{value:018}")[::-1] + sign)


@setup("fbstp", "fprem", "fprem1")
def magnitudes(drawn: Drawn) -> None:
    """Values of eighteen digits or so; quotients of some tens of bits or fewer."""
    rng, data = drawn.rng, bytearray(drawn.state.x87)
    if rng.random() < 0.3:
        return
    exponent = rng.choice((0x403A, 0x403A, 0x4020, 0x3FFF, 0x4039, rng.getrandbits(14)))
    for register in range(2):
        significand = _INTEGER | rng.choice((rng.getrandbits(63), rng.getrandbits(8) << 55, 0))
        value = rng.getrandbits(1) << 79 | exponent << 64 | significand
        data[32 + 16 * register : 42 + 16 * register] = value.to_bytes(10, "little")
        exponent = max(1, exponent - rng.choice((0, 1, 2, 3, 10, 31, 63, 64, 65, 66, 95, 96, 97, 200)))
    drawn.state.x87 = bytes(data)


ELEMENTARY: Final = ("f2xm1", "fyl2xp1", "fyl2x", "fpatan", "fsin", "fcos", "fsincos", "fptan")
"""Rows whose results the reference gives correctly rounded, while hardware may give the other neighbour."""


@setup(*ELEMENTARY)
def arguments(drawn: Drawn) -> None:
    """Arguments for which the manual tells the result."""
    rng, name = drawn.rng, drawn.row.name
    data = bytearray(drawn.state.x87)
    x = int.from_bytes(data[32:42], "little")
    exponent = x >> 64 & 0x7FFF
    if rng.random() < 0.6:
        exponent = 0x3FFF - rng.choice((0, 1, 1, 2, 2, 3, 5, 10, 40, 70, -1, -2, -5, -20))
        x = rng.getrandbits(1) << 79 | exponent << 64 | _INTEGER | rng.getrandbits(63)
    limit = {"f2xm1": 0x3FFE, "fyl2xp1": 0x3FFC}.get(name)
    if limit and limit < exponent < 0x7FFF:
        x = x & ~(0x7FFF << 64) | limit - rng.randrange(3) << 64
    data[32:42] = x.to_bytes(10, "little")
    drawn.state.x87 = bytes(data)


UNDEFINED.update(dict.fromkeys(ELEMENTARY, lambda drawn: X87_NEIGHBOUR | FLAG_BITS["c1"]))
