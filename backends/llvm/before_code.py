"""The words right before a region's code: what it needs of its records, without a register to find them by."""

from __future__ import annotations

from typing import Final

from metaphrase.ir import record

BASE: Final = -8
"""Where, from the code on, the guest address is that it is relative to."""
RECORDS: Final = -16
"""Where the host address of the entry record is, behind which the exit records lie."""
SLOTS: Final = -16
"""Where the slots of the exit records begin, downwards: each holds the address of the record that it is chained to."""


def slot_of(number: int) -> int:
    """Where the slot of an exit record lies, as an offset from the code; the first has number 1."""
    return SLOTS - 8 * number


def place(code: bytearray, entry: int, base: int, records: int, exits: int) -> None:
    """Write what stands before a region's code: `entry` is where that begins in the image.

    base      guest address of the region
    records   host address of its entry record, which `exits` exit records follow; none is chained to another one yet
    """
    words = [base, records, *(records + record.SIZE * number for number in range(1, 1 + exits))]
    for number, word in enumerate(words, start=1):
        code[entry - 8 * number : entry - 8 * number + 8] = word.to_bytes(8, "little")
