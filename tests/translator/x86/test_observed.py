"""What counts as agreement with the hardware."""

from __future__ import annotations

import pytest

from tests.translator.x86.observed import X87_NEIGHBOUR, x87_agrees

SMALLEST_NORMAL, LARGEST_DENORMAL = 1 << 64 | 1 << 63, (1 << 63) - 1
UE, ZE = 0x10, 0x04


def image(number: int, status: int) -> bytes:
    """An FXSAVE image with a number in ST(0) and flags in the status word."""
    data = bytearray(512)
    data[2:4] = status.to_bytes(2, "little")
    data[32:42] = number.to_bytes(10, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("wanted", "got", "undefined", "agree"),
    [
        (image(LARGEST_DENORMAL, UE), image(SMALLEST_NORMAL, 0), X87_NEIGHBOUR, True),
        (image(LARGEST_DENORMAL, UE), image(SMALLEST_NORMAL, ZE), X87_NEIGHBOUR, False),
        (image(LARGEST_DENORMAL, UE), image(SMALLEST_NORMAL, 0), 0, False),
        (image(LARGEST_DENORMAL, UE), image(LARGEST_DENORMAL, 0), X87_NEIGHBOUR, False),
        (image(SMALLEST_NORMAL, UE), image(SMALLEST_NORMAL + 1, 0), X87_NEIGHBOUR, False),
        (image(LARGEST_DENORMAL - 2, UE), image(SMALLEST_NORMAL, UE), X87_NEIGHBOUR, False),
    ],
)
def test_neighbours_on_both_sides_of_underflow(wanted: bytes, got: bytes, undefined: int, agree: bool) -> None:
    assert x87_agrees(wanted, got, undefined) == agree
