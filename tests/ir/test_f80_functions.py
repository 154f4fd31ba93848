"""x87's functions: known values, exact cases, and that the lowering knows the same names."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

import pytest

from metaphrase.backends.llvm import extended
from metaphrase.ir.f80_functions import C0, C1, C2, C3, FUNCTIONS
from metaphrase.ir.softfloat import DEFAULT_ENVIRONMENT, DENORMAL, EXTENDED, INEXACT, INVALID, ZERO_DIVIDE
from metaphrase.ir.transcendental import Number, exp2_minus_1, ln2, log2, pi

PI_SIGNIFICAND = 0xC90FDAA22168C235
ONE, HALF, THREE, TWO = 0x3FFF << 64 | 1 << 63, 0x3FFE << 64 | 1 << 63, 0x4000 << 64 | 3 << 62, 0x4000 << 64 | 1 << 63
INFINITY, MINUS = EXTENDED.infinity(0), 1 << 79


def bits_of(value: float) -> int:
    """The 80-bit format's encoding of a normal double."""
    mantissa, exponent = math.frexp(abs(value))
    return int(value < 0) << 79 | exponent + 0x3FFE << 64 | int(mantissa * 2**53) << 11


def value_of(bits: int) -> float:
    """The double next to a finite value."""
    significand, exponent = bits & (1 << 64) - 1, (bits >> 64 & 0x7FFF) - 0x3FFF - 63
    return (-1) ** (bits >> 79) * math.ldexp(significand, exponent)


def test_names() -> None:
    assert extended.FUNCTIONS.keys() == FUNCTIONS.keys()


def test_constants() -> None:
    assert pi(62) == PI_SIGNIFICAND - 1  # truncated
    assert ln2(64) == 0xB17217F7D1CF79AB
    assert Fraction(ln2(300), 1 << 300) - Fraction(ln2(200), 1 << 200) < Fraction(1, 1 << 199)


def test_powers_and_logarithms_are_inverse() -> None:
    """To far more bits than the format has."""
    rng = random.Random(1)
    for _ in range(50):
        x = Number(0, rng.getrandbits(64) | 1 << 63, -64 - rng.randrange(30))
        power = exp2_minus_1(x)
        one = 1 << -power.exponent
        back = log2(Number(0, one + power.significand, power.exponent))
        wanted = Fraction(x.significand) / (1 << -x.exponent)
        got = Fraction(back.significand) / (1 << -back.exponent)
        assert abs(got / wanted - 1) < Fraction(1, 1 << 90)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("fsin", lambda x, y: math.sin(x)), ("fcos", lambda x, y: math.cos(x)),
        ("fptan_tangent", lambda x, y: math.tan(x)), ("fpatan", lambda x, y: math.atan2(y, x)),
        ("f2xm1", lambda x, y: math.expm1(x * math.log(2)) if abs(x) < 1 else None),
        ("fyl2x", lambda x, y: y * math.log2(x) if x > 0 else None),
        ("fyl2xp1", lambda x, y: y * math.log1p(x) / math.log(2) if abs(x) < 0.29 else None),
        ("fprem", math.fmod), ("fprem1", math.remainder),
    ],
)  # fmt: skip
def test_like_the_c_library(name: str, reference: Callable[[float, float], float | None]) -> None:
    rng = random.Random(name)
    for _ in range(200):
        x, y = (rng.uniform(-1, 1) * 2.0 ** rng.randrange(-20, 6) for _ in range(2))
        wanted = reference(x, y)
        if wanted is not None:
            got = FUNCTIONS[name](bits_of(x), bits_of(y), DEFAULT_ENVIRONMENT).bits
            assert math.isclose(value_of(got), wanted, rel_tol=1e-14, abs_tol=1e-300), (x, y)


@pytest.mark.parametrize(
    ("name", "x", "y", "bits", "flags", "conditions"),
    [
        ("fyl2x", HALF, THREE, MINUS | THREE, INEXACT, 0),
        ("fyl2x", 0, ONE, MINUS | INFINITY, ZERO_DIVIDE, 0),
        ("fyl2x", MINUS | ONE, ONE, EXTENDED.default_nan, INVALID, 0),
        ("fpatan", 0, ONE, 0x3FFF << 64 | PI_SIGNIFICAND, INEXACT, 0),
        ("fpatan", MINUS, 0, 0x4000 << 64 | PI_SIGNIFICAND, INEXACT, 0),
        ("fsin", INFINITY, 0, EXTENDED.default_nan, INVALID, 0),
        ("fsin", 0x403E << 64 | 1 << 63, 0, 0x403E << 64 | 1 << 63, 0, C2),
        ("fcos", 0, 0, ONE, 0, 0),
        ("fprem", 0x4002 << 64 | 0xE << 60, THREE, TWO, 0, C0),  # 14 = 4 * 3 + 2
        ("fprem", 0x4001 << 64 | 0xE << 60, TWO, ONE, 0, C1 | C3),  # 7 = 3 * 2 + 1
        ("fprem1", 0x4001 << 64 | 0xE << 60, TWO, MINUS | ONE, 0, C0),  # 7 = 4 * 2 - 1
        ("fprem", 0x4080 << 64 | 1 << 63, THREE, 0x4060 << 64 | 1 << 63, 0, C2),
        ("fxtract_exponent", 5, 0, bits_of(-16443), DENORMAL, 0),
        ("fxtract_significand", 0, 0, 0, ZERO_DIVIDE, 0),
    ],
)
def test_special_cases(name: str, x: int, y: int, bits: int, flags: int, conditions: int) -> None:
    assert FUNCTIONS[name](x, y, DEFAULT_ENVIRONMENT) == (bits, conditions, flags)
