"""The pattern language: parsing, fields, conditions, ambiguity, and decision tables against plain search."""

from __future__ import annotations

import random

import pytest

from metaphrase.translator.pattern import (
    DecisionTable,
    Pattern,
    PatternError,
    Segment,
    check_unambiguous,
    extract,
    field_mask,
    insert,
    parse,
)

BRANCH = "imm[12|10:5]:7 rs2:5 rs1:5 000 imm[4:1|11]:5 1100011"


def test_fixed_bits_and_fields() -> None:
    pattern = parse("sf:1 00 1000 10 sh:1 imm12:12 rn:5 rd:5")
    assert (pattern.width, pattern.mask, pattern.match) == (32, 0x7F80_0000, 0x1100_0000)
    assert pattern.matches(0x9100_0400) and not pattern.matches(0xD100_0400)
    assert pattern.extract("imm12", 0x9100_0400) == 1 and pattern.extract("sf", 0x9100_0400) == 1
    assert pattern.encode(sf=1, imm12=1) == 0x9100_0400


def test_scattered_field() -> None:
    pattern = parse(BRANCH)
    assert pattern.field_width("imm") == 13
    assert [(s.from_lsb, s.count, s.to_lsb) for s in pattern.fields["imm"]] == [
        (31, 1, 12), (7, 1, 11), (25, 6, 5), (8, 4, 1),
    ]  # fmt: skip
    assert pattern.encode(imm=0x1000) == pattern.match | 1 << 31
    assert pattern.encode(imm=0x800) == pattern.match | 1 << 7
    for value in range(0, 1 << 13, 2):
        assert pattern.extract("imm", pattern.encode(imm=value, rs1=31)) == value


def test_extract_is_the_inverse_of_insert() -> None:
    segments = parse("a[0]:1 00 a[7:4|2]:5 b:4 a[3]:1 00 a[1]:1").fields["a"]
    assert field_mask(segments).bit_count() == 8
    assert [extract(segments, insert(segments, value)) for value in range(256)] == list(range(256))


def test_conditions() -> None:
    pattern = parse("01 rd:3 rm:3 rd=5 rm!=6,0x7")
    assert (pattern.mask, pattern.match) == (0b1111_1000, 0b0110_1000)
    assert pattern.matches(0b0110_1101) and not pattern.matches(0b0110_1110) and not pattern.matches(0b0110_1111)
    assert pattern.extract("rd", 0b0110_1101) == 5, "a field of one value is still a field"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("00 rd", "'rd'"), ("imm[5:3]:2 00", "name 3 bits, not 2"), ("imm[3:5]:3 0", "high:low"),
        ("rd:3 00 rs!=1", "no field"), ("0102", "'0102'"),
    ],
)  # fmt: skip
def test_errors_name_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(PatternError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("first", "second", "ambiguous"),
    [
        ("00 a:2", "0 b:3", False),  # more specific
        ("00 a:2", "b:2 01", True),
        ("00 a:2", "01 b:2", False),
        ("00 a:2 a!=1", "b:2 01", False),  # what both would match is excluded
        ("00 a:2 a!=2", "b:2 01", True),
        ("a:2 b:2 a=1", "a:2 b:2 b=1", True),
        ("a:2 b:2 a=1", "a:2 b:2 b=1 a!=1", False),
        ("00 a:2", "00 b:2", True),
    ],
)
def test_ambiguity(first: str, second: str, ambiguous: bool) -> None:
    patterns = [parse(first), parse(second)]
    if ambiguous:
        with pytest.raises(PatternError, match="make one more specific"):
            check_unambiguous(patterns)
    else:
        check_unambiguous(patterns)


def plain_search(patterns: list[Pattern], word: int) -> int:
    """The most specific pattern that matches, or -1."""
    found = [index for index, pattern in enumerate(patterns) if pattern.matches(word)]
    return max(found, key=lambda index: patterns[index].mask.bit_count(), default=-1)


def random_patterns(rng: random.Random) -> list[Pattern]:
    """Unambiguous random patterns of ten bits, some with exclusions."""
    patterns: list[Pattern] = []
    while len(patterns) < 12:
        fixed = "".join(rng.choice("01") for _ in range(rng.randrange(1, 5)))
        width = rng.randrange(1, 10 - len(fixed))
        tokens = [fixed, f"a:{width}", f"b:{10 - len(fixed) - width}"]
        rng.shuffle(tokens)
        if rng.random() < 0.5:
            tokens.append(f"a!={','.join(str(rng.randrange(1 << width)) for _ in range(rng.randrange(1, 4)))}")
        if rng.random() < 0.3:
            tokens.append(f"b={rng.randrange(1 << (10 - len(fixed) - width))}")
        candidate = parse(" ".join(tokens))
        try:
            check_unambiguous([*patterns, candidate])
        except PatternError:
            if rng.random() < 0.05:
                patterns.clear()
            continue
        patterns.append(candidate)
    return patterns


@pytest.mark.parametrize("seed", range(10))
def test_decision_table_is_plain_search(seed: int) -> None:
    rng = random.Random(seed)
    patterns = random_patterns(rng)
    for key in ([], [Segment(0, 3, 0)], [Segment(2, 2, 0), Segment(7, 3, 2)]):
        table = DecisionTable(list(enumerate(patterns)), key)
        for word in range(1 << 10):
            assert table.find(word) == plain_search(patterns, word), f"{word:010b} of {[p.text for p in patterns]}"
