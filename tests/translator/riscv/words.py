"""Random instruction words drawn from the patterns of the tables."""

from __future__ import annotations

import random

from metaphrase.translator.guest import Description
from metaphrase.translator.pattern import Pattern


def random_word(pattern: Pattern, rng: random.Random) -> int:
    """A word that the pattern matches (a more specific one may match it too)."""
    while True:
        word = pattern.match | rng.getrandbits(pattern.width) & ~pattern.mask
        if pattern.matches(word):
            return word


def random_code(description: Description, rng: random.Random) -> bytes:
    """The bytes of a random instruction of a description."""
    pattern: Pattern = description.detail.pattern
    return random_word(pattern, rng).to_bytes(pattern.width // 8, "little")
