"""What ops stand for that are single instructions where a host has them: the same in other pure ops.

Backends use these where there is no such instruction, and constants are folded by them. Vectors are of 128 bits, lane 0
least significant. Sources: FIPS 180-4 (SHA), FIPS 197 (AES), SDM volume 2 for how the instructions cut them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor
from typing import Any

_POLYNOMIAL = 0x1B
"""AES's field is bytes modulo x^8 + this."""


# --- bytes and bits ---------------------------------------------------------------------------------------------------
def byte_shuffle(a: Any, indices: Any) -> Any:
    """Lane i is the lane of `a` that the low four bits of index i name, or zero if its top bit is set."""
    wanted = indices & 0x8F
    result = a ^ a
    for lane in range(16):
        result = wanted.eq(lane).select(a.extract(lane).splat(16), result)
    return result


def deposit_bits(a: Any, mask: Any) -> Any:
    """The low bits of `a`, one after the other, where the mask has ones."""
    result = a ^ a
    for bit in range(a.width):
        here = (mask.lshr(bit) & 1).ne(0)
        result = here.select(result | (a & 1) << bit, result)
        a = here.select(a.lshr(1), a)
    return result


def extract_bits(a: Any, mask: Any) -> Any:
    """The bits of `a` where the mask has ones, one after the other."""
    result = a ^ a
    for bit in reversed(range(a.width)):
        here = (mask.lshr(bit) & 1).ne(0)
        result = here.select(result << 1 | (a.lshr(bit) & 1), result)
    return result


def carryless_product(a: Any, b: Any) -> Any:
    """The low lanes as polynomials over bits, multiplied."""
    x, y = a.extract(0).zext(128), b.extract(0).zext(128)
    result = x ^ x
    for bit in range(64):
        result = result ^ (y.lshr(bit) & 1).ne(0).select(x << bit, x ^ x)
    return result.bitcast(a.type)


# --- AES's field ------------------------------------------------------------------------------------------------------
def _doubled(a: Any) -> Any:
    return a << 1 ^ a.ashr(7) & _POLYNOMIAL


def field_product(a: Any, b: Any) -> Any:
    """Lane by lane."""
    result = a ^ a
    for bit in range(8):
        result = result ^ (b.lshr(bit) & 1).ne(0).select(a, a ^ a)
        a = _doubled(a)
    return result


def _inverse(a: Any) -> Any:
    """To the power of 254; zero stays."""
    square = a
    result = None
    for _ in range(7):
        square = field_product(square, square)
        result = square if result is None else field_product(result, square)
    return result


def affine(a: Any, matrices: Any) -> Any:
    """Every byte times the 8 x 8 matrix of bits in its quadword of `matrices`, whose byte 7 - i gives bit i."""
    result = a ^ a
    for bit in range(8):
        row = matrices.shuffle(matrices, [lane // 8 * 8 + 7 - bit for lane in range(16)])
        result = result | ((row & a).unary("popcnt") & 1) << bit
    return result


def affine_inverse(a: Any, matrices: Any) -> Any:
    """`affine` of the inverses."""
    return affine(_inverse(a), matrices)


def _substituted(a: Any) -> Any:
    b = _inverse(a)
    return reduce(xor, (b.binary("rotl", by) for by in range(1, 5)), b) ^ 0x63


def _substituted_back(a: Any) -> Any:
    b = a ^ 0x63
    return _inverse(reduce(xor, (b.binary("rotl", by) for by in (3, 6)), b.binary("rotl", 1)))


def _rows_shifted(a: Any, by: int) -> Any:
    """Row r of the four by four bytes, which stand column by column, turned by r columns."""
    return a.shuffle(a, [(lane + 4 * by * (lane % 4)) % 16 for lane in range(16)])


def _mixed(a: Any, factors: Sequence[int]) -> Any:
    """Each column times a circulant matrix with this first row."""
    result = a ^ a
    for distance, factor in enumerate(factors):
        turned = a.shuffle(a, [lane // 4 * 4 + (lane + distance) % 4 for lane in range(16)])
        for bit in range(4):
            if factor >> bit & 1:
                result = result ^ turned
            turned = _doubled(turned)
    return result


_FORWARD, _BACKWARD = (2, 3, 1, 1), (14, 11, 13, 9)


def aes_encrypt(state: Any, key: Any) -> Any:
    return _mixed(_rows_shifted(_substituted(state), 1), _FORWARD) ^ key


def aes_encrypt_last(state: Any, key: Any) -> Any:
    return _rows_shifted(_substituted(state), 1) ^ key


def aes_decrypt(state: Any, key: Any) -> Any:
    return _mixed(_rows_shifted(_substituted_back(state), -1), _BACKWARD) ^ key


def aes_decrypt_last(state: Any, key: Any) -> Any:
    return _rows_shifted(_substituted_back(state), -1) ^ key


def aes_inverse_mix(a: Any) -> Any:
    return _mixed(a, _BACKWARD)


def aes_key_words(a: Any) -> Any:
    """The second and the fourth doubleword substituted, each followed by itself turned right by a byte."""
    lanes = [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]
    return _substituted(a).shuffle(a, lanes)


# --- SHA --------------------------------------------------------------------------------------------------------------
def _words(a: Any) -> list[Any]:
    """The doublewords, the most significant first, as the standard counts them."""
    return [a.extract(lane) for lane in (3, 2, 1, 0)]


def _vector(like: Any, words: Sequence[Any]) -> Any:
    for lane, word in zip((3, 2, 1, 0), words, strict=True):
        like = like.insert(lane, word)
    return like


def _turned(a: Any, *by: int, shift: int = 0) -> Any:
    """Exclusive or of rotations to the right, and of a shift if there is one."""
    parts = [a.binary("rotr", count) for count in by]
    return reduce(xor, [*parts, a.lshr(shift)] if shift else parts)


def _choice(x: Any, y: Any, z: Any) -> Any:
    return z ^ x & (y ^ z)


def _majority(x: Any, y: Any, z: Any) -> Any:
    return x & y | z & (x | y)


def sha256_rounds(state1: Any, state2: Any, inputs: Any) -> Any:
    """Two rounds: C, D, G, H in the first vector, A, B, E, F in the second, words with constants in the low lanes."""
    (c, d, g, h), (a, b, e, f) = _words(state1), _words(state2)
    for number in range(2):
        first = h + _turned(e, 6, 11, 25) + _choice(e, f, g) + inputs.extract(number)
        second = _turned(a, 2, 13, 22) + _majority(a, b, c)
        a, b, c, d, e, f, g, h = first + second, a, b, c, d + first, e, f, g
    return _vector(state1, (a, b, e, f))


def sha256_schedule1(a: Any, b: Any) -> Any:
    w = [a.extract(lane) for lane in range(4)] + [b.extract(0)]
    return _vector(a, [w[n] + _turned(w[n + 1], 7, 18, shift=3) for n in (3, 2, 1, 0)])


def sha256_schedule2(a: Any, b: Any) -> Any:
    before = [b.extract(2), b.extract(3)]
    for lane in range(4):
        before.append(a.extract(lane) + _turned(before[lane], 17, 19, shift=10))
    return _vector(a, before[:1:-1])


def _sha1_rounds(state: Any, inputs: Any, function: Any, constant: int) -> Any:
    a, b, c, d = _words(state)
    e = a ^ a  # the first word of the inputs has it
    for word in _words(inputs):
        next_a = function(b, c, d) + a.binary("rotl", 5) + word + e + constant
        a, b, c, d, e = next_a, a, b.binary("rotl", 30), c, d
    return _vector(state, (a, b, c, d))


def _parity(x: Any, y: Any, z: Any) -> Any:
    return x ^ y ^ z


def sha1_rounds_0(state: Any, inputs: Any) -> Any:
    return _sha1_rounds(state, inputs, _choice, 0x5A827999)


def sha1_rounds_1(state: Any, inputs: Any) -> Any:
    return _sha1_rounds(state, inputs, _parity, 0x6ED9EBA1)


def sha1_rounds_2(state: Any, inputs: Any) -> Any:
    return _sha1_rounds(state, inputs, _majority, 0x8F1BBCDC)


def sha1_rounds_3(state: Any, inputs: Any) -> Any:
    return _sha1_rounds(state, inputs, _parity, 0xCA62C1D6)


def sha1_next(state: Any, inputs: Any) -> Any:
    return inputs.insert(3, inputs.extract(3) + state.extract(3).binary("rotl", 30))


def sha1_schedule1(a: Any, b: Any) -> Any:
    return a ^ a.shuffle(b, [6, 7, 0, 1])


def sha1_schedule2(a: Any, b: Any) -> Any:
    words, others = _words(a), _words(b)[1:]
    result: list[Any] = []
    for number, word in enumerate(words):
        result.append((word ^ (others[number] if number < 3 else result[0])).binary("rotl", 1))
    return _vector(a, result)
