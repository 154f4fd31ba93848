"""Whole blocks of AES-128 and SHA-256 as guest code, on every tier, against the standards' examples and hashlib."""

from __future__ import annotations

import hashlib
import math
import struct

import metaphrase as mp
from metaphrase.snippet import Snippet
from tests.metaphrase.isolated import isolated

TIERS = ("reference", "0", "1")

# --- AES (FIPS 197, appendix B) ---------------------------------------------------------------------------------------
KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
PLAIN = bytes.fromhex("3243f6a8885a308d313198a2e0370734")
CIPHER = bytes.fromhex("3925841d02dc09fbdc118597196a0b32")
ROUND_CONSTANTS = (1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x1B, 0x36)


def aes() -> str:
    """Encrypts the block at rdi + 16 with the key at rdi, to rdi + 32; decrypts that to rdi + 48; keys behind."""
    lines = ["movdqa xmm1, [rdi]", "movdqa xmm0, [rdi + 16]", "movdqa [rdi + 64], xmm1", "pxor xmm0, xmm1"]
    for number, constant in enumerate(ROUND_CONSTANTS, 1):
        lines += [f"aeskeygenassist xmm2, xmm1, {constant}", "pshufd xmm2, xmm2, 255", "movdqa xmm3, xmm1"]
        lines += ["pslldq xmm3, 4", "pxor xmm1, xmm3"] * 3
        lines += ["pxor xmm1, xmm2", f"movdqa [rdi + {64 + 16 * number}], xmm1"]
        lines += ["aesenclast xmm0, xmm1" if number == 10 else "aesenc xmm0, xmm1"]
    lines += ["movdqa [rdi + 32], xmm0", "pxor xmm0, xmm1"]
    for number in range(9, 0, -1):
        lines += [f"aesimc xmm4, [rdi + {64 + 16 * number}]", "aesdec xmm0, xmm4"]
    lines += ["aesdeclast xmm0, [rdi + 64]", "movdqa [rdi + 48], xmm0"]
    return "; ".join(lines)


@isolated
def test_aes() -> None:
    for tier in TIERS:
        code = mp.code("x86_64", asm=aes())
        code.map(0x8000, KEY + PLAIN)
        run(code, tier)
        assert code.memory[0x8020:0x8030] == CIPHER, tier
        assert code.memory[0x8030:0x8040] == PLAIN, tier


def run(code: Snippet, tier: str) -> None:
    stop = code.run(tier=tier, rdi=0x8000)
    assert (stop.kind, stop.pc) == ("end", code.end), (tier, stop)


# --- SHA-256 (FIPS 180-4) ---------------------------------------------------------------------------------------------
PRIMES = [n for n in range(2, 312) if all(n % d for d in range(2, math.isqrt(n) + 1))]


def cube_root(n: int) -> int:
    """The integral part of the cube root."""
    root = 0
    for bit in range(n.bit_length() // 3 + 1, -1, -1):
        if (root | 1 << bit) ** 3 <= n:
            root |= 1 << bit
    return root


CONSTANTS = [cube_root(prime << 96) & 0xFFFFFFFF for prime in PRIMES]
"""The first bits of the fractions of the primes' cube roots."""
INITIAL = [math.isqrt(prime << 64) & 0xFFFFFFFF for prime in PRIMES[:8]]


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def sha256() -> str:
    """A block: a b e f at rdi, c d g h behind, words of the message at rdi + 32, constants at rdi + 96."""
    lines = ["movdqa xmm1, [rdi]", "movdqa xmm2, [rdi + 16]"]
    lines += [f"movdqa xmm{3 + number}, [rdi + {32 + 16 * number}]" for number in range(4)]
    for number in range(16):
        w0, w1, w2, w3 = (f"xmm{3 + (number + other) % 4}" for other in range(4))
        lines += [f"movdqa xmm0, {w0}", f"paddd xmm0, [rdi + {96 + 16 * number}]", "sha256rnds2 xmm2, xmm1"]
        lines += ["pshufd xmm0, xmm0, 14", "sha256rnds2 xmm1, xmm2"]
        lines += [f"sha256msg1 {w0}, {w1}", f"movdqa xmm7, {w2}", "psrldq xmm7, 4", f"movdqa xmm8, {w3}"]
        lines += ["pslldq xmm8, 12", "por xmm7, xmm8", f"paddd {w0}, xmm7", f"sha256msg2 {w0}, {w3}"]
    lines += ["paddd xmm1, [rdi]", "paddd xmm2, [rdi + 16]", "movdqa [rdi], xmm1", "movdqa [rdi + 16], xmm2"]
    return "; ".join(lines)


@isolated
def test_sha256() -> None:
    text = b"abc"
    block = text + b"\x80" + bytes(52) + (8 * len(text)).to_bytes(8, "big")
    message = [int.from_bytes(block[at : at + 4], "big") for at in range(0, 64, 4)]
    a, b, c, d, e, f, g, h = INITIAL
    for tier in TIERS:
        code = mp.code("x86_64", asm=sha256())
        code.map(0x8000, words(f, e, b, a, h, g, d, c, *message, *CONSTANTS))
        run(code, tier)
        after = code.memory[0x8000:0x8020]
        assert isinstance(after, bytes)
        found = struct.unpack("<8I", after)
        digest = b"".join(found[index].to_bytes(4, "big") for index in (3, 2, 7, 6, 1, 0, 5, 4))
        assert digest == hashlib.sha256(text).digest(), tier
