"""Bit patterns of fixed-width instructions, written as the manuals write them, and their decision tables.

A pattern is a row of words, most significant bits first:

    0000000 rs2:5 rs1:5 000 rd:5 0110011            fixed bits, and fields by name and width
    imm[12|10:5]:7 rs2:5 rs1:5 000 imm[4:1|11]:5 1100011
                                                    a scattered field: which of its bits stand here, in this order
    ... rd=1                                        a field of one value (its bits are fixed, it stays a field)
    ... rm!=5,6                                     values of a field that the pattern does not match

Fixed bits may be spaced freely. A field without brackets holds its low `width` bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import combinations
from typing import NamedTuple

from metaphrase.ir.errors import MetaphraseError


class PatternError(MetaphraseError):
    """A pattern is not well-formed, or two patterns of a table match the same word."""


@dataclass(frozen=True, slots=True)
class Segment:
    """`count` bits that stand at bit `from_lsb` of the word and are bits `to_lsb`... of the field."""

    from_lsb: int
    count: int
    to_lsb: int
    mask: int = dataclass_field(init=False)
    """The segment's bits, at bit 0."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", (1 << self.count) - 1)


class Exclusion(NamedTuple):
    """Words for which `word & mask == match` are not the pattern's."""

    mask: int
    match: int


_FIXED = re.compile(r"[01]+")
_FIELD = re.compile(r"([A-Za-z][\w']*)(?:\[([\d:|]+)\])?:(\d+)")
_CONSTRAINT = re.compile(r"([A-Za-z][\w']*)(!?=)(\w+(?:,\w+)*)")


def extract(segments: Sequence[Segment], word: int) -> int:
    """The unsigned value of a field of `word`."""
    value = 0
    for segment in segments:
        value |= (word >> segment.from_lsb & segment.mask) << segment.to_lsb
    return value


def insert(segments: Sequence[Segment], value: int) -> int:
    """A word whose field has the value `value` (bits that the field lacks are dropped), all else zero."""
    word = 0
    for segment in segments:
        word |= (value >> segment.to_lsb & segment.mask) << segment.from_lsb
    return word


def field_mask(segments: Sequence[Segment]) -> int:
    """The bits of a word that a field takes."""
    return insert(segments, -1)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern: `word & mask == match`, unless an exclusion applies; `fields` by name."""

    text: str
    width: int
    mask: int
    match: int
    fields: dict[str, tuple[Segment, ...]]
    exclusions: tuple[Exclusion, ...] = ()

    def matches(self, word: int) -> bool:
        return word & self.mask == self.match and not any(word & mask == match for mask, match in self.exclusions)

    def extract(self, field: str, word: int) -> int:
        """The unsigned value of a field."""
        return extract(self.fields[field], word)

    def field_width(self, field: str) -> int:
        """Bits of a field's value, those below its lowest segment included."""
        return max(segment.to_lsb + segment.count for segment in self.fields[field])

    def encode(self, **values: int) -> int:
        """The word with the given values of fields; the others are zero."""
        word = self.match
        for name, value in values.items():
            word |= insert(self.fields[name], value)
        return word

    def more_specific_than(self, other: Pattern) -> bool:
        """Whether all that `other` fixes is fixed here, and something more."""
        return self.mask & other.mask == other.mask and self.mask != other.mask

    def overlaps(self, other: Pattern) -> bool:
        """Whether a word exists that both match."""
        common = self.mask & other.mask
        if self.match & common != other.match & common:
            return False
        mask, match = self.mask | other.mask, self.match | other.match
        return not any(
            exclusion.mask & mask == exclusion.mask and match & exclusion.mask == exclusion.match
            for exclusion in (*self.exclusions, *other.exclusions)
        )


def parse(text: str) -> Pattern:
    """Parse a pattern; raises PatternError, which shows the word that is wrong."""
    mask = match = position = 0
    pieces: dict[str, list[Segment]] = {}
    constraints: list[tuple[str, str, list[int]]] = []
    for token in reversed(text.split()):
        if _FIXED.fullmatch(token):
            mask |= ((1 << len(token)) - 1) << position
            match |= int(token, 2) << position
            position += len(token)
        elif found := _FIELD.fullmatch(token):
            name, bits, width = found[1], found[2], int(found[3])
            pieces.setdefault(name, []).extend(_segments(bits, width, position, f"{token!r} in pattern {text!r}"))
            position += width
        elif found := _CONSTRAINT.fullmatch(token):
            constraints.append((found[1], found[2], [int(value, 0) for value in found[3].split(",")]))
        else:
            raise PatternError(
                f"{token!r} in pattern {text!r} is neither fixed bits, name[bits]:width nor name!=values"
            )
    fields = {name: tuple(sorted(segments, key=lambda segment: -segment.to_lsb)) for name, segments in pieces.items()}
    exclusions = []
    for name, relation, values in constraints:
        if name not in fields:
            raise PatternError(f"pattern {text!r} has a condition on {name}, which is no field of it")
        whole = field_mask(fields[name])
        if relation == "=":
            mask, match = mask | whole, match | insert(fields[name], values[0])
        else:
            exclusions += [Exclusion(whole, insert(fields[name], value)) for value in values]
    return Pattern(text, position, mask, match, fields, tuple(exclusions))


def _segments(bits: str | None, width: int, position: int, where: str) -> list[Segment]:
    """The segments of one field token whose lowest bit stands at `position`."""
    if bits is None:
        return [Segment(position, width, 0)]
    segments = []
    for part in reversed(bits.split("|")):
        high, _, low = part.partition(":")
        first = int(low or high)
        count = int(high) - first + 1
        if count < 1:
            raise PatternError(f"{where}: bits are written high:low")
        segments.append(Segment(position, count, first))
        position += count
    if sum(segment.count for segment in segments) != width:
        raise PatternError(f"{where}: the brackets name {sum(s.count for s in segments)} bits, not {width}")
    return segments


def check_unambiguous(patterns: Sequence[Pattern]) -> None:
    """Raise PatternError if a word matches two patterns of which neither is more specific than the other."""
    for first, second in combinations(patterns, 2):
        if not first.overlaps(second) or first.more_specific_than(second) or second.more_specific_than(first):
            continue
        word = first.match | second.match
        raise PatternError(f"both {first.text!r} and {second.text!r} match {word:#x}; make one more specific")


class Entry(NamedTuple):
    """A step of the search in a bucket: on a match, take `row`; if that is negative, skip `step` entries."""

    mask: int
    match: int
    row: int
    step: int


class DecisionTable:
    """Patterns of one width, found by a key of some of the word's bits and then in order, the most specific first.

    `buckets[key]` is the list of entries to try. The values that a pattern excludes stand before it, as entries
    without a row that skip it.
    """

    def __init__(self, rows: Sequence[tuple[int, Pattern]], key: Sequence[Segment]) -> None:
        self.key = tuple(key)
        self.key_mask = field_mask(self.key)
        self.buckets: list[list[Entry]] = [[] for _ in range(1 << sum(segment.count for segment in key))]
        for row, pattern in sorted(rows, key=lambda item: -item[1].mask.bit_count()):
            fixed, value = extract(self.key, pattern.mask), extract(self.key, pattern.match)
            for index in _submasks(len(self.buckets) - 1 & ~fixed):
                self._add(value | index, row, pattern)

    def _add(self, index: int, row: int, pattern: Pattern) -> None:
        mask, match = self.key_mask, insert(self.key, index)
        skips = []
        for exclusion in pattern.exclusions:
            common = exclusion.mask & mask
            if exclusion.match & common != match & common:
                continue  # no word of this bucket is excluded
            if common == exclusion.mask:
                return  # every word is
            skips.append(exclusion)
        bucket = self.buckets[index]
        for position, exclusion in enumerate(skips):
            bucket.append(Entry(*exclusion, -1, len(skips) - position + 1))
        bucket.append(Entry(pattern.mask, pattern.match, row, 1))

    def find(self, word: int) -> int:
        """The row that `word` belongs to, or -1."""
        bucket = self.buckets[extract(self.key, word)]
        position = 0
        while position < len(bucket):
            mask, match, row, step = bucket[position]
            if word & mask != match:
                position += 1
            elif row >= 0:
                return row
            else:
                position += step
        return -1


def _submasks(mask: int) -> Iterator[int]:
    """Every value with no bit outside `mask`."""
    value = mask
    while True:
        yield value
        if not value:
            return
        value = (value - 1) & mask
