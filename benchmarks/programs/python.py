"""CPython, Debian's own."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

SCRIPT = """
import sys
from collections import Counter

class Vector:
    __slots__ = ("x", "y")
    def __init__(self, x, y): self.x, self.y = x, y
    def __add__(self, other): return Vector(self.x + other.x, self.y + other.y)

turns, state, place, seen, words = int(sys.argv[1]), 12345, Vector(0, 0), {}, Counter()
for turn in range(turns):
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    place = place + Vector(state & 7, state >> 28)
    seen[state & 1023] = seen.get(turn & 1023, 0) + 1
    words[f"{state:x}"[-2:]] += 1
print(place.x, place.y, sum(seen.values()), sorted(words.items(), key=lambda item: (-item[1], item[0]))[:5])
print(sum(value * value for value in range(turns)) % 1_000_003, pow(3, turns, 10**40 + 7))
"""

BENCHMARK = Program(
    "Python: a loop of objects, dictionaries, formatted text, and long integers.",
    group="interpreters",
    executables=("/usr/bin/python3",),
    package="python3-minimal",
    size=1_200_000,
    arguments=lambda inputs, size: ["-S", "-E", "-c", SCRIPT, str(size)],
)
