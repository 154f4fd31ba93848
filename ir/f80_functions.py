"""What the IR's op `f80_function` computes: x87's remainders, scaling parts and elementary functions.

Each function takes the bits of ST(0) and ST(1) and an environment as `softfloat` does, and gives the 80 bits of a
result, the condition codes C0 to C3 as the x87 status word holds them (they mean nothing with a NaN), and the exception
flags raised. Those of one operand ignore ST(1). Remainders and FXTRACT are exact; elementary functions are rounded from
some 128 correct bits, where hardware may err by one unit in the last place (SDM volume 1, 8.3.10).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from metaphrase.ir import transcendental as t
from metaphrase.ir.softfloat import (
    DEFAULT_ENVIRONMENT,
    EXTENDED,
    INEXACT,
    INVALID,
    PRECISION_DOUBLE,
    PRECISION_SINGLE,
    ZERO_DIVIDE,
    Operand,
    Result,
    decode,
    nan_result,
    pack,
)
from metaphrase.ir.transcendental import Number

C0, C1, C2, C3 = 1 << 8, 1 << 9, 1 << 10, 1 << 14
ONE: Final = Number(0, 1, 0)
LARGEST_ANGLE: Final = 63
"""Angles of 2^63 and more are not reduced: C2 is set, and the operand stays."""


class Outcome(NamedTuple):
    """A result's bits, the condition codes, and the exception flags."""

    bits: int
    conditions: int
    flags: int


Meaning = Callable[[int, int, int], Outcome]
FUNCTIONS: Final[dict[str, Meaning]] = {}


def function(name: str) -> Callable[[Meaning], Meaning]:
    """Declare what `f80_function` with the immediate `name` computes."""

    def declare(meaning: Meaning) -> Meaning:
        FUNCTIONS[name] = meaning
        return meaning

    return declare


def _exact(operand: Operand) -> Number:
    return Number(operand.sign, operand.significand, operand.exponent)


def _rounded(value: Number, environment: int, flags: int, *, exact: bool = False) -> Outcome:
    """A number in the 80-bit format; one that is not exact is known to lie a little off."""
    environment &= ~(PRECISION_DOUBLE | PRECISION_SINGLE)
    significand, exponent = value.significand, value.exponent
    if not exact:
        significand, exponent = significand << 1 | 1, exponent - 1
    bits, flags = pack(EXTENDED, value.sign, significand, exponent, environment, flags)
    return Outcome(bits, 0, flags)


def _result(result: Result) -> Outcome:
    return Outcome(result.bits, 0, result.flags)


INVALID_RESULT: Final = Outcome(EXTENDED.default_nan, 0, INVALID)


def _infinity(sign: int, flags: int = 0) -> Outcome:
    return Outcome(EXTENDED.infinity(sign), 0, flags)


def _zero(sign: int, flags: int = 0) -> Outcome:
    return Outcome(EXTENDED.zero(sign), 0, flags)


def _unary(meaning: Callable[[Operand, int], Outcome]) -> Meaning:
    """A function of ST(0), of what is not a NaN."""

    def run(x: int, _: int, environment: int) -> Outcome:
        operand = decode(EXTENDED, x, environment)
        nan = nan_result(EXTENDED, (operand,))
        return meaning(operand, environment) if nan is None else _result(nan)

    return run


def _binary(meaning: Callable[[Operand, Operand, int], Outcome]) -> Meaning:
    """A function of ST(0) and ST(1), of what is not a NaN."""

    def run(x: int, y: int, environment: int) -> Outcome:
        operands = decode(EXTENDED, x, environment), decode(EXTENDED, y, environment)
        nan = nan_result(EXTENDED, operands)
        return meaning(*operands, environment) if nan is None else _result(nan)

    return run


# --- remainders and parts ---------------------------------------------------------------------------------------------
def _remainder(nearest: bool) -> Meaning:
    """FPREM truncates the quotient, FPREM1 rounds it to nearest. Quotients of 2^64 and more take several turns."""

    def meaning(x: Operand, y: Operand, environment: int) -> Outcome:
        flags = x.denormal | y.denormal
        if x.is_infinite or y.is_zero:
            return INVALID_RESULT
        if x.is_zero or y.is_infinite:
            return _rounded(_exact(x), environment, flags, exact=True)
        a, b = _exact(x), _exact(y)
        distance = a.magnitude - b.magnitude
        if distance >= 64:  # by how much the exponent falls is the processor's choice, between 32 and 63
            step = distance - (distance & 31 | 32)
            return _partial(a, b, step, environment, flags)
        exponent = min(a.exponent, b.exponent)
        above, below = a.significand << a.exponent - exponent, b.significand << b.exponent - exponent
        quotient, rest = divmod(above, below)
        sign = a.sign
        if nearest and (2 * rest > below or (2 * rest == below and quotient & 1)):
            quotient, rest, sign = quotient + 1, below - rest, 1 - sign
        conditions = (quotient & 1) * C1 | (quotient >> 1 & 1) * C3 | (quotient >> 2 & 1) * C0
        result = _rounded(Number(sign if rest else a.sign, rest, exponent), environment, flags, exact=True)
        return result._replace(conditions=conditions)

    return _binary(meaning)


def _partial(a: Number, b: Number, step: int, environment: int, flags: int) -> Outcome:
    """a less the greatest multiple of b 2^step in it."""
    exponent = min(a.exponent, b.exponent + step)
    rest = (a.significand << a.exponent - exponent) % (b.significand << b.exponent + step - exponent)
    return _rounded(Number(a.sign, rest, exponent), environment, flags, exact=True)._replace(conditions=C2)


FUNCTIONS["fprem"] = _remainder(nearest=False)
FUNCTIONS["fprem1"] = _remainder(nearest=True)


@function("fxtract_exponent")
@_unary
def _fxtract_exponent(x: Operand, environment: int) -> Outcome:
    if x.is_infinite:
        return _infinity(0)
    if x.is_zero:
        return _infinity(1, ZERO_DIVIDE)
    exponent = _exact(x).magnitude
    return _rounded(Number(int(exponent < 0), abs(exponent), 0), DEFAULT_ENVIRONMENT, x.denormal, exact=True)


@function("fxtract_significand")
@_unary
def _fxtract_significand(x: Operand, environment: int) -> Outcome:
    if x.is_infinite:
        return _infinity(x.sign)
    if x.is_zero:
        return _zero(x.sign, ZERO_DIVIDE)
    number = _exact(x)
    return _rounded(number._replace(exponent=number.exponent - number.magnitude), environment, x.denormal, exact=True)


# --- exponentials and logarithms --------------------------------------------------------------------------------------
@function("f2xm1")
@_unary
def _f2xm1(x: Operand, environment: int) -> Outcome:
    """2^ST(0) - 1. The manual leaves open what happens beyond -1 to 1: the operand stays."""
    if x.is_infinite:
        return _rounded(ONE._replace(sign=1), environment, 0, exact=True) if x.sign else _infinity(0)
    if x.is_zero:
        return _zero(x.sign)
    number = _exact(x)
    if number.magnitude >= 0:
        half = x.sign and number.significand.bit_count() == 1 and number.magnitude == 0
        return _rounded(Number(1, 1, -1) if half else number, environment, INEXACT, exact=True)
    return _rounded(t.exp2_minus_1(number), environment, x.denormal)


@function("fyl2x")
@_binary
def _fyl2x(x: Operand, y: Operand, environment: int) -> Outcome:
    """ST(1) log2(ST(0))."""
    flags = x.denormal | y.denormal
    if x.is_zero:
        if y.is_zero:
            return INVALID_RESULT
        return _infinity(1 - y.sign, 0 if y.is_infinite else ZERO_DIVIDE)
    if x.sign:
        return INVALID_RESULT
    if x.is_infinite:
        return INVALID_RESULT if y.is_zero else _infinity(y.sign, flags)
    logarithm = t.log2(_exact(x))
    return _product(logarithm, y, environment, flags, exact=_is_power_of_two(x.significand))


@function("fyl2xp1")
@_binary
def _fyl2xp1(x: Operand, y: Operand, environment: int) -> Outcome:
    """ST(1) log2(ST(0) + 1); the manual leaves open what happens where |ST(0)| exceeds 1 - sqrt(1/2)."""
    flags = x.denormal | y.denormal
    if x.is_zero:
        return INVALID_RESULT if y.is_infinite else _zero(x.sign ^ y.sign, flags)
    if x.is_infinite:
        return INVALID_RESULT if x.sign or y.is_zero else _infinity(y.sign, flags)
    number = _exact(x)
    if x.sign and number.magnitude >= 0:
        return INVALID_RESULT
    return _product(t.log2_plus_1(number), y, environment, flags, exact=False)


def _is_power_of_two(significand: int) -> bool:
    return significand & significand - 1 == 0


def _product(logarithm: Number, y: Operand, environment: int, flags: int, *, exact: bool) -> Outcome:
    if y.is_infinite:
        return _infinity(y.sign ^ logarithm.sign, flags) if logarithm.significand else INVALID_RESULT
    if y.is_zero or not logarithm.significand:
        return _zero(y.sign ^ logarithm.sign, flags)
    return _rounded(logarithm.times(_exact(y)), environment, flags | INEXACT, exact=exact)


# --- trigonometry -----------------------------------------------------------------------------------------------------
_SCALE: Final = t.BITS
"""Bits of pi behind the point."""


def _turns(eighths: int, sign: int, environment: int, flags: int) -> Outcome:
    """pi/4 times `eighths`."""
    return _rounded(Number(sign, eighths * t.pi(_SCALE), -_SCALE - 2), environment, flags)


@function("fpatan")
@_binary
def _fpatan(x: Operand, y: Operand, environment: int) -> Outcome:
    """The angle of the point (ST(0), ST(1))."""
    flags = x.denormal | y.denormal
    if y.is_zero or (x.is_infinite and not y.is_infinite):
        return _turns(4, y.sign, environment, flags) if x.sign else _zero(y.sign, flags)
    if y.is_infinite:
        return _turns((3 if x.sign else 1) if x.is_infinite else 2, y.sign, environment, flags)
    if x.is_zero:
        return _turns(2, y.sign, environment, flags)
    return _rounded(t.angle(_exact(y), _exact(x)), environment, flags)


def _trigonometric(at_zero: Callable[[int], Outcome], meaning: Callable[[int, Number], Number]) -> Meaning:
    """A function of an angle: `meaning` is given the quarter turns and the rest."""

    def run(x: Operand, environment: int) -> Outcome:
        if x.is_infinite:
            return INVALID_RESULT
        if x.is_zero:
            return at_zero(x.sign)
        number = _exact(x)
        if number.magnitude >= LARGEST_ANGLE:
            return Outcome(EXTENDED.encode(x.sign, number.magnitude + 0x3FFF, x.significand), C2, 0)
        quarters, rest = t.reduce_angle(number)
        return _rounded(meaning(quarters, rest), environment, x.denormal)

    return _unary(run)


def _negated(number: Number, condition: int) -> Number:
    return number._replace(sign=number.sign ^ (1 if condition else 0))


def _sine(quarters: int, rest: Number) -> Number:
    return _negated(t.cosine(rest) if quarters & 1 else t.sine(rest), quarters & 2)


def _cosine(quarters: int, rest: Number) -> Number:
    return _negated(t.sine(rest) if quarters & 1 else t.cosine(rest), quarters + 1 & 2)


def _tangent(quarters: int, rest: Number) -> Number:
    sine, cosine = t.sine(rest), t.cosine(rest)
    return _negated(t.quotient(cosine, sine), 1) if quarters & 1 else t.quotient(sine, cosine)


def _one(_: int) -> Outcome:
    return _rounded(ONE, DEFAULT_ENVIRONMENT, 0, exact=True)


FUNCTIONS["fsin"] = FUNCTIONS["fsincos_sine"] = _trigonometric(_zero, _sine)
FUNCTIONS["fcos"] = FUNCTIONS["fsincos_cosine"] = _trigonometric(_one, _cosine)
FUNCTIONS["fptan_tangent"] = _trigonometric(_zero, _tangent)


@function("fptan_one")
@_unary
def _fptan_one(x: Operand, environment: int) -> Outcome:
    """What FPTAN pushes on top of the tangent."""
    return INVALID_RESULT if x.is_infinite else _one(0)


def evaluate(name: str, x: int, y: int, environment: int) -> tuple[int, int]:
    """The value of the op, i96: the condition codes above the result's bits; and the flags."""
    bits, conditions, flags = FUNCTIONS[name](x, y, environment)
    return conditions << 80 | bits, flags
