"""Exact IEEE 754 arithmetic on bit patterns, with Python integers; the meaning of the IR's floating-point ops.

Every operation takes raw bits and an environment, and returns (bits, flags). The environment is an integer with the
layout of x86's MXCSR (Intel SDM volume 1, 10.2.3): sticky flags in bits 0-5, denormals-are-zero (DAZ) 6, masks 7-12,
rounding 13-14, flush-to-zero (FTZ) 15. The flags returned are those that this operation raises; the caller makes them
sticky. After an unmasked exception the result has no meaning, as the hardware does not write one.

Where IEEE 754 leaves a choice, x86 is followed (SDM volume 1, 4.8.3 and 11.5): tininess is detected after rounding;
a NaN result is the first NaN operand made quiet (for the 80-bit format x87's rule, the larger significand); invalid
operations give the negative quiet NaN without payload. Guests that differ adjust the result of these functions.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

INVALID, DENORMAL, ZERO_DIVIDE, OVERFLOW, UNDERFLOW, INEXACT = (1 << bit for bit in range(6))
BEFORE_COMPUTING = INVALID | DENORMAL | ZERO_DIVIDE
"""Flags that depend on operands alone, and are looked at before the others."""
DENORMALS_ARE_ZERO, FLUSH_TO_ZERO = 1 << 6, 1 << 15
PRECISION_DOUBLE, PRECISION_SINGLE = 1 << 16, 2 << 16
"""Not of MXCSR: arithmetic in the 80-bit format rounds to 53 or 24 bits (precision control, SDM volume 1, 8.1.5.2)."""
DEFAULT_ENVIRONMENT = 0x1F80  # everything masked, to nearest
_ROUNDING_SHIFT, MASKS_SHIFT = 13, 7
_NO_EXTENDED = DENORMALS_ARE_ZERO | FLUSH_TO_ZERO | PRECISION_DOUBLE | PRECISION_SINGLE


class Rounding(enum.IntEnum):
    """Rounding directions, numbered as in MXCSR bits 13-14 and in the x87 control word."""

    NEAREST_EVEN = 0
    DOWN = 1
    UP = 2
    TOWARD_ZERO = 3


class Relation(enum.Enum):
    """The outcome of a comparison."""

    LESS = "lt"
    EQUAL = "eq"
    GREATER = "gt"
    UNORDERED = "unordered"


@dataclass(frozen=True, slots=True)
class Format:
    """A binary interchange format. `precision` counts the integer bit, whether it is stored or implied."""

    name: str
    exponent_bits: int
    precision: int
    explicit_integer: bool = False
    flushes: bool = True
    """Whether DAZ and FTZ apply; x86 ignores both for half precision and has neither in x87."""

    @property
    def fraction_bits(self) -> int:
        """Bits stored below the exponent field."""
        return self.precision if self.explicit_integer else self.precision - 1

    @property
    def width(self) -> int:
        """Bits of the whole encoding."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def exponent_mask(self) -> int:
        """The greatest exponent field, that of infinities and NaNs."""
        return (1 << self.exponent_bits) - 1

    @property
    def least_exponent(self) -> int:
        """log2 of the smallest positive subnormal."""
        return 3 - (1 << (self.exponent_bits - 1)) - self.precision

    @property
    def quiet_bit(self) -> int:
        """The bit that is set in quiet NaNs and clear in signalling ones."""
        return 1 << (self.precision - 2)

    @property
    def default_nan(self) -> int:
        """The "real indefinite" of invalid operations: negative, quiet, no payload."""
        return self.infinity(1) | self.quiet_bit

    def zero(self, sign: int) -> int:
        """A zero of the sign."""
        return sign << (self.width - 1)

    def infinity(self, sign: int) -> int:
        """An infinity of the sign."""
        return self.encode(sign, self.exponent_mask, 1 << (self.precision - 1))

    def encode(self, sign: int, exponent: int, significand: int) -> int:
        """Bits from an exponent field and a significand with its integer bit."""
        fraction = significand & ((1 << self.fraction_bits) - 1)
        return sign << (self.width - 1) | exponent << self.fraction_bits | fraction


HALF = Format("f16", 5, 11, flushes=False)
SINGLE = Format("f32", 8, 24)
DOUBLE = Format("f64", 11, 53)
EXTENDED = Format("f80", 15, 64, explicit_integer=True, flushes=False)
_NARROWED = {
    PRECISION_DOUBLE: Format("f80 of 53 bits", 15, 53, explicit_integer=True, flushes=False),
    PRECISION_SINGLE: Format("f80 of 24 bits", 15, 24, explicit_integer=True, flushes=False),
}
FORMATS = {item.width: item for item in (HALF, SINGLE, DOUBLE, EXTENDED)}


class Kind(enum.Enum):
    """What an encoding stands for."""

    FINITE = enum.auto()  # zeroes included
    INFINITE = enum.auto()
    NAN = enum.auto()
    UNSUPPORTED = enum.auto()  # f80 only: an unnormal, pseudo-infinity or pseudo-NaN (SDM volume 1, 8.2.2)


class Operand(NamedTuple):
    """A decoded value: for finite ones (-1)**sign * significand * 2**exponent, exactly."""

    kind: Kind
    sign: int
    significand: int = 0
    exponent: int = 0
    denormal: int = 0  # the DENORMAL flag if using the operand raises it
    bits: int = 0

    @property
    def is_zero(self) -> bool:
        return self.kind is Kind.FINITE and not self.significand

    @property
    def is_infinite(self) -> bool:
        return self.kind is Kind.INFINITE


class Result(NamedTuple):
    """The result's bits, and the flags that the operation raised."""

    bits: int
    flags: int


def decode(form: Format, bits: int, environment: int) -> Operand:
    """The value of an encoding."""
    bits &= (1 << form.width) - 1
    sign = bits >> (form.width - 1)
    exponent = bits >> form.fraction_bits & form.exponent_mask
    fraction = bits & ((1 << form.fraction_bits) - 1)
    integer = 1 << (form.precision - 1)
    if form.explicit_integer and exponent and not fraction & integer:
        return Operand(Kind.UNSUPPORTED, sign)
    if exponent == form.exponent_mask:
        if fraction & (integer - 1):
            return Operand(Kind.NAN, sign, fraction & (integer - 1), bits=bits)
        return Operand(Kind.INFINITE, sign)
    if exponent:
        return Operand(Kind.FINITE, sign, fraction | integer, exponent - 1 + form.least_exponent)
    if form.flushes and environment & DENORMALS_ARE_ZERO:
        fraction = 0
    return Operand(Kind.FINITE, sign, fraction, form.least_exponent, DENORMAL if fraction else 0)


def nan_result(form: Format, operands: Sequence[Operand]) -> Result | None:
    """The result when an operand is a NaN (or not supported), or None. NaNs come in their order of precedence."""
    nans = [item for item in operands if item.kind is Kind.NAN]
    if any(item.kind is Kind.UNSUPPORTED for item in operands):
        return Result(form.default_nan, INVALID)
    if not nans:
        return None
    signalling = [item for item in nans if not item.bits & form.quiet_bit]
    flags = INVALID if signalling else 0
    chosen = nans[0]
    if form.explicit_integer:  # x87: quiet before signalling, then the larger significand, then the positive one
        candidates = [item for item in nans if item.bits & form.quiet_bit] or nans
        chosen = max(candidates, key=lambda item: (item.significand, -item.sign))
    return Result(chosen.bits | form.quiet_bit, flags)


def _rounded(significand: int, shift: int, sign: int, rounding: int) -> tuple[int, bool]:
    """Drop `shift` low bits (or append zeroes if negative); returns the rounded integer and whether it is inexact."""
    if shift <= 0:
        return significand << -shift, False
    dropped = significand & ((1 << shift) - 1)
    kept = significand >> shift
    if rounding == Rounding.NEAREST_EVEN:
        half = 1 << (shift - 1)
        increment = dropped > half or (dropped == half and kept & 1 == 1)
    else:
        increment = dropped != 0 and rounding == (Rounding.DOWN if sign else Rounding.UP)
    return kept + increment, dropped != 0


def _rounding(environment: int) -> int:
    return environment >> _ROUNDING_SHIFT & 3


def with_rounding(environment: int, rounding: Rounding) -> int:
    """The environment but for its rounding direction."""
    return environment & ~(3 << _ROUNDING_SHIFT) | rounding << _ROUNDING_SHIFT


def pack(form: Format, sign: int, significand: int, exponent: int, environment: int, flags: int = 0) -> Result:
    """Round (-1)**sign * significand * 2**exponent into the format. `flags` are those raised before.

    An unmasked overflow or underflow tells of the rounding to the format's precision only, for the hardware hands a
    handler that result with a wider exponent (SDM volume 1, 4.9.1.4 and 4.9.1.5).
    """
    narrow = _NARROWED.get(environment & (PRECISION_DOUBLE | PRECISION_SINGLE)) if form is EXTENDED else None
    if narrow is not None:
        bits, flags = pack(narrow, sign, significand, exponent, environment, flags)
        high, low = divmod(bits, 1 << narrow.precision)
        return Result(high << form.precision | low << (form.precision - narrow.precision), flags)
    masks = environment >> MASKS_SHIFT
    if flags & ~masks:  # an unmasked exception of an operand: nothing is computed
        return Result(form.default_nan, flags)
    if significand == 0:
        return Result(form.zero(sign), flags)
    rounding = _rounding(environment)
    precision, least = form.precision, form.least_exponent
    shift = significand.bit_length() - precision
    rounded, inexact = _rounded(significand, shift, sign, rounding)
    if rounded.bit_length() + exponent + shift < least + precision:  # tiny, as if the exponent had no bound
        if form.flushes and environment & FLUSH_TO_ZERO and masks & UNDERFLOW:
            return Result(form.zero(sign), flags | UNDERFLOW | INEXACT)
        if masks & UNDERFLOW:
            shift = least - exponent
            rounded, inexact = _rounded(significand, shift, sign, rounding)
        if inexact or not masks & UNDERFLOW:
            flags |= UNDERFLOW
    if rounded.bit_length() > precision:
        rounded >>= 1
        shift += 1
    normal = rounded.bit_length() == precision
    field = max(exponent + shift - least + 1, 0) if normal else 0
    if inexact:
        flags |= INEXACT
    if field >= form.exponent_mask:
        flags |= OVERFLOW | (INEXACT if masks & OVERFLOW else 0)
        if rounding == Rounding.NEAREST_EVEN or rounding == (Rounding.DOWN if sign else Rounding.UP):
            return Result(form.infinity(sign), flags)
        return Result(form.encode(sign, form.exponent_mask - 1, (1 << precision) - 1), flags)
    return Result(form.encode(sign, field, rounded), flags)


def _sum(form: Format, left: Operand, right: Operand, environment: int, flags: int) -> Result:
    """The sum of two finite values."""
    if not left.significand and not right.significand:
        sign = left.sign if left.sign == right.sign else int(_rounding(environment) == Rounding.DOWN)
        return pack(form, sign, 0, 0, environment, flags)
    exponent = min(left.exponent, right.exponent)
    total = 0
    for item in (left, right):
        aligned = item.significand << (item.exponent - exponent)
        total += -aligned if item.sign else aligned
    sign = int(total < 0) if total else int(_rounding(environment) == Rounding.DOWN)
    return pack(form, sign, abs(total), exponent, environment, flags)


def _add(form: Format, left: Operand, right: Operand, negate: int, environment: int) -> Result:
    nan = nan_result(form, (left, right))
    if nan is not None:
        return nan
    right = right._replace(sign=right.sign ^ negate)
    flags = left.denormal | right.denormal
    if left.is_infinite:
        if right.is_infinite and left.sign != right.sign:
            return Result(form.default_nan, INVALID)
        return Result(form.infinity(left.sign), flags)
    if right.is_infinite:
        return Result(form.infinity(right.sign), flags)
    return _sum(form, left, right, environment, flags)


def add(form: Format, x: int, y: int, environment: int = DEFAULT_ENVIRONMENT) -> Result:
    """x + y."""
    return _add(form, decode(form, x, environment), decode(form, y, environment), 0, environment)


def sub(form: Format, x: int, y: int, environment: int = DEFAULT_ENVIRONMENT) -> Result:
    """x - y; a NaN y keeps its sign."""
    return _add(form, decode(form, x, environment), decode(form, y, environment), 1, environment)


def mul(form: Format, x: int, y: int, environment: int = DEFAULT_ENVIRONMENT) -> Result:
    """x * y."""
    left, right = decode(form, x, environment), decode(form, y, environment)
    nan = nan_result(form, (left, right))
    if nan is not None:
        return nan
    sign, flags = left.sign ^ right.sign, left.denormal | right.denormal
    if left.is_infinite or right.is_infinite:
        if left.is_zero or right.is_zero:
            return Result(form.default_nan, INVALID)
        return Result(form.infinity(sign), flags)
    product = left.significand * right.significand
    return pack(form, sign, product, left.exponent + right.exponent, environment, flags)


def div(form: Format, x: int, y: int, environment: int = DEFAULT_ENVIRONMENT) -> Result:
    """x / y; a finite non-zero x over zero is an infinity and raises ZERO_DIVIDE."""
    left, right = decode(form, x, environment), decode(form, y, environment)
    nan = nan_result(form, (left, right))
    if nan is not None:
        return nan
    sign, flags = left.sign ^ right.sign, left.denormal | right.denormal
    if left.is_infinite:
        if right.is_infinite:
            return Result(form.default_nan, INVALID)
        return Result(form.infinity(sign), flags)
    if right.is_infinite:
        return Result(form.zero(sign), flags)
    if right.is_zero:
        if left.is_zero:
            return Result(form.default_nan, INVALID)
        return Result(form.infinity(sign), ZERO_DIVIDE)
    shift = max(0, form.precision + 2 + right.significand.bit_length() - left.significand.bit_length())
    quotient, remainder = divmod(left.significand << shift, right.significand)
    sticky = quotient << 1 | (remainder != 0)
    return pack(form, sign, sticky, left.exponent - right.exponent - shift - 1, environment, flags)


def sqrt(form: Format, x: int, environment: int = DEFAULT_ENVIRONMENT) -> Result:
    """The square root; that of a negative zero is itself."""
    operand = decode(form, x, environment)
    nan = nan_result(form, (operand,))
    if nan is not None:
        return nan
    if operand.is_zero:
        return Result(form.zero(operand.sign), 0)
    if operand.sign:
        return Result(form.default_nan, INVALID)
    if operand.is_infinite:
        return Result(form.infinity(0), 0)
    shift = 2 * form.precision + 4
    shift += (operand.exponent - shift) & 1  # the exponent that is halved must be even
    radicand = operand.significand << shift
    root = isqrt(radicand)
    sticky = root << 1 | (root * root != radicand)
    return pack(form, 0, sticky, (operand.exponent - shift) // 2 - 1, environment, operand.denormal)


def fma(
    form: Format,
    x: int,
    y: int,
    z: int,
    environment: int = DEFAULT_ENVIRONMENT,
    *,
    negate_product: bool = False,
    negate_addend: bool = False,
) -> Result:
    """x * y + z with one rounding, either term negated on request (NaNs keep their sign).

    Of several NaNs the first in that order counts; on x86, VFMADD231 and its kin name the order in their digits.
    """
    left, right, addend = operands = [decode(form, bits, environment) for bits in (x, y, z)]
    nan = nan_result(form, operands)
    if nan is not None:
        return nan
    flags = left.denormal | right.denormal | addend.denormal
    sign = left.sign ^ right.sign ^ negate_product
    addend = addend._replace(sign=addend.sign ^ negate_addend)
    if left.is_infinite or right.is_infinite:
        opposite = addend.is_infinite and addend.sign != sign
        if left.is_zero or right.is_zero or opposite:
            return Result(form.default_nan, INVALID)
        return Result(form.infinity(sign), flags)
    if addend.is_infinite:
        return Result(form.infinity(addend.sign), flags)
    product = Operand(Kind.FINITE, sign, left.significand * right.significand, left.exponent + right.exponent)
    return _sum(form, product, addend, environment, flags)


def convert(source: Format, target: Format, x: int, environment: int = DEFAULT_ENVIRONMENT) -> Result:
    """The value in another format. A NaN keeps its sign and the high bits of its payload, and is made quiet."""
    if EXTENDED in (source, target):  # x87 has neither mode, and precision control is for arithmetic
        environment &= ~_NO_EXTENDED
    operand = decode(source, x, environment)
    nan = nan_result(source, (operand,))
    if nan is not None:
        if operand.kind is Kind.UNSUPPORTED:
            return Result(target.default_nan, INVALID)
        shift = target.precision - source.precision
        payload = operand.significand << shift if shift >= 0 else operand.significand >> -shift
        integer = 1 << (target.precision - 1)
        return Result(
            target.encode(operand.sign, target.exponent_mask, payload | integer | target.quiet_bit), nan.flags
        )
    if operand.is_infinite:
        return Result(target.infinity(operand.sign), 0)
    # x87 stores an 80-bit denormal without calling it one (SDM volume 2, FST).
    flags = 0 if source.explicit_integer else operand.denormal
    return pack(target, operand.sign, operand.significand, operand.exponent, environment, flags)


def to_int(
    form: Format,
    x: int,
    width: int,
    signed: bool = True,
    environment: int = DEFAULT_ENVIRONMENT,
    rounding: int | None = None,
) -> Result:
    """An integer of `width` bits, as an unsigned bit pattern.

    NaNs and values out of range give the "integer indefinite" and INVALID: the least integer if signed, all ones if
    not. `rounding` overrides the environment's (truncating conversions).
    """
    operand = decode(form, x, environment)
    indefinite = Result(1 << (width - 1) if signed else (1 << width) - 1, INVALID)
    if operand.kind is not Kind.FINITE:
        return indefinite
    mode = _rounding(environment) if rounding is None else rounding
    magnitude, inexact = _rounded(operand.significand, -operand.exponent, operand.sign, mode)
    value = -magnitude if operand.sign else magnitude
    low, high = (-1 << (width - 1), 1 << (width - 1)) if signed else (0, 1 << width)
    if not low <= value < high:
        return indefinite
    return Result(value & ((1 << width) - 1), INEXACT if inexact else 0)


def from_int(form: Format, value: int, environment: int = DEFAULT_ENVIRONMENT) -> Result:
    """The nearest value to a Python integer (negative where the guest's is); zero is positive."""
    if form is EXTENDED:
        environment &= ~_NO_EXTENDED
    return pack(form, int(value < 0), abs(value), 0, environment)


def compare(
    form: Format, x: int, y: int, environment: int = DEFAULT_ENVIRONMENT, signalling: bool = False
) -> tuple[Relation, int]:
    """How x relates to y. `signalling` comparisons raise INVALID for quiet NaNs too."""
    left, right = decode(form, x, environment), decode(form, y, environment)
    nan = nan_result(form, (left, right))
    if nan is not None:
        return Relation.UNORDERED, INVALID if signalling else nan.flags
    flags = left.denormal | right.denormal
    # In one format, exponent above significand orders as the values do.
    keys = [
        ((1 << 16 if item.is_infinite else item.exponent - form.least_exponent) << 64 | item.significand)
        for item in (left, right)
    ]
    a, b = (-key if item.sign else key for key, item in zip(keys, (left, right)))
    return (Relation.EQUAL if a == b else Relation.LESS if a < b else Relation.GREATER), flags


def round_to_integral(
    form: Format,
    x: int,
    environment: int = DEFAULT_ENVIRONMENT,
    rounding: int | None = None,
    exact: bool = True,
) -> Result:
    """x rounded to an integer in its own format; raises INEXACT where it changed, unless `exact` is false."""
    operand = decode(form, x, environment)
    nan = nan_result(form, (operand,))
    if nan is not None:
        return nan
    if operand.is_infinite:
        return Result(form.infinity(operand.sign), 0)
    mode = _rounding(environment) if rounding is None else rounding
    integer, inexact = _rounded(operand.significand, -operand.exponent, operand.sign, mode)
    packed = pack(form, operand.sign, integer, 0, DEFAULT_ENVIRONMENT)  # exact: it has no more bits than x
    flags = INEXACT if inexact and exact else 0
    if form.explicit_integer:  # SSE's rounding does not tell of denormals, x87's does
        flags |= operand.denormal
    return Result(packed.bits, flags)
