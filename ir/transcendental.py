"""Elementary functions with Python integers, to far more bits than the 80-bit format has.

Arguments are exact (`Number`: a significand times a power of two, with a sign); results carry about `BITS` correct
bits. Within, numbers are fixed-point integers: `x` stands for x / 2^scale. The scale grows with the smallness of the
argument, so the precision is relative.
"""

from __future__ import annotations

from functools import cache
from math import isqrt
from typing import Final, NamedTuple

BITS: Final = 128
"""Relative precision of the results, with some bits to spare."""
PI_OF_X87: Final = 0xC90FDAA22168C234C
"""pi * 2^66, as far as x87 knows it (SDM volume 1, 8.3.8): arguments are reduced by this number, not by pi."""
PI_OF_X87_SCALE: Final = 66


class Number(NamedTuple):
    """(-1)**sign * significand * 2**exponent."""

    sign: int
    significand: int
    exponent: int

    @property
    def magnitude(self) -> int:
        """floor(log2(|x|)), for x other than zero."""
        return self.significand.bit_length() - 1 + self.exponent

    def fixed(self, scale: int) -> int:
        """The value as a signed fixed-point number, truncated."""
        shift = self.exponent + scale
        value = self.significand << shift if shift >= 0 else self.significand >> -shift
        return -value if self.sign else value

    def times(self, other: Number) -> Number:
        return Number(self.sign ^ other.sign, self.significand * other.significand, self.exponent + other.exponent)


def number(fixed: int, scale: int) -> Number:
    """A fixed-point number as an exact one."""
    return Number(int(fixed < 0), abs(fixed), -scale)


def _scale(x: Number) -> int:
    """A scale that leaves BITS bits to a result as small as x."""
    return BITS + 16 + max(0, -x.magnitude)


# --- constants --------------------------------------------------------------------------------------------------------
def _atanh_series(z: int, scale: int, alternate: bool) -> int:
    """z + z^3/3 + z^5/5 + ..., or with alternating signs: atanh or atan of a small z."""
    square, power, total, n = z * z >> scale, z, z, 1
    while power:
        power = power * square >> scale
        n += 2
        term = power // n
        total += -term if alternate and n & 2 else term
    return total


def _quotient(numerator: int, denominator: int, scale: int) -> int:
    return (numerator << scale) // denominator


@cache
def ln2(scale: int) -> int:
    """The natural logarithm of 2."""
    wide = scale + 16
    parts = ((18, 26), (-2, 4801), (8, 8749))
    return sum(factor * _atanh_series(_quotient(1, n, wide), wide, False) for factor, n in parts) >> 16


@cache
def pi(scale: int) -> int:
    """pi, by Machin's formula."""
    wide = scale + 16
    fifth, other = (_atanh_series(_quotient(1, n, wide), wide, True) for n in (5, 239))
    return 16 * fifth - 4 * other >> 16


# --- exponentials and logarithms --------------------------------------------------------------------------------------
def exp2_minus_1(x: Number) -> Number:
    """2^x - 1, for |x| <= 1 or so, other than zero."""
    scale = _scale(x)
    t = x.fixed(scale) * ln2(BITS + 32) >> BITS + 32
    term = total = t
    n = 1
    while abs(term) > 1:
        n += 1
        term = (term * t >> scale) // n
        total += term
    return number(total, scale)


def _log2_of_ratio(numerator: int, denominator: int, scale: int) -> int:
    """log2(a / b) for a / b near 1, as 2 atanh((a - b) / (a + b)) / ln 2."""
    z = _quotient(numerator - denominator, numerator + denominator, scale)
    return (_atanh_series(abs(z), scale, False) * (1 if z >= 0 else -1) << 1 + BITS + 32) // ln2(BITS + 32)


def log2(x: Number) -> Number:
    """log2(x) for x > 0; exactly zero for 1."""
    length = x.significand.bit_length()
    exponent = length - 1 + x.exponent
    mantissa, one = x.significand, 1 << length - 1
    if mantissa * mantissa > 2 * one * one:  # above the square root of two
        one, exponent = one << 1, exponent + 1
    scale = 2 * BITS + length
    return number((exponent << scale) + _log2_of_ratio(mantissa, one, scale), scale)


def log2_plus_1(x: Number) -> Number:
    """log2(x + 1) for x > -1 other than zero."""
    scale = _scale(x) + 16
    shift = min(x.exponent, 0)
    one = 1 << -shift
    value = x.significand << x.exponent - shift
    above = one - value if x.sign else one + value
    if abs(above - one) * 2 > one:
        return log2(Number(0, above, shift))
    return number(_log2_of_ratio(above, one, scale), scale)


# --- trigonometry -----------------------------------------------------------------------------------------------------
def arctangent(ratio_above: Number, ratio_below: Number) -> tuple[int, int]:
    """atan(a / b) for 0 < a <= b, as a fixed-point number and its scale."""
    smallness = max(0, ratio_below.magnitude - ratio_above.magnitude)
    scale = BITS + 32 + smallness
    shift = ratio_above.exponent - ratio_below.exponent + scale
    above, below = ratio_above.significand, ratio_below.significand
    z = (above << shift) // below if shift >= 0 else above // (below << -shift)
    doublings = 0
    while z >> scale - 3:  # atan z = 2 atan(z / (1 + sqrt(1 + z^2)))
        z = _quotient(z, (1 << scale) + isqrt((1 << 2 * scale) + z * z), scale)
        doublings += 1
    return _atanh_series(z, scale, True) << doublings, scale


def angle(y: Number, x: Number) -> Number:
    """The angle of the point (x, y), in (-pi, pi]; neither is zero."""
    steep = y.magnitude > x.magnitude or (
        y.magnitude == x.magnitude and y.significand << max(0, y.exponent - x.exponent)
        > x.significand << max(0, x.exponent - y.exponent)
    )  # fmt: skip
    turned, scale = arctangent(x, y) if steep else arctangent(y, x)
    if steep or x.sign:
        turned, scale = turned >> scale - BITS - 32, BITS + 32
        half = pi(scale) >> 1
        if steep:
            turned = half + turned if x.sign else half - turned
        else:
            turned = 2 * half - turned
    return number(-turned if y.sign else turned, scale)


def reduce_angle(x: Number) -> tuple[int, Number]:
    """x = n pi/2 + r with x87's pi and the least |r|: n modulo 4, and r exactly."""
    scale = max(PI_OF_X87_SCALE + 1, -x.exponent)
    value = x.fixed(scale)
    right = PI_OF_X87 << scale - PI_OF_X87_SCALE - 1
    turns = (2 * value + right) // (2 * right)
    return turns & 3, number(value - turns * right, scale)


def sine(r: Number) -> Number:
    """sin(r) for |r| <= pi/4 or so, other than zero."""
    scale = _scale(r)
    value = r.fixed(scale)
    return number(_power_series(value, value, 1, scale), scale)


def cosine(r: Number) -> Number:
    """cos(r) for |r| <= pi/4 or so."""
    scale = BITS + 16
    return number(_power_series(1 << scale, r.fixed(scale), 0, scale), scale)


def _power_series(first: int, x: int, n: int, scale: int) -> int:
    """first - first x^2/((n+1)(n+2)) + ..., the series of sine (n = 1) and cosine (n = 0)."""
    square, term, total = x * x >> scale, first, first
    while abs(term) > 1:
        term = -(term * square >> scale) // ((n + 1) * (n + 2))
        n += 2
        total += term
    return total


def quotient(above: Number, below: Number) -> Number:
    """above / below, to BITS bits."""
    shift = BITS + below.significand.bit_length()
    ratio = (above.significand << shift) // below.significand
    return Number(above.sign ^ below.sign, ratio, above.exponent - below.exponent - shift)
